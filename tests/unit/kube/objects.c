/* kube/objects.h, on JSON as a 1.32 API server answers. */
#include <criterion/criterion.h>

#include "kube/objects.h"
#include "util/buf.h"
#include "util/file.h"
#include "util/json.h"
#include "util/mem.h"

#define FIXTURES "tests/unit/kube/fixtures/"

static cJSON *parsed(const char *text)
{
	struct err err = ERR_INIT;
	cJSON *json = NULL;

	cr_assert_eq(json_parse(text, strlen(text), &json, &err), 0, "%s: %s", text, err.message);
	return json;
}

static cJSON *fixture(const char *name)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1024 * 1024);
	_cleanup_free_ char *path = file_join(FIXTURES, name);
	struct err err = ERR_INIT;

	cr_assert_eq(file_read(path, &text, &err), 0, "%s", err.message);
	return parsed(buf_text(&text));
}

Test(objects, a_pod_as_the_api_server_tells_it)
{
	_cleanup_json_ cJSON *json = fixture("pod.json");
	_cleanup_err_ struct err err = ERR_INIT;
	struct kube_pod pod = KUBE_POD_INIT;
	const struct kube_container *consul;

	cr_assert_eq(kube_pod_decode(json, &pod, &err), 0, "%s", err.message);
	cr_expect_str_eq(pod.name, "consul-1");
	cr_expect_str_eq(pod.namespace_name, "consul");
	cr_expect_str_eq(pod.uid, "0ef6b3a1-7d37-4c3e-9a8a-0f7d2f2c9d11");
	cr_expect_str_eq(pod.resource_version, "48190");
	cr_expect_str_eq(pod.phase, "Running");
	cr_expect_str_eq(pod.node, "node-b");
	cr_expect_str_eq(pod.ip, "10.244.1.7");
	cr_expect_str_eq(pod.owner_kind, "StatefulSet");
	cr_expect_str_eq(pod.owner_name, "consul");
	cr_expect_str_eq(pod.revision, "consul-6d5c7d9f4b");
	cr_expect_eq(pod.created_at, 1714557600);
	cr_expect(pod.ready);
	cr_expect_not(pod.deleting);
	cr_expect_null(pod.unscheduled_message);
	cr_assert_eq(pod.container_count, 2);
	cr_assert_eq(pod.claims.count, 1);
	cr_expect_str_eq(pod.claims.items[0], "data-consul-1");
	consul = kube_container_find(pod.containers, pod.container_count, "consul");
	cr_assert_not_null(consul);
	cr_expect(consul->ready && consul->running);
	cr_expect_eq(consul->restarts, 2);
	cr_expect_eq(consul->started_at, 1714557660);
	cr_expect(consul->was_terminated);
	cr_expect_eq(consul->last_exit_code, 137);
	cr_expect_str_eq(consul->last_reason, "OOMKilled");
	cr_expect_eq(consul->last_finished_at, 1714557655);
	cr_expect_null(consul->waiting_reason);
	cr_expect_str_eq(consul->args.items[0], "agent");
	cr_expect_str_eq(kube_container_env(consul, "CONSUL_HTTP_ADDR"), "127.0.0.1:8500");
	cr_expect_str_eq(kube_container_env(consul, "EMPTY"), "");
	cr_expect_null(kube_container_env(consul, "POD_IP"));
	cr_expect_null(kube_container_env(consul, "NONE"));
	cr_assert_eq(consul->port_count, 2);
	cr_expect_str_eq(consul->ports[0].name, "http");
	cr_expect_eq(consul->ports[1].number, 8301);
	cr_expect_null(consul->ports[1].name);
	kube_pod_release(&pod);
}

