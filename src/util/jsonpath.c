/* Parses the template. See include/util/jsonpath.h. */
#include "util/jsonpath.h"

#include <ctype.h>
#include <errno.h>

#include "util/json.h"
#include "util/jsonpath_parts.h"
#include "util/mem.h"
#include "util/str.h"

/* Where a key or a word ends. */
#define TERMINATORS " \n.,[]$@{}"

struct parser {
	const char *at;
	int depth;
	bool nested;                /* of a part of another template: ends at the end of its text, not at "}" */
	struct jsonpath_node *list; /* that is filled */
};

static int parse_action(struct parser *parser, struct err *err);

static struct jsonpath_node *add_node(struct jsonpath_node *list, enum jsonpath_kind kind)
{
	struct jsonpath_node *node;

	list->children = xreallocarray(list->children, list->child_count + 1, sizeof(*list->children));
	node = &list->children[list->child_count++];
	*node = (struct jsonpath_node){ .kind = kind };
	return node;
}

static void release_node(struct jsonpath_node *node)
{
	for (size_t i = 0; i < node->child_count; i++)
		release_node(&node->children[i]);
	free(node->children);
	free(node->text);
	cJSON_Delete(node->literal);
}

static int wrong(struct err *err, const char *format, const char *text)
{
	_cleanup_free_ char *visible = str_visible(text, 0);
	_cleanup_free_ char *message = xasprintf("%s%s", format, visible);

	return err_set(err, ERR_INVALID, "%s", message);
}

/* A part of the template, such as a filter's left side, as a list of its own. */
static int parse_part(const struct parser *parser, const char *text, struct jsonpath_node *list, struct err *err)
{
	struct parser part = { .at = text, .depth = parser->depth + 1, .nested = true, .list = list };

	if (part.depth > JSONPATH_DEPTH_MAX)
		return err_set(err, ERR_INVALID, "more than %d levels", JSONPATH_DEPTH_MAX);
	return parse_action(&part, err);
}

static char *trimmed(const char *text, size_t length)
{
	while (length > 0 && *text == ' ') {
		text++;
		length--;
	}
	while (length > 0 && text[length - 1] == ' ')
		length--;
	return xstrndup(text, length);
}

/* Without the backslashes that protect dots. */
static char *unprotected(const char *text, size_t length)
{
	struct buf out = BUF_TEXT;

	for (size_t i = 0; i < length; i++)
		if (text[i] != '\\')
			buf_addc(&out, text[i]);
	return buf_detach(&out);
}

/* ------------------------------------------------------------------------------------------ literals */

static void add_point(struct buf *out, uint32_t point)
{
	if (point < 0x80) {
		buf_addc(out, (char)point);
	} else if (point < 0x800) {
		buf_addc(out, (char)(0xc0 | point >> 6));
		buf_addc(out, (char)(0x80 | (point & 0x3f)));
	} else {
		buf_addc(out, (char)(0xe0 | point >> 12));
		buf_addc(out, (char)(0x80 | (point >> 6 & 0x3f)));
		buf_addc(out, (char)(0x80 | (point & 0x3f)));
	}
}

/* \xNN or \uNNNN: text stands behind the letter. How many digits; 0 when they are wrong. */
static size_t add_number(struct buf *out, const char *text, size_t digits)
{
	char number[5] = { 0 };
	unsigned long point;

	for (size_t i = 0; i < digits; i++) {
		if (!isxdigit((unsigned char)text[i]))
			return 0;
		number[i] = text[i];
	}
	point = strtoul(number, NULL, 16);
	if (point == 0 || (point >= 0xd800 && point < 0xe000))
		return 0;
	add_point(out, (uint32_t)point);
	return digits;
}

/* Go's escapes. */
static int unquote(const char *text, size_t length, struct buf *out)
{
	static const char letters[] = "abfnrtv\\'\"", values[] = "\a\b\f\n\r\t\v\\'\"";
	const char *end = text + length;

	while (text < end) {
		const char *letter;
		size_t digits;

		if (*text != '\\') {
			buf_addc(out, *text++);
			continue;
		}
		text++;
		letter = strchr(letters, *text);
		if (text < end && (*text == 'x' || *text == 'u')) {
			digits = add_number(out, text + 1, *text == 'x' ? 2 : 4);
			if (digits == 0)
				return -1;
			text += digits + 1;
		} else if (text < end && letter) {
			buf_addc(out, values[letter - letters]);
			text++;
		} else {
			return -1;
		}
	}
	return 0;
}

static int parse_quote(struct parser *parser, struct err *err)
{
	const char *begin = parser->at++;
	_cleanup_buf_ struct buf text = BUF_TEXT;
	size_t length;

	while (*parser->at != *begin) {
		if (*parser->at == '\\' && parser->at[1])
			parser->at++;
		if (!*parser->at || *parser->at == '\n')
			return err_set(err, ERR_INVALID, "unterminated quoted string");
		parser->at++;
	}
	length = (size_t)(++parser->at - begin);
	if (unquote(begin + 1, length - 2, &text) < 0) {
		_cleanup_free_ char *quoted = xstrndup(begin, length);
		_cleanup_free_ char *visible = str_visible(quoted, 0);

		return err_set(err, ERR_INVALID, "unquote string %s error invalid syntax", visible);
	}
	add_node(parser->list, JSONPATH_LITERAL)->literal = json_string(buf_text(&text));
	return 0;
}

