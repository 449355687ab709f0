/* What health says of clusters in every state: the verdict first, the exit code, which server, what the others know. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* leave_on_terminate, so that a healthy cluster has no finding at all. */
#define WELL                                                                                                           \
	{                                                                                                              \
		.leaves_on_term = true                                                                                 \
	}
#define THREE_WELL                                                                                                     \
	{                                                                                                              \
		WELL, WELL, WELL                                                                                       \
	}

/* The row of the server table that begins with this name; a new string, "" when there is none. */
static char *row_of(const struct run_result *result, const char *server)
{
	const char *line = result->output;
	size_t length = strlen(server);

	while (*line) {
		size_t end = strcspn(line, "\n");

		if (strncmp(line, server, length) == 0 && line[length] == ' ')
			return xstrndup(line, end);
		line += end + (line[end] == '\n');
	}
	return xstrdup("");
}

static void assert_row(const struct run_result *result, const char *server, const char *text)
{
	_cleanup_free_ char *row = row_of(result, server);

	cr_assert(strstr(row, text), "no \"%s\" in the row of %s: \"%s\"\n%s", text, server, row, result->output);
}

/* ------------------------------------------------------------------------------------------- verdicts */

struct health_case {
	const char *name;
	struct cluster_server servers[5];
	size_t count; /* 0: 3 */
	int leader;
	int replicas;
	const char *verdict;
	int exit_code;
	const char *says[4];
	struct {
		const char *server, *text;
	} rows[3];
};

static const struct health_case cases[] = {
	{ .name = "well",
	  .servers = THREE_WELL,
	  .verdict = "HEALTHY",
	  .exit_code = 0,
	  .says = { "consul/consul", "3/3 voters", "leader consul-0", "tolerates 1 failure" },
	  .rows = { { "consul-0", "leader" }, { "consul-1", "follower" }, { "consul-2", "3/3" } } },
	{ .name = "five, another leader",
	  .servers = { WELL, WELL, WELL, WELL, WELL },
	  .count = 5,
	  .leader = 4,
	  .verdict = "HEALTHY",
	  .exit_code = 0,
	  .says = { "5/5 voters", "leader consul-3", "tolerates 2 failures" } },
	{ .name = "an agent is down",
	  .servers = { WELL, { .agent = AGENT_DOWN }, WELL },
	  .verdict = "DEGRADED",
	  .exit_code = 3,
	  .says = { "2/3 voters", "consul-1", "connection refused", "tolerates no failure" },
	  .rows = { { "consul-1", "failed" }, { "consul-2", "alive" } } },
	{ .name = "a pod is missing",
	  .servers = { WELL, WELL, { .no_pod = true } },
	  .verdict = "DEGRADED",
	  .exit_code = 3,
	  .says = { "2/3 voters", "consul-2", "CON10" } },
	{ .name = "a container crashes",
	  .servers = { { .waiting = "CrashLoopBackOff", .restarts = 7 }, WELL, WELL },
	  .leader = 2,
	  .verdict = "DEGRADED",
	  .exit_code = 3,
	  .says = { "consul-0", "CrashLoopBackOff", "2/3 voters" } },
	{ .name = "a pod is pending",
	  .servers = { WELL, WELL, { .phase = "Pending" } },
	  .verdict = "DEGRADED",
	  .exit_code = 3,
	  .says = { "consul-2", "2/3 voters" } },
	{ .name = "two of three are down",
	  .servers = { { .agent = AGENT_DOWN }, { .agent = AGENT_DOWN }, WELL },
	  .leader = NO_LEADER,
	  .verdict = "CRITICAL",
	  .exit_code = 2,
	  .says = { "1/3 voters", "consul-0", "consul-1" },
	  .rows = { { "consul-2", "candidate" }, { "consul-0", "failed" }, { "consul-0", "yes" } } },
	{ .name = "no leader, all alive",
	  .servers = THREE_WELL,
	  .leader = NO_LEADER,
	  .verdict = "CRITICAL",
	  .exit_code = 2,
	  .says = { "leader" } },
	{ .name = "leaders disagree",
	  .servers = { WELL, WELL, { .leader = 3, .leaves_on_term = true } },
	  .verdict = "CRITICAL",
	  .exit_code = 2,
	  .says = { "consul-0", "consul-2" } },
	{ .name = "a non-voter",
	  .servers = { WELL, WELL, WELL, WELL, { .peer = 'n', .leaves_on_term = true } },
	  .count = 5,
	  .verdict = "DEGRADED",
	  .exit_code = 3,
	  .says = { "consul-4", "4/" },
	  .rows = { { "consul-4", "no" } } },
	{ .name = "in no raft",
	  .servers = { WELL, WELL, { .peer = '-', .leaves_on_term = true } },
	  .verdict = "DEGRADED",
	  .exit_code = 3,
	  .says = { "consul-2" } },
	{ .name = "a server lags",
	  .servers = { WELL, WELL, { .lag = 700, .leaves_on_term = true } },
	  .verdict = "HEALTHY",
	  .exit_code = 0,
	  .says = { "consul-2" },
	  .rows = { { "consul-2", "700" } } },
	{ .name = "views disagree",
	  .servers = { WELL, WELL, { .sees = "afa", .leaves_on_term = true } },
	  .verdict = "DEGRADED",
	  .exit_code = 3,
	  .says = { "consul-2", "consul-1", "failed" },
	  .rows = { { "consul-1", "2/3" } } },
	{ .name = "peer sets disagree",
	  .servers = { WELL, WELL, { .peers = "VV-", .leaves_on_term = true } },
	  .verdict = "DEGRADED",
	  .exit_code = 3,
	  .says = { "consul-2" } },
	{ .name = "a left member that nobody misses",
	  .servers = { WELL, WELL, WELL, { .no_pod = true, .member = 'l', .peer = '-' } },
	  .count = 4,
	  .replicas = 3,
	  .verdict = "HEALTHY",
	  .exit_code = 0,
	  .says = { "3/3 voters" } },
	{ .name = "a failed one that is still a peer",
	  .servers = { WELL, WELL, WELL, { .no_pod = true, .member = 'f' } },
	  .count = 4,
	  .replicas = 3,
	  .verdict = "DEGRADED",
	  .exit_code = 3,
	  .says = { "3/4 voters" } },
	{ .name = "not ready",
	  .servers = { WELL, { .not_ready = true, .leaves_on_term = true }, WELL },
	  .verdict = "DEGRADED",
	  .exit_code = 3,
	  .says = { "consul-1", "ready" } },
	{ .name = "one server alone",
	  .servers = { WELL },
	  .count = 1,
	  .verdict = "HEALTHY",
	  .exit_code = 0,
	  .says = { "1/1 voter", "tolerates no failure" } },
	{ .name = "versions differ",
	  .servers = { WELL, WELL, { .version = "1.9.1", .leaves_on_term = true } },
	  .verdict = "HEALTHY",
	  .exit_code = 0,
	  .says = { "1.9.1", "consul-2" } },
	{ .name = "gossip in clear text",
	  .servers = { { .unencrypted = true, .leaves_on_term = true },
	               { .unencrypted = true, .leaves_on_term = true },
	               { .unencrypted = true, .leaves_on_term = true } },
	  .verdict = "HEALTHY",
	  .exit_code = 0,
	  .says = { "encrypt" } },
	{ .name = "all on one node",
	  .servers = { { .node = "n", .leaves_on_term = true },
	               { .node = "n", .leaves_on_term = true },
	               { .node = "n", .leaves_on_term = true } },
	  .verdict = "HEALTHY",
	  .exit_code = 0,
	  .says = { "node" } },
	{ .name = "nobody answers",
	  .servers = { { .agent = AGENT_DOWN }, { .agent = AGENT_DOWN }, { .agent = AGENT_DOWN } },
	  .verdict = "UNKNOWN",
	  .exit_code = 2,
	  .says = { "none of 3 servers answers" } },
};

