/* `kubectl consul recover`: a cluster that lost its quorum for good goes on with what is left of it. */
#include <stdlib.h>
#include <unistd.h>

#include "cmd/again.h"
#include "cmd/change.h"
#include "cmd/change_act.h"
#include "cmd/claim.h"
#include "cmd/cmd.h"
#include "cmd/live.h"
#include "cmd/recover_screen.h"
#include "consul/diagnosis.h"
#include "consul/raft_copy.h"
#include "consul/recovery_act.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/* Most that a cluster whose servers all vote is waited for until it is HEALTHY. */
#define SETTLES_MS       ((int64_t)30 * 1000)
#define LOOK_INTERVAL_MS ((int64_t)1000)
#define TIMEOUT_MS       ((int64_t)15 * 60 * 1000)

struct recover_options {
	bool yes;
	bool force;
	const char *directory;
};

static const struct option recover_option_table[] = {
	{ .name = "yes",
	  .letter = 'y',
	  .kind = OPTION_FLAG,
	  OPTION_AT(struct recover_options, yes),
	  .help = "Carry it out. Without it nothing is changed, and what would be done is shown." },
	{ .name = "save",
	  .kind = OPTION_STRING,
	  OPTION_AT(struct recover_options, directory),
	  .value_name = "DIR",
	  .complete = COMPLETE_DIRECTORY,
	  .help = "Before anything is changed save the raft directory of the server whose data becomes the truth as "
	          "DIR/POD.tar, which must not exist yet. It holds every secret of the cluster." },
	{ .name = "force",
	  .kind = OPTION_FLAG,
	  OPTION_AT(struct recover_options, force),
	  .help = "Go on without servers that may come back, or whose data may be ahead: what only they have is lost. "
	          "Where there is a leader, or where there are two clusters, nothing is recovered all the same." },
	{ 0 },
};

/* One run. */
struct recover_run {
	struct change_run base; /* the connection, the world, the screen */
	const struct recover_options *options;
	struct change_telling telling;
	struct recovery_look look;
	bool saved; /* what --save asks for is there */
	bool begun; /* something was, or may have been, changed */
};

/* "recover --force --save DIR --yes": what this run was given and has still to be done. New string. */
static char *command_words(const struct recover_run *run)
{
	_cleanup_free_ char *directory = run->options->directory ? shell_word(run->options->directory) : NULL;
	bool saves = directory && !run->saved;

	return xasprintf("recover%s%s%s --yes", run->options->force ? " --force" : "", saves ? " --save " : "",
	                 saves ? directory : "");
}

static struct recovery_act_options options_of(struct recover_run *run)
{
	return (struct recovery_act_options){
		.recovery = { .force = run->options->force },
		.deadline_ms = run->base.deadline_ms,
		.tell = change_tell,
		.tell_context = &run->telling,
	};
}

/* -------------------------------------------------------------------------------------------- by steps */

static int save(struct recover_run *run, struct err *err)
{
	const struct recovery_server *best = run->look.recovery.best;
	_cleanup_free_ char *path = NULL, *shown = NULL;
	uint64_t bytes = 0;

	if (!run->options->directory || run->look.recovery.kind != RECOVERY_GO)
		return 0;
	if (raft_copy_save(run->base.connection->client, best->server, best->remains->data_dir, run->options->directory,
	                   run->base.deadline_ms, &path, &bytes, err) < 0)
		return err_wrap(err, "cannot save the raft directory of %s", best->name);
	shown = str_visible(path, 0);
	run->saved = true;
	fprintf(run->base.context->output, "raft directory of %s saved: %s (%llu bytes)\n", best->name, shown,
	        (unsigned long long)bytes);
	fflush(run->base.context->output);
	return 0;
}

static void hint_to_go_on(const struct recover_run *run, const char *words, struct err *err)
{
	_cleanup_free_ char *again = again_command(run->base.context, run->base.connection, run->base.set_name, words);

	if (err->hint)
		replace_string(&err->hint, xasprintf("%s\nto go on from here: %s", err->hint, again));
	err_hint(err, "to go on from here: %s", again);
}

/*
 * The cluster has a leader: from here on it is a matter of more servers. They are started again or have just joined,
 * which no plan tells beforehand: none is shown.
 */
