/* cmd/difference_screen.h */
#include <criterion/criterion.h>
#include <string.h>

#include "cmd/difference_screen.h"
#include "consul/difference.h"
#include "util/json.h"
#include "util/mem.h"

static const struct term plain = { .utf8 = true };
static const struct term color = { .is_tty = true, .utf8 = true, .color = true, .width = 20 };

#define RED   "\033[31m"
#define GREEN "\033[32m"
#define BOLD  "\033[1m"
#define DIM   "\033[2m"
#define OFF   "\033[0m"

static char *shown(const char *text, const struct term *term)
{
	struct buf out = BUF_TEXT;

	difference_screen_add(text, term, &out);
	return buf_detach(&out);
}

/* Two differences: the names of the second stand behind a hunk; a hunk has lines that look like names. */
static const char two[] = "--- a now\n+++ a after\n@@ -1,3 +1,3 @@\n same\n--- gone\n+++ new\n same\n"
                          "--- b now\n+++ b after\n@@ -0,0 +1 @@\n+made, and longer than the terminal is wide\n"
                          "\\ No newline at end of file\n";

Test(difference_screen, without_colour_it_is_the_text_itself)
{
	_cleanup_free_ char *text = shown(two, &plain), *none = shown("", &plain), *open = shown("-a", &plain);

	cr_expect_str_eq(text, two);
	cr_expect_str_eq(none, "");
	cr_expect_str_eq(open, "-a\n");
}

Test(difference_screen, what_goes_is_red_and_what_comes_green)
{
	_cleanup_free_ char *text = shown(two, &color);

	cr_expect_str_eq(text, BOLD "--- a now" OFF "\n" BOLD "+++ a after" OFF "\n" DIM "@@ -1,3 +1,3 @@" OFF "\n"
	                            " same\n" RED "--- gone" OFF "\n" GREEN "+++ new" OFF "\n same\n" BOLD
	                            "--- b now" OFF "\n" BOLD "+++ b after" OFF "\n" DIM "@@ -0,0 +1 @@" OFF "\n" GREEN
	                            "+made, and longer than the terminal is wide" OFF "\n"
	                            "\\ No newline at end of file\n");
}

Test(difference_screen, nothing_from_the_cluster_paints_the_terminal)
{
	_cleanup_free_ char *text = shown("@@ -1 +1 @@\n-a\033[2Jb\r\n+\xe2\x80\xae"
	                                  "evil\t\xff\n",
	                                  &plain);
	struct term ascii = { 0 };
	_cleanup_free_ char *small = shown(" \xc3\xa9\n", &ascii);

	cr_expect_str_eq(text, "@@ -1 +1 @@\n-a^[[2Jb\\r\n+<U+202E>evil\\t\\xff\n");
	cr_expect_str_eq(small, " ?\n");
}

/* What the one writes the other reads. */
Test(difference_screen, of_a_real_difference_each_changed_line_is_coloured)
{
	_cleanup_json_ cJSON *live = json_object("a", json_string("x"), "b", json_string("-- y"), NULL);
	_cleanup_json_ cJSON *wanted = json_object("a", json_string("z"), "b", json_string("-- y"), NULL);
	_cleanup_buf_ struct buf difference = BUF_TEXT;
	_cleanup_free_ char *text = NULL;

	cr_assert(difference_add("thing/x", live, wanted, &difference));
	text = shown(buf_text(&difference), &color);
	cr_expect_not_null(strstr(text, "\n" RED "-a: x" OFF "\n" GREEN "+a: z" OFF "\n b: "), "%s", text);
}
