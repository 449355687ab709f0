/* See world.h: what is done by exec, to processes and in data directories. */
#include <string.h>

#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"
#include "view.h"
#include "world_parts.h"

#define CUT_PERMILLE 40 /* of the execs end between the file and the signal, while faults are on */

/* Nobody can be told anything there. 0: a command runs in the container. */
static int begin_exec(struct sim_world *sim, int ordinal, struct err *err)
{
	const struct model *model = sim->model;
	const struct server_truth *server = ordinal < 0 ? NULL : &model->servers[ordinal];

	if (!server || server->pod.phase == PHASE_NONE)
		return err_set(err, ERR_NOT_FOUND, "there is no such pod");
	if (!server->pod.running)
		return err_set(err, ERR_NOT_FOUND, "its container does not run");
	if (model->now < server->silent_until)
		return err_set(err, ERR_TIMEOUT, "no answer in time");
	if (model->traits.no_shell)
		return err_set(err, ERR_FAILED, "the image has no shell");
	return 0;
}

/* -------------------------------------------------------------------------------------------- crashes */

/* False: it is no list of peers. */
static bool read_peers(const char *text, struct raft_config *ret_peers)
{
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_json_ cJSON *json = NULL;
	const cJSON *item;

	*ret_peers = (struct raft_config){ 0 };
	if (json_parse(text, strlen(text), &json, &err) < 0 || !cJSON_IsArray(json))
		return false;
	cJSON_ArrayForEach (item, json) {
		struct raft_peer *peer = &ret_peers->peers[ret_peers->count++];

		peer->id = view_id(json_string_at(item, "id"));
		peer->ip = view_ip(json_string_at(item, "address"));
		peer->voter = !json_bool_at(item, "non_voter", false);
		if (peer->id < 0 || peer->ip < 0 || ret_peers->count == PEERS_MAX)
			return false;
	}
	return ret_peers->count > 0;
}

/* The exec is lost; what it was to do may be done late, or was done half. */
static void lose(struct sim_world *sim, int ordinal, const struct raft_config *peers, struct err *err)
{
	struct model *model = sim->model;
	struct late_change late = { .what = LATE_CRASH, .ordinal = ordinal, .uid = model->servers[ordinal].pod.uid };

	world_api_error(sim, err);
	if (peers) {
		late.has_peers = true;
		late.peers = *peers;
	}
	world_send_late(sim, err, late);
}

static void crash_one(struct sim_world *sim, struct crash_order *order, const struct raft_config *peers)
{
	struct model *model = sim->model;
	int ordinal = view_ordinal(order->pod);
	struct claim *claim;

	if (begin_exec(sim, ordinal, &order->err) < 0)
		return;
	claim = &model->servers[ordinal].claim;
	if (world_api_fails(sim)) {
		lose(sim, ordinal, peers, &order->err);
		return;
	}
	if (!model->servers[ordinal].agent.up) {
		err_set(&order->err, ERR_NOT_FOUND, "no process of it runs consul");
	} else if (order->data_dir && !peers && claim->peers_waiting) {
		err_set(&order->err, ERR_FAILED, "a raft/peers.json waits");
	} else if (peers && model->faults_on && random_chance(&model->random, CUT_PERMILLE)) {
		trace(model, "fault: the exec in pod %d ends after it has put in peers.json", ordinal);
		claim->peers_waiting = true;
		claim->peers = *peers;
		err_set(&order->err, ERR_UNREACHABLE, "connection reset by peer");
	} else {
		agent_crash(model, ordinal, peers);
		world_answer(sim, &order->err);
	}
	/* All at the same time, but for how long each takes. */
	if (random_chance(&model->random, 300))
		model_advance(model, TICK_MS);
}

static void judge(struct sim_world *sim, const struct crash_order *orders, const struct raft_config *peers,
                  size_t count)
{
	bool crashed[ORDINALS] = { false };

	for (size_t i = 0; i < count; i++) {
		int ordinal = view_ordinal(orders[i].pod);

		if (ordinal < 0) {
			rules_violation(sim->rules, "9 wishes", "no pod of ours is crashed: %s", orders[i].pod);
			return;
		}
		if (!str_equal(orders[i].peers_json, orders[0].peers_json))
			rules_violation(sim->rules, "recovery", "not all of them get the same peers.json");
		crashed[ordinal] = true;
	}
	if (peers)
		rules_recover(sim->rules, crashed, peers);
	else
		rules_drill_crash(sim->rules, crashed);
}

