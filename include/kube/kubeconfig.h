/*
 * kube/kubeconfig.h - kubeconfig files: found, read, checked and merged. What they mean together with the flags is
 * kube/config.h.
 *
 * The first file wins for each named entry and for current-context; the fields of an entry are never mixed from two
 * files. Paths in an entry are resolved against the file they stand in, *-data fields are decoded, unknown fields
 * ignored. What only the entry in use must get right (exec) is kept as it stands.
 *
 * Source: client-go tools/clientcmd/loader.go, api/v1/types.go.
 */
#ifndef KUBE_KUBECONFIG_H
#define KUBE_KUBECONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "kube/impersonation.h"
#include "util/err.h"
#include "util/str.h"

/* Most bytes of a kubeconfig file, entries in each of its lists, files in $KUBECONFIG. */
#define KUBECONFIG_FILE_MAX    ((size_t)8 * 1024 * 1024)
#define KUBECONFIG_ENTRIES_MAX ((size_t)5000)
#define KUBECONFIG_FILES_MAX   ((size_t)100)
/* Most bytes of one certificate, key or bundle, and of a token file. */
#define KUBECONFIG_PEM_MAX   ((size_t)1024 * 1024)
#define KUBECONFIG_TOKEN_MAX ((size_t)64 * 1024)

/* Strings are NULL when absent or empty. */
struct kubeconfig_cluster {
	char *name;
	char *server;
	char *tls_server_name;
	char *ca_file;
	char *ca_pem; /* certificate-authority-data, decoded */
	char *proxy_url;
	cJSON *exec_config; /* the extension for credential plugins (kube/exec_credential.h) */
	bool insecure;
};

struct kubeconfig_user {
	char *name;
	char *file; /* the kubeconfig that it stands in */
	char *cert_file;
	char *cert_pem;
	char *key_file;
	char *key_pem; /* secret */
	char *token;   /* secret */
	char *token_file;
	char *username;
	char *password;      /* secret */
	char *auth_provider; /* its name; "" when it has none */
	cJSON *exec;         /* for exec_plugin_decode; may hold secrets */
	struct impersonation as;
};

struct kubeconfig_context {
	char *name;
	char *cluster;
	char *user;
	char *namespace_name;
};

struct kubeconfig {
	char *current_context;
	struct kubeconfig_cluster *clusters;
	size_t cluster_count;
	struct kubeconfig_user *users;
	size_t user_count;
	struct kubeconfig_context *contexts;
	size_t context_count;
	struct strv files; /* that were read, in order */
};

#define KUBECONFIG_INIT { 0 }

/*
 * Adds the entries of a file's text that no earlier file has. path is where it came from. Pure.
 * "error loading config file "PATH": …", ERR_CONFIG; config may then hold a part and is released as usual.
 */
int kubeconfig_add(struct kubeconfig *config, const char *path, const char *text, size_t length, struct err *err)
	__attribute__((warn_unused_result));

/*
 * Reads explicit_file only, if given (it must exist); else the files of env_list ($KUBECONFIG; empty, repeated and
 * missing ones are skipped); else HOME/.kube/config if there is one. No file at all is no error.
 */
int kubeconfig_load(struct kubeconfig *config, const char *explicit_file, const char *env_list, const char *home,
		    struct err *err) __attribute__((warn_unused_result));

/* The entry of that name, or NULL; name may be NULL. Borrowed. */
const struct kubeconfig_cluster *kubeconfig_find_cluster(const struct kubeconfig *config, const char *name);
const struct kubeconfig_user *kubeconfig_find_user(const struct kubeconfig *config, const char *name);
const struct kubeconfig_context *kubeconfig_find_context(const struct kubeconfig *config, const char *name);

/* Wipes the secrets, frees everything. */
void kubeconfig_release(struct kubeconfig *config);

#define _cleanup_kubeconfig_ __attribute__((cleanup(kubeconfig_release)))

#endif