Test(objects, statuses_are_matched_by_name)
{
	_cleanup_json_ cJSON *json = fixture("pod.json");
	_cleanup_err_ struct err err = ERR_INIT;
	struct kube_pod pod = KUBE_POD_INIT;
	const struct kube_container *sidecar;

	cr_assert_eq(kube_pod_decode(json, &pod, &err), 0);
	sidecar = kube_container_find(pod.containers, pod.container_count, "exporter");
	cr_assert_not_null(sidecar);
	cr_expect_not(sidecar->ready || sidecar->running);
	cr_expect_str_eq(sidecar->waiting_reason, "CrashLoopBackOff");
	cr_expect_eq(sidecar->restarts, 9);
	cr_expect_null(kube_container_find(pod.containers, pod.container_count, "init"));
	cr_expect_null(kube_container_find(pod.containers, pod.container_count, NULL));
	kube_pod_release(&pod);
}

Test(objects, a_pod_that_has_nothing_yet)
{
	_cleanup_json_ cJSON *json = parsed(
	    "{\"metadata\":{\"name\":\"p\",\"deletionTimestamp\":\"2024-05-01T10:00:00Z\",\"ownerReferences\":null},"
	    "\"spec\":{\"containers\":[{\"name\":\"c\"}],\"volumes\":[{\"emptyDir\":{}}]},\"status\":{\"conditions\":["
	    "{\"type\":\"PodScheduled\",\"status\":\"False\",\"reason\":\"Unschedulable\",\"message\":\"0/3 "
	    "nodes\"}]}}");
	_cleanup_err_ struct err err = ERR_INIT;
	struct kube_pod pod = KUBE_POD_INIT;

	cr_assert_eq(kube_pod_decode(json, &pod, &err), 0, "%s", err.message);
	cr_expect(pod.deleting);
	cr_expect_not(pod.ready);
	cr_expect_null(pod.phase);
	cr_expect_null(pod.owner_name);
	cr_expect_eq(pod.created_at, 0);
	cr_expect_str_eq(pod.unscheduled_message, "0/3 nodes");
	cr_expect_eq(pod.claims.count, 0);
	cr_expect_eq(pod.container_count, 1);
	kube_pod_release(&pod);
}

Test(objects, reasons_that_the_kubelet_left_out)
{
	_cleanup_json_ cJSON *json = parsed(
	    "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]},\"status\":{"
	    "\"containerStatuses\":[{\"name\":\"b\",\"state\":{\"terminated\":{\"exitCode\":1}}},"
	    "{\"name\":\"a\",\"state\":{\"waiting\":{}}},{\"name\":\"unknown\"}]}}");
	_cleanup_err_ struct err err = ERR_INIT;
	struct kube_pod pod = KUBE_POD_INIT;

	cr_assert_eq(kube_pod_decode(json, &pod, &err), 0, "%s", err.message);
	cr_expect_str_eq(pod.containers[0].waiting_reason, "Waiting");
	cr_expect_str_eq(pod.containers[1].terminated_reason, "Terminated");
	kube_pod_release(&pod);
}

Test(objects, pod_errors_name_pod_and_path)
{
	static const char *const rows[][2] = {
		{ "[]", "pod \"\": not a Pod: no JSON object" },
		{ "{\"kind\":\"Node\"}", "pod \"\": not a Pod but a Node" },
		{ "{}", "pod \"\": metadata.name is missing" },
		{ "{\"metadata\":{\"name\":\"p\",\"uid\":3}}", "pod \"p\": metadata.uid is not of the expected type" },
		{ "{\"metadata\":{\"name\":\"p\",\"creationTimestamp\":\"today\"}}",
		  "pod \"p\": metadata.creationTimestamp is not a time" },
		{ "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":{}}}",
		  "pod \"p\": spec.containers is not a list" },
		{ "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"a\"},{}]}}",
		  "pod \"p\": spec.containers[1]: name is missing" },
		{ "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"a\",\"args\":[3]}]}}",
		  "pod \"p\": spec.containers[0]: args holds something that is no string" },
		{ "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"a\",\"env\":[{}]}]}}",
		  "pod \"p\": spec.containers[0]: env: name is missing" },
		{ "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"a\"}]},\"status\":{"
		  "\"containerStatuses\":"
		  "[{\"name\":\"a\",\"restartCount\":\"x\"}]}}",
		  "pod \"p\": status.containerStatuses of a: restartCount is not of the expected type" },
		{ "{\"metadata\":{\"name\":\"\\u001bp\"},\"status\":{\"conditions\":3}}",
		  "pod \"^[p\": status.conditions is not a list" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ cJSON *json = parsed(rows[i][0]);
		_cleanup_err_ struct err err = ERR_INIT;
		struct kube_pod pod = KUBE_POD_INIT;

		cr_expect_eq(kube_pod_decode(json, &pod, &err), -1, "%s", rows[i][0]);
		cr_expect_str_eq(err.message, rows[i][1]);
		cr_expect_eq(err.kind, ERR_INVALID);
		kube_pod_release(&pod);
	}
}