static int parse_number(struct parser *parser, struct err *err)
{
	size_t length = strspn(parser->at, "+-");
	_cleanup_free_ char *text = NULL;
	double number;
	char *end;

	length += strspn(parser->at + length, "0123456789.");
	text = xstrndup(parser->at, length);
	errno = 0;
	number = strtod(text, &end);
	if (errno || *end || end == text)
		return wrong(err, "cannot parse number ", text);
	parser->at += length;
	add_node(parser->list, JSONPATH_LITERAL)->literal = cJSON_CreateNumber(number);
	return 0;
}

static void parse_word(struct parser *parser)
{
	size_t length = strcspn(parser->at, TERMINATORS);
	char *word = xstrndup(parser->at, length);

	parser->at += length;
	if (str_equal_nocase(word, "true") || str_equal_nocase(word, "false")) {
		add_node(parser->list, JSONPATH_LITERAL)->literal = json_bool(str_equal_nocase(word, "true"));
		free(word);
		return;
	}
	add_node(parser->list, JSONPATH_IDENTIFIER)->text = word;
}

/* --------------------------------------------------------------------------------------------- paths */

/* at the first byte of the key */
static void parse_field(struct parser *parser)
{
	const char *begin = parser->at;
	struct jsonpath_node *node;
	size_t length;

	while (*parser->at && !strchr(TERMINATORS, *parser->at))
		parser->at += *parser->at == '\\' && parser->at[1] ? 2 : 1;
	length = (size_t)(parser->at - begin);
	if (length == 1 && *begin == '*') {
		add_node(parser->list, JSONPATH_WILDCARD);
		return;
	}
	node = add_node(parser->list, JSONPATH_FIELD);
	node->text = unprotected(begin, length);
}

/* at the second dot of ".." */
static int parse_recursive(struct parser *parser, struct err *err)
{
	const struct jsonpath_node *list = parser->list;

	if (list->child_count > 0 && list->children[list->child_count - 1].kind == JSONPATH_RECURSIVE)
		return err_set(err, ERR_INVALID, "invalid multiple recursive descent");
	parser->at++;
	add_node(parser->list, JSONPATH_RECURSIVE);
	if (isalnum((unsigned char)*parser->at) || *parser->at == '_')
		parse_field(parser);
	return 0;
}

/* "-3", or nothing. */
static int parse_index(const char *text, struct jsonpath_index *index, struct err *err)
{
	if (!*text)
		return 0;
	if (str_to_int64(text, &index->value) < 0 || index->value > INT32_MAX || index->value < INT32_MIN)
		return wrong(err, "invalid array index ", text);
	index->known = true;
	return 0;
}

static int parse_slice(struct parser *parser, const char *text, struct err *err)
{
	struct jsonpath_node *node = add_node(parser->list, JSONPATH_SLICE);
	_cleanup_strv_ struct strv parts = STRV_INIT;

	strv_split(&parts, str_equal(text, "*") ? ":" : text, ':');
	if (parts.count > ARRAY_SIZE(node->slice))
		return wrong(err, "invalid array index ", text);
	for (size_t i = 0; i < parts.count; i++)
		if (parse_index(parts.items[i], &node->slice[i], err) < 0) {
			err_release(err);
			return wrong(err, "invalid array index ", text);
		}
	if (parts.count == 1)
		node->slice[1] = (struct jsonpath_index){ true, true, node->slice[0].value + 1 };
	return 0;
}

/* One of those between brackets: 'key', or an index. */
static int parse_element(struct parser *parser, const char *text, struct err *err)
{
	size_t length = strlen(text);
	bool quoted = length >= 2 && (*text == '\'' || *text == '"') && text[length - 1] == *text;

	if (!quoted)
		return parse_slice(parser, text, err);
	add_node(parser->list, JSONPATH_FIELD)->text = unprotected(text + 1, length - 2);
	return 0;
}

/* behind "[" */
static int parse_array(struct parser *parser, struct err *err)
{
	size_t length = strcspn(parser->at, "]\n");
	_cleanup_free_ char *text = xstrndup(parser->at, length);
	_cleanup_strv_ struct strv parts = STRV_INIT;
	struct jsonpath_node *node;

	if (parser->at[length] != ']')
		return err_set(err, ERR_INVALID, "unterminated array");
	parser->at += length + 1;
	strv_split(&parts, text, ',');
	if (parts.count == 1)
		return parse_element(parser, text, err);
	node = add_node(parser->list, JSONPATH_UNION);
	for (size_t i = 0; i < parts.count; i++) {
		_cleanup_free_ char *element = trimmed(parts.items[i], strlen(parts.items[i]));
		struct parser part = { .list = add_node(node, JSONPATH_LIST) };

		if (parse_element(&part, element, err) < 0)
			return -1;
	}
	return 0;
}

