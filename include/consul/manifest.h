/*
 * consul/manifest.h - the Kubernetes objects of a Consul cluster, from settings. Pure.
 *
 * Names, of a cluster NAME:
 *   ServiceAccount       NAME         without a token: a server never talks to Kubernetes
 *   Secret               NAME-gossip  gossip.json, the gossip key as a piece of Consul configuration
 *   ConfigMap            NAME-server  server.json, the rest of the configuration
 *   Service              NAME         headless, unready pods included: how servers find each other
 *   Service              NAME-client  HTTP API and DNS on ready servers (= voters): for everybody else
 *   PodDisruptionBudget  NAME         one server at a time
 *   StatefulSet          NAME         the servers; claims data-NAME-N
 *
 * What holds for them:
 *  - Only fields that Kubernetes 1.20 and all newer ones have. Every port names its protocol, every claim
 *    template its apiVersion and kind: server-side apply of old servers needs both.
 *  - The pod template has nothing that depends on the number of servers, nor a checksum: scaling and changes
 *    of the configuration restart nobody. bootstrap_expect is in the ConfigMap and stays what it was at the first
 * deploy.
 *  - Every planned stop is a clean leave, and ready means: the pod's own address is a raft voter.
 *  - The pods fit Pod Security "restricted".
 *
 * Sources: Consul agent configuration reference (1.8 to 1.21), Kubernetes API reference v1.20.
 */
#ifndef CONSUL_MANIFEST_H
#define CONSUL_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "util/err.h"
#include "util/str.h"

#define MANIFEST_IMAGE        "hashicorp/consul:1.21"
#define MANIFEST_STORAGE_SIZE "10Gi"
#define MANIFEST_DATACENTER   "dc1"
#define MANIFEST_REPLICAS     3
#define MANIFEST_REPLICAS_MAX 100

/* The label that tells objects of ours, and the field manager of what we write. */
#define MANIFEST_MANAGED_BY "kubectl-consul"

/* The keys of the Secret and the ConfigMap; files in the servers' configuration directory. */
#define MANIFEST_GOSSIP_FILE "gossip.json"
#define MANIFEST_SERVER_FILE "server.json"

/* Everything the objects depend on. All strings are borrowed. */
struct manifest_settings {
	const char *namespace_name;
	const char *name;
	const char *image;
	const char *datacenter;
	const char *storage_size;  /* a quantity, "10Gi" */
	const char *storage_class; /* NULL: the cluster's default; "": none, volumes are made by hand */
	const char *gossip_key;    /* secret; NULL: the Secret is there already, and rendered without data */
	int64_t replicas;
	int64_t bootstrap_expect; /* how many servers wait for each other before the very first election */
};

/* Says what is wrong with the first setting that is (ERR_USAGE, naming its option). gossip_key is not looked at. */
int manifest_check(const struct manifest_settings *settings, struct err *err) __attribute__((warn_unused_result));

/* What is allowed but unwise about a number of servers; adds a sentence to warnings for each. */
void manifest_warn_replicas(int64_t replicas, struct strv *warnings);

/* The objects, a JSON array in the order in which they are applied; settings must pass manifest_check. Caller frees. */
cJSON *manifest_render(const struct manifest_settings *settings) __attribute__((warn_unused_result));

/*
 * Takes over into set, a rendered StatefulSet, what may not change in one that exists (live): claim templates,
 * selector, serviceName, podManagementPolicy.
 */
void manifest_keep_immutable(cJSON *set, const cJSON *live);

/* Whether two quantities of storage are the same amount ("1Gi", "1024Mi"). */
bool manifest_same_quantity(const char *a, const char *b);

/* True when object carries our managed-by label. */
bool manifest_is_ours(const cJSON *object);

/*
 * Adds what server-side apply on old API servers insists on and people leave out: the protocol of ports, apiVersion and
 * kind of claim templates. For objects from the user's files; rendered ones have it.
 */
void manifest_complete(cJSON *object);

/* True when a StatefulSet's pods seem to run Consul servers: an image or a container named consul, alone or started
 * with "-server". */
bool manifest_runs_consul(const cJSON *set);

/* The container of a StatefulSet's pods that Consul runs in: the one named consul, or the only one. NULL: neither.
 * Borrowed. */
const cJSON *manifest_consul_container(const cJSON *set);

/* --------------------------------------------------------------------- between the manifest files */

cJSON *manifest_metadata(const struct manifest_settings *settings, const char *suffix)
    __attribute__((warn_unused_result));
cJSON *manifest_selector_labels(const struct manifest_settings *settings) __attribute__((warn_unused_result));
cJSON *manifest_labels(const struct manifest_settings *settings) __attribute__((warn_unused_result));
cJSON *manifest_statefulset(const struct manifest_settings *settings) __attribute__((warn_unused_result));

/* The ports of a Consul server, by what they are for. */
enum {
	MANIFEST_PORT_SERVER = 8300,
	MANIFEST_PORT_SERF_LAN = 8301,
	MANIFEST_PORT_SERF_WAN = 8302,
	MANIFEST_PORT_HTTP = 8500,
	MANIFEST_PORT_DNS = 8600,
};

#endif
