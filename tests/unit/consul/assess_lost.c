/* consul/assess: why there is no quorum, who may come back, and what is to be done then. */
#include <criterion/criterion.h>

#include "sample.h"

#include "util/mem.h"
#include "util/str.h"

static void lose_data(struct snapshot *snapshot, size_t server)
{
	struct view *view = &snapshot->servers[server].view;

	view_clear_peers(view);
	view->peers_known = true;
	view->peers_source = PEERS_SELF;
	replace_string(&view->self.id, xstrdup("new"));
	view->self.last_log_index = 0;
	sample_set_leader(snapshot, (int)server, NULL);
}

/* Seen on a real cluster: the claims of two of three servers were deleted with their pods. */
Test(assess_lost, a_majority_that_lost_its_data_is_one_finding)
{
	struct snapshot snapshot;
	struct assessment assessment;
	const struct finding *finding;

	sample_init(&snapshot, 3);
	sample_no_leader(&snapshot);
	for (size_t i = 1; i < 3; i++) {
		lose_data(&snapshot, i);
		replace_string(&snapshot.servers[i].pod.ip, i == 1 ? xstrdup("10.0.0.71") : xstrdup("10.0.0.72"));
		replace_string(&snapshot.servers[0].view.peers[i].name, NULL);
		for (size_t k = 0; k < 3; k++) {
			struct member *member = &snapshot.servers[k].view.members[i];

			replace_string(&member->address, xstrdup(snapshot.servers[i].pod.ip));
			replace_string(&member->id, xstrdup("new"));
		}
	}
	assess(&snapshot, &assessment);
	finding = sample_finding(&assessment, "quorum-lost");
	cr_expect_str_eq(finding->message,
	                 "1 of 3 voters lives, 2 are needed; dead or silent: 10.0.0.11:8300 and 10.0.0.12:8300");
	cr_expect_str_eq(finding->cause,
	                 "consul-1 and consul-2 run without data in place of voters that are gone: new volumes");
	cr_expect_str_eq(finding->command, "kubectl consul recover -n ns");
	assessment_release(&assessment);
	sample_expect(&snapshot, "CRITICAL quorum-lost");
}

static void expect_lost(struct snapshot *snapshot, const char *cause, const char *command)
{
	struct assessment assessment;

	assess(snapshot, &assessment);
	cr_expect_str_eq(sample_finding(&assessment, "quorum-lost")->cause, cause);
	cr_expect_str_eq(sample_finding(&assessment, "quorum-lost")->command, command);
	assessment_release(&assessment);
	snapshot_release(snapshot);
}

/* Addresses are used again: a server without data is not the voter that had its address. */
Test(assess_lost, an_empty_server_with_the_address_of_a_voter_is_none)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_no_leader(&snapshot);
	lose_data(&snapshot, 1);
	lose_data(&snapshot, 2);
	expect_lost(&snapshot, "consul-1 and consul-2 run without data in place of voters that are gone: new volumes",
	            "kubectl consul recover -n ns");
}

Test(assess_lost, what_is_enough_to_come_back_is_waited_for)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_no_leader(&snapshot);
	lose_data(&snapshot, 2);
	sample_stop(&snapshot, 3, "ContainerCreating");
	sample_stop(&snapshot, 4, "ContainerCreating");
	sample_add_claim(&snapshot, "data-consul-3", 5000);
	sample_add_claim(&snapshot, "data-consul-4", 5000);
	expect_lost(&snapshot,
	            "consul-3 and consul-4 may come back with data, which is enough: the cluster heals by itself",
	            "kubectl get pods -n ns -o wide");
	sample_init(&snapshot, 5);
	sample_no_leader(&snapshot);
	for (size_t i = 1; i < 4; i++)
		lose_data(&snapshot, i);
	sample_stop(&snapshot, 4, "ContainerCreating");
	sample_add_claim(&snapshot, "data-consul-4", 5000);
	expect_lost(&snapshot,
	            "consul-1, consul-2 and consul-3 run without data in place of voters that are gone: new volumes; "
	            "consul-4 may come back, which is not enough",
	            "kubectl consul recover -n ns");
}

