/* See include/util/json.h. */
#include "util/json.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

#define NEAR_BYTES 24 /* how much of the text an error shows */
#define INT_EXACT  9007199254740992.0

cJSON json_array_end;

__attribute__((constructor)) static void set_allocator(void)
{
	cJSON_Hooks hooks = { .malloc_fn = xmalloc, .free_fn = free };

	cJSON_InitHooks(&hooks);
}

static bool only_space(const char *text, const char *end)
{
	while (text < end && (*text == ' ' || *text == '\t' || *text == '\r' || *text == '\n'))
		text++;
	return text == end;
}

int json_parse(const char *text, size_t length, cJSON **ret_json, struct err *err)
{
	const char *stop = NULL;
	cJSON *json = cJSON_ParseWithLengthOpts(text, length, &stop, false);

	if (!json || !only_space(stop, text + length)) {
		size_t offset = stop && stop >= text && stop <= text + length ? (size_t)(stop - text) : 0;
		_cleanup_free_ char *near =
		    xstrndup(text + offset, length - offset < NEAR_BYTES ? length - offset : NEAR_BYTES);
		_cleanup_free_ char *shown = str_visible(near, NEAR_BYTES);

		cJSON_Delete(json);
		if (only_space(text, text + length))
			return err_set(err, ERR_INVALID, "not JSON: empty");
		return err_set(err, ERR_INVALID, "not JSON: near byte %zu: \"%s\"", offset, shown);
	}
	*ret_json = json;
	return 0;
}

const cJSON *json_get(const cJSON *obj, const char *key)
{
	return cJSON_IsObject(obj) ? cJSON_GetObjectItemCaseSensitive(obj, key) : NULL;
}

const cJSON *json_at(const cJSON *obj, const char *path)
{
	const char *dot;

	while (obj && (dot = strchr(path, '.'))) {
		_cleanup_free_ char *key = xstrndup(path, (size_t)(dot - path));

		obj = json_get(obj, key);
		path = dot + 1;
	}
	return obj ? json_get(obj, path) : NULL;
}

const char *json_string_at(const cJSON *obj, const char *path)
{
	const cJSON *value = json_at(obj, path);

	return cJSON_IsString(value) ? value->valuestring : NULL;
}

bool json_bool_at(const cJSON *obj, const char *path, bool otherwise)
{
	const cJSON *value = json_at(obj, path);

	return cJSON_IsBool(value) ? cJSON_IsTrue(value) : otherwise;
}

static bool is_whole_number(const cJSON *value)
{
	return cJSON_IsNumber(value) && value->valuedouble >= -INT_EXACT && value->valuedouble <= INT_EXACT &&
	       value->valuedouble == floor(value->valuedouble);
}

int64_t json_int_at(const cJSON *obj, const char *path, int64_t otherwise)
{
	const cJSON *value = json_at(obj, path);

	return is_whole_number(value) ? (int64_t)value->valuedouble : otherwise;
}

/* False when value is not of the field's type. */
static bool store(const cJSON *value, enum json_type type, void *target)
{
	switch (type) {
	case JSON_STRING:
		if (!cJSON_IsString(value))
			return false;
		replace_string(target, xstrdup(value->valuestring));
		return true;
	case JSON_INT:
		if (!is_whole_number(value))
			return false;
		*(int64_t *)target = (int64_t)value->valuedouble;
		return true;
	case JSON_BOOL:
		if (!cJSON_IsBool(value))
			return false;
		*(bool *)target = cJSON_IsTrue(value);
		return true;
	case JSON_STRING_INT64:
		return cJSON_IsString(value) && str_to_int64(value->valuestring, target) == 0;
	case JSON_STRING_BOOL:
		if (!cJSON_IsString(value) ||
		    (!str_equal(value->valuestring, "true") && !str_equal(value->valuestring, "false")))
			return false;
		*(bool *)target = str_equal(value->valuestring, "true");
		return true;
	}
	return false;
}

int json_decode(const cJSON *json, const struct json_field *fields, void *out, struct err *err)
{
	for (const struct json_field *field = fields; field->path; field++) {
		const cJSON *value = json_at(json, field->path);

		if (!value || cJSON_IsNull(value)) {
			if (field->required)
				return err_set(err, ERR_INVALID, "%s is missing", field->path);
			continue;
		}
		if (!store(value, field->type, (char *)out + field->offset))
			return err_set(err, ERR_INVALID, "%s is not of the expected type", field->path);
	}
	return 0;
}

