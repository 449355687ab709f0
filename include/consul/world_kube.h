/*
 * consul/world_kube.h - the world of consul/act.h that is real: Kubernetes, and the servers in its pods.
 */
#ifndef CONSUL_WORLD_KUBE_H
#define CONSUL_WORLD_KUBE_H

#include <stdint.h>

#include "consul/act.h"
#include "consul/view.h"
#include "kube/client.h"
#include "kube/lease.h"

struct world_kube {
	struct kube_client *client;   /* borrowed, as all of it */
	const char *namespace_name;
	const char *name;             /* of the StatefulSet; NULL: as in consul/observe.h */
	enum ask_way via;
	struct kube_lease *lease;     /* NULL: keep does nothing */
};

/* What of it lives in ret_world is borrowed from context. */
void world_kube(struct world_kube *context, struct world *ret_world);

#endif
