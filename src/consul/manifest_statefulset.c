/* The StatefulSet of include/consul/manifest.h: the servers themselves. */
#include "consul/manifest.h"

#include "util/json.h"
#include "util/mem.h"

/* User and group consul of the official images. */
enum { CONSUL_USER = 100, CONSUL_GROUP = 1000 };

enum { MODE_GROUP_READ = 0440 };

#define ACL_DIRECTORY "/consul/acl"

/*
 * Ready means: the pod's own agent knows this very address as a voter of raft. (An entry of the same node with an
 * earlier address does not count, nor does its name, which may be unknown.) So a rollout and a drain wait for the
 * voter. A leader votes, whatever address raft has of it: it does not correct its own while there are fewer than three
 * peers (tried on 1.8.7; Consul's joinConsulServer). It goes by the loopback and plain HTTP, whatever everybody else
 * has to use.
 *
 * curl is in the official images. Elsewhere busybox' wget (without -T: Debian's static build of it crashes on that); it
 * takes a header on its command line only, so that with a token nc is used, and printf, which is a builtin of shells. A
 * token that Consul does not know yet is refused even where nobody needs one: then it is asked without.
 */
static const char readiness_script[] =
    "address=$POD_IP:8300\n"
    "case $POD_IP in *:*) address=\"[$POD_IP]:8300\" ;; esac\n"
    "api=http://127.0.0.1:8500/v1\n"
    "peers='operator/raft/configuration?stale'\n"
    "token=" ACL_DIRECTORY "/" MANIFEST_KEY_PROBE "\n"
    "get() {\n"
    "  if command -v curl >/dev/null; then curl -fsS -m 2 \"$api/$1\"; else wget -q -O - \"$api/$1\"; fi\n"
    "}\n"
    "get_with_token() {\n"
    "  [ -r $token ] || return\n"
    "  if command -v curl >/dev/null; then\n"
    "    curl -fsS -m 2 -H @$token \"$api/$1\"\n"
    "  elif command -v nc >/dev/null; then\n"
    "    printf 'GET /v1/%s HTTP/1.0\\r\\n%s\\r\\n\\r\\n' \"$1\" \"$(cat $token)\" | nc -w 2 127.0.0.1 8500\n"
    "  fi\n"
    "}\n"
    "is_voter() { tr '{' '\\n' | grep -F \"\\\"Address\\\":\\\"$address\\\"\" | grep -qF '\"Voter\":true'; }\n"
    "get_with_token \"$peers\" | is_voter && exit 0\n"
    "get \"$peers\" | is_voter && exit 0\n"
    "[ \"$(get status/leader)\" = \"\\\"$address\\\"\" ] && exit 0\n"
    "echo \"$address is not a voter of raft\"\n"
    "exit 1\n";

/* Builders are laid out as the YAML they become. */
/* clang-format off */

static cJSON *field_env(const char *name, const char *field)
{
	return json_object(
		"name", json_string(name),
		"valueFrom", json_object(
			"fieldRef", json_object("apiVersion", json_string("v1"), "fieldPath", json_string(field), NULL),
			NULL),
		NULL);
}

static cJSON *container_port(const char *name, int port, const char *protocol)
{
	return json_object("name", json_string(name),
			   "containerPort", json_int(port),
			   "protocol", json_string(protocol),
			   NULL);
}

static cJSON *mount(const char *name, const char *path, bool read_only)
{
	return json_object("name", json_string(name),
			   "mountPath", json_string(path),
			   "readOnly", read_only ? json_bool(true) : NULL,
			   NULL);
}

static cJSON *readiness_probe(void)
{
	return json_object(
		"exec", json_object(
			"command", json_array(json_string("/bin/sh"), json_string("-c"), json_string(readiness_script)),
			NULL),
		"initialDelaySeconds", json_int(2),
		"periodSeconds", json_int(3),
		"timeoutSeconds", json_int(5),
		"successThreshold", json_int(1),
		"failureThreshold", json_int(3),
		NULL);
}

static cJSON *container_security(void)
{
	return json_object("allowPrivilegeEscalation", json_bool(false),
			   "readOnlyRootFilesystem", json_bool(true),
			   "capabilities", json_object("drop", json_array(json_string("ALL")), NULL),
			   NULL);
}

static cJSON *http_port(const struct manifest_settings *settings)
{
	return settings->tls == MANIFEST_TLS_ON ? NULL : container_port("http", MANIFEST_PORT_HTTP, "TCP");
}

static cJSON *https_port(const struct manifest_settings *settings)
{
	return settings->tls == MANIFEST_TLS_OFF ? NULL : container_port("https", MANIFEST_PORT_HTTPS, "TCP");
}

