#include "act_script.h"

#include <fnmatch.h>
#include <inttypes.h>

#include <criterion/criterion.h>

#include "util/mem.h"
#include "util/str.h"

#define HOUR_MS ((int64_t)3600 * 1000)

/* ---------------------------------------------------------------------------------------- scenes */

void three(struct snapshot *snapshot)
{
	sample_init(snapshot, 3);
}

void three_to_replace(struct snapshot *snapshot)
{
	sample_init(snapshot, 3);
	sample_new_template(snapshot);
}

void three_to_be_told_to_leave(struct snapshot *snapshot)
{
	three_to_replace(snapshot);
	sample_set_leave_on_terminate(snapshot, 0);
}

void third_has_left_to_be_replaced(struct snapshot *snapshot)
{
	three_to_be_told_to_leave(snapshot);
	sample_leave(snapshot, 2);
}

void second_does_not_answer(struct snapshot *snapshot)
{
	three_to_be_told_to_leave(snapshot);
	sample_silence(snapshot, 1, ERR_TIMEOUT, "timed out");
}

void third_stops_to_be_replaced(struct snapshot *snapshot)
{
	three_to_replace(snapshot);
	snapshot->servers[2].pod.deleting = true;
}

void third_is_replaced(struct snapshot *snapshot)
{
	three_to_replace(snapshot);
	sample_renew(snapshot, 2);
}

void third_is_replaced_and_broken(struct snapshot *snapshot)
{
	third_is_replaced(snapshot);
	sample_never_ran(snapshot, 2, "ErrImagePull");
	sample_leave(snapshot, 2);
}

void third_is_replaced_and_starts(struct snapshot *snapshot)
{
	third_is_replaced(snapshot);
	sample_never_ran(snapshot, 2, "ContainerCreating");
	sample_leave(snapshot, 2);
}

void leader_is_left_to_replace(struct snapshot *snapshot)
{
	third_is_replaced(snapshot);
	sample_renew(snapshot, 1);
}

void new_one_leads(struct snapshot *snapshot)
{
	leader_is_left_to_replace(snapshot);
	sample_lead(snapshot, 1);
}

void three_replaced(struct snapshot *snapshot)
{
	new_one_leads(snapshot);
	sample_renew(snapshot, 0);
}

void four(struct snapshot *snapshot)
{
	sample_init(snapshot, 4);
}

void five(struct snapshot *snapshot)
{
	sample_init(snapshot, 5);
}

void fourth_has_no_pod(struct snapshot *snapshot)
{
	sample_init(snapshot, 4);
	sample_lose_pod(snapshot, 3);
	sample_forget_member(snapshot, -1, "consul-3");
	sample_forget_peer(snapshot, -1, "consul-3");
}

void fourth_does_not_vote(struct snapshot *snapshot)
{
	sample_init(snapshot, 4);
	sample_set_voter(snapshot, -1, "consul-3", false);
}

void fourth_is_broken(struct snapshot *snapshot)
{
	sample_init(snapshot, 4);
	sample_never_ran(snapshot, 3, "ImagePullBackOff");
	sample_forget_member(snapshot, -1, "consul-3");
	sample_forget_peer(snapshot, -1, "consul-3");
}

/* The replica is taken away, and the pod stops. */
void fourth_stops(struct snapshot *snapshot)
{
	sample_init(snapshot, 4);
	sample_set_replicas(snapshot, 3);
	snapshot->servers[3].pod.deleting = true;
}

void three_and_one_failed(struct snapshot *snapshot)
{
	sample_init(snapshot, 4);
	sample_scale(snapshot, 3, MEMBER_FAILED);
}

void three_and_one_left(struct snapshot *snapshot)
{
	sample_init(snapshot, 4);
	sample_scale(snapshot, 3, MEMBER_LEFT);
	sample_forget_peer(snapshot, -1, "consul-3");
}

void three_without_a_leader(struct snapshot *snapshot)
{
	sample_init(snapshot, 3);
	sample_no_leader(snapshot);
}

