/*
 * kube/frames.h - WebSocket framing, the client's side: bytes in, messages out, and the other way round. Pure.
 *
 * wslay does the framing; this bounds it and gives it buffers instead of a socket. Messages that are sent are never
 * fragmented (Kubernetes' servers take the first byte of a fragment for a channel). Pings are answered, and a Close
 * is answered with a Close, without the caller's doing: both show up in the output.
 */
#ifndef KUBE_FRAMES_H
#define KUBE_FRAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"
#include "util/err.h"

/* Most frames that one received message may be split into. */
#define FRAMES_FRAGMENTS_MAX 1024

struct frames;

/* Called from frames_feed for each binary message, empty ones included. May call frames_send, not frames_free. */
typedef void frames_message(void *context, const unsigned char *data, size_t length);

/* message_max: most bytes of a received message; output_max: most bytes that wait in the output. */
struct frames *frames_new(size_t message_max, size_t output_max, frames_message *on_message, void *context);
void frames_free(struct frames *frames);

/*
 * Reads the next bytes. ERR_PROTOCOL for what is no WebSocket (a masked or malformed frame, text), ERR_TOO_LARGE for
 * a message over its limit, or when so many pings came that their answers do not fit the output. Nothing may be fed
 * after a failure; what is fed after the peer's Close is ignored.
 */
int frames_feed(struct frames *frames, const void *bytes, size_t count, struct err *err)
    __attribute__((warn_unused_result));

/* True once the peer has said Close: no message comes any more. */
bool frames_closed(const struct frames *frames);

/*
 * The connection has ended, or frames_closed: 0 when the peer closed with 1000 or without a code. ERR_PROTOCOL when
 * it went away without a Close, in the middle of a frame or between two; ERR_FAILED with another code and its reason.
 */
int frames_end(const struct frames *frames, struct err *err) __attribute__((warn_unused_result));

/* Adds one binary message, first then bytes, to the output. ERR_TOO_LARGE when output_max does not allow it. */
int frames_send(struct frames *frames, unsigned char first, const void *bytes, size_t count, struct err *err)
    __attribute__((warn_unused_result));

/* Bytes of output. */
size_t frames_output_length(const struct frames *frames);

/* Moves the output into an empty buf, which then owns the memory. */
void frames_output_take(struct frames *frames, struct buf *ret_output);

#endif
