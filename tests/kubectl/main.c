/*
 * main.c - runs the table (kubectl.h) and prints it: VERSION=PATH for each kubectl, newest first.
 *
 * A case is fine when our outcome is the one that is written down, and is word for word that of the newest kubectl,
 * or differs as it is written down. Older kubectls are shown where they say something else; so is everything when
 * there is none but old ones, or none at all ("alone").
 */
#include "kubectl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/script.h"
#include "util/mem.h"
#include "util/str.h"

/* kubectl 1.MODERN_MINOR has all flags and kinds of credentials that the table tries. */
#define MODERN_MINOR 26

struct table {
	struct world *world;
	char **kubectls; /* "VERSION=PATH", newest first */
	size_t kubectl_count;
	const char *only; /* pattern: rules to be tried; NULL: all */
	bool can_mount;
	unsigned passed, failed, skipped;
};

static void print_line(const char *who, const char *text)
{
	printf("         %-16s %s\n", who, text);
}

/* "better: why" is told behind the rule. */
static void print_verdict(const char *verdict, const char *rule)
{
	const char *why = strchr(verdict, ':');

	printf("%-8.*s %s%s%s\n", (int)strcspn(verdict, ":"), verdict, rule, why ? " -" : "", why ? why + 1 : "");
}

/* Whether a kubectl can all that we can do; older ones are only shown. */
static bool is_modern(const char *version)
{
	const char *minor = strchr(version, '.');

	return minor && strtol(minor + 1, NULL, 10) >= MODERN_MINOR;
}

/* "same", or the reason to differ; NULL when it must not be so. */
static const char *verdict_of(const struct kubectl_case *given, const char *ours, const char *newest)
{
	if (!match_pattern(given->outcome, ours))
		return NULL;
	if (!newest)
		return "alone";
	if (str_equal(ours, newest))
		return "same";
	return given->kubectls && match_pattern(given->kubectls, newest) ? given->why : NULL;
}

static void print_others(const struct table *table, char *const *theirs, const char *ours)
{
	for (size_t i = 0; i < table->kubectl_count; i++) {
		const char *version = table->kubectls[i];
		_cleanup_free_ char *who = xasprintf("kubectl %.*s", (int)strcspn(version, "="), version);

		/* Each outcome once, by the newest that has it. */
		if (!str_equal(theirs[i], ours) && (i == 0 || !str_equal(theirs[i], theirs[0])))
			print_line(who, theirs[i]);
	}
}

static void try_case(struct table *table, const struct kubectl_case *given)
{
	_cleanup_free_ char *ours = NULL;
	char **theirs = xcalloc(table->kubectl_count + 1, sizeof(*theirs));
	const char *verdict;

	for (size_t i = 0; i < table->kubectl_count; i++)
		theirs[i] = program_outcome(table->world, given, strchr(table->kubectls[i], '=') + 1);
	ours = program_outcome(table->world, given, NULL);
	verdict = verdict_of(given, ours, table->kubectl_count && is_modern(table->kubectls[0]) ? theirs[0] : NULL);
	if (verdict)
		table->passed++;
	else
		table->failed++;
	print_verdict(verdict ? verdict : "NOT OK", given->rule);
	print_line("kubectl-consul", ours);
	print_others(table, theirs, ours);
	if (!verdict) {
		print_line("  ours must be", given->outcome);
		print_line("  kubectl's", given->kubectls ? given->kubectls : "the same");
	}
	fflush(stdout);
	for (size_t i = 0; i < table->kubectl_count; i++)
		free(theirs[i]);
	free(theirs);
}

static void try_all(struct table *table, const struct kubectl_case *cases)
{
	for (; cases->rule; cases++) {
		if (!str_is_empty(table->only) && !match_pattern(table->only, cases->rule))
			continue;
		if (cases->in_cluster && !table->can_mount) {
			printf("%-8s %s: nothing can be mounted here\n", "skipped", cases->rule);
			table->skipped++;
		} else {
			try_case(table, cases);
		}
	}
}

int main(int argc, char **argv)
{
	static const struct kubectl_case *const tables[] = { kubectl_cases_files, kubectl_cases_users,
		                                             kubectl_cases_servers, kubectl_cases_flags,
		                                             kubectl_cases_proxies };
	struct table table = {
		.world = world_new(), .kubectls = argv + 1, .kubectl_count = (size_t)argc - 1, .only = getenv("ONLY")
	};

	table.can_mount = program_can_mount(table.world);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		try_all(&table, tables[i]);
	printf("kubectl-cases: %u tried, %u not as they must be, %u skipped, beside %zu kubectls\n",
	       table.passed + table.failed, table.failed, table.skipped, table.kubectl_count);
	world_free(table.world);
	return table.failed || !table.passed;
}
