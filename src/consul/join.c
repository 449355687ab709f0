/* The three planes joined, see include/consul/diagnosis.h: whose view counts, who is who, who leads, who lives. */
#include "consul/diagnosis.h"

#include <stdlib.h>

#include "consul/value.h"
#include "util/mem.h"

#define DEFAULT_SET_NAME "consul"

static bool is_running(const struct server *server)
{
	return server->has_pod && !str_equal(server->pod.phase, "Failed") &&
	       !str_equal(server->pod.phase, "Succeeded") &&
	       (server->container ? server->container->running : str_equal(server->pod.phase, "Running"));
}

static void begin_places(struct diagnosis *diagnosis)
{
	const struct snapshot *snapshot = diagnosis->snapshot;

	diagnosis->places = xcalloc(snapshot->server_count, sizeof(*diagnosis->places));
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *server = &snapshot->servers[i];

		diagnosis->places[i] = (struct place){
			.server = server,
			.word = shell_word(server->name),
			.wanted = server->ordinal < 0 || snapshot_wants_ordinal(snapshot, server->ordinal),
			.running = is_running(server),
			.answered = view_answered(&server->view),
		};
		diagnosis->answered += diagnosis->places[i].answered;
	}
}

/* ------------------------------------------------------------------------------------- the leader */

struct opinions {
	const char *address; /* the first that was named */
	int64_t contact_ms;  /* the freshest contact to it anybody had; -1: nobody told */
	bool self_told;      /* somebody told by its own state, not only by the peer set */
};

/* False when this server says nothing of a leader. *ret_address is NULL when it knows none. */
static bool opinion_of(const struct view *view, const char **ret_address)
{
	*ret_address = NULL;
	if (view->self_known && view->self.is_server) {
		*ret_address = view->self.leader_address;
		return true;
	}
	if (!view->peers_known || view->peers_source != PEERS_RAFT)
		return false;
	for (size_t i = 0; i < view->peer_count; i++)
		if (view->peers[i].leader)
			*ret_address = view->peers[i].address;
	return true;
}

static void add_opinion(struct diagnosis *diagnosis, const struct view *view, struct opinions *opinions)
{
	const char *address;

	if (!opinion_of(view, &address) || !address)
		return;
	if (!opinions->address)
		opinions->address = address;
	else if (!str_equal(opinions->address, address))
		diagnosis->leaders_disagree = true;
	opinions->self_told |= view->self_known;
	if (view->self_known && view->self.last_contact_ms >= 0 &&
	    (opinions->contact_ms < 0 || view->self.last_contact_ms < opinions->contact_ms))
		opinions->contact_ms = view->self.last_contact_ms;
}

/* The pod with the leader's address; or, where servers advertise another one than the pod's, who says that it leads
 * under it. */
static struct place *place_of_leader(const struct diagnosis *diagnosis, const char *address)
{
	size_t count = diagnosis->snapshot->server_count;

	for (size_t i = 0; i < count; i++)
		if (value_address_is(address, diagnosis->places[i].server->pod.ip))
			return &diagnosis->places[i];
	for (size_t i = 0; i < count; i++) {
		const struct self *self = &diagnosis->places[i].server->view.self;

		if (self->role == RAFT_LEADER && str_equal(self->leader_address, address))
			return &diagnosis->places[i];
	}
	for (size_t i = 0; i < count; i++)
		if (diagnosis->places[i].peer && str_equal(diagnosis->places[i].peer->address, address))
			return &diagnosis->places[i];
	return NULL;
}

/* The leader says so itself; one that does not answer, or is none of our pods, must have been heard of lately. */
static bool leader_is_confirmed(const struct diagnosis *diagnosis, const struct opinions *opinions)
{
	const struct place *place = place_of_leader(diagnosis, opinions->address);

	if (place && place->server->view.self_known)
		return place->server->view.self.role == RAFT_LEADER;
	if (place && !place->running)
		return false;
	return !opinions->self_told || (opinions->contact_ms >= 0 && opinions->contact_ms <= LAST_CONTACT_MAX_MS);
}

static struct opinions collect_opinions(struct diagnosis *diagnosis)
{
	struct opinions opinions = { .contact_ms = -1 };

	for (size_t i = 0; i < diagnosis->snapshot->server_count; i++)
		add_opinion(diagnosis, &diagnosis->snapshot->servers[i].view, &opinions);
	return opinions;
}

/* ---------------------------------------------------------------------------------- whose view counts */

