/*
 * Completion as the shell gets it, and the command that switches it on.
 *
 * With $COMPLETION_KUBECTL, a real kubectl, and $COMPLETION_BIN, the directory that the program was installed into, the
 * answers go through `kubectl __complete consul` (make completion); otherwise the program is called by its other name.
 */
#include "cli.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "util/mem.h"
#include "util/str.h"

/* A look-up has 0.8 s, which a busy machine may exceed: then there are no candidates, and we ask again. */
#define TRIES 10

#define COMPLETE_NAME "/usr/bin/kubectl_complete-consul"

static const char namespaces[] = "{\"kind\":\"NamespaceList\",\"items\":[{\"metadata\":{\"name\":\"consul\"}},"
                                 "{\"metadata\":{\"name\":\"web\"}},{\"metadata\":{\"name\":\"bad\\u001b[2J\"}},"
                                 "{\"metadata\":{\"name\":\"two\\nlines\"}},{\"metadata\":{}},7]}";

static const char classes[] =
    "{\"kind\":\"StorageClassList\",\"items\":[{\"metadata\":{\"name\":\"fast\",\"annotations\":"
    "{\"storageclass.kubernetes.io/is-default-class\":\"true\"}}},{\"metadata\":{\"name\":\"slow\"}}]}";

static const struct apiserver_route routes[] = {
	{ .method = "GET", .path = "/api/v1/namespaces", .answer = { .body = namespaces } },
	{ .method = "GET", .path = "/apis/storage.k8s.io/v1/storageclasses", .answer = { .body = classes } },
	{ 0 },
};

static const struct cluster_server servers[] = { { 0 }, { 0 }, { 0 }, { .no_pod = true, .member = 'f' } };

static const struct cluster_options options = {
	.servers = servers, .count = 4, .replicas = 3, .api = { .routes = routes }
};

/* kubectl: NULL for none. The answer to the words after "consul": nothing is on standard error, the exit code is 0, the
 * last line a directive.
 */
static void complete(const char *kubectl, const char *kubeconfig, const char *const *words,
                     struct run_result *ret_result)
{
	_cleanup_free_ char *path = xasprintf("PATH=%s:/usr/bin:/bin", kubectl ? getenv("COMPLETION_BIN") : "");
	const char *argv[16] = { "__complete", "consul" };
	size_t count = kubectl ? 2 : 0;

	for (; *words; words++)
		argv[count++] = *words;
	argv[count] = NULL;
	run_program(&(struct run_options){ .program = kubectl,
	                                   .name = kubectl ? NULL : COMPLETE_NAME,
	                                   .argv = argv,
	                                   .kubeconfig = kubeconfig,
	                                   .environment = (const char *const[]){ path, NULL } },
	            ret_result);
	cr_assert_eq(ret_result->exit_code, 0, "%s", ret_result->error_output);
	cr_assert(kubectl || !*ret_result->error_output, "%s", ret_result->error_output);
	cr_assert_not_null(strrchr(ret_result->output, ':'), "%s", ret_result->output);
	for (const char *c = ret_result->output; *c; c++)
		cr_assert((unsigned char)*c >= ' ' || *c == '\n' || *c == '\t', "byte 0x%02x in the answer",
		          (unsigned char)*c);
}

static void assert_answer(const char *kubeconfig, const char *const *words, const char *wanted)
{
	_cleanup_free_ char *got = NULL;

	for (int i = 0; i < TRIES && !str_equal(got, wanted); i++) {
		struct run_result result;

		complete(getenv("COMPLETION_KUBECTL"), kubeconfig, words, &result);
		replace_string(&got, xstrdup(result.output));
		run_result_release(&result);
	}
	cr_assert_str_eq(got, wanted, "%s %s: %s", words[0], words[1] ? words[1] : "", got);
}

struct answer_case {
	const char *words[6];
	const char *answer;
};

