/* The ACL token on its way to the servers: in tunnels and over stdin, in none of the words that others see. */
#include <string.h>

#include <criterion/criterion.h>

#include "tell_scene.h"

#include "consul/agent.h"
#include "consul/backup.h"
#include "consul/certificate.h"
#include "consul/refusal.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#define TOKEN "b1gs33cr-e7d4-4c1e-9f2b-0123456789ab"

static struct scene scene;

static void start(const struct cluster_options *options)
{
	scene_start_with(&scene, options);
}

static void look(struct access *access)
{
	struct observe_options how = {
		.namespace_name = "consul",
		.access = access,
		.autopilot = true,
		.deadline_ms = clock_monotonic_ms() + TELL_LONG_MS,
	};

	snapshot_release(&scene.snapshot);
	scene.snapshot = (struct snapshot)SNAPSHOT_INIT;
	cr_assert_eq(observe(scene.client, &how, &scene.snapshot, &scene.err), 0, "%s", scene.err.message);
}

static void stop(void)
{
	if (scene.cluster)
		scene_stop(&scene);
}

TestSuite(access_ways, .fini = stop, .timeout = 60);

/* Neither an URL (the words of a command are in it) nor, but for X-Consul-Token and stdin, anything else. */
static void expect_discretion(void)
{
	for (size_t i = 0; i < apiserver_request_total(scene.api); i++) {
		const struct apiserver_request *request = apiserver_request_at(scene.api, i);
		bool to_api_server = !request->pod;

		cr_expect_null(strstr(request->path, "b1gs33cr"));
		cr_expect_null(strstr(request->query, "b1gs33cr"), "%s", request->query);
		cr_expect(!to_api_server || !strstr(request->headers, "b1gs33cr"), "%s", request->headers);
	}
}

static void expect_all_known(enum ask_way way)
{
	for (size_t i = 0; i < scene.snapshot.server_count; i++) {
		const struct view *view = &scene.snapshot.servers[i].view;

		cr_expect_eq(view->way, way);
		cr_expect(view->members_known && view->peers_known && view->self_known, "%zu: %s", i,
		          view_first_err(view) ? view_first_err(view)->message : "");
		cr_expect_eq(view->member_count, scene.snapshot.server_count);
	}
	cr_expect(scene.snapshot.autopilot.known, "%s", scene.snapshot.autopilot.err.message);
	expect_discretion();
}

/* -------------------------------------------------------------------------------------------- asking */

Test(access_ways, in_a_tunnel_it_is_a_header)
{
	struct access access = { .via = ASK_TUNNEL, .given = TOKEN };

	start(&(struct cluster_options){ .count = 3, .acl_token = TOKEN });
	look(&access);
	expect_all_known(ASK_TUNNEL);
}

/* What the image has decides what is run: the scripted programs take no command line with the token in it. */
Test(access_ways, to_exec_it_comes_over_stdin)
{
	for (int tools = 0; tools < 4; tools++) {
		const struct cluster_server server = { .has_wget = tools & 1, .has_curl = tools & 2 };
		const struct cluster_server servers[] = { server, server, server };
		struct access access = { .via = ASK_EXEC, .given = TOKEN };

		start(&(struct cluster_options){ .servers = servers, .count = 3, .acl_token = TOKEN });
		look(&access);
		expect_all_known(ASK_EXEC);
		/* curl and wget give JSON, which tells more than the CLI's table; wget is not used with a token. */
		cr_expect_eq(scene.snapshot.servers[0].view.self.name != NULL, (tools & 2) != 0, "%d", tools);
		for (size_t i = 0; i < 3; i++)
			cr_expect_str_eq(apiserver_find(scene.api, "STDIN", NULL, i)->body, TOKEN "\n");
		scene_stop(&scene);
	}
	memset(&scene, 0, sizeof(scene));
}

Test(access_ways, without_a_token_no_stdin_is_asked_for)
{
	static const struct cluster_server servers[] = { { .has_wget = true }, { .has_curl = true }, { 0 } };
	struct access access = { .via = ASK_EXEC };

	start(&(struct cluster_options){ .servers = servers, .count = 3 });
	look(&access);
	expect_all_known(ASK_EXEC);
	for (size_t i = 0; i < apiserver_request_total(scene.api); i++)
		cr_expect_null(strstr(apiserver_request_at(scene.api, i)->query, "stdin=true"));
}

