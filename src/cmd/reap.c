/* `kubectl consul reap`: what is left of servers that are gone is removed. */
#include "cmd/change.h"
#include "cmd/cmd.h"
#include "consul/diagnosis.h"
#include "consul/observe.h"
#include "util/mem.h"
#include "util/str.h"

#define TIMEOUT_MS ((int64_t)5 * 60 * 1000)

struct reap_options {
	bool yes;
	bool prune;
	enum change_dry_run dry_run;
};

static const struct option reap_option_table[] = {
	CHANGE_OPTION_YES(struct reap_options, yes),
	{ .name = "prune",
	  .kind = OPTION_FLAG,
	  OPTION_AT(struct reap_options, prune),
	  .help = "Also forget servers that have left, which Consul itself does after 72 hours." },
	CHANGE_OPTION_DRY_RUN(struct reap_options, dry_run),
	{ 0 },
};

/* "reap --prune consul-4", fit for a shell. New string. */
static char *command_words(const struct strv *servers, bool prune)
{
	struct buf out = BUF_TEXT;

	buf_addf(&out, "reap%s", prune ? " --prune" : "");
	for (size_t i = 0; i < servers->count; i++) {
		_cleanup_free_ char *word = shell_word(servers->items[i]);

		buf_addf(&out, " %s", word);
	}
	return buf_detach(&out);
}

static int run_reap(const struct cmd_context *context, int *ret_exit_code, struct err *err)
{
	const struct reap_options *options = context->options;
	const struct strv *servers = &context->words->operands;
	_cleanup_free_ char *again = command_words(servers, options->prune);
	struct change change = {
		.goal = { .kind = GOAL_REAP, .prune = options->prune, .servers = servers->count > 0 ? servers : NULL },
		.label = "reap",
		.again = again,
		.yes = options->yes,
		.dry_run = options->dry_run != CHANGE_DRY_RUN_NONE,
		.timeout_ms = global_timeout_ms(context->global, TIMEOUT_MS),
	};

	(void)ret_exit_code;
	for (size_t i = 0; i < servers->count; i++)
		if (str_is_empty(servers->items[i]))
			return err_set(err, ERR_USAGE, "the name of a server must not be empty");
	return change_run(context, &change, err);
}

const struct command cmd_reap = {
	.name = "reap",
	.group = "Cluster",
	.summary = "Remove what is left of servers that are gone",
	.also = "force-leave prune clean",
	.operands = "[SERVER...]",
	.operands_max = OBSERVE_SERVERS_MAX,
	.operand = COMPLETE_REMAINS,
	.description =
	    "Removes from gossip and raft what is left of servers that are gone: members that failed, and raft peers "
	    "that belong to no pod. One at a time: a failed member is made to leave (force-leave), and if raft still "
	    "has it then, its peer is removed; before each step the cluster is looked at again. The steps are shown "
	    "first, each with the number of voters, the quorum, and how many failures the cluster withstands before "
	    "and after it; then you are asked.\n\n"
	    "A server that could come back (its ordinal is below the number of replicas, or its pod exists) is left "
	    "alone, unless it is named. SERVER is the name of a pod or of a node in Consul, or the id or address of a "
	    "raft peer; with names nobody else is touched. --timeout is 5m unless given.\n\n"
	    "Exit codes: 0 done, or nothing to reap; 1 it failed, or the answer was not yes; 4 refused by a safety "
	    "rule; 124 not done in time; 130 interrupted.",
	.examples = "# What is left of whom?\n"
	            "kubectl consul reap -n consul --dry-run\n"
	            "\n"
	            "# Remove all of it\n"
	            "kubectl consul reap -n consul\n"
	            "\n"
	            "# One server, by the name it has in Consul; forget it at once\n"
	            "kubectl consul reap old-server-7 -n consul --prune --yes",
	.options = reap_option_table,
	.options_size = sizeof(struct reap_options),
	.run = run_reap,
};