/*
 * The longer log knows more. The term only breaks ties, since a server that is cut off raises its term with each
 * election that it asks for in vain.
 */
static bool has_longer_log(const struct view *a, const struct view *b)
{
	if (a->self.last_log_index != b->self.last_log_index)
		return a->self.last_log_index > b->self.last_log_index;
	return a->self.term > b->self.term;
}

static const struct server *choose_view(const struct diagnosis *diagnosis, bool (*is_fit)(const struct view *view))
{
	const struct snapshot *snapshot = diagnosis->snapshot;
	const struct server *best = NULL;

	if (diagnosis->leader_address) {
		const struct place *leader = place_of_leader(diagnosis, diagnosis->leader_address);

		if (leader && is_fit(&leader->server->view))
			return leader->server;
	}
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *server = &snapshot->servers[i];

		if (is_fit(&server->view) && (!best || has_longer_log(&server->view, &best->view)))
			best = server;
	}
	return best;
}

static bool has_members(const struct view *view)
{
	return view->members_known && view->member_count > 0;
}

static bool has_peers(const struct view *view)
{
	return view->peers_known && view->peer_count > 0;
}

/* --------------------------------------------------------------------------------------- who is who */

/* Whether a member is this server, by the rule of this pass. A member that is gone may have had an address that is
 * another's now. */
static bool member_matches(const struct diagnosis *diagnosis, const struct member *member, const struct server *server,
                           int pass)
{
	bool is_there = member->status == MEMBER_ALIVE || member->status == MEMBER_LEAVING;

	switch (pass) {
	case 0:
		return is_there && server->pod.ip && str_equal(member->address, server->pod.ip);
	case 1:
		return member->id && str_equal(member->id, server->view.self.id);
	case 2:
		return str_equal(member->name, server->view.self.name) || str_equal(member->name, server->name);
	default:
		return server->pod.ip && str_equal(member->address, server->pod.ip) &&
		       kube_ordinal(diagnosis->snapshot->set.name, member->name) < 0;
	}
}

static void join_members(struct diagnosis *diagnosis)
{
	const struct view *view = &diagnosis->members_of->view;

	diagnosis->member_taken = xcalloc(view->member_count, sizeof(bool));
	for (int pass = 0; pass < 4; pass++) {
		for (size_t i = 0; i < diagnosis->snapshot->server_count; i++) {
			struct place *place = &diagnosis->places[i];

			for (size_t k = 0; !place->member && k < view->member_count; k++) {
				if (diagnosis->member_taken[k] || !view->members[k].is_server ||
				    !member_matches(diagnosis, &view->members[k], place->server, pass))
					continue;
				place->member = &view->members[k];
				diagnosis->member_taken[k] = true;
			}
		}
	}
}

/* A server that lost its data has another id, and it may have got the address of one that is gone. With raft protocol 2
 * the address is the id. */
static bool is_of_other(const struct peer *peer, const struct self *self)
{
	return !str_is_empty(peer->id) && !str_is_empty(self->id) && !str_equal(peer->id, peer->address) &&
	       !str_equal(peer->id, self->id);
}

static bool peer_matches(const struct peer *peer, const struct place *place, int pass)
{
	const struct self *self = &place->server->view.self;

	switch (pass) {
	case 0:
		return value_address_is(peer->address, place->server->pod.ip) && !is_of_other(peer, self);
	case 1:
		return peer->id &&
		       (str_equal(peer->id, self->id) || (place->member && str_equal(peer->id, place->member->id)));
	default:
		return peer->name && (str_equal(peer->name, self->name) || str_equal(peer->name, place->server->name) ||
		                      (place->member && str_equal(peer->name, place->member->name)));
	}
}

static void join_peers(struct diagnosis *diagnosis)
{
	const struct view *view = &diagnosis->peers_of->view;

	diagnosis->peer_taken = xcalloc(view->peer_count, sizeof(bool));
	for (int pass = 0; pass < 3; pass++) {
		for (size_t i = 0; i < diagnosis->snapshot->server_count; i++) {
			struct place *place = &diagnosis->places[i];

			for (size_t k = 0; !place->peer && k < view->peer_count; k++) {
				if (diagnosis->peer_taken[k] || !peer_matches(&view->peers[k], place, pass))
					continue;
				place->peer = &view->peers[k];
				diagnosis->peer_taken[k] = true;
			}
		}
	}
}

