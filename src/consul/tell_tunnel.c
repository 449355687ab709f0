/* See include/consul/tell_way.h: orders through the agent's HTTP API in a tunnel. */
#include "consul/tell_way.h"

#include <inttypes.h>
#include <string.h>

#include "consul/ask_way.h"
#include "kube/tunnel.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/*
 * Asked before an order is given: a tunnel that leads nowhere has done nothing then, for sure. Every agent answers it
 * at once, with a leader or without, whatever the token.
 */
#define KNOCK_PATH "/v1/status/leader"

/* One tunnel, and the request in it. */
struct session {
	struct tell_try *attempt;
	struct kube_tunnel *tunnel;
	struct kube_tunnel_call call;
	struct buf path;
	char *body;
	bool done;
};

static void session_open(struct session *session, struct tell_try *attempt)
{
	const struct server *server = attempt->server;
	struct ask_endpoint endpoint = ask_endpoint_of(server->container);
	struct kube_tunnel_options options = { .namespace_name = server->pod.namespace_name,
		                               .pod = server->pod.name,
		                               .port = endpoint.port,
		                               .https = endpoint.https,
		                               .token = attempt->token };

	*session = (struct session){ .attempt = attempt, .call = KUBE_TUNNEL_CALL_INIT, .path = BUF_TEXT };
	session->tunnel = kube_tunnel_open(attempt->client, &options);
}

static void session_close(struct session *session)
{
	kube_tunnel_free(session->tunnel);
	kube_tunnel_call_release(&session->call);
	buf_release(&session->path);
	free(session->body);
}

static bool is_done(void *context)
{
	return ((const struct session *)context)->done;
}

static void on_done(void *context, struct kube_tunnel_call *call)
{
	(void)call;
	((struct session *)context)->done = true;
}

/* Sends session->path and body; what was answered is in session->call. Fails when there was no whole answer. */
static int request(struct session *session, enum kube_method method, struct err *err)
{
	struct tell_try *attempt = session->attempt;

	kube_tunnel_call_release(&session->call);
	session->call = (struct kube_tunnel_call)KUBE_TUNNEL_CALL_INIT;
	session->call.method = method;
	session->call.path = buf_text(&session->path);
	session->call.body = session->body;
	session->done = false;
	kube_tunnel_start(session->tunnel, &session->call, attempt->deadline_ms, on_done, session);
	/* The request ends by itself at the deadline. */
	if (loop_run(kube_client_loop(attempt->client), is_done, session, CLOCK_NEVER, err) < 0)
		return -1;
	if (session->call.err.kind == ERR_NOT_FOUND) /* the pod: no word of Consul's */
		session->call.err.kind = ERR_UNREACHABLE;
	return err_move(err, &session->call.err);
}

static char *answer_words(const struct session *session)
{
	return tell_words(buf_text(&session->call.body_out), session->call.body_out.len);
}

/* ----------------------------------------------------------------------------------------- before it */

static void set_path(struct session *session)
{
	const struct tell_row *row = session->attempt->row;

	buf_clear(&session->path);
	buf_adds(&session->path, row->path);
	if (!row->before || !*session->attempt->argument)
		return;
	buf_adds(&session->path, row->before);
	buf_add_url(&session->path, session->attempt->argument);
	buf_adds(&session->path, row->after ? row->after : "");
}

static int knock(struct session *session, struct err *err)
{
	struct tell_try *attempt = session->attempt;
	const char *name = attempt->server->name;

	buf_clear(&session->path);
	buf_adds(&session->path, KNOCK_PATH);
	if (request(session, KUBE_GET, err) < 0)
		return tell_not_sent(attempt, err);
	if (session->call.http_status != 200 || *buf_text(&session->call.body_out) != '"') {
		_cleanup_free_ char *words = answer_words(session), *shown = str_visible(words, TELL_SHOWN_BYTES);

		err_set(err, ERR_UNREACHABLE, "Consul on %s answers %s with %ld: %s", name, KNOCK_PATH,
		        session->call.http_status, shown);
		return tell_not_sent(attempt, err);
	}
	if (clock_left_ms(attempt->deadline_ms, clock_monotonic_ms()) < TELL_SEND_MS) {
		err_set(err, ERR_TIMEOUT, "pod %s: reaching Consul took all the time there was", name);
		return tell_not_sent(attempt, err);
	}
	return 0;
}

/* Sets the body to the changed settings, and adds what they were to the path. False: there is nothing to change. */
static int edit(struct session *session, bool *ret_changes, struct err *err)
{
	struct tell_try *attempt = session->attempt;
	int64_t index;

	if (request(session, KUBE_GET, err) < 0)
		return tell_not_sent(attempt, err);
	if (session->call.http_status != 200) {
		_cleanup_free_ char *words = answer_words(session);

		return tell_refused(attempt, session->call.http_status, words, err);
	}
	if (attempt->row->edit(buf_text(&session->call.body_out), session->call.body_out.len, attempt->argument,
	                       &session->body, &index, err) < 0)
		return err->kind == ERR_NOT_FOUND ? err_wrap(err, "Consul on %s", attempt->server->name)
		                                  : err_wrap(err, "%s %s", attempt->server->name, attempt->row->path);
	*ret_changes = session->body != NULL;
	buf_addf(&session->path, "?cas=%" PRId64, index);
	return 0;
}

/* ------------------------------------------------------------------------------------------- the order */

static int give(struct session *session, struct err *err)
{
	struct tell_try *attempt = session->attempt;
	const struct tell_row *row = attempt->row;
	_cleanup_free_ char *words = NULL;
	bool changes = true;

	if (row->method != KUBE_GET && knock(session, err) < 0)
		return -1;
	set_path(session);
	if (row->edit && edit(session, &changes, err) < 0)
		return -1;
	if (!changes)
		return 0;
	if (request(session, row->method, err) < 0)
		return -1;
	words = answer_words(session);
	if (session->call.http_status != 200)
		return tell_refused(attempt, session->call.http_status, words, err);
	if (row->check && row->check(buf_text(&session->call.body_out), session->call.body_out.len, err) < 0) {
		_cleanup_free_ char *order = tell_order_text(attempt);

		return err_wrap(err, "Consul on %s, told to %s", attempt->server->name, order);
	}
	attempt->answer = session->call.body_out;
	session->call.body_out = (struct buf)BUF_INIT(KUBE_TUNNEL_BODY_MAX);
	return 0;
}

int tell_by_tunnel(struct tell_try *attempt, struct err *err)
{
	struct session session;
	int status;

	session_open(&session, attempt);
	status = give(&session, err);
	session_close(&session);
	return status;
}
