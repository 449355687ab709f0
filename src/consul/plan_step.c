/* One step of a plan: see include/consul/plan.h. */
#include <stdlib.h>

#include "consul/plan_parts.h"
#include "util/mem.h"

const char *step_kind_name(enum step_kind kind)
{
	static const char *const names[] = {
		[STEP_REPLICAS] = "replicas",     [STEP_TRANSFER_LEADER] = "transfer-leader",
		[STEP_LEAVE] = "leave",           [STEP_FORCE_LEAVE] = "force-leave",
		[STEP_PRUNE] = "prune",           [STEP_REMOVE_PEER] = "remove-peer",
		[STEP_MIN_QUORUM] = "min-quorum", [STEP_DELETE_CLAIM] = "delete-claim",
		[STEP_EXPECT] = "expect",         [STEP_JOIN] = "join",
		[STEP_RESTART] = "restart",
	};

	return names[kind];
}

void step_release(struct step *step)
{
	free(step->object);
	free(step->through);
	free(step->subject);
	free(step->node);
	free(step->uid);
	free(step->text);
	*step = (struct step)STEP_INIT;
}

bool step_equal(const struct step *a, const struct step *b)
{
	if (a->kind != b->kind || a->number != b->number)
		return false;
	if (a->kind == STEP_LEAVE || a->kind == STEP_JOIN)
		return str_equal(a->through, b->through);
	if (a->kind == STEP_RESTART && !str_equal(a->uid, b->uid))
		return false;
	return str_equal(a->object, b->object) || (!a->object && !b->object);
}

void steps_release(struct steps *steps)
{
	for (size_t i = 0; i < steps->count; i++)
		step_release(&steps->items[i]);
	free(steps->waits_for);
	free(steps->items);
	*steps = (struct steps)STEPS_INIT;
}

/* ------------------------------------------------------------------------------------------ effects */

static const struct member *find_member(const struct diagnosis *diagnosis, const char *name)
{
	return diagnosis->members_of ? view_member_by_name(&diagnosis->members_of->view, name) : NULL;
}

static bool has_peer(const struct diagnosis *diagnosis, const char *id_or_address, bool as_voter)
{
	const struct view *view = diagnosis->peers_of ? &diagnosis->peers_of->view : NULL;

	for (size_t i = 0; view && i < view->peer_count; i++)
		if (str_equal(view->peers[i].id, id_or_address) || str_equal(view->peers[i].address, id_or_address))
			return view->peers[i].voter || !as_voter;
	return false;
}

static bool has_claim(const struct snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot->claim_count; i++)
		if (str_equal(snapshot->claims[i].name, name) && !snapshot->claims[i].deleting)
			return true;
	return false;
}

/* Its successor is there; whether that is well is for the plan to say. */
static bool is_made_anew(const struct snapshot *snapshot, const struct step *step)
{
	const struct server *server = snapshot_server_by_name(snapshot, step->object);

	return server && server->has_pod && !str_equal(server->pod.uid, step->uid);
}

static bool shows(const struct diagnosis *diagnosis, const struct step *step)
{
	const struct snapshot *snapshot = diagnosis->snapshot;
	const struct place *place = step->through ? plan_place(diagnosis, step->through) : NULL;
	const struct member *member = step->object ? find_member(diagnosis, step->object) : NULL;

	switch (step->kind) {
	case STEP_REPLICAS:
		return snapshot->set.replicas == step->number;
	case STEP_TRANSFER_LEADER:
		return !place || place->server != diagnosis->assessment->leader;
	case STEP_LEAVE: /* its container starts again, and it may be back without a vote */
		return diagnosis->peers_of && !has_peer(diagnosis, step->object, true) &&
		       !(place && place->peer && place->peer->voter);
	case STEP_REMOVE_PEER:
		return diagnosis->peers_of && !has_peer(diagnosis, step->object, false);
	case STEP_FORCE_LEAVE:
		return member ? member->status != MEMBER_FAILED : diagnosis->members_of != NULL;
	case STEP_PRUNE:
		return diagnosis->members_of && !member;
	case STEP_MIN_QUORUM:
		return snapshot->autopilot.known && snapshot->autopilot.min_quorum == step->number;
	case STEP_EXPECT:
		return snapshot->expect.known && snapshot->expect.expect == step->number;
	case STEP_JOIN:
		return place && !place_goodbye_at(diagnosis, place);
	case STEP_RESTART:
		return is_made_anew(snapshot, step);
	case STEP_DELETE_CLAIM:
		break;
	}
	return snapshot->claims_known && !has_claim(snapshot, step->object);
}

bool step_shows(const struct snapshot *snapshot, const struct step *step)
{
	struct diagnosis diagnosis;
	struct assessment assessment = ASSESSMENT_INIT;
	bool result;

	diagnosis_begin(&diagnosis, snapshot, &assessment);
	result = shows(&diagnosis, step);
	diagnosis_release(&diagnosis);
	assessment_release(&assessment);
	return result;
}
