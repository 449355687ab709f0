/* The probe: what it counts, and the client against a scripted cluster whose key-value store fails in every way. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "consul/probe.h"
#include "tell_scene.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/* ---------------------------------------------------------------------------------------- what counts */

static void fail_with(struct probe_count *count, const char *words)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_UNAVAILABLE, "%s", words);
	probe_count_failed(count, &err);
	cr_expect_not(err_is_set(&err));
}

Test(probe_count, the_longest_gap_is_from_served_to_served)
{
	struct probe_count count = PROBE_COUNT_INIT;

	probe_count_served(&count, 1000);
	cr_expect_eq(count.longest_gap_ms, 0, "the first ends no gap");
	probe_count_served(&count, 1050);
	fail_with(&count, "stream closed");
	probe_count_served(&count, 3050);
	probe_count_served(&count, 3060);
	fail_with(&count, "no leader");
	probe_count_served(&count, 4060);
	cr_expect_eq(count.longest_gap_ms, 2000);
	cr_expect_eq(count.last_served_ms, 4060);
	cr_expect_eq(count.tried, 7);
	cr_expect_eq(count.served, 5);
	cr_expect_eq(count.failed, 2);
	cr_expect_str_eq(count.first_err.message, "stream closed");
	probe_count_release(&count);
	cr_expect_not(err_is_set(&count.first_err));
	cr_expect_eq(count.last_served_ms, -1);
}

Test(probe_count, of_gaps_of_the_same_length_the_first)
{
	struct probe_count count = PROBE_COUNT_INIT;

	probe_count_served(&count, 0);
	probe_count_served(&count, 100);
	probe_count_served(&count, 200);
	cr_expect_eq(count.longest_gap_ms, 100);
}

Test(probe_count, a_gap_that_is_open_counts_at_the_end)
{
	struct probe_count count = PROBE_COUNT_INIT;

	probe_count_end(&count, 500);
	cr_expect_eq(count.longest_gap_ms, 0, "nothing was ever served");
	probe_count_served(&count, 1000);
	probe_count_served(&count, 1100);
	probe_count_end(&count, 1150);
	cr_expect_eq(count.longest_gap_ms, 100, "the open one is shorter");
	probe_count_end(&count, 9100);
	cr_expect_eq(count.longest_gap_ms, 8000);
	/* What was under way then, and was served after all. */
	probe_count_served(&count, 9300);
	cr_expect_eq(count.longest_gap_ms, 8200);
	cr_expect_eq(count.tried, 3);
}

/* ------------------------------------------------------------------------------------------- the store */

#define KEYS_MAX 10000
#define KEY_PATH "/v1/kv/" PROBE_PREFIX "*"

/* A key-value store, and how it answers now. Changed between apiserver_lock and apiserver_unlock. */
struct store {
	struct http_answer
	    answer;        /* with a status: to all; with a delay or fault: so, but the request is carried out */
	const char *pod;   /* answer is for this one only; NULL: for all */
	bool ends_refused; /* to reading back and removing: 500 */
	uint64_t loses;    /* this number; 0: none */
	bool keys[KEYS_MAX];
	size_t twice; /* writes of a key that was there */
	char prefix[64];
};

struct fixture {
	struct scene scene;
	struct store store;
	struct apiserver_route routes[2];
	struct access access;
	struct probe *probe;
	struct probe_result result;
};

static void list_keys(struct store *store, struct http_answer *answer)
{
	answer->scratch.max = BUF_TEXT_MAX;
	buf_adds(&answer->scratch, "[\"another/key\"");
	for (uint64_t i = 0; i < KEYS_MAX; i++)
		if (store->keys[i] && i != store->loses)
			buf_addf(&answer->scratch, ",\"%s%ju\"", store->prefix, (uintmax_t)i);
	buf_addc(&answer->scratch, ']');
	answer->body = answer->scratch.data;
}

/* /v1/kv/kubectl-consul/probe/RANDOM/N */
static void serve(struct store *store, const struct apiserver_request *request, struct http_answer *answer)
{
	const char *key = request->path + strlen("/v1/kv/"), *last = strrchr(key, '/') + 1;
	uint64_t number = 0;

	answer->body = "true";
	if (str_equal(request->method, "DELETE")) {
		memset(store->keys, 0, sizeof(store->keys));
	} else if (!*last) {
		snprintf(store->prefix, sizeof(store->prefix), "%s", key);
		list_keys(store, answer);
	} else if (str_to_uint64(last, &number) < 0 || number >= KEYS_MAX) {
		answer->status = 400;
	} else if (str_equal(request->method, "PUT")) {
		store->twice += store->keys[number];
		store->keys[number] = str_equal(request->body, last);
	} else if (!store->keys[number]) {
		answer->status = 404;
	}
}

