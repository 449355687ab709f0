/* See include/consul/tell.h: the orders, which way each goes, and when the other is tried. */
#include "consul/tell.h"

#include <string.h>

#include "consul/tell_way.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#define AUTOPILOT_PATH "/v1/operator/autopilot/configuration"
#define PEER_PATH      "/v1/operator/raft/peer"

static const struct tell_row rows[] = {
	[TELL_JOIN] = {
	    .what = "join",
	    .right = "agent:write",
	    .method = KUBE_PUT,
	    .path = "/v1/agent/join",
	    .before = "/",
	    .command = { "consul", "join" },
	    .flag = "",
	},
	[TELL_LEAVE] = {
	    .what = "leave",
	    .right = "agent:write",
	    .method = KUBE_PUT,
	    .path = "/v1/agent/leave",
	    .command = { "consul", "leave" },
	},
	[TELL_FORCE_LEAVE] = {
	    .what = "force-leave",
	    .right = "operator:write",
	    .method = KUBE_PUT,
	    .path = "/v1/agent/force-leave",
	    .before = "/",
	    .command = { "consul", "force-leave" },
	    .flag = "",
	},
	[TELL_PRUNE] = {
	    .what = "force-leave and prune",
	    .right = "operator:write",
	    .method = KUBE_PUT,
	    .path = "/v1/agent/force-leave",
	    .before = "/",
	    .after = "?prune",
	    .command = { "consul", "force-leave", "-prune" },
	    .flag = "",
	},
	[TELL_REMOVE_PEER_ID] = {
	    .what = "remove the raft peer with the id",
	    .right = "operator:write",
	    .method = KUBE_DELETE,
	    .path = PEER_PATH,
	    .before = "?id=",
	    .command = { "consul", "operator", "raft", "remove-peer" },
	    .flag = "-id=",
	},
	[TELL_REMOVE_PEER_ADDRESS] = {
	    .what = "remove the raft peer with the address",
	    .right = "operator:write",
	    .method = KUBE_DELETE,
	    .path = PEER_PATH,
	    .before = "?address=",
	    .command = { "consul", "operator", "raft", "remove-peer" },
	    .flag = "-address=",
	},
	[TELL_TRANSFER_LEADER] = {
	    .what = "transfer leadership to",
	    .anybody = "another server",
	    .right = "operator:write",
	    .method = KUBE_POST,
	    .path = "/v1/operator/raft/transfer-leader",
	    .before = "?id=",
	    .command = { "consul", "operator", "raft", "transfer-leader" },
	    .flag = "-id=",
	    .check = tell_check_transferred,
	},
	[TELL_MIN_QUORUM] = {
	    .what = "set min_quorum to",
	    .right = "operator:write",
	    .method = KUBE_PUT,
	    .path = AUTOPILOT_PATH,
	    .command = { "consul", "operator", "autopilot", "set-config" },
	    .flag = "-min-quorum=",
	    .edit = tell_edit_min_quorum,
	    .check = tell_check_changed,
	},
};

/* No order, but asked by the same ways. */
static const struct tell_row get_autopilot = {
	.what = "show autopilot's settings",
	.right = "operator:read",
	.method = KUBE_GET,
	.path = AUTOPILOT_PATH,
	.command = { "consul", "operator", "autopilot", "get-config" },
};

/* ----------------------------------------------------------------------------------- what goes wrong */

char *tell_words(const char *text, size_t length)
{
	struct buf words = BUF_TEXT;
	bool gap = false;

	for (size_t i = 0; i < length && text[i]; i++) {
		if (strchr(" \t\r\n", text[i])) {
			gap = words.len > 0;
			continue;
		}
		if (gap)
			buf_addc(&words, ' ');
		buf_addc(&words, text[i]);
		gap = false;
	}
	return buf_detach(&words);
}

int tell_not_sent(struct tell_try *attempt, struct err *err)
{
	if (err->kind == ERR_INTERRUPTED)
		return -1;
	attempt->untouched = true;
	if (err->kind == ERR_TIMEOUT || err->kind == ERR_NOT_FOUND || err->kind == ERR_PROTOCOL)
		err->kind = ERR_UNREACHABLE;
	return -1;
}

char *tell_order_text(const struct tell_try *attempt)
{
	const struct tell_row *row = attempt->row;
	_cleanup_free_ char *shown = str_visible(attempt->argument, TELL_SHOWN_BYTES);
	const char *argument = *shown || !row->anybody ? shown : row->anybody;

	return xasprintf("%s%s%s", row->what, *argument ? " " : "", argument);
}

