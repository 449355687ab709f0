/*
 * kube/client.h - REST calls to one API server: several at once over one HTTP/2 connection.
 *
 * One libcurl multi handle on one loop (util/loop.h), keep-alive, no discovery: callers know their paths.
 * GETs are retried on a reset connection, anything on 429/5xx that carries an integer Retry-After, never
 * past the call's deadline. Credentials are sent over https only. Nothing of a call outlives its end.
 */
#ifndef KUBE_CLIENT_H
#define KUBE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "kube/config.h"
#include "util/err.h"
#include "util/loop.h"
#include "util/str.h"

/* Most bytes of one answer's body; a list of 5,000 large pods has less. */
#define KUBE_BODY_MAX ((size_t)64 * 1024 * 1024)
/* Most bytes of one answer's header lines, all together. */
#define KUBE_HEADER_MAX ((size_t)64 * 1024)

struct kube_client;

/* Who is calling, for the request headers that kubectl sends (audit logs), and how. Borrowed for the client's life. */
struct kube_client_options {
	const char *command;         /* "kubectl consul health", for Kubectl-Command; NULL: none */
	int64_t request_timeout_ms;  /* --request-timeout; 0: none but the call's deadline */
	bool disable_compression;    /* else the server may send gzip */
	int verbosity;               /* -v: 6 and above logs method, URL, status and milliseconds to stderr */
};

/* config and loop must outlive the client. Loads libcurl; fails when that or the TLS material is unusable. */
int kube_client_new(struct loop *loop, const struct kube_config *config, const struct kube_client_options *options,
		    struct kube_client **ret_client, struct err *err) __attribute__((warn_unused_result));
void kube_client_free(struct kube_client *client);

enum kube_method { KUBE_GET, KUBE_POST, KUBE_PUT, KUBE_PATCH, KUBE_DELETE };

const char *kube_method_name(enum kube_method method); /* "GET" */

/* One request and, when it is done, its outcome. Initialise with { 0 }, release after use. */
struct kube_call {
	/* in; borrowed until done */
	enum kube_method method;
	const char *path;          /* "/api/v1/…?query", already escaped */
	const char *content_type;  /* NULL: application/json when there is a body */
	const char *body;          /* NUL-terminated JSON or YAML, or NULL */
	bool wants_text;           /* the answer is plain text (a log), up to its first NUL: json is a string of it */

	/* out */
	long http_status;          /* 0 when no answer came */
	int64_t answered_at;       /* by the server's own clock, seconds since 1970; 0: it does not tell */
	cJSON *json;               /* the decoded body of a 2xx answer (NULL when that was empty) */
	struct err err;            /* empty means success */
	size_t retries;            /* how often it was sent again */
};

#define KUBE_CALL_INIT { 0 }
void kube_call_release(struct kube_call *call);

/*
 * Starts the call; done(context, call) is called once, from loop_run. call must stay where it is until then.
 * deadline_ms is monotonic (util/clock.h).
 */
typedef void kube_call_done(void *context, struct kube_call *call);
void kube_client_start(struct kube_client *client, struct kube_call *call, int64_t deadline_ms, kube_call_done *done,
		       void *context);

/* Gives up a started call: done is not called. Fine for one that is already done. */
void kube_client_cancel(struct kube_client *client, struct kube_call *call);

/*
 * Starts count calls at once and blocks until all are done. Each has its own outcome; the function fails
 * only when it was interrupted (then unfinished calls carry that error too).
 */
int kube_client_perform(struct kube_client *client, struct kube_call *calls, size_t count, int64_t deadline_ms,
			struct err *err) __attribute__((warn_unused_result));

/* What the API server warned of so far (kube/warning.h), each text once, made visible. Borrowed. */
const struct strv *kube_client_warnings(const struct kube_client *client);

/* The loop it runs on. Borrowed. */
struct loop *kube_client_loop(struct kube_client *client);

/* For kube/websocket.h, which shares its TLS and credentials, and keeps its own state per client there. Borrowed. */
struct kube_transport *kube_client_transport(struct kube_client *client);

/* A place for the WebSocket layer's per-client state, released by its own function before the client goes. */
struct kube_websocket_pool;
struct kube_websocket_pool **kube_client_pool(struct kube_client *client);
void kube_client_set_pool_release(struct kube_client *client, void (*release)(struct kube_websocket_pool *pool));

#endif
