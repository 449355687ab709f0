/* kube/tunnel: the certificate that an https port presents. */
#include "kube/tunnel.h"

#include <string.h>

#include <criterion/criterion.h>

#include "connected.h"
#include "util/mem.h"
#include "util/str.h"

static struct connected world;

static const struct apiserver_route routes[] = { { .pod = "*", .path = "/v1/*", .answer = { .body = "{}" } }, { 0 } };
static const struct apiserver_port ports[] = { { .pod = "*", .port = 8501, .kind = PORT_HTTPS }, { 0 } };

static void set_up(void)
{
	connected_start(&world, &(struct apiserver_options){
	                            .routes = routes, .ports = ports, .tunnel_names = "server.dc1.consul" });
}

static void tear_down(void)
{
	connected_stop(&world);
}

TestSuite(tunnel_certificate, .init = set_up, .fini = tear_down, .timeout = 60);

static void on_done(void *context, struct kube_tunnel_call *call)
{
	(void)call;
	*(bool *)context = true;
}

static bool is_done(void *context)
{
	return *(const bool *)context;
}

static char *certificate_of(struct kube_tunnel *tunnel, bool wants)
{
	struct kube_tunnel_call call = KUBE_TUNNEL_CALL_INIT;
	char *certificate;
	bool done = false;

	call.path = "/v1/agent/self";
	call.wants_certificate = wants;
	kube_tunnel_start(tunnel, &call, soon_ms(LONG_MS), on_done, &done);
	cr_assert_eq(loop_run(world.loop, is_done, &done, soon_ms(LONG_MS), &world.err), 0, "%s", world.err.message);
	cr_assert_eq(call.http_status, 200, "%s", call.err.message);
	certificate = TAKE(call.certificate);
	kube_tunnel_call_release(&call);
	return certificate;
}

/* Again and again, since no session is resumed; but only over a connection of its own. */
Test(tunnel_certificate, the_certificate_of_the_port_is_kept)
{
	struct kube_tunnel_options options = { .namespace_name = "ns", .pod = "consul-0", .port = 8501, .https = true };

	for (int i = 0; i < 2; i++) {
		struct kube_tunnel *tunnel = kube_tunnel_open(world.client, &options);
		_cleanup_free_ char *first = certificate_of(tunnel, true), *second = certificate_of(tunnel, true);

		cr_assert_not_null(first);
		cr_assert(str_starts_with(first, "-----BEGIN CERTIFICATE-----\n"), "%s", first);
		cr_assert_null(strstr(first + 1, "-----BEGIN"), "the leaf only: %s", first);
		cr_assert_null(second, "the connection was there");
		kube_tunnel_free(tunnel);
	}
}

Test(tunnel_certificate, a_certificate_that_nobody_wants_is_not_kept)
{
	struct kube_tunnel_options options = { .namespace_name = "ns", .pod = "consul-0", .port = 8501, .https = true };
	struct kube_tunnel *tunnel = kube_tunnel_open(world.client, &options);

	cr_assert_null(certificate_of(tunnel, false));
	kube_tunnel_free(tunnel);
	options.https = false;
	options.port = 8500;
	tunnel = kube_tunnel_open(world.client, &options);
	cr_assert_null(certificate_of(tunnel, true));
	kube_tunnel_free(tunnel);
}
