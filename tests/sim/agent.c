/* See model.h: one Consul process: it starts, finds the others, leaves, ends. */
#include "model.h"

#include <string.h>

int agent_of_id(const struct model *model, int id)
{
	for (int ordinal = 0; ordinal < ORDINALS; ordinal++)
		if (model->servers[ordinal].agent.up && model->servers[ordinal].claim.data.id == id)
			return ordinal;
	return -1;
}

bool agent_reaches(const struct model *model, int from, int to)
{
	const struct server_truth *a = &model->servers[from], *b = &model->servers[to];

	if (!a->agent.up || !b->agent.up)
		return false;
	return from == to || (a->agent.joined && b->agent.joined && model->now >= a->isolated_until &&
	                      model->now >= b->isolated_until);
}

void agent_start(struct model *model, int ordinal)
{
	struct server_truth *server = &model->servers[ordinal];
	struct agent *agent = &server->agent;

	memset(agent, 0, sizeof(*agent));
	if (server->claim.data.id == 0)
		server->claim.data.id = ++model->ids;
	if (server->trouble != TROUBLE_NONE || (server->claim.peers_waiting && !raft_recover(model, ordinal))) {
		trace(model, "server %d ends as it starts", ordinal);
		kubernetes_exited(model, ordinal, 1);
		return;
	}
	agent->up = true;
	agent->ip = server->pod.ip;
	agent->started_at = model->now;
	agent->join_at = model->now + (model->traits.prompt ? 200 : random_between(&model->random, 500, 3000));
	agent->left_at = agent->exit_at = agent->crash_at = NEVER;
	agent->members[ordinal].known = (struct news){ ++model->news, STATUS_ALIVE, agent->ip, server->claim.data.id };
	raft_reset(model, ordinal);
	if (model->set.expect == 1 && server->claim.data.config.count == 0)
		raft_bootstrap(model, ordinal);
	trace(model, "server %d starts as id %d at address %d", ordinal, server->claim.data.id, agent->ip);
}

void agent_die(struct model *model, int ordinal, int exit_code)
{
	struct agent *agent = &model->servers[ordinal].agent;
	bool has_left = agent->leaving && agent->left_at == NEVER;

	trace(model, "server %d ends%s", ordinal, has_left ? ", after it left" : "");
	agent->up = false;
	model->servers[ordinal].claim.used_at = model->now;
	agent->role = ROLE_FOLLOWER;
	kubernetes_exited(model, ordinal, exit_code);
}

void agent_crash(struct model *model, int ordinal, const struct raft_config *peers)
{
	struct claim *claim = &model->servers[ordinal].claim;

	trace(model, "server %d is crashed%s", ordinal, peers ? ", with a peers.json" : "");
	if (peers) {
		claim->peers_waiting = true;
		claim->peers = *peers;
		model->servers[ordinal].hurt = true;
	}
	agent_die(model, ordinal, 2);
}

void agent_leave(struct model *model, int ordinal)
{
	struct agent *agent = &model->servers[ordinal].agent;

	if (!agent->up || agent->leaving)
		return;
	trace(model, "server %d leaves", ordinal);
	agent->leaving = true;
	agent->left_at = model->now + random_between(&model->random, 1000, 4000);
	agent->exit_at = model->now + random_between(&model->random, 9000, 14000);
	if (model->traits.prompt)
		agent->exit_at = agent->left_at + random_between(&model->random, 5000, 6000);
	gossip_tell(model, ordinal, STATUS_LEAVING);
	if (agent->role == ROLE_LEADER)
		raft_transfer(model, ordinal, 0);
}

/* What a leader does that could not hand its leadership over: it takes itself out. */
static void retire(struct model *model, int ordinal)
{
	const struct server_truth *server = &model->servers[ordinal];

	if (server->agent.role == ROLE_LEADER && raft_voters(&server->claim.data.config) > 1 &&
	    raft_can_change(model, ordinal))
		raft_remove(model, ordinal, server->claim.data.id);
}

static void tick(struct model *model, int ordinal)
{
	struct agent *agent = &model->servers[ordinal].agent;

	if (agent->leaving && model->now >= agent->left_at) {
		agent->left_at = NEVER;
		gossip_tell(model, ordinal, STATUS_LEFT);
		retire(model, ordinal);
	}
	if (model->now >= agent->crash_at) {
		model->servers[ordinal].hurt |= raft_voters(&model->committed) == 1;
		agent_die(model, ordinal, 1);
		return;
	}
	if (model->now < agent->exit_at)
		return;
	/* For a while it waits until the leader has removed it. */
	if (agent->leaving && !agent->lingers && raft_find(&model->committed, model->servers[ordinal].claim.data.id)) {
		agent->lingers = true;
		agent->exit_at = model->now + SECONDS(5);
		return;
	}
	agent_die(model, ordinal, 0);
}

void agent_tick(struct model *model)
{
	for (int ordinal = 0; ordinal < ORDINALS; ordinal++)
		if (model->servers[ordinal].agent.up)
			tick(model, ordinal);
}
