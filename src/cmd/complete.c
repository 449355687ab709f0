/* What is wanted at the cursor, and what can be told of it without looking anything up. See include/cmd/complete.h. */
#include "cmd/complete.h"

#include "consul/finding.h"
#include "consul/glossary.h"
#include "util/mem.h"

#define ACTIVE_HELP "_activeHelp_ "

/* The tables that are in force: those of a command, or, before one is named, of the program. */
struct tables {
	struct option_set sets[3];
	size_t count;
};

static struct tables tables_of(const struct command *command)
{
	struct tables tables = { .sets = { { cmd_help_option_table, NULL }, { global_option_table, NULL } },
		                 .count = 2 };

	if (command && command->options)
		tables.sets[tables.count++] = (struct option_set){ command->options, NULL };
	return tables;
}

static const struct option *find_option(const struct tables *tables, const char *name, char letter)
{
	const struct option *option = NULL;

	for (size_t i = 0; !option && i < tables->count; i++)
		option = option_find(tables->sets[i].options, name, letter);
	return option;
}

/* ------------------------------------------------------------------------------------- candidates */

void complete_add(struct completion *completion, const char *value, const char *description)
{
	_cleanup_free_ char *shown = str_visible(value, 0);

	if (str_is_empty(value) || !str_equal(shown, value) || !str_starts_with(value, completion->typed) ||
	    strv_contains(&completion->used, value) || strv_contains(&completion->values, value) ||
	    completion->values.count >= COMPLETE_CANDIDATES_MAX)
		return;
	strv_add(&completion->values, value);
	strv_take(&completion->descriptions, str_visible(description ? description : "", 0));
}

void complete_hint(struct completion *completion, const char *text)
{
	strv_take(&completion->hints, str_visible(text, 0));
}

/* The first sentence of a help text. New string. */
static char *first_sentence(const char *help)
{
	size_t length = 0;

	while (help[length] && help[length] != '\n' &&
	       !(help[length] == '.' && (!help[length + 1] || help[length + 1] == ' ')))
		length++;
	return xstrndup(help, length);
}

static void add_commands(const struct program *program, struct completion *completion)
{
	for (size_t i = 0; program->commands[i]; i++)
		complete_add(completion, program->commands[i]->name, program->commands[i]->summary);
}

static void add_choices(const char *const *choices, struct completion *completion)
{
	for (; choices && *choices; choices++)
		complete_add(completion, *choices, NULL);
}

static void add_findings(struct completion *completion)
{
	bool by_name = *completion->typed >= 'a' && *completion->typed <= 'z';

	for (const struct finding_kind *kind = finding_kinds; kind->code; kind++)
		complete_add(completion, by_name ? kind->name : kind->code, kind->title);
	for (const struct glossary_word *word = glossary; by_name && word->name; word++)
		complete_add(completion, word->name, word->title);
}

/* Even ones are left out: they tolerate no more than the odd one below. */
static void add_sizes(struct completion *completion)
{
	complete_add(completion, "1", "tolerates no failure");
	complete_add(completion, "3", "tolerates 1 failure");
	complete_add(completion, "5", "tolerates 2 failures");
	complete_add(completion, "7", "tolerates 3 failures");
}

/* What needs no look-up is added, the rest is noted. */
static void want(const struct program *program, enum complete kind, struct completion *completion)
{
	switch (kind) {
	case COMPLETE_NOTHING:
		break;
	case COMPLETE_FILE:
		completion->directive = COMPLETE_SHELL_FILES;
		break;
	case COMPLETE_DIRECTORY:
		completion->directive = COMPLETE_SHELL_DIRECTORIES;
		break;
	case COMPLETE_SIZE:
		add_sizes(completion);
		break;
	case COMPLETE_FINDING:
		add_findings(completion);
		break;
	case COMPLETE_COMMAND:
		add_commands(program, completion);
		break;
	case COMPLETE_CONTEXT:
	case COMPLETE_CLUSTER:
	case COMPLETE_USER:
	case COMPLETE_NAMESPACE:
	case COMPLETE_STORAGE_CLASS:
	case COMPLETE_SET:
	case COMPLETE_SERVER:
	case COMPLETE_REMAINS:
		completion->kind = kind;
		break;
	}
}

/* ----------------------------------------------------------------------------------------- options */

static void want_value(const struct program *program, const struct option *option, struct completion *completion)
{
	if (option->kind == OPTION_FLAG) {
		complete_add(completion, "true", NULL);
		complete_add(completion, "false", NULL);
	} else if (option->choices) {
		add_choices(option->choices, completion);
	} else if (option->complete != COMPLETE_NOTHING) {
		want(program, (enum complete)option->complete, completion);
	} else {
		_cleanup_free_ char *help = first_sentence(option->help);

		complete_hint(completion, help);
	}
}

/* "--flag=v" and "-f=v": the shell wants candidates for what is behind "=". */
static void want_attached_value(const struct program *program, const struct tables *tables, const char *word,
                                const char *equal, struct completion *completion)
{
	_cleanup_free_ char *name = xstrndup(word, (size_t)(equal - word));
	const struct option *option = name[1] == '-' ? find_option(tables, name + 2, 0)
	                              : name[1]      ? find_option(tables, NULL, name[strlen(name) - 1])
	                                             : NULL;

	replace_string(&completion->typed, xstrdup(equal + 1));
	if (option)
		want_value(program, option, completion);
}

