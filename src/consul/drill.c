/* See include/consul/drill.h: who may be crashed, and what one look shows of it. The loop is in drill_run.c. */
#include "consul/drill.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "consul/diagnosis.h"
#include "consul/plan_parts.h"
#include "util/mem.h"

static const char *const mark_names[DRILL_MARKS] = {
	[DRILL_DOWN] = "down",
	[DRILL_LEADER_LOST] = "leader-lost",
	[DRILL_NEW_LEADER] = "new-leader",
	[DRILL_RESTARTED] = "restarted",
	[DRILL_ALIVE] = "alive",
	[DRILL_VOTER] = "voter",
	[DRILL_VERDICT] = "verdict",
};

const char *drill_mark_name(enum drill_mark_kind kind)
{
	return mark_names[kind];
}

void drill_release(struct drill *drill)
{
	free(drill->victim);
	free(drill->victim_uid);
	for (size_t i = 0; i < DRILL_MARKS; i++)
		free(drill->marks[i].who);
	*drill = (struct drill)DRILL_INIT;
}

/* ---------------------------------------------------------------------------------- as all others see it */

/* Its own word counts: not every server advertises its pod's address. */
static const char *address_of(const struct server_status *status)
{
	const struct view *view = &status->server->view;
	const char *name = view->self.name ? view->self.name : status->member_entry ? status->member_entry->name : NULL;
	const struct member *own = name ? view_member_by_name(view, name) : NULL;

	return own ? own->address : status->server->pod.ip;
}

static bool is_alive_for_all(const struct snapshot *snapshot, const struct server_status *status)
{
	const char *address = address_of(status);

	for (size_t i = 0; address && i < snapshot->server_count; i++) {
		const struct view *view = &snapshot->servers[i].view;
		const struct member *member = view_member_by_address(view, address);

		if (!view->members_known || !member || !member->is_server || member->status != MEMBER_ALIVE)
			return false;
	}
	return address != NULL;
}

static bool is_voter_for_all(const struct snapshot *snapshot, const struct server_status *status)
{
	const char *address = address_of(status);

	for (size_t i = 0; address && i < snapshot->server_count; i++) {
		const struct view *view = &snapshot->servers[i].view;
		const struct peer *peer = view_peer_by_ip(view, address);

		if (!view->peers_known || !peer || !peer->voter)
			return false;
	}
	return address != NULL;
}

/* -------------------------------------------------------------------------------------- who may be crashed */

static bool refuse_victim(struct planning *planning, const char *pod)
{
	const struct assessment *assessment = &planning->assessment;
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;

	FOR_EACH_PLACE (place, &planning->diagnosis)
		strv_add(&names, place->server->name);
	list = list_names(&names);
	if (pod)
		plan_refuse(planning, RULE_NONE, false, NULL, "there is no server %s", pod);
	else
		plan_refuse(planning, RULE_NONE, false, NULL, "the leader, %s, is no pod of this StatefulSet",
		            assessment->leader_name ? assessment->leader_name : "?");
	planning->plan->hint = xasprintf("choose one with --pod: %s", list);
	return true;
}

/* Rule 1: what is left without it. */
static bool refuse_loss(struct planning *planning, const struct place *victim)
{
	const struct quorum *quorum = &planning->assessment.quorum;
	const struct server *leader = planning->assessment.leader;
	bool voter = victim->peer && victim->peer->voter && victim->live, leads;
	struct quorum after = *quorum;

	plan_arithmetic(&after, 0, voter ? -1 : 0);
	if (after.live_voters >= after.quorum)
		return false;
	leads = leader && leader == victim->server;
	if (quorum->voters == 1)
		plan_refuse(planning, RULE_QUORUM, false, victim, "%s is the only voter", victim->server->name);
	else
		plan_refuse(planning, RULE_QUORUM, quorum->live_voters < quorum->voters, victim,
		            "%s%s, and without it %" PRId64 " of %" PRId64
		            " voters would be left, fewer than the quorum of %" PRId64,
		            victim->server->name, leads ? " leads" : " votes", after.live_voters, after.voters,
		            after.quorum);
	if (quorum->live_voters < quorum->voters)
		plan_hint_health(planning, "every server must be well first");
	else
		planning->plan->hint = xasprintf(
		    "a cluster that tolerates a failure has at least 3 servers: kubectl consul scale %d -n %s%s",
		    quorum->voters < 3 ? 3 : 5, planning->diagnosis.namespace_word, planning->diagnosis.name_option);
	return true;
}

