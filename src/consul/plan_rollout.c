/* Servers of an older revision are made anew, one after the other: see include/consul/plan_parts.h. */
#include <inttypes.h>

#include "consul/plan_parts.h"
#include "consul/waiting.h"
#include "util/mem.h"

/* A container that has ended so often, the last time so lately, and is not ready, will hardly be. */
#define CRASHES_MIN   2
#define CRASHED_AGO_S ((int64_t)5 * 60)

/* ------------------------------------------------------------------------------------------ facts */

static bool is_on_delete(const struct planning *planning)
{
	return str_equal(planning->snapshot->set.update_strategy, "OnDelete");
}

static bool is_old(const struct planning *planning, const struct place *place)
{
	return place->wanted && place->server->ordinal >= 0 && snapshot_has_old_pod(planning->snapshot, place->server);
}

static bool is_live_voter(const struct place *place)
{
	return place->live && place->peer && place->peer->voter;
}

static bool crashes(const struct planning *planning, const struct place *place)
{
	const struct kube_container *container = place->server->container;

	return container && container->restarts >= CRASHES_MIN && !place->server->pod.ready &&
	       planning->snapshot->taken_at - container->last_finished_at < CRASHED_AGO_S;
}

/* Nothing runs in its pod, and not only for a moment: what has ended once is started again by itself, as it was. */
static bool stays_down(const struct place *place)
{
	const struct kube_container *container = place->server->container;

	return !place->running && !(str_equal(place->server->pod.phase, "Running") && container &&
	                            !container->waiting_reason && container->restarts < CRASHES_MIN);
}

/* Nothing runs in its pod, and nothing will. */
static bool is_hopeless(const struct place *place)
{
	struct waiting waiting = WAITING_INIT;
	bool broken;

	waiting_explain(place->server, false, false, &waiting);
	broken = waiting.broken || place->server->pod.unscheduled_message;
	waiting_release(&waiting);
	return broken && stays_down(place) && !place->server->pod.deleting;
}

/* With OrderedReady its pod is not made before one that is to be replaced, and stays down. */
static bool is_held_up(const struct planning *planning, const struct place *place)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	if (place->server->has_pod || str_equal(planning->snapshot->set.pod_management, "Parallel"))
		return false;
	FOR_EACH_PLACE (below, diagnosis)
		if (below->server->ordinal < place->server->ordinal && is_old(planning, below) && stays_down(below))
			return true;
	return false;
}

/* ----------------------------------------------------------------------------------------- replacing */

static bool restart(struct planning *planning, const struct victim *victim, const char *how, bool with_its_vote)
{
	const char *name = victim->place->server->name;
	struct step *step = plan_step(planning, STEP_RESTART, name, "%s is replaced: it %s", name, how);
	bool counts = victim->voter && victim->place->live;

	step->object = xstrdup(name);
	step->uid = xstrdup_null(victim->place->server->pod.uid);
	plan_arithmetic(&step->after, with_its_vote && victim->voter ? -1 : 0, counts ? -1 : 0);
	return true;
}

/* The only server there is: nobody can stand in for it. */
static bool is_alone(const struct planning *planning)
{
	return planning->assessment.quorum.voters <= 1 && planning->snapshot->set.replicas == 1;
}

static bool restart_dead(struct planning *planning, const struct place *place)
{
	struct victim victim = plan_judge_victim(planning, place);

	return restart(planning, &victim, "does not run", false);
}

/* Those that have been replaced are well; what is dead and old is not waited for. */
static bool are_new_ones_unsettled(struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	FOR_EACH_PLACE (place, diagnosis)
		if (place->wanted && !is_old(planning, place) && !is_held_up(planning, place) &&
		    plan_is_server_unsettled(planning, place))
			return true;
	return false;
}

static bool replaces(struct planning *planning, const struct place *place)
{
	struct victim victim;

	if (!place->running)
		return are_new_ones_unsettled(planning) || restart_dead(planning, place);
	if (plan_is_unsettled(planning, place) || plan_has_dead_stranger(planning))
		return true;
	victim = plan_judge_victim(planning, place);
	if (is_alone(planning))
		return restart(planning, &victim, "stops, and nobody can write meanwhile", false);
	return plan_takes_away(planning, &victim, restart);
}

/*
 * First who is no live voter anyway: that costs nothing, and is how a bad template is gone back on. From the lowest
 * ordinal, since with OrderedReady no pod comes while one below it is not ready. Then the followers from the highest,
 * and the leader last: whoever it hands over to is new, and an election is needed once.
 */
static const struct place *find_next(const struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;
	const struct place *leader = NULL, *follower = NULL, *idle = NULL;

	FOR_EACH_PLACE (place, diagnosis) {
		if (!is_old(planning, place))
			continue;
		if (stays_down(place))
			return place;
		if (!idle && !is_live_voter(place))
			idle = place;
		if (place->server == planning->assessment.leader)
			leader = place;
		else
			follower = place;
	}
	return idle ? idle : follower ? follower : leader;
}

