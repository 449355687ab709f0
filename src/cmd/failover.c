/* `kubectl consul failover`: one server crashes on purpose, and what the cluster does about it is told with times. */
#include <inttypes.h>
#include <stdlib.h>

#include "cmd/again.h"
#include "cmd/change.h"
#include "cmd/change_screen.h"
#include "cmd/claim.h"
#include "cmd/cmd.h"
#include "cmd/confirm.h"
#include "cmd/failover_parts.h"
#include "cmd/failover_screen.h"
#include "cmd/health_screen.h"
#include "cmd/live.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"
#include "util/yaml.h"

/* Of each round. */
#define TIMEOUT_MS ((int64_t)2 * 60 * 1000)
#define ROUNDS_MAX 100

enum failover_output { FAILOVER_OUTPUT_TABLE, FAILOVER_OUTPUT_JSON, FAILOVER_OUTPUT_YAML };

static const char *const output_choices[] = { "table", "json", "yaml", NULL };

struct failover_options {
	const char *pod;
	bool leader;
	bool yes;
	int64_t rounds;
	bool probe;
	enum change_dry_run dry_run;
	enum failover_output output;
};

static const struct option failover_option_table[] = {
	{ .name = "pod",
	  .kind = OPTION_STRING,
	  OPTION_AT(struct failover_options, pod),
	  .value_name = "POD",
	  .complete = COMPLETE_SERVER,
	  .help = "Crash the server in this pod." },
	{ .name = "leader",
	  .kind = OPTION_FLAG,
	  OPTION_AT(struct failover_options, leader),
	  .help = "Crash whoever leads. It is what is done without --pod." },
	{ .name = "rounds",
	  .kind = OPTION_INT,
	  OPTION_AT(struct failover_options, rounds),
	  .min = 1,
	  .max = ROUNDS_MAX,
	  .value_name = "N",
	  .default_text = "1",
	  .help = "Do it so many times, each when the cluster is as before, and print the distribution of the times." },
	{ .name = "probe",
	  .kind = OPTION_FLAG,
	  OPTION_AT(struct failover_options, probe),
	  .help = "Meanwhile write and read keys through the other servers, and tell how long that did not work, and "
	          "whether anything was lost. The keys are below kubectl-consul/probe/, and are removed at the end." },
	CHANGE_OPTION_YES(struct failover_options, yes),
	{ .name = "dry-run",
	  .kind = OPTION_CHOICE,
	  OPTION_AT(struct failover_options, dry_run),
	  .choices = change_dry_run_choices,
	  .default_text = "none",
	  .bare_text = "client",
	  .wrong_choice = "Invalid dry-run value ($). Must be \"none\" or \"client\": the API server cannot try out "
	                  "a crash.",
	  .help = "Must be \"none\" or \"client\" (--dry-run alone). With client, only look whether a crash could be "
	          "stood now, and show whose it would be." },
	{ .name = "output",
	  .letter = 'o',
	  .kind = OPTION_CHOICE,
	  OPTION_AT(struct failover_options, output),
	  .choices = output_choices,
	  .default_text = "table",
	  .wrong_choice = CMD_WRONG_OUTPUT("json,table,yaml"),
	  .help = "Output format. One of: (table, json, yaml)." },
	{ 0 },
};

static bool prints_object(const struct cmd_context *context)
{
	return ((const struct failover_options *)context->options)->output != FAILOVER_OUTPUT_TABLE;
}

/* ----------------------------------------------------------------------------------------------- the outcome */

/* One more look, told although the time is just up. */
static int look_at_the_end(struct failover *failover, struct snapshot *ret_snapshot, struct err *err)
{
	failover->kube.deadline_ms = 0;
	return failover->world.observe(failover->world.context, ret_snapshot, err);
}

static void print_object(const struct failover *failover, const struct snapshot *snapshot,
                         const struct assessment *assessment)
{
	const struct failover_options *options = failover->context->options;
	_cleanup_json_ cJSON *json = drill_report_json(snapshot, assessment, failover->rounds, failover->count);
	_cleanup_free_ char *text = options->output == FAILOVER_OUTPUT_YAML ? yaml_text(json) : json_text_pretty(json);

	fputs(text, failover->context->output);
}

/* What was measured; first is the look before everything, for where there is no other one. */
static int report(struct failover *failover, const struct snapshot *first, struct err *err)
{
	const struct cmd_context *context = failover->context;
	struct snapshot last = SNAPSHOT_INIT;
	struct assessment assessment = ASSESSMENT_INIT;
	_cleanup_buf_ struct buf out = BUF_TEXT;
	int status = look_at_the_end(failover, &last, err);

	if (status == 0)
		assess(&last, &assessment);
	if (prints_object(context)) {
		print_object(failover, status == 0 ? &last : first, status == 0 ? &assessment : NULL);
	} else {
		failover_screen_times(failover->rounds, failover->count, &context->output_term, &out);
		if (status == 0)
			health_screen_verdict(&last, &assessment, &context->output_term, &out);
		fputs(buf_text(&out), context->output);
	}
	assessment_release(&assessment);
	snapshot_release(&last);
	return status;
}

