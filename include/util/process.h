/*
 * util/process.h - a program of this machine, run on the loop (util/loop.h) for what it writes to standard output.
 *
 * It has our standard error and our process group: Ctrl-C at a terminal reaches it too. Of our other descriptors it
 * gets those that are not close-on-exec. SIGPIPE, which we ignore, has its default effect there. How it ended is known
 * only while we do not ignore SIGCHLD.
 */
#ifndef UTIL_PROCESS_H
#define UTIL_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"
#include "util/loop.h"

struct process;

/* Borrowed for the call of process_start. */
struct process_options {
	const char *const *argv;        /* ended by NULL; the first is a path if it has a '/', else in a directory of PATH */
	const char *const *environment; /* "NAME=value", ended by NULL: on top of ours; NULL: none */
	bool takes_input;               /* our standard input; else there is nothing to read */
	size_t output_max;              /* one that writes more is ended */
};

/* How it ended. Borrowed for the call. */
struct process_end {
	int exit_code;       /* -1: a signal ended it */
	int signal;          /* 0: none did */
	bool is_too_large;   /* it wrote more than output_max and was ended */
	const char *output;  /* ended by a NUL; wiped afterwards */
	size_t output_length;
};

/* Called once, from loop_run, when it has ended and standard output is closed. process_free is allowed in it. */
typedef void process_done(void *context, const struct process_end *end);

/*
 * Starts it. ERR_NOT_FOUND: there is no such program, or (with a hint) only one in a relative directory of PATH, which is
 * not run; ERR_FAILED otherwise; the message is the system's reason alone ("permission denied").
 *
 * Source of what PATH means: Go's os/exec, LookPath.
 */
int process_start(struct loop *loop, const struct process_options *options, process_done *done, void *context,
		  struct process **ret_process, struct err *err) __attribute__((warn_unused_result));

/* One that still runs gets SIGTERM, and SIGKILL PROCESS_GRACE_MS later: blocks that long at most. NULL is fine. */
#define PROCESS_GRACE_MS 200
void process_free(struct process *process);

#endif
