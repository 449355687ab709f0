/* See include/consul/remains.h. */
#include "consul/remains.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "consul/shell.h"
#include "kube/exec.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define CUSTOMARY_DATA_DIR "/consul/data"
#define NODE_ID_LENGTH     36
/* A panic tells what was wrong before the traces of all goroutines. */
#define LOG_LINES 400

/* The script's own exit codes. */
enum { EXIT_NO_DIRECTORY = 66, EXIT_NOT_PERMITTED = 77 };

/*
 * $1: the data directory. Builtins, and du where there is one. A raft directory that may not be looked into has no
 * files to a shell: that must not pass for one without data.
 */
static const char look_script[] =
    "cd \"$1\" || exit 66\n"
    "[ ! -e raft ] || { [ -r raft ] && [ -x raft ]; } || { echo 'Permission denied' >&2; exit 77; }\n"
    "i=; { IFS= read -r i <node-id; } 2>/dev/null\n"
    "r=no; [ ! -s raft/raft.db ] || r=yes\n"
    "for f in raft/snapshots/*/state.bin raft/wal/*; do\n"
    "case $f in *.tmp/*) ;; *) [ ! -s \"$f\" ] || r=yes ;; esac\n"
    "done\n"
    "k=$(du -sk raft 2>/dev/null); k=${k%%[!0-9]*}\n"
    "w=no; [ ! -w raft ] || w=yes\n"
    "p=no; [ ! -e raft/peers.json ] || p=yes\n"
    "printf 'node-id %s\\nraft %s\\nkib %s\\nwritable %s\\npeers %s\\nend\\n' \"$i\" $r \"${k:-0}\" $w $p\n";

void remains_release(struct remains *remains)
{
	err_release(&remains->err);
	free(remains->data_dir);
	free(remains->node_id);
	free(remains->last_words);
	*remains = (struct remains)REMAINS_INIT;
}

/* --------------------------------------------------------------------------------- the data directory */

/* The value of -data-dir in a word, which may be a whole script; NULL: none that needs no shell to be understood. */
static char *value_in(const char *word, const char *next)
{
	const char *flag = strstr(word, "-data-dir");
	size_t length;

	if (!flag)
		return NULL;
	flag += strlen("-data-dir");
	if (!*flag)
		flag = next ? next : "";
	else if (*flag != '=' && *flag != ' ')
		return NULL;
	else
		flag += 1;
	flag += strspn(flag, " \"'");
	length = strcspn(flag, " \t\r\n\"';&|");
	if (length == 0 || memchr(flag, '$', length))
		return NULL;
	return xstrndup(flag, length);
}

static char *find_flag(const struct strv *words)
{
	char *value = NULL;

	for (size_t i = 0; i < words->count && !value; i++)
		value = value_in(words->items[i], i + 1 < words->count ? words->items[i + 1] : NULL);
	return value;
}

char *remains_data_dir(const struct server *server)
{
	const struct kube_container *container = server->container;
	const char *value = NULL;
	char *flag = NULL;

	if (server->view.self_known && server->view.self.data_dir)
		return xstrdup(server->view.self.data_dir);
	if (container) {
		flag = find_flag(&container->args);
		flag = flag ? flag : find_flag(&container->command);
		value = kube_container_env(container, "CONSUL_DATA_DIR");
	}
	if (flag)
		return flag;
	return xstrdup(!str_is_empty(value) && !strchr(value, '$') ? value : CUSTOMARY_DATA_DIR);
}

/* -------------------------------------------------------------------------------------- decoding */

/* The rest of the line that begins with key, which text has to; text goes on behind it. NULL, with err: it does not. */
static char *take_value(const char **text, const char *end, const char *key, struct err *err)
{
	const char *line = *text, *line_end = memchr(line, '\n', (size_t)(end - line));
	size_t key_length = strlen(key), length = line_end ? (size_t)(line_end - line) : 0;

	if (!line_end || length < key_length || memcmp(line, key, key_length) != 0) {
		err_set(err, ERR_PROTOCOL, "what looked into the data directory did not print \"%s\"", key);
		return NULL;
	}
	*text = line_end + 1;
	return xstrndup(line + key_length, length - key_length);
}

static int take_flag(const char **text, const char *end, const char *key, bool *ret, struct err *err)
{
	_cleanup_free_ char *value = take_value(text, end, key, err);

	if (!value)
		return -1;
	*ret = str_equal(value, "yes");
	if (!*ret && !str_equal(value, "no"))
		return err_set(err, ERR_PROTOCOL, "what looked into the data directory printed no yes or no for \"%s\"",
		               key);
	return 0;
}

