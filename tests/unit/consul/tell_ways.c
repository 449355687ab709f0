/* Orders to servers: which way they go, what happens when time is short, and autopilot's settings. */
#include <unistd.h>

#include <criterion/criterion.h>

#include "consul/tell_way.h"
#include "tell_scene.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#define EXEC_PATH "/api/v1/namespaces/consul/pods/consul-0/exec"
#define AUTOPILOT "/v1/operator/autopilot/configuration"

/* --------------------------------------------------------------------------------------- the other way */

Test(tell_ways, the_way_that_answered_last)
{
	struct scene scene;

	scene_start(&scene, NULL);
	scene.snapshot.servers[0].view.way = ASK_EXEC;
	scene_expect_fine(&scene, TELL_JOIN, "10.244.0.3", ASK_NONE);
	scene_expect_sent(&scene, "exec consul join 10.244.0.3");
	scene.snapshot.servers[0].view.way = ASK_TUNNEL;
	scene_expect_fine(&scene, TELL_JOIN, "10.244.0.3", ASK_NONE);
	scene_expect_sent(&scene, TELL_KNOCK ", PUT /v1/agent/join/10.244.0.3");
	scene.snapshot.servers[0].view.way = ASK_NONE;
	scene_expect_fine(&scene, TELL_JOIN, "10.244.0.3", ASK_NONE);
	scene_expect_sent(&scene, TELL_KNOCK ", PUT /v1/agent/join/10.244.0.3");
	scene_stop(&scene);
}

Test(tell_ways, a_tunnel_that_may_not_be_had)
{
	static const struct cluster_server servers[] = { { .way = WAY_EXEC }, { 0 }, { 0 } };
	struct scene scene;

	scene_start(&scene, servers);
	scene.snapshot.servers[0].view.way = ASK_TUNNEL;
	scene_expect_fine(&scene, TELL_LEAVE, "", ASK_NONE);
	scene_expect_sent(&scene, "exec consul leave");
	scene_expect_failure(&scene, TELL_LEAVE, "", ASK_TUNNEL, ERR_FORBIDDEN, "pods/portforward");
	scene_expect_sent(&scene, "");
	scene_stop(&scene);
}

Test(tell_ways, an_exec_that_may_not_be_had)
{
	static const struct cluster_server servers[] = { { .way = WAY_TUNNEL }, { 0 }, { 0 } };
	struct scene scene;

	scene_start(&scene, servers);
	scene.snapshot.servers[0].view.way = ASK_EXEC;
	scene_expect_fine(&scene, TELL_FORCE_LEAVE, "consul-1", ASK_NONE);
	scene_expect_sent(&scene,
	                  "exec consul force-leave consul-1, " TELL_KNOCK ", PUT /v1/agent/force-leave/consul-1");
	scene_expect_failure(&scene, TELL_LEAVE, "", ASK_EXEC, ERR_FORBIDDEN, "pods/exec");
	scene_stop(&scene);
}

Test(tell_ways, neither_way)
{
	static const struct cluster_server servers[] = { { .way = WAY_NONE }, { 0 }, { 0 } };
	struct scene scene;

	scene_start(&scene, servers);
	scene_expect_failure(&scene, TELL_LEAVE, "", ASK_NONE, ERR_FORBIDDEN,
	                     "by tunnel: pods \"consul-0\" is forbidden");
	cr_expect_not_null(strstr(scene.err.message, "; by exec: pods \"consul-0\" is forbidden"));
	scene_stop(&scene);
}

Test(tell_ways, a_pod_that_is_gone_is_not_consuls_not_found)
{
	struct scene scene;

	scene_start(&scene, NULL);
	cluster_set_server(scene.cluster, 0, &(struct cluster_server){ .no_pod = true });
	scene_expect_failure(&scene, TELL_PRUNE, "x", ASK_TUNNEL, ERR_UNREACHABLE, "not found");
	scene_expect_failure(&scene, TELL_PRUNE, "x", ASK_EXEC, ERR_UNREACHABLE, "not found");
	scene_expect_failure(&scene, TELL_PRUNE, "x", ASK_NONE, ERR_UNREACHABLE, "not found");
	scene_stop(&scene);
}

