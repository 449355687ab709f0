/* An error as a person reads it. See include/cmd/cmd.h. */
#include "cmd/cmd.h"

#include "util/mem.h"
#include "util/str.h"

#define HINT_LABEL  "hint:"
#define HINT_INDENT "      " /* as wide as the label and a blank */

static void add_visible(struct buf *out, const struct term *term, const char *text)
{
	_cleanup_free_ char *visible = str_visible(text, 0);
	_cleanup_free_ char *shown = term_text(term, visible);

	buf_adds(out, shown);
}

/* The label stands out; it is what err_text puts in front of the message. */
static void add_message(const struct err *err, const struct term *term, struct buf *out)
{
	_cleanup_free_ char *text = err_text(err);
	size_t label_length = strlen(text) - strlen(err->message);
	_cleanup_free_ char *label = xstrndup(text, label_length);

	if (label_length > 0)
		term_add_styled(out, term, TERM_RED, label);
	add_visible(out, term, err->message);
	buf_addc(out, '\n');
}

static void add_hint_line(const char *line, struct buf *out, const struct term *term)
{
	size_t blank = strspn(line, " \t");
	_cleanup_free_ char *indent = xstrndup(line, blank);

	buf_adds(out, indent);
	add_visible(out, term, line + blank);
	buf_addc(out, '\n');
}

void cmd_error_text(const struct err *err, const struct term *term, struct buf *out)
{
	_cleanup_strv_ struct strv lines = STRV_INIT;

	add_message(err, term, out);
	if (!err->hint)
		return;
	strv_split(&lines, err->hint, '\n');
	for (size_t i = 0; i < lines.count; i++) {
		bool last_empty = i > 0 && i + 1 == lines.count && str_is_empty(lines.items[i]);

		if (last_empty && err->kind != ERR_USAGE)
			break;
		if (err->kind != ERR_USAGE && i == 0) {
			term_add_styled(out, term, TERM_BOLD, HINT_LABEL);
			buf_addc(out, ' ');
		} else if (err->kind != ERR_USAGE && *lines.items[i]) {
			buf_adds(out, HINT_INDENT);
		}
		add_hint_line(lines.items[i], out, term);
	}
}
