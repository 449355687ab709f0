/* See include/consul/difference.h. */
#include "consul/difference.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "util/base64.h"
#include "util/diff.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"
#include "util/yaml.h"

/* Nothing (NULL) is a value to compare, too: an object that would be made. */
static cJSON *child_of(const cJSON *object, const char *key)
{
	return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, key) : NULL;
}

/* ------------------------------------------------------------------------------------- bookkeeping */

static void remove_nulls(cJSON *json)
{
	cJSON *next;

	for (cJSON *child = json ? json->child : NULL; child; child = next) {
		next = child->next;
		if (cJSON_IsNull(child) && cJSON_IsObject(json))
			cJSON_Delete(cJSON_DetachItemViaPointer(json, child));
		else
			remove_nulls(child);
	}
}

/* The copy of a Secret that kubectl apply makes in an annotation goes with it, and never shows. */
static void remove_bookkeeping(cJSON *object)
{
	static const char *const kept_by_server[] = { "managedFields", "resourceVersion",   "uid",
		                                      "generation",    "creationTimestamp", "selfLink" };
	cJSON *metadata = child_of(object, "metadata"), *annotations = child_of(metadata, "annotations");

	if (!object)
		return;
	json_set(object, "status", NULL);
	for (size_t i = 0; metadata && i < ARRAY_SIZE(kept_by_server); i++)
		json_set(metadata, kept_by_server[i], NULL);
	if (annotations)
		json_set(annotations, "kubectl.kubernetes.io/last-applied-configuration", NULL);
	if (annotations && !annotations->child)
		json_set(metadata, "annotations", NULL);
	remove_nulls(object);
}

static int compare_keys(const void *a, const void *b)
{
	const cJSON *const *left = a, *const *right = b;

	return strcmp((*left)->string, (*right)->string);
}

/* The same order on both sides, whoever wrote them. */
static void sort_keys(cJSON *json)
{
	size_t count = json ? (size_t)cJSON_GetArraySize(json) : 0;
	cJSON **children = xcalloc(count + 1, sizeof(cJSON *));

	for (size_t i = 0; i < count; i++) {
		children[i] = cJSON_DetachItemViaPointer(json, json->child);
		sort_keys(children[i]);
	}
	if (cJSON_IsObject(json))
		qsort(children, count, sizeof(cJSON *), compare_keys);
	/* An item keeps its key; in a list, too, it is just put at the end. */
	for (size_t i = 0; i < count; i++)
		cJSON_AddItemToArray(json, children[i]);
	free(children);
}

/* ----------------------------------------------------------------------------------------- Secrets */

/* stringData is how values are given, data how they are kept: the same, in base64. */
static void fold_string_data(cJSON *secret)
{
	cJSON *strings = child_of(secret, "stringData"), *data = child_of(secret, "data"), *value;

	if (!strings)
		return;
	if (!data)
		data = cJSON_AddObjectToObject(secret, "data");
	cJSON_ArrayForEach (value, strings) {
		char *encoded = NULL;

		if (!value->valuestring)
			continue;
		encoded = base64_encode(value->valuestring, strlen(value->valuestring));
		json_set(data, value->string, json_string(encoded));
		free_secret(encoded);
	}
	json_free_secret(cJSON_DetachItemViaPointer(secret, strings));
}

/* The keys of data; a value that before has otherwise says so. NULL without data. */
static cJSON *masked(const cJSON *data, const cJSON *before)
{
	cJSON *masks = data ? cJSON_CreateObject() : NULL;
	const cJSON *value;

	cJSON_ArrayForEach (value, data) {
		const cJSON *other = child_of(before, value->string);
		bool changed = other && !cJSON_Compare(other, value, true);

		json_set(masks, value->string, json_string(changed ? "*** (changed)" : "***"));
	}
	return masks;
}

