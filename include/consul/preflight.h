/*
 * consul/preflight.h - everything that would go wrong with a deploy, found before anything is written, all of it at once.
 *
 * Reads only (reviews of rights are asked by POST, and kept by nobody). What may not be read is unknown, and no problem.
 * Objects whose live version could not be read count as new ones; but nothing is said to delete then (blind).
 *
 * Sources: Kubernetes API reference: authorization.k8s.io/v1 SelfSubjectAccessReview, authentication.k8s.io/v1
 * SelfSubjectReview (from 1.28), storage.k8s.io/v1 StorageClass, core/v1 Node; consul/pod_security.h,
 * consul/image_reference.h.
 */
#ifndef CONSUL_PREFLIGHT_H
#define CONSUL_PREFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consul/apply.h"
#include "kube/client.h"
#include "util/err.h"
#include "util/str.h"

/* From fine to worst: the worst that was found is a check's outcome. */
enum preflight_outcome {
	PREFLIGHT_FINE,
	PREFLIGHT_NOTE,    /* worth knowing, and no obstacle */
	PREFLIGHT_UNKNOWN, /* could not be found out */
	PREFLIGHT_PROBLEM, /* the deploy would fail, or harm somebody */
};

/* One thing that was looked at. Owns its strings. Names from the cluster are in them as they came. */
struct preflight_check {
	/* "namespace", "rights", "storage class", "leftover claims", "owner", "pod security", "nodes", "image" */
	const char *name;
	enum preflight_outcome outcome;
	char *text;  /* what was seen */
	char *hint;  /* what to do, sentences separated by newlines; NULL: nothing */
	char *paste; /* lines for a shell, to be printed as they are (a Role to make); NULL: none */
};

struct preflight {
	struct preflight_check *items; /* in the order above */
	size_t count;
};

#define PREFLIGHT_INIT { 0 }

struct preflight_request {
	const char *namespace_name;
	const char *name;                 /* of the StatefulSet */
	const struct apply_list *objects; /* located and read (consul/apply.h): what would be applied */
	bool acls;                        /* ACLs will be set up: the tunnel, the Secrets */
	bool exists;                      /* the cluster does: the Lease */
	bool restarts;                    /* pods will be replaced one by one: delete on pods */
	bool scales;                      /* the number of servers will change, too: statefulsets/scale */
	bool blind;                       /* live versions may be unread: whether the StatefulSet exists is not known then */
};

/*
 * Looks at everything; blocks for one round of requests, however many they are. Fails only when the API server cannot
 * be asked at all. ret (PREFLIGHT_INIT) is released by the caller.
 */
int preflight(struct kube_client *client, const struct preflight_request *request, int64_t deadline_ms,
              struct preflight *ret, struct err *err) __attribute__((warn_unused_result));

bool preflight_has_problem(const struct preflight *preflight);
void preflight_release(struct preflight *preflight);

const char *preflight_outcome_name(enum preflight_outcome outcome); /* "ok", "note", "unknown", "PROBLEM" */

#endif
