/* consul/drill.h: who may be crashed, and what is read from the looks after it. */
#include "consul/drill.h"

#include <criterion/criterion.h>

#include "plan_check.h"
#include "util/buf.h"
#include "util/mem.h"

#define HEALTH     "; kubectl consul health -n ns tells more"
#define WELL_FIRST "; every server must be well first" HEALTH
#define MORE(n)    "; a cluster that tolerates a failure has at least 3 servers: kubectl consul scale " #n " -n ns"

/* ----------------------------------------------------------------------------------------------- drill_check */

/* Asserts "crash POD", or the refusal as plan_check.h has it. Releases the snapshot. */
static void check(struct snapshot *snapshot, const char *pod, const char *expected)
{
	const char *victim = NULL;
	struct plan plan;
	_cleanup_free_ char *line = NULL;

	drill_check(snapshot, pod, &victim, &plan);
	cr_expect_eq(victim != NULL, plan.kind == PLAN_DONE);
	line = victim ? xasprintf("crash %s", victim) : plan_line(&plan);
	cr_expect_str_eq(line, expected, "got      %s\n  expected %s", line, expected);
	plan_release(&plan);
	snapshot_release(snapshot);
}

Test(drill, the_leader_or_the_one_that_is_named)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	check(&snapshot, NULL, "crash consul-0");
	sample_init(&snapshot, 5);
	sample_lead(&snapshot, 3);
	check(&snapshot, NULL, "crash consul-3");
	sample_init(&snapshot, 4);
	check(&snapshot, "consul-2", "crash consul-2");
}

Test(drill, nobody_where_the_quorum_would_not_stand)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 1);
	check(&snapshot, NULL,
	      "refuse consul-0: consul-0 is the only voter (the quorum must survive every step)" MORE(3));
	sample_init(&snapshot, 2);
	check(&snapshot, "consul-1",
	      "refuse consul-1: consul-1 votes, and without it 1 of 2 voters would be left, fewer than the quorum of 2 "
	      "(the quorum must survive every step)" MORE(3));
	sample_init(&snapshot, 3);
	sample_stop(&snapshot, 2, "CrashLoopBackOff");
	check(&snapshot, NULL,
	      "refuse consul-0: consul-0 leads, and without it 1 of 3 voters would be left, fewer than the quorum of 2 "
	      "(the quorum must survive every step) (may pass)" WELL_FIRST);
}

Test(drill, nobody_while_another_is_down_though_the_quorum_would_stand)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_silence(&snapshot, 4, ERR_TIMEOUT, "no answer");
	check(&snapshot, NULL,
	      "refuse consul-4: consul-4 is a voter and cannot be asked: no answer (unknown counts as dead) (may pass)"
	      "; every server that stays must be well first" HEALTH);
}

Test(drill, nobody_who_is_no_server)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	check(&snapshot, "consul-7",
	      "refuse -: there is no server consul-7 (none); choose one with --pod: consul-0, "
	      "consul-1 and consul-2");
}

Test(drill, nobody_without_a_leader_or_before_a_server_votes)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_no_leader(&snapshot);
	check(&snapshot, NULL,
	      "refuse -: there is no leader all servers agree on (nothing is changed without a leader all agree on) "
	      "(may pass); the servers must agree first" HEALTH);
	sample_init(&snapshot, 4);
	sample_set_voter(&snapshot, -1, "consul-3", false);
	check(&snapshot, "consul-3",
	      "refuse consul-3: consul-3: joined, not a voter yet (one change at a time) (may pass)" WELL_FIRST);
}

Test(drill, nobody_during_another_change)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 4);
	sample_set_replicas(&snapshot, 3);
	snapshot.servers[3].pod.deleting = true;
	check(&snapshot, NULL,
	      "refuse consul-3: consul-3: stopping (one change at a time) (may pass) (events)" WELL_FIRST);
	sample_init(&snapshot, 3);
	sample_roll(&snapshot, 1);
	check(&snapshot, NULL,
	      "refuse consul-1: a rolling update is under way: consul-1 is still to be replaced (one change at a time)"
	      "; kubectl rollout status statefulset/consul -n ns waits for it");
}

