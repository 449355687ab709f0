/* See rules.h: which server may crash on purpose, and whether what is told of it then is so. */
#include "rules.h"

#define TOLERANCE_MS                                                                                                   \
	SECONDS(1) /* between what happens and when it is said to have happened, where nothing else is wrong */

static void check_victim(struct rules *rules, int victim)
{
	const struct seen *seen = &rules->seen;
	bool without[ORDINALS] = { false }, others[ORDINALS];

	for (int i = 0; i < ORDINALS; i++)
		others[i] = rules_seen_wanted(rules, i, seen->replicas);
	others[victim] = without[victim] = true;
	if (!rules_check_agreement(rules, ORDER_CRASH, true))
		return;
	rules_check_settled(rules, ORDER_CRASH, others);
	rules_check_sudden(rules, ORDER_CRASH, without);
	for (int i = 0; i < ORDINALS; i++)
		if (seen->servers[i].peers_waiting && i == victim)
			rules_violation(rules, "drill", "server %d would take a peers.json", i);
}

void rules_drill_crash(struct rules *rules, const bool *servers)
{
	struct drill_truth *drill = &rules->drill;
	int victims = 0;

	rules->orders++;
	if (!rules->wish.drill)
		rules_violation(rules, "9 wishes", "a server is crashed, and nobody asked for it");
	if (rules->blind || !rules->seen.any)
		rules_violation(rules, "drill", "without a look");
	for (int i = 0; i < ORDINALS; i++) {
		if (!servers[i])
			continue;
		victims++;
		check_victim(rules, i);
		*drill = (struct drill_truth){ .on = true, .victim = i, .crashed_at = rules->model->now };
		drill->led = rules->seen.servers[i].asked && rules->seen.servers[i].is_leader;
		drill->term = rules->seen.term;
		drill->uid = rules->model->servers[i].pod.uid;
	}
	if (victims != 1)
		rules_violation(rules, "drill", "%d servers are crashed", victims);
}

static void note(int64_t *at, bool happened, int64_t now)
{
	if (happened && *at == 0)
		*at = now;
}

void rules_drill_tick(struct rules *rules)
{
	struct drill_truth *drill = &rules->drill;
	const struct model *model = rules->model;
	const struct server_truth *victim = &model->servers[drill->victim];
	int leader = raft_leader(model);

	if (!drill->on)
		return;
	note(&drill->down_at, !victim->agent.up || victim->agent.started_at >= drill->crashed_at, model->now);
	note(&drill->led_at, leader >= 0 && model->servers[leader].claim.data.term > drill->term, model->now);
	note(&drill->restarted_at,
	     victim->pod.running && (victim->pod.started_at > drill->crashed_at || victim->pod.uid != drill->uid),
	     model->now);
}

/* --------------------------------------------------------------------------------------------- told */

static const char *const told_names[] = {
	"down", "leader lost", "new leader", "restarted", "alive", "voter", "verdict"
};

/* As everybody said who was asked. */
static bool is_alive_to_all(const struct seen *seen, int ordinal)
{
	for (int i = 0; i < ORDINALS; i++)
		if (rules_seen_live(&seen->servers[i]) && !seen->servers[i].half &&
		    seen->servers[i].members[ordinal] != STATUS_ALIVE)
			return false;
	return true;
}

static bool is_led_by(const struct rules *rules, int ordinal)
{
	const struct seen *seen = &rules->seen;

	if (ordinal < 0 || seen->term <= rules->drill.term ||
	    (seen->servers[ordinal].asked && !seen->servers[ordinal].is_leader))
		return false;
	for (int i = 0; i < ORDINALS; i++)
		if (rules_seen_live(&seen->servers[i]) && i != rules->drill.victim &&
		    seen->servers[i].leader_ip != seen->servers[ordinal].pod_ip)
			return false;
	return true;
}

static void check_time(struct rules *rules, enum told told, int64_t happened_at, int64_t since_ms)
{
	int64_t happened = happened_at - rules->drill.crashed_at, now = rules->model->now - rules->drill.crashed_at;

	if (rules->model->traits.disturbance > 0)
		return;
	if (since_ms < happened - TOLERANCE_MS || since_ms > now + TOLERANCE_MS)
		rules_violation(rules, "drill", "%s is said to have been after %lld ms, and was after %lld",
		                told_names[told], (long long)since_ms, (long long)happened);
}

void rules_drill_told(struct rules *rules, enum told told, int who, bool unseen, int64_t since_ms)
{
	const struct drill_truth *drill = &rules->drill;
	const int64_t times[] = {
		[TOLD_DOWN] = drill->down_at,         [TOLD_LEADER_LOST] = drill->down_at,
		[TOLD_NEW_LEADER] = drill->led_at,    [TOLD_RESTARTED] = drill->restarted_at,
		[TOLD_ALIVE] = drill->restarted_at,   [TOLD_VOTER] = drill->restarted_at,
		[TOLD_VERDICT] = drill->restarted_at,
	};

	if (!drill->on || times[told] == 0) {
		rules_violation(rules, "drill", "%s is told, and did not happen", told_names[told]);
		return;
	}
	check_time(rules, told, times[told], since_ms);
	if ((told == TOLD_LEADER_LOST || told == TOLD_NEW_LEADER) && !drill->led)
		rules_violation(rules, "drill", "%s is told, and server %d did not lead", told_names[told],
		                drill->victim);
	if (unseen)
		return;
	if (told == TOLD_NEW_LEADER && !is_led_by(rules, who))
		rules_violation(rules, "drill", "server %d is said to lead, and not all have said so", who);
	if (told == TOLD_ALIVE && !is_alive_to_all(&rules->seen, drill->victim))
		rules_violation(rules, "drill", "server %d is said to be alive to all, and is not", drill->victim);
	if ((told == TOLD_VOTER || told == TOLD_VERDICT) && !rules_seen_voter(rules, drill->victim))
		rules_violation(rules, "drill", "server %d is said to be a voter, and is none to all", drill->victim);
}

/* --------------------------------------------------------------------------------- wrong to refuse */

const char *rules_against_drill(const struct rules *rules, int ordinal)
{
	const struct model *model = rules->model;
	int leader = raft_leader(model), live = 0;
	const struct raft_config *config = &model->committed;
	const struct raft_peer *peer;

	if (leader < 0)
		return "there is no leader";
	if (ordinal < 0)
		ordinal = leader;
	for (int i = 0; i < config->count; i++)
		live += config->peers[i].voter && agent_of_id(model, config->peers[i].id) >= 0;
	if (live - 1 <= raft_voters(config) / 2)
		return "the others are no quorum without it";
	peer = raft_find(config, model->servers[ordinal].claim.data.id);
	if (!model->servers[ordinal].agent.up || !peer || !peer->voter)
		return "it is no live voter";
	return rules_missing(rules);
}
