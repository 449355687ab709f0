/* See plugin.h. */
#include "plugin.h"

#include <string.h>

#include <criterion/criterion.h>

#include "util/json.h"
#include "util/mem.h"

static char *answer_of(const struct plugin *plugin)
{
	if (plugin->answer)
		return xstrdup(plugin->answer);
	return xasprintf("{\"apiVersion\":\"" PLUGIN_GROUP "%s\",\"kind\":\"ExecCredential\",\"status\":%s}",
	                 plugin->version ? plugin->version : "v1",
	                 plugin->status ? plugin->status : "{\"token\":\"good\"}");
}

char *plugin_user(const struct plugin *plugin)
{
	const char *mode = !plugin->mode ? "Never" : *plugin->mode ? plugin->mode : NULL;
	_cleanup_free_ char *answer = answer_of(plugin), *text = NULL;
	_cleanup_json_ cJSON *json = json_object(
	    "apiVersion", json_stringf(PLUGIN_GROUP "%s", plugin->version ? plugin->version : "v1"), "interactiveMode",
	    json_string(mode), "command", json_string(plugin->command ? plugin->command : "sh"), "args",
	    json_array(json_string("-c"), json_string(plugin->script ? plugin->script : PLUGIN_GIVE)), "env",
	    json_array(json_object("name", json_string("ANSWER"), "value", json_string(answer), NULL)), "installHint",
	    json_string(plugin->hint), "provideClusterInfo", json_bool(plugin->wants_cluster), NULL);

	text = json_text(json);
	return xasprintf("    exec: %s\n", text);
}

char *plugin_kubeconfig(const struct cluster *cluster, const char *user)
{
	_cleanup_free_ char *usual = cluster_kubeconfig(cluster);
	const char *line = strstr(usual, PLUGIN_TOKEN_LINE);

	cr_assert_not_null(line);
	return xasprintf("%.*s%s", (int)(line - usual), usual, user);
}

struct cluster *plugin_cluster(const struct apiserver_route *routes)
{
	return cluster_start(
	    &(struct cluster_options){ .count = 3, .api = { .tls = true, .token = "good", .routes = routes } });
}

void plugin_run_as(struct cluster *cluster, const char *user, const char *const *words, struct run_result *ret_result)
{
	_cleanup_free_ char *kubeconfig = plugin_kubeconfig(cluster, user);
	_cleanup_free_ char *complaints = NULL;

	cli_run(kubeconfig, words, ret_result);
	complaints = apiserver_complaints(cluster_api(cluster));
	cr_assert_str_empty(complaints, "%s", complaints);
}

void plugin_run(struct cluster *cluster, const struct plugin *plugin, struct run_result *ret_result)
{
	_cleanup_free_ char *line = plugin_user(plugin);

	plugin_run_as(cluster, line, PLUGIN_HEALTH, ret_result);
}

size_t plugin_count(const char *text, const char *part)
{
	size_t count = 0;

	for (text = strstr(text, part); text; text = strstr(text + strlen(part), part))
		count++;
	return count;
}

size_t plugin_count_status(struct cluster *cluster, int status)
{
	struct apiserver *server = cluster_api(cluster);
	size_t count = 0;

	for (size_t i = 0; i < apiserver_request_total(server); i++)
		count += apiserver_request_at(server, i)->status == status;
	return count;
}
