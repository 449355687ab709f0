/*
 * cluster_changes.h - what the API server of a scripted cluster lets a client change: the number of replicas, and Leases.
 *
 *     struct cluster_changes changes = { .cluster = cluster };
 *     cluster_changes_begin(&changes);
 *     … run the program; cluster_changes_writes(&changes) says what it changed …
 *     cluster_stop(cluster);
 *     cluster_changes_end(&changes);
 *
 * A server that comes is well, a voter at once (or what comes_as says); one that goes has left, and is no peer any more.
 */
#ifndef SUPPORT_CLUSTER_CHANGES_H
#define SUPPORT_CLUSTER_CHANGES_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "cluster.h"

struct cluster_changes {
	struct cluster *cluster; /* must be stopped before the end */
	struct cluster_server comes_as;
	const char *holder; /* of the Lease, somebody else; NULL: there is no Lease yet */
	bool renews;        /* that one is alive: each look shows another renewal */
	const char *refuse; /* pattern of paths that may not be written: 403; NULL: none */

	/* its own */
	struct apiserver_route routes[3];
	cJSON *lease;
	int version;
};

void cluster_changes_begin(struct cluster_changes *changes);
void cluster_changes_end(struct cluster_changes *changes);

/* How many requests other than GET reached the API server or an agent: 0 means that nothing was changed. */
size_t cluster_changes_writes(const struct cluster_changes *changes);

/* Who holds the Lease: "" for nobody, NULL when there is none. */
const char *cluster_changes_holder(const struct cluster_changes *changes);

#endif
