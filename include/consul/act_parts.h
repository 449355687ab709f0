/*
 * consul/act_parts.h - what act.c and act_do.c share: one run of the loop. Used by src/consul/act*.c only.
 */
#ifndef CONSUL_ACT_PARTS_H
#define CONSUL_ACT_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "consul/act.h"

/* Times are of the world's clock; CLOCK_NEVER: not. */
struct run {
	const struct world *world;
	const struct act_options *options;
	struct act_result *result;
	struct goal goal;          /* with what the run has learnt */
	char *cannot_leave;        /* owns goal.cannot_leave */
	struct strv gone;          /* what goal.gone points to */
	int64_t looked_ms;         /* when the last look began: what it shows is as old as that */
	char *uid;                 /* of the StatefulSet at the first look */
	int64_t expected_replicas; /* as we saw them last; -1: not known */
	int64_t ordered_replicas;  /* as we set them, or may have: the answer can be lost, and a 409 be to our own change */

	/* the step under way: result->pending */
	int64_t begun_ms;
	int64_t told_ms; /* when it was last told */
	bool conflicted; /* when it was last told, the object had changed: it was not done */
	struct strv noted; /* how telling it failed so far: each is said once */

	/* what is waited for */
	char *subject;
	int64_t since_ms;
	int64_t broken_since_ms;
	int64_t refused_since_ms;
	int64_t blind_since_ms; /* no look has succeeded since */
	int64_t explained_ms;
	char *explained;
	bool explained_broken;

	bool at_once; /* the next look need not wait */
};

int64_t act_now(const struct run *run);
void act_event(const struct run *run, enum act_event_kind kind, const char *text);
void act_wait(struct run *run, const char *text);

/* When the replica of a server is really gone, its node name tells whose is what is left of it. Before each plan. */
void act_note_gone(struct run *run);

/* The pending step has had its effect: the plan goes on. */
void act_finish_step(struct run *run);

/* The same while the plan waits for something else, if the effect shows. */
void act_finish_if_shown(struct run *run);

/*
 * The plan wants this step, whose content is taken: begins it, or, when it is the pending one, waits for its effect,
 * does it again in good time, or gives up after limit_ms.
 */
int act_step(struct run *run, struct step *step, int64_t limit_ms, struct err *err)
    __attribute__((warn_unused_result));

#endif
