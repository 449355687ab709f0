/* See rules.h: what a recovery may do, what it must not lose, and when to refuse it is wrong. */
#include "rules.h"

/* Until a claim that was made anew is told from one that a voter had: clocks differ, and are given in seconds. */
#define FRESH_MS SECONDS(60)

/* The one of these whose log is the furthest; NULL: none has one. */
static const struct seen_server *best_of(const struct seen *seen, const bool *servers)
{
	const struct seen_server *best = NULL;

	for (int i = 0; i < ORDINALS; i++)
		if (servers[i] && seen->servers[i].has_data &&
		    (!best || raft_is_longer(&seen->servers[i].log, &best->log)))
			best = &seen->servers[i];
	return best;
}

/* To somebody who could be asked. */
static bool is_led(const struct seen *seen)
{
	for (int i = 0; i < ORDINALS; i++)
		if (seen->servers[i].asked && !seen->servers[i].half && seen->servers[i].leader_ip)
			return seen->led;
	return false;
}

/*
 * What peers.json says is in no entry of the log: whoever has missed it, and nothing else, hears of it from no leader.
 * To put it in again, as the leader has it, changes nothing for the others.
 */
static bool is_catching_up(const struct seen *seen, const bool *servers, const struct raft_config *peers)
{
	for (int i = 0; i < ORDINALS; i++) {
		if (servers[i] && (!seen->servers[i].asked || seen->servers[i].is_leader ||
		                   rules_same_peers(&seen->servers[i].config, peers)))
			return false;
		if (seen->servers[i].asked && seen->servers[i].is_leader &&
		    !rules_same_peers(&seen->servers[i].config, peers))
			return false;
	}
	return true;
}

static void check_leaderless(struct rules *rules, const bool *servers, const struct raft_config *peers)
{
	if ((rules->wish.forced ? is_led(&rules->seen) : rules->seen.led) &&
	    !is_catching_up(&rules->seen, servers, peers))
		rules_violation(rules, "recovery", "peers.json is put in while there is a leader");
}

/* Every peer is one of these, as it is now, and every one of these is a peer. */
static void check_named(struct rules *rules, const bool *servers, const struct raft_config *peers)
{
	const struct seen *seen = &rules->seen;
	bool named[ORDINALS] = { false };

	for (int i = 0; i < peers->count; i++) {
		int ordinal = 0;

		while (ordinal < ORDINALS && seen->ids[ordinal] != peers->peers[i].id)
			ordinal++;
		if (ordinal == ORDINALS || !seen->servers[ordinal].has_data) {
			rules_violation(rules, "recovery", "peer %d is nobody who has data", peers->peers[i].id);
			continue;
		}
		named[ordinal] = true;
		if (peers->peers[i].ip != seen->servers[ordinal].pod_ip)
			rules_violation(rules, "recovery", "server %d has address %d, not %d", ordinal,
			                seen->servers[ordinal].pod_ip, peers->peers[i].ip);
	}
	for (int i = 0; i < ORDINALS; i++)
		if (servers[i] ? !named[i] : named[i] && !seen->led)
			rules_violation(rules, "recovery", "server %d %s", i,
			                servers[i] ? "is crashed, and is no peer" : "is a peer, and is not crashed");
	if (raft_voters(peers) == 0)
		rules_violation(rules, "recovery", "none of the peers votes");
}

static bool has_data(const struct server_truth *server)
{
	return server->claim.exists && server->claim.data.log.last > 0 && server->trouble != TROUBLE_CORRUPT;
}

/* To be elected by; because of its log, and whether it runs or may come back. */
static bool could_vote(const struct model *model, int voter, int candidate)
{
	const struct server_truth *server = &model->servers[voter];
	const struct raft_data *data = &model->servers[candidate].claim.data;
	const struct raft_peer *peer = raft_find(&data->config, server->claim.data.id);

	return peer && peer->voter && has_data(server) && !model->rules->written_off[server->claim.data.id] &&
	       !raft_is_longer(&server->claim.data.log, &data->log);
}

