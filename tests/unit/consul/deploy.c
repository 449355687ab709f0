/* Planning and applying, against an API server that keeps what it is given. */
#include <criterion/criterion.h>

#include "keeping_server.h"
#include "util/json.h"
#include "util/mem.h"

static const struct deploy_request usual = {
	.namespace_name = "ns", .name = "consul", .cluster_domain = "cluster.local", .now_s = 1700000000
};

static void expect_refused(struct fixture *fixture, const struct deploy_request *request, const char *text)
{
	size_t written = apiserver_count(fixture->server, "PATCH", "*") + apiserver_count(fixture->server, "POST", "*");

	cr_assert_eq(fixture_plan(fixture, request), -1, "%s was not refused", text);
	cr_expect_eq(fixture->err.kind, ERR_REFUSED);
	cr_expect(strstr(fixture->err.message, text), "%s", fixture->err.message);
	cr_expect_not_null(fixture->err.hint);
	cr_expect_eq(apiserver_count(fixture->server, "PATCH", "*") + apiserver_count(fixture->server, "POST", "*"),
	             written);
}

/* ----------------------------------------------------------------------------------------------- tests */

Test(deploy, a_new_cluster_is_made_in_order)
{
	static const char *const order[] = { "serviceaccount/consul",   "secret/consul-gossip",
		                             "secret/consul-ca",        "secret/consul-tls",
		                             "configmap/consul-server", "service/consul",
		                             "service/consul-client",   "poddisruptionbudget.policy/consul",
		                             "statefulset.apps/consul" };
	struct fixture fixture;

	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	cr_assert_eq(fixture.plan.objects.count, ARRAY_SIZE(order));
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		cr_expect_str_eq(fixture.plan.objects.items[i].resource, order[i]);
	fixture_expect_all(&fixture, "created");
	cr_assert_str_eq(fixture.plan.sets.items[0], "consul");
	cr_assert(fixture.plan.new_secrets);
	cr_assert_eq(json_int_at(fixture_kept(&fixture, SET_PATH), "spec.replicas", 0), 3);
	cr_assert_eq(apiserver_count(fixture.server, "POST", "/api/v1/namespaces/ns/secrets"), 3);
	fixture_stop(&fixture);
}

Test(deploy, again_changes_nothing_and_makes_no_new_key)
{
	struct fixture fixture;
	_cleanup_json_ cJSON *before = NULL;

	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	before = cJSON_Duplicate(fixture.store.objects, true);
	fixture_deploy(&fixture, &usual);
	fixture_expect_all(&fixture, "unchanged");
	cr_assert(cJSON_Compare(before, fixture.store.objects, true));
	cr_assert_not(fixture.plan.new_secrets);
	cr_assert_eq(apiserver_count(fixture.server, "POST", "*"), 3);
	fixture_stop(&fixture);
}

Test(deploy, options_that_are_not_given_mean_as_it_is)
{
	struct deploy_request request = usual, image = usual;
	struct fixture fixture;
	_cleanup_free_ char *config = NULL;

	request.replicas = 5;
	request.image = "mine/consul:1.8.7";
	request.datacenter = "east";
	request.storage_size = "1Gi";
	request.storage_class = "fast";
	image.image = "mine/consul:1.9.0";
	fixture_start(&fixture);
	fixture_deploy(&fixture, &request);
	fixture_deploy(&fixture, &usual);
	fixture_expect_all(&fixture, "unchanged");
	fixture_deploy(&fixture, &image);
	cr_expect_str_eq(fixture_outcome(&fixture, "statefulset.apps/consul"), "configured");
	cr_expect_str_eq(fixture_outcome(&fixture, "configmap/consul-server"), "unchanged");
	cr_assert_eq(json_int_at(fixture_kept(&fixture, SET_PATH), "spec.replicas", 0), 5);
	config = json_text(json_at(fixture_kept(&fixture, SET_PATH), "spec.template.metadata.annotations"));
	cr_assert_not_null(strstr(config, "east"));
	fixture_stop(&fixture);
}

Test(deploy, live_replicas_and_the_first_bootstrap_expect_stay)
{
	struct fixture fixture;
	_cleanup_free_ char *config = NULL;

	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	store_scale_up(&fixture.store, SET_PATH);
	fixture_deploy(&fixture, &usual);
	config = json_text(fixture_kept(&fixture, CONFIG_PATH));
	cr_assert_eq(json_int_at(fixture_kept(&fixture, SET_PATH), "spec.replicas", 0), 4);
	cr_assert_not_null(strstr(config, "\\\"bootstrap_expect\\\": 3"));
	fixture_expect_all(&fixture, "unchanged");
	fixture_stop(&fixture);
}

