/* Findings 401 to 403: is there a quorum, is there a leader, is it one. See include/consul/diagnosis.h. */
#include "consul/claim_age.h"
#include "consul/refusal.h"
#include "consul/remedy.h"

#include <inttypes.h>

#include "util/mem.h"

/* The voters that count as dead, by what can be expected of them. Strings: names, or an address, or an id. */
struct loss {
	struct strv dead;    /* all of them */
	struct strv back;    /* may come back by themselves, with their data */
	struct strv scaled;  /* were scaled away, and their claims are there */
	struct strv renewed; /* have a new volume, and do not run on it yet */
	struct strv empty;   /* servers that run without data, be there a voter of their name or not */
	int64_t heard_at;    /* of consul/claim_age.h */
};

static void loss_release(struct loss *loss)
{
	strv_release(&loss->dead);
	strv_release(&loss->back);
	strv_release(&loss->scaled);
	strv_release(&loss->renewed);
	strv_release(&loss->empty);
}

enum volume { VOLUME_UNKNOWN, VOLUME_NONE, VOLUME_OLD, VOLUME_NEW };

/* NEW: made when the voter was lost already, so that there is none of its data on it. */
static enum volume volume_of(const struct diagnosis *diagnosis, int64_t ordinal, int64_t heard_at)
{
	const struct snapshot *snapshot = diagnosis->snapshot;

	if (!snapshot->claims_known || ordinal < 0)
		return VOLUME_UNKNOWN;
	for (size_t i = 0; i < snapshot->claim_count; i++) {
		const struct kube_claim *claim = &snapshot->claims[i];

		if (snapshot_claim_ordinal(snapshot, claim->name) != ordinal)
			continue;
		return claim_age_is_newer(claim->created_at, heard_at) ? VOLUME_NEW : VOLUME_OLD;
	}
	return snapshot->set.claim_templates.count > 0 ? VOLUME_NONE : VOLUME_UNKNOWN;
}

static void sort_place(const struct diagnosis *diagnosis, const struct place *place, struct loss *loss)
{
	enum volume volume = volume_of(diagnosis, place->server->ordinal, loss->heard_at);

	strv_add(&loss->dead, place_name(place));
	if (place_is_empty(place))
		return;
	if (!place->wanted && !place->running && volume == VOLUME_OLD)
		strv_add(&loss->scaled, place_name(place));
	else if (!place->answered && volume == VOLUME_NEW)
		strv_add(&loss->renewed, place_name(place));
	else if (place->running || volume != VOLUME_NONE)
		strv_add(&loss->back, place_name(place));
}

/* The pod that a peer without one had, by its member; NULL: nobody tells. */
static const char *name_of_peer(const struct diagnosis *diagnosis, const struct peer *peer)
{
	const struct view *view = diagnosis->members_of ? &diagnosis->members_of->view : NULL;

	for (size_t i = 0; view && i < view->member_count; i++)
		if (view->members[i].is_server && diagnosis_peer_of_member(diagnosis, &view->members[i]) == peer)
			return view->members[i].name;
	return peer->name;
}

/* Claims of servers that are not wanted, and whose pods are gone: as many voters without a name may be theirs. */
static void match_claims(const struct diagnosis *diagnosis, size_t nameless, struct loss *loss)
{
	const struct snapshot *snapshot = diagnosis->snapshot;

	for (size_t i = 0; i < snapshot->claim_count && nameless > 0; i++) {
		int64_t ordinal = snapshot_claim_ordinal(snapshot, snapshot->claims[i].name);
		_cleanup_free_ char *name = xasprintf("%s-%" PRId64, snapshot->set.name, ordinal);

		if (ordinal < 0 || snapshot_wants_ordinal(snapshot, ordinal) || snapshot->claims[i].deleting ||
		    snapshot_server_by_name(snapshot, name) || strv_contains(&loss->scaled, name))
			continue;
		strv_add(&loss->scaled, name);
		nameless--;
	}
}

static void sort_peers(const struct diagnosis *diagnosis, struct loss *loss)
{
	const struct view *view = &diagnosis->peers_of->view;
	const struct snapshot *snapshot = diagnosis->snapshot;
	size_t nameless = 0;

	for (size_t i = 0; i < view->peer_count; i++) {
		const struct peer *peer = &view->peers[i];
		const char *name = name_of_peer(diagnosis, peer);
		int64_t ordinal = name ? kube_ordinal(snapshot->set.name, name) : -1;

		if (!peer->voter || diagnosis->peer_taken[i])
			continue;
		strv_add(&loss->dead, name ? name : peer->address);
		nameless += !name;
		if (ordinal >= 0 && !snapshot_wants_ordinal(snapshot, ordinal) &&
		    volume_of(diagnosis, ordinal, loss->heard_at) == VOLUME_OLD)
			strv_add(&loss->scaled, name);
	}
	match_claims(diagnosis, nameless, loss);
}

