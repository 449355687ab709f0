/*
 * consul/tell.h - telling one Consul server to do something: one table of orders, each with two ways to it.
 *
 * The counterpart of consul/ask.h: through the agent's own HTTP API in a tunnel, or by exec of the consul CLI. Rights in
 * a cluster with ACLs: force-leave, remove-peer, transfer-leader and min-quorum operator:write, leave agent:write.
 *
 * Sources: Consul's api-docs (agent, operator/raft, operator/autopilot); transfer-leader from 1.15.0, -prune from 1.6.2.
 */
#ifndef CONSUL_TELL_H
#define CONSUL_TELL_H

#include <stdbool.h>
#include <stdint.h>

#include "consul/access.h"
#include "consul/snapshot.h"
#include "kube/client.h"
#include "util/err.h"

enum tell_kind {
	TELL_JOIN,                /* argument: an address to join */
	TELL_LEAVE,               /* none: the server itself leaves, and its process ends some 10 s later */
	TELL_FORCE_LEAVE,         /* a node name: failed becomes left */
	TELL_PRUNE,               /* a node name: forgotten, failed or left */
	TELL_REMOVE_PEER_ID,      /* a raft peer's id */
	TELL_REMOVE_PEER_ADDRESS, /* a raft peer's HOST:PORT */
	TELL_TRANSFER_LEADER,     /* the id of the server that shall lead, or "": any other; asked of the leader */
	TELL_MIN_QUORUM,          /* a decimal number: autopilot's min_quorum; nothing else of its settings changes */
};

struct tell {
	enum tell_kind kind;
	const char *argument; /* borrowed; "" where there is none. A foreign string: escaped, never a shell's word */
};

/* The first Consul that has TELL_TRANSFER_LEADER: 1.M. */
#define TELL_TRANSFER_MINOR 15

/*
 * Tells server, by the way it answered last (server->view.way), or by that of access when it has one (NULL: it has
 * none), and with its token; with auto the other way is tried when nothing can have been done by the first. Blocks
 * until done, at the latest at deadline_ms.
 *
 * ERR_NOT_FOUND: Consul knows no such node or peer (whoever wanted it gone has what he wants), or no such order.
 * ERR_FORBIDDEN: RBAC or an ACL token says no; the message names the right. ERR_FAILED: Consul refused, in its words.
 * ERR_CONFLICT: autopilot's settings were changed meanwhile. ERR_INVALID: the argument cannot be told, or the settings
 * cannot be read. Nothing was done then.
 *
 * ERR_TIMEOUT: it was sent, and not answered in time. ERR_UNREACHABLE: it could not be sent, or the connection ended
 * before the answer. ERR_PROTOCOL: the answer is none. ERR_UNAVAILABLE: there is no leader (Consul waits for one about 7 s
 * before it says so), or it has just lost its office. In all four look at the cluster.
 *
 * TELL_LEAVE is answered when the agent has left, 10 to 15 s later: with a deadline of a few seconds ERR_TIMEOUT is its
 * success. TELL_FORCE_LEAVE and TELL_PRUNE take up to 3 s.
 */
int tell(struct kube_client *client, const struct server *server, const struct tell *order, const struct access *access,
         int64_t deadline_ms, struct err *err) __attribute__((warn_unused_result));

/*
 * Asks server for autopilot's settings (the cluster's, from the leader). What cannot be learnt is in ret_autopilot->err
 * and no failure; fails only when interrupted.
 */
int tell_autopilot(struct kube_client *client, const struct server *server, const struct access *access, int64_t deadline_ms,
                   struct autopilot_state *ret_autopilot, struct err *err) __attribute__((warn_unused_result));

/* --------------------------------------------------------------------------------------------- pure */

/* /v1/operator/autopilot/configuration, and the output of `consul operator autopilot get-config`. */
int tell_decode_autopilot_json(const char *text, size_t length, struct autopilot_state *ret, struct err *err)
    __attribute__((warn_unused_result));
int tell_decode_autopilot_text(const char *text, size_t length, struct autopilot_state *ret, struct err *err)
    __attribute__((warn_unused_result));

#endif
