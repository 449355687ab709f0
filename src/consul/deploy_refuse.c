/* What a deploy refuses to change: see include/consul/deploy_parts.h. */
#include <inttypes.h>

#include "consul/deploy_parts.h"
#include "consul/observe.h"
#include "util/json.h"
#include "util/mem.h"

int deploy_refuse_scaling(const char *name, int64_t wanted, int64_t live, const char *namespace_name, struct err *err)
{
	err_set(err, ERR_REFUSED,
	        "statefulset.apps/%s has %" PRId64 " replicas, not %" PRId64
	        "; applying files does not change the number of servers",
	        name, live, wanted);
	return err_hint(err, "kubectl consul scale %" PRId64 " -n %s%s%s does it, one server at a time", wanted,
	                namespace_name, str_equal(name, OBSERVE_DEFAULT_NAME) ? "" : " --name ",
	                str_equal(name, OBSERVE_DEFAULT_NAME) ? "" : name);
}

static int refuse_fixed(const struct deploy_request *request, const char *option, const char *live, const char *why,
                        struct err *err)
{
	_cleanup_free_ char *shown = str_visible(live, 64);

	err_set(err, ERR_REFUSED, "statefulset.apps/%s has --%s \"%s\"; %s", request->name, option, shown, why);
	return err_hint(err, "leave --%s out to keep it", option);
}

int deploy_refuse_foreign(const char *resource, const cJSON *live, struct err *err)
{
	const cJSON *manager = json_get(json_at(live, "metadata.labels"), "app.kubernetes.io/managed-by");
	_cleanup_free_ char *shown = cJSON_IsString(manager) ? str_visible(manager->valuestring, 64) : NULL;

	err_set(err, ERR_REFUSED, "%s exists and was not made by kubectl consul%s%s%s", resource,
	        shown ? " (managed by \"" : "", shown ? shown : "", shown ? "\")" : "");
	return err_hint(err, "choose another name with --name, or apply your own files with -f");
}

int deploy_refuse_other_cluster(const char *resource, const char *cluster, struct err *err)
{
	_cleanup_free_ char *shown = str_visible(cluster, 64);

	err_set(err, ERR_REFUSED, "%s is of another cluster in this namespace, \"%s\"", resource, shown);
	return err_hint(err, "choose another name with --name, or another namespace with -n");
}

int deploy_refuse_partition(const struct deploy_request *request, int64_t partition, struct err *err)
{
	err_set(err, ERR_REFUSED,
	        "statefulset.apps/%s is half rolled out and has the partition %" PRId64
	        ": servers below it stay on the earlier template, and TLS changes only when all are of one",
	        request->name, partition);
	return err_hint(
	    err,
	    "this lets the same command bring them there, one at a time: kubectl patch statefulset %s -n %s "
	    "--type merge -p '{\"spec\":{\"updateStrategy\":{\"type\":\"OnDelete\",\"rollingUpdate\":null}}}'",
	    request->name, request->namespace_name);
}

static int check_set(const struct deploy_request *request, const cJSON *set, struct err *err)
{
	const char *size = json_string_at(deploy_live_claim(set), "spec.resources.requests.storage");
	const char *class = json_string_at(deploy_live_claim(set), "spec.storageClassName");
	_cleanup_free_ char *resource = xasprintf("statefulset.apps/%s", request->name);

	if (!manifest_is_ours(set))
		return deploy_refuse_foreign(resource, set, err);
	if (request->storage_size && size && !manifest_same_quantity(request->storage_size, size))
		return refuse_fixed(request, "storage-size", size,
		                    "the size in a StatefulSet's claim template cannot be changed", err);
	if (request->storage_class && !str_equal(request->storage_class, class ? class : ""))
		return refuse_fixed(request, "storage-class", class ? class : "",
		                    "the class of a StatefulSet's claim template cannot be changed", err);
	return 0;
}

/* Servers keep the key they began with in their data: others would never be let in with a new one. */
static int refuse_new_key(const struct deploy_request *request, struct err *err)
{
	const char *name = request->name;

	err_set(err, ERR_REFUSED,
	        "statefulset.apps/%s exists, but its secret/%s-gossip does not; a new key would keep new servers out",
	        name, name);
	return err_hint(
	    err,
	    "the key in use is the first one in: kubectl exec -n %s %s-0 -- cat /consul/data/serf/local.keyring; "
	    "make the Secret again with %s = {\"encrypt\": \"KEY\"}",
	    request->namespace_name, name, MANIFEST_GOSSIP_FILE);
}

/* The certificates that the servers use are gone: an authority that is made now is none that they know. */
static int refuse_new_authority(const struct deploy_request *request, struct err *err)
{
	const char *name = request->name;

	err_set(
	    err, ERR_REFUSED,
	    "the servers of statefulset.apps/%s use TLS, but neither secret/%s-tls nor secret/%s-ca exists; a server "
	    "with a certificate of another authority would be kept out",
	    name, name, name);
	return err_hint(err,
	                "running servers still have theirs in /consul/tls: make secret/%s-tls again from the files "
	                "ca.crt, tls.crt and tls.key of one of them before any of them restarts",
	                name);
}

/*
 * Seen on 1.8.7: a server that enforces ACLs under a leader that does not is in "legacy mode", and refuses every
 * question, whoever asks: neither its readiness nor its vote can be told until all have them.
 */
