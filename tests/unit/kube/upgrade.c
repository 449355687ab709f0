#include "kube/upgrade.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "util/mem.h"
#include "util/str.h"

/* The example of RFC 6455, section 1.3. */
static const struct upgrade_key rfc_key = { "dGhlIHNhbXBsZSBub25jZQ==" };
#define RFC_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define V4         "v4.channel.k8s.io"
#define GOOD_HEADERS                                                                                                   \
	"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " RFC_ACCEPT                               \
	"\r\nSec-WebSocket-Protocol: " V4 "\r\n"
#define GOOD "HTTP/1.1 101 Switching Protocols\r\n" GOOD_HEADERS "\r\n"

/* Feeds text in pieces of step bytes; the connection ends after it when ends. Returns what feed or end returned. */
static int feed(struct upgrade_answer *answer, const char *text, size_t length, size_t step, bool ends, size_t *used,
                struct err *err)
{
	upgrade_answer_init(answer, &rfc_key, V4);
	*used = 0;
	while (*used < length && answer->phase == UPGRADE_READING) {
		size_t count = length - *used < step ? length - *used : step, taken = 0;
		/* A copy of just these bytes, so that a sanitizer sees a read past them. */
		_cleanup_free_ char *piece = xmalloc(count);

		memcpy(piece, text + *used, count);
		if (upgrade_answer_feed(answer, piece, count, &taken, err) < 0)
			return -1;
		*used += taken;
	}
	return ends ? upgrade_answer_end(answer, err) : 0;
}

static const size_t steps[] = { 1, 2, 3, 5, 7, 16, 64, 1000, 100000 };

static void expect_failure(const char *text, size_t length, bool ends, enum err_kind kind, const char *part)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct upgrade_answer answer;
		_cleanup_err_ struct err err = ERR_INIT;
		size_t used;

		cr_assert_eq(feed(&answer, text, length, steps[i], ends, &used, &err), -1, "%.60s: step %zu", text,
		             steps[i]);
		cr_assert_eq(err.kind, kind, "%s", err.message);
		cr_assert(strstr(err.message, part), "%s", err.message);
		upgrade_answer_release(&answer);
	}
}

static void expect_refusal(const char *text, bool ends, long status, const char *body)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct upgrade_answer answer;
		_cleanup_err_ struct err err = ERR_INIT;
		size_t used;

		cr_assert_eq(feed(&answer, text, strlen(text), steps[i], ends, &used, &err), 0, "%s", err.message);
		cr_assert_eq(answer.phase, UPGRADE_REFUSED, "%s: step %zu", text, steps[i]);
		cr_assert_eq(answer.status, status);
		cr_assert_str_eq(buf_text(&answer.body), body);
		upgrade_answer_release(&answer);
	}
}

Test(upgrade, request_is_one_head)
{
	static const char *const headers[] = { "Authorization: Bearer secret", "User-Agent: kubectl-consul" };
	struct upgrade_request request = { .path = "/api/v1/x?command=a%20b",
		                           .authority = "host:6443",
		                           .protocol = V4,
		                           .headers = headers,
		                           .header_count = 2,
		                           .key = &rfc_key };
	_cleanup_buf_ struct buf out = BUF_TEXT;
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(upgrade_request_render(&request, &out, &err), 0);
	cr_assert_str_eq(
	    buf_text(&out),
	    "GET /api/v1/x?command=a%20b HTTP/1.1\r\nHost: host:6443\r\n"
	    "Authorization: Bearer secret\r\nUser-Agent: kubectl-consul\r\n"
	    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n");
}

Test(upgrade, request_refuses_what_could_end_a_line)
{
	static const char *const bad[] = { "Authorization: Bearer a\r\nX: y" };
	static const char *const bad_paths[] = { "/a b", "/a\r\nX: y", "/a\x7f" };
	_cleanup_buf_ struct buf out = BUF_TEXT;

	for (size_t i = 0; i < 4; i++) {
		struct upgrade_request request = { .path = i < 3 ? bad_paths[i] : "/",
			                           .authority = "h",
			                           .protocol = V4,
			                           .headers = bad,
			                           .header_count = i == 3,
			                           .key = &rfc_key };
		_cleanup_err_ struct err err = ERR_INIT;

		cr_assert_eq(upgrade_request_render(&request, &out, &err), -1);
		cr_assert_eq(err.kind, ERR_INVALID);
		cr_assert_eq(out.len, 0);
		cr_assert_not(strstr(err.message, "Bearer"));
	}
}

Test(upgrade, keys_are_random_and_of_16_bytes)
{
	struct upgrade_key a, b;
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(upgrade_key_make(&a, &err), 0);
	cr_assert_eq(upgrade_key_make(&b, &err), 0);
	cr_assert_eq(strlen(a.text), 24);
	cr_assert_str_neq(a.text, b.text);
}

Test(upgrade, accepts_and_leaves_the_frames)
{
	static const char text[] = GOOD "\x82\x01\x01\x82\x03\x01ok";

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct upgrade_answer answer;
		_cleanup_err_ struct err err = ERR_INIT;
		size_t used;

		cr_assert_eq(feed(&answer, text, sizeof(text) - 1, steps[i], false, &used, &err), 0);
		cr_assert_eq(answer.phase, UPGRADE_ACCEPTED);
		cr_assert_eq(used, strlen(GOOD));
		upgrade_answer_release(&answer);
	}
}

