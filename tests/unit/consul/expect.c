/* consul/expect: which bootstrap_expect a server will have that starts now. */
#include "consul/expect.h"

#include <criterion/criterion.h>

#include "consul/manifest.h"
#include "sample.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* ------------------------------------------------------------------------------------ the command line */

static cJSON *strings(const char *const *texts)
{
	cJSON *list = cJSON_CreateArray();

	for (; *texts; texts++)
		cJSON_AddItemToArray(list, json_string(*texts));
	return list;
}

/* A set with one container; the variable SIZE is 5. */
static void see(struct snapshot *snapshot, const char *managed_by, const char *const *args, const char *local_config)
{
	cJSON *env = json_array(
	    json_object("name", json_string("SIZE"), "value", json_string("5"), NULL),
	    json_object("name", json_string("CONSUL_LOCAL_CONFIG"), "value", json_string(local_config), NULL));
	cJSON *container =
	    json_object("name", json_string("consul"), "image", json_string("hashicorp/consul:1.8.7"), "command",
	                json_array(json_string("consul")), "args", strings(args), "env", env, NULL);
	_cleanup_json_ cJSON *set = json_object(
	    "metadata",
	    json_object("name", json_string("consul"), "labels",
	                json_object("app.kubernetes.io/managed-by", json_string(managed_by), NULL), NULL),
	    "spec",
	    json_object("template", json_object("spec", json_object("containers", json_array(container), NULL), NULL),
	                NULL),
	    NULL);
	_cleanup_err_ struct err err = ERR_INIT;

	sample_init(snapshot, 1);
	kube_statefulset_release(&snapshot->set);
	cr_assert_eq(kube_statefulset_decode(set, &snapshot->set, &err), 0, "%s", err.message);
}

#define SOMEBODY  "Helm"
#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Nothing was asked: for sets that are somebody else's. */
static const struct kube_call unasked = KUBE_CALL_INIT;

/* expected 0: not known. */
static void expect_args(int line, int64_t expected, const char *const *args, const char *local_config)
{
	struct snapshot snapshot = SNAPSHOT_INIT;

	see(&snapshot, SOMEBODY, args, local_config);
	expect_read(&snapshot, &unasked, NULL, &snapshot.expect);
	cr_expect_eq(snapshot.expect.known, expected != 0, "line %d: known %d", line, snapshot.expect.known);
	cr_expect_eq(snapshot.expect.expect, expected, "line %d: %d", line, (int)snapshot.expect.expect);
	cr_expect_not(snapshot.expect.can_change);
	cr_expect_not(err_is_set(&snapshot.expect.err));
	snapshot_release(&snapshot);
}

Test(expect, the_command_line_tells)
{
	expect_args(__LINE__, 1, ARGS("agent", "-server", "-bootstrap-expect=1"), NULL);
	expect_args(__LINE__, 3, ARGS("agent", "-server", "--bootstrap-expect=3"), NULL);
	expect_args(__LINE__, 3, ARGS("agent", "-bootstrap-expect", "3", "-server"), NULL);
	expect_args(__LINE__, 1, ARGS("agent", "-bootstrap"), NULL);
	expect_args(__LINE__, 1, ARGS("agent", "-bootstrap=true"), NULL);
	expect_args(__LINE__, 5, ARGS("agent", "-bootstrap-expect=$(SIZE)"), NULL);
}

Test(expect, what_is_not_about_it_tells_nothing)
{
	expect_args(__LINE__, 0, ARGS("agent", "-server"), NULL);
	expect_args(__LINE__, 0, ARGS("agent", "-bootstrap=false"), NULL);
	expect_args(__LINE__, 0, ARGS("agent", "-node=bootstrap-expect=1", "-bootstrap-expected=1"), NULL);
	expect_args(__LINE__, 0, ARGS("agent", "-bootstrap-expect"), NULL);
	expect_args(__LINE__, 0, ARGS("agent", "-bootstrap-expect=$(OTHER)"), NULL);
	expect_args(__LINE__, 0, ARGS("agent", "-bootstrap-expect=0"), NULL);
	expect_args(__LINE__, 0, ARGS("agent", "-bootstrap-expect=99999999999999999999"), NULL);
	expect_args(__LINE__, 0, ARGS(""), NULL);
}

