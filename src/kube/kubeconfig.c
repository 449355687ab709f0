/* See include/kube/kubeconfig.h. Finding files, the three kinds of entry, merging. */
#include "kube/kubeconfig.h"

#include <stdlib.h>
#include <string.h>

#include "kube/exec_credential.h"
#include "kubeconfig_parts.h"
#include "util/base64.h"
#include "util/buf.h"
#include "util/file.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/yaml.h"

/* Decodes one entry of a list and adds it unless an earlier file has one of that name. */
typedef int add_entry_fn(struct kubeconfig *config, const char *path, const cJSON *item, struct err *err);

static void cleanup_secret_tree(cJSON **json)
{
	json_free_secret(*json);
}

/* ----------------------------------------------------------------------------------------- fields */

void kubeconfig_drop_empty(char **text)
{
	if (*text && !**text)
		replace_string(text, NULL);
}

void kubeconfig_resolve_path(char **file, const char *path)
{
	kubeconfig_drop_empty(file);
	if (*file)
		replace_string(file, file_beside(path, *file));
}

int kubeconfig_decode_data(const cJSON *item, const char *field, char **ret_pem, struct err *err)
{
	struct buf pem = { .max = KUBECONFIG_PEM_MAX, .secret = true };
	const cJSON *value = json_at(item, field);
	int result = 0;

	if (!value || cJSON_IsNull(value))
		return 0;
	if (!cJSON_IsString(value))
		return err_set(err, ERR_INVALID, "%s is not of the expected type", field);
	if (base64_decode(value->valuestring, &pem, err) < 0)
		result = err_wrap(err, "%s", field);
	else if (pem.len != strlen(buf_text(&pem)))
		result = err_set(err, ERR_INVALID, "%s: it is not PEM", field);
	else if (pem.len > 0)
		*ret_pem = buf_detach(&pem);
	buf_release(&pem);
	return result;
}

/* --------------------------------------------------------------------------------------- clusters */

static const struct json_field cluster_fields[] = {
	JSON_FIELD(struct kubeconfig_cluster, name, JSON_STRING, "name", true),
	JSON_FIELD(struct kubeconfig_cluster, server, JSON_STRING, "cluster.server", false),
	JSON_FIELD(struct kubeconfig_cluster, tls_server_name, JSON_STRING, "cluster.tls-server-name", false),
	JSON_FIELD(struct kubeconfig_cluster, ca_file, JSON_STRING, "cluster.certificate-authority", false),
	JSON_FIELD(struct kubeconfig_cluster, proxy_url, JSON_STRING, "cluster.proxy-url", false),
	JSON_FIELD(struct kubeconfig_cluster, insecure, JSON_BOOL, "cluster.insecure-skip-tls-verify", false),
	{ 0 },
};

static void cluster_release(struct kubeconfig_cluster *cluster)
{
	free(cluster->name);
	free(cluster->server);
	free(cluster->tls_server_name);
	free(cluster->ca_file);
	free(cluster->ca_pem);
	free(cluster->proxy_url);
	cJSON_Delete(cluster->exec_config);
}

/* What the cluster has to say to credential plugins. A new value, or NULL. */
static cJSON *find_exec_config(const cJSON *item)
{
	const cJSON *extension;

	cJSON_ArrayForEach (extension, json_at(item, "cluster.extensions"))
		if (str_equal(json_string_at(extension, "name"), EXEC_CREDENTIAL_EXTENSION))
			return cJSON_Duplicate(json_get(extension, "extension"), true);
	return NULL;
}

static int add_cluster(struct kubeconfig *config, const char *path, const cJSON *item, struct err *err)
{
	struct kubeconfig_cluster cluster = { 0 };

	if (json_decode(item, cluster_fields, &cluster, err) < 0 ||
	    kubeconfig_decode_data(item, "cluster.certificate-authority-data", &cluster.ca_pem, err) < 0) {
		cluster_release(&cluster);
		return -1;
	}
	if (kubeconfig_find_cluster(config, cluster.name)) {
		cluster_release(&cluster);
		return 0;
	}
	kubeconfig_drop_empty(&cluster.server);
	kubeconfig_drop_empty(&cluster.tls_server_name);
	kubeconfig_drop_empty(&cluster.proxy_url);
	kubeconfig_resolve_path(&cluster.ca_file, path);
	cluster.exec_config = find_exec_config(item);
	config->clusters = xreallocarray(config->clusters, config->cluster_count + 1, sizeof(*config->clusters));
	config->clusters[config->cluster_count++] = cluster;
	return 0;
}

