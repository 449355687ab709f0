/* See include/util/diff.h. */
#include "util/diff.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/mem.h"

/* One line with its newline, so that a last one without is another line. */
struct line {
	const char *text; /* borrowed */
	size_t length;
	uint64_t hash;
	bool changed; /* removed, or added */
};

struct lines {
	struct line *items;
	size_t count;
};

struct diff {
	struct lines a, b;
	ptrdiff_t *forward, *backward; /* the middle of each: how far one gets, by diagonal */
	size_t effort;                 /* that is left */
};

/* Lines [a, a_end) against [b, b_end). */
struct box {
	size_t a, a_end, b, b_end;
};

/* -------------------------------------------------------------------------------------------- lines */

static uint64_t hash_of(const char *text, size_t length)
{
	uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
	return hash;
}

static size_t line_length(const char *text)
{
	const char *end = strchr(text, '\n');

	return end ? (size_t)(end - text) + 1 : strlen(text);
}

static void lines_split(struct lines *lines, const char *text)
{
	size_t count = 0;

	for (const char *at = text; *at; at += line_length(at))
		count++;
	*lines = (struct lines){ .items = xcalloc(count + 1, sizeof(*lines->items)) };
	for (const char *at = text; *at;) {
		size_t length = line_length(at);

		lines->items[lines->count++] =
		    (struct line){ .text = at, .length = length, .hash = hash_of(at, length) };
		at += length;
	}
}

static bool same(const struct diff *diff, size_t a, size_t b)
{
	const struct line *left = &diff->a.items[a], *right = &diff->b.items[b];

	return left->hash == right->hash && left->length == right->length &&
	       memcmp(left->text, right->text, left->length) == 0;
}

/* ----------------------------------------------------------------------------------------- searching
 * Ways through the box from its upper left corner (forward) and from its lower right one (backward, with all
 * coordinates turned round) meet in the middle. On diagonal k, x - y is k; x lines of a and y of b are behind.
 */
enum { NOWHERE = -1 };

/* How far one gets on diagonal k by one more removal or addition. */
static ptrdiff_t step(const ptrdiff_t *reached, ptrdiff_t k, ptrdiff_t edits, ptrdiff_t a_count, ptrdiff_t b_count)
{
	ptrdiff_t removal = NOWHERE, addition = NOWHERE;

	if (edits == 0)
		return 0;
	if (k > -edits && reached[k - 1] != NOWHERE && reached[k - 1] < a_count)
		removal = reached[k - 1] + 1;
	if (k < edits && reached[k + 1] != NOWHERE && reached[k + 1] - k <= b_count)
		addition = reached[k + 1];
	return removal > addition ? removal : addition;
}

static bool same_from(const struct diff *diff, const struct box *box, bool backward, ptrdiff_t x, ptrdiff_t y)
{
	if (backward)
		return same(diff, box->a_end - 1 - (size_t)x, box->b_end - 1 - (size_t)y);
	return same(diff, box->a + (size_t)x, box->b + (size_t)y);
}

/* All ways of so many edits, in one direction. Where one of them meets the other direction: true, and the place. */
static bool advance(struct diff *diff, const struct box *box, bool backward, ptrdiff_t edits, size_t *ret_a,
                    size_t *ret_b)
{
	ptrdiff_t a_count = (ptrdiff_t)(box->a_end - box->a), b_count = (ptrdiff_t)(box->b_end - box->b);
	ptrdiff_t *reached = backward ? diff->backward : diff->forward;
	const ptrdiff_t *others = backward ? diff->forward : diff->backward;
	ptrdiff_t delta = a_count - b_count, others_edits = backward ? edits : edits - 1;

	for (ptrdiff_t k = -edits; k <= edits; k += 2) {
		ptrdiff_t x = step(reached, k, edits, a_count, b_count), began = x, other = delta - k;

		while (x != NOWHERE && x < a_count && x - k < b_count && same_from(diff, box, backward, x, x - k))
			x++;
		reached[k] = x;
		diff->effort -= diff->effort > (size_t)(x - began) ? (size_t)(x - began) + 1 : diff->effort;
		/* The other direction has this diagonal, too, if its number of edits is as even or odd. */
		if (x == NOWHERE || other < -others_edits || other > others_edits || (other - others_edits) % 2 != 0 ||
		    others[other] == NOWHERE || x + others[other] < a_count)
			continue;
		*ret_a = backward ? box->a_end - (size_t)x : box->a + (size_t)x;
		*ret_b = backward ? box->b_end - (size_t)(x - k) : box->b + (size_t)(x - k);
		return true;
	}
	return false;
}

/* A place on a shortest way; false when it would take too long to find. */
static bool find_middle(struct diff *diff, const struct box *box, size_t *ret_a, size_t *ret_b)
{
	for (ptrdiff_t edits = 0; diff->effort > 0; edits++)
		if (advance(diff, box, false, edits, ret_a, ret_b) || advance(diff, box, true, edits, ret_a, ret_b))
			return true;
	return false;
}

