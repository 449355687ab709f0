/* consul/act.h: how long is waited, what passes by itself, what ends a run, and the first look. */
#include <criterion/criterion.h>

#include "act_script.h"
#include "util/mem.h"
#include "util/str.h"

/* ------------------------------------------------------------------------------ refusals that pass */

Test(act_time, a_refusal_that_may_pass_is_looked_at_again)
{
	struct script script = SCRIPT(SCENES(SCENE(three_without_a_leader, 19000), SCENE(three, FOREVER)));
	struct script longer = SCRIPT(SCENES(SCENE(three_without_a_leader, FOREVER)));

	script_expect(&script, REAP, "done", 0, NULL);
	CHECK_LOG(&script, "0 wait: there is no leader all servers agree on");
	script_expect(
	    &longer, REAP,
	    "refused: there is no leader all servers agree on (rule: nothing is changed without a leader all agree "
	    "on); *kubectl consul health -n ns tells more",
	    0, NULL);
	cr_expect_eq(longer.now_ms, ACT_PATIENCE_MS);
	cr_expect_eq(longer.orders, 0);
	buf_release(&longer.log);
}

/* Seen at 0, and the lease was renewed at 11 s only: it is looked at again before anything is changed. */
Test(act_time, what_was_seen_long_ago_changes_nothing)
{
	struct script script = SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(four, FOREVER)), .keep_slow_at = 2);

	script_expect(&script, SCALE(4, .force = true), "done", 1, NULL);
	CHECK_LOG(&script, "0 step 1: replicas 3 -> 4: *", "11000 order 4", "11500 done 1 after 11500: *");
}

Test(act_time, a_refusal_that_will_not_pass_is_final)
{
	struct script script = SCRIPT(SCENES(SCENE(three_rolling, FOREVER)));
	struct script size = SCRIPT(SCENES(SCENE(three, FOREVER)));

	script_expect(&script, SCALE(5), "refused: a rolling update is under way: *; kubectl rollout status *", 0,
	              NULL);
	cr_expect_eq(script.now_ms, 0);
	buf_release(&script.log);
	script_expect(&size, SCALE(4), "refused: 4 servers tolerate * (rule: an odd size of at least 3); choose *", 0,
	              NULL);
	buf_release(&size.log);
}

/* The election that our own step brings about is given as long as the step. */
Test(act_time, after_a_step_there_is_more_patience)
{
	struct script script = SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(four_without_a_leader, 100000),
	                                     SCENE(four, UNTIL_ORDER), SCENE(five, FOREVER)));
	struct script longer = SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(four_without_a_leader, FOREVER)));

	script_expect(&script, SCALE(5), "done", 2, NULL);
	buf_release(&script.log);
	script_expect(&longer, SCALE(5), "refused: there is no leader *", 0, "replicas 3 -> 4: *");
	cr_expect_eq(longer.now_ms, ACT_STEP_MS + ACT_INTERVAL_MS);
	buf_release(&longer.log);
}

/* Each time it begins anew: two elections are not one long one. */
Test(act_time, patience_begins_anew)
{
	struct script script = SCRIPT(SCENES(SCENE(three_without_a_leader, 15000), SCENE(three_taken_up_late, 1000),
	                                     SCENE(three_without_a_leader, 15000), SCENE(three, FOREVER)));

	script_expect(&script, SCALE(3), "done", 0, NULL);
	CHECK_LOG(&script, "0 wait: there is no leader *", "15000 wait: Kubernetes has not taken up *",
	          "16000 wait: there is no leader *");
}

/* ----------------------------------------------------------------------------------------- waiting */

