/*
 * http.h - the server's side of one HTTP/1.1 connection with keep-alive, over any stream of bytes.
 *
 * Used for TCP connections and for the ports inside tunnels. One request at a time: what follows it waits.
 */
#ifndef SUPPORT_HTTP_H
#define SUPPORT_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "reactor.h"
#include "script.h"

/* Most bytes of a request's head and of its body. */
#define HTTP_HEAD_MAX ((size_t)256 * 1024)
#define HTTP_BODY_MAX ((size_t)16 * 1024 * 1024)

struct http_stream;

/* Where the bytes go. */
struct http_sink {
	void (*send)(void *context, const void *bytes, size_t length);
	bool (*has_room)(void *context);
	void (*finish)(void *context, bool reset); /* no more bytes to the client */

	/*
	 * The 101 was sent, the stream does nothing more; bytes the client sent behind its request are in rest. The
	 * callee takes upgrade over. NULL where nothing can be upgraded.
	 */
	void (*upgrade)(void *context, enum script_verdict verdict, const struct apiserver_request *request,
	                struct script_upgrade *upgrade, const void *rest, size_t length);
	bool (*verified)(void *context);       /* the client's certificate is good; NULL: it is not */
	const char *(*subject)(void *context); /* who it says the client is; NULL: there is none */
};

struct http_stream *http_stream_new(struct reactor *reactor, struct script *script, const struct script_client *client,
                                    const struct http_sink *sink, void *context);
void http_stream_free(struct http_stream *stream); /* NULL is fine */

/* Bytes from the client. */
void http_stream_feed(struct http_stream *stream, const void *bytes, size_t length);

/* There is room again in the sink. */
void http_stream_room(struct http_stream *stream);

/* ------------------------------------------------------------------------------- http_message.c, pure */

/*
 * Takes one whole request from the front of in. 1: there it is (owned by the caller); 0: not whole yet; -1: it is no
 * request, or too large. *ret_expects is set when the client waits for "100 Continue" before it sends the body.
 */
int http_parse_request(struct buf *in, struct apiserver_request **ret_request, bool *ret_expects);

/* The head of the answer; also what FAULT_GARBAGE and FAULT_HUGE_LINE put before or instead of it. */
void http_render_head(const struct http_answer *answer, size_t body_length, struct buf *out);

/* The body in chunks of size bytes. */
void http_render_chunks(const char *body, size_t length, size_t size, struct buf *out);

/* The answer to an upgrade: Sec-WebSocket-Accept for the request's key; protocol "" leaves that line out. */
void http_render_upgrade(const struct apiserver_request *request, const char *protocol, struct buf *out);

/* 64 bytes that are no HTTP. */
#define HTTP_GARBAGE_LENGTH 64
extern const char http_garbage[];

#endif
