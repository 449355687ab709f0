/* TLS, ACLs, what people add to the configuration, and going back: what a deploy plans, step by step. */
#include <criterion/criterion.h>
#include <string.h>

#include "consul/certificate.h"
#include "keeping_server.h"
#include "util/base64.h"
#include "util/json.h"
#include "util/mem.h"

#define NOW 1700000000

static const struct deploy_request usual = {
	.namespace_name = "ns", .name = "consul", .cluster_domain = "cluster.local", .now_s = NOW
};

static const char ca_path[] = "/api/v1/namespaces/ns/secrets/consul-ca";
static const char tls_path[] = "/api/v1/namespaces/ns/secrets/consul-tls";
static const char acl_path[] = "/api/v1/namespaces/ns/secrets/consul-acl";
static const char bootstrap_path[] = "/api/v1/namespaces/ns/secrets/consul-acl-bootstrap";

static struct deploy_request with_tls(enum deploy_wish tls)
{
	struct deploy_request request = usual;

	request.tls = tls;
	return request;
}

static const cJSON *kept_template(struct fixture *fixture)
{
	return json_at(fixture_kept(fixture, SET_PATH), "spec.template");
}

/* The configuration as the API server keeps it. */
static cJSON *kept_config(struct fixture *fixture)
{
	cJSON *config = NULL, *extra = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(manifest_configuration(kept_template(fixture), &config, &extra, &err), 0);
	cr_assert_not_null(config);
	cJSON_Delete(extra);
	return config;
}

static enum manifest_tls kept_tls(struct fixture *fixture)
{
	_cleanup_json_ cJSON *config = kept_config(fixture);

	return manifest_tls_of(config);
}

/* The keeping server keeps stringData as data without encoding it: what is read back must be base64. */
static void encode_secret(struct fixture *fixture, const char *path)
{
	cJSON *data = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(fixture->store.objects, path),
	                                               "data"),
	      *item;

	cJSON_ArrayForEach (item, data) {
		_cleanup_free_ char *text = base64_encode(item->valuestring, strlen(item->valuestring));

		cJSON_SetValuestring(item, text);
	}
}

static bool has_warning(const struct fixture *fixture, const char *part)
{
	for (size_t i = 0; i < fixture->plan.warnings.count; i++)
		if (strstr(fixture->plan.warnings.items[i], part))
			return true;
	return false;
}

/* --------------------------------------------------------------------------------------------- TLS */

Test(deploy_tls, a_new_cluster_has_it_and_its_certificate_is_good)
{
	struct fixture fixture;
	struct certificate leaf = CERTIFICATE_INIT;
	const char *bundle, *certificate;
	_cleanup_free_ char *template = NULL;

	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	cr_assert_not(fixture.plan.unfinished);
	cr_assert_eq(kept_tls(&fixture), MANIFEST_TLS_ON);
	bundle = json_get(json_get(fixture_kept(&fixture, tls_path), "data"), "ca.crt")->valuestring;
	certificate = json_get(json_get(fixture_kept(&fixture, tls_path), "data"), "tls.crt")->valuestring;
	cr_assert_eq(certificate_verify(certificate, bundle, NOW + 1, &fixture.err), 0, "%s", fixture.err.message);
	cr_assert_eq(certificate_read(certificate, &leaf, &fixture.err), 0);
	cr_assert(certificate_has_name(&leaf, "server.dc1.consul"));
	cr_assert(certificate_has_name(&leaf, "consul-client.ns.svc"));
	cr_assert_eq(certificate_days_left(&leaf, NOW), CERTIFICATE_SERVER_DAYS);
	/* Plain HTTP is on the loopback, and no port of the container. */
	template = json_text(kept_template(&fixture));
	cr_assert_null(strstr(template, "\"containerPort\":8500"));
	certificate_release(&leaf);
	fixture_stop(&fixture);
}

Test(deploy_tls, the_key_of_the_authority_is_in_no_pod)
{
	struct fixture fixture;
	_cleanup_free_ char *template = NULL;

	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	template = json_text(kept_template(&fixture));
	cr_assert_not_null(strstr(template, "\"consul-tls\""));
	cr_assert_null(strstr(template, "\"consul-ca\""));
	fixture_stop(&fixture);
}

