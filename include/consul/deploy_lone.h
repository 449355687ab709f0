/*
 * consul/deploy_lone.h - new servers that found nobody but themselves, and are never going to find each other.
 *
 * A server joins what its retry_join gives and calls that done: one that started when DNS knew nobody but itself has
 * joined itself. Lone servers wait for bootstrap_expect others, and there is no leader for ever.
 */
#ifndef CONSUL_DEPLOY_LONE_H
#define CONSUL_DEPLOY_LONE_H

#include <stddef.h>
#include <stdint.h>

#include "consul/access.h"
#include "consul/snapshot.h"
#include "kube/client.h"
#include "util/err.h"

/* Borrowed from the snapshot. */
struct deploy_lone {
	const struct server **servers; /* that share no member with target, by ordinal */
	size_t count;                  /* 0: there is nothing to join */
	const struct server *target;   /* the one of the lowest ordinal */
};

#define DEPLOY_LONE_INIT { 0 }

/*
 * Which servers are to be joined to which. Nobody, unless all of this holds for every server that runs (pure):
 *  - it answers: members, raft peers and itself
 *  - it knows no leader, is none, and has neither raft peers nor a log: it has never been part of a cluster
 *  - the live servers among its members are pods of this set
 * Servers that start see each other one after the other: only who is lone in two looks in a row is to be joined.
 */
void deploy_lone(const struct snapshot *snapshot, struct deploy_lone *ret_lone);
void deploy_lone_release(struct deploy_lone *lone);

/* The same text as long as the same pods are lone; NULL when nobody is. A new string. */
char *deploy_lone_key(const struct deploy_lone *lone) __attribute__((warn_unused_result));

/*
 * Has server join target (TELL_JOIN of consul/tell.h), by the way it was asked, and with the tokens of access (NULL:
 * none). Blocks until it has answered.
 */
int deploy_join(struct kube_client *client, const struct server *server, const struct server *target,
		const struct access *access, int64_t deadline_ms, struct err *err) __attribute__((warn_unused_result));

#endif
