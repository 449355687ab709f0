/*
 * The real world of act (consul/world_kube.h) on a scripted API server, and a snapshot of three servers, which was seen
 * before the test.
 */
#ifndef TEST_REALITY_H
#define TEST_REALITY_H

#include "../../support/apiserver.h"
#include "consul/world_kube.h"
#include "kube/config.h"

struct reality {
	struct apiserver *server;
	struct loop *loop;
	struct kube_config config;
	struct kube_client_options options;
	struct kube_client *client;
	struct world_kube kube;
	struct world world;
	struct snapshot seen;
	struct err err;
};

/* Of namespace "ns". routes are borrowed. */
void reality_start(struct reality *reality, const struct apiserver_route *routes);
void reality_stop(struct reality *reality);

/* Without server and snapshot: an empty reality that asks url. */
void reality_connect_to(struct reality *reality, const char *url);

#endif
