/*
 * cmd/interrupt.h - Ctrl-C and SIGTERM as a readable descriptor.
 *
 * The first signal makes the descriptor readable and nothing else, so that the command can end in order
 * (loop_set_interrupt); it stays readable. The second ends the process at once. A signal that was ignored
 * when the program started (nohup, a background job) stays ignored.
 */
#ifndef CMD_INTERRUPT_H
#define CMD_INTERRUPT_H

#include "util/err.h"

/* Call once. ret_fd stays open until the process ends. */
int interrupt_install(int *ret_fd, struct err *err) __attribute__((warn_unused_result));

#endif
