/* The width of text, cutting and wrapping it, and its ASCII form. See include/util/term.h. */
#include "util/term.h"

#include <assert.h>
#include <stdint.h>

#include "util/mem.h"
#include "util/str.h"

struct range {
	uint32_t first, last;
};

/* Code points that take no column: combining marks, joiners, variation selectors. Ascending. */
static const struct range zero_width[] = {
	{ 0x00ad, 0x00ad }, { 0x0300, 0x036f }, { 0x0483, 0x0489 },   { 0x0591, 0x05bd },   { 0x05bf, 0x05bf },
	{ 0x05c1, 0x05c2 }, { 0x05c4, 0x05c5 }, { 0x05c7, 0x05c7 },   { 0x0610, 0x061a },   { 0x064b, 0x065f },
	{ 0x0670, 0x0670 }, { 0x06d6, 0x06dc }, { 0x06df, 0x06e4 },   { 0x06e7, 0x06e8 },   { 0x06ea, 0x06ed },
	{ 0x0900, 0x0902 }, { 0x093c, 0x093c }, { 0x0941, 0x0948 },   { 0x094d, 0x094d },   { 0x0e31, 0x0e31 },
	{ 0x0e34, 0x0e3a }, { 0x0e47, 0x0e4e }, { 0x1ab0, 0x1aff },   { 0x1dc0, 0x1dff },   { 0x200b, 0x200f },
	{ 0x2060, 0x2064 }, { 0x20d0, 0x20f0 }, { 0x302a, 0x302d },   { 0x3099, 0x309a },   { 0xfe00, 0xfe0f },
	{ 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff }, { 0x1f3fb, 0x1f3ff }, { 0xe0001, 0xe007f }, { 0xe0100, 0xe01ef },
};

/* Code points that take two columns: East Asian wide and full-width forms, emoji. Ascending. */
static const struct range double_width[] = {
	{ 0x1100, 0x115f },   { 0x231a, 0x231b },   { 0x2329, 0x232a },   { 0x23e9, 0x23ec },   { 0x23f0, 0x23f0 },
	{ 0x23f3, 0x23f3 },   { 0x25fd, 0x25fe },   { 0x2614, 0x2615 },   { 0x2648, 0x2653 },   { 0x267f, 0x267f },
	{ 0x2693, 0x2693 },   { 0x26a1, 0x26a1 },   { 0x26aa, 0x26ab },   { 0x26bd, 0x26be },   { 0x26c4, 0x26c5 },
	{ 0x26ce, 0x26ce },   { 0x26d4, 0x26d4 },   { 0x26ea, 0x26ea },   { 0x26f2, 0x26f3 },   { 0x26f5, 0x26f5 },
	{ 0x26fa, 0x26fa },   { 0x26fd, 0x26fd },   { 0x2705, 0x2705 },   { 0x270a, 0x270b },   { 0x2728, 0x2728 },
	{ 0x274c, 0x274c },   { 0x274e, 0x274e },   { 0x2753, 0x2755 },   { 0x2757, 0x2757 },   { 0x2795, 0x2797 },
	{ 0x27b0, 0x27b0 },   { 0x27bf, 0x27bf },   { 0x2b1b, 0x2b1c },   { 0x2b50, 0x2b50 },   { 0x2b55, 0x2b55 },
	{ 0x2e80, 0x303e },   { 0x3041, 0xa4cf },   { 0xa960, 0xa97f },   { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },
	{ 0xfe10, 0xfe19 },   { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },   { 0xffe0, 0xffe6 },   { 0x16fe0, 0x18cff },
	{ 0x1b000, 0x1b2ff }, { 0x1f004, 0x1f004 }, { 0x1f0cf, 0x1f0cf }, { 0x1f18e, 0x1f18e }, { 0x1f191, 0x1f19a },
	{ 0x1f200, 0x1f265 }, { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f7e0, 0x1f7eb }, { 0x1f900, 0x1faff },
	{ 0x20000, 0x3fffd },
};

static bool in_ranges(const struct range *ranges, size_t count, uint32_t point)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (point > ranges[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && point >= ranges[low].first;
}

/*
 * The code point at text and its length in bytes. Text was made visible before, so it is UTF-8; a stray byte
 * is taken as one sign, and nothing is read past the NUL.
 */
static size_t next_point(const char *text, uint32_t *ret_point)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : at[0] >= 0xc0 ? 2 : 1;
	uint32_t point = length == 1 ? at[0] : at[0] & (0xffu >> (length + 1));

	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80) {
			*ret_point = at[0];
			return 1;
		}
		point = point << 6 | (at[i] & 0x3fu);
	}
	*ret_point = point;
	return length;
}

