#include "kube/portforward.h"

#include <criterion/criterion.h>
#include <string.h>

#include "util/buf.h"
#include "util/mem.h"

/* Port 8500 is 0x2134. */
static int decode(struct portforward *forward, const char *message, size_t length, struct portforward_event *event,
                  struct err *err)
{
	_cleanup_free_ unsigned char *copy = xmalloc(length);
	int status;

	memcpy(copy, message, length);
	status = portforward_decode(forward, copy, length, event, err);
	if (status == 0 && event->data)
		event->data = (const unsigned char *)message + (event->data - copy);
	return status;
}

Test(portforward, skips_the_port_and_tells_lanes_apart)
{
	struct portforward forward;
	struct portforward_event event;
	_cleanup_err_ struct err err = ERR_INIT;

	portforward_init(&forward, 8500, 2);
	cr_assert_eq(decode(&forward, "\x00\x34\x21", 3, &event, &err), 0);
	cr_assert_eq(event.kind, PORTFORWARD_NOTHING);
	cr_assert_eq(decode(&forward, "\x02\x34\x21", 3, &event, &err), 0);
	cr_assert_eq(event.kind, PORTFORWARD_NOTHING);
	cr_assert_eq(decode(&forward, "\x02\x34\x21", 3, &event, &err), 0);
	cr_assert_eq(event.kind, PORTFORWARD_DATA);
	cr_assert_eq(event.lane, 1);
	cr_assert(event.length == 2 && memcmp(event.data, "\x34\x21", 2) == 0);
	cr_assert_eq(decode(&forward, "\x01\x34\x21", 3, &event, &err), 0);
	cr_assert_eq(event.kind, PORTFORWARD_NOTHING);
	cr_assert_eq(decode(&forward, "\x01no", 3, &event, &err), 0);
	cr_assert_eq(event.kind, PORTFORWARD_ERROR);
	cr_assert_eq(event.lane, 0);
	cr_assert_eq(portforward_channel(1), 2);
}

Test(portforward, the_port_may_come_in_pieces_or_with_data)
{
	struct portforward forward;
	struct portforward_event event;
	_cleanup_err_ struct err err = ERR_INIT;

	portforward_init(&forward, 8500, 1);
	cr_assert_eq(decode(&forward, "", 0, &event, &err), 0);
	cr_assert_eq(decode(&forward, "\x00", 1, &event, &err), 0);
	cr_assert_eq(event.kind, PORTFORWARD_NOTHING);
	cr_assert_eq(decode(&forward, "\x00\x34", 2, &event, &err), 0);
	cr_assert_eq(event.kind, PORTFORWARD_NOTHING);
	cr_assert_eq(decode(&forward, "\x00\x21z", 3, &event, &err), 0);
	cr_assert_eq(event.kind, PORTFORWARD_DATA);
	cr_assert(event.length == 1 && *event.data == 'z');
	cr_assert_eq(decode(&forward, "\x01\x34\x21refused", 10, &event, &err), 0);
	cr_assert_eq(event.kind, PORTFORWARD_ERROR);
	cr_assert(event.length == 7 && memcmp(event.data, "refused", 7) == 0);
}

Test(portforward, refuses_garbage)
{
	static const struct {
		const char *message;
		size_t length;
		const char *part;
	} rows[] = {
		{ "\x04\x34\x21", 3, "channel 4 of a tunnel with 4" },
		{ "\xff", 1, "channel 255" },
		{ "\x00\x21\x34", 3, "another port than 8500" },
		{ "\x03\x34\x22", 3, "another port than 8500" },
		{ "\x00HTTP/1.1", 9, "another port" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct portforward forward;
		struct portforward_event event;
		_cleanup_err_ struct err err = ERR_INIT;

		portforward_init(&forward, 8500, 2);
		cr_assert_eq(decode(&forward, rows[i].message, rows[i].length, &event, &err), -1);
		cr_assert_eq(err.kind, ERR_PROTOCOL);
		cr_assert(strstr(err.message, rows[i].part), "%s", err.message);
	}
}
