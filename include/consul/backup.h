/*
 * consul/backup.h - Consul's own snapshot (`consul snapshot save`) brought to a file on the workstation, whole or not at all.
 *
 * Streamed, never held in memory: GET /v1/snapshot in a tunnel; or by exec `consul snapshot save` to a temporary file in
 * the container, which is read and removed. Both give the same archive, which is checked before the file gets its name.
 *
 * The archive is a gzip'ed tar of meta.json, state.bin and SHA256SUMS (the hex SHA-256 of the other two, as sha256sum
 * prints them). Source: Consul's snapshot/archive.go.
 */
#ifndef CONSUL_BACKUP_H
#define CONSUL_BACKUP_H

#include <stddef.h>
#include <stdint.h>

#include "consul/access.h"
#include "consul/snapshot.h"
#include "kube/client.h"
#include "util/err.h"

/* What the archive says of itself. */
struct backup_info {
	uint64_t index;     /* last log entry in it */
	uint64_t term;
	uint64_t bytes;     /* of the file */
};

/*
 * Saves what server (the leader, best) has to path, which must not exist yet; made with mode 0600, since it holds every
 * secret of the cluster. Written beside it first, and renamed when it was found whole; on failure nothing is left.
 * The directory of path must be there. With auto (or without access, NULL) exec follows where the tunnel cannot be had
 * or Consul wants a token, and comes first where server was asked by exec; it needs a shell in the image.
 *
 * Blocks, at the latest until deadline_ms. ERR_INVALID: what came is no whole archive, and why. ERR_FORBIDDEN: needs
 * management rights under ACLs. ERR_CONFIG: path cannot be written (no room, too), or exists. ret_info is untouched then.
 */
int backup_save(struct kube_client *client, const struct server *server, const struct access *access, const char *path,
                int64_t deadline_ms, struct backup_info *ret_info, struct err *err) __attribute__((warn_unused_result));

/* --------------------------------------------------------------------------------------------- pure */

/*
 * Checks an archive as it comes, in pieces of any size, in some 100 KiB of memory, whatever is in it (meta.json up to
 * 1 MiB). Whole: gzip and tar have their ends and nothing follows, the three files are there, each file has its right sum
 * in SHA256SUMS. Not to be called again after a failure, which is ERR_INVALID and reads on from "… is not whole: ".
 */
struct backup_check;
struct backup_check *backup_check_new(void);
int backup_check_feed(struct backup_check *check, const void *data, size_t length, struct err *err)
    __attribute__((warn_unused_result));
/* To be called after the last piece: whole, and every sum right. */
int backup_check_finish(struct backup_check *check, struct backup_info *ret_info, struct err *err)
    __attribute__((warn_unused_result));
void backup_check_free(struct backup_check *check);

#endif
