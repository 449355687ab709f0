/*
 * consul/drill_report.h - drills as JSON: what `failover -o json` and `-o yaml` print. Pure.
 *
 * The schema is versioned as that of consul/report.h. A field whose value is not known is absent, if not said otherwise.
 *
 * apiVersion        "kubectl-consul/v1"
 * kind              "Failover"
 * metadata          .namespace, .name (of the StatefulSet)
 * verdict, summary  as in consul/report.h, of the last look; absent if there was none after the drills
 * rounds[]          one for each crash
 *   .victim         the pod whose server was crashed
 *   .led            whether it was the leader
 *   .before         the verdict before
 *   .over           everything has happened that was expected
 *   .inDoubt        true: whether it was crashed at all is not known, and nothing shows of it; else absent
 *   .marks          those that were expected, by name: "down", "leader-lost", "new-leader" (both only of a leader), "restarted",
 *                   "alive", "voter", "verdict" (see consul/drill.h); each .seconds since the crash (null: it did not happen),
 *                   .unseen (it was over when it was looked for: seconds is the latest it can have been), .who (the new
 *                   leader; the verdict)
 *   .looks          how often it was looked
 *   .resolutionSeconds  the longest time from one look to the next: each mark happened at most so much earlier than it says
 *   .probe          with --probe only: .writes and .reads, each .tried .served .failed, .longestGapSeconds (from one that was
 *                   served to the next), .firstError; .checked (every acknowledged write was looked for at the end), .lost
 *                   (how many were not there; absent unless checked), .checkError, .left (prefix of keys that remain)
 */
#ifndef CONSUL_DRILL_REPORT_H
#define CONSUL_DRILL_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "consul/assess.h"
#include "consul/drill.h"
#include "consul/probe.h"
#include "consul/snapshot.h"

/* One crash, and what a client noticed of it. */
struct drill_round {
	struct drill drill;
	bool probed;
	struct probe_result probe;
};

#define DRILL_ROUND_INIT { .drill = DRILL_INIT, .probe = PROBE_RESULT_INIT }
void drill_round_release(struct drill_round *round);

/* snapshot of any look; assessment of the last one: NULL if there was none after the drills. Owned by the caller. */
cJSON *drill_report_json(const struct snapshot *snapshot, const struct assessment *assessment,
                         const struct drill_round *rounds, size_t count) __attribute__((warn_unused_result));

#endif
