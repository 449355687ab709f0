/* What a server answers, over HTTP and by the CLI: the first byte chooses the decoder, the rest is its input; twice,
 * for a second. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "consul/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int decode_fn(const char *text, size_t length, struct view *view, struct err *err);

/* A plane is whole or unknown, and a failure says why. */
static void check_view(const struct view *view)
{
	for (size_t i = 0; i < view->member_count; i++)
		if (!view->members[i].name || !*view->members[i].name || !view->members[i].address)
			abort();
	for (size_t i = 0; i < view->peer_count; i++)
		if (!view->peers[i].address || !*view->peers[i].address)
			abort();
	if ((!view->members_known && view->members) || (!view->peers_known && view->peers))
		abort();
	if (view->members_known != (view->member_count > 0) || view->peers_known != (view->peers_source != PEERS_NONE))
		abort();
}

static void decode(decode_fn *decoder, const char *text, size_t length, struct view *view)
{
	struct err err = ERR_INIT;

	if ((decoder(text, length, view, &err) < 0) != err_is_set(&err))
		abort();
	check_view(view);
	err_release(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static decode_fn *const decoders[2][3] = {
		{ decode_members_json, decode_raft_json, decode_self_json },
		{ decode_members_text, decode_raft_text, decode_info_text },
	};
	struct view view = VIEW_INIT;
	size_t chosen;

	if (size == 0)
		return 0;
	chosen = data[0] % 6u;
	for (size_t i = 0; i < 2; i++)
		decode(decoders[chosen / 3][(chosen + i) % 3], (const char *)data + 1, size - 1, &view);
	view_release(&view);
	return 0;
}
