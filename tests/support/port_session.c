/* See port_session.h. */
#include "port_session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "tls.h"
#include "util/mem.h"
#include "util/str.h"

#define PORTS_MAX     127
#define FRAME_DEFAULT ((size_t)32 * 1024)

/* One pair of channels: 2 * index data, 2 * index + 1 error. */
struct port {
	struct port_session *session;
	unsigned index;
	uint16_t number;
	const struct apiserver_port *row; /* NULL: as it is without a row */
	enum port_kind kind;
	bool over; /* the pod's side is closed */
	struct http_stream *http;
	struct tls_stream *tls;
};

struct port_session {
	struct reactor *reactor;
	struct script *script;
	struct websocket *ws;
	SSL_CTX *tunnel_tls;
	struct script_upgrade upgrade;
	unsigned connection;
	struct port *ports;
	unsigned port_count;
};

/* ------------------------------------------------------------------------------- what the pod sends */

static void send_frames(struct port *port, const char *bytes, size_t length)
{
	size_t most = port->row && port->row->frame_bytes ? port->row->frame_bytes : FRAME_DEFAULT;

	while (length) {
		size_t piece = length < most ? length : most;

		ws_send(port->session->ws, (unsigned char)(port->index * 2), bytes, piece);
		bytes += piece;
		length -= piece;
	}
}

static void sink_send(void *context, const void *bytes, size_t length)
{
	struct port *port = context;
	_cleanup_buf_ struct buf cipher = BUF_INIT(TLS_BUFFER_MAX);

	if (port->over)
		return;
	if (!port->tls) {
		send_frames(port, bytes, length);
		return;
	}
	tls_stream_send(port->tls, bytes, length, &cipher);
	send_frames(port, buf_text(&cipher), cipher.len);
}

static bool sink_has_room(void *context)
{
	struct port *port = context;

	return !port->over && ws_has_room(port->session->ws);
}

/* The pod closed its connection: the WebSocket stays open, nothing tells the client. */
static void sink_finish(void *context, bool reset)
{
	struct port *port = context;
	_cleanup_buf_ struct buf cipher = BUF_INIT(TLS_BUFFER_MAX);

	(void)reset;
	if (port->tls && !port->over) {
		tls_stream_close(port->tls, &cipher);
		send_frames(port, buf_text(&cipher), cipher.len);
	}
	port->over = true;
}

static void send_error(struct port *port, const char *text)
{
	ws_send(port->session->ws, (unsigned char)(port->index * 2 + 1), text, strlen(text));
	port->over = true;
}

static void send_refused(struct port *port)
{
	_cleanup_free_ char *text = xasprintf(
	    "error forwarding port %u to pod 0123456789abcdef, uid : failed to execute portforward in network "
	    "namespace \"/var/run/netns/cni-0\": failed to dial %u: dial tcp4 127.0.0.1:%u: connect: "
	    "connection refused",
	    port->number, port->number, port->number);

	send_error(port, text);
}

/* ------------------------------------------------------------------------------------------- opening */

static const struct http_sink sink = { .send = sink_send, .has_room = sink_has_room, .finish = sink_finish };

static void send_numbers(struct port *port)
{
	const unsigned char number[] = { (unsigned char)(port->number & 0xff), (unsigned char)(port->number >> 8) };

	ws_send(port->session->ws, (unsigned char)(port->index * 2), number, sizeof(number));
	ws_send(port->session->ws, (unsigned char)(port->index * 2 + 1), number, sizeof(number));
}

static void open_http(struct port *port)
{
	struct port_session *session = port->session;
	struct script_client client = { .pod = session->upgrade.pod,
		                        .port = port->number,
		                        .connection = session->connection };

	port->http = http_stream_new(session->reactor, session->script, &client, &sink, port);
	if (port->kind == PORT_HTTPS) {
		assert(session->tunnel_tls);
		port->tls = tls_stream_new(session->tunnel_tls);
	}
}

static void open_port(struct port *port)
{
	if (port->kind != PORT_UNOPENED)
		send_numbers(port);
	if (port->kind == PORT_HTTP || port->kind == PORT_HTTPS)
		open_http(port);
	else if (port->kind == PORT_ERROR && port->row && port->row->text)
		send_error(port, port->row->text);
	else if (port->kind == PORT_ERROR)
		send_refused(port);
}

/* ------------------------------------------------------------------------------ what the client sends */

