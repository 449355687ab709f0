/* One server more or less, and what comes at the end: see include/consul/plan_parts.h. */
#include <inttypes.h>

#include "consul/observe.h"
#include "consul/plan_parts.h"
#include "util/mem.h"

/* bootstrap_expect of servers that join a cluster: any number that one alone does not reach. */
#define EXPECT_OF_COMERS 3

static bool set_replicas(struct planning *planning, int64_t replicas, const char *server, const char *what,
                         int64_t voters, int64_t live_voters)
{
	const struct place *place = plan_place(&planning->diagnosis, server);
	struct step *step = plan_step(planning, STEP_REPLICAS, server, "replicas %" PRId64 " -> %" PRId64 ": %s %s",
	                              planning->snapshot->set.replicas, replicas, server, what);

	step->number = replicas;
	if (place && place->member && !str_equal(place->member->name, server))
		step->node = xstrdup(place->member->name);
	plan_arithmetic(&step->after, voters, live_voters);
	return true;
}

/* --------------------------------------------------------------------------------------------- up */

/* One that bootstraps alone would lead a cluster of its own before it joins this one. */
static bool settles_expect(struct planning *planning, const char *server)
{
	const struct expect_state *expect = &planning->snapshot->expect;
	struct step *step;

	/* Who may not read it has to know (plan_notes); else it is a matter of looking again. */
	if (!expect->known && err_is_set(&expect->err) && expect->err.kind != ERR_FORBIDDEN)
		return plan_refuse(planning, RULE_UNKNOWN, true, NULL,
		                   "cannot tell whether %s would bootstrap alone: %s", server, expect->err.message);
	if (!expect->known || expect->expect != 1)
		return false;
	if (!expect->can_change) {
		plan_refuse(planning, RULE_AGREEMENT, false, NULL,
		            "%s would start with bootstrap_expect 1, and make a cluster of its own", server);
		planning->plan->hint =
		    xstrdup("set bootstrap_expect to 3 where the servers' configuration or arguments "
		            "have it; a server that has data does not look at it");
		return true;
	}
	step = plan_step(planning, STEP_EXPECT, NULL, "bootstrap_expect 1 -> %d, so that none bootstraps alone",
	                 EXPECT_OF_COMERS);
	step->number = EXPECT_OF_COMERS;
	return true;
}

static bool scales_up(struct planning *planning)
{
	const struct kube_statefulset *set = &planning->snapshot->set;
	int64_t ordinal = set->ordinal_start + set->replicas;
	_cleanup_free_ char *server = xasprintf("%s-%" PRId64, set->name, ordinal);
	struct quorum after = planning->assessment.quorum;

	/* Even if it dies as soon as it votes; only one server alone cannot have that. */
	plan_arithmetic(&after, 1, 0);
	if (after.live_voters < after.quorum && after.voters > 2) {
		plan_refuse(planning, RULE_QUORUM, true, NULL,
		            "with %s there would be %" PRId64 " voters, of which %" PRId64 " live for sure and %" PRId64
		            " are needed",
		            server, after.voters, after.live_voters, after.quorum);
		plan_hint_health(planning, "dead voters must be removed first");
		return true;
	}
	return settles_expect(planning, server) || plan_prepares_claims(planning, ordinal, server) ||
	       set_replicas(planning, set->replicas + 1, server, "joins", 1, 1);
}

/* ------------------------------------------------------------------------------------------- down */

static const struct place *find_victim(const struct planning *planning)
{
	const struct kube_statefulset *set = &planning->snapshot->set;
	const struct diagnosis *diagnosis = &planning->diagnosis;

	FOR_EACH_PLACE (place, diagnosis)
		if (place->server->ordinal == set->ordinal_start + set->replicas - 1)
			return place;
	return NULL;
}

static bool scale_away(struct planning *planning, const struct victim *victim, const char *how, bool with_its_vote)
{
	bool counts = victim->voter && victim->place->live;

	return set_replicas(planning, planning->snapshot->set.replicas - 1, victim->place->server->name, how,
	                    with_its_vote && victim->voter ? -1 : 0, counts ? -1 : 0);
}

static bool scales_down(struct planning *planning)
{
	const struct place *place = find_victim(planning);
	struct victim victim;

	if (!place)
		return plan_wait(planning, NULL, "the server of the highest ordinal is not in the list of pods");
	if (plan_is_unsettled(planning, place) || plan_has_dead_stranger(planning))
		return true;
	victim = plan_judge_victim(planning, place);
	return plan_takes_away(planning, &victim, scale_away);
}

/* -------------------------------------------------------------------------------------- at the end */

static bool sets_min_quorum(struct planning *planning)
{
	const struct autopilot_state *autopilot = &planning->snapshot->autopilot;
	int64_t wanted = planning->goal->replicas / 2 + 1;
	struct step *step;

	if (!autopilot->known || !autopilot->has_min_quorum || autopilot->min_quorum == wanted ||
	    planning->goal->cannot_set_minimum)
		return false;
	step = plan_step(planning, STEP_MIN_QUORUM, NULL, "autopilot's min_quorum %" PRId64 " -> %" PRId64,
	                 autopilot->min_quorum, wanted);
	step->number = wanted;
	step->through = xstrdup_null(plan_through(planning, NULL));
	return true;
}

bool plan_scales(struct planning *planning)
{
	int64_t replicas = planning->snapshot->set.replicas, wanted = planning->goal->replicas;

	if (replicas > wanted)
		return scales_down(planning);
	if (plan_is_unsettled(planning, NULL) || plan_has_dead_stranger(planning))
		return true;
	if (replicas < wanted)
		return scales_up(planning);
	return sets_min_quorum(planning) || plan_deletes_claims(planning);
}
