/* See view.h. */
#include "view.h"

#include <inttypes.h>
#include <stdio.h>

#include "util/mem.h"
#include "util/str.h"

#define SET_NAME  "consul"
#define NODE_NAME "srv-"
#define WALL_S    ((int64_t)1700000000) /* the wall clock when the story begins */
#define ID_FORMAT "5eed0000-0000-4000-8000-%012d"

char *view_pod_name(int ordinal)
{
	return xasprintf(SET_NAME "-%d", ordinal);
}

char *view_claim_name(int ordinal)
{
	return xasprintf("data-" SET_NAME "-%d", ordinal);
}

char *view_node_name(const struct model *model, int ordinal)
{
	return model->traits.own_names ? xasprintf(NODE_NAME "%c", 'a' + ordinal) : view_pod_name(ordinal);
}

static int ordinal_of_pod(const char *name)
{
	int64_t ordinal = name ? kube_ordinal(SET_NAME, name) : -1;

	return ordinal < ORDINALS ? (int)ordinal : -1;
}

int view_ordinal(const char *name)
{
	size_t length = strlen(NODE_NAME);

	if (name && str_starts_with(name, NODE_NAME) && name[length] >= 'a' && name[length] < 'a' + ORDINALS)
		return name[length] - 'a';
	return ordinal_of_pod(name);
}

int view_claim_ordinal(const char *name)
{
	return str_starts_with(name, "data-") ? ordinal_of_pod(name + 5) : -1;
}

int view_id(const char *id)
{
	int number;

	return id && sscanf(id, ID_FORMAT, &number) == 1 ? number : -1;
}

int view_ip(const char *address)
{
	int high, low;

	return address && sscanf(address, "10.244.%d.%d", &high, &low) == 2 ? high * 200 + low : -1;
}

char *view_id_text(int id)
{
	return xasprintf(ID_FORMAT, id);
}

static char *ip_text(int ip)
{
	return xasprintf("10.244.%d.%d", ip / 200, ip % 200);
}

static char *address_text(int ip)
{
	return xasprintf("10.244.%d.%d:8300", ip / 200, ip % 200);
}

static int64_t wall_s(int64_t time)
{
	return WALL_S + time / 1000;
}

/* ----------------------------------------------------------------------------------------- Kubernetes */

static void view_set(const struct model *model, struct kube_statefulset *set)
{
	set->name = xstrdup(SET_NAME);
	set->namespace_name = xstrdup("sim");
	set->uid = xstrdup("uid-set");
	set->resource_version = xasprintf("%" PRId64, model->set.version);
	set->service_name = xstrdup(SET_NAME);
	set->pod_management = xstrdup(model->traits.ordered ? "OrderedReady" : "Parallel");
	set->update_strategy = xstrdup(model->set.on_delete ? "OnDelete" : "RollingUpdate");
	set->current_revision = xasprintf("rev-%d", model->set.current_revision);
	set->update_revision = xasprintf("rev-%d", model->set.revision);
	set->selector = xstrdup("app=consul");
	set->selector_exact = true;
	set->created_at = wall_s(-HOURS(500));
	set->generation = model->set.generation;
	set->observed_generation = model->set.observed;
	set->replicas = model->set.replicas;
	set->ordinal_start = model->traits.start;
	set->status_replicas = model->set.status_replicas;
	set->updated_replicas = model->set.updated_replicas;
	set->ready_replicas = model->set.ready_replicas;
	set->grace_seconds = model->traits.grace_ms / 1000;
	strv_add(&set->claim_templates, "data");
}

static void view_waiting(const struct model *model, const struct pod *truth, struct kube_container *container)
{
	if (truth->phase == PHASE_PENDING)
		container->waiting_reason = xstrdup(model->now >= truth->no_image_until            ? "ContainerCreating"
		                                    : (model->now - truth->created_at) / 10000 % 2 ? "ImagePullBackOff"
		                                                                                   : "ErrImagePull");
	else if (truth->deleting || truth->run_at - model->now < 3000)
		container->terminated_reason = xstrdup(truth->last_exit ? "Error" : "Completed");
	else
		container->waiting_reason = xstrdup("CrashLoopBackOff");
}

