/* Assess on what real servers said (fixtures/1.8.7), and on thousands of clusters that are broken at random. */
#include <criterion/criterion.h>

#include "consul/assess.h"
#include "consul/decode.h"
#include "fixture.h"
#include "sample.h"
#include "util/mem.h"
#include "util/str.h"

#define REAL_DEFAULTS " gossip-unencrypted rpc-unencrypted leave-on-terminate-off"

static void take_plane(int (*decode)(const char *, size_t, struct view *, struct err *), const char *state,
                       size_t server, const char *plane, struct view *view, struct err *plane_err)
{
	_cleanup_free_ char *name = xasprintf("1.8.7/%s-%zu-%s", state, server, plane);
	size_t length;
	_cleanup_free_ char *text = fixture_read(name, &length);

	if (decode(text, length, view, plane_err) < 0)
		cr_assert(err_is_set(plane_err));
}

/* Replaces what a sample's server says by what a real one said in that state. */
static void take_view(struct snapshot *snapshot, size_t server, const char *state, bool by_cli)
{
	struct view *view = &snapshot->servers[server].view;

	view_release(view);
	view->way = by_cli ? ASK_EXEC : ASK_TUNNEL;
	take_plane(by_cli ? decode_info_text : decode_self_json, state, server, by_cli ? "info.txt" : "self.json", view,
	           &view->self_err);
	take_plane(by_cli ? decode_members_text : decode_members_json, state, server,
	           by_cli ? "members-detailed.txt" : "members.json", view, &view->members_err);
	if (!by_cli)
		take_plane(decode_raft_json, state, server, "raft.json", view, &view->peers_err);
}

static void make_real(struct snapshot *snapshot)
{
	sample_init(snapshot, 3);
	for (size_t i = 0; i < 3; i++)
		replace_string(&snapshot->servers[i].pod.ip, xasprintf("127.87.0.%zu", i + 2));
}

Test(assess_real, healthy_by_either_way)
{
	for (int by_cli = 0; by_cli < 2; by_cli++) {
		struct snapshot snapshot;
		struct assessment assessment;

		make_real(&snapshot);
		for (size_t i = 0; i < 3; i++)
			take_view(&snapshot, i, "healthy", by_cli);
		assess(&snapshot, &assessment);
		cr_expect_str_eq(assessment.leader_name, "consul-2");
		cr_expect(assessment.views_agree);
		assessment_release(&assessment);
		/* info cannot tell leave_on_terminate, and was asked instead of the raft endpoint here. */
		sample_expect(&snapshot,
		              by_cli ? "HEALTHY gossip-unencrypted raft-from-self" : "HEALTHY" REAL_DEFAULTS);
	}
}

Test(assess_real, a_killed_server)
{
	struct snapshot snapshot;

	make_real(&snapshot);
	sample_stop(&snapshot, 1, "CrashLoopBackOff");
	take_view(&snapshot, 0, "failed", false);
	take_view(&snapshot, 2, "failed", false);
	sample_expect(&snapshot, "DEGRADED pod-crashing(consul-1)" REAL_DEFAULTS);
}

/* consul-3 was added and left again: only its member entry is there. */
Test(assess_real, a_server_that_left)
{
	struct snapshot snapshot;

	make_real(&snapshot);
	take_view(&snapshot, 0, "left", false);
	sample_silence(&snapshot, 1, ERR_TIMEOUT, "no answer");
	sample_silence(&snapshot, 2, ERR_TIMEOUT, "no answer");
	sample_expect(&snapshot,
	              "CRITICAL quorum-lost agent-silent(consul-1) agent-silent(consul-2) gossip-unencrypted "
	              "rpc-unencrypted leftover-left leave-on-terminate-off");
}

Test(assess_real, alone_without_a_leader)
{
	struct snapshot snapshot;
	struct assessment assessment;

	make_real(&snapshot);
	sample_lose_pod(&snapshot, 1);
	sample_lose_pod(&snapshot, 2);
	take_view(&snapshot, 0, "restarted", false);
	assess(&snapshot, &assessment);
	cr_expect_str_eq(assessment.summary, "1/3 voters \xc2\xb7 no leader \xc2\xb7 quorum of 2 lost");
	cr_expect_eq(assessment.servers[0].server->view.peers_source, PEERS_SELF);
	assessment_release(&assessment);
	sample_expect(&snapshot, "CRITICAL quorum-lost pod-missing" REAL_DEFAULTS);
}

Test(assess_real, waiting_for_the_others_to_bootstrap)
{
	struct snapshot snapshot;
	struct assessment assessment;

	make_real(&snapshot);
	sample_stop(&snapshot, 1, "ContainerCreating");
	sample_stop(&snapshot, 2, "ContainerCreating");
	take_view(&snapshot, 0, "bootstrapping", false);
	assess(&snapshot, &assessment);
	cr_expect_str_eq(sample_finding(&assessment, "no-leader")->cause,
	                 "never bootstrapped: bootstrap_expect is 3, and 1 server answers");
	assessment_release(&assessment);
	sample_expect(&snapshot, "CRITICAL no-leader pod-not-starting" REAL_DEFAULTS);
}

