/* See http.h. */
#include "http.h"

#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#define SEND_PIECE    ((size_t)32 * 1024)
#define CHUNK_DEFAULT ((size_t)1000)

enum http_state {
	HTTP_READING,
	HTTP_WAITING, /* for the delay of the answer */
	HTTP_SENDING,
	HTTP_SILENT, /* does nothing any more: silence, closed, or upgraded */
};

struct http_stream {
	struct reactor *reactor;
	struct script *script;
	struct script_client client;
	const struct http_sink *sink;
	void *context;
	enum http_state state;
	struct buf in;
	struct reactor_timer timer;

	/* the request that is being answered */
	const struct apiserver_request *request; /* owned by the record */
	enum script_verdict verdict;
	struct script_upgrade upgrade;
	struct http_answer answer;
	struct buf head;
	const char *body;
	size_t body_length;
	size_t sent;  /* of head and body together */
	size_t limit; /* most to be sent of them */
	bool close_after;
};

static void on_delay_over(void *context);

struct http_stream *http_stream_new(struct reactor *reactor, struct script *script, const struct script_client *client,
                                    const struct http_sink *sink, void *context)
{
	struct http_stream *stream = xcalloc(1, sizeof(*stream));

	stream->reactor = reactor;
	stream->script = script;
	stream->client = *client;
	stream->sink = sink;
	stream->context = context;
	stream->in = (struct buf)BUF_INIT(HTTP_HEAD_MAX + HTTP_BODY_MAX);
	stream->head = (struct buf)BUF_TEXT;
	stream->timer = (struct reactor_timer){ .on_time = on_delay_over, .context = stream };
	return stream;
}

static void release_answer(struct http_stream *stream)
{
	script_upgrade_release(&stream->upgrade);
	buf_release(&stream->answer.scratch);
	buf_clear(&stream->head);
	stream->request = NULL;
	stream->body = NULL;
}

void http_stream_free(struct http_stream *stream)
{
	if (!stream)
		return;
	reactor_timer_stop(stream->reactor, &stream->timer);
	release_answer(stream);
	buf_release(&stream->head);
	buf_release(&stream->in);
	free(stream);
}

static void finish(struct http_stream *stream, bool reset)
{
	stream->state = HTTP_SILENT;
	stream->sink->finish(stream->context, reset);
}

/* ------------------------------------------------------------------------------------------- sending */

static bool wants_close(const struct http_stream *stream)
{
	_cleanup_free_ char *connection = match_header(stream->request->headers, "Connection");

	return str_equal_nocase(connection, "close") || stream->answer.fault == FAULT_NO_LENGTH ||
	       stream->answer.fault == FAULT_GARBAGE;
}

static void prepare(struct http_stream *stream)
{
	struct http_answer *answer = &stream->answer;
	bool cut = answer->fault == FAULT_CLOSE || answer->fault == FAULT_RESET || answer->fault == FAULT_SILENCE;

	stream->body = answer->body ? answer->body : "";
	stream->body_length = answer->length ? answer->length : strlen(stream->body);
	if (answer->fault == FAULT_GARBAGE)
		stream->body_length = 0;
	http_render_head(answer, stream->body_length, &stream->head);
	if (answer->fault == FAULT_CHUNKED) {
		http_render_chunks(stream->body, stream->body_length,
		                   answer->fault_bytes ? answer->fault_bytes : CHUNK_DEFAULT, &stream->head);
		stream->body_length = 0;
	} else if (stream->body_length <= SEND_PIECE &&
	           buf_add(&stream->head, stream->body, stream->body_length) == 0) {
		stream->body_length = 0; /* a small answer goes out in one piece, as Go's server does it */
	}
	stream->sent = 0;
	stream->limit = cut ? answer->fault_bytes : SIZE_MAX;
	stream->close_after = wants_close(stream);
}

