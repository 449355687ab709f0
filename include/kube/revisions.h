/*
 * kube/revisions.h - the earlier pod templates of a StatefulSet: its ControllerRevisions, as `kubectl rollout undo` uses them.
 *
 * RBAC: list on controllerrevisions of API group apps.
 */
#ifndef KUBE_REVISIONS_H
#define KUBE_REVISIONS_H

#include <stdint.h>

#include <cjson/cJSON.h>

#include "kube/client.h"
#include "util/err.h"

/*
 * The template (metadata and spec) that was before the newest one, of this live StatefulSet: while pods are still of an
 * older revision (status.currentRevision), that one; else the one numbered before status.updateRevision. *ret_template is owned by the
 * caller, *ret_name (the ControllerRevision) too. ERR_NOT_FOUND: there is no earlier one.
 */
int kube_revision_previous(struct kube_client *client, const cJSON *set, int64_t deadline_ms, cJSON **ret_template,
                           char **ret_name, struct err *err) __attribute__((warn_unused_result));

#endif