Test(deploy_tls, a_plain_cluster_stays_plain_and_is_warned_of)
{
	struct deploy_request plain = with_tls(DEPLOY_NO);
	struct fixture fixture;

	fixture_start(&fixture);
	fixture_deploy(&fixture, &plain);
	cr_assert_eq(kept_tls(&fixture), MANIFEST_TLS_OFF);
	cr_assert_null(json_get(fixture.store.objects, tls_path));
	fixture_deploy(&fixture, &usual);
	cr_assert_eq(kept_tls(&fixture), MANIFEST_TLS_OFF);
	cr_assert(has_warning(&fixture, "--tls"));
	fixture_expect_all(&fixture, "unchanged");
	fixture_stop(&fixture);
}

Test(deploy_tls, it_is_turned_on_and_off_mode_by_mode)
{
	static const enum manifest_tls up[] = { MANIFEST_TLS_ACCEPTED, MANIFEST_TLS_SPOKEN, MANIFEST_TLS_ON };
	static const enum manifest_tls down[] = { MANIFEST_TLS_SPOKEN, MANIFEST_TLS_ACCEPTED, MANIFEST_TLS_OFF };
	struct deploy_request plain = with_tls(DEPLOY_NO), tls = with_tls(DEPLOY_YES);
	struct fixture fixture;

	fixture_start(&fixture);
	fixture_deploy(&fixture, &plain);
	for (size_t i = 0; i < ARRAY_SIZE(up); i++) {
		/* What was begun goes on without being asked for again. */
		fixture_deploy(&fixture, i == 0 ? &tls : &usual);
		cr_expect_eq(kept_tls(&fixture), up[i]);
		cr_expect_eq(fixture.plan.unfinished, i < 2);
	}
	for (size_t i = 0; i < ARRAY_SIZE(down); i++) {
		fixture_deploy(&fixture, &plain);
		cr_expect_eq(kept_tls(&fixture), down[i]);
		cr_expect_eq(fixture.plan.unfinished, i < 2);
	}
	fixture_stop(&fixture);
}

/* Pods of the mode before may be there still: all of them come to this one first. */
Test(deploy_tls, a_mode_that_not_all_servers_have_is_not_left)
{
	struct deploy_request plain = with_tls(DEPLOY_NO), tls = with_tls(DEPLOY_YES);
	struct fixture fixture;
	cJSON *set;

	fixture_start(&fixture);
	fixture_deploy(&fixture, &plain);
	fixture_deploy(&fixture, &tls);
	set = cJSON_GetObjectItemCaseSensitive(fixture.store.objects, SET_PATH);
	manifest_set_rolling(set, false);
	cr_assert_eq(fixture_plan(&fixture, &usual), 0);
	cr_expect_eq(fixture.plan.tls, MANIFEST_TLS_ACCEPTED);
	cr_expect(fixture.plan.unfinished);
	cr_assert_eq(fixture_plan(&fixture, &plain), 0);
	cr_expect_eq(fixture.plan.tls, MANIFEST_TLS_ACCEPTED);
	cr_expect(fixture.plan.unfinished);
	manifest_set_rolling(set, true);
	cr_assert_eq(fixture_plan(&fixture, &usual), 0);
	cr_expect_eq(fixture.plan.tls, MANIFEST_TLS_SPOKEN);
	/* By the controller's status, too. */
	json_set(set, "status",
	         json_object("replicas", json_int(3), "updatedReplicas", json_int(1), "currentRevision",
	                     json_string("a"), "updateRevision", json_string("b"), NULL));
	cr_assert_eq(fixture_plan(&fixture, &usual), 0);
	cr_expect_eq(fixture.plan.tls, MANIFEST_TLS_ACCEPTED);
	/* Who keeps them of two templates by a partition would wait for ever. */
	json_set(cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(set, "spec"), "updateStrategy"),
	         "rollingUpdate", json_object("partition", json_int(2), NULL));
	cr_assert_eq(fixture_plan(&fixture, &usual), -1);
	cr_expect_eq(fixture.err.kind, ERR_REFUSED);
	cr_expect_not_null(strstr(fixture.err.message, "has the partition 2"));
	fixture_stop(&fixture);
}

