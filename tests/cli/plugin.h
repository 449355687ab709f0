/*
 * plugin.h - a user who logs in by a credential plugin, for the tests of the real program.
 *
 * The API server lets nobody in who does not show the token "good", so HEALTHY says that whoever was asked had it.
 */
#ifndef CLI_PLUGIN_H
#define CLI_PLUGIN_H

#include "cli.h"

#define PLUGIN_GROUP      "client.authentication.k8s.io/"
#define PLUGIN_HEALTH     RUN_ARGV("health")
#define PLUGIN_GIVE       "echo ran >&2; echo \"$ANSWER\""
#define PLUGIN_TOKEN_LINE "    token: good\n"
#define PLUGIN_PREFIX     "Unable to connect to the server: getting credentials: "

/* A plugin: sh with a script; the zeros are one of v1 that gives the good token. */
struct plugin {
	const char *version; /* NULL: v1 */
	const char *mode;    /* NULL: Never; "": none */
	const char *command; /* NULL: sh -c script */
	const char *script;  /* NULL: PLUGIN_GIVE */
	const char *status;  /* JSON; NULL: the good token */
	const char *answer;  /* instead of version and status */
	const char *hint;
	bool wants_cluster;
};

/* Its line in a kubeconfig; new string. */
char *plugin_user(const struct plugin *plugin);

/* The cluster's kubeconfig with another way to log in, which stands at its end; new string. */
char *plugin_kubeconfig(const struct cluster *cluster, const char *user);

/* Three servers. */
struct cluster *plugin_cluster(const struct apiserver_route *routes);

/* Runs words as such a user; the API server must have found nothing to complain about. */
void plugin_run_as(struct cluster *cluster, const char *user, const char *const *words,
		   struct run_result *ret_result);

/* Runs `health` with the plugin. */
void plugin_run(struct cluster *cluster, const struct plugin *plugin, struct run_result *ret_result);

/* How often text has part. */
size_t plugin_count(const char *text, const char *part);

/* How many requests were answered with this status. */
size_t plugin_count_status(struct cluster *cluster, int status);

#endif
