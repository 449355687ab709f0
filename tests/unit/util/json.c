/* util/json.h */
#include <criterion/criterion.h>
#include <math.h>

#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

static cJSON *parsed(const char *text)
{
	struct err err = ERR_INIT;
	cJSON *json = NULL;

	cr_assert_eq(json_parse(text, strlen(text), &json, &err), 0, "%s: %s", text, err.message);
	return json;
}

static void expect_no_json(const char *text, size_t length, const char *message)
{
	_cleanup_err_ struct err err = ERR_INIT;
	cJSON *json = NULL;

	cr_assert_eq(json_parse(text, length, &json, &err), -1, "%s", text);
	cr_expect_eq(err.kind, ERR_INVALID);
	cr_expect_null(json);
	cr_expect(strstr(err.message, message), "%s", err.message);
}

Test(json, one_value_and_nothing_after_it)
{
	cJSON_Delete(parsed(" {\"a\": [1, true, null]} \r\n\t"));
	cJSON_Delete(parsed("3"));
	expect_no_json("", 0, "empty");
	expect_no_json(" \n", 2, "empty");
	expect_no_json("{} x", 4, "near byte");
	expect_no_json("{\"a\":", 5, "near byte");
	expect_no_json("[1,2}", 5, "near byte");
	expect_no_json("x\x1b[0m", 5, "\"x^[[0m\"");
	expect_no_json("{}{}", 4, "{}");
}

Test(json, reads_no_further_than_its_length)
{
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_json_ cJSON *json = NULL;

	cr_assert_eq(json_parse("12345", 2, &json, &err), 0);
	cr_expect_eq(json->valueint, 12);
}

Test(json, nesting_is_bounded)
{
	char deep[5000];

	memset(deep, '[', sizeof(deep));
	expect_no_json(deep, sizeof(deep), "not JSON");
}

Test(json, paths)
{
	_cleanup_json_ cJSON *json =
	    parsed("{\"a\":{\"b\":{\"c\":\"x\",\"n\":5,\"f\":1.5,\"t\":true},\"d.e\":1},\"s\":\"y\"}");

	cr_expect_str_eq(json_string_at(json, "a.b.c"), "x");
	cr_expect_null(json_string_at(json, "a.b.n"));
	cr_expect_null(json_string_at(json, "a.b.c.d"));
	cr_expect_null(json_string_at(json, "s.b"));
	cr_expect_null(json_string_at(json, "A.b.c"));
	cr_expect_null(json_string_at(NULL, "a"));
	cr_expect_null(json_at(json, ""));
	cr_expect_eq(json_int_at(json, "a.b.n", -1), 5);
	cr_expect_eq(json_int_at(json, "a.b.f", -1), -1);
	cr_expect_eq(json_int_at(json, "a.b.t", -1), -1);
	cr_expect(json_bool_at(json, "a.b.t", false));
	cr_expect(json_bool_at(json, "a.b.n", true));
	cr_expect_not_null(json_get(json_get(json, "a"), "d.e"));
}

struct thing {
	char *name;
	int64_t count, size;
	bool on, off;
};

static const struct json_field thing_fields[] = {
	JSON_FIELD(struct thing, name, JSON_STRING, "meta.name", true),
	JSON_FIELD(struct thing, count, JSON_INT, "spec.count", false),
	JSON_FIELD(struct thing, size, JSON_STRING_INT64, "spec.size", false),
	JSON_FIELD(struct thing, on, JSON_BOOL, "spec.on", false),
	JSON_FIELD(struct thing, off, JSON_STRING_BOOL, "spec.off", false),
	{ 0 },
};

Test(json, field_tables_fill_a_struct)
{
	_cleanup_json_ cJSON *json =
	    parsed("{\"meta\":{\"name\":\"n\"},\"spec\":{\"count\":3,\"size\":\"9007199254740993\","
	           "\"on\":true,\"off\":\"true\"}}");
	_cleanup_err_ struct err err = ERR_INIT;
	struct thing thing = { .name = xstrdup("old") };

	cr_assert_eq(json_decode(json, thing_fields, &thing, &err), 0);
	cr_expect_str_eq(thing.name, "n");
	cr_expect_eq(thing.count, 3);
	cr_expect_eq(thing.size, 9007199254740993);
	cr_expect(thing.on);
	cr_expect(thing.off);
	free(thing.name);
}

