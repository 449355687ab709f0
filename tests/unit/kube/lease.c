/* kube/lease: taking, keeping, losing and giving back, against an API server that keeps one Lease. */
#include "kube/lease.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "connected.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define LIST_PATH  "/apis/coordination.k8s.io/v1/namespaces/ns/leases"
#define LEASE_PATH LIST_PATH "/one"
#define US         "alice@workstation (pid 1, scale 5)"

/* ------------------------------------------------------------------------------------ the server's side */

struct store {
	cJSON *object; /* NULL: there is none */
	int version;
	unsigned renew_after;   /* the holder renews before the answer of this GET (1: the first); 0: never */
	unsigned release_after; /* the holder gives it back, likewise */
	unsigned gets;
	const char *race;   /* before the next write this holder takes it; NULL: nobody */
	unsigned lost;      /* so many writes are done, and not answered */
	const char *refuse; /* the method that gets refusal; NULL: none */
	struct http_answer refusal;
	unsigned refuse_times; /* 0: always */
};

static void put_spec(struct store *store, const char *holder, int64_t duration_s, const char *renewed)
{
	cJSON_Delete(store->object);
	store->object =
	    json_object("apiVersion", json_string("coordination.k8s.io/v1"), "kind", json_string("Lease"), "metadata",
	                json_object("name", json_string("one"), "uid", json_string("some-uid"), "resourceVersion",
	                            json_stringf("%d", ++store->version), "labels",
	                            json_object("team", json_string("a"), NULL), NULL),
	                "spec",
	                json_object("holderIdentity", json_string(holder), "leaseDurationSeconds", json_int(duration_s),
	                            "acquireTime", json_string("2024-05-01T10:00:00.000000Z"), "renewTime",
	                            json_string(renewed), "leaseTransitions", json_int(7), NULL),
	                NULL);
}

static void answer_object(struct store *store, struct http_answer *answer, int status)
{
	char *text = json_text(store->object);

	answer->status = status;
	answer->scratch.max = BUF_TEXT_MAX;
	buf_clear(&answer->scratch);
	buf_adds(&answer->scratch, text);
	answer->body = buf_text(&answer->scratch);
	free(text);
}

static void answer_get(struct store *store, struct http_answer *answer)
{
	if (++store->gets == store->renew_after)
		json_set(cJSON_GetObjectItemCaseSensitive(store->object, "spec"), "renewTime",
		         json_string("2024-05-01T10:00:09.000000Z"));
	if (store->gets == store->release_after)
		put_spec(store, NULL, 1, "2024-05-01T10:00:09.000000Z");
	if (store->object) {
		answer_object(store, answer, 200);
		return;
	}
	answer->status = 404;
	answer->body = STATUS_FAILURE(404, "NotFound", "leases.coordination.k8s.io \\\"one\\\" not found");
}

static void answer_write(struct store *store, const struct apiserver_request *request, struct http_answer *answer)
{
	_cleanup_json_ cJSON *body = cJSON_Parse(request->body);
	bool creates = str_equal(request->method, "POST");

	if (store->race)
		put_spec(store, store->race, 1, "2024-05-01T10:00:05.000000Z");
	store->race = NULL;
	if (creates ? store->object != NULL
	            : !store->object || !str_equal(json_string_at(body, "metadata.resourceVersion"),
	                                           json_string_at(store->object, "metadata.resourceVersion"))) {
		answer->status = !creates && !store->object ? 404 : 409;
		answer->body = creates         ? STATUS_FAILURE(409, "AlreadyExists", "already exists")
		               : store->object ? STATUS_FAILURE(409, "Conflict", "the object has been modified")
		                               : STATUS_FAILURE(404, "NotFound", "not found");
		return;
	}
	cJSON_Delete(store->object);
	store->object = TAKE(body);
	json_set(cJSON_GetObjectItemCaseSensitive(store->object, "metadata"), "resourceVersion",
	         json_stringf("%d", ++store->version));
	answer_object(store, answer, creates ? 201 : 200);
	if (store->lost > 0) {
		store->lost--;
		answer->fault = FAULT_CLOSE;
		answer->fault_bytes = 60; /* begun, so that libcurl does not just send it again */
	}
}

