/*
 * cmd/confirm.h - the question before the first change.
 */
#ifndef CMD_CONFIRM_H
#define CMD_CONFIRM_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/cmd.h"
#include "util/err.h"

/* Whether there is somebody to ask: context->input_fd and context->messages are terminals. */
bool confirm_is_possible(const struct cmd_context *context);

/*
 * Asks on context->messages whether to continue with what was shown, in kubectl's words; waits for one line. 0: the
 * answer was y or yes, in any case of letters. Otherwise ERR_FAILED without a label ("nothing was changed"): any other
 * answer, or the end of input. Nobody to ask: ERR_FAILED that tells of --yes. ERR_INTERRUPTED; ERR_TIMEOUT at
 * deadline_ms.
 */
int confirm(const struct cmd_context *context, int64_t deadline_ms, struct err *err) __attribute__((warn_unused_result));

#endif
