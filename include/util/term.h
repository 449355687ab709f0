/*
 * util/term.h - what the terminal can do, styles, the width of text, and the live block.
 *
 * What the terminal is gets computed once, from inputs (term_compute is pure); everything that renders takes
 * a struct term. Text given to these functions has passed str_visible, but for the escape sequences that
 * term_style itself returned, which have no width.
 */
#ifndef UTIL_TERM_H
#define UTIL_TERM_H

#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"

/* Columns that prose is wrapped at when the terminal is wider, or is none. */
#define TERM_PROSE_WIDTH 80

struct term_inputs {
	bool is_tty;
	int window_columns;    /* of TIOCGWINSZ; 0: unknown */
	int window_rows;
	const char *columns;   /* $COLUMNS */
	const char *term;      /* $TERM */
	const char *no_color;  /* $NO_COLOR */
	const char *lc_all;    /* $LC_ALL, $LC_CTYPE and $LANG: the first that is not empty counts */
	const char *lc_ctype;
	const char *lang;
};

struct term {
	bool is_tty;
	bool dumb;    /* a terminal whose cursor does not move ($TERM is dumb): nothing is redrawn there */
	bool color;
	bool utf8;
	size_t width; /* columns; 0: not limited (not a terminal) */
	size_t rows;  /* 0: unknown */
};

/* Width: the window's, else $COLUMNS, else 80; not limited when it is no terminal. */
struct term term_compute(const struct term_inputs *inputs);

/* Asks the descriptor for its window; both 0 when it is none. */
void term_window(int fd, int *ret_columns, int *ret_rows);

/* Where to wrap prose: TERM_PROSE_WIDTH, or less when the terminal is narrower. */
size_t term_prose_width(const struct term *term);

/* ------------------------------------------------------------------------------------- styles */

enum term_style { TERM_PLAIN, TERM_BOLD, TERM_DIM, TERM_RED, TERM_GREEN, TERM_YELLOW };

/* The escape sequence that starts the style, and the one that ends every style; "" when colour is off. */
const char *term_style(const struct term *term, enum term_style style);
const char *term_reset(const struct term *term);

/* text in style, with the reset after it. */
void term_add_styled(struct buf *out, const struct term *term, enum term_style style, const char *text);

/* --------------------------------------------------------------------------------------- text */

/* Columns that text takes: wide characters two, combining ones and our escape sequences none. */
size_t term_text_width(const char *text);

/* Adds as much of text as fits into width columns; when something is left out the last column is an ellipsis. */
void term_add_cut(struct buf *out, const struct term *term, const char *text, size_t width);

/*
 * Adds text with its lines wrapped at width (0: not wrapped), each line but the first after indent. Line
 * breaks in text stay. Words longer than a line are not broken. Spaces of indent count, a tab does not.
 */
void term_add_wrapped(struct buf *out, const char *text, size_t width, const char *indent);

/* A copy for the terminal: without UTF-8, signs such as · — … -> box lines become ASCII, others "?". New string. */
char *term_text(const struct term *term, const char *text) __attribute__((warn_unused_result));

/* ---------------------------------------------------------------------------------- live block
 * Lines at the bottom of the terminal that are redrawn in place, by one write each time, and only when they
 * changed. The cursor rests at the start of the line below the block and is never hidden, so that an
 * interrupt at any moment leaves the screen in order. Lines are wrapped at the width, words longer than that are cut,
 * and so is the block at the height; a terminal that was resized meanwhile is asked again at each draw.
 *
 * When fd is not a terminal, each change is one line: TIMESTAMP SUMMARY.
 */
struct term_live {
	int fd;
	struct term term;
	char *shown;          /* text of the last draw; NULL: no block on the screen */
	char *summary;        /* of the last line printed */
	size_t *line_widths;  /* of the lines on the screen */
	size_t line_count;
	size_t drawn_width;   /* of the terminal at the last draw */
	size_t drawn_rows;
	bool failed;          /* a write failed (the reader is gone): everything after it does nothing */
};

void term_live_init(struct term_live *live, int fd, const struct term *term);

/* Asks a terminal for its window again: what is rendered for the block should be for live->term as it is then. */
void term_live_refresh(struct term_live *live);

/*
 * Shows block (lines, each ended by a newline) on a terminal; elsewhere prints timestamp and summary when the
 * summary is another than last time. timestamp is borrowed, e.g. "10:04:05".
 */
void term_live_show(struct term_live *live, const char *timestamp, const char *block, const char *summary);

/* After a resize: what is on the screen once more, wrapped to the window as it is now. */
void term_live_redraw(struct term_live *live);

/* Prints a line that stays, above the block; elsewhere timestamp and line. */
void term_live_log(struct term_live *live, const char *timestamp, const char *line);

/* Takes the block off the screen, so that something else can be printed. */
void term_live_clear(struct term_live *live);

/* Leaves the block on the screen as it is and frees the memory. */
void term_live_release(struct term_live *live);

#endif