Test(completion, needs_no_cluster_where_the_tables_tell)
{
	static const struct answer_case cases[] = {
		{ { "rea" }, "reap\tRemove what is left of servers that are gone\n:4\n" },
		{ { "scale", "" },
		  "1\ttolerates no failure\n3\ttolerates 1 failure\n5\ttolerates 2 failures\n7\ttolerates 3 "
		  "failures\n:4\n" },
		{ { "scale", "--delete" },
		  "--delete-claims\tDelete the data (PersistentVolumeClaims) of servers that have gone, and of earlier "
		  "ones in the place of new servers before those start\n:4\n" },
		{ { "health", "--output=n" }, "name\nnagios\n:4\n" },
		{ { "explain", "CON402" }, "CON402\tThe cluster has no leader\n:4\n" },
		{ { "health", "x" }, "_activeHelp_ This command takes options only.\n:4\n" },
		{ { "deploy", "-f", "" }, ":0\n" },
		{ { "recover", "--save", "" }, ":16\n" },
		{ { "bogus", "" }, ":4\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_answer(NULL, cases[i].words, cases[i].answer);
}

Test(completion, names_come_from_the_kubeconfig_and_from_the_cluster)
{
	static const struct answer_case cases[] = {
		{ { "--context", "" }, "test\tthe current one\n:4\n" },
		{ { "-n", "" }, "consul\nweb\n:4\n" },
		{ { "scale", "--namespace=w" }, "web\n:4\n" },
		{ { "deploy", "--storage-class", "" }, "fast\tthe default one\nslow\n:4\n" },
		{ { "health", "--name", "" }, "consul\t3 servers\n:4\n" },
		{ { "failover", "--pod", "" }, "consul-0\tleader\nconsul-1\tfollower\nconsul-2\tfollower\n:4\n" },
		{ { "failover", "--pod", "consul-1" }, "consul-1\tfollower\n:4\n" },
		{ { "health", "-n", "elsewhere", "--name", "" }, ":4\n" },
	};
	struct cluster *cluster = cluster_start(&options);
	_cleanup_free_ char *kubeconfig = cluster_kubeconfig(cluster);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_answer(kubeconfig, cases[i].words, cases[i].answer);
	cr_assert_eq(apiserver_count(cluster_api(cluster), "P*", "/api*"), 0, "something was changed");
	cluster_stop(cluster);
}

Test(completion, reap_offers_what_is_left_of_those_that_are_gone)
{
	struct cluster *cluster = cluster_start(&options);
	_cleanup_free_ char *kubeconfig = cluster_kubeconfig(cluster), *got = NULL;

	for (int i = 0; i < TRIES && !str_starts_with(got ? got : "", "consul-3\t"); i++) {
		struct run_result result;

		complete(getenv("COMPLETION_KUBECTL"), kubeconfig, (const char *const[]){ "reap", "", NULL }, &result);
		replace_string(&got, xstrdup(result.output));
		run_result_release(&result);
	}
	cr_assert(str_starts_with(got, "consul-3\tforce-leave consul-3"), "%s", got);
	cr_assert_not(strstr(got, "consul-0\t"), "%s", got);
	assert_answer(kubeconfig, (const char *const[]){ "reap", "consul-3", "consul-", NULL }, ":4\n");
	cluster_stop(cluster);
}

/* The fastest of some runs: what a busy machine adds is not the program's. kubectl takes its own time. */
static void assert_nothing_in_time(const char *kubectl, const char *kubeconfig)
{
	int64_t limit_ms = kubectl ? 2000 : 1000, fastest_ms = INT64_MAX;

	for (int i = 0; i < TRIES && fastest_ms >= limit_ms; i++) {
		struct run_result result;

		complete(kubectl, kubeconfig, (const char *const[]){ "health", "-n", "", NULL }, &result);
		cr_assert_str_eq(result.output, ":4\n");
		if (result.wall_ms < fastest_ms)
			fastest_ms = result.wall_ms;
		run_result_release(&result);
	}
	cr_assert_lt(fastest_ms, limit_ms, "%lld ms", (long long)fastest_ms);
}

Test(completion, of_a_silent_server_ends_within_a_second)
{
	static const struct apiserver_route silent[] = {
		{ .path = "/api/v1/namespaces", .answer = { .fault = FAULT_SILENCE } }, { 0 }
	};
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .count = 1, .api = { .routes = silent } });
	_cleanup_free_ char *kubeconfig = cluster_kubeconfig(cluster);

	assert_nothing_in_time(getenv("COMPLETION_KUBECTL"), kubeconfig);
	cluster_stop(cluster);
}

/* Without kubectl: there are kubectls (Google's dispatcher) that read the configuration, and log in, before they ask
 * us. */
