/*
 * What is left of servers that are gone: failed members, and raft peers that are nobody's. See
 * include/consul/plan_parts.h.
 *
 * Without names, only servers of this StatefulSet are touched that no replica and no pod stands for (rule 4). Taking
 * away what is dead never endangers the quorum; it needs one (plan_distrusts).
 */
#include <inttypes.h>

#include "consul/plan_parts.h"
#include "consul/value.h"
#include "util/mem.h"

static bool is_selective(const struct planning *planning)
{
	return planning->goal->servers && planning->goal->servers->count > 0;
}

static bool is_named(const struct planning *planning, const char *name)
{
	return name && is_selective(planning) && strv_contains(planning->goal->servers, name);
}

/* ------------------------------------------------------------------------------------------ steps */

static bool force_leave(struct planning *planning, const struct member *member)
{
	const struct peer *peer = diagnosis_peer_of_member(&planning->diagnosis, member);
	struct step *step = plan_step(planning, STEP_FORCE_LEAVE, member->name,
	                              "force-leave %s (%s): failed becomes left", member->name, member->address);

	step->object = xstrdup(member->name);
	step->through = xstrdup_null(plan_through(planning, NULL));
	if (peer)
		plan_arithmetic(&step->after, peer->voter ? -1 : 0, 0);
	return true;
}

static bool prune(struct planning *planning, const struct member *member)
{
	struct step *step = plan_step(planning, STEP_PRUNE, member->name, "forget %s (%s), which has left",
	                              member->name, member->address);

	step->object = xstrdup(member->name);
	step->through = xstrdup_null(plan_through(planning, NULL));
	return true;
}

/* A member that lives has this id, or this address and no other id: whoever asks, its peer is not removed. */
static const struct member *find_living(const struct planning *planning, const struct peer *peer)
{
	const struct view *view = &planning->diagnosis.members_of->view;

	for (size_t i = 0; i < view->member_count; i++) {
		const struct member *member = &view->members[i];
		bool is_same = !str_is_empty(peer->id) && str_equal(peer->id, member->id);

		if (member->is_server && member->status == MEMBER_ALIVE &&
		    (is_same || diagnosis_peer_of_member(&planning->diagnosis, member) == peer))
			return member;
	}
	return NULL;
}

static bool remove_peer(struct planning *planning, const struct peer *peer)
{
	const struct member *living = find_living(planning, peer);
	/* With raft protocol 2 the address is the id, and there is no removing by id. */
	bool by_address = str_is_empty(peer->id) || str_equal(peer->id, peer->address);
	const char *name = peer->name ? peer->name : "(unknown)";
	struct step *step;

	if (living)
		return plan_refuse(planning, RULE_COULD_RETURN, true, NULL,
		                   "raft peer %s is that of %s, which is alive", peer->address, living->name);
	step = plan_step(planning, STEP_REMOVE_PEER, peer->name ? peer->name : peer->address,
	                 "remove peer %s (%s) from raft", peer->address, name);
	step->by_address = by_address;
	step->object = xstrdup(by_address ? peer->address : peer->id);
	step->through = xstrdup_null(plan_through(planning, NULL));
	plan_arithmetic(&step->after, peer->voter ? -1 : 0, 0);
	return true;
}

/* --------------------------------------------------------------------------------------- one member */

static const struct place *place_of_peer(const struct planning *planning, const struct peer *peer)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	FOR_EACH_PLACE (place, diagnosis)
		if (place->peer == peer || (peer->id && str_equal(peer->id, place->server->view.self.id)))
			return place;
	return NULL;
}

/* Consul removes the peer of this id, whoever has it now. */
static bool refuses_shared_id(struct planning *planning, const struct member *member, const struct peer *peer)
{
	const struct place *place = peer ? place_of_peer(planning, peer) : NULL;

	if (!place || !place->live)
		return false;
	return plan_refuse(planning, RULE_COULD_RETURN, false, place,
	                   "%s, which is gone, has the node id of %s, which lives: removing it would remove both",
	                   member->name, place->server->name);
}

/* A member that is to go. False: nothing is left to do about it. */
static bool clean_member(struct planning *planning, const struct member *member, bool own)
{
	const struct peer *peer = diagnosis_peer_of_member(&planning->diagnosis, member);

	switch (member->status) {
	case MEMBER_FAILED:
		return refuses_shared_id(planning, member, peer) || force_leave(planning, member);
	case MEMBER_LEAVING:
		return plan_wait(planning, NULL, "%s: leaving", member->name);
	case MEMBER_LEFT:
		if (peer && (!own || !place_of_peer(planning, peer)))
			return refuses_shared_id(planning, member, peer) || remove_peer(planning, peer);
		return planning->goal->prune && prune(planning, member);
	case MEMBER_ALIVE:
	case MEMBER_UNKNOWN:
		break;
	}
	return false;
}

