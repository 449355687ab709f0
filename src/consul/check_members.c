/* Findings 3xx: gossip, who sees whom and how. See include/consul/diagnosis.h. Clients are left out everywhere. */
#include "consul/diagnosis.h"

#include <assert.h>

#include "consul/remedy.h"
#include "consul/value.h"
#include "util/mem.h"

/* Wanted, running, answering, and with no known problem: what the others say of it is news. */
static bool should_be_fine(const struct place *place)
{
	return place->wanted && place->answered && !place->explained;
}

/* What the list has is the pod before: the one that runs now is not known yet. */
static void set_former_cause(struct finding *finding, const struct place *place)
{
	finding_set_cause(finding, "that is its former address, %s; with the new one, %s, it has not joined yet",
	                  place->member->address, place->server->pod.ip);
}

static bool is_pods_address(const struct diagnosis *diagnosis, const char *address)
{
	FOR_EACH_PLACE (place, diagnosis)
		if (str_equal(place->server->pod.ip, address))
			return true;
	return false;
}

/*
 * It sees nobody but itself, and started more than a moment ago; it does not even know where the others are. Consul's
 * retry_join ends with its first success, be that with the server's own address, or with one that has ended since; then
 * nobody looks for anybody any more.
 */
static bool is_stuck(const struct diagnosis *diagnosis, const struct place *place)
{
	const struct view *view = &place->server->view;

	if (!view->members_known || !place_has_settled(diagnosis, place))
		return false;
	for (size_t i = 0; i < view->member_count; i++) {
		const struct member *member = &view->members[i];

		if (member->is_server && !str_equal(member->address, place->server->pod.ip) &&
		    (member->status == MEMBER_ALIVE || is_pods_address(diagnosis, member->address)))
			return false;
	}
	return true;
}

/* True: that is why, and what helps is said. */
static bool explain_stuck(const struct diagnosis *diagnosis, const struct place *place, struct finding *finding)
{
	const char *address = diagnosis->members_of->pod.ip;

	if (!address || diagnosis->members_of == place->server || !is_stuck(diagnosis, place))
		return false;
	finding_set_cause(finding, "it sees nobody but itself, and looks no further: retry_join ends with its first "
	                           "success, be that its own address");
	remedy_join(diagnosis, place, address, finding);
	return true;
}

static void check_failed(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE (place, diagnosis) {
		struct finding *finding;

		if (!should_be_fine(place) || !place->member ||
		    (place->member->status != MEMBER_FAILED && place->member->status != MEMBER_UNKNOWN))
			continue;
		finding = diagnosis_add(diagnosis, "member-failed", place, "%s answers, but %s has it as %s",
		                        place_name(place), diagnosis->members_of->name,
		                        member_status_name(place->member->status));
		place->explained = true;
		if (place_has_former_entry(place) && explain_stuck(diagnosis, place, finding))
			continue;
		if (place_has_former_entry(place))
			set_former_cause(finding, place);
		else
			finding_set_cause(finding, "just restarted; or gossip (port 8301, TCP and UDP) between its "
			                           "node and the others is cut");
		remedy_health(diagnosis, place_has_former_entry(place) ? "--watch" : "--members", finding);
	}
}

/* True: it has not left, the others only believe so. scale has it join once more. */
static bool explain_goodbye(const struct diagnosis *diagnosis, const struct place *place, struct finding *finding)
{
	const struct server *believer = place_goodbye_at(diagnosis, place);

	if (!believer || !place_has_settled(diagnosis, place))
		return false;
	finding_set_cause(finding,
	                  "it has not: a goodbye of the server before it, or one said of it, came to %s after its "
	                  "join; that stays until it joins once more",
	                  believer->name);
	remedy_scale(diagnosis, diagnosis->snapshot->set.replicas, finding);
	return true;
}

static void check_left(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE (place, diagnosis) {
		struct finding *finding;

		if (!should_be_fine(place) || !place->member ||
		    (place->member->status != MEMBER_LEFT && place->member->status != MEMBER_LEAVING))
			continue;
		finding = diagnosis_add(diagnosis, "member-left", place, "%s runs, but has left the cluster (%s)",
		                        place_name(place), member_status_name(place->member->status));
		place->explained = true;
		if (explain_stuck(diagnosis, place, finding) || explain_goodbye(diagnosis, place, finding))
			continue;
		if (place_has_former_entry(place))
			set_former_cause(finding, place);
		else
			finding_set_cause(finding, "it said goodbye (`consul leave`, or a stop with "
			                           "leave_on_terminate) and has not joined again");
		remedy_logs(diagnosis, place, false, finding);
	}
}

