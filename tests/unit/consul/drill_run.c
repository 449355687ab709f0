/* The loop of consul/drill.h, in a scripted world. */
#include "consul/drill.h"

#include <inttypes.h>

#include <criterion/criterion.h>

#include "act_script.h"
#include "util/mem.h"

#define DEADLINE_MS ((int64_t)60 * 1000)
#define TERM        4 /* one more than that of sample.h */

/* -------------------------------------------------------------------------------------------------- scenes */

static void first_is_down(struct snapshot *snapshot)
{
	three(snapshot);
	sample_silence(snapshot, 0, ERR_UNREACHABLE, "connection refused");
}

static void nobody_leads(struct snapshot *snapshot)
{
	three(snapshot);
	sample_no_leader(snapshot);
	sample_silence(snapshot, 0, ERR_UNREACHABLE, "connection refused");
}

static void second_leads(struct snapshot *snapshot)
{
	three(snapshot);
	sample_lead(snapshot, 1);
	for (size_t i = 0; i < 3; i++)
		snapshot->servers[i].view.self.term = TERM;
	sample_silence(snapshot, 0, ERR_UNREACHABLE, "connection refused");
}

static void all_is_well_again(struct snapshot *snapshot)
{
	three(snapshot);
	sample_lead(snapshot, 1);
	for (size_t i = 0; i < 3; i++)
		snapshot->servers[i].view.self.term = TERM;
	snapshot->servers[0].pod.containers[0].restarts++;
}

static void third_is_down(struct snapshot *snapshot)
{
	three(snapshot);
	sample_stop(snapshot, 2, "CrashLoopBackOff");
}

static void two(struct snapshot *snapshot)
{
	sample_init(snapshot, 2);
}

/* --------------------------------------------------------------------------------------------------- a run */

static void on_wait(void *context, const char *text)
{
	struct script *script = context;

	buf_addf(&script->log, "%" PRId64 " wait: %s\n", script->now_ms, text);
}

static int on_prepare(void *context, const struct snapshot *snapshot, const char *pod, struct err *err)
{
	struct script *script = context;

	(void)err;
	cr_expect_not_null(snapshot_server_by_name(snapshot, pod));
	buf_addf(&script->log, "%" PRId64 " prepare %s\n", script->now_ms, pod);
	return 0;
}

static int on_prepare_in_vain(void *context, const struct snapshot *snapshot, const char *pod, struct err *err)
{
	(void)context;
	(void)snapshot;
	(void)pod;
	return err_set(err, ERR_FORBIDDEN, "the probe may not write");
}

static void on_tell(void *context, const struct drill *drill, unsigned marks)
{
	struct script *script = context;

	if (drill->looks == 0)
		buf_addf(&script->log, "%" PRId64 " crashed %s%s\n", script->now_ms, drill->victim,
		         drill->led ? ", who led" : "");
	for (size_t i = 0; i < DRILL_MARKS; i++) {
		_cleanup_free_ char *text = drill_mark_text(drill, (enum drill_mark_kind)i);

		if (marks & (1U << i))
			buf_addf(&script->log, "%" PRId64 " after %" PRId64 ": %s\n", script->now_ms,
			         drill->marks[i].at_ms, text);
	}
}

/* Asserts how it ends (script_expect), and whether somebody was, or may have been, crashed. */
static void run(struct script *script, const char *pod, const char *end, bool crashed)
{
	struct drill_options options = {
		.pod = pod,
		.deadline_ms = DEADLINE_MS,
		.tell = on_tell,
		.wait = on_wait,
		.prepare = on_prepare,
		.context = script,
	};
	struct drill drill = DRILL_INIT;
	struct err err = ERR_INIT;
	struct world world;
	int status;

	script_world(script, &world);
	status = drill_run(&world, &options, &drill, &err);
	cr_expect_eq(status, err_is_set(&err) ? -1 : 0);
	script_expect_end(&err, end);
	cr_expect_eq(drill.victim != NULL, crashed);
	cr_expect_eq(status == 0, drill.victim && drill_is_over(&drill));
	drill_release(&drill);
	err_release(&err);
}

