/* health -o: objects that keep to their schema, templates, the line of a monitoring plugin, metrics. */
#include "cli.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "util/mem.h"
#include "util/str.h"

#define PATIENCE_MS   20000
#define HEALTH_SCHEMA "src/consul/health.schema.json"

static const struct cluster_server well = { .leaves_on_term = true };
static const struct cluster_server down = { .agent = AGENT_DOWN };

/* Clusters whose reports have everything, or little, in them. */
struct state {
	const char *name;
	struct cluster_server servers[4];
	size_t count;
	int leader, replicas;
	int nagios;
	const char *line; /* what that of nagios begins with */
};

static const struct state states[] = {
	{ .name = "well",
	  .servers = { { .leaves_on_term = true }, { .leaves_on_term = true }, { .leaves_on_term = true } },
	  .count = 3,
	  .nagios = 0,
	  .line = "CONSUL OK - consul/consul: 3/3 voters · leader consul-0 · tolerates 1 failure | replicas=3;;;0 "
	          "answered=3;3:;;0 lag=0;;;0 voters=3;;;0 live_voters=3;3:;2:;0;3 tolerance=1;;;0 leader=1;;1:;0;1 "
	          "findings=0;;;0\n" },
	{ .name = "one is down",
	  .servers = { { .leaves_on_term = true }, { .agent = AGENT_DOWN }, { .leaves_on_term = true } },
	  .count = 3,
	  .nagios = 1,
	  .line = "CONSUL WARNING - consul/consul: 2/3 voters · leader consul-0 · tolerates no failure; CON201 " },
	{ .name = "no leader",
	  .servers = { { .no_pod = true, .member = 'f' }, { .no_pod = true, .member = 'f' }, { .leader = 0 } },
	  .count = 3,
	  .leader = NO_LEADER,
	  .nagios = 2,
	  .line = "CONSUL CRITICAL - consul/consul: " },
	{ .name = "nobody answers",
	  .servers = { { .agent = AGENT_DOWN }, { .agent = AGENT_DOWN }, { .agent = AGENT_DOWN } },
	  .count = 3,
	  .nagios = 2,
	  .line = "CONSUL CRITICAL - consul/consul: none of 3 servers answers" },
	{ .name = "views and versions differ, a member has left, one lags",
	  .servers = { { .leaves_on_term = true },
	               { .version = "1.9.1", .sees = "afal", .lag = 700 },
	               { .not_ready = true, .peers = "VV--", .unencrypted = true },
	               { .no_pod = true, .member = 'l', .peer = '-' } },
	  .count = 4,
	  .replicas = 3,
	  .nagios = 1,
	  .line = "CONSUL WARNING - " },
	{ .name = "the ACLs deny, and one wants to obey the terminal",
	  .servers = { { .agent = AGENT_ACL_DENIED }, { .agent = AGENT_NO_OPERATOR }, { .agent = AGENT_ESCAPES } },
	  .count = 3,
	  .nagios = 1,
	  .line = "CONSUL " },
};

static void run_state(const struct state *state, const char *const *words, struct run_result *ret_result)
{
	struct cluster_options options = {
		.servers = state->servers, .count = state->count, .leader = state->leader, .replicas = state->replicas
	};

	cli_run_with(&options, words, ret_result);
}

Test(output, json_keeps_to_its_schema_in_every_state_by_both_ways)
{
	static const char *const ways[] = { "tunnel", "exec" };

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		for (size_t way = 0; way < ARRAY_SIZE(ways); way++) {
			struct run_result result;

			run_state(&states[i], RUN_ARGV("health", "-o", "json", "--via", ways[way]), &result);
			cli_assert_valid(&result, "json", HEALTH_SCHEMA);
			run_result_release(&result);
		}
}

Test(output, openmetrics_are_metrics_in_every_state)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		struct run_result result;

		run_state(&states[i], RUN_ARGV("health", "-o", "openmetrics"), &result);
		cli_assert_valid(&result, "openmetrics", NULL);
		cr_assert(str_ends_with(result.output, "\n# EOF\n"), "%s", result.output);
		run_result_release(&result);
	}
}

