/* kube/warning.h: Warning headers. */
#include <criterion/criterion.h>

#include "kube/warning.h"
#include "util/mem.h"

static void expect_texts(const char *value, const char *joined)
{
	_cleanup_strv_ struct strv list = STRV_INIT;
	_cleanup_free_ char *all = NULL;

	kube_warning_parse(value, &list);
	all = strv_join(&list, "|", "|");
	cr_expect_str_eq(all, joined, "%s: %s", value, all);
}

Test(warning, texts)
{
	expect_texts("299 - \"old\"", "old");
	expect_texts("299 kube-apiserver \"say \\\"new\\\" \\\\ instead\"", "say \"new\" \\ instead");
	expect_texts("299 - \"a, b\", 299 - \"c\"", "a, b|c");
	expect_texts("299 - \"a\" \"Wed, 21 Oct 2015 07:28:00 GMT\", 299 - \"b\"", "a|b");
	expect_texts("299 - \"a\",299 - \"a\"", "a");
	expect_texts("110 - \"stale\", 299 - \"b\"", "b");
}

Test(warning, what_is_malformed_is_left_out)
{
	expect_texts("", "");
	expect_texts("299", "");
	expect_texts("299 -", "");
	expect_texts("299 - old", "");
	expect_texts("299 - \"old", "");
	expect_texts("299 - \"old\\", "");
	expect_texts("299 - \"\"", "");
	expect_texts("299 - \"a\" b", "a");
}

Test(warning, nothing_a_terminal_obeys_and_no_flood)
{
	_cleanup_strv_ struct strv list = STRV_INIT;

	expect_texts("299 - \"a\033[31mb\"", "a^[[31mb");
	for (int i = 0; i < 2 * KUBE_WARNINGS_MAX; i++) {
		_cleanup_free_ char *value = xasprintf("299 - \"%*d\"", 1000, i);

		kube_warning_parse(value, &list);
	}
	cr_expect_leq(list.count, KUBE_WARNINGS_MAX);
	cr_expect_lt(strlen(list.items[0]), KUBE_WARNING_TEXT_MAX + 10);
}
