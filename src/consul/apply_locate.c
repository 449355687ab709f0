/* Where objects belong, and what is there: the first half of include/consul/apply.h. */
#include "consul/apply.h"

#include <ctype.h>
#include <stdlib.h>

#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* Kinds that need no look-up, in the order in which objects are applied. */
struct known_kind {
	const char *group; /* "" is the core */
	const char *kind;
	const char *plural;
	bool namespaced;
};

static const struct known_kind known_kinds[] = {
	{ "", "Namespace", "namespaces", false },
	{ "storage.k8s.io", "StorageClass", "storageclasses", false },
	{ "networking.k8s.io", "NetworkPolicy", "networkpolicies", true },
	{ "", "ServiceAccount", "serviceaccounts", true },
	{ "", "Secret", "secrets", true },
	{ "", "ConfigMap", "configmaps", true },
	{ "rbac.authorization.k8s.io", "ClusterRole", "clusterroles", false },
	{ "rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings", false },
	{ "rbac.authorization.k8s.io", "Role", "roles", true },
	{ "rbac.authorization.k8s.io", "RoleBinding", "rolebindings", true },
	{ "", "PersistentVolume", "persistentvolumes", false },
	{ "", "PersistentVolumeClaim", "persistentvolumeclaims", true },
	{ "", "Service", "services", true },
	{ "policy", "PodDisruptionBudget", "poddisruptionbudgets", true },
	{ "networking.k8s.io", "Ingress", "ingresses", true },
	{ "apps", "Deployment", "deployments", true },
	{ "apps", "DaemonSet", "daemonsets", true },
	{ "apps", "StatefulSet", "statefulsets", true },
};

/* Kinds that are not known come after Ingress and before the workloads. */
enum { RANK_UNKNOWN = 2 * 15 - 1 };

/* "apps/v1" -> group "apps", version "v1"; "v1" -> "", "v1". The group is a new string. */
static char *group_of(const char *api_version)
{
	const char *slash = strchr(api_version, '/');

	return slash ? xstrndup(api_version, (size_t)(slash - api_version)) : xstrdup("");
}

static const struct known_kind *find_known(const char *group, const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(known_kinds); i++)
		if (str_equal(known_kinds[i].group, group) && str_equal(known_kinds[i].kind, kind))
			return &known_kinds[i];
	return NULL;
}

static int need_text(const cJSON *json, const char *path, struct err *err)
{
	const cJSON *value = json_at(json, path);

	if (!value || cJSON_IsNull(value) || str_equal(cJSON_GetStringValue(value), ""))
		return err_set(err, ERR_INVALID, "%s is missing", path);
	if (!cJSON_IsString(value))
		return err_set(err, ERR_INVALID, "%s is no string", path);
	return 0;
}

int apply_check(const cJSON *json, const char *namespace_name, struct err *err)
{
	const cJSON *own = json_at(json, "metadata.namespace");

	if (!cJSON_IsObject(json))
		return err_set(err, ERR_INVALID, "it is no Kubernetes object");
	if (need_text(json, "apiVersion", err) < 0 || need_text(json, "kind", err) < 0 ||
	    need_text(json, "metadata.name", err) < 0)
		return -1;
	if (own && !cJSON_IsString(own))
		return err_set(err, ERR_INVALID, "metadata.namespace is no string");
	if (own && *own->valuestring && !str_equal(own->valuestring, namespace_name)) {
		_cleanup_free_ char *shown = str_visible(own->valuestring, 64);

		/* kubectl's words */
		return err_set(
		    err, ERR_INVALID,
		    "the namespace from the provided object \"%s\" does not match the namespace \"%s\". You must pass "
		    "'--namespace=%s' to perform this operation.",
		    shown, namespace_name, shown);
	}
	return 0;
}

/* ---------------------------------------------------------------------------------------- requests */