Test(expect, scripts_are_read)
{
	expect_args(__LINE__, 1, ARGS("-c", "set -e\nexec consul agent -server \\\n  -bootstrap-expect=1 \\\n  -ui\n"),
	            NULL);
	expect_args(__LINE__, 3, ARGS("-c", "consul agent \"-bootstrap-expect\" '3'; echo done"), NULL);
	expect_args(__LINE__, 5, ARGS("-c", "consul agent -bootstrap-expect=\"${SIZE}\" -client=\"$IP 127.0.0.1\""),
	            NULL);
	expect_args(__LINE__, 5, ARGS("-c", "consul agent -bootstrap-expect=$SIZE"), NULL);
	expect_args(__LINE__, 3, ARGS("-c", "# once it was -bootstrap-expect=1\nconsul agent -bootstrap-expect=3"),
	            NULL);
	expect_args(__LINE__, 0, ARGS("-c", "n=1; consul agent -bootstrap-expect=$n"), NULL);
}

Test(expect, a_script_that_has_it_both_ways_tells_nothing)
{
	expect_args(__LINE__, 0,
	            ARGS("-c", "if [ $HOSTNAME = consul-0 ]; then a=-bootstrap-expect=1; consul agent -bootstrap; "
	                       "else consul agent -bootstrap-expect=3; fi"),
	            NULL);
	expect_args(__LINE__, 0, ARGS("-c", "consul agent -bootstrap-expect=$n"), "{\"bootstrap_expect\":1}");
}

Test(expect, the_configuration_in_the_environment_tells_where_no_flag_does)
{
	expect_args(__LINE__, 1, ARGS("agent", "-server"), "{\"bootstrap_expect\": 1}");
	expect_args(__LINE__, 1, ARGS("agent", "-server"), "{\"bootstrap\": true}");
	expect_args(__LINE__, 3, ARGS("agent", "-bootstrap-expect=3"), "{\"bootstrap_expect\": 1}");
	expect_args(__LINE__, 0, ARGS("agent", "-server"), "{\"bootstrap_expect\": \"1\"}");
	expect_args(__LINE__, 0, ARGS("agent", "-server"), "bootstrap_expect = 1");
	expect_args(__LINE__, 0, ARGS("agent", "-server"), "[1]");
}

/* --------------------------------------------------------------------------------------------- tags */

Test(expect, a_live_server_that_bootstraps_alone_tells)
{
	struct snapshot snapshot = SNAPSHOT_INIT;
	struct member *member;

	see(&snapshot, SOMEBODY, ARGS("agent"), NULL);
	member = &snapshot.servers[0].view.members[0];
	member->expect = 1;
	expect_read(&snapshot, &unasked, NULL, &snapshot.expect);
	cr_expect_not(snapshot.expect.known, "nobody leads");
	expect_read(&snapshot, &unasked, &snapshot.servers[0], &snapshot.expect);
	cr_expect(snapshot.expect.known);
	cr_expect_eq(snapshot.expect.expect, 1);
	cr_expect_not(snapshot.expect.can_change);
	expect_release(&snapshot.expect);

	member->status = MEMBER_LEFT;
	expect_read(&snapshot, &unasked, &snapshot.servers[0], &snapshot.expect);
	cr_expect_not(snapshot.expect.known, "it is gone");
	member->status = MEMBER_ALIVE;
	member->is_server = false;
	expect_read(&snapshot, &unasked, &snapshot.servers[0], &snapshot.expect);
	cr_expect_not(snapshot.expect.known, "it is a client");
	member->is_server = true;
	member->expect = 3;
	expect_read(&snapshot, &unasked, &snapshot.servers[0], &snapshot.expect);
	cr_expect_not(snapshot.expect.known, "what one server was started with is no proof of the next one's");
	snapshot_release(&snapshot);
}