void four_without_a_leader(struct snapshot *snapshot)
{
	sample_init(snapshot, 4);
	sample_no_leader(snapshot);
}

void three_rolling(struct snapshot *snapshot)
{
	sample_init(snapshot, 3);
	sample_roll(snapshot, 1);
}

void four_of_others(struct snapshot *snapshot)
{
	sample_init(snapshot, 4);
	sample_set_leave_on_terminate(snapshot, 0);
}

void fourth_has_left(struct snapshot *snapshot)
{
	four_of_others(snapshot);
	sample_leave(snapshot, 3);
}

void four_led_by_the_last(struct snapshot *snapshot)
{
	sample_init(snapshot, 4);
	sample_lead(snapshot, 3);
}

void three_with_old_minimum(struct snapshot *snapshot)
{
	sample_init(snapshot, 3);
	sample_set_min_quorum(snapshot, 3);
}

void three_with_minimum(struct snapshot *snapshot)
{
	sample_init(snapshot, 3);
	sample_set_min_quorum(snapshot, 2);
}

void three_and_a_claim(struct snapshot *snapshot)
{
	sample_init(snapshot, 3);
	sample_add_claim(snapshot, "data-consul-3", 3600);
}

void fourth_stops_slowly(struct snapshot *snapshot)
{
	fourth_stops(snapshot);
	snapshot->set.grace_seconds = 300;
}

void fifth_does_not_vote(struct snapshot *snapshot)
{
	sample_init(snapshot, 5);
	sample_set_voter(snapshot, -1, "consul-4", false);
}

void three_taken_up_late(struct snapshot *snapshot)
{
	sample_init(snapshot, 3);
	snapshot->set.generation = 2;
	snapshot->set.observed_generation = 1;
}

/* Its last server is dead, and its node is called node-d. */
void four_and_one_of_another_name(struct snapshot *snapshot)
{
	sample_init(snapshot, 4);
	sample_stop(snapshot, 3, NULL);
	for (size_t i = 0; i < 3; i++) {
		replace_string(&snapshot->servers[i].view.members[3].name, xstrdup("node-d"));
		replace_string(&snapshot->servers[i].view.peers[3].name, xstrdup("node-d"));
	}
}

void three_and_one_of_another_name(struct snapshot *snapshot)
{
	four_and_one_of_another_name(snapshot);
	sample_scale(snapshot, 3, MEMBER_FAILED);
}

void three_and_a_claim_that_goes(struct snapshot *snapshot)
{
	sample_init(snapshot, 3);
	sample_add_claim(snapshot, "data-consul-3", 3600)->deleting = true;
}

/* -------------------------------------------------------------------------------------- the world */

static int call(struct script *script, struct err *err)
{
	if (++script->calls == script->interrupt_at)
		return err_set(err, ERR_INTERRUPTED, "interrupted");
	return 0;
}

static void next_scene(struct script *script)
{
	if (script->scene + 1 < script->scene_count)
		script->scene++;
	script->scene_since_ms = -1;
}

static int observe(void *context, struct snapshot *ret_snapshot, struct err *err)
{
	struct script *script = context;
	const struct scene *scene = &script->scenes[script->scene];

	if (call(script, err) < 0)
		return -1;
	script->looks++;
	if (script->scene_since_ms >= 0 && scene->ms != UNTIL_ORDER && scene->ms != FOREVER &&
	    script->now_ms - script->scene_since_ms >= scene->ms) {
		next_scene(script);
		scene = &script->scenes[script->scene];
	}
	if (script->scene_since_ms < 0)
		script->scene_since_ms = script->now_ms;
	if (!scene->shape) {
		/* One that fails late has seen something already. */
		ret_snapshot->namespace_name = xstrdup("ns");
		return err_set(err, scene->kind, "the API server does not answer");
	}
	scene->shape(ret_snapshot);
	return 0;
}

static int keep(void *context, struct err *err)
{
	struct script *script = context;

	if (call(script, err) < 0)
		return -1;
	if (++script->keeps == script->keep_fails_at)
		return err_set(err, script->keep_kind, "somebody else has the lease");
	if (script->keeps == script->keep_slow_at)
		script->now_ms += 11000;
	return 0;
}

