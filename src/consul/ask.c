/* See include/consul/ask.h: which way each server is asked, and when the other is tried. */
#include "consul/ask.h"

#include <assert.h>
#include <string.h>

#include "consul/ask_way.h"
#include "consul/decode.h"
#include "util/mem.h"
#include "util/str.h"

#define SHOWN_BYTES 200 /* how much of an agent's error an err quotes */
#define REFUSAL     "Consul refuses "

/* The raft configuration before self, which need not tell the peers then. */
const struct ask_question ask_questions[ASK_QUESTIONS] = {
	{
	    .name = "members",
	    .path = "/v1/agent/members",
	    .command = { "consul", "members", "-detailed" },
	    .decode_json = decode_members_json,
	    .decode_text = decode_members_text,
	    .err_offset = offsetof(struct view, members_err),
	    .known_offset = offsetof(struct view, members_known),
	},
	{
	    .name = "raft",
	    .path = "/v1/operator/raft/configuration?stale",
	    .command = { "consul", "operator", "raft", "list-peers", "-stale=true" },
	    .decode_json = decode_raft_json,
	    .decode_text = decode_raft_text,
	    .needs_leader = true,
	    .err_offset = offsetof(struct view, peers_err),
	    .known_offset = offsetof(struct view, peers_known),
	},
	{
	    .name = "self",
	    .path = "/v1/agent/self",
	    .command = { "consul", "info" },
	    .decode_json = decode_self_json,
	    .decode_text = decode_info_text,
	    .err_offset = offsetof(struct view, self_err),
	    .known_offset = offsetof(struct view, self_known),
	},
};

struct err *ask_question_err(const struct ask_question *question, struct view *view)
{
	return (struct err *)(void *)((char *)view + question->err_offset);
}

bool ask_question_is_known(const struct ask_question *question, const struct view *view)
{
	return *(const bool *)((const char *)view + question->known_offset);
}

bool ask_knows_no_leader(const struct view *view)
{
	return view->self_known && !view->self.leader_address && view->peers_known;
}

void ask_take_http(const struct ask_question *question, long http_status, const char *body, size_t length,
                   struct view *view)
{
	struct err *err = ask_question_err(question, view);
	_cleanup_free_ char *text = NULL, *shown = NULL;

	if (http_status == 200) {
		if (question->decode_json(body, length, view, err) < 0)
			err_wrap(err, "%s", question->path);
		return;
	}
	text = xstrndup(body, length);
	text[strcspn(text, "\r\n")] = '\0';
	shown = str_visible(text, SHOWN_BYTES);
	if (http_status == 403)
		err_set(err, ERR_FORBIDDEN, REFUSAL "%s: %s", question->path, *shown ? shown : "403");
	else
		err_set(err, ERR_UNAVAILABLE, "Consul answers %s with %ld: %s", question->path, http_status, shown);
}

static bool has_port(const struct kube_container *container, int64_t number)
{
	for (size_t i = 0; i < container->port_count; i++)
		if (container->ports[i].number == number)
			return true;
	return false;
}

struct ask_endpoint ask_endpoint_of(const struct kube_container *container)
{
	struct ask_endpoint endpoint = { .port = 8500 };
	const char *address = kube_container_env(container, "CONSUL_HTTP_ADDR");
	const char *ssl = kube_container_env(container, "CONSUL_HTTP_SSL");
	int64_t number;

	if (address) {
		const char *colon = strrchr(address, ':');

		endpoint.https = str_starts_with(address, "https://") || str_equal(ssl, "true");
		if (endpoint.https)
			endpoint.port = 8501;
		if (colon && str_to_int64(colon + 1, &number) == 0 && number > 0 && number < 65536)
			endpoint.port = (uint16_t)number;
	} else if (has_port(container, 8501) && !has_port(container, 8500)) {
		endpoint = (struct ask_endpoint){ .port = 8501, .https = true };
	}
	return endpoint;
}

struct ask_endpoint ask_certificate_endpoint_of(const struct kube_container *container)
{
	struct ask_endpoint endpoint = ask_endpoint_of(container);

