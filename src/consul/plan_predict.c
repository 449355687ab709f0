/*
 * What a step is expected to do: see plan_predict in include/consul/plan.h.
 *
 * The member list and the peer set that count are changed once, and every server that answers gets a copy: after a step
 * that has had its effect all agree.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "consul/plan_parts.h"
#include "consul/value.h"
#include "util/mem.h"

/* RFC 5737: nobody has it. */
#define PREDICTED_NET "192.0.2."

/* ------------------------------------------------------------------------------------- the new truth */

/* The planes that count, as they are to become. Owned. */
struct future {
	struct view view; /* members, peers, and of self what a new server has from the others */
	char *leader;     /* address; NULL: none */
};

static struct member copy_member(const struct member *member)
{
	struct member copy = *member;

	copy.name = xstrdup_null(member->name);
	copy.address = xstrdup_null(member->address);
	copy.id = xstrdup_null(member->id);
	copy.version = xstrdup_null(member->version);
	copy.datacenter = xstrdup_null(member->datacenter);
	return copy;
}

static struct peer copy_peer(const struct peer *peer)
{
	struct peer copy = *peer;

	copy.name = xstrdup_null(peer->name);
	copy.id = xstrdup_null(peer->id);
	copy.address = xstrdup_null(peer->address);
	return copy;
}

static void copy_members(struct view *to, const struct view *from)
{
	view_clear_members(to);
	to->members = xcalloc(from->member_count, sizeof(*to->members));
	for (size_t i = 0; i < from->member_count; i++)
		to->members[to->member_count++] = copy_member(&from->members[i]);
	to->members_known = true;
}

static void copy_peers(struct view *to, const struct view *from)
{
	view_clear_peers(to);
	to->peers = xcalloc(from->peer_count, sizeof(*to->peers));
	for (size_t i = 0; i < from->peer_count; i++)
		to->peers[to->peer_count++] = copy_peer(&from->peers[i]);
	to->peers_known = true;
	to->peers_source = PEERS_RAFT;
}

static void begin_future(const struct diagnosis *diagnosis, struct future *ret_future)
{
	*ret_future = (struct future){ .view = VIEW_INIT, .leader = xstrdup_null(diagnosis->leader_address) };
	if (diagnosis->members_of)
		copy_members(&ret_future->view, &diagnosis->members_of->view);
	if (diagnosis->peers_of) {
		const struct view *like = &diagnosis->peers_of->view;

		copy_peers(&ret_future->view, like);
		ret_future->view.way = like->way;
		ret_future->view.self.version = xstrdup_null(like->self.version);
		ret_future->view.self.term = like->self.term;
		ret_future->view.self.last_log_index = like->self.last_log_index;
		ret_future->view.self.leave_on_terminate = like->self.leave_on_terminate;
	}
}

static void release_future(struct future *future)
{
	view_release(&future->view);
	free(future->leader);
}

static void drop_member(struct view *view, const char *name)
{
	for (size_t i = 0; i < view->member_count; i++) {
		if (!str_equal(view->members[i].name, name))
			continue;
		member_release(&view->members[i]);
		view->members[i] = view->members[--view->member_count];
		return;
	}
}

static void mark_member(struct view *view, const char *name, enum member_status status)
{
	for (size_t i = 0; i < view->member_count; i++)
		if (str_equal(view->members[i].name, name))
			view->members[i].status = status;
}

static void drop_peer(struct view *view, const char *id_or_address)
{
	for (size_t i = 0; i < view->peer_count; i++) {
		if (!str_equal(view->peers[i].id, id_or_address) && !str_equal(view->peers[i].address, id_or_address))
			continue;
		peer_release(&view->peers[i]);
		view->peers[i] = view->peers[--view->peer_count];
		return;
	}
}

/* Who leads when the present leader does not: the first other voter. */
static void elect(struct future *future, const char *not_address)
{
	replace_string(&future->leader, NULL);
	for (size_t i = 0; i < future->view.peer_count; i++) {
		struct peer *peer = &future->view.peers[i];

		peer->leader = !future->leader && peer->voter && !str_equal(peer->address, not_address);
		if (peer->leader)
			future->leader = xstrdup(peer->address);
	}
}

static void elect_by_id(struct future *future, const char *id)
{
	for (size_t i = 0; i < future->view.peer_count; i++) {
		struct peer *peer = &future->view.peers[i];

		peer->leader = str_equal(peer->id, id);
		if (peer->leader)
			replace_string(&future->leader, xstrdup(peer->address));
	}
}

