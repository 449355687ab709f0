/* consul/assess.h, pods, asking and gossip: each test breaks a healthy cluster and names the verdict and ALL findings.
 */
#include <criterion/criterion.h>

#include "consul/assess.h"
#include "sample.h"
#include "util/mem.h"
#include "util/str.h"

#define FORBIDDEN_TUNNEL "pods \"consul-0\" is forbidden: User \"u\" cannot get resource \"pods/portforward\""
#define FORBIDDEN_EXEC   "pods \"consul-0\" is forbidden: User \"u\" cannot get resource \"pods/exec\""

/* ------------------------------------------------------------------------------------------- healthy */

Test(assess, three_servers_that_work_are_healthy)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	assess(&snapshot, &assessment);
	cr_expect_eq(assessment.verdict, VERDICT_HEALTHY);
	cr_expect_eq(assessment.findings.count, 0);
	cr_expect_str_eq(assessment.summary, "3/3 voters \xc2\xb7 leader consul-0 \xc2\xb7 tolerates 1 failure");
	cr_expect(assessment.views_agree);
	cr_expect_eq(assessment.leader, &snapshot.servers[0]);
	cr_expect_eq(assessment.quorum.voters, 3);
	cr_expect_eq(assessment.quorum.live_voters, 3);
	cr_expect_eq(assessment.quorum.quorum, 2);
	cr_expect_eq(assessment.quorum.tolerance, 1);
	for (size_t i = 0; i < 3; i++) {
		const struct server_status *status = &assessment.servers[i];

		cr_expect(status->peer && status->voter && status->lag_known);
		cr_expect_eq(status->leader, i == 0);
		cr_expect_eq(status->member, MEMBER_ALIVE);
		cr_expect_eq(status->seen_alive_by, 3);
		cr_expect_eq(status->asked, 3);
		cr_expect_eq(status->lag, 0);
		cr_expect_str_eq(status->version, "1.21.0");
		cr_expect_eq(status->worst, SEVERITY_INFO);
	}
	assessment_release(&assessment);
	snapshot_release(&snapshot);
}

Test(assess, sizes_have_their_arithmetic)
{
	static const struct {
		size_t servers;
		int64_t quorum, tolerance;
		const char *judgement;
	} cases[] = {
		{ 1, 1, 0, "HEALTHY few-replicas" },
		{ 2, 2, 0, "HEALTHY few-replicas" },
		{ 3, 2, 1, "HEALTHY" },
		{ 4, 3, 1, "HEALTHY even-voters" },
		{ 5, 3, 2, "HEALTHY" },
		{ 7, 4, 3, "HEALTHY" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct snapshot snapshot;
		struct assessment assessment;

		sample_init(&snapshot, cases[i].servers);
		assess(&snapshot, &assessment);
		cr_expect_eq(assessment.quorum.quorum, cases[i].quorum);
		cr_expect_eq(assessment.quorum.tolerance, cases[i].tolerance);
		assessment_release(&assessment);
		sample_expect(&snapshot, cases[i].judgement);
	}
}

Test(assess, clients_and_left_members_do_not_degrade)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "web-0", "10.0.0.99", MEMBER_FAILED, false);
	sample_expect(&snapshot, "HEALTHY");
	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "consul-3", "10.0.0.13", MEMBER_LEFT, true);
	sample_expect(&snapshot, "HEALTHY leftover-left");
}

/* ------------------------------------------------------------------------------------------- one root cause */

Test(assess, a_missing_pod_is_one_finding)
{
	struct snapshot snapshot;
	struct assessment assessment;
	const struct finding *finding;

	sample_init(&snapshot, 3);
	sample_lose_pod(&snapshot, 1);
	assess(&snapshot, &assessment);
	cr_expect_str_eq(assessment.summary, "2/3 voters \xc2\xb7 leader consul-0 \xc2\xb7 tolerates no failure");
	cr_expect_eq(assessment.servers[1].worst, SEVERITY_DEGRADED);
	cr_expect_eq(assessment.servers[1].seen_alive_by, 0);
	cr_expect_eq(assessment.servers[1].asked, 2);
	cr_expect_eq(assessment.servers[1].member, MEMBER_FAILED);
	finding = sample_finding(&assessment, "pod-missing");
	cr_expect_str_eq(finding->message, "pod consul-1 does not exist");
	cr_expect_str_eq(finding->command, "kubectl describe statefulset consul -n ns");
	assessment_release(&assessment);
	sample_expect(&snapshot, "DEGRADED pod-missing(consul-1)");
}