Test(act_time, what_does_not_come_is_given_up)
{
	struct script script = SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(fourth_does_not_vote, FOREVER)));
	struct script slow = SCRIPT(SCENES(SCENE(four, UNTIL_ORDER), SCENE(fourth_stops_slowly, FOREVER)));

	script_expect(&script, SCALE(5), "timeout: gave up after 3m, waiting for consul-3: joined, not a voter yet*", 0,
	              "replicas 3 -> 4: *");
	cr_expect_eq(script.now_ms, ACT_STEP_MS + ACT_INTERVAL_MS);
	cr_expect_eq(script.orders, 1);
	buf_release(&script.log);
	/* A pod may take its grace period to stop, and kubelet some time on top. */
	script_expect(&slow, SCALE(3), "timeout: gave up after 6m30s, waiting for consul-3: stopping*", 0,
	              "replicas 4 -> 3: *");
	cr_expect_eq(slow.now_ms, (300 + 90) * 1000 + ACT_INTERVAL_MS);
	buf_release(&slow.log);
}

/* Nobody's: there is no pod to look at. */
Test(act_time, a_claim_that_does_not_go_is_given_up)
{
	struct script script =
	    SCRIPT(SCENES(SCENE(three_and_a_claim, UNTIL_ORDER), SCENE(three_and_a_claim_that_goes, FOREVER)));

	script_expect(&script, SCALE(3, .delete_claims = true),
	              "timeout: gave up after 3m, waiting for claim data-consul-3: being deleted", 0,
	              "delete claim data-consul-3 *");
	cr_expect_eq(script.orders, 1);
	buf_release(&script.log);
}

Test(act_time, the_limit_is_of_one_step)
{
	struct script script =
	    SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(fourth_does_not_vote, 170000), SCENE(four, UNTIL_ORDER),
	                  SCENE(fifth_does_not_vote, 170000), SCENE(five, FOREVER)));

	script_expect(&script, SCALE(5), "done", 2, NULL);
	buf_release(&script.log);
}

Test(act_time, limits_are_the_callers)
{
	struct script script = SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(fourth_does_not_vote, FOREVER)));
	struct act_options options = { .goal = SCALE(5), .deadline_ms = 7000, .step_ms = 60000 };
	struct act_result result = ACT_RESULT_INIT;
	struct err err = ERR_INIT;
	struct world world;

	script_world(&script, &world);
	cr_expect_eq(act(&world, &options, &result, &err), -1);
	cr_expect_eq(err.kind, ERR_TIMEOUT);
	cr_expect_str_eq(err.message, "timed out; seen last: consul-3: joined, not a voter yet");
	cr_expect_str_eq(result.waiting_for, "consul-3: joined, not a voter yet");
	cr_expect_eq(script.now_ms, 7000);
	act_result_release(&result);
	err_release(&err);
	options.deadline_ms = INT64_MAX;
	options.step_ms = 5000;
	cr_expect_eq(act(&world, &options, &result, &err), -1);
	cr_expect_eq(err.kind, ERR_TIMEOUT);
	cr_expect_eq(script.now_ms, 12000);
	act_result_release(&result);
	err_release(&err);
	buf_release(&script.log);
}

Test(act_time, no_time_at_all)
{
	struct script script = SCRIPT(SCENES(SCENE(three, FOREVER)));
	struct act_options options = { .goal = SCALE(5), .deadline_ms = 0 };
	struct act_result result = ACT_RESULT_INIT;
	struct err err = ERR_INIT;
	struct world world;

	script_world(&script, &world);
	cr_expect_eq(act(&world, &options, &result, &err), -1);
	cr_expect_eq(err.kind, ERR_TIMEOUT);
	cr_expect_str_eq(err.message, "timed out");
	cr_expect(!result.seen);
	cr_expect_eq(script.calls, 0);
	act_result_release(&result);
	err_release(&err);
}

/* --------------------------------------------------------------------------------- hopeless things */

Test(act_time, one_that_is_broken_from_the_start_is_refused)
{
	struct script script = SCRIPT(SCENES(SCENE(fourth_is_broken, FOREVER)), .event = "Failed to pull image");

	script_expect(&script, SCALE(5),
	              "refused: consul-3 is not well: cannot pull image: *Failed to pull image (rule: *", 0, NULL);
	cr_expect_eq(script.now_ms, ACT_PATIENCE_MS);
	buf_release(&script.log);
}

