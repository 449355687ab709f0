/*
 * keyring_parts.h - what src/consul/keyring*.c share.
 *
 *     keyring.c        doing it, step by step
 *     keyring_next.c   which step is next, from the Secret and the ring; who is missing. Pure
 */
#ifndef CONSUL_KEYRING_PARTS_H
#define CONSUL_KEYRING_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consul/snapshot.h"
#include "util/buf.h"
#include "util/err.h"
#include "util/str.h"

/* ------------------------------------------------------------------------------------------- ring */

/* One key in one pool: the LAN's, the WAN's. */
struct keyring_entry {
	size_t pool;   /* index in keyring.pools */
	char *key;     /* secret */
	int64_t holders;
	int64_t users; /* who encrypt with it; -1: this Consul (before 1.8) does not tell */
};

struct keyring_pool {
	bool is_wan;
	int64_t nodes; /* who answered: all that are alive */
};

struct keyring {
	struct keyring_pool *pools;
	size_t pool_count;
	struct keyring_entry *entries;
	size_t entry_count;
};

#define KEYRING_INIT { 0 }

/* The answer to GET /v1/operator/keyring. ERR_PROTOCOL quotes nothing of it. */
int keyring_decode(const char *text, size_t length, struct keyring *ret_ring, struct err *err)
    __attribute__((warn_unused_result));
void keyring_release(struct keyring *ring); /* wipes */

/* {"Key": KEY}, and gossip.json; freed by free_secret. */
char *keyring_body(const char *key) __attribute__((warn_unused_result));
char *keyring_gossip_file(const char *key) __attribute__((warn_unused_result));

/* The key in gossip.json; freed by free_secret. ERR_INVALID quotes nothing. */
int keyring_decode_gossip(const char *text, char **ret_key, struct err *err) __attribute__((warn_unused_result));

/* ------------------------------------------------------------------------------------ what is next */

enum keyring_step_kind {
	KEYRING_STEP_PREPARE, /* a new key is made, and written into the Secret as the next one */
	KEYRING_STEP_INSTALL, /* the next key */
	KEYRING_STEP_USE,     /* the next key */
	KEYRING_STEP_KEEP,    /* the next key is the key, in the Secret */
	KEYRING_STEP_REMOVE,  /* one that is neither */
	KEYRING_STEP_DONE,
	KEYRING_STEP_STRANGE, /* the ring does not have the Secret's key: somebody else rotates */
};

struct keyring_step {
	enum keyring_step_kind kind;
	const char *key; /* of INSTALL, USE, KEEP, REMOVE; borrowed from what keyring_next was given */
};

/*
 * current: the key in the Secret; next: the one that is to come, or NULL. begun: this run has made or found one, or has
 * removed an old one, and begins no other. used: every server has been told to use next, for a Consul that does not tell.
 */
struct keyring_step keyring_next(const struct keyring *ring, const char *current, const char *next, bool begun,
                                 bool used);

/* --------------------------------------------------------------------------------- who is missing */

/* ERR_REFUSED: gossip is not encrypted, or somebody is not alive in the gossip of everybody; with names. */
int keyring_check(const struct snapshot *snapshot, struct err *err) __attribute__((warn_unused_result));

/* How many are alive in the LAN's gossip, clients included. */
int64_t keyring_alive(const struct snapshot *snapshot);

/* The claims of servers that are no more wanted: their data has the old key. */
void keyring_leftovers(const struct snapshot *snapshot, struct strv *ret_claims);

#endif
