/* See model.h: what goes wrong by itself. How much is a trait of the seed; it stops at faults_until. */
#include "model.h"

#define SERVERS_MAX 7 /* that the other operator asks for */

void faults_last_until(struct model *model, int64_t time)
{
	if (time > model->quiet_at)
		model->quiet_at = time;
}

void faults_begin(struct model *model, int64_t milliseconds)
{
	model->faults_on = model->traits.disturbance > 0;
	model->faults_until = model->now + (model->faults_on ? milliseconds : 0);
	model->patches_left = model->traits.has_operator ? 2 : 0;
	faults_last_until(model, model->faults_until);
}

int faults_api_permille(const struct model *model)
{
	static const int usual[] = { 0, 5, 20, 60 };

	if (!model->faults_on)
		return 0;
	return model->now < model->api_bad_until ? model->api_bad_permille : usual[model->traits.disturbance];
}

static int64_t until(struct model *model, int64_t low, int64_t high)
{
	int64_t time = model->now + random_between(&model->random, low, high);

	faults_last_until(model, time);
	return time;
}

void faults_pod_created(struct model *model, int ordinal)
{
	struct pod *pod = &model->servers[ordinal].pod;
	int kind = random_int(&model->random, 0, 30);

	if (!model->faults_on || kind >= 3 * model->traits.disturbance)
		return;
	switch (kind % 3) {
	case 0:
		if (pod->unschedulable_until <= model->now)
			pod->unschedulable_until = until(model, SECONDS(5), SECONDS(90));
		break;
	case 1:
		pod->no_image_until = until(model, SECONDS(5), SECONDS(90));
		break;
	default:
		pod->run_at = until(model, SECONDS(5), SECONDS(40));
	}
	trace(model, "fault: pod %d %s", ordinal,
	      kind % 3 == 0   ? "cannot be scheduled"
	      : kind % 3 == 1 ? "has no image"
	                      : "starts slowly");
}

void faults_pod_deleted(struct model *model, int ordinal)
{
	struct pod *pod = &model->servers[ordinal].pod;

	if (!model->faults_on || !random_chance(&model->random, 60 * model->traits.disturbance))
		return;
	if (random_chance(&model->random, 500)) {
		/* Nobody tells the kubelet: the process goes on. */
		pod->term_at = until(model, SECONDS(5), SECONDS(60));
		pod->kill_at = pod->term_at + model->traits.grace_ms;
	} else {
		pod->stuck_until = until(model, SECONDS(5), SECONDS(100));
	}
	model->servers[ordinal].hurt = true;
	trace(model, "fault: pod %d is stuck", ordinal);
}

/* -------------------------------------------------------------------------------------- single faults */

static void crash(struct model *model, int ordinal)
{
	if (!model->servers[ordinal].agent.up)
		return;
	trace(model, "fault: server %d crashes", ordinal);
	model->servers[ordinal].hurt = true;
	agent_die(model, ordinal, 2);
}

static void lose_pod(struct model *model, int ordinal)
{
	if (model->servers[ordinal].pod.phase == PHASE_NONE)
		return;
	trace(model, "fault: the node of pod %d is gone", ordinal);
	model->servers[ordinal].hurt = true;
	kubernetes_lose_pod(model, ordinal);
}

/* All of them: every address is another one afterwards. */
static void black_out(struct model *model, int ordinal)
{
	if (ordinal % 3)
		return;
	for (int i = 0; i < ORDINALS; i++)
		lose_pod(model, i);
}

static void delete_pod(struct model *model, int ordinal)
{
	if (model->servers[ordinal].pod.phase == PHASE_NONE)
		return;
	trace(model, "fault: somebody deletes pod %d", ordinal);
	model->servers[ordinal].hurt = true;
	kubernetes_delete_pod(model, ordinal);
}

static void isolate(struct model *model, int ordinal)
{
	if (!model->servers[ordinal].agent.up)
		return;
	model->servers[ordinal].hurt = true;
	model->servers[ordinal].isolated_until = until(model, SECONDS(2), SECONDS(30));
	trace(model, "fault: server %d is isolated", ordinal);
}

