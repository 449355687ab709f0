/* Failed connections in the words of kubectl. See include/kube/transport.h. */
#include "transport_parts.h"

#include <errno.h>
#include <string.h>

#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/* Most bytes of libcurl's own words that are shown. */
#define DETAIL_MAX 300

/* What libcurl and OpenSSL write, and what Go writes for it. */
struct wording {
	const char *detail;
	const char *words;
};

static int unable(struct err *err, const char *words)
{
	err_set(err, ERR_UNREACHABLE, "%s", words);
	return err_label(err, "Unable to connect to the server");
}

static const struct wording *find_wording(const struct wording *wordings, const char *detail)
{
	for (; wordings->detail; wordings++)
		if (strstr(detail, wordings->detail))
			return wordings;
	return NULL;
}

/* ------------------------------------------------------------------------------------ TCP and names */

static int refused_error(const struct kube_transport *transport, struct err *err)
{
	err_set(err, ERR_UNREACHABLE,
	        "The connection to the server %s was refused - did you specify the right host or port?",
	        transport->address.authority);
	return err_label(err, "%s", "");
}

static int timeout_error(const struct kube_transport *transport, struct err *err)
{
	_cleanup_free_ char *words = xasprintf("dial tcp %s: i/o timeout", transport->address.authority);

	unable(err, words);
	return err_hint(err, "nothing answers at %s: is the address right, or is a VPN or a firewall in the way?",
	                transport->address.authority);
}

static int connect_error(const struct kube_transport *transport, long os_errno, struct err *err)
{
	_cleanup_free_ char *words = NULL;

	if (os_errno == 0 || os_errno == ECONNREFUSED)
		return refused_error(transport, err);
	if (os_errno == ETIMEDOUT)
		return timeout_error(transport, err);
	words = xasprintf("dial tcp %s: connect: %s", transport->address.authority, strerror((int)os_errno));
	return unable(err, words);
}

static int lookup_error(const struct kube_transport *transport, struct err *err)
{
	_cleanup_free_ char *words = xasprintf("dial tcp: lookup %s: no such host", transport->address.host);

	unable(err, words);
	return err_hint(err, "is the server's name right, and does the network (a VPN?) know it?");
}

/* --------------------------------------------------------------------------------------------- TLS */

#define X509_PREFIX       "tls: failed to verify certificate: x509: "
#define UNKNOWN_AUTHORITY "certificate signed by unknown authority"

static int authority_error(const struct kube_transport *transport, struct err *err)
{
	unable(err, X509_PREFIX UNKNOWN_AUTHORITY);
	if (transport->config->ca_pem)
		return err_hint(err,
		                "the cluster's certificate-authority did not sign the certificate of %s: is this the "
		                "right cluster, or was it set up anew?",
		                transport->address.authority);
	return err_hint(err,
	                "give the cluster's own authority: --certificate-authority, or certificate-authority-data in "
	                "the kubeconfig");
}

static int server_time_error(struct err *err)
{
	_cleanup_free_ char *now = clock_format_rfc3339(clock_wall_s());
	_cleanup_free_ char *words =
	    xasprintf(X509_PREFIX "certificate has expired or is not yet valid: current time %s", now);

	unable(err, words);
	return err_hint(err, "the API server's certificate must be renewed, unless the clock of this machine is wrong");
}

static int server_name_error(const struct kube_transport *transport, struct err *err)
{
	const char *wanted = transport->config->tls_server_name;
	_cleanup_free_ char *words = NULL;

	if (str_is_empty(wanted))
		wanted = transport->address.host;
	words = xasprintf(X509_PREFIX "certificate is not valid for %s", wanted);
	unable(err, words);
	return err_hint(err, "connect by a name that the certificate has, or give one of them with --tls-server-name");
}

static int verify_error(const struct kube_transport *transport, const char *detail, struct err *err)
{
	_cleanup_free_ char *shown = str_visible(detail, DETAIL_MAX);
	_cleanup_free_ char *words = NULL;

	if (strstr(detail, "certificate has expired") || strstr(detail, "not yet valid"))
		return server_time_error(err);
	if (strstr(detail, "subject name") || strstr(detail, "common name"))
		return server_name_error(transport, err);
	if (strstr(detail, "self-signed") || strstr(detail, "self signed") || strstr(detail, "issuer certificate") ||
	    strstr(detail, "signature failure") || strstr(detail, "verify the first certificate"))
		return authority_error(transport, err);
	words = xasprintf("tls: failed to verify certificate: %s", shown);
	return unable(err, words);
}

static const struct wording alerts[] = {
	{ "alert certificate expired", "remote error: tls: expired certificate" },
	{ "alert bad certificate", "remote error: tls: bad certificate" },
	{ "alert certificate unknown", "remote error: tls: unknown certificate" },
	{ "alert certificate revoked", "remote error: tls: revoked certificate" },
	{ "alert unsupported certificate", "remote error: tls: unsupported certificate" },
	{ "alert unknown ca", "remote error: tls: unknown certificate authority" },
	{ "certificate required", "remote error: tls: certificate required" },
	{ "alert handshake failure", "remote error: tls: handshake failure" },
	{ "alert protocol version", "remote error: tls: protocol version not supported" },
	{ "alert access denied", "remote error: tls: access denied" },
	{ "alert internal error", "remote error: tls: internal error" },
	{ NULL, NULL },
};

