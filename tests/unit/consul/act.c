/* consul/act.h: the loop in a world that follows a script. */
#include <criterion/criterion.h>

#include "act_script.h"
#include "util/mem.h"
#include "util/str.h"

/* --------------------------------------------------------------------------------------- the way */

Test(act, nothing_to_do)
{
	struct script script = SCRIPT(SCENES(SCENE(three, FOREVER)));

	script_expect(&script, REAP, "done", 0, NULL);
	cr_expect_eq(script.looks, 1);
	cr_expect_eq(script.keeps, 1);
	cr_expect_eq(script.now_ms, 0);
	cr_expect_str_eq(buf_text(&script.log), "");
	buf_release(&script.log);
}

Test(act, up_step_by_step)
{
	struct script script =
	    SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(fourth_has_no_pod, 500), SCENE(fourth_does_not_vote, 10000),
	                  SCENE(four, UNTIL_ORDER), SCENE(five, FOREVER)));

	script_expect(&script, SCALE(5), "done", 2, NULL);
	cr_expect_eq(script.keeps, script.looks + script.orders, "before every look and every change");
	CHECK_LOG(&script, "0 step 1: replicas 3 -> 4: consul-3 joins", "0 order 4",
	          "500 wait: consul-3: its pod does not exist yet", "1000 wait: consul-3: joined, not a voter yet",
	          "11000 done 1 after 11000: replicas 3 -> 4: consul-3 joins",
	          "11000 step 2: replicas 4 -> 5: consul-4 joins", "11000 order 5",
	          "11500 done 2 after 500: replicas 4 -> 5: consul-4 joins");
}

Test(act, down_with_what_is_left_of_it)
{
	struct script script =
	    SCRIPT(SCENES(SCENE(four, UNTIL_ORDER), SCENE(fourth_stops, 3000), SCENE(three_and_one_failed, UNTIL_ORDER),
	                  SCENE(three_and_one_left, FOREVER)));

	script_expect(&script, SCALE(3), "done", 2, NULL);
	CHECK_LOG(&script, "0 step 1: replicas 4 -> 3: consul-3 leaves and stops", "0 order 3",
	          "500 wait: consul-3: stopping", "3500 done 1 after 3500: *",
	          "3500 step 2: force-leave consul-3 (10.0.0.13): failed becomes left",
	          "3500 order force-leave consul-3", "3500 done 2 after 0: *");
}

/* Its node has another name, by which nobody would know it once its pod is gone. */
Test(act, what_is_left_of_a_server_of_another_name)
{
	struct script script = SCRIPT(SCENES(SCENE(four_and_one_of_another_name, UNTIL_ORDER),
	                                     SCENE(three_and_one_of_another_name, UNTIL_ORDER), SCENE(three, FOREVER)));

	script_expect(&script, SCALE(3), "done", 2, NULL);
	CHECK_LOG(&script, "0 step 1: replicas 4 -> 3: consul-3 goes (it does not live)", "0 order 3", "500 done 1 *",
	          "500 step 2: force-leave node-d *", "500 order force-leave node-d", "500 done 2 *");
}

Test(act, claims_are_deleted)
{
	struct script script = SCRIPT(SCENES(SCENE(three_and_a_claim, UNTIL_ORDER), SCENE(three, FOREVER)));

	script_expect(&script, SCALE(3, .delete_claims = true), "done", 1, NULL);
	CHECK_LOG(&script, "0 step 1: delete claim data-consul-3 (60m old)", "0 order delete data-consul-3",
	          "0 done 1 after 0: *");
}

/* ------------------------------------------------------------------------------- answers that fail */

/* It was not done, and the next look asks for something else: nobody claims that it was. */
Test(act, a_step_that_was_not_done_is_not_told_as_done)
{
	struct script script = SCRIPT(SCENES(SCENE(four, 1), SCENE(four_led_by_the_last, 2000),
	                                     SCENE(four, UNTIL_ORDER), SCENE(three_and_one_left, FOREVER)),
	                              ANSWERS({ ERR_UNREACHABLE, false }));

	script_expect(&script, SCALE(3), "done", 2, NULL);
	CHECK_LOG(
	    &script, "0 step 1: replicas 4 -> 3: consul-3 leaves and stops", "0 order 3", "0 note: *: no luck",
	    "500 note: replicas 4 -> 3: consul-3 leaves and stops: no effect was seen, and something else is needed "
	    "now",
	    "500 step 1: consul-3 hands leadership over", "500 order transfer-leader id-0", "500 wait: *",
	    "2500 done 1 after 2000: consul-3 hands leadership over", "2500 step 2: replicas 4 -> 3: *", "2500 order 3",
	    "3000 done 2 *");
}

