/* reap, and what scale does first: what is left of servers that are gone. */
#include <criterion/criterion.h>

#include "plan_check.h"
#include "util/mem.h"
#include "util/str.h"

/* A bare kubectl scale from five to three, after which two are this, and are raft peers still or not. */
static void scaled_barely(struct snapshot *snapshot, enum member_status status, bool peers)
{
	sample_init(snapshot, 5);
	sample_scale(snapshot, 3, status);
	if (peers)
		return;
	sample_forget_peer(snapshot, -1, "consul-3");
	sample_forget_peer(snapshot, -1, "consul-4");
}

/* ------------------------------------------------------------------------------------ what is reaped */

Test(plan_clean, failed_after_a_bare_scale)
{
	struct snapshot snapshot;
	const char *first =
	    "step force-leave consul-3 via consul-0: force-leave consul-3 (10.0.0.13): failed becomes left; "
	    "3/5 -> 3/4";

	scaled_barely(&snapshot, MEMBER_FAILED, true);
	plan_check(&snapshot, REAP, first);
	plan_check(&snapshot, SCALE(3), first);
	plan_check(&snapshot, SCALE(5), first);
	plan_expect(&snapshot, SCALE(1, .force = true), first);
	scaled_barely(&snapshot, MEMBER_FAILED, false);
	plan_expect(&snapshot, REAP, "step force-leave consul-3 via consul-0: *; 3/3 -> 3/3");
}

Test(plan_clean, the_leader_is_told_whoever_it_is)
{
	struct snapshot snapshot;

	scaled_barely(&snapshot, MEMBER_FAILED, true);
	sample_lead(&snapshot, 2);
	plan_expect(&snapshot, REAP, "step force-leave consul-3 via consul-2: *");
}

Test(plan_clean, a_peer_that_did_not_vote_takes_no_vote_with_it)
{
	struct snapshot snapshot;

	scaled_barely(&snapshot, MEMBER_FAILED, true);
	sample_set_voter(&snapshot, -1, "consul-3", false);
	plan_expect(&snapshot, REAP, "step force-leave consul-3 via consul-0: *; 3/4 -> 3/4");
}

Test(plan_clean, left_but_a_raft_peer_still)
{
	struct snapshot snapshot;

	scaled_barely(&snapshot, MEMBER_LEFT, true);
	plan_check(&snapshot, REAP,
	           "step remove-peer id-3 via consul-0: remove peer 10.0.0.13:8300 (consul-3) from raft; 3/5 -> 3/4");
	plan_expect(&snapshot, SCALE(5), "step remove-peer id-3 *");
}

Test(plan_clean, left_in_good_order_is_left_to_consul)
{
	struct snapshot snapshot;

	scaled_barely(&snapshot, MEMBER_LEFT, false);
	plan_check(&snapshot, REAP, "done");
	plan_check(&snapshot, SCALE(3), "done");
	plan_check_notes(&snapshot, REAP,
	                 "consul-3 and consul-4 have left and are listed still: Consul forgets them after 72 hours, "
	                 "--prune at once");
	plan_check_notes(&snapshot, PRUNE, "");
	plan_check(&snapshot, PRUNE,
	           "step prune consul-3 via consul-0: forget consul-3 (10.0.0.13), which has left; 3/3 -> 3/3");
	sample_forget_member(&snapshot, -1, "consul-4");
	plan_check_notes(&snapshot, REAP,
	                 "consul-3 has left and is listed still: Consul forgets it after 72 hours, --prune at once");
	snapshot_release(&snapshot);
}

Test(plan_clean, leaving_is_waited_for)
{
	struct snapshot snapshot;

	scaled_barely(&snapshot, MEMBER_LEAVING, true);
	plan_check(&snapshot, SCALE(3), "wait -: consul-3: leaving");
	plan_expect(&snapshot, REAP, "wait -: consul-3: leaving");
}

