/*
 * See model.h: what a leader does: it replicates, commits, and keeps the configuration what the members are. Autopilot
 * is a part of it, as in Consul.
 */
#include "model.h"

#define STABLE_MS       SECONDS(10) /* server_stabilization_time */
#define AUTOPILOT_MS    SECONDS(10)
#define RECONCILE_MS    SECONDS(60)
#define WRITES_PERMILLE 400 /* of the ticks have one */

void raft_append(struct model *model, int leader)
{
	struct raft_data *data = &model->servers[leader].claim.data;
	struct raft_log *log = &data->log;

	log->last++;
	if (raft_last_term(log) == data->term)
		return;
	if (log->terms == TERMS_MAX) {
		for (int i = 1; i < TERMS_MAX; i++)
			log->term[i - 1] = log->term[i];
		log->terms--;
	}
	log->term[log->terms].first = log->last;
	log->term[log->terms++].term = data->term;
}

/* ------------------------------------------------------------------------------------------- replication */

static bool is_same_log(const struct raft_log *a, const struct raft_log *b)
{
	return a->last == b->last && raft_last_term(a) == raft_last_term(b);
}

/*
 * What the follower lacks, or has other than the leader. The peers of a peers.json are in no entry of the log: whoever
 * has all of that log does not hear of them.
 */
static void copy_log(struct raft_data *to, const struct raft_data *from)
{
	uint64_t last = raft_term_at(&from->log, to->log.last) == raft_last_term(&to->log) ? to->log.last : 0;

	to->log = from->log;
	if (from->config.index > last || to->config.index > last)
		to->config = from->config;
}

/* False when the follower has a higher term, so that this leader is none any more. */
static bool beat(struct model *model, int leader, int follower)
{
	const struct raft_data *data = &model->servers[leader].claim.data;
	struct server_truth *server = &model->servers[follower];

	if (server->claim.data.term > data->term) {
		model->servers[leader].claim.data.term = server->claim.data.term;
		model->servers[leader].claim.data.voted_for = 0;
		raft_step_down(model, leader);
		return false;
	}
	if (server->claim.data.term < data->term)
		server->claim.data.voted_for = 0;
	server->claim.data.term = data->term;
	server->agent.role = ROLE_FOLLOWER;
	server->agent.heard_at = model->now;
	server->agent.leader_ip = model->servers[leader].agent.ip;
	server->agent.commit = model->servers[leader].agent.commit;
	if (model->now < server->slow_until) {
		if (server->agent.commit > server->claim.data.log.last)
			server->agent.commit = server->claim.data.log.last;
		return true;
	}
	if (!is_same_log(&server->claim.data.log, &data->log))
		copy_log(&server->claim.data, data);
	return true;
}

/* How far the peer has what this leader has. */
static uint64_t match(const struct model *model, int leader, int ordinal)
{
	const struct raft_log *log = &model->servers[leader].claim.data.log;
	const struct raft_log *other = &model->servers[ordinal].claim.data.log;

	return raft_term_at(log, other->last) == raft_last_term(other) ? other->last : 0;
}

struct contact {
	int voters, reached;
	uint64_t matches[PEERS_MAX]; /* of the voters that were reached */
};

/* False: it leads no more. */
static bool reach_peers(struct model *model, int leader, struct contact *contact)
{
	const struct raft_config config = model->servers[leader].claim.data.config;

	for (int i = 0; i < config.count; i++) {
		int other = agent_of_id(model, config.peers[i].id);
		bool reached = other >= 0 && agent_reaches(model, leader, other);

		contact->voters += config.peers[i].voter;
		if (reached && other != leader && !beat(model, leader, other))
			return false;
		if (!reached || model->now < model->servers[other].slow_until || model->servers[other].agent.leaving)
			model->servers[leader].agent.stable_since[config.peers[i].id] = model->now;
		if (reached && config.peers[i].voter)
			contact->matches[contact->reached++] = match(model, leader, other);
	}
	return true;
}

/* The highest index that a majority has; 0: none. */
static uint64_t majority_index(const struct contact *contact)
{
	uint64_t best = 0;

	for (int i = 0; i < contact->reached; i++) {
		int have = 0;

		for (int k = 0; k < contact->reached; k++)
			have += contact->matches[k] >= contact->matches[i];
		if (have > contact->voters / 2 && contact->matches[i] > best)
			best = contact->matches[i];
	}
	return best;
}

