/* Walks the parsed template over an object. See include/util/jsonpath.h. */
#include "util/json.h"
#include "util/jsonpath.h"
#include "util/jsonpath_parts.h"
#include "util/mem.h"
#include "util/str.h"

/* Values, borrowed from the object and from the template's literals. */
struct values {
	const cJSON **items;
	size_t count, capacity;
};

struct printer {
	const struct jsonpath_node *sections;
	size_t section_count;
	bool allow_missing;
	size_t left; /* of JSONPATH_VALUES_MAX */
	bool begins; /* the action that was walked last had a range */
	struct buf *out;
};

static int walk(struct printer *printer, const struct jsonpath_node *node, const struct values *in, struct values *out,
                struct err *err);

static void values_release(struct values *values)
{
	free(values->items);
}

#define _cleanup_values_ __attribute__((cleanup(values_release)))

static int add_value(struct printer *printer, struct values *values, const cJSON *value, struct err *err)
{
	if (printer->left == 0)
		return err_set(err, ERR_TOO_LARGE, "more than %zu values", JSONPATH_VALUES_MAX);
	printer->left--;
	if (values->count == values->capacity) {
		values->capacity = values->capacity ? 2 * values->capacity : 4;
		values->items = xreallocarray(values->items, values->capacity, sizeof(const cJSON *));
	}
	values->items[values->count++] = value;
	return 0;
}

static int add_all(struct printer *printer, struct values *values, const struct values *more, struct err *err)
{
	for (size_t i = 0; i < more->count; i++)
		if (add_value(printer, values, more->items[i], err) < 0)
			return -1;
	return 0;
}

/* As kubectl calls it. */
static const char *type_name(const cJSON *value)
{
	if (cJSON_IsObject(value))
		return "map[string]interface {}";
	if (cJSON_IsString(value))
		return "string";
	if (cJSON_IsNumber(value))
		return "number";
	return cJSON_IsBool(value) ? "bool" : "null";
}

/* ------------------------------------------------------------------------------------- parts of paths */

static int walk_field(struct printer *printer, const struct jsonpath_node *node, const struct values *in,
                      struct values *out, struct err *err)
{
	for (size_t i = 0; i < in->count; i++) {
		const cJSON *value = cJSON_IsObject(in->items[i]) ? json_get(in->items[i], node->text) : NULL;

		/* "{.}" is the object itself. */
		if (!*node->text)
			value = in->items[i];
		if (value && add_value(printer, out, value, err) < 0)
			return -1;
	}
	if (out->count == 0 && !printer->allow_missing) {
		_cleanup_free_ char *visible = str_visible(node->text, 0);

		return err_set(err, ERR_INVALID, "%s is not found", visible);
	}
	return 0;
}

static int add_children(struct printer *printer, const cJSON *value, struct values *out, struct err *err)
{
	const cJSON *child;

	if (!cJSON_IsObject(value) && !cJSON_IsArray(value))
		return 0;
	cJSON_ArrayForEach (child, value)
		if (add_value(printer, out, child, err) < 0)
			return -1;
	return 0;
}

static int walk_wildcard(struct printer *printer, const struct values *in, struct values *out, struct err *err)
{
	for (size_t i = 0; i < in->count; i++)
		if (add_children(printer, in->items[i], out, err) < 0)
			return -1;
	return 0;
}

/* Everything that has something in it, the outer ones first. */
static int walk_recursive(struct printer *printer, const cJSON *value, struct values *out, struct err *err)
{
	const cJSON *child;

	if ((!cJSON_IsObject(value) && !cJSON_IsArray(value)) || !value->child)
		return 0;
	if (add_value(printer, out, value, err) < 0)
		return -1;
	cJSON_ArrayForEach (child, value)
		if (walk_recursive(printer, child, out, err) < 0)
			return -1;
	return 0;
}

static int out_of_bounds(int64_t index, int64_t length, struct err *err)
{
	return err_set(err, ERR_INVALID, "array index out of bounds: index %lld, length %lld", (long long)index,
	               (long long)length);
}

static int slice_one(struct printer *printer, const struct jsonpath_index *slice, const cJSON *array,
                     struct values *out, struct err *err)
{
	int64_t length = cJSON_GetArraySize(array), at = 0;
	int64_t from = slice[0].known ? slice[0].value : 0;
	int64_t to = slice[1].known ? slice[1].value : length;
	int64_t step = slice[2].known ? slice[2].value : 1;
	const cJSON *child;

	from += from < 0 ? length : 0;
	to += to < 0 || (to == 0 && slice[1].derived) ? length : 0;
	if (to != from && (from < 0 || from >= length))
		return out_of_bounds(from, length, err);
	if (to != from && (to < 0 || to > length))
		return out_of_bounds(to - 1, length, err);
	if (from > to)
		return err_set(err, ERR_INVALID, "starting index %lld is greater than ending index %lld",
		               (long long)from, (long long)to);
	if (step <= 0)
		return err_set(err, ERR_INVALID, "step must be > 0");
	cJSON_ArrayForEach (child, array) {
		if (at >= from && at < to && (at - from) % step == 0 && add_value(printer, out, child, err) < 0)
			return -1;
		at++;
	}
	return 0;
}

