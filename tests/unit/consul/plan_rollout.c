/* rollout: who is replaced next, how, and what is waited for in between. */
#include <criterion/criterion.h>

#include "plan_check.h"
#include "util/mem.h"
#include "util/str.h"

/* A new template, by which no pod has been made yet. */
static void init(struct snapshot *snapshot, size_t servers)
{
	sample_init(snapshot, servers);
	sample_new_template(snapshot);
}

/* The server's pod is new, and its container waits for this reason: it is no member and no peer any more. */
static void come(struct snapshot *snapshot, size_t server, const char *reason)
{
	sample_renew(snapshot, server);
	sample_never_ran(snapshot, server, reason);
	sample_leave(snapshot, server);
}

/* ------------------------------------------------------------------------------------------ order */

Test(plan_rollout, followers_from_the_highest_and_the_leader_last)
{
	struct snapshot snapshot;

	init(&snapshot, 5);
	sample_lead(&snapshot, 3);
	plan_check_forward(
	    &snapshot, ROLLOUT,
	    (const char *const[]){ "step restart consul-4: consul-4 is replaced: it leaves and stops; 5/5 -> 4/4",
	                           "step restart consul-2: consul-2 is replaced: it leaves and stops; 5/5 -> 4/4",
	                           "step restart consul-1: consul-1 is replaced: it leaves and stops; 5/5 -> 4/4",
	                           "step restart consul-0: consul-0 is replaced: it leaves and stops; 5/5 -> 4/4",
	                           "step transfer-leader * via consul-3: consul-3 hands leadership over; 5/5 -> 5/5",
	                           "step restart consul-3: consul-3 is replaced: it leaves and stops; 5/5 -> 4/4",
	                           "done", NULL });
	for (size_t i = 0; i < snapshot.server_count; i++)
		cr_expect_str_eq(snapshot.servers[i].pod.revision, "new");
	snapshot_release(&snapshot);
}

Test(plan_rollout, a_leader_that_cannot_hand_over_is_replaced_all_the_same)
{
	static const char *const lines[] = { "step restart consul-2: *; 3/3 -> 2/2",
		                             "step restart consul-1: *; 3/3 -> 2/2",
		                             "step restart consul-0: *leaves and stops; 3/3 -> 2/2", "done", NULL };
	struct snapshot snapshot;

	init(&snapshot, 3);
	sample_set_version(&snapshot, "1.8.7");
	plan_check_notes(&snapshot, ROLLOUT, "consul-0 leads and goes; this Consul 1.8.7 cannot hand leadership over*");
	plan_check_forward(&snapshot, ROLLOUT, lines);
	plan_check_notes(&snapshot, ROLLOUT, "");
	snapshot_release(&snapshot);
	init(&snapshot, 3);
	plan_check_notes(&snapshot, ROLLOUT, "");
	plan_check_forward(&snapshot, &(const struct goal){ .kind = GOAL_ROLLOUT, .cannot_transfer = true }, lines);
	snapshot_release(&snapshot);
}

/* Every snapshot that a killed run can leave behind is one to go on from: whoever of the servers has been replaced. */
Test(plan_rollout, it_goes_on_from_wherever_it_was_left)
{
	for (size_t servers = 1; servers <= 5; servers++)
		for (unsigned int renewed = 0; renewed < 1U << servers; renewed++)
			for (size_t leader = 0; leader < servers; leader++) {
				struct snapshot snapshot;
				struct steps steps = STEPS_INIT;
				struct plan last;
				size_t restarts = 0, left = 0;

				init(&snapshot, servers);
				sample_lead(&snapshot, leader);
				for (size_t i = 0; i < servers; i++) {
					if (renewed >> i & 1)
						sample_renew(&snapshot, i);
					left += !(renewed >> i & 1);
				}
				plan_forward(&snapshot, ROLLOUT, &steps, &last);
				cr_expect_eq(last.kind, PLAN_DONE, "%zu servers, %x renewed: %s", servers, renewed,
				             last.text);
				for (size_t i = 0; i < steps.count; i++) {
					const struct step *step = &steps.items[i];
					bool is_leader = str_equal(step->object, snapshot.servers[leader].name);

					if (step->kind != STEP_RESTART)
						continue;
					restarts++;
					cr_expect(!is_leader || i + 1 == steps.count, "the leader goes last");
				}
				cr_expect_eq(restarts, left, "%zu of %zu", restarts, left);
				steps_release(&steps);
				plan_release(&last);
				snapshot_release(&snapshot);
			}
}

