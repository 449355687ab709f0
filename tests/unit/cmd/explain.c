/* `explain`, run as the program runs it. */
#include <criterion/criterion.h>

#include "cmd/cmd.h"
#include "consul/finding.h"
#include "consul/glossary.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

static const struct command *const commands[] = { &cmd_explain, NULL };
static const struct program program = { .name = "kubectl consul", .description = "", .commands = commands };

/* word: NULL for none. The output is the caller's. */
static char *explain(const char *first, const char *second, struct term term, struct err *err)
{
	char name[] = "explain";
	_cleanup_free_ char *one = xstrdup_null(first), *two = xstrdup_null(second);
	char *words[] = { name, one, two, NULL };
	char *text = NULL;
	size_t length;
	int exit_code;
	FILE *output = open_memstream(&text, &length);
	struct cmd_environment environment = { 0 };
	struct cmd_context context = { .program = &program,
		                       .environment = &environment,
		                       .output = output,
		                       .messages = output,
		                       .output_term = term,
		                       .messages_term = term };

	cr_assert_not_null(output);
	cr_expect_eq(cmd_dispatch(&context, words, &exit_code, err), err_is_set(err) ? -1 : 0);
	fclose(output);
	return text;
}

static const struct term utf8 = { .utf8 = true };

Test(explain, lists_all_codes_without_arguments)
{
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_free_ char *text = explain(NULL, NULL, utf8, &err);
	_cleanup_strv_ struct strv lines = STRV_INIT;
	size_t count = 0;

	cr_assert(!err_is_set(&err));
	strv_split(&lines, text, '\n');
	cr_expect(str_starts_with(text, "CODE "));
	while (finding_kinds[count].code)
		count++;
	cr_assert_gt(count, 0);
	cr_assert_eq(lines.count, count + 6);
	for (size_t i = 0; i < count; i++)
		cr_expect(str_starts_with(lines.items[i + 1], finding_kinds[i].code));
	for (const struct glossary_word *word = glossary; word->name; word++)
		cr_expect_not_null(strstr(strstr(text, "The words"), word->name), "%s", word->name);
	cr_expect_not_null(strstr(text, "quorum, tolerance, "));
}

Test(explain, a_word_of_the_screens_in_each_of_its_forms)
{
	for (const struct glossary_word *word = glossary; word->name; word++) {
		_cleanup_err_ struct err err = ERR_INIT;
		_cleanup_free_ char *text = explain(word->name, NULL, utf8, &err);
		_cleanup_free_ char *other = explain(word->other ? word->other : word->name, NULL, utf8, &err);

		cr_assert(!err_is_set(&err));
		cr_expect(str_starts_with(text, word->name));
		cr_expect_not_null(strstr(text, word->title));
		cr_expect_str_eq(text, other);
		cr_expect_null(finding_kind_find(word->name), "%s would never be shown", word->name);
	}
}

Test(explain, by_code_and_by_name_wrapped)
{
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_free_ char *text = explain(finding_kinds[0].name, finding_kinds[1].code, utf8, &err);
	_cleanup_strv_ struct strv lines = STRV_INIT;

	cr_assert(!err_is_set(&err));
	strv_split(&lines, text, '\n');
	cr_expect(str_starts_with(text, finding_kinds[0].code));
	cr_expect_str_eq(lines.items[1], finding_kinds[0].title);
	cr_expect_not_null(strstr(text, finding_kinds[1].title));
	for (size_t i = 0; i < lines.count; i++)
		cr_expect(term_text_width(lines.items[i]) <= TERM_PROSE_WIDTH || !strchr(lines.items[i], ' '), "%s",
		          lines.items[i]);
}

Test(explain, without_utf8_there_is_only_ascii)
{
	for (const struct finding_kind *kind = finding_kinds; kind->code; kind++) {
		_cleanup_err_ struct err err = ERR_INIT;
		_cleanup_free_ char *text = explain(kind->code, NULL, (struct term){ 0 }, &err);

		cr_assert(!err_is_set(&err));
		for (const char *at = text; *at; at++)
			cr_assert_lt((unsigned char)*at, 0x80);
		cr_expect_null(strchr(text, '?') && !strchr(kind->explanation, '?') ? text : NULL,
		               "%s has a sign without an ASCII form", kind->code);
	}
}

Test(explain, json_has_the_rows_of_the_table)
{
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_free_ char *text = explain("-ojson", finding_kinds[1].code, utf8, &err);
	_cleanup_json_ cJSON *json = NULL;
	const cJSON *item;

	cr_assert(!err_is_set(&err));
	cr_assert_eq(json_parse(text, strlen(text), &json, &err), 0);
	cr_expect_str_eq(json_string_at(json, "apiVersion"), "kubectl-consul/v1");
	cr_expect_eq(cJSON_GetArraySize(json_get(json, "items")), 1);
	item = cJSON_GetArrayItem(json_get(json, "items"), 0);
	cr_expect_str_eq(json_string_at(item, "code"), finding_kinds[1].code);
	cr_expect_str_eq(json_string_at(item, "explanation"), finding_kinds[1].explanation);
}

Test(explain, an_unknown_code_is_an_error_and_prints_nothing)
{
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_free_ char *text = explain(finding_kinds[0].code, "no-such-thing-at-all", utf8, &err);

	cr_expect_eq(err.kind, ERR_USAGE);
	cr_expect_str_eq(err.message, "unknown code or word \"no-such-thing-at-all\"");
	cr_expect_str_eq(err.hint, "'kubectl consul explain' lists all there are.");
	cr_expect_str_eq(text, "");
}

Test(explain, an_unknown_code_gets_a_suggestion)
{
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_free_ char *wrong = xasprintf("%s1", finding_kinds[0].name);
	_cleanup_free_ char *text = explain(wrong, NULL, utf8, &err);
	_cleanup_free_ char *hint = xasprintf("\nDid you mean this?\n\t%s\n", finding_kinds[0].name);

	cr_expect_str_eq(err.hint, hint);
	cr_expect_str_eq(text, "");
}
