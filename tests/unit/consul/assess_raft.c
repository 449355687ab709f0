/* consul/assess.h, raft and the set-up: each test breaks a healthy cluster and names the verdict and ALL findings. */
#include <criterion/criterion.h>

#include "consul/assess.h"
#include "sample.h"
#include "util/mem.h"
#include "util/str.h"

/* ------------------------------------------------------------------------------------------- raft */

Test(assess_raft, no_leader_is_critical)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	sample_no_leader(&snapshot);
	for (size_t i = 0; i < 3; i++) {
		snapshot.servers[i].pod.ready = false;
		snapshot.servers[i].view.peers_source = PEERS_SELF;
		err_set(&snapshot.servers[i].view.peers_err, ERR_UNAVAILABLE, "500: No cluster leader");
	}
	assess(&snapshot, &assessment);
	cr_expect_str_eq(assessment.summary, "3/3 voters \xc2\xb7 no leader");
	cr_expect_null(assessment.leader_name);
	assessment_release(&assessment);
	sample_expect(&snapshot, "CRITICAL no-leader");
}

Test(assess_raft, two_of_three_gone_is_no_quorum)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	sample_lose_pod(&snapshot, 0);
	sample_stop(&snapshot, 2, "CrashLoopBackOff");
	sample_no_leader(&snapshot);
	snapshot.servers[1].pod.ready = false;
	assess(&snapshot, &assessment);
	cr_expect_str_eq(assessment.summary, "1/3 voters \xc2\xb7 no leader \xc2\xb7 quorum of 2 lost");
	cr_expect_str_eq(sample_finding(&assessment, "quorum-lost")->message,
	                 "1 of 3 voters lives, 2 are needed; dead or silent: consul-0 and consul-2");
	assessment_release(&assessment);
	sample_expect(&snapshot, "CRITICAL quorum-lost pod-missing(consul-0) pod-crashing(consul-2)");
}

/* The followers of a leader that just died still name it for some seconds. */
Test(assess_raft, a_leader_whose_pod_is_gone_leads_no_more)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_lose_pod(&snapshot, 0);
	sample_expect(&snapshot, "CRITICAL no-leader pod-missing(consul-0)");
}

Test(assess_raft, a_leader_that_cannot_be_asked_still_leads_when_it_is_heard)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	sample_silence(&snapshot, 0, ERR_TIMEOUT, "no answer");
	assess(&snapshot, &assessment);
	cr_expect_str_eq(assessment.leader_name, "consul-0");
	assessment_release(&assessment);
	sample_expect(&snapshot, "DEGRADED agent-silent(consul-0)");
	sample_init(&snapshot, 3);
	sample_silence(&snapshot, 0, ERR_TIMEOUT, "no answer");
	snapshot.servers[1].view.self.last_contact_ms = snapshot.servers[2].view.self.last_contact_ms = 60000;
	sample_expect(&snapshot, "CRITICAL no-leader agent-silent(consul-0)");
}

/* It has left, and its pod has gone since: for some seconds the others go on naming it. */
Test(assess_raft, a_leader_that_is_no_peer_is_none)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 4);
	sample_scale(&snapshot, 3, MEMBER_LEFT);
	sample_set_leader(&snapshot, -1, "10.0.0.13:8300");
	snapshot.servers[0].view.self.role = RAFT_FOLLOWER;
	for (size_t i = 0; i < 3; i++)
		snapshot.servers[i].view.self.last_contact_ms = 2000;
	sample_forget_peer(&snapshot, -1, "consul-3");
	sample_expect(&snapshot, "CRITICAL no-leader leftover-left");
}

Test(assess_raft, a_leader_that_denies_it_is_none)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	snapshot.servers[0].view.self.role = RAFT_FOLLOWER;
	sample_expect(&snapshot, "CRITICAL no-leader");
}

Test(assess_raft, one_server_without_a_leader_does_not_make_it_critical)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_set_leader(&snapshot, 2, NULL);
	snapshot.servers[2].view.self.role = RAFT_CANDIDATE;
	snapshot.servers[2].view.self.term = 900;
	sample_expect(&snapshot, "DEGRADED no-leader-known(consul-2)");
}

/* New servers that have joined nothing yet are no voters, so what they do not know outvotes nobody. */
Test(assess_raft, newcomers_do_not_outvote_a_single_voter)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	for (size_t i = 1; i < 3; i++) {
		sample_forget_peer(&snapshot, -1, snapshot.servers[i].name);
		sample_set_leader(&snapshot, (int)i, NULL);
	}
	sample_expect(&snapshot, "DEGRADED not-in-raft(consul-1) not-in-raft(consul-2)");
}

