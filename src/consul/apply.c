/* See include/consul/apply.h: sending, and telling what changed. Where objects belong is in apply_locate.c. */
#include "consul/apply.h"

#include <stdlib.h>

#include "consul/manifest.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* How often an object is read and sent when it changes between the two. */
enum { READ_TRIES = 5 };

struct apply_object *apply_list_add(struct apply_list *list, cJSON *json)
{
	struct apply_object *object;

	list->items = xreallocarray(list->items, list->count + 1, sizeof(*list->items));
	object = &list->items[list->count++];
	*object = (struct apply_object){ .json = json };
	return object;
}

static bool is_secret(const cJSON *json)
{
	return str_equal(json_string_at(json, "kind"), "Secret");
}

/* Frees an object; one that holds a secret is wiped first. */
static void free_object(cJSON *json)
{
	if (is_secret(json))
		json_free_secret(json);
	else
		cJSON_Delete(json);
}

void apply_list_release(struct apply_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free_object(list->items[i].json);
		free_object(list->items[i].live);
		free_object(list->items[i].result);
		free(list->items[i].source);
		free(list->items[i].resource);
		free(list->items[i].collection);
		free(list->items[i].path);
	}
	free(list->items);
	*list = (struct apply_list)APPLY_LIST_INIT;
}

const char *apply_change_name(enum apply_change change)
{
	switch (change) {
	case APPLY_CREATED:
		return "created";
	case APPLY_CONFIGURED:
		return "configured";
	case APPLY_UNCHANGED:
		return "unchanged";
	case APPLY_NOT_DONE:
		break;
	}
	return "not applied";
}

/* --------------------------------------------------------------------------------------- comparing */

static cJSON *without_bookkeeping(const cJSON *object)
{
	static const char *const kept_by_server[] = { "managedFields", "resourceVersion", "generation" };
	cJSON *copy = cJSON_Duplicate(object, true);
	cJSON *metadata = cJSON_GetObjectItemCaseSensitive(copy, "metadata");

	json_set(copy, "status", NULL);
	for (size_t i = 0; metadata && i < ARRAY_SIZE(kept_by_server); i++)
		json_set(metadata, kept_by_server[i], NULL);
	return copy;
}

bool apply_is_same(const cJSON *a, const cJSON *b)
{
	cJSON *left = without_bookkeeping(a), *right = without_bookkeeping(b);
	bool same = cJSON_Compare(left, right, true);

	free_object(left);
	free_object(right);
	return same;
}

/* The item of live that has item's name (ports, containers, volumes: their order is the server's); otherwise at. */
static const cJSON *counterpart(const cJSON *item, const cJSON *live, const cJSON *at)
{
	const char *name = json_string_at(item, "name");
	const cJSON *other;

	if (!name)
		return at;
	cJSON_ArrayForEach (other, live)
		if (str_equal(json_string_at(other, "name"), name))
			return other;
	return at;
}

bool apply_is_part(const cJSON *wanted, const cJSON *live)
{
	const cJSON *item, *other;

	if (cJSON_IsObject(wanted)) {
		cJSON_ArrayForEach (item, wanted) {
			other = json_get(live, item->string);
			if (!other || !apply_is_part(item, other))
				return false;
		}
		return cJSON_IsObject(live);
	}
	if (!cJSON_IsArray(wanted))
		return cJSON_Compare(wanted, live, true);
	if (!cJSON_IsArray(live) || cJSON_GetArraySize(wanted) != cJSON_GetArraySize(live))
		return false;
	other = live->child;
	cJSON_ArrayForEach (item, wanted) {
		if (!apply_is_part(item, counterpart(item, live, other)))
			return false;
		other = other->next;
	}
	return true;
}

static enum apply_change change_of(const cJSON *before, const cJSON *after)
{
	if (!before)
		return APPLY_CREATED;
	return apply_is_same(before, after) ? APPLY_UNCHANGED : APPLY_CONFIGURED;
}

/* ----------------------------------------------------------------------------------------- sending */

static char *with_query(const char *path, const struct apply_options *options, bool force)
{
	return xasprintf("%s?fieldManager=" MANIFEST_MANAGED_BY "%s%s", path, force ? "&force=true" : "",
	                 options->mode == APPLY_ON_SERVER ? "&dryRun=All" : "");
}

/* One request with json as its body. On success *ret_json is the object as it is now, to be freed by free_object. */
static int send(struct kube_client *client, enum kube_method method, const char *path, const char *content_type,
                const cJSON *json, int64_t deadline_ms, cJSON **ret_json, struct err *err)
{
	char *body = json ? json_text(json) : NULL;
	struct kube_call call = { .method = method, .path = path, .content_type = content_type, .body = body };
	int status = kube_client_perform(client, &call, 1, deadline_ms, err);

	if (status == 0)
		status = err_move(err, &call.err);
	if (status == 0)
		*ret_json = TAKE(call.json);
	kube_call_release(&call);
	free_secret(body);
	return status;
}

