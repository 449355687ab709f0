/* See include/consul/view.h. */
#include "consul/view.h"

#include <stdlib.h>
#include <string.h>

#include "consul/value.h"
#include "util/mem.h"
#include "util/str.h"

void member_release(struct member *member)
{
	free(member->name);
	free(member->address);
	free(member->id);
	free(member->version);
	free(member->datacenter);
	*member = (struct member){ 0 };
}

void peer_release(struct peer *peer)
{
	free(peer->name);
	free(peer->id);
	free(peer->address);
	*peer = (struct peer){ 0 };
}

void self_release(struct self *self)
{
	free(self->name);
	free(self->id);
	free(self->datacenter);
	free(self->version);
	free(self->leader_address);
	free(self->data_dir);
	*self = (struct self)SELF_INIT;
}

/* True when the list was another view's as well and stays with it. *shared is NULL afterwards. */
static bool leave_shared(size_t **shared)
{
	size_t *count = TAKE(*shared);

	if (!count)
		return false;
	if (--*count > 0)
		return true;
	free(count);
	return false;
}

void view_clear_members(struct view *view)
{
	if (!leave_shared(&view->members_shared)) {
		for (size_t i = 0; i < view->member_count; i++)
			member_release(&view->members[i]);
		free(view->members);
	}
	view->members = NULL;
	view->member_count = 0;
	view->members_known = false;
}

void view_clear_peers(struct view *view)
{
	if (!leave_shared(&view->peers_shared)) {
		for (size_t i = 0; i < view->peer_count; i++)
			peer_release(&view->peers[i]);
		free(view->peers);
	}
	view->peers = NULL;
	view->peer_count = 0;
	view->peers_known = false;
	view->peers_source = PEERS_NONE;
}

void view_move_peers(struct view *view, struct view *from, enum peers_source source)
{
	view_clear_peers(view);
	view->peers = TAKE(from->peers);
	view->peers_shared = TAKE(from->peers_shared);
	view->peer_count = from->peer_count;
	view->peers_known = true;
	view->peers_source = source;
	from->peer_count = 0;
}

static int compare_members(const void *a, const void *b)
{
	const struct member *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	return order ? order : strcmp(left->address, right->address);
}

static void sort_members(struct view *view)
{
	for (size_t i = 1; i < view->member_count; i++) {
		if (compare_members(&view->members[i - 1], &view->members[i]) > 0) {
			qsort(view->members, view->member_count, sizeof(*view->members), compare_members);
			return;
		}
	}
}

static bool same_member(const struct member *a, const struct member *b)
{
	return str_equal(a->name, b->name) && str_equal(a->address, b->address) && a->port == b->port &&
	       a->status == b->status && a->is_server == b->is_server && str_equal(a->id, b->id) &&
	       str_equal(a->version, b->version) && str_equal(a->datacenter, b->datacenter) &&
	       a->protocol == b->protocol && a->expect == b->expect;
}

static bool same_members(const struct view *a, const struct view *b)
{
	if (a->member_count != b->member_count)
		return false;
	for (size_t i = 0; i < a->member_count; i++)
		if (!same_member(&a->members[i], &b->members[i]))
			return false;
	return true;
}

static bool same_peers(const struct view *a, const struct view *b)
{
	if (a->peer_count != b->peer_count || a->peers_source != b->peers_source)
		return false;
	for (size_t i = 0; i < a->peer_count; i++) {
		const struct peer *left = &a->peers[i], *right = &b->peers[i];

		if (!str_equal(left->name, right->name) || !str_equal(left->id, right->id) ||
		    !str_equal(left->address, right->address) || left->leader != right->leader ||
		    left->voter != right->voter || left->protocol != right->protocol)
			return false;
	}
	return true;
}

/* One more view has the list that *shared counts. */
static size_t *join_shared(size_t **shared)
{
	if (!*shared) {
		*shared = xmalloc(sizeof(**shared));
		**shared = 1;
	}
	++**shared;
	return *shared;
}

void view_share(struct view *view, struct view *with)
{
	if (view == with)
		return;
	sort_members(view);
	sort_members(with);
	if (view->members_known && with->members_known && view->members != with->members && same_members(view, with)) {
		view_clear_members(view);
		view->members = with->members;
		view->member_count = with->member_count;
		view->members_shared = join_shared(&with->members_shared);
		view->members_known = true;
	}
	if (view->peers_known && with->peers_known && view->peers != with->peers && same_peers(view, with)) {
		view_clear_peers(view);
		view->peers = with->peers;
		view->peer_count = with->peer_count;
		view->peers_source = with->peers_source;
		view->peers_shared = join_shared(&with->peers_shared);
		view->peers_known = true;
	}
}

void self_take_last(struct self *self, uint64_t index, uint64_t term)
{
	if (index <= self->last_log_index)
		return;
	self->last_log_index = index;
	self->last_log_term = term;
}

void view_release(struct view *view)
{
	view_clear_members(view);
	view_clear_peers(view);
	self_release(&view->self);
	err_release(&view->members_err);
	err_release(&view->peers_err);
	err_release(&view->self_err);
	certificate_release(&view->certificate);
	*view = (struct view)VIEW_INIT;
}

bool view_answered(const struct view *view)
{
	return view->self_known || view->members_known || view->peers_known;
}

const struct err *view_first_err(const struct view *view)
{
	if (err_is_set(&view->self_err))
		return &view->self_err;
	if (err_is_set(&view->members_err))
		return &view->members_err;
	return err_is_set(&view->peers_err) ? &view->peers_err : NULL;
}

const char *member_status_name(enum member_status status)
{
	switch (status) {
	case MEMBER_ALIVE:
		return "alive";
	case MEMBER_LEAVING:
		return "leaving";
	case MEMBER_LEFT:
		return "left";
	case MEMBER_FAILED:
		return "failed";
	case MEMBER_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *raft_role_name(enum raft_role role)
{
	switch (role) {
	case RAFT_LEADER:
		return "leader";
	case RAFT_FOLLOWER:
		return "follower";
	case RAFT_CANDIDATE:
		return "candidate";
	case RAFT_SHUTDOWN:
		return "shutdown";
	case RAFT_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *ask_way_name(enum ask_way way)
{
	switch (way) {
	case ASK_TUNNEL:
		return "tunnel";
	case ASK_EXEC:
		return "exec";
	case ASK_NONE:
		break;
	}
	return "none";
}

const char *peers_source_name(enum peers_source source)
{
	switch (source) {
	case PEERS_RAFT:
		return "raft";
	case PEERS_SELF:
		return "self";
	case PEERS_NONE:
		break;
	}
	return "none";
}

const struct member *view_member_by_address(const struct view *view, const char *ip)
{
	for (size_t i = 0; ip && i < view->member_count; i++)
		if (str_equal(view->members[i].address, ip))
			return &view->members[i];
	return NULL;
}

const struct member *view_member_by_name(const struct view *view, const char *name)
{
	for (size_t i = 0; name && i < view->member_count; i++)
		if (str_equal(view->members[i].name, name))
			return &view->members[i];
	return NULL;
}

const struct peer *view_peer_by_ip(const struct view *view, const char *ip)
{
	for (size_t i = 0; i < view->peer_count; i++)
		if (value_address_is(view->peers[i].address, ip))
			return &view->peers[i];
	return NULL;
}
