/* util/err.h */
#include <criterion/criterion.h>

#include "util/err.h"
#include "util/mem.h"
#include "util/str.h"

Test(err, is_set_wrapped_and_printed)
{
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_free_ char *text = NULL;

	cr_assert_not(err_is_set(&err));
	cr_assert_eq(err_set(&err, ERR_CONFIG, "open %s: no such file", "x"), -1);
	cr_assert_eq(err_wrap(&err, "cluster %d", 3), -1);
	text = err_text(&err);
	cr_assert_str_eq(text, "error: cluster 3: open x: no such file");
	cr_assert_eq(err.kind, ERR_CONFIG);
}

Test(err, label_replaces_the_first_word)
{
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_free_ char *text = NULL;

	err_set(&err, ERR_NOT_FOUND, "pods \"p\" not found");
	err_label(&err, "first");
	err_label(&err, "Error from server (%s)", "NotFound");
	text = err_text(&err);
	cr_assert_str_eq(text, "Error from server (NotFound): pods \"p\" not found");
}

Test(err, the_hint_nearest_to_the_cause_stays)
{
	_cleanup_err_ struct err err = ERR_INIT;

	err_set(&err, ERR_FAILED, "x");
	err_hint(&err, "near %d", 1);
	err_hint(&err, "far");
	cr_assert_str_eq(err.hint, "near 1");
}

Test(err, moves_and_copies)
{
	_cleanup_err_ struct err from = ERR_INIT, to = ERR_INIT, copy = ERR_INIT, none = ERR_INIT;

	err_set(&from, ERR_TIMEOUT, "late");
	err_hint(&from, "wait");
	err_copy(&copy, &from);
	cr_assert_eq(err_move(&to, &from), -1);
	cr_assert_not(err_is_set(&from));
	cr_assert_null(from.message);
	cr_assert_str_eq(to.message, "late");
	cr_assert_str_eq(copy.hint, "wait");
	cr_assert_eq(copy.kind, ERR_TIMEOUT);
	cr_assert_eq(err_move(&from, &none), 0);
}

Test(err, release_makes_it_usable_again)
{
	_cleanup_err_ struct err err = ERR_INIT;

	err_set(&err, ERR_FAILED, "one");
	err_release(&err);
	err_release(&err);
	err_set(&err, ERR_REFUSED, "two");
	cr_assert_str_eq(err.message, "two");
}

Test(err, exit_codes)
{
	static const struct {
		enum err_kind kind;
		int code;
	} rows[] = {
		{ ERR_NONE, 0 },    { ERR_FAILED, 1 },    { ERR_USAGE, 1 },         { ERR_FORBIDDEN, 1 },
		{ ERR_REFUSED, 4 }, { ERR_TIMEOUT, 124 }, { ERR_INTERRUPTED, 130 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { .kind = rows[i].kind };

		cr_expect_eq(err_exit_code(&err), rows[i].code, "kind %d", (int)rows[i].kind);
	}
}