/* --no-tls that was stopped is not turned round by a deploy that does not name it. */
Test(deploy_tls, what_was_wanted_is_remembered)
{
	struct deploy_request plain = with_tls(DEPLOY_NO);
	struct fixture fixture;

	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	fixture_deploy(&fixture, &plain);
	cr_assert_eq(kept_tls(&fixture), MANIFEST_TLS_SPOKEN);
	fixture_deploy(&fixture, &usual);
	cr_assert_eq(kept_tls(&fixture), MANIFEST_TLS_ACCEPTED);
	fixture_deploy(&fixture, &usual);
	cr_assert_eq(kept_tls(&fixture), MANIFEST_TLS_OFF);
	fixture_stop(&fixture);
}

/* --rollback in the middle of --no-tls leaves them there: the next deploy goes back all the way. */
Test(deploy_tls, half_way_is_no_place_to_stay)
{
	struct deploy_request plain = with_tls(DEPLOY_NO);
	struct fixture fixture;
	cJSON *metadata;

	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	fixture_deploy(&fixture, &plain);
	metadata = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(fixture.store.objects, SET_PATH),
	                                            "metadata");
	json_set(cJSON_GetObjectItemCaseSensitive(metadata, "annotations"), "kubectl-consul/tls",
	         json_string("spoken"));
	fixture_deploy(&fixture, &usual);
	cr_expect_eq(kept_tls(&fixture), MANIFEST_TLS_ON);
	fixture_stop(&fixture);
}

/* The template tells what the servers run with, whatever became of the ConfigMap. */
Test(deploy_tls, a_configmap_that_is_gone_changes_nothing)
{
	struct fixture fixture;

	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	json_set(fixture.store.objects, CONFIG_PATH, NULL);
	fixture_deploy(&fixture, &usual);
	cr_expect_eq(kept_tls(&fixture), MANIFEST_TLS_ON);
	cr_expect_str_eq(fixture_outcome(&fixture, "statefulset.apps/consul"), "unchanged");
	/* A template of an earlier version has it in the ConfigMap alone. */
	json_set(cJSON_GetObjectItemCaseSensitive(
	             cJSON_GetObjectItemCaseSensitive(
	                 cJSON_GetObjectItemCaseSensitive(
	                     cJSON_GetObjectItemCaseSensitive(fixture.store.objects, SET_PATH), "spec"),
	                 "template"),
	             "metadata"),
	         "annotations", NULL);
	json_set(fixture.store.objects, CONFIG_PATH, NULL);
	cr_assert_eq(fixture_plan(&fixture, &usual), -1);
	cr_expect_eq(fixture.err.kind, ERR_REFUSED);
	cr_expect_not_null(strstr(fixture.err.message, "configmap/consul-server"));
	fixture_stop(&fixture);
}

Test(deploy_tls, a_certificate_of_somebody_elses_is_not_begun_with)
{
	struct fixture fixture;

	fixture_start(&fixture);
	json_set(fixture.store.objects, tls_path,
	         json_object("kind", json_string("Secret"), "metadata",
	                     json_object("name", json_string("consul-tls"), NULL), "data",
	                     json_object("tls.crt", json_string("bm9uZQ=="), "ca.crt", json_string("bm9uZQ=="), NULL),
	                     NULL));
	cr_assert_eq(fixture_plan(&fixture, &usual), -1);
	cr_expect_eq(fixture.err.kind, ERR_REFUSED);
	cr_expect_not_null(strstr(fixture.err.hint, "kubectl delete secret consul-tls"));
	fixture_stop(&fixture);
}

Test(deploy_tls, plain_rpc_is_refused_in_the_last_mode_only)
{
	static const struct {
		enum manifest_tls mode;
		bool outgoing, incoming;
	} cases[] = { { MANIFEST_TLS_ACCEPTED, false, false },
		      { MANIFEST_TLS_SPOKEN, true, false },
		      { MANIFEST_TLS_ON, true, true } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct manifest_settings settings = {
			.namespace_name = "ns", .name = "c", .datacenter = "dc1", .tls = cases[i].mode
		};
		_cleanup_json_ cJSON *config = manifest_server_config(&settings);

		cr_expect_eq(json_bool_at(config, "verify_outgoing", false), cases[i].outgoing);
		cr_expect_eq(json_bool_at(config, "verify_server_hostname", false), cases[i].outgoing);
		cr_expect_eq(json_bool_at(config, "verify_incoming_rpc", false), cases[i].incoming);
		cr_expect_eq(json_at(config, "addresses.http") != NULL, cases[i].incoming);
		cr_expect_eq(manifest_tls_of(config), cases[i].mode);
	}
}

