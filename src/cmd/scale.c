/* `kubectl consul scale N`: another number of servers, one at a time. */
#include <inttypes.h>
#include <unistd.h>

#include "cmd/change.h"
#include "cmd/cmd.h"
#include "consul/manifest.h"
#include "util/mem.h"
#include "util/str.h"

#define TIMEOUT_MS ((int64_t)15 * 60 * 1000)

struct scale_options {
	int64_t replicas;
	bool yes;
	bool force;
	const char *backup_path;
	bool delete_claims;
	enum change_dry_run dry_run;
};

static const struct option scale_option_table[] = {
	CHANGE_OPTION_YES(struct scale_options, yes),
	{ .name = "force",
	  .kind = OPTION_FLAG,
	  OPTION_AT(struct scale_options, force),
	  .help =
	      "Allow an even number of servers, or fewer than 3; and let a new server start with data that is older "
	      "than Consul accepts by default (7 days). No other rule is given up for it." },
	{ .name = "snapshot",
	  .kind = OPTION_STRING,
	  OPTION_AT(struct scale_options, backup_path),
	  .value_name = "FILE",
	  .complete = COMPLETE_FILE,
	  .help = "Before the first change save a snapshot of Consul's data to this file, which must not exist yet. It "
	          "holds every secret of the cluster." },
	{ .name = "delete-claims",
	  .kind = OPTION_FLAG,
	  OPTION_AT(struct scale_options, delete_claims),
	  .help =
	      "Delete the data (PersistentVolumeClaims) of servers that have gone, and of earlier ones in the place "
	      "of new servers before those start. Without it data is kept, and used again." },
	{ .name = "replicas",
	  .kind = OPTION_INT,
	  OPTION_AT(struct scale_options, replicas),
	  .min = 1,
	  .max = MANIFEST_REPLICAS_MAX,
	  .value_name = "N",
	  .complete = COMPLETE_SIZE,
	  .help = "The number of servers, as `kubectl scale` has it; the same as N." },
	CHANGE_OPTION_DRY_RUN(struct scale_options, dry_run),
	{ 0 },
};

static int wrong_number(const char *text, struct err *err)
{
	_cleanup_free_ char *shown = str_visible(text, 0);

	return err_set(err, ERR_USAGE, "invalid number of servers \"%s\": must be a whole number from 1 to %d", shown,
	               MANIFEST_REPLICAS_MAX);
}

/* N, or --replicas=N. */
static int read_number(const struct cmd_context *context, int64_t *ret_number, struct err *err)
{
	const struct scale_options *options = context->options;
	const struct strv *operands = &context->words->operands;
	bool has_option = option_was_given(context->words, "replicas");
	int64_t number = options->replicas;

	if (operands->count == 0 && !has_option)
		return err_set(err, ERR_USAGE, "the number of servers is required: %s N", context->title);
	if (operands->count > 0 &&
	    (str_to_int64(operands->items[0], &number) < 0 || number < 1 || number > MANIFEST_REPLICAS_MAX))
		return wrong_number(operands->items[0], err);
	if (has_option && number != options->replicas)
		return err_set(err, ERR_USAGE, "%" PRId64 " servers or --replicas=%" PRId64 ": one of them is wrong",
		               number, options->replicas);
	*ret_number = number;
	return 0;
}

static int run_scale(const struct cmd_context *context, int *ret_exit_code, struct err *err)
{
	const struct scale_options *options = context->options;
	_cleanup_free_ char *label = NULL, *again = NULL;
	struct change change = {
		.goal = { .kind = GOAL_SCALE, .force = options->force, .delete_claims = options->delete_claims },
		.backup_path = options->backup_path,
		.yes = options->yes,
		.dry_run = options->dry_run != CHANGE_DRY_RUN_NONE,
		.timeout_ms = global_timeout_ms(context->global, TIMEOUT_MS),
	};

	(void)ret_exit_code;
	if (read_number(context, &change.goal.replicas, err) < 0)
		return -1;
	if (options->backup_path && access(options->backup_path, F_OK) == 0)
		return err_set(err, ERR_CONFIG, "--snapshot %s: the file exists already", options->backup_path);
	label = xasprintf("scale %" PRId64, change.goal.replicas);
	again = xasprintf("%s%s%s", label, options->force ? " --force" : "",
	                  options->delete_claims ? " --delete-claims" : "");
	change.label = label;
	change.again = again;
	return change_run(context, &change, err);
}

const struct command cmd_scale = {
	.name = "scale",
	.group = "Cluster",
	.summary = "Change the number of servers, one at a time, with the quorum kept",
	.also = "resize replicas",
	.operands = "N",
	.operands_max = 1,
	.operand = COMPLETE_SIZE,
	.description =
	    "Brings the cluster to N servers, all of them voters, one server at a time. The steps are shown first, "
	    "each "
	    "with the number of voters, the quorum, and how many failures the cluster withstands before and after it; "
	    "then you are asked.\n\n"
	    "A new server is waited for until it is a voter without lag in the eyes of all others; only then comes the "
	    "next. Down it goes from the highest ordinal: a leader hands over first, the server leaves, its pod is "
	    "waited for to be gone, and what is left of it in raft is removed. No step is begun that could cost the "
	    "quorum, or while the servers do not agree on a leader; then the command refuses, and says why.\n\n"
	    "Nothing is remembered: a run that was stopped anywhere is simply started again. What was begun goes on in "
	    "the cluster meanwhile. The Lease NAME-kubectl-consul keeps two people from doing this at once. The data "
	    "of "
	    "servers that go is kept, unless --delete-claims is given. --timeout is 15m unless given.\n\n"
	    "Exit codes: 0 done, or nothing to do; 1 it failed, or the answer was not yes; 4 refused by a safety rule; "
	    "124 not done in time; 130 interrupted.",
	.examples = "# What would be done?\n"
	            "kubectl consul scale 5 -n consul --dry-run\n"
	            "\n"
	            "# Five servers\n"
	            "kubectl consul scale 5 -n consul\n"
	            "\n"
	            "# In a script, with a snapshot of the data first\n"
	            "kubectl consul scale 3 -n consul --yes --snapshot before.snap\n"
	            "\n"
	            "# One server, and the data of the others is deleted\n"
	            "kubectl consul scale 1 -n consul --force --delete-claims",
	.options = scale_option_table,
	.options_size = sizeof(struct scale_options),
	.run = run_scale,
};
