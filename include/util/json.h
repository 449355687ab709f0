/*
 * util/json.h - cJSON with our conventions: bounded parsing, field tables for what we read, nested
 * builders for what we send. Pure.
 *
 * cJSON gets an allocator that aborts when memory is out (set before main), so builders never give NULL.
 */
#ifndef UTIL_JSON_H
#define UTIL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "util/err.h"

/* The static analyser sees one file at a time: it is told that these are false for NULL. */
#ifdef __clang_analyzer__
#define cJSON_IsString(item) ((item) && (cJSON_IsString)(item))
#define cJSON_IsNumber(item) ((item) && (cJSON_IsNumber)(item))
#define cJSON_IsObject(item) ((item) && (cJSON_IsObject)(item))
#define cJSON_IsArray(item)  ((item) && (cJSON_IsArray)(item))
#define cJSON_IsTrue(item)   ((item) && (cJSON_IsTrue)(item))
#endif

static inline void json_cleanup(cJSON **json)
{
	cJSON_Delete(*json);
}

#define _cleanup_json_ __attribute__((cleanup(json_cleanup)))

/*
 * Parses exactly one JSON value of length bytes; anything but white space after it is an error. The
 * message says what is wrong and near which byte, with control characters made visible.
 * ret_json is owned by the caller (cJSON_Delete).
 */
int json_parse(const char *text, size_t length, cJSON **ret_json, struct err *err)
	__attribute__((warn_unused_result, nonnull));

/* ------------------------------------------------------------------------- reading single values
 * path is a dotted list of keys ("spec.template.metadata"); keys that contain dots are reached with
 * json_get step by step. obj may be NULL. Nothing is copied: results live as long as obj.
 */
const cJSON *json_get(const cJSON *obj, const char *key);
const cJSON *json_at(const cJSON *obj, const char *path);
const char *json_string_at(const cJSON *obj, const char *path);                /* NULL unless a string */
bool json_bool_at(const cJSON *obj, const char *path, bool otherwise);
int64_t json_int_at(const cJSON *obj, const char *path, int64_t otherwise);    /* otherwise unless a whole number */

/* --------------------------------------------------------------------------------- field tables
 * One row says where in the JSON a value is and where in a C struct it goes:
 *
 *     static const struct json_field pod_fields[] = {
 *         JSON_FIELD(struct pod, name, JSON_STRING, "metadata.name", true),
 *         JSON_FIELD(struct pod, node, JSON_STRING, "spec.nodeName", false),
 *         { 0 },
 *     };
 *
 * JSON_STRING -> char * (owned; NULL when absent), JSON_INT -> int64_t, JSON_BOOL -> bool,
 * JSON_STRING_INT64 -> int64_t from a string of digits, JSON_STRING_BOOL -> bool from "true"/"false".
 */
enum json_type { JSON_STRING, JSON_INT, JSON_BOOL, JSON_STRING_INT64, JSON_STRING_BOOL };

struct json_field {
	const char *path; /* NULL ends the table */
	enum json_type type;
	size_t offset;
	bool required;
};

#define JSON_FIELD(type_, member_, kind_, path_, required_)                                        \
	{ .path = (path_), .type = (kind_), .offset = offsetof(type_, member_), .required = (required_) }

/*
 * Fills *out, whose members keep their values where the JSON has none. A required field that is absent
 * and a field of another type are errors that name the path; *out then holds what was decoded so far
 * and is released by its owner as usual.
 */
int json_decode(const cJSON *json, const struct json_field *fields, void *out, struct err *err)
	__attribute__((warn_unused_result));

/* ------------------------------------------------------------------------------------- builders
 * Written so that they read like the YAML they become:
 *
 *     json_object("kind", json_string("Service"),
 *                 "spec", json_object("clusterIP", json_string("None"), NULL),
 *                 NULL)
 *
 * json_object: pairs of key and value, ended by a NULL key; a NULL value leaves its key out. It takes
 * the values over. json_array: values, taken over; a NULL value leaves that place out.
 */
cJSON *json_object(const char *key, ...) __attribute__((sentinel, warn_unused_result));
cJSON *json_array_until(cJSON *first, ...) __attribute__((warn_unused_result));
extern cJSON json_array_end; /* the end mark of json_array_until */
#define json_array(...) json_array_until(__VA_ARGS__, &json_array_end)

cJSON *json_string(const char *text) __attribute__((warn_unused_result)); /* NULL gives NULL: left out */
cJSON *json_stringf(const char *format, ...) __attribute__((format(printf, 1, 2), warn_unused_result));
cJSON *json_int(int64_t value) __attribute__((warn_unused_result)); /* exact up to 2^53 */
cJSON *json_bool(bool value) __attribute__((warn_unused_result));

/* Puts value (taken over) under key, replacing what was there; NULL value removes the key. */
void json_set(cJSON *obj, const char *key, cJSON *value);

/* cJSON_Delete of what holds secrets: all strings in it are overwritten before. NULL is fine. */
void json_free_secret(cJSON *json);

/* Compact text, without white space and fit for a terminal (str_escape); a new string. */
char *json_text(const cJSON *json) __attribute__((warn_unused_result));

/* The same as `kubectl -o json` prints: four spaces, a newline at the end; a new string. */
char *json_text_pretty(const cJSON *json) __attribute__((warn_unused_result));

#endif
