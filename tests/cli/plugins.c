/* Credential plugins that are not as they should be: where they are looked for, how they end, what they write. */
#include "plugin.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "../support/cluster_changes.h"
#include "util/mem.h"
#include "util/str.h"

#define EXPIRED "\"expirationTimestamp\":\"2001-01-01T00:00:00Z\""
#define NOT_IN  PLUGIN_PREFIX "exec: executable here not found\n"

TestSuite(plugins, .timeout = 120);

/* Runs a script of sh, in which $TOOL is the program. */
static void run_script(struct cluster *cluster, const char *user, const char *script, struct run_result *ret_result)
{
	_cleanup_free_ char *kubeconfig = plugin_kubeconfig(cluster, user);
	_cleanup_free_ char *tool = xasprintf("TOOL=%s", getenv("KUBECTL_CONSUL"));

	run_program(&(struct run_options){ .program = "/bin/bash",
	                                   .argv = RUN_ARGV("-c", script),
	                                   .kubeconfig = kubeconfig,
	                                   .environment = RUN_ARGV(tool) },
	            ret_result);
}

/* -------------------------------------------------------------------------------- what has expired already */

/* Whose clock is wrong is not known: the server decides, and the plugin does not run for each request. */
Test(plugins, what_comes_expired_is_used_as_it_came)
{
	const struct plugin plugin = { .status = "{\"token\":\"good\"," EXPIRED "}" };
	struct cluster *cluster = plugin_cluster(NULL);
	struct run_result result;

	plugin_run(cluster, &plugin, &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	cr_assert_eq(plugin_count(result.error_output, "ran"), 1, "%s", result.error_output);
	cr_assert_eq(plugin_count_status(cluster, 401), 0);
	run_result_release(&result);
	cluster_stop(cluster);
}

Test(plugins, what_comes_expired_and_is_refused_is_asked_for_once_more)
{
	const struct plugin plugin = { .status = "{\"token\":\"bad\"," EXPIRED "}" };
	struct cluster *cluster = plugin_cluster(NULL);
	struct run_result result;

	plugin_run(cluster, &plugin, &result);
	cr_assert_eq(result.exit_code, 1);
	cli_assert_says(&result, "error: You must be logged in to the server (Unauthorized)");
	cr_assert_eq(plugin_count(result.error_output, "ran"), 2, "%s", result.error_output);
	cr_assert_leq(apiserver_count(cluster_api(cluster), "GET", "*/statefulsets*"), 2);
	run_result_release(&result);
	cluster_stop(cluster);
}

/* ---------------------------------------------------------------------------------------- sent once more */

Test(plugins, a_change_is_sent_once_more_as_it_was)
{
	static const struct http_answer unauthorized = { .status = 401,
		                                         .body = STATUS_FAILURE(401, "Unauthorized", "Unauthorized") };
	static const struct {
		const char *method, *path;
	} changes_made[] = { { "POST", "*/leases" }, { "PATCH", "*/scale" } };
	const struct apiserver_route routes[] = {
		{ .method = "POST", .path = "*/leases", .times = 1, .answer = unauthorized },
		{ .method = "PATCH", .path = "*/scale", .times = 1, .answer = unauthorized },
		{ 0 },
	};
	struct cluster *cluster = plugin_cluster(NULL);
	struct cluster_changes changes = { .cluster = cluster, .comes_as = { .leaves_on_term = true } };
	_cleanup_free_ char *user = plugin_user(&(struct plugin){ 0 });
	struct run_result result;

	cluster_changes_begin(&changes);
	apiserver_add(cluster_api(cluster), routes, NULL, NULL);
	plugin_run_as(cluster, user, RUN_ARGV("scale", "2", "--force", "--yes"), &result);
	cr_assert_eq(result.exit_code, 0, "%s%s", result.output, result.error_output);
	for (size_t i = 0; i < ARRAY_SIZE(changes_made); i++) {
		struct apiserver *server = cluster_api(cluster);
		const char *method = changes_made[i].method, *path = changes_made[i].path;
		const struct apiserver_request *first = apiserver_find(server, method, path, 0);
		const struct apiserver_request *second = apiserver_find(server, method, path, 1);

		cr_assert(first && second, "%s", method);
		cr_assert_eq(first->status, 401);
		cr_assert_neq(second->status, 401);
		cr_assert_gt(first->body_length, 10);
		cr_assert_str_eq(first->body, second->body);
	}
	cr_assert_eq(plugin_count_status(cluster, 401), 2);
	cr_assert_eq(plugin_count(result.error_output, "ran"), 3, "%s", result.error_output);
	run_result_release(&result);
	cluster_stop(cluster);
	cluster_changes_end(&changes);
}

Test(plugins, a_websocket_is_not_asked_for_a_third_time)
{
	static const struct apiserver_route routes[] = {
		{ .path = "*/pods/*/portforward",
		  .answer = { .status = 401, .body = STATUS_FAILURE(401, "Unauthorized", "Unauthorized") } },
		{ .path = "*/pods/*/exec",
		  .answer = { .status = 401, .body = STATUS_FAILURE(401, "Unauthorized", "Unauthorized") } },
		{ 0 },
	};
	struct cluster *cluster = plugin_cluster(routes);
	struct apiserver *server = cluster_api(cluster);
	struct run_result result;

	plugin_run(cluster, &(struct plugin){ 0 }, &result);
	cr_assert_neq(result.exit_code, 0, "%s", result.output);
	cli_assert_says(&result, "You must be logged in to the server");
	cr_assert_leq(apiserver_count(server, NULL, "*/pods/*/portforward"), 6);
	cr_assert_leq(apiserver_count(server, NULL, "*/pods/*/exec"), 6);
	run_result_release(&result);
	cluster_stop(cluster);
}

/* ------------------------------------------------------------------------------------ where it is looked for */

#define INSTALL(directory)                                                                                             \
	"cd \"$HOME\"; mkdir -p " directory "; printf '#!/bin/sh\\necho \"$ANSWER\"\\n' >" directory "/here; "         \
	"chmod +x " directory "/here; "

Test(plugins, one_is_not_run_from_the_current_directory_by_its_name)
{
	static const struct {
		const char *script;
		const char *error; /* NULL: it runs */
		const char *says;
	} rows[] = {
		{ INSTALL(".") "PATH=\".:$PATH\" exec \"$TOOL\" health", NOT_IN, "./here is there, but" },
		{ INSTALL(".") "PATH=\":$PATH\" exec \"$TOOL\" health", NOT_IN, "./here is there, but" },
		{ INSTALL(".") "PATH=\"$PATH:\" exec \"$TOOL\" health", NOT_IN, "./here is there, but" },
		{ INSTALL("bin") "PATH=\"bin:$PATH\" exec \"$TOOL\" health", NOT_IN, "bin/here is there, but" },
		{ INSTALL(".") "exec \"$TOOL\" health", NOT_IN, "credential plugin that is not installed" },
		{ INSTALL(".") "unset PATH; exec \"$TOOL\" health", NOT_IN, "credential plugin that is not installed" },
		{ INSTALL(".") "PATH= exec \"$TOOL\" health", NOT_IN, "credential plugin that is not installed" },
		{ INSTALL("bin") "PATH=\"$HOME/bin:$PATH\" exec \"$TOOL\" health", NULL, NULL },
		/* What is not executable, or a directory, is passed over. */
		{ INSTALL("bin") "mkdir -p a/here b; : >b/here; PATH=\"$HOME/a:$HOME/b:$HOME/bin:$PATH\" "
		                 "exec \"$TOOL\" health",
		  NULL, NULL },
		{ INSTALL("bin") "chmod -x bin/here; PATH=\"$HOME/bin\" exec \"$TOOL\" health", NOT_IN,
		  "credential plugin that is not installed" },
	};
	_cleanup_free_ char *user = plugin_user(&(struct plugin){ .command = "here" });
	struct cluster *cluster = plugin_cluster(NULL);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct run_result result;

		run_script(cluster, user, rows[i].script, &result);
		if (rows[i].error) {
			cli_assert_error(&result, 1, rows[i].error);
			cli_assert_says(&result, rows[i].says);
		} else {
			cli_assert_verdict(&result, "HEALTHY", 0);
		}
		run_result_release(&result);
	}
	cluster_stop(cluster);
}