static void make(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct store *store = context;
	const struct http_answer *how = &store->answer;
	bool is_end = *request->query != '\0';

	if (is_end && store->ends_refused) {
		answer->status = 500;
		answer->body = "No cluster leader";
		return;
	}
	if (is_end || (store->pod && !str_equal(store->pod, request->pod))) {
		serve(store, request, answer);
		return;
	}
	answer->delay_ms = how->delay_ms;
	answer->fault = how->fault;
	answer->fault_bytes = how->fault_bytes;
	if (how->status) {
		answer->status = how->status;
		answer->body = how->body;
	} else {
		serve(store, request, answer);
	}
}

static void fixture_with(struct fixture *fixture, const struct cluster_options *options)
{
	*fixture = (struct fixture){ .result = PROBE_RESULT_INIT };
	scene_start_with(&fixture->scene, options);
	fixture->routes[0] =
	    (struct apiserver_route){ .pod = "*", .path = KEY_PATH, .make = make, .context = &fixture->store };
	scene_script(&fixture->scene, fixture->routes, NULL);
}

static void fixture_start(struct fixture *fixture)
{
	fixture_with(fixture, &(struct cluster_options){ .count = 3 });
}

static void fixture_stop(struct fixture *fixture)
{
	probe_free(fixture->probe);
	probe_result_release(&fixture->result);
	scene_stop(&fixture->scene);
}

static void answer_so(struct fixture *fixture, const char *pod, struct http_answer answer)
{
	apiserver_lock(fixture->scene.api);
	fixture->store.pod = pod;
	fixture->store.answer = answer;
	apiserver_unlock(fixture->scene.api);
}

static int start(struct fixture *fixture, const char *victim, int64_t milliseconds)
{
	return probe_start(fixture->scene.client, &fixture->scene.snapshot, &fixture->access, victim,
	                   clock_monotonic_ms() + milliseconds, &fixture->probe, &fixture->scene.err);
}

static void expect_start(struct fixture *fixture, const char *victim)
{
	cr_assert_eq(start(fixture, victim, TELL_LONG_MS), 0, "%s", fixture->scene.err.message);
}

static void expect_no_start(struct fixture *fixture, int64_t milliseconds, enum err_kind kind, const char *words)
{
	cr_assert_eq(start(fixture, NULL, milliseconds), -1);
	cr_expect_null(fixture->probe);
	cr_expect_eq(fixture->scene.err.kind, kind, "%d", (int)fixture->scene.err.kind);
	cr_expect_not_null(strstr(fixture->scene.err.message, words), "%s", fixture->scene.err.message);
}

static void expect_stop(struct fixture *fixture, int64_t milliseconds)
{
	cr_assert_eq(
	    probe_stop(fixture->probe, clock_monotonic_ms() + milliseconds, &fixture->result, &fixture->scene.err), 0,
	    "%s", fixture->scene.err.message);
}

static void expect_nothing_lost(const struct fixture *fixture)
{
	const struct probe_result *result = &fixture->result;

	cr_expect(result->checked, "%s", result->check_err.message);
	cr_expect_eq(result->lost, 0);
	cr_expect_null(result->left);
	cr_expect_eq(result->writes.tried, result->writes.served + result->writes.failed);
	cr_expect_eq(result->reads.tried, result->reads.served + result->reads.failed);
	cr_expect_eq(fixture->store.twice, 0, "a key was written twice");
}

/* So many more requests with this method, to be waited for. */
struct awaited {
	struct apiserver *api;
	const char *method;
	size_t count;
};

static bool has_come(void *context)
{
	const struct awaited *awaited = context;

	return apiserver_count(awaited->api, awaited->method, KEY_PATH) >= awaited->count;
}

static void run_for_more(struct fixture *fixture, const char *method, size_t count)
{
	struct awaited awaited = { fixture->scene.api, method, 0 };

	awaited.count = apiserver_count(awaited.api, method, KEY_PATH) + count;
	cr_assert_eq(
	    loop_run(fixture->scene.loop, has_come, &awaited, clock_monotonic_ms() + TELL_LONG_MS, &fixture->scene.err),
	    0, "%s", fixture->scene.err.message);
}

