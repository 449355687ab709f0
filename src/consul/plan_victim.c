/* How a server goes, for good or to be made anew: see include/consul/plan_parts.h. */
#include <inttypes.h>

#include "consul/plan_parts.h"
#include "consul/tell.h"
#include "consul/value.h"
#include "util/mem.h"

/* A server needs some seconds to leave when it is told to stop; less is no clean leave. */
#define LEAVE_GRACE_S 15

struct victim plan_judge_victim(const struct planning *planning, const struct place *place)
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
	struct victim victim = plan_judge_victim(planning, place);

	if (planning->goal->kind == GOAL_REAP || !victim.voter || !place->live || victim.may_die ||
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

/* Ready is who votes: it may be one of another peer set than those tell who answer. */
static bool refuse_unknown(struct planning *planning, const struct place *place)
{
	plan_refuse(planning, RULE_UNKNOWN, true, place,
	            "%s is ready, is not in raft for the others, and cannot be asked", place->server->name);
	plan_hint_health(planning, "it must be asked first");
	return true;
}

bool plan_takes_away(struct planning *planning, const struct victim *victim, plan_end *end)
{
	const struct place *place = victim->place;
	bool cannot = str_equal(planning->goal->cannot_leave, place->server->name);
	/* One answer that was lost does not make a server dead: it is told to leave, and goes without if that fails. */
	bool silent = place->running && !place->answered && !place->server->pod.deleting;

	if (!place->peer && silent && place->server->pod.ready)
		return refuse_unknown(planning, place);
	if (!place->peer)
		return end(planning, victim, "stops", false);
	if (!victim->live && !silent)
		return victim->may_die ? end(planning, victim, "goes (it does not live)", false)
		                       : refuse_to_kill(planning, victim, "cannot be asked to leave", true);
	if (hands_over(planning, victim))
		return true;
	if (victim->leaves_cleanly && victim->may_die)
		return end(planning, victim, "leaves and stops", true);
	if (!victim->voter && victim->may_die)
		return end(planning, victim, "stops (it does not vote)", false);
	if (!cannot)
		return leave(planning, victim);
	return victim->may_die_now ? end(planning, victim, "stops (it cannot leave)", false)
	                           : refuse_to_kill(planning, victim, "cannot leave", false);
}
