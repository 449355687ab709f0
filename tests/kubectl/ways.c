/* See kubectl.h: the proxies, and which of them was the way of a request. */
#include "kubectl.h"

#include <stdlib.h>

#include "../support/proxy.h"
#include "util/mem.h"

enum way { WAY_PROXY, WAY_TLS, WAY_SOCKS, WAY_LOCKED, WAY_LOCKEDSOCKS, WAY_BAD, WAY_HANG, WAY_PLAIN, WAY_COUNT };

static const char *const way_names[WAY_COUNT] = { "PROXY",       "TLSPROXY", "SOCKS",     "LOCKED",
	                                          "LOCKEDSOCKS", "BADPROXY", "HANGPROXY", "PLAINPROXY" };

struct ways {
	struct proxy *proxies[WAY_COUNT];
	unsigned marks[WAY_COUNT]; /* connections that led to the server before the current run */
};

struct ways *ways_new(const struct pki *pki, uint16_t to, uint16_t plain)
{
	const struct proxy_options options[WAY_COUNT] = {
		[WAY_TLS] = { .tls = pki_server(pki, PKI_SERVER_GOOD), .pki = pki },
		[WAY_SOCKS] = { .kind = PROXY_SOCKS5 },
		[WAY_LOCKED] = { .credentials = "me:" WAYS_PASSWORD },
		[WAY_LOCKEDSOCKS] = { .kind = PROXY_SOCKS5, .credentials = "me:" WAYS_PASSWORD },
		[WAY_BAD] = { .status = 502 },
		[WAY_HANG] = { .hangs = true },
	};
	struct ways *ways = xcalloc(1, sizeof(*ways));

	for (enum way i = WAY_PROXY; i < WAY_COUNT; i++) {
		struct proxy_options own = options[i];

		own.to = i == WAY_PLAIN ? plain : to;
		ways->proxies[i] = proxy_start(&own);
	}
	return ways;
}

void ways_free(struct ways *ways)
{
	for (enum way i = WAY_PROXY; i < WAY_COUNT; i++)
		proxy_stop(ways->proxies[i]);
	free(ways);
}

const char *ways_name(const struct ways *ways, size_t index, uint16_t *ret_port)
{
	if (index >= WAY_COUNT)
		return NULL;
	*ret_port = proxy_port(ways->proxies[index]);
	return way_names[index];
}

void ways_mark(struct ways *ways)
{
	for (enum way i = WAY_PROXY; i < WAY_COUNT; i++)
		ways->marks[i] = proxy_tunnels(ways->proxies[i]);
}

char *ways_taken(const struct ways *ways)
{
	for (enum way i = WAY_PROXY; i < WAY_COUNT; i++) {
		_cleanup_free_ char *target = NULL;

		if (proxy_tunnels(ways->proxies[i]) == ways->marks[i])
			continue;
		target = proxy_target(ways->proxies[i]);
		return xasprintf(" by %s to %s", way_names[i], target);
	}
	return NULL;
}
