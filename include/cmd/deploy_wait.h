/*
 * cmd/deploy_wait.h - the second half of `deploy`: watch the servers come up, then show their health.
 */
#ifndef CMD_DEPLOY_WAIT_H
#define CMD_DEPLOY_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/cmd.h"
#include "cmd/connect.h"
#include "util/err.h"

struct deploy_wait_options {
	const char *name;    /* of the StatefulSet */
	int64_t deadline_ms;
	bool acls;           /* ACLs are set up as soon as there is a leader (consul/acl.h) */
	bool reset_acls;     /* bootstrapping them may be reset, if its token was lost */
	bool exists;         /* the cluster was there before: what of ACLs cannot be set up is a warning */
};

/*
 * Waits until every server of the StatefulSet is a voter of the newest revision, telling on context->messages how far
 * it is, and prints the health to context->output; its verdict gives *ret_exit_code. ERR_TIMEOUT at deadline_ms with
 * what is missing; ERR_FAILED earlier when something is wrong that waiting will not mend; ERR_INTERRUPTED.
 *
 * Deletes pods of the old template that never ran, one at a time, and says so (deploy_never_ran in consul/deploy.h);
 * where it may not, says what to type. Joins new servers that found only themselves (consul/deploy_lone.h).
 */
int deploy_wait(const struct cmd_context *context, struct connection *connection,
                const struct deploy_wait_options *options, int *ret_exit_code, struct err *err) __attribute__((warn_unused_result));

#endif
