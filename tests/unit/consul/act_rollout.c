/* consul/act.h: servers that are replaced. */
#include <criterion/criterion.h>

#include "act_script.h"
#include "util/mem.h"
#include "util/str.h"

Test(act_rollout, one_after_the_other_and_the_leader_last)
{
	struct script script =
	    SCRIPT(SCENES(SCENE(three_to_replace, UNTIL_ORDER), SCENE(third_stops_to_be_replaced, 4000),
	                  SCENE(third_is_replaced_and_starts, 6000), SCENE(third_is_replaced, UNTIL_ORDER),
	                  SCENE(leader_is_left_to_replace, UNTIL_ORDER), SCENE(new_one_leads, UNTIL_ORDER),
	                  SCENE(three_replaced, FOREVER)));

	script_expect(&script, ROLLOUT, "done", 4, NULL);
	CHECK_LOG(&script, "0 step 1: consul-2 is replaced: it leaves and stops", "0 order restart consul-2",
	          "0 wait: consul-2: stopping", "4000 wait: consul-2: starting",
	          "10000 done 1 after 10000: consul-2 is replaced: *", "10000 step 2: consul-1 is replaced: *",
	          "10000 order restart consul-1", "10000 done 2 *", "10000 step 3: consul-0 hands leadership over",
	          "10000 order transfer-leader id-1", "10000 done 3 *", "10000 step 4: consul-0 is replaced: *",
	          "10000 order restart consul-0", "10000 done 4 *");
}

/* A run that was killed left it to Kubernetes: the next waits for the pod, and does nothing twice. */
Test(act_rollout, a_run_that_was_killed_is_gone_on_with)
{
	struct script script =
	    SCRIPT(SCENES(SCENE(third_stops_to_be_replaced, 25000), SCENE(third_is_replaced_and_starts, 100000),
	                  SCENE(third_is_replaced, UNTIL_ORDER), SCENE(leader_is_left_to_replace, UNTIL_ORDER),
	                  SCENE(new_one_leads, UNTIL_ORDER), SCENE(three_replaced, FOREVER)));

	script_expect(&script, ROLLOUT, "done", 3, NULL);
	cr_expect_eq(script.orders, 3);
	buf_release(&script.log);
}

/* The answer was lost, or the pod had changed: what counts is what is seen. */
Test(act_rollout, a_pod_that_is_there_still_is_deleted_again)
{
	struct script lost = SCRIPT(SCENES(SCENE(leader_is_left_to_replace, UNTIL_ORDER),
	                                   SCENE(new_one_leads, UNTIL_ORDER), SCENE(three_replaced, FOREVER)),
	                            ANSWERS({ ERR_NONE, false }, { ERR_UNREACHABLE, true }));
	struct script changed = SCRIPT(SCENES(SCENE(new_one_leads, 5000), SCENE(three_replaced, FOREVER)));

	script_expect(&lost, ROLLOUT, "done", 2, NULL);
	cr_expect_eq(lost.orders, 2);
	buf_release(&lost.log);
	script_expect(&changed, ROLLOUT, "done", 1, NULL);
	CHECK_LOG(&changed, "0 step 1: *", "0 order restart consul-0", "0 wait: the effect of: *",
	          "4000 order restart consul-0", "5000 done 1 *");
}

/* An image that cannot be pulled shows soon: nobody waits a minute for it. */
Test(act_rollout, a_server_that_does_not_come_back_is_told_soon)
{
	struct script script =
	    SCRIPT(SCENES(SCENE(three_to_replace, UNTIL_ORDER), SCENE(third_stops_to_be_replaced, 4000),
	                  SCENE(third_is_replaced_and_broken, FOREVER)),
	           .event = "no such image");
	struct script passing =
	    SCRIPT(SCENES(SCENE(three_to_replace, UNTIL_ORDER), SCENE(third_is_replaced_and_broken, 20000),
	                  SCENE(third_is_replaced, UNTIL_ORDER), SCENE(leader_is_left_to_replace, UNTIL_ORDER),
	                  SCENE(new_one_leads, UNTIL_ORDER), SCENE(three_replaced, FOREVER)));

	script_expect(&script, ROLLOUT,
	              "failed: gave up after *: consul-2 is not well: cannot pull image: *: no such image; kubectl "
	              "describe pod consul-2 -n ns tells more",
	              0, "consul-2 is replaced: it leaves and stops");
	cr_expect_leq(script.now_ms, 30000);
	cr_expect_eq(script.orders, 1, "no other server is touched");
	buf_release(&script.log);
	script_expect(&passing, ROLLOUT, "done", 4, NULL);
	buf_release(&passing.log);
}

Test(act_rollout, an_image_may_be_pulled_slowly_and_not_for_ever)
{
	struct script script =
	    SCRIPT(SCENES(SCENE(three_to_replace, UNTIL_ORDER), SCENE(third_is_replaced_and_starts, FOREVER)));

	script_expect(&script, ROLLOUT, "timeout: gave up after 3m, waiting for consul-2: starting; *", 0,
	              "consul-2 is replaced: *");
	cr_expect_geq(script.now_ms, ACT_STEP_MS);
	buf_release(&script.log);
}

Test(act_rollout, who_may_not_delete_pods_is_told_so)
{
	struct script script = SCRIPT(SCENES(SCENE(three_to_replace, FOREVER)), ANSWERS({ ERR_FORBIDDEN, false }));

	script_expect(&script, ROLLOUT, "forbidden: consul-2 is replaced: it leaves and stops: no luck*", 0, NULL);
	buf_release(&script.log);
}

/* For some seconds nobody sees that it leaves; that another one does not answer just then does not make that one the
 * next.
 */
Test(act_rollout, while_one_may_be_leaving_no_other_is_told_to)
{
	struct script passing =
	    SCRIPT(SCENES(SCENE(three_to_be_told_to_leave, UNTIL_ORDER), SCENE(second_does_not_answer, 2000),
	                  SCENE(third_has_left_to_be_replaced, UNTIL_ORDER), SCENE(three_replaced, FOREVER)));
	struct script in_vain =
	    SCRIPT(SCENES(SCENE(three_to_be_told_to_leave, UNTIL_ORDER), SCENE(second_does_not_answer, UNTIL_ORDER),
	                  SCENE(three_replaced, FOREVER)));

	script_expect(&passing, ROLLOUT, "done", 2, NULL);
	CHECK_LOG(&passing, "0 step 1: consul-2 leaves Consul", "0 order leave consul-2",
	          "0 wait: the effect of: consul-2 leaves Consul", "2000 done 1 after 2000: consul-2 leaves Consul",
	          "2000 step 2: consul-2 is replaced: it stops", "2000 order restart consul-2", "2000 done 2 *");
	script_expect(&in_vain, ROLLOUT, "done", 0, NULL);
	CHECK_LOG(&in_vain, "0 step 1: consul-2 leaves Consul", "0 order leave consul-2",
	          "0 wait: the effect of: consul-2 leaves Consul", "20000 note: consul-2 leaves Consul: no effect *",
	          "20000 step 1: consul-1 leaves Consul", "20000 order leave consul-1",
	          "20000 note: *no effect was seen*");
}
