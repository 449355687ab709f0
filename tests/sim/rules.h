/*
 * The rules that must hold, checked against the truth: after every tick, and at each order of the tool. They know the
 * model only; what plan and assess think is none of their business.
 *
 * An order is judged by what was so when the tool last looked: what happened since is not its fault. A server that could not
 * be asked then counts as dead.
 */
#ifndef SIM_RULES_H
#define SIM_RULES_H

#include "model.h"

#define SHAKEN_MS SECONDS(45) /* a fault may show for so long */

/* The truth at the last look. */
struct seen_server {
	bool pod_exists, pod_deleting, pod_running;
	bool pod_stuck;           /* it will not run: no image, or it has crashed again and again */
	bool outdated;            /* of an old template */
	int uid;
	bool claim_exists, claim_deleting;
	int64_t claim_used_at;
	int claim_uid;
	bool asked;               /* and answered */
	bool half;                /* but not everything */
	bool is_leader;
	int id;
	int leader_ip, ip;
	int cluster;
	struct raft_config config; /* as it has learnt */

	/* whether it was asked or not */
	int pod_ip;
	bool has_data;            /* raft's, on its claim; can be read */
	bool other_cluster;       /* of the one that it has bootstrapped */
	struct raft_log log;
	bool peers_waiting;
	enum status members[ORDINALS]; /* of those at their present addresses */
};

struct seen {
	bool any;
	int replicas;
	bool observed;            /* the controller has seen the last change */
	bool claims_listed;
	bool on_delete;
	struct seen_server servers[ORDINALS];
	int ids[ORDINALS];        /* on the disks */
	struct raft_config committed;
	int min_quorum;
	int expect;
	bool led;                 /* from the beginning of the look to its end */
	uint64_t term;            /* the leader's */
};

enum order { ORDER_NONE, ORDER_REPLICAS, ORDER_LEAVE, ORDER_FORCE_LEAVE, ORDER_PRUNE, ORDER_REMOVE_PEER, ORDER_TRANSFER,
	     ORDER_MIN_QUORUM, ORDER_DELETE_CLAIM, ORDER_EXPECT, ORDER_RESTART, ORDER_CRASH, ORDER_JOIN };

/* What is told of a drill. */
enum told { TOLD_DOWN, TOLD_LEADER_LOST, TOLD_NEW_LEADER, TOLD_RESTARTED, TOLD_ALIVE, TOLD_VOTER, TOLD_VERDICT };

/* What the tool was asked to do, as far as the rules need it. */
struct wish {
	bool scale, rollout;      /* else: reap */
	bool flawed;              /* rollout: what can never be reached */
	int replicas;
	bool force, delete_claims, prune;
	bool strangers_stay;      /* what is left of servers cannot be told from servers elsewhere: other names, other runs */
	bool named[ORDINALS];     /* reap: these */
	bool any_named;
	bool recover;             /* what is left shall go on without the others */
	bool forced;              /* recover: although some of them may come back */
	bool told[ORDINALS];      /* recover: people were told that this one's data may be lost */
	bool told_some;           /* recover: or that somebody's may be */
	bool drill;               /* one server shall crash */
};

/* What is so since a server was crashed by order; times are 0 as long as it is not. */
struct drill_truth {
	bool on;
	int victim, uid;
	bool led;
	int64_t crashed_at, down_at, restarted_at;
	int64_t led_at;           /* by another, or again, in a later term */
	uint64_t term;            /* before */
};

struct rules {
	struct model *model;
	struct seen seen, looking; /* looking: the look that has not ended */
	bool blind;                /* the last look has failed */
	struct wish wish;
	int orders;
	int violations;
	bool lost_told;

	/* Since rules_count_anew. */
	int elections;
	int64_t leaderless_ms;
	int restarts;
	int restarted_uid[ORDINALS]; /* of the pod that was ordered to go */

	/* Of a recovery: what the best server that got a peers.json had of all that was acknowledged. */
	uint64_t kept;
	bool written_off[IDS_MAX];   /* by id: whatever data these have, a recovery went on without it */

	struct drill_truth drill;
};