int world_crash(void *context, const struct snapshot *seen, struct crash_order *orders, size_t count, struct err *err)
{
	struct sim_world *sim = context;
	struct raft_config peers;
	const struct raft_config *given = orders[0].peers_json ? &peers : NULL;

	(void)seen;
	if (given && !read_peers(orders[0].peers_json, &peers)) {
		rules_violation(sim->rules, "recovery", "Consul cannot read %s", orders[0].peers_json);
		return err_set(err, ERR_FAILED, "no peers.json");
	}
	if (given && !str_equal(orders[0].data_dir, VIEW_DATA_DIR))
		rules_violation(sim->rules, "recovery", "peers.json goes to another directory than the server's");
	judge(sim, orders, given, count);
	if (!sim->kept)
		rules_violation(sim->rules, "lease", "a crash without having asked whether it is still the only one");
	sim->kept = false;
	world_pass(sim);
	for (size_t i = 0; i < count && !world_dies(sim); i++)
		crash_one(sim, &orders[i], given);
	if (world_dies(sim))
		return world_interrupted(err);
	for (size_t i = 0; i < count; i++) {
		if (!err_is_set(&orders[i].err))
			continue;
		err_copy(err, &orders[i].err);
		return -1;
	}
	return 0;
}

int world_remove_peers(void *context, const struct snapshot *seen, const struct crash_order *order, struct err *err)
{
	struct sim_world *sim = context;
	int ordinal = view_ordinal(order->pod);

	(void)seen;
	if (world_begin_change(sim, err) < 0 || begin_exec(sim, ordinal, err) < 0)
		return -1;
	rules_tidy(sim->rules, ordinal);
	trace(sim->model, "order: remove peers.json of server %d", ordinal);
	sim->model->servers[ordinal].claim.peers_waiting = false;
	return world_answer(sim, err);
}

/* -------------------------------------------------------------------------------------------- looking */

/* The last lines of a process that has ended. */
static const char *log_of(const struct server_truth *server)
{
	static const char *const tails[] = {
		"    [ERROR] agent: Error starting agent: error=\"Failed to start Consul server: Failed to start Raft: "
		"recovery failed: refused to recover cluster with no initial state, this is probably an operator "
		"error\"\n",
		"    [ERROR] agent: startup error: error=\"refusing to rejoin cluster because server has been offline "
		"for "
		"more than the configured server_rejoin_age_max (168h0m0s) - consider wiping your data dir\"\n",
		"    [ERROR] agent: Error starting agent: error=\"Failed to start Consul server: Failed to start Raft: "
		"failed to load any existing snapshots\"\n",
		"==> data_dir: stat /consul/data: permission denied\n",
	};

	if (server->trouble != TROUBLE_NONE || server->claim.peers_waiting)
		return tails[server->trouble];
	return server->pod.last_exit == 2 ? "SIGQUIT: quit\nPC=0x46c541 m=0 sigcode=0\n\ngoroutine 0 [idle]:\n"
	                                  : "    [INFO]  agent: Exit code: code=0\n";
}

static void look_at_log(const struct server_truth *server, struct remains *remains)
{
	const char *text = log_of(server);

	if (server->pod.phase != PHASE_NONE && !server->pod.running && server->pod.restarts > 0)
		remains_read_log(text, strlen(text), remains);
}

static void look_at_data(const struct server_truth *server, struct remains *remains)
{
	const struct claim *claim = &server->claim;

	remains->known = remains->writable = true;
	remains->data_dir = xstrdup(VIEW_DATA_DIR);
	remains->node_id = claim->data.id ? view_id_text(claim->data.id) : NULL;
	remains->has_raft = claim->data.log.last > 0;
	remains->raft_bytes = claim->data.log.last * 100;
	remains->peers_waiting = claim->peers_waiting;
}

int world_inspect(void *context, const struct snapshot *seen, struct remains *ret_remains, struct err *err)
{
	struct sim_world *sim = context;

	for (size_t i = 0; i < seen->server_count; i++)
		ret_remains[i] = (struct remains)REMAINS_INIT;
	if (world_dies(sim))
		return world_interrupted(err);
	world_pass(sim);
	for (size_t i = 0; i < seen->server_count; i++) {
		int ordinal = (int)seen->servers[i].ordinal;

		if (world_api_fails(sim)) {
			world_api_error(sim, &ret_remains[i].err);
			continue;
		}
		look_at_log(&sim->model->servers[ordinal], &ret_remains[i]);
		if (begin_exec(sim, ordinal, &ret_remains[i].err) == 0)
			look_at_data(&sim->model->servers[ordinal], &ret_remains[i]);
	}
	return world_dies(sim) ? world_interrupted(err) : 0;
}