Test(assess, a_removed_voter_does_not_hide_that_it_is_missing)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	sample_lose_pod(&snapshot, 1);
	sample_see(&snapshot, -1, "consul-1", MEMBER_LEFT);
	sample_forget_peer(&snapshot, -1, "consul-1");
	assess(&snapshot, &assessment);
	cr_expect_str_eq(assessment.summary, "2/3 voters \xc2\xb7 leader consul-0 \xc2\xb7 tolerates no failure");
	assessment_release(&assessment);
	sample_expect(&snapshot, "DEGRADED pod-missing(consul-1)");
}

Test(assess, several_missing_pods_are_told_together)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 7);
	sample_lose_pod(&snapshot, 4);
	sample_lose_pod(&snapshot, 5);
	assess(&snapshot, &assessment);
	cr_expect_str_eq(sample_finding(&assessment, "pod-missing")->message,
	                 "pods consul-4 and consul-5 do not exist");
	cr_expect_eq(assessment.servers[4].worst, SEVERITY_DEGRADED);
	cr_expect_eq(assessment.servers[5].worst, SEVERITY_DEGRADED);
	assessment_release(&assessment);
	sample_expect(&snapshot, "DEGRADED pod-missing");
}

Test(assess, ordered_pods_wait_for_the_first_that_is_not_ready)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	replace_string(&snapshot.set.pod_management, xstrdup("OrderedReady"));
	sample_stop(&snapshot, 1, "CrashLoopBackOff");
	sample_lose_pod(&snapshot, 2);
	sample_expect(&snapshot, "CRITICAL quorum-lost pods-waiting pod-crashing(consul-1)");
}

Test(assess, pods_that_do_not_run_say_why)
{
	static const struct {
		const char *phase, *waiting, *judgement, *words;
	} cases[] = {
		{ "Running", "CrashLoopBackOff", "DEGRADED pod-crashing(consul-2)",
		  "after 4 restarts: exit code 1, 40s ago" },
		{ "Running", NULL, "DEGRADED pod-crashing(consul-2)", "exit code 1" },
		{ "Pending", "ImagePullBackOff", "DEGRADED pod-image(consul-2)",
		  "hashicorp/consul:1.21: ImagePullBackOff" },
		{ "Pending", "ContainerCreating", "DEGRADED pod-not-starting(consul-2)", "ContainerCreating" },
		{ "Pending", "CreateContainerConfigError", "DEGRADED pod-not-starting(consul-2)",
		  "CreateContainerConfigError" },
		{ "Failed", NULL, "DEGRADED pod-ended(consul-2)", "has ended (Failed)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct snapshot snapshot;
		struct assessment assessment;

		sample_init(&snapshot, 3);
		sample_stop(&snapshot, 2, cases[i].waiting);
		replace_string(&snapshot.servers[2].pod.phase, xstrdup(cases[i].phase));
		assess(&snapshot, &assessment);
		cr_expect_not_null(strstr(assessment.findings.items[0].message, cases[i].words), "%s",
		                   assessment.findings.items[0].message);
		assessment_release(&assessment);
		sample_expect(&snapshot, cases[i].judgement);
	}
}

Test(assess, an_unschedulable_pod_quotes_the_scheduler)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	sample_stop(&snapshot, 2, NULL);
	replace_string(&snapshot.servers[2].pod.phase, xstrdup("Pending"));
	replace_string(&snapshot.servers[2].pod.node, NULL);
	replace_string(&snapshot.servers[2].pod.containers[0].terminated_reason, NULL);
	snapshot.servers[2].pod.unscheduled_message =
	    xstrdup("0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.");
	assess(&snapshot, &assessment);
	cr_expect_not_null(strstr(sample_finding(&assessment, "pod-unschedulable")->cause, "fewer fitting nodes"));
	assessment_release(&assessment);
	sample_expect(&snapshot, "DEGRADED pod-unschedulable(consul-2)");
}

Test(assess, a_terminating_pod_explains_itself)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	snapshot.servers[1].pod.deleting = true;
	snapshot.servers[1].pod.ready = false;
	sample_silence(&snapshot, 1, ERR_UNREACHABLE, "connection refused");
	sample_see(&snapshot, -1, "consul-1", MEMBER_LEFT);
	sample_expect(&snapshot, "DEGRADED pod-terminating(consul-1)");
}

Test(assess, a_recent_restart_is_a_warning)
{
	struct snapshot snapshot;
	struct kube_container *container;

	sample_init(&snapshot, 3);
	container = &snapshot.servers[2].pod.containers[0];
	container->restarts = 1;
	container->was_terminated = true;
	container->last_exit_code = 137;
	container->last_reason = xstrdup("OOMKilled");
	container->last_finished_at = SAMPLE_NOW - 62;
	container->started_at = SAMPLE_NOW - 60;
	sample_expect(&snapshot, "HEALTHY pod-restarted(consul-2)");
	sample_init(&snapshot, 3);
	snapshot.servers[2].pod.containers[0].restarts = 7; /* long ago */
	sample_expect(&snapshot, "HEALTHY");
}

