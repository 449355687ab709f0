/* Which new servers are joined to which, and above all when nobody is; and how. */
#include <criterion/criterion.h>

#include "../../support/apiserver.h"
#include "consul/deploy_lone.h"
#include "sample.h"
#include "util/clock.h"
#include "util/mem.h"

#define LONG_MS 20000

/* Three new servers, each alone. */
static void all_lone(struct snapshot *snapshot)
{
	sample_init(snapshot, 3);
	sample_no_leader(snapshot);
	for (size_t i = 0; i < 3; i++) {
		_cleanup_free_ char *name = xasprintf("consul-%zu", i);
		struct self *self = &snapshot->servers[i].view.self;

		snapshot->servers[i].pod.ready = false;
		snapshot->servers[i].pod.namespace_name = xstrdup("ns");
		self->last_log_index = self->commit_index = self->applied_index = self->term = 0;
		self->role = RAFT_FOLLOWER;
		sample_forget_peer(snapshot, -1, name);
		for (int viewer = 0; viewer < 3; viewer++)
			if (viewer != (int)i)
				sample_forget_member(snapshot, viewer, name);
	}
}

/* Releases the snapshot. expected: "consul-1 consul-2 to consul-0". */
static void expect(struct snapshot *snapshot, const char *expected)
{
	struct deploy_lone lone = DEPLOY_LONE_INIT;
	_cleanup_strv_ struct strv list = STRV_INIT;
	_cleanup_free_ char *got = NULL;

	deploy_lone(snapshot, &lone);
	for (size_t i = 0; i < lone.count; i++)
		strv_add(&list, lone.servers[i]->name);
	if (lone.count > 0)
		strv_addf(&list, "to %s", lone.target->name);
	got = strv_join(&list, " ", " ");
	cr_expect_str_eq(got, expected, "got \"%s\", expected \"%s\"", got, expected);
	deploy_lone_release(&lone);
	snapshot_release(snapshot);
}

Test(deploy_lone, each_to_the_lowest)
{
	struct snapshot snapshot;

	all_lone(&snapshot);
	expect(&snapshot, "consul-1 consul-2 to consul-0");
}

Test(deploy_lone, who_does_not_run_is_left_out)
{
	struct snapshot snapshot;

	all_lone(&snapshot);
	sample_stop(&snapshot, 0, "ImagePullBackOff");
	expect(&snapshot, "consul-2 to consul-1");
	all_lone(&snapshot);
	sample_lose_pod(&snapshot, 1);
	expect(&snapshot, "consul-2 to consul-0");
	all_lone(&snapshot);
	snapshot.servers[0].pod.deleting = true;
	expect(&snapshot, "consul-2 to consul-1");
}

Test(deploy_lone, who_has_found_the_lowest_needs_no_help)
{
	struct snapshot snapshot;

	all_lone(&snapshot);
	sample_add_member(&snapshot, "consul-0", "10.0.0.10", MEMBER_ALIVE, true);
	expect(&snapshot, "");
	all_lone(&snapshot);
	sample_stop(&snapshot, 1, "ContainerCreating");
	sample_stop(&snapshot, 2, "ContainerCreating");
	expect(&snapshot, "");
}

Test(deploy_lone, a_healthy_cluster_is_left_alone)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	expect(&snapshot, "");
	sample_init(&snapshot, 3);
	sample_no_leader(&snapshot);
	expect(&snapshot, "");
}

Test(deploy_lone, nobody_where_one_that_runs_does_not_tell)
{
	struct snapshot snapshot;

	all_lone(&snapshot);
	sample_silence(&snapshot, 1, ERR_UNAVAILABLE, "connection refused");
	expect(&snapshot, "");
	all_lone(&snapshot);
	snapshot.servers[2].view.peers_known = false;
	expect(&snapshot, "");
	all_lone(&snapshot);
	snapshot.servers[2].view.members_known = false;
	expect(&snapshot, "");
	all_lone(&snapshot);
	snapshot.servers[2].view.self_known = false;
	expect(&snapshot, "");
	all_lone(&snapshot);
	snapshot.servers[2].container = NULL;
	expect(&snapshot, "");
}