/* One that some do not have as alive: it would not be seen when it is back. */
static bool refuse_disagreement(struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	FOR_EACH_PLACE (place, diagnosis) {
		const struct server_status *status = &planning->assessment.servers[place - diagnosis->places];

		if (is_alive_for_all(planning->snapshot, status))
			continue;
		plan_refuse(planning, RULE_AGREEMENT, true, place, "not every server has %s as alive",
		            place->server->name);
		plan_hint_health(planning, "the servers must agree first");
		return true;
	}
	return false;
}

static bool forbids(struct planning *planning, const char *pod, const char **ret_pod)
{
	const struct server *leader;
	const struct place *victim;

	if (plan_distrusts(planning))
		return true;
	leader = planning->assessment.leader;
	victim = plan_place(&planning->diagnosis, pod ? pod : leader ? leader->name : NULL);
	if (!victim)
		return refuse_victim(planning, pod);
	if (refuse_loss(planning, victim) || plan_is_moving(planning) || plan_is_unsettled(planning, NULL) ||
	    refuse_disagreement(planning))
		return true;
	*ret_pod = victim->server->name;
	return false;
}

/* Whatever the cluster is about to become comes by itself, and is no time for a crash. */
static void refuse_to_wait(struct planning *planning)
{
	planning->plan->kind = PLAN_REFUSE;
	planning->plan->rule = RULE_ONE_CHANGE;
	planning->plan->may_pass = true;
	plan_hint_health(planning, "every server must be well first");
}

void drill_check(const struct snapshot *snapshot, const char *pod, const char **ret_pod, struct plan *ret_plan)
{
	/* As if there were something to reap: nobody is told anything, whoever is on his way out is waited for. */
	static const struct goal goal = { .kind = GOAL_REAP, .cannot_join = true };
	struct planning planning = { .snapshot = snapshot, .goal = &goal, .plan = ret_plan };

	*ret_pod = NULL;
	*ret_plan = (struct plan)PLAN_INIT;
	diagnosis_begin(&planning.diagnosis, snapshot, &planning.assessment);
	if (!forbids(&planning, pod, ret_pod))
		ret_plan->kind = PLAN_DONE;
	else if (ret_plan->kind == PLAN_WAIT)
		refuse_to_wait(&planning);
	assert(ret_plan->kind == PLAN_DONE || ret_plan->kind == PLAN_REFUSE);
	diagnosis_release(&planning.diagnosis);
	assessment_release(&planning.assessment);
}

void drill_begin(const struct snapshot *snapshot, const char *pod, struct drill *ret_drill)
{
	const struct server *victim = snapshot_server_by_name(snapshot, pod);
	struct assessment assessment = ASSESSMENT_INIT;

	assert(victim);
	assess(snapshot, &assessment);
	*ret_drill = (struct drill){
		.victim = xstrdup(pod),
		.victim_uid = xstrdup_null(victim->pod.uid),
		.led = victim == assessment.leader,
		.restarts = victim->container ? victim->container->restarts : 0,
		.before = assessment.verdict,
	};
	for (size_t i = 0; i < snapshot->server_count; i++)
		if (snapshot->servers[i].view.self.term > ret_drill->term)
			ret_drill->term = snapshot->servers[i].view.self.term;
	for (size_t i = 0; i < DRILL_MARKS; i++)
		ret_drill->marks[i].expected = ret_drill->led || (i != DRILL_LEADER_LOST && i != DRILL_NEW_LEADER);
	assessment_release(&assessment);
}

/* --------------------------------------------------------------------------------------- what a look shows */

