/* The answer to an upgrade: the first byte says how big the pieces are, and whether the connection ends. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "kube/upgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct upgrade_key key = { "dGhlIHNhbXBsZSBub25jZQ==" };
	struct upgrade_answer answer;
	struct err err = ERR_INIT;
	size_t at = 1, step, used = 0;
	int status = 0;

	if (size == 0)
		return 0;
	step = (data[0] & 0x7f) + 1u;
	upgrade_answer_init(&answer, &key, "v4.channel.k8s.io");
	while (status == 0 && at < size && answer.phase == UPGRADE_READING) {
		size_t count = size - at < step ? size - at : step;

		status = upgrade_answer_feed(&answer, data + at, count, &used, &err);
		if (status == 0 && (used > count || (used < count && answer.phase == UPGRADE_READING)))
			abort();
		at += used;
	}
	if (status == 0 && data[0] & 0x80)
		status = upgrade_answer_end(&answer, &err);
	if (err_is_set(&err) != (status < 0))
		abort();
	if (status == 0 && answer.phase == UPGRADE_ACCEPTED && answer.status != 101)
		abort();
	upgrade_answer_release(&answer);
	err_release(&err);
	return 0;
}