static void answer_any(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct store *store = context;

	if (str_equal(request->method, store->refuse)) {
		*answer = store->refusal;
		if (store->refuse_times > 0 && --store->refuse_times == 0)
			store->refuse = NULL;
		return;
	}
	if (str_equal(request->method, "GET"))
		answer_get(store, answer);
	else
		answer_write(store, request, answer);
}

/* -------------------------------------------------------------------------------------- one lease */

static struct store store;
static struct connected connected;
static struct kube_lease *lease;
static struct apiserver_route routes[2];

static void start(void)
{
	struct apiserver_options how = { .routes = routes };
	struct kube_lease_options options = { .namespace_name = "ns", .name = "one", .holder = US, .duration_s = 1 };

	store = (struct store){ 0 };
	routes[0] = (struct apiserver_route){ .path = LIST_PATH "*", .make = answer_any, .context = &store };
	connected_start(&connected, &how);
	lease = kube_lease_new(connected.client, &options);
}

static void stop(void)
{
	kube_lease_free(lease);
	connected_stop(&connected);
	cJSON_Delete(store.object);
}

TestSuite(lease, .init = start, .fini = stop);

static int take(void)
{
	return kube_lease_take(lease, soon_ms(LONG_MS), NULL, NULL, &connected.err);
}

static int keep(void)
{
	return kube_lease_keep(lease, soon_ms(LONG_MS), &connected.err);
}

static void set_refusal(const char *method, int status, const char *body)
{
	apiserver_lock(connected.server);
	store.refuse = method;
	store.refusal = (struct http_answer){ .status = status, .body = body };
	apiserver_unlock(connected.server);
}

static size_t writes(void)
{
	return apiserver_count(connected.server, "PUT", LEASE_PATH) +
	       apiserver_count(connected.server, "POST", LIST_PATH);
}

/* A string of what the server has; "" when it is not there. The server must be silent meanwhile. */
static const char *kept(const char *path)
{
	const char *text = json_string_at(store.object, path);

	return text ? text : "";
}

/* Keeps until it fails, or the server had that many writes. */
static int keep_until(size_t count)
{
	for (int64_t end_ms = soon_ms(LONG_MS); clock_monotonic_ms() < end_ms;) {
		if (keep() < 0)
			return -1;
		if (writes() >= count)
			return 0;
		if (loop_sleep(connected.loop, 10, &connected.err) < 0)
			return -1;
	}
	cr_assert_fail("not within %d ms", LONG_MS);
	return -1;
}

#define expect_err(kind_, message_)                                                                                    \
	do {                                                                                                           \
		cr_assert_eq(connected.err.kind, kind_, "%s", connected.err.message);                                  \
		cr_expect_str_eq(connected.err.message, message_);                                                     \
	} while (0)

/* ------------------------------------------------------------------------------------------ taking */

Test(lease, none_is_created)
{
	cr_assert_eq(take(), 0, "%s", connected.err.message);
	cr_expect_eq(apiserver_count(connected.server, "POST", LIST_PATH), 1);
	cr_expect_str_eq(kept("spec.holderIdentity"), US);
	cr_expect_eq(json_int_at(store.object, "spec.leaseDurationSeconds", 0), 1);
	cr_expect_eq(json_int_at(store.object, "spec.leaseTransitions", -1), 0);
	/* A MicroTime has six digits: the API server takes no other number of them. */
	cr_expect_eq(strlen(kept("spec.acquireTime")), strlen("2024-05-01T10:00:00.000000Z"));
	cr_expect_eq(kept("spec.renewTime")[19], '.');
	cr_expect(str_ends_with(kept("spec.renewTime"), "Z"));
}

static void expect_free_at_once(const char *holder)
{
	put_spec(&store, holder, 3600, "2024-05-01T10:00:00.000000Z");
	cr_assert_eq(take(), 0, "%s", connected.err.message);
	cr_expect_str_eq(kept("spec.holderIdentity"), US);
	cr_expect_eq(json_int_at(store.object, "spec.leaseTransitions", -1), 8);
	/* What others wrote stays. */
	cr_expect_str_eq(kept("metadata.labels.team"), "a");
	cr_expect_eq(apiserver_request_total(connected.server), 2);
}

