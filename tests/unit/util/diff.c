/* util/diff.h. What is expected was compared with GNU diff -u. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "util/buf.h"
#include "util/diff.h"
#include "util/mem.h"
#include "util/str.h"

static char *diff_of(const char *a, const char *b)
{
	struct buf out = BUF_TEXT;
	bool any = diff_add(a, b, &out);

	cr_expect_eq(any, out.len > 0);
	cr_expect_eq(any, !str_equal(a, b));
	return buf_detach(&out);
}

Test(diff, small_ones)
{
	static const char *const rows[][3] = {
		{ "", "", "" },
		{ "a\n", "a\n", "" },
		{ "a", "a", "" },
		{ "", "a\n", "@@ -0,0 +1 @@\n+a\n" },
		{ "a\nb\n", "", "@@ -1,2 +0,0 @@\n-a\n-b\n" },
		{ "", "a", "@@ -0,0 +1 @@\n+a\n\\ No newline at end of file\n" },
		{ "a", "a\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n" },
		{ "a\nb", "c\nb", "@@ -1,2 +1,2 @@\n-a\n+c\n b\n\\ No newline at end of file\n" },
		{ "\n", "\n\n", "@@ -1 +1,2 @@\n \n+\n" },
		{ "a\nb\nc\n", "x\ny\n", "@@ -1,3 +1,2 @@\n-a\n-b\n-c\n+x\n+y\n" },
		{ "a\nb\nc\n", "a\nc\n", "@@ -1,3 +1,2 @@\n a\n-b\n c\n" },
		{ "a\nb\nc\nd\ne\n", "b\nc\nX\nd\n", "@@ -1,5 +1,4 @@\n-a\n b\n c\n+X\n d\n-e\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text = diff_of(rows[i][0], rows[i][1]);

		cr_expect_str_eq(text, rows[i][2]);
	}
}

/* Numbered lines, those that are given as another text. */
static char *numbered(size_t count, size_t first, size_t second)
{
	struct buf text = BUF_TEXT;

	for (size_t i = 1; i <= count; i++)
		buf_addf(&text, i == first || i == second ? "changed %zu\n" : "%zu\n", i);
	return buf_detach(&text);
}

Test(diff, three_lines_stay_around_and_hunks_whose_lines_meet_are_one)
{
	_cleanup_free_ char *before = numbered(20, 0, 0), *near = numbered(20, 5, 12), *far = numbered(20, 5, 13);
	_cleanup_free_ char *one = diff_of(before, near), *two = diff_of(before, far);

	cr_expect_str_eq(one, "@@ -2,14 +2,14 @@\n 2\n 3\n 4\n-5\n+changed 5\n 6\n 7\n 8\n 9\n 10\n 11\n-12\n"
	                      "+changed 12\n 13\n 14\n 15\n");
	cr_expect_str_eq(two, "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+changed 5\n 6\n 7\n 8\n"
	                      "@@ -10,7 +10,7 @@\n 10\n 11\n 12\n-13\n+changed 13\n 14\n 15\n 16\n");
}

/* ----------------------------------------------------------------------------------- what patch would do */

struct patched {
	struct buf text;
	const char *at; /* in the text that is patched */
	size_t line;    /* of it, from 1 */
	size_t changes;
};

static size_t length_of_line(const char *text)
{
	const char *end = strchr(text, '\n');

	return end ? (size_t)(end - text) + 1 : strlen(text);
}

static void copy_line(struct patched *patched)
{
	size_t length = length_of_line(patched->at);

	if (length == 0)
		cr_assert_fail("beyond the end");
	buf_addf(&patched->text, "%.*s", (int)length, patched->at);
	patched->at += length;
	patched->line++;
}

/* One line of a hunk: the text after its sign, with its newline unless the next one says that there is none. */
static void patch_line(struct patched *patched, char sign, const char *line, size_t length)
{
	if (sign == '+') {
		buf_addf(&patched->text, "%.*s", (int)length, line);
		patched->changes++;
		return;
	}
	/* An assertion that holds takes time, too. */
	if (length_of_line(patched->at) != length || memcmp(patched->at, line, length) != 0)
		cr_assert_fail("%zu: %.80s", patched->line, line);
	if (sign == ' ') {
		copy_line(patched);
		return;
	}
	if (sign != '-')
		cr_assert_fail("%zu: %c", patched->line, sign);
	patched->at += length;
	patched->line++;
	patched->changes++;
}

