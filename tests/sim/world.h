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
	bool hides_claims;    /* they cannot be listed */
	int64_t calls;
	int64_t idle_calls;   /* in a row that took no time */
	bool kept;            /* since the last look or change: it is still the only one */
	struct forecast *forecast; /* of the steps; NULL: there is none */
};

void sim_world(struct sim_world *sim, struct model *model, struct rules *rules, struct world *ret_world);

/*
 * What a dry run would show. Where nothing goes wrong, the steps that are then done must be those. (Not how leftovers are
 * removed: that depends on what Consul does itself in time.)
 */
struct forecast {
	struct steps steps;
	size_t next;
};

/* Makes one from a look; false: its end cannot be foreseen. */
bool forecast_make(struct sim_world *sim, const struct world *world, const struct goal *goal, struct forecast *ret);
void forecast_check(struct sim_world *sim, const struct step *step);
void forecast_end(struct sim_world *sim);

/* Events of act, for the trace. */
void sim_tell(void *context, const struct act_event *event);

#endif