Test(act_time, a_broken_pod_is_given_up_after_a_minute)
{
	struct script script = SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(fourth_is_broken, FOREVER)));
	struct script mended =
	    SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(fourth_is_broken, 59000), SCENE(four, FOREVER)));
	struct script twice =
	    SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(fourth_is_broken, 40000), SCENE(fourth_does_not_vote, 5000),
	                  SCENE(fourth_is_broken, 40000), SCENE(four, FOREVER)));

	script_expect(&script, SCALE(5),
	              "failed: gave up after 60s: consul-3 is not well: cannot pull image: hashicorp/consul:1.21; "
	              "kubectl describe "
	              "pod consul-3 -n "
	              "ns tells more",
	              0, "replicas 3 -> 4: *");
	cr_expect_eq(script.now_ms, 60000 + ACT_INTERVAL_MS);
	buf_release(&script.log);
	script_expect(&mended, SCALE(4, .force = true), "done", 1, NULL);
	buf_release(&mended.log);
	script_expect(&twice, SCALE(4, .force = true), "done", 1, NULL);
	buf_release(&twice.log);
}

/* Events of a pod that does not exist are its StatefulSet's. */
Test(act_time, what_does_not_even_begin_is_given_up)
{
	struct script script = SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(fourth_has_no_pod, FOREVER)));

	script_expect(&script, SCALE(5),
	              "timeout: gave up after 3m, waiting for consul-3: its pod does not exist yet; kubectl describe "
	              "statefulset consul -n ns tells more",
	              0, "replicas 3 -> 4: *");
	buf_release(&script.log);
}

Test(act_time, events_may_tell_that_it_is_hopeless)
{
	struct script script = SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(fourth_has_no_pod, FOREVER)),
	                              .event = "FailedCreate: exceeded quota", .event_breaks = true);

	script_expect(
	    &script, SCALE(5),
	    "failed: gave up after 63s, waiting for consul-3: its pod does not exist yet: FailedCreate: exceeded "
	    "quota*",
	    0, "replicas 3 -> 4: *");
	cr_expect_eq(script.now_ms, 63500);
	buf_release(&script.log);
}

Test(act_time, events_tell_more_after_a_moment_and_not_at_every_look)
{
	struct script script = SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(fourth_has_no_pod, 21000),
	                                     SCENE(fourth_does_not_vote, 5000), SCENE(four, FOREVER)),
	                              .event = "FailedCreate: exceeded quota");

	script_expect(&script, SCALE(4, .force = true), "done", 1, NULL);
	cr_expect_eq(script.explained, 4, "after 3, 8, 13 and 18 s, not %zu times", script.explained);
	CHECK_LOG(&script, "0 step 1: *", "0 order 4", "500 wait: consul-3: its pod does not exist yet",
	          "3500 wait: consul-3: its pod does not exist yet: FailedCreate: exceeded quota",
	          "21500 wait: consul-3: joined, not a voter yet", "26500 done 1 after 26500: *");
}

/* ------------------------------------------------------------------------------- looks that fail */

Test(act_time, not_seeing_anything_for_a_while_is_no_end)
{
	static const enum err_kind kinds[] = { ERR_UNAVAILABLE, ERR_UNREACHABLE, ERR_TIMEOUT, ERR_PROTOCOL };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct script script =
		    SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), BLIND(kinds[i], 15000), SCENE(four, UNTIL_ORDER),
		                  BLIND(kinds[i], 15000), SCENE(five, FOREVER)));

		script_expect(&script, SCALE(5), "done", 2, NULL);
		CHECK_LOG(&script, "0 step 1: *", "0 order 4",
		          "500 wait: cannot look at the cluster: the API server does not answer", "15500 done 1 *",
		          "15500 step 2: *", "15500 order 5", "16000 wait: cannot look *", "31000 done 2 *");
	}
}

