/* consul/plan.h: what forbids every step, and what is waited for, whatever the goal is. */
#include <criterion/criterion.h>

#include "plan_check.h"
#include "util/mem.h"
#include "util/str.h"

#define HEALTH       "; kubectl consul health -n ns tells more"
#define AGREE_FIRST  "; the servers must agree first" HEALTH
#define QUORUM_FIRST "; the quorum must be there first" HEALTH

static const struct peer other_peer = { .voter = true };

/* This server's peers are these voters at these addresses, separated by spaces, and nobody else. */
static void set_peers(struct snapshot *snapshot, size_t server, const char *ips)
{
	struct view *view = &snapshot->servers[server].view;
	_cleanup_strv_ struct strv list = STRV_INIT;

	strv_split(&list, ips, ' ');
	view_clear_peers(view);
	view->peers = xcalloc(list.count, sizeof(*view->peers));
	view->peer_count = list.count;
	view->peers_known = true;
	view->peers_source = PEERS_RAFT;
	for (size_t i = 0; i < list.count; i++) {
		view->peers[i] = other_peer;
		view->peers[i].address = xasprintf("%s:8300", list.items[i]);
	}
}

/* Both goals end in the same. Releases the snapshot. */
static void expect_both(struct snapshot *snapshot, const char *expected)
{
	plan_check(snapshot, REAP, expected);
	plan_expect(snapshot, SCALE(5), expected);
}

/* ------------------------------------------------------------------------------------------ done */

Test(plan, a_healthy_cluster_is_what_it_is_meant_to_be)
{
	struct snapshot snapshot;

	for (size_t servers = 1; servers <= 7; servers++) {
		sample_init(&snapshot, servers);
		plan_check(&snapshot, REAP, "done");
		plan_expect(&snapshot, SCALE((int64_t)servers), "done");
	}
}

/* ---------------------------------------------------------------------------------- rules 5 and 6 */

Test(plan, nothing_is_changed_without_a_leader)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_no_leader(&snapshot);
	expect_both(&snapshot,
	            "refuse -: there is no leader all servers agree on (nothing is changed without a leader all "
	            "agree on) (may pass)" AGREE_FIRST);
}

Test(plan, nothing_is_changed_where_leaders_disagree)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_set_leader(&snapshot, 2, "10.0.0.11:8300");
	expect_both(&snapshot, "refuse -: the servers do not name the same leader (*) (may pass)" AGREE_FIRST);
}

Test(plan, a_leader_that_does_not_say_so_is_none)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	snapshot.servers[0].view.self.role = RAFT_FOLLOWER;
	expect_both(&snapshot, "refuse -: there is no leader all servers agree on (*) (may pass)" AGREE_FIRST);
}

Test(plan, nothing_is_changed_where_peer_sets_disagree)
{
	struct snapshot snapshot;
	const char *expected = "refuse consul-2: consul-2 and consul-0 do not have the same raft peers (nothing is "
	                       "changed without a leader all agree on) (may pass)" AGREE_FIRST;

	sample_init(&snapshot, 3);
	sample_forget_peer(&snapshot, 2, "consul-1");
	expect_both(&snapshot, expected);
	sample_init(&snapshot, 3);
	sample_set_voter(&snapshot, 2, "consul-1", false);
	expect_both(&snapshot, expected);
	sample_init(&snapshot, 3);
	set_peers(&snapshot, 2, "10.0.0.10 10.0.0.11 10.0.0.77");
	expect_both(&snapshot, expected);
	sample_init(&snapshot, 3);
	set_peers(&snapshot, 2, "10.0.0.10 10.0.0.11 10.0.0.12 10.0.0.13");
	expect_both(&snapshot, expected);
}

Test(plan, one_that_sees_more_or_less_because_it_is_no_voter_yet_does_not_disagree)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 4);
	sample_set_voter(&snapshot, -1, "consul-3", false);
	sample_forget_peer(&snapshot, 3, "consul-1");
	plan_check(&snapshot, REAP, "done");
	plan_expect(&snapshot, SCALE(4), "wait consul-3: consul-3: joined, not a voter yet");
}

