/*
 * cmd/deploy_parts.h - what the files of `deploy` share. Used by src/cmd/deploy*.c only.
 */
#ifndef CMD_DEPLOY_PARTS_H
#define CMD_DEPLOY_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/cmd.h"
#include "cmd/connect.h"
#include "cmd/deploy_options.h"
#include "consul/deploy.h"
#include "consul/snapshot.h"
#include "kube/lease.h"
#include "util/err.h"

/* Reading and applying all objects. */
#define DEPLOY_APPLY_TIMEOUT_MS ((int64_t)60 * 1000)
/* Replacing servers, and rotating keys, when --timeout does not say. */
#define DEPLOY_ROLL_TIMEOUT_MS ((int64_t)15 * 60 * 1000)

/* One run. */
struct deploying {
	const struct cmd_context *context;
	const struct deploy_options *options;
	struct connection connection;
	struct deploy_inputs inputs;
	struct deploy_request request;
	struct kube_lease *lease; /* held from before the plan that is carried out until the end; NULL: not needed yet */
	bool applied;             /* this is not the first go: what does not change is not told again */
	bool warned;              /* nor are warnings */
};

/* --------------------------------------------------------------------- deploy_apply.c: sending, or showing instead */

/* Sends all objects of the plan, in the way of --dry-run, and tells of each on context->output, unless quiet. */
int deploy_apply(struct deploying *deploying, struct deploy_plan *plan, bool quiet, struct err *err)
    __attribute__((warn_unused_result));

/* -o: exactly what would be applied. */
void deploy_print(const struct deploying *deploying, const struct deploy_plan *plan);

/* --diff: what would change, and which servers would be replaced for it. */
int deploy_show_difference(struct deploying *deploying, struct deploy_plan *plan, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Looks at what could go wrong (consul/preflight.h). With --preflight all of it is printed; else the problems, if there
 * are at least at_least of them. ERR_REFUSED then.
 */
int deploy_preflight(struct deploying *deploying, const struct deploy_plan *plan, bool restarts, size_t at_least,
                     struct err *err) __attribute__((warn_unused_result));

/* ------------------------------------------------------------------------- deploy_roll.c: servers that run */

/* One look at the StatefulSet's servers (consul/observe.h), within 15 s. ret_snapshot is released in either case. */
int deploy_look(struct deploying *deploying, const char *set_name, struct snapshot *ret_snapshot, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Whether servers are replaced one by one under the engine's rules: they have, or had, a leader. Where they never had one (a
 * first deploy that did not come up), there is no quorum to keep, and Kubernetes replaces them. Looks again for a while: an
 * election may be all. ERR_REFUSED: servers run that cannot be asked.
 */
int deploy_can_roll(struct deploying *deploying, const char *set_name, bool *ret_can, struct err *err)
    __attribute__((warn_unused_result));

/* Takes the Lease of the cluster, for the rest of the run. */
int deploy_take_lease(struct deploying *deploying, const char *set_name, struct err *err)
    __attribute__((warn_unused_result));

/* Before every change, and while waiting: -1 when the Lease is lost (kube/lease.h). None is held: does nothing. */
int deploy_keep_lease(struct deploying *deploying, struct err *err) __attribute__((warn_unused_result));

/*
 * With the Lease held: applies the plan with Kubernetes told not to replace pods by itself, has the engine replace them
 * (GOAL_ROLLOUT), and gives the replacing back to Kubernetes. After a failure the next deploy goes on from there.
 */
int deploy_roll(struct deploying *deploying, struct deploy_plan *plan, struct err *err)
    __attribute__((warn_unused_result));

/* --dry-run: the steps that deploy_roll would take, with the quorum before and after each. */
int deploy_show_steps(struct deploying *deploying, struct err *err) __attribute__((warn_unused_result));

/* --replicas of a cluster that exists: by the engine (GOAL_SCALE). */
int deploy_scale(struct deploying *deploying, const struct deploy_plan *plan, struct err *err)
    __attribute__((warn_unused_result));

/* --------------------------------------------------------------------------------------- deploy_rotate.c */

/* --rotate-certs, --rotate-ca, --rotate-gossip-key: with the Lease held; then shows the health. */
int deploy_rotate(struct deploying *deploying, int *ret_exit_code, struct err *err)
    __attribute__((warn_unused_result));

#endif
