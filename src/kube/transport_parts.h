/*
 * transport_parts.h - what src/kube/transport*.c share: the transport's own struct, and its three parts.
 */
#ifndef KUBE_TRANSPORT_PARTS_H
#define KUBE_TRANSPORT_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "kube/exec_credential.h"
#include "kube/transport.h"
#include "util/process.h"

/* A server's URL, taken apart. */
struct server_address {
	bool https;
	char *host;      /* without the brackets of an IPv6 address */
	char *authority; /* as it was written: "host", "host:port", "[::1]:6443" */
	char *path;      /* "" or "/prefix", without a trailing slash */
	uint16_t port;   /* the scheme's default when none was written */
	bool is_loopback;
};

/*
 * The TLS material, parsed once. is_shared: every connection is given these objects. Else libcurl parses the PEM
 * again for each connection, which costs it about a third of a handshake.
 */
struct transport_tls {
	bool is_shared;
	X509_STORE *authorities;     /* NULL: the system's, or none when insecure */
	X509 *certificate;           /* of the client; NULL: none */
	struct stack_st_X509 *chain; /* what comes after it in its PEM */
	EVP_PKEY *key;
};

/* What a credential plugin gave, and its run. */
struct transport_plugin {
	struct loop *loop;
	struct loop_timer *timer; /* starts it, from the loop */
	struct exec_credential credential;
	bool is_there;       /* credential is; false again after a 401 */
	unsigned generation; /* of credential: how many there were */
	struct process *process; /* NULL: it does not run */
	int64_t started_ms;
	struct kube_transport_wait *waits;
};

struct kube_transport {
	const struct kube_config *config;
	struct server_address address;
	char *url;                     /* what libcurl gets: names the host whose certificate is expected */
	struct curl_slist *connect_to; /* when that is not the host to connect to */
	char *user_agent;
	char *command; /* NULL: none */
	char session[37];
	char *file_token;         /* secret; the token file's content, or NULL */
	int64_t file_token_at_ms; /* when it was read */
	struct transport_tls tls;
	struct transport_plugin plugin;
};

/* transport_url.c. Refuses what is no http or https URL of a server. Pure. */
int server_address_parse(const char *server, struct server_address *ret_address, struct err *err)
    __attribute__((warn_unused_result));
void server_address_release(struct server_address *address);

/* transport_tls.c. Parses and checks the config's certificates and key; libcurl is loaded. */
int transport_tls_init(struct transport_tls *tls, const struct kube_config *config, struct err *err)
    __attribute__((warn_unused_result));
void transport_tls_release(struct transport_tls *tls);

/* Gives an easy handle the material: as objects, or as PEM. */
void transport_tls_apply(struct transport_tls *tls, const struct kube_config *config, CURL *easy);

/* Whether a certificate (with its chain) and a key can be used together; neither is kept. */
int transport_tls_check(const char *certificate_pem, const char *key_pem, struct err *err)
    __attribute__((warn_unused_result));

/* The same certificate and key as PEM, copied by libcurl. */
void transport_tls_apply_client(const char *certificate_pem, const char *key_pem, CURL *easy);

/* transport_plugin.c. Nobody waits any more. */
void transport_plugin_release(struct transport_plugin *plugin);

/* How a connection failed, as libcurl tells it. */
struct transport_failure {
	CURLcode code;
	const char *detail;
	long os_errno;            /* 0: not known; likewise below */
	long connect_status;      /* what a proxy answered to CONNECT */
	CURLproxycode proxy_code; /* what a SOCKS proxy answered */
};

/* transport_proxy.c. Gives an easy handle the config's proxy, or none. */
void transport_proxy_apply(const struct kube_transport *transport, CURL *easy);

/* Sets err and returns -1 when the failure is one of the proxy, or on the way to it; else 0. */
int transport_proxy_error(const struct kube_transport *transport, const struct transport_failure *failure,
			  struct err *err);

/* The end of the client certificate's life; INT64_MAX without one. */
int64_t transport_tls_not_after_s(const struct transport_tls *tls);

#endif