Test(lease, one_without_a_holder_is_free_at_once)
{
	expect_free_at_once(NULL);
}

Test(lease, one_whose_holder_is_empty_is_free_at_once)
{
	expect_free_at_once("");
}

struct told {
	unsigned times;
	char holder[64];
	int64_t left_ms;
};

static void on_waiting(void *context, const char *holder, int64_t quiet_ms, int64_t left_ms)
{
	struct told *told = context;

	cr_expect_leq(quiet_ms, 1000);
	told->times++;
	told->left_ms = left_ms;
	snprintf(told->holder, sizeof(told->holder), "%s", holder);
}

Test(lease, one_that_is_not_renewed_is_taken_over_when_it_has_expired)
{
	struct told told = { 0 };
	int64_t begun_ms = clock_monotonic_ms();

	put_spec(&store, "bob\x1b[31m", 1, "2024-05-01T10:00:00.000000Z");
	cr_assert_eq(kube_lease_take(lease, soon_ms(LONG_MS), on_waiting, &told, &connected.err), 0, "%s",
	             connected.err.message);
	cr_expect_geq(clock_monotonic_ms() - begun_ms, 1000);
	cr_expect_geq(told.times, 1);
	cr_expect_str_eq(told.holder, "bob^[[31m");
	cr_expect_leq(told.left_ms, 1000);
	cr_expect_str_eq(kept("spec.holderIdentity"), US);
	cr_expect_str_neq(kept("spec.acquireTime"), "2024-05-01T10:00:00.000000Z");
	cr_expect_eq(json_int_at(store.object, "spec.leaseTransitions", -1), 8);
}

Test(lease, one_that_is_given_back_meanwhile_is_taken_at_once)
{
	put_spec(&store, "bob", 3600, "2024-05-01T10:00:00.000000Z");
	store.release_after = 2;
	cr_assert_eq(take(), 0, "%s", connected.err.message);
	cr_expect_str_eq(kept("spec.holderIdentity"), US);
}

Test(lease, a_holder_who_renews_is_alive)
{
	put_spec(&store, "bob", 3600, "2024-05-01T10:00:00.000000Z");
	store.renew_after = 2;
	cr_assert_eq(take(), -1);
	expect_err(ERR_REFUSED, "somebody else is changing this: lease \"one\" is held by bob, since "
	                        "2024-05-01T10:00:00Z");
	cr_expect_str_eq(connected.err.hint, "wait until that is done; kubectl get lease one -n ns -o yaml shows it");
	cr_expect_eq(writes(), 0);
}

/* ------------------------------------------------------------------------------------- looking only */

static char *peek(void)
{
	char *holder = NULL;

	cr_assert_eq(kube_lease_peek(lease, soon_ms(LONG_MS), &holder, &connected.err), 0, "%s", connected.err.message);
	return holder;
}

/* Whose renewal is old by any clock hardly lives; a clock that is a little late, or ahead, says nothing. */
Test(lease, one_look_tells_who_has_it)
{
	static const struct {
		int64_t renewed_ago_s;
		bool told;
	} cases[] = { { 0, true }, { 50, true }, { -3600, true }, { 600, false } };
	char *holder = peek();

	cr_expect_null(holder, "there is none");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *renewed = clock_format_rfc3339(time(NULL) - cases[i].renewed_ago_s);

		put_spec(&store, "bob\x1b[31m", 20, renewed);
		holder = peek();
		if (cases[i].told)
			cr_expect_str_eq(holder, "bob^[[31m, since 2024-05-01T10:00:00Z");
		else
			cr_expect_null(holder, "%s", holder);
		free(holder);
	}
	put_spec(&store, "", 20, "2024-05-01T10:00:00.000000Z");
	cr_expect_null(peek(), "nobody's");
	cr_expect_eq(writes(), 0);
	set_refusal("GET", 403, STATUS_FAILURE(403, "Forbidden", "no"));
	cr_assert_eq(kube_lease_peek(lease, soon_ms(LONG_MS), &holder, &connected.err), -1);
	expect_err(ERR_FORBIDDEN, "no");
}