Test(act, a_leave_that_death_forestalls_is_not_told_as_done)
{
	struct script script = SCRIPT(
	    SCENES(SCENE(four_of_others, 1), SCENE(four_and_one_of_another_name, UNTIL_ORDER), SCENE(three, FOREVER)),
	    ANSWERS({ ERR_UNREACHABLE, false }));

	script_expect(&script, SCALE(3), "done", 1, NULL);
	CHECK_LOG(&script, "0 step 1: consul-3 leaves Consul", "0 order leave consul-3", "0 note: *: no luck",
	          "500 note: consul-3 leaves Consul: no effect was seen, *", "500 step 1: *goes (it does not live)",
	          "500 order 3", "1000 done 1 *");
}

/* An object that changes all the time is tried at every look, told of once, and given up like a step without effect. */
Test(act, conflicts_without_end_are_one)
{
	struct answer conflicts[1000];
	struct script script = SCRIPT(SCENES(SCENE(three, FOREVER)));

	for (size_t i = 0; i < ARRAY_SIZE(conflicts); i++)
		conflicts[i] = (struct answer){ .kind = ERR_CONFLICT };
	script.answers = conflicts;
	script.answer_count = ARRAY_SIZE(conflicts);
	script_expect(
	    &script, SCALE(5),
	    "conflict: replicas 3 -> 4: consul-3 joins: somebody else changes the object all the time, for 3m now*", 0,
	    "replicas 3 -> 4: *");
	cr_expect_eq(script.now_ms, ACT_STEP_MS);
	cr_expect_eq(script.orders, ACT_STEP_MS / ACT_INTERVAL_MS);
	cr_expect_null(strstr(strstr(buf_text(&script.log), "note") + 1, "note"));
	buf_release(&script.log);
}

/* Once the object is as it was, what gets lost is given its time: told again after 4 s, not at every look. */
Test(act, a_conflict_is_forgotten_when_it_is_over)
{
	struct script script =
	    SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(four, FOREVER)),
	           ANSWERS({ ERR_CONFLICT, false }, { ERR_TIMEOUT, false }, { ERR_CONFLICT, false }));

	script_expect(&script, SCALE(4, .force = true), "done", 1, NULL);
	CHECK_LOG(&script, "0 step 1: *", "0 order 4", "0 note: *", "500 order 4", "1000 wait: the effect *",
	          "4500 order 4", "5000 order 4", "5500 done 1 *");
}

/* It was done, and nobody heard so: the next look shows it. */
Test(act, a_lost_answer_is_no_failure)
{
	static const enum err_kind kinds[] = { ERR_TIMEOUT, ERR_UNREACHABLE, ERR_PROTOCOL, ERR_UNAVAILABLE };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct script script =
		    SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(four, FOREVER)), ANSWERS({ kinds[i], true }));

		script_expect(&script, SCALE(4, .force = true), "done", 1, NULL);
		CHECK_LOG(&script, "0 step 1: replicas 3 -> 4: consul-3 joins", "0 order 4",
		          "0 note: replicas 3 -> 4: consul-3 joins: no luck", "500 done 1 after 500: *");
	}
}

/* It was not done: the step is done again, and is one step all the same. The same failure is told once. */
Test(act, an_order_that_got_lost_is_given_again)
{
	struct script script = SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(four, FOREVER)),
	                              ANSWERS({ ERR_UNREACHABLE, false }, { ERR_TIMEOUT, false }));

	script_expect(&script, SCALE(4, .force = true), "done", 1, NULL);
	CHECK_LOG(&script, "0 step 1: *", "0 order 4", "0 note: *: no luck",
	          "500 wait: the effect of: replicas 3 -> 4: consul-3 joins", "4000 order 4", "8000 order 4",
	          "8500 done 1 after 8500: *");
}

/* The object was another by then, though not in what matters: looked at again, and done as it is now. */
Test(act, a_conflict_is_looked_at_again)
{
	struct script script =
	    SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(four, FOREVER)), ANSWERS({ ERR_CONFLICT, false }));

	script_expect(&script, SCALE(4, .force = true), "done", 1, NULL);
	CHECK_LOG(&script, "0 step 1: replicas 3 -> 4: consul-3 joins", "0 order 4",
	          "0 note: replicas 3 -> 4: consul-3 joins: no luck", "500 order 4", "1000 done 1 after 1000: *");
}

