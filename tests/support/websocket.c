/* See websocket.h. */
#include "websocket.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <wslay/wslay.h>

#include "util/mem.h"

#define ZEROS ((size_t)16 * 1024)

struct websocket {
	struct wire *wire;
	struct script *script;
	unsigned connection;
	wslay_event_context_ptr wslay;
	const struct ws_events *events;
	void *context;
	bool closed;  /* we sent Close, or dropped it */
	bool endless; /* in a huge frame */
};

static ssize_t recv_callback(wslay_event_context_ptr wslay, uint8_t *out, size_t length, int flags, void *context)
{
	struct websocket *ws = context;
	struct buf *input = wire_input(ws->wire);

	(void)flags;
	if (!input->len) {
		wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	if (length > input->len)
		length = input->len;
	memcpy(out, input->data, length);
	buf_consume(input, length);
	return (ssize_t)length;
}

static ssize_t send_callback(wslay_event_context_ptr wslay, const uint8_t *bytes, size_t length, int flags,
                             void *context)
{
	struct websocket *ws = context;

	(void)wslay;
	(void)flags;
	wire_send(ws->wire, bytes, length);
	return (ssize_t)length;
}

static void on_frame_start(wslay_event_context_ptr wslay, const struct wslay_event_on_frame_recv_start_arg *frame,
                           void *context)
{
	struct websocket *ws = context;

	(void)wslay;
	if (!frame->fin || frame->opcode == WSLAY_CONTINUATION_FRAME)
		script_complain(ws->script, ws->connection, "a fragmented message");
	if (frame->opcode == WSLAY_TEXT_FRAME)
		script_complain(ws->script, ws->connection, "a text message");
}

static void on_message(wslay_event_context_ptr wslay, const struct wslay_event_on_msg_recv_arg *message, void *context)
{
	struct websocket *ws = context;

	(void)wslay;
	if (message->opcode == WSLAY_BINARY_FRAME && message->msg_length && !ws->closed)
		ws->events->on_message(ws->context, message->msg[0], message->msg + 1, message->msg_length - 1);
}

struct websocket *ws_new(struct wire *wire, struct script *script, unsigned connection, const struct ws_events *events,
                         void *context)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = recv_callback,
		.send_callback = send_callback,
		.on_frame_recv_start_callback = on_frame_start,
		.on_msg_recv_callback = on_message,
	};
	struct websocket *ws = xcalloc(1, sizeof(*ws));

	ws->wire = wire;
	ws->script = script;
	ws->connection = connection;
	ws->events = events;
	ws->context = context;
	if (wslay_event_context_server_init(&ws->wslay, &callbacks, ws) != 0)
		abort();
	wslay_event_config_set_max_recv_msg_length(ws->wslay, WS_MESSAGE_MAX);
	return ws;
}

void ws_free(struct websocket *ws)
{
	if (!ws)
		return;
	wslay_event_context_free(ws->wslay);
	free(ws);
}

static void flush(struct websocket *ws)
{
	while (wslay_event_want_write(ws->wslay))
		if (wslay_event_send(ws->wslay) != 0)
			break;
}

void ws_receive(struct websocket *ws)
{
	int status;

	if (ws->closed) {
		buf_clear(wire_input(ws->wire));
		return;
	}
	status = wslay_event_recv(ws->wslay);
	if (ws->closed)
		return;
	flush(ws);
	if (wslay_event_get_close_sent(ws->wslay)) {
		if (!wslay_event_get_close_received(ws->wslay))
			script_complain(ws->script, ws->connection, "a frame that breaks the protocol (status %d)",
			                wslay_event_get_status_code_sent(ws->wslay));
		ws_drop(ws, false);
	} else if (status != 0) {
		ws_drop(ws, true);
	}
}

bool ws_has_room(const struct websocket *ws)
{
	return !ws->closed && wire_has_room(ws->wire);
}

void ws_room(struct websocket *ws)
{
	static const char zeros[ZEROS];

	if (ws->endless && ws_has_room(ws))
		wire_send(ws->wire, zeros, sizeof(zeros));
	else if (ws_has_room(ws))
		ws->events->on_room(ws->context);
}

void ws_send(struct websocket *ws, unsigned char channel, const void *bytes, size_t length)
{
	unsigned char *message;
	struct wslay_event_msg event = { .opcode = WSLAY_BINARY_FRAME, .msg_length = length + 1 };

	if (ws->closed)
		return;
	message = xmalloc(length + 1);
	message[0] = channel;
	if (length)
		memcpy(message + 1, bytes, length);
	event.msg = message;
	if (wslay_event_queue_msg(ws->wslay, &event) == 0)
		flush(ws);
	free(message);
}

void ws_ping(struct websocket *ws)
{
	struct wslay_event_msg event = { .opcode = WSLAY_PING, .msg = (const uint8_t *)"ping", .msg_length = 4 };

	if (!ws->closed && wslay_event_queue_msg(ws->wslay, &event) == 0)
		flush(ws);
}

void ws_close(struct websocket *ws)
{
	if (ws->closed)
		return;
	wslay_event_queue_close(ws->wslay, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0);
	flush(ws);
	ws_drop(ws, false);
}

void ws_drop(struct websocket *ws, bool reset)
{
	if (ws->closed)
		return;
	ws->closed = true;
	if (reset)
		wire_reset(ws->wire);
	else
		wire_finish(ws->wire);
}

void ws_send_raw(struct websocket *ws, const void *bytes, size_t length)
{
	if (!ws->closed)
		wire_send(ws->wire, bytes, length);
}

void ws_half_frame(struct websocket *ws, unsigned char channel)
{
	const unsigned char start[] = { 0x82, 0x7e, 0x10, 0x00, channel, 'h', 'a', 'l', 'f' };

	ws_send_raw(ws, start, sizeof(start));
}

void ws_huge_frame(struct websocket *ws, unsigned char channel)
{
	const unsigned char start[] = { 0x82, 0x7f, 0, 0, 1, 0, 0, 0, 0, 0, channel };

	ws_send_raw(ws, start, sizeof(start));
	ws->endless = true;
	ws_room(ws);
}