Test(drill, nobody_while_views_differ)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_see(&snapshot, 2, "consul-1", MEMBER_FAILED);
	check(&snapshot, NULL,
	      "refuse consul-1: consul-1: a voter, but consul-2 sees it as failed (one change at a time) (may pass); "
	      "every "
	      "server must be well first" HEALTH);
	sample_init(&snapshot, 3);
	sample_forget_member(&snapshot, 2, "consul-1");
	check(&snapshot, NULL,
	      "refuse consul-1: not every server has consul-1 as alive (nothing is changed without a leader all agree "
	      "on) (may pass); the servers must agree first" HEALTH);
}

/* ------------------------------------------------------------------------------------------------ drill_take */

#define CALM_TERM 3 /* of sample.h */

/* This server leads, in this term, for all that answer. */
static void reign(struct snapshot *snapshot, size_t leader, uint64_t term)
{
	sample_lead(snapshot, leader);
	for (size_t i = 0; i < snapshot->server_count; i++)
		snapshot->servers[i].view.self.term = term;
}

/* The container is another one. */
static void restart(struct snapshot *snapshot, size_t server)
{
	snapshot->servers[server].pod.containers[0].restarts = 1;
}

static void refused(struct snapshot *snapshot, size_t server)
{
	sample_silence(snapshot, server, ERR_UNREACHABLE, "connection refused");
}

static void calm(struct snapshot *snapshot)
{
	(void)snapshot;
}

static void first_is_down(struct snapshot *snapshot)
{
	refused(snapshot, 0);
}

static void one_has_lost_it(struct snapshot *snapshot)
{
	refused(snapshot, 0);
	sample_set_leader(snapshot, 1, NULL);
}

static void all_have_lost_it(struct snapshot *snapshot)
{
	sample_no_leader(snapshot);
	first_is_down(snapshot);
}

static void one_knows_the_new_one(struct snapshot *snapshot)
{
	reign(snapshot, 1, CALM_TERM + 1);
	sample_set_leader(snapshot, 2, NULL);
	first_is_down(snapshot);
}

static void second_leads(struct snapshot *snapshot)
{
	reign(snapshot, 1, CALM_TERM + 1);
	first_is_down(snapshot);
}

static void container_is_another(struct snapshot *snapshot)
{
	second_leads(snapshot);
	restart(snapshot, 0);
	snapshot->servers[0].pod.ready = false;
}

/* It answers; a follower still has it as failed, and it has not heard of the leader. */
static void first_answers(struct snapshot *snapshot)
{
	reign(snapshot, 1, CALM_TERM + 1);
	restart(snapshot, 0);
	sample_see(snapshot, 2, "consul-0", MEMBER_FAILED);
	sample_set_leader(snapshot, 0, NULL);
	snapshot->servers[0].view.self.role = RAFT_FOLLOWER;
	snapshot->servers[0].pod.ready = false;
}

static void all_see_it(struct snapshot *snapshot)
{
	first_answers(snapshot);
	sample_see(snapshot, -1, "consul-0", MEMBER_ALIVE);
}

static void first_follows(struct snapshot *snapshot)
{
	reign(snapshot, 1, CALM_TERM + 1);
	restart(snapshot, 0);
	snapshot->servers[0].pod.ready = false;
}

static void first_follows_and_lags(struct snapshot *snapshot)
{
	first_follows(snapshot);
	snapshot->servers[0].view.self.last_log_index = 1;
}

static void first_is_ready(struct snapshot *snapshot)
{
	reign(snapshot, 1, CALM_TERM + 1);
	restart(snapshot, 0);
}

/* Kubernetes has not noticed anything. */
static void first_is_back_in_secret(struct snapshot *snapshot)
{
	reign(snapshot, 1, CALM_TERM + 1);
}

static void first_leads_again(struct snapshot *snapshot)
{
	reign(snapshot, 0, CALM_TERM + 2);
	restart(snapshot, 0);
}

static void pod_is_made_anew(struct snapshot *snapshot)
{
	second_leads(snapshot);
	sample_renew(snapshot, 0);
	sample_stop(snapshot, 0, "ContainerCreating");
	replace_string(&snapshot->servers[0].pod.ip, NULL);
}

