/* Findings 4xx: raft, who leads, who votes, who counts. See include/consul/diagnosis.h. */
#include "consul/diagnosis.h"

#include <inttypes.h>

#include "consul/value.h"
#include "util/clock.h"
#include "util/mem.h"

static bool has_quorum(const struct diagnosis *diagnosis)
{
	const struct quorum *quorum = &diagnosis->assessment->quorum;

	return !quorum->known || quorum->live_voters >= quorum->quorum;
}

/* Leader, quorum and agreement: without them, what single servers lack is only a consequence. */
static bool works(const struct diagnosis *diagnosis)
{
	return diagnosis->leader_address && has_quorum(diagnosis);
}

/* ------------------------------------------------------------------------------------ quorum and leader */

/* Names of the voters that count as dead. */
static void list_dead_voters(const struct diagnosis *diagnosis, struct strv *ret_names, bool *ret_all_are_pods)
{
	const struct view *view = &diagnosis->peers_of->view;

	*ret_all_are_pods = true;
	FOR_EACH_PLACE(place, diagnosis)
	if (place->peer && place->peer->voter && !place->live)
		strv_add(ret_names, place_name(place));
	for (size_t i = 0; i < view->peer_count; i++) {
		const struct peer *peer = &view->peers[i];

		if (!peer->voter || diagnosis->peer_taken[i])
			continue;
		*ret_all_are_pods = false;
		strv_add(ret_names, peer->name ? peer->name : peer->address);
	}
}

static void check_quorum_lost(struct diagnosis *diagnosis)
{
	const struct quorum *quorum = &diagnosis->assessment->quorum;
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	struct finding *finding;
	bool all_are_pods;

	if (diagnosis->answered == 0 || has_quorum(diagnosis))
		return;
	list_dead_voters(diagnosis, &names, &all_are_pods);
	list = list_names(&names);
	finding = diagnosis_add(diagnosis, "quorum-lost", NULL,
	                        "%" PRId64 " of %" PRId64 " voters %s, %" PRId64 " are needed; dead or silent: %s",
	                        quorum->live_voters, quorum->voters, quorum->live_voters == 1 ? "lives" : "live",
	                        quorum->quorum, list);
	if (diagnosis->leader_address)
		finding_set_cause(finding, "%s still leads, so some of them may live and only cannot be asked",
		                  diagnosis->assessment->leader_name);
	else if (all_are_pods)
		finding_set_cause(
		    finding,
		    "their pods do not run or do not answer; back with their claims, the cluster heals by itself");
	else
		finding_set_cause(finding, "voters that have no pod any more: they cannot come back by themselves");
	if (all_are_pods)
		finding_set_command(finding, "kubectl get pods -n %s -o wide", diagnosis->namespace_word);
	else
		set_consul_command(diagnosis, "recover", finding);
}

/* Why a cluster that never had a leader has none. NULL: it had one, or nobody tells. */
static char *bootstrap_cause(const struct diagnosis *diagnosis)
{
	int64_t expect = 0, other = 0;

	FOR_EACH_PLACE(place, diagnosis)
	{
		if (place->answered && (!place->server->view.peers_known || place->server->view.peer_count > 0))
			return NULL;
		if (!place->member || place->member->expect == 0)
			continue;
		if (expect == 0)
			expect = place->member->expect;
		else if (place->member->expect != expect)
			other = place->member->expect;
	}
	if (other > 0)
		return xasprintf("never bootstrapped: bootstrap_expect differs among the servers (%" PRId64
		                 " and %" PRId64 ")",
		                 expect, other);
	if (expect > (int64_t)diagnosis->answered)
		return xasprintf("never bootstrapped: bootstrap_expect is %" PRId64 ", and %zu server%s answer%s",
		                 expect, diagnosis->answered, diagnosis->answered == 1 ? "" : "s",
		                 diagnosis->answered == 1 ? "s" : "");
	return xstrdup(
	    "never bootstrapped: the servers do not find each other (retry_join), or have no bootstrap_expect");
}

static void check_no_leader(struct diagnosis *diagnosis)
{
	_cleanup_free_ char *cause = NULL;
	struct finding *finding;

	if (diagnosis->answered == 0 || diagnosis->leader_address || diagnosis->leaders_disagree ||
	    !has_quorum(diagnosis))
		return;
	if (diagnosis->assessment->quorum.known)
		finding = diagnosis_add(
		    diagnosis, "no-leader", NULL, "no leader, though %" PRId64 " of %" PRId64 " voters live",
		    diagnosis->assessment->quorum.live_voters, diagnosis->assessment->quorum.voters);
	else
		finding = diagnosis_add(diagnosis, "no-leader", NULL, "no leader that the servers agree on");
	cause = bootstrap_cause(diagnosis);
	finding_set_cause(
	    finding, "%s",
	    cause ? cause : "an election that takes some seconds, or servers that do not reach each other's port 8300");
	set_consul_command(diagnosis, "health --watch", finding);
}

