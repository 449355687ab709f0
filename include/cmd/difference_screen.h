/*
 * cmd/difference_screen.h - a difference as the terminal shows it: what goes is red, what comes is green. Pure.
 */
#ifndef CMD_DIFFERENCE_SCREEN_H
#define CMD_DIFFERENCE_SCREEN_H

#include "util/buf.h"
#include "util/term.h"

/*
 * Adds text, the unified difference of util/diff.h with its two lines of names, line by line: removed lines red, added
 * ones green, names bold, places ("@@ …") dim. Control characters and what turns the direction of writing are made
 * visible, whether there are colours or not. Lines are neither cut nor wrapped: they may be copied.
 */
void difference_screen_add(const char *text, const struct term *term, struct buf *out);

#endif
