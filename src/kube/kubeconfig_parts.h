/*
 * kubeconfig_parts.h - what src/kube/kubeconfig*.c share: reading the fields of an entry.
 */
#ifndef KUBE_KUBECONFIG_PARTS_H
#define KUBE_KUBECONFIG_PARTS_H

#include <cjson/cJSON.h>

#include "kube/kubeconfig.h"

/* An empty string means the same as none. */
void kubeconfig_drop_empty(char **text);

/* The same, and what is left becomes a path relative to the kubeconfig path. */
void kubeconfig_resolve_path(char **file, const char *path);

/* Decodes a *-data field into *ret_pem. */
int kubeconfig_decode_data(const cJSON *item, const char *field, char **ret_pem, struct err *err)
	__attribute__((warn_unused_result));

/* kubeconfig_user.c. Adds an entry of users, unless an earlier file has one of that name. */
int kubeconfig_add_user(struct kubeconfig *config, const char *path, const cJSON *item, struct err *err)
	__attribute__((warn_unused_result));
void kubeconfig_user_release(struct kubeconfig_user *user);

#endif
