/* util/jsonpath.h: what templates give, and the words of kubectl where they are wrong. Each row was tried with
 * kubectl 1.20. */
#include <criterion/criterion.h>

#include "util/json.h"
#include "util/jsonpath.h"
#include "util/mem.h"
#include "util/str.h"

static const char document[] =
    "{\"kind\":\"Health\",\"leader\":null,\"ok\":true,\"quorum\":{\"voters\":3,\"tolerance\":1},"
    "\"a.b\":\"dotted\",\"none\":[],\"big\":12345678901,\"half\":0.5,"
    "\"servers\":[{\"name\":\"c-0\",\"lag\":0,\"leader\":true,\"tags\":[\"x\",\"y\"]},"
    "{\"name\":\"c-1\",\"lag\":7,\"leader\":false},{\"name\":\"c-2\",\"lag\":700,\"leader\":false,\"via\":\"exec\"}]}";

struct row {
	const char *template;
	const char *output; /* or, of the tests of errors, what is said */
};

static int print(const char *template, bool allow_missing, struct buf *out, struct err *err)
{
	_cleanup_jsonpath_ struct jsonpath *path = NULL;
	_cleanup_json_ cJSON *json = NULL;

	cr_assert_eq(json_parse(document, strlen(document), &json, err), 0);
	if (jsonpath_parse(template, &path, err) < 0)
		return -1;
	return jsonpath_print(path, json, allow_missing, out, err);
}

static void expect_outputs(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_buf_ struct buf out = BUF_TEXT;
		_cleanup_err_ struct err err = ERR_INIT;

		cr_expect_eq(print(rows[i].template, true, &out, &err), 0, "%s: %s", rows[i].template, err.message);
		cr_expect_str_eq(buf_text(&out), rows[i].output, "%s: \"%s\"", rows[i].template, buf_text(&out));
	}
}

Test(jsonpath, paths)
{
	static const struct row rows[] = {
		{ "{.kind}", "Health" },
		{ "{$.kind}", "Health" },
		{ "{@.kind}", "Health" },
		{ "{['kind']}", "Health" },
		{ "{[\"kind\"]}", "Health" },
		{ "{.quorum.voters}", "3" },
		{ "{.quorum['voters']}", "3" },
		{ "{.quorum['voters','tolerance']}", "3 1" },
		{ "{.quorum['voters', 'tolerance']}", "3 1" },
		{ "{.quorum.*}", "3 1" },
		{ "{.quorum}", "{\"voters\":3,\"tolerance\":1}" },
		{ "{.leader}", "null" },
		{ "{.ok}", "true" },
		{ "{.big} {.half}", "12345678901 0.5" },
		{ "{.a\\.b}", "dotted" },
		{ "{['a\\.b']}", "dotted" },
		{ "{.servers[0].name}", "c-0" },
		{ "{.servers[-1].name}", "c-2" },
		{ "{.servers[*].name}", "c-0 c-1 c-2" },
		{ "{.servers[1:].name}", "c-1 c-2" },
		{ "{.servers[:2].name}", "c-0 c-1" },
		{ "{.servers[0:1].name}", "c-0" },
		{ "{.servers[1:1].name}", "" },
		{ "{.servers[-2:].name}", "c-1 c-2" },
		{ "{.servers[::2].name}", "c-0 c-2" },
		{ "{.servers[0,2].name}", "c-0 c-2" },
		{ "{.servers[*]['name','lag']}", "c-0 c-1 c-2 0 7 700" },
		{ "{.servers[*].tags}", "[\"x\",\"y\"]" },
		{ "{.servers[*].tags[*]}", "x y" },
		{ "{.servers.*.name}", "c-0 c-1 c-2" },
		{ "{..name}", "c-0 c-1 c-2" },
		{ "{..tags[1]}", "y" },
		{ "{.none[*]}", "" },
		{ "{.nope}", "" },
		{ "{.nope.deeper[0].still}", "" },
		{ "{.kind.x}", "" },
		{ "{.leader[0]}", "" },
	};

	expect_outputs(rows, ARRAY_SIZE(rows));
}

