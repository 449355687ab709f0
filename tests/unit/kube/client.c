/* kube/client: REST calls against the scripted API server: outcomes, retries, limits, deadlines. */
#include "kube/client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/redirect.h>

#include "../../support/apiserver.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* Long enough for a busy machine, short enough to notice a hang. */
#define LONG_MS 10000

/* Longer than the header lines before it, so that it can be cut inside. */
#define LONG_BODY                                                                                                      \
	"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"consul-0\",\"namespace\":\"ns\",\"uid\":"                          \
	"\"00000000-0000-0000-0000-000000000000\",\"resourceVersion\":\"1\",\"generation\":1}}"

#define FAILURE(status_, reason_, message_)                                                                            \
	{                                                                                                              \
		.status = status_, .body = STATUS_FAILURE(status_, reason_, message_)                                  \
	}

/* Answers with scratch: spaces, more of them than a body may have. */
static void make_huge(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	static const char spaces[1024 * 1024] = { ' ' };

	(void)context;
	(void)request;
	answer->scratch.max = KUBE_BODY_MAX + sizeof(spaces);
	while (answer->scratch.len <= KUBE_BODY_MAX)
		cr_assert_eq(buf_add(&answer->scratch, spaces, sizeof(spaces)), 0);
	answer->body = answer->scratch.data;
	answer->length = answer->scratch.len;
}

static void make_many_headers(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	(void)context;
	(void)request;
	answer->scratch.max = 2 * KUBE_HEADER_MAX;
	while (answer->scratch.len <= KUBE_HEADER_MAX)
		buf_adds(&answer->scratch, "X-Header: nothing that matters to anybody\r\n");
	answer->headers = answer->scratch.data;
}

static const struct apiserver_route routes[] = {
	{ .path = "/pods", .answer = { .body = "{\"kind\":\"PodList\",\"items\":[]}" } },
	{ .path = "/empty", .answer = { .body = "" } },
	{ .path = "/login", .answer = { .content_type = "text/html", .body = "\n<html>\n\t<body>Log in" } },
	{ .path = "/half", .answer = { .body = "{\"kind\":" } },
	{ .path = "/redirect", .answer = { .status = 302, .headers = "Location: /pods\r\n" } },
	{ .path = "/absent", .answer = FAILURE(404, "NotFound", "pods \\\"p\\\" not found") },
	{ .path = "/chunks", .answer = { .body = "{\"kind\":\"Pod\"}", .fault = FAULT_CHUNKED, .fault_bytes = 1 } },

	{ .path = "/busy-once", .times = 2, .answer = { .status = 429, .headers = "Retry-After: 0\r\n" } },
	{ .path = "/busy-once", .answer = { .body = "{}" } },
	{ .path = "/busy", .answer = { .status = 503, .headers = "retry-after:0 \r\n", .body = "busy" } },
	{ .path = "/busy-long", .answer = { .status = 503, .headers = "Retry-After: 3600\r\n" } },
	{ .path = "/busy-date",
	  .answer = { .status = 503, .headers = "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n" } },
	{ .path = "/busy-negative", .answer = { .status = 500, .headers = "Retry-After: -1\r\n" } },
	{ .path = "/failing", .answer = FAILURE(500, "InternalError", "etcd is away") },

	{ .path = "/reset-once", .times = 1, .answer = { .fault = FAULT_RESET } },
	{ .path = "/reset-once", .answer = { .body = "{}" } },
	{ .path = "/cut-once", .times = 2, .answer = { .body = LONG_BODY, .fault = FAULT_CLOSE, .fault_bytes = 120 } },
	{ .path = "/cut-once", .answer = { .body = "{}" } },
	{ .path = "/silent", .answer = { .fault = FAULT_SILENCE } },
	{ .path = "/stalls", .answer = { .body = "{}", .fault = FAULT_SILENCE, .fault_bytes = 20 } },
	{ .path = "/garbage", .answer = { .fault = FAULT_GARBAGE } },
	{ .path = "/huge-line", .answer = { .fault = FAULT_HUGE_LINE, .fault_bytes = 400000 } },
	{ .path = "/huge", .make = make_huge },
	{ .path = "/many-headers", .make = make_many_headers },
	{ .method = "POST", .path = "/things", .answer = { .status = 201, .body = "{\"kind\":\"Thing\"}" } },
	{ .path = "/thing", .answer = { .body = "{}" } },
	{ 0 },
};

