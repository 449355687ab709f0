/* Findings 5xx: certificates, and what goes over the network in plain. See include/consul/diagnosis.h. */
#include "consul/diagnosis.h"

#include <inttypes.h>
#include <string.h>

#include "consul/certificate.h"
#include "consul/encryption.h"
#include "consul/remedy.h"
#include "util/clock.h"
#include "util/mem.h"

#define DATE_LENGTH 10 /* of an RFC 3339 time */

static const struct certificate *certificate_of(const struct place *place)
{
	const struct certificate *certificate = &place->server->view.certificate;

	return certificate->known ? certificate : NULL;
}

static int64_t days_left(const struct diagnosis *diagnosis, const struct certificate *certificate)
{
	return certificate_days_left(certificate, diagnosis->snapshot->taken_at);
}

static char *format_date(int64_t wall_s)
{
	char *text = clock_format_rfc3339(wall_s);

	if (strlen(text) > DATE_LENGTH)
		text[DATE_LENGTH] = '\0';
	return text;
}

/* New certificates are deploy's to make where it made the old ones. */
static void advise_rotation(const struct diagnosis *diagnosis, struct finding *finding)
{
	if (encryption_has_our_certificates(&diagnosis->snapshot->set))
		remedy_deploy(diagnosis, "--rotate-certs", finding);
	else
		remedy_explain(finding);
}

/* ----------------------------------------------------------------------------------------- certificates */

/* Servers whose certificate has from to below days left; *ret_first is the one of them that ends first. */
static size_t find_ending(struct diagnosis *diagnosis, int64_t from, int64_t below, struct strv *names,
                          const struct certificate **ret_first)
{
	FOR_EACH_PLACE (place, diagnosis) {
		const struct certificate *certificate = certificate_of(place);
		int64_t days = certificate ? days_left(diagnosis, certificate) : below;

		if (days < from || days >= below)
			continue;
		strv_add(names, place_name(place));
		if (!*ret_first || certificate->not_after < (*ret_first)->not_after)
			*ret_first = certificate;
	}
	return names->count;
}

static void check_certificate_expired(struct diagnosis *diagnosis)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL, *date = NULL;
	const struct certificate *first = NULL;
	struct finding *finding;

	if (find_ending(diagnosis, INT64_MIN, 0, &names, &first) == 0)
		return;
	list = list_names(&names);
	date = format_date(first->not_after);
	finding =
	    diagnosis_add(diagnosis, "certificate-expired", NULL, "the certificate of %s expired on %s", list, date);
	FOR_EACH_PLACE (place, diagnosis)
		if (certificate_of(place) && days_left(diagnosis, certificate_of(place)) < 0)
			diagnosis_mark(place, finding);
	finding_set_cause(finding,
	                  "it was not replaced in time: HTTPS clients refuse it, and so do servers that connect "
	                  "anew");
	advise_rotation(diagnosis, finding);
}

/* The newest certificate that a server presents; *ret_several: there are others. */
static const struct certificate *newest_certificate(struct diagnosis *diagnosis, bool *ret_several)
{
	const struct certificate *newest = NULL;

	*ret_several = false;
	FOR_EACH_PLACE (place, diagnosis) {
		const struct certificate *certificate = certificate_of(place);

		if (!certificate)
			continue;
		*ret_several |= newest && !str_equal(newest->fingerprint, certificate->fingerprint);
		if (!newest || certificate->not_before > newest->not_before)
			newest = certificate;
	}
	return newest;
}

/* Servers have a certificate that lasts already, and the others are to get it: told by certificates-differ. */
static bool is_rotating(struct diagnosis *diagnosis)
{
	bool several;
	const struct certificate *newest = newest_certificate(diagnosis, &several);

	return several && encryption_has_our_certificates(&diagnosis->snapshot->set) &&
	       days_left(diagnosis, newest) >= CERTIFICATE_WARN_DAYS;
}

static void check_certificate_expires(struct diagnosis *diagnosis)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL, *date = NULL;
	const struct certificate *first = NULL;
	struct finding *finding;
	int64_t days;

	if (find_ending(diagnosis, 0, CERTIFICATE_WARN_DAYS, &names, &first) == 0 || is_rotating(diagnosis))
		return;
	list = list_names(&names);
	date = format_date(first->not_after);
	days = days_left(diagnosis, first);
	finding = diagnosis_add(diagnosis, "certificate-expires", NULL,
	                        "the certificate of %s expires in %" PRId64 " day%s, on %s", list, days,
	                        days == 1 ? "" : "s", date);
	finding_set_cause(finding, "nobody has replaced it yet; after that day servers refuse each other");
	advise_rotation(diagnosis, finding);
}