static void check_missing(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE (place, diagnosis) {
		const struct view *view = &place->server->view;
		struct finding *finding;

		if (!should_be_fine(place) || place->member || !diagnosis->members_of)
			continue;
		finding =
		    diagnosis_add(diagnosis, "member-missing", place, "%s runs, but is no member of the cluster of %s",
		                  place_name(place), diagnosis->members_of->name);
		place->explained = true;
		if (view->self.role != RAFT_LEADER && explain_stuck(diagnosis, place, finding))
			continue;
		if (view->self_known && view->self.role == RAFT_LEADER)
			finding_set_cause(finding, "it leads a cluster of its own: started without data, with "
			                           "`bootstrap` or bootstrap_expect 1");
		else if (diagnosis_is_stranger(diagnosis, place))
			finding_set_cause(
			    finding,
			    "two clusters: its raft peers and those of %s have nothing in common; servers "
			    "without data that do not find the others begin a cluster of their own",
			    diagnosis->peers_of->name);
		else
			finding_set_cause(
			    finding,
			    "retry_join does not reach the others, or gossip key, datacenter or TLS do not fit");
		if (diagnosis_is_stranger(diagnosis, place))
			finding_set_command(finding, "kubectl consul explain CON403");
		else
			remedy_logs(diagnosis, place, false, finding);
	}
}

/* ------------------------------------------------------------------------ members that are no pod of ours */

/* The i-th of the member list that counts is a server, none of ours, with a status in the set of bits. */
static bool is_other(const struct diagnosis *diagnosis, size_t i, unsigned int statuses)
{
	const struct member *member = &diagnosis->members_of->view.members[i];

	return member->is_server && !diagnosis->member_taken[i] && (statuses & 1u << member->status);
}

/* "NAME (ADDRESS)" of each of them. */
static void list_others(const struct diagnosis *diagnosis, unsigned int statuses, struct strv *ret_names)
{
	const struct view *view = diagnosis->members_of ? &diagnosis->members_of->view : NULL;

	for (size_t i = 0; view && i < view->member_count; i++)
		if (is_other(diagnosis, i, statuses))
			strv_addf(ret_names, "%s (%s)", view->members[i].name, view->members[i].address);
}

/* The failed others: their names, as reap wants them, and how many are voters still. */
static size_t list_failed_nodes(const struct diagnosis *diagnosis, struct strv *ret_nodes)
{
	const struct view *members = &diagnosis->members_of->view;
	size_t voting = 0;

	for (size_t i = 0; i < members->member_count; i++) {
		const struct peer *peer;

		if (!is_other(diagnosis, i, 1u << MEMBER_FAILED))
			continue;
		strv_add(ret_nodes, members->members[i].name);
		peer = diagnosis_peer_of_member(diagnosis, &members->members[i]);
		voting += peer && peer->voter;
	}
	return voting;
}

static void check_leftover_failed(struct diagnosis *diagnosis)
{
	_cleanup_strv_ struct strv names = STRV_INIT, nodes = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	struct finding *finding;
	size_t voting;

	list_others(diagnosis, 1u << MEMBER_FAILED, &names);
	if (names.count == 0)
		return;
	list = list_names(&names);
	voting = list_failed_nodes(diagnosis, &nodes);
	if (names.count == 1)
		finding = diagnosis_add(diagnosis, "leftover-failed", NULL, "failed and without a pod: %s%s", list,
		                        voting == 1 ? ", still a voter in raft" : "");
	else
		finding = diagnosis_add(diagnosis, "leftover-failed", NULL,
		                        "failed and without a pod: %s; %zu of them still %s in raft", list, voting,
		                        voting == 1 ? "votes" : "vote");
	finding_set_cause(finding, "scaled away, or renamed, without leaving; autopilot has not removed %s",
	                  names.count == 1 ? "it" : "them");
	if (diagnosis->leader_address)
		remedy_reap(diagnosis, &nodes, finding);
}

static void check_leftover_left(struct diagnosis *diagnosis)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	struct finding *finding;

	list_others(diagnosis, 1u << MEMBER_LEFT, &names);
	if (names.count == 0)
		return;
	list = list_names(&names);
	finding = diagnosis_add(diagnosis, "leftover-left", NULL, "left in good order and still listed: %s", list);
	finding_set_cause(finding, "a scale-down; Consul forgets them after 72 hours");
}

/* All of them have names that pods of this StatefulSet have. */
static bool are_of_this_set(const struct diagnosis *diagnosis, unsigned int statuses)
{
	const struct view *view = &diagnosis->members_of->view;

	for (size_t i = 0; i < view->member_count; i++)
		if (is_other(diagnosis, i, statuses) &&
		    kube_ordinal(diagnosis->snapshot->set.name, view->members[i].name) < 0)
			return false;
	return true;
}

