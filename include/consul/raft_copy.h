/*
 * consul/raft_copy.h - a copy of one server's raft directory (and node-id) as a tar archive on the workstation, whole
 * or not at all.
 *
 * For a cluster without a quorum, where Consul gives no snapshot (consul/backup.h). By exec: tar in the container is
 * run twice, once for its SHA-256 and once for its bytes; the sums have to be the same, so the server did not write
 * meanwhile, and nothing was lost on the way; else it is tried again, some times, since a server without a leader
 * writes its vote at every election. Streamed, never held in memory. Needs sh, tar and sha256sum in the image.
 *
 * Tried with 1.8.7: 100 MB of a server that held an election every 1 to 2 s (raft_multiplier 1) took 2 to 11 s. Much more
 * does not fit in between.
 *
 * RBAC: get (and create) on pods/exec.
 */
#ifndef CONSUL_RAFT_COPY_H
#define CONSUL_RAFT_COPY_H

#include <stdint.h>

#include "consul/snapshot.h"
#include "kube/client.h"
#include "util/err.h"

/*
 * Saves data_dir's raft and node-id of server into DIRECTORY/POD.tar (made with mode 0600: it holds every secret of the
 * cluster; written beside it first, and never over an existing file). The directory is made, with mode 0700, if it is
 * not there; its parent has to be. *ret_path is a new string, *ret_bytes the size. Blocks, at the latest until
 * deadline_ms. On failure nothing is left. ERR_CONFIG: the file cannot be written or exists. ERR_FAILED: no tar, or it
 * failed, in its words. ERR_NOT_FOUND: there is no such pod, or its container does not run. ERR_CONFLICT: the server
 * kept writing.
 */
int raft_copy_save(struct kube_client *client, const struct server *server, const char *data_dir, const char *directory,
                   int64_t deadline_ms, char **ret_path, uint64_t *ret_bytes, struct err *err)
    __attribute__((warn_unused_result));

#endif
