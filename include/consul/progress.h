/*
 * consul/progress.h - what changes of many steps have in common (ACLs, certificates, the gossip key): they tell what
 * was done, they keep what nobody else may do meanwhile, and their hints name commands for people to type.
 */
#ifndef CONSUL_PROGRESS_H
#define CONSUL_PROGRESS_H

#include "consul/snapshot.h"
#include "util/err.h"

/* Who follows such a change. Borrowed; context is handed to both. */
struct progress {
	/* Told of each thing that was done, in one line. NULL: nobody is. */
	void (*tell)(void *context, const char *line);

	/*
	 * Called before each write and at each turn of a loop that waits, every few seconds: renews the Lease. What fails here ends
	 * the change with that err, before anything more is written. NULL: nothing is kept.
	 */
	int (*keep)(void *context, struct err *err);

	void *context;
};

__attribute__((format(printf, 2, 3))) void progress_tell(const struct progress *progress, const char *format, ...);
int progress_keep(const struct progress *progress, struct err *err) __attribute__((warn_unused_result));

/* "kubectl consul COMMAND -n NAMESPACE --name SET" for a shell; --name where it is not the default. New string. */
char *progress_command(const struct snapshot *snapshot, const char *command) __attribute__((warn_unused_result));

#endif
