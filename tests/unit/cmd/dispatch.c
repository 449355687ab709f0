/* Commands as a table: finding, parsing, help, errors. include/cmd/cmd.h. */
#include <criterion/criterion.h>

#include "cmd/cmd.h"
#include "util/mem.h"
#include "util/str.h"

struct probe_options {
	bool watch;
	enum cmd_dry_run dry_run;
	struct strv files;
};

static const struct option probe_table[] = {
	{ .name = "watch",
	  .letter = 'w',
	  .kind = OPTION_FLAG,
	  OPTION_AT(struct probe_options, watch),
	  .help = "Go on." },
	CMD_OPTION_DRY_RUN(struct probe_options, dry_run),
	{ .name = "filename",
	  .letter = 'f',
	  .kind = OPTION_LIST,
	  OPTION_AT(struct probe_options, files),
	  .help = "F." },
	{ 0 },
};

/* Prints what it got; exits 3; fails when the operand is "fail". */
static int run_probe(const struct cmd_context *context, int *ret_exit_code, struct err *err)
{
	const struct probe_options *options = context->options;
	_cleanup_free_ char *operands = strv_join(&context->words->operands, ",", ",");
	_cleanup_free_ char *files = strv_join(&options->files, ",", ",");

	if (str_equal(operands, "fail"))
		return err_set(err, ERR_USAGE, "no");
	fprintf(context->output, "%s|%d|%s|%s|%s|%s", context->title, options->watch,
	        cmd_dry_run_choices[options->dry_run],
	        context->global->namespace_name ? context->global->namespace_name : "-", operands, files);
	*ret_exit_code = CMD_EXIT_DEGRADED;
	return 0;
}

static const struct command probe = {
	.name = "probe",
	.group = "Servers",
	.summary = "Try the table",
	.operands = "[NAME]",
	.operands_max = 1,
	.description = "Try the table of commands.",
	.examples = "# Try it\nkubectl consul probe\n\n# Again\nkubectl consul probe -w\n",
	.options = probe_table,
	.options_size = sizeof(struct probe_options),
	.run = run_probe,
};

static const struct command strict = {
	.name = "strict",
	.summary = "Wants exactly one",
	.operands = "NAME",
	.operands_min = 1,
	.operands_max = 1,
	.run = run_probe,
};

static const struct command *const commands[] = { &probe,       &strict,   &cmd_explain, &cmd_version,
	                                          &cmd_options, &cmd_help, NULL };

static const struct program program = { .name = "kubectl consul",
	                                .description = "Tries things.",
	                                .commands = commands };

/* One run of the program and what came of it. */
struct outcome {
	char *output;
	size_t length;
	int exit_code;
	int result;
	struct err err;
};

static struct outcome run_with(const char *line, struct term term)
{
	_cleanup_strv_ struct strv words = STRV_INIT;
	struct cmd_environment environment = { 0 };
	struct outcome outcome = { 0 };
	char *none[] = { NULL };
	FILE *output = open_memstream(&outcome.output, &outcome.length);
	struct cmd_context context = { .program = &program,
		                       .environment = &environment,
		                       .output = output,
		                       .messages = output,
		                       .output_term = term,
		                       .messages_term = term,
		                       .interrupt_fd = -1 };

	cr_assert_not_null(output);
	if (*line)
		strv_split(&words, line, ' ');
	outcome.result = cmd_dispatch(&context, *line ? words.items : none, &outcome.exit_code, &outcome.err);
	fclose(output);
	return outcome;
}

static struct outcome run(const char *line)
{
	return run_with(line, (struct term){ .utf8 = true });
}

static void release(struct outcome *outcome)
{
	free(outcome->output);
	err_release(&outcome->err);
}

static void expect_output(const char *line, const char *text)
{
	struct outcome outcome = run(line);

	cr_expect_eq(outcome.result, 0, "%s failed: %s", line, outcome.err.message);
	cr_expect_str_eq(outcome.output, text);
	release(&outcome);
}

static void expect_error(const char *line, const char *message, const char *hint)
{
	struct outcome outcome = run(line);

	cr_assert_eq(outcome.result, -1, "%s was accepted", line);
	cr_expect_eq(outcome.err.kind, ERR_USAGE);
	cr_expect_str_eq(outcome.err.message, message);
	cr_expect_str_eq(outcome.err.hint, hint);
	cr_expect_str_eq(outcome.output, "");
	release(&outcome);
}

Test(dispatch, a_command_gets_its_options_and_the_global_ones)
{
	expect_output("probe", "kubectl consul probe|0|none|-||");
	expect_output("probe -w x -n prod -f a -f b", "kubectl consul probe|1|none|prod|x|a,b");
	expect_output("-n prod probe --dry-run", "kubectl consul probe|0|client|prod||");
	expect_output("--namespace=prod -w probe --dry-run=server", "kubectl consul probe|1|server|prod||");
	expect_output("-- probe", "kubectl consul probe|0|none|-||");
	expect_output("probe probe", "kubectl consul probe|0|none|-|probe|");
}

Test(dispatch, the_commands_own_exit_code_is_passed_on)
{
	struct outcome outcome = run("probe");

	cr_expect_eq(outcome.exit_code, CMD_EXIT_DEGRADED);
	release(&outcome);
	outcome = run("version");
	cr_expect_eq(outcome.exit_code, CMD_EXIT_FINE);
	release(&outcome);
}