static int get(struct kube_client *client, const char *path, int64_t deadline_ms, cJSON **ret_json, struct err *err)
{
	struct kube_call call = { .method = KUBE_GET, .path = path };
	int status = kube_client_perform(client, &call, 1, deadline_ms, err);

	if (status == 0)
		status = err_move(err, &call.err);
	if (status == 0)
		*ret_json = TAKE(call.json);
	kube_call_release(&call);
	return status;
}

/* "/api/v1" or "/apis/apps/v1", escaped. */
static void add_api(struct buf *path, const char *api_version)
{
	const char *slash = strchr(api_version, '/');
	_cleanup_free_ char *group = group_of(api_version);

	buf_adds(path, slash ? "/apis/" : "/api/");
	if (slash) {
		buf_add_url(path, group);
		buf_addc(path, '/');
	}
	buf_add_url(path, slash ? slash + 1 : api_version);
}

/* Asks the server for the plural of a kind and whether it lives in namespaces. */
static int look_up(struct kube_client *client, const char *api_version, const char *kind, int64_t deadline_ms,
                   char **ret_plural, bool *ret_namespaced, struct err *err)
{
	_cleanup_buf_ struct buf path = BUF_TEXT;
	_cleanup_json_ cJSON *list = NULL;
	_cleanup_free_ char *shown_kind = str_visible(kind, 64);
	_cleanup_free_ char *shown_version = str_visible(api_version, 64);
	struct err failure = ERR_INIT;
	const cJSON *item;

	add_api(&path, api_version);
	if (get(client, buf_text(&path), deadline_ms, &list, &failure) < 0) {
		if (failure.kind != ERR_NOT_FOUND)
			return err_move(err, &failure);
		err_release(&failure);
	}
	cJSON_ArrayForEach (item, json_get(list, "resources")) {
		const char *name = json_string_at(item, "name");

		if (name && !strchr(name, '/') && str_equal(json_string_at(item, "kind"), kind)) {
			*ret_plural = xstrdup(name);
			*ret_namespaced = json_bool_at(item, "namespaced", true);
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "no matches for kind \"%s\" in version \"%s\"", shown_kind, shown_version);
}

/* ---------------------------------------------------------------------------------------- locating */

/* "statefulset.apps/consul" */
static char *resource_name(const char *group, const char *kind, const char *name)
{
	_cleanup_free_ char *shown_name = str_visible(name, 253);
	_cleanup_free_ char *shown_kind = str_visible(kind, 64);
	_cleanup_free_ char *shown_group = str_visible(group, 253);

	for (char *at = shown_kind; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return xasprintf("%s%s%s/%s", shown_kind, *group ? "." : "", shown_group, shown_name);
}

static void set_paths(struct apply_object *object, const char *plural, bool namespaced, const char *namespace_name)
{
	cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object->json, "metadata");
	_cleanup_buf_ struct buf path = BUF_TEXT;

	add_api(&path, json_string_at(object->json, "apiVersion"));
	if (namespaced) {
		buf_adds(&path, "/namespaces/");
		buf_add_url(&path, namespace_name);
		json_set(metadata, "namespace", json_string(namespace_name));
	}
	buf_addc(&path, '/');
	buf_add_url(&path, plural);
	replace_string(&object->collection, xstrdup(buf_text(&path)));
	buf_addc(&path, '/');
	buf_add_url(&path, json_string_at(metadata, "name"));
	replace_string(&object->path, xstrdup(buf_text(&path)));
}

static int locate(struct kube_client *client, struct apply_object *object, const char *namespace_name,
                  int64_t deadline_ms, struct err *err)
{
	const char *api_version = json_string_at(object->json, "apiVersion"),
	           *kind = json_string_at(object->json, "kind");
	_cleanup_free_ char *group = group_of(api_version);
	const struct known_kind *known = find_known(group, kind);
	_cleanup_free_ char *plural = known ? xstrdup(known->plural) : NULL;
	bool namespaced = known ? known->namespaced : true;

	object->rank = known ? 2 * (int)(known - known_kinds) : RANK_UNKNOWN;
	replace_string(&object->resource, resource_name(group, kind, json_string_at(object->json, "metadata.name")));
	if (!known && look_up(client, api_version, kind, deadline_ms, &plural, &namespaced, err) < 0)
		return -1;
	set_paths(object, plural, namespaced, namespace_name);
	return 0;
}

/* policy/v1 came with Kubernetes 1.21, v1beta1 went with 1.25; what is in a file may be the other one. */
static int fix_budget_version(struct kube_client *client, struct apply_list *list, int64_t deadline_ms, struct err *err)
{
	struct err failure = ERR_INIT;
	cJSON *resources = NULL;
	bool has_budgets = false;
	const char *version = "policy/v1";

	for (size_t i = 0; i < list->count; i++)
		has_budgets |= str_equal(json_string_at(list->items[i].json, "kind"), "PodDisruptionBudget");
	if (!has_budgets)
		return 0;
	if (get(client, "/apis/policy/v1", deadline_ms, &resources, &failure) < 0) {
		if (failure.kind != ERR_NOT_FOUND)
			return err_move(err, &failure);
		err_release(&failure);
		version = "policy/v1beta1";
	}
	cJSON_Delete(resources);
	for (size_t i = 0; i < list->count; i++)
		if (str_equal(json_string_at(list->items[i].json, "kind"), "PodDisruptionBudget"))
			json_set(list->items[i].json, "apiVersion", json_string(version));
	return 0;
}

/* By rank; what has the same one stays in its order (a simple insertion sort, lists are short). */
static void sort_by_rank(struct apply_list *list)
{
	for (size_t i = 1; i < list->count; i++) {
		struct apply_object moved = list->items[i];
		size_t at = i;

		for (; at > 0 && list->items[at - 1].rank > moved.rank; at--)
			list->items[at] = list->items[at - 1];
		list->items[at] = moved;
	}
}

int apply_locate(struct kube_client *client, struct apply_list *list, const char *namespace_name, int64_t deadline_ms,
                 struct err *err)
{
	if (fix_budget_version(client, list, deadline_ms, err) < 0)
		return -1;
	for (size_t i = 0; i < list->count; i++) {
		struct apply_object *object = &list->items[i];

		if (locate(client, object, namespace_name, deadline_ms, err) < 0)
			return object->source ? err_wrap(err, "%s", object->source) : -1;
	}
	sort_by_rank(list);
	return 0;
}

static int take_live(struct apply_object *object, struct kube_call *call, struct err *err)
{
	if (call->err.kind == ERR_NOT_FOUND || (call->err.kind == ERR_FORBIDDEN && object->create_only))
		return 0;
	if (err_move(err, &call->err) < 0)
		return err_wrap(err, "%s", object->resource);
	object->live = TAKE(call->json);
	return 0;
}

/* lenient: what may not be read is taken for unread, and no failure. */
static int read_all(struct kube_client *client, struct apply_list *list, bool lenient, int64_t deadline_ms,
                    struct err *err)
{
	struct kube_call *calls = xcalloc(list->count, sizeof(*calls));
	int status;

	for (size_t i = 0; i < list->count; i++)
		calls[i] = (struct kube_call){ .method = KUBE_GET, .path = list->items[i].path };
	status = kube_client_perform(client, calls, list->count, deadline_ms, err);
	for (size_t i = 0; i < list->count; i++) {
		if (status == 0 && !(lenient && err_is_set(&calls[i].err)))
			status = take_live(&list->items[i], &calls[i], err);
		kube_call_release(&calls[i]);
	}
	free(calls);
	return status;
}

int apply_read(struct kube_client *client, struct apply_list *list, int64_t deadline_ms, struct err *err)
{
	return read_all(client, list, false, deadline_ms, err);
}

int apply_read_what_may_be(struct kube_client *client, struct apply_list *list, int64_t deadline_ms, struct err *err)
{
	return read_all(client, list, true, deadline_ms, err);
}
