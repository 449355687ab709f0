/* See world.h: what an agent is told. */
#include "util/mem.h"
#include "util/str.h"
#include "view.h"
#include "world_parts.h"

static int told_leave(struct sim_world *sim, int through, struct err *err)
{
	struct model *model = sim->model;

	if (model->traits.leave_forbidden)
		return err_set(err, ERR_FORBIDDEN, "Permission denied");
	agent_leave(model, through);
	/* It answers when it has left, and that is not waited for. */
	model_advance(model, random_chance(&model->random, 500) ? SECONDS(3) : TICK_MS);
	return 0;
}

static int told_force_leave(struct sim_world *sim, const struct step *step, int through, struct err *err)
{
	if (!gossip_force_leave(sim->model, through, view_ordinal(step->object), step->kind == STEP_PRUNE))
		return err_set(err, ERR_NOT_FOUND, "No node found with name %s", step->object);
	return 0;
}

static int no_leader(struct err *err)
{
	return err_set(err, ERR_UNAVAILABLE, "No cluster leader");
}

static int told_remove_peer(struct sim_world *sim, int id, int through, struct err *err)
{
	struct model *model = sim->model;
	int leader = raft_leader_of(model, through);

	if (leader < 0 || !raft_can_change(model, leader))
		return no_leader(err);
	if (!raft_find(&model->servers[leader].claim.data.config, id))
		return err_set(err, ERR_NOT_FOUND, "id was not found in the Raft configuration");
	raft_remove(model, leader, id);
	return 0;
}

static int told_transfer(struct sim_world *sim, const struct step *step, int through, struct err *err)
{
	struct model *model = sim->model;
	int leader = raft_leader_of(model, through);

	if (model->traits.minor < 15)
		return err_set(err, ERR_NOT_FOUND, "its version has no such order");
	if (leader < 0)
		return no_leader(err);
	if (!raft_transfer(model, leader, str_is_empty(step->object) ? 0 : view_id(step->object)))
		return err_set(err, ERR_FAILED, "cannot find peer");
	return 0;
}

static int told_min_quorum(struct sim_world *sim, const struct step *step, int through, struct err *err)
{
	struct model *model = sim->model;

	if (raft_leader_of(model, through) < 0)
		return no_leader(err);
	if (model->traits.minor < 8)
		return err_set(err, ERR_NOT_FOUND, "its version has no such setting");
	model->min_quorum = (int)step->number;
	return 0;
}

/* The id of the peer that the step is about, as the leader's set has it. */
int world_peer_id(const struct sim_world *sim, const struct step *step)
{
	int leader = raft_leader(sim->model), ip = view_ip(step->object);
	const struct raft_config *config =
	    leader < 0 ? &sim->model->committed : &sim->model->servers[leader].claim.data.config;

	if (!step->by_address)
		return view_id(step->object);
	for (int i = 0; i < config->count; i++)
		if (config->peers[i].ip == ip)
			return config->peers[i].id;
	return -1;
}

static int carry_out(struct sim_world *sim, const struct step *step, int through, struct err *err)
{
	switch (step->kind) {
	case STEP_LEAVE:
		return told_leave(sim, through, err);
	case STEP_FORCE_LEAVE:
	case STEP_PRUNE:
		return told_force_leave(sim, step, through, err);
	case STEP_REMOVE_PEER:
		return told_remove_peer(sim, world_peer_id(sim, step), through, err);
	case STEP_TRANSFER_LEADER:
		return told_transfer(sim, step, through, err);
	case STEP_MIN_QUORUM:
		return told_min_quorum(sim, step, through, err);
	case STEP_JOIN:
		return 0; /* gossip of the model denies a wrong goodbye by itself, a little later */
	case STEP_REPLICAS:
	case STEP_EXPECT:
	case STEP_DELETE_CLAIM:
	case STEP_RESTART:
		break;
	}
	return err_set(err, ERR_FAILED, "no order for an agent");
}

int world_tell(void *context, const struct snapshot *seen, const struct step *step, struct err *err)
{
	struct sim_world *sim = context;
	struct model *model = sim->model;
	int through = step->through ? view_ordinal(step->through) : -1;

	(void)seen;
	if (through < 0)
		return err_set(err, ERR_UNREACHABLE, "there is no pod to tell it to");
	world_check_order(sim, step);
	if (world_begin_change(sim, err) < 0) {
		if (step->kind == STEP_LEAVE && !model->traits.leave_forbidden)
			world_send_late(sim, err,
			                (struct late_change){ .what = LATE_LEAVE,
			                                      .ordinal = through,
			                                      .uid = model->servers[through].pod.uid });
		return -1;
	}
	if (!model->servers[through].agent.up || model->now < model->servers[through].silent_until)
		return err_set(err, ERR_UNREACHABLE, "connection refused");
	trace(model, "order: %s %s%s through %d", step_kind_name(step->kind), step->object ? step->object : "",
	      step->by_address ? " (address)" : "", through);
	if (carry_out(sim, step, through, err) < 0)
		return -1;
	return world_answer(sim, err);
}
