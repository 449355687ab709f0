/*
 * connected.h - what the tests of websocket, exec and tunnel share: a client that is connected to a scripted server.
 */
#ifndef TESTS_KUBE_CONNECTED_H
#define TESTS_KUBE_CONNECTED_H

#include <stdlib.h>

#include <criterion/criterion.h>

#include "../../support/apiserver.h"
#include "kube/client.h"
#include "util/clock.h"
#include "util/mem.h"

/* Long enough for a busy machine, short enough to notice a hang. */
#define LONG_MS 20000
/* For what must time out. */
#define SHORT_MS 150

struct connected {
	struct apiserver *server;
	struct loop *loop;
	struct kube_config config;
	struct kube_client_options options;
	struct kube_client *client;
	struct err err;
};

static inline void connected_client(struct connected *connected, const char *url)
{
	connected->loop = loop_new();
	connected->config.server = xstrdup(url);
	connected->config.namespace_name = xstrdup("ns");
	cr_assert_eq(kube_client_new(connected->loop, &connected->config, &connected->options, &connected->client,
	                             &connected->err),
	             0, "%s", connected->err.message);
}

static inline void connected_start(struct connected *connected, const struct apiserver_options *how)
{
	*connected = (struct connected){ .server = apiserver_start(how) };
	if (how->tls) {
		connected->config.ca_pem = xstrdup(pki_ca(apiserver_pki(connected->server)));
		connected->config.token = how->token ? xstrdup(how->token) : NULL;
	}
	connected_client(connected, apiserver_url(connected->server));
}

/* The server must have had nothing to complain about. */
static inline void connected_stop(struct connected *connected)
{
	_cleanup_free_ char *complaints = NULL;

	kube_client_free(connected->client);
	loop_free(connected->loop);
	complaints = apiserver_complaints(connected->server);
	cr_assert_str_eq(complaints, "");
	apiserver_stop(connected->server);
	kube_config_release(&connected->config);
	err_release(&connected->err);
}

static inline int64_t soon_ms(int64_t ms)
{
	return clock_monotonic_ms() + ms;
}

#endif