Test(lease, the_same_text_in_another_process_is_somebody_else)
{
	put_spec(&store, US, 3600, "2024-05-01T10:00:00.000000Z");
	store.renew_after = 2;
	cr_assert_eq(take(), -1);
	cr_expect_eq(connected.err.kind, ERR_REFUSED);
}

Test(lease, of_two_that_create_it_at_once_one_is_refused)
{
	store.race = "bob";
	cr_assert_eq(take(), -1);
	cr_expect_eq(connected.err.kind, ERR_REFUSED);
	cr_expect_eq(apiserver_count(connected.server, "POST", LIST_PATH), 1);
	cr_expect_str_eq(kept("spec.holderIdentity"), "bob");
}

Test(lease, of_two_that_take_over_at_once_one_is_refused)
{
	put_spec(&store, "carol", 1, "2024-05-01T10:00:00.000000Z");
	store.race = "bob";
	cr_assert_eq(take(), -1);
	cr_expect_eq(connected.err.kind, ERR_REFUSED);
	cr_expect_eq(writes(), 1);
	cr_expect_str_eq(kept("spec.holderIdentity"), "bob");
}

Test(lease, an_answer_that_was_lost_does_not_lock_us_out)
{
	store.lost = 1;
	cr_assert_eq(take(), 0, "%s", connected.err.message);
	cr_expect_str_eq(kept("spec.holderIdentity"), US);
	cr_expect_eq(apiserver_count(connected.server, "POST", LIST_PATH), 1);
	cr_expect_eq(json_int_at(store.object, "spec.leaseTransitions", -1), 0);
}

Test(lease, rights_that_are_missing_are_named_all_at_once)
{
	static const char *const methods[] = { "GET", "POST", "PUT" };

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		set_refusal(methods[i], 403,
		            STATUS_FAILURE(403, "Forbidden",
		                           "User \\\"u\\\" cannot do resource \\\"leases\\\" in API group \\\"c\\\""));
		cr_assert_eq(take(), -1);
		expect_err(ERR_FORBIDDEN, "cannot take lease \"one\": User \"u\" cannot do resource \"leases\" in API "
		                          "group \"c\"");
		cr_expect_str_eq(connected.err.hint,
		                 "a Role must allow \"get\", \"create\" and \"update\" on \"leases\" of API group "
		                 "\"coordination.k8s.io\"; check: kubectl auth can-i update "
		                 "leases.coordination.k8s.io -n ns");
		err_release(&connected.err);
	}
}

Test(lease, a_namespace_that_is_not_there_is_an_error)
{
	set_refusal("POST", 404, STATUS_FAILURE(404, "NotFound", "namespaces \\\"ns\\\" not found"));
	cr_assert_eq(take(), -1);
	expect_err(ERR_NOT_FOUND, "cannot take lease \"one\": namespaces \"ns\" not found");
}

Test(lease, an_object_without_a_version_is_not_written_over)
{
	put_spec(&store, NULL, 1, "x");
	json_set(cJSON_GetObjectItemCaseSensitive(store.object, "metadata"), "resourceVersion", NULL);
	cr_assert_eq(take(), -1);
	cr_expect_eq(connected.err.kind, ERR_PROTOCOL);
	cr_expect_eq(writes(), 0);
}

Test(lease, waiting_ends_at_the_deadline)
{
	put_spec(&store, "bob", 3600, "2024-05-01T10:00:00.000000Z");
	cr_assert_eq(kube_lease_take(lease, soon_ms(SHORT_MS), NULL, NULL, &connected.err), -1);
	expect_err(ERR_TIMEOUT, "cannot take lease \"one\": no time is left, and it may still be held by bob, since "
	                        "2024-05-01T10:00:00Z");
}

