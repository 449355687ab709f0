/* consul/world_kube: what each function of the real world asks of Kubernetes and of the servers, and what goes wrong.
 */
#include "consul/world_kube.h"

#include <unistd.h>

#include <criterion/criterion.h>

#include "../../support/apiserver.h"
#include "../../support/cluster.h"
#include "reality.h"
#include "sample.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define LONG_MS    20000
#define SCALE_PATH "/apis/apps/v1/namespaces/ns/statefulsets/consul/scale"
#define CLAIM_PATH "/api/v1/namespaces/ns/persistentvolumeclaims/data-consul-2"
#define POD_PATH   "/api/v1/namespaces/ns/pods/consul-0"
#define LEASE_PATH "/apis/coordination.k8s.io/v1/namespaces/ns/leases"

static int set_replicas(struct reality *reality, int64_t replicas)
{
	return reality->world.set_replicas(reality->world.context, &reality->seen, replicas, &reality->err);
}

static int delete_claim(struct reality *reality, const char *name)
{
	return reality->world.delete_claim(reality->world.context, &reality->seen, name, &reality->err);
}

static int tell_step(struct reality *reality, const struct step *step)
{
	return reality->world.tell(reality->world.context, &reality->seen, step, &reality->err);
}

/* ----------------------------------------------------------------------------------------- replicas */

Test(world_kube, replicas_are_patched_on_the_version_that_was_seen)
{
	static const struct apiserver_route routes[] = {
		{ .method = "PATCH", .path = SCALE_PATH, .answer = { .body = "{\"kind\":\"Scale\"}" } }, { 0 }
	};
	const struct apiserver_request *request;
	_cleanup_free_ char *type = NULL;
	struct reality reality;

	reality_start(&reality, routes);
	cr_assert_eq(set_replicas(&reality, 4), 0, "%s", reality.err.message);
	cr_assert_eq(apiserver_request_total(reality.server), 1);
	request = apiserver_request_at(reality.server, 0);
	type = apiserver_request_header(request, "Content-Type");
	cr_expect_str_eq(type, "application/merge-patch+json");
	cr_expect_str_eq(request->body, "{\"metadata\":{\"resourceVersion\":\"4711\"},\"spec\":{\"replicas\":4}}");
	reality_stop(&reality);
}

/* Expects that scaling to 4 ends so; a NULL hint is not looked at. */
static void expect_scale_fails(const struct http_answer *answer, enum err_kind kind, const char *message,
                               const char *hint)
{
	const struct apiserver_route routes[] = { { .path = SCALE_PATH, .answer = *answer }, { 0 } };
	struct reality reality;

	reality_start(&reality, routes);
	cr_assert_eq(set_replicas(&reality, 4), -1);
	cr_expect_eq(reality.err.kind, kind);
	cr_expect_str_eq(reality.err.message, message);
	if (hint)
		cr_expect_str_eq(reality.err.hint, hint);
	cr_expect_eq(apiserver_request_total(reality.server), 1, "it is not tried again by itself");
	reality_stop(&reality);
}

Test(world_kube, a_set_that_has_changed_is_a_conflict)
{
	const struct http_answer answer = { .status = 409, .body = STATUS_FAILURE(409, "Conflict", "modified") };

	expect_scale_fails(&answer, ERR_CONFLICT, "cannot scale statefulset.apps/consul to 4: modified", NULL);
}

Test(world_kube, the_right_to_scale_is_named)
{
	const struct http_answer api = {
		.status = 403,
		.body = STATUS_FAILURE(403, "Forbidden",
		                       "User \\\"u\\\" cannot patch resource \\\"statefulsets/scale\\\" in API group "
		                       "\\\"apps\\\" in the namespace \\\"ns\\\""),
	};
	const struct http_answer other = { .status = 403, .body = STATUS_FAILURE(403, "Forbidden", "no") };

	expect_scale_fails(&api, ERR_FORBIDDEN,
	                   "cannot scale statefulset.apps/consul to 4: User \"u\" cannot patch resource "
	                   "\"statefulsets/scale\" in API group \"apps\" in the namespace \"ns\"",
	                   "a Role must allow \"patch\" on \"statefulsets/scale\" of API group \"apps\"; check: "
	                   "kubectl auth can-i patch statefulsets.apps --subresource=scale -n ns");
	expect_scale_fails(&other, ERR_FORBIDDEN, "cannot scale statefulset.apps/consul to 4: no",
	                   "a Role must allow \"patch\" on \"statefulsets/scale\" of API group \"apps\"; check: "
	                   "kubectl auth can-i patch statefulsets.apps --subresource=scale -n ns");
}

