/* kube/transport: URLs, credentials, TLS material, and what a failed connection is called. */
#include "kube/transport.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "../../../src/kube/transport_parts.h"
#include "../../support/apiserver.h"
#include "kube/multi.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

static struct kube_config config;
static struct err err;
static struct pki *pki;

static void set_up(void)
{
	pki = pki_new("kubernetes");
	config = (struct kube_config){ .namespace_name = xstrdup("default"), .user = xstrdup("tester") };
}

static void tear_down(void)
{
	kube_config_release(&config);
	err_release(&err);
	pki_free(pki);
}

TestSuite(transport, .init = set_up, .fini = tear_down);

static struct kube_transport *make(const char *server)
{
	struct kube_transport *transport = NULL;

	replace_string(&config.server, xstrdup(server));
	cr_assert_eq(kube_transport_new(&config, "kubectl consul health", &transport, &err), 0, "%s", err.message);
	return transport;
}

static void expect_refused(const char *server, const char *message)
{
	struct kube_transport *transport = NULL;
	_cleanup_free_ char *text = NULL;

	replace_string(&config.server, xstrdup(server));
	cr_assert_eq(kube_transport_new(&config, NULL, &transport, &err), -1, "%s is taken", server);
	cr_assert_null(transport);
	cr_assert_eq(err.kind, ERR_CONFIG);
	text = err_text(&err);
	cr_assert(strstr(text, message), "%s", text);
	err_release(&err);
}

/* --------------------------------------------------------------------------------------------- URLs */