/*
 * consul itself is started, not the image's entry point, which wants to change owners as root. Its API listens on the
 * pod's address and on the loopback, in whichever family the pod has. (With TLS the plain one is on the loopback only:
 * "addresses" in the configuration, nothing here.)
 */
static cJSON *container(const struct manifest_settings *settings)
{
	return json_object(
		"name", json_string("consul"),
		"image", json_string(settings->image),
		"command", json_array(json_string("consul"), json_string("agent")),
		"args", json_array(json_string("-server"),
				   json_string("-ui"),
				   json_string("-config-dir=/consul/config"),
				   json_string("-node=$(POD_NAME)"),
				   json_string("-bind=$(POD_IP)"),
				   json_string("-advertise=$(POD_IP)"),
				   json_string("-client=$(POD_IP) 127.0.0.1")),
		"env", json_array(field_env("POD_NAME", "metadata.name"), field_env("POD_IP", "status.podIP")),
		"ports", json_array(container_port("server", MANIFEST_PORT_SERVER, "TCP"),
				    container_port("serf-lan-tcp", MANIFEST_PORT_SERF_LAN, "TCP"),
				    container_port("serf-lan-udp", MANIFEST_PORT_SERF_LAN, "UDP"),
				    container_port("serf-wan-tcp", MANIFEST_PORT_SERF_WAN, "TCP"),
				    container_port("serf-wan-udp", MANIFEST_PORT_SERF_WAN, "UDP"),
				    http_port(settings),
				    https_port(settings),
				    container_port("dns-tcp", MANIFEST_PORT_DNS, "TCP"),
				    container_port("dns-udp", MANIFEST_PORT_DNS, "UDP")),
		"readinessProbe", readiness_probe(),
		"resources", json_object(
			"requests", json_object("cpu", json_string("100m"), "memory", json_string("128Mi"), NULL),
			NULL),
		"securityContext", container_security(),
		"volumeMounts", json_array(mount("data", "/consul/data", false),
					   mount("config", "/consul/config", true),
					   settings->tls == MANIFEST_TLS_OFF ? NULL : mount("tls", "/consul/tls", true),
					   settings->acls ? mount("acl", ACL_DIRECTORY, true) : NULL,
					   mount("tmp", "/tmp", false)),
		NULL);
}

static cJSON *projected(const char *kind, const struct manifest_settings *settings, const char *suffix,
			const char *key, const char *path)
{
	return json_object(
		kind, json_object(
			"name", json_stringf("%s%s", settings->name, suffix),
			"items", json_array(json_object("key", json_string(key), "path", json_string(path), NULL)),
			NULL),
		NULL);
}

static cJSON *from_annotation(const char *annotation, const char *path)
{
	return json_object(
		"path", json_string(path),
		"fieldRef", json_object("apiVersion", json_string("v1"),
					"fieldPath", json_stringf("metadata.annotations['%s']", annotation),
					NULL),
		NULL);
}

/* What the pod's own template says. */
static cJSON *own_configuration(void)
{
	return json_object(
		"downwardAPI", json_object(
			"items", json_array(from_annotation(MANIFEST_ANNOTATION_SERVER, MANIFEST_SERVER_FILE),
					    from_annotation(MANIFEST_ANNOTATION_SETTINGS, MANIFEST_SETTINGS_FILE)),
			NULL),
		NULL);
}

/* Configuration and keys side by side in one directory, which consul reads as a whole. */
static cJSON *config_volume(const struct manifest_settings *settings)
{
	return json_object(
		"name", json_string("config"),
		"projected", json_object(
			"defaultMode", json_int(MODE_GROUP_READ),
			"sources", json_array(
				own_configuration(),
				projected("configMap", settings, "-server", MANIFEST_SERVER_FILE, MANIFEST_EXPECT_FILE),
				projected("secret", settings, "-gossip", MANIFEST_GOSSIP_FILE, MANIFEST_GOSSIP_FILE),
				settings->acls ? projected("secret", settings, "-acl", MANIFEST_AGENT_FILE,
							   MANIFEST_AGENT_FILE)
					       : NULL),
			NULL),
		NULL);
}

/* As a whole: its three files change together, and a server that presents the new certificate has the new bundle. */
static cJSON *tls_volume(const struct manifest_settings *settings)
{
	if (settings->tls == MANIFEST_TLS_OFF)
		return NULL;
	return json_object("name", json_string("tls"),
			   "secret", json_object("secretName", json_stringf("%s-tls", settings->name),
						 "defaultMode", json_int(MODE_GROUP_READ),
						 NULL),
			   NULL);
}

/* The probe's header; optional, so that it may come later. */
static cJSON *acl_volume(const struct manifest_settings *settings)
{
	if (!settings->acls)
		return NULL;
	return json_object("name", json_string("acl"),
			   "secret", json_object("secretName", json_stringf("%s-acl", settings->name),
						 "defaultMode", json_int(MODE_GROUP_READ),
						 "items", json_array(json_object(
							"key", json_string(MANIFEST_KEY_PROBE),
							"path", json_string(MANIFEST_KEY_PROBE),
							NULL)),
						 "optional", json_bool(true),
						 NULL),
			   NULL);
}