/* ---------------------------------------------------------------------------------- without names */

/* Nodes may be called after machines, and those consul-7 and consul-8: then a name tells nothing of an ordinal. */
bool plan_nodes_are_pods(const struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	FOR_EACH_PLACE (place, diagnosis)
		if (place->member && !str_equal(place->member->name, place->server->name))
			return false;
	return true;
}

/* A wanted server that no member was found for: any name may be its. */
static const struct place *find_memberless(const struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	FOR_EACH_PLACE (place, diagnosis)
		if (place->wanted && !place->member)
			return place;
	return NULL;
}

/* A server of this StatefulSet that no replica stands for, by its name or because this run has scaled it away. */
static bool is_gone(const struct planning *planning, const char *node)
{
	int64_t ordinal = kube_ordinal(planning->snapshot->set.name, node);

	if (planning->goal->gone && strv_contains(planning->goal->gone, node))
		return !find_memberless(planning);
	return ordinal >= 0 && !snapshot_wants_ordinal(planning->snapshot, ordinal) && plan_nodes_are_pods(planning);
}

static bool is_leftover(const struct planning *planning, size_t index)
{
	const struct member *member = &planning->diagnosis.members_of->view.members[index];

	return member->is_server && !planning->diagnosis.member_taken[index] && is_gone(planning, member->name);
}

static bool clean_members(struct planning *planning)
{
	const struct view *view = &planning->diagnosis.members_of->view;

	for (size_t i = 0; i < view->member_count; i++)
		if (is_leftover(planning, i) && clean_member(planning, &view->members[i], true))
			return true;
	return false;
}

/* Gossip takes some seconds to notice. What lives for longer is a server of that name elsewhere. */
static bool has_live_leftover(struct planning *planning)
{
	const struct view *view = &planning->diagnosis.members_of->view;

	for (size_t i = 0; i < view->member_count; i++) {
		const struct member *member = &view->members[i];
		_cleanup_free_ char *word = NULL;

		if (!is_leftover(planning, i) || member->status != MEMBER_ALIVE)
			continue;
		word = shell_word(member->address);
		plan_refuse(planning, RULE_COULD_RETURN, true, NULL,
		            "%s has no pod here, and for gossip it is alive (%s)", member->name, member->address);
		planning->plan->hint = xasprintf(
		    "kubectl get pods -A -o wide --field-selector=status.podIP=%s tells whose pod that is", word);
		return true;
	}
	return false;
}

/* A wanted server that no peer was found for: a peer that nobody knows may be its. */
static const struct place *find_peerless(const struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	FOR_EACH_PLACE (place, diagnosis)
		if (place->wanted && (!place->peer || !place->answered))
			return place;
	return NULL;
}

/* The server whose peer it is; a client may have the address that a server had. NULL: nobody knows one. */
static const struct member *member_of_peer(const struct planning *planning, const struct peer *peer)
{
	const struct view *view = &planning->diagnosis.members_of->view;

	for (size_t i = 0; i < view->member_count; i++)
		if (view->members[i].is_server &&
		    diagnosis_peer_of_member(&planning->diagnosis, &view->members[i]) == peer)
			return &view->members[i];
	return NULL;
}

/* Nobody's: no place's, no member's, and of no name that a replica stands for or that is not of this set. */
static bool is_orphan(const struct planning *planning, size_t index)
{
	const struct peer *peer = &planning->diagnosis.peers_of->view.peers[index];

	if (planning->diagnosis.peer_taken[index] || place_of_peer(planning, peer) || member_of_peer(planning, peer))
		return false;
	return !peer->name || is_gone(planning, peer->name);
}

static bool clean_peers(struct planning *planning)
{
	const struct view *view = &planning->diagnosis.peers_of->view;
	const struct place *peerless = find_peerless(planning);

	for (size_t i = 0; i < view->peer_count; i++) {
		const struct peer *peer = &view->peers[i];
		_cleanup_free_ char *word = shell_word(str_is_empty(peer->id) ? peer->address : peer->id);

		if (!is_orphan(planning, i))
			continue;
		if (peer->name || !peerless)
			return remove_peer(planning, peer);
		if (planning->goal->kind != GOAL_REAP)
			continue; /* the server that is missing is told of next */
		plan_refuse(planning, RULE_COULD_RETURN, true, peerless,
		            "peer %s (unknown) may be %s, which is in no raft or does not answer", peer->address,
		            peerless->server->name);
		planning->plan->hint = xasprintf("when it is nobody's for sure: kubectl consul reap %s -n %s%s", word,
		                                 planning->diagnosis.namespace_word, planning->diagnosis.name_option);
		return true;
	}
	return false;
}