static void commit(struct model *model, int leader, uint64_t index)
{
	struct server_truth *server = &model->servers[leader];

	if (index < server->agent.term_start || index <= server->agent.commit)
		return;
	server->agent.commit = index;
	if (server->claim.data.cluster)
		return;
	if (index > model->acknowledged.last) {
		model->acknowledged = server->claim.data.log;
		raft_cut(&model->acknowledged, index);
	}
	if (server->claim.data.config.index <= index && server->claim.data.term >= model->committed_term) {
		model->committed = server->claim.data.config;
		model->committed_term = server->claim.data.term;
	}
}

/* ------------------------------------------------------------------------------------- the configuration */

bool raft_can_change(const struct model *model, int leader)
{
	const struct server_truth *server = &model->servers[leader];

	return server->agent.up && server->agent.role == ROLE_LEADER &&
	       server->agent.commit >= server->agent.term_start &&
	       server->agent.commit >= server->claim.data.config.index;
}

static void change_config(struct model *model, int leader, const char *what, int id)
{
	struct raft_data *data = &model->servers[leader].claim.data;

	raft_append(model, leader);
	data->config.index = data->log.last;
	trace(model, "leader %d %s id %d: %d peers, %d voters", leader, what, id, data->config.count,
	      raft_voters(&data->config));
}

/* The last that it may hear of this leader is that it is out. */
static void tell_removed(struct model *model, int leader, int id)
{
	const struct raft_data *data = &model->servers[leader].claim.data;
	int other = agent_of_id(model, id);

	if (other < 0 || other == leader || !agent_reaches(model, leader, other) ||
	    (!model->traits.prompt && !random_chance(&model->random, 500)) ||
	    model->servers[other].claim.data.term > data->term || model->now < model->servers[other].slow_until)
		return;
	model->servers[other].claim.data.log = data->log;
	model->servers[other].claim.data.config = data->config;
}

void raft_remove(struct model *model, int leader, int id)
{
	struct raft_config *config = &model->servers[leader].claim.data.config;

	for (int i = 0; i < config->count; i++) {
		if (config->peers[i].id != id)
			continue;
		/* Raft refuses a configuration without a voter. */
		if (config->peers[i].voter && raft_voters(config) == 1)
			return;
		config->peers[i] = config->peers[--config->count];
		change_config(model, leader, "removes", id);
		tell_removed(model, leader, id);
		return;
	}
}

static void add(struct model *model, int leader, const struct news *news)
{
	struct raft_config *config = &model->servers[leader].claim.data.config;

	if (config->count == PEERS_MAX)
		return;
	config->peers[config->count++] = (struct raft_peer){ .id = news->id, .ip = news->ip };
	model->servers[leader].agent.stable_since[news->id] = model->now;
	change_config(model, leader, "adds", news->id);
}

/* True when it changed something: one at a time. */
static bool change_for_alive(struct model *model, int leader, const struct news *news)
{
	const struct raft_config *config = &model->servers[leader].claim.data.config;

	for (int i = 0; i < config->count; i++) {
		const struct raft_peer *peer = &config->peers[i];

		if (peer->id == news->id && peer->ip == news->ip)
			return false;
		if (peer->id == news->id || peer->ip == news->ip) {
			raft_remove(model, leader, peer->id);
			return true;
		}
	}
	add(model, leader, news);
	return true;
}

/* Its own old address: as Consul it steps down for that only where there are enough others. */
static bool change_for_itself(struct model *model, int leader)
{
	const struct server_truth *server = &model->servers[leader];
	const struct raft_peer *self = raft_find(&server->claim.data.config, server->claim.data.id);

	/* Alone with its vote it cannot; what Consul does for the others then is not known, and the model goes on to
	 * them. */
	if (!self || self->ip == server->agent.ip || server->claim.data.config.count < 3 ||
	    raft_voters(&server->claim.data.config) == 1)
		return false;
	raft_remove(model, leader, self->id);
	return true;
}

static bool change_for_members(struct model *model, int leader)
{
	const struct agent *agent = &model->servers[leader].agent;

	for (int node = 0; node < ORDINALS; node++) {
		const struct news *news = &agent->members[node].known;

		if (node == leader) {
			if (change_for_itself(model, leader))
				return true;
			continue;
		}
		/* Two that have bootstrapped do not take each other in. */
		if (model->servers[node].claim.data.cluster != model->servers[leader].claim.data.cluster &&
		    model->servers[node].claim.data.config.count > 0)
			continue;
		if (model->servers[leader].claim.data.cluster)
			continue;
		if (news->status == STATUS_ALIVE && change_for_alive(model, leader, news))
			return true;
		if (news->status == STATUS_LEFT && raft_find(&model->servers[leader].claim.data.config, news->id)) {
			raft_remove(model, leader, news->id);
			return true;
		}
	}
	return false;
}

