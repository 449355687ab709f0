/*
 * consul/probe.h - a small client beside a drill: it writes and reads all the time, through the servers that are not
 * being crashed, and keeps when it was served and when not, and whether a write that was acknowledged got lost.
 *
 * Lives on the client's loop: everything happens while somebody runs that (consul/act.h's looks and sleeps do); time in
 * which nobody does looks like a gap. Tunnels only (kube/tunnel.h), whatever access says of the way; HTTPS inside is
 * not verified, as elsewhere. RBAC: get and create on pods/portforward.
 *
 * Every PROBE_INTERVAL_MS a write begins: PUT /v1/kv/kubectl-consul/probe/RANDOM/N, value N, through the servers in
 * turn; and a read: GET of the first of those keys, default consistency. Under ACLs that takes the rule
 * key_prefix "kubectl-consul/" { policy = "write" }.
 *
 * No key is written twice. Without a leader a server holds a request up to 7 s (rpc_hold_timeout), looks for a leader
 * every 0.44 s at most, and carries the request out when there is one, even if nobody waits for its answer any more: an
 * old write could come after a newer one of the same key, and look like a loss. And a key that is written again hides
 * that its older value was lost. So each write has its own key, and at the end each one that was acknowledged is
 * looked for; what was not acknowledged may be there or not.
 *
 * PROBE_LANES writes and as many reads may be under way with each server, every one in a tunnel of its own; while all
 * are, no further ones begin. Without a leader most wait at a server that holds them, and the first that is served ends
 * the gap, whenever it was sent. Each is given up after PROBE_TIMEOUT_MS and another one takes its place: one that
 * hangs, as at a server that has not noticed that its leader is gone, does not make the gap much longer than it is. A
 * tunnel that does not reach its server, or breaks off, rests for a second; the others go on.
 *
 * Measured beside a client that writes to the pods' addresses, on 1.8.7: gaps of 1.3 to 15 s, the same to 40 ms.
 *
 * Sources: Consul's agent/consul/rpc.go (forward: RPCHoldTimeout, JitterFraction), api-docs kv.
 */
#ifndef CONSUL_PROBE_H
#define CONSUL_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "consul/access.h"
#include "consul/snapshot.h"
#include "kube/client.h"
#include "util/err.h"

#define PROBE_INTERVAL_MS ((int64_t)50)
#define PROBE_TIMEOUT_MS  ((int64_t)2000)
#define PROBE_LANES       3
/* Where the keys of every probe are: `consul kv delete -recurse` removes what one that was killed has left there. */
#define PROBE_PREFIX      "kubectl-consul/probe/"

/* What became of one kind of request. Pure. Times are monotonic (util/clock.h). */
struct probe_count {
	int64_t tried, served, failed; /* tried: those that came to an end, served and failed together */
	int64_t last_served_ms;        /* when one was last served; -1: never */
	int64_t longest_gap_ms;        /* longest time from one that was served to the next that was */
	struct err first_err;          /* the first failure, in its words */
};

#define PROBE_COUNT_INIT { .last_served_ms = -1 }
void probe_count_served(struct probe_count *count, int64_t now_ms);
void probe_count_failed(struct probe_count *count, struct err *err); /* takes what is in err, and leaves it empty */
void probe_count_end(struct probe_count *count, int64_t now_ms);     /* a gap that is still open counts up to now */
void probe_count_release(struct probe_count *count);

/* How many writes were acknowledged is writes.served. */
struct probe_result {
	struct probe_count writes, reads;
	bool checked;         /* each write that was acknowledged was looked for at the end, consistently */
	int64_t lost;         /* how many of them were not there; 0 is what Consul promises */
	struct err check_err; /* why they were not looked for; empty when they were */
	char *left;           /* the prefix of keys that could not be removed; NULL: nothing was left behind */
};

#define PROBE_RESULT_INIT { .writes = PROBE_COUNT_INIT, .reads = PROBE_COUNT_INIT }
void probe_result_release(struct probe_result *result);

struct probe;

/*
 * Begins: one write and one read are served before it returns, at the latest at deadline_ms. Every server of the
 * snapshot that can be asked by a tunnel is used, but victim (a pod; NULL: all). client and access are borrowed for the
 * probe's life, and the token of access may not change meanwhile; the snapshot is not needed any more.
 *
 * ERR_FORBIDDEN, at once: no right to tunnels, or an ACL token that may not write there; the hint has the rule to add.
 * ERR_UNREACHABLE, at once: no server is left to be asked. Otherwise, at the deadline, what went wrong last, or
 * ERR_TIMEOUT; a few keys may be left behind then.
 */
int probe_start(struct kube_client *client, const struct snapshot *snapshot, const struct access *access,
                const char *victim, int64_t deadline_ms, struct probe **ret_probe, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Ends: a gap still open counts up to now. Waits for what is under way (PROBE_TIMEOUT_MS at most), looks for what was
 * acknowledged, and removes the keys (one that Consul carries out later still stays). Blocks, at the latest until
 * deadline_ms: without a leader nothing can be looked for or removed, which is no failure, but in the result. Fails
 * only when interrupted (ERR_INTERRUPTED).
 *
 * ret_result (PROBE_RESULT_INIT) has what was counted in either case, and is released by the caller. Only probe_free
 * may follow.
 */
int probe_stop(struct probe *probe, int64_t deadline_ms, struct probe_result *ret_result, struct err *err)
    __attribute__((warn_unused_result));

/* Ends at once whatever is under way; without probe_stop before it the keys stay. NULL is fine. */
void probe_free(struct probe *probe);

#endif
