/* The command line: what is printed where, the exit codes, kubectl's wording. No server is needed, none is asked. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "util/mem.h"
#include "util/str.h"

struct words_case {
	const char *words[6];
	const char *text;  /* that is said */
	const char *usage; /* a pointer to help, or NULL */
};

/* Without a kubeconfig: whoever asks for one would fail otherwise. */
Test(options, what_is_asked_for_goes_to_standard_output)
{
	static const struct words_case cases[] = {
		{ { "--help" }, "kubectl consul COMMAND [options]", NULL },
		{ { NULL }, "health", NULL },
		{ { "help", "health" }, "--watch", NULL },
		{ { "health", "--help" }, "Usage:", NULL },
		{ { "health", "-h" }, "--fail-on", NULL },
		{ { "options" }, "--kubeconfig", NULL },
		{ { "version" }, "kubectl consul v", NULL },
		{ { "--version" }, "kubectl consul v", NULL },
		{ { "explain" }, "CON101", NULL },
		{ { "explain", "con101" }, "pod-missing", NULL },
		{ { "explain", "no-leader" }, "no-leader", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run_result result;

		cli_run(NULL, cases[i].words, &result);
		cr_assert_eq(result.exit_code, 0, "%s: %s", cases[i].words[0], result.error_output);
		cr_assert(strstr(result.output, cases[i].text), "no \"%s\" in:\n%s", cases[i].text, result.output);
		cr_assert_str_empty(result.error_output);
		run_result_release(&result);
	}
}

Test(options, what_is_wrong_is_one_line_in_the_words_of_kubectl)
{
	static const char wrong_time[] = "Invalid timeout value. Timeout must be a single integer in seconds, or an "
	                                 "integer followed by a corresponding time unit (e.g. 1s | 2m | 3h)";
	static const struct words_case cases[] = {
		{ { "health", "--bogus" }, "unknown flag: --bogus", "See 'kubectl consul health --help' for usage." },
		{ { "health", "-Z" }, "unknown shorthand flag: 'Z' in -Z", "--help' for usage." },
		{ { "health", "-n" }, "flag needs an argument: 'n' in -n", "--help' for usage." },
		{ { "health", "--namespace" }, "flag needs an argument: --namespace", "--help' for usage." },
		{ { "health", "--timeout", "x" }, wrong_time, NULL },
		{ { "health", "--timeout=" }, wrong_time, NULL },
		{ { "health", "--request-timeout=5x" }, wrong_time, NULL },
		{ { "health", "-o", "xml" },
		  "unable to match a printer suitable for the output format \"xml\", allowed formats "
		  "are: ",
		  NULL },
		{ { "health", "--via", "pigeon" }, "auto, tunnel or exec", NULL },
		{ { "health", "--watch=perhaps" }, "--watch", NULL },
		{ { "health", "extra" }, "extra arguments: [extra]", NULL },
		{ { "deploy", "--dry-run=maybe" }, "Must be \"none\", \"server\", or \"client\".", NULL },
		{ { "helth" }, "unknown command \"helth\" for \"kubectl consul\"", "health" },
		{ { "status" }, "unknown command \"status\" for \"kubectl consul\"", "Did you mean this?\n\thealth\n" },
		{ { "completion", "bash" }, "unknown command \"bash\"", "source <(kubectl completion bash)" },
		{ { "explain", "CON999" }, "unknown code or word \"CON999\"", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run_result result;

		cli_run(NULL, cases[i].words, &result);
		cr_assert_eq(result.exit_code, 1, "%s %s", cases[i].words[0], cases[i].words[1]);
		cr_assert_str_empty(result.output, "%s", result.output);
		cr_assert(str_starts_with(result.error_output, "error: ") ||
		              str_starts_with(result.error_output, "Error: "),
		          "%s", result.error_output);
		cr_assert(strstr(result.error_output, cases[i].text), "not \"%s\" but: %s", cases[i].text,
		          result.error_output);
		cr_assert(!cases[i].usage || strstr(result.error_output, cases[i].usage), "%s", result.error_output);
		run_result_release(&result);
	}
}

/* A value may stand behind the option or behind "=", options may stand before the command. */
Test(options, are_taken_in_every_form)
{
	static const struct words_case cases[] = {
		{ { "health", "-n", "other" }, NULL, NULL },       { { "health", "-nother" }, NULL, NULL },
		{ { "health", "-n=other" }, NULL, NULL },          { { "health", "--namespace", "other" }, NULL, NULL },
		{ { "health", "--namespace=other" }, NULL, NULL }, { { "-n", "other", "health" }, NULL, NULL },
		{ { "--namespace=other", "health" }, NULL, NULL },
	};
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .count = 1, .namespace_name = "other" });
	struct kubeconfig config = { .server = apiserver_url(cluster_api(cluster)), .namespace_name = "wrong" };
	_cleanup_free_ char *kubeconfig = kubeconfig_text(&config);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run_result result;

		cli_run(kubeconfig, cases[i].words, &result);
		cr_assert(strstr(result.output, "other/consul"), "form %zu: %s%s", i, result.output,
		          result.error_output);
		run_result_release(&result);
	}
	cr_assert_eq(apiserver_count(cluster_api(cluster), NULL, "*/namespaces/wrong/*"), 0);
	cluster_stop(cluster);
}

Test(options, the_name_it_is_called_by_is_the_name_it_has)
{
	struct run_result result;

	run_program(
	    &(struct run_options){ .argv = RUN_ARGV("health", "--bogus"), .name = "/opt/krew/bin/kubectl-consul" },
	    &result);
	cr_assert(strstr(result.error_output, "'kubectl consul health --help'"), "%s", result.error_output);
	run_result_release(&result);
}

Test(options, writing_to_a_full_disk_is_an_error)
{
	struct run_result result;

	run_program(
	    &(struct run_options){ .program = "/bin/sh",
	                           .argv = RUN_ARGV("-c", "exec \"$0\" --help >/dev/full", getenv("KUBECTL_CONSUL")) },
	    &result);
	cr_assert_eq(result.exit_code, 1);
	cr_assert(str_starts_with(result.error_output, "error: "), "%s", result.error_output);
	run_result_release(&result);
}