Test(access_ways, without_a_shell_a_token_needs_a_tunnel)
{
	static const struct cluster_server servers[] = { { .way = WAY_NO_SHELL } };
	struct access access = { .given = TOKEN };
	const struct view *view;

	start(&(struct cluster_options){ .servers = servers, .count = 1, .acl_token = TOKEN });
	look(&access);
	view = &scene.snapshot.servers[0].view;
	cr_assert_not(view_answered(view));
	cr_assert_not_null(strstr(view->self_err.message, "no shell"), "%s", view->self_err.message);
	cr_assert_not_null(strstr(view->self_err.message, "--via tunnel"), "%s", view->self_err.message);
	expect_discretion();
}

/* Consul's no to our token is its no by any way. */
Test(access_ways, a_token_that_is_refused_is_not_tried_by_exec)
{
	struct access access = { .given = "wrong" };
	const struct view *view;
	size_t execs;

	start(&(struct cluster_options){ .count = 3, .acl_token = TOKEN });
	execs = apiserver_count(scene.api, NULL, "*/exec");
	cr_assert_gt(execs, 0, "without one the container's own might do");
	look(&access);
	view = &scene.snapshot.servers[0].view;
	cr_assert_eq(view->self_err.kind, ERR_FORBIDDEN);
	cr_assert_not_null(strstr(view->self_err.message, "ACL not found"), "%s", view->self_err.message);
	cr_assert_eq(apiserver_count(scene.api, NULL, "*/exec"), execs);
}

/* ------------------------------------------------------------------- a token that Consul does not know yet */

Test(access_ways, the_secrets_token_may_be_unknown_to_consul_yet)
{
	for (enum ask_way way = ASK_TUNNEL; way <= ASK_EXEC; way++) {
		struct access access = { .via = way };

		start(&(struct cluster_options){
		    .count = 3, .acl_token = TOKEN, .acl_allows = true, .secret = "not-bootstrapped" });
		look(&access);
		cr_expect_str_eq(access.found, "not-bootstrapped");
		expect_all_known(way);
		access_release(&access);
		scene_stop(&scene);
	}
	memset(&scene, 0, sizeof(scene));
}

Test(access_ways, what_it_was_refused_for_is_said_where_nothing_is_allowed_without)
{
	struct access access = { .via = ASK_TUNNEL };
	const struct view *view;

	start(&(struct cluster_options){ .count = 3, .acl_token = TOKEN, .secret = "not-bootstrapped" });
	look(&access);
	view = &scene.snapshot.servers[1].view;
	cr_assert_not(view_answered(view));
	cr_assert_eq(view->self_err.kind, ERR_FORBIDDEN);
	cr_assert_not_null(strstr(view->self_err.message, "ACL not found"), "%s", view->self_err.message);
	access_release(&access);
}

Test(access_ways, an_order_does_without_it_too)
{
	struct access access = { .found = (char[]){ "not-bootstrapped" }, .looked = true };
	const struct tell order = { TELL_FORCE_LEAVE, "consul-2" };

	start(&(struct cluster_options){ .count = 3, .acl_token = TOKEN, .acl_allows = true });
	for (access.via = ASK_TUNNEL; access.via <= ASK_EXEC; access.via++)
		cr_expect_eq(tell(scene.client, &scene.snapshot.servers[0], &order, &access,
		                  clock_monotonic_ms() + TELL_LONG_MS, &scene.err),
		             0, "%s", scene.err.message);
	access = (struct access){ .given = "not-bootstrapped" };
	cr_expect_eq(tell(scene.client, &scene.snapshot.servers[0], &order, &access,
	                  clock_monotonic_ms() + TELL_LONG_MS, &scene.err),
	             -1);
	cr_expect_eq(scene.err.kind, ERR_FORBIDDEN);
}

/* ------------------------------------------------------------- a server that knows no token for the lack of a leader
 */

#define RECOVERY "b1gs33cr-0000-4c1e-9f2b-0123456789ab"