/* $KUBECONFIG's own directory counts, not the current one, be it absolute or not. */
Test(plugins, a_path_is_relative_to_the_kubeconfig)
{
	static const char *const scripts[] = {
		INSTALL("conf/bin") "cp \"$KUBECONFIG\" conf/config; KUBECONFIG=conf/config exec \"$TOOL\" health",
		INSTALL("conf/bin") "cp \"$KUBECONFIG\" conf/config; cd conf; KUBECONFIG=config exec \"$TOOL\" health",
		INSTALL("conf/bin") "cp \"$KUBECONFIG\" conf/config; cd /; exec \"$TOOL\" health --kubeconfig "
		                    "\"$HOME/conf/config\"",
	};
	_cleanup_free_ char *user = plugin_user(&(struct plugin){ .command = "bin/here" });
	struct cluster *cluster = plugin_cluster(NULL);

	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		struct run_result result;

		run_script(cluster, user, scripts[i], &result);
		cli_assert_verdict(&result, "HEALTHY", 0);
		run_result_release(&result);
	}
	cluster_stop(cluster);
}

Test(plugins, nulls_are_empty_strings)
{
	static const char user[] =
	    "    exec:\n      apiVersion: " PLUGIN_GROUP "v1\n      interactiveMode: Never\n      command: sh\n"
	    "      args:\n      - -c\n"
	    "      - 'echo \"$#-$A-$B-$C-\" >&2; echo ''{\"apiVersion\":\"" PLUGIN_GROUP
	    "v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"good\"}}'''\n"
	    "      - sh\n      -\n      - null\n"
	    "      env:\n      - name: A\n        value: null\n      - name: B\n        value:\n      - name: C\n";
	struct cluster *cluster = plugin_cluster(NULL);
	struct run_result result;

	plugin_run_as(cluster, user, PLUGIN_HEALTH, &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	cr_assert(str_starts_with(result.error_output, "2----\n"), "%s", result.error_output);
	run_result_release(&result);
	cluster_stop(cluster);
}

/* --------------------------------------------------------------------------------------------- how it ends */

/* As some supervisors leave it behind. */
Test(plugins, its_end_is_known_though_sigchld_was_ignored)
{
	static const struct {
		const char *script;
		const char *error;
	} rows[] = {
		{ "exit 7", PLUGIN_PREFIX "exec: executable sh failed with exit code 7\n" },
		{ "kill -TERM $$", PLUGIN_PREFIX "exec: executable sh was ended by signal 15\n" },
		{ NULL, NULL },
	};
	struct cluster *cluster = plugin_cluster(NULL);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *user = plugin_user(&(struct plugin){ .script = rows[i].script });
		struct run_result result;

		run_script(cluster, user, "trap '' CHLD; exec \"$TOOL\" health", &result);
		if (rows[i].error)
			cli_assert_error(&result, 1, rows[i].error);
		else
			cli_assert_verdict(&result, "HEALTHY", 0);
		run_result_release(&result);
	}
	cluster_stop(cluster);
}

