/* The terminal: include/util/term.h. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util/str.h"
#include "util/term.h"

static const struct term_inputs good = {
	.is_tty = true, .window_columns = 120, .window_rows = 40, .term = "xterm", .lang = "en_US.UTF-8"
};

static const struct term utf8 = { .utf8 = true };
static const struct term ascii = { 0 };

Test(term, a_terminal_has_everything)
{
	struct term term = term_compute(&good);

	cr_expect(term.is_tty && term.color && term.utf8);
	cr_expect_eq(term.width, 120);
	cr_expect_eq(term.rows, 40);
	cr_expect_eq(term_prose_width(&term), TERM_PROSE_WIDTH);
}

Test(term, what_is_no_terminal_has_no_width_and_no_colour)
{
	struct term_inputs inputs = good;
	struct term term;

	inputs.is_tty = false;
	inputs.columns = "40";
	term = term_compute(&inputs);
	cr_expect(!term.color);
	cr_expect(term.utf8);
	cr_expect_eq(term.width, 0);
}

Test(term, colour_can_be_off)
{
	struct term_inputs dumb = good, no_color = good, empty = good, unset = good;

	dumb.term = "dumb";
	no_color.no_color = "1";
	empty.no_color = "";
	unset.term = NULL;
	cr_expect(!term_compute(&dumb).color);
	cr_expect(!term_compute(&no_color).color);
	cr_expect(term_compute(&empty).color);
	cr_expect(!term_compute(&unset).color);
}

Test(term, the_window_beats_columns)
{
	struct term_inputs inputs = good;

	inputs.columns = "60";
	cr_expect_eq(term_compute(&inputs).width, 120);
	inputs.window_columns = 0;
	cr_expect_eq(term_compute(&inputs).width, 60);
	inputs.columns = "-3";
	cr_expect_eq(term_compute(&inputs).width, 80);
	inputs.columns = NULL;
	cr_expect_eq(term_compute(&inputs).width, 80);
}

Test(term, the_locale_is_the_first_that_is_set)
{
	static const struct {
		const char *lc_all, *lc_ctype, *lang;
		bool utf8;
	} cases[] = {
		{ NULL, NULL, NULL, false },
		{ NULL, NULL, "C.UTF-8", true },
		{ NULL, NULL, "de_DE.utf8", true },
		{ NULL, NULL, "de_DE.UTF-8@euro", true },
		{ NULL, NULL, "C", false },
		{ "C", "en_US.UTF-8", "en_US.UTF-8", false },
		{ "", "en_US.UTF-8", "C", true },
		{ NULL, "UTF-8", NULL, true },
		{ NULL, NULL, "de_DE.ISO-8859-1", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct term_inputs inputs = { .lc_all = cases[i].lc_all,
			                      .lc_ctype = cases[i].lc_ctype,
			                      .lang = cases[i].lang };

		cr_expect_eq(term_compute(&inputs).utf8, cases[i].utf8, "case %zu", i);
	}
}

Test(term, styles_are_empty_without_colour)
{
	struct term color = { .color = true };
	struct buf out = BUF_TEXT;

	cr_expect_str_eq(term_style(&ascii, TERM_RED), "");
	cr_expect_str_eq(term_reset(&ascii), "");
	cr_expect_str_eq(term_style(&color, TERM_PLAIN), "");
	term_add_styled(&out, &color, TERM_RED, "x");
	term_add_styled(&out, &color, TERM_PLAIN, "y");
	cr_expect_str_eq(buf_text(&out), "\033[31mx\033[0my");
	buf_release(&out);
}

Test(term, width_counts_columns)
{
	cr_expect_eq(term_text_width(""), 0);
	cr_expect_eq(term_text_width("abc"), 3);
	cr_expect_eq(term_text_width("a·b — c"), 7);
	cr_expect_eq(term_text_width("日本"), 4);
	cr_expect_eq(term_text_width("e\u0301"), 1);
	cr_expect_eq(term_text_width("\U0001F600"), 2);
	cr_expect_eq(term_text_width("\033[1;31mred\033[0m"), 3);
	cr_expect_eq(term_text_width("\xe6\x97"), 2); /* broken off: nothing is read behind the end */
}

static void expect_cut(const struct term *term, const char *text, size_t width, const char *result)
{
	struct buf out = BUF_TEXT;

	term_add_cut(&out, term, text, width);
	cr_expect_str_eq(buf_text(&out), result);
	buf_release(&out);
}