static size_t count_to(struct fixture *fixture, const char *pod, const char *method)
{
	const struct apiserver_request *request;
	size_t count = 0;

	for (size_t i = 0; (request = apiserver_find(fixture->scene.api, method, KEY_PATH, i)); i++)
		count += str_equal(request->pod, pod);
	return count;
}

/* ------------------------------------------------------------------------------------------- all is well */

Test(probe, every_server_but_the_victim_is_used_in_turn)
{
	struct fixture fixture;

	fixture_start(&fixture);
	expect_start(&fixture, "consul-0");
	run_for_more(&fixture, "PUT", 8);
	expect_stop(&fixture, TELL_LONG_MS);
	expect_nothing_lost(&fixture);
	cr_expect_geq(fixture.result.writes.served, 9);
	cr_expect_geq(fixture.result.reads.served, 2);
	cr_expect_eq(fixture.result.writes.failed, 0);
	cr_expect_eq((size_t)fixture.result.writes.served, apiserver_count(fixture.scene.api, "PUT", KEY_PATH));
	cr_expect_lt(fixture.result.writes.longest_gap_ms, TELL_LONG_MS);
	cr_expect_eq(count_to(&fixture, "consul-0", NULL), 0);
	cr_expect_geq(count_to(&fixture, "consul-1", "PUT"), 2);
	cr_expect_geq(count_to(&fixture, "consul-2", "PUT"), 2);
	cr_expect_eq(apiserver_count(fixture.scene.api, "DELETE", KEY_PATH), 1);
	fixture_stop(&fixture);
}

Test(probe, the_token_goes_as_a_header)
{
	_cleanup_free_ char *shown = NULL;
	struct fixture fixture;

	fixture_start(&fixture);
	fixture.access.given = "5c2c1b2d";
	expect_start(&fixture, NULL);
	expect_stop(&fixture, TELL_LONG_MS);
	expect_nothing_lost(&fixture);
	shown = apiserver_request_header(apiserver_find(fixture.scene.api, "PUT", KEY_PATH, 0), "X-Consul-Token");
	cr_expect_str_eq(shown, "5c2c1b2d");
	fixture_stop(&fixture);
}

Test(probe, a_write_that_is_not_there_was_lost)
{
	struct fixture fixture;

	fixture_start(&fixture);
	expect_start(&fixture, NULL);
	run_for_more(&fixture, "PUT", 3);
	fixture.store.loses = 2;
	expect_stop(&fixture, TELL_LONG_MS);
	cr_expect(fixture.result.checked);
	cr_expect_eq(fixture.result.lost, 1);
	fixture_stop(&fixture);
}

/* ------------------------------------------------------------------------------------------- a bad time */

Test(probe, a_time_without_a_leader_is_a_gap)
{
	struct fixture fixture;

	fixture_start(&fixture);
	expect_start(&fixture, NULL);
	run_for_more(&fixture, "PUT", 3);
	answer_so(&fixture, NULL, (struct http_answer){ .status = 500, .body = "No cluster leader" });
	run_for_more(&fixture, "PUT", 8);
	answer_so(&fixture, NULL, (struct http_answer){ 0 });
	run_for_more(&fixture, "PUT", 3);
	expect_stop(&fixture, TELL_LONG_MS);
	expect_nothing_lost(&fixture);
	cr_expect_geq(fixture.result.writes.failed, 7);
	cr_expect_geq(fixture.result.writes.longest_gap_ms, 4 * PROBE_INTERVAL_MS);
	cr_expect_geq(fixture.result.reads.longest_gap_ms, 4 * PROBE_INTERVAL_MS);
	cr_expect_eq(fixture.result.writes.first_err.kind, ERR_UNAVAILABLE);
	cr_expect_not_null(strstr(fixture.result.writes.first_err.message, "500: No cluster leader"), "%s",
	                   fixture.result.writes.first_err.message);
	fixture_stop(&fixture);
}

/* Held and served in the end: nothing failed, and the gap is as long as it took. */
Test(probe, what_is_held_ends_the_gap)
{
	enum { HELD_MS = 700 };
	struct fixture fixture;

	fixture_start(&fixture);
	expect_start(&fixture, "consul-0");
	answer_so(&fixture, NULL, (struct http_answer){ .delay_ms = HELD_MS });
	run_for_more(&fixture, "PUT", (size_t)2 * PROBE_LANES);
	expect_stop(&fixture, TELL_LONG_MS);
	expect_nothing_lost(&fixture);
	cr_expect_eq(fixture.result.writes.failed, 0);
	cr_expect_geq(fixture.result.writes.longest_gap_ms, HELD_MS / 2);
	fixture_stop(&fixture);
}

