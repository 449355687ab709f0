/* scale: one server more, one less, min_quorum. Claims: plan_claims.c. */
#include <criterion/criterion.h>

#include "plan_check.h"
#include "util/mem.h"
#include "util/str.h"

/* ----------------------------------------------------------------------------------------- sizes */

Test(plan_scale, even_sizes_and_small_ones_are_for_those_who_insist)
{
	static const struct {
		size_t from;
		int64_t to;
		const char *expected;
	} cases[] = {
		{ 3, 1,
		  "refuse -: 1 server tolerates no failure: the first one that fails stops the cluster (an odd "
		  "size of at least 3); choose 3, or add --force" },
		{ 3, 2,
		  "refuse -: 2 servers tolerate no failure: the first one that fails stops the cluster (*); choose "
		  "3, or add --force" },
		{ 3, 4,
		  "refuse -: 4 servers tolerate no more failures than 3 do (*); choose an odd number, or add --force" },
		{ 5, 4, "refuse -: 4 servers tolerate no more failures than 3 do (*)*" },
		{ 7, 6, "refuse -: 6 servers tolerate no more failures than 5 do (*)*" },
		{ 1, 2, "refuse -: 2 servers tolerate no failure*" },
		{ 4, 4, "done" },
		{ 2, 2, "done" },
		{ 1, 1, "done" },
		{ 4, 3, "step replicas 3: *" },
		{ 2, 3, "step replicas 3: *" },
		{ 3, 5, "step replicas 4: *" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct snapshot snapshot;

		sample_init(&snapshot, cases[i].from);
		plan_expect(&snapshot, SCALE(cases[i].to), cases[i].expected);
	}
}

/* The number is judged before the cluster is: nobody waits for a leader to be told that 4 is a bad number. */
Test(plan_scale, a_wrong_size_is_told_first)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_no_leader(&snapshot);
	plan_expect(&snapshot, SCALE(4), "refuse -: 4 servers*");
}

/* -------------------------------------------------------------------------------------------- up */

Test(plan_scale, a_server_more)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	plan_check(&snapshot, SCALE(4, .force = true), "step replicas 4: replicas 3 -> 4: consul-3 joins; 3/3 -> 4/4");
	plan_expect(&snapshot, SCALE(5), "step replicas 4: replicas 3 -> 4: consul-3 joins; 3/3 -> 4/4");
	sample_init(&snapshot, 1);
	plan_expect(&snapshot, SCALE(3), "step replicas 2: replicas 1 -> 2: consul-1 joins; 1/1 -> 2/2");
	sample_init_from(&snapshot, 5, 3);
	plan_expect(&snapshot, SCALE(5), "step replicas 4: replicas 3 -> 4: consul-8 joins; 3/3 -> 4/4");
}

/* A server without data that has it would lead a cluster of its own before it joins this one. */
Test(plan_scale, a_server_that_would_bootstrap_alone_does_not_come)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 1);
	sample_set_expect(&snapshot, 1, true);
	plan_check(&snapshot, SCALE(3),
	           "step expect 3: bootstrap_expect 1 -> 3, so that none bootstraps alone; 1/1 -> 1/1");
	sample_add_claim(&snapshot, "data-consul-1", 60);
	plan_check(&snapshot, SCALE(3, .delete_claims = true), "step expect 3: *");
	plan_check(&snapshot, SCALE(1), "done");
	plan_check(&snapshot, REAP, "done");
	sample_set_expect(&snapshot, 1, false);
	plan_check(&snapshot, SCALE(3, .force = true),
	           "refuse -: consul-1 would start with bootstrap_expect 1, and make a cluster of its own (nothing is "
	           "changed without a leader all agree on); set bootstrap_expect to 3 where *");
	plan_check(&snapshot, SCALE(1), "done");
	for (int64_t expect = 0; expect <= 5; expect++) {
		sample_set_expect(&snapshot, expect, false);
		if (expect != 1)
			plan_check(&snapshot, SCALE(3), "step replicas 2: *");
	}
	snapshot.expect = (struct expect_state){ .expect = 1 };
	plan_expect(&snapshot, SCALE(3), "step replicas 2: *");
	sample_init(&snapshot, 5);
	sample_set_expect(&snapshot, 1, false);
	plan_expect(&snapshot, SCALE(3), "step replicas 4: *");
}

