/* Going back: the earlier template with the configuration that went with it, exactly. */
#include <criterion/criterion.h>
#include <string.h>

#include "keeping_server.h"
#include "util/json.h"
#include "util/mem.h"

#define REVISIONS_PATH "/apis/apps/v1/namespaces/ns/controllerrevisions"

static const struct deploy_request usual = {
	.namespace_name = "ns", .name = "consul", .cluster_domain = "cluster.local", .now_s = 1700000000
};

static cJSON *revision(const char *name, int64_t number, const cJSON *pod_template)
{
	cJSON *template = cJSON_Duplicate(pod_template, true);

	json_set(template, "$patch", json_string("replace"));
	return json_object(
	    "metadata",
	    json_object("name", json_string(name), "ownerReferences",
	                json_array(json_object("kind", json_string("StatefulSet"), "name", json_string("consul"), "uid",
	                                       json_string("some-uid"), NULL)),
	                NULL),
	    "data", json_object("spec", json_object("template", template, NULL), NULL), "revision", json_int(number),
	    NULL);
}

/* The set as it is now becomes revision number, and what it was before too: as its controller tells. */
static void keep_revisions(struct fixture *fixture, const cJSON *earlier)
{
	cJSON *set = cJSON_GetObjectItemCaseSensitive(fixture->store.objects, SET_PATH);
	cJSON *items =
	    json_array(revision("consul-a", 1, earlier), revision("consul-b", 2, json_at(set, "spec.template")));

	json_set(fixture->store.objects, REVISIONS_PATH,
	         json_object("kind", json_string("ControllerRevisionList"), "items", items, NULL));
	json_set(set, "status",
	         json_object("currentRevision", json_string("consul-b"), "updateRevision", json_string("consul-b"),
	                     "replicas", json_int(3), "updatedReplicas", json_int(3), "currentReplicas", json_int(3),
	                     NULL));
}

static int plan_back(struct fixture *fixture)
{
	deploy_plan_release(&fixture->plan);
	err_release(&fixture->err);
	return deploy_plan_rollback(fixture->client, &usual, INT64_MAX, &fixture->plan, &fixture->err);
}

static const cJSON *planned_template(struct fixture *fixture)
{
	return json_at(deploy_plan_set(&fixture->plan)->json, "spec.template");
}

Test(deploy_back, the_template_and_its_configuration_come_back)
{
	struct deploy_request image = usual, plain = usual;
	struct fixture fixture;
	_cleanup_json_ cJSON *extra = json_object("log_level", json_string("DEBUG"), NULL), *earlier = NULL;

	plain.tls = DEPLOY_NO;
	image.image = "mine/consul:1.9.0";
	image.extra = extra;
	image.tls = DEPLOY_YES;
	fixture_start(&fixture);
	fixture_deploy(&fixture, &plain);
	earlier = cJSON_Duplicate(json_at(fixture_kept(&fixture, SET_PATH), "spec.template"), true);
	fixture_deploy(&fixture, &image);
	keep_revisions(&fixture, earlier);

	cr_assert_eq(plan_back(&fixture), 0, "%s", fixture.err.message);
	cr_expect_str_eq(fixture.plan.going_back_to, "consul-a");
	cr_expect(cJSON_Compare(planned_template(&fixture), earlier, true), "settings of people's own included");
	cr_expect_eq(fixture.plan.tls, MANIFEST_TLS_OFF);
	cr_expect_not(fixture.plan.unfinished);
	cr_assert_eq(fixture_apply(&fixture, APPLY_FOR_REAL, true), 0);
	/* It stays there: what was wanted before has been given up. */
	cr_assert_eq(fixture_plan(&fixture, &usual), 0);
	cr_expect_eq(fixture.plan.tls, MANIFEST_TLS_OFF);
	fixture_stop(&fixture);
}

