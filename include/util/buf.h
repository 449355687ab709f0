/*
 * util/buf.h - a growing byte buffer with a named maximum.
 *
 * data is NUL-terminated whenever it is not NULL, len does not count that NUL, and bytes may contain
 * NULs. Everything that holds bytes from outside uses this, so that no peer decides how much memory we
 * use: adding past max fails and leaves the content as it was.
 *
 * Text that we make ourselves uses buf_addf and BUF_TEXT_MAX; exceeding that is a programming mistake
 * and asserted.
 */
#ifndef UTIL_BUF_H
#define UTIL_BUF_H

#include <stdbool.h>
#include <stddef.h>

/* Maximum of text the program renders itself (screens, manifests, requests). */
#define BUF_TEXT_MAX ((size_t)64 * 1024 * 1024)

struct buf {
	char *data; /* NULL while nothing was added */
	size_t len;
	size_t capacity;
	size_t max;  /* most bytes it will hold */
	bool secret; /* contents are wiped when they are moved or released */
};

#define BUF_INIT(maximum) { .max = (maximum) }
#define BUF_TEXT { .max = BUF_TEXT_MAX }

/* Appends; -1 when that would exceed max (nothing is added then). */
int buf_add(struct buf *buf, const void *bytes, size_t count) __attribute__((warn_unused_result));

/* Appends text of our own making; asserts that it fits. */
void buf_adds(struct buf *buf, const char *text);
void buf_addc(struct buf *buf, char character);
void buf_addf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends text percent-encoded as one URL component (everything but ALPHA DIGIT - . _ ~). */
void buf_add_url(struct buf *buf, const char *text);

/* Removes count bytes from the front; count <= len (asserted). */
void buf_consume(struct buf *buf, size_t count);

/* Empties it and keeps the memory. */
void buf_clear(struct buf *buf);

/* The content as a string: "" when nothing was added. Borrowed, valid until the next change. */
const char *buf_text(const struct buf *buf);

/* Hands the content over as a heap string (never NULL); buf is empty afterwards. */
char *buf_detach(struct buf *buf) __attribute__((warn_unused_result));

void buf_release(struct buf *buf);

#define _cleanup_buf_ __attribute__((cleanup(buf_release)))

#endif