/* Rule 2: whatever the one before still lacks. */
Test(plan_scale, the_next_only_when_the_last_is_a_stable_voter_for_all)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 4);
	sample_set_voter(&snapshot, -1, "consul-3", false);
	plan_expect(&snapshot, SCALE(5), "wait consul-3: consul-3: joined, not a voter yet");
	sample_init(&snapshot, 4);
	sample_set_voter(&snapshot, 1, "consul-3", false);
	plan_expect(&snapshot, SCALE(5), "refuse consul-1: consul-1 and consul-0 do not have the same*(may pass)*");
	sample_init(&snapshot, 4);
	snapshot.servers[3].view.self.last_log_index = 10;
	plan_expect(&snapshot, SCALE(5), "wait consul-3: consul-3: a voter, 990 log entries behind");
	sample_init(&snapshot, 4);
	snapshot.servers[3].pod.ready = false;
	plan_expect(&snapshot, SCALE(5), "wait consul-3: consul-3: a voter, about to be ready");
	sample_init(&snapshot, 4);
	plan_expect(&snapshot, SCALE(5), "step replicas 5: *");
}

/* ------------------------------------------------------------------------------------------ down */

Test(plan_scale, a_server_that_leaves_on_sigterm_is_scaled_away)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	plan_check(&snapshot, SCALE(3), "step replicas 4: replicas 5 -> 4: consul-4 leaves and stops; 5/5 -> 4/4");
	snapshot.set.grace_seconds = 15;
	plan_expect(&snapshot, SCALE(3), "step replicas 4: *");
	sample_init_from(&snapshot, 5, 5);
	plan_expect(&snapshot, SCALE(3), "step replicas 4: replicas 5 -> 4: consul-9 leaves and stops; 5/5 -> 4/4");
}

Test(plan_scale, a_server_that_does_not_leave_by_itself_is_told_to)
{
	struct snapshot snapshot;

	for (int64_t told = -1; told <= 0; told++) {
		sample_init(&snapshot, 5);
		sample_set_leave_on_terminate(&snapshot, told);
		plan_expect(&snapshot, SCALE(3), "step leave via consul-4: consul-4 leaves Consul; 5/5 -> 4/4");
	}
	sample_init(&snapshot, 5);
	snapshot.set.grace_seconds = 14;
	plan_expect(&snapshot, SCALE(3), "step leave via consul-4: *");
	sample_init(&snapshot, 5);
	snapshot.servers[4].view.self_known = false;
	plan_expect(&snapshot, SCALE(3), "step leave via consul-4: *");
}

Test(plan_scale, the_replica_goes_when_no_peer_set_has_it)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_set_leave_on_terminate(&snapshot, 0);
	sample_see(&snapshot, -1, "consul-4", MEMBER_LEAVING);
	plan_check(&snapshot, SCALE(3), "wait consul-4: consul-4: leaving");
	sample_see(&snapshot, -1, "consul-4", MEMBER_LEFT);
	plan_check(&snapshot, SCALE(3), "wait consul-4: consul-4: leaving");
	sample_forget_peer(&snapshot, 0, "consul-4");
	plan_check(&snapshot, SCALE(3), "refuse consul-1: consul-1 and consul-0 do not have the same*(may pass)*");
	sample_forget_peer(&snapshot, -1, "consul-4");
	plan_expect(&snapshot, SCALE(3), "step replicas 4: replicas 5 -> 4: consul-4 stops; 4/4 -> 4/4");
}

/*
 * Its container was restarted, since it left, before its replica was taken away: it is back as a non-voter. It leaves
 * again only where its death would be too much if it became a voter in that moment.
 */
