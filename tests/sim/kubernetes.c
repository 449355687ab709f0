/* See model.h: the controller of the StatefulSet, the kubelet, and claims. */
#include "model.h"

#include <string.h>

#define SYNC_MIN_MS 200 /* how long the controller takes to notice something */
#define SYNC_MAX_MS 1200
#define BACKOFF_MAX SECONDS(80)

void kubernetes_set_replicas(struct model *model, int replicas)
{
	model->set.replicas = replicas;
	model->set.generation++;
	model->set.version++;
}

void kubernetes_set_template(struct model *model, int revision, bool on_delete)
{
	struct set_truth *set = &model->set;

	trace(model, "the pod template is of revision %d%s, %s", revision,
	      revision != set->flawed_revision ? ""
	      : set->flaw == FLAW_IMAGE        ? " (without an image)"
	                                       : " (which crashes)",
	      on_delete ? "OnDelete" : "RollingUpdate");
	set->generation += set->template != revision || set->on_delete != on_delete;
	set->version++;
	set->template = revision;
	set->on_delete = on_delete;
}

int kubernetes_new_revision(struct model *model, enum flaw flaw)
{
	int revision = ++model->set.revisions;

	if (flaw != FLAW_NONE) {
		model->set.flawed_revision = revision;
		model->set.flaw = flaw;
	}
	return revision;
}

bool kubernetes_is_newest(const struct model *model, int ordinal)
{
	return model->servers[ordinal].pod.revision == model->set.template;
}

void kubernetes_create_claim(struct model *model, int ordinal)
{
	struct claim *claim = &model->servers[ordinal].claim;

	if (!claim->exists)
		*claim = (struct claim){ .exists = true, .uid = ++model->uids, .created_at = model->now };
	claim->used_at = model->now;
}

void kubernetes_delete_claim(struct model *model, int ordinal)
{
	struct server_truth *server = &model->servers[ordinal];

	server->claim.deleting = true;
	if (server->pod.phase == PHASE_NONE)
		server->claim = (struct claim){ 0 };
}

/* ------------------------------------------------------------------------------------- the controller */

static bool has_flaw(const struct model *model, int ordinal, enum flaw flaw)
{
	return model->servers[ordinal].pod.revision == model->set.flawed_revision && model->set.flaw == flaw;
}

static void create_pod(struct model *model, int ordinal)
{
	struct server_truth *server = &model->servers[ordinal];

	if (server->claim.exists && server->claim.deleting)
		return;
	kubernetes_create_claim(model, ordinal);
	server->pod = (struct pod){ .phase = PHASE_PENDING, .uid = ++model->uids, .created_at = model->now };
	server->pod.revision = model->set.revision;
	server->pod.scheduled_at = model->now + random_between(&model->random, 100, 1000);
	server->pod.run_at = server->pod.scheduled_at + random_between(&model->random, 500, 4000);
	server->pod.gone_at = NEVER;
	server->pod.unschedulable_until = server->blocked_until;
	trace(model, "pod %d is created, of revision %d", ordinal, server->pod.revision);
	faults_pod_created(model, ordinal);
	if (has_flaw(model, ordinal, FLAW_IMAGE))
		server->pod.no_image_until = NEVER;
}

void kubernetes_delete_pod(struct model *model, int ordinal)
{
	struct pod *pod = &model->servers[ordinal].pod;

	if (pod->phase == PHASE_NONE || pod->deleting)
		return;
	trace(model, "pod %d is being deleted", ordinal);
	pod->deleting = true;
	pod->term_at = model->now + random_between(&model->random, 100, 1500);
	pod->kill_at = pod->term_at + model->traits.grace_ms;
	faults_pod_deleted(model, ordinal);
}

/* The only voter cannot be replaced without being away for a while. */
void kubernetes_restart_pod(struct model *model, int ordinal)
{
	const struct raft_peer *peer = raft_find(&model->committed, model->servers[ordinal].claim.data.id);

	if (peer && peer->voter && raft_voters(&model->committed) == 1)
		model->servers[ordinal].hurt = true;
	kubernetes_delete_pod(model, ordinal);
}

