/* Errors as people read them, and suggestions. include/cmd/cmd.h. */
#include <criterion/criterion.h>

#include "cmd/cmd.h"
#include "util/str.h"

static const struct term plain = { .utf8 = true };
static const struct term color = { .is_tty = true, .utf8 = true, .color = true };

static void expect_text(struct err *err, const struct term *term, const char *text)
{
	struct buf out = BUF_TEXT;

	cmd_error_text(err, term, &out);
	cr_expect_str_eq(buf_text(&out), text);
	buf_release(&out);
	err_release(err);
}

Test(error, is_one_line)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_FAILED, "context \"zz\" does not exist");
	expect_text(&err, &plain, "error: context \"zz\" does not exist\n");
}

Test(error, hints_stand_below_it)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_FORBIDDEN, "pods is forbidden");
	err_label(&err, "Error from server (Forbidden)");
	err_hint(&err, "ask for this role:\n  kind: Role\n\n  rules: []\n");
	expect_text(&err, &plain,
	            "Error from server (Forbidden): pods is forbidden\n"
	            "hint: ask for this role:\n"
	            "        kind: Role\n"
	            "\n"
	            "        rules: []\n");
}

Test(error, an_empty_label_is_none)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_UNREACHABLE, "Unable to connect to the server: EOF");
	err_label(&err, "%s", "");
	expect_text(&err, &color, "Unable to connect to the server: EOF\n");
}

Test(error, usage_errors_have_kubectls_words)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_USAGE, "unknown command \"helth\" for \"kubectl consul\"");
	err_hint(&err, "\nDid you mean this?\n\thealth\n");
	expect_text(&err, &plain,
	            "error: unknown command \"helth\" for \"kubectl consul\"\n"
	            "\n"
	            "Did you mean this?\n"
	            "\thealth\n"
	            "\n");
}

Test(error, control_characters_become_visible)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_INVALID, "pod said \033[2J\rfine");
	err_hint(&err, "do\033[31m");
	expect_text(&err, &color, "\033[31merror: \033[0mpod said ^[[2J\\rfine\n\033[1mhint:\033[0m do^[[31m\n");
}

static void expect_suggestions(const char *word, const char *expected)
{
	static const char *const names[] = { "health", "help", "deploy", "explain", "scale", NULL };
	_cleanup_strv_ struct strv list = STRV_INIT;
	_cleanup_free_ char *text = NULL;

	cmd_suggest(word, names, &list);
	text = strv_join(&list, " ", " ");
	cr_expect_str_eq(text, expected, "%s: %s", word, text);
}

Test(suggest, finds_what_was_meant)
{
	expect_suggestions("helth", "health");
	expect_suggestions("haelth", "health");
	expect_suggestions("HEALTH", "health");
	expect_suggestions("depoly", "deploy");
	expect_suggestions("hel", "help");
	expect_suggestions("expl", "explain");
	expect_suggestions("scale-up", "");
	expect_suggestions("x", "");
	expect_suggestions("", "");
	expect_suggestions("a-word-that-is-much-longer-than-any-command-could-ever-be-in-this-program-or-any", "");
}
