/*
 * consul/shell.h - scripts that are run by exec of a container's sh: what all of them need when that goes wrong. Pure.
 */
#ifndef CONSUL_SHELL_H
#define CONSUL_SHELL_H

#include <stdbool.h>
#include <stddef.h>

#include "consul/snapshot.h"
#include "util/err.h"

/* Whether an exec failed since there is no such program in the image. */
bool shell_is_missing(const struct err *err);

/* The last line that says something, short and fit to be shown; "it said nothing". A new string. */
char *shell_last_words(const char *text, size_t length) __attribute__((warn_unused_result));

/*
 * Takes cause, why an exec was not run to its end, over to err: a shell that is missing, a container that does not run
 * and a right that is missing get words and a hint of what to do instead. what needs the shell: "a crash". Returns -1.
 */
int shell_fail(const struct server *server, const char *what, struct err *cause, struct err *err);

#endif
