/* What people should know before they say yes: see plan_notes in include/consul/plan.h. */
#include <inttypes.h>

#include "consul/plan_parts.h"
#include "consul/tell.h"
#include "consul/value.h"
#include "util/mem.h"

static void note_old_data(const struct snapshot *snapshot, const struct goal *goal, struct strv *list)
{
	const struct kube_statefulset *set = &snapshot->set;

	for (int64_t i = set->replicas; i < goal->replicas; i++) {
		const struct kube_claim *claim = plan_claim(snapshot, set->ordinal_start + i, 0);
		_cleanup_free_ char *age = claim ? plan_claim_age(snapshot, claim) : NULL;

		if (claim && !claim->deleting && !goal->delete_claims)
			strv_addf(list,
			          "claim %s is %s old and is used again, with the data in it; --delete-claims starts "
			          "%s-%" PRId64 " without",
			          claim->name, age, set->name, set->ordinal_start + i);
	}
}

/* Claims of servers that go, or are gone. */
static void note_claims_left(const struct snapshot *snapshot, const struct goal *goal, struct strv *list)
{
	const struct kube_statefulset *set = &snapshot->set;
	_cleanup_strv_ struct strv kept = STRV_INIT, going = STRV_INIT;
	_cleanup_free_ char *kept_text = NULL, *going_text = NULL;

	for (size_t i = 0; i < snapshot->claim_count && !goal->delete_claims; i++) {
		const struct kube_claim *claim = &snapshot->claims[i];
		int64_t ordinal = snapshot_claim_ordinal(snapshot, claim->name);

		if (ordinal < 0 || snapshot_would_want(snapshot, ordinal, goal->replicas) || claim->deleting)
			continue;
		/* Those of servers that went before are nobody's any more. */
		strv_add(set->claims_go && snapshot_would_want(snapshot, ordinal, set->replicas) ? &going : &kept,
		         claim->name);
	}
	going_text = list_names(&going);
	kept_text = list_names(&kept);
	if (going.count > 0)
		strv_addf(list,
		          "Kubernetes deletes claim%s %s, with the data: persistentVolumeClaimRetentionPolicy has "
		          "whenScaled: Delete",
		          going.count == 1 ? "" : "s", going_text);
	if (kept.count > 0)
		strv_addf(list, "claim%s kept: %s; --delete-claims deletes %s", kept.count == 1 ? "" : "s", kept_text,
		          kept.count == 1 ? "it" : "them");
}

static bool goes(const struct snapshot *snapshot, const struct goal *goal, const struct server *server)
{
	if (goal->kind == GOAL_ROLLOUT)
		return snapshot_has_old_pod(snapshot, server);
	return !snapshot_would_want(snapshot, server->ordinal, goal->replicas);
}

/* Who leads and goes without being able to hand over: the others notice it only when they miss him. */
static void note_leader(const struct diagnosis *diagnosis, const struct goal *goal, struct strv *list)
{
	const struct server *leader = diagnosis->assessment->leader;
	const char *version = leader ? leader->view.self.version : NULL;

	if (!leader || leader->ordinal < 0 || !goes(diagnosis->snapshot, goal, leader) ||
	    diagnosis->assessment->quorum.voters < 2 ||
	    (version && value_version_minor(version) >= TELL_TRANSFER_MINOR))
		return;
	strv_addf(list,
	          "%s leads and goes; this Consul%s%s cannot hand leadership over (1.%d and newer can): expect an "
	          "election, some seconds without a leader",
	          leader->name, version ? " " : "", version ? version : "", TELL_TRANSFER_MINOR);
}

/* What could not be read, and what therefore is not looked after. */
static void note_unknown(const struct snapshot *snapshot, struct strv *list)
{
	if (!snapshot->claims_known)
		strv_addf(list, "claims cannot be listed, so that old data would not be seen: %s",
		          snapshot->claims_err.message ? snapshot->claims_err.message : "it is not told why");
	if (err_is_set(&snapshot->expect.err))
		strv_addf(list,
		          "bootstrap_expect cannot be read; with 1 a new server would make a cluster of its own: %s",
		          snapshot->expect.err.message);
	if (!snapshot->autopilot.known)
		strv_addf(list, "autopilot's settings cannot be read, min_quorum stays as it is: %s",
		          snapshot->autopilot.err.message ? snapshot->autopilot.err.message : "it is not told why");
}

