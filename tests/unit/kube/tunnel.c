/* kube/tunnel: HTTP to a pod's port against the scripted API server: outcomes, lanes, faults, limits, many at once. */
#include "kube/tunnel.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "connected.h"

static struct connected world;

static void make_long(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	const size_t *length = context;
	static const char zeros[64 * 1024];

	(void)request;
	answer->scratch.max = *length + sizeof(zeros);
	while (answer->scratch.len < *length)
		cr_assert_eq(buf_add(&answer->scratch, zeros, sizeof(zeros)), 0);
	answer->body = answer->scratch.data;
	answer->length = *length;
}

static void make_headers(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	(void)context;
	(void)request;
	answer->scratch.max = BUF_TEXT_MAX;
	while (answer->scratch.len < 100 * 1024)
		buf_addf(&answer->scratch, "X-%zu: %01000d\r\n", answer->scratch.len, 0);
	answer->headers = answer->scratch.data;
}

static size_t long_length = 5 * 1024 * 1024, too_long_length = KUBE_TUNNEL_BODY_MAX + 1;

#define PLAIN_TEXT "Client sent an HTTP request to an HTTPS server.\n"

static const struct apiserver_route routes[] = {
	{ .pod = "*-*", .path = "/v1/agent/self", .answer = { .body = "{\"Config\":{}}" } },
	{ .pod = "*-*",
	  .path = "/v1/agent/members",
	  .answer = { .body = "[]", .fault = FAULT_CHUNKED, .fault_bytes = 1 } },
	{ .pod = "*-*", .path = "/v1/slow", .answer = { .body = "{}", .delay_ms = 100 } },
	{ .pod = "*-*", .method = "PUT", .path = "/v1/put", .answer = { .body = "true" } },
	{ .pod = "*-*", .path = "/v1/error", .answer = { .status = 500, .body = "No cluster leader" } },
	{ .pod = "*-*",
	  .path = "/v1/plain",
	  .answer = { .status = 400, .body = PLAIN_TEXT, .fault = FAULT_NO_LENGTH } },
	{ .pod = "*-*", .path = "/v1/close", .answer = { .headers = "Connection: close\r\n", .body = "bye" } },
	{ .pod = "*-*", .path = "/v1/nothing", .answer = { .fault = FAULT_CLOSE } },
	{ .pod = "*-*", .path = "/v1/half", .answer = { .body = "{}", .fault = FAULT_SILENCE, .fault_bytes = 30 } },
	{ .pod = "*-*", .path = "/v1/headers", .make = make_headers },
	{ .pod = "*-*", .path = "/v1/garbage", .answer = { .fault = FAULT_GARBAGE } },
	{ .pod = "*-*", .path = "/v1/long", .make = make_long, .context = &long_length },
	{ .pod = "*-*", .path = "/v1/too-long", .make = make_long, .context = &too_long_length },
	{ 0 },
};

static const struct apiserver_port ports[] = {
	{ .pod = "*", .port = 8501, .kind = PORT_HTTPS },
	{ .pod = "*", .port = 1, .kind = PORT_ERROR, .text = "no such \x1b[2Jthing\n" },
	{ .pod = "*", .port = 2, .kind = PORT_ERROR_LATE, .text = "it broke" },
	{ .pod = "*", .port = 3, .kind = PORT_SILENT },
	{ .pod = "*", .port = 4, .kind = PORT_UNOPENED },
	{ .pod = "*", .port = 5, .kind = PORT_GARBAGE },
	{ .pod = "*", .port = 6, .kind = PORT_HALF_FRAME },
	{ .pod = "*", .port = 7, .kind = PORT_CLOSE },
	{ .pod = "*", .port = 8, .kind = PORT_DROP },
	{ .pod = "pieces-*", .kind = PORT_HTTP, .frame_bytes = 1, .write_bytes = 1 },
	{ 0 },
};

/* A request, and what it waits for. */
struct asked {
	struct kube_tunnel_call call;
	size_t *left;
	struct kube_tunnel *frees; /* when told */
};

