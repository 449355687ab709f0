/*
 * The simulated cluster as a world (consul/act.h), with the faults that lie between the tool and the cluster: calls that
 * fail, answers that are lost, and the tool itself that is killed.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "consul/act.h"
#include "model.h"
#include "rules.h"

struct sim_world {
	struct model *model;
	struct rules *rules;
	bool killed;          /* every call of this run is refused */
	bool may_kill;
	int64_t calls;
	int64_t idle_calls;   /* in a row that took no time */
};

void sim_world(struct sim_world *sim, struct model *model, struct rules *rules, struct world *ret_world);

/* Events of act, for the trace. */
void sim_tell(void *context, const struct act_event *event);

#endif
