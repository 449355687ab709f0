/* See rules.h: rules 1 to 5 and 7, of one order. */
#include "rules.h"

#define OLD_MS HOURS(168)

static const char *const order_names[] = { "done",        "replicas", "leave",      "force-leave",  "prune",
	                                   "remove-peer", "transfer", "min-quorum", "delete-claim", "expect",
	                                   "restart",     "crash",    "join" };

const char *rules_order_name(enum order order)
{
	return order_names[order];
}

bool rules_seen_wanted(const struct rules *rules, int ordinal, int replicas)
{
	int start = rules->model->traits.start;

	return ordinal >= start && ordinal < start + replicas;
}

bool rules_seen_live(const struct seen_server *server)
{
	return server->asked && server->pod_exists && server->pod_running && !server->pod_deleting;
}

static int server_of_id(const struct seen *seen, int id)
{
	for (int i = 0; i < ORDINALS; i++)
		if (seen->ids[i] == id)
			return i;
	return -1;
}

/* The peer set that counts: the leader's, as it told. NULL: nobody leads. */
static const struct raft_config *leaders_config(const struct rules *rules)
{
	const struct seen *seen = &rules->seen;

	for (int i = 0; i < ORDINALS; i++)
		if (seen->servers[i].asked && !seen->servers[i].half && seen->servers[i].is_leader &&
		    !seen->servers[i].cluster)
			return &seen->servers[i].config;
	/* It could not be asked: what is committed is what the others have learnt from it. */
	for (int i = 0; i < ORDINALS; i++)
		if (seen->servers[i].asked && seen->servers[i].leader_ip && !seen->servers[i].cluster)
			return &seen->servers[i].config;
	return NULL;
}

/*
 * Voters of the set that lived when looked at, but for those that without says. Whose pod is going counts where it only
 * has to agree.
 */
static int live_voters(const struct rules *rules, const struct raft_config *config, const bool *without, bool going_too)
{
	int live = 0;

	for (int i = 0; i < config->count; i++) {
		int ordinal = server_of_id(&rules->seen, config->peers[i].id);

		live += config->peers[i].voter && ordinal >= 0 && !(without && without[ordinal]) &&
		        (rules_seen_live(&rules->seen.servers[ordinal]) ||
		         (going_too && rules->seen.servers[ordinal].asked));
	}
	return live;
}

bool rules_seen_quorum(const struct rules *rules, const struct raft_config *config)
{
	int live = 0;

	for (int i = 0; i < config->count; i++) {
		int ordinal = server_of_id(&rules->seen, config->peers[i].id);

		live += config->peers[i].voter && ordinal >= 0 && rules_seen_live(&rules->seen.servers[ordinal]) &&
		        rules->seen.servers[ordinal].ip == config->peers[i].ip;
	}
	return live > raft_voters(config) / 2;
}

/* ------------------------------------------------------------------------------------ 1: the quorum */

static void check_quorum(struct rules *rules, enum order order, int live, int voters)
{
	if (live < voters / 2 + 1)
		rules_violation(rules, "1 quorum", "%s could leave %d live voters of %d", order_names[order], live,
		                voters);
}

/* Whoever goes may die at once. */
void rules_check_sudden(struct rules *rules, enum order order, const bool *without)
{
	for (int i = 0; i < ORDINALS; i++) {
		const struct seen_server *server = &rules->seen.servers[i];
		const struct raft_peer *self = raft_find(&server->config, server->id);

		/* Of every live server that stays and votes: any of them may be the leader's. */
		if (rules_seen_live(server) && !without[i] && self && self->voter)
			check_quorum(rules, order, live_voters(rules, &server->config, without, false),
			             raft_voters(&server->config));
	}
}

static void check_quorum_down(struct rules *rules, int replicas)
{
	bool without[ORDINALS];

	for (int i = 0; i < ORDINALS; i++)
		without[i] = !rules_seen_wanted(rules, i, replicas);
	rules_check_sudden(rules, ORDER_REPLICAS, without);
}

