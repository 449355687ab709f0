/* See include/kube/frames.h. */
#include "kube/frames.h"

#include <assert.h>
#include <openssl/rand.h>
#include <string.h>
#include <wslay/wslay.h>

#include "util/mem.h"
#include "util/str.h"

/* Most bytes that a frame's head takes: 2, 8 of length, 4 of mask. */
#define FRAME_HEAD_MAX 14

struct frames {
	wslay_event_context_ptr context;
	frames_message *on_message;
	void *message_context;
	size_t message_max;
	const unsigned char *input; /* what frames_feed was given */
	size_t input_left;
	struct buf output;
	size_t fragment_count;
	bool got_text;
	char *close_reason;
};

static ssize_t on_recv(wslay_event_context_ptr context, uint8_t *buffer, size_t size, int flags, void *user_data)
{
	struct frames *frames = user_data;
	size_t count = frames->input_left < size ? frames->input_left : size;

	(void)flags;
	if (count == 0) {
		wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	memcpy(buffer, frames->input, count);
	frames->input += count;
	frames->input_left -= count;
	return (ssize_t)count;
}

static ssize_t on_send(wslay_event_context_ptr context, const uint8_t *bytes, size_t count, int flags, void *user_data)
{
	struct frames *frames = user_data;

	(void)flags;
	if (buf_add(&frames->output, bytes, count) < 0) {
		wslay_event_set_error(context, WSLAY_ERR_CALLBACK_FAILURE);
		return -1;
	}
	return (ssize_t)count;
}

static int on_mask(wslay_event_context_ptr context, uint8_t *buffer, size_t count, void *user_data)
{
	(void)user_data;
	if (RAND_bytes(buffer, (int)count) == 1)
		return 0;
	wslay_event_set_error(context, WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

/* Each fragment costs wslay an allocation of its own, so that tiny ones would cost a hundred times their bytes. */
static void on_frame(wslay_event_context_ptr context, const struct wslay_event_on_frame_recv_start_arg *frame,
                     void *user_data)
{
	struct frames *frames = user_data;

	if (frame->opcode == WSLAY_BINARY_FRAME)
		frames->fragment_count = 1;
	else if (frame->opcode == WSLAY_CONTINUATION_FRAME && ++frames->fragment_count > FRAMES_FRAGMENTS_MAX)
		wslay_event_shutdown_read(context);
	else if (frame->opcode == WSLAY_TEXT_FRAME)
		frames->got_text = true;
	if (frames->got_text)
		wslay_event_shutdown_read(context);
}

static void on_whole(wslay_event_context_ptr context, const struct wslay_event_on_msg_recv_arg *message,
                     void *user_data)
{
	struct frames *frames = user_data;

	(void)context;
	if (message->opcode == WSLAY_BINARY_FRAME && frames->fragment_count <= FRAMES_FRAGMENTS_MAX)
		frames->on_message(frames->message_context, message->msg, message->msg_length);
	if (message->opcode == WSLAY_CONNECTION_CLOSE && message->msg_length > 2)
		replace_string(&frames->close_reason,
		               xstrndup((const char *)message->msg + 2, message->msg_length - 2));
}

struct frames *frames_new(size_t message_max, size_t output_max, frames_message *on_message, void *context)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = on_recv,
		.send_callback = on_send,
		.genmask_callback = on_mask,
		.on_frame_recv_start_callback = on_frame,
		.on_msg_recv_callback = on_whole,
	};
	struct frames *frames = xcalloc(1, sizeof(*frames));

	frames->on_message = on_message;
	frames->message_context = context;
	frames->message_max = message_max;
	frames->output.max = output_max;
	if (wslay_event_context_client_init(&frames->context, &callbacks, frames) != 0)
		abort();
	wslay_event_config_set_max_recv_msg_length(frames->context, message_max);
	return frames;
}

void frames_free(struct frames *frames)
{
	if (!frames)
		return;
	wslay_event_context_free(frames->context);
	buf_release(&frames->output);
	free(frames->close_reason);
	free(frames);
}

/* What wslay stopped reading for. It says so only in the Close that it sends. */
static int fail_as_wslay(const struct frames *frames, struct err *err)
{
	if (frames->got_text)
		return err_set(err, ERR_PROTOCOL, "the server sent a WebSocket text message");
	if (frames->fragment_count > FRAMES_FRAGMENTS_MAX)
		return err_set(err, ERR_TOO_LARGE, "the server sent a WebSocket message in more than %d pieces",
		               FRAMES_FRAGMENTS_MAX);
	if (wslay_event_get_status_code_sent(frames->context) == WSLAY_CODE_MESSAGE_TOO_BIG)
		return err_set(err, ERR_TOO_LARGE, "the server sent a WebSocket message of more than %zu bytes",
		               frames->message_max);
	return err_set(err, ERR_PROTOCOL, "the server sent bytes that are no WebSocket frame");
}

int frames_feed(struct frames *frames, const void *bytes, size_t count, struct err *err)
{
	int received, sent;

	if (frames_closed(frames))
		return 0;
	frames->input = bytes;
	frames->input_left = count;
	received = wslay_event_recv(frames->context);
	sent = wslay_event_send(frames->context);
	if (sent != 0)
		return err_set(err, ERR_TOO_LARGE, "the server sends more than it reads answers to");
	if (received != 0 || (!wslay_event_get_read_enabled(frames->context) && !frames_closed(frames)))
		return fail_as_wslay(frames, err);
	return 0;
}

bool frames_closed(const struct frames *frames)
{
	return wslay_event_get_close_received(frames->context);
}

int frames_end(const struct frames *frames, struct err *err)
{
	_cleanup_free_ char *shown = NULL;
	unsigned code;

	if (!frames_closed(frames))
		return err_set(err, ERR_PROTOCOL, "the connection was cut off without a WebSocket close");
	code = wslay_event_get_status_code_received(frames->context);
	if (code == WSLAY_CODE_NORMAL_CLOSURE || code == WSLAY_CODE_NO_STATUS_RCVD)
		return 0;
	shown = str_visible(frames->close_reason ? frames->close_reason : "no reason given", 0);
	return err_set(err, ERR_FAILED, "the server closed the WebSocket with code %u: %s", code, shown);
}

int frames_send(struct frames *frames, unsigned char first, const void *bytes, size_t count, struct err *err)
{
	struct wslay_event_msg message = { .opcode = WSLAY_BINARY_FRAME, .msg_length = count + 1 };
	_cleanup_free_ unsigned char *copy = NULL;

	if (count + 1 + FRAME_HEAD_MAX > frames->output.max - frames->output.len)
		return err_set(err, ERR_TOO_LARGE, "more than %zu bytes wait to be sent", frames->output.max);
	copy = xmalloc(count + 1);
	copy[0] = first;
	if (count)
		memcpy(copy + 1, bytes, count);
	message.msg = copy;
	if (wslay_event_queue_msg(frames->context, &message) != 0 || wslay_event_send(frames->context) != 0)
		return err_set(err, ERR_PROTOCOL, "the WebSocket is closed");
	return 0;
}

size_t frames_output_length(const struct frames *frames)
{
	return frames->output.len;
}

void frames_output_take(struct frames *frames, struct buf *ret_output)
{
	assert(ret_output->len == 0);
	buf_release(ret_output);
	*ret_output = frames->output;
	frames->output = (struct buf)BUF_INIT(ret_output->max);
}