static void view_container(const struct model *model, const struct pod *truth, struct kube_container *container)
{
	container->name = xstrdup("consul");
	container->image = xasprintf("hashicorp/consul:1.%d.0", model->traits.minor);
	container->running = truth->running;
	container->ready = truth->ready;
	container->restarts = truth->restarts;
	if (truth->running)
		container->started_at = wall_s(truth->started_at);
	else
		view_waiting(model, truth, container);
	if (truth->restarts == 0)
		return;
	container->was_terminated = true;
	container->last_exit_code = truth->last_exit;
	container->last_reason = xstrdup(truth->last_exit ? "Error" : "Completed");
	container->last_finished_at = wall_s(truth->last_exit_at);
}

static void view_pod(const struct model *model, int ordinal, struct server *server)
{
	const struct pod *truth = &model->servers[ordinal].pod;
	struct kube_pod *pod = &server->pod;
	bool scheduled = model->now >= truth->scheduled_at && model->now >= truth->unschedulable_until;

	pod->name = view_pod_name(ordinal);
	pod->namespace_name = xstrdup("sim");
	pod->uid = xasprintf("uid-%d", truth->uid);
	pod->resource_version = xasprintf("%d", truth->uid);
	pod->phase = xstrdup(truth->phase == PHASE_RUNNING ? "Running" : "Pending");
	pod->node = scheduled ? xasprintf("node-%d", ordinal) : NULL;
	pod->ip = truth->ip ? ip_text(truth->ip) : NULL;
	pod->owner_kind = xstrdup("StatefulSet");
	pod->owner_name = xstrdup(SET_NAME);
	pod->owner_uid = xstrdup("uid-set");
	pod->revision = xasprintf("rev-%d", truth->revision);
	pod->created_at = wall_s(truth->created_at);
	pod->deleting = truth->deleting;
	pod->ready = truth->ready;
	if (model->now < truth->unschedulable_until)
		pod->unscheduled_message = xstrdup("0/3 nodes are available");
	pod->containers = xcalloc(1, sizeof(*pod->containers));
	pod->container_count = 1;
	if (scheduled)
		view_container(model, truth, pod->containers);
	else
		pod->containers[0].name = xstrdup("consul");
	strv_take(&pod->claims, view_claim_name(ordinal));
	server->has_pod = true;
	server->container = pod->containers;
}

static void view_claim(const struct model *model, int ordinal, struct snapshot *snapshot)
{
	const struct claim *truth = &model->servers[ordinal].claim;
	struct kube_claim *claim = &snapshot->claims[snapshot->claim_count++];

	*claim = (struct kube_claim)KUBE_CLAIM_INIT;
	claim->name = view_claim_name(ordinal);
	claim->uid = xasprintf("uid-%d", truth->uid);
	claim->resource_version = xasprintf("%d", truth->uid);
	claim->phase = xstrdup("Bound");
	claim->requested = xstrdup("1Gi");
	claim->volume = xasprintf("volume-%d", truth->uid);
	claim->created_at = wall_s(truth->created_at);
	claim->deleting = truth->deleting;
}