Test(jsonpath, text_and_literals)
{
	static const struct row rows[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ ".kind", ".kind" },
		{ "{.kind}}", "Health}" },
		{ "a {.kind} b", "a Health b" },
		{ "{.kind}\\n", "Health\\n" },
		{ "{.kind}{\"\\t\"}{'x'}{\"\\n\"}", "Health\tx\n" },
		{ "{\"\\\"\\\\\\x41\\u00b7\"}", "\"\\A·" },
		{ "{1}{-2}{0.5}{true}{FALSE}", "1-20.5truefalse" },
		{ "{.kind .servers}", "" },
		{ "{.quorum .voters}", "3" },
	};

	expect_outputs(rows, ARRAY_SIZE(rows));
}

Test(jsonpath, ranges)
{
	static const struct row rows[] = {
		{ "{range .servers[*]}{.name}={.lag}{\"\\n\"}{end}done", "c-0=0\nc-1=7\nc-2=700\ndone" },
		{ "{range .servers[*]}{.name}", "c-0c-1c-2" },
		{ "{range .servers[*]}{.name}({range .tags[*]}<{@}>{end}){end}.", "c-0(<x><y>)c-1()c-2()." },
		{ "{range .nope[*]}x{range .more}y{end}z{end}w", "w" },
		{ "{range .servers[?(@.lag>5)]}{.name} {end}", "c-1 c-2 " },
		{ "{range .servers[*]}{end}", "" },
		{ "{range .servers[0]}{.name}{end}{range .servers[1]}{.name}{end}", "c-0c-1" },
	};

	expect_outputs(rows, ARRAY_SIZE(rows));
}

Test(jsonpath, filters)
{
	static const struct row rows[] = {
		{ "{.servers[?(@.name==\"c-1\")].lag}", "7" },
		{ "{.servers[?(@.name=='c-1')].lag}", "7" },
		{ "{.servers[?(@.name!=\"c-1\")].name}", "c-0 c-2" },
		{ "{.servers[?(@.lag<7)].name}", "c-0" },
		{ "{.servers[?(@.lag<=7)].name}", "c-0 c-1" },
		{ "{.servers[?(@.lag > 7)].name}", "c-2" },
		{ "{.servers[?(@.lag>=7)].name}", "c-1 c-2" },
		{ "{.servers[?(@.leader==true)].name}", "c-0" },
		{ "{.servers[?(@.via)].name}", "c-2" },
		{ "{.servers[?(@.via==\"exec\")].name}", "c-2" },
		{ "{.servers[?(@.name>\"c-0\")].name}", "c-1 c-2" },
		{ "{.servers[?(@.name==\")\")].name}", "" },
		{ "{.servers[?(@.nope==1)].name}", "" },
		{ "{.servers[0].tags[?(@==\"y\")]}", "y" },
		{ "{.none[?(@.x)]}", "" },
	};

	expect_outputs(rows, ARRAY_SIZE(rows));
}

static void expect_errors(const struct row *rows, size_t count, const char *prefix, bool allow_missing)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_buf_ struct buf out = BUF_TEXT;
		_cleanup_err_ struct err err = ERR_INIT;

		cr_assert_eq(print(rows[i].template, allow_missing, &out, &err), -1, "%s: %s", rows[i].template,
		             buf_text(&out));
		cr_expect_eq(err.kind, ERR_INVALID);
		cr_expect(str_starts_with(err.message, prefix) && str_ends_with(err.message, rows[i].output), "%s: %s",
		          rows[i].template, err.message);
	}
}

