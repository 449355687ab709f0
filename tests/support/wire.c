/* See wire.h. */
#include "wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/mem.h"

#define READ_PIECE    ((size_t)64 * 1024)
#define READS_AT_ONCE 8

struct wire {
	struct reactor *reactor;
	struct reactor_source source;
	struct tls_stream *tls; /* NULL: plain */
	struct buf input;
	struct buf output; /* for the socket, encrypted if it is TLS */
	size_t output_start;
	size_t write_limit;
	bool finishing; /* no more output after what waits */
	bool finished;  /* the output side is shut */
	bool ended;
	const struct wire_events *events;
	void *context;
};

static void on_events(void *context, unsigned events);

struct wire *wire_new(struct reactor *reactor, int fd, SSL_CTX *context_tls)
{
	struct wire *wire = xcalloc(1, sizeof(*wire));
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	wire->reactor = reactor;
	wire->tls = context_tls ? tls_stream_new(context_tls) : NULL;
	wire->input = (struct buf)BUF_INIT(WIRE_BUFFER_MAX);
	wire->output = (struct buf)BUF_INIT(WIRE_BUFFER_MAX);
	wire->source = (struct reactor_source){ .fd = fd, .on_events = on_events, .context = wire };
	reactor_watch(reactor, &wire->source, EPOLLIN);
	return wire;
}

void wire_set_events(struct wire *wire, const struct wire_events *events, void *context)
{
	wire->events = events;
	wire->context = context;
}

struct buf *wire_input(struct wire *wire)
{
	return &wire->input;
}

static void release(void *object)
{
	struct wire *wire = object;

	tls_stream_free(wire->tls);
	buf_release(&wire->input);
	buf_release(&wire->output);
	free(wire);
}

static void close_socket(struct wire *wire)
{
	int fd = wire->source.fd;

	wire->ended = true;
	reactor_unwatch(wire->reactor, &wire->source);
	close(fd);
}

static void end(struct wire *wire)
{
	if (wire->ended)
		return;
	close_socket(wire);
	reactor_release_later(wire->reactor, release, wire);
	wire->events->on_end(wire->context);
}

void wire_destroy(struct wire *wire)
{
	close_socket(wire);
	release(wire);
}

/* ------------------------------------------------------------------------------------------- output */

static size_t waiting(const struct wire *wire)
{
	return wire->output.len - wire->output_start;
}

bool wire_has_room(const struct wire *wire)
{
	return !wire->ended && !wire->finishing && waiting(wire) < WIRE_ROOM;
}

static void update_events(struct wire *wire)
{
	unsigned events = EPOLLIN;

	if (wire->ended)
		return;
	if (waiting(wire) || (wire->finishing && !wire->finished))
		events |= EPOLLOUT;
	reactor_change(wire->reactor, &wire->source, events);
}

void wire_send(struct wire *wire, const void *bytes, size_t length)
{
	if (wire->ended || wire->finishing)
		return;
	if (wire->tls)
		tls_stream_send(wire->tls, bytes, length, &wire->output);
	else if (buf_add(&wire->output, bytes, length) < 0)
		abort();
	update_events(wire);
}

void wire_set_write_limit(struct wire *wire, size_t bytes)
{
	wire->write_limit = bytes;
}

/* One write where there is a limit, so that the pieces leave one by one; else all that the socket takes. -1: broken. */
static int write_some(struct wire *wire)
{
	while (waiting(wire)) {
		size_t length = waiting(wire);
		ssize_t count;

		if (wire->write_limit && length > wire->write_limit)
			length = wire->write_limit;
		count = send(wire->source.fd, wire->output.data + wire->output_start, length, MSG_NOSIGNAL);
		if (count < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		wire->output_start += (size_t)count;
		if (wire->write_limit)
			break;
	}
	if (!waiting(wire)) {
		buf_clear(&wire->output);
		wire->output_start = 0;
	}
	return 0;
}

static void handle_writable(struct wire *wire)
{
	if (write_some(wire) < 0) {
		end(wire);
		return;
	}
	if (wire_has_room(wire))
		wire->events->on_room(wire->context);
	if (!wire->ended && wire->finishing && !wire->finished && !waiting(wire)) {
		wire->finished = true;
		shutdown(wire->source.fd, SHUT_WR);
	}
	update_events(wire);
}

void wire_finish(struct wire *wire)
{
	if (wire->ended || wire->finishing)
		return;
	if (wire->tls)
		tls_stream_close(wire->tls, &wire->output);
	wire->finishing = true;
	update_events(wire);
}

void wire_reset(struct wire *wire)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	if (wire->ended)
		return;
	(void)write_some(wire);
	setsockopt(wire->source.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	end(wire);
}

/* -------------------------------------------------------------------------------------------- input */

/* -1: the connection is over. */
static int take(struct wire *wire, const char *bytes, size_t length)
{
	if (wire->tls) {
		int status = tls_stream_feed(wire->tls, bytes, length, &wire->input, &wire->output);

		update_events(wire);
		if (status < 0)
			wire_finish(wire);
		return 0;
	}
	return buf_add(&wire->input, bytes, length);
}

static void handle_readable(struct wire *wire)
{
	char piece[READ_PIECE];
	size_t before = wire->input.len;
	bool over = false;

	for (int i = 0; i < READS_AT_ONCE && !over; i++) {
		ssize_t count = recv(wire->source.fd, piece, sizeof(piece), 0);

		if (count < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		over = count <= 0 || take(wire, piece, (size_t)count) < 0;
	}
	if (wire->finishing)
		buf_clear(&wire->input);
	else if (wire->input.len > before)
		wire->events->on_bytes(wire->context);
	if (over)
		end(wire);
}

static void on_events(void *context, unsigned events)
{
	struct wire *wire = context;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		handle_readable(wire);
	if (!wire->ended && ((events & EPOLLOUT) || waiting(wire)))
		handle_writable(wire);
}

const char *wire_client_subject(struct wire *wire)
{
	return wire->tls ? tls_stream_client_subject(wire->tls) : NULL;
}

bool wire_client_verified(const struct wire *wire)
{
	return wire->tls && tls_stream_client_verified(wire->tls);
}
