/* What terminals of every kind get: narrow, dumb, without colours, without UTF-8, resized while something is shown. */
#include "cli.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "util/mem.h"
#include "util/str.h"
#include "util/term.h"

#define PATIENCE_MS 20000

static const char *const in_ascii[] = { "LC_ALL=C", NULL };
static const char *const without_colour[] = { "NO_COLOR=1", NULL };
static const char *const on_a_dumb_one[] = { "TERM=dumb", NULL };

static const struct cluster_server down = { .agent = AGENT_DOWN };
static const struct cluster_server well = { .leaves_on_term = true };

/* One healthy cluster, and one with something of everything. */
static const struct cluster_server fine_servers[] = { { .leaves_on_term = true },
	                                              { .leaves_on_term = true },
	                                              { .leaves_on_term = true } };
static const struct cluster_server broken_servers[] = { { .version = "1.9.1" },
	                                                { .agent = AGENT_DOWN },
	                                                { .no_pod = true, .member = 'f' },
	                                                { .sees = "afaa", .lag = 700 } };
static const struct cluster_options clusters[] = { { .servers = fine_servers, .count = 3 },
	                                           { .servers = broken_servers, .count = 4 } };

/* Nothing of them is changed. */
static const char *const commands[][6] = {
	{ "health" },
	{ "health", "-o", "wide" },
	{ "health", "--members" },
	{ "health", "-o", "nagios" },
	{ "scale", "5", "--dry-run", "--timeout=1s" },
	{ "reap", "--dry-run", "--timeout=1s" },
	{ "failover", "--dry-run", "--timeout=1s" },
	{ "recover", "--timeout=1s" },
	{ "deploy", "--preflight", "--timeout=1s" },
	{ "deploy", "--dry-run=client", "--skip-preflight", "--timeout=1s" },
	{ "explain" },
	{ "explain", "CON401" },
	{ "help" },
	{ "health", "--help" },
	{ "deploy", "--help" },
	{ "scale", "--help" },
	{ "options" },
	{ "version" },
	{ "health", "--bogus" },
	{ "health", "--name", "h\xc3\xa4\xe2\x80\xa6" },
};

static void run_on_terminal(const struct cluster_options *options, const char *const *words,
                            const char *const *environment, unsigned short columns, struct run_result *ret_result)
{
	struct cluster *cluster = cluster_start(options);
	_cleanup_free_ char *kubeconfig = cluster_kubeconfig(cluster);

	run_program(&(struct run_options){ .argv = words,
	                                   .kubeconfig = kubeconfig,
	                                   .environment = environment,
	                                   .terminal = true,
	                                   .columns = columns },
	            ret_result);
	cr_assert_not(ret_result->timed_out, "%s", words[0]);
	cr_assert_lt(ret_result->exit_code, 128);
	cluster_stop(cluster);
}

static void assert_ascii(const struct run_result *result, const char *command)
{
	for (size_t i = 0; i < result->output_length; i++)
		cr_assert_lt((unsigned char)result->output[i], 0x80, "%s: %s", command, result->output);
}

/* No escape sequence, nor anything else that a printer would not print. */
static void assert_plain(const struct run_result *result, const char *command)
{
	for (size_t i = 0; i < result->output_length; i++) {
		unsigned char c = (unsigned char)result->output[i];

		cr_assert(c >= ' ' || c == '\n' || c == '\r' || c == '\t', "%s: 0x%02x in %s", command, c,
		          result->output);
	}
}

Test(screen, without_utf_8_there_is_none)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		for (size_t c = 0; c < ARRAY_SIZE(clusters); c++) {
			struct run_result result;

			run_on_terminal(&clusters[c], commands[i], in_ascii, 80, &result);
			assert_ascii(&result, commands[i][0]);
			run_result_release(&result);
		}
}

Test(screen, a_dumb_one_or_one_without_colours_gets_plain_text)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		struct run_result result;

		run_on_terminal(&clusters[1], commands[i], on_a_dumb_one, 80, &result);
		assert_plain(&result, commands[i][0]);
		run_result_release(&result);
	}
	for (size_t i = 0; i < 3; i++) {
		struct run_result result;

		run_on_terminal(&clusters[1], commands[i], without_colour, 80, &result);
		assert_plain(&result, commands[i][0]);
		run_result_release(&result);
	}
}

/* Errors are lines, as kubectl's are; what is there to be pasted, or is one word (a path, a list), is not broken. */
static bool may_be_long(const char *line)
{
	const char *last = strrchr(line, ' ');

	return str_starts_with(line, "error: ") || str_starts_with(line, "hint: ") ||
	       str_starts_with(line, "refused: ") || strstr(line, "kubectl ") || !last || strlen(last) > 38;
}

/* Without escape sequences. */
static void strip(char *text)
{
	char *out = text;

	for (const char *in = text; *in; in++) {
		if (in[0] != '\x1b' || in[1] != '[') {
			*out++ = *in == '\r' ? '\n' : *in;
			continue;
		}
		in += 2;
		in += strspn(in, "0123456789;");
	}
	*out = '\0';
}

static void assert_fits(const struct run_result *result, const char *command, size_t columns)
{
	_cleanup_strv_ struct strv lines = STRV_INIT;

	strip(result->output);
	strv_split(&lines, result->output, '\n');
	for (size_t i = 0; i < lines.count; i++) {
		const char *line = lines.items[i];

		cr_assert(term_text_width(line) <= columns || may_be_long(line),
		          "%s at %zu columns: %zu in\n%s\nof\n%s", command, columns, term_text_width(line), line,
		          result->output);
	}
}

