/* The Role that gives the rights of include/consul/preflight.h, to be pasted by whoever may. */
#include <stdlib.h>

#include "preflight_parts.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/yaml.h"

#define SERVICE_ACCOUNT "system:serviceaccount:"
#define RBAC            "rbac.authorization.k8s.io"

/* In a role verbs stand in the order people write them. */
static const char *const verb_order[] = { "get", "list", "create", "patch", "update", "delete" };

/* Of the ways to servers it is the tunnel that is given: it starts no process in them. */
static bool is_given(const struct right *right, bool wished, bool of_cluster)
{
	if (right->of_cluster != of_cluster || (right->weight == RIGHT_WISHED && !wished))
		return false;
	return right->weight != RIGHT_WAY || str_equal(right->resource, "pods/portforward");
}

static cJSON *verbs_of(const struct rights *rights, const struct right *of, bool wished, bool of_cluster)
{
	cJSON *verbs = cJSON_CreateArray();

	for (size_t i = 0; i < ARRAY_SIZE(verb_order); i++)
		for (size_t k = 0; k < rights->count; k++) {
			const struct right *right = &rights->items[k];

			if (!is_given(right, wished, of_cluster) || !str_equal(right->verb, verb_order[i]) ||
			    !str_equal(right->group, of->group) || !str_equal(right->resource, of->resource))
				continue;
			cJSON_AddItemToArray(verbs, json_string(verb_order[i]));
			break;
		}
	return verbs;
}

/* Another resource of the same group with the same verbs goes into the same rule. */
static void add_rule(cJSON *rules, const struct right *right, cJSON *verbs)
{
	cJSON *rule;

	cJSON_ArrayForEach (rule, rules) {
		cJSON *resources = cJSON_GetObjectItemCaseSensitive(rule, "resources");
		const cJSON *group = cJSON_GetArrayItem(json_get(rule, "apiGroups"), 0), *item;

		if (!str_equal(cJSON_GetStringValue(group), right->group))
			continue;
		cJSON_ArrayForEach (item, resources)
			if (str_equal(cJSON_GetStringValue(item), right->resource)) {
				cJSON_Delete(verbs);
				return;
			}
		if (cJSON_Compare(json_get(rule, "verbs"), verbs, true)) {
			cJSON_AddItemToArray(resources, json_string(right->resource));
			cJSON_Delete(verbs);
			return;
		}
	}
	cJSON_AddItemToArray(rules, json_object("apiGroups", json_array(json_string(right->group)), "resources",
	                                        json_array(json_string(right->resource)), "verbs", verbs, NULL));
}

char *role_user(const struct scene *scene)
{
	static const char before[] = "User \"", after[] = "\" cannot ";
	const char *told = json_string_at(scene->facts[FACT_USER].json, "status.userInfo.username");

	if (told)
		return xstrdup(told);
	for (size_t i = 0; i < FACTS; i++) {
		const char *message = scene->facts[i].err.message;
		const char *begin = message ? strstr(message, before) : NULL;
		const char *end = begin ? strstr(begin, after) : NULL;

		if (end)
			return xstrndup(begin + strlen(before), (size_t)(end - begin) - strlen(before));
	}
	return NULL;
}

static cJSON *subject(const char *user)
{
	const char *account = user && str_starts_with(user, SERVICE_ACCOUNT) ? user + strlen(SERVICE_ACCOUNT) : NULL;
	const char *colon = account ? strchr(account, ':') : NULL;
	_cleanup_free_ char *space = colon ? xstrndup(account, (size_t)(colon - account)) : NULL;

	if (colon)
		return json_object("kind", json_string("ServiceAccount"), "namespace", json_string(space), "name",
		                   json_string(colon + 1), NULL);
	return json_object("kind", json_string("User"), "apiGroup", json_string(RBAC), "name",
	                   json_string(user ? user : ROLE_USER_UNKNOWN), NULL);
}

static void add_document(struct buf *out, cJSON *json)
{
	char *text = yaml_text(json);

	buf_adds(out, text);
	free(text);
	cJSON_Delete(json);
}

/* clang-format off */

static void add_documents(const struct scene *scene, const char *kind, cJSON *rules, struct buf *out)
{
	const struct preflight_request *request = scene->request;
	bool of_cluster = str_equal(kind, "ClusterRole");
	_cleanup_free_ char *name = of_cluster ? xasprintf("%s-%s-deploy", request->namespace_name, request->name)
					       : xasprintf("%s-deploy", request->name);
	_cleanup_free_ char *user = role_user(scene);
	const char *space = of_cluster ? NULL : request->namespace_name;

	add_document(out, json_object(
		"apiVersion", json_string(RBAC "/v1"),
		"kind", json_string(kind),
		"metadata", json_object("name", json_string(name), "namespace", json_string(space), NULL),
		"rules", rules,
		NULL));
	buf_adds(out, "---\n");
	add_document(out, json_object(
		"apiVersion", json_string(RBAC "/v1"),
		"kind", json_stringf("%sBinding", kind),
		"metadata", json_object("name", json_string(name), "namespace", json_string(space), NULL),
		"roleRef", json_object("apiGroup", json_string(RBAC),
				       "kind", json_string(kind),
				       "name", json_string(name),
				       NULL),
		"subjects", json_array(subject(user)),
		NULL));
}

/* clang-format on */

char *role_text(const struct scene *scene, bool wished, bool of_cluster)
{
	const struct rights *rights = &scene->rights;
	cJSON *rules = cJSON_CreateArray();
	struct buf out = BUF_TEXT;

	for (size_t i = 0; i < rights->count; i++)
		if (is_given(&rights->items[i], wished, of_cluster))
			add_rule(rules, &rights->items[i], verbs_of(rights, &rights->items[i], wished, of_cluster));
	if (cJSON_GetArraySize(rules) == 0) {
		cJSON_Delete(rules);
		return NULL;
	}
	buf_adds(&out, "kubectl apply -f - <<'EOF'\n");
	add_documents(scene, of_cluster ? "ClusterRole" : "Role", rules, &out);
	buf_adds(&out, "EOF");
	return buf_detach(&out);
}