static void mark(struct lines *lines, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		lines->items[i].changed = true;
}

/* Halves the box until one side is empty; the number of edits halves with it, so it is never deep. */
static void compare(struct diff *diff, struct box box)
{
	size_t a, b;

	while (box.a < box.a_end && box.b < box.b_end && same(diff, box.a, box.b)) {
		box.a++;
		box.b++;
	}
	while (box.a < box.a_end && box.b < box.b_end && same(diff, box.a_end - 1, box.b_end - 1)) {
		box.a_end--;
		box.b_end--;
	}
	if (box.a == box.a_end || box.b == box.b_end || !find_middle(diff, &box, &a, &b)) {
		mark(&diff->a, box.a, box.a_end);
		mark(&diff->b, box.b, box.b_end);
		return;
	}
	compare(diff, (struct box){ box.a, a, box.b, b });
	compare(diff, (struct box){ a, box.a_end, b, box.b_end });
}

/* -------------------------------------------------------------------------------------------- hunks */

static void add_line(struct buf *out, char sign, const struct line *line)
{
	buf_addc(out, sign);
	buf_addf(out, "%.*s", (int)line->length, line->text);
	if (line->text[line->length - 1] != '\n')
		buf_adds(out, "\n\\ No newline at end of file\n");
}

/* "12,3"; one line is "12", none is the line before it. */
static void add_range(struct buf *out, char sign, size_t from, size_t to)
{
	buf_addf(out, "%c%zu", sign, to > from ? from + 1 : from);
	if (to - from != 1)
		buf_addf(out, ",%zu", to - from);
}

static void skip_same(const struct diff *diff, size_t *a, size_t *b)
{
	while (*a < diff->a.count && !diff->a.items[*a].changed && *b < diff->b.count && !diff->b.items[*b].changed) {
		++*a;
		++*b;
	}
}

static void skip_changed(const struct lines *lines, size_t *at)
{
	while (*at < lines->count && lines->items[*at].changed)
		++*at;
}

/* A hunk goes on as long as there are changes whose context meets. Returns its box; *a and *b are after its changes. */
static struct box next_hunk(const struct diff *diff, size_t *a, size_t *b)
{
	size_t context = *a < DIFF_CONTEXT ? *a : DIFF_CONTEXT;
	struct box hunk = { .a = *a - context, .b = *b - context };

	for (;;) {
		size_t next_a, next_b;

		skip_changed(&diff->a, a);
		skip_changed(&diff->b, b);
		next_a = *a;
		next_b = *b;
		skip_same(diff, &next_a, &next_b);
		if (next_a - *a > 2 * DIFF_CONTEXT || (next_a == diff->a.count && next_b == diff->b.count)) {
			context = next_a - *a < DIFF_CONTEXT ? next_a - *a : DIFF_CONTEXT;
			hunk.a_end = *a + context;
			hunk.b_end = *b + context;
			return hunk;
		}
		*a = next_a;
		*b = next_b;
	}
}

static void add_hunk(const struct diff *diff, const struct box *hunk, struct buf *out)
{
	size_t a = hunk->a, b = hunk->b;

	buf_adds(out, "@@ ");
	add_range(out, '-', hunk->a, hunk->a_end);
	buf_addc(out, ' ');
	add_range(out, '+', hunk->b, hunk->b_end);
	buf_adds(out, " @@\n");
	while (a < hunk->a_end || b < hunk->b_end) {
		if (a < hunk->a_end && diff->a.items[a].changed) {
			add_line(out, '-', &diff->a.items[a++]);
		} else if (b < hunk->b_end && diff->b.items[b].changed) {
			add_line(out, '+', &diff->b.items[b++]);
		} else {
			add_line(out, ' ', &diff->a.items[a++]);
			b++;
		}
	}
}

bool diff_add(const char *a, const char *b, struct buf *out)
{
	struct diff diff = { .effort = DIFF_EFFORT_MAX };
	size_t diagonals, at_a = 0, at_b = 0;
	ptrdiff_t *reached;
	bool any = false;

	lines_split(&diff.a, a);
	lines_split(&diff.b, b);
	/* Meeting takes at most half of the edits, and each step looks one diagonal further. */
	diagonals = diff.a.count + diff.b.count + 8;
	reached = xcalloc(2 * diagonals, sizeof(*reached));
	diff.forward = reached + diagonals / 2;
	diff.backward = diff.forward + diagonals;
	compare(&diff, (struct box){ 0, diff.a.count, 0, diff.b.count });
	for (skip_same(&diff, &at_a, &at_b); at_a < diff.a.count || at_b < diff.b.count;
	     skip_same(&diff, &at_a, &at_b)) {
		struct box hunk = next_hunk(&diff, &at_a, &at_b);

		add_hunk(&diff, &hunk, out);
		any = true;
	}
	free(reached);
	free(diff.a.items);
	free(diff.b.items);
	return any;
}
