/*
 * The real program, a proxy, and an API server behind it: what goes through the proxy and what does not, REST and
 * WebSockets, and what is said when the proxy does not do it.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "../support/proxy.h"
#include "util/mem.h"
#include "util/str.h"

/* Nobody but the proxy knows where that is. */
#define SERVER "https://apiserver.test:6443"
#define UNABLE "Unable to connect to the server: "
#define TOKEN  "b34rer"

static struct pki *pki;
static struct cluster *cluster;
static struct proxy *proxy;

static void set_up(void)
{
	pki = pki_new("apiserver.test");
	cluster =
	    cluster_start(&(struct cluster_options){ .count = 3, .api = { .tls = true, .pki = pki, .token = TOKEN } });
}

static void tear_down(void)
{
	proxy_stop(proxy);
	cluster_stop(cluster);
	pki_free(pki);
}

TestSuite(proxies, .init = set_up, .fini = tear_down, .timeout = 120);

static void start(struct proxy_options options)
{
	proxy_stop(proxy);
	options.to = apiserver_port(cluster_api(cluster));
	proxy = proxy_start(&options);
}

/* "SCHEME://[USER:PASSWORD@]127.0.0.1:PORT"; new string. */
static char *proxy_url(const char *prefix)
{
	return xasprintf("%s127.0.0.1:%u", prefix, proxy_port(proxy));
}

/* server and proxy-url of the kubeconfig; up to two variables of the environment; any may be NULL. */
static void run(const char *server, const char *url, const char *const *words, const char *first, const char *second,
                struct run_result *ret_result)
{
	struct kubeconfig config = { .server = server, .ca = pki_ca(pki), .token = TOKEN, .proxy_url = url };
	_cleanup_free_ char *kubeconfig = NULL;
	const char *const environment[] = { first ? first : second, first ? second : NULL, NULL };

	config.namespace_name = "consul";
	kubeconfig = kubeconfig_text(&config);
	run_program(&(struct run_options){ .argv = words, .kubeconfig = kubeconfig, .environment = environment },
	            ret_result);
	cr_assert_not(ret_result->timed_out);
	cr_assert_null(strstr(ret_result->output, "s3cret"), "%s", ret_result->output);
	cr_assert_null(strstr(ret_result->error_output, "s3cret"), "%s", ret_result->error_output);
	cr_assert_null(strstr(ret_result->error_output, "\033"), "%s", ret_result->error_output);
}

static void expect_healthy(const char *server, const char *url, const char *first, const char *second, bool proxied)
{
	static const char *const ways[] = { "tunnel", "exec" };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		const unsigned before = proxy_tunnels(proxy);
		struct run_result result;

		run(server, url, RUN_ARGV("health", "--via", ways[i]), first, second, &result);
		cli_assert_verdict(&result, "HEALTHY", 0);
		/* One connection for REST at least, and one for each server. */
		if (proxied)
			cr_expect_geq(proxy_tunnels(proxy), before + 4, "only %u", proxy_tunnels(proxy) - before);
		else
			cr_expect_eq(proxy_connections(proxy), before);
		run_result_release(&result);
	}
}

static void expect_error(const char *url, const char *first, const char *text, const char *says)
{
	struct run_result result;

	run(SERVER, url, RUN_ARGV("health", "--timeout", "10s"), first, NULL, &result);
	cli_assert_error(&result, 1, text);
	cli_assert_says(&result, says);
	run_result_release(&result);
}

/* ------------------------------------------------------------------------------------ what goes through */

Test(proxies, https_proxy_takes_rest_and_websockets)
{
	_cleanup_free_ char *url = NULL, *variable = NULL, *lower = NULL, *target = NULL, *heads = NULL;

	start((struct proxy_options){ 0 });
	url = proxy_url("http://");
	variable = xasprintf("HTTPS_PROXY=%s", url);
	lower = xasprintf("https_proxy=%s", url);
	expect_healthy(SERVER, NULL, variable, NULL, true);
	expect_healthy(SERVER, NULL, lower, "HTTPS_PROXY=", true);
	target = proxy_target(proxy);
	cr_expect_str_eq(target, "apiserver.test:6443");
	heads = proxy_heads(proxy);
	cr_expect_null(strstr(heads, TOKEN), "the server's token is shown to the proxy: %s", heads);
	cr_expect_null(strstr(heads, "Kubectl-Session"), "%s", heads);
}

Test(proxies, proxy_url_beats_the_environment_and_holds_for_loopback_too)
{
	_cleanup_free_ char *url = NULL;

	start((struct proxy_options){ 0 });
	url = proxy_url("http://");
	expect_healthy(SERVER, url, "HTTPS_PROXY=http://127.0.0.1:9", "NO_PROXY=*", true);
	expect_healthy("https://127.0.0.1:1", url, NULL, NULL, true);
}

