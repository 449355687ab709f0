/*
 * kube/config.h - which API server, as whom, in which namespace: kubeconfig files, flags, in-cluster.
 *
 * The merge, precedence and wording are kubectl's (client-go tools/clientcmd: loader.go, client_config.go,
 * validation.go). Exec credential plugins, auth providers, proxies, impersonation and basic auth are decoded
 * as far as to refuse them by name (kube/config.c: unsupported_user); they come with another release.
 *
 * Reads files and nothing else: environment and home directory come in through struct kube_config_inputs.
 */
#ifndef KUBE_CONFIG_H
#define KUBE_CONFIG_H

#include <stdbool.h>

#include "kube/authorities.h"
#include "util/err.h"

/* What decides. All strings are borrowed for the call; NULL means not given. */
struct kube_config_inputs {
	/* flags */
	const char *kubeconfig;
	const char *context;
	const char *cluster;
	const char *user;
	const char *namespace_name;
	const char *server;
	const char *token;
	const char *certificate_authority;
	const char *client_certificate;
	const char *client_key;
	const char *tls_server_name;
	bool insecure_skip_tls_verify;

	/* environment */
	const char *env_kubeconfig;              /* $KUBECONFIG */
	const char *home;                        /* $HOME */
	const char *env_service_host;            /* $KUBERNETES_SERVICE_HOST */
	const char *env_service_port;            /* $KUBERNETES_SERVICE_PORT */
	const char *service_account_dir;         /* normally /var/run/secrets/kubernetes.io/serviceaccount */
	struct kube_authorities_inputs authorities;
};

/* The outcome. Owns its strings; certificates and keys are the PEM bytes, whether they came as data or file. */
struct kube_config {
	char *server;           /* https://host:port[/prefix], without a trailing slash */
	char *namespace_name;   /* never NULL */
	char *context;          /* name of the context used, or NULL */
	char *user;             /* name of the user entry, or NULL: for error messages */
	char *ca_pem;           /* of the cluster; NULL: the system's authorities */
	char *system_ca_pem;    /* these, when they are needed; NULL: none was found (libcurl may know better) */
	char *tls_server_name;  /* NULL: the host of server */
	bool insecure;
	char *client_cert_pem;  /* NULL: none */
	char *client_key_pem;   /* secret */
	char *token;            /* secret; NULL: none */
	char *token_file;       /* re-read by the client about once a minute; NULL: none */
};

#define KUBE_CONFIG_INIT { 0 }

/*
 * Loads, merges and resolves. ERR_CONFIG (ERR_USAGE for contradicting flags) in kubectl's words, with a hint
 * where it has none. ret_config is untouched on failure.
 */
int kube_config_load(const struct kube_config_inputs *inputs, struct kube_config *ret_config, struct err *err)
	__attribute__((warn_unused_result));

/* Wipes the secrets, frees everything. */
void kube_config_release(struct kube_config *config);

#endif