Test(completion, fails_in_silence)
{
	static const char *const configs[] = {
		"apiVersion: v1\nclusters: 5\n",
		"{current-context: c, clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}],"
		" users: [{name: u, user: {}}], contexts: [{name: c, context: {cluster: a, user: u}}]}",
		"{current-context: c, clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}],"
		" users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh,"
		" args: ['-c', 'echo noise >&2; exec sleep 60'], interactiveMode: IfAvailable}}}],"
		" contexts: [{name: c, context: {cluster: a, user: u}}]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(configs); i++)
		assert_nothing_in_time(NULL, configs[i]);
}

/* Opening it waits for ever: no deadline of ours helps but that of the whole process. Without kubectl, as above. */
Test(completion, ends_though_a_file_blocks)
{
	char root[] = "/tmp/completion-XXXXXX";
	_cleanup_free_ char *pipe = NULL;
	struct run_result result;

	cr_assert_not_null(mkdtemp(root));
	pipe = xasprintf("%s/config", root);
	cr_assert_eq(mkfifo(pipe, 0600), 0);
	complete(NULL, NULL, (const char *const[]){ "health", "--kubeconfig", pipe, "--context", "", NULL }, &result);
	cr_assert_str_eq(result.output, ":4\n");
	run_result_release(&result);
	(void)remove(pipe);
	(void)remove(root);
}

/* A plugin that is a script: what it started ends with it. Whoever still has the pipe open runs. */
Test(completion, leaves_no_process_behind)
{
	char root[] = "/tmp/completion-XXXXXX", byte;
	_cleanup_free_ char *path = NULL, *config = NULL;
	struct pollfd pipe_end = { .events = POLLIN };
	struct run_result result;

	cr_assert_not_null(mkdtemp(root));
	path = xasprintf("%s/pipe", root);
	cr_assert_eq(mkfifo(path, 0600), 0);
	pipe_end.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cr_assert_geq(pipe_end.fd, 0);
	config = xasprintf("{current-context: c, clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}],"
	                   " users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh,"
	                   " args: ['-c', 'exec 9>%s; echo >&9; sleep 300; echo'], interactiveMode: Never}}}],"
	                   " contexts: [{name: c, context: {cluster: a, user: u}}]}",
	                   path);
	complete(NULL, config, (const char *const[]){ "health", "-n", "", NULL }, &result);
	cr_expect_str_eq(result.output, ":4\n");
	run_result_release(&result);
	cr_expect_eq(read(pipe_end.fd, &byte, 1), 1, "the plugin was not started");
	cr_expect(poll(&pipe_end, 1, 10000) == 1 && read(pipe_end.fd, &byte, 1) == 0, "something of it still runs");
	close(pipe_end.fd);
	(void)remove(path);
	(void)remove(root);
}

/* ------------------------------------------------------------------------------ install, uninstall */

/* A directory as krew makes it: bin/kubectl-consul leads to the program, which is elsewhere. */
static char *krew_layout(void)
{
	char *root = xstrdup("/tmp/completion-XXXXXX");
	_cleanup_free_ char *bin = NULL, *link = NULL, *program = realpath(getenv("KUBECTL_CONSUL"), NULL);

	cr_assert_not_null(mkdtemp(root));
	bin = xasprintf("%s/bin", root);
	link = xasprintf("%s/kubectl-consul", bin);
	cr_assert_eq(mkdir(bin, 0755), 0);
	cr_assert_eq(symlink(program, link), 0);
	return root;
}

static void remove_layout(const char *root)
{
	static const char *const names[] = { "bin/kubectl_complete-consul", "bin/kubectl-consul", "bin", "" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", root, names[i]);

		(void)remove(path);
	}
}

/* `completion ACTION`, started by the name in the layout. */
static void completion(const char *root, const char *action, bool on_path, struct run_result *ret_result)
{
	_cleanup_free_ char *name = xasprintf("%s/bin/kubectl-consul", root);
	_cleanup_free_ char *path = xasprintf("PATH=%s%s/bin", on_path ? "/usr/bin:" : "/usr/bin:/nowhere", root);

	run_program(&(struct run_options){ .name = name,
	                                   .argv = RUN_ARGV("completion", action),
	                                   .environment = (const char *const[]){ path, NULL } },
	            ret_result);
}

static void assert_does(const char *root, const char *action, bool on_path, const char *said, const char *warned)
{
	struct run_result result;

	completion(root, action, on_path, &result);
	cr_assert_eq(result.exit_code, 0, "%s", result.error_output);
	cr_assert(strstr(result.output, said), "not \"%s\" but: %s", said, result.output);
	cr_assert(warned ? strstr(result.error_output, warned) != NULL : !*result.error_output, "%s",
	          result.error_output);
	run_result_release(&result);
}

Test(completion, is_installed_beside_the_name_it_was_called_by)
{
	_cleanup_free_ char *root = krew_layout(), *link = xasprintf("%s/bin/kubectl_complete-consul", root);
	char target[PATH_MAX] = "";

	assert_does(root, "uninstall", true, "nothing to do", NULL);
	assert_does(root, "install", true, "kubectl_complete-consul created\n", NULL);
	cr_assert_gt(readlink(link, target, sizeof(target) - 1), 0);
	cr_assert_str_eq(target, "kubectl-consul");
	assert_does(root, "install", true, "installed already", NULL);
	assert_does(root, "install", true, "kubectl 1.26 or newer", NULL);
	assert_does(root, "install", false, "installed already", "is not on PATH");
	assert_does(root, "uninstall", true, "deleted\n", NULL);
	cr_assert_neq(access(link, F_OK), 0);
	remove_layout(root);
}

Test(completion, install_replaces_an_old_link_and_nothing_else)
{
	_cleanup_free_ char *root = krew_layout(), *link = xasprintf("%s/bin/kubectl_complete-consul", root);
	struct run_result result;

	cr_assert_eq(symlink("/gone/kubectl-consul", link), 0);
	assert_does(root, "install", true, "replaced", NULL);
	cr_assert_eq(unlink(link), 0);
	cr_assert_eq(symlink("/bin/sh", link), 0);
	for (int i = 0; i < 2; i++) {
		completion(root, i == 0 ? "install" : "uninstall", true, &result);
		cli_assert_error(&result, 1, "error: ");
		cli_assert_says(&result, "does not lead to this program");
		run_result_release(&result);
		cr_assert_eq(access(link, F_OK), 0);
	}
	remove_layout(root);
}

Test(completion, install_says_what_to_do_where_it_may_not_write)
{
	_cleanup_free_ char *root = krew_layout();
	struct run_result result;

	/* root may write everywhere: /proc takes no link from anybody */
	run_program(
	    &(struct run_options){ .name = "/proc/self/kubectl-consul", .argv = RUN_ARGV("completion", "install") },
	    &result);
	cli_assert_error(&result, 1, "error: cannot create /proc/self/kubectl_complete-consul: ");
	cli_assert_says(&result, "~/.local/bin/kubectl_complete-consul");
	run_result_release(&result);
	remove_layout(root);
}

/* What goes into a profile is good in every directory. */
Test(completion, install_tells_the_whole_path)
{
	_cleanup_free_ char *root = krew_layout(), *advice = xasprintf("export PATH=\"%s/bin:$PATH\"", root);
	_cleanup_free_ char *name = xasprintf("../../../../../../../..%s/bin/kubectl-consul", root);
	struct run_result result;

	run_program(&(struct run_options){ .name = name, .argv = RUN_ARGV("completion", "install") }, &result);
	cr_expect_eq(result.exit_code, 0, "%s", result.error_output);
	cr_expect(strstr(result.error_output, advice), "%s", result.error_output);
	run_result_release(&result);
	remove_layout(root);
}

Test(completion, install_without_a_path_looks_on_path)
{
	_cleanup_free_ char *root = krew_layout(), *path = xasprintf("PATH=/nowhere:%s/bin", root);
	struct run_result result;

	run_program(&(struct run_options){ .name = "kubectl-consul",
	                                   .argv = RUN_ARGV("completion", "install"),
	                                   .environment = (const char *const[]){ path, NULL } },
	            &result);
	cr_assert_eq(result.exit_code, 0, "%s", result.error_output);
	cr_assert(str_starts_with(result.output, root), "%s", result.output);
	run_result_release(&result);
	run_program(&(struct run_options){ .name = "kubectl-consul", .argv = RUN_ARGV("completion", "install") },
	            &result);
	cli_assert_error(&result, 1, "error: kubectl-consul is not on PATH");
	run_result_release(&result);
	remove_layout(root);
}

Test(completion, takes_install_and_uninstall_only)
{
	struct run_result result;

	cli_run(NULL, RUN_ARGV("completion", "instal"), &result);
	cli_assert_error(&result, 1, "error: unknown command \"instal\" for \"kubectl consul completion\"");
	cli_assert_says(&result, "install");
	run_result_release(&result);
	cli_run(NULL, RUN_ARGV("completion"), &result);
	cli_assert_error(&result, 1, "error: install|uninstall is required");
	run_result_release(&result);
}
