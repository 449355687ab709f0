/* See include/util/mem.h. */
#include "util/mem.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void *xmalloc(size_t size)
{
	void *memory = malloc(size ? size : 1);

	if (!memory)
		abort();
	return memory;
}

void *xcalloc(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size ? size : 1);

	if (!memory)
		abort();
	return memory;
}

void *xreallocarray(void *array, size_t count, size_t size)
{
	void *memory;

	assert(size > 0 && count <= SIZE_MAX / size);
	memory = realloc(array, count ? count * size : size);
	if (!memory)
		abort();
	return memory;
}

char *xstrndup(const char *text, size_t length)
{
	char *copy;

	length = strnlen(text, length);
	copy = xmalloc(length + 1);
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *xstrdup(const char *text)
{
	return xstrndup(text, strlen(text));
}

char *xstrdup_null(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

char *xvasprintf(const char *format, va_list arguments)
{
	char *text = NULL;

	if (vasprintf(&text, format, arguments) < 0 || !text)
		abort();
	return text;
}

char *xasprintf(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = xvasprintf(format, arguments);
	va_end(arguments);
	return text;
}

void replace_string(char **target, char *value)
{
	free(*target);
	*target = value;
}

void mem_wipe(void *memory, size_t size)
{
	volatile unsigned char *byte = memory;

	while (memory && size-- > 0)
		*byte++ = 0;
}

void free_secret(char *secret)
{
	if (secret)
		mem_wipe(secret, strlen(secret));
	free(secret);
}