/* The address a server takes for its leader's; NULL when it tells none. */
static const char *followed_address(const struct view *view)
{
	if (view->self_known)
		return view->self.leader_address;
	for (size_t i = 0; view->peers_source == PEERS_RAFT && i < view->peer_count; i++)
		if (view->peers[i].leader)
			return view->peers[i].address;
	return NULL;
}

static bool share_a_peer(const struct view *a, const struct view *b)
{
	for (size_t i = 0; i < a->peer_count; i++)
		for (size_t k = 0; k < b->peer_count; k++)
			if (str_equal(a->peers[i].address, b->peers[k].address) ||
			    (a->peers[i].id && str_equal(a->peers[i].id, b->peers[k].id)))
				return true;
	return false;
}

/* A server whose peers have nothing in common with those that count: another cluster. NULL: there is none. */
static const struct place *find_stranger(const struct diagnosis *diagnosis)
{
	if (!diagnosis->peers_of)
		return NULL;
	FOR_EACH_PLACE(place, diagnosis)
	if (place->server->view.peer_count > 0 && !share_a_peer(&place->server->view, &diagnosis->peers_of->view))
		return place;
	return NULL;
}

static void check_leaders_disagree(struct diagnosis *diagnosis)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	const struct place *stranger;
	struct finding *finding;

	if (!diagnosis->leaders_disagree)
		return;
	FOR_EACH_PLACE(place, diagnosis)
	{
		const char *address = followed_address(&place->server->view);

		if (address)
			strv_addf(&names, "%s follows %s", place_name(place), address);
	}
	list = list_names(&names);
	finding = diagnosis_add(diagnosis, "leaders-disagree", NULL, "%s", list);
	stranger = find_stranger(diagnosis);
	if (stranger)
		finding_set_cause(finding, "two clusters: the raft peers of %s and %s have nothing in common",
		                  place_name(stranger), diagnosis->peers_of->name);
	else
		finding_set_cause(finding, "leadership is moving at this moment, or the network is cut in two");
	if (stranger)
		finding_set_command(finding, "kubectl consul explain leaders-disagree");
	else
		set_consul_command(diagnosis, "health --watch", finding);
}

/* --------------------------------------------------------------------------------------- peer sets */

static const struct peer *same_peer(const struct view *view, const struct peer *peer)
{
	for (size_t i = 0; i < view->peer_count; i++)
		if (str_equal(view->peers[i].address, peer->address))
			return &view->peers[i];
	return NULL;
}

/* What the one set has and the other has not, or not so. */
static void list_differences(const struct view *here, const struct view *there, const char *who, struct strv *ret)
{
	for (size_t i = 0; i < here->peer_count; i++) {
		const struct peer *peer = &here->peers[i], *other = same_peer(there, peer);

		if (!other)
			strv_addf(ret, "only %s has %s", who, peer->address);
		else if (other->voter != peer->voter && peer->voter)
			strv_addf(ret, "only for %s %s votes", who, peer->address);
	}
}

static void check_peers_disagree(struct diagnosis *diagnosis)
{
	if (!diagnosis->peers_of || (diagnosis->leaders_disagree && find_stranger(diagnosis)))
		return;
	FOR_EACH_PLACE(place, diagnosis)
	{
		const struct view *view = &place->server->view, *counts = &diagnosis->peers_of->view;
		_cleanup_strv_ struct strv differences = STRV_INIT;
		_cleanup_free_ char *list = NULL;
		struct finding *finding;

		if (!view->peers_known || place->explained || (view->peer_count == 0 && !place->peer))
			continue;
		list_differences(view, counts, place_name(place), &differences);
		list_differences(counts, view, diagnosis->peers_of->name, &differences);
		if (differences.count == 0)
			continue;
		list = list_names(&differences);
		finding = diagnosis_add(diagnosis, "peers-disagree", place, "the raft peers of %s and %s differ: %s",
		                        place_name(place), diagnosis->peers_of->name, list);
		finding_set_cause(finding, "%s",
		                  view->peer_count == 0 ? "it lost its data directory"
		                                        : "it lags, or the leader does not reach its port 8300");
		set_logs_command(diagnosis, place, false, finding);
		place->explained = true;
	}
}