	if (!endpoint.https && has_port(container, 8501))
		endpoint = (struct ask_endpoint){ .port = 8501, .https = true };
	return endpoint;
}

void ask_share(const struct ask_target *target)
{
	struct view **first = target->first;

	if (!*first && target->view->members_known)
		*first = target->view;
	else if (*first)
		view_share(target->view, *first);
}

/* ---------------------------------------------------------------------------- one server being asked */

struct asking {
	struct round *round;
	struct ask_target *target;
	struct ask_tunnel *tunnel;
	struct ask_exec *exec;
	struct view tunnel_view; /* what the tunnel gave, while exec is tried */
	bool done;
};

struct round {
	struct kube_client *client;
	enum ask_way via;
	const char *token;
	int64_t deadline_ms;
	struct asking *askings;
	size_t count;
	size_t left;
	struct view *first; /* see ask_share */
};

static void finish(struct asking *asking)
{
	struct round *round = asking->round;

	assert(!asking->done);
	asking->done = true;
	round->left--;
	ask_share(asking->target);
}

static bool answered_nothing(const struct view *view)
{
	return !view->members_known && !view->self_known && !view->peers_known;
}

static bool is_refused_by_consul(const struct view *view)
{
	return view->self_err.kind == ERR_FORBIDDEN && str_starts_with(view->self_err.message, REFUSAL);
}

/*
 * Time-outs are not tried again the other way: there is no time left, and the same pod hangs. Consul's refusal of a
 * token is the same by any way; without one of ours the container may have its own.
 */
static bool exec_may_do_better(const struct view *view, const char *token)
{
	if (!answered_nothing(view) || (token && is_refused_by_consul(view)))
		return false;
	return view->self_err.kind != ERR_TIMEOUT && view->self_err.kind != ERR_NOT_FOUND &&
	       view->self_err.kind != ERR_INTERRUPTED;
}

/* Both ways failed: one err that tells both, of the kind they share, else of the tunnel's. */
static void join_errors(struct view *view, struct view *tunnel_view)
{
	for (size_t i = 0; i < ASK_QUESTIONS; i++) {
		struct err *err = ask_question_err(&ask_questions[i], view);
		struct err *tunnel_err = ask_question_err(&ask_questions[i], tunnel_view);

		if (!err_is_set(err) || !err_is_set(tunnel_err) || str_equal(err->message, tunnel_err->message))
			continue;
		replace_string(&err->message,
		               xasprintf("by tunnel: %s; by exec: %s", tunnel_err->message, err->message));
		err->kind = tunnel_err->kind;
		if (!err->hint)
			err->hint = TAKE(tunnel_err->hint);
	}
}

static void on_exec_done(void *context)
{
	struct asking *asking = context;

	if (answered_nothing(asking->target->view))
		join_errors(asking->target->view, &asking->tunnel_view);
	finish(asking);
}

static void start_exec(struct asking *asking)
{
	asking->target->view->way = ASK_EXEC;
	asking->exec = ask_exec_start(asking->round->client, asking->target, asking->round->token,
	                              asking->round->deadline_ms, on_exec_done, asking);
}

static void on_tunnel_done(void *context)
{
	struct asking *asking = context;
	struct view *view = asking->target->view;

	if (asking->round->via == ASK_NONE && exec_may_do_better(view, asking->round->token)) {
		asking->tunnel_view = *view;
		*view = (struct view)VIEW_INIT;
		start_exec(asking);
		return;
	}
	finish(asking);
}

static void start(struct asking *asking)
{
	if (asking->round->via == ASK_EXEC) {
		start_exec(asking);
		return;
	}
	asking->target->view->way = ASK_TUNNEL;
	asking->tunnel = ask_tunnel_start(asking->round->client, asking->target, asking->round->token,
	                                  asking->round->deadline_ms, on_tunnel_done, asking);
}

static bool all_done(void *context)
{
	const struct round *round = context;

	return round->left == 0;
}