Test(plan_clean, an_ordinal_below_the_first_is_a_leftover)
{
	struct snapshot snapshot;

	sample_init_from(&snapshot, 2, 3);
	sample_add_member(&snapshot, "consul-1", "10.0.0.11", MEMBER_FAILED, true);
	sample_add_member(&snapshot, "consul-4", "10.0.0.77", MEMBER_FAILED, true);
	plan_expect(&snapshot, REAP, "step force-leave consul-1 via consul-2: *");
}

/* Gossip needs some seconds; what lives for longer is somebody else's of that name. */
Test(plan_clean, what_lives_without_a_pod_is_not_reaped)
{
	struct snapshot snapshot;
	const char *expected =
	    "refuse -: consul-3 has no pod here, and for gossip it is alive (10.0.0.13) (a server that could "
	    "come back is not removed) (may pass); kubectl get pods -A -o wide --field-selector=status.podIP=10.0.0.13 "
	    "tells whose pod "
	    "that "
	    "is";

	scaled_barely(&snapshot, MEMBER_ALIVE, true);
	plan_check(&snapshot, REAP, expected);
	plan_check(&snapshot, SCALE(5), expected);
	plan_expect(&snapshot, SCALE(3), expected);
	/* Before anything is done about another: the names may all be somebody else's (a set that was moved). */
	for (int status = MEMBER_LEAVING; status <= MEMBER_FAILED; status++) {
		scaled_barely(&snapshot, MEMBER_ALIVE, true);
		sample_see(&snapshot, -1, "consul-4", (enum member_status)status);
		plan_check(&snapshot, SCALE(3), expected);
		plan_check(&snapshot, PRUNE, expected);
		plan_expect(&snapshot, REAP, expected);
	}
	scaled_barely(&snapshot, MEMBER_FAILED, true);
	sample_see(&snapshot, -1, "consul-4", MEMBER_ALIVE);
	plan_check(&snapshot, REAP, "refuse -: consul-4 has no pod here, *");
	sample_forget_member(&snapshot, -1, "consul-3");
	plan_check(&snapshot, REAP, "refuse -: consul-4 has no pod here, *");
	/* A client of that name is nobody's server. */
	sample_forget_member(&snapshot, -1, "consul-4");
	sample_add_member(&snapshot, "consul-4", "10.0.0.99", MEMBER_ALIVE, false);
	plan_check(&snapshot, REAP, "step remove-peer *");
	snapshot_release(&snapshot);
	/* Who is named is reaped all the same. */
	scaled_barely(&snapshot, MEMBER_FAILED, true);
	sample_see(&snapshot, -1, "consul-4", MEMBER_ALIVE);
	plan_expect_reap(&snapshot, "consul-3", "step force-leave consul-3 *");
}

/* Nodes are called after machines, and those consul-7 and so on: a name tells nothing of an ordinal. */
Test(plan_clean, names_are_ordinals_only_where_they_are_the_pods)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++)
		sample_call_node(&snapshot, i, (const char *const[]){ "consul-7", "consul-8", "consul-9" }[i]);
	plan_check(&snapshot, REAP, "done");
	/* The pod is Pending, and nothing tells whose member its former self is. */
	sample_never_ran(&snapshot, 1, NULL);
	sample_see(&snapshot, -1, "consul-8", MEMBER_FAILED);
	plan_check(&snapshot, REAP, "done");
	plan_check(&snapshot, PRUNE, "done");
	plan_check(&snapshot, SCALE(5), "wait consul-1: *");
	sample_see(&snapshot, -1, "consul-8", MEMBER_LEFT);
	plan_check(&snapshot, PRUNE, "done");
	sample_forget_member(&snapshot, -1, "consul-8");
	plan_check(&snapshot, REAP, "done");
	/* One alone is enough, wherever it stands. */
	snapshot_release(&snapshot);
	for (size_t i = 0; i < 3; i++) {
		sample_init(&snapshot, 3);
		sample_add_member(&snapshot, "consul-8", "10.0.0.77", MEMBER_FAILED, true);
		plan_check(&snapshot, REAP, "step force-leave consul-8 *");
		sample_call_node(&snapshot, i, "node-x");
		plan_check(&snapshot, REAP, "done");
		plan_expect_reap(&snapshot, "consul-8", "step force-leave consul-8 *");
	}
}