Test(plan, a_server_of_another_cluster_stops_everything_for_good)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	set_peers(&snapshot, 2, "10.0.0.77");
	expect_both(&snapshot,
	            "refuse consul-2: consul-2 is of another cluster: its raft peers are none of consul-0's (nothing "
	            "is changed without a leader all agree on); if nothing that it holds is needed: kubectl scale "
	            "statefulset consul -n ns --replicas=2, and delete its claim");
	sample_init_from(&snapshot, 5, 4);
	set_peers(&snapshot, 3, "10.0.0.77");
	expect_both(&snapshot, "refuse consul-8: *--replicas=3, and delete its claim");
	/* Others above it: it cannot go without them. */
	sample_init(&snapshot, 3);
	set_peers(&snapshot, 1, "10.0.0.77");
	expect_both(&snapshot, "refuse consul-1: *(*); find out how that came about" HEALTH);
}

Test(plan, nothing_is_changed_without_a_quorum)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_lose_pod(&snapshot, 1);
	sample_lose_pod(&snapshot, 2);
	expect_both(&snapshot, "refuse -: 1 of 3 voters are known to live, 2 are needed (the quorum must survive every "
	                       "step) (may pass)" QUORUM_FIRST);
}

Test(plan, a_set_without_replicas_has_nobody_to_ask)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_scale(&snapshot, 0, MEMBER_FAILED);
	expect_both(&snapshot, "refuse -: the StatefulSet is scaled to 0: nobody can be asked (*); kubectl scale "
	                       "statefulset consul -n ns --replicas=N, *");
	sample_init(&snapshot, 1);
	sample_set_replicas(&snapshot, 0);
	snapshot.servers[0].pod.deleting = true;
	sample_stop(&snapshot, 0, NULL);
	expect_both(&snapshot, "refuse -: no server answers (*) (may pass)*");
}

Test(plan, hints_name_the_set_where_it_is_not_the_default)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	replace_string(&snapshot.set.name, xstrdup("vault"));
	sample_no_leader(&snapshot);
	expect_both(&snapshot, "*kubectl consul health -n ns --name vault tells*");
}

/* ---------------------------------------------------------------------------------- rules 2 and 3 */

Test(plan, a_change_that_kubernetes_has_not_seen_is_waited_for)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	snapshot.set.generation = 2;
	snapshot.set.observed_generation = 1;
	expect_both(&snapshot, "wait -: Kubernetes has not taken up the last change yet");
	/* It may not be able to: the pod that is missing knows more. */
	sample_init(&snapshot, 5);
	snapshot.set.generation = 2;
	snapshot.set.observed_generation = 1;
	sample_lose_pod(&snapshot, 4);
	sample_leave(&snapshot, 4);
	expect_both(&snapshot, "wait consul-4: consul-4: its pod does not exist yet (events)");
}

Test(plan, a_pod_that_stops_is_there_until_it_is_gone)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 6);
	sample_set_replicas(&snapshot, 5);
	snapshot.servers[5].pod.deleting = true;
	expect_both(&snapshot, "wait consul-5: consul-5: stopping (events)");
	sample_init(&snapshot, 6);
	sample_set_replicas(&snapshot, 5);
	expect_both(&snapshot, "wait consul-5: consul-5: to be stopped");
	sample_init(&snapshot, 6);
	sample_set_replicas(&snapshot, 5);
	sample_stop(&snapshot, 5, NULL);
	snapshot.servers[5].pod.deleting = true;
	sample_see(&snapshot, -1, "consul-5", MEMBER_LEFT);
	sample_forget_peer(&snapshot, -1, "consul-5");
	expect_both(&snapshot, "wait consul-5: consul-5: stopped; Kubernetes has still to remove its pod (events)");
}

