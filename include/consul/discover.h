/*
 * consul/discover.h - which StatefulSet is meant, and which of its containers is Consul. Pure.
 *
 * Clusters that others made carry the labels of the Helm charts or of the old examples, or none at all; then the
 * command line of the container tells (`consul agent -server`).
 */
#ifndef CONSUL_DISCOVER_H
#define CONSUL_DISCOVER_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "kube/objects.h"
#include "util/err.h"

/* Whether the pods of this StatefulSet are Consul servers, as far as its labels and containers tell. */
bool discover_runs_servers(const struct kube_statefulset *set);

/* The container named consul, or the only one, or the only one that runs a server; NULL: cannot be told. */
const struct kube_container *discover_container(const struct kube_pod *pod);

/*
 * There is no StatefulSet named wanted. Of list (a StatefulSetList of the namespace) gives the name of the only one that
 * runs servers, a new string; none, or several, is ERR_NOT_FOUND with what is there and what to do. When the name was
 * the user's own (is_explicit) no other is taken.
 */
int discover_other(const cJSON *list, const char *namespace_name, const char *wanted, bool is_explicit, char **ret_name,
		   struct err *err) __attribute__((warn_unused_result));

#endif
