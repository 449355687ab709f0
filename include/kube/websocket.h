/*
 * kube/websocket.h - one WebSocket connection to the API server: what exec and tunnel stand on.
 *
 * libcurl makes the connection (TCP, TLS, client certificate; CURLOPT_CONNECT_ONLY), the upgrade request is
 * ours (kube/upgrade.h), wslay frames it (kube/frames.h). Connections can be opened before it is known which pod
 * they are for: kube_websocket_warm makes idle ones, kube_websocket_open takes one of them when it can.
 *
 * A request is sent once: a connection that breaks before anything was written is replaced, one that breaks after that
 * is an error, since the command may have run.
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

/* All are called from loop_run. An owner that frees the WebSocket in one hears no more of it. After on_end nothing is
 * called any more; the owner then frees it. */
struct kube_websocket_events {
	void (*on_open)(void *context);                                              /* the upgrade was accepted */
	void (*on_message)(void *context, const unsigned char *data, size_t length); /* one binary message, not empty */
	void (*on_drained)(void *context);                    /* all that was queued is sent; may be NULL */
	void (*on_end)(void *context, const struct err *err); /* err NULL: closed by the peer, clean */
};

/*
 * Begins count connections (TCP and TLS) that later calls of kube_websocket_open use. Never blocks or fails. At most 64
 * are begun at the same time, these and others; the rest follow as they get ready.
 */
void kube_websocket_warm(struct kube_client *client, size_t count);

/* Closes idle warm connections that nobody took. */
void kube_websocket_cool(struct kube_client *client);

/*
 * Connects (or takes a warm connection) and sends the upgrade for path, offering the first of protocols, a list that
 * NULL ends. When the server names another one, or refuses with an answer that carries no Status (and is no 401 or
 * 429), the next is offered over a new connection. A refused upgrade ends with the error of kube_status_error.
 * path is copied, events too; protocols are borrowed for the WebSocket's life.
 */
struct kube_websocket *kube_websocket_open(struct kube_client *client, const char *path, const char *const *protocols,
                                           const struct kube_websocket_events *events, void *context);

/*
 * Queues one binary message: channel byte, then the bytes. -1 (ERR_TOO_LARGE) when too much waits already. What is
 * queued before on_open goes out with the first write after it; what is queued together goes out in one write.
 */
int kube_websocket_send(struct kube_websocket *websocket, unsigned char channel, const void *bytes, size_t length,
                        struct err *err) __attribute__((warn_unused_result));

/* Bytes queued and not yet sent. */
size_t kube_websocket_queued(const struct kube_websocket *websocket);

/*
 * Stops and resumes reading, so that a slow consumer slows the server instead of filling memory. Messages that have
 * been read already (16 KiB, of which the last may complete one of KUBE_WEBSOCKET_MESSAGE_MAX) still come.
 */
void kube_websocket_pause(struct kube_websocket *websocket, int paused);

/* Drops the connection. Safe inside its own callbacks. NULL is fine. */
void kube_websocket_free(struct kube_websocket *websocket);

#endif
