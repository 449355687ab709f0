/*
 * What a container says of a data directory, and a log of a process that ended: the first byte chooses, the rest is its
 * input.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "consul/remains.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const char *text, size_t length)
{
	struct remains remains = REMAINS_INIT;
	struct err err = ERR_INIT;
	int status = remains_decode(text, length, &remains, &err);

	if ((status < 0) != err_is_set(&err) || remains.known != (status == 0))
		abort();
	if (remains.node_id && strlen(remains.node_id) != 36)
		abort();
	err_release(&err);
	remains_release(&remains);
}

/* Words come with a trouble, on one line. */
static void read_log(const char *text, size_t length)
{
	struct remains remains = REMAINS_INIT;

	remains_read_log(text, length, &remains);
	if ((remains.trouble == REMAINS_FINE) != (remains.last_words == NULL))
		abort();
	for (const char *c = remains.last_words; c && *c; c++)
		if ((unsigned char)*c < ' ')
			abort();
	remains_release(&remains);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 2)
		decode((const char *)data + 1, size - 1);
	else
		read_log((const char *)data + 1, size - 1);
	return 0;
}
