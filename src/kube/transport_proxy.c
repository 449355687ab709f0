/* Connections through a proxy: what libcurl is told, and what a proxy that does not do it is called. */
#include "transport_parts.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "util/mem.h"
#include "util/str.h"

/* Most bytes of libcurl's own words that are shown. */
#define DETAIL_MAX 300

/*
 * libcurl never looks into the environment by itself: "" is no proxy, and no host is exempt from the one that is
 * given. Its TLS, if it has one, is always verified, and it gets no client certificate.
 */
void transport_proxy_apply(const struct kube_transport *transport, CURL *easy)
{
	static const long types[] = { [KUBE_PROXY_HTTP] = CURLPROXY_HTTP,
		                      [KUBE_PROXY_HTTPS] = CURLPROXY_HTTPS,
		                      [KUBE_PROXY_SOCKS5] = CURLPROXY_SOCKS5_HOSTNAME };
	const struct kube_config *config = transport->config;
	const struct kube_proxy *proxy = &config->proxy;
	struct curl_blob blob;

	curl->easy_setopt(easy, CURLOPT_NOPROXY, "");
	curl->easy_setopt(easy, CURLOPT_PROXY, proxy->kind == KUBE_PROXY_NONE ? "" : proxy->address);
	if (proxy->kind == KUBE_PROXY_NONE)
		return;
	curl->easy_setopt(easy, CURLOPT_PROXYTYPE, types[proxy->kind]);
	curl->easy_setopt(easy, CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC);
	curl->easy_setopt(easy, CURLOPT_SOCKS5_AUTH, (long)CURLAUTH_BASIC);
	curl->easy_setopt(easy, CURLOPT_PROXYUSERNAME, proxy->user);
	curl->easy_setopt(easy, CURLOPT_PROXYPASSWORD, proxy->password);
	curl->easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	/* The proxy's "Retry-After" or "Date" is not the server's. */
	curl->easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (proxy->kind != KUBE_PROXY_HTTPS)
		return;
	curl->easy_setopt(easy, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl->easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
	curl->easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
	if (!config->proxy_ca_pem)
		return;
	curl->easy_setopt(easy, CURLOPT_PROXY_CAINFO, NULL);
	curl->easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
	blob = (struct curl_blob){ .data = config->proxy_ca_pem,
		                   .len = strlen(config->proxy_ca_pem),
		                   .flags = CURL_BLOB_NOCOPY };
	curl->easy_setopt(easy, CURLOPT_PROXY_CAINFO_BLOB, &blob);
}

/* ------------------------------------------------------------------------------------------ failures */

/* "proxyconnect tcp: WORDS", as Go calls what goes wrong on the way to the proxy itself. */
static int proxyconnect(const char *words, struct err *err)
{
	err_set(err, ERR_UNREACHABLE, "proxyconnect tcp: %s", words);
	return err_label(err, "Unable to connect to the server");
}

static int connect_error(const struct kube_proxy *proxy, long os_errno, struct err *err)
{
	_cleanup_free_ char *reason = xstrdup(strerror(os_errno ? (int)os_errno : ECONNREFUSED)), *words = NULL;

	reason[0] = (char)tolower((unsigned char)reason[0]);
	words = os_errno == ETIMEDOUT ? xasprintf("dial tcp %s: i/o timeout", proxy->address)
	                              : xasprintf("dial tcp %s: connect: %s", proxy->address, reason);
	return proxyconnect(words, err);
}

/* The proxy answered CONNECT, and not with 2xx. */
static int answer_error(const struct kube_proxy *proxy, long status, struct err *err)
{
	static const struct {
		long status;
		const char *text;
	} texts[] = {
		{ 400, "Bad Request" },         { 401, "Unauthorized" },
		{ 403, "Forbidden" },           { 404, "Not Found" },
		{ 405, "Method Not Allowed" },  { 407, "Proxy Authentication Required" },
		{ 429, "Too Many Requests" },   { 500, "Internal Server Error" },
		{ 501, "Not Implemented" },     { 502, "Bad Gateway" },
		{ 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
	};
	_cleanup_free_ char *number = xasprintf("unknown status code %ld", status);
	const char *text = number;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].status == status)
			text = texts[i].text;
	err_set(err, ERR_UNREACHABLE, "%s", text);
	err_label(err, "Unable to connect to the server");
	if (status != 407)
		return err_hint(err, "the proxy %s does not let this connection through", proxy->shown);
	return err_hint(err,
	                proxy->user ? "the proxy %s does not take the user and password in its URL"
	                            : "the proxy %s wants a user and password: put them in its URL, USER:PASSWORD@HOST",
	                proxy->shown);
}

