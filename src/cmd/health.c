/* `kubectl consul health`: observe, assess, print; once, again and again, or until it is well. */
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/connect.h"
#include "cmd/health_screen.h"
#include "consul/assess.h"
#include "consul/observe.h"
#include "consul/report.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"
#include "util/yaml.h"

/* How long one look at the cluster may take when --timeout does not say. */
#define LOOK_TIMEOUT_MS ((int64_t)15 * 1000)
/* How long --wait waits when --timeout does not say. */
#define WAIT_TIMEOUT_MS ((int64_t)300 * 1000)
/* Between two looks of --watch and --wait. */
#define INTERVAL_MS 1000

enum fail_on { FAIL_ON_DEGRADED, FAIL_ON_CRITICAL };

static const char *const fail_on_choices[] = { "degraded", "critical", NULL };

struct health_options {
	bool watch;
	bool wait;
	bool members;
	bool no_headers;
	enum fail_on fail_on;
	enum cmd_output output;
};

static const struct option health_option_table[] = {
	{ .name = "watch",
	  .letter = 'w',
	  .kind = OPTION_FLAG,
	  OPTION_AT(struct health_options, watch),
	  .help = "After the first look, keep looking and show every change, until Ctrl-C." },
	{ .name = "wait",
	  .kind = OPTION_FLAG,
	  OPTION_AT(struct health_options, wait),
	  .help = "Wait until the cluster is HEALTHY, at most --timeout (5m unless given; then exit code 124)." },
	{ .name = "members",
	  .kind = OPTION_FLAG,
	  OPTION_AT(struct health_options, members),
	  .help = "Show the member list of `consul members` once, and which servers have another one." },
	{ .name = "fail-on",
	  .kind = OPTION_CHOICE,
	  OPTION_AT(struct health_options, fail_on),
	  .choices = fail_on_choices,
	  .default_text = "degraded",
	  .help = "From which verdict on the exit code is not 0: degraded (3, critical is 2) or critical (2 only)." },
	{ .name = "no-headers",
	  .kind = OPTION_FLAG,
	  OPTION_AT(struct health_options, no_headers),
	  .help = "Print tables without their header line." },
	CMD_OPTION_OUTPUT(struct health_options, output),
	{ 0 },
};

/* One look: what was seen and what it means. */
struct look {
	struct snapshot snapshot;
	struct assessment assessment;
};

#define LOOK_INIT                                                                                                      \
	{                                                                                                              \
		.snapshot = SNAPSHOT_INIT, .assessment = ASSESSMENT_INIT                                               \
	}

static void look_release(struct look *look)
{
	assessment_release(&look->assessment);
	snapshot_release(&look->snapshot);
	*look = (struct look)LOOK_INIT;
}

static int look_at(struct connection *connection, const struct cmd_context *context, int64_t deadline_ms,
                   struct look *ret_look, struct err *err)
{
	struct observe_options options = {
		.namespace_name = connection->config.namespace_name,
		.name = option_was_given(context->words, "name") ? context->global->name : NULL,
		.access = &connection->access,
		.deadline_ms = deadline_ms,
	};

	if (observe(connection->client, &options, &ret_look->snapshot, err) < 0)
		return -1;
	assess(&ret_look->snapshot, &ret_look->assessment);
	return 0;
}

static int exit_code_of(enum verdict verdict, enum fail_on fail_on)
{
	switch (verdict) {
	case VERDICT_HEALTHY:
		return CMD_EXIT_FINE;
	case VERDICT_DEGRADED:
		return fail_on == FAIL_ON_DEGRADED ? CMD_EXIT_DEGRADED : CMD_EXIT_FINE;
	case VERDICT_CRITICAL:
	case VERDICT_UNKNOWN:
		break;
	}
	return CMD_EXIT_CRITICAL;
}

/* ------------------------------------------------------------------------------------------ rendering */

static void render(const struct cmd_context *context, const struct look *look, const struct term *term, struct buf *out)
{
	const struct health_options *options = context->options;
	struct health_screen_options screen = {
		.wide = options->output == CMD_OUTPUT_WIDE,
		.no_headers = options->no_headers,
		.program = context->program->name,
		.wrap_commands = options->watch && term->is_tty,
	};

	if (options->members)
		health_screen_members(&look->snapshot, &look->assessment, &screen, term, out);
	else
		health_screen(&look->snapshot, &look->assessment, &screen, term, out);
}