static struct apiserver *server;
static struct loop *loop;
static struct kube_config config;
static struct kube_client_options options;
static struct kube_client *client;
static struct err err;

static void start_server(const struct apiserver_options *how)
{
	server = apiserver_start(how);
	config = (struct kube_config){ .server = xstrdup(apiserver_url(server)),
		                       .namespace_name = xstrdup("default"),
		                       .user = xstrdup("tester") };
	if (how->tls)
		config.ca_pem = xstrdup(pki_ca(apiserver_pki(server)));
}

static void connect_client(void)
{
	loop = loop_new();
	options.command = "kubectl consul health";
	cr_assert_eq(kube_client_new(loop, &config, &options, &client, &err), 0, "%s", err.message);
}

static void set_up(void)
{
	start_server(&(struct apiserver_options){ .routes = routes });
	connect_client();
}

static void tear_down(void)
{
	kube_client_free(client);
	loop_free(loop);
	apiserver_stop(server);
	kube_config_release(&config);
	err_release(&err);
}

TestSuite(client, .init = set_up, .fini = tear_down);

static void perform(struct kube_call *calls, size_t count)
{
	cr_assert_eq(kube_client_perform(client, calls, count, clock_monotonic_ms() + LONG_MS, &err), 0, "%s",
	             err.message);
}

static void expect_success(struct kube_call *call)
{
	perform(call, 1);
	cr_assert(!err_is_set(&call->err), "%s: %s", call->path, call->err.message);
}

static void expect_failure(struct kube_call *call, enum err_kind kind, const char *message)
{
	perform(call, 1);
	cr_assert_eq(call->err.kind, kind, "%s: kind %d, %s", call->path, (int)call->err.kind, call->err.message);
	cr_assert(strstr(call->err.message, message), "%s: %s", call->path, call->err.message);
	cr_assert_null(call->json);
}

/* ---------------------------------------------------------------------------------------- requests */

Test(client, a_get_is_decoded)
{
	struct kube_call call = { .path = "/pods?labelSelector=a%3Db" };
	const struct apiserver_request *request;
	_cleanup_free_ char *agent = NULL, *command = NULL, *accept = NULL, *host = NULL;

	expect_success(&call);
	cr_expect_eq(call.http_status, 200);
	cr_expect_str_eq(json_string_at(call.json, "kind"), "PodList");
	request = apiserver_find(server, "GET", "/pods", 0);
	cr_expect_str_eq(request->query, "labelSelector=a%3Db");
	agent = apiserver_request_header(request, "User-Agent");
	command = apiserver_request_header(request, "Kubectl-Command");
	accept = apiserver_request_header(request, "Accept");
	host = apiserver_request_header(request, "Host");
	cr_expect(str_starts_with(agent, "kubectl-consul/"));
	cr_expect_str_eq(command, "kubectl consul health");
	cr_expect_str_eq(accept, "application/json");
	cr_expect(str_ends_with(config.server, host), "%s", host);
	cr_expect_null(apiserver_request_header(request, "Authorization"));
	kube_call_release(&call);
}

