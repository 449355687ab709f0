/*
 * consul/crash.h - ends a server's process at once, as a crash does: no leave, no good-bye. By exec; needs a shell.
 *
 * The process is the one that runs `consul agent` in the container: where it is PID 1 it gets SIGQUIT (the kernel
 * ignores a SIGKILL from inside for PID 1; Go ends with status 2 on SIGQUIT), else SIGKILL (below dumb-init or tini, or
 * with a shared process namespace, where the cgroup tells it from other containers' agents). The kubelet starts the
 * container again, with the same address; an exec that ends with its container, after it said that it was about to
 * signal, is no failure.
 *
 * Before that a raft/peers.json can be put in, in the same exec, so that no file is left waiting for a later start when
 * whoever wants this is killed. If the process could not be ended within 5 s, the file is removed again. It is readable
 * by everybody: the exec may have another user than Consul, which removes it by a right on the directory.
 *
 * Without a peers.json a server in whose data_dir one waits already is not crashed: it would take that as it restarts.
 *
 * Tried in Kubernetes with Consul 1.8.7: as PID 1, below `sh -c 'consul agent … & wait'`, and with
 * shareProcessNamespace beside another agent. 40 to 170 ms until it has ended.
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
	const char *data_dir;   /* where raft/peers.json goes, or must not wait; NULL: without either */
	const char *peers_json; /* one line, put in before; NULL: none is */
	struct err err;         /* out: why this one was not crashed; empty: it was, or its connection ended meanwhile */
};

/*
 * Crashes all of them at the same time; blocks until each is done, at the latest until deadline_ms. Fails when
 * interrupted, or when one was not crashed (the first such err; each order has its own). ERR_NOT_FOUND: there is no
 * such pod, its container does not run, or no process in it is Consul's. ERR_FORBIDDEN: RBAC, or the process is
 * somebody else's. ERR_FAILED: no shell, the file cannot be written, one waits, the process lives on: nothing was done
 * to that server then, and no file is left. ERR_TIMEOUT, ERR_UNREACHABLE and ERR_PROTOCOL leave it open: look.
 */
int crash(struct kube_client *client, const struct snapshot *seen, struct crash_order *orders, size_t count,
          int64_t deadline_ms, struct err *err) __attribute__((warn_unused_result));

/*
 * Removes a raft/peers.json that waits in this server's data directory, without touching its process; none is fine.
 * Blocks; errors as crash.
 */
int crash_remove_peers(struct kube_client *client, const struct snapshot *seen, const struct crash_order *order,
                       int64_t deadline_ms, struct err *err) __attribute__((warn_unused_result));

#endif
