/* Which pods of an older template are deleted, and above all which are not; and how. */
#include <criterion/criterion.h>

#include "keeping_server.h"
#include "sample.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#define LONG_MS 20000

/* What a deploy with the right image meets after one with a wrong one: consul-2 is new and alone, the others wait. */
static void forced_rollback(struct snapshot *snapshot)
{
	sample_init(snapshot, 3);
	snapshot->set.uid = xstrdup("set-uid");
	snapshot->set.generation = snapshot->set.observed_generation = 2;
	snapshot->set.update_revision = xstrdup("new");
	for (size_t i = 0; i < 3; i++) {
		_cleanup_free_ char *name = xasprintf("consul-%zu", i);

		snapshot->servers[i].pod.owner_uid = xstrdup("set-uid");
		snapshot->servers[i].pod.revision = xstrdup(i == 2 ? "new" : "old");
		sample_forget_peer(snapshot, -1, name);
		if (i == 2)
			continue;
		sample_forget_member(snapshot, -1, name);
		sample_never_ran(snapshot, i, "ImagePullBackOff");
	}
	snapshot->servers[2].pod.ready = false;
	sample_no_leader(snapshot);
}

/* Releases the snapshot. */
static void expect(struct snapshot *snapshot, const char *names)
{
	struct deploy_never_ran pods = DEPLOY_NEVER_RAN_INIT;
	_cleanup_strv_ struct strv list = STRV_INIT;
	_cleanup_free_ char *got = NULL;

	deploy_never_ran(snapshot, &pods);
	for (size_t i = 0; i < pods.count; i++)
		strv_add(&list, pods.servers[i]->name);
	got = strv_join(&list, " ", " ");
	cr_expect_str_eq(got, names, "got \"%s\", expected \"%s\"", got, names);
	deploy_never_ran_release(&pods);
	snapshot_release(snapshot);
}

/* ------------------------------------------------------------------------------------------------ goes */

Test(deploy_never_ran, those_in_the_way_highest_first)
{
	struct snapshot snapshot;

	forced_rollback(&snapshot);
	expect(&snapshot, "consul-1 consul-0");
}

Test(deploy_never_ran, every_way_of_not_starting)
{
	static const char *const reasons[] = { "ErrImagePull",         "InvalidImageName",
		                               "ErrImageNeverPull",    "CreateContainerConfigError",
		                               "CreateContainerError", NULL };

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		struct snapshot snapshot;

		forced_rollback(&snapshot);
		sample_never_ran(&snapshot, 1, reasons[i]);
		expect(&snapshot, "consul-1 consul-0");
	}
}

Test(deploy_never_ran, also_where_it_is_the_only_pod)
{
	struct snapshot snapshot;

	forced_rollback(&snapshot);
	sample_lose_pod(&snapshot, 1);
	sample_lose_pod(&snapshot, 2);
	expect(&snapshot, "consul-0");
}

Test(deploy_never_ran, what_others_remember_as_gone_does_not_keep_it)
{
	struct snapshot snapshot;

	forced_rollback(&snapshot);
	sample_add_member(&snapshot, "consul-1", "10.0.0.77", MEMBER_LEFT, true);
	sample_add_member(&snapshot, "consul-0", "10.0.0.78", MEMBER_FAILED, true);
	sample_add_peer(&snapshot, "consul-2", "10.0.0.12", true);
	expect(&snapshot, "consul-1 consul-0");
}

/* ---------------------------------------------------------------------------------------------- stays */

static struct kube_container *container_of(struct snapshot *snapshot, size_t server)
{
	return &snapshot->servers[server].pod.containers[0];
}

Test(deploy_never_ran, a_container_that_runs_or_ran_stays)
{
	struct snapshot snapshot;

	forced_rollback(&snapshot);
	container_of(&snapshot, 1)->running = true;
	snapshot.servers[1].view.peers_known = true;
	expect(&snapshot, "consul-0");
	forced_rollback(&snapshot);
	container_of(&snapshot, 1)->was_terminated = true;
	expect(&snapshot, "consul-0");
	forced_rollback(&snapshot);
	container_of(&snapshot, 1)->restarts = 1;
	expect(&snapshot, "consul-0");
	forced_rollback(&snapshot);
	container_of(&snapshot, 1)->started_at = SAMPLE_NOW - 5;
	expect(&snapshot, "consul-0");
	forced_rollback(&snapshot);
	container_of(&snapshot, 1)->terminated_reason = xstrdup("Error");
	expect(&snapshot, "consul-0");
	forced_rollback(&snapshot);
	container_of(&snapshot, 1)->ready = true;
	expect(&snapshot, "consul-0");
}

