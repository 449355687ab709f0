/* Keys, certificates and tokens that are made once: see include/consul/deploy_parts.h. */
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "consul/deploy_parts.h"
#include "util/base64.h"
#include "util/mem.h"

enum { GOSSIP_KEY_BYTES = 32, UUID_BYTES = 16 };

static int random_bytes(unsigned char *bytes, size_t count, const char *what, struct err *err)
{
	if (RAND_bytes(bytes, (int)count) == 1)
		return 0;
	return err_set(err, ERR_FAILED, "no random bytes for %s", what);
}

int deploy_gossip_key(char **ret_key, struct err *err)
{
	unsigned char key[GOSSIP_KEY_BYTES];

	if (random_bytes(key, sizeof(key), "a gossip key", err) < 0)
		return -1;
	*ret_key = base64_encode(key, sizeof(key));
	mem_wipe(key, sizeof(key));
	return 0;
}

int deploy_token(char **ret_token, struct err *err)
{
	unsigned char b[UUID_BYTES];

	if (random_bytes(b, sizeof(b), "an ACL token", err) < 0)
		return -1;
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	*ret_token = xasprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
	                       b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
	mem_wipe(b, sizeof(b));
	return 0;
}

void deploy_secrets_release(struct deploy_secrets *secrets)
{
	free_secret(secrets->gossip_key);
	key_pair_release(&secrets->authority);
	key_pair_release(&secrets->server);
	free_secret(secrets->tokens.agent);
	free_secret(secrets->tokens.probe);
	free_secret(secrets->tokens.management);
	free_secret(secrets->tokens.recovery);
	*secrets = (struct deploy_secrets)DEPLOY_SECRETS_INIT;
}

static int must_be_readable(const struct deploy_request *request, const struct deploy_secret *secret,
                            const char *suffix, struct err *err)
{
	if (secret->known)
		return 0;
	err_set(err, ERR_FORBIDDEN,
	        "secret/%s%s may not be read, and without that it is not known what is there already", request->name,
	        suffix);
	return err_hint(err, "a Role must allow \"get\" on \"secrets\"; check: kubectl auth can-i get secrets -n %s",
	                request->namespace_name);
}

/* --------------------------------------------------------------------------------------------- TLS */

/* The user's own, that of the Secret, or a new one. *ret_signer has a key, and is borrowed. */
static int make_authority(const struct deploy_request *request, const struct deploy_existing *existing,
                          struct deploy_secrets *secrets, const struct key_pair **ret_signer, struct err *err)
{
	_cleanup_free_ char *name = xasprintf("%s.%s CA", request->name, request->namespace_name);

	if (request->authority) {
		secrets->authority.certificate = xstrdup(request->authority->certificate);
		*ret_signer = request->authority;
		return 0;
	}
	if (!existing->authority.there) {
		*ret_signer = &secrets->authority;
		return certificate_make_authority(name, request->now_s, CERTIFICATE_AUTHORITY_DAYS, &secrets->authority,
		                                  err);
	}
	if (!existing->authority_pair.certificate || !existing->authority_pair.key) {
		err_set(err, ERR_REFUSED, "secret/%s-ca has no %s: the authority's key is kept elsewhere",
		        request->name,
		        existing->authority_pair.certificate ? MANIFEST_KEY_KEY : MANIFEST_KEY_CERTIFICATE);
		return err_hint(err, "give it with --tls-ca-cert and --tls-ca-key");
	}
	secrets->authority.certificate = xstrdup(existing->authority_pair.certificate);
	*ret_signer = &existing->authority_pair;
	return 0;
}

static int issue(const struct deploy_request *request, const struct manifest_settings *settings,
                 const struct key_pair *signer, struct key_pair *ret_server, struct err *err)
{
	_cleanup_strv_ struct strv names = STRV_INIT, addresses = STRV_INIT;
	_cleanup_free_ char *common_name = xasprintf("server.%s.consul", settings->datacenter);
	struct certificate_request wanted = {
		.common_name = common_name,
		.names = &names,
		.addresses = &addresses,
		.days = CERTIFICATE_SERVER_DAYS,
	};

	certificate_server_names(settings->datacenter, request->name, request->namespace_name, request->cluster_domain,
	                         &names, &addresses);
	return certificate_issue(signer, &wanted, request->now_s, ret_server, err);
}

/* A NAME-tls that is there is taken as it is, whoever made it. */
static int make_certificates(const struct deploy_request *request, const struct deploy_existing *existing,
                             struct manifest_settings *settings, struct deploy_secrets *secrets, struct err *err)
{
	const struct key_pair *signer = NULL;

	if (existing->set && !existing->tls.known && manifest_tls_of(existing->config) != MANIFEST_TLS_OFF)
		return 0; /* the servers run with it */
	if (must_be_readable(request, &existing->tls, "-tls", err) < 0 ||
	    must_be_readable(request, &existing->authority, "-ca", err) < 0)
		return -1;
	if (existing->tls.there) {
		bool in_use = existing->set && manifest_tls_of(existing->config) != MANIFEST_TLS_OFF;

		return in_use ? 0 : deploy_check_certificate(request, existing, settings->datacenter, err);
	}
	if (make_authority(request, existing, secrets, &signer, err) < 0 ||
	    issue(request, settings, signer, &secrets->server, err) < 0)
		return err_wrap(err, "cannot make the servers' certificate");
	settings->secrets.authority = &secrets->authority;
	settings->secrets.server = &secrets->server;
	secrets->any = true;
	return 0;
}

/* -------------------------------------------------------------------------------------------- ACLs */

static int make_tokens(const struct deploy_request *request, const struct deploy_existing *existing,
                       struct manifest_settings *settings, struct deploy_secrets *secrets, struct err *err)
{
	struct manifest_tokens *tokens = &secrets->tokens;

	/* The servers run with it; the management token may have been put away by its owner. */
	if (existing->set && !request->reset_acls && (!existing->acl.known || existing->acl.there))
		return 0;
	if (must_be_readable(request, &existing->acl, "-acl", err) < 0 ||
	    must_be_readable(request, &existing->bootstrap, "-acl-bootstrap", err) < 0)
		return -1;
	if (existing->acl.there && existing->bootstrap.there)
		return 0;
	if (deploy_token(&tokens->agent, err) < 0 || deploy_token(&tokens->probe, err) < 0 ||
	    deploy_token(&tokens->management, err) < 0 || deploy_token(&tokens->recovery, err) < 0)
		return -1;
	settings->secrets.tokens = tokens;
	secrets->any = true;
	return 0;
}

int deploy_make_secrets(const struct deploy_request *request, const struct deploy_existing *existing,
                        struct manifest_settings *settings, struct deploy_secrets *ret, struct err *err)
{
	if (!existing->gossip.there && !(existing->set && !existing->gossip.known)) {
		if (deploy_gossip_key(&ret->gossip_key, err) < 0)
			return -1;
		settings->secrets.gossip_key = ret->gossip_key;
		ret->any = true;
	}
	if (settings->tls != MANIFEST_TLS_OFF && make_certificates(request, existing, settings, ret, err) < 0)
		return -1;
	if (settings->acls && make_tokens(request, existing, settings, ret, err) < 0)
		return -1;
	return 0;
}
