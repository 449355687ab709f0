/* See story.h. */
#include "story.h"

#include <stdio.h>
#include <string.h>

#include "util/mem.h"
#include "story_parts.h"
#include "view.h"

#define SETTLE_MS    SECONDS(20)
#define RECOVER_MS   MINUTES(3)  /* what the cluster itself may take to be well after the last fault */
#define RUNS_MAX     16          /* of the tool, once all is quiet */
#define OVERTIME_MS  SECONDS(60) /* the last call of a run may take that long */
#define OLD_CLAIM_MS HOURS(168)

/* What is wished for: a scale below the first, a reap below the second, and so on; else a drill. */
#define SCALE_PERCENT   38
#define REAP_PERCENT    54
#define ROLLOUT_PERCENT 76
#define RECOVER_PERCENT 92

static int scaled_to(const struct story *story)
{
	return story->model.set.replicas;
}

/* ------------------------------------------------------------------------------------ what was before */

/* The disk of a server of earlier days: its log is old, and its peer set is what it was then. */
static void leave_claim(struct model *model, int ordinal)
{
	struct claim *claim = &model->servers[ordinal].claim;
	bool is_peer = random_chance(&model->random, 500);

	*claim = (struct claim){ .exists = true, .uid = ++model->uids };
	claim->created_at = -HOURS(random_between(&model->random, 1, 24 * 14));
	/* Nobody remembers the server: that takes three days. */
	claim->used_at = claim->created_at;
	if (claim->created_at < -HOURS(73))
		claim->used_at = random_between(&model->random, claim->created_at, -HOURS(73));
	if (random_chance(&model->random, 300))
		return;
	claim->data.id = ++model->ids;
	claim->data.term = 1;
	claim->data.log = (struct raft_log){ .last = 500, .terms = 1, .term = { { .first = 1, .term = 1 } } };
	claim->data.config = model->committed;
	if (is_peer)
		claim->data.config.peers[claim->data.config.count++] =
		    (struct raft_peer){ .id = claim->data.id, .ip = ++model->ips, .voter = true };
	claim->data.config.index = 400;
	trace(model, "a claim of ordinal %d is left of earlier days, %lld h old", ordinal,
	      (long long)(-claim->created_at / HOURS(1)));
}

static void begin(struct story *story, uint64_t seed, bool verbose)
{
	struct model *model = &story->model;
	struct random first = { seed ^ 0x51ed };
	int servers = random_chance(&first, 100) ? 7 : random_int(&first, 1, 5);

	model->rules = &story->rules;
	story->rules.model = model;
	model_init(model, seed, servers, verbose);
	for (int ordinal = model->traits.start + servers; ordinal < model->traits.start + 7; ordinal++)
		if (random_chance(&model->random, 150))
			leave_claim(model, ordinal);
	model_advance(model, SETTLE_MS);
}

/* ---------------------------------------------------------------------------------------------- goals */

/* Somebody who knows no better scales down, and waits for a while or does not. */
static void scale_down_bare(struct story *story, int seconds)
{
	struct model *model = &story->model;
	int replicas = scaled_to(story), fewer;

	if (replicas < 2)
		return;
	fewer = random_chance(&model->random, 800) ? replicas - random_int(&model->random, 1, (replicas + 1) / 2)
	                                           : random_int(&model->random, 1, replicas - 1);
	if (fewer < 1)
		fewer = 1;
	trace(model, "somebody scales from %d to %d", replicas, fewer);
	for (int i = model->traits.start + fewer; i < ORDINALS; i++)
		model->servers[i].hurt = true;
	kubernetes_set_replicas(model, fewer);
	model_advance(model, random_between(&model->random, 0, seconds) * 1000);
}

