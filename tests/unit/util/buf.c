/* util/buf.h */
#include <criterion/criterion.h>

#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

Test(buf, starts_as_an_empty_string)
{
	struct buf buf = BUF_INIT(10);
	_cleanup_free_ char *text = NULL;

	cr_assert_str_eq(buf_text(&buf), "");
	buf_consume(&buf, 0);
	buf_clear(&buf);
	text = buf_detach(&buf);
	cr_assert_str_eq(text, "");
	buf_release(&buf);
}

Test(buf, holds_its_maximum_and_no_more)
{
	_cleanup_buf_ struct buf buf = BUF_INIT(5);

	cr_assert_eq(buf_add(&buf, "abc", 3), 0);
	cr_assert_eq(buf_add(&buf, "def", 3), -1);
	cr_assert_str_eq(buf_text(&buf), "abc");
	cr_assert_eq(buf_add(&buf, "de", 2), 0);
	cr_assert_eq(buf_add(&buf, "", 0), 0);
	cr_assert_eq(buf_add(&buf, "f", 1), -1);
	cr_assert_eq(buf_add(&buf, "f", SIZE_MAX), -1);
	cr_assert_str_eq(buf_text(&buf), "abcde");
	cr_assert_eq(buf.len, 5);
}

Test(buf, bytes_may_contain_nul)
{
	_cleanup_buf_ struct buf buf = BUF_INIT(100);

	cr_assert_eq(buf_add(&buf, "a\0b", 3), 0);
	cr_assert_eq(buf.len, 3);
	cr_assert_eq(memcmp(buf.data, "a\0b", 4), 0);
}

Test(buf, grows_over_many_additions)
{
	_cleanup_buf_ struct buf buf = BUF_TEXT;

	for (int i = 0; i < 10000; i++)
		buf_addf(&buf, "%04d", i);
	cr_assert_eq(buf.len, 40000);
	cr_assert(str_starts_with(buf_text(&buf), "000000010002"));
	cr_assert(str_ends_with(buf_text(&buf), "9999"));
}

Test(buf, consumes_from_the_front)
{
	_cleanup_buf_ struct buf buf = BUF_TEXT;

	buf_adds(&buf, "hello");
	buf_consume(&buf, 2);
	cr_assert_str_eq(buf_text(&buf), "llo");
	buf_consume(&buf, 3);
	cr_assert_str_eq(buf_text(&buf), "");
	buf_addc(&buf, 'x');
	cr_assert_str_eq(buf_text(&buf), "x");
}

Test(buf, encodes_url_components)
{
	_cleanup_buf_ struct buf buf = BUF_TEXT;

	buf_add_url(&buf, "aZ09-._~ /?&=%+\n\xc3\xa9");
	cr_assert_str_eq(buf_text(&buf), "aZ09-._~%20%2F%3F%26%3D%25%2B%0A%C3%A9");
}

Test(buf, secrets_are_wiped_when_cleared)
{
	_cleanup_buf_ struct buf buf = { .max = 4096, .secret = true };

	for (int i = 0; i < 100; i++)
		buf_adds(&buf, "password");
	cr_assert_eq(buf.len, 800);
	buf_clear(&buf);
	for (size_t i = 0; i < 800; i++)
		cr_assert_eq(buf.data[i], '\0');
	buf_adds(&buf, "again");
	cr_assert_str_eq(buf_text(&buf), "again");
}

Test(buf, detach_empties_it)
{
	_cleanup_buf_ struct buf buf = BUF_TEXT;
	_cleanup_free_ char *text = NULL;

	buf_adds(&buf, "x");
	text = buf_detach(&buf);
	cr_assert_str_eq(text, "x");
	cr_assert_eq(buf.len, 0);
	buf_adds(&buf, "y");
	cr_assert_str_eq(buf_text(&buf), "y");
}
