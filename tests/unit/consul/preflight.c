/* Preflight against a scripted API server: one thing is different in each case, and one check tells it. */
#include <criterion/criterion.h>

#include "consul/manifest.h"
#include "preflight_scene.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#define FINE    PREFLIGHT_FINE
#define NOTE    PREFLIGHT_NOTE
#define UNKNOWN PREFLIGHT_UNKNOWN
#define PROBLEM PREFLIGHT_PROBLEM

struct row {
	const char *label;
	struct preflight_case how;
	struct preflight_expected expected;
};

static void try_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		scene_expect(rows[i].label, &rows[i].how, &rows[i].expected);
}

/* ------------------------------------------------------------------------------------------ the whole */

Test(preflight, a_new_cluster_without_a_problem)
{
	static const char *const names[] = { "namespace", "rights",       "storage class", "leftover claims",
		                             "owner",     "pod security", "nodes",         "image" };
	static const struct preflight_case usual = { 0 };
	struct preflight_scene scene;

	scene_run(&scene, &usual);
	cr_assert_eq(scene.found.count, ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct preflight_check *check = &scene.found.items[i];

		cr_expect_str_eq(check->name, names[i]);
		cr_expect_eq(check->outcome, FINE, "%s: %s", check->name, check->text);
		cr_expect_not_null(check->text);
		cr_expect_null(check->hint);
		cr_expect_null(check->paste);
	}
	cr_assert_not(preflight_has_problem(&scene.found));
	scene_end(&scene);
}

Test(preflight, writes_nothing_and_asks_for_each_right_once)
{
	static const struct preflight_case usual = { .acls = true, .restarts = true, .scales = true };
	struct preflight_scene scene;
	_cleanup_strv_ struct strv bodies = STRV_INIT;

	scene_run(&scene, &usual);
	cr_expect_eq(apiserver_count(scene.server, "PATCH", "*"), 0);
	cr_expect_eq(apiserver_count(scene.server, "PUT", "*"), 0);
	cr_expect_eq(apiserver_count(scene.server, "DELETE", "*"), 0);
	cr_expect_eq(apiserver_count(scene.server, "POST", "*"),
	             apiserver_count(scene.server, "POST", "/apis/auth*/v1/selfsubject*reviews"));
	for (size_t i = 0; i < apiserver_request_total(scene.server); i++) {
		const struct apiserver_request *request = apiserver_request_at(scene.server, i);

		if (!str_equal(request->method, "POST"))
			continue;
		cr_expect_not(strv_contains(&bodies, request->body), "twice: %s", request->body);
		strv_add(&bodies, request->body);
	}
	cr_assert_gt(bodies.count, 30);
	scene_end(&scene);
}

static void expect_outcomes(const struct preflight_scene *scene, const enum preflight_outcome *outcomes)
{
	for (size_t i = 0; i < scene->found.count; i++)
		cr_expect_eq(scene->found.items[i].outcome, outcomes[i], "%s: %s", scene->found.items[i].name,
		             scene->found.items[i].text);
}

Test(preflight, all_problems_are_told_at_once)
{
	static const struct preflight_case how = {
		.denied = "create statefulsets, create configmaps",
		.classes = "",
		.claims = "{'metadata':{'name':'data-consul-0'},'status':{'phase':'Bound'}}",
		.image = "hashicorp/consul:latest",
		.nodes = "{'metadata':{'name':'a'},'spec':{'unschedulable':true}}",
		.template = "{'spec':{'hostNetwork':true}}",
		.namespace_json = "{'metadata':{'labels':{'pod-security.kubernetes.io/enforce':'restricted'}}}",
		.live_service = "{'metadata':{'labels':{'app.kubernetes.io/managed-by':'Helm'}}}",
	};
	static const enum preflight_outcome outcomes[] = { FINE,    PROBLEM, PROBLEM, PROBLEM,
		                                           PROBLEM, PROBLEM, PROBLEM, NOTE };
	struct preflight_scene scene;

	scene_run(&scene, &how);
	expect_outcomes(&scene, outcomes);
	cr_assert(preflight_has_problem(&scene.found));
	scene_end(&scene);
}

