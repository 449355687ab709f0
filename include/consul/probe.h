/*
 * consul/probe.h - a small client beside a drill: writes a key again and again, and reads it, through the servers that are not being
 * crashed, and keeps when it was served and when not.
 *
 * Lives on the client's loop: everything happens while somebody runs that (consul/act.h's looks and sleeps do). Tunnels only
 * (kube/tunnel.h), one per server, kept open. The key is "kubectl-consul/probe/RANDOM", removed at the end. Under ACLs it takes key_prefix
 * "kubectl-consul/" { policy = "write" }.
 *
 * A write (PUT /v1/kv/KEY) is one every PROBE_INTERVAL_MS, whatever became of those before: Consul holds a request without a leader for
 * some seconds and may carry it out after all; each is given up after PROBE_TIMEOUT_MS. Reads (GET, default consistency) the same.
 */
#ifndef CONSUL_PROBE_H
#define CONSUL_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consul/access.h"
#include "consul/snapshot.h"
#include "kube/client.h"
#include "util/err.h"

#define PROBE_INTERVAL_MS ((int64_t)50)
#define PROBE_TIMEOUT_MS  ((int64_t)1000)

/* What became of one kind of request. Pure. */
struct probe_count {
	int64_t tried, served, failed; /* those that came to an end */
	int64_t last_served_ms;        /* when one was last served; -1: never. Monotonic, as all of these */
	int64_t longest_gap_ms;        /* longest time from one that was served to the next that was */
	int64_t gap_from_ms;           /* when that began */
	struct err first_err;          /* the first failure, in its words */
};

#define PROBE_COUNT_INIT { .last_served_ms = -1 }
void probe_count_served(struct probe_count *count, int64_t now_ms);
void probe_count_failed(struct probe_count *count, struct err *err); /* takes what is in err */
void probe_count_end(struct probe_count *count, int64_t now_ms);     /* a gap that is still open counts up to now */
void probe_count_release(struct probe_count *count);

struct probe_result {
	struct probe_count writes, reads;
	uint64_t last_acknowledged; /* the number that was written last of those acknowledged; 0: none */
	bool checked;               /* it was read back at the end */
	uint64_t read_back;         /* a number at least as high as last_acknowledged: nothing was lost */
};

#define PROBE_RESULT_INIT { .writes = PROBE_COUNT_INIT, .reads = PROBE_COUNT_INIT }
void probe_result_release(struct probe_result *result);

struct probe;

/*
 * Begins: one write and one read are served before it returns (else its err: no right, no leader, no tunnel), at the latest at deadline_ms. Every
 * server of the snapshot that can be asked by a tunnel is used, but victim (a pod; NULL: all). access is borrowed for the probe's life.
 */
int probe_start(struct kube_client *client, const struct snapshot *snapshot, const struct access *access, const char *victim,
                int64_t deadline_ms, struct probe **ret_probe, struct err *err) __attribute__((warn_unused_result));

/* Ends: waits for what is under way, reads the key back, removes it. Blocks, at the latest until deadline_ms; fails only when interrupted. */
int probe_stop(struct probe *probe, int64_t deadline_ms, struct probe_result *ret_result, struct err *err)
    __attribute__((warn_unused_result));

/* Ends at once whatever is under way; the key stays unless it was removed. NULL is fine. */
void probe_free(struct probe *probe);

#endif
