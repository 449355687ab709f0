/* plan_forward: whole ways to a goal, with the arithmetic, as one would work them out by hand. */
#include <criterion/criterion.h>

#include "plan_check.h"
#include "util/mem.h"
#include "util/str.h"

#define CHECK_FORWARD(snapshot_, goal_, ...)                                                                           \
	plan_check_forward((snapshot_), (goal_), (const char *const[]){ __VA_ARGS__, NULL })

/* All steps end in done, and the snapshot after them is the goal, for good. Releases it. */
static void expect_end(struct snapshot *snapshot, const struct goal *goal, int64_t replicas)
{
	struct assessment assessment;

	plan_check(snapshot, goal, "done");
	cr_expect_eq(snapshot->set.replicas, replicas);
	cr_expect_eq(snapshot->server_count, (size_t)replicas);
	assess(snapshot, &assessment);
	cr_expect_eq(assessment.quorum.voters, replicas);
	cr_expect_eq(assessment.quorum.live_voters, replicas);
	cr_expect_not_null(assessment.leader);
	assessment_release(&assessment);
	snapshot_release(snapshot);
}

/* -------------------------------------------------------------------------------------------- up */

Test(plan_predict, three_to_five)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_set_min_quorum(&snapshot, 2);
	CHECK_FORWARD(&snapshot, SCALE(5), "step replicas 4: replicas 3 -> 4: consul-3 joins; 3/3 -> 4/4",
	              "step replicas 5: replicas 4 -> 5: consul-4 joins; 4/4 -> 5/5",
	              "step min-quorum 3 via consul-0: autopilot's min_quorum 2 -> 3; 5/5 -> 5/5", "done");
	expect_end(&snapshot, SCALE(5), 5);
}

Test(plan_predict, one_to_three)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 1);
	CHECK_FORWARD(&snapshot, SCALE(3), "step replicas 2: replicas 1 -> 2: consul-1 joins; 1/1 -> 2/2",
	              "step replicas 3: replicas 2 -> 3: consul-2 joins; 2/2 -> 3/3", "done");
	expect_end(&snapshot, SCALE(3), 3);
}

/* bootstrap_expect is set once, before the first of them comes. */
Test(plan_predict, one_to_three_of_servers_that_would_bootstrap_alone)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 1);
	sample_set_expect(&snapshot, 1, true);
	CHECK_FORWARD(&snapshot, SCALE(3),
	              "step expect 3: bootstrap_expect 1 -> 3, so that none bootstraps alone; 1/1 -> 1/1",
	              "step replicas 2: replicas 1 -> 2: consul-1 joins; 1/1 -> 2/2",
	              "step replicas 3: replicas 2 -> 3: consul-2 joins; 2/2 -> 3/3", "done");
	cr_expect_eq(snapshot.expect.expect, 3);
	expect_end(&snapshot, SCALE(3), 3);
}

Test(plan_predict, up_with_ordinals_that_start_elsewhere_and_claims_that_are_deleted)
{
	struct snapshot snapshot;
	const struct goal *goal = SCALE(5, .delete_claims = true);

	sample_init_from(&snapshot, 100, 3);
	sample_add_claim(&snapshot, "data-consul-101", 86400);
	sample_add_claim(&snapshot, "data-consul-103", 86400);
	sample_add_claim(&snapshot, "data-consul-104", 30 * 86400);
	sample_add_claim(&snapshot, "data-consul-105", 86400);
	CHECK_FORWARD(&snapshot, goal,
	              "step delete-claim data-consul-103: delete claim data-consul-103 (24h old); 3/3 -> 3/3",
	              "step replicas 4: replicas 3 -> 4: consul-103 joins; 3/3 -> 4/4",
	              "step delete-claim data-consul-104: delete claim data-consul-104 (30d old); 4/4 -> 4/4",
	              "step replicas 5: replicas 4 -> 5: consul-104 joins; 4/4 -> 5/5",
	              "step delete-claim data-consul-105: delete claim data-consul-105 (24h old); 5/5 -> 5/5", "done");
	cr_expect_eq(snapshot.claim_count, 1);
	expect_end(&snapshot, goal, 5);
}

