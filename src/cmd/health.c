/* `kubectl consul health`: observe, assess, print; once, again and again, or until it is well. */
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/connect.h"
#include "cmd/health_output.h"
#include "cmd/health_screen.h"
#include "cmd/live.h"
#include "consul/assess.h"
#include "consul/observe.h"
#include "consul/report_nagios.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

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
	bool allow_missing;
	enum fail_on fail_on;
	const char *output;
	const char *template;
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
	{ .name = "output",
	  .letter = 'o',
	  .kind = OPTION_STRING,
	  OPTION_AT(struct health_options, output),
	  .choices = health_format_names,
	  .default_text = "table",
	  .help =
	      "Output format. One of: (table, wide, name, json, yaml, jsonpath, nagios, openmetrics). With nagios the "
	      "exit codes are a monitoring plugin's: 0 HEALTHY, 1 DEGRADED, 2 CRITICAL, 3 the question could not be "
	      "asked." },
	{ .name = "template",
	  .kind = OPTION_STRING,
	  OPTION_AT(struct health_options, template),
	  .value_name = "TEMPLATE",
	  .help = "Template string to use with -o=jsonpath, as -o=jsonpath=TEMPLATE. The template format is that of "
	          "kubectl [https://kubernetes.io/docs/reference/kubectl/jsonpath/]." },
	{ .name = "allow-missing-template-keys",
	  .kind = OPTION_FLAG,
	  OPTION_AT(struct health_options, allow_missing),
	  .default_text = "true",
	  .help = "If true, ignore any errors in templates when a field or map key is missing in the template." },
	{ 0 },
};