static void take_http(struct port *port, const unsigned char *bytes, size_t length)
{
	_cleanup_buf_ struct buf plain = BUF_INIT(TLS_BUFFER_MAX);
	_cleanup_buf_ struct buf cipher = BUF_INIT(TLS_BUFFER_MAX);
	int status;

	if (!port->tls) {
		http_stream_feed(port->http, bytes, length);
		return;
	}
	status = tls_stream_feed(port->tls, bytes, length, &plain, &cipher);
	send_frames(port, buf_text(&cipher), cipher.len);
	if (plain.len)
		http_stream_feed(port->http, plain.data, plain.len);
	if (status < 0)
		port->over = true;
}

static void take(struct port *port, const unsigned char *bytes, size_t length)
{
	struct websocket *ws = port->session->ws;

	switch (port->kind) {
	case PORT_HTTP:
	case PORT_HTTPS:
		take_http(port, bytes, length);
		break;
	case PORT_ERROR_LATE:
		send_error(port, port->row && port->row->text ? port->row->text : "");
		break;
	case PORT_GARBAGE:
		send_frames(port, http_garbage, HTTP_GARBAGE_LENGTH);
		break;
	case PORT_HALF_FRAME:
		ws_half_frame(ws, (unsigned char)(port->index * 2));
		port->over = true;
		break;
	case PORT_CLOSE:
		ws_close(ws);
		break;
	case PORT_DROP:
		ws_drop(ws, false);
		break;
	case PORT_ERROR:
	case PORT_SILENT:
	case PORT_UNOPENED:
		break;
	}
}

static void on_message(void *context, unsigned char channel, const unsigned char *bytes, size_t length)
{
	struct port_session *session = context;
	unsigned index = channel / 2;

	if (index >= session->port_count || channel % 2)
		script_complain(session->script, session->connection, "a message on channel %u of portforward",
		                channel);
	else if (!session->ports[index].over)
		take(&session->ports[index], bytes, length);
}

static void on_room(void *context)
{
	struct port_session *session = context;

	for (unsigned i = 0; i < session->port_count; i++)
		if (session->ports[i].http && !session->ports[i].over)
			http_stream_room(session->ports[i].http);
}

/* -------------------------------------------------------------------------------------------- session */

static const struct ws_events events = { .on_message = on_message, .on_room = on_room };

static void add_port(struct port_session *session, const char *text, size_t *ret_write_bytes)
{
	struct port *port = &session->ports[session->port_count];
	int64_t number;

	if (session->port_count == PORTS_MAX || str_to_int64(text, &number) < 0 || number < 1 || number > 65535) {
		script_complain(session->script, session->connection, "not a port: %s", text);
		return;
	}
	*port = (struct port){ .session = session, .index = session->port_count++, .number = (uint16_t)number };
	port->row = script_find_port(session->script, session->upgrade.pod, port->number, &port->kind);
	if (port->row && port->row->write_bytes)
		*ret_write_bytes = port->row->write_bytes;
}

/* ports=8500&ports=8501,8502 */
static void add_ports(struct port_session *session, const char *query, size_t *ret_write_bytes)
{
	_cleanup_strv_ struct strv list = STRV_INIT;
	char *value;

	for (size_t i = 0; (value = match_query(query, "ports", i)); i++) {
		strv_split(&list, value, ',');
		free(value);
	}
	session->ports = xcalloc(PORTS_MAX, sizeof(*session->ports));
	for (size_t i = 0; i < list.count; i++)
		add_port(session, list.items[i], ret_write_bytes);
}

struct port_session *port_session_new(struct reactor *reactor, struct script *script, struct wire *wire,
                                      SSL_CTX *tunnel_tls, const struct apiserver_request *request,
                                      struct script_upgrade *upgrade)
{
	struct port_session *session = xcalloc(1, sizeof(*session));
	size_t write_bytes = 0;

	session->reactor = reactor;
	session->script = script;
	session->tunnel_tls = tunnel_tls;
	session->connection = request->connection;
	session->upgrade = *upgrade;
	*upgrade = (struct script_upgrade){ 0 };
	session->ws = ws_new(wire, script, request->connection, &events, session);
	add_ports(session, request->query, &write_bytes);
	wire_set_write_limit(wire, write_bytes);
	for (unsigned i = 0; i < session->port_count; i++)
		open_port(&session->ports[i]);
	return session;
}

void port_session_free(struct port_session *session)
{
	if (!session)
		return;
	for (unsigned i = 0; i < session->port_count; i++) {
		http_stream_free(session->ports[i].http);
		tls_stream_free(session->ports[i].tls);
	}
	ws_free(session->ws);
	script_upgrade_release(&session->upgrade);
	free(session->ports);
	free(session);
}

struct websocket *port_session_websocket(struct port_session *session)
{
	return session->ws;
}
