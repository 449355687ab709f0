/*
 * kube/objects.h - the Kubernetes objects we read, decoded: StatefulSet, Pod, claim, disruption budget, Event. Pure.
 *
 * Fields that an object may lack have a documented "absent" value. Times are seconds since 1970, 0 when absent.
 * Every X_decode fills an X_INIT object and fails with ERR_INVALID, naming the object, on JSON that is no such
 * object; the caller releases *ret in either case. Source: Kubernetes API reference v1.20 … v1.3x.
 */
#ifndef KUBE_OBJECTS_H
#define KUBE_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "util/err.h"
#include "util/str.h"

struct kube_env {
	char *name;
	char *value; /* NULL when it comes from a Secret, ConfigMap or field */
};

struct kube_port {
	char *name; /* NULL: none */
	int64_t number;
};

/* A container: what the spec asks for, and (of a pod) what its status says. */
struct kube_container {
	char *name;
	char *image;
	struct strv command;
	struct strv args;
	struct kube_env *env;
	size_t env_count;
	struct kube_port *ports;
	size_t port_count;

	/* status; of a pod's container only */
	bool ready;
	bool running;
	int64_t restarts;
	int64_t started_at;
	char *waiting_reason;  /* "CrashLoopBackOff", "ErrImagePull", …; NULL: not waiting */
	char *waiting_message;
	char *terminated_reason; /* of the current state if terminated, else NULL */
	bool was_terminated;     /* lastState.terminated is there */
	int64_t last_exit_code;
	char *last_reason;
	int64_t last_finished_at;
};

struct kube_pod {
	char *name;
	char *namespace_name;
	char *uid;
	char *resource_version;
	char *phase;           /* "Running", "Pending", …; NULL when absent */
	char *node;            /* NULL: not scheduled */
	char *ip;              /* NULL: none yet */
	char *owner_kind;      /* of the controlling owner; NULL: none */
	char *owner_name;
	char *owner_uid;
	char *revision;        /* label controller-revision-hash */
	int64_t created_at;
	bool deleting;         /* metadata.deletionTimestamp is set */
	bool ready;            /* condition Ready */
	char *unscheduled_message; /* of condition PodScheduled=False, else NULL */
	char *status_reason;   /* status.reason, e.g. "Evicted" */
	struct kube_container *containers;
	size_t container_count;
	struct strv claims;    /* names of the claims it mounts */
};

struct kube_statefulset {
	char *name;
	char *namespace_name;
	char *uid;
	char *resource_version;
	char *service_name;
	char *pod_management;   /* "OrderedReady" or "Parallel" */
	char *update_strategy;  /* "RollingUpdate" or "OnDelete" */
	char *current_revision;
	char *update_revision;
	char *managed_by;       /* label app.kubernetes.io/managed-by */
	char *label_app;        /* label app */
	char *label_name;       /* label app.kubernetes.io/name */
	char *label_chart;      /* label helm.sh/chart, or chart */
	char *label_component;  /* label component */
	char *selector;         /* spec.selector as a label selector string ("a=b,c=d"), matchLabels only */
	bool selector_exact;    /* false when matchExpressions were left out of selector */
	bool claims_go;         /* persistentVolumeClaimRetentionPolicy.whenScaled is Delete (from 1.23) */
	int64_t created_at;
	int64_t generation;
	int64_t observed_generation;
	int64_t replicas;       /* spec; 1 when absent */
	int64_t ordinal_start;  /* spec.ordinals.start; 0 when absent */
	int64_t partition;
	int64_t status_replicas;
	int64_t ready_replicas;
	int64_t updated_replicas;
	int64_t grace_seconds;  /* of the pod template; 30 when absent */
	struct kube_container *containers; /* of the pod template */
	size_t container_count;
	struct strv claim_templates;       /* names of spec.volumeClaimTemplates */
	struct strv secrets;               /* names of the Secrets in the template's volumes, projected ones included */
};

struct kube_claim {
	char *name;
	char *uid;
	char *resource_version;
	char *phase;          /* "Bound", "Pending", "Lost" */
	char *storage_class;  /* NULL: none named */
	char *requested;      /* "1Gi" */
	char *volume;         /* NULL: not bound */
	char *mounted_by;     /* not decoded: a pod that uses it, if whoever lists both says so; NULL */
	int64_t created_at;
	bool deleting;
};

struct kube_budget {
	char *name;
	char *min_available;    /* number or percentage as text; NULL: not set */
	char *max_unavailable;
	int64_t disruptions_allowed;
	int64_t expected_pods;
	cJSON *match_labels;    /* owned; an object, or NULL */
	bool match_expressions; /* the selector has some, which match_labels does not show */
};

#define KUBE_POD_INIT { 0 }
#define KUBE_STATEFULSET_INIT { .replicas = 1, .grace_seconds = 30 }
#define KUBE_CLAIM_INIT { 0 }
#define KUBE_BUDGET_INIT { 0 }

int kube_pod_decode(const cJSON *json, struct kube_pod *ret, struct err *err) __attribute__((warn_unused_result));
int kube_statefulset_decode(const cJSON *json, struct kube_statefulset *ret, struct err *err)
	__attribute__((warn_unused_result));
int kube_claim_decode(const cJSON *json, struct kube_claim *ret, struct err *err) __attribute__((warn_unused_result));
int kube_budget_decode(const cJSON *json, struct kube_budget *ret, struct err *err)
	__attribute__((warn_unused_result));

void kube_pod_release(struct kube_pod *pod);
void kube_statefulset_release(struct kube_statefulset *set);
void kube_claim_release(struct kube_claim *claim);
void kube_budget_release(struct kube_budget *budget);

/* The items of a List answer, or an error when it is none. Borrowed. */
int kube_list_items(const cJSON *list, const cJSON **ret_items, struct err *err) __attribute__((warn_unused_result));

/* The container of that name, or NULL. */
const struct kube_container *kube_container_find(const struct kube_container *containers, size_t count, const char *name);

/* The value of an environment variable of a container, or NULL when it has none or it is not literal. */
const char *kube_container_env(const struct kube_container *container, const char *name);

/* The ordinal at the end of "NAME-N" for exactly this set name; -1 when pod_name is no such name. */
int64_t kube_ordinal(const char *set_name, const char *pod_name);

/* True when the budget's selector matches a pod with these labels (matchLabels only). */
bool kube_budget_matches(const struct kube_budget *budget, const cJSON *pod_labels);

#endif
