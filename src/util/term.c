/* What the terminal is, styles, and text. The live block is in term_live.c. See include/util/term.h. */
#include "util/term.h"

#include <stdint.h>
#include <sys/ioctl.h>

#include "util/mem.h"
#include "util/str.h"

#define WIDTH_WHEN_UNKNOWN 80
#define WIDTH_MAX          10000

/* "C.UTF-8", "de_DE.utf8@euro", "UTF-8" */
static bool is_utf8_locale(const struct term_inputs *inputs)
{
	const char *locale = !str_is_empty(inputs->lc_all)     ? inputs->lc_all
	                     : !str_is_empty(inputs->lc_ctype) ? inputs->lc_ctype
	                                                       : inputs->lang;
	const char *dot = locale ? strchr(locale, '.') : NULL;
	_cleanup_free_ char *charset = NULL;

	if (!locale)
		return false;
	charset = xstrdup(dot ? dot + 1 : locale);
	charset[strcspn(charset, "@")] = '\0';
	return str_equal_nocase(charset, "UTF-8") || str_equal_nocase(charset, "UTF8");
}

static size_t compute_width(const struct term_inputs *inputs)
{
	int64_t columns;

	if (!inputs->is_tty)
		return 0;
	if (inputs->window_columns > 0)
		return (size_t)inputs->window_columns;
	if (str_to_int64(inputs->columns, &columns) == 0 && columns > 0 && columns < WIDTH_MAX)
		return (size_t)columns;
	return WIDTH_WHEN_UNKNOWN;
}

struct term term_compute(const struct term_inputs *inputs)
{
	return (struct term){
		.is_tty = inputs->is_tty,
		.dumb = inputs->is_tty && str_equal(inputs->term, "dumb"),
		.color = inputs->is_tty && !str_is_empty(inputs->term) && !str_equal(inputs->term, "dumb") &&
		         str_is_empty(inputs->no_color),
		.utf8 = is_utf8_locale(inputs),
		.width = compute_width(inputs),
		.rows = inputs->is_tty && inputs->window_rows > 0 ? (size_t)inputs->window_rows : 0,
	};
}

void term_window(int fd, int *ret_columns, int *ret_rows)
{
	struct winsize window = { 0 };
	bool known = ioctl(fd, TIOCGWINSZ, &window) == 0;

	*ret_columns = known ? window.ws_col : 0;
	*ret_rows = known ? window.ws_row : 0;
}

size_t term_prose_width(const struct term *term)
{
	return term->width && term->width < TERM_PROSE_WIDTH ? term->width : TERM_PROSE_WIDTH;
}

const char *term_style(const struct term *term, enum term_style style)
{
	if (!term->color)
		return "";
	switch (style) {
	case TERM_PLAIN:
		return "";
	case TERM_BOLD:
		return "\033[1m";
	case TERM_DIM:
		return "\033[2m";
	case TERM_RED:
		return "\033[31m";
	case TERM_GREEN:
		return "\033[32m";
	case TERM_YELLOW:
		return "\033[33m";
	}
	return "";
}

const char *term_reset(const struct term *term)
{
	return term->color ? "\033[0m" : "";
}

void term_add_styled(struct buf *out, const struct term *term, enum term_style style, const char *text)
{
	buf_adds(out, term_style(term, style));
	buf_adds(out, text);
	if (style != TERM_PLAIN)
		buf_adds(out, term_reset(term));
}
