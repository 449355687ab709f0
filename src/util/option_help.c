/* Help from option tables. See include/util/option.h. */
#include "util/option.h"

#include "util/term.h"

#define TAB_WIDTH 8

char *option_value_text(const struct option *option)
{
	_cleanup_strv_ struct strv names = STRV_INIT;

	if (option->kind == OPTION_FLAG)
		return NULL;
	if (option->value_name)
		return xstrdup(option->value_name);
	switch (option->kind) {
	case OPTION_INT:
		return xstrdup("N");
	case OPTION_DURATION:
		return xstrdup("DURATION");
	case OPTION_CHOICE:
		for (size_t i = 0; option->choices[i]; i++)
			strv_add(&names, option->choices[i]);
		return strv_join(&names, "|", "|");
	case OPTION_FLAG:
	case OPTION_STRING:
	case OPTION_LIST:
		break;
	}
	return xstrdup("VALUE");
}

/* The default, written as kubectl writes it: strings in quotes, the others as they are. */
static void add_default(const struct option *option, struct buf *out)
{
	const char *text = option->default_text;

	switch (option->kind) {
	case OPTION_FLAG:
		buf_adds(out, text ? text : "false");
		return;
	case OPTION_INT:
		buf_adds(out, text ? text : "0");
		return;
	case OPTION_DURATION:
		buf_adds(out, text ? text : "0s");
		return;
	case OPTION_LIST:
		buf_addf(out, "[%s]", text ? text : "");
		return;
	case OPTION_STRING:
	case OPTION_CHOICE:
		buf_addf(out, "'%s'", text ? text : "");
		return;
	}
}

static void add_option(const struct option *option, size_t width, struct buf *out)
{
	buf_adds(out, "    ");
	if (option->letter)
		buf_addf(out, "-%c, ", option->letter);
	buf_addf(out, "--%s=", option->name);
	add_default(option, out);
	buf_adds(out, ":\n\t");
	term_add_wrapped(out, option->help, width > 2 * TAB_WIDTH ? width - TAB_WIDTH : 0, "\t");
	buf_addc(out, '\n');
}

void option_help(const struct option *options, size_t width, struct buf *out)
{
	bool first = true;

	for (const struct option *option = options; option && option->name; option++) {
		if (option->hidden)
			continue;
		if (!first)
			buf_addc(out, '\n');
		first = false;
		add_option(option, width, out);
	}
}