/* ---------------------------------------------------------------------------------------- ConfigMap */

#define CONFIG "{\"datacenter\":\"dc1\",\"bootstrap_expect\":1,\"retry_join\":[\"a\",\"b\"],\"telemetry\":{\"x\":1.5}}"

static cJSON *config_map(const char *managed_by, const char *text)
{
	return json_object(
	    "metadata",
	    json_object("name", json_string("consul-server"), "resourceVersion", json_string("42"), "labels",
	                json_object("app.kubernetes.io/managed-by", json_string(managed_by), NULL), NULL),
	    "data", json_object(MANIFEST_SERVER_FILE, json_string(text), NULL), NULL);
}

/* The state of a cluster that deploy made, whose only server bootstrapped alone. call is taken over. */
static void read_ours(struct snapshot *snapshot, struct kube_call call)
{
	see(snapshot, MANIFEST_MANAGED_BY, ARGS("agent"), NULL);
	snapshot->servers[0].view.members[0].expect = 1;
	expect_read(snapshot, &call, &snapshot->servers[0], &snapshot->expect);
	kube_call_release(&call);
}

Test(expect, the_config_map_of_deploy_tells_and_can_be_changed)
{
	struct snapshot snapshot = SNAPSHOT_INIT;

	read_ours(&snapshot, (struct kube_call){ .json = config_map(MANIFEST_MANAGED_BY, CONFIG) });
	cr_expect(snapshot.expect.known && snapshot.expect.can_change);
	cr_expect_eq(snapshot.expect.expect, 1);
	cr_expect_str_eq(snapshot.expect.resource_version, "42");
	snapshot_release(&snapshot);

	read_ours(&snapshot, (struct kube_call){ .json = config_map(MANIFEST_MANAGED_BY, "{\"bootstrap_expect\":3}") });
	cr_expect(snapshot.expect.known);
	cr_expect_eq(snapshot.expect.expect, 3, "whatever the server that runs was started with");
	snapshot_release(&snapshot);

	read_ours(&snapshot, (struct kube_call){ .json = config_map(SOMEBODY, CONFIG) });
	cr_expect(snapshot.expect.known);
	cr_expect_not(snapshot.expect.can_change, "somebody else's");
	snapshot_release(&snapshot);
}

Test(expect, only_deploys_own_config_map_is_looked_at)
{
	struct kube_call call = { .json = config_map(MANIFEST_MANAGED_BY, CONFIG) };
	struct snapshot snapshot = SNAPSHOT_INIT;

	see(&snapshot, SOMEBODY, ARGS("agent"), NULL);
	expect_read(&snapshot, &call, NULL, &snapshot.expect);
	cr_expect_not(snapshot.expect.known);
	kube_call_release(&call);
	snapshot_release(&snapshot);
}

Test(expect, without_the_config_map_the_tag_tells)
{
	static const char *const empty[] = { "{}", NULL };
	struct snapshot snapshot = SNAPSHOT_INIT;
	struct kube_call call = KUBE_CALL_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
		read_ours(&snapshot, (struct kube_call){ .json = config_map(MANIFEST_MANAGED_BY, empty[i]) });
		cr_expect(snapshot.expect.known && snapshot.expect.expect == 1 && !snapshot.expect.can_change);
		cr_expect_not(err_is_set(&snapshot.expect.err));
		snapshot_release(&snapshot);
	}
	err_set(&call.err, ERR_NOT_FOUND, "no such thing");
	read_ours(&snapshot, call);
	cr_expect(snapshot.expect.known && snapshot.expect.expect == 1 && !snapshot.expect.can_change);
	cr_expect_not(err_is_set(&snapshot.expect.err), "there is nothing to read");
	snapshot_release(&snapshot);

	call = (struct kube_call)KUBE_CALL_INIT;
	err_set(&call.err, ERR_FORBIDDEN, "you may not");
	read_ours(&snapshot, call);
	cr_expect(snapshot.expect.known && snapshot.expect.expect == 1 && !snapshot.expect.can_change);
	cr_expect_eq(snapshot.expect.err.kind, ERR_FORBIDDEN);
	snapshot_release(&snapshot);
}

