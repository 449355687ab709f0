/* See include/cmd/confirm.h. */
#include "cmd/confirm.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/* Longest answer that is kept: a longer one is no yes, even if only blanks are cut off it. */
#define ANSWER_MAX 16

/* kubectl's, after the list of what it is about. */
#define QUESTION    "Do you want to continue? (y/N): "
#define NOT_CHANGED "nothing was changed"

bool confirm_is_possible(const struct cmd_context *context)
{
	return context->messages_term.is_tty && cmd_environment_term(context->environment, context->input_fd).is_tty;
}

static bool is_yes(const char *answer)
{
	return str_equal_nocase(answer, "y") || str_equal_nocase(answer, "yes");
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Until there is something to read: -1 when Ctrl-C or the deadline came first. */
static int wait_for_input(const struct cmd_context *context, int64_t deadline_ms, struct err *err)
{
	struct pollfd fds[] = {
		{ .fd = context->input_fd, .events = POLLIN },
		{ .fd = context->interrupt_fd, .events = POLLIN },
	};

	for (;;) {
		int ready = poll(fds, ARRAY_SIZE(fds), clock_left_ms(deadline_ms, clock_monotonic_ms()));

		if (ready < 0 && errno != EINTR)
			return err_set(err, ERR_FAILED, "cannot wait for an answer: %s", strerror(errno));
		if (ready < 0)
			continue;
		if (ready > 0 && fds[1].revents)
			return err_set(err, ERR_INTERRUPTED, "interrupted: " NOT_CHANGED);
		if (ready > 0)
			return 0;
		if (clock_monotonic_ms() >= deadline_ms)
			return err_set(err, ERR_TIMEOUT, "nobody answered in time: " NOT_CHANGED);
	}
}

/* One line into answer, without its end and the blanks around it; one longer than ANSWER_MAX is empty. */
static int read_answer(const struct cmd_context *context, int64_t deadline_ms, char answer[ANSWER_MAX + 1],
                       bool *ret_ended, struct err *err)
{
	size_t length = 0;
	bool too_long = false;
	char byte = '\0';

	while (byte != '\n') {
		ssize_t count;

		if (wait_for_input(context, deadline_ms, err) < 0)
			return -1;
		count = read(context->input_fd, &byte, 1);
		if (count < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (count <= 0) {
			*ret_ended = true;
			break;
		}
		if (length < ANSWER_MAX && (length > 0 || !is_blank(byte)))
			answer[length++] = byte;
		else
			too_long |= !is_blank(byte);
	}
	while (length > 0 && is_blank(answer[length - 1]))
		length--;
	answer[too_long ? 0 : length] = '\0';
	return 0;
}

int confirm(const struct cmd_context *context, int64_t deadline_ms, struct err *err)
{
	char answer[ANSWER_MAX + 1];
	bool ended = false;
	int status;

	if (!confirm_is_possible(context)) {
		err_set(err, ERR_FAILED, "there is no terminal to ask on, so " NOT_CHANGED);
		return err_hint(err, "add --yes to do it without a question, or --dry-run to look at the plan only");
	}
	fflush(context->output);
	fputs(QUESTION, context->messages);
	fflush(context->messages);
	status = read_answer(context, deadline_ms, answer, &ended, err);
	if (status < 0 || ended)
		fputc('\n', context->messages); /* the answer's line has not been ended by its Return */
	if (status < 0)
		return -1;
	if (!ended && is_yes(answer))
		return 0;
	err_set(err, ERR_FAILED, NOT_CHANGED);
	return err_label(err, "%s", "");
}
