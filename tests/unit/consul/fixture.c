#include "fixture.h"

#include <stdio.h>

#include <criterion/criterion.h>

#include "util/mem.h"

#define FIXTURE_MAX ((size_t)1024 * 1024)

char *fixture_read(const char *name, size_t *ret_length)
{
	_cleanup_free_ char *path = xasprintf("tests/unit/consul/fixtures/%s", name);
	char *text = xmalloc(FIXTURE_MAX);
	FILE *file = fopen(path, "rb");

	cr_assert_not_null(file, "no fixture %s: tests run in the top directory", path);
	*ret_length = fread(text, 1, FIXTURE_MAX - 1, file);
	text[*ret_length] = '\0';
	fclose(file);
	return text;
}
