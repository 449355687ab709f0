/* Autopilot's settings, as JSON and as the CLI prints them, and changed: the first byte chooses, the rest is the input.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "consul/tell_way.h"
#include "util/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All of it is known, or nothing is and there is a reason. */
static void decode(bool json, const char *text, size_t length)
{
	struct autopilot_state state = { 0 };
	struct err err = ERR_INIT;
	int status = json ? tell_decode_autopilot_json(text, length, &state, &err)
	                  : tell_decode_autopilot_text(text, length, &state, &err);

	if ((status == 0) != state.known || (status < 0) != err_is_set(&err))
		abort();
	if (state.min_quorum < 0 || (!state.has_min_quorum && state.min_quorum != 0))
		abort();
	err_release(&err);
}

/* What was changed can be read, and has what was wanted. */
static void edit(const char *text, size_t length)
{
	struct autopilot_state state = { 0 };
	struct err err = ERR_INIT;
	char *body = NULL;
	int64_t index = -1;

	if (tell_edit_min_quorum(text, length, "7", &body, &index, &err) == 0) {
		if (index < 0)
			abort();
		if (body && (tell_decode_autopilot_json(body, strlen(body), &state, &err) < 0 || state.min_quorum != 7))
			abort();
	} else if (!err_is_set(&err) || body) {
		abort();
	}
	free(body);
	err_release(&err);
}

static void check(const char *text, size_t length)
{
	struct err err = ERR_INIT;

	if ((tell_check_changed(text, length, &err) < 0) != err_is_set(&err))
		abort();
	err_release(&err);
	if ((tell_check_transferred(text, length, &err) < 0) != err_is_set(&err))
		abort();
	err_release(&err);
	free(tell_words(text, length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;

	if (size == 0)
		return 0;
	switch (data[0] % 4) {
	case 0:
		decode(true, text, size - 1);
		break;
	case 1:
		decode(false, text, size - 1);
		break;
	case 2:
		edit(text, size - 1);
		break;
	default:
		check(text, size - 1);
	}
	return 0;
}
