/*
 * consul/recovery_act.h - looks at a cluster without a quorum, and carries its recovery out, through a world (consul/act.h).
 * Blocks.
 *
 * Nothing is remembered: a run that was killed is started again. Killed before the processes were crashed: nothing was done.
 * Killed while they were: those that did not get their peers.json vote for the best all the same, which is a voter of theirs;
 * while there is no leader it is all done again. With one, those that have missed its peers get them then (RECOVERY_TIDY).
 */
#ifndef CONSUL_RECOVERY_ACT_H
#define CONSUL_RECOVERY_ACT_H

#include <stdbool.h>
#include <stdint.h>

#include "consul/act.h"
#include "consul/recovery.h"
#include "util/err.h"

/* One look, and what it means. snapshot and remains are borrowed by recovery. */
struct recovery_look {
	struct snapshot snapshot;
	struct remains *remains; /* snapshot.server_count of them */
	struct recovery recovery;
};

#define RECOVERY_LOOK_INIT { .snapshot = SNAPSHOT_INIT, .recovery = RECOVERY_INIT }
void recovery_look_release(struct recovery_look *look);

struct recovery_act_options {
	struct recovery_options recovery;
	int64_t deadline_ms; /* of world->now_ms */
	act_tell *tell;      /* may be NULL. ACT_STEP and ACT_DONE have a text and no step */
	void *tell_context;
};

/* How long a refusal that may pass is looked at again; or what --force would pass over, and may pass. */
#define RECOVERY_PATIENCE_MS ((int64_t)20 * 1000)

/*
 * One look; again, every second, while what it came to may pass, for RECOVERY_PATIENCE_MS at most, and not beyond
 * options->deadline_ms; the same while looking fails for now. 0 whatever the recovery came to. options->tell is told
 * what is waited for. ret_look (RECOVERY_LOOK_INIT) is released by the caller in either case.
 */
int recovery_look(const struct world *world, const struct recovery_act_options *options,
                  struct recovery_look *ret_look, struct err *err) __attribute__((warn_unused_result));

/*
 * Carries agreed (RECOVERY_GO or RECOVERY_TIDY) out, if a new look still says the same (else ERR_CONFLICT, and nothing is
 * changed): crashes every server that remains, with peers.json; then waits until there is a leader all agree on that
 * has each of them as a peer, each of them has the leader's peers, and no peers.json waits there: what a lost exec has
 * left of that is done again (the rest is a goal of consul/plan.h: GOAL_SCALE to what spec.replicas says).
 * *ret_begun: something was, or may have been, changed. ERR_TIMEOUT names what is missing. Keeps world's claim before
 * each look and change.
 */
int recovery_act(const struct world *world, const struct recovery_act_options *options, const struct recovery *agreed,
                 bool *ret_begun, struct err *err) __attribute__((warn_unused_result));

#endif
