/* See include/consul/act.h. How one step is done, and what its outcome means, is in act_do.c. */
#include "consul/act.h"

#include <stdlib.h>

#include "consul/act_parts.h"
#include "util/clock.h"
#include "util/mem.h"

/* How long something may look hopeless (an image that cannot be pulled) before it counts as that. */
#define BROKEN_MS ((int64_t)60 * 1000)
/* The same of a server that has just run by another template: kubelet has tried twice to pull its image by then. */
#define BROKEN_ANEW_MS ((int64_t)25 * 1000)
/* A pod that stops may take its whole grace period, and kubelet some time on top. */
#define STOP_SLACK_MS ((int64_t)90 * 1000)
/* Kubernetes' events are read only about what is waited for this long already, and not at every look. */
#define EXPLAIN_AFTER_MS ((int64_t)3 * 1000)
#define EXPLAIN_EVERY_MS ((int64_t)5 * 1000)

void act_event(const struct run *run, enum act_event_kind kind, const char *text)
{
	struct act_event event = { .kind = kind, .text = text, .number = run->result->steps + 1 };

	if (!run->options->tell)
		return;
	if (kind == ACT_STEP || kind == ACT_DONE) {
		event.step = run->result->pending;
		event.took_ms = act_now(run) - run->begun_ms;
	}
	if (kind == ACT_WAITING)
		event.again = str_equal(text, run->result->waiting_for);
	run->options->tell(run->options->tell_context, &event);
}

int64_t act_now(const struct run *run)
{
	return run->world->now_ms(run->world->context);
}

/* The longest that one step's effect is waited for. */
static int64_t step_limit_ms(const struct run *run)
{
	int64_t stop_ms = run->result->last.set.grace_seconds * 1000 + STOP_SLACK_MS;

	if (run->options->step_ms > 0)
		return run->options->step_ms;
	return stop_ms > ACT_STEP_MS ? stop_ms : ACT_STEP_MS;
}

static int64_t broken_limit_ms(const struct run *run)
{
	return run->goal.kind == GOAL_ROLLOUT ? BROKEN_ANEW_MS : BROKEN_MS;
}

/* ---------------------------------------------------------------------------------------- looking */

/* A look that fails for now is tried again for a while; *ret_looked is false then. */
static int look(struct run *run, bool *ret_looked, struct err *err)
{
	struct snapshot snapshot = SNAPSHOT_INIT;
	_cleanup_err_ struct err failure = ERR_INIT;
	_cleanup_free_ char *text = NULL;
	int64_t limit_ms, begun_ms = act_now(run);

	*ret_looked = run->world->observe(run->world->context, &snapshot, &failure) == 0;
	if (*ret_looked) {
		snapshot_release(&run->result->last);
		run->result->last = snapshot;
		run->result->seen = true;
		run->looked_ms = begun_ms;
		run->blind_since_ms = CLOCK_NEVER;
		return 0;
	}
	snapshot_release(&snapshot);
	if (run->blind_since_ms == CLOCK_NEVER)
		run->blind_since_ms = act_now(run);
	limit_ms = run->result->seen ? step_limit_ms(run) : ACT_PATIENCE_MS;
	if (!err_leaves_open(&failure) || act_now(run) - run->blind_since_ms >= limit_ms)
		return err_move(err, &failure);
	/* Cut short by the end of all: what was waited for says more. */
	if (run->result->waiting_for && act_now(run) >= run->options->deadline_ms)
		return 0;
	text = xasprintf("cannot look at the cluster: %s", failure.message);
	act_wait(run, text);
	return 0;
}

void act_wait(struct run *run, const char *text)
{
	act_event(run, ACT_WAITING, text);
	replace_string(&run->result->waiting_for, xstrdup(text));
}

/* --------------------------------------------------------------------------------------- waiting */

/* Waiting for something else than before: its time begins. */
static void note_subject(struct run *run, const struct plan *plan)
{
	if (run->subject && str_equal(run->subject, plan->subject ? plan->subject : ""))
		return;
	replace_string(&run->subject, xstrdup(plan->subject ? plan->subject : ""));
	run->since_ms = act_now(run);
	run->broken_since_ms = run->explained_ms = CLOCK_NEVER;
}