Test(deploy, scaling_between_reading_and_sending_is_not_undone)
{
	for (int force = 0; force <= 1; force++) {
		struct deploy_request image = usual;
		struct fixture fixture;

		image.image = "mine/consul:1.9.0";
		fixture_start(&fixture);
		fixture_deploy(&fixture, &usual);
		fixture.store.race_replicas = 2;
		cr_assert_eq(fixture_plan(&fixture, &image), 0);
		cr_assert_eq(fixture_apply(&fixture, APPLY_FOR_REAL, force), 0, "%s", fixture.err.message);
		cr_expect_eq(json_int_at(fixture_kept(&fixture, SET_PATH), "spec.replicas", 0), 5);
		cr_expect_str_eq(fixture_outcome(&fixture, "statefulset.apps/consul"), "configured");
		fixture_stop(&fixture);
	}
}

Test(deploy, an_object_that_never_stands_still_is_given_up)
{
	struct fixture fixture;

	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	cr_assert_eq(fixture_plan(&fixture, &usual), 0);
	fixture.store.race_replicas = 1000;
	cr_assert_eq(fixture_apply(&fixture, APPLY_FOR_REAL, false), -1);
	cr_expect_eq(fixture.err.kind, ERR_CONFLICT);
	cr_expect_not_null(strstr(fixture.err.message, "statefulset.apps/consul"));
	fixture_stop(&fixture);
}

Test(deploy, what_a_deploy_never_changes_is_refused)
{
	struct deploy_request acls = usual, replicas = usual, size = usual, class = usual, datacenter = usual,
	                      same = usual;
	struct fixture fixture;

	replicas.replicas = 5;
	size.storage_size = "20Gi";
	class.storage_class = "other";
	datacenter.datacenter = "dc2";
	same.replicas = 3;
	same.storage_size = "10240Mi";
	same.datacenter = "dc1";
	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	/* The number of servers is the engine's to change, after all else. */
	cr_assert_eq(fixture_plan(&fixture, &replicas), 0);
	cr_expect_eq(json_int_at(deploy_plan_set(&fixture.plan)->json, "spec.replicas", 0), 3);
	acls.acls = true;
	expect_refused(&fixture, &acls, "runs without ACLs");
	expect_refused(&fixture, &size, "--storage-size \"10Gi\"");
	expect_refused(&fixture, &class, "--storage-class");
	expect_refused(&fixture, &datacenter, "--datacenter \"dc1\"");
	cr_assert_eq(fixture_plan(&fixture, &same), 0, "%s", fixture.err.message);
	fixture_stop(&fixture);
}

Test(deploy, acls_that_are_not_there_cannot_be_reset)
{
	struct deploy_request reset = usual;
	struct fixture fixture;

	reset.reset_acls = true;
	fixture_start(&fixture);
	expect_refused(&fixture, &reset, "has no ACLs");
	fixture_deploy(&fixture, &usual);
	expect_refused(&fixture, &reset, "has no ACLs");
	fixture_stop(&fixture);
}

/* The Services of "consul" and "consul-client" have a name in common. */
Test(deploy, clusters_whose_names_meet_are_refused)
{
	struct deploy_request other = usual;
	struct fixture fixture;

	other.name = "consul-client";
	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	expect_refused(&fixture, &other, "service/consul-client is of another cluster in this namespace, \"consul\"");
	fixture_stop(&fixture);
}

/* Whoever comes second would mix its certificate with the other's authority. */
Test(deploy, secrets_that_somebody_makes_meanwhile_end_it)
{
	struct fixture fixture;

	fixture_start(&fixture);
	cr_assert_eq(fixture_plan(&fixture, &usual), 0, "%s", fixture.err.message);
	json_set(fixture.store.objects, "/api/v1/namespaces/ns/secrets/consul-ca",
	         json_object("kind", json_string("Secret"), "metadata",
	                     json_object("name", json_string("consul-ca"), NULL), NULL));
	cr_assert_eq(fixture_apply(&fixture, APPLY_FOR_REAL, false), -1);
	cr_expect_eq(fixture.err.kind, ERR_CONFLICT);
	cr_expect_not_null(strstr(fixture.err.hint, "somebody else deploys at the same time"));
	cr_expect_null(json_get(fixture.store.objects, "/api/v1/namespaces/ns/secrets/consul-tls"));
	cr_expect_null(json_get(fixture.store.objects, SET_PATH));
	fixture_stop(&fixture);
}