Test(term, cut_keeps_styles_closed)
{
	expect_cut(&utf8, "consul-0", 8, "consul-0");
	expect_cut(&utf8, "consul-0", 7, "consul…");
	expect_cut(&ascii, "consul-0", 7, "consul~");
	expect_cut(&utf8, "日本語", 5, "日本…");
	expect_cut(&utf8, "日本語", 4, "日…");
	expect_cut(&utf8, "\033[31mconsul\033[0m x", 4, "\033[31mcon…\033[0m");
	expect_cut(&utf8, "ab", 1, "…");
	expect_cut(&utf8, "ab", 0, "");
}

static void expect_wrapped(const char *text, size_t width, const char *indent, const char *result)
{
	struct buf out = BUF_TEXT;

	term_add_wrapped(&out, text, width, indent);
	cr_expect_str_eq(buf_text(&out), result);
	buf_release(&out);
}

Test(term, wraps_at_words)
{
	expect_wrapped("one two three", 0, "", "one two three");
	expect_wrapped("one two three", 7, "", "one two\nthree");
	expect_wrapped("one two three", 6, "  ", "one\n  two\n  three");
	expect_wrapped("a verylongword b", 5, "", "a\nverylongword\nb");
	expect_wrapped("one\n\ntwo  three", 80, "\t", "one\n\n\ttwo three");
	expect_wrapped("  kubectl get pods", 10, "", "  kubectl\nget pods");
	expect_wrapped("", 10, " ", "");
	expect_wrapped("\n", 10, " ", "\n");
	expect_wrapped("日本 日本 日本", 9, "", "日本 日本\n日本");
}

Test(term, ascii_forms)
{
	_cleanup_free_ char *plain = term_text(&ascii, "3/3 voters · a — b → c ┌─┐│ …é");
	_cleanup_free_ char *same = term_text(&utf8, "a · b");

	cr_expect_str_eq(plain, "3/3 voters - a - b -> c +-+| ...?");
	cr_expect_str_eq(same, "a · b");
}

/* --------------------------------------------------------------------------------- live block */

/* A pseudo terminal: what the block writes is read from main_fd. */
struct screen {
	int main_fd, fd;
	struct term_live live;
};

static void screen_resize(struct screen *screen, unsigned short columns, unsigned short rows)
{
	struct winsize window = { .ws_col = columns, .ws_row = rows };

	cr_assert_eq(ioctl(screen->fd, TIOCSWINSZ, &window), 0);
}

static void screen_open(struct screen *screen, unsigned short columns, unsigned short rows)
{
	struct term term = { .is_tty = true, .utf8 = true, .width = columns, .rows = rows };
	struct termios raw = { 0 };

	cr_assert_eq(openpty(&screen->main_fd, &screen->fd, NULL, NULL, NULL), 0);
	cr_assert_eq(tcgetattr(screen->fd, &raw), 0);
	cfmakeraw(&raw);
	cr_assert_eq(tcsetattr(screen->fd, TCSANOW, &raw), 0);
	cr_assert_eq(fcntl(screen->main_fd, F_SETFL, O_NONBLOCK), 0);
	screen_resize(screen, columns, rows);
	term_live_init(&screen->live, screen->fd, &term);
}

static void screen_close(struct screen *screen)
{
	term_live_release(&screen->live);
	close(screen->main_fd);
	close(screen->fd);
}

static void expect_written(struct screen *screen, const char *text)
{
	char bytes[4096];
	ssize_t count = read(screen->main_fd, bytes, sizeof(bytes) - 1);

	bytes[count > 0 ? count : 0] = '\0';
	cr_expect_str_eq(bytes, text);
}

Test(term_live, draws_and_redraws_in_place)
{
	struct screen screen;

	screen_open(&screen, 40, 10);
	term_live_show(&screen.live, "t", "one\ntwo\n", "s");
	expect_written(&screen, "\rone\033[K\r\ntwo\033[K\r\n\033[J");
	term_live_show(&screen.live, "t", "one\ntwo\n", "other");
	expect_written(&screen, "");
	term_live_show(&screen.live, "t", "three\n", "s");
	expect_written(&screen, "\r\033[2Athree\033[K\r\n\033[J");
	term_live_show(&screen.live, "t", "four\nfive\n", "s");
	expect_written(&screen, "\r\033[1Afour\033[K\r\nfive\033[K\r\n\033[J");
	screen_close(&screen);
}

Test(term_live, wraps_long_lines_cuts_long_words_and_tall_blocks)
{
	struct screen screen;

	screen_open(&screen, 8, 6);
	term_live_show(&screen.live, "t", "consul-0 is a voter\n12345678\n", "s");
	expect_written(&screen, "\rconsul-0\r\n    is a\r\n    vot…\r\n12345678\r\n\033[J");
	screen_resize(&screen, 30, 4);
	term_live_show(&screen.live, "t", "a\nb\nc\nd\ne\n", "s");
	expect_written(&screen, "\r\033[3A\033[Ja\033[K\r\nb\033[K\r\n... (3 more lines)\033[K\r\n\033[J");
	term_live_log(&screen.live, "t", "a line that is longer than thirty columns");
	expect_written(&screen, "\r\033[3A\033[Ja line that is longer than\r\n    thirty columns\r\n"
	                        "a\033[K\r\nb\033[K\r\n... (3 more lines)\033[K\r\n\033[J");
	screen_close(&screen);
}