/* One more voter than now, which may die as soon as it is one; only where there is one server that cannot be had. */
static void check_quorum_up(struct rules *rules, const struct raft_config *config)
{
	int live = live_voters(rules, config, NULL, false), voters = raft_voters(config);

	check_quorum(rules, ORDER_REPLICAS, live, voters);
	if (voters > 1)
		check_quorum(rules, ORDER_REPLICAS, live, voters + 1);
}

/* It goes out of the peer set; before that a majority has to agree. */
void rules_check_without(struct rules *rules, enum order order, const struct raft_config *config, int id)
{
	const struct raft_peer *peer = raft_find(config, id);
	int ordinal = server_of_id(&rules->seen, id);
	bool without[ORDINALS] = { false };

	if (!peer || !peer->voter)
		return;
	if (ordinal >= 0)
		without[ordinal] = true;
	check_quorum(rules, order, live_voters(rules, config, without, order != ORDER_LEAVE), raft_voters(config) - 1);
}

/* ----------------------------------------------------------------------- 2 and 3: one after the other */

static void check_gone(struct rules *rules, enum order order)
{
	for (int i = 0; i < ORDINALS; i++)
		if (rules->seen.servers[i].pod_exists && !rules_seen_wanted(rules, i, rules->seen.replicas))
			rules_violation(rules, "3 gone", "%s while pod %d of before is still there", order_names[order],
			                i);
}

static bool knows_as_voter(const struct seen_server *viewer, const struct seen_server *server)
{
	const struct raft_peer *peer = raft_find(&viewer->config, server->id);

	/*
	 * An entry with a former address is taken out soon. But the leader of one or two keeps the one that it had, and
	 * so does one that alone votes, as raft refuses a configuration without a voter.
	 */
	return peer && peer->voter &&
	       (peer->ip == server->ip ||
	        (server->is_leader && (server->config.count < 3 || raft_voters(&server->config) == 1)));
}

/* One of them that has not learnt that this server votes; -1: there is none. */
static int find_ignorant(const struct seen *seen, const struct seen_server *server, const bool *servers)
{
	for (int k = 0; k < ORDINALS; k++)
		if (servers[k] && rules_seen_live(&seen->servers[k]) && !knows_as_voter(&seen->servers[k], server))
			return k;
	return -1;
}

bool rules_seen_voter(const struct rules *rules, int ordinal)
{
	bool everybody[ORDINALS];

	for (int i = 0; i < ORDINALS; i++)
		everybody[i] = rules->seen.servers[i].asked && !rules->seen.servers[i].half;
	return rules->seen.servers[ordinal].asked && rules->seen.servers[ordinal].pod_running &&
	       find_ignorant(&rules->seen, &rules->seen.servers[ordinal], everybody) < 0;
}

void rules_check_settled(struct rules *rules, enum order order, const bool *servers)
{
	const struct seen *seen = &rules->seen;

	for (int i = 0; i < ORDINALS; i++) {
		const struct seen_server *server = &seen->servers[i];
		int ignorant;

		if (!servers[i])
			continue;
		if (!rules_seen_live(server) || server->half) {
			rules_violation(rules, "2 one change", "%s while server %d is no live voter",
			                order_names[order], i);
			continue;
		}
		ignorant = find_ignorant(seen, server, servers);
		if (ignorant >= 0)
			rules_violation(rules, "2 one change", "%s while server %d is no voter to server %d",
			                order_names[order], i, ignorant);
	}
}

/* Every server up to that number, and nothing is being changed. */
static void check_settled(struct rules *rules, enum order order, int replicas)
{
	const struct seen *seen = &rules->seen;
	bool servers[ORDINALS];

	for (int i = 0; i < ORDINALS; i++)
		servers[i] = rules_seen_wanted(rules, i, replicas);
	rules_check_settled(rules, order, servers);
	for (int i = 0; i < ORDINALS; i++)
		if (rules_seen_wanted(rules, i, seen->replicas) && seen->servers[i].outdated && !seen->on_delete)
			rules_violation(rules, "2 one change", "%s while pod %d is to be replaced", order_names[order],
			                i);
	if (!seen->observed)
		rules_violation(rules, "2 one change", "%s before the controller saw the last change",
		                order_names[order]);
}

/* --------------------------------------------------------------------------------- 5: they all agree */

