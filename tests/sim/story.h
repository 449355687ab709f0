/*
 * One seed: a cluster, what is wished of it, and what goes wrong meanwhile.
 */
#ifndef SIM_STORY_H
#define SIM_STORY_H

#include <stdbool.h>
#include <stdint.h>

#define LEADERLESS_MAX 300

/* Sums over all seeds; plain data, since workers hand it over in a pipe. */
struct totals {
	int64_t seeds;
	int64_t violations;  /* seeds that had one */
	int64_t reached;     /* goals */
	int64_t refused;     /* goals that were refused, and rightly so */
	int64_t lost;        /* goals given up, since faults had taken the quorum for good */
	int64_t runs;        /* of the tool */
	int64_t killed;      /* of those */
	int64_t orders;
	int64_t recovered, forced; /* clusters; forced: of those */
	int64_t drills;      /* that came to their end */
	int64_t minutes;     /* of the model's time */

	/* Rollouts without faults, by how long there was no leader, in steps of the model; the last one: or longer. */
	int64_t leaderless[LEADERLESS_MAX];
};

void totals_add(struct totals *to, const struct totals *from);
void totals_add_leaderless(struct totals *totals, int64_t milliseconds);

/* The time that so many of a thousand do not exceed; -1: there was no rollout. */
int64_t totals_leaderless_ms(const struct totals *totals, int permille);

/* True when no rule was violated. */
bool story_run(uint64_t seed, bool verbose, struct totals *totals);

#endif
