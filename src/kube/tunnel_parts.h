/*
 * tunnel_parts.h - what src/kube/tunnel*.c share.
 *
 *     tunnel.c          the WebSocket, the queue of requests, which request goes where, and their ends
 *     tunnel_lane.c     one connection through the WebSocket: a local socket, pumped in both directions
 *     tunnel_request.c  one request: libcurl on the other end of that socket
 *
 * A WebSocket has up to TUNNEL_LANES_MAX lanes, so that the requests that are queued together are under way together.
 * A lane whose connection has ended is spent: there is no way to open it again. When all are, and there are requests,
 * the tunnel opens another WebSocket.
 */
#ifndef KUBE_TUNNEL_PARTS_H
#define KUBE_TUNNEL_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>

#include "kube/portforward.h"
#include "kube/tunnel.h"
#include "kube/websocket.h"
#include "websocket_parts.h"

#define TUNNEL_LANES_MAX 3

/*
 * An answer of more than TUNNEL_LARGE bytes needs a turn of its tunnel, of which there are TUNNEL_TURNS; meanwhile the
 * rest of it stays in the sockets and with the API server. So hundreds of long answers at the same time take the memory
 * of a few.
 */
#define TUNNEL_LARGE ((size_t)4 * 1024 - 1)
#define TUNNEL_TURNS            8
#define TUNNEL_TURNS_CONNECTING 1
/* A turn counts for so long; then the next tunnel has one, so that a server that stops keeps nobody waiting. */
#define TUNNEL_TURN_MS 1000

/* Most bytes of an answer's headers; libcurl bounds each line, and keeps them all. */
#define TUNNEL_HEADER_MAX ((size_t)64 * 1024)

struct tunnel_request {
	struct kube_tunnel *tunnel;
	struct kube_tunnel_call *call;
	kube_tunnel_done *done;
	void *context;
	struct loop_timer *timer;
	int64_t deadline_ms;
	struct tunnel_request *next; /* in a list of the tunnel */
	struct lane *lane;           /* NULL: it waits, or has ended */
	CURL *easy;                  /* with a lane */
	struct curl_slist *headers;
	bool has_length;          /* the answer says where it ends */
	bool is_whole_when_quiet; /* it does not, and it is an error's text: the timer ends it */
	bool was_put_back;        /* its lane was spent before it could be sent */
	size_t header_bytes;
	bool is_too_large;
	bool is_large;  /* its answer has more than TUNNEL_LARGE bytes */
	bool is_paused; /* until its tunnel has a turn */
	struct err sink_err;
	char detail[CURL_ERROR_SIZE];
};

struct lane {
	struct kube_tunnel *tunnel;
	size_t index;
	int listener; /* where libcurl connects to, until it has; else -1 */
	int curl_fd;  /* what it connects with, until it takes it; else -1 */
	struct sockaddr_in listens_at;
	struct sockaddr_in comes_from; /* curl_fd: nobody else is let in */
	int fd;                        /* our end; -1: not connected yet, or spent */
	bool is_spent;
	int watched;                   /* fd, for LOOP_… */
	bool ends;                     /* nothing more comes: when all is written our end is closed */
	struct buf pending;            /* for libcurl, which does not read as fast */
	size_t written;                /* of pending */
	size_t taken;                  /* bytes from libcurl since the request began */
	struct curl_slist *connect_to; /* makes the connection unlike those of other lanes in libcurl's eyes */
	struct tunnel_request *request;
};

struct kube_tunnel {
	struct kube_websocket_pool *pool;
	struct kube_client *client;
	struct kube_tunnel_options options;
	struct kube_websocket *websocket; /* NULL: none is needed yet, or it has ended */
	bool is_open;
	struct portforward forward;
	struct lane *lanes[TUNNEL_LANES_MAX];
	size_t lane_count;
	struct tunnel_request *waiting; /* in the order they came */
	struct tunnel_request *ended;   /* to be told */
	struct loop_timer *soon;
	bool has_turn;   /* may read long answers */
	struct loop_timer *turn; /* set while its turn counts among those of the pool */
	bool is_counted;
	bool wants_turn; /* stands in line for it */
	struct kube_tunnel *next_in_line;
	bool is_telling; /* ends: whoever is told may free the tunnel */
	bool doomed;     /* which was done */
};

/* ------------------------------------------------------------------------------------------- lane */

/* ERR_FAILED when there is no descriptor left. */
int lane_new(struct kube_tunnel *tunnel, size_t index, struct lane **ret_lane, struct err *err)
    __attribute__((warn_unused_result));
void lane_free(struct lane *lane); /* its request must be gone. NULL is fine */

/* libcurl's CURLOPT_OPENSOCKETFUNCTION; context is the lane. Once: the pod's side cannot be connected again. */
curl_socket_t lane_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address);

/* Bytes from the pod for libcurl. ERR_TOO_LARGE when too many wait for it. */
int lane_write(struct lane *lane, const void *bytes, size_t count, struct err *err) __attribute__((warn_unused_result));

/* Nothing more comes: libcurl sees the end of the stream after what was written. */
void lane_end(struct lane *lane);

/* Closes our end now: the lane takes no further request. */
void lane_spend(struct lane *lane);

/* Reads from libcurl unless the WebSocket has enough to send. To be called when that may have changed. */
void lane_watch(struct lane *lane);

/* ---------------------------------------------------------------------------------------- request */

/* Begins the request on an idle lane. */
void tunnel_request_begin(struct tunnel_request *request, struct lane *lane);

/* Takes it off its lane, whatever libcurl is doing with it. */
void tunnel_request_stop(struct tunnel_request *request);

/* Reads on if it was paused. */
void tunnel_request_resume(struct tunnel_request *request);

void tunnel_request_free(struct tunnel_request *request);

/* "pod consul-0 port 8500: " in front, unless the message names the pod already. Returns -1. */
int tunnel_wrap(const struct kube_tunnel *tunnel, struct err *err);

/* ----------------------------------------------------------------------------------- back to tunnel.c */

/* The request has ended: err is moved from; an empty one means that there is an answer. */
void tunnel_end_request(struct tunnel_request *request, struct err *err);

/* The lane could not take the request, of which nothing was sent: it goes to the front of the queue. */
void tunnel_put_back(struct tunnel_request *request);

/* The lane cannot be pumped any more. */
void tunnel_fail(struct kube_tunnel *tunnel, const struct err *err);

/* The answer to request is a large one: true when it may be read on; else it is resumed when it may. */
bool tunnel_take_turn(struct tunnel_request *request);

/* Reading is stopped while some lane has pending bytes. */
void tunnel_update_pause(struct kube_tunnel *tunnel);

#endif
