/*
 * consul/observe.h - one snapshot (consul/snapshot.h) of a real cluster: Kubernetes' objects, then every server asked.
 *
 * Blocks for about two round trips to the API server and one round of asking, however many servers there are.
 */
#ifndef CONSUL_OBSERVE_H
#define CONSUL_OBSERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "consul/access.h"
#include "consul/snapshot.h"
#include "kube/client.h"

/* The name of the StatefulSet when the user gives none. */
#define OBSERVE_DEFAULT_NAME "consul"

/* Most servers of a StatefulSet that are looked at; who asks for more has made a slip. */
#define OBSERVE_SERVERS_MAX 5000

struct observe_options {
	const char *namespace_name;
	const char *name;      /* of the StatefulSet; NULL: OBSERVE_DEFAULT_NAME, else the only one that runs Consul servers */
	struct access *access; /* NULL: auto, no token. What it finds of a token is left there */
	/*
	 * Also asks the leader for autopilot's settings (one more round), and what bootstrap_expect new servers will have
	 * (consul/expect.h; get on configmaps). Not known is no failure.
	 */
	bool autopilot;
	int64_t deadline_ms;   /* monotonic; for everything together */
};

/*
 * Fails when the StatefulSet cannot be found or read (ERR_NOT_FOUND with what is there instead; several
 * candidates are listed), or pods cannot be listed; ERR_TOO_LARGE beyond OBSERVE_SERVERS_MAX. Servers that do not
 * answer are no failure. ret_snapshot (SNAPSHOT_INIT) is released by the caller in either case.
 */
int observe(struct kube_client *client, const struct observe_options *options, struct snapshot *ret_snapshot,
	    struct err *err) __attribute__((warn_unused_result));

#endif
