/*
 * kube/transport.h - what every connection to the API server shares: TLS, credentials, error wording.
 *
 * Below kube/client.h and kube/websocket.h.
 */
#ifndef KUBE_TRANSPORT_H
#define KUBE_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "kube/config.h"
#include "kube/libcurl.h"
#include "util/err.h"
#include "util/loop.h"

struct kube_transport;

/*
 * Loads libcurl, takes the server's URL apart, and checks the TLS material once: unreadable certificate, key that
 * does not fit, encrypted key (never a prompt), credentials for a plain http server: ERR_CONFIG. config and command
 * must outlive the transport: certificates and keys stay where they are, nothing is written to files.
 */
int kube_transport_new(const struct kube_config *config, const char *command, struct kube_transport **ret_transport,
		       struct err *err) __attribute__((warn_unused_result));
void kube_transport_free(struct kube_transport *transport);

/*
 * A new easy handle for this API server: TLS 1.2 or newer, no signals, connect time-out, no redirects, HTTP/1.1,
 * the config's proxy or none, the smallest buffer, the identity of now. Not the URL.
 */
CURL *kube_transport_easy(struct kube_transport *transport);

/*
 * The headers of one request: Authorization (https only; the token file is read again when a minute old),
 * Impersonate-…, User-Agent, Kubectl-Command, Kubectl-Session. At most KUBE_TRANSPORT_HEADERS_MAX. Appends to *list.
 * Secrets: wipe-free after use is the caller's (kube_transport_headers_free).
 */
#define KUBE_TRANSPORT_HEADERS_MAX (IMPERSONATION_MAX + 16)
int kube_transport_headers(struct kube_transport *transport, struct curl_slist **list, struct err *err)
	__attribute__((warn_unused_result));
void kube_transport_headers_free(struct curl_slist *list);

/* ----------------------------------------------------------------------------- credential plugins
 * Where the user logs in by a plugin (config->exec) there are no credentials before it has run. It runs when somebody
 * waits for them, once for all who wait, and again when what it gave has expired or the server says 401 (only then if it had
 * expired when it came); it is ended when nobody waits any more. So whoever sends a request
 *
 *  1. asks kube_transport_is_ready, and if not, waits (kube_transport_wait) up to his own deadline,
 *  2. connects: a new easy handle, or kube_transport_identify on an old one,
 *  3. notes the generation of the credentials that the headers hold, and after a 401 asks kube_transport_renew with it
 *     whether the request is worth another try, from 1; once.
 *
 * Without a plugin everything is always ready, and no 401 worth another try.
 */
struct kube_transport_wait {
	/* Called once, from loop_run: send it now; err: there is nothing. */
	void (*ready)(void *context, const struct err *err);
	void *context;

	/* for the transport only */
	struct kube_transport_wait *next;
	struct kube_transport_wait **place; /* NULL: does not wait */
};

/* The loop that plugins run on: must be told before the first wait. */
void kube_transport_set_loop(struct kube_transport *transport, struct loop *loop);

bool kube_transport_is_ready(const struct kube_transport *transport);

/* wait stays where it is until ready is called or kube_transport_unwait, which is fine when it does not wait. */
void kube_transport_wait(struct kube_transport *transport, struct kube_transport_wait *wait);
void kube_transport_unwait(struct kube_transport *transport, struct kube_transport_wait *wait);

/* What the time was spent on when a wait takes too long: "… exec: executable X has not ended within 10.0 s". Returns -1. */
int kube_transport_wait_error(const struct kube_transport *transport, struct err *err);

unsigned kube_transport_generation(const struct kube_transport *transport);
bool kube_transport_renew(struct kube_transport *transport, unsigned generation);

/* Gives the handle the client certificate that a plugin gave, if it did. A connection with another one is not reused. */
void kube_transport_identify(struct kube_transport *transport, CURL *easy);

/*
 * What CURLOPT_URL begins with (no trailing slash): with tls-server-name it holds that name, and the easy handle
 * connects to the right host all the same. The authority is the server's "host:port" as it was configured: for
 * messages and for the Host header, which is always set by hand therefore. Borrowed.
 */
const char *kube_transport_url(const struct kube_transport *transport);
const char *kube_transport_authority(const struct kube_transport *transport);

/* "http://HOST:PORT (HTTPS_PROXY)": the proxy that the connections go through, for messages; NULL: none. Borrowed. */
const char *kube_transport_proxy(const struct kube_transport *transport);

/*
 * Turns a failed connection into err, in kubectl's words: "The connection to the server HOST:PORT was refused - did
 * you specify the right host or port?", "Unable to connect to the server: …" (unknown authority, name mismatch,
 * expired certificate, time-out, DNS …), with a hint. detail is CURLOPT_ERRORBUFFER's text. Returns -1.
 */
int kube_transport_error(const struct kube_transport *transport, CURLcode code, const char *detail, struct err *err);

/* The same, and asks the easy handle which system error it was: refused, no route to host, network unreachable … */
int kube_transport_easy_error(const struct kube_transport *transport, CURL *easy, CURLcode code, const char *detail,
			      struct err *err);

/*
 * Puts what the transport knows of the cause of a 401 in the place of a general hint: the client certificate's
 * time is over. Returns -1.
 */
int kube_transport_hint(const struct kube_transport *transport, struct err *err);

#endif
