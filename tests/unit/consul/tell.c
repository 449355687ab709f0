/* Orders to servers: what goes out by either way, and what comes back of it. */
#include <criterion/criterion.h>

#include "tell_scene.h"
#include "util/clock.h"
#include "util/mem.h"

#define ID(n) "5d3e4a62-66fb-3971-84a9-00000000000" #n

static const struct cluster_server modern[] = { { .version = "1.18.0" }, { 0 }, { 0 } };

/* -------------------------------------------------------------------------------------- what goes out */

#define KNOCK TELL_KNOCK ", "

static const struct {
	enum tell_kind kind;
	const char *argument, *http, *cli;
} orders[] = {
	{ TELL_JOIN, "10.244.0.3", "PUT /v1/agent/join/10.244.0.3", "consul join 10.244.0.3" },
	{ TELL_FORCE_LEAVE, "consul-1", "PUT /v1/agent/force-leave/consul-1", "consul force-leave consul-1" },
	{ TELL_PRUNE, "consul-1", "PUT /v1/agent/force-leave/consul-1?prune", "consul force-leave -prune consul-1" },
	{ TELL_REMOVE_PEER_ID, ID(1), "DELETE /v1/operator/raft/peer?id=" ID(1),
	  "consul operator raft remove-peer -id=" ID(1) },
	{ TELL_REMOVE_PEER_ADDRESS, "10.244.0.4:8300", "DELETE /v1/operator/raft/peer?address=10.244.0.4%3A8300",
	  "consul operator raft remove-peer -address=10.244.0.4:8300" },
	{ TELL_TRANSFER_LEADER, "", "POST /v1/operator/raft/transfer-leader", "consul operator raft transfer-leader" },
	{ TELL_TRANSFER_LEADER, ID(2), "POST /v1/operator/raft/transfer-leader?id=" ID(2),
	  "consul operator raft transfer-leader -id=" ID(2) },
	{ TELL_MIN_QUORUM, "3",
	  "GET /v1/operator/autopilot/configuration, PUT /v1/operator/autopilot/configuration?cas=4",
	  "consul operator autopilot set-config -min-quorum=3" },
	{ TELL_LEAVE, "not looked at", "PUT /v1/agent/leave", "consul leave" },
};

Test(tell, every_order_through_the_tunnel)
{
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		_cleanup_free_ char *expected = xasprintf(KNOCK "%s", orders[i].http);
		struct scene scene;

		scene_start(&scene, modern);
		scene_expect_fine(&scene, orders[i].kind, orders[i].argument, ASK_TUNNEL);
		scene_expect_sent(&scene, expected);
		scene_stop(&scene);
	}
}

Test(tell, every_order_by_the_cli)
{
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		_cleanup_free_ char *expected = xasprintf("exec %s", orders[i].cli);
		struct scene scene;

		scene_start(&scene, modern);
		scene_expect_fine(&scene, orders[i].kind, orders[i].argument, ASK_EXEC);
		scene_expect_sent(&scene, expected);
		scene_stop(&scene);
	}
}

/* The scripted cluster does what it is told: everybody sees it. */
Test(tell, what_was_told_is_seen)
{
	static const struct cluster_server servers[] = { { 0 }, { 0 }, { .no_pod = true, .member = 'f' } };
	struct snapshot after = SNAPSHOT_INIT;
	struct observe_options how = { .namespace_name = "consul" };
	struct scene scene;

	scene_start(&scene, servers);
	scene_expect_fine(&scene, TELL_REMOVE_PEER_ID, ID(2), ASK_TUNNEL);
	scene_expect_fine(&scene, TELL_PRUNE, "consul-2", ASK_EXEC);
	how.deadline_ms = clock_monotonic_ms() + TELL_LONG_MS;
	cr_assert_eq(observe(scene.client, &how, &after, &scene.err), 0);
	cr_expect_eq(after.servers[1].view.member_count, 2);
	cr_expect_eq(after.servers[1].view.peer_count, 2);
	snapshot_release(&after);
	scene_stop(&scene);
}

