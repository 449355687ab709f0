/*
 * consul/plan_parts.h - what the files of consul/plan.h share. Used by src/consul/plan*.c only.
 *
 * The parts are asked in this order for scale (plan.c): trust and movement (plan_trust.c), leftovers (plan_clean.c),
 * survivors (plan_trust.c), up, down and the end (plan_scale.c, plan_claims.c); for reap: trust, leftovers, movement;
 * for rollout: trust, movement, who is next, survivors (plan_rollout.c). How a server goes is in plan_victim.c. Each
 * returns true when it has decided: the plan is filled.
 */
#ifndef CONSUL_PLAN_PARTS_H
#define CONSUL_PLAN_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "consul/diagnosis.h"
#include "consul/plan.h"

struct planning {
	const struct snapshot *snapshot;
	const struct goal *goal;
	struct diagnosis diagnosis; /* the planes joined */
	struct assessment assessment;
	struct plan *plan;          /* to be filled */
};

/* Rules 5 and 6: whether what the servers say can be built on. */
bool plan_distrusts(struct planning *planning);

/* Rules 2 and 3: a change that Kubernetes has not carried out yet. */
bool plan_is_moving(struct planning *planning);

/* Rules 1 and 2: every wanted server but except (may be NULL) is a live, stable voter; else waits or refuses. */
bool plan_is_unsettled(struct planning *planning, const struct place *except);

/* What is left of servers that are gone, and of those named: makes them leave, removes them. */
bool plan_cleans(struct planning *planning);

/* Rules 1 and 2 of this wanted server alone. */
bool plan_is_server_unsettled(struct planning *planning, const struct place *place);

/* A pod that is being stopped, and votes again, and whose end the quorum would not survive: it leaves once more. */
bool plan_saves_quorum(struct planning *planning, const struct place *place);

/*
 * A voter that is dead and no pod's: it weakens the quorum, and the data of a server that is gone may be all that is left
 * of it. It is for a person to name it (reap).
 */
bool plan_has_dead_stranger(struct planning *planning);

/* One server more, one less, what comes at the end. */
bool plan_scales(struct planning *planning);

/* Pods of an older revision are replaced, one at a time (plan_rollout.c). */
bool plan_rolls(struct planning *planning);

/* Before a server of this ordinal comes: data that lies there is wiped, waited for, or too old (plan_claims.c). */
bool plan_prepares_claims(struct planning *planning, int64_t ordinal, const char *server);

/* When all that shall go are gone: their data, if it is wanted so. */
bool plan_deletes_claims(struct planning *planning);

/* ------------------------------------------------------------------------------------- who goes */

/* A server that is to go, for good or to be made anew (plan_victim.c). */
struct victim {
	const struct place *place;
	bool voter;
	bool live;           /* it can be told to leave, and is heard */
	bool may_die;        /* its sudden death would leave a quorum, even if it became a voter meanwhile */
	bool may_die_now;    /* if it does not become one */
	bool leaves_cleanly; /* on SIGTERM, with time enough */
	bool is_leader;
};

struct victim plan_judge_victim(const struct planning *planning, const struct place *place);

/*
 * The step by which Kubernetes stops it. how: "stops", "leaves and stops", … with_its_vote: raft has its peer no more
 * then.
 */
typedef bool plan_end(struct planning *planning, const struct victim *victim, const char *how, bool with_its_vote);

/*
 * All others are live voters: it hands over, leaves, or ends, as include/consul/plan.h tells; or rule 1 refuses. Always
 * decides.
 */
bool plan_takes_away(struct planning *planning, const struct victim *victim, plan_end *end);

/* ---------------------------------------------------------------------------------------- deciding */

/* Each fills the plan and returns true. */
bool plan_wait(struct planning *planning, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool plan_refuse(struct planning *planning, enum rule rule, bool may_pass, const struct place *place,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* "WHAT; kubectl consul health … tells more" as the plan's hint. */
void plan_hint_health(struct planning *planning, const char *what);

/* A wait for a server that is not there yet, for the reason that its pod gives; a refusal where that hardly passes. */
bool plan_wait_for(struct planning *planning, const struct place *place);

/* Begins a step: before and after are the snapshot's arithmetic, to be changed by the caller where voters change. */
struct step *plan_step(struct planning *planning, enum step_kind kind, const char *subject, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The arithmetic with so many voters more (or less, negative), and so many of the living ones. */
void plan_arithmetic(struct quorum *quorum, int64_t voters, int64_t live_voters);

/* ------------------------------------------------------------------------------------------ facts */

/* Whether servers' node names are their pods', as far as can be seen: then they tell their ordinals. */
bool plan_nodes_are_pods(const struct planning *planning);

/* The server of this pod's name; NULL: there is none. */
const struct place *plan_place(const struct diagnosis *diagnosis, const char *name);

/* The pod through which to tell: the leader's, or a live voter's that is not except. NULL: there is none. */
const char *plan_through(const struct planning *planning, const struct place *except);

/* The claim that is left from a server of this ordinal, which has no pod; NULL: there is none. index: the n-th. */
const struct kube_claim *plan_claim(const struct snapshot *snapshot, int64_t ordinal, size_t index);

/* "3d" since it was made; "?" when that is not told. New string. */
char *plan_claim_age(const struct snapshot *snapshot, const struct kube_claim *claim);

#endif
