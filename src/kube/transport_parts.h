/*
 * transport_parts.h - what src/kube/transport*.c share: the transport's own struct, and its three parts.
 */
#ifndef KUBE_TRANSPORT_PARTS_H
#define KUBE_TRANSPORT_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "kube/transport.h"

/* A server's URL, taken apart. */
struct server_address {
	bool https;
	char *host;      /* without the brackets of an IPv6 address */
	char *authority; /* as it was written: "host", "host:port", "[::1]:6443" */
	char *path;      /* "" or "/prefix", without a trailing slash */
	uint16_t port;   /* the scheme's default when none was written */
	bool is_loopback;
};

struct kube_transport {
	const struct kube_config *config;
	struct server_address address;
	char *url;                     /* what libcurl gets: names the host whose certificate is expected */
	struct curl_slist *connect_to; /* when that is not the host to connect to */
	char *user_agent;
	char *command;                 /* NULL: none */
	char session[37];
	char *file_token;              /* secret; the token file's content, or NULL */
	int64_t file_token_at_ms;      /* when it was read */
	int64_t client_not_after_s;    /* the client certificate's end; INT64_MAX without one */
};

/* transport_url.c. Refuses what is no http or https URL of a server. Pure. */
int server_address_parse(const char *server, struct server_address *ret_address, struct err *err)
	__attribute__((warn_unused_result));
void server_address_release(struct server_address *address);

/* transport_tls.c. Checks the config's certificates and key; the end of the client certificate's life. Pure. */
int transport_check_tls(const struct kube_config *config, int64_t *ret_client_not_after_s, struct err *err)
	__attribute__((warn_unused_result));

/* True when there is a client certificate whose time is over. */
bool transport_client_expired(const struct kube_transport *transport);

#endif