/* Every server that answers learns it. */
static void apply(const struct future *future, struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		struct server *server = &snapshot->servers[i];
		struct view *view = &server->view;

		if (!view_answered(view) || (view->peers_known && view->peer_count == 0))
			continue;
		copy_members(view, &future->view);
		copy_peers(view, &future->view);
		replace_string(&view->self.leader_address, xstrdup_null(future->leader));
		if (view->self_known)
			view->self.role =
			    value_address_is(future->leader, server->pod.ip) ? RAFT_LEADER : RAFT_FOLLOWER;
	}
}

/* ------------------------------------------------------------------------------------------ servers */

static void add_container(const struct snapshot *snapshot, struct server *server)
{
	struct kube_container *container = xcalloc(1, sizeof(*container));
	const char *name = snapshot->set.container_count > 0 ? snapshot->set.containers[0].name : NULL;

	container->name = xstrdup(name ? name : "consul");
	container->running = container->ready = true;
	container->started_at = snapshot->taken_at;
	server->pod.containers = container;
	server->pod.container_count = 1;
	server->container = container;
}

static void add_pod(const struct snapshot *snapshot, struct server *server)
{
	server->has_pod = true;
	server->pod.name = xstrdup(server->name);
	server->pod.namespace_name = xstrdup_null(snapshot->namespace_name);
	server->pod.uid = xasprintf("predicted-%s", server->name);
	server->pod.phase = xstrdup("Running");
	server->pod.ip = xasprintf(PREDICTED_NET "%" PRId64, server->ordinal);
	server->pod.revision = xstrdup_null(snapshot->set.update_revision);
	server->pod.ready = true;
	add_container(snapshot, server);
}

/* What a server tells of itself; where it leaves cleanly, one more of the kind does too. */
static void add_self(const struct future *future, struct server *server)
{
	const struct view *like = &future->view;
	struct view *view = &server->view;

	view->way = like->way;
	view->self_known = true;
	view->self.name = xstrdup(server->name);
	view->self.id = xasprintf("predicted-%s", server->name);
	view->self.version = xstrdup_null(like->self.version);
	view->self.is_server = true;
	view->self.role = RAFT_FOLLOWER;
	view->self.leader_address = xstrdup_null(future->leader);
	view->self.term = like->self.term;
	view->self.last_log_index = like->self.last_log_index;
	view->self.last_contact_ms = 0;
	view->self.leave_on_terminate = like->self.leave_on_terminate;
	copy_members(view, &future->view);
	copy_peers(view, &future->view);
}

static void list_server(const struct server *server, struct future *future)
{
	struct view *view = &future->view;

	drop_member(view, server->name);
	view->members = xreallocarray(view->members, view->member_count + 1, sizeof(*view->members));
	view->members[view->member_count++] = (struct member){ .name = xstrdup(server->name),
		                                               .address = xstrdup(server->pod.ip),
		                                               .id = xasprintf("predicted-%s", server->name),
		                                               .status = MEMBER_ALIVE,
		                                               .is_server = true };
	view->peers = xreallocarray(view->peers, view->peer_count + 1, sizeof(*view->peers));
	view->peers[view->peer_count++] = (struct peer){ .name = xstrdup(server->name),
		                                         .id = xasprintf("predicted-%s", server->name),
		                                         .address = xasprintf("%s:8300", server->pod.ip),
		                                         .voter = true };
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
	add_pod(snapshot, server);
	list_server(server, future);
	add_self(future, server);
	snapshot->server_count++;
}

static void drop_server(struct snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		struct server *server = &snapshot->servers[i];

		if (!str_equal(server->name, name))
			continue;
		free(server->name);
		kube_pod_release(&server->pod);
		view_release(&server->view);
		memmove(server, server + 1, (snapshot->server_count - i - 1) * sizeof(*server));
		snapshot->server_count--;
		return;
	}
}

/* ------------------------------------------------------------------------------------------- steps */

static void leaves_raft(struct future *future, const struct place *place)
{
	_cleanup_free_ char *address = xstrdup(place->peer->address);
	bool led = str_equal(future->leader, address);

	drop_peer(&future->view, address);
	if (led)
		elect(future, address);
}

static void predict_leave(struct future *future, const struct place *place)
{
	if (!place)
		return;
	if (place->member)
		mark_member(&future->view, place->member->name, MEMBER_LEFT);
	if (place->peer)
		leaves_raft(future, place);
}

