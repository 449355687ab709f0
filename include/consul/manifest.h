/*
 * consul/manifest.h - the Kubernetes objects of a Consul cluster, from settings. Pure.
 *
 * Names, of a cluster NAME:
 *   ServiceAccount       NAME                without a token: a server never talks to Kubernetes
 *   Secret               NAME-gossip         gossip.json, the gossip key as a piece of Consul configuration
 *   Secret               NAME-ca             tls.crt, tls.key: the authority; no pod has it   (TLS)
 *   Secret               NAME-tls            ca.crt, tls.crt, tls.key: what servers present   (TLS)
 *   Secret               NAME-acl            agent.json, probe: the servers' own tokens       (ACLs)
 *   Secret               NAME-acl-bootstrap  token: the management token; no pod has it       (ACLs)
 *   ConfigMap            NAME-server         server.json, bootstrap_expect
 *   Service              NAME                headless, unready pods included: how servers find each other
 *   Service              NAME-client         HTTP API and DNS on ready servers (= voters): for everybody else
 *   PodDisruptionBudget  NAME                one server at a time
 *   StatefulSet          NAME                the servers; claims data-NAME-N
 *
 * What holds for them:
 *  - Only fields that Kubernetes 1.20 and all newer ones have. Every port names its protocol, every claim
 *    template its apiVersion and kind: server-side apply of old servers needs both.
 *  - The pod template has nothing that depends on the number of servers: scaling restarts nobody. bootstrap_expect is in
 *    the ConfigMap and stays what it was at the first deploy. All else of the configuration is in annotations of the
 *    template, from which a pod's own files are made (downward API): a change of it is a new revision, and a server of an
 *    older revision starts anew with the configuration of that revision, whatever was deployed since.
 *  - Secrets are not in the template: certificates and keys are renewed without a restart.
 *  - With TLS the plain HTTP API is on the pod's loopback only, for the readiness probe and for who may exec.
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

#include "consul/certificate.h"
#include "util/err.h"
#include "util/str.h"

#define MANIFEST_IMAGE        "hashicorp/consul:1.21"
#define MANIFEST_STORAGE_SIZE "10Gi"
#define MANIFEST_DATACENTER   "dc1"
#define MANIFEST_REPLICAS     3
#define MANIFEST_REPLICAS_MAX 100

/* The label that tells objects of ours, and the field manager of what we write. */
#define MANIFEST_MANAGED_BY "kubectl-consul"

/* The keys of the Secrets and the ConfigMap, and files in the servers' configuration directory. */
#define MANIFEST_GOSSIP_FILE   "gossip.json"
#define MANIFEST_SERVER_FILE   "server.json"
#define MANIFEST_EXPECT_FILE   "expect.json" /* what the ConfigMap's server.json is there */
#define MANIFEST_SETTINGS_FILE "settings.json"
#define MANIFEST_AGENT_FILE    "agent.json"

/* Keys of the other Secrets. */
#define MANIFEST_KEY_AUTHORITY   "ca.crt"
#define MANIFEST_KEY_CERTIFICATE "tls.crt"
#define MANIFEST_KEY_KEY         "tls.key"
#define MANIFEST_KEY_PROBE       "probe"
#define MANIFEST_KEY_TOKEN       "token"
#define MANIFEST_KEY_RECOVERY    "recovery"

/* The pod template's annotations that hold the configuration: what deploy sets, and what a person adds. */
#define MANIFEST_ANNOTATION_SERVER   "kubectl-consul/server"
#define MANIFEST_ANNOTATION_SETTINGS "kubectl-consul/settings"

/*
 * The StatefulSet's: the mode of TLS that is wanted in the end; the revision that a way back leads to, while it is
 * under way.
 */
#define MANIFEST_ANNOTATION_TLS  "kubectl-consul/tls"
#define MANIFEST_ANNOTATION_BACK "kubectl-consul/going-back-to"

/*
 * How far the servers use TLS. Servers of neighbouring modes understand each other, and no others do (seen on 1.8.7),
 * so that it is turned on and off one mode, and one server, at a time:
 *   accepted  they have certificates; RPC and HTTP are served plain and encrypted, and asked for plain
 *   spoken    RPC between servers is encrypted and verified; plain is served still
 *   on        RPC without a certificate of the authority is refused, and plain HTTP is on the pod's loopback only
 */
enum manifest_tls { MANIFEST_TLS_OFF, MANIFEST_TLS_ACCEPTED, MANIFEST_TLS_SPOKEN, MANIFEST_TLS_ON };

const char *manifest_tls_name(enum manifest_tls tls); /* "off", "accepted", "spoken", "on" */
/* The mode of this name; otherwise if there is none. */
enum manifest_tls manifest_tls_named(const char *name, enum manifest_tls otherwise);