/* ------------------------------------------------------------------------------- what is not touched */

Test(plan_clean, a_server_that_only_restarts_is_not_touched)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_stop(&snapshot, 1, NULL);
	plan_expect(&snapshot, REAP, "done");
	sample_init(&snapshot, 3);
	sample_lose_pod(&snapshot, 1);
	plan_expect(&snapshot, REAP, "done");
	sample_init(&snapshot, 3);
	sample_lose_pod(&snapshot, 1);
	sample_see(&snapshot, -1, "consul-1", MEMBER_LEFT);
	plan_check(&snapshot, PRUNE, "done");
	plan_expect(&snapshot, REAP, "done");
	sample_init(&snapshot, 3);
	sample_silence(&snapshot, 1, ERR_TIMEOUT, "timed out");
	sample_see(&snapshot, -1, "consul-1", MEMBER_FAILED);
	plan_expect(&snapshot, REAP, "done");
}

/* Its pod is there, whatever its ordinal is: rule 4. */
Test(plan_clean, a_server_with_a_pod_is_not_touched)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 4);
	sample_set_replicas(&snapshot, 3);
	sample_stop(&snapshot, 3, NULL);
	snapshot.servers[3].pod.deleting = true;
	plan_expect(&snapshot, REAP, "wait consul-3: consul-3: *");
}

Test(plan_clean, members_that_are_not_servers_of_this_set_are_not_touched)
{
	static const struct {
		const char *name;
		bool server;
	} cases[] = {
		{ "consul-7", false },      { "web-0", false },    { "web-0", true },       { "consul", true },
		{ "consul-extra-7", true }, { "consul-07", true }, { "my-consul-7", true }, { "consul-7.dc2", true },
	};
	struct snapshot snapshot;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		sample_init(&snapshot, 3);
		sample_add_member(&snapshot, cases[i].name, "10.0.0.99", MEMBER_FAILED, cases[i].server);
		plan_check(&snapshot, PRUNE, "done");
		plan_expect(&snapshot, SCALE(3), "done");
	}
}

/* ---------------------------------------------------------------------------- peers that are nobody's */

Test(plan_clean, a_peer_of_a_server_that_is_gone_is_removed)
{
	struct snapshot snapshot;

	scaled_barely(&snapshot, MEMBER_FAILED, true);
	sample_forget_member(&snapshot, -1, "consul-3");
	sample_forget_member(&snapshot, -1, "consul-4");
	plan_check(&snapshot, REAP, "step remove-peer id-3 via consul-0: *; 3/5 -> 3/4");
	plan_expect(&snapshot, SCALE(3), "step remove-peer id-3 *");
}

Test(plan_clean, a_stale_peer_that_nobody_knows_is_removed)
{
	struct snapshot snapshot;
	const char *expected =
	    "step remove-peer 10.0.0.77:8300 via consul-0: remove peer 10.0.0.77:8300 ((unknown)) from "
	    "raft; 3/4 -> 3/3";

	sample_init(&snapshot, 3);
	sample_add_peer(&snapshot, NULL, "10.0.0.77", true);
	plan_check(&snapshot, REAP, expected);
	plan_check(&snapshot, SCALE(5), expected);
	for (size_t i = 0; i < 3; i++)
		replace_string(&snapshot.servers[i].view.peers[3].id, xstrdup("10.0.0.77:8300"));
	plan_check(&snapshot, REAP, expected);
	for (size_t i = 0; i < 3; i++)
		replace_string(&snapshot.servers[i].view.peers[3].id, xstrdup("5f3a"));
	plan_expect(&snapshot, REAP, "step remove-peer 5f3a via consul-0: remove peer 10.0.0.77:8300 *");
}

