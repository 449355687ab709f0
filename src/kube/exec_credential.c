/* See include/kube/exec_credential.h. */
#include "kube/exec_credential.h"

#include <string.h>

#include "kube/config.h"
#include "util/base64.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/yaml.h"

#define GROUP "client.authentication.k8s.io/"

/* How much of a word that is not known a message shows. */
#define SHOWN_MAX ((size_t)100)

/* ---------------------------------------------------------------------------------- the kubeconfig's */

static int missing(const char *what, const char *user, struct err *err)
{
	_cleanup_free_ char *shown = str_visible(user, SHOWN_MAX);

	return err_set(err, ERR_CONFIG, "%s must be specified for %s to use exec authentication plugin", what, shown);
}

static int wrong_type(const char *field, struct err *err)
{
	return err_set(err, ERR_CONFIG, "user.exec.%s is not of the expected type", field);
}

static int read_string(const cJSON *exec, const char *field, char **ret_text, struct err *err)
{
	const cJSON *value = json_get(exec, field);

	if (!value || cJSON_IsNull(value))
		return 0;
	if (!cJSON_IsString(value))
		return wrong_type(field, err);
	if (*value->valuestring)
		*ret_text = xstrdup(value->valuestring);
	return 0;
}

/* To Go null is the empty string. */
static int read_arguments(const cJSON *exec, struct exec_plugin *plugin, struct err *err)
{
	const cJSON *list = json_get(exec, "args"), *item;

	if (list && !cJSON_IsArray(list) && !cJSON_IsNull(list))
		return wrong_type("args", err);
	cJSON_ArrayForEach (item, list) {
		if (!cJSON_IsString(item) && !cJSON_IsNull(item))
			return wrong_type("args", err);
		strv_add(&plugin->arguments, cJSON_IsNull(item) ? "" : item->valuestring);
	}
	return 0;
}

static int read_environment(const cJSON *exec, const char *user, struct exec_plugin *plugin, struct err *err)
{
	const cJSON *list = json_get(exec, "env"), *item;

	if (list && !cJSON_IsArray(list) && !cJSON_IsNull(list))
		return wrong_type("env", err);
	cJSON_ArrayForEach (item, list) {
		const char *name = json_string_at(item, "name");
		const cJSON *value = json_get(item, "value");

		if (str_is_empty(name))
			return missing("env variable name", user, err);
		if (value && !cJSON_IsString(value) && !cJSON_IsNull(value))
			return wrong_type("env", err);
		strv_addf(&plugin->environment, "%s=%s", name, cJSON_IsString(value) ? value->valuestring : "");
	}
	return 0;
}

static int read_interactive(const cJSON *exec, const char *user, struct exec_plugin *plugin, struct err *err)
{
	static const char *const modes[] = {
		[EXEC_IF_AVAILABLE] = "IfAvailable",
		[EXEC_NEVER] = "Never",
		[EXEC_ALWAYS] = "Always",
	};
	_cleanup_free_ char *mode = NULL, *shown_mode = NULL, *shown_user = NULL;

	if (read_string(exec, "interactiveMode", &mode, err) < 0)
		return -1;
	if (!mode)
		return str_equal(plugin->api_version, GROUP "v1beta1") ? 0 : missing("interactiveMode", user, err);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!str_equal(modes[i], mode))
			continue;
		plugin->interactive = (enum exec_interactive)i;
		return 0;
	}
	shown_mode = str_visible(mode, SHOWN_MAX);
	shown_user = str_visible(user, SHOWN_MAX);
	return err_set(err, ERR_CONFIG, "invalid interactiveMode for %s: \"%s\"", shown_user, shown_mode);
}

static int check_version(const struct exec_plugin *plugin, struct err *err)
{
	_cleanup_free_ char *shown = NULL;

	if (str_equal(plugin->api_version, GROUP "v1") || str_equal(plugin->api_version, GROUP "v1beta1"))
		return 0;
	shown = str_visible(plugin->api_version, SHOWN_MAX);
	err_set(err, ERR_CONFIG, "exec plugin: invalid apiVersion \"%s\"", shown);
	return err_hint(err, "use " GROUP "v1 or " GROUP "v1beta1: an update of the program that wrote the kubeconfig "
	                     "may do that");
}

