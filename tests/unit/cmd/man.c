/* The manual page. include/cmd/man.h. */
#include <criterion/criterion.h>

#include "cmd/man.h"
#include "util/mem.h"
#include "util/str.h"

Test(man, text_stands_as_it_is)
{
	static const struct {
		const char *text, *roff;
	} cases[] = {
		{ ".br", "\\&.br" },
		{ "a\n.b", "a\n\\&.b" },
		{ "a.b", "a.b" },
		{ "'x'", "\\(aqx\\(aq" },
		{ "--yes \"N\" `a\\b`", "\\-\\-yes \\(dqN\\(dq \\(gaa\\eb\\(ga" },
		{ "~^", "\\(ti\\(ha" },
		{ "1 · 2", "1 \\[u00B7] 2" },
		{ "… 😀", "\\[u2026] \\[u1F600]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct buf out = BUF_TEXT;

		man_text(cases[i].text, &out);
		cr_expect_str_eq(buf_text(&out), cases[i].roff);
	}
}

/* Appends the option as the page heads it. */
static bool is_in(const char *page, const char *name)
{
	_cleanup_buf_ struct buf head = BUF_TEXT;

	buf_adds(&head, "\\-\\-");
	man_text(name, &head);
	return strstr(page, buf_text(&head));
}

Test(man, has_every_command_option_and_section)
{
	static const char *const sections[] = { "NAME",        "SYNOPSIS",    "DESCRIPTION", "COMMANDS", "OPTIONS",
		                                "EXIT STATUS", "ENVIRONMENT", "FILES",       "EXAMPLES", "SEE ALSO" };
	const struct program program = { .name = "kubectl consul",
		                         .description = cmd_description,
		                         .commands = cmd_commands };
	_cleanup_buf_ struct buf out = BUF_TEXT;
	const char *page;

	man_page(&program, "1.2.3", "2026-11-23", &out);
	page = buf_text(&out);
	cr_expect(str_starts_with(page, ".TH KUBECTL\\-CONSUL 1 2026-11-23 \"kubectl\\-consul 1.2.3\""));
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		_cleanup_free_ char *head = xasprintf("\n.SH %s\n", sections[i]);

		cr_expect(strstr(page, head), "%s", sections[i]);
	}
	for (size_t i = 0; cmd_commands[i]; i++) {
		_cleanup_free_ char *head = xasprintf("\n.SS \"%s", cmd_commands[i]->name);

		cr_expect(strstr(page, head), "%s", cmd_commands[i]->name);
		for (const struct option *option = cmd_commands[i]->options; option && option->name; option++)
			cr_expect(option->hidden || is_in(page, option->name), "%s", option->name);
	}
	for (const struct option *option = global_option_table; option->name; option++)
		cr_expect(option->hidden || is_in(page, option->name), "%s", option->name);
}
