/* kube/exec: commands in containers against the scripted API server: outcomes, refusals, limits, deadlines. */
#include "kube/exec.h"

#include <string.h>

#include "connected.h"

static struct connected world;

/* One command in pod consul-0, container consul, namespace ns. */
struct command {
	const char *argv[4];
	struct kube_exec exec;
};

static void prepare(struct command *command, const char *pod, const char *what)
{
	*command = (struct command){ .argv = { "consul", what, NULL }, .exec = KUBE_EXEC_INIT };
	command->exec.namespace_name = "ns";
	command->exec.pod = pod;
	command->exec.container = "consul";
	command->exec.argv = command->argv;
}

static void run(struct command *command, int64_t ms)
{
	cr_assert_eq(kube_exec_perform(world.client, &command->exec, 1, soon_ms(ms), &world.err), 0, "%s",
	             world.err.message);
}

static void expect_error(struct command *command, enum err_kind kind, const char *part)
{
	cr_assert_eq(command->exec.err.kind, kind, "%s: kind %d: %s", command->argv[1], (int)command->exec.err.kind,
	             command->exec.err.message ? command->exec.err.message : "no error");
	cr_assert(strstr(command->exec.err.message, part), "%s", command->exec.err.message);
	cr_assert(strstr(command->exec.err.message, "consul-0"), "%s", command->exec.err.message);
	cr_assert_eq(command->exec.exit_code, -1);
}

