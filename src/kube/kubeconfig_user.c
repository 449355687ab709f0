/* The entries of users. See kubeconfig_parts.h. */
#include <stdlib.h>

#include "kubeconfig_parts.h"
#include "util/json.h"
#include "util/mem.h"

static const struct json_field user_fields[] = {
	JSON_FIELD(struct kubeconfig_user, name, JSON_STRING, "name", true),
	JSON_FIELD(struct kubeconfig_user, cert_file, JSON_STRING, "user.client-certificate", false),
	JSON_FIELD(struct kubeconfig_user, key_file, JSON_STRING, "user.client-key", false),
	JSON_FIELD(struct kubeconfig_user, token, JSON_STRING, "user.token", false),
	JSON_FIELD(struct kubeconfig_user, token_file, JSON_STRING, "user.tokenFile", false),
	JSON_FIELD(struct kubeconfig_user, username, JSON_STRING, "user.username", false),
	JSON_FIELD(struct kubeconfig_user, password, JSON_STRING, "user.password", false),
	JSON_FIELD(struct kubeconfig_user, as.user, JSON_STRING, "user.as", false),
	JSON_FIELD(struct kubeconfig_user, as.uid, JSON_STRING, "user.as-uid", false),
	{ 0 },
};

void kubeconfig_user_release(struct kubeconfig_user *user)
{
	free(user->name);
	free(user->file);
	free(user->cert_file);
	free(user->cert_pem);
	free(user->key_file);
	free_secret(user->key_pem);
	free_secret(user->token);
	free(user->token_file);
	free(user->username);
	free_secret(user->password);
	free(user->auth_provider);
	json_free_secret(user->exec);
	impersonation_release(&user->as);
}

static int wrong_type(const char *field, struct err *err)
{
	return err_set(err, ERR_INVALID, "%s is not of the expected type", field);
}

static int decode_strings(const cJSON *list, const char *field, struct strv *strings, struct err *err)
{
	const cJSON *item;

	if (!list || cJSON_IsNull(list))
		return 0;
	if (!cJSON_IsArray(list))
		return wrong_type(field, err);
	cJSON_ArrayForEach (item, list) {
		if (!cJSON_IsString(item))
			return wrong_type(field, err);
		strv_add(strings, item->valuestring);
	}
	return 0;
}

/* as-user-extra: a list of values for each key. */
static int decode_extra(const cJSON *item, struct impersonation *as, struct err *err)
{
	const cJSON *extra = json_at(item, "user.as-user-extra"), *values;

	if (extra && !cJSON_IsObject(extra) && !cJSON_IsNull(extra))
		return wrong_type("user.as-user-extra", err);
	cJSON_ArrayForEach (values, extra) {
		if (decode_strings(values, "user.as-user-extra", &as->extra_values, err) < 0)
			return -1;
		while (as->extra_keys.count < as->extra_values.count)
			strv_add(&as->extra_keys, values->string);
	}
	return 0;
}

static int decode_plugins(const cJSON *item, const char *path, struct kubeconfig_user *user, struct err *err)
{
	const cJSON *exec = json_at(item, "user.exec"), *provider = json_at(item, "user.auth-provider");
	const char *name = json_string_at(item, "user.auth-provider.name");

	if (exec && !cJSON_IsObject(exec) && !cJSON_IsNull(exec))
		return wrong_type("user.exec", err);
	if (provider && !cJSON_IsObject(provider) && !cJSON_IsNull(provider))
		return wrong_type("user.auth-provider", err);
	if (cJSON_IsObject(exec))
		user->exec = cJSON_Duplicate(exec, true);
	if (cJSON_IsObject(provider))
		user->auth_provider = xstrdup(name ? name : "");
	user->file = xstrdup(path);
	return 0;
}

static int decode_user(const cJSON *item, const char *path, struct kubeconfig_user *user, struct err *err)
{
	if (json_decode(item, user_fields, user, err) < 0 ||
	    kubeconfig_decode_data(item, "user.client-certificate-data", &user->cert_pem, err) < 0 ||
	    kubeconfig_decode_data(item, "user.client-key-data", &user->key_pem, err) < 0 ||
	    decode_strings(json_at(item, "user.as-groups"), "user.as-groups", &user->as.groups, err) < 0 ||
	    decode_extra(item, &user->as, err) < 0 || decode_plugins(item, path, user, err) < 0)
		return -1;
	kubeconfig_drop_empty(&user->token);
	kubeconfig_drop_empty(&user->username);
	kubeconfig_drop_empty(&user->password);
	kubeconfig_drop_empty(&user->as.user);
	kubeconfig_drop_empty(&user->as.uid);
	kubeconfig_resolve_path(&user->cert_file, path);
	kubeconfig_resolve_path(&user->key_file, path);
	kubeconfig_resolve_path(&user->token_file, path);
	return 0;
}

int kubeconfig_add_user(struct kubeconfig *config, const char *path, const cJSON *item, struct err *err)
{
	struct kubeconfig_user user = { 0 };

	if (decode_user(item, path, &user, err) < 0) {
		kubeconfig_user_release(&user);
		return -1;
	}
	if (kubeconfig_find_user(config, user.name)) {
		kubeconfig_user_release(&user);
		return 0;
	}
	config->users = xreallocarray(config->users, config->user_count + 1, sizeof(*config->users));
	config->users[config->user_count++] = user;
	return 0;
}