static cJSON *apart(const struct manifest_settings *settings, const char *topology, int weight)
{
	return json_object(
		"weight", json_int(weight),
		"podAffinityTerm", json_object(
			"topologyKey", json_string(topology),
			"labelSelector", json_object("matchLabels", manifest_selector_labels(settings), NULL),
			NULL),
		NULL);
}

/* Rather two servers on one node than one server too few: a preference. */
static cJSON *affinity(const struct manifest_settings *settings)
{
	return json_object(
		"podAntiAffinity", json_object(
			"preferredDuringSchedulingIgnoredDuringExecution",
			json_array(apart(settings, "kubernetes.io/hostname", 100),
				   apart(settings, "topology.kubernetes.io/zone", 50)),
			NULL),
		NULL);
}

static cJSON *pod_security(void)
{
	return json_object("runAsNonRoot", json_bool(true),
			   "runAsUser", json_int(CONSUL_USER),
			   "runAsGroup", json_int(CONSUL_GROUP),
			   "fsGroup", json_int(CONSUL_GROUP),
			   "fsGroupChangePolicy", json_string("OnRootMismatch"),
			   "seccompProfile", json_object("type", json_string("RuntimeDefault"), NULL),
			   NULL);
}

static cJSON *configuration_annotations(const struct manifest_settings *settings)
{
	_cleanup_json_ cJSON *server = manifest_server_config(settings);
	_cleanup_free_ char *server_text = json_text(server);
	_cleanup_free_ char *settings_text = settings->extra ? json_text(settings->extra) : xstrdup("{}");

	return json_object(MANIFEST_ANNOTATION_SERVER, json_string(server_text),
			   MANIFEST_ANNOTATION_SETTINGS, json_string(settings_text),
			   NULL);
}

static cJSON *pod_template(const struct manifest_settings *settings)
{
	return json_object(
		"metadata", json_object("labels", manifest_labels(settings),
					"annotations", configuration_annotations(settings),
					NULL),
		"spec", json_object(
			"serviceAccountName", json_string(settings->name),
			"automountServiceAccountToken", json_bool(false),
			"enableServiceLinks", json_bool(false),
			"terminationGracePeriodSeconds", json_int(60),
			"securityContext", pod_security(),
			"affinity", affinity(settings),
			"containers", json_array(container(settings)),
			"volumes", json_array(config_volume(settings),
					      tls_volume(settings),
					      acl_volume(settings),
					      json_object("name", json_string("tmp"),
							  "emptyDir", cJSON_CreateObject(), NULL)),
			NULL),
		NULL);
}

static cJSON *claim_template(const struct manifest_settings *settings)
{
	return json_object(
		"apiVersion", json_string("v1"),
		"kind", json_string("PersistentVolumeClaim"),
		"metadata", json_object("name", json_string("data"), "labels", manifest_selector_labels(settings), NULL),
		"spec", json_object(
			"accessModes", json_array(json_string("ReadWriteOnce")),
			"storageClassName", json_string(settings->storage_class),
			"resources", json_object(
				"requests", json_object("storage", json_string(settings->storage_size), NULL),
				NULL),
			NULL),
		NULL);
}

/*
 * Parallel: the first election needs all servers at the same time, and a server is ready only after it. Updates go one
 * by one, from the highest ordinal, all the same.
 */
cJSON *manifest_statefulset(const struct manifest_settings *settings)
{
	cJSON *metadata = manifest_metadata(settings, "");

	json_set(metadata, "annotations", json_object(
		MANIFEST_ANNOTATION_TLS, json_string(manifest_tls_name(settings->tls_wanted)),
		MANIFEST_ANNOTATION_BACK, json_string(settings->going_back_to),
		NULL));
	return json_object(
		"apiVersion", json_string("apps/v1"),
		"kind", json_string("StatefulSet"),
		"metadata", metadata,
		"spec", json_object(
			"serviceName", json_string(settings->name),
			"replicas", json_int(settings->replicas),
			"podManagementPolicy", json_string("Parallel"),
			"updateStrategy", json_object("type", json_string("RollingUpdate"), NULL),
			"selector", json_object("matchLabels", manifest_selector_labels(settings), NULL),
			"template", pod_template(settings),
			"volumeClaimTemplates", json_array(claim_template(settings)),
			NULL),
		NULL);
}

/* clang-format on */

static void copy_if_there(cJSON *to, const cJSON *from, const char *key)
{
	const cJSON *value = json_get(from, key);

	json_set(to, key, value ? cJSON_Duplicate(value, true) : NULL);
}