Test(client, bodies_methods_and_content_types)
{
	struct kube_call calls[] = {
		{ .method = KUBE_POST, .path = "/things", .body = "{\"a\":1}" },
		{ .method = KUBE_PATCH,
		  .path = "/thing",
		  .content_type = "application/merge-patch+json",
		  .body = "{}" },
		{ .method = KUBE_DELETE, .path = "/thing", .body = "{\"propagationPolicy\":\"Foreground\"}" },
		{ .method = KUBE_DELETE, .path = "/thing" },
		{ .method = KUBE_PUT, .path = "/thing", .body = "{}" },
		{ .method = KUBE_POST, .path = "/thing" },
		{ .method = KUBE_GET, .path = "/thing" },
	};
	static const struct {
		const char *method, *body, *content_type;
	} expected[] = {
		{ "POST", "{\"a\":1}", "application/json" },
		{ "PATCH", "{}", "application/merge-patch+json" },
		{ "DELETE", "{\"propagationPolicy\":\"Foreground\"}", "application/json" },
		{ "DELETE", "", NULL },
		{ "PUT", "{}", "application/json" },
		{ "POST", "", NULL },
		{ "GET", "", NULL },
	};

	/* One after another, so that they share one easy handle. */
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct apiserver_request *request;
		_cleanup_free_ char *type = NULL;

		expect_success(&calls[i]);
		request = apiserver_request_at(server, i);
		type = apiserver_request_header(request, "Content-Type");
		cr_expect_str_eq(request->method, expected[i].method);
		cr_expect_str_eq(request->body, expected[i].body);
		if (expected[i].content_type)
			cr_expect_str_eq(type, expected[i].content_type);
		kube_call_release(&calls[i]);
	}
	cr_expect_eq(apiserver_connections(server), 1);
}

Test(client, several_calls_at_once_have_their_own_outcomes)
{
	struct kube_call calls[] = {
		{ .path = "/pods" }, { .path = "/absent" }, { .path = "/empty" }, { .path = "/chunks" }
	};

	perform(calls, ARRAY_SIZE(calls));
	cr_expect_not_null(calls[0].json);
	cr_expect_eq(calls[1].err.kind, ERR_NOT_FOUND);
	cr_expect_eq(calls[1].http_status, 404);
	cr_expect_null(calls[2].json);
	cr_expect(!err_is_set(&calls[2].err));
	cr_expect_str_eq(json_string_at(calls[3].json, "kind"), "Pod");
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		kube_call_release(&calls[i]);
	perform(NULL, 0);
}

Test(client, a_hundred_calls_at_once)
{
	struct kube_call calls[100] = { { .path = NULL } };

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		calls[i].path = "/pods";
	perform(calls, ARRAY_SIZE(calls));
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		cr_expect_not_null(calls[i].json);
		kube_call_release(&calls[i]);
	}
}

/* ---------------------------------------------------------------------------------- strange answers */

Test(client, what_is_not_json_is_shown_in_one_line)
{
	struct kube_call login = { .path = "/login" }, half = { .path = "/half" };

	expect_failure(&login, ERR_PROTOCOL, "the answer is not JSON: <html> <body>Log in");
	cr_expect(strstr(login.err.hint, "login page"));
	expect_failure(&half, ERR_PROTOCOL, "the answer is not JSON: {\"kind\":");
	kube_call_release(&login);
	kube_call_release(&half);
}

Test(client, a_redirect_is_not_followed)
{
	struct kube_call call = { .path = "/redirect" };

	perform(&call, 1);
	cr_expect(err_is_set(&call.err));
	cr_expect_eq(call.http_status, 302);
	cr_expect_eq(apiserver_count(server, NULL, NULL), 1);
	kube_call_release(&call);
}

Test(client, a_path_is_sent_as_it_is)
{
	struct kube_call call = { .path = "/things/.." };

	perform(&call, 1);
	cr_assert_eq(apiserver_count(server, "GET", "/things/.."), 1);
	kube_call_release(&call);
}

Test(client, what_is_too_large_is_given_up)
{
	static const char *const paths[] = { "/huge", "/huge-line", "/many-headers" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct kube_call call = { .path = paths[i] };

		expect_failure(&call, ERR_TOO_LARGE, paths[i]);
		cr_expect_eq(call.retries, 0);
		kube_call_release(&call);
	}
}