/* A peer of which only an address is known, and no member tells whose it is. */
static bool is_anonymous(const struct diagnosis *diagnosis, const struct peer *peer)
{
	const struct view *members = diagnosis->members_of ? &diagnosis->members_of->view : NULL;

	if (peer->name)
		return false;
	for (size_t i = 0; members && i < members->member_count; i++)
		if (value_address_is(peer->address, members->members[i].address) ||
		    (peer->id && str_equal(peer->id, members->members[i].id)))
			return false;
	return true;
}

/*
 * By elimination: a server whose pod is gone, of whom nobody says who it was, and a peer of whom nobody says whose it
 * is. So it is when one server alone came back and has only its own log to tell from.
 */
static void join_anonymous_peers(struct diagnosis *diagnosis)
{
	const struct view *view = &diagnosis->peers_of->view;

	FOR_EACH_PLACE (place, diagnosis) {
		if (!place->wanted || place->answered || place->running || place->member)
			continue;
		for (size_t k = 0; !place->peer && k < view->peer_count; k++) {
			if (diagnosis->peer_taken[k] || !is_anonymous(diagnosis, &view->peers[k]))
				continue;
			place->peer = &view->peers[k];
			diagnosis->peer_taken[k] = true;
		}
	}
}

/* A peer under an old address is alive only if the server hears its leader all the same. */
static bool is_live(const struct place *place)
{
	const struct self *self = &place->server->view.self;

	if (!place->running || !place->answered || self->role == RAFT_SHUTDOWN)
		return false;
	if (place->peer && is_of_other(place->peer, self))
		return false;
	if (!place->peer || value_address_is(place->peer->address, place->server->pod.ip))
		return true;
	return self->role == RAFT_LEADER ||
	       (place->server->view.self_known && self->leader_address && self->last_contact_ms >= 0 &&
	        self->last_contact_ms <= LAST_CONTACT_MAX_MS);
}

static void count_quorum(struct diagnosis *diagnosis)
{
	struct quorum *quorum = &diagnosis->assessment->quorum;
	const struct view *view;

	if (!diagnosis->peers_of)
		return;
	view = &diagnosis->peers_of->view;
	*quorum = (struct quorum){ .known = true };
	for (size_t i = 0; i < view->peer_count; i++)
		quorum->voters += view->peers[i].voter;
	for (size_t i = 0; i < diagnosis->snapshot->server_count; i++) {
		const struct place *place = &diagnosis->places[i];

		quorum->live_voters += place->peer && place->peer->voter && place->live;
	}
	quorum->quorum = quorum->voters / 2 + 1;
	if (quorum->live_voters > quorum->quorum)
		quorum->tolerance = quorum->live_voters - quorum->quorum;
}

/* ------------------------------------------------------------------------------------ the assessment */

/* So many voters say they know no leader that the others are no majority. */
static bool is_outvoted(const struct diagnosis *diagnosis)
{
	const struct quorum *quorum = &diagnosis->assessment->quorum;
	int64_t without = 0;

	for (size_t i = 0; i < diagnosis->snapshot->server_count; i++) {
		const struct place *place = &diagnosis->places[i];
		const char *address;

		if (place->peer && place->peer->voter && opinion_of(&place->server->view, &address) && !address)
			without++;
	}
	return quorum->known && quorum->voters - without < quorum->quorum;
}

/*
 * The leader's entry is that of a server whose pod is gone or stopped, or it has none any more, since it took itself
 * out when it left: its followers only have not noticed yet.
 */
static bool is_gone(const struct diagnosis *diagnosis)
{
	const struct server *peers_of = diagnosis->peers_of;
	const struct place *place;

	if (!diagnosis->leader_address)
		return false;
	place = place_of_leader(diagnosis, diagnosis->leader_address);
	if (place)
		return !place->running;
	for (size_t i = 0; peers_of && i < peers_of->view.peer_count; i++)
		if (str_equal(peers_of->view.peers[i].address, diagnosis->leader_address))
			return false;
	return peers_of != NULL;
}

/* The others have a leader and these do not hear it: they are no part of what keeps the cluster going. */
static void discount_lonely(struct diagnosis *diagnosis)
{
	for (size_t i = 0; i < diagnosis->snapshot->server_count; i++) {
		struct place *place = &diagnosis->places[i];
		const char *address;

		if (opinion_of(&place->server->view, &address) && !address)
			place->live = false;
	}
}