/* Lower case, as Consul has it; NULL: Consul would not take it. */
static char *node_id_of(const char *text)
{
	char *id;

	if (strlen(text) != NODE_ID_LENGTH)
		return NULL;
	id = xstrdup(text);
	for (size_t i = 0; i < NODE_ID_LENGTH; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_dash ? id[i] != '-' : !isxdigit((unsigned char)id[i])) {
			free(id);
			return NULL;
		}
		id[i] = (char)tolower((unsigned char)id[i]);
	}
	return id;
}

int remains_decode(const char *text, size_t length, struct remains *ret_remains, struct err *err)
{
	_cleanup_free_ char *id = NULL, *kib = NULL, *rest = NULL;
	const char *end = text + length;
	bool has_raft, writable, peers_waiting;
	uint64_t number;

	if (!(id = take_value(&text, end, "node-id ", err)) || take_flag(&text, end, "raft ", &has_raft, err) < 0 ||
	    !(kib = take_value(&text, end, "kib ", err)) || take_flag(&text, end, "writable ", &writable, err) < 0 ||
	    take_flag(&text, end, "peers ", &peers_waiting, err) < 0 || !(rest = take_value(&text, end, "end", err)))
		return -1;
	if (str_to_uint64(kib, &number) < 0 || number > UINT64_MAX / 1024 || *rest || text != end)
		return err_set(err, ERR_PROTOCOL, "what looked into the data directory printed something else, too");
	replace_string(&ret_remains->node_id, node_id_of(id));
	ret_remains->has_raft = has_raft;
	ret_remains->raft_bytes = number * 1024;
	ret_remains->writable = writable;
	ret_remains->peers_waiting = peers_waiting;
	ret_remains->known = true;
	return 0;
}

/* ----------------------------------------------------------------------------------------- looking */

struct looking;

/* One server that is looked at. */
struct look {
	struct looking *all;
	const struct server *server;
	struct remains *remains;
	const char *argv[6];
	struct kube_exec exec;
	char *path; /* of the log that is being read */
	struct kube_call log;
	bool previous; /* which it is: of the container before, or of the present one */
	bool is_second;
};

struct looking {
	struct kube_client *client;
	int64_t deadline_ms;
	size_t left; /* execs and calls under way */
};

static bool runs(const struct server *server)
{
	return server->container->running;
}

/* "CrashLoopBackOff" */
static const char *state_of(const struct kube_container *container)
{
	if (container->waiting_reason)
		return container->waiting_reason;
	return container->terminated_reason ? container->terminated_reason : "its state is not known";
}

static int take_exit(const struct look *look, struct err *err)
{
	const char *pod = look->server->name, *data_dir = look->remains->data_dir;
	_cleanup_free_ char *words = shell_last_words(buf_text(&look->exec.error_output), look->exec.error_output.len);

	switch (look->exec.exit_code) {
	case EXIT_NO_DIRECTORY:
		return err_set(err, ERR_NOT_FOUND, "pod %s: the data directory %s cannot be looked into: %s", pod,
		               data_dir, words);
	case EXIT_NOT_PERMITTED:
		return err_set(err, ERR_FORBIDDEN, "pod %s: %s/raft cannot be looked into: %s", pod, data_dir, words);
	default:
		return err_set(err, ERR_FAILED, "pod %s: looking into %s exits with %d: %s", pod, data_dir,
		               look->exec.exit_code, words);
	}
}

static void on_exec_done(void *context, struct kube_exec *exec)
{
	struct look *look = context;
	struct err *err = &look->remains->err;

	look->all->left--;
	if (err_is_set(&exec->err))
		shell_fail(look->server, "looking into its data directory", &exec->err, err);
	else if (exec->exit_code != 0)
		take_exit(look, err);
	else if (remains_decode(buf_text(&exec->output), exec->output.len, look->remains, err) < 0)
		err_wrap(err, "pod %s", look->server->name);
}

static void start_exec(struct look *look)
{
	const struct server *server = look->server;
	const char *const argv[] = { "sh", "-c", look_script, "sh", look->remains->data_dir, NULL };

	memcpy(look->argv, argv, sizeof(argv));
	look->exec.namespace_name = server->pod.namespace_name;
	look->exec.pod = server->pod.name;
	look->exec.container = server->container->name;
	look->exec.argv = look->argv;
	look->all->left++;
	kube_exec_start(look->all->client, &look->exec, look->all->deadline_ms, on_exec_done, look);
}

