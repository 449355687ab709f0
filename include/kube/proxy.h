/*
 * kube/proxy.h - which proxy, if any, leads to an API server. Pure: nothing is looked up, connected or read.
 *
 * A cluster's proxy-url holds for every server, one on loopback too (so does kubectl's: `ssh -D` to a machine whose
 * own loopback is meant). Without it the environment decides, by the rules of Go: HTTPS_PROXY for https servers,
 * HTTP_PROXY for http ones, unless the server is loopback or NO_PROXY has it. ALL_PROXY is not read.
 * What the environment has that cannot be a URL at all counts as not set.
 *
 * Source: client-go tools/clientcmd/validation.go, rest/transport.go; golang.org/x/net/http/httpproxy.
 */
#ifndef KUBE_PROXY_H
#define KUBE_PROXY_H

#include <stdint.h>

#include "util/err.h"

enum kube_proxy_kind {
	KUBE_PROXY_NONE,
	KUBE_PROXY_HTTP,
	KUBE_PROXY_HTTPS,  /* HTTP, and TLS to the proxy itself */
	KUBE_PROXY_SOCKS5, /* it looks up names, not we */
};

/* Borrowed; NULL: not set. */
struct kube_proxy_environment {
	const char *https_proxy;
	const char *http_proxy;
	const char *no_proxy;
};

/* Owns its strings; all are NULL without a proxy. */
struct kube_proxy {
	enum kube_proxy_kind kind;
	char *host;     /* without the brackets of an IPv6 address */
	char *address;  /* HOST:PORT */
	char *user;     /* NULL: no credentials */
	char *password; /* secret; "" when there is only a user */
	char *shown;    /* "http://HOST:PORT (HTTPS_PROXY)": for people, without credentials */
};

#define KUBE_PROXY_INIT { 0 }

/*
 * Decides for server, an http or https URL. proxy_url is that of the cluster's entry named cluster, or NULL.
 * ERR_CONFIG, without a password in it: "invalid 'proxy-url' "…" for cluster "…": …" in kubectl's words, or a scheme
 * in the environment that is none of http, https, socks5, socks5h.
 */
int kube_proxy_choose(const char *server, const char *proxy_url, const char *cluster,
		      const struct kube_proxy_environment *environment, struct kube_proxy *ret_proxy, struct err *err)
	__attribute__((warn_unused_result));

/* Wipes the password, frees everything. */
void kube_proxy_release(struct kube_proxy *proxy);

#endif
