/* See include/consul/deploy_lone.h. */
#include "consul/deploy_lone.h"

#include <stdlib.h>

#include "consul/ask_way.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#define SHOWN_BYTES 200 /* how much of an answer an err quotes */

/* ------------------------------------------------------------------------------------------ the decision */

static bool runs(const struct server *server)
{
	return server->has_pod && !server->pod.deleting && (!server->container || server->container->running);
}

static bool is_ours(const struct snapshot *snapshot, const char *ip)
{
	for (size_t i = 0; i < snapshot->server_count; i++)
		if (ip && str_equal(snapshot->servers[i].pod.ip, ip))
			return true;
	return false;
}

static bool has_strangers(const struct snapshot *snapshot, const struct view *view)
{
	for (size_t i = 0; i < view->member_count; i++) {
		const struct member *member = &view->members[i];

		if (member->is_server && member->status == MEMBER_ALIVE && !is_ours(snapshot, member->address))
			return true;
	}
	return false;
}

static bool is_blank(const struct snapshot *snapshot, const struct server *server)
{
	const struct view *view = &server->view;

	return server->container && server->pod.ip && server->pod.uid && view->members_known &&
	       view->member_count > 0 && view->peers_known && view->peer_count == 0 && view->self_known &&
	       str_is_empty(view->self.leader_address) && view->self.role != RAFT_LEADER &&
	       view->self.last_log_index == 0 && view->self.commit_index == 0 && !has_strangers(snapshot, view);
}

static bool share_a_member(const struct view *a, const struct view *b)
{
	for (size_t i = 0; i < a->member_count; i++)
		if (view_member_by_name(b, a->members[i].name) || view_member_by_address(b, a->members[i].address))
			return true;
	return false;
}

void deploy_lone(const struct snapshot *snapshot, struct deploy_lone *ret_lone)
{
	for (size_t i = 0; i < snapshot->server_count; i++)
		if (runs(&snapshot->servers[i]) && !is_blank(snapshot, &snapshot->servers[i]))
			return;
	ret_lone->servers = xcalloc(snapshot->server_count + 1, sizeof(const struct server *));
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *server = &snapshot->servers[i];

		if (!runs(server))
			continue;
		if (!ret_lone->target)
			ret_lone->target = server;
		else if (!share_a_member(&server->view, &ret_lone->target->view))
			ret_lone->servers[ret_lone->count++] = server;
	}
}

void deploy_lone_release(struct deploy_lone *lone)
{
	free(lone->servers);
	*lone = (struct deploy_lone)DEPLOY_LONE_INIT;
}

char *deploy_lone_key(const struct deploy_lone *lone)
{
	struct buf key = BUF_TEXT;

	if (lone->count == 0)
		return NULL;
	buf_adds(&key, lone->target->pod.uid);
	for (size_t i = 0; i < lone->count; i++)
		buf_addf(&key, " %s", lone->servers[i]->pod.uid);
	return buf_detach(&key);
}

/* --------------------------------------------------------------------------------------------- the edge */

static bool is_done(void *context)
{
	return *(const bool *)context;
}

static void on_done(void *context, struct kube_tunnel_call *call)
{
	(void)call;
	*(bool *)context = true;
}

static int refused(const struct buf *words, struct err *err)
{
	_cleanup_free_ char *text = xstrndup(buf_text(words), words->len), *shown = NULL;

	text[strcspn(text, "\r\n")] = '\0';
	shown = str_visible(text, SHOWN_BYTES);
	return err_set(err, ERR_FAILED, "Consul refuses to join: %s", *shown ? shown : "it does not say why");
}

static int join_by_tunnel(struct kube_client *client, const struct server *server, const char *ip, int64_t deadline_ms,
                          struct err *err)
{
	struct ask_endpoint endpoint = ask_endpoint_of(server->container);
	struct kube_tunnel_options options = { .namespace_name = server->pod.namespace_name,
		                               .pod = server->pod.name,
		                               .port = endpoint.port,
		                               .https = endpoint.https };
	struct kube_tunnel_call call = KUBE_TUNNEL_CALL_INIT;
	struct kube_tunnel *tunnel = kube_tunnel_open(client, &options);
	_cleanup_buf_ struct buf path = BUF_TEXT;
	bool done = false;
	int status;

	buf_adds(&path, "/v1/agent/join/");
	buf_add_url(&path, ip);
	call.method = KUBE_PUT;
	call.path = buf_text(&path);
	kube_tunnel_start(tunnel, &call, deadline_ms, on_done, &done);
	status = loop_run(kube_client_loop(client), is_done, &done, CLOCK_NEVER, err);
	kube_tunnel_free(tunnel);
	if (status == 0)
		status = err_move(err, &call.err);
	if (status == 0 && call.http_status != 200)
		status = refused(&call.body_out, err);
	kube_tunnel_call_release(&call);
	return status;
}

static int join_by_exec(struct kube_client *client, const struct server *server, const char *ip, int64_t deadline_ms,
                        struct err *err)
{
	const char *const argv[] = { "consul", "join", ip, NULL };
	struct kube_exec exec = KUBE_EXEC_INIT;
	int status;

	exec.namespace_name = server->pod.namespace_name;
	exec.pod = server->pod.name;
	exec.container = server->container->name;
	exec.argv = argv;
	status = kube_exec_perform(client, &exec, 1, deadline_ms, err);
	if (status == 0)
		status = err_move(err, &exec.err);
	if (status == 0 && exec.exit_code != 0)
		status = refused(exec.error_output.len > 0 ? &exec.error_output : &exec.output, err);
	kube_exec_release(&exec);
	return status;
}

int deploy_join(struct kube_client *client, const struct server *server, const struct server *target,
                int64_t deadline_ms, struct err *err)
{
	if (server->view.way == ASK_EXEC)
		return join_by_exec(client, server, target->pod.ip, deadline_ms, err);
	return join_by_tunnel(client, server, target->pod.ip, deadline_ms, err);
}
