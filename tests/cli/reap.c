/* `reap`: what is left of servers that are gone, shown and removed; who could come back is left alone. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "../support/cluster_changes.h"
#include "util/mem.h"
#include "util/str.h"

#define WELL                                                                                                           \
	{                                                                                                              \
		.leaves_on_term = true                                                                                 \
	}

struct reap_case {
	const char *name;
	const char *words[6];
	struct cluster_server servers[5];
	size_t count;
	int exit_code;
	const char *says[5];
	const char *lacks;
};

static const struct reap_case cases[] = {
	{ .name = "nothing",
	  .words = { "reap" },
	  .servers = { WELL, WELL, WELL },
	  .count = 3,
	  .says = { "consul/consul: nothing to reap\n" },
	  .lacks = "STEP" },
	{ .name = "a failed one that is still a peer",
	  .words = { "reap", "--dry-run" },
	  .servers = { WELL, WELL, WELL, { .no_pod = true, .member = 'f' } },
	  .count = 4,
	  .says = { "consul/consul  3/4 voters · leader consul-0 · ", "1      force-leave consul-3 (",
	            "4 -> 3   3 -> 2   0 -> 1\n", "\ndry run: nothing was changed\n" } },
	{ .name = "one that has left is left to Consul",
	  .words = { "reap", "--dry-run" },
	  .servers = { WELL, WELL, WELL, { .no_pod = true, .member = 'l', .peer = '-' } },
	  .count = 4,
	  .says = { "nothing to reap" } },
	{ .name = "one that has left is forgotten with --prune",
	  .words = { "reap", "--prune", "--dry-run=client" },
	  .servers = { WELL, WELL, WELL, { .no_pod = true, .member = 'l', .peer = '-' } },
	  .count = 4,
	  .says = { "forget consul-3 (", "3        2        1\n" } },
	{ .name = "a name that nobody has",
	  .words = { "reap", "consul-77" },
	  .servers = { WELL, WELL, WELL },
	  .count = 3,
	  .says = { "consul/consul: nothing to reap\n", "note: nobody knows consul-77: nothing to reap\n" } },
	{ .name = "only the one that is named",
	  .words = { "reap", "consul-3", "--dry-run" },
	  .servers = { WELL,
	               WELL,
	               WELL,
	               { .no_pod = true, .member = 'f', .peer = '-' },
	               { .no_pod = true, .member = 'f', .peer = '-' } },
	  .count = 5,
	  .says = { "force-leave consul-3 (" },
	  .lacks = "consul-4" },
	{ .name = "no name at all",
	  .words = { "reap", "" },
	  .servers = { WELL, WELL, WELL },
	  .count = 3,
	  .exit_code = 1,
	  .says = { "error: the name of a server must not be empty" } },
	{ .name = "an unknown option",
	  .words = { "reap", "--force" },
	  .servers = { WELL, WELL, WELL },
	  .count = 3,
	  .exit_code = 1,
	  .says = { "Error: unknown flag: --force", "See 'kubectl consul reap --help' for usage." } },
	{ .name = "help",
	  .words = { "reap", "--help" },
	  .servers = { WELL, WELL, WELL },
	  .count = 3,
	  .says = { "kubectl consul reap [SERVER...] [options]", "--prune", "4 refused by a safety rule" } },
	{ .name = "nobody to ask",
	  .words = { "reap" },
	  .servers = { WELL, WELL, WELL, { .no_pod = true, .member = 'f' } },
	  .count = 4,
	  .exit_code = 1,
	  .says = { "error: there is no terminal to ask on, so nothing was changed", "hint: add --yes" } },
};

Test(reap, plans_are_shown_and_nothing_is_written)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct reap_case *c = &cases[i];
		struct cluster_options options = { .servers = c->servers, .count = c->count, .replicas = 3 };
		struct cluster *cluster = cluster_start(&options);
		struct cluster_changes changes = { .cluster = cluster };
		struct run_result result;

		cluster_changes_begin(&changes);
		cli_run_on(cluster, c->words, &result);
		cr_assert_eq(result.exit_code, c->exit_code, "%s: %d\n%s%s", c->name, result.exit_code, result.output,
		             result.error_output);
		for (size_t k = 0; k < ARRAY_SIZE(c->says) && c->says[k]; k++)
			cr_assert(strstr(result.output, c->says[k]) || strstr(result.error_output, c->says[k]),
			          "%s: no \"%s\" in\n%s%s", c->name, c->says[k], result.output, result.error_output);
		cr_assert(!c->lacks || !strstr(result.output, c->lacks), "%s: \"%s\" in\n%s", c->name, c->lacks,
		          result.output);
		cr_assert_eq(cluster_changes_writes(&changes), 0, "%s: something was written", c->name);
		run_result_release(&result);
		cluster_stop(cluster);
		cluster_changes_end(&changes);
	}
}

static void reap(const char *via)
{
	static const struct cluster_server servers[] = {
		WELL, WELL, WELL, { .no_pod = true, .member = 'f' }, { .no_pod = true, .member = 'f', .peer = '-' }
	};
	struct cluster_options options = { .servers = servers, .count = 5, .replicas = 3 };
	struct cluster *cluster = cluster_start(&options);
	struct cluster_changes changes = { .cluster = cluster };
	struct run_result result;

	cluster_changes_begin(&changes);
	cli_run_on(cluster, RUN_ARGV("reap", "--yes", "--via", via), &result);
	cr_assert_eq(result.exit_code, 0, "%s: %d\n%s%s", via, result.exit_code, result.output, result.error_output);
	cr_assert(strstr(result.error_output, ": force-leave consul-3 ("), "%s", result.error_output);
	cr_assert(strstr(result.error_output, ": force-leave consul-4 ("), "%s", result.error_output);
	cr_assert(strstr(result.error_output, "step 2 done in "), "%s", result.error_output);
	cr_assert(strstr(result.output, "\nconsul/consul: nothing is left to reap\n"), "%s", result.output);
	cr_assert(strstr(result.output, "\nHEALTHY  consul/consul  3/3 voters"), "%s", result.output);
	cr_assert_str_eq(cluster_changes_holder(&changes), "");
	cr_assert_eq(apiserver_count(cluster_api(cluster), "PATCH", NULL), 0);
	run_result_release(&result);
	cluster_stop(cluster);
	cluster_changes_end(&changes);
}

Test(reap, yes_carries_it_out_by_either_way)
{
	reap("tunnel");
	reap("exec");
}

Test(reap, the_command_that_goes_on_is_quoted_for_a_shell)
{
	static const struct cluster_server servers[] = { WELL, WELL, WELL, { .no_pod = true, .member = 'f' } };
	struct cluster *cluster =
	    cluster_start(&(struct cluster_options){ .servers = servers, .count = 4, .replicas = 3 });
	struct cluster_changes changes = { .cluster = cluster, .refuse = "*/leases*" };
	struct run_result result;

	cluster_changes_begin(&changes);
	cli_run_on(cluster, RUN_ARGV("reap", "consul-3", "it's gone", "--prune", "-y"), &result);
	cr_assert_eq(result.exit_code, 1, "%d %s", result.exit_code, result.error_output);
	cr_assert(strstr(result.error_output, "leases"), "%s", result.error_output);
	cr_assert(strstr(result.error_output, "nothing was changed"), "%s", result.error_output);
	cr_assert(strstr(result.error_output,
	                 "to go on from here: kubectl consul reap --prune consul-3 'it'\\''s gone' -n consul --yes\n"),
	          "%s", result.error_output);
	run_result_release(&result);
	cluster_stop(cluster);
	cluster_changes_end(&changes);
}