bool rules_same_peers(const struct raft_config *a, const struct raft_config *b)
{
	if (a->count != b->count)
		return false;
	for (int i = 0; i < a->count; i++) {
		const struct raft_peer *peer = raft_find(b, a->peers[i].id);

		if (!peer || peer->voter != a->peers[i].voter || peer->ip != a->peers[i].ip)
			return false;
	}
	return true;
}

/* No pod is of the cluster that the story began with: what is left is another one, and to anybody who looks the only
 * one. */
static bool has_successor(const struct rules *rules)
{
	bool other = false;

	for (int i = 0; i < ORDINALS; i++) {
		if (rules->seen.servers[i].pod_exists && !rules->seen.servers[i].cluster)
			return false;
		other |= rules->seen.servers[i].pod_exists;
	}
	return other;
}

/* False: it is broken so much that the other rules have nothing to say. */
bool rules_check_agreement(struct rules *rules, enum order order, bool peers_too)
{
	const struct raft_config *config = leaders_config(rules);
	int leader_ip = 0;

	if (rules->seen.any && has_successor(rules))
		return false;
	if (!rules->seen.any || !config) {
		rules_violation(rules, "5 agreement", "%s without a leader", order_names[order]);
		return false;
	}
	for (int i = 0; i < ORDINALS; i++) {
		const struct seen_server *server = &rules->seen.servers[i];
		const struct raft_peer *peer = raft_find(config, server->id);

		if (server->asked && !server->half && server->cluster && peers_too)
			rules_violation(rules, "5 agreement", "%s while server %d is of another cluster",
			                order_names[order], i);
		if (!server->asked || !server->leader_ip || !peer)
			continue;
		if (leader_ip && server->leader_ip != leader_ip)
			rules_violation(rules, "5 agreement",
			                "%s while the leader is %d to server %d, and %d to another", order_names[order],
			                server->leader_ip, i, leader_ip);
		leader_ip = server->leader_ip;
		if (peers_too && peer->voter && !server->half && !rules_same_peers(&server->config, config))
			rules_violation(rules, "5 agreement", "%s while server %d has another peer set",
			                order_names[order], i);
	}
	return true;
}

/* --------------------------------------------------------------------------------------- the orders */

static void check_old_data(struct rules *rules, int ordinal)
{
	const struct seen_server *server = &rules->seen.servers[ordinal];

	if (server->claim_exists && rules->model->now - server->claim_used_at > OLD_MS && !rules->wish.force)
		rules_violation(rules, "old data", "server %d comes with data that is too old", ordinal);
	if (server->claim_exists && rules->wish.delete_claims)
		rules_violation(rules, "9 wishes", "server %d comes with data that should be deleted", ordinal);
}

/* A server without data that is told to expect only itself waits for nobody. */
static void check_expect(struct rules *rules, int ordinal)
{
	if (rules->seen.expect == 1 && rules->seen.ids[ordinal] == 0)
		rules_violation(rules, "5 agreement", "server %d comes, and will make a cluster of its own", ordinal);
}

static void check_replicas(struct rules *rules, int replicas, const struct raft_config *config)
{
	int difference = replicas - rules->seen.replicas;

	if (!rules->wish.scale)
		rules_violation(rules, "9 wishes", "reap scales to %d", replicas);
	if (difference != 1 && difference != -1)
		rules_violation(rules, "2 one change", "from %d replicas to %d", rules->seen.replicas, replicas);
	if ((difference > 0 && replicas > rules->wish.replicas) || (difference < 0 && replicas < rules->wish.replicas))
		rules_violation(rules, "9 wishes", "to %d replicas, away from %d", replicas, rules->wish.replicas);
	check_gone(rules, ORDER_REPLICAS);
	check_settled(rules, ORDER_REPLICAS, difference < 0 ? replicas : rules->seen.replicas);
	if (difference < 0) {
		check_quorum_down(rules, replicas);
	} else {
		check_quorum_up(rules, config);
		check_old_data(rules, rules->model->traits.start + replicas - 1);
		check_expect(rules, rules->model->traits.start + replicas - 1);
	}
}

