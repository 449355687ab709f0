/*
 * consul/decode.h - from the bytes a server answers to a view (consul/view.h). Pure.
 *
 * Two forms of everything: the agent's JSON (through the tunnel) and the CLI's text (over exec). Tables are
 * parsed by header name and column position, cells may hold one space, columns are two or more apart; what
 * stands before the header is noise and ignored. Facts and their sources: Consul's command/members,
 * command/operator/raft, command/info, agent/agent_endpoint.go, by version.
 *
 * Each function fills its plane of view and marks it known, or returns -1 with err (ERR_INVALID) and leaves the plane
 * unknown. A plane that was known is replaced, but for peers that came from `self`: they stay when the raft endpoint's
 * answer cannot be read. The input is bounded by whoever read it; control characters in it do
 * no harm, since strings are kept as they are and made visible where they are printed. Lists longer than the limits
 * below are ERR_TOO_LARGE. An answer without a single member is an error too: an agent lists at least itself, so its
 * ACL token may read no node (ERR_FORBIDDEN).
 */
#ifndef CONSUL_DECODE_H
#define CONSUL_DECODE_H

#include <stddef.h>

#include "consul/view.h"
#include "util/err.h"

#define DECODE_MEMBERS_MAX ((size_t)16384) /* clients are members, too */
#define DECODE_PEERS_MAX   ((size_t)1024)

/* JSON of the HTTP API. */
int decode_members_json(const char *text, size_t length, struct view *view, struct err *err);      /* /v1/agent/members */
int decode_raft_json(const char *text, size_t length, struct view *view, struct err *err);         /* /v1/operator/raft/… */
int decode_self_json(const char *text, size_t length, struct view *view, struct err *err);         /* /v1/agent/self */

/* Text of the CLI. */
int decode_members_text(const char *text, size_t length, struct view *view, struct err *err);      /* consul members [-detailed] */
int decode_raft_text(const char *text, size_t length, struct view *view, struct err *err);         /* … raft list-peers */
int decode_info_text(const char *text, size_t length, struct view *view, struct err *err);         /* consul info */

/*
 * raft's latest_configuration as `info` and `self` print it:
 *   [{Suffrage:Voter ID:… Address:10.244.0.43:8300} {Suffrage:Nonvoter …}]
 * Fills the peers of view (source PEERS_SELF) unless they are known already. The leader flag comes from
 * view->self.leader_address, so decode self first. decode_self_json and decode_info_text call it where there is such
 * a line; one they cannot read leaves the peers unknown and is no error of theirs. "[]" is a server that has no raft
 * configuration yet: known, without peers.
 */
int decode_latest_configuration(const char *text, struct view *view, struct err *err);

#endif