Test(preflight, nothing_readable_is_unknown_and_no_problem)
{
	static const struct preflight_case how = { .namespace_json = "403",
		                                   .classes = "403",
		                                   .volumes = "403",
		                                   .claims = "403",
		                                   .pods = "403",
		                                   .nodes = "403",
		                                   .reviews = "403",
		                                   .template = "{'spec':{'hostNetwork':true}}" };
	static const enum preflight_outcome outcomes[] = { UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN,
		                                           FINE,    UNKNOWN, UNKNOWN, FINE };
	struct preflight_scene scene;

	scene_run(&scene, &how);
	expect_outcomes(&scene, outcomes);
	cr_assert_not(preflight_has_problem(&scene.found));
	scene_end(&scene);
}

Test(preflight, fails_when_the_server_cannot_be_asked)
{
	static const struct apiserver_route routes[] = {
		{ .path = "*",
		  .answer = { .status = 401, .body = STATUS_FAILURE(401, "Unauthorized", "Unauthorized") } },
		{ 0 },
	};
	static const struct preflight_case usual = { 0 };
	struct preflight_scene scene;
	struct preflight_request request = { .namespace_name = "ns", .name = "consul", .objects = &scene.objects };

	scene_run(&scene, &usual);
	preflight_release(&scene.found);
	apiserver_add(scene.server, routes, NULL, NULL);
	cr_assert_eq(preflight(scene.client, &request, clock_monotonic_ms() + 20000, &scene.found, &scene.err), -1);
	cr_expect_eq(scene.err.kind, ERR_UNAUTHORIZED);
	cr_expect_eq(scene.found.count, 0);
	scene_end(&scene);
}

/* -------------------------------------------------------------------------------------------- namespace */

Test(preflight, namespace)
{
	static const struct row rows[] = {
		{ "missing",
		  { .namespace_json = "404" },
		  { "namespace", PROBLEM, "there is no namespace \"ns\"", "-n", "kubectl create namespace ns" } },
		{ "going",
		  { .namespace_json = "{'status':{'phase':'Terminating'}}" },
		  { "namespace", PROBLEM, "is being deleted", "wait", NULL } },
		{ "unreadable", { .namespace_json = "403" }, { "namespace", UNKNOWN, "may not read", NULL, NULL } },
		{ "pods of one that is missing fit",
		  { .namespace_json = "404", .template = "{'spec':{'hostNetwork':true}}" },
		  { "pod security", FINE, "fit level privileged", NULL, NULL } },
	};

	try_rows(rows, ARRAY_SIZE(rows));
}

/* ---------------------------------------------------------------------------------------- storage class */

#define CLASS(name, more) "{'metadata':{'name':'" name "'" more "},'provisioner':'csi.example.com'}"
#define DEFAULT_CLASS     ",'annotations':{'storageclass.kubernetes.io/is-default-class':'true'}"
#define BETA_DEFAULT      ",'annotations':{'storageclass.beta.kubernetes.io/is-default-class':'true'}"
#define VOLUME(class)     "{'spec':{'storageClassName':'" class "'},'status':{'phase':'Available'}}"
#define BOUND(n)          "{'metadata':{'name':'data-consul-" n "'},'status':{'phase':'Bound'}}"
#define ONE_NODE          "{'metadata':{'name':'a'},'spec':{}}"

