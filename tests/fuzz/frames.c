/* WebSocket frames from a server: the first byte says how big the pieces are. Each message is sent back. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "kube/frames.h"

#define MESSAGE_MAX ((size_t)4096)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_message(void *context, const unsigned char *data, size_t length)
{
	struct frames **frames = context;
	struct err err = ERR_INIT;

	if (length > MESSAGE_MAX)
		abort();
	if (length > 0 && frames_send(*frames, data[0], data + 1, length - 1, &err) < 0)
		err_release(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frames *frames;
	struct buf output = BUF_INIT(64 * 1024);
	struct err err = ERR_INIT;
	size_t step;
	int status = 0;

	if (size == 0)
		return 0;
	step = data[0] + 1u;
	frames = frames_new(MESSAGE_MAX, output.max, on_message, &frames);
	for (size_t at = 1; at < size && status == 0; at += step)
		status = frames_feed(frames, data + at, size - at < step ? size - at : step, &err);
	if (status == 0)
		status = frames_end(frames, &err);
	if (err_is_set(&err) != (status < 0) || (status == 0 && !frames_closed(frames)))
		abort();
	frames_output_take(frames, &output);
	buf_release(&output);
	frames_free(frames);
	err_release(&err);
	return 0;
}
