/* See reality.h. */
#include "reality.h"

#include <criterion/criterion.h>

#include "sample.h"
#include "util/mem.h"

void reality_connect_to(struct reality *reality, const char *url)
{
	reality->loop = loop_new();
	reality->config.server = xstrdup(url);
	reality->config.namespace_name = xstrdup("ns");
	cr_assert_eq(
	    kube_client_new(reality->loop, &reality->config, &reality->options, &reality->client, &reality->err), 0);
	reality->kube = (struct world_kube){ .client = reality->client, .namespace_name = "ns" };
	world_kube(&reality->kube, &reality->world);
}

static void see(struct snapshot *seen)
{
	struct kube_claim claim = KUBE_CLAIM_INIT;

	sample_init(seen, 3);
	seen->set.uid = xstrdup("set-uid");
	seen->set.resource_version = xstrdup("4711");
	for (size_t i = 0; i < 3; i++)
		seen->servers[i].pod.namespace_name = xstrdup("ns");
	claim.name = xstrdup("data-consul-2");
	claim.uid = xstrdup("claim-uid");
	claim.resource_version = xstrdup("815");
	seen->claims = xcalloc(1, sizeof(*seen->claims));
	seen->claims[seen->claim_count++] = claim;
}

void reality_start(struct reality *reality, const struct apiserver_route *routes)
{
	*reality = (struct reality){ .server = apiserver_start(&(struct apiserver_options){ .routes = routes }) };
	reality_connect_to(reality, apiserver_url(reality->server));
	see(&reality->seen);
}

void reality_stop(struct reality *reality)
{
	kube_client_free(reality->client);
	loop_free(reality->loop);
	apiserver_stop(reality->server);
	kube_config_release(&reality->config);
	snapshot_release(&reality->seen);
	err_release(&reality->err);
}