/* The number that a plugin wrote as "pid N". */
static pid_t pid_of(const char *text)
{
	const char *at = strstr(text, "pid ");

	cr_assert_not_null(at, "%s", text);
	return (pid_t)strtol(at + strlen("pid "), NULL, 10);
}

Test(plugins, whatever_one_does_the_deadline_holds)
{
	static const struct {
		const char *script;
		bool is_gone; /* the one that wrote its pid has been ended */
	} rows[] = {
		{ "echo pid $$ >&2; exec sleep 60", true },
		{ "echo pid $$ >&2; trap '' TERM; while :; do sleep 0.05; done", true },
		{ "echo pid $$ >&2; echo \"$ANSWER\"; exec >&-; exec sleep 60", true },
		/* Its child has standard output, and does not end with it. */
		{ "sleep 30 2>&- & echo pid $! >&2; echo \"$ANSWER\"", false },
		{ "echo pid $$ >&2; while :; do printf x; sleep 0.01; done", true },
	};
	struct cluster *cluster = plugin_cluster(NULL);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *user = plugin_user(&(struct plugin){ .script = rows[i].script });
		struct run_result result;
		pid_t pid;

		plugin_run_as(cluster, user, RUN_ARGV("health", "--timeout", "1s"), &result);
		cr_assert_eq(result.exit_code, 124, "case %zu: %s", i, result.error_output);
		cli_assert_says(&result, PLUGIN_PREFIX "exec: executable sh has not ended within ");
		cr_assert_lt(result.wall_ms, 15000, "case %zu", i);
		pid = pid_of(result.error_output);
		if (rows[i].is_gone)
			cr_assert(kill(pid, 0) < 0 && errno == ESRCH, "case %zu is still there", i);
		else
			kill(pid, SIGKILL);
		run_result_release(&result);
	}
	cr_assert_eq(apiserver_request_total(cluster_api(cluster)), 0);
	cluster_stop(cluster);
}