static void slow_down(struct model *model, int ordinal)
{
	model->servers[ordinal].slow_until = until(model, SECONDS(2), SECONDS(20));
	trace(model, "fault: server %d gets no entries", ordinal);
}

static void silence(struct model *model, int ordinal)
{
	model->servers[ordinal].silent_until = until(model, SECONDS(2), SECONDS(25));
	trace(model, "fault: server %d cannot be asked", ordinal);
}

static void change_leader(struct model *model, int ordinal)
{
	int leader = raft_leader(model);

	if (leader < 0)
		return;
	if (ordinal % 2)
		raft_step_down(model, leader);
	else
		raft_transfer(model, leader, 0);
}

static void spoil_api(struct model *model, int ordinal)
{
	(void)ordinal;
	model->api_bad_until = until(model, SECONDS(1), SECONDS(15));
	model->api_bad_permille = random_int(&model->random, 200, 1000);
	trace(model, "fault: the API server fails in %d of 1000 cases", model->api_bad_permille);
}

static void patch_replicas(struct model *model, int ordinal)
{
	int replicas = random_int(&model->random, 1, SERVERS_MAX);

	(void)ordinal;
	if (model->patches_left == 0 || model->traits.start + replicas > ORDINALS)
		return;
	model->patches_left--;
	trace(model, "fault: somebody scales from %d to %d", model->set.replicas, replicas);
	for (int i = 0; i < ORDINALS; i++)
		if (i >= model->traits.start + (replicas < model->set.replicas ? replicas : model->set.replicas))
			model->servers[i].hurt = true;
	kubernetes_set_replicas(model, replicas);
}

/* The disk is lost; only where all others have all there is. */
static void wipe(struct model *model, int ordinal)
{
	struct server_truth *server = &model->servers[ordinal];
	const struct raft_config *config = &model->committed;
	int whole = 0;

	for (int i = 0; i < config->count; i++) {
		int other = agent_of_id(model, config->peers[i].id);

		whole += config->peers[i].voter && other >= 0 && other != ordinal &&
		         config->peers[i].id != server->claim.data.id &&
		         model->servers[other].claim.data.log.last >= model->acknowledged.last;
	}
	if (model->wiped || model->traits.disturbance < 3 || whole < 2 || whole + 1 < raft_voters(config) ||
	    server->pod.phase == PHASE_NONE || server->pod.deleting)
		return;
	trace(model, "fault: the disk of server %d is lost", ordinal);
	model->wiped = true;
	server->hurt = true;
	kubernetes_lose_disk(model, ordinal);
}

static void change_template(struct model *model, int ordinal)
{
	if (ordinal % 4)
		return;
	trace(model, "fault: somebody changes the pod template");
	kubernetes_set_template(model, kubernetes_new_revision(model, FLAW_NONE),
	                        model->set.on_delete && random_chance(&model->random, 800));
	faults_last_until(model, model->now + SECONDS(60) * model->set.replicas);
}

static void go_wrong(struct model *model, int ordinal)
{
	static void (*const kinds[])(struct model *, int) = { crash,     crash,          lose_pod,        delete_pod,
		                                              isolate,   slow_down,      silence,         change_leader,
		                                              spoil_api, patch_replicas, change_template, black_out,
		                                              wipe };
	int kind = random_int(&model->random, 0, (int)(sizeof(kinds) / sizeof(kinds[0])) - 1);

	if (model->servers_spared && kinds[kind] != silence && kinds[kind] != spoil_api)
		return;
	kinds[kind](model, ordinal);
	if (kinds[kind] != silence && kinds[kind] != spoil_api)
		model->shaken_at = model->now;
}

void faults_tick(struct model *model)
{
	static const int permille[] = { 0, 2, 6, 14 };

	if (!model->faults_on)
		return;
	if (model->now >= model->faults_until) {
		model->faults_on = false;
		trace(model, "nothing goes wrong any more");
		return;
	}
	if (random_chance(&model->random, permille[model->traits.disturbance]))
		go_wrong(model, model->traits.start + random_int(&model->random, 0, SERVERS_MAX - 1));
}