Test(plan_scale, one_that_is_back_before_it_was_scaled_away_just_stops_where_that_is_safe)
{
	static const struct {
		size_t servers;
		const char *expected;
	} cases[] = {
		{ 2, "step leave via consul-1: consul-1 leaves Consul; 1/1 -> 1/1" },
		{ 3, "step replicas 2: replicas 3 -> 2: consul-2 stops (it does not vote); 2/2 -> 2/2" },
		{ 4, "step replicas 3: *consul-3 stops (it does not vote); 3/3 -> 3/3" },
		{ 5, "step replicas 4: replicas 5 -> 4: consul-4 stops (it does not vote); 4/4 -> 4/4" },
	};
	struct snapshot snapshot;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		sample_init(&snapshot, cases[i].servers);
		sample_set_leave_on_terminate(&snapshot, 0);
		sample_set_voter(&snapshot, -1, snapshot.servers[cases[i].servers - 1].name, false);
		plan_expect(&snapshot, SCALE(1, .force = true), cases[i].expected);
	}
	sample_init(&snapshot, 5);
	sample_set_voter(&snapshot, -1, "consul-4", false);
	plan_expect(&snapshot, SCALE(3), "step replicas 4: replicas 5 -> 4: consul-4 leaves and stops; 4/4 -> 4/4");
}

Test(plan_scale, a_leader_hands_over_first_where_consul_can)
{
	static const struct {
		const char *version;
		const char *expected;
	} cases[] = {
		{ "1.15.0", "step transfer-leader id-0 via consul-4: consul-4 hands leadership over; 5/5 -> 5/5" },
		{ "1.21.2+ent", "step transfer-leader id-0 via consul-4: *" },
		{ "2.0.0", "step transfer-leader id-0 via consul-4: *" },
		{ "1.14.9", "step replicas 4: replicas 5 -> 4: consul-4 leaves and stops; 5/5 -> 4/4" },
		{ "0.9.3", "step replicas 4: *" },
		{ NULL, "step replicas 4: *" },
	};
	struct snapshot snapshot;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		sample_init(&snapshot, 5);
		sample_lead(&snapshot, 4);
		sample_set_version(&snapshot, cases[i].version);
		plan_expect(&snapshot, SCALE(3), cases[i].expected);
	}
	sample_init(&snapshot, 5);
	sample_lead(&snapshot, 4);
	plan_expect(&snapshot, SCALE(3, .cannot_transfer = true), "step replicas 4: *");
	sample_init(&snapshot, 5);
	sample_lead(&snapshot, 4);
	sample_set_leave_on_terminate(&snapshot, 0);
	plan_check(&snapshot, SCALE(3), "step transfer-leader id-0 via consul-4: *");
	plan_expect(&snapshot, SCALE(3, .cannot_transfer = true),
	            "step leave via consul-4: consul-4 leaves Consul, and leads no more; 5/5 -> 4/4");
}

/* With raft protocol 2 the id is the address, which nobody can be asked to hand over to. */
Test(plan_scale, who_has_no_id_cannot_be_named_as_the_next_leader)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_lead(&snapshot, 2);
	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < 3; k++) {
			struct peer *peer = &snapshot.servers[i].view.peers[k];

			replace_string(&peer->id, k == 0 ? NULL : xstrdup(peer->address));
		}
	plan_check(&snapshot, SCALE(1, .force = true), "step transfer-leader \"\" via consul-2: *");
	replace_string(&snapshot.servers[2].view.peers[1].id, xstrdup("id-1"));
	plan_expect(&snapshot, SCALE(1, .force = true), "step transfer-leader id-1 via consul-2: *");
}

Test(plan_scale, two_become_one_by_a_graceful_leave_only)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 2);
	plan_check(&snapshot, SCALE(1, .force = true), "step leave via consul-1: consul-1 leaves Consul; 2/2 -> 1/1");
	plan_check(
	    &snapshot, SCALE(1, .force = true, .cannot_leave = "consul-1"),
	    "refuse consul-1: consul-1 cannot leave, and without it 1 of 2 voters would be fewer than the quorum of "
	    "2 (the quorum must survive every step); it must run and be able to leave; kubectl consul health -n ns "
	    "tells more");
	snapshot.servers[1].pod.deleting = true;
	plan_expect(
	    &snapshot, SCALE(1, .force = true),
	    "refuse consul-1: consul-1 cannot be asked to leave, and without it 1 of 2 voters would be fewer than "
	    "the quorum of 2 (*) (may pass)*");
	sample_init(&snapshot, 2);
	sample_leave(&snapshot, 1);
	plan_expect(&snapshot, SCALE(1, .force = true), "step replicas 1: replicas 2 -> 1: consul-1 stops; 1/1 -> 1/1");
	sample_init(&snapshot, 2);
	sample_lose_pod(&snapshot, 1);
	plan_expect(&snapshot, SCALE(1, .force = true),
	            "refuse -: 1 of 2 voters are known to live, 2 are needed (*) (may pass); the quorum must *");
}

