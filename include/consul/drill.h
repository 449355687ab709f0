/*
 * consul/drill.h - one server crashes on purpose, and what the cluster does about it is written down with times.
 *
 * Pure but for drill_look and drill_run, which block, and know the cluster only through a world (consul/act.h).
 *
 * Who leads is told by the survivors alone, and a leader is another one when raft's term is a later one: it may be the
 * same server again. What the crashed server says of itself counts from when it is back.
 */
#ifndef CONSUL_DRILL_H
#define CONSUL_DRILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consul/act.h"
#include "consul/assess.h"
#include "consul/plan.h"
#include "consul/snapshot.h"
#include "util/err.h"
#include "util/str.h"

/* What happens, in the order in which it is shown; not everything happens in every drill, or in this order. */
enum drill_mark_kind {
	DRILL_DOWN,        /* the server does not answer any more, or its container has ended */
	DRILL_LEADER_LOST, /* only where it led: no survivor names that leader any more */
	DRILL_NEW_LEADER,  /* only where it led: all survivors name one of a later term, who says so himself; who: his pod */
	DRILL_RESTARTED,   /* its container runs again, or it answers again, or its pod was made anew and runs */
	DRILL_ALIVE,       /* every server answers, and has it as alive with its present address */
	DRILL_VOTER,       /* every server has it as a voter with that address, it follows a leader, and does not lag */
	DRILL_VERDICT,     /* and the verdict is as good as before, its pod ready, the restart known; who: the verdict */
};
#define DRILL_MARKS 7

const char *drill_mark_name(enum drill_mark_kind kind); /* "down", "leader-lost", "new-leader", … as in reports */

struct drill_mark {
	bool expected; /* in this drill */
	bool happened;
	bool unseen;   /* it must have been between two looks, since what follows from it was seen; at_ms is of the later */
	int64_t at_ms; /* since the crash, when it was seen: up to one look later than it was */
	char *who;     /* NULL: nobody in particular. Owned */
};

/* One crash and what came of it. Owns its strings. */
struct drill {
	char *victim;        /* pod */
	char *victim_uid;
	bool led;
	int64_t restarts;    /* of its container, before */
	uint64_t term;       /* raft's, before */
	enum verdict before; /* the verdict */
	bool in_doubt;       /* the answer to the crash was lost, and Kubernetes has not shown yet that it took place */
	struct drill_mark marks[DRILL_MARKS];
	int64_t looks;
	int64_t since_ms;        /* when the last one ended, since the crash */
	int64_t longest_look_ms; /* from the end of one to that of the next: how exact the times are */
};

#define DRILL_INIT { 0 }
void drill_release(struct drill *drill);

/*
 * Whether pod (NULL: whoever leads) may be crashed now: there is a leader all agree on, every server answers, is a
 * stable voter, and alive for all others, no rollout or other change is under way, and without the pod the quorum still
 * stands (RULE_QUORUM otherwise). PLAN_DONE: it may, *ret_pod is borrowed from the snapshot; else PLAN_REFUSE, may_pass
 * where looking again may help. ret_plan is released by the caller.
 */
void drill_check(const struct snapshot *snapshot, const char *pod, const char **ret_pod, struct plan *ret_plan);

/* The drill that is about to begin, from the snapshot it was checked with. */
void drill_begin(const struct snapshot *snapshot, const char *pod, struct drill *ret_drill);

/*
 * Takes one look, since_ms after the crash: marks what it shows for the first time; a bit (1 << kind) for each. Nothing is
 * marked while the crash is in doubt, which ends when Kubernetes has the container as ended or as another one: that an
 * agent does not answer may be an answer that was lost, too.
 */
unsigned drill_take(struct drill *drill, const struct snapshot *snapshot, int64_t since_ms);

bool drill_is_over(const struct drill *drill); /* all that is expected has happened */

/* "new leader consul-2": a line for people, without the time. New string. */
char *drill_mark_text(const struct drill *drill, enum drill_mark_kind kind) __attribute__((warn_unused_result));

/* What is expected and has not happened, in words: "consul-0 is a voter again". */
void drill_list_missing(const struct drill *drill, struct strv *list);

/* ------------------------------------------------------------------------------------------ the loop */

/*
 * After each look: marks as of drill_take; 0 says how time goes by, and, the first time (drill->looks is 0), that the
 * server has just been crashed.
 */
typedef void drill_tell(void *context, const struct drill *drill, unsigned marks);

struct drill_options {
	const char *pod;     /* NULL: whoever leads */
	int64_t deadline_ms; /* of world->now_ms */
	drill_tell *tell;    /* this and those below may be NULL; all get context */

	/* Why it is looked again before the crash: a refusal that may pass, a look that failed. */
	void (*wait)(void *context, const char *text);

	/* Right before the crash, with whom it will be. -1: it is not done, and drill_run fails with err. */
	int (*prepare)(void *context, const struct snapshot *snapshot, const char *pod, struct err *err);

	void *context;
};

#define DRILL_INTERVAL_MS ((int64_t)100)        /* between two looks */
#define DRILL_DOUBT_MS    ((int64_t)30 * 1000)  /* a crash of which nothing shows by then is none; an exec ends well before */

/*
 * The first look: until drill_check allows it; a refusal that may pass, and a look that fails, is looked at again, for
 * ACT_PATIENCE_MS at most. ERR_REFUSED: the check's reason. ret_snapshot (SNAPSHOT_INIT) is released by the caller
 * in either case; *ret_pod is borrowed from it.
 */
int drill_look(const struct world *world, const struct drill_options *options, struct snapshot *ret_snapshot,
               const char **ret_pod, struct err *err) __attribute__((warn_unused_result));

/*
 * drill_look, crashes the server through world->crash, and looks until the drill is over. ret_drill (DRILL_INIT) is
 * released by the caller in either case, and has what was seen; victim NULL: nothing was crashed (ERR_INTERRUPTED in
 * the middle of it leaves that open). ERR_TIMEOUT: names what had not happened. Looks fail for ACT_PATIENCE_MS: their
 * err. An answer to the crash that was lost is no failure if the crash is seen; else its err, after DRILL_DOUBT_MS. A
 * server in whose data directory a raft/peers.json waits is not crashed, since that would change its peers: ERR_FAILED.
 *
 * The time of the crash is the middle between sending the order and its end, no more than the exec's round trip wrong.
 */
int drill_run(const struct world *world, const struct drill_options *options, struct drill *ret_drill, struct err *err)
    __attribute__((warn_unused_result));

#endif
