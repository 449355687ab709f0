/*
 * util/jsonpath.h - kubectl's templates for `-o jsonpath=TEMPLATE`: text with paths in braces. Pure.
 *
 * The language is that of k8s.io/client-go/util/jsonpath (https://kubernetes.io/docs/reference/kubectl/jsonpath), all of it:
 *
 *     {.servers[0].name}  {['verdict']}  {.servers[-1:]}  {.servers[*]['name','version']}  {..lag}  {.quorum.*}
 *     {.servers[?(@.raft.leader==true)].name}  {.servers[?(@.certificate)].name}
 *     {range .servers[*]}{.name}{"\t"}{.version}{"\n"}{end}
 *
 * Several values are joined by blanks; strings are printed as they are, objects and arrays as JSON. `$` and `@` are both the
 * current object, as in kubectl. A key may hold "\." for a dot. Members of an object come in the order of the document.
 */
#ifndef UTIL_JSONPATH_H
#define UTIL_JSONPATH_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "util/buf.h"
#include "util/err.h"

/* Bytes of a template. */
#define JSONPATH_TEMPLATE_MAX ((size_t)16 * 1024)
/* Filters and unions in one another. */
#define JSONPATH_DEPTH_MAX 32
/* Values that printing may touch: ".." in ".." and ranges in ranges multiply. */
#define JSONPATH_VALUES_MAX ((size_t)4 * 1024 * 1024)

struct jsonpath;

/* ERR_INVALID in kubectl's words: "error parsing jsonpath {.a, unclosed action". template is not kept. */
int jsonpath_parse(const char *template, struct jsonpath **ret_path, struct err *err) __attribute__((warn_unused_result));

/*
 * Adds to out what the template gives for json. A key that is not there gives nothing, or "KEY is not found" without
 * allow_missing. ERR_INVALID, in kubectl's words, of what does not fit the object; ERR_TOO_LARGE; out is then not whole.
 */
int jsonpath_print(const struct jsonpath *path, const cJSON *json, bool allow_missing, struct buf *out, struct err *err)
	__attribute__((warn_unused_result));

void jsonpath_free(struct jsonpath *path);

static inline void jsonpath_cleanup(struct jsonpath **path)
{
	jsonpath_free(*path);
}

#define _cleanup_jsonpath_ __attribute__((cleanup(jsonpath_cleanup)))

#endif