Test(plan, a_rollout_is_no_time_to_scale)
{
	struct snapshot snapshot;

	for (size_t old = 0; old < 3; old++) {
		_cleanup_free_ char *line = xasprintf("refuse consul-%zu: a rolling update is under way: consul-%zu is "
		                                      "still to be replaced (one change at a time); kubectl rollout "
		                                      "status statefulset/consul -n ns waits for it",
		                                      old, old);

		sample_init(&snapshot, 3);
		sample_roll(&snapshot, old);
		plan_check(&snapshot, SCALE(1, .force = true), line);
		plan_expect(&snapshot, SCALE(5), line);
	}
}

Test(plan, pods_that_are_meant_to_stay_old_are_no_rollout)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_roll(&snapshot, 1);
	snapshot.set.update_strategy = xstrdup("OnDelete");
	plan_expect(&snapshot, SCALE(5), "step replicas 4: *");
	sample_init(&snapshot, 3);
	sample_roll(&snapshot, 1);
	snapshot.set.partition = 2;
	plan_expect(&snapshot, SCALE(5), "step replicas 4: *");
}

/* Another StatefulSet's server of the same Consul leads: any voter of ours is told instead. */
Test(plan, a_leader_elsewhere)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_scale(&snapshot, 3, MEMBER_LEFT);
	sample_forget_peer(&snapshot, -1, "consul-4");
	sample_add_peer(&snapshot, "other-0", "10.0.1.1", true);
	sample_add_member(&snapshot, "other-0", "10.0.1.1", MEMBER_ALIVE, true);
	sample_set_leader(&snapshot, -1, "10.0.1.1:8300");
	snapshot.servers[0].view.self.role = RAFT_FOLLOWER;
	snapshot.servers[0].view.self.last_contact_ms = 40;
	plan_expect(&snapshot, REAP, "step remove-peer id-3 via consul-0: *; 3/5 -> 3/4");
}

/* ------------------------------------------------------------------------- every server that stays */

#define WELL_FIRST "; every server that stays must be well first; kubectl consul health -n ns tells more"

/* Up, down, and staying: a voter of a wanted ordinal that does not live stops all three. */
static void expect_refused(struct snapshot *snapshot, const char *expected)
{
	plan_check(snapshot, SCALE(7), expected);
	plan_check(snapshot, SCALE(5), expected);
	plan_expect(snapshot, SCALE(3), expected);
}

Test(plan, a_survivor_that_does_not_live_stops_it)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_lose_pod(&snapshot, 1);
	expect_refused(&snapshot, "refuse consul-1: consul-1 is a voter and does not live: its pod does not exist yet "
	                          "(the quorum must survive every step) (may pass)" WELL_FIRST);
	sample_init(&snapshot, 5);
	sample_stop(&snapshot, 1, "CrashLoopBackOff");
	expect_refused(&snapshot, "refuse consul-1: consul-1 is a voter and does not live: CrashLoopBackOff* (may "
	                          "pass)" WELL_FIRST);
	sample_init(&snapshot, 5);
	snapshot.servers[1].pod.deleting = true;
	expect_refused(&snapshot,
	               "refuse consul-1: consul-1 is a voter and does not live: stopping (*) (may pass)" WELL_FIRST);
}

Test(plan, a_survivor_that_cannot_be_asked_stops_it)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_silence(&snapshot, 1, ERR_TIMEOUT, "no answer within 5s");
	expect_refused(&snapshot, "refuse consul-1: consul-1 is a voter and cannot be asked: no answer within 5s "
	                          "(unknown counts as dead) (may pass)" WELL_FIRST);
}

Test(plan, a_survivor_that_is_cut_off_stops_it)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_set_leader(&snapshot, 1, NULL);
	snapshot.servers[1].view.self.role = RAFT_CANDIDATE;
	expect_refused(&snapshot, "refuse consul-1: consul-1 is a voter and hears no leader (*) (may pass)" WELL_FIRST);
}

