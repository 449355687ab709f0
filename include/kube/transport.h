/*
 * kube/transport.h - what every connection to the API server shares: TLS, credentials, error wording.
 *
 * Below kube/client.h and kube/websocket.h. (Proxies, impersonation and exec credential plugins will live here.)
 */
#ifndef KUBE_TRANSPORT_H
#define KUBE_TRANSPORT_H

#include <stdint.h>

#include "kube/config.h"
#include "kube/libcurl.h"
#include "util/err.h"

struct kube_transport;

/*
 * Loads libcurl, takes the server's URL apart, and checks the TLS material once: unreadable certificate, key that
 * does not fit, encrypted key (never a prompt), a token for a plain http server: ERR_CONFIG. config and command
 * must outlive the transport: certificates and keys stay where they are, nothing is written to files.
 */
int kube_transport_new(const struct kube_config *config, const char *command, struct kube_transport **ret_transport,
		       struct err *err) __attribute__((warn_unused_result));
void kube_transport_free(struct kube_transport *transport);

/*
 * A new easy handle for this API server: TLS 1.2 or newer, no signals, connect time-out, no redirects, HTTP/1.1,
 * loopback never proxied, the smallest buffer. Not the URL.
 */
CURL *kube_transport_easy(struct kube_transport *transport);

/*
 * The headers of one request: Authorization (https only; the token file is read again when a minute old),
 * User-Agent, Kubectl-Command, Kubectl-Session. Appends to *list. Secrets: wipe-free after use is the caller's
 * (kube_transport_headers_free).
 */
int kube_transport_headers(struct kube_transport *transport, struct curl_slist **list, struct err *err)
	__attribute__((warn_unused_result));
void kube_transport_headers_free(struct curl_slist *list);

/*
 * What CURLOPT_URL begins with (no trailing slash): with tls-server-name it holds that name, and the easy handle
 * connects to the right host all the same. The authority is the server's "host:port" as it was configured: for
 * messages and for the Host header, which is always set by hand therefore. Borrowed.
 */
const char *kube_transport_url(const struct kube_transport *transport);
const char *kube_transport_authority(const struct kube_transport *transport);

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
