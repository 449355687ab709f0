/* The data of servers that come and of servers that are gone: see include/consul/plan_parts.h. */
#include <inttypes.h>

#include "consul/plan_parts.h"
#include "util/mem.h"

/* -------------------------------------------------------------------------------------- deleting */

static bool are_unknown(struct planning *planning)
{
	const struct snapshot *snapshot = planning->snapshot;

	return !snapshot->claims_known &&
	       plan_refuse(planning, RULE_UNKNOWN, true, NULL, "the claims cannot be listed: %s",
	                   snapshot->claims_err.message ? snapshot->claims_err.message : "it is not told why");
}

/* A voter that may be one of ours, scaled away a moment ago and alive for gossip still: its data is not for us to
 * delete. */
static bool may_be_of_a_voter(struct planning *planning, const struct kube_claim *claim)
{
	const struct view *view = &planning->diagnosis.peers_of->view;

	for (size_t i = 0; i < view->peer_count && !plan_nodes_are_pods(planning); i++)
		if (view->peers[i].voter && !planning->diagnosis.peer_taken[i])
			return plan_refuse(planning, RULE_COULD_RETURN, true, NULL,
			                   "claim %s may be the data of raft voter %s (%s), which is no pod's",
			                   claim->name, view->peers[i].name ? view->peers[i].name : "(unknown)",
			                   view->peers[i].address);
	return false;
}

static bool delete_claim(struct planning *planning, const struct kube_claim *claim, const char *server)
{
	_cleanup_free_ char *age = plan_claim_age(planning->snapshot, claim);
	struct step *step;

	if (claim->mounted_by)
		return plan_refuse(planning, RULE_COULD_RETURN, false, NULL, "claim %s is mounted by pod %s",
		                   claim->name, claim->mounted_by);
	if (planning->snapshot->mounts_unknown) {
		plan_refuse(
		    planning, RULE_COULD_RETURN, false, NULL,
		    "whether a pod mounts claim %s is not known: the namespace has more pods than are listed at "
		    "once",
		    claim->name);
		planning->plan->hint =
		    xasprintf("kubectl describe persistentvolumeclaim %s -n %s tells who does; if nobody, delete it by "
		              "kubectl",
		              claim->name, planning->snapshot->namespace_name);
		return true;
	}
	if (may_be_of_a_voter(planning, claim))
		return true;
	step = plan_step(planning, STEP_DELETE_CLAIM, server, "delete claim %s (%s old)", claim->name, age);
	step->object = xstrdup(claim->name);
	return true;
}

bool plan_deletes_claims(struct planning *planning)
{
	const struct snapshot *snapshot = planning->snapshot;

	if (!planning->goal->delete_claims)
		return false;
	if (are_unknown(planning))
		return true;
	for (size_t i = 0; i < snapshot->claim_count; i++) {
		const struct kube_claim *claim = &snapshot->claims[i];
		int64_t ordinal = snapshot_claim_ordinal(snapshot, claim->name);
		_cleanup_free_ char *server = NULL;

		/* While a pod is there that is not wanted, nothing comes this far (plan_is_moving). */
		if (ordinal < 0 || snapshot_wants_ordinal(snapshot, ordinal))
			continue;
		if (claim->deleting)
			return plan_wait(planning, NULL, "claim %s: being deleted", claim->name);
		server = xasprintf("%s-%" PRId64, snapshot->set.name, ordinal);
		return delete_claim(planning, claim, server);
	}
	return false;
}

/* --------------------------------------------------------------------------------------- old data */

/*
 * Kubernetes does not record when a claim was used last. But Consul forgets a server that has left or failed after 72
 * hours (reconnect_timeout): one that it remembers has not been away for longer.
 */
static bool may_be_too_old(const struct planning *planning, const struct kube_claim *claim, const char *server)
{
	return claim->created_at > 0 && planning->snapshot->taken_at - claim->created_at > REJOIN_AGE_MAX_S &&
	       !view_member_by_name(&planning->diagnosis.members_of->view, server);
}

/* Data that lies where a server is to come: wiped, used again, or too old for that. */
static bool refuses_old_data(struct planning *planning)
{
	const struct kube_statefulset *set = &planning->snapshot->set;
	const struct goal *goal = planning->goal;

	if (goal->force || goal->delete_claims)
		return false;
	for (int64_t i = set->replicas; i < goal->replicas; i++) {
		_cleanup_free_ char *server = xasprintf("%s-%" PRId64, set->name, set->ordinal_start + i), *age = NULL;
		const struct kube_claim *claim;

		for (size_t k = 0; (claim = plan_claim(planning->snapshot, set->ordinal_start + i, k)); k++) {
			if (claim->deleting || !may_be_too_old(planning, claim, server))
				continue;
			age = plan_claim_age(planning->snapshot, claim);
			plan_refuse(
			    planning, RULE_OLD_DATA, false, NULL,
			    "claim %s is %s old, and Consul does not remember %s: with the data of a server that was "
			    "away for more than 168 hours it may not start",
			    claim->name, age, server);
			planning->plan->hint =
			    xstrdup("--delete-claims starts it without that data; --force uses it again");
			return true;
		}
	}
	return false;
}

bool plan_prepares_claims(struct planning *planning, int64_t ordinal, const char *server)
{
	const struct kube_claim *claim;

	bool must_know = planning->goal->delete_claims ||
	                 (!planning->goal->force && planning->snapshot->claims_err.kind != ERR_FORBIDDEN);

	/* Who may not list them has been told so (plan_notes). */
	if ((must_know && are_unknown(planning)) || refuses_old_data(planning))
		return true;
	for (size_t i = 0; (claim = plan_claim(planning->snapshot, ordinal, i)); i++) {
		if (claim->deleting)
			return plan_wait(planning, NULL, "claim %s: being deleted", claim->name);
		if (planning->goal->delete_claims)
			return delete_claim(planning, claim, server);
	}
	return false;
}