Test(transport, url_and_authority)
{
	static const struct {
		const char *server, *url, *authority;
	} rows[] = {
		{ "https://10.0.0.1:6443", "https://10.0.0.1:6443", "10.0.0.1:6443" },
		{ "https://k8s.example.com", "https://k8s.example.com", "k8s.example.com" },
		{ "https://[::1]:6443", "https://[::1]:6443", "[::1]:6443" },
		{ "https://rancher.example/k8s/clusters/c-1/", "https://rancher.example/k8s/clusters/c-1",
		  "rancher.example" },
		{ "http://localhost:8001", "http://localhost:8001", "localhost:8001" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kube_transport *transport = make(rows[i].server);

		cr_expect_str_eq(kube_transport_url(transport), rows[i].url);
		cr_expect_str_eq(kube_transport_authority(transport), rows[i].authority);
		kube_transport_free(transport);
	}
}

Test(transport, what_is_no_url_is_refused)
{
	static const char *const servers[] = {
		"",
		"10.0.0.1:6443",
		"ftp://host",
		"https://",
		"https://:6443",
		"https://host:0",
		"https://host:65536",
		"https://host:64 43",
		"https://user:secret@host",
		"https://host?query",
		"https://host/a b",
		"https://host/a\r\nX: y",
		"https://ho\nst",
		"https://[::1",
		"https://[]:6443",
		"https://[host]:6443",
	};

	for (size_t i = 0; i < ARRAY_SIZE(servers); i++)
		expect_refused(servers[i], "is not a URL");
}

Test(transport, another_server_name_is_in_the_url_only)
{
	struct kube_transport *transport;

	config.tls_server_name = xstrdup("kubernetes");
	transport = make("https://[fd00::1]:6443/prefix");
	cr_expect_str_eq(kube_transport_url(transport), "https://kubernetes:6443/prefix");
	cr_expect_str_eq(kube_transport_authority(transport), "[fd00::1]:6443");
	kube_transport_free(transport);
	replace_string(&config.tls_server_name, xstrdup("a/b"));
	expect_refused("https://host", "tls-server-name");
}

/* ------------------------------------------------------------------------------------- TLS material */

static void set_client(const char *certificate, const char *key)
{
	replace_string(&config.client_cert_pem, xstrdup_null(certificate));
	replace_string(&config.client_key_pem, xstrdup_null(key));
}

Test(transport, tls_material_is_checked_before_anything_is_connected)
{
	const struct pki_pair *client = pki_client(pki, PKI_CLIENT_GOOD);

	config.ca_pem = xstrdup("no certificate");
	expect_refused("https://host", "unable to parse bytes as PEM block");
	replace_string(&config.ca_pem, xstrdup(pki_ca(pki)));
	set_client(client->certificate, NULL);
	expect_refused("https://host", "belong together");
	set_client("no certificate", client->key);
	expect_refused("https://host", "certificate input");
	set_client(client->certificate, "no key");
	expect_refused("https://host", "key input");
	set_client(client->certificate, pki_server(pki, PKI_SERVER_GOOD)->key);
	expect_refused("https://host", "private key does not match public key");
	set_client(client->certificate, pki_encrypted_key(pki));
	expect_refused("https://host", "the client key is encrypted");
	set_client(client->certificate, client->key);
	kube_transport_free(make("https://host"));
}

Test(transport, tls_material_is_shared_unless_a_proxy_would_get_it)
{
	struct kube_transport *transport;

	transport = make("https://host");
	cr_expect(transport->tls.is_shared);
	kube_transport_free(transport);
	config.proxy.kind = KUBE_PROXY_HTTPS;
	transport = make("https://host");
	cr_expect_not(transport->tls.is_shared);
	kube_transport_free(transport);
}

Test(transport, authorities_are_all_read_and_what_is_none_is_passed_over)
{
	struct kube_transport *transport;
	STACK_OF(X509_OBJECT) * objects;

	config.ca_pem = xasprintf("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n%s# comment\n%s",
	                          pki_ca(pki), pki_other_ca(pki));
	transport = make("https://host");
	objects = X509_STORE_get0_objects(transport->tls.authorities);
	cr_expect_eq(sk_X509_OBJECT_num(objects), 2);
	kube_transport_free(transport);
}

/* ----------------------------------------------------------------------------------------- headers */

/* The value of a header in the list, or NULL. */
static const char *header(const struct curl_slist *list, const char *name)
{
	for (; list; list = list->next)
		if (str_starts_with(list->data, name) && str_starts_with(list->data + strlen(name), ": "))
			return list->data + strlen(name) + 2;
	return NULL;
}

static struct curl_slist *headers_of(struct kube_transport *transport)
{
	struct curl_slist *list = NULL;

	cr_assert_eq(kube_transport_headers(transport, &list, &err), 0, "%s", err.message);
	return list;
}

Test(transport, headers_say_who_is_calling)
{
	struct kube_transport *transport = make("https://host");
	struct curl_slist *first = headers_of(transport), *second = headers_of(transport);
	const char *session = header(first, "Kubectl-Session");
	const char *agent = header(first, "User-Agent");

	cr_expect(str_starts_with(agent, "kubectl-consul/" KUBECTL_CONSUL_VERSION " ("), "%s", agent);
	cr_expect_not_null(strchr(agent, '/'));
	cr_expect_str_eq(header(first, "Kubectl-Command"), "kubectl consul health");
	cr_expect_null(header(first, "Authorization"));
	cr_expect_eq(strlen(session), 36);
	cr_expect_eq(session[14], '4', "a UUID of version 4: %s", session);
	cr_expect_str_eq(header(second, "Kubectl-Session"), session);
	kube_transport_headers_free(first);
	kube_transport_headers_free(second);
	kube_transport_free(transport);
}

Test(transport, a_token_is_sent_over_https_only)
{
	struct kube_transport *transport;
	struct curl_slist *list;

	config.token = xstrdup("s3cret");
	transport = make("https://host");
	list = headers_of(transport);
	cr_expect_str_eq(header(list, "Authorization"), "Bearer s3cret");
	kube_transport_headers_free(list);
	kube_transport_free(transport);
	expect_refused("http://127.0.0.1:8001", "refusing to send credentials over plain http");
	free_secret(TAKE(config.token));
	config.token_file = xstrdup("/nowhere");
	expect_refused("http://127.0.0.1:8001", "refusing to send credentials over plain http");
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
}

static void expect_token_error(struct kube_transport *transport, const char *message)
{
	struct curl_slist *list = NULL;

	cr_expect_eq(kube_transport_headers(transport, &list, &err), -1);
	cr_expect_eq(err.kind, ERR_CONFIG);
	cr_expect(strstr(err.message, message), "%s", err.message);
	err_release(&err);
	kube_transport_headers_free(list);
}

Test(transport, a_token_file_is_trimmed_and_kept_for_a_minute)
{
	char path[] = "/tmp/kubectl-consul-token-XXXXXX";
	int fd = mkstemp(path);
	struct kube_transport *transport;
	struct curl_slist *list;

	cr_assert_geq(fd, 0);
	close(fd);
	config.token_file = xstrdup(path);
	transport = make("https://host");
	expect_token_error(transport, "read empty token from file");
	write_file(path, "a\nb");
	expect_token_error(transport, "control characters");
	kube_transport_free(transport);
	transport = make("https://host");
	cr_assert_eq(truncate(path, 4), 0); /* a NUL */
	expect_token_error(transport, "NUL");
	kube_transport_free(transport);
	transport = make("https://host");
	write_file(path, "  first\n");
	list = headers_of(transport);
	cr_expect_str_eq(header(list, "Authorization"), "Bearer first");
	kube_transport_headers_free(list);
	write_file(path, "second");
	list = headers_of(transport);
	cr_expect_str_eq(header(list, "Authorization"), "Bearer first");
	kube_transport_headers_free(list);
	kube_transport_free(transport);
	unlink(path);
	transport = make("https://host");
	expect_token_error(transport, "no such file or directory");
	kube_transport_free(transport);
}

/* --------------------------------------------------------------------------- failures, for real */

static const struct apiserver_route routes[] = { { .path = "/*", .answer = { .body = "{}" } }, { 0 } };

struct attempt {
	bool is_done;
	CURLcode code;
	char detail[CURL_ERROR_SIZE];
};

static void on_done(void *context, CURL *easy, CURLcode code)
{
	struct attempt *attempt = context;

	(void)easy;
	attempt->is_done = true;
	attempt->code = code;
}

static bool is_done(void *context)
{
	const struct attempt *attempt = context;

	return attempt->is_done;
}

static size_t drop(char *bytes, size_t size, size_t count, void *context)
{
	(void)bytes;
	(void)context;
	return size * count;
}

/* One GET of the config's server; the error, if any, is in err. */
static CURLcode get(struct kube_transport *transport)
{
	struct loop *loop = loop_new();
	struct kube_multi *multi = kube_multi_new(loop);
	CURL *easy = kube_transport_easy(transport);
	struct attempt attempt = { 0 };

	curl->easy_setopt(easy, CURLOPT_URL, kube_transport_url(transport));
	curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, attempt.detail);
	curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
	kube_multi_add(multi, easy, on_done, &attempt);
	cr_assert_eq(loop_run(loop, is_done, &attempt, clock_monotonic_ms() + 10000, &err), 0, "%s", err.message);
	if (attempt.code != CURLE_OK)
		kube_transport_easy_error(transport, easy, attempt.code, attempt.detail, &err);
	kube_multi_remove(multi, easy);
	curl->easy_cleanup(easy);
	kube_multi_free(multi);
	loop_free(loop);
	return attempt.code;
}