/* Its claim was made when there was no leader any more. */
Test(assess_lost, a_new_volume_brings_nobody_back)
{
	for (int is_new = 0; is_new < 2; is_new++) {
		struct snapshot snapshot;

		sample_init(&snapshot, 3);
		sample_no_leader(&snapshot);
		snapshot.servers[0].view.self.last_contact_ms = 100 * 1000;
		for (size_t i = 1; i < 3; i++) {
			sample_stop(&snapshot, i, "ContainerCreating");
			sample_add_claim(&snapshot, i == 1 ? "data-consul-1" : "data-consul-2", is_new ? 50 : 5000);
		}
		if (is_new)
			expect_lost(&snapshot, "new volumes of consul-1 and consul-2 in place of voters that are gone",
			            "kubectl consul recover -n ns");
		else
			expect_lost(&snapshot,
			            "their pods do not run or do not answer; back with their claims, the cluster "
			            "heals by itself",
			            "kubectl get pods -n ns -o wide");
	}
}

/* What is wrong with their data only their logs tell, and recover reads them. */
Test(assess_lost, a_majority_that_ends_at_every_start_is_looked_into)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_no_leader(&snapshot);
	for (size_t i = 1; i < 3; i++) {
		sample_stop(&snapshot, i, "CrashLoopBackOff");
		sample_add_claim(&snapshot, i == 1 ? "data-consul-1" : "data-consul-2", 5000);
	}
	expect_lost(&snapshot,
	            "they end whenever they are started; recover reads why, and without --yes it changes nothing",
	            "kubectl consul recover -n ns");
}

/* `kubectl scale`, faster than servers can leave; gossip may have forgotten their names since. */
Test(assess_lost, a_majority_that_was_scaled_away_is_scaled_back)
{
	for (int forgotten = 0; forgotten < 2; forgotten++) {
		struct snapshot snapshot;

		sample_init(&snapshot, 5);
		sample_no_leader(&snapshot);
		sample_scale(&snapshot, 2, MEMBER_FAILED);
		for (size_t i = 0; i < 2 && forgotten; i++)
			for (size_t k = 2; k < 5; k++)
				replace_string(&snapshot.servers[i].view.peers[k].name, NULL);
		if (forgotten) {
			sample_forget_member(&snapshot, -1, "consul-2");
			sample_forget_member(&snapshot, -1, "consul-3");
			sample_forget_member(&snapshot, -1, "consul-4");
		}
		sample_add_claim(&snapshot, "data-consul-2", 5000);
		sample_add_claim(&snapshot, "data-consul-3", 5000);
		sample_add_claim(&snapshot, "data-consul-4", 5000);
		expect_lost(
		    &snapshot,
		    "scaled away without leaving: consul-2, consul-3 and consul-4; their claims are there, with "
		    "their data",
		    "kubectl scale statefulset/consul --replicas=5 -n ns");
	}
}

Test(assess_lost, without_claims_nobody_is_scaled_back)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_no_leader(&snapshot);
	sample_scale(&snapshot, 2, MEMBER_FAILED);
	sample_add_claim(&snapshot, "data-consul-0", 5000);
	expect_lost(&snapshot, "voters that have no pod any more: they cannot come back by themselves",
	            "kubectl consul recover -n ns");
}

/* It has left, and its process is about to end. */
Test(assess_lost, a_voter_whose_raft_is_shut_down_does_not_live)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_no_leader(&snapshot);
	snapshot.servers[1].view.self.role = RAFT_SHUTDOWN;
	snapshot.servers[2].view.self.role = RAFT_SHUTDOWN;
	sample_expect(&snapshot, "CRITICAL quorum-lost");
}

/* Seen on a real cluster: all pods were made anew at once. */
Test(assess_lost, a_quorum_that_only_moved_is_to_be_waited_for)
{
	struct snapshot snapshot;
	struct assessment assessment;
	const struct finding *finding;

	sample_init(&snapshot, 3);
	sample_no_leader(&snapshot);
	for (size_t i = 0; i < 3; i++) {
		replace_string(&snapshot.servers[i].pod.ip, xasprintf("10.0.0.7%zu", i));
		for (size_t k = 0; k < 3; k++)
			replace_string(&snapshot.servers[k].view.members[i].address, xasprintf("10.0.0.7%zu", i));
	}
	assess(&snapshot, &assessment);
	finding = sample_finding(&assessment, "quorum-lost");
	cr_expect_str_eq(finding->cause, "they run again under other addresses; raft takes some seconds to find them");
	cr_expect_str_eq(finding->command, "kubectl consul health --watch -n ns");
	assessment_release(&assessment);
	sample_expect(&snapshot, "CRITICAL quorum-lost");
}
