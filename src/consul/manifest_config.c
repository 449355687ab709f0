/* The configuration of the servers: what deploy sets, what a person may add, and what both tell. */
#include <string.h>

#include "consul/manifest.h"

#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define TLS_DIRECTORY "/consul/tls/"

/* Builders are laid out as the YAML they become. */
/* clang-format off */

/*
 * Servers take part in raft by TLS with certificates of the authority that say "server" only; anybody else's HTTPS needs
 * none. The keys at the top level are those that all versions have.
 */
static void add_tls(cJSON *config, enum manifest_tls mode)
{
	bool on = mode == MANIFEST_TLS_ON;

	if (mode == MANIFEST_TLS_OFF)
		return;
	json_set(config, "ca_file", json_string(TLS_DIRECTORY MANIFEST_KEY_AUTHORITY));
	json_set(config, "cert_file", json_string(TLS_DIRECTORY MANIFEST_KEY_CERTIFICATE));
	json_set(config, "key_file", json_string(TLS_DIRECTORY MANIFEST_KEY_KEY));
	json_set(config, "verify_outgoing", json_bool(mode >= MANIFEST_TLS_SPOKEN));
	json_set(config, "verify_server_hostname", json_bool(mode >= MANIFEST_TLS_SPOKEN));
	json_set(config, "verify_incoming_rpc", json_bool(on));
	if (on)
		json_set(config, "addresses", json_object("http", json_string("127.0.0.1"), NULL));
}

static cJSON *acls(void)
{
	return json_object("enabled", json_bool(true),
			   "default_policy", json_string("deny"),
			   "down_policy", json_string("extend-cache"),
			   NULL);
}

/*
 * -bind, -advertise, -client and -node are arguments, since they differ by pod. Keys that only newer versions know
 * are fatal to older ones, so there are none.
 */
static cJSON *new_config(const struct manifest_settings *settings)
{
	cJSON *config = json_object(
		"datacenter", json_string(settings->datacenter),
		"data_dir", json_string("/consul/data"),
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
				     "https", json_int(settings->tls == MANIFEST_TLS_OFF ? -1 : MANIFEST_PORT_HTTPS),
				     "grpc", json_int(-1),
				     "dns", json_int(MANIFEST_PORT_DNS),
				     NULL),
		NULL);

	add_tls(config, settings->tls);
	if (settings->acls)
		json_set(config, "acl", acls());
	return config;
}

/* clang-format on */

cJSON *manifest_server_config(const struct manifest_settings *settings)
{
	cJSON *config;

	if (!settings->server_config)
		return new_config(settings);
	config = cJSON_Duplicate(settings->server_config, true);
	json_set(config, "bootstrap_expect", NULL);
	return config;
}

static int read_annotation(const cJSON *annotations, const char *key, cJSON **ret_config, struct err *err)
{
	const cJSON *text = json_get(annotations, key);

	if (!cJSON_IsString(text))
		return 0;
	if (json_parse(text->valuestring, strlen(text->valuestring), ret_config, err) < 0)
		return err_wrap(err, "annotation %s of the pod template", key);
	return 0;
}

int manifest_configuration(const cJSON *pod_template, cJSON **ret_server, cJSON **ret_extra, struct err *err)
{
	const cJSON *annotations = json_at(pod_template, "metadata.annotations");

	if (read_annotation(annotations, MANIFEST_ANNOTATION_SERVER, ret_server, err) < 0)
		return -1;
	return read_annotation(annotations, MANIFEST_ANNOTATION_SETTINGS, ret_extra, err);
}

/* ------------------------------------------------------------------------------------------- modes */

static const char *const tls_names[] = {
	[MANIFEST_TLS_OFF] = "off",
	[MANIFEST_TLS_ACCEPTED] = "accepted",
	[MANIFEST_TLS_SPOKEN] = "spoken",
	[MANIFEST_TLS_ON] = "on",
};

const char *manifest_tls_name(enum manifest_tls tls)
{
	return tls_names[tls];
}

enum manifest_tls manifest_tls_named(const char *name, enum manifest_tls otherwise)
{
	for (enum manifest_tls tls = MANIFEST_TLS_OFF; tls <= MANIFEST_TLS_ON; tls++)
		if (str_equal(name, tls_names[tls]))
			return tls;
	return otherwise;
}

enum manifest_tls manifest_next_tls(enum manifest_tls live, enum manifest_tls wanted)
{
	if (live == wanted)
		return live;
	return live < wanted ? live + 1 : live - 1;
}

enum manifest_tls manifest_tls_of(const cJSON *config)
{
	if (!json_get(config, "cert_file"))
		return MANIFEST_TLS_OFF;
	if (json_bool_at(config, "verify_incoming_rpc", false))
		return MANIFEST_TLS_ON;
	return json_bool_at(config, "verify_outgoing", false) ? MANIFEST_TLS_SPOKEN : MANIFEST_TLS_ACCEPTED;
}

bool manifest_acls_of(const cJSON *config)
{
	return json_bool_at(config, "acl.enabled", false);
}