static int explain(struct run *run, struct plan *plan, struct err *err)
{
	int64_t now_ms = act_now(run);

	if (!run->world->explain || !plan->look_at_events || !plan->subject ||
	    now_ms - run->since_ms < EXPLAIN_AFTER_MS)
		return 0;
	if (run->explained_ms != CLOCK_NEVER && now_ms - run->explained_ms < EXPLAIN_EVERY_MS) {
		if (str_starts_with(run->explained, plan->text))
			replace_string(&plan->text, xstrdup(run->explained));
		plan->broken |= run->explained_broken;
		return 0;
	}
	run->explained_ms = now_ms;
	if (run->world->explain(run->world->context, &run->result->last, plan, err) < 0)
		return -1;
	replace_string(&run->explained, xstrdup(plan->text));
	run->explained_broken = plan->broken;
	return 0;
}

/* What to look at: a pod that does not exist has no events, its StatefulSet has. */
static int hint_describe(const struct run *run, const char *name, struct err *err)
{
	const struct snapshot *snapshot = &run->result->last;
	const struct server *server = snapshot_server_by_name(snapshot, name);
	bool has_pod = server && server->has_pod;

	return err_hint(err, "kubectl describe %s %s -n %s tells more", has_pod ? "pod" : "statefulset",
	                has_pod ? name : snapshot->set.name,
	                snapshot->namespace_name ? snapshot->namespace_name : "default");
}

static int give_up(struct run *run, const struct plan *plan, enum err_kind kind, struct err *err)
{
	_cleanup_free_ char *waited = clock_format_age((act_now(run) - run->since_ms) / 1000);

	err_set(err, kind, "gave up after %s%s %s", waited, plan->kind == PLAN_WAIT ? ", waiting for" : ":",
	        plan->text);
	return plan->subject ? hint_describe(run, plan->subject, err) : -1;
}

/* A wait is over when it takes too long. */
static int wait_for(struct run *run, struct plan *plan, struct err *err)
{
	note_subject(run, plan);
	if (explain(run, plan, err) < 0)
		return -1;
	act_wait(run, plan->text);
	if (!plan->broken)
		run->broken_since_ms = CLOCK_NEVER;
	else if (run->broken_since_ms == CLOCK_NEVER)
		run->broken_since_ms = act_now(run);
	if (run->broken_since_ms != CLOCK_NEVER && act_now(run) - run->broken_since_ms >= broken_limit_ms(run))
		return give_up(run, plan, ERR_FAILED, err);
	if (act_now(run) - run->since_ms >= step_limit_ms(run))
		return give_up(run, plan, ERR_TIMEOUT, err);
	return 0;
}

/* Elections and restarts pass, all the more when it was our step that brought them about. */
static int wait_to_pass(struct run *run, struct plan *plan, struct err *err)
{
	bool begun = run->result->pending || run->result->steps > 0;
	int64_t patience_ms = !begun ? ACT_PATIENCE_MS : plan->broken ? broken_limit_ms(run) : step_limit_ms(run);

	if (plan->subject)
		note_subject(run, plan);
	if (run->refused_since_ms == CLOCK_NEVER)
		run->refused_since_ms = act_now(run);
	if (plan->may_pass && explain(run, plan, err) < 0)
		return -1;
	if (plan->may_pass && act_now(run) - run->refused_since_ms < patience_ms) {
		act_wait(run, plan->text);
		return 0;
	}
	return begun && plan->broken ? give_up(run, plan, ERR_FAILED, err) : plan_refusal(plan, err);
}

/* --------------------------------------------------------------------------------------- deciding */

/* Deleted and made anew meanwhile: not the cluster that the goal was for. */
static int check_identity(struct run *run, struct err *err)
{
	const struct kube_statefulset *set = &run->result->last.set;

	if (!run->uid && set->uid)
		run->uid = xstrdup(set->uid);
	if (!run->uid || str_equal(run->uid, set->uid))
		return 0;
	return err_set(err, ERR_CONFLICT, "statefulset \"%s\" was deleted and made anew meanwhile", set->name);
}

/* Whoever changes the replicas besides us has other plans: two of us would go on for ever. */
static int check_replicas(struct run *run, struct err *err)
{
	int64_t replicas = run->result->last.set.replicas, expected = run->expected_replicas;

	run->expected_replicas = replicas;
	if (expected < 0 || expected == replicas || replicas == run->ordered_replicas)
		return 0;
	err_set(err, ERR_CONFLICT,
	        "somebody else changed the replicas of statefulset \"%s\" meanwhile, from %lld to %lld",
	        run->result->last.set.name, (long long)expected, (long long)replicas);
	return err_hint(err, "an autoscaler, a GitOps controller or a colleague: agree on the number first");
}