Test(plan_rollout, leadership_goes_to_a_server_that_is_new)
{
	struct snapshot snapshot;

	init(&snapshot, 3);
	sample_lead(&snapshot, 2);
	plan_check(&snapshot, ROLLOUT, "step restart consul-1: *");
	sample_renew(&snapshot, 1);
	plan_check(&snapshot, ROLLOUT, "step restart consul-0: *");
	sample_renew(&snapshot, 0);
	plan_check(&snapshot, ROLLOUT,
	           "step transfer-leader id-0 via consul-2: consul-2 hands leadership over; 3/3 -> 3/3");
	sample_lead(&snapshot, 0);
	plan_check(&snapshot, ROLLOUT, "step restart consul-2: *");
	sample_renew(&snapshot, 2);
	plan_expect(&snapshot, ROLLOUT, "done");
}

/* --------------------------------------------------------------------------------------- how it goes */

Test(plan_rollout, one_that_does_not_leave_on_sigterm_is_told_to)
{
	struct snapshot snapshot;

	init(&snapshot, 5);
	sample_set_leave_on_terminate(&snapshot, 0);
	plan_check(&snapshot, ROLLOUT, "step leave via consul-4: consul-4 leaves Consul; 5/5 -> 4/4");
	sample_see(&snapshot, -1, "consul-4", MEMBER_LEAVING);
	plan_check(&snapshot, ROLLOUT, "wait consul-4: consul-4: leaving");
	sample_leave(&snapshot, 4);
	plan_check(&snapshot, ROLLOUT, "step restart consul-4: consul-4 is replaced: it stops; 4/4 -> 4/4");
	/* Its container was started again: it has joined, and may get a vote at any time. */
	sample_see(&snapshot, -1, "consul-4", MEMBER_ALIVE);
	sample_add_peer(&snapshot, "consul-4", "10.0.0.14", false);
	plan_check(&snapshot, ROLLOUT,
	           "step restart consul-4: consul-4 is replaced: it stops (it does not vote); 4/4 -> 4/4");
	snapshot_release(&snapshot);
	init(&snapshot, 5);
	snapshot.set.grace_seconds = 5;
	plan_expect(&snapshot, ROLLOUT, "step leave via consul-4: *");
}

Test(plan_rollout, one_that_cannot_leave_stops_where_the_quorum_survives_that)
{
	const struct goal goal = { .kind = GOAL_ROLLOUT, .cannot_leave = "consul-2" };
	struct snapshot snapshot;

	init(&snapshot, 3);
	sample_set_leave_on_terminate(&snapshot, 0);
	plan_expect(&snapshot, &goal,
	            "step restart consul-2: consul-2 is replaced: it stops (it cannot leave); 3/3 -> 2/3");
	init(&snapshot, 2);
	plan_expect(&snapshot, &(const struct goal){ .kind = GOAL_ROLLOUT, .cannot_leave = "consul-1" },
	            "refuse consul-1: consul-1 cannot leave, and without it 1 of 2 voters would be fewer than the "
	            "quorum of 2 (the quorum must survive every step); *");
}

