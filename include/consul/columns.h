/*
 * consul/columns.h - the tables of Consul's CLI: noise, a header line, rows aligned under it. Pure.
 *
 * Consul prints them with ryanuber/columnize: columns two or more spaces apart, cells may hold one space. Which columns
 * there are depends on the version, so a cell is asked for by its header's name. What stands before the header (a
 * warning of the image's entrypoint, say) is skipped; line ends may be "\n" or "\r\n"; empty lines mean nothing.
 */
#ifndef CONSUL_COLUMNS_H
#define CONSUL_COLUMNS_H

#include <stddef.h>

#include "util/err.h"
#include "util/str.h"

#define COLUMNS_MAX ((size_t)32)

struct columns {
	const char *rest;           /* what was not read yet; borrowed */
	size_t length;
	struct strv headers;
	size_t starts[COLUMNS_MAX]; /* byte offset of each header in its line */
	struct strv cells;          /* of the row read last, as many as headers */
};

#define COLUMNS_INIT { 0 }

/*
 * Reads on to the header: the first line that has all of the names (ended by NULL) as cells. what names the table in
 * errors ("members"). text must outlive columns. ERR_INVALID when there is no header.
 */
int columns_begin(struct columns *columns, const char *text, size_t length, const char *const *names, const char *what,
		  struct err *err) __attribute__((warn_unused_result));

/* Reads the next row: 1, or 0 at the end, or -1 when a line does not stand under the header (ERR_INVALID). */
int columns_next(struct columns *columns, struct err *err) __attribute__((warn_unused_result));

/* The cell under this header in the row read last; NULL when there is no such column. Borrowed until the next row. */
const char *columns_cell(const struct columns *columns, const char *header);

void columns_release(struct columns *columns);

#endif
