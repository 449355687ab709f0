/*
 * consul/secret.h - one Secret of a cluster that deploy made: read, and changed by key.
 *
 * What is read and sent is wiped after use and never shown. RBAC: get and patch on secrets.
 */
#ifndef CONSUL_SECRET_H
#define CONSUL_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "kube/client.h"
#include "util/err.h"
#include "util/mem.h"

/*
 * Reads secret/NAME. ERR_NOT_FOUND, ERR_FORBIDDEN (with a hint that names the right) and the other errors of
 * kube/client.h begin with "secret/NAME". *ret_secret is freed by secret_free. Blocks, at the latest until deadline_ms.
 */
int secret_read(struct kube_client *client, const char *namespace_name, const char *name, int64_t deadline_ms,
                cJSON **ret_secret, struct err *err) __attribute__((warn_unused_result));

/* Wipes every string in it, and frees it. NULL is fine. Also for other JSON that holds a secret. */
void secret_free(cJSON *secret);

DEFINE_POINTER_CLEANUP(cJSON *, secret_free)
#define _cleanup_secret_ _cleanup_(secret_free_pointer)

/* The text of one key, freed by free_secret; NULL: there is no such key. ERR_INVALID names object and key, not the value. */
int secret_text(const cJSON *secret, const char *key, char **ret_text, struct err *err)
    __attribute__((warn_unused_result));

/* Another value of one key; NULL: the key is removed. */
struct secret_change {
	const char *key;
	const char *text; /* secret, borrowed */
};

/*
 * Changes it as it was read: if anybody has changed it meanwhile nothing happens, and the error is ERR_CONFLICT. With
 * dry_run the API server only says whether it would. *secret becomes what it is afterwards. Blocks as secret_read.
 */
int secret_change(struct kube_client *client, cJSON **secret, const struct secret_change *changes, size_t count,
                  bool dry_run, int64_t deadline_ms, struct err *err) __attribute__((warn_unused_result));

#endif
