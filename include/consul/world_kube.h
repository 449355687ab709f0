/*
 * consul/world_kube.h - the world of consul/act.h that is real: Kubernetes, and the servers in its pods.
 *
 * Every function blocks for at most its own deadline: observe and inspect 8 s, tell 10 s (leave 3 s: it is "asked"
 * then, since an agent answers only when it has left), set_expect 13 s (kubelets must hear of it, too), each of the
 * others 10 s; and none goes beyond deadline_ms.
 *
 * set_expect applies the ConfigMap as deploy does; a field in it that somebody else set is ERR_REFUSED.
 *
 * RBAC beyond observe's: patch on statefulsets/scale; patch on configmaps; delete on persistentvolumeclaims, and on
 * pods (rollout); list on events (explain; not having it is no failure); what kube/lease.h, consul/tell.h,
 * consul/crash.h and consul/remains.h name.
 */
#ifndef CONSUL_WORLD_KUBE_H
#define CONSUL_WORLD_KUBE_H

#include <stdint.h>

#include "consul/access.h"
#include "consul/act.h"
#include "kube/client.h"
#include "kube/lease.h"

struct world_kube {
	struct kube_client *client;   /* borrowed, as all of it */
	const char *namespace_name;
	const char *name;             /* of the StatefulSet; NULL: as in consul/observe.h */
	struct access *access;        /* NULL: auto, no token */
	struct kube_lease *lease;     /* NULL: keep does nothing */
	int64_t deadline_ms;          /* of the whole run, monotonic; 0: none */
};

/* What of it lives in ret_world is borrowed from context. */
void world_kube(struct world_kube *context, struct world *ret_world);

#endif
