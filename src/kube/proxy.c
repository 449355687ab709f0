/* See include/kube/proxy.h. */
#include "kube/proxy.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "transport_parts.h"
#include "util/mem.h"
#include "util/str.h"

#define URL_SHOWN ((size_t)200)

static const struct {
	const char *scheme;
	enum kube_proxy_kind kind;
	uint16_t port;
} schemes[] = {
	{ "http", KUBE_PROXY_HTTP, 80 },
	{ "https", KUBE_PROXY_HTTPS, 443 },
	{ "socks5", KUBE_PROXY_SOCKS5, 1080 },
	{ "socks5h", KUBE_PROXY_SOCKS5, 1080 },
};

/* Places in schemes; socks5h is Go's, not client-go's. */
#define SCHEMES_OF_PROXY_URL   3
#define SCHEMES_OF_ENVIRONMENT ARRAY_SIZE(schemes)

/* ----------------------------------------------------------------------------------------- the URL */

enum parsed { PARSED, IS_NO_URL, HAS_OTHER_SCHEME };

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoded; NULL: it cannot be. A new string, secret. */
static char *decode(const char *text, size_t length)
{
	char *decoded = xcalloc(1, length + 1);
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		int high, low, byte = (unsigned char)text[i];

		if (text[i] == '%') {
			high = i + 2 < length ? hex_digit(text[i + 1]) : -1;
			low = high >= 0 ? hex_digit(text[i + 2]) : -1;
			byte = low >= 0 ? high * 16 + low : 0;
			i += 2;
		}
		if (byte == 0) {
			free_secret(decoded);
			return NULL;
		}
		decoded[used++] = (char)byte;
	}
	return decoded;
}

static int parse_user(const char *text, size_t length, struct kube_proxy *proxy)
{
	const char *colon = memchr(text, ':', length);
	const size_t user = colon ? (size_t)(colon - text) : length;

	proxy->user = decode(text, user);
	proxy->password = colon ? decode(colon + 1, length - user - 1) : xstrdup("");
	return proxy->user && proxy->password ? 0 : -1;
}

/* "HOST", "HOST:PORT", "HOST:" or "[V6]…". */
static int parse_host(const char *text, size_t length, uint16_t port, struct kube_proxy *proxy)
{
	static const char characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	_cleanup_free_ char *authority = xstrndup(text, length);
	const bool is_v6 = *authority == '[';
	size_t host = is_v6 ? 1 + strspn(authority + 1, "0123456789abcdefABCDEF:.") : strspn(authority, characters);
	const char *rest = authority + host + (is_v6 && authority[host] == ']');
	uint64_t number = port;

	if (host <= is_v6 || (is_v6 && authority[host] != ']') || (*rest && *rest != ':'))
		return -1;
	if (*rest && rest[1] && (str_to_uint64(rest + 1, &number) < 0 || number < 1 || number > UINT16_MAX))
		return -1;
	proxy->host = xstrndup(authority + is_v6, host - is_v6);
	proxy->address = xasprintf("%s%s%s:%u", is_v6 ? "[" : "", proxy->host, is_v6 ? "]" : "", (unsigned)number);
	return 0;
}

static enum parsed parse(const char *url, size_t scheme_count, struct kube_proxy *proxy)
{
	const char *end = strstr(url, "://"), *rest = end ? end + 3 : url, *at;
	_cleanup_free_ char *scheme = xstrndup(url, end ? (size_t)(end - url) : 0);
	size_t found = 0, length = strcspn(rest, "/?#");

	for (const char *c = url; *c; c++)
		if (*c <= ' ' || *c == 0x7f)
			return IS_NO_URL;
	if (!*scheme || !isalpha((unsigned char)*scheme))
		return IS_NO_URL;
	while (found < scheme_count && !str_equal_nocase(scheme, schemes[found].scheme))
		found++;
	if (found == scheme_count)
		return HAS_OTHER_SCHEME;
	at = str_last(rest, length, '@');
	if (at && parse_user(rest, (size_t)(at - rest), proxy) < 0)
		return IS_NO_URL;
	length -= at ? (size_t)(at + 1 - rest) : 0;
	if (parse_host(at ? at + 1 : rest, length, schemes[found].port, proxy) < 0)
		return IS_NO_URL;
	proxy->kind = schemes[found].kind;
	return PARSED;
}

/* The scheme as it was written; new string. */
static char *shown_scheme(const char *url)
{
	_cleanup_free_ char *scheme = xstrndup(url, strcspn(url, ":"));

	return str_visible(scheme, URL_SHOWN);
}

