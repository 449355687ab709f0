/* See include/kube/channel.h. */
#include "kube/channel.h"

#include <limits.h>
#include <string.h>

#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* Most bytes of a Status; the server's messages have a few hundred. */
#define STATUS_MAX ((size_t)64 * 1024)
/* Most bytes of a foreign text that an error shows. */
#define SHOWN_MAX 1000

#define INTERNAL_PREFIX "Internal error occurred: "

/* The exit code is in the cause whose reason is ExitCode, and nowhere else; -1 when there is none. */
static int exit_code_of(const cJSON *status)
{
	const cJSON *cause;
	int64_t code;

	cJSON_ArrayForEach (cause, json_at(status, "details.causes")) {
		if (!str_equal(json_string_at(cause, "reason"), "ExitCode"))
			continue;
		if (str_to_int64(json_string_at(cause, "message"), &code) < 0 || code < 1 || code > INT_MAX)
			return -1;
		return (int)code;
	}
	return -1;
}

static int fail_as_status(const cJSON *status, struct err *err)
{
	const char *message = json_string_at(status, "message");
	_cleanup_free_ char *shown = NULL;

	if (str_is_empty(message))
		message = json_string_at(status, "reason");
	if (str_is_empty(message))
		return err_set(err, ERR_PROTOCOL, "the command failed, and the server does not say why");
	if (str_starts_with(message, INTERNAL_PREFIX))
		message += strlen(INTERNAL_PREFIX);
	shown = str_visible(message, SHOWN_MAX);
	return err_set(err, ERR_FAILED, "the command could not be run: %s", shown);
}

static int decode_end(const char *text, size_t length, struct channel_event *event, struct err *err)
{
	_cleanup_json_ cJSON *status = NULL;
	const char *outcome;

	if (length > STATUS_MAX)
		return err_set(err, ERR_TOO_LARGE, "the command's outcome has more than %zu bytes", STATUS_MAX);
	if (json_parse(text, length, &status, err) < 0)
		return err_wrap(err, "the command's outcome cannot be read");
	outcome = json_string_at(status, "status");
	if (str_equal(outcome, "Success")) {
		event->kind = CHANNEL_EXIT;
		event->exit_code = 0;
		return 0;
	}
	if (!str_equal(outcome, "Failure"))
		return err_set(err, ERR_PROTOCOL, "the command's outcome is neither success nor failure");
	if (!str_equal(json_string_at(status, "reason"), "NonZeroExitCode"))
		return fail_as_status(status, err);
	event->exit_code = exit_code_of(status);
	if (event->exit_code < 0)
		return err_set(err, ERR_PROTOCOL, "the command failed, and the server tells no exit code");
	event->kind = CHANNEL_EXIT;
	return 0;
}

/* Servers begin with an empty message on the lowest channel asked for, which may be stdin. */
static bool is_known(unsigned char channel, size_t length)
{
	return channel == CHANNEL_CLOSE || (channel <= CHANNEL_END && (channel != CHANNEL_STDIN || length == 1));
}

int channel_decode(const unsigned char *message, size_t length, struct channel_event *ret_event, struct err *err)
{
	struct channel_event event = { .kind = CHANNEL_NOTHING };

	if (length > 1 && message[0] == CHANNEL_END) {
		if (decode_end((const char *)message + 1, length - 1, &event, err) < 0)
			return -1;
	} else if (length > 1 && (message[0] == CHANNEL_STDOUT || message[0] == CHANNEL_STDERR)) {
		event.kind = message[0] == CHANNEL_STDOUT ? CHANNEL_OUTPUT : CHANNEL_ERROR;
		event.data = message + 1;
		event.length = length - 1;
	} else if (length > 0 && !is_known(message[0], length)) {
		return err_set(err, ERR_PROTOCOL, "the server sent on channel %u, which an exec does not have",
		               message[0]);
	}
	*ret_event = event;
	return 0;
}