Test(preflight, storage_class)
{
	static const struct row rows[] = {
		{ "no default",
		  { .classes = CLASS("fast", "") "," CLASS("slow", ",'annotations':{}") },
		  { "storage class", PROBLEM, "none is the default one (there are: fast, slow)", "--storage-class",
		    NULL } },
		{ "no class at all", { .classes = "" }, { "storage class", PROBLEM, "there are: none", "", NULL } },
		{ "no default, but volumes without a class",
		  { .classes = "", .volumes = VOLUME("") "," VOLUME("") "," VOLUME("") "," VOLUME("fast") },
		  { "storage class", FINE, "3 volumes made by hand", NULL, NULL } },
		{ "beta default",
		  { .classes = CLASS("old", BETA_DEFAULT), .nodes = ONE_NODE },
		  { "storage class", FINE, "data: \"old\", the default one", NULL, NULL } },
		{ "two defaults",
		  { .classes = CLASS("a", DEFAULT_CLASS ",'creationTimestamp':'2024-01-01T00:00:00Z'") "," CLASS(
		        "b", DEFAULT_CLASS ",'creationTimestamp':'2024-01-02T00:00:00Z'"),
		    .nodes = ONE_NODE },
		  { "storage class", NOTE, "several StorageClasses are the default one: a, b; the newest is taken",
		    "--storage-class", NULL } },
		{ "two defaults before 1.26",
		  { .classes = CLASS("a", DEFAULT_CLASS) "," CLASS("b", BETA_DEFAULT),
		    .nodes = ONE_NODE,
		    .minor = "25+" },
		  { "storage class", PROBLEM, "takes none then", "--storage-class", NULL } },
		{ "named",
		  { .storage_class = "standard" },
		  { "storage class", FINE, "data: \"standard\"", NULL, NULL } },
		{ "named, missing",
		  { .storage_class = "fast" },
		  { "storage class", PROBLEM, "no StorageClass \"fast\" (there are: standard)", "--storage-class",
		    NULL } },
		{ "named in a file, missing",
		  { .storage_class = "fast", .from_file = true },
		  { "storage class", PROBLEM, "no StorageClass \"fast\"", "consul.yaml, document 1", NULL } },
		{ "named, missing, but volumes are of it",
		  { .storage_class = "fast", .volumes = VOLUME("fast") "," VOLUME("fast") "," VOLUME("fast") },
		  { "storage class", FINE, "3 volumes made by hand are free", NULL, NULL } },
		{ "named, missing, but the claims are there",
		  { .storage_class = "fast", .claims = BOUND("0") "," BOUND("1") "," BOUND("2") },
		  { "storage class", FINE, "every server has its volume already", NULL, NULL } },
		{ "named, missing, and one claim, too",
		  { .storage_class = "fast", .claims = BOUND("0") "," BOUND("1") },
		  { "storage class", PROBLEM, "no StorageClass \"fast\"", "", NULL } },
		{ "by hand",
		  { .storage_class = "", .volumes = VOLUME("") "," VOLUME("other") },
		  { "storage class", NOTE, "1 of the 3 it takes are free", "wait until somebody makes one", NULL } },
		{ "by hand, unreadable",
		  { .storage_class = "", .volumes = "403" },
		  { "storage class", UNKNOWN, "may not be read", NULL, NULL } },
		{ "immediate on several nodes",
		  { .classes = CLASS("now", DEFAULT_CLASS) },
		  { "storage class", NOTE, "volumeBindingMode Immediate", "WaitForFirstConsumer", NULL } },
		{ "immediate on one node",
		  { .classes = CLASS("now", DEFAULT_CLASS), .nodes = ONE_NODE },
		  { "storage class", FINE, "\"now\"", NULL, NULL } },
		{ "no provisioner",
		  { .storage_class = "local",
		    .classes = "{'metadata':{'name':'local'},'provisioner':'kubernetes.io/no-provisioner',"
		               "'volumeBindingMode':'WaitForFirstConsumer'}",
		    .volumes = VOLUME("local") },
		  { "storage class", NOTE, "makes no volumes, and 1 of the 3", "wait until somebody makes one",
		    NULL } },
		{ "unreadable",
		  { .classes = "403" },
		  { "storage class", UNKNOWN, "may not read StorageClasses", NULL, NULL } },
	};

	try_rows(rows, ARRAY_SIZE(rows));
}

/* -------------------------------------------------------------------------------------- leftover claims */

static char *claim(int ordinal, int hours, const char *more)
{
	return xasprintf("{'metadata':{'name':'data-consul-%d','creationTimestamp':'%s'%s},'status':{'phase':'Bound'}}",
	                 ordinal, hours_ago(hours), more);
}