static void check_raft_unknown(struct diagnosis *diagnosis)
{
	const struct err *err = NULL;
	struct finding *finding;

	if (diagnosis->answered == 0 || diagnosis->peers_of || !diagnosis->leader_address)
		return;
	FOR_EACH_PLACE(place, diagnosis)
	if (!err && place->answered && err_is_set(&place->server->view.peers_err))
		err = &place->server->view.peers_err;
	finding = diagnosis_add(diagnosis, "raft-unknown", NULL, "no server tells who votes%s%s", err ? ": " : "",
	                        err ? err->message : "");
	finding_set_cause(finding, "the token lacks operator:read, or this Consul is too old to tell");
	set_consul_command(diagnosis, "health --token-file FILE", finding);
}

/* Belongs to a member that another finding is about: a failed leftover, or a server elsewhere. */
static bool is_told_by_member(const struct diagnosis *diagnosis, const struct peer *peer)
{
	const struct view *members = diagnosis->members_of ? &diagnosis->members_of->view : NULL;

	for (size_t i = 0; members && i < members->member_count; i++)
		if (members->members[i].is_server && !diagnosis->member_taken[i] &&
		    members->members[i].status != MEMBER_LEFT &&
		    diagnosis_peer_of_member(diagnosis, &members->members[i]) == peer)
			return true;
	return false;
}

/* The place that this stale entry was once of. */
static const struct place *former_place(const struct diagnosis *diagnosis, const struct peer *peer)
{
	FOR_EACH_PLACE(place, diagnosis)
	if (place->peer && ((peer->id && str_equal(peer->id, place->peer->id)) ||
	                    (peer->name && str_equal(peer->name, place->server->name))))
		return place;
	return NULL;
}

static void check_dead_peers(struct diagnosis *diagnosis)
{
	const struct view *view = diagnosis->peers_of ? &diagnosis->peers_of->view : NULL;

	for (size_t i = 0; view && i < view->peer_count; i++) {
		const struct peer *peer = &view->peers[i];
		const struct place *former;
		struct finding *finding;

		if (diagnosis->peer_taken[i] || is_told_by_member(diagnosis, peer))
			continue;
		former = former_place(diagnosis, peer);
		finding = diagnosis_add(diagnosis, "dead-peer", NULL, "raft peer %s%s%s%s belongs to no server%s",
		                        peer->address, peer->name ? " (" : "", peer->name ? peer->name : "",
		                        peer->name ? ")" : "", peer->voter ? ", and counts as a dead voter" : "");
		if (former)
			finding_set_cause(finding,
			                  "the former address of %s; the leader drops it within a minute or so",
			                  place_name(former));
		else
			finding_set_cause(finding, "a server that was taken away without leaving");
		if (diagnosis->leader_address)
			set_consul_command(diagnosis, former ? "health --watch" : "reap", finding);
	}
}

/* -------------------------------------------------------------------------------------- one server */

static int64_t running_for(const struct diagnosis *diagnosis, const struct place *place)
{
	const struct kube_container *container = place->server->container;

	if (!container || container->started_at == 0)
		return INT64_MAX;
	return diagnosis->snapshot->taken_at - container->started_at;
}

static void check_not_in_raft(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE(place, diagnosis)
	{
		struct finding *finding;

		if (!place->wanted || !place->answered || place->explained || place->peer || !diagnosis->peers_of ||
		    !works(diagnosis))
			continue;
		finding =
		    diagnosis_add(diagnosis, "not-in-raft", place, "%s is alive but no raft peer", place_name(place));
		if (place->server->view.self_known && !place->server->view.self.is_server)
			finding_set_cause(finding, "its agent runs as a client, without -server");
		else if (running_for(diagnosis, place) < STABILIZATION_S)
			finding_set_cause(finding, "started a moment ago; the leader adds it within a minute");
		else
			finding_set_cause(
			    finding,
			    "the leader does not add it: datacenter, raft protocol or node id; its log says why");
		set_consul_command(diagnosis, "health --watch", finding);
		place->explained = true;
	}
}

static void check_not_voter(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE(place, diagnosis)
	{
		struct finding *finding;

		if (!place->wanted || !place->answered || place->explained || !place->peer || place->peer->voter ||
		    !works(diagnosis))
			continue;
		finding = diagnosis_add(diagnosis, "not-voter", place, "%s is a raft peer but does not vote",
		                        place_name(place));
		if (running_for(diagnosis, place) < STABILIZATION_S) {
			finding_set_cause(finding,
			                  "started %" PRId64
			                  " s ago: it votes after 10 s of stability (server_stabilization_time)",
			                  running_for(diagnosis, place));
			set_consul_command(diagnosis, "health --wait", finding);
		} else {
			finding_set_cause(
			    finding,
			    "autopilot does not find it stable (it lags or loses the leader), or it is a read replica");
			set_logs_command(diagnosis, place, false, finding);
		}
		place->explained = true;
	}
}

