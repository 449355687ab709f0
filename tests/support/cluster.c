/* See cluster.h: start and stop, and the rows that make the scripted API server this cluster's. */
#include "cluster.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster_parts.h"
#include "util/base64.h"
#include "util/mem.h"

#define FTW_FILES             8
#define FIRST_AUTOPILOT_INDEX 4

/* ------------------------------------------------------------------------------------------------ rows */

static const struct {
	const char *group;
	const char *rest;
	http_answer_fn *make;
} rows[CLUSTER_ROUTES] = {
	{ "/apis/apps/v1", "statefulsets", cluster_list_sets },
	{ "/apis/apps/v1", "statefulsets/*", cluster_get_set },
	{ "/api/v1", "pods/*/exec", cluster_refuse_upgrade },
	{ "/api/v1", "pods/*/portforward", cluster_refuse_upgrade },
	{ "/api/v1", "secrets/*-acl-bootstrap", cluster_get_secret },
	{ "/api/v1", "pods", cluster_list_pods },
	{ "/api/v1", "pods/*", cluster_get_pod },
	{ "/api/v1", "persistentvolumeclaims", cluster_list_claims },
	{ "/apis/policy/v1", "poddisruptionbudgets", cluster_list_budgets },
	{ "/apis/policy/v1beta1", "poddisruptionbudgets", cluster_list_budgets },
};

static void make_rows(struct cluster *cluster)
{
	struct apiserver_route *route = cluster->routes;

	for (size_t i = 0; i < CLUSTER_ROUTES; i++) {
		strv_addf(&cluster->paths, "%s/namespaces/%s/%s", rows[i].group, cluster->state.namespace_name,
		          rows[i].rest);
		*route++ = (struct apiserver_route){
			.method = "GET", .path = cluster->paths.items[i], .make = rows[i].make, .context = cluster
		};
	}
	strv_addf(&cluster->paths, "/api/v1/namespaces/%s", cluster->state.namespace_name);
	*route++ = (struct apiserver_route){ .method = "GET",
		                             .path = cluster->paths.items[CLUSTER_ROUTES],
		                             .answer = { .body = "{\"kind\":\"Namespace\"}" } };
	*route++ =
	    (struct apiserver_route){ .method = "GET", .path = "/api*/namespaces/*/*s", .make = cluster_list_nothing };
	*route++ =
	    (struct apiserver_route){ .method = "GET", .path = "/api*/namespaces/*/*/*", .make = cluster_get_nothing };
	*route++ =
	    (struct apiserver_route){ .pod = "*", .path = "/v1/*", .make = cluster_ask_agent, .context = cluster };
	cluster->execs[0] = (struct apiserver_exec){ .pod = "*",
		                                     .make = cluster_run_command,
		                                     .context = cluster,
		                                     .input_until = "\n",
		                                     .frame_bytes = cluster->options.frame_bytes,
		                                     .write_bytes = cluster->options.write_bytes,
		                                     .ping = cluster->options.frame_bytes > 0 };
	cluster->ports[0] = (struct apiserver_port){ .pod = "*",
		                                     .choose = cluster_choose_port,
		                                     .context = cluster,
		                                     .frame_bytes = cluster->options.frame_bytes,
		                                     .write_bytes = cluster->options.write_bytes };
}

/* -------------------------------------------------------------------------------------- start and stop */

static void fill_state(struct cluster *cluster, const struct cluster_options *options)
{
	struct cluster_state *state = &cluster->state;

	state->options = &cluster->options;
	state->namespace_name = options->namespace_name ? options->namespace_name : "consul";
	state->set = options->set ? options->set : "consul";
	state->container = options->container ? options->container : "consul";
	state->count = options->count;
	state->replicas = options->replicas > 0 ? options->replicas : (int64_t)options->count;
	state->ordinal_start = options->ordinal_start;
	state->min_quorum = options->min_quorum;
	state->autopilot_index = FIRST_AUTOPILOT_INDEX;
	state->leader = options->leader == NO_LEADER ? -1 : options->leader ? options->leader - 1 : 0;
	state->servers = xcalloc(options->count + 1, sizeof(*state->servers));
	state->names = xcalloc(options->count + 1, sizeof(*state->names));
	if (options->servers)
		memcpy(state->servers, options->servers, options->count * sizeof(*state->servers));
	for (size_t i = 0; i < state->count; i++)
		state->names[i] = state->servers[i].name
		                      ? xstrdup(state->servers[i].name)
		                      : xasprintf("%s-%zu", state->set, i + (size_t)options->ordinal_start);
}

struct cluster *cluster_start(const struct cluster_options *options)
{
	struct cluster *cluster = xcalloc(1, sizeof(*cluster));
	struct apiserver_options api = options->api;

