/* See include/kube/config.h. Kubeconfig and flags become one answer. */
#include "kube/config.h"

#include <stdlib.h>
#include <string.h>

#include "config_parts.h"
#include "util/buf.h"
#include "util/file.h"
#include "util/mem.h"
#include "util/str.h"

/* -------------------------------------------------------------------------------------- selection */

static int hint_contexts(const struct kubeconfig *config, struct err *err)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *joined = NULL, *shown = NULL;

	if (config->context_count == 0)
		return err_hint(err, "no contexts were found: check --kubeconfig and $KUBECONFIG");
	for (size_t i = 0; i < config->context_count; i++)
		strv_add(&names, config->contexts[i].name);
	strv_sort(&names);
	joined = strv_join(&names, ", ", ", ");
	shown = str_visible(joined, HINT_SHOWN);
	return err_hint(err, "choose one with --context: %s", shown);
}

/* The entry that a flag or the context names is missing. kind is kubectl's word for it. */
static int missing_entry(const struct choice *choice, const char *kind, const char *flag, const char *name,
                         struct err *err)
{
	_cleanup_free_ char *shown = str_visible(name, NAME_SHOWN), *context = NULL;

	if (flag)
		return err_set(err, ERR_CONFIG,
		               str_equal(kind, "cluster") ? "no server found for %s \"%s\""
		                                          : "%s \"%s\" does not exist",
		               kind, shown);
	context = str_visible(choice->context->name, NAME_SHOWN);
	err_set(err, ERR_CONFIG, "%s \"%s\" was not found for context \"%s\"", kind, shown, context);
	return err_hint(err, "see: kubectl config view");
}

static int choose_context(const struct kube_config_inputs *inputs, const struct kubeconfig *config,
                          struct choice *choice, struct err *err)
{
	const char *name = str_is_empty(inputs->context) ? config->current_context : inputs->context;
	_cleanup_free_ char *shown = NULL;

	choice->context = kubeconfig_find_context(config, name);
	if (choice->context || !name)
		return 0;
	shown = str_visible(name, NAME_SHOWN);
	err_set(err, ERR_CONFIG, "context was not found for specified context: %s", shown);
	err_label(err, "Error in configuration");
	return hint_contexts(config, err);
}

static int choose_cluster(const struct kube_config_inputs *inputs, const struct kubeconfig *config,
                          struct choice *choice, struct err *err)
{
	const char *flag = str_is_empty(inputs->cluster) ? NULL : inputs->cluster;
	const char *name = flag ? flag : choice->context ? choice->context->cluster : NULL;

	choice->cluster = kubeconfig_find_cluster(config, name);
	if (choice->cluster)
		return 0;
	if (!name || (!flag && !str_is_empty(inputs->server)))
		return 0;
	return missing_entry(choice, "cluster", flag, name, err);
}

static bool flags_log_in(const struct kube_config_inputs *inputs)
{
	return !str_is_empty(inputs->token) || !str_is_empty(inputs->client_certificate);
}

static int choose_user(const struct kube_config_inputs *inputs, const struct kubeconfig *config, struct choice *choice,
                       struct err *err)
{
	const char *flag = str_is_empty(inputs->user) ? NULL : inputs->user;
	const char *name = flag ? flag : choice->context ? choice->context->user : NULL;

	choice->user = kubeconfig_find_user(config, name);
	if (choice->user || !name || (!flag && flags_log_in(inputs)))
		return 0;
	return missing_entry(choice, flag ? "auth info" : "user", flag, name, err);
}

/* kubectl would go on with localhost:8080 here. In a pod without any configuration there is the service account. */
static int check_server_known(const struct kube_config_inputs *inputs, const struct kubeconfig *config,
                              const struct choice *choice, struct err *err)
{
	_cleanup_free_ char *shown = NULL;

	if (!str_is_empty(inputs->server) || (choice->cluster && choice->cluster->server))
		return 0;
	if (choice->cluster) {
		shown = str_visible(choice->cluster->name, NAME_SHOWN);
		return err_set(err, ERR_CONFIG, "no server found for cluster \"%s\"", shown);
	}
	if (choice->context) {
		shown = str_visible(choice->context->name, NAME_SHOWN);
		return err_set(err, ERR_CONFIG, "context \"%s\" names no cluster", shown);
	}
	if (config_in_cluster_possible(inputs))
		return 0;
	if (config->context_count > 0) {
		err_set(err, ERR_CONFIG, "invalid configuration: current-context is not set");
		return hint_contexts(config, err);
	}
	err_set(err, ERR_CONFIG, "invalid configuration: no configuration has been provided");
	return err_hint(err, "give --kubeconfig or --server, set KUBECONFIG, or put a kubeconfig at ~/.kube/config");
}

/* ------------------------------------------------------------------------------------------ namespace */

/* A DNS label, which is all that a namespace can be: nothing else gets into a path. */
static bool is_namespace(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length <= 63 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length &&
	       name[0] != '-' && name[length - 1] != '-';
}