/* Whoever was cut off by an interrupt has no answer; nobody may read its absence as one. */
static void mark_unasked(struct view *view, const struct err *reason)
{
	for (size_t i = 0; i < ASK_QUESTIONS; i++) {
		struct err *err = ask_question_err(&ask_questions[i], view);

		if (!err_is_set(err))
			err_copy(err, reason);
	}
}

static int ask_round(struct kube_client *client, struct ask_target *targets, size_t count, const struct access *access,
                     const char *token, int64_t deadline_ms, struct err *err)
{
	struct round round = {
		.client = client,
		.via = access_via(access),
		.token = token,
		.deadline_ms = deadline_ms,
		.count = count,
		.left = count,
	};
	int status;

	round.askings = xcalloc(count, sizeof(*round.askings));
	for (size_t i = 0; i < count; i++) {
		round.askings[i].round = &round;
		round.askings[i].target = &targets[i];
		targets[i].first = &round.first;
		start(&round.askings[i]);
	}
	/* Every way ends by itself at the deadline, so only an interrupt can make this fail. */
	status = loop_run(kube_client_loop(client), all_done, &round, INT64_MAX, err);
	for (size_t i = 0; i < count; i++) {
		ask_tunnel_free(round.askings[i].tunnel);
		ask_exec_free(round.askings[i].exec);
		view_release(&round.askings[i].tunnel_view);
		if (status < 0 && !round.askings[i].done)
			mark_unasked(targets[i].view, err);
	}
	free(round.askings);
	return status;
}

/* --------------------------------------------------------------- a token that a server does not know (yet) */

static bool token_is_unknown(struct view *view)
{
	return answered_nothing(view) && view->self_err.kind == ERR_FORBIDDEN &&
	       access_is_unknown_token(view->self_err.message);
}

/*
 * What is said the second time replaces what view had, unless it is no more than that. The recovery token may not ask
 * for the raft configuration, but self tells the peers then: why it was shown at all is the better reason.
 */
static void take_second(struct view *view, struct view *second)
{
	struct view worse;

	if (answered_nothing(second)) {
		view_release(second);
		return;
	}
	if (second->peers_source == PEERS_SELF) {
		err_release(&second->peers_err);
		err_move(&second->peers_err, &view->self_err);
	}
	worse = *view;
	*view = *second;
	view_release(&worse);
}

/* Who does not know the token is asked again with another one; NULL: without. */
static int ask_again(struct kube_client *client, struct ask_target *targets, size_t count, const struct access *access,
                     const char *token, int64_t deadline_ms, struct err *err)
{
	struct ask_target *again = xcalloc(count, sizeof(*again));
	struct view *views = xcalloc(count, sizeof(*views));
	size_t again_count = 0;
	int status;

	for (size_t i = 0; i < count; i++) {
		if (!token_is_unknown(targets[i].view))
			continue;
		again[again_count] = targets[i];
		views[again_count] = (struct view)VIEW_INIT;
		again[again_count].view = &views[again_count];
		again_count++;
	}
	status = again_count > 0 ? ask_round(client, again, again_count, access, token, deadline_ms, err) : 0;
	for (size_t i = 0, done = 0; i < count && done < again_count; i++)
		if (targets[i].pod == again[done].pod)
			take_second(targets[i].view, &views[done++]);
	free(views);
	free(again);
	return status;
}

/*
 * The Secret's token is there before Consul knows it (consul/acl.h), and Consul refuses everything to one that it does
 * not know, even where nobody needs a token; and a server that has no leader since it started knows none but its
 * recovery token, which may everything that is asked here but the raft configuration.
 */
int ask_views(struct kube_client *client, struct ask_target *targets, size_t count, const struct access *access,
              int64_t deadline_ms, struct err *err)
{
	const char *token = access_token(access), *recovery = access_recovery(access);

	if (ask_round(client, targets, count, access, token, deadline_ms, err) < 0)
		return -1;
	if (!token || access->given)
		return 0;
	if (recovery && ask_again(client, targets, count, access, recovery, deadline_ms, err) < 0)
		return -1;
	return ask_again(client, targets, count, access, NULL, deadline_ms, err);
}