static bool is_ready(const struct pod *pod)
{
	return pod->phase == PHASE_RUNNING && pod->ready && !pod->deleting;
}

/* One pod after the other, and the next only when this one is ready. True: there is something to wait for. */
static bool order_wanted(struct model *model)
{
	for (int ordinal = 0; ordinal < ORDINALS; ordinal++) {
		if (!wanted(model, ordinal))
			continue;
		if (model->servers[ordinal].pod.phase == PHASE_NONE)
			create_pod(model, ordinal);
		if (!is_ready(&model->servers[ordinal].pod))
			return true;
	}
	return false;
}

/* True: there is one to wait for. */
static bool order_unwanted(struct model *model)
{
	for (int ordinal = ORDINALS - 1; ordinal >= 0; ordinal--) {
		if (wanted(model, ordinal) || model->servers[ordinal].pod.phase == PHASE_NONE)
			continue;
		kubernetes_delete_pod(model, ordinal);
		return true;
	}
	return false;
}

static void sync_parallel(struct model *model)
{
	for (int ordinal = 0; ordinal < ORDINALS; ordinal++) {
		bool exists = model->servers[ordinal].pod.phase != PHASE_NONE;

		if (wanted(model, ordinal) && !exists)
			create_pod(model, ordinal);
		else if (!wanted(model, ordinal) && exists)
			kubernetes_delete_pod(model, ordinal);
	}
}

/* Pods of an old template are made anew, from the highest ordinal, and the next only when the last is ready. */
static void roll(struct model *model)
{
	if (model->set.on_delete)
		return;
	for (int ordinal = ORDINALS - 1; ordinal >= 0; ordinal--) {
		struct server_truth *server = &model->servers[ordinal];

		if (!wanted(model, ordinal))
			continue;
		if (server->pod.phase != PHASE_NONE && !kubernetes_is_newest(model, ordinal) && !server->pod.deleting) {
			server->hurt = true;
			kubernetes_delete_pod(model, ordinal);
			return;
		}
		if (!is_ready(&server->pod))
			return;
	}
	model->set.current_revision = model->set.revision;
}

static void sync(struct model *model)
{
	struct set_truth *set = &model->set;
	int replicas = 0, ready = 0, updated = 0;
	bool changed = set->observed != set->generation;

	set->sync_at = model->now + random_between(&model->random, SYNC_MIN_MS, SYNC_MAX_MS);
	set->observed = set->generation;
	set->revision = set->template;
	if (!model->traits.ordered)
		sync_parallel(model);
	/* In order, a pod that does not become ready keeps all others from being replaced. */
	if (!model->traits.ordered || (!order_wanted(model) && !order_unwanted(model)))
		roll(model);
	for (int ordinal = 0; ordinal < ORDINALS; ordinal++) {
		bool exists = model->servers[ordinal].pod.phase != PHASE_NONE;

		replicas += exists;
		ready += is_ready(&model->servers[ordinal].pod);
		updated += exists && !model->servers[ordinal].pod.deleting && kubernetes_is_newest(model, ordinal);
	}
	changed |= set->status_replicas != replicas || set->ready_replicas != ready || set->updated_replicas != updated;
	set->status_replicas = replicas;
	set->ready_replicas = ready;
	set->updated_replicas = updated;
	set->version += changed;
}

/* ---------------------------------------------------------------------------------------- the kubelet */

static void start_container(struct model *model, int ordinal)
{
	struct pod *pod = &model->servers[ordinal].pod;

	if (pod->phase == PHASE_PENDING)
		pod->ip = ++model->ips;
	pod->phase = PHASE_RUNNING;
	pod->running = true;
	pod->started_at = model->now;
	pod->probe_at = model->now + random_between(&model->random, 1000, 4000);
	agent_start(model, ordinal);
	if (model->servers[ordinal].agent.up && has_flaw(model, ordinal, FLAW_CRASH))
		model->servers[ordinal].agent.crash_at = model->now + random_between(&model->random, 200, 8000);
}

