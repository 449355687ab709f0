/*
 * renew_parts.h - what src/consul/renew*.c share.
 *
 *     renew_next.c   what is to be done next, from the Secrets and what the servers present; with the certificates. No socket.
 *     renew.c        the loop that does it, in a world
 *     renew_kube.c   the world: Kubernetes and Consul
 */
#ifndef CONSUL_RENEW_PARTS_H
#define CONSUL_RENEW_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consul/renew.h"

/* ---------------------------------------------------------------------------------------------- next */

/* What the two Secrets hold. */
struct renew_state {
	char *bundle, *certificate; /* NAME-tls: ca.crt, tls.crt */
	struct key_pair authority;  /* NAME-ca: tls.crt, tls.key (NULL: the user keeps it) */
	struct key_pair next;       /* next.crt, next.key; no certificate: no change of authority is under way */
};

void renew_state_release(struct renew_state *state);

enum renew_kind {
	RENEW_DONE,
	RENEW_SETTLE,      /* every server has to present what NAME-tls has before anything else */
	RENEW_CERTIFICATE, /* a new one by the same authority */
	RENEW_PREPARE,     /* the next authority is kept in NAME-ca, for whoever goes on */
	RENEW_TRUST_BOTH,  /* turn 1 */
	RENEW_USE_NEW,     /* turn 2 */
	RENEW_TRUST_NEW,   /* turn 3 */
	RENEW_ADOPT,       /* the next authority is the one in use */
};

/* What is done next, and for a change of a Secret what it holds then: NULL is not changed. Owned. */
struct renew_step {
	enum renew_kind kind;
	char *bundle;              /* of NAME-tls, with */
	struct key_pair server;
	struct key_pair authority; /* of NAME-ca: after RENEW_ADOPT */
	struct key_pair next;      /* of NAME-ca: after RENEW_PREPARE */
};

#define RENEW_STEP_INIT { 0 }
void renew_step_release(struct renew_step *step);

/* For whom. Borrowed. */
struct renew_order {
	const struct renew_request *request;
	const char *name;
	const char *namespace_name;
	int64_t now_s;
	bool settled; /* every server presents the certificate of NAME-tls */
	bool begun;   /* what was asked for, this run or an earlier one has begun: nothing new is to begin */
};

/* ERR_REFUSED as in consul/renew.h; ERR_INVALID: the Secrets do not fit together. */
int renew_next(const struct renew_state *state, const struct renew_order *order, struct renew_step *ret_step,
               struct err *err) __attribute__((warn_unused_result));

/* --------------------------------------------------------------------------------------------- doing */

/* What the loop does to the outside. Each function blocks for a time of its own at most. */
struct renew_world {
	void *context;
	size_t count; /* of servers */
	const char *(*server_name)(void *context, size_t server);

	int (*read)(void *context, struct renew_state *ret_state, struct err *err);

	/* Changes the Secrets as they were read last: ERR_CONFLICT when somebody else has changed them. */
	int (*write)(void *context, const struct renew_step *step, struct err *err);

	/* The certificate that the server presents; NULL: it has no HTTPS. */
	int (*present)(void *context, size_t server, char **ret_pem, struct err *err);

	/* Tells the server to read its files again. */
	int (*reload)(void *context, size_t server, struct err *err);

	/* Asks kubelet to bring the Secret into the pod now. That it may not is no error. */
	int (*hurry)(void *context, size_t server, const char *fingerprint, struct err *err);

	int64_t (*now_ms)(void *context);
	int64_t (*now_s)(void *context);
	int (*sleep)(void *context, int64_t milliseconds, struct err *err);
};

/* order's now_s, settled and begun are the loop's own. */
int renew_run(const struct renew_world *world, struct renew_order *order, const struct progress *progress,
              int64_t deadline_ms, struct err *err) __attribute__((warn_unused_result));

#endif
