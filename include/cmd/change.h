/*
 * cmd/change.h - what `scale` and `reap` share: look, show the plan, ask, lock, act, say what came of it.
 *
 * In this order, and each only when the one before went well:
 *
 *  1. look at the cluster and plan to the end (consul/plan.h); the plan goes to context->output
 *  2. refused, nothing to do, or --dry-run: that is all
 *  3. ask (cmd/confirm.h), unless told not to
 *  4. save Consul's snapshot to a file, if that is wanted
 *  5. take the Lease "SET-kubectl-consul", so that nobody else changes the cluster meanwhile
 *  6. look again: if other steps are due now than those that were agreed to, nothing is changed; who agrees to a plan that
 *     ends in a wait agrees to what comes after that, too
 *  7. carry it out (consul/act.h), telling how far it is on context->messages; give the Lease back
 *  8. say what the cluster is like now; on failure what was done, what was begun, and the command that goes on from there
 */
#ifndef CMD_CHANGE_H
#define CMD_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/cmd.h"
#include "cmd/connect.h"
#include "consul/plan.h"
#include "kube/lease.h"
#include "util/err.h"

/* What is wanted. Borrowed. */
struct change {
	struct goal goal;
	const char *label;       /* "scale 5": how others see who holds the Lease */
	const char *again;       /* "scale 5 --force": the command and its own options, to go on from where it stopped */
	const char *backup_path; /* NULL: none is saved */
	bool yes;                /* do not ask */
	bool dry_run;
	int64_t timeout_ms;      /* for everything after the question; as long for the question */

	bool brief;                    /* the caller shows the health afterwards: no verdict at the end */
	struct connection *connection; /* NULL: one is opened for this */
	struct kube_lease *lease;      /* held already, and kept; NULL: it is taken and given back */
};

/* 0: the goal is reached, there was nothing to do, or it was a dry run. Errors as of consul/act.h and cmd/confirm.h. */
int change_run(const struct cmd_context *context, const struct change *change, struct err *err)
	__attribute__((warn_unused_result));

/* --yes and --dry-run, which both commands have; members are a bool and an enum change_dry_run. */
enum change_dry_run { CHANGE_DRY_RUN_NONE, CHANGE_DRY_RUN_CLIENT };
extern const char *const change_dry_run_choices[]; /* "none", "client" */

#define CHANGE_OPTION_YES(type_, member_)                                                                              \
	{ .name = "yes", .letter = 'y', .kind = OPTION_FLAG, OPTION_AT(type_, member_),                                \
	  .help = "Do not ask before the first change. Needed where nobody can be asked, as in a script." }

#define CHANGE_OPTION_DRY_RUN(type_, member_)                                                                          \
	{ .name = "dry-run", .kind = OPTION_CHOICE, OPTION_AT(type_, member_), .choices = change_dry_run_choices,      \
	  .default_text = "none", .bare_text = "client",                                                               \
	  .wrong_choice = "Invalid dry-run value ($). Must be \"none\" or \"client\": the API server cannot try out "  \
	                  "what Consul will do.",                                                                      \
	  .help = "Must be \"none\" or \"client\" (--dry-run alone). With client, only show the steps, with the "      \
	          "quorum before and after each." }

#endif