static void run_case(const struct health_case *c, const char *via)
{
	struct cluster_options options = {
		.servers = c->servers, .count = c->count ? c->count : 3, .leader = c->leader, .replicas = c->replicas
	};
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health", "--via", via, "--timeout", "10s"), &result);
	cr_assert(str_starts_with(result.output, c->verdict), "%s by %s: not %s:\n%s%s", c->name, via, c->verdict,
	          result.output, result.error_output);
	cr_assert_eq(result.exit_code, c->exit_code, "%s by %s: %d", c->name, via, result.exit_code);
	cr_assert_str_empty(result.error_output, "%s by %s: %s", c->name, via, result.error_output);
	for (size_t i = 0; i < ARRAY_SIZE(c->says) && c->says[i]; i++)
		cr_assert(cli_says(&result, c->says[i]), "%s by %s: no \"%s\" in\n%s", c->name, via, c->says[i],
		          result.output);
	for (size_t i = 0; i < ARRAY_SIZE(c->rows) && c->rows[i].server; i++)
		assert_row(&result, c->rows[i].server, c->rows[i].text);
	run_result_release(&result);
}

Test(health, verdicts_by_tunnel)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(&cases[i], "tunnel");
}

Test(health, verdicts_by_exec)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(&cases[i], "exec");
}

/* -------------------------------------------------------------------------------------- golden screens */

