/* One connection through a tunnel's WebSocket: its local end, pumped in both directions. See tunnel_parts.h. */
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tunnel_parts.h"
#include "util/mem.h"
#include "util/system.h"

/* Most bytes that wait for libcurl: what had been read when reading was stopped (kube_websocket_pause). */
#define PENDING_MAX (2 * KUBE_WEBSOCKET_MESSAGE_MAX)
/* When so many bytes wait to be sent to the pod, no more are taken from libcurl. */
#define QUEUED_ENOUGH ((size_t)128 * 1024)

/* --------------------------------------------------------------------------------------- new, free */

/*
 * libcurl keeps the connections of all tunnels in one cache and knows them by where they lead. So each lane leads
 * somewhere else: to an address of its own, which lane_open_socket replaces.
 */
static struct curl_slist *own_address(struct kube_tunnel *tunnel)
{
	uint32_t number = ++tunnel->pool->lane_count;
	_cleanup_free_ char *rule = xasprintf("::127.%u.%u.%u:%u", number >> 16 & 0xff, number >> 8 & 0xff,
	                                      number & 0xff, tunnel->options.port);
	struct curl_slist *list = NULL;

	libcurl_append(&list, rule);
	return list;
}

static int fail_by_errno(const char *what, struct err *err)
{
	int number = errno;

	err_set(err, ERR_FAILED, "cannot %s: %s", what, strerror(number));
	return number == EMFILE ? err_hint(err, "raise the limit of open files (ulimit -n)") : -1;
}

/* A TCP socket at a free port of 127.0.0.1, and which. */
static int bind_to_loopback(int *ret_fd, struct sockaddr_in *ret_address, struct err *err)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int fd = system_socket(AF_INET);

	if (fd < 0)
		return fail_by_errno("make a socket", err);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (const struct sockaddr *)&address, size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
		fail_by_errno("bind a socket to 127.0.0.1", err);
		close(fd);
		return -1;
	}
	*ret_fd = fd;
	*ret_address = address;
	return 0;
}

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void stop_listening(struct lane *lane)
{
	if (lane->listener >= 0)
		loop_unwatch(lane->tunnel->pool->loop, lane->listener);
	close_descriptor(&lane->listener);
}

/* Anybody on this machine may connect; only the socket that libcurl was given is let in. */
static void on_connection(void *context, int listener, int events)
{
	struct lane *lane = context;
	struct sockaddr_in peer = { 0 };
	socklen_t size = sizeof(peer);
	int fd = system_accept(listener, (struct sockaddr *)&peer, &size);
	_cleanup_err_ struct err err = ERR_INIT;
	int on = 1;

	(void)events;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE) {
			fail_by_errno("accept a connection", &err);
			tunnel_fail(lane->tunnel, &err);
		}
		return;
	}
	if (peer.sin_port != lane->comes_from.sin_port || peer.sin_addr.s_addr != lane->comes_from.sin_addr.s_addr) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	stop_listening(lane);
	lane->fd = fd;
	lane_watch(lane);
}

static int open_sockets(struct lane *lane, struct err *err)
{
	if (bind_to_loopback(&lane->listener, &lane->listens_at, err) < 0 ||
	    bind_to_loopback(&lane->curl_fd, &lane->comes_from, err) < 0)
		return -1;
	if (listen(lane->listener, 8) < 0)
		return fail_by_errno("listen at 127.0.0.1", err);
	loop_watch(lane->tunnel->pool->loop, lane->listener, LOOP_READ, on_connection, lane);
	return 0;
}

int lane_new(struct kube_tunnel *tunnel, size_t index, struct lane **ret_lane, struct err *err)
{
	struct lane *lane = xcalloc(1, sizeof(*lane));

	lane->tunnel = tunnel;
	lane->index = index;
	lane->listener = lane->curl_fd = lane->fd = -1;
	lane->pending = (struct buf)BUF_INIT(PENDING_MAX);
	lane->connect_to = own_address(tunnel);
	if (open_sockets(lane, err) < 0) {
		lane_free(lane);
		return -1;
	}
	*ret_lane = lane;
	return 0;
}

void lane_free(struct lane *lane)
{
	if (!lane)
		return;
	assert(!lane->request);
	lane_spend(lane);
	curl->slist_free_all(lane->connect_to);
	free(lane);
}

