/* The Secrets of include/consul/manifest.h. */
#include "consul/manifest.h"

#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* Builders are laid out as the YAML they become. */
/* clang-format off */

cJSON *manifest_secret(const struct manifest_settings *settings, const char *suffix, cJSON *string_data)
{
	return json_object("apiVersion", json_string("v1"),
			   "kind", json_string("Secret"),
			   "metadata", manifest_metadata(settings, suffix),
			   "type", json_string("Opaque"),
			   "stringData", string_data,
			   NULL);
}

/* A text that holds a secret, as a value; the text is wiped. */
static cJSON *take_secret(char *text)
{
	cJSON *value = json_string(text);

	free_secret(text);
	return value;
}

cJSON *manifest_gossip_secret(const struct manifest_settings *settings)
{
	const char *key = settings->secrets.gossip_key;

	/* A key is base64: nothing in it needs escaping. */
	return manifest_secret(settings, "-gossip", key ?
		json_object(MANIFEST_GOSSIP_FILE, take_secret(xasprintf("{\"encrypt\":\"%s\"}", key)), NULL) : NULL);
}

cJSON *manifest_authority_secret(const struct manifest_settings *settings)
{
	const struct key_pair *authority = settings->secrets.authority;

	if (settings->tls == MANIFEST_TLS_OFF || !authority)
		return NULL;
	return manifest_secret(settings, "-ca", json_object(
		MANIFEST_KEY_CERTIFICATE, json_string(authority->certificate),
		MANIFEST_KEY_KEY, json_string(authority->key),
		NULL));
}

cJSON *manifest_tls_secret(const struct manifest_settings *settings)
{
	const struct manifest_secrets *secrets = &settings->secrets;

	if (settings->tls == MANIFEST_TLS_OFF || !secrets->server)
		return NULL;
	return manifest_secret(settings, "-tls", json_object(
		MANIFEST_KEY_AUTHORITY, json_string(secrets->authority->certificate),
		MANIFEST_KEY_CERTIFICATE, json_string(secrets->server->certificate),
		MANIFEST_KEY_KEY, json_string(secrets->server->key),
		NULL));
}

cJSON *manifest_acl_secret(const struct manifest_settings *settings)
{
	const struct manifest_tokens *tokens = settings->secrets.tokens;

	if (!settings->acls || !tokens)
		return NULL;
	return manifest_secret(settings, "-acl", json_object(
		MANIFEST_AGENT_FILE,
		take_secret(xasprintf("{\"acl\":{\"tokens\":{\"agent\":\"%s\",\"agent_master\":\"%s\"}}}",
				      tokens->agent, tokens->recovery)),
		MANIFEST_KEY_PROBE, take_secret(xasprintf("X-Consul-Token: %s", tokens->probe)),
		NULL));
}

cJSON *manifest_bootstrap_secret(const struct manifest_settings *settings)
{
	const struct manifest_tokens *tokens = settings->secrets.tokens;

	if (!settings->acls || !tokens)
		return NULL;
	return manifest_secret(settings, "-acl-bootstrap", json_object(
		MANIFEST_KEY_TOKEN, json_string(tokens->management),
		MANIFEST_KEY_RECOVERY, json_string(tokens->recovery),
		NULL));
}

/* clang-format on */
