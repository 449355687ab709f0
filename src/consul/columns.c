/* See include/consul/columns.h. */
#include "consul/columns.h"

#include <string.h>

#include "util/mem.h"

#define SHOWN_BYTES 60 /* how much of a line an error shows */

/* The next line as a string, without its end, tabs as spaces; NULL at the end of the text. */
static char *take_line(struct columns *columns)
{
	const char *end;
	size_t length;
	char *line;

	if (columns->length == 0)
		return NULL;
	end = memchr(columns->rest, '\n', columns->length);
	length = end ? (size_t)(end - columns->rest) : columns->length;
	line = xmalloc(length + 1);
	for (size_t i = 0; i < length; i++)
		line[i] = columns->rest[i] == '\t' || columns->rest[i] == '\0' ? ' ' : columns->rest[i];
	line[length] = '\0';
	columns->rest += length + (end ? 1 : 0);
	columns->length -= length + (end ? 1 : 0);
	while (length > 0 && (line[length - 1] == '\r' || line[length - 1] == ' '))
		line[--length] = '\0';
	return line;
}

/* Cells two or more spaces apart; starts, when not NULL, gets the offsets of the first COLUMNS_MAX. */
static void split_cells(const char *line, struct strv *cells, size_t *starts)
{
	const char *at = line + strspn(line, " ");

	while (*at) {
		const char *end = strstr(at, "  ");
		size_t length = end ? (size_t)(end - at) : strlen(at);

		if (starts && cells->count < COLUMNS_MAX)
			starts[cells->count] = (size_t)(at - line);
		strv_take(cells, xstrndup(at, length));
		at += length;
		at += strspn(at, " ");
	}
}

static bool has_all(const struct strv *cells, const char *const *names)
{
	for (; *names; names++)
		if (!strv_contains(cells, *names))
			return false;
	return true;
}

int columns_begin(struct columns *columns, const char *text, size_t length, const char *const *names, const char *what,
                  struct err *err)
{
	_cleanup_free_ char *shown = NULL;
	char *line;

	columns->rest = text;
	columns->length = length;
	while ((line = take_line(columns))) {
		split_cells(line, &columns->headers, columns->starts);
		if (!shown && *line)
			shown = str_visible(line, SHOWN_BYTES);
		free(line);
		if (columns->headers.count <= COLUMNS_MAX && has_all(&columns->headers, names))
			return 0;
		strv_release(&columns->headers);
	}
	if (!shown)
		return err_set(err, ERR_INVALID, "no table of %s: the output is empty", what);
	return err_set(err, ERR_INVALID, "no table of %s in the output, which begins with \"%s\"", what, shown);
}

/* From byte start up to byte end, or the end of the line, without the spaces around. */
static char *cut_cell(const char *line, size_t start, size_t end)
{
	size_t length = strlen(line);

	if (start >= length)
		return xstrdup("");
	if (end > length)
		end = length;
	while (start < end && line[start] == ' ')
		start++;
	while (end > start && line[end - 1] == ' ')
		end--;
	return xstrndup(line + start, end - start);
}

/* By position: a row with an empty cell, which splitting at spaces cannot see. False when the line crosses a column. */
static bool cut_cells(struct columns *columns, const char *line)
{
	size_t length = strlen(line), count = columns->headers.count;

	for (size_t i = 0; i < count; i++) {
		size_t start = columns->starts[i];

		if (start > 0 && start < length && line[start - 1] != ' ')
			return false;
		strv_take(&columns->cells, cut_cell(line, start, i + 1 < count ? columns->starts[i + 1] : length));
	}
	return true;
}

int columns_next(struct columns *columns, struct err *err)
{
	char *line;

	strv_release(&columns->cells);
	while ((line = take_line(columns))) {
		_cleanup_free_ char *row = line;

		if (!*row)
			continue;
		split_cells(row, &columns->cells, NULL);
		if (columns->cells.count == columns->headers.count)
			return 1;
		strv_release(&columns->cells);
		if (!cut_cells(columns, row)) {
			_cleanup_free_ char *shown = str_visible(row, SHOWN_BYTES);

			strv_release(&columns->cells);
			return err_set(err, ERR_INVALID, "not a row of the table: \"%s\"", shown);
		}
		return 1;
	}
	return 0;
}

const char *columns_cell(const struct columns *columns, const char *header)
{
	for (size_t i = 0; i < columns->cells.count && i < columns->headers.count; i++)
		if (str_equal(columns->headers.items[i], header))
			return columns->cells.items[i];
	return NULL;
}

void columns_release(struct columns *columns)
{
	strv_release(&columns->headers);
	strv_release(&columns->cells);
}
