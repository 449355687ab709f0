/* The rights of a preflight: which are asked for, what is said of those that are missing, and the Role to paste. */
#include <criterion/criterion.h>

#include "preflight_scene.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"
#include "util/yaml.h"

#define FINE    PREFLIGHT_FINE
#define NOTE    PREFLIGHT_NOTE
#define UNKNOWN PREFLIGHT_UNKNOWN
#define PROBLEM PREFLIGHT_PROBLEM

static const struct {
	const char *label;
	struct preflight_case how;
	struct preflight_expected expected;
} rows[] = {
	{ "all", { 0 }, { "rights", FINE, "all that are needed", NULL, NULL } },
	{ "reviews refused", { .reviews = "403" }, { "rights", UNKNOWN, "may not read your rights", NULL, NULL } },
	{ "one object",
	  { .denied = "create statefulsets" },
	  { "rights", PROBLEM, "you lack: create statefulsets.apps", "somebody who may give rights", "kind: Role\n" } },
	{ "several, told together",
	  { .denied = "create services, patch services, list pods, create poddisruptionbudgets" },
	  { "rights", PROBLEM, "you lack: patch, create services; create poddisruptionbudgets.policy; list pods", "",
	    "" } },
	{ "create is not needed for what exists",
	  { .denied = "create statefulsets", .all_exists = true },
	  { "rights", FINE, "", NULL, NULL } },
	{ "patch is",
	  { .denied = "patch statefulsets", .all_exists = true },
	  { "rights", PROBLEM, "patch statefulsets.apps", "", "" } },
	{ "a Secret that is made once is created",
	  { .denied = "create secrets" },
	  { "rights", PROBLEM, "you lack: create secrets", "", "" } },
	{ "and never changed", { .denied = "patch secrets" }, { "rights", FINE, "", NULL, NULL } },
	{ "nor need it be read",
	  { .denied = "get secrets" },
	  { "rights", NOTE, "get secrets", "whether it exists is not known before", "" } },
	{ "but for ACLs", { .denied = "get secrets", .acls = true }, { "rights", PROBLEM, "get secrets", "", "" } },
	{ "one way to servers is enough", { .denied = "get pods/portforward" }, { "rights", FINE, "", NULL, NULL } },
	{ "the other one, too", { .denied = "get pods/exec" }, { "rights", FINE, "", NULL, NULL } },
	{ "none is too few",
	  { .denied = "get pods/exec, get pods/portforward" },
	  { "rights", PROBLEM, "you lack: get pods/portforward (or pods/exec)", "", "- pods/portforward\n" } },
	{ "create is for newer servers",
	  { .denied = "create pods/exec, create pods/portforward", .minor = "34" },
	  { "rights", FINE, "", NULL, NULL } },
	{ "which want it",
	  { .denied = "create pods/exec, create pods/portforward", .minor = "35" },
	  { "rights", PROBLEM, "get, create pods/portforward (or pods/exec)", "", "" } },
	{ "ACLs take the tunnel",
	  { .denied = "get pods/portforward", .acls = true },
	  { "rights", PROBLEM, "you lack: get pods/portforward", "", "" } },
	{ "delete pods is a wish",
	  { .denied = "delete pods" },
	  { "rights", NOTE, "without these it goes on: delete pods", "would not be replaced", "kind: Role\n" } },
	{ "but not when they are restarted",
	  { .denied = "delete pods", .restarts = true },
	  { "rights", PROBLEM, "you lack: delete pods", "", "" } },
	{ "the Lease",
	  { .denied = "update leases", .exists = true },
	  { "rights", PROBLEM, "update leases.coordination.k8s.io", "", "" } },
	{ "no Lease where there is nothing yet", { .denied = "update leases" }, { "rights", FINE, "", NULL, NULL } },
	{ "scaling",
	  { .denied = "patch statefulsets/scale", .scales = true },
	  { "rights", PROBLEM, "patch statefulsets/scale.apps", "", "" } },
	{ "rolling back",
	  { .denied = "list controllerrevisions", .restarts = true },
	  { "rights", NOTE, "list controllerrevisions.apps", "--rollback", "" } },
	{ "the cluster's own",
	  { .denied = "list nodes, list storageclasses" },
	  { "rights", NOTE, "list storageclasses.storage.k8s.io; list nodes", "whether there are enough",
	    "kind: ClusterRole\n" } },
	{ "user unknown", { .denied = "list pods" }, { "rights", PROBLEM, "", "where USER stands", "name: USER\n" } },
	{ "user told",
	  { .denied = "list pods", .user = "jane@example.com" },
	  { "rights", PROBLEM, "", "can paste this, the least that it takes:", "kind: User\n" } },
	{ "user told by a refusal",
	  { .denied = "list pods", .nodes = "403" },
	  { "rights", PROBLEM, "", "can paste this, the least that it takes:", "name: jane\n" } },
	{ "an account",
	  { .denied = "list pods", .user = "system:serviceaccount:ci:deployer" },
	  { "rights", PROBLEM, "", "", "- kind: ServiceAccount\n  namespace: ci\n  name: deployer\n" } },
};

