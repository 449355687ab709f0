/* The overview, a command's help, and `help`. See include/cmd/cmd.h. */
#include "cmd/cmd.h"

#include "util/mem.h"
#include "util/str.h"

#define HELP_WIDTH_MAX 100
#define NAME_WIDTH     15 /* of the column of names in the overview */

/* As kubectl does: wrapped for a terminal, one line for each paragraph otherwise. */
static size_t help_width(const struct term *term)
{
	return term->width < HELP_WIDTH_MAX ? term->width : HELP_WIDTH_MAX;
}

static void print(const struct cmd_context *context, const struct buf *text)
{
	_cleanup_free_ char *shown = term_text(&context->output_term, buf_text(text));

	fputs(shown, context->output);
}

static void add_global_pointer(const struct cmd_context *context, struct buf *out)
{
	buf_addf(out, "Use \"%s options\" for a list of global command-line options (applies to all commands).\n",
	         context->program->name);
}

/* One group after the other, in the order of the table. */
static void add_commands(const struct program *program, struct buf *out)
{
	const char *group = NULL;

	for (size_t i = 0; program->commands[i]; i++) {
		const struct command *command = program->commands[i];

		if (!command->group)
			continue;
		if (!str_equal(group, command->group))
			buf_addf(out, "%s:\n", command->group);
		group = command->group;
		buf_addf(out, "  %-*s %s\n", NAME_WIDTH, command->name, command->summary);
		if (!program->commands[i + 1] || !str_equal(program->commands[i + 1]->group, group))
			buf_addc(out, '\n');
	}
}

void cmd_print_overview(const struct cmd_context *context)
{
	const struct program *program = context->program;
	_cleanup_buf_ struct buf out = BUF_TEXT;

	term_add_wrapped(&out, program->description, help_width(&context->output_term), "");
	buf_adds(&out, "\n\n");
	add_commands(program, &out);
	buf_addf(&out, "Usage:\n  %s COMMAND [options]\n\n", program->name);
	buf_addf(&out, "Use \"%s COMMAND --help\" for more information about a given command.\n", program->name);
	add_global_pointer(context, &out);
	print(context, &out);
}

static void add_examples(const char *examples, struct buf *out)
{
	buf_adds(out, "Examples:\n");
	while (*examples) {
		size_t length = strcspn(examples, "\n");

		buf_addf(out, "%s%.*s\n", length > 0 ? "  " : "", (int)length, examples);
		examples += length + (examples[length] ? 1 : 0);
	}
	buf_addc(out, '\n');
}

static bool shows_options(const struct option *options)
{
	for (; options && options->name; options++)
		if (!options->hidden)
			return true;
	return false;
}

void cmd_print_help(const struct cmd_context *context, const struct command *command)
{
	size_t width = help_width(&context->output_term);
	_cleanup_buf_ struct buf out = BUF_TEXT;

	if (command->description)
		term_add_wrapped(&out, command->description, width, "");
	else
		buf_addf(&out, "%s.", command->summary);
	buf_adds(&out, "\n\n");
	if (command->examples)
		add_examples(command->examples, &out);
	if (shows_options(command->options)) {
		buf_adds(&out, "Options:\n");
		option_help(command->options, width, &out);
		buf_addc(&out, '\n');
	}
	buf_addf(&out, "Usage:\n  %s %s%s%s [options]\n\n", context->program->name, command->name,
	         command->operands ? " " : "", command->operands ? command->operands : "");
	add_global_pointer(context, &out);
	print(context, &out);
}

static int run_help(const struct cmd_context *context, int *ret_exit_code, struct err *err)
{
	const struct strv *operands = &context->words->operands;
	const struct command *command;

	(void)ret_exit_code;
	if (operands->count == 0) {
		cmd_print_overview(context);
		return 0;
	}
	command = cmd_find(context->program, operands->items[0]);
	if (!command)
		return cmd_unknown_command(context->program, operands->items[0], err);
	cmd_print_help(context, command);
	return 0;
}

const struct command cmd_help = {
	.name = "help",
	.summary = "Help about any command",
	.operands = "[COMMAND]",
	.operands_max = 1,
	.operand = COMPLETE_COMMAND,
	.run = run_help,
};
