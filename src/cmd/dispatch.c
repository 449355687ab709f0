/* Finds the command, parses its options, runs it. See include/cmd/cmd.h. */
#include "cmd/cmd.h"

#include "util/mem.h"
#include "util/str.h"

#define PLUGIN_FILE  "kubectl-consul"
#define PLUGIN_NAME  "kubectl consul"
#define COMMANDS_MAX 64

const char *const cmd_dry_run_choices[] = { "none", "client", "server", NULL };

struct root_options {
	bool help;
	bool version;
};

/* Every command has the first row; the second is for the program alone. */
const struct option cmd_help_option_table[] = {
	{ .name = "help",
	  .letter = 'h',
	  .kind = OPTION_FLAG,
	  OPTION_AT(struct root_options, help),
	  .hidden = true,
	  .help = "Print the help." },
	{ 0 },
};

static const struct option version_table[] = {
	{ .name = "version",
	  .kind = OPTION_FLAG,
	  OPTION_AT(struct root_options, version),
	  .hidden = true,
	  .help = "Print the version." },
	{ 0 },
};

char *cmd_program_name(const char *argv0)
{
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;
	const char *file = slash ? slash + 1 : argv0;

	if (str_is_empty(file) || str_equal(file, PLUGIN_FILE))
		return xstrdup(PLUGIN_NAME);
	return xstrdup(file);
}

const struct command *cmd_find(const struct program *program, const char *name)
{
	for (size_t i = 0; program->commands[i]; i++)
		if (str_equal(program->commands[i]->name, name))
			return program->commands[i];
	return NULL;
}

static bool is_meant_by(const struct command *command, const char *word)
{
	_cleanup_strv_ struct strv words = STRV_INIT;

	if (command->also)
		strv_split(&words, command->also, ' ');
	return strv_contains(&words, word);
}

int cmd_unknown_command(const struct program *program, const char *word, struct err *err)
{
	_cleanup_strv_ struct strv suggestions = STRV_INIT;
	_cleanup_free_ char *message = xasprintf("unknown command \"%s\" for \"%s\"", word, program->name);
	const char *names[COMMANDS_MAX + 1] = { NULL };

	for (size_t i = 0; i < COMMANDS_MAX && program->commands[i]; i++)
		names[i] = program->commands[i]->name;
	cmd_suggest(word, names, &suggestions);
	for (size_t i = 0; suggestions.count == 0 && program->commands[i]; i++)
		if (is_meant_by(program->commands[i], word))
			strv_add(&suggestions, program->commands[i]->name);
	return cmd_unknown(err, message, &suggestions);
}

static int check_operands(const struct command *command, const struct strv *operands, struct err *err)
{
	_cleanup_strv_ struct strv extra = STRV_INIT;
	_cleanup_free_ char *list = NULL;

	if (operands->count < command->operands_min)
		return err_set(err, ERR_USAGE, "%s is required", command->operands);
	if (operands->count <= command->operands_max)
		return 0;
	for (size_t i = command->operands_max; i < operands->count; i++)
		strv_add(&extra, operands->items[i]);
	list = strv_join(&extra, " ", " ");
	return err_set(err, ERR_USAGE, "extra arguments: [%s]", list);
}

/* Parses words (without the command's name) for context->command and runs it. */
static int run_command(struct cmd_context *context, char *const *words, int *ret_exit_code, struct err *err)
{
	const struct command *command = context->command;
	struct root_options root = { 0 };
	struct global_options global = GLOBAL_OPTIONS_INIT;
	struct option_words parsed = OPTION_WORDS_INIT;
	void *options = xcalloc(1, command->options_size + 1);
	const struct option_set sets[] = {
		{ cmd_help_option_table, &root },
		{ command->options, options },
		{ global_option_table, &global },
	};
	int result = option_parse(sets, ARRAY_SIZE(sets), words, &parsed, err);

	context->global = &global;
	context->options = options;
	context->words = &parsed;
	if (result == 0 && root.help)
		cmd_print_help(context, command);
	else if (result == 0 && (result = check_operands(command, &parsed.operands, err)) == 0)
		result = command->run(context, ret_exit_code, err);
	context->global = NULL;
	context->options = NULL;
	context->words = NULL;
	option_sets_release(sets, ARRAY_SIZE(sets));
	option_words_release(&parsed);
	free(options);
	return result;
}

/* No command was named: the overview, or the version. */
static int run_program(struct cmd_context *context, char *const *words, struct err *err)
{
	struct root_options root = { 0 };
	struct global_options global = GLOBAL_OPTIONS_INIT;
	struct option_words parsed = OPTION_WORDS_INIT;
	const struct option_set sets[] = {
		{ cmd_help_option_table, &root },
		{ version_table, &root },
		{ global_option_table, &global },
	};
	int result = option_parse(sets, ARRAY_SIZE(sets), words, &parsed, err);

	option_sets_release(sets, ARRAY_SIZE(sets));
	option_words_release(&parsed);
	if (result < 0)
		return -1;
	if (root.version && !root.help)
		cmd_print_version(context);
	else
		cmd_print_overview(context);
	return 0;
}

/* The index of the command's name in words; -1 when there is none. */
static int find_name(char *const *words)
{
	struct root_options root;
	struct global_options global;
	const struct option_set sets[] = { { cmd_help_option_table, &root }, { global_option_table, &global } };

	return option_first_operand(sets, ARRAY_SIZE(sets), words);
}

/* A copy of words without the one at skip; the strings are borrowed. Free it. */
static char **words_without(char *const *words, size_t skip)
{
	size_t count = 0, kept = 0;
	char **copy;

	while (words[count])
		count++;
	copy = xcalloc(count + 1, sizeof(*copy));
	for (size_t i = 0; i < count; i++)
		if (i != skip)
			copy[kept++] = words[i];
	return copy;
}

int cmd_dispatch(struct cmd_context *context, char *const *words, int *ret_exit_code, struct err *err)
{
	_cleanup_free_ char *title = NULL;
	_cleanup_free_ char **rest = NULL;
	int index = find_name(words), result;

	*ret_exit_code = CMD_EXIT_FINE;
	context->title = context->program->name;
	if (index < 0) {
		result = run_program(context, words, err);
	} else {
		context->command = cmd_find(context->program, words[index]);
		if (!context->command) {
			result = cmd_unknown_command(context->program, words[index], err);
		} else {
			title = xasprintf("%s %s", context->program->name, context->command->name);
			rest = words_without(words, (size_t)index);
			context->title = title;
			result = run_command(context, rest, ret_exit_code, err);
		}
	}
	if (result < 0 && context->command && context->command->fail)
		result = context->command->fail(context, rest, ret_exit_code, err);
	if (result < 0 && err->kind == ERR_USAGE)
		err_hint(err, "See '%s --help' for usage.", context->title);
	context->title = context->program->name;
	return result;
}
