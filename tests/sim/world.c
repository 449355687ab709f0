/* See world.h: looking, and what Kubernetes is told. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#include "util/mem.h"
#include "util/str.h"
#include "view.h"
#include "world_parts.h"

#define KILLS_PERMILLE 2      /* of the calls, while faults are on */
#define IDLE_MAX       100000 /* calls in a row without any time passing: a loop without end */

int world_interrupted(struct err *err)
{
	return err_set(err, ERR_INTERRUPTED, "killed");
}

bool world_dies(struct sim_world *sim)
{
	struct model *model = sim->model;

	if (!sim->killed && sim->may_kill && model->faults_on && random_chance(&model->random, KILLS_PERMILLE)) {
		trace(model, "fault: the tool is killed");
		sim->killed = true;
	}
	return sim->killed;
}

/* A call to the API server takes a while. */
void world_pass(struct sim_world *sim)
{
	struct model *model = sim->model;
	bool slow = model->faults_on && random_chance(&model->random, 20);

	sim->calls++;
	sim->idle_calls = 0;
	model_advance(model, slow ? random_between(&model->random, 1, 10) * TICK_MS : TICK_MS);
}

int world_api_error(struct sim_world *sim, struct err *err)
{
	static const struct {
		enum err_kind kind;
		const char *text;
	} errors[] = {
		{ ERR_UNAVAILABLE, "too many requests" },        { ERR_UNAVAILABLE, "internal error" },
		{ ERR_UNREACHABLE, "connection reset by peer" }, { ERR_TIMEOUT, "no answer in time" },
		{ ERR_PROTOCOL, "the answer is no JSON" },
	};
	int which = random_int(&sim->model->random, 0, (int)ARRAY_SIZE(errors) - 1);

	if (errors[which].kind == ERR_TIMEOUT)
		model_advance(sim->model, SECONDS(10));
	return err_set(err, errors[which].kind, "%s", errors[which].text);
}

bool world_api_fails(struct sim_world *sim)
{
	return random_chance(&sim->model->random, faults_api_permille(sim->model));
}

/* ------------------------------------------------------------------------------------------- looking */

static bool ask_one(struct sim_world *sim, struct server *server, bool *ret_half)
{
	struct model *model = sim->model;
	int ordinal = (int)server->ordinal;
	const struct server_truth *truth = &model->servers[ordinal];

	*ret_half = false;
	if (!view_can_ask(server))
		return false;
	/* All are asked at once, but not all answer at once. */
	if (random_chance(&model->random, 60))
		model_advance(model, TICK_MS);
	if (model->now < truth->silent_until || world_api_fails(sim)) {
		if (random_chance(&model->random, 300))
			model_advance(model, SECONDS(2));
		view_fail(&server->view, ERR_TIMEOUT, "no answer in time");
		return false;
	}
	if (!truth->agent.up) {
		view_fail(&server->view, ERR_UNREACHABLE, "connection refused");
		return false;
	}
	view_ask(model, ordinal, &server->view);
	*ret_half = model->faults_on && random_chance(&model->random, 10);
	if (*ret_half)
		view_lose_plane(&server->view, random_int(&model->random, 0, 2));
	return true;
}

static int world_observe(void *context, struct snapshot *ret_snapshot, struct err *err)
{
	struct sim_world *sim = context;
	bool has_leader = false;

	sim->kept = false;
	if (world_dies(sim))
		return world_interrupted(err);
	world_pass(sim);
	if (world_api_fails(sim)) {
		rules_look_ends(sim->rules, false);
		return world_api_error(sim, err);
	}
	rules_look_begins(sim->rules);
	view_kubernetes(sim->model, ret_snapshot);
	for (size_t i = 0; i < ret_snapshot->server_count; i++) {
		struct server *server = &ret_snapshot->servers[i];
		bool half, answered = ask_one(sim, server, &half);

		rules_look_asked(sim->rules, (int)server->ordinal, answered, half);
		has_leader |= answered && raft_leader_of(sim->model, (int)server->ordinal) >= 0;
	}
	if (world_api_fails(sim) || sim->hides_claims) {
		trace(sim->model, "the claims cannot be listed");
		view_lose_claims(ret_snapshot);
	}
	sim->rules->looking.claims_listed = ret_snapshot->claims_known;
	view_expect(sim->model, ret_snapshot, !world_api_fails(sim));
	view_autopilot(sim->model, ret_snapshot, has_leader);
	rules_look_ends(sim->rules, true);
	return world_dies(sim) ? world_interrupted(err) : 0;
}

static int world_keep(void *context, struct err *err)
{
	struct sim_world *sim = context;

	sim->kept = true;
	if (world_dies(sim))
		return world_interrupted(err);
	if (sim->model->faults_on && random_chance(&sim->model->random, 1)) {
		trace(sim->model, "fault: somebody else takes the lease");
		return err_set(err, ERR_CONFLICT, "the lease is somebody else's");
	}
	return 0;
}