/* What is before the last @ may hold a password, wherever else the URL is cut; new string. */
static char *shown_url(const char *url)
{
	const char *at = strrchr(url, '@'), *start = strstr(url, "://");
	_cleanup_free_ char *redacted = NULL;

	if (!at)
		return str_visible(url, URL_SHOWN);
	start = start && start < at ? start + 3 : url;
	redacted = xasprintf("%.*sxxxxx%s", (int)(start - url), url, at);
	return str_visible(redacted, URL_SHOWN);
}

static void show(struct kube_proxy *proxy, const char *source)
{
	static const char *const names[] = {
		[KUBE_PROXY_HTTP] = "http", [KUBE_PROXY_HTTPS] = "https", [KUBE_PROXY_SOCKS5] = "socks5"
	};

	proxy->shown = xasprintf("%s://%s (%s)", names[proxy->kind], proxy->address, source);
}

/* ---------------------------------------------------------------------------------------- NO_PROXY */

/* An address as IPv6 has it, so that one comparison does for both. */
struct ip {
	unsigned char bytes[16];
	bool is_v4;
};

static bool parse_ip(const char *text, struct ip *ret_ip)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	memcpy(ret_ip->bytes, mapped, sizeof(mapped));
	ret_ip->is_v4 = inet_pton(AF_INET, text, ret_ip->bytes + sizeof(mapped)) == 1;
	if (ret_ip->is_v4)
		return true;
	if (inet_pton(AF_INET6, text, ret_ip->bytes) != 1)
		return false;
	ret_ip->is_v4 = memcmp(ret_ip->bytes, mapped, sizeof(mapped)) == 0;
	return true;
}

static bool same_bits(const struct ip *a, const struct ip *b, size_t bits)
{
	const size_t whole = bits / 8, rest = bits % 8;

	return a->is_v4 == b->is_v4 && memcmp(a->bytes, b->bytes, whole) == 0 &&
	       (rest == 0 || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0);
}

/* "10.0.0.0/8". False: entry is none; else *ret_match says whether the server (ip; NULL: a name) is in it. */
static bool match_network(const char *entry, const struct ip *ip, bool *ret_match)
{
	const char *slash = strchr(entry, '/');
	_cleanup_free_ char *address = slash ? xstrndup(entry, (size_t)(slash - entry)) : NULL;
	struct ip network;
	uint64_t bits;

	if (!slash || !parse_ip(address, &network) || str_to_uint64(slash + 1, &bits) < 0 ||
	    bits > (strchr(address, ':') ? 128 : 32))
		return false;
	if (!strchr(address, ':'))
		bits += 96;
	*ret_match = ip && same_bits(&network, ip, (size_t)bits);
	return true;
}

/* "HOST:PORT" and "[V6]:PORT" become two; anything else is a host, and *ret_port "". New strings. */
static void split_port(const char *entry, char **ret_host, char **ret_port)
{
	const char *colon = strrchr(entry, ':');
	const bool is_v6 = *entry == '[';
	const bool splits = colon && (is_v6 ? colon > entry + 1 && colon[-1] == ']' : colon == strchr(entry, ':'));
	const size_t length = splits ? (size_t)(colon - entry) : strlen(entry);

	*ret_host = splits && is_v6 ? xstrndup(entry + 1, length - 2) : xstrndup(entry, length);
	*ret_port = xstrdup(splits ? colon + 1 : "");
}

/* "example.com" means itself and what is below it; ".example.com" and "*.example.com" only what is below. */
static bool match_domain(const char *domain, const char *host)
{
	_cleanup_free_ char *below = NULL;

	if (str_starts_with(domain, "*."))
		domain++;
	if (*domain != '.' && str_equal(domain, host))
		return true;
	below = *domain == '.' ? xstrdup(domain) : xasprintf(".%s", domain);
	return str_ends_with(host, below);
}

/* host is in lower case. */
static bool match_entry(const char *entry, const char *host, const char *port)
{
	_cleanup_free_ char *entry_host = NULL, *entry_port = NULL;
	struct ip ip, entry_ip;
	const bool is_ip = parse_ip(host, &ip);
	bool matches;

	if (str_equal(entry, "*"))
		return true;
	if (match_network(entry, is_ip ? &ip : NULL, &matches))
		return matches;
	split_port(entry, &entry_host, &entry_port);
	if (!*entry_host || (*entry_port && !str_equal(entry_port, port)))
		return false;
	if (parse_ip(entry_host, &entry_ip))
		return is_ip && same_bits(&entry_ip, &ip, 128);
	return match_domain(entry_host, host);
}

