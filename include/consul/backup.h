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
 * Blocks, at the latest until deadline_ms. ERR_INVALID: what came is no whole archive, and why. ERR_FORBIDDEN: needs
 * management rights under ACLs. ERR_CONFIG: path cannot be written, or exists.
 */
int backup_save(struct kube_client *client, const struct server *server, enum ask_way via, const char *path,
                int64_t deadline_ms, struct backup_info *ret_info, struct err *err) __attribute__((warn_unused_result));

/* --------------------------------------------------------------------------------------------- pure */

/* Checks an archive as it comes, in pieces of any size. */
struct backup_check;
struct backup_check *backup_check_new(void);
int backup_check_feed(struct backup_check *check, const void *data, size_t length, struct err *err)
    __attribute__((warn_unused_result));
/* To be called after the last piece: whole, and every sum right. */
int backup_check_finish(struct backup_check *check, struct backup_info *ret_info, struct err *err)
    __attribute__((warn_unused_result));
void backup_check_free(struct backup_check *check);

#endif
