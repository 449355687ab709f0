/* kube/sink: long answers that are not kept, through tunnels and by exec, against the scripted API server. */
#include "kube/sink.h"

#include <string.h>
#include <sys/resource.h>

#include "connected.h"
#include "kube/exec.h"
#include "kube/tunnel.h"

#define LONG_BYTES ((size_t)64 * 1024 * 1024)
/* So much more memory may be in use afterwards, but for sanitizers, which keep what is freed. */
#define MEMORY_KIB 16384

static struct connected world;
static char *long_text; /* zeros, but for its last byte */

/* A sink that counts, and fails when it has got more than it wants. */
struct counted {
	size_t bytes, pieces, wants;
	char last;
	bool stops_server;
};

static int count(void *context, const void *data, size_t length, struct err *err)
{
	struct counted *counted = context;

	cr_assert_gt(length, 0);
	counted->bytes += length;
	counted->pieces++;
	counted->last = ((const char *)data)[length - 1];
	if (counted->stops_server)
		apiserver_stop(TAKE(world.server));
	if (counted->wants && counted->bytes > counted->wants)
		return err_set(err, ERR_CONFIG, "the disk is full");
	return 0;
}

static void make_long(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	(void)context;
	(void)request;
	answer->body = long_text;
	answer->length = LONG_BYTES;
}

static void make_long_output(void *context, const struct exec_request *request, struct exec_answer *answer)
{
	(void)context;
	(void)request;
	answer->output = long_text;
	answer->output_length = LONG_BYTES;
}

#define CHUNKED "Transfer-Encoding: chunked\r\n"

static const struct apiserver_route routes[] = {
	{ .pod = "*-*", .path = "/v1/long", .make = make_long },
	{ .pod = "*-*", .path = "/v1/short", .answer = { .body = "short" } },
	{ .pod = "*-*",
	  .path = "/v1/chunked",
	  .answer = { .body = "0123456789", .fault = FAULT_CHUNKED, .fault_bytes = 3 } },
	{ .pod = "*-*", .path = "/v1/error", .answer = { .status = 500, .body = "No cluster leader" } },
	{ .pod = "*-*",
	  .path = "/v1/cut",
	  .answer = { .headers = CHUNKED, .body = "5\r\nhello\r\n5\r\nwo", .fault = FAULT_NO_LENGTH } },
	{ 0 },
};

static const struct apiserver_exec execs[] = {
	{ .pod = "*", .command = "long", .make = make_long_output, .answer = { .error_output = "err" } },
	{ .pod = "*", .command = "short", .answer = { .output = "short", .error_output = "err", .exit_code = 3 } },
	{ .pod = "*", .command = "drop", .answer = { .output = "half", .end = EXEC_DROP } },
	{ 0 },
};

static void set_up(void)
{
	long_text = calloc(1, LONG_BYTES);
	cr_assert(long_text);
	long_text[LONG_BYTES - 1] = 'z';
	connected_start(&world, &(struct apiserver_options){ .routes = routes, .execs = execs });
}

static void tear_down(void)
{
	connected_stop(&world);
	free(long_text);
}

TestSuite(sink, .init = set_up, .fini = tear_down, .timeout = 60);