static void check_elsewhere(struct diagnosis *diagnosis)
{
	const unsigned int statuses = 1u << MEMBER_ALIVE | 1u << MEMBER_LEAVING | 1u << MEMBER_UNKNOWN;
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	struct finding *finding;

	list_others(diagnosis, statuses, &names);
	if (names.count == 0)
		return;
	list = list_names(&names);
	finding =
	    diagnosis_add(diagnosis, "member-elsewhere", NULL, "%s: alive in this cluster, but none of its pods", list);
	if (are_of_this_set(diagnosis, statuses))
		finding_set_cause(finding, "scaled away a moment ago and not missed yet; or a pod of that name in "
		                           "another namespace joined this cluster");
	else
		finding_set_cause(
		    finding, "a server on a machine, or in another StatefulSet or namespace, that joined this cluster");
	for (size_t i = 0; i < diagnosis->members_of->view.member_count; i++) {
		if (!is_other(diagnosis, i, statuses))
			continue;
		remedy_find_address(diagnosis->members_of->view.members[i].address, finding);
		return;
	}
}

/* ------------------------------------------------------------------------------- views compared */

static int compare_members(const void *a, const void *b)
{
	return strcmp((*(const struct member *const *)a)->name, (*(const struct member *const *)b)->name);
}

/* The servers of a view by name; the array is owned by the caller. */
static const struct member **sorted_servers(const struct view *view, size_t *ret_count)
{
	const struct member **list = xcalloc(view->member_count + 1, sizeof(*list));
	size_t count = 0;

	for (size_t i = 0; i < view->member_count; i++)
		if (view->members[i].is_server)
			list[count++] = &view->members[i];
	qsort(list, count, sizeof(*list), compare_members);
	*ret_count = count;
	return list;
}

static const char *seen_as(const struct member *member)
{
	return member ? member_status_name(member->status) : "not at all";
}

/* One that is gone and that the one list still has, while the other has forgotten it: no disagreement worth a word. */
static bool is_worth_telling(const struct diagnosis *diagnosis, const struct member *here, const struct member *there)
{
	const struct member *member = here ? here : there;

	assert(member);
	FOR_EACH_PLACE (place, diagnosis)
		if (place->member && str_equal(place->member->name, member->name))
			return !place->explained;
	return (here && here->status == MEMBER_ALIVE) || (there && there->status == MEMBER_ALIVE);
}

struct comparison {
	struct diagnosis *diagnosis;
	const struct place *viewer;
	struct strv differences; /* worth telling */
};

static void compare_one(struct comparison *comparison, const struct member *here, const struct member *there)
{
	const struct diagnosis *diagnosis = comparison->diagnosis;
	const char *name;

	if (here && there && here->status == there->status && str_equal(here->address, there->address))
		return;
	diagnosis->assessment->views_agree = false;
	if (comparison->viewer->explained || !is_worth_telling(diagnosis, here, there))
		return;
	name = here ? here->name : there ? there->name : "";
	if (here && there && here->status == there->status)
		strv_addf(&comparison->differences, "%s sees %s at %s, %s at %s", place_name(comparison->viewer), name,
		          here->address, diagnosis->members_of->name, there->address);
	else
		strv_addf(&comparison->differences, "%s sees %s %s%s, %s %s%s", place_name(comparison->viewer), name,
		          here ? "as " : "", seen_as(here), diagnosis->members_of->name, there ? "as " : "",
		          seen_as(there));
}

static void compare_view(struct comparison *comparison, const struct member **reference, size_t reference_count)
{
	size_t count, i = 0, k = 0;
	const struct member **list = sorted_servers(&comparison->viewer->server->view, &count);

	while (i < count || k < reference_count) {
		int order = i == count ? 1 : k == reference_count ? -1 : strcmp(list[i]->name, reference[k]->name);

		compare_one(comparison, order <= 0 ? list[i] : NULL, order >= 0 ? reference[k] : NULL);
		i += order <= 0;
		k += order >= 0;
	}
	free(list);
}

static void check_views_disagree(struct diagnosis *diagnosis)
{
	struct comparison comparison = { .diagnosis = diagnosis };
	_cleanup_free_ char *list = NULL;
	const struct member **reference;
	size_t reference_count;

	diagnosis->assessment->views_agree = true;
	if (!diagnosis->members_of)
		return;
	reference = sorted_servers(&diagnosis->members_of->view, &reference_count);
	FOR_EACH_PLACE (place, diagnosis) {
		if (!place->server->view.members_known || place->server == diagnosis->members_of)
			continue;
		comparison.viewer = place;
		compare_view(&comparison, reference, reference_count);
	}
	free(reference);
	if (comparison.differences.count > 0) {
		struct finding *finding;

		list = list_names(&comparison.differences);
		finding = diagnosis_add(diagnosis, "views-disagree", NULL, "%s", list);
		finding_set_cause(
		    finding,
		    "a change a few seconds ago, or a network (port 8301, TCP and UDP) that is cut between some pods");
		remedy_health(diagnosis, "--members", finding);
		FOR_EACH_PLACE (place, diagnosis)
			if (place->wanted && explain_goodbye(diagnosis, place, finding))
				break;
	}
	strv_release(&comparison.differences);
}

diagnosis_check *const member_checks[] = {
	check_failed,        check_left,      check_missing,        check_leftover_failed,
	check_leftover_left, check_elsewhere, check_views_disagree, NULL,
};
