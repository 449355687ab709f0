/*
 * consul/plan.h - (snapshot, goal) -> the next step, or done, or a wait, or a refusal that names the rule. Pure.
 *
 * Nothing that matters is remembered between steps: whoever was killed anywhere starts again and goes on from what the
 * snapshot shows. The safety rules, checked before every step, here and nowhere else (removing what is dead needs a leader, a
 * quorum and agreement only: 4, 5 and 6):
 *
 * 1. Never start a step that could leave fewer live voters than the quorum of the peer set it leads to.
 * 2. One change of the peer set at a time; the next only when the last shows in raft on every live server, all voters
 *    are stable, and no rollout is under way.
 * 3. A pod is gone when its UID is gone, not when it is Terminating. Pods are never force-deleted.
 * 4. A server that could come back (ordinal within the replicas, or its pod exists) is never removed from raft, unless
 *    a person named it; a peer that nobody can be matched to may be such a server while one of them is in no raft.
 * 5. No leader, or leaders or peer sets that disagree: nothing is changed.
 * 6. Unknown is not fine: a server that could not be asked counts as dead.
 *
 * How a server goes (down, from the highest ordinal): only when every survivor is a live voter. If Consul can do it, the
 * victim hands leadership over. A victim that leaves on SIGTERM and whose sudden death the quorum would survive is just
 * scaled away; any other one is told to leave first, and its replica is taken away as soon as no peer set has it. One that
 * cannot leave is scaled away if the quorum survives that. What is left of it when its pod is gone is made to leave
 * (force-leave), then removed from raft.
 *
 * How a server comes (up): its replica is added, and the next step waits until it is a voter in every server's peer set,
 * without lag, and its pod is ready. One that others believe to have left, although it has not, joins once more: a
 * goodbye that its predecessor said, or that was said of it, is not denied by anything else.
 *
 * How servers are replaced (rollout; the set's updateStrategy is OnDelete, else Kubernetes does it and is waited for): one
 * after the other, each back as a server that has come (up) before the next goes like one that goes (down), but that its
 * pod is deleted. First those of an older revision that are no live voters, which costs nothing and is how a bad template
 * is gone back on; then the followers from the highest ordinal; the leader last. The only server there is is deleted,
 * too. 5 has one exception: an old pod in which nothing runs, and nothing will, is replaced although there is no leader, if
 * its data is on a claim; a template by which none of the servers starts has no other way back.
 */
#ifndef CONSUL_PLAN_H
#define CONSUL_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consul/assess.h"
#include "consul/snapshot.h"
#include "util/err.h"
#include "util/str.h"

/* --------------------------------------------------------------------------------------------- goals */

enum goal_kind {
	GOAL_SCALE,   /* exactly this number of servers, all of them voters, and nothing left of others */
	GOAL_REAP,    /* nothing left of servers that are gone */
	GOAL_ROLLOUT, /* every wanted server's pod is of the newest revision, and a stable voter */
};

/* Strings are borrowed. */
struct goal {
	enum goal_kind kind;

	int64_t replicas;   /* scale: at least 1 */
	bool force;         /* scale: an even size or one below 3; data that may be too old is used again */
	bool delete_claims; /* scale: claims without a server are deleted: before it comes, after it went */

	bool prune;                  /* reap: servers that left are forgotten at once, not by Consul after 72 hours */
	const struct strv *servers;  /* reap: these only (nodes, pods, raft ids, addresses), even if they could come back; NULL or empty: all */

	/* What the run has learnt of this cluster (consul/act.h); NULL and false at first. */
	const char *cannot_leave; /* the pod that refused to leave, for good */
	const struct strv *gone;  /* node names of the servers that were scaled away, where they are not their pods' */
	bool cannot_transfer;     /* handing leadership over does not work */
	bool cannot_join;         /* no server may be told to join */
	bool cannot_set_minimum;  /* autopilot's settings may not be changed */
};

#define GOAL_INIT { 0 }

/* --------------------------------------------------------------------------------------------- steps */

enum step_kind {
	STEP_REPLICAS,        /* number: spec.replicas of the StatefulSet */
	STEP_TRANSFER_LEADER, /* object: the id of the server that shall lead, or "" */
	STEP_LEAVE,           /* through: the server that leaves; object: its raft peer's id, or else address */
	STEP_FORCE_LEAVE,     /* object: node name */
	STEP_PRUNE,           /* object: node name */
	STEP_REMOVE_PEER,     /* object: the peer's id, or its address if by_address */
	STEP_MIN_QUORUM,      /* number: autopilot's min_quorum */
	STEP_DELETE_CLAIM,    /* object: name of the claim */
	STEP_EXPECT,          /* number: bootstrap_expect of servers that are still to come */
	STEP_JOIN,            /* through: the server that joins once more; object: the address to join */
	STEP_RESTART,         /* object: the pod that is deleted, for Kubernetes to make it anew; uid: as it was seen */
};