static void on_done(void *context, struct kube_tunnel_call *call)
{
	struct asked *asked = context;

	cr_assert_eq(&asked->call, call);
	(*asked->left)--;
	if (asked->frees)
		kube_tunnel_free(asked->frees);
}

static bool is_zero(void *context)
{
	const size_t *left = context;

	return *left == 0;
}

static struct kube_tunnel *open_to(const char *pod, uint16_t port)
{
	struct kube_tunnel_options options = { .namespace_name = "ns", .pod = pod, .port = port };

	return kube_tunnel_open(world.client, &options);
}

static void ask(struct kube_tunnel *tunnel, struct asked *asked, const char *path, int64_t ms, size_t *left)
{
	*asked = (struct asked){ .call = KUBE_TUNNEL_CALL_INIT, .left = left };
	asked->call.path = path;
	++*left;
	kube_tunnel_start(tunnel, &asked->call, soon_ms(ms), on_done, asked);
}

static void wait_for(size_t *left)
{
	cr_assert_eq(loop_run(world.loop, is_zero, left, soon_ms(LONG_MS), &world.err), 0, "%s", world.err.message);
}

static void expect_answer(struct asked *asked, long status, const char *body)
{
	cr_assert_not(err_is_set(&asked->call.err), "%s: %s", asked->call.path, asked->call.err.message);
	cr_assert_eq(asked->call.http_status, status);
	cr_assert_str_eq(buf_text(&asked->call.body_out), body);
	kube_tunnel_call_release(&asked->call);
}

static void expect_error(struct asked *asked, enum err_kind kind, const char *part)
{
	struct err *err = &asked->call.err;

	cr_assert_eq(err->kind, kind, "%s: kind %d: %s", asked->call.path, (int)err->kind,
	             err->message ? err->message : "no error");
	cr_assert(strstr(err->message, part), "%s", err->message);
	cr_assert(strstr(err->message, "consul-0"), "%s", err->message);
	kube_tunnel_call_release(&asked->call);
}

static const struct apiserver_options plain = { .routes = routes, .ports = ports, .tunnel_names = "server.dc1.consul" };

static void set_up(void)
{
	connected_start(&world, &plain);
}

static void set_up_tls(void)
{
	struct apiserver_options options = plain;

	options.tls = true;
	connected_start(&world, &options);
}

static void tear_down(void)
{
	connected_stop(&world);
}

TestSuite(tunnel, .init = set_up, .fini = tear_down, .timeout = 60);
TestSuite(tunnel_tls, .init = set_up_tls, .fini = tear_down, .timeout = 120);

/* ---------------------------------------------------------------------------------------- answers */

static void check_three(const char *pod)
{
	struct kube_tunnel *tunnel = open_to(pod, 8500);
	struct asked asked[3];
	size_t left = 0;

	ask(tunnel, &asked[0], "/v1/agent/self", LONG_MS, &left);
	ask(tunnel, &asked[1], "/v1/agent/members", LONG_MS, &left);
	ask(tunnel, &asked[2], "/v1/error", LONG_MS, &left);
	wait_for(&left);
	expect_answer(&asked[0], 200, "{\"Config\":{}}");
	expect_answer(&asked[1], 200, "[]");
	expect_answer(&asked[2], 500, "No cluster leader");
	cr_assert_eq(apiserver_count(world.server, NULL, "*/portforward"), 1);
	cr_assert_eq(apiserver_connections(world.server), 1);
	kube_tunnel_free(tunnel);
}

Test(tunnel, answers_three_through_one_websocket)
{
	check_three("consul-0");
}

Test(tunnel, answers_in_pieces)
{
	check_three("pieces-0");
}

Test(tunnel_tls, answers_three_through_one_websocket)
{
	check_three("consul-0");
}

