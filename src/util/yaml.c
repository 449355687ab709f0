/* See include/util/yaml.h. Reading: libyaml's events become a tree, with line numbers, bounds and anchors. */
#include "util/yaml.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define SHOWN_BYTES ((size_t)60) /* how much of a key or tag an error shows */
#define TAG_PREFIX  "tag:yaml.org,2002:"

/* node is NULL while it is still being read: an alias to it would contain itself. */
struct anchor {
	char *name;
	const cJSON *node;
};

struct reader {
	yaml_parser_t parser;
	const char *text;
	size_t length;
	size_t nodes;
	struct anchor *anchors;
	size_t anchor_count;
	struct err *err;
};

/* A key of a mapping, to find the ones given twice. */
struct key {
	const char *name;
	size_t line;
};

static int read_node(struct reader *reader, yaml_event_t *event, size_t depth, cJSON **ret_node);

static int fail_at(struct reader *reader, const yaml_mark_t *mark, const char *message, const char *detail)
{
	_cleanup_free_ char *shown = str_visible(detail, SHOWN_BYTES);

	return err_set(reader->err, ERR_INVALID, "yaml: line %zu: %s%s", mark->line + 1, message, shown);
}

static size_t count_lines(const char *text, size_t length)
{
	size_t lines = 1;

	for (size_t i = 0; i < length; i++)
		lines += text[i] == '\n';
	return lines;
}

/* The parser's own error. Its marks count from 0; kubectl shows the one before for all but the scanner. */
static int fail_parser(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	size_t line = parser->problem_mark.line;

	if (parser->error == YAML_MEMORY_ERROR)
		abort();
	if (parser->error == YAML_READER_ERROR)
		line = count_lines(reader->text,
		                   parser->problem_offset < reader->length ? parser->problem_offset : reader->length);
	else if (parser->error == YAML_SCANNER_ERROR)
		line++;
	else if (line == 0)
		line = parser->context_mark.line;
	return err_set(reader->err, ERR_INVALID, "yaml: line %zu: %s", line ? line : 1,
	               parser->problem ? parser->problem : "cannot be read");
}

static int next_event(struct reader *reader, yaml_event_t *event)
{
	if (!yaml_parser_parse(&reader->parser, event))
		return fail_parser(reader);
	return 0;
}

static int count_nodes(struct reader *reader, const yaml_mark_t *mark, size_t more, size_t depth)
{
	if (more > YAML_NODES_MAX - reader->nodes)
		return err_set(reader->err, ERR_TOO_LARGE, "yaml: line %zu: more than %zu values", mark->line + 1,
		               YAML_NODES_MAX);
	if (depth > YAML_DEPTH_MAX)
		return err_set(reader->err, ERR_TOO_LARGE, "yaml: line %zu: nested deeper than %zu", mark->line + 1,
		               YAML_DEPTH_MAX);
	reader->nodes += more;
	return 0;
}

/* ---------------------------------------------------------------------------------------- anchors */

/* Registers the anchor before its node is read. Returns its index, or -1. */
static int add_anchor(struct reader *reader, const yaml_char_t *name, const yaml_mark_t *mark, size_t *ret_index)
{
	if (reader->anchor_count == YAML_ANCHORS_MAX)
		return err_set(reader->err, ERR_TOO_LARGE, "yaml: line %zu: more than %zu anchors", mark->line + 1,
		               YAML_ANCHORS_MAX);
	reader->anchors = xreallocarray(reader->anchors, reader->anchor_count + 1, sizeof(*reader->anchors));
	reader->anchors[reader->anchor_count] = (struct anchor){ .name = xstrdup((const char *)name) };
	*ret_index = reader->anchor_count++;
	return 0;
}

static void clear_anchors(struct reader *reader)
{
	for (size_t i = 0; i < reader->anchor_count; i++)
		free(reader->anchors[i].name);
	reader->anchor_count = 0;
}

/* How many values a tree has and how deep it is. The trees we build are at most YAML_DEPTH_MAX deep. */
static size_t measure(const cJSON *node, size_t depth, size_t *ret_depth)
{
	size_t count = 1;

	if (depth > *ret_depth)
		*ret_depth = depth;
	for (const cJSON *child = node->child; child; child = child->next)
		count += measure(child, depth + 1, ret_depth);
	return count;
}

static int read_alias(struct reader *reader, const yaml_event_t *event, size_t depth, cJSON **ret_node)
{
	const char *name = (const char *)event->data.alias.anchor;
	const struct anchor *found = NULL;
	size_t count, deepest = depth;

	for (size_t i = reader->anchor_count; i > 0 && !found; i--)
		if (str_equal(reader->anchors[i - 1].name, name))
			found = &reader->anchors[i - 1];
	if (!found)
		return fail_at(reader, &event->start_mark, "unknown anchor referenced: ", name);
	if (!found->node)
		return fail_at(reader, &event->start_mark, "anchor value contains itself: ", name);
	count = measure(found->node, depth, &deepest);
	if (count_nodes(reader, &event->start_mark, count, deepest) < 0)
		return -1;
	*ret_node = cJSON_Duplicate(found->node, true);
	return 0;
}