Test(deploy_never_ran, a_crash_loop_stays)
{
	struct snapshot snapshot;

	forced_rollback(&snapshot);
	sample_stop(&snapshot, 1, "CrashLoopBackOff");
	expect(&snapshot, "consul-0");
}

Test(deploy_never_ran, one_that_may_start_any_moment_stays)
{
	static const char *const reasons[] = { "ContainerCreating", "PodInitializing", "Waiting", "CrashLoopBackOff",
		                               "RunContainerError" };

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		struct snapshot snapshot;

		forced_rollback(&snapshot);
		sample_never_ran(&snapshot, 1, reasons[i]);
		expect(&snapshot, "consul-0");
	}
}

Test(deploy_never_ran, a_pod_that_is_not_pending_or_ready_stays)
{
	static const char *const phases[] = { "Running", "Failed", "Succeeded", "Unknown", NULL };
	struct snapshot snapshot;

	for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
		forced_rollback(&snapshot);
		replace_string(&snapshot.servers[1].pod.phase, xstrdup_null(phases[i]));
		expect(&snapshot, "consul-0");
	}
	forced_rollback(&snapshot);
	snapshot.servers[1].pod.ready = true;
	expect(&snapshot, "consul-0");
}

Test(deploy_never_ran, a_pod_without_status_that_has_a_node_stays)
{
	struct snapshot snapshot;

	forced_rollback(&snapshot);
	sample_never_ran(&snapshot, 1, NULL);
	snapshot.servers[1].pod.node = xstrdup("node-1");
	expect(&snapshot, "consul-0");
	forced_rollback(&snapshot);
	sample_never_ran(&snapshot, 1, NULL);
	replace_string(&snapshot.servers[1].pod.unscheduled_message, NULL);
	expect(&snapshot, "consul-0");
}

Test(deploy_never_ran, a_raft_peer_of_anybody_stays)
{
	struct snapshot snapshot;

	forced_rollback(&snapshot);
	sample_add_peer(&snapshot, "consul-1", "10.0.0.77", true);
	expect(&snapshot, "consul-0");
	forced_rollback(&snapshot);
	sample_add_peer(&snapshot, "consul-1", "10.0.0.77", false);
	expect(&snapshot, "consul-0");
	forced_rollback(&snapshot);
	sample_add_peer(&snapshot, NULL, "10.0.0.11", true);
	expect(&snapshot, "consul-0");
}

Test(deploy_never_ran, a_live_member_of_anybody_stays)
{
	struct snapshot snapshot;

	forced_rollback(&snapshot);
	sample_add_member(&snapshot, "consul-1", "10.0.0.77", MEMBER_ALIVE, true);
	expect(&snapshot, "consul-0");
	forced_rollback(&snapshot);
	sample_add_member(&snapshot, "other", "10.0.0.11", MEMBER_LEAVING, true);
	expect(&snapshot, "consul-0");
}

Test(deploy_never_ran, nobody_goes_while_one_that_runs_does_not_tell_its_peers)
{
	struct snapshot snapshot;

	forced_rollback(&snapshot);
	sample_silence(&snapshot, 2, ERR_UNAVAILABLE, "connection refused");
	expect(&snapshot, "");
	forced_rollback(&snapshot);
	snapshot.servers[2].container = NULL;
	sample_silence(&snapshot, 2, ERR_FAILED, "no container");
	expect(&snapshot, "");
}

Test(deploy_never_ran, a_pod_whose_container_cannot_be_told_stays)
{
	struct snapshot snapshot;

	forced_rollback(&snapshot);
	snapshot.servers[1].container = NULL;
	snapshot.servers[1].view.peers_known = true;
	expect(&snapshot, "consul-0");
}

Test(deploy_never_ran, pods_of_the_newest_revision_stay)
{
	struct snapshot snapshot;

	forced_rollback(&snapshot);
	replace_string(&snapshot.servers[1].pod.revision, xstrdup("new"));
	expect(&snapshot, "consul-0");
	forced_rollback(&snapshot);
	replace_string(&snapshot.servers[1].pod.revision, NULL);
	expect(&snapshot, "consul-0");
	forced_rollback(&snapshot);
	replace_string(&snapshot.set.update_revision, NULL);
	expect(&snapshot, "");
}

Test(deploy_never_ran, nobody_goes_by_a_status_that_is_not_current)
{
	struct snapshot snapshot;

	forced_rollback(&snapshot);
	snapshot.set.generation++;
	expect(&snapshot, "");
}

Test(deploy_never_ran, nobody_goes_where_old_pods_are_meant_to_stay)
{
	struct snapshot snapshot;

	forced_rollback(&snapshot);
	snapshot.set.update_strategy = xstrdup("OnDelete");
	expect(&snapshot, "");
	forced_rollback(&snapshot);
	snapshot.set.partition = 1;
	expect(&snapshot, "");
}

