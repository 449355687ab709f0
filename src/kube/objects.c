/* See include/kube/objects.h. */
#include "kube/objects.h"

#include <stdlib.h>
#include <string.h>

#include "objects_parts.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#define NAME_SHOWN ((size_t)200)

/* ----------------------------------------------------------------------------------- parts of objects */

int objects_wrap(const cJSON *json, const char *kind, struct err *err)
{
	const char *name = json_string_at(json, "metadata.name");
	_cleanup_free_ char *shown = str_visible(name ? name : "", NAME_SHOWN);

	return err_wrap(err, "%s \"%s\"", kind, shown);
}

/* Items of a list carry no kind of their own. */
int objects_check(const cJSON *json, const char *kind, struct err *err)
{
	const char *actual = json_string_at(json, "kind");
	_cleanup_free_ char *shown = NULL;

	if (!cJSON_IsObject(json))
		return err_set(err, ERR_INVALID, "not a %s: no JSON object", kind);
	if (!actual || str_equal(actual, kind))
		return 0;
	shown = str_visible(actual, NAME_SHOWN);
	return err_set(err, ERR_INVALID, "not a %s but a %s", kind, shown);
}

int objects_list(const cJSON *json, const char *path, const cJSON **ret_list, struct err *err)
{
	const cJSON *list = json_at(json, path);

	if (list && !cJSON_IsNull(list) && !cJSON_IsArray(list))
		return err_set(err, ERR_INVALID, "%s is not a list", path);
	*ret_list = cJSON_IsArray(list) ? list : NULL;
	return 0;
}

int objects_time(const cJSON *json, const char *path, int64_t *ret_time, struct err *err)
{
	const cJSON *value = json_at(json, path);

	if (!value || cJSON_IsNull(value))
		return 0;
	if (clock_parse_rfc3339(cJSON_IsString(value) ? value->valuestring : NULL, ret_time) < 0)
		return err_set(err, ERR_INVALID, "%s is not a time", path);
	return 0;
}

int objects_strings(const cJSON *json, const char *path, const char *item_path, struct strv *strings, struct err *err)
{
	const cJSON *list = NULL, *item;

	if (objects_list(json, path, &list, err) < 0)
		return -1;
	cJSON_ArrayForEach (item, list) {
		const cJSON *value = item_path ? json_at(item, item_path) : item;

		if (cJSON_IsString(value))
			strv_add(strings, value->valuestring);
		else if (value || !item_path)
			return err_set(err, ERR_INVALID, "%s%s%s holds something that is no string", path,
			               item_path ? "[]." : "", item_path ? item_path : "");
	}
	return 0;
}

char *objects_label(const cJSON *json, const char *label)
{
	const cJSON *value = json_get(json_at(json, "metadata.labels"), label);

	return cJSON_IsString(value) ? xstrdup(value->valuestring) : NULL;
}

/* An IntOrString as text; NULL when absent. */
static int int_or_string(const cJSON *json, const char *path, char **ret_text, struct err *err)
{
	const cJSON *value = json_at(json, path);

	if (!value || cJSON_IsNull(value))
		return 0;
	if (!cJSON_IsString(value) && !cJSON_IsNumber(value))
		return err_set(err, ERR_INVALID, "%s is neither a number nor a percentage", path);
	*ret_text = cJSON_IsString(value) ? xstrdup(value->valuestring) : json_text(value);
	return 0;
}

static bool is_deleting(const cJSON *json)
{
	return json_string_at(json, "metadata.deletionTimestamp") != NULL;
}

/* -------------------------------------------------------------------------------------------- Pod */

static const struct json_field pod_fields[] = {
	JSON_FIELD(struct kube_pod, name, JSON_STRING, "metadata.name", true),
	JSON_FIELD(struct kube_pod, namespace_name, JSON_STRING, "metadata.namespace", false),
	JSON_FIELD(struct kube_pod, uid, JSON_STRING, "metadata.uid", false),
	JSON_FIELD(struct kube_pod, resource_version, JSON_STRING, "metadata.resourceVersion", false),
	JSON_FIELD(struct kube_pod, phase, JSON_STRING, "status.phase", false),
	JSON_FIELD(struct kube_pod, status_reason, JSON_STRING, "status.reason", false),
	JSON_FIELD(struct kube_pod, node, JSON_STRING, "spec.nodeName", false),
	JSON_FIELD(struct kube_pod, ip, JSON_STRING, "status.podIP", false),
	{ 0 },
};

