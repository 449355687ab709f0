/* One server more or less, and what comes at the end: see include/consul/plan_parts.h. */
#include <inttypes.h>

#include "consul/observe.h"
#include "consul/plan_parts.h"
#include "consul/tell.h"
#include "consul/value.h"
#include "util/mem.h"

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

static bool delete_claim(struct planning *planning, const struct kube_claim *claim, const char *server)
{
	_cleanup_free_ char *age = plan_claim_age(planning->snapshot, claim);
	struct step *step =
	    plan_step(planning, STEP_DELETE_CLAIM, server, "delete claim %s (%s old)", claim->name, age);

	step->object = xstrdup(claim->name);
	return true;
}

/* --------------------------------------------------------------------------------------------- up */

/*
 * Kubernetes does not record when a claim was used last. But Consul forgets a server that has left or failed after 72
 * hours (reconnect_timeout): one that it remembers has not been away for longer.
 */
static bool may_be_too_old(const struct planning *planning, const struct kube_claim *claim, const char *server)
{
	return claim->created_at > 0 && planning->snapshot->taken_at - claim->created_at > REJOIN_AGE_MAX_S &&
	       !view_member_by_name(&planning->diagnosis.members_of->view, server);
}

/* Data that lies where a server is to come: wiped, used again, or too old for that. */
static bool refuses_old_data(struct planning *planning)
{
	const struct kube_statefulset *set = &planning->snapshot->set;
	const struct goal *goal = planning->goal;

	if (goal->force || goal->delete_claims)
		return false;
	for (int64_t i = set->replicas; i < goal->replicas; i++) {
		_cleanup_free_ char *server = xasprintf("%s-%" PRId64, set->name, set->ordinal_start + i), *age = NULL;
		const struct kube_claim *claim;

		for (size_t k = 0; (claim = plan_claim(planning->snapshot, set->ordinal_start + i, k)); k++) {
			if (claim->deleting || !may_be_too_old(planning, claim, server))
				continue;
			age = plan_claim_age(planning->snapshot, claim);
			plan_refuse(
			    planning, RULE_OLD_DATA, false, NULL,
			    "claim %s is %s old, and Consul does not remember %s: with the data of a server that was "
			    "away for more than 168 hours it may not start",
			    claim->name, age, server);
			planning->plan->hint =
			    xstrdup("--delete-claims starts it without that data; --force uses it again");
			return true;
		}
	}
	return false;
}

static bool prepares_claims(struct planning *planning, int64_t ordinal, const char *server)
{
	const struct kube_claim *claim;

	for (size_t i = 0; (claim = plan_claim(planning->snapshot, ordinal, i)); i++) {
		if (claim->deleting)
			return plan_wait(planning, NULL, "claim %s: being deleted", claim->name);
		if (planning->goal->delete_claims)
			return delete_claim(planning, claim, server);
	}
	return false;
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
	if (!planning->snapshot->claims_known && planning->goal->delete_claims)
		return plan_refuse(planning, RULE_UNKNOWN, true, NULL, "the claims cannot be listed: %s",
		                   planning->snapshot->claims_err.message ? planning->snapshot->claims_err.message
		                                                          : "unknown");
	return refuses_old_data(planning) || prepares_claims(planning, ordinal, server) ||
	       set_replicas(planning, set->replicas + 1, server, "joins", 1, 1);
}

/* ------------------------------------------------------------------------------------------- down */

struct victim {
	const struct place *place;
	bool voter;
	bool live;           /* it can be told to leave, and is heard */
	bool may_die;        /* its sudden death would leave a quorum */
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
	victim.may_die = survivors >= quorum->quorum;
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
	plan_arithmetic(&step->after, victim->voter ? -1 : 0, victim->voter ? -1 : 0);
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

static bool takes_away(struct planning *planning, const struct victim *victim)
{
	int64_t replicas = planning->snapshot->set.replicas;
	const char *name = victim->place->server->name;
	bool cannot = str_equal(planning->goal->cannot_leave, name);

	if (!victim->place->peer)
		return set_replicas(planning, replicas - 1, name, "stops", 0, 0);
	if (!victim->live)
		return victim->may_die ? set_replicas(planning, replicas - 1, name, "goes (it does not live)", 0,
		                                      victim->voter && victim->place->live ? -1 : 0)
		                       : refuse_to_kill(planning, victim, "cannot be asked to leave", true);
	if (hands_over(planning, victim))
		return true;
	if (victim->leaves_cleanly && victim->may_die)
		return set_replicas(planning, replicas - 1, name, "leaves and stops", victim->voter ? -1 : 0,
		                    victim->voter ? -1 : 0);
	if (!cannot)
		return leave(planning, victim);
	return victim->may_die
	           ? set_replicas(planning, replicas - 1, name, "stops (it cannot leave)", 0, victim->voter ? -1 : 0)
	           : refuse_to_kill(planning, victim, "cannot leave", false);
}

static bool scales_down(struct planning *planning)
{
	const struct place *place = find_victim(planning);
	struct victim victim;

	if (!place)
		return plan_wait(planning, NULL, "the server of the highest ordinal is not in the list of pods");
	if (plan_is_unsettled(planning, place))
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

static bool has_pod(const struct snapshot *snapshot, int64_t ordinal)
{
	for (size_t i = 0; i < snapshot->server_count; i++)
		if (snapshot->servers[i].ordinal == ordinal && snapshot->servers[i].has_pod)
			return true;
	return false;
}

static bool deletes_claims(struct planning *planning)
{
	const struct snapshot *snapshot = planning->snapshot;

	if (!planning->goal->delete_claims)
		return false;
	if (!snapshot->claims_known)
		return plan_refuse(planning, RULE_UNKNOWN, true, NULL, "the claims cannot be listed: %s",
		                   snapshot->claims_err.message ? snapshot->claims_err.message : "unknown");
	for (size_t i = 0; i < snapshot->claim_count; i++) {
		const struct kube_claim *claim = &snapshot->claims[i];
		int64_t ordinal = snapshot_claim_ordinal(snapshot, claim->name);
		_cleanup_free_ char *server = NULL;

		if (ordinal < 0 || plan_is_wanted(snapshot, ordinal) || has_pod(snapshot, ordinal))
			continue;
		if (claim->deleting)
			return plan_wait(planning, NULL, "claim %s: being deleted", claim->name);
		server = xasprintf("%s-%" PRId64, snapshot->set.name, ordinal);
		return delete_claim(planning, claim, server);
	}
	return false;
}

bool plan_scales(struct planning *planning)
{
	int64_t replicas = planning->snapshot->set.replicas, wanted = planning->goal->replicas;

	if (replicas > wanted)
		return scales_down(planning);
	if (plan_is_unsettled(planning, NULL))
		return true;
	if (replicas < wanted)
		return scales_up(planning);
	return sets_min_quorum(planning) || deletes_claims(planning);
}
