/*
 * util/diff.h - what changed between two texts, line by line, as `diff -u` writes it. Pure.
 *
 * A smallest difference (Myers, "An O(ND) Difference Algorithm and Its Variations", 1986) as long as that costs little;
 * where it would cost more than DIFF_EFFORT_MAX the rest is told as removed and added altogether: longer, and as right.
 * Memory grows with the number of lines and never with its square.
 */
#ifndef UTIL_DIFF_H
#define UTIL_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"

/* Lines of what is the same, before and after each change. */
#define DIFF_CONTEXT ((size_t)3)

/* Most comparisons, about, for one difference: a few tenths of a second. */
#define DIFF_EFFORT_MAX ((size_t)20 * 1000 * 1000)

/*
 * Adds the hunks ("@@ -1,7 +1,6 @@", then lines that begin with ' ', '-' or '+') that make b of a; without the two lines
 * that name the texts. A last line without a newline is followed by "\ No newline at end of file". Returns whether there
 * is any difference. Both texts together with the signs must fit into out (asserted by util/buf.h).
 */
bool diff_add(const char *a, const char *b, struct buf *out) __attribute__((nonnull));

#endif