static const struct cluster_server lost_tokens[] = { { .knows_no_token = true, .has_curl = true },
	                                             { .knows_no_token = true },
	                                             { 0 } };
static const struct cluster_options without_leader = {
	.servers = lost_tokens,
	.count = 3,
	.leader = NO_LEADER,
	.acl_token = TOKEN,
	.secret = TOKEN,
	.recovery = RECOVERY,
};

static void expect_told_all(const struct view *view, bool got_round)
{
	cr_assert(view->self_known && view->members_known && view->peers_known, "%s", view_first_err(view)->message);
	cr_expect_eq(view->peers_source, PEERS_SELF);
	cr_expect_eq(view->peer_count, 3);
	cr_expect_eq(view->member_count, 3);
	cr_expect_eq(refusal_was_got_round(view), got_round, "%s", view->peers_err.message);
}

Test(access_ways, who_knows_no_token_is_asked_with_the_recovery_token)
{
	for (enum ask_way way = ASK_TUNNEL; way <= ASK_EXEC; way++) {
		struct access access = { .via = way };

		start(&without_leader);
		look(&access);
		cr_expect_str_eq(access_token(&access), TOKEN);
		for (size_t i = 0; i < 3; i++)
			expect_told_all(&scene.snapshot.servers[i].view, i < 2);
		expect_discretion();
		access_release(&access);
		scene_stop(&scene);
	}
	memset(&scene, 0, sizeof(scene));
}

/* Consul holds the raft question for seconds before it says that it does not know the token. */
Test(access_ways, an_unknown_token_is_not_waited_for)
{
	static const struct apiserver_route held[] = {
		{ .pod = "consul-*", .path = "/v1/operator/raft/configuration", .answer = { .fault = FAULT_SILENCE } },
		{ 0 },
	};
	struct cluster_options options = without_leader;
	struct access access = { .via = ASK_TUNNEL };
	int64_t began_ms;

	options.api.routes = held;
	start(&options);
	began_ms = clock_monotonic_ms();
	look(&access);
	for (size_t i = 0; i < 3; i++)
		cr_expect(scene.snapshot.servers[i].view.self_known && scene.snapshot.servers[i].view.peers_known);
	cr_expect_lt(clock_monotonic_ms() - began_ms, 2000);
	access_release(&access);
}

/* How often that token was shown, by either way. */
static size_t count_recovery(void)
{
	size_t count = 0;

	for (size_t i = 0; i < apiserver_request_total(scene.api); i++) {
		const struct apiserver_request *request = apiserver_request_at(scene.api, i);

		count += strstr(request->headers, RECOVERY) || (request->body && strstr(request->body, RECOVERY));
	}
	return count;
}

Test(access_ways, the_recovery_token_costs_nothing_where_the_other_is_known)
{
	struct cluster_options options = without_leader;
	struct access access = { .via = ASK_TUNNEL };

	options.servers = NULL;
	options.leader = 0;
	start(&options);
	look(&access);
	expect_all_known(ASK_TUNNEL);
	cr_expect_eq(count_recovery(), 0);
	access_release(&access);
}

Test(access_ways, the_users_own_token_is_the_only_one_and_may_be_the_recovery_token)
{
	struct access access = { .via = ASK_TUNNEL, .given = TOKEN };

	start(&without_leader);
	look(&access);
	cr_expect_eq(count_recovery(), 0);
	cr_expect_not(view_answered(&scene.snapshot.servers[0].view));
	access.given = RECOVERY;
	look(&access);
	for (size_t i = 0; i < 3; i++)
		expect_told_all(&scene.snapshot.servers[i].view, false);
}

Test(access_ways, a_server_that_knows_no_token_joins_by_the_recovery_token)
{
	struct access access = { .found = (char[]){ TOKEN }, .recovery = (char[]){ RECOVERY }, .looked = true };
	const struct tell join = { TELL_JOIN, "10.244.0.3" };

	start(&without_leader);
	for (access.via = ASK_TUNNEL; access.via <= ASK_EXEC; access.via++) {
		err_release(&scene.err);
		cr_expect_eq(tell(scene.client, &scene.snapshot.servers[0], &join, &access,
		                  clock_monotonic_ms() + TELL_LONG_MS, &scene.err),
		             0, "%s", scene.err.message);
	}
	expect_discretion();
}