int tell_unknown(const struct tell_try *attempt, struct err *err)
{
	_cleanup_free_ char *order = tell_order_text(attempt);

	return err_set(err, ERR_NOT_FOUND, "Consul on %s does not know how to %s: its version has no such order",
	               attempt->server->name, order);
}

/* Consul's errors have no codes; its words have been the same from 0.8 to 1.18. The first that is found counts. */
static enum err_kind meaning_of(long http_status, const char *words)
{
	static const struct {
		const char *words;
		enum err_kind kind;
	} meanings[] = {
		{ "No node found with name", ERR_NOT_FOUND },
		{ "was not found in the Raft configuration", ERR_NOT_FOUND },
		{ "Permission denied", ERR_FORBIDDEN },
		{ "ACL not found", ERR_FORBIDDEN },
		{ "could not be atomically updated", ERR_CONFLICT },
		{ "No cluster leader", ERR_UNAVAILABLE },
		{ "not the leader", ERR_UNAVAILABLE },
		{ "leadership lost", ERR_UNAVAILABLE },
		{ "leadership transfer in progress", ERR_UNAVAILABLE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (strstr(words, meanings[i].words))
			return meanings[i].kind;
	if (http_status == 401 || http_status == 403)
		return ERR_FORBIDDEN;
	return http_status == 429 || http_status == 503 ? ERR_UNAVAILABLE : ERR_FAILED;
}

int tell_refused(struct tell_try *attempt, long http_status, const char *words, struct err *err)
{
	_cleanup_free_ char *order = tell_order_text(attempt), *shown = str_visible(words, TELL_SHOWN_BYTES);
	enum err_kind kind = meaning_of(http_status, words);
	const char *name = attempt->server->name;

	if (http_status == 404 && kind != ERR_NOT_FOUND)
		return tell_unknown(attempt, err);
	if (kind == ERR_FORBIDDEN) {
		attempt->untouched = true;
		return err_set(err, kind, "Consul on %s refuses to %s: %s (that takes %s)", name, order,
		               *shown ? shown : "permission denied", attempt->row->right);
	}
	return err_set(err, kind, "Consul on %s refuses to %s: %s", name, order,
	               *shown ? shown : "it does not say why");
}

/* ----------------------------------------------------------------------------------------- which way */

static int try_way(struct tell_try *attempt, enum ask_way way, struct err *err)
{
	int status;

	attempt->untouched = false;
	status = way == ASK_EXEC ? tell_by_exec(attempt, err) : tell_by_tunnel(attempt, err);
	/* A question changes nothing. Where there is no leader the other way would not find one. */
	if (status < 0 && attempt->row->method == KUBE_GET && err->kind != ERR_INTERRUPTED &&
	    err->kind != ERR_UNAVAILABLE)
		attempt->untouched = true;
	return status;
}

/* Neither way has done anything: one err that tells both, of the kind of the first, which was the better one. */
static int both_failed(enum ask_way first_way, struct err *first, struct err *second, struct err *err)
{
	const struct err *tunnel = first_way == ASK_TUNNEL ? first : second;
	const struct err *exec = first_way == ASK_TUNNEL ? second : first;

	if (!str_equal(first->message, second->message)) {
		char *message = xasprintf("by tunnel: %s; by exec: %s", tunnel->message, exec->message);

		replace_string(&first->message, message);
	}
	err_release(second);
	return err_move(err, first);
}

/* *ret_way is the one that came to the end. */
static int go(struct tell_try *attempt, enum ask_way via, enum ask_way *ret_way, struct err *err)
{
	enum ask_way way = via == ASK_NONE ? attempt->server->view.way : via;
	struct err first = ERR_INIT, second = ERR_INIT;

	if (way == ASK_NONE)
		way = ASK_TUNNEL;
	*ret_way = way;
	if (try_way(attempt, way, &first) == 0)
		return 0;
	if (via != ASK_NONE || !attempt->untouched ||
	    clock_left_ms(attempt->deadline_ms, clock_monotonic_ms()) < TELL_SEND_MS)
		return err_move(err, &first);
	*ret_way = way == ASK_EXEC ? ASK_TUNNEL : ASK_EXEC;
	if (try_way(attempt, *ret_way, &second) < 0 && attempt->untouched)
		return both_failed(way, &first, &second, err);
	err_release(&first);
	return err_move(err, &second);
}

int tell_check_server(const struct server *server, struct err *err)
{
	if (!server->has_pod)
		return err_set(err, ERR_UNREACHABLE, "%s has no pod", server->name);
	if (!server->container)
		return err_set(err, ERR_UNREACHABLE, "pod %s has no container that Consul is known to run in",
		               server->name);
	return 0;
}

/* Servers clean a path like "a/../b", and do something else then. The CLI does not escape what it puts there. */
static bool is_plain_path(const char *argument)
{
	_cleanup_strv_ struct strv parts = STRV_INIT;

	strv_split(&parts, argument, '/');
	for (size_t i = 0; i < parts.count; i++)
		if (!*parts.items[i] || str_equal(parts.items[i], ".") || str_equal(parts.items[i], ".."))
			return false;
	return true;
}

/* What is not right by any way. */
static int check_argument(const struct tell_row *row, const char *argument, struct err *err)
{
	int64_t number;

	if (row->edit && (str_to_int64(argument, &number) < 0 || number < 0))
		return err_set(err, ERR_INVALID, "cannot %s what is no number", row->what);
	if (row->flag && !row->anybody && !*argument)
		return err_set(err, ERR_INVALID, "cannot %s what has no name", row->what);
	if (str_equal(row->before, "/") && !is_plain_path(argument)) {
		_cleanup_free_ char *shown = str_visible(argument, TELL_SHOWN_BYTES);

		return err_set(err, ERR_INVALID, "cannot %s \"%s\": it would be another path of Consul's API",
		               row->what, shown);
	}
	return 0;
}

/*
 * The Secret's token is there before Consul knows it (consul/acl.h), and Consul refuses everything to one that it does
 * not know, even where nobody needs a token. With the recovery token a server joins and leaves.
 */
static int go_by_access(struct tell_try *attempt, const struct access *access, enum ask_way *ret_way, struct err *err)
{
	const char *const others[] = { access_recovery(access), NULL };
	int status = go(attempt, access_via(access), ret_way, err);

	if (status == 0 || !attempt->token || access->given || err->kind != ERR_FORBIDDEN ||
	    !access_is_unknown_token(err->message))
		return status;
	for (size_t i = others[0] ? 0 : 1; status < 0 && err->kind == ERR_FORBIDDEN && i < ARRAY_SIZE(others); i++) {
		err_release(err);
		attempt->token = others[i];
		status = go(attempt, access_via(access), ret_way, err);
	}
	return status;
}

int tell(struct kube_client *client, const struct server *server, const struct tell *order, const struct access *access,
         int64_t deadline_ms, struct err *err)
{
	const struct tell_row *row = &rows[order->kind];
	struct tell_try attempt = {
		.client = client,
		.server = server,
		.token = access_token(access),
		.row = row,
		.argument = row->flag ? order->argument : "",
		.deadline_ms = deadline_ms,
	};
	enum ask_way way;
	int status;

	if (tell_check_server(server, err) < 0 || check_argument(row, attempt.argument, err) < 0)
		return -1;
	status = go_by_access(&attempt, access, &way, err);
	buf_release(&attempt.answer);
	return status;
}

int tell_autopilot(struct kube_client *client, const struct server *server, const struct access *access,
                   int64_t deadline_ms, struct autopilot_state *ret_autopilot, struct err *err)
{
	struct tell_try attempt = {
		.client = client,
		.server = server,
		.token = access_token(access),
		.row = &get_autopilot,
		.argument = "",
		.deadline_ms = deadline_ms,
	};
	struct err failure = ERR_INIT;
	enum ask_way way;

	if (tell_check_server(server, &failure) == 0 && go_by_access(&attempt, access, &way, &failure) == 0) {
		const char *text = buf_text(&attempt.answer);
		int status = way == ASK_EXEC
		                 ? tell_decode_autopilot_text(text, attempt.answer.len, ret_autopilot, &failure)
		                 : tell_decode_autopilot_json(text, attempt.answer.len, ret_autopilot, &failure);

		if (status < 0)
			err_wrap(&failure, "%s: autopilot's settings", server->name);
	}
	buf_release(&attempt.answer);
	if (failure.kind == ERR_INTERRUPTED)
		return err_move(err, &failure);
	err_move(&ret_autopilot->err, &failure);
	return 0;
}
