/* One server more or less, and what comes at the end: see include/consul/plan_parts.h. */
#include <inttypes.h>

#include "consul/observe.h"
#include "consul/plan_parts.h"
#include "consul/tell.h"
#include "consul/value.h"
#include "util/mem.h"

/* bootstrap_expect of servers that join a cluster: any number that one alone does not reach. */
#define EXPECT_OF_COMERS 3
/* A server needs some seconds to leave when it is told to stop; less is no clean leave. */
#define LEAVE_GRACE_S 15

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

struct victim {
	const struct place *place;
	bool voter;
	bool live;           /* it can be told to leave, and is heard */
	bool may_die;        /* its sudden death would leave a quorum, even if it became a voter meanwhile */
	bool may_die_now;    /* if it does not become one */
	bool leaves_cleanly; /* on SIGTERM, with time enough */
	bool is_leader;
};

static const struct place *find_victim(const struct planning *planning)
{
	const struct kube_statefulset *set = &planning->snapshot->set;
	const struct diagnosis *diagnosis = &planning->diagnosis;

	FOR_EACH_PLACE (place, diagnosis)
		if (place->server->ordinal == set->ordinal_start + set->replicas - 1)
			return place;
	return NULL;
}

static struct victim judge_victim(const struct planning *planning, const struct place *place)
{
	const struct quorum *quorum = &planning->assessment.quorum;
	const struct self *self = &place->server->view.self;
	struct victim victim = { .place = place, .voter = place->peer && place->peer->voter };
	int64_t survivors;

	victim.live = place->live && !place->server->pod.deleting;
	victim.is_leader = place->server == planning->assessment.leader;
	survivors = quorum->live_voters - (victim.voter && place->live);
	victim.may_die_now = survivors >= quorum->quorum;
	/* One without a vote may get it at any time. What is no peer, or does not run, gets none. */
	victim.may_die = victim.may_die_now;
	if (!victim.voter && place->peer && place->running)
		victim.may_die = survivors >= (quorum->voters + 1) / 2 + 1;
	victim.leaves_cleanly = place->server->view.self_known && self->leave_on_terminate == 1 &&
	                        planning->snapshot->set.grace_seconds >= LEAVE_GRACE_S;
	return victim;
}

/* The survivor that is asked to lead: the lowest ordinal. */
static const char *find_heir(const struct planning *planning, const struct place *except)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	FOR_EACH_PLACE (place, diagnosis)
		if (place != except && place->live && place->peer && place->peer->voter &&
		    !str_is_empty(place->peer->id) && !str_equal(place->peer->id, place->peer->address))
			return place->peer->id;
	return "";
}

static bool hands_over(struct planning *planning, const struct victim *victim)
{
	const char *name = victim->place->server->name;
	const char *version = victim->place->server->view.self.version;
	int64_t minor = version ? value_version_minor(version) : -1;
	struct step *step;

	if (!victim->is_leader || !victim->live || planning->goal->cannot_transfer || minor < TELL_TRANSFER_MINOR ||
	    planning->assessment.quorum.voters < 2)
		return false;
	step = plan_step(planning, STEP_TRANSFER_LEADER, name, "%s hands leadership over", name);
	step->object = xstrdup(find_heir(planning, victim->place));
	step->through = xstrdup(name);
	return true;
}

static bool leave(struct planning *planning, const struct victim *victim)
{
	const char *name = victim->place->server->name;
	struct step *step;

	if (victim->place->member &&
	    (victim->place->member->status == MEMBER_LEAVING || victim->place->member->status == MEMBER_LEFT))
		return plan_wait(planning, victim->place, "%s: leaving", name);
	step = plan_step(planning, STEP_LEAVE, name, "%s leaves Consul%s", name,
	                 victim->is_leader ? ", and leads no more" : "");
	step->through = xstrdup(name);
	step->object =
	    xstrdup(str_is_empty(victim->place->peer->id) ? victim->place->peer->address : victim->place->peer->id);
	plan_arithmetic(&step->after, victim->voter ? -1 : 0, victim->voter && victim->place->live ? -1 : 0);
	return true;
}

bool plan_saves_quorum(struct planning *planning, const struct place *place)
{
	struct victim victim = judge_victim(planning, place);

	if (planning->goal->kind != GOAL_SCALE || !victim.voter || !place->live || victim.may_die ||
	    victim.leaves_cleanly || str_equal(planning->goal->cannot_leave, place->server->name))
		return false;
	return leave(planning, &victim);
}

static bool refuse_to_kill(struct planning *planning, const struct victim *victim, const char *why, bool may_pass)
{
	const struct quorum *quorum = &planning->assessment.quorum;

	plan_refuse(
	    planning, RULE_QUORUM, may_pass, victim->place,
	    "%s %s, and without it %" PRId64 " of %" PRId64 " voters would be fewer than the quorum of %" PRId64,
	    victim->place->server->name, why, quorum->live_voters - victim->voter, quorum->voters, quorum->quorum);
	plan_hint_health(planning, "it must run and be able to leave");
	return true;
}

static bool scale_away(struct planning *planning, const struct victim *victim, const char *how, bool with_its_vote)
{
	bool counts = victim->voter && victim->place->live;

	return set_replicas(planning, planning->snapshot->set.replicas - 1, victim->place->server->name, how,
	                    with_its_vote && victim->voter ? -1 : 0, counts ? -1 : 0);
}

static bool takes_away(struct planning *planning, const struct victim *victim)
{
	const struct place *place = victim->place;
	bool cannot = str_equal(planning->goal->cannot_leave, place->server->name);
	/* One answer that was lost does not make a server dead: it is told to leave, and goes without if that fails. */
	bool silent = place->running && !place->answered && !place->server->pod.deleting;

	if (!place->peer)
		return scale_away(planning, victim, "stops", false);
	if (!victim->live && !silent)
		return victim->may_die ? scale_away(planning, victim, "goes (it does not live)", false)
		                       : refuse_to_kill(planning, victim, "cannot be asked to leave", true);
	if (hands_over(planning, victim))
		return true;
	if (victim->leaves_cleanly && victim->may_die)
		return scale_away(planning, victim, "leaves and stops", true);
	if (!victim->voter && victim->may_die)
		return scale_away(planning, victim, "stops (it does not vote)", false);
	if (!cannot)
		return leave(planning, victim);
	return victim->may_die_now ? scale_away(planning, victim, "stops (it cannot leave)", false)
	                           : refuse_to_kill(planning, victim, "cannot leave", false);
}

static bool scales_down(struct planning *planning)
{
	const struct place *place = find_victim(planning);
	struct victim victim;

	if (!place)
		return plan_wait(planning, NULL, "the server of the highest ordinal is not in the list of pods");
	if (plan_is_unsettled(planning, place) || plan_has_dead_stranger(planning))
		return true;
	victim = judge_victim(planning, place);
	return takes_away(planning, &victim);
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
