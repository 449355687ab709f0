/* See model.h: how a story begins, and how time passes in it. */
#include "model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rules.h"

#define FIRST_ENTRIES 1000 /* a log that is not empty */

void trace_line(const struct model *model, const char *format, ...)
{
	va_list arguments;

	printf("%4lld.%lld  ", (long long)(model->now / 1000), (long long)(model->now % 1000 / 100));
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

static void tell_server(const struct model *model, int ordinal)
{
	static const char *const roles[] = { "follower", "candidate", "leader" };
	const struct server_truth *server = &model->servers[ordinal];
	const struct raft_data *data = &server->claim.data;

	trace(model, "  server %d: pod %s%s, %s, id %d, term %llu, log %llu of term %llu, knows leader %d", ordinal,
	      server->pod.phase == PHASE_NONE ? "none"
	      : server->pod.ready             ? "ready"
	                                      : "not ready",
	      server->pod.deleting ? " (going)" : "", server->agent.up ? roles[server->agent.role] : "down", data->id,
	      (unsigned long long)data->term, (unsigned long long)data->log.last,
	      (unsigned long long)raft_last_term(&data->log), server->agent.leader_ip);
	for (int i = 0; i < data->config.count; i++)
		trace(model, "    id %d at %d%s", data->config.peers[i].id, data->config.peers[i].ip,
		      data->config.peers[i].voter ? ", votes" : "");
}

void model_tell(const struct model *model)
{
	for (int ordinal = 0; ordinal < ORDINALS; ordinal++)
		if (model->servers[ordinal].claim.exists)
			tell_server(model, ordinal);
}

static void choose_traits(struct model *model)
{
	struct random *random = &model->random;
	struct random other = { model->seed ^ 0x5e11 };
	struct traits *traits = &model->traits;
	static const int64_t graces[] = { SECONDS(30), SECONDS(60), SECONDS(10) };
	static const int minors[] = { 8, 8, 15, 21, 6 };

	traits->start = random_chance(random, 150) ? random_int(random, 1, 2) : 0;
	traits->ordered = random_chance(random, 400);
	traits->leaves = random_chance(random, 600);
	traits->cleans_up = random_chance(random, 600);
	traits->grace_ms = graces[random_int(random, 0, 2)];
	traits->election_ms = random_chance(random, 600) ? SECONDS(1) : SECONDS(5);
	traits->minor = minors[random_int(random, 0, 4)];
	traits->by_exec = random_chance(random, 250);
	traits->ready_is_voter = random_chance(random, 700);
	traits->clients = random_chance(random, 200) ? random_int(random, 1, 2) : 0;
	traits->leave_forbidden = random_chance(random, 60);
	traits->disturbance = random_chance(random, 200) ? 0 : random_int(random, 1, 3);
	traits->deployed = random_chance(random, 850);
	traits->own_names = random_chance(random, 120);
	traits->has_operator = random_chance(random, 150);
	traits->prompt = traits->disturbance == 0 || random_chance(random, 300);
	traits->no_shell = random_chance(&other, 60);
	traits->claims_hidden = random_chance(&other, 60);
}

static void add_first_server(struct model *model, int ordinal)
{
	struct server_truth *server = &model->servers[ordinal];

	server->claim = (struct claim){ .exists = true, .uid = ++model->uids };
	server->claim.created_at = -HOURS(random_between(&model->random, 1, 24 * 20));
	server->claim.data.id = ++model->ids;
	server->pod = (struct pod){ .phase = PHASE_RUNNING, .uid = ++model->uids, .ip = ++model->ips };
	server->pod.running = server->pod.ready = true;
	server->pod.created_at = server->pod.started_at = server->claim.created_at;
	server->pod.gone_at = NEVER;
	server->pod.revision = 1;
	server->agent.up = server->agent.joined = true;
	server->agent.ip = server->pod.ip;
	server->agent.started_at = server->pod.started_at;
	server->agent.left_at = server->agent.exit_at = server->agent.crash_at = NEVER;
	server->agent.members[ordinal].known =
	    (struct news){ ++model->news, STATUS_ALIVE, server->pod.ip, server->claim.data.id };
}

static void introduce(struct model *model, int first, int last, const struct raft_config *config)
{
	int leader = random_int(&model->random, first, last);

	for (int viewer = first; viewer <= last; viewer++) {
		struct server_truth *server = &model->servers[viewer];

		for (int node = first; node <= last; node++)
			server->agent.members[node].known = model->servers[node].agent.members[node].known;
		server->claim.data.term = 3;
		server->claim.data.log =
		    (struct raft_log){ .last = FIRST_ENTRIES, .terms = 1, .term = { { .first = 1, .term = 2 } } };
		server->claim.data.config = *config;
		server->agent.election_at = SECONDS(10);
		server->agent.heard_at = -SECONDS(60);
	}
	raft_campaign(model, leader, true);
}

static void found_cluster(struct model *model, int servers)
{
	int first = model->traits.start, last = first + servers - 1;
	struct raft_config config = { .index = 1 };

	model->set = (struct set_truth){ .replicas = servers, .generation = 1, .observed = 1, .version = 100 };
	model->set.template = model->set.revision = model->set.current_revision = model->set.revisions = 1;
	model->set.status_replicas = model->set.ready_replicas = model->set.updated_replicas = servers;
	model->set.expect = servers < 3 && random_chance(&model->random, 700) ? 1 : 3;
	for (int ordinal = first; ordinal <= last; ordinal++) {
		add_first_server(model, ordinal);
		config.peers[config.count++] = (struct raft_peer){ .id = model->ids, .ip = model->ips, .voter = true };
	}
	model->committed = config;
	introduce(model, first, last, &config);
}

void model_init(struct model *model, uint64_t seed, int servers, bool verbose)
{
	struct rules *rules = model->rules;

	memset(model, 0, sizeof(*model));
	model->rules = rules;
	model->seed = seed;
	model->verbose = verbose;
	model->random.state = seed * 0x5851f42d4c957f2du + 0x14057b7ef767814fu;
	model->transfer_at = model->late.at = NEVER;
	choose_traits(model);
	model->min_quorum = random_chance(&model->random, 300) ? (servers + 1) / 2 : 0;
	found_cluster(model, servers);
	trace(model,
	      "seed %llu: %d servers from ordinal %d, %s, leave_on_terminate %d, cleanup %d, 1.%d, by %s, faults %d",
	      (unsigned long long)seed, servers, model->traits.start,
	      model->traits.ordered ? "OrderedReady" : "Parallel", model->traits.leaves, model->traits.cleans_up,
	      model->traits.minor, model->traits.by_exec ? "exec" : "tunnel", model->traits.disturbance);
}

static void make_late_change(struct model *model)
{
	const struct late_change *late = &model->late;

	if (model->now < late->at)
		return;
	if (late->what == LATE_LEAVE && model->servers[late->ordinal].pod.uid == late->uid) {
		trace(model, "late order: leave through %d", late->ordinal);
		agent_leave(model, late->ordinal);
	} else if (late->what == LATE_DELETE && model->servers[late->ordinal].pod.uid == late->uid) {
		trace(model, "late order: delete pod %d", late->ordinal);
		kubernetes_restart_pod(model, late->ordinal);
	} else if (late->what == LATE_CRASH && model->servers[late->ordinal].pod.uid == late->uid &&
	           model->servers[late->ordinal].agent.up) {
		agent_crash(model, late->ordinal, late->has_peers ? &late->peers : NULL);
	} else if (late->what == LATE_REPLICAS && model->set.version == late->version) {
		trace(model, "late order: replicas %d", late->replicas);
		kubernetes_set_replicas(model, late->replicas);
	}
	model->late.at = NEVER;
}

void model_advance(struct model *model, int64_t milliseconds)
{
	int64_t until = model->now + milliseconds;

	while (model->now + TICK_MS <= until) {
		model->now += TICK_MS;
		faults_tick(model);
		make_late_change(model);
		kubernetes_tick(model);
		agent_tick(model);
		gossip_tick(model);
		raft_tick(model);
		if (model->rules)
			rules_tick(model->rules);
	}
	model->now = until;
}