void view_kubernetes(const struct model *model, struct snapshot *snapshot)
{
	snapshot->namespace_name = xstrdup("sim");
	snapshot->taken_at = wall_s(model->now);
	view_set(model, &snapshot->set);
	snapshot->claims_known = snapshot->budget.known = true;
	snapshot->servers = xcalloc(ORDINALS, sizeof(*snapshot->servers));
	snapshot->claims = xcalloc(ORDINALS, sizeof(*snapshot->claims));
	for (int ordinal = 0; ordinal < ORDINALS; ordinal++) {
		const struct server_truth *truth = &model->servers[ordinal];
		struct server *server;

		if (truth->claim.exists)
			view_claim(model, ordinal, snapshot);
		if (!wanted(model, ordinal) && truth->pod.phase == PHASE_NONE)
			continue;
		server = &snapshot->servers[snapshot->server_count++];
		*server = (struct server){ .ordinal = ordinal, .pod = KUBE_POD_INIT, .view = VIEW_INIT };
		server->name = view_pod_name(ordinal);
		if (truth->pod.phase != PHASE_NONE)
			view_pod(model, ordinal, server);
	}
}

/* --------------------------------------------------------------------------------------------- asking */

void view_fail(struct view *view, enum err_kind kind, const char *message)
{
	err_set(&view->members_err, kind, "%s", message);
	err_set(&view->peers_err, kind, "%s", message);
	err_set(&view->self_err, kind, "%s", message);
}

bool view_can_ask(struct server *server)
{
	if (!server->has_pod)
		view_fail(&server->view, ERR_NOT_FOUND, "there is no pod");
	else if (!str_equal(server->pod.phase, "Running"))
		view_fail(&server->view, ERR_UNAVAILABLE, "the pod is not running");
	else if (!server->container->running)
		view_fail(&server->view, ERR_UNAVAILABLE, "the container is not running");
	else
		return true;
	return false;
}

static enum member_status status_of(enum status status)
{
	switch (status) {
	case STATUS_ALIVE:
		return MEMBER_ALIVE;
	case STATUS_LEAVING:
		return MEMBER_LEAVING;
	case STATUS_LEFT:
		return MEMBER_LEFT;
	case STATUS_FAILED:
		return MEMBER_FAILED;
	case STATUS_NONE:
		break;
	}
	return MEMBER_UNKNOWN;
}

static struct member *add_member(const struct model *model, struct view *view)
{
	struct member *member = &view->members[view->member_count++];

	*member = (struct member){ .port = 8301, .status = MEMBER_ALIVE, .protocol = 2 };
	member->version = xasprintf("1.%d.0", model->traits.minor);
	member->datacenter = xstrdup("dc1");
	return member;
}

static void view_members(const struct model *model, int ordinal, struct view *view)
{
	const struct agent *agent = &model->servers[ordinal].agent;

	view->members_known = true;
	view->members = xcalloc((size_t)(ORDINALS + model->traits.clients), sizeof(*view->members));
	for (int node = 0; node < ORDINALS; node++) {
		const struct news *news = &agent->members[node].known;
		struct member *member;

		if (news->status == STATUS_NONE)
			continue;
		member = add_member(model, view);
		member->name = view_node_name(model, node);
		member->address = ip_text(news->ip);
		member->id = view_id_text(news->id);
		member->status = status_of(news->status);
		member->is_server = true;
	}
	for (int client = 0; client < model->traits.clients; client++) {
		struct member *member = add_member(model, view);

		member->name = xasprintf("web-%d", client);
		member->address = xasprintf("10.99.0.%d", client + 1);
	}
}

static void view_self(const struct model *model, int ordinal, struct view *view)
{
	const struct server_truth *server = &model->servers[ordinal];
	const struct agent *agent = &server->agent;
	struct self *self = &view->self;
	bool leads = agent->role == ROLE_LEADER;

	view->self_known = true;
	self->is_server = true;
	self->role = leads ? RAFT_LEADER : agent->role == ROLE_CANDIDATE ? RAFT_CANDIDATE : RAFT_FOLLOWER;
	self->leader_address = agent->leader_ip ? address_text(agent->leader_ip) : NULL;
	self->version = xasprintf("1.%d.0", model->traits.minor);
	self->term = server->claim.data.term;
	self->last_log_index = server->claim.data.log.last;
	self->last_log_term = raft_last_term(&server->claim.data.log);
	self->commit_index = self->applied_index = agent->commit;
	self->last_contact_ms = leads ? 0 : agent->heard_at < agent->started_at ? -1 : model->now - agent->heard_at;
	self->gossip_known = self->gossip_encrypted = true;
	if (model->traits.by_exec)
		return;
	self->name = view_node_name(model, ordinal);
	self->id = view_id_text(server->claim.data.id);
	self->datacenter = xstrdup("dc1");
	self->data_dir = xstrdup(VIEW_DATA_DIR);
	self->leave_on_terminate = model->traits.leaves;
}