Test(client, garbage_is_an_error)
{
	struct kube_call call = { .path = "/garbage" };

	perform(&call, 1);
	cr_expect(err_is_set(&call.err));
	kube_call_release(&call);
}

/* ------------------------------------------------------------------------------------------ retries */

Test(client, busy_with_an_integer_is_tried_again_whatever_the_method)
{
	struct kube_call call = { .method = KUBE_POST, .path = "/busy-once", .body = "{}" };

	expect_success(&call);
	cr_expect_eq(call.retries, 2);
	cr_expect_str_eq(apiserver_find(server, "POST", "/busy-once", 2)->body, "{}");
	kube_call_release(&call);
}

Test(client, always_busy_is_told_after_ten_retries)
{
	struct kube_call call = { .path = "/busy" };

	expect_failure(&call, ERR_UNAVAILABLE, "");
	cr_expect_eq(call.retries, 10);
	cr_expect_eq(apiserver_count(server, "GET", "/busy"), 11);
	kube_call_release(&call);
}

Test(client, busy_otherwise_is_told_at_once)
{
	static const char *const paths[] = { "/busy-long", "/busy-date", "/busy-negative", "/failing" };
	const int64_t begun_ms = clock_monotonic_ms();

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct kube_call call = { .path = paths[i] };

		expect_failure(&call, ERR_UNAVAILABLE, "");
		cr_expect_eq(call.retries, 0, "%s", paths[i]);
		kube_call_release(&call);
	}
	cr_expect_lt(clock_monotonic_ms() - begun_ms, LONG_MS);
}

Test(client, a_get_survives_a_broken_connection)
{
	struct kube_call reset = { .path = "/reset-once" }, cut = { .path = "/cut-once" };

	expect_success(&reset);
	cr_expect_geq(reset.retries, 1);
	expect_success(&cut);
	cr_expect_eq(cut.retries, 2);
	kube_call_release(&reset);
	kube_call_release(&cut);
}

Test(client, a_write_is_not_sent_twice_over_a_broken_connection)
{
	struct kube_call call = { .method = KUBE_POST, .path = "/reset-once", .body = "{}" };

	expect_failure(&call, ERR_UNREACHABLE, "");
	cr_expect_eq(apiserver_count(server, "POST", "/reset-once"), 1);
	kube_call_release(&call);
}

/* ----------------------------------------------------------------------------------------- deadlines */

Test(client, a_deadline_names_method_and_path)
{
	struct kube_call calls[] = { { .path = "/silent" }, { .path = "/stalls" }, { .path = "/pods" } };

	cr_assert_eq(kube_client_perform(client, calls, 3, clock_monotonic_ms() + 300, &err), 0);
	cr_expect_eq(calls[0].err.kind, ERR_TIMEOUT);
	cr_expect(str_starts_with(calls[0].err.message, "GET /silent: no answer within "), "%s", calls[0].err.message);
	cr_expect_null(calls[0].err.hint, "there was a connection");
	cr_expect_eq(calls[1].err.kind, ERR_TIMEOUT);
	cr_expect_not_null(calls[2].json);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		kube_call_release(&calls[i]);
}

Test(client, request_timeout_is_for_each_call)
{
	struct kube_call call = { .path = "/silent" };
	const int64_t begun_ms = clock_monotonic_ms();

	options.request_timeout_ms = 50;
	expect_failure(&call, ERR_TIMEOUT, "GET /silent");
	options.request_timeout_ms = 0;
	cr_expect_geq(clock_monotonic_ms() - begun_ms, 50);
	cr_expect_lt(clock_monotonic_ms() - begun_ms, LONG_MS);
	kube_call_release(&call);
}

