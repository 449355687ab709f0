/* `explain`: what a finding means, and what to do about it; what the words mean. Offline. */
#include "cmd/cmd.h"

#include "consul/finding.h"
#include "consul/glossary.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"
#include "util/table.h"

enum explain_output { EXPLAIN_TEXT, EXPLAIN_JSON };

struct explain_options {
	enum explain_output output;
};

static const char *const output_choices[] = { "", "json", NULL };

static const struct option option_table[] = {
	{ .name = "output",
	  .letter = 'o',
	  .kind = OPTION_CHOICE,
	  OPTION_AT(struct explain_options, output),
	  .choices = output_choices,
	  .default_text = "",
	  .value_name = "json",
	  .wrong_choice = CMD_WRONG_OUTPUT("json"),
	  .help = "Output format. One of: (json)." },
	{ 0 },
};

/* A finding, or a word of the screens. Both borrowed. */
struct subject {
	const struct finding_kind *kind; /* NULL: it is a word */
	const struct glossary_word *word;
};

/* What was asked for. */
struct selection {
	struct subject *subjects;
	size_t count;
};

static void select_subject(struct selection *selection, struct subject subject)
{
	selection->subjects = xreallocarray(selection->subjects, selection->count + 1, sizeof(*selection->subjects));
	selection->subjects[selection->count++] = subject;
}

static enum term_style severity_style(enum severity severity)
{
	switch (severity) {
	case SEVERITY_CRITICAL:
		return TERM_RED;
	case SEVERITY_DEGRADED:
	case SEVERITY_WARNING:
		return TERM_YELLOW;
	case SEVERITY_INFO:
		break;
	}
	return TERM_PLAIN;
}

static int unknown_subject(const struct cmd_context *context, const char *word, struct err *err)
{
	_cleanup_strv_ struct strv names = STRV_INIT, suggestions = STRV_INIT;
	_cleanup_free_ char *message = xasprintf("unknown code or word \"%s\"", word);

	for (const struct finding_kind *kind = finding_kinds; kind->code; kind++) {
		strv_add(&names, kind->code);
		strv_add(&names, kind->name);
	}
	for (const struct glossary_word *entry = glossary; entry->name; entry++)
		strv_add(&names, entry->name);
	if (names.count > 0)
		cmd_suggest(word, (const char *const *)names.items, &suggestions);
	cmd_unknown(err, message, &suggestions);
	return err_hint(err, "'%s' lists all there are.", context->title);
}

static int select_operands(const struct cmd_context *context, struct selection *selection, struct err *err)
{
	const struct strv *operands = &context->words->operands;

	for (size_t i = 0; i < operands->count; i++) {
		struct subject subject = { .kind = finding_kind_find(operands->items[i]),
			                   .word = glossary_find(operands->items[i]) };

		if (!subject.kind && !subject.word)
			return unknown_subject(context, operands->items[i], err);
		select_subject(selection, subject);
	}
	if (operands->count == 0)
		for (const struct finding_kind *kind = finding_kinds; kind->code; kind++)
			select_subject(selection, (struct subject){ .kind = kind });
	return 0;
}

static void add_list(const struct selection *selection, const struct term *term, struct buf *out)
{
	static const struct table_column columns[] = {
		{ .title = "CODE" },
		{ .title = "NAME", .priority = 1 },
		{ .title = "SEVERITY" },
		{ .title = "MEANING", .shortest = 20 },
	};
	_cleanup_table_ struct table *table = table_new(columns, ARRAY_SIZE(columns));

	for (size_t i = 0; i < selection->count; i++) {
		const struct finding_kind *kind = selection->subjects[i].kind;

		table_add_styled(table, TERM_BOLD, kind->code);
		table_add(table, kind->name);
		table_add_styled(table, severity_style(kind->severity), severity_name(kind->severity));
		table_add(table, kind->title);
	}
	table_render(table, term, true, out);
}

static void add_words(const struct cmd_context *context, struct buf *out)
{
	const struct term *term = &context->output_term;
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL, *text = NULL;

	for (const struct glossary_word *word = glossary; word->name; word++)
		strv_add(&names, word->name);
	list = strv_join(&names, ", ", " and ");
	text =
	    xasprintf("The words of the screens are explained, too: %s.\nMore on one of all these: %s CODE, or a name "
	              "or word",
	              list, context->title);
	buf_addc(out, '\n');
	term_add_wrapped(out, text, term_prose_width(term), "");
	buf_addc(out, '\n');
}