Test(health, the_screen_of_a_healthy_cluster)
{
	static const struct cluster_server servers[] = THREE_WELL;
	struct cluster_options options = { .servers = servers, .count = 3 };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health"), &result);
	cr_assert_str_eq(
	    result.output,
	    "HEALTHY  consul/consul  3/3 voters · leader consul-0 · tolerates 1 failure\n"
	    "\n"
	    "SERVER     POD       MEMBER   RAFT       VOTER   LAG   SEEN   VERSION   RESTARTS   AGE   NODE\n"
	    "consul-0   Running   alive    leader     yes     -     3/3    1.8.7     0          24h   node-0\n"
	    "consul-1   Running   alive    follower   yes     0     3/3    1.8.7     0          24h   node-1\n"
	    "consul-2   Running   alive    follower   yes     0     3/3    1.8.7     0          24h   node-2\n"
	    "\n"
	    "encrypted  gossip; plain: HTTP API\n");
	run_result_release(&result);
}

Test(health, members_ends_as_the_old_example_did)
{
	static const struct cluster_server servers[] = THREE_WELL;
	struct cluster_options options = { .servers = servers, .count = 3 };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health", "--members"), &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	cr_assert(str_ends_with(result.output, "cluster is healthy\n"), "%s", result.output);
	assert_row(&result, "consul-0", "10.244.0.2:8301");
	assert_row(&result, "consul-2", "alive");
	run_result_release(&result);
}

/* ------------------------------------------------------------------------------------------------ JSON */

Test(health, json_for_a_program)
{
	static const struct cluster_server servers[] = { WELL, { .agent = AGENT_DOWN }, WELL };
	struct cluster_options options = { .servers = servers, .count = 3 };
	_cleanup_json_ cJSON *json = NULL;
	_cleanup_err_ struct err err = ERR_INIT;
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health", "-o", "json"), &result);
	cr_assert_eq(result.exit_code, 3);
	cr_assert_str_empty(result.error_output);
	cr_assert_eq(json_parse(result.output, result.output_length, &json, &err), 0, "%s", err.message);
	cr_assert_str_eq(json_string_at(json, "apiVersion"), "kubectl-consul/v1");
	cr_assert(strstr(result.output, "\"DEGRADED\"") && strstr(result.output, "\"CON201\""));
	run_result_release(&result);
}

Test(health, yaml_is_the_same_object)
{
	struct cluster_options options = { .count = 3 };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health", "-o", "yaml"), &result);
	cr_assert_eq(result.exit_code, 0);
	cr_assert(strstr(result.output, "apiVersion: kubectl-consul/v1\n"), "%s", result.output);
	run_result_release(&result);
}

Test(health, fail_on_critical_lets_degraded_pass)
{
	static const struct cluster_server servers[] = { WELL, { .agent = AGENT_DOWN }, WELL };
	struct cluster_options options = { .servers = servers, .count = 3 };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health", "--fail-on", "critical"), &result);
	cli_assert_verdict(&result, "DEGRADED", 0);
	run_result_release(&result);
}

/* ----------------------------------------------------------------------------- how it asks, and what for */

static unsigned count_tunnels(struct cluster *cluster)
{
	return (unsigned)apiserver_count(cluster_api(cluster), "GET", "*/portforward");
}

static unsigned count_execs(struct cluster *cluster)
{
	return (unsigned)apiserver_count(cluster_api(cluster), "GET", "*/exec");
}

Test(health, one_tunnel_for_each_server_and_no_command)
{
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .count = 3 });
	struct run_result result;

	cli_run_on(cluster, RUN_ARGV("health"), &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	cr_assert_eq(count_tunnels(cluster), 3);
	cr_assert_eq(count_execs(cluster), 0);
	cr_assert_eq(apiserver_count(cluster_api(cluster), "GET", "/v1/agent/members"), 3);
	cr_assert_eq(apiserver_count(cluster_api(cluster), NULL, "/v1/*"), 9);
	run_result_release(&result);
	cluster_stop(cluster);
}

Test(health, via_exec_is_one_command_for_each_server)
{
	static const struct cluster_server servers[] = { { .has_wget = true }, { 0 }, { 0 } };
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .servers = servers, .count = 3 });
	struct run_result result;

	cli_run_on(cluster, RUN_ARGV("health", "--via", "exec", "-o", "wide"), &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	assert_row(&result, "consul-0", "exec");
	cr_assert_eq(count_tunnels(cluster), 0);
	cr_assert_eq(count_execs(cluster), 3);
	run_result_release(&result);
	cluster_stop(cluster);
}

struct way_case {
	const char *name;
	enum cluster_way way;
	unsigned execs;
	const char *asked_by;
};

