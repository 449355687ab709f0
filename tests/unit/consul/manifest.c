/* The objects of a cluster, and the checks of what people ask for. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "consul/manifest.h"
#include "util/json.h"
#include "util/mem.h"

static const struct manifest_settings usual = {
	.namespace_name = "ns",
	.name = "consul",
	.image = MANIFEST_IMAGE,
	.datacenter = "dc1",
	.storage_size = "10Gi",
	.secrets = { .gossip_key = "c2VjcmV0" },
	.replicas = 3,
	.bootstrap_expect = 3,
};

static const cJSON *find(const cJSON *objects, const char *kind, const char *name)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, objects)
		if (str_equal(json_string_at(item, "kind"), kind) &&
		    str_equal(json_string_at(item, "metadata.name"), name))
			return item;
	cr_assert_fail("no %s %s", kind, name);
	return NULL;
}

static const cJSON *pod_of(const cJSON *objects)
{
	return json_at(find(objects, "StatefulSet", "consul"), "spec.template.spec");
}

static cJSON *server_config(const cJSON *objects)
{
	const cJSON *annotations =
	    json_at(find(objects, "StatefulSet", "consul"), "spec.template.metadata.annotations");
	const cJSON *text = json_get(annotations, MANIFEST_ANNOTATION_SERVER);
	struct err err = ERR_INIT;
	cJSON *config = NULL;

	cr_assert_eq(json_parse(text->valuestring, strlen(text->valuestring), &config, &err), 0);
	return config;
}

Test(manifest, objects_come_in_the_order_of_application)
{
	static const char *const kinds[] = { "ServiceAccount",      "Secret",     "ConfigMap", "Service", "Service",
		                             "PodDisruptionBudget", "StatefulSet" };
	_cleanup_json_ cJSON *objects = manifest_render(&usual);

	cr_assert_eq(cJSON_GetArraySize(objects), (int)ARRAY_SIZE(kinds));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const cJSON *object = cJSON_GetArrayItem(objects, (int)i);

		cr_assert_str_eq(json_string_at(object, "kind"), kinds[i]);
		cr_assert_str_eq(json_string_at(object, "metadata.namespace"), "ns");
		cr_assert(manifest_is_ours(object));
	}
}

Test(manifest, a_key_is_in_the_secret_and_nowhere_else)
{
	_cleanup_json_ cJSON *objects = manifest_render(&usual);
	_cleanup_free_ char *text = json_text(objects);
	struct manifest_settings without = usual;
	_cleanup_json_ cJSON *objects_without = NULL;
	const cJSON *data = json_get(find(objects, "Secret", "consul-gossip"), "stringData");
	char *first = strstr(text, "c2VjcmV0");

	cr_assert_str_eq(json_get(data, "gossip.json")->valuestring, "{\"encrypt\":\"c2VjcmV0\"}");
	cr_assert_not_null(first);
	cr_assert_null(strstr(first + 1, "c2VjcmV0"));
	without.secrets.gossip_key = NULL;
	objects_without = manifest_render(&without);
	cr_assert_null(json_get(find(objects_without, "Secret", "consul-gossip"), "stringData"));
}

Test(manifest, nothing_in_the_pod_template_depends_on_the_number_of_servers)
{
	struct manifest_settings five = usual;
	_cleanup_json_ cJSON *of_three = manifest_render(&usual), *of_five = NULL;

	five.replicas = five.bootstrap_expect = 5;
	of_five = manifest_render(&five);
	cr_assert(cJSON_Compare(json_at(find(of_three, "StatefulSet", "consul"), "spec.template"),
	                        json_at(find(of_five, "StatefulSet", "consul"), "spec.template"), true));
}

Test(manifest, bootstrap_expect_is_its_own_setting)
{
	struct manifest_settings grown = usual;
	_cleanup_json_ cJSON *objects = NULL, *config = NULL, *shared = NULL;

	grown.replicas = 5;
	objects = manifest_render(&grown);
	config = server_config(objects);
	cr_assert_null(json_get(config, "bootstrap_expect"));
	shared = cJSON_Parse(
	    json_get(json_at(find(objects, "ConfigMap", "consul-server"), "data"), "server.json")->valuestring);
	cr_assert_eq(json_int_at(shared, "bootstrap_expect", 0), 3);
	cr_assert_eq(json_int_at(find(objects, "StatefulSet", "consul"), "spec.replicas", 0), 5);
}

Test(manifest, planned_stops_are_clean_leaves_and_servers_find_each_other)
{
	_cleanup_json_ cJSON *objects = manifest_render(&usual), *config = server_config(objects);

	cr_assert(json_bool_at(config, "leave_on_terminate", false));
	cr_assert_eq(json_int_at(config, "performance.raft_multiplier", 0), 1);
	cr_assert_str_eq(json_get(config, "retry_join")->child->valuestring, "consul.ns.svc");
	cr_assert(json_bool_at(find(objects, "Service", "consul"), "spec.publishNotReadyAddresses", false));
	cr_assert_str_eq(json_string_at(find(objects, "Service", "consul"), "spec.clusterIP"), "None");
	cr_assert_null(json_at(find(objects, "Service", "consul-client"), "spec.publishNotReadyAddresses"));
	cr_assert_eq(json_int_at(find(objects, "PodDisruptionBudget", "consul"), "spec.maxUnavailable", 0), 1);
}

static void expect_protocols(const cJSON *ports)
{
	const cJSON *port;

	cr_assert_gt(cJSON_GetArraySize(ports), 0);
	cJSON_ArrayForEach (port, ports)
		cr_assert_not_null(json_string_at(port, "protocol"));
}

Test(manifest, what_old_servers_need_for_apply_is_there)
{
	_cleanup_json_ cJSON *objects = manifest_render(&usual);
	const cJSON *claim = json_at(find(objects, "StatefulSet", "consul"), "spec.volumeClaimTemplates")->child;

	expect_protocols(json_at(find(objects, "Service", "consul"), "spec.ports"));
	expect_protocols(json_at(find(objects, "Service", "consul-client"), "spec.ports"));
	expect_protocols(json_get(json_get(pod_of(objects), "containers")->child, "ports"));
	cr_assert_str_eq(json_string_at(claim, "apiVersion"), "v1");
	cr_assert_str_eq(json_string_at(claim, "kind"), "PersistentVolumeClaim");
}

/* The rules of Pod Security "restricted" that concern fields we set or could have set. */
Test(manifest, pods_fit_pod_security_restricted)
{
	static const char *const allowed_volumes[] = { "configMap", "csi",       "downwardAPI",
		                                       "emptyDir",  "ephemeral", "persistentVolumeClaim",
		                                       "projected", "secret" };
	_cleanup_json_ cJSON *objects = manifest_render(&usual);
	const cJSON *pod = pod_of(objects), *container = json_get(pod, "containers")->child, *volume;

	cr_assert(json_bool_at(pod, "securityContext.runAsNonRoot", false));
	cr_assert_gt(json_int_at(pod, "securityContext.runAsUser", 0), 0);
	cr_assert_str_eq(json_string_at(pod, "securityContext.seccompProfile.type"), "RuntimeDefault");
	cr_assert_not(json_bool_at(container, "securityContext.allowPrivilegeEscalation", true));
	cr_assert_str_eq(json_at(container, "securityContext.capabilities.drop")->child->valuestring, "ALL");
	cr_assert_null(json_at(container, "securityContext.capabilities.add"));
	cr_assert_null(json_at(container, "securityContext.privileged"));
	cr_assert_null(json_get(pod, "hostNetwork"));
	cr_assert_null(json_get(pod, "hostPID"));
	cJSON_ArrayForEach (volume, json_get(pod, "volumes")) {
		size_t kinds = 0;

		for (size_t i = 0; i < ARRAY_SIZE(allowed_volumes); i++)
			kinds += json_get(volume, allowed_volumes[i]) != NULL;
		cr_assert_eq(kinds, 1);
	}
	cJSON_ArrayForEach (volume, json_get(container, "ports"))
		cr_assert_null(json_get(volume, "hostPort"));
}