/* What does not answer as Consul's agent does is told nothing. */
Test(tell_ways, no_agent_behind_the_port)
{
	static const struct http_answer answers[] = {
		{ .status = 400,
		  .content_type = "text/plain",
		  .body = "Client sent an HTTP request to an HTTPS server.\n" },
		{ .body = "<html>It works!</html>" },
		{ .fault = FAULT_GARBAGE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct apiserver_route routes[] = { { .pod = "*", .path = "/v1/status/leader", .answer = answers[i] },
			                            { 0 } };
		struct scene scene;

		scene_start(&scene, NULL);
		scene_script(&scene, routes, NULL);
		scene_expect_failure(&scene, TELL_LEAVE, "", ASK_TUNNEL, ERR_UNREACHABLE, "consul-0");
		scene_expect_fine(&scene, TELL_LEAVE, "", ASK_NONE);
		cr_expect_eq(apiserver_count(scene.api, "PUT", "*"), 0);
		scene_stop(&scene);
	}
}

/* The container's environment may have a token that the tunnel has not. */
Test(tell_ways, refused_without_a_token)
{
	static const struct apiserver_route routes[] = { { .pod = "*",
		                                           .method = "PUT",
		                                           .path = "/v1/*",
		                                           .answer = { .status = 403, .body = "Permission denied" } },
		                                         { 0 } };
	struct scene scene;

	scene_start(&scene, NULL);
	scene_script(&scene, routes, NULL);
	scene_expect_fine(&scene, TELL_MIN_QUORUM, "3", ASK_NONE);
	scene_expect_failure(&scene, TELL_FORCE_LEAVE, "nosuch", ASK_NONE, ERR_NOT_FOUND, "No node found");
	cr_expect_null(strstr(scene.err.message, "by tunnel"), "%s", scene.err.message);
	scene_expect_failure(&scene, TELL_FORCE_LEAVE, "x", ASK_TUNNEL, ERR_FORBIDDEN, "operator:write");
	scene_stop(&scene);
}

/* It may have been done: nobody does it again. */
Test(tell_ways, what_may_have_been_done_is_not_told_again)
{
	static const struct apiserver_route routes[] = {
		{ .pod = "*", .method = "PUT", .path = "/v1/agent/leave", .answer = { .fault = FAULT_GARBAGE } },
		{ .pod = "*", .method = "PUT", .path = "/v1/agent/join/*", .answer = { .status = 500, .body = "no" } },
		{ 0 }
	};
	static const struct apiserver_exec execs[] = { { .pod = "*", .answer = { .end = EXEC_DROP } }, { 0 } };
	struct scene scene;

	scene_start(&scene, NULL);
	scene_script(&scene, routes, execs);
	scene_expect_failure(&scene, TELL_LEAVE, "", ASK_NONE, ERR_PROTOCOL, "consul-0");
	scene_expect_sent(&scene, TELL_KNOCK ", PUT /v1/agent/leave");
	scene_expect_failure(&scene, TELL_JOIN, "x", ASK_NONE, ERR_FAILED, "refuses to join x: no");
	scene_expect_sent(&scene, TELL_KNOCK ", PUT /v1/agent/join/x");
	scene.snapshot.servers[0].view.way = ASK_EXEC;
	scene_expect_failure(&scene, TELL_LEAVE, "", ASK_NONE, ERR_PROTOCOL, "consul-0");
	scene_expect_sent(&scene, "exec consul leave");
	scene_stop(&scene);
}

/* ------------------------------------------------------------------------------------------------ time */

static void expect_late(struct scene *scene, enum tell_kind kind, enum ask_way via, enum err_kind expected)
{
	cr_expect_eq(scene_tell(scene, 0, kind, "x", via, TELL_SHORT_MS), -1);
	cr_expect_eq(scene->err.kind, expected, "%d: %s", (int)scene->err.kind, scene->err.message);
}

/* A server that leaves answers when it has left: until then it is ERR_TIMEOUT, and that means that it was asked. */
Test(tell_ways, a_leave_that_takes_its_time)
{
	static const struct apiserver_route routes[] = {
		{ .pod = "*", .method = "PUT", .path = "/v1/agent/leave", .answer = { .fault = FAULT_SILENCE } }, { 0 }
	};
	static const struct apiserver_exec execs[] = { { .pod = "*", .answer = { .end = EXEC_HANG } }, { 0 } };
	struct scene scene;

	scene_start(&scene, NULL);
	scene_script(&scene, routes, execs);
	expect_late(&scene, TELL_LEAVE, ASK_NONE, ERR_TIMEOUT);
	scene_expect_sent(&scene, TELL_KNOCK ", PUT /v1/agent/leave");
	expect_late(&scene, TELL_LEAVE, ASK_EXEC, ERR_TIMEOUT);
	scene_expect_sent(&scene, "exec consul leave");
	scene_stop(&scene);
}

/* What was not sent is no ERR_TIMEOUT, for that would mean that it was. */
Test(tell_ways, out_of_time_before_it_is_sent)
{
	static const struct apiserver_route routes[] = {
		{ .pod = "*", .path = "/v1/status/leader", .answer = { .fault = FAULT_SILENCE } },
		{ .path = EXEC_PATH, .answer = { .fault = FAULT_SILENCE } },
		{ 0 }
	};
	static const struct apiserver_route late[] = { { .pod = "*",
		                                         .path = "/v1/status/leader",
		                                         .answer = { .body = "\"\"",
		                                                     .delay_ms = TELL_SHORT_MS - TELL_SEND_MS / 2 } },
		                                       { 0 } };
	struct scene scene;

	scene_start(&scene, NULL);
	scene_script(&scene, routes, NULL);
	expect_late(&scene, TELL_LEAVE, ASK_NONE, ERR_UNREACHABLE);
	expect_late(&scene, TELL_LEAVE, ASK_TUNNEL, ERR_UNREACHABLE);
	expect_late(&scene, TELL_LEAVE, ASK_EXEC, ERR_UNREACHABLE);
	scene_script(&scene, late, NULL);
	expect_late(&scene, TELL_LEAVE, ASK_NONE, ERR_UNREACHABLE);
	cr_expect_eq(apiserver_count(scene.api, "PUT", "*"), 0);
	scene_stop(&scene);
}

Test(tell_ways, interrupted)
{
	struct autopilot_state autopilot = { 0 };
	struct scene scene;
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	scene_start(&scene, NULL);
	loop_set_interrupt(scene.loop, ends[0]);
	scene_expect_failure(&scene, TELL_LEAVE, "", ASK_NONE, ERR_INTERRUPTED, "");
	scene_expect_failure(&scene, TELL_LEAVE, "", ASK_EXEC, ERR_INTERRUPTED, "");
	err_release(&scene.err);
	cr_expect_eq(tell_autopilot(scene.client, &scene.snapshot.servers[0], NULL, clock_monotonic_ms() + TELL_LONG_MS,
	                            &autopilot, &scene.err),
	             -1);
	cr_expect_eq(scene.err.kind, ERR_INTERRUPTED);
	cr_expect_not(err_is_set(&autopilot.err));
	scene_stop(&scene);
	close(ends[0]);
	close(ends[1]);
}

/* ------------------------------------------------------------------------------------------- autopilot */

Test(tell_autopilot, nothing_but_min_quorum_changes)
{
	const struct apiserver_request *request;
	struct scene scene;

	scene_start(&scene, NULL);
	scene_expect_fine(&scene, TELL_MIN_QUORUM, "3", ASK_TUNNEL);
	request = apiserver_find(scene.api, "PUT", AUTOPILOT, 0);
	cr_assert_not_null(request);
	cr_expect_str_eq(request->query, "cas=4");
	cr_expect_str_eq(request->body,
	                 "{\"CleanupDeadServers\":true,\"LastContactThreshold\":\"200ms\",\"MaxTrailingLogs\":250,"
	                 "\"ServerStabilizationTime\":\"10s\",\"RedundancyZoneTag\":\"\","
	                 "\"DisableUpgradeMigration\":false,\"UpgradeVersionTag\":\"\",\"CreateIndex\":4,"
	                 "\"ModifyIndex\":4,\"MinQuorum\":3}");
	/* What is so already is not written again. */
	scene_expect_fine(&scene, TELL_MIN_QUORUM, "3", ASK_TUNNEL);
	cr_expect_eq(apiserver_count(scene.api, "PUT", AUTOPILOT), 1);
	scene_expect_fine(&scene, TELL_MIN_QUORUM, "0", ASK_TUNNEL);
	cr_expect_eq(apiserver_count(scene.api, "PUT", AUTOPILOT), 2);
	scene_stop(&scene);
}

static void expect_min_quorum_fails(const struct http_answer *get, const struct http_answer *put, enum err_kind kind,
                                    const char *words)
{
	struct apiserver_route routes[] = { { .pod = "*", .method = "PUT", .path = AUTOPILOT, .answer = *put },
		                            { .pod = "*", .method = "GET", .path = AUTOPILOT, .answer = *get },
		                            { 0 } };
	struct scene scene;

	scene_start(&scene, NULL);
	scene_script(&scene, routes, NULL);
	scene_expect_failure(&scene, TELL_MIN_QUORUM, "3", ASK_TUNNEL, kind, words);
	scene_stop(&scene);
}

Test(tell_autopilot, what_goes_wrong_with_min_quorum)
{
	static const struct http_answer good = {
		.body = "{\"CleanupDeadServers\":true,\"MinQuorum\":0,\"ModifyIndex\":7}"
	};
	static const struct http_answer old = { .body = "{\"CleanupDeadServers\":true,\"ModifyIndex\":7}" };
	static const struct http_answer no_index = { .body = "{\"CleanupDeadServers\":true,\"MinQuorum\":0}" };
	static const struct http_answer denied = { .status = 403, .body = "Permission denied" };
	static const struct http_answer no_leader = { .status = 500, .body = "No cluster leader" };
	static const struct http_answer garbage = { .fault = FAULT_GARBAGE };
	static const struct http_answer yes = { .body = "true\n" }, no = { .body = "false\n" }, odd = { .body = "{}" };

	expect_min_quorum_fails(&good, &no, ERR_CONFLICT, "somebody else changed the settings");
	expect_min_quorum_fails(&good, &odd, ERR_PROTOCOL, "neither true nor false");
	expect_min_quorum_fails(&good, &denied, ERR_FORBIDDEN, "operator:write");
	expect_min_quorum_fails(&good, &no_leader, ERR_UNAVAILABLE, "No cluster leader");
	expect_min_quorum_fails(&good, &garbage, ERR_PROTOCOL, "consul-0");
	expect_min_quorum_fails(&old, &yes, ERR_NOT_FOUND, "no MinQuorum");
	expect_min_quorum_fails(&no_index, &yes, ERR_INVALID, "ModifyIndex");
	expect_min_quorum_fails(&odd, &yes, ERR_INVALID, "CleanupDeadServers");
	expect_min_quorum_fails(&denied, &yes, ERR_FORBIDDEN, "operator:write");
	expect_min_quorum_fails(&no_leader, &yes, ERR_UNAVAILABLE, "No cluster leader");
	expect_min_quorum_fails(&garbage, &yes, ERR_UNREACHABLE, "consul-0");
}

Test(tell_autopilot, the_cli_tells_of_a_conflict)
{
	static const struct apiserver_exec execs[] = {
		{ .pod = "*",
		  .answer = { .exit_code = 1,
		              .error_output = "Configuration could not be atomically updated, please try again\n" } },
		{ 0 }
	};
	struct scene scene;

	scene_start(&scene, NULL);
	scene_script(&scene, NULL, execs);
	scene_expect_failure(&scene, TELL_MIN_QUORUM, "3", ASK_EXEC, ERR_CONFLICT, "atomically");
	scene_stop(&scene);
}

static struct autopilot_state ask(struct scene *scene, enum ask_way via)
{
	struct autopilot_state autopilot = { 0 };

	cr_expect_eq(tell_autopilot(scene->client, &scene->snapshot.servers[0], &(struct access){ .via = via },
	                            clock_monotonic_ms() + TELL_LONG_MS, &autopilot, &scene->err),
	             0);
	cr_expect_neq(autopilot.known, err_is_set(&autopilot.err));
	return autopilot;
}

Test(tell_autopilot, read_by_both_ways)
{
	static const enum ask_way ways[] = { ASK_TUNNEL, ASK_EXEC, ASK_NONE };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct cluster_options options = { .count = 3, .min_quorum = 2 };
		struct autopilot_state autopilot;
		struct scene scene;

		scene_start_with(&scene, &options);
		autopilot = ask(&scene, ways[i]);
		cr_expect(autopilot.known && autopilot.has_min_quorum && autopilot.cleans_up);
		cr_expect_eq(autopilot.min_quorum, 2);
		scene_expect_sent(&scene,
		                  ways[i] == ASK_EXEC ? "exec consul operator autopilot get-config" : "GET " AUTOPILOT);
		scene_stop(&scene);
		options.no_min_quorum = true;
		scene_start_with(&scene, &options);
		autopilot = ask(&scene, ways[i]);
		cr_expect(autopilot.known && !autopilot.has_min_quorum && autopilot.min_quorum == 0);
		scene_stop(&scene);
	}
}

