/* The connections that WebSockets use. See websocket_parts.h, and kube_websocket_warm of include/kube/websocket.h. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "kube/websocket.h"
#include "util/mem.h"
#include "websocket_parts.h"

/* libcurl closes the oldest idle connections above a number that it derives from the handles; ours are never idle. */
#define CONNECTIONS_MAX 100000L

/* Handshakes under way at the same time: OpenSSL holds 20 KiB for each until it is done. */
#define CONNECTING_MAX 64

enum connection_state { IS_UNIDENTIFIED, IS_QUEUED, IS_CONNECTING, IS_READY, IS_FAILED };

struct connection {
	struct kube_websocket_pool *pool;
	CURL *easy;
	enum connection_state state;
	int fd;
	connection_ready_fn *on_ready; /* NULL while it is warm */
	void *context;
	struct kube_transport_wait credentials; /* IS_UNIDENTIFIED */
	unsigned generation;                    /* of the credentials that its TLS began with */
	bool was_tried_again;
	struct err err;
	char detail[CURL_ERROR_SIZE];
	struct connection *next; /* in pool->warm */
	struct connection *next_queued;
};

/* ------------------------------------------------------------------------------------- connections */

static void fail(struct connection *connection, CURLcode code)
{
	connection->state = IS_FAILED;
	if (!err_is_set(&connection->err))
		kube_transport_easy_error(connection->pool->transport, connection->easy, code, connection->detail,
		                          &connection->err);
}

/*
 * Until the first use libcurl counts the connection as an idle one, and prunes it as dead when bytes wait in it:
 * TLS 1.3 session tickets do. So the first use is at once, a receive that finds nothing; true when that is how it went.
 */
static bool claim(struct connection *connection, CURLcode *ret_code)
{
	char byte;
	size_t count = 0;

	*ret_code = curl->easy_recv(connection->easy, &byte, sizeof(byte), &count);
	if (*ret_code == CURLE_AGAIN)
		return true;
	if (*ret_code == CURLE_OK)
		err_set(&connection->err, ERR_PROTOCOL, "the server %s before it was asked anything",
		        count ? "sent something" : "closed the connection");
	return false;
}

static void on_connected(void *context, CURL *easy, CURLcode code);

static void begin(struct connection *connection)
{
	struct kube_websocket_pool *pool = connection->pool;
	CURL *easy = kube_transport_easy(pool->transport);

	curl->easy_setopt(easy, CURLOPT_URL, kube_transport_url(pool->transport));
	curl->easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	curl->easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
	curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, connection->detail);
	connection->easy = easy;
	connection->generation = kube_transport_generation(pool->transport);
	connection->state = IS_CONNECTING;
	pool->connecting_count++;
	kube_multi_add(pool->multi, easy, on_connected, connection);
}

static void begin_queued(struct kube_websocket_pool *pool)
{
	while (pool->queue && pool->connecting_count < CONNECTING_MAX) {
		struct connection *connection = pool->queue;

		pool->queue = connection->next_queued;
		begin(connection);
	}
}

static void leave_queue(struct connection *connection)
{
	struct connection **place = &connection->pool->queue;

	while (*place && *place != connection)
		place = &(*place)->next_queued;
	if (*place)
		*place = connection->next_queued;
}

static void enter_queue(struct connection *connection)
{
	struct connection **place = &connection->pool->queue;

	while (*place)
		place = &(*place)->next_queued;
	connection->next_queued = NULL;
	connection->state = IS_QUEUED;
	*place = connection;
	begin_queued(connection->pool);
}

/* Undoes what was begun, or was going to be. */
static void undo(struct connection *connection)
{
	struct kube_websocket_pool *pool = connection->pool;

	if (connection->state == IS_CONNECTING)
		pool->connecting_count--;
	kube_transport_unwait(pool->transport, &connection->credentials);
	leave_queue(connection);
	if (!connection->easy)
		return;
	kube_multi_remove(pool->multi, connection->easy);
	curl->easy_cleanup(connection->easy);
	connection->easy = NULL;
	connection->fd = -1;
}

static void on_connected(void *context, CURL *easy, CURLcode code)
{
	struct connection *connection = context;
	struct kube_websocket_pool *pool = connection->pool;
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (code == CURLE_OK && claim(connection, &code)) {
		curl->easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
		connection->state = IS_READY;
		connection->fd = fd;
	} else if (code == CURLE_UNSUPPORTED_PROTOCOL && !connection->was_tried_again) {
		connection->was_tried_again = true;
		undo(connection);
		begin(connection);
		return;
	} else {
		fail(connection, code);
	}
	pool->connecting_count--;
	begin_queued(pool);
	if (connection->on_ready)
		connection->on_ready(connection->context, connection);
}

static void on_credentials(void *context, const struct err *err)
{
	struct connection *connection = context;

	if (!err) {
		enter_queue(connection);
		return;
	}
	connection->state = IS_FAILED;
	err_copy(&connection->err, err);
	if (connection->on_ready)
		connection->on_ready(connection->context, connection);
}

struct connection *connection_new(struct kube_websocket_pool *pool, connection_ready_fn *on_ready, void *context)
{
	struct connection *connection = xcalloc(1, sizeof(*connection));

