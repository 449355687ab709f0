/*
 * consul/crash.h - ends a server's process at once, as a crash does: no leave, no good-bye. By exec; needs a shell.
 *
 * The process is the one that runs `consul agent` in the container: where it is PID 1 it gets SIGQUIT (the kernel ignores a
 * SIGKILL from inside for PID 1; Go ends with status 2 on SIGQUIT), else SIGKILL (below dumb-init or tini, or with a shared process
 * namespace). The kubelet starts the container again, with the same address; an exec that ends with its container is no failure.
 *
 * Before that a raft/peers.json can be put in, in the same exec, so that no file is left waiting for a later start when whoever wants
 * this is killed. If the process could not be ended, the file is removed again.
 *
 * RBAC: get (and create) on pods/exec.
 */
#ifndef CONSUL_CRASH_H
#define CONSUL_CRASH_H

#include <stddef.h>
#include <stdint.h>

#include "consul/snapshot.h"
#include "kube/client.h"
#include "util/err.h"

/* One server to be crashed. Borrowed; but err, which is owned. */
struct crash_order {
	const char *pod;
	const char *data_dir;   /* where raft/peers.json goes; NULL without one */
	const char *peers_json; /* NULL: none is put in */
	struct err err;         /* out: why this one was not crashed; empty: it was, or its connection ended meanwhile */
};

/*
 * Crashes all of them at the same time; blocks until each is done, at the latest until deadline_ms. Fails when interrupted, or
 * when one was not crashed (the first such err; each order has its own). ERR_NOT_FOUND: there is no such pod, or
 * no consul process in it. ERR_FORBIDDEN: RBAC, or the process is somebody else's; ERR_FAILED: no shell, the file
 * cannot be written, and so on: nothing was done to that server then. ERR_TIMEOUT and ERR_UNREACHABLE leave it open: look.
 */
int crash(struct kube_client *client, const struct snapshot *seen, struct crash_order *orders, size_t count,
          int64_t deadline_ms, struct err *err) __attribute__((warn_unused_result));

/* Removes a raft/peers.json that waits in this server's data directory, without touching its process. Blocks; errors as crash. */
int crash_remove_peers(struct kube_client *client, const struct snapshot *seen, const struct crash_order *order,
                       int64_t deadline_ms, struct err *err) __attribute__((warn_unused_result));

#endif