Test(lease, what_fails_in_passing_is_tried_again)
{
	set_refusal("POST", 503, "busy");
	cr_assert_eq(kube_lease_take(lease, soon_ms(SHORT_MS), NULL, NULL, &connected.err), -1);
	expect_err(ERR_TIMEOUT, "cannot take lease \"one\": no time is left: the server is currently unable to handle "
	                        "the request (\"busy\")");
	err_release(&connected.err);
	store.refuse_times = 1;
	cr_assert_eq(take(), 0, "%s", connected.err.message);
	cr_expect_eq(apiserver_count(connected.server, "POST", LIST_PATH), 3);
}

/* ------------------------------------------------------------------------------------------ keeping */

Test(lease, it_is_renewed_when_a_third_of_its_time_has_passed_and_not_before)
{
	_cleanup_free_ char *acquired = NULL;
	int64_t begun_ms = clock_monotonic_ms();

	cr_assert_eq(take(), 0, "%s", connected.err.message);
	acquired = xstrdup(kept("spec.acquireTime"));
	cr_assert_eq(keep_until(writes() + 1), 0, "%s", connected.err.message);
	cr_expect_geq(clock_monotonic_ms() - begun_ms, 333);
	cr_expect_str_eq(kept("spec.acquireTime"), acquired);
	cr_expect_str_neq(kept("spec.renewTime"), acquired);
	cr_expect_eq(json_int_at(store.object, "spec.leaseTransitions", -1), 0);
}

Test(lease, a_renewal_that_met_another_write_is_decided_anew)
{
	cr_assert_eq(take(), 0, "%s", connected.err.message);
	apiserver_lock(connected.server);
	json_set(cJSON_GetObjectItemCaseSensitive(store.object, "metadata"), "resourceVersion", json_string("77"));
	apiserver_unlock(connected.server);
	cr_assert_eq(keep_until(3), 0, "%s", connected.err.message);
	cr_expect_str_eq(kept("spec.holderIdentity"), US);
}

Test(lease, one_that_was_deleted_is_created_again)
{
	cr_assert_eq(take(), 0, "%s", connected.err.message);
	apiserver_lock(connected.server);
	cJSON_Delete(store.object);
	store.object = NULL;
	apiserver_unlock(connected.server);
	cr_assert_eq(keep_until(3), 0, "%s", connected.err.message);
	cr_expect_str_eq(kept("spec.holderIdentity"), US);
}

Test(lease, it_is_lost_when_somebody_else_has_it)
{
	cr_assert_eq(take(), 0, "%s", connected.err.message);
	apiserver_lock(connected.server);
	store.race = "bob\n";
	apiserver_unlock(connected.server);
	cr_assert_eq(keep_until(SIZE_MAX), -1);
	expect_err(ERR_CONFLICT, "lease \"one\" was taken over by bob\\n, since 2024-05-01T10:00:00Z");
	err_release(&connected.err);
	/* And stays lost. */
	cr_assert_eq(keep(), -1);
	cr_expect_eq(connected.err.kind, ERR_CONFLICT);
	kube_lease_release(lease, soon_ms(LONG_MS));
	cr_expect_str_eq(kept("spec.holderIdentity"), "bob\n");
}

Test(lease, renewals_that_fail_are_no_failure_while_there_is_time)
{
	struct kube_lease_options options = { .namespace_name = "ns", .name = "one", .holder = US, .duration_s = 3 };

	/* Longer than the others, so that a busy machine does not make it late. */
	kube_lease_free(lease);
	lease = kube_lease_new(connected.client, &options);
	cr_assert_eq(take(), 0, "%s", connected.err.message);
	set_refusal("PUT", 503, "busy");
	cr_assert_eq(keep_until(writes() + 1), 0, "%s", connected.err.message);
	set_refusal(NULL, 0, NULL);
	cr_assert_eq(keep_until(writes() + 1), 0, "%s", connected.err.message);
	cr_expect_str_eq(kept("spec.holderIdentity"), US);
}