Test(tell, a_foreign_argument_stays_an_argument)
{
	struct scene scene;

	scene_start(&scene, NULL);
	scene_expect_failure(&scene, TELL_FORCE_LEAVE, "a b?prune&c#d%20\xc3\xa4/e", ASK_TUNNEL, ERR_NOT_FOUND,
	                     "No node found");
	scene_expect_sent(&scene, KNOCK "PUT /v1/agent/force-leave/a%20b%3Fprune%26c%23d%2520%C3%A4%2Fe");
	scene_expect_failure(&scene, TELL_REMOVE_PEER_ID, "x&address=y", ASK_TUNNEL, ERR_NOT_FOUND, "was not found");
	scene_expect_sent(&scene, KNOCK "DELETE /v1/operator/raft/peer?id=x%26address%3Dy");
	scene_expect_failure(&scene, TELL_FORCE_LEAVE, "$(reboot); x", ASK_EXEC, ERR_NOT_FOUND, "'$(reboot); x'");
	scene_expect_sent(&scene, "exec consul force-leave $(reboot); x");
	scene_expect_failure(&scene, TELL_REMOVE_PEER_ID, "-h", ASK_EXEC, ERR_NOT_FOUND, "was not found");
	scene_expect_sent(&scene, "exec consul operator raft remove-peer -id=-h");
	scene_stop(&scene);
}

Test(tell, what_the_cli_would_misread_is_not_given_to_it)
{
	struct scene scene;

	scene_start(&scene, NULL);
	scene_expect_failure(&scene, TELL_FORCE_LEAVE, "-prune", ASK_EXEC, ERR_INVALID, "\"-prune\" cannot be given");
	scene_expect_failure(&scene, TELL_REMOVE_PEER_ID, "a\nb", ASK_EXEC, ERR_INVALID, "\"a\\nb\" cannot be given");
	scene_expect_sent(&scene, "");
	scene_expect_failure(&scene, TELL_FORCE_LEAVE, "-prune", ASK_TUNNEL, ERR_NOT_FOUND, "'-prune'");
	scene_expect_sent(&scene, KNOCK "PUT /v1/agent/force-leave/-prune");
	/* With auto, the other way. */
	scene.snapshot.servers[0].view.way = ASK_EXEC;
	scene_expect_failure(&scene, TELL_FORCE_LEAVE, "-prune", ASK_NONE, ERR_NOT_FOUND, "'-prune'");
	scene_expect_sent(&scene, KNOCK "PUT /v1/agent/force-leave/-prune");
	scene_stop(&scene);
}

Test(tell, what_cannot_be_told_is_told_to_nobody)
{
	static const struct {
		enum tell_kind kind;
		const char *argument;
	} cases[] = {
		{ TELL_FORCE_LEAVE, "" },      { TELL_FORCE_LEAVE, ".." }, { TELL_PRUNE, "a/../b" },
		{ TELL_PRUNE, "a//b" },        { TELL_PRUNE, "/" },        { TELL_JOIN, "." },
		{ TELL_REMOVE_PEER_ID, "" },   { TELL_MIN_QUORUM, "" },    { TELL_MIN_QUORUM, "-1" },
		{ TELL_MIN_QUORUM, "3 or 4" },
	};
	struct scene scene;

	scene_start(&scene, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		scene_expect_failure(&scene, cases[i].kind, cases[i].argument, ASK_TUNNEL, ERR_INVALID, "cannot");
		scene_expect_failure(&scene, cases[i].kind, cases[i].argument, ASK_EXEC, ERR_INVALID, "cannot");
	}
	scene_expect_sent(&scene, "");
	scene_stop(&scene);
}

Test(tell, who_has_no_container_is_not_told)
{
	static const struct cluster_server servers[] = { { .no_pod = true }, { 0 }, { 0 } };
	struct scene scene;

	scene_start(&scene, servers);
	scene_expect_failure(&scene, TELL_LEAVE, "", ASK_NONE, ERR_UNREACHABLE, "consul-0 has no pod");
	scene.snapshot.servers[1].container = NULL;
	cr_expect_eq(scene_tell(&scene, 1, TELL_LEAVE, "", ASK_NONE, TELL_LONG_MS), -1);
	cr_expect_eq(scene.err.kind, ERR_UNREACHABLE);
	scene_expect_sent(&scene, "");
	scene_stop(&scene);
}