/* What SOCKS says; NULL: nothing that there is a word for. */
static const char *socks_words(CURLproxycode code)
{
	static const struct {
		CURLproxycode code;
		const char *words;
	} rows[] = {
		{ CURLPX_NO_AUTH, "no acceptable authentication methods" },
		{ CURLPX_USER_REJECTED, "username/password authentication failed" },
		{ CURLPX_REPLY_GENERAL_SERVER_FAILURE, "unknown error general SOCKS server failure" },
		{ CURLPX_REPLY_NOT_ALLOWED, "unknown error connection not allowed by ruleset" },
		{ CURLPX_REPLY_NETWORK_UNREACHABLE, "unknown error network unreachable" },
		{ CURLPX_REPLY_HOST_UNREACHABLE, "unknown error host unreachable" },
		{ CURLPX_REPLY_CONNECTION_REFUSED, "unknown error connection refused" },
		{ CURLPX_REPLY_TTL_EXPIRED, "unknown error TTL expired" },
		{ CURLPX_REPLY_COMMAND_NOT_SUPPORTED, "unknown error command not supported" },
		{ CURLPX_REPLY_ADDRESS_TYPE_NOT_SUPPORTED, "unknown error address type not supported" },
		{ CURLPX_BAD_VERSION, "unexpected protocol version" },
		{ CURLPX_CLOSED, "EOF" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].code == code)
			return rows[i].words;
	return NULL;
}

static int socks_error(const struct kube_transport *transport, CURLproxycode code, const char *detail, struct err *err)
{
	_cleanup_free_ char *shown = str_visible(detail, DETAIL_MAX);
	const char *words = socks_words(code);

	err_set(err, ERR_UNREACHABLE, "socks connect tcp %s->%s:%u: %s", transport->config->proxy.address,
	        transport->address.host, (unsigned)transport->address.port, words ? words : shown);
	return err_label(err, "Unable to connect to the server");
}

static int tls_error(const struct kube_proxy *proxy, const char *detail, struct err *err)
{
	_cleanup_free_ char *shown = str_visible(detail, DETAIL_MAX), *words = NULL;

	if (strstr(detail, "wrong version number") || strstr(detail, "packet length too long")) {
		proxyconnect("tls: first record does not look like a TLS handshake", err);
		return err_hint(err, "the proxy %s does not speak TLS: write http:// in its URL", proxy->shown);
	}
	if (strstr(detail, "subject name") || strstr(detail, "common name")) {
		words =
		    xasprintf("tls: failed to verify certificate: x509: certificate is not valid for %s", proxy->host);
		proxyconnect(words, err);
	} else if (strstr(detail, "self-signed") || strstr(detail, "self signed") || strstr(detail, "issuer")) {
		proxyconnect("tls: failed to verify certificate: x509: certificate signed by unknown authority", err);
	} else {
		words = xasprintf("tls: %s", shown);
		proxyconnect(words, err);
	}
	return err_hint(err,
	                "the proxy %s is trusted by this machine's certificate authorities (SSL_CERT_FILE) and by the "
	                "cluster's (certificate-authority)",
	                proxy->shown);
}

static bool is_tls(CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR ||
	       code == CURLE_SSL_CACERT_BADFILE;
}

static int fail(const struct kube_transport *transport, const struct transport_failure *failure, struct err *err)
{
	const struct kube_proxy *proxy = &transport->config->proxy;
	_cleanup_free_ char *words = NULL;

	if (failure->connect_status != 0 && failure->connect_status / 100 != 2)
		return answer_error(proxy, failure->connect_status, err);
	if (failure->code == CURLE_COULDNT_RESOLVE_PROXY) {
		words = xasprintf("dial tcp: lookup %s: no such host", proxy->host);
		return proxyconnect(words, err);
	}
	if (failure->code == CURLE_COULDNT_CONNECT)
		return connect_error(proxy, failure->os_errno, err);
	if (failure->code == CURLE_PROXY)
		return socks_error(transport, failure->proxy_code, failure->detail, err);
	if (proxy->kind == KUBE_PROXY_HTTPS && failure->connect_status == 0 && is_tls(failure->code))
		return tls_error(proxy, failure->detail, err);
	if (failure->code == CURLE_OPERATION_TIMEDOUT && failure->connect_status == 0) {
		words = xasprintf("dial tcp %s: i/o timeout", proxy->address);
		return proxyconnect(words, err);
	}
	if (strstr(failure->detail, "CONNECT aborted"))
		return proxyconnect("EOF", err);
	return 0;
}

int transport_proxy_error(const struct kube_transport *transport, const struct transport_failure *failure,
                          struct err *err)
{
	const struct kube_proxy *proxy = &transport->config->proxy;

	if (proxy->kind == KUBE_PROXY_NONE || fail(transport, failure, err) == 0)
		return 0;
	return err_hint(err, "is the proxy %s the right one for this cluster, and can it be reached?", proxy->shown);
}
