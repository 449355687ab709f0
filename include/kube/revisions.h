/*
 * kube/revisions.h - the earlier pod templates of a StatefulSet: its ControllerRevisions, as `kubectl rollout undo`
 * uses them.
 *
 * A template that comes back brings its ControllerRevision back: same name, a new and highest number. So pods that still
 * are of it count as new, and are not replaced. (Tried on 1.20 with server-side apply; Kubernetes pkg/controller/history.)
 *
 * RBAC: list on controllerrevisions of API group apps.
 */
#ifndef KUBE_REVISIONS_H
#define KUBE_REVISIONS_H

#include <stdint.h>

#include <cjson/cJSON.h>

#include "kube/client.h"
#include "util/err.h"

/* Revisions in one answer, and most answers that are read: no set has that many, unless somebody else's labels match. */
#define KUBE_REVISIONS_PAGE  100
#define KUBE_REVISIONS_PAGES 50

/*
 * The template (metadata and spec) that was before the newest one, of this live StatefulSet:
 *  - while some pods are of status.currentRevision and that is not the newest: that one. (Under OnDelete it stays what it
 *    was; when no pod is of it, it is not asked for.)
 *  - while it is the newest itself, and some pods are of another: the newest. A way back to it is under way, and the same
 *    command again is to go on with it, not to turn round. (A pod that is just being stopped looks the same.)
 *  - else the one numbered before status.updateRevision.
 * *ret_template is owned by the caller, *ret_name (the ControllerRevision) too; both are untouched on failure.
 * ERR_NOT_FOUND: there is no earlier one. ERR_UNAVAILABLE: the status is of an older specification than set has, or the
 * list is too long. Blocks until it was read, or deadline_ms.
 */
int kube_revision_previous(struct kube_client *client, const cJSON *set, int64_t deadline_ms, cJSON **ret_template,
                           char **ret_name, struct err *err) __attribute__((warn_unused_result));

/*
 * The template of the ControllerRevision of this name, which this live StatefulSet owns; owned by the caller, untouched on
 * failure. ERR_NOT_FOUND: there is none. Blocks until it was read, or deadline_ms.
 */
int kube_revision_named(struct kube_client *client, const cJSON *set, const char *name, int64_t deadline_ms,
                        cJSON **ret_template, struct err *err) __attribute__((warn_unused_result));

#endif