/* ------------------------------------------------------------------------------------ at random */

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void break_something(struct snapshot *snapshot, uint32_t *random)
{
	size_t server = next_random(random) % snapshot->server_count;
	int viewer = (int)(next_random(random) % (snapshot->server_count + 1)) - 1;
	_cleanup_free_ char *name = xasprintf("consul-%zu", server);

	switch (next_random(random) % 14) {
	case 0:
		sample_lose_pod(snapshot, server);
		break;
	case 1:
		sample_silence(snapshot, server, ERR_TIMEOUT, "no answer");
		break;
	case 2:
		if (snapshot->servers[server].has_pod)
			sample_stop(snapshot, server, next_random(random) % 2 ? "CrashLoopBackOff" : "ErrImagePull");
		break;
	case 3:
		sample_see(snapshot, viewer, name, (enum member_status)(next_random(random) % 5));
		break;
	case 4:
		sample_forget_member(snapshot, viewer, name);
		break;
	case 5:
		sample_forget_peer(snapshot, viewer, name);
		break;
	case 6:
		sample_set_voter(snapshot, viewer, name, false);
		break;
	case 7:
		sample_set_leader(snapshot, viewer, next_random(random) % 2 ? "10.0.0.11:8300" : NULL);
		break;
	case 8:
		sample_add_peer(snapshot, NULL, "10.9.9.9", next_random(random) % 2);
		break;
	case 9:
		sample_add_member(snapshot, "consul-9", "10.0.0.19", (enum member_status)(next_random(random) % 5),
		                  true);
		break;
	case 10:
		sample_set_replicas(snapshot, (int64_t)(next_random(random) % (snapshot->server_count + 2)));
		break;
	case 11:
		replace_string(&snapshot->servers[server].pod.ip,
		               next_random(random) % 2 ? xstrdup("10.0.0.200") : NULL);
		break;
	case 12:
		snapshot->servers[server].pod.deleting = true;
		break;
	default:
		snapshot->servers[server].pod.ready = false;
		break;
	}
}

/* What must hold whatever is broken. */
static void check_invariants(const struct snapshot *snapshot, const struct assessment *assessment)
{
	enum severity worst = SEVERITY_INFO;
	int64_t wanted_voters = 0;

	for (size_t i = 0; i < assessment->findings.count; i++)
		if (assessment->findings.items[i].kind->severity > worst)
			worst = assessment->findings.items[i].kind->severity;
	if (assessment->verdict != VERDICT_UNKNOWN)
		cr_assert_eq(assessment->verdict, worst == SEVERITY_CRITICAL   ? VERDICT_CRITICAL
		                                  : worst == SEVERITY_DEGRADED ? VERDICT_DEGRADED
		                                                               : VERDICT_HEALTHY);
	cr_assert_leq(assessment->quorum.live_voters, assessment->quorum.voters);
	cr_assert_geq(assessment->quorum.tolerance, 0);
	if (assessment->verdict != VERDICT_HEALTHY)
		return;
	cr_assert_not_null(assessment->leader_name);
	cr_assert_geq(assessment->quorum.live_voters, assessment->quorum.quorum);
	for (size_t i = 0; i < assessment->server_count; i++) {
		const struct server_status *status = &assessment->servers[i];

		if (status->server->ordinal >= snapshot->set.replicas)
			continue;
		cr_assert(status->server->has_pod && status->server->pod.ready && status->voter,
		          "HEALTHY although %s is not", status->server->name);
		cr_assert(status->member == MEMBER_ALIVE || !assessment->members_of, "HEALTHY although %s is %s",
		          status->server->name, member_status_name(status->member));
		wanted_voters++;
	}
	cr_assert_geq(assessment->quorum.live_voters, wanted_voters);
}

Test(assess_real, healthy_means_healthy_whatever_is_broken)
{
	uint32_t random = 42;
	size_t healthy = 0;

	for (int round = 0; round < 20000; round++) {
		struct snapshot snapshot;
		struct assessment assessment;
		size_t breaks = next_random(&random) % 5;

		sample_init(&snapshot, 1 + next_random(&random) % 6);
		for (size_t i = 0; i < breaks; i++)
			break_something(&snapshot, &random);
		assess(&snapshot, &assessment);
		healthy += assessment.verdict == VERDICT_HEALTHY;
		check_invariants(&snapshot, &assessment);
		assessment_release(&assessment);
		snapshot_release(&snapshot);
	}
	cr_expect_gt(healthy, 1000);
}