Test(plan, a_survivor_that_hides_something_stops_it)
{
	struct snapshot snapshot;
	struct view *view;

	for (int plane = 0; plane < 3; plane++) {
		sample_init(&snapshot, 5);
		view = &snapshot.servers[1].view;
		if (plane == 0) {
			view_clear_members(view);
			err_set(&view->members_err, ERR_FORBIDDEN, "it may not");
		} else if (plane == 1) {
			view_clear_peers(view);
			err_set(&view->peers_err, ERR_FORBIDDEN, "it may not");
		} else {
			view->self_known = false;
			err_set(&view->self_err, ERR_FORBIDDEN, "it may not");
		}
		expect_refused(&snapshot, "refuse consul-1: consul-1 does not tell everything: it may not (unknown "
		                          "counts as dead) (may pass)");
	}
}

/* Asserts what is waited for about consul-1 of five, before anything else is begun. Releases the snapshot. */
static void expect_wait(struct snapshot *snapshot, const char *reason)
{
	_cleanup_free_ char *line = xasprintf("wait consul-1: consul-1: %s", reason);

	expect_refused(snapshot, line);
}

/* Observed: autopilot made the lost one leave by force when its successor had joined already. */
Test(plan, a_goodbye_that_was_never_said_is_denied)
{
	struct snapshot snapshot;

	for (int viewer = 0; viewer < 3; viewer += 2) {
		_cleanup_free_ char *line =
		    xasprintf("step join 10.0.0.10 via consul-1: consul-1 joins once more: consul-%d believes that it "
		              "has left; 5/5 -> 5/5",
		              viewer);

		for (int status = MEMBER_LEAVING; status <= MEMBER_LEFT; status++) {
			const struct goal *deaf = SCALE(5, .cannot_join = true);
			_cleanup_free_ char *young =
			    xasprintf("wait consul-1: consul-1: consul-%d believes that it has left", viewer);
			const char *otherwise =
			    viewer ? "done" : "wait consul-1: consul-1: a voter, but for gossip it is *";

			sample_init(&snapshot, 5);
			sample_see(&snapshot, viewer, "consul-1", status);
			plan_check(&snapshot, SCALE(5), line);
			plan_check(&snapshot, deaf, otherwise);
			/* It has just been started, and is about to say that it is there. */
			snapshot.servers[1].pod.containers[0].started_at = snapshot.taken_at - 44;
			plan_check(&snapshot, SCALE(5), young);
			snapshot.servers[1].pod.containers[0].started_at = snapshot.taken_at - 45;
			plan_check_forward(&snapshot, SCALE(5), (const char *const[]){ line, "done", NULL });
			snapshot_release(&snapshot);
		}
	}
}

Test(plan, a_survivor_that_is_not_stable_is_waited_for)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_see(&snapshot, -1, "consul-1", MEMBER_LEAVING);
	expect_wait(&snapshot, "a voter, but for gossip it is leaving");
	sample_init(&snapshot, 5);
	sample_forget_member(&snapshot, -1, "consul-1");
	expect_wait(&snapshot, "a voter, but for gossip it is *");
	sample_init(&snapshot, 5);
	snapshot.servers[1].view.self.last_log_index = 749;
	expect_wait(&snapshot, "a voter, 251 log entries behind");
	sample_init(&snapshot, 5);
	snapshot.servers[1].pod.ready = false;
	expect_wait(&snapshot, "a voter, about to be ready");
	sample_init(&snapshot, 5);
	snapshot.servers[1].view.self.last_log_index = 750;
	plan_expect(&snapshot, SCALE(5), "done");
}

/* Its pod was made anew: everybody knows its new address, raft the old one. */
static void move_to(struct snapshot *snapshot, size_t server, const char *ip)
{
	replace_string(&snapshot->servers[server].pod.ip, xstrdup(ip));
	for (size_t i = 0; i < snapshot->server_count; i++)
		replace_string(&snapshot->servers[i].view.members[server].address, xstrdup(ip));
}