/* How many claims lie there, from ordinal 0 on, and how old they are. */
static const struct claims_row {
	const char *label;
	int count;
	int hours;
	struct preflight_case how;
	struct preflight_expected expected;
} claims_rows[] = {
	{ "new key",
	  3,
	  72,
	  { 0 },
	  { "leftover claims", PROBLEM,
	    "has left data-consul-0 (3d), data-consul-1 (3d) and data-consul-2 (3d): its servers keep its gossip key",
	    "restore its Secrets",
	    "kubectl delete persistentvolumeclaim -n ns data-consul-0 data-consul-1 data-consul-2" } },
	{ "new key, one claim",
	  1,
	  1,
	  { 0 },
	  { "leftover claims", PROBLEM, "data-consul-0 (61m): its servers keep", "", "-n ns data-consul-0" } },
	{ "same key",
	  3,
	  72,
	  { .gossip_exists = true },
	  { "leftover claims", NOTE, "go on with the data of an earlier cluster: data-consul-0 (3d)", "delete them",
	    NULL } },
	{ "same key, too old",
	  3,
	  200,
	  { .gossip_exists = true },
	  { "leftover claims", PROBLEM, "more than 168 hours", "server_rejoin_age_max", "kubectl delete " } },
	{ "same key, old, but a Consul that takes it",
	  3,
	  200,
	  { .gossip_exists = true, .image = "hashicorp/consul:1.8.7" },
	  { "leftover claims", NOTE, "go on with the data", "", NULL } },
	{ "same key, a minority",
	  1,
	  1,
	  { .gossip_exists = true },
	  { "leftover claims", NOTE, "no majority of 3 servers", "delete them", NULL } },
	{ "a key that may not be read",
	  3,
	  1,
	  { .denied = "get secrets" },
	  { "leftover claims", NOTE, "go on with the data", "", NULL } },
	{ "of ordinals that do not start",
	  5,
	  1,
	  { .set = "{'spec':{'ordinals':{'start':5}}}" },
	  { "leftover claims", FINE, "none", NULL, NULL } },
	{ "pods are there already",
	  3,
	  1,
	  { .pods =
	        "{'metadata':{'name':'consul-0'}},{'metadata':{'name':'consul-1'}},{'metadata':{'name':'consul-2'}}" },
	  { "leftover claims", FINE, "none", NULL, NULL } },
	{ "an existing set whose pod is away",
	  3,
	  24,
	  { .all_exists = true, .pods = "{'metadata':{'name':'consul-0'}},{'metadata':{'name':'consul-1'}}" },
	  { "leftover claims", FINE, "go on with their own data: data-consul-2 (24h)", NULL, NULL } },
	{ "an existing set whose pod is away, perhaps for long",
	  3,
	  500,
	  { .all_exists = true, .pods = "{'metadata':{'name':'consul-0'}},{'metadata':{'name':'consul-1'}}" },
	  { "leftover claims", NOTE, "away for more than 168 hours", "health", NULL } },
	{ "nobody knows whether the set exists",
	  3,
	  500,
	  { .blind = true },
	  { "leftover claims", UNKNOWN, "data-consul-0 (20d), data-consul-1 (20d) and data-consul-2 (20d) are there",
	    "delete nothing", NULL } },
	{ "what is blind, and was read all the same",
	  3,
	  24,
	  { .blind = true,
	    .all_exists = true,
	    .pods = "{'metadata':{'name':'consul-0'}},{'metadata':{'name':'consul-1'}}" },
	  { "leftover claims", FINE, "go on with their own data: data-consul-2 (24h)", NULL, NULL } },
	{ "unreadable pods", 3, 1, { .pods = "403" }, { "leftover claims", UNKNOWN, "may not read pods", NULL, NULL } },
	{ "a list that is cut", 0, 1, { .cut = true }, { "leftover claims", UNKNOWN, "too many", NULL, NULL } },
};

Test(preflight, leftover_claims)
{
	for (size_t i = 0; i < ARRAY_SIZE(claims_rows); i++) {
		const struct claims_row *row = &claims_rows[i];
		_cleanup_strv_ struct strv claims = STRV_INIT;
		_cleanup_free_ char *joined = NULL;
		struct preflight_case how = row->how;

		for (int k = 0; k < row->count; k++)
			strv_take(&claims, claim(k, row->hours, ""));
		joined = strv_join(&claims, ",", ",");
		how.claims = joined;
		scene_expect(row->label, &how, &row->expected);
	}
}

Test(preflight, claims_on_their_way_out_are_waited_for)
{
	_cleanup_free_ char *going = claim(1, 5, ",'deletionTimestamp':'2024-01-01T00:00:00Z'");
	struct preflight_case how = { .claims = going };
	struct preflight_expected expected = { "leftover claims", NOTE, "being deleted still: data-consul-1",
		                               "start when", NULL };

	scene_expect("going", &how, &expected);
}

Test(preflight, a_claim_that_never_had_a_volume_is_no_old_data)
{
	static const struct preflight_case how = {
		.claims = "{'metadata':{'name':'data-consul-0'},'status':{'phase':'Pending'}}",
	};
	static const struct preflight_expected expected = { "leftover claims", FINE, "none", NULL, NULL };

	scene_expect("pending", &how, &expected);
}

