/* kube/tunnel: tunnels whose long answers are read a few at a time, when servers stop in the middle of theirs. */
#include "kube/tunnel.h"

#include "connected.h"

/* As many as have turns (src/kube/tunnel_parts.h). */
#define STOPPING 8

static struct connected world;

static size_t length = 100 * 1024;

static void make_long(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	(void)context;
	(void)request;
	answer->scratch.max = length;
	while (answer->scratch.len < length)
		buf_addc(&answer->scratch, 'x');
	answer->body = answer->scratch.data;
	answer->length = length;
}

static const struct apiserver_route routes[] = {
	{ .pod = "*",
	  .path = "/v1/stops",
	  .make = make_long,
	  .answer = { .fault = FAULT_SILENCE, .fault_bytes = 50 * 1024 } },
	{ .pod = "*", .path = "/v1/late", .make = make_long, .answer = { .delay_ms = 100 } },
	{ 0 },
};

static const struct apiserver_port ports[] = { { .pod = "*", .kind = PORT_HTTP }, { 0 } };

static void set_up(void)
{
	const struct apiserver_options options = { .routes = routes, .ports = ports };

	connected_start(&world, &options);
}

static void tear_down(void)
{
	connected_stop(&world);
}

TestSuite(tunnel_turns, .init = set_up, .fini = tear_down, .timeout = 60);

/* A tunnel and its only request. */
struct asked {
	struct kube_tunnel *tunnel;
	struct kube_tunnel_call call;
	bool done;
};

static void on_done(void *context, struct kube_tunnel_call *call)
{
	struct asked *asked = context;

	(void)call;
	asked->done = true;
}

static bool is_done(void *context)
{
	const struct asked *asked = context;

	return asked->done;
}

static void ask(struct asked *asked, const char *pod, const char *path)
{
	const struct kube_tunnel_options options = { .namespace_name = "ns", .pod = pod, .port = 8500 };

	*asked = (struct asked){ .tunnel = kube_tunnel_open(world.client, &options), .call = KUBE_TUNNEL_CALL_INIT };
	asked->call.path = path;
	kube_tunnel_start(asked->tunnel, &asked->call, soon_ms(10 * LONG_MS), on_done, asked);
}

static void release(struct asked *asked)
{
	kube_tunnel_free(asked->tunnel);
	kube_tunnel_call_release(&asked->call);
}

Test(tunnel_turns, who_stops_keeps_nobody_waiting)
{
	struct asked stopping[STOPPING], late;
	int status;

	for (size_t i = 0; i < STOPPING; i++)
		ask(&stopping[i], "consul-0", "/v1/stops");
	ask(&late, "consul-1", "/v1/late");
	status = loop_run(world.loop, is_done, &late, soon_ms(LONG_MS), &world.err);
	cr_expect_eq(status, 0, "%s", world.err.message);
	cr_expect_not(err_is_set(&late.call.err), "%s", late.call.err.message);
	cr_expect_eq(late.call.body_out.len, length);
	for (size_t i = 0; i < STOPPING; i++) {
		cr_expect_not(stopping[i].done);
		release(&stopping[i]);
	}
	release(&late);
}
