/* What is expected of a cluster: see include/consul/plan_future.h. */
#include "consul/plan_future.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "consul/value.h"
#include "util/mem.h"

/* ------------------------------------------------------------------------------------- the new truth */

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

void future_begin(const struct diagnosis *diagnosis, struct future *ret_future)
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

void future_release(struct future *future)
{
	view_release(&future->view);
	free(future->leader);
}

void future_drop_member(struct view *view, const char *name)
{
	for (size_t i = 0; i < view->member_count; i++) {
		if (!str_equal(view->members[i].name, name))
			continue;
		member_release(&view->members[i]);
		view->members[i] = view->members[--view->member_count];
		return;
	}
}

void future_mark_member(struct view *view, const char *name, enum member_status status)
{
	for (size_t i = 0; i < view->member_count; i++)
		if (str_equal(view->members[i].name, name))
			view->members[i].status = status;
}

void future_drop_peer(struct view *view, const char *id_or_address)
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
void future_elect(struct future *future, const char *not_address)
{
	replace_string(&future->leader, NULL);
	for (size_t i = 0; i < future->view.peer_count; i++) {
		struct peer *peer = &future->view.peers[i];

		peer->leader = !future->leader && peer->voter && !str_equal(peer->address, not_address);
		if (peer->leader)
			future->leader = xstrdup(peer->address);
	}
}

void future_tell(const struct future *future, struct server *server)
{
	struct view *view = &server->view;

	copy_members(view, &future->view);
	copy_peers(view, &future->view);
	replace_string(&view->self.leader_address, xstrdup_null(future->leader));
	if (view->self_known)
		view->self.role = value_address_is(future->leader, server->pod.ip) ? RAFT_LEADER : RAFT_FOLLOWER;
}

void future_apply(const struct future *future, struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct view *view = &snapshot->servers[i].view;

		if (view_answered(view) && !(view->peers_known && view->peer_count == 0))
			future_tell(future, &snapshot->servers[i]);
	}
}

/* ------------------------------------------------------------------------------------------ servers */

void predicted_container(const struct snapshot *snapshot, struct server *server)
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

void predicted_pod(const struct snapshot *snapshot, struct server *server)
{
	server->has_pod = true;
	server->pod.name = xstrdup(server->name);
	server->pod.namespace_name = xstrdup_null(snapshot->namespace_name);
	server->pod.uid = xasprintf("predicted-%s", server->name);
	server->pod.phase = xstrdup("Running");
	server->pod.ip = xasprintf(PREDICTED_NET "%" PRId64, server->ordinal);
	server->pod.revision = xstrdup_null(snapshot->set.update_revision);
	server->pod.ready = true;
	predicted_container(snapshot, server);
}

/* What a server tells of itself; where it leaves cleanly, one more of the kind does too. */
void future_add_self(const struct future *future, struct server *server)
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

/* That of a server that runs already is the one it tells. */
static char *predicted_id(const struct server *server)
{
	return server->view.self.id ? xstrdup(server->view.self.id) : xasprintf("predicted-%s", server->name);
}

void future_list_server(const struct server *server, struct future *future)
{
	struct view *view = &future->view;

	future_drop_member(view, server->name);
	view->members = xreallocarray(view->members, view->member_count + 1, sizeof(*view->members));
	view->members[view->member_count++] = (struct member){ .name = xstrdup(server->name),
		                                               .address = xstrdup(server->pod.ip),
		                                               .id = predicted_id(server),
		                                               .status = MEMBER_ALIVE,
		                                               .is_server = true };
	view->peers = xreallocarray(view->peers, view->peer_count + 1, sizeof(*view->peers));
	view->peers[view->peer_count++] = (struct peer){ .name = xstrdup(server->name),
		                                         .id = predicted_id(server),
		                                         .address = xasprintf("%s:8300", server->pod.ip),
		                                         .voter = true };
}

void predicted_no_server(struct snapshot *snapshot, const char *name)
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

void predicted_no_claim(struct snapshot *snapshot, const char *name)
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

/* ------------------------------------------------------------------------------------------ leaving */

static void leaves_raft(struct future *future, const struct place *place)
{
	_cleanup_free_ char *address = xstrdup(place->peer->address);
	bool led = str_equal(future->leader, address);

	future_drop_peer(&future->view, address);
	if (led)
		future_elect(future, address);
}

void future_leave(struct future *future, const struct place *place)
{
	if (!place)
		return;
	if (place->member)
		future_mark_member(&future->view, place->member->name, MEMBER_LEFT);
	if (place->peer)
		leaves_raft(future, place);
}

void future_force_leave(struct future *future, const char *node)
{
	for (size_t i = 0; i < future->view.member_count; i++) {
		struct member *member = &future->view.members[i];
		_cleanup_free_ char *address = NULL;

		if (!str_equal(member->name, node))
			continue;
		member->status = MEMBER_LEFT;
		address = xasprintf("%s:8300", member->address);
		future_drop_peer(&future->view, member->id ? member->id : address);
		future_drop_peer(&future->view, address);
	}
}
