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
};

struct seen {
	bool any;
	int replicas;
	bool observed;            /* the controller has seen the last change */
	struct seen_server servers[ORDINALS];
	int ids[ORDINALS];        /* on the disks */
	struct raft_config committed;
	int min_quorum;
	int expect;
};

enum order { ORDER_NONE, ORDER_REPLICAS, ORDER_LEAVE, ORDER_FORCE_LEAVE, ORDER_PRUNE, ORDER_REMOVE_PEER, ORDER_TRANSFER,
	     ORDER_MIN_QUORUM, ORDER_DELETE_CLAIM, ORDER_EXPECT };

/* What the tool was asked to do, as far as the rules need it. */
struct wish {
	bool scale;
	int replicas;
	bool force, delete_claims, prune;
	bool strangers_stay;      /* what is left of servers cannot be told from servers elsewhere: other names, other runs */
	bool named[ORDINALS];     /* reap: these */
	bool any_named;
};

struct rules {
	struct model *model;
	struct seen seen, looking; /* looking: the look that has not ended */
	bool blind;                /* the last look has failed */
	struct wish wish;
	int orders;
	int violations;
	bool lost_told;
};

/* What order is about: an ordinal, a number of replicas or of the quorum, or the id of a peer. */
void rules_order(struct rules *rules, enum order order, int subject);

/* The tool says that this order has had its effect. */
void rules_effect(struct rules *rules, enum order order, int subject);

void rules_look_begins(struct rules *rules);
void rules_look_asked(struct rules *rules, int ordinal, bool answered, bool half);
void rules_look_ends(struct rules *rules, bool whole);

void rules_tick(struct rules *rules);
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

void rules_violation(struct rules *rules, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