static int read_wants_cluster(const cJSON *exec, struct exec_plugin *plugin, struct err *err)
{
	const cJSON *value = json_get(exec, "provideClusterInfo");

	if (value && !cJSON_IsBool(value) && !cJSON_IsNull(value))
		return wrong_type("provideClusterInfo", err);
	plugin->wants_cluster = cJSON_IsTrue(value);
	return 0;
}

static void resolve_command(struct exec_plugin *plugin, const char *file)
{
	if (!strchr(plugin->command, '/'))
		return;
	replace_string(&plugin->command, file_beside(file, plugin->command));
}

static int decode_plugin(const cJSON *exec, const char *file, const char *user, struct exec_plugin *plugin,
                         struct err *err)
{
	if (read_string(exec, "command", &plugin->command, err) < 0 ||
	    read_string(exec, "apiVersion", &plugin->api_version, err) < 0 ||
	    read_string(exec, "installHint", &plugin->install_hint, err) < 0 || read_arguments(exec, plugin, err) < 0 ||
	    read_environment(exec, user, plugin, err) < 0 || read_wants_cluster(exec, plugin, err) < 0)
		return -1;
	if (!plugin->command)
		return missing("command", user, err);
	if (!plugin->api_version)
		return missing("apiVersion", user, err);
	if (read_interactive(exec, user, plugin, err) < 0 || check_version(plugin, err) < 0)
		return -1;
	resolve_command(plugin, file);
	return 0;
}

int exec_plugin_decode(const cJSON *exec, const char *file, const char *user, struct exec_plugin *ret_plugin,
                       struct err *err)
{
	struct exec_plugin plugin = { 0 };

	if (decode_plugin(exec, file, user, &plugin, err) < 0) {
		exec_plugin_release(&plugin);
		return -1;
	}
	*ret_plugin = plugin;
	return 0;
}

void exec_plugin_release(struct exec_plugin *plugin)
{
	free(plugin->api_version);
	free(plugin->command);
	free(plugin->install_hint);
	strv_release(&plugin->arguments);
	strv_release_secret(&plugin->environment);
	*plugin = (struct exec_plugin){ 0 };
}

/* ------------------------------------------------------------------------------------ what it is told */

/* As client-go writes a rest.Config: "config" is there in any case. */
static cJSON *cluster_of(const struct kube_config *config)
{
	_cleanup_free_ char *authorities =
	    config->ca_pem ? base64_encode(config->ca_pem, strlen(config->ca_pem)) : NULL;

	return json_object("server", json_string(config->server), "tls-server-name",
	                   json_string(config->tls_server_name), "insecure-skip-tls-verify",
	                   config->insecure ? json_bool(true) : NULL, "certificate-authority-data",
	                   json_string(authorities), "proxy-url", json_string(config->exec_proxy_url), "config",
	                   config->exec_config ? cJSON_Duplicate(config->exec_config, true) : cJSON_CreateNull(), NULL);
}

char *exec_credential_info(const struct kube_config *config, bool interactive)
{
	cJSON *json = json_object("kind", json_string("ExecCredential"), "apiVersion",
	                          json_string(config->exec->api_version), "spec",
	                          json_object("cluster", config->exec->wants_cluster ? cluster_of(config) : NULL,
	                                      "interactive", json_bool(interactive), NULL),
	                          NULL);
	char *text = json_text(json);

	cJSON_Delete(json);
	return text;
}

/* -------------------------------------------------------------------------------------- what it answers */

static int check_kind(const struct exec_plugin *plugin, const cJSON *json, struct err *err)
{
	const char *version = json_string_at(json, "apiVersion"), *kind = json_string_at(json, "kind");
	_cleanup_free_ char *shown_version = str_visible(version ? version : "", SHOWN_MAX);
	_cleanup_free_ char *shown_kind = str_visible(kind ? kind : "", SHOWN_MAX);

	if (!str_equal(kind, "ExecCredential"))
		return err_set(err, ERR_CONFIG, "decoding stdout: no kind \"%s\" is registered for version \"%s\"",
		               shown_kind, shown_version);
	if (str_equal(version, plugin->api_version))
		return 0;
	return err_set(err, ERR_CONFIG, "exec plugin is configured to use API version %s, plugin returned version %s",
	               plugin->api_version, shown_version);
}

