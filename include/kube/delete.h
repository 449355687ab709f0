/*
 * kube/delete.h - deleting an object only as it was seen.
 */
#ifndef KUBE_DELETE_H
#define KUBE_DELETE_H

#include <stdbool.h>
#include <stdint.h>

#include "kube/client.h"
#include "util/err.h"

/*
 * Deletes the object at path if it is still that uid, unchanged since resource_version (NULL: however it has changed).
 * One that has changed or gone is left alone: 0, and *ret_deleted is false. Gently: the object's own grace period.
 */
int kube_delete_as_seen(struct kube_client *client, const char *path, const char *uid, const char *resource_version,
                        int64_t deadline_ms, bool *ret_deleted, struct err *err) __attribute__((warn_unused_result));

#endif
