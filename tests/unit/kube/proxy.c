/* kube/proxy: which proxy leads to a server. The rows are what Go's httpproxy and client-go decide. */
#include "kube/proxy.h"

#include <string.h>

#include <criterion/criterion.h>

#include "util/mem.h"
#include "util/str.h"

#define SERVER "https://k8s.example.com:6443"

static struct kube_proxy proxy;
static struct err err;

static void tear_down(void)
{
	kube_proxy_release(&proxy);
	err_release(&err);
}

TestSuite(proxy, .fini = tear_down);

static int choose(const char *server, const char *proxy_url, const char *https, const char *http, const char *no_proxy)
{
	const struct kube_proxy_environment environment = { .https_proxy = https,
		                                            .http_proxy = http,
		                                            .no_proxy = no_proxy };

	kube_proxy_release(&proxy);
	return kube_proxy_choose(server, proxy_url, "here", &environment, &proxy, &err);
}

/* ------------------------------------------------------------------------------------- which of them */

Test(proxy, proxy_url_beats_the_environment_and_the_scheme_chooses_the_variable)
{
	static const struct {
		const char *server, *proxy_url, *https, *http, *no_proxy;
		const char *shown; /* NULL: no proxy */
	} rows[] = {
		{ SERVER, NULL, NULL, NULL, NULL, NULL },
		{ SERVER, "", "", "", "", NULL },
		{ SERVER, NULL, "http://p:1", "http://q:2", NULL, "http://p:1 (HTTPS_PROXY)" },
		{ "http://h:80", NULL, "http://p:1", "http://q:2", NULL, "http://q:2 (HTTP_PROXY)" },
		{ "http://h:80", NULL, "http://p:1", NULL, NULL, NULL },
		{ SERVER, NULL, NULL, "http://q:2", NULL, NULL },
		{ SERVER, "http://r:3", "http://p:1", "http://q:2", "*", "http://r:3 (proxy-url of cluster \"here\")" },
		/* client-go asks nobody about a proxy-url: not NO_PROXY, and not whether the server is loopback */
		{ "https://127.0.0.1:6443", "socks5://r:3", NULL, NULL, NULL,
		  "socks5://r:3 (proxy-url of cluster \"here\")" },
		{ "https://127.0.0.1:6443", NULL, "http://p:1", NULL, NULL, NULL },
		{ "https://127.9.9.9:6443", NULL, "http://p:1", NULL, NULL, NULL },
		{ "https://localhost:6443", NULL, "http://p:1", NULL, NULL, NULL },
		{ "https://[::1]:6443", NULL, "http://p:1", NULL, NULL, NULL },
		{ "https://[::ffff:127.0.0.1]", NULL, "http://p:1", NULL, NULL, NULL },
		{ "http://localhost:8001", NULL, NULL, "http://q:2", NULL, NULL },
		{ "https://localhost.example", NULL, "http://p:1", NULL, NULL, "http://p:1 (HTTPS_PROXY)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_eq(choose(rows[i].server, rows[i].proxy_url, rows[i].https, rows[i].http, rows[i].no_proxy),
		             0, "row %zu: %s", i, err.message);
		cr_expect(str_equal(proxy.shown, rows[i].shown), "row %zu: %s", i, proxy.shown);
		cr_expect_eq(proxy.kind == KUBE_PROXY_NONE, rows[i].shown == NULL, "row %zu", i);
	}
}