/* Dead servers that are none of this StatefulSet's: nobody's to remove unasked. */
static void note_failed_strangers(const struct diagnosis *diagnosis, struct strv *list)
{
	const struct view *view = diagnosis->members_of ? &diagnosis->members_of->view : NULL;

	for (size_t i = 0; view && i < view->member_count; i++) {
		const struct member *member = &view->members[i];
		_cleanup_free_ char *word = NULL;

		if (!member->is_server || diagnosis->member_taken[i] || member->status != MEMBER_FAILED ||
		    kube_ordinal(diagnosis->snapshot->set.name, member->name) >= 0)
			continue;
		word = shell_word(member->name);
		strv_addf(
		    list,
		    "%s (%s) is failed, and by its name none of this StatefulSet's servers: kubectl consul reap %s "
		    "-n %s%s removes it",
		    member->name, member->address, word, diagnosis->namespace_word, diagnosis->name_option);
	}
}

static void note_size(const struct goal *goal, struct strv *list)
{
	if (goal->replicas < 3)
		strv_addf(list, "%" PRId64 " server%s tolerate%s no failure", goal->replicas,
		          goal->replicas == 1 ? "" : "s", goal->replicas == 1 ? "s" : "");
	else if (goal->replicas % 2 == 0)
		strv_addf(list, "%" PRId64 " servers tolerate no more failures than %" PRId64 " do", goal->replicas,
		          goal->replicas - 1);
}

/* Members that left in good order are no harm, and reap leaves them to Consul. */
static void note_left(const struct diagnosis *diagnosis, const struct goal *goal, struct strv *list)
{
	const struct view *view = diagnosis->members_of ? &diagnosis->members_of->view : NULL;
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; view && i < view->member_count; i++)
		if (view->members[i].is_server && !diagnosis->member_taken[i] &&
		    view->members[i].status == MEMBER_LEFT &&
		    kube_ordinal(diagnosis->snapshot->set.name, view->members[i].name) >= 0)
			strv_add(&names, view->members[i].name);
	if (names.count == 0 || goal->prune)
		return;
	text = list_names(&names);
	strv_addf(list, "%s ha%s left and %s listed still: Consul forgets %s after 72 hours, --prune at once", text,
	          names.count == 1 ? "s" : "ve", names.count == 1 ? "is" : "are", names.count == 1 ? "it" : "them");
}

/* Nobody can stand in for the only server. */
static void note_alone(const struct snapshot *snapshot, const struct goal *goal, struct strv *list)
{
	for (size_t i = 0; i < snapshot->server_count && snapshot->set.replicas == 1; i++)
		if (goes(snapshot, goal, &snapshot->servers[i]))
			strv_add(list, "one server: writes stop while it is replaced");
}

static bool is_known(const struct diagnosis *diagnosis, const char *name)
{
	const struct view *members = diagnosis->members_of ? &diagnosis->members_of->view : NULL;
	const struct view *peers = diagnosis->peers_of ? &diagnosis->peers_of->view : NULL;

	if (plan_place(diagnosis, name) || (members && view_member_by_name(members, name)))
		return true;
	for (size_t i = 0; peers && i < peers->peer_count; i++)
		if (str_equal(peers->peers[i].id, name) || str_equal(peers->peers[i].address, name))
			return true;
	return false;
}

static void note_unknown_names(const struct diagnosis *diagnosis, const struct goal *goal, struct strv *list)
{
	for (size_t i = 0; goal->servers && i < goal->servers->count; i++)
		if (!is_known(diagnosis, goal->servers->items[i]))
			strv_addf(list, "nobody knows %s: nothing to reap", goal->servers->items[i]);
}

void plan_notes(const struct snapshot *snapshot, const struct goal *goal, struct strv *list)
{
	struct diagnosis diagnosis;
	struct assessment assessment = ASSESSMENT_INIT;

	diagnosis_begin(&diagnosis, snapshot, &assessment);
	switch (goal->kind) {
	case GOAL_SCALE:
		note_size(goal, list);
		note_leader(&diagnosis, goal, list);
		note_old_data(snapshot, goal, list);
		note_claims_left(snapshot, goal, list);
		note_unknown(snapshot, list);
		break;
	case GOAL_REAP:
		note_left(&diagnosis, goal, list);
		note_unknown_names(&diagnosis, goal, list);
		break;
	case GOAL_ROLLOUT:
		note_alone(snapshot, goal, list);
		note_leader(&diagnosis, goal, list);
		break;
	}
	if (!goal->servers || goal->servers->count == 0)
		note_failed_strangers(&diagnosis, list);
	diagnosis_release(&diagnosis);
	assessment_release(&assessment);
}