static char *name_of_peer(const struct model *model, const struct agent *agent, int ip)
{
	for (int node = 0; node < ORDINALS; node++)
		if (agent->members[node].known.status != STATUS_NONE && agent->members[node].known.ip == ip)
			return view_node_name(model, node);
	return NULL;
}

/* With a leader the raft endpoint answers; without one only `self` and `info` tell, which know no names. */
static void view_peers(const struct model *model, int ordinal, struct view *view)
{
	const struct server_truth *server = &model->servers[ordinal];
	const struct raft_config *config = &server->claim.data.config;
	bool by_raft = server->agent.leader_ip != 0;

	view->peers_known = true;
	view->peers_source = by_raft ? PEERS_RAFT : PEERS_SELF;
	view->peers = xcalloc((size_t)config->count + 1, sizeof(*view->peers));
	if (!by_raft)
		err_set(&view->peers_err, ERR_UNAVAILABLE, "No cluster leader");
	for (int i = 0; i < config->count; i++) {
		struct peer *peer = &view->peers[view->peer_count++];

		*peer = (struct peer){ .voter = config->peers[i].voter, .protocol = by_raft ? 3 : 0 };
		peer->id = view_id_text(config->peers[i].id);
		peer->address = address_text(config->peers[i].ip);
		peer->leader = by_raft && config->peers[i].ip == server->agent.leader_ip;
		peer->name = by_raft ? name_of_peer(model, &server->agent, config->peers[i].ip) : NULL;
	}
}

void view_ask(const struct model *model, int ordinal, struct view *view)
{
	view->way = model->traits.by_exec ? ASK_EXEC : ASK_TUNNEL;
	view_members(model, ordinal, view);
	view_self(model, ordinal, view);
	view_peers(model, ordinal, view);
}

void view_lose_claims(struct snapshot *snapshot)
{
	while (snapshot->claim_count > 0)
		kube_claim_release(&snapshot->claims[--snapshot->claim_count]);
	snapshot->claims_known = false;
	err_set(&snapshot->claims_err, ERR_UNAVAILABLE, "internal error");
}

void view_lose_plane(struct view *view, int plane)
{
	struct err *const errs[] = { &view->members_err, &view->peers_err, &view->self_err };

	if (plane == 0)
		view_clear_members(view);
	else if (plane == 1)
		view_clear_peers(view);
	else
		self_release(&view->self);
	view->self_known &= plane != 2;
	if (!err_is_set(errs[plane]))
		err_set(errs[plane], ERR_PROTOCOL, "the answer did not come whole");
}

void view_expect(const struct model *model, struct snapshot *snapshot, bool known)
{
	if (!known) {
		err_set(&snapshot->expect.err, ERR_UNAVAILABLE, "internal error");
		return;
	}
	snapshot->expect.known = true;
	snapshot->expect.expect = model->set.expect;
	snapshot->expect.can_change = model->traits.deployed;
}

void view_autopilot(const struct model *model, struct snapshot *snapshot, bool known)
{
	struct autopilot_state *autopilot = &snapshot->autopilot;

	autopilot->known = known;
	if (!known) {
		err_set(&autopilot->err, ERR_UNAVAILABLE, "No cluster leader");
		return;
	}
	autopilot->has_min_quorum = model->traits.minor >= 8;
	autopilot->min_quorum = model->min_quorum;
	autopilot->cleans_up = model->traits.cleans_up;
}