/* By all who have their data; running: by those that run. */
static bool could_lead(const struct model *model, int ordinal, bool running)
{
	const struct raft_data *data = &model->servers[ordinal].claim.data;
	int votes = 0;

	if (data->cluster || !could_vote(model, ordinal, ordinal))
		return false;
	for (int i = 0; i < ORDINALS; i++)
		votes += could_vote(model, i, ordinal) && (!running || model->servers[i].agent.up);
	return votes > raft_voters(&data->config) / 2;
}

/* By name; but who has no pod and is named otherwise, or whose claim cannot be seen, has none that could be told. */
static bool is_told(const struct rules *rules, int ordinal)
{
	bool nameless = !rules_seen_wanted(rules, ordinal, rules->seen.replicas) &&
	                (rules->model->traits.own_names || !rules->seen.claims_listed);

	return rules->wish.told[ordinal] || (nameless && rules->wish.told_some);
}

/* As long as a quorum of the voters has its data, they need no help. */
static void check_quorum_gone(struct rules *rules, const bool *servers)
{
	const struct model *model = rules->model;

	for (int i = 0; i < ORDINALS; i++) {
		bool told = true;
		int votes = 0;

		if (!could_lead(model, i, false))
			continue;
		for (int k = 0; k < ORDINALS; k++) {
			votes += could_vote(model, k, i) && !is_told(rules, k);
			told &= !could_vote(model, k, i) || servers[k] || is_told(rules, k);
		}
		if (rules->wish.forced && (told || votes <= raft_voters(&model->servers[i].claim.data.config) / 2))
			continue;
		rules_violation(rules, "recovery", "enough voters still have their data for server %d to be elected%s",
		                i, rules->wish.forced ? ", and nobody was told of those left out" : "");
		return;
	}
}

/* What nobody else has is lost with it. */
static void check_left_out(struct rules *rules, const bool *servers, const struct seen_server *best)
{
	const struct seen *seen = &rules->seen;

	for (int i = 0; i < ORDINALS; i++) {
		const struct seen_server *server = &seen->servers[i];

		if (servers[i] || !server->has_data || server->other_cluster || rules->written_off[seen->ids[i]] ||
		    (!best->other_cluster && !raft_is_longer(&server->log, &best->log)))
			continue;
		if (!rules->wish.forced || !is_told(rules, i))
			rules_violation(
			    rules, "recovery",
			    "server %d is discarded, with entry %llu of term %llu; the best of the others "
			    "has %llu of term %llu",
			    i, (unsigned long long)server->log.last, (unsigned long long)raft_last_term(&server->log),
			    (unsigned long long)best->log.last, (unsigned long long)raft_last_term(&best->log));
	}
}

void rules_recover(struct rules *rules, const bool *servers, const struct raft_config *peers)
{
	const struct seen_server *best = best_of(&rules->seen, servers);

	rules->orders++;
	if (!rules->wish.recover)
		rules_violation(rules, "9 wishes", "peers.json is put in, and nobody asked for a recovery");
	if (rules->blind || !rules->seen.any)
		rules_violation(rules, "recovery", "without a look");
	check_leaderless(rules, servers, peers);
	check_named(rules, servers, peers);
	check_quorum_gone(rules, servers);
	if (!best)
		return;
	check_left_out(rules, servers, best);
	rules->kept = raft_common(&best->log, &rules->model->acknowledged);
}

void rules_recovered(struct rules *rules, int ordinal)
{
	struct model *model = rules->model;

	/* Of a file that was left, while the others go on, nothing comes but what the leader has. */
	if (model->servers[ordinal].claim.data.cluster || raft_leader(model) >= 0)
		return;
	raft_cut(&model->acknowledged, rules->kept);
	for (int i = 0; i < ORDINALS; i++)
		if (has_data(&model->servers[i]))
			rules->written_off[model->servers[i].claim.data.id] =
			    !raft_find(&model->servers[ordinal].claim.data.config, model->servers[i].claim.data.id);
}

