/* consul/world_kube: bootstrap_expect, read from the ConfigMap that deploy made and changed there. */
#include <criterion/criterion.h>

#include "../../support/cluster.h"
#include "reality.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#define CONFIG_PATH "/api/v1/namespaces/ns/configmaps/consul-server"

/* As seen in the ConfigMap of deploy. */
static int set_expect(struct reality *reality)
{
	struct expect_state *expect = &reality->seen.expect;

	if (!expect->known)
		*expect = (struct expect_state){
			.known = true,
			.expect = 1,
			.can_change = true,
			.resource_version = xstrdup("42"),
			.config = json_object("bootstrap_expect", json_int(1), "x", json_int(7), NULL),
		};
	return reality->world.set_expect(reality->world.context, &reality->seen, 3, &reality->err);
}

Test(world_expect, the_config_map_is_applied_as_deploy_does_and_kubelets_get_to_hear_of_it)
{
	static const struct apiserver_route routes[] = {
		{ .method = "PATCH", .path = CONFIG_PATH, .answer = { .body = "{\"kind\":\"ConfigMap\"}" } }, { 0 }
	};
	const struct apiserver_request *request;
	_cleanup_free_ char *type = NULL;
	int64_t begun_ms = clock_monotonic_ms();
	struct reality reality;

	reality_start(&reality, routes);
	cr_assert_eq(set_expect(&reality), 0, "%s", reality.err.message);
	cr_expect_geq(clock_monotonic_ms() - begun_ms, 1000);
	cr_assert_eq(apiserver_request_total(reality.server), 1);
	request = apiserver_request_at(reality.server, 0);
	type = apiserver_request_header(request, "Content-Type");
	cr_expect_str_eq(type, "application/apply-patch+yaml");
	cr_expect_str_eq(request->query, "fieldManager=kubectl-consul");
	cr_expect_not_null(strstr(request->body, "\"resourceVersion\":\"42\""), "%s", request->body);
	cr_expect_not_null(strstr(request->body, "\\\"bootstrap_expect\\\": 3"), "%s", request->body);
	cr_expect_not_null(strstr(request->body, "\\\"x\\\": 7"), "%s", request->body);
	reality_stop(&reality);
}

static void expect_config_fails(const struct http_answer *answer, enum err_kind kind, const char *message,
                                const char *hint)
{
	const struct apiserver_route routes[] = { { .path = CONFIG_PATH, .answer = *answer }, { 0 } };
	int64_t begun_ms = clock_monotonic_ms();
	struct reality reality;

	reality_start(&reality, routes);
	cr_assert_eq(set_expect(&reality), -1);
	cr_expect_lt(clock_monotonic_ms() - begun_ms, 3000, "there is nothing to hear of");
	cr_expect_eq(reality.err.kind, kind);
	cr_expect_str_eq(reality.err.message, message);
	if (hint)
		cr_expect_str_eq(reality.err.hint, hint);
	reality_stop(&reality);
}

Test(world_expect, a_config_map_that_has_changed_is_a_conflict)
{
	const struct http_answer answer = { .status = 409, .body = STATUS_FAILURE(409, "Conflict", "modified") };

	expect_config_fails(&answer, ERR_CONFLICT,
	                    "cannot change bootstrap_expect in configmap/consul-server: modified", NULL);
}

Test(world_expect, a_config_map_that_somebody_else_set_is_refused)
{
	const struct http_answer answer = {
		.status = 409,
		.body = STATUS_FAILURE(409, "Conflict",
		                       "Apply failed with 1 conflict: conflict with \\\"kubectl-edit\\\" using v1")
	};

	expect_config_fails(&answer, ERR_REFUSED,
	                    "cannot change bootstrap_expect in configmap/consul-server: Apply failed with 1 conflict: "
	                    "conflict with \"kubectl-edit\" using v1",
	                    "somebody else set it: make bootstrap_expect 3 where it comes from; kubectl edit "
	                    "configmap consul-server -n ns if that is nowhere else");
}

Test(world_expect, the_right_to_change_the_config_map_is_named)
{
	const struct http_answer answer = { .status = 403, .body = STATUS_FAILURE(403, "Forbidden", "no") };

	expect_config_fails(&answer, ERR_FORBIDDEN, "cannot change bootstrap_expect in configmap/consul-server: no",
	                    "a Role must allow \"get\" and \"patch\" on \"configmaps\"; check: "
	                    "kubectl auth can-i patch configmaps -n ns");
}

Test(world_expect, a_bootstrap_expect_that_was_not_seen_there_is_not_changed)
{
	static const struct apiserver_route routes[] = { { .path = "*" }, { 0 } };
	struct reality reality;

	reality_start(&reality, routes);
	reality.seen.expect = (struct expect_state){ .known = true, .expect = 1 };
	cr_assert_eq(set_expect(&reality), -1);
	cr_expect_eq(reality.err.kind, ERR_FAILED);
	cr_expect_eq(apiserver_request_total(reality.server), 0);
	reality_stop(&reality);
}

Test(world_expect, observing_reads_deploys_config_map)
{
	static const struct apiserver_route routes[] = {
		{ .path = "/apis/apps/v1/namespaces/consul/statefulsets/consul",
		  .answer = { .body = "{\"metadata\":{\"name\":\"consul\",\"uid\":\"u\",\"labels\":{"
		                      "\"app.kubernetes.io/"
		                      "managed-by\":\"kubectl-consul\"}},\"spec\":{\"replicas\":0}}" } },
		{ .path = "/api/v1/namespaces/consul/configmaps/consul-server",
		  .answer = { .body = "{\"metadata\":{\"resourceVersion\":\"42\",\"labels\":{"
		                      "\"app.kubernetes.io/managed-by\":\"kubectl-consul\"}},\"data\":{"
		                      "\"server.json\":\"{\\\"bootstrap_expect\\\":1}\"}}" } },
		{ 0 },
	};
	struct cluster_options how = { .count = 1, .api = { .routes = routes } };
	struct cluster *cluster = cluster_start(&how);
	struct snapshot snapshot = SNAPSHOT_INIT;
	struct reality reality = { 0 };

	reality_connect_to(&reality, apiserver_url(cluster_api(cluster)));
	reality.kube.namespace_name = "consul";
	cr_assert_eq(reality.world.observe(reality.world.context, &snapshot, &reality.err), 0, "%s",
	             reality.err.message);
	cr_expect_eq(apiserver_count(cluster_api(cluster), "GET", "/api/v1/namespaces/consul/configmaps/consul-server"),
	             1);
	cr_expect(snapshot.expect.known && snapshot.expect.can_change);
	cr_expect_eq(snapshot.expect.expect, 1);
	snapshot_release(&snapshot);
	reality_stop(&reality);
	cluster_stop(cluster);
}
