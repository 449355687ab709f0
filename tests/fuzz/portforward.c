/* Messages of pods/portforward, each behind a byte that says how long it is. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "kube/portforward.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct portforward forward;
	struct err err = ERR_INIT;
	int status = 0;

	portforward_init(&forward, 8500, 3);
	for (size_t at = 0; at < size && status == 0;) {
		struct portforward_event event;
		size_t length = data[at++];

		length = length < size - at ? length : size - at;
		status = portforward_decode(&forward, data + at, length, &event, &err);
		if (status == 0 && event.kind != PORTFORWARD_NOTHING &&
		    (event.lane >= 3 || event.length == 0 || event.data + event.length != data + at + length))
			abort();
		at += length;
	}
	if (err_is_set(&err) != (status < 0))
		abort();
	err_release(&err);
	return 0;
}
