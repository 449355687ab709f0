/*
 * consul/renew.h - new certificates on a running cluster, nobody restarted: the Secret is changed, kubelet brings it
 * into the pods (within a minute or two), and each server is told to reload until its HTTPS port presents the new one.
 *
 * All of ca.crt, tls.crt and tls.key are in one Secret, NAME-tls, which a volume shows as a whole: a server that presents the
 * new certificate has loaded the bundle that came with it. So another authority takes three turns, each with a certificate
 * of its own:
 *   1. bundle old+new, certificate by the old one      everybody trusts both
 *   2. bundle old+new, certificate by the new one
 *   3. bundle new,     certificate by the new one      nobody trusts the old one
 * Secret NAME-ca has the authority in use (tls.crt, tls.key) and during such a change the next one (next.crt,
 * next.key). How far a change is, is told from these two Secrets: a run that was killed anywhere is continued by the
 * next.
 *
 * ACL: agent:write (reload). Servers are reloaded one at a time; one that does not take the certificate stops it all.
 */
#ifndef CONSUL_RENEW_H
#define CONSUL_RENEW_H

#include <stdint.h>

#include "consul/access.h"
#include "consul/certificate.h"
#include "consul/progress.h"
#include "consul/snapshot.h"
#include "kube/client.h"
#include "util/err.h"

struct renew_request {
	const char *datacenter;
	const char *cluster_domain;         /* "cluster.local" */
	const struct key_pair *authority;   /* the user's own, with key; NULL: that of the Secret, or another one that is made */
	const char *key_in_use;             /* secret: of the authority in use, where its Secret has none and authority is another */
	bool new_authority;                 /* change to authority, or (NULL) to one that is made */
};

/*
 * Renews. snapshot is fresh; every wanted server must be alive. ERR_REFUSED: somebody is missing, TLS is off, the
 * Secret is none of deploy's, or the key of the authority in use is not there to be had (the user keeps it) and was not
 * given. ERR_TIMEOUT: a server still presents the old one; which, and that running it again goes on. progress: its
 * errors as they are.
 */
int renew_certificates(struct kube_client *client, const struct snapshot *snapshot, const struct access *access,
                       const struct renew_request *request, const struct progress *progress, int64_t deadline_ms,
                       struct err *err) __attribute__((warn_unused_result));

#endif
