/* kube/websocket: the connection itself: warm ones, pausing, queues, and being freed wherever that can happen. */
#include "kube/websocket.h"

#include <string.h>

#include "connected.h"

static const char *const protocols[] = { "v4.channel.k8s.io", NULL };
static struct connected world;

/* Long output on stdout, and an echo of what is sent. */
static char long_output[4 * 1024 * 1024];
static const struct apiserver_exec execs[] = {
	{ .pod = "echo", .echo = true, .input_until = "end" },
	{ .pod = "long", .answer = { .output = long_output, .output_length = sizeof(long_output) } },
	{ .pod = "hang", .answer = { .output = "x", .end = EXEC_HANG } },
	{ 0 },
};

#define PATH(pod) "/api/v1/namespaces/ns/pods/" pod "/exec?command=x&stdin=true&stdout=true"

/* What a WebSocket told. */
struct told {
	struct kube_websocket *websocket;
	size_t bytes, drained, opened, messages;
	bool ended;
	struct err err;
	bool pauses;  /* at the first message */
	int frees_in; /* 'o' on_open, 'm' on_message, 'd' on_drained, 'e' on_end */
};

static void free_in(struct told *told, int place)
{
	if (told->frees_in != place)
		return;
	kube_websocket_free(TAKE(told->websocket));
	told->ended = true;
}

static void on_open(void *context)
{
	struct told *told = context;

	told->opened++;
	free_in(told, 'o');
}

static void on_message(void *context, const unsigned char *data, size_t length)
{
	struct told *told = context;

	cr_assert(told->websocket, "told after being freed");
	told->messages++;
	if (data[0] == 1)
		told->bytes += length - 1;
	if (told->pauses && told->bytes > 0)
		kube_websocket_pause(told->websocket, 1);
	free_in(told, 'm');
}

static void on_drained(void *context)
{
	struct told *told = context;

	told->drained++;
	free_in(told, 'd');
}

static void on_end(void *context, const struct err *err)
{
	struct told *told = context;

	cr_assert_not(told->ended);
	told->ended = true;
	if (err)
		err_copy(&told->err, err);
	free_in(told, 'e');
}

static const struct kube_websocket_events events = { on_open, on_message, on_drained, on_end };

static bool has_ended(void *context)
{
	const struct told *told = context;

	return told->ended;
}

static bool has_message(void *context)
{
	const struct told *told = context;

	return told->bytes > 0;
}

static bool never(void *context)
{
	(void)context;
	return false;
}

static void open_websocket(struct told *told, const char *path)
{
	told->websocket = kube_websocket_open(world.client, path, protocols, &events, told);
}

static void run_until_ended(struct told *told)
{
	cr_assert_eq(loop_run(world.loop, has_ended, told, soon_ms(LONG_MS), &world.err), 0, "%s", world.err.message);
}

static void run_for(int64_t ms)
{
	_cleanup_err_ struct err timeout = ERR_INIT;

	cr_assert_eq(loop_run(world.loop, never, NULL, soon_ms(ms), &timeout), -1);
}

static void finish(struct told *told)
{
	kube_websocket_free(TAKE(told->websocket));
	err_release(&told->err);
}

static void set_up(void)
{
	connected_start(&world, &(struct apiserver_options){ .execs = execs });
}

static void set_up_tls(void)
{
	connected_start(&world, &(struct apiserver_options){ .execs = execs, .tls = true });
}

static void tear_down(void)
{
	connected_stop(&world);
}

TestSuite(websocket, .init = set_up, .fini = tear_down, .timeout = 60);
TestSuite(websocket_tls, .init = set_up_tls, .fini = tear_down, .timeout = 60);

static void check_echo(void)
{
	struct told told = { 0 };

	open_websocket(&told, PATH("echo"));
	cr_assert_eq(kube_websocket_send(told.websocket, 0, "some", 4, &world.err), 0);
	cr_assert_eq(kube_websocket_send(told.websocket, 0, "end", 3, &world.err), 0);
	cr_assert_gt(kube_websocket_queued(told.websocket), 7);
	run_until_ended(&told);
	cr_assert_not(err_is_set(&told.err), "%s", told.err.message);
	cr_assert_eq(told.opened, 1);
	cr_assert_eq(told.bytes, 7);
	cr_assert_geq(told.drained, 1);
	finish(&told);
}

Test(websocket, what_is_queued_early_is_sent)
{
	check_echo();
}

Test(websocket_tls, what_is_queued_early_is_sent)
{
	check_echo();
}

