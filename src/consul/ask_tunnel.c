/* See include/consul/ask_way.h: the questions through the agent's HTTP API in a tunnel. */
#include "consul/ask_way.h"

#include "util/mem.h"

struct question_call {
	struct ask_tunnel *way;
	const struct ask_question *question;
	struct kube_tunnel_call call;
	bool answered;
};

struct ask_tunnel {
	const struct ask_target *target;
	struct kube_tunnel *tunnel;
	struct question_call calls[ASK_QUESTIONS];
	size_t left;
	ask_way_done *done;
	void *context;
};

/* Without a leader the rest is not waited for, if it is only what needs one. */
static void give_up_what_needs_a_leader(struct ask_tunnel *way)
{
	struct view *view = way->target->view;

	if (!ask_knows_no_leader(view))
		return;
	for (size_t i = 0; i < ASK_QUESTIONS; i++)
		if (!way->calls[i].answered && !way->calls[i].question->needs_leader)
			return;
	for (size_t i = 0; i < ASK_QUESTIONS; i++)
		if (!way->calls[i].answered)
			err_set(ask_question_err(way->calls[i].question, view), ERR_UNAVAILABLE,
			        "Consul does not answer %s without a leader", way->calls[i].question->path);
	way->left = 0;
}

/* All connections to one server show the same; one that cannot be read is not known. */
static void take_certificate(struct view *view, const char *pem)
{
	_cleanup_err_ struct err unreadable = ERR_INIT;

	if (pem && !view->certificate.known && certificate_read(pem, &view->certificate, &unreadable) < 0)
		certificate_release(&view->certificate);
}

/* One plane's outcome. The planes are independent: what answered stays known though another did not. */
static void on_answer(void *context, struct kube_tunnel_call *call)
{
	struct question_call *asked = context;
	struct ask_tunnel *way = asked->way;
	struct view *view = way->target->view;

	if (err_is_set(&call->err))
		err_move(ask_question_err(asked->question, view), &call->err);
	else
		ask_take_http(asked->question, call->http_status, buf_text(&call->body_out), call->body_out.len, view);
	take_certificate(view, call->certificate);
	kube_tunnel_call_release(call);
	ask_share(way->target);
	asked->answered = true;
	way->left--;
	if (way->left > 0)
		give_up_what_needs_a_leader(way);
	if (way->left > 0)
		return;
	kube_tunnel_free(TAKE(way->tunnel)); /* its connection is not kept until the last server has answered */
	way->done(way->context);
}

struct ask_tunnel *ask_tunnel_start(struct kube_client *client, const struct ask_target *target, const char *token,
                                    int64_t deadline_ms, ask_way_done *done, void *context)
{
	struct ask_endpoint endpoint = ask_endpoint_of(target->container);
	/* Nothing is verified inside the tunnel: it ends at the pod's own loopback (kube/tunnel.h). */
	struct kube_tunnel_options options = {
		.namespace_name = target->pod->namespace_name,
		.pod = target->pod->name,
		.port = endpoint.port,
		.https = endpoint.https,
		.token = token,
	};
	struct ask_tunnel *way = xcalloc(1, sizeof(*way));

	way->target = target;
	way->left = ASK_QUESTIONS;
	way->done = done;
	way->context = context;
	way->tunnel = kube_tunnel_open(client, &options);
	for (size_t i = 0; i < ASK_QUESTIONS; i++) {
		struct question_call *asked = &way->calls[i];

		*asked =
		    (struct question_call){ .way = way, .question = &ask_questions[i], .call = KUBE_TUNNEL_CALL_INIT };
		asked->call.method = KUBE_GET;
		asked->call.path = ask_questions[i].path;
		asked->call.wants_certificate = endpoint.https;
		kube_tunnel_start(way->tunnel, &asked->call, deadline_ms, on_answer, asked);
	}
	return way;
}

void ask_tunnel_free(struct ask_tunnel *way)
{
	if (!way)
		return;
	kube_tunnel_free(way->tunnel);
	for (size_t i = 0; i < ASK_QUESTIONS; i++)
		kube_tunnel_call_release(&way->calls[i].call);
	free(way);
}
