/* See http.h: requests read, answers written. Pure. */
#include "http.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "util/mem.h"
#include "util/str.h"

#define WEBSOCKET_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

const char http_garbage[] = "\x16\x03\x01\xff\x00garbage\x1b[2J\r\n\r\n\x80\x81\xfe\xff"
                            "0123456789abcdef0123456789abcdef\r\n\r\n\x7f\x01\x02\x03\x04\x05";

_Static_assert(sizeof(http_garbage) > HTTP_GARBAGE_LENGTH, "too little garbage");

/* Splits "GET /path?query HTTP/1.1"; -1 when it is not of that form. */
static int parse_request_line(const char *line, size_t length, struct apiserver_request *request)
{
	_cleanup_free_ char *copy = xstrndup(line, length);
	char *target = strchr(copy, ' ');
	char *version = target ? strchr(target + 1, ' ') : NULL;
	char *query;

	if (!version || !str_starts_with(version + 1, "HTTP/1."))
		return -1;
	*target++ = '\0';
	*version = '\0';
	query = strchr(target, '?');
	if (query)
		*query++ = '\0';
	request->method = xstrdup(copy);
	request->path = xstrdup(target);
	request->query = xstrdup(query ? query : "");
	return 0;
}

/* Length of the body; -1 when it cannot be told or is too large. */
static int body_length(const char *headers, size_t *ret_length)
{
	_cleanup_free_ char *length = match_header(headers, "Content-Length");
	_cleanup_free_ char *encoding = match_header(headers, "Transfer-Encoding");
	int64_t value = 0;

	if (encoding || (length && str_to_int64(length, &value) < 0))
		return -1;
	if (value < 0 || (size_t)value > HTTP_BODY_MAX)
		return -1;
	*ret_length = (size_t)value;
	return 0;
}

static bool expects_continue(const char *headers)
{
	_cleanup_free_ char *expect = match_header(headers, "Expect");

	return str_equal_nocase(expect, "100-continue");
}

static struct apiserver_request *parse_head(const char *text, size_t length)
{
	struct apiserver_request *request = xcalloc(1, sizeof(*request));
	const char *line_end = memmem(text, length, "\r\n", 2);

	if (memchr(text, '\0', length) || parse_request_line(text, (size_t)(line_end - text), request) < 0) {
		apiserver_request_free(request);
		return NULL;
	}
	request->headers = xstrndup(line_end + 2, length - (size_t)(line_end + 2 - text));
	return request;
}

int http_parse_request(struct buf *in, struct apiserver_request **ret_request, bool *ret_expects)
{
	const char *end = in->len ? memmem(in->data, in->len, "\r\n\r\n", 4) : NULL;
	struct apiserver_request *request;
	size_t head, length = 0;

	*ret_expects = false;
	if (in->len && !isupper((unsigned char)in->data[0]))
		return -1; /* no method begins so: TLS perhaps */
	if (!end)
		return in->len > HTTP_HEAD_MAX ? -1 : 0;
	head = (size_t)(end - in->data) + 4;
	request = parse_head(in->data, head - 2);
	if (!request)
		return -1;
	if (body_length(request->headers, &length) < 0) {
		apiserver_request_free(request);
		return -1;
	}
	if (in->len < head + length) {
		*ret_expects = in->len == head && expects_continue(request->headers);
		apiserver_request_free(request);
		return 0;
	}
	request->body = xmalloc(length + 1);
	memcpy(request->body, in->data + head, length);
	request->body[length] = '\0';
	request->body_length = length;
	buf_consume(in, head + length);
	*ret_request = request;
	return 1;
}

/* ------------------------------------------------------------------------------------------- answers */

static const char *reason_phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = {
		{ 101, "Switching Protocols" },
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 422, "Unprocessable Entity" },
		{ 429, "Too Many Requests" },
		{ 500, "Internal Server Error" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Status";
}

static void add_huge_line(struct buf *out, size_t length)
{
	char *filler = xmalloc(length + 1);

	memset(filler, 'x', length);
	filler[length] = '\0';
	buf_addf(out, "X-Filler: %s\r\n", filler);
	free(filler);
}

void http_render_head(const struct http_answer *answer, size_t length, struct buf *out)
{
	const char *type = answer->content_type ? answer->content_type : "application/json";

	if (answer->fault == FAULT_GARBAGE) {
		if (buf_add(out, http_garbage, HTTP_GARBAGE_LENGTH) < 0)
			abort();
		return;
	}
	buf_addf(out, "HTTP/1.1 %d %s\r\n", answer->status, reason_phrase(answer->status));
	if (answer->fault == FAULT_HUGE_LINE)
		add_huge_line(out, answer->fault_bytes);
	if (length)
		buf_addf(out, "Content-Type: %s\r\n", type);
	if (answer->fault == FAULT_CHUNKED)
		buf_adds(out, "Transfer-Encoding: chunked\r\n");
	else if (answer->fault != FAULT_NO_LENGTH && answer->status != 204)
		buf_addf(out, "Content-Length: %zu\r\n", length);
	buf_addf(out, "%s\r\n", answer->headers ? answer->headers : "");
}

void http_render_chunks(const char *body, size_t length, size_t size, struct buf *out)
{
	while (length) {
		size_t piece = length < size ? length : size;

		buf_addf(out, "%zx\r\n", piece);
		if (buf_add(out, body, piece) < 0)
			abort();
		buf_adds(out, "\r\n");
		body += piece;
		length -= piece;
	}
	buf_adds(out, "0\r\n\r\n");
}

void http_render_upgrade(const struct apiserver_request *request, const char *protocol, struct buf *out)
{
	_cleanup_free_ char *key = match_header(request->headers, "Sec-WebSocket-Key");
	_cleanup_free_ char *joined = xasprintf("%s%s", key ? key : "", WEBSOCKET_GUID);
	unsigned char digest[SHA_DIGEST_LENGTH];
	unsigned char accept[SHA_DIGEST_LENGTH * 2];

	SHA1((const unsigned char *)joined, strlen(joined), digest);
	EVP_EncodeBlock(accept, digest, sizeof(digest));
	buf_adds(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
	buf_addf(out, "Sec-WebSocket-Accept: %s\r\n", (const char *)accept);
	if (*protocol)
		buf_addf(out, "Sec-WebSocket-Protocol: %s\r\n", protocol);
	buf_adds(out, "\r\n");
}
