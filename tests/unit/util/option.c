/* Option tables: include/util/option.h. */
#include <criterion/criterion.h>

#include "util/option.h"

enum mode { MODE_NONE, MODE_CLIENT, MODE_SERVER };

struct values {
	bool watch;
	bool wait;
	const char *namespace_name;
	const char *name;
	int64_t replicas;
	int64_t timeout_ms;
	enum mode dry_run;
	enum mode output;
	struct strv files;
};

static const char *const modes[] = { "none", "client", "server", NULL };

static const struct option table[] = {
	{ .name = "watch", .letter = 'w', .kind = OPTION_FLAG, OPTION_AT(struct values, watch), .help = "Go on." },
	{ .name = "wait",
	  .kind = OPTION_FLAG,
	  OPTION_AT(struct values, wait),
	  .default_text = "true",
	  .help = "Wait for it." },
	{ .name = "namespace",
	  .letter = 'n',
	  .kind = OPTION_STRING,
	  OPTION_AT(struct values, namespace_name),
	  .value_name = "NAMESPACE",
	  .help = "The scope." },
	{ .name = "name",
	  .kind = OPTION_STRING,
	  OPTION_AT(struct values, name),
	  .default_text = "consul",
	  .help = "The set." },
	{ .name = "replicas",
	  .letter = 'r',
	  .kind = OPTION_INT,
	  OPTION_AT(struct values, replicas),
	  .default_text = "3",
	  .min = 1,
	  .max = 9,
	  .help = "How many." },
	{ .name = "timeout",
	  .kind = OPTION_DURATION,
	  OPTION_AT(struct values, timeout_ms),
	  .default_text = "1m",
	  .help = "How long." },
	{ .name = "dry-run",
	  .kind = OPTION_CHOICE,
	  OPTION_AT(struct values, dry_run),
	  .choices = modes,
	  .default_text = "none",
	  .bare_text = "client",
	  .wrong_choice = "Invalid dry-run value ($).",
	  .help = "Only show." },
	{ .name = "output",
	  .letter = 'o',
	  .kind = OPTION_CHOICE,
	  OPTION_AT(struct values, output),
	  .choices = modes,
	  .help = "Format." },
	{ .name = "filename", .letter = 'f', .kind = OPTION_LIST, OPTION_AT(struct values, files), .help = "Files." },
	{ .name = "secret", .kind = OPTION_FLAG, OPTION_AT(struct values, watch), .hidden = true, .help = "No." },
	{ 0 },
};

/* One parse with everything it leaves behind. */
struct parsed {
	struct values values;
	struct option_words words;
	struct err err;
	int result;
};

/* line: words separated by single spaces; "" stands for no words at all. */
static struct parsed parse(const char *line)
{
	static struct strv words;
	char *none[] = { NULL };
	struct parsed parsed = { 0 };
	struct option_set set = { 0 };

	strv_release(&words); /* the values of the last parse borrow from them */
	if (*line)
		strv_split(&words, line, ' ');
	set = (struct option_set){ table, &parsed.values };
	parsed.result = option_parse(&set, 1, *line ? words.items : none, &parsed.words, &parsed.err);
	return parsed;
}

static void release(struct parsed *parsed)
{
	struct option_set set = { table, &parsed->values };

	option_sets_release(&set, 1);
	option_words_release(&parsed->words);
	err_release(&parsed->err);
}

static void expect_error(const char *line, const char *message)
{
	struct parsed parsed = parse(line);

	cr_assert_eq(parsed.result, -1, "%s was accepted", line);
	cr_expect_eq(parsed.err.kind, ERR_USAGE);
	cr_expect_str_eq(parsed.err.message, message);
	release(&parsed);
}