const char *step_kind_name(enum step_kind kind); /* "replicas", "transfer-leader", … */

/* One step. Owns its strings. */
struct step {
	enum step_kind kind;
	int64_t number;
	char *object;
	bool by_address;
	char *through;        /* the pod whose agent is told; NULL: no agent is */
	char *subject;        /* the server it is about, as a person calls it: pod, node name or address; NULL: the cluster */
	char *node;           /* STEP_REPLICAS down: the server's node name, if that is not its pod's; NULL */
	char *uid;            /* STEP_RESTART: of the pod that goes; one of another UID is its successor */
	struct quorum before; /* as the snapshot has it */
	struct quorum after;  /* once the step has its effect, nothing else changing */
	char *text;           /* "replicas 3 -> 4: consul-3 joins": what is done, one line */
};

#define STEP_INIT { 0 }

void step_release(struct step *step);

/* The same order about the same object: doing it again is a repetition. */
bool step_equal(const struct step *a, const struct step *b);

/* Whether the snapshot shows the effect of step, whoever brought it about. */
bool step_shows(const struct snapshot *snapshot, const struct step *step);

/* ---------------------------------------------------------------------------------------------- plans */

enum rule {
	RULE_NONE,
	RULE_QUORUM,       /* 1 */
	RULE_ONE_CHANGE,   /* 2; what 3 is about is waited for */
	RULE_COULD_RETURN, /* 4 */
	RULE_AGREEMENT,    /* 5 */
	RULE_UNKNOWN,      /* 6 */
	RULE_SIZE,         /* an even size, or one below 3, needs --force */
	RULE_OLD_DATA,     /* data of a server that has been away for too long is not used again */
};

/* "quorum", "one change at a time", … : how a refusal names it. */
const char *rule_name(enum rule rule);

enum plan_kind {
	PLAN_DONE,   /* the snapshot is the goal */
	PLAN_STEP,   /* do step */
	PLAN_WAIT,   /* nothing to be done but to wait for what text says: it comes by itself */
	PLAN_REFUSE, /* rule forbids to go on; text says why, hint what to do */
};

/* Owns its strings and its step. */
struct plan {
	enum plan_kind kind;
	struct step step;   /* PLAN_STEP */
	enum rule rule;     /* PLAN_REFUSE */
	bool may_pass;      /* PLAN_REFUSE: an election, a restart or a lost answer may be all: look again for a moment */
	char *subject;      /* PLAN_WAIT, PLAN_REFUSE: the pod it is about; NULL: the cluster */
	char *text;         /* PLAN_WAIT: "consul-3: joined, not a voter yet"; PLAN_REFUSE: the reason; PLAN_DONE: NULL */
	char *hint;         /* PLAN_REFUSE: what to type or do; may be NULL */
	bool look_at_events; /* Kubernetes' events about subject may tell more */
	bool broken;         /* PLAN_REFUSE: waiting alone will hardly help (an image that cannot be pulled) */
};

#define PLAN_INIT { .step = STEP_INIT }

void plan_next(const struct snapshot *snapshot, const struct goal *goal, struct plan *ret_plan);
void plan_release(struct plan *plan);

/* The error that a PLAN_REFUSE is: "refused: TEXT (rule: …)", or without one for RULE_NONE, with its hint. Returns -1. */
int plan_refusal(const struct plan *plan, struct err *err);

/*
 * What people should know before they say yes, and nothing of it stops the plan: leftover claims that will be used again
 * or stay, an even size, no tolerance. One line each, added to list.
 */
void plan_notes(const struct snapshot *snapshot, const struct goal *goal, struct strv *list);

/*
 * Changes the snapshot into what is expected when step has had its effect, for plans that are only shown. After
 * it the snapshot is good for plan_next only.
 */
void plan_predict(struct snapshot *snapshot, const struct step *step);

/*
 * The same for a template that is about to be applied with updateStrategy OnDelete: no pod is of the newest revision then.
 */
void plan_predict_template(struct snapshot *snapshot);

/* The same for what a plan waits for: all that comes has come, all that goes has gone. */
void plan_predict_settled(struct snapshot *snapshot);

/*
 * All steps from the snapshot, which is changed by plan_predict: what --dry-run shows. *ret_last is the plan that ended
 * them: PLAN_DONE, or what it would wait for or refuse. Steps are owned by the caller (steps_release).
 */
struct steps {
	char *waits_for; /* what is to come by itself before the first step; NULL: nothing */
	struct step *items;
	size_t count;
};

#define STEPS_INIT { 0 }

void plan_forward(struct snapshot *snapshot, const struct goal *goal, struct steps *ret_steps, struct plan *ret_last);
void steps_release(struct steps *steps);

#endif