Test(proxies, socks5_and_the_proxy_looks_up_the_name)
{
	_cleanup_free_ char *url = NULL, *variable = NULL, *secret = NULL, *target = NULL;

	start((struct proxy_options){ .kind = PROXY_SOCKS5 });
	url = proxy_url("socks5://");
	variable = xasprintf("HTTPS_PROXY=%s", url);
	expect_healthy(SERVER, url, NULL, NULL, true);
	expect_healthy(SERVER, NULL, variable, NULL, true);
	target = proxy_target(proxy);
	cr_expect_str_eq(target, "apiserver.test:6443");
	start((struct proxy_options){ .kind = PROXY_SOCKS5, .credentials = "me:s3cret/@" });
	secret = proxy_url("socks5://me:s3cret%2F%40@");
	expect_healthy(SERVER, secret, NULL, NULL, true);
}

Test(proxies, credentials_are_for_the_proxy)
{
	_cleanup_free_ char *url = NULL;

	start((struct proxy_options){ .credentials = "me:s3cret/@" });
	url = proxy_url("http://me:s3cret%2F%40@");
	expect_healthy(SERVER, url, NULL, NULL, true);
	for (size_t i = 0; i < apiserver_request_total(cluster_api(cluster)); i++)
		cr_assert_null(
		    apiserver_request_header(apiserver_request_at(cluster_api(cluster), i), "Proxy-Authorization"));
}

