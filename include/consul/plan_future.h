/*
 * consul/plan_future.h - a cluster as it is expected to be, for plans that are only shown. Used by src/consul/plan*.c only.
 *
 * The member list and the peer set that count are changed once, and every server that answers gets a copy: after a step
 * that has had its effect all agree.
 */
#ifndef CONSUL_PLAN_FUTURE_H
#define CONSUL_PLAN_FUTURE_H

#include "consul/diagnosis.h"
#include "consul/snapshot.h"

/* RFC 5737: nobody has it. */
#define PREDICTED_NET "192.0.2."

/* The planes that count, as they are to become. Owned. */
struct future {
	struct view view; /* members, peers, and of self what a new server has from the others */
	char *leader;     /* address; NULL: none */
};

/* From the planes that count now. */
void future_begin(const struct diagnosis *diagnosis, struct future *ret_future);
void future_release(struct future *future);

/* Every server that answers and is in raft learns it. */
void future_apply(const struct future *future, struct snapshot *snapshot);

/* This one does. */
void future_tell(const struct future *future, struct server *server);

void future_mark_member(struct view *view, const char *name, enum member_status status);
void future_drop_member(struct view *view, const char *name);
void future_drop_peer(struct view *view, const char *id_or_address);

/* Who leads when the present leader does not: the first other voter. */
void future_elect(struct future *future, const char *not_address);

/* The server is alive for gossip, and a voter. */
void future_list_server(const struct server *server, struct future *future);

/* It has left, and is in no raft. NULL: nobody has. */
void future_leave(struct future *future, const struct place *place);

/* The same of a node, whoever's it is. */
void future_force_leave(struct future *future, const char *node);

/* ------------------------------------------------------------------------------------- the snapshot */

/* A pod that runs and is ready; of one that is there, only its container. */
void predicted_pod(const struct snapshot *snapshot, struct server *server);
void predicted_container(const struct snapshot *snapshot, struct server *server);

/* What a server tells of itself; where the others leave cleanly, it does too. */
void future_add_self(const struct future *future, struct server *server);

void predicted_no_server(struct snapshot *snapshot, const char *name);
void predicted_no_claim(struct snapshot *snapshot, const char *name);

#endif
