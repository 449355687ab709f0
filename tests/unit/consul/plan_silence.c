/* consul/plan.h, rule 6: servers that cannot be asked; and rule 1 with voters that are nobody's here. */
#include <criterion/criterion.h>

#include "plan_check.h"
#include "util/mem.h"
#include "util/str.h"

#define HEALTH    "; kubectl consul health -n ns tells more"
#define ASK_FIRST "; they must be asked first" HEALTH

/* Both goals end in the same. Releases the snapshot. */
static void expect_both(struct snapshot *snapshot, const char *expected)
{
	plan_check(snapshot, REAP, expected);
	plan_expect(snapshot, SCALE(5), expected);
}

/* ---------------------------------------------------------------------------------------- silence */

Test(plan_silence, servers_that_cannot_be_asked_are_dead)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	for (size_t i = 2; i < 5; i++)
		sample_silence(&snapshot, i, ERR_TIMEOUT, "timed out");
	expect_both(&snapshot,
	            "refuse -: 2 of 5 voters are known to live, 3 are needed; 3 cannot be asked: timed out (unknown "
	            "counts as dead) (may pass)" ASK_FIRST);
	sample_init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++)
		sample_silence(&snapshot, i, ERR_TIMEOUT, "timed out");
	expect_both(&snapshot, "refuse -: no server answers: timed out (unknown counts as dead) (may pass)" ASK_FIRST);
}

/* No patience gives a right to ask them. */
Test(plan_silence, who_may_not_be_asked_is_not_waited_for)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++)
		sample_silence(&snapshot, i, ERR_FORBIDDEN, "you may not");
	plan_check(&snapshot, REAP, "refuse -: no server answers: you may not (unknown counts as dead)" ASK_FIRST);
	plan_check(&snapshot, SCALE(5), "refuse -: no server answers: you may not (unknown counts as dead)" ASK_FIRST);
	/* One of them that is only late is enough to look again. The first reason is told. */
	sample_silence(&snapshot, 1, ERR_TIMEOUT, "timed out");
	plan_check(&snapshot, REAP, "refuse -: no server answers: you may not (*) (may pass)" ASK_FIRST);
	/* One that does not run says nothing of rights. */
	sample_silence(&snapshot, 1, ERR_FORBIDDEN, "you may not");
	sample_stop(&snapshot, 0, "CrashLoopBackOff");
	expect_both(&snapshot, "refuse -: no server answers: you may not (unknown counts as dead)" ASK_FIRST);
	sample_init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++)
		sample_stop(&snapshot, i, "CrashLoopBackOff");
	expect_both(&snapshot, "refuse -: no server answers (unknown counts as dead) (may pass)" ASK_FIRST);
}

Test(plan_silence, a_quorum_that_may_not_be_asked_is_not_called_lost)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	for (size_t i = 1; i < 3; i++)
		sample_silence(&snapshot, i, ERR_FORBIDDEN, "you may not");
	plan_check(&snapshot, REAP,
	           "refuse -: 1 of 3 voters are known to live, 2 are needed; 2 cannot be asked: you may not (unknown "
	           "counts as dead)" ASK_FIRST);
	sample_silence(&snapshot, 2, ERR_UNREACHABLE, "connection refused");
	expect_both(&snapshot,
	            "refuse -: 1 of 3 voters are known to live, 2 are needed; 2 cannot be asked: you may not (*) "
	            "(may pass)" ASK_FIRST);
	/* One is dead, one may not be asked. */
	sample_init(&snapshot, 3);
	sample_silence(&snapshot, 1, ERR_FORBIDDEN, "you may not");
	sample_lose_pod(&snapshot, 2);
	expect_both(&snapshot, "refuse -: 1 of 3 voters *; 1 cannot be asked: you may not (*)" ASK_FIRST);
}

Test(plan_silence, nothing_is_changed_while_nobody_tells_who_votes)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++)
		view_clear_peers(&snapshot.servers[i].view);
	expect_both(&snapshot, "refuse -: no server tells who votes (unknown counts as dead) (may pass)" ASK_FIRST);
}

