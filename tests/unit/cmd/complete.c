/* Completion: what is wanted at the cursor, from the tables alone. include/cmd/complete.h. */
#include <criterion/criterion.h>

#include "cmd/complete.h"
#include "consul/finding.h"
#include "util/mem.h"
#include "util/str.h"

#define WORDS_MAX 8

static const struct program program = { .name = "kubectl consul", .commands = cmd_commands };

struct answer_case {
	const char *words[WORDS_MAX]; /* the last one is under the cursor */
	const char *says;             /* the whole answer, or, with has, a line of it */
	enum complete kind;
	bool has;
	const char *lacks; /* a line that is not in it */
};

static char *answer(const char *const *words, struct completion *completion)
{
	_cleanup_strv_ struct strv copy = STRV_INIT;
	_cleanup_buf_ struct buf out = BUF_TEXT;
	char *none[] = { NULL };

	for (size_t i = 0; words[i]; i++)
		strv_add(&copy, words[i]);
	complete_words(&program, copy.count > 0 ? copy.items : none, completion);
	complete_render(completion, &out);
	return buf_detach(&out);
}

/* Whether text has a line that is line, or that begins with it and a tab. */
static bool has_line(const char *text, const char *line)
{
	size_t length = strlen(line);

	for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
		if (str_starts_with(text, line) && (text[length] == '\n' || text[length] == '\t'))
			return true;
	return false;
}

#define SIZES "1\ttolerates no failure\n3\ttolerates 1 failure\n5\ttolerates 2 failures\n7\ttolerates 3 failures\n:4\n"

static const struct answer_case cases[] = {
	/* commands */
	{ .words = { "sc" }, .says = "scale\tChange the number of servers, one at a time, with the quorum kept\n:4\n" },
	{ .words = { "" }, .says = "completion", .has = true },
	{ .words = { NULL }, .says = "health", .has = true },
	{ .words = { "-n", "consul", "heal" }, .says = "health", .has = true },
	{ .words = { "--namespace=consul", "heal" }, .says = "health", .has = true },
	{ .words = { "help", "re" }, .says = "recover", .has = true, .lacks = "scale" },
	{ .words = { "bogus", "" }, .says = ":4\n" },
	/* operands */
	{ .words = { "scale", "" }, .says = SIZES },
	{ .words = { "scale", "-n", "consul", "" }, .says = SIZES },
	{ .words = { "-n", "consul", "scale", "--yes", "" }, .says = SIZES },
	{ .words = { "scale", "5" }, .says = "5\ttolerates 2 failures\n:4\n" },
	{ .words = { "scale", "--", "" }, .says = SIZES },
	{ .words = { "scale", "--", "--" }, .says = ":4\n" },
	{ .words = { "scale", "3", "" }, .says = "_activeHelp_ This command takes nothing more but options.\n:4\n" },
	{ .words = { "health", "" }, .says = "_activeHelp_ This command takes options only.\n:4\n" },
	{ .words = { "completion", "" }, .says = "install\nuninstall\n:4\n" },
	{ .words = { "explain", "CON402" }, .says = "CON402\tThe cluster has no leader\n:4\n" },
	{ .words = { "explain", "no-l" }, .says = "no-leader", .has = true },
	{ .words = { "explain", "CON402", "CON40" }, .says = "CON401", .has = true, .lacks = "CON402" },
	{ .words = { "reap", "" }, .says = ":4\n", .kind = COMPLETE_REMAINS },
	/* options */
	{ .words = { "scale", "--rep" }, .says = "--replicas", .has = true, .lacks = "--yes" },
	{ .words = { "scale", "--" }, .says = "--namespace", .has = true, .lacks = "-n" },
	{ .words = { "scale", "--" }, .says = "--help", .has = true, .lacks = "--version" },
	{ .words = { "scale", "-" }, .says = "-n", .has = true },
	{ .words = { "scale", "--yes", "--" }, .says = "--force", .has = true, .lacks = "--yes" },
	{ .words = { "scale", "-n=x", "--" }, .says = "--force", .has = true, .lacks = "--namespace" },
	{ .words = { "deploy", "-f", "a", "--" }, .says = "--filename", .has = true },
	{ .words = { "--" }, .says = "--context", .has = true, .lacks = "--replicas" },
	/* their values */
	{ .words = { "health", "-o", "j" }, .says = "json\njsonpath=\n:4\n" },
	{ .words = { "health", "-o=ya" }, .says = "yaml\n:4\n" },
	{ .words = { "health", "--output=ya" }, .says = "yaml\n:4\n" },
	{ .words = { "health", "-wo", "ya" }, .says = "yaml\n:4\n" },
	{ .words = { "health", "--via", "" }, .says = "auto\ntunnel\nexec\n:4\n" },
	{ .words = { "explain", "-o", "" }, .says = "json\n:4\n" },
	{ .words = { "scale", "--dry-run=" }, .says = "client", .has = true, .lacks = "1" },
	{ .words = { "scale", "--dry-run", "" }, .says = SIZES }, /* it takes a value with = only */
	{ .words = { "deploy", "--wait=" }, .says = "true\nfalse\n:4\n" },
	{ .words = { "deploy", "--replicas", "" }, .says = SIZES },
	{ .words = { "deploy", "-f", "" }, .says = ":0\n" },
	{ .words = { "--kubeconfig", "" }, .says = ":0\n" },
	{ .words = { "recover", "--save", "" }, .says = ":16\n" },
	{ .words = { "deploy", "--image", "" }, .says = "_activeHelp_ Image of the servers", .has = false },
	{ .words = { "scale", "--bogus=" }, .says = ":4\n" },
	{ .words = { "scale", "=" }, .says = ":4\n" },
	{ .words = { "scale", "-=" }, .says = ":4\n" },
	/* what is to be looked up */
	{ .words = { "--context", "" }, .says = ":4\n", .kind = COMPLETE_CONTEXT },
	{ .words = { "health", "--cluster=" }, .says = ":4\n", .kind = COMPLETE_CLUSTER },
	{ .words = { "health", "--user", "" }, .says = ":4\n", .kind = COMPLETE_USER },
	{ .words = { "-n", "" }, .says = ":4\n", .kind = COMPLETE_NAMESPACE },
	{ .words = { "health", "--name", "" }, .says = ":4\n", .kind = COMPLETE_SET },
	{ .words = { "failover", "--pod", "" }, .says = ":4\n", .kind = COMPLETE_SERVER },
	{ .words = { "deploy", "--storage-class", "" }, .says = ":4\n", .kind = COMPLETE_STORAGE_CLASS },
};