Test(preflight, many_claims_are_counted)
{
	_cleanup_strv_ struct strv claims = STRV_INIT;
	_cleanup_free_ char *joined = NULL;
	struct preflight_case how = { .set = "{'spec':{'replicas':9}}" };
	struct preflight_expected expected = { "leftover claims", PROBLEM, "data-consul-4 (61m) and 4 more:", "",
		                               "data-consul-7 data-consul-8" };

	for (int k = 0; k < 9; k++)
		strv_take(&claims, claim(k, 1, ""));
	joined = strv_join(&claims, ",", ",");
	how.claims = joined;
	scene_expect("nine", &how, &expected);
}

Test(preflight, lost_acl_tokens_are_told)
{
	_cleanup_strv_ struct strv claims = STRV_INIT;
	_cleanup_free_ char *joined = NULL;
	static const char secret[] =
	    "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"consul-acl-bootstrap\"}}";
	struct preflight_case how = { .gossip_exists = true, .acls = true };
	struct preflight_scene scene;
	struct preflight_request request = {
		.namespace_name = "ns", .name = "consul", .objects = &scene.objects, .acls = true
	};
	struct apply_object *object;

	for (int k = 0; k < 3; k++)
		strv_take(&claims, claim(k, 1, ""));
	joined = strv_join(&claims, ",", ",");
	how.claims = joined;
	scene_run(&scene, &how);
	preflight_release(&scene.found);
	object = apply_list_add(&scene.objects, cJSON_Parse(secret));
	object->create_only = true;
	cr_assert_eq(apply_locate(scene.client, &scene.objects, "ns", clock_monotonic_ms() + 20000, &scene.err), 0);
	cr_assert_eq(preflight(scene.client, &request, clock_monotonic_ms() + 20000, &scene.found, &scene.err), 0);
	cr_expect_eq(scene_check(&scene, "leftover claims")->outcome, NOTE);
	cr_expect(strstr(scene_check(&scene, "leftover claims")->text, "if it had ACLs, its tokens are gone"));
	scene_end(&scene);
}

/* ------------------------------------------------------------------------------------------------ owner */

#define MANAGED(manager, fields) "{'metadata':{'managedFields':[{'manager':'" manager "','fieldsV1':" fields "}]}}"

Test(preflight, owner)
{
	static const struct row rows[] = {
		{ "ours", { .all_exists = true }, { "owner", FINE, "nobody else's", NULL, NULL } },
		{ "Helm's",
		  { .live_set = "{'metadata':{'labels':{'app.kubernetes.io/managed-by':'Helm'},"
		                "'annotations':{'meta.helm.sh/release-name':'shop'}}}" },
		  { "owner", PROBLEM,
		    "statefulset.apps/consul exists and was not made by kubectl consul (Helm release \"shop\")",
		    "--name", NULL } },
		{ "a chart's",
		  { .live_set =
		        "{'metadata':{'labels':{'app.kubernetes.io/managed-by':null,'helm.sh/chart':'consul-1.2'}}}" },
		  { "owner", PROBLEM, "Helm chart \"consul-1.2\"", "--name", NULL } },
		{ "nobody's",
		  { .live_service = "{'metadata':{'labels':{'app.kubernetes.io/managed-by':null}}}" },
		  { "owner", PROBLEM, "service/consul exists and was not made by kubectl consul", "--name", NULL } },
		{ "an operator's",
		  { .live_set = "{'metadata':{'labels':null,'ownerReferences':[{'kind':'ConsulCluster','name':'c',"
		                "'controller':true}]}}" },
		  { "owner", PROBLEM, "(ConsulCluster \"c\")", "--name", NULL } },
		{ "Helm's, with the user's own files",
		  { .live_set = "{'metadata':{'labels':{'app.kubernetes.io/managed-by':'Helm'}}}", .from_file = true },
		  { "owner", NOTE, "statefulset.apps/consul is managed by managed-by \"Helm\"", "undone", NULL } },
		{ "ours, and Argo's",
		  { .live_set = "{'metadata':{'annotations':{'argocd.argoproj.io/tracking-id':'app:1'}}}" },
		  { "owner", NOTE, "managed by Argo CD (\"app:1\")", "undone", NULL } },
		{ "another manager of the template",
		  { .live_set = MANAGED("kubectl-client-side-apply", "{'f:spec':{'f:template':{}}}") },
		  { "owner", NOTE, "parts of the pod template were set by kubectl-client-side-apply",
		    "--force-conflicts", NULL } },
		{ "another manager of something else",
		  { .live_set = MANAGED("kube-controller-manager", "{'f:status':{}}") },
		  { "owner", FINE, "", NULL, NULL } },
		{ "unreadable",
		  { .denied = "get statefulsets, get secrets" },
		  { "owner", UNKNOWN, "you may not read statefulset.apps/consul", NULL, NULL } },
		{ "restarted by kubectl",
		  { .live_set = MANAGED("kubectl-rollout", "{'f:spec':{'f:template':{}}}") },
		  { "owner", FINE, "", NULL, NULL } },
	};

	try_rows(rows, ARRAY_SIZE(rows));
}

