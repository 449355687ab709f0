/* See include/consul/deploy_lone.h. */
#include "consul/deploy_lone.h"

#include <stdlib.h>

#include "consul/tell.h"
#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

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

int deploy_join(struct kube_client *client, const struct server *server, const struct server *target,
                const struct access *access, int64_t deadline_ms, struct err *err)
{
	const struct tell order = { .kind = TELL_JOIN, .argument = target->pod.ip };
	struct access as_asked = access ? *access : (struct access)ACCESS_INIT; /* borrows its tokens */

	as_asked.via = server->view.way;
	return tell(client, server, &order, &as_asked, deadline_ms, err);
}
