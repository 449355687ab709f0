/* plan_forward over a wait: what comes by itself, and all steps after it as if it had come. */
#include <criterion/criterion.h>

#include "plan_check.h"
#include "util/mem.h"
#include "util/str.h"

#define CHECK_FORWARD(snapshot_, goal_, ...)                                                                           \
	plan_check_forward((snapshot_), (goal_), (const char *const[]){ __VA_ARGS__, NULL })

#define JOINS_5TH "step replicas 5: replicas 4 -> 5: consul-4 joins; 4/4 -> 5/5"

/* What is foreseen is the goal, for good: so many servers, each of them once, and all of them vote. Releases it. */
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
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct view *view = &snapshot->servers[i].view;

		cr_expect_eq(view->peer_count, (size_t)replicas);
		for (size_t k = 0; k < view->peer_count; k++)
			for (size_t m = 0; m < k; m++)
				cr_expect_str_neq(view->peers[k].address, view->peers[m].address);
	}
	snapshot_release(snapshot);
}

/* ------------------------------------------------------------------------------------- one that comes */

Test(plan_settled, one_that_does_not_vote_yet)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 4);
	sample_set_voter(&snapshot, -1, "consul-3", false);
	CHECK_FORWARD(&snapshot, SCALE(5), "waits for consul-3: joined, not a voter yet", JOINS_5TH, "done");
	expect_end(&snapshot, SCALE(5), 5);
	/* It is on its way up, and is not wanted any more. */
	sample_init(&snapshot, 5);
	sample_set_voter(&snapshot, -1, "consul-3", false);
	CHECK_FORWARD(&snapshot, SCALE(3), "waits for consul-3: joined, not a voter yet",
	              "step replicas 4: replicas 5 -> 4: consul-4 leaves and stops; 5/5 -> 4/4",
	              "step replicas 3: replicas 4 -> 3: consul-3 leaves and stops; 4/4 -> 3/3", "done");
	expect_end(&snapshot, SCALE(3), 3);
	/* Nothing else is left to do. */
	sample_init(&snapshot, 3);
	sample_set_voter(&snapshot, -1, "consul-2", false);
	CHECK_FORWARD(&snapshot, SCALE(3), "waits for consul-2: joined, not a voter yet", "done");
	expect_end(&snapshot, SCALE(3), 3);
}

Test(plan_settled, one_that_is_in_no_raft_yet)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 4);
	sample_leave(&snapshot, 3);
	sample_see(&snapshot, -1, "consul-3", MEMBER_ALIVE);
	sample_set_min_quorum(&snapshot, 2);
	CHECK_FORWARD(&snapshot, SCALE(5), "waits for consul-3: running, not in raft yet", JOINS_5TH,
	              "step min-quorum 3 via consul-0: *; 5/5 -> 5/5", "done");
	expect_end(&snapshot, SCALE(5), 5);
	/* Nor has anybody heard of it. */
	sample_init(&snapshot, 4);
	sample_leave(&snapshot, 3);
	sample_forget_member(&snapshot, -1, "consul-3");
	sample_silence(&snapshot, 3, ERR_UNREACHABLE, "connection refused");
	CHECK_FORWARD(&snapshot, SCALE(5), "waits for consul-3: running, does not answer yet", JOINS_5TH, "done");
	expect_end(&snapshot, SCALE(5), 5);
	/* It answers, is in no raft, and so has heard of no leader. */
	sample_init(&snapshot, 4);
	sample_leave(&snapshot, 3);
	sample_forget_member(&snapshot, -1, "consul-3");
	sample_set_leader(&snapshot, 3, NULL);
	for (size_t i = 0; i < 4; i++)
		sample_forget_peer(&snapshot, 3, snapshot.servers[i].name);
	CHECK_FORWARD(&snapshot, SCALE(5), "waits for consul-3: running, not in raft yet", JOINS_5TH, "done");
	expect_end(&snapshot, SCALE(5), 5);
}