Test(client, a_deadline_that_has_passed_still_ends_the_call)
{
	struct kube_call call = { .path = "/silent" };

	cr_assert_eq(kube_client_perform(client, &call, 1, 0, &err), 0);
	cr_expect_eq(call.err.kind, ERR_TIMEOUT);
	cr_expect_str_eq(call.err.message, "GET /silent: no time was left to wait for an answer");
	kube_call_release(&call);
}

Test(client, an_interrupt_ends_all_calls)
{
	struct kube_call calls[] = { { .path = "/silent" }, { .path = "/silent" } };
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	loop_set_interrupt(loop, ends[0]);
	cr_assert_eq(kube_client_perform(client, calls, 2, CLOCK_NEVER, &err), -1);
	cr_expect_eq(err.kind, ERR_INTERRUPTED);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		cr_expect_eq(calls[i].err.kind, ERR_INTERRUPTED);
		kube_call_release(&calls[i]);
	}
	loop_set_interrupt(loop, -1);
}

/* ---------------------------------------------------------------------------------- start and cancel */

struct follow_up {
	struct kube_call *next; /* started by the callback */
	bool frees_client;
	int calls;
	int wanted;
};

static void on_done(void *context, struct kube_call *call)
{
	struct follow_up *follow_up = context;

	cr_expect(!err_is_set(&call->err), "%s", call->err.message);
	follow_up->calls++;
	if (follow_up->next)
		kube_client_start(client, TAKE(follow_up->next), clock_monotonic_ms() + LONG_MS, on_done, follow_up);
	if (follow_up->frees_client) {
		kube_client_free(client);
		client = NULL;
	}
}

static bool is_enough(void *context)
{
	const struct follow_up *follow_up = context;

	return follow_up->calls == follow_up->wanted;
}

static void run(struct follow_up *follow_up)
{
	cr_assert_eq(loop_run(loop, is_enough, follow_up, clock_monotonic_ms() + LONG_MS, &err), 0, "%s", err.message);
}

Test(client, a_callback_may_start_the_next_call)
{
	struct kube_call first = { .path = "/pods" }, second = { .path = "/thing" };
	struct follow_up follow_up = { .next = &second, .wanted = 2 };

	kube_client_start(client, &first, clock_monotonic_ms() + LONG_MS, on_done, &follow_up);
	cr_expect_eq(follow_up.calls, 0);
	run(&follow_up);
	cr_expect_not_null(second.json);
	kube_call_release(&first);
	kube_call_release(&second);
}

Test(client, a_callback_may_free_the_client)
{
	struct kube_call call = { .path = "/pods" }, other = { .path = "/silent" };
	struct follow_up follow_up = { .frees_client = true, .wanted = 1 };

	kube_client_start(client, &other, CLOCK_NEVER, on_done, &follow_up);
	kube_client_start(client, &call, clock_monotonic_ms() + LONG_MS, on_done, &follow_up);
	run(&follow_up);
	cr_expect_null(client);
	kube_call_release(&call);
	kube_call_release(&other);
}

Test(client, a_cancelled_call_is_never_done)
{
	struct kube_call cancelled = { .path = "/thing" }, call = { .path = "/pods" };
	struct follow_up never = { 0 }, follow_up = { .wanted = 1 };

	kube_client_start(client, &cancelled, clock_monotonic_ms() + LONG_MS, on_done, &never);
	kube_client_cancel(client, &cancelled);
	kube_client_cancel(client, &cancelled);
	kube_client_start(client, &call, clock_monotonic_ms() + LONG_MS, on_done, &follow_up);
	run(&follow_up);
	cr_expect_eq(never.calls, 0);
	kube_call_release(&call);
}

static int pool_releases;

static void release_pool(struct kube_websocket_pool *pool)
{
	(void)pool;
	pool_releases++;
}

Test(client, the_pool_is_released_before_the_client_goes)
{
	int pool;

	*kube_client_pool(client) = (struct kube_websocket_pool *)(void *)&pool;
	kube_client_set_pool_release(client, release_pool);
	kube_client_free(TAKE(client));
	cr_expect_eq(pool_releases, 1);
}

