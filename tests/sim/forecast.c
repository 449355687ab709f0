/* See world.h: what a dry run shows, and what is done then. */
#include "util/mem.h"
#include "util/str.h"
#include "view.h"
#include "world.h"

/* Removing what is left: Consul may have done it before the tool comes to it. */
static bool is_cleaning(const struct step *step)
{
	return step->kind == STEP_FORCE_LEAVE || step->kind == STEP_PRUNE || step->kind == STEP_REMOVE_PEER;
}

/* What comes by itself first may come in one way or another. */
static bool is_at_rest(const struct snapshot *snapshot, const struct goal *goal)
{
	struct plan first = PLAN_INIT;
	bool waits;

	plan_next(snapshot, goal, &first);
	waits = first.kind == PLAN_WAIT;
	plan_release(&first);
	return !waits;
}

bool forecast_make(struct sim_world *sim, const struct world *world, const struct goal *goal, struct forecast *ret)
{
	struct snapshot snapshot = SNAPSHOT_INIT;
	struct plan last = PLAN_INIT;
	_cleanup_err_ struct err err = ERR_INIT;
	bool foreseen = false;

	*ret = (struct forecast){ .steps = STEPS_INIT };
	if (world->observe(world->context, &snapshot, &err) == 0 && is_at_rest(&snapshot, goal)) {
		plan_forward(&snapshot, goal, &ret->steps, &last);
		foreseen = last.kind == PLAN_DONE;
		trace(sim->model, "a dry run shows %zu steps, then: %s", ret->steps.count,
		      foreseen ? "done" : last.text);
	}
	plan_release(&last);
	snapshot_release(&snapshot);
	if (!foreseen)
		steps_release(&ret->steps);
	return foreseen;
}

static const struct step *next_step(struct forecast *forecast)
{
	while (forecast->next < forecast->steps.count && is_cleaning(&forecast->steps.items[forecast->next]))
		forecast->next++;
	return forecast->next < forecast->steps.count ? &forecast->steps.items[forecast->next++] : NULL;
}

/* In which order claims are deleted is nobody's concern, nor whose the leadership becomes. */
static bool is_same(const struct step *a, const struct step *b)
{
	return step_equal(a, b) ||
	       (a->kind == b->kind && (a->kind == STEP_DELETE_CLAIM || a->kind == STEP_TRANSFER_LEADER));
}

/* The leader has taken it out. */
static bool is_out_of_raft(const struct sim_world *sim, int ordinal)
{
	const struct seen *seen = &sim->rules->seen;

	for (int i = 0; i < ORDINALS; i++)
		if (seen->servers[i].asked && seen->servers[i].is_leader)
			return !raft_find(&seen->servers[i].config, seen->ids[ordinal]);
	return false;
}

/*
 * A server that has led under a former address is taken out of raft as soon as it leads no more, to be added under the
 * one that it has: if it is seen in between, it need not leave any more. Nor can one that has just ended, by a template
 * whose servers do not live.
 */
static bool need_not_leave(const struct sim_world *sim, const struct step *expected, const struct step *step)
{
	int ordinal = step->kind == STEP_RESTART ? view_ordinal(step->object) : -1;

	return ordinal >= 0 && expected && expected->kind == STEP_LEAVE && str_equal(expected->through, step->object) &&
	       (is_out_of_raft(sim, ordinal) || !sim->rules->seen.servers[ordinal].pod_running);
}

void forecast_check(struct sim_world *sim, const struct step *step)
{
	const struct step *expected;

	if (is_cleaning(step))
		return;
	expected = next_step(sim->forecast);
	if (need_not_leave(sim, expected, step))
		expected = next_step(sim->forecast);
	if (!expected || !is_same(expected, step))
		rules_violation(sim->rules, "dry run", "did: %s; had shown: %s", step->text,
		                expected ? expected->text : "nothing more");
}

void forecast_end(struct sim_world *sim)
{
	const struct step *left;

	if (!sim->forecast)
		return;
	left = next_step(sim->forecast);
	if (left)
		rules_violation(sim->rules, "dry run", "is done, but had shown: %s", left->text);
}