static int pods_beyond(const struct rules *rules)
{
	int pods = 0;

	for (int i = 0; i < ORDINALS; i++)
		pods += rules->seen.servers[i].pod_exists && !rules_seen_wanted(rules, i, rules->seen.replicas);
	return pods;
}

/* Only the highest may be told to leave, and only when it is to go. */
static void check_leave(struct rules *rules, int ordinal, const struct raft_config *config)
{
	int highest = rules->model->traits.start + rules->seen.replicas - 1;

	if (rules->wish.rollout) {
		rules_restart_leave(rules, ordinal, config);
		return;
	}
	if (rules->wish.scale && ordinal > highest) {
		/* Whose pod is going anyway had better leave first: that is never worse than if it does not. */
		if (rules->seen.servers[ordinal].pod_deleting)
			return;
		/* Its replica is taken away already, and Kubernetes takes its time: the same, if it is the only one. */
		if (pods_beyond(rules) == 1) {
			check_settled(rules, ORDER_LEAVE, rules->seen.replicas);
			rules_check_without(rules, ORDER_LEAVE, config, rules->seen.ids[ordinal]);
			return;
		}
	}
	if (!rules->wish.scale || rules->wish.replicas >= rules->seen.replicas || ordinal != highest)
		rules_violation(rules, "9 wishes", "server %d shall leave, and need not go", ordinal);
	check_gone(rules, ORDER_LEAVE);
	check_settled(rules, ORDER_LEAVE, rules->seen.replicas - 1);
	rules_check_without(rules, ORDER_LEAVE, config, rules->seen.ids[ordinal]);
}

/* 4: whoever could come back is not removed. */
static void check_removal(struct rules *rules, enum order order, int ordinal, int id, const struct raft_config *config)
{
	const struct seen *seen = &rules->seen;

	if (ordinal >= 0 && !rules->wish.named[ordinal]) {
		if (rules_seen_wanted(rules, ordinal, seen->replicas))
			rules_violation(rules, "4 could return", "%s of server %d, which is wanted", order_names[order],
			                ordinal);
		if (seen->servers[ordinal].pod_exists)
			rules_violation(rules, "4 could return", "%s of server %d, whose pod exists",
			                order_names[order], ordinal);
		if (!rules->wish.scale && rules->wish.any_named)
			rules_violation(rules, "9 wishes", "%s of server %d, which was not named", order_names[order],
			                ordinal);
	}
	if (order == ORDER_PRUNE && !rules->wish.prune)
		rules_violation(rules, "9 wishes", "server %d is pruned, and nobody asked for it", ordinal);
	/* To reap is to take away what is dead, and that is never worse; but scale does one thing after the other. */
	if (rules->wish.scale)
		check_gone(rules, order);
	rules_check_without(rules, order, config, id);
}

static void check_claim(struct rules *rules, int ordinal)
{
	const struct seen *seen = &rules->seen;
	const struct raft_peer *peer = raft_find(&seen->committed, seen->ids[ordinal]);

	if (!rules->wish.scale || !rules->wish.delete_claims)
		rules_violation(rules, "7 claims", "the claim of server %d is deleted, and nobody asked for it",
		                ordinal);
	if (rules_seen_wanted(rules, ordinal, seen->replicas))
		rules_violation(rules, "7 claims", "the claim of server %d is deleted, which is wanted", ordinal);
	if (seen->servers[ordinal].pod_exists)
		rules_violation(rules, "7 claims", "the claim of server %d is deleted, whose pod exists", ordinal);
	if (peer && peer->voter)
		rules_violation(rules, "7 claims", "the data of voter %d is deleted", ordinal);
}