Test(world_kube, a_set_that_is_gone_is_not_found)
{
	const struct http_answer answer = {
		.status = 404, .body = STATUS_FAILURE(404, "NotFound", "statefulsets.apps \\\"consul\\\" not found")
	};

	expect_scale_fails(&answer, ERR_NOT_FOUND,
	                   "cannot scale statefulset.apps/consul to 4: statefulsets.apps \"consul\" not found",
	                   "it was there a moment ago; kubectl get statefulset consul -n ns shows whether it is, and "
	                   "scaling it takes \"patch\" on \"statefulsets/scale\"");
}

Test(world_kube, a_lost_answer_leaves_open_whether_it_was_scaled)
{
	/* Cut after the status line, since libcurl sends again what had no answer at all. */
	static const struct apiserver_route routes[] = {
		{ .path = SCALE_PATH, .answer = { .body = "{}", .fault = FAULT_RESET, .fault_bytes = 60 } }, { 0 }
	};
	struct reality reality;

	reality_start(&reality, routes);
	cr_assert_eq(set_replicas(&reality, 4), -1);
	cr_expect(reality.err.kind == ERR_UNREACHABLE || reality.err.kind == ERR_PROTOCOL, "%d: %s", reality.err.kind,
	          reality.err.message);
	cr_expect_eq(apiserver_request_total(reality.server), 1, "it is not tried again by itself");
	reality_stop(&reality);
}

Test(world_kube, without_a_version_nothing_is_scaled)
{
	static const struct apiserver_route routes[] = { { .path = "*" }, { 0 } };
	struct reality reality;

	reality_start(&reality, routes);
	replace_string(&reality.seen.set.resource_version, NULL);
	cr_assert_eq(set_replicas(&reality, 4), -1);
	cr_expect_eq(apiserver_request_total(reality.server), 0);
	reality_stop(&reality);
}

/* ------------------------------------------------------------------------------------------- claims */

Test(world_kube, a_claim_is_deleted_as_it_was_seen)
{
	static const struct apiserver_route routes[] = {
		{ .method = "DELETE", .path = CLAIM_PATH, .answer = { .body = "{\"kind\":\"Status\"}" } }, { 0 }
	};
	struct reality reality;

	reality_start(&reality, routes);
	cr_assert_eq(delete_claim(&reality, "data-consul-2"), 0, "%s", reality.err.message);
	cr_assert_eq(apiserver_count(reality.server, "DELETE", CLAIM_PATH), 1);
	cr_expect_str_eq(apiserver_request_at(reality.server, 0)->body,
	                 "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"preconditions\":{\"uid\":\"claim-uid\","
	                 "\"resourceVersion\":\"815\"}}");
	reality_stop(&reality);
}

Test(world_kube, a_claim_that_has_changed_or_gone_is_left_alone)
{
	static const struct apiserver_route routes[] = {
		{ .path = CLAIM_PATH,
		  .times = 1,
		  .answer = { .status = 409, .body = STATUS_FAILURE(409, "Conflict", "the UID in the precondition") } },
		{ .path = CLAIM_PATH,
		  .answer = { .status = 404, .body = STATUS_FAILURE(404, "NotFound", "not found") } },
		{ 0 }
	};
	struct reality reality;

	reality_start(&reality, routes);
	cr_assert_eq(delete_claim(&reality, "data-consul-2"), 0, "%s", reality.err.message);
	cr_assert_eq(delete_claim(&reality, "data-consul-2"), 0, "%s", reality.err.message);
	cr_expect_eq(apiserver_count(reality.server, "DELETE", CLAIM_PATH), 2);
	reality_stop(&reality);
}