Test(objects, a_statefulset_as_the_api_server_tells_it)
{
	_cleanup_json_ cJSON *json = fixture("statefulset.json");
	_cleanup_err_ struct err err = ERR_INIT;
	struct kube_statefulset set = KUBE_STATEFULSET_INIT;

	cr_assert_eq(kube_statefulset_decode(json, &set, &err), 0, "%s", err.message);
	cr_expect_str_eq(set.name, "consul");
	cr_expect_str_eq(set.resource_version, "48213");
	cr_expect_str_eq(set.service_name, "consul");
	cr_expect_str_eq(set.pod_management, "Parallel");
	cr_expect_str_eq(set.update_strategy, "RollingUpdate");
	cr_expect_str_eq(set.selector, "app=consul,component=server,release=consul");
	cr_expect(set.selector_exact);
	cr_expect_str_eq(set.label_app, "consul");
	cr_expect_str_eq(set.label_component, "server");
	cr_expect_str_eq(set.label_chart, "consul-helm");
	cr_expect_str_eq(set.managed_by, "Helm");
	cr_expect_null(set.label_name);
	cr_expect_eq(set.replicas, 3);
	cr_expect_eq(set.ordinal_start, 5);
	cr_expect_eq(set.partition, 1);
	cr_expect_eq(set.generation, 4);
	cr_expect_eq(set.observed_generation, 3);
	cr_expect_eq(set.status_replicas, 3);
	cr_expect_eq(set.ready_replicas, 2);
	cr_expect_eq(set.updated_replicas, 1);
	cr_expect_eq(set.grace_seconds, 60);
	cr_expect_str_eq(set.current_revision, "consul-6d5c7d9f4b");
	cr_expect_str_eq(set.update_revision, "consul-7f8b9c6d5e");
	cr_expect_eq(set.container_count, 1);
	cr_assert_eq(set.claim_templates.count, 1);
	cr_expect_str_eq(set.claim_templates.items[0], "data");
	kube_statefulset_release(&set);
}

Test(objects, the_secrets_that_a_statefulset_mounts)
{
	_cleanup_json_ cJSON *json =
	    parsed("{\"metadata\":{\"name\":\"s\"},\"spec\":{\"template\":{\"spec\":{\"volumes\":["
	           "{\"name\":\"a\",\"secret\":{\"secretName\":\"s-tls\"}},{\"name\":\"b\",\"emptyDir\":{}},"
	           "{\"name\":\"c\",\"projected\":{\"sources\":[{\"configMap\":{\"name\":\"s-server\"}},"
	           "{\"secret\":{\"name\":\"s-acl\",\"optional\":true}},{\"secret\":{\"name\":\"s-gossip\"}}]}}]}}}}");
	_cleanup_err_ struct err err = ERR_INIT;
	struct kube_statefulset set = KUBE_STATEFULSET_INIT;
	_cleanup_free_ char *names = NULL;

	cr_assert_eq(kube_statefulset_decode(json, &set, &err), 0, "%s", err.message);
	names = strv_join(&set.secrets, " ", " ");
	cr_expect_str_eq(names, "s-tls s-acl s-gossip");
	kube_statefulset_release(&set);
}