/* -------------------------------------------------------------------------------------- what comes back */

Test(tell, what_the_agent_answers)
{
	static const struct {
		enum tell_kind kind;
		const char *argument;
		struct http_answer answer;
		enum err_kind kind_of_err;
		const char *words;
	} cases[] = {
		{ TELL_FORCE_LEAVE,
		  "x",
		  { .status = 403, .body = "Permission denied: token with AccessorID 'a'\n" },
		  ERR_FORBIDDEN,
		  "refuses to force-leave x: Permission denied: token with AccessorID 'a' (that takes "
		  "operator:write)" },
		{ TELL_LEAVE,
		  "",
		  { .status = 403 },
		  ERR_FORBIDDEN,
		  "refuses to leave: permission denied (that takes agent:write)" },
		{ TELL_LEAVE,
		  "",
		  { .status = 500, .body = "rpc error making call: ACL not found" },
		  ERR_FORBIDDEN,
		  "agent:write" },
		{ TELL_PRUNE,
		  "x",
		  { .status = 500, .body = "agent: No node found with name 'x'" },
		  ERR_NOT_FOUND,
		  "'x'" },
		{ TELL_PRUNE,
		  "Permission denied",
		  { .status = 500, .body = "agent: No node found with name 'Permission denied'" },
		  ERR_NOT_FOUND,
		  "No node found" },
		{ TELL_TRANSFER_LEADER,
		  "",
		  { .status = 404 },
		  ERR_NOT_FOUND,
		  "Consul on consul-0 does not know how to transfer leadership to another server" },
		{ TELL_TRANSFER_LEADER, "", { .body = "{\"Success\":false}" }, ERR_FAILED, "transfer leadership" },
		{ TELL_TRANSFER_LEADER,
		  "",
		  { .body = "<html>" },
		  ERR_PROTOCOL,
		  "told to transfer leadership to another server: " },
		{ TELL_REMOVE_PEER_ID,
		  "x",
		  { .status = 500, .body = "rpc error making call: id \"x\" was not found in the Raft configuration" },
		  ERR_NOT_FOUND,
		  "remove the raft peer with the id x" },
		{ TELL_REMOVE_PEER_ADDRESS,
		  "x",
		  { .status = 500, .body = "No cluster leader" },
		  ERR_UNAVAILABLE,
		  "No cluster leader" },
		{ TELL_REMOVE_PEER_ADDRESS,
		  "x",
		  { .status = 500, .body = "rpc error making call: leadership lost while committing log" },
		  ERR_UNAVAILABLE,
		  "leadership lost" },
		{ TELL_REMOVE_PEER_ADDRESS,
		  "x",
		  { .status = 503, .body = "" },
		  ERR_UNAVAILABLE,
		  "it does not say why" },
		{ TELL_JOIN,
		  "10.9.9.9",
		  { .status = 500, .body = "1 error occurred:\n\t* Failed to join 10.9.9.9: \033[2Jdial\n\n" },
		  ERR_FAILED,
		  "refuses to join 10.9.9.9: 1 error occurred: * Failed to join 10.9.9.9: ^[[2Jdial" },
		{ TELL_FORCE_LEAVE, "x", { .fault = FAULT_GARBAGE }, ERR_PROTOCOL, "port 8500" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct apiserver_route routes[] = {
			{ .pod = "consul-0", .method = "PUT", .path = "/v1/*", .answer = cases[i].answer },
			{ .pod = "consul-0", .method = "POST", .path = "/v1/*", .answer = cases[i].answer },
			{ .pod = "consul-0", .method = "DELETE", .path = "/v1/*", .answer = cases[i].answer },
			{ 0 }
		};
		struct scene scene;

		scene_start(&scene, NULL);
		scene_script(&scene, routes, NULL);
		scene_expect_failure(&scene, cases[i].kind, cases[i].argument, ASK_TUNNEL, cases[i].kind_of_err,
		                     cases[i].words);
		scene_stop(&scene);
	}
}

Test(tell, what_the_cli_says)
{
	static const struct {
		enum tell_kind kind;
		struct exec_answer answer;
		enum err_kind kind_of_err;
		const char *words;
	} cases[] = {
		{ TELL_FORCE_LEAVE,
		  { .exit_code = 1,
		    .error_output =
		        "Error force leaving: Unexpected response code: 500 (agent: No node found with name 'x')\n" },
		  ERR_NOT_FOUND,
		  "Consul on consul-0 refuses to force-leave x: agent: No node found with name 'x'" },
		{ TELL_REMOVE_PEER_ID,
		  { .exit_code = 1,
		    .error_output = "Error removing peer: Unexpected response code: 500 (rpc error making call: id "
		                    "\"x\" was not found in the Raft configuration)\n" },
		  ERR_NOT_FOUND,
		  "was not found in the Raft configuration" },
		{ TELL_FORCE_LEAVE,
		  { .exit_code = 1, .output = "Error: Unexpected response code: 403 (Permission denied)" },
		  ERR_FORBIDDEN,
		  "Permission denied (that takes operator:write)" },
		{ TELL_FORCE_LEAVE,
		  { .exit_code = 1, .error_output = "Error: Unexpected response code: 404 ()" },
		  ERR_NOT_FOUND,
		  "does not know how to force-leave x" },
		{ TELL_REMOVE_PEER_ID,
		  { .exit_code = 1, .error_output = "Error: Unexpected response code: 500 (No cluster leader)" },
		  ERR_UNAVAILABLE,
		  "No cluster leader" },
		{ TELL_JOIN,
		  { .exit_code = 1,
		    .error_output = "Error joining address 'x': Unexpected response code: 500 (1 error occurred:\n\t* "
		                    "Failed to join x (a)\n\n)\nFailed to join any nodes.\n" },
		  ERR_FAILED,
		  "refuses to join x: 1 error occurred: * Failed to join x (a)" },
		{ TELL_PRUNE,
		  { .exit_code = 1,
		    .error_output = "flag provided but not defined: -prune\nUsage: consul force-leave\n" },
		  ERR_NOT_FOUND,
		  "does not know how to force-leave and prune x" },
		{ TELL_TRANSFER_LEADER,
		  { .exit_code = 1, .error_output = "Usage: consul operator raft <subcommand> [options]\n" },
		  ERR_NOT_FOUND,
		  "does not know how to transfer leadership to x" },
		{ TELL_FORCE_LEAVE,
		  { .exit_code = 127, .error_output = "sh: consul: not found" },
		  ERR_FAILED,
		  "no consul command" },
		{ TELL_LEAVE, { .exit_code = 137 }, ERR_PROTOCOL, "was killed (exit code 137)" },
		{ TELL_LEAVE,
		  { .exit_code = 1,
		    .error_output = "Error leaving: Put \"http://127.0.0.1:8500/v1/agent/leave\": EOF\n" },
		  ERR_UNREACHABLE,
		  "EOF" },
		{ TELL_LEAVE, { .exit_code = 1 }, ERR_FAILED, "it does not say why" },
		{ TELL_LEAVE, { .end = EXEC_DROP }, ERR_PROTOCOL, "consul-0" },
		{ TELL_LEAVE, { .end = EXEC_CLOSE }, ERR_PROTOCOL, "consul-0" },
		{ TELL_LEAVE,
		  { .end = EXEC_FAILURE, .text = "exec: \"consul\": executable file not found in $PATH" },
		  ERR_FAILED,
		  "executable file not found" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct apiserver_exec execs[] = { { .pod = "consul-0", .answer = cases[i].answer }, { 0 } };
		struct scene scene;

		scene_start(&scene, NULL);
		scene_script(&scene, NULL, execs);
		scene_expect_failure(&scene, cases[i].kind, "x", ASK_EXEC, cases[i].kind_of_err, cases[i].words);
		scene_stop(&scene);
	}
}