static char *service_account_namespace(const struct kube_config_inputs *inputs)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_buf_ struct buf text = BUF_INIT(256);
	_cleanup_err_ struct err ignored = ERR_INIT;

	if (!config_in_cluster_possible(inputs))
		return NULL;
	path = file_join(inputs->service_account_dir, "namespace");
	if (file_read(path, &text, &ignored) < 0)
		return NULL;
	return xstrndup(buf_text(&text), strcspn(buf_text(&text), " \t\r\n"));
}

static int resolve_namespace(const struct kube_config_inputs *inputs, const struct choice *choice,
                             struct kube_config *config, struct err *err)
{
	bool from_flag = !str_is_empty(inputs->namespace_name);
	_cleanup_free_ char *shown = NULL;

	if (from_flag)
		config->namespace_name = xstrdup(inputs->namespace_name);
	else if (choice->context && choice->context->namespace_name)
		config->namespace_name = xstrdup(choice->context->namespace_name);
	else
		config->namespace_name = service_account_namespace(inputs);
	if (str_is_empty(config->namespace_name))
		replace_string(&config->namespace_name, xstrdup("default"));
	if (is_namespace(config->namespace_name))
		return 0;
	shown = str_visible(config->namespace_name, NAME_SHOWN);
	err_set(err, from_flag ? ERR_USAGE : ERR_CONFIG, "\"%s\" cannot be the name of a namespace", shown);
	return err_hint(err, "a namespace consists of at most 63 lower-case letters, digits and '-'");
}

/* ------------------------------------------------------------------------------------------- all of it */

static bool needs_system_authorities(const struct kube_config *config)
{
	return config->proxy.kind == KUBE_PROXY_HTTPS ||
	       (!config->ca_pem && !config->insecure && str_starts_with(config->server, "https://"));
}

/* kubectl trusts it by the cluster's authorities only, so that there are kubeconfigs which have the proxy's in them. */
static char *proxy_authorities(const struct kube_config *config)
{
	if (config->proxy.kind != KUBE_PROXY_HTTPS)
		return NULL;
	if (!config->ca_pem || !config->system_ca_pem)
		return xstrdup_null(config->ca_pem ? config->ca_pem : config->system_ca_pem);
	return xasprintf("%s\n%s", config->system_ca_pem, config->ca_pem);
}

static int resolve(const struct kube_config_inputs *inputs, const struct kubeconfig *files, struct kube_config *config,
                   struct err *err)
{
	struct choice choice = { 0 };

	if (choose_context(inputs, files, &choice, err) < 0 || choose_cluster(inputs, files, &choice, err) < 0 ||
	    choose_user(inputs, files, &choice, err) < 0 || check_server_known(inputs, files, &choice, err) < 0 ||
	    resolve_namespace(inputs, &choice, config, err) < 0 ||
	    config_resolve_user(inputs, &choice, config, err) < 0 ||
	    config_resolve_authorities(inputs, &choice, config, err) < 0 ||
	    config_resolve_server(inputs, &choice, config, err) < 0 ||
	    config_resolve_proxy(inputs, &choice, config, err) < 0)
		return -1;
	if (!str_starts_with(config->server, "https://"))
		config_forget_login(config);
	if (needs_system_authorities(config))
		config->system_ca_pem = kube_authorities_read(&inputs->authorities);
	config->proxy_ca_pem = proxy_authorities(config);
	config->context = xstrdup_null(choice.context ? choice.context->name : NULL);
	config->user = xstrdup_null(choice.user ? choice.user->name : NULL);
	config->stdin_is_terminal = inputs->stdin_is_terminal;
	return 0;
}

int kube_config_load(const struct kube_config_inputs *inputs, struct kube_config *ret_config, struct err *err)
{
	_cleanup_kubeconfig_ struct kubeconfig files = KUBECONFIG_INIT;
	struct kube_config config = KUBE_CONFIG_INIT;

	if (kubeconfig_load(&files, inputs->kubeconfig, inputs->env_kubeconfig, inputs->home, err) < 0)
		return -1;
	if (resolve(inputs, &files, &config, err) < 0) {
		kube_config_release(&config);
		return -1;
	}
	*ret_config = config;
	return 0;
}

void kube_config_release(struct kube_config *config)
{
	free(config->server);
	free(config->namespace_name);
	free(config->context);
	free(config->user);
	free(config->ca_pem);
	free(config->system_ca_pem);
	free(config->proxy_ca_pem);
	kube_proxy_release(&config->proxy);
	free(config->tls_server_name);
	free(config->client_cert_pem);
	free_secret(config->client_key_pem);
	free_secret(config->token);
	free(config->token_file);
	free(config->username);
	free_secret(config->password);
	if (config->exec)
		exec_plugin_release(config->exec);
	free(config->exec);
	cJSON_Delete(config->exec_config);
	free_secret(config->exec_proxy_url);
	impersonation_release(&config->as);
	*config = (struct kube_config)KUBE_CONFIG_INIT;
}
