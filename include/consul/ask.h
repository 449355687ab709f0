/*
 * consul/ask.h - asking Consul servers: one table of operations, each with two ways to it.
 *
 * tunnel: the agent's own HTTP API through kube/tunnel.h; needs neither a shell nor the CLI in the image.
 * exec:   the consul CLI in the container through kube/exec.h, several commands in one exec; uses whatever
 *         address, CA and token the container's environment has.
 * With ASK_NONE (auto) a server whose tunnel cannot be had (forbidden, closed port, TLS) is asked by exec instead.
 */
#ifndef CONSUL_ASK_H
#define CONSUL_ASK_H

#include <stddef.h>
#include <stdint.h>

#include "consul/access.h"
#include "consul/view.h"
#include "kube/client.h"
#include "kube/objects.h"

/* One server to be asked, and what it said. */
struct ask_target {
	/* in, borrowed */
	const struct kube_pod *pod;
	const struct kube_container *container;
	/* out: every plane known or with an err */
	struct view *view;
	/* internal */
	struct view **first;
};

/*
 * Asks all targets at the same time for members, raft configuration and themselves, by the way and with the token of access
 * (NULL: auto, none); blocks until each has answered or failed, at the latest at deadline_ms. Fails only when interrupted: a
 * server's failure is in its view.
 *
 * Who does not know the Secret's token is asked again: with the recovery token, then without. What it says to that one
 * is its view, with peers from itself; peers_err says then that it does not know the token.
 */
int ask_views(struct kube_client *client, struct ask_target *targets, size_t count, const struct access *access,
	      int64_t deadline_ms, struct err *err) __attribute__((warn_unused_result));

#endif