/* --------------------------------------------------------------------- TLS, credentials, and the log */

TestSuite(client_tls, .fini = tear_down);

Test(client_tls, the_token_is_sent_and_its_absence_told)
{
	struct kube_call call = { .path = "/pods" }, again = { .path = "/pods" };

	start_server(&(struct apiserver_options){ .routes = routes, .tls = true, .token = "s3cret" });
	config.token = xstrdup("s3cret");
	connect_client();
	expect_success(&call);
	free_secret(TAKE(config.token));
	expect_failure(&again, ERR_UNAUTHORIZED, "");
	cr_expect_eq(apiserver_connections(server), 1);
	kube_call_release(&call);
	kube_call_release(&again);
}

Test(client_tls, without_http2_a_slow_answer_holds_nobody_up)
{
	struct kube_call slow = { .path = "/silent" }, call = { .path = "/pods" };
	struct follow_up never = { 0 }, follow_up = { .wanted = 1 };

	start_server(&(struct apiserver_options){ .routes = routes, .tls = true });
	connect_client();
	kube_client_start(client, &slow, clock_monotonic_ms() + LONG_MS, on_done, &never);
	kube_client_start(client, &call, clock_monotonic_ms() + LONG_MS, on_done, &follow_up);
	run(&follow_up);
	cr_expect_not_null(call.json);
	kube_client_cancel(client, &slow);
	kube_call_release(&call);
}

Test(client_tls, an_expired_client_certificate_explains_a_401)
{
	const struct pki_pair *expired;
	struct kube_call call = { .path = "/pods" };

	start_server(
	    &(struct apiserver_options){ .routes = routes, .tls = true, .client_certificate = CLIENT_CERT_KUBERNETES });
	expired = pki_client(apiserver_pki(server), PKI_CLIENT_EXPIRED);
	config.client_cert_pem = xstrdup(expired->certificate);
	config.client_key_pem = xstrdup(expired->key);
	connect_client();
	expect_failure(&call, ERR_UNAUTHORIZED, "");
	cr_expect(call.err.hint && strstr(call.err.hint, "the client certificate of user \"tester\" expired at"));
	kube_call_release(&call);
}

Test(client_tls, a_token_that_cannot_be_read_fails_the_call_from_the_loop)
{
	struct kube_call call = { .path = "/pods" };

	start_server(&(struct apiserver_options){ .routes = routes, .tls = true });
	config.token_file = xstrdup("/nowhere/token");
	connect_client();
	expect_failure(&call, ERR_CONFIG, "/nowhere/token");
	kube_call_release(&call);
}

/* All of a stream that was redirected to a pipe, as far as it was written. */
static void read_all(FILE *file, char *ret_text, size_t size)
{
	ret_text[fread(ret_text, 1, size - 1, file)] = '\0';
}

Test(client_tls, the_log_has_no_secrets_in_it)
{
	struct kube_call calls[] = { { .path = "/pods?limit=5" }, { .path = "/absent" } };
	char text[4096];
	FILE *file;
	_cleanup_free_ char *found = NULL, *absent = NULL;

	cr_redirect_stderr();
	file = cr_get_redirected_stderr();
	start_server(&(struct apiserver_options){ .routes = routes, .tls = true });
	config.token = xstrdup("s3cret");
	options.verbosity = 6;
	connect_client();
	perform(calls, 2);
	fclose(stderr);
	read_all(file, text, sizeof(text));
	found = xasprintf("GET %s/pods?limit=5 200 OK in ", config.server);
	absent = xasprintf("GET %s/absent 404 Not Found in ", config.server);
	cr_expect(strstr(text, found), "%s", text);
	cr_expect(strstr(text, absent), "%s", text);
	cr_expect(strstr(text, " milliseconds\n"));
	cr_expect_null(strstr(text, "s3cret"));
	kube_call_release(&calls[0]);
	kube_call_release(&calls[1]);
}
