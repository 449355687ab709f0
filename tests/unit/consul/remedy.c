/* consul/remedy.h: what findings tell to type works as it stands, today. */
#include <criterion/criterion.h>

#include "consul/assess.h"
#include "sample.h"
#include "util/mem.h"
#include "util/str.h"

/* Judges, and releases the snapshot. */
static void expect_command(struct snapshot *snapshot, const char *finding, const char *command)
{
	struct assessment assessment;
	const struct finding *found;

	assess(snapshot, &assessment);
	found = sample_finding(&assessment, finding);
	cr_assert_not_null(found->command, "%s tells nothing to type", finding);
	cr_expect_str_eq(found->command, command);
	assessment_release(&assessment);
	snapshot_release(snapshot);
}

static void sample_forbid_all(struct snapshot *snapshot, enum ask_way way)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		sample_silence(snapshot, i, ERR_FORBIDDEN, "Consul refuses /v1/agent/self: Permission denied");
		snapshot->servers[i].view.way = way;
	}
}

Test(remedy, failed_leftovers_are_reaped)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "consul-3", "10.0.0.13", MEMBER_FAILED, true);
	expect_command(&snapshot, "leftover-failed", "kubectl consul reap -n ns");
}

Test(remedy, a_dead_peer_is_reaped_by_its_id_or_else_its_address_where_nobody_knows_it)
{
	struct snapshot snapshot;
	struct peer *peer;

	for (int with_id = 0; with_id < 2; with_id++) {
		sample_init(&snapshot, 3);
		sample_add_peer(&snapshot, "consul-9", "10.0.0.19", true);
		for (size_t i = 0; i < 3; i++) {
			peer = &snapshot.servers[i].view.peers[3];
			replace_string(&peer->name, NULL);
			replace_string(&peer->id, with_id ? xstrdup("5f3a") : NULL);
		}
		expect_command(&snapshot, "dead-peer",
		               with_id ? "kubectl consul reap 5f3a -n ns" : "kubectl consul reap 10.0.0.19:8300 -n ns");
	}
	sample_init(&snapshot, 3);
	sample_add_peer(&snapshot, "consul-9", "10.0.0.19", true);
	expect_command(&snapshot, "dead-peer", "kubectl consul reap -n ns");
}

/* What is none of this StatefulSet's must be named, and is quoted. */
Test(remedy, strangers_are_reaped_by_name)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "consul-3", "10.0.0.13", MEMBER_FAILED, true);
	sample_add_member(&snapshot, "the old one", "10.1.0.13", MEMBER_FAILED, true);
	expect_command(&snapshot, "leftover-failed", "kubectl consul reap consul-3 'the old one' -n ns");
}

Test(remedy, more_servers_are_for_scale)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 1);
	expect_command(&snapshot, "few-replicas", "kubectl consul scale 3 -n ns");
	sample_init(&snapshot, 4);
	expect_command(&snapshot, "even-voters", "kubectl consul scale 5 -n ns");
}

Test(remedy, acls_are_asked_by_exec_or_explained)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_forbid_all(&snapshot, ASK_TUNNEL);
	expect_command(&snapshot, "acl-denied", "kubectl consul health --via exec -n ns");
	sample_init(&snapshot, 3);
	sample_forbid_all(&snapshot, ASK_EXEC);
	expect_command(&snapshot, "acl-denied", "kubectl consul explain acl-denied");
}

Test(remedy, a_lost_majority_is_explained)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_peer(&snapshot, "consul-7", "10.0.0.17", true);
	sample_add_peer(&snapshot, "consul-8", "10.0.0.18", true);
	sample_add_peer(&snapshot, "consul-9", "10.0.0.19", true);
	sample_no_leader(&snapshot);
	expect_command(&snapshot, "quorum-lost", "kubectl consul recover -n ns");
	cr_expect_not_null(strstr(finding_kind_find("quorum-lost")->explanation, "/consul/data/raft/peers.json"));
}

/* ---------------------------------------------------------------------------------------- in plain words */