/* behind "[?(" */
static int parse_filter(struct parser *parser, struct err *err)
{
	const char *begin = parser->at;
	struct jsonpath_node *node = add_node(parser->list, JSONPATH_FILTER);
	_cleanup_free_ char *all = NULL, *left = NULL, *right = NULL;
	size_t length, before, sign;
	char quote = 0;

	for (; *parser->at && (quote || *parser->at != ')'); parser->at++) {
		if (quote && *parser->at == '\\' && parser->at[1])
			parser->at++;
		else if (quote ? *parser->at == quote : *parser->at == '"' || *parser->at == '\'')
			quote = quote ? 0 : *parser->at;
	}
	length = (size_t)(parser->at - begin);
	if (!*parser->at)
		return err_set(err, ERR_INVALID, "unterminated filter");
	if (*++parser->at != ']')
		return err_set(err, ERR_INVALID, "unclosed array expect ]");
	parser->at++;
	all = xstrndup(begin, length);
	before = strcspn(all, "!<>=");
	sign = strspn(all + before, "!<>=");
	(void)add_node(node, JSONPATH_LIST);
	(void)add_node(node, JSONPATH_LIST);
	if (before == 0 || sign == 0 || !all[before + sign])
		return parse_part(parser, all, &node->children[0], err);
	node->text = xstrndup(all + before, sign);
	left = trimmed(all, before);
	right = trimmed(all + before + sign, length - before - sign);
	if (parse_part(parser, left, &node->children[0], err) < 0)
		return -1;
	return parse_part(parser, right, &node->children[1], err);
}

/* ------------------------------------------------------------------------------------------ template */

static int parse_dot(struct parser *parser, struct err *err)
{
	parser->at++;
	if (*parser->at == '.')
		return parse_recursive(parser, err);
	parse_field(parser);
	return 0;
}

static int parse_bracket(struct parser *parser, struct err *err)
{
	bool filter = str_starts_with(parser->at, "[?(");

	parser->at += filter ? 3 : 1;
	return filter ? parse_filter(parser, err) : parse_array(parser, err);
}

static int parse_next(struct parser *parser, struct err *err)
{
	unsigned char c = (unsigned char)*parser->at;

	if (c == ' ' || c == '@' || c == '$') {
		parser->at++;
		return 0;
	}
	if (c == '.')
		return parse_dot(parser, err);
	if (c == '[')
		return parse_bracket(parser, err);
	if (c == '"' || c == '\'')
		return parse_quote(parser, err);
	if (c == '+' || c == '-' || isdigit(c))
		return parse_number(parser, err);
	if (isalpha(c) || c == '_') {
		parse_word(parser);
		return 0;
	}
	if (c < ' ' || c >= 0x7f)
		return err_set(err, ERR_INVALID, "unrecognized character in action: byte 0x%02x", c);
	return err_set(err, ERR_INVALID, "unrecognized character in action: U+%04X '%c'", c, c);
}

/* What is between braces, and the closing one. */
static int parse_action(struct parser *parser, struct err *err)
{
	while (*parser->at != '}') {
		if (!*parser->at && parser->nested)
			return 0;
		if (!*parser->at || *parser->at == '\n')
			return err_set(err, ERR_INVALID, "unclosed action");
		if (parse_next(parser, err) < 0)
			return -1;
	}
	parser->at++;
	return 0;
}

static int parse_template(const char *text, struct jsonpath_node *root, struct err *err)
{
	struct parser parser = { .at = text };

	while (*parser.at) {
		size_t length = strcspn(parser.at, "{");
		_cleanup_free_ char *literal = xstrndup(parser.at, length);

		if (length > 0)
			add_node(root, JSONPATH_LITERAL)->literal = json_string(literal);
		parser.at += length;
		if (!*parser.at)
			break;
		parser.at++;
		parser.list = add_node(root, JSONPATH_LIST);
		if (parse_action(&parser, err) < 0)
			return -1;
	}
	return 0;
}

int jsonpath_parse(const char *template, struct jsonpath **ret_path, struct err *err)
{
	struct jsonpath *path;

	if (strlen(template) > JSONPATH_TEMPLATE_MAX)
		return err_set(err, ERR_INVALID, "error parsing jsonpath: more than %zu bytes", JSONPATH_TEMPLATE_MAX);
	path = xcalloc(1, sizeof(*path));
	path->template = xstrdup(template);
	if (parse_template(template, &path->root, err) < 0) {
		_cleanup_free_ char *shown = str_visible(template, 0);
		_cleanup_err_ struct err reason = ERR_INIT;

		err_move(&reason, err);
		jsonpath_free(path);
		return err_set(err, ERR_INVALID, "error parsing jsonpath %s, %s", shown, reason.message);
	}
	*ret_path = path;
	return 0;
}

void jsonpath_free(struct jsonpath *path)
{
	if (!path)
		return;
	release_node(&path->root);
	free(path->template);
	free(path);
}
