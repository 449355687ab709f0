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

/* Checks the TLS material once (unreadable certificate, key that does not fit, encrypted key: ERR_CONFIG). */
int kube_transport_new(const struct kube_config *config, const char *command, struct kube_transport **ret_transport,
		       struct err *err) __attribute__((warn_unused_result));
void kube_transport_free(struct kube_transport *transport);

/* A new easy handle for this API server: TLS, no signals, connect time-out, loopback never proxied. Not the URL. */
CURL *kube_transport_easy(struct kube_transport *transport);

/*
 * The headers of one request: Authorization (https only; the token file is read again when a minute old),
 * User-Agent, Kubectl-Command, Kubectl-Session. Appends to *list. Secrets: wipe-free after use is the caller's
 * (kube_transport_headers_free).
 */
int kube_transport_headers(struct kube_transport *transport, struct curl_slist **list, struct err *err)
	__attribute__((warn_unused_result));
void kube_transport_headers_free(struct curl_slist *list);

/* The server's URL without a trailing slash, and its "host:port" for Host headers and messages. Borrowed. */
const char *kube_transport_url(const struct kube_transport *transport);
const char *kube_transport_authority(const struct kube_transport *transport);

/*
 * Turns a failed connection into err, in kubectl's words: "The connection to the server HOST:PORT was refused - did
 * you specify the right host or port?", "Unable to connect to the server: …" (unknown authority, name mismatch,
 * expired certificate, time-out, DNS …), with a hint. detail is CURLOPT_ERRORBUFFER's text. Returns -1.
 */
int kube_transport_error(const struct kube_transport *transport, CURLcode code, const char *detail, struct err *err);

#endif