Test(plan_rollout, two_servers_by_leaving_first)
{
	struct snapshot snapshot;

	init(&snapshot, 2);
	plan_check(&snapshot, ROLLOUT, "step leave via consul-1: consul-1 leaves Consul; 2/2 -> 1/1");
	sample_leave(&snapshot, 1);
	plan_check(&snapshot, ROLLOUT, "step restart consul-1: consul-1 is replaced: it stops; 1/1 -> 1/1");
	/* Back before it was deleted: a vote that it got meanwhile would be needed. */
	sample_see(&snapshot, -1, "consul-1", MEMBER_ALIVE);
	sample_add_peer(&snapshot, "consul-1", "10.0.0.11", false);
	plan_check(&snapshot, ROLLOUT, "step leave via consul-1: consul-1 leaves Consul; 1/1 -> 1/1");
	sample_set_voter(&snapshot, -1, "consul-1", true);
	snapshot.servers[1].pod.deleting = true;
	sample_set_leave_on_terminate(&snapshot, 0);
	plan_check(&snapshot, ROLLOUT, "step leave via consul-1: consul-1 leaves Consul; 2/2 -> 1/1");
	snapshot_release(&snapshot);
	init(&snapshot, 2);
	plan_check_forward(&snapshot, ROLLOUT,
	                   (const char *const[]){ "step leave via consul-1: *", "step restart consul-1: *",
	                                          "step transfer-leader * via consul-0: *",
	                                          "step leave via consul-0: *", "step restart consul-0: *", "done",
	                                          NULL });
	snapshot_release(&snapshot);
}

Test(plan_rollout, one_server_stops_for_a_moment)
{
	struct snapshot snapshot;

	init(&snapshot, 1);
	plan_check_notes(&snapshot, ROLLOUT, "one server: writes stop while it is replaced");
	plan_check(&snapshot, ROLLOUT,
	           "step restart consul-0: consul-0 is replaced: it stops, and nobody can write meanwhile; 1/1 -> 0/1");
	snapshot.servers[0].pod.deleting = true;
	plan_check(&snapshot, ROLLOUT, "wait consul-0: consul-0: stopping (events)");
	sample_lose_pod(&snapshot, 0);
	plan_check(&snapshot, ROLLOUT, "wait consul-0: consul-0: its pod does not exist yet (events)");
	snapshot_release(&snapshot);
	init(&snapshot, 1);
	plan_check_forward(&snapshot, ROLLOUT, (const char *const[]){ "step restart consul-0: *", "done", NULL });
	snapshot_release(&snapshot);
}

/* -------------------------------------------------------------------------------------- in between */

Test(plan_rollout, the_next_only_when_the_last_is_a_stable_voter_for_all)
{
	struct snapshot snapshot;

	init(&snapshot, 3);
	snapshot.servers[2].pod.deleting = true;
	plan_check(&snapshot, ROLLOUT, "wait consul-2: consul-2: stopping (events)");
	sample_lose_pod(&snapshot, 2);
	plan_check(&snapshot, ROLLOUT, "wait consul-2: consul-2: its pod does not exist yet (events)");
	snapshot_release(&snapshot);
	init(&snapshot, 3);
	come(&snapshot, 2, "ContainerCreating");
	plan_check(&snapshot, ROLLOUT, "wait consul-2: consul-2: starting (events)");
	snapshot_release(&snapshot);
	init(&snapshot, 3);
	sample_renew(&snapshot, 2);
	sample_set_voter(&snapshot, -1, "consul-2", false);
	plan_check(&snapshot, ROLLOUT, "wait consul-2: consul-2: joined, not a voter yet");
	sample_set_voter(&snapshot, 0, "consul-2", true);
	plan_check(&snapshot, ROLLOUT, "refuse consul-1: consul-1 and consul-0 do not have the same*(may pass)*");
	sample_set_voter(&snapshot, -1, "consul-2", true);
	snapshot.servers[2].view.self.last_log_index = 10;
	plan_check(&snapshot, ROLLOUT, "wait consul-2: consul-2: a voter, 990 log entries behind");
	snapshot.servers[2].view.self.last_log_index = 1000;
	snapshot.servers[2].pod.ready = false;
	plan_check(&snapshot, ROLLOUT, "wait consul-2: consul-2: a voter, about to be ready");
	snapshot.servers[2].pod.ready = true;
	plan_check(&snapshot, ROLLOUT, "step restart consul-1: *");
	sample_renew(&snapshot, 1);
	sample_renew(&snapshot, 0);
	snapshot.servers[0].pod.ready = false;
	plan_check(&snapshot, ROLLOUT, "wait consul-0: consul-0: a voter, about to be ready");
	snapshot.servers[0].pod.ready = true;
	plan_expect(&snapshot, ROLLOUT, "done");
}