static int order(struct script *script, const struct snapshot *seen, const char *text, struct err *err)
{
	size_t index = script->orders++;
	struct answer answer = { .kind = ERR_NONE };

	buf_addf(&script->log, "%" PRId64 " order %s\n", script->now_ms, text);
	script->seen_replicas = seen->set.replicas;
	if (call(script, err) < 0)
		return -1;
	if (index < script->answer_count)
		answer = script->answers[index];
	if ((answer.kind == ERR_NONE || answer.lost) && script->scenes[script->scene].ms == UNTIL_ORDER)
		next_scene(script);
	return answer.kind == ERR_NONE ? 0 : err_set(err, answer.kind, "no luck");
}

static int set_replicas(void *context, const struct snapshot *seen, int64_t replicas, struct err *err)
{
	_cleanup_free_ char *text = xasprintf("%" PRId64, replicas);

	return order(context, seen, text, err);
}

static int tell_server(void *context, const struct snapshot *seen, const struct step *step, struct err *err)
{
	_cleanup_free_ char *text = step->kind == STEP_MIN_QUORUM
	                                ? xasprintf("%s %" PRId64, step_kind_name(step->kind), step->number)
	                                : xasprintf("%s %s", step_kind_name(step->kind),
	                                            step->kind == STEP_LEAVE ? step->through : step->object);

	cr_expect_not_null(step->through);
	return order(context, seen, text, err);
}

static int delete_claim(void *context, const struct snapshot *seen, const char *name, struct err *err)
{
	_cleanup_free_ char *text = xasprintf("delete %s", name);

	return order(context, seen, text, err);
}

static int delete_pod(void *context, const struct snapshot *seen, const char *name, struct err *err)
{
	_cleanup_free_ char *text = xasprintf("restart %s", name);

	return order(context, seen, text, err);
}

static int set_expect(void *context, const struct snapshot *seen, int64_t expect, struct err *err)
{
	_cleanup_free_ char *text = xasprintf("expect %" PRId64, expect);

	return order(context, seen, text, err);
}

static int crash_one(void *context, const struct snapshot *seen, struct crash_order *orders, size_t count,
                     struct err *err)
{
	_cleanup_free_ char *text = xasprintf("crash %s", orders[0].pod);

	cr_expect_eq(count, 1);
	cr_expect_str_eq(orders[0].data_dir, "/consul/data"); /* where no peers.json may wait */
	cr_expect_null(orders[0].peers_json);
	return order(context, seen, text, err);
}

static int explain(void *context, const struct snapshot *seen, struct plan *plan, struct err *err)
{
	struct script *script = context;

	if (call(script, err) < 0)
		return -1;
	cr_expect_not_null(snapshot_server_by_name(seen, plan->subject), "%s", plan->subject);
	script->explained++;
	replace_string(&plan->text, xasprintf("%s: %s", plan->text, script->event));
	plan->broken |= script->event_breaks;
	return 0;
}

static int64_t now_ms(void *context)
{
	return ((struct script *)context)->now_ms;
}

static int sleep_ms(void *context, int64_t milliseconds, struct err *err)
{
	struct script *script = context;

	cr_expect_geq(milliseconds, 0);
	if (call(script, err) < 0)
		return -1;
	script->now_ms += milliseconds;
	cr_assert_lt(script->now_ms, 2 * HOUR_MS, "it does not end");
	cr_assert_lt(script->calls, 100000, "it does not end");
	return 0;
}

void script_world(struct script *script, struct world *ret_world)
{
	*ret_world = (struct world){
		.context = script,
		.observe = observe,
		.keep = keep,
		.set_replicas = set_replicas,
		.tell = tell_server,
		.set_expect = set_expect,
		.delete_claim = delete_claim,
		.delete_pod = delete_pod,
		.crash = crash_one,
		.explain = script->event ? explain : NULL,
		.now_ms = now_ms,
		.sleep = sleep_ms,
	};
}