/* Without the spaces around it, in lower case; a new string. */
static char *plain(const char *text)
{
	char *copy;
	size_t length;

	text += strspn(text, " \t\r\n");
	length = strlen(text);
	while (length > 0 && strchr(" \t\r\n", text[length - 1]))
		length--;
	copy = xstrndup(text, length);
	for (char *c = copy; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return copy;
}

static bool is_exempt(const struct server_address *address, const char *no_proxy)
{
	_cleanup_strv_ struct strv entries = STRV_INIT;
	_cleanup_free_ char *host = plain(address->host), *port = xasprintf("%u", (unsigned)address->port);

	if (address->is_loopback)
		return true;
	strv_split(&entries, no_proxy ? no_proxy : "", ',');
	for (size_t i = 0; i < entries.count; i++) {
		_cleanup_free_ char *entry = plain(entries.items[i]);

		if (*entry && match_entry(entry, host, port))
			return true;
	}
	return false;
}

/* ---------------------------------------------------------------------------------------- the choice */

static int from_proxy_url(const char *url, const char *cluster, struct kube_proxy *proxy, struct err *err)
{
	_cleanup_free_ char *name = str_visible(cluster, URL_SHOWN), *shown = NULL, *scheme = NULL, *source = NULL;
	const enum parsed parsed = parse(url, SCHEMES_OF_PROXY_URL, proxy);

	if (parsed == PARSED) {
		source = xasprintf("proxy-url of cluster \"%s\"", name);
		show(proxy, source);
		return 0;
	}
	shown = shown_url(url);
	if (parsed == IS_NO_URL)
		return err_set(err, ERR_CONFIG, "invalid 'proxy-url' \"%s\" for cluster \"%s\": could not parse: %s",
		               shown, name, shown);
	scheme = shown_scheme(url);
	return err_set(err, ERR_CONFIG,
	               "invalid 'proxy-url' \"%s\" for cluster \"%s\": unsupported scheme \"%s\", must be http, https, "
	               "or socks5",
	               shown, name, scheme);
}

/* Go takes "HOST:PORT" for http, too. */
static int from_variable(const char *name, const char *url, struct kube_proxy *proxy, struct err *err)
{
	_cleanup_free_ char *shown = NULL, *scheme = NULL;
	char *with_scheme = strstr(url, "://") ? xstrdup(url) : xasprintf("http://%s", url);
	const enum parsed parsed = parse(with_scheme, SCHEMES_OF_ENVIRONMENT, proxy);

	free_secret(with_scheme);
	if (parsed == PARSED) {
		show(proxy, name);
		return 0;
	}
	if (parsed == IS_NO_URL) {
		kube_proxy_release(proxy);
		return 0;
	}
	shown = shown_url(url);
	scheme = shown_scheme(url);
	return err_set(err, ERR_CONFIG, "invalid %s \"%s\": unsupported scheme \"%s\", must be http, https, or socks5",
	               name, shown, scheme);
}

static int from_environment(const char *server, const struct kube_proxy_environment *environment,
                            struct kube_proxy *proxy, struct err *err)
{
	struct server_address address = { 0 };
	const char *url;
	int status = 0;

	if (str_is_empty(environment->https_proxy) && str_is_empty(environment->http_proxy))
		return 0;
	if (server_address_parse(server, &address, err) < 0)
		return -1;
	url = address.https ? environment->https_proxy : environment->http_proxy;
	if (!str_is_empty(url) && !is_exempt(&address, environment->no_proxy))
		status = from_variable(address.https ? "HTTPS_PROXY" : "HTTP_PROXY", url, proxy, err);
	server_address_release(&address);
	return status;
}

int kube_proxy_choose(const char *server, const char *proxy_url, const char *cluster,
                      const struct kube_proxy_environment *environment, struct kube_proxy *ret_proxy, struct err *err)
{
	struct kube_proxy proxy = KUBE_PROXY_INIT;
	int status = str_is_empty(proxy_url) ? from_environment(server, environment, &proxy, err)
	                                     : from_proxy_url(proxy_url, cluster, &proxy, err);

	if (status < 0)
		kube_proxy_release(&proxy);
	else
		*ret_proxy = proxy;
	return status;
}

void kube_proxy_release(struct kube_proxy *proxy)
{
	free(proxy->host);
	free(proxy->address);
	free(proxy->user);
	free_secret(proxy->password);
	free(proxy->shown);
	*proxy = (struct kube_proxy)KUBE_PROXY_INIT;
}