/* -------------------------------------------------------------------------------------------- telling */

Test(access_ways, orders_carry_it)
{
	const struct tell order = { TELL_FORCE_LEAVE, "consul-2" };
	struct access access = { .given = TOKEN };

	start(&(struct cluster_options){ .count = 3, .acl_token = TOKEN });
	for (access.via = ASK_TUNNEL; access.via <= ASK_EXEC; access.via++)
		cr_expect_eq(tell(scene.client, &scene.snapshot.servers[0], &order, &access,
		                  clock_monotonic_ms() + TELL_LONG_MS, &scene.err),
		             0, "%s", scene.err.message);
	cr_expect_eq(apiserver_count(scene.api, "PUT", "/v1/agent/force-leave/consul-2"), 1);
	cr_expect_str_eq(apiserver_find(scene.api, "STDIN", NULL, 0)->body, TOKEN "\n");
	expect_discretion();
	access.given = NULL;
	access.via = ASK_TUNNEL;
	cr_expect_eq(tell(scene.client, &scene.snapshot.servers[0], &order, &access,
	                  clock_monotonic_ms() + TELL_LONG_MS, &scene.err),
	             -1);
	cr_expect_not_null(strstr(scene.err.message, "operator:write"), "%s", scene.err.message);
}

/* A foreign string stays one word, though a shell is there. */
Test(access_ways, an_argument_is_no_word_of_the_shell)
{
	const struct tell order = { TELL_FORCE_LEAVE, "x;$(id) y" };
	struct access access = { .via = ASK_EXEC, .given = TOKEN };
	_cleanup_free_ char *word = NULL;
	size_t execs;

	start(&(struct cluster_options){ .count = 3, .acl_token = TOKEN });
	cr_assert_eq(tell(scene.client, &scene.snapshot.servers[0], &order, &access,
	                  clock_monotonic_ms() + TELL_LONG_MS, &scene.err),
	             -1);
	execs = apiserver_count(scene.api, "GET", "*/pods/consul-0/exec");
	word =
	    apiserver_request_query(apiserver_find(scene.api, "GET", "*/pods/consul-0/exec", execs - 1), "command", 6);
	cr_assert_str_eq(word, "x;$(id) y");
}

/* --------------------------------------------------------------------------------------------- backup */

static const char snapshot_path[] = "/v1/snapshot";
static const struct apiserver_route refuses[] = {
	{ .pod = "*", .path = snapshot_path, .answer = { .status = 403, .body = "Permission denied" } }, { 0 }
};
static const struct apiserver_exec exec_refuses[] = {
	{ .pod = "*",
	  .command = "sh -c *snapshot save*",
	  .input_until = "\n",
	  .answer = { .error_output = "Error: 403 (Permission denied)", .exit_code = 1 } },
	{ 0 },
};

/* Consul's no to our token is its no by any way; without one the container's own might do. */
Test(access_ways, a_backup_carries_it)
{
	struct access access = { .given = TOKEN };
	struct backup_info info;

	start(&(struct cluster_options){ .count = 1 });
	scene_script(&scene, refuses, exec_refuses);
	for (access.via = ASK_NONE; access.via <= ASK_EXEC; access.via++) {
		err_release(&scene.err);
		cr_assert_eq(backup_save(scene.client, &scene.snapshot.servers[0], &access, "/tmp/never-made",
		                         clock_monotonic_ms() + TELL_LONG_MS, &info, &scene.err),
		             -1);
		cr_expect_eq(scene.err.kind, ERR_FORBIDDEN, "%s", scene.err.message);
		cr_expect_not_null(strstr(scene.err.hint, "--token-file"));
	}
	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ char *token =
		    apiserver_request_header(apiserver_find(scene.api, "GET", snapshot_path, i), "X-Consul-Token");

		cr_expect_str_eq(token, TOKEN);
	}
	cr_expect_eq(apiserver_count(scene.api, NULL, "*/exec"), 1);
	cr_expect_str_eq(apiserver_find(scene.api, "STDIN", NULL, 0)->body, TOKEN "\n");
	expect_discretion();
}

