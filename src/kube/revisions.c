/* See include/kube/revisions.h. */
#include "kube/revisions.h"

#include <stdbool.h>
#include <stdlib.h>

#include "kube/objects.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* Those of one set, owned; in the order in which they came. */
struct revisions {
	cJSON **items;
	size_t count;
};

static void revisions_release(struct revisions *revisions)
{
	for (size_t i = 0; i < revisions->count; i++)
		cJSON_Delete(revisions->items[i]);
	free(revisions->items);
}

/* ------------------------------------------------------------------------------------------ listing */

static bool is_owned(const cJSON *revision, const char *uid)
{
	const cJSON *owner;

	cJSON_ArrayForEach (owner, json_at(revision, "metadata.ownerReferences"))
		if (uid && str_equal(json_string_at(owner, "uid"), uid))
			return true;
	return false;
}

/* The labels are those of the template: another set with the same ones has its revisions there, too. */
static void take_items(cJSON *list, const char *uid, struct revisions *revisions)
{
	cJSON *items = list ? cJSON_GetObjectItemCaseSensitive(list, "items") : NULL, *next;

	for (cJSON *item = items ? items->child : NULL; item; item = next) {
		next = item->next;
		if (!is_owned(item, uid) || !cJSON_IsObject(json_at(item, "data.spec.template")))
			continue;
		revisions->items = xreallocarray(revisions->items, revisions->count + 1, sizeof(*revisions->items));
		revisions->items[revisions->count++] = cJSON_DetachItemViaPointer(items, item);
	}
}

static char *page_path(const struct kube_statefulset *set, const char *token)
{
	struct buf path = BUF_TEXT;

	buf_adds(&path, "/apis/apps/v1/namespaces/");
	buf_add_url(&path, set->namespace_name);
	buf_addf(&path, "/controllerrevisions?limit=%d", KUBE_REVISIONS_PAGE);
	if (!str_is_empty(set->selector)) {
		buf_adds(&path, "&labelSelector=");
		buf_add_url(&path, set->selector);
	}
	if (token) {
		buf_adds(&path, "&continue=");
		buf_add_url(&path, token);
	}
	return buf_detach(&path);
}

/* One page; *token is replaced by that of the next, NULL when there is none. */
static int list_page(struct kube_client *client, const struct kube_statefulset *set, char **token, int64_t deadline_ms,
                     struct revisions *revisions, struct err *err)
{
	_cleanup_free_ char *path = page_path(set, *token);
	struct kube_call call = { .method = KUBE_GET, .path = path };
	const char *next;
	int status = kube_client_perform(client, &call, 1, deadline_ms, err);

	if (status == 0)
		status = err_move(err, &call.err);
	if (status == 0 && !cJSON_IsArray(json_get(call.json, "items")))
		status = err_set(err, ERR_PROTOCOL, "the answer is no list");
	if (status == 0) {
		next = json_string_at(call.json, "metadata.continue");
		replace_string(token, str_is_empty(next) ? NULL : xstrdup(next));
		take_items(call.json, set->uid, revisions);
	}
	kube_call_release(&call);
	return status;
}

static int list_all(struct kube_client *client, const struct kube_statefulset *set, int64_t deadline_ms,
                    struct revisions *revisions, struct err *err)
{
	_cleanup_free_ char *token = NULL;

	for (int page = 0; page < KUBE_REVISIONS_PAGES; page++) {
		if (list_page(client, set, &token, deadline_ms, revisions, err) < 0)
			return -1;
		if (!token)
			return 0;
	}
	return err_set(err, ERR_UNAVAILABLE, "there are more than %d with these labels",
	               KUBE_REVISIONS_PAGE * KUBE_REVISIONS_PAGES);
}

/* ----------------------------------------------------------------------------------------- choosing */

static const cJSON *find_name(const struct revisions *revisions, const char *name)
{
	for (size_t i = 0; name && i < revisions->count; i++)
		if (str_equal(json_string_at(revisions->items[i], "metadata.name"), name))
			return revisions->items[i];
	return NULL;
}

static int64_t number_of(const cJSON *revision)
{
	return json_int_at(revision, "revision", -1);
}

static const cJSON *find_before(const struct revisions *revisions, const cJSON *newest)
{
	const cJSON *found = NULL;

	for (size_t i = 0; newest && i < revisions->count; i++)
		if (number_of(revisions->items[i]) < number_of(newest) &&
		    (!found || number_of(revisions->items[i]) > number_of(found)))
			found = revisions->items[i];
	return found;
}

