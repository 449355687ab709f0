/*
 * cmd/man.h - the manual page kubectl-consul(1), made from the tables of commands and options. Pure.
 *
 * Language: roff with man(7) macros that groff and mandoc both know; 7-bit. The build's own tool prints it (src/man.c); the
 * program does not hold it.
 */
#ifndef CMD_MAN_H
#define CMD_MAN_H

#include "cmd/cmd.h"
#include "util/buf.h"

/* date: "2026-11-23", of the release; version: "0.1.0". */
void man_page(const struct program *program, const char *version, const char *date, struct buf *out);

/* Appends text so that roff shows it as it stands. */
void man_text(const char *text, struct buf *out);

#endif