/* Rule 4: while one of ours is in no raft, or says nothing, the peer may be it. */
Test(plan_clean, a_stale_peer_may_be_a_server_that_is_missing)
{
	struct snapshot snapshot;
	const char *expected =
	    "refuse consul-1: peer 10.0.0.77:8300 (unknown) may be consul-1, which is in no raft or does not answer (a "
	    "server that could come back is not removed) (may pass); when it is nobody's for sure: kubectl consul reap "
	    "10.0.0.77:8300 -n ns";

	sample_init(&snapshot, 3);
	sample_add_peer(&snapshot, NULL, "10.0.0.77", true);
	sample_leave(&snapshot, 1);
	plan_check(&snapshot, REAP, expected);
	plan_expect(&snapshot, SCALE(3), "wait consul-1: *");
	sample_init(&snapshot, 3);
	sample_add_peer(&snapshot, NULL, "10.0.0.77", false);
	sample_silence(&snapshot, 1, ERR_TIMEOUT, "timed out");
	plan_check(&snapshot, REAP, expected);
	plan_expect(&snapshot, SCALE(3), "refuse consul-1: consul-1 is a voter and cannot be asked*");
}

Test(plan_clean, a_peer_of_a_wanted_name_or_of_another_set_is_not_removed)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_peer(&snapshot, "consul-1", "10.0.0.77", true);
	plan_expect(&snapshot, REAP, "done");
	sample_init(&snapshot, 3);
	sample_add_peer(&snapshot, "other-0", "10.0.0.77", true);
	plan_expect(&snapshot, REAP, "done");
}

/* A client agent has the address that a server had. */
Test(plan_clean, a_client_does_not_make_a_stale_peer_its_own)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_peer(&snapshot, NULL, "10.0.0.99", true);
	sample_add_member(&snapshot, "web-0", "10.0.0.99", MEMBER_ALIVE, false);
	plan_expect(&snapshot, REAP, "step remove-peer 10.0.0.99:8300 *");
	sample_init(&snapshot, 3);
	sample_add_peer(&snapshot, NULL, "10.0.0.99", true);
	sample_add_member(&snapshot, "other-0", "10.0.0.99", MEMBER_ALIVE, true);
	plan_expect(&snapshot, REAP, "done");
}

/* Its node is called otherwise; that it was one of ours is what the run knows that scaled it away. */
Test(plan_clean, a_server_of_another_name_is_a_leftover_for_the_run_that_scaled_it_away)
{
	struct snapshot snapshot;
	_cleanup_strv_ struct strv gone = STRV_INIT;

	strv_add(&gone, "node-d");
	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "node-d", "10.0.1.1", MEMBER_FAILED, true);
	sample_add_peer(&snapshot, "node-d", "10.0.1.1", true);
	plan_check(&snapshot, SCALE(3),
	           "refuse -: raft voter node-d (10.0.1.1:8300) does not live, *reap node-d -n ns");
	plan_check(&snapshot, SCALE(3, .gone = &gone), "step force-leave node-d *; 3/4 -> 3/3");
	sample_see(&snapshot, -1, "node-d", MEMBER_ALIVE);
	plan_check(&snapshot, SCALE(3, .gone = &gone), "refuse -: node-d has no pod here, *(may pass)*");
	sample_forget_member(&snapshot, -1, "node-d");
	plan_expect(&snapshot, SCALE(3, .gone = &gone), "step remove-peer 10.0.1.1:8300 *; 3/4 -> 3/3");
	/* Another of our servers has that name by now. */
	strv_add(&gone, "consul-1");
	sample_init(&snapshot, 3);
	sample_lose_pod(&snapshot, 1);
	plan_expect(&snapshot, SCALE(3, .gone = &gone), "refuse consul-1: *");
}