/* --------------------------------------------------------------------------------------- authorities */

static void make_own(struct key_pair *ret_pair, const char *name)
{
	struct err err = ERR_INIT;

	cr_assert_eq(certificate_make_authority(name, NOW, 100, ret_pair, &err), 0);
}

Test(deploy_tls, the_key_of_ones_own_authority_is_kept_nowhere)
{
	struct deploy_request request = usual;
	struct key_pair own = KEY_PAIR_INIT, other = KEY_PAIR_INIT;
	struct fixture fixture;
	_cleanup_free_ char *all = NULL;

	make_own(&own, "mine");
	make_own(&other, "another");
	request.authority = &own;
	fixture_start(&fixture);
	fixture_deploy(&fixture, &request);
	all = json_text(fixture.store.objects);
	cr_assert_not_null(json_get(json_get(fixture_kept(&fixture, ca_path), "data"), "tls.crt"));
	cr_assert_null(json_get(json_get(fixture_kept(&fixture, ca_path), "data"), "tls.key"));
	encode_secret(&fixture, ca_path);
	cr_assert_eq(fixture_plan(&fixture, &request), 0, "%s", fixture.err.message);
	/* Another one is not taken for it by the way. */
	request.authority = &other;
	cr_assert_eq(fixture_plan(&fixture, &request), -1);
	cr_expect_eq(fixture.err.kind, ERR_REFUSED);
	cr_expect_not_null(strstr(fixture.err.hint, "--rotate-certs"));
	/* Nor where only the servers' certificate is left to tell. */
	json_set(fixture.store.objects, ca_path, NULL);
	encode_secret(&fixture, tls_path);
	cr_assert_eq(fixture_plan(&fixture, &request), -1);
	cr_expect_eq(fixture.err.kind, ERR_REFUSED);
	cr_expect_not_null(strstr(fixture.err.message, "is not by the authority that is given"));
	request.authority = &own;
	cr_assert_eq(fixture_plan(&fixture, &request), 0, "%s", fixture.err.message);
	key_pair_release(&own);
	key_pair_release(&other);
	fixture_stop(&fixture);
}

Test(deploy_tls, a_certificate_that_is_gone_is_made_again_by_the_same_authority)
{
	struct fixture fixture;
	_cleanup_free_ char *bundle = NULL;
	const cJSON *data;

	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	bundle = xstrdup(json_get(json_get(fixture_kept(&fixture, tls_path), "data"), "ca.crt")->valuestring);
	json_set(fixture.store.objects, tls_path, NULL);
	encode_secret(&fixture, ca_path);
	fixture_deploy(&fixture, &usual);
	data = json_get(fixture_kept(&fixture, tls_path), "data");
	cr_assert_str_eq(json_get(data, "ca.crt")->valuestring, bundle);
	cr_assert_eq(certificate_verify(json_get(data, "tls.crt")->valuestring, bundle, NOW + 1, &fixture.err), 0);
	fixture_stop(&fixture);
}

Test(deploy_tls, servers_whose_certificates_are_all_gone_get_no_new_authority)
{
	struct fixture fixture;

	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	json_set(fixture.store.objects, tls_path, NULL);
	json_set(fixture.store.objects, ca_path, NULL);
	cr_assert_eq(fixture_plan(&fixture, &usual), -1);
	cr_expect_eq(fixture.err.kind, ERR_REFUSED);
	cr_expect_not_null(strstr(fixture.err.hint, "/consul/tls"));
	fixture_stop(&fixture);
}

/* -------------------------------------------------------------------------------------------- ACLs */