/* As an object; with one_line, for --watch, as one line of JSON or one YAML document of a stream. */
static void print_object(const struct cmd_context *context, const struct look *look, bool one_line)
{
	const struct health_options *options = context->options;
	_cleanup_json_ cJSON *json = report_json(&look->snapshot, &look->assessment);
	_cleanup_free_ char *text = NULL;

	if (options->output == CMD_OUTPUT_YAML) {
		text = yaml_text(json);
		fprintf(context->output, "%s%s", one_line ? "---\n" : "", text);
	} else {
		text = one_line ? json_text(json) : json_text_pretty(json);
		fprintf(context->output, "%s%s", text, one_line ? "\n" : "");
	}
	fflush(context->output);
}

static bool prints_object(const struct health_options *options)
{
	return options->output == CMD_OUTPUT_JSON || options->output == CMD_OUTPUT_YAML;
}

static void print_once(const struct cmd_context *context, const struct look *look)
{
	_cleanup_buf_ struct buf out = BUF_TEXT;

	if (prints_object(context->options)) {
		print_object(context, look, false);
		return;
	}
	render(context, look, &context->output_term, &out);
	fputs(buf_text(&out), context->output);
}

/* ------------------------------------------------------------------------------------ again and again */

struct watching {
	const struct cmd_context *context;
	struct connection *connection;
	struct term_live live;
	char *last; /* what was printed last, to print changes only */
	bool until_healthy;
	bool healthy;
	int exit_code;
};

/* The verdict line and the findings' codes: what counts as a change where there is no screen to redraw. */
static char *change_line(const struct look *look, const struct term *term)
{
	_cleanup_buf_ struct buf line = BUF_TEXT, codes = BUF_TEXT;
	_cleanup_free_ char *shown = NULL;
	const struct findings *findings = &look->assessment.findings;
	struct term plain = *term;

	plain.color = false;
	plain.width = 0;
	health_screen_verdict(&look->snapshot, &look->assessment, &plain, &line);
	line.data[--line.len] = '\0';
	for (size_t i = 0; i < findings->count; i++)
		if (findings->items[i].kind->severity >= SEVERITY_DEGRADED)
			buf_addf(&codes, "; %s %s", findings->items[i].kind->code,
			         findings->items[i].server ? findings->items[i].server : findings->items[i].kind->name);
	shown = str_visible(buf_text(&codes), 0);
	buf_adds(&line, shown);
	return buf_detach(&line);
}

static void show_look(struct watching *watching, const struct look *look)
{
	const struct cmd_context *context = watching->context;
	_cleanup_free_ char *now = clock_time_of_day();
	_cleanup_free_ char *line = change_line(look, &context->output_term);
	_cleanup_buf_ struct buf screen = BUF_TEXT;

	if (prints_object(context->options)) {
		if (!watching->until_healthy && !str_equal(line, watching->last))
			print_object(context, look, true);
		replace_string(&watching->last, TAKE(line));
		return;
	}
	render(context, look, &context->output_term, &screen);
	term_live_show(&watching->live, now, buf_text(&screen), line);
}

static void show_failure(struct watching *watching, const struct err *failure)
{
	_cleanup_free_ char *now = clock_time_of_day();
	_cleanup_free_ char *text = err_text(failure);
	_cleanup_free_ char *line = str_visible(text, 0);
	_cleanup_free_ char *block = xasprintf("%s\n", line);

	if (prints_object(watching->context->options))
		fprintf(watching->context->messages, "%s\n", line);
	else
		term_live_show(&watching->live, now, block, line);
}

/* A failed look is shown and tried again, unless trying again cannot help. */
static int watch_once(struct watching *watching, int64_t deadline_ms, struct err *err)
{
	struct look look = LOOK_INIT;
	struct err failure = ERR_INIT;
	int64_t look_deadline_ms = clock_monotonic_ms() + LOOK_TIMEOUT_MS;
	int status;

	if (look_deadline_ms > deadline_ms)
		look_deadline_ms = deadline_ms;
	status = look_at(watching->connection, watching->context, look_deadline_ms, &look, &failure);
	if (status == 0) {
		watching->exit_code = exit_code_of(
		    look.assessment.verdict, ((const struct health_options *)watching->context->options)->fail_on);
		watching->healthy = look.assessment.verdict == VERDICT_HEALTHY;
		show_look(watching, &look);
	}
	look_release(&look);
	if (failure.kind == ERR_UNAVAILABLE || failure.kind == ERR_UNREACHABLE || failure.kind == ERR_TIMEOUT ||
	    (failure.kind == ERR_NOT_FOUND && watching->until_healthy)) {
		show_failure(watching, &failure);
		err_release(&failure);
	}
	return err_move(err, &failure);
}