static struct apiserver *start_tls(enum pki_server certificate, enum client_certificate client)
{
	struct apiserver_options options = {
		.routes = routes, .tls = true, .certificate = certificate, .client_certificate = client, .pki = pki
	};

	replace_string(&config.ca_pem, xstrdup(pki_ca(pki)));
	return apiserver_start(&options);
}

static void expect_one_outcome(struct kube_transport *transport, const char *text, const char *hint)
{
	CURLcode code = get(transport);

	if (!*text) {
		cr_expect_eq(code, CURLE_OK, "%s", err.message);
	} else {
		_cleanup_free_ char *found = err_is_set(&err) ? err_text(&err) : xstrdup("no error");

		cr_expect(str_starts_with(found, text), "%s", found);
		cr_expect_eq(err.kind, ERR_UNREACHABLE);
		cr_expect(!hint || (err.hint && strstr(err.hint, hint)), "hint: %s", err.hint ? err.hint : "none");
	}
	err_release(&err);
}

/*
 * Connects to the server and expects this text ("": it works) and a hint with hint in it (NULL: none is looked at).
 * Both ways of giving libcurl the TLS material must come to the same.
 */
static void expect_outcome(struct apiserver *server, const char *text, const char *hint)
{
	struct kube_transport *transport = make(apiserver_url(server));

	expect_one_outcome(transport, text, hint);
	transport->tls.is_shared = false;
	expect_one_outcome(transport, text, hint);
	kube_transport_free(transport);
}

