/*
 * consul/keyring.h - another gossip key on a running cluster, nobody restarted.
 *
 * Secret NAME-gossip: gossip.json {"encrypt": KEY} is what a server without data begins with; "next" (present during a
 * rotation only) the key that is to come. In this order, each step told from the Secret and from the ring, so that a run that
 * was killed anywhere is continued by the next:
 *   1. next = a new key, in the Secret
 *   2. installed on every server, and seen in every server's ring
 *   3. used by every server
 *   4. gossip.json = the new key, in the Secret; next is gone
 *   5. the old keys removed from the ring
 * Every wanted server must be alive and in the gossip of all others, before each step: one that is away would come back
 * with the old key alone, and find nobody.
 *
 * A server that begins without data between 3 and 4 has a key that nobody sends with any more: it finds itself alone, and its
 * serf/local.keyring stays what it was whatever gossip.json says later (tried on 1.8.7). Step 4 follows 3 at once therefore;
 * the cure is to remove /consul/data/serf in the pod, and then the pod. The same goes for data left over from scaling down:
 * its claims are named in the last line that is told.
 *
 * A ring that has further keys beside the Secret's, which all use, is taken for an interrupted rotation: they are
 * removed, and no other one is begun. Whenever a run only goes on with an earlier one it says so: who changes a key
 * since it leaked has to know.
 *
 * Source: Consul's api-docs operator/keyring; serf's keymanager (a key in use is not removed). ACL: keyring:write,
 * and node:read for the snapshot.
 */
#ifndef CONSUL_KEYRING_H
#define CONSUL_KEYRING_H

#include <stdint.h>

#include "consul/access.h"
#include "consul/progress.h"
#include "consul/snapshot.h"
#include "kube/client.h"
#include "util/err.h"

/*
 * Rotates it. snapshot is fresh and stays as it is. ERR_REFUSED: somebody is missing, gossip is not encrypted, or the
 * Secret is none of deploy's. ERR_FORBIDDEN names the right of Kubernetes or of the ACL token that is missing.
 * progress: its errors as they are.
 */
int keyring_rotate(struct kube_client *client, const struct snapshot *snapshot, const struct access *access,
                   const struct progress *progress, int64_t deadline_ms, struct err *err)
    __attribute__((warn_unused_result));

#endif
