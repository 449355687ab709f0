/* util/str.h and util/mem.h */
#include <criterion/criterion.h>

#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

Test(str, compares)
{
	cr_expect(str_equal(NULL, NULL));
	cr_expect_not(str_equal(NULL, ""));
	cr_expect(str_equal("a", "a"));
	cr_expect_not(str_equal("a", "A"));
	cr_expect(str_equal_nocase("Content-TYPE", "content-type"));
	cr_expect_not(str_equal_nocase("ab", "abc"));
	cr_expect_not(str_equal_nocase(NULL, "a"));
	cr_expect(str_starts_with("abc", ""));
	cr_expect(str_starts_with("abc", "ab"));
	cr_expect_not(str_starts_with("a", "ab"));
	cr_expect(str_ends_with("abc", "bc"));
	cr_expect_not(str_ends_with("c", "bc"));
}

Test(str, reads_whole_numbers_only)
{
	static const char *const bad[] = {
		"", "-", "+1", " 1", "1 ", "1x", "0x1", "--1", "9223372036854775808", "1.0"
	};
	int64_t value = 7;
	uint64_t natural = 7;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_eq(str_to_int64(bad[i], &value), -1, "%s", bad[i]);
	cr_expect_eq(str_to_int64(NULL, &value), -1);
	cr_expect_eq(value, 7);
	cr_expect(str_to_int64("-9223372036854775808", &value) == 0 && value == INT64_MIN);
	cr_expect(str_to_int64("007", &value) == 0 && value == 7);
	cr_expect(str_to_uint64("18446744073709551615", &natural) == 0 && natural == UINT64_MAX);
	cr_expect_eq(str_to_uint64("18446744073709551616", &natural), -1);
	cr_expect_eq(str_to_uint64("-1", &natural), -1);
}

Test(str, control_characters_and_foreign_bytes_become_visible)
{
	static const struct {
		const char *text, *shown;
	} rows[] = {
		{ "plain \xc3\xa9 \xf0\x9f\x98\x80", "plain \xc3\xa9 \xf0\x9f\x98\x80" },
		{ "\x1b[31mred", "^[[31mred" },
		{ "a\r\n\tb", "a\\r\\n\\tb" },
		{ "\x01\x7f", "^A\\x7f" },
		{ "\xc2\x9b", "\\x9b" },      /* C1 CSI */
		{ "\xff\xfe", "\\xff\\xfe" }, /* no UTF-8 */
		{ "\xc3", "\\xc3" },          /* cut off */
		{ "\xe2\x82", "\\xe2\\x82" },
		{ "\xc0\xaf", "\\xc0\\xaf" },                   /* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },          /* surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* past U+10FFFF */
		{ "a\xe2\x80\xae"
		  "b",
		  "a<U+202E>b" }, /* right-to-left override */
		{ "\xe2\x81\xa6", "<U+2066>" },
		{ "\xe2\x80\xa8", "<U+2028>" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *shown = str_visible(rows[i].text, 0);

		cr_expect_str_eq(shown, rows[i].shown);
	}
}

Test(str, visible_text_is_bounded)
{
	_cleanup_free_ char *cut = str_visible("abcdef", 3), *whole = str_visible("abc", 3);

	struct buf text = BUF_TEXT;
	_cleanup_free_ char *longest = NULL;

	cr_expect_str_eq(cut, "abc...");
	cr_expect_str_eq(whole, "abc");
	while (text.len < 2 * STR_VISIBLE_MAX)
		buf_addc(&text, '\xff');
	longest = str_visible(buf_text(&text), 0);
	cr_expect_eq(strlen(longest), STR_VISIBLE_MAX + strlen("..."));
	buf_release(&text);
}

Test(str, foreign_bytes_become_replacement_characters)
{
	_cleanup_free_ char *text = str_utf8("a\xff\xc3\xa9\xe2\x82z");

	cr_assert_str_eq(text, "a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbdz");
}

Test(str, what_no_terminal_should_get_is_escaped_for_documents)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "a\tb\n\x1b", "a\tb\n\x1b" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "a\x7f", "a\\u007f" },
		{ "\xc2\x9b[2J", "\\u009b[2J" },
		{ "\xe2\x80\xae\xe2\x81\xa6", "\\u202e\\u2066" },
		{ "\xff\xc2", "\xef\xbf\xbd\xef\xbf\xbd" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *escaped = str_escape(xstrdup(rows[i][0]));

		cr_expect_str_eq(escaped, rows[i][1], "%zu: %s", i, escaped);
		cr_expect_eq(str_has_odd(rows[i][0]), !str_equal(rows[i][0], rows[i][1]));
	}
}