/*
 * As they stand, status and defaults of the claim templates included: to server-side apply that list is one value, and
 * another one would be a conflict with whoever made the set.
 */
void manifest_keep_immutable(cJSON *set, const cJSON *live)
{
	static const char *const immutable[] = { "serviceName", "podManagementPolicy", "selector",
		                                 "volumeClaimTemplates" };
	cJSON *spec = cJSON_GetObjectItemCaseSensitive(set, "spec");
	const cJSON *live_spec = json_get(live, "spec");

	for (size_t i = 0; i < ARRAY_SIZE(immutable); i++)
		copy_if_there(spec, live_spec, immutable[i]);
	manifest_complete(set);
}

/* null takes away what Kubernetes has put there by default, and does not accept beside OnDelete. */
void manifest_set_rolling(cJSON *set, bool rolling)
{
	cJSON *strategy = json_object("type", json_string(rolling ? "RollingUpdate" : "OnDelete"), NULL);
	cJSON *metadata = cJSON_GetObjectItemCaseSensitive(set, "metadata");
	cJSON *annotations = cJSON_GetObjectItemCaseSensitive(metadata, "annotations");

	if (!rolling)
		cJSON_AddItemToObject(strategy, "rollingUpdate", cJSON_CreateNull());
	json_set(cJSON_GetObjectItemCaseSensitive(set, "spec"), "updateStrategy", strategy);
	if (rolling && annotations)
		json_set(annotations, MANIFEST_ANNOTATION_BACK, NULL);
}

bool manifest_is_rolling(const cJSON *set)
{
	const cJSON *status = json_get(set, "status");

	if (str_equal(json_string_at(set, "spec.updateStrategy.type"), "OnDelete"))
		return true;
	if (json_int_at(status, "observedGeneration", 0) < json_int_at(set, "metadata.generation", 0))
		return true;
	return json_int_at(status, "replicas", 0) > json_int_at(status, "updatedReplicas", 0) &&
	       !str_equal(json_string_at(status, "currentRevision"), json_string_at(status, "updateRevision"));
}

static void complete_ports(const cJSON *owner, const char *key)
{
	cJSON *port;

	cJSON_ArrayForEach (port, json_get(owner, key))
		if (cJSON_IsObject(port) && !json_get(port, "protocol"))
			json_set(port, "protocol", json_string("TCP"));
}

static void complete_claims(const cJSON *spec)
{
	cJSON *claim;

	cJSON_ArrayForEach (claim, json_get(spec, "volumeClaimTemplates")) {
		if (cJSON_IsObject(claim) && !json_get(claim, "apiVersion"))
			json_set(claim, "apiVersion", json_string("v1"));
		if (cJSON_IsObject(claim) && !json_get(claim, "kind"))
			json_set(claim, "kind", json_string("PersistentVolumeClaim"));
	}
}

void manifest_complete(cJSON *object)
{
	static const char *const lists[] = { "initContainers", "containers" };
	const cJSON *spec = json_get(object, "spec");
	const cJSON *container_object;

	if (str_equal(json_string_at(object, "kind"), "Service"))
		complete_ports(spec, "ports");
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		cJSON_ArrayForEach (container_object, json_get(json_at(spec, "template.spec"), lists[i]))
			complete_ports(container_object, "ports");
	complete_claims(spec);
}

/* "registry:5000/hashicorp/consul:1.8.7@sha256:…" -> is "consul…" what is between the last slash and the tag? */
static bool is_consul_image(const char *image)
{
	const char *slash = image ? strrchr(image, '/') : NULL;
	const char *base = slash ? slash + 1 : image;

	return base && str_starts_with(base, "consul");
}

static bool mentions(const cJSON *list, const char *text)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, list)
		if (cJSON_IsString(item) && strstr(item->valuestring, text))
			return true;
	return false;
}

const cJSON *manifest_consul_container(const cJSON *set)
{
	const cJSON *containers = json_at(set, "spec.template.spec.containers");
	const cJSON *item;

	cJSON_ArrayForEach (item, containers)
		if (str_equal(json_string_at(item, "name"), "consul"))
			return item;
	return cJSON_GetArraySize(containers) == 1 ? cJSON_GetArrayItem(containers, 0) : NULL;
}

bool manifest_runs_consul(const cJSON *set)
{
	const cJSON *containers = json_at(set, "spec.template.spec.containers");
	const cJSON *item;

	cJSON_ArrayForEach (item, containers) {
		bool is_consul =
		    is_consul_image(json_string_at(item, "image")) || str_equal(json_string_at(item, "name"), "consul");

		if (is_consul && (cJSON_GetArraySize(containers) == 1 || mentions(json_get(item, "args"), "-server") ||
		                  mentions(json_get(item, "command"), "-server")))
			return true;
	}
	return false;
}
