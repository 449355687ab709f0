/* See include/consul/encryption.h. */
#include "consul/encryption.h"

#include <inttypes.h>

#include "consul/ask_way.h"
#include "consul/certificate.h"
#include "consul/manifest.h"
#include "util/mem.h"

const char *encrypted_name(enum encrypted encrypted)
{
	static const char *const names[] = { "unknown", "none", "partly", "fully" };

	return names[encrypted];
}

static enum encrypted gossip_of(const struct server *server)
{
	const struct view *view = &server->view;

	if (!view->self_known || !view->self.gossip_known)
		return ENCRYPTED_UNKNOWN;
	return view->self.gossip_encrypted ? ENCRYPTED_FULLY : ENCRYPTED_NONE;
}

enum encrypted encryption_rpc(const struct server *server)
{
	const struct self *self = &server->view.self;

	if (!server->view.self_known || self->verifies_outgoing < 0 || self->verifies_incoming < 0)
		return ENCRYPTED_UNKNOWN;
	if (self->verifies_outgoing != self->verifies_incoming)
		return ENCRYPTED_PARTLY;
	return self->verifies_outgoing ? ENCRYPTED_FULLY : ENCRYPTED_NONE;
}

/* The port that the server was asked at, or by exec would have been. */
static enum encrypted https_of(const struct server *server)
{
	if (server->view.certificate.known)
		return ENCRYPTED_FULLY;
	if (!server->container || !view_answered(&server->view))
		return ENCRYPTED_UNKNOWN;
	return ask_endpoint_of(server->container).https ? ENCRYPTED_FULLY : ENCRYPTED_NONE;
}

static void add(enum encrypted *all, enum encrypted one)
{
	if (*all == ENCRYPTED_UNKNOWN)
		*all = one;
	else if (one != ENCRYPTED_UNKNOWN && one != *all)
		*all = ENCRYPTED_PARTLY;
}

void encryption_of(const struct snapshot *snapshot, struct encryption *ret)
{
	*ret = (struct encryption){ 0 };
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *server = &snapshot->servers[i];
		const struct certificate *certificate = &server->view.certificate;
		int64_t days;

		add(&ret->gossip, gossip_of(server));
		add(&ret->rpc, encryption_rpc(server));
		add(&ret->https, https_of(server));
		if (!certificate->known)
			continue;
		days = certificate_days_left(certificate, snapshot->taken_at);
		if (!ret->has_certificates || days < ret->days_left)
			ret->days_left = days;
		ret->has_certificates = true;
	}
}

bool encryption_is_ours(const struct kube_statefulset *set)
{
	return str_equal(set->managed_by, MANIFEST_MANAGED_BY);
}

bool encryption_has_our_certificates(const struct kube_statefulset *set)
{
	_cleanup_free_ char *name = xasprintf("%s-tls", set->name);

	return encryption_is_ours(set) && strv_contains(&set->secrets, name);
}

/* ---------------------------------------------------------------------------------------- in words */

static char *certificate_words(const struct encryption *encryption)
{
	if (!encryption->has_certificates)
		return xstrdup("");
	if (encryption->days_left < 0)
		return xstrdup("; certificates: expired");
	return xasprintf("; certificates: %" PRId64 " day%s left", encryption->days_left,
	                 encryption->days_left == 1 ? "" : "s");
}

char *encryption_line(const struct encryption *encryption)
{
	const struct {
		enum encrypted encrypted;
		const char *fully, *partly, *none;
	} rows[] = {
		{ encryption->gossip, "gossip", "gossip on some servers", "gossip" },
		{ encryption->rpc, "RPC, verified both ways", "RPC in part", "RPC" },
		{ encryption->https, "HTTPS", "HTTPS on some servers", "HTTP API" },
	};
	_cleanup_strv_ struct strv encrypted = STRV_INIT, plain = STRV_INIT;
	_cleanup_free_ char *first = NULL, *second = NULL, *certificates = certificate_words(encryption);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].encrypted == ENCRYPTED_FULLY)
			strv_add(&encrypted, rows[i].fully);
		else if (rows[i].encrypted == ENCRYPTED_PARTLY)
			strv_add(&encrypted, rows[i].partly);
		else if (rows[i].encrypted == ENCRYPTED_NONE)
			strv_add(&plain, rows[i].none);
	}
	first = strv_join(&encrypted, " \xc2\xb7 ", " \xc2\xb7 ");
	second = strv_join(&plain, ", ", " and ");
	if (encrypted.count == 0)
		return plain.count > 0 ? xasprintf("plain  %s%s", second, certificates) : NULL;
	return xasprintf("encrypted  %s%s%s%s", first, plain.count > 0 ? "; plain: " : "",
	                 plain.count > 0 ? second : "", certificates);
}
