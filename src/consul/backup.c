/* See include/consul/backup.h: a snapshot by one of two ways, into a file. backup_parts.h tells where the rest is. */
#include "consul/backup.h"

#include <inttypes.h>
#include <string.h>

#include "backup_parts.h"
#include "consul/ask_way.h"
#include "consul/shell.h"
#include "kube/exec.h"
#include "kube/tunnel.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#define PATH        "/v1/snapshot"
#define SHOWN_BYTES 200 /* how much of Consul's words an err quotes */

/* The script's own: it could make no directory for the snapshot (sysexits: EX_CANTCREAT). */
#define EXIT_NO_DIRECTORY 73
#define EXIT_NOT_FOUND    127

/*
 * The CLI writes to a file only, checks it, and prints on stdout what is none of the archive. The file has no name any
 * more when it is read: whatever ends the reading, nothing is left in the container.
 */
static const char script[] = "if [ \"$1\" = token ]; then\n"
                             "IFS= read -r CONSUL_HTTP_TOKEN || exit\n"
                             "export CONSUL_HTTP_TOKEN; unset CONSUL_HTTP_TOKEN_FILE\n"
                             "fi\n"
                             "umask 077\n"
                             "d=$(mktemp -d \"${TMPDIR:-/tmp}/kubectl-consul.XXXXXX\") || exit 73\n"
                             "trap 'rm -rf \"$d\"' EXIT\n"
                             "trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM\n"
                             "consul snapshot save \"$d/snapshot\" >&2 || exit\n"
                             "exec 3<\"$d/snapshot\" || exit\n"
                             "rm -rf \"$d\"\n"
                             "cat <&3\n";

static const char *const script_argv[] = { "sh", "-c", script, NULL };
static const char *const script_argv_token[] = { "sh", "-c", script, "sh", "token", NULL };

struct saving {
	struct kube_client *client;
	const struct server *server;
	const struct access *access;
	int64_t deadline_ms;
	struct backup_file *file;
	struct backup_check *check;
	uint64_t bytes;       /* that came */
	bool has_failed_here; /* the disk, or the archive: no other way helps */
	bool is_done;
};

static bool is_done(void *context)
{
	const struct saving *saving = context;

	return saving->is_done;
}

/* A kube_sink. */
static int take(void *context, const void *data, size_t length, struct err *err)
{
	struct saving *saving = context;
	int status = backup_file_write(saving->file, data, length, err);

	saving->bytes += length;
	if (status == 0) {
		status = backup_check_feed(saving->check, data, length, err);
		if (status < 0)
			err_wrap(err, "the snapshot of pod %s is not whole", saving->server->name);
	}
	saving->has_failed_here = saving->has_failed_here || status < 0;
	return status;
}

static int begin(struct saving *saving, struct err *err)
{
	backup_check_free(saving->check);
	saving->check = backup_check_new();
	saving->is_done = false;
	saving->bytes = 0;
	return backup_file_restart(saving->file, err);
}

static int fail_as_denied(const struct server *server, const char *words, struct err *err)
{
	err_set(err, ERR_FORBIDDEN,
	        "pod %s: Consul refuses the snapshot (%s): it needs management rights (a token of acl = write)",
	        server->name, words);
	return err_hint(err, "--token-file FILE or CONSUL_HTTP_TOKEN gives such a token");
}

/* ----------------------------------------------------------------------------------------- tunnel */

static void on_answer(void *context, struct kube_tunnel_call *call)
{
	struct saving *saving = context;

	(void)call;
	saving->is_done = true;
}

static int take_status(const struct server *server, const struct kube_tunnel_call *call, struct err *err)
{
	_cleanup_free_ char *text = xstrndup(buf_text(&call->body_out), strcspn(buf_text(&call->body_out), "\r\n"));
	_cleanup_free_ char *shown = str_visible(text, SHOWN_BYTES);

	if (call->http_status == 200)
		return 0;
	if (call->http_status == 403)
		return fail_as_denied(server, *shown ? shown : "403", err);
	return err_set(err, ERR_UNAVAILABLE, "pod %s: Consul answers %s with %ld: %s", server->name, PATH,
	               call->http_status, shown);
}

