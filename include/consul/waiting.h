/*
 * consul/waiting.h - why one server is not there yet, in one line for people: from its pod and container, from what raft
 * says of it, and from Kubernetes' events.
 */
#ifndef CONSUL_WAITING_H
#define CONSUL_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "consul/snapshot.h"
#include "kube/client.h"
#include "util/err.h"

struct waiting {
	char *reason;        /* one line, escaped: "cannot pull image: …", "starting", "joined, not a voter yet". Owned */
	bool broken;         /* hardly comes by itself: an image that cannot be pulled, a crash loop, … */
	bool look_at_events; /* Kubernetes' events may tell more: waiting_explain_by_events */
};

#define WAITING_INIT { 0 }

/* peer and voter: what the peer set that counts says of the server (consul/assess.h). Always gives a reason. Pure. */
void waiting_explain(const struct server *server, bool peer, bool voter, struct waiting *ret_waiting);

/*
 * Adds what events say, if waiting->look_at_events: "…: FailedCreate: …". Events that cannot be read are no failure and
 * add nothing; an interrupt is one. Needs "list" on events.
 */
int waiting_explain_by_events(struct kube_client *client, const struct snapshot *snapshot, const struct server *server,
                              int64_t deadline_ms, struct waiting *waiting, struct err *err)
	__attribute__((warn_unused_result));

/*
 * The same in two parts, for several servers with one request: the namespace's warnings (NULL when they cannot be read;
 * cJSON_Delete), and what they say of one server, which is pure. NULL events add nothing.
 */
int waiting_read_events(struct kube_client *client, const struct snapshot *snapshot, int64_t deadline_ms,
                        cJSON **ret_events, struct err *err) __attribute__((warn_unused_result));
void waiting_add_event(const cJSON *events, const struct snapshot *snapshot, const struct server *server,
                       struct waiting *waiting);

void waiting_release(struct waiting *waiting);

#endif