/* One look, and what it asks for. *ret_over: the goal is reached. */
static int turn(struct run *run, bool *ret_over, struct err *err)
{
	struct plan plan = PLAN_INIT;
	bool looked = false;
	int status = run->world->keep(run->world->context, err);

	if (status == 0)
		status = look(run, &looked, err);
	if (status == 0 && looked)
		status = check_identity(run, err);
	if (status == 0 && looked && run->goal.kind == GOAL_SCALE)
		status = check_replicas(run, err);
	if (status < 0 || !looked)
		return status;
	act_note_gone(run);
	plan_next(&run->result->last, &run->goal, &plan);
	if (plan.kind != PLAN_REFUSE)
		run->refused_since_ms = CLOCK_NEVER;
	switch (plan.kind) {
	case PLAN_DONE:
		act_finish_step(run);
		*ret_over = true;
		break;
	case PLAN_STEP:
		status = act_step(run, &plan.step, step_limit_ms(run), err);
		break;
	case PLAN_WAIT:
		act_finish_if_shown(run);
		status = wait_for(run, &plan, err);
		break;
	case PLAN_REFUSE:
		status = wait_to_pass(run, &plan, err);
		break;
	}
	plan_release(&plan);
	return status;
}

static int time_is_up(const struct run *run, struct err *err)
{
	const char *waiting_for = run->result->waiting_for;

	return err_set(err, ERR_TIMEOUT, "timed out%s%s", waiting_for ? "; seen last: " : "",
	               waiting_for ? waiting_for : "");
}

static int run_turns(struct run *run, struct err *err)
{
	bool over = false;

	while (!over) {
		if (act_now(run) >= run->options->deadline_ms)
			return time_is_up(run, err);
		if (turn(run, &over, err) < 0)
			return -1;
		if (!over && run->world->sleep(run->world->context, run->at_once ? 0 : ACT_INTERVAL_MS, err) < 0)
			return -1;
		run->at_once = false;
	}
	return 0;
}

static void begin_run(const struct world *world, const struct act_options *options, struct act_result *result,
                      struct run *ret_run)
{
	*ret_run = (struct run){
		.world = world,
		.options = options,
		.result = result,
		.goal = *options->goal,
		.expected_replicas = -1,
		.ordered_replicas = -1,
		.blind_since_ms = CLOCK_NEVER,
		.refused_since_ms = CLOCK_NEVER,
		.broken_since_ms = CLOCK_NEVER,
		.explained_ms = CLOCK_NEVER,
	};
	ret_run->goal.gone = &ret_run->gone;
	ret_run->since_ms = act_now(ret_run);
}

static void end_run(struct run *run)
{
	free(run->subject);
	free(run->explained);
	free(run->cannot_leave);
	free(run->uid);
	strv_release(&run->gone);
	strv_release(&run->noted);
}

int act(const struct world *world, const struct act_options *options, struct act_result *ret_result, struct err *err)
{
	struct run run;
	int status;

	begin_run(world, options, ret_result, &run);
	status = run_turns(&run, err);
	end_run(&run);
	return status;
}

int act_look(const struct world *world, const struct act_options *options, struct snapshot *ret_snapshot,
             struct err *err)
{
	struct act_result result = ACT_RESULT_INIT;
	struct plan plan = PLAN_INIT;
	struct run run;
	bool looked = false, passing = false;
	int status = 0;

	begin_run(world, options, &result, &run);
	do {
		if (passing || run.blind_since_ms != CLOCK_NEVER)
			status = world->sleep(world->context, ACT_INTERVAL_MS, err);
		if (status == 0)
			status = look(&run, &looked, err);
		if (status == 0 && looked) {
			plan_release(&plan);
			plan_next(&result.last, &run.goal, &plan);
			passing =
			    plan.kind == PLAN_REFUSE && plan.may_pass && act_now(&run) - run.since_ms < ACT_PATIENCE_MS;
			if (passing)
				act_wait(&run, plan.text);
		}
		if (status == 0 && act_now(&run) >= options->deadline_ms)
			status = time_is_up(&run, err);
	} while (status == 0 && (!looked || passing));
	plan_release(&plan);
	*ret_snapshot = result.last;
	result.last = (struct snapshot)SNAPSHOT_INIT;
	act_result_release(&result);
	end_run(&run);
	return status;
}

void act_result_release(struct act_result *result)
{
	if (result->pending)
		step_release(result->pending);
	free(result->pending);
	free(result->waiting_for);
	snapshot_release(&result->last);
	*result = (struct act_result)ACT_RESULT_INIT;
}
