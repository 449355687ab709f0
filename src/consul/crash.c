/* See include/consul/crash.h. */
#include "consul/crash.h"

#include <stdbool.h>
#include <string.h>

#include "consul/shell.h"
#include "kube/exec.h"
#include "util/mem.h"
#include "util/str.h"

/* What the script prints when nothing is between it and the signal any more: then the container may end under it. */
#define SAID "signal"

/* The script's own exit codes. */
enum {
	EXIT_NO_PROCESS = 70,
	EXIT_NOT_WRITTEN = 73,
	EXIT_PEERS_WAIT = 74,
	EXIT_NOT_PERMITTED = 77,
	EXIT_STILL_LIVES = 78,
};

/*
 * $1: the data directory, or empty; $2: a peers.json of one line, or empty. Builtins, mv, rm and sleep; no ps.
 *
 * read drops the NULs of a command line, which begins "consulagent-server" therefore; a shell that was given
 * 'consul agent' has a space there, and is named sh. Where process ids are shared by a pod, or with the node, the
 * cgroup tells whose process it is. Of two (Go has one for a moment while it starts a check) both end.
 */
static const char crash_script[] =
    "umask 022\n"
    "group() { g=; { while IFS= read -r l; do g=$g$l/; done <\"/proc/$1/cgroup\"; } 2>/dev/null; }\n"
    "lives() { s=; { read -r x x s x <\"/proc/$1/stat\"; } 2>/dev/null; case $s in ''|Z|X) return 1 ;; esac; }\n"
    "group $$; own=$g; pids=\n"
    "for d in /proc/[0-9]*; do\n"
    "p=${d##*/}; c=; a=\n"
    "[ \"$p\" != $$ ] || continue\n"
    "{ IFS= read -r c <\"$d/comm\"; IFS= read -r a <\"$d/cmdline\"; } 2>/dev/null\n"
    "[ \"$c\" = consul ] || continue\n"
    "case $a in *consulagent*) ;; *) continue ;; esac\n"
    "if [ \"$p\" != 1 ]; then group \"$p\"; [ \"$g\" = \"$own\" ] || continue; fi\n"
    "pids=\"$pids $p\"\n"
    "done\n"
    "[ \"$pids\" ] || exit 70\n"
    "for p in $pids; do kill -0 \"$p\" || ! lives \"$p\" || exit 77; done\n"
    "f=$1/raft/peers.json\n"
    "if [ \"$2\" ]; then\n"
    "printf '%s\\n' \"$2\" >\"$f.tmp\" && IFS= read -r l <\"$f.tmp\" && [ \"$l\" = \"$2\" ] && mv -f \"$f.tmp\" \"$f\" "
    "||\n"
    "{ rm -f \"$f.tmp\"; exit 73; }\n"
    "elif [ \"$1\" ] && [ -e \"$f\" ]; then exit 74\n"
    "fi\n"
    "echo " SAID "\n"
    "for p in $pids; do\n"
    "if [ \"$p\" = 1 ]; then kill -QUIT 1; else kill -KILL \"$p\"; fi\n"
    "done\n"
    "n=0\n"
    "while [ $n -lt 50 ]; do\n"
    "left=; for p in $pids; do lives \"$p\" && left=1; done\n"
    "[ \"$left\" ] || exit 0\n"
    "sleep 0.1 2>/dev/null || sleep 1; n=$((n + 1))\n"
    "done\n"
    "[ ! \"$2\" ] || rm -f \"$f\"\n"
    "exit 78\n";

static const char remove_script[] = "rm -f \"$1/raft/peers.json.tmp\" \"$1/raft/peers.json\"\n";

/* --------------------------------------------------------------------------------------- outcomes */

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static int fail_to_write(const struct crash_order *order, const char *words, struct err *err)
{
	err_set(err, ERR_FAILED, "pod %s: %s/raft/peers.json cannot be written: %s", order->pod, order->data_dir,
	        words);
	return err_hint(err,
	                "nothing was done to this server; is %s its data directory, and may the container's user "
	                "write there?",
	                order->data_dir);
}

static int take_exit(const struct server *server, const struct crash_order *order, const struct kube_exec *exec,
                     struct err *err)
{
	_cleanup_free_ char *words = shell_last_words(buf_text(&exec->error_output), exec->error_output.len);
	const char *pod = order->pod, *namespace_name = server->pod.namespace_name;

