/*
 * proxy.h - a scripted proxy for tests, on 127.0.0.1: HTTP (CONNECT, and requests with a whole URL) and SOCKS5.
 *
 * Whatever name it is asked for, it connects to the one port of 127.0.0.1 that it is told: so a test's server can be
 * called apiserver.test, which nobody but the proxy knows. One thread for each connection; all end with proxy_stop.
 */
#ifndef SUPPORT_PROXY_H
#define SUPPORT_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki.h"

enum proxy_kind { PROXY_HTTP, PROXY_SOCKS5 };

struct proxy_options {
	enum proxy_kind kind;
	uint16_t to;             /* a port of 127.0.0.1 */
	const char *credentials; /* "USER:PASSWORD" that it wants; NULL: none */
	int status;              /* HTTP: its answer to everything; SOCKS5: its reply; 0: it does what it is asked */
	bool hangs;              /* takes connections, never answers */
	const struct pki_pair *tls; /* with this certificate; NULL: plain */
	const struct pki *pki;      /* with tls */
};

struct proxy;

/* Everything in options but tls is borrowed until proxy_stop. Aborts when the system does not let it. */
struct proxy *proxy_start(const struct proxy_options *options);
void proxy_stop(struct proxy *proxy); /* NULL is fine */

uint16_t proxy_port(const struct proxy *proxy);

/* Connections taken, and of these the ones that led to the server. */
unsigned proxy_connections(struct proxy *proxy);
unsigned proxy_tunnels(struct proxy *proxy);

/* Clients that showed the proxy a certificate: it asks for one when it has tls. */
unsigned proxy_certificates(struct proxy *proxy);

/* "HOST:PORT" of the latest request, "" before it; and all heads that HTTP clients sent. New strings. */
char *proxy_target(struct proxy *proxy);
char *proxy_heads(struct proxy *proxy);

#endif
