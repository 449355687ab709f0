/*
 * websocket.h - the server's side of a WebSocket on a wire, framed by wslay: channel messages in and out, and
 * whatever a broken server could send.
 */
#ifndef SUPPORT_WEBSOCKET_H
#define SUPPORT_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>

#include "script.h"
#include "wire.h"

/* Most bytes of one message, as the API server's limit. */
#define WS_MESSAGE_MAX ((size_t)32 * 1024 * 1024)

struct websocket;

struct ws_events {
	/* One binary message: its first byte and the rest. */
	void (*on_message)(void *context, unsigned char channel, const unsigned char *bytes, size_t length);
	void (*on_room)(void *context);
};

/* The wire's input and room are the WebSocket's to handle from now on, through ws_receive and ws_room. */
struct websocket *ws_new(struct wire *wire, struct script *script, unsigned connection, const struct ws_events *events,
                         void *context);
void ws_free(struct websocket *ws); /* NULL is fine */

/* Handles what is in the wire's input. */
void ws_receive(struct websocket *ws);
void ws_room(struct websocket *ws);
bool ws_has_room(const struct websocket *ws);

/* One binary message, one frame. */
void ws_send(struct websocket *ws, unsigned char channel, const void *bytes, size_t length);
void ws_ping(struct websocket *ws);

/* Close 1000, then the end of the connection. */
void ws_close(struct websocket *ws);

/* Without Close. */
void ws_drop(struct websocket *ws, bool reset);

/* Ways to misbehave; nothing that is sent later arrives as it should. */
void ws_send_raw(struct websocket *ws, const void *bytes, size_t length);
void ws_half_frame(struct websocket *ws, unsigned char channel); /* announces 4096 bytes, sends 5 */
void ws_huge_frame(struct websocket *ws, unsigned char channel); /* announces 2^40 bytes; goes on in ws_room */

#endif
