/*
 * consul/remains.h - what there is in a server's data directory, and why Consul does not start on it.
 *
 * What an agent cannot tell, or is not asked because it does not run or has no token for us: looked up by exec in the
 * container, or, where that does not run, in the last lines of its log. Needs a shell in the image.
 *
 * RBAC: get (and create) on pods/exec; get on pods/log for containers that do not run, or do not answer.
 *
 * Sources: Consul's agent/consul/server.go (data directory: node-id, raft/raft.db, raft/snapshots, raft/peers.json,
 * which is read and removed as the server starts, if raft/peers.info is there, too), server_rejoin_age_max (1.15). The
 * messages of 1.8.7 were tried: src/consul/remains_log.c has them with what causes them, and what damage goes without
 * one.
 */
#ifndef CONSUL_REMAINS_H
#define CONSUL_REMAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consul/snapshot.h"
#include "kube/client.h"
#include "util/err.h"

/* Why a server's process does not live. */
enum remains_trouble {
	REMAINS_FINE,      /* it runs, or nothing is known against it (no log, one that says nothing) */
	REMAINS_TOO_OLD,   /* away for longer than server_rejoin_age_max: its data is whole, and it refuses to start */
	REMAINS_CORRUPT,   /* its raft store or snapshot cannot be opened */
	REMAINS_BAD_PEERS, /* raft/peers.json cannot be used */
	REMAINS_OTHER,     /* anything else it said before it ended */
};

/* Of one server. What could not be learnt is NULL or false, and err says why. Owns its strings. */
struct remains {
	bool known;          /* its data directory was looked into; what is said of that below holds only then */
	struct err err;      /* why not */
	char *data_dir;      /* "/consul/data" */
	char *node_id;       /* of the file node-id, lower case; NULL: there is none */
	/*
	 * raft/raft.db is there and has a length, or a snapshot is. A new server that has never heard of anybody has a
	 * raft.db too, with no entry in it: only its agent tells that (self.last_log_index 0).
	 */
	bool has_raft;
	uint64_t raft_bytes; /* of all of raft/, on its disk; 0: it cannot be told */
	bool writable;       /* raft/peers.json could be written */
	bool peers_waiting;  /* raft/peers.json is there: the next start takes it */

	/*
	 * Of a container that ended and does not run (CrashLoopBackOff, an error, …): its last run. Of one that runs
	 * and whose agent does not answer: this run, but never REMAINS_OTHER.
	 */
	enum remains_trouble trouble;
	char *last_words;    /* the line in which it says why, fit to be shown; NULL: none, or it runs */
};

#define REMAINS_INIT { 0 }
void remains_release(struct remains *remains);

/*
 * Looks at all servers of the snapshot at the same time; ret_remains has as many (REMAINS_INIT) as the snapshot has
 * servers, in the same order, released by the caller in either case. Places without a pod stay unknown, with an err.
 * Blocks, at the latest until deadline_ms. A server's failure is in its err; fails only when interrupted.
 */
int remains_look(struct kube_client *client, const struct snapshot *snapshot, struct remains *ret_remains,
                 int64_t deadline_ms, struct err *err) __attribute__((warn_unused_result));

/* --------------------------------------------------------------------------------------------- pure */

/*
 * Where the server's data directory is: as it says itself, else -data-dir of its container's command line (or of a
 * script in it), else its variable CONSUL_DATA_DIR, else /consul/data. A new string.
 */
char *remains_data_dir(const struct server *server) __attribute__((warn_unused_result));

/* What the script printed. ERR_PROTOCOL: it is not that, and ret_remains is as it was. */
int remains_decode(const char *text, size_t length, struct remains *ret_remains, struct err *err)
    __attribute__((warn_unused_result));

/* The last lines of the log of a process that ended: fills trouble and last_words. */
void remains_read_log(const char *text, size_t length, struct remains *ret_remains);

#endif
