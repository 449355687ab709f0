/*
 * cli.h - what the tests of the real program share: one run against a scripted cluster, and what every run must keep
 * to.
 *
 * Whatever happens, the program ends by itself, prints nothing a terminal would obey, and an error is one line on
 * standard error (with a hint below it where there is one): cli_run asserts that.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "../support/cluster.h"
#include "../support/run.h"

/* Runs the program with words against what kubeconfig (text, NULL: none) leads to. */
void cli_run(const char *kubeconfig, const char *const *words, struct run_result *ret_result);

/* The same against a scripted cluster; the API server must have found nothing to complain about. */
void cli_run_on(struct cluster *cluster, const char *const *words, struct run_result *ret_result);

/* Starts a cluster, runs, stops it. */
void cli_run_with(const struct cluster_options *options, const char *const *words, struct run_result *ret_result);

/* What cli_run asserts, of a program that was run in another way (no terminal). */
void cli_assert_harmless(const struct run_result *result);

/* Exit code 1 (or the one given), nothing on standard output, and the error line begins with text. */
void cli_assert_error(const struct run_result *result, int exit_code, const char *text);

/* The first word of standard output. */
void cli_assert_verdict(const struct run_result *result, const char *verdict, int exit_code);

/* What is on standard output passes tests/validate: kind "json" with the path of a schema, or "openmetrics". */
void cli_assert_valid(const struct run_result *result, const char *kind, const char *schema);

/* The result has text on either of both, however its lines are wrapped. */
bool cli_says(const struct run_result *result, const char *text);
#define cli_assert_says(result, text)                                                                                  \
	cr_assert(cli_says(result, text), "\"%s\" is not said:\n%s%s", text, (result)->output, (result)->error_output)

#endif