Test(assess_raft, leaders_that_disagree)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	sample_set_leader(&snapshot, 2, "10.0.0.12:8300");
	snapshot.servers[2].view.self.role = RAFT_LEADER;
	assess(&snapshot, &assessment);
	cr_expect_not_null(strstr(assessment.summary, "leaders disagree"));
	cr_expect_null(assessment.leader_name);
	assessment_release(&assessment);
	sample_expect(&snapshot, "CRITICAL leaders-disagree");
}

Test(assess_raft, a_second_cluster_is_told_as_such)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	sample_forget_peer(&snapshot, 2, "consul-0");
	sample_forget_peer(&snapshot, 2, "consul-1");
	sample_forget_peer(&snapshot, 0, "consul-2");
	sample_forget_peer(&snapshot, 1, "consul-2");
	sample_set_leader(&snapshot, 2, "10.0.0.12:8300");
	snapshot.servers[2].view.self.role = RAFT_LEADER;
	snapshot.servers[2].view.self.last_log_index = 5;
	assess(&snapshot, &assessment);
	cr_expect_not_null(strstr(sample_finding(&assessment, "leaders-disagree")->cause, "two clusters"));
	assessment_release(&assessment);
	sample_expect(&snapshot, "CRITICAL leaders-disagree");
}

Test(assess_raft, peer_sets_that_disagree)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	sample_forget_peer(&snapshot, 2, "consul-1");
	assess(&snapshot, &assessment);
	cr_expect_str_eq(sample_finding(&assessment, "peers-disagree")->message,
	                 "the raft peers of consul-2 and consul-0 differ: only consul-0 has 10.0.0.11:8300");
	assessment_release(&assessment);
	sample_expect(&snapshot, "DEGRADED peers-disagree(consul-2)");
}

Test(assess_raft, a_dead_peer_counts)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	sample_add_peer(&snapshot, NULL, "10.0.0.77", true);
	assess(&snapshot, &assessment);
	cr_expect_eq(assessment.quorum.voters, 4);
	cr_expect_eq(assessment.quorum.live_voters, 3);
	cr_expect_eq(assessment.quorum.tolerance, 0);
	cr_expect_str_eq(sample_finding(&assessment, "dead-peer")->message,
	                 "raft peer 10.0.0.77:8300 belongs to no server, and counts as a dead voter");
	assessment_release(&assessment);
	sample_expect(&snapshot, "DEGRADED dead-peer");
}

/* A pod that was made anew has another address; its id tells whose entry the old one is. */
Test(assess_raft, an_old_address_is_recognized_by_its_id)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	replace_string(&snapshot.servers[2].pod.ip, xstrdup("10.0.0.99"));
	sample_set_leader(&snapshot, 2, NULL);
	snapshot.servers[2].view.self.last_contact_ms = -1;
	for (size_t i = 0; i < 3; i++)
		replace_string(&snapshot.servers[i].view.members[2].address, xstrdup("10.0.0.99"));
	assess(&snapshot, &assessment);
	cr_expect_eq(assessment.quorum.live_voters, 2);
	cr_expect(assessment.servers[2].peer);
	assessment_release(&assessment);
	sample_expect(&snapshot, "DEGRADED no-leader-known(consul-2)");
}

Test(assess_raft, a_server_advertising_another_address_is_alive_when_it_hears_the_leader)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++) {
		_cleanup_free_ char *ip = xasprintf("172.16.0.%zu", i);

		replace_string(&snapshot.servers[i].pod.ip, TAKE(ip));
	}
	sample_expect(&snapshot, "HEALTHY");
}

Test(assess_raft, foreign_node_names_do_not_matter)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++) {
		struct view *view = &snapshot.servers[i].view;

		replace_string(&view->self.name, NULL);
		replace_string(&view->self.id, NULL);
		for (size_t k = 0; k < 3; k++) {
			replace_string(&view->members[k].name, xasprintf("ip-10-0-0-%zu", 10 + k));
			replace_string(&view->members[k].id, NULL);
			replace_string(&view->peers[k].name, NULL);
			replace_string(&view->peers[k].id, xasprintf("10.0.0.%zu:8300", 10 + k));
		}
	}
	sample_expect(&snapshot, "HEALTHY");
}

Test(assess_raft, voters_that_are_not_yet_or_no_more)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	sample_set_voter(&snapshot, -1, "consul-2", false);
	snapshot.servers[2].pod.containers[0].started_at = SAMPLE_NOW - 5;
	assess(&snapshot, &assessment);
	cr_expect_not_null(strstr(sample_finding(&assessment, "not-voter")->cause, "started 5 s ago"));
	assessment_release(&assessment);
	sample_expect(&snapshot, "DEGRADED not-voter(consul-2)");
	sample_init(&snapshot, 3);
	sample_forget_peer(&snapshot, -1, "consul-2");
	sample_expect(&snapshot, "DEGRADED not-in-raft(consul-2)");
}

