/* The scripted API server itself, talked to over plain sockets: what other tests stand on must not be wrong. */
#include "../../support/apiserver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#define PATIENCE_S 10
#define ANSWER_MAX ((size_t)16 * 1024 * 1024)
#define UPGRADE                                                                                                        \
	"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"                                   \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define V4      "Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n"
#define EXEC    "/api/v1/namespaces/ns/pods/consul-0/exec?container=consul&stdout=true&stderr=true"
#define FORWARD "/api/v1/namespaces/ns/pods/consul-0/portforward?ports="

/* ------------------------------------------------------------------------------------ a plain client */

static int dial(struct apiserver *server)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		                       .sin_port = htons(apiserver_port(server)) };
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void send_bytes(int fd, const void *bytes, size_t length)
{
	cr_assert_eq(send(fd, bytes, length, MSG_NOSIGNAL), (ssize_t)length);
}

static void ask(int fd, const char *target, const char *headers)
{
	char *text = xasprintf("GET %s HTTP/1.1\r\nHost: test\r\n%s\r\n", target, headers);

	send_bytes(fd, text, strlen(text));
	free(text);
}

/* Reads until there are at least length bytes, or the end of the stream. False at the end. */
static bool fill(int fd, struct buf *buf, size_t length)
{
	char piece[65536];

	while (buf->len < length) {
		ssize_t count = recv(fd, piece, sizeof(piece), 0);

		if (count <= 0)
			return false;
		cr_assert_eq(buf_add(buf, piece, (size_t)count), 0);
	}
	return true;
}

/* One answer with Content-Length, head and body; a new string. */
static char *read_answer(int fd, struct buf *buf)
{
	const char *end, *length_line;
	size_t length;
	char *answer;

	while (!(end = buf->len ? strstr(buf->data, "\r\n\r\n") : NULL))
		cr_assert(fill(fd, buf, buf->len + 1), "no head");
	length_line = strstr(buf->data, "Content-Length: ");
	length = length_line ? strtoul(length_line + 16, NULL, 10) : 0;
	length += (size_t)(end - buf->data) + 4;
	cr_assert(fill(fd, buf, length), "no body");
	answer = xstrndup(buf->data, length);
	buf_consume(buf, length);
	return answer;
}

static char *get(int fd, const char *target)
{
	_cleanup_buf_ struct buf buf = BUF_INIT(ANSWER_MAX);

	ask(fd, target, "");
	return read_answer(fd, &buf);
}

static char *read_to_end(int fd)
{
	struct buf buf = BUF_INIT(ANSWER_MAX);

	while (fill(fd, &buf, buf.len + 1))
		;
	return buf_detach(&buf);
}

/* ---------------------------------------------------------------------------------------- WebSocket */

static void send_frame(int fd, unsigned char channel, const void *bytes, size_t length)
{
	const unsigned char mask[4] = { 1, 2, 3, 4 };
	unsigned char frame[512] = { 0x82, (unsigned char)(0x80 | (length + 1)), 1, 2, 3, 4 };

	cr_assert_lt(length, 120);
	frame[6] = channel;
	memcpy(frame + 7, bytes, length);
	for (size_t i = 0; i < length + 1; i++)
		frame[6 + i] ^= mask[i % 4];
	send_bytes(fd, frame, 7 + length);
}

struct frame {
	unsigned opcode;
	unsigned char channel;
	char *data; /* behind the channel */
	size_t length;
};

/* The next frame; false at the end of the stream. */
static bool read_frame(int fd, struct buf *buf, struct frame *ret_frame)
{
	const unsigned char *bytes;
	size_t head = 2, length;

	if (!fill(fd, buf, 2))
		return false;
	length = (unsigned char)buf->data[1] & 0x7f;
	if (length == 126) {
		head = 4;
		cr_assert(fill(fd, buf, head));
		length = (size_t)(unsigned char)buf->data[2] << 8 | (unsigned char)buf->data[3];
	}
	cr_assert(fill(fd, buf, head + length));
	bytes = (const unsigned char *)buf->data;
	cr_assert_eq(bytes[0] & 0x80, 0x80, "a fragment");
	ret_frame->opcode = bytes[0] & 0x0f;
	ret_frame->channel = length ? bytes[head] : 0;
	ret_frame->length = length ? length - 1 : 0;
	ret_frame->data = xstrndup(length ? buf->data + head + 1 : "", ret_frame->length);
	buf_consume(buf, head + length);
	return true;
}