void raft_members_changed(struct model *model, int ordinal)
{
	struct agent *agent = &model->servers[ordinal].agent;
	int64_t soon = model->now + random_between(&model->random, 200, model->traits.prompt ? 400 : 3000);

	if (agent->role == ROLE_LEADER && soon < agent->change_at)
		agent->change_at = soon;
}

/* --------------------------------------------------------------------------------------------- autopilot */

static bool promote(struct model *model, int leader)
{
	struct server_truth *server = &model->servers[leader];
	struct raft_config *config = &server->claim.data.config;

	for (int i = 0; i < config->count; i++) {
		int id = config->peers[i].id, other = agent_of_id(model, id);

		if (config->peers[i].voter || model->now - server->agent.stable_since[id] < STABLE_MS || other < 0 ||
		    server->agent.members[other].known.status != STATUS_ALIVE)
			continue;
		config->peers[i].voter = true;
		change_config(model, leader, "promotes", id);
		return true;
	}
	return false;
}

/* A peer of whom no member has the address; or a member that failed. */
static const struct news *member_of(const struct agent *agent, const struct raft_peer *peer)
{
	for (int node = 0; node < ORDINALS; node++)
		if (agent->members[node].known.status != STATUS_NONE && agent->members[node].known.ip == peer->ip)
			return &agent->members[node].known;
	return NULL;
}

static void clean_up(struct model *model, int leader)
{
	const struct server_truth *server = &model->servers[leader];
	const struct raft_config *config = &server->claim.data.config;
	int failed = 0, stale = 0, stale_id = 0, peers = raft_voters(config);

	for (int node = 0; node < ORDINALS; node++)
		failed += server->agent.members[node].known.status == STATUS_FAILED;
	for (int i = 0; i < config->count; i++) {
		if (member_of(&server->agent, &config->peers[i]))
			continue;
		stale++;
		stale_id = config->peers[i].id;
	}
	if (failed + stale == 0 || peers - failed - stale < model->min_quorum || failed + stale > (peers - 1) / 2)
		return;
	for (int node = 0; node < ORDINALS; node++)
		if (server->agent.members[node].known.status == STATUS_FAILED)
			gossip_force_leave(model, leader, node, false);
	if (stale)
		raft_remove(model, leader, stale_id);
}

static void tick_autopilot(struct model *model, int leader)
{
	struct agent *agent = &model->servers[leader].agent;

	agent->autopilot_at = model->now + AUTOPILOT_MS;
	if (promote(model, leader))
		agent->autopilot_at = model->now + 1000;
	else if (model->traits.cleans_up)
		clean_up(model, leader);
}

static void manage(struct model *model, int leader)
{
	struct agent *agent = &model->servers[leader].agent;

	if (!raft_can_change(model, leader) || agent->leaving)
		return;
	if (model->now >= agent->reconcile_at) {
		agent->reconcile_at = model->now + RECONCILE_MS;
		agent->change_at = model->now;
	}
	if (model->now >= agent->change_at)
		agent->change_at = change_for_members(model, leader) ? model->now + 400 : NEVER;
	else if (model->now >= agent->autopilot_at)
		tick_autopilot(model, leader);
}

void raft_lead(struct model *model, int leader)
{
	struct server_truth *server = &model->servers[leader];
	struct contact contact = { 0 };

	if (!reach_peers(model, leader, &contact))
		return;
	if (contact.reached > contact.voters / 2)
		server->agent.majority_at = model->now;
	if (model->now - server->agent.majority_at >= model->traits.election_ms) {
		raft_step_down(model, leader);
		return;
	}
	commit(model, leader, majority_index(&contact));
	/* Who has taken himself out has nothing to lead. */
	if (!raft_find(&server->claim.data.config, server->claim.data.id)) {
		if (raft_can_change(model, leader))
			raft_step_down(model, leader);
		return;
	}
	if (random_chance(&model->random, WRITES_PERMILLE))
		raft_append(model, leader);
	manage(model, leader);
}