/* One look: what it shows, whether it was seen before or not. */
struct sight {
	struct drill *drill;
	const struct snapshot *snapshot;
	const struct server *victim; /* NULL: nobody has a place of that name any more */
	const struct server_status *status;
	struct assessment assessment;
	bool shows[DRILL_MARKS];
	bool unseen[DRILL_MARKS]; /* and that it must have happened before */
};

static bool has_happened(const struct sight *sight, enum drill_mark_kind kind)
{
	return sight->drill->marks[kind].happened || sight->shows[kind];
}

/* For Kubernetes it is another container than before, or another pod. */
static bool is_another(const struct sight *sight)
{
	const struct server *victim = sight->victim;
	const struct drill *drill = sight->drill;

	if (!victim || !victim->has_pod)
		return false;
	if (!str_equal(victim->pod.uid, drill->victim_uid))
		return true;
	return victim->container && victim->container->restarts > drill->restarts;
}

static bool is_running(const struct server *server)
{
	return server && server->has_pod &&
	       (server->container ? server->container->running : str_equal(server->pod.phase, "Running"));
}

/* Kubernetes hears of it later than who asks the server. */
static void see_victim(struct sight *sight)
{
	bool stopped = !is_running(sight->victim), another = is_another(sight);
	bool silent = !sight->victim || !view_answered(&sight->victim->view);
	bool down = stopped || (silent && !sight->drill->in_doubt);

	sight->shows[DRILL_DOWN] = down || another;
	sight->unseen[DRILL_DOWN] = !down;
	sight->shows[DRILL_RESTARTED] =
	    another ? is_running(sight->victim) : sight->drill->marks[DRILL_DOWN].happened && !down;
}

/*
 * A server that follows somebody in the term of before follows the leader of before. The new one is not there yet while
 * a survivor cannot be asked.
 */
static void see_leader(struct sight *sight)
{
	const struct snapshot *snapshot = sight->snapshot;
	const char *named = NULL;
	bool lost = true, agree = true;
	size_t told = 0;

	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct self *self = &snapshot->servers[i].view.self;
		bool follows = self->leader_address && self->term > sight->drill->term;

		if (&snapshot->servers[i] == sight->victim)
			continue;
		told += snapshot->servers[i].view.self_known;
		lost &= !self->leader_address || follows;
		agree &= follows && (!named || str_equal(named, self->leader_address));
		named = self->leader_address;
	}
	sight->shows[DRILL_NEW_LEADER] = told > 0 && agree && sight->assessment.leader_name;
	sight->shows[DRILL_LEADER_LOST] = told > 0 && lost;
	sight->unseen[DRILL_LEADER_LOST] = sight->shows[DRILL_NEW_LEADER];
}

static bool all_answer(const struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->server_count; i++)
		if (!view_answered(&snapshot->servers[i].view))
			return false;
	return true;
}

static bool keeps_up(const struct server_status *status)
{
	return status->server->view.self.leader_address && status->lag_known && status->lag <= LAG_MAX_ENTRIES;
}

static void see_return(struct sight *sight)
{
	const struct drill *drill = sight->drill;
	const struct assessment *assessment = &sight->assessment;
	bool led_by_another = !drill->led || has_happened(sight, DRILL_NEW_LEADER);

	sight->shows[DRILL_ALIVE] = has_happened(sight, DRILL_RESTARTED) && all_answer(sight->snapshot) &&
	                            is_alive_for_all(sight->snapshot, sight->status);
	sight->shows[DRILL_VOTER] = sight->shows[DRILL_ALIVE] && led_by_another && assessment->leader_name &&
	                            is_voter_for_all(sight->snapshot, sight->status) && keeps_up(sight->status);
	sight->shows[DRILL_VERDICT] = sight->shows[DRILL_VOTER] && assessment->verdict <= drill->before &&
	                              sight->victim->pod.ready && (is_another(sight) || !sight->victim->container);
}