Test(upgrade, accepts_other_spellings)
{
	static const char *const texts[] = {
		"HTTP/1.1 101\r\nupgrade:WebSocket\r\nconnection: keep-alive "
		",\tUPGRADE\r\nsec-websocket-accept:" RFC_ACCEPT "  \r\nSEC-WEBSOCKET-PROTOCOL:\t" V4 "\r\n\r\n",
		"HTTP/1.1 101 X\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: " RFC_ACCEPT
		"\nSec-WebSocket-Protocol: " V4 "\nSec-WebSocket-Extensions:\n\n",
		"HTTP/1.1 100 Continue\r\nContent-Length: 7\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" GOOD,
	};

	for (size_t t = 0; t < ARRAY_SIZE(texts); t++) {
		for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
			struct upgrade_answer answer;
			_cleanup_err_ struct err err = ERR_INIT;
			size_t used;

			cr_assert_eq(feed(&answer, texts[t], strlen(texts[t]), steps[i], false, &used, &err), 0, "%s",
			             err.message);
			cr_assert_eq(answer.phase, UPGRADE_ACCEPTED);
			upgrade_answer_release(&answer);
		}
	}
}

#define SWITCH "HTTP/1.1 101 Switching Protocols\r\n"

Test(upgrade, refuses_a_101_that_is_not_ours)
{
	static const struct {
		const char *text;
		const char *part;
	} rows[] = {
		{ SWITCH "Connection: Upgrade\r\nSec-WebSocket-Accept: " RFC_ACCEPT "\r\n\r\n", "no WebSocket" },
		{ SWITCH "Upgrade: SPDY/3.1\r\nConnection: Upgrade\r\n\r\n", "no WebSocket" },
		{ SWITCH "Upgrade: websocket\r\nConnection: close\r\n\r\n", "no WebSocket" },
		{ SWITCH "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "Sec-WebSocket-Accept" },
		{ SWITCH "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
		  "Sec-WebSocket-Accept" },
		{ SWITCH GOOD_HEADERS "Sec-WebSocket-Accept: AAAA\r\n\r\n", "Sec-WebSocket-Accept" },
		{ SWITCH GOOD_HEADERS "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "extension" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_failure(rows[i].text, strlen(rows[i].text), false, ERR_PROTOCOL, rows[i].part);
}

Test(upgrade, tells_another_protocol)
{
	static const char *const texts[] = {
		SWITCH "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " RFC_ACCEPT "\r\n\r\n",
		SWITCH "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " RFC_ACCEPT
		       "\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n",
	};

	for (size_t i = 0; i < 2; i++) {
		struct upgrade_answer answer;
		_cleanup_err_ struct err err = ERR_INIT;
		size_t used;

		cr_assert_eq(feed(&answer, texts[i], strlen(texts[i]), 1000, false, &used, &err), -1);
		cr_assert(answer.other_protocol);
		cr_assert(strstr(err.message, i ? "v5.channel.k8s.io instead of" : "none instead of"));
		upgrade_answer_release(&answer);
	}
}

Test(upgrade, collects_a_refusal)
{
	expect_refusal("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello", false, 404, "hello");
	expect_refusal("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200", false, 404, "hello");
	expect_refusal("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", false, 403, "");
	expect_refusal("HTTP/1.0 502 Bad\r\n\r\n<html>", true, 502, "<html>");
	expect_refusal("HTTP/1.1 403 Forbidden\r\n\r\n", true, 403, "");
	expect_refusal("HTTP/1.1 204 No Content\r\n\r\n", false, 204, "");
	expect_refusal("HTTP/1.1 404 N\r\nContent-Length: 50\r\n\r\nhel", true, 404, "hel");
	expect_refusal("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, 200, "ok");
}

Test(upgrade, collects_a_chunked_refusal)
{
#define CHUNKED "HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n"
	expect_refusal(CHUNKED "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", false, 500, "hello world");
	expect_refusal(CHUNKED "0\r\nTrailer: x\r\n\r\n", false, 500, "");
	expect_refusal(CHUNKED "1\nx\n0\n\n", false, 500, "x");
	expect_refusal(CHUNKED "5\r\nhello\r\nzz\r\n", false, 500, "hello");
	expect_refusal(CHUNKED "fffffffff\r\nhello\r\n", false, 500, "");
	expect_refusal(CHUNKED "ffffffff\r\nhello", true, 500, "hello");
	expect_refusal(CHUNKED "5\r\nhel", true, 500, "hel");
}

Test(upgrade, keeps_the_beginning_of_a_long_body)
{
	struct upgrade_answer answer;
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_buf_ struct buf text = BUF_TEXT;
	size_t used;

	buf_adds(&text, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 10000000\r\n\r\n");
	for (size_t i = 0; i < 100000; i++)
		buf_addc(&text, 'x');
	cr_assert_eq(feed(&answer, text.data, text.len, 1000, false, &used, &err), 0);
	cr_assert_eq(answer.phase, UPGRADE_REFUSED);
	cr_assert_eq(answer.body.len, UPGRADE_BODY_MAX);
	upgrade_answer_release(&answer);
}

Test(upgrade, refuses_garbage)
{
	static const struct {
		const char *text;
		const char *part;
	} rows[] = {
		{ "<html>", "not HTTP" },
		{ "HTTX", "not HTTP" },
		{ "HTTP/2 101\r\n", "not HTTP" },
		{ "HTTP/1.2 101\r\n", "not HTTP" },
		{ "HTTP/1.1 1x1\r\n", "not HTTP" },
		{ "HTTP/1.1 099\r\n", "not HTTP" },
		{ "HTTP/1.1 1011\r\n", "not HTTP" },
		{ "HTTP/1.1\r\n", "not HTTP" },
		{ "HTTP/1.1 10", "middle" },
		{ "HTTP/1.1 101 X\r\nNo colon\r\n\r\n", "no header" },
		{ "HTTP/1.1 101 X\r\n: x\r\n\r\n", "no header" },
		{ "HTTP/1.1 101 X\r\nUpgrade: a\r\n folded: b\r\n\r\n", "no header" },
		{ "HTTP/1.1 404 X\r\nContent-Length: -1\r\n\r\n", "Content-Length" },
		{ "HTTP/1.1 404 X\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "Content-Length" },
		{ "HTTP/1.1 404 X\r\nContent-Length: 99999999999999999999\r\n\r\n", "Content-Length" },
		{ "HTTP/1.1 404 X\r\nA: b\r\n", "middle" },
		{ "", "without an answer" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_failure(rows[i].text, strlen(rows[i].text), true, ERR_PROTOCOL, rows[i].part);
	expect_failure("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", 28, true, ERR_PROTOCOL, "NUL");
	expect_failure("\0\0\x12\x04\0\0\0\0\0", 9, true, ERR_PROTOCOL, "not HTTP");
}

Test(upgrade, bounds_the_head)
{
	_cleanup_buf_ struct buf line = BUF_TEXT, lines = BUF_TEXT, again = BUF_TEXT;

	buf_adds(&line, "HTTP/1.1 101 X\r\nA: ");
	while (line.len <= UPGRADE_HEAD_MAX)
		buf_addc(&line, 'a');
	buf_adds(&lines, "HTTP/1.1 101 X\r\n");
	while (lines.len <= UPGRADE_HEAD_MAX)
		buf_adds(&lines, "A: b\r\n");
	while (again.len <= UPGRADE_HEAD_MAX)
		buf_adds(&again, "HTTP/1.1 100 Continue\r\nSec-WebSocket-Protocol: a\r\n\r\n");
	expect_failure(line.data, line.len, false, ERR_TOO_LARGE, "more than");
	expect_failure(lines.data, lines.len, false, ERR_TOO_LARGE, "more than");
	expect_failure(again.data, again.len, false, ERR_TOO_LARGE, "more than");
}

Test(upgrade, shows_foreign_text_made_visible)
{
	struct upgrade_answer answer;
	_cleanup_err_ struct err err = ERR_INIT;
	size_t used;

	cr_assert_eq(feed(&answer, "\x1b[2Jx\n", 6, 100, false, &used, &err), -1);
	cr_assert(strstr(err.message, "^[[2Jx"));
	cr_assert_not(strchr(err.message, '\x1b'));
	upgrade_answer_release(&answer);
}
