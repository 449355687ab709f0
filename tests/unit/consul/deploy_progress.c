/* How far a deploy is: done, waiting and why, stuck; and what events add. */
#include <criterion/criterion.h>

#include "keeping_server.h"
#include "sample.h"
#include "util/clock.h"
#include "util/mem.h"

#define LONG_MS 20000

/* A snapshot of three servers, rolled out. */
static void rolled_out(struct snapshot *snapshot)
{
	struct kube_statefulset *set = &snapshot->set;

	sample_init(snapshot, 3);
	set->uid = xstrdup("set-uid");
	set->generation = set->observed_generation = 2;
	set->status_replicas = set->ready_replicas = set->updated_replicas = 3;
	set->update_revision = xstrdup("new");
	for (size_t i = 0; i < 3; i++)
		snapshot->servers[i].pod.revision = xstrdup("new");
}

static struct deploy_progress judge(const struct snapshot *snapshot)
{
	struct assessment assessment = ASSESSMENT_INIT;
	struct deploy_progress progress = DEPLOY_PROGRESS_INIT;

	assess(snapshot, &assessment);
	deploy_progress(snapshot, &assessment, &progress);
	assessment_release(&assessment);
	return progress;
}

/* Judges, compares, and releases both. */
static void expect(struct snapshot *snapshot, bool done, bool stuck, const char *summary)
{
	struct deploy_progress progress = judge(snapshot);

	cr_expect_eq(progress.done, done);
	cr_expect_eq(progress.stuck, stuck);
	cr_expect_str_eq(progress.summary, summary);
	deploy_progress_release(&progress);
	snapshot_release(snapshot);
}

Test(deploy_progress, all_ready_voters_of_the_newest_revision_are_done)
{
	struct snapshot snapshot;

	rolled_out(&snapshot);
	expect(&snapshot, true, false, "3/3 servers are voters");
}

Test(deploy_progress, not_before_the_controller_has_seen_the_change)
{
	struct snapshot snapshot;

	rolled_out(&snapshot);
	snapshot.set.generation++;
	expect(&snapshot, false, false, "3/3 servers are voters");
	rolled_out(&snapshot);
	snapshot.set.ready_replicas = 2;
	expect(&snapshot, false, false, "3/3 servers are voters");
	rolled_out(&snapshot);
	snapshot.set.updated_replicas = 2;
	expect(&snapshot, false, false, "3/3 servers are voters");
}

Test(deploy_progress, pods_of_an_older_revision_are_counted)
{
	struct snapshot snapshot;

	rolled_out(&snapshot);
	replace_string(&snapshot.servers[0].pod.revision, xstrdup("old"));
	expect(&snapshot, false, false, "3/3 servers are voters, 2/3 are updated");
	rolled_out(&snapshot);
	replace_string(&snapshot.servers[0].pod.revision, xstrdup("old"));
	snapshot.set.update_strategy = xstrdup("OnDelete");
	expect(&snapshot, true, false, "3/3 servers are voters");
}

Test(deploy_progress, no_leader_is_not_done)
{
	struct snapshot snapshot;

	rolled_out(&snapshot);
	sample_no_leader(&snapshot);
	expect(&snapshot, false, false, "3/3 servers are voters");
}

Test(deploy_progress, each_state_has_its_reason)
{
	struct snapshot snapshot;

	rolled_out(&snapshot);
	sample_lose_pod(&snapshot, 1);
	expect(&snapshot, false, false, "2/3 servers are voters; consul-1: its pod does not exist yet");
	rolled_out(&snapshot);
	snapshot.servers[1].pod.deleting = true;
	expect(&snapshot, false, false, "2/3 servers are voters; consul-1: stopping");
	rolled_out(&snapshot);
	sample_stop(&snapshot, 1, "ContainerCreating");
	expect(&snapshot, false, false, "2/3 servers are voters; consul-1: starting");
	rolled_out(&snapshot);
	sample_set_voter(&snapshot, -1, "consul-1", false);
	expect(&snapshot, false, false, "2/3 servers are voters; consul-1: joined, not a voter yet");
	rolled_out(&snapshot);
	snapshot.servers[1].pod.ready = false;
	expect(&snapshot, false, false, "2/3 servers are voters; consul-1: a voter, about to be ready");
	rolled_out(&snapshot);
	sample_silence(&snapshot, 1, ERR_UNAVAILABLE, "no");
	sample_forget_peer(&snapshot, -1, "consul-1");
	expect(&snapshot, false, false, "2/3 servers are voters; consul-1: running, does not answer yet");
	rolled_out(&snapshot);
	sample_stop(&snapshot, 1, NULL);
	expect(&snapshot, false, false, "2/3 servers are voters; consul-1: its container ended: Error");
}

Test(deploy_progress, an_unschedulable_pod_is_waited_for)
{
	struct snapshot snapshot;

	rolled_out(&snapshot);
	sample_stop(&snapshot, 2, NULL);
	snapshot.servers[2].pod.unscheduled_message = xstrdup("0/1 nodes are\navailable\x1b[31m");
	expect(&snapshot, false, false,
	       "2/3 servers are voters; consul-2: not scheduled: 0/1 nodes are available^[[31m");
}