static const char *who_is(const struct sight *sight, enum drill_mark_kind kind)
{
	if (kind == DRILL_NEW_LEADER)
		return sight->assessment.leader_name;
	return kind == DRILL_VERDICT ? verdict_name(sight->assessment.verdict) : NULL;
}

unsigned drill_take(struct drill *drill, const struct snapshot *snapshot, int64_t since_ms)
{
	struct sight sight = { .drill = drill, .snapshot = snapshot, .assessment = ASSESSMENT_INIT };
	bool was_in_doubt = drill->in_doubt;
	unsigned marks = 0;

	assess(snapshot, &sight.assessment);
	sight.victim = snapshot_server_by_name(snapshot, drill->victim);
	if (sight.victim)
		sight.status = &sight.assessment.servers[sight.victim - snapshot->servers];
	see_victim(&sight);
	see_leader(&sight);
	if (sight.victim)
		see_return(&sight);
	drill->in_doubt &= !sight.shows[DRILL_DOWN];
	for (size_t i = 0; i < DRILL_MARKS; i++) {
		struct drill_mark *mark = &drill->marks[i];

		if (!mark->expected || mark->happened || !sight.shows[i] || drill->in_doubt)
			continue;
		*mark = (struct drill_mark){
			.expected = true, .happened = true, .unseen = sight.unseen[i] || was_in_doubt, .at_ms = since_ms
		};
		mark->who = xstrdup_null(who_is(&sight, (enum drill_mark_kind)i));
		marks |= 1U << i;
	}
	drill->looks++;
	if (since_ms - drill->since_ms > drill->longest_look_ms)
		drill->longest_look_ms = since_ms - drill->since_ms;
	drill->since_ms = since_ms;
	assessment_release(&sight.assessment);
	return marks;
}

bool drill_is_over(const struct drill *drill)
{
	for (size_t i = 0; i < DRILL_MARKS; i++)
		if (drill->marks[i].expected && !drill->marks[i].happened)
			return false;
	return true;
}

/* ------------------------------------------------------------------------------------------------- words */

char *drill_mark_text(const struct drill *drill, enum drill_mark_kind kind)
{
	const char *unseen = drill->marks[kind].unseen ? " (at the latest)" : "";
	const char *who = drill->marks[kind].who ? drill->marks[kind].who : "?";

	switch (kind) {
	case DRILL_DOWN:
		return xasprintf("%s is down%s", drill->victim, unseen);
	case DRILL_LEADER_LOST:
		return xasprintf("nobody follows %s any more%s", drill->victim, unseen);
	case DRILL_NEW_LEADER:
		return xasprintf("new leader %s", who);
	case DRILL_RESTARTED:
		return xasprintf("%s runs again", drill->victim);
	case DRILL_ALIVE:
		return xasprintf("%s is alive again on every view", drill->victim);
	case DRILL_VOTER:
		return xasprintf("%s is a voter again on every view", drill->victim);
	case DRILL_VERDICT:
		break;
	}
	return xasprintf("verdict %s, %s is ready", who, drill->victim);
}

static char *missing_text(const struct drill *drill, enum drill_mark_kind kind)
{
	switch (kind) {
	case DRILL_DOWN:
		return xasprintf("%s goes down", drill->victim);
	case DRILL_LEADER_LOST:
		return xstrdup("the others notice that their leader is gone");
	case DRILL_NEW_LEADER:
		return xstrdup("the others agree on a new leader");
	case DRILL_RESTARTED:
		return xasprintf("%s runs again", drill->victim);
	case DRILL_ALIVE:
		return xasprintf("every server answers and has %s as alive", drill->victim);
	case DRILL_VOTER:
		return xasprintf("%s is a voter again", drill->victim);
	case DRILL_VERDICT:
		break;
	}
	return xasprintf("%s is ready and the verdict %s again", drill->victim, verdict_name(drill->before));
}

void drill_list_missing(const struct drill *drill, struct strv *list)
{
	for (size_t i = 0; i < DRILL_MARKS; i++)
		if (drill->marks[i].expected && !drill->marks[i].happened)
			strv_take(list, missing_text(drill, (enum drill_mark_kind)i));
}