Test(assess_raft, lag_has_a_threshold)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	snapshot.servers[2].view.self.last_log_index = 750;
	sample_expect(&snapshot, "HEALTHY");
	sample_init(&snapshot, 3);
	snapshot.servers[2].view.self.last_log_index = 749;
	sample_expect(&snapshot, "HEALTHY lag(consul-2)");
	sample_init(&snapshot, 3);
	snapshot.servers[2].view.self.last_contact_ms = 10001;
	sample_expect(&snapshot, "HEALTHY lag(consul-2)");
	sample_init(&snapshot, 3);
	snapshot.servers[2].view.self.last_log_index = UINT64_MAX; /* ahead of what the leader said a moment before */
	sample_expect(&snapshot, "HEALTHY");
}

Test(assess_raft, a_cluster_that_was_never_bootstrapped)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	sample_no_leader(&snapshot);
	for (size_t i = 0; i < 3; i++) {
		view_clear_peers(&snapshot.servers[i].view);
		snapshot.servers[i].view.peers_known = true;
		for (size_t k = 0; k < 3; k++)
			snapshot.servers[i].view.members[k].expect = k == 1 ? 5 : 3;
	}
	assess(&snapshot, &assessment);
	cr_expect_str_eq(sample_finding(&assessment, "no-leader")->cause,
	                 "never bootstrapped: bootstrap_expect differs among the servers (3 and 5)");
	assessment_release(&assessment);
	sample_expect(&snapshot, "CRITICAL no-leader");
}

/* ------------------------------------------------------------------------------------------- the set-up */

Test(assess_raft, scaling_down_is_no_problem_of_the_others)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_set_replicas(&snapshot, 3);
	snapshot.servers[4].pod.deleting = true;
	snapshot.servers[4].pod.ready = false;
	sample_silence(&snapshot, 4, ERR_UNREACHABLE, "connection refused");
	sample_see(&snapshot, -1, "consul-4", MEMBER_LEFT);
	sample_forget_peer(&snapshot, -1, "consul-4");
	sample_expect(&snapshot, "HEALTHY even-voters pod-going(consul-3) pod-going(consul-4)");
}

Test(assess_raft, versions_nodes_and_settings)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	replace_string(&snapshot.servers[1].view.self.version, xstrdup("1.20.1"));
	sample_expect(&snapshot, "HEALTHY version-skew");
	sample_init(&snapshot, 3);
	replace_string(&snapshot.servers[1].pod.node, xstrdup("node-0"));
	sample_expect(&snapshot, "HEALTHY node-spread");
	sample_init(&snapshot, 5);
	replace_string(&snapshot.servers[1].pod.node, xstrdup("node-0"));
	sample_expect(&snapshot, "HEALTHY");
	sample_init(&snapshot, 3);
	snapshot.servers[0].view.self.gossip_encrypted = false;
	snapshot.servers[0].view.self.leave_on_terminate = 0;
	sample_expect(&snapshot, "HEALTHY gossip-unencrypted leave-on-terminate-off");
}

Test(assess_raft, a_deploy_that_was_not_finished)
{
	struct snapshot snapshot;
	struct assessment assessment;
	const struct finding *finding;

	sample_init(&snapshot, 3);
	sample_new_template(&snapshot);
	sample_renew(&snapshot, 2);
	assess(&snapshot, &assessment);
	finding = sample_finding(&assessment, "rollout-unfinished");
	cr_expect_str_eq(finding->message, "consul-0 and consul-1 are of an older revision still");
	cr_expect_str_eq(finding->command, "kubectl consul deploy -n ns");
	assessment_release(&assessment);
	sample_renew(&snapshot, 1);
	assess(&snapshot, &assessment);
	cr_expect_str_eq(sample_finding(&assessment, "rollout-unfinished")->message,
	                 "consul-0 is of an older revision still");
	assessment_release(&assessment);
	/* All are new, and it was not told to Kubernetes. */
	sample_renew(&snapshot, 0);
	replace_string(&snapshot.set.name, xstrdup("other"));
	assess(&snapshot, &assessment);
	finding = sample_finding(&assessment, "rollout-unfinished");
	cr_expect(str_ends_with(finding->message, "its updateStrategy is OnDelete"), "%s", finding->message);
	cr_expect_str_eq(finding->command, "kubectl consul deploy -n ns --name other");
	assessment_release(&assessment);
	/* Who made it himself wants it so. */
	replace_string(&snapshot.set.managed_by, NULL);
	sample_expect(&snapshot, "HEALTHY");
	sample_init(&snapshot, 3);
	sample_new_template(&snapshot);
	replace_string(&snapshot.set.update_strategy, xstrdup("RollingUpdate"));
	sample_expect(&snapshot, "HEALTHY");
}

