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
};

/* Runs of the tool, with faults, until the goal is reached, or rightly is not. */
void story_pursue(struct story *story, const struct goal *goal);

/* Another template, brought to all servers; or a bad one, and back. */
void story_rollout(struct story *story);

#endif
