/* What exists of a cluster before it is deployed: see include/consul/deploy_parts.h. */
#include <stdlib.h>
#include <string.h>

#include "consul/deploy_parts.h"
#include "consul/expect.h"
#include "util/base64.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"

enum {
	READ_NAMESPACE,
	READ_SET,
	READ_CONFIG,
	READ_GOSSIP,
	READ_AUTHORITY,
	READ_TLS,
	READ_ACL,
	READ_BOOTSTRAP,
	READS,
};

/* resource NULL: the namespace itself. */
static const struct {
	const char *api;
	const char *resource;
	const char *suffix; /* of the name */
} reads[READS] = {
	[READ_NAMESPACE] = { "/api/v1", NULL, "" },
	[READ_SET] = { "/apis/apps/v1", "statefulsets", "" },
	[READ_CONFIG] = { "/api/v1", "configmaps", "-server" },
	[READ_GOSSIP] = { "/api/v1", "secrets", "-gossip" },
	[READ_AUTHORITY] = { "/api/v1", "secrets", "-ca" },
	[READ_TLS] = { "/api/v1", "secrets", "-tls" },
	[READ_ACL] = { "/api/v1", "secrets", "-acl" },
	[READ_BOOTSTRAP] = { "/api/v1", "secrets", "-acl-bootstrap" },
};

void deploy_existing_release(struct deploy_existing *existing)
{
	cJSON_Delete(existing->set);
	cJSON_Delete(existing->config);
	cJSON_Delete(existing->extra);
	cJSON_Delete(existing->shared);
	free(existing->bundle);
	free(existing->certificate);
	key_pair_release(&existing->authority_pair);
	*existing = (struct deploy_existing)DEPLOY_EXISTING_INIT;
}

const cJSON *deploy_live_claim(const cJSON *set)
{
	return cJSON_GetArrayItem(json_at(set, "spec.volumeClaimTemplates"), 0);
}

static char *read_path(int which, const struct deploy_request *request)
{
	struct buf path = BUF_TEXT;

	buf_addf(&path, "%s/namespaces/", reads[which].api);
	buf_add_url(&path, request->namespace_name);
	if (reads[which].resource) {
		buf_addf(&path, "/%s/", reads[which].resource);
		buf_add_url(&path, request->name);
		buf_adds(&path, reads[which].suffix);
	}
	return buf_detach(&path);
}

/* True: it is there. False: it is not, or err is set. */
static bool was_found(struct kube_call *call, struct err *err)
{
	if (call->err.kind == ERR_NOT_FOUND)
		return false;
	return err_move(err, &call->err) == 0;
}

static int no_namespace(const char *namespace_name, struct err *err)
{
	err_set(err, ERR_NOT_FOUND, "namespaces \"%s\" not found", namespace_name);
	err_label(err, "Error from server (NotFound)");
	return err_hint(err, "kubectl create namespace %s", namespace_name);
}

static int take_config(struct kube_call *call, cJSON **ret_config, struct err *err)
{
	if (!was_found(call, err))
		return err_is_set(err) ? -1 : 0;
	return expect_config(call->json, ret_config, err);
}

/* What the newest template says counts; templates of earlier versions leave it to the ConfigMap. */
static int take_configuration(struct deploy_existing *existing, struct err *err)
{
	const cJSON *template = json_at(existing->set, "spec.template");

	if (manifest_configuration(template, &existing->config, &existing->extra, err) < 0)
		return -1;
	existing->annotated = existing->config != NULL;
	if (!existing->annotated && existing->set)
		existing->config = cJSON_Duplicate(existing->shared, true);
	return 0;
}

/* ----------------------------------------------------------------------------------------- Secrets */

/* What a Secret holds under key; NULL: nothing that can be decoded. free_secret. */
static char *secret_value(const cJSON *secret, const char *key)
{
	const cJSON *value = json_get(json_get(secret, "data"), key);
	struct buf bytes = { .max = BUF_TEXT_MAX, .secret = true };
	_cleanup_err_ struct err err = ERR_INIT;

	if (cJSON_IsString(value) && base64_decode(value->valuestring, &bytes, &err) == 0)
		return buf_detach(&bytes);
	buf_release(&bytes);
	return NULL;
}

