/* The rights that a deploy takes, by what it does: see include/consul/preflight.h. */
#include <stdlib.h>

#include "preflight_parts.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"

/* From this version on an upgrade of a connection by GET takes create, too. */
enum { MINOR_UPGRADE_CREATES = 35 };

enum { ALWAYS = 1, RESTARTS = 2, SCALES = 4, EXISTS = 8 };

enum { OF_CLUSTER = 1, NAMED = 2, NAMESPACE_ITSELF = 4 };

/*
 * What the parts of a deploy do beside reading and writing its own objects: observe.c, ask.c and tell.c, waiting.c,
 * deploy_never_ran.c, world_kube.c, lease.c, revisions.c, and the checks here.
 */
static const struct row {
	unsigned when;
	const char *verbs;
	const char *group;
	const char *resource;
	unsigned flags;
	enum right_weight weight;
	const char *loss;
} rows[] = {
	{ ALWAYS, "get", "apps", "statefulsets", NAMED, RIGHT_NEEDED, NULL },
	{ ALWAYS, "list", "", "pods", 0, RIGHT_NEEDED, NULL },
	{ ALWAYS, "get create", "", "pods/portforward", 0, RIGHT_WAY, NULL },
	{ ALWAYS, "get create", "", "pods/exec", 0, RIGHT_WAY, NULL },
	{ RESTARTS, "delete", "", "pods", 0, RIGHT_NEEDED, NULL },
	{ EXISTS, "get create update", "coordination.k8s.io", "leases", 0, RIGHT_NEEDED, NULL },
	{ SCALES, "patch", "apps", "statefulsets/scale", NAMED, RIGHT_NEEDED, NULL },
	{ ALWAYS, "delete", "", "pods", 0, RIGHT_WISHED, "pods whose image cannot be pulled would not be replaced" },
	{ RESTARTS, "list", "apps", "controllerrevisions", 0, RIGHT_WISHED, "--rollback would not work" },
	{ ALWAYS, "list", "", "events", 0, RIGHT_WISHED, "why a pod does not start would not be told" },
	{ ALWAYS, "list", "", "persistentvolumeclaims", 0, RIGHT_WISHED, "old data would not be seen" },
	{ ALWAYS, "list", "policy", "poddisruptionbudgets", 0, RIGHT_WISHED, "budgets would not be seen" },
	{ ALWAYS, "get", "", "namespaces", NAMESPACE_ITSELF, RIGHT_WISHED, "its Pod Security level is not known" },
	{ ALWAYS, "list", "storage.k8s.io", "storageclasses", OF_CLUSTER, RIGHT_WISHED, "the classes are not known" },
	{ ALWAYS, "list", "", "nodes", OF_CLUSTER, RIGHT_WISHED, "whether there are enough is not known" },
};

/* --------------------------------------------------------------------------------------- collecting */

void rights_release(struct rights *rights)
{
	for (size_t i = 0; i < rights->count; i++) {
		free(rights->items[i].verb);
		free(rights->items[i].group);
		free(rights->items[i].resource);
		free(rights->items[i].name);
		free(rights->items[i].body);
	}
	free(rights->items);
	*rights = (struct rights){ 0 };
}

static bool is_same(const struct right *a, const struct right *b)
{
	return str_equal(a->verb, b->verb) && str_equal(a->group, b->group) && str_equal(a->resource, b->resource) &&
	       a->of_cluster == b->of_cluster && ((!a->name && !b->name) || str_equal(a->name, b->name));
}

/* One that is there already is asked once; the heavier weight counts. */
static void add(struct rights *rights, const struct right *wanted)
{
	struct right *right;

	for (size_t i = 0; i < rights->count; i++) {
		right = &rights->items[i];
		if (is_same(right, wanted)) {
			right->weight = wanted->weight < right->weight ? wanted->weight : right->weight;
			return;
		}
	}
	rights->items = xreallocarray(rights->items, rights->count + 1, sizeof(*rights->items));
	right = &rights->items[rights->count++];
	*right = *wanted;
	right->verb = xstrdup(wanted->verb);
	right->group = xstrdup(wanted->group);
	right->resource = xstrdup(wanted->resource);
	right->name = xstrdup_null(wanted->name);
}

