/*
 * util/mem.h - memory that cannot fail, and scope release.
 *
 * Out of memory ends the process (abort): no caller of these functions checks for NULL.
 * What may come from outside is bounded by util/buf.h before it gets here.
 */
#ifndef UTIL_MEM_H
#define UTIL_MEM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

/* Releases a variable when its scope is left: `_cleanup_(buf_release) struct buf b = BUF_INIT(…)`. */
#define _cleanup_(release) __attribute__((cleanup(release)))

/* For heap pointers released by free(). */
#define _cleanup_free_ _cleanup_(mem_free_pointer)

/* Defines pointer_release(T **), the form that _cleanup_ wants, of a T_free(T *) function. */
#define DEFINE_POINTER_CLEANUP(type, free_function)                                                \
	static inline void free_function##_pointer(type *pointer)                                  \
	{                                                                                          \
		free_function(*pointer);                                                           \
	}

/* Gives the pointer's ownership away: evaluates to its value and leaves NULL behind. */
#define TAKE(pointer)                                                                              \
	__extension__({                                                                            \
		__typeof__(pointer) taken_ = (pointer);                                            \
		(pointer) = NULL;                                                                  \
		taken_;                                                                            \
	})

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

void *xmalloc(size_t size) __attribute__((malloc, warn_unused_result, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, warn_unused_result, returns_nonnull));

/* Resizes an array to count elements of size bytes; count * size must not overflow (asserted). */
void *xreallocarray(void *array, size_t count, size_t size) __attribute__((warn_unused_result, returns_nonnull));

char *xstrdup(const char *text) __attribute__((malloc, warn_unused_result, returns_nonnull, nonnull));
char *xstrndup(const char *text, size_t length) __attribute__((malloc, warn_unused_result, returns_nonnull, nonnull));

/* xstrdup that passes NULL through. */
char *xstrdup_null(const char *text) __attribute__((warn_unused_result));

char *xasprintf(const char *format, ...) __attribute__((malloc, warn_unused_result, returns_nonnull, format(printf, 1, 2)));
char *xvasprintf(const char *format, va_list arguments)
	__attribute__((malloc, warn_unused_result, returns_nonnull, format(printf, 1, 0)));

/* Frees *target and puts value, which it then owns, in its place. */
void replace_string(char **target, char *value);

/* Overwrites memory in a way the compiler keeps, for secrets. Does not free. NULL is fine. */
void mem_wipe(void *memory, size_t size);

/* Wipes and frees a string that holds a secret. NULL is fine. */
void free_secret(char *secret);

static inline void mem_free_pointer(void *pointer)
{
	free(*(void **)pointer);
}

#endif