/* ------------------------------------------------------------------------------------------ what it writes */

#define ANSWER_OF(version, kind, status) "{\"apiVersion\":\"" version "\",\"kind\":\"" kind "\",\"status\":" status "}"
#define V1                               PLUGIN_GROUP "v1"

Test(plugins, nothing_of_what_one_writes_reaches_the_terminal_or_a_header)
{
	static const struct {
		struct plugin plugin;
		const char *error;
	} rows[] = {
		{ { .answer = ANSWER_OF("\\u001b[31mv1", "ExecCredential", "{}") },
		  PLUGIN_PREFIX "exec plugin is configured to use API version " V1
		                ", plugin returned version ^[[31mv1\n" },
		{ { .answer = ANSWER_OF(V1, "\\u001b]0;x\\u0007\\r\\nerror: all is well", "{}") },
		  PLUGIN_PREFIX
		  "decoding stdout: no kind \"^[]0;x^G\\r\\nerror: all is well\" is registered for version" },
		{ { .answer = ANSWER_OF(V1, "ExecCredential",
		                        "{\"token\":\"good\",\"expirationTimestamp\":\"\\u001b[2Jsecret\"}") },
		  PLUGIN_PREFIX "decoding stdout: status.expirationTimestamp is not a time" },
		{ { .answer = "{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"secret\\u001b[31m" },
		  PLUGIN_PREFIX "decoding stdout: couldn't get version/kind" },
		{ { .status = "{\"token\":\"secret\\r\\nX-Evil: 1\"}" }, "error: the token cannot be sent: " },
		{ { .status = "{\"token\":\"good\\n\"}" }, "error: the token cannot be sent: " },
		{ { .status = "{\"token\":\"secret\\u001b[31m\"}" }, "error: the token cannot be sent: " },
		{ { .status = "{\"token\":\"good\\u0000secret\"}" },
		  PLUGIN_PREFIX "decoding stdout: a string has a NUL in it\n" },
		{ { .status = "{\"clientCertificateData\":\"\\u001b[31m\",\"clientKeyData\":\"secret\\u001b\"}" },
		  PLUGIN_PREFIX "failed parsing client key/certificate: " },
	};
	struct cluster *cluster = plugin_cluster(NULL);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct plugin plugin = rows[i].plugin;
		struct run_result result;

		plugin.script = "printf '%s\\n' \"$ANSWER\"";
		plugin_run(cluster, &plugin, &result);
		cli_assert_error(&result, 1, rows[i].error);
		cr_assert_not(strstr(result.error_output, "secret"), "%s", result.error_output);
		run_result_release(&result);
	}
	cr_assert_eq(apiserver_request_total(cluster_api(cluster)), 0);
	cluster_stop(cluster);
}

Test(plugins, a_hundred_megabytes_are_not_read)
{
	const struct plugin plugin = { .script = "head -c 104857600 /dev/zero" };
	struct cluster *cluster = plugin_cluster(NULL);
	struct run_result result;

	plugin_run(cluster, &plugin, &result);
	cli_assert_error(&result, 1, PLUGIN_PREFIX "exec: executable sh wrote more than 1048576 bytes\n");
	cr_assert_lt(result.wall_ms, 10000);
	run_result_release(&result);
	cluster_stop(cluster);
}
