/*
 * kube/warning.h - what the API server wants people to know: the Warning headers of its answers. Pure.
 *
 * `Warning: 299 - "policy/v1beta1 PodDisruptionBudget is deprecated in v1.21+"` (RFC 7234, 5.5; Kubernetes sends 299
 * only). One header may have several, with commas between them.
 */
#ifndef KUBE_WARNING_H
#define KUBE_WARNING_H

#include "util/str.h"

/* Texts that are kept of one client, and bytes of each: no server fills a screen. */
#define KUBE_WARNINGS_MAX     20
#define KUBE_WARNING_TEXT_MAX ((size_t)512)

/*
 * Adds the texts of a header's value with code 299 that list does not have yet, made visible. What is malformed is left
 * out.
 */
void kube_warning_parse(const char *value, struct strv *list);

#endif
