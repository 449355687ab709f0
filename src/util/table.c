/* See include/util/table.h. */
#include "util/table.h"

#include <assert.h>
#include <stdarg.h>

#include "util/mem.h"
#include "util/str.h"

#define COLUMN_GAP 3
/* Most bytes of a cell; the longest name in Kubernetes has 253. All rows are padded to the widest. */
#define CELL_MAX ((size_t)512)

struct cell {
	char *text; /* visible */
	enum term_style style;
};

struct table {
	const struct table_column *columns;
	size_t column_count;
	bool wide;
	struct cell *cells; /* row by row */
	size_t cell_count;
	size_t capacity;
};

struct table *table_new(const struct table_column *columns, size_t column_count)
{
	struct table *table = xcalloc(1, sizeof(*table));

	assert(column_count > 0);
	table->columns = columns;
	table->column_count = column_count;
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
}

void table_set_wide(struct table *table, bool wide)
{
	table->wide = wide;
}

void table_add_styled(struct table *table, enum term_style style, const char *text)
{
	if (table->cell_count == table->capacity) {
		table->capacity = table->capacity ? table->capacity * 2 : table->column_count * 8;
		table->cells = xreallocarray(table->cells, table->capacity, sizeof(*table->cells));
	}
	table->cells[table->cell_count++] = (struct cell){
		.text = str_is_empty(text) ? xstrdup("<none>") : str_visible(text, CELL_MAX),
		.style = style,
	};
}

void table_add(struct table *table, const char *text)
{
	table_add_styled(table, TERM_PLAIN, text);
}

void table_addf(struct table *table, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = xvasprintf(format, arguments);
	va_end(arguments);
	table_add_styled(table, TERM_PLAIN, text);
}

size_t table_row_count(const struct table *table)
{
	return table->cell_count / table->column_count;
}

/* --------------------------------------------------------------------------------------- widths */

/* A column as it is going to be printed. */
struct layout {
	bool shown;
	size_t width;
};

static size_t cell_width(const struct table *table, const struct term *term, size_t index)
{
	_cleanup_free_ char *text = term_text(term, table->cells[index].text);

	return term_text_width(text);
}

static void natural_layout(const struct table *table, const struct term *term, bool with_header, struct layout *layout)
{
	for (size_t i = 0; i < table->column_count; i++) {
		layout[i].shown = !table->columns[i].wide_only || table->wide;
		layout[i].width = with_header ? term_text_width(table->columns[i].title) : 0;
	}
	for (size_t i = 0; i < table->cell_count; i++) {
		struct layout *column = &layout[i % table->column_count];
		size_t width = column->shown ? cell_width(table, term, i) : 0;

		if (width > column->width)
			column->width = width;
	}
}

static size_t total_width(const struct layout *layout, size_t count)
{
	size_t total = 0, shown = 0;

	for (size_t i = 0; i < count; i++) {
		if (!layout[i].shown)
			continue;
		total += layout[i].width;
		shown++;
	}
	return total + (shown > 1 ? (shown - 1) * COLUMN_GAP : 0);
}

/* The shown column that is the first to go; column_count when all that is left must stay. */
static size_t least_important(const struct table *table, const struct layout *layout)
{
	size_t found = table->column_count;
	int priority = 1;

	for (size_t i = 0; i < table->column_count; i++) {
		if (!layout[i].shown || table->columns[i].priority < priority)
			continue;
		priority = table->columns[i].priority;
		found = i;
	}
	return found;
}

static void shorten(struct layout *column, size_t shortest, size_t excess)
{
	if (shortest == 0 || column->width <= shortest)
		return;
	column->width = column->width - shortest > excess ? column->width - excess : shortest;
}

static void fit_layout(const struct table *table, size_t width, struct layout *layout)
{
	size_t total, index;

	while ((total = total_width(layout, table->column_count)) > width &&
	       (index = least_important(table, layout)) < table->column_count) {
		shorten(&layout[index], table->columns[index].shortest, total - width);
		if (total_width(layout, table->column_count) > width)
			layout[index].shown = false;
	}
	/* Only columns that must stay: the right one gives way first. */
	for (size_t i = table->column_count; i-- > 0;) {
		total = total_width(layout, table->column_count);
		if (layout[i].shown && total > width)
			shorten(&layout[i], table->columns[i].shortest, total - width);
	}
}

/* -------------------------------------------------------------------------------------- printing */

static void add_spaces(struct buf *out, size_t count)
{
	while (count-- > 0)
		buf_addc(out, ' ');
}

/* A line under construction: blanks are held back until something follows them. */
struct line {
	struct buf *out;
	const struct term *term;
	size_t column; /* where the text ends */
	size_t wanted; /* where the next cell starts */
};

static void add_cell(struct line *line, const struct cell *cell, size_t width)
{
	_cleanup_free_ char *text = term_text(line->term, cell->text);
	size_t limit = width, text_width = term_text_width(text);

	if (line->term->width && line->wanted + width > line->term->width)
		limit = line->term->width > line->wanted ? line->term->width - line->wanted : 0;
	if (limit > 0 && text_width > 0) {
		add_spaces(line->out, line->wanted - line->column);
		buf_adds(line->out, term_style(line->term, cell->style));
		term_add_cut(line->out, line->term, text, limit);
		if (cell->style != TERM_PLAIN)
			buf_adds(line->out, term_reset(line->term));
		line->column = line->wanted + (text_width < limit ? text_width : limit);
	}
	line->wanted += width + COLUMN_GAP;
}

static void add_header(const struct table *table, const struct layout *layout, struct line *line)
{
	for (size_t i = 0; i < table->column_count; i++) {
		_cleanup_free_ char *title = xstrdup(table->columns[i].title);

		if (layout[i].shown)
			add_cell(line, &(struct cell){ .text = title, .style = TERM_PLAIN }, layout[i].width);
	}
	buf_addc(line->out, '\n');
}

void table_render(const struct table *table, const struct term *term, bool with_header, struct buf *out)
{
	struct layout *layout = xcalloc(table->column_count, sizeof(*layout));

	assert(table->cell_count % table->column_count == 0);
	natural_layout(table, term, with_header, layout);
	if (term->width)
		fit_layout(table, term->width, layout);
	if (with_header)
		add_header(table, layout, &(struct line){ .out = out, .term = term });
	for (size_t row = 0; row < table_row_count(table); row++) {
		struct line line = { .out = out, .term = term };

		for (size_t i = 0; i < table->column_count; i++)
			if (layout[i].shown)
				add_cell(&line, &table->cells[row * table->column_count + i], layout[i].width);
		buf_addc(out, '\n');
	}
	free(layout);
}
