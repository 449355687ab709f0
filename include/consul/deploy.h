/*
 * consul/deploy.h - `deploy`: what is wanted, set beside what exists, becomes objects to apply (consul/apply.h); then
 * the look at how far the servers are.
 *
 * What exists wins over defaults: an option that is not given means "as it is". Never changed by applying: the number
 * of servers (scale does that), Secrets that are there, bootstrap_expect, the data centre, claim templates.
 *
 * TLS is turned on and off for running servers in three goes (enum manifest_tls): a plan is not the last one when it
 * is unfinished, and planning again after it was carried out gives the next.
 */
#ifndef CONSUL_DEPLOY_H
#define CONSUL_DEPLOY_H

#include <stdbool.h>
#include <stdint.h>

#include "consul/apply.h"
#include "consul/assess.h"
#include "consul/manifest.h"
#include "consul/snapshot.h"
#include "kube/client.h"
#include "util/err.h"
#include "util/str.h"

/* Most bytes of one file given by -f. */
#define DEPLOY_FILE_MAX ((size_t)16 * 1024 * 1024)

enum deploy_wish { DEPLOY_AS_IS, DEPLOY_YES, DEPLOY_NO };

/* What the user asked for. All of it is borrowed; NULL and 0: not given. */
struct deploy_request {
	const char *namespace_name;
	const char *name;
	const char *image;
	const char *datacenter;
	const char *storage_size;
	const char *storage_class;
	int64_t replicas; /* of a new cluster */
	const cJSON *extra;
	enum deploy_wish tls;  /* as it is: on for a new cluster */
	bool acls;             /* for a new cluster; not given: as it is */
	bool reset_acls;       /* the management token was lost: a Secret for another is made, if there is none */
	const struct key_pair *authority; /* the user's own, with its key */
	const char *cluster_domain;       /* "cluster.local" */
	int64_t now_s;                    /* wall clock: when certificates begin */
};

/* What is to be applied, and what to wait for then. */
struct deploy_plan {
	struct apply_list objects; /* located, in order, with what exists of them */
	struct strv sets;          /* the StatefulSets that run Consul servers */
	struct strv warnings;      /* sentences for the user */
	bool new_secrets;          /* objects holds keys or tokens that nobody has seen yet */
	bool exists;               /* the StatefulSet is there */
	bool blind;                /* of deploy_plan_blindly */
	bool unfinished;           /* the same request is to be planned and carried out once more after this */
	enum manifest_tls tls;     /* as it will be */
	bool acls;
	bool sets_up_acls;         /* what is missing of them is to be made when there is a leader */
	char *going_back_to;       /* the ControllerRevision of deploy_plan_rollback */
};

#define DEPLOY_PLAN_INIT                                                                                               \
	{                                                                                                              \
		.objects = APPLY_LIST_INIT                                                                             \
	}

void deploy_plan_release(struct deploy_plan *plan);

/* Everything about the request that can be wrong without a cluster (ERR_USAGE). Pure. */
int deploy_check(const struct deploy_request *request, struct err *err) __attribute__((warn_unused_result));

/*
 * Reads what exists and plans the built-in objects. ERR_REFUSED when something of that name is somebody else's, or the
 * request would change what a deploy never changes. Writes nothing. request has passed deploy_check.
 */
int deploy_plan(struct kube_client *client, const struct deploy_request *request, int64_t deadline_ms,
                struct deploy_plan *ret_plan, struct err *err) __attribute__((warn_unused_result));

/*
 * The objects of a new cluster as the request has it, for a preflight where deploy_plan failed since something may not
 * be read or is somebody else's: not to be applied. request has passed deploy_check.
 */
int deploy_plan_blindly(struct kube_client *client, const struct deploy_request *request, int64_t deadline_ms,
                        struct deploy_plan *ret_plan, struct err *err) __attribute__((warn_unused_result));

/*
 * Plans the way back: the pod template before the newest one, with the configuration that its annotation tells.
 * ERR_NOT_FOUND: there is none. Of request only namespace and name are looked at.
 */
int deploy_plan_rollback(struct kube_client *client, const struct deploy_request *request, int64_t deadline_ms,
                         struct deploy_plan *ret_plan, struct err *err) __attribute__((warn_unused_result));

/*
 * After the set of such a plan was applied for real: makes its template exactly the earlier one, whatever others added to it.
 * ERR_CONFLICT: the set has changed since.
 */
int deploy_restore_template(struct kube_client *client, const struct apply_object *set, int64_t deadline_ms,
                            struct err *err) __attribute__((warn_unused_result));

/* The StatefulSet among the plan's objects; NULL: none. Borrowed. */
struct apply_object *deploy_plan_set(const struct deploy_plan *plan);

/* The same as deploy_try tells, without asking: what the server would fill in by default is not known. Pure. */
bool deploy_would_restart(const struct deploy_plan *plan);

/*
 * Lets the API server try all that exists already, so that what it refuses shows before anything is written. *ret_restarts is
 * whether servers have to be replaced one by one, by a new template or because a deploy that did so was stopped.
 */
int deploy_try(struct kube_client *client, struct deploy_plan *plan, bool force_conflicts, int64_t deadline_ms,
               bool *ret_restarts, struct err *err) __attribute__((warn_unused_result));

