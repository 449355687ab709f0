/* kube/client: answers that are plain text, and what their headers tell. */
#include "connected.h"

Test(client_text, plain_text_is_a_string)
{
	static const struct apiserver_route routes[] = {
		{ .path = "/log", .answer = { .content_type = "text/plain", .body = "{ one\n\ntwo" } },
		{ .path = "/empty" },
		{ .path = "/absent",
		  .answer = { .status = 404, .body = STATUS_FAILURE(404, "NotFound", "pods \\\"p\\\" not found") } },
		{ 0 },
	};
	struct kube_call calls[] = {
		{ .path = "/log", .wants_text = true },
		{ .path = "/empty", .wants_text = true },
		{ .path = "/absent", .wants_text = true },
	};
	struct connected world;

	connected_start(&world, &(struct apiserver_options){ .routes = routes });
	cr_assert_eq(kube_client_perform(world.client, calls, ARRAY_SIZE(calls), soon_ms(LONG_MS), &world.err), 0);
	cr_assert_not(err_is_set(&calls[0].err), "%s", calls[0].err.message);
	cr_expect_str_eq(calls[0].json->valuestring, "{ one\n\ntwo");
	cr_assert_not(err_is_set(&calls[1].err), "%s", calls[1].err.message);
	cr_expect_str_eq(calls[1].json->valuestring, "");
	cr_expect_eq(calls[2].err.kind, ERR_NOT_FOUND);
	cr_expect_null(calls[2].json);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		kube_call_release(&calls[i]);
	connected_stop(&world);
}

Test(client_text, the_server_tells_its_time)
{
	static const struct apiserver_route routes[] = {
		{ .path = "/told", .answer = { .headers = "date: Wed, 01 May 2024 10:00:00 GMT \r\n" } },
		{ .path = "/nonsense", .answer = { .headers = "Date: yesterday\r\n" } },
		{ .path = "/silent" },
		{ 0 },
	};
	struct kube_call calls[] = { { .path = "/told" }, { .path = "/nonsense" }, { .path = "/silent" } };
	struct connected world;

	connected_start(&world, &(struct apiserver_options){ .routes = routes });
	cr_assert_eq(kube_client_perform(world.client, calls, ARRAY_SIZE(calls), soon_ms(LONG_MS), &world.err), 0);
	cr_expect_eq(calls[0].answered_at, 1714557600);
	cr_expect_eq(calls[1].answered_at, 0);
	cr_expect_eq(calls[2].answered_at, 0);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		kube_call_release(&calls[i]);
	connected_stop(&world);
}
