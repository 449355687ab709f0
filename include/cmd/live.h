/*
 * cmd/live.h - the live block of a command: drawn again at once when its terminal is resized.
 *
 * What is on the screen is wrapped anew to the window as it is then; the next look renders it anew. Needs the event loop
 * to run; where SIGWINCH cannot be had the next look does it alone.
 */
#ifndef CMD_LIVE_H
#define CMD_LIVE_H

#include <stdio.h>

#include "cmd/connect.h"
#include "util/term.h"

/* One at a time. live stays where it is until live_end. */
void live_begin(struct term_live *live, struct connection *connection, FILE *file, const struct term *term);

/* Leaves the block on the screen as it is. Before the connection is released. */
void live_end(struct term_live *live, struct connection *connection);

#endif
