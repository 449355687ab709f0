/* --watch, --wait, Ctrl-C and the terminal: what happens over time. */
#include "cli.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "util/mem.h"
#include "util/str.h"

#define PATIENCE_MS 20000

static const struct cluster_server well = { .leaves_on_term = true };
static const struct cluster_server down = { .agent = AGENT_DOWN };

static struct running *start_on(struct cluster *cluster, const char *const *words, bool terminal)
{
	_cleanup_free_ char *kubeconfig = cluster_kubeconfig(cluster);

	return run_start(&(struct run_options){ .argv = words, .kubeconfig = kubeconfig, .terminal = terminal });
}

Test(watch, every_change_is_shown_until_ctrl_c)
{
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .count = 3 });
	struct running *running = start_on(cluster, RUN_ARGV("health", "--watch"), false);
	struct run_result result;

	cr_assert(run_wait_output(running, "HEALTHY", 1, PATIENCE_MS));
	cluster_set_server(cluster, 1, &down);
	cr_assert(run_wait_output(running, "DEGRADED", 1, PATIENCE_MS));
	cluster_set_server(cluster, 1, &well);
	cr_assert(run_wait_output(running, "HEALTHY", 2, PATIENCE_MS));
	run_signal(running, SIGINT);
	run_finish(running, &result);
	cr_assert_eq(result.exit_code, 130, "%d %s", result.exit_code, result.error_output);
	run_result_release(&result);
	cluster_stop(cluster);
}

Test(watch, wait_ends_when_it_is_healthy)
{
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .count = 3 });
	struct running *running;
	struct run_result result;

	cluster_set_server(cluster, 2, &down);
	running = start_on(cluster, RUN_ARGV("health", "--wait", "--timeout", "60s"), false);
	cr_assert(run_wait_output(running, "DEGRADED", 1, PATIENCE_MS));
	cluster_set_server(cluster, 2, &well);
	run_finish(running, &result);
	cr_assert_eq(result.exit_code, 0, "%d %s%s", result.exit_code, result.output, result.error_output);
	cr_assert(strstr(result.output, "HEALTHY"));
	run_result_release(&result);
	cluster_stop(cluster);
}

Test(watch, wait_gives_up_at_the_time_out)
{
	static const struct cluster_server servers[] = { { 0 }, { .agent = AGENT_DOWN }, { 0 } };
	struct cluster_options options = { .servers = servers, .count = 3 };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health", "--wait", "--timeout", "2s"), &result);
	cr_assert_eq(result.exit_code, 124, "%d %s", result.exit_code, result.error_output);
	cr_assert(strstr(result.error_output, "timed out"), "%s", result.error_output);
	cr_assert_lt(result.wall_ms, 8000);
	run_result_release(&result);
}

Test(watch, ctrl_c_ends_a_look_that_hangs)
{
	static const struct cluster_server servers[] = { { 0 }, { .agent = AGENT_HANGS }, { 0 } };
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .servers = servers, .count = 3 });
	struct running *running = start_on(cluster, RUN_ARGV("health", "--timeout", "60s"), false);
	struct run_result result;

	cr_assert(apiserver_wait(cluster_api(cluster), "GET", "*/portforward", 3, PATIENCE_MS));
	run_signal(running, SIGINT);
	run_finish(running, &result);
	cr_assert_eq(result.exit_code, 130, "%d %s", result.exit_code, result.error_output);
	cr_assert_lt(result.wall_ms, PATIENCE_MS);
	run_result_release(&result);
	cluster_stop(cluster);
}

Test(watch, a_terminal_gets_colours_unless_it_does_not_want_them)
{
	static const char *const no_color[] = { "NO_COLOR=1", NULL };
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .count = 3 });
	_cleanup_free_ char *kubeconfig = cluster_kubeconfig(cluster);
	struct run_options options = { .argv = RUN_ARGV("health"), .kubeconfig = kubeconfig, .terminal = true };
	struct run_result result;

	run_program(&options, &result);
	cr_assert_eq(result.exit_code, 0);
	cr_assert(strstr(result.output, "HEALTHY") && strstr(result.output, "\x1b["), "%s", result.output);
	run_result_release(&result);
	options.environment = no_color;
	run_program(&options, &result);
	cr_assert_eq(result.exit_code, 0);
	cr_assert_not(strstr(result.output, "\x1b["), "%s", result.output);
	run_result_release(&result);
	cluster_stop(cluster);
}

Test(watch, a_terminal_that_watches_is_left_in_order)
{
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .count = 3 });
	struct running *running = start_on(cluster, RUN_ARGV("health", "--watch"), true);
	struct run_result result;

	cr_assert(run_wait_output(running, "HEALTHY", 1, PATIENCE_MS));
	run_type(running, "\x03");
	run_finish(running, &result);
	cr_assert_eq(result.exit_code, 130, "%d %s", result.exit_code, result.output);
	/* A cursor that was hidden is shown again. */
	cr_assert(!strstr(result.output, "\x1b[?25l") || strstr(result.output, "\x1b[?25h"), "%s", result.output);
	run_result_release(&result);
	cluster_stop(cluster);
}