/* ------------------------------------------------------------------------------------------ down */

Test(plan_predict, five_to_three)
{
	struct snapshot snapshot;
	const struct goal *goal = SCALE(3, .delete_claims = true);

	sample_init(&snapshot, 5);
	sample_set_min_quorum(&snapshot, 3);
	for (size_t i = 0; i < 5; i++)
		sample_add_claim(&snapshot,
		                 (const char *const[]){ "data-consul-0", "data-consul-1", "data-consul-2",
		                                        "data-consul-3", "data-consul-4" }[i],
		                 86400);
	CHECK_FORWARD(&snapshot, goal, "step replicas 4: replicas 5 -> 4: consul-4 leaves and stops; 5/5 -> 4/4",
	              "step replicas 3: replicas 4 -> 3: consul-3 leaves and stops; 4/4 -> 3/3",
	              "step min-quorum 2 via consul-0: autopilot's min_quorum 3 -> 2; 3/3 -> 3/3",
	              "step delete-claim data-consul-3: *; 3/3 -> 3/3",
	              "step delete-claim data-consul-4: *; 3/3 -> 3/3", "done");
	expect_end(&snapshot, goal, 3);
}

Test(plan_predict, five_to_three_of_servers_that_do_not_leave_by_themselves)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_set_leave_on_terminate(&snapshot, 0);
	CHECK_FORWARD(&snapshot, SCALE(3), "step leave via consul-4: consul-4 leaves Consul; 5/5 -> 4/4",
	              "step replicas 4: replicas 5 -> 4: consul-4 stops; 4/4 -> 4/4",
	              "step leave via consul-3: consul-3 leaves Consul; 4/4 -> 3/3",
	              "step replicas 3: replicas 4 -> 3: consul-3 stops; 3/3 -> 3/3", "done");
	expect_end(&snapshot, SCALE(3), 3);
}

Test(plan_predict, five_to_three_when_the_victim_leads_and_can_hand_over)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_lead(&snapshot, 4);
	CHECK_FORWARD(&snapshot, SCALE(3),
	              "step transfer-leader id-0 via consul-4: consul-4 hands leadership over; 5/5 -> 5/5",
	              "step replicas 4: replicas 5 -> 4: consul-4 leaves and stops; 5/5 -> 4/4",
	              "step replicas 3: replicas 4 -> 3: consul-3 leaves and stops; 4/4 -> 3/3", "done");
	cr_expect_str_eq(snapshot.servers[2].view.self.leader_address, "10.0.0.10:8300");
	expect_end(&snapshot, SCALE(3), 3);
}

Test(plan_predict, five_to_three_when_the_victim_leads_and_cannot_hand_over)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_set_version(&snapshot, "1.8.7");
	sample_lead(&snapshot, 4);
	CHECK_FORWARD(&snapshot, SCALE(3), "step replicas 4: replicas 5 -> 4: consul-4 leaves and stops; 5/5 -> 4/4",
	              "step replicas 3: replicas 4 -> 3: consul-3 leaves and stops; 4/4 -> 3/3", "done");
	expect_end(&snapshot, SCALE(3), 3);
	sample_init(&snapshot, 5);
	sample_set_version(&snapshot, "1.8.7");
	sample_set_leave_on_terminate(&snapshot, 0);
	sample_lead(&snapshot, 4);
	CHECK_FORWARD(&snapshot, SCALE(3),
	              "step leave via consul-4: consul-4 leaves Consul, and leads no more; 5/5 -> 4/4",
	              "step replicas 4: replicas 5 -> 4: consul-4 stops; 4/4 -> 4/4",
	              "step leave via consul-3: consul-3 leaves Consul; 4/4 -> 3/3",
	              "step replicas 3: replicas 4 -> 3: consul-3 stops; 3/3 -> 3/3", "done");
	expect_end(&snapshot, SCALE(3), 3);
}