/* All messages of a channel up to Close or the end, joined; *ret_frames their number. A new string. */
static char *read_channels(int fd, struct buf *buf, struct buf channels[4], unsigned *ret_frames)
{
	struct frame frame;

	*ret_frames = 0;
	while (read_frame(fd, buf, &frame)) {
		if (frame.opcode == 8) {
			free(frame.data);
			return xstrdup("closed");
		}
		if (frame.opcode == 2) {
			cr_assert_lt(frame.channel, 4);
			cr_assert_eq(buf_add(&channels[frame.channel], frame.data, frame.length), 0);
			(*ret_frames)++;
		}
		free(frame.data);
	}
	return xstrdup("ended");
}

#define CHANNELS_INIT                                                                                                  \
	{                                                                                                              \
		BUF_INIT(ANSWER_MAX), BUF_INIT(ANSWER_MAX), BUF_INIT(ANSWER_MAX), BUF_INIT(ANSWER_MAX)                 \
	}

static void release_channels(struct buf channels[4])
{
	for (int i = 0; i < 4; i++)
		buf_release(&channels[i]);
}

static void assert_upgraded(int fd, struct buf *buf, const char *target)
{
	char *answer;

	ask(fd, target, UPGRADE V4);
	answer = read_answer(fd, buf);
	cr_assert(str_starts_with(answer, "HTTP/1.1 101 "), "%s", answer);
	cr_assert(strstr(answer, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "%s", answer);
	cr_assert(strstr(answer, "Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n"), "%s", answer);
	free(answer);
}

static void assert_no_complaints(struct apiserver *server)
{
	_cleanup_free_ char *complaints = apiserver_complaints(server);

	cr_assert_str_empty(complaints);
}

/* --------------------------------------------------------------------------------------------- routes */

static void say_path(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	answer->scratch.max = BUF_TEXT_MAX;
	buf_addf(&answer->scratch, "%s %s", (const char *)context, request->path);
	answer->body = answer->scratch.data;
}

static char hello[] = "hello";

static const struct apiserver_route routes[] = {
	{ .path = "/once",
	  .times = 1,
	  .answer = { .status = 429, .headers = "Retry-After: 0\r\n", .content_type = "text/plain", .body = "later" } },
	{ .path = "/once", .answer = { .body = "{\"now\":true}" } },
	{ .method = "POST", .path = "/posted", .answer = { .status = 201, .body = "{}" } },
	{ .path = "/a/*/c", .query = "x=1", .make = say_path, .context = hello },
	{ .path = "/closed", .answer = { .body = "never seen", .fault = FAULT_CLOSE } },
	{ .path = "/cut", .answer = { .body = "0123456789", .fault = FAULT_CLOSE, .fault_bytes = 20 } },
	{ .path = "/garbage", .answer = { .fault = FAULT_GARBAGE } },
	{ .path = "/long", .answer = { .fault = FAULT_HUGE_LINE, .fault_bytes = 1000000 } },
	{ .path = "/open", .answer = { .body = "to the end", .fault = FAULT_NO_LENGTH } },
	{ .path = "/chunks", .answer = { .body = "0123456789", .fault = FAULT_CHUNKED, .fault_bytes = 4 } },
	{ .path = "/silent", .answer = { .fault = FAULT_SILENCE } },
	{ .path = "/slow", .answer = { .body = "slow", .delay_ms = 30 } },
	{ .pod = "consul-*", .port = 8500, .path = "/v1/agent/self", .answer = { .body = "{\"self\":1}" } },
	{ .pod = "consul-0", .port = 8500, .path = "/v1/agent/members", .answer = { .body = "[]" } },
	{ 0 },
};

Test(apiserver, answers_by_the_first_row_that_is_not_used_up)
{
	struct apiserver *server = apiserver_start(&(struct apiserver_options){ .routes = routes });
	int fd = dial(server);
	char *first = get(fd, "/once"), *second = get(fd, "/once"), *third = get(fd, "/nothing");

	cr_assert(str_starts_with(first, "HTTP/1.1 429 Too Many Requests\r\n"));
	cr_assert(strstr(first, "Content-Type: text/plain\r\n") && strstr(first, "Retry-After: 0\r\n"));
	cr_assert(str_ends_with(second, "\r\n\r\n{\"now\":true}"));
	cr_assert(str_starts_with(third, "HTTP/1.1 404 ") && strstr(third, "\"kind\":\"Status\""));
	cr_assert_eq(apiserver_count(server, "GET", "/once"), 2);
	cr_assert_eq(apiserver_connections(server), 1, "keep-alive");
	cr_assert_eq(apiserver_find(server, "GET", "/n*g", 0)->status, 404);
	assert_no_complaints(server);
	free(first);
	free(second);
	free(third);
	close(fd);
	apiserver_stop(server);
}

Test(apiserver, records_what_it_was_asked)
{
	struct apiserver *server = apiserver_start(&(struct apiserver_options){ .routes = routes });
	int fd = dial(server);
	const char *text =
	    "POST /posted?a=1&b=x%20y HTTP/1.1\r\nHost: h\r\nX-Thing: some value\r\nContent-Length: 4\r\n\r\nbo";
	_cleanup_buf_ struct buf buf = BUF_INIT(ANSWER_MAX);
	const struct apiserver_request *request;
	char *answer, *header, *query;

	send_bytes(fd, text, strlen(text));
	send_bytes(fd, "dy", 2);
	answer = read_answer(fd, &buf);
	cr_assert(str_starts_with(answer, "HTTP/1.1 201 Created\r\n"));
	request = apiserver_find(server, "POST", "/posted", 0);
	header = apiserver_request_header(request, "x-thing");
	query = apiserver_request_query(request, "b", 0);
	cr_assert_str_eq(request->body, "body");
	cr_assert_str_eq(header, "some value");
	cr_assert_str_eq(query, "x y");
	cr_assert(apiserver_wait(server, "POST", NULL, 1, 0));
	cr_assert_not(apiserver_wait(server, "POST", NULL, 2, 1));
	free(answer);
	free(header);
	free(query);
	close(fd);
	apiserver_stop(server);
}

Test(apiserver, calls_answer_functions_and_takes_rows_later)
{
	static const struct apiserver_route later[] = { { .path = "/once", .answer = { .body = "newer" } }, { 0 } };
	struct apiserver *server = apiserver_start(&(struct apiserver_options){ .routes = routes });
	int fd = dial(server);
	char *made = get(fd, "/a/b/c?x=1"), *other = get(fd, "/a/b/c?x=2"), *newer;

	apiserver_add(server, later, NULL, NULL);
	newer = get(fd, "/once");
	cr_assert(str_ends_with(made, "\r\n\r\nhello /a/b/c"));
	cr_assert(str_starts_with(other, "HTTP/1.1 404 "));
	cr_assert(str_ends_with(newer, "newer"));
	free(made);
	free(other);
	free(newer);
	close(fd);
	apiserver_stop(server);
}

Test(apiserver, goes_wrong_as_told)
{
	static const struct {
		const char *target;
		size_t length;
		const char *end;
	} cases[] = {
		{ "/closed", 0, "" },
		{ "/cut", 20, "HTTP/1.1 200 OK\r\nCon" },
		{ "/open", 0, "\r\n\r\nto the end" },
	};
	struct apiserver *server = apiserver_start(&(struct apiserver_options){ .routes = routes });

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int fd = dial(server);
		char *text;

		ask(fd, cases[i].target, "");
		text = read_to_end(fd);
		if (cases[i].length || !*cases[i].end)
			cr_assert_eq(strlen(text), cases[i].length, "%s", cases[i].target);
		cr_assert(str_ends_with(text, cases[i].end), "%s: %s", cases[i].target, text);
		free(text);
		close(fd);
	}
	apiserver_stop(server);
}

