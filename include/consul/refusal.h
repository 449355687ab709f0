/*
 * consul/refusal.h - what Consul's ACLs, or Kubernetes' RBAC, refused: told from errors, and what it would take.
 *
 * Used by consul/assess.c, consul/check_*.c and consul/remedy.c.
 *
 * Sources: Consul's api-docs, "ACL Required": agent/members node:read (without it the list is empty, with status 200),
 * agent/self agent:read, operator/raft operator:read.
 */
#ifndef CONSUL_REFUSAL_H
#define CONSUL_REFUSAL_H

#include <stdbool.h>

#include "consul/diagnosis.h"
#include "util/err.h"

/* Whether err is a refusal of Consul's ACLs: no token, one that lacks a right, or one that is unknown. */
bool refusal_is_acl(const struct err *err);

/* The first such err of a server's, in the order self, members, raft peers; NULL: there is none. */
const struct err *refusal_first(const struct view *view);

/* What err says; of a refusal by tunnel without what exec, which was tried then, said. New string. */
char *refusal_words(const struct err *err);

/* Some server does not know the token at all. */
bool refusal_is_unknown_token(const struct diagnosis *diagnosis);

/*
 * The server did not know the token, and told about itself to its recovery token or to nobody (consul/ask.h): its view
 * has all that is needed.
 */
bool refusal_was_got_round(const struct view *view);

/*
 * There is no leader, some server tells, and those that refuse do not know the token: without one since they started
 * they know none.
 */
bool refusal_lacks_leader(const struct diagnosis *diagnosis);

/* Servers answer, and what they refuse is why nobody tells who leads: that there is no leader cannot be said then. */
bool refusal_hides_leader(const struct diagnosis *diagnosis);

/*
 * Why, and what it would take, in one line: whose token was shown, and the rules that what was refused needs. New string.
 */
char *refusal_cause(const struct diagnosis *diagnosis);

/* Whom Kubernetes refuses, as its own words name him: "jane". New string; NULL: they name nobody. */
char *refusal_user(const struct err *err);

#endif
