/* Whether a snapshot can be built on, and whether the cluster is at rest: see include/consul/plan_parts.h. */
#include <inttypes.h>

#include "consul/deploy.h"
#include "consul/plan_parts.h"
#include "consul/value.h"
#include "consul/waiting.h"
#include "util/mem.h"

/* ------------------------------------------------------------------------------------- agreement */

static const struct peer *peer_at(const struct view *view, const char *address)
{
	for (size_t i = 0; i < view->peer_count; i++)
		if (str_equal(view->peers[i].address, address))
			return &view->peers[i];
	return NULL;
}

/* The same peers with the same votes. */
static bool same_peers(const struct view *a, const struct view *b)
{
	if (a->peers == b->peers)
		return true;
	if (a->peer_count != b->peer_count)
		return false;
	for (size_t i = 0; i < a->peer_count; i++) {
		const struct peer *other = peer_at(b, a->peers[i].address);

		if (!other || other->voter != a->peers[i].voter)
			return false;
	}
	return true;
}

/* A voter whose peer set is not the one that counts. Those that only come have a wait of their own. */
static const struct place *find_dissenter(const struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	FOR_EACH_PLACE (place, diagnosis) {
		const struct view *view = &place->server->view;

		if (place->live && place->peer && place->peer->voter && view->peers_known &&
		    !same_peers(view, &diagnosis->peers_of->view))
			return place;
	}
	return NULL;
}

/* A server that made a cluster of its own, or was part of another: what it holds is not this cluster's. */
static bool refuse_stranger(struct planning *planning, const struct place *stranger)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;
	const struct kube_statefulset *set = &planning->snapshot->set;
	int64_t below = stranger->server->ordinal - set->ordinal_start;

	plan_refuse(planning, RULE_AGREEMENT, false, stranger,
	            "%s is of another cluster: its raft peers are none of %s's", stranger->server->name,
	            diagnosis->peers_of->name);
	if (below == set->replicas - 1)
		planning->plan->hint =
		    xasprintf("if nothing that it holds is needed: kubectl scale statefulset %s -n %s "
		              "--replicas=%" PRId64 ", and delete its claim",
		              diagnosis->set_word, diagnosis->namespace_word, below);
	else
		plan_hint_health(planning, "find out how that came about");
	return true;
}

/* Servers that run and could not be asked: how many, why the first could not, and whether it may pass. */
struct silence {
	int64_t count;
	const struct err *err;
	bool may_pass;
};

static struct silence find_silence(const struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;
	struct silence silence = { 0 };

	FOR_EACH_PLACE (place, diagnosis) {
		const struct err *err = view_first_err(&place->server->view);

		if (place->answered || !place->running)
			continue;
		silence.count++;
		if (!silence.err)
			silence.err = err;
		silence.may_pass |= !err || err->kind != ERR_FORBIDDEN;
	}
	silence.may_pass |= silence.count == 0;
	return silence;
}

static bool refuse_silence(struct planning *planning, const struct silence *silence, const char *what)
{
	const char *why = silence->err && silence->err->message ? silence->err->message : NULL;

	plan_refuse(planning, RULE_UNKNOWN, silence->may_pass, NULL, "%s%s%s", what, why ? ": " : "", why ? why : "");
	plan_hint_health(planning, "they must be asked first");
	return true;
}

/* Fewer voters live, for all that can be seen from here, than are needed. */
static bool refuse_lost_quorum(struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;
	const struct quorum *quorum = &planning->assessment.quorum;
	struct silence silence = find_silence(planning);
	_cleanup_free_ char *text =
	    xasprintf("%" PRId64 " of %" PRId64 " voters are known to live, %" PRId64 " are needed",
	              quorum->live_voters, quorum->voters, quorum->quorum);
	int64_t others = 0;

	for (size_t i = 0; i < diagnosis->peers_of->view.peer_count; i++)
		others += diagnosis->peers_of->view.peers[i].voter && !diagnosis->peer_taken[i];
	if (others > 0)
		replace_string(&text,
		               xasprintf("%s; %" PRId64 " of them %s no pod of this StatefulSet and count%s as dead",
		                         text, others, others == 1 ? "is" : "are", others == 1 ? "s" : ""));
	if (silence.count > 0) {
		replace_string(&text, xasprintf("%s; %" PRId64 " cannot be asked", text, silence.count));
		return refuse_silence(planning, &silence, text);
	}
	plan_refuse(planning, RULE_QUORUM, true, NULL, "%s", text);
	plan_hint_health(planning, "the quorum must be there first");
	return true;
}