Test(str, lists)
{
	_cleanup_strv_ struct strv list = STRV_INIT, one = STRV_INIT, none = STRV_INIT;
	_cleanup_free_ char *joined = NULL, *single = NULL, *empty = strv_join(&none, ", ", " and ");

	strv_sort(&none);
	strv_add(&list, "c");
	strv_addf(&list, "%s%d", "a", 1);
	strv_take(&list, xstrdup("b"));
	strv_add(&one, "x");
	strv_sort(&list);
	joined = strv_join(&list, ", ", " and ");
	single = strv_join(&one, ", ", " and ");
	cr_expect_str_eq(joined, "a1, b and c");
	cr_expect_str_eq(single, "x");
	cr_expect_str_eq(empty, "");
	cr_expect(strv_contains(&list, "b"));
	cr_expect_not(strv_contains(&list, "B"));
	cr_expect_null(list.items[3]);
}

Test(str, splits_and_keeps_empty_parts)
{
	_cleanup_strv_ struct strv list = STRV_INIT;

	strv_split(&list, ":a::b", ':');
	cr_assert_eq(list.count, 4);
	cr_expect_str_eq(list.items[0], "");
	cr_expect_str_eq(list.items[1], "a");
	cr_expect_str_eq(list.items[2], "");
	cr_expect_str_eq(list.items[3], "b");
}

Test(mem, strings)
{
	_cleanup_free_ char *part = xstrndup("abc", 2), *whole = xstrndup("abc", 10), *none = xstrdup_null(NULL);
	char *given = xasprintf("%d-%s", 1, "x"), *taken = TAKE(given);

	cr_expect_str_eq(part, "ab");
	cr_expect_str_eq(whole, "abc");
	cr_expect_null(none);
	cr_expect_null(given);
	cr_expect_str_eq(taken, "1-x");
	replace_string(&taken, xstrdup("y"));
	cr_expect_str_eq(taken, "y");
	free_secret(taken);
	free_secret(NULL);
}

Test(str, last_of_a_character)
{
	const char *text = "a/b/c";

	cr_expect_eq(str_last(text, 5, '/'), text + 3);
	cr_expect_eq(str_last(text, 3, '/'), text + 1);
	cr_expect_null(str_last(text, 1, '/'));
	cr_expect_null(str_last(text, 0, 'a'));
}

Test(str, natural_order)
{
	static const char *const sorted[] = { "",         "10",        "consul",      "consul-2",     "consul-2a",
		                              "consul-9", "consul-10", "consul-10-2", "consul-10-11", "consul-b",
		                              "d1" };

	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(sorted); k++) {
			int order = str_compare_natural(sorted[i], sorted[k]);

			cr_expect_eq((order > 0) - (order < 0), (i > k) - (i < k), "%s, %s: %d", sorted[i], sorted[k],
			             order);
		}
	}
}

Test(mem, wipes)
{
	char secret[] = "secret";

	mem_wipe(secret, 3);
	cr_expect_eq(memcmp(secret, "\0\0\0ret", 7), 0);
	mem_wipe(NULL, 3);
}

Test(mem, nothing_is_allocated_too)
{
	_cleanup_free_ char *a = xmalloc(0), *b = xcalloc(0, 4), *c = xreallocarray(NULL, 0, 4);

	cr_expect(a && b && c);
}