Test(deploy, what_belongs_to_somebody_else_is_refused)
{
	static const char *const paths[] = { SET_PATH, CONFIG_PATH, "/api/v1/namespaces/ns/services/consul",
		                             "/api/v1/namespaces/ns/services/consul-client",
		                             "/apis/policy/v1/namespaces/ns/poddisruptionbudgets/consul" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct fixture fixture;

		fixture_start(&fixture);
		json_set(fixture.store.objects, paths[i],
		         json_object("kind", json_string("X"), "metadata",
		                     json_object("labels",
		                                 json_object("app.kubernetes.io/managed-by", json_string("Helm"), NULL),
		                                 NULL),
		                     NULL));
		expect_refused(&fixture, &usual, "was not made by kubectl consul (managed by \"Helm\")");
		fixture_stop(&fixture);
	}
}

Test(deploy, a_cluster_whose_key_is_gone_gets_no_new_one)
{
	struct fixture fixture;

	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	json_set(fixture.store.objects, SECRET_PATH, NULL);
	expect_refused(&fixture, &usual, "secret/consul-gossip does not");
	fixture_stop(&fixture);
}

Test(deploy, a_key_of_the_users_own_is_taken)
{
	struct fixture fixture;

	fixture_start(&fixture);
	json_set(fixture.store.objects, SECRET_PATH,
	         json_object("kind", json_string("Secret"), "metadata",
	                     json_object("name", json_string("consul-gossip"), NULL), "data",
	                     json_object("gossip.json", json_string("bWluZQ=="), NULL), NULL));
	fixture_deploy(&fixture, &usual);
	cr_expect_str_eq(fixture_outcome(&fixture, "secret/consul-gossip"), "unchanged");
	cr_expect_str_eq(fixture_outcome(&fixture, "statefulset.apps/consul"), "created");
	cr_assert_eq(apiserver_count(fixture.server, "POST", "*"), 2); /* the authority and the certificate */
	json_set(cJSON_GetObjectItemCaseSensitive(fixture.store.objects, SECRET_PATH), "data", NULL);
	expect_refused(&fixture, &usual, "has no key \"gossip.json\"");
	fixture_stop(&fixture);
}

Test(deploy, a_secret_that_may_not_be_read_is_made_or_left)
{
	struct deploy_request plain = usual;
	struct fixture fixture;

	plain.tls = DEPLOY_NO;
	fixture_start(&fixture);
	fixture.store.refuse_path = "/secrets/";
	fixture.store.refuse_method = "GET";
	fixture.store.refusal = (struct http_answer){ .status = 403, .body = STATUS_FAILURE(403, "Forbidden", "no") };
	/* An authority that may be there already cannot be made without looking. */
	cr_assert_eq(fixture_plan(&fixture, &usual), -1);
	cr_expect_eq(fixture.err.kind, ERR_FORBIDDEN);
	cr_expect_str_eq(fixture.err.message,
	                 "secret/consul-tls may not be read, and without that it is not known what "
	                 "is there already");
	fixture_deploy(&fixture, &plain);
	cr_expect_str_eq(fixture_outcome(&fixture, "secret/consul-gossip"), "created");
	/* Nobody who pipes it anywhere gets a key that was made up. */
	fixture_deploy(&fixture, &usual);
	{
		char *text = deploy_plan_yaml(&fixture.plan);

		cr_expect_null(strstr(text, "encrypt"));
		free_secret(text);
	}
	cr_assert_eq(apiserver_count(fixture.server, "POST", "*"), 1);
	fixture_stop(&fixture);
}

Test(deploy, a_namespace_that_does_not_exist_gets_a_hint)
{
	struct fixture fixture;

	fixture_start(&fixture);
	fixture.store.refuse_path = "/api/v1/namespaces/ns";
	fixture.store.refusal = (struct http_answer){ .status = 404, .body = STATUS_FAILURE(404, "NotFound", "no") };
	cr_assert_eq(fixture_plan(&fixture, &usual), -1);
	cr_expect_str_eq(fixture.err.message, "namespaces \"ns\" not found");
	cr_expect_str_eq(fixture.err.hint, "kubectl create namespace ns");
	fixture_stop(&fixture);
}

