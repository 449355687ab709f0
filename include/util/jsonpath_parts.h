/*
 * util/jsonpath_parts.h - the parsed template, which jsonpath.c makes and jsonpath_print.c walks. Used by these two only.
 */
#ifndef UTIL_JSONPATH_PARTS_H
#define UTIL_JSONPATH_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

enum jsonpath_kind {
	JSONPATH_LIST,       /* "{…}": its children, each applied to what the one before gave */
	JSONPATH_LITERAL,    /* text between the braces, "text", 5, true */
	JSONPATH_FIELD,      /* .text */
	JSONPATH_WILDCARD,   /* .* */
	JSONPATH_RECURSIVE,  /* .. */
	JSONPATH_SLICE,      /* [*], [0], [-1], [from:to:step] */
	JSONPATH_UNION,      /* [a,b]: its children are lists, each applied to the same */
	JSONPATH_FILTER,     /* [?(left text right)]: two lists; text NULL: left is there */
	JSONPATH_IDENTIFIER, /* range, end; anything else is an error where it is walked */
};

/* One number of a slice. */
struct jsonpath_index {
	bool known;
	bool derived; /* the end of [N]: the one after N */
	int64_t value;
};

struct jsonpath_node {
	enum jsonpath_kind kind;
	char *text;
	cJSON *literal;
	struct jsonpath_index slice[3]; /* from, to, step */
	struct jsonpath_node *children;
	size_t child_count;
};

struct jsonpath {
	char *template;
	struct jsonpath_node root; /* a list of literals (text) and lists (braces) */
};

#endif
