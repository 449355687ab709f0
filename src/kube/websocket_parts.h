/*
 * websocket_parts.h - what src/kube/websocket*.c and tunnel*.c share: the state kept per client, and its connections.
 *
 * A connection is a CURLOPT_CONNECT_ONLY handle: TCP and TLS by libcurl, after that curl_easy_send and curl_easy_recv.
 * It stays in its multi handle for its life, since taking it out closes it.
 */
#ifndef KUBE_WEBSOCKET_PARTS_H
#define KUBE_WEBSOCKET_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kube/client.h"
#include "kube/multi.h"
#include "kube/transport.h"
#include "util/err.h"
#include "util/loop.h"

struct connection;

struct kube_websocket_pool {
	struct loop *loop;
	struct kube_transport *transport;
	struct kube_multi *multi;        /* the connections to the API server */
	struct kube_multi *tunnel_multi; /* the requests inside tunnels; NULL until the first */
	uint32_t lane_count;             /* of tunnels, ever opened: names their connections */
	size_t tunnel_count;             /* open now */
	size_t tunnel_turns;             /* taken by tunnels with long answers (tunnel_parts.h) */
	struct kube_tunnel *tunnel_line; /* of those that wait for one */
	struct connection *warm;         /* those that nobody has taken */
	struct connection *queue;        /* those that are not begun yet, in order */
	size_t connecting_count;         /* those that are begun and not ready yet */
	char scratch[16 * 1024];         /* what is being read; a TLS record at most */
};

/* The client's, made when it is first asked for. */
struct kube_websocket_pool *websocket_pool(struct kube_client *client);

/* The path of the server's URL, "" or "/prefix". */
const char *websocket_pool_prefix(const struct kube_websocket_pool *pool);

/* The multi handle of the requests inside tunnels. */
struct kube_multi *websocket_pool_tunnel_multi(struct kube_websocket_pool *pool);

/* Called from loop_run when the connection is there, or has failed: then connection_error tells why. */
typedef void connection_ready_fn(void *context, struct connection *connection);

struct connection *connection_new(struct kube_websocket_pool *pool, connection_ready_fn *on_ready, void *context);
void connection_free(struct connection *connection); /* closes; NULL is fine; safe in on_ready */

/*
 * A warm connection, or NULL. One whose peer has closed it meanwhile, or whose credentials are not those of now, is
 * thrown away. When connection_is_ready, on_ready is not called.
 */
struct connection *connection_take_warm(struct kube_websocket_pool *pool, connection_ready_fn *on_ready, void *context);

bool connection_is_ready(const struct connection *connection);
int connection_fd(const struct connection *connection);

/* Of the credentials (kube_transport_generation) that it was connected with. */
unsigned connection_generation(const struct connection *connection);

/* NULL while it has not failed. Borrowed. */
const struct err *connection_error(const struct connection *connection);

enum connection_io {
	IO_DONE,  /* *ret_count bytes, at least one */
	IO_AGAIN, /* wait for the descriptor */
	IO_END,   /* the peer has closed */
	IO_FAILED /* connection_error */
};

/* The same bytes at the same address must be offered again after IO_AGAIN: TLS may have half of them in a record. */
enum connection_io connection_send(struct connection *connection, const void *bytes, size_t count, size_t *ret_count)
    __attribute__((warn_unused_result));

/* To be called until IO_AGAIN before the descriptor is waited for: TLS may have more than the descriptor shows. */
enum connection_io connection_receive(struct connection *connection, void *buffer, size_t size, size_t *ret_count)
    __attribute__((warn_unused_result));

#endif