/* ------------------------------------------------------------------------------- what people add */

/* By path: what deploy answers for, and what to use instead; NULL: nothing, it is as it has to be. */
static const struct {
	const char *path;
	const char *instead;
} reserved[] = {
	{ "acl", "--acls" },
	{ "acl_agent_master_token", "--acls" },
	{ "acl_agent_token", "--acls" },
	{ "acl_datacenter", "--acls" },
	{ "acl_default_policy", "--acls" },
	{ "acl_down_policy", "--acls" },
	{ "acl_enable_key_list_policy", "--acls" },
	{ "acl_enforce_version_8", "--acls" },
	{ "acl_master_token", "--acls" },
	{ "acl_replication_token", "--acls" },
	{ "acl_token", "--acls" },
	{ "acl_ttl", "--acls" },
	{ "addresses", NULL },
	{ "advertise_addr", NULL },
	{ "advertise_addr_ipv4", NULL },
	{ "advertise_addr_ipv6", NULL },
	{ "auto_config", NULL },
	{ "auto_encrypt", NULL },
	{ "bind_addr", NULL },
	{ "bootstrap", NULL },
	{ "bootstrap_expect", "--replicas" },
	{ "ca_file", "--tls-ca-cert" },
	{ "ca_path", "--tls-ca-cert" },
	{ "cert_file", "--tls-ca-cert" },
	{ "client_addr", NULL },
	{ "connect.ca_config", NULL },
	{ "data_dir", NULL },
	{ "datacenter", "--datacenter" },
	{ "disable_keyring_file", NULL },
	{ "domain", NULL },
	{ "enable_acl_replication", "--acls" },
	{ "encrypt", "--rotate-gossip-key" },
	{ "encrypt_verify_incoming", NULL },
	{ "encrypt_verify_outgoing", NULL },
	{ "http_config.allow_write_http_from", NULL },
	{ "http_config.block_endpoints", NULL },
	{ "key_file", "--tls-ca-key" },
	{ "leave_on_terminate", NULL },
	{ "node_id", NULL },
	{ "node_name", NULL },
	{ "non_voting_server", NULL },
	{ "ports", NULL },
	{ "primary_datacenter", NULL },
	{ "read_replica", NULL },
	{ "retry_join", NULL },
	{ "serf_lan", NULL },
	{ "serf_wan", NULL },
	{ "server", NULL },
	{ "server_name", NULL },
	{ "skip_leave_on_interrupt", NULL },
	{ "start_join", NULL },
	{ "tls", "--tls or --no-tls" },
	{ "verify_incoming", "--tls or --no-tls" },
	{ "verify_incoming_https", "--tls or --no-tls" },
	{ "verify_incoming_rpc", "--tls or --no-tls" },
	{ "verify_outgoing", "--tls or --no-tls" },
	{ "verify_server_hostname", "--tls or --no-tls" },
};

static int check_reserved(const char *path, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
		if (!str_equal_nocase(path, reserved[i].path))
			continue;
		if (reserved[i].instead)
			return err_set(err, ERR_USAGE, "--set-config: \"%s\" is set by deploy; use %s", path,
			               reserved[i].instead);
		return err_set(err, ERR_USAGE, "--set-config: \"%s\" is set by deploy, and has to be as it is", path);
	}
	return 0;
}

static bool ends_with_nocase(const char *text, const char *end)
{
	size_t length = strlen(text), wanted = strlen(end);

	return length >= wanted && str_equal_nocase(text + length - wanted, end);
}

/* Tokens of services, checks and watches; of Circonus; a Vault's. To find servers by a provider takes its credentials.
 */
static bool holds_secret(const char *path, const cJSON *item)
{
	static const char *const ends[] = { "token", "secret", "password", "private_key", "license" };

	if (!cJSON_IsString(item))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (ends_with_nocase(path, ends[i]))
			return true;
	return ends_with_nocase(path, "retry_join_wan") && strstr(item->valuestring, "provider=");
}

/*
 * All that is in json, whose path is that (NULL: the whole). Consul does not tell upper case from lower case in keys,
 * and takes a list of one object for the object.
 */
static int check_added(const char *path, const cJSON *json, struct err *err)
{
	const cJSON *item;

	if (path && holds_secret(path, json))
		return err_set(
		    err, ERR_USAGE,
		    "--set-config: \"%s\" holds a secret, and what is added can be read by everybody who may read "
		    "ConfigMaps or pods",
		    path);
	cJSON_ArrayForEach (item, json) {
		_cleanup_free_ char *below = NULL;

		if (path && item->string)
			below = xasprintf("%s.%s", path, item->string);
		else
			below = xstrdup_null(item->string ? item->string : path);
		if ((item->string && check_reserved(below, err) < 0) || check_added(below, item, err) < 0)
			return -1;
	}
	return 0;
}

int manifest_check_extra(const cJSON *extra, struct err *err)
{
	if (!cJSON_IsObject(extra))
		return err_set(err, ERR_USAGE, "--set-config: the file must hold one JSON object");
	return check_added(NULL, extra, err);
}