Test(tunnel, requests_queued_together_run_together)
{
	struct kube_tunnel *tunnel = open_to("consul-0", 8500);
	struct asked asked[3];
	size_t left = 0;
	const struct apiserver_request *request;

	for (size_t i = 0; i < 3; i++)
		ask(tunnel, &asked[i], "/v1/slow", LONG_MS, &left);
	wait_for(&left);
	for (size_t i = 0; i < 3; i++)
		expect_answer(&asked[i], 200, "{}");
	request = apiserver_find(world.server, "GET", "*/portforward", 0);
	cr_assert_str_eq(request->query, "ports=8500&ports=8500&ports=8500");
	request = apiserver_find(world.server, "GET", "/v1/slow", 2);
	cr_assert_lt(request->at_ms - apiserver_find(world.server, "GET", "/v1/slow", 0)->at_ms, 100);
	kube_tunnel_free(tunnel);
}

Test(tunnel, further_requests_use_it_again)
{
	struct kube_tunnel *tunnel = open_to("consul-0", 8500);
	struct asked asked[7];
	size_t left = 0;

	for (size_t i = 0; i < 5; i++)
		ask(tunnel, &asked[i], "/v1/agent/self", LONG_MS, &left);
	wait_for(&left);
	for (size_t i = 5; i < 7; i++) {
		ask(tunnel, &asked[i], "/v1/agent/self", LONG_MS, &left);
		wait_for(&left);
	}
	for (size_t i = 0; i < 7; i++)
		expect_answer(&asked[i], 200, "{\"Config\":{}}");
	cr_assert_eq(apiserver_count(world.server, NULL, "*/portforward"), 1);
	kube_tunnel_free(tunnel);
}

Test(tunnel, does_not_mix_pods_up)
{
	struct kube_tunnel *tunnels[20];
	struct asked asked[20];
	char pods[20][16];
	size_t left = 0;

	for (size_t round = 0; round < 2; round++) {
		for (size_t i = 0; i < 20; i++) {
			if (round == 0) {
				snprintf(pods[i], sizeof(pods[i]), "consul-%zu", i);
				tunnels[i] = open_to(pods[i], 8500);
			}
			ask(tunnels[i], &asked[i], "/v1/agent/self", LONG_MS, &left);
		}
		wait_for(&left);
		for (size_t i = 0; i < 20; i++)
			expect_answer(&asked[i], 200, "{\"Config\":{}}");
	}
	for (size_t i = 0; i < 40; i++) {
		const struct apiserver_request *request = apiserver_find(world.server, "GET", "/v1/agent/self", i);
		size_t seen = 0;

		for (size_t j = 0; j < 40; j++)
			if (strcmp(apiserver_find(world.server, "GET", "/v1/agent/self", j)->pod, request->pod) == 0)
				seen++;
		cr_assert_eq(seen, 2, "%s was asked %zu times", request->pod, seen);
	}
	for (size_t i = 0; i < 20; i++)
		kube_tunnel_free(tunnels[i]);
}

Test(tunnel, sends_method_body_and_token)
{
	struct kube_tunnel_options options = {
		.namespace_name = "ns", .pod = "consul-0", .port = 8500, .token = "secret-token"
	};
	struct kube_tunnel *tunnel = kube_tunnel_open(world.client, &options);
	struct asked asked[2] = { { .call = KUBE_TUNNEL_CALL_INIT }, { .call = KUBE_TUNNEL_CALL_INIT } };
	const struct apiserver_request *request;

	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ char *token = NULL, *length = NULL;
		size_t left = 1;

		asked[i].left = &left;
		asked[i].call.method = KUBE_PUT;
		asked[i].call.path = "/v1/put";
		asked[i].call.body = i ? "{\"a\":1}" : NULL;
		kube_tunnel_start(tunnel, &asked[i].call, soon_ms(LONG_MS), on_done, &asked[i]);
		wait_for(&left);
		expect_answer(&asked[i], 200, "true");
		request = apiserver_find(world.server, "PUT", "/v1/put", i);
		cr_assert_str_eq(request->body, i ? "{\"a\":1}" : "");
		token = apiserver_request_header(request, "X-Consul-Token");
		length = apiserver_request_header(request, "Content-Length");
		cr_assert_str_eq(token, "secret-token");
		cr_assert_str_eq(length, i ? "7" : "0");
	}
	kube_tunnel_free(tunnel);
}

