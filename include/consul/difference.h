/*
 * consul/difference.h - what an apply would change, for people: YAML as it is, and as it would be, line by line. Pure.
 *
 * Both are objects as the server has them, defaults included: what was read, and the answer to a dry run on the server
 * (consul/apply.h: live and result). Text from the cluster is not made fit for a terminal here: cmd/difference_screen.h.
 */
#ifndef CONSUL_DIFFERENCE_H
#define CONSUL_DIFFERENCE_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "util/buf.h"

/*
 * Adds a unified difference (three lines of context, "--- RESOURCE now", "+++ RESOURCE after") of live (NULL: it would be
 * made) and wanted, what the server would make of it; nothing when there is none. Returns whether there is any.
 *  - Left out is what the server and kubectl keep for themselves (status, managed fields, versions, times, the last
 *    applied configuration), and what is null. Keys are in the order of the alphabet.
 *  - The values of a Secret are "***" and, where they differ, "*** (changed)". No part of them gets into out.
 *  - A string that holds a JSON object or list is shown as a block with one setting on each line, unless live and wanted
 *    differ in nothing but its white space or only one of them is JSON.
 */
bool difference_add(const char *resource, const cJSON *live, const cJSON *wanted, struct buf *out);

/*
 * Whether a StatefulSet with wanted's pod template would have its pods replaced; live NULL: there are none. Any real
 * difference does that, {} instead of nothing too; null is nothing.
 */
bool difference_restarts(const cJSON *live, const cJSON *wanted);

#endif