Test(act, somebody_else_changes_the_replicas)
{
	struct script before =
	    SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(five, FOREVER)), ANSWERS({ ERR_CONFLICT, true }));
	struct script after =
	    SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(fourth_has_no_pod, 2000), SCENE(five, FOREVER)));
	struct script open =
	    SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(five, FOREVER)), ANSWERS({ ERR_TIMEOUT, true }));

	script_expect(
	    &before, SCALE(4, .force = true),
	    "conflict: somebody else changed the replicas of statefulset \"consul\" meanwhile, from 3 to 5; *agree "
	    "on the number first",
	    0, "replicas 3 -> 4: *");
	buf_release(&before.log);
	script_expect(&after, SCALE(7), "conflict: somebody else*, from 4 to 5; *", 0, "replicas 3 -> 4: *");
	buf_release(&after.log);
	/* An answer that got lost does not excuse another number than ours. */
	script_expect(&open, SCALE(5), "conflict: somebody else*, from 3 to 5; *", 0, "replicas 3 -> 4: *");
	buf_release(&open.log);
}

/* A 409 to an order that was carried out before, its answer lost: nobody else was it. */
Test(act, a_conflict_with_ourselves_is_none)
{
	struct script script =
	    SCRIPT(SCENES(SCENE(three, UNTIL_ORDER), SCENE(four, FOREVER)), ANSWERS({ ERR_CONFLICT, true }));

	script_expect(&script, SCALE(4, .force = true), "done", 1, NULL);
	CHECK_LOG(&script, "0 step 1: *", "0 order 4", "0 note: *: no luck", "500 done 1 after 500: *");
}

/* Reap has no number in mind. */
Test(act, reap_does_not_mind_the_replicas)
{
	struct script script = SCRIPT(SCENES(SCENE(three_and_one_failed, UNTIL_ORDER), SCENE(five, FOREVER)));

	script_expect(&script, REAP, "done", 1, NULL);
	buf_release(&script.log);
}

Test(act, who_is_gone_already_is_gone)
{
	struct script script =
	    SCRIPT(SCENES(SCENE(three_and_one_failed, UNTIL_ORDER), SCENE(three_and_one_left, FOREVER)),
	           ANSWERS({ ERR_NOT_FOUND, true }));

	script_expect(&script, REAP, "done", 1, NULL);
	CHECK_LOG(&script, "0 step 1: *", "0 order force-leave consul-3", "500 done 1 after 500: *");
}

/* ------------------------------------------------------------------------ refused for good, by others */

Test(act, what_is_forbidden_ends_it)
{
	struct script script = SCRIPT(SCENES(SCENE(three, FOREVER)), ANSWERS({ ERR_FORBIDDEN, false }));
	struct script claim = SCRIPT(SCENES(SCENE(three_and_a_claim, FOREVER)), ANSWERS({ ERR_FORBIDDEN, false }));
	struct script reap = SCRIPT(SCENES(SCENE(three_and_one_failed, FOREVER)), ANSWERS({ ERR_FAILED, false }));

	script_expect(&script, SCALE(5), "forbidden: replicas 3 -> 4: consul-3 joins: no luck", 0, NULL);
	buf_release(&script.log);
	script_expect(&claim, SCALE(3, .delete_claims = true),
	              "forbidden: delete claim data-consul-3 (60m old): no luck", 0, NULL);
	buf_release(&claim.log);
	script_expect(&reap, REAP, "failed: force-leave consul-3 (10.0.0.13): failed becomes left: no luck", 0, NULL);
	buf_release(&reap.log);
}

Test(act, it_goes_on_without_a_leave)
{
	struct script script = SCRIPT(
	    SCENES(SCENE(four_of_others, 1), SCENE(four_of_others, UNTIL_ORDER), SCENE(three_and_one_left, FOREVER)),
	    ANSWERS({ ERR_FORBIDDEN, false }));

	script_expect(&script, SCALE(3), "done", 1, NULL);
	CHECK_LOG(&script, "0 step 1: consul-3 leaves Consul", "0 order leave consul-3",
	          "0 note: consul-3 leaves Consul: no luck",
	          "500 step 1: replicas 4 -> 3: consul-3 stops (it cannot leave)", "500 order 3",
	          "1000 done 1 after 500: *");
}

Test(act, it_goes_on_without_a_new_leader)
{
	struct script script = SCRIPT(SCENES(SCENE(four_led_by_the_last, 1), SCENE(four_led_by_the_last, UNTIL_ORDER),
	                                     SCENE(three_and_one_left, FOREVER)),
	                              ANSWERS({ ERR_NOT_FOUND, false }));

	script_expect(&script, SCALE(3), "done", 1, NULL);
	CHECK_LOG(&script, "0 step 1: consul-3 hands leadership over", "0 order transfer-leader id-0",
	          "0 note: consul-3 hands leadership over: no luck",
	          "500 step 1: replicas 4 -> 3: consul-3 leaves and stops", "500 order 3", "1000 done 1 after 500: *");
}