static void start_tunnel(const struct saving *saving, struct kube_tunnel **ret_tunnel)
{
	struct ask_endpoint endpoint = ask_endpoint_of(saving->server->container);
	/* As in asking: nothing is verified inside the tunnel, which ends at the pod's own loopback. */
	struct kube_tunnel_options options = {
		.namespace_name = saving->server->pod.namespace_name,
		.pod = saving->server->pod.name,
		.port = endpoint.port,
		.https = endpoint.https,
		.token = access_token(saving->access),
	};

	*ret_tunnel = kube_tunnel_open(saving->client, &options);
}

/* *ret_status is 0 when Consul did not answer. */
static int save_by_tunnel(struct saving *saving, long *ret_status, struct err *err)
{
	struct kube_tunnel_call call = KUBE_TUNNEL_CALL_INIT;
	struct kube_tunnel *tunnel = NULL;
	int status;

	call.method = KUBE_GET;
	call.path = PATH;
	call.sink = take;
	call.sink_context = saving;
	start_tunnel(saving, &tunnel);
	kube_tunnel_start(tunnel, &call, saving->deadline_ms, on_answer, saving);
	/* It ends by itself at the deadline. */
	status = loop_run(kube_client_loop(saving->client), is_done, saving, CLOCK_NEVER, err);
	kube_tunnel_free(tunnel);
	if (status == 0)
		status = err_is_set(&call.err) ? err_move(err, &call.err) : take_status(saving->server, &call, err);
	*ret_status = call.http_status;
	kube_tunnel_call_release(&call);
	return status;
}

/* ------------------------------------------------------------------------------------------- exec */

static bool says_denied(const char *text)
{
	return strstr(text, "Permission denied") || strstr(text, "ACL not found") || strstr(text, " 403 ");
}

static int take_exit(const struct server *server, const struct kube_exec *exec, struct err *err)
{
	const char *text = buf_text(&exec->error_output);
	_cleanup_free_ char *words = shell_last_words(buf_text(&exec->error_output), exec->error_output.len);

	if (exec->exit_code == 0)
		return 0;
	if (exec->exit_code == EXIT_NO_DIRECTORY) {
		err_set(err, ERR_FAILED, "pod %s: no temporary directory can be made in the container: %s",
		        server->name, words);
		return err_hint(err, "make its /tmp writable (an emptyDir); a tunnel (--via tunnel) needs none");
	}
	if (strcasestr(text, "no space left on device")) {
		err_set(err, ERR_FAILED, "pod %s: the disk of the container's temporary directory is full: %s",
		        server->name, words);
		return err_hint(err, "make room there; a tunnel (--via tunnel) needs none");
	}
	if (exec->exit_code == EXIT_NOT_FOUND && strstr(text, "Usage: consul"))
		return err_set(err, ERR_UNAVAILABLE, "pod %s: this Consul has no snapshots (0.7.1 and later have them)",
		               server->name);
	if (exec->exit_code == EXIT_NOT_FOUND)
		return err_set(err, ERR_FAILED, "pod %s: there is no consul command in the container: %s", server->name,
		               words);
	if (says_denied(words))
		return fail_as_denied(server, words, err);
	return err_set(err, ERR_UNAVAILABLE, "pod %s: consul snapshot save exits with %d: %s", server->name,
	               exec->exit_code, words);
}

static int fail_exec(const struct saving *saving, struct kube_exec *exec, struct err *err)
{
	if (saving->has_failed_here || !shell_is_missing(&exec->err))
		return err_move(err, &exec->err);
	err_set(err, ERR_FAILED, "pod %s: there is no shell in the container, which a snapshot by exec needs",
	        saving->server->name);
	return err_hint(err, "a tunnel (--via tunnel) needs none, but the right to create pods/portforward");
}