/* -------------------------------------------------------------------------------------------- changes */

/* The change was made; whether the caller hears of it is another matter. */
int world_answer(struct sim_world *sim, struct err *err)
{
	struct model *model = sim->model;

	if (world_dies(sim))
		return world_interrupted(err);
	if (!world_api_fails(sim))
		return 0;
	trace(model, "fault: the answer is lost");
	if (random_chance(&model->random, 300))
		return err_set(err, ERR_UNREACHABLE, "connection reset by peer");
	model_advance(model, SECONDS(10));
	return err_set(err, ERR_TIMEOUT, "no answer in time");
}

/* Before a change is made. -1: it is not. */
int world_begin_change(struct sim_world *sim, struct err *err)
{
	if (!sim->kept)
		rules_violation(sim->rules, "lease", "a change without having asked whether it is still the only one");
	sim->kept = false;
	if (world_dies(sim))
		return world_interrupted(err);
	world_pass(sim);
	return world_api_fails(sim) ? world_api_error(sim, err) : 0;
}

/* It was sent, and nobody knows where it is: it may come about after all. */
void world_send_late(struct sim_world *sim, const struct err *err, struct late_change late)
{
	struct model *model = sim->model;

	if (err->kind != ERR_TIMEOUT || !random_chance(&model->random, 400))
		return;
	model->late = late;
	model->late.at = model->now + random_between(&model->random, 0, 3000);
}

static int world_set_replicas(void *context, const struct snapshot *seen, int64_t replicas, struct err *err)
{
	struct sim_world *sim = context;
	struct model *model = sim->model;
	_cleanup_free_ char *version = NULL;

	rules_order(sim->rules, ORDER_REPLICAS, (int)replicas);
	if (world_begin_change(sim, err) < 0) {
		struct late_change late = { .what = LATE_REPLICAS, .replicas = (int)replicas };

		if (str_to_int64(seen->set.resource_version, &late.version) == 0)
			world_send_late(sim, err, late);
		return -1;
	}
	version = xasprintf("%lld", (long long)model->set.version);
	if (!str_equal(version, seen->set.resource_version))
		return err_set(err, ERR_CONFLICT, "the object has been modified");
	trace(model, "order: replicas %d -> %d", model->set.replicas, (int)replicas);
	kubernetes_set_replicas(model, (int)replicas);
	return world_answer(sim, err);
}

static int world_set_expect(void *context, const struct snapshot *seen, int64_t expect, struct err *err)
{
	struct sim_world *sim = context;
	struct model *model = sim->model;

	rules_order(sim->rules, ORDER_EXPECT, (int)expect);
	if (!model->traits.deployed)
		return err_set(err, ERR_FAILED, "there is no such ConfigMap");
	if (world_begin_change(sim, err) < 0)
		return -1;
	if (seen->expect.expect != model->set.expect)
		return err_set(err, ERR_CONFLICT, "the object has been modified");
	trace(model, "order: bootstrap_expect %d", (int)expect);
	model->set.expect = (int)expect;
	return world_answer(sim, err);
}

static int world_delete_claim(void *context, const struct snapshot *seen, const char *name, struct err *err)
{
	struct sim_world *sim = context;
	struct model *model = sim->model;
	int ordinal = view_claim_ordinal(name);
	const struct claim *claim;
	_cleanup_free_ char *uid = NULL;
	const char *seen_uid = NULL;

	if (ordinal < 0) {
		rules_violation(sim->rules, "7 claims", "no claim of ours: %s", name);
		return err_set(err, ERR_FAILED, "no such claim");
	}
	rules_order(sim->rules, ORDER_DELETE_CLAIM, ordinal);
	if (world_begin_change(sim, err) < 0)
		return -1;
	for (size_t i = 0; i < seen->claim_count; i++)
		if (str_equal(seen->claims[i].name, name))
			seen_uid = seen->claims[i].uid;
	claim = &model->servers[ordinal].claim;
	uid = xasprintf("uid-%d", claim->uid);
	if (!claim->exists || !str_equal(uid, seen_uid))
		return 0;
	trace(model, "order: delete claim %d", ordinal);
	kubernetes_delete_claim(model, ordinal);
	return world_answer(sim, err);
}