Test(remedy, a_refused_connection_is_told_in_plain_words)
{
	static const struct {
		const char *error, *message, *command;
	} cases[] = {
		{ "by tunnel: pod consul-2 port 8500: nothing listens there (connection refused); by exec: Get "
		  "\"http://127.0.0.1:8500/v1/agent/self\": dial tcp 127.0.0.1:8500: connect: connection refused",
		  "consul-2 runs but does not answer: nothing listens on port 8500 (connection refused)",
		  "kubectl logs consul-2 -n ns -c consul" },
		{ "dial tcp 127.0.0.1: connect: connection refused",
		  "consul-2 runs but does not answer: nothing listens on its port (connection refused)",
		  "kubectl logs consul-2 -n ns -c consul" },
		{ "by tunnel: pod consul-2 port 8500: nothing listens there (connection refused); by exec: pod "
		  "consul-2: "
		  "an error on the server (\"container not found (\\\"consul\\\")\") has prevented the request from "
		  "succeeding",
		  "consul-2 does not answer: its container has just ended", "kubectl consul health --watch -n ns" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct snapshot snapshot;
		struct assessment assessment;

		sample_init(&snapshot, 3);
		sample_silence(&snapshot, 2, ERR_UNREACHABLE, cases[i].error);
		assess(&snapshot, &assessment);
		cr_expect_str_eq(sample_finding(&assessment, "agent-silent")->message, cases[i].message);
		cr_expect_str_eq(sample_finding(&assessment, "agent-silent")->command, cases[i].command);
		assessment_release(&assessment);
		snapshot_release(&snapshot);
	}
}

/* --------------------------------------------------------------------------- one trouble of several pods */

static void wait_for_image(struct snapshot *snapshot, size_t server, const char *reason, const char *message)
{
	struct kube_container *container = &snapshot->servers[server].pod.containers[0];

	sample_stop(snapshot, server, reason);
	replace_string(&container->image, xstrdup("consul:9"));
	replace_string(&container->waiting_message, xstrdup(message));
}

Test(remedy, pods_without_the_same_image_are_one_finding)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 5);
	wait_for_image(&snapshot, 3, "ImagePullBackOff", "Back-off pulling image \"consul:9\"");
	wait_for_image(
	    &snapshot, 4, "ErrImagePull",
	    "rpc error: code = NotFound desc = failed to resolve reference \"consul:9\": consul:9: not found");
	assess(&snapshot, &assessment);
	cr_expect_str_eq(sample_finding(&assessment, "pod-image")->message,
	                 "pods consul-3 and consul-4 cannot get image consul:9: consul:9: not found");
	cr_expect_str_eq(sample_finding(&assessment, "pod-image")->cause,
	                 "there is no such image or tag in the registry");
	cr_expect_str_eq(sample_finding(&assessment, "pod-image")->command, "kubectl describe pod consul-3 -n ns");
	cr_expect_eq(assessment.servers[4].worst, SEVERITY_DEGRADED);
	assessment_release(&assessment);
	sample_expect(&snapshot, "DEGRADED pod-image");
}

/* Seen on a real cluster: it joined servers that ended at the same moment, and its old name was in their way. */
Test(remedy, a_server_that_looks_for_nobody_any_more_is_to_join)
{
	static const struct {
		enum member_status status;
		const char *finding;
	} cases[] = { { MEMBER_FAILED, "member-failed" },
		      { MEMBER_LEFT, "member-left" },
		      { MEMBER_UNKNOWN, "member-missing" } };

	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		bool has_acls = i >= ARRAY_SIZE(cases);
		const char *kind = cases[i % ARRAY_SIZE(cases)].finding;
		enum member_status status = cases[i % ARRAY_SIZE(cases)].status;
		struct snapshot snapshot;
		struct assessment assessment;

		sample_init(&snapshot, 3);
		replace_string(&snapshot.servers[1].pod.ip, xstrdup("10.0.0.71"));
		sample_see(&snapshot, -1, "consul-1", status);
		if (status == MEMBER_UNKNOWN) {
			sample_forget_member(&snapshot, 0, "consul-1");
			sample_forget_member(&snapshot, 2, "consul-1");
		}
		sample_see(&snapshot, 1, "consul-0", MEMBER_FAILED);
		sample_see(&snapshot, 1, "consul-2", MEMBER_FAILED);
		for (size_t k = 0; k < 3; k++)
			replace_string(&snapshot.servers[1].view.members[k].address,
			               k == 1 ? xstrdup("10.0.0.71") : xasprintf("10.0.0.9%zu", k));
		sample_see(&snapshot, 1, "consul-1", MEMBER_ALIVE);
		if (has_acls)
			snapshot.token.source = TOKEN_FOUND;
		assess(&snapshot, &assessment);
		cr_expect_str_eq(sample_finding(&assessment, kind)->command,
		                 has_acls ? "kubectl delete pod consul-1 -n ns"
		                          : "kubectl exec consul-1 -n ns -c consul -- consul join 10.0.0.10");
		assessment_release(&assessment);
		snapshot_release(&snapshot);
	}
}

/* Seen on a real cluster: packets between one follower and the leader were dropped. */
Test(remedy, a_voter_that_does_not_hear_the_leader_is_no_reserve)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	sample_set_leader(&snapshot, 1, NULL);
	snapshot.servers[1].view.self.role = RAFT_CANDIDATE;
	assess(&snapshot, &assessment);
	cr_expect_str_eq(assessment.summary, "2/3 voters \xc2\xb7 leader consul-0 \xc2\xb7 tolerates no failure");
	cr_expect_str_eq(sample_finding(&assessment, "no-leader-known")->cause,
	                 "consul-0 and it do not reach each other's port 8300 (network)");
	assessment_release(&assessment);
	sample_expect(&snapshot, "DEGRADED no-leader-known(consul-1)");
}

