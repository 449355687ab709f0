/*
 * kube/lease.h - one at a time: a Lease (coordination.k8s.io/v1) that says who is changing something.
 *
 * Held by renewing it; one that is not renewed for its duration may be taken over. Whether that time has passed is told by
 * the watcher's own monotonic clock, from the first time it saw that renewal, since clocks of machines differ. Every
 * write carries the resourceVersion it was decided on.
 *
 * RBAC: get, create and update on leases.coordination.k8s.io. Source: client-go tools/leaderelection, API reference.
 */
#ifndef KUBE_LEASE_H
#define KUBE_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "kube/client.h"
#include "util/err.h"

#define KUBE_LEASE_DURATION_S 20

struct kube_lease;

struct kube_lease_options {
	const char *namespace_name;
	const char *name;   /* of the Lease */
	const char *holder; /* who we are, for others to read: "alice@workstation (pid 1234, scale 5)" */
	int64_t duration_s; /* 0: KUBE_LEASE_DURATION_S */
};

/* Nothing is sent. Strings are copied; client is borrowed and must outlive it. */
struct kube_lease *kube_lease_new(struct kube_client *client, const struct kube_lease_options *options);

/*
 * Who changes it right now, as far as one look and this machine's clock can tell: *ret_holder is his text as in the errors
 * of take, or NULL when nobody holds it, or has not renewed it for long. Nothing is written. For people: who wants it calls
 * take. Not after take.
 */
int kube_lease_peek(struct kube_lease *lease, int64_t deadline_ms, char **ret_holder, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Told at every look while the lease of somebody else is waited for: who (escaped), since when he has not renewed it as far
 * as we saw, and how long that may still last.
 */
typedef void kube_lease_waiting(void *context, const char *holder, int64_t quiet_ms, int64_t left_ms);

/*
 * Takes the lease; blocks while another's may still be held, at most until it has expired. ERR_REFUSED when its holder is
 * alive (renewed or took it while we waited): names him and when he took it. ERR_INTERRUPTED, ERR_TIMEOUT at deadline_ms,
 * ERR_FORBIDDEN (names the rights; that a new one may be renewed is tried at once). After the first look, one that fails in
 * passing is tried again. waiting may be NULL.
 */
int kube_lease_take(struct kube_lease *lease, int64_t deadline_ms, kube_lease_waiting *waiting, void *context,
                    struct err *err) __attribute__((warn_unused_result));

/*
 * To be called often, while waiting too: renews when a third of the duration has passed. -1 when it is lost: somebody else
 * has it (ERR_CONFLICT, names him), it may not be renewed (ERR_FORBIDDEN, names the rights), or it could not be for so long
 * that somebody might have it (ERR_UNAVAILABLE: half of the duration, which leaves a change that is under way the rest). Any
 * other renewal that fails while there is time left is no failure; one that succeeds late is none either, since nobody has
 * taken it then. Blocks for one or two requests, at most 5 s each.
 */
int kube_lease_keep(struct kube_lease *lease, int64_t deadline_ms, struct err *err) __attribute__((warn_unused_result));

/*
 * Gives it back, so that nobody need wait: the object stays, without a holder. What fails is left to expiry. Does nothing
 * when it is not ours. To be called after a take that failed, too: an answer that was lost may have given it to us. After
 * Ctrl-C every request is interrupted at once: loop_set_interrupt(kube_client_loop(client), -1) comes first then.
 */
void kube_lease_release(struct kube_lease *lease, int64_t deadline_ms);

void kube_lease_free(struct kube_lease *lease); /* NULL is fine; does not give it back */

#endif