Test(preflight_rights, what_is_missing)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		scene_expect(rows[i].label, &rows[i].how, &rows[i].expected);
}

/* ---------------------------------------------------------------------------------------------- roles */

/* The documents between the lines of the shell. */
static cJSON *pasted_documents(const char *paste)
{
	static const char head[] = "kubectl apply -f - <<'EOF'\n", tail[] = "\nEOF";
	struct err err = ERR_INIT;
	cJSON *documents = NULL;

	cr_assert(str_starts_with(paste, head), "%s", paste);
	cr_assert(str_ends_with(paste, tail), "%s", paste);
	paste += strlen(head);
	cr_assert_eq(yaml_parse(paste, strlen(paste) - strlen(tail), &documents, &err), 0, "%s", err.message);
	return documents;
}

static bool has_text(const cJSON *list, const char *text)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, list)
		if (str_equal(cJSON_GetStringValue(item), text))
			return true;
	return false;
}

static bool allows(const cJSON *role, const char *verb, const char *group, const char *resource)
{
	const cJSON *rule;

	cJSON_ArrayForEach (rule, json_get(role, "rules"))
		if (has_text(json_get(rule, "verbs"), verb) && has_text(json_get(rule, "apiGroups"), group) &&
		    has_text(json_get(rule, "resources"), resource))
			return true;
	return false;
}

Test(preflight_rights, the_role_has_all_that_is_needed_and_no_more)
{
	static const char *const needed[][3] = {
		{ "get", "", "serviceaccounts" },
		{ "patch", "", "serviceaccounts" },
		{ "create", "", "serviceaccounts" },
		{ "create", "", "secrets" },
		{ "patch", "", "configmaps" },
		{ "create", "", "services" },
		{ "create", "policy", "poddisruptionbudgets" },
		{ "create", "apps", "statefulsets" },
		{ "list", "", "pods" },
		{ "get", "", "pods/portforward" },
		{ "create", "", "pods/portforward" },
		{ "delete", "", "pods" },
		{ "update", "coordination.k8s.io", "leases" },
	};
	static const char *const not_needed[][3] = {
		{ "get", "", "secrets" },     { "patch", "", "secrets" }, { "get", "", "pods/exec" },
		{ "list", "", "events" },     { "list", "", "nodes" },    { "get", "", "namespaces" },
		{ "delete", "", "services" }, { "get", "", "pods" },      { "patch", "apps", "statefulsets/scale" },
	};
	static const struct preflight_case how = {
		.denied = "list pods", .exists = true, .restarts = true, .user = "jane"
	};
	struct preflight_scene scene;
	_cleanup_json_ cJSON *documents = NULL;
	const cJSON *role, *binding;

	scene_run(&scene, &how);
	documents = pasted_documents(scene_check(&scene, "rights")->paste);
	cr_assert_eq(cJSON_GetArraySize(documents), 2);
	role = cJSON_GetArrayItem(documents, 0);
	binding = cJSON_GetArrayItem(documents, 1);
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		cr_expect(allows(role, needed[i][0], needed[i][1], needed[i][2]), "%s %s", needed[i][0], needed[i][2]);
	for (size_t i = 0; i < ARRAY_SIZE(not_needed); i++)
		cr_expect_not(allows(role, not_needed[i][0], not_needed[i][1], not_needed[i][2]), "%s %s",
		              not_needed[i][0], not_needed[i][2]);
	cr_expect_str_eq(json_string_at(role, "kind"), "Role");
	cr_expect_str_eq(json_string_at(role, "metadata.namespace"), "ns");
	cr_expect_str_eq(json_string_at(binding, "kind"), "RoleBinding");
	cr_expect_str_eq(json_string_at(binding, "roleRef.name"), json_string_at(role, "metadata.name"));
	cr_expect_str_eq(json_string_at(cJSON_GetArrayItem(json_get(binding, "subjects"), 0), "name"), "jane");
	scene_end(&scene);
}