Test(drill_run, a_leader_crashes)
{
	struct script script =
	    SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(three, 100), SCENE(first_is_down, 1000),
	                  SCENE(nobody_leads, 400), SCENE(second_leads, 300), SCENE(all_is_well_again, FOREVER)));

	run(&script, NULL, "done", true);
	CHECK_LOG(&script, "0 prepare consul-0", "0 order crash consul-0", "0 crashed consul-0, who led",
	          "100 after 100: consul-0 is down", "1100 after 1100: nobody follows consul-0 any more",
	          "1500 after 1500: new leader consul-1", "1800 after 1800: consul-0 runs again",
	          "1800 after 1800: consul-0 is alive again on every view",
	          "1800 after 1800: consul-0 is a voter again on every view",
	          "1800 after 1800: verdict HEALTHY, consul-0 is ready");
}

Test(drill_run, what_may_pass_is_waited_for)
{
	struct script script = SCRIPT(SCENES(BLIND(ERR_UNAVAILABLE, 500), SCENE(third_is_down, 1000),
	                                     SCENE(three, UNTIL_ORDER), SCENE(all_is_well_again, FOREVER)));

	run(&script, NULL, "done", true);
	CHECK_LOG(&script, "0 wait: cannot look at the cluster: the API server does not answer",
	          "500 wait: consul-0 leads, and without it 1 of 3 voters would be left, fewer than the quorum of 2",
	          "1000 wait: *", "1500 prepare consul-0", "1500 order crash consul-0",
	          "1500 crashed consul-0, who led", "1500 after 0: consul-0 is down (at the latest)",
	          "1500 after 0: nobody follows consul-0 any more (at the latest)", "1500 after 0: new leader consul-1",
	          "1500 *runs again", "1500 *", "1500 *", "1500 *");
}

Test(drill_run, what_does_not_pass_is_refused)
{
	struct script never = SCRIPT(SCENES(SCENE(third_is_down, FOREVER)));
	struct script small = SCRIPT(SCENES(SCENE(two, FOREVER)));
	struct script unknown = SCRIPT(SCENES(SCENE(three, FOREVER)));

	run(&never, NULL, "refused: consul-0 leads, and without it 1 of 3 voters *; *", false);
	cr_expect_eq(never.now_ms, ACT_PATIENCE_MS);
	run(&small, NULL, "refused: consul-0 leads, and without it 1 of 2 *; *", false);
	run(&unknown, "consul-9", "refused: there is no server consul-9; choose one with --pod: consul-0, *", false);
	cr_expect_eq(small.now_ms + unknown.now_ms, 0);
	cr_expect_eq(never.orders + small.orders + unknown.orders, 0);
	buf_release(&never.log);
	cr_expect_eq(small.log.len + unknown.log.len, 0);
}

/* Until the probe has begun and the Lease is kept, the others may have failed, or another may lead. */
Test(drill_run, an_old_look_is_looked_at_again)
{
	struct script fine =
	    SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(all_is_well_again, FOREVER)), .keep_slow_at = 2);
	struct script failed = SCRIPT(SCENES(SCENE(three, 5000), SCENE(third_is_down, FOREVER)), .keep_slow_at = 2);
	struct script moved = SCRIPT(SCENES(SCENE(three, 5000), SCENE(all_is_well_again, FOREVER)), .keep_slow_at = 2);

	run(&fine, NULL, "done", true);
	run(&failed, NULL, "refused: consul-0 leads, and without it 1 of 3 voters *; *", false);
	run(&moved, NULL, "conflict: nothing was crashed: consul-0 was chosen, and now consul-1 leads; *", false);
	cr_expect_eq(fine.orders, 1);
	cr_expect_eq(failed.orders + moved.orders, 0);
	buf_release(&fine.log);
	buf_release(&failed.log);
	buf_release(&moved.log);
}