#define UNABLE "Unable to connect to the server: "

Test(transport, a_good_server_is_reached)
{
	struct apiserver *server = start_tls(PKI_SERVER_GOOD, CLIENT_CERT_REQUIRED);
	const struct pki_pair *client = pki_client(pki, PKI_CLIENT_GOOD);

	set_client(client->certificate, client->key);
	expect_outcome(server, "", NULL);
	apiserver_stop(server);
}

Test(transport, a_refused_connection_is_one_line_without_a_label)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int nobody = socket(AF_INET, SOCK_STREAM, 0);
	struct kube_transport *transport;
	_cleanup_free_ char *url = NULL, *expected = NULL, *text = NULL;

	/* Bound, but not listening. */
	cr_assert_eq(bind(nobody, (struct sockaddr *)&address, length), 0);
	cr_assert_eq(getsockname(nobody, (struct sockaddr *)&address, &length), 0);
	url = xasprintf("https://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
	transport = make(url);
	cr_expect_eq(get(transport), CURLE_COULDNT_CONNECT);
	text = err_text(&err);
	expected = xasprintf("The connection to the server %s was refused - did you specify the right host or port?",
	                     url + strlen("https://"));
	cr_expect_str_eq(text, expected);
	close(nobody);
	kube_transport_free(transport);
}

Test(transport, an_unknown_authority_is_not_trusted)
{
	struct apiserver *server = start_tls(PKI_SERVER_OTHER_CA, CLIENT_CERT_IGNORED);

	expect_outcome(server,
	               UNABLE "tls: failed to verify certificate: x509: certificate signed by unknown authority",
	               "did not sign");
	free(TAKE(config.ca_pem));
	expect_outcome(server,
	               UNABLE "tls: failed to verify certificate: x509: certificate signed by unknown authority",
	               "--certificate-authority");
	config.insecure = true;
	expect_outcome(server, "", NULL);
	apiserver_stop(server);
}

Test(transport, an_expired_server_is_not_trusted)
{
	struct apiserver *server = start_tls(PKI_SERVER_EXPIRED, CLIENT_CERT_IGNORED);

	expect_outcome(server,
	               UNABLE "tls: failed to verify certificate: x509: certificate has expired or is not yet valid",
	               "must be renewed");
	apiserver_stop(server);
}

Test(transport, the_name_is_checked_and_can_be_given)
{
	struct apiserver *server = start_tls(PKI_SERVER_OTHER_NAME, CLIENT_CERT_IGNORED);

	expect_outcome(server, UNABLE "tls: failed to verify certificate: x509: certificate is not valid for 127.0.0.1",
	               "--tls-server-name");
	config.tls_server_name = xstrdup("wrong.example");
	expect_outcome(
	    server, UNABLE "tls: failed to verify certificate: x509: certificate is not valid for wrong.example", NULL);
	replace_string(&config.tls_server_name, xstrdup("other.example"));
	expect_outcome(server, "", NULL);
	apiserver_stop(server);
}

Test(transport, a_client_certificate_that_the_server_does_not_take)
{
	struct apiserver *server = start_tls(PKI_SERVER_GOOD, CLIENT_CERT_REQUIRED);
	const struct pki_pair *expired = pki_client(pki, PKI_CLIENT_EXPIRED);
	const struct pki_pair *foreign = pki_client(pki, PKI_CLIENT_OTHER_CA);

	expect_outcome(server, UNABLE, "wants a client certificate");
	set_client(foreign->certificate, foreign->key);
	expect_outcome(server, UNABLE, "does not take the client certificate of user \"tester\"");
	set_client(expired->certificate, expired->key);
	expect_outcome(server, UNABLE, "the client certificate of user \"tester\" expired at ");
	apiserver_stop(server);
}