Test(deploy_progress, what_waiting_does_not_mend_is_stuck_and_told_once)
{
	static const char *const reasons[] = { "ErrImagePull", "ImagePullBackOff" };

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		struct snapshot snapshot;

		rolled_out(&snapshot);
		sample_stop(&snapshot, 1, reasons[i]);
		sample_stop(&snapshot, 2, reasons[(i + 1) % 2]);
		expect(&snapshot, false, true,
		       "1/3 servers are voters; consul-1 and consul-2: cannot pull image: hashicorp/consul:1.21");
	}
}

Test(deploy_progress, a_crash_loop_is_stuck)
{
	struct snapshot snapshot;

	rolled_out(&snapshot);
	sample_stop(&snapshot, 0, "CrashLoopBackOff");
	expect(&snapshot, false, true, "2/3 servers are voters; consul-0: CrashLoopBackOff");
}

Test(deploy_progress, who_may_not_ask_goes_by_our_own_readiness)
{
	struct snapshot snapshot;

	rolled_out(&snapshot);
	for (size_t i = 0; i < 3; i++)
		sample_silence(&snapshot, i, ERR_FORBIDDEN, "no");
	expect(&snapshot, false, false,
	       "0/3 servers are voters; consul-0, consul-1 and consul-2: running, does not answer yet");
	rolled_out(&snapshot);
	for (size_t i = 0; i < 3; i++)
		sample_silence(&snapshot, i, ERR_FORBIDDEN, "no");
	snapshot.set.managed_by = xstrdup(MANIFEST_MANAGED_BY);
	expect(&snapshot, true, false, "3/3 servers are voters");
}

Test(deploy_progress, servers_that_are_scaled_away_do_not_count)
{
	struct snapshot snapshot;

	rolled_out(&snapshot);
	snapshot.set.replicas = snapshot.set.status_replicas = snapshot.set.ready_replicas =
	    snapshot.set.updated_replicas = 2;
	expect(&snapshot, true, false, "2/2 servers are voters");
}

static void make_old(struct snapshot *snapshot, size_t server)
{
	replace_string(&snapshot->servers[server].pod.revision, xstrdup("old"));
}

Test(deploy_progress, old_pods_that_cannot_run_are_no_reason_to_give_up_while_new_ones_come)
{
	struct snapshot snapshot;

	rolled_out(&snapshot);
	sample_stop(&snapshot, 0, "ImagePullBackOff");
	sample_stop(&snapshot, 1, "CrashLoopBackOff");
	make_old(&snapshot, 0);
	make_old(&snapshot, 1);
	expect(&snapshot, false, false,
	       "1/3 servers are voters, 1/3 are updated; consul-0: cannot pull image: hashicorp/consul:1.21; "
	       "consul-1: CrashLoopBackOff");
	rolled_out(&snapshot);
	sample_stop(&snapshot, 0, "ImagePullBackOff");
	sample_stop(&snapshot, 1, "ImagePullBackOff");
	make_old(&snapshot, 0);
	expect(&snapshot, false, true,
	       "1/3 servers are voters, 1/3 are updated; consul-0 and consul-1: cannot pull image: "
	       "hashicorp/consul:1.21");
}

Test(deploy_progress, old_pods_alone_are)
{
	struct snapshot snapshot;

	rolled_out(&snapshot);
	sample_stop(&snapshot, 0, "CrashLoopBackOff");
	for (size_t i = 0; i < 3; i++)
		make_old(&snapshot, i);
	expect(&snapshot, false, true, "2/3 servers are voters, 0/3 are updated; consul-0: CrashLoopBackOff");
}

Test(deploy_progress, unless_one_is_being_replaced)
{
	struct snapshot snapshot;

	rolled_out(&snapshot);
	sample_stop(&snapshot, 0, "CrashLoopBackOff");
	for (size_t i = 0; i < 3; i++)
		make_old(&snapshot, i);
	snapshot.servers[2].pod.deleting = true;
	expect(&snapshot, false, false,
	       "1/3 servers are voters, 0/3 are updated; consul-0: CrashLoopBackOff; consul-2: stopping");
	rolled_out(&snapshot);
	sample_stop(&snapshot, 0, "CrashLoopBackOff");
	make_old(&snapshot, 0);
	make_old(&snapshot, 1);
	sample_lose_pod(&snapshot, 2);
	expect(&snapshot, false, false,
	       "1/3 servers are voters, 0/3 are updated; consul-0: CrashLoopBackOff; consul-2: its pod does not exist "
	       "yet");
}

/* -------------------------------------------------------------------------------------------- events */

/* SAMPLE_NOW is 2023-11-14T22:13:20Z. */
#define EVENT(uid_, reason_, time_, message_)                                                                          \
	"{\"involvedObject\":{\"uid\":\"" uid_ "\"},\"reason\":\"" reason_ "\",\"lastTimestamp\":\"2023-11-14T" time_  \
	"Z\",\"message\":\"" message_ "\"}"