Test(plan_silence, nothing_is_changed_while_nobody_tells_the_members)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++) {
		view_clear_members(&snapshot.servers[i].view);
		err_set(&snapshot.servers[i].view.members_err, ERR_FORBIDDEN, "it may not");
	}
	plan_check(&snapshot, PRUNE, "refuse -: no server tells its members* (*)*" ASK_FIRST);
	expect_both(&snapshot, "refuse -: no server tells its members* (unknown counts as dead)*" ASK_FIRST);
}

/* ------------------------------------------------------------------------ voters that are no pod's */

#define NOBODYS                                                                                                        \
	"refuse -: raft voter server-b (10.0.1.1:8300) does not live, and is no pod's (the quorum must survive every " \
	"step) (may pass); if it is gone for good: kubectl consul reap "

/* It weakens the quorum, and nobody but a person knows whether it comes back. */
Test(plan_silence, a_dead_voter_that_is_nobodys_is_for_a_person_to_name)
{
	static const enum member_status dead[] = { MEMBER_FAILED, MEMBER_LEFT, MEMBER_LEAVING };
	struct snapshot snapshot;

	for (size_t i = 0; i < ARRAY_SIZE(dead); i++) {
		sample_init(&snapshot, 4);
		sample_add_peer(&snapshot, "server-b", "10.0.1.1", true);
		sample_add_member(&snapshot, "server-b", "10.0.1.1", dead[i], true);
		plan_check(&snapshot, SCALE(3), NOBODYS "server-b -n ns");
		plan_check(&snapshot, SCALE(4), NOBODYS "server-b -n ns");
		plan_check(&snapshot, SCALE(5), NOBODYS "server-b -n ns");
		plan_expect(&snapshot, REAP, "done");
	}
	sample_init(&snapshot, 2);
	sample_add_peer(&snapshot, "server-b", "10.0.1.1", true);
	sample_add_member(&snapshot, "server-b", "10.0.1.1", MEMBER_FAILED, true);
	plan_check_notes(
	    &snapshot, SCALE(3),
	    "server-b (10.0.1.1) is failed, and by its name none of this StatefulSet's servers: kubectl consul "
	    "reap server-b -n ns removes it");
	plan_check_notes(
	    &snapshot, REAP,
	    "server-b (10.0.1.1) is failed, and by its name none of this StatefulSet's servers: kubectl consul "
	    "reap server-b -n ns removes it");
	plan_expect_reap(&snapshot, "server-b", "step force-leave server-b via consul-0: *; 2/3 -> 2/2");
}

Test(plan_silence, one_that_gossip_has_forgotten_is_named_by_its_id_or_address)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	replace_string(&snapshot.set.name, xstrdup("consul"));
	sample_add_peer(&snapshot, "server-b", "10.0.1.1", true);
	plan_check(&snapshot, SCALE(3), NOBODYS "10.0.1.1:8300 -n ns");
	for (size_t i = 0; i < 3; i++)
		replace_string(&snapshot.servers[i].view.peers[3].id, xstrdup("x;$(id)"));
	plan_check(&snapshot, SCALE(3), NOBODYS "'x;$(id)' -n ns");
	plan_expect_reap(&snapshot, "x;$(id)", "step remove-peer x;$(id) via consul-0: *; 3/4 -> 3/3");
	/* An entry under a former address of a server that has another by now. */
	sample_init(&snapshot, 3);
	sample_add_peer(&snapshot, "consul-1", "10.0.0.77", true);
	plan_check(&snapshot, REAP, "done");
	plan_expect(&snapshot, SCALE(3),
	            "refuse -: raft voter consul-1 (10.0.0.77:8300) does not live, *consul reap 10.0.0.77:8300 -n ns");
}

/* What lives elsewhere votes here; what does not vote takes nobody's quorum. */
Test(plan_silence, one_that_lives_elsewhere_or_does_not_vote_stops_nothing)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_peer(&snapshot, "server-b", "10.0.1.1", true);
	sample_add_member(&snapshot, "server-b", "10.0.1.1", MEMBER_ALIVE, true);
	plan_check(&snapshot, SCALE(3), "done");
	sample_set_voter(&snapshot, -1, "server-b", false);
	sample_see(&snapshot, -1, "server-b", MEMBER_FAILED);
	plan_expect(&snapshot, SCALE(3), "done");
}

