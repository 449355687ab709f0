/* See include/consul/ask_way.h: the questions through the agent's HTTP API in a tunnel. */
#include "consul/ask_way.h"

#include "util/clock.h"
#include "util/loop.h"
#include "util/mem.h"

/*
 * How long an answer that needs a leader is waited for when all else is known: a server that has not noticed yet that
 * its leader is gone holds such a question for some 7 s, and names that leader all the while.
 */
#define HELD_MS ((int64_t)2000)

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
	struct loop_timer *held; /* set once only what needs a leader is missing */
	ask_way_done *done;
	void *context;
};

static bool is_told_the_token_is_unknown(const struct view *view)
{
	return view->self_err.kind == ERR_FORBIDDEN && access_is_unknown_token(view->self_err.message);
}

static bool lacks_only_what_needs_a_leader(const struct ask_tunnel *way)
{
	for (size_t i = 0; i < ASK_QUESTIONS; i++)
		if (!way->calls[i].answered && !way->calls[i].question->needs_leader)
			return false;
	return true;
}

/* What the server says of itself has to do for what it has not answered. */
static void give_up_the_rest(struct ask_tunnel *way, const char *why)
{
	for (size_t i = 0; i < ASK_QUESTIONS; i++)
		if (!way->calls[i].answered)
			err_set(ask_question_err(way->calls[i].question, way->target->view), ERR_UNAVAILABLE,
			        "Consul does not answer %s %s", way->calls[i].question->path, why);
	way->left = 0;
}

static void wait_for_the_rest(struct ask_tunnel *way)
{
	const struct view *view = way->target->view;

	if (!lacks_only_what_needs_a_leader(way))
		return;
	if (ask_knows_no_leader(view))
		give_up_the_rest(way, "without a leader");
	else if (is_told_the_token_is_unknown(view))
		give_up_the_rest(way, "to a token that it does not know");
	else if ((view->self_known && view->peers_known) || view->self_err.kind == ERR_FORBIDDEN)
		loop_timer_set(way->held, clock_monotonic_ms() + HELD_MS);
}

static void finish(struct ask_tunnel *way)
{
	kube_tunnel_free(TAKE(way->tunnel)); /* its connection is not kept until the last server has answered */
	loop_timer_free(TAKE(way->held));
	way->done(way->context);
}

static void on_held(void *context)
{
	struct ask_tunnel *way = context;

	give_up_the_rest(way, "within 2 s");
	finish(way);
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
		wait_for_the_rest(way);
	if (way->left == 0)
		finish(way);
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
	way->held = loop_timer_new(kube_client_loop(client), on_held, way);
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
	loop_timer_free(way->held);
	for (size_t i = 0; i < ASK_QUESTIONS; i++)
		kube_tunnel_call_release(&way->calls[i].call);
	free(way);
}
