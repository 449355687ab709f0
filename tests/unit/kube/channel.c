#include "kube/channel.h"

#include <criterion/criterion.h>
#include <string.h>

#include "util/buf.h"
#include "util/mem.h"

static int decode(const char *message, size_t length, struct channel_event *event, struct err *err)
{
	/* A copy of just these bytes, so that a sanitizer sees a read past them. */
	_cleanup_free_ unsigned char *copy = xmalloc(length);

	memcpy(copy, message, length);
	return channel_decode(copy, length, event, err);
}

static void expect_exit(const char *status, int exit_code)
{
	_cleanup_free_ char *message = xasprintf("\x03%s", status);
	_cleanup_err_ struct err err = ERR_INIT;
	struct channel_event event;

	cr_assert_eq(decode(message, strlen(message), &event, &err), 0, "%s", err.message);
	cr_assert_eq(event.kind, CHANNEL_EXIT);
	cr_assert_eq(event.exit_code, exit_code);
}

static void expect_failure(const char *message, size_t length, enum err_kind kind, const char *part)
{
	_cleanup_err_ struct err err = ERR_INIT;
	struct channel_event event = { .exit_code = 77 };

	cr_assert_eq(decode(message, length, &event, &err), -1, "%s", message);
	cr_assert_eq(err.kind, kind, "%s", err.message);
	cr_assert(strstr(err.message, part), "%s", err.message);
	cr_assert_eq(event.exit_code, 77);
}

static void expect_status_failure(const char *status, enum err_kind kind, const char *part)
{
	_cleanup_free_ char *message = xasprintf("\x03%s", status);

	expect_failure(message, strlen(message), kind, part);
}

Test(channel, output_and_errors)
{
	static const unsigned char out[] = "\x01"
	                                   "a\0b",
	                           error[] = "\x02"
	                                     "e";
	_cleanup_err_ struct err err = ERR_INIT;
	struct channel_event event;

	cr_assert_eq(channel_decode(out, 4, &event, &err), 0);
	cr_assert_eq(event.kind, CHANNEL_OUTPUT);
	cr_assert(event.length == 3 && memcmp(event.data, "a\0b", 3) == 0);
	cr_assert_eq(channel_decode(error, 2, &event, &err), 0);
	cr_assert_eq(event.kind, CHANNEL_ERROR);
	cr_assert(event.length == 1 && *event.data == 'e');
}

Test(channel, empty_messages_mean_nothing)
{
	static const char *const messages[] = { "\x01", "\x02", "\x03", "\xff\x01", "" };

	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		_cleanup_err_ struct err err = ERR_INIT;
		struct channel_event event = { .kind = CHANNEL_EXIT };

		cr_assert_eq(decode(messages[i], strlen(messages[i]), &event, &err), 0);
		cr_assert_eq(event.kind, CHANNEL_NOTHING);
	}
}

Test(channel, exit_codes)
{
	expect_exit("{\"metadata\":{},\"status\":\"Success\"}", 0);
	expect_exit("{\"status\":\"Success\"}\n", 0);
	expect_exit(
	    "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated with non-zero exit code: x\","
	    "\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{\"message\":\"77\"},"
	    "{\"reason\":\"ExitCode\",\"message\":\"3\"}]}}",
	    3);
	expect_exit("{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\","
	            "\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"137\"}]}}",
	            137);
}

Test(channel, a_command_that_was_not_run)
{
	expect_status_failure(
	    "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"Internal error occurred: error executing command in "
	    "container: exec: \\\"nope\\\": executable file not found in $PATH: unknown\",\"reason\":\"InternalError\","
	    "\"details\":{\"causes\":[{\"message\":\"x\"}]},\"code\":500}",
	    ERR_FAILED, "could not be run: error executing command in container: exec: \"nope\"");
	expect_status_failure("{\"status\":\"Failure\",\"message\":\"a\\u001b[2Jb\\n\"}", ERR_FAILED, "a^[[2Jb\\n");
	expect_status_failure("{\"status\":\"Failure\",\"reason\":\"Gone\"}", ERR_FAILED, "Gone");
	expect_status_failure("{\"status\":\"Failure\"}", ERR_PROTOCOL, "does not say why");
}

Test(channel, refuses_garbage)
{
	expect_failure("\x00x", 2, ERR_PROTOCOL, "channel 0");
	expect_failure("\x04x", 2, ERR_PROTOCOL, "channel 4");
	expect_failure("\xfe", 1, ERR_PROTOCOL, "channel 254");
	expect_status_failure("command terminated", ERR_INVALID, "outcome cannot be read");
	expect_status_failure("{\"status\":\"Success\"", ERR_INVALID, "outcome cannot be read");
	expect_status_failure("[]", ERR_PROTOCOL, "neither");
	expect_status_failure("{\"status\":1}", ERR_PROTOCOL, "neither");
	expect_status_failure("{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\"}", ERR_PROTOCOL, "no exit code");
	expect_status_failure("{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":{}}}",
	                      ERR_PROTOCOL, "no exit code");
	expect_status_failure(
	    "{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{\"reason\":\"ExitCode\","
	    "\"message\":\"0\"}]}}",
	    ERR_PROTOCOL, "no exit code");
	expect_status_failure(
	    "{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{\"reason\":\"ExitCode\","
	    "\"message\":\"99999999999\"}]}}",
	    ERR_PROTOCOL, "no exit code");
}

Test(channel, bounds_the_outcome)
{
	_cleanup_buf_ struct buf message = BUF_TEXT;

	buf_addc(&message, '\x03');
	for (size_t i = 0; i < 70000; i++)
		buf_addc(&message, ' ');
	expect_failure(message.data, message.len, ERR_TOO_LARGE, "more than");
}
