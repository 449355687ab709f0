/*
 * config_parts.h - what src/kube/config*.c share: the chosen entries, and the steps from them to a kube_config.
 */
#ifndef KUBE_CONFIG_PARTS_H
#define KUBE_CONFIG_PARTS_H

#include <stdbool.h>

#include "kube/config.h"
#include "kube/kubeconfig.h"

/* How much of a name, and of a list of names, a message shows. */
#define NAME_SHOWN ((size_t)200)
#define HINT_SHOWN ((size_t)500)

/* The entries that flags and current-context lead to; each may be NULL. Borrowed. */
struct choice {
	const struct kubeconfig_context *context;
	const struct kubeconfig_cluster *cluster;
	const struct kubeconfig_user *user;
};

/* True when the process runs in a pod that has a service account's token. */
bool config_in_cluster_possible(const struct kube_config_inputs *inputs);

/* config_user.c: client certificate and key, and the one of token, name and password, and plugin; as whom. */
int config_resolve_user(const struct kube_config_inputs *inputs, const struct choice *choice, struct kube_config *config,
			struct err *err) __attribute__((warn_unused_result));

/* What logs in never crosses plain HTTP: as kubectl, we go there (`kubectl proxy`) as nobody. */
void config_forget_login(struct kube_config *config);

/*
 * config_server.c: ca_pem and insecure; then, knowing these, server, tls_server_name and the in-cluster token. Neither
 * a flag nor a cluster entry with a server means in-cluster: config.c has made sure that this is possible then.
 */
int config_resolve_authorities(const struct kube_config_inputs *inputs, const struct choice *choice,
			       struct kube_config *config, struct err *err) __attribute__((warn_unused_result));
int config_resolve_server(const struct kube_config_inputs *inputs, const struct choice *choice,
			  struct kube_config *config, struct err *err) __attribute__((warn_unused_result));

/* config_server.c: the proxy to config->server, by the cluster's proxy-url or the environment. */
int config_resolve_proxy(const struct kube_config_inputs *inputs, const struct choice *choice,
			 struct kube_config *config, struct err *err) __attribute__((warn_unused_result));

/* Reads a PEM file; what and owner are for "unable to read WHAT FILE for OWNER due to …". */
int config_read_pem(const char *path, const char *what, const char *owner, char **ret_pem, struct err *err)
	__attribute__((warn_unused_result));

#endif