Test(assess_raft, budgets)
{
	static const struct {
		size_t servers;
		const char *min_available, *max_unavailable, *judgement;
	} cases[] = {
		{ 3, NULL, "1", "HEALTHY" },
		{ 3, NULL, "0", "HEALTHY budget-blocking" },
		{ 3, "3", NULL, "HEALTHY budget-blocking" },
		{ 3, "100%", NULL, "HEALTHY budget-blocking" },
		{ 3, "2", NULL, "HEALTHY" },
		{ 3, "51%", NULL, "HEALTHY" },
		{ 3, "1", NULL, "HEALTHY budget-permissive" },
		{ 3, NULL, "34%", "HEALTHY budget-permissive" },
		{ 5, NULL, "2", "HEALTHY" },
		{ 5, NULL, "3", "HEALTHY budget-permissive" },
		{ 3, "x%", NULL, "HEALTHY" },
		{ 3, NULL, NULL, "HEALTHY" },
	};
	struct snapshot snapshot;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		sample_init(&snapshot, cases[i].servers);
		replace_string(&snapshot.budget.budget.max_unavailable, xstrdup_null(cases[i].max_unavailable));
		replace_string(&snapshot.budget.budget.min_available, xstrdup_null(cases[i].min_available));
		sample_expect(&snapshot, cases[i].judgement);
	}
	sample_init(&snapshot, 3);
	snapshot.budget.exists = false;
	sample_expect(&snapshot, "HEALTHY budget-missing");
	sample_init(&snapshot, 3);
	snapshot.budget.known = snapshot.claims_known = false;
	err_set(&snapshot.budget.err, ERR_FORBIDDEN, "poddisruptionbudgets.policy is forbidden");
	err_set(&snapshot.claims_err, ERR_FORBIDDEN, "persistentvolumeclaims is forbidden");
	sample_expect(&snapshot, "HEALTHY not-checked");
}

static void add_claim(struct snapshot *snapshot, const char *name, int64_t age_s)
{
	snapshot->claims = xreallocarray(snapshot->claims, snapshot->claim_count + 1, sizeof(*snapshot->claims));
	snapshot->claims[snapshot->claim_count] = (struct kube_claim)KUBE_CLAIM_INIT;
	snapshot->claims[snapshot->claim_count].name = xstrdup(name);
	snapshot->claims[snapshot->claim_count++].created_at = snapshot->taken_at - age_s;
}

Test(assess_raft, leftover_claims_get_old)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	add_claim(&snapshot, "data-consul-2", 9000000);
	add_claim(&snapshot, "data-consul-3", 3600);
	add_claim(&snapshot, "other-consul-9", 3600);
	add_claim(&snapshot, "data-consul-4", 169 * 3600);
	sample_expect(&snapshot, "HEALTHY stale-claims leftover-claims");
	sample_init(&snapshot, 3);
	add_claim(&snapshot, "data-consul-4", 169 * 3600);
	for (size_t i = 0; i < 3; i++)
		replace_string(&snapshot.servers[i].view.self.version, xstrdup("1.8.7"));
	sample_expect(&snapshot, "HEALTHY leftover-claims");
}

Test(assess_raft, commands_are_safe_to_paste)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	replace_string(&snapshot.set.name, xstrdup("vault; reboot"));
	replace_string(&snapshot.namespace_name, xstrdup("it's"));
	sample_add_member(&snapshot, "$(reboot)", "10.0.0.13", MEMBER_FAILED, true);
	assess(&snapshot, &assessment);
	cr_expect_str_eq(sample_finding(&assessment, "leftover-failed")->command,
	                 "kubectl consul reap '$(reboot)' -n 'it'\\''s' --name 'vault; reboot'");
	assessment_release(&assessment);
	snapshot_release(&snapshot);
}

Test(assess_raft, two_problems_are_two_findings)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_lose_pod(&snapshot, 1);
	sample_silence(&snapshot, 3, ERR_UNREACHABLE, "connection refused");
	snapshot.servers[4].pod.ready = false;
	replace_string(&snapshot.servers[0].view.self.version, xstrdup("1.20.1"));
	sample_expect(&snapshot,
	              "DEGRADED pod-missing(consul-1) pod-not-ready(consul-4) agent-silent(consul-3) version-skew");
}

Test(assess_raft, nothing_at_all)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++)
		sample_lose_pod(&snapshot, i);
	sample_expect(&snapshot, "UNKNOWN pod-missing");
	sample_init(&snapshot, 0);
	assess(&snapshot, &assessment);
	cr_expect_str_eq(assessment.summary, "scaled to 0 servers");
	assessment_release(&assessment);
	sample_expect(&snapshot, "UNKNOWN few-replicas");
}