/* ---------------------------------------------------------------------------------------- scalars */

/* A scalar with an explicit core tag must be of that type; !!str makes anything a string. */
static bool fits_tag(const cJSON *value, const char *type)
{
	if (str_equal(type, "int") || str_equal(type, "float"))
		return cJSON_IsNumber(value);
	if (str_equal(type, "bool"))
		return cJSON_IsBool(value);
	if (str_equal(type, "null"))
		return cJSON_IsNull(value);
	return str_equal(type, "timestamp") && cJSON_IsString(value);
}

static int read_scalar(struct reader *reader, const yaml_event_t *event, cJSON **ret_node)
{
	const char *text = (const char *)event->data.scalar.value, *tag = (const char *)event->data.scalar.tag;
	const char *type = tag && str_starts_with(tag, TAG_PREFIX) ? tag + strlen(TAG_PREFIX) : NULL;
	bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !str_equal(tag, "!");
	cJSON *value;

	if (memchr(text, '\0', event->data.scalar.length))
		return fail_at(reader, &event->start_mark, "a string holds a NUL character", "");
	if (str_equal(type, "str") || (!is_plain && !type)) {
		*ret_node = json_string(text);
		return 0;
	}
	value = yaml_plain(text);
	if (!value)
		return fail_at(reader, &event->start_mark, "unsupported value: ", text);
	if (type && !fits_tag(value, type)) {
		cJSON_Delete(value);
		return fail_at(reader, &event->start_mark, "value does not fit its tag or the tag is not supported: !!",
		               type);
	}
	*ret_node = value;
	return 0;
}

/* ------------------------------------------------------------------------------------- collections */

static int compare_keys(const void *a, const void *b)
{
	const struct key *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	if (order)
		return order;
	return left->line < right->line ? -1 : left->line > right->line;
}

/* Sorting keeps this fast for a mapping made of nothing but keys. */
static int refuse_duplicates(struct reader *reader, struct key *keys, size_t count)
{
	if (count > 1)
		qsort(keys, count, sizeof(*keys), compare_keys);
	for (size_t i = 1; i < count; i++) {
		yaml_mark_t mark = { .line = keys[i].line };

		if (str_equal(keys[i - 1].name, keys[i].name))
			return fail_at(reader, &mark, "key is already set in this map: ", keys[i].name);
	}
	return 0;
}

/* A key as JSON has it: scalars that are no strings become their text. */
static int read_key(struct reader *reader, const yaml_event_t *event, char **ret_key)
{
	_cleanup_json_ cJSON *value = NULL;

	if (event->type != YAML_SCALAR_EVENT)
		return fail_at(reader, &event->start_mark, "a map key must be a plain value", "");
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	    str_equal((const char *)event->data.scalar.value, "<<"))
		return fail_at(reader, &event->start_mark, "merge keys (<<) are not supported", "");
	if (read_scalar(reader, event, &value) < 0)
		return -1;
	if (cJSON_IsNull(value))
		return fail_at(reader, &event->start_mark, "a map key must not be null", "");
	*ret_key = cJSON_IsString(value) ? xstrdup(value->valuestring) : json_text(value);
	return 0;
}

/* Reads the value that belongs to key, and adds both to map. */
static int read_pair(struct reader *reader, const yaml_event_t *key_event, cJSON *map, size_t depth)
{
	_cleanup_free_ char *key = NULL;
	yaml_event_t event;
	cJSON *value = NULL;
	int result;

	if (read_key(reader, key_event, &key) < 0 || next_event(reader, &event) < 0)
		return -1;
	result = read_node(reader, &event, depth + 1, &value);
	yaml_event_delete(&event);
	if (result == 0)
		cJSON_AddItemToObject(map, key, value);
	return result;
}

static int read_mapping(struct reader *reader, cJSON *map, size_t depth)
{
	struct key *keys = NULL;
	size_t count = 0, capacity = 0;
	bool done = false;
	int result = 0;

	while (!done && result == 0) {
		yaml_event_t event;

		result = next_event(reader, &event);
		if (result < 0)
			break;
		done = event.type == YAML_MAPPING_END_EVENT;
		if (!done)
			result = read_pair(reader, &event, map, depth);
		if (!done && result == 0) {
			if (count == capacity) {
				capacity = capacity ? capacity * 2 : 8;
				keys = xreallocarray(keys, capacity, sizeof(*keys));
			}
			keys[count++] = (struct key){ .name = map->child->prev->string, .line = event.start_mark.line };
		}
		yaml_event_delete(&event);
	}
	if (result == 0)
		result = refuse_duplicates(reader, keys, count);
	free(keys);
	return result;
}

