/* See include/kube/upgrade.h. */
#include "kube/upgrade.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "util/base64.h"
#include "util/mem.h"
#include "util/str.h"

/* RFC 6455, section 1.3. */
#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
/* Most bytes of a foreign text that an error shows. */
#define SHOWN_MAX 80

/* Where in the answer the next byte belongs. Those up to AT_LINES_END are read line by line. */
enum place {
	AT_STATUS,
	AT_HEADER,
	AT_CHUNK_SIZE,
	AT_CHUNK_END,
	AT_TRAILER,
	AT_LINES_END,
	AT_CHUNK,
	AT_LENGTH,  /* a body with a length */
	AT_FOREVER, /* a body that ends with the connection */
};

/* --------------------------------------------------------------------------------------- request */

int upgrade_key_make(struct upgrade_key *ret_key, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	unsigned char nonce[16];

	if (RAND_bytes(nonce, sizeof(nonce)) != 1)
		return err_set(err, ERR_FAILED, "the system has no random bytes for a WebSocket key");
	text = base64_encode(nonce, sizeof(nonce));
	assert(strlen(text) == sizeof(ret_key->text) - 1);
	memcpy(ret_key->text, text, sizeof(ret_key->text));
	return 0;
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

int upgrade_request_render(const struct upgrade_request *request, struct buf *out, struct err *err)
{
	if (has_control(request->path) || strchr(request->path, ' ') || has_control(request->authority))
		return err_set(err, ERR_INVALID, "the request's path or host has a control character or space in it");
	for (size_t i = 0; i < request->header_count; i++)
		if (has_control(request->headers[i]))
			return err_set(err, ERR_INVALID,
			               "a header of the request (the token?) has a control character in it");
	buf_addf(out, "GET %s HTTP/1.1\r\nHost: %s\r\n", request->path, request->authority);
	for (size_t i = 0; i < request->header_count; i++) {
		buf_adds(out, request->headers[i]);
		buf_adds(out, "\r\n");
	}
	buf_addf(out,
	         "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	         "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
	         request->key->text, request->protocol);
	return 0;
}

/* ---------------------------------------------------------------------------------------- answer */

void upgrade_answer_init(struct upgrade_answer *answer, const struct upgrade_key *key, const char *protocol)
{
	*answer = (struct upgrade_answer){
		.body = BUF_INIT(UPGRADE_BODY_MAX),
		.key = key,
		.protocol = protocol,
		.state = AT_STATUS,
		.line = BUF_INIT(UPGRADE_HEAD_MAX),
	};
}

void upgrade_answer_release(struct upgrade_answer *answer)
{
	buf_release(&answer->body);
	buf_release(&answer->line);
	free(answer->named_protocol);
	answer->named_protocol = NULL;
}

static int fail_as_no_http(const char *text, struct err *err)
{
	_cleanup_free_ char *shown = str_visible(text, SHOWN_MAX);

	return err_set(err, ERR_PROTOCOL, "the server's answer is not HTTP/1.1: \"%s\"", shown);
}

/* "HTTP/1.1 101 Switching Protocols"; the reason may be missing. */
static int read_status_line(struct upgrade_answer *answer, const char *line, struct err *err)
{
	const char *code = line + strlen("HTTP/1.x ");
	long status = 0;

	if (!str_starts_with(line, "HTTP/1.") || (line[7] != '0' && line[7] != '1') || line[8] != ' ')
		return fail_as_no_http(line, err);
	for (size_t i = 0; i < 3; i++) {
		if (code[i] < '0' || code[i] > '9')
			return fail_as_no_http(line, err);
		status = status * 10 + (code[i] - '0');
	}
	if (status < 100 || (code[3] != '\0' && code[3] != ' '))
		return fail_as_no_http(line, err);
	answer->status = status;
	answer->state = AT_HEADER;
	return 0;
}

/* True when the comma-separated list has token in it, without regard to case. */
static bool has_token(const char *list, const char *token)
{
	size_t length = strlen(token);

	while (*list) {
		size_t part = strcspn(list, ",");
		const char *start = list + strspn(list, " \t");
		_cleanup_free_ char *word = NULL;

		if (start < list + part) {
			word = xstrndup(start, strcspn(start, ", \t"));
			if (strlen(word) == length && str_equal_nocase(word, token))
				return true;
		}
		list += part + (list[part] == ',');
	}
	return false;
}

static bool accepts_key(const char *value, const struct upgrade_key *key)
{
	_cleanup_free_ char *challenge = xasprintf("%s%s", key->text, ACCEPT_GUID);
	_cleanup_free_ char *expected = NULL;
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_length = 0;

	if (EVP_Digest(challenge, strlen(challenge), digest, &digest_length, EVP_sha1(), NULL) != 1)
		return false;
	expected = base64_encode(digest, digest_length);
	return str_equal(value, expected);
}

static int read_length(struct upgrade_answer *answer, const char *value, struct err *err)
{
	uint64_t length;

	if (str_to_uint64(value, &length) < 0 || (answer->has_length && length != answer->left)) {
		_cleanup_free_ char *shown = str_visible(value, SHOWN_MAX);

		return err_set(err, ERR_PROTOCOL, "the server's answer has an impossible Content-Length: %s", shown);
	}
	answer->has_length = true;
	answer->left = length;
	return 0;
}

static int take_header(struct upgrade_answer *answer, const char *name, const char *value, struct err *err)
{
	if (str_equal_nocase(name, "Content-Length"))
		return read_length(answer, value, err);
	if (str_equal_nocase(name, "Transfer-Encoding")) {
		answer->chunked = answer->chunked || has_token(value, "chunked");
	} else if (str_equal_nocase(name, "Upgrade")) {
		answer->upgrades = answer->upgrades || has_token(value, "websocket");
	} else if (str_equal_nocase(name, "Connection")) {
		answer->switches = answer->switches || has_token(value, "upgrade");
	} else if (str_equal_nocase(name, "Sec-WebSocket-Accept")) {
		answer->accepts = !answer->has_accept && accepts_key(value, answer->key);
		answer->has_accept = true;
	} else if (str_equal_nocase(name, "Sec-WebSocket-Protocol")) {
		replace_string(&answer->named_protocol, xstrdup(value));
	} else if (str_equal_nocase(name, "Sec-WebSocket-Extensions")) {
		answer->extends = *value != '\0';
	}
	return 0;
}

/* "Name: value", spaces around the value removed. line is changed. */
static int read_header(struct upgrade_answer *answer, char *line, struct err *err)
{
	char *colon = strchr(line, ':');
	char *value, *end;

	if (!colon || colon == line || strcspn(line, " \t") < (size_t)(colon - line)) {
		_cleanup_free_ char *shown = str_visible(line, SHOWN_MAX);

		return err_set(err, ERR_PROTOCOL, "the server's answer has a line that is no header: \"%s\"", shown);
	}
	*colon = '\0';
	value = colon + 1 + strspn(colon + 1, " \t");
	end = value + strlen(value);
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	return take_header(answer, line, value, err);
}

static int accept_upgrade(struct upgrade_answer *answer, struct err *err)
{
	if (!answer->upgrades || !answer->switches)
		return err_set(err, ERR_PROTOCOL, "the server switched to something that is no WebSocket");
	if (!answer->accepts)
		return err_set(err, ERR_PROTOCOL,
		               "the server's upgrade does not fit the request (Sec-WebSocket-Accept)");
	if (answer->extends)
		return err_set(err, ERR_PROTOCOL, "the server uses a WebSocket extension that was not asked for");
	if (!str_equal(answer->named_protocol, answer->protocol)) {
		_cleanup_free_ char *shown =
		    str_visible(answer->named_protocol ? answer->named_protocol : "none", SHOWN_MAX);

		answer->other_protocol = true;
		return err_set(err, ERR_PROTOCOL, "the server's subprotocol is %s instead of %s", shown,
		               answer->protocol);
	}
	answer->phase = UPGRADE_ACCEPTED;
	return 0;
}

/* An informational answer (100, 103): the real one follows, with headers of its own. */
static void start_again(struct upgrade_answer *answer)
{
	size_t head_length = answer->head_length;
	struct buf line = answer->line, body = answer->body;

	free(answer->named_protocol);
	upgrade_answer_init(answer, answer->key, answer->protocol);
	answer->line = line;
	answer->body = body;
	answer->head_length = head_length;
}

static int end_head(struct upgrade_answer *answer, struct err *err)
{
	if (answer->status == 101)
		return accept_upgrade(answer, err);
	if (answer->status < 200)
		start_again(answer);
	else if (answer->status == 204 || answer->status == 304 ||
	         (!answer->chunked && answer->has_length && answer->left == 0))
		answer->phase = UPGRADE_REFUSED;
	else if (answer->chunked)
		answer->state = AT_CHUNK_SIZE;
	else
		answer->state = answer->has_length ? AT_LENGTH : AT_FOREVER;
	return 0;
}

/* Chunks that make no sense end the body there: the status and what came of it say more than our complaint. */
static void read_chunk_size(struct upgrade_answer *answer, const char *line)
{
	size_t digits = strspn(line, "0123456789abcdefABCDEF");

	if (digits == 0 || digits > 8) {
		answer->phase = UPGRADE_REFUSED;
		return;
	}
	answer->left = strtoull(line, NULL, 16);
	answer->state = answer->left > 0 ? AT_CHUNK : AT_TRAILER;
}

static int read_line(struct upgrade_answer *answer, char *line, struct err *err)
{
	switch ((enum place)answer->state) {
	case AT_STATUS:
		return read_status_line(answer, line, err);
	case AT_HEADER:
		return *line ? read_header(answer, line, err) : end_head(answer, err);
	case AT_CHUNK_SIZE:
		read_chunk_size(answer, line);
		return 0;
	case AT_CHUNK_END:
		answer->state = AT_CHUNK_SIZE;
		return 0;
	case AT_TRAILER:
		if (!*line)
			answer->phase = UPGRADE_REFUSED;
		return 0;
	case AT_LINES_END:
	case AT_CHUNK:
	case AT_LENGTH:
	case AT_FOREVER:
		break;
	}
	assert(false);
	return -1;
}

/* A line of the head counts towards the limit of the head; those between chunks are as bounded, one by one. */
static int add_to_line(struct upgrade_answer *answer, const char *bytes, size_t count, struct err *err)
{
	bool in_head = answer->state == AT_STATUS || answer->state == AT_HEADER;

	if (in_head)
		answer->head_length += count;
	if (answer->head_length > UPGRADE_HEAD_MAX || buf_add(&answer->line, bytes, count) < 0)
		return err_set(err, ERR_TOO_LARGE, "the head of the server's answer has more than %zu bytes",
		               UPGRADE_HEAD_MAX);
	return 0;
}

/* Takes bytes up to the end of the line, or all. What cannot become a status line is told before its end. */
static int feed_line(struct upgrade_answer *answer, const char *bytes, size_t count, size_t *ret_used, struct err *err)
{
	const char *end = memchr(bytes, '\n', count);
	struct buf *line = &answer->line;
	int status;

	*ret_used = end ? (size_t)(end - bytes) + 1 : count;
	if (add_to_line(answer, bytes, *ret_used, err) < 0)
		return -1;
	if (answer->state == AT_STATUS && strncmp(line->data, "HTTP/1.", line->len < 7 ? line->len : 7) != 0)
		return fail_as_no_http(line->data, err);
	if (!end)
		return 0;
	line->data[--line->len] = '\0';
	if (line->len > 0 && line->data[line->len - 1] == '\r')
		line->data[--line->len] = '\0';
	if (strlen(line->data) != line->len)
		return err_set(err, ERR_PROTOCOL, "the head of the server's answer has a NUL byte in it");
	status = read_line(answer, line->data, err);
	buf_clear(line);
	return status;
}

static size_t feed_body(struct upgrade_answer *answer, const char *bytes, size_t count)
{
	size_t used = answer->state == AT_FOREVER || answer->left > count ? count : (size_t)answer->left;
	size_t room = answer->body.max - answer->body.len;
	int status = buf_add(&answer->body, bytes, used < room ? used : room);

	assert(status == 0);
	(void)status;
	if (used >= room)
		answer->phase = UPGRADE_REFUSED;
	if (answer->state == AT_FOREVER)
		return used;
	answer->left -= used;
	if (answer->left > 0)
		return used;
	if (answer->state == AT_LENGTH)
		answer->phase = UPGRADE_REFUSED;
	else
		answer->state = AT_CHUNK_END;
	return used;
}

int upgrade_answer_feed(struct upgrade_answer *answer, const void *bytes, size_t count, size_t *ret_used,
                        struct err *err)
{
	const char *at = bytes;
	size_t used = 0;

	while (used < count && answer->phase == UPGRADE_READING) {
		size_t step;

		if (answer->state > AT_LINES_END)
			step = feed_body(answer, at + used, count - used);
		else if (feed_line(answer, at + used, count - used, &step, err) < 0)
			return -1;
		used += step;
	}
	*ret_used = used;
	return 0;
}

int upgrade_answer_end(struct upgrade_answer *answer, struct err *err)
{
	bool in_head = answer->state == AT_STATUS || answer->state == AT_HEADER;

	if (answer->phase == UPGRADE_READING && in_head)
		return err_set(err, ERR_PROTOCOL, "the server closed the connection %s",
		               answer->head_length ? "in the middle of its answer" : "without an answer");
	if (answer->phase == UPGRADE_READING)
		answer->phase = UPGRADE_REFUSED;
	return 0;
}