/* Answers the first bytes of whatever comes in plain HTTP, as a Go server does to a TLS client hello. */
static void *answer_plainly(void *context)
{
	static const char answer[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
	const int *listener = context;
	int connection = accept(*listener, NULL, NULL);
	char bytes[4096];

	if (read(connection, bytes, sizeof(bytes)) > 0 && write(connection, answer, strlen(answer)) > 0)
		shutdown(connection, SHUT_WR);
	while (read(connection, bytes, sizeof(bytes)) > 0)
		;
	close(connection);
	return NULL;
}

Test(transport, a_server_that_speaks_plain_http)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct kube_transport *transport;
	_cleanup_free_ char *url = NULL;
	pthread_t thread;

	cr_assert_eq(bind(listener, (struct sockaddr *)&address, length), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
	cr_assert_eq(pthread_create(&thread, NULL, answer_plainly, &listener), 0);
	url = xasprintf("https://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
	transport = make(url);
	cr_expect_neq(get(transport), CURLE_OK);
	cr_expect_str_eq(err.message, "http: server gave HTTP response to HTTPS client");
	cr_expect(strstr(err.hint, "is the port right?"));
	pthread_join(thread, NULL);
	close(listener);
	kube_transport_free(transport);
}

Test(transport, a_machine_without_certificate_authorities)
{
	struct kube_transport *transport = make("https://127.0.0.1:6443");

	kube_transport_error(transport, CURLE_SSL_CACERT_BADFILE, "error setting certificate file: /etc/ssl/x.crt",
	                     &err);
	cr_expect_eq(err.kind, ERR_UNREACHABLE);
	cr_expect_str_eq(err.message, "error setting certificate file: /etc/ssl/x.crt");
	cr_expect(strstr(err.hint, "ca-certificates"));
	kube_transport_free(transport);
}

Test(transport, libcurl_does_not_ask_the_environment)
{
	struct apiserver *server = apiserver_start(&(struct apiserver_options){ .routes = routes });

	setenv("http_proxy", "http://127.0.0.1:9", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:9", 1);
	setenv("all_proxy", "http://127.0.0.1:9", 1);
	expect_outcome(server, "", NULL);
	apiserver_stop(server);
}

Test(transport, a_proxy_that_is_not_there_is_named)
{
	const struct kube_proxy_environment environment = { .https_proxy = "http://me:s3cret@127.0.0.1:9" };
	struct kube_transport *transport;

	cr_assert_eq(kube_proxy_choose("https://192.0.2.1", NULL, "", &environment, &config.proxy, &err), 0);
	transport = make("https://192.0.2.1");
	/* exempt by libcurl's reckoning, which nobody asks */
	setenv("no_proxy", "*", 1);
	cr_expect_neq(get(transport), CURLE_OK);
	cr_expect_str_eq(err.message, "proxyconnect tcp: dial tcp 127.0.0.1:9: connect: connection refused");
	cr_expect(strstr(err.hint, "http://127.0.0.1:9 (HTTPS_PROXY)"), "%s", err.hint);
	kube_transport_free(transport);
}

/* ------------------------------------------------------------------------------ failures, by code */

Test(transport, wording_by_code)
{
	static const struct {
		CURLcode code;
		const char *detail, *text;
	} rows[] = {
		{ CURLE_COULDNT_CONNECT, "",
		  "The connection to the server host:6443 was refused - did you specify the right "
		  "host or port?" },
		{ CURLE_COULDNT_RESOLVE_HOST, "", UNABLE "dial tcp: lookup host: no such host" },
		{ CURLE_OPERATION_TIMEDOUT, "", UNABLE "dial tcp host:6443: i/o timeout" },
		{ CURLE_GOT_NOTHING, "", UNABLE "EOF" },
		{ CURLE_RECV_ERROR, "Recv failure: Connection reset by peer", UNABLE "read: connection reset by peer" },
		{ CURLE_PARTIAL_FILE, "transfer closed with 3 bytes remaining to read", UNABLE "unexpected EOF" },
		{ CURLE_UNSUPPORTED_PROTOCOL, "Received HTTP/0.9 when not allowed", UNABLE "malformed HTTP response" },
		{ CURLE_SSL_CONNECT_ERROR, "paint \033[31m\nthis", UNABLE "paint ^[[31m\\nthis" },
	};
	struct kube_transport *transport = make("https://host:6443");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text = NULL;

		cr_expect_eq(kube_transport_error(transport, rows[i].code, rows[i].detail, &err), -1);
		text = err_text(&err);
		cr_expect_str_eq(text, rows[i].text);
		err_release(&err);
	}
	kube_transport_free(transport);
}