/* Who renders for the window that there is now must not keep it from being drawn. */
Test(term_live, a_window_asked_for_beforehand_is_drawn_for)
{
	struct screen screen;

	screen_open(&screen, 20, 20);
	term_live_show(&screen.live, "t", "one two\n", "s");
	expect_written(&screen, "\rone two\033[K\r\n\033[J");
	screen_resize(&screen, 5, 20);
	term_live_refresh(&screen.live);
	cr_expect_eq(screen.live.term.width, 5);
	term_live_show(&screen.live, "t", "one two\n", "s");
	expect_written(&screen, "\r\033[2A\033[Jone\033[K\r\n    …\r\n\033[J");
	term_live_show(&screen.live, "t", "one two\n", "s");
	expect_written(&screen, "");
	screen_close(&screen);
}

Test(term_live, finds_its_start_after_the_terminal_became_narrower)
{
	struct screen screen;

	screen_open(&screen, 40, 20);
	term_live_show(&screen.live, "t", "123456789012\nx\n", "s");
	expect_written(&screen, "\r123456789012\033[K\r\nx\033[K\r\n\033[J");
	screen_resize(&screen, 5, 20);
	term_live_show(&screen.live, "t", "123456789012\nx\n", "s");
	expect_written(&screen, "\r\033[4A\033[J1234…\r\nx\033[K\r\n\033[J");
	screen_close(&screen);
}

Test(term_live, is_redrawn_when_it_was_resized_only)
{
	struct screen screen;

	screen_open(&screen, 40, 20);
	term_live_redraw(&screen.live);
	expect_written(&screen, "");
	term_live_show(&screen.live, "t", "one two\n", "s");
	expect_written(&screen, "\rone two\033[K\r\n\033[J");
	term_live_redraw(&screen.live);
	expect_written(&screen, "");
	screen_resize(&screen, 20, 20);
	term_live_redraw(&screen.live);
	expect_written(&screen, "\r\033[1A\033[Jone two\033[K\r\n\033[J");
	term_live_clear(&screen.live);
	expect_written(&screen, "\r\033[1A\033[J");
	screen_resize(&screen, 40, 20);
	term_live_redraw(&screen.live);
	expect_written(&screen, "");
	screen_close(&screen);
}

Test(term_live, lines_that_stay_go_above)
{
	struct screen screen;

	screen_open(&screen, 40, 20);
	term_live_log(&screen.live, "t", "created");
	expect_written(&screen, "\r\033[Jcreated\r\n\033[J");
	term_live_show(&screen.live, "t", "waiting\n", "s");
	expect_written(&screen, "\rwaiting\033[K\r\n\033[J");
	term_live_log(&screen.live, "t", "ready");
	expect_written(&screen, "\r\033[1A\033[Jready\r\nwaiting\033[K\r\n\033[J");
	term_live_clear(&screen.live);
	expect_written(&screen, "\r\033[1A\033[J");
	term_live_clear(&screen.live);
	expect_written(&screen, "");
	screen_close(&screen);
}

Test(term_live, elsewhere_prints_one_line_per_change)
{
	struct term term = { .utf8 = true };
	struct term_live live;
	char bytes[256];
	ssize_t count;
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	term_live_init(&live, ends[1], &term);
	term_live_show(&live, "10:00:00", "block\n", "1 of 3 ready");
	term_live_show(&live, "10:00:01", "block 2\n", "1 of 3 ready");
	term_live_log(&live, "10:00:02", "created");
	term_live_show(&live, "10:00:03", "block\n", "2 of 3 ready");
	term_live_clear(&live);
	count = read(ends[0], bytes, sizeof(bytes) - 1);
	cr_assert_gt(count, 0);
	bytes[count] = '\0';
	cr_expect_str_eq(bytes, "10:00:00 1 of 3 ready\n10:00:02 created\n10:00:03 2 of 3 ready\n");
	term_live_release(&live);
	close(ends[0]);
	close(ends[1]);
}

Test(term_live, a_reader_that_is_gone_ends_it_quietly)
{
	struct term term = { 0 };
	struct term_live live;
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(pipe(ends), 0);
	close(ends[0]);
	term_live_init(&live, ends[1], &term);
	term_live_show(&live, "t", "", "a");
	cr_expect(live.failed);
	term_live_show(&live, "t", "", "b");
	term_live_release(&live);
	close(ends[1]);
}