/* --------------------------------------------------------------------------------------- the log */

static void tell_event(void *context, const struct act_event *event)
{
	struct script *script = context;

	cr_expect(!str_is_empty(event->text));
	cr_expect_eq(event->step != NULL, event->kind == ACT_STEP || event->kind == ACT_DONE);
	switch (event->kind) {
	case ACT_STEP:
		cr_expect_str_eq(event->step->text, event->text);
		buf_addf(&script->log, "%" PRId64 " step %" PRId64 ": %s\n", script->now_ms, event->number,
		         event->text);
		break;
	case ACT_DONE:
		buf_addf(&script->log, "%" PRId64 " done %" PRId64 " after %" PRId64 ": %s\n", script->now_ms,
		         event->number, event->took_ms, event->text);
		break;
	case ACT_WAITING:
		if (!event->again)
			buf_addf(&script->log, "%" PRId64 " wait: %s\n", script->now_ms, event->text);
		break;
	case ACT_NOTE:
		buf_addf(&script->log, "%" PRId64 " note: %s\n", script->now_ms, event->text);
		break;
	}
}

int script_run(struct script *script, const struct goal *goal, struct act_result *ret_result, struct err *err)
{
	struct act_options options = {
		.goal = goal, .deadline_ms = HOUR_MS, .tell = tell_event, .tell_context = script
	};
	struct world world;

	script_world(script, &world);
	return act(&world, &options, ret_result, err);
}

static const char *kind_word(enum err_kind kind)
{
	static const char *const words[] = {
		[ERR_REFUSED] = "refused",         [ERR_TIMEOUT] = "timeout",         [ERR_CONFLICT] = "conflict",
		[ERR_FAILED] = "failed",           [ERR_FORBIDDEN] = "forbidden",     [ERR_NOT_FOUND] = "not found",
		[ERR_UNREACHABLE] = "unreachable", [ERR_INTERRUPTED] = "interrupted",
	};

	return words[kind] ? words[kind] : "other";
}

static char *end_of(const struct err *err)
{
	if (!err_is_set(err))
		return xstrdup("done");
	return xasprintf("%s: %s%s%s", kind_word(err->kind), err->message, err->hint ? "; " : "",
	                 err->hint ? err->hint : "");
}

static void expect_text(const char *got, const char *expected)
{
	cr_expect_eq(fnmatch(expected, got, FNM_NOESCAPE), 0, "got      %s\n  expected %s", got, expected);
}

void script_expect_end(const struct err *err, const char *expected)
{
	_cleanup_free_ char *got = end_of(err);

	expect_text(got, expected);
}

void script_expect(struct script *script, const struct goal *goal, const char *end, int64_t steps, const char *pending)
{
	struct act_result result = ACT_RESULT_INIT;
	struct err err = ERR_INIT;
	int status = script_run(script, goal, &result, &err);
	_cleanup_free_ char *got = end_of(&err);

	cr_expect_eq(status, err_is_set(&err) ? -1 : 0);
	expect_text(got, end);
	cr_expect_eq(result.steps, steps, "%d steps", (int)result.steps);
	cr_expect_eq(result.pending != NULL, pending != NULL, "%s", result.pending ? result.pending->text : "nothing");
	if (pending && result.pending)
		expect_text(result.pending->text, pending);
	cr_expect_eq(result.seen, result.last.set.name != NULL);
	act_result_release(&result);
	err_release(&err);
}

void script_check_log(struct script *script, const char *const *lines)
{
	_cleanup_strv_ struct strv got = STRV_INIT;
	size_t i;

	strv_split(&got, buf_text(&script->log), '\n');
	for (i = 0; lines[i]; i++) {
		cr_assert_lt(i + 1, got.count, "missing: %s\n%s", lines[i], buf_text(&script->log));
		expect_text(got.items[i], lines[i]);
	}
	cr_expect_eq(i + 1, got.count, "too much:\n%s", buf_text(&script->log));
	buf_release(&script->log);
}