Test(plan_settled, one_that_has_no_pod_yet)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 4);
	sample_lose_pod(&snapshot, 3);
	sample_leave(&snapshot, 3);
	sample_forget_member(&snapshot, -1, "consul-3");
	CHECK_FORWARD(&snapshot, SCALE(5), "waits for consul-3: its pod does not exist yet", JOINS_5TH, "done");
	expect_end(&snapshot, SCALE(5), 5);
	/* And went before, by the same name and another address. */
	sample_init(&snapshot, 4);
	sample_lose_pod(&snapshot, 3);
	sample_leave(&snapshot, 3);
	CHECK_FORWARD(&snapshot, SCALE(5), "waits for consul-3: its pod does not exist yet", JOINS_5TH, "done");
	expect_end(&snapshot, SCALE(5), 5);
	/* Kubernetes has not even begun. */
	sample_init(&snapshot, 4);
	sample_lose_pod(&snapshot, 3);
	sample_leave(&snapshot, 3);
	snapshot.set.generation = 2;
	snapshot.set.observed_generation = 1;
	CHECK_FORWARD(&snapshot, SCALE(5), "waits for consul-3: its pod does not exist yet", JOINS_5TH, "done");
	expect_end(&snapshot, SCALE(5), 5);
	sample_init(&snapshot, 3);
	snapshot.set.generation = 2;
	snapshot.set.observed_generation = 1;
	CHECK_FORWARD(&snapshot, SCALE(4, .force = true), "waits for Kubernetes has not taken up the last change yet",
	              "step replicas 4: replicas 3 -> 4: consul-3 joins; 3/3 -> 4/4", "done");
	expect_end(&snapshot, SCALE(4), 4);
}

Test(plan_settled, one_that_cannot_be_scheduled_yet)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 4);
	sample_never_ran(&snapshot, 3, NULL);
	sample_leave(&snapshot, 3);
	sample_forget_member(&snapshot, -1, "consul-3");
	CHECK_FORWARD(&snapshot, SCALE(5), "waits for consul-3: not scheduled: *", JOINS_5TH, "done");
	expect_end(&snapshot, SCALE(5), 5);
}

Test(plan_settled, a_voter_that_is_not_stable_yet)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 4);
	snapshot.servers[3].pod.ready = false;
	CHECK_FORWARD(&snapshot, SCALE(5), "waits for consul-3: a voter, about to be ready", JOINS_5TH, "done");
	expect_end(&snapshot, SCALE(5), 5);
	sample_init(&snapshot, 4);
	snapshot.servers[3].view.self.last_log_index = 10;
	CHECK_FORWARD(&snapshot, SCALE(5), "waits for consul-3: a voter, 990 log entries behind", JOINS_5TH, "done");
	expect_end(&snapshot, SCALE(5), 5);
	sample_init(&snapshot, 4);
	sample_see(&snapshot, -1, "consul-3", MEMBER_FAILED);
	CHECK_FORWARD(&snapshot, SCALE(5), "waits for consul-3: a voter, but for gossip it is failed", JOINS_5TH,
	              "done");
	expect_end(&snapshot, SCALE(5), 5);
	/* The leader sees it, another server does not yet; one that goes is not asked. */
	sample_init(&snapshot, 4);
	sample_see(&snapshot, 1, "consul-3", MEMBER_FAILED);
	CHECK_FORWARD(&snapshot, SCALE(5), "waits for consul-3: a voter, but consul-1 sees it as failed", JOINS_5TH,
	              "done");
	expect_end(&snapshot, SCALE(5), 5);
	sample_init(&snapshot, 3);
	sample_see(&snapshot, 1, "consul-2", MEMBER_FAILED);
	CHECK_FORWARD(&snapshot, SCALE(3), "waits for consul-2: a voter, but consul-1 sees it as failed", "done");
	expect_end(&snapshot, SCALE(3), 3);
}

/* ------------------------------------------------------------------------------------- one that goes */

Test(plan_settled, a_pod_that_goes)
{
	struct snapshot snapshot;

	/* With its vote still, and without; told to stop already, or not. */
	for (int way = 0; way < 4; way++) {
		sample_init(&snapshot, 4);
		sample_set_replicas(&snapshot, 3);
		if (way & 1)
			sample_leave(&snapshot, 3);
		snapshot.servers[3].pod.deleting = way & 2;
		CHECK_FORWARD(&snapshot, SCALE(3), way & 2 ? "waits for consul-3: stopping" : "waits for consul-3: *",
		              "done");
		expect_end(&snapshot, SCALE(3), 3);
	}
	sample_init(&snapshot, 5);
	sample_set_replicas(&snapshot, 4);
	snapshot.servers[4].pod.deleting = true;
	CHECK_FORWARD(&snapshot, SCALE(3), "waits for consul-4: stopping",
	              "step replicas 3: replicas 4 -> 3: consul-3 leaves and stops; 4/4 -> 3/3", "done");
	expect_end(&snapshot, SCALE(3), 3);
	/* Up again. */
	sample_init(&snapshot, 5);
	sample_set_replicas(&snapshot, 4);
	snapshot.servers[4].pod.deleting = true;
	CHECK_FORWARD(&snapshot, SCALE(5), "waits for consul-4: stopping", JOINS_5TH, "done");
	expect_end(&snapshot, SCALE(5), 5);
}