	connection->pool = pool;
	connection->fd = -1;
	connection->on_ready = on_ready;
	connection->context = context;
	connection->credentials = (struct kube_transport_wait){ .ready = on_credentials, .context = connection };
	if (kube_transport_is_ready(pool->transport))
		enter_queue(connection);
	else
		kube_transport_wait(pool->transport, &connection->credentials);
	return connection;
}

void connection_free(struct connection *connection)
{
	if (!connection)
		return;
	undo(connection);
	begin_queued(connection->pool);
	err_release(&connection->err);
	free(connection);
}

bool connection_is_ready(const struct connection *connection)
{
	return connection->state == IS_READY;
}

unsigned connection_generation(const struct connection *connection)
{
	return connection->generation;
}

int connection_fd(const struct connection *connection)
{
	return connection->fd;
}

const struct err *connection_error(const struct connection *connection)
{
	return err_is_set(&connection->err) ? &connection->err : NULL;
}

enum connection_io connection_send(struct connection *connection, const void *bytes, size_t count, size_t *ret_count)
{
	CURLcode code;

	*ret_count = 0;
	code = curl->easy_send(connection->easy, bytes, count, ret_count);
	if (code == CURLE_AGAIN || (code == CURLE_OK && *ret_count == 0))
		return IO_AGAIN;
	if (code == CURLE_OK)
		return IO_DONE;
	fail(connection, code);
	return IO_FAILED;
}

enum connection_io connection_receive(struct connection *connection, void *buffer, size_t size, size_t *ret_count)
{
	CURLcode code;

	*ret_count = 0;
	code = curl->easy_recv(connection->easy, buffer, size, ret_count);
	if (code == CURLE_AGAIN)
		return IO_AGAIN;
	if (code == CURLE_OK)
		return *ret_count > 0 ? IO_DONE : IO_END;
	fail(connection, code);
	return IO_FAILED;
}

/* -------------------------------------------------------------------------------------------- pool */

static void release_pool(struct kube_websocket_pool *pool)
{
	while (pool->warm) {
		struct connection *connection = pool->warm;

		pool->warm = connection->next;
		connection_free(connection);
	}
	kube_multi_free(pool->tunnel_multi);
	kube_multi_free(pool->multi);
	free(pool);
}

struct kube_websocket_pool *websocket_pool(struct kube_client *client)
{
	struct kube_websocket_pool **place = kube_client_pool(client);
	struct kube_websocket_pool *pool = *place;

	if (pool)
		return pool;
	pool = xcalloc(1, sizeof(*pool));
	pool->loop = kube_client_loop(client);
	pool->transport = kube_client_transport(client);
	pool->multi = kube_multi_new(pool->loop);
	curl->multi_setopt(kube_multi_handle(pool->multi), CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
	curl->multi_setopt(kube_multi_handle(pool->multi), CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	*place = pool;
	kube_client_set_pool_release(client, release_pool);
	return pool;
}

const char *websocket_pool_prefix(const struct kube_websocket_pool *pool)
{
	const char *host = strstr(kube_transport_url(pool->transport), "://");
	const char *path = host ? strchr(host + strlen("://"), '/') : NULL;

	return path ? path : "";
}

struct kube_multi *websocket_pool_tunnel_multi(struct kube_websocket_pool *pool)
{
	if (!pool->tunnel_multi) {
		pool->tunnel_multi = kube_multi_new(pool->loop);
		/* A lane's connection is gone for good when libcurl closes it. */
		curl->multi_setopt(kube_multi_handle(pool->tunnel_multi), CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
		curl->multi_setopt(kube_multi_handle(pool->tunnel_multi), CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	}
	return pool->tunnel_multi;
}

/* -------------------------------------------------------------------------------- warm connections */

void kube_websocket_warm(struct kube_client *client, size_t count)
{
	struct kube_websocket_pool *pool = websocket_pool(client);

	while (count-- > 0) {
		struct connection *connection = connection_new(pool, NULL, NULL);

		connection->next = pool->warm;
		pool->warm = connection;
	}
}

void kube_websocket_cool(struct kube_client *client)
{
	struct kube_websocket_pool *pool = websocket_pool(client);

	while (pool->warm) {
		struct connection *connection = pool->warm;

		pool->warm = connection->next;
		connection_free(connection);
	}
}

/*
 * A server closes a connection on which nothing comes: that shows before the request is sent, not after. One from
 * before the last run of a credential plugin may have a client certificate that is over.
 */
static bool is_alive(struct connection *connection)
{
	const unsigned generation = kube_transport_generation(connection->pool->transport);
	CURLcode code;

	if (connection->state == IS_UNIDENTIFIED || connection->state == IS_QUEUED)
		return true;
	if (connection->generation != generation)
		return false;
	if (connection->state == IS_READY)
		return claim(connection, &code);
	return connection->state != IS_FAILED;
}

struct connection *connection_take_warm(struct kube_websocket_pool *pool, connection_ready_fn *on_ready, void *context)
{
	while (pool->warm) {
		struct connection *connection = pool->warm;

		pool->warm = connection->next;
		connection->next = NULL;
		if (is_alive(connection)) {
			connection->on_ready = on_ready;
			connection->context = context;
			return connection;
		}
		connection_free(connection);
	}
	return NULL;
}