static void expect_explained(struct snapshot *snapshot, int status, const char *events, bool stuck, const char *summary)
{
	struct apiserver_route routes[] = {
		{ .path = "/api/v1/namespaces/ns/events", .answer = { .status = status, .body = events } }, { 0 }
	};
	struct apiserver *server = apiserver_start(&(struct apiserver_options){ .routes = routes });
	struct loop *loop = loop_new();
	struct kube_config config = { .server = xstrdup(apiserver_url(server)), .namespace_name = xstrdup("ns") };
	struct kube_client_options options = { 0 };
	struct kube_client *client = NULL;
	struct deploy_progress progress = judge(snapshot);
	struct err err = ERR_INIT;

	cr_assert_eq(kube_client_new(loop, &config, &options, &client, &err), 0);
	cr_expect_eq(deploy_explain(client, snapshot, &progress, clock_monotonic_ms() + LONG_MS, &err), 0);
	cr_expect_str_eq(progress.summary, summary);
	cr_expect_eq(progress.stuck, stuck);
	deploy_progress_release(&progress);
	kube_client_free(client);
	loop_free(loop);
	apiserver_stop(server);
	kube_config_release(&config);
	snapshot_release(snapshot);
}

Test(deploy_explain, a_pod_that_cannot_be_created_says_why)
{
	struct snapshot snapshot;

	rolled_out(&snapshot);
	sample_lose_pod(&snapshot, 2);
	expect_explained(
	    &snapshot, 200,
	    "{\"items\":[" EVENT("set-uid", "FailedCreate", "22:13:00", "violates PodSecurity") "," EVENT(
	        "set-uid", "Other", "22:12:00", "earlier") "," EVENT("else", "Other", "22:13:10", "elsewhere") "]}",
	    true, "2/3 servers are voters; consul-2: its pod does not exist yet: FailedCreate: violates PodSecurity");
}

Test(deploy_explain, a_pod_that_does_not_start_says_why)
{
	struct snapshot snapshot;

	rolled_out(&snapshot);
	sample_stop(&snapshot, 2, "ContainerCreating");
	expect_explained(&snapshot, 200,
	                 "{\"items\":[" EVENT("uid-2", "FailedMount", "22:13:00", "secret not found") "," EVENT(
	                     "uid-2", "FailedScheduling", "22:13:10", "no nodes") "]}",
	                 false, "2/3 servers are voters; consul-2: starting: FailedMount: secret not found");
}

Test(deploy_explain, old_events_and_what_the_status_tells_say_nothing)
{
	struct snapshot snapshot;

	rolled_out(&snapshot);
	sample_stop(&snapshot, 2, "ContainerCreating");
	expect_explained(&snapshot, 200,
	                 "{\"items\":[" EVENT("uid-2", "FailedMount", "20:00:00", "old") "," EVENT(
	                     "uid-2", "Unhealthy", "22:13:00", "not ready") "," EVENT("uid-2", "Failed", "22:13:00",
	                                                                              "Failed to pull image") ",7,{}]}",
	                 false, "2/3 servers are voters; consul-2: starting");
}

Test(deploy_explain, a_pod_that_is_not_scheduled_says_more_than_its_status)
{
	struct snapshot snapshot;

	rolled_out(&snapshot);
	sample_stop(&snapshot, 2, NULL);
	snapshot.servers[2].pod.unscheduled_message = xstrdup("no node fits");
	expect_explained(&snapshot, 200,
	                 "{\"items\":[" EVENT("uid-2", "FailedScheduling", "22:13:10", "no node fits") "," EVENT(
	                     "uid-2", "FailedBinding", "22:13:00", "no volume") "]}",
	                 false,
	                 "2/3 servers are voters; consul-2: not scheduled: no node fits: FailedBinding: no volume");
}

Test(deploy_explain, an_image_gets_its_cause)
{
	struct snapshot snapshot;

	rolled_out(&snapshot);
	sample_stop(&snapshot, 2, "ImagePullBackOff");
	expect_explained(
	    &snapshot, 200,
	    "{\"items\":[" EVENT("uid-2", "Failed", "22:13:00",
	                         "Failed to pull image \\\"x\\\": rpc error: code = NotFound desc = failed: x: not "
	                         "found") "," EVENT("uid-2", "Failed", "22:13:10", "Error: ImagePullBackOff") "]}",
	    true, "2/3 servers are voters; consul-2: cannot pull image: hashicorp/consul:1.21: x: not found");
}

Test(deploy_explain, events_that_may_not_be_read_are_no_failure)
{
	struct snapshot snapshot;

	rolled_out(&snapshot);
	sample_lose_pod(&snapshot, 2);
	expect_explained(&snapshot, 403, STATUS_FAILURE(403, "Forbidden", "no"), false,
	                 "2/3 servers are voters; consul-2: its pod does not exist yet");
}