static void choose_scale(struct story *story, struct goal *goal)
{
	struct model *model = &story->model;
	struct wish *wish = &story->rules.wish;
	int replicas = random_chance(&model->random, 100) ? 7 : random_int(&model->random, 1, 5);
	bool odd_one;

	if (random_chance(&model->random, 150))
		scale_down_bare(story, 10);
	if (replicas == scaled_to(story))
		replicas = random_int(&model->random, 1, 5);
	odd_one = replicas % 2 == 0 || replicas < 3;
	*wish = (struct wish){ .scale = true, .replicas = replicas };
	wish->force = random_chance(&model->random, odd_one ? 900 : 300);
	wish->delete_claims = random_chance(&model->random, 250);
	goal->kind = GOAL_SCALE;
	goal->replicas = replicas;
	goal->force = wish->force;
	goal->delete_claims = wish->delete_claims;
	trace(model, "GOAL scale %d -> %d%s%s", scaled_to(story), replicas, wish->force ? " --force" : "",
	      wish->delete_claims ? " --delete-claims" : "");
}

/* A wanted server that is down for long may be reaped by whoever names it. */
static void choose_dead(struct story *story)
{
	struct model *model = &story->model;
	int ordinal = model->traits.start + random_int(&model->random, 0, scaled_to(story) - 1);
	struct server_truth *server = &model->servers[ordinal];

	if (scaled_to(story) < 3 || server->pod.phase == PHASE_NONE)
		return;
	trace(model, "server %d is down for long", ordinal);
	server->hurt = true;
	kubernetes_lose_pod(model, ordinal);
	model_advance(model, SECONDS(3));
	server->pod.unschedulable_until = model->now + SECONDS(random_between(&model->random, 20, 200));
	faults_last_until(model, server->pod.unschedulable_until);
	model_advance(model, SECONDS(random_between(&model->random, 0, 20)));
	story->rules.wish.named[ordinal] = story->rules.wish.any_named = true;
	strv_take(&story->names, view_node_name(model, ordinal));
}

static void choose_names(struct story *story)
{
	struct model *model = &story->model;
	struct wish *wish = &story->rules.wish;

	if (random_chance(&model->random, 300))
		choose_dead(story);

	for (int i = 0; i < ORDINALS; i++) {
		if (wanted(model, i) || model->servers[i].claim.data.id == 0 || !random_chance(&model->random, 600))
			continue;
		wish->named[i] = wish->any_named = true;
		strv_take(&story->names, view_node_name(model, i));
	}
}

static void choose_reap(struct story *story, struct goal *goal)
{
	struct model *model = &story->model;
	struct wish *wish = &story->rules.wish;

	if (random_chance(&model->random, 700))
		scale_down_bare(story, 90);
	*wish = (struct wish){ .replicas = scaled_to(story), .prune = random_chance(&model->random, 400) };
	if (random_chance(&model->random, 300))
		choose_names(story);
	goal->kind = GOAL_REAP;
	goal->prune = wish->prune;
	goal->servers = wish->any_named ? &story->names : NULL;
	trace(model, "GOAL reap%s%s", wish->prune ? " --prune" : "", wish->any_named ? " by name" : "");
}

/* -------------------------------------------------------------------------------------- was it right */

static bool has_old_claim(const struct story *story)
{
	const struct model *model = &story->model;

	for (int i = 0; i < ORDINALS; i++)
		if (model->servers[i].claim.exists && model->now - model->servers[i].claim.created_at > OLD_CLAIM_MS &&
		    model->servers[i].pod.phase == PHASE_NONE && i < model->traits.start + story->rules.wish.replicas)
			return true;
	return false;
}

/* Peers that nobody can tell from servers elsewhere. */
static bool has_strangers(const struct model *model)
{
	int own = 0;

	for (int i = 0; i < ORDINALS; i++)
		own += wanted(model, i) && raft_find(&model->committed, model->servers[i].claim.data.id);
	return model->committed.count > own;
}