Test(plan, a_server_that_raft_has_under_another_address_is_waited_for)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	move_to(&snapshot, 1, "10.0.0.77");
	expect_wait(&snapshot, "raft still has it under its former address, 10.0.0.11:8300");
	/* The leader has noticed, or the server itself has, and not both. */
	sample_init(&snapshot, 5);
	replace_string(&snapshot.servers[1].view.members[1].address, xstrdup("10.0.0.77"));
	expect_wait(&snapshot, "raft still has it under its former address, *");
	sample_init(&snapshot, 5);
	replace_string(&snapshot.servers[0].view.members[1].address, xstrdup("10.0.0.77"));
	expect_wait(&snapshot, "raft still has it under its former address, *");
	/* One or two peers: Consul does not correct its leader's. */
	for (size_t servers = 1; servers <= 3; servers++) {
		sample_init(&snapshot, servers);
		move_to(&snapshot, 0, "10.0.0.77");
		plan_expect(&snapshot, SCALE((int64_t)servers),
		            servers < 3 ? "done" : "wait consul-0: *former address*");
	}
}

Test(plan, an_address_of_its_own_that_is_not_the_pods_is_fine)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++)
		replace_string(&snapshot.servers[i].pod.ip, xasprintf("192.168.0.%zu", i));
	plan_check(&snapshot, SCALE(3), "done");
	plan_expect(&snapshot, SCALE(5), "step replicas 4: *");
}

Test(plan, a_server_that_comes_is_waited_for_with_the_reason)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_leave(&snapshot, 1);
	expect_wait(&snapshot, "running, not in raft yet");
	sample_init(&snapshot, 5);
	sample_set_voter(&snapshot, -1, "consul-1", false);
	expect_wait(&snapshot, "joined, not a voter yet");
	sample_init(&snapshot, 5);
	sample_forget_peer(&snapshot, -1, "consul-1");
	sample_silence(&snapshot, 1, ERR_UNREACHABLE, "connection refused");
	expect_wait(&snapshot, "running, does not answer yet");
	sample_init(&snapshot, 5);
	sample_lose_pod(&snapshot, 1);
	sample_leave(&snapshot, 1);
	expect_wait(&snapshot, "its pod does not exist yet (events)");
	sample_init(&snapshot, 5);
	sample_leave(&snapshot, 1);
	sample_never_ran(&snapshot, 1, NULL);
	sample_see(&snapshot, -1, "consul-1", MEMBER_LEFT);
	expect_wait(&snapshot, "not scheduled: 0/1 nodes are available (events)");
}

/* Waiting alone does not mend it: that is not begun at all, or not gone on with. */
Test(plan, a_server_that_hardly_comes_stops_it)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_leave(&snapshot, 1);
	sample_never_ran(&snapshot, 1, "ImagePullBackOff");
	expect_refused(&snapshot,
	               "refuse consul-1: consul-1 is not well: cannot pull image: hashicorp/consul:1.21 (one "
	               "change at a time) (may pass) (events) (broken); every server must be well "
	               "before the next comes or goes; kubectl consul health -n ns tells more");
	sample_init(&snapshot, 5);
	sample_stop(&snapshot, 1, "CrashLoopBackOff");
	sample_leave(&snapshot, 1);
	expect_refused(&snapshot, "refuse consul-1: consul-1 is not well: CrashLoopBackOff (*) (may pass) (broken); *");
}

Test(plan, a_server_that_comes_and_hides_something_stops_it)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_set_voter(&snapshot, -1, "consul-1", false);
	view_clear_members(&snapshot.servers[1].view);
	expect_refused(&snapshot, "refuse consul-1: consul-1 does not tell everything (*) (may pass)");
}

/* What is dead is told before what is only late. */
Test(plan, a_dead_voter_is_told_before_a_late_server)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_leave(&snapshot, 0);
	sample_lead(&snapshot, 1);
	sample_lose_pod(&snapshot, 2);
	plan_expect(&snapshot, SCALE(5), "refuse consul-2: consul-2 is a voter and does not live: *");
}