Test(plan_rollout, survivors_that_are_not_well_are_not_left_alone)
{
	struct snapshot snapshot;

	init(&snapshot, 3);
	sample_renew(&snapshot, 2);
	sample_silence(&snapshot, 0, ERR_TIMEOUT, "timed out");
	sample_lead(&snapshot, 1);
	plan_check(&snapshot, ROLLOUT, "step leave via consul-0: *");
	snapshot_release(&snapshot);
	init(&snapshot, 3);
	sample_renew(&snapshot, 0);
	sample_silence(&snapshot, 0, ERR_TIMEOUT, "timed out");
	sample_lead(&snapshot, 1);
	plan_check(&snapshot, ROLLOUT,
	           "refuse consul-0: consul-0 is a voter and cannot be asked: timed out*(may pass)*");
	snapshot_release(&snapshot);
	init(&snapshot, 3);
	sample_add_peer(&snapshot, "consul-9", "10.0.0.19", true);
	plan_check(&snapshot, ROLLOUT, "refuse -: raft voter consul-9 * does not live, and is no pod's*");
	snapshot_release(&snapshot);
	init(&snapshot, 5);
	sample_silence(&snapshot, 1, ERR_TIMEOUT, "timed out");
	sample_silence(&snapshot, 2, ERR_TIMEOUT, "timed out");
	plan_expect(&snapshot, ROLLOUT, "refuse consul-2: consul-2 is a voter and cannot be asked*");
}

Test(plan_rollout, a_change_that_kubernetes_has_not_seen_yet_is_waited_for)
{
	struct snapshot snapshot;

	init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++)
		sample_renew(&snapshot, i);
	snapshot.set.generation = 8;
	snapshot.set.observed_generation = 7;
	plan_check(&snapshot, ROLLOUT, "wait -: Kubernetes has not taken up the last change yet");
	snapshot.set.observed_generation = 8;
	plan_check(&snapshot, ROLLOUT, "done");
	sample_set_replicas(&snapshot, 2);
	plan_expect(&snapshot, ROLLOUT, "wait consul-2: consul-2: to be stopped");
}

/* Kubernetes does it itself: nobody helps. */
Test(plan_rollout, a_rolling_update_is_waited_for)
{
	struct snapshot snapshot;

	init(&snapshot, 3);
	replace_string(&snapshot.set.update_strategy, xstrdup("RollingUpdate"));
	plan_check(&snapshot, ROLLOUT,
	           "wait consul-2: a rolling update is under way: consul-2 is still to be replaced");
	for (size_t i = 0; i < 3; i++)
		sample_renew(&snapshot, i);
	plan_check(&snapshot, ROLLOUT, "done");
	come(&snapshot, 2, "ImagePullBackOff");
	plan_expect(&snapshot, ROLLOUT, "refuse consul-2: consul-2 is not well: cannot pull image*(broken)*");
}

/* Nor does it replace a pod that is not ready by a template that is better. */
Test(plan_rollout, a_rolling_update_that_stands_still_is_not_waited_for)
{
	struct snapshot snapshot;

	init(&snapshot, 3);
	replace_string(&snapshot.set.update_strategy, xstrdup("RollingUpdate"));
	replace_string(&snapshot.set.pod_management, xstrdup("OrderedReady"));
	sample_stop(&snapshot, 1, "ImagePullBackOff");
	plan_check(&snapshot, ROLLOUT,
	           "refuse consul-1: a rolling update stands still: Kubernetes goes on when consul-1 is ready "
	           "(OrderedReady), which does not run (one change at a time) (may pass) (broken); "
	           "kubectl delete pod consul-1 -n ns has it made anew by the new template");
	replace_string(&snapshot.set.pod_management, xstrdup("Parallel"));
	plan_expect(&snapshot, ROLLOUT, "wait consul-1: a rolling update is under way*");
}

/* --------------------------------------------------------------------------------------- bad templates */