Test(lease, it_is_lost_when_renewals_fail_for_too_long)
{
	int64_t begun_ms = clock_monotonic_ms();

	cr_assert_eq(take(), 0, "%s", connected.err.message);
	set_refusal("PUT", 503, "busy");
	cr_assert_eq(keep_until(SIZE_MAX), -1);
	cr_expect_eq(connected.err.kind, ERR_UNAVAILABLE);
	cr_expect(strstr(connected.err.message, "lease \"one\" could not be renewed for "), "%s",
	          connected.err.message);
	cr_expect(strstr(connected.err.message, "busy"), "%s", connected.err.message);
	cr_expect_geq(clock_monotonic_ms() - begun_ms, 500);
	err_release(&connected.err);
	/* Nobody has taken it: it is ours again. */
	set_refusal(NULL, 0, NULL);
	cr_expect_eq(keep(), 0, "%s", connected.err.message);
}

/* Waiting gives nobody a right: it is told at the first renewal. */
Test(lease, who_may_not_renew_it_hears_so_at_once)
{
	int64_t begun_ms;

	cr_assert_eq(take(), 0, "%s", connected.err.message);
	set_refusal("PUT", 403, STATUS_FAILURE(403, "Forbidden", "no"));
	begun_ms = clock_monotonic_ms();
	cr_assert_eq(keep_until(SIZE_MAX), -1);
	cr_expect_lt(clock_monotonic_ms() - begun_ms, 500);
	expect_err(ERR_FORBIDDEN, "cannot renew lease \"one\": no");
	cr_expect(strstr(connected.err.hint, "\"update\" on \"leases\""), "%s", connected.err.hint);
}

/* -------------------------------------------------------------------------------------- giving back */

Test(lease, given_back_it_has_no_holder_and_is_free_for_the_next)
{
	struct kube_lease_options options = { .namespace_name = "ns", .name = "one", .holder = "bob" };
	struct kube_lease *next = kube_lease_new(connected.client, &options);

	cr_assert_eq(take(), 0, "%s", connected.err.message);
	kube_lease_release(lease, soon_ms(LONG_MS));
	cr_assert_not_null(store.object);
	cr_expect_null(json_at(store.object, "spec.holderIdentity"));
	cr_assert_eq(kube_lease_take(next, soon_ms(LONG_MS), NULL, NULL, &connected.err), 0, "%s",
	             connected.err.message);
	cr_expect_str_eq(kept("spec.holderIdentity"), "bob");
	cr_expect_eq(json_int_at(store.object, "spec.leaseDurationSeconds", 0), KUBE_LEASE_DURATION_S);
	kube_lease_free(next);
}

Test(lease, giving_back_what_was_never_taken_asks_nothing)
{
	kube_lease_release(lease, soon_ms(LONG_MS));
	cr_expect_eq(apiserver_request_total(connected.server), 0);
}

Test(lease, after_an_interrupt_it_can_still_be_given_back)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	loop_set_interrupt(connected.loop, ends[0]);
	cr_assert_eq(take(), 0, "%s", connected.err.message);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_assert_eq(keep_until(SIZE_MAX), -1);
	cr_expect_eq(connected.err.kind, ERR_INTERRUPTED);
	loop_set_interrupt(connected.loop, -1);
	kube_lease_release(lease, soon_ms(LONG_MS));
	cr_expect_null(json_at(store.object, "spec.holderIdentity"));
	close(ends[0]);
	close(ends[1]);
}

Test(lease, a_take_whose_answer_was_lost_can_be_given_back)
{
	store.lost = 1;
	/* The deadline passes before the next look. */
	cr_assert_eq(kube_lease_take(lease, soon_ms(SHORT_MS), NULL, NULL, &connected.err), -1);
	cr_expect_eq(connected.err.kind, ERR_TIMEOUT);
	cr_expect_str_eq(kept("spec.holderIdentity"), US);
	kube_lease_release(lease, soon_ms(LONG_MS));
	cr_expect_null(json_at(store.object, "spec.holderIdentity"));
}

Test(lease, waiting_can_be_interrupted)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	put_spec(&store, "bob", 3600, "2024-05-01T10:00:00.000000Z");
	loop_set_interrupt(connected.loop, ends[0]);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_assert_eq(take(), -1);
	cr_expect_eq(connected.err.kind, ERR_INTERRUPTED);
	loop_set_interrupt(connected.loop, -1);
	close(ends[0]);
	close(ends[1]);
}
