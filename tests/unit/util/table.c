/* Tables: include/util/table.h. */
#include <criterion/criterion.h>

#include "util/str.h"
#include "util/table.h"

static const struct table_column columns[] = {
	{ .title = "NAME", .shortest = 6 },
	{ .title = "STATUS" },
	{ .title = "NODE", .priority = 2, .shortest = 5 },
	{ .title = "AGE", .priority = 1 },
	{ .title = "IP", .priority = 3, .wide_only = true },
};

static struct table *two_rows(void)
{
	static const char *const cells[] = { "consul-0", "Running", "worker-number-1", "5h",  "10.0.0.1",
		                             "consul-1", "Failed",  "worker-2",        "12d", "" };
	struct table *table = table_new(columns, ARRAY_SIZE(columns));

	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		table_add(table, cells[i]);
	return table;
}

static void expect_text(const struct table *table, size_t width, bool header, const char *text)
{
	struct term term = { .is_tty = width > 0, .width = width, .utf8 = true };
	struct buf out = BUF_TEXT;

	table_render(table, &term, header, &out);
	cr_expect_str_eq(buf_text(&out), text);
	buf_release(&out);
}

Test(table, rows_are_padded_to_a_bounded_width)
{
	_cleanup_table_ struct table *table = table_new(columns, 2);
	_cleanup_free_ char *longer = xasprintf("%0*d", 10000, 0);
	struct buf out = BUF_TEXT;

	table_add(table, longer);
	table_add(table, "x");
	table_render(table, &(struct term){ .utf8 = true }, false, &out);
	cr_expect_lt(out.len, 1000);
	buf_release(&out);
}

Test(table, aligns_like_kubectl)
{
	_cleanup_table_ struct table *table = two_rows();

	expect_text(table, 0, true,
	            "NAME       STATUS    NODE              AGE\n"
	            "consul-0   Running   worker-number-1   5h\n"
	            "consul-1   Failed    worker-2          12d\n");
	expect_text(table, 0, false,
	            "consul-0   Running   worker-number-1   5h\n"
	            "consul-1   Failed    worker-2          12d\n");
	cr_expect_eq(table_row_count(table), 2);
}

Test(table, wide_shows_all_columns_and_none_for_nothing)
{
	_cleanup_table_ struct table *table = two_rows();

	table_set_wide(table, true);
	expect_text(table, 0, true,
	            "NAME       STATUS    NODE              AGE   IP\n"
	            "consul-0   Running   worker-number-1   5h    10.0.0.1\n"
	            "consul-1   Failed    worker-2          12d   <none>\n");
}

Test(table, fits_exactly)
{
	_cleanup_table_ struct table *table = two_rows();

	expect_text(table, 42, false,
	            "consul-0   Running   worker-number-1   5h\n"
	            "consul-1   Failed    worker-2          12d\n");
}

Test(table, shortens_the_least_important_column_first)
{
	_cleanup_table_ struct table *table = two_rows();

	expect_text(table, 38, true,
	            "NAME       STATUS    NODE          AGE\n"
	            "consul-0   Running   worker-num…   5h\n"
	            "consul-1   Failed    worker-2      12d\n");
}

Test(table, leaves_columns_out_by_priority)
{
	_cleanup_table_ struct table *table = two_rows();

	expect_text(table, 30, true,
	            "NAME       STATUS    AGE\n"
	            "consul-0   Running   5h\n"
	            "consul-1   Failed    12d\n");
	expect_text(table, 20, true,
	            "NAME       STATUS\n"
	            "consul-0   Running\n"
	            "consul-1   Failed\n");
}

Test(table, what_must_stay_is_shortened_then_cut)
{
	_cleanup_table_ struct table *table = two_rows();

	expect_text(table, 16, true,
	            "NAME     STATUS\n"
	            "consu…   Running\n"
	            "consu…   Failed\n");
	expect_text(table, 10, false,
	            "consu…   …\n"
	            "consu…   …\n");
	expect_text(table, 3, false, "co…\nco…\n");
}

Test(table, no_line_is_ever_wider_than_the_terminal)
{
	_cleanup_table_ struct table *table = two_rows();

	table_set_wide(table, true);
	for (size_t width = 1; width < 80; width++) {
		struct term term = { .is_tty = true, .width = width, .utf8 = width % 2 != 0 };
		_cleanup_strv_ struct strv lines = STRV_INIT;
		struct buf out = BUF_TEXT;

		table_render(table, &term, true, &out);
		strv_split(&lines, buf_text(&out), '\n');
		cr_assert_eq(lines.count, 4);
		for (size_t i = 0; i < lines.count; i++) {
			cr_expect_leq(term_text_width(lines.items[i]), width);
			cr_expect(!str_ends_with(lines.items[i], " "));
		}
		buf_release(&out);
	}
}

Test(table, cells_are_made_visible_and_styled_without_moving_columns)
{
	struct term term = { .is_tty = true, .color = true, .utf8 = true, .width = 80 };
	struct table *table = table_new(columns, 2);
	struct buf out = BUF_TEXT;

	table_add_styled(table, TERM_RED, "a\033[2Jb");
	table_addf(table, "%d", 1);
	table_add(table, "ok");
	table_add_styled(table, TERM_GREEN, "日本");
	table_render(table, &term, true, &out);
	cr_expect_str_eq(buf_text(&out), "NAME      STATUS\n"
	                                 "\033[31ma^[[2Jb\033[0m   1\n"
	                                 "ok        \033[32m日本\033[0m\n");
	buf_release(&out);
	table_free(table);
}

Test(table, ascii_forms_are_measured_as_they_are_printed)
{
	struct table *table = table_new(columns, 2);

	table_add(table, "a→b");
	table_add(table, "x");
	expect_text(table, 0, false, "a→b   x\n");
	{
		struct term plain = { 0 };
		struct buf out = BUF_TEXT;

		table_render(table, &plain, false, &out);
		cr_expect_str_eq(buf_text(&out), "a->b   x\n");
		buf_release(&out);
	}
	table_free(table);
}

Test(table, an_empty_one_has_a_header)
{
	struct table *table = table_new(columns, 2);

	expect_text(table, 0, true, "NAME   STATUS\n");
	table_free(table);
}