int kube_transport_hint(const struct kube_transport *transport, struct err *err)
{
	const struct kube_config *config = transport->config;
	const int64_t not_after_s = transport_tls_not_after_s(&transport->tls);
	_cleanup_free_ char *since = NULL;

	if (not_after_s >= clock_wall_s())
		return -1;
	since = clock_format_rfc3339(not_after_s);
	replace_string(&err->hint, xasprintf("the client certificate of user \"%s\" expired at %s: get a new one",
	                                     config->user ? config->user : "", since));
	return -1;
}

static int alert_error(const struct kube_transport *transport, const struct wording *alert, struct err *err)
{
	unable(err, alert->words);
	kube_transport_hint(transport, err);
	if (strstr(alert->words, "certificate") && transport->config->client_cert_pem)
		err_hint(err, "the server does not take the client certificate of user \"%s\"",
		         transport->config->user ? transport->config->user : "");
	else if (strstr(alert->words, "certificate"))
		err_hint(err, "the server wants a client certificate, and this user has none");
	return -1;
}

static const struct wording plain_answers[] = {
	{ "wrong version number", "http: server gave HTTP response to HTTPS client" },
	{ "packet length too long", "http: server gave HTTP response to HTTPS client" },
	{ "unknown protocol", "http: server gave HTTP response to HTTPS client" },
	{ NULL, NULL },
};

static const struct wording broken_connections[] = {
	{ "Connection reset by peer", "read: connection reset by peer" },
	{ "reset", "read: connection reset by peer" },
	{ "Broken pipe", "write: broken pipe" },
	{ "SSL_ERROR_SYSCALL", "EOF" },
	{ "unexpected eof", "unexpected EOF" },
	{ "GOAWAY", "http2: server sent GOAWAY and closed the connection" },
	{ "HTTP/0.9", "malformed HTTP response" },
	{ NULL, NULL },
};

static int other_error(const struct kube_transport *transport, const char *detail, struct err *err)
{
	_cleanup_free_ char *shown = str_visible(detail, DETAIL_MAX);
	const struct wording *found = find_wording(alerts, detail);

	if (found)
		return alert_error(transport, found, err);
	found = find_wording(plain_answers, detail);
	if (found) {
		unable(err, found->words);
		return err_hint(err, "%s does not speak TLS: is the port right?", transport->address.authority);
	}
	found = find_wording(broken_connections, detail);
	return unable(err, found ? found->words : shown);
}

static int no_authorities_error(const char *detail, struct err *err)
{
	_cleanup_free_ char *shown = str_visible(detail, DETAIL_MAX);

	unable(err, shown);
	return err_hint(err,
	                "this machine has no list of certificate authorities: install ca-certificates, or name the "
	                "cluster's own with --certificate-authority FILE");
}

/* ----------------------------------------------------------------------------------------- exported */

static int fail(const struct kube_transport *transport, const struct transport_failure *failure, struct err *err)
{
	const char *detail = failure->detail;

	if (transport_proxy_error(transport, failure, err) < 0)
		return -1;
	if (failure->code == CURLE_COULDNT_CONNECT)
		return connect_error(transport, failure->os_errno, err);
	if (failure->code == CURLE_COULDNT_RESOLVE_HOST)
		return lookup_error(transport, err);
	if (failure->code == CURLE_OPERATION_TIMEDOUT)
		return timeout_error(transport, err);
	if (failure->code == CURLE_PEER_FAILED_VERIFICATION)
		return verify_error(transport, detail, err);
	if (failure->code == CURLE_SSL_CACERT_BADFILE)
		return no_authorities_error(detail, err);
	if (failure->code == CURLE_GOT_NOTHING)
		return unable(err, "EOF");
	if (failure->code == CURLE_PARTIAL_FILE)
		return unable(err, "unexpected EOF");
	return other_error(transport, detail, err);
}

int kube_transport_error(const struct kube_transport *transport, CURLcode code, const char *detail, struct err *err)
{
	const struct transport_failure failure = {
		.code = code,
		.detail = str_is_empty(detail) ? curl->easy_strerror(code) : detail,
	};

	return fail(transport, &failure, err);
}

int kube_transport_easy_error(const struct kube_transport *transport, CURL *easy, CURLcode code, const char *detail,
                              struct err *err)
{
	struct transport_failure failure = {
		.code = code,
		.detail = str_is_empty(detail) ? curl->easy_strerror(code) : detail,
	};
	long proxy_code = 0;

	curl->easy_getinfo(easy, CURLINFO_OS_ERRNO, &failure.os_errno);
	curl->easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &failure.connect_status);
	curl->easy_getinfo(easy, CURLINFO_PROXY_ERROR, &proxy_code);
	failure.proxy_code = (CURLproxycode)proxy_code;
	return fail(transport, &failure, err);
}