/* The address is another's by now: whose peer it is tells the id. */
Test(plan_clean, an_address_that_was_given_to_another_server_removes_nobody)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "consul-3", "10.0.0.11", MEMBER_LEFT, true);
	plan_expect(&snapshot, REAP, "done");
	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "consul-3", "10.0.0.11", MEMBER_FAILED, true);
	plan_expect(&snapshot, REAP, "step force-leave consul-3 via consul-0: *; 3/3 -> 3/3");
}

/* An entry of a former name: the id, and the peer, are those of a server that lives. */
Test(plan_clean, a_former_name_does_not_take_the_peer_of_a_server_with_it)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "consul-3", "10.0.0.13", MEMBER_LEFT, true);
	for (size_t i = 0; i < 3; i++)
		replace_string(&snapshot.servers[i].view.members[3].id, xstrdup("id-1"));
	plan_check(&snapshot, SCALE(3), "done");
	plan_expect(&snapshot, REAP, "done");
	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "consul-3", "10.0.0.13", MEMBER_FAILED, true);
	for (size_t i = 0; i < 3; i++)
		replace_string(&snapshot.servers[i].view.members[3].id, xstrdup("id-1"));
	plan_expect(&snapshot, REAP,
	            "refuse consul-1: consul-3, which is gone, has the node id of consul-1, which lives: *");
}

/* ------------------------------------------------------------------------------------- with names */

Test(plan_clean, names_choose)
{
	struct snapshot snapshot;

	scaled_barely(&snapshot, MEMBER_FAILED, true);
	plan_expect_reap(&snapshot, "consul-4", "step force-leave consul-4 via consul-0: *; 3/5 -> 3/4");
	scaled_barely(&snapshot, MEMBER_FAILED, true);
	plan_expect_reap(&snapshot, "consul-8", "done");
	scaled_barely(&snapshot, MEMBER_LEFT, true);
	plan_expect_reap(&snapshot, "consul-4", "step remove-peer id-4 *");
}

Test(plan_clean, who_is_named_goes_although_it_could_come_back)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_stop(&snapshot, 1, "CrashLoopBackOff");
	plan_expect_reap(&snapshot, "consul-1", "step force-leave consul-1 via consul-0: *; 2/3 -> 2/2");
	sample_init(&snapshot, 3);
	sample_lose_pod(&snapshot, 1);
	sample_see(&snapshot, -1, "consul-1", MEMBER_LEFT);
	plan_expect_reap(&snapshot, "consul-1", "step remove-peer id-1 *; 2/3 -> 2/2");
	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "server-x", "10.0.0.77", MEMBER_FAILED, true);
	plan_expect_reap(&snapshot, "server-x", "step force-leave server-x *");
}

Test(plan_clean, a_stale_peer_is_named_by_its_id_or_address)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_leave(&snapshot, 1);
	sample_add_peer(&snapshot, NULL, "10.0.0.77", true);
	plan_expect_reap(&snapshot, "10.0.0.77:8300", "step remove-peer 10.0.0.77:8300 *");
	sample_init(&snapshot, 3);
	sample_add_peer(&snapshot, "other-0", "10.0.0.77", true);
	plan_expect_reap(&snapshot, "other-0", "step remove-peer 10.0.0.77:8300 *");
}