static int read_sequence(struct reader *reader, cJSON *list, size_t depth)
{
	bool done = false;
	int result = 0;

	while (!done && result == 0) {
		cJSON *value = NULL;
		yaml_event_t event;

		result = next_event(reader, &event);
		if (result < 0)
			break;
		done = event.type == YAML_SEQUENCE_END_EVENT;
		if (!done)
			result = read_node(reader, &event, depth + 1, &value);
		if (value)
			cJSON_AddItemToArray(list, value);
		yaml_event_delete(&event);
	}
	return result;
}

static const yaml_char_t *anchor_of(const yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT)
		return event->data.scalar.anchor;
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return event->data.sequence_start.anchor;
	return event->type == YAML_MAPPING_START_EVENT ? event->data.mapping_start.anchor : NULL;
}

/* Reads the node that begins with event. *ret_node is set on success only. */
static int read_node(struct reader *reader, yaml_event_t *event, size_t depth, cJSON **ret_node)
{
	const yaml_char_t *anchor = anchor_of(event);
	_cleanup_json_ cJSON *node = NULL;
	size_t index = 0;
	int result;

	if (event->type == YAML_ALIAS_EVENT)
		return read_alias(reader, event, depth, ret_node);
	if (count_nodes(reader, &event->start_mark, 1, depth) < 0)
		return -1;
	if (anchor && add_anchor(reader, anchor, &event->start_mark, &index) < 0)
		return -1;
	if (event->type == YAML_MAPPING_START_EVENT) {
		node = cJSON_CreateObject();
		result = read_mapping(reader, node, depth);
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		node = cJSON_CreateArray();
		result = read_sequence(reader, node, depth);
	} else {
		assert(event->type == YAML_SCALAR_EVENT);
		result = read_scalar(reader, event, &node);
	}
	if (result < 0)
		return -1;
	if (anchor)
		reader->anchors[index].node = node;
	*ret_node = TAKE(node);
	return 0;
}

/* --------------------------------------------------------------------------------------- documents */

/* "---" with nothing after it is no document for kubectl, `null` neither. */
static int read_document(struct reader *reader, cJSON *documents)
{
	yaml_event_t event;
	cJSON *document = NULL;
	int result = next_event(reader, &event);

	if (result < 0)
		return -1;
	result = read_node(reader, &event, 1, &document);
	yaml_event_delete(&event);
	clear_anchors(reader);
	if (result < 0)
		return -1;
	if (cJSON_IsNull(document))
		cJSON_Delete(document);
	else
		cJSON_AddItemToArray(documents, document);
	return 0;
}

static int read_documents(struct reader *reader, cJSON *documents, size_t max_documents)
{
	yaml_event_type_t type = YAML_NO_EVENT;
	size_t count = 0;
	yaml_event_t event;

	while (type != YAML_STREAM_END_EVENT) {
		if (next_event(reader, &event) < 0)
			return -1;
		type = event.type;
		yaml_event_delete(&event);
		if (type != YAML_DOCUMENT_START_EVENT)
			continue;
		if (++count > YAML_DOCUMENTS_MAX)
			return err_set(reader->err, ERR_TOO_LARGE, "yaml: more than %zu documents", YAML_DOCUMENTS_MAX);
		if (read_document(reader, documents) < 0)
			return -1;
		if (count == max_documents)
			return 0;
	}
	return 0;
}

static int parse(const char *text, size_t length, size_t max_documents, cJSON **ret_documents, struct err *err)
{
	struct reader reader = { .text = text, .length = length, .err = err };
	cJSON *documents;
	int result;

	if (length > YAML_TEXT_MAX)
		return err_set(err, ERR_TOO_LARGE, "yaml: more than %zu bytes", YAML_TEXT_MAX);
	if (!yaml_parser_initialize(&reader.parser))
		abort();
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, length);
	documents = cJSON_CreateArray();
	result = read_documents(&reader, documents, max_documents);
	yaml_parser_delete(&reader.parser);
	clear_anchors(&reader);
	free(reader.anchors);
	if (result == 0)
		*ret_documents = TAKE(documents);
	cJSON_Delete(documents);
	return result;
}

int yaml_parse(const char *text, size_t length, cJSON **ret_documents, struct err *err)
{
	return parse(text, length, YAML_DOCUMENTS_MAX + 1, ret_documents, err);
}

int yaml_parse_first(const char *text, size_t length, cJSON **ret_json, struct err *err)
{
	_cleanup_json_ cJSON *documents = NULL;

	if (parse(text, length, 1, &documents, err) < 0)
		return -1;
	*ret_json = documents && documents->child ? cJSON_DetachItemFromArray(documents, 0) : cJSON_CreateNull();
	return 0;
}
