/*
 * consul/recovery.h - a cluster that lost its quorum for good: what is left of it, whose data becomes the truth, and
 * whether it is right to go on without the others. Pure.
 *
 * Consul's own way (outage recovery): the same raft/peers.json, which names the servers that are left, is put into the data
 * directory of each of them, and their processes are restarted; each takes all of its log as committed and has only those
 * peers then. What only the others had is lost, so it is refused while one of them might come back.
 *
 * Who has less log than the best gets no vote in that file (autopilot gives it one when it is stable): an election asks a
 * majority, and a majority of those that lag would elect one of their own and lose what the best alone has.
 *
 * How far a log is: the term of its last entry, then its index (raft's own order). The current term says nothing.
 *
 * A server's fate is told from its place (pod, wanted ordinal, or claim that was left), since raft's ids have no names
 * once gossip has forgotten them:
 *   - it runs, answers, and the id in its data directory is a peer's: it remains
 *   - it runs, and has another id or no raft data: empty; it joins by itself afterwards. Its predecessor is gone
 *   - no pod, or one that does not run or does not answer: it may come back with its data as long as its claim may have that:
 *     there is one, and it was not made after the servers that are left last heard a leader (or granted a vote, which raft
 *     counts as that: where several vote for each other nothing is ever newer). Without one it is gone; where the StatefulSet
 *     has no claim templates it is where nobody can see it, unless its pod is newer
 *   - Consul ends as it starts, and says that it cannot use its data (consul/remains.h): broken
 *   - it was scaled away, and its claim is there: it may come back by scaling up
 */
#ifndef CONSUL_RECOVERY_H
#define CONSUL_RECOVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consul/assess.h"
#include "consul/remains.h"
#include "consul/snapshot.h"
#include "util/err.h"
#include "util/str.h"

enum fate {
	FATE_REMAINS,  /* gets peers.json */
	FATE_EMPTY,    /* runs without data, and joins by itself */
	FATE_RETURNS,  /* may come back with its data: waiting for it is right */
	FATE_BROKEN,   /* has data on which Consul does not start */
	FATE_GONE,     /* a voter that cannot come back */
	FATE_STRANGER, /* has data of another cluster, or is in no peer set of this one */
};

const char *fate_name(enum fate fate); /* "remains", "empty", "may return", "broken", "gone", "stranger" */

/* One server, or a voter of which nothing is left. Strings owned. */
struct recovery_server {
	const struct server *server;   /* borrowed from the snapshot; NULL: there is no such place */
	const struct remains *remains; /* the same; NULL too then */
	char *name;                    /* pod, else node name, else address, else id */
	char *id;                      /* raft's; NULL: has none, or it is not known */
	char *address;                 /* HOST:PORT as it is to be known from now on (remains), else as raft has it; NULL */
	enum fate fate;
	char *why;                     /* "its pod is Pending; its claim data-consul-1 is there": one line */
	bool peer;                     /* in the peer set that counts, or may be: nobody can tell whose that peer is */
	bool voter;                    /* the same, with a vote */
	bool differs;                  /* TIDY: has missed the leader's peers */
	bool log_known;
	uint64_t last_index, last_term;
	uint64_t behind;               /* entries it has less than the best; where log_known and of the same last term */
};

enum recovery_kind {
	RECOVERY_REFUSED, /* text says why; with forceable, options.force goes on */
	RECOVERY_GO,      /* peers_json into every server that remains, then restart these */
	/*
	 * There is a leader. A peers.json that waits would undo it at some later start: it is removed. A server that has missed the
	 * leader's peers, since theirs came by peers.json, and so are in nobody's log: gets them as peers_json, and is restarted.
	 */
	RECOVERY_TIDY,
};

struct recovery_options {
	bool force;
};

/* Owns all of it, but what it borrows from snapshot and remains, which must outlive it. */
struct recovery {
	enum recovery_kind kind;
	char *text;      /* REFUSED: the reason; else NULL */
	char *hint;      /* REFUSED: what to type or do; may be NULL */
	bool forceable;
	bool may_pass;   /* an election, a restart or a lost answer may be all there is to what is refused, passed over or mended */
	enum err_kind exit_is; /* REFUSED: ERR_REFUSED, or ERR_FAILED where nothing can be told */

	struct quorum quorum;              /* of the best server's peer set */
	const struct recovery_server *best; /* whose data becomes the truth; NULL: none */
	struct recovery_server *servers;   /* as enum fate has them; remaining ones: furthest log first; none where a leader lives */
	size_t count;
	size_t remaining;

	char *peers_json;      /* GO; TIDY: where somebody gets it, else NULL. One line */
	struct strv notes;     /* GO: what people must know before they say yes: what is lost, and what --force passes over */
	struct strv commands;  /* what cannot be done by exec: to be pasted in order; comment lines begin with "# " */
};

#define RECOVERY_INIT { 0 }

/* remains has as many as the snapshot has servers, in the same order. Never fails. */
void recovery_plan(const struct snapshot *snapshot, const struct remains *remains,
                   const struct recovery_options *options, struct recovery *ret_recovery);
void recovery_release(struct recovery *recovery);

/* The error that a refusal is, with its hint. Returns -1. */
int recovery_refusal(const struct recovery *recovery, struct err *err);

/* Whether both would do the same: the same servers get the same peers, and the same are discarded. */
bool recovery_equal(const struct recovery *a, const struct recovery *b);

/* The server gets peers_json, and its process is ended. */
bool recovery_gets_peers(const struct recovery *recovery, const struct recovery_server *row);

/* A peers.json that waits there is removed. */
bool recovery_loses_file(const struct recovery *recovery, const struct recovery_server *row);

/* a's log is further than b's: who has a does not vote for b. Both known. */
bool recovery_is_ahead(const struct recovery_server *a, const struct recovery_server *b);

#endif