/* No TIME_WAIT, which would keep the port for a minute; after what was written there is one, so that it arrives. */
static void forget_quickly(const struct lane *lane)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	if (lane->fd >= 0 && !lane->ends)
		setsockopt(lane->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

void lane_spend(struct lane *lane)
{
	stop_listening(lane);
	close_descriptor(&lane->curl_fd);
	if (lane->watched)
		loop_unwatch(lane->tunnel->pool->loop, lane->fd);
	lane->watched = 0;
	forget_quickly(lane);
	close_descriptor(&lane->fd);
	lane->is_spent = true;
	buf_release(&lane->pending);
	lane->written = 0;
	tunnel_update_pause(lane->tunnel);
}

/*
 * A socket pair and CURL_SOCKOPT_ALREADY_CONNECTED would be simpler, but libcurl 7.88 connects all the same, and it
 * does not use connections to unnamed or abstract Unix sockets a second time. Giving another address is documented.
 */
curl_socket_t lane_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct lane *lane = context;
	curl_socket_t fd = lane->curl_fd;

	(void)purpose;
	if (fd < 0 || address->addrlen < sizeof(lane->listens_at))
		return CURL_SOCKET_BAD;
	memcpy(&address->addr, &lane->listens_at, sizeof(lane->listens_at));
	address->addrlen = sizeof(lane->listens_at);
	lane->curl_fd = -1;
	return fd;
}

/* --------------------------------------------------------------------------------- pod to libcurl */

/* Writes what the socket takes; -1 when libcurl has closed its end. */
static int write_some(struct lane *lane, const char *bytes, size_t count, size_t *ret_written)
{
	ssize_t written = system_send(lane->fd, bytes, count);

	*ret_written = written > 0 ? (size_t)written : 0;
	return written < 0 && errno != EAGAIN && errno != EINTR ? -1 : 0;
}

static void write_pending(struct lane *lane)
{
	size_t written;

	if (lane->pending.len == 0)
		return;
	if (write_some(lane, lane->pending.data + lane->written, lane->pending.len - lane->written, &written) < 0) {
		lane_spend(lane);
		return;
	}
	lane->written += written;
	if (lane->written < lane->pending.len)
		return;
	buf_release(&lane->pending);
	lane->written = 0;
	tunnel_update_pause(lane->tunnel);
	if (lane->ends)
		lane_spend(lane);
}

int lane_write(struct lane *lane, const void *bytes, size_t count, struct err *err)
{
	size_t written = 0;

	if (lane->is_spent || lane->ends)
		return 0;
	if (lane->fd >= 0 && lane->pending.len == 0 && write_some(lane, bytes, count, &written) < 0) {
		lane_spend(lane);
		return 0;
	}
	if (written == count)
		return 0;
	if (buf_add(&lane->pending, (const char *)bytes + written, count - written) < 0)
		return err_set(err, ERR_TOO_LARGE, "more than %zu bytes wait to be read", lane->pending.max);
	tunnel_update_pause(lane->tunnel);
	lane_watch(lane);
	return 0;
}

void lane_end(struct lane *lane)
{
	lane->ends = true;
	if (lane->pending.len == 0)
		lane_spend(lane);
	else
		lane_watch(lane);
}

/* --------------------------------------------------------------------------------- libcurl to pod */

static void read_some(struct lane *lane)
{
	struct kube_tunnel *tunnel = lane->tunnel;
	char *scratch = tunnel->pool->scratch;
	ssize_t count = recv(lane->fd, scratch, sizeof(tunnel->pool->scratch), MSG_DONTWAIT);
	_cleanup_err_ struct err err = ERR_INIT;

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0) {
		lane_spend(lane);
		return;
	}
	lane->taken += (size_t)count;
	if (kube_websocket_send(tunnel->websocket, portforward_channel(lane->index), scratch, (size_t)count, &err) < 0)
		tunnel_fail(tunnel, &err);
}

static void on_io(void *context, int fd, int events)
{
	struct lane *lane = context;

	(void)fd;
	if (events & LOOP_WRITE)
		write_pending(lane);
	if (!lane->is_spent && (events & lane->watched & LOOP_READ))
		read_some(lane);
	lane_watch(lane);
}

void lane_watch(struct lane *lane)
{
	struct kube_tunnel *tunnel = lane->tunnel;
	int events = 0;

	if (lane->fd < 0)
		return;
	if (tunnel->websocket && !lane->ends && kube_websocket_queued(tunnel->websocket) < QUEUED_ENOUGH)
		events |= LOOP_READ;
	if (lane->pending.len > 0)
		events |= LOOP_WRITE;
	if (events == lane->watched)
		return;
	if (events)
		loop_watch(tunnel->pool->loop, lane->fd, events, on_io, lane);
	else
		loop_unwatch(tunnel->pool->loop, lane->fd);
	lane->watched = events;
}