Test(act, it_goes_on_without_a_minimum)
{
	struct script script =
	    SCRIPT(SCENES(SCENE(three_with_old_minimum, FOREVER)), ANSWERS({ ERR_FORBIDDEN, false }));
	struct script conflict =
	    SCRIPT(SCENES(SCENE(three_with_old_minimum, UNTIL_ORDER), SCENE(three_with_minimum, FOREVER)),
	           ANSWERS({ ERR_CONFLICT, false }));

	script_expect(&script, SCALE(3), "done", 0, NULL);
	CHECK_LOG(&script, "0 step 1: autopilot's min_quorum 3 -> 2", "0 order min-quorum 2",
	          "0 note: autopilot's min_quorum 3 -> 2: no luck");
	script_expect(&conflict, SCALE(3), "done", 1, NULL);
	CHECK_LOG(&conflict, "0 step 1: *", "0 order min-quorum 2", "0 note: *", "500 order min-quorum 2",
	          "500 done 1 after 500: *");
}

/* ------------------------------------------------------------------------------------- no effect */

Test(act, a_minimum_without_effect_is_given_up)
{
	struct script script = SCRIPT(SCENES(SCENE(three_with_old_minimum, FOREVER)));

	script_expect(&script, SCALE(3), "done", 0, NULL);
	CHECK_LOG(&script, "0 step 1: *", "0 order min-quorum 2", "0 wait: *", "4000 order min-quorum 2",
	          "8000 order min-quorum 2", "12000 order min-quorum 2",
	          "15000 note: *shows no effect, going on without");
}

/* Told, and told again, and gone on without. */
Test(act, a_leave_without_effect_is_given_up)
{
	struct script script = SCRIPT(SCENES(SCENE(four_of_others, 60001), SCENE(four_of_others, UNTIL_ORDER),
	                                     SCENE(three_and_one_left, FOREVER)),
	                              ANSWERS({ ERR_TIMEOUT, false }));

	script_expect(&script, SCALE(3), "done", 1, NULL);
	CHECK_LOG(&script, "0 step 1: consul-3 leaves Consul", "0 order leave consul-3", "0 note: *: no luck",
	          "500 wait: the effect of: consul-3 leaves Consul", "20000 order leave consul-3",
	          "40000 order leave consul-3", "60000 note: consul-3 leaves Consul: shows no effect, going on without",
	          "60500 step 1: replicas 4 -> 3: consul-3 stops (it cannot leave)", "60500 order 3",
	          "61000 done 1 after 500: *");
}

Test(act, a_leave_that_is_answered_late_has_its_effect)
{
	struct script script = SCRIPT(SCENES(SCENE(four_of_others, 7000), SCENE(fourth_has_left, UNTIL_ORDER),
	                                     SCENE(three_and_one_left, FOREVER)),
	                              ANSWERS({ ERR_TIMEOUT, true }));

	script_expect(&script, SCALE(3), "done", 2, NULL);
	CHECK_LOG(&script, "0 step 1: consul-3 leaves Consul", "0 order leave consul-3", "0 note: *", "500 wait: *",
	          "7000 done 1 after 7000: consul-3 leaves Consul", "7000 step 2: replicas 4 -> 3: consul-3 stops",
	          "7000 order 3", "7500 done 2 after 500: *");
}

Test(act, a_leadership_that_is_not_handed_over_is_given_up)
{
	struct script script =
	    SCRIPT(SCENES(SCENE(four_led_by_the_last, 15001), SCENE(four_led_by_the_last, UNTIL_ORDER),
	                  SCENE(three_and_one_left, FOREVER)));

	script_expect(&script, SCALE(3), "done", 1, NULL);
	CHECK_LOG(&script, "0 step 1: consul-3 hands leadership over", "0 order transfer-leader id-0",
	          "0 wait: the effect of: consul-3 hands leadership over", "5000 order transfer-leader id-0",
	          "10000 order transfer-leader id-0", "15000 note: *: shows no effect, going on without",
	          "15500 step 1: replicas 4 -> 3: consul-3 leaves and stops", "15500 order 3",
	          "16000 done 1 after 500: *");
}

Test(act, a_step_without_effect_times_out)
{
	struct script script = SCRIPT(SCENES(SCENE(three_and_one_failed, FOREVER)));

	script_expect(&script, REAP,
	              "timeout: force-leave consul-3 (10.0.0.13): failed becomes left: shows no effect after 3m*", 0,
	              "force-leave consul-3 *");
	cr_expect_eq(script.now_ms, ACT_STEP_MS);
	cr_expect_eq(script.orders, ACT_STEP_MS / 4000);
	buf_release(&script.log);
}