/* A server that adds a port puts it at the end, wherever it is asked for. */
Test(deploy, ports_in_another_order_are_no_change)
{
	struct fixture fixture;
	cJSON *service, *ports;

	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	service = cJSON_GetObjectItemCaseSensitive(fixture.store.objects, "/api/v1/namespaces/ns/services/consul");
	ports = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(service, "spec"), "ports");
	cr_assert_gt(cJSON_GetArraySize(ports), 1);
	cJSON_AddItemToArray(ports, cJSON_DetachItemFromArray(ports, 0));
	cr_assert_eq(fixture_plan(&fixture, &usual), 0);
	cr_assert_eq(fixture_apply(&fixture, APPLY_ON_CLIENT, false), 0);
	cr_expect_str_eq(fixture_outcome(&fixture, "service/consul"), "unchanged");
	cJSON_SetNumberValue(cJSON_GetObjectItemCaseSensitive(ports->child, "port"), 1);
	cr_assert_eq(fixture_plan(&fixture, &usual), 0);
	cr_assert_eq(fixture_apply(&fixture, APPLY_ON_CLIENT, false), 0);
	cr_expect_str_eq(fixture_outcome(&fixture, "service/consul"), "configured");
	fixture_stop(&fixture);
}

Test(deploy, dry_runs_tell_and_change_nothing)
{
	static const enum apply_mode modes[] = { APPLY_ON_CLIENT, APPLY_ON_SERVER };
	struct deploy_request image = usual;

	image.image = "mine/consul:1.9.0";
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct fixture fixture;

		fixture_start(&fixture);
		cr_assert_eq(fixture_plan(&fixture, &usual), 0);
		cr_assert_eq(fixture_apply(&fixture, modes[i], false), 0);
		fixture_expect_all(&fixture, "created");
		cr_assert_eq(cJSON_GetArraySize(fixture.store.objects), 0);
		fixture_deploy(&fixture, &usual);
		cr_assert_eq(fixture_plan(&fixture, &image), 0);
		cr_assert_eq(fixture_apply(&fixture, modes[i], false), 0);
		cr_expect_str_eq(fixture_outcome(&fixture, "statefulset.apps/consul"), "configured");
		cr_expect_str_eq(fixture_outcome(&fixture, "secret/consul-gossip"), "unchanged");
		cr_expect_str_eq(fixture_outcome(&fixture, "service/consul-client"), "unchanged");
		fixture_stop(&fixture);
	}
}

static const struct apply_object *planned(const struct fixture *fixture, const char *resource)
{
	for (size_t i = 0; i < fixture->plan.objects.count; i++)
		if (str_equal(fixture->plan.objects.items[i].resource, resource))
			return &fixture->plan.objects.items[i];
	cr_assert_fail("%s is not planned", resource);
	return NULL;
}

static const char *image_of(const cJSON *set)
{
	return json_string_at(json_at(set, "spec.template.spec.containers")->child, "image");
}

/* What the server adds is in it; live stays what was read. */
Test(deploy, what_the_server_made_of_an_object_is_kept)
{
	static const enum apply_mode modes[] = { APPLY_ON_SERVER, APPLY_FOR_REAL };
	struct deploy_request image = usual;

	image.image = "mine/consul:1.9.0";
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct fixture fixture;
		const struct apply_object *set;

		fixture_start(&fixture);
		cr_assert_eq(fixture_plan(&fixture, &usual), 0);
		cr_assert_eq(fixture_apply(&fixture, modes[i], false), 0);
		cr_expect_null(planned(&fixture, "secret/consul-gossip")->live);
		cr_expect_not_null(json_at(planned(&fixture, "secret/consul-gossip")->result, "data"));
		fixture_deploy(&fixture, &usual);
		cr_assert_eq(fixture_plan(&fixture, &image), 0);
		cr_assert_eq(fixture_apply(&fixture, modes[i], false), 0);
		set = planned(&fixture, "statefulset.apps/consul");
		cr_expect_str_eq(image_of(set->live), MANIFEST_IMAGE);
		cr_expect_str_eq(image_of(set->result), "mine/consul:1.9.0");
		cr_expect(json_bool_at(set->result, "spec.defaulted", false));
		cr_expect_null(planned(&fixture, "secret/consul-gossip")->result, "left as it is");
		fixture_stop(&fixture);
	}
}

Test(deploy, a_client_dry_run_writes_nothing)
{
	struct fixture fixture;

	fixture_start(&fixture);
	cr_assert_eq(fixture_plan(&fixture, &usual), 0);
	cr_assert_eq(fixture_apply(&fixture, APPLY_ON_CLIENT, false), 0);
	cr_assert_eq(apiserver_count(fixture.server, NULL, "*"), apiserver_count(fixture.server, "GET", "*"));
	fixture_stop(&fixture);
}