/* Where to go from live on the way to wanted: one mode at a time. */
enum manifest_tls manifest_next_tls(enum manifest_tls live, enum manifest_tls wanted);

/* The tokens of the servers themselves (consul/acl.h): UUIDs, secret. */
struct manifest_tokens {
	char *agent;
	char *probe;
	char *management;
	char *recovery;
};

/*
 * What Secrets are made with; each may be NULL: then that Secret is there already, and left out. Borrowed, secret.
 * authority may lack its key: it is the person's own.
 */
struct manifest_secrets {
	const char *gossip_key;
	const struct key_pair *authority;
	const struct key_pair *server; /* signed by authority */
	const struct manifest_tokens *tokens;
};

/* Everything the objects depend on. All strings are borrowed. */
struct manifest_settings {
	const char *namespace_name;
	const char *name;
	const char *image;
	const char *datacenter;
	const char *storage_size;  /* a quantity, "10Gi" */
	const char *storage_class; /* NULL: the cluster's default; "": none, volumes are made by hand */
	struct manifest_secrets secrets;
	const cJSON *server_config; /* instead of what the other settings give; NULL: those */
	const cJSON *shared_config; /* for pods of a template without annotations: the ConfigMap has this, too; NULL: none */
	const cJSON *extra; /* what a person adds to the configuration: passed manifest_check_extra; NULL: nothing */
	enum manifest_tls tls;
	enum manifest_tls tls_wanted; /* in the end */
	const char *going_back_to;    /* a revision's name; NULL: it is no way back */
	bool acls; /* enforced, and what no rule allows is denied */
	int64_t replicas;
	int64_t bootstrap_expect; /* how many servers wait for each other before the very first election */
};

/* Says what is wrong with the first setting that is (ERR_USAGE, naming its option). Secrets are not looked at. */
int manifest_check(const struct manifest_settings *settings, struct err *err) __attribute__((warn_unused_result));

/*
 * Whether a person may add this to the configuration: a JSON object without the settings that deploy answers for, or that
 * hold secrets (ERR_USAGE names the first one that is, and what to use instead).
 */
int manifest_check_extra(const cJSON *extra, struct err *err) __attribute__((warn_unused_result));

/* What is allowed but unwise about a number of servers; adds a sentence to warnings for each. */
void manifest_warn_replicas(int64_t replicas, struct strv *warnings);

/* The objects, a JSON array in the order in which they are applied; settings must pass manifest_check. Caller frees. */
cJSON *manifest_render(const struct manifest_settings *settings) __attribute__((warn_unused_result));

/*
 * Takes over into set, a rendered StatefulSet, what may not change in one that exists (live): claim templates,
 * selector, serviceName, podManagementPolicy.
 */
void manifest_keep_immutable(cJSON *set, const cJSON *live);

/*
 * Whether Kubernetes replaces the pods of an older template by itself, or (false) waits until they are deleted. Rolling ends
 * a way back.
 */
void manifest_set_rolling(cJSON *set, bool rolling);

/* Whether some pods of a live set may still be of an older template, or somebody has still to see to it. */
bool manifest_is_rolling(const cJSON *set);

/* What a configuration tells. config NULL: off. */
enum manifest_tls manifest_tls_of(const cJSON *config);
bool manifest_acls_of(const cJSON *config);

/*
 * The configuration that a pod template's annotations have, in its two parts; each NULL where there is none. Owned by the
 * caller. ERR_INVALID: it is no JSON.
 */
int manifest_configuration(const cJSON *pod_template, cJSON **ret_server, cJSON **ret_extra, struct err *err)
    __attribute__((warn_unused_result));

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
cJSON *manifest_secret(const struct manifest_settings *settings, const char *suffix, cJSON *string_data)
    __attribute__((warn_unused_result));
cJSON *manifest_gossip_secret(const struct manifest_settings *settings) __attribute__((warn_unused_result));
cJSON *manifest_authority_secret(const struct manifest_settings *settings) __attribute__((warn_unused_result));
cJSON *manifest_tls_secret(const struct manifest_settings *settings) __attribute__((warn_unused_result));
cJSON *manifest_acl_secret(const struct manifest_settings *settings) __attribute__((warn_unused_result));
cJSON *manifest_bootstrap_secret(const struct manifest_settings *settings) __attribute__((warn_unused_result));
cJSON *manifest_server_config(const struct manifest_settings *settings) __attribute__((warn_unused_result));

/* The ports of a Consul server, by what they are for. */
enum {
	MANIFEST_PORT_SERVER = 8300,
	MANIFEST_PORT_SERF_LAN = 8301,
	MANIFEST_PORT_SERF_WAN = 8302,
	MANIFEST_PORT_HTTP = 8500,
	MANIFEST_PORT_HTTPS = 8501,
	MANIFEST_PORT_DNS = 8600,
};

#endif
