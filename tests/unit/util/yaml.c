/* util/yaml.h. What is read and how it is printed was compared with kubectl 1.32. */
#include <criterion/criterion.h>

#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"
#include "util/yaml.h"

static char *as_json(const char *text)
{
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_json_ cJSON *json = NULL;

	cr_assert_eq(yaml_parse_first(text, strlen(text), &json, &err), 0, "%s: %s", text, err.message);
	return json_text(json);
}

static void expect_error(const char *text, size_t length, enum err_kind kind, const char *message)
{
	_cleanup_err_ struct err err = ERR_INIT;
	cJSON *json = NULL;

	cr_assert_eq(yaml_parse(text, length, &json, &err), -1, "%s", text);
	cr_expect_null(json);
	cr_expect_eq(err.kind, kind);
	cr_expect_str_eq(err.message, message);
}

Test(yaml, plain_scalars_have_the_types_kubectl_gives_them)
{
	static const char *const rows[][2] = {
		{ "012", "10" },
		{ "0x1F", "31" },
		{ "0o17", "15" },
		{ "0b11", "3" },
		{ "1_000", "1000" },
		{ "1e3", "1000" },
		{ "1.", "1" },
		{ ".5", "0.5" },
		{ "08", "8" },
		{ "+1", "1" },
		{ "-0", "0" },
		{ "-0x1f", "-31" },
		{ "~", "null" },
		{ "Null", "null" },
		{ "", "null" },
		{ "yes", "true" },
		{ "OFF", "false" },
		{ "y", "true" },
		{ "True", "true" },
		{ "tRue", "\"tRue\"" },
		{ "1:30", "\"1:30\"" },
		{ "2020-01-01", "\"2020-01-01\"" },
		{ ".", "\".\"" },
		{ "0b2", "\"0b2\"" },
		{ "1,000", "\"1,000\"" },
		{ "1.2.3", "\"1.2.3\"" },
		{ "1e", "\"1e\"" },
		{ "-", "\"-\"" },
		{ "0xg", "\"0xg\"" },
		{ "\"1\"", "\"1\"" },
		{ "'yes'", "\"yes\"" },
		{ "!!str 1", "\"1\"" },
		{ "!!int \"3\"", "3" },
		{ "! 1", "\"1\"" },
		{ "!foo b", "\"b\"" },
		{ "!!float 3", "3" },
		{ "1e400", "\"1e400\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text = xasprintf("- %s\n", rows[i][0]), *json = as_json(text);
		_cleanup_free_ char *expected = xasprintf("[%s]", rows[i][1]);

		/* A lone "-" in a list would begin another one. */
		if (!str_equal(rows[i][0], "-"))
			cr_expect_str_eq(json, expected, "%s: %s", rows[i][0], json);
	}
}

Test(yaml, structures)
{
	static const char *const rows[][2] = {
		{ "a: [1, {b: c}]\nd:\n- e\n-\n  f: g\n", "{\"a\":[1,{\"b\":\"c\"}],\"d\":[\"e\",{\"f\":\"g\"}]}" },
		{ "{1: a, true: b, 1.5: c, \"\": d}", "{\"1\":\"a\",\"true\":\"b\",\"1.5\":\"c\",\"\":\"d\"}" },
		{ "a: |\n  x\n   y\nb: >\n  x\n  y\nc: |-\n  z\n",
		  "{\"a\":\"x\\n y\\n\",\"b\":\"x y\\n\",\"c\":\"z\"}" },
		{ "a: &x {b: 1}\nc: *x\nd: [*x]", "{\"a\":{\"b\":1},\"c\":{\"b\":1},\"d\":[{\"b\":1}]}" },
		{ "- &a 1\n- &a 2\n- *a\n", "[1,2,2]" },
		{ "{\"a\": [1, null, \"\\u00e9\\n\"]}", "{\"a\":[1,null,\"\xc3\xa9\\n\"]}" },
		{ "# nothing\n", "null" },
		{ "", "null" },
		{ "\xef\xbb\xbf"
		  "a: b",
		  "{\"a\":\"b\"}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *json = as_json(rows[i][0]);

		cr_expect_str_eq(json, rows[i][1]);
	}
}

Test(yaml, several_documents)
{
	static const char text[] = "---\na: 1\n---\n# nothing\n---\nb: 2\n...\n---\n- &x 1\n";
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_json_ cJSON *documents = NULL;
	_cleanup_free_ char *json = NULL;

	cr_assert_eq(yaml_parse(text, strlen(text), &documents, &err), 0);
	json = json_text(documents);
	cr_expect_str_eq(json, "[{\"a\":1},{\"b\":2},[1]]");
}

Test(yaml, the_first_document_only)
{
	_cleanup_free_ char *json = as_json("a: 1\n---\nb: [\n");

	cr_expect_str_eq(json, "{\"a\":1}");
}

Test(yaml, errors_are_worded_and_placed_as_kubectls)
{
	static const char *const rows[][2] = {
		{ "a: [1\n", "yaml: line 1: did not find expected ',' or ']'" },
		{ "a: 1\nb: 2\n  c: 3\n", "yaml: line 3: mapping values are not allowed in this context" },
		{ "x: 1\na: @b\n", "yaml: line 2: found character that cannot start any token" },
		{ "x: 1\na: *b\n", "yaml: line 2: unknown anchor referenced: b" },
		{ "a: &x [*x]", "yaml: line 1: anchor value contains itself: x" },
		{ "---\na: &x 1\n---\nb: *x", "yaml: line 4: unknown anchor referenced: x" },
		{ "a: 1\nb: 2\na: 3\n", "yaml: line 3: key is already set in this map: a" },
		{ "1: a\n\"1\": b\n", "yaml: line 2: key is already set in this map: 1" },
		{ "{[a]: b}", "yaml: line 1: a map key must be a plain value" },
		{ "~: b", "yaml: line 1: a map key must not be null" },
		{ "<<: {a: b}", "yaml: line 1: merge keys (<<) are not supported" },
		{ "a: .inf", "yaml: line 1: unsupported value: .inf" },
		{ "a: !!int x", "yaml: line 1: value does not fit its tag or the tag is not supported: !!int" },
		{ "a: !!binary aGk=",
		  "yaml: line 1: value does not fit its tag or the tag is not supported: !!binary" },
		{ "a: \"\\0\"", "yaml: line 1: a string holds a NUL character" },
		{ "a: 1\nb: \x01", "yaml: line 2: control characters are not allowed" },
		{ "a: 1\nb: \xff", "yaml: line 2: invalid leading UTF-8 octet" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_error(rows[i][0], strlen(rows[i][0]), ERR_INVALID, rows[i][1]);
}

Test(yaml, billions_of_laughs_are_counted)
{
	_cleanup_buf_ struct buf text = BUF_TEXT;

	buf_adds(&text, "a: &a [x,x,x,x,x,x,x,x,x]\n");
	for (char c = 'b'; c <= 'i'; c++)
		buf_addf(&text, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c - 1, c - 1, c - 1, c - 1,
		         c - 1, c - 1, c - 1, c - 1, c - 1);
	expect_error(buf_text(&text), text.len, ERR_TOO_LARGE, "yaml: line 6: more than 200000 values");
}

Test(yaml, depth_is_bounded)
{
	_cleanup_buf_ struct buf deep = BUF_TEXT, aliased = BUF_TEXT;

	for (size_t i = 0; i <= YAML_DEPTH_MAX; i++)
		buf_addc(&deep, '[');
	expect_error(buf_text(&deep), deep.len, ERR_TOO_LARGE, "yaml: line 1: nested deeper than 100");
	buf_adds(&aliased, "- &a0 [x]\n");
	for (int i = 1; i < 150; i++)
		buf_addf(&aliased, "- &a%d [*a%d]\n", i, i - 1);
	expect_error(buf_text(&aliased), aliased.len, ERR_TOO_LARGE, "yaml: line 99: nested deeper than 100");
}

Test(yaml, anchors_and_documents_are_bounded)
{
	_cleanup_buf_ struct buf anchors = BUF_TEXT, documents = BUF_TEXT;

	for (size_t i = 0; i <= YAML_ANCHORS_MAX; i++)
		buf_addf(&anchors, "- &a%zu x\n", i);
	expect_error(buf_text(&anchors), anchors.len, ERR_TOO_LARGE, "yaml: line 1001: more than 1000 anchors");
	for (size_t i = 0; i <= YAML_DOCUMENTS_MAX; i++)
		buf_adds(&documents, "---\na\n");
	expect_error(buf_text(&documents), documents.len, ERR_TOO_LARGE, "yaml: more than 1000 documents");
}

Test(yaml, many_keys_are_read_in_good_time)
{
	_cleanup_buf_ struct buf text = BUF_TEXT;
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_json_ cJSON *documents = NULL;

	for (int i = 0; i < 90000; i++)
		buf_addf(&text, "k%d: 1\n", i);
	cr_assert_eq(yaml_parse(buf_text(&text), text.len, &documents, &err), 0);
	cr_expect_eq(cJSON_GetArraySize(documents->child), 90000);
}

Test(yaml, prints_strings_as_kubectl_does)
{
	static const char *const rows[][2] = {
		{ "plain", "plain" },
		{ "a b", "a b" },
		{ "", "\"\"" },
		{ "true", "\"true\"" },
		{ "y", "\"y\"" },
		{ "null", "\"null\"" },
		{ "~", "\"~\"" },
		{ "1", "\"1\"" },
		{ "1e3", "\"1e3\"" },
		{ "0x10", "\"0x10\"" },
		{ "1_000", "\"1_000\"" },
		{ ".inf", "\".inf\"" },
		{ "2020-01-01", "\"2020-01-01\"" },
		{ "2020-01-01T00:00:00Z", "\"2020-01-01T00:00:00Z\"" },
		{ "1:30", "\"1:30\"" },
		{ "190:20:30", "\"190:20:30\"" },
		{ "1.2.3", "1.2.3" },
		{ "1,000", "1,000" },
		{ "a: b", "'a: b'" },
		{ "a:b", "a:b" },
		{ "x:", "'x:'" },
		{ "a #b", "'a #b'" },
		{ "#x", "'#x'" },
		{ "- x", "'- x'" },
		{ "-x", "-x" },
		{ "-", "'-'" },
		{ "*x", "'*x'" },
		{ "&x", "'&x'" },
		{ "!x", "'!x'" },
		{ "%x", "'%x'" },
		{ "@x", "'@x'" },
		{ "{x", "'{x'" },
		{ "x]", "x]" },
		{ "it's", "it's" },
		{ "\"q\"", "'\"q\"'" },
		{ " lead", "' lead'" },
		{ "trailing ", "'trailing '" },
		{ "<<", "<<" },
		{ "---", "'---'" },
		{ "=", "=" },
		{ "|", "'|'" },
		{ "?x", "?x" },
		{ "tab\there", "\"tab\\there\"" },
		{ "\x01", "\"\\x01\"" },
		{ "a\r\nb", "\"a\\r\\nb\"" },
		{ "\xc3\xa9", "\xc3\xa9" },
		{ "\xe2\x80\xae", "\"\\u202e\"" },
		{ "l1\n\xe2\x81\xa6", "\"l1\\n\\u2066\"" },
		{ "\xf0\x9f\x98\x80", "\"\\U0001F600\"" },
		{ "l1\nl2\n", "|\n  l1\n  l2" },
		{ "l1\nl2", "|-\n  l1\n  l2" },
		{ "l1\n\nl2\n", "|\n  l1\n\n  l2" },
		{ "a\n  b\n", "|\n  a\n    b" },
		{ "  lead\nx\n", "|2\n    lead\n  x" },
		{ "#c\nx\n", "|\n  #c\n  x" },
		{ "trail \nx\n", "\"trail \\nx\\n\"" },
		{ "a\tb\nc\n", "\"a\\tb\\nc\\n\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ cJSON *json = json_object("k", json_string(rows[i][0]), NULL);
		_cleanup_free_ char *text = yaml_text(json), *expected = xasprintf("k: %s\n", rows[i][1]);

		cr_expect_str_eq(text, expected);
	}
}

Test(yaml, prints_structures_as_kubectl_does)
{
	_cleanup_json_ cJSON *json =
	    json_object("apiVersion", json_string("v1"), "args",
	                json_array(json_string("a"), json_object("b", json_int(1), "c", json_array(json_int(2)), NULL),
	                           json_array(json_int(3), json_array(json_int(4)))),
	                "data", json_object("x.conf", json_string("l1\nl2\n"), "12", json_bool(true), NULL), "e",
	                cJSON_CreateObject(), "l", cJSON_CreateArray(), "n", cJSON_CreateNull(), "f",
	                cJSON_CreateNumber(0.1), "big", json_int(9007199254740991), NULL);
	_cleanup_free_ char *text = yaml_text(json);

	cr_expect_str_eq(text, "apiVersion: v1\nargs:\n- a\n- b: 1\n  c:\n  - 2\n- - 3\n  - - 4\n"
	                       "data:\n  x.conf: |\n    l1\n    l2\n  \"12\": true\ne: {}\nl: []\n\"n\": null\nf: 0.1\n"
	                       "big: 9007199254740991\n");
}

Test(yaml, prints_foreign_bytes_as_replacements)
{
	_cleanup_json_ cJSON *json = json_object("a\xff", json_string("\xfe"), NULL);
	_cleanup_free_ char *text = yaml_text(json);

	cr_expect_str_eq(text, "\"a\xef\xbf\xbd\": \"\xef\xbf\xbd\"\n");
}

/* Strings out of an alphabet of everything that means something in YAML, as values, keys and list items. */
Test(yaml, what_is_printed_reads_as_the_same)
{
	static const char *const pieces[] = { "a",
		                              " ",
		                              "  ",
		                              "\n",
		                              "\n\n",
		                              ":",
		                              ": ",
		                              "#",
		                              " #",
		                              "-",
		                              "- ",
		                              "'",
		                              "\"",
		                              "\\",
		                              "\t",
		                              "0",
		                              "1",
		                              ".",
		                              "e",
		                              "x",
		                              "_",
		                              "true",
		                              "null",
		                              "~",
		                              "|",
		                              ">",
		                              "{",
		                              "]",
		                              ",",
		                              "&",
		                              "*",
		                              "!",
		                              "%",
		                              "@",
		                              "`",
		                              "?",
		                              "? ",
		                              "=",
		                              "<<",
		                              "---",
		                              "...",
		                              "\r",
		                              "\xc3\xa9",
		                              "\xc2\x85",
		                              "\xe2\x80\xa8",
		                              "\xef\xbb\xbf",
		                              "\xf0\x9f\x98\x80",
		                              "\xe2\x80\xae",
		                              "\xc2\x9b",
		                              "\x01",
		                              "\x7f" };
	uint32_t state = 12345;

	for (int round = 0; round < 20000; round++) {
		_cleanup_buf_ struct buf word = BUF_TEXT;
		_cleanup_json_ cJSON *json = NULL, *again = NULL;
		_cleanup_free_ char *text = NULL;
		_cleanup_err_ struct err err = ERR_INIT;

		for (int i = 0; i <= round % 6; i++) {
			state = state * 1664525 + 1013904223;
			buf_adds(&word, pieces[(state >> 8) % ARRAY_SIZE(pieces)]);
		}
		json = json_object("k", json_string(buf_text(&word)), "l", json_array(json_string(buf_text(&word))),
		                   "m", json_object(buf_text(&word), json_int(1), NULL), NULL);
		text = yaml_text(json);
		cr_assert_eq(yaml_parse_first(text, strlen(text), &again, &err), 0, "%s: %s", text, err.message);
		cr_assert(cJSON_Compare(json, again, true), "%s", text);
	}
}