/* It was carried out, but nobody was told: neither acknowledged nor lost. */
Test(probe, what_hangs_is_given_up_and_others_take_its_place)
{
	struct fixture fixture;

	fixture_start(&fixture);
	expect_start(&fixture, "consul-0");
	answer_so(&fixture, "consul-1", (struct http_answer){ .fault = FAULT_SILENCE });
	while (count_to(&fixture, "consul-1", "PUT") <= 2 * PROBE_LANES + 1)
		run_for_more(&fixture, "PUT", 1);
	answer_so(&fixture, NULL, (struct http_answer){ 0 });
	expect_stop(&fixture, TELL_LONG_MS);
	expect_nothing_lost(&fixture);
	cr_expect_geq(fixture.result.writes.failed, PROBE_LANES);
	cr_expect_eq(fixture.result.writes.first_err.kind, ERR_TIMEOUT);
	cr_expect_not_null(strstr(fixture.result.writes.first_err.message, "consul-1"));
	cr_expect_lt(fixture.result.writes.longest_gap_ms, PROBE_TIMEOUT_MS);
	fixture_stop(&fixture);
}

static void check_one_that_dies(const struct apiserver_port *ports, struct http_answer answer)
{
	struct fixture fixture;

	fixture_start(&fixture);
	expect_start(&fixture, NULL);
	run_for_more(&fixture, "PUT", 3);
	apiserver_add(fixture.scene.api, NULL, NULL, ports);
	answer_so(&fixture, "consul-2", answer);
	run_for_more(&fixture, "PUT", 12);
	expect_stop(&fixture, TELL_LONG_MS);
	expect_nothing_lost(&fixture);
	cr_expect_geq(fixture.result.writes.served, 10);
	cr_expect_geq(fixture.result.writes.failed, 1);
	cr_expect_not_null(strstr(fixture.result.writes.first_err.message, "consul-2"), "%s",
	                   fixture.result.writes.first_err.message);
	fixture_stop(&fixture);
}

Test(probe, one_that_dies_in_the_middle_of_an_answer)
{
	static const struct apiserver_port ports[] = { { .pod = "consul-2", .kind = PORT_ERROR, .text = "gone" },
		                                       { 0 } };

	check_one_that_dies(ports, (struct http_answer){ .fault = FAULT_CLOSE, .fault_bytes = 20 });
	check_one_that_dies(ports, (struct http_answer){ .fault = FAULT_RESET });
}

/* ---------------------------------------------------------------------------------------- no beginning */

Test(probe, a_token_that_may_not_write)
{
	struct fixture fixture;

	fixture_start(&fixture);
	answer_so(&fixture, NULL, (struct http_answer){ .status = 403, .body = "Permission denied" });
	expect_no_start(&fixture, TELL_LONG_MS, ERR_FORBIDDEN, "403: Permission denied");
	cr_expect_not_null(strstr(fixture.scene.err.hint, "key_prefix \"kubectl-consul/\" { policy = \"write\" }"));
	fixture_stop(&fixture);
}

Test(probe, a_token_that_is_not_known)
{
	struct fixture fixture;

	fixture_start(&fixture);
	answer_so(&fixture, NULL, (struct http_answer){ .status = 403, .body = "ACL not found" });
	expect_no_start(&fixture, TELL_LONG_MS, ERR_FORBIDDEN, "403: ACL not found");
	cr_expect_not_null(strstr(fixture.scene.err.hint, "--token-file"));
	fixture_stop(&fixture);
}

Test(probe, no_right_to_tunnels)
{
	static const struct cluster_server servers[] = { { .way = WAY_EXEC },
		                                         { .way = WAY_EXEC },
		                                         { .way = WAY_EXEC } };
	struct fixture fixture;

	fixture_with(&fixture, &(struct cluster_options){ .servers = servers, .count = 3 });
	expect_no_start(&fixture, TELL_LONG_MS, ERR_FORBIDDEN, "is forbidden");
	cr_expect_not_null(strstr(fixture.scene.err.hint, "pods/portforward"));
	fixture_stop(&fixture);
}

