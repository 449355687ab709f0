/*
 * cluster_parts.h - inside the scripted cluster: what a server is and says, for the modules that render it. Pure but
 * for cluster_shell.c.
 */
#ifndef SUPPORT_CLUSTER_PARTS_H
#define SUPPORT_CLUSTER_PARTS_H

#include <cjson/cJSON.h>

#include "cluster.h"
#include "util/buf.h"
#include "util/str.h"

/* What does not change while one answer is made. */
struct cluster_state {
	const char *namespace_name;
	const char *set;
	const char *container;
	struct cluster_server *servers;
	char **names;
	size_t count;
	int64_t replicas;
	int ordinal_start;
	int leader; /* server number, or -1 */
	int64_t min_quorum; /* autopilot's */
	int64_t autopilot_index;
	const struct cluster_options *options;
};

/* One answer that all servers with a plain view share, made at the first question. */
struct shared {
	const char *path;
	char *text; /* NULL: not made yet */
	size_t length;
};

#define CLUSTER_ROUTES 10

struct cluster {
	struct apiserver *api;
	struct cluster_options options;
	struct cluster_state state;
	struct apiserver_route routes[CLUSTER_ROUTES + 5];
	struct apiserver_exec execs[2];
	struct apiserver_port ports[2];
	struct strv paths;    /* what the rows point to */
	struct strv outdated; /* texts that may still be on their way */
	struct shared shared[2];
	char *directory; /* of the shells; NULL until one is needed */
};

/* ------------------------------------------------------------------ cluster_api.c and cluster_ways.c
 * Answer functions of rows; context is the struct cluster.
 */
void cluster_get_set(void *context, const struct apiserver_request *request, struct http_answer *answer);
void cluster_list_sets(void *context, const struct apiserver_request *request, struct http_answer *answer);
void cluster_get_pod(void *context, const struct apiserver_request *request, struct http_answer *answer);
void cluster_list_pods(void *context, const struct apiserver_request *request, struct http_answer *answer);
void cluster_list_claims(void *context, const struct apiserver_request *request, struct http_answer *answer);
void cluster_list_budgets(void *context, const struct apiserver_request *request, struct http_answer *answer);

void cluster_get_secret(void *context, const struct apiserver_request *request, struct http_answer *answer);

/* What other namespaces have: lists without items, no object. context is not used. */
void cluster_list_nothing(void *context, const struct apiserver_request *request, struct http_answer *answer);
void cluster_get_nothing(void *context, const struct apiserver_request *request, struct http_answer *answer);

/* Refuses exec or portforward to a pod where the way is barred, or the pod is not there. */
void cluster_refuse_upgrade(void *context, const struct apiserver_request *request, struct http_answer *answer);

void cluster_ask_agent(void *context, const struct apiserver_request *request, struct http_answer *answer);
void cluster_run_command(void *context, const struct exec_request *request, struct exec_answer *answer);
enum port_kind cluster_choose_port(void *context, const char *pod, uint16_t port);

/* ------------------------------------------------------------------------------------- cluster_agent.c */

/* The server of a pod's name; -1: none. */
int cluster_find(const struct cluster_state *state, const char *pod);

/* Its pod runs, and the container in it. */
bool cluster_runs(const struct cluster_state *state, size_t index);

/* What viewer's member list and peer set say of a server: letters as in cluster.h. */
char cluster_member_letter(const struct cluster_state *state, size_t viewer, size_t index);
char cluster_peer_letter(const struct cluster_state *state, size_t viewer, size_t index);

/* The server that viewer takes for the leader; -1: none. */
int cluster_leader_of(const struct cluster_state *state, size_t viewer);

const char *cluster_version(const struct cluster_server *server);
void cluster_ip(size_t index, struct buf *out);
void cluster_node_id(size_t index, struct buf *out);

/* The HTTP status and body of the agent's answer to path. */
int cluster_agent_answer(const struct cluster_state *state, size_t index, const char *path, struct buf *out);

/*
 * What ACLs have to say to a request with this token ("" or NULL: none): the status and body of the answer, or 0 when
 * it is let through.
 */
int cluster_acl(const struct cluster_state *state, size_t index, const char *path, const char *token, struct buf *out);

/* latest_configuration of raft's statistics. */
void cluster_latest_configuration(const struct cluster_state *state, size_t viewer, struct buf *out);

/* ------------------------------------------------------------------------------------ cluster_orders.c
 * False: the request, the command line is no order. Orders change the state: see cluster_forget_shared.
 */
bool cluster_order(struct cluster_state *state, size_t index, const struct apiserver_request *request, struct buf *out,
                   int *ret_status);
bool cluster_cli_order(struct cluster_state *state, size_t index, const char *command, struct buf *out,
                       struct buf *errors, int *ret_exit_code);

/* --------------------------------------------------------------------------------------------- cluster.c */

/* What all servers said the same is made again; who still reads the old text may go on. */
void cluster_forget_shared(struct cluster *cluster);

/* ------------------------------------------------------------------------------------- cluster_text.c */

/*
 * What the CLI prints for a command line ("consul members -detailed", options of address and token ignored), with token
 * in its environment (NULL: none). Returns the exit code; on failure *ret_errors says why.
 */
int cluster_cli(const struct cluster_state *state, size_t index, const char *command, const char *token,
                struct buf *out, struct buf *errors);

/* What ACLs have to say to a command line: its exit code, or 0 when it is let through. */
int cluster_cli_acl(const struct cluster_state *state, size_t index, const char *command, const char *token,
                    struct buf *errors);

/* ----------------------------------------------------------------------------------- cluster_objects.c */

cJSON *cluster_statefulset(const struct cluster_state *state, const char *name);
cJSON *cluster_pod(const struct cluster_state *state, size_t index);
cJSON *cluster_other_pod(const struct cluster_state *state, int number);
cJSON *cluster_claim(const struct cluster_state *state, int64_t ordinal, int64_t age_s);
cJSON *cluster_budget(const struct cluster_state *state);
cJSON *cluster_list(const char *api_version, const char *kind); /* without items */

/* ------------------------------------------------------------------------------------- cluster_shell.c */

/*
 * Runs `sh -c SCRIPT …` as the container would have it: argv is the whole command line, input its stdin. directory is
 * the caller's, for this server alone. Blocks while it runs. Returns the exit code.
 */
int cluster_shell(const struct cluster_state *state, size_t index, const char *directory, const char *const *argv,
                  const char *input, struct buf *out, struct buf *errors);

#endif
