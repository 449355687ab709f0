/* See include/kube/warning.h. */
#include "kube/warning.h"

#include "util/buf.h"
#include "util/mem.h"

#define CODE "299 "

/* The quoted string at *at, without its quotes and backslashes; *at is then behind it. NULL: there is none. New string.
 */
static char *quoted_string(const char **at)
{
	struct buf text = BUF_TEXT;
	const char *next = *at;

	if (*next != '"')
		return NULL;
	for (next++; *next && *next != '"'; next++) {
		if (*next == '\\' && next[1])
			next++;
		buf_addc(&text, *next);
	}
	if (*next != '"') {
		buf_release(&text);
		return NULL;
	}
	*at = next + 1;
	return buf_detach(&text);
}

static void keep(const char *text, struct strv *list)
{
	_cleanup_free_ char *visible = str_visible(text, KUBE_WARNING_TEXT_MAX);

	if (*visible && list->count < KUBE_WARNINGS_MAX && !strv_contains(list, visible))
		strv_add(list, visible);
}

void kube_warning_parse(const char *value, struct strv *list)
{
	for (;;) {
		_cleanup_free_ char *text = NULL;
		bool known;

		value += strspn(value, " \t,");
		known = str_starts_with(value, CODE);
		value += strcspn(value, " ");
		value += strspn(value, " ");
		value += strcspn(value, " "); /* the agent's name, or "-" */
		value += strspn(value, " ");
		text = quoted_string(&value);
		if (!text)
			return;
		value += strspn(value, " ");
		free(quoted_string(&value)); /* the date */
		if (known)
			keep(text, list);
	}
}
