/* See rules.h: what was seen, what must be true at any time, and what must be true in the end. */
#include "rules.h"

#include <stdarg.h>
#include <stdio.h>

void rules_violation(struct rules *rules, const char *rule, const char *format, ...)
{
	const struct model *model = rules->model;
	va_list arguments;

	rules->violations++;
	printf("seed %llu: VIOLATION of rule %s at %lld.%lld s: ", (unsigned long long)model->seed, rule,
	       (long long)(model->now / 1000), (long long)(model->now % 1000 / 100));
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

/* ------------------------------------------------------------------------------------------- looking */

void rules_look_begins(struct rules *rules)
{
	const struct model *model = rules->model;
	struct seen *looking = &rules->looking;

	*looking = (struct seen){ .any = true, .replicas = model->set.replicas, .expect = model->set.expect };
	looking->observed = model->set.observed == model->set.generation;
	looking->led = raft_leader(model) >= 0;
	looking->on_delete = model->set.on_delete;
	for (int i = 0; i < ORDINALS; i++) {
		const struct server_truth *server = &model->servers[i];
		struct seen_server *seen = &looking->servers[i];

		seen->pod_exists = server->pod.phase != PHASE_NONE;
		seen->pod_deleting = server->pod.deleting;
		seen->pod_running = server->pod.running;
		seen->pod_stuck =
		    !server->pod.running && (server->pod.phase == PHASE_PENDING || server->pod.restarts > 1);
		seen->outdated = seen->pod_exists && !kubernetes_is_newest(model, i);
		seen->uid = server->pod.uid;
		seen->claim_exists = server->claim.exists;
		seen->claim_deleting = server->claim.deleting;
		seen->claim_used_at = server->claim.used_at;
		seen->claim_uid = server->claim.uid;
		looking->ids[i] = server->claim.data.id;
		seen->pod_ip = server->pod.ip;
		seen->has_data =
		    server->claim.exists && server->claim.data.log.last > 0 && server->trouble != TROUBLE_CORRUPT;
		seen->other_cluster = server->claim.data.cluster != 0;
		seen->log = server->claim.data.log;
		seen->peers_waiting = server->claim.peers_waiting;
	}
}

static enum status status_of(const struct model *model, int viewer, int node)
{
	const struct news *news = &model->servers[viewer].agent.members[node].known;

	return news->ip == model->servers[node].pod.ip ? news->status : STATUS_NONE;
}

void rules_look_asked(struct rules *rules, int ordinal, bool answered, bool half)
{
	const struct server_truth *server = &rules->model->servers[ordinal];
	struct seen_server *seen = &rules->looking.servers[ordinal];

	seen->asked = answered;
	seen->half = half;
	if (!answered)
		return;
	seen->is_leader = server->agent.role == ROLE_LEADER;
	seen->id = rules->looking.ids[ordinal] = server->claim.data.id;
	seen->leader_ip = server->agent.leader_ip;
	seen->cluster = server->claim.data.cluster;
	seen->ip = server->agent.ip;
	seen->config = server->claim.data.config;
	for (int i = 0; i < ORDINALS; i++)
		seen->members[i] = status_of(rules->model, ordinal, i);
}

void rules_look_ends(struct rules *rules, bool whole)
{
	int leader = raft_leader(rules->model);

	rules->looking.committed = rules->model->committed;
	rules->looking.min_quorum = rules->model->min_quorum;
	rules->looking.led &= leader >= 0;
	rules->looking.term = leader < 0 ? 0 : rules->model->servers[leader].claim.data.term;
	rules->blind = !whole;
	if (whole)
		rules->seen = rules->looking;
}

/* -------------------------------------------------------------------------------------- at any time */

static bool is_live_voter(const struct model *model, int ordinal)
{
	const struct server_truth *server = &model->servers[ordinal];

	return server->agent.up && model->now >= server->isolated_until;
}

/*
 * 1: with nobody hurt by a fault, there is always a quorum. (A fault while a server leaves can spoil what was right
 * when it was begun: the leader that should remove it is another one then, and late.)
 */
static void check_truth(struct rules *rules)
{
	struct model *model = rules->model;
	const struct raft_config *config = &model->committed;
	int live = 0;
	bool hurt = false;

	for (int i = 0; i < config->count; i++) {
		int ordinal = agent_of_id(model, config->peers[i].id);

		if (!config->peers[i].voter)
			continue;
		if (ordinal >= 0 && is_live_voter(model, ordinal)) {
			live++;
			continue;
		}
		/* Whose data nobody has. */
		for (ordinal = 0; ordinal < ORDINALS; ordinal++)
			if (model->servers[ordinal].claim.data.id == config->peers[i].id)
				break;
		hurt |= ordinal == ORDINALS;
	}
	/* Dead, or out of the peer set, so that it takes fewer of the others to be no majority. */
	for (int i = 0; i < ORDINALS; i++)
		hurt |= model->servers[i].hurt && model->servers[i].claim.data.id;
	/* What a fault began lasts until the quorum is back, however long that is. */
	if (live > raft_voters(config) / 2) {
		rules->lost_told = false;
	} else if (!rules->lost_told) {
		rules->lost_told = true;
		if (hurt || model->now - model->shaken_at <= SHAKEN_MS)
			return;
		rules_violation(rules, "1 quorum", "is lost: %d live voters of %d, and no fault did that", live,
		                raft_voters(config));
	}
}

/*
 * Who votes and lives is well again. But one that a fault has made anew from a template whose servers do not live goes
 * on ending: that it has led for a second in between changes nothing.
 */
static void forget_hurts(struct model *model)
{
	for (int i = 0; i < ORDINALS; i++) {
		struct server_truth *server = &model->servers[i];
		const struct raft_peer *peer;

		if (!server->hurt || !server->agent.up || server->pod.deleting || model->now < server->isolated_until ||
		    !wanted(model, i) || server->agent.crash_at != NEVER)
			continue;
		peer = raft_find(&model->committed, server->claim.data.id);
		if (peer && peer->voter && server->agent.leader_ip)
			server->hurt = false;
	}
}

void rules_tick(struct rules *rules)
{
	if (raft_leader(rules->model) < 0)
		rules->leaderless_ms += TICK_MS;
	check_truth(rules);
	rules_drill_tick(rules);
	forget_hurts(rules->model);
}

/* What comes because of the tool joins, and does not begin anew. */
void rules_bootstrapped(struct rules *rules, int ordinal)
{
	if (!rules->model->servers[ordinal].hurt)
		rules_violation(rules, "5 agreement", "server %d makes a cluster of its own", ordinal);
}

bool rules_is_split(const struct rules *rules)
{
	for (int i = 0; i < ORDINALS; i++)
		if (rules->model->servers[i].claim.data.cluster)
			return true;
	return false;
}

/* 8: who is elected has all that was ever acknowledged. */
void rules_elected(struct rules *rules, int leader)
{
	const struct model *model = rules->model;
	const struct raft_log *log = &model->servers[leader].claim.data.log;

	rules->elections++;
	if (raft_term_at(log, model->acknowledged.last) != raft_last_term(&model->acknowledged))
		rules_violation(rules, "8 writes", "leader %d lacks acknowledged entry %llu", leader,
		                (unsigned long long)model->acknowledged.last);
}

/* --------------------------------------------------------------------------------------- in the end */

static const char *missing_of_server(const struct model *model, int ordinal, int leader)
{
	const struct server_truth *server = &model->servers[ordinal];
	const struct raft_peer *peer = raft_find(&model->committed, server->claim.data.id);

	if (server->pod.phase != PHASE_RUNNING || !server->agent.up)
		return "a wanted server does not run";
	if (!peer || !peer->voter || (peer->ip != server->agent.ip && ordinal != leader))
		return "a wanted server is no voter";
	if (model->servers[leader].agent.members[ordinal].known.status != STATUS_ALIVE)
		return "a wanted server is not alive to the leader";
	return NULL;
}

static const char *missing_of_others(const struct model *model, int ordinal, int leader, const struct wish *wish)
{
	const struct server_truth *server = &model->servers[ordinal];
	enum status status = model->servers[leader].agent.members[ordinal].known.status;

	if (server->pod.phase != PHASE_NONE)
		return "a pod is there that should be gone";
	if (wish->strangers_stay && !wish->any_named)
		return NULL;
	if (status == STATUS_ALIVE || status == STATUS_LEAVING || status == STATUS_FAILED)
		return "a member that is gone has not left";
	if (!wish->scale && wish->prune && status == STATUS_LEFT)
		return "a member that left is not pruned";
	if (wish->scale && wish->delete_claims && server->claim.exists && !server->claim.deleting)
		return "a claim is there that should be deleted";
	return NULL;
}

static const char *missing_of_reap(const struct rules *rules, int leader)
{
	const struct model *model = rules->model;

	for (int i = 0; i < ORDINALS; i++) {
		const char *missing = NULL;

		if (rules->wish.any_named ? rules->wish.named[i] && !wanted(model, i)
		                          : !wanted(model, i) && model->servers[i].pod.phase == PHASE_NONE)
			missing = missing_of_others(model, i, leader, &rules->wish);
		if (missing)
			return missing;
	}
	if (rules->wish.any_named || rules->wish.strangers_stay)
		return NULL;
	for (int i = 0; i < model->committed.count; i++) {
		int ordinal = 0;

		while (ordinal < ORDINALS && model->servers[ordinal].claim.data.id != model->committed.peers[i].id)
			ordinal++;
		if (ordinal == ORDINALS || (!wanted(model, ordinal) && model->servers[ordinal].pod.phase == PHASE_NONE))
			return "a peer is there that nobody is";
	}
	return NULL;
}

const char *rules_missing(const struct rules *rules)
{
	const struct model *model = rules->model;
	const struct wish *wish = &rules->wish;
	int leader = raft_leader(model);

	if (leader < 0)
		return "there is no leader";
	if (!wish->scale && !wish->rollout)
		return missing_of_reap(rules, leader);
	if (wish->scale && model->set.replicas != wish->replicas)
		return "the replicas are not what was asked for";
	for (int i = 0; i < ORDINALS; i++) {
		const char *missing = wanted(model, i) ? missing_of_server(model, i, leader)
		                      : wish->scale    ? missing_of_others(model, i, leader, wish)
		                                       : NULL;

		if (missing)
			return missing;
	}
	if (wish->rollout)
		return rules_missing_rollout(rules);
	if (model->committed.count == wish->replicas || wish->strangers_stay)
		return NULL;
	return "the peer set is not as large as asked for";
}

void rules_done(struct rules *rules)
{
	const char *missing = rules_missing(rules);

	rules_settled(rules);
	/* While faults go on, something may have happened since the look that it says so from. */
	if (missing && rules->model->now > rules->model->quiet_at + SHAKEN_MS)
		rules_violation(rules, "9 wishes", "it says it is done, but %s", missing);
}

/* In order, no pod is made before the one below is ready, which it is not without a leader. */
static bool may_run(const struct model *model, int ordinal)
{
	const struct server_truth *server = &model->servers[ordinal];

	if (server->agent.up)
		return true;
	return wanted(model, ordinal) && (!model->traits.ordered || server->pod.phase != PHASE_NONE);
}

/* It may win an election some day: a majority of those that it knows as voters may run, and would vote for it. */
static bool may_lead(const struct model *model, int ordinal)
{
	const struct raft_data *data = &model->servers[ordinal].claim.data;
	const struct raft_peer *self = raft_find(&data->config, data->id);
	int possible = 0;

	if (data->cluster || (self ? !self->voter : !raft_may_ask_without(model, ordinal)))
		return false;
	for (int i = 0; i < data->config.count; i++)
		for (int other = 0; other < ORDINALS; other++)
			possible += data->config.peers[i].voter &&
			            model->servers[other].claim.data.id == data->config.peers[i].id &&
			            may_run(model, other) &&
			            !raft_is_longer(&model->servers[other].claim.data.log, &data->log);
	return possible > raft_voters(&data->config) / 2;
}

bool rules_is_lost(const struct rules *rules)
{
	const struct model *model = rules->model;

	for (int ordinal = 0; ordinal < ORDINALS; ordinal++)
		if (may_run(model, ordinal) && may_lead(model, ordinal))
			return false;
	return true;
}