Test(proxy, no_proxy)
{
	static const struct {
		const char *server, *no_proxy;
		bool is_exempt;
	} rows[] = {
		{ SERVER, "", false },
		{ SERVER, ",, ,", false },
		{ SERVER, "*", true },
		{ SERVER, "other , *", true },
		{ SERVER, "k8s.example.com", true },
		{ SERVER, "K8S.Example.COM", true },
		{ "https://K8s.example.com", "k8s.EXAMPLE.com", true },
		{ SERVER, "example.com", true },
		{ SERVER, "com", true },
		{ SERVER, "ample.com", false },
		{ SERVER, ".example.com", true },
		{ SERVER, "*.example.com", true },
		{ "https://example.com", ".example.com", false },
		{ "https://example.com", "*.example.com", false },
		{ "https://example.com", "example.com", true },
		{ SERVER, "a.k8s.example.com", false },
		{ SERVER, "other.com, example.com\t", true },
		{ SERVER, "example.com other.com", false },
		{ SERVER, "k8s.example.com:6443", true },
		{ SERVER, "example.com:6443", true },
		{ SERVER, "k8s.example.com:443", false },
		{ SERVER, "k8s.example.com:", true },
		{ SERVER, ":6443", false },
		{ "https://k8s.example.com", "k8s.example.com:443", true },
		{ "https://10.1.2.3:6443", "10.1.2.3", true },
		{ "https://10.1.2.3:6443", "10.1.2.3:6443", true },
		{ "https://10.1.2.3:6443", "10.1.2.3:443", false },
		{ "https://10.1.2.3:6443", "10.1.2", false },
		{ "https://10.1.2.3:6443", ".3", true },
		{ "https://10.1.2.3:6443", "10.0.0.0/8", true },
		{ "https://10.1.2.3:6443", "10.1.2.0/31", false },
		{ "https://10.1.2.3:6443", "10.1.2.2/31", true },
		{ "https://10.1.2.3:6443", "0.0.0.0/0", true },
		{ "https://10.1.2.3:6443", "10.0.0.0/33", false },
		{ "https://10.1.2.3:6443", "::/0", false },
		{ "https://[fd00::1]:6443", "fd00::1", true },
		{ "https://[fd00::1]:6443", "FD00:0::1", true },
		{ "https://[fd00::1]:6443", "[fd00::1]:6443", true },
		{ "https://[fd00::1]:6443", "[fd00::1]:443", false },
		{ "https://[fd00::1]:6443", "[fd00::1]", false },
		{ "https://[fd00::1]:6443", "fd00::/8", true },
		{ "https://[fd00::1]:6443", "fd00::/129", false },
		{ "https://[fd00::1]:6443", "fe00::/8", false },
		{ "https://[::ffff:10.1.2.3]:6443", "10.0.0.0/8", true },
		{ "https://k8s.example.com:6443", "10.0.0.0/8", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_eq(choose(rows[i].server, NULL, "http://p:1", NULL, rows[i].no_proxy), 0);
		cr_expect_eq(proxy.kind == KUBE_PROXY_NONE, rows[i].is_exempt, "%s, NO_PROXY=%s", rows[i].server,
		             rows[i].no_proxy);
	}
}

/* ------------------------------------------------------------------------------------------- the URL */

Test(proxy, urls)
{
	static const struct {
		const char *url;
		enum kube_proxy_kind kind;
		const char *host, *address, *user, *password;
	} rows[] = {
		{ "http://p", KUBE_PROXY_HTTP, "p", "p:80", NULL, NULL },
		{ "HTTPS://p/", KUBE_PROXY_HTTPS, "p", "p:443", NULL, NULL },
		{ "socks5://p:", KUBE_PROXY_SOCKS5, "p", "p:1080", NULL, NULL },
		{ "http://[fd00::1]:3128", KUBE_PROXY_HTTP, "fd00::1", "[fd00::1]:3128", NULL, NULL },
		{ "http://u:p@w@h:3128/x?y", KUBE_PROXY_HTTP, "h", "h:3128", "u", "p@w" },
		{ "http://d%40m:a%3ab%25@h", KUBE_PROXY_HTTP, "h", "h:80", "d@m", "a:b%" },
		{ "http://u@h", KUBE_PROXY_HTTP, "h", "h:80", "u", "" },
		{ "http://:s@h", KUBE_PROXY_HTTP, "h", "h:80", "", "s" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_eq(choose(SERVER, rows[i].url, NULL, NULL, NULL), 0, "%s", rows[i].url);
		cr_expect_eq(proxy.kind, rows[i].kind);
		cr_expect_str_eq(proxy.host, rows[i].host);
		cr_expect_str_eq(proxy.address, rows[i].address);
		cr_expect(str_equal(proxy.user, rows[i].user), "%s: %s", rows[i].url, proxy.user);
		cr_expect(str_equal(proxy.password, rows[i].password), "%s: %s", rows[i].url, proxy.password);
	}
}

Test(proxy, the_environment_takes_more_and_what_is_no_url_counts_as_not_set)
{
	cr_assert_eq(choose(SERVER, NULL, "p:3128", NULL, NULL), 0);
	cr_expect_str_eq(proxy.shown, "http://p:3128 (HTTPS_PROXY)");
	cr_assert_eq(choose(SERVER, NULL, "u:s3cret@p", NULL, NULL), 0);
	cr_expect_str_eq(proxy.shown, "http://p:80 (HTTPS_PROXY)");
	cr_expect_str_eq(proxy.password, "s3cret");
	cr_assert_eq(choose(SERVER, NULL, "socks5h://p", NULL, NULL), 0);
	cr_expect_eq(proxy.kind, KUBE_PROXY_SOCKS5);
	cr_assert_eq(choose(SERVER, NULL, "http://a b", NULL, NULL), 0);
	cr_expect_eq(proxy.kind, KUBE_PROXY_NONE);
	cr_assert_eq(choose(SERVER, NULL, "http://u:%zz@p", NULL, NULL), 0);
	cr_expect_null(proxy.user);
}

/* kubectl prints the password here. */
Test(proxy, what_is_refused_is_shown_without_its_password)
{
	static const struct {
		const char *proxy_url, *https, *message;
	} rows[] = {
		{ "socks5h://u:s3cret@p:1", NULL,
		  "invalid 'proxy-url' \"socks5h://xxxxx@p:1\" for cluster \"here\": unsupported scheme \"socks5h\", "
		  "must be http, https, or socks5" },
		{ "ftp://p", NULL,
		  "invalid 'proxy-url' \"ftp://p\" for cluster \"here\": unsupported scheme \"ftp\", must be http, "
		  "https, "
		  "or socks5" },
		{ "127.0.0.1:9", NULL,
		  "invalid 'proxy-url' \"127.0.0.1:9\" for cluster \"here\": could not parse: 127.0.0.1:9" },
		{ "u:s3cret@p:9", NULL,
		  "invalid 'proxy-url' \"xxxxx@p:9\" for cluster \"here\": could not parse: xxxxx@p:9" },
		{ "http://u:s3c/ret@p", NULL,
		  "invalid 'proxy-url' \"http://xxxxx@p\" for cluster \"here\": could not parse: http://xxxxx@p" },
		{ "http://u:%s3cret@p", NULL,
		  "invalid 'proxy-url' \"http://xxxxx@p\" for cluster \"here\": could not parse: http://xxxxx@p" },
		{ "http://", NULL, "invalid 'proxy-url' \"http://\" for cluster \"here\": could not parse: http://" },
		{ "http://[::1", NULL,
		  "invalid 'proxy-url' \"http://[::1\" for cluster \"here\": could not parse: http://[::1" },
		{ "http://p:0", NULL,
		  "invalid 'proxy-url' \"http://p:0\" for cluster \"here\": could not parse: http://p:0" },
		{ "http://p:65536", NULL,
		  "invalid 'proxy-url' \"http://p:65536\" for cluster \"here\": could not parse: http://p:65536" },
		{ "http://p\033[2J", NULL,
		  "invalid 'proxy-url' \"http://p^[[2J\" for cluster \"here\": could not parse: http://p^[[2J" },
		{ "http://a%00b@p", NULL,
		  "invalid 'proxy-url' \"http://xxxxx@p\" for cluster \"here\": could not parse: http://xxxxx@p" },
		{ NULL, "ftp://u:s3cret@p",
		  "invalid HTTPS_PROXY \"ftp://xxxxx@p\": unsupported scheme \"ftp\", must be http, https, or socks5" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_eq(choose(SERVER, rows[i].proxy_url, rows[i].https, NULL, NULL), -1, "row %zu", i);
		cr_expect_str_eq(err.message, rows[i].message);
		cr_expect_eq(err.kind, ERR_CONFIG);
		cr_expect_null(proxy.host);
		err_release(&err);
	}
}
