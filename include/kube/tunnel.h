/*
 * kube/tunnel.h - HTTP to a port inside a pod's network namespace, without a process there.
 *
 * pods/portforward over a WebSocket (kube/websocket.h), subprotocol v4.channel.k8s.io; libcurl speaks HTTP or
 * HTTPS over a connection on 127.0.0.1 whose other end is pumped into the WebSocket (and lets nobody else in). RBAC:
 * get (and create) on pods/portforward.
 *
 * Any number of requests can be queued. Up to three that are queued before the loop runs share one WebSocket and are
 * under way at the same time, over as many connections to the port; further ones follow with keep-alive. A tunnel
 * whose connections have all ended opens again for the next request.
 *
 * Errors begin with "pod NAME port N". ERR_UNREACHABLE: nothing listens there ("connection refused (…)"), TLS, or an
 * end before the whole answer; ERR_TIMEOUT says what was waited for; a refused upgrade has the error of
 * kube_status_error. A request of which nothing was sent is sent over another connection, any other is sent once.
 *
 * Kubelets before containerd 1.6 do not tell that the pod closed its side. An answer has to say its own length
 * therefore: one of status 400 or above that does not (Go's answer to http on an https port) is taken as whole when
 * nothing has come for 300 ms, others end at the deadline.
 *
 * What is in a tunnel is between us and the API server, and the kubelet, whom Kubernetes authenticates, and ends at the
 * pod's own loopback: so a token may be sent in one whose https is not verified against an authority, as in one without
 * https. TLS sessions are not resumed, so that each connection shows the certificate of now.
 *
 * The tunnel reads no faster than answers are taken: while a sink is slow, or a lane has bytes that libcurl has not read,
 * nothing more is read from the API server.
 *
 * Source: kubernetes pkg/kubelet/cri/streaming/portforward/websocket.go: for each port a data channel 2i and
 * an error channel 2i+1, each beginning with the port number, two bytes, little-endian.
 */
#ifndef KUBE_TUNNEL_H
#define KUBE_TUNNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kube/client.h"
#include "kube/sink.h"
#include "util/buf.h"
#include "util/err.h"

/* Most bytes of one answer's body through a tunnel, unless it goes to a sink. */
#define KUBE_TUNNEL_BODY_MAX ((size_t)16 * 1024 * 1024)

struct kube_tunnel;

/* How to speak inside the tunnel. What the members point to is borrowed for the tunnel's life. */
struct kube_tunnel_options {
	const char *namespace_name;
	const char *pod;
	uint16_t port;
	bool https;
	const char *ca_pem;      /* https: authorities; NULL with verify false only */
	const char *server_name; /* https: name to verify and SNI, e.g. server.dc1.consul */
	bool verify;             /* https: verify the certificate */
	const char *token;       /* secret; sent as X-Consul-Token when not NULL */
};

/*
 * Begins to open a tunnel; never blocks and never fails: what goes wrong is the outcome of the requests.
 * The tunnel is closed by kube_tunnel_free.
 */
struct kube_tunnel *kube_tunnel_open(struct kube_client *client, const struct kube_tunnel_options *options);
void kube_tunnel_free(struct kube_tunnel *tunnel); /* cancels what is under way; NULL is fine */

/* One HTTP request through the tunnel and its outcome. Initialise with KUBE_TUNNEL_CALL_INIT. */
struct kube_tunnel_call {
	/* in; borrowed until done */
	enum kube_method method;
	const char *path; /* "/v1/agent/members" */
	const char *body; /* NULL: none */
	kube_sink *sink;  /* NULL: none; else the body of an answer of status 200 goes there, is not kept, and has no limit */
	void *sink_context;
	bool wants_certificate; /* https: what the server presents is kept in certificate */

	/* out */
	long http_status; /* 0 when no answer came, or not all of it; the body of any answer is kept, but see sink */
	struct buf body_out;
	struct err err; /* set when there was no whole answer; a status of 500 is no err */
	/*
	 * The certificate the server presented, its own only, PEM; whether it was verified or not. NULL unless it was wanted and
	 * an answer came over a connection that this request opened: later ones on the same connection do not see it.
	 */
	char *certificate;
};

#define KUBE_TUNNEL_CALL_INIT                                                                                          \
	{                                                                                                              \
		.body_out = BUF_INIT(KUBE_TUNNEL_BODY_MAX)                                                             \
	}
void kube_tunnel_call_release(struct kube_tunnel_call *call);

typedef void kube_tunnel_done(void *context, struct kube_tunnel_call *call);

/* Queues the request; done is called once, from loop_run, at the latest at deadline_ms. */
void kube_tunnel_start(struct kube_tunnel *tunnel, struct kube_tunnel_call *call, int64_t deadline_ms,
                       kube_tunnel_done *done, void *context);

#endif