Test(manifest, nothing_kills_servers_that_lost_their_quorum)
{
	_cleanup_json_ cJSON *objects = manifest_render(&usual);
	const cJSON *container = json_get(pod_of(objects), "containers")->child;

	cr_assert_null(json_get(container, "livenessProbe"));
	cr_assert_null(json_at(container, "resources.limits"));
	cr_assert_not_null(json_at(container, "readinessProbe.exec.command"));
}

/* ----------------------------------------------------------------------------------- the probe, really run */

static int run_probe_with(const char *pod_ip, const char *peers, const char *leader)
{
	_cleanup_json_ cJSON *objects = manifest_render(&usual);
	const cJSON *container = json_get(pod_of(objects), "containers")->child;
	const char *script = cJSON_GetArrayItem(json_at(container, "readinessProbe.exec.command"), 2)->valuestring;
	/* curl is a function of the shell that prints the answers. */
	_cleanup_free_ char *command =
	    xasprintf("curl() { case \"$*\" in *leader) printf '%%s' '%s' ;; *) printf '%%s' '%s' ;; esac; }\n%s",
	              leader, peers, script);
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		setenv("POD_IP", pod_ip, 1);
		if (!freopen("/dev/null", "w", stdout))
			_exit(99);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(98);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int run_probe(const char *pod_ip, const char *peers)
{
	return run_probe_with(pod_ip, peers, "\"10.9.9.9:8300\"");
}

#define PEER(ip_, voter_)                                                                                              \
	"{\"ID\":\"a\",\"Node\":\"consul-0\",\"Address\":\"" ip_                                                       \
	":8300\",\"Leader\":false,\"ProtocolVersion\":\"3\",\"Voter\":" voter_ "}"

Test(manifest, ready_is_a_voter_with_the_own_address)
{
	cr_assert_eq(run_probe("10.0.0.7", "{\"Servers\":[" PEER("10.0.0.9", "false") "," PEER(
	                                       "10.0.0.7", "true") "],\"Index\":0}"),
	             0);
	cr_assert_eq(run_probe("fd00::7", "{\"Servers\":[" PEER("[fd00::7]", "true") "],\"Index\":0}"), 0);
}

Test(manifest, others_or_earlier_addresses_and_non_voters_are_not_ready)
{
	cr_assert_eq(
	    run_probe("10.0.0.7", "{\"Servers\":[" PEER("10.0.0.7", "false") "," PEER("10.0.0.9", "true") "]}"), 1);
	cr_assert_eq(
	    run_probe("10.0.0.7", "{\"Servers\":[" PEER("10.0.0.70", "true") "," PEER("110.0.0.7", "true") "]}"), 1);
	cr_assert_eq(run_probe("10.0.0.7", "{\"Servers\":[" PEER("10x0.0.7", "true") "]}"), 1);
	cr_assert_eq(run_probe("10.0.0.7", "No cluster leader"), 1);
	cr_assert_eq(run_probe("10.0.0.7", ""), 1);
}

Test(manifest, a_leader_is_ready_whatever_address_raft_has_of_it)
{
	cr_assert_eq(run_probe_with("10.0.0.7", "{\"Servers\":[" PEER("10.0.0.9", "true") "]}", "\"10.0.0.7:8300\""),
	             0);
	cr_assert_eq(run_probe_with("10.0.0.7", "{\"Servers\":[" PEER("10.0.0.9", "true") "]}", "\"10.0.0.70:8300\""),
	             1);
	cr_assert_eq(run_probe_with("10.0.0.7", "{\"Servers\":[" PEER("10.0.0.9", "true") "]}", "\"\""), 1);
}

/* ---------------------------------------------------------------------------------------- what is checked */

static void expect_check(const struct manifest_settings *settings, const char *wrong_option)
{
	struct err err = ERR_INIT;
	int status = manifest_check(settings, &err);

	if (!wrong_option) {
		cr_expect_eq(status, 0, "%s", err.message);
	} else {
		cr_expect_eq(err.kind, ERR_USAGE);
		cr_expect(err.message && strstr(err.message, wrong_option), "%s",
		          err.message ? err.message : "accepted");
	}
	err_release(&err);
}

#define EXPECT_EACH(member_, option_, ...)                                                                             \
	do {                                                                                                           \
		static const char *const values_[] = { __VA_ARGS__ };                                                  \
		for (size_t i_ = 0; i_ < ARRAY_SIZE(values_); i_++) {                                                  \
			struct manifest_settings settings_ = usual;                                                    \
			settings_.member_ = values_[i_];                                                               \
			expect_check(&settings_, option_);                                                             \
		}                                                                                                      \
	} while (0)

Test(manifest_check, names)
{
	EXPECT_EACH(name, NULL, "consul", "c", "consul-2", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
	EXPECT_EACH(name, "--name", "", "9lives", "-a", "a-", "A", "a.b", "a_b", "a/b", "consul\n",
	            "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzx");
	EXPECT_EACH(namespace_name, NULL, "ns", "9");
	EXPECT_EACH(namespace_name, "--namespace", "", "NS", "a/../b", "a b");
	EXPECT_EACH(datacenter, NULL, "dc1", "eu-west_1");
	EXPECT_EACH(datacenter, "--datacenter", "", "DC1", "dc.1", "\"");
}

Test(manifest_check, quantities_of_storage)
{
	EXPECT_EACH(storage_size, NULL, "10Gi", "1Ti", "500M", "1.5Gi", "1048576", "2000000k");
	EXPECT_EACH(storage_size, "--storage-size", "", "lots", "-1Gi", "10", "0Gi", "10GB", "10gi", "Gi", ".", "1e9",
	            "1Gi ", "1,5Gi");
	EXPECT_EACH(storage_class, NULL, NULL, "", "fast", "a.b-c");
	EXPECT_EACH(storage_class, "--storage-class", "Fast", "a..b", "a/b", "-a");
	cr_assert(manifest_same_quantity("1Gi", "1024Mi"));
	cr_assert_not(manifest_same_quantity("1Gi", "1G"));
	cr_assert(manifest_same_quantity("odd", "odd"));
	cr_assert_not(manifest_same_quantity("odd", "other"));
}

Test(manifest_check, image_references)
{
	EXPECT_EACH(image, NULL, "consul", "consul:1.8.7", "hashicorp/consul:1.21", "registry:5000/a/b:tag",
	            "localhost/consul", "reg.example.com/x/consul:1.8.7-Ent",
	            "a/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	            "REG.example.com:5000/a");
	EXPECT_EACH(image, "--image", "", " ", "a b", "Consul", "a//b", "/a", "a/", "a:", "a@sha256:xyz", "a:b:c",
	            "http://a/b", "-a", "a:-tag", "reg:port/a", "a\x1b[31m");
}

Test(manifest_check, numbers_of_servers)
{
	static const int64_t good[] = { 1, 2, 3, 4, 5, 100 }, bad[] = { 0, -1, 101 };
	struct manifest_settings settings = usual;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		settings.replicas = good[i];
		expect_check(&settings, NULL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		settings.replicas = bad[i];
		expect_check(&settings, "--replicas");
	}
}

Test(manifest_check, unwise_numbers_get_a_sentence)
{
	static const struct {
		int64_t replicas;
		const char *text; /* NULL: none */
	} rows[] = { { 1, "tolerates no failure" },
		     { 2, "tolerate no failure" },
		     { 3, NULL },
		     { 4, "as 3 do" },
		     { 5, NULL },
		     { 6, "2 failures" },
		     { 7, NULL },
		     { 9, "seldom" } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_strv_ struct strv warnings = STRV_INIT;

		manifest_warn_replicas(rows[i].replicas, &warnings);
		cr_expect_eq(warnings.count, rows[i].text ? 1 : 0);
		cr_expect(!rows[i].text || strstr(warnings.items[0], rows[i].text), "%s", warnings.items[0]);
	}
}

/* -------------------------------------------------------------------------------------- from elsewhere */

static cJSON *parse(const char *text)
{
	struct err err = ERR_INIT;
	cJSON *json = NULL;

	cr_assert_eq(json_parse(text, strlen(text), &json, &err), 0, "%s", err.message);
	return json;
}

Test(manifest, what_may_not_change_is_taken_from_the_live_set)
{
	_cleanup_json_ cJSON *objects = manifest_render(&usual);
	_cleanup_json_ cJSON *live = parse("{\"spec\":{\"serviceName\":\"old\",\"podManagementPolicy\":"
	                                   "\"OrderedReady\",\"selector\":{\"matchLabels\":{\"a\":\"b\"}},"
	                                   "\"volumeClaimTemplates\":[{\"metadata\":{\"name\":\"data\","
	                                   "\"creationTimestamp\":null},\"spec\":{\"volumeMode\":"
	                                   "\"Filesystem\"},\"status\":{\"phase\":\"Pending\"}}]}}");
	cJSON *set = cJSON_GetArrayItem(objects, cJSON_GetArraySize(objects) - 1);
	const cJSON *claim;

	manifest_keep_immutable(set, live);
	claim = json_at(set, "spec.volumeClaimTemplates")->child;
	cr_assert_str_eq(json_string_at(set, "spec.serviceName"), "old");
	cr_assert_str_eq(json_string_at(set, "spec.podManagementPolicy"), "OrderedReady");
	cr_assert_str_eq(json_string_at(set, "spec.selector.matchLabels.a"), "b");
	cr_assert_str_eq(json_string_at(claim, "spec.volumeMode"), "Filesystem");
	cr_assert_str_eq(json_string_at(claim, "kind"), "PersistentVolumeClaim");
	cr_assert_str_eq(json_string_at(claim, "status.phase"), "Pending", "the list is one value: as it stands");
}

Test(manifest, missing_protocols_of_other_peoples_objects_are_completed)
{
	_cleanup_json_ cJSON *service =
	    parse("{\"kind\":\"Service\",\"spec\":{\"ports\":[{\"port\":1},{\"port\":2,\"protocol\":\"UDP\"}]}}");
	_cleanup_json_ cJSON *set =
	    parse("{\"kind\":\"StatefulSet\",\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"ports\":[{}]}, 7]}},"
	          "\"volumeClaimTemplates\":[{},\"x\"]}}");
	_cleanup_json_ cJSON *odd = parse("{\"kind\":\"Service\",\"spec\":[1,{\"ports\":3}]}");

	manifest_complete(service);
	manifest_complete(set);
	manifest_complete(odd);
	cr_assert_str_eq(json_string_at(json_at(service, "spec.ports")->child, "protocol"), "TCP");
	cr_assert_str_eq(json_string_at(json_at(service, "spec.ports")->child->next, "protocol"), "UDP");
	cr_assert_str_eq(
	    json_string_at(json_get(json_at(set, "spec.template.spec.containers")->child, "ports")->child, "protocol"),
	    "TCP");
	cr_assert_str_eq(json_string_at(json_at(set, "spec.volumeClaimTemplates")->child, "apiVersion"), "v1");
}

#define SET_OF(containers_) "{\"spec\":{\"template\":{\"spec\":{\"containers\":[" containers_ "]}}}}"

Test(manifest, sets_that_run_consul_are_told_from_others)
{
	static const struct {
		const char *set;
		bool runs;
	} rows[] = {
		{ SET_OF("{\"name\":\"consul\",\"image\":\"x\"}"), true },
		{ SET_OF("{\"name\":\"a\",\"image\":\"reg:5000/hashicorp/consul:1.8.7\"}"), true },
		{ SET_OF("{\"name\":\"a\",\"image\":\"consul\",\"args\":[\"agent\",\"-server\"]},{\"name\":\"b\","
		         "\"image\":\"c\"}"),
		  true },
		{ SET_OF("{\"name\":\"a\",\"image\":\"consul\",\"args\":[\"agent\"]},{\"name\":\"b\",\"image\":\"c\"}"),
		  false },
		{ SET_OF("{\"name\":\"a\",\"image\":\"vault\"}"), false },
		{ "{}", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ cJSON *set = parse(rows[i].set);

		cr_expect_eq(manifest_runs_consul(set), rows[i].runs, "%s", rows[i].set);
	}
}