void rules_tidy(struct rules *rules, int ordinal)
{
	rules->orders++;
	if (!rules->wish.recover)
		rules_violation(rules, "9 wishes", "peers.json of server %d is removed, and nobody asked", ordinal);
	if (!is_led(&rules->seen))
		rules_violation(rules, "recovery", "peers.json of server %d is removed without a leader", ordinal);
}

void rules_recovery_done(struct rules *rules)
{
	const struct model *model = rules->model;

	/* While faults go on, it may have been so a moment ago. */
	if (model->now <= model->quiet_at + SHAKEN_MS)
		return;
	if (raft_leader(model) < 0)
		rules_violation(rules, "recovery", "it says it is done, and there is no leader");
	for (int i = 0; i < ORDINALS; i++)
		if (model->servers[i].agent.up && model->servers[i].claim.peers_waiting)
			rules_violation(rules, "recovery", "it says it is done, and a peers.json waits for server %d",
			                i);
}

/* --------------------------------------------------------------------------------- wrong to refuse */

/* When the last of those that run with data heard a leader, as far as anybody can tell. */
static int64_t heard_at(const struct model *model)
{
	int64_t at = -HOURS(1000);

	for (int i = 0; i < ORDINALS; i++) {
		const struct agent *agent = &model->servers[i].agent;
		int64_t heard = agent->heard_at > agent->started_at ? agent->heard_at : agent->started_at;

		if (agent->up && has_data(&model->servers[i]) && heard > at)
			at = heard;
	}
	return at;
}

static const char *against_server(const struct model *model, int ordinal)
{
	const struct server_truth *server = &model->servers[ordinal];

	if (!server->claim.exists)
		return NULL;
	if (server->trouble != TROUBLE_NONE)
		return "a server with data does not start";
	if (server->agent.up)
		return has_data(server) && !raft_find(&server->claim.data.config, server->claim.data.id)
		           ? "a server has data and is no peer"
		           : NULL;
	if (has_data(server) || server->claim.created_at <= heard_at(model) + FRESH_MS)
		return "a server may come back with its data";
	return NULL;
}

/* Two of those that run with data do not know the same voters: the leader could not tell all its last change. */
static bool has_dissent(const struct model *model)
{
	const struct raft_config *first = NULL;

	for (int i = 0; i < ORDINALS; i++) {
		const struct server_truth *server = &model->servers[i];
		const struct raft_config *config = &server->claim.data.config;

		if (!server->agent.up || !has_data(server))
			continue;
		if (first && !rules_same_peers(first, config))
			return true;
		first = config;
	}
	return false;
}

const char *rules_against_recovery(const struct rules *rules, bool force)
{
	const struct model *model = rules->model;
	int left = 0;

	if (raft_leader(model) >= 0)
		return "there is a leader";
	if (rules_is_split(rules))
		return "there are two clusters";
	if (model->traits.no_shell)
		return "nothing can be done by exec";
	if (!force && model->traits.claims_hidden)
		return "nobody can tell what is on the claims";
	if (!force && model->traits.own_names)
		return "nobody can tell whose the servers are that are gone";
	if (!force && has_dissent(model))
		return "those that are left have different peers";
	for (int i = 0; i < ORDINALS; i++) {
		const struct server_truth *server = &model->servers[i];
		const char *against = against_server(model, i);

		if (server->agent.up && has_data(server)) {
			if (could_lead(model, i, true))
				return "those that run may elect a leader";
			left += raft_find(&server->claim.data.config, server->claim.data.id) != NULL;
		}
		if (!force && against)
			return against;
	}
	return left > 0 ? NULL : "nothing runs that has data";
}
