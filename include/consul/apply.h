/*
 * consul/apply.h - Kubernetes objects on their way to the API server: where they belong, what is there, sending them.
 *
 * Server-side apply (PATCH, application/apply-patch+yaml) with MANIFEST_MANAGED_BY as the field manager; objects that
 * are made once are POSTed, so that nobody's are overwritten, whoever comes first. Nothing is forced unless asked for:
 * a field that somebody else set otherwise is an error that names both.
 *
 * Sources: kubernetes staging/src/k8s.io/apiserver pkg/endpoints/handlers (1.20 and newer).
 */
#ifndef CONSUL_APPLY_H
#define CONSUL_APPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "kube/client.h"
#include "util/err.h"

enum apply_change { APPLY_NOT_DONE, APPLY_CREATED, APPLY_CONFIGURED, APPLY_UNCHANGED };

struct apply_object {
	cJSON *json;      /* owned */
	char *source;     /* "consul.yaml, document 2"; NULL: rendered */
	bool create_only; /* made once: left as it is when it exists */
	bool must_be_new; /* with create_only: one that somebody makes meanwhile does not fit to the others of the list */

	/* apply_locate */
	char *resource;   /* "statefulset.apps/consul", as kubectl prints it */
	char *collection; /* "/apis/apps/v1/namespaces/ns/statefulsets" */
	char *path;       /* collection/NAME */
	int rank;         /* place in the order of application: smaller first */

	/* apply_read */
	cJSON *live; /* owned; NULL: there is none, or it may not be read */

	/* apply_send */
	enum apply_change change;
	cJSON *result; /* owned; as the server has it now, or would have it; NULL: nothing was sent, or it was left alone */
};

struct apply_list {
	struct apply_object *items;
	size_t count;
};

#define APPLY_LIST_INIT                                                                                                \
	{                                                                                                              \
		0                                                                                                      \
	}

/* Appends an object, taking json over. The result is valid until the next one. */
struct apply_object *apply_list_add(struct apply_list *list, cJSON *json);

/* Frees everything; what Secrets hold is wiped. */
void apply_list_release(struct apply_list *list);

/*
 * Finds out where each object belongs, asking the server about kinds that are not well known, gives budgets the version
 * of policy that the server has, and sorts: accounts, Secrets, configuration, services, budgets, anything else,
 * workloads. Objects need apiVersion, kind and metadata.name (checked by apply_check). An object without a namespace
 * gets namespace_name.
 */
int apply_locate(struct kube_client *client, struct apply_list *list, const char *namespace_name, int64_t deadline_ms,
                 struct err *err) __attribute__((warn_unused_result));

/* Says what an object lacks to be one, or that its namespace is another than namespace_name. Pure. */
int apply_check(const cJSON *json, const char *namespace_name, struct err *err) __attribute__((warn_unused_result));

/* Reads what exists of all objects at once. */
int apply_read(struct kube_client *client, struct apply_list *list, int64_t deadline_ms, struct err *err)
    __attribute__((warn_unused_result));

/* The same, but what cannot be read is left as if it were not there. */
int apply_read_what_may_be(struct kube_client *client, struct apply_list *list, int64_t deadline_ms, struct err *err)
    __attribute__((warn_unused_result));

enum apply_mode {
	APPLY_FOR_REAL,
	APPLY_ON_SERVER, /* sent, checked, not kept (dryRun=All) */
	APPLY_ON_CLIENT, /* nothing is sent; compared with what was read */
};

struct apply_options {
	enum apply_mode mode;
	bool force_conflicts; /* take over fields that others set otherwise; replicas of workloads never */
	int64_t deadline_ms;
};

/*
 * Sends one object and tells by object->change what it did, by object->result what the server made of it. A conflict
 * with another field manager is reported on the server's dry run as for real.
 */
int apply_send(struct kube_client *client, struct apply_object *object, const struct apply_options *options,
               struct err *err) __attribute__((warn_unused_result));

/* "created", "configured", "unchanged". */
const char *apply_change_name(enum apply_change change);

/* -------------------------------------------------------------------------------------------- pure */

/* Whether both are the same but for what the server keeps for itself: status, managed fields, versions. */
bool apply_is_same(const cJSON *a, const cJSON *b);

/* Whether live has everything that wanted asks for; further fields are defaults of the server. */
bool apply_is_part(const cJSON *wanted, const cJSON *live);

#endif
