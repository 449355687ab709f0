/* Findings 404 and on: raft, who votes, who counts. See include/consul/diagnosis.h. */
#include "consul/diagnosis.h"

#include <assert.h>
#include <inttypes.h>

#include "consul/refusal.h"
#include "consul/remedy.h"
#include "consul/value.h"
#include "util/clock.h"
#include "util/mem.h"

/* --------------------------------------------------------------------------------------- peer sets */

static int compare_peers(const void *a, const void *b)
{
	return strcmp((*(const struct peer *const *)a)->address, (*(const struct peer *const *)b)->address);
}

/* The peers of a view by address; the array is owned by the caller. */
static const struct peer **sorted_peers(const struct view *view)
{
	const struct peer **list = xcalloc(view->peer_count + 1, sizeof(*list));

	for (size_t i = 0; i < view->peer_count; i++)
		list[i] = &view->peers[i];
	qsort(list, view->peer_count, sizeof(*list), compare_peers);
	return list;
}

static void compare_pair(const struct peer *here, const struct peer *there, const char *who, const char *other,
                         struct strv *ret_differences)
{
	assert(here || there);
	if (!here || !there)
		strv_addf(ret_differences, "only %s has %s", here ? who : other, (here ? here : there)->address);
	else if (here->voter != there->voter)
		strv_addf(ret_differences, "only for %s %s votes", here->voter ? who : other, here->address);
}

/* What the set of place and the one that counts (sorted) do not have in common. */
static void list_differences(const struct diagnosis *diagnosis, const struct place *place,
                             const struct peer *const *counting, struct strv *ret_differences)
{
	size_t count = place->server->view.peer_count, counting_count = diagnosis->peers_of->view.peer_count;
	const struct peer **list = sorted_peers(&place->server->view);
	size_t i = 0, k = 0;

	while (i < count || k < counting_count) {
		int order = i == count ? 1 : k == counting_count ? -1 : strcmp(list[i]->address, counting[k]->address);

		compare_pair(order <= 0 ? list[i] : NULL, order >= 0 ? counting[k] : NULL, place_name(place),
		             diagnosis->peers_of->name, ret_differences);
		i += order <= 0;
		k += order >= 0;
	}
	free(list);
}

static void add_peers_disagree(struct diagnosis *diagnosis, struct place *place, const struct strv *differences)
{
	_cleanup_free_ char *list = list_names(differences);
	struct finding *finding =
	    diagnosis_add(diagnosis, "peers-disagree", place, "the raft peers of %s and %s differ: %s",
	                  place_name(place), diagnosis->peers_of->name, list);

	finding_set_cause(finding, "%s",
	                  place->server->view.peer_count == 0 ? "it lost its data directory"
	                                                      : "it lags, or the leader does not reach its port 8300");
	remedy_logs(diagnosis, place, false, finding);
	place->explained = true;
}

static void check_peers_disagree(struct diagnosis *diagnosis)
{
	const struct peer **counting;

	if (!diagnosis->peers_of || (diagnosis->leaders_disagree && diagnosis_find_stranger(diagnosis)))
		return;
	counting = sorted_peers(&diagnosis->peers_of->view);
	FOR_EACH_PLACE (place, diagnosis) {
		const struct view *view = &place->server->view;
		_cleanup_strv_ struct strv differences = STRV_INIT;

		if (!view->peers_known || place->explained ||
		    (view->peer_count == 0 && (!place->peer || !diagnosis_has_quorum(diagnosis))))
			continue;
		list_differences(diagnosis, place, counting, &differences);
		if (differences.count > 0)
			add_peers_disagree(diagnosis, place, &differences);
	}
	free(counting);
}

static void check_raft_unknown(struct diagnosis *diagnosis)
{
	const struct err *err = NULL;
	struct finding *finding;

	if (diagnosis->answered == 0 || diagnosis->peers_of ||
	    !(diagnosis->leader_address || refusal_hides_leader(diagnosis)))
		return;
	FOR_EACH_PLACE (place, diagnosis)
		if (!err && place->answered && err_is_set(&place->server->view.peers_err))
			err = &place->server->view.peers_err;
	finding = diagnosis_add(diagnosis, "raft-unknown", NULL, "no server tells who votes%s%s", err ? ": " : "",
	                        err ? err->message : "");
	finding_set_cause(finding, err && refusal_is_acl(err) ? "no token, or one that lacks operator = \"read\""
	                                                      : "this Consul may be too old to tell");
	remedy_explain(finding);
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
	FOR_EACH_PLACE (place, diagnosis)
		if (place->peer && ((peer->id && str_equal(peer->id, place->peer->id)) ||
		                    (peer->name && str_equal(peer->name, place->server->name))))
			return place;
	return NULL;
}

/* By the server's name; by id, or else address, where nobody knows that. */
static void reap_peer(const struct diagnosis *diagnosis, const struct peer *peer, struct finding *finding)
{
	_cleanup_strv_ struct strv names = STRV_INIT;

	if (peer->name)
		strv_add(&names, peer->name);
	else
		strv_add(&names, str_is_empty(peer->id) ? peer->address : peer->id);
	remedy_reap(diagnosis, &names, finding);
}