static int world_delete_pod(void *context, const struct snapshot *seen, const char *name, struct err *err)
{
	struct sim_world *sim = context;
	struct model *model = sim->model;
	const struct server *server = snapshot_server_by_name(seen, name);
	int ordinal = view_ordinal(name);
	_cleanup_free_ char *uid = NULL;

	if (ordinal < 0 || !server || !server->has_pod) {
		rules_violation(sim->rules, "9 wishes", "no pod of ours is deleted: %s", name);
		return err_set(err, ERR_FAILED, "no such pod");
	}
	rules_order(sim->rules, ORDER_RESTART, ordinal);
	if (world_begin_change(sim, err) < 0) {
		world_send_late(sim, err,
		                (struct late_change){ .what = LATE_DELETE,
		                                      .ordinal = ordinal,
		                                      .uid = sim->rules->seen.servers[ordinal].uid });
		return -1;
	}
	uid = xasprintf("uid-%d", model->servers[ordinal].pod.uid);
	if (model->servers[ordinal].pod.phase == PHASE_NONE || !str_equal(uid, server->pod.uid))
		return 0;
	trace(model, "order: delete pod %d", ordinal);
	kubernetes_restart_pod(model, ordinal);
	return world_answer(sim, err);
}

/* -------------------------------------------------------------------------------------- the rules */

/* The order as the rules know it, and what it is about. */
static enum order order_of(const struct sim_world *sim, const struct step *step, int *ret_subject)
{
	*ret_subject = (int)step->number;
	switch (step->kind) {
	case STEP_REPLICAS:
		return ORDER_REPLICAS;
	case STEP_EXPECT:
		return ORDER_EXPECT;
	case STEP_MIN_QUORUM:
		return ORDER_MIN_QUORUM;
	case STEP_TRANSFER_LEADER:
		return ORDER_TRANSFER;
	case STEP_LEAVE:
		*ret_subject = view_ordinal(step->through);
		return ORDER_LEAVE;
	case STEP_FORCE_LEAVE:
		*ret_subject = view_ordinal(step->object);
		return ORDER_FORCE_LEAVE;
	case STEP_PRUNE:
		*ret_subject = view_ordinal(step->object);
		return ORDER_PRUNE;
	case STEP_REMOVE_PEER:
		*ret_subject = world_peer_id(sim, step);
		return ORDER_REMOVE_PEER;
	case STEP_DELETE_CLAIM:
		*ret_subject = view_claim_ordinal(step->object);
		return ORDER_DELETE_CLAIM;
	case STEP_JOIN:
		*ret_subject = view_ordinal(step->through);
		return ORDER_JOIN;
	case STEP_RESTART:
		*ret_subject = view_ordinal(step->object);
		return ORDER_RESTART;
	}
	return ORDER_NONE;
}

void world_check_order(struct sim_world *sim, const struct step *step)
{
	int subject;
	enum order order = order_of(sim, step, &subject);

	if (subject < 0 && order != ORDER_REMOVE_PEER)
		rules_violation(sim->rules, "9 wishes", "%s: nobody of ours", step->text);
	else
		rules_order(sim->rules, order, subject);
}

/* ---------------------------------------------------------------------------------------------- time */

static int64_t world_now_ms(void *context)
{
	struct sim_world *sim = context;

	if (++sim->idle_calls < IDLE_MAX)
		return sim->model->now;
	/* No way to end it from here. */
	rules_violation(sim->rules, "9 hang", "the tool asks for the time again and again");
	exit(1);
}

static int world_sleep(void *context, int64_t milliseconds, struct err *err)
{
	struct sim_world *sim = context;

	if (world_dies(sim))
		return world_interrupted(err);
	if (milliseconds > 0) {
		sim->idle_calls = 0;
		model_advance(sim->model, (milliseconds + TICK_MS - 1) / TICK_MS * TICK_MS);
	}
	return world_dies(sim) ? world_interrupted(err) : 0;
}

void sim_world(struct sim_world *sim, struct model *model, struct rules *rules, struct world *ret_world)
{
	*sim = (struct sim_world){ .model = model, .rules = rules };
	*ret_world = (struct world){
		.context = sim,
		.observe = world_observe,
		.keep = world_keep,
		.set_replicas = world_set_replicas,
		.set_expect = world_set_expect,
		.tell = world_tell,
		.delete_claim = world_delete_claim,
		.delete_pod = world_delete_pod,
		.crash = world_crash,
		.remove_peers = world_remove_peers,
		.inspect = world_inspect,
		.now_ms = world_now_ms,
		.sleep = world_sleep,
	};
}

void sim_tell(void *context, const struct act_event *event)
{
	static const char *const names[] = { "step", "done", "waiting", "note" };
	struct sim_world *sim = context;

	if (event->kind == ACT_STEP && sim->forecast)
		forecast_check(sim, event->step);
	/* Something came between. */
	if (event->kind == ACT_NOTE)
		sim->forecast = NULL;
	if (event->kind == ACT_DONE && event->step) {
		int subject;
		enum order order = order_of(sim, event->step, &subject);

		rules_effect(sim->rules, order, subject);
	}
	if (!event->again)
		trace(sim->model, "tool %s: %s", names[event->kind], event->text);
}