/* The next bytes to send: of the head, then of the body. 0: all sent. */
static size_t next_piece(const struct http_stream *stream, const char **ret_bytes)
{
	size_t length, rest = stream->limit - stream->sent;

	if (stream->sent < stream->head.len) {
		*ret_bytes = stream->head.data + stream->sent;
		length = stream->head.len - stream->sent;
	} else {
		*ret_bytes = stream->body + (stream->sent - stream->head.len);
		length = stream->head.len + stream->body_length - stream->sent;
	}
	if (length > SEND_PIECE)
		length = SEND_PIECE;
	return length < rest ? length : rest;
}

static void read_next(struct http_stream *stream);

static void end_answer(struct http_stream *stream)
{
	enum http_fault fault = stream->answer.fault;
	bool close_after = stream->close_after;

	release_answer(stream);
	if (fault == FAULT_SILENCE) {
		stream->state = HTTP_SILENT;
	} else if (fault == FAULT_CLOSE || fault == FAULT_RESET) {
		finish(stream, fault == FAULT_RESET);
	} else if (close_after) {
		finish(stream, false);
	} else {
		stream->state = HTTP_READING;
		read_next(stream);
	}
}

static void pump(struct http_stream *stream)
{
	const char *bytes = NULL;
	size_t length;

	while (stream->state == HTTP_SENDING && stream->sink->has_room(stream->context)) {
		length = next_piece(stream, &bytes);
		if (!length) {
			end_answer(stream);
			return;
		}
		stream->sent += length;
		stream->sink->send(stream->context, bytes, length);
	}
}

void http_stream_room(struct http_stream *stream)
{
	pump(stream);
}

static void upgrade(struct http_stream *stream)
{
	struct script_upgrade accepted = stream->upgrade;
	const struct apiserver_request *request = stream->request;

	stream->upgrade = (struct script_upgrade){ 0 };
	stream->state = HTTP_SILENT;
	http_render_upgrade(request, accepted.protocol, &stream->head);
	stream->sink->send(stream->context, stream->head.data, stream->head.len);
	release_answer(stream);
	stream->sink->upgrade(stream->context, stream->verdict, request, &accepted, stream->in.data, stream->in.len);
}

static void on_delay_over(void *context)
{
	struct http_stream *stream = context;

	if (stream->verdict != SCRIPT_ANSWER) {
		upgrade(stream);
		return;
	}
	prepare(stream);
	stream->state = HTTP_SENDING;
	pump(stream);
}

/* ------------------------------------------------------------------------------------------- reading */

static void answer_request(struct http_stream *stream, struct apiserver_request *request)
{
	_cleanup_free_ char *host = match_header(request->headers, "Host");

	if (!host)
		script_complain(stream->script, stream->client.connection, "%s %s without Host", request->method,
		                request->path);
	if (stream->sink->verified)
		stream->client.verified = stream->sink->verified(stream->context);
	if (stream->sink->subject)
		stream->client.subject = stream->sink->subject(stream->context);
	stream->request = request;
	stream->verdict = script_dispatch(stream->script, request, &stream->client, &stream->answer, &stream->upgrade);
	stream->state = HTTP_WAITING;
	if (stream->answer.delay_ms)
		reactor_timer_set(stream->reactor, &stream->timer, clock_monotonic_ms() + stream->answer.delay_ms);
	else
		on_delay_over(stream);
}

static void read_next(struct http_stream *stream)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	static const char bad[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	struct apiserver_request *request = NULL;
	bool expects;
	int status = http_parse_request(&stream->in, &request, &expects);

	if (status < 0) {
		script_complain(stream->script, stream->client.connection, "bytes that are no HTTP request");
		stream->sink->send(stream->context, bad, strlen(bad));
		finish(stream, false);
	} else if (status > 0) {
		answer_request(stream, request);
	} else if (expects) {
		stream->sink->send(stream->context, go_on, strlen(go_on));
	}
}

void http_stream_feed(struct http_stream *stream, const void *bytes, size_t length)
{
	if (stream->state == HTTP_SILENT)
		return;
	if (buf_add(&stream->in, bytes, length) < 0) {
		finish(stream, true);
		return;
	}
	if (stream->state == HTTP_READING)
		read_next(stream);
}