/* --------------------------------------------------------------------------------------- contexts */

static const struct json_field context_fields[] = {
	JSON_FIELD(struct kubeconfig_context, name, JSON_STRING, "name", true),
	JSON_FIELD(struct kubeconfig_context, cluster, JSON_STRING, "context.cluster", false),
	JSON_FIELD(struct kubeconfig_context, user, JSON_STRING, "context.user", false),
	JSON_FIELD(struct kubeconfig_context, namespace_name, JSON_STRING, "context.namespace", false),
	{ 0 },
};

static void context_release(struct kubeconfig_context *context)
{
	free(context->name);
	free(context->cluster);
	free(context->user);
	free(context->namespace_name);
}

static int add_context(struct kubeconfig *config, const char *path, const cJSON *item, struct err *err)
{
	struct kubeconfig_context context = { 0 };

	(void)path;
	if (json_decode(item, context_fields, &context, err) < 0) {
		context_release(&context);
		return -1;
	}
	if (kubeconfig_find_context(config, context.name)) {
		context_release(&context);
		return 0;
	}
	kubeconfig_drop_empty(&context.cluster);
	kubeconfig_drop_empty(&context.user);
	kubeconfig_drop_empty(&context.namespace_name);
	config->contexts = xreallocarray(config->contexts, config->context_count + 1, sizeof(*config->contexts));
	config->contexts[config->context_count++] = context;
	return 0;
}

/* ------------------------------------------------------------------------------------- whole files */

/* Two entries of one name in one file: which one is meant cannot be known. */
static int refuse_repeated(const cJSON *items, const char *list, struct err *err)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	const cJSON *item;

	cJSON_ArrayForEach (item, items) {
		const char *name = json_string_at(item, "name");

		if (name)
			strv_add(&names, name);
	}
	strv_sort(&names);
	for (size_t i = 1; i < names.count; i++) {
		_cleanup_free_ char *shown = NULL;

		if (!str_equal(names.items[i - 1], names.items[i]))
			continue;
		shown = str_visible(names.items[i], 100);
		return err_set(err, ERR_CONFIG, "duplicate name \"%s\" in %s", shown, list);
	}
	return 0;
}

static int add_list(struct kubeconfig *config, const char *path, const cJSON *json, const char *list, add_entry_fn *add,
                    struct err *err)
{
	const cJSON *items = json_get(json, list), *item;
	size_t position = 0;

