/* See include/cmd/preflight_screen.h. */
#include "cmd/preflight_screen.h"

#include <string.h>

#include "util/mem.h"
#include "util/str.h"

/* Columns of the outcome and of the check's name, with the blanks behind them. */
enum { OUTCOME_WIDTH = 9, NAME_WIDTH = 17, NARROW = 60 };

/* Where the text of a check goes on, and that of a hint. */
static const char text_indent[OUTCOME_WIDTH + NAME_WIDTH + 1] = "                          ";
static const char narrow_indent[] = "    ";
static const char hint_indent[] = "           ";

static enum term_style outcome_style(enum preflight_outcome outcome)
{
	switch (outcome) {
	case PREFLIGHT_FINE:
		return TERM_GREEN;
	case PREFLIGHT_NOTE:
	case PREFLIGHT_UNKNOWN:
		return TERM_YELLOW;
	case PREFLIGHT_PROBLEM:
		break;
	}
	return TERM_RED;
}

/* text from the cluster, fit for this terminal. New string. */
static char *shown(const struct term *term, const char *text)
{
	_cleanup_free_ char *visible = str_visible(text, 0);

	return term_text(term, visible);
}

/* text behind prefix, which takes so many columns; wrapped at width (0: not), its further lines after indent. */
static void add_beside(struct buf *out, const char *prefix, size_t columns, const char *text, size_t width,
                       const char *indent)
{
	_cleanup_free_ char *padded = xasprintf("%*s%s", (int)columns, "", text);
	_cleanup_buf_ struct buf wrapped = BUF_TEXT;

	term_add_wrapped(&wrapped, padded, width, indent);
	buf_addf(out, "%s%s\n", prefix, buf_text(&wrapped) + columns);
}

static void add_check(const struct preflight_check *check, const struct term *term, struct buf *out)
{
	const char *word = preflight_outcome_name(check->outcome);
	_cleanup_free_ char *text = shown(term, check->text ? check->text : "");
	_cleanup_buf_ struct buf prefix = BUF_TEXT;

	term_add_styled(&prefix, term, outcome_style(check->outcome), word);
	buf_addf(&prefix, "%*s%-*s", OUTCOME_WIDTH - (int)strlen(word), "",
	         term->width > 0 && term->width < NARROW ? 0 : NAME_WIDTH, check->name);
	if (term->width == 0 || term->width >= NARROW) {
		add_beside(out, buf_text(&prefix), OUTCOME_WIDTH + NAME_WIDTH, text, term->width, text_indent);
		return;
	}
	buf_addf(out, "%s\n", buf_text(&prefix));
	add_beside(out, narrow_indent, strlen(narrow_indent), text, term->width, narrow_indent);
}

static void add_hint(const char *hint, const struct term *term, struct buf *out)
{
	_cleanup_strv_ struct strv sentences = STRV_INIT;

	strv_split(&sentences, hint, '\n');
	for (size_t i = 0; i < sentences.count; i++) {
		_cleanup_free_ char *fit = shown(term, sentences.items[i]);

		add_beside(out, i == 0 ? "    next   " : hint_indent, strlen(hint_indent), fit, term_prose_width(term),
		           hint_indent);
	}
}

/* Line by line, since a line break is part of it; neither wrapped nor indented. */
static void add_paste(const char *paste, const struct term *term, struct buf *out)
{
	_cleanup_strv_ struct strv lines = STRV_INIT;

	strv_split(&lines, paste, '\n');
	for (size_t i = 0; i < lines.count; i++) {
		_cleanup_free_ char *fit = shown(term, lines.items[i]);

		buf_addf(out, "%s\n", fit);
	}
}

void preflight_screen(const struct preflight *preflight, const struct term *term, struct buf *out)
{
	for (size_t i = 0; i < preflight->count; i++)
		add_check(&preflight->items[i], term, out);
	for (size_t i = 0; i < preflight->count; i++) {
		const struct preflight_check *check = &preflight->items[i];

		if (!check->hint && !check->paste)
			continue;
		buf_addc(out, '\n');
		term_add_styled(out, term, outcome_style(check->outcome), preflight_outcome_name(check->outcome));
		buf_addf(out, " %s\n", check->name);
		if (check->hint)
			add_hint(check->hint, term, out);
		if (check->paste)
			add_paste(check->paste, term, out);
	}
}
