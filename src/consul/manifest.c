/* See include/consul/manifest.h. */
#include "consul/manifest.h"

#include "util/json.h"
#include "util/mem.h"

/* Builders are laid out as the YAML they become. */
/* clang-format off */

cJSON *manifest_selector_labels(const struct manifest_settings *settings)
{
	return json_object("app.kubernetes.io/name", json_string("consul"),
			   "app.kubernetes.io/instance", json_string(settings->name),
			   "app.kubernetes.io/component", json_string("server"),
			   NULL);
}

cJSON *manifest_labels(const struct manifest_settings *settings)
{
	cJSON *labels = manifest_selector_labels(settings);

	json_set(labels, "app.kubernetes.io/managed-by", json_string(MANIFEST_MANAGED_BY));
	return labels;
}

cJSON *manifest_metadata(const struct manifest_settings *settings, const char *suffix)
{
	return json_object("name", json_stringf("%s%s", settings->name, suffix),
			   "namespace", json_string(settings->namespace_name),
			   "labels", manifest_labels(settings),
			   NULL);
}

static cJSON *service_account(const struct manifest_settings *settings)
{
	return json_object("apiVersion", json_string("v1"),
			   "kind", json_string("ServiceAccount"),
			   "metadata", manifest_metadata(settings, ""),
			   "automountServiceAccountToken", json_bool(false),
			   NULL);
}

/* The file that holds the key, as a value to be put into the Secret; NULL without a key. */
static cJSON *gossip_file(const char *key)
{
	/* A key is base64: nothing in it needs escaping. */
	char *text = key ? xasprintf("{\"encrypt\":\"%s\"}", key) : NULL;
	cJSON *value = json_string(text);

	free_secret(text);
	return value;
}

static cJSON *gossip_secret(const struct manifest_settings *settings)
{
	cJSON *file = gossip_file(settings->gossip_key);

	return json_object("apiVersion", json_string("v1"),
			   "kind", json_string("Secret"),
			   "metadata", manifest_metadata(settings, "-gossip"),
			   "type", json_string("Opaque"),
			   "stringData", file ? json_object(MANIFEST_GOSSIP_FILE, file, NULL) : NULL,
			   NULL);
}

/*
 * -bind, -advertise, -client and -node are arguments, since they differ by pod. Keys that only newer versions know
 * are fatal to older ones, so there are none.
 */
static cJSON *server_config(const struct manifest_settings *settings)
{
	return json_object(
		"datacenter", json_string(settings->datacenter),
		"data_dir", json_string("/consul/data"),
		"bootstrap_expect", json_int(settings->bootstrap_expect),
		"retry_join", json_array(json_stringf("%s.%s.svc", settings->name, settings->namespace_name)),
		"retry_interval", json_string("3s"),
		"leave_on_terminate", json_bool(true),
		"skip_leave_on_interrupt", json_bool(true),
		"performance", json_object("raft_multiplier", json_int(1), NULL),
		"autopilot", json_object("cleanup_dead_servers", json_bool(true),
					 "last_contact_threshold", json_string("200ms"),
					 "max_trailing_logs", json_int(250),
					 "server_stabilization_time", json_string("10s"),
					 NULL),
		"connect", json_object("enabled", json_bool(false), NULL),
		"disable_update_check", json_bool(true),
		"ports", json_object("server", json_int(MANIFEST_PORT_SERVER),
				     "serf_lan", json_int(MANIFEST_PORT_SERF_LAN),
				     "serf_wan", json_int(MANIFEST_PORT_SERF_WAN),
				     "http", json_int(MANIFEST_PORT_HTTP),
				     "https", json_int(-1),
				     "grpc", json_int(-1),
				     "dns", json_int(MANIFEST_PORT_DNS),
				     NULL),
		NULL);
}

static cJSON *config_map(const struct manifest_settings *settings)
{
	_cleanup_json_ cJSON *config = server_config(settings);
	_cleanup_free_ char *text = json_text_pretty(config);

	return json_object("apiVersion", json_string("v1"),
			   "kind", json_string("ConfigMap"),
			   "metadata", manifest_metadata(settings, "-server"),
			   "data", json_object(MANIFEST_SERVER_FILE, json_string(text), NULL),
			   NULL);
}

static cJSON *service_port(const char *name, int port, const char *protocol)
{
	return json_object("name", json_string(name),
			   "port", json_int(port),
			   "targetPort", json_string(name),
			   "protocol", json_string(protocol),
			   NULL);
}

static cJSON *headless_service(const struct manifest_settings *settings)
{
	return json_object(
		"apiVersion", json_string("v1"),
		"kind", json_string("Service"),
		"metadata", manifest_metadata(settings, ""),
		"spec", json_object(
			"clusterIP", json_string("None"),
			"publishNotReadyAddresses", json_bool(true),
			"selector", manifest_selector_labels(settings),
			"ports", json_array(service_port("server", MANIFEST_PORT_SERVER, "TCP"),
					    service_port("serf-lan-tcp", MANIFEST_PORT_SERF_LAN, "TCP"),
					    service_port("serf-lan-udp", MANIFEST_PORT_SERF_LAN, "UDP"),
					    service_port("serf-wan-tcp", MANIFEST_PORT_SERF_WAN, "TCP"),
					    service_port("serf-wan-udp", MANIFEST_PORT_SERF_WAN, "UDP"),
					    service_port("http", MANIFEST_PORT_HTTP, "TCP")),
			NULL),
		NULL);
}

static cJSON *client_service(const struct manifest_settings *settings)
{
	return json_object(
		"apiVersion", json_string("v1"),
		"kind", json_string("Service"),
		"metadata", manifest_metadata(settings, "-client"),
		"spec", json_object(
			"type", json_string("ClusterIP"),
			"selector", manifest_selector_labels(settings),
			"ports", json_array(service_port("http", MANIFEST_PORT_HTTP, "TCP"),
					    service_port("dns-tcp", MANIFEST_PORT_DNS, "TCP"),
					    service_port("dns-udp", MANIFEST_PORT_DNS, "UDP")),
			NULL),
		NULL);
}

static cJSON *disruption_budget(const struct manifest_settings *settings)
{
	return json_object(
		"apiVersion", json_string("policy/v1"),
		"kind", json_string("PodDisruptionBudget"),
		"metadata", manifest_metadata(settings, ""),
		"spec", json_object(
			"maxUnavailable", json_int(1),
			"selector", json_object("matchLabels", manifest_selector_labels(settings), NULL),
			NULL),
		NULL);
}

cJSON *manifest_render(const struct manifest_settings *settings)
{
	return json_array(service_account(settings),
			  gossip_secret(settings),
			  config_map(settings),
			  headless_service(settings),
			  client_service(settings),
			  disruption_budget(settings),
			  manifest_statefulset(settings));
}

/* clang-format on */

bool manifest_is_ours(const cJSON *object)
{
	const cJSON *labels = json_at(object, "metadata.labels");
	const cJSON *managed_by = json_get(labels, "app.kubernetes.io/managed-by");

	return cJSON_IsString(managed_by) && str_equal(managed_by->valuestring, MANIFEST_MANAGED_BY);
}
