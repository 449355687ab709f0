/* See include/util/str.h. */
#include "util/str.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>

#include "util/buf.h"

bool str_equal(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

static char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_equal_nocase(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	while (*a && ascii_lower(*a) == ascii_lower(*b)) {
		a++;
		b++;
	}
	return ascii_lower(*a) == ascii_lower(*b);
}

bool str_starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends_with(const char *text, const char *suffix)
{
	size_t length = strlen(text), suffix_length = strlen(suffix);

	return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

const char *str_last(const char *text, size_t length, char character)
{
	while (length > 0)
		if (text[--length] == character)
			return text + length;
	return NULL;
}

int str_compare_natural(const char *a, const char *b)
{
	while (*a && *b) {
		size_t digits = strspn(a, "0123456789"), other = strspn(b, "0123456789");
		size_t length = digits > 0 ? digits : 1;
		int order = strncmp(a, b, length);

		if (digits > 0 && other > 0 && digits != other)
			return digits < other ? -1 : 1;
		if (order != 0)
			return order;
		a += length;
		b += length;
	}
	return strcmp(a, b);
}

int str_to_uint64(const char *text, uint64_t *ret_value)
{
	char *end;
	unsigned long long value;

	if (!text || *text < '0' || *text > '9')
		return -1;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end)
		return -1;
	*ret_value = value;
	return 0;
}

int str_to_int64(const char *text, int64_t *ret_value)
{
	const char *digits = text && *text == '-' ? text + 1 : text;
	char *end;
	long long value;

	if (!digits || *digits < '0' || *digits > '9')
		return -1;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || *end)
		return -1;
	*ret_value = value;
	return 0;
}

/* Length of the valid UTF-8 sequence at text and its code point, or 0 when it is not one. */
static size_t utf8_decode(const unsigned char *text, uint32_t *ret_point)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length, i;
	uint32_t point;

	if (text[0] < 0x80) {
		*ret_point = text[0];
		return 1;
	}
	length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : text[0] >= 0xc0 ? 2 : 0;
	if (!length || text[0] > 0xf4)
		return 0;
	point = text[0] & (0xffu >> (length + 1));
	for (i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (text[i] & 0x3fu);
	}
	if (point < smallest[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*ret_point = point;
	return length;
}

static bool changes_direction(uint32_t point)
{
	return point == 0x200e || point == 0x200f || (point >= 0x202a && point <= 0x202e) ||
	       (point >= 0x2066 && point <= 0x2069) || point == 0x2028 || point == 0x2029;
}

static void add_control(struct buf *out, uint32_t point)
{
	if (point == '\n')
		buf_adds(out, "\\n");
	else if (point == '\r')
		buf_adds(out, "\\r");
	else if (point == '\t')
		buf_adds(out, "\\t");
	else if (point < 0x20)
		buf_addf(out, "^%c", (char)(point + '@'));
	else
		buf_addf(out, "\\x%02x", point);
}

char *str_visible(const char *text, size_t max_bytes)
{
	const unsigned char *at = (const unsigned char *)text;
	struct buf out = BUF_TEXT;

	if (max_bytes == 0 || max_bytes > STR_VISIBLE_MAX)
		max_bytes = STR_VISIBLE_MAX;
	while (*at) {
		uint32_t point = 0;
		size_t length = utf8_decode(at, &point);

		if (out.len >= max_bytes) {
			buf_adds(&out, "...");
			break;
		}
		if (length == 0) {
			buf_addf(&out, "\\x%02x", *at);
			length = 1;
		} else if (point < 0x20 || (point >= 0x7f && point < 0xa0)) {
			add_control(&out, point);
		} else if (changes_direction(point)) {
			buf_addf(&out, "<U+%04X>", point);
		} else if (buf_add(&out, at, length) < 0) {
			break;
		}
		at += length;
	}
	return buf_detach(&out);
}

char *str_utf8(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	struct buf out = BUF_TEXT;

	while (*at) {
		uint32_t point;
		size_t length = utf8_decode(at, &point);
		const void *bytes = length ? (const void *)at : "\xef\xbf\xbd";

		if (buf_add(&out, bytes, length ? length : 3) < 0)
			break;
		at += length ? length : 1;
	}
	return buf_detach(&out);
}

static bool is_odd(uint32_t point)
{
	return (point >= 0x7f && point < 0xa0) || changes_direction(point);
}

bool str_has_odd(const char *text)
{
	for (const unsigned char *at = (const unsigned char *)text; *at;) {
		uint32_t point;
		size_t length = utf8_decode(at, &point);

		if (length == 0 || is_odd(point))
			return true;
		at += length;
	}
	return false;
}

char *str_escape(char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	struct buf out = { .max = BUF_TEXT_MAX, .secret = true };

	if (!str_has_odd(text))
		return text;
	while (*at) {
		uint32_t point;
		size_t length = utf8_decode(at, &point);

		if (length == 0)
			buf_adds(&out, "\xef\xbf\xbd");
		else if (is_odd(point))
			buf_addf(&out, "\\u%04x", point);
		else if (buf_add(&out, at, length) < 0)
			break;
		at += length ? length : 1;
	}
	free_secret(text);
	return buf_detach(&out);
}

void strv_take(struct strv *list, char *text)
{
	list->items = xreallocarray(list->items, list->count + 2, sizeof(*list->items));
	list->items[list->count++] = text;
	list->items[list->count] = NULL;
}

void strv_add(struct strv *list, const char *text)
{
	strv_take(list, xstrdup(text));
}

void strv_addf(struct strv *list, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = xvasprintf(format, arguments);
	va_end(arguments);
	strv_take(list, text);
}

bool strv_contains(const struct strv *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (str_equal(list->items[i], text))
			return true;
	return false;
}

static int compare_items(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(struct strv *list)
{
	if (list->count > 1)
		qsort(list->items, list->count, sizeof(*list->items), compare_items);
}

char *strv_join(const struct strv *list, const char *separator, const char *last_separator)
{
	struct buf out = BUF_TEXT;

	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			buf_adds(&out, i + 1 == list->count ? last_separator : separator);
		buf_adds(&out, list->items[i]);
	}
	return buf_detach(&out);
}

void strv_split(struct strv *list, const char *text, char separator)
{
	const char *end;

	while ((end = strchr(text, separator))) {
		strv_take(list, xstrndup(text, (size_t)(end - text)));
		text = end + 1;
	}
	strv_add(list, text);
}

void strv_release(struct strv *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct strv)STRV_INIT;
}

void strv_release_secret(struct strv *list)
{
	for (size_t i = 0; i < list->count; i++)
		mem_wipe(list->items[i], strlen(list->items[i]));
	strv_release(list);
}