Test(apiserver, sends_garbage_long_lines_chunks_and_nothing)
{
	struct apiserver *server = apiserver_start(&(struct apiserver_options){ .routes = routes });
	int fd = dial(server), silent = dial(server);
	_cleanup_buf_ struct buf buf = BUF_INIT(ANSWER_MAX);
	struct timeval short_patience = { .tv_usec = 20000 };
	char byte, *text;

	ask(silent, "/silent", "");
	ask(fd, "/chunks", "");
	cr_assert(fill(fd, &buf, 1));
	while (!str_ends_with(buf.data, "0\r\n\r\n"))
		cr_assert(fill(fd, &buf, buf.len + 1));
	cr_assert(str_ends_with(buf.data, "\r\n\r\n4\r\n0123\r\n4\r\n4567\r\n2\r\n89\r\n0\r\n\r\n"));
	text = get(fd, "/long");
	cr_assert_gt(strlen(text), 1000000);
	free(text);
	ask(fd, "/garbage", "");
	text = read_to_end(fd);
	cr_assert_not(str_starts_with(text, "HTTP"));
	free(text);
	setsockopt(silent, SOL_SOCKET, SO_RCVTIMEO, &short_patience, sizeof(short_patience));
	cr_assert_lt(recv(silent, &byte, 1, 0), 0, "still open, nothing came");
	close(fd);
	close(silent);
	apiserver_stop(server);
}