static int walk_slice(struct printer *printer, const struct jsonpath_node *node, const struct values *in,
                      struct values *out, struct err *err)
{
	for (size_t i = 0; i < in->count; i++) {
		const cJSON *value = in->items[i];

		if (cJSON_IsNull(value))
			continue;
		if (!cJSON_IsArray(value))
			return err_set(err, ERR_INVALID, "%s is not array or slice", type_name(value));
		if (slice_one(printer, node->slice, value, out, err) < 0)
			return -1;
	}
	return 0;
}

static int walk_union(struct printer *printer, const struct jsonpath_node *node, const struct values *in,
                      struct values *out, struct err *err)
{
	for (size_t i = 0; i < node->child_count; i++) {
		_cleanup_values_ struct values part = { 0 };

		if (walk(printer, &node->children[i], in, &part, err) < 0 || add_all(printer, out, &part, err) < 0)
			return -1;
	}
	return 0;
}

/* -------------------------------------------------------------------------------------------- filters */

/* -1, 0 or 1 as left is less than right, equal or greater. */
static int compare(const cJSON *left, const cJSON *right, int *ret_order, bool *ret_ordered, struct err *err)
{
	*ret_ordered = true;
	if (cJSON_IsString(left) && cJSON_IsString(right)) {
		*ret_order = strcmp(left->valuestring, right->valuestring);
		return 0;
	}
	if (cJSON_IsNumber(left) && cJSON_IsNumber(right)) {
		*ret_order = (left->valuedouble > right->valuedouble) - (left->valuedouble < right->valuedouble);
		return 0;
	}
	*ret_ordered = false;
	if (cJSON_IsBool(left) && cJSON_IsBool(right)) {
		*ret_order = cJSON_IsTrue(left) - cJSON_IsTrue(right);
		return 0;
	}
	return err_set(err, ERR_INVALID, "incompatible types for comparison");
}

static int is_true(const char *sign, const cJSON *left, const cJSON *right, bool *ret_true, struct err *err)
{
	static const struct {
		const char *sign;
		bool less, equal, greater;
	} signs[] = {
		{ "==", false, true, false }, { "!=", true, false, true }, { "<", true, false, false },
		{ "<=", true, true, false },  { ">", false, false, true }, { ">=", false, true, true },
	};
	int order = 0;
	bool ordered;

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
		if (!str_equal(signs[i].sign, sign))
			continue;
		if (compare(left, right, &order, &ordered, err) < 0)
			return -1;
		if (!ordered && signs[i].less != signs[i].greater)
			return err_set(err, ERR_INVALID, "invalid type for comparison");
		*ret_true = order < 0 ? signs[i].less : order == 0 ? signs[i].equal : signs[i].greater;
		return 0;
	}
	return err_set(err, ERR_INVALID, "unrecognized filter operator %s", sign);
}

static int passes(struct printer *printer, const struct jsonpath_node *node, const cJSON *element, bool *ret_passes,
                  struct err *err)
{
	const struct values one = { .items = &element, .count = 1 };
	_cleanup_values_ struct values left = { 0 }, right = { 0 };

	*ret_passes = false;
	if (walk(printer, &node->children[0], &one, &left, err) < 0)
		return -1;
	if (!node->text || left.count == 0) {
		*ret_passes = left.count > 0;
		return 0;
	}
	if (walk(printer, &node->children[1], &one, &right, err) < 0)
		return -1;
	if (right.count == 0)
		return 0;
	if (left.count > 1 || right.count > 1)
		return err_set(err, ERR_INVALID, "can only compare one element at a time");
	return is_true(node->text, left.items[0], right.items[0], ret_passes, err);
}

static int walk_filter(struct printer *printer, const struct jsonpath_node *node, const struct values *in,
                       struct values *out, struct err *err)
{
	for (size_t i = 0; i < in->count; i++) {
		const cJSON *element;

		if (!cJSON_IsArray(in->items[i]))
			return err_set(err, ERR_INVALID, "%s is not array or slice and cannot be filtered",
			               type_name(in->items[i]));
		cJSON_ArrayForEach (element, in->items[i]) {
			bool kept;

			if (passes(printer, node, element, &kept, err) < 0 ||
			    (kept && add_value(printer, out, element, err) < 0))
				return -1;
		}
	}
	return 0;
}

/* -------------------------------------------------------------------------------------------- walking */

