/* The screen of a preflight: what a person sees in a pipe, in a narrow terminal, without UTF-8. */
#include <criterion/criterion.h>

#include "cmd/preflight_screen.h"
#include "util/mem.h"
#include "util/str.h"

static char role[] =
    "kubectl apply -f - <<'EOF'\napiVersion: rbac.authorization.k8s.io/v1\nrules:\n- apiGroups:\n  - \"\"\nEOF";
static char fine[] = "\"ns\" is there";
static char lacks[] = "you lack: get, patch, create configmaps; create statefulsets.apps; list pods";
static char paste_it[] = "somebody who may give rights can paste this, the least that it takes:\n(put your name there)";
static char shared[] = "all 3 servers go to the same node — so";
static char more[] = "add nodes";
static char untold[] = "you may not read claims";

static struct preflight_check items[] = {
	{ "namespace", PREFLIGHT_FINE, fine, NULL, NULL },
	{ "rights", PREFLIGHT_PROBLEM, lacks, paste_it, role },
	{ "leftover claims", PREFLIGHT_UNKNOWN, untold, NULL, NULL },
	{ "nodes", PREFLIGHT_NOTE, shared, more, NULL },
};

static const struct preflight found = { items, ARRAY_SIZE(items) };

static char *screen(const struct preflight *preflight, const struct term *term)
{
	struct buf out = BUF_TEXT;

	preflight_screen(preflight, term, &out);
	return buf_detach(&out);
}

Test(preflight_screen, a_line_for_each_check_and_below_what_to_do)
{
	static const char expected[] =
	    "ok       namespace        \"ns\" is there\n"
	    "PROBLEM  rights           you lack: get, patch, create configmaps; create statefulsets.apps; list pods\n"
	    "unknown  leftover claims  you may not read claims\n"
	    "note     nodes            all 3 servers go to the same node — so\n"
	    "\n"
	    "PROBLEM rights\n"
	    "    next   somebody who may give rights can paste this, the least that it takes:\n"
	    "           (put your name there)\n"
	    "kubectl apply -f - <<'EOF'\n"
	    "apiVersion: rbac.authorization.k8s.io/v1\n"
	    "rules:\n"
	    "- apiGroups:\n"
	    "  - \"\"\n"
	    "EOF\n"
	    "\n"
	    "note nodes\n"
	    "    next   add nodes\n";
	_cleanup_free_ char *text = screen(&found, &(struct term){ .utf8 = true });

	cr_assert_str_eq(text, expected, "%s", text);
}

Test(preflight_screen, texts_are_wrapped_at_the_terminal_below_themselves)
{
	_cleanup_free_ char *text = screen(&found, &(struct term){ .is_tty = true, .utf8 = true, .width = 70 });

	cr_assert_not_null(strstr(text, "PROBLEM  rights           you lack: get, patch, create configmaps;\n"
	                                "                          create statefulsets.apps; list pods\n"),
	                   "%s", text);
	cr_assert_not_null(strstr(text, "    next   somebody who may give rights can paste this, the least that\n"
	                                "           it takes:\n"),
	                   "%s", text);
}

Test(preflight_screen, nothing_but_what_is_pasted_is_wider_than_a_narrow_terminal)
{
	_cleanup_free_ char *text = screen(&found, &(struct term){ .is_tty = true, .utf8 = true, .width = 48 });
	_cleanup_strv_ struct strv lines = STRV_INIT;

	strv_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.count; i++)
		cr_expect(term_text_width(lines.items[i]) <= 48 || strstr(role, lines.items[i]), "%s", lines.items[i]);
}

Test(preflight_screen, outcomes_are_coloured)
{
	_cleanup_free_ char *text =
	    screen(&found, &(struct term){ .is_tty = true, .utf8 = true, .color = true, .width = 120 });
	struct term color = { .is_tty = true, .color = true };
	_cleanup_free_ char *problem =
	    xasprintf("%sPROBLEM%s  rights           you", term_style(&color, TERM_RED), term_reset(&color));

	cr_assert_not_null(strstr(text, problem), "%s", text);
}

Test(preflight_screen, no_sign_beyond_ascii_without_utf8)
{
	_cleanup_free_ char *text = screen(&found, &(struct term){ .is_tty = true, .width = 80 });

	for (const char *at = text; *at; at++)
		cr_assert_geq(*at, 0, "%s", text);
}

Test(preflight_screen, escapes_in_foreign_names_are_shown_not_obeyed)
{
	char evil[] = "\033[2Jno class\r", sentence[] = "see \033]0;x\007", line[] = "one \033[1m\ntwo\t";
	struct preflight_check item = { "owner", PREFLIGHT_PROBLEM, evil, sentence, line };
	_cleanup_free_ char *text = screen(&(struct preflight){ &item, 1 }, &(struct term){ .utf8 = true });

	cr_assert_null(strchr(text, '\033'));
	cr_assert_null(strchr(text, '\r'));
	cr_assert_null(strchr(text, '\007'));
	cr_assert_not_null(strstr(text, "one ^[[1m\ntwo\\t\n"), "%s", text);
}
