/* See include/consul/shell.h. */
#include "consul/shell.h"

#include <string.h>

#include "util/mem.h"
#include "util/str.h"

#define SHOWN_BYTES 200 /* how much of a program's words is shown */

/* The runtime's words for a program that is not there: containerd and CRI-O, runc and crun. */
bool shell_is_missing(const struct err *err)
{
	return err->kind == ERR_FAILED && err->message &&
	       (strstr(err->message, "executable file not found") || strstr(err->message, "no such file or directory"));
}

char *shell_last_words(const char *text, size_t length)
{
	_cleanup_free_ char *copy = xstrndup(text, length);
	char *state = NULL, *last = NULL;

	for (char *line = strtok_r(copy, "\r\n", &state); line; line = strtok_r(NULL, "\r\n", &state))
		if (line[strspn(line, " \t")])
			last = line;
	return str_visible(last ? last : "it said nothing", SHOWN_BYTES);
}

/* A container of another image can see the process and, below /proc/1/root, its files. */
static int fail_as_missing(const struct server *server, const char *what, struct err *err)
{
	const struct kube_pod *pod = &server->pod;

	err_set(err, ERR_FAILED, "pod %s: there is no shell in the container, which %s needs", pod->name, what);
	return err_hint(err,
	                "by hand: kubectl debug -n %s %s -it --image=busybox --target=%s -- sh (Consul is process 1 "
	                "there, its files are below /proc/1/root); or a shell on its node, %s",
	                pod->namespace_name, pod->name, server->container->name,
	                pod->node ? pod->node : "where it runs");
}

/* The kubelet's and the runtimes' words. */
static bool has_no_container(const struct err *err)
{
	static const char *const words[] = { "container not found", "CONTAINER_EXITED", "stopped container",
		                             "container is not running" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(err->message, words[i]))
			return true;
	return false;
}

int shell_fail(const struct server *server, const char *what, struct err *cause, struct err *err)
{
	if (shell_is_missing(cause)) {
		err_release(cause);
		return fail_as_missing(server, what, err);
	}
	if (has_no_container(cause)) {
		err_release(cause);
		err_set(err, ERR_NOT_FOUND, "pod %s: its container %s does not run", server->pod.name,
		        server->container->name);
		return err_hint(err, "kubectl describe pod %s -n %s tells why", server->pod.name,
		                server->pod.namespace_name);
	}
	if (cause->kind == ERR_FORBIDDEN && !cause->hint)
		err_hint(cause,
		         "a Role must allow \"create\" and \"get\" on \"pods/exec\"; check: kubectl auth can-i create "
		         "pods --subresource=exec -n %s",
		         server->pod.namespace_name);
	return err_move(err, cause);
}