static void name_leader(struct diagnosis *diagnosis)
{
	struct assessment *assessment = diagnosis->assessment;
	const struct place *place;
	const struct peer *peer = NULL;

	if (!diagnosis->leader_address)
		return;
	place = place_of_leader(diagnosis, diagnosis->leader_address);
	if (place) {
		assessment->leader = place->server;
		assessment->leader_name = xstrdup(place->server->name);
		return;
	}
	for (size_t i = 0; diagnosis->peers_of && i < diagnosis->peers_of->view.peer_count; i++)
		if (str_equal(diagnosis->peers_of->view.peers[i].address, diagnosis->leader_address))
			peer = &diagnosis->peers_of->view.peers[i];
	assessment->leader_name = xstrdup(peer && peer->name ? peer->name : diagnosis->leader_address);
}

static void fill_lag(const struct diagnosis *diagnosis, struct server_status *status)
{
	const struct server *leader = diagnosis->assessment->leader;
	const struct view *view = &status->server->view;

	if (!leader || !leader->view.self_known || !view->self_known)
		return;
	status->lag_known = true;
	if (leader->view.self.last_log_index > view->self.last_log_index)
		status->lag = leader->view.self.last_log_index - view->self.last_log_index;
}

static void fill_statuses(struct diagnosis *diagnosis)
{
	struct assessment *assessment = diagnosis->assessment;
	size_t count = diagnosis->snapshot->server_count;

	assessment->members_of = diagnosis->members_of;
	assessment->peers_of = diagnosis->peers_of;
	assessment->server_count = count;
	assessment->servers = xcalloc(count, sizeof(*assessment->servers));
	for (size_t i = 0; i < count; i++) {
		const struct place *place = &diagnosis->places[i];
		struct server_status *status = &assessment->servers[i];
		const char *version = place->server->view.self.version;

		*status = (struct server_status){
			.server = place->server,
			.member = place->member ? place->member->status : MEMBER_UNKNOWN,
			.peer = place->peer != NULL,
			.voter = place->peer && place->peer->voter,
			.leader = place->server == assessment->leader,
			.version = version         ? version
			           : place->member ? place->member->version
			                           : NULL,
			.member_entry = place->member,
			.peer_entry = place->peer,
		};
		fill_lag(diagnosis, status);
	}
}

void diagnosis_begin(struct diagnosis *diagnosis, const struct snapshot *snapshot, struct assessment *assessment)
{
	struct opinions opinions;

	*diagnosis = (struct diagnosis){ .snapshot = snapshot, .assessment = assessment };
	diagnosis->namespace_word = shell_word(snapshot->namespace_name ? snapshot->namespace_name : "default");
	diagnosis->set_word = shell_word(snapshot->set.name ? snapshot->set.name : DEFAULT_SET_NAME);
	diagnosis->name_option = str_equal(diagnosis->set_word, DEFAULT_SET_NAME)
	                             ? xstrdup("")
	                             : xasprintf(" --name %s", diagnosis->set_word);
	begin_places(diagnosis);
	opinions = collect_opinions(diagnosis);
	if (opinions.address && !diagnosis->leaders_disagree && leader_is_confirmed(diagnosis, &opinions))
		diagnosis->leader_address = opinions.address;
	diagnosis->members_of = choose_view(diagnosis, has_members);
	diagnosis->peers_of = choose_view(diagnosis, has_peers);
	if (diagnosis->members_of)
		join_members(diagnosis);
	if (diagnosis->peers_of) {
		join_peers(diagnosis);
		join_anonymous_peers(diagnosis);
	}
	for (size_t i = 0; i < snapshot->server_count; i++)
		diagnosis->places[i].live = is_live(&diagnosis->places[i]);
	count_quorum(diagnosis);
	if (is_outvoted(diagnosis) || is_gone(diagnosis))
		diagnosis->leader_address = NULL;
	if (diagnosis->leader_address) {
		discount_lonely(diagnosis);
		count_quorum(diagnosis);
	}
	name_leader(diagnosis);
	fill_statuses(diagnosis);
}

void diagnosis_release(struct diagnosis *diagnosis)
{
	for (size_t i = 0; i < diagnosis->snapshot->server_count; i++)
		free(diagnosis->places[i].word);
	free(diagnosis->places);
	free(diagnosis->member_taken);
	free(diagnosis->peer_taken);
	free(diagnosis->namespace_word);
	free(diagnosis->set_word);
	free(diagnosis->name_option);
}
