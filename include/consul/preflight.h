/*
 * consul/preflight.h - everything that would go wrong with a deploy, found before anything is written, all of it at once.
 *
 * Reads only (access reviews are asked by POST, and kept by nobody). What may not be read is unknown, and no problem.
 *
 * Sources: Kubernetes authorization.k8s.io/v1 SelfSubjectAccessReview, storage.k8s.io/v1 StorageClass, Pod Security Standards,
 * the distribution project's reference grammar.
 */
#ifndef CONSUL_PREFLIGHT_H
#define CONSUL_PREFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "consul/apply.h"
#include "kube/client.h"
#include "util/err.h"

enum preflight_outcome {
	PREFLIGHT_FINE,
	PREFLIGHT_NOTE,    /* worth knowing, and no obstacle */
	PREFLIGHT_UNKNOWN, /* could not be found out */
	PREFLIGHT_PROBLEM, /* the deploy would fail, or harm somebody */
};

/* One thing that was looked at. Owns its strings. */
struct preflight_check {
	const char *name;  /* "rights", "storage class", "leftover claims", "owner", "pod security", "nodes", "image" */
	enum preflight_outcome outcome;
	char *text;        /* one line: what was seen */
	char *hint;        /* what to do; several lines are possible (a Role to paste); NULL: nothing */
};

struct preflight {
	struct preflight_check *items; /* in the order above */
	size_t count;
};

#define PREFLIGHT_INIT { 0 }

struct preflight_request {
	const char *namespace_name;
	const char *name;                /* of the StatefulSet */
	const struct apply_list *objects; /* located and read (consul/apply.h): what would be applied */
	bool acls;                       /* ACLs will be set up: pods/portforward, secrets */
	bool restarts;                   /* pods will be replaced one by one: leases, delete on pods, … */
	bool rotates;                    /* certificates or the gossip key */
};

/* Looks at everything at once; about two round trips. Fails only when the API server cannot be asked at all. */
int preflight(struct kube_client *client, const struct preflight_request *request, int64_t deadline_ms,
              struct preflight *ret, struct err *err) __attribute__((warn_unused_result));

bool preflight_has_problem(const struct preflight *preflight);
void preflight_release(struct preflight *preflight);

/* --------------------------------------------------------------------------------------------- pure */

/* What is wrong with an image reference; 0 when nothing is. */
int preflight_check_image(const char *image, struct err *err) __attribute__((warn_unused_result));

enum pod_security_level { POD_SECURITY_PRIVILEGED, POD_SECURITY_BASELINE, POD_SECURITY_RESTRICTED };

/*
 * What of a pod template (metadata and spec) a level does not allow: a sentence for each, added to violations; none: it fits.
 * The level's newest version.
 */
void pod_security_check(const cJSON *pod_template, enum pod_security_level level, struct strv *violations);

#endif