Test(act_time, not_seeing_anything_at_all_is_the_end)
{
	struct script script = SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), BLIND(ERR_UNREACHABLE, FOREVER)));
	struct script forbidden = SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), BLIND(ERR_FORBIDDEN, FOREVER)));

	script_expect(&script, SCALE(5), "unreachable: the API server does not answer", 0, "replicas 3 -> 4: *");
	buf_release(&script.log);
	script_expect(&forbidden, SCALE(5), "forbidden: the API server does not answer", 0, "replicas 3 -> 4: *");
	cr_expect_eq(forbidden.now_ms, ACT_INTERVAL_MS);
	buf_release(&forbidden.log);
}

/* Who has never seen anything is told soon: it is the wrong cluster, or none. */
Test(act_time, nothing_seen_from_the_start_is_the_end_soon)
{
	struct script script = SCRIPT(SCENES(BLIND(ERR_UNREACHABLE, FOREVER)));
	struct script late = SCRIPT(SCENES(BLIND(ERR_UNREACHABLE, 19000), SCENE(three, FOREVER)));

	script_expect(&script, SCALE(5), "unreachable: the API server does not answer", 0, NULL);
	cr_expect_eq(script.now_ms, ACT_PATIENCE_MS);
	buf_release(&script.log);
	script_expect(&late, SCALE(3), "done", 0, NULL);
	buf_release(&late.log);
}

/* ------------------------------------------------------------------------------- the lease, Ctrl-C */

Test(act_time, nothing_is_changed_without_the_lease)
{
	for (size_t at = 1; at <= 3; at++) {
		struct script script = SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(four, FOREVER)),
		                              .keep_fails_at = at, .keep_kind = ERR_CONFLICT);

		script_expect(&script, SCALE(5), "conflict: somebody else has the lease", 0,
		              at == 1 ? NULL : "replicas 3 -> 4: *");
		cr_expect_eq(script.orders, at <= 2 ? 0 : 1);
		cr_expect_eq(script.looks, at == 1 ? 0 : 1);
		buf_release(&script.log);
	}
}

/* Whatever is called when it comes: it ends there, nothing is leaked, nothing more is done. */
Test(act_time, an_interrupt_ends_it_wherever_it_is)
{
	for (size_t at = 1;; at++) {
		struct script script = SCRIPT(SCENES(SCENE(three_and_a_claim, UNTIL_ORDER), BLIND(ERR_TIMEOUT, 500),
		                                     SCENE(three, UNTIL_ORDER), SCENE(fourth_has_no_pod, 4000),
		                                     SCENE(four_without_a_leader, 1000), SCENE(four, FOREVER)),
		                              ANSWERS({ ERR_TIMEOUT, true }), .event = "nothing", .interrupt_at = at);
		struct act_result result = ACT_RESULT_INIT;
		struct err err = ERR_INIT;
		int status = script_run(&script, SCALE(4, .force = true, .delete_claims = true), &result, &err);

		act_result_release(&result);
		buf_release(&script.log);
		if (status == 0) {
			cr_expect_gt(at, 20);
			break;
		}
		cr_expect_eq(err.kind, ERR_INTERRUPTED, "call %zu: %s", at, err.message);
		cr_expect_eq(script.calls, at, "called again after call %zu", at);
		err_release(&err);
	}
}

/* The same while the events of something broken are read. */
Test(act_time, an_interrupt_ends_a_refusal_that_may_pass)
{
	for (size_t at = 1; at <= 25; at++) {
		struct script script =
		    SCRIPT(SCENES(SCENE(fourth_is_broken, FOREVER)), .event = "nothing", .interrupt_at = at);

		script_expect(&script, SCALE(5), "interrupted: interrupted", 0, NULL);
		cr_expect_eq(script.calls, at);
		buf_release(&script.log);
	}
}

/* ------------------------------------------------------------------------------------ the first look */

/* Looks, and asserts how that ends and after how long. The snapshot is the caller's. */
static void look(struct script *script, const struct goal *goal, enum err_kind kind, int64_t ms,
                 struct snapshot *ret_snapshot)
{
	struct act_options options = { .goal = goal, .deadline_ms = 10 * 60 * 1000 };
	struct err err = ERR_INIT;
	struct world world;