static void replace_data(cJSON *secret, cJSON *masks)
{
	cJSON *data = child_of(secret, "data");

	if (data)
		json_free_secret(cJSON_DetachItemViaPointer(secret, data));
	if (masks)
		json_set(secret, "data", masks);
}

static void mask_secrets(cJSON *live, cJSON *wanted)
{
	cJSON *before, *after;

	fold_string_data(live);
	fold_string_data(wanted);
	before = masked(child_of(live, "data"), NULL);
	after = masked(child_of(wanted, "data"), child_of(live, "data"));
	replace_data(live, before);
	replace_data(wanted, after);
}

static bool is_secret(const cJSON *object)
{
	return str_equal(json_string_at(object, "kind"), "Secret");
}

/* ------------------------------------------------------------------------------------ JSON in strings */

/* The text of value with one setting on each line; NULL when it is no JSON object or list that has any. A new string.
 */
static char *pretty(const cJSON *value)
{
	const char *text = cJSON_IsString(value) ? value->valuestring : "";
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_json_ cJSON *json = NULL;
	const char *begin = text + strspn(text, " \t\r\n");

	if (*begin != '{' && *begin != '[')
		return NULL;
	if (json_parse(text, strlen(text), &json, &err) < 0 || !json->child)
		return NULL;
	return json_text_pretty(json);
}

static void expand_strings(cJSON *left, cJSON *right)
{
	_cleanup_free_ char *before = pretty(left), *after = pretty(right);
	bool only_one = left && right && (!before || !after);
	bool only_spaces =
	    left && right && !only_one && str_equal(before, after) && !str_equal(left->valuestring, right->valuestring);

	if (only_one || only_spaces)
		return;
	if (before)
		cJSON_SetValuestring(left, before);
	if (after)
		cJSON_SetValuestring(right, after);
}

/* Both sides in step: objects by key, lists by place. Either may be NULL. */
static void expand(cJSON *left, cJSON *right)
{
	cJSON *child, *other;
	bool by_key = cJSON_IsObject(left) && cJSON_IsObject(right);

	if ((!left || cJSON_IsString(left)) && (!right || cJSON_IsString(right))) {
		expand_strings(left, right);
		return;
	}
	other = right ? right->child : NULL;
	for (child = left ? left->child : NULL; child; child = child->next) {
		expand(child, by_key ? child_of(right, child->string) : other);
		other = other ? other->next : NULL;
	}
	for (child = by_key ? right->child : other; child; child = child->next)
		if (!by_key || !child_of(left, child->string))
			expand(NULL, child);
}

/* --------------------------------------------------------------------------------------- difference */

bool difference_add(const char *resource, const cJSON *live, const cJSON *wanted, struct buf *out)
{
	_cleanup_json_ cJSON *left = cJSON_Duplicate(live, true), *right = cJSON_Duplicate(wanted, true);
	_cleanup_free_ char *before = NULL, *after = NULL;
	_cleanup_buf_ struct buf hunks = BUF_TEXT;

	assert(wanted);
	if (is_secret(live) || is_secret(wanted))
		mask_secrets(left, right);
	remove_bookkeeping(left);
	remove_bookkeeping(right);
	sort_keys(left);
	sort_keys(right);
	expand(left, right);
	before = left ? yaml_text(left) : xstrdup("");
	after = yaml_text(right);
	if (!diff_add(before, after, &hunks))
		return false;
	buf_addf(out, "--- %s now\n+++ %s after\n%s", resource, resource, buf_text(&hunks));
	return true;
}

static cJSON *template_of(const cJSON *set)
{
	cJSON *template = cJSON_Duplicate(json_at(set, "spec.template"), true);

	remove_nulls(template);
	return template;
}

bool difference_restarts(const cJSON *live, const cJSON *wanted)
{
	_cleanup_json_ cJSON *before = template_of(live), *after = template_of(wanted);

	/* Nothing is not even the same as nothing to cJSON. */
	return live && (before || after) && !cJSON_Compare(before, after, true);
}