static int check_nothing_lost(const struct failover *failover, struct err *err)
{
	int64_t lost = 0, acknowledged = 0;
	size_t unchecked = 0;

	for (size_t i = 0; i < failover->count; i++) {
		lost += failover->rounds[i].probe.lost;
		acknowledged += failover->rounds[i].probe.writes.served;
		unchecked += failover->rounds[i].probed && !failover->rounds[i].probe.checked;
	}
	if (lost > 0)
		return err_set(err, ERR_FAILED,
		               "DATA WAS LOST: %" PRId64 " of %" PRId64
		               " writes that Consul had acknowledged are not there",
		               lost, acknowledged);
	if (unchecked > 0)
		return err_set(
		    err, ERR_FAILED,
		    "whether the writes that Consul had acknowledged are there could not be read in %zu of %zu "
		    "rounds",
		    unchecked, failover->count);
	return 0;
}

/* After a failure: what was done nevertheless, and what goes on by itself. */
static int tell_left(struct failover *failover, const struct snapshot *first, struct err *err)
{
	const struct cmd_context *context = failover->context;
	const struct drill_round *last = &failover->rounds[failover->count > 0 ? failover->count - 1 : 0];
	_cleanup_buf_ struct buf out = BUF_TEXT;
	_cleanup_err_ struct err second = ERR_INIT;
	_cleanup_free_ char *command =
	    again_command(context, failover->connection, failover->set_name, "health --wait");

	if (err->kind == ERR_INTERRUPTED && context->messages_term.is_tty)
		fputc('\n', context->messages); /* after the ^C that the terminal shows */
	if (failover->count == 0)
		return -1;
	if (err->kind != ERR_TIMEOUT) /* which says it itself */
		failover_screen_left(&last->drill, &context->messages_term, &out);
	fputs(buf_text(&out), context->messages);
	if (err->kind != ERR_INTERRUPTED)
		(void)report(failover, first, &second);
	else if (prints_object(context))
		print_object(failover, first, NULL);
	return err_hint(err, "Kubernetes and Consul go on by themselves; to see how far they are: %s", command);
}

/* ----------------------------------------------------------------------------------------------- the question */

/* Everything after it. */
static int carry_out(struct failover *failover, const struct snapshot *first, struct err *err)
{
	int status;

	failover_begin_clock(failover);
	failover->kube.lease = claim_new(failover->context, failover->connection, failover->set_name, "failover");
	status = claim_take(failover->kube.lease, &failover->live, failover->drill.deadline_ms, err);
	if (status == 0)
		status = failover_run(failover, err);
	claim_give_back(failover->context, failover->connection, TAKE(failover->kube.lease));
	if (status < 0)
		return tell_left(failover, first, err);
	status = report(failover, first, err);
	if (status < 0)
		return err_wrap(err, "the drill is over, but the last look failed");
	return check_nothing_lost(failover, err);
}

/* Who is asked has to see what about, wherever standard output goes; there it is no part of an object. */
static void print_plan(const struct failover *failover, const struct snapshot *snapshot, const char *pod)
{
	const struct cmd_context *context = failover->context;
	const struct failover_options *options = context->options;
	bool aside = prints_object(context) ||
	             (!options->yes && options->dry_run == CHANGE_DRY_RUN_NONE && !context->output_term.is_tty);
	_cleanup_buf_ struct buf out = BUF_TEXT;

	failover_screen_plan(snapshot, pod, options->pod != NULL, options->rounds,
	                     aside ? &context->messages_term : &context->output_term, &out);
	fputs(buf_text(&out), aside ? context->messages : context->output);
	fflush(aside ? context->messages : context->output);
}

static int decide(struct failover *failover, const struct snapshot *snapshot, const char *pod, struct err *err)
{
	const struct failover_options *options = failover->context->options;

	print_plan(failover, snapshot, pod);
	if (options->dry_run != CHANGE_DRY_RUN_NONE) {
		fputs("dry run: nothing was crashed\n",
		      prints_object(failover->context) ? failover->context->messages : failover->context->output);
		return 0;
	}
	if (!options->yes) {
		failover->agreed = xstrdup(pod);
		if (confirm(failover->context, clock_monotonic_ms() + failover->timeout_ms, err) < 0)
			return -1;
	}
	return carry_out(failover, snapshot, err);
}

