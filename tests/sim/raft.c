/* See model.h: logs, terms and elections. What a leader does is in raft_leader.c. */
#include "model.h"

#include <string.h>

#include "rules.h"

uint64_t raft_last_term(const struct raft_log *log)
{
	return log->terms ? log->term[log->terms - 1].term : 0;
}

/* 0: there is no such entry, or it is so old that nobody asks for it. */
uint64_t raft_term_at(const struct raft_log *log, uint64_t index)
{
	if (index > log->last)
		return 0;
	for (int i = log->terms - 1; i >= 0; i--)
		if (log->term[i].first <= index)
			return log->term[i].term;
	return 0;
}

const struct raft_peer *raft_find(const struct raft_config *config, int id)
{
	for (int i = 0; i < config->count; i++)
		if (config->peers[i].id == id)
			return &config->peers[i];
	return NULL;
}

int raft_voters(const struct raft_config *config)
{
	int voters = 0;

	for (int i = 0; i < config->count; i++)
		voters += config->peers[i].voter;
	return voters;
}

void raft_cut(struct raft_log *log, uint64_t last)
{
	if (log->last > last)
		log->last = last;
	while (log->terms > 0 && log->term[log->terms - 1].first > last)
		log->terms--;
}

uint64_t raft_common(const struct raft_log *a, const struct raft_log *b)
{
	struct raft_log left = *a, right = *b;

	/* An index of one term is the same entry in both, and so is all that is before it. */
	while (left.last > 0 && (left.last != right.last || raft_last_term(&left) != raft_last_term(&right))) {
		uint64_t shorter = left.last < right.last ? left.last : right.last;
		struct raft_log *later = raft_last_term(&left) > raft_last_term(&right) ? &left : &right;

		if (left.last != right.last) {
			raft_cut(&left, shorter);
			raft_cut(&right, shorter);
		} else {
			raft_cut(later, later->terms ? later->term[later->terms - 1].first - 1 : 0);
		}
	}
	return left.last;
}

static int64_t election_delay(struct model *model)
{
	return model->now + random_between(&model->random, model->traits.election_ms, 2 * model->traits.election_ms);
}

void raft_reset(struct model *model, int ordinal)
{
	struct agent *agent = &model->servers[ordinal].agent;

	agent->role = ROLE_FOLLOWER;
	agent->leader_ip = 0;
	agent->heard_at = -HOURS(1);
	agent->election_at = election_delay(model) + 2000;
}

void raft_bootstrap(struct model *model, int ordinal)
{
	struct raft_data *data = &model->servers[ordinal].claim.data;

	trace(model, "server %d bootstraps a cluster of its own", ordinal);
	data->cluster = data->id;
	data->term = 1;
	data->log = (struct raft_log){ .last = 1, .terms = 1, .term = { { .first = 1, .term = 1 } } };
	data->config = (struct raft_config){ .index = 1, .count = 1 };
	data->config.peers[0] =
	    (struct raft_peer){ .id = data->id, .ip = model->servers[ordinal].agent.ip, .voter = true };
	if (model->rules)
		rules_bootstrapped(model->rules, ordinal);
}

bool raft_recover(struct model *model, int ordinal)
{
	struct server_truth *server = &model->servers[ordinal];
	struct raft_data *data = &server->claim.data;

	if (data->log.last == 0)
		return false;
	trace(model, "server %d takes its peers.json: %d peers", ordinal, server->claim.peers.count);
	data->config = server->claim.peers;
	data->config.index = data->log.last;
	server->agent.commit = data->log.last;
	server->claim.peers_waiting = false;
	if (data->cluster == 0 && raft_leader(model) < 0) {
		model->committed = data->config;
		model->committed_term = 0;
	}
	if (model->rules)
		rules_recovered(model->rules, ordinal);
	return true;
}

void raft_step_down(struct model *model, int ordinal)
{
	struct agent *agent = &model->servers[ordinal].agent;

	trace(model, "server %d leads no more", ordinal);
	agent->heard_at = model->now;
	agent->role = ROLE_FOLLOWER;
	agent->leader_ip = 0;
	agent->election_at = election_delay(model);
}

/* -------------------------------------------------------------------------------------------- who leads */

int raft_leader(const struct model *model)
{
	int best = -1;

	for (int ordinal = 0; ordinal < ORDINALS; ordinal++) {
		const struct server_truth *server = &model->servers[ordinal];

		if (server->agent.up && server->agent.role == ROLE_LEADER && model->now >= server->isolated_until &&
		    server->claim.data.cluster == 0 &&
		    (best < 0 || server->claim.data.term > model->servers[best].claim.data.term))
			best = ordinal;
	}
	return best;
}

int raft_leader_of(const struct model *model, int ordinal)
{
	int ip = model->servers[ordinal].agent.leader_ip;

	for (int other = 0; ip && other < ORDINALS; other++)
		if (model->servers[other].agent.ip == ip && agent_reaches(model, ordinal, other) &&
		    model->servers[other].agent.role == ROLE_LEADER)
			return other;
	return -1;
}

/* --------------------------------------------------------------------------------------------- elections */

bool raft_is_longer(const struct raft_log *a, const struct raft_log *b)
{
	uint64_t a_term = raft_last_term(a), b_term = raft_last_term(b);

	return a_term != b_term ? a_term > b_term : a->last > b->last;
}

static bool hears_leader(const struct model *model, const struct agent *agent)
{
	return agent->role == ROLE_LEADER ||
	       (agent->leader_ip && model->now - agent->heard_at < model->traits.election_ms);
}

