/*
 * consul/snapshot.h - one snapshot of the truth on three planes: Kubernetes, gossip, raft. Plain data.
 *
 * Made by consul/observe.h (or by the simulation and the tests), read by assess and plan, remembered by nobody.
 */
#ifndef CONSUL_SNAPSHOT_H
#define CONSUL_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consul/view.h"
#include "kube/objects.h"
#include "util/err.h"

/* One place for a server: a pod that exists, or an ordinal below the replica count that has none. */
struct server {
	char *name;            /* the pod's name */
	int64_t ordinal;       /* -1 for a pod that is not named SET-N */
	bool has_pod;
	struct kube_pod pod;   /* KUBE_POD_INIT when it has none */
	const struct kube_container *container; /* the one Consul runs in; borrowed from pod; NULL when it cannot be told */
	struct view view;      /* what it says; all planes unknown when it was not asked */
};

struct budget_state {
	bool known;            /* could be listed */
	bool exists;           /* one matches the servers' pods */
	struct kube_budget budget;
	struct err err;        /* why not known */
};

/* Autopilot's settings that matter when servers come and go. */
struct autopilot_state {
	bool known;
	bool has_min_quorum;   /* this Consul has the setting (about 1.6.2) */
	int64_t min_quorum;    /* 0: not set */
	bool cleans_up;        /* cleanup_dead_servers */
	struct err err;        /* why not known; empty when nobody asked */
};

/*
 * bootstrap_expect as a server will have it that starts now. It matters to one without data only, and there a lot: with 1 it
 * does not wait for anybody, and makes a cluster of its own.
 */
struct expect_state {
	bool known;
	int64_t expect;
	bool can_change; /* it is in the ConfigMap that deploy made */
	char *resource_version; /* of that, and the configuration in it; NULL: it is read elsewhere */
	cJSON *config;
	struct err err;  /* where it is could not be read; empty when there is nothing to read, or nobody asked */
};

/* Whose ACL token the servers were asked with (consul/access.h): nobody's, the user's, that of the Secret. */
enum token_source { TOKEN_NONE, TOKEN_GIVEN, TOKEN_FOUND };

struct token_state {
	enum token_source source;
	struct err err; /* why the Secret's could not be had; empty when it could, was not needed, or there is no such Secret */
};

struct snapshot {
	char *namespace_name;
	struct kube_statefulset set;
	struct server *servers;   /* by ordinal, ascending; pods without an ordinal last */
	size_t server_count;
	struct kube_claim *claims; /* of this set's claim templates, all ordinals, leftovers included */
	size_t claim_count;
	bool claims_known;
	struct err claims_err;
	bool mounts_unknown;      /* more pods than are listed at once: one that is no server's may mount a claim unseen */
	struct budget_state budget;
	struct autopilot_state autopilot; /* asked for by observe_options.autopilot only */
	struct expect_state expect;       /* the same */
	struct token_state token;
	int64_t taken_at;         /* wall clock, seconds: the API server's, if it tells; else this machine's */
};

#define SNAPSHOT_INIT { .set = KUBE_STATEFULSET_INIT }

/* The server of this name; NULL when there is none. */
const struct server *snapshot_server_by_name(const struct snapshot *snapshot, const char *pod_name);

/* The ordinal of a claim named TEMPLATE-SET-N of this set; -1 when it is no such name. */
int64_t snapshot_claim_ordinal(const struct snapshot *snapshot, const char *claim_name);

/* Whether the replicas include a server of this ordinal. -1, none, is not included. */
bool snapshot_wants_ordinal(const struct snapshot *snapshot, int64_t ordinal);

/* The same, were there so many replicas. */
bool snapshot_would_want(const struct snapshot *snapshot, int64_t ordinal, int64_t replicas);

/* Whether the server's pod is there, and of another revision than the newest, whoever is to replace it. */
bool snapshot_has_old_pod(const struct snapshot *snapshot, const struct server *server);

void snapshot_release(struct snapshot *snapshot);

#endif