Test(jsonpath, templates_that_cannot_be_read)
{
	static const struct row rows[] = {
		{ "{.kind", "error parsing jsonpath {.kind, unclosed action" },
		{ "{", ", unclosed action" },
		{ "{.servers[x]}", ", invalid array index x" },
		{ "{.servers[1:2:3:4]}", ", invalid array index 1:2:3:4" },
		{ "{.servers[99999999999999999999]}", ", invalid array index 99999999999999999999" },
		{ "{.servers[0}", ", unterminated array" },
		{ "{\"a}", ", unterminated quoted string" },
		{ "{\"a\\", ", unterminated quoted string" },
		{ "{\"\\q\"}", ", unquote string \"\\q\" error invalid syntax" },
		{ "{\"\\x00\"}", " error invalid syntax" },
		{ "{.servers[?(@.a==1)}", ", unclosed array expect ]" },
		{ "{.servers[?(@.a==1]}", ", unterminated filter" },
		{ "{....x}", ", invalid multiple recursive descent" },
		{ "{1.2.3}", ", cannot parse number 1.2.3" },
		{ "{.kind,.ok}", ", unrecognized character in action: U+002C ','" },
		{ "{.servers[?(@=~\"a\")]}", ", unrecognized character in action: U+007E '~'" },
		{ "{\x1b}", "{^[}, unrecognized character in action: byte 0x1b" },
	};

	expect_errors(rows, ARRAY_SIZE(rows), "error parsing jsonpath {", true);
}

Test(jsonpath, templates_that_do_not_fit_the_object)
{
	static const struct row rows[] = {
		{ "{.servers[3]}",
		  "error executing jsonpath \"{.servers[3]}\": Error executing template: array index out of bounds: "
		  "index 3, length 3" },
		{ "{.servers[-4]}", ": array index out of bounds: index -1, length 3" },
		{ "{.servers[0:9]}", ": array index out of bounds: index 8, length 3" },
		{ "{.none[0]}", ": array index out of bounds: index 0, length 0" },
		{ "{.servers[2:1]}", ": starting index 2 is greater than ending index 1" },
		{ "{.servers[-1:0]}", ": starting index 2 is greater than ending index 0" },
		{ "{.servers[::0]}", ": step must be > 0" },
		{ "{.quorum[*]}", ": map[string]interface {} is not array or slice" },
		{ "{.kind[0]}", ": string is not array or slice" },
		{ "{.quorum[?(@.a)]}", " is not array or slice and cannot be filtered" },
		{ "{.servers[?(@.name>3)]}", ": incompatible types for comparison" },
		{ "{.servers[?(@.leader>false)]}", ": invalid type for comparison" },
		{ "{.servers[?(@.lag=!3)]}", ": unrecognized filter operator =!" },
		{ "{.servers[?(@.*==3)]}", ": can only compare one element at a time" },
		{ "{end}", ": not in range, nothing to end" },
		{ "{kind}", ": unrecognized identifier kind" },
		{ "{.kind b}", ": unrecognized identifier b" },
	};

	expect_errors(rows, ARRAY_SIZE(rows), "error executing jsonpath \"", true);
}

Test(jsonpath, missing_keys_when_they_are_not_allowed)
{
	static const struct row rows[] = {
		{ "{.nope}", ": nope is not found" },
		{ "{.quorum.nope}", ": nope is not found" },
		{ "{.servers[*].nope}", ": nope is not found" },
	};

	expect_errors(rows, ARRAY_SIZE(rows), "error executing jsonpath \"", false);
}

/* What multiplies ends in an error, soon. */
Test(jsonpath, templates_that_explode)
{
	_cleanup_buf_ struct buf out = BUF_TEXT, template = BUF_TEXT;
	_cleanup_err_ struct err err = ERR_INIT;

	buf_adds(&template, "{");
	for (int i = 0; i < 60; i++)
		buf_adds(&template, "['','','','']");
	buf_adds(&template, "}");
	cr_assert_eq(print(buf_text(&template), true, &out, &err), -1);
	cr_expect_eq(err.kind, ERR_TOO_LARGE, "%s", err.message);
	err_release(&err);
	buf_clear(&template);
	for (int i = 0; i < 20; i++)
		buf_adds(&template, "{range ['','','','']}");
	cr_assert_eq(print(buf_text(&template), true, &out, &err), -1);
	cr_expect_eq(err.kind, ERR_TOO_LARGE, "%s", err.message);
	err_release(&err);
	while (template.len <= JSONPATH_TEMPLATE_MAX)
		buf_adds(&template, "{range .}");
	cr_assert_eq(print(buf_text(&template), true, &out, &err), -1);
	cr_expect(str_starts_with(err.message, "error parsing jsonpath: more than"), "%s", err.message);
}