Test(proxies, tls_server_name_is_not_what_no_proxy_is_about)
{
	_cleanup_free_ char *url = NULL, *variable = NULL, *target = NULL;
	static const char *const words[] = { "health", "--tls-server-name", "apiserver.test", NULL };
	struct run_result result;

	start((struct proxy_options){ 0 });
	url = proxy_url("http://");
	variable = xasprintf("HTTPS_PROXY=%s", url);
	run("https://10.255.0.1:6443", NULL, words, variable, "NO_PROXY=apiserver.test", &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	target = proxy_target(proxy);
	cr_expect_str_eq(target, "10.255.0.1:6443");
	run_result_release(&result);
}

Test(proxies, a_plain_http_server_by_http_proxy)
{
	_cleanup_free_ char *url = NULL, *variable = NULL, *kubeconfig = NULL;
	const char *environment[] = { NULL, "HTTPS_PROXY=http://127.0.0.1:9", NULL };
	struct run_result result;

	cluster_stop(cluster);
	cluster = cluster_start(&(struct cluster_options){ .count = 3 });
	start((struct proxy_options){ 0 });
	url = proxy_url("http://");
	environment[0] = variable = xasprintf("HTTP_PROXY=%s", url);
	kubeconfig =
	    kubeconfig_text(&(struct kubeconfig){ .server = "http://apiserver.test:8080", .namespace_name = "consul" });
	run_program(
	    &(struct run_options){ .argv = RUN_ARGV("health"), .kubeconfig = kubeconfig, .environment = environment },
	    &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	cr_expect_gt(proxy_tunnels(proxy), 0);
	run_result_release(&result);
}

/* ------------------------------------------------------------------------------------- what does not */

Test(proxies, loopback_no_proxy_and_all_proxy)
{
	_cleanup_free_ char *variable = NULL, *all = NULL, *host = NULL;
	const char *server = apiserver_url(cluster_api(cluster));
	struct run_result result;

	start((struct proxy_options){ 0 });
	variable = proxy_url("HTTPS_PROXY=http://");
	all = proxy_url("ALL_PROXY=http://");
	host = xasprintf("https://localhost:%u", apiserver_port(cluster_api(cluster)));
	expect_healthy(server, NULL, variable, NULL, false);
	expect_healthy(host, NULL, variable, NULL, false);
	expect_healthy(server, NULL, all, NULL, false);
	run(SERVER, NULL, RUN_ARGV("health"), all, NULL, &result);
	cli_assert_error(&result, 1, UNABLE "dial tcp: lookup apiserver.test");
	run_result_release(&result);
	run(SERVER, NULL, RUN_ARGV("health"), variable, "NO_PROXY=other.test, .TEST:6443", &result);
	cli_assert_error(&result, 1, UNABLE "dial tcp: lookup apiserver.test");
	run_result_release(&result);
	cr_expect_eq(proxy_connections(proxy), 0);
}

/* -------------------------------------------------------------------------------------- TLS to the proxy */

static char *make_file(const char *text)
{
	char *path = xstrdup("/tmp/cli-proxies-XXXXXX");
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return path;
}

/* The cluster's client certificate is for the cluster only. */
Test(proxies, an_https_proxy_is_trusted_by_the_authorities_of_system_and_cluster)
{
	struct pki *own = pki_new(NULL);
	_cleanup_free_ char *path = make_file(pki_ca(own)), *variable = xasprintf("SSL_CERT_FILE=%s", path);
	_cleanup_free_ char *url = NULL, *kubeconfig = NULL;
	const char *const environment[] = { variable, NULL };
	const struct pki_pair *client = pki_client(pki, PKI_CLIENT_GOOD);
	struct run_result result;

	start((struct proxy_options){ .tls = pki_server(own, PKI_SERVER_GOOD), .pki = own });
	url = proxy_url("https://");
	expect_healthy(SERVER, url, variable, NULL, true);
	kubeconfig = kubeconfig_text(&(struct kubeconfig){ .server = SERVER,
	                                                   .namespace_name = "consul",
	                                                   .ca = pki_ca(pki),
	                                                   .token = TOKEN,
	                                                   .certificate = client->certificate,
	                                                   .key = client->key,
	                                                   .proxy_url = url });
	run_program(
	    &(struct run_options){ .argv = RUN_ARGV("health"), .kubeconfig = kubeconfig, .environment = environment },
	    &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	run_result_release(&result);
	cr_expect_eq(proxy_certificates(proxy), 0);
	expect_error(url, NULL,
	             UNABLE "proxyconnect tcp: tls: failed to verify certificate: x509: certificate signed by unknown "
	                    "authority",
	             "SSL_CERT_FILE");
	start((struct proxy_options){ .tls = pki_server(pki, PKI_SERVER_GOOD), .pki = pki });
	replace_string(&url, proxy_url("https://"));
	expect_healthy(SERVER, url, variable, NULL, true);
	expect_healthy(SERVER, url, NULL, NULL, true);
	unlink(path);
	pki_free(own);
}

/* ------------------------------------------------------------------------------------------- failures */

Test(proxies, refused_and_unknown)
{
	expect_error("http://me:s3cret@127.0.0.1:9", NULL,
	             UNABLE "proxyconnect tcp: dial tcp 127.0.0.1:9: connect: connection refused",
	             "http://127.0.0.1:9 (proxy-url of cluster \"test\")");
	expect_error(NULL, "HTTPS_PROXY=http://me:s3cret@127.0.0.1:9",
	             UNABLE "proxyconnect tcp: dial tcp 127.0.0.1:9: connect: connection refused",
	             "http://127.0.0.1:9 (HTTPS_PROXY)");
	expect_error("http://proxy.invalid:3128", NULL,
	             UNABLE "proxyconnect tcp: dial tcp: lookup proxy.invalid: no such host", "proxy-url of cluster");
	expect_error(
	    "ftp://me:s3cret@p", NULL,
	    "error: invalid 'proxy-url' \"ftp://xxxxx@p\" for cluster \"test\": unsupported scheme \"ftp\", must be "
	    "http, https, or socks5",
	    "");
}

Test(proxies, answers_to_connect)
{
	static const struct {
		struct proxy_options options;
		const char *prefix, *error, *says;
	} rows[] = {
		{ { .status = 403 }, "http://me:s3cret@", UNABLE "Forbidden", "does not let this connection through" },
		{ { .credentials = "me:other" },
		  "http://me:s3cret@",
		  UNABLE "Proxy Authentication Required",
		  "does not take the user and password" },
		{ { .credentials = "me:other" },
		  "http://",
		  UNABLE "Proxy Authentication Required",
		  "wants a user and password" },
		{ { .status = 599 }, "http://", UNABLE "unknown status code 599", "proxy-url of cluster" },
		{ { .status = 503 }, "http://", UNABLE "Service Unavailable", "proxy-url of cluster" },
		{ { .kind = PROXY_SOCKS5, .credentials = "a:b" },
		  "socks5://",
		  UNABLE "socks connect tcp 127.0.0.1:",
		  "no acceptable authentication methods" },
		{ { .kind = PROXY_SOCKS5, .credentials = "a:b" },
		  "socks5://me:s3cret@",
		  UNABLE "socks connect tcp 127.0.0.1:",
		  "username/password authentication failed" },
		{ { .kind = PROXY_SOCKS5, .status = 4 },
		  "socks5://",
		  UNABLE "socks connect tcp 127.0.0.1:",
		  "->apiserver.test:6443: unknown error host unreachable" },
		{ { 0 },
		  "https://",
		  UNABLE "proxyconnect tcp: tls: first record does not look like a TLS handshake",
		  "write http://" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *url = NULL;

		start(rows[i].options);
		url = proxy_url(rows[i].prefix);
		expect_error(url, NULL, rows[i].error, rows[i].says);
		/* Those for the servers are made while the first request is on its way; none is tried again. */
		cr_expect_leq(proxy_connections(proxy), 8, "row %zu: tried %u times", i, proxy_connections(proxy));
		cr_expect_eq(proxy_tunnels(proxy), 0);
	}
}

Test(proxies, a_proxy_that_hangs_does_not_outlast_the_deadline)
{
	static const char *const prefixes[] = { "http://", "https://", "socks5://" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		_cleanup_free_ char *url = NULL;
		struct run_result result;

		start((struct proxy_options){ .hangs = true });
		url = proxy_url(prefixes[i]);
		run(SERVER, url, RUN_ARGV("health", "--timeout", "1s"), NULL, NULL, &result);
		cr_expect_eq(result.exit_code, 124, "%s", result.error_output);
		cr_expect_lt(result.wall_ms, 8000);
		cli_assert_says(&result, "through the proxy");
		run_result_release(&result);
	}
}
