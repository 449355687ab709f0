/* See config_parts.h. As whom: what flags and the user entry give to log in with. */
#include "config_parts.h"

#include <string.h>

#include "util/buf.h"
#include "util/file.h"
#include "util/mem.h"
#include "util/str.h"

int config_read_pem(const char *path, const char *what, const char *owner, char **ret_pem, struct err *err)
{
	_cleanup_buf_ struct buf pem = { .max = KUBECONFIG_PEM_MAX, .secret = true };
	_cleanup_free_ char *shown_path = str_visible(path, 0), *shown_owner = str_visible(owner, NAME_SHOWN);
	_cleanup_err_ struct err reason = ERR_INIT;

	if (file_read(path, &pem, &reason) < 0)
		return err_set(err, reason.kind, "unable to read %s %s for %s due to %s", what, shown_path, shown_owner,
		               reason.message);
	if (pem.len == 0 || strlen(buf_text(&pem)) != pem.len)
		return err_set(err, ERR_CONFIG, "unable to read %s %s for %s due to its content, which is not PEM",
		               what, shown_path, shown_owner);
	*ret_pem = buf_detach(&pem);
	return 0;
}

/* A flag wins over data, data over a file. */
static int resolve_pem(const char *flag, const char *data, const char *file, const char *what, const char *owner,
                       char **ret_pem, struct err *err)
{
	if (!str_is_empty(flag))
		return config_read_pem(flag, what, owner, ret_pem, err);
	if (data)
		*ret_pem = xstrdup(data);
	else if (file)
		return config_read_pem(file, what, owner, ret_pem, err);
	return 0;
}

static int resolve_certificate(const struct kube_config_inputs *inputs, const struct kubeconfig_user *user,
                               struct kube_config *config, struct err *err)
{
	static const struct kubeconfig_user nobody = { 0 };
	_cleanup_free_ char *shown = NULL;
	const char *owner = user && user->name ? user->name : "";

	if (!user || !str_is_empty(inputs->token))
		user = &nobody;
	if (resolve_pem(inputs->client_certificate, user->cert_pem, user->cert_file, "client-cert", owner,
	                &config->client_cert_pem, err) < 0 ||
	    resolve_pem(inputs->client_key, user->key_pem, user->key_file, "client-key", owner, &config->client_key_pem,
	                err) < 0)
		return -1;
	if (!config->client_cert_pem == !config->client_key_pem)
		return 0;
	shown = str_visible(owner, NAME_SHOWN);
	if (config->client_cert_pem)
		return err_set(err, ERR_CONFIG,
		               "client-key-data or client-key must be specified for %s to use the clientCert "
		               "authentication method.",
		               shown);
	return err_set(err, ERR_CONFIG,
	               "client-certificate-data or client-certificate must be specified for %s to use its client key",
	               shown);
}

/* The client reads it again and again; a file that cannot be read at all, or is blank, is told now. */
static int check_token_file(const char *path, struct err *err)
{
	_cleanup_buf_ struct buf token = { .max = KUBECONFIG_TOKEN_MAX, .secret = true };
	_cleanup_free_ char *shown = NULL;

	if (file_read(path, &token, err) < 0)
		return -1;
	if (strspn(buf_text(&token), " \t\v\f\r\n") < token.len)
		return 0;
	shown = str_visible(path, 0);
	return err_set(err, ERR_CONFIG, "token file \"%s\" was empty", shown);
}

/* --------------------------------------------------------------------------- name and password, plugins */

/* The first that is not empty; NULL: none. */
static const char *either(const char *flag, const char *other)
{
	return str_is_empty(flag) ? other : flag;
}

static int resolve_basic(const struct kube_config_inputs *inputs, const struct kubeconfig_user *user,
                         struct kube_config *config, struct err *err)
{
	const char *username = either(inputs->username, user->username);
	const char *password = either(inputs->password, user->password);
	_cleanup_free_ char *shown = str_visible(user->name ? user->name : "", NAME_SHOWN);

	if (!username && !password)
		return 0;
	if (user->token)
		return err_set(err, ERR_CONFIG,
		               "more than one authentication method found for %s; found [token basicAuth], only one is "
		               "allowed",
		               shown);
	if (user->token_file)
		return err_set(err, ERR_CONFIG, "username/password or bearer token may be set, but not both");
	if (!username || !password) {
		err_set(err, ERR_CONFIG, "user \"%s\" has a %s but no %s", shown, username ? "username" : "password",
		        username ? "password" : "username");
		return err_hint(err, "both are needed, and neither is asked for: give --username and --password, or "
		                     "--token");
	}
	config->username = xstrdup(username);
	config->password = xstrdup(password);
	return 0;
}

/* The two that kubectl had and has removed, in its words; what it has (oidc) is not here. */
static int refuse_auth_provider(const char *name, struct err *err)
{
	static const struct {
		const char *name;
		const char *hint;
	} removed[] = {
		{ "gcp", "Please use the \"gke-gcloud-auth-plugin\" kubectl/client-go credential plugin instead.\nSee "
		         "https://cloud.google.com/blog/products/containers-kubernetes/"
		         "kubectl-auth-changes-in-gke for further details" },
		{ "azure", "Please use the https://github.com/Azure/kubelogin kubectl/client-go credential plugin "
		           "instead.\nSee https://kubernetes.io/docs/reference/access-authn-authz/authentication/"
		           "#client-go-credential-plugins for further details" },
	};
	_cleanup_free_ char *shown = str_visible(name, NAME_SHOWN);

	for (size_t i = 0; i < ARRAY_SIZE(removed); i++) {
		if (!str_equal(removed[i].name, name))
			continue;
		err_set(err, ERR_CONFIG, "The %s auth plugin has been removed.", name);
		return err_hint(err, "%s", removed[i].hint);
	}
	err_set(err, ERR_CONFIG, "no Auth Provider found for name \"%s\"", shown);
	return err_hint(err, "kubectl-consul has no auth providers: use a credential plugin (exec) in the kubeconfig "
	                     "instead, or give --token");
}