void rules_order(struct rules *rules, enum order order, int subject)
{
	const struct raft_config *config = leaders_config(rules);
	bool changes_peers = order == ORDER_REPLICAS || order == ORDER_LEAVE || order == ORDER_RESTART;

	rules->orders++;
	if (rules->blind)
		rules_violation(rules, "5 agreement", "%s without a look, since the last one failed",
		                order_names[order]);
	if (order == ORDER_RESTART && !rules->seen.servers[subject].pod_running) {
		rules_restart_dead(rules, subject, config);
		return;
	}
	if (!rules_check_agreement(rules, order, changes_peers))
		return;
	if (rules->wish.rollout && order != ORDER_RESTART && order != ORDER_LEAVE && order != ORDER_TRANSFER &&
	    order != ORDER_JOIN)
		rules_violation(rules, "9 wishes", "%s of %d in a rollout", order_names[order], subject);
	switch (order) {
	case ORDER_REPLICAS:
		check_replicas(rules, subject, config);
		break;
	case ORDER_LEAVE:
		check_leave(rules, subject, config);
		break;
	case ORDER_FORCE_LEAVE:
	case ORDER_PRUNE:
		check_removal(rules, order, subject, rules->seen.ids[subject], config);
		break;
	case ORDER_REMOVE_PEER:
		check_removal(rules, order, server_of_id(&rules->seen, subject), subject, config);
		break;
	case ORDER_MIN_QUORUM:
		if (subject > rules->wish.replicas && subject > rules->seen.replicas)
			rules_violation(rules, "1 quorum", "min_quorum %d is more than there are servers", subject);
		break;
	case ORDER_DELETE_CLAIM:
		check_claim(rules, subject);
		break;
	case ORDER_EXPECT:
		if (subject < 2)
			rules_violation(rules, "5 agreement", "servers are told to expect %d", subject);
		break;
	case ORDER_RESTART:
		rules_restart(rules, subject, config);
		break;
	case ORDER_TRANSFER:
		if (rules->wish.rollout)
			rules_restart_transfer(rules, subject, config);
		break;
	case ORDER_JOIN: /* whoever is told so only says that it is there */
	case ORDER_CRASH:
	case ORDER_NONE:
		break;
	}
}

void rules_settled(struct rules *rules)
{
	const struct seen *seen = &rules->seen;

	if (!rules->wish.scale && !rules->wish.rollout)
		return;
	if (rules->wish.scale && (!seen->any || seen->replicas != rules->wish.replicas))
		rules_violation(rules, "9 wishes", "it says it is done, with %d replicas", seen->replicas);
	for (int i = 0; i < ORDINALS; i++)
		if (rules->wish.rollout && rules_seen_wanted(rules, i, seen->replicas) && seen->servers[i].outdated)
			rules_violation(rules, "9 wishes", "it says it is done, and pod %d is of an old template", i);
	if (rules->wish.scale)
		check_gone(rules, ORDER_NONE);
	check_settled(rules, ORDER_NONE, seen->replicas);
}

static bool shows(const struct rules *rules, enum order order, int subject)
{
	const struct seen *seen = &rules->seen;
	const struct raft_config *config = leaders_config(rules);
	const struct raft_peer *peer = NULL;

	if (config && order == ORDER_LEAVE)
		peer = raft_find(config, seen->ids[subject]);
	if (config && order == ORDER_REMOVE_PEER)
		peer = raft_find(config, subject);
	switch (order) {
	case ORDER_REPLICAS:
		return seen->replicas == subject;
	case ORDER_LEAVE:
		/* Whoever was asked first may not have heard yet what is committed. */
		if (peer && peer->voter)
			peer = raft_find(&seen->committed, seen->ids[subject]);
		return !peer || !peer->voter;
	case ORDER_REMOVE_PEER:
		return !peer;
	case ORDER_MIN_QUORUM:
		return seen->min_quorum == subject;
	case ORDER_DELETE_CLAIM:
		return !seen->servers[subject].claim_exists || seen->servers[subject].claim_deleting;
	case ORDER_EXPECT:
		return seen->expect == subject;
	case ORDER_RESTART:
		return seen->servers[subject].pod_exists && seen->servers[subject].uid != rules->restarted_uid[subject];
	case ORDER_FORCE_LEAVE:
	case ORDER_PRUNE:
	case ORDER_TRANSFER:
	case ORDER_JOIN:
	case ORDER_CRASH:
	case ORDER_NONE:
		break;
	}
	return true;
}

void rules_effect(struct rules *rules, enum order order, int subject)
{
	if (!shows(rules, order, subject))
		rules_violation(rules, "9 wishes", "it says that %s of %d is done, and it is not", order_names[order],
		                subject);
}