static int create(struct kube_client *client, struct apply_object *object, const struct apply_options *options,
                  cJSON **ret_after, struct err *err)
{
	_cleanup_free_ char *path = with_query(object->collection, options, false);

	return send(client, KUBE_POST, path, "application/json", object->json, options->deadline_ms, ret_after, err);
}

static int create_once(struct kube_client *client, struct apply_object *object, const struct apply_options *options,
                       struct err *err)
{
	struct err failure = ERR_INIT;
	cJSON *after = NULL;

	object->change = APPLY_UNCHANGED;
	if (object->live)
		return 0;
	if (create(client, object, options, &after, &failure) < 0) {
		/* It exists: somebody was quicker, or it may not be read. */
		if (failure.kind != ERR_CONFLICT)
			return err_move(err, &failure);
		if (object->must_be_new) {
			err_hint(&failure,
			         "somebody else deploys at the same time: the same command again goes on with "
			         "what is there then");
			return err_move(err, &failure);
		}
		err_release(&failure);
		return 0;
	}
	object->change = APPLY_CREATED;
	object->result = after;
	return 0;
}

static int patch(struct kube_client *client, const struct apply_object *object, const struct apply_options *options,
                 cJSON **ret_after, struct err *err)
{
	_cleanup_free_ char *path = with_query(object->path, options, options->force_conflicts);

	return send(client, KUBE_PATCH, path, "application/apply-patch+yaml", object->json, options->deadline_ms,
	            ret_after, err);
}

/* Another field manager, and not an object that changed meanwhile. */
static bool is_field_conflict(const struct err *err)
{
	return err->kind == ERR_CONFLICT && strstr(err->message, "Apply failed with ");
}

static bool has_replicas(const struct apply_object *object)
{
	return json_at(object->live, "spec.replicas") && json_at(object->json, "spec.replicas");
}

/*
 * The number of replicas that is sent is the one that was read a moment ago; if somebody scaled meanwhile it must not
 * fall back. (Fields set through the scale subresource are not always a conflict.) So the resource version is a
 * precondition; when it does not hold any more, the object is read again.
 */
static int patch_as_read(struct kube_client *client, struct apply_object *object, const struct apply_options *options,
                         cJSON **ret_after, struct err *err)
{
	cJSON *spec = cJSON_GetObjectItemCaseSensitive(object->json, "spec");
	cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object->json, "metadata");
	struct err failure = ERR_INIT;
	int status = -1;

	for (int tries = 1;; tries++) {
		json_set(spec, "replicas", cJSON_Duplicate(json_at(object->live, "spec.replicas"), true));
		json_set(metadata, "resourceVersion",
		         json_string(json_string_at(object->live, "metadata.resourceVersion")));
		status = patch(client, object, options, ret_after, &failure);
		json_set(metadata, "resourceVersion", NULL);
		if (status == 0 || failure.kind != ERR_CONFLICT || is_field_conflict(&failure) || tries == READ_TRIES)
			return err_move(err, &failure);
		err_release(&failure);
		free_object(TAKE(object->live));
		if (send(client, KUBE_GET, object->path, NULL, NULL, options->deadline_ms, &object->live, err) < 0)
			return -1;
	}
}

/* Kubernetes 1.36 refused some valid applies of new objects with "Required value": those are created instead. */
static bool is_wrongly_invalid(const struct apply_object *object, const struct err *err)
{
	return !object->live && err->kind == ERR_INVALID && strstr(err->message, "Required value");
}

static int apply(struct kube_client *client, struct apply_object *object, const struct apply_options *options,
                 struct err *err)
{
	struct err failure = ERR_INIT, second = ERR_INIT;
	cJSON *after = NULL;
	int status;

	if (has_replicas(object))
		status = patch_as_read(client, object, options, &after, &failure);
	else
		status = patch(client, object, options, &after, &failure);
	if (status < 0 && is_wrongly_invalid(object, &failure)) {
		status = create(client, object, options, &after, &second);
		if (status == 0)
			err_release(&failure);
		err_release(&second);
	}
	if (status < 0) {
		if (is_field_conflict(&failure))
			err_hint(&failure, "somebody else set these fields; --force-conflicts takes them over");
		return err_move(err, &failure);
	}
	object->change = change_of(object->live, after);
	object->result = after;
	return 0;
}

int apply_send(struct kube_client *client, struct apply_object *object, const struct apply_options *options,
               struct err *err)
{
	int status = 0;

	free_object(TAKE(object->result));
	if (options->mode == APPLY_ON_CLIENT) {
		bool same = object->live && (object->create_only || apply_is_part(object->json, object->live));

		object->change = !object->live ? APPLY_CREATED : same ? APPLY_UNCHANGED : APPLY_CONFIGURED;
		return 0;
	}
	if (object->create_only)
		status = create_once(client, object, options, err);
	else
		status = apply(client, object, options, err);
	if (status == 0)
		return 0;
	if (err->kind == ERR_NOT_FOUND && str_starts_with(err->message, "namespaces "))
		err_hint(err, "kubectl create namespace makes it; -n chooses another");
	return object->source ? err_wrap(err, "%s: %s", object->source, object->resource)
	                      : err_wrap(err, "%s", object->resource);
}