static const struct json_field owner_fields[] = {
	JSON_FIELD(struct kube_pod, owner_kind, JSON_STRING, "kind", false),
	JSON_FIELD(struct kube_pod, owner_name, JSON_STRING, "name", false),
	JSON_FIELD(struct kube_pod, owner_uid, JSON_STRING, "uid", false),
	{ 0 },
};

static int decode_owner(const cJSON *json, struct kube_pod *pod, struct err *err)
{
	const cJSON *owners = NULL, *owner;

	if (objects_list(json, "metadata.ownerReferences", &owners, err) < 0)
		return -1;
	cJSON_ArrayForEach (owner, owners) {
		if (!json_bool_at(owner, "controller", false))
			continue;
		if (json_decode(owner, owner_fields, pod, err) < 0)
			return err_wrap(err, "metadata.ownerReferences");
		return 0;
	}
	return 0;
}

static int decode_conditions(const cJSON *json, struct kube_pod *pod, struct err *err)
{
	const cJSON *conditions = NULL, *condition;

	if (objects_list(json, "status.conditions", &conditions, err) < 0)
		return -1;
	cJSON_ArrayForEach (condition, conditions) {
		const char *type = json_string_at(condition, "type"), *status = json_string_at(condition, "status");

		if (str_equal(type, "Ready"))
			pod->ready = str_equal(status, "True");
		if (str_equal(type, "PodScheduled") && str_equal(status, "False")) {
			const char *message = json_string_at(condition, "message");

			replace_string(&pod->unscheduled_message, xstrdup(message ? message : "not scheduled"));
		}
	}
	return 0;
}

static int decode_pod(const cJSON *json, struct kube_pod *pod, struct err *err)
{
	if (json_decode(json, pod_fields, pod, err) < 0 ||
	    objects_time(json, "metadata.creationTimestamp", &pod->created_at, err) < 0 ||
	    decode_owner(json, pod, err) < 0 || decode_conditions(json, pod, err) < 0 ||
	    objects_containers(json, "spec.containers", "status.containerStatuses", &pod->containers,
	                       &pod->container_count, err) < 0)
		return -1;
	replace_string(&pod->revision, objects_label(json, "controller-revision-hash"));
	pod->deleting = is_deleting(json);
	return objects_strings(json, "spec.volumes", "persistentVolumeClaim.claimName", &pod->claims, err);
}

int kube_pod_decode(const cJSON *json, struct kube_pod *ret, struct err *err)
{
	if (objects_check(json, "Pod", err) < 0 || decode_pod(json, ret, err) < 0)
		return objects_wrap(json, "pod", err);
	return 0;
}

void kube_pod_release(struct kube_pod *pod)
{
	free(pod->name);
	free(pod->namespace_name);
	free(pod->uid);
	free(pod->resource_version);
	free(pod->phase);
	free(pod->node);
	free(pod->ip);
	free(pod->owner_kind);
	free(pod->owner_name);
	free(pod->owner_uid);
	free(pod->revision);
	free(pod->unscheduled_message);
	free(pod->status_reason);
	objects_release_containers(pod->containers, pod->container_count);
	strv_release(&pod->claims);
	*pod = (struct kube_pod)KUBE_POD_INIT;
}

/* ------------------------------------------------------------------------------------------ claims */

static const struct json_field claim_fields[] = {
	JSON_FIELD(struct kube_claim, name, JSON_STRING, "metadata.name", true),
	JSON_FIELD(struct kube_claim, uid, JSON_STRING, "metadata.uid", false),
	JSON_FIELD(struct kube_claim, resource_version, JSON_STRING, "metadata.resourceVersion", false),
	JSON_FIELD(struct kube_claim, phase, JSON_STRING, "status.phase", false),
	JSON_FIELD(struct kube_claim, storage_class, JSON_STRING, "spec.storageClassName", false),
	JSON_FIELD(struct kube_claim, requested, JSON_STRING, "spec.resources.requests.storage", false),
	JSON_FIELD(struct kube_claim, volume, JSON_STRING, "spec.volumeName", false),
	{ 0 },
};