/* It left, its container was started again before its pod was stopped, and now it votes: it must not die so. */
Test(plan_scale, one_that_votes_again_while_its_pod_goes_leaves_once_more)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 2);
	sample_set_replicas(&snapshot, 1);
	sample_set_leave_on_terminate(&snapshot, 0);
	plan_check(&snapshot, SCALE(1), "wait consul-1: consul-1: to be stopped");
	snapshot.servers[1].pod.deleting = true;
	plan_check(&snapshot, SCALE(1), "step leave via consul-1: consul-1 leaves Consul; 2/2 -> 1/1");
	plan_check(&snapshot, SCALE(1, .cannot_leave = "consul-1"), "wait consul-1: consul-1: stopping (events)");
	plan_check(&snapshot, REAP, "wait consul-1: consul-1: stopping (events)");
	sample_set_voter(&snapshot, -1, "consul-1", false);
	plan_check(&snapshot, SCALE(1), "wait consul-1: consul-1: stopping (events)");
	sample_leave(&snapshot, 1);
	plan_expect(&snapshot, SCALE(1), "wait consul-1: consul-1: stopping (events)");
	/* It leaves by itself when it is stopped. */
	sample_init(&snapshot, 2);
	sample_set_replicas(&snapshot, 1);
	snapshot.servers[1].pod.deleting = true;
	plan_expect(&snapshot, SCALE(1), "wait consul-1: consul-1: stopping (events)");
	sample_init(&snapshot, 4);
	sample_set_replicas(&snapshot, 3);
	sample_set_leave_on_terminate(&snapshot, 0);
	snapshot.servers[3].pod.deleting = true;
	plan_expect(&snapshot, SCALE(3), "wait consul-3: consul-3: stopping (events)");
}

Test(plan_scale, one_that_cannot_leave_is_stopped_where_the_quorum_survives)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_set_leave_on_terminate(&snapshot, 0);
	plan_check(&snapshot, SCALE(3, .cannot_leave = "consul-4"),
	           "step replicas 4: replicas 5 -> 4: consul-4 stops (it cannot leave); 5/5 -> 4/5");
	plan_expect(&snapshot, SCALE(3, .cannot_leave = "consul-3"), "step leave via consul-4: *");
}

Test(plan_scale, a_victim_that_is_dead_already_goes)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_lose_pod(&snapshot, 4);
	plan_expect(&snapshot, SCALE(3),
	            "step replicas 4: replicas 5 -> 4: consul-4 goes (it does not live); 4/5 -> 4/5");
	sample_init(&snapshot, 5);
	sample_stop(&snapshot, 4, "CrashLoopBackOff");
	plan_expect(&snapshot, SCALE(3), "step replicas 4: *goes (it does not live); 4/5 -> 4/5");
}

/* One answer that was lost does not make it dead: killed without leaving it would stay a voter. */
Test(plan_scale, a_victim_that_does_not_answer_is_told_to_leave_first)
{
	struct snapshot snapshot;

	for (int64_t leaves = 0; leaves < 2; leaves++) {
		sample_init(&snapshot, 5);
		sample_set_leave_on_terminate(&snapshot, leaves);
		sample_silence(&snapshot, 4, ERR_TIMEOUT, "timed out");
		plan_check(&snapshot, SCALE(3), "step leave via consul-4: consul-4 leaves Consul; 4/5 -> 4/4");
		plan_check(&snapshot, SCALE(3, .cannot_leave = "consul-4"),
		           "step replicas 4: replicas 5 -> 4: consul-4 stops (it cannot leave); 4/5 -> 4/5");
		sample_see(&snapshot, -1, "consul-4", MEMBER_LEAVING);
		plan_check(&snapshot, SCALE(3), "wait consul-4: consul-4: leaving");
		snapshot.servers[4].pod.deleting = true;
		plan_expect(&snapshot, SCALE(3), "step replicas 4: *goes (it does not live); 4/5 -> 4/5");
	}
	/* It does not vote, and nobody needs it. */
	sample_init(&snapshot, 5);
	sample_set_voter(&snapshot, -1, "consul-4", false);
	sample_silence(&snapshot, 4, ERR_TIMEOUT, "timed out");
	plan_expect(&snapshot, SCALE(3), "step replicas 4: *consul-4 stops (it does not vote); 4/4 -> 4/4");
}