Test(plan_rollout, a_server_that_cannot_start_stops_it)
{
	static const struct {
		const char *reason, *expected;
	} cases[] = {
		{ "ImagePullBackOff",
		  "refuse consul-2: consul-2 is not well: cannot pull image: hashicorp/consul:1.21 (one "
		  "change at a time) (may pass) (events) (broken); *" },
		{ "CrashLoopBackOff", "refuse consul-2: consul-2 is not well: CrashLoopBackOff*(broken)*" },
		{ "CreateContainerConfigError", "refuse consul-2: consul-2 is not well: CreateContainer*(broken)*" },
		{ NULL, "wait consul-2: consul-2: not scheduled: 0/1 nodes are available (events)" },
	};
	struct snapshot snapshot;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		init(&snapshot, 3);
		come(&snapshot, 2, cases[i].reason);
		plan_expect(&snapshot, ROLLOUT, cases[i].expected);
	}
	/* It did not leave: raft has its peer still. */
	init(&snapshot, 3);
	sample_renew(&snapshot, 2);
	sample_never_ran(&snapshot, 2, "ErrImagePull");
	plan_expect(&snapshot, ROLLOUT, "refuse consul-2: consul-2 is not well: cannot pull image*(broken)*");
	/* The only one there was: nobody answers. */
	init(&snapshot, 1);
	sample_renew(&snapshot, 0);
	sample_never_ran(&snapshot, 0, "ErrImagePull");
	plan_expect(&snapshot, ROLLOUT, "refuse consul-0: consul-0 is not well: cannot pull image*(broken)*");
}

/* Between two ends it runs, and looks as if it came. */
Test(plan_rollout, a_container_that_ends_again_and_again_stops_it)
{
	struct snapshot snapshot;
	struct kube_container *container;

	init(&snapshot, 3);
	sample_renew(&snapshot, 2);
	sample_silence(&snapshot, 2, ERR_UNREACHABLE, "connection refused");
	sample_leave(&snapshot, 2);
	snapshot.servers[2].pod.ready = false;
	container = &snapshot.servers[2].pod.containers[0];
	container->restarts = 1;
	container->last_finished_at = SAMPLE_NOW - 5;
	container->last_exit_code = 1;
	container->last_reason = xstrdup("Error");
	plan_check(&snapshot, ROLLOUT, "wait consul-2: consul-2: running, does not answer yet");
	container->restarts = 2;
	plan_check(
	    &snapshot, ROLLOUT,
	    "refuse consul-2: consul-2 is not well: its container has ended 2 times, the last time with exit code 1, "
	    "Error (one change at a time) (may pass) (broken); *");
	container->last_finished_at = SAMPLE_NOW - 3600;
	plan_expect(&snapshot, ROLLOUT, "wait consul-2: *");
}

/* Going back on a bad template, or on to a third one. */
Test(plan_rollout, an_old_server_that_does_not_run_is_replaced_first)
{
	static const char *const reasons[] = { "ImagePullBackOff", "CrashLoopBackOff", "ContainerCreating", NULL };
	struct snapshot snapshot;

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		init(&snapshot, 3);
		sample_renew(&snapshot, 0);
		sample_never_ran(&snapshot, 1, reasons[i]);
		plan_check(&snapshot, ROLLOUT,
		           "step restart consul-1: consul-1 is replaced: it does not run; 2/3 -> 2/3");
		sample_leave(&snapshot, 1);
		plan_check(&snapshot, ROLLOUT,
		           "step restart consul-1: consul-1 is replaced: it does not run; 2/2 -> 2/2");
		/* One at a time all the same. */
		snapshot.servers[0].pod.ready = false;
		plan_expect(&snapshot, ROLLOUT, "wait consul-0: *");
	}
	/* All the others are what is wanted. */
	init(&snapshot, 3);
	sample_renew(&snapshot, 0);
	sample_renew(&snapshot, 1);
	sample_never_ran(&snapshot, 2, "ErrImagePull");
	sample_leave(&snapshot, 2);
	plan_check_forward(&snapshot, ROLLOUT,
	                   (const char *const[]){ "step restart consul-2: *it does not run*", "done", NULL });
	snapshot_release(&snapshot);
}