static void wipe(const cJSON *secret)
{
	cJSON *entry;

	cJSON_ArrayForEach (entry, json_get(secret, "data"))
		if (entry->valuestring)
			mem_wipe(entry->valuestring, strlen(entry->valuestring));
}

/* It may be made without being read: not being allowed to is no failure here. */
static int take_secret(struct kube_call *call, struct deploy_secret *ret, struct err *err)
{
	if (call->err.kind == ERR_FORBIDDEN)
		return 0;
	ret->known = true;
	ret->there = was_found(call, err);
	return err_is_set(err) ? -1 : 0;
}

static int check_gossip(const struct kube_call *call, const char *name, const struct deploy_secret *gossip,
                        struct err *err)
{
	if (!gossip->there || json_get(json_get(call->json, "data"), MANIFEST_GOSSIP_FILE))
		return 0;
	err_set(err, ERR_REFUSED, "secret/%s-gossip exists and has no key \"%s\"", name, MANIFEST_GOSSIP_FILE);
	return err_hint(
	    err, "it must hold {\"encrypt\": \"KEY\"} under that key; or choose another cluster name with --name");
}

static int take_secrets(struct kube_call *calls, const char *name, struct deploy_existing *existing, struct err *err)
{
	struct {
		int which;
		struct deploy_secret *secret;
	} secrets[] = {
		{ READ_GOSSIP, &existing->gossip },
		{ READ_AUTHORITY, &existing->authority },
		{ READ_TLS, &existing->tls },
		{ READ_ACL, &existing->acl },
		{ READ_BOOTSTRAP, &existing->bootstrap },
	};

	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
		if (take_secret(&calls[secrets[i].which], secrets[i].secret, err) < 0)
			return err_wrap(err, "secret/%s%s", name, reads[secrets[i].which].suffix);
	existing->authority_pair.certificate = secret_value(calls[READ_AUTHORITY].json, MANIFEST_KEY_CERTIFICATE);
	existing->authority_pair.key = secret_value(calls[READ_AUTHORITY].json, MANIFEST_KEY_KEY);
	existing->bundle = secret_value(calls[READ_TLS].json, MANIFEST_KEY_AUTHORITY);
	existing->certificate = secret_value(calls[READ_TLS].json, MANIFEST_KEY_CERTIFICATE);
	return check_gossip(&calls[READ_GOSSIP], name, &existing->gossip, err);
}

/* ----------------------------------------------------------------------------------------- reading */

static int take_existing(struct kube_call *calls, const struct deploy_request *request,
                         struct deploy_existing *existing, struct err *err)
{
	if (calls[READ_NAMESPACE].err.kind == ERR_NOT_FOUND)
		return no_namespace(request->namespace_name, err);
	/* Many may not read namespaces: then it shows later whether it exists. */
	if (calls[READ_NAMESPACE].err.kind != ERR_FORBIDDEN && err_move(err, &calls[READ_NAMESPACE].err) < 0)
		return -1;
	if (was_found(&calls[READ_SET], err))
		existing->set = TAKE(calls[READ_SET].json);
	else if (err_is_set(err))
		return err_wrap(err, "statefulset.apps/%s", request->name);
	if (take_config(&calls[READ_CONFIG], &existing->shared, err) < 0)
		return err_wrap(err, "configmap/%s-server", request->name);
	if (take_configuration(existing, err) < 0)
		return err_wrap(err, "statefulset.apps/%s", request->name);
	return take_secrets(calls, request->name, existing, err);
}

int deploy_read_existing(struct kube_client *client, const struct deploy_request *request, int64_t deadline_ms,
                         struct deploy_existing *ret, struct err *err)
{
	struct kube_call calls[READS];
	char *paths[READS];
	int status;

	for (int i = 0; i < READS; i++) {
		paths[i] = read_path(i, request);
		calls[i] = (struct kube_call){ .method = KUBE_GET, .path = paths[i] };
	}
	status = kube_client_perform(client, calls, READS, deadline_ms, err);
	if (status == 0)
		status = take_existing(calls, request, ret, err);
	for (int i = 0; i < READS; i++) {
		if (i >= READ_GOSSIP)
			wipe(calls[i].json);
		kube_call_release(&calls[i]);
		free(paths[i]);
	}
	return status;
}
