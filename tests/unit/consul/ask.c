/* The pure parts of asking: which port, what the script prints, what an answer becomes. */
#include <criterion/criterion.h>

#include "consul/ask_way.h"
#include "util/mem.h"
#include "util/str.h"

#define BOUNDARY "0123456789abcdef"

static const char members_text[] = "Node      Address          Status  Tags\n"
                                   "consul-0  10.244.0.7:8301  alive   role=consul,id=a,build=1.8.7:x,dc=dc1,vsn=2\n";

static const char info_text[] = "build:\n\tversion = 1.8.7\nconsul:\n\tleader = true\n\tserver = true\n"
                                "\tleader_addr = 10.244.0.7:8300\nraft:\n\tstate = Leader\n\tterm = 2\n"
                                "\tlast_log_index = 20\n\tcommit_index = 20\n\tapplied_index = 20\n";

static const char raft_text[] = "Node      ID  Address          State   Voter  RaftProtocol\n"
                                "consul-0  a   10.244.0.7:8300  leader  true   3\n";

static void take(const char *output, struct view *view)
{
	ask_exec_take(output, strlen(output), BOUNDARY, view);
}

Test(ask, script_names_every_question_and_no_secret)
{
	_cleanup_free_ char *script = ask_exec_script();

	for (size_t i = 0; i < ASK_QUESTIONS; i++) {
		cr_assert_not_null(strstr(script, ask_questions[i].name));
		cr_assert_not_null(strstr(script, ask_questions[i].path));
		cr_assert_not_null(strstr(script, ask_questions[i].command[1]));
	}
	cr_assert_not_null(strstr(script, "$CONSUL_HTTP_TOKEN"), "the token is the container's own");
}

Test(ask, three_answers_of_the_cli_make_three_planes)
{
	_cleanup_free_ char *output = xasprintf("%s\n%s self text 0\n%s\n%s members text 0\n%s\n%s raft text 0\n",
	                                        info_text, BOUNDARY, members_text, BOUNDARY, raft_text, BOUNDARY);
	struct view view = VIEW_INIT;

	take(output, &view);
	cr_assert(view.self_known && view.members_known && view.peers_known);
	cr_assert_eq(view.member_count, 1);
	cr_assert_eq(view.peer_count, 1);
	cr_assert(view.peers[0].leader);
	view_release(&view);
}

Test(ask, a_failed_command_is_that_planes_error_only)
{
	_cleanup_free_ char *output = xasprintf("%s\n%s self text 0\nError retrieving members: connection "
	                                        "refused\n\n%s members text 1\n%s\n%s raft text 0\n",
	                                        info_text, BOUNDARY, BOUNDARY, raft_text, BOUNDARY);
	struct view view = VIEW_INIT;

	take(output, &view);
	cr_assert(view.self_known && view.peers_known);
	cr_assert_not(view.members_known);
	cr_assert_eq(view.members_err.kind, ERR_UNAVAILABLE);
	cr_assert_not_null(strstr(view.members_err.message, "connection refused"));
	view_release(&view);
}

Test(ask, denied_by_acl_is_told_apart)
{
	_cleanup_free_ char *output = xasprintf(
	    "Error getting peers: Unexpected response code: 403 (Permission denied)\n\n%s raft text 1\n", BOUNDARY);
	struct view view = VIEW_INIT;

	take(output, &view);
	cr_assert_eq(view.peers_err.kind, ERR_FORBIDDEN);
	view_release(&view);
}

Test(ask, an_output_that_was_cut_off_is_unknown_not_fine)
{
	_cleanup_free_ char *output =
	    xasprintf("%s\n%s self text 0\n%s\n%s memb", info_text, BOUNDARY, members_text, BOUNDARY);

	for (size_t length = 0; length < strlen(output); length++) {
		struct view view = VIEW_INIT;

		ask_exec_take(output, length, BOUNDARY, &view);
		cr_assert_not(view.members_known, "with %zu bytes", length);
		cr_assert_not(view.peers_known, "with %zu bytes", length);
		cr_assert(err_is_set(&view.members_err));
		cr_assert(view.self_known || err_is_set(&view.self_err));
		view_release(&view);
	}
}

Test(ask, no_consul_in_the_container_is_said)
{
	_cleanup_free_ char *output = xasprintf("sh: consul: not found\n\n%s members text 127\n", BOUNDARY);
	struct view view = VIEW_INIT;

	take(output, &view);
	cr_assert_not_null(strstr(view.members_err.message, "no consul command"));
	view_release(&view);
}

Test(ask, http_answers_become_planes_or_errors)
{
	static const char denied[] = "Permission denied\nrpc error";
	struct view view = VIEW_INIT;

	ask_take_http(&ask_questions[0], 403, denied, strlen(denied), &view);
	cr_assert_eq(view.members_err.kind, ERR_FORBIDDEN);
	cr_assert_null(strchr(view.members_err.message, '\n'));
	ask_take_http(&ask_questions[1], 500, "No cluster leader", 17, &view);
	cr_assert_eq(view.peers_err.kind, ERR_UNAVAILABLE);
	cr_assert_not_null(strstr(view.peers_err.message, "No cluster leader"));
	ask_take_http(&ask_questions[2], 200, "<html>", 6, &view);
	cr_assert_not(view.self_known);
	cr_assert(err_is_set(&view.self_err));
	view_release(&view);
}

Test(ask, escapes_of_a_terminal_do_not_reach_the_message)
{
	_cleanup_free_ char *output = xasprintf("\033[2J\033]0;x\007 failed\n\n%s members text 1\n", BOUNDARY);
	struct view view = VIEW_INIT;

	take(output, &view);
	cr_assert_null(strchr(view.members_err.message, '\033'));
	view_release(&view);
}

static struct ask_endpoint endpoint_with(const char *name, const char *value, int64_t port)
{
	struct kube_env env = { .name = xstrdup(name), .value = xstrdup_null(value) };
	struct kube_port ports = { .number = port };
	struct kube_container container = { .env = &env, .env_count = 1, .ports = &ports, .port_count = port ? 1 : 0 };
	struct ask_endpoint endpoint = ask_endpoint_of(&container);

	free(env.name);
	free(env.value);
	return endpoint;
}

Test(ask, endpoint_comes_from_environment_then_ports)
{
	static const struct {
		const char *name, *value;
		int64_t port;
		uint16_t expected_port;
		bool https;
	} cases[] = {
		{ "OTHER", "x", 0, 8500, false },
		{ "OTHER", "x", 8501, 8501, true },
		{ "OTHER", "x", 8500, 8500, false },
		{ "CONSUL_HTTP_ADDR", "https://localhost:8501", 8500, 8501, true },
		{ "CONSUL_HTTP_ADDR", "127.0.0.1:7500", 0, 7500, false },
		{ "CONSUL_HTTP_ADDR", "https://localhost", 0, 8501, true },
		{ "CONSUL_HTTP_ADDR", "localhost:99999", 0, 8500, false },
		{ "CONSUL_HTTP_ADDR", NULL, 0, 8500, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ask_endpoint endpoint = endpoint_with(cases[i].name, cases[i].value, cases[i].port);

		cr_assert_eq(endpoint.port, cases[i].expected_port, "case %zu: %u", i, endpoint.port);
		cr_assert_eq(endpoint.https, cases[i].https, "case %zu", i);
	}
}