static int walk_identifier(struct printer *printer, const struct jsonpath_node *node, const struct values *in,
                           struct values *out, struct err *err)
{
	if (str_equal(node->text, "range")) {
		printer->begins = true;
	} else if (str_equal(node->text, "end")) {
		/* The end of a range is not walked. */
		return err_set(err, ERR_INVALID, "not in range, nothing to end");
	} else {
		_cleanup_free_ char *visible = str_visible(node->text, 0);

		return err_set(err, ERR_INVALID, "unrecognized identifier %s", visible);
	}
	return add_all(printer, out, in, err);
}

static int walk_list(struct printer *printer, const struct jsonpath_node *list, const struct values *in,
                     struct values *out, struct err *err)
{
	if (add_all(printer, out, in, err) < 0)
		return -1;
	for (size_t i = 0; i < list->child_count; i++) {
		struct values next = { 0 };

		if (walk(printer, &list->children[i], out, &next, err) < 0) {
			values_release(&next);
			return -1;
		}
		values_release(out);
		*out = next;
	}
	return 0;
}

/* Applies node to in; adds to out, which is empty. */
static int walk(struct printer *printer, const struct jsonpath_node *node, const struct values *in, struct values *out,
                struct err *err)
{
	switch (node->kind) {
	case JSONPATH_LIST:
		return walk_list(printer, node, in, out, err);
	case JSONPATH_LITERAL:
		return add_value(printer, out, node->literal, err);
	case JSONPATH_FIELD:
		return walk_field(printer, node, in, out, err);
	case JSONPATH_WILDCARD:
		return walk_wildcard(printer, in, out, err);
	case JSONPATH_RECURSIVE:
		for (size_t i = 0; i < in->count; i++)
			if (walk_recursive(printer, in->items[i], out, err) < 0)
				return -1;
		return 0;
	case JSONPATH_SLICE:
		return walk_slice(printer, node, in, out, err);
	case JSONPATH_UNION:
		return walk_union(printer, node, in, out, err);
	case JSONPATH_FILTER:
		return walk_filter(printer, node, in, out, err);
	case JSONPATH_IDENTIFIER:
		break;
	}
	return walk_identifier(printer, node, in, out, err);
}

/* ------------------------------------------------------------------------------------------- printing */

static int print_value(struct printer *printer, const cJSON *value, struct err *err)
{
	_cleanup_free_ char *text = cJSON_IsString(value) ? NULL : json_text(value);
	const char *shown = text ? text : value->valuestring;

	if (buf_add(printer->out, shown, strlen(shown)) < 0)
		return err_set(err, ERR_TOO_LARGE, "more than %zu bytes", printer->out->max);
	return 0;
}

static int print_values(struct printer *printer, const struct values *values, struct err *err)
{
	for (size_t i = 0; i < values->count; i++) {
		if (i > 0 && buf_add(printer->out, " ", 1) < 0)
			return err_set(err, ERR_TOO_LARGE, "more than %zu bytes", printer->out->max);
		if (print_value(printer, values->items[i], err) < 0)
			return -1;
	}
	return 0;
}

static bool has_word(const struct jsonpath_node *section, const char *word)
{
	for (size_t i = 0; i < section->child_count; i++)
		if (section->children[i].kind == JSONPATH_IDENTIFIER && str_equal(section->children[i].text, word))
			return true;
	return false;
}

/* The section that ends the range whose inside begins at first; all of them when none does. */
static size_t find_end(const struct printer *printer, size_t first)
{
	size_t depth = 1;

	for (size_t i = first; i < printer->section_count; i++) {
		depth += has_word(&printer->sections[i], "range");
		depth -= has_word(&printer->sections[i], "end");
		if (depth == 0)
			return i;
	}
	return printer->section_count;
}

/* The sections from first to before last, for each of the values. */
static int print_range(struct printer *printer, size_t first, size_t last, const struct values *in, struct err *err)
{
	for (size_t v = 0; v < in->count; v++) {
		const struct values one = { .items = &in->items[v], .count = 1 };

		for (size_t i = first; i < last; i++) {
			_cleanup_values_ struct values out = { 0 };
			size_t begin = i + 1;

			printer->begins = false;
			if (walk(printer, &printer->sections[i], &one, &out, err) < 0)
				return -1;
			if (!printer->begins) {
				if (print_values(printer, &out, err) < 0)
					return -1;
				continue;
			}
			i = find_end(printer, begin);
			if (print_range(printer, begin, i, &out, err) < 0)
				return -1;
		}
	}
	return 0;
}

int jsonpath_print(const struct jsonpath *path, const cJSON *json, bool allow_missing, struct buf *out, struct err *err)
{
	struct printer printer = {
		.sections = path->root.children,
		.section_count = path->root.child_count,
		.allow_missing = allow_missing,
		.left = JSONPATH_VALUES_MAX,
		.out = out,
	};
	const struct values all = { .items = &json, .count = 1 };
	_cleanup_free_ char *shown = NULL;

	if (print_range(&printer, 0, printer.section_count, &all, err) == 0)
		return 0;
	shown = str_visible(path->template, 0);
	return err_wrap(err, "error executing jsonpath \"%s\": Error executing template", shown);
}