/* Its pod is being made anew: its vote lives still, and goes with its replica. */
Test(plan_scale, a_victim_that_stops_already_goes)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	snapshot.servers[4].pod.deleting = true;
	plan_expect(&snapshot, SCALE(3), "step replicas 4: *goes (it does not live); 5/5 -> 4/5");
}

/* It is cut off from the others: it has nobody to leave through, and its vote was not counted as alive. */
Test(plan_scale, a_victim_that_hears_no_leader_goes)
{
	struct snapshot snapshot;

	for (int64_t leaves = 0; leaves < 2; leaves++) {
		sample_init(&snapshot, 5);
		sample_set_leave_on_terminate(&snapshot, leaves);
		sample_set_leader(&snapshot, 4, NULL);
		snapshot.servers[4].view.self.role = RAFT_CANDIDATE;
		plan_expect(&snapshot, SCALE(3),
		            "step replicas 4: replicas 5 -> 4: consul-4 goes (it does not live); 4/5 -> 4/5");
	}
}

/* Two of five are dead; the one above may go, the one below stays and must live first. */
Test(plan_scale, a_dead_victim_does_not_excuse_a_dead_survivor)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_lose_pod(&snapshot, 4);
	sample_lose_pod(&snapshot, 3);
	plan_expect(&snapshot, SCALE(3), "refuse consul-3: consul-3 is a voter and does not live: *");
}

Test(plan_scale, a_victim_that_the_list_of_pods_lacks_is_waited_for)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 4);
	sample_set_replicas(&snapshot, 5);
	plan_expect(&snapshot, SCALE(3), "wait -: the server of the highest ordinal is not in the list of pods");
}

Test(plan_scale, what_a_killed_run_left_comes_first)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_scale(&snapshot, 4, MEMBER_FAILED);
	plan_expect(
	    &snapshot, SCALE(3),
	    "step force-leave consul-4 via consul-0: force-leave consul-4 (10.0.0.14): failed becomes left; 4/5 -> "
	    "4/4");
}

/* --------------------------------------------------------------------------------------- the end */

Test(plan_scale, min_quorum_follows_the_size)
{
	static const struct {
		size_t servers;
		int64_t is;
		const char *expected;
	} cases[] = {
		{ 1, 0, "step min-quorum 1 via consul-0: autopilot's min_quorum 0 -> 1; 1/1 -> 1/1" },
		{ 2, 1, "step min-quorum 2 via consul-0: *" },
		{ 3, 3, "step min-quorum 2 via consul-0: autopilot's min_quorum 3 -> 2; 3/3 -> 3/3" },
		{ 4, 2, "step min-quorum 3 via consul-0: *" },
		{ 5, 2, "step min-quorum 3 via consul-0: *" },
		{ 5, 3, "done" },
		{ 7, 4, "done" },
	};
	struct snapshot snapshot;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		sample_init(&snapshot, cases[i].servers);
		sample_set_min_quorum(&snapshot, cases[i].is);
		plan_check(&snapshot, REAP, "done");
		plan_expect(&snapshot, SCALE((int64_t)cases[i].servers), cases[i].expected);
	}
}

Test(plan_scale, min_quorum_is_for_a_consul_that_has_it_and_lets_it_be_set)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_set_min_quorum(&snapshot, 3);
	plan_check(&snapshot, SCALE(3, .cannot_set_minimum = true), "done");
	snapshot.autopilot.has_min_quorum = false;
	plan_expect(&snapshot, SCALE(3), "done");
	sample_init(&snapshot, 5);
	sample_set_min_quorum(&snapshot, 3);
	plan_check(&snapshot, SCALE(3), "step replicas 4: *");
	snapshot.servers[4].pod.ready = false;
	snapshot.autopilot.min_quorum = 2;
	plan_expect(&snapshot, SCALE(5), "wait consul-4: *");
}