Test(assess, not_ready_is_told_only_when_nothing_else_says_why)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	snapshot.servers[1].pod.ready = false;
	sample_expect(&snapshot, "DEGRADED pod-not-ready(consul-1)");
	sample_init(&snapshot, 3);
	snapshot.servers[1].pod.ready = false;
	sample_set_voter(&snapshot, -1, "consul-1", false);
	sample_expect(&snapshot, "DEGRADED not-voter(consul-1)");
}

/* ------------------------------------------------------------------------------------------- asking */

Test(assess, a_silent_server_counts_as_dead)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	sample_silence(&snapshot, 2, ERR_UNREACHABLE, "connection refused");
	assess(&snapshot, &assessment);
	cr_expect_eq(assessment.quorum.live_voters, 2);
	cr_expect_str_eq(sample_finding(&assessment, "agent-silent")->command, "kubectl logs consul-2 -n ns -c consul");
	assessment_release(&assessment);
	sample_expect(&snapshot, "DEGRADED agent-silent(consul-2)");
	sample_init(&snapshot, 3);
	sample_silence(&snapshot, 1, ERR_TIMEOUT, "no answer in 5 s");
	sample_silence(&snapshot, 2, ERR_TIMEOUT, "no answer in 5 s");
	sample_expect(&snapshot, "CRITICAL quorum-lost agent-silent(consul-1) agent-silent(consul-2)");
}

Test(assess, what_refuses_all_servers_is_told_once)
{
	static const struct {
		enum err_kind kind;
		const char *message, *judgement;
	} cases[] = {
		{ ERR_FORBIDDEN, FORBIDDEN_EXEC, "UNKNOWN exec-denied" },
		{ ERR_FORBIDDEN, FORBIDDEN_TUNNEL, "UNKNOWN portforward-denied" },
		{ ERR_FORBIDDEN, "by tunnel: " FORBIDDEN_TUNNEL "; by exec: " FORBIDDEN_EXEC,
		  "UNKNOWN portforward-denied" },
		{ ERR_FORBIDDEN, "Consul refuses /v1/agent/self: Permission denied", "UNKNOWN acl-denied" },
		{ ERR_FORBIDDEN,
		  "by tunnel: Consul refuses /v1/agent/self: Permission denied; by exec: " FORBIDDEN_EXEC,
		  "UNKNOWN acl-denied" },
		{ ERR_FORBIDDEN, "/v1/agent/members: no member is listed, not even the server itself",
		  "UNKNOWN acl-denied" },
		{ ERR_UNAVAILABLE,
		  "Consul answers /v1/agent/self with 400: Client sent an HTTP request to an HTTPS server.",
		  "UNKNOWN tls-mismatch" },
		{ ERR_UNREACHABLE, "SSL routines::wrong version number", "UNKNOWN tls-mismatch" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct snapshot snapshot;
		struct assessment assessment;

		sample_init(&snapshot, 3);
		for (size_t k = 0; k < 3; k++)
			sample_silence(&snapshot, k, cases[i].kind, cases[i].message);
		assess(&snapshot, &assessment);
		cr_expect_str_eq(assessment.summary, "none of 3 servers answers");
		cr_expect_not_null(strstr(assessment.findings.items[0].message, "consul-0, consul-1 and consul-2"));
		cr_expect_eq(assessment.servers[1].worst, SEVERITY_DEGRADED);
		assessment_release(&assessment);
		sample_expect(&snapshot, cases[i].judgement);
	}
}

Test(assess, a_token_without_operator_read_is_a_warning)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++) {
		snapshot.servers[i].view.peers_source = PEERS_SELF;
		err_set(&snapshot.servers[i].view.peers_err, ERR_FORBIDDEN,
		        "Consul refuses /v1/operator/raft: Permission denied");
	}
	sample_expect(&snapshot, "HEALTHY acl-limited");
}

Test(assess, planes_that_are_missing_are_told)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	view_clear_members(&snapshot.servers[1].view);
	err_set(&snapshot.servers[1].view.members_err, ERR_TIMEOUT, "no answer");
	sample_expect(&snapshot, "HEALTHY answer-incomplete(consul-1)");
	sample_init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++) {
		view_clear_peers(&snapshot.servers[i].view);
		err_set(&snapshot.servers[i].view.peers_err, ERR_UNAVAILABLE, "Unknown command: operator");
	}
	sample_expect(&snapshot, "DEGRADED raft-unknown");
	sample_init(&snapshot, 3);
	snapshot.servers[2].view.peers_source = PEERS_SELF;
	err_set(&snapshot.servers[2].view.peers_err, ERR_UNAVAILABLE, "500: No cluster leader");
	sample_expect(&snapshot, "HEALTHY raft-from-self");
}