Test(probe, no_leader_at_the_start)
{
	struct fixture fixture;

	fixture_start(&fixture);
	answer_so(&fixture, NULL, (struct http_answer){ .status = 500, .body = "No cluster leader" });
	expect_no_start(&fixture, TELL_SHORT_MS, ERR_UNAVAILABLE, "Consul on consul-");
	fixture_stop(&fixture);
}

Test(probe, no_answer_at_the_start)
{
	struct fixture fixture;

	fixture_start(&fixture);
	answer_so(&fixture, NULL, (struct http_answer){ .fault = FAULT_SILENCE });
	expect_no_start(&fixture, TELL_SHORT_MS, ERR_TIMEOUT, "were not answered in time");
	fixture_stop(&fixture);
}

Test(probe, nobody_but_the_victim)
{
	struct fixture fixture;

	fixture_with(&fixture, &(struct cluster_options){ .count = 1 });
	cr_assert_eq(start(&fixture, "consul-0", TELL_LONG_MS), -1);
	cr_expect_eq(fixture.scene.err.kind, ERR_UNREACHABLE);
	cr_expect_not_null(strstr(fixture.scene.err.message, "no server but consul-0"), "%s",
	                   fixture.scene.err.message);
	fixture_stop(&fixture);
}

/* ------------------------------------------------------------------------------------------------ ends */

Test(probe, the_end_without_a_leader)
{
	_cleanup_free_ char *prefix = NULL;
	int64_t stopped;
	struct fixture fixture;

	fixture_start(&fixture);
	expect_start(&fixture, NULL);
	answer_so(&fixture, NULL, (struct http_answer){ .status = 500, .body = "No cluster leader" });
	fixture.store.ends_refused = true;
	run_for_more(&fixture, "PUT", 4);
	stopped = clock_monotonic_ms();
	expect_stop(&fixture, TELL_SHORT_MS);
	cr_expect_geq(clock_monotonic_ms() - stopped, TELL_SHORT_MS - 1);
	cr_expect_lt(clock_monotonic_ms() - stopped, TELL_LONG_MS);
	cr_expect_not(fixture.result.checked);
	cr_expect_not_null(strstr(fixture.result.check_err.message, "No cluster leader"), "%s",
	                   fixture.result.check_err.message);
	cr_expect_geq(fixture.result.writes.longest_gap_ms, 2 * PROBE_INTERVAL_MS);
	cr_assert_not_null(fixture.result.left);
	prefix = xasprintf("/v1/kv/%s*", fixture.result.left);
	cr_expect(str_starts_with(fixture.result.left, PROBE_PREFIX));
	cr_expect_eq(apiserver_count(fixture.scene.api, "PUT", prefix),
	             apiserver_count(fixture.scene.api, "PUT", KEY_PATH));
	fixture_stop(&fixture);
}

Test(probe, the_end_waits_for_what_is_under_way)
{
	struct fixture fixture;

	fixture_start(&fixture);
	expect_start(&fixture, NULL);
	answer_so(&fixture, NULL, (struct http_answer){ .delay_ms = 500 });
	run_for_more(&fixture, "PUT", 3);
	expect_stop(&fixture, TELL_LONG_MS);
	expect_nothing_lost(&fixture);
	cr_expect_eq((size_t)fixture.result.writes.served, apiserver_count(fixture.scene.api, "PUT", KEY_PATH));
	cr_expect_eq(fixture.result.writes.failed, 0);
	fixture_stop(&fixture);
}

Test(probe, an_interrupted_end_keeps_what_was_counted)
{
	struct fixture fixture;
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	fixture_start(&fixture);
	expect_start(&fixture, NULL);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	loop_set_interrupt(fixture.scene.loop, ends[0]);
	cr_expect_eq(
	    probe_stop(fixture.probe, clock_monotonic_ms() + TELL_LONG_MS, &fixture.result, &fixture.scene.err), -1);
	cr_expect_eq(fixture.scene.err.kind, ERR_INTERRUPTED);
	cr_expect_geq(fixture.result.writes.served, 1);
	cr_expect_not(fixture.result.checked);
	cr_expect_not_null(fixture.result.left);
	fixture_stop(&fixture);
	close(ends[0]);
	close(ends[1]);
}

Test(probe, free_without_stop_while_requests_are_under_way)
{
	struct fixture fixture;

	fixture_start(&fixture);
	expect_start(&fixture, NULL);
	answer_so(&fixture, NULL, (struct http_answer){ .fault = FAULT_SILENCE });
	run_for_more(&fixture, NULL, 4);
	fixture_stop(&fixture);
	probe_free(NULL);
}