Test(drill_run, time_that_is_up_names_what_is_missing)
{
	struct script script =
	    SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(nobody_leads, 500), SCENE(second_leads, FOREVER)));

	run(&script, "consul-0",
	    "timeout: timed out after the crash of consul-0; not seen by then: consul-0 runs again; every server "
	    "answers and "
	    "has consul-0 as alive; consul-0 is a voter again; consul-0 is ready and the verdict HEALTHY again",
	    true);
	cr_expect_eq(script.now_ms, DEADLINE_MS);
	buf_release(&script.log);
}

Test(drill_run, a_crash_that_fails_is_none)
{
	struct script script = SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(all_is_well_again, FOREVER)),
	                              ANSWERS({ .kind = ERR_FORBIDDEN }));

	run(&script, NULL, "forbidden: no luck", false);
	CHECK_LOG(&script, "0 prepare consul-0", "0 order crash consul-0");
}

Test(drill_run, a_crash_whose_answer_is_lost_is_looked_for)
{
	struct script script = SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(all_is_well_again, FOREVER)),
	                              ANSWERS({ .kind = ERR_TIMEOUT, .lost = true }));
	struct script nothing = SCRIPT(SCENES(SCENE(three, 1000), SCENE(first_is_down, 1000), SCENE(three, FOREVER)),
	                               ANSWERS({ .kind = ERR_TIMEOUT }));

	run(&script, NULL, "done", true);
	buf_release(&script.log);
	/* That it does not answer one look is no sign: Kubernetes has the same container, and it runs. */
	run(&nothing, NULL, "timeout: consul-0 was to be crashed, and nothing shows of it: no luck", true);
	cr_expect_eq(nothing.now_ms, DRILL_DOUBT_MS);
	CHECK_LOG(&nothing, "0 prepare consul-0", "0 order crash consul-0", "0 crashed consul-0, who led");
}

Test(drill_run, who_cannot_prepare_crashes_nobody)
{
	struct script script = SCRIPT(SCENES(SCENE(three, FOREVER)));
	struct drill_options options = { .deadline_ms = DEADLINE_MS, .prepare = on_prepare_in_vain };
	struct drill drill = DRILL_INIT;
	struct err err = ERR_INIT;
	struct world world;

	script_world(&script, &world);
	cr_expect_eq(drill_run(&world, &options, &drill, &err), -1);
	cr_expect_eq(err.kind, ERR_FORBIDDEN);
	cr_expect_eq(script.orders, 0);
	cr_expect_null(drill.victim);
	err_release(&err);
}

Test(drill_run, looks_may_fail_for_a_while)
{
	struct script passing =
	    SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), BLIND(ERR_UNREACHABLE, 3000), SCENE(all_is_well_again, FOREVER)));
	struct script lasting = SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), BLIND(ERR_UNREACHABLE, FOREVER)));
	struct script barred = SCRIPT(SCENES(BLIND(ERR_FORBIDDEN, FOREVER)));

	run(&passing, NULL, "done", true);
	run(&lasting, NULL, "unreachable: the API server does not answer", true);
	cr_expect_eq(lasting.now_ms, ACT_PATIENCE_MS);
	run(&barred, NULL, "forbidden: the API server does not answer", false);
	buf_release(&passing.log);
	buf_release(&lasting.log);
	buf_release(&barred.log);
}

/* Wherever Ctrl-C comes, it ends there, and nothing is done after it. */
Test(drill_run, an_interrupt_ends_it_anywhere)
{
	for (size_t at = 1; at < 12; at++) {
		struct script script =
		    SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(nobody_leads, FOREVER)), .interrupt_at = at);

		run(&script, NULL, "interrupted: interrupted", at > 3); /* keep, look, keep, crash */
		cr_expect_eq(script.calls, at);
		buf_release(&script.log);
	}
}

Test(drill_run, the_lease_is_kept_all_the_time)
{
	struct script script = SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(nobody_leads, FOREVER)),
	                              .keep_fails_at = 5, .keep_kind = ERR_CONFLICT);

	run(&script, NULL, "conflict: somebody else has the lease", true);
	buf_release(&script.log);
}
