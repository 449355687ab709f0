/* See include/consul/secret.h. */
#include "consul/secret.h"

#include <stdlib.h>
#include <string.h>

#include "consul/manifest.h"
#include "util/base64.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/str.h"

/* Kubernetes takes no larger Secret than 1 MiB. */
#define VALUE_MAX ((size_t)1024 * 1024)

static void wipe_strings(cJSON *json)
{
	for (; json; json = json->next) {
		if (json->valuestring)
			mem_wipe(json->valuestring, strlen(json->valuestring));
		wipe_strings(json->child);
	}
}

void secret_free(cJSON *secret)
{
	wipe_strings(secret);
	cJSON_Delete(secret);
}

/* --------------------------------------------------------------------------------------- requests */

static char *path_of(const char *namespace_name, const char *name, const char *query)
{
	struct buf path = BUF_TEXT;

	buf_adds(&path, "/api/v1/namespaces/");
	buf_add_url(&path, namespace_name);
	buf_adds(&path, "/secrets/");
	buf_add_url(&path, name);
	buf_adds(&path, query);
	return buf_detach(&path);
}

static int explain(const char *verb, const char *namespace_name, const char *name, struct err *err)
{
	if (err->kind == ERR_FORBIDDEN)
		err_hint(err, "a Role must allow \"%s\" on \"secrets\"; check: kubectl auth can-i %s secret/%s -n %s",
		         verb, verb, name, namespace_name);
	return err_wrap(err, "secret/%s", name);
}

int secret_read(struct kube_client *client, const char *namespace_name, const char *name, int64_t deadline_ms,
                cJSON **ret_secret, struct err *err)
{
	_cleanup_free_ char *path = path_of(namespace_name, name, "");
	struct kube_call call = { .method = KUBE_GET, .path = path };
	int status = kube_client_perform(client, &call, 1, deadline_ms, err);

	if (status == 0 && err_move(err, &call.err) < 0)
		status = explain("get", namespace_name, name, err);
	if (status == 0 && !cJSON_IsObject(call.json))
		status = err_set(err, ERR_PROTOCOL, "secret/%s: the answer is no Secret", name);
	if (status == 0)
		*ret_secret = TAKE(call.json);
	secret_free(TAKE(call.json));
	kube_call_release(&call);
	return status;
}

/* {"metadata":{"resourceVersion":"7"},"data":{"token":"…","next":null}}; wiped by the caller. */
static char *patch_text(const char *version, const struct secret_change *changes, size_t count)
{
	cJSON *data = cJSON_CreateObject();
	cJSON *patch;
	char *text;

	for (size_t i = 0; i < count; i++) {
		const char *plain = changes[i].text;
		char *encoded = plain ? base64_encode(plain, strlen(plain)) : NULL;

		json_set(data, changes[i].key, encoded ? json_string(encoded) : cJSON_CreateNull());
		free_secret(encoded);
	}
	patch = json_object("metadata", json_object("resourceVersion", json_string(version), NULL), "data", data, NULL);
	text = json_text(patch);
	secret_free(patch);
	return text;
}

int secret_change(struct kube_client *client, cJSON **secret, const struct secret_change *changes, size_t count,
                  bool dry_run, int64_t deadline_ms, struct err *err)
{
	const char *name = json_string_at(*secret, "metadata.name");
	const char *namespace_name = json_string_at(*secret, "metadata.namespace");
	const char *version = json_string_at(*secret, "metadata.resourceVersion");
	_cleanup_free_ char *path = NULL;
	struct kube_call call = { .method = KUBE_PATCH, .content_type = "application/merge-patch+json" };
	char *body;
	int status;

	/* Without a version anybody's change meanwhile would be undone. */
	if (!name || !namespace_name || !version)
		return err_set(err, ERR_PROTOCOL, "secret/%s has no resourceVersion: it is not changed",
		               name ? name : "");
	path = path_of(namespace_name, name,
	               dry_run ? "?fieldManager=" MANIFEST_MANAGED_BY "&dryRun=All"
	                       : "?fieldManager=" MANIFEST_MANAGED_BY);
	body = patch_text(version, changes, count);
	call.path = path;
	call.body = body;
	status = kube_client_perform(client, &call, 1, deadline_ms, err);
	if (status == 0 && err_move(err, &call.err) < 0)
		status = explain("patch", namespace_name, name, err);
	if (status == 0 && cJSON_IsObject(call.json) && !dry_run) {
		secret_free(*secret);
		*secret = TAKE(call.json);
	}
	secret_free(TAKE(call.json));
	kube_call_release(&call);
	free_secret(body);
	return status;
}

/* ----------------------------------------------------------------------------------------- values */

int secret_text(const cJSON *secret, const char *key, char **ret_text, struct err *err)
{
	struct buf text = { .max = VALUE_MAX, .secret = true };
	const cJSON *value = json_get(json_get(secret, "data"), key);
	_cleanup_err_ struct err cause = ERR_INIT;
	int status = 0;

	*ret_text = NULL;
	if (!value)
		return 0;
	/* The decoder's words are not repeated: no part of a secret is shown. */
	if (!cJSON_IsString(value) || base64_decode(value->valuestring, &text, &cause) < 0 ||
	    strlen(buf_text(&text)) != text.len)
		status = err_set(err, ERR_INVALID, "secret/%s: its key \"%s\" cannot be read",
		                 json_string_at(secret, "metadata.name"), key);
	else
		*ret_text = buf_detach(&text);
	buf_release(&text);
	return status;
}