/* What order is about: an ordinal, a number of replicas or of the quorum, or the id of a peer. */
void rules_order(struct rules *rules, enum order order, int subject);

/* The tool says that this order has had its effect. */
void rules_effect(struct rules *rules, enum order order, int subject);

void rules_look_begins(struct rules *rules);
void rules_look_asked(struct rules *rules, int ordinal, bool answered, bool half);
void rules_look_ends(struct rules *rules, bool whole);

void rules_tick(struct rules *rules);
void rules_count_anew(struct rules *rules);
void rules_bootstrapped(struct rules *rules, int ordinal);
void rules_elected(struct rules *rules, int leader);

/* The tool says that it is done; what of that can be told from the last look. */
void rules_done(struct rules *rules);
void rules_settled(struct rules *rules);

/* NULL: the truth is what was wished for; else what is not. */
const char *rules_missing(const struct rules *rules);

/* Another cluster runs beside this one. */
bool rules_is_split(const struct rules *rules);

/* No leader, and too few voters that can ever come back by themselves. */
bool rules_is_lost(const struct rules *rules);

/* ------------------------------------------------------------------------------------ rules_rollout.c */

/* Of a rollout: a pod is deleted, its server told to leave before that, or leadership handed over. */
void rules_restart(struct rules *rules, int ordinal, const struct raft_config *config);

/* The same of a pod in which nothing runs: that needs no agreement. config NULL: there is no leader. */
void rules_restart_dead(struct rules *rules, int ordinal, const struct raft_config *config);
void rules_restart_leave(struct rules *rules, int ordinal, const struct raft_config *config);
void rules_restart_transfer(struct rules *rules, int ordinal, const struct raft_config *config);

/* NULL: all pods are of the newest template. */
const char *rules_missing_rollout(const struct rules *rules);

/* ----------------------------------------------------------------------------------- rules_recovery.c */

/* These servers are crashed by order, each with these peers. */
void rules_recover(struct rules *rules, const bool *servers, const struct raft_config *peers);
void rules_tidy(struct rules *rules, int ordinal);

/* A process has taken its peers.json. */
void rules_recovered(struct rules *rules, int ordinal);

/* The tool says that the recovery is done; the servers of the replicas may still be on their way. */
void rules_recovery_done(struct rules *rules);

/* NULL: to refuse would be wrong; else what speaks against a recovery, which force would pass over or not. */
const char *rules_against_recovery(const struct rules *rules, bool force);

/* -------------------------------------------------------------------------------------- rules_drill.c */

void rules_drill_crash(struct rules *rules, const bool *servers);
void rules_drill_tick(struct rules *rules);

/* This is told, for the first time, from the last look: who leads; since_ms after the crash, or some time before (unseen). */
void rules_drill_told(struct rules *rules, enum told told, int who, bool unseen, int64_t since_ms);

/* NULL: to refuse would be wrong; else what speaks against the crash of this server; -1: of the leader. */
const char *rules_against_drill(const struct rules *rules, int ordinal);

/* --------------------------------------------------------------------------------------- rules_order.c */

const char *rules_order_name(enum order order);
bool rules_seen_wanted(const struct rules *rules, int ordinal, int replicas);
bool rules_seen_live(const struct seen_server *server);

/* False: there is no leader, which is a violation; or no cluster that the other rules are about. */
bool rules_check_agreement(struct rules *rules, enum order order, bool peers_too);

bool rules_same_peers(const struct raft_config *a, const struct raft_config *b);

/* It runs, maybe not for long any more, and votes to everybody who lives. */
bool rules_seen_voter(const struct rules *rules, int ordinal);

/* Every one of these votes, and every other of them has learnt it. */
void rules_check_settled(struct rules *rules, enum order order, const bool *servers);

/* Whether enough others live when it goes out of the peer set, or when these die at once. */
void rules_check_without(struct rules *rules, enum order order, const struct raft_config *config, int id);
void rules_check_sudden(struct rules *rules, enum order order, const bool *without);

/* So many of its voters lived, at the addresses that it has, as can decide something. */
bool rules_seen_quorum(const struct rules *rules, const struct raft_config *config);

void rules_violation(struct rules *rules, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