static void add_verbs(struct rights *rights, const char *verbs, const struct right *like)
{
	_cleanup_strv_ struct strv words = STRV_INIT;

	strv_split(&words, verbs, ' ');
	for (size_t i = 0; i < words.count; i++) {
		struct right right = *like;

		right.verb = words.items[i];
		add(rights, &right);
	}
}

/* "/apis/apps/v1/namespaces/ns/statefulsets" -> "apps", "statefulsets", in a namespace. */
static void parse_collection(const char *collection, struct right *right)
{
	_cleanup_strv_ struct strv parts = STRV_INIT;
	size_t at;

	strv_split(&parts, collection, '/'); /* the first part is empty */
	at = parts.count > 1 && str_equal(parts.items[1], "apis") ? 4 : 3;
	right->group = xstrdup(at == 4 && parts.count > 2 ? parts.items[2] : "");
	right->of_cluster = !(parts.count > at + 2 && str_equal(parts.items[at], "namespaces"));
	at += right->of_cluster ? 0 : 2;
	right->resource = xstrdup(parts.count > at ? parts.items[at] : "");
}

/* Server-side apply takes patch, and create for what does not exist; what is made once is POSTed (consul/apply.h). */
static void add_object(const struct preflight_request *request, const struct apply_object *object,
                       struct rights *rights)
{
	struct right right = { .weight = RIGHT_NEEDED }, wish;

	parse_collection(object->collection, &right);
	right.name = xstrdup_null(json_string_at(object->json, "metadata.name"));
	wish = right;
	wish.weight = RIGHT_WISHED;
	wish.loss = "whether it exists is not known before";
	if (!object->create_only || request->acls)
		add_verbs(rights, object->live ? "get patch" : "get patch create", &right);
	else
		add_verbs(rights, "get", &wish);
	if (object->create_only && !request->acls && !object->live)
		add_verbs(rights, "create", &right);
	free(right.group);
	free(right.resource);
	free(right.name);
}

void rights_collect(const struct preflight_request *request, struct rights *rights)
{
	unsigned when = ALWAYS;

	when |= (request->restarts ? RESTARTS : 0u) | (request->scales ? SCALES : 0u) | (request->exists ? EXISTS : 0u);
	for (size_t i = 0; i < request->objects->count; i++)
		add_object(request, &request->objects->items[i], rights);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		/* Copied by add. */
		struct right right = { .group = (char *)(uintptr_t)row->group,
			               .resource = (char *)(uintptr_t)row->resource,
			               .of_cluster = row->flags & OF_CLUSTER,
			               .weight = row->weight,
			               .loss = row->loss };

		if (row->flags & NAMED)
			right.name = (char *)(uintptr_t)request->name;
		if (row->flags & NAMESPACE_ITSELF)
			right.name = (char *)(uintptr_t)request->namespace_name;
		if (row->when & when)
			add_verbs(rights, row->verbs, &right);
	}
}

char *right_review(const struct right *right, const char *namespace_name)
{
	const char *slash = strchr(right->resource, '/');
	_cleanup_free_ char *resource =
	    slash ? xstrndup(right->resource, (size_t)(slash - right->resource)) : xstrdup(right->resource);
	cJSON *json = json_object(
	    "apiVersion", json_string("authorization.k8s.io/v1"), "kind", json_string("SelfSubjectAccessReview"),
	    "spec",
	    json_object("resourceAttributes",
	                json_object("namespace", right->of_cluster ? NULL : json_string(namespace_name), "verb",
	                            json_string(right->verb), "group", json_string(right->group), "resource",
	                            json_string(resource), "subresource", json_string(slash ? slash + 1 : NULL), "name",
	                            json_string(right->name), NULL),
	                NULL),
	    NULL);
	char *text = json_text(json);

	cJSON_Delete(json);
	return text;
}