Test(screen, nothing_is_wider_than_the_terminal)
{
	static const unsigned short widths[] = { 40, 60, 80 };
	/* Those that print help keep its examples' lines, and tables of names theirs. */
	static const size_t screens[] = { 0, 2, 4, 5, 6, 7, 8 };

	for (size_t w = 0; w < ARRAY_SIZE(widths); w++)
		for (size_t i = 0; i < ARRAY_SIZE(screens); i++)
			for (size_t c = 0; c < ARRAY_SIZE(clusters); c++) {
				const char *const *words = commands[screens[i]];
				struct run_result result;

				run_on_terminal(&clusters[c], words, without_colour, widths[w], &result);
				assert_fits(&result, words[0], widths[w]);
				run_result_release(&result);
			}
}

/* -------------------------------------------------------------------------------------- what is redrawn */

static struct running *watch_on_terminal(struct cluster *cluster, const char *const *environment)
{
	_cleanup_free_ char *kubeconfig = cluster_kubeconfig(cluster);

	return run_start(&(struct run_options){ .argv = RUN_ARGV("health", "--watch"),
	                                        .kubeconfig = kubeconfig,
	                                        .environment = environment,
	                                        .terminal = true });
}

Test(screen, one_that_is_resized_is_redrawn_to_fit)
{
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .servers = fine_servers, .count = 3 });
	struct running *running = watch_on_terminal(cluster, without_colour);
	_cleanup_free_ char *at_once = NULL, *narrow = NULL, *wide = NULL;
	struct run_result result;
	const char *redrawn;
	size_t lengths[4];

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		if (i == 1)
			run_resize(running, 40, 60);
		if (i == 3)
			run_resize(running, 100, 60);
		/* Twice after a resize: as it is, and as the next look has it. */
		cr_assert(run_wait_output(running, "plain: HTTP API", i == 3 ? 5 : i + 1, PATIENCE_MS));
		lengths[i] = run_output_length(running);
	}
	run_type(running, "\x03");
	run_finish(running, &result);
	cr_assert_eq(result.exit_code, 130);
	at_once = xstrndup(result.output + lengths[0], lengths[1] - lengths[0]);
	narrow = xstrndup(result.output + lengths[1], lengths[2] - lengths[1]);
	wide = xstrdup(result.output + lengths[2]);
	/* Without a look in between the table is the wide one, wrapped. */
	cr_assert(strstr(at_once, "NODE"), "%s", at_once);
	/*
	 * Up to the block's first line, as the narrower terminal has broken it: 13 lines of up to 97 columns. All of it
	 * is erased, since a terminal would join the lines that it has broken once it is wide again.
	 */
	cr_assert(str_starts_with(at_once, "\r\x1b["), "%s", at_once);
	cr_assert(str_starts_with(strchr(at_once, 'A') + 1, "\x1b[J"), "%s", at_once);
	redrawn = strstr(narrow, "HEALTHY");
	cr_assert(redrawn && strstr(redrawn, " ·\x1b[K\r\r\n    leader"), "the verdict is wrapped: %s", narrow);
	cr_assert(strstr(narrow, "tolerates 1\x1b[K\r\r\n    failure") && !strstr(narrow, "NODE"), "%s", narrow);
	cr_assert(strstr(wide, "leader consul-0 · tolerates 1 failure\x1b[K\r\r\n") && strstr(wide, "NODE"), "%s",
	          wide);
	run_result_release(&result);
	cluster_stop(cluster);
}

Test(screen, a_dumb_one_that_watches_gets_a_line_for_each_change)
{
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .servers = fine_servers, .count = 3 });
	struct running *running = watch_on_terminal(cluster, on_a_dumb_one);
	struct run_result result;

	cr_assert(run_wait_output(running, "HEALTHY  consul/consul", 1, PATIENCE_MS));
	cluster_set_server(cluster, 1, &down);
	cr_assert(run_wait_output(running, "DEGRADED  consul/consul", 1, PATIENCE_MS));
	cluster_set_server(cluster, 1, &well);
	cr_assert(run_wait_output(running, "HEALTHY  consul/consul", 2, PATIENCE_MS));
	run_signal(running, SIGINT);
	run_finish(running, &result);
	assert_plain(&result, "health --watch");
	cr_assert_eq(result.exit_code, 130);
	run_result_release(&result);
	cluster_stop(cluster);
}

Test(screen, a_watch_without_utf_8_or_colours_has_none)
{
	static const char *const environment[] = { "LC_ALL=POSIX", "NO_COLOR=1", NULL };
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .servers = fine_servers, .count = 3 });
	struct running *running = watch_on_terminal(cluster, environment);
	struct run_result result;

	cr_assert(run_wait_output(running, "HEALTHY", 1, PATIENCE_MS));
	cluster_set_server(cluster, 1, &down);
	cr_assert(run_wait_output(running, "DEGRADED", 1, PATIENCE_MS));
	run_type(running, "\x03");
	run_finish(running, &result);
	assert_ascii(&result, "health --watch");
	cr_assert_not(strstr(result.output, "\x1b[3"), "%s", result.output);
	run_result_release(&result);
	cluster_stop(cluster);
}
