/*
 * kube/impersonation.h - as whom a request is made: kubectl's --as, --as-uid, --as-group, --as-user-extra. Pure.
 *
 * Source: client-go transport/round_trippers.go (header names and how keys are escaped).
 */
#ifndef KUBE_IMPERSONATION_H
#define KUBE_IMPERSONATION_H

#include "util/err.h"
#include "util/str.h"

/* Most groups and extra values together. */
#define IMPERSONATION_MAX ((size_t)64)

/* Owns its strings. Nobody is impersonated while user is NULL. */
struct impersonation {
	char *user;
	char *uid;
	struct strv groups;
	struct strv extra_keys;   /* as many as extra_values; a key with several values comes several times */
	struct strv extra_values;
};

#define IMPERSONATION_INIT { 0 }

void impersonation_release(struct impersonation *as);

/* Appends the header lines: "Impersonate-User: joe". ERR_CONFIG when something cannot be sent in a header. */
int impersonation_headers(const struct impersonation *as, struct strv *lines, struct err *err)
	__attribute__((warn_unused_result));

#endif
