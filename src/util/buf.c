/* See include/util/buf.h. */
#include "util/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "util/mem.h"

#define FIRST_CAPACITY ((size_t)256)

/* Makes room for need bytes and the NUL; need was checked against max, so doubling cannot overflow. */
static void grow(struct buf *buf, size_t need)
{
	size_t capacity = buf->capacity ? buf->capacity : FIRST_CAPACITY;
	char *data;

	if (need + 1 <= buf->capacity)
		return;
	while (capacity < need + 1)
		capacity *= 2;
	if (!buf->secret) {
		data = xreallocarray(buf->data, capacity, 1);
	} else {
		data = xmalloc(capacity);
		if (buf->data)
			memcpy(data, buf->data, buf->len + 1);
		mem_wipe(buf->data, buf->capacity);
		free(buf->data);
	}
	buf->data = data;
	buf->capacity = capacity;
}

int buf_add(struct buf *buf, const void *bytes, size_t count)
{
	if (count > buf->max || buf->len > buf->max - count)
		return -1;
	grow(buf, buf->len + count);
	if (count)
		memcpy(buf->data + buf->len, bytes, count);
	buf->len += count;
	buf->data[buf->len] = '\0';
	return 0;
}

void buf_adds(struct buf *buf, const char *text)
{
	int status = buf_add(buf, text, strlen(text));

	assert(status == 0);
	(void)status;
}

void buf_addc(struct buf *buf, char character)
{
	int status = buf_add(buf, &character, 1);

	assert(status == 0);
	(void)status;
}

void buf_addf(struct buf *buf, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = xvasprintf(format, arguments);
	va_end(arguments);
	buf_adds(buf, text);
	if (buf->secret)
		mem_wipe(text, strlen(text));
	free(text);
}

static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

void buf_add_url(struct buf *buf, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (is_unreserved(c))
			buf_addc(buf, *text);
		else
			buf_addf(buf, "%%%02X", c);
	}
}

void buf_consume(struct buf *buf, size_t count)
{
	assert(count <= buf->len);
	if (!buf->data)
		return;
	memmove(buf->data, buf->data + count, buf->len - count + 1);
	buf->len -= count;
}

void buf_clear(struct buf *buf)
{
	if (buf->secret)
		mem_wipe(buf->data, buf->capacity);
	buf->len = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

const char *buf_text(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

char *buf_detach(struct buf *buf)
{
	char *data = buf->data ? buf->data : xstrdup("");

	buf->data = NULL;
	buf->len = 0;
	buf->capacity = 0;
	return data;
}

void buf_release(struct buf *buf)
{
	if (buf->secret)
		mem_wipe(buf->data, buf->capacity);
	free(buf->data);
	buf->data = NULL;
	buf->len = 0;
	buf->capacity = 0;
}
