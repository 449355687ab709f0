/*
 * kube/exec.h - commands in containers, many pods at the same time, on one thread.
 *
 * pods/exec over a WebSocket (kube/websocket.h), subprotocol v4.channel.k8s.io, v5 on refusal without a
 * Status. RBAC: get on pods/exec (create too from Kubernetes 1.35). The command line is part of the URL and
 * reaches audit logs: a secret goes over stdin. Dropping the connection does not end the process in the
 * container.
 *
 * stdin has no end: v4 cannot close it alone. A command that reads it must know from what it reads where it ends
 * (`head -c N`, `read -r line`).
 *
 * Errors name the pod. ERR_TIMEOUT says what was waited for; ERR_TOO_LARGE which limit; ERR_FAILED is what the
 * runtime said (no such program, …); ERR_PROTOCOL is also a stream that ended without telling the outcome: the
 * command may have run. A refused upgrade has the error of kube_status_error (ERR_NOT_FOUND, ERR_FORBIDDEN, …).
 *
 * Source: kubernetes staging/src/k8s.io/apiserver pkg/util/wsstream, client-go tools/remotecommand (v4).
 */
#ifndef KUBE_EXEC_H
#define KUBE_EXEC_H

#include <stddef.h>
#include <stdint.h>

#include "kube/client.h"
#include "kube/sink.h"
#include "util/buf.h"
#include "util/err.h"

/* Most bytes of stdout (unless it goes to a sink), and of stderr, that one command may give. */
#define KUBE_EXEC_OUTPUT_MAX ((size_t)16 * 1024 * 1024)

/* One command in one container and, when it is done, its outcome. Initialise with KUBE_EXEC_INIT. */
struct kube_exec {
	/* in; borrowed until done */
	const char *namespace_name;
	const char *pod;
	const char *container;
	const char *const *argv; /* NULL-terminated, at least one */
	const void *input;       /* stdin; NULL: none is asked for */
	size_t input_length;
	kube_sink *sink;         /* NULL: none; else stdout goes there, is not kept, and has no limit */
	void *sink_context;

	/* out */
	struct buf output;       /* stdout as far as it came, also when it failed */
	struct buf error_output; /* stderr */
	int exit_code;           /* of the command; -1 unless it ended and told so */
	struct err err;          /* set when it was not run to its end; a non-zero exit code is no err */

	void *internal;
};

#define KUBE_EXEC_INIT                                                                                                 \
	{                                                                                                              \
		.output = BUF_INIT(KUBE_EXEC_OUTPUT_MAX), .error_output = BUF_INIT(KUBE_EXEC_OUTPUT_MAX),              \
		.exit_code = -1                                                                                        \
	}
void kube_exec_release(struct kube_exec *exec);

typedef void kube_exec_done(void *context, struct kube_exec *exec);

/* Starts it; done is called once, from loop_run, at the latest at deadline_ms. exec must stay where it is. */
void kube_exec_start(struct kube_client *client, struct kube_exec *exec, int64_t deadline_ms, kube_exec_done *done,
                     void *context);

/* Gives it up: done is not called. Fine for one that is done or was never started. */
void kube_exec_cancel(struct kube_exec *exec);

/* Starts count of them at once and blocks until all are done; fails only when interrupted. */
int kube_exec_perform(struct kube_client *client, struct kube_exec *execs, size_t count, int64_t deadline_ms,
                      struct err *err) __attribute__((warn_unused_result));

#endif