Test(tell_autopilot, what_cannot_be_learnt)
{
	static const struct {
		struct cluster_server server;
		enum ask_way via;
		enum err_kind kind;
		const char *words;
	} cases[] = {
		{ { .agent = AGENT_NO_OPERATOR }, ASK_TUNNEL, ERR_FORBIDDEN, "operator:read" },
		{ { .agent = AGENT_NO_OPERATOR }, ASK_EXEC, ERR_FORBIDDEN, "operator:read" },
		{ { .agent = AGENT_NO_OPERATOR }, ASK_NONE, ERR_FORBIDDEN, "operator:read" },
		{ { .agent = AGENT_DOWN }, ASK_NONE, ERR_UNREACHABLE, "connection refused" },
		{ { .leader = NO_LEADER }, ASK_TUNNEL, ERR_UNAVAILABLE, "No cluster leader" },
		{ { .leader = NO_LEADER }, ASK_EXEC, ERR_UNAVAILABLE, "No cluster leader" },
		{ { .leader = NO_LEADER }, ASK_NONE, ERR_UNAVAILABLE, "Consul on consul-0 refuses" },
		{ { .agent = AGENT_GARBAGE }, ASK_TUNNEL, ERR_INVALID, "consul-0: autopilot's settings" },
		{ { .agent = AGENT_GARBAGE }, ASK_EXEC, ERR_INVALID, "consul-0: autopilot's settings" },
		{ { .no_pod = true }, ASK_NONE, ERR_UNREACHABLE, "consul-0 has no pod" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cluster_server servers[] = { cases[i].server, { 0 }, { 0 } };
		struct autopilot_state autopilot;
		struct scene scene;

		scene_start(&scene, servers);
		autopilot = ask(&scene, cases[i].via);
		cr_expect_eq(autopilot.err.kind, cases[i].kind, "case %zu: %d %s", i, (int)autopilot.err.kind,
		             autopilot.err.message);
		cr_expect(autopilot.err.message && strstr(autopilot.err.message, cases[i].words), "case %zu: %s", i,
		          autopilot.err.message);
		/* Without a leader nobody is asked twice: each time it takes seconds. */
		cr_expect(cases[i].kind != ERR_UNAVAILABLE || !strstr(autopilot.err.message, "by exec"));
		err_release(&autopilot.err);
		scene_stop(&scene);
	}
}

/* -------------------------------------------------------------------------------------------- decoding */

Test(tell_autopilot, decoding)
{
	static const struct {
		bool json;
		const char *text;
		bool fine, has_min_quorum, cleans_up;
		int64_t min_quorum;
	} cases[] = {
		{ true, "{\"CleanupDeadServers\":true,\"MinQuorum\":3}", true, true, true, 3 },
		{ true, "{\"CleanupDeadServers\":false}", true, false, false, 0 },
		{ true, "{\"CleanupDeadServers\":\"true\"}", false, false, false, 0 },
		{ true, "{\"CleanupDeadServers\":true,\"MinQuorum\":\"3\"}", false, false, false, 0 },
		{ true, "{\"CleanupDeadServers\":true,\"MinQuorum\":-3}", false, false, false, 0 },
		{ true, "{\"CleanupDeadServers\":true,\"MinQuorum\":1.5}", false, false, false, 0 },
		{ true, "[]", false, false, false, 0 },
		{ true, "true", false, false, false, 0 },
		{ true, "", false, false, false, 0 },
		{ false, "CleanupDeadServers = true\nLastContactThreshold = 200ms\nMinQuorum = 5\n", true, true, true,
		  5 },
		{ false, "==> a warning\r\nCleanupDeadServers = false\r\nMinQuorum = 0", true, true, false, 0 },
		{ false, "CleanupDeadServers = true", true, false, true, 0 },
		{ false, "MinQuorum = 5\n", false, false, false, 0 },
		{ false, "CleanupDeadServers = perhaps\n", false, false, false, 0 },
		{ false, "CleanupDeadServers = true\nMinQuorum = x\n", false, false, false, 0 },
		{ false, "CleanupDeadServers = true\nMinQuorum = -1\n", false, false, false, 0 },
		{ false, "", false, false, false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct autopilot_state got = { 0 };
		_cleanup_err_ struct err err = ERR_INIT;
		size_t length = strlen(cases[i].text);
		int status = cases[i].json ? tell_decode_autopilot_json(cases[i].text, length, &got, &err)
		                           : tell_decode_autopilot_text(cases[i].text, length, &got, &err);

		cr_expect_eq(status, cases[i].fine ? 0 : -1, "case %zu", i);
		cr_expect_eq(got.known, cases[i].fine, "case %zu", i);
		cr_expect_eq(got.has_min_quorum, cases[i].has_min_quorum, "case %zu", i);
		cr_expect_eq(got.cleans_up, cases[i].cleans_up, "case %zu", i);
		cr_expect_eq(got.min_quorum, cases[i].min_quorum, "case %zu", i);
	}
}

Test(tell_autopilot, words_are_one_line)
{
	static const char *const cases[][2] = {
		{ "", "" }, { " \n\t", "" }, { "a", "a" }, { "1 error:\n\t* no\n\n", "1 error: * no" }
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *got = tell_words(cases[i][0], strlen(cases[i][0]));

		cr_expect_str_eq(got, cases[i][1]);
	}
}