static bool has_no_leader(struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;
	const struct quorum *quorum = &planning->assessment.quorum;
	const struct place *stranger = diagnosis_find_stranger(diagnosis);

	if (stranger)
		return refuse_stranger(planning, stranger);
	if (quorum->known && quorum->live_voters < quorum->quorum)
		return refuse_lost_quorum(planning);
	if (!diagnosis->leaders_disagree && diagnosis->leader_address)
		return false;
	plan_refuse(planning, RULE_AGREEMENT, true, NULL,
	            diagnosis->leaders_disagree ? "the servers do not name the same leader"
	                                        : "there is no leader all servers agree on");
	plan_hint_health(planning, "the servers must agree first");
	return true;
}

static bool knows_too_little(struct planning *planning)
{
	struct silence silence = find_silence(planning);

	if (planning->diagnosis.answered == 0)
		return refuse_silence(planning, &silence, "no server answers");
	if (has_no_leader(planning))
		return true;
	if (!planning->assessment.quorum.known)
		return refuse_silence(planning, &silence, "no server tells who votes");
	return !planning->diagnosis.members_of && refuse_silence(planning, &silence, "no server tells its members");
}

bool plan_distrusts(struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;
	const struct place *dissenter;

	if (planning->snapshot->set.replicas == 0 && planning->snapshot->server_count == 0) {
		plan_refuse(planning, RULE_AGREEMENT, false, NULL,
		            "the StatefulSet is scaled to 0: nobody can be asked");
		planning->plan->hint = xasprintf("kubectl scale statefulset %s -n %s --replicas=N, with the N it had, "
		                                 "brings all of them back at once",
		                                 diagnosis->set_word, diagnosis->namespace_word);
		return true;
	}
	if (knows_too_little(planning))
		return true;
	dissenter = find_dissenter(planning);
	if (!dissenter)
		return false;
	plan_refuse(planning, RULE_AGREEMENT, true, dissenter, "%s and %s do not have the same raft peers",
	            dissenter->server->name, diagnosis->peers_of->name);
	plan_hint_health(planning, "the servers must agree first");
	return true;
}

/* -------------------------------------------------------------------------------------- movement */

/* What it cannot do (a quota, an admission controller) it has not taken up either: the pod that is missing tells more.
 */
static bool has_not_begun(struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;
	const struct kube_statefulset *set = &planning->snapshot->set;

	if (set->observed_generation >= set->generation)
		return false;
	FOR_EACH_PLACE (place, diagnosis)
		if (place->wanted && !place->server->has_pod && !(place->peer && place->peer->voter))
			return plan_wait_for(planning, place);
	return plan_wait(planning, NULL, "Kubernetes has not taken up the last change yet");
}

/* With OrderedReady Kubernetes stops a pod only while all below it are ready. */
static bool wait_to_be_stopped(struct planning *planning, const struct place *place)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	FOR_EACH_PLACE (below, diagnosis)
		if (!str_equal(planning->snapshot->set.pod_management, "Parallel") && below->wanted &&
		    !below->server->pod.ready)
			return plan_wait(planning, below, "%s: to be stopped when %s is ready (OrderedReady)",
			                 place->server->name, below->server->name);
	return plan_wait(planning, place, "%s: to be stopped", place->server->name);
}

/*
 * Rollout: one of those below that keep Kubernetes from stopping a pod (OrderedReady) is old and no live voter. It may
 * never be ready as it is, so that it is to be replaced first.
 */
static bool is_held_up_by_old(const struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	if (planning->goal->kind != GOAL_ROLLOUT || str_equal(planning->snapshot->set.pod_management, "Parallel"))
		return false;
	FOR_EACH_PLACE (below, diagnosis)
		if (below->wanted && !below->server->pod.ready &&
		    snapshot_has_old_pod(planning->snapshot, below->server) &&
		    !(below->live && below->peer && below->peer->voter))
			return true;
	return false;
}