static int complete(struct recover_run *run, struct err *err)
{
	struct change_run *base = &run->base;
	const struct change *recovery = base->change;
	struct change change = *recovery;
	_cleanup_free_ char *again = NULL;
	int status;

	change.goal = (struct goal){ .kind = GOAL_SCALE, .replicas = run->look.snapshot.set.replicas, .force = true };
	base->change = &change;
	status = change_act(base, err);
	base->change = recovery;
	again = xasprintf("scale %lld --force --yes", (long long)change.goal.replicas);
	if (status < 0)
		hint_to_go_on(run, again, err);
	return status;
}

/* One look. True in *ret_settled when nothing is left that would pass by itself. */
static int look_at_the_end(struct change_run *base, struct snapshot *ret_snapshot, bool *ret_settled, struct err *err)
{
	struct assessment assessment = ASSESSMENT_INIT;

	if (base->world.keep(base->world.context, err) < 0 ||
	    base->world.observe(base->world.context, ret_snapshot, err) < 0)
		return -1;
	assess(ret_snapshot, &assessment);
	*ret_settled = assessment.verdict == VERDICT_HEALTHY;
	assessment_release(&assessment);
	return 0;
}

/* What came of it, although the time may just be up: who has just begun to vote is ready some seconds later. */
static int report(struct recover_run *run, struct err *err)
{
	struct change_run *base = &run->base;
	struct snapshot snapshot = SNAPSHOT_INIT;
	int64_t until_ms = clock_monotonic_ms() + SETTLES_MS;
	bool settled = false;
	int status;

	base->kube.deadline_ms = 0;
	for (;;) {
		status = look_at_the_end(base, &snapshot, &settled, err);
		if (status < 0 || settled || clock_monotonic_ms() >= until_ms)
			break;
		status = base->world.sleep(base->world.context, LOOK_INTERVAL_MS, err);
		if (status < 0)
			break;
		snapshot_release(&snapshot);
		snapshot = (struct snapshot)SNAPSHOT_INIT;
	}
	if (status == 0)
		change_print_outcome(base->context, &snapshot);
	snapshot_release(&snapshot);
	return status;
}

static void print_commands(const struct recover_run *run)
{
	_cleanup_buf_ struct buf out = BUF_TEXT;

	recover_screen_commands(&run->look.recovery, &run->base.context->output_term, &out);
	fputs(buf_text(&out), run->base.context->output);
	fflush(run->base.context->output);
}

/* Until there is a leader whoever goes on begins with a look. */
static void tell_how_to_go_on(struct recover_run *run, struct err *err)
{
	const struct cmd_context *context = run->base.context;
	_cleanup_free_ char *words = command_words(run);

	if (err->kind == ERR_INTERRUPTED && context->messages_term.is_tty)
		fputc('\n', context->messages); /* after the ^C that the terminal shows */
	fputs(run->begun ? "begun: peers.json and the end of the processes; Consul goes on with it\n"
	                 : "nothing was changed\n",
	      context->messages);
	hint_to_go_on(run, words, err);
}

static int carry_out(struct recover_run *run, struct err *err)
{
	struct change_run *base = &run->base;
	struct recovery_act_options options;
	bool tidy = run->look.recovery.kind == RECOVERY_TIDY;
	int status;

	base->started_ms = clock_monotonic_ms();
	base->deadline_ms = base->kube.deadline_ms = base->started_ms + base->change->timeout_ms;
	options = options_of(run);
	base->kube.lease = claim_new(base->context, base->connection, base->set_name, base->change->label);
	status = claim_take(base->kube.lease, &base->live, base->deadline_ms, err);
	if (status == 0)
		status = save(run, err);
	if (status == 0)
		status = recovery_act(&base->world, &options, &run->look.recovery, &run->begun, err);
	term_live_clear(&base->live);
	if (status < 0)
		tell_how_to_go_on(run, err);
	if (status == 0 && !tidy)
		status = complete(run, err);
	if (status == 0)
		status = report(run, err);
	claim_give_back(base->context, base->connection, base->kube.lease);
	base->kube.lease = NULL;
	if (run->begun)
		print_commands(run);
	return status;
}

/* --------------------------------------------------------------------------------------------- the look */

static void print_plan(const struct recover_run *run)
{
	const struct recovery *recovery = &run->look.recovery;
	const struct cmd_context *context = run->base.context;
	_cleanup_buf_ struct buf out = BUF_TEXT;

	recover_screen_servers(&run->look, &context->output_term, &out);
	if (recovery->kind != RECOVERY_REFUSED)
		recover_screen_plan(&run->look, run->options->directory, &context->output_term, &out);
	if (!run->options->yes)
		recover_screen_commands(recovery, &context->output_term, &out);
	fputs(buf_text(&out), context->output);
	fflush(context->output);
}