	if (!items || cJSON_IsNull(items))
		return 0;
	if (!cJSON_IsArray(items))
		return err_set(err, ERR_CONFIG, "%s is not a list", list);
	if ((size_t)cJSON_GetArraySize(items) > KUBECONFIG_ENTRIES_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %zu %s", KUBECONFIG_ENTRIES_MAX, list);
	if (refuse_repeated(items, list, err) < 0)
		return -1;
	cJSON_ArrayForEach (item, items) {
		position++;
		if (add(config, path, item, err) < 0)
			return err_wrap(err, "entry %zu of %s", position, list);
	}
	return 0;
}

/* A file without kind and apiVersion is fine, as for kubectl; one of another kind is a mix-up. */
static int check_kind(const cJSON *json, struct err *err)
{
	const char *kind = json_string_at(json, "kind"), *version = json_string_at(json, "apiVersion");
	_cleanup_free_ char *shown = NULL;

	if (cJSON_IsNull(json))
		return 0;
	if (!cJSON_IsObject(json))
		return err_set(err, ERR_CONFIG, "it is no kubeconfig");
	if (!str_is_empty(kind) && !str_equal(kind, "Config")) {
		shown = str_visible(kind, 100);
		return err_set(err, ERR_CONFIG, "it is no kubeconfig but of kind \"%s\"", shown);
	}
	if (!str_is_empty(version) && !str_equal(version, "v1")) {
		shown = str_visible(version, 100);
		return err_set(err, ERR_CONFIG, "apiVersion \"%s\" is not known", shown);
	}
	return 0;
}

static int add_document(struct kubeconfig *config, const char *path, const cJSON *json, struct err *err)
{
	const cJSON *current = json_get(json, "current-context");

	if (check_kind(json, err) < 0)
		return -1;
	if (current && !cJSON_IsString(current) && !cJSON_IsNull(current))
		return err_set(err, ERR_CONFIG, "current-context is not of the expected type");
	if (add_list(config, path, json, "clusters", add_cluster, err) < 0 ||
	    add_list(config, path, json, "users", kubeconfig_add_user, err) < 0 ||
	    add_list(config, path, json, "contexts", add_context, err) < 0)
		return -1;
	if (!config->current_context && cJSON_IsString(current) && *current->valuestring)
		config->current_context = xstrdup(current->valuestring);
	return 0;
}

static int wrap_file(struct err *err, const char *path)
{
	_cleanup_free_ char *shown = str_visible(path, 0);

	err->kind = err->kind == ERR_INVALID ? ERR_CONFIG : err->kind;
	return err_wrap(err, "error loading config file \"%s\"", shown);
}

int kubeconfig_add(struct kubeconfig *config, const char *path, const char *text, size_t length, struct err *err)
{
	__attribute__((cleanup(cleanup_secret_tree))) cJSON *json = NULL;

	if (yaml_parse_first(text, length, &json, err) < 0 || add_document(config, path, json, err) < 0)
		return wrap_file(err, path);
	strv_add(&config->files, path);
	return 0;
}

static int add_file(struct kubeconfig *config, const char *path, struct err *err)
{
	_cleanup_buf_ struct buf text = { .max = KUBECONFIG_FILE_MAX, .secret = true };

	if (file_read(path, &text, err) < 0)
		return wrap_file(err, path);
	return kubeconfig_add(config, path, buf_text(&text), text.len, err);
}

static int add_files(struct kubeconfig *config, const char *list, struct err *err)
{
	_cleanup_strv_ struct strv paths = STRV_INIT, seen = STRV_INIT;

	strv_split(&paths, list, ':');
	for (size_t i = 0; i < paths.count; i++) {
		const char *path = paths.items[i];

		if (!*path || strv_contains(&seen, path) || (!file_exists(path) && !file_is_directory(path)))
			continue;
		if (seen.count == KUBECONFIG_FILES_MAX)
			return err_set(err, ERR_TOO_LARGE, "$KUBECONFIG names more than %zu files",
			               KUBECONFIG_FILES_MAX);
		strv_add(&seen, path);
		if (add_file(config, path, err) < 0)
			return -1;
	}
	return 0;
}

int kubeconfig_load(struct kubeconfig *config, const char *explicit_file, const char *env_list, const char *home,
                    struct err *err)
{
	_cleanup_free_ char *usual = NULL;

	if (!str_is_empty(explicit_file))
		return file_stat(explicit_file, err) < 0 ? -1 : add_file(config, explicit_file, err);
	if (!str_is_empty(env_list))
		return add_files(config, env_list, err);
	if (str_is_empty(home))
		return 0;
	usual = file_join(home, ".kube/config");
	return file_exists(usual) ? add_file(config, usual, err) : 0;
}

/* ---------------------------------------------------------------------------------------- looking up */

const struct kubeconfig_cluster *kubeconfig_find_cluster(const struct kubeconfig *config, const char *name)
{
	for (size_t i = 0; name && i < config->cluster_count; i++)
		if (str_equal(config->clusters[i].name, name))
			return &config->clusters[i];
	return NULL;
}

const struct kubeconfig_user *kubeconfig_find_user(const struct kubeconfig *config, const char *name)
{
	for (size_t i = 0; name && i < config->user_count; i++)
		if (str_equal(config->users[i].name, name))
			return &config->users[i];
	return NULL;
}

const struct kubeconfig_context *kubeconfig_find_context(const struct kubeconfig *config, const char *name)
{
	for (size_t i = 0; name && i < config->context_count; i++)
		if (str_equal(config->contexts[i].name, name))
			return &config->contexts[i];
	return NULL;
}

void kubeconfig_release(struct kubeconfig *config)
{
	for (size_t i = 0; i < config->cluster_count; i++)
		cluster_release(&config->clusters[i]);
	for (size_t i = 0; i < config->user_count; i++)
		kubeconfig_user_release(&config->users[i]);
	for (size_t i = 0; i < config->context_count; i++)
		context_release(&config->contexts[i]);
	free(config->clusters);
	free(config->users);
	free(config->contexts);
	free(config->current_context);
	strv_release(&config->files);
	*config = (struct kubeconfig)KUBECONFIG_INIT;
}
