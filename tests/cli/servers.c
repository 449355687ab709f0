/*
 * Servers that answer badly, or not: the verdict counts them as dead, says which and why, and shows what is known of
 * the others; nothing hangs longer than --timeout.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "util/mem.h"
#include "util/str.h"

#define TIMEOUT_MS 1500
#define SLACK_MS   4000 /* for a busy machine and sanitizers */

struct server_case {
	const char *name;
	struct cluster_server server; /* consul-1 of three */
	const char *verdict;          /* NULL: DEGRADED */
	const char *says[2];
	bool waits; /* until the time-out; the others must not */
};

static const struct server_case cases[] = {
	{ .name = "agent down", .server = { .agent = AGENT_DOWN }, .says = { "connection refused" } },
	{ .name = "ACL denies all",
	  .server = { .agent = AGENT_ACL_DENIED },
	  .says = { "Permission denied", "CON204" } },
	{ .name = "ACL denies operator",
	  .server = { .agent = AGENT_NO_OPERATOR },
	  .verdict = "HEALTHY",
	  .says = { "Permission denied", "CON205" } },
	{ .name = "agent hangs", .server = { .agent = AGENT_HANGS }, .says = { "timed out" }, .waits = true },
	{ .name = "half an answer", .server = { .agent = AGENT_HALF }, .says = { "timed out" }, .waits = true },
	{ .name = "HTML", .server = { .agent = AGENT_GARBAGE }, .says = { "not JSON" } },
	{ .name = "escapes", .server = { .agent = AGENT_ESCAPES }, .says = { "^[" } },
	{ .name = "10 MB in one line", .server = { .agent = AGENT_LONG_LINE }, .says = { "not JSON" } },
	{ .name = "neither way allowed", .server = { .way = WAY_NONE }, .says = { "pods/portforward", "pods/exec" } },
	{ .name = "exec hangs", .server = { .way = WAY_EXEC_HANGS }, .says = { "timed out" }, .waits = true },
	{ .name = "exec drops", .server = { .way = WAY_EXEC_DROPS }, .says = { "cut off" } },
	{ .name = "half a frame", .server = { .way = WAY_HALF_FRAME }, .says = { "timed out" }, .waits = true },
	{ .name = "a Status that is no JSON", .server = { .way = WAY_NOT_JSON }, .says = { "JSON" } },
	{ .name = "no shell", .server = { .way = WAY_NO_SHELL }, .verdict = "HEALTHY" },
};

static void assert_others_are_known(const struct server_case *c, const struct run_result *result)
{
	static const char *const others[] = { "\nconsul-0   Running   alive", "\nconsul-2   Running   alive" };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		cr_assert(strstr(result->output, others[i]), "%s:\n%s", c->name, result->output);
}

Test(servers, one_that_is_broken_does_not_hide_the_others)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct server_case *c = &cases[i];
		struct cluster_server servers[] = { { 0 }, c->server, { 0 } };
		struct cluster_options options = { .servers = servers, .count = 3 };
		struct run_result result;

		cli_run_with(&options, RUN_ARGV("health", "--timeout", "1500ms"), &result);
		if (c->verdict)
			cli_assert_verdict(&result, c->verdict, 0);
		else
			cli_assert_verdict(&result, "DEGRADED", 3);
		assert_others_are_known(c, &result);
		for (size_t k = 0; k < ARRAY_SIZE(c->says) && c->says[k]; k++)
			cr_assert(cli_says(&result, c->says[k]), "%s: no \"%s\" in\n%s", c->name, c->says[k],
			          result.output);
		cr_assert(c->verdict || strstr(result.output, " consul-1"), "%s:\n%s", c->name, result.output);
		cr_assert_lt(result.wall_ms, TIMEOUT_MS + SLACK_MS, "%s: %ld ms", c->name, (long)result.wall_ms);
		cr_assert(!c->waits || result.wall_ms >= TIMEOUT_MS - 100, "%s: %ld ms", c->name, (long)result.wall_ms);
		cr_assert_lt(result.output_length, 20000, "%s", c->name);
		run_result_release(&result);
	}
}

/* Values of megabytes, of bytes that become four when they are made visible. */
static void make_long_member(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct buf *out = &answer->scratch;

	(void)context;
	(void)request;
	out->max = BUF_TEXT_MAX;
	buf_adds(
	    out,
	    "[{\"Name\":\"consul-0\",\"Addr\":\"10.244.0.2\",\"Status\":1,\"Tags\":{\"role\":\"consul\",\"build\":\"");
	while (out->len < (size_t)8 * 1024 * 1024)
		buf_addc(out, '\xff');
	buf_adds(out, "\"}},{\"Addr\":\"10.244.0.3\",\"Status\":1,\"Name\":\"");
	while (out->len < (size_t)15 * 1024 * 1024)
		buf_addc(out, '\xff');
	buf_adds(out, "\"}]");
	answer->body = out->data;
	answer->length = out->len;
}