void kubernetes_exited(struct model *model, int ordinal, int code)
{
	struct pod *pod = &model->servers[ordinal].pod;
	int64_t backoff = 1000;

	if (pod->phase == PHASE_NONE)
		return;
	pod->running = pod->ready = false;
	pod->last_exit = code;
	pod->last_exit_at = model->now;
	if (model->now - pod->started_at < MINUTES(10))
		for (int i = 0; i < pod->restarts && backoff < BACKOFF_MAX; i++)
			backoff = backoff < SECONDS(10) ? SECONDS(10) : backoff * 2;
	pod->run_at = model->now + backoff + random_between(&model->random, 0, 2000);
	pod->restarts++;
}

static void remove_pod(struct model *model, int ordinal)
{
	struct server_truth *server = &model->servers[ordinal];

	trace(model, "pod %d is gone", ordinal);
	server->pod = (struct pod){ .phase = PHASE_NONE };
	if (server->claim.deleting)
		server->claim = (struct claim){ 0 };
}

void kubernetes_lose_pod(struct model *model, int ordinal)
{
	if (model->servers[ordinal].pod.phase == PHASE_NONE)
		return;
	if (model->servers[ordinal].agent.up)
		agent_die(model, ordinal, 137);
	remove_pod(model, ordinal);
}

void kubernetes_lose_disk(struct model *model, int ordinal)
{
	kubernetes_lose_pod(model, ordinal);
	model->servers[ordinal].claim = (struct claim){ 0 };
}

static void stop_container(struct model *model, int ordinal)
{
	struct server_truth *server = &model->servers[ordinal];

	server->pod.term_at = 0;
	if (!server->agent.up)
		return;
	if (model->traits.leaves)
		agent_leave(model, ordinal);
	else if (server->agent.exit_at == NEVER)
		server->agent.exit_at = model->now + random_between(&model->random, 200, 1500);
}

static void tick_deleting(struct model *model, int ordinal)
{
	struct server_truth *server = &model->servers[ordinal];
	struct pod *pod = &server->pod;

	if (pod->term_at && model->now >= pod->term_at)
		stop_container(model, ordinal);
	if (server->agent.up && model->now >= pod->kill_at)
		agent_die(model, ordinal, 137);
	if (pod->term_at || server->agent.up)
		return;
	if (pod->gone_at == NEVER)
		pod->gone_at = model->now + random_between(&model->random, 200, 1500);
	if (model->now >= pod->gone_at && model->now >= pod->stuck_until)
		remove_pod(model, ordinal);
}

static bool passes_probe(const struct model *model, const struct server_truth *server)
{
	const struct raft_peer *self = raft_find(&server->claim.data.config, server->claim.data.id);

	if (!server->agent.up || server->agent.leaving)
		return false;
	/* The leader of one or two keeps the address that it had. */
	if (model->traits.ready_is_voter)
		return self && self->voter && (self->ip == server->agent.ip || server->agent.role == ROLE_LEADER);
	return server->agent.leader_ip != 0;
}

static void tick_pod(struct model *model, int ordinal)
{
	struct server_truth *server = &model->servers[ordinal];
	struct pod *pod = &server->pod;

	if (pod->deleting) {
		tick_deleting(model, ordinal);
		if (pod->phase == PHASE_NONE)
			return;
	} else if (!pod->running && model->now >= pod->run_at && model->now >= pod->unschedulable_until &&
	           model->now >= pod->no_image_until) {
		start_container(model, ordinal);
	}
	if (pod->running && model->now >= pod->probe_at) {
		pod->ready = passes_probe(model, server);
		pod->probe_at = model->now + random_between(&model->random, 2000, 4000);
	}
}

void kubernetes_tick(struct model *model)
{
	if (model->now >= model->set.sync_at)
		sync(model);
	for (int ordinal = 0; ordinal < ORDINALS; ordinal++)
		if (model->servers[ordinal].pod.phase != PHASE_NONE)
			tick_pod(model, ordinal);
}
