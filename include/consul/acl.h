/*
 * consul/acl.h - ACLs of a cluster that deploy made: bootstrapped once, and the tokens that the servers themselves need.
 *
 * Secrets, made by deploy before the first server starts (consul/manifest.h):
 *   NAME-acl            agent.json  {"acl":{"tokens":{"agent":"UUID"}}}, read by every server as configuration
 *                       probe       "X-Consul-Token: UUID", the readiness probe's header
 *   NAME-acl-bootstrap  token       the management token; no pod mounts it
 * The UUIDs exist before Consul knows them: a token is made in Consul with the secret that its Secret has, so that nothing has to
 * be restarted or written back. Only the management token of a Consul before 1.11, which chooses it itself, is.
 *
 * Policies kubectl-consul-probe (operator "read") and kubectl-consul-agent (node_prefix "" write, service_prefix "" read),
 * and a token with each.
 *
 * Sources: Consul's api-docs acl, acl/policies, acl/tokens (SecretID on create from 1.5; BootstrapSecret from 1.11);
 * "acl-bootstrap-reset" in the data directory of the leader (docs, "Reset the ACL system").
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
 * continued by the next. Where the token was lost (Consul says that it is bootstrapped already, and the Secret's token is
 * unknown to it) bootstrapping is reset as Consul documents it, through pods/exec into the leader, and done again; but only
 * if reset is set, otherwise ERR_REFUSED, whose hint says so.
 *
 * ERR_UNAVAILABLE: no server answers yet, or there is no leader yet: try again later. ERR_FORBIDDEN: the Secrets, or
 * pods/portforward. Afterwards access has the management token, unless the user gave one.
 */
int acl_setup(struct kube_client *client, const struct snapshot *snapshot, struct access *access, bool reset,
              acl_tell *tell, void *tell_context, int64_t deadline_ms, struct err *err)
    __attribute__((warn_unused_result));

#endif