cJSON *json_object(const char *key, ...)
{
	cJSON *obj = cJSON_CreateObject();
	va_list pairs;

	va_start(pairs, key);
	for (; key; key = va_arg(pairs, const char *)) {
		cJSON *value = va_arg(pairs, cJSON *);

		if (value)
			cJSON_AddItemToObject(obj, key, value);
	}
	va_end(pairs);
	return obj;
}

cJSON *json_array_until(cJSON *first, ...)
{
	cJSON *array = cJSON_CreateArray();
	va_list values;

	va_start(values, first);
	for (cJSON *value = first; value != &json_array_end; value = va_arg(values, cJSON *))
		if (value)
			cJSON_AddItemToArray(array, value);
	va_end(values);
	return array;
}

cJSON *json_string(const char *text)
{
	return text ? cJSON_CreateString(text) : NULL;
}

cJSON *json_stringf(const char *format, ...)
{
	va_list arguments;
	char *text;
	cJSON *json;

	va_start(arguments, format);
	text = xvasprintf(format, arguments);
	va_end(arguments);
	json = cJSON_CreateString(text);
	free(text);
	return json;
}

cJSON *json_int(int64_t value)
{
	return cJSON_CreateNumber((double)value);
}

cJSON *json_bool(bool value)
{
	return cJSON_CreateBool(value);
}

void json_set(cJSON *obj, const char *key, cJSON *value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(obj, key);
	if (value)
		cJSON_AddItemToObject(obj, key, value);
}

static void wipe_strings(cJSON *json)
{
	if (json->valuestring)
		mem_wipe(json->valuestring, strlen(json->valuestring));
	for (cJSON *child = json->child; child; child = child->next)
		wipe_strings(child);
}

void json_free_secret(cJSON *json)
{
	if (json)
		wipe_strings(json);
	cJSON_Delete(json);
}

/* cJSON would print a whole number of 16 digits with 15 of them. */
static void add_scalar(struct buf *out, const cJSON *json)
{
	_cleanup_free_ char *text = NULL;

	if (is_whole_number(json)) {
		buf_addf(out, "%lld", (long long)json->valuedouble);
		return;
	}
	text = cJSON_PrintUnformatted(json);
	buf_adds(out, text);
}

static void add_key(struct buf *out, const char *key)
{
	_cleanup_json_ cJSON *name = cJSON_CreateString(key);

	add_scalar(out, name);
	buf_addc(out, ':');
}

static void add_compact(struct buf *out, const cJSON *json)
{
	bool is_object = cJSON_IsObject(json);

	if (!is_object && !cJSON_IsArray(json)) {
		add_scalar(out, json);
		return;
	}
	buf_addc(out, is_object ? '{' : '[');
	for (const cJSON *child = json->child; child; child = child->next) {
		if (is_object)
			add_key(out, child->string);
		add_compact(out, child);
		if (child->next)
			buf_addc(out, ',');
	}
	buf_addc(out, is_object ? '}' : ']');
}

char *json_text(const cJSON *json)
{
	struct buf out = BUF_TEXT;

	add_compact(&out, json);
	return str_escape(buf_detach(&out));
}

static void add_indent(struct buf *out, int depth)
{
	for (int i = 0; i < depth; i++)
		buf_adds(out, "    ");
}

/* cJSON's own formatting uses tabs and one-line arrays; kubectl's does not. */
static void add_pretty(struct buf *out, const cJSON *json, int depth)
{
	bool is_object = cJSON_IsObject(json);

	if ((!is_object && !cJSON_IsArray(json)) || !json->child) {
		add_compact(out, json);
		return;
	}
	buf_adds(out, is_object ? "{\n" : "[\n");
	for (const cJSON *child = json->child; child; child = child->next) {
		add_indent(out, depth + 1);
		if (is_object) {
			add_key(out, child->string);
			buf_addc(out, ' ');
		}
		add_pretty(out, child, depth + 1);
		buf_adds(out, child->next ? ",\n" : "\n");
	}
	add_indent(out, depth);
	buf_adds(out, is_object ? "}" : "]");
}

char *json_text_pretty(const cJSON *json)
{
	struct buf out = BUF_TEXT;

	add_pretty(&out, json, 0);
	buf_addc(&out, '\n');
	return str_escape(buf_detach(&out));
}