bool plan_is_moving(struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	FOR_EACH_PLACE (place, diagnosis)
		if (!place->wanted && place->server->pod.deleting && plan_saves_quorum(planning, place))
			return true;
	FOR_EACH_PLACE (place, diagnosis) {
		if (place->wanted || !place->server->has_pod)
			continue;
		if (place->server->pod.deleting)
			return plan_wait_for(planning, place);
		if (!is_held_up_by_old(planning))
			return wait_to_be_stopped(planning, place);
	}
	return has_not_begun(planning);
}

/* ----------------------------------------------------------------------------------------- servers */

/* The servers that deploy replaces itself, where it was stopped: their pods would come back as something else. */
static bool refuse_unfinished(struct planning *planning, const struct place *place)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	plan_refuse(planning, RULE_ONE_CHANGE, false, place, "a deploy is unfinished: %s is still to be replaced",
	            place->server->name);
	planning->plan->hint = xasprintf("kubectl consul deploy -n %s%s goes on with it", diagnosis->namespace_word,
	                                 diagnosis->name_option);
	return true;
}

/* Kubernetes replaces the pods of an old template, one after the other: a change of its own. */
static bool is_rolling(struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;
	const struct kube_statefulset *set = &planning->snapshot->set;

	if (planning->goal->kind == GOAL_ROLLOUT)
		return false;
	FOR_EACH_PLACE (place, diagnosis) {
		if (place->wanted && snapshot_has_old_pod(planning->snapshot, place->server) &&
		    str_equal(set->update_strategy, "OnDelete") && str_equal(set->managed_by, MANIFEST_MANAGED_BY))
			return refuse_unfinished(planning, place);
		if (!place->wanted || !place->server->has_pod || deploy_is_newest(set, &place->server->pod))
			continue;
		plan_refuse(planning, RULE_ONE_CHANGE, false, place,
		            "a rolling update is under way: %s is still to be replaced", place->server->name);
		planning->plan->hint = xasprintf("kubectl rollout status statefulset/%s -n %s waits for it",
		                                 diagnosis->set_word, diagnosis->namespace_word);
		return true;
	}
	return false;
}

/* A voter that does not live: what the next failure does is not ours to risk. */
static bool refuse_dead(struct planning *planning, const struct place *place)
{
	struct waiting waiting = WAITING_INIT;
	const struct err *err = view_first_err(&place->server->view);

	if (place->running && !place->answered) {
		plan_refuse(planning, RULE_UNKNOWN, true, place, "%s is a voter and cannot be asked%s%s",
		            place->server->name, err ? ": " : "", err ? err->message : "");
	} else if (place->running && !place->server->pod.deleting) {
		plan_refuse(planning, RULE_QUORUM, true, place, "%s is a voter and hears no leader",
		            place->server->name);
	} else {
		waiting_explain(place->server, true, true, &waiting);
		plan_refuse(planning, RULE_QUORUM, true, place, "%s is a voter and does not live: %s",
		            place->server->name, waiting.reason);
		waiting_release(&waiting);
	}
	plan_hint_health(planning, "every server that stays must be well first");
	return true;
}

/* Some plane of it is unknown although it answers. */
static bool is_half_known(struct planning *planning, const struct place *place)
{
	const struct view *view = &place->server->view;
	const struct err *err = view_first_err(view);

	if (view->members_known && view->peers_known && view->self_known)
		return false;
	plan_refuse(planning, RULE_UNKNOWN, true, place, "%s does not tell everything%s%s", place->server->name,
	            err ? ": " : "", err ? err->message : "");
	return true;
}

/*
 * A server whose pod was made anew hears the leader under its new address while raft still votes for the old one: the
 * leader is about to remove it and to add it as a non-voter. (Its own address a leader does not correct while there are
 * fewer than three peers, and cannot while it alone votes.) What counts is the address that the server itself
 * advertises.
 */