Test(deploy, a_field_of_another_manager_is_an_error_that_names_both)
{
	struct fixture fixture;

	fixture_start(&fixture);
	fixture.store.refuse_path = "/configmaps/";
	fixture.store.refuse_method = "PATCH";
	fixture.store.refusal = (struct http_answer){
		.status = 409,
		.body = STATUS_FAILURE(
		    409, "Conflict", "Apply failed with 1 conflict: conflict with \\\"kubectl-edit\\\" using v1: .data")
	};
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(fixture_plan(&fixture, &usual), 0);
		cr_assert_eq(fixture_apply(&fixture, i == 0 ? APPLY_ON_SERVER : APPLY_FOR_REAL, false), -1);
		cr_expect_eq(fixture.err.kind, ERR_CONFLICT);
		cr_expect_not_null(strstr(fixture.err.message, "configmap/consul-server"));
		cr_expect_not_null(strstr(fixture.err.message, "conflict with \"kubectl-edit\" using v1: .data"));
		cr_expect_not_null(strstr(fixture.err.hint, "--force-conflicts"));
		cr_expect_str_eq(fixture_outcome(&fixture, "secret/consul-gossip"), "created");
		cr_expect_str_eq(fixture_outcome(&fixture, "service/consul"), "not applied");
	}
	fixture_stop(&fixture);
}

Test(deploy, only_when_asked_to_a_field_is_taken_over)
{
	struct fixture fixture;
	const struct apiserver_request *request;

	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	request = apiserver_find(fixture.server, "PATCH", "*/configmaps/*", 0);
	cr_assert_null(strstr(request->query, "force"));
	cr_assert_not_null(strstr(request->query, "fieldManager=kubectl-consul"));
	cr_assert_eq(fixture_plan(&fixture, &usual), 0);
	cr_assert_eq(fixture_apply(&fixture, APPLY_FOR_REAL, true), 0);
	request = apiserver_find(fixture.server, "PATCH", "*/configmaps/*", 1);
	cr_assert_not_null(strstr(request->query, "force=true"));
	fixture_stop(&fixture);
}

Test(deploy, valid_objects_that_apply_refuses_as_new_are_created)
{
	struct fixture fixture;

	fixture_start(&fixture);
	fixture.store.refuse_path = "/statefulsets/consul";
	fixture.store.refuse_method = "PATCH";
	fixture.store.refusal = (struct http_answer){
		.status = 422,
		.body =
		    STATUS_FAILURE(422, "Invalid", "StatefulSet.apps \\\"consul\\\" is invalid: spec: Required value")
	};
	fixture_deploy(&fixture, &usual);
	fixture_expect_all(&fixture, "created");
	cr_assert_eq(apiserver_count(fixture.server, "POST", "*/statefulsets"), 1);
	fixture_stop(&fixture);
}

Test(deploy, budgets_are_of_the_version_that_the_server_has)
{
	struct fixture fixture;

	fixture_start(&fixture);
	fixture.store.old_policy = true;
	fixture_deploy(&fixture, &usual);
	fixture_kept(&fixture, "/apis/policy/v1beta1/namespaces/ns/poddisruptionbudgets/consul");
	fixture_stop(&fixture);
}

Test(deploy, text_of_a_plan_is_what_is_applied_and_no_key_that_is_in_use)
{
	struct fixture fixture;
	char *yaml, *json;

	fixture_start(&fixture);
	cr_assert_eq(fixture_plan(&fixture, &usual), 0);
	yaml = deploy_plan_yaml(&fixture.plan);
	cr_expect_not_null(strstr(yaml, "kind: Secret"));
	cr_expect_not_null(strstr(yaml, "encrypt"));
	cr_expect(str_starts_with(yaml, "---\n"));
	free_secret(yaml);
	fixture_deploy(&fixture, &usual);
	cr_assert_eq(fixture_plan(&fixture, &usual), 0);
	yaml = deploy_plan_yaml(&fixture.plan);
	json = deploy_plan_json(&fixture.plan);
	cr_expect_null(strstr(yaml, "kind: Secret"));
	cr_expect_null(strstr(yaml, "encrypt"));
	cr_expect_null(strstr(json, "encrypt"));
	cr_expect_not_null(strstr(json, "\"kind\": \"List\""));
	cr_expect_not_null(strstr(json, "\"StatefulSet\""));
	free_secret(yaml);
	free_secret(json);
	fixture_stop(&fixture);
}

Test(deploy, keys_are_32_bytes_and_never_the_same)
{
	struct err err = ERR_INIT;
	char *first = NULL, *second = NULL;

	cr_assert_eq(deploy_gossip_key(&first, &err), 0);
	cr_assert_eq(deploy_gossip_key(&second, &err), 0);
	cr_assert_eq(strlen(first), 44);
	cr_assert_str_neq(first, second);
	free_secret(first);
	free_secret(second);
}