/* ----------------------------------------------------------------------------------------- pod security */

#define LABELS(labels) "{'metadata':{'labels':{" labels "}}}"
#define ENFORCE(level) "'pod-security.kubernetes.io/enforce':'" level "'"
#define HOST           "{'spec':{'hostNetwork':true}}"
#define AS_ROOT        "{'spec':{'securityContext':{'runAsUser':0}}}"

Test(preflight, pod_security)
{
	static const struct row rows[] = {
		{ "restricted",
		  { .namespace_json = LABELS(ENFORCE("restricted")) },
		  { "pod security", FINE, "fit level restricted", NULL, NULL } },
		{ "no labels",
		  { .template = HOST },
		  { "pod security", FINE, "level privileged, and the namespace asks", NULL, NULL } },
		{ "unreadable, but fits",
		  { .namespace_json = "403" },
		  { "pod security", FINE, "restricted", NULL, NULL } },
		{ "unreadable",
		  { .namespace_json = "403", .template = AS_ROOT },
		  { "pod security", UNKNOWN, "labels", NULL, NULL } },
		{ "baseline takes root",
		  { .namespace_json = LABELS(ENFORCE("baseline")), .template = AS_ROOT },
		  { "pod security", FINE, "fit level baseline", NULL, NULL } },
		{ "restricted does not",
		  { .namespace_json = LABELS(ENFORCE("restricted")), .template = AS_ROOT },
		  { "pod security", PROBLEM,
		    "enforce=restricted does not allow: the pod: securityContext.runAsUser is 0", "no pod would start",
		    NULL } },
		{ "an old server is taken at its word",
		  { .namespace_json = LABELS(ENFORCE("baseline")), .template = HOST, .minor = "20" },
		  { "pod security", PROBLEM, "hostNetwork", "this is 1.20", NULL } },
		{ "a warning",
		  { .namespace_json = LABELS("'pod-security.kubernetes.io/warn':'baseline'"), .template = HOST },
		  { "pod security", NOTE, "warn=baseline", "only tells", NULL } },
		{ "audit, and a level that enforces less",
		  { .namespace_json = LABELS(ENFORCE("baseline") ",'pod-security.kubernetes.io/audit':'restricted'"),
		    .template = AS_ROOT },
		  { "pod security", NOTE, "audit=restricted", "only tells", NULL } },
		{ "no such level",
		  { .namespace_json = LABELS(ENFORCE("tight")), .template = AS_ROOT },
		  { "pod security", PROBLEM, "runAsUser", "", NULL } },
		{ "much of it",
		  { .namespace_json = LABELS(ENFORCE("restricted")),
		    .template = "{'spec':{'hostNetwork':true,'hostPID':true,'hostIPC':true,'securityContext':null}}" },
		  { "pod security", PROBLEM, "hostIPC is true; container \"consul\": securityContext.runAsNonRoot", "",
		    NULL } },
	};

	try_rows(rows, ARRAY_SIZE(rows));
}

/* ------------------------------------------------------------------------------------------------ image */

Test(preflight, image)
{
	static const struct row rows[] = {
		{ "good", { 0 }, { "image", FINE, "hashicorp/consul:1.21.0", NULL, NULL } },
		{ "latest",
		  { .image = "consul:latest" },
		  { "image", NOTE, "does not say which version", "whole version", NULL } },
		{ "no tag", { .image = "consul" }, { "image", NOTE, "\"consul\" does not say", "", NULL } },
		{ "upper case",
		  { .image = "HashiCorp/consul:1" },
		  { "image", PROBLEM,
		    "container \"consul\": \"HashiCorp/consul:1\" is no image: the name of an image is in lower case",
		    "[REGISTRY/]NAME", NULL } },
		{ "none",
		  { .template = "{'spec':{'initContainers':[{'name':'i'}]}}" },
		  { "image", PROBLEM, "container \"i\": \"\" is no image: there is none", "", NULL } },
	};

	try_rows(rows, ARRAY_SIZE(rows));
}