/*
 * Reads objects from files: YAML or JSON, several documents, Lists; directories give their .json, .yaml and .yml files;
 * "-" is standard input. Errors name file and document. Nothing is asked of a server.
 */
int deploy_files_read(const struct strv *paths, const char *namespace_name, struct apply_list *ret_objects,
                      struct err *err) __attribute__((warn_unused_result));

/* Plans these objects instead of the built-in ones: plan->objects has them, from deploy_files_read. Writes nothing. */
int deploy_plan_files(struct kube_client *client, const char *namespace_name, int64_t deadline_ms,
                      struct deploy_plan *plan, struct err *err) __attribute__((warn_unused_result));

/* 32 random bytes in base64, as `consul keygen` makes them; freed by free_secret. */
int deploy_gossip_key(char **ret_key, struct err *err) __attribute__((warn_unused_result));

/* A random UUID (RFC 4122, version 4), which Consul takes as the secret of a token; freed by free_secret. */
int deploy_token(char **ret_token, struct err *err) __attribute__((warn_unused_result));

/* The plan's objects as text that `kubectl apply -f -` takes: YAML documents, or a List in JSON. A secret; free_secret.
 */
char *deploy_plan_yaml(const struct deploy_plan *plan) __attribute__((warn_unused_result));
char *deploy_plan_json(const struct deploy_plan *plan) __attribute__((warn_unused_result));

/* ------------------------------------------------------------------------------------ how far it is */

/* One server that is not there yet. */
struct deploy_waiting {
	char *server;
	char *reason;        /* one line: "cannot pull image …", "starting", "joined, not a voter yet" */
	bool broken;         /* its container will hardly ever run as it is */
	bool old;            /* its pod is of an older revision than the newest */
	bool stuck;          /* broken, and waiting alone will hardly help: see deploy_progress */
	bool look_at_events; /* Kubernetes' events may tell more (deploy_explain) */
};

struct deploy_progress {
	bool done;  /* rolled out, every server ready and a voter, and a leader all agree on */
	bool stuck; /* one of waiting is */
	int64_t wanted;
	int64_t voters;  /* of the wanted ones: ready and voters */
	int64_t updated; /* of the voters: of the newest revision */
	bool updates;    /* some pod is of an older one */
	bool moving;     /* they are being replaced: some are of the newest, or gone, or on their way out */
	struct deploy_waiting *waiting;
	size_t waiting_count;
	char *summary; /* "2/3 servers are voters, 0/3 are updated; consul-2: starting" */
};

#define DEPLOY_PROGRESS_INIT                                                                                           \
	{                                                                                                              \
		0                                                                                                      \
	}

/*
 * Judges one snapshot. Pure. While old pods are being replaced (moving), only those of the newest revision can be stuck.
 */
void deploy_progress(const struct snapshot *snapshot, const struct assessment *assessment,
                     struct deploy_progress *ret_progress);

/*
 * Adds what Kubernetes' events say of servers whose reason does not tell enough; events that may not be read are no
 * failure, an interrupt is.
 */
int deploy_explain(struct kube_client *client, const struct snapshot *snapshot, struct deploy_progress *progress,
                   int64_t deadline_ms, struct err *err) __attribute__((warn_unused_result));

void deploy_progress_release(struct deploy_progress *progress);

/* Whether Kubernetes need not replace this pod of the set: it is of the newest revision, or nobody asked for that. */
bool deploy_is_newest(const struct kube_statefulset *set, const struct kube_pod *pod);

/* ------------------------------------------------------------------------------ pods that never ran */

/*
 * A rolling update waits for the pod it has just replaced before it goes on to the next. After a first deploy whose
 * image cannot be pulled it waits for ever: the new pod cannot become a voter alone, and the others stay as they are
 * (Kubernetes' documentation of StatefulSets calls it forced rollback, and has them deleted by hand).
 *
 * These are the pods that nobody loses by that, those of the highest ordinal first; borrowed from the snapshot. All of
 * this holds for them:
 *  - of a wanted ordinal, owned by the set, of an older revision, in a status of the set that is current, and the set
 *    updates all of its pods by itself
 *  - its Consul container has never run: it waits for an image, a name or a configuration that is wrong, or for a node
 *  - no server has it as a raft peer or as a live member, by name or by address; and every server that runs has told
 * Nobody is in it while another wanted pod, one that ran, is on its way out. Pure.
 */
struct deploy_never_ran {
	const struct server **servers;
	size_t count;
};

#define DEPLOY_NEVER_RAN_INIT                                                                                          \
	{                                                                                                              \
		0                                                                                                      \
	}

void deploy_never_ran(const struct snapshot *snapshot, struct deploy_never_ran *ret_pods);
void deploy_never_ran_release(struct deploy_never_ran *pods);

/*
 * Deletes the pod of this server, only as it was seen: one that has changed or gone since then is left alone, and
 * *ret_deleted is false. Gently, never by force. Needs "delete" on pods: ERR_FORBIDDEN without.
 */
int deploy_delete_pod(struct kube_client *client, const struct snapshot *snapshot, const struct server *server,
                      int64_t deadline_ms, bool *ret_deleted, struct err *err) __attribute__((warn_unused_result));

#endif
