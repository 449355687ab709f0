/* See cluster_changes.h. */
#include "cluster_changes.h"

#include <stdlib.h>
#include <string.h>

#include "cluster_parts.h"
#include "script.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define LEASES "/apis/coordination.k8s.io/v1/namespaces/*/leases"

static void answer_json(struct http_answer *answer, int status, const cJSON *json)
{
	char *text = json_text(json);

	answer->status = status;
	answer->scratch.max = BUF_TEXT_MAX;
	buf_adds(&answer->scratch, text);
	answer->body = buf_text(&answer->scratch);
	free(text);
}

static bool is_refused(const struct cluster_changes *changes, const struct apiserver_request *request,
                       struct http_answer *answer)
{
	if (!changes->refuse || str_equal(request->method, "GET") || !match_pattern(changes->refuse, request->path))
		return false;
	answer->status = 403;
	answer->body = STATUS_FAILURE(403, "Forbidden", "this is forbidden: User \\\"tester\\\" cannot do it");
	return true;
}

/* -------------------------------------------------------------------------------------------- replicas */

static void come(const struct cluster_changes *changes, struct cluster_server *server)
{
	if (server->no_pod)
		*server = changes->comes_as;
}

static void go(struct cluster_server *server)
{
	server->no_pod = true;
	server->member = 'l';
	server->peer = '-';
}

static void set_replicas(struct cluster_changes *changes, int64_t replicas)
{
	struct cluster_state *state = &changes->cluster->state;

	for (size_t i = 0; i < state->count; i++) {
		if ((int64_t)i < replicas)
			come(changes, &state->servers[i]);
		else
			go(&state->servers[i]);
	}
	if (state->leader >= replicas)
		state->leader = 0;
	state->replicas = replicas;
	cluster_forget_shared(changes->cluster);
}

static void patch_scale(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct cluster_changes *changes = context;
	_cleanup_json_ cJSON *body = cJSON_Parse(request->body), *scale = NULL;
	int64_t replicas = json_int_at(body, "spec.replicas", -1);

	if (is_refused(changes, request, answer))
		return;
	if (replicas < 0 || (size_t)replicas > changes->cluster->state.count) {
		answer->status = 422;
		answer->body = STATUS_FAILURE(422, "Invalid", "there are no servers for so many replicas");
		return;
	}
	set_replicas(changes, replicas);
	scale = json_object("kind", json_string("Scale"), "apiVersion", json_string("autoscaling/v1"), "spec",
	                    json_object("replicas", json_int(replicas), NULL), NULL);
	answer_json(answer, 200, scale);
}

/* --------------------------------------------------------------------------------------------- the Lease */

static void renew(struct cluster_changes *changes)
{
	cJSON *spec = cJSON_GetObjectItem(changes->lease, "spec");

	json_set(spec, "renewTime", json_stringf("2124-05-01T10:00:00.%06dZ", ++changes->version));
}

static void get_lease(struct cluster_changes *changes, struct http_answer *answer)
{
	if (!changes->lease) {
		answer->status = 404;
		answer->body = STATUS_FAILURE(404, "NotFound", "leases.coordination.k8s.io not found");
		return;
	}
	if (changes->renews)
		renew(changes);
	answer_json(answer, 200, changes->lease);
}

static void write_lease(struct cluster_changes *changes, const struct apiserver_request *request,
                        struct http_answer *answer)
{
	bool creates = str_equal(request->method, "POST");
	_cleanup_json_ cJSON *body = cJSON_Parse(request->body);

	if (is_refused(changes, request, answer))
		return;
	if (creates == (changes->lease != NULL)) {
		answer->status = 409;
		answer->body = STATUS_FAILURE(409, "Conflict", "the object has been modified");
		return;
	}
	cJSON_Delete(changes->lease);
	changes->lease = TAKE(body);
	json_set(cJSON_GetObjectItem(changes->lease, "metadata"), "resourceVersion",
	         json_stringf("%d", ++changes->version));
	answer_json(answer, creates ? 201 : 200, changes->lease);
}

static void answer_lease(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	if (str_equal(request->method, "GET"))
		get_lease(context, answer);
	else
		write_lease(context, request, answer);
}

/* ------------------------------------------------------------------------------------------------------ */

static cJSON *lease_of(const char *holder)
{
	cJSON *spec = json_object("holderIdentity", json_string(holder), "leaseDurationSeconds", json_int(1),
	                          "acquireTime", json_string("2024-05-01T10:00:00.000000Z"), "renewTime",
	                          json_string("2024-05-01T10:00:00.000000Z"), NULL);

	return json_object(
	    "kind", json_string("Lease"), "apiVersion", json_string("coordination.k8s.io/v1"), "metadata",
	    json_object("name", json_string("lease"), "resourceVersion", json_string("1"), NULL), "spec", spec, NULL);
}

void cluster_changes_begin(struct cluster_changes *changes)
{
	struct apiserver_route *routes = changes->routes;

	routes[0] = (struct apiserver_route){ .path = "/apis/apps/v1/namespaces/*/statefulsets/*/scale",
		                              .method = "PATCH",
		                              .make = patch_scale,
		                              .context = changes };
	routes[1] = (struct apiserver_route){ .path = LEASES "*", .make = answer_lease, .context = changes };
	if (changes->holder)
		changes->lease = lease_of(changes->holder);
	apiserver_add(cluster_api(changes->cluster), routes, NULL, NULL);
}

void cluster_changes_end(struct cluster_changes *changes)
{
	cJSON_Delete(changes->lease);
	changes->lease = NULL;
}

size_t cluster_changes_writes(const struct cluster_changes *changes)
{
	struct apiserver *api = cluster_api(changes->cluster);
	size_t count = 0;

	for (size_t i = 0; i < apiserver_request_total(api); i++) {
		const char *method = apiserver_request_at(api, i)->method;

		count += !str_equal(method, "GET") && !str_equal(method, "STDIN");
	}
	return count;
}

const char *cluster_changes_holder(const struct cluster_changes *changes)
{
	const char *holder = json_string_at(changes->lease, "spec.holderIdentity");

	if (!changes->lease)
		return NULL;
	return holder ? holder : "";
}
