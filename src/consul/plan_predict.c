/*
 * What a step is expected to do: see plan_predict in include/consul/plan.h. Coming to rest by itself: plan_settled.c.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "consul/plan_future.h"
#include "consul/plan_parts.h"
#include "consul/value.h"
#include "util/mem.h"

/* ------------------------------------------------------------------------------------------- steps */

static void elect_by_id(struct future *future, const char *id)
{
	for (size_t i = 0; i < future->view.peer_count; i++) {
		struct peer *peer = &future->view.peers[i];

		peer->leader = str_equal(peer->id, id);
		if (peer->leader)
			replace_string(&future->leader, xstrdup(peer->address));
	}
}

static void add_server(struct snapshot *snapshot, struct future *future)
{
	struct server *server;

	snapshot->servers = xreallocarray(snapshot->servers, snapshot->server_count + 1, sizeof(*snapshot->servers));
	server = &snapshot->servers[snapshot->server_count];
	*server = (struct server){ .ordinal = snapshot->set.ordinal_start + snapshot->set.replicas - 1,
		                   .pod = KUBE_POD_INIT,
		                   .view = VIEW_INIT };
	server->name = xasprintf("%s-%" PRId64, snapshot->set.name, server->ordinal);
	predicted_pod(snapshot, server);
	future_list_server(server, future);
	future_add_self(future, server);
	snapshot->server_count++;
}

/* A server less. By step->after: whether it takes its vote with it, if it has one. */
static void predict_down(struct future *future, const struct step *step, const struct place *place)
{
	if (place && place->peer && (!place->peer->voter || step->after.voters < step->before.voters))
		future_leave(future, place);
	else if (place && place->member && place->member->status == MEMBER_ALIVE)
		future_mark_member(&future->view, place->member->name, place->peer ? MEMBER_FAILED : MEMBER_LEFT);
}

/* Its pod is made anew: what the others knew of it is replaced by what they will know. */
static void predict_end(struct future *future, const struct place *place)
{
	if (place && place->peer)
		future_leave(future, place);
	if (place && place->member)
		future_drop_member(&future->view, place->member->name);
}

static void predict_in_cluster(const struct diagnosis *diagnosis, const struct step *step, struct future *future)
{
	switch (step->kind) {
	case STEP_REPLICAS:
		if (step->number < diagnosis->snapshot->set.replicas)
			predict_down(future, step, plan_place(diagnosis, step->subject));
		break;
	case STEP_TRANSFER_LEADER:
		if (str_is_empty(step->object))
			future_elect(future, diagnosis->leader_address);
		else
			elect_by_id(future, step->object);
		break;
	case STEP_LEAVE:
		future_leave(future, plan_place(diagnosis, step->through));
		break;
	case STEP_FORCE_LEAVE:
		future_force_leave(future, step->object);
		break;
	case STEP_PRUNE:
		future_drop_member(&future->view, step->object);
		break;
	case STEP_REMOVE_PEER:
		future_drop_peer(&future->view, step->object);
		break;
	case STEP_JOIN:
		future_mark_member(&future->view, step->subject, MEMBER_ALIVE);
		break;
	case STEP_RESTART:
		predict_end(future, plan_place(diagnosis, step->object));
		break;
	case STEP_MIN_QUORUM:
	case STEP_DELETE_CLAIM:
	case STEP_EXPECT:
		break;
	}
}

static void predict_replicas(struct snapshot *snapshot, const struct step *step, struct future *future)
{
	bool up = step->number > snapshot->set.replicas;

	snapshot->set.replicas = snapshot->set.status_replicas = snapshot->set.ready_replicas = step->number;
	if (up)
		add_server(snapshot, future);
	else
		predicted_no_server(snapshot, step->subject);
}

static void predict_successor(struct snapshot *snapshot, const struct step *step, struct future *future)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		struct server *server = &snapshot->servers[i];

		if (!str_equal(server->name, step->object))
			continue;
		kube_pod_release(&server->pod);
		view_release(&server->view);
		server->pod = (struct kube_pod)KUBE_POD_INIT;
		server->view = (struct view)VIEW_INIT;
		predicted_pod(snapshot, server);
		future_list_server(server, future);
		if (!future->leader)
			future_elect(future, NULL);
		future_add_self(future, server);
	}
}

/* What the cluster agrees on once the step has had its effect. */
static void look_ahead(const struct snapshot *snapshot, const struct step *step, struct future *ret_future)
{
	struct diagnosis diagnosis;
	struct assessment assessment = ASSESSMENT_INIT;

	diagnosis_begin(&diagnosis, snapshot, &assessment);
	future_begin(&diagnosis, ret_future);
	predict_in_cluster(&diagnosis, step, ret_future);
	diagnosis_release(&diagnosis);
	assessment_release(&assessment);
}

void plan_predict(struct snapshot *snapshot, const struct step *step)
{
	struct future future;

	if (step->kind == STEP_MIN_QUORUM)
		snapshot->autopilot.min_quorum = step->number;
	if (step->kind == STEP_EXPECT)
		snapshot->expect.expect = step->number;
	if (step->kind == STEP_DELETE_CLAIM)
		predicted_no_claim(snapshot, step->object);
	look_ahead(snapshot, step, &future);
	if (step->kind == STEP_REPLICAS)
		predict_replicas(snapshot, step, &future);
	if (step->kind == STEP_RESTART)
		predict_successor(snapshot, step, &future);
	future_apply(&future, snapshot);
	future_release(&future);
}

void plan_predict_template(struct snapshot *snapshot)
{
	replace_string(&snapshot->set.update_strategy, xstrdup("OnDelete"));
	replace_string(&snapshot->set.update_revision, xstrdup("predicted"));
	for (size_t i = 0; i < snapshot->server_count; i++)
		if (snapshot->servers[i].has_pod && !snapshot->servers[i].pod.revision)
			snapshot->servers[i].pod.revision = xstrdup("");
}