Test(option, defaults_come_from_the_table)
{
	struct parsed parsed = parse("");

	cr_assert_eq(parsed.result, 0);
	cr_expect_eq(parsed.values.watch, false);
	cr_expect_eq(parsed.values.wait, true);
	cr_expect_null(parsed.values.namespace_name);
	cr_expect_str_eq(parsed.values.name, "consul");
	cr_expect_eq(parsed.values.replicas, 3);
	cr_expect_eq(parsed.values.timeout_ms, 60000);
	cr_expect_eq(parsed.values.dry_run, MODE_NONE);
	cr_expect_eq(parsed.words.operands.count, 0);
	cr_expect_eq(parsed.words.given.count, 0);
	release(&parsed);
}

Test(option, every_way_to_give_a_value)
{
	static const char *const lines[] = { "--namespace=prod", "--namespace prod", "-nprod",  "-n prod",
		                             "-n=prod",          "-wn prod",         "-wnprod", "-n no -n prod" };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct parsed parsed = parse(lines[i]);

		cr_assert_eq(parsed.result, 0, "%s", lines[i]);
		cr_expect_str_eq(parsed.values.namespace_name, "prod", "%s", lines[i]);
		cr_expect(option_was_given(&parsed.words, "namespace"));
		cr_expect(!option_was_given(&parsed.words, "name"));
		cr_expect_eq(parsed.words.operands.count, 0);
		release(&parsed);
	}
}

Test(option, values_may_be_empty_and_may_look_like_options)
{
	struct parsed parsed = parse("--name= -n --watch");

	cr_assert_eq(parsed.result, 0);
	cr_expect_str_eq(parsed.values.name, "");
	cr_expect_str_eq(parsed.values.namespace_name, "--watch");
	cr_expect_eq(parsed.values.watch, false);
	release(&parsed);
}

Test(option, flags_take_truth_values_with_an_equals_sign_only)
{
	struct parsed parsed = parse("--wait=false -w=T --watch false");

	cr_assert_eq(parsed.result, 0);
	cr_expect_eq(parsed.values.wait, false);
	cr_expect_eq(parsed.values.watch, true);
	cr_expect_eq(parsed.words.operands.count, 1);
	release(&parsed);
}

Test(option, a_choice_may_stand_bare)
{
	struct parsed parsed = parse("--dry-run client");

	cr_expect_eq(parsed.values.dry_run, MODE_CLIENT);
	cr_expect_str_eq(parsed.words.operands.items[0], "client");
	release(&parsed);
	parsed = parse("--dry-run=server");
	cr_expect_eq(parsed.values.dry_run, MODE_SERVER);
	cr_expect_eq(parsed.words.operands.count, 0);
	release(&parsed);
}

Test(option, operands_and_options_in_any_order)
{
	struct parsed parsed = parse("one -w two - -- -n --name three");

	cr_assert_eq(parsed.result, 0);
	cr_assert_eq(parsed.words.operands.count, 6);
	cr_expect_str_eq(parsed.words.operands.items[2], "-");
	cr_expect_str_eq(parsed.words.operands.items[3], "-n");
	cr_expect_str_eq(parsed.words.operands.items[5], "three");
	cr_expect(parsed.values.watch);
	release(&parsed);
}

Test(option, a_list_keeps_every_value)
{
	struct parsed parsed = parse("-f a --filename=b,c --filename d");

	cr_assert_eq(parsed.values.files.count, 3);
	cr_expect_str_eq(parsed.values.files.items[1], "b,c");
	cr_expect_eq(parsed.words.given.count, 1);
	release(&parsed);
}

