/*
 * consul/expect.h - bootstrap_expect as a server will have it that starts now: where it is to be read, and how it is
 * changed. Pure.
 *
 * Sources: Consul agent configuration reference (a flag wins over a file; bootstrap_expect 1 is the same as bootstrap),
 * agent/consul/server_serf.go (the tags "bootstrap" and "expect"), docker-entrypoint.sh of the images
 * (CONSUL_LOCAL_CONFIG).
 */
#ifndef CONSUL_EXPECT_H
#define CONSUL_EXPECT_H

#include <cjson/cJSON.h>

#include "consul/snapshot.h"
#include "kube/client.h"
#include "util/err.h"

/*
 * The servers' configuration in a ConfigMap that deploy made; NULL when it has none. Owned by the caller. ERR_INVALID
 * when it cannot be read.
 */
int expect_config(const cJSON *config_map, cJSON **ret_config, struct err *err) __attribute__((warn_unused_result));

/*
 * Fills an empty state. The first of these that tells:
 *  - of a set that deploy made, the ConfigMap, which config_map asked for. Where it may not be read, or tells nothing, the
 *    others do, and err says why; where it could not be read this time, nothing is known.
 *  - the command line of the container that runs Consul, scripts included; then its CONSUL_LOCAL_CONFIG. Several numbers
 *    in one script tell nothing.
 *  - the tag of a server that runs, if the leader (NULL: none) has a live one that was started to bootstrap alone
 */
void expect_read(const struct snapshot *snapshot, const struct kube_call *config_map, const struct server *leader,
		 struct expect_state *ret_state);

/*
 * The ConfigMap that deploy would apply, with this number in it and all else of the configuration as it was seen, and
 * only if it still is that version. For an expect_state that can be changed. New string.
 */
char *expect_apply(const struct snapshot *seen, int64_t expect) __attribute__((warn_unused_result));

void expect_release(struct expect_state *state);

#endif
