/* Whose the raft peers are that are at none of the places that run: see include/consul/recovery_parts.h. */
#include "consul/recovery_parts.h"
#include "consul/value.h"
#include "util/mem.h"

/* -------------------------------------------------------------------------------------- peers by name */

/* Whether the member is this peer: by id; by address only where lists have no ids, since addresses are used again. */
static bool is_member_of(const struct member *member, const struct peer *peer)
{
	if (!member->is_server)
		return false;
	if (!str_is_empty(member->id))
		return str_equal(member->id, peer->id);
	return value_address_is(peer->address, member->address);
}

/* As any server still knows it from gossip; NULL: nobody does. */
static const struct member *member_of(const struct snapshot *snapshot, const struct peer *peer)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct view *view = &snapshot->servers[i].view;

		for (size_t k = 0; k < view->member_count; k++)
			if (is_member_of(&view->members[k], peer))
				return &view->members[k];
	}
	return NULL;
}

static struct recovery_server *row_of_id(const struct recovering *recovering, const char *id)
{
	struct recovery *recovery = recovering->recovery;

	for (size_t i = 0; id && i < recovery->count; i++)
		if (str_equal(recovery->servers[i].id, id))
			return &recovery->servers[i];
	return NULL;
}

static struct recovery_server *row_of_node(const struct recovering *recovering, const char *node)
{
	struct recovery *recovery = recovering->recovery;

	for (size_t i = 0; i < recovery->count; i++) {
		const struct server *server = recovery->servers[i].server;

		if (server && (str_equal(server->name, node) || str_equal(server->view.self.name, node)))
			return &recovery->servers[i];
	}
	return NULL;
}

/* A place whose server does not tell who it is. */
static bool is_open(const struct recovery_server *row)
{
	return row->server && !row->id &&
	       (row->fate == FATE_RETURNS || row->fate == FATE_BROKEN || row->fate == FATE_GONE);
}

static void take_peer(struct recovery_server *row, const struct peer *peer)
{
	replace_string(&row->id, xstrdup_null(peer->id));
	replace_string(&row->address, xstrdup_null(peer->address));
	row->peer = true;
	row->voter = peer->voter;
}

static void add_gone(struct recovering *recovering, const struct peer *peer, const char *name, const char *why)
{
	struct recovery_server *row = recovery_add(recovering, FATE_GONE, name ? name : peer->address);

	row->why = xstrdup(why);
	take_peer(row, peer);
}

/* One that was scaled away, or a server elsewhere. To have left is not to be gone: whoever is rebooted may have, too.
 */
static void add_placeless(struct recovering *recovering, const struct peer *peer, const char *node,
                          const struct member *member)
{
	int64_t ordinal = kube_ordinal(recovering->snapshot->set.name, node);
	_cleanup_buf_ struct buf why = BUF_TEXT;
	struct recovery_server *row;
	bool returns = true;

	if (ordinal >= 0) {
		buf_adds(&why, "was scaled away; ");
		returns = recovery_may_have_data(recovering, ordinal, NULL, &why);
	} else {
		buf_addf(&why, "no pod has its name%s: what became of its data cannot be seen",
		         member && member->status == MEMBER_LEFT ? ", and it has left" : "");
	}
	row = recovery_add(recovering, returns ? FATE_RETURNS : FATE_GONE, node);
	row->why = buf_detach(&why);
	take_peer(row, peer);
}

/* ------------------------------------------------------------------------------------- nameless peers */

static bool is_scaled_away_row(const struct recovering *recovering, int64_t ordinal)
{
	_cleanup_free_ char *name = xasprintf("%s-%lld", recovering->snapshot->set.name, (long long)ordinal);

	for (size_t i = 0; i < recovering->recovery->count; i++)
		if (str_equal(recovering->recovery->servers[i].name, name))
			return true;
	return false;
}

/*
 * Claims that are left of servers that were scaled away, and may be those peers': a row for each, or, where they need
 * not be theirs, a doubt. Returns how many rows.
 */