Test(tunnel, gives_long_answers)
{
	struct kube_tunnel *tunnel = open_to("consul-0", 8500);
	struct asked asked[3];
	size_t left = 0;

	for (size_t i = 0; i < 3; i++)
		ask(tunnel, &asked[i], "/v1/long", LONG_MS, &left);
	wait_for(&left);
	for (size_t i = 0; i < 3; i++) {
		cr_assert_not(err_is_set(&asked[i].call.err), "%s", asked[i].call.err.message);
		cr_assert_eq(asked[i].call.body_out.len, long_length);
		kube_tunnel_call_release(&asked[i].call);
	}
	kube_tunnel_free(tunnel);
}

static void check_long_body(void)
{
	struct kube_tunnel *tunnel = open_to("consul-0", 8500);
	_cleanup_buf_ struct buf body = BUF_TEXT;
	struct asked asked = { .call = KUBE_TUNNEL_CALL_INIT };
	size_t left = 1;

	while (body.len < 3 * 1024 * 1024)
		buf_addf(&body, "%08zu", body.len);
	asked.left = &left;
	asked.call.method = KUBE_PUT;
	asked.call.path = "/v1/put";
	asked.call.body = body.data;
	kube_tunnel_start(tunnel, &asked.call, soon_ms(LONG_MS), on_done, &asked);
	wait_for(&left);
	expect_answer(&asked, 200, "true");
	cr_assert_str_eq(apiserver_find(world.server, "PUT", "/v1/put", 0)->body, body.data);
	kube_tunnel_free(tunnel);
}

Test(tunnel, sends_long_bodies)
{
	check_long_body();
}

Test(tunnel_tls, sends_long_bodies)
{
	check_long_body();
}

/* --------------------------------------------------------------------------------- TLS in the tunnel */

static void ask_https(const char *name, bool verify, bool other_ca, struct asked *asked)
{
	struct kube_tunnel_options options = {
		.namespace_name = "ns",
		.pod = "consul-0",
		.port = 8501,
		.https = true,
		.server_name = name,
		.verify = verify,
		.ca_pem = other_ca ? pki_other_ca(apiserver_pki(world.server)) : pki_ca(apiserver_pki(world.server)),
	};
	struct kube_tunnel *tunnel = kube_tunnel_open(world.client, &options);
	size_t left = 0;

	ask(tunnel, asked, "/v1/agent/self", LONG_MS, &left);
	wait_for(&left);
	kube_tunnel_free(tunnel);
}

Test(tunnel_tls, https_inside)
{
	struct asked asked;

	ask_https("server.dc1.consul", true, false, &asked);
	expect_answer(&asked, 200, "{\"Config\":{}}");
	ask_https(NULL, false, true, &asked);
	expect_answer(&asked, 200, "{\"Config\":{}}");
	ask_https("server.dc2.consul", true, false, &asked);
	expect_error(&asked, ERR_UNREACHABLE, "port 8501: TLS: ");
	ask_https("server.dc1.consul", true, true, &asked);
	expect_error(&asked, ERR_UNREACHABLE, "port 8501: TLS: ");
}

Test(tunnel_tls, https_to_a_port_without_tls)
{
	struct kube_tunnel_options options = { .namespace_name = "ns", .pod = "consul-0", .port = 5, .https = true };
	struct kube_tunnel *tunnel = kube_tunnel_open(world.client, &options);
	struct asked asked;
	size_t left = 0;

	ask(tunnel, &asked, "/v1/agent/self", LONG_MS, &left);
	wait_for(&left);
	expect_error(&asked, ERR_UNREACHABLE, "TLS: ");
	kube_tunnel_free(tunnel);
}

/* ----------------------------------------------------------------------------------------- faults */

Test(tunnel, an_errors_text_without_length_is_whole_when_quiet)
{
	struct kube_tunnel *tunnel = open_to("consul-0", 8500);
	struct asked asked;
	size_t left = 0;

	ask(tunnel, &asked, "/v1/plain", LONG_MS, &left);
	wait_for(&left);
	expect_answer(&asked, 400, PLAIN_TEXT);
	kube_tunnel_free(tunnel);
}

