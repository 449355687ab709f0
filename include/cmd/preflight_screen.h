/*
 * cmd/preflight_screen.h - what was found before a deploy, as a person reads it: a line for each check, then what to
 * do. Pure.
 */
#ifndef CMD_PREFLIGHT_SCREEN_H
#define CMD_PREFLIGHT_SCREEN_H

#include "consul/preflight.h"
#include "util/buf.h"
#include "util/term.h"

/*
 * "ok       namespace        "consul" is there" and so on, wrapped where the terminal is too narrow; below, for each
 * check that has something to do, a heading with its hint, and what is to be pasted as it is, at the left edge.
 */
void preflight_screen(const struct preflight *preflight, const struct term *term, struct buf *out);

#endif