static int read_secret(const cJSON *status, const char *field, char **ret_text, struct err *err)
{
	const cJSON *value = json_get(status, field);

	if (!value || cJSON_IsNull(value))
		return 0;
	if (!cJSON_IsString(value))
		return err_set(err, ERR_CONFIG, "decoding stdout: status.%s is not a string", field);
	if (*value->valuestring)
		*ret_text = xstrdup(value->valuestring);
	return 0;
}

static int read_expiry(const cJSON *status, int64_t *ret_expires_at_s, struct err *err)
{
	const cJSON *value = json_get(status, "expirationTimestamp");

	*ret_expires_at_s = INT64_MAX;
	if (!value || cJSON_IsNull(value))
		return 0;
	if (cJSON_IsString(value) && clock_parse_rfc3339(value->valuestring, ret_expires_at_s) == 0)
		return 0;
	return err_set(err, ERR_CONFIG, "decoding stdout: status.expirationTimestamp is not a time (RFC 3339)");
}

static int decode_status(const cJSON *json, struct exec_credential *credential, struct err *err)
{
	const cJSON *status = json_get(json, "status");

	if (!cJSON_IsObject(status))
		return err_set(err, ERR_CONFIG, "exec plugin didn't return a status field");
	if (read_secret(status, "token", &credential->token, err) < 0 ||
	    read_secret(status, "clientCertificateData", &credential->certificate_pem, err) < 0 ||
	    read_secret(status, "clientKeyData", &credential->key_pem, err) < 0 ||
	    read_expiry(status, &credential->expires_at_s, err) < 0)
		return -1;
	if (!credential->certificate_pem != !credential->key_pem)
		return err_set(err, ERR_CONFIG, "exec plugin returned only certificate or key, not both");
	if (!credential->token && !credential->certificate_pem)
		return err_set(err, ERR_CONFIG, "exec plugin didn't return a token or cert/key pair");
	return 0;
}

/* A string would end at it. A backslash stands in strings only. */
static bool has_nul(const char *text, size_t length)
{
	static const char escaped[] = "\\u0000";

	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\0')
			return true;
		if (text[i] != '\\')
			continue;
		if (length - i >= strlen(escaped) && memcmp(text + i, escaped, strlen(escaped)) == 0)
			return true;
		i++;
	}
	return false;
}

/* As kubectl: JSON if it begins as an object of JSON does, else YAML. */
static int parse(const char *text, size_t length, cJSON **ret_json, struct err *err)
{
	size_t start = 0;

	while (start < length && strchr(" \t\r\n", text[start]))
		start++;
	if (start < length && text[start] == '{')
		return json_parse(text, length, ret_json, err);
	return yaml_parse_first(text, length, ret_json, err);
}

int exec_credential_decode(const struct exec_plugin *plugin, const char *text, size_t length,
                           struct exec_credential *ret_credential, struct err *err)
{
	struct exec_credential credential = EXEC_CREDENTIAL_NONE;
	_cleanup_err_ struct err secret = ERR_INIT; /* parsers show where they stopped */
	cJSON *json = NULL;
	int status = -1;

	if (parse(text, length, &json, &secret) < 0 || !cJSON_IsObject(json))
		err_set(
		    err, ERR_CONFIG,
		    "decoding stdout: couldn't get version/kind; json parse error: it is no object of JSON or YAML");
	else if (has_nul(text, length))
		err_set(err, ERR_CONFIG, "decoding stdout: a string has a NUL in it");
	else if (check_kind(plugin, json, err) == 0 && decode_status(json, &credential, err) == 0)
		status = 0;
	json_free_secret(json);
	if (status == 0)
		*ret_credential = credential;
	else
		exec_credential_release(&credential);
	return status;
}

void exec_credential_release(struct exec_credential *credential)
{
	free_secret(credential->token);
	free(credential->certificate_pem);
	free_secret(credential->key_pem);
	*credential = (struct exec_credential)EXEC_CREDENTIAL_NONE;
}
