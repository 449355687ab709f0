/*
 * consul/drill.h - one server crashes on purpose, and what the cluster does about it is written down with times.
 *
 * drill_check and drill_take are pure; drill_run blocks, and knows the cluster only through a world (consul/act.h).
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
	DRILL_LEADER_LOST, /* only where it led: no survivor names a leader any more, or not the same one */
	DRILL_NEW_LEADER,  /* only where it led: all survivors name one again, of a later term; who: its pod */
	DRILL_RESTARTED,   /* its container runs again, or its pod was made anew */
	DRILL_ALIVE,       /* every server answers, and has it as alive with its present address */
	DRILL_VOTER,       /* every server has it as a voter with that address, and it lags nobody */
	DRILL_VERDICT,     /* the verdict is as good as before the crash, and its pod is ready; who: that verdict */
};
#define DRILL_MARKS 7

const char *drill_mark_name(enum drill_mark_kind kind); /* "down", "leader-lost", "new-leader", … as in reports */

struct drill_mark {
	bool expected; /* in this drill */
	bool happened;
	bool unseen;   /* it must have happened, since what follows from it did, between two looks; at_ms is of the later one */
	int64_t at_ms; /* since the crash, when it was seen: up to one look later than it was */
	char *who;     /* NULL: nobody in particular. Owned */
};

/* One crash and what came of it. Owns its strings. */
struct drill {
	char *victim;        /* pod */
	char *victim_uid;
	bool led;
	int64_t restarts;    /* of its container, before */
	int64_t started_at;  /* the same */
	uint64_t term;       /* the leader's, before */
	enum verdict before; /* the verdict */
	struct drill_mark marks[DRILL_MARKS];
	int64_t looks;
	int64_t longest_look_ms; /* from one look to the next: how exact the times are */
};

#define DRILL_INIT { 0 }
void drill_release(struct drill *drill);

/*
 * Whether pod (NULL: whoever leads) may be crashed now: there is a leader all agree on, every server answers and the views and
 * peer sets agree, no rollout or other change is under way, the pod is a live voter, and without it the quorum still stands (rule
 * RULE_QUORUM otherwise). PLAN_DONE: it may, *ret_pod is borrowed from the snapshot; else PLAN_REFUSE, may_pass where looking again
 * may help. ret_plan is released by the caller.
 */
void drill_check(const struct snapshot *snapshot, const char *pod, const char **ret_pod, struct plan *ret_plan);

/* The drill that is about to begin, from the snapshot it was checked with. */
void drill_begin(const struct snapshot *snapshot, const char *pod, struct drill *ret_drill);

/* Takes one look, since_ms after the crash: marks what it shows for the first time; a bit (1 << kind) for each of them. */
unsigned drill_take(struct drill *drill, const struct snapshot *snapshot, int64_t since_ms);

bool drill_is_over(const struct drill *drill); /* all that is expected has happened */

/* "new leader consul-2": a line for people, without the time. New string. */
char *drill_mark_text(const struct drill *drill, enum drill_mark_kind kind) __attribute__((warn_unused_result));

/* What is expected and has not happened, in words: "consul-0 is a voter again". */
void drill_list_missing(const struct drill *drill, struct strv *list);

/* ------------------------------------------------------------------------------------------ the loop */

typedef void drill_tell(void *context, const struct drill *drill, unsigned marks); /* 0: it has just been crashed */

struct drill_options {
	const char *pod;     /* NULL: whoever leads */
	int64_t deadline_ms; /* of world->now_ms */
	drill_tell *tell;    /* may be NULL */
	void *tell_context;
	/* Called right after the process was crashed, with world->now_ms of that moment; may be NULL. */
	void (*crashed)(void *context, int64_t at_ms);
	void *crashed_context;
};

#define DRILL_INTERVAL_MS ((int64_t)100) /* between two looks */

/*
 * Looks until drill_check allows it (a refusal that may pass is looked at again, ACT_PATIENCE_MS at most), crashes the server through
 * world->crash, and looks until the drill is over. ret_drill (DRILL_INIT) is released by the caller in either case, and has what was seen.
 * ERR_REFUSED: the check's reason. ERR_TIMEOUT: names what had not happened. A look that fails is looked again; looks fail for
 * ACT_PATIENCE_MS: its err. The time of the crash is the middle between sending the order and its end, no more than the
 * exec's round trip wrong.
 */
int drill_run(const struct world *world, const struct drill_options *options, struct drill *ret_drill, struct err *err)
    __attribute__((warn_unused_result));

#endif
