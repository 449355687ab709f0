/*
 * kube/exec_credential.h - credential plugins of a kubeconfig's user: what they are told, and what they answer. Pure.
 *
 * client.authentication.k8s.io/v1 and v1beta1. The plugin's text goes through KUBERNETES_EXEC_INFO, its answer is an
 * ExecCredential on standard output, and a secret: no error shows any of it. Who runs it is src/kube/transport_plugin.c.
 *
 * Source: client-go pkg/apis/clientauthentication/v1, plugin/pkg/client/auth/exec, tools/clientcmd/validation.go.
 */
#ifndef KUBE_EXEC_CREDENTIAL_H
#define KUBE_EXEC_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "util/err.h"
#include "util/str.h"

/* Most bytes of a plugin's answer. */
#define EXEC_CREDENTIAL_MAX ((size_t)1024 * 1024)

/* The name of the environment variable, and of the extension of a cluster entry that is handed on. */
#define EXEC_CREDENTIAL_INFO      "KUBERNETES_EXEC_INFO"
#define EXEC_CREDENTIAL_EXTENSION "client.authentication.k8s.io/exec"

struct kube_config;

enum exec_interactive {
	EXEC_IF_AVAILABLE, /* it may read standard input if that is a terminal */
	EXEC_NEVER,
	EXEC_ALWAYS, /* it cannot do without */
};

/* users[].user.exec */
struct exec_plugin {
	char *api_version;
	char *command;           /* a path if it has a '/', else looked for in PATH */
	struct strv arguments;
	struct strv environment; /* "NAME=value" */
	char *install_hint;      /* NULL: none; may have several lines */
	enum exec_interactive interactive;
	bool wants_cluster;
};

/*
 * Checks and reads it. file is the kubeconfig it stands in: a command with a '/' is relative to that. user is its
 * entry's name, for messages. ERR_CONFIG in kubectl's words.
 */
int exec_plugin_decode(const cJSON *exec, const char *file, const char *user, struct exec_plugin *ret_plugin,
		       struct err *err) __attribute__((warn_unused_result));
void exec_plugin_release(struct exec_plugin *plugin);

/* The value of KUBERNETES_EXEC_INFO for config->exec: with the cluster if the plugin wants it. A new string. */
char *exec_credential_info(const struct kube_config *config, bool interactive) __attribute__((warn_unused_result));

/* What a plugin gives: a token, a certificate with its key, or both. Owns its strings. */
struct exec_credential {
	char *token;           /* secret; or NULL */
	char *certificate_pem; /* or NULL */
	char *key_pem;         /* secret */
	int64_t expires_at_s;  /* INT64_MAX: it does not say */
};

#define EXEC_CREDENTIAL_NONE { 0 }

/* Reads an answer. ERR_CONFIG; ret_credential is untouched then. */
int exec_credential_decode(const struct exec_plugin *plugin, const char *text, size_t length,
			   struct exec_credential *ret_credential, struct err *err) __attribute__((warn_unused_result));

/* Wipes the secrets, frees everything. */
void exec_credential_release(struct exec_credential *credential);

#endif
