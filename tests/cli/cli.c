/* See cli.h. */
#include "cli.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "util/mem.h"
#include "util/str.h"

/* How much of an output a failed assertion shows. */
#define SHOWN 2000

/* Nothing but text: no control character, be it of two bytes, nothing that turns the direction, no byte that is not
 * UTF-8.
 */
static void assert_printable(const char *what, const char *text, size_t length)
{
	_cleanup_strv_ struct strv lines = STRV_INIT;

	cr_assert_eq(strlen(text), length, "a NUL on %s", what);
	strv_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.count; i++) {
		_cleanup_free_ char *visible = NULL;

		for (char *tab = lines.items[i]; (tab = strchr(tab, '\t')); tab++)
			*tab = ' ';
		visible = str_visible(lines.items[i], 0);
		cr_assert(str_equal(visible, lines.items[i]) || strlen(lines.items[i]) > STR_VISIBLE_MAX, "on %s: %.*s",
		          what, SHOWN, visible);
	}
}

/* Of standard error: no sanitizer, no assertion, no usage text. */
static void assert_sane(const struct run_result *result)
{
	static const char *const never[] = { "AddressSanitizer", "LeakSanitizer", "runtime error:", "Assertion" };

	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		cr_assert_not(strstr(result->error_output, never[i]), "%.*s", SHOWN, result->error_output);
	cr_assert_not(result->timed_out, "it had to be killed: %.*s%.*s", SHOWN, result->output, SHOWN,
	              result->error_output);
	cr_assert_lt(result->exit_code, 131, "ended by signal %d", result->exit_code - 128);
}

void cli_assert_harmless(const struct run_result *result)
{
	assert_sane(result);
	assert_printable("standard output", result->output, result->output_length);
	assert_printable("standard error", result->error_output, result->error_length);
}

void cli_run(const char *kubeconfig, const char *const *words, struct run_result *ret_result)
{
	run_program(&(struct run_options){ .argv = words, .kubeconfig = kubeconfig }, ret_result);
	cli_assert_harmless(ret_result);
}

void cli_run_on(struct cluster *cluster, const char *const *words, struct run_result *ret_result)
{
	_cleanup_free_ char *kubeconfig = cluster_kubeconfig(cluster);
	_cleanup_free_ char *complaints = NULL;

	cli_run(kubeconfig, words, ret_result);
	complaints = apiserver_complaints(cluster_api(cluster));
	cr_assert_str_empty(complaints, "%s", complaints);
}

void cli_run_with(const struct cluster_options *options, const char *const *words, struct run_result *ret_result)
{
	struct cluster *cluster = cluster_start(options);

	cli_run_on(cluster, words, ret_result);
	cluster_stop(cluster);
}

/* Lines of text that do not begin with "hint:" or white space (further lines of a hint), or name where help is. */
static size_t count_error_lines(const char *text)
{
	size_t count = 0;

	while (*text) {
		size_t length = strcspn(text, "\n");

		count += length && !isspace((unsigned char)*text) && !str_starts_with(text, "hint:") &&
		         !str_starts_with(text, "See '") && !str_starts_with(text, "Did you mean");
		text += length;
		text += *text == '\n';
	}
	return count;
}

void cli_assert_error(const struct run_result *result, int exit_code, const char *text)
{
	cr_assert_eq(result->exit_code, exit_code, "exit code %d: %.*s%.*s", result->exit_code, SHOWN, result->output,
	             SHOWN, result->error_output);
	cr_assert_str_empty(result->output, "on standard output: %.*s", SHOWN, result->output);
	cr_assert(str_starts_with(result->error_output, text), "not \"%s\" but: %.*s", text, SHOWN,
	          result->error_output);
	cr_assert_eq(count_error_lines(result->error_output), 1, "more than one line: %.*s", SHOWN,
	             result->error_output);
	cr_assert(str_ends_with(result->error_output, "\n"));
}

void cli_assert_verdict(const struct run_result *result, const char *verdict, int exit_code)
{
	size_t length = strcspn(result->output, " \n");

	cr_assert(strlen(verdict) == length && strncmp(result->output, verdict, length) == 0, "not %s:\n%.*s%.*s",
	          verdict, SHOWN, result->output, SHOWN, result->error_output);
	cr_assert_eq(result->exit_code, exit_code, "exit code %d:\n%.*s%.*s", result->exit_code, SHOWN, result->output,
	             SHOWN, result->error_output);
}

void cli_assert_valid(const struct run_result *result, const char *kind, const char *schema)
{
	struct run_result verdict;

	run_program(&(struct run_options){ .program = "tests/validate",
	                                   .argv = RUN_ARGV(kind, schema),
	                                   .input = result->output },
	            &verdict);
	cr_assert_eq(verdict.exit_code, 0, "%.*s\n%.*s", SHOWN, verdict.error_output, SHOWN, result->output);
	run_result_release(&verdict);
}

/* Text with each run of white space as one space: screens wrap their lines. */
static char *unwrapped(const char *text)
{
	char *copy = xstrdup(text), *out = copy;

	for (const char *in = copy; *in; in++) {
		bool space = isspace((unsigned char)*in);

		if (!space)
			*out++ = *in;
		else if (out > copy && out[-1] != ' ')
			*out++ = ' ';
	}
	*out = '\0';
	return copy;
}

bool cli_says(const struct run_result *result, const char *text)
{
	_cleanup_free_ char *output = unwrapped(result->output);
	_cleanup_free_ char *errors = unwrapped(result->error_output);

	return strstr(output, text) || strstr(errors, text);
}