Test(deploy_tls, acls_are_there_from_the_start_with_tokens_made_once)
{
	struct deploy_request request = usual;
	struct fixture fixture;
	_cleanup_json_ cJSON *config = NULL;
	_cleanup_free_ char *token = NULL;
	const cJSON *data;

	request.acls = true;
	fixture_start(&fixture);
	fixture_deploy(&fixture, &request);
	config = kept_config(&fixture);
	cr_assert(manifest_acls_of(config));
	cr_assert_str_eq(json_string_at(config, "acl.default_policy"), "deny");
	data = json_get(fixture_kept(&fixture, acl_path), "data");
	cr_assert(str_starts_with(json_get(data, "probe")->valuestring, "X-Consul-Token: "));
	cr_assert_not_null(strstr(json_get(data, "agent.json")->valuestring, "\"agent\":\""));
	token = xstrdup(json_get(json_get(fixture_kept(&fixture, bootstrap_path), "data"), "token")->valuestring);
	cr_assert_eq(strlen(token), 36);
	/* They stay, whether asked for again or not. */
	fixture_deploy(&fixture, &usual);
	cr_assert(fixture.plan.acls);
	cr_assert(fixture.plan.sets_up_acls);
	fixture_deploy(&fixture, &request);
	cr_assert_str_eq(json_get(json_get(fixture_kept(&fixture, bootstrap_path), "data"), "token")->valuestring,
	                 token);
	/* Its owner has put the management token away: none that Consul does not know takes its place. */
	json_set(fixture.store.objects, bootstrap_path, NULL);
	fixture_deploy(&fixture, &usual);
	cr_assert_null(json_get(fixture.store.objects, bootstrap_path));
	cr_assert_not(fixture.plan.sets_up_acls);
	/* Unless it was lost, and is to be made anew. */
	request.reset_acls = true;
	fixture_deploy(&fixture, &request);
	cr_assert_not_null(json_get(fixture.store.objects, bootstrap_path));
	cr_assert(fixture.plan.sets_up_acls);
	/* The servers' tokens are gone, too: those that are made up now are told to Consul. */
	json_set(fixture.store.objects, bootstrap_path, NULL);
	json_set(fixture.store.objects, acl_path, NULL);
	fixture_deploy(&fixture, &usual);
	cr_assert_not_null(json_get(fixture.store.objects, acl_path));
	cr_assert(fixture.plan.sets_up_acls);
	fixture_stop(&fixture);
}

/* --------------------------------------------------------------------------------- the configuration */

Test(deploy_tls, the_template_tells_the_configuration_but_not_the_number_of_servers)
{
	struct deploy_request five = usual;
	struct fixture fixture;
	_cleanup_json_ cJSON *server = NULL, *extra = NULL, *config = NULL;

	five.replicas = 5;
	fixture_start(&fixture);
	fixture_deploy(&fixture, &five);
	cr_assert_eq(manifest_configuration(kept_template(&fixture), &server, &extra, &fixture.err), 0);
	cr_assert_eq(cJSON_GetArraySize(extra), 0);
	cr_assert_null(json_get(server, "bootstrap_expect"));
	config =
	    cJSON_Parse(json_get(json_get(fixture_kept(&fixture, CONFIG_PATH), "data"), "server.json")->valuestring);
	cr_assert_eq(json_int_at(config, "bootstrap_expect", 0), 5);
	cr_assert_eq(cJSON_GetArraySize(config), 1);
	fixture_stop(&fixture);
}

Test(deploy_tls, what_people_add_is_kept_until_they_say_otherwise)
{
	struct deploy_request request = usual;
	struct fixture fixture;
	_cleanup_json_ cJSON *extra = json_object("log_level", json_string("DEBUG"), NULL);
	_cleanup_json_ cJSON *nothing = cJSON_CreateObject();

	request.extra = extra;
	fixture_start(&fixture);
	fixture_deploy(&fixture, &usual);
	fixture_deploy(&fixture, &request);
	cr_assert_str_eq(fixture_outcome(&fixture, "statefulset.apps/consul"), "configured");
	fixture_deploy(&fixture, &usual);
	fixture_expect_all(&fixture, "unchanged");
	request.extra = nothing;
	fixture_deploy(&fixture, &request);
	cr_assert_str_eq(fixture_outcome(&fixture, "statefulset.apps/consul"), "configured");
	fixture_stop(&fixture);
}