static void check_no_leader_known(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE(place, diagnosis)
	{
		const struct view *view = &place->server->view;
		struct finding *finding;

		if (place->explained || !view->self_known || view->self.leader_address || !works(diagnosis))
			continue;
		finding = diagnosis_add(diagnosis, "no-leader-known", place, "%s knows no leader (%s)",
		                        place_name(place), raft_role_name(view->self.role));
		finding_set_cause(finding, "started a moment ago, or %s does not reach its port 8300",
		                  diagnosis->assessment->leader_name);
		set_logs_command(diagnosis, place, false, finding);
		place->explained = true;
	}
}

static void check_old_address(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE(place, diagnosis)
	{
		struct finding *finding;

		if (place->explained || !place->wanted || !place->answered || !place->peer || place->live ||
		    !works(diagnosis))
			continue;
		finding = diagnosis_add(diagnosis, "dead-peer", place, "raft knows %s under %s, but its pod has %s",
		                        place_name(place), place->peer->address,
		                        place->server->pod.ip ? place->server->pod.ip : "no address");
		finding_set_cause(finding,
		                  "its pod was made anew; the leader replaces the address within a minute or so");
		set_consul_command(diagnosis, "health --watch", finding);
		place->explained = true;
	}
}

static void check_lag(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE(place, diagnosis)
	{
		const struct server_status *status = &diagnosis->assessment->servers[place - diagnosis->places];
		const struct self *self = &place->server->view.self;
		bool is_behind = status->lag_known && status->lag > LAG_MAX_ENTRIES;
		bool is_late =
		    place->server->view.self_known && self->last_contact_ms > LAST_CONTACT_MAX_MS && !status->leader;
		struct finding *finding;

		if (place->explained || !place->wanted || !works(diagnosis) || (!is_behind && !is_late))
			continue;
		if (is_behind)
			finding = diagnosis_add(diagnosis, "lag", place, "%s is %" PRIu64 " log entries behind %s",
			                        place_name(place), status->lag, diagnosis->assessment->leader_name);
		else
			finding =
			    diagnosis_add(diagnosis, "lag", place, "%s has not heard the leader for %" PRId64 " s",
			                  place_name(place), self->last_contact_ms / 1000);
		finding_set_cause(finding,
		                  "it catches up after a start; otherwise its disk, CPU or network is too slow");
		finding_set_command(finding, "kubectl top pod %s -n %s", place->word, diagnosis->namespace_word);
	}
}

/* ------------------------------------------------------------------------------- the number of voters */

static void check_redundancy(struct diagnosis *diagnosis)
{
	const struct quorum *quorum = &diagnosis->assessment->quorum;

	if (!quorum->known || !works(diagnosis) || quorum->tolerance > 0 || diagnosis->snapshot->set.replicas < 3 ||
	    diagnosis_has(diagnosis, SEVERITY_DEGRADED))
		return;
	diagnosis_add(diagnosis, "redundancy-lost", NULL,
	              "%" PRId64 " voters live and %" PRId64 " are needed: the next failure stops the cluster",
	              quorum->live_voters, quorum->quorum);
}

static void check_even_voters(struct diagnosis *diagnosis)
{
	const struct quorum *quorum = &diagnosis->assessment->quorum;
	struct finding *finding;

	if (!quorum->known || quorum->voters % 2 != 0 || quorum->voters < 4 ||
	    diagnosis_has(diagnosis, SEVERITY_DEGRADED))
		return;
	finding = diagnosis_add(diagnosis, "even-voters", NULL,
	                        "%" PRId64 " voters tolerate no more failures than %" PRId64 " would", quorum->voters,
	                        quorum->voters - 1);
	finding_set_cause(finding, "the StatefulSet has %" PRId64 " replicas", diagnosis->snapshot->set.replicas);
	if (diagnosis->snapshot->set.replicas == quorum->voters) {
		_cleanup_free_ char *words = xasprintf("scale %" PRId64, quorum->voters + 1);

		set_consul_command(diagnosis, words, finding);
	}
}

diagnosis_check *const raft_checks[] = {
	check_quorum_lost,
	check_no_leader,
	check_leaders_disagree,
	check_peers_disagree,
	check_raft_unknown,
	check_dead_peers,
	check_not_in_raft,
	check_not_voter,
	check_no_leader_known,
	check_old_address,
	check_lag,
	check_redundancy,
	check_even_voters,
	NULL,
};
