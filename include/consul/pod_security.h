/*
 * consul/pod_security.h - whether pods fit a level of the Pod Security Standards, told before they are refused. Pure.
 *
 * A level's newest version is meant, with all lists of baseline and restricted; of the containers those of all three kinds
 * (init, ordinary, ephemeral). What newer Kubernetes allows to pods with a user namespace of their own is not allowed here.
 *
 * Source: Kubernetes documentation, Pod Security Standards (1.34); k8s.io/pod-security-admission decides the same.
 */
#ifndef CONSUL_POD_SECURITY_H
#define CONSUL_POD_SECURITY_H

#include <cjson/cJSON.h>

#include "util/str.h"

enum pod_security_level { POD_SECURITY_PRIVILEGED, POD_SECURITY_BASELINE, POD_SECURITY_RESTRICTED };

const char *pod_security_level_name(enum pod_security_level level); /* "restricted" */

/* The level of that name; privileged, as Kubernetes takes it, when text is NULL. -1: there is none such. */
int pod_security_level_find(const char *text, enum pod_security_level *ret_level) __attribute__((warn_unused_result));

/*
 * What of a pod template (metadata and spec; a pod is one, too) a level does not allow: a sentence for each, added to
 * violations; none: it fits. Names in them are as they came.
 */
void pod_security_check(const cJSON *pod_template, enum pod_security_level level, struct strv *violations);

#endif