/* Those that deploy made share one Secret, so one certificate; elsewhere each server may well have its own. */
static void check_certificates_differ(struct diagnosis *diagnosis)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	const struct certificate *newest;
	struct finding *finding;
	bool several;

	if (!encryption_has_our_certificates(&diagnosis->snapshot->set))
		return;
	newest = newest_certificate(diagnosis, &several);
	if (!several)
		return;
	FOR_EACH_PLACE (place, diagnosis)
		if (certificate_of(place) && !str_equal(certificate_of(place)->fingerprint, newest->fingerprint))
			strv_add(&names, place_name(place));
	list = list_names(&names);
	finding = diagnosis_add(diagnosis, "certificates-differ", NULL, "%s %s not use the newest certificate yet",
	                        list, names.count == 1 ? "does" : "do");
	finding_set_cause(finding, "a rotation of certificates is under way, or was stopped before it was finished");
	remedy_deploy(diagnosis, "--rotate-certs", finding);
}

/* server.DC.consul, or of another domain than consul, which the servers do not tell. */
static bool names_server(const struct certificate *certificate, const char *datacenter)
{
	_cleanup_free_ char *prefix = xasprintf("server.%s.", datacenter);
	_cleanup_free_ char *name = xasprintf("%sconsul", prefix);

	if (certificate_has_name(certificate, name))
		return true;
	for (size_t i = 0; i < certificate->names.count; i++)
		if (str_starts_with(certificate->names.items[i], prefix))
			return true;
	return false;
}

static void check_certificate_name(struct diagnosis *diagnosis)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	const char *datacenter = NULL;
	struct finding *finding;

	FOR_EACH_PLACE (place, diagnosis) {
		const struct self *self = &place->server->view.self;

		if (!certificate_of(place) || !place->server->view.self_known || self->verifies_hostname != 1 ||
		    !self->datacenter || names_server(certificate_of(place), self->datacenter))
			continue;
		datacenter = self->datacenter;
		strv_add(&names, place_name(place));
	}
	if (names.count == 0)
		return;
	list = list_names(&names);
	finding = diagnosis_add(diagnosis, "certificate-name", NULL,
	                        "the certificate of %s does not name server.%s.consul", list, datacenter);
	finding_set_cause(finding, "verify_server_hostname is on, so whoever sees it on the servers' port refuses it");
	advise_rotation(diagnosis, finding);
}

/* --------------------------------------------------------------------------------------------- in plain */

static void add_unencrypted(struct diagnosis *diagnosis, const struct encryption *encryption)
{
	struct finding *finding = diagnosis_add(
	    diagnosis, "rpc-unencrypted", NULL, "%s",
	    encryption->https == ENCRYPTED_NONE ? "RPC and the HTTP API are not encrypted" : "RPC is not encrypted");

	if (encryption_is_ours(&diagnosis->snapshot->set)) {
		finding_set_cause(finding, "the cluster was deployed without TLS");
		remedy_deploy(diagnosis, "--tls", finding);
	} else {
		finding_set_cause(finding, "no certificates and `verify_outgoing` in the servers' configuration");
		remedy_explain(finding);
	}
}

static void add_unverified(struct diagnosis *diagnosis)
{
	const struct kube_statefulset *set = &diagnosis->snapshot->set;
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	struct finding *finding;

	FOR_EACH_PLACE (place, diagnosis) {
		enum encrypted rpc = encryption_rpc(place->server);

		if (rpc == ENCRYPTED_NONE || rpc == ENCRYPTED_PARTLY)
			strv_add(&names, place_name(place));
	}
	list = list_names(&names);
	finding = diagnosis_add(diagnosis, "rpc-unverified", NULL, "%s still %s plain or unverified RPC", list,
	                        names.count == 1 ? "speaks or accepts" : "speak or accept");
	if (encryption_has_our_certificates(set)) {
		finding_set_cause(
		    finding, "TLS is being turned on or off by a deploy, or that was stopped before it was finished");
		remedy_deploy(diagnosis, NULL, finding);
	} else {
		finding_set_cause(finding, "`verify_incoming` or `verify_outgoing` is off in the configuration there");
		remedy_explain(finding);
	}
}

static void check_rpc(struct diagnosis *diagnosis)
{
	bool has_certificates = encryption_has_our_certificates(&diagnosis->snapshot->set);
	bool is_rolling = str_equal(diagnosis->snapshot->set.update_strategy, "OnDelete");
	struct encryption encryption;

	encryption_of(diagnosis->snapshot, &encryption);
	if (has_certificates && is_rolling)
		return; /* rollout-unfinished tells it, with the same way out */
	if (encryption.rpc == ENCRYPTED_NONE && !has_certificates)
		add_unencrypted(diagnosis, &encryption);
	else if (encryption.rpc == ENCRYPTED_NONE || encryption.rpc == ENCRYPTED_PARTLY)
		add_unverified(diagnosis);
}

diagnosis_check *const encryption_checks[] = {
	check_certificate_expired,
	check_certificate_expires,
	check_certificates_differ,
	check_certificate_name,
	check_rpc,
	NULL,
};
