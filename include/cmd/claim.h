/*
 * cmd/claim.h - the Lease "SET-kubectl-consul" (kube/lease.h): nobody else changes this cluster meanwhile.
 */
#ifndef CMD_CLAIM_H
#define CMD_CLAIM_H

#include <stdint.h>

#include "cmd/cmd.h"
#include "cmd/connect.h"
#include "kube/lease.h"
#include "util/err.h"
#include "util/term.h"

/* Nothing is sent. label, "scale 5", is how others see what it is held for. Freed by kube_lease_free or claim_give_back. */
struct kube_lease *claim_new(const struct cmd_context *context, const struct connection *connection,
                             const char *set_name, const char *label) __attribute__((warn_unused_result));

/* Takes it, and shows on live whom it waits for. Errors as of kube_lease_take. */
int claim_take(struct kube_lease *lease, struct term_live *live, int64_t deadline_ms, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Gives it back and frees it; NULL is fine. After Ctrl-C and after a failed take, too: whoever comes next need not wait. A
 * second Ctrl-C ends the process.
 */
void claim_give_back(const struct cmd_context *context, const struct connection *connection, struct kube_lease *lease);

#endif