/* With raft protocol 2 nobody can be named as the next leader: any other is expected to lead. */
Test(plan_predict, five_to_three_when_anybody_else_is_to_lead)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_lead(&snapshot, 4);
	for (size_t i = 0; i < 5; i++)
		for (size_t k = 0; k < 5; k++) {
			struct peer *peer = &snapshot.servers[i].view.peers[k];

			replace_string(&peer->id, xstrdup(peer->address));
		}
	CHECK_FORWARD(&snapshot, SCALE(3), "step transfer-leader \"\" via consul-4: *; 5/5 -> 5/5",
	              "step replicas 4: *consul-4 leaves and stops; 5/5 -> 4/4", "step replicas 3: *; 4/4 -> 3/3",
	              "done");
	expect_end(&snapshot, SCALE(3), 3);
}

Test(plan_predict, three_to_one)
{
	struct snapshot snapshot;
	const struct goal *goal = SCALE(1, .force = true);

	sample_init(&snapshot, 3);
	sample_lead(&snapshot, 1);
	CHECK_FORWARD(&snapshot, goal, "step replicas 2: replicas 3 -> 2: consul-2 leaves and stops; 3/3 -> 2/2",
	              "step transfer-leader id-0 via consul-1: consul-1 hands leadership over; 2/2 -> 2/2",
	              "step leave via consul-1: consul-1 leaves Consul; 2/2 -> 1/1",
	              "step replicas 1: replicas 2 -> 1: consul-1 stops; 1/1 -> 1/1", "done");
	expect_end(&snapshot, goal, 1);
}

/* The last but one cannot leave: the way ends there, and two servers stay. */
Test(plan_predict, three_to_one_where_servers_cannot_leave)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_set_leave_on_terminate(&snapshot, 0);
	CHECK_FORWARD(&snapshot, SCALE(1, .force = true, .cannot_leave = "consul-1"),
	              "step leave via consul-2: *; 3/3 -> 2/2", "step replicas 2: *consul-2 stops; 2/2 -> 2/2",
	              "refuse consul-1: consul-1 cannot leave, *");
	snapshot_release(&snapshot);
}

Test(plan_predict, a_dead_victim_is_cleaned_up_before_the_next_goes)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_lose_pod(&snapshot, 4);
	CHECK_FORWARD(&snapshot, SCALE(3),
	              "step replicas 4: replicas 5 -> 4: consul-4 goes (it does not live); 4/5 -> 4/5",
	              "step force-leave consul-4 via consul-0: *; 4/5 -> 4/4",
	              "step replicas 3: replicas 4 -> 3: consul-3 leaves and stops; 4/4 -> 3/3", "done");
	expect_end(&snapshot, SCALE(3), 3);
}

Test(plan_predict, a_victim_that_cannot_leave_is_cleaned_up_before_the_next_goes)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_set_leave_on_terminate(&snapshot, 0);
	CHECK_FORWARD(&snapshot, SCALE(3, .cannot_leave = "consul-4"),
	              "step replicas 4: replicas 5 -> 4: consul-4 stops (it cannot leave); 5/5 -> 4/5",
	              "step force-leave consul-4 via consul-0: *; 4/5 -> 4/4",
	              "step leave via consul-3: consul-3 leaves Consul; 4/4 -> 3/3",
	              "step replicas 3: replicas 4 -> 3: consul-3 stops; 3/3 -> 3/3", "done");
	expect_end(&snapshot, SCALE(3), 3);
}

Test(plan_predict, one_that_does_not_vote_leaves_as_well)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_set_voter(&snapshot, -1, "consul-4", false);
	CHECK_FORWARD(&snapshot, SCALE(3), "step replicas 4: *consul-4 leaves and stops; 4/4 -> 4/4",
	              "step replicas 3: *consul-3 leaves and stops; 4/4 -> 3/3", "done");
	expect_end(&snapshot, SCALE(3), 3);
}