Test(apiserver, delays_and_refuses)
{
	struct apiserver *server = apiserver_start(&(struct apiserver_options){ .routes = routes, .delay_ms = 10 });
	int fd = dial(server);
	int64_t before = clock_monotonic_ms(), between;
	char *slow = get(fd, "/slow"), *other;

	between = clock_monotonic_ms();
	other = get(fd, "/nothing");
	cr_assert_geq(between - before, 29);
	cr_assert_geq(clock_monotonic_ms() - between, 9);
	apiserver_refuse_connections(server);
	for (int refused = dial(server); refused >= 0; refused = dial(server))
		close(refused);
	free(slow);
	free(other);
	close(fd);
	apiserver_stop(server);
}

/* ----------------------------------------------------------------------------------------------- exec */

static const struct apiserver_exec execs[] = {
	{ .pod = "consul-0",
	  .command = "consul members",
	  .answer = { .output = "alive\n", .error_output = "hm\n", .exit_code = 2 } },
	{ .pod = "consul-0",
	  .command = "bytes",
	  .frame_bytes = 1,
	  .write_bytes = 1,
	  .ping = true,
	  .answer = { .output = "0123456789" } },
	{ .pod = "consul-0", .command = "cat", .input_until = "\n", .echo = true, .answer = { .output = "end" } },
	{ .pod = "consul-0", .command = "drop", .answer = { .output = "x", .end = EXEC_DROP } },
	{ .pod = "consul-0", .command = "half", .answer = { .end = EXEC_HALF_FRAME } },
	{ 0 },
};

struct exec_case {
	const char *command;
	const char *input;
	const char *output, *errors, *status, *ending;
	unsigned frames;
};

static void run_exec_case(struct apiserver *server, const struct exec_case *c)
{
	_cleanup_buf_ struct buf buf = BUF_INIT(ANSWER_MAX);
	_cleanup_free_ char *target = xasprintf(EXEC "%s&command=%s", c->input ? "&stdin=true" : "", c->command);
	_cleanup_free_ char *ending = NULL;
	struct buf channels[4] = CHANNELS_INIT;
	unsigned frames;
	int fd = dial(server);

	assert_upgraded(fd, &buf, target);
	if (c->input)
		send_frame(fd, 0, c->input, strlen(c->input));
	ending = read_channels(fd, &buf, channels, &frames);
	cr_assert_str_eq(buf_text(&channels[1]), c->output, "%s", c->command);
	cr_assert_str_eq(buf_text(&channels[2]), c->errors, "%s", c->command);
	cr_assert(strstr(buf_text(&channels[3]), c->status), "%s: %s", c->command, buf_text(&channels[3]));
	cr_assert_str_eq(ending, c->ending, "%s", c->command);
	cr_assert_eq(frames, c->frames, "%s: %u", c->command, frames);
	release_channels(channels);
	close(fd);
}

Test(apiserver, runs_commands)
{
	static const struct exec_case cases[] = {
		{ "consul&command=members", NULL, "alive\n", "hm\n", "{\"reason\":\"ExitCode\",\"message\":\"2\"}",
		  "closed", 4 },
		{ "bytes", NULL, "0123456789", "", "\"status\":\"Success\"", "closed", 12 },
		{ "cat", "line\n", "line\nend", "", "Success", "closed", 4 },
		{ "drop", NULL, "x", "", "", "ended", 2 },
	};
	struct apiserver *server = apiserver_start(&(struct apiserver_options){ .execs = execs });

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_exec_case(server, &cases[i]);
	cr_assert_eq(apiserver_count(server, "STDIN", NULL), 1);
	cr_assert_str_eq(apiserver_find(server, "STDIN", NULL, 0)->body, "line\n");
	assert_no_complaints(server);
	apiserver_stop(server);
}

