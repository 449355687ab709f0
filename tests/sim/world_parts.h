/*
 * What world.c and world_tell.c share.
 */
#ifndef SIM_WORLD_PARTS_H
#define SIM_WORLD_PARTS_H

#include "world.h"

/* The tool was killed, or is now: nothing that it calls has an effect any more. */
bool world_dies(struct sim_world *sim);
int world_interrupted(struct err *err);

/* A call takes a while. */
void world_pass(struct sim_world *sim);

/* This call fails, and how. */
bool world_api_fails(struct sim_world *sim);
int world_api_error(struct sim_world *sim, struct err *err);

/* Before a change is made. -1: it is not. */
int world_begin_change(struct sim_world *sim, struct err *err);

/* The change was made; whether the caller hears of it is another matter. */
int world_answer(struct sim_world *sim, struct err *err);

/* It was sent, and nobody knows where it is: it may come about after all. */
void world_send_late(struct sim_world *sim, const struct err *err, struct late_change late);

/* What the rules say of it. */
void world_check_order(struct sim_world *sim, const struct step *step);

int world_crash(void *context, const struct snapshot *seen, struct crash_order *orders, size_t count, struct err *err);
int world_remove_peers(void *context, const struct snapshot *seen, const struct crash_order *order, struct err *err);
int world_inspect(void *context, const struct snapshot *seen, struct remains *ret_remains, struct err *err);

int world_tell(void *context, const struct snapshot *seen, const struct step *step, struct err *err);

/* The id of the peer that the step is about, as the leader's set has it. */
int world_peer_id(const struct sim_world *sim, const struct step *step);

#endif
