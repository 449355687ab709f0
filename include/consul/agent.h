/*
 * consul/agent.h - one request to one server's HTTP API, for what is more than a question (consul/ask.h) or an order
 * (consul/tell.h): ACLs, the keyring, reload. Through a tunnel only, since what is sent and answered holds secrets.
 *
 * RBAC: as kube/tunnel.h.
 */
#ifndef CONSUL_AGENT_H
#define CONSUL_AGENT_H

#include <stdint.h>

#include "consul/access.h"
#include "consul/snapshot.h"
#include "kube/client.h"
#include "util/buf.h"
#include "util/err.h"

/* One request and its answer. Initialise with AGENT_CALL_INIT. */
struct agent_call {
	/* in, borrowed */
	enum kube_method method;
	const char *path;  /* "/v1/acl/bootstrap" */
	const char *body;  /* secret; NULL: none */
	const char *token; /* secret; instead of access'; "": none is sent; NULL: access' */

	/* out */
	long http_status;
	struct buf answer; /* secret */
};

#define AGENT_CALL_INIT { .answer = { .max = 16 * 1024 * 1024, .secret = true } }
void agent_call_release(struct agent_call *call);

/*
 * Sends it and blocks until it is answered, at the latest at deadline_ms. 0: there is an answer, whatever its status.
 * Otherwise the errors of kube/tunnel.h; ERR_FORBIDDEN with a hint that names pods/portforward where that may not be used.
 */
int agent_call(struct kube_client *client, const struct server *server, const struct access *access,
               struct agent_call *call, int64_t deadline_ms, struct err *err) __attribute__((warn_unused_result));

/* What Consul said, in one line fit to be shown, cut after 300 bytes; for answers that hold no secret. New string. */
char *agent_words(const struct agent_call *call) __attribute__((warn_unused_result));

/*
 * The certificate that the server's HTTPS port presents now, leaf only, PEM; also of one that is asked by plain HTTP
 * still. NULL in *ret_pem: it has no HTTPS port that can be told from its container (consul/ask_way.h). Blocks as
 * agent_call; errors the same.
 */
int agent_certificate(struct kube_client *client, const struct server *server, int64_t deadline_ms, char **ret_pem,
                      struct err *err) __attribute__((warn_unused_result));

#endif
