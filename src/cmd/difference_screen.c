/* See include/cmd/difference_screen.h. */
#include "cmd/difference_screen.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/mem.h"
#include "util/str.h"

/* Lines of the two texts that the hunk still has; both 0 between hunks. */
struct hunk {
	size_t removed, added;
};

/* "@@ -1,7 +1,6 @@"; one line goes without its number of lines. */
static void begin_hunk(struct hunk *hunk, const char *line)
{
	const char *added = strchr(line, '+');

	*hunk = (struct hunk){ 1, 1 };
	/* Where sscanf finds nothing, what was there stays. */
	(void)sscanf(line, "@@ -%*u,%zu", &hunk->removed);
	(void)sscanf(added ? added : "", "+%*u,%zu", &hunk->added);
}

static void count_down(size_t *count)
{
	*count -= *count > 0;
}

/* Only between hunks "--- " and "+++ " name the texts: within one, "-- " may be what is removed. */
static enum term_style style_of(struct hunk *hunk, const char *line)
{
	bool inside = hunk->removed > 0 || hunk->added > 0;

	if (!inside && str_starts_with(line, "@@ ")) {
		begin_hunk(hunk, line);
		return TERM_DIM;
	}
	if (!inside)
		return str_starts_with(line, "--- ") || str_starts_with(line, "+++ ") ? TERM_BOLD : TERM_PLAIN;
	if (*line == '-' || *line == ' ')
		count_down(&hunk->removed);
	if (*line == '+' || *line == ' ')
		count_down(&hunk->added);
	return *line == '-' ? TERM_RED : *line == '+' ? TERM_GREEN : TERM_PLAIN;
}

void difference_screen_add(const char *text, const struct term *term, struct buf *out)
{
	struct hunk hunk = { 0 };

	while (*text) {
		size_t length = strcspn(text, "\n");
		_cleanup_free_ char *line = xstrndup(text, length), *visible = str_visible(line, 0);
		_cleanup_free_ char *shown = term_text(term, visible);

		term_add_styled(out, term, style_of(&hunk, line), shown);
		buf_addc(out, '\n');
		text += length + (text[length] == '\n');
	}
}