Test(world_kube, a_claim_that_may_not_be_deleted_is_an_error)
{
	static const struct apiserver_route routes[] = {
		{ .path = CLAIM_PATH,
		  .answer = { .status = 403,
		              .body = STATUS_FAILURE(403, "Forbidden",
		                                     "User \\\"u\\\" cannot delete resource "
		                                     "\\\"persistentvolumeclaims\\\" in API group \\\"\\\"") } },
		{ 0 }
	};
	struct reality reality;

	reality_start(&reality, routes);
	cr_assert_eq(delete_claim(&reality, "data-consul-2"), -1);
	cr_expect_eq(reality.err.kind, ERR_FORBIDDEN);
	cr_expect(str_starts_with(reality.err.message, "cannot delete persistentvolumeclaim/data-consul-2: User "),
	          "%s", reality.err.message);
	reality_stop(&reality);
}

Test(world_kube, a_claim_that_was_not_seen_is_not_asked_for)
{
	static const struct apiserver_route routes[] = { { .path = "*" }, { 0 } };
	struct reality reality;

	reality_start(&reality, routes);
	cr_assert_eq(delete_claim(&reality, "data-consul-7"), -1);
	cr_expect_eq(reality.err.kind, ERR_FAILED);
	err_release(&reality.err);
	replace_string(&reality.seen.claims[0].resource_version, NULL);
	cr_assert_eq(delete_claim(&reality, "data-consul-2"), -1);
	cr_expect_eq(apiserver_request_total(reality.server), 0);
	reality_stop(&reality);
}

/* --------------------------------------------------------------------------------------------- pods */

static int delete_pod(struct reality *reality, const char *name)
{
	return reality->world.delete_pod(reality->world.context, &reality->seen, name, &reality->err);
}

/* As the first of its servers was seen. */
static void see_pod(struct reality *reality)
{
	struct kube_pod *pod = &reality->seen.servers[0].pod;

	replace_string(&pod->uid, xstrdup("pod-uid"));
	replace_string(&pod->resource_version, xstrdup("4711"));
}

Test(world_kube, a_pod_is_deleted_as_it_was_seen_or_left_alone)
{
	static const struct apiserver_route routes[] = {
		{ .method = "DELETE", .path = POD_PATH, .times = 1, .answer = { .body = "{\"kind\":\"Status\"}" } },
		{ .path = POD_PATH,
		  .times = 1,
		  .answer = { .status = 409, .body = STATUS_FAILURE(409, "Conflict", "the UID in the precondition") } },
		{ .path = POD_PATH,
		  .times = 1,
		  .answer = { .status = 404, .body = STATUS_FAILURE(404, "NotFound", "not found") } },
		{ .path = POD_PATH,
		  .answer = { .status = 403, .body = STATUS_FAILURE(403, "Forbidden", "cannot delete pods") } },
		{ 0 }
	};
	struct reality reality;

	reality_start(&reality, routes);
	see_pod(&reality);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(delete_pod(&reality, "consul-0"), 0, "%s", reality.err.message);
	cr_assert_eq(apiserver_count(reality.server, "DELETE", POD_PATH), 3);
	cr_expect_str_eq(apiserver_request_at(reality.server, 0)->body,
	                 "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"preconditions\":{\"uid\":\"pod-uid\","
	                 "\"resourceVersion\":\"4711\"}}");
	cr_assert_eq(delete_pod(&reality, "consul-0"), -1);
	cr_expect_eq(reality.err.kind, ERR_FORBIDDEN);
	cr_expect(str_starts_with(reality.err.message, "cannot delete pod/consul-0: "), "%s", reality.err.message);
	cr_expect(strstr(reality.err.hint, "kubectl auth can-i delete pods -n "), "%s", reality.err.hint);
	reality_stop(&reality);
}

Test(world_kube, a_pod_that_was_not_seen_is_not_deleted)
{
	static const struct apiserver_route routes[] = { { .path = "*" }, { 0 } };
	struct reality reality;

	reality_start(&reality, routes);
	cr_assert_eq(delete_pod(&reality, "consul-9"), -1);
	cr_expect_eq(reality.err.kind, ERR_FAILED);
	err_release(&reality.err);
	see_pod(&reality);
	replace_string(&reality.seen.servers[0].pod.resource_version, NULL);
	cr_assert_eq(delete_pod(&reality, "consul-0"), -1);
	cr_expect_eq(apiserver_request_total(reality.server), 0);
	reality_stop(&reality);
}

/* ------------------------------------------------------------------------------------------- orders */

#define CONSUL(path_, ...)                                                                                             \
	{                                                                                                              \
		.pod = "consul-1", .port = 8500, .path = path_, .answer = { __VA_ARGS__ }                              \
	}