Test(apiserver, refuses_upgrades)
{
	struct apiserver *server = apiserver_start(&(struct apiserver_options){ .execs = execs });
	_cleanup_buf_ struct buf buf = BUF_INIT(ANSWER_MAX);
	int fd = dial(server);
	char *answer;

	ask(fd, EXEC "&command=consul&command=members", "");
	answer = read_answer(fd, &buf);
	cr_assert(str_starts_with(answer, "HTTP/1.1 400 ") && strstr(answer, "Upgrade request required"));
	free(answer);
	ask(fd, EXEC "&command=unknown", UPGRADE V4);
	answer = read_answer(fd, &buf);
	cr_assert(str_starts_with(answer, "HTTP/1.1 404 ") && strstr(answer, "pods \\\"consul-0\\\" not found"));
	free(answer);
	ask(fd, EXEC "&command=half", UPGRADE "Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n");
	answer = read_to_end(fd);
	cr_assert(str_starts_with(answer, "HTTP/1.1 403 "));
	cr_assert_not(strstr(answer, "Content-Length"));
	free(answer);
	close(fd);
	apiserver_stop(server);
}

/* ---------------------------------------------------------------------------------------- portforward */

static void ask_in_tunnel(int fd, unsigned char channel, const char *path)
{
	char *request = xasprintf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);

	send_frame(fd, channel, request, strlen(request));
	free(request);
}

/* Reads frames until channel has this text at its end. */
static void expect_in_tunnel(int fd, struct buf *buf, unsigned char channel, const char *text)
{
	struct frame frame;

	for (;;) {
		bool found;

		cr_assert(read_frame(fd, buf, &frame), "the tunnel ended before: %s", text);
		found = frame.channel == channel && strstr(frame.data, text);
		free(frame.data);
		if (found)
			return;
	}
}

Test(apiserver, forwards_ports)
{
	struct apiserver *server = apiserver_start(&(struct apiserver_options){ .routes = routes });
	_cleanup_buf_ struct buf buf = BUF_INIT(ANSWER_MAX);
	int fd = dial(server);
	struct frame frame;

	assert_upgraded(fd, &buf, FORWARD "8500&ports=9999,8500");
	cr_assert(read_frame(fd, &buf, &frame) && frame.channel == 0 && frame.length == 2);
	cr_assert_eq(memcmp(frame.data, "\x34\x21", 2), 0);
	free(frame.data);
	expect_in_tunnel(fd, &buf, 3, "connection refused");
	ask_in_tunnel(fd, 0, "/v1/agent/self");
	expect_in_tunnel(fd, &buf, 0, "\r\n\r\n{\"self\":1}");
	ask_in_tunnel(fd, 0, "/v1/agent/members");
	expect_in_tunnel(fd, &buf, 0, "\r\n\r\n[]");
	ask_in_tunnel(fd, 4, "/v1/agent/self");
	expect_in_tunnel(fd, &buf, 4, "\r\n\r\n{\"self\":1}");
	cr_assert_eq(apiserver_count(server, NULL, "/v1/agent/self"), 2);
	cr_assert_str_eq(apiserver_find(server, NULL, "/v1/agent/self", 0)->pod, "consul-0");
	cr_assert_eq(apiserver_find(server, NULL, "/v1/agent/self", 0)->port, 8500);
	assert_no_complaints(server);
	close(fd);
	apiserver_stop(server);
}

Test(apiserver, complains_about_unmasked_frames)
{
	struct apiserver *server = apiserver_start(&(struct apiserver_options){ .routes = routes });
	_cleanup_buf_ struct buf buf = BUF_INIT(ANSWER_MAX);
	_cleanup_free_ char *complaints = NULL;
	int fd = dial(server);
	char *rest;

	assert_upgraded(fd, &buf, FORWARD "8500");
	send_bytes(fd, "\x82\x02\x00x", 4);
	rest = read_to_end(fd);
	complaints = apiserver_complaints(server);
	cr_assert(strstr(complaints, "breaks the protocol"), "%s", complaints);
	free(rest);
	close(fd);
	apiserver_stop(server);
}
