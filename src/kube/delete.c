/* See include/kube/delete.h. Source: Kubernetes API reference, DeleteOptions. */
#include "kube/delete.h"

#include <assert.h>

#include "util/json.h"
#include "util/mem.h"

static char *delete_options(const char *uid, const char *resource_version)
{
	cJSON *json = json_object(
	    "kind", json_string("DeleteOptions"), "apiVersion", json_string("v1"), "preconditions",
	    json_object("uid", json_string(uid), "resourceVersion", json_string(resource_version), NULL), NULL);
	char *text = json_text(json);

	cJSON_Delete(json);
	return text;
}

int kube_delete_as_seen(struct kube_client *client, const char *path, const char *uid, const char *resource_version,
                        int64_t deadline_ms, bool *ret_deleted, struct err *err)
{
	_cleanup_free_ char *body = delete_options(uid, resource_version);
	struct kube_call call = { .method = KUBE_DELETE, .path = path, .body = body };
	bool left_alone;
	int status;

	assert(uid);
	status = kube_client_perform(client, &call, 1, deadline_ms, err);
	left_alone = call.err.kind == ERR_CONFLICT || call.err.kind == ERR_NOT_FOUND;
	if (status == 0 && !left_alone)
		status = err_move(err, &call.err);
	kube_call_release(&call);
	if (status == 0)
		*ret_deleted = !left_alone;
	return status;
}