static long memory_kib(void)
{
	struct rusage usage;

	cr_assert_eq(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_maxrss;
}

static void expect_little_memory(long before_kib)
{
#ifndef __SANITIZE_ADDRESS__
	cr_assert_lt(memory_kib() - before_kib, MEMORY_KIB);
#else
	(void)before_kib;
#endif
}

/* ------------------------------------------------------------------------------------------ tunnel */

static void on_done(void *context, struct kube_tunnel_call *call)
{
	bool *is_done = context;

	(void)call;
	*is_done = true;
}

static bool is_true(void *context)
{
	return *(bool *)context;
}

static struct kube_tunnel *open_tunnel(void)
{
	struct kube_tunnel_options options = { .namespace_name = "ns", .pod = "consul-0", .port = 8500 };

	return kube_tunnel_open(world.client, &options);
}

static void ask(struct kube_tunnel *tunnel, struct kube_tunnel_call *call, const char *path, struct counted *counted,
                int64_t ms)
{
	bool is_done = false;

	*call = (struct kube_tunnel_call)KUBE_TUNNEL_CALL_INIT;
	call->path = path;
	call->sink = counted ? count : NULL;
	call->sink_context = counted;
	kube_tunnel_start(tunnel, call, soon_ms(ms), on_done, &is_done);
	cr_assert_eq(loop_run(world.loop, is_true, &is_done, soon_ms(LONG_MS), &world.err), 0, "%s", world.err.message);
}

Test(sink, takes_a_long_answer_in_little_memory)
{
	struct kube_tunnel *tunnel = open_tunnel();
	struct counted counted = { 0 };
	struct kube_tunnel_call call;
	long before_kib = memory_kib();

	ask(tunnel, &call, "/v1/long", &counted, LONG_MS);
	cr_assert_not(err_is_set(&call.err), "%s", call.err.message);
	cr_assert_eq(call.http_status, 200);
	cr_assert_eq(counted.bytes, LONG_BYTES);
	cr_assert_eq(counted.last, 'z');
	cr_assert_eq(call.body_out.len, 0);
	expect_little_memory(before_kib);
	kube_tunnel_call_release(&call);
	kube_tunnel_free(tunnel);
}

Test(sink, takes_chunks)
{
	struct kube_tunnel *tunnel = open_tunnel();
	struct counted counted = { 0 };
	struct kube_tunnel_call call;

	ask(tunnel, &call, "/v1/chunked", &counted, LONG_MS);
	cr_assert_not(err_is_set(&call.err), "%s", call.err.message);
	cr_assert_eq(counted.bytes, 10);
	cr_assert_eq(counted.last, '9');
	kube_tunnel_call_release(&call);
	kube_tunnel_free(tunnel);
}

Test(sink, leaves_other_statuses_to_the_body)
{
	struct kube_tunnel *tunnel = open_tunnel();
	struct counted counted = { 0 };
	struct kube_tunnel_call call;

	ask(tunnel, &call, "/v1/error", &counted, LONG_MS);
	cr_assert_not(err_is_set(&call.err), "%s", call.err.message);
	cr_assert_eq(call.http_status, 500);
	cr_assert_eq(counted.pieces, 0);
	cr_assert_str_eq(buf_text(&call.body_out), "No cluster leader");
	kube_tunnel_call_release(&call);
	kube_tunnel_free(tunnel);
}

Test(sink, fails_with_its_own_words_and_the_tunnel_goes_on)
{
	struct kube_tunnel *tunnel = open_tunnel();
	struct counted counted = { .wants = 100000 };
	struct kube_tunnel_call call;

	ask(tunnel, &call, "/v1/long", &counted, LONG_MS);
	cr_assert_eq(call.err.kind, ERR_CONFIG);
	cr_assert_str_eq(call.err.message, "the disk is full");
	cr_assert_eq(call.http_status, 0);
	cr_assert_lt(counted.bytes, 200000, "it was called again after it had failed");
	kube_tunnel_call_release(&call);
	ask(tunnel, &call, "/v1/short", NULL, LONG_MS);
	cr_assert_str_eq(buf_text(&call.body_out), "short");
	kube_tunnel_call_release(&call);
	kube_tunnel_free(tunnel);
}

/* The tunnel does not tell that the pod closed its side (see kube/tunnel.h): the end of the chunks never comes. */
Test(sink, chunks_without_their_end_are_no_answer)
{
	struct kube_tunnel *tunnel = open_tunnel();
	struct counted counted = { 0 };
	struct kube_tunnel_call call;

	ask(tunnel, &call, "/v1/cut", &counted, SHORT_MS);
	cr_assert_eq(call.err.kind, ERR_TIMEOUT);
	cr_assert_eq(counted.bytes, 7);
	kube_tunnel_call_release(&call);
	kube_tunnel_free(tunnel);
}

/* ------------------------------------------------------------------------------------------- exec */

static void run(struct kube_exec *exec, const char *const *argv, struct counted *counted)
{
	*exec = (struct kube_exec)KUBE_EXEC_INIT;
	exec->namespace_name = "ns";
	exec->pod = "consul-0";
	exec->container = "consul";
	exec->argv = argv;
	exec->sink = count;
	exec->sink_context = counted;
	cr_assert_eq(kube_exec_perform(world.client, exec, 1, soon_ms(LONG_MS), &world.err), 0, "%s",
	             world.err.message);
}

Test(sink, takes_long_output_in_little_memory)
{
	struct counted counted = { 0 };
	struct kube_exec exec;
	long before_kib = memory_kib();

	run(&exec, (const char *const[]){ "long", NULL }, &counted);
	cr_assert_not(err_is_set(&exec.err), "%s", exec.err.message);
	cr_assert_eq(exec.exit_code, 0);
	cr_assert_eq(counted.bytes, LONG_BYTES);
	cr_assert_eq(counted.last, 'z');
	cr_assert_eq(exec.output.len, 0);
	cr_assert_str_eq(buf_text(&exec.error_output), "err");
	expect_little_memory(before_kib);
	kube_exec_release(&exec);
}

Test(sink, gets_stdout_only_and_the_exit_code_is_told)
{
	struct counted counted = { 0 };
	struct kube_exec exec;

	run(&exec, (const char *const[]){ "short", NULL }, &counted);
	cr_assert_not(err_is_set(&exec.err), "%s", exec.err.message);
	cr_assert_eq(exec.exit_code, 3);
	cr_assert_eq(counted.bytes, 5);
	cr_assert_str_eq(buf_text(&exec.error_output), "err");
	kube_exec_release(&exec);
}

Test(sink, fails_an_exec_with_its_own_words)
{
	struct counted counted = { .wants = 100000 };
	struct kube_exec exec;

	run(&exec, (const char *const[]){ "long", NULL }, &counted);
	cr_assert_eq(exec.err.kind, ERR_CONFIG);
	cr_assert_str_eq(exec.err.message, "the disk is full");
	cr_assert_eq(exec.exit_code, -1);
	cr_assert_lt(counted.bytes, 200000, "it was called again after it had failed");
	kube_exec_release(&exec);
}

Test(sink, output_without_outcome_is_an_error)
{
	struct counted counted = { 0 };
	struct kube_exec exec;

	run(&exec, (const char *const[]){ "drop", NULL }, &counted);
	cr_assert_eq(exec.err.kind, ERR_PROTOCOL);
	cr_assert_eq(counted.bytes, 4);
	kube_exec_release(&exec);
}

/* --------------------------------------------------------------------------------- the server goes away */

static void set_up_alone(void)
{
	set_up();
}

static void tear_down_alone(void)
{
	kube_client_free(world.client);
	loop_free(world.loop);
	apiserver_stop(world.server);
	kube_config_release(&world.config);
	err_release(&world.err);
	free(long_text);
}

Test(sink_cut_off, tells_half_an_answer_from_a_whole_one, .init = set_up_alone, .fini = tear_down_alone, .timeout = 60)
{
	struct kube_tunnel *tunnel = open_tunnel();
	struct counted counted = { .stops_server = true };
	struct kube_tunnel_call call;

	ask(tunnel, &call, "/v1/long", &counted, LONG_MS);
	cr_assert(call.err.kind == ERR_UNREACHABLE || call.err.kind == ERR_PROTOCOL, "%d: %s", (int)call.err.kind,
	          call.err.message);
	cr_assert(strstr(call.err.message, "consul-0"), "%s", call.err.message);
	cr_assert_eq(call.http_status, 0);
	cr_assert_lt(counted.bytes, LONG_BYTES);
	kube_tunnel_call_release(&call);
	kube_tunnel_free(tunnel);
}