/* ------------------------------------------------------------------------------------------- judging */

bool right_counts(const struct scene *scene, const struct right *right)
{
	return right->weight != RIGHT_WAY || !str_equal(right->verb, "create") || scene->minor >= MINOR_UPGRADE_CREATES;
}

static enum right_answer get_answer(const struct scene *scene, const char *resource, const char *name)
{
	for (size_t i = 0; i < scene->rights.count; i++) {
		const struct right *right = &scene->rights.items[i];

		if (str_equal(right->verb, "get") && str_equal(right->resource, resource) &&
		    str_equal(right->name, name))
			return right->answer;
	}
	return RIGHT_NOT_TOLD;
}

bool rights_may_get(const struct scene *scene, const char *resource, const char *name)
{
	return get_answer(scene, resource, name) == RIGHT_GIVEN;
}

bool rights_get_is_missing(const struct scene *scene, const char *resource, const char *name)
{
	return get_answer(scene, resource, name) == RIGHT_MISSING;
}

/* "get, create pods/exec": the verbs of one resource together, whatever the names. */
static void add_shown(const struct scene *scene, bool (*is_meant)(const struct scene *, const struct right *),
                      struct strv *shown)
{
	const struct rights *rights = &scene->rights;

	for (size_t i = 0; i < rights->count; i++) {
		const struct right *first = &rights->items[i];
		_cleanup_strv_ struct strv verbs = STRV_INIT;
		_cleanup_free_ char *joined = NULL;
		bool is_first = true;

		for (size_t k = 0; k < rights->count; k++) {
			const struct right *right = &rights->items[k];

			if (!str_equal(right->resource, first->resource) || !str_equal(right->group, first->group) ||
			    !is_meant(scene, right))
				continue;
			is_first = is_first && k >= i;
			if (!strv_contains(&verbs, right->verb))
				strv_add(&verbs, right->verb);
		}
		if (verbs.count == 0 || !is_first || !is_meant(scene, first))
			continue;
		joined = strv_join(&verbs, ", ", ", ");
		strv_addf(shown, "%s %s%s%s", joined, first->resource, *first->group ? "." : "", first->group);
	}
}

static bool is_missing(const struct scene *scene, const struct right *right)
{
	(void)scene;
	return right->weight == RIGHT_NEEDED && right->answer == RIGHT_MISSING;
}

static bool is_wished(const struct scene *scene, const struct right *right)
{
	(void)scene;
	return right->weight == RIGHT_WISHED && right->answer == RIGHT_MISSING;
}

static bool is_asked(const struct scene *scene, const struct right *right)
{
	return right->weight != RIGHT_WISHED && right_counts(scene, right);
}

/* The least that is known of one way: missing when one of its verbs is. */
static enum right_answer way_answer(const struct scene *scene, const char *resource)
{
	enum right_answer answer = RIGHT_GIVEN;

	for (size_t i = 0; i < scene->rights.count; i++) {
		const struct right *right = &scene->rights.items[i];

		if (right->weight != RIGHT_WAY || !str_equal(right->resource, resource) || !right_counts(scene, right))
			continue;
		if (right->answer == RIGHT_MISSING)
			return RIGHT_MISSING;
		if (right->answer == RIGHT_NOT_TOLD)
			answer = RIGHT_NOT_TOLD;
	}
	return answer;
}

/* Either way will do to ask; ACLs speak the HTTP API, by the tunnel. */
static void add_missing_way(const struct scene *scene, struct strv *missing)
{
	const char *verbs = scene->minor >= MINOR_UPGRADE_CREATES ? "get, create" : "get";

	if (way_answer(scene, "pods/portforward") != RIGHT_MISSING)
		return;
	if (scene->request->acls)
		strv_addf(missing, "%s pods/portforward", verbs);
	else if (way_answer(scene, "pods/exec") == RIGHT_MISSING)
		strv_addf(missing, "%s pods/portforward (or pods/exec)", verbs);
}