/* --------------------------------------------------------------------------------------- in between */

static bool refuse_crashing(struct planning *planning, const struct place *place)
{
	const struct kube_container *container = place->server->container;

	plan_refuse(planning, RULE_ONE_CHANGE, true, place,
	            "%s is not well: its container has ended %" PRId64 " times, the last time with exit code %" PRId64
	            "%s%s",
	            place->server->name, container->restarts, container->last_exit_code,
	            container->last_reason ? ", " : "", container->last_reason ? container->last_reason : "");
	plan_hint_health(planning, "every server must be well before the next is replaced");
	planning->plan->broken = true;
	return true;
}

/* A pod that goes, comes, or cannot come. One that is old is not waited for, but replaced. */
static bool waits_for_pod(struct planning *planning, const struct place *place)
{
	if (is_held_up(planning, place))
		return false;
	if (!place->server->has_pod || place->server->pod.deleting)
		return plan_wait_for(planning, place);
	if (is_old(planning, place))
		return false;
	if (crashes(planning, place))
		return refuse_crashing(planning, place);
	return !place->running && plan_wait_for(planning, place);
}

static bool waits_for_pods(struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	FOR_EACH_PLACE (place, diagnosis)
		if (place->wanted && waits_for_pod(planning, place))
			return true;
	return false;
}

/* A pod that is being deleted, in which a server votes again that the others cannot do without. */
static bool saves_quorum(struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	FOR_EACH_PLACE (place, diagnosis)
		if (place->wanted && place->server->pod.deleting && !is_alone(planning) &&
		    plan_saves_quorum(planning, place))
			return true;
	return false;
}

static const struct place *find_hopeless(const struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;
	const struct kube_statefulset *set = &planning->snapshot->set;

	if (!is_on_delete(planning) || set->observed_generation < set->generation || set->claim_templates.count == 0)
		return NULL;
	FOR_EACH_PLACE (place, diagnosis)
		if (is_old(planning, place) && is_hopeless(place))
			return place;
	return NULL;
}

/*
 * One lost answer, an election (as long as one server names a leader, it may have just been won), or peers that only
 * some have heard of yet, pass; what is to be gone back on does not.
 * Meanwhile the last that was replaced could not be seen to be well, and the next had better not be tried by it, too.
 */
static bool may_be_passing(const struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;
	const struct quorum *quorum = &planning->assessment.quorum;

	FOR_EACH_PLACE (place, diagnosis) {
		const struct view *view = &place->server->view;

		if (place->running && (!view->self_known || view->self.leader_address))
			return true;
	}
	return quorum->known && quorum->live_voters >= quorum->quorum;
}

/*
 * There is no leader, or nobody answers; that may be so because of a template. What comes is waited for, as ever. What
 * ends again and again is replaced: nothing runs in it, and its data is on a claim. Rule 5 has this one exception,
 * since there would be no way back from a template by which none of the servers starts.
 */
static void revive(struct planning *planning)
{
	struct plan distrust = *planning->plan;
	const struct place *hopeless;
	bool decided;

	if (!distrust.may_pass || may_be_passing(planning))
		return;
	*planning->plan = (struct plan)PLAN_INIT;
	decided = waits_for_pods(planning);
	hopeless = decided ? NULL : find_hopeless(planning);
	if (hopeless)
		decided = restart_dead(planning, hopeless);
	if (decided)
		plan_release(&distrust);
	else
		*planning->plan = distrust;
}

/*
 * With OrderedReady Kubernetes, too, replaces no pod while one is not ready, and not even that one by a template that
 * is better: a person has to delete it.
 */
static bool wait_for_update(struct planning *planning, const struct place *next)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;
	const char *name = next->server->name;

	if (str_equal(planning->snapshot->set.pod_management, "Parallel") || !is_hopeless(next))
		return plan_wait(planning, next, "a rolling update is under way: %s is still to be replaced", name);
	plan_refuse(
	    planning, RULE_ONE_CHANGE, true, next,
	    "a rolling update stands still: Kubernetes goes on when %s is ready (OrderedReady), which does not run",
	    name);
	planning->plan->hint = xasprintf("kubectl delete pod %s -n %s has it made anew by the new template", name,
	                                 diagnosis->namespace_word);
	planning->plan->broken = true;
	return true;
}

bool plan_rolls(struct planning *planning)
{
	const struct place *next;

	if (plan_distrusts(planning)) {
		revive(planning);
		return true;
	}
	if (plan_is_moving(planning) || saves_quorum(planning) || waits_for_pods(planning))
		return true;
	next = find_next(planning);
	if (!next)
		return plan_is_unsettled(planning, NULL);
	if (!is_on_delete(planning))
		return wait_for_update(planning, next);
	return replaces(planning, next);
}