static bool has_former_address(const struct planning *planning, const struct place *place)
{
	const struct member *own = view_member_by_name(&place->server->view, place->member->name);

	if (place->server == planning->assessment.leader &&
	    (planning->diagnosis.peers_of->view.peer_count < 3 || planning->assessment.quorum.voters < 2))
		return false;
	return !own || !value_address_is(place->peer->address, own->address) ||
	       !value_address_is(place->peer->address, place->member->address);
}

/* A server that stays, and whose own list has the member as failed: the leader may have noticed that it is back before.
 */
static const struct server *find_doubter(const struct planning *planning, const struct member *member)
{
	FOR_EACH_PLACE (place, &planning->diagnosis) {
		const struct member *seen = place->wanted && place->live && place->server->view.members_known
		                                ? view_member_by_name(&place->server->view, member->name)
		                                : NULL;

		if (seen && seen->status == MEMBER_FAILED)
			return place->server;
	}
	return NULL;
}

/* A live voter: whether it is a stable one, for all to see. */
static bool is_unstable(struct planning *planning, const struct place *place)
{
	const struct server_status *status = &planning->assessment.servers[place - planning->diagnosis.places];
	const char *name = place->server->name;
	const struct server *doubter;
	const struct member *own;

	if (!place->member || place->member->status != MEMBER_ALIVE)
		return plan_wait(planning, place, "%s: a voter, but for gossip it is %s", name,
		                 member_status_name(status->member));
	/* It is the first to know that it leaves. */
	own = view_member_by_name(&place->server->view, place->member->name);
	if (own && own->status != MEMBER_ALIVE)
		return plan_wait(planning, place, "%s: a voter, but for itself it is %s", name,
		                 member_status_name(own->status));
	doubter = find_doubter(planning, place->member);
	if (doubter)
		return plan_wait(planning, place, "%s: a voter, but %s sees it as failed", name, doubter->name);
	if (has_former_address(planning, place))
		return plan_wait(planning, place, "%s: raft still has it under its former address, %s", name,
		                 place->peer->address);
	if (!place->server->view.self.leader_address)
		return plan_wait(planning, place, "%s: a voter, but knows no leader", name);
	if (status->lag_known && status->lag > LAG_MAX_ENTRIES)
		return plan_wait(planning, place, "%s: a voter, %" PRIu64 " log entries behind", name, status->lag);
	if (!place->server->pod.ready)
		return plan_wait_for(planning, place);
	return false;
}

/* Somebody believes that it has left: it tells all of them that it is there. */
static bool joins_again(struct planning *planning, const struct place *place)
{
	const struct server *believer = place_goodbye_at(&planning->diagnosis, place);
	const struct server *to = planning->assessment.leader;
	struct step *step;

	if (to == place->server)
		to = believer;
	if (!believer || planning->goal->cannot_join || !to || !to->pod.ip)
		return false;
	if (!place_has_settled(&planning->diagnosis, place))
		return plan_wait(planning, place, "%s: %s believes that it has left", place->server->name,
		                 believer->name);
	step = plan_step(planning, STEP_JOIN, place->server->name, "%s joins once more: %s believes that it has left",
	                 place->server->name, believer->name);
	step->through = xstrdup(place->server->name);
	step->object = xstrdup(to->pod.ip);
	return true;
}

bool plan_is_server_unsettled(struct planning *planning, const struct place *place)
{
	bool voter = place->peer && place->peer->voter;

	if (voter && (!place->live || place->server->pod.deleting))
		return refuse_dead(planning, place);
	if (joins_again(planning, place))
		return true;
	if (!voter && place->answered && place->live && is_half_known(planning, place))
		return true;
	if (!voter)
		return plan_wait_for(planning, place);
	return is_half_known(planning, place) || is_unstable(planning, place);
}

bool plan_is_unsettled(struct planning *planning, const struct place *except)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	FOR_EACH_PLACE (place, diagnosis)
		if (place != except && place->wanted && place->peer && place->peer->voter &&
		    plan_is_server_unsettled(planning, place))
			return true;
	FOR_EACH_PLACE (place, diagnosis)
		if (place != except && place->wanted && plan_is_server_unsettled(planning, place))
			return true;
	return is_rolling(planning);
}