static void make_long(void *context, const struct exec_request *request, struct exec_answer *answer)
{
	const size_t *length = context;

	(void)request;
	if (!answer->scratch.data) {
		answer->scratch.max = *length;
		for (size_t i = 0; i < *length / 64; i++)
			cr_assert_eq(buf_add(&answer->scratch,
			                     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n", 64),
			             0);
	}
	answer->output = answer->scratch.data;
	answer->output_length = answer->scratch.len;
}

static size_t long_length = 3 * 1024 * 1024, too_long_length = KUBE_EXEC_OUTPUT_MAX + 64;

static const struct apiserver_exec execs[] = {
	{ .pod = "*", .command = "consul members", .answer = { .output = "out", .error_output = "err" } },
	{ .pod = "*", .command = "consul fail", .answer = { .output = "out", .exit_code = 3 } },
	{ .pod = "*",
	  .command = "consul pieces",
	  .answer = { .output = "out", .exit_code = 4 },
	  .frame_bytes = 1,
	  .write_bytes = 1,
	  .ping = true },
	{ .pod = "*", .command = "consul long", .make = make_long, .context = &long_length },
	{ .pod = "*", .command = "consul too-long", .make = make_long, .context = &too_long_length },
	{ .pod = "*", .command = "consul echo", .echo = true, .input_until = "end" },
	{ .pod = "*",
	  .command = "consul nope",
	  .answer = { .end = EXEC_FAILURE,
	              .text = "Internal error occurred: exec: \\\"nope\\\": executable file not found in $PATH" } },
	{ .pod = "*", .command = "consul no-status", .answer = { .end = EXEC_STATUS, .text = "whatever" } },
	{ .pod = "*", .command = "consul close", .answer = { .output = "out", .end = EXEC_CLOSE } },
	{ .pod = "*", .command = "consul drop", .answer = { .output = "out", .end = EXEC_DROP } },
	{ .pod = "*", .command = "consul reset", .answer = { .output = "out", .end = EXEC_RESET } },
	{ .pod = "*", .command = "consul hang", .answer = { .output = "out", .end = EXEC_HANG } },
	{ .pod = "*", .command = "consul half-frame", .answer = { .output = "out", .end = EXEC_HALF_FRAME } },
	{ .pod = "*", .command = "consul huge-frame", .answer = { .output = "out", .end = EXEC_HUGE_FRAME } },
	{ .pod = "*", .command = "consul garbage", .answer = { .output = "out", .end = EXEC_GARBAGE } },
	{ .pod = "*", .command = "consul other", .protocol = "v3.channel.k8s.io" },
	{ .pod = "*", .command = "consul none", .protocol = "" },
	{ 0 },
};

static void set_up(void)
{
	connected_start(&world, &(struct apiserver_options){ .execs = execs });
}

static void set_up_tls(void)
{
	connected_start(&world, &(struct apiserver_options){ .execs = execs, .tls = true, .token = "secret-token" });
}

static void tear_down(void)
{
	connected_stop(&world);
}

TestSuite(exec, .init = set_up, .fini = tear_down, .timeout = 60);
TestSuite(exec_tls, .init = set_up_tls, .fini = tear_down, .timeout = 60);

Test(exec, gives_output_and_exit_code)
{
	struct command good, bad;

	prepare(&good, "consul-0", "members");
	run(&good, LONG_MS);
	cr_assert_not(err_is_set(&good.exec.err), "%s", good.exec.err.message);
	cr_assert_eq(good.exec.exit_code, 0);
	cr_assert_str_eq(buf_text(&good.exec.output), "out");
	cr_assert_str_eq(buf_text(&good.exec.error_output), "err");
	kube_exec_release(&good.exec);

	prepare(&bad, "consul-0", "fail");
	run(&bad, LONG_MS);
	cr_assert_not(err_is_set(&bad.exec.err), "%s", bad.exec.err.message);
	cr_assert_eq(bad.exec.exit_code, 3);
	kube_exec_release(&bad.exec);
}

Test(exec, asks_as_kubernetes_wants)
{
	const struct apiserver_request *request;
	struct command command;
	_cleanup_free_ char *session = NULL;

	prepare(&command, "consul-0", "members");
	command.argv[2] = "a b&c=d\n";
	run(&command, LONG_MS);
	request = apiserver_find(world.server, "GET", "/api/v1/namespaces/ns/pods/consul-0/exec", 0);
	cr_assert(request);
	cr_assert_str_eq(request->query, "container=consul&command=consul&command=members&command=a%20b%26c%3Dd%0A"
	                                 "&stdout=true&stderr=true");
	session = apiserver_request_header(request, "Kubectl-Session");
	cr_assert(session);
	kube_exec_release(&command.exec);
}

Test(exec, reads_frames_in_pieces)
{
	struct command command;

	prepare(&command, "consul-0", "pieces");
	run(&command, LONG_MS);
	cr_assert_not(err_is_set(&command.exec.err), "%s", command.exec.err.message);
	cr_assert_eq(command.exec.exit_code, 4);
	cr_assert_str_eq(buf_text(&command.exec.output), "out");
	kube_exec_release(&command.exec);
}

static void check_long(void)
{
	struct command command;

	prepare(&command, "consul-0", "long");
	run(&command, LONG_MS);
	cr_assert_not(err_is_set(&command.exec.err), "%s", command.exec.err.message);
	cr_assert_eq(command.exec.output.len, long_length);
	kube_exec_release(&command.exec);
}

Test(exec, gives_long_output)
{
	check_long();
}

Test(exec_tls, gives_long_output)
{
	check_long();
}

static void check_echo(size_t length)
{
	struct command command;
	_cleanup_buf_ struct buf input = BUF_INIT(length + 3);

	while (input.len < length)
		buf_addf(&input, "%08zu", input.len);
	buf_adds(&input, "end");
	prepare(&command, "consul-0", "echo");
	command.exec.input = input.data;
	command.exec.input_length = input.len;
	run(&command, LONG_MS);
	cr_assert_not(err_is_set(&command.exec.err), "%s", command.exec.err.message);
	cr_assert_eq(command.exec.output.len, input.len);
	cr_assert(memcmp(command.exec.output.data, input.data, input.len) == 0);
	kube_exec_release(&command.exec);
}

Test(exec, sends_stdin)
{
	check_echo(8);
	check_echo(2 * 1024 * 1024);
}

Test(exec_tls, sends_stdin)
{
	check_echo(2 * 1024 * 1024);
}

Test(exec_tls, sends_the_token)
{
	struct command command;
	_cleanup_free_ char *header = NULL;

	prepare(&command, "consul-0", "members");
	run(&command, LONG_MS);
	cr_assert_not(err_is_set(&command.exec.err), "%s", command.exec.err.message);
	header = apiserver_request_header(apiserver_request_at(world.server, 0), "Authorization");
	cr_assert_str_eq(header, "Bearer secret-token");
	kube_exec_release(&command.exec);
}

Test(exec, tells_what_could_not_be_run)
{
	struct command command;

	prepare(&command, "consul-0", "nope");
	run(&command, LONG_MS);
	expect_error(&command, ERR_FAILED, "executable file not found in $PATH");
	kube_exec_release(&command.exec);
}

Test(exec, an_end_without_outcome_is_an_error)
{
	static const struct {
		const char *what;
		enum err_kind kind;
		const char *part;
	} rows[] = {
		{ "close", ERR_PROTOCOL, "without telling" },
		{ "drop", ERR_PROTOCOL, "cut off" },
		{ "reset", ERR_UNREACHABLE, "" },
		{ "no-status", ERR_INVALID, "outcome cannot be read" },
		{ "garbage", ERR_PROTOCOL, "" },
		{ "huge-frame", ERR_TOO_LARGE, "more than 1048576 bytes" },
		/* Then v5 is offered, which this server refuses. */
		{ "other", ERR_FORBIDDEN, "" },
		{ "none", ERR_FORBIDDEN, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct command command;

		prepare(&command, "consul-0", rows[i].what);
		run(&command, LONG_MS);
		expect_error(&command, rows[i].kind, rows[i].part);
		kube_exec_release(&command.exec);
	}
}

Test(exec, deadlines_keep_the_output)
{
	static const char *const whats[] = { "hang", "half-frame" };

	for (size_t i = 0; i < ARRAY_SIZE(whats); i++) {
		struct command command;

		/* Long enough for the command to be started on a machine that is busy. */
		prepare(&command, "consul-0", whats[i]);
		run(&command, 10 * SHORT_MS);
		expect_error(&command, ERR_TIMEOUT, "timed out waiting for the command to end");
		cr_assert_str_eq(buf_text(&command.exec.output), "out");
		kube_exec_release(&command.exec);
	}
}

Test(exec, limits_the_output)
{
	struct command command;

	prepare(&command, "consul-0", "too-long");
	run(&command, LONG_MS);
	expect_error(&command, ERR_TOO_LARGE, "output has more than");
	cr_assert_gt(command.exec.output.len, KUBE_EXEC_OUTPUT_MAX - 64 * 1024);
	kube_exec_release(&command.exec);
}

Test(exec, runs_many_at_once)
{
	struct command commands[30];
	struct kube_exec execs_copy[30];

	for (size_t i = 0; i < 30; i++) {
		prepare(&commands[i], i % 2 ? "consul-1" : "consul-0", i % 3 ? "members" : "long");
		execs_copy[i] = commands[i].exec;
		execs_copy[i].argv = commands[i].argv;
	}
	cr_assert_eq(kube_exec_perform(world.client, execs_copy, 30, soon_ms(LONG_MS), &world.err), 0);
	for (size_t i = 0; i < 30; i++) {
		cr_assert_not(err_is_set(&execs_copy[i].err), "%s", execs_copy[i].err.message);
		cr_assert_eq(execs_copy[i].exit_code, 0);
		kube_exec_release(&execs_copy[i]);
	}
}

static void never(void *context, struct kube_exec *exec)
{
	(void)context;
	(void)exec;
	cr_assert_fail("a cancelled command was told of");
}

static bool no(void *context)
{
	(void)context;
	return false;
}

Test(exec, can_be_cancelled)
{
	struct command early, late;
	_cleanup_err_ struct err timeout = ERR_INIT;

	prepare(&early, "consul-0", "members");
	prepare(&late, "consul-0", "hang");
	kube_exec_start(world.client, &early.exec, soon_ms(LONG_MS), never, NULL);
	kube_exec_start(world.client, &late.exec, soon_ms(LONG_MS), never, NULL);
	kube_exec_cancel(&early.exec);
	kube_exec_cancel(&early.exec);
	cr_assert_eq(loop_run(world.loop, no, NULL, soon_ms(SHORT_MS), &timeout), -1);
	kube_exec_release(&late.exec);
	kube_exec_release(&early.exec);
}

/* --------------------------------------------------------------------------------------- refusals */

static void refuse(const struct http_answer *answer, struct command *command)
{
	const struct apiserver_route routes[] = { { .path = "*/exec", .answer = *answer }, { 0 } };

	connected_start(&world, &(struct apiserver_options){ .routes = routes, .execs = execs });
	prepare(command, "consul-0", "members");
	run(command, LONG_MS);
}

Test(exec_refused, in_the_servers_words, .timeout = 60)
{
	for (const struct upgrade_refusal *refusal = upgrade_refusals; refusal->name; refusal++) {
		struct command command;

		refuse(&refusal->answer, &command);
		cr_assert(err_is_set(&command.exec.err), "%s", refusal->name);
		cr_assert(strstr(command.exec.err.message, refusal->message), "%s: %s", refusal->name,
		          command.exec.err.message);
		cr_assert(strstr(command.exec.err.message, "consul-0"), "%s: %s", refusal->name,
		          command.exec.err.message);
		kube_exec_release(&command.exec);
		tear_down();
	}
}

Test(exec_refused, by_faults, .timeout = 60)
{
	static const struct {
		struct http_answer answer;
		enum err_kind kind;
		const char *part;
	} rows[] = {
		{ { .fault = FAULT_CLOSE }, ERR_PROTOCOL, "without an answer" },
		{ { .fault = FAULT_CLOSE, .fault_bytes = 20 }, ERR_PROTOCOL, "in the middle of its answer" },
		{ { .fault = FAULT_GARBAGE }, ERR_PROTOCOL, "not HTTP" },
		{ { .fault = FAULT_HUGE_LINE, .fault_bytes = 100000 }, ERR_TOO_LARGE, "more than" },
		{ { .status = 200, .body = "{}" }, ERR_PROTOCOL, "HTTP status 200" },
		{ { .status = 302, .headers = "Location: /elsewhere\r\n" }, ERR_PROTOCOL, "HTTP status 302" },
		{ { .status = 502, .content_type = "text/html", .body = "<html><h1>Bad Gateway" },
		  ERR_UNAVAILABLE,
		  "" },
		{ { .status = 500, .body = "text", .fault = FAULT_CHUNKED, .fault_bytes = 1 },
		  ERR_UNAVAILABLE,
		  "text" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct command command;

		refuse(&rows[i].answer, &command);
		cr_expect_eq(command.exec.err.kind, rows[i].kind, "%zu: %d: %s", i, (int)command.exec.err.kind,
		             command.exec.err.message);
		cr_expect(command.exec.err.message && strstr(command.exec.err.message, rows[i].part), "%zu: %s", i,
		          command.exec.err.message);
		kube_exec_release(&command.exec);
		tear_down();
	}
}

Test(exec_refused, by_silence, .timeout = 60)
{
	static const struct apiserver_route routes[] = {
		{ .path = "*/exec", .answer = { .fault = FAULT_SILENCE, .fault_bytes = 5 } }, { 0 }
	};
	struct command command;

	connected_start(&world, &(struct apiserver_options){ .routes = routes });
	prepare(&command, "consul-0", "members");
	run(&command, SHORT_MS);
	expect_error(&command, ERR_TIMEOUT, "timed out waiting for the API server to start the command");
	kube_exec_release(&command.exec);
	tear_down();
}

Test(exec_refused, no_server, .timeout = 60)
{
	struct command command;

	connected_start(&world, &(struct apiserver_options){ .execs = execs });
	apiserver_refuse_connections(world.server);
	prepare(&command, "consul-0", "members");
	run(&command, LONG_MS);
	expect_error(&command, ERR_UNREACHABLE, "");
	kube_exec_release(&command.exec);
	tear_down();
}

Test(exec_refused, tries_the_next_protocol, .timeout = 60)
{
	struct command command;
	_cleanup_free_ char *first = NULL, *second = NULL;

	connected_start(&world, &(struct apiserver_options){ .execs = execs, .protocols = "v5.channel.k8s.io" });
	prepare(&command, "consul-0", "members");
	run(&command, LONG_MS);
	cr_assert_not(err_is_set(&command.exec.err), "%s", command.exec.err.message);
	cr_assert_str_eq(buf_text(&command.exec.output), "out");
	first = apiserver_request_header(apiserver_request_at(world.server, 0), "Sec-WebSocket-Protocol");
	second = apiserver_request_header(apiserver_request_at(world.server, 1), "Sec-WebSocket-Protocol");
	cr_assert_str_eq(first, "v4.channel.k8s.io");
	cr_assert_str_eq(second, "v5.channel.k8s.io");
	kube_exec_release(&command.exec);
	tear_down();
}

Test(exec_refused, does_not_try_again_after_a_status, .timeout = 60)
{
	struct command command;

	refuse(&upgrade_refusals[1].answer, &command);
	cr_assert_eq(apiserver_request_total(world.server), 1);
	cr_assert_eq(command.exec.err.kind, ERR_FORBIDDEN);
	kube_exec_release(&command.exec);
	tear_down();
}
