/*
 * A scripted cluster of three servers that was looked at, and is told something: what the tests of tell start from.
 */
#ifndef TEST_TELL_SCENE_H
#define TEST_TELL_SCENE_H

#include "../../support/cluster.h"
#include "consul/observe.h"
#include "consul/tell.h"

#define TELL_LONG_MS  20000
#define TELL_SHORT_MS 700 /* for what must time out */

/* Asked before every order through a tunnel. */
#define TELL_KNOCK "GET /v1/status/leader"

struct scene {
	struct cluster *cluster;
	struct apiserver *api;
	struct loop *loop;
	struct kube_config config;
	struct kube_client_options client_options;
	struct kube_client *client;
	struct snapshot snapshot;
	struct err err;
	size_t asked; /* requests until then */
};

void scene_start_with(struct scene *scene, const struct cluster_options *options);
void scene_start(struct scene *scene, const struct cluster_server *servers); /* three; NULL: healthy ones */
void scene_stop(struct scene *scene);

/* Further rows, looked at first. */
void scene_script(struct scene *scene, const struct apiserver_route *routes, const struct apiserver_exec *execs);

/* Tells a server; the err of before is released. */
int scene_tell(struct scene *scene, size_t server, enum tell_kind kind, const char *argument, enum ask_way via,
               int64_t milliseconds);

/* consul-0 does it; does not, with a message that has words in it. */
void scene_expect_fine(struct scene *scene, enum tell_kind kind, const char *argument, enum ask_way via);
void scene_expect_failure(struct scene *scene, enum tell_kind kind, const char *argument, enum ask_way via,
                          enum err_kind expected, const char *words);

/* What the servers were sent since the last time: "GET /v1/status/leader, PUT /v1/agent/leave, exec consul leave". */
void scene_expect_sent(struct scene *scene, const char *expected);

#endif