Test(tunnel, opens_again_when_the_agent_closed)
{
	struct kube_tunnel *tunnel = open_to("consul-0", 8500);
	struct asked asked;

	for (size_t i = 0; i < 3; i++) {
		size_t left = 0;

		ask(tunnel, &asked, "/v1/close", LONG_MS, &left);
		wait_for(&left);
		expect_answer(&asked, 200, "bye");
	}
	cr_assert_eq(apiserver_count(world.server, NULL, "*/portforward"), 3);
	kube_tunnel_free(tunnel);
}

Test(tunnel, bad_answers)
{
	static const struct {
		const char *path;
		int64_t ms;
		enum err_kind kind;
		const char *part;
	} rows[] = {
		{ "/v1/nothing", SHORT_MS, ERR_TIMEOUT, "timed out waiting for the answer to /v1/nothing" },
		{ "/v1/half", SHORT_MS, ERR_TIMEOUT, "timed out waiting for the answer to /v1/half" },
		{ "/v1/garbage", LONG_MS, ERR_PROTOCOL, "not HTTP" },
		{ "/v1/too-long", LONG_MS, ERR_TOO_LARGE, "the answer to /v1/too-long has more than" },
		{ "/v1/headers", LONG_MS, ERR_TOO_LARGE, "the answer to /v1/headers has more than" },
	};
	struct kube_tunnel *tunnel = open_to("consul-0", 8500);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct asked asked, good;
		size_t left = 0;

		ask(tunnel, &asked, rows[i].path, rows[i].ms, &left);
		ask(tunnel, &good, "/v1/agent/self", LONG_MS, &left);
		wait_for(&left);
		expect_error(&asked, rows[i].kind, rows[i].part);
		expect_answer(&good, 200, "{\"Config\":{}}");
	}
	kube_tunnel_free(tunnel);
}