static int look_and_decide(struct failover *failover, struct err *err)
{
	struct snapshot snapshot = SNAPSHOT_INIT;
	const char *pod = NULL;
	int status = drill_look(&failover->world, &failover->drill, &snapshot, &pod, err);

	term_live_clear(&failover->live);
	if (status == 0) {
		/* From now on it is this one, whatever else appears. */
		failover->kube.name = failover->set_name = xstrdup(snapshot.set.name);
		connect_tell_set(failover->context, failover->connection->config.namespace_name, failover->set_name);
		status = decide(failover, &snapshot, pod, err);
	} else if (err->kind == ERR_TIMEOUT && !err->hint) {
		_cleanup_free_ char *command =
		    again_command(failover->context, failover->connection, failover->context->global->name, "health");

		err_hint(err, "%s tells what is wrong", command);
	}
	snapshot_release(&snapshot);
	return status;
}

/* ------------------------------------------------------------------------------------------------ the command */

static int run_on(const struct cmd_context *context, struct connection *connection, struct err *err)
{
	const struct failover_options *options = context->options;
	struct failover failover = {
		.context = context,
		.connection = connection,
		.timeout_ms = global_timeout_ms(context->global, TIMEOUT_MS),
		.wanted = options->rounds,
		.rounds = xcalloc((size_t)options->rounds, sizeof(*failover.rounds)),
		.probes = options->probe,
	};
	int status;

	for (int64_t i = 0; i < options->rounds; i++)
		failover.rounds[i] = (struct drill_round)DRILL_ROUND_INIT;
	failover.kube = (struct world_kube){
		.client = connection->client,
		.namespace_name = connection->config.namespace_name,
		.name = option_was_given(context->words, "name") ? context->global->name : NULL,
		.access = &connection->access,
	};
	world_kube(&failover.kube, &failover.world);
	live_begin(&failover.live, connection, context->messages, &context->messages_term);
	failover_begin(&failover, options->pod);
	status = look_and_decide(&failover, err);
	live_end(&failover.live, connection);
	for (int64_t i = 0; i < options->rounds; i++)
		drill_round_release(&failover.rounds[i]);
	free(failover.rounds);
	free(failover.set_name);
	free(failover.agreed);
	return status;
}

static int run_failover(const struct cmd_context *context, int *ret_exit_code, struct err *err)
{
	const struct failover_options *options = context->options;
	struct connection connection = CONNECTION_INIT;
	int status;

	(void)ret_exit_code;
	if (options->pod && options->leader)
		return err_set(err, ERR_USAGE, "--pod and --leader exclude each other");
	if (options->pod && str_is_empty(options->pod))
		return err_set(err, ERR_USAGE, "--pod: the name of a pod must not be empty");
	status = connect_open(context, &connection, err);
	if (status == 0)
		status = run_on(context, &connection, err);
	connection_release(&connection);
	return status;
}

const struct command cmd_failover = {
	.name = "failover",
	.group = "Cluster",
	.summary = "Crash a server on purpose, and measure how the cluster gets over it",
	.also = "crash kill drill",
	.description =
	    "A drill: ends the process of one server at once, as a crash does, with no leave and no good-bye, and "
	    "tells "
	    "with times what follows: the server is down, the others lose their leader, they have a new one, the "
	    "server "
	    "runs again, is alive for every other, votes again, and the verdict is as before. Kubernetes starts the "
	    "process again; nothing else is changed.\n\n"
	    "Refused where the cluster would not stand it: without the server the quorum must be there, every other "
	    "server must be a live voter, all must agree, and no other change may be under way. You are asked before. "
	    "The Lease NAME-kubectl-consul keeps others from changing the cluster meanwhile.\n\n"
	    "--timeout is for each round, 2m unless given; what had not happened by then is named. Kubernetes waits "
	    "longer before each further restart of the same container: nothing at first, then 10 s, 20 s, up to 5 "
	    "minutes, until it has run for 10 minutes; so rounds that crash the same pod take longer and longer.\n\n"
	    "Exit codes: 0 done; 1 it failed, acknowledged writes were lost (--probe), or the answer was not yes; 4 "
	    "refused by a safety rule; 124 not over in time; 130 interrupted.",
	.examples = "# Could the cluster stand the loss of its leader?\n"
	            "kubectl consul failover -n consul --dry-run\n"
	            "\n"
	            "# Crash the leader, and see for how long clients notice\n"
	            "kubectl consul failover -n consul --probe\n"
	            "\n"
	            "# A certain server\n"
	            "kubectl consul failover -n consul --pod consul-1\n"
	            "\n"
	            "# How long elections take, as a distribution; for a program\n"
	            "kubectl consul failover -n consul --rounds 5 --yes -o json",
	.options = failover_option_table,
	.options_size = sizeof(struct failover_options),
	.run = run_failover,
};