Test(output, nagios_has_its_own_exit_codes_and_one_line)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		struct run_result result;

		run_state(&states[i], RUN_ARGV("health", "-o", "nagios"), &result);
		cr_assert_str_empty(result.error_output);
		cr_assert(str_starts_with(result.output, states[i].line), "%s: %s", states[i].name, result.output);
		cr_assert(strchr(result.output, '|') && strchr(result.output, '\n')[1] == '\0', "%s", result.output);
		cr_assert(strncmp(result.output, "CONSUL WARNING", 14) != 0 || result.exit_code == 1);
		cr_assert(i + 1 == ARRAY_SIZE(states) || result.exit_code == states[i].nagios, "%s: %d", states[i].name,
		          result.exit_code);
		run_result_release(&result);
	}
}

Test(output, nagios_tells_what_went_wrong_on_standard_output)
{
	struct run_result result;

	cli_run(NULL, RUN_ARGV("health", "-o", "nagios", "--context", "gone"), &result);
	cr_assert_eq(result.exit_code, 3);
	cr_assert(str_starts_with(result.output, "CONSUL UNKNOWN - "), "%s", result.output);
	cr_assert_not(strchr(result.output, '|'), "%s", result.output);
	run_result_release(&result);
	cli_run_with(&(struct cluster_options){ .count = 3 }, RUN_ARGV("health", "-o", "nagios", "--name", "gone"),
	             &result);
	cr_assert_eq(result.exit_code, 3);
	cr_assert(str_starts_with(result.output, "CONSUL UNKNOWN - no Consul servers in namespace"), "%s",
	          result.output);
	run_result_release(&result);
	cli_run_with(&(struct cluster_options){ .count = 3, .servers = (struct cluster_server[]){ well, down, well } },
	             RUN_ARGV("health", "-o", "nagios", "--wait", "--timeout", "2s"), &result);
	cr_assert_eq(result.exit_code, 3);
	cr_assert(str_starts_with(result.output, "CONSUL UNKNOWN - timed out waiting"), "%s", result.output);
	run_result_release(&result);
}

struct output_case {
	const char *words[7];
	const char *output;
};

Test(output, names_and_templates)
{
	static const struct output_case cases[] = {
		{ { "health", "-o", "name" }, "statefulset.apps/consul\n" },
		{ { "health", "-oname", "--members" }, "statefulset.apps/consul\n" },
		{ { "health", "-o", "jsonpath={.verdict}" }, "HEALTHY" },
		{ { "health", "--output=jsonpath={.leader}{\"\\n\"}" }, "consul-0\n" },
		{ { "health", "-o", "jsonpath", "--template={.kind}" }, "Health" },
		{ { "health", "-o", "jsonpath={.servers[*].name}" }, "consul-0 consul-1 consul-2" },
		{ { "health", "-o", "jsonpath={range .servers[*]}{.name}={.self.lag};{end}" },
		  "consul-0=0;consul-1=0;consul-2=0;" },
		{ { "health", "-o", "jsonpath={.servers[?(@.raft.leader==true)].name}{.nope}" }, "consul-0" },
		{ { "health", "-o", "jsonpath={.verdict}", "--wait" }, "HEALTHY" },
	};
	struct cluster_options options = { .servers = (struct cluster_server[]){ well, well, well }, .count = 3 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run_result result;

		cli_run_with(&options, cases[i].words, &result);
		cr_assert_eq(result.exit_code, 0, "%s: %s", cases[i].words[2], result.error_output);
		cr_assert_str_empty(result.error_output);
		cr_assert_str_eq(result.output, cases[i].output);
		run_result_release(&result);
	}
}