/* Two refusals for the whole cluster: what is missing counts, not Kubernetes' sentences about each pod. */
Test(remedy, refusals_of_kubernetes_are_told_in_short)
{
	struct snapshot snapshot;
	struct assessment assessment;
	const struct finding *finding;

	sample_init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++)
		sample_silence(
		    &snapshot, i, ERR_FORBIDDEN,
		    "by tunnel: pods \"consul-0\" is forbidden: User \"jane\" cannot get resource "
		    "\"pods/portforward\" in API group \"\" in the namespace \"ns\"; by exec: pods \"consul-0\" is "
		    "forbidden: User \"jane\" cannot get resource \"pods/exec\" in API group \"\"");
	assess(&snapshot, &assessment);
	finding = sample_finding(&assessment, "portforward-denied");
	cr_expect_str_eq(finding->message, "you may not forward ports to consul-0, consul-1 and consul-2");
	cr_expect_str_eq(finding->cause, "user \"jane\" has neither pods/portforward nor pods/exec in namespace ns");
	cr_expect_str_eq(finding->command, "kubectl consul explain portforward-denied");
	assessment_release(&assessment);
	sample_expect(&snapshot, "UNKNOWN portforward-denied");
}

Test(remedy, a_former_address_explains_why_a_server_failed_or_left)
{
	static const struct {
		enum member_status status;
		const char *finding, *cause;
	} cases[] = {
		{ MEMBER_FAILED, "member-failed",
		  "that is its former address, 10.0.0.11; with the new one, 10.0.0.71, it has not joined yet" },
		{ MEMBER_LEFT, "member-left",
		  "that is its former address, 10.0.0.11; with the new one, 10.0.0.71, it has not joined yet" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct snapshot snapshot;
		struct assessment assessment;

		sample_init(&snapshot, 3);
		replace_string(&snapshot.servers[1].pod.ip, xstrdup("10.0.0.71"));
		sample_see(&snapshot, -1, "consul-1", cases[i].status);
		assess(&snapshot, &assessment);
		cr_expect_str_eq(sample_finding(&assessment, cases[i].finding)->cause, cases[i].cause);
		assessment_release(&assessment);
		snapshot_release(&snapshot);
	}
}

Test(remedy, a_goodbye_that_was_never_said_is_denied_by_scale)
{
	struct snapshot snapshot;
	struct assessment assessment;

	/* The leader believes it, or a follower. */
	for (int viewer = 0; viewer < 2; viewer++) {
		const struct finding *finding;

		sample_init(&snapshot, 3);
		sample_see(&snapshot, viewer, "consul-2", MEMBER_LEAVING);
		assess(&snapshot, &assessment);
		finding = sample_finding(&assessment, viewer == 0 ? "member-left" : "views-disagree");
		cr_expect_not_null(strstr(finding->cause, viewer == 0 ? "came to consul-0" : "came to consul-1"), "%s",
		                   finding->cause);
		cr_expect_str_eq(finding->command, "kubectl consul scale 3 -n ns");
		assessment_release(&assessment);
		snapshot_release(&snapshot);
	}
}

Test(remedy, a_server_scaled_away_a_moment_ago_is_not_called_somebody_elses)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	sample_add_member(&snapshot, "consul-3", "10.0.0.13", MEMBER_ALIVE, true);
	sample_add_peer(&snapshot, "consul-3", "10.0.0.13", true);
	assess(&snapshot, &assessment);
	cr_expect_not_null(strstr(sample_finding(&assessment, "member-elsewhere")->cause, "scaled away a moment ago"));
	cr_expect_str_eq(sample_finding(&assessment, "member-elsewhere")->command,
	                 "kubectl get pods -A -o wide --field-selector=status.podIP=10.0.0.13");
	cr_expect_str_eq(sample_finding(&assessment, "redundancy-lost")->cause,
	                 "consul-3 votes and cannot be asked from here: counted as dead");
	assessment_release(&assessment);
	sample_expect(&snapshot, "DEGRADED redundancy-lost member-elsewhere");
}

Test(remedy, pods_without_a_node_are_one_finding_for_each_reason)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 7);
	for (size_t i = 4; i < 7; i++) {
		sample_stop(&snapshot, i, NULL);
		replace_string(&snapshot.servers[i].pod.node, NULL);
		replace_string(&snapshot.servers[i].pod.unscheduled_message,
		               xstrdup(i == 6 ? "0/6 nodes are available: 6 volume node affinity conflict."
		                              : "0/6 nodes are available: 6 Insufficient cpu."));
	}
	sample_expect(&snapshot, "DEGRADED pod-unschedulable pod-unschedulable(consul-6)");
}