/* Wrapped, but for lines that are indented: those are there to be pasted. */
static void add_explanation(const char *text, const struct term *term, struct buf *out)
{
	for (;;) {
		size_t length = strcspn(text, "\n");
		_cleanup_free_ char *line = xstrndup(text, length);

		if (*line == ' ')
			buf_adds(out, line);
		else
			term_add_wrapped(out, line, term_prose_width(term), "");
		buf_addc(out, '\n');
		if (!text[length])
			return;
		text += length + 1;
	}
}

static void add_kind(const struct finding_kind *kind, const struct term *term, struct buf *out)
{
	_cleanup_free_ char *title = term_text(term, kind->title);
	_cleanup_free_ char *explanation = term_text(term, kind->explanation);

	term_add_styled(out, term, TERM_BOLD, kind->code);
	buf_addf(out, "  %s  ", kind->name);
	term_add_styled(out, term, severity_style(kind->severity), severity_name(kind->severity));
	buf_addc(out, '\n');
	term_add_styled(out, term, TERM_BOLD, title);
	buf_adds(out, "\n\n");
	add_explanation(explanation, term, out);
}

static void add_word(const struct glossary_word *word, const struct term *term, struct buf *out)
{
	_cleanup_free_ char *title = term_text(term, word->title), *text = term_text(term, word->text);

	term_add_styled(out, term, TERM_BOLD, word->name);
	buf_addf(out, "\n%s\n\n", title);
	add_explanation(text, term, out);
}

static void print_text(const struct cmd_context *context, const struct selection *selection)
{
	_cleanup_buf_ struct buf out = BUF_TEXT;

	if (context->words->operands.count == 0) {
		add_list(selection, &context->output_term, &out);
		add_words(context, &out);
	} else {
		for (size_t i = 0; i < selection->count; i++) {
			if (i > 0)
				buf_addc(&out, '\n');
			if (selection->subjects[i].kind)
				add_kind(selection->subjects[i].kind, &context->output_term, &out);
			else
				add_word(selection->subjects[i].word, &context->output_term, &out);
		}
	}
	fputs(buf_text(&out), context->output);
}

static cJSON *subject_json(const struct subject *subject)
{
	const struct finding_kind *kind = subject->kind;
	const struct glossary_word *word = subject->word;

	if (!kind)
		return json_object("name", json_string(word->name), "title", json_string(word->title), "explanation",
		                   json_string(word->text), NULL);
	return json_object("code", json_string(kind->code), "name", json_string(kind->name), "severity",
	                   json_string(severity_name(kind->severity)), "title", json_string(kind->title), "explanation",
	                   json_string(kind->explanation), NULL);
}

static void print_json(const struct cmd_context *context, const struct selection *selection)
{
	cJSON *items = json_array(NULL);
	_cleanup_json_ cJSON *json = json_object("apiVersion", json_string("kubectl-consul/v1"), "kind",
	                                         json_string("FindingKindList"), "items", items, NULL);
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; i < selection->count; i++)
		cJSON_AddItemToArray(items, subject_json(&selection->subjects[i]));
	text = json_text_pretty(json);
	fputs(text, context->output);
}

static int run_explain(const struct cmd_context *context, int *ret_exit_code, struct err *err)
{
	const struct explain_options *options = context->options;
	struct selection selection = { 0 };
	int result = select_operands(context, &selection, err);

	(void)ret_exit_code;
	if (result == 0 && options->output == EXPLAIN_JSON)
		print_json(context, &selection);
	else if (result == 0)
		print_text(context, &selection);
	free(selection.subjects);
	return result;
}

const struct command cmd_explain = {
	.name = "explain",
	.group = "Other Commands",
	.summary = "Explain a finding of health, or a word such as quorum",
	.operands = "[CODE|WORD...]",
	.operands_max = SIZE_MAX,
	.operand = COMPLETE_FINDING,
	.description = "Explain what the findings of health mean, their usual causes, and what to do.\n"
	               "\n"
	               "Findings are named by their code or their name. Words of the screens, such as quorum or "
	               "tolerance, are explained as well. Without any, all of them are listed. This needs no "
	               "cluster.",
	.examples = "# List all findings\n"
	            "kubectl consul explain\n"
	            "\n"
	            "# Explain one of them\n"
	            "kubectl consul explain CON401\n"
	            "\n"
	            "# What is it that a cluster tolerates?\n"
	            "kubectl consul explain tolerance\n",
	.options = option_table,
	.options_size = sizeof(struct explain_options),
	.run = run_explain,
};
