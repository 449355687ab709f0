/* The body of a refusal: the first byte chooses the HTTP status. What is shown is bounded and visible. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kube/status.h"

#define MESSAGE_MAX ((size_t)64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_visible(const char *text)
{
	if (!text)
		return;
	if (strlen(text) > MESSAGE_MAX)
		abort();
	for (; *text; text++)
		if ((unsigned char)*text < ' ' && *text != '\n')
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const long statuses[] = { 400, 401, 403, 404, 409, 410, 422, 429, 500, 502, 503, 504, 302, 418 };
	struct err err = ERR_INIT;

	if (size == 0)
		return 0;
	if (kube_status_error(statuses[data[0] % (sizeof(statuses) / sizeof(statuses[0]))], (const char *)data + 1,
	                      size - 1, &err) != -1 ||
	    !err_is_set(&err))
		abort();
	check_visible(err.label);
	check_visible(err.message);
	check_visible(err.hint);
	err_release(&err);
	return 0;
}