static int refuse_acls(const struct deploy_request *request, struct err *err)
{
	err_set(err, ERR_REFUSED,
	        "statefulset.apps/%s runs without ACLs, and they cannot be turned on one server at a time",
	        request->name);
	return err_hint(
	    err, "a server that has them answers nobody until all have; make a new cluster with --acls, and bring the "
	         "keys over with consul kv export and import (a snapshot would take the ACLs along)");
}

static int refuse_reset(const struct deploy_request *request, struct err *err)
{
	err_set(err, ERR_REFUSED,
	        "statefulset.apps/%s has no ACLs: there is nothing that --reset-acls could bootstrap again",
	        request->name);
	return err_hint(err, "leave --reset-acls out");
}

/* What it runs with cannot be told: anything that is rendered now may be plain, or another datacenter. */
static int refuse_unknown_config(const struct deploy_request *request, struct err *err)
{
	err_set(err, ERR_REFUSED,
	        "statefulset.apps/%s exists, but its configmap/%s-server does not, and its pod template has no "
	        "configuration: what the servers run with is not known",
	        request->name, request->name);
	return err_hint(
	    err, "make the ConfigMap again, with the servers' configuration under the key " MANIFEST_SERVER_FILE);
}

static int check_secrets(const struct deploy_request *request, const struct deploy_existing *existing, struct err *err)
{
	if (existing->gossip.known && !existing->gossip.there)
		return refuse_new_key(request, err);
	if (manifest_tls_of(existing->config) != MANIFEST_TLS_OFF && existing->tls.known && !existing->tls.there &&
	    existing->authority.known && !existing->authority.there)
		return refuse_new_authority(request, err);
	return 0;
}

static int hint_to_rotate(struct err *err)
{
	return err_hint(err, "--rotate-certs with the same options changes to the new one, nobody restarted");
}

/* NAME-ca is not there, or may not be read: the certificate that the servers use tells. */
static int check_signer(const struct deploy_request *request, const struct deploy_existing *existing, struct err *err)
{
	_cleanup_err_ struct err reason = ERR_INIT;

	if (manifest_tls_of(existing->config) == MANIFEST_TLS_OFF || !existing->certificate ||
	    certificate_verify(existing->certificate, request->authority->certificate, request->now_s, &reason) == 0)
		return 0;
	err_set(err, ERR_REFUSED, "the certificate in secret/%s-tls is not by the authority that is given: %s",
	        request->name, reason.message);
	return hint_to_rotate(err);
}

static int check_authority(const struct deploy_request *request, const struct deploy_existing *existing,
                           struct err *err)
{
	struct certificate given = CERTIFICATE_INIT, live = CERTIFICATE_INIT;
	int status = 0;

	if (!request->authority)
		return 0;
	if (!existing->authority_pair.certificate)
		return check_signer(request, existing, err);
	if (certificate_read(request->authority->certificate, &given, err) < 0 ||
	    certificate_read(existing->authority_pair.certificate, &live, err) < 0) {
		status = -1;
	} else if (!str_equal(given.fingerprint, live.fingerprint)) {
		err_set(err, ERR_REFUSED, "secret/%s-ca holds another authority: %s", request->name, live.subject);
		status = hint_to_rotate(err);
	}
	certificate_release(&given);
	certificate_release(&live);
	return status;
}

int deploy_check_certificate(const struct deploy_request *request, const struct deploy_existing *existing,
                             const char *datacenter, struct err *err)
{
	_cleanup_free_ char *name = xasprintf("server.%s.consul", datacenter);
	struct certificate certificate = CERTIFICATE_INIT;
	int status;

	if (!existing->bundle || !existing->certificate) {
		status = err_set(err, ERR_INVALID, "it lacks " MANIFEST_KEY_AUTHORITY " or " MANIFEST_KEY_CERTIFICATE);
	} else {
		status = certificate_verify(existing->certificate, existing->bundle, request->now_s, err);
		if (status == 0)
			status = certificate_read(existing->certificate, &certificate, err);
		if (status == 0 && !certificate_has_name(&certificate, name))
			status = err_set(err, ERR_INVALID, "its certificate is not good for %s", name);
	}
	certificate_release(&certificate);
	if (status == 0)
		return 0;
	err->kind = ERR_REFUSED;
	err_wrap(err, "secret/%s-tls is there already, and servers with it would be refused", request->name);
	return err_hint(err,
	                "kubectl delete secret %s-tls %s-ca -n %s, if nobody needs them, lets deploy make new ones",
	                request->name, request->name, request->namespace_name);
}

int deploy_check_existing(const struct deploy_request *request, const struct deploy_existing *existing, struct err *err)
{
	const char *datacenter = json_string_at(existing->config, "datacenter");

	if (check_authority(request, existing, err) < 0)
		return -1;
	if (request->reset_acls && !(existing->set ? manifest_acls_of(existing->config) : request->acls))
		return refuse_reset(request, err);
	if (!existing->set)
		return 0;
	if (check_set(request, existing->set, err) < 0)
		return -1;
	if (request->datacenter && datacenter && !str_equal(request->datacenter, datacenter))
		return refuse_fixed(request, "datacenter", datacenter, "a Consul datacenter cannot be renamed", err);
	if (!existing->config)
		return refuse_unknown_config(request, err);
	if (request->acls && !manifest_acls_of(existing->config))
		return refuse_acls(request, err);
	return check_secrets(request, existing, err);
}