/* It is killed with its vote, whoever did that: it is failed then, and a voter. */
Test(plan_settled, a_pod_that_goes_without_leaving)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 4);
	sample_set_replicas(&snapshot, 3);
	sample_set_leave_on_terminate(&snapshot, 0);
	snapshot.servers[3].pod.deleting = true;
	CHECK_FORWARD(&snapshot, SCALE(3), "waits for consul-3: stopping",
	              "step force-leave consul-3 via consul-0: *; 3/4 -> 3/3", "done");
	expect_end(&snapshot, SCALE(3), 3);
}

Test(plan_settled, two_pods_that_go_and_the_leader_is_one_of_them)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_set_replicas(&snapshot, 3);
	sample_lead(&snapshot, 4);
	snapshot.servers[4].pod.deleting = true;
	CHECK_FORWARD(&snapshot, SCALE(3), "waits for consul-*", "done");
	expect_end(&snapshot, SCALE(3), 3);
}

/* Told to leave before, and not gone from raft yet. */
Test(plan_settled, a_victim_that_is_leaving)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_set_leave_on_terminate(&snapshot, 0);
	sample_see(&snapshot, -1, "consul-4", MEMBER_LEAVING);
	CHECK_FORWARD(&snapshot, SCALE(3), "waits for consul-4: leaving",
	              "step replicas 4: replicas 5 -> 4: consul-4 stops; 4/4 -> 4/4",
	              "step leave via consul-3: consul-3 leaves Consul; 4/4 -> 3/3",
	              "step replicas 3: replicas 4 -> 3: consul-3 stops; 3/3 -> 3/3", "done");
	expect_end(&snapshot, SCALE(3), 3);
}

Test(plan_settled, a_member_that_is_leaving)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 4);
	sample_scale(&snapshot, 3, MEMBER_LEAVING);
	sample_forget_peer(&snapshot, -1, "consul-3");
	CHECK_FORWARD(&snapshot, REAP, "waits for consul-3: leaving", "done");
	expect_end(&snapshot, REAP, 3);
}

Test(plan_settled, a_claim_that_is_being_deleted)
{
	struct snapshot snapshot;
	const struct goal *goal = SCALE(5, .delete_claims = true);

	sample_init(&snapshot, 3);
	sample_add_claim(&snapshot, "data-consul-3", 60)->deleting = true;
	sample_add_claim(&snapshot, "data-consul-4", 60);
	CHECK_FORWARD(&snapshot, goal, "waits for claim data-consul-3: being deleted",
	              "step replicas 4: replicas 3 -> 4: consul-3 joins; 3/3 -> 4/4",
	              "step delete-claim data-consul-4: *; 4/4 -> 4/4", JOINS_5TH, "done");
	expect_end(&snapshot, goal, 5);
}

/* --------------------------------------------------------------------------------------- not foreseen */

/* What refuses is not waited for, although it may pass. */
Test(plan_settled, a_refusal_is_no_wait)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_lose_pod(&snapshot, 1);
	CHECK_FORWARD(&snapshot, SCALE(3), "refuse consul-1: *");
	snapshot_release(&snapshot);
	/* Nor is it mended by waiting for another. */
	sample_init(&snapshot, 6);
	sample_set_replicas(&snapshot, 5);
	snapshot.servers[5].pod.deleting = true;
	sample_stop(&snapshot, 1, "CrashLoopBackOff");
	CHECK_FORWARD(&snapshot, SCALE(5), "waits for consul-5: stopping", "refuse consul-1: consul-1 is a voter *");
	snapshot_release(&snapshot);
	sample_init(&snapshot, 6);
	sample_set_replicas(&snapshot, 5);
	snapshot.servers[5].pod.deleting = true;
	sample_leave(&snapshot, 4);
	sample_never_ran(&snapshot, 4, "ImagePullBackOff");
	CHECK_FORWARD(&snapshot, SCALE(5), "waits for consul-5: stopping", "refuse consul-4: consul-4 is not well: *");
	snapshot_release(&snapshot);
	sample_init(&snapshot, 4);
	sample_set_voter(&snapshot, -1, "consul-3", false);
	sample_roll(&snapshot, 0);
	CHECK_FORWARD(&snapshot, SCALE(5), "waits for consul-3: *", "refuse consul-0: a rolling update is under way*");
	snapshot_release(&snapshot);
}

/* bootstrap_expect is set once, before the first of them comes. */
Test(plan_settled, servers_that_would_bootstrap_alone)
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