/* NULL: there is none. */
static const cJSON *choose(const struct revisions *revisions, const struct kube_statefulset *set, int64_t of_current)
{
	const cJSON *newest = find_name(revisions, set->update_revision);
	const cJSON *current = find_name(revisions, set->current_revision);

	if (newest && newest == current && set->updated_replicas < set->status_replicas)
		return newest;
	if (current && current != newest && of_current > 0)
		return current;
	return find_before(revisions, newest);
}

static cJSON *template_of(const cJSON *revision)
{
	cJSON *template = cJSON_Duplicate(json_at(revision, "data.spec.template"), true);
	cJSON *metadata = cJSON_GetObjectItemCaseSensitive(template, "metadata");

	/* What the revision is as a patch, and a field that every server writes and nobody means. */
	json_set(template, "$patch", NULL);
	if (cJSON_IsNull(json_get(metadata, "creationTimestamp")))
		json_set(metadata, "creationTimestamp", NULL);
	return template;
}

static int list_failed(const struct kube_statefulset *set, struct err *err)
{
	err_wrap(err, "cannot list controllerrevisions of statefulset \"%s\"", set->name);
	if (err->kind == ERR_FORBIDDEN)
		err_hint(err,
		         "a Role must allow \"list\" on \"controllerrevisions\" of API group \"apps\"; check: "
		         "kubectl auth can-i list controllerrevisions.apps -n %s",
		         set->namespace_name);
	return -1;
}

static int previous(struct kube_client *client, const struct kube_statefulset *set, int64_t of_current,
                    int64_t deadline_ms, cJSON **ret_template, char **ret_name, struct err *err)
{
	struct revisions revisions = { 0 };
	const cJSON *revision;
	int status = list_all(client, set, deadline_ms, &revisions, err);

	if (status < 0) {
		list_failed(set, err);
	} else if (!(revision = choose(&revisions, set, of_current))) {
		status = err_set(err, ERR_NOT_FOUND, "statefulset \"%s\" has no earlier revision", set->name);
	} else {
		*ret_template = template_of(revision);
		*ret_name = xstrdup(json_string_at(revision, "metadata.name"));
	}
	revisions_release(&revisions);
	return status;
}

static int decode_set(const cJSON *set, struct kube_statefulset *ret, struct err *err)
{
	if (kube_statefulset_decode(set, ret, err) < 0)
		return -1;
	if (str_is_empty(ret->namespace_name))
		return err_set(err, ERR_INVALID, "statefulset \"%s\": metadata.namespace is missing", ret->name);
	return 0;
}

int kube_revision_previous(struct kube_client *client, const cJSON *set, int64_t deadline_ms, cJSON **ret_template,
                           char **ret_name, struct err *err)
{
	struct kube_statefulset decoded = KUBE_STATEFULSET_INIT;
	int64_t of_current = json_int_at(set, "status.currentReplicas", 0);
	int status = decode_set(set, &decoded, err);

	if (status == 0 && decoded.observed_generation < decoded.generation) {
		status = err_set(err, ERR_UNAVAILABLE,
		                 "statefulset \"%s\" was changed, and Kubernetes has not taken it up", decoded.name);
		err_hint(err, "try again in a moment; if that stays, see whether kube-controller-manager runs");
	}
	if (status == 0)
		status = previous(client, &decoded, of_current, deadline_ms, ret_template, ret_name, err);
	kube_statefulset_release(&decoded);
	return status;
}

int kube_revision_named(struct kube_client *client, const cJSON *set, const char *name, int64_t deadline_ms,
                        cJSON **ret_template, struct err *err)
{
	struct kube_statefulset decoded = KUBE_STATEFULSET_INIT;
	struct revisions revisions = { 0 };
	const cJSON *revision = NULL;
	int status = decode_set(set, &decoded, err);

	if (status == 0 && list_all(client, &decoded, deadline_ms, &revisions, err) < 0)
		status = list_failed(&decoded, err);
	if (status == 0 && !(revision = find_name(&revisions, name)))
		status = err_set(err, ERR_NOT_FOUND, "statefulset \"%s\" has no revision \"%s\"", decoded.name, name);
	if (status == 0)
		*ret_template = template_of(revision);
	revisions_release(&revisions);
	kube_statefulset_release(&decoded);
	return status;
}