/* It is brought to its end by the same command, which would turn round otherwise. */
Test(deploy_back, one_that_was_stopped_goes_on)
{
	struct deploy_request image = usual;
	struct fixture fixture;
	_cleanup_json_ cJSON *earlier = NULL;

	image.image = "mine/consul:1.9.0";
	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	earlier = cJSON_Duplicate(json_at(fixture_kept(&fixture, SET_PATH), "spec.template"), true);
	fixture_deploy(&fixture, &image);
	keep_revisions(&fixture, earlier);
	cr_assert_eq(plan_back(&fixture), 0, "%s", fixture.err.message);
	manifest_set_rolling(deploy_plan_set(&fixture.plan)->json, false);
	cr_assert_eq(fixture_apply(&fixture, APPLY_FOR_REAL, true), 0);

	cr_assert_eq(plan_back(&fixture), 0, "%s", fixture.err.message);
	cr_expect_str_eq(fixture.plan.going_back_to, "consul-a");
	cr_expect(cJSON_Compare(planned_template(&fixture), earlier, true));
	/* At its end nothing tells of it any more. */
	manifest_set_rolling(deploy_plan_set(&fixture.plan)->json, true);
	cr_expect_null(
	    json_get(json_at(deploy_plan_set(&fixture.plan)->json, "metadata.annotations"), MANIFEST_ANNOTATION_BACK));
	fixture_stop(&fixture);
}

/* What was added in between is in the live template until the end, and is not what was asked for. */
Test(deploy_back, one_that_was_stopped_goes_on_to_the_same_revision)
{
	struct deploy_request image = usual;
	struct fixture fixture;
	_cleanup_json_ cJSON *earlier = NULL;
	cJSON *set;

	image.image = "mine/consul:1.9.0";
	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	earlier = cJSON_Duplicate(json_at(fixture_kept(&fixture, SET_PATH), "spec.template"), true);
	fixture_deploy(&fixture, &image);
	keep_revisions(&fixture, earlier);
	cr_assert_eq(plan_back(&fixture), 0, "%s", fixture.err.message);
	manifest_set_rolling(deploy_plan_set(&fixture.plan)->json, false);
	cr_assert_eq(fixture_apply(&fixture, APPLY_FOR_REAL, true), 0);

	set = fixture_kept(&fixture, SET_PATH);
	json_set(
	    cJSON_GetObjectItemCaseSensitive(
	        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(set, "spec"), "template"), "spec"),
	    "hostNetwork", json_bool(true));
	cr_assert_eq(plan_back(&fixture), 0, "%s", fixture.err.message);
	cr_expect_str_eq(fixture.plan.going_back_to, "consul-a");
	cr_expect(cJSON_Compare(planned_template(&fixture), earlier, true));

	/* Kubernetes has thrown the revision away: what was applied of it is what is left. */
	json_set(fixture.store.objects, REVISIONS_PATH,
	         json_object("kind", json_string("ControllerRevisionList"), "items", cJSON_CreateArray(), NULL));
	cr_assert_eq(plan_back(&fixture), 0, "%s", fixture.err.message);
	cr_expect(json_bool_at(planned_template(&fixture), "spec.hostNetwork", false));
	fixture_stop(&fixture);
}

Test(deploy_back, without_an_earlier_one_there_is_no_way_back)
{
	struct fixture fixture;

	fixture_start(&fixture);
	cr_assert_eq(plan_back(&fixture), -1);
	cr_expect_eq(fixture.err.kind, ERR_NOT_FOUND);
	cr_expect_not_null(strstr(fixture.err.message, "does not exist"));
	fixture_deploy(&fixture, &usual);
	json_set(fixture.store.objects, REVISIONS_PATH,
	         json_object("kind", json_string("ControllerRevisionList"), "items", cJSON_CreateArray(), NULL));
	cr_assert_eq(plan_back(&fixture), -1);
	fixture_stop(&fixture);
}

