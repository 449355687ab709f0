/* See include/consul/agent.h. */
#include "consul/agent.h"

#include "consul/ask_way.h"
#include "consul/tell_way.h"
#include "kube/tunnel.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/* What every agent answers at once, with a leader or without, whatever the token. */
#define ANY_PATH "/v1/status/leader"

void agent_call_release(struct agent_call *call)
{
	buf_release(&call->answer);
	*call = (struct agent_call)AGENT_CALL_INIT;
}

static bool is_done(void *context)
{
	return *(const bool *)context;
}

static void on_done(void *context, struct kube_tunnel_call *call)
{
	(void)call;
	*(bool *)context = true;
}

static int explain(const struct server *server, struct err *err)
{
	if (err->kind != ERR_FORBIDDEN)
		return -1;
	return err_hint(err,
	                "what is asked and answered is secret, and goes through a tunnel only: a Role must allow "
	                "\"create\" and \"get\" on \"pods/portforward\"; check: kubectl auth can-i create pods "
	                "--subresource=portforward -n %s",
	                server->pod.namespace_name);
}

/* Sends tunnel_call over a tunnel of its own, and blocks until it is done. */
static int perform(struct kube_client *client, const struct server *server, struct ask_endpoint endpoint,
                   const char *token, struct kube_tunnel_call *tunnel_call, int64_t deadline_ms, struct err *err)
{
	struct kube_tunnel_options options = {
		.namespace_name = server->pod.namespace_name,
		.pod = server->pod.name,
		.port = endpoint.port,
		.https = endpoint.https,
		.token = token,
	};
	struct kube_tunnel *tunnel = kube_tunnel_open(client, &options);
	bool done = false;
	int status;

	kube_tunnel_start(tunnel, tunnel_call, deadline_ms, on_done, &done);
	/* It ends by itself at the deadline. */
	status = loop_run(kube_client_loop(client), is_done, &done, CLOCK_NEVER, err);
	kube_tunnel_free(tunnel);
	if (status < 0 || err_move(err, &tunnel_call->err) < 0)
		return explain(server, err);
	return 0;
}

/* "": none is sent. */
static const char *token_of(const struct agent_call *call, const struct access *access)
{
	if (!call->token)
		return access_token(access);
	return *call->token ? call->token : NULL;
}

int agent_call(struct kube_client *client, const struct server *server, const struct access *access,
               struct agent_call *call, int64_t deadline_ms, struct err *err)
{
	struct kube_tunnel_call tunnel_call = KUBE_TUNNEL_CALL_INIT;
	int status;

	if (tell_check_server(server, err) < 0)
		return -1;
	tunnel_call.method = call->method;
	tunnel_call.path = call->path;
	tunnel_call.body = call->body;
	tunnel_call.body_out.secret = true;
	status = perform(client, server, ask_endpoint_of(server->container), token_of(call, access), &tunnel_call,
	                 deadline_ms, err);
	if (status == 0) {
		buf_release(&call->answer);
		call->http_status = tunnel_call.http_status;
		call->answer = tunnel_call.body_out;
		tunnel_call.body_out = (struct buf)BUF_INIT(KUBE_TUNNEL_BODY_MAX);
	}
	kube_tunnel_call_release(&tunnel_call);
	return status;
}

char *agent_words(const struct agent_call *call)
{
	_cleanup_free_ char *words = tell_words(buf_text(&call->answer), call->answer.len);

	return str_visible(words, TELL_SHOWN_BYTES);
}

int agent_certificate(struct kube_client *client, const struct server *server, int64_t deadline_ms, char **ret_pem,
                      struct err *err)
{
	struct kube_tunnel_call tunnel_call = KUBE_TUNNEL_CALL_INIT;
	struct ask_endpoint endpoint;
	int status;

	if (tell_check_server(server, err) < 0)
		return -1;
	endpoint = ask_certificate_endpoint_of(server->container);
	*ret_pem = NULL;
	if (!endpoint.https)
		return 0;
	tunnel_call.method = KUBE_GET;
	tunnel_call.path = ANY_PATH;
	tunnel_call.wants_certificate = true;
	status = perform(client, server, endpoint, NULL, &tunnel_call, deadline_ms, err);
	if (status == 0 && !tunnel_call.certificate)
		status = err_set(err, ERR_PROTOCOL, "pod %s: libcurl does not tell which certificate port %u presents",
		                 server->name, endpoint.port);
	if (status == 0)
		*ret_pem = TAKE(tunnel_call.certificate);
	kube_tunnel_call_release(&tunnel_call);
	return status;
}
