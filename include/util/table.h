/*
 * util/table.h - rows and columns as aligned text, as `kubectl get` prints them. Pure.
 *
 * Three spaces between columns, no trailing blanks, header in upper case. On a terminal that is too narrow
 * the least important columns are shortened, then left out; a row never takes more than one line.
 */
#ifndef UTIL_TABLE_H
#define UTIL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"
#include "util/term.h"

struct table_column {
	const char *title;   /* "NAME" */
	int priority;        /* 0: always shown; the highest number is the first to go, the right one of equals */
	size_t shortest;     /* may be shortened to this many columns before it is left out; 0: not shortened */
	bool wide_only;      /* only with -o wide (table_set_wide) */
};

struct table;

/* columns is borrowed: constant data. */
struct table *table_new(const struct table_column *columns, size_t column_count) __attribute__((warn_unused_result));
void table_free(struct table *table);

/* Shows the wide_only columns as well. */
void table_set_wide(struct table *table, bool wide);

/*
 * The next cell, from left to right; after the last column a new row begins. Every column gets its cell,
 * shown or not. text is copied and made visible (str_visible); NULL or "" shows as "<none>".
 */
void table_add(struct table *table, const char *text);
void table_add_styled(struct table *table, enum term_style style, const char *text);
void table_addf(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

size_t table_row_count(const struct table *table);

/* Adds the lines to out. term decides about width, colour and characters. The last row must be complete. */
void table_render(const struct table *table, const struct term *term, bool with_header, struct buf *out);

static inline void table_cleanup(struct table **table)
{
	table_free(*table);
}

#define _cleanup_table_ __attribute__((cleanup(table_cleanup)))

#endif