/* Length of one of term_style's escape sequences at text, else 0. */
static size_t escape_length(const char *text)
{
	size_t digits;

	if (text[0] != '\033' || text[1] != '[')
		return 0;
	digits = strspn(text + 2, "0123456789;");
	return text[2 + digits] == 'm' ? digits + 3 : 0;
}

/* Bytes of the next sign or escape sequence, and the columns it takes. */
static size_t next_sign(const char *text, size_t *ret_width)
{
	size_t length = escape_length(text);
	uint32_t point;

	*ret_width = 0;
	if (length)
		return length;
	length = next_point(text, &point);
	if (point < 0x20 || in_ranges(zero_width, ARRAY_SIZE(zero_width), point))
		return length;
	*ret_width = in_ranges(double_width, ARRAY_SIZE(double_width), point) ? 2 : 1;
	return length;
}

size_t term_text_width(const char *text)
{
	size_t total = 0, width;

	while (*text) {
		text += next_sign(text, &width);
		total += width;
	}
	return total;
}

static void add_bytes(struct buf *out, const char *bytes, size_t count)
{
	int added = buf_add(out, bytes, count);

	assert(added == 0); /* text of our own making: BUF_TEXT_MAX is enough */
	(void)added;
}

void term_add_cut(struct buf *out, const struct term *term, const char *text, size_t width)
{
	const char *ellipsis = term->utf8 ? "…" : "~";
	bool cut = term_text_width(text) > width;
	size_t room = cut && width > 0 ? width - 1 : width;
	bool full = false;

	while (*text) {
		size_t sign_width, length = next_sign(text, &sign_width);

		if (sign_width > room && !full) {
			full = true;
			if (width > 0)
				buf_adds(out, ellipsis);
		}
		/* Behind the cut only escape sequences go on, so that no style stays switched on. */
		if (!full || escape_length(text))
			add_bytes(out, text, length);
		room -= full ? 0 : sign_width;
		text += length;
	}
}

/* Adds one line of length bytes; its own indentation is kept. */
static void add_wrapped_line(struct buf *out, const char *line, size_t length, size_t width, const char *indent)
{
	const char *end = line + length;
	size_t column = strspn(line, " ");
	bool after_word = false;

	column = column < length ? column : length;
	add_bytes(out, line, column);
	line += column;
	while (line < end) {
		size_t word_length = strcspn(line, " \n");
		_cleanup_free_ char *word = xstrndup(line, word_length);
		size_t word_width = term_text_width(word);

		if (after_word && width && column + 1 + word_width > width) {
			buf_addf(out, "\n%s", indent);
			column = strspn(indent, " ");
		} else if (after_word) {
			buf_addc(out, ' ');
			column++;
		}
		buf_adds(out, word);
		after_word = true;
		column += word_width;
		line += word_length + strspn(line + word_length, " ");
	}
}

void term_add_wrapped(struct buf *out, const char *text, size_t width, const char *indent)
{
	for (;;) {
		size_t length = strcspn(text, "\n");

		add_wrapped_line(out, text, length, width, indent);
		if (!text[length])
			return;
		text += length + 1;
		buf_addc(out, '\n');
		if (*text && *text != '\n')
			buf_adds(out, indent);
	}
}

static const char *ascii_form(uint32_t point)
{
	static const struct {
		uint32_t point;
		const char *ascii;
	} forms[] = {
		{ 0x00b7, "-" },  { 0x00d7, "x" },  { 0x2013, "-" },  { 0x2014, "-" }, { 0x2018, "'" },
		{ 0x2019, "'" },  { 0x201c, "\"" }, { 0x201d, "\"" }, { 0x2022, "*" }, { 0x2026, "..." },
		{ 0x2190, "<-" }, { 0x2191, "^" },  { 0x2192, "->" }, { 0x2193, "v" }, { 0x2264, "<=" },
		{ 0x2265, ">=" }, { 0x25cf, "*" },  { 0x2713, "+" },  { 0x2714, "+" }, { 0x2717, "x" },
		{ 0x2718, "x" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (forms[i].point == point)
			return forms[i].ascii;
	if (point == 0x2500 || point == 0x2501 || point == 0x2550)
		return "-";
	if (point == 0x2502 || point == 0x2503 || point == 0x2551)
		return "|";
	return point >= 0x250c && point <= 0x256c ? "+" : "?";
}

char *term_text(const struct term *term, const char *text)
{
	struct buf out = BUF_TEXT;

	if (term->utf8)
		return xstrdup(text);
	while (*text) {
		uint32_t point;
		size_t length = next_point(text, &point);

		if (point < 0x80)
			buf_addc(&out, *text);
		else
			buf_adds(&out, ascii_form(point));
		text += length;
	}
	return buf_detach(&out);
}
