/*
 * wire.h - one TCP connection of the scripted server, plain or TLS: bytes in, bytes out, limits and rude endings.
 *
 * The owner gets its events from reactor rounds. After on_end nothing is called any more and the wire frees itself
 * when the round is over.
 */
#ifndef SUPPORT_WIRE_H
#define SUPPORT_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

#include "reactor.h"
#include "tls.h"
#include "util/buf.h"

/* Below this many waiting bytes there is room for more; on_room asks for them. */
#define WIRE_ROOM ((size_t)128 * 1024)
/* Most bytes that wait in one direction. */
#define WIRE_BUFFER_MAX ((size_t)64 * 1024 * 1024)

struct wire;

struct wire_events {
	void (*on_bytes)(void *context); /* something was added to wire_input */
	void (*on_room)(void *context);
	void (*on_end)(void *context); /* the connection is gone */
};

/* fd is the wire's from now on. context_tls NULL: plain. */
struct wire *wire_new(struct reactor *reactor, int fd, SSL_CTX *context_tls);

void wire_set_events(struct wire *wire, const struct wire_events *events, void *context);

/* Received and decrypted, not consumed yet. */
struct buf *wire_input(struct wire *wire);

void wire_send(struct wire *wire, const void *bytes, size_t length);
bool wire_has_room(const struct wire *wire);

/* Most bytes of one write; 0: no limit. */
void wire_set_write_limit(struct wire *wire, size_t bytes);

/* Ends the stream towards the client when all is sent; what still comes from it is thrown away. */
void wire_finish(struct wire *wire);

/* Closes at once, by a reset; calls on_end. */
void wire_reset(struct wire *wire);

/* Closes and frees at once, without on_end: for the end of the server only. */
void wire_destroy(struct wire *wire);

bool wire_client_verified(const struct wire *wire);
const char *wire_client_subject(struct wire *wire); /* see tls.h */

#endif
