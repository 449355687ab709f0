/*
 * client_parts.h - what src/kube/client*.c share: the client's own struct, and the request, one call on its way.
 *
 * client.c starts, counts and ends requests; client_request.c sends one, takes the answer and decides what it
 * means (try again, or an outcome).
 */
#ifndef KUBE_CLIENT_PARTS_H
#define KUBE_CLIENT_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "kube/client.h"
#include "kube/multi.h"
#include "kube/transport.h"
#include "util/buf.h"

struct kube_request;

struct kube_client {
	struct loop *loop;
	const struct kube_config *config;
	const struct kube_client_options *options;
	struct kube_transport *transport;
	struct kube_multi *multi;
	struct kube_request *active; /* doubly linked */
	struct kube_request *spare;  /* linked by next: kept for their easy handles */
	size_t spare_count;
	struct kube_websocket_pool *pool;
	void (*release_pool)(struct kube_websocket_pool *pool);
	struct strv warnings;
};

enum request_state {
	REQUEST_RUNNING, /* in the multi; its timer is the deadline */
	REQUEST_WAITING, /* for the time to send it again */
	REQUEST_UNIDENTIFIED, /* waits for credentials; its timer is the deadline */
	REQUEST_ENDED,   /* the outcome is in the call; done is called when the timer fires */
};

struct kube_request {
	struct kube_client *client;
	struct kube_request *next;
	struct kube_request *previous;
	struct kube_call *call;
	kube_call_done *done;
	void *context;
	enum request_state state;
	int64_t deadline_ms;
	int64_t begun_ms; /* the call */
	int64_t sent_ms;  /* this attempt */
	struct loop_timer *timer;
	CURL *easy;
	struct curl_slist *headers;
	struct kube_transport_wait credentials;
	unsigned generation; /* of those it was sent with */
	bool was_renewed;    /* sent again with new ones, once */
	struct buf body; /* of the answer */
	size_t header_bytes;
	int64_t retry_after_s; /* -1: no such header */
	bool is_too_large;
	char detail[CURL_ERROR_SIZE];
};

/* client_request.c: an idle request with its easy handle. */
struct kube_request *request_new(struct kube_client *client);
void request_free(struct kube_request *request);

/* Begins an attempt. What goes wrong at once ends the request from the loop, too. */
void request_send(struct kube_request *request);

/* Takes it off the wire and forgets the attempt. */
void request_abandon(struct kube_request *request);

/* client.c: the outcome is in the call: the request becomes a spare one and done is called. The client may be gone
 * then. */
void request_end(struct kube_request *request);

#endif