	switch (exec->exit_code) {
	case EXIT_NO_PROCESS:
		err_set(err, ERR_NOT_FOUND, "pod %s: no process of its container %s runs \"consul agent\"", pod,
		        server->container->name);
		return err_hint(err, "kubectl logs -n %s %s -c %s tells what runs there", namespace_name, pod,
		                server->container->name);
	case EXIT_NOT_WRITTEN:
		return fail_to_write(order, words, err);
	case EXIT_PEERS_WAIT:
		err_set(err, ERR_FAILED,
		        "pod %s: a raft/peers.json waits in %s, and would change its peers as it restarts", pod,
		        order->data_dir);
		return err_hint(err, "kubectl consul recover -n %s removes it where there is a leader", namespace_name);
	case EXIT_NOT_PERMITTED:
		err_set(err, ERR_FORBIDDEN, "pod %s: Consul's process belongs to another user than an exec has: %s",
		        pod, words);
		return err_hint(err,
		                "nothing was done to this server; let the container run as the user of its process "
		                "(securityContext.runAsUser)");
	case EXIT_STILL_LIVES:
		return err_set(err, ERR_FAILED, "pod %s: Consul's process lives on, 5 s after it was signalled: %s",
		               pod, words);
	default:
		return err_set(err, ERR_FAILED, "pod %s: the script that ends Consul's process exits with %d: %s", pod,
		               exec->exit_code, words);
	}
}

/* The script does not outlive its container: what became of it then is told by its last word. */
static bool has_crashed(const struct kube_exec *exec)
{
	enum err_kind kind = exec->err.kind;

	if (!strstr(buf_text(&exec->output), SAID) || exec->exit_code == EXIT_STILL_LIVES)
		return false;
	return !err_is_set(&exec->err) || (kind != ERR_TIMEOUT && kind != ERR_INTERRUPTED);
}

static void take_outcome(const struct server *server, struct crash_order *order, struct kube_exec *exec)
{
	if (has_crashed(exec))
		return;
	if (err_is_set(&exec->err))
		shell_fail(server, "ending its process", &exec->err, &order->err);
	else
		take_exit(server, order, exec, &order->err);
}

/* -------------------------------------------------------------------------------------------- exec */

/* The server of an order; NULL, with err: an exec leads nowhere. */
static const struct server *find_server(const struct snapshot *seen, const char *pod, struct err *err)
{
	const struct server *server = snapshot_server_by_name(seen, pod);

	if (server && server->has_pod && server->container)
		return server;
	if (server && server->has_pod)
		err_set(err, ERR_NOT_FOUND, "pod %s: it cannot be told which of its containers is Consul's", pod);
	else
		err_set(err, ERR_NOT_FOUND, "there is no pod %s", pod);
	return NULL;
}

static void prepare(struct kube_exec *exec, const struct server *server, const char *const *argv)
{
	*exec = (struct kube_exec)KUBE_EXEC_INIT;
	exec->namespace_name = server->pod.namespace_name;
	exec->pod = server->pod.name;
	exec->container = server->container->name;
	exec->argv = argv;
}

/* One order on its way. */
struct crashing {
	struct crash_order *order;
	const struct server *server;
	const char *argv[7];
};

int crash(struct kube_client *client, const struct snapshot *seen, struct crash_order *orders, size_t count,
          int64_t deadline_ms, struct err *err)
{
	_cleanup_free_ struct crashing *crashing = xcalloc(count + 1, sizeof(*crashing));
	_cleanup_free_ struct kube_exec *execs = xcalloc(count + 1, sizeof(*execs));
	size_t started = 0;
	int status;

	for (size_t i = 0; i < count; i++) {
		struct crash_order *order = &orders[i];
		const struct server *server = find_server(seen, order->pod, &order->err);

		if (!server)
			continue;
		crashing[started] = (struct crashing){ order,
			                               server,
			                               { "sh", "-c", crash_script, "sh", or_empty(order->data_dir),
			                                 or_empty(order->peers_json) } };
		prepare(&execs[started], server, crashing[started].argv);
		started++;
	}
	status = kube_exec_perform(client, execs, started, deadline_ms, err);
	for (size_t i = 0; i < started; i++) {
		take_outcome(crashing[i].server, crashing[i].order, &execs[i]);
		kube_exec_release(&execs[i]);
	}
	for (size_t i = 0; i < count && status == 0; i++) {
		if (!err_is_set(&orders[i].err))
			continue;
		err_copy(err, &orders[i].err);
		status = -1;
	}
	return status;
}

int crash_remove_peers(struct kube_client *client, const struct snapshot *seen, const struct crash_order *order,
                       int64_t deadline_ms, struct err *err)
{
	const char *const argv[] = { "sh", "-c", remove_script, "sh", order->data_dir, NULL };
	const struct server *server = find_server(seen, order->pod, err);
	struct kube_exec exec;
	int status;

	if (!server)
		return -1;
	prepare(&exec, server, argv);
	status = kube_exec_perform(client, &exec, 1, deadline_ms, err);
	if (status == 0 && err_is_set(&exec.err)) {
		status = shell_fail(server, "removing a file in it", &exec.err, err);
	} else if (status == 0 && exec.exit_code != 0) {
		_cleanup_free_ char *words = shell_last_words(buf_text(&exec.error_output), exec.error_output.len);

		status = err_set(err, ERR_FAILED, "pod %s: %s/raft/peers.json cannot be removed: %s", order->pod,
		                 order->data_dir, words);
	}
	kube_exec_release(&exec);
	return status;
}
