/*
 * What world.c and world_tell.c share.
 */
#ifndef SIM_WORLD_PARTS_H
#define SIM_WORLD_PARTS_H

#include "world.h"

/* Before a change is made. -1: it is not. */
int world_begin_change(struct sim_world *sim, struct err *err);

/* The change was made; whether the caller hears of it is another matter. */
int world_answer(struct sim_world *sim, struct err *err);

/* It was sent, and nobody knows where it is: it may come about after all. */
void world_send_late(struct sim_world *sim, const struct err *err, struct late_change late);

/* What the rules say of it. */
void world_check_order(struct sim_world *sim, const struct step *step);

int world_tell(void *context, const struct snapshot *seen, const struct step *step, struct err *err);

/* The id of the peer that the step is about, as the leader's set has it. */
int world_peer_id(const struct sim_world *sim, const struct step *step);

#endif
