/*
 * consul/acl.h - ACLs of a cluster that deploy made: bootstrapped once, and the tokens that the servers themselves need.
 *
 * Secrets, made by deploy before the first server starts (consul/manifest.h):
 *   NAME-acl            agent.json  {"acl":{"tokens":{"agent":"UUID","agent_master":"R"}}}, read by every server as
 *                                   configuration
 *                       probe       "X-Consul-Token: P", the readiness probe's header
 *   NAME-acl-bootstrap  token       the management token; no pod mounts it
 *                       recovery    R, the recovery token of every server
 * The UUIDs exist before Consul knows them: a token is made in Consul with the secret that its Secret has, so that
 * nothing has to be restarted or written back. Only the management token of a Consul before 1.11, which chooses it
 * itself, is.
 *
 * An unknown token is refused, whatever the default policy: where that is "deny" nobody but the leader is ready until P
 * is made in Consul. So ACLs are set up as soon as there is a leader, not when all servers are ready. In a cluster of
 * which some servers run without ACLs still, a server with ACLs answers "ACL not found" on 1.8.7 (tried), to the
 * anonymous as well: it asks the leader, which has no ACLs.
 *
 * R is known to each server from its configuration alone. Servers keep the other tokens in what raft replicates: one that was
 * restarted and has no leader since, or has lost its data, answers "ACL not found" to each of them (tried on 1.8.7),
 * and only R makes it tell about itself: agent:read and agent:write, node:read; not operator:read. The key has the name
 * that Consul has read since 1.4; from 1.11 on it is "agent_recovery", which is fatal to older ones, and the old name
 * is read with a warning in the log. A cluster that was deployed without R gets one by the next deploy; its servers
 * have it from their next start.
 *
 * Policies kubectl-consul-probe (operator "read") and kubectl-consul-agent (node_prefix "" write, service_prefix "" read),
 * and a token with each.
 *
 * Sources: Consul's api-docs acl, acl/policies, acl/tokens (SecretID on create from 1.5; BootstrapSecret from 1.11);
 * agent_master: agent/config/deprecated.go, "acl.tokens.agent_recovery" in the docs of the configuration;
 * "acl-bootstrap-reset" in the data directory of the leader (docs, "Reset the ACL system"): on 1.8.7 it counts on the leader
 * only, and Consul removes it.
 */
#ifndef CONSUL_ACL_H
#define CONSUL_ACL_H

#include <stdbool.h>
#include <stdint.h>

#include "consul/access.h"
#include "consul/snapshot.h"
#include "kube/client.h"
#include "util/err.h"

/* Told of each thing that was done: "ACLs bootstrapped; the management token is in secret/consul-acl-bootstrap". */
typedef void acl_tell(void *context, const char *line);

/*
 * Does what is missing, told from the Secrets and from Consul; nothing is done twice, and a run that was killed anywhere is
 * continued by the next. The recovery token is seen to last, and hinders nothing. Where Consul knows the servers' own
 * tokens nothing is missing, and no management token is needed: its Secret may have been put away, and the user's own
 * token may do less.
 *
 * Where the management token was lost (Consul says that it is bootstrapped already, and the Secret's token is unknown to it)
 * bootstrapping is reset as Consul documents it, through pods/exec into the leader, and done again; but only if reset is set
 * (deploy --reset-acls), otherwise ERR_REFUSED with that command. With reset the Secret must be there, and the
 * management token is looked at although the servers' own are known.
 *
 * ERR_UNAVAILABLE: no server answers yet, there is no leader yet, or servers without ACLs are left: try again later.
 * ERR_FORBIDDEN: the Secrets, pods/portforward, or a token of the user's that is unknown or too weak to make what is missing.
 * ERR_NOT_FOUND, ERR_INVALID: the Secrets. A Consul before 1.11 gives its token out once: whoever is killed before it
 * is written has to reset. Blocks. Afterwards access has the management token, unless the user gave one or its Secret
 * is not there.
 */
int acl_setup(struct kube_client *client, const struct snapshot *snapshot, struct access *access, bool reset,
              acl_tell *tell, void *tell_context, int64_t deadline_ms, struct err *err)
    __attribute__((warn_unused_result));

#endif
