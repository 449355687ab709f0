/*
 * kube/status.h - what the API server says went wrong, in the words kubectl's users know. Pure.
 *
 * Source: apimachinery pkg/apis/meta/v1 Status, pkg/api/errors; kubectl pkg/cmd/util/helpers.go.
 */
#ifndef KUBE_STATUS_H
#define KUBE_STATUS_H

#include <stddef.h>

#include "util/err.h"

/*
 * Turns the body of an answer whose HTTP status is not 2xx into err (kind from the status code, label
 * "Error from server (Reason)", the Status message; an Invalid's causes; the generic words for bodies that
 * are no Status: HTML from a proxy, plain text, empty). body may hold anything; what is shown of it is
 * bounded and made visible. Always returns -1.
 */
int kube_status_error(long http_status, const char *body, size_t length, struct err *err) __attribute__((nonnull(4)));

#endif
