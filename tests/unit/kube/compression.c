/* kube/client: answers that come compressed, as long as nobody has said --disable-compression. */
#include <zlib.h>

#include "connected.h"
#include "util/json.h"
#include "util/str.h"

/* 64 KiB of spaces are 82 bytes when they are compressed. */
#define PIECE ((size_t)64 * 1024)

/* Deflates text, then so many pieces of spaces, as gzip into the answer's scratch. */
static void compress_into(struct http_answer *answer, const char *text, size_t pieces)
{
	static unsigned char spaces[PIECE], out[PIECE];
	z_stream stream = { 0 };

	memset(spaces, ' ', sizeof(spaces));
	cr_assert_eq(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
	answer->scratch.max = KUBE_BODY_MAX;
	for (size_t i = 0; i <= pieces + 1; i++) {
		_cleanup_free_ unsigned char *input = (unsigned char *)xstrdup(text);

		stream.next_in = i == 0 ? input : spaces;
		stream.avail_in = i == 0 ? (unsigned)strlen(text) : i <= pieces ? (unsigned)sizeof(spaces) : 0;
		do {
			stream.next_out = out;
			stream.avail_out = (unsigned)sizeof(out);
			deflate(&stream, i <= pieces ? Z_NO_FLUSH : Z_FINISH);
			cr_assert_eq(buf_add(&answer->scratch, out, sizeof(out) - stream.avail_out), 0);
		} while (stream.avail_out == 0);
	}
	deflateEnd(&stream);
	answer->body = answer->scratch.data;
	answer->length = answer->scratch.len;
	answer->headers = "Content-Encoding: gzip\r\n";
}

static void answer_pod(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	(void)context;
	(void)request;
	compress_into(answer, "{\"kind\":\"Pod\"}", 3);
}

static void answer_bomb(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	(void)context;
	(void)request;
	compress_into(answer, "{}", KUBE_BODY_MAX / PIECE);
}

static const struct apiserver_route routes[] = {
	{ .path = "/pod", .make = answer_pod },
	{ .path = "/bomb", .make = answer_bomb },
	{ .path = "/torn", .answer = { .headers = "Content-Encoding: gzip\r\n", .body = "\x1f\x8b\x08garbage" } },
	{ .path = "/plain", .answer = { .body = "{\"kind\":\"Pod\"}" } },
	{ 0 },
};

static struct connected connected;

static void set_up(void)
{
	connected_start(&connected, &(struct apiserver_options){ .routes = routes });
}

static void tear_down(void)
{
	connected_stop(&connected);
}

TestSuite(compression, .init = set_up, .fini = tear_down);

static void perform(struct kube_call *call)
{
	cr_assert_eq(kube_client_perform(connected.client, call, 1, clock_monotonic_ms() + LONG_MS, &connected.err), 0);
}

static char *asked_for(const char *path)
{
	return apiserver_request_header(apiserver_find(connected.server, "GET", path, 0), "Accept-Encoding");
}

Test(compression, gzip_is_asked_for_and_taken)
{
	static const char *const paths[] = { "/pod", "/plain" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct kube_call call = { .path = paths[i] };
		_cleanup_free_ char *encoding = NULL;

		perform(&call);
		cr_assert_not(err_is_set(&call.err), "%s", call.err.message);
		cr_expect_str_eq(json_string_at(call.json, "kind"), "Pod");
		encoding = asked_for(paths[i]);
		cr_expect_str_eq(encoding, "gzip");
		kube_call_release(&call);
	}
}

Test(compression, the_limit_is_that_of_what_comes_out)
{
	struct kube_call call = { .path = "/bomb" };

	perform(&call);
	cr_expect_eq(call.err.kind, ERR_TOO_LARGE, "%s", call.err.message);
	kube_call_release(&call);
}

Test(compression, what_cannot_be_decompressed_is_an_error)
{
	struct kube_call call = { .path = "/torn" };

	perform(&call);
	cr_expect(err_is_set(&call.err));
	cr_expect_null(call.json);
	kube_call_release(&call);
}

Test(compression, none_is_asked_for_when_it_is_switched_off)
{
	struct kube_call call = { .path = "/plain" };

	connected.options.disable_compression = true;
	perform(&call);
	cr_expect_null(asked_for("/plain"));
	kube_call_release(&call);
}
