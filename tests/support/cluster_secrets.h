/*
 * cluster_secrets.h - the Secrets of a scripted cluster, the ACLs of its Consul, and its gossip keys: they remember
 * what they are told.
 *
 *     struct cluster_secrets secrets = { .cluster = cluster, .chooses = true };
 *     cluster_secrets_begin(&secrets);
 *     cluster_secrets_put(&secrets, "consul-gossip", "gossip.json", "{\"encrypt\":\"A\"}");
 *     … run the program; cluster_secrets_get(&secrets, "consul-gossip", "next") …
 *     cluster_stop(cluster);
 *     cluster_secrets_end(&secrets);
 *
 * A Secret is read, and changed by merge patches with a resourceVersion. Consul's words are those of 1.8.7.
 */
#ifndef SUPPORT_CLUSTER_SECRETS_H
#define SUPPORT_CLUSTER_SECRETS_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "cluster.h"
#include "util/str.h"

enum { CLUSTER_KEYS_MAX = 8 };

struct cluster_key {
	char *key; /* NULL: none */
	int holders, users;
};

struct cluster_secrets {
	struct cluster *cluster; /* must be stopped before the end */

	/* Consul's ACLs */
	const char *acl_refusal; /* what all of the ACL API answers, with acl_status; NULL: nothing special */
	int acl_status;
	bool chooses;        /* bootstrapping takes no secret (before 1.11) */
	bool bootstrapped;
	bool reset;          /* the right index is in the leader's file */
	struct strv managers, tokens, policies; /* secrets, secrets, names */

	/* its keyring */
	int nodes;           /* 0: 3 */
	bool hides_users;    /* before 1.8: no PrimaryKeys */
	int slow_install;    /* so many do not take it the first time */
	struct cluster_key keys[CLUSTER_KEYS_MAX];

	/* The write of this number (from 1; 0: none) fails; with after, when it was done. */
	int fail_at;
	bool fail_after;
	int writes; /* so far */

	/* its own */
	struct apiserver_route routes[5];
	struct apiserver_exec execs[2];
	cJSON *secrets;
	int version;
};

void cluster_secrets_begin(struct cluster_secrets *secrets);
void cluster_secrets_end(struct cluster_secrets *secrets);

/* One key of a Secret, as text; NULL: removed. */
void cluster_secrets_put(struct cluster_secrets *secrets, const char *name, const char *key, const char *text);

/* A new string; NULL: there is none. */
char *cluster_secrets_get(struct cluster_secrets *secrets, const char *name, const char *key);

/* Somebody adds a key to the ring. */
void cluster_secrets_add_key(struct cluster_secrets *secrets, const char *key, int holders, int users);

/* "A 3/3, B 3/0": the keys with holders and users, in the order in which they came; a new string. */
char *cluster_secrets_ring(const struct cluster_secrets *secrets);

#endif
