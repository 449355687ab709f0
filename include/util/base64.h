/*
 * util/base64.h - base64 (RFC 4648, section 4) as Kubernetes uses it for Secrets, kubeconfig data and patches. Pure.
 */
#ifndef UTIL_BASE64_H
#define UTIL_BASE64_H

#include <stddef.h>

#include "util/buf.h"
#include "util/err.h"

/*
 * Appends the bytes that text stands for. Strict: the standard alphabet, with padding, no bits left over; line
 * breaks are skipped, as Go does. "illegal base64 data at input byte N" (ERR_INVALID) otherwise, ERR_TOO_LARGE past
 * out's maximum; out may then hold a part. A secret's out is marked secret by the caller.
 */
int base64_decode(const char *text, struct buf *out, struct err *err) __attribute__((warn_unused_result, nonnull));

/* A new string, to be freed by free_secret when the bytes are secret. */
char *base64_encode(const void *bytes, size_t count) __attribute__((warn_unused_result));

#endif