	cluster->options = *options;
	cluster->shared[0].path = "/v1/agent/members";
	cluster->shared[1].path = "/v1/operator/raft/configuration";
	fill_state(cluster, options);
	make_rows(cluster);
	api.routes = cluster->routes;
	api.execs = cluster->execs;
	api.ports = cluster->ports;
	if ((options->https || options->https_too) && !api.tunnel_names)
		api.tunnel_names = "server.dc1.consul";
	cluster->api = apiserver_start(&api);
	apiserver_add(cluster->api, options->api.routes, options->api.execs, options->api.ports);
	return cluster;
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)type;
	(void)ftw;
	return remove(path);
}

void cluster_stop(struct cluster *cluster)
{
	if (!cluster)
		return;
	apiserver_stop(cluster->api);
	if (cluster->directory)
		nftw(cluster->directory, remove_entry, FTW_FILES, FTW_DEPTH | FTW_PHYS);
	free(cluster->directory);
	for (size_t i = 0; i < cluster->state.count; i++)
		free(cluster->state.names[i]);
	free(cluster->state.names);
	free(cluster->state.servers);
	for (size_t i = 0; i < ARRAY_SIZE(cluster->shared); i++)
		free(cluster->shared[i].text);
	strv_release(&cluster->paths);
	strv_release(&cluster->outdated);
	free(cluster);
}

struct apiserver *cluster_api(struct cluster *cluster)
{
	return cluster->api;
}

void cluster_forget_shared(struct cluster *cluster)
{
	for (size_t i = 0; i < ARRAY_SIZE(cluster->shared); i++)
		if (cluster->shared[i].text)
			strv_take(&cluster->outdated, TAKE(cluster->shared[i].text));
}

void cluster_set_server(struct cluster *cluster, size_t index, const struct cluster_server *server)
{
	apiserver_lock(cluster->api);
	cluster->state.servers[index] = *server;
	cluster_forget_shared(cluster);
	apiserver_unlock(cluster->api);
}

void cluster_set_leader(struct cluster *cluster, int leader)
{
	apiserver_lock(cluster->api);
	cluster->state.leader = leader == NO_LEADER ? -1 : leader - 1;
	cluster_forget_shared(cluster);
	apiserver_unlock(cluster->api);
}

/* ------------------------------------------------------------------------------------------ kubeconfig */

char *cluster_kubeconfig(const struct cluster *cluster)
{
	const struct pki *pki = apiserver_pki(cluster->api);
	bool asks_certificate = cluster->options.api.client_certificate != CLIENT_CERT_IGNORED;
	const struct pki_pair *client = pki && asks_certificate ? pki_client(pki, PKI_CLIENT_GOOD) : NULL;
	struct kubeconfig config = {
		.server = apiserver_url(cluster->api),
		.namespace_name = cluster->state.namespace_name,
		.ca = cluster->options.api.tls ? pki_ca(pki) : NULL,
		.token = cluster->options.api.token,
		.certificate = client ? client->certificate : NULL,
		.key = client ? client->key : NULL,
	};

	return kubeconfig_text(&config);
}

static void add_data(struct buf *out, const char *key, const char *pem)
{
	char *data;

	if (!pem)
		return;
	data = base64_encode(pem, strlen(pem));
	buf_addf(out, "    %s: %s\n", key, data);
	free(data);
}

char *kubeconfig_text(const struct kubeconfig *config)
{
	struct buf out = BUF_TEXT;

	buf_addf(&out, "apiVersion: v1\nkind: Config\ncurrent-context: test\ncontexts:\n- name: test\n  context:\n"
	               "    cluster: test\n    user: tester\n");
	if (config->namespace_name)
		buf_addf(&out, "    namespace: %s\n", config->namespace_name);
	buf_addf(&out, "clusters:\n- name: test\n  cluster:\n    server: %s\n", config->server);
	add_data(&out, "certificate-authority-data", config->ca);
	if (config->insecure)
		buf_adds(&out, "    insecure-skip-tls-verify: true\n");
	if (config->proxy_url)
		buf_addf(&out, "    proxy-url: %s\n", config->proxy_url);
	if (config->tls_server_name)
		buf_addf(&out, "    tls-server-name: %s\n", config->tls_server_name);
	buf_adds(&out, "users:\n- name: tester\n  user:\n");
	if (config->token)
		buf_addf(&out, "    token: %s\n", config->token);
	add_data(&out, "client-certificate-data", config->certificate);
	add_data(&out, "client-key-data", config->key);
	if (!config->token && !config->certificate)
		buf_adds(&out, "    {}\n");
	return buf_detach(&out);
}