/* The others have its former address, raft too. */
static void anew_with_another_address(struct snapshot *snapshot)
{
	first_is_ready(snapshot);
	sample_renew(snapshot, 0);
	replace_string(&snapshot->servers[0].pod.ip, xstrdup("10.0.0.99"));
	replace_string(&snapshot->servers[0].view.members[0].address, xstrdup("10.0.0.99"));
}

static void anew_and_all_know_the_address(struct snapshot *snapshot)
{
	anew_with_another_address(snapshot);
	for (size_t i = 0; i < snapshot->server_count; i++) {
		replace_string(&snapshot->servers[i].view.members[0].address, xstrdup("10.0.0.99"));
		replace_string(&snapshot->servers[i].view.peers[0].address, xstrdup("10.0.0.99:8300"));
	}
}

static void survivor_is_silent(struct snapshot *snapshot)
{
	second_leads(snapshot);
	refused(snapshot, 2);
}

static void last_is_down(struct snapshot *snapshot)
{
	refused(snapshot, snapshot->server_count - 1);
}

static void last_is_back(struct snapshot *snapshot)
{
	restart(snapshot, snapshot->server_count - 1);
}

static void nobody_answers(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->server_count; i++)
		refused(snapshot, i);
}

struct look {
	void (*shape)(struct snapshot *snapshot);
	const char *marks; /* that are new: "down", "new-leader=consul-1"; "?" after one that was not seen itself */
};

static char *marks_text(const struct drill *drill, unsigned marks)
{
	struct buf out = BUF_TEXT;

	for (size_t i = 0; i < DRILL_MARKS; i++) {
		const struct drill_mark *mark = &drill->marks[i];

		if (!(marks & (1U << i)))
			continue;
		cr_expect(mark->expected && mark->happened && mark->at_ms == drill->since_ms);
		buf_addf(&out, "%s%s%s%s%s", out.len > 0 ? " " : "", drill_mark_name((enum drill_mark_kind)i),
		         mark->unseen ? "?" : "", mark->who ? "=" : "", mark->who ? mark->who : "");
	}
	return buf_detach(&out);
}

/* One look each 100 ms; ret_drill is released by the caller. */
static void take_all(size_t servers, const char *pod, const struct look *looks, struct drill *ret_drill)
{
	struct snapshot snapshot;

	sample_init(&snapshot, servers);
	drill_begin(&snapshot, pod, ret_drill);
	snapshot_release(&snapshot);
	for (size_t i = 0; looks[i].shape; i++) {
		_cleanup_free_ char *got = NULL;
		unsigned marks;

		sample_init(&snapshot, servers);
		looks[i].shape(&snapshot);
		marks = drill_take(ret_drill, &snapshot, 100 * ((int64_t)i + 1));
		got = marks_text(ret_drill, marks);
		cr_expect_str_eq(got, looks[i].marks, "look %zu: got \"%s\", expected \"%s\"", i + 1, got,
		                 looks[i].marks);
		snapshot_release(&snapshot);
	}
}

static void expect_over(size_t servers, const char *pod, const struct look *looks)
{
	struct drill drill = DRILL_INIT;

	take_all(servers, pod, looks, &drill);
	cr_expect(drill_is_over(&drill));
	drill_release(&drill);
}

#define LOOKS(...) ((const struct look[]){ __VA_ARGS__, { 0 } })

Test(drill, the_leader_crashes_and_another_leads)
{
	expect_over(3, "consul-0",
	            LOOKS({ calm, "" }, { first_is_down, "down" }, { one_has_lost_it, "" },
	                  { all_have_lost_it, "leader-lost" }, { one_knows_the_new_one, "" },
	                  { second_leads, "new-leader=consul-1" }, { container_is_another, "restarted" },
	                  { first_answers, "" }, { all_see_it, "alive" }, { first_follows_and_lags, "" },
	                  { first_follows, "voter" }, { first_is_ready, "verdict=HEALTHY" }));
}