/* One run. */
struct health {
	const struct cmd_context *context;
	const struct health_options *options;
	struct health_output output;
	struct connection connection;
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

static int look_at(struct health *health, int64_t deadline_ms, struct look *ret_look, struct err *err)
{
	const struct cmd_context *context = health->context;
	struct connection *connection = &health->connection;
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

static int exit_code_of(const struct health *health, enum verdict verdict)
{
	if (health->output.format == HEALTH_NAGIOS)
		return (int)nagios_status_of(verdict);
	switch (verdict) {
	case VERDICT_HEALTHY:
		return CMD_EXIT_FINE;
	case VERDICT_DEGRADED:
		return health->options->fail_on == FAIL_ON_DEGRADED ? CMD_EXIT_DEGRADED : CMD_EXIT_FINE;
	case VERDICT_CRITICAL:
	case VERDICT_UNKNOWN:
		break;
	}
	return CMD_EXIT_CRITICAL;
}

/* ------------------------------------------------------------------------------------------ rendering */

static void render(const struct health *health, const struct look *look, const struct term *term, struct buf *out)
{
	const struct health_options *options = health->options;
	struct health_screen_options screen = {
		.wide = health->output.format == HEALTH_WIDE,
		.no_headers = options->no_headers,
		.program = health->context->program->name,
		.wrap_commands = options->watch && term->is_tty,
	};

	if (options->members)
		health_screen_members(&look->snapshot, &look->assessment, &screen, term, out);
	else
		health_screen(&look->snapshot, &look->assessment, &screen, term, out);
}

/* stream: one of many. */
static int print_look(const struct health *health, const struct look *look, bool stream, struct err *err)
{
	const struct cmd_context *context = health->context;
	const struct term *term = &context->output_term;
	_cleanup_buf_ struct buf out = BUF_TEXT;

	if (health_output_is_screen(&health->output))
		render(health, look, term, &out);
	else if (health_output_add(&health->output, &look->snapshot, &look->assessment, stream, term, &out, err) < 0)
		return -1;
	fputs(buf_text(&out), context->output);
	fflush(context->output);
	return 0;
}

/* ------------------------------------------------------------------------------------ again and again */

struct watching {
	struct health *health;
	struct term_live live;
	char *last; /* what was printed last, to print changes only */
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

static int show_look(struct watching *watching, const struct look *look, struct err *err)
{
	const struct health *health = watching->health;
	const struct term *term = &health->context->output_term;
	_cleanup_free_ char *now = clock_time_of_day();
	_cleanup_free_ char *line = change_line(look, term);
	_cleanup_buf_ struct buf screen = BUF_TEXT;
	int status = 0;

	if (health_output_is_screen(&health->output)) {
		term_live_refresh(&watching->live);
		render(health, look, &watching->live.term, &screen);
		term_live_show(&watching->live, now, buf_text(&screen), line);
		return 0;
	}
	if (!health->options->wait && !str_equal(line, watching->last))
		status = print_look(health, look, true, err);
	replace_string(&watching->last, TAKE(line));
	return status;
}

static void show_failure(struct watching *watching, const struct err *failure)
{
	const struct cmd_context *context = watching->health->context;
	_cleanup_free_ char *now = clock_time_of_day();
	_cleanup_free_ char *text = err_text(failure);
	_cleanup_free_ char *visible = str_visible(text, 0);
	_cleanup_free_ char *line = term_text(&context->messages_term, visible);
	_cleanup_free_ char *block = xasprintf("%s\n", visible);

	if (health_output_is_screen(&watching->health->output))
		term_live_show(&watching->live, now, block, visible);
	else
		fprintf(context->messages, "%s\n", line);
}

/* Whether looking again may help. */
static bool may_pass(const struct health *health, const struct err *failure)
{
	return failure->kind == ERR_UNAVAILABLE || failure->kind == ERR_UNREACHABLE || failure->kind == ERR_TIMEOUT ||
	       (failure->kind == ERR_NOT_FOUND && health->options->wait);
}

/* A failed look is shown and tried again, unless trying again cannot help. */
static int watch_once(struct watching *watching, int64_t deadline_ms, struct err *err)
{
	struct health *health = watching->health;
	struct look look = LOOK_INIT;
	struct err failure = ERR_INIT;
	int64_t look_deadline_ms = clock_monotonic_ms() + LOOK_TIMEOUT_MS;
	int status;

	if (look_deadline_ms > deadline_ms)
		look_deadline_ms = deadline_ms;
	status = look_at(health, look_deadline_ms, &look, &failure);
	if (status == 0) {
		watching->exit_code = exit_code_of(health, look.assessment.verdict);
		watching->healthy = look.assessment.verdict == VERDICT_HEALTHY;
		status = show_look(watching, &look, err);
	} else if (may_pass(health, &failure)) {
		show_failure(watching, &failure);
		err_release(&failure);
		status = 0;
	} else {
		status = err_move(err, &failure);
	}
	look_release(&look);
	return status;
}

static int watch(struct health *health, int64_t deadline_ms, int *ret_exit_code, struct err *err)
{
	const struct cmd_context *context = health->context;
	struct watching watching = { .health = health };
	int status;

	live_begin(&watching.live, &health->connection, context->output, &context->output_term);
	for (;;) {
		status = watch_once(&watching, deadline_ms, err);
		if (status < 0 || (health->options->wait && watching.healthy) || ferror(context->output) ||
		    watching.live.failed)
			break;
		if (clock_monotonic_ms() + INTERVAL_MS >= deadline_ms) {
			status = err_set(err, ERR_TIMEOUT, "timed out waiting for the cluster to be HEALTHY");
			err_hint(err, "%s health -n %s tells what is wrong now", context->program->name,
			         health->connection.config.namespace_name);
			break;
		}
		status = connect_sleep(&health->connection, INTERVAL_MS, err);
		if (status < 0)
			break;
	}
	live_end(&watching.live, &health->connection);
	free(watching.last);
	*ret_exit_code = watching.exit_code;
	return status;
}

static int look_once(struct health *health, int *ret_exit_code, struct err *err)
{
	const struct cmd_context *context = health->context;
	int64_t deadline_ms = clock_monotonic_ms() + global_timeout_ms(context->global, LOOK_TIMEOUT_MS);
	struct look look = LOOK_INIT;
	int status = look_at(health, deadline_ms, &look, err);

	if (status == 0) {
		connect_tell_set(context, look.snapshot.namespace_name, look.snapshot.set.name);
		*ret_exit_code = exit_code_of(health, look.assessment.verdict);
		status = print_look(health, &look, false, err);
	}
	look_release(&look);
	return status;
}

static int look_again_and_again(struct health *health, int *ret_exit_code, struct err *err)
{
	const struct cmd_context *context = health->context;
	const struct health_options *options = health->options;
	int64_t deadline_ms = CLOCK_NEVER;

	if (options->wait)
		deadline_ms = clock_monotonic_ms() + global_timeout_ms(context->global, WAIT_TIMEOUT_MS);
	if (watch(health, deadline_ms, ret_exit_code, err) == 0) {
		/* Those who wait for an object want the last one. */
		if (options->wait && !health_output_is_screen(&health->output))
			return look_once(health, ret_exit_code, err);
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

static int read_output(const struct cmd_context *context, struct health_output *ret_output, struct err *err)
{
	const struct health_options *options = context->options;

	ret_output->allow_missing = options->allow_missing;
	if (health_output_parse(options->output, options->template, ret_output, err) < 0)
		return -1;
	if (options->watch && !health_output_can_watch(ret_output))
		return err_set(err, ERR_USAGE, "--watch and --output=%s exclude each other", options->output);
	if (ret_output->format == HEALTH_NAGIOS && option_was_given(context->words, "fail-on"))
		return err_set(err, ERR_USAGE,
		               "--fail-on and --output=nagios exclude each other: its exit codes are fixed");
	return 0;
}

static int run_health(const struct cmd_context *context, int *ret_exit_code, struct err *err)
{
	const struct health_options *options = context->options;
	struct health health = {
		.context = context, .options = options, .output = HEALTH_OUTPUT_INIT, .connection = CONNECTION_INIT
	};
	int status = read_output(context, &health.output, err);

	if (status == 0) {
		status = connect_open(context, &health.connection, err);
		if (status == 0 && (options->watch || options->wait))
			status = look_again_and_again(&health, ret_exit_code, err);
		else if (status == 0)
			status = look_once(&health, ret_exit_code, err);
	}
	connection_release(&health.connection);
	health_output_release(&health.output);
	return status;
}

/* Whether the last -o says so. */
static bool asks_for_nagios(char *const *words)
{
	const struct option_set sets[] = { { health_option_table, NULL }, { global_option_table, NULL } };
	const char *output = NULL;

	for (; *words && !str_equal(*words, "--"); words++) {
		const struct option *option = option_wants_next(sets, ARRAY_SIZE(sets), *words);

		if (str_starts_with(*words, "--output="))
			output = *words + strlen("--output=");
		else if (option && !*++words)
			break;
		else if (option && str_equal(option->name, "output"))
			output = *words;
		else if (!option && str_starts_with(*words, "-o"))
			output = *words + 2 + ((*words)[2] == '=');
	}
	return str_equal(output, health_format_names[HEALTH_NAGIOS]);
}

/* A monitoring system reads one line of standard output, whatever happened; 1 would be a warning to it. */
static int fail_health(const struct cmd_context *context, char *const *words, int *ret_exit_code, struct err *err)
{
	_cleanup_free_ char *line = NULL, *shown = NULL;

	if (!asks_for_nagios(words))
		return -1;
	line = report_nagios_unknown(err->message);
	shown = term_text(&context->output_term, line);
	fprintf(context->output, "%s\n", shown);
	*ret_exit_code = NAGIOS_UNKNOWN;
	err_release(err);
	return 0;
}

const struct command cmd_health = {
	.name = "health",
	.group = "Cluster",
	.summary = "Ask every server, judge the cluster, say what to do",
	.also = "status members list get check info",
	.description =
	    "Asks every Consul server at the same time what it knows, sets that beside what Kubernetes knows, and "
	    "judges the cluster. The first line is the verdict; then a row for each server; then what was found, "
	    "why, and what to type next.\n\n"
	    "Exit codes: 0 HEALTHY, 3 DEGRADED (there is a leader, but something is broken), 2 CRITICAL (no leader or "
	    "no quorum), 1 the question could not be asked, 124 --wait timed out, 130 interrupted. With -o nagios: 0 "
	    "HEALTHY, 1 DEGRADED, 2 CRITICAL, 3 everything else.",
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
	            "kubectl consul health -o json\n"
	            "\n"
	            "# The servers and how far each is behind\n"
	            "kubectl consul health -o jsonpath='{range .servers[*]}{.name} {.self.lag}{\"\\n\"}{end}'\n"
	            "\n"
	            "# For Nagios and its like; for Prometheus' textfile collector\n"
	            "kubectl consul health -o nagios\n"
	            "kubectl consul health -o openmetrics",
	.options = health_option_table,
	.options_size = sizeof(struct health_options),
	.run = run_health,
	.fail = fail_health,
};
