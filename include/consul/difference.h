/*
 * consul/difference.h - what an apply would change, for people: YAML as it is, and as it would be, line by line. Pure.
 */
#ifndef CONSUL_DIFFERENCE_H
#define CONSUL_DIFFERENCE_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "util/buf.h"

/*
 * Adds a unified difference (three lines of context, "--- RESOURCE now", "+++ RESOURCE after") of live (NULL: it would be made)
 * and wanted, what the server would make of it. What the server keeps for itself (status, managed fields, versions, times) is left out; the
 * values of a Secret are shown as "***" and, where they differ, "*** (changed)". Returns whether there is any.
 */
bool difference_add(const char *resource, const cJSON *live, const cJSON *wanted, struct buf *out);

/* Whether a StatefulSet with wanted's template would have its pods replaced; live NULL: there are none. */
bool difference_restarts(const cJSON *live, const cJSON *wanted);

#endif