Test(deploy_tls, what_deploy_answers_for_cannot_be_added)
{
	static const struct {
		const char *text;
		const char *says;
	} cases[] = { { "{\"encrypt\":\"x\"}", "--rotate-gossip-key" },
		      { "{\"acl\":{}}", "--acls" },
		      { "{\"data_dir\":\"/x\"}", "has to be as it is" },
		      { "{\"Verify_Incoming_RPC\":false}", "\"Verify_Incoming_RPC\" is set by deploy; use --tls or" },
		      { "{\"acl_replication_token\":\"x\"}", "--acls" },
		      { "{\"telemetry\":{},\"connect\":{\"CA_Config\":{}}}", "\"connect.CA_Config\" is set" },
		      { "{\"connect\":[{\"ca_config\":{}}]}", "\"connect.ca_config\" is set" },
		      { "{\"http_config\":{\"block_endpoints\":[\"/v1/\"]}}", "\"http_config.block_endpoints\"" },
		      { "{\"http_config\":{\"use_cache\":true,\"allow_write_HTTP_from\":[]}}", "as it is" },
		      { "{\"advertise_addr_ipv4\":\"10.0.0.1\"}", "as it is" },
		      { "{\"serf_lan\":\"10.0.0.1\"}", "as it is" },
		      { "{\"telemetry\":{\"circonus_api_token\":\"x\"}}",
		        "telemetry.circonus_api_token\" holds a secret" },
		      { "{\"services\":[{\"name\":\"a\",\"Token\":\"x\"}]}", "\"services.Token\" holds a secret" },
		      { "{\"cloud\":{\"client_secret\":\"x\"}}", "holds a secret" },
		      { "{\"license\":\"x\"}", "holds a secret" },
		      { "{\"retry_join_wan\":[\"a\",\"provider=aws secret_access_key=x\"]}", "holds a secret" },
		      { "[]", "one JSON object" } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ cJSON *extra = cJSON_Parse(cases[i].text);
		_cleanup_err_ struct err err = ERR_INIT;

		cr_assert_eq(manifest_check_extra(extra, &err), -1);
		cr_expect_eq(err.kind, ERR_USAGE);
		cr_expect(strstr(err.message, cases[i].says), "%s", err.message);
	}
}

Test(deploy_tls, anything_else_can_be_added)
{
	static const char *const cases[] = {
		"{}",
		"{\"log_level\":\"debug\",\"limits\":{\"http_max_conns_per_client\":500}}",
		"{\"telemetry\":{\"prometheus_retention_time\":\"60s\"},\"connect\":{\"enabled\":true}}",
		"{\"http_config\":{\"response_headers\":{\"server\":\"x\"}},\"retry_join_wan\":[\"10.0.0.1\"]}",
		"{\"services\":[{\"name\":\"server\",\"port\":80,\"enable_tag_override\":false}]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ cJSON *extra = cJSON_Parse(cases[i]);
		_cleanup_err_ struct err err = ERR_INIT;

		cr_assert_not_null(extra, "%s", cases[i]);
		cr_expect_eq(manifest_check_extra(extra, &err), 0, "%s: %s", cases[i], err.message);
	}
}

/* --------------------------------------------------------------------------------------- restarting */

Test(deploy_tls, the_server_tells_whether_servers_are_replaced)
{
	struct deploy_request image = usual;
	struct fixture fixture;
	bool restarts = true;

	image.image = "mine/consul:1.9.0";
	fixture_start(&fixture);
	cr_assert_eq(fixture_plan(&fixture, &usual), 0);
	cr_assert_eq(deploy_try(fixture.client, &fixture.plan, false, INT64_MAX, &restarts, &fixture.err), 0);
	cr_expect_not(restarts, "there are none yet");
	fixture_deploy(&fixture, &usual);
	cr_assert_eq(fixture_plan(&fixture, &usual), 0);
	cr_assert_eq(deploy_try(fixture.client, &fixture.plan, false, INT64_MAX, &restarts, &fixture.err), 0);
	cr_expect_not(restarts, "nothing differs");
	cr_assert_eq(fixture_plan(&fixture, &image), 0);
	cr_assert_eq(deploy_try(fixture.client, &fixture.plan, false, INT64_MAX, &restarts, &fixture.err), 0);
	cr_expect(restarts);
	/* A deploy that was stopped in the middle. */
	manifest_set_rolling(cJSON_GetObjectItemCaseSensitive(fixture.store.objects, SET_PATH), false);
	cr_assert_eq(fixture_plan(&fixture, &usual), 0);
	cr_assert_eq(deploy_try(fixture.client, &fixture.plan, false, INT64_MAX, &restarts, &fixture.err), 0);
	cr_expect(restarts);
	fixture_stop(&fixture);
}
