/*
 * cmd/failover_screen.h - a drill as a person reads it: what is going to happen, what happened when, what it came to. Pure.
 */
#ifndef CMD_FAILOVER_SCREEN_H
#define CMD_FAILOVER_SCREEN_H

#include <stddef.h>
#include <stdint.h>

#include "consul/assess.h"
#include "consul/drill.h"
#include "consul/drill_report.h"
#include "util/buf.h"
#include "util/term.h"

/* The cluster in a line, who is crashed, and what is left without him. named: it is --pod's, in every round. */
void failover_screen_plan(const struct snapshot *snapshot, const char *pod, bool named, int64_t rounds,
                          const struct term *term, struct buf *out);

/* "round 2: consul-1, who led, was crashed"; number 0: there is only one. New string. */
char *failover_screen_crashed(const struct drill *drill, int64_t number);

/* "+  2.4 s  new leader consul-1". New string. */
char *failover_screen_mark(const struct drill *drill, enum drill_mark_kind kind);

/* The live block: how long it is since the crash, and what has not happened. */
void failover_screen_now(const struct drill *drill, const struct term *term, struct buf *out);

/*
 * What took how long: of one round each mark, of several (those in which something was crashed) the distribution. Then
 * how exact that is, and what the probe says.
 */
void failover_screen_times(const struct drill_round *rounds, size_t count, const struct term *term, struct buf *out);

/* "no write was served for 2.7 s (41 of 220 failed), …": a line of the probe. New string. */
char *failover_screen_probe(const struct probe_result *probe);

/* After a failure: who was crashed how long ago, and what had not happened; nothing when nobody was. */
void failover_screen_left(const struct drill *drill, const struct term *term, struct buf *out);

#endif