/* Applies a difference strictly: every line stands where the header says. Returns what comes out; a new string. */
static char *patch(const char *text, const char *difference, size_t *ret_changes)
{
	struct patched patched = { .text = BUF_TEXT, .at = text, .line = 1 };

	while (*difference) {
		size_t length = length_of_line(difference), from, count = 1;

		if (str_starts_with(difference, "@@ -")) {
			_cleanup_free_ char *header = xstrndup(difference, length);
			int fields = sscanf(header, "@@ -%zu,%zu ", &from, &count);

			cr_assert_geq(fields, 1);
			from += fields == 2 && count == 0;
			while (patched.line < from)
				copy_line(&patched);
			cr_assert_eq(patched.line, from);
		} else {
			bool open = difference[length] == '\\';

			patch_line(&patched, difference[0], difference + 1, length - 1 - open);
			if (open)
				length += length_of_line(difference + length);
		}
		difference += length;
	}
	while (*patched.at)
		copy_line(&patched);
	*ret_changes = patched.changes;
	return buf_detach(&patched.text);
}

static size_t expect_applies(const char *a, const char *b)
{
	_cleanup_free_ char *difference = diff_of(a, b), *result = NULL;
	size_t changes;

	result = patch(a, difference, &changes);
	cr_expect_str_eq(result, b);
	return changes;
}

/* --------------------------------------------------------------------------------- whatever the texts */

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 16;
}

enum { LINES_MAX = 40 };

/* Few different lines, so that there is much to choose from; *ret_count without a newline at the end now and then. */
static char *random_text(uint32_t *state, char *ret_lines)
{
	struct buf text = BUF_TEXT;
	size_t count = next_random(state) % LINES_MAX, kinds = 1 + next_random(state) % 6;

	for (size_t i = 0; i < count; i++) {
		ret_lines[i] = (char)('a' + next_random(state) % kinds);
		buf_addf(&text, "%c\n", ret_lines[i]);
	}
	ret_lines[count] = '\0';
	if (text.len > 0 && next_random(state) % 4 == 0) {
		text.data[--text.len] = '\0';
		/* As a line of its own kind. */
		ret_lines[count - 1] = (char)(ret_lines[count - 1] - 'a' + 'A');
	}
	return buf_detach(&text);
}

/* Removals and additions of a smallest difference, by the table that everybody knows. */
static size_t fewest_changes(const char *a, const char *b)
{
	size_t common[LINES_MAX + 1][LINES_MAX + 1] = { 0 }, rows = strlen(a), columns = strlen(b);

	for (size_t i = 1; i <= rows; i++)
		for (size_t k = 1; k <= columns; k++) {
			size_t left = common[i][k - 1], above = common[i - 1][k];

			common[i][k] = a[i - 1] == b[k - 1] ? common[i - 1][k - 1] + 1 : left > above ? left : above;
		}
	return rows + columns - 2 * common[rows][columns];
}

Test(diff, applied_to_the_one_it_gives_the_other_with_the_fewest_changes)
{
	for (uint32_t seed = 1; seed <= 3000; seed++) {
		char a_lines[LINES_MAX + 1], b_lines[LINES_MAX + 1];
		uint32_t state = seed;
		_cleanup_free_ char *a = random_text(&state, a_lines), *b = random_text(&state, b_lines);

		cr_assert_eq(expect_applies(a, b), fewest_changes(a_lines, b_lines), "seed %" PRIu32, seed);
	}
}

/* --------------------------------------------------------------------------------------------- huge */

#define HUGE_LINES ((size_t)50000)

static char *many_lines(size_t count, size_t every, const char *word)
{
	struct buf text = BUF_TEXT;

	for (size_t i = 0; i < count; i++)
		buf_addf(&text, "%s %zu\n", i % every == 0 ? word : "line", i);
	return buf_detach(&text);
}

Test(diff, huge_texts_take_no_long_time)
{
	static const size_t every[] = { 1, 2, 50, HUGE_LINES };
	clock_t begun = clock();

	for (size_t i = 0; i < ARRAY_SIZE(every); i++) {
		_cleanup_free_ char *a = many_lines(HUGE_LINES, every[i], "old"),
		                    *b = many_lines(HUGE_LINES, every[i], "new");
		size_t fewest = 2 * (HUGE_LINES / every[i]), changes = expect_applies(a, b);

		/* Where there is little to find it is found; else it may be told as more than it is. */
		if (every[i] == 1 || every[i] >= 50)
			cr_expect_eq(changes, fewest);
		else
			cr_expect(changes >= fewest && changes <= 2 * HUGE_LINES, "%zu", changes);
	}
	/* Of our own time, not of a busy machine's; with its square it would be minutes. */
	cr_expect_lt((clock() - begun) / CLOCKS_PER_SEC, 30);
}
