/*
 * What is expected to come by itself: see plan_predict_settled in include/consul/plan.h. What is dead or broken is left
 * as it is: the next plan tells of it.
 */
#include <inttypes.h>

#include "consul/plan.h"
#include "consul/plan_future.h"
#include "consul/value.h"
#include "consul/waiting.h"
#include "util/mem.h"

static bool comes_to_rest(const struct place *place)
{
	struct waiting waiting = WAITING_INIT;
	bool broken;

	if (place->server->pod.deleting)
		return true; /* it is wanted: Kubernetes makes it anew */
	if (place->peer && place->peer->voter)
		return place->live;
	waiting_explain(place->server, place->peer != NULL, false, &waiting);
	broken = waiting.broken;
	waiting_release(&waiting);
	return !broken;
}

/* Told to leave, and in raft still. */
static bool is_leaving(const struct place *place)
{
	const struct member *member = place->member;

	return place->peer && member && (member->status == MEMBER_LEAVING || member->status == MEMBER_LEFT);
}

static void settle_pod(const struct snapshot *snapshot, struct server *server)
{
	struct kube_pod *pod = &server->pod;

	if (!server->has_pod) {
		predicted_pod(snapshot, server);
		return;
	}
	if (pod->deleting) {
		replace_string(&pod->uid, xasprintf("predicted-%s", server->name));
		replace_string(&pod->revision, xstrdup_null(snapshot->set.update_revision));
	}
	if (!pod->ip)
		pod->ip = xasprintf(PREDICTED_NET "%" PRId64, server->ordinal);
	replace_string(&pod->phase, xstrdup("Running"));
	if (!server->container && pod->container_count == 0)
		predicted_container(snapshot, server);
	for (size_t i = 0; i < pod->container_count; i++)
		pod->containers[i].running = pod->containers[i].ready = true;
	pod->deleting = false;
	pod->ready = true;
}

/* A voter, and alive for gossip, whatever it has been. */
static void settle_vote(struct future *future, const struct place *place)
{
	if (!place->peer) {
		if (place->member)
			future_drop_member(&future->view, place->member->name);
		future_list_server(place->server, future);
		return;
	}
	for (size_t i = 0; i < future->view.peer_count; i++) {
		struct peer *peer = &future->view.peers[i];

		if (!str_equal(peer->address, place->peer->address))
			continue;
		peer->voter = true;
		if (place->member && !str_equal(peer->address, future->leader) &&
		    !value_address_is(peer->address, place->member->address))
			replace_string(&peer->address, xasprintf("%s:8300", place->member->address));
	}
	if (place->member)
		future_mark_member(&future->view, place->member->name, MEMBER_ALIVE);
}

/* Its end is sudden where it does not leave by itself. */
static void settle_end(struct future *future, const struct place *place)
{
	const struct view *view = &place->server->view;
	bool voter = place->peer && place->peer->voter;

	if (!voter || is_leaving(place) || (place->live && view->self_known && view->self.leave_on_terminate == 1))
		future_leave(future, place);
	else if (place->member)
		future_mark_member(&future->view, place->member->name, MEMBER_FAILED);
}

/* Who was on his way out, or in. ret_settled: as many as servers. */
static void settle_servers(struct snapshot *snapshot, const struct diagnosis *diagnosis, struct future *future,
                           bool *ret_settled)
{
	const struct kube_statefulset *set = &snapshot->set;

	FOR_EACH_PLACE (place, diagnosis) {
		struct server *server = &snapshot->servers[place - diagnosis->places];

		if (!place->wanted)
			settle_end(future, place);
		else if (is_leaving(place) && server->ordinal == set->ordinal_start + set->replicas - 1)
			future_leave(future, place);
		else if (comes_to_rest(place)) {
			settle_pod(snapshot, server);
			settle_vote(future, place);
			ret_settled[place - diagnosis->places] = true;
		}
	}
	for (size_t i = 0; diagnosis->members_of && i < diagnosis->members_of->view.member_count; i++) {
		const struct member *member = &diagnosis->members_of->view.members[i];

		if (member->is_server && member->status == MEMBER_LEAVING && !diagnosis->member_taken[i])
			future_force_leave(future, member->name);
	}
}

/* One that has just started answers before it is in raft, and hears a leader. */
static void settle_self(const struct future *future, struct server *server)
{
	struct self *self = &server->view.self;

	if (!server->view.self_known)
		future_add_self(future, server);
	else if (self->last_log_index < future->view.self.last_log_index)
		self->last_log_index = future->view.self.last_log_index;
	future_tell(future, server);
}

static void drop_deleted_claims(struct snapshot *snapshot)
{
	for (size_t i = snapshot->claim_count; i-- > 0;)
		if (snapshot->claims[i].deleting)
			predicted_no_claim(snapshot, snapshot->claims[i].name);
}

void plan_predict_settled(struct snapshot *snapshot)
{
	struct diagnosis diagnosis;
	struct assessment assessment = ASSESSMENT_INIT;
	struct future future;
	_cleanup_free_ bool *settled = xcalloc(snapshot->server_count, sizeof(*settled));

	diagnosis_begin(&diagnosis, snapshot, &assessment);
	future_begin(&diagnosis, &future);
	settle_servers(snapshot, &diagnosis, &future, settled);
	diagnosis_release(&diagnosis);
	assessment_release(&assessment);
	for (size_t i = snapshot->server_count; i-- > 0;) {
		struct server *server = &snapshot->servers[i];

		if (settled[i])
			settle_self(&future, server);
		else if (server->ordinal >= 0 && !snapshot_wants_ordinal(snapshot, server->ordinal))
			predicted_no_server(snapshot, server->name);
	}
	drop_deleted_claims(snapshot);
	snapshot->set.observed_generation = snapshot->set.generation;
	future_apply(&future, snapshot);
	future_release(&future);
}