int kube_claim_decode(const cJSON *json, struct kube_claim *ret, struct err *err)
{
	if (objects_check(json, "PersistentVolumeClaim", err) < 0 || json_decode(json, claim_fields, ret, err) < 0 ||
	    objects_time(json, "metadata.creationTimestamp", &ret->created_at, err) < 0)
		return objects_wrap(json, "persistentvolumeclaim", err);
	ret->deleting = is_deleting(json);
	return 0;
}

void kube_claim_release(struct kube_claim *claim)
{
	free(claim->name);
	free(claim->uid);
	free(claim->resource_version);
	free(claim->phase);
	free(claim->storage_class);
	free(claim->requested);
	free(claim->volume);
	free(claim->mounted_by);
	*claim = (struct kube_claim)KUBE_CLAIM_INIT;
}

/* -------------------------------------------------------------------------------- disruption budgets */

static const struct json_field budget_fields[] = {
	JSON_FIELD(struct kube_budget, name, JSON_STRING, "metadata.name", true),
	JSON_FIELD(struct kube_budget, disruptions_allowed, JSON_INT, "status.disruptionsAllowed", false),
	JSON_FIELD(struct kube_budget, expected_pods, JSON_INT, "status.expectedPods", false),
	{ 0 },
};

static int decode_budget(const cJSON *json, struct kube_budget *budget, struct err *err)
{
	const cJSON *labels = json_at(json, "spec.selector.matchLabels"), *expressions = NULL;

	if (json_decode(json, budget_fields, budget, err) < 0 ||
	    int_or_string(json, "spec.minAvailable", &budget->min_available, err) < 0 ||
	    int_or_string(json, "spec.maxUnavailable", &budget->max_unavailable, err) < 0 ||
	    objects_list(json, "spec.selector.matchExpressions", &expressions, err) < 0)
		return -1;
	if (labels && !cJSON_IsNull(labels) && !cJSON_IsObject(labels))
		return err_set(err, ERR_INVALID, "spec.selector.matchLabels is not an object");
	if (cJSON_IsObject(labels))
		budget->match_labels = cJSON_Duplicate(labels, true);
	budget->match_expressions = expressions && expressions->child;
	return 0;
}

int kube_budget_decode(const cJSON *json, struct kube_budget *ret, struct err *err)
{
	if (objects_check(json, "PodDisruptionBudget", err) < 0 || decode_budget(json, ret, err) < 0)
		return objects_wrap(json, "poddisruptionbudget", err);
	return 0;
}

void kube_budget_release(struct kube_budget *budget)
{
	free(budget->name);
	free(budget->min_available);
	free(budget->max_unavailable);
	cJSON_Delete(budget->match_labels);
	*budget = (struct kube_budget)KUBE_BUDGET_INIT;
}

bool kube_budget_matches(const struct kube_budget *budget, const cJSON *pod_labels)
{
	const cJSON *wanted;

	if (!budget->match_labels || !budget->match_labels->child)
		return false;
	cJSON_ArrayForEach (wanted, budget->match_labels) {
		const cJSON *label = json_get(pod_labels, wanted->string);

		if (!cJSON_IsString(wanted) || !cJSON_IsString(label) ||
		    !str_equal(label->valuestring, wanted->valuestring))
			return false;
	}
	return true;
}

/* ------------------------------------------------------------------------------------ lists and names */

/* Go writes an empty list as null here and there. */
int kube_list_items(const cJSON *list, const cJSON **ret_items, struct err *err)
{
	static const cJSON empty = { .type = cJSON_Array };
	const cJSON *items = json_get(list, "items");
	const char *kind = json_string_at(list, "kind");

	if (kind && !str_ends_with(kind, "List")) {
		_cleanup_free_ char *shown = str_visible(kind, NAME_SHOWN);

		return err_set(err, ERR_INVALID, "not a list but a %s", shown);
	}
	if (!items || (!cJSON_IsArray(items) && !cJSON_IsNull(items)))
		return err_set(err, ERR_INVALID, "not a list: it has no items");
	*ret_items = cJSON_IsArray(items) ? items : &empty;
	return 0;
}

int64_t kube_ordinal(const char *set_name, const char *pod_name)
{
	size_t length = strlen(set_name);
	const char *digits;
	int64_t ordinal;

	if (!str_starts_with(pod_name, set_name) || pod_name[length] != '-')
		return -1;
	digits = pod_name + length + 1;
	if (*digits < '0' || *digits > '9' || (*digits == '0' && digits[1]) || str_to_int64(digits, &ordinal) < 0)
		return -1;
	return ordinal;
}
