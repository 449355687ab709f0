/*
 * consul/act.h - the loop that carries a goal out: observe, plan, do, wait until the snapshot shows it. Blocks.
 *
 * It knows the cluster only through a world: Kubernetes and Consul (consul/world_kube.h), or the simulated cluster of the
 * tests. What it did is told by events as it happens. It remembers nothing that a run started anew would need.
 */
#ifndef CONSUL_ACT_H
#define CONSUL_ACT_H

#include <stdbool.h>
#include <stdint.h>

#include "consul/crash.h"
#include "consul/plan.h"
#include "consul/remains.h"
#include "consul/snapshot.h"
#include "util/err.h"

/* --------------------------------------------------------------------------------------------- the world */

/*
 * Everything the loop does to the outside. Every function blocks at most for a deadline of its own, and returns -1 with
 * err. An err of a change does not mean that it was not made: ERR_TIMEOUT, ERR_UNREACHABLE, ERR_PROTOCOL and
 * ERR_UNAVAILABLE leave that open. ERR_INTERRUPTED ends the loop.
 */
struct world {
	void *context;

	/* One snapshot, with autopilot's settings; ret_snapshot (SNAPSHOT_INIT) is released by the caller in either case. */
	int (*observe)(void *context, struct snapshot *ret_snapshot, struct err *err);

	/* Still the only one that changes this cluster: renews the claim to that. Called before every look and every change. */
	int (*keep)(void *context, struct err *err);

	/* spec.replicas, if the StatefulSet is still the one that was seen: else ERR_CONFLICT and nothing is changed. */
	int (*set_replicas)(void *context, const struct snapshot *seen, int64_t replicas, struct err *err);

	/* Any step that an agent is told: see consul/tell.h for its errors. */
	int (*tell)(void *context, const struct snapshot *seen, const struct step *step, struct err *err);

	/* bootstrap_expect in the ConfigMap of a cluster that deploy made, if it is still as seen: else ERR_CONFLICT. */
	int (*set_expect)(void *context, const struct snapshot *seen, int64_t expect, struct err *err);

	/* The claim of this name, if it is still the one that was seen: one that has changed or gone is left alone. */
	int (*delete_claim)(void *context, const struct snapshot *seen, const char *name, struct err *err);

	/* The pod of this name, gently, if it is still the one that was seen: one that has changed or gone is left alone. */
	int (*delete_pod)(void *context, const struct snapshot *seen, const char *name, struct err *err);

	/*
	 * Ends the processes of these servers at once, all at the same time, each after its peers.json was put in if it has one: see
	 * consul/crash.h for the errors. Nothing is retried.
	 */
	int (*crash)(void *context, const struct snapshot *seen, struct crash_order *orders, size_t count, struct err *err);

	/* Removes a peers.json that waits in this server's data directory. */
	int (*remove_peers)(void *context, const struct snapshot *seen, const struct crash_order *order, struct err *err);

	/* What is in the servers' data directories: see remains_look (consul/remains.h). */
	int (*inspect)(void *context, const struct snapshot *seen, struct remains *ret_remains, struct err *err);

	/* What Kubernetes' events say of why this server does not come: added to plan->text. May be NULL. */
	int (*explain)(void *context, const struct snapshot *seen, struct plan *plan, struct err *err);

	int64_t (*now_ms)(void *context); /* monotonic */
	int (*sleep)(void *context, int64_t milliseconds, struct err *err);
};

/* ---------------------------------------------------------------------------------------------- events */

enum act_event_kind {
	ACT_STEP,    /* step is about to be done: it is the number-th of this run */
	ACT_DONE,    /* step has its effect, took_ms after it was begun */
	ACT_WAITING, /* for text; told again only when it changes, but at every look on a live screen (again) */
	ACT_NOTE,    /* text: something worth a line, like a conflict or an error that is tried again */
};

struct act_event {
	enum act_event_kind kind;
	const struct step *step; /* ACT_STEP, ACT_DONE */
	int64_t number;
	int64_t took_ms;
	const char *text;
	bool again;              /* ACT_WAITING: the same text as last time */
};

typedef void act_tell(void *context, const struct act_event *event);

/* ----------------------------------------------------------------------------------------------- act */

struct act_options {
	const struct goal *goal;
	int64_t deadline_ms; /* of world->now_ms; for all steps together */
	int64_t step_ms;     /* most that one step's effect is waited for; 0: ACT_STEP_MS, and more if pods stop slowly */
	act_tell *tell;      /* may be NULL */
	void *tell_context;
};

#define ACT_STEP_MS     ((int64_t)3 * 60 * 1000)
#define ACT_INTERVAL_MS ((int64_t)500)       /* between two looks */
/* How long a refusal that may pass, or a failing look, is looked at again; for a step's time once something was begun. */
#define ACT_PATIENCE_MS ((int64_t)20 * 1000)

/*
 * The first look, before anybody is asked anything: one snapshot, from which the goal can be planned. While the plan would be
 * a refusal that may pass it looks again, for ACT_PATIENCE_MS at most; then the snapshot is as good as it gets. options
 * as for act. ret_snapshot (SNAPSHOT_INIT) is released by the caller in either case.
 */
int act_look(const struct world *world, const struct act_options *options, struct snapshot *ret_snapshot,
             struct err *err) __attribute__((warn_unused_result));

/* What a run came to: what it did, and what the cluster looked like when it was last seen. */
struct act_result {
	int64_t steps;             /* that had their effect */
	struct step *pending;      /* begun, effect not seen; NULL: none. Owned */
	struct snapshot last;      /* SNAPSHOT_INIT when nothing was ever seen */
	bool seen;
	char *waiting_for;         /* text of the last wait; NULL. Owned */
};

#define ACT_RESULT_INIT { .last = SNAPSHOT_INIT }

/*
 * 0: the goal is reached. ERR_REFUSED: a rule forbids to go on. ERR_TIMEOUT: a step has no effect, or the whole took too
 * long. ERR_CONFLICT: somebody else changes the replicas. ERR_FAILED and others: a change was refused for good.
 * ERR_INTERRUPTED. Message and hint are for people; the command that goes on from there is the caller's to add.
 * ret_result is released by the caller in either case.
 */
int act(const struct world *world, const struct act_options *options, struct act_result *ret_result, struct err *err)
    __attribute__((warn_unused_result));

void act_result_release(struct act_result *result);

#endif
