/*
 * util/yaml.h - YAML text to cJSON and back, on libyaml, as kubectl reads and prints it. Pure.
 *
 * JSON is YAML: both kinds of file are read by yaml_parse. What comes from outside is bounded: aliases count as
 * what they stand for, so that a few lines cannot become gigabytes.
 *
 * Reading follows YAML 1.1 as Kubernetes does (sigs.k8s.io/yaml): plain `yes`, `on` and `y` are booleans, `012` is
 * 10, `1_000` is 1000, dates and `1:30` are strings; keys that are numbers or booleans become strings. Different
 * from it on purpose: a key given twice is an error, and merge keys (<<) and !!binary are refused.
 */
#ifndef UTIL_YAML_H
#define UTIL_YAML_H

#include <stddef.h>

#include <cjson/cJSON.h>

#include "util/err.h"

/* Most bytes of text, values and keys in all documents, nesting, anchors in a document, documents in a text. */
#define YAML_TEXT_MAX      ((size_t)16 * 1024 * 1024)
#define YAML_NODES_MAX     ((size_t)200000)
#define YAML_DEPTH_MAX     ((size_t)100)
#define YAML_ANCHORS_MAX   ((size_t)1000)
#define YAML_DOCUMENTS_MAX ((size_t)1000)

/*
 * Reads every document of text into an array, one value each; empty documents are left out. ERR_INVALID with
 * "yaml: line N: message", ERR_TOO_LARGE past a limit. *ret_documents (owned by the caller) is untouched then.
 */
int yaml_parse(const char *text, size_t length, cJSON **ret_documents, struct err *err)
	__attribute__((warn_unused_result, nonnull));

/* Reads the first document only, as kubectl reads a kubeconfig; a text without any gives JSON null. */
int yaml_parse_first(const char *text, size_t length, cJSON **ret_json, struct err *err)
	__attribute__((warn_unused_result, nonnull));

/*
 * What an unquoted scalar means: null, a boolean, a number or a string; NULL when JSON cannot say it (.inf, .nan).
 * A new value.
 */
cJSON *yaml_plain(const char *text) __attribute__((warn_unused_result, nonnull));

/*
 * As `kubectl -o yaml` prints: block style, keys in the order they have, strings quoted only when they would read
 * as something else, `|` for several lines, lists not indented below their key. Ends with a newline. Bytes that are
 * not UTF-8 become U+FFFD, what no terminal should get is escaped (str_escape). A new string.
 */
char *yaml_text(const cJSON *json) __attribute__((warn_unused_result, nonnull));

#endif
