/*
 * kube/websocket.h - one WebSocket connection to the API server: what exec and tunnel stand on.
 *
 * libcurl makes the connection (TCP, TLS, client certificate; CURLOPT_CONNECT_ONLY), the upgrade request is
 * ours (kube/upgrade.h), wslay frames it (kube/frames.h). Connections can be opened before it is known which pod
 * they are for: kube_websocket_warm makes idle ones, kube_websocket_open takes one of them when it can.
 */
#ifndef KUBE_WEBSOCKET_H
#define KUBE_WEBSOCKET_H

#include <stddef.h>
#include <stdint.h>

#include "kube/client.h"
#include "util/err.h"

/* Most bytes of one message; servers send pieces of about 32 KiB, kubelet's own limit is 32 MiB. */
#define KUBE_WEBSOCKET_MESSAGE_MAX ((size_t)1024 * 1024)
/* Most bytes that wait to be sent. */
#define KUBE_WEBSOCKET_QUEUE_MAX ((size_t)8 * 1024 * 1024)

struct kube_websocket;

/* All are called from loop_run. After on_end nothing is called any more; the owner then frees it. */
struct kube_websocket_events {
	void (*on_open)(void *context);                                          /* the upgrade was accepted */
	void (*on_message)(void *context, const unsigned char *data, size_t length); /* one binary message, not empty */
	void (*on_drained)(void *context);                                       /* all that was queued is sent */
	void (*on_end)(void *context, const struct err *err);                    /* err NULL: closed by the peer, clean */
};

/* Begins count connections (TCP and TLS) that later calls of kube_websocket_open use. Never blocks or fails. */
void kube_websocket_warm(struct kube_client *client, size_t count);

/* Closes idle warm connections that nobody took. */
void kube_websocket_cool(struct kube_client *client);

/*
 * Connects (or takes a warm connection) and sends the upgrade for path with the subprotocols of the client's
 * choice. A refused upgrade ends with the error of kube_status_error. path is copied.
 */
struct kube_websocket *kube_websocket_open(struct kube_client *client, const char *path,
					   const struct kube_websocket_events *events, void *context);

/* Queues one binary message: channel byte, then the bytes. -1 (ERR_TOO_LARGE) when too much waits already. */
int kube_websocket_send(struct kube_websocket *websocket, unsigned char channel, const void *bytes, size_t length,
			struct err *err) __attribute__((warn_unused_result));

/* Bytes queued and not yet sent. */
size_t kube_websocket_queued(const struct kube_websocket *websocket);

/* Stops and resumes reading, so that a slow consumer slows the server instead of filling memory. */
void kube_websocket_pause(struct kube_websocket *websocket, int paused);

/* Drops the connection. Safe inside its own callbacks. NULL is fine. */
void kube_websocket_free(struct kube_websocket *websocket);

#endif
