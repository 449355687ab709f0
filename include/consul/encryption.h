/*
 * consul/encryption.h - what of a cluster is encrypted, from what its servers tell of themselves. Pure.
 *
 * Used by health's screen and report, and by the checks of consul/check_encryption.c. Servers that did not tell do not
 * count: unknown is neither good nor bad here.
 */
#ifndef CONSUL_ENCRYPTION_H
#define CONSUL_ENCRYPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "consul/snapshot.h"
#include "util/str.h"

/* PARTLY: on some servers, or in one direction only. */
enum encrypted { ENCRYPTED_UNKNOWN, ENCRYPTED_NONE, ENCRYPTED_PARTLY, ENCRYPTED_FULLY };

const char *encrypted_name(enum encrypted encrypted); /* "unknown", "none", "partly", "fully" */

struct encryption {
	enum encrypted gossip;
	enum encrypted rpc;    /* fully: TLS between all servers, both ends verified */
	enum encrypted https;  /* the port that servers are asked at; a second, plain one is not seen */
	bool has_certificates; /* some server's is known */
	int64_t days_left;     /* of the one that expires first; negative: it has expired */
};

void encryption_of(const struct snapshot *snapshot, struct encryption *ret);

/* One server's RPC: fully where it speaks TLS and accepts nothing else. */
enum encrypted encryption_rpc(const struct server *server);

/* Whether deploy made this cluster, and whether its servers have their certificates from deploy's Secret NAME-tls. */
bool encryption_is_ours(const struct kube_statefulset *set);
bool encryption_has_our_certificates(const struct kube_statefulset *set);

/*
 * One line for people, UTF-8: "encrypted  gossip · RPC, verified both ways · HTTPS; certificates: 364 days left". New
 * string; NULL when nothing is known.
 */
char *encryption_line(const struct encryption *encryption);

#endif