static void find_loss(const struct diagnosis *diagnosis, struct loss *ret_loss)
{
	*ret_loss = (struct loss){ .heard_at = claim_age_heard_at(diagnosis->snapshot) };
	FOR_EACH_PLACE (place, diagnosis) {
		if (place->wanted && place_is_empty(place))
			strv_add(&ret_loss->empty, place_name(place));
		if (place->peer && place->peer->voter && !place->live)
			sort_place(diagnosis, place, ret_loss);
	}
	sort_peers(diagnosis, ret_loss);
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

/* So many replicas as the highest ordinal of them takes. */
static int64_t replicas_for(const struct diagnosis *diagnosis, const struct strv *names)
{
	const struct kube_statefulset *set = &diagnosis->snapshot->set;
	int64_t replicas = set->replicas;

	for (size_t i = 0; i < names->count; i++) {
		int64_t ordinal = kube_ordinal(set->name, names->items[i]);

		if (ordinal - set->ordinal_start >= replicas)
			replicas = ordinal - set->ordinal_start + 1;
	}
	return replicas;
}

static void explain_gone(const struct diagnosis *diagnosis, const struct loss *loss, struct finding *finding)
{
	const struct strv *names = loss->empty.count > 0 ? &loss->empty : &loss->renewed;
	_cleanup_free_ char *list = list_names(names), *back = list_names(&loss->back), *rest = NULL;

	rest = loss->back.count > 0 ? xasprintf("; %s may come back, which is not enough", back) : xstrdup("");
	if (loss->empty.count > 0)
		finding_set_cause(finding, "%s run%s without data in place of voters that are gone: new volumes%s",
		                  list, names->count == 1 ? "s" : "", rest);
	else if (loss->renewed.count > 0)
		finding_set_cause(finding, "new volumes of %s in place of voters that are gone%s", list, rest);
	else
		finding_set_cause(finding, "voters that have no pod any more: they cannot come back by themselves%s",
		                  rest);
	remedy_recover(diagnosis, finding);
}

/* Whether more of them than the quorum can miss end whenever they are started. */
static bool is_crash_loop(const struct diagnosis *diagnosis, const struct loss *loss)
{
	int64_t starting = (int64_t)loss->back.count;

	FOR_EACH_PLACE (place, diagnosis) {
		const struct kube_container *container = place->server->container;

		if (container && str_equal(container->waiting_reason, "CrashLoopBackOff") &&
		    strv_contains(&loss->back, place_name(place)))
			starting--;
	}
	return diagnosis->assessment->quorum.live_voters + starting < diagnosis->assessment->quorum.quorum;
}

/* What can be expected, and what is to be done then. */
static void explain_loss(const struct diagnosis *diagnosis, const struct loss *loss, struct finding *finding)
{
	const struct quorum *quorum = &diagnosis->assessment->quorum;
	int64_t with_back = quorum->live_voters + (int64_t)loss->back.count;
	_cleanup_free_ char *back = list_names(&loss->back), *scaled = list_names(&loss->scaled);

	if (diagnosis->leader_address) {
		finding_set_cause(finding, "%s still leads, so some of them may live and only cannot be asked",
		                  diagnosis->assessment->leader_name);
		remedy_list_pods(diagnosis, finding);
	} else if (only_moved(diagnosis)) {
		finding_set_cause(finding,
		                  "they run again under other addresses; raft takes some seconds to find them");
		remedy_health(diagnosis, "--watch", finding);
	} else if (loss->back.count == loss->dead.count && is_crash_loop(diagnosis, loss)) {
		finding_set_cause(finding, "they end whenever they are started; recover reads why, and without --yes "
		                           "it changes nothing");
		remedy_recover(diagnosis, finding);
	} else if (loss->back.count == loss->dead.count) {
		finding_set_cause(
		    finding,
		    "their pods do not run or do not answer; back with their claims, the cluster heals by itself");
		remedy_list_pods(diagnosis, finding);
	} else if (with_back >= quorum->quorum) {
		finding_set_cause(finding, "%s may come back with data, which is enough: the cluster heals by itself",
		                  back);
		remedy_list_pods(diagnosis, finding);
	} else if (with_back + (int64_t)loss->scaled.count >= quorum->quorum) {
		finding_set_cause(finding, "scaled away without leaving: %s; their claims are there, with their data",
		                  scaled);
		remedy_scale_set(diagnosis, replicas_for(diagnosis, &loss->scaled), finding);
	} else {
		explain_gone(diagnosis, loss, finding);
	}
}

static void check_quorum_lost(struct diagnosis *diagnosis)
{
	const struct quorum *quorum = &diagnosis->assessment->quorum;
	_cleanup_(loss_release) struct loss loss = { .heard_at = -1 };
	_cleanup_free_ char *list = NULL;
	struct finding *finding;

	if (diagnosis->answered == 0 || diagnosis_has_quorum(diagnosis))
		return;
	find_loss(diagnosis, &loss);
	list = list_names(&loss.dead);
	finding = diagnosis_add(diagnosis, "quorum-lost", NULL,
	                        "%" PRId64 " of %" PRId64 " voters %s, %" PRId64 " are needed; dead or silent: %s",
	                        quorum->live_voters, quorum->voters, quorum->live_voters == 1 ? "lives" : "live",
	                        quorum->quorum, list);
	explain_loss(diagnosis, &loss, finding);
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