Test(objects, whether_claims_go_with_servers)
{
	static const struct {
		const char *policy;
		bool go;
	} cases[] = {
		{ "{\"whenScaled\":\"Delete\",\"whenDeleted\":\"Retain\"}", true },
		{ "{\"whenScaled\":\"Retain\",\"whenDeleted\":\"Delete\"}", false },
		{ "null", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text =
		    xasprintf("{\"metadata\":{\"name\":\"s\"},\"spec\":{\"persistentVolumeClaimRetentionPolicy\":%s}}",
		              cases[i].policy);
		_cleanup_json_ cJSON *json = parsed(text);
		_cleanup_err_ struct err err = ERR_INIT;
		struct kube_statefulset set = KUBE_STATEFULSET_INIT;

		cr_assert_eq(kube_statefulset_decode(json, &set, &err), 0, "%s", err.message);
		cr_expect_eq(set.claims_go, cases[i].go, "%s", cases[i].policy);
		kube_statefulset_release(&set);
	}
}

Test(objects, a_statefulset_that_says_little)
{
	_cleanup_json_ cJSON *json = parsed(
	    "{\"kind\":\"StatefulSet\",\"metadata\":{\"name\":\"s\",\"labels\":{\"chart\":\"consul-0.1\"}},\"spec\":"
	    "{\"selector\":{\"matchLabels\":{\"a\":\"b\"},\"matchExpressions\":[{\"key\":\"x\",\"operator\":\"Exists\"}"
	    "]}}}");
	_cleanup_err_ struct err err = ERR_INIT;
	struct kube_statefulset set = KUBE_STATEFULSET_INIT;

	cr_assert_eq(kube_statefulset_decode(json, &set, &err), 0, "%s", err.message);
	cr_expect_eq(set.replicas, 1);
	cr_expect_eq(set.ordinal_start, 0);
	cr_expect_eq(set.grace_seconds, 30);
	cr_expect_str_eq(set.pod_management, "OrderedReady");
	cr_expect_str_eq(set.update_strategy, "RollingUpdate");
	cr_expect_str_eq(set.label_chart, "consul-0.1");
	cr_expect_str_eq(set.selector, "a=b");
	cr_expect_not(set.selector_exact);
	kube_statefulset_release(&set);
}

Test(objects, statefulset_errors)
{
	static const char *const rows[][2] = {
		{ "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"replicas\":-1}}",
		  "statefulset \"s\": spec.replicas is out of range" },
		{ "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"replicas\":\"3\"}}",
		  "statefulset \"s\": spec.replicas is not of the expected type" },
		{ "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"ordinals\":{\"start\":-1}}}",
		  "statefulset \"s\": spec.ordinals.start is out of range" },
		{ "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"selector\":{\"matchLabels\":[]}}}",
		  "statefulset \"s\": spec.selector.matchLabels is not an object" },
		{ "{\"kind\":\"Deployment\",\"metadata\":{\"name\":\"s\"}}",
		  "statefulset \"s\": not a StatefulSet but a Deployment" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ cJSON *json = parsed(rows[i][0]);
		_cleanup_err_ struct err err = ERR_INIT;
		struct kube_statefulset set = KUBE_STATEFULSET_INIT;

		cr_expect_eq(kube_statefulset_decode(json, &set, &err), -1);
		cr_expect_str_eq(err.message, rows[i][1]);
		kube_statefulset_release(&set);
	}
}

Test(objects, claims)
{
	_cleanup_json_ cJSON *json = parsed(
	    "{\"kind\":\"PersistentVolumeClaim\",\"metadata\":{\"name\":\"data-consul-0\",\"uid\":\"claim-uid\","
	    "\"resourceVersion\":\"4711\",\"creationTimestamp\":"
	    "\"2024-05-01T10:00:00Z\"},\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":{"
	    "\"storage\":\"1Gi\"}},\"storageClassName\":\"standard\",\"volumeName\":\"pvc-1\"},\"status\":{\"phase\":"
	    "\"Bound\"}}");
	_cleanup_json_ cJSON *bare =
	    parsed("{\"metadata\":{\"name\":\"c\",\"deletionTimestamp\":\"2024-05-01T10:00:00Z\"}}");
	_cleanup_err_ struct err err = ERR_INIT;
	struct kube_claim claim = KUBE_CLAIM_INIT;

	cr_assert_eq(kube_claim_decode(json, &claim, &err), 0, "%s", err.message);
	cr_expect_str_eq(claim.uid, "claim-uid");
	cr_expect_str_eq(claim.resource_version, "4711");
	cr_expect_str_eq(claim.requested, "1Gi");
	cr_expect_str_eq(claim.phase, "Bound");
	cr_expect_str_eq(claim.storage_class, "standard");
	cr_expect_str_eq(claim.volume, "pvc-1");
	cr_expect_eq(claim.created_at, 1714557600);
	cr_expect_not(claim.deleting);
	kube_claim_release(&claim);
	cr_assert_eq(kube_claim_decode(bare, &claim, &err), 0);
	cr_expect(claim.deleting);
	cr_expect_null(claim.volume);
	cr_expect_null(claim.uid);
	cr_expect_null(claim.resource_version);
	kube_claim_release(&claim);
}

Test(objects, budgets)
{
	_cleanup_json_ cJSON *json = parsed(
	    "{\"kind\":\"PodDisruptionBudget\",\"metadata\":{\"name\":\"b\"},\"spec\":{\"maxUnavailable\":1,"
	    "\"minAvailable\":\"50%\",\"selector\":{\"matchLabels\":{\"app\":\"consul\",\"x\":\"y\"}}},\"status\":{"
	    "\"disruptionsAllowed\":1,\"expectedPods\":3}}");
	_cleanup_json_ cJSON *both = parsed("{\"x\":\"y\",\"app\":\"consul\",\"z\":\"1\"}"),
	                     *one = parsed("{\"app\":\"consul\"}");
	_cleanup_err_ struct err err = ERR_INIT;
	struct kube_budget budget = KUBE_BUDGET_INIT, nothing = KUBE_BUDGET_INIT;

	cr_assert_eq(kube_budget_decode(json, &budget, &err), 0, "%s", err.message);
	cr_expect_str_eq(budget.max_unavailable, "1");
	cr_expect_str_eq(budget.min_available, "50%");
	cr_expect_eq(budget.disruptions_allowed, 1);
	cr_expect_eq(budget.expected_pods, 3);
	cr_expect_not(budget.match_expressions);
	cr_expect(kube_budget_matches(&budget, both));
	cr_expect_not(kube_budget_matches(&budget, one));
	cr_expect_not(kube_budget_matches(&budget, NULL));
	cr_expect_not(kube_budget_matches(&nothing, both));
	kube_budget_release(&budget);
}

Test(objects, lists)
{
	static const char *const bad[] = { "{}", "[]", "{\"kind\":\"Pod\",\"items\":[]}",
		                           "{\"kind\":\"PodList\",\"items\":{}}" };
	_cleanup_json_ cJSON *pods = parsed("{\"kind\":\"PodList\",\"items\":[{},{}]}"),
	                     *none = parsed("{\"items\":null}");
	_cleanup_err_ struct err err = ERR_INIT;
	const cJSON *items = NULL;

	cr_assert_eq(kube_list_items(pods, &items, &err), 0);
	cr_expect_eq(cJSON_GetArraySize(items), 2);
	cr_assert_eq(kube_list_items(none, &items, &err), 0);
	cr_expect_eq(cJSON_GetArraySize(items), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_json_ cJSON *json = parsed(bad[i]);
		_cleanup_err_ struct err refused = ERR_INIT;

		cr_expect_eq(kube_list_items(json, &items, &refused), -1, "%s", bad[i]);
		cr_expect_eq(refused.kind, ERR_INVALID);
	}
}

Test(objects, ordinals)
{
	static const struct {
		const char *pod;
		int64_t ordinal;
	} rows[] = { { "consul-0", 0 },
		     { "consul-12", 12 },
		     { "consul", -1 },
		     { "consul-", -1 },
		     { "consul-x", -1 },
		     { "consul-1x", -1 },
		     { "consul-01", -1 },
		     { "consul--1", -1 },
		     { "consul-server-0", -1 },
		     { "other-0", -1 },
		     { "consul-99999999999999999999", -1 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(kube_ordinal("consul", rows[i].pod), rows[i].ordinal, "%s", rows[i].pod);
}