Test(complete, words_and_tables_tell_what_is_wanted)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct completion completion = COMPLETION_INIT;
		_cleanup_free_ char *text = answer(cases[i].words, &completion);
		bool is_hint = str_starts_with(cases[i].says, "_activeHelp_ Image");

		if (cases[i].has)
			cr_expect(has_line(text, cases[i].says), "%zu: no line %s in:\n%s", i, cases[i].says, text);
		else if (is_hint)
			cr_expect(str_starts_with(text, cases[i].says), "%zu:\n%s", i, text);
		else
			cr_expect_str_eq(text, cases[i].says, "%zu: %s", i, text);
		cr_expect(!cases[i].lacks || !has_line(text, cases[i].lacks), "%zu: %s is in:\n%s", i, cases[i].lacks,
		          text);
		cr_expect_eq(completion.kind, cases[i].kind, "%zu: kind %d", i, (int)completion.kind);
		completion_release(&completion);
	}
}

Test(complete, every_code_can_be_explained)
{
	static const char *const words[] = { "explain", "", NULL };
	struct completion completion = COMPLETION_INIT;
	_cleanup_free_ char *text = answer(words, &completion);

	for (const struct finding_kind *kind = finding_kinds; kind->code; kind++)
		cr_expect(has_line(text, kind->code), "%s", kind->code);
	completion_release(&completion);
}

/* The descriptions that no one can forget: each option of each command is offered, and none has two lines. */
Test(complete, every_option_of_every_command_is_offered)
{
	for (size_t i = 0; cmd_commands[i]; i++) {
		const char *words[] = { cmd_commands[i]->name, "--", NULL };
		struct completion completion = COMPLETION_INIT;
		_cleanup_free_ char *text = answer(words, &completion);
		const struct option *option = cmd_commands[i]->options;

		for (; option && option->name; option++) {
			_cleanup_free_ char *line = xasprintf("--%s", option->name);

			cr_expect(option->hidden || has_line(text, line), "%s %s", words[0], line);
		}
		cr_expect_str_eq(strrchr(text, ':'), ":4\n");
		completion_release(&completion);
	}
}

Test(complete, foreign_names_cannot_reach_the_shell)
{
	struct completion completion = COMPLETION_INIT;
	_cleanup_buf_ struct buf out = BUF_TEXT;

	completion.typed = xstrdup("");
	complete_add(&completion, "fine", "a\nb\tc\033[31m");
	complete_add(&completion, "bad\033[2J", NULL);
	complete_add(&completion, "two\nlines", NULL);
	complete_add(&completion, "ta\tb", NULL);
	complete_add(&completion, "", NULL);
	complete_add(&completion, "fine", "again");
	complete_hint(&completion, "x\ny");
	complete_render(&completion, &out);
	cr_expect_str_eq(buf_text(&out), "fine\ta\\nb\\tc^[[31m\n_activeHelp_ x\\ny\n:4\n");
	completion_release(&completion);
}

Test(complete, there_is_a_limit)
{
	struct completion completion = COMPLETION_INIT;

	completion.typed = xstrdup("n");
	for (size_t i = 0; i < COMPLETE_CANDIDATES_MAX + 10; i++) {
		_cleanup_free_ char *name = xasprintf("n%zu", i);

		complete_add(&completion, name, NULL);
	}
	cr_expect_eq(completion.values.count, COMPLETE_CANDIDATES_MAX);
	completion_release(&completion);
}
