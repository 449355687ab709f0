/*
 * A deploy against an API server that keeps what it is given: what the tests of planning and applying start from.
 */
#ifndef TEST_KEEPING_SERVER_H
#define TEST_KEEPING_SERVER_H

#include "../../support/apiserver.h"
#include "consul/deploy.h"

struct store {
	cJSON *objects; /* path -> object */
	int64_t version;
	bool old_policy;
	unsigned race_replicas;  /* before this many PATCHes of the StatefulSet somebody else scales it up by one */
	const char *refuse_path; /* answers refusal for requests whose path contains it */
	const char *refuse_method;
	struct http_answer refusal;
};

struct fixture {
	struct store store;
	struct apiserver_route routes[2];
	struct apiserver *server;
	struct loop *loop;
	struct kube_config config;
	struct kube_client_options options;
	struct kube_client *client;
	struct deploy_plan plan;
	struct err err;
};

#define SET_PATH    "/apis/apps/v1/namespaces/ns/statefulsets/consul"
#define SECRET_PATH "/api/v1/namespaces/ns/secrets/consul-gossip"
#define CONFIG_PATH "/api/v1/namespaces/ns/configmaps/consul-server"

void fixture_start(struct fixture *fixture);
void fixture_stop(struct fixture *fixture);

/* deploy_plan, releasing the plan and the err of before. */
int fixture_plan(struct fixture *fixture, const struct deploy_request *request);

/* apply_send of all planned objects, up to the first failure. */
int fixture_apply(struct fixture *fixture, enum apply_mode mode, bool force);

/* Both, for real; the test fails when they do. */
void fixture_deploy(struct fixture *fixture, const struct deploy_request *request);

/* "created" …, of the planned object that kubectl would call so. */
const char *fixture_outcome(const struct fixture *fixture, const char *resource);
void fixture_expect_all(const struct fixture *fixture, const char *outcome);

/* What the server keeps at path; the test fails when it keeps nothing. */
cJSON *fixture_kept(struct fixture *fixture, const char *path);

/* Somebody else adds one replica. */
void store_scale_up(struct store *store, const char *path);

#endif