Test(servers, values_of_megabytes_are_cut)
{
	static const struct apiserver_route routes[] = {
		{ .pod = "consul-0", .path = "/v1/agent/members", .make = make_long_member }, { 0 }
	};
	static const char *const commands[][5] = { { "health", "--via", "tunnel", NULL },
		                                   { "health", "--members", NULL } };

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		struct cluster_options options = { .count = 3, .api = { .routes = routes } };
		struct run_result result;

		cli_run_with(&options, commands[i], &result);
		cli_assert_verdict(&result, "DEGRADED", 3);
		cr_assert_lt(result.output_length, 100000);
		run_result_release(&result);
	}
}

Test(servers, too_many_to_be_looked_at)
{
	struct cluster_options options = { .count = 3, .replicas = 2000000000 };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health", "--timeout", "5s"), &result);
	cr_assert_eq(result.exit_code, 1);
	cr_assert_str_eq(result.error_output,
	                 "error: StatefulSet \"consul\" is scaled to 2000000000 servers; more than "
	                 "5000 are not looked at\n");
	cr_assert_str_empty(result.output);
	run_result_release(&result);
}

/* ---------------------------------------------------------------------------------- upgrades that are refused */

static void run_refused(const struct upgrade_refusal *refusal, const char *subresource, const char *via)
{
	_cleanup_free_ char *path = xasprintf("/api/v1/namespaces/*/pods/consul-0/%s", subresource);
	const struct apiserver_route routes[] = { { .path = path, .answer = refusal->answer }, { 0 } };
	struct cluster_options options = { .count = 3, .leader = 2, .api = { .routes = routes } };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health", "--via", via, "--timeout", "5s"), &result);
	cr_assert_eq(result.exit_code, 3, "%s of %s: %d\n%s", refusal->name, subresource, result.exit_code,
	             result.output);
	cli_assert_verdict(&result, "DEGRADED", 3);
	cr_assert(strstr(result.output, " consul-0"), "%s:\n%s", refusal->name, result.output);
	cr_assert_lt(result.wall_ms, 5000 + SLACK_MS, "%s: %ld ms", refusal->name, (long)result.wall_ms);
	run_result_release(&result);
}

Test(servers, refused_execs)
{
	for (const struct upgrade_refusal *refusal = upgrade_refusals; refusal->name; refusal++)
		run_refused(refusal, "exec", "exec");
}

Test(servers, refused_tunnels)
{
	for (const struct upgrade_refusal *refusal = upgrade_refusals; refusal->name; refusal++)
		run_refused(refusal, "portforward", "tunnel");
}

/* -------------------------------------------------------------------------------- frames as small as they get */

Test(servers, frames_and_writes_of_one_byte_make_no_difference)
{
	static const char *const ways[] = { "exec", "tunnel" };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct cluster_options options = { .count = 3, .frame_bytes = 1, .write_bytes = 1 };
		struct run_result result;

		cli_run_with(&options, RUN_ARGV("health", "--via", ways[i], "--timeout", "20s"), &result);
		cli_assert_verdict(&result, "HEALTHY", 0);
		run_result_release(&result);
	}
}

Test(servers, a_slow_network_delays_each_answer_and_changes_none)
{
	struct cluster_options options = {
		.count = 3, .frame_bytes = 100, .write_bytes = 33, .api = { .delay_ms = 50 }
	};
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health"), &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	run_result_release(&result);
}

/* Without a leader Consul holds the raft question for seconds: nobody waits for it who knows that already. */
Test(servers, a_raft_question_that_is_held_holds_nobody_up)
{
	static const struct apiserver_route held[] = {
		{ .pod = "consul-*", .path = "/v1/operator/raft/configuration", .answer = { .fault = FAULT_SILENCE } },
		{ 0 },
	};
	struct cluster_options options = { .count = 3, .leader = NO_LEADER, .api = { .routes = held } };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health", "--via", "tunnel", "--timeout", "25s"), &result);
	cli_assert_verdict(&result, "CRITICAL", 2);
	cr_assert_lt(result.wall_ms, 10000);
	cr_assert(strstr(result.output, "no leader"), "%s", result.output);
	run_result_release(&result);
}

/* Nor when they still name the leader that is gone: what they say of themselves has to do. */
Test(servers, a_raft_question_that_is_held_for_a_leader_holds_nobody_up_for_long)
{
	static const struct apiserver_route held[] = {
		{ .pod = "consul-*", .path = "/v1/operator/raft/configuration", .answer = { .fault = FAULT_SILENCE } },
		{ 0 },
	};
	struct cluster_options options = { .count = 3, .api = { .routes = held } };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health", "--via", "tunnel", "--timeout", "25s"), &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	cr_assert_lt(result.wall_ms, 10000);
	run_result_release(&result);
}
