/* See rules.h: what a rollout may order, and what must be so when it is done. */
#include "rules.h"

static bool is_voter(const struct raft_config *config, int id)
{
	const struct raft_peer *peer = raft_find(config, id);

	return peer && peer->voter;
}

/* Nothing is lost with it: its container does not run, or it has no vote. One that only does not answer may well have.
 */
static bool is_down(const struct rules *rules, int ordinal, const struct raft_config *config)
{
	return !rules->seen.servers[ordinal].pod_running || !is_voter(config, rules->seen.ids[ordinal]);
}

/* One that is to be replaced, and can be asked: it might go before the leader. */
static bool is_old_and_live(const struct rules *rules, int ordinal, const struct raft_config *config)
{
	const struct seen *seen = &rules->seen;

	return rules_seen_wanted(rules, ordinal, seen->replicas) && seen->servers[ordinal].outdated &&
	       rules_seen_live(&seen->servers[ordinal]) && is_voter(config, seen->ids[ordinal]);
}

/* In order, its pod is not made before the victim's is replaced. */
static bool is_held_up(const struct rules *rules, int ordinal, int victim)
{
	const struct seen_server *servers = rules->seen.servers;

	return rules->model->traits.ordered && ordinal > victim && !servers[ordinal].pod_exists &&
	       servers[victim].pod_stuck;
}

static void check_one_at_a_time(struct rules *rules, enum order order, int ordinal)
{
	const struct seen *seen = &rules->seen;

	for (int i = 0; i < ORDINALS; i++)
		if (i != ordinal && rules_seen_wanted(rules, i, seen->replicas) && !is_held_up(rules, i, ordinal) &&
		    (!seen->servers[i].pod_exists || seen->servers[i].pod_deleting))
			rules_violation(rules, "2 one change", "%s of server %d while pod %d is being replaced",
			                rules_order_name(order), ordinal, i);
	if (!seen->observed)
		rules_violation(rules, "2 one change", "%s before the controller saw the last change",
		                rules_order_name(order));
}

/*
 * All others must be stable voters. One that is down loses nothing by going first; but where even the newest revision
 * does not come, whoever goes may not come back.
 */
static void check_others(struct rules *rules, enum order order, int ordinal, bool down)
{
	const struct seen *seen = &rules->seen;
	bool others[ORDINALS];

	check_one_at_a_time(rules, order, ordinal);
	for (int i = 0; i < ORDINALS; i++)
		others[i] = i != ordinal && rules_seen_wanted(rules, i, seen->replicas) &&
		            !(down && seen->servers[i].outdated) && !is_held_up(rules, i, ordinal);
	rules_check_settled(rules, order, others);
}

static void check_wish(struct rules *rules, enum order order, int ordinal)
{
	const struct seen *seen = &rules->seen;

	if (!rules->wish.rollout)
		rules_violation(rules, "9 wishes", "%s of server %d, and nobody asked for a rollout",
		                rules_order_name(order), ordinal);
	if (!rules_seen_wanted(rules, ordinal, seen->replicas))
		rules_violation(rules, "9 wishes", "%s of server %d, which is not wanted", rules_order_name(order),
		                ordinal);
	if (!seen->servers[ordinal].outdated)
		rules_violation(rules, "rollout", "%s of server %d, which is of the newest revision",
		                rules_order_name(order), ordinal);
}

static void check_leader_last(struct rules *rules, enum order order, int ordinal, const struct raft_config *config)
{
	if (!rules->seen.servers[ordinal].asked || !rules->seen.servers[ordinal].is_leader)
		return;
	for (int i = 0; i < ORDINALS; i++)
		if (i != ordinal && is_old_and_live(rules, i, config))
			rules_violation(rules, "rollout", "%s of leader %d before server %d", rules_order_name(order),
			                ordinal, i);
}

static void note_restart(struct rules *rules, int ordinal)
{
	rules->restarts++;
	rules->restarted_uid[ordinal] = rules->seen.servers[ordinal].uid;
}

/* There may be no other way back from a template whose servers do not come, and nothing gets worse. */
void rules_restart_dead(struct rules *rules, int ordinal, const struct raft_config *config)
{
	note_restart(rules, ordinal);
	check_wish(rules, ORDER_RESTART, ordinal);
	if (rules->seen.servers[ordinal].pod_stuck && (!config || !rules_seen_quorum(rules, config)))
		check_one_at_a_time(rules, ORDER_RESTART, ordinal);
	else
		check_others(rules, ORDER_RESTART, ordinal, true);
}

void rules_restart(struct rules *rules, int ordinal, const struct raft_config *config)
{
	bool without[ORDINALS] = { false };

	note_restart(rules, ordinal);
	without[ordinal] = true;
	check_wish(rules, ORDER_RESTART, ordinal);
	check_others(rules, ORDER_RESTART, ordinal, is_down(rules, ordinal, config));
	check_leader_last(rules, ORDER_RESTART, ordinal, config);
	/* One server alone cannot be replaced without being away for a while. */
	if (raft_voters(config) > 1 || !is_voter(config, rules->seen.ids[ordinal]))
		rules_check_sudden(rules, ORDER_RESTART, without);
}

void rules_restart_leave(struct rules *rules, int ordinal, const struct raft_config *config)
{
	/* Whose pod is going anyway had better leave first. */
	if (rules->seen.servers[ordinal].pod_deleting)
		return;
	check_wish(rules, ORDER_LEAVE, ordinal);
	check_others(rules, ORDER_LEAVE, ordinal, is_down(rules, ordinal, config));
	check_leader_last(rules, ORDER_LEAVE, ordinal, config);
	rules_check_without(rules, ORDER_LEAVE, config, rules->seen.ids[ordinal]);
}

void rules_restart_transfer(struct rules *rules, int ordinal, const struct raft_config *config)
{
	check_leader_last(rules, ORDER_TRANSFER, ordinal, config);
}

const char *rules_missing_rollout(const struct rules *rules)
{
	const struct model *model = rules->model;

	for (int i = 0; i < ORDINALS; i++)
		if (wanted(model, i) && !kubernetes_is_newest(model, i))
			return "a pod is of an old template";
	return NULL;
}

void rules_count_anew(struct rules *rules)
{
	rules->elections = rules->restarts = 0;
	rules->leaderless_ms = 0;
}