Test(health, the_other_way_is_taken_where_one_is_barred)
{
	static const struct way_case ways[] = {
		{ "exec only", WAY_EXEC, 3, "exec" },
		{ "tunnel only", WAY_TUNNEL, 0, "tunnel" },
		{ "no shell: each command by itself", WAY_NO_SHELL, 12, "exec" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct cluster_server server = { .way = ways[i].way };
		struct cluster_server servers[] = { server, server, server };
		struct cluster *cluster = cluster_start(&(struct cluster_options){ .servers = servers, .count = 3 });
		struct run_result result;

		cli_run_on(cluster, RUN_ARGV("health", "-o", "wide"), &result);
		cli_assert_verdict(&result, "HEALTHY", 0);
		assert_row(&result, "consul-2", ways[i].asked_by);
		cr_assert_eq(count_execs(cluster), ways[i].execs, "%s: %u", ways[i].name, count_execs(cluster));
		run_result_release(&result);
		cluster_stop(cluster);
	}
}

Test(health, requests_say_who_asks)
{
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .count = 1 });
	const struct apiserver_request *request;
	struct run_result result;

	cli_run_on(cluster, RUN_ARGV("health", "-n", "consul"), &result);
	request = apiserver_find(cluster_api(cluster), "GET", "*/portforward", 0);
	for (int i = 0; i < 2; i++) {
		_cleanup_free_ char *agent = apiserver_request_header(request, "User-Agent");
		_cleanup_free_ char *command = apiserver_request_header(request, "Kubectl-Command");
		_cleanup_free_ char *session = apiserver_request_header(request, "Kubectl-Session");

		cr_assert(agent && str_starts_with(agent, "kubectl-consul/"), "%s", request->headers);
		cr_assert_str_eq(command, "kubectl consul health");
		cr_assert(session && strlen(session) == 36, "%s", request->headers);
		request = apiserver_find(cluster_api(cluster), "GET", "/apis/apps/*", 0);
	}
	run_result_release(&result);
	cluster_stop(cluster);
}

/* ------------------------------------------------------------------------------- clusters of other makers */

Test(health, a_cluster_of_another_name_is_found_and_named)
{
	struct cluster_options options = { .count = 3, .set = "store", .unlabelled = true, .container = "server" };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health"), &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	cr_assert(strstr(result.error_output, "store"), "%s", result.error_output);
	cli_assert_says(&result, "store-2");
	run_result_release(&result);
}

Test(health, ordinals_do_not_begin_at_0_everywhere)
{
	struct cluster_options options = { .count = 3, .ordinal_start = 5 };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health"), &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	assert_row(&result, "consul-7", "follower");
	cr_assert_not(cli_says(&result, "consul-0"));
	run_result_release(&result);
}

Test(health, a_sidecar_and_a_crowd_do_not_confuse_it)
{
	static const struct cluster_server servers[] = { { .extra_container = "envoy" },
		                                         { 0 },
		                                         { .extra_container = "envoy" } };
	struct cluster *cluster =
	    cluster_start(&(struct cluster_options){ .servers = servers, .count = 3, .other_pods = 200 });
	struct run_result result;

	cli_run_on(cluster, RUN_ARGV("health", "--via", "exec"), &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	for (size_t i = 0; i < 3; i++) {
		_cleanup_free_ char *container =
		    apiserver_request_query(apiserver_find(cluster_api(cluster), "GET", "*/exec", i), "container", 0);

		cr_assert_str_eq(container, "consul");
	}
	run_result_release(&result);
	cluster_stop(cluster);
}

Test(health, kubernetes_1_20_has_only_the_old_budgets)
{
	struct cluster_options options = { .count = 3, .old_policy = true };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health"), &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	cr_assert_not(cli_says(&result, "PodDisruptionBudget"), "%s", result.output);
	run_result_release(&result);
	options.no_budget = true;
	cli_run_with(&options, RUN_ARGV("health"), &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	cli_assert_says(&result, "PodDisruptionBudget");
	run_result_release(&result);
}

/* On standard error, each once, however many answers say it. */
Test(health, warnings_of_the_api_server_are_told)
{
	static const struct apiserver_route routes[] = {
		{ .path = "/api/v1/namespaces/consul/persistentvolumeclaims",
		  .answer = { .body = "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"metadata\":{},\"items\":[]}",
		              .headers = "Warning: 299 - \"v1 Pod is \\\"old\\\"\", 299 - \"a\033[31mb\"\r\n" } },
		{ 0 },
	};
	struct cluster_options options = { .count = 3, .api = { .routes = routes } };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health"), &result);
	cr_assert_str_eq(result.error_output, "Warning: v1 Pod is \"old\"\nWarning: a^[[31mb\n", "%s",
	                 result.error_output);
	run_result_release(&result);
}

Test(health, leftover_claims_are_told)
{
	struct cluster_options options = { .count = 3, .leftover_claims = 2, .leftover_age_s = (int64_t)200 * 3600 };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health"), &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	cli_assert_says(&result, "data-consul-4");
	run_result_release(&result);
}