Test(option, errors_in_the_words_of_kubectl)
{
	expect_error("--bogus", "unknown flag: --bogus");
	expect_error("--bogus=x", "unknown flag: --bogus");
	expect_error("--watc", "unknown flag: --watc");
	expect_error("-x", "unknown shorthand flag: 'x' in -x");
	expect_error("-wx", "unknown shorthand flag: 'x' in -x");
	expect_error("--namespace", "flag needs an argument: --namespace");
	expect_error("-n", "flag needs an argument: 'n' in -n");
	expect_error("-wn", "flag needs an argument: 'n' in -n");
	expect_error("---x", "bad flag syntax: ---x");
	expect_error("--=x", "bad flag syntax: --=x");
	expect_error("--wait=maybe", "invalid argument \"maybe\" for \"--wait\" flag: must be true or false");
	expect_error("--replicas=abc", "invalid argument \"abc\" for \"-r, --replicas\" flag: must be a whole number");
	expect_error("--replicas=", "invalid argument \"\" for \"-r, --replicas\" flag: must be a whole number");
	expect_error("-r 10", "invalid argument \"10\" for \"-r, --replicas\" flag: must be from 1 to 9");
	expect_error("-o yaml", "invalid argument \"yaml\" for \"-o, --output\" flag: must be none, client or server");
	expect_error("--dry-run=foo", "Invalid dry-run value (foo).");
	expect_error("--timeout=zz", "Invalid timeout value. Timeout "
	                             "must be a single integer in seconds, or an integer followed by a corresponding "
	                             "time unit (e.g. 1s | 2m | 3h)");
}

Test(option, errors_show_no_control_characters)
{
	expect_error("--\033[31m", "unknown flag: --^[[31m");
	expect_error("-\033", "unknown shorthand flag: '^' in -^[");
	expect_error("--dry-run=\033c", "Invalid dry-run value (^[c).");
}

Test(option, the_first_operand_is_found_behind_options)
{
	static const struct {
		const char *line;
		int index;
	} cases[] = {
		{ "health", 0 },
		{ "-n prod health", 2 },
		{ "-nprod health", 1 },
		{ "-w health", 1 },
		{ "-wn prod x", 2 },
		{ "--name x health", 2 },
		{ "--name=x health", 1 },
		{ "--bogus health", 1 },
		{ "-n=x health", 1 },
		{ "-- health", 1 },
		{ "-n", -1 },
		{ "--", -1 },
		{ "-w", -1 },
	};
	struct values values = { 0 };
	struct option_set set = { table, &values };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strv_ struct strv words = STRV_INIT;

		strv_split(&words, cases[i].line, ' ');
		cr_expect_eq(option_first_operand(&set, 1, words.items), cases[i].index, "%s", cases[i].line);
	}
}

Test(option, a_name_belongs_to_the_first_set)
{
	struct values first = { 0 }, second = { 0 };
	struct option_set sets[] = { { table, &first }, { table, &second } };
	struct option_words words = OPTION_WORDS_INIT;
	struct err err = ERR_INIT;
	char name[] = "--name=x";
	char *argv[] = { name, NULL };

	cr_assert_eq(option_parse(sets, 2, argv, &words, &err), 0);
	cr_expect_str_eq(first.name, "x");
	cr_expect_str_eq(second.name, "consul");
	option_words_release(&words);
}

Test(option, help_has_kubectls_layout)
{
	struct buf out = BUF_TEXT;

	option_help(table, 0, &out);
	cr_expect_str_eq(buf_text(&out), "    -w, --watch=false:\n\tGo on.\n\n"
	                                 "    --wait=true:\n\tWait for it.\n\n"
	                                 "    -n, --namespace='':\n\tThe scope.\n\n"
	                                 "    --name='consul':\n\tThe set.\n\n"
	                                 "    -r, --replicas=3:\n\tHow many.\n\n"
	                                 "    --timeout=1m:\n\tHow long.\n\n"
	                                 "    --dry-run='none':\n\tOnly show.\n\n"
	                                 "    -o, --output='':\n\tFormat.\n\n"
	                                 "    -f, --filename=[]:\n\tFiles.\n");
	buf_release(&out);
}

Test(option, value_names)
{
	static const struct {
		const char *name, *value;
	} cases[] = { { "namespace", "NAMESPACE" },
		      { "replicas", "N" },
		      { "timeout", "DURATION" },
		      { "dry-run", "none|client|server" },
		      { "filename", "VALUE" } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = option_value_text(option_find(table, cases[i].name, 0));

		cr_expect_str_eq(text, cases[i].value);
	}
	cr_expect_null(option_value_text(option_find(table, "watch", 0)));
	cr_expect_null(option_find(table, "bogus", 0));
	cr_expect_null(option_find(table, NULL, 0));
}