/* ------------------------------------------------------------------------------------- with names */

static bool names_member(const struct planning *planning, const struct member *member)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	if (is_named(planning, member->name))
		return true;
	FOR_EACH_PLACE (place, diagnosis)
		if (place->member == member && is_named(planning, place->server->name))
			return true;
	return false;
}

/* What lives is not reaped, whoever names it. */
static bool lives(struct planning *planning, const struct place *place)
{
	if (!place || !place->live)
		return false;
	return plan_refuse(planning, RULE_COULD_RETURN, false, place, "%s lives: reap is for servers that are gone",
	                   place->server->name);
}

static bool refuses_named(struct planning *planning, const struct member *member)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	if (!member->is_server)
		return plan_refuse(planning, RULE_COULD_RETURN, false, NULL, "%s is a client agent, not a server",
		                   member->name);
	FOR_EACH_PLACE (place, diagnosis)
		if (place->member == member && lives(planning, place))
			return true;
	if (member->status == MEMBER_ALIVE)
		return plan_refuse(planning, RULE_COULD_RETURN, true, NULL, "%s is alive for gossip (%s)", member->name,
		                   member->address);
	return false;
}

static bool clean_named_members(struct planning *planning)
{
	const struct view *view = &planning->diagnosis.members_of->view;

	for (size_t i = 0; i < view->member_count; i++) {
		const struct member *member = &view->members[i];

		if (names_member(planning, member) &&
		    (refuses_named(planning, member) || clean_member(planning, member, false)))
			return true;
	}
	return false;
}

/* By id, by address, by node, or by the pod whose peer it was. */
static bool names_peer(const struct planning *planning, const struct peer *peer, const struct place *place)
{
	return is_named(planning, peer->id) || is_named(planning, peer->address) || is_named(planning, peer->name) ||
	       (place && is_named(planning, place->server->name));
}

static bool clean_named_peers(struct planning *planning)
{
	const struct view *view = &planning->diagnosis.peers_of->view;

	for (size_t i = 0; i < view->peer_count; i++) {
		const struct peer *peer = &view->peers[i];
		const struct place *place = place_of_peer(planning, peer);
		const struct member *member = member_of_peer(planning, peer);

		if (!names_peer(planning, peer, place))
			continue;
		if (lives(planning, place))
			return true;
		if (!member)
			return remove_peer(planning, peer);
		if (refuses_named(planning, member) || clean_member(planning, member, false))
			return true;
	}
	return false;
}

/* Those that answer may be a cluster of their own, and these the one that counts. */
static const struct place *find_unheard(const struct planning *planning)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	FOR_EACH_PLACE (place, diagnosis)
		if (place->wanted && place->running && !place->answered && !place->peer)
			return place;
	return NULL;
}

bool plan_cleans(struct planning *planning)
{
	const struct place *unheard = find_unheard(planning);

	/* Scale waits for it next. */
	if (unheard && planning->goal->kind != GOAL_REAP)
		return false;
	if (unheard) {
		plan_refuse(planning, RULE_UNKNOWN, true, unheard,
		            "%s runs, cannot be asked, and is no raft peer of those that can be",
		            unheard->server->name);
		plan_hint_health(planning, "it may be of another cluster");
		return true;
	}
	if (is_selective(planning))
		return clean_named_members(planning) || clean_named_peers(planning);
	/* First of all: one that lives shows that these names are somebody else's, or that gossip has not noticed yet.
	 */
	return has_live_leftover(planning) || clean_members(planning) || clean_peers(planning);
}

bool plan_has_dead_stranger(struct planning *planning)
{
	const struct view *view = &planning->diagnosis.peers_of->view;

	for (size_t i = 0; i < view->peer_count; i++) {
		const struct peer *peer = &view->peers[i];
		const struct member *member = member_of_peer(planning, peer);
		_cleanup_free_ char *word = NULL;

		if (!peer->voter || planning->diagnosis.peer_taken[i] || (member && member->status == MEMBER_ALIVE))
			continue;
		word = shell_word(member ? member->name : str_is_empty(peer->id) ? peer->address : peer->id);
		plan_refuse(planning, RULE_QUORUM, true, NULL, "raft voter %s (%s) does not live, and is no pod's",
		            peer->name ? peer->name : "(unknown)", peer->address);
		planning->plan->hint = xasprintf("if it is gone for good: kubectl consul reap %s -n %s%s", word,
		                                 planning->diagnosis.namespace_word, planning->diagnosis.name_option);
		return true;
	}
	return false;
}