Test(deploy_lone, nobody_where_one_has_a_leader_peers_or_data)
{
	struct snapshot snapshot;

	all_lone(&snapshot);
	snapshot.servers[2].view.self.leader_address = xstrdup("10.0.0.99:8300");
	expect(&snapshot, "");
	all_lone(&snapshot);
	snapshot.servers[2].view.self.role = RAFT_LEADER;
	expect(&snapshot, "");
	all_lone(&snapshot);
	snapshot.servers[2].view.self.last_log_index = 1;
	expect(&snapshot, "");
	all_lone(&snapshot);
	snapshot.servers[2].view.self.commit_index = 1;
	expect(&snapshot, "");
	all_lone(&snapshot);
	sample_add_peer(&snapshot, "consul-2", "10.0.0.12", true);
	expect(&snapshot, "");
}

Test(deploy_lone, nobody_where_one_has_found_servers_of_others)
{
	struct snapshot snapshot;

	all_lone(&snapshot);
	sample_add_member(&snapshot, "elsewhere", "10.9.9.9", MEMBER_ALIVE, true);
	expect(&snapshot, "");
}

Test(deploy_lone, the_key_changes_with_the_pods)
{
	struct snapshot snapshot;
	struct deploy_lone lone = DEPLOY_LONE_INIT;
	char *key;

	all_lone(&snapshot);
	deploy_lone(&snapshot, &lone);
	key = deploy_lone_key(&lone);
	cr_expect_str_eq(key, "uid-0 uid-1 uid-2");
	free(key);
	deploy_lone_release(&lone);
	cr_expect_null(deploy_lone_key(&lone));
	snapshot_release(&snapshot);
}

/* -------------------------------------------------------------------------------------------- joining */

/* consul-1 joins consul-0 through a tunnel, and the agent answers so. */
static void expect_join(int http_status, const char *body, const char *error)
{
	struct apiserver_route routes[] = {
		{ .pod = "consul-1", .port = 8500, .path = "/v1/status/leader", .answer = { .body = "\"\"" } },
		{ .pod = "consul-1",
		  .port = 8500,
		  .method = "PUT",
		  .path = "/v1/agent/join/10.0.0.10",
		  .answer = { .status = http_status, .body = body } },
		{ 0 }
	};
	struct apiserver_port ports[] = { { .pod = "consul-1" }, { 0 } };
	struct apiserver *server = apiserver_start(&(struct apiserver_options){ .routes = routes, .ports = ports });
	struct loop *loop = loop_new();
	struct kube_config config = { .server = xstrdup(apiserver_url(server)), .namespace_name = xstrdup("ns") };
	struct kube_client_options options = { 0 };
	struct kube_client *client = NULL;
	struct snapshot snapshot;
	struct err err = ERR_INIT;

	all_lone(&snapshot);
	cr_assert_eq(kube_client_new(loop, &config, &options, &client, &err), 0);
	cr_expect_eq(
	    deploy_join(client, &snapshot.servers[1], &snapshot.servers[0], NULL, clock_monotonic_ms() + LONG_MS, &err),
	    error ? -1 : 0);
	if (error)
		cr_expect_str_eq(err.message, error);
	cr_expect_eq(apiserver_count(server, "PUT", "*"), 1);
	err_release(&err);
	kube_client_free(client);
	loop_free(loop);
	apiserver_stop(server);
	kube_config_release(&config);
	snapshot_release(&snapshot);
}

Test(deploy_join, by_the_agent)
{
	expect_join(200, "", NULL);
	expect_join(403, "Permission denied\n",
	            "Consul on consul-1 refuses to join 10.0.0.10: Permission denied (that takes agent:write)");
	expect_join(500, "", "Consul on consul-1 refuses to join 10.0.0.10: it does not say why");
}
