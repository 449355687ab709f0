/* See include/kube/portforward.h. */
#include "kube/portforward.h"

#include <assert.h>
#include <string.h>

#define PREFIX_LENGTH 2

void portforward_init(struct portforward *forward, uint16_t port, size_t lanes)
{
	assert(lanes >= 1 && lanes <= PORTFORWARD_LANES_MAX);
	memset(forward, 0, sizeof(*forward));
	forward->port = port;
	forward->lanes = lanes;
}

/* Skips the port number at the beginning of a channel's stream, however it was cut into messages. */
static int skip_prefix(struct portforward *forward, unsigned channel, const unsigned char **data, size_t *length,
                       struct err *err)
{
	const unsigned char expected[PREFIX_LENGTH] = { (unsigned char)(forward->port & 0xff),
		                                        (unsigned char)(forward->port >> 8) };
	unsigned char *got = &forward->prefix[channel];

	for (; *got<PREFIX_LENGTH && * length> 0; ++*got, ++*data, --*length)
		if (**data != expected[*got])
			return err_set(err, ERR_PROTOCOL, "the server forwards another port than %u", forward->port);
	return 0;
}

int portforward_decode(struct portforward *forward, const unsigned char *message, size_t length,
                       struct portforward_event *ret_event, struct err *err)
{
	struct portforward_event event = { .kind = PORTFORWARD_NOTHING };

	if (length > 0) {
		if (message[0] >= 2 * forward->lanes)
			return err_set(err, ERR_PROTOCOL, "the server sent on channel %u of a tunnel with %zu",
			               message[0], 2 * forward->lanes);
		event.lane = message[0] / 2;
		event.data = message + 1;
		event.length = length - 1;
		if (skip_prefix(forward, message[0], &event.data, &event.length, err) < 0)
			return -1;
		if (event.length > 0)
			event.kind = message[0] % 2 ? PORTFORWARD_ERROR : PORTFORWARD_DATA;
	}
	*ret_event = event;
	return 0;
}

unsigned char portforward_channel(size_t lane)
{
	assert(lane < PORTFORWARD_LANES_MAX);
	return (unsigned char)(2 * lane);
}