/* What others added to the template stays when it is applied: then it is replaced as a whole, as it was seen. */
Test(deploy_back, what_others_added_is_taken_away)
{
	struct deploy_request image = usual;
	struct fixture fixture;
	struct apply_object *set;
	const struct apiserver_request *patch;
	_cleanup_json_ cJSON *earlier = NULL;
	_cleanup_free_ char *type = NULL;
	cJSON *annotations;

	image.image = "mine/consul:1.9.0";
	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	earlier = cJSON_Duplicate(json_at(fixture_kept(&fixture, SET_PATH), "spec.template"), true);
	fixture_deploy(&fixture, &image);
	keep_revisions(&fixture, earlier);
	cr_assert_eq(plan_back(&fixture), 0, "%s", fixture.err.message);
	cr_assert_eq(fixture_apply(&fixture, APPLY_FOR_REAL, true), 0);
	set = deploy_plan_set(&fixture.plan);

	size_t patches = apiserver_count(fixture.server, "PATCH", SET_PATH);
	cr_assert_eq(deploy_restore_template(fixture.client, set, INT64_MAX, &fixture.err), 0);
	cr_expect_eq(apiserver_count(fixture.server, "PATCH", SET_PATH), patches, "it is what it was already");

	annotations = cJSON_GetObjectItemCaseSensitive(
	    cJSON_GetObjectItemCaseSensitive(
	        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(set->result, "spec"), "template"),
	        "metadata"),
	    "annotations");
	json_set(annotations, "kubectl.kubernetes.io/restartedAt", json_string("today"));
	cr_assert_eq(deploy_restore_template(fixture.client, set, INT64_MAX, &fixture.err), 0, "%s",
	             fixture.err.message);
	patch = apiserver_find(fixture.server, "PATCH", SET_PATH, patches);
	cr_assert_not_null(patch);
	type = apiserver_request_header(patch, "Content-Type");
	cr_expect_str_eq(type, "application/strategic-merge-patch+json");
	cr_expect_not_null(strstr(patch->body, "\"$patch\":\"replace\""));
	cr_expect_not_null(strstr(patch->body, "\"resourceVersion\":"));
	cr_expect_null(strstr(patch->body, "restartedAt"));
	fixture_stop(&fixture);
}

/* The plan to go back, applied, to a set that has one thing more; then its version has gone on by one. */
static void apply_back_and_touch(struct fixture *fixture, int64_t generation)
{
	struct deploy_request image = usual;
	_cleanup_json_ cJSON *earlier = NULL;
	struct apply_object *set;
	cJSON *kept;

	image.image = "mine/consul:1.9.0";
	fixture_start(fixture);
	fixture_deploy(fixture, &usual);
	earlier = cJSON_Duplicate(json_at(fixture_kept(fixture, SET_PATH), "spec.template"), true);
	fixture_deploy(fixture, &image);
	keep_revisions(fixture, earlier);
	cr_assert_eq(plan_back(fixture), 0, "%s", fixture->err.message);
	cr_assert_eq(fixture_apply(fixture, APPLY_FOR_REAL, true), 0);
	set = deploy_plan_set(&fixture->plan);
	json_set(
	    cJSON_GetObjectItemCaseSensitive(
	        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(set->result, "spec"), "template"),
	        "spec"),
	    "hostNetwork", json_bool(true));
	kept = cJSON_GetObjectItemCaseSensitive(fixture_kept(fixture, SET_PATH), "metadata");
	json_set(kept, "resourceVersion", json_string("999"));
	json_set(kept, "generation", json_int(generation));
}

/* Its controller writes there all the time. */
Test(deploy_back, a_status_that_changes_is_no_conflict)
{
	struct fixture fixture;
	const struct apiserver_request *patch;
	size_t patches;

	apply_back_and_touch(&fixture, 0);
	patches = apiserver_count(fixture.server, "PATCH", SET_PATH);
	cr_assert_eq(deploy_restore_template(fixture.client, deploy_plan_set(&fixture.plan), INT64_MAX, &fixture.err),
	             0, "%s", fixture.err.message);
	cr_expect_eq(apiserver_count(fixture.server, "PATCH", SET_PATH), patches + 2);
	patch = apiserver_find(fixture.server, "PATCH", SET_PATH, patches + 1);
	cr_assert_not_null(patch);
	cr_expect_not_null(strstr(patch->body, "\"resourceVersion\":\"999\""));
	fixture_stop(&fixture);
}

Test(deploy_back, a_specification_that_changes_is)
{
	struct fixture fixture;

	apply_back_and_touch(&fixture, 7);
	cr_assert_eq(deploy_restore_template(fixture.client, deploy_plan_set(&fixture.plan), INT64_MAX, &fixture.err),
	             -1);
	cr_expect_eq(fixture.err.kind, ERR_CONFLICT);
	fixture_stop(&fixture);
}
