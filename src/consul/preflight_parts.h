/*
 * preflight_parts.h - what src/consul/preflight*.c share.
 *
 *     preflight.c          what is asked, and the table of checks
 *     preflight_rights.c   which rights the objects and the request take, and what the reviews say
 *     preflight_role.c     the Role that gives them
 *     preflight_storage.c  storage class
 *     preflight_claims.c   leftover claims
 *     preflight_nodes.c    nodes
 *     preflight_objects.c  owner, pod security, image
 */
#ifndef CONSUL_PREFLIGHT_PARTS_H
#define CONSUL_PREFLIGHT_PARTS_H

#include "consul/preflight.h"
#include "util/str.h"

/* What is read, besides the reviews. */
enum fact {
	FACT_VERSION,
	FACT_USER, /* who we are; servers before 1.28 do not tell */
	FACT_NAMESPACE,
	FACT_CLASSES,
	FACT_VOLUMES,
	FACT_CLAIMS,
	FACT_PODS,
	FACT_NODES,
	FACTS,
};

/* ------------------------------------------------------------------------------------------- rights */

enum right_weight {
	RIGHT_NEEDED,
	RIGHT_WAY,    /* to talk to servers: pods/portforward, or else pods/exec */
	RIGHT_WISHED, /* something is not seen without it */
};

enum right_answer { RIGHT_NOT_TOLD, RIGHT_GIVEN, RIGHT_MISSING };

struct right {
	char *verb;
	char *group;
	char *resource; /* "pods/exec" with its subresource */
	char *name;     /* of the one object it is about; NULL: any */
	bool of_cluster; /* not in the namespace: no Role can give it */
	enum right_weight weight;
	const char *loss; /* of a wished one: what happens without */
	enum right_answer answer;
	char *body; /* of its review */
};

struct rights {
	struct right *items;
	size_t count;
};

/* -------------------------------------------------------------------------------------------- scene */

struct scene {
	const struct preflight_request *request;
	int64_t now_s;
	struct kube_call facts[FACTS];
	struct rights rights;
	struct err review_err; /* of the first review that was not answered */
	int64_t minor;         /* of the server's version 1.MINOR; 0: not told */
};

/* The items of a List that was read; NULL and *ret_err (borrowed) when it was not. */
const cJSON *scene_list(const struct scene *scene, enum fact fact, const struct err **ret_err);

/* True when the list goes on where it was cut. */
bool scene_list_is_cut(const struct scene *scene, enum fact fact);

/* The pod template (metadata and spec) in an object that makes pods, or of a pod itself; NULL in any other. Borrowed. */
const cJSON *scene_template(const struct apply_object *object);

/* The item of a List with this name; NULL: there is none. Borrowed. */
const cJSON *scene_find(const cJSON *items, const char *name);

/* The name of an object; "" when it has none. */
const char *scene_name(const struct apply_object *object);

/* "data-consul-0", of a claim template of a set; a new string. */
char *scene_claim_name(const struct apply_object *set, const cJSON *template, int64_t ordinal)
    __attribute__((warn_unused_result));

bool scene_is_kind(const struct apply_object *object, const char *kind);

/* The servers that a StatefulSet makes, from which ordinal on: bounded by OBSERVE_SERVERS_MAX. */
struct ordinals {
	int64_t start;
	int64_t count;
};

struct ordinals scene_ordinals(const struct apply_object *set);

/* ------------------------------------------------------------------------------------------- saying
 * The worst outcome that is said wins; what is said of the same outcome is joined.
 */
void check_say(struct preflight_check *check, enum preflight_outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Of what was said of that outcome; does nothing where a worse one was said, or the same hint was given. */
void check_hint(struct preflight_check *check, enum preflight_outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void check_paste(struct preflight_check *check, enum preflight_outcome outcome, const char *text);

/* "may not be read" and such: why a fact is not known. */
void check_unknown(struct preflight_check *check, const char *what, const struct err *err);

/* ------------------------------------------------------------------------------------------- checks */

typedef void check_look(const struct scene *scene, struct preflight_check *check);

check_look check_namespace, check_rights, check_storage_class, check_leftover_claims, check_owner, check_pod_security,
    check_nodes, check_image;

/* What request and objects take, without answers. */
void rights_collect(const struct preflight_request *request, struct rights *rights);
void rights_release(struct rights *rights);

/* The review of one right; a new string. */
char *right_review(const struct right *right, const char *namespace_name) __attribute__((warn_unused_result));

/* Whether something that exists need be counted: create on pods/… is asked for by newer servers only. */
bool right_counts(const struct scene *scene, const struct right *right);

/* Whether get on this object was answered with yes; with no. (Neither is true where it was not told.) */
bool rights_may_get(const struct scene *scene, const char *resource, const char *name);
bool rights_get_is_missing(const struct scene *scene, const char *resource, const char *name);

/*
 * Roles and bindings as lines for a shell. wished: with the rights that are only wished. of_cluster: a ClusterRole for
 * those that no Role can give, instead. New string; NULL: there are none of them.
 */
char *role_text(const struct scene *scene, bool wished, bool of_cluster) __attribute__((warn_unused_result));

/* Who asks: the server tells, or the words with which it refused something do. NULL: nobody does. New string. */
char *role_user(const struct scene *scene) __attribute__((warn_unused_result));

/* Stands in a Role where nobody does. */
#define ROLE_USER_UNKNOWN "USER"

#endif