Test(tunnel, bad_ports)
{
	static const struct {
		uint16_t port;
		int64_t ms;
		enum err_kind kind;
		const char *part;
	} rows[] = {
		{ 1, LONG_MS, ERR_UNREACHABLE, "pod consul-0 port 1: no such ^[[2Jthing" },
		{ 2, LONG_MS, ERR_UNREACHABLE, "pod consul-0 port 2: it broke" },
		{ 3, SHORT_MS, ERR_TIMEOUT, "port 3: timed out waiting for the answer to /v1/agent/self" },
		{ 4, SHORT_MS, ERR_TIMEOUT, "port 4: timed out waiting for" },
		{ 5, LONG_MS, ERR_PROTOCOL, "port 5: the answer is not HTTP" },
		{ 6, SHORT_MS, ERR_TIMEOUT, "port 6: timed out" },
		{ 7, LONG_MS, ERR_UNREACHABLE, "port 7: the connection ended before the whole answer" },
		{ 8, LONG_MS, ERR_PROTOCOL, "port 8: the connection was cut off" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kube_tunnel *tunnel = open_to("consul-0", rows[i].port);
		struct asked asked[5];
		size_t left = 0;

		for (size_t j = 0; j < 5; j++)
			ask(tunnel, &asked[j], "/v1/agent/self", rows[i].ms, &left);
		wait_for(&left);
		for (size_t j = 0; j < 5; j++)
			expect_error(&asked[j], rows[i].kind, rows[i].part);
		kube_tunnel_free(tunnel);
	}
}

Test(tunnel, nothing_listens)
{
	struct kube_tunnel *tunnel = open_to("consul0", 8500);
	struct asked asked;
	size_t left = 0;

	ask(tunnel, &asked, "/v1/agent/self", LONG_MS, &left);
	wait_for(&left);
	cr_assert_eq(asked.call.err.kind, ERR_UNREACHABLE);
	cr_assert(strstr(asked.call.err.message, "pod consul0 port 8500: nothing listens there (connection refused)"),
	          "%s", asked.call.err.message);
	kube_tunnel_call_release(&asked.call);
	kube_tunnel_free(tunnel);
}

Test(tunnel, refused_upgrades)
{
	static const struct apiserver_route refusal[] = {
		{ .path = "*/portforward",
		  .answer = { .status = 403,
		              .body = STATUS_FAILURE(403, "Forbidden", "pods \\\"consul-0\\\" is forbidden") } },
		{ 0 },
	};
	struct kube_tunnel *tunnel = open_to("consul-0", 8500);
	struct asked asked[5];
	size_t left = 0;

	apiserver_add(world.server, refusal, NULL, NULL);
	for (size_t i = 0; i < 5; i++)
		ask(tunnel, &asked[i], "/v1/agent/self", LONG_MS, &left);
	wait_for(&left);
	for (size_t i = 0; i < 5; i++)
		expect_error(&asked[i], ERR_FORBIDDEN, "is forbidden");
	cr_assert_eq(apiserver_connections(world.server), 1);
	kube_tunnel_free(tunnel);
}

Test(tunnel, no_server)
{
	struct kube_tunnel *tunnel = open_to("consul-0", 8500);
	struct asked asked;
	size_t left = 0;

	apiserver_refuse_connections(world.server);
	ask(tunnel, &asked, "/v1/agent/self", LONG_MS, &left);
	wait_for(&left);
	expect_error(&asked, ERR_UNREACHABLE, "");
	kube_tunnel_free(tunnel);
}

/* ----------------------------------------------------------------------------------------- freeing */

Test(tunnel, can_be_freed_when_told)
{
	for (size_t which = 0; which < 3; which++) {
		struct kube_tunnel *tunnel = open_to("consul-0", which == 2 ? 1 : 8500);
		struct asked asked[3];
		size_t left = 0, goal;

		for (size_t i = 0; i < 3; i++)
			ask(tunnel, &asked[i], "/v1/agent/self", LONG_MS, &left);
		asked[which].frees = tunnel;
		goal = left;
		while (left == goal || asked[which].call.http_status == 0) {
			_cleanup_err_ struct err timeout = ERR_INIT;

			cr_assert_eq(loop_run(world.loop, is_zero, &left, soon_ms(5), &timeout) <= 0, 1);
			if (err_is_set(&asked[which].call.err))
				break;
		}
		for (size_t i = 0; i < 3; i++)
			kube_tunnel_call_release(&asked[i].call);
	}
}

Test(tunnel, can_be_freed_at_any_time)
{
	for (int64_t ms = 0; ms < 10; ms++) {
		struct kube_tunnel *tunnel = open_to("consul-0", 8500);
		struct asked asked[4];
		size_t left = 0;
		_cleanup_err_ struct err timeout = ERR_INIT;

		for (size_t i = 0; i < 4; i++)
			ask(tunnel, &asked[i], "/v1/slow", LONG_MS, &left);
		cr_assert_eq(loop_run(world.loop, is_zero, &left, soon_ms(ms), &timeout), -1);
		kube_tunnel_free(tunnel);
		for (size_t i = 0; i < 4; i++)
			kube_tunnel_call_release(&asked[i].call);
	}
}

/* -------------------------------------------------------------------------------------------- many */

Test(tunnel_tls, five_hundred_at_once)
{
	enum { COUNT = 500 };
	static struct asked asked[COUNT];
	static struct kube_tunnel *tunnels[COUNT];
	struct rlimit limit;
	size_t left = 0;

	/* Three descriptors each on this side, one on the server's. */
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < 8 * COUNT)
		cr_skip_test("the hard limit of open files is too low");
	limit.rlim_cur = limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (size_t i = 0; i < COUNT; i++) {
		tunnels[i] = open_to("consul-0", 8500);
		ask(tunnels[i], &asked[i], "/v1/agent/self", 3 * LONG_MS, &left);
	}
	cr_assert_eq(loop_run(world.loop, is_zero, &left, soon_ms(3 * LONG_MS), &world.err), 0);
	for (size_t i = 0; i < COUNT; i++) {
		expect_answer(&asked[i], 200, "{\"Config\":{}}");
		kube_tunnel_free(tunnels[i]);
	}
}