/* A refusal, or the end of somebody's patience, that the truth gives a reason for. */
static bool is_right(const struct story *story, const struct err *err)
{
	const struct wish *wish = &story->rules.wish;
	const struct model *model = &story->model;

	/* What cannot be had is given up. */
	if (wish->flawed)
		return err->kind == ERR_REFUSED || err->kind == ERR_FAILED || err->kind == ERR_TIMEOUT;
	if (err->kind != ERR_REFUSED)
		return false;
	if (rules_is_split(&story->rules))
		return true;
	if (wish->scale && story->model.set.expect == 1 && !story->model.traits.deployed)
		return true;
	/* Somebody has brought back what was named. */
	for (int i = 0; i < ORDINALS; i++)
		if (wish->named[i] && story->model.servers[i].pod.phase != PHASE_NONE)
			return true;
	/* Two servers, one of which may die at any time, and cannot be told to leave first. */
	if (model->traits.leave_forbidden && raft_voters(&model->committed) == 2 &&
	    (wish->rollout || (wish->scale && wish->replicas == 1)))
		return true;
	/* A voter that nobody is. */
	if (wish->rollout && has_strangers(model))
		return true;
	if (!wish->scale)
		return false;
	if (!wish->force && (wish->replicas % 2 == 0 || wish->replicas < 3))
		return true;
	if (!wish->force && !wish->delete_claims && has_old_claim(story))
		return true;
	return wish->strangers_stay && has_strangers(&story->model);
}

/* ------------------------------------------------------------------------------------------ the runs */

void story_begin_run(struct story *story)
{
	static const int64_t limits[] = { MINUTES(1), MINUTES(5), MINUTES(10), MINUTES(30) };
	struct model *model = &story->model;

	story->deadline_ms = model->now + limits[random_int(&model->random, 0, 3)];
	sim_world(&story->sim, model, &story->rules, &story->world);
	story->sim.may_kill = true;
	story->rules.seen = (struct seen){ 0 };
	story->totals->runs++;
	trace(model, "the tool starts");
}

void story_end_run(struct story *story, int status, const struct err *err)
{
	struct model *model = &story->model;

	trace(model, "the tool ends: %s", status == 0 ? "done" : err->message ? err->message : "?");
	if (model->now > story->deadline_ms + OVERTIME_MS)
		rules_violation(&story->rules, "9 hang", "the tool ran for %lld s beyond its deadline",
		                (long long)((model->now - story->deadline_ms) / 1000));
	if (status == 0 ? err_is_set(err) : !err_is_set(err) || str_is_empty(err->message))
		rules_violation(&story->rules, "9 wishes", "a result of %d that says something else", status);
	story->totals->killed += story->sim.killed;
}

int story_run_act(struct story *story, const struct goal *goal, struct err *err)
{
	struct model *model = &story->model;
	struct act_options options = { .goal = goal, .tell = sim_tell, .tell_context = &story->sim };
	struct act_result result = ACT_RESULT_INIT;
	int status;

	options.deadline_ms = story->deadline_ms;
	status = act(&story->world, &options, &result, err);
	if (status == 0) {
		forecast_end(&story->sim);
		/* What the leader has decided and the others have not learnt is done, too. */
		if (rules_missing(&story->rules))
			model_advance(model, SECONDS(2));
		rules_done(&story->rules);
	}
	if (status == 0 && result.pending)
		rules_violation(&story->rules, "9 wishes", "it says it is done, and is at: %s", result.pending->text);
	act_result_release(&result);
	return status;
}

static int run_act(struct story *story, const struct goal *goal, struct err *err)
{
	struct model *model = &story->model;
	struct forecast forecast = { .steps = STEPS_INIT };
	int status;

	/* Deploy applies updateStrategy OnDelete each time before it replaces anything: somebody may have changed it.
	 */
	if (story->rules.wish.rollout && !model->set.on_delete)
		kubernetes_set_template(model, model->set.template, true);
	if (model->traits.disturbance == 0 && !model->traits.leave_forbidden &&
	    forecast_make(&story->sim, &story->world, goal, &forecast))
		story->sim.forecast = &forecast;
	status = story_run_act(story, goal, err);
	steps_release(&forecast.steps);
	return status;
}