Test(preflight_rights, resources_with_the_same_verbs_share_a_rule)
{
	static const struct preflight_case how = { .denied = "list pods" };
	struct preflight_scene scene;
	_cleanup_json_ cJSON *documents = NULL;
	const cJSON *rule;

	scene_run(&scene, &how);
	documents = pasted_documents(scene_check(&scene, "rights")->paste);
	rule = cJSON_GetArrayItem(json_get(cJSON_GetArrayItem(documents, 0), "rules"), 0);
	cr_expect(has_text(json_get(rule, "resources"), "serviceaccounts"));
	cr_expect(has_text(json_get(rule, "resources"), "configmaps"));
	cr_expect(has_text(json_get(rule, "resources"), "services"));
	cr_expect_eq(cJSON_GetArraySize(json_get(rule, "verbs")), 3);
	scene_end(&scene);
}

Test(preflight_rights, what_no_role_can_give_is_a_cluster_role)
{
	static const struct preflight_case how = { .denied = "list nodes", .user = "jane" };
	struct preflight_scene scene;
	_cleanup_json_ cJSON *documents = NULL;
	const cJSON *role;

	scene_run(&scene, &how);
	documents = pasted_documents(scene_check(&scene, "rights")->paste);
	role = cJSON_GetArrayItem(documents, 0);
	cr_expect_str_eq(json_string_at(role, "kind"), "ClusterRole");
	cr_expect_null(json_string_at(role, "metadata.namespace"));
	cr_expect(allows(role, "list", "", "nodes"));
	cr_expect_not(allows(role, "list", "", "pods"));
	cr_expect_str_eq(json_string_at(cJSON_GetArrayItem(documents, 1), "kind"), "ClusterRoleBinding");
	scene_end(&scene);
}

/* ------------------------------------------------------------------------------- the reviews themselves */

static const cJSON *find_review(struct preflight_scene *scene, const char *verb, const char *resource,
                                const char *subresource, cJSON **keep)
{
	for (size_t i = 0; i < apiserver_request_total(scene->server); i++) {
		const struct apiserver_request *request = apiserver_request_at(scene->server, i);
		cJSON *body =
		    str_ends_with(request->path, "/selfsubjectaccessreviews") ? cJSON_Parse(request->body) : NULL;
		const cJSON *asked = json_at(body, "spec.resourceAttributes");

		if (str_equal(json_string_at(asked, "verb"), verb) &&
		    str_equal(json_string_at(asked, "resource"), resource) &&
		    str_equal(json_string_at(asked, "subresource"), subresource)) {
			*keep = body;
			return asked;
		}
		cJSON_Delete(body);
	}
	cr_assert_fail("%s %s was not asked for", verb, resource);
	return NULL;
}

Test(preflight_rights, reviews_say_group_subresource_name_and_namespace)
{
	static const struct preflight_case how = { .scales = true };
	struct preflight_scene scene;
	cJSON *scale_body = NULL, *nodes_body = NULL, *exec_body = NULL;
	const cJSON *scale, *nodes, *exec;

	scene_run(&scene, &how);
	scale = find_review(&scene, "patch", "statefulsets", "scale", &scale_body);
	nodes = find_review(&scene, "list", "nodes", NULL, &nodes_body);
	exec = find_review(&scene, "get", "pods", "exec", &exec_body);
	cr_expect_str_eq(json_string_at(scale, "group"), "apps");
	cr_expect_str_eq(json_string_at(scale, "name"), "consul");
	cr_expect_str_eq(json_string_at(scale, "namespace"), "ns");
	cr_expect_null(json_string_at(nodes, "namespace"));
	cr_expect_str_eq(json_string_at(exec, "group"), "");
	cr_expect_null(json_string_at(exec, "name"));
	cJSON_Delete(scale_body);
	cJSON_Delete(nodes_body);
	cJSON_Delete(exec_body);
	scene_end(&scene);
}