/* Whether the option stands in the words already, and may not stand there twice. */
static bool is_used_up(const struct option *option, const struct strv *words)
{
	_cleanup_free_ char *name = xasprintf("--%s", option->name);
	size_t length = strlen(name);

	for (size_t i = 0; option->kind != OPTION_LIST && i < words->count; i++) {
		const char *word = words->items[i];

		if (str_starts_with(word, name) && (word[length] == '\0' || word[length] == '='))
			return true;
		if (option->letter && word[0] == '-' && word[1] == option->letter)
			return true;
	}
	return false;
}

static void add_option(const struct option *option, struct completion *completion)
{
	_cleanup_free_ char *name = xasprintf("--%s", option->name), *help = first_sentence(option->help);
	_cleanup_free_ char *letter = xasprintf("-%c", option->letter);

	if (is_used_up(option, &completion->before))
		return;
	complete_add(completion, name, help);
	if (option->letter && strlen(completion->typed) == 1)
		complete_add(completion, letter, help);
}

static void want_option(const struct program *program, const struct tables *tables, const char *word,
                        struct completion *completion)
{
	const char *equal = strchr(word, '=');

	if (equal) {
		want_attached_value(program, tables, word, equal, completion);
		return;
	}
	/* the command's own, which are what he is after, come first */
	for (size_t i = tables->count; i > 0; i--)
		for (const struct option *option = tables->sets[i - 1].options; option->name; option++)
			if (!option->hidden || option == cmd_help_option_table)
				add_option(option, completion);
}

/* ---------------------------------------------------------------------------------------- the words */

/* What the words before the cursor come to. */
struct walk {
	const struct option *wanting; /* the last word is an option that wants the next as its value */
	bool only_operands;           /* "--" stands there */
};

static struct walk walk_words(const struct tables *tables, const struct strv *words, struct strv *operands)
{
	struct walk walk = { 0 };

	for (size_t i = 0; i < words->count; i++) {
		const char *word = words->items[i];

		if (walk.only_operands || word[0] != '-' || !word[1]) {
			strv_add(operands, word);
			continue;
		}
		if (str_equal(word, "--")) {
			walk.only_operands = true;
			continue;
		}
		walk.wanting = option_wants_next(tables->sets, tables->count, word);
		if (walk.wanting && ++i < words->count)
			walk.wanting = NULL;
	}
	return walk;
}

static void want_operand(const struct program *program, struct completion *completion)
{
	const struct command *command = completion->command;

	if (!command)
		add_commands(program, completion);
	else if (completion->used.count >= command->operands_max)
		complete_hint(completion, command->operands_max == 0 ? "This command takes options only."
		                                                     : "This command takes nothing more but options.");
	else if (command->operand_choices)
		add_choices(command->operand_choices, completion);
	else
		want(program, command->operand, completion);
}

/* Takes the command's name out of the words before the cursor. False: it is a name that is none. */
static bool find_command(const struct program *program, char *const *words, size_t count, struct completion *completion)
{
	const struct tables tables = tables_of(NULL);
	char **before = xcalloc(count + 1, sizeof(*before));
	int index;

	for (size_t i = 0; i < count; i++)
		before[i] = words[i];
	index = option_first_operand(tables.sets, tables.count, before);
	free(before);
	if (index >= 0)
		completion->command = cmd_find(program, words[index]);
	for (size_t i = 0; i < count; i++)
		if (index < 0 || i != (size_t)index)
			strv_add(&completion->before, words[i]);
	return index < 0 || completion->command;
}

void complete_words(const struct program *program, char *const *words, struct completion *ret_completion)
{
	struct tables tables;
	struct walk walk;
	const char *word;
	size_t count = 0;

	while (words[count])
		count++;
	word = count > 0 ? words[--count] : "";
	ret_completion->typed = xstrdup(word);
	if (!find_command(program, words, count, ret_completion))
		return;
	tables = tables_of(ret_completion->command);
	walk = walk_words(&tables, &ret_completion->before, &ret_completion->used);
	if (walk.wanting) {
		strv_release(&ret_completion->used); /* those are operands, this is none */
		want_value(program, walk.wanting, ret_completion);
	} else if (*word == '-' && !walk.only_operands) {
		want_option(program, &tables, word, ret_completion);
	} else {
		want_operand(program, ret_completion);
	}
}

/* ------------------------------------------------------------------------------------------ answer */

void complete_render(const struct completion *completion, struct buf *out)
{
	for (size_t i = 0; i < completion->values.count; i++) {
		const char *description = completion->descriptions.items[i];

		buf_addf(out, "%s%s%s\n", completion->values.items[i], *description ? "\t" : "", description);
	}
	for (size_t i = 0; i < completion->hints.count; i++)
		buf_addf(out, ACTIVE_HELP "%s\n", completion->hints.items[i]);
	buf_addf(out, ":%d\n", (int)completion->directive);
}

void completion_release(struct completion *completion)
{
	free(completion->typed);
	strv_release(&completion->before);
	strv_release(&completion->used);
	strv_release(&completion->values);
	strv_release(&completion->descriptions);
	strv_release(&completion->hints);
	*completion = (struct completion)COMPLETION_INIT;
}
