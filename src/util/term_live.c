/* The live block. See include/util/term.h. */
#include "util/term.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "util/mem.h"
#include "util/str.h"

/* Where a block is cut that does not fit the height. */
#define MORE_LINES "... (%zu more lines)"

/* Before what of a line did not fit. */
#define WRAP_INDENT "    "

/* Lines under construction, with the columns that each takes on the screen. */
struct drawing {
	struct buf text;
	size_t *widths;
	size_t count;
};

void term_live_init(struct term_live *live, int fd, const struct term *term)
{
	*live = (struct term_live){ .fd = fd, .term = *term };
}

/* Everything at once if the terminal takes it; a descriptor that cannot now is waited for. */
static void write_all(struct term_live *live, const char *bytes, size_t count)
{
	while (count > 0 && !live->failed) {
		ssize_t written = write(live->fd, bytes, count);

		if (written >= 0) {
			bytes += written;
			count -= (size_t)written;
		} else if (errno == EAGAIN) {
			struct pollfd wait = { .fd = live->fd, .events = POLLOUT };

			(void)poll(&wait, 1, -1);
		} else if (errno != EINTR) {
			live->failed = true;
		}
	}
}

void term_live_refresh(struct term_live *live)
{
	int columns, rows;

	if (!live->term.is_tty)
		return;
	term_window(live->fd, &columns, &rows);
	if (columns > 0)
		live->term.width = (size_t)columns;
	if (rows > 0)
		live->term.rows = (size_t)rows;
}

/* Screen rows the lines take now: a terminal made narrower has broken the longer ones. */
static size_t rows_on_screen(const struct term_live *live)
{
	size_t rows = 0, limit = live->term.rows > 0 ? live->term.rows - 1 : SIZE_MAX;

	for (size_t i = 0; i < live->line_count; i++) {
		size_t width = live->line_widths[i];

		rows += width > live->term.width ? (width + live->term.width - 1) / live->term.width : 1;
	}
	return rows < limit ? rows : limit;
}

/* Moves to the first column of the block's first line. */
static void add_home(struct buf *out, const struct term_live *live)
{
	size_t rows = rows_on_screen(live);

	buf_addc(out, '\r');
	if (rows > 0)
		buf_addf(out, "\033[%zuA", rows);
}

static void add_line(struct drawing *drawing, const struct term_live *live, const char *line)
{
	size_t width = term_text_width(line);

	term_add_cut(&drawing->text, &live->term, line, live->term.width);
	/* In the last column there is nothing to clear, and some terminals would clear that column. */
	buf_adds(&drawing->text, width < live->term.width ? "\033[K\r\n" : "\r\n");
	drawing->widths = xreallocarray(drawing->widths, drawing->count + 1, sizeof(*drawing->widths));
	drawing->widths[drawing->count++] = width < live->term.width ? width : live->term.width;
}

/* Lines in the terminal's characters; what is too long goes on in the line below. New string. */
static char *fitted(const struct term_live *live, const char *text)
{
	_cleanup_free_ char *shown = term_text(&live->term, text);
	struct buf out = BUF_TEXT;

	for (const char *at = shown; *at;) {
		size_t length = strcspn(at, "\n");
		_cleanup_free_ char *line = xstrndup(at, length);

		if (term_text_width(line) > live->term.width)
			term_add_wrapped(&out, line, live->term.width, WRAP_INDENT);
		else
			buf_adds(&out, line);
		buf_addc(&out, '\n');
		at += length + (at[length] ? 1 : 0);
	}
	return buf_detach(&out);
}

static size_t count_lines(const char *block)
{
	size_t count = 0;

	for (; *block; block++)
		count += *block == '\n';
	return count;
}

static void add_block(struct drawing *drawing, const struct term_live *live, const char *block)
{
	size_t lines = count_lines(block);
	/* The cursor's line below the block has to fit as well. */
	size_t limit = live->term.rows > 2 ? live->term.rows - 1 : SIZE_MAX;
	size_t kept = lines <= limit ? lines : limit - 1;

	for (size_t i = 0; i < kept; i++) {
		size_t length = strcspn(block, "\n");
		_cleanup_free_ char *line = xstrndup(block, length);

		add_line(drawing, live, line);
		block += length + 1;
	}
	if (kept < lines) {
		_cleanup_free_ char *more = xasprintf(MORE_LINES, lines - kept);

		add_line(drawing, live, more);
	}
}

/* Lines that stay. */
static void add_log(struct drawing *drawing, const struct term_live *live, const char *line)
{
	_cleanup_free_ char *text = fitted(live, line);

	buf_adds(&drawing->text, "\033[J");
	for (const char *at = text; *at; at++) {
		if (*at == '\n')
			buf_addc(&drawing->text, '\r');
		buf_addc(&drawing->text, *at);
	}
}

/* Redraws: a line that stays (or NULL), then the block. */
static void draw(struct term_live *live, const char *log_line, const char *block)
{
	struct drawing drawing = { .text = BUF_TEXT };
	_cleanup_free_ char *text = fitted(live, block);

	add_home(&drawing.text, live);
	/* Lines that the terminal has broken count as one line until they are erased, however they are written over. */
	if (live->line_count > 0 && live->drawn_width != live->term.width)
		buf_adds(&drawing.text, "\033[J");
	if (log_line)
		add_log(&drawing, live, log_line);
	add_block(&drawing, live, text);
	buf_adds(&drawing.text, "\033[J");
	write_all(live, buf_text(&drawing.text), drawing.text.len);
	free(live->line_widths);
	live->line_widths = drawing.widths;
	live->line_count = drawing.count;
	live->drawn_width = live->term.width;
	live->drawn_rows = live->term.rows;
	buf_release(&drawing.text);
}

/* No terminal: one line. */
static void print_line(struct term_live *live, const char *timestamp, const char *line)
{
	_cleanup_free_ char *text = term_text(&live->term, line);
	_cleanup_free_ char *whole = xasprintf("%s %s\n", timestamp, text);

	write_all(live, whole, strlen(whole));
}

static bool is_resized(const struct term_live *live)
{
	return live->drawn_width != live->term.width || live->drawn_rows != live->term.rows;
}

void term_live_show(struct term_live *live, const char *timestamp, const char *block, const char *summary)
{
	if (!live->term.is_tty || live->term.dumb) {
		if (str_equal(summary, live->summary))
			return;
		replace_string(&live->summary, xstrdup(summary));
		print_line(live, timestamp, summary);
		return;
	}
	term_live_refresh(live);
	if (str_equal(block, live->shown) && !is_resized(live))
		return;
	draw(live, NULL, block);
	replace_string(&live->shown, xstrdup(block));
}

void term_live_redraw(struct term_live *live)
{
	if (!live->shown)
		return;
	term_live_refresh(live);
	if (is_resized(live))
		draw(live, NULL, live->shown);
}

void term_live_log(struct term_live *live, const char *timestamp, const char *line)
{
	if (!live->term.is_tty || live->term.dumb) {
		print_line(live, timestamp, line);
		return;
	}
	term_live_refresh(live);
	draw(live, line, live->shown ? live->shown : "");
}

void term_live_clear(struct term_live *live)
{
	if (!live->term.is_tty || live->term.dumb || live->line_count == 0)
		return;
	term_live_refresh(live);
	draw(live, NULL, "");
	replace_string(&live->shown, NULL);
}

void term_live_release(struct term_live *live)
{
	free(live->shown);
	free(live->summary);
	free(live->line_widths);
	*live = (struct term_live){ .fd = -1 };
}
