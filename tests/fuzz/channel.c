/* One message of pods/exec. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "kube/channel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct channel_event event;
	struct err err = ERR_INIT;
	int status = channel_decode(data, size, &event, &err);

	if (err_is_set(&err) != (status < 0))
		abort();
	if (status == 0 && event.length > size)
		abort();
	if (status == 0 && event.kind == CHANNEL_EXIT && event.exit_code < 0)
		abort();
	err_release(&err);
	return 0;
}
