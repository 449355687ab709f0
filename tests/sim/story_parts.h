/*
 * What story.c and story_rollout.c share.
 */
#ifndef SIM_STORY_PARTS_H
#define SIM_STORY_PARTS_H

#include "rules.h"
#include "story.h"
#include "util/str.h"
#include "world.h"

struct story {
	struct model model;
	struct rules rules;
	struct sim_world sim;
	struct world world;
	struct totals *totals;
	struct strv names; /* of the servers to reap */
	int64_t deadline_ms; /* of the run */
	int victim;        /* of a drill; -1: whoever leads */
	int delays;        /* of a recovery, by a rolling update */
};

/* How a goal is pursued. */
struct pursuit {
	/* One run of the tool, between story_begin_run and story_end_run. */
	int (*run)(struct story *story, const struct goal *goal, struct err *err);

	/* Whether the truth gives a reason for this refusal, or the end of somebody's patience. */
	bool (*is_right)(const struct story *story, const struct err *err);
};

/* Those of scale, reap and rollout. */
extern const struct pursuit story_act;

/* Runs of the tool, with faults, until the goal is reached, or rightly is not. */
void story_pursue(struct story *story, const struct goal *goal, const struct pursuit *pursuit);

void story_begin_run(struct story *story);
void story_end_run(struct story *story, int status, const struct err *err);

/* act, and what must be so when it says that it is done; within a run. */
int story_run_act(struct story *story, const struct goal *goal, struct err *err);

bool story_is_calm(const struct story *story); /* the last fault was so long ago that it cannot show any more */

/* Another template, brought to all servers; or a bad one, and back. */
void story_rollout(struct story *story);

/* A disaster, and what is left goes on. */
void story_recover(struct story *story);

/* A server is crashed, to see what happens. */
void story_drill(struct story *story);

#endif