const struct pursuit story_act = { run_act, is_right };

static void wait_until_quiet(struct story *story)
{
	struct model *model = &story->model;

	while (model->now <= model->quiet_at)
		model_advance(model, model->quiet_at - model->now + SECONDS(1));
}

/* True: it is over, well or not. */
static bool judge_run(struct story *story, const struct pursuit *pursuit, int status, const struct err *err, int runs)
{
	const char *missing;

	if (status == 0) {
		story->totals->reached++;
		return true;
	}
	if (pursuit->is_right(story, err)) {
		story->totals->refused++;
		return true;
	}
	if (!story->rules.wish.recover && rules_is_lost(&story->rules)) {
		story->totals->lost++;
		return true;
	}
	if (runs < RUNS_MAX && err->kind != ERR_REFUSED)
		return false;
	missing = rules_missing(&story->rules);
	rules_violation(&story->rules, "9 liveness", "%s; in truth: %s", err->message,
	                missing ? missing : "all is done");
	return true;
}

bool story_is_calm(const struct story *story)
{
	return story->model.now > story->model.quiet_at + RECOVER_MS;
}

void story_pursue(struct story *story, const struct goal *goal, const struct pursuit *pursuit)
{
	struct model *model = &story->model;
	int quiet_runs = 0;
	bool over = false;

	faults_begin(model, random_between(&model->random, 0, 240) * 1000);
	/* Only the run that scaled them away knows that they are nobody else's. */
	story->rules.wish.strangers_stay = model->traits.own_names;
	while (!over && story->rules.violations == 0) {
		_cleanup_err_ struct err err = ERR_INIT;
		bool was_quiet = story_is_calm(story);
		int status;

		story_begin_run(story);
		status = pursuit->run(story, goal, &err);
		story_end_run(story, status, &err);
		was_quiet &= story_is_calm(story);
		quiet_runs += was_quiet;
		if (was_quiet || (status == 0 && model->now > model->quiet_at + SHAKEN_MS)) {
			over = judge_run(story, pursuit, status, &err, quiet_runs);
		} else if (status == 0 || err.kind != ERR_INTERRUPTED) {
			/* As a person would: when things have calmed down, or at once. */
			if (random_chance(&model->random, 500))
				wait_until_quiet(story);
			if (!model->faults_on)
				model_advance(model, RECOVER_MS / 2);
		}
		if (!over)
			model_advance(model, random_between(&model->random, 1, 20) * 1000);
	}
}

bool story_run(uint64_t seed, bool verbose, struct totals *totals)
{
	struct story story = { .totals = totals };
	struct random later;
	int goals;

	begin(&story, seed, verbose);
	later = (struct random){ seed ^ 0xface };
	goals = random_int(&later, 1, 3);
	for (int i = 0; i < goals && story.rules.violations == 0; i++) {
		struct goal goal = GOAL_INIT;
		int kind = random_int(&later, 0, 99);

		if (kind < SCALE_PERCENT)
			choose_scale(&story, &goal);
		else if (kind < REAP_PERCENT)
			choose_reap(&story, &goal);
		if (kind < REAP_PERCENT)
			story_pursue(&story, &goal, &story_act);
		else if (kind < ROLLOUT_PERCENT)
			story_rollout(&story);
		else if (kind < RECOVER_PERCENT)
			story_recover(&story);
		else
			story_drill(&story);
		strv_release(&story.names);
		if (rules_is_lost(&story.rules) || (story.rules.wish.recover && rules_missing(&story.rules)))
			break;
	}
	if (story.rules.violations)
		model_tell(&story.model);
	totals->seeds++;
	totals->orders += story.rules.orders;
	totals->violations += story.rules.violations > 0;
	totals->minutes += story.model.now / MINUTES(1);
	return story.rules.violations == 0;
}
