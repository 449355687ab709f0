/* See script.h: patterns, and what is read from paths, queries and header lines. */
#include "script.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "util/mem.h"
#include "util/str.h"

bool match_pattern(const char *pattern, const char *text)
{
	const char *star = NULL, *resume = NULL;

	if (!pattern)
		return true;
	if (!text)
		return false;
	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			resume = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

char *match_decode(const char *text, size_t length)
{
	char *decoded = xmalloc(length + 1);
	size_t out = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == '%' && i + 2 < length && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
			decoded[out++] = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
			i += 2;
		} else {
			decoded[out++] = text[i] == '+' ? ' ' : text[i];
		}
	}
	decoded[out] = '\0';
	return decoded;
}

char *match_query(const char *query, const char *key, size_t n)
{
	size_t key_length = strlen(key);

	while (*query) {
		size_t length = strcspn(query, "&");
		bool is_key = length >= key_length && strncmp(query, key, key_length) == 0 &&
		              (length == key_length || query[key_length] == '=');

		if (is_key && n-- == 0) {
			size_t skip = length == key_length ? key_length : key_length + 1;

			return match_decode(query + skip, length - skip);
		}
		query += length;
		if (*query)
			query++;
	}
	return NULL;
}

char *match_header(const char *headers, const char *name)
{
	size_t name_length = strlen(name);

	while (*headers) {
		size_t length = strcspn(headers, "\r\n");

		if (length > name_length && headers[name_length] == ':') {
			_cleanup_free_ char *found = xstrndup(headers, name_length);
			const char *value = headers + name_length + 1;

			while (*value == ' ' || *value == '\t')
				value++;
			if (str_equal_nocase(found, name))
				return xstrndup(value, length - (size_t)(value - headers));
		}
		headers += length;
		headers += strspn(headers, "\r\n");
	}
	return NULL;
}

char *match_pod_path(const char *path, const char *verb)
{
	const char *pod = strstr(path, "/pods/");
	size_t length;

	if (!pod)
		return NULL;
	pod += strlen("/pods/");
	length = strcspn(pod, "/");
	if (pod[length] != '/' || !str_equal(pod + length + 1, verb))
		return NULL;
	return match_decode(pod, length);
}

void apiserver_request_free(struct apiserver_request *request)
{
	free(request->method);
	free(request->path);
	free(request->query);
	free(request->headers);
	free(request->body);
	free(request->pod);
	free(request->certificate);
	free(request);
}

char *apiserver_request_header(const struct apiserver_request *request, const char *name)
{
	return match_header(request->headers, name);
}

char *apiserver_request_query(const struct apiserver_request *request, const char *key, size_t n)
{
	return match_query(request->query, key, n);
}