static int watch(const struct cmd_context *context, struct connection *connection, int64_t deadline_ms,
                 int *ret_exit_code, struct err *err)
{
	const struct health_options *options = context->options;
	struct watching watching = { .context = context, .connection = connection, .until_healthy = options->wait };
	int status;

	term_live_init(&watching.live, fileno(context->output), &context->output_term);
	for (;;) {
		status = watch_once(&watching, deadline_ms, err);
		if (status < 0 || (options->wait && watching.healthy) || ferror(context->output) ||
		    watching.live.failed)
			break;
		if (clock_monotonic_ms() + INTERVAL_MS >= deadline_ms) {
			status = err_set(err, ERR_TIMEOUT, "timed out waiting for the cluster to be HEALTHY");
			err_hint(err, "%s health -n %s tells what is wrong now", context->program->name,
			         connection->config.namespace_name);
			break;
		}
		status = connect_sleep(connection, INTERVAL_MS, err);
		if (status < 0)
			break;
	}
	term_live_release(&watching.live);
	free(watching.last);
	*ret_exit_code = watching.exit_code;
	return status;
}

static int look_once(const struct cmd_context *context, struct connection *connection, int *ret_exit_code,
                     struct err *err)
{
	const struct health_options *options = context->options;
	int64_t deadline_ms = clock_monotonic_ms() + global_timeout_ms(context->global, LOOK_TIMEOUT_MS);
	struct look look = LOOK_INIT;
	int status = look_at(connection, context, deadline_ms, &look, err);

	if (status == 0) {
		connect_tell_set(context, look.snapshot.namespace_name, look.snapshot.set.name);
		print_once(context, &look);
		*ret_exit_code = exit_code_of(look.assessment.verdict, options->fail_on);
	}
	look_release(&look);
	return status;
}

static int look_again_and_again(const struct cmd_context *context, struct connection *connection, int *ret_exit_code,
                                struct err *err)
{
	const struct health_options *options = context->options;
	int64_t deadline_ms = CLOCK_NEVER;

	if (options->wait)
		deadline_ms = clock_monotonic_ms() + global_timeout_ms(context->global, WAIT_TIMEOUT_MS);
	if (watch(context, connection, deadline_ms, ret_exit_code, err) == 0) {
		/* Those who wait for an object want the last one. */
		if (options->wait && prints_object(options))
			return look_once(context, connection, ret_exit_code, err);
		return 0;
	}
	if (!options->watch || err->kind != ERR_INTERRUPTED)
		return -1;
	/* Ctrl-C is how --watch ends: nothing has failed. */
	if (context->messages_term.is_tty)
		fputc('\n', context->messages); /* after the ^C that the terminal shows */
	*ret_exit_code = err_exit_code(err);
	err_release(err);
	return 0;
}

static int run_health(const struct cmd_context *context, int *ret_exit_code, struct err *err)
{
	const struct health_options *options = context->options;
	struct connection connection = CONNECTION_INIT;
	int status = connect_open(context, &connection, err);

	if (status == 0 && (options->watch || options->wait))
		status = look_again_and_again(context, &connection, ret_exit_code, err);
	else if (status == 0)
		status = look_once(context, &connection, ret_exit_code, err);
	connection_release(&connection);
	return status;
}

const struct command cmd_health = {
	.name = "health",
	.group = "Cluster",
	.summary = "Ask every server, judge the cluster, say what to do",
	.description =
	    "Asks every Consul server at the same time what it knows, sets that beside what Kubernetes knows, and "
	    "judges the cluster. The first line is the verdict; then a row for each server; then what was found, "
	    "why, and what to type next.\n\n"
	    "Exit codes: 0 HEALTHY, 3 DEGRADED (there is a leader, but something is broken), 2 CRITICAL (no leader or "
	    "no quorum), 1 the question could not be asked, 124 --wait timed out, 130 interrupted.",
	.examples = "# Is the cluster in the current namespace well?\n"
	            "kubectl consul health\n"
	            "\n"
	            "# In another namespace, as `consul members` shows it\n"
	            "kubectl consul health -n consul --members\n"
	            "\n"
	            "# In a script: go on as soon as all servers are voters\n"
	            "kubectl consul health --wait --timeout 2m\n"
	            "\n"
	            "# For a program\n"
	            "kubectl consul health -o json",
	.options = health_option_table,
	.options_size = sizeof(struct health_options),
	.run = run_health,
};
