/*
 * acl_parts.h - what src/consul/acl*.c share.
 *
 *     acl.c             doing what is missing, step by step; policies and tokens
 *     acl_bootstrap.c   asking Consul; the management token, until it is known and kept
 *     acl_recovery.c    the token that servers know without a leader
 *     acl_next.c        which step is next; what Secrets and Consul say. Pure
 */
#ifndef CONSUL_ACL_PARTS_H
#define CONSUL_ACL_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "consul/acl.h"
#include "consul/agent.h"
#include "consul/progress.h"
#include "util/err.h"

/* ------------------------------------------------------------------------------- what Consul says */

enum acl_word {
	ACL_WORD_FINE,
	ACL_WORD_UNKNOWN_TOKEN, /* 403 "ACL not found": of the token that was sent */
	ACL_WORD_DENIED,        /* 403 "Permission denied": that token may not */
	ACL_WORD_OFF,           /* 401 "ACL support disabled": on this server */
	ACL_WORD_NOT_YET,       /* no leader, or servers without ACLs are left ("legacy mode") */
	ACL_WORD_TAKEN,         /* a token with this secret, a policy of this name: they are there */
	ACL_WORD_BOOTSTRAPPED,  /* a second time only with the index that it names */
	ACL_WORD_TOO_OLD,       /* 404: no such API, a Consul before 1.4 */
	ACL_WORD_OTHER,
};

/* Of BOOTSTRAPPED *ret_reset_index is the index; not touched otherwise. */
enum acl_word acl_read(long http_status, const char *text, int64_t *ret_reset_index);

/* The management token in the answer to bootstrapping: a new string, freed by free_secret. */
int acl_decode_bootstrap(const char *text, size_t length, char **ret_token, struct err *err)
    __attribute__((warn_unused_result));

/* -------------------------------------------------------------------- the tokens that servers need */

enum { ACL_PROBE, ACL_AGENT, ACL_TOKENS };

/* Name of the policy, and the description of its token. */
const char *acl_policy_name(int which);

/* Which of the policies are in the answer to /v1/acl/policies. */
int acl_decode_policies(const char *text, size_t length, bool has[ACL_TOKENS], struct err *err)
    __attribute__((warn_unused_result));

/* Bodies of requests; new strings, the second one freed by free_secret. */
char *acl_policy_body(int which) __attribute__((warn_unused_result));
char *acl_token_body(int which, const char *secret) __attribute__((warn_unused_result));

/* Of the keys "agent.json" and "probe" of Secret NAME-acl; new strings, freed by free_secret. ERR_INVALID quotes nothing. */
int acl_decode_agent(const char *text, char **ret_token, struct err *err) __attribute__((warn_unused_result));
int acl_decode_probe(const char *text, char **ret_token, struct err *err) __attribute__((warn_unused_result));

/* The recovery token in the key "agent.json"; NULL: there is none. A new string, freed by free_secret. */
char *acl_decode_recovery(const char *text) __attribute__((warn_unused_result));

/* That key with the recovery token added, and nothing else changed; text has passed acl_decode_agent. free_secret. */
char *acl_agent_text(const char *text, const char *recovery) __attribute__((warn_unused_result));

/* ------------------------------------------------------------------------------------- what is next */

enum acl_known { ACL_NOT_ASKED, ACL_YES, ACL_NO };

struct acl_state {
	bool given;               /* the management token is the user's own: nothing is bootstrapped */
	bool missing;             /* its Secret is not there, or may not be read */
	bool may_reset;
	enum acl_known management; /* Consul knows the management token */
	bool bootstrapped;        /* Consul will not do it again without a reset */
	bool unkept;              /* the management token is not in its Secret yet */
	bool policies_asked;
	bool policy[ACL_TOKENS];
	enum acl_known token[ACL_TOKENS];
};

enum acl_step_kind {
	ACL_STEP_ASK_MANAGEMENT,
	ACL_STEP_BOOTSTRAP,
	ACL_STEP_RESET,
	ACL_STEP_KEEP, /* the management token in its Secret: before anything else can go wrong */
	ACL_STEP_ASK_POLICIES,
	ACL_STEP_ADD_POLICY,
	ACL_STEP_ASK_TOKEN,
	ACL_STEP_ADD_TOKEN,
	ACL_STEP_DONE,
	/* nothing can be done: */
	ACL_STEP_MISSING,     /* there is no management token to make the servers' with */
	ACL_STEP_LOST,        /* bootstrapped, the token is lost, and it may not be reset */
	ACL_STEP_NOT_GIVEN,   /* the user's own token is none */
};

struct acl_step {
	enum acl_step_kind kind;
	int which; /* of ADD_POLICY, ASK_TOKEN, ADD_TOKEN */
};

struct acl_step acl_next(const struct acl_state *state);

/* ------------------------------------------------------------------------------------------ doing */

/* Of the Secret NAME-acl-bootstrap. */
#define ACL_KEY_TOKEN "token"

struct acl_setup {
	struct kube_client *client;
	const struct snapshot *snapshot;
	struct access *access;
	struct progress progress;
	int64_t deadline_ms;

	const struct server *leader;
	cJSON *servers;   /* Secret NAME-acl */
	char *name;       /* of the management token's Secret */
	cJSON *secret;    /* that */
	struct err missing; /* why there is none */
	char *management; /* secret, as below */
	char *tokens[ACL_TOKENS];
	int64_t reset_index;
	int resets;
	struct acl_state state;
};

/* Reads the management token's Secret, also again when somebody has changed it. */
int acl_read_management(struct acl_setup *setup, struct err *err) __attribute__((warn_unused_result));

/* Everything is said to the leader itself: bootstrapping is reset by a file there. ERR_UNAVAILABLE: there is none. */
int acl_find_leader(struct acl_setup *setup, struct err *err) __attribute__((warn_unused_result));

/* One request to the leader, with the management token unless call has one. The caller releases call. */
int acl_ask(const struct acl_setup *setup, struct agent_call *call, struct err *err)
    __attribute__((warn_unused_result));
enum acl_word acl_word_of(struct acl_setup *setup, const struct agent_call *call);

/* Of an answer that is none of those that a step can go on with. Returns -1. */
int acl_refused(const struct acl_setup *setup, const struct agent_call *call, enum acl_word word, const char *what,
                struct err *err);

/* Steps. */
int acl_ask_management(struct acl_setup *setup, struct err *err) __attribute__((warn_unused_result));
int acl_bootstrap(struct acl_setup *setup, struct err *err) __attribute__((warn_unused_result));
int acl_reset(struct acl_setup *setup, struct err *err) __attribute__((warn_unused_result));
int acl_keep(struct acl_setup *setup, struct err *err) __attribute__((warn_unused_result));

/*
 * Sees to it that both Secrets have the same recovery token, and gives it to access: those of a cluster that was deployed
 * without one get one. Nothing is done where the management token was put away, and what else goes wrong is told only:
 * nothing fails without it. Fails when interrupted.
 */
int acl_keep_recovery(struct acl_setup *setup, struct err *err) __attribute__((warn_unused_result));

#endif