/* Nobody lists it as a member any more; it is a raft peer still. */
Test(plan_clean, a_server_that_is_named_is_its_peer_too)
{
	static const char *const names[] = { "consul-1", "id-1", "10.0.0.11:8300" };
	struct snapshot snapshot;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		sample_init(&snapshot, 3);
		sample_lose_pod(&snapshot, 1);
		sample_forget_member(&snapshot, -1, "consul-1");
		plan_expect_reap(&snapshot, names[i], "step remove-peer id-1 *; 2/3 -> 2/2");
		sample_init(&snapshot, 3);
		sample_lose_pod(&snapshot, 1);
		plan_expect_reap(&snapshot, names[i], "step force-leave consul-1 *; 2/3 -> 2/2");
		sample_init(&snapshot, 3);
		plan_expect_reap(&snapshot, names[i], "refuse consul-1: consul-1 lives: *");
	}
	/* By elimination it is taken for consul-1's. */
	sample_init(&snapshot, 3);
	sample_lose_pod(&snapshot, 1);
	sample_forget_member(&snapshot, -1, "consul-1");
	sample_forget_peer(&snapshot, -1, "consul-1");
	sample_add_peer(&snapshot, NULL, "10.0.0.77", true);
	plan_check(&snapshot, REAP, "done");
	plan_expect_reap(&snapshot, "10.0.0.77:8300", "step remove-peer 10.0.0.77:8300 *; 2/3 -> 2/2");
}

Test(plan_clean, a_leftover_is_named_by_its_id_too)
{
	struct snapshot snapshot;

	scaled_barely(&snapshot, MEMBER_FAILED, true);
	plan_expect_reap(&snapshot, "id-4", "step force-leave consul-4 *");
	scaled_barely(&snapshot, MEMBER_LEFT, true);
	plan_expect_reap(&snapshot, "10.0.0.14:8300", "step remove-peer id-4 *");
	scaled_barely(&snapshot, MEMBER_ALIVE, true);
	plan_expect_reap(&snapshot, "id-4", "refuse -: consul-4 is alive for gossip (10.0.0.14) (*) (may pass)");
}

Test(plan_clean, what_lives_is_not_reaped_whoever_names_it)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	plan_expect_reap(&snapshot, "consul-1",
	                 "refuse consul-1: consul-1 lives: reap is for servers that are gone (a "
	                 "server that could come back is not removed)");
	sample_init(&snapshot, 3);
	sample_see(&snapshot, -1, "consul-1", MEMBER_FAILED);
	plan_expect_reap(&snapshot, "consul-1", "refuse consul-1: consul-1 lives*");
	sample_init(&snapshot, 3);
	sample_silence(&snapshot, 1, ERR_TIMEOUT, "timed out");
	plan_expect_reap(&snapshot, "consul-1", "refuse -: consul-1 is alive for gossip (10.0.0.11) (*) (may pass)");
	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "web-0", "10.0.0.99", MEMBER_FAILED, false);
	plan_expect_reap(&snapshot, "web-0", "refuse -: web-0 is a client agent, not a server (*)");
}

/* The name of the pod, where its node is called otherwise. */
Test(plan_clean, a_server_is_named_by_its_pod_or_its_node)
{
	struct snapshot snapshot;

	for (int by_node = 0; by_node < 2; by_node++) {
		sample_init(&snapshot, 3);
		sample_stop(&snapshot, 1, "CrashLoopBackOff");
		for (size_t i = 0; i < 3; i++)
			for (size_t k = 0; k < snapshot.servers[i].view.member_count; k++) {
				struct member *member = &snapshot.servers[i].view.members[k];

				if (str_equal(member->name, "consul-1"))
					replace_string(&member->name, xstrdup("node-b"));
			}
		plan_expect_reap(&snapshot, by_node ? "node-b" : "consul-1", "step force-leave node-b via consul-0: *");
	}
}

Test(plan_clean, names_that_nobody_knows_are_told)
{
	struct snapshot snapshot;
	_cleanup_strv_ struct strv names = STRV_INIT;
	const struct goal goal = { .kind = GOAL_REAP, .servers = &names };

	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "server-x", "10.0.0.77", MEMBER_FAILED, true);
	strv_split(&names, "consul-0 server-x id-2 10.0.0.12:8300 consul-9 10.0.0.12", ' ');
	plan_check_notes(&snapshot, &goal,
	                 "nobody knows consul-9: nothing to reap\n"
	                 "nobody knows 10.0.0.12: nothing to reap");
	snapshot_release(&snapshot);
}