Test(drill, a_follower_crashes_and_no_leader_is_lost)
{
	expect_over(3, "consul-2",
	            LOOKS({ last_is_down, "down" }, { last_is_back, "restarted alive voter verdict=HEALTHY" }));
	expect_over(4, "consul-3",
	            LOOKS({ last_is_down, "down" }, { last_is_back, "restarted alive voter verdict=HEALTHY" }));
	expect_over(5, "consul-4",
	            LOOKS({ last_is_down, "down" }, { last_is_back, "restarted alive voter verdict=HEALTHY" }));
}

Test(drill, what_nobody_saw_is_marked_so)
{
	expect_over(
	    3, "consul-0",
	    LOOKS({ first_is_ready, "down? leader-lost? new-leader=consul-1 restarted alive voter verdict=HEALTHY" }));
	expect_over(3, "consul-0",
	            LOOKS({ first_is_down, "down" }, { second_leads, "leader-lost? new-leader=consul-1" },
	                  { first_is_ready, "restarted alive voter verdict=HEALTHY" }));
}

Test(drill, the_same_leader_again_is_a_new_one)
{
	expect_over(3, "consul-0",
	            LOOKS({ first_is_down, "down" }, { all_have_lost_it, "leader-lost" },
	                  { first_leads_again, "new-leader=consul-0 restarted alive voter verdict=HEALTHY" }));
	expect_over(
	    3, "consul-0",
	    LOOKS({ first_is_down, "down" },
	          { first_leads_again, "leader-lost? new-leader=consul-0 restarted alive voter verdict=HEALTHY" }));
}

Test(drill, kubernetes_notices_last)
{
	expect_over(3, "consul-0",
	            LOOKS({ first_is_down, "down" }, { second_leads, "leader-lost? new-leader=consul-1" },
	                  { first_is_back_in_secret, "restarted alive voter" }, { first_is_ready, "verdict=HEALTHY" }));
}

Test(drill, a_pod_made_anew_counts_with_its_new_address)
{
	expect_over(3, "consul-0",
	            LOOKS({ second_leads, "down leader-lost? new-leader=consul-1" }, { pod_is_made_anew, "" },
	                  { anew_with_another_address, "restarted" },
	                  { anew_and_all_know_the_address, "alive voter verdict=HEALTHY" }));
}

Test(drill, a_survivor_that_is_silent_leaves_it_open)
{
	expect_over(3, "consul-0",
	            LOOKS({ nobody_answers, "down" }, { survivor_is_silent, "leader-lost" },
	                  { second_leads, "new-leader=consul-1" },
	                  { first_is_ready, "restarted alive voter verdict=HEALTHY" }));
}

Test(drill, what_has_not_happened_is_named)
{
	struct drill drill = DRILL_INIT;
	_cleanup_strv_ struct strv missing = STRV_INIT;
	_cleanup_free_ char *list = NULL, *text = NULL;

	take_all(3, "consul-0", LOOKS({ first_is_down, "down" }, { calm, "restarted alive" }), &drill);
	cr_expect_not(drill_is_over(&drill));
	drill_list_missing(&drill, &missing);
	list = strv_join(&missing, "\n", "\n");
	cr_expect_str_eq(list, "the others notice that their leader is gone\nthe others agree on a new leader\n"
	                       "consul-0 is a voter again\nconsul-0 is ready and the verdict HEALTHY again");
	text = drill_mark_text(&drill, DRILL_ALIVE);
	cr_expect_str_eq(text, "consul-0 is alive again on every view");
	drill_release(&drill);
}

Test(drill, looks_tell_how_exact_the_times_are)
{
	struct drill drill = DRILL_INIT;
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	drill_begin(&snapshot, "consul-1", &drill);
	cr_expect_not(drill.led);
	cr_expect_eq(drill.term, CALM_TERM);
	drill_take(&drill, &snapshot, 250);
	drill_take(&drill, &snapshot, 900);
	drill_take(&drill, &snapshot, 1100);
	cr_expect_eq(drill.looks, 3);
	cr_expect_eq(drill.longest_look_ms, 650);
	snapshot_release(&snapshot);
	drill_release(&drill);
}