Test(plan_rollout, an_old_server_without_a_vote_is_replaced_before_those_that_vote)
{
	struct snapshot snapshot;

	init(&snapshot, 5);
	sample_set_voter(&snapshot, -1, "consul-1", false);
	plan_check(&snapshot, ROLLOUT, "step restart consul-1: consul-1 is replaced: it leaves and stops; 4/4 -> 4/4");
	/* The dead one does not wait for others that are not well either. */
	sample_stop(&snapshot, 3, "CrashLoopBackOff");
	plan_expect(&snapshot, ROLLOUT, "step restart consul-3: consul-3 is replaced: it does not run; 3/4 -> 3/4");
}

/* A template by which none of them starts. */
Test(plan_rollout, what_does_not_start_is_replaced_although_nobody_leads)
{
	struct snapshot snapshot;

	init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++)
		sample_stop(&snapshot, i, "CrashLoopBackOff");
	plan_check(&snapshot, ROLLOUT, "step restart consul-0: consul-0 is replaced: it does not run; *");
	/* The first is there again, and alone. */
	sample_renew(&snapshot, 0);
	snapshot.servers[0].pod.containers[0].running = true;
	snapshot.servers[0].pod.containers[0].restarts = 0;
	plan_check(&snapshot, ROLLOUT, "refuse -: no server answers*");
	snapshot_release(&snapshot);
	init(&snapshot, 3);
	sample_no_leader(&snapshot);
	sample_renew(&snapshot, 0);
	sample_stop(&snapshot, 1, "CrashLoopBackOff");
	sample_stop(&snapshot, 2, "CrashLoopBackOff");
	plan_check(&snapshot, ROLLOUT, "step restart consul-1: *");
	/* Not one that may come by itself, and not where its data would go with it. */
	snapshot.set.generation = 2;
	plan_check(&snapshot, ROLLOUT, "refuse -: 1 of 3 voters*");
	snapshot.set.generation = 0;
	strv_release(&snapshot.set.claim_templates);
	plan_check(&snapshot, ROLLOUT, "refuse -: 1 of 3 voters*");
	snapshot_release(&snapshot);
	init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++)
		sample_stop(&snapshot, i, NULL);
	plan_check(&snapshot, ROLLOUT, "refuse -: no server answers*");
	replace_string(&snapshot.set.update_strategy, xstrdup("RollingUpdate"));
	for (size_t i = 0; i < 3; i++)
		sample_stop(&snapshot, i, "CrashLoopBackOff");
	plan_expect(&snapshot, ROLLOUT, "refuse -: no server answers*");
}

/* It has ended once, is started again in a moment, and the last that was replaced is still on its way. */
Test(plan_rollout, what_is_down_for_a_moment_does_not_go_out_of_turn)
{
	struct snapshot snapshot;

	init(&snapshot, 3);
	sample_no_leader(&snapshot);
	sample_renew(&snapshot, 0);
	sample_stop(&snapshot, 1, NULL);
	sample_stop(&snapshot, 2, NULL);
	snapshot.servers[1].pod.containers[0].restarts = snapshot.servers[2].pod.containers[0].restarts = 1;
	plan_check(&snapshot, ROLLOUT, "refuse -: *");
	/* One that has a leader, and did not tell its peers this time. */
	sample_stop(&snapshot, 1, "CrashLoopBackOff");
	sample_set_leader(&snapshot, 0, "10.0.0.10:8300");
	view_clear_peers(&snapshot.servers[0].view);
	plan_expect(&snapshot, ROLLOUT, "refuse -: *");
}

