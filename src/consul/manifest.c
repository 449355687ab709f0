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

/* scale changes bootstrap_expect here (consul/expect.h). */
static cJSON *config_map(const struct manifest_settings *settings)
{
	_cleanup_json_ cJSON *config = settings->shared_config ? cJSON_Duplicate(settings->shared_config, true)
							       : cJSON_CreateObject();
	_cleanup_free_ char *text = NULL;

	json_set(config, "bootstrap_expect", json_int(settings->bootstrap_expect));
	text = json_text_pretty(config);
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

/* The HTTP API as others than the pod itself see it: NULL leaves the port out. */
static cJSON *http_port(const struct manifest_settings *settings)
{
	return settings->tls == MANIFEST_TLS_ON ? NULL : service_port("http", MANIFEST_PORT_HTTP, "TCP");
}

static cJSON *https_port(const struct manifest_settings *settings)
{
	return settings->tls == MANIFEST_TLS_OFF ? NULL : service_port("https", MANIFEST_PORT_HTTPS, "TCP");
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
					    http_port(settings),
					    https_port(settings)),
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
			"ports", json_array(http_port(settings),
					    https_port(settings),
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
			  manifest_gossip_secret(settings),
			  manifest_authority_secret(settings),
			  manifest_tls_secret(settings),
			  manifest_acl_secret(settings),
			  manifest_bootstrap_secret(settings),
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