static int save_by_exec(struct saving *saving, struct err *err)
{
	const char *token = access_token(saving->access);
	_cleanup_buf_ struct buf input = { .max = BUF_TEXT_MAX, .secret = true };
	struct kube_exec exec = KUBE_EXEC_INIT;
	int status;

	exec.namespace_name = saving->server->pod.namespace_name;
	exec.pod = saving->server->pod.name;
	exec.container = saving->server->container->name;
	exec.argv = token ? script_argv_token : script_argv;
	if (token) {
		buf_adds(&input, token);
		buf_addc(&input, '\n');
		exec.input = input.data;
		exec.input_length = input.len;
	}
	exec.sink = take;
	exec.sink_context = saving;
	status = kube_exec_perform(saving->client, &exec, 1, saving->deadline_ms, err);
	if (status == 0)
		status = err_is_set(&exec.err) ? fail_exec(saving, &exec, err) : take_exit(saving->server, &exec, err);
	kube_exec_release(&exec);
	return status;
}

/* ------------------------------------------------------------------------------------------- both */

/*
 * As in asking: exec when the tunnel cannot be had, or its answer is none of Consul's; also when Consul wants a token
 * and we have none, since the container may have one. Not when there is no time left, and not when Consul itself says
 * that it cannot.
 */
static bool exec_may_do_better(const struct saving *saving, const struct err *err, long http_status)
{
	if (saving->has_failed_here || err->kind == ERR_TIMEOUT || err->kind == ERR_NOT_FOUND ||
	    err->kind == ERR_INTERRUPTED)
		return false;
	return http_status < (access_token(saving->access) ? 400 : 404);
}

/* Both ways failed: one err that tells both, of the tunnel's kind. */
static int join_errors(struct err *err, struct err *tunnel_err)
{
	if (str_equal(err->message, tunnel_err->message))
		return -1;
	replace_string(&err->message, xasprintf("by tunnel: %s; by exec: %s", tunnel_err->message, err->message));
	err->kind = tunnel_err->kind;
	if (!err->hint)
		err->hint = TAKE(tunnel_err->hint);
	return -1;
}

/* A server that was asked by exec had no tunnel then. */
static int fetch(struct saving *saving, struct err *err)
{
	enum ask_way via = access_via(saving->access);
	_cleanup_err_ struct err tunnel_err = ERR_INIT;
	long http_status = 0;

	if (begin(saving, err) < 0)
		return -1;
	if (via == ASK_EXEC || (via == ASK_NONE && saving->server->view.way == ASK_EXEC))
		return save_by_exec(saving, err);
	if (save_by_tunnel(saving, &http_status, &tunnel_err) == 0)
		return 0;
	if (via != ASK_NONE || !exec_may_do_better(saving, &tunnel_err, http_status))
		return err_move(err, &tunnel_err);
	if (begin(saving, err) < 0)
		return -1;
	if (save_by_exec(saving, err) == 0)
		return 0;
	/* Consul's no is said once. */
	if (saving->has_failed_here || err->kind == ERR_INTERRUPTED ||
	    (http_status == 403 && err->kind == ERR_FORBIDDEN))
		return -1;
	return join_errors(err, &tunnel_err);
}

static int finish(struct saving *saving, struct backup_info *ret_info, struct err *err)
{
	struct backup_info info;

	if (backup_check_finish(saving->check, &info, err) < 0)
		return err_wrap(err, "the snapshot of pod %s is not whole", saving->server->name);
	if (backup_file_keep(saving->file, err) < 0)
		return -1;
	*ret_info = info;
	return 0;
}

int backup_save(struct kube_client *client, const struct server *server, const struct access *access, const char *path,
                int64_t deadline_ms, struct backup_info *ret_info, struct err *err)
{
	struct backup_file file = BACKUP_FILE_INIT;
	struct saving saving = {
		.client = client, .server = server, .access = access, .deadline_ms = deadline_ms, .file = &file
	};
	int status;

	if (!server->has_pod || !server->container)
		return err_set(err, ERR_NOT_FOUND, "pod %s: there is no container of Consul to take a snapshot from",
		               server->name);
	status = backup_file_open(&file, path, err);
	if (status == 0)
		status = fetch(&saving, err);
	if (err->kind == ERR_TIMEOUT && saving.bytes > 0)
		err_hint(err, "%" PRIu64 " bytes had come: give it more time (--timeout)", saving.bytes);
	if (status == 0)
		status = finish(&saving, ret_info, err);
	backup_check_free(saving.check);
	backup_file_release(&file);
	return status;
}
