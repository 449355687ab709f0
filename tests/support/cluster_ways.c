/* See cluster_parts.h: the two ways to a server, and what is met there. */
#include "cluster_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/mem.h"

#define HTTP_PORT   8500
#define HTTPS_PORT  8501
#define HALF_ANSWER 150
#define LONG_LINE   ((size_t)10 * 1024 * 1024)

/* ------------------------------------------------------------------------------------ the agents' answers */

static bool is_plain(const struct cluster *cluster, size_t index)
{
	const struct cluster_server *server = &cluster->state.servers[index];

	return server->agent == AGENT_UP && !server->sees && !server->peers && !server->leader;
}

/* The shared answer to path, if there is one. */
static struct shared *find_shared(struct cluster *cluster, const char *path, size_t index)
{
	if (!is_plain(cluster, index) || cluster->state.leader < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(cluster->shared); i++)
		if (str_equal(cluster->shared[i].path, path))
			return &cluster->shared[i];
	return NULL;
}

static void answer_long_line(struct http_answer *answer)
{
	buf_clear(&answer->scratch);
	for (size_t i = 0; i < LONG_LINE / 64; i++)
		buf_adds(&answer->scratch, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	answer->body = answer->scratch.data;
}

/* True when ACLs answered. */
static bool answer_acl(struct cluster *cluster, size_t index, const struct apiserver_request *request,
                       struct http_answer *answer)
{
	_cleanup_free_ char *token = apiserver_request_header(request, "X-Consul-Token");
	struct buf text = BUF_TEXT;
	int status = cluster_acl(&cluster->state, index, request->path, token, &text);

	if (!status)
		return false;
	answer->status = status;
	answer->scratch = text;
	answer->body = buf_text(&answer->scratch);
	if (status != 200)
		answer->content_type = "text/plain; charset=utf-8";
	return true;
}

void cluster_ask_agent(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct cluster *cluster = context;
	int index = cluster_find(&cluster->state, request->pod);
	struct buf text = BUF_TEXT;
	struct shared *shared;

	if (index < 0)
		return;
	if (answer_acl(cluster, (size_t)index, request, answer))
		return;
	shared = find_shared(cluster, request->path, (size_t)index);
	if (shared && shared->text) {
		answer->body = shared->text;
		answer->length = shared->length;
		return;
	}
	if (cluster_order(&cluster->state, (size_t)index, request, &text, &answer->status))
		cluster_forget_shared(cluster);
	else
		answer->status = cluster_agent_answer(&cluster->state, (size_t)index, request->path, &text);
	if (shared) {
		shared->length = answer->length = text.len;
		answer->body = shared->text = buf_detach(&text);
		return;
	}
	answer->scratch = text;
	answer->body = buf_text(&answer->scratch);
	if (answer->status != 200)
		answer->content_type = "text/plain; charset=utf-8";
	if (cluster->state.servers[index].agent == AGENT_HALF) {
		answer->fault = FAULT_SILENCE;
		answer->fault_bytes = HALF_ANSWER;
	} else if (cluster->state.servers[index].agent == AGENT_LONG_LINE) {
		answer_long_line(answer);
	}
}

enum port_kind cluster_choose_port(void *context, const char *pod, uint16_t port)
{
	struct cluster *cluster = context;
	int index = cluster_find(&cluster->state, pod);

	bool is_https = port == HTTPS_PORT && (cluster->options.https || cluster->options.https_too);
	bool is_http = port == HTTP_PORT && !cluster->options.https;

	if (index < 0 || (!is_http && !is_https) || cluster->state.servers[index].agent == AGENT_DOWN)
		return PORT_ERROR;
	if (cluster->state.servers[index].agent == AGENT_HANGS)
		return PORT_SILENT;
	if (cluster->state.servers[index].way == WAY_HALF_FRAME)
		return PORT_HALF_FRAME;
	return is_https ? PORT_HTTPS : PORT_HTTP;
}

/* A directory for the shell of this server; new string. */
static char *shell_directory(struct cluster *cluster, const char *pod)
{
	const char *parent = getenv("TMPDIR");
	char *directory;

	if (!cluster->directory) {
		cluster->directory = xasprintf("%s/cluster-XXXXXX", parent ? parent : "/tmp");
		if (!mkdtemp(cluster->directory))
			abort();
	}
	directory = xasprintf("%s/%s", cluster->directory, pod);
	(void)mkdir(directory, 0700);
	return directory;
}

static void run_shell(struct cluster *cluster, size_t index, const struct exec_request *request,
                      struct exec_answer *answer)
{
	_cleanup_free_ char *directory = shell_directory(cluster, request->pod);
	struct buf errors = BUF_TEXT;

	answer->scratch.max = BUF_TEXT_MAX;
	answer->exit_code =
	    cluster_shell(&cluster->state, index, directory, request->argv, request->input, &answer->scratch, &errors);
	strv_take(&cluster->outdated, buf_detach(&errors));
	answer->error_output = cluster->outdated.items[cluster->outdated.count - 1];
	answer->output = buf_text(&answer->scratch);
}

static void run_cli(struct cluster *cluster, size_t index, const char *command, const char *token,
                    struct exec_answer *answer)
{
	struct buf errors = BUF_TEXT;

	answer->scratch.max = BUF_TEXT_MAX;
	answer->exit_code = cluster_cli_acl(&cluster->state, index, command, token, &errors);
	if (answer->exit_code == 0 &&
	    cluster_cli_order(&cluster->state, index, command, &answer->scratch, &errors, &answer->exit_code))
		cluster_forget_shared(cluster);
	else if (answer->exit_code == 0)
		answer->exit_code = cluster_cli(&cluster->state, index, command, token, &answer->scratch, &errors);
	strv_take(&cluster->outdated, buf_detach(&errors));
	answer->error_output = cluster->outdated.items[cluster->outdated.count - 1];
	answer->output = buf_text(&answer->scratch);
}

/* `sh -c SCRIPT sh consul …`, where SCRIPT reads the token and becomes the rest: what the rest does. */
static void run_with_token(struct cluster *cluster, size_t index, const struct exec_request *request,
                           struct exec_answer *answer)
{
	_cleanup_free_ char *token = xstrndup(request->input, strcspn(request->input, "\n"));
	_cleanup_strv_ struct strv words = STRV_INIT;
	_cleanup_free_ char *command = NULL;

	for (const char *const *word = request->argv + 4; *word; word++)
		strv_add(&words, *word);
	command = strv_join(&words, " ", " ");
	run_cli(cluster, index, command, token, answer);
}

/* True when the way into the container, not the command, decides what comes. */
static bool way_decides(const struct cluster_server *server, bool is_shell, struct exec_answer *answer)
{
	if (server->way == WAY_NO_SHELL && is_shell) {
		answer->end = EXEC_FAILURE;
		answer->text =
		    "failed to exec in container: failed to start exec \"0123\": OCI runtime exec failed: exec failed: "
		    "unable to start container process: exec: \"sh\": executable file not found in $PATH: unknown";
		return true;
	}
	if (server->agent == AGENT_HANGS || server->way == WAY_EXEC_HANGS)
		answer->end = EXEC_HANG;
	else if (server->agent == AGENT_HALF || server->way == WAY_HALF_FRAME)
		answer->end = EXEC_HALF_FRAME;
	else if (server->way == WAY_EXEC_DROPS)
		answer->end = EXEC_DROP;
	else if (server->way == WAY_NOT_JSON) {
		answer->end = EXEC_STATUS;
		answer->text = "<html>502 Bad Gateway</html>";
	} else {
		return false;
	}
	return true;
}

void cluster_run_command(void *context, const struct exec_request *request, struct exec_answer *answer)
{
	struct cluster *cluster = context;
	int index = cluster_find(&cluster->state, request->pod);
	bool is_shell = request->argv && str_equal(request->argv[0], "sh");

	if (index < 0 || way_decides(&cluster->state.servers[index], is_shell, answer))
		return;
	if (is_shell && strstr(request->argv[2], "exec \"$@\""))
		run_with_token(cluster, (size_t)index, request, answer);
	else if (is_shell)
		run_shell(cluster, (size_t)index, request, answer);
	else
		run_cli(cluster, (size_t)index, request->command, NULL, answer);
}
