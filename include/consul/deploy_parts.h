/*
 * consul/deploy_parts.h - what the files of consul/deploy.h share: what exists, and what is made of it. Used by
 * src/consul/deploy*.c only.
 */
#ifndef CONSUL_DEPLOY_PARTS_H
#define CONSUL_DEPLOY_PARTS_H

#include "consul/deploy.h"

/* One Secret of the cluster. */
struct deploy_secret {
	bool known; /* it may be read */
	bool there;
};

/* Asked first, since the objects depend on it. Owned. */
struct deploy_existing {
	cJSON *set;    /* NULL: there is none; likewise below */
	cJSON *config; /* of the newest template; of one without annotations: that of the ConfigMap */
	cJSON *extra;
	cJSON *shared; /* the ConfigMap's */
	bool annotated; /* the template has its configuration itself */
	struct deploy_secret gossip;
	struct deploy_secret authority;
	struct deploy_secret tls;
	struct deploy_secret acl;
	struct deploy_secret bootstrap;
	struct key_pair authority_pair; /* what NAME-ca holds */
	char *bundle, *certificate;     /* what NAME-tls does: ca.crt, tls.crt */
};

#define DEPLOY_EXISTING_INIT { .authority_pair = KEY_PAIR_INIT }

/* Reads it, all at once. ERR_NOT_FOUND: the namespace is not there. */
int deploy_read_existing(struct kube_client *client, const struct deploy_request *request, int64_t deadline_ms,
                         struct deploy_existing *ret, struct err *err) __attribute__((warn_unused_result));
void deploy_existing_release(struct deploy_existing *existing);

/* The first claim template of a StatefulSet. Borrowed. */
const cJSON *deploy_live_claim(const cJSON *set);

/* ------------------------------------------------------------------------------------ planning */

/* What is given, else what exists, else the default, but for TLS and ACLs. Borrows from both. */
struct manifest_settings deploy_resolve(const struct deploy_request *request, const struct deploy_existing *existing);

/* Adds the rendered objects to the plan's; of a StatefulSet that exists what may not change stays. */
void deploy_add_objects(const struct manifest_settings *settings, const struct deploy_existing *existing,
                        struct apply_list *list);

/* Locates and reads the plan's objects. ERR_REFUSED: one is somebody else's. */
int deploy_locate(struct kube_client *client, const struct manifest_settings *settings, int64_t deadline_ms,
                  struct deploy_plan *plan, struct err *err) __attribute__((warn_unused_result));

/* ------------------------------------------------------------------------------------ refusals
 * ERR_REFUSED, each with the way out.
 */

/* What the request would change and a deploy never changes. */
int deploy_check_existing(const struct deploy_request *request, const struct deploy_existing *existing,
                          struct err *err) __attribute__((warn_unused_result));

/* Whether servers that get TLS only now can use the NAME-tls that is there. */
int deploy_check_certificate(const struct deploy_request *request, const struct deploy_existing *existing,
                             const char *datacenter, struct err *err) __attribute__((warn_unused_result));

/* resource exists and is somebody else's. Returns -1. */
int deploy_refuse_foreign(const char *resource, const cJSON *live, struct err *err);

/* resource was made by a deploy of another name. Returns -1. */
int deploy_refuse_other_cluster(const char *resource, const char *cluster, struct err *err);

/* Servers of two templates would stay that for ever, where TLS is to go on only when all are of one. Returns -1. */
int deploy_refuse_partition(const struct deploy_request *request, int64_t partition, struct err *err);

/* The StatefulSet of a file has another number of servers than it has now. Returns -1. */
int deploy_refuse_scaling(const char *name, int64_t wanted, int64_t live, const char *namespace_name, struct err *err);

/* ------------------------------------------------------------------------------------ secrets */

/* What is made for Secrets that are not there yet. Owned, wiped on release. */
struct deploy_secrets {
	char *gossip_key;
	struct key_pair authority; /* without its key where that is the user's own */
	struct key_pair server;
	struct manifest_tokens tokens;
	bool any;
};

#define DEPLOY_SECRETS_INIT { .authority = KEY_PAIR_INIT, .server = KEY_PAIR_INIT }

/*
 * Makes what settings (whose modes are set) need and existing lacks, and points settings->secrets there. A Secret that may
 * exist without being readable is made as well: it is created only if there is none; with TLS or ACLs that would not do, and
 * is ERR_FORBIDDEN.
 */
int deploy_make_secrets(const struct deploy_request *request, const struct deploy_existing *existing,
                        struct manifest_settings *settings, struct deploy_secrets *ret, struct err *err)
    __attribute__((warn_unused_result));
void deploy_secrets_release(struct deploy_secrets *secrets);

#endif