Test(json, absent_and_null_fields_keep_their_values)
{
	_cleanup_json_ cJSON *json = parsed("{\"meta\":{\"name\":\"n\"},\"spec\":{\"count\":null}}");
	_cleanup_err_ struct err err = ERR_INIT;
	struct thing thing = { .count = 7, .on = true };

	cr_assert_eq(json_decode(json, thing_fields, &thing, &err), 0);
	cr_expect_eq(thing.count, 7);
	cr_expect(thing.on);
	free(thing.name);
}

Test(json, field_errors_name_the_path)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "{}", "meta.name is missing" },
		{ "[]", "meta.name is missing" },
		{ "{\"meta\":{\"name\":null}}", "meta.name is missing" },
		{ "{\"meta\":{\"name\":3}}", "meta.name is not of the expected type" },
		{ "{\"meta\":{\"name\":\"n\"},\"spec\":{\"count\":1.5}}", "spec.count is not of the expected type" },
		{ "{\"meta\":{\"name\":\"n\"},\"spec\":{\"count\":1e300}}", "spec.count is not of the expected type" },
		{ "{\"meta\":{\"name\":\"n\"},\"spec\":{\"size\":\"12x\"}}", "spec.size is not of the expected type" },
		{ "{\"meta\":{\"name\":\"n\"},\"spec\":{\"on\":\"true\"}}", "spec.on is not of the expected type" },
		{ "{\"meta\":{\"name\":\"n\"},\"spec\":{\"off\":\"yes\"}}", "spec.off is not of the expected type" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ cJSON *json = parsed(rows[i].text);
		_cleanup_err_ struct err err = ERR_INIT;
		struct thing thing = { 0 };

		cr_expect_eq(json_decode(json, thing_fields, &thing, &err), -1);
		cr_expect_str_eq(err.message, rows[i].message);
		free(thing.name);
	}
}

Test(json, builders_read_like_what_they_make)
{
	_cleanup_json_ cJSON *json =
	    json_object("a", json_array(json_int(1), NULL, json_string("x"), json_bool(false)), "gone",
	                json_string(NULL), "o", cJSON_CreateObject(), "f", json_stringf("%d%%", 5), NULL);
	_cleanup_free_ char *text = json_text(json);

	cr_expect_str_eq(text, "{\"a\":[1,\"x\",false],\"o\":{},\"f\":\"5%\"}");
}

Test(json, sets_and_removes)
{
	_cleanup_json_ cJSON *json = json_object("a", json_int(1), NULL);
	_cleanup_free_ char *text = NULL;

	json_set(json, "a", json_int(2));
	json_set(json, "b", json_bool(true));
	json_set(json, "c", NULL);
	json_set(json, "b", NULL);
	text = json_text(json);
	cr_expect_str_eq(text, "{\"a\":2}");
}

Test(json, integers_print_exactly)
{
	static const int64_t values[] = { 0, -1, 2147483648, 999999999999999, 1234567890123456, 9007199254740991 };

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		_cleanup_json_ cJSON *json = json_int(values[i]), *again = NULL;
		_cleanup_free_ char *text = json_text(json);

		again = parsed(text);
		cr_expect_eq((int64_t)again->valuedouble, values[i], "%s", text);
	}
}

Test(json, pretty_is_kubectls)
{
	_cleanup_json_ cJSON *json = parsed("{\"a\":[1,{\"b\\\"\":null}],\"e\":[],\"o\":{}}");
	_cleanup_free_ char *text = json_text_pretty(json);

	cr_expect_str_eq(text,
	                 "{\n    \"a\": [\n        1,\n        {\n            \"b\\\"\": null\n        }\n    ],\n"
	                 "    \"e\": [],\n    \"o\": {}\n}\n");
}

Test(json, what_no_terminal_should_get_is_escaped)
{
	_cleanup_json_ cJSON *json = json_object("k\xc2\x9b", json_string("\x7f\xe2\x80\xae\xc3\xa4\xff\x1b"), NULL);
	_cleanup_free_ char *text = json_text(json), *pretty = json_text_pretty(json);

	cr_expect_str_eq(text, "{\"k\\u009b\":\"\\u007f\\u202e\xc3\xa4\xef\xbf\xbd\\u001b\"}");
	cr_expect_str_eq(pretty, "{\n    \"k\\u009b\": \"\\u007f\\u202e\xc3\xa4\xef\xbf\xbd\\u001b\"\n}\n");
}