/* ------------------------------------------------------------------------------------- one request */

static int call_agent(struct agent_call *call, const struct access *access)
{
	err_release(&scene.err);
	return agent_call(scene.client, &scene.snapshot.servers[0], access, call, clock_monotonic_ms() + TELL_LONG_MS,
	                  &scene.err);
}

Test(access_ways, one_request_has_the_token_that_is_wanted)
{
	static const struct {
		const char *access, *call;
		long status;
	} cases[] = {
		{ TOKEN, NULL, 200 }, { TOKEN, "", 403 },      { NULL, TOKEN, 200 },
		{ NULL, NULL, 403 },  { TOKEN, "other", 403 },
	};

	start(&(struct cluster_options){ .count = 1, .acl_token = TOKEN });
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct access access = { .given = cases[i].access };
		struct agent_call call = AGENT_CALL_INIT;

		call.path = "/v1/agent/self";
		call.token = cases[i].call;
		cr_assert_eq(call_agent(&call, &access), 0, "%s", scene.err.message);
		cr_expect_eq(call.http_status, cases[i].status, "%zu: %ld", i, call.http_status);
		cr_expect(call.answer.secret);
		if (call.http_status == 403) {
			_cleanup_free_ char *words = agent_words(&call);

			cr_expect_str_eq(words,
			                 cases[i].call && *cases[i].call ? "ACL not found" : "Permission denied");
		}
		agent_call_release(&call);
	}
	expect_discretion();
}

Test(access_ways, one_request_has_no_other_way)
{
	static const struct cluster_server servers[] = { { .way = WAY_EXEC } };
	struct agent_call call = AGENT_CALL_INIT;

	start(&(struct cluster_options){ .servers = servers, .count = 1 });
	call.path = "/v1/agent/self";
	cr_assert_eq(call_agent(&call, NULL), -1);
	cr_assert_eq(scene.err.kind, ERR_FORBIDDEN);
	cr_assert_not_null(strstr(scene.err.hint, "pods/portforward"));
	agent_call_release(&call);
	cr_assert_eq(apiserver_count(scene.api, "POST", "*"), 0);
}

/* --------------------------------------------------------------------------------------------- https */

Test(access_ways, https_shows_the_certificate)
{
	struct access access = { .given = TOKEN };
	char *pem = NULL;

	start(&(struct cluster_options){ .count = 3, .acl_token = TOKEN, .https = true });
	look(&access);
	expect_all_known(ASK_TUNNEL);
	for (size_t i = 0; i < 3; i++) {
		const struct certificate *certificate = &scene.snapshot.servers[i].view.certificate;

		cr_assert(certificate->known);
		cr_assert(certificate_has_name(certificate, "server.dc1.consul"));
	}
	cr_assert_eq(agent_certificate(scene.client, &scene.snapshot.servers[0], clock_monotonic_ms() + TELL_LONG_MS,
	                               &pem, &scene.err),
	             0, "%s", scene.err.message);
	cr_assert(str_starts_with(pem, "-----BEGIN CERTIFICATE-----\n"));
	cr_assert(str_ends_with(pem, "-----END CERTIFICATE-----\n"));
	free(pem);
}

Test(access_ways, a_certificate_beside_plain_http_is_seen)
{
	char *pem = NULL;

	start(&(struct cluster_options){ .count = 1, .https_too = true });
	cr_assert_eq(agent_certificate(scene.client, &scene.snapshot.servers[0], clock_monotonic_ms() + TELL_LONG_MS,
	                               &pem, &scene.err),
	             0, "%s", scene.err.message);
	cr_assert(pem && str_starts_with(pem, "-----BEGIN CERTIFICATE-----\n"));
	free(pem);
}

Test(access_ways, without_https_there_is_no_certificate)
{
	char *pem = (char[]){ "?" };

	start(&(struct cluster_options){ .count = 1 });
	cr_assert_eq(agent_certificate(scene.client, &scene.snapshot.servers[0], clock_monotonic_ms() + TELL_LONG_MS,
	                               &pem, &scene.err),
	             0);
	cr_assert_null(pem);
	cr_assert_not(scene.snapshot.servers[0].view.certificate.known);
}