static size_t add_leftovers(struct recovering *recovering, bool must_be)
{
	const struct snapshot *snapshot = recovering->snapshot;
	size_t added = 0;

	if (!snapshot->claims_known || (must_be && snapshot->set.claim_templates.count == 0)) {
		struct recovery_server *row = recovery_add(recovering, FATE_RETURNS, "a server that was scaled away");

		row->why = xstrdup(snapshot->claims_known ? "where its data would be cannot be seen"
		                                          : "claims cannot be listed: whether it has one is not known");
		row->peer = row->voter = true;
		return 1;
	}
	for (size_t i = 0; i < snapshot->claim_count; i++) {
		int64_t ordinal = snapshot_claim_ordinal(snapshot, snapshot->claims[i].name);
		_cleanup_free_ char *name = xasprintf("%s-%lld", snapshot->set.name, (long long)ordinal);
		_cleanup_buf_ struct buf why = BUF_TEXT;
		struct recovery_server *row;

		if (ordinal < 0 || snapshot_wants_ordinal(snapshot, ordinal) || is_scaled_away_row(recovering, ordinal))
			continue;
		buf_adds(&why, "was scaled away, and may be one of the voters; ");
		if (!recovery_may_have_data(recovering, ordinal, NULL, &why))
			continue;
		if (!must_be) {
			strv_addf(
			    &recovering->doubts,
			    "%s was scaled away, and its claim %s is there: if a voter's data is on it, it is lost",
			    name, snapshot->claims[i].name);
			continue;
		}
		row = recovery_add(recovering, FATE_RETURNS, name);
		row->why = buf_detach(&why);
		row->peer = row->voter = true;
		added++;
	}
	return added;
}

/* What is known of the places of nameless peers. */
struct open_places {
	size_t returning; /* may be one of them, and may come back */
	size_t all;       /* could have been one's, whatever became of it */
};

/* Every place that may come back may be any of them: who knows. */
static struct open_places open_places(struct recovering *recovering, bool *is_predecessor_known)
{
	struct recovery *recovery = recovering->recovery;
	struct open_places places = { 0 };

	for (size_t i = 0; i < recovery->count; i++) {
		struct recovery_server *row = &recovery->servers[i];
		bool open = is_open(row);

		if (open && row->fate != FATE_GONE) {
			row->peer = row->voter = true;
			places.returning++;
		}
		places.all +=
		    open || (row->server && row->fate == FATE_EMPTY && !row->peer && !is_predecessor_known[i]);
	}
	return places;
}

/*
 * By elimination. More peers than places they could have had: some were scaled away. Where some place or claim may be
 * theirs, nobody can tell which of them is gone.
 */
static void place_nameless(struct recovering *recovering, const struct peer *const *peers, size_t count,
                           bool *is_predecessor_known)
{
	struct open_places places;
	size_t leftovers;

	if (count == 0)
		return;
	places = open_places(recovering, is_predecessor_known);
	leftovers = add_leftovers(recovering, count > places.all);
	if (places.returning + leftovers > 0)
		return;
	for (size_t i = 0; i < count; i++)
		add_gone(recovering, peers[i], NULL, "no place of this StatefulSet has its data");
}

/* ------------------------------------------------------------------------------------------------ all */

/* Gossip has its node's name. A row that is not open any more has another server now: this peer was before it. */
static void place_named(struct recovering *recovering, const struct peer *peer, const char *node,
                        const struct member *member, bool *is_predecessor_known)
{
	struct recovery_server *row = row_of_node(recovering, node);
	const char *why;

	if (row && is_open(row)) {
		take_peer(row, peer);
	} else if (row) {
		is_predecessor_known[row - recovering->recovery->servers] = true;
		why = row->fate == FATE_EMPTY ? "its data is gone: in its place a server without data runs"
		                              : "another server has its place";
		add_gone(recovering, peer, node, why);
	} else {
		add_placeless(recovering, peer, node, member);
	}
}

void recovery_match_peers(struct recovering *recovering)
{
	const struct view *view = recovering->peers;
	size_t places = recovering->recovery->count, count = 0;
	const struct peer **nameless;
	bool *is_predecessor_known;

	if (!view)
		return;
	nameless = xcalloc(view->peer_count + 1, sizeof(*nameless));
	is_predecessor_known = xcalloc(places + view->peer_count + 1, sizeof(bool));
	for (size_t i = 0; i < view->peer_count; i++) {
		const struct peer *peer = &view->peers[i];
		const struct member *member = member_of(recovering->snapshot, peer);
		const char *node = peer->name ? peer->name : member ? member->name : NULL;

		if (row_of_id(recovering, peer->id))
			continue;
		if (node)
			place_named(recovering, peer, node, member, is_predecessor_known);
		else
			nameless[count++] = peer;
	}
	place_nameless(recovering, nameless, count, is_predecessor_known);
	free(is_predecessor_known);
	free(nameless);
}