/* To Nagios 1 is a warning. */
Test(output, nagios_does_not_know_where_the_command_line_is_wrong)
{
	static const struct output_case cases[] = {
		{ { "health", "-o", "nagios", "--bogus" }, "unknown flag: --bogus" },
		{ { "health", "--bogus", "-o", "nagios" }, "unknown flag: --bogus" },
		{ { "health", "--via=x", "--output=nagios" }, "invalid argument \"x\" for \"--via\" flag" },
		{ { "health", "-onagios", "--timeout", "soon" }, "Invalid timeout value." },
		{ { "health", "-o=nagios", "extra|" }, "extra arguments: [extra/]" },
		{ { "health", "-wo", "nagios" }, "--watch and --output=nagios exclude each other" },
		{ { "health", "-o", "nagios", "--fail-on=critical" }, "--fail-on and --output=nagios exclude" },
		{ { "health", "--output", "nagios", "-n" }, "flag needs an argument: 'n' in -n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *line = xasprintf("CONSUL UNKNOWN - %s", cases[i].output);
		struct run_result result;

		cli_run(NULL, cases[i].words, &result);
		cr_expect_eq(result.exit_code, 3, "%s: %d", cases[i].output, result.exit_code);
		cr_expect(str_starts_with(result.output, line), "%s: %s", line, result.output);
		cr_expect_str_empty(result.error_output);
		run_result_release(&result);
	}
}

/* No server is asked for any of these. */
Test(output, options_that_cannot_be)
{
	static const struct output_case cases[] = {
		{ { "health", "-o", "xml" },
		  "error: unable to match a printer suitable for the output format \"xml\", allowed formats are: "
		  "json,jsonpath,nagios,name,openmetrics,table,wide,yaml\n" },
		{ { "health", "-o", "jsonpath" }, "error: template format specified but no template given\n" },
		{ { "health", "-o", "jsonpath=" }, "error: template format specified but no template given\n" },
		{ { "health", "-o", "jsonpath", "{.kind}" }, "error: extra arguments: [{.kind}]\n" },
		{ { "health", "-o", "jsonpath={.kind" }, "error: error parsing jsonpath {.kind, unclosed action\n" },
		{ { "health", "-o", "openmetrics", "-w" },
		  "error: --watch and --output=openmetrics exclude each other\n" },
		{ { "health", "-o", "nagios", "-o", "json", "--bogus" }, "Error: unknown flag: --bogus\n" },
		{ { "health", "--bogus", "--", "-o", "nagios" }, "Error: unknown flag: --bogus\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run_result result;

		cli_run(NULL, cases[i].words, &result);
		cli_assert_error(&result, 1, cases[i].output);
		run_result_release(&result);
	}
}

Test(output, a_template_that_does_not_fit_is_an_error)
{
	struct cluster_options options = { .count = 3 };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health", "-o", "jsonpath={.servers[9].name}"), &result);
	cli_assert_error(
	    &result, 1,
	    "error: error executing jsonpath \"{.servers[9].name}\": Error executing template: array index "
	    "out of bounds: index 9, length 3\n");
	run_result_release(&result);
	cli_run_with(&options, RUN_ARGV("health", "-o", "jsonpath={.nope}", "--allow-missing-template-keys=false"),
	             &result);
	cli_assert_error(&result, 1,
	                 "error: error executing jsonpath \"{.nope}\": Error executing template: nope is not found\n");
	run_result_release(&result);
}

Test(output, watched_objects_are_the_same_objects)
{
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .count = 3 });
	_cleanup_free_ char *kubeconfig = cluster_kubeconfig(cluster);
	struct running *running = run_start(
	    &(struct run_options){ .argv = RUN_ARGV("health", "-w", "-o", "json"), .kubeconfig = kubeconfig });
	struct run_result result;

	cr_assert(run_wait_output(running, "\"HEALTHY\"", 1, PATIENCE_MS));
	cluster_set_server(cluster, 1, &down);
	cr_assert(run_wait_output(running, "\"DEGRADED\"", 1, PATIENCE_MS));
	run_signal(running, SIGINT);
	run_finish(running, &result);
	cr_assert_eq(result.exit_code, 130);
	cli_assert_valid(&result, "json", HEALTH_SCHEMA);
	run_result_release(&result);
	cluster_stop(cluster);
}