static bool grants(struct model *model, int voter, int candidate, bool is_transfer)
{
	struct server_truth *server = &model->servers[voter];
	struct raft_data *data = &server->claim.data;
	const struct raft_data *other = &model->servers[candidate].claim.data;

	if (!is_transfer && hears_leader(model, &server->agent))
		return false;
	if (other->term < data->term || (other->term == data->term && data->voted_for && data->voted_for != other->id))
		return false;
	if (other->term > data->term) {
		if (server->agent.role == ROLE_LEADER)
			raft_step_down(model, voter);
		data->term = other->term;
		data->voted_for = 0;
		server->agent.leader_ip = 0;
	}
	if (raft_is_longer(&data->log, &other->log))
		return false;
	data->voted_for = other->id;
	server->agent.election_at = election_delay(model);
	return true;
}

static void become_leader(struct model *model, int ordinal)
{
	struct server_truth *server = &model->servers[ordinal];
	struct agent *agent = &server->agent;

	trace(model, "server %d leads in term %llu with %d voters", ordinal,
	      (unsigned long long)server->claim.data.term, raft_voters(&server->claim.data.config));
	agent->role = ROLE_LEADER;
	agent->leader_ip = agent->ip;
	agent->majority_at = model->now;
	agent->change_at = model->now + 500;
	agent->reconcile_at = model->now + SECONDS(60);
	agent->autopilot_at = model->now + SECONDS(10);
	for (int id = 0; id < IDS_MAX; id++)
		agent->stable_since[id] = model->now;
	raft_append(model, ordinal);
	agent->term_start = server->claim.data.log.last;
	if (model->rules && server->claim.data.cluster == 0)
		rules_elected(model->rules, ordinal);
}

void raft_campaign(struct model *model, int ordinal, bool is_transfer)
{
	struct server_truth *server = &model->servers[ordinal];
	struct raft_data *data = &server->claim.data;
	const struct raft_peer *self = raft_find(&data->config, data->id);
	int votes = self && self->voter;
	uint64_t newest = 0;

	server->agent.role = ROLE_CANDIDATE;
	server->agent.leader_ip = 0;
	server->agent.election_at = election_delay(model);
	data->term++;
	data->voted_for = data->id;
	for (int i = 0; i < data->config.count; i++) {
		const struct raft_peer *peer = &data->config.peers[i];
		int voter = agent_of_id(model, peer->id);

		if (!peer->voter || voter < 0 || voter == ordinal || !agent_reaches(model, ordinal, voter))
			continue;
		votes += grants(model, voter, ordinal, is_transfer);
		if (model->servers[voter].claim.data.term > newest)
			newest = model->servers[voter].claim.data.term;
	}
	/* Who answers tells its term. */
	if (newest > data->term) {
		data->term = newest;
		data->voted_for = 0;
		return;
	}
	if (votes > raft_voters(&data->config) / 2)
		become_leader(model, ordinal);
}

bool raft_may_ask_without(const struct model *model, int ordinal)
{
	const struct server_truth *server = &model->servers[ordinal];

	return model->traits.minor < 15 && !model->traits.prompt &&
	       server->claim.data.config.index > server->agent.commit;
}

static void follow(struct model *model, int ordinal)
{
	struct server_truth *server = &model->servers[ordinal];
	const struct raft_peer *self = raft_find(&server->claim.data.config, server->claim.data.id);

	if (server->agent.leader_ip && model->now - server->agent.heard_at >= model->traits.election_ms) {
		server->agent.leader_ip = 0;
		server->agent.election_at = election_delay(model);
	}
	if (model->now < server->agent.election_at || hears_leader(model, &server->agent))
		return;
	/* Who took himself out goes on until that is committed; later versions of raft do not. */
	if (self ? self->voter : raft_may_ask_without(model, ordinal))
		raft_campaign(model, ordinal, false);
}

/* --------------------------------------------------------------------------------------------- transfers */

bool raft_transfer(struct model *model, int leader, int id)
{
	const struct raft_data *data = &model->servers[leader].claim.data;
	int best = -1;

	for (int i = 0; i < data->config.count; i++) {
		const struct raft_peer *peer = &data->config.peers[i];
		int other = agent_of_id(model, peer->id);

		if (!peer->voter || other < 0 || other == leader || (id && peer->id != id) ||
		    !agent_reaches(model, leader, other) || (!id && model->servers[other].agent.leaving))
			continue;
		if (best < 0 ||
		    raft_is_longer(&model->servers[other].claim.data.log, &model->servers[best].claim.data.log))
			best = other;
	}
	if (best < 0)
		return false;
	model->transfer_to = best;
	model->transfer_at = model->now + random_between(&model->random, 200, 1000);
	return true;
}

static void transfer(struct model *model)
{
	int leader = raft_leader(model), to = model->transfer_to;

	model->transfer_at = NEVER;
	if (leader < 0 || !agent_reaches(model, leader, to) ||
	    raft_is_longer(&model->servers[leader].claim.data.log, &model->servers[to].claim.data.log))
		return;
	raft_step_down(model, leader);
	raft_campaign(model, to, true);
}

void raft_tick(struct model *model)
{
	if (model->now >= model->transfer_at)
		transfer(model);
	for (int ordinal = 0; ordinal < ORDINALS; ordinal++) {
		const struct agent *agent = &model->servers[ordinal].agent;

		if (agent->up && agent->role == ROLE_LEADER)
			raft_lead(model, ordinal);
	}
	for (int ordinal = 0; ordinal < ORDINALS; ordinal++) {
		const struct agent *agent = &model->servers[ordinal].agent;

		if (agent->up && agent->role != ROLE_LEADER)
			follow(model, ordinal);
	}
}