Test(plan_rollout, with_ordered_ready_the_one_in_the_way_goes_first)
{
	struct snapshot snapshot;

	init(&snapshot, 3);
	replace_string(&snapshot.set.pod_management, xstrdup("OrderedReady"));
	sample_never_ran(&snapshot, 1, "ImagePullBackOff");
	sample_leave(&snapshot, 1);
	sample_lose_pod(&snapshot, 2);
	sample_leave(&snapshot, 2);
	plan_check(&snapshot, ROLLOUT, "step restart consul-1: consul-1 is replaced: it does not run; 1/1 -> 1/1");
	replace_string(&snapshot.set.pod_management, xstrdup("Parallel"));
	plan_expect(&snapshot, ROLLOUT, "wait consul-2: consul-2: its pod does not exist yet (events)");
}

/* Somebody has scaled down by hand: Kubernetes comes to that when all that stay are ready. */
Test(plan_rollout, with_ordered_ready_the_one_in_the_way_goes_before_those_that_are_not_wanted)
{
	struct snapshot snapshot;

	init(&snapshot, 5);
	replace_string(&snapshot.set.pod_management, xstrdup("OrderedReady"));
	sample_set_replicas(&snapshot, 3);
	plan_check(&snapshot, ROLLOUT, "wait consul-3: consul-3: to be stopped");
	sample_stop(&snapshot, 1, "CrashLoopBackOff");
	snapshot.servers[1].pod.ready = false;
	plan_check(&snapshot, ROLLOUT, "step restart consul-1: consul-1 is replaced: it does not run; *");
	plan_check(&snapshot, SCALE(3), "wait consul-1: consul-3: to be stopped when consul-1 is ready (OrderedReady)");
	snapshot.servers[4].pod.deleting = true;
	plan_check(&snapshot, ROLLOUT, "wait consul-4: consul-4: stopping (events)");
	snapshot.servers[4].pod.deleting = false;
	sample_renew(&snapshot, 1);
	sample_stop(&snapshot, 1, "CrashLoopBackOff");
	snapshot.servers[1].pod.ready = false;
	plan_check(&snapshot, ROLLOUT, "wait consul-1: consul-3: to be stopped when consul-1 is ready (OrderedReady)");
	snapshot_release(&snapshot);
	/* One that votes may be ready in a moment. */
	init(&snapshot, 5);
	replace_string(&snapshot.set.pod_management, xstrdup("OrderedReady"));
	sample_set_replicas(&snapshot, 3);
	snapshot.servers[1].pod.ready = false;
	plan_expect(&snapshot, ROLLOUT, "wait consul-1: consul-3: to be stopped when consul-1 is ready (OrderedReady)");
}

/* ------------------------------------------------------------------------------------ other goals */

Test(plan_rollout, scale_does_not_go_on_with_an_unfinished_deploy)
{
	struct snapshot snapshot;

	init(&snapshot, 3);
	sample_renew(&snapshot, 2);
	plan_check(&snapshot, SCALE(5),
	           "refuse consul-0: a deploy is unfinished: consul-0 is still to be replaced (one change at a time); "
	           "kubectl consul deploy -n ns goes on with it");
	plan_check(&snapshot, SCALE(1, .force = true), "refuse consul-0: a deploy is unfinished*");
	/* Somebody else's set: who has OnDelete replaces pods when he likes. */
	replace_string(&snapshot.set.managed_by, NULL);
	plan_check(&snapshot, SCALE(5), "step replicas 4: *");
	snapshot_release(&snapshot);
	init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++)
		sample_renew(&snapshot, i);
	plan_expect(&snapshot, SCALE(5), "step replicas 4: *");
}

Test(plan_rollout, a_template_that_is_only_announced)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	plan_predict_template(&snapshot);
	plan_check_forward(&snapshot, ROLLOUT,
	                   (const char *const[]){ "step restart consul-2: *", "step restart consul-1: *",
	                                          "step transfer-leader * via consul-0: *", "step restart consul-0: *",
	                                          "done", NULL });
	snapshot_release(&snapshot);
	init(&snapshot, 3);
	snapshot.servers[2].pod.deleting = true;
	plan_check_forward(&snapshot, ROLLOUT,
	                   (const char *const[]){ "waits for consul-2: stopping", "step restart consul-1: *",
	                                          "step transfer-leader * via consul-0: *", "step restart consul-0: *",
	                                          "done", NULL });
	snapshot_release(&snapshot);
}