/* Once its pod is gone, only who scaled it away knows that it was one of ours. */
Test(plan_predict, a_dead_victim_of_another_name_is_cleaned_up)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	for (size_t i = 0; i < 5; i++)
		replace_string(&snapshot.servers[i].view.members[4].name, xstrdup("node-e"));
	sample_stop(&snapshot, 4, NULL);
	sample_see(&snapshot, -1, "node-e", MEMBER_FAILED);
	CHECK_FORWARD(&snapshot, SCALE(3), "step replicas 4: *consul-4 goes (it does not live); 4/5 -> 4/5",
	              "step force-leave node-e via consul-0: *; 4/5 -> 4/4", "step replicas 3: *; 4/4 -> 3/3", "done");
	expect_end(&snapshot, SCALE(3), 3);
}

/* ------------------------------------------------------------------------------------------ reap */

Test(plan_predict, two_failed_are_reaped_one_after_the_other)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_scale(&snapshot, 3, MEMBER_FAILED);
	CHECK_FORWARD(&snapshot, PRUNE,
	              "step force-leave consul-3 via consul-0: force-leave consul-3 (10.0.0.13): failed becomes left; "
	              "3/5 -> 3/4",
	              "step prune consul-3 via consul-0: *; 3/4 -> 3/4",
	              "step force-leave consul-4 via consul-0: *; 3/4 -> 3/3",
	              "step prune consul-4 via consul-0: *; 3/3 -> 3/3", "done");
	expect_end(&snapshot, PRUNE, 3);
	sample_init(&snapshot, 5);
	sample_scale(&snapshot, 3, MEMBER_FAILED);
	CHECK_FORWARD(&snapshot, REAP, "step force-leave consul-3 via consul-0: *; 3/5 -> 3/4",
	              "step force-leave consul-4 via consul-0: *; 3/4 -> 3/3", "done");
	expect_end(&snapshot, REAP, 3);
}

Test(plan_predict, what_left_but_votes_is_removed)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_scale(&snapshot, 3, MEMBER_LEFT);
	sample_add_peer(&snapshot, NULL, "10.0.0.77", false);
	CHECK_FORWARD(&snapshot, REAP, "step remove-peer id-3 via consul-0: *; 3/5 -> 3/4",
	              "step remove-peer id-4 via consul-0: *; 3/4 -> 3/3",
	              "step remove-peer 10.0.0.77:8300 via consul-0: *; 3/3 -> 3/3", "done");
	expect_end(&snapshot, REAP, 3);
}

/* A scale that was begun without the plugin is finished first: then it goes up. */
Test(plan_predict, leftovers_are_cleaned_up_before_servers_come)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 4);
	sample_scale(&snapshot, 3, MEMBER_FAILED);
	CHECK_FORWARD(&snapshot, SCALE(5), "step force-leave consul-3 via consul-0: *; 3/4 -> 3/3",
	              "step replicas 4: replicas 3 -> 4: consul-3 joins; 3/3 -> 4/4",
	              "step replicas 5: replicas 4 -> 5: consul-4 joins; 4/4 -> 5/5", "done");
	expect_end(&snapshot, SCALE(5), 5);
}

/* Every size to every other, for servers of either kind, whoever leads: it ends, and rule 1 holds of each step. */
Test(plan_predict, every_way_ends)
{
	for (size_t from = 1; from <= 7; from++)
		for (int64_t to = 1; to <= 7; to++)
			for (size_t leader = 0; leader < from; leader++)
				for (int64_t leaves = 0; leaves < 2; leaves++) {
					struct snapshot snapshot;
					struct steps steps = STEPS_INIT;
					const struct goal *goal = SCALE(to, .force = true);
					struct plan last;

					sample_init(&snapshot, from);
					sample_lead(&snapshot, leader);
					sample_set_leave_on_terminate(&snapshot, leaves);
					sample_set_version(&snapshot, leaves ? "1.21.0" : "1.8.7");
					plan_forward(&snapshot, goal, &steps, &last);
					cr_expect_eq(last.kind, PLAN_DONE);
					for (size_t i = 0; i < steps.count; i++)
						cr_expect_geq(steps.items[i].after.live_voters,
						              steps.items[i].after.quorum);
					steps_release(&steps);
					plan_release(&last);
					expect_end(&snapshot, goal, to);
				}
}
