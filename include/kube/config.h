/*
 * kube/config.h - which API server, as whom, in which namespace: kubeconfig files, flags, in-cluster.
 *
 * The merge, precedence and wording are kubectl's (client-go tools/clientcmd: loader.go, client_config.go,
 * validation.go). Different on purpose: --token wins over everything the user entry has, even what would be refused.
 * Auth providers are refused by name, as those that kubectl had too; kubectl asks for a missing name or password, this
 * does not. A credential plugin is checked here, and run when the first request needs it (kube/transport.h).
 *
 * Reads files and nothing else: environment and home directory come in through struct kube_config_inputs.
 */
#ifndef KUBE_CONFIG_H
#define KUBE_CONFIG_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "kube/authorities.h"
#include "kube/exec_credential.h"
#include "kube/impersonation.h"
#include "kube/proxy.h"
#include "util/err.h"
#include "util/str.h"

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
	const char *username;
	const char *password;
	const char *as;
	const char *as_uid;
	const struct strv *as_groups;            /* NULL or empty: not given */
	const struct strv *as_user_extra;        /* "key=value" */

	/* environment */
	const char *env_kubeconfig;              /* $KUBECONFIG */
	const char *home;                        /* $HOME */
	const char *env_service_host;            /* $KUBERNETES_SERVICE_HOST */
	const char *env_service_port;            /* $KUBERNETES_SERVICE_PORT */
	bool stdin_is_terminal;                  /* a credential plugin may ask the user there */
	struct kube_proxy_environment env_proxy;
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
	struct kube_proxy proxy; /* to server */
	char *proxy_ca_pem;     /* whom an https proxy is trusted by: the system's authorities and the cluster's; may be NULL */
	char *tls_server_name;  /* NULL: the host of server */
	bool insecure;
	char *client_cert_pem;  /* NULL: none */
	char *client_key_pem;   /* secret */
	char *token;            /* secret; NULL: none */
	char *token_file;       /* re-read by the client about once a minute; NULL: none */
	char *username;         /* basic auth; NULL: none */
	char *password;         /* secret; not NULL with username */
	struct exec_plugin *exec; /* the only way to log in but for a client certificate; NULL: none */
	cJSON *exec_config;     /* what the cluster entry has for such plugins; NULL: nothing */
	char *exec_proxy_url;   /* the cluster entry's proxy-url as it stands, for them; NULL: none */
	bool stdin_is_terminal;
	struct impersonation as;
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