Test(deploy_never_ran, nobody_goes_while_a_server_is_on_its_way_out)
{
	struct snapshot snapshot;

	forced_rollback(&snapshot);
	snapshot.servers[2].pod.deleting = true;
	expect(&snapshot, "");
	forced_rollback(&snapshot);
	snapshot.servers[1].pod.deleting = true;
	container_of(&snapshot, 1)->was_terminated = true;
	expect(&snapshot, "");
}

Test(deploy_never_ran, one_that_never_ran_is_deleted_once_and_not_waited_for)
{
	struct snapshot snapshot;

	forced_rollback(&snapshot);
	snapshot.servers[1].pod.deleting = true;
	expect(&snapshot, "consul-0");
}

Test(deploy_never_ran, pods_of_others_and_unwanted_ones_stay)
{
	struct snapshot snapshot;

	forced_rollback(&snapshot);
	replace_string(&snapshot.servers[1].pod.owner_uid, xstrdup("another-uid"));
	expect(&snapshot, "consul-0");
	forced_rollback(&snapshot);
	replace_string(&snapshot.servers[1].pod.owner_uid, NULL);
	expect(&snapshot, "consul-0");
	forced_rollback(&snapshot);
	replace_string(&snapshot.servers[1].pod.uid, NULL);
	expect(&snapshot, "consul-0");
	forced_rollback(&snapshot);
	snapshot.servers[1].ordinal = -1;
	expect(&snapshot, "consul-0");
	forced_rollback(&snapshot);
	snapshot.set.replicas = 1;
	expect(&snapshot, "consul-0");
	forced_rollback(&snapshot);
	snapshot.set.ordinal_start = 1;
	expect(&snapshot, "consul-1");
}

Test(deploy_never_ran, a_healthy_cluster_loses_nobody)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	expect(&snapshot, "");
}

/* ------------------------------------------------------------------------------------------- deleting */

/* Deletes consul-1 against an API server that answers so; asserts what was sent. */
static void expect_delete(int http_status, const char *body, bool deleted, enum err_kind kind)
{
	struct apiserver_route routes[] = { { .method = "DELETE",
		                              .path = "/api/v1/namespaces/ns/pods/consul-1",
		                              .answer = { .status = http_status, .body = body } },
		                            { 0 } };
	struct apiserver *server = apiserver_start(&(struct apiserver_options){ .routes = routes });
	struct loop *loop = loop_new();
	struct kube_config config = { .server = xstrdup(apiserver_url(server)), .namespace_name = xstrdup("ns") };
	struct kube_client_options options = { 0 };
	struct kube_client *client = NULL;
	struct snapshot snapshot;
	struct err err = ERR_INIT;
	bool got = false;

	forced_rollback(&snapshot);
	snapshot.servers[1].pod.resource_version = xstrdup("77");
	cr_assert_eq(kube_client_new(loop, &config, &options, &client, &err), 0);
	cr_expect_eq(
	    deploy_delete_pod(client, &snapshot, &snapshot.servers[1], clock_monotonic_ms() + LONG_MS, &got, &err),
	    kind == ERR_NONE ? 0 : -1);
	cr_expect_eq(got, deleted);
	cr_expect_eq(err.kind, kind);
	cr_assert_eq(apiserver_count(server, "DELETE", "*"), 1);
	cr_expect_str_eq(apiserver_find(server, "DELETE", "*", 0)->body,
	                 "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\","
	                 "\"preconditions\":{\"uid\":\"uid-1\",\"resourceVersion\":\"77\"}}");
	cr_expect_str_eq(apiserver_find(server, "DELETE", "*", 0)->query, "");
	err_release(&err);
	kube_client_free(client);
	loop_free(loop);
	apiserver_stop(server);
	kube_config_release(&config);
	snapshot_release(&snapshot);
}

Test(deploy_delete_pod, only_as_it_was_seen_and_gently)
{
	expect_delete(200, "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"consul-1\"}}", true, ERR_NONE);
}

Test(deploy_delete_pod, one_that_changed_or_is_gone_is_left_alone)
{
	expect_delete(409, STATUS_FAILURE(409, "Conflict", "the UID in the precondition does not match"), false,
	              ERR_NONE);
	expect_delete(404, STATUS_FAILURE(404, "NotFound", "pods \\\"consul-1\\\" not found"), false, ERR_NONE);
}

Test(deploy_delete_pod, who_may_not_is_told)
{
	expect_delete(403, STATUS_FAILURE(403, "Forbidden", "pods is forbidden"), false, ERR_FORBIDDEN);
}
