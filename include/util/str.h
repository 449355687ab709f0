/*
 * util/str.h - strings and lists of strings. Pure.
 */
#ifndef UTIL_STR_H
#define UTIL_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "util/mem.h"

/* NULL is equal to NULL and to nothing else. */
bool str_equal(const char *a, const char *b);

/* ASCII only, whatever the locale. */
bool str_equal_nocase(const char *a, const char *b);
bool str_starts_with(const char *text, const char *prefix) __attribute__((nonnull));
bool str_ends_with(const char *text, const char *suffix) __attribute__((nonnull));

/* The last of these characters among the first `length`; NULL: there is none. */
const char *str_last(const char *text, size_t length, char character) __attribute__((nonnull));

/* As strcmp, but whole numbers without leading zeros count as such: server-9 is before server-10. */
int str_compare_natural(const char *a, const char *b) __attribute__((nonnull));

static inline bool str_is_empty(const char *text)
{
	return !text || !*text;
}

/* Reads a whole decimal number; -1 when text is NULL, empty, has anything else in it, or overflows. */
int str_to_int64(const char *text, int64_t *ret_value) __attribute__((warn_unused_result));
int str_to_uint64(const char *text, uint64_t *ret_value) __attribute__((warn_unused_result));

/*
 * A copy fit for a terminal and for one line: C0, DEL and C1 control characters and bidirectional
 * overrides become visible (^[, \n, \r, \t, \xNN, <U+202E>); bytes that are not UTF-8 become \xNN.
 * Whatever came from outside passes through here before it is printed. At most max_bytes of text are
 * kept (then "..."); 0 means STR_VISIBLE_MAX, as do larger numbers.
 */
#define STR_VISIBLE_MAX ((size_t)64 * 1024)
char *str_visible(const char *text, size_t max_bytes) __attribute__((warn_unused_result, nonnull));

/* A copy in which every byte that is not part of valid UTF-8 became U+FFFD. */
char *str_utf8(const char *text) __attribute__((warn_unused_result, nonnull));

/*
 * For JSON and YAML, in which only double-quoted strings may have any of it: DEL, C1 control characters and bidirectional
 * overrides become \uXXXX, bytes that are not UTF-8 U+FFFD. Takes text over, and returns it or what took its place
 * (text, which may be secret, is wiped then).
 */
char *str_escape(char *text) __attribute__((warn_unused_result, nonnull));

/* Whether str_escape would change it. */
bool str_has_odd(const char *text) __attribute__((nonnull));

/* A list of strings. It owns its strings; items is NULL-terminated once something was added. */
struct strv {
	char **items;
	size_t count;
};

#define STRV_INIT { 0 }

void strv_add(struct strv *list, const char *text) __attribute__((nonnull));
void strv_addf(struct strv *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strv_take(struct strv *list, char *text) __attribute__((nonnull)); /* takes ownership of text */
bool strv_contains(const struct strv *list, const char *text);

/* Byte order; duplicates stay. */
void strv_sort(struct strv *list);

/* "a, b and c" for people: separator between, last_separator before the last. New string. */
char *strv_join(const struct strv *list, const char *separator, const char *last_separator)
	__attribute__((warn_unused_result));

/* Splits at every separator character; empty parts are kept. Adds to list. */
void strv_split(struct strv *list, const char *text, char separator);

void strv_release(struct strv *list);
void strv_release_secret(struct strv *list); /* wipes the strings first */

#define _cleanup_strv_ __attribute__((cleanup(strv_release)))

#endif