static bool misses_of_cluster(const struct scene *scene, bool of_cluster, enum right_weight weight)
{
	for (size_t i = 0; i < scene->rights.count; i++) {
		const struct right *right = &scene->rights.items[i];

		if (right->of_cluster == of_cluster && right->weight == weight && right->answer == RIGHT_MISSING)
			return true;
	}
	return false;
}

static void paste_roles(const struct scene *scene, bool wished, bool in_namespace, bool of_cluster,
                        struct preflight_check *check)
{
	_cleanup_free_ char *role = in_namespace ? role_text(scene, wished, false) : NULL;
	_cleanup_free_ char *cluster_role = of_cluster ? role_text(scene, wished, true) : NULL;
	_cleanup_free_ char *user = role_user(scene);

	if (!user)
		check_hint(check, check->outcome, "(put your name where " ROLE_USER_UNKNOWN " stands)");
	if (role)
		check_paste(check, check->outcome, role);
	if (cluster_role)
		check_paste(check, check->outcome, cluster_role);
}

static void say_wished(const struct scene *scene, struct preflight_check *check)
{
	_cleanup_strv_ struct strv shown = STRV_INIT;
	_cleanup_strv_ struct strv losses = STRV_INIT;
	_cleanup_free_ char *joined = NULL, *loss = NULL;

	add_shown(scene, is_wished, &shown);
	if (shown.count == 0)
		return;
	for (size_t i = 0; i < scene->rights.count; i++) {
		const struct right *right = &scene->rights.items[i];

		if (is_wished(scene, right) && !strv_contains(&losses, right->loss))
			strv_add(&losses, right->loss);
	}
	joined = strv_join(&shown, "; ", "; ");
	loss = strv_join(&losses, "; ", "; ");
	check_say(check, PREFLIGHT_NOTE, "all that is needed is there; without these it goes on: %s", joined);
	check_hint(check, PREFLIGHT_NOTE, "without them: %s; somebody who may give rights can paste this:", loss);
	paste_roles(scene, true, misses_of_cluster(scene, false, RIGHT_WISHED),
	            misses_of_cluster(scene, true, RIGHT_WISHED), check);
}

static void say_fine(const struct scene *scene, struct preflight_check *check)
{
	size_t count = 0;

	for (size_t i = 0; i < scene->rights.count; i++)
		count += scene->rights.items[i].answer == RIGHT_GIVEN;
	check_say(check, PREFLIGHT_FINE, "all that are needed (%zu were asked for)", count);
}

/* Of what is needed, something was not told. */
static bool has_untold(const struct scene *scene)
{
	for (size_t i = 0; i < scene->rights.count; i++)
		if (is_asked(scene, &scene->rights.items[i]) && scene->rights.items[i].answer == RIGHT_NOT_TOLD)
			return true;
	return false;
}

void check_rights(const struct scene *scene, struct preflight_check *check)
{
	_cleanup_strv_ struct strv missing = STRV_INIT;
	_cleanup_free_ char *joined = NULL;

	add_shown(scene, is_missing, &missing);
	add_missing_way(scene, &missing);
	if (missing.count > 0) {
		joined = strv_join(&missing, "; ", "; ");
		check_say(check, PREFLIGHT_PROBLEM, "you lack: %s", joined);
		check_hint(check, PREFLIGHT_PROBLEM,
		           "somebody who may give rights can paste this, the least that it takes:");
		paste_roles(scene, false, true, misses_of_cluster(scene, true, RIGHT_NEEDED), check);
		return;
	}
	if (has_untold(scene))
		check_unknown(check, "your rights", &scene->review_err);
	say_fine(scene, check);
	say_wished(scene, check);
}