/* A server less. By step->after: whether it takes its vote with it, if it has one. */
static void predict_down(struct future *future, const struct step *step, const struct place *place)
{
	if (place && place->peer && (!place->peer->voter || step->after.voters < step->before.voters))
		predict_leave(future, place);
	else if (place && place->member && place->member->status == MEMBER_ALIVE)
		mark_member(&future->view, place->member->name, place->peer ? MEMBER_FAILED : MEMBER_LEFT);
}

static void predict_force_leave(struct future *future, const char *node)
{
	for (size_t i = 0; i < future->view.member_count; i++) {
		struct member *member = &future->view.members[i];
		_cleanup_free_ char *address = NULL;

		if (!str_equal(member->name, node))
			continue;
		member->status = MEMBER_LEFT;
		address = xasprintf("%s:8300", member->address);
		drop_peer(&future->view, member->id ? member->id : address);
		drop_peer(&future->view, address);
	}
}

static void drop_claim(struct snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot->claim_count; i++) {
		if (!str_equal(snapshot->claims[i].name, name))
			continue;
		kube_claim_release(&snapshot->claims[i]);
		snapshot->claim_count--;
		memmove(&snapshot->claims[i], &snapshot->claims[i + 1],
		        (snapshot->claim_count - i) * sizeof(*snapshot->claims));
		return;
	}
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
			elect(future, diagnosis->leader_address);
		else
			elect_by_id(future, step->object);
		break;
	case STEP_LEAVE:
		predict_leave(future, plan_place(diagnosis, step->through));
		break;
	case STEP_FORCE_LEAVE:
		predict_force_leave(future, step->object);
		break;
	case STEP_PRUNE:
		drop_member(&future->view, step->object);
		break;
	case STEP_REMOVE_PEER:
		drop_peer(&future->view, step->object);
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
		drop_server(snapshot, step->subject);
}

/* What the cluster agrees on once the step has had its effect. */
static void look_ahead(const struct snapshot *snapshot, const struct step *step, struct future *ret_future)
{
	struct diagnosis diagnosis;
	struct assessment assessment = ASSESSMENT_INIT;

	diagnosis_begin(&diagnosis, snapshot, &assessment);
	begin_future(&diagnosis, ret_future);
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
		drop_claim(snapshot, step->object);
	look_ahead(snapshot, step, &future);
	if (step->kind == STEP_REPLICAS)
		predict_replicas(snapshot, step, &future);
	apply(&future, snapshot);
	release_future(&future);
}

/* --------------------------------------------------------------------------------------- coming to rest */

static bool is_wanted(const struct snapshot *snapshot, const struct server *server)
{
	return server->ordinal < 0 || plan_is_wanted(snapshot, server->ordinal);
}

/* Who was on his way out, or in: what raft and gossip have of them then. */
static void settle_servers(const struct diagnosis *diagnosis, struct future *future)
{
	FOR_EACH_PLACE (place, diagnosis) {
		if (place->wanted && !(place->peer && place->peer->voter))
			list_server(place->server, future);
		if (!place->wanted)
			predict_leave(future, place);
	}
}

static void settle_pod(const struct snapshot *snapshot, const struct future *future, struct server *server)
{
	if (!server->has_pod)
		add_pod(snapshot, server);
	if (!server->view.self_known)
		add_self(future, server);
	server->pod.deleting = false;
	server->pod.ready = true;
}

void plan_predict_settled(struct snapshot *snapshot)
{
	struct diagnosis diagnosis;
	struct assessment assessment = ASSESSMENT_INIT;
	struct future future;

	for (size_t i = 0; i < snapshot->server_count; i++)
		if (!snapshot->servers[i].has_pod && is_wanted(snapshot, &snapshot->servers[i]))
			add_pod(snapshot, &snapshot->servers[i]);
	diagnosis_begin(&diagnosis, snapshot, &assessment);
	begin_future(&diagnosis, &future);
	settle_servers(&diagnosis, &future);
	diagnosis_release(&diagnosis);
	assessment_release(&assessment);
	for (size_t i = snapshot->server_count; i-- > 0;) {
		if (is_wanted(snapshot, &snapshot->servers[i]))
			settle_pod(snapshot, &future, &snapshot->servers[i]);
		else
			drop_server(snapshot, snapshot->servers[i].name);
	}
	snapshot->set.observed_generation = snapshot->set.generation;
	apply(&future, snapshot);
	release_future(&future);
}