	script_world(script, &world);
	cr_expect_eq(act_look(&world, &options, ret_snapshot, &err), kind == ERR_NONE ? 0 : -1);
	cr_expect_eq(err.kind, kind);
	cr_expect_eq(script->now_ms, ms, "after %d ms", (int)script->now_ms);
	cr_expect_eq(script->orders, 0);
	err_release(&err);
	buf_release(&script->log);
}

Test(act_time, the_first_look)
{
	struct script script = SCRIPT(SCENES(SCENE(three, FOREVER)));
	struct script rolling = SCRIPT(SCENES(SCENE(three_rolling, FOREVER)));
	struct snapshot snapshot = SNAPSHOT_INIT;

	look(&script, SCALE(5), ERR_NONE, 0, &snapshot);
	cr_expect_eq(script.looks, 1);
	cr_expect_eq(snapshot.server_count, 3);
	snapshot_release(&snapshot);
	look(&rolling, SCALE(5), ERR_NONE, 0, &snapshot);
	cr_expect_eq(rolling.looks, 1);
	snapshot_release(&snapshot);
}

Test(act_time, the_first_look_waits_for_what_may_pass)
{
	struct script script = SCRIPT(SCENES(SCENE(three_without_a_leader, 5000), SCENE(three, FOREVER)));
	struct script longer = SCRIPT(SCENES(SCENE(three_without_a_leader, FOREVER)));
	struct script blind =
	    SCRIPT(SCENES(SCENE(three_without_a_leader, 3000), BLIND(ERR_TIMEOUT, 3000), SCENE(three, FOREVER)));
	struct snapshot snapshot = SNAPSHOT_INIT;

	look(&script, SCALE(5), ERR_NONE, 5000, &snapshot);
	cr_expect_str_eq(snapshot.servers[0].view.self.leader_address, "10.0.0.10:8300");
	snapshot_release(&snapshot);
	look(&longer, SCALE(5), ERR_NONE, ACT_PATIENCE_MS, &snapshot);
	cr_expect_null(snapshot.servers[0].view.self.leader_address);
	snapshot_release(&snapshot);
	look(&blind, SCALE(5), ERR_NONE, 6000, &snapshot);
	cr_expect_str_eq(snapshot.servers[0].view.self.leader_address, "10.0.0.10:8300");
	snapshot_release(&snapshot);
}

Test(act_time, the_first_look_has_a_deadline)
{
	struct script script = SCRIPT(SCENES(SCENE(three_without_a_leader, FOREVER)));
	struct act_options options = { .goal = SCALE(5), .deadline_ms = 2000 };
	struct snapshot snapshot = SNAPSHOT_INIT;
	struct err err = ERR_INIT;
	struct world world;

	script_world(&script, &world);
	cr_expect_eq(act_look(&world, &options, &snapshot, &err), -1);
	cr_expect_eq(err.kind, ERR_TIMEOUT);
	cr_expect_str_eq(err.message, "timed out; seen last: there is no leader all servers agree on");
	cr_expect_eq(script.now_ms, 2000);
	err_release(&err);
	snapshot_release(&snapshot);
}

Test(act_time, the_first_look_that_fails)
{
	struct script forbidden = SCRIPT(SCENES(BLIND(ERR_FORBIDDEN, FOREVER)));
	struct script unreachable = SCRIPT(SCENES(BLIND(ERR_UNREACHABLE, FOREVER)));
	struct snapshot snapshot = SNAPSHOT_INIT;

	look(&unreachable, SCALE(5), ERR_UNREACHABLE, ACT_PATIENCE_MS, &snapshot);
	snapshot_release(&snapshot);
	look(&forbidden, SCALE(5), ERR_FORBIDDEN, 0, &snapshot);
	snapshot_release(&snapshot);
	for (size_t at = 1; at <= 3; at++) {
		struct script script = SCRIPT(SCENES(SCENE(three_without_a_leader, FOREVER)), .interrupt_at = at);

		look(&script, SCALE(5), ERR_INTERRUPTED, at == 3 ? 500 : 0, &snapshot);
		snapshot_release(&snapshot);
	}
}
