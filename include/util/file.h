/*
 * util/file.h - whole files and directories, bounded, with errors in the words of kubectl.
 *
 * Messages read "OPERATION PATH: reason" with a lower-case reason ("open /nope: no such file or directory"),
 * paths made visible. Failures are ERR_CONFIG, but for ERR_TOO_LARGE. May block (a path may be a FIFO).
 */
#ifndef UTIL_FILE_H
#define UTIL_FILE_H

#include <stdbool.h>

#include "util/buf.h"
#include "util/err.h"
#include "util/str.h"

/* Most entries that file_list takes. */
#define FILE_LIST_MAX ((size_t)10000)

/*
 * Appends the whole file to out, whose max is the limit. A directory is refused ("read PATH: is a directory").
 * For a file that holds a secret, out->secret is set by the caller. out keeps what was read so far on failure.
 */
int file_read(const char *path, struct buf *out, struct err *err) __attribute__((warn_unused_result, nonnull));

/* Fails with "stat PATH: reason" when nothing is there (or it cannot be told). */
int file_stat(const char *path, struct err *err) __attribute__((warn_unused_result, nonnull));

/* True when something that is no directory is there. */
bool file_exists(const char *path) __attribute__((nonnull));

/* True when path is a directory. */
bool file_is_directory(const char *path) __attribute__((nonnull));

/* Adds the names (without the directory) of the regular files in directory, hidden ones left out, in byte order. */
int file_list(const char *directory, struct strv *names, struct err *err) __attribute__((warn_unused_result, nonnull));

/* "directory/name"; a new string. An absolute name stands for itself. */
char *file_join(const char *directory, const char *name) __attribute__((warn_unused_result, nonnull));

/* What path means when it is written in the file beside: relative to that file's directory. A new string. Pure. */
char *file_beside(const char *beside, const char *path) __attribute__((warn_unused_result, nonnull));

#endif