Test(expect, what_could_not_be_read_this_time_is_not_guessed)
{
	struct snapshot snapshot = SNAPSHOT_INIT;
	struct kube_call call = KUBE_CALL_INIT;

	err_set(&call.err, ERR_UNAVAILABLE, "later");
	read_ours(&snapshot, call);
	cr_expect_not(snapshot.expect.known);
	cr_expect_eq(snapshot.expect.err.kind, ERR_UNAVAILABLE);
	snapshot_release(&snapshot);

	read_ours(&snapshot, (struct kube_call){ .json = config_map(MANIFEST_MANAGED_BY, "{\"bootstrap_expect\":") });
	cr_expect_not(snapshot.expect.known);
	cr_expect(err_is_set(&snapshot.expect.err));
	snapshot_release(&snapshot);
}

/* --------------------------------------------------------------------------------------- changing it */

static char *applied(const char *config)
{
	struct snapshot snapshot = SNAPSHOT_INIT;
	char *text;

	read_ours(&snapshot, (struct kube_call){ .json = config_map(MANIFEST_MANAGED_BY, config) });
	cr_assert(snapshot.expect.can_change);
	text = expect_apply(&snapshot, 3);
	snapshot_release(&snapshot);
	return text;
}

Test(expect, all_else_stays_and_where_it_was)
{
	_cleanup_free_ char *text = applied(CONFIG), *expected = NULL, *alone = applied("{\"bootstrap\":true}");
	_cleanup_json_ cJSON *object = NULL, *config = NULL;
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(json_parse(text, strlen(text), &object, &err), 0);
	cr_expect_str_eq(json_string_at(object, "kind"), "ConfigMap");
	cr_expect_str_eq(json_string_at(object, "metadata.name"), "consul-server");
	cr_expect_str_eq(json_string_at(object, "metadata.resourceVersion"), "42");
	cr_expect(manifest_is_ours(object));
	cr_assert_eq(expect_config(object, &config, &err), 0);
	expected = json_text(config);
	cr_expect_str_eq(expected, "{\"datacenter\":\"dc1\",\"bootstrap_expect\":3,\"retry_join\":[\"a\",\"b\"],"
	                           "\"telemetry\":{\"x\":1.5}}");
	/* Consul does not take both. */
	cr_expect_null(strstr(alone, "true"), "%s", alone);
	cr_expect_not_null(strstr(alone, "bootstrap_expect"));
}

Test(expect, it_is_what_deploy_renders)
{
	struct manifest_settings settings = {
		.namespace_name = "consul", .name = "consul", .image = "i", .datacenter = "dc1", .storage_size = "1Gi"
	};
	_cleanup_json_ cJSON *before = NULL, *after = NULL, *object = NULL;
	_cleanup_free_ char *text = NULL;
	_cleanup_err_ struct err err = ERR_INIT;
	const cJSON *wanted;

	settings.replicas = settings.bootstrap_expect = 1;
	before = manifest_render(&settings);
	settings.bootstrap_expect = 3;
	after = manifest_render(&settings);
	text = applied(
	    cJSON_GetStringValue(json_get(json_get(cJSON_GetArrayItem(before, 2), "data"), MANIFEST_SERVER_FILE)));
	cr_assert_eq(json_parse(text, strlen(text), &object, &err), 0);
	wanted = cJSON_GetArrayItem(after, 2);
	cr_expect_str_eq(json_string_at(wanted, "kind"), "ConfigMap");
	json_set(cJSON_GetObjectItem(object, "metadata"), "resourceVersion", NULL);
	json_set(cJSON_GetObjectItem(object, "metadata"), "namespace", json_string("consul"));
	cr_expect(cJSON_Compare(object, wanted, true), "%s", text);
}