static void say_how(const struct recover_run *run)
{
	_cleanup_free_ char *words = command_words(run);
	_cleanup_free_ char *command =
	    again_command(run->base.context, run->base.connection, run->base.set_name, words);
	fprintf(run->base.context->output, "\ndry run: nothing was changed; to carry it out: %s\n", command);
}

static int look_and_decide(struct recover_run *run, struct err *err)
{
	struct change_run *base = &run->base;
	struct recovery_act_options options;
	int status;

	base->started_ms = clock_monotonic_ms();
	base->deadline_ms = base->kube.deadline_ms = base->started_ms + base->change->timeout_ms;
	options = options_of(run);
	change_tell_looking(&run->telling);
	status = recovery_look(&base->world, &options, &run->look, err);
	term_live_clear(&base->live);
	if (status < 0) {
		if (err->kind == ERR_INTERRUPTED)
			fputs("nothing was changed\n", base->context->messages);
		return -1;
	}
	/* From now on it is this one, whatever else appears. */
	base->kube.name = base->set_name = xstrdup(run->look.snapshot.set.name);
	connect_tell_set(base->context, base->connection->config.namespace_name, base->set_name);
	print_plan(run);
	if (run->look.recovery.kind == RECOVERY_REFUSED)
		return recovery_refusal(&run->look.recovery, err);
	if (run->options->yes)
		return carry_out(run, err);
	say_how(run);
	return 0;
}

static int run_on(const struct cmd_context *context, struct connection *connection, struct err *err)
{
	const struct change change = { .label = "recover",
		                       .timeout_ms = global_timeout_ms(context->global, TIMEOUT_MS) };
	struct recover_run run = {
		.base = { .context = context, .change = &change, .connection = connection },
		.options = context->options,
		.look = RECOVERY_LOOK_INIT,
	};
	struct change_run *base = &run.base;
	int status;

	run.telling.run = base;
	base->kube = (struct world_kube){
		.client = connection->client,
		.namespace_name = connection->config.namespace_name,
		.name = option_was_given(context->words, "name") ? context->global->name : NULL,
		.access = &connection->access,
	};
	world_kube(&base->kube, &base->world);
	base->title = xasprintf("recover in namespace %s", connection->config.namespace_name);
	live_begin(&base->live, connection, context->messages, &context->messages_term);
	status = look_and_decide(&run, err);
	change_telling_release(&run.telling);
	live_end(&base->live, connection);
	recovery_look_release(&run.look);
	free(base->set_name);
	free(base->title);
	return status;
}

static int run_recover(const struct cmd_context *context, int *ret_exit_code, struct err *err)
{
	struct connection connection = CONNECTION_INIT;
	int status = connect_open(context, &connection, err);

	(void)ret_exit_code;
	if (status == 0)
		status = run_on(context, &connection, err);
	connection_release(&connection);
	return status;
}

const struct command cmd_recover = {
	.name = "recover",
	.group = "Cluster",
	.summary = "Go on with what is left when the majority of servers is gone for good",
	.also = "repair rescue",
	.description =
	    "When more servers than a quorum can miss have lost their data, Consul has no leader any more, and gets "
	    "none by itself. recover shows what there is: of each server its raft state, whether its data is there, "
	    "and who is gone for good or may come back; then what would be done. Nothing is changed without --yes.\n\n"
	    "With --yes the servers that are left get Consul's own raft/peers.json, which names them alone, and their "
	    "processes are ended at once, so that they start with it. The one whose log is the furthest (the term of "
	    "its last entry, then its index) becomes the truth: what only the lost servers had is gone. Then the "
	    "others join, until every replica is a voter. What is put in goes by exec, and needs a shell in the image; "
	    "where a container does not run, the commands that a person can paste are shown.\n\n"
	    "It is refused while there is a leader, while enough voters live, while a server may come back with its "
	    "data (its pod is Pending or starts again, or it was scaled away), and where data that may be newer would "
	    "be thrown away; --force goes on in the latter cases, and says what it passes over. A run that was stopped "
	    "anywhere is simply started again. --timeout is 15m unless given.\n\n"
	    "Exit codes: 0 done, or shown; 1 it failed; 4 refused by a safety rule; 124 not done in time; 130 "
	    "interrupted.",
	.examples = "# What is left, and what would be done?\n"
	            "kubectl consul recover -n consul\n"
	            "\n"
	            "# Do it, with a copy of the data first\n"
	            "kubectl consul recover -n consul --save before --yes",
	.options = recover_option_table,
	.options_size = sizeof(struct recover_options),
	.run = run_recover,
};