/* ------------------------------------------------------------------------------------------- gossip */

Test(assess, a_server_that_answers_but_failed_for_the_others)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_see(&snapshot, 0, "consul-2", MEMBER_FAILED);
	sample_see(&snapshot, 1, "consul-2", MEMBER_FAILED);
	sample_expect(&snapshot, "DEGRADED member-failed(consul-2)");
	sample_init(&snapshot, 3);
	sample_see(&snapshot, -1, "consul-2", MEMBER_LEFT);
	sample_expect(&snapshot, "DEGRADED member-left(consul-2)");
}

Test(assess, views_that_disagree_are_told_with_names)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	sample_see(&snapshot, 2, "consul-1", MEMBER_FAILED);
	assess(&snapshot, &assessment);
	cr_expect_not(assessment.views_agree);
	cr_expect_eq(assessment.servers[1].seen_alive_by, 2);
	cr_expect_str_eq(sample_finding(&assessment, "views-disagree")->message,
	                 "consul-2 sees consul-1 as failed, consul-0 as alive");
	assessment_release(&assessment);
	sample_expect(&snapshot, "DEGRADED views-disagree");
}

/* A list that has forgotten a server that left long ago, or clients seen differently, are no disagreement. */
Test(assess, harmless_differences_are_not_told)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "consul-3", "10.0.0.13", MEMBER_LEFT, true);
	sample_forget_member(&snapshot, 2, "consul-3");
	sample_expect(&snapshot, "HEALTHY leftover-left");
	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "web-0", "10.0.0.99", MEMBER_ALIVE, false);
	sample_see(&snapshot, 2, "web-0", MEMBER_FAILED);
	sample_expect(&snapshot, "HEALTHY");
}

Test(assess, a_server_that_did_not_join)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_forget_member(&snapshot, 0, "consul-2");
	sample_forget_member(&snapshot, 1, "consul-2");
	sample_forget_member(&snapshot, 2, "consul-0");
	sample_forget_member(&snapshot, 2, "consul-1");
	sample_forget_peer(&snapshot, -1, "consul-2");
	view_clear_peers(&snapshot.servers[2].view);
	snapshot.servers[2].view.peers_known = true;
	snapshot.servers[2].view.peers_source = PEERS_SELF;
	sample_set_leader(&snapshot, 2, NULL);
	snapshot.servers[2].pod.ready = false;
	sample_expect(&snapshot, "DEGRADED member-missing(consul-2) raft-from-self");
}

Test(assess, failed_leftovers_are_to_be_forced_out)
{
	struct snapshot snapshot;
	struct assessment assessment;
	const struct finding *finding;

	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "consul-3", "10.0.0.13", MEMBER_FAILED, true);
	sample_add_member(&snapshot, "consul-4", "10.0.0.14", MEMBER_FAILED, true);
	sample_add_peer(&snapshot, "consul-3", "10.0.0.13", true);
	assess(&snapshot, &assessment);
	finding = sample_finding(&assessment, "leftover-failed");
	cr_expect_str_eq(
	    finding->message,
	    "failed and without a pod: consul-3 (10.0.0.13) and consul-4 (10.0.0.14); 1 of them still votes in raft");
	cr_expect_str_eq(finding->command, "kubectl consul reap -n ns");
	cr_expect_str_eq(assessment.summary, "3/4 voters \xc2\xb7 leader consul-0 \xc2\xb7 tolerates no failure");
	assessment_release(&assessment);
	sample_expect(&snapshot, "DEGRADED leftover-failed");
}

/* The address of a server that is gone may be another's now. */
Test(assess, a_reused_address_confuses_nobody)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "consul-4", "10.0.0.11", MEMBER_LEFT, true);
	sample_expect(&snapshot, "HEALTHY leftover-left");
}

Test(assess, a_server_elsewhere_is_named)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "vm-1", "192.168.0.5", MEMBER_ALIVE, true);
	assess(&snapshot, &assessment);
	cr_expect_not_null(strstr(sample_finding(&assessment, "member-elsewhere")->message, "vm-1 (192.168.0.5)"));
	assessment_release(&assessment);
	sample_expect(&snapshot, "HEALTHY member-elsewhere");
}

/* Two more voters elsewhere: they cannot be asked, so they count as dead, and nothing is to spare. */
Test(assess, voters_elsewhere_count_as_dead)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "vm-1", "192.168.0.5", MEMBER_ALIVE, true);
	sample_add_member(&snapshot, "vm-2", "192.168.0.6", MEMBER_ALIVE, true);
	sample_add_peer(&snapshot, "vm-1", "192.168.0.5", true);
	sample_add_peer(&snapshot, "vm-2", "192.168.0.6", true);
	sample_expect(&snapshot, "DEGRADED redundancy-lost member-elsewhere");
}
