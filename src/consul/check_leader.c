/* Findings 401 to 403: is there a quorum, is there a leader, is it one. See include/consul/diagnosis.h. */
#include "consul/refusal.h"
#include "consul/remedy.h"

#include <inttypes.h>

#include "util/mem.h"

/* Names of the voters that count as dead, and whether all of them are servers that may come back with their data. */
static void list_dead_voters(const struct diagnosis *diagnosis, struct strv *ret_names, bool *ret_may_come_back)
{
	const struct view *view = &diagnosis->peers_of->view;

	*ret_may_come_back = true;
	FOR_EACH_PLACE (place, diagnosis) {
		if (!place->peer || !place->peer->voter || place->live)
			continue;
		strv_add(ret_names, place_name(place));
		*ret_may_come_back &= !place_is_empty(place);
	}
	for (size_t i = 0; i < view->peer_count; i++) {
		const struct peer *peer = &view->peers[i];

		if (!peer->voter || diagnosis->peer_taken[i])
			continue;
		*ret_may_come_back = false;
		strv_add(ret_names, peer->name ? peer->name : peer->address);
	}
}

/* Servers that were made anew in place of voters: "consul-1 and consul-2 run"; NULL: there are none. */
static char *list_empty(const struct diagnosis *diagnosis)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;

	FOR_EACH_PLACE (place, diagnosis)
		if (place->wanted && place_is_empty(place))
			strv_add(&names, place_name(place));
	if (names.count == 0)
		return NULL;
	list = list_names(&names);
	return xasprintf("%s run%s", list, names.count == 1 ? "s" : "");
}

/* All voters that count as dead run and answer: raft has former addresses of theirs. */
static bool only_moved(const struct diagnosis *diagnosis)
{
	const struct view *view = &diagnosis->peers_of->view;

	for (size_t i = 0; i < view->peer_count; i++)
		if (view->peers[i].voter && !diagnosis->peer_taken[i])
			return false;
	FOR_EACH_PLACE (place, diagnosis)
		if (place->peer && place->peer->voter && !place->live && (!place->answered || place_is_empty(place)))
			return false;
	return true;
}

static void check_quorum_lost(struct diagnosis *diagnosis)
{
	const struct quorum *quorum = &diagnosis->assessment->quorum;
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL, *empty = NULL;
	struct finding *finding;
	bool may_come_back;

	if (diagnosis->answered == 0 || diagnosis_has_quorum(diagnosis))
		return;
	list_dead_voters(diagnosis, &names, &may_come_back);
	empty = list_empty(diagnosis);
	list = list_names(&names);
	finding = diagnosis_add(diagnosis, "quorum-lost", NULL,
	                        "%" PRId64 " of %" PRId64 " voters %s, %" PRId64 " are needed; dead or silent: %s",
	                        quorum->live_voters, quorum->voters, quorum->live_voters == 1 ? "lives" : "live",
	                        quorum->quorum, list);
	if (diagnosis->leader_address)
		finding_set_cause(finding, "%s still leads, so some of them may live and only cannot be asked",
		                  diagnosis->assessment->leader_name);
	else if (only_moved(diagnosis))
		finding_set_cause(finding,
		                  "they run again under other addresses; raft takes some seconds to find them");
	else if (may_come_back)
		finding_set_cause(
		    finding,
		    "their pods do not run or do not answer; back with their claims, the cluster heals by itself");
	else if (empty)
		finding_set_cause(finding, "%s without data in place of voters that are gone: new volumes", empty);
	else
		finding_set_cause(finding, "voters that have no pod any more: they cannot come back by themselves");
	if (only_moved(diagnosis))
		remedy_health(diagnosis, "--watch", finding);
	else if (may_come_back)
		remedy_list_pods(diagnosis, finding);
	else
		remedy_explain(finding);
}

/* Why a cluster that never had a leader has none. NULL: it had one, or nobody tells. */
static char *bootstrap_cause(const struct diagnosis *diagnosis)
{
	int64_t expect = 0, other = 0;

	FOR_EACH_PLACE (place, diagnosis) {
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
	    !diagnosis_has_quorum(diagnosis) || refusal_hides_leader(diagnosis))
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
	remedy_health(diagnosis, "--watch", finding);
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

static void check_leaders_disagree(struct diagnosis *diagnosis)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	const struct place *stranger;
	struct finding *finding;

	if (!diagnosis->leaders_disagree)
		return;
	FOR_EACH_PLACE (place, diagnosis) {
		const char *address = followed_address(&place->server->view);

		if (address)
			strv_addf(&names, "%s follows %s", place_name(place), address);
	}
	list = list_names(&names);
	finding = diagnosis_add(diagnosis, "leaders-disagree", NULL, "%s", list);
	stranger = diagnosis_find_stranger(diagnosis);
	if (stranger)
		finding_set_cause(finding, "two clusters: the raft peers of %s and %s have nothing in common",
		                  place_name(stranger), diagnosis->peers_of->name);
	else
		finding_set_cause(finding, "leadership is moving at this moment, or the network is cut in two");
	if (stranger)
		remedy_explain(finding);
	else
		remedy_health(diagnosis, "--watch", finding);
}

diagnosis_check *const leader_checks[] = { check_quorum_lost, check_no_leader, check_leaders_disagree, NULL };