static char through[] = "consul-1", node[] = "consul-9", id[] = "id-9", address[] = "10.0.0.19:8300";

Test(world_kube, each_order_goes_to_the_server_it_goes_through)
{
	static const struct apiserver_route routes[] = { CONSUL("/v1/status/leader", .body = "\"10.0.0.10:8300\""),
		                                         CONSUL("/v1/operator/autopilot/configuration",
		                                                .body = "{\"CleanupDeadServers\":true,"
		                                                        "\"MinQuorum\":3,\"ModifyIndex\":5}",
		                                                .headers = "X-Consul-Index: 5\r\n"),
		                                         CONSUL("/v1/*", .body = "true"),
		                                         { 0 } };
	static const struct {
		struct step step;
		const char *method;
		const char *path;
		const char *query;
	} rows[] = {
		{ { .kind = STEP_LEAVE, .through = through }, "PUT", "/v1/agent/leave", "" },
		{ { .kind = STEP_FORCE_LEAVE, .object = node, .through = through },
		  "PUT",
		  "/v1/agent/force-leave/consul-9",
		  "" },
		{ { .kind = STEP_PRUNE, .object = node, .through = through },
		  "PUT",
		  "/v1/agent/force-leave/consul-9",
		  "prune" },
		{ { .kind = STEP_REMOVE_PEER, .object = id, .through = through },
		  "DELETE",
		  "/v1/operator/raft/peer",
		  "id=id-9" },
		{ { .kind = STEP_REMOVE_PEER, .object = address, .by_address = true, .through = through },
		  "DELETE",
		  "/v1/operator/raft/peer",
		  "address=10.0.0.19" },
		{ { .kind = STEP_TRANSFER_LEADER, .object = id, .through = through },
		  NULL,
		  "/v1/operator/raft/transfer-leader",
		  "id=id-9" },
		{ { .kind = STEP_MIN_QUORUM, .number = 5, .through = through },
		  "PUT",
		  "/v1/operator/autopilot/configuration",
		  "cas=5" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct apiserver_request *request;
		struct reality reality;

		reality_start(&reality, routes);
		tell_step(&reality, &rows[i].step);
		request = apiserver_find(reality.server, rows[i].method, rows[i].path, 0);
		cr_assert_not_null(request, "%s: %s", step_kind_name(rows[i].step.kind),
		                   reality.err.message ? reality.err.message : "");
		cr_expect_str_eq(request->pod, "consul-1");
		cr_expect(strstr(request->query, rows[i].query), "%s: %s", rows[i].path, request->query);
		if (rows[i].step.kind == STEP_MIN_QUORUM)
			cr_expect(strstr(request->body, "\"MinQuorum\":5"), "%s", request->body);
		reality_stop(&reality);
	}
}

Test(world_kube, an_agent_that_was_asked_to_leave_need_not_answer)
{
	static const struct apiserver_route routes[] = { CONSUL("/v1/status/leader", .body = "\"10.0.0.10:8300\""),
		                                         CONSUL("/v1/agent/leave", .fault = FAULT_SILENCE),
		                                         { 0 } };
	struct step step = { .kind = STEP_LEAVE, .through = through };
	int64_t begun_ms = clock_monotonic_ms();
	struct reality reality;

	reality_start(&reality, routes);
	cr_assert_eq(tell_step(&reality, &step), 0, "%s", reality.err.message);
	cr_expect_not(err_is_set(&reality.err));
	cr_expect_eq(apiserver_count(reality.server, "PUT", "/v1/agent/leave"), 1);
	cr_expect_lt(clock_monotonic_ms() - begun_ms, 9000, "less than an order that is waited for");
	reality_stop(&reality);
}

Test(world_kube, an_order_that_is_refused_says_so)
{
	static const struct apiserver_route routes[] = { CONSUL("/v1/status/leader", .body = "\"10.0.0.10:8300\""),
		                                         CONSUL("/v1/agent/leave", .status = 403,
		                                                .body = "Permission denied"),
		                                         { 0 } };
	struct step step = { .kind = STEP_LEAVE, .through = through };
	struct reality reality;

	reality_start(&reality, routes);
	cr_assert_eq(tell_step(&reality, &step), -1);
	cr_expect_eq(reality.err.kind, ERR_FORBIDDEN, "%s", reality.err.message);
	reality_stop(&reality);
}

Test(world_kube, a_server_without_a_pod_cannot_be_told_anything)
{
	static const struct apiserver_route routes[] = { { .path = "*" }, { 0 } };
	struct step step = { .kind = STEP_FORCE_LEAVE, .object = node, .through = through };
	struct reality reality;

	reality_start(&reality, routes);
	sample_lose_pod(&reality.seen, 1);
	cr_assert_eq(tell_step(&reality, &step), -1);
	/* Not ERR_NOT_FOUND, which would mean that Consul does not know the node. */
	cr_expect_eq(reality.err.kind, ERR_UNREACHABLE);
	cr_expect_str_eq(reality.err.message, "there is no pod consul-1 to tell it to");
	cr_expect_eq(apiserver_request_total(reality.server), 0);
	reality_stop(&reality);
}

/* ---------------------------------------------------------------------------------------- explaining */

static void expect_explained(int status, const char *events, const char *subject, bool broken, const char *text)
{
	const struct apiserver_route routes[] = {
		{ .path = "/api/v1/namespaces/ns/events", .answer = { .status = status, .body = events } }, { 0 }
	};
	struct plan plan = { .kind = PLAN_WAIT, .look_at_events = true };
	struct reality reality;

	reality_start(&reality, routes);
	sample_lose_pod(&reality.seen, 2);
	plan.subject = xstrdup(subject);
	plan.text = xstrdup("consul-2: its pod does not exist yet");
	cr_assert_eq(reality.world.explain(reality.world.context, &reality.seen, &plan, &reality.err), 0, "%s",
	             reality.err.message);
	cr_expect_str_eq(plan.text, text);
	cr_expect_eq(plan.broken, broken);
	free(plan.subject);
	free(plan.text);
	reality_stop(&reality);
}

Test(world_kube, events_tell_why_a_server_does_not_come)
{
	/* SAMPLE_NOW is 2023-11-14T22:13:20Z. */
	static const char events[] =
	    "{\"items\":[{\"involvedObject\":{\"uid\":\"set-uid\"},\"reason\":\"FailedCreate\",\"lastTimestamp\":"
	    "\"2023-11-14T22:13:00Z\",\"message\":\"exceeded quota\"}]}";

	expect_explained(200, events, "consul-2", true,
	                 "consul-2: its pod does not exist yet: FailedCreate: exceeded quota");
	expect_explained(200, events, "somebody", false, "consul-2: its pod does not exist yet");
	expect_explained(200, "{\"items\":[]}", "consul-2", false, "consul-2: its pod does not exist yet");
	expect_explained(403, STATUS_FAILURE(403, "Forbidden", "no"), "consul-2", false,
	                 "consul-2: its pod does not exist yet");
}

/* ----------------------------------------------------------------------------------- time and the lease */

Test(world_kube, sleep_can_be_interrupted)
{
	static const struct apiserver_route routes[] = { { 0 } };
	struct reality reality;
	int64_t begun_ms;
	int ends[2];

	reality_start(&reality, routes);
	begun_ms = reality.world.now_ms(reality.world.context);
	cr_assert_eq(reality.world.sleep(reality.world.context, 20, &reality.err), 0);
	cr_expect_geq(reality.world.now_ms(reality.world.context) - begun_ms, 20);
	cr_assert_eq(pipe(ends), 0);
	loop_set_interrupt(reality.loop, ends[0]);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_assert_eq(reality.world.sleep(reality.world.context, 3600 * 1000, &reality.err), -1);
	cr_expect_eq(reality.err.kind, ERR_INTERRUPTED);
	reality_stop(&reality);
	close(ends[0]);
	close(ends[1]);
}

Test(world_kube, without_a_lease_there_is_nothing_to_keep)
{
	static const struct apiserver_route routes[] = { { 0 } };
	struct reality reality;

	reality_start(&reality, routes);
	cr_expect_eq(reality.world.keep(reality.world.context, &reality.err), 0);
	cr_expect_eq(apiserver_request_total(reality.server), 0);
	reality_stop(&reality);
}

Test(world_kube, a_lease_that_was_taken_over_is_not_kept)
{
	static const struct apiserver_route routes[] = {
		{ .method = "GET", .path = LEASE_PATH "/l", .times = 1, .answer = { .status = 404, .body = "{}" } },
		{ .method = "POST",
		  .path = LEASE_PATH,
		  .answer = { .status = 201, .body = "{\"metadata\":{\"resourceVersion\":\"1\"}}" } },
		{ .method = "PUT",
		  .path = LEASE_PATH "/l",
		  .times = 1,
		  .answer = { .body = "{\"metadata\":{\"resourceVersion\":\"1\"}}" } },
		{ .method = "PUT",
		  .path = LEASE_PATH "/l",
		  .answer = { .status = 409, .body = STATUS_FAILURE(409, "Conflict", "modified") } },
		{ .method = "GET",
		  .path = LEASE_PATH "/l",
		  .answer = { .body = "{\"metadata\":{\"resourceVersion\":\"2\"},\"spec\":{\"holderIdentity\":\"bob\"}"
		                      "}" } },
		{ 0 }
	};
	struct kube_lease_options options = { .namespace_name = "ns", .name = "l", .holder = "us", .duration_s = 1 };
	int64_t end_ms = clock_monotonic_ms() + LONG_MS;
	struct reality reality;
	int status;

	reality_start(&reality, routes);
	reality.kube.lease = kube_lease_new(reality.client, &options);
	cr_assert_eq(kube_lease_take(reality.kube.lease, end_ms, NULL, NULL, &reality.err), 0, "%s",
	             reality.err.message);
	/* Until it is time to renew it. */
	while ((status = reality.world.keep(reality.world.context, &reality.err)) == 0 && clock_monotonic_ms() < end_ms)
		cr_assert_eq(reality.world.sleep(reality.world.context, 10, &reality.err), 0);
	cr_assert_eq(status, -1);
	cr_expect_eq(reality.err.kind, ERR_CONFLICT);
	cr_expect_str_eq(reality.err.message, "lease \"l\" was taken over by bob");
	kube_lease_free(reality.kube.lease);
	reality_stop(&reality);
}

/* ---------------------------------------------------------------------------------------- observing */

static void observe_cluster(const struct cluster_options *how, struct snapshot *ret_snapshot, size_t *ret_asked)
{
	struct cluster *cluster = cluster_start(how);
	struct reality reality = { 0 };

	reality_connect_to(&reality, apiserver_url(cluster_api(cluster)));
	reality.kube.namespace_name = "consul";
	cr_assert_eq(reality.world.observe(reality.world.context, ret_snapshot, &reality.err), 0, "%s",
	             reality.err.message);
	*ret_asked = apiserver_count(cluster_api(cluster), "GET", "/v1/operator/autopilot/configuration");
	kube_client_free(reality.client);
	loop_free(reality.loop);
	kube_config_release(&reality.config);
	cluster_stop(cluster);
}

static const struct apiserver_route autopilot[] = {
	{ .pod = "consul-1",
	  .port = 8500,
	  .path = "/v1/operator/autopilot/configuration",
	  .answer = { .body = "{\"CleanupDeadServers\":true,\"MinQuorum\":3}" } },
	{ 0 },
};

Test(world_kube, observing_asks_the_leader_for_autopilots_settings)
{
	struct cluster_options how = { .count = 3, .leader = 2, .api = { .routes = autopilot } };
	struct snapshot snapshot = SNAPSHOT_INIT;
	size_t asked;

	observe_cluster(&how, &snapshot, &asked);
	cr_expect_eq(snapshot.server_count, 3);
	cr_expect(snapshot.autopilot.known, "%s", snapshot.autopilot.err.message);
	cr_expect(snapshot.autopilot.cleans_up && snapshot.autopilot.has_min_quorum);
	cr_expect_eq(snapshot.autopilot.min_quorum, 3);
	cr_expect_eq(asked, 1);
	snapshot_release(&snapshot);
}

Test(world_kube, without_a_leader_nobody_is_asked)
{
	struct cluster_options how = { .count = 3, .leader = NO_LEADER, .api = { .routes = autopilot } };
	struct snapshot snapshot = SNAPSHOT_INIT;
	size_t asked;

	observe_cluster(&how, &snapshot, &asked);
	cr_expect_not(snapshot.autopilot.known);
	cr_expect(err_is_set(&snapshot.autopilot.err));
	cr_expect_eq(asked, 0);
	snapshot_release(&snapshot);
}