static void check_dead_peers(struct diagnosis *diagnosis)
{
	const struct view *view = diagnosis->peers_of ? &diagnosis->peers_of->view : NULL;

	/* Without a quorum nobody can remove them, and quorum-lost has named the voters. */
	if (!diagnosis_has_quorum(diagnosis))
		return;
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
		if (!diagnosis->leader_address)
			continue;
		if (former)
			remedy_health(diagnosis, "--watch", finding);
		else
			reap_peer(diagnosis, peer, finding);
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
	FOR_EACH_PLACE (place, diagnosis) {
		struct finding *finding;

		if (!place->wanted || !place->answered || place->explained || place->peer || !diagnosis->peers_of ||
		    !diagnosis_works(diagnosis))
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
		remedy_health(diagnosis, "--watch", finding);
		place->explained = true;
	}
}

static void check_not_voter(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE (place, diagnosis) {
		struct finding *finding;

		if (!place->wanted || !place->answered || place->explained || !place->peer || place->peer->voter ||
		    !diagnosis_works(diagnosis))
			continue;
		finding = diagnosis_add(diagnosis, "not-voter", place, "%s is a raft peer but does not vote",
		                        place_name(place));
		if (running_for(diagnosis, place) < STABILIZATION_S) {
			finding_set_cause(finding,
			                  "started %" PRId64
			                  " s ago: it votes after 10 s of stability (server_stabilization_time)%s",
			                  running_for(diagnosis, place),
			                  running_for(diagnosis, place) > 20 ? ", counted from the last election" : "");
			remedy_health(diagnosis, "--wait", finding);
		} else {
			finding_set_cause(
			    finding,
			    "autopilot does not find it stable (it lags or loses the leader), or it is a read replica");
			remedy_logs(diagnosis, place, false, finding);
		}
		place->explained = true;
	}
}

static void check_no_leader_known(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE (place, diagnosis) {
		const struct view *view = &place->server->view;
		struct finding *finding;

		if (place->explained || !view->self_known || view->self.leader_address || !diagnosis_works(diagnosis))
			continue;
		finding = diagnosis_add(diagnosis, "no-leader-known", place, "%s knows no leader (%s)",
		                        place_name(place), raft_role_name(view->self.role));
		finding_set_cause(finding, "%s%s and it do not reach each other's port 8300 (network)",
		                  running_for(diagnosis, place) < STABILIZATION_S ? "started a moment ago, or " : "",
		                  diagnosis->assessment->leader_name);
		remedy_logs(diagnosis, place, false, finding);
		place->explained = true;
	}
}

static void check_old_address(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE (place, diagnosis) {
		struct finding *finding;

		if (place->explained || !place->wanted || !place->answered || !place->peer || place->live ||
		    !diagnosis_works(diagnosis))
			continue;
		finding = diagnosis_add(diagnosis, "dead-peer", place, "raft knows %s under %s, but its pod has %s",
		                        place_name(place), place->peer->address,
		                        place->server->pod.ip ? place->server->pod.ip : "no address");
		finding_set_cause(finding,
		                  "its pod was made anew; the leader replaces the address within a minute or so");
		remedy_health(diagnosis, "--watch", finding);
		place->explained = true;
	}
}

static void check_lag(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE (place, diagnosis) {
		const struct server_status *status = &diagnosis->assessment->servers[place - diagnosis->places];
		const struct self *self = &place->server->view.self;
		bool is_behind = status->lag_known && status->lag > LAG_MAX_ENTRIES;
		bool is_late =
		    place->server->view.self_known && self->last_contact_ms > LAST_CONTACT_MAX_MS && !status->leader;
		struct finding *finding;

		if (place->explained || !place->wanted || !diagnosis_works(diagnosis) || (!is_behind && !is_late))
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
		remedy_health(diagnosis, "--watch", finding);
	}
}

/* ------------------------------------------------------------------------------- the number of voters */

static void check_redundancy(struct diagnosis *diagnosis)
{
	const struct quorum *quorum = &diagnosis->assessment->quorum;
	const struct view *view = diagnosis->peers_of ? &diagnosis->peers_of->view : NULL;
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	struct finding *finding;

	if (!quorum->known || !diagnosis_works(diagnosis) || quorum->tolerance > 0 ||
	    diagnosis->snapshot->set.replicas < 3 || diagnosis_has(diagnosis, SEVERITY_DEGRADED))
		return;
	finding =
	    diagnosis_add(diagnosis, "redundancy-lost", NULL,
	                  "%" PRId64 " voters live and %" PRId64 " are needed: the next failure stops the cluster",
	                  quorum->live_voters, quorum->quorum);
	for (size_t i = 0; view && i < view->peer_count; i++)
		if (view->peers[i].voter && !diagnosis->peer_taken[i])
			strv_add(&names, view->peers[i].name ? view->peers[i].name : view->peers[i].address);
	if (names.count == 0)
		return;
	list = list_names(&names);
	finding_set_cause(finding, "%s vote%s and cannot be asked from here: counted as dead", list,
	                  names.count == 1 ? "s" : "");
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
	if (diagnosis->snapshot->set.replicas == quorum->voters)
		remedy_scale(diagnosis, quorum->voters + 1, finding);
}

diagnosis_check *const raft_checks[] = {
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