Test(websocket_tls, warm_connections_are_used)
{
	struct told told[3] = { 0 };

	kube_websocket_warm(world.client, 2);
	run_for(50);
	cr_assert_eq(apiserver_connections(world.server), 2);
	for (size_t i = 0; i < 3; i++) {
		open_websocket(&told[i], PATH("long"));
		cr_assert_eq(told[i].opened, 0);
	}
	for (size_t i = 0; i < 3; i++) {
		run_until_ended(&told[i]);
		cr_assert_not(err_is_set(&told[i].err), "%s", told[i].err.message);
		cr_assert_eq(told[i].bytes, sizeof(long_output));
		finish(&told[i]);
	}
	cr_assert_eq(apiserver_connections(world.server), 3);
}

/* libcurl looks for dead idle connections once a second, when a new one is made; session tickets wait in ours. */
Test(websocket_tls, warm_connections_are_not_pruned)
{
	struct told told = { 0 };

	kube_websocket_warm(world.client, 1);
	run_for(1200);
	kube_websocket_warm(world.client, 1);
	run_for(100);
	for (size_t i = 0; i < 2; i++) {
		told = (struct told){ 0 };
		open_websocket(&told, PATH("long"));
		run_until_ended(&told);
		cr_assert_not(err_is_set(&told.err), "%s", told.err.message);
		finish(&told);
	}
	cr_assert_eq(apiserver_connections(world.server), 2);
}

Test(websocket, warm_connections_can_be_taken_on_their_way)
{
	struct told told = { 0 };

	kube_websocket_warm(world.client, 1);
	open_websocket(&told, PATH("long"));
	run_until_ended(&told);
	cr_assert_not(err_is_set(&told.err), "%s", told.err.message);
	cr_assert_eq(apiserver_connections(world.server), 1);
	finish(&told);
	kube_websocket_warm(world.client, 3);
	run_for(20);
	kube_websocket_cool(world.client);
	kube_websocket_warm(world.client, 1);
	kube_websocket_cool(world.client);
}

Test(websocket, a_warm_connection_that_failed_is_replaced)
{
	struct told told = { 0 };

	apiserver_refuse_connections(world.server);
	kube_websocket_warm(world.client, 1);
	run_for(50);
	open_websocket(&told, PATH("long"));
	run_until_ended(&told);
	cr_assert_eq(told.err.kind, ERR_UNREACHABLE);
	cr_assert_eq(told.opened, 0);
	finish(&told);
}

static void check_pause(void)
{
	struct told told = { .pauses = true };
	size_t before;

	open_websocket(&told, PATH("long"));
	cr_assert_eq(loop_run(world.loop, has_message, &told, soon_ms(LONG_MS), &world.err), 0);
	before = told.bytes;
	cr_assert_leq(before, 64 * 1024);
	run_for(50);
	cr_assert_eq(told.bytes, before);
	told.pauses = false;
	kube_websocket_pause(told.websocket, 0);
	cr_assert_eq(told.bytes, before, "called back from outside of the loop");
	run_until_ended(&told);
	cr_assert_eq(told.bytes, sizeof(long_output));
	finish(&told);
}

Test(websocket, can_be_paused)
{
	check_pause();
}

Test(websocket_tls, can_be_paused)
{
	check_pause();
}

Test(websocket, bounds_what_waits)
{
	struct told told = { 0 };
	size_t sent = 0;

	open_websocket(&told, PATH("hang"));
	while (kube_websocket_send(told.websocket, 0, long_output, 1024 * 1024, &world.err) == 0)
		sent++;
	cr_assert_eq(world.err.kind, ERR_TOO_LARGE);
	cr_assert_eq(sent, KUBE_WEBSOCKET_QUEUE_MAX / (1024 * 1024) - 1);
	err_release(&world.err);
	finish(&told);
}

static void check_free(void)
{
	for (const char *place = "omde"; *place; place++) {
		struct told told = { .frees_in = *place };

		open_websocket(&told, PATH("echo"));
		cr_assert_eq(kube_websocket_send(told.websocket, 0, "end", 3, &world.err), 0);
		run_until_ended(&told);
		run_for(10);
		cr_assert_not(told.websocket);
		finish(&told);
	}
}

Test(websocket, can_be_freed_in_its_callbacks)
{
	check_free();
}

Test(websocket_tls, can_be_freed_in_its_callbacks)
{
	check_free();
}

Test(websocket, can_be_freed_at_any_time)
{
	for (int64_t ms = 0; ms < 10; ms++) {
		struct told told = { 0 };

		open_websocket(&told, PATH("hang"));
		run_for(ms);
		finish(&told);
	}
}

Test(websocket, tells_a_refused_connection)
{
	struct told told = { 0 };

	apiserver_refuse_connections(world.server);
	open_websocket(&told, PATH("hang"));
	run_until_ended(&told);
	cr_assert_eq(told.err.kind, ERR_UNREACHABLE);
	finish(&told);
}