Test(dispatch, errors_point_to_the_help_of_the_command)
{
	expect_error("probe --bogus", "unknown flag: --bogus", "See 'kubectl consul probe --help' for usage.");
	expect_error("--bogus", "unknown flag: --bogus", "See 'kubectl consul --help' for usage.");
	expect_error("probe a b c", "extra arguments: [b c]", "See 'kubectl consul probe --help' for usage.");
	expect_error("strict", "NAME is required", "See 'kubectl consul strict --help' for usage.");
	expect_error("probe fail", "no", "See 'kubectl consul probe --help' for usage.");
	expect_error("probe --dry-run=x", "Invalid dry-run value (x). Must be \"none\", \"server\", or \"client\".",
	             "See 'kubectl consul probe --help' for usage.");
}

Test(dispatch, an_unknown_command_gets_a_suggestion)
{
	expect_error("prboe", "unknown command \"prboe\" for \"kubectl consul\"", "\nDid you mean this?\n\tprobe\n");
	expect_error("pro", "unknown command \"pro\" for \"kubectl consul\"", "\nDid you mean this?\n\tprobe\n");
	expect_error("help verison", "unknown command \"verison\" for \"kubectl consul\"",
	             "\nDid you mean this?\n\tversion\n");
	expect_error("zzz", "unknown command \"zzz\" for \"kubectl consul\"", "See 'kubectl consul --help' for usage.");
}

static const char overview[] =
    "Tries things.\n"
    "\n"
    "Servers:\n"
    "  probe           Try the table\n"
    "\n"
    "Other Commands:\n"
    "  explain         Explain a finding of health, or a word such as quorum\n"
    "  version         Print the version of this program\n"
    "\n"
    "Usage:\n"
    "  kubectl consul COMMAND [options]\n"
    "\n"
    "Use \"kubectl consul COMMAND --help\" for more information about a given command.\n"
    "Use \"kubectl consul options\" for a list of global command-line options (applies to all "
    "commands).\n";

Test(dispatch, without_a_command_comes_the_overview)
{
	expect_output("", overview);
	expect_output("--help", overview);
	expect_output("-h", overview);
	expect_output("help", overview);
	expect_output("-n prod", overview);
}

static const char probe_help[] =
    "Try the table of commands.\n"
    "\n"
    "Examples:\n"
    "  # Try it\n"
    "  kubectl consul probe\n"
    "\n"
    "  # Again\n"
    "  kubectl consul probe -w\n"
    "\n"
    "Options:\n"
    "    -w, --watch=false:\n"
    "\tGo on.\n"
    "\n"
    "    --dry-run='none':\n"
    "\tMust be \"none\", \"server\", or \"client\". With client, only show what would be done; with "
    "server, let the API server check it as well, without keeping anything.\n"
    "\n"
    "    -f, --filename=[]:\n"
    "\tF.\n"
    "\n"
    "Usage:\n"
    "  kubectl consul probe [NAME] [options]\n"
    "\n"
    "Use \"kubectl consul options\" for a list of global command-line options (applies to all "
    "commands).\n";

Test(dispatch, help_has_kubectls_layout)
{
	expect_output("probe --help", probe_help);
	expect_output("-h probe", probe_help);
	expect_output("probe a b c -h", probe_help);
	expect_output("help probe", probe_help);
}

Test(dispatch, help_is_wrapped_for_a_terminal)
{
	struct outcome outcome = run_with("probe -h", (struct term){ .is_tty = true, .utf8 = true, .width = 60 });

	cr_expect_not_null(
	    strstr(outcome.output, "\tMust be \"none\", \"server\", or \"client\". With client,\n\tonly show"));
	release(&outcome);
}

Test(dispatch, version_in_three_forms)
{
	struct outcome outcome = run("version");
	struct outcome dashed = run("--version");

	cr_expect_eq(strncmp(outcome.output, "kubectl consul v", 16), 0);
	cr_expect_str_eq(outcome.output, dashed.output);
	release(&outcome);
	release(&dashed);
	outcome = run("version -o json");
	cr_expect_not_null(strstr(outcome.output, "\"gitVersion\": \"v"));
	release(&outcome);
	outcome = run("version -o yaml");
	cr_expect_eq(strncmp(outcome.output, "clientVersion:\n  compiler: ", 27), 0);
	release(&outcome);
}

Test(dispatch, options_lists_the_global_table)
{
	struct outcome outcome = run("options");

	cr_expect_not_null(strstr(outcome.output, "    -n, --namespace='':\n\tIf present, the namespace scope"));
	cr_expect_not_null(strstr(outcome.output, "    --name='consul':\n"));
	release(&outcome);
}

Test(dispatch, the_program_is_named_as_its_users_type_it)
{
	static const struct {
		const char *argv0, *name;
	} cases[] = { { "kubectl-consul", "kubectl consul" },
		      { "/root/.krew/bin/kubectl-consul", "kubectl consul" },
		      { "./consul-tool", "consul-tool" },
		      { "", "kubectl consul" },
		      { NULL, "kubectl consul" } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *name = cmd_program_name(cases[i].argv0);

		cr_expect_str_eq(name, cases[i].name);
	}
}

/* Parsing asserts what a table must be: sizes that fit the kinds, defaults that are values. */
Test(dispatch, every_table_is_sound)
{
	for (size_t i = 0; commands[i]; i++) {
		for (const struct option *option = commands[i]->options; option && option->name; option++) {
			cr_expect_not_null(option->help, "%s", option->name);
			cr_expect(option->kind != OPTION_CHOICE || option->choices, "%s", option->name);
			cr_expect_null(option_find(global_option_table, option->name, 0), "%s is global", option->name);
			cr_expect_null(option_find(global_option_table, NULL, option->letter), "-%c is global",
			               option->letter);
		}
	}
	for (const struct option *option = global_option_table; option[1].name; option++)
		cr_expect_lt(strcmp(option->name, option[1].name), 0, "%s is out of order", option[1].name);
}
