/* See include/util/yaml.h. Writing: libyaml's emitter, with the styles that kubectl chooses. */
#include "util/yaml.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define INT_EXACT 9007199254740992.0

static int write_bytes(void *context, unsigned char *bytes, size_t count)
{
	return buf_add(context, bytes, count) == 0;
}

/* Events are made by us from checked text, so that only a lack of memory could make one fail. */
static void emit(yaml_emitter_t *emitter, yaml_event_t *event, int made)
{
	if (!made || !yaml_emitter_emit(emitter, event))
		abort();
}

static void emit_scalar(yaml_emitter_t *emitter, const char *text, yaml_scalar_style_t style)
{
	_cleanup_free_ char *checked = str_utf8(text);
	yaml_event_t event;

	emit(emitter, &event,
	     yaml_scalar_event_initialize(&event, NULL, NULL, (yaml_char_t *)checked, (int)strlen(checked), 1, 1,
	                                  style));
}

/* "190:20:30" is a number for the YAML 1.1 readers that know base 60. */
static bool is_base_60(const char *text)
{
	static const char digits[] = "0123456789_";
	bool has_colon = false;

	if (*text == '-' || *text == '+')
		text++;
	if (*text < '0' || *text > '9')
		return false;
	text += strspn(text, digits);
	for (; *text == ':'; has_colon = true) {
		size_t count = strspn(text + 1, "0123456789");

		if (count < 1 || count > 2)
			return false;
		text += 1 + count;
	}
	return has_colon && (!*text || (*text == '.' && !text[1 + strspn(text + 1, digits)]));
}

/* "2024-05-01", alone or with a time. */
static bool is_date(const char *text)
{
	int year, month, day, used = 0;

	if (strspn(text, "0123456789") != 4 || sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3)
		return false;
	return !text[used] || strchr("Tt \t", text[used]);
}

/* Line ends and marks that are no "\n", and that plain or quoted text would lose. */
static bool has_odd_breaks(const char *text)
{
	return strpbrk(text, "\r") || strstr(text, "\xc2\x85") || strstr(text, "\xe2\x80\xa8") ||
	       strstr(text, "\xe2\x80\xa9") || strstr(text, "\xef\xbb\xbf");
}

/* libyaml itself goes on to quotes where a plain or literal scalar cannot hold the text. */
static yaml_scalar_style_t style_of(const char *text)
{
	_cleanup_json_ cJSON *meaning = yaml_plain(text);

	if (has_odd_breaks(text) || str_has_odd(text))
		return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	if (strchr(text, '\n'))
		return YAML_LITERAL_SCALAR_STYLE;
	if (!cJSON_IsString(meaning) || is_base_60(text) || is_date(text))
		return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	return YAML_PLAIN_SCALAR_STYLE;
}

static void emit_string(yaml_emitter_t *emitter, const char *text)
{
	emit_scalar(emitter, text, style_of(text));
}

/* A plain << would be a merge key. */
static void emit_key(yaml_emitter_t *emitter, const char *text)
{
	emit_scalar(emitter, text, str_equal(text, "<<") ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : style_of(text));
}

/* Whole numbers without exponent, others with as few digits as give the same number again. */
static void emit_number(yaml_emitter_t *emitter, double number)
{
	char text[64];

	if (number == floor(number) && fabs(number) <= INT_EXACT) {
		snprintf(text, sizeof(text), "%lld", (long long)number);
	} else {
		for (int digits = 15; digits <= 17; digits++) {
			snprintf(text, sizeof(text), "%.*g", digits, number);
			if (!(strtod(text, NULL) < number || strtod(text, NULL) > number))
				break;
		}
	}
	emit_scalar(emitter, isfinite(number) ? text : "null", YAML_PLAIN_SCALAR_STYLE);
}

static void emit_node(yaml_emitter_t *emitter, const cJSON *json)
{
	yaml_event_t event;

	if (cJSON_IsObject(json)) {
		emit(emitter, &event,
		     yaml_mapping_start_event_initialize(
		         &event, NULL, NULL, 1, json->child ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE));
		for (const cJSON *child = json->child; child; child = child->next) {
			emit_key(emitter, child->string);
			emit_node(emitter, child);
		}
		emit(emitter, &event, yaml_mapping_end_event_initialize(&event));
	} else if (cJSON_IsArray(json)) {
		emit(emitter, &event,
		     yaml_sequence_start_event_initialize(
		         &event, NULL, NULL, 1, json->child ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE));
		for (const cJSON *child = json->child; child; child = child->next)
			emit_node(emitter, child);
		emit(emitter, &event, yaml_sequence_end_event_initialize(&event));
	} else if (cJSON_IsString(json)) {
		emit_string(emitter, json->valuestring);
	} else if (cJSON_IsNumber(json)) {
		emit_number(emitter, json->valuedouble);
	} else if (cJSON_IsBool(json)) {
		emit_scalar(emitter, cJSON_IsTrue(json) ? "true" : "false", YAML_PLAIN_SCALAR_STYLE);
	} else {
		emit_scalar(emitter, "null", YAML_PLAIN_SCALAR_STYLE);
	}
}

char *yaml_text(const cJSON *json)
{
	struct buf out = BUF_TEXT;
	yaml_emitter_t emitter;
	yaml_event_t event;

	if (!yaml_emitter_initialize(&emitter))
		abort();
	yaml_emitter_set_output(&emitter, write_bytes, &out);
	yaml_emitter_set_unicode(&emitter, 1);
	emit(&emitter, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
	emit(&emitter, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
	emit_node(&emitter, json);
	emit(&emitter, &event, yaml_document_end_event_initialize(&event, 1));
	emit(&emitter, &event, yaml_stream_end_event_initialize(&event));
	yaml_emitter_delete(&emitter);
	return str_escape(buf_detach(&out));
}