/* Several voters elsewhere that live: they cannot be asked from here, and count as dead. */
static void add_elsewhere(struct snapshot *snapshot, int count)
{
	for (int i = 0; i < count; i++) {
		_cleanup_free_ char *name = xasprintf("other-%d", i), *ip = xasprintf("10.0.1.%d", i);

		sample_add_peer(snapshot, name, ip, true);
		sample_add_member(snapshot, name, ip, MEMBER_ALIVE, true);
	}
}

Test(plan_silence, strangers_count)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 2);
	add_elsewhere(&snapshot, 1);
	plan_check(&snapshot, SCALE(1, .force = true),
	           "refuse -: after this step 1 of 2 voters would live, and 2 would be needed: consul-1 leaves Consul "
	           "(the quorum must survive every step) (may pass); dead voters must be removed first" HEALTH);
	plan_expect(&snapshot, SCALE(3),
	            "refuse -: with consul-2 there would be 4 voters, of which 2 live for sure and 3 "
	            "are needed (*) (may pass); dead voters must be removed first" HEALTH);
	sample_init(&snapshot, 4);
	add_elsewhere(&snapshot, 3);
	plan_check(&snapshot, SCALE(3), "refuse -: after this step 3 of 6 voters would live, and 4 would be needed: *");
	plan_expect(&snapshot, SCALE(5),
	            "refuse -: with consul-4 there would be 8 voters, of which 4 live for sure and 5 *");
	sample_init(&snapshot, 4);
	add_elsewhere(&snapshot, 2);
	plan_expect(&snapshot, SCALE(5), "step replicas 5: replicas 4 -> 5: consul-4 joins; 4/6 -> 5/7");
	sample_init(&snapshot, 3);
	add_elsewhere(&snapshot, 1);
	sample_lose_pod(&snapshot, 2);
	expect_both(&snapshot, "refuse -: 2 of 4 voters are known to live, 3 are needed; 1 of them is no pod of this "
	                       "StatefulSet and counts as dead (the quorum must survive every step) (may pass); the "
	                       "quorum must be there first" HEALTH);
	sample_init(&snapshot, 3);
	add_elsewhere(&snapshot, 4);
	expect_both(&snapshot, "refuse -: 3 of 7 voters are known to live, 4 are needed; 4 of them are no pod of this "
	                       "StatefulSet and count as dead (*) (may pass); *");
}

/* ---------------------------------------------------------------------------------------- rollout */

/* Those who answer tell of a cluster without it, and yet it is ready: perhaps it is of the one that counts. */
Test(plan_silence, who_is_ready_and_in_no_raft_is_asked_before_it_is_replaced)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_new_template(&snapshot);
	sample_leave(&snapshot, 1);
	sample_silence(&snapshot, 1, ERR_TIMEOUT, "timed out");
	plan_check(&snapshot, ROLLOUT,
	           "refuse consul-1: consul-1 is ready, is not in raft for the others, and cannot be asked (unknown "
	           "counts as dead) (may pass); it must be asked first" HEALTH);
	/* One that hangs, as its template is bad. */
	snapshot.servers[1].pod.ready = false;
	plan_expect(&snapshot, ROLLOUT, "step restart consul-1: consul-1 is replaced: it stops; 2/2 -> 2/2");
}

/* A leader was elected while they were asked: only one has heard of that. */
Test(plan_silence, while_one_names_a_leader_nobody_is_replaced_as_if_there_was_none)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_new_template(&snapshot);
	sample_renew(&snapshot, 0);
	sample_no_leader(&snapshot);
	sample_stop(&snapshot, 1, "CrashLoopBackOff");
	sample_stop(&snapshot, 2, "CrashLoopBackOff");
	plan_check(&snapshot, ROLLOUT, "step restart consul-1: consul-1 is replaced: it does not run; *");
	sample_set_leader(&snapshot, 0, "10.0.0.11:8300");
	plan_expect(&snapshot, ROLLOUT, "refuse -: *(may pass)*");
}

/* The others have not heard of it yet. */
Test(plan_silence, who_leaves_knows_it_first)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_see(&snapshot, 1, "consul-1", MEMBER_LEAVING);
	plan_check(&snapshot, SCALE(5), "wait consul-1: consul-1: a voter, but for itself it is leaving");
	sample_see(&snapshot, -1, "consul-1", MEMBER_LEAVING);
	plan_expect(&snapshot, SCALE(5), "wait consul-1: consul-1: a voter, but for gossip it is leaving");
}
