/* Any bytes as the answer of a credential plugin, and as its entry in a kubeconfig. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kube/exec_credential.h"
#include "util/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode_plugin(const char *text, size_t size)
{
	struct exec_plugin plugin;
	struct err err = ERR_INIT;
	cJSON *json = NULL;

	if (json_parse(text, size, &json, &err) == 0 && cJSON_IsObject(json) &&
	    exec_plugin_decode(json, "dir/config", "user", &plugin, &err) == 0) {
		if (!plugin.command || !*plugin.command || err_is_set(&err))
			abort();
		exec_plugin_release(&plugin);
	}
	cJSON_Delete(json);
	err_release(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char version[] = "client.authentication.k8s.io/v1";
	const struct exec_plugin plugin = { .api_version = version };
	struct exec_credential credential;
	struct err err = ERR_INIT;

	if (exec_credential_decode(&plugin, (const char *)data, size, &credential, &err) == 0) {
		if ((!credential.token && !credential.certificate_pem) ||
		    !credential.certificate_pem != !credential.key_pem)
			abort();
		exec_credential_release(&credential);
	} else if (!err_is_set(&err)) {
		abort();
	}
	err_release(&err);
	decode_plugin((const char *)data, size);
	return 0;
}