static int resolve_plugin(const struct choice *choice, struct kube_config *config, struct err *err)
{
	const struct kubeconfig_user *user = choice->user;
	_cleanup_free_ char *shown = str_visible(user->name, NAME_SHOWN);
	struct exec_plugin plugin;

	if (user->exec && user->auth_provider)
		return err_set(err, ERR_CONFIG,
		               "authProvider cannot be provided in combination with an exec plugin for %s", shown);
	if (user->auth_provider)
		return refuse_auth_provider(user->auth_provider, err);
	if (!user->exec)
		return 0;
	if (exec_plugin_decode(user->exec, user->file, user->name, &plugin, err) < 0)
		return -1;
	if (config->token || config->token_file || config->username || config->client_cert_pem) {
		exec_plugin_release(&plugin);
		return 0;
	}
	config->exec = xmalloc(sizeof(*config->exec));
	*config->exec = plugin;
	if (choice->cluster && choice->cluster->exec_config)
		config->exec_config = cJSON_Duplicate(choice->cluster->exec_config, true);
	config->exec_proxy_url = xstrdup_null(choice->cluster ? choice->cluster->proxy_url : NULL);
	return 0;
}

/* A file comes before the token beside it, which serves while the file cannot be read. */
static int resolve_token(const struct kubeconfig_user *user, struct kube_config *config, struct err *err)
{
	_cleanup_err_ struct err reason = ERR_INIT;

	if (user->token_file && check_token_file(user->token_file, user->token ? &reason : err) == 0)
		config->token_file = xstrdup(user->token_file);
	else if (user->token)
		config->token = xstrdup(user->token);
	else if (user->token_file)
		return -1;
	return 0;
}

static int resolve_login(const struct kube_config_inputs *inputs, const struct choice *choice,
                         struct kube_config *config, struct err *err)
{
	static const struct kubeconfig_user nobody = { 0 };
	const struct kubeconfig_user *user = choice->user ? choice->user : &nobody;

	if (!str_is_empty(inputs->token)) {
		config->token = xstrdup(inputs->token);
		return 0;
	}
	if (resolve_basic(inputs, user, config, err) < 0)
		return -1;
	if (resolve_token(user, config, err) < 0)
		return -1;
	return choice->user ? resolve_plugin(choice, config, err) : 0;
}

/* ------------------------------------------------------------------------------------- impersonation */

static void copy_strings(const struct strv *from, struct strv *to)
{
	for (size_t i = 0; i < from->count; i++)
		strv_add(to, from->items[i]);
}

static int read_extra_flags(const struct strv *flags, struct impersonation *as, struct err *err)
{
	for (size_t i = 0; i < flags->count; i++) {
		const char *flag = flags->items[i], *equals = strchr(flag, '=');

		if (!equals || equals == flag) {
			_cleanup_free_ char *shown = str_visible(flag, NAME_SHOWN);

			return err_set(err, ERR_USAGE,
			               "invalid argument \"%s\" for \"--as-user-extra\" flag: %s must be formatted as "
			               "key=value",
			               shown, shown);
		}
		strv_take(&as->extra_keys, xstrndup(flag, (size_t)(equals - flag)));
		strv_add(&as->extra_values, equals + 1);
	}
	return 0;
}

/* Each flag takes the place of the entry's field. */
static int resolve_impersonation(const struct kube_config_inputs *inputs, const struct kubeconfig_user *user,
                                 struct impersonation *as, struct err *err)
{
	static const struct kubeconfig_user nobody = { 0 };
	_cleanup_free_ char *shown = str_visible(user ? user->name : "", NAME_SHOWN);

	if (!user)
		user = &nobody;
	as->user = xstrdup_null(either(inputs->as, user->as.user));
	as->uid = xstrdup_null(either(inputs->as_uid, user->as.uid));
	copy_strings(inputs->as_groups && inputs->as_groups->count > 0 ? inputs->as_groups : &user->as.groups,
	             &as->groups);
	if (inputs->as_user_extra && inputs->as_user_extra->count > 0) {
		if (read_extra_flags(inputs->as_user_extra, as, err) < 0)
			return -1;
	} else {
		copy_strings(&user->as.extra_keys, &as->extra_keys);
		copy_strings(&user->as.extra_values, &as->extra_values);
	}
	if (!as->user && (as->uid || as->groups.count > 0 || as->extra_values.count > 0))
		return err_set(err, ERR_CONFIG,
		               "requesting uid, groups or user-extra for %s without impersonating a user", shown);
	return 0;
}

int config_resolve_user(const struct kube_config_inputs *inputs, const struct choice *choice,
                        struct kube_config *config, struct err *err)
{
	if (resolve_certificate(inputs, choice->user, config, err) < 0 ||
	    resolve_login(inputs, choice, config, err) < 0)
		return -1;
	return resolve_impersonation(inputs, choice->user, &config->as, err);
}

void config_forget_login(struct kube_config *config)
{
	free_secret(TAKE(config->token));
	free(TAKE(config->token_file));
	free(TAKE(config->username));
	free_secret(TAKE(config->password));
	free(TAKE(config->client_cert_pem));
	free_secret(TAKE(config->client_key_pem));
	if (config->exec)
		exec_plugin_release(config->exec);
	free(TAKE(config->exec));
}