/* --------------------------------------------------------------------------------------------- logs */

static char *log_path(const struct look *look)
{
	const struct server *server = look->server;
	struct buf path = BUF_TEXT;

	buf_adds(&path, "/api/v1/namespaces/");
	buf_add_url(&path, server->pod.namespace_name);
	buf_adds(&path, "/pods/");
	buf_add_url(&path, server->pod.name);
	buf_adds(&path, "/log?container=");
	buf_add_url(&path, server->container->name);
	buf_addf(&path, "&tailLines=%d%s", LOG_LINES, look->previous ? "&previous=true" : "");
	return buf_detach(&path);
}

static void start_log(struct look *look);

/* Of one that runs and does not answer (too old, it says so for a minute) no other complaint counts. */
static void take_log(struct look *look, const char *text)
{
	struct remains *remains = look->remains;

	remains_read_log(text, strlen(text), remains);
	if (!runs(look->server) || remains->trouble != REMAINS_OTHER)
		return;
	remains->trouble = REMAINS_FINE;
	replace_string(&remains->last_words, NULL);
}

static void on_log_done(void *context, struct kube_call *call)
{
	struct look *look = context;
	const struct server *server = look->server;

	look->all->left--;
	if (!err_is_set(&call->err)) {
		take_log(look, cJSON_IsString(call->json) ? call->json->valuestring : "");
		return;
	}
	if (!runs(server) && !look->is_second && call->err.kind != ERR_FORBIDDEN) {
		look->is_second = true;
		look->previous = !look->previous;
		start_log(look);
		return;
	}
	if (runs(server))
		return;
	err_hint(&look->remains->err, "nor can its log be read: %s%s", call->err.message,
	         call->err.kind == ERR_FORBIDDEN ? " (a Role must allow \"get\" on \"pods/log\")" : "");
}

static void start_log(struct look *look)
{
	kube_call_release(&look->log);
	replace_string(&look->path, log_path(look));
	look->log = (struct kube_call){ .method = KUBE_GET, .path = look->path, .wants_text = true };
	look->all->left++;
	kube_client_start(look->all->client, &look->log, look->all->deadline_ms, on_log_done, look);
}

/* -------------------------------------------------------------------------------------------- all */

/*
 * A container that has just ended has its own log, and the one before it is another's; one that waits for its next
 * start has only that.
 */
static void start(struct look *look)
{
	const struct server *server = look->server;
	struct remains *remains = look->remains;

	remains->data_dir = remains_data_dir(server);
	if (!server->has_pod) {
		err_set(&remains->err, ERR_NOT_FOUND, "there is no pod %s", server->name);
		return;
	}
	if (!server->container) {
		err_set(&remains->err, ERR_NOT_FOUND, "pod %s: it cannot be told which of its containers is Consul's",
		        server->name);
		return;
	}
	if (runs(server)) {
		start_exec(look);
		if (!view_answered(&server->view))
			start_log(look);
		return;
	}
	err_set(&remains->err, ERR_UNAVAILABLE,
	        "pod %s: its container %s does not run (%s): its data cannot be looked at", server->name,
	        server->container->name, state_of(server->container));
	look->previous = !server->container->terminated_reason;
	if (server->container->was_terminated || server->container->terminated_reason)
		start_log(look);
}

static bool is_done(void *context)
{
	const struct looking *all = context;

	return all->left == 0;
}

int remains_look(struct kube_client *client, const struct snapshot *snapshot, struct remains *ret_remains,
                 int64_t deadline_ms, struct err *err)
{
	struct looking all = { .client = client, .deadline_ms = deadline_ms };
	_cleanup_free_ struct look *looks = xcalloc(snapshot->server_count + 1, sizeof(*looks));
	int status;

	for (size_t i = 0; i < snapshot->server_count; i++) {
		looks[i] = (struct look){ .all = &all, .server = &snapshot->servers[i], .remains = &ret_remains[i] };
		looks[i].exec = (struct kube_exec)KUBE_EXEC_INIT;
		start(&looks[i]);
	}
	/* Each ends at its own deadline, so the loop needs none. */
	status = loop_run(kube_client_loop(client), is_done, &all, CLOCK_NEVER, err);
	for (size_t i = 0; i < snapshot->server_count; i++) {
		kube_client_cancel(client, &looks[i].log);
		kube_call_release(&looks[i].log);
		kube_exec_release(&looks[i].exec);
		free(looks[i].path);
	}
	return status;
}
