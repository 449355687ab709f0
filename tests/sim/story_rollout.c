/* See story_parts.h: rollouts. */
#include "story_parts.h"

#include "util/mem.h"

/* Not more than one: the leader hands over when it goes as the last. */
#define ELECTIONS_MAX 1

static enum flaw choose_flaw(struct model *model)
{
	int kind = random_int(&model->random, 0, 99);

	/* Of one server alone nobody can tell that it will crash again. */
	return kind < 10 ? FLAW_IMAGE : kind < 20 && model->set.replicas > 1 ? FLAW_CRASH : FLAW_NONE;
}

static void apply(struct story *story, int revision)
{
	struct model *model = &story->model;

	kubernetes_set_template(model, revision, true);
	story->rules.wish = (struct wish){ .rollout = true, .replicas = model->set.replicas };
	/* Mostly the look comes before the controller. */
	if (random_chance(&model->random, 400))
		model_advance(model, random_between(&model->random, 0, 3000));
}

/* Where a template was bad, pods that other hands, or failures, have replaced may be more than the quorum can spare. */
static bool has_lost_servers(const struct model *model)
{
	int live = 0;

	for (int i = 0; i < model->committed.count; i++) {
		int ordinal = agent_of_id(model, model->committed.peers[i].id);

		live += model->committed.peers[i].voter && ordinal >= 0 &&
		        model->servers[ordinal].pod.revision != model->set.flawed_revision;
	}
	return live <= raft_voters(&model->committed) / 2;
}

/* A person does what no rule lets the tool do: the pods that cannot run are deleted. */
static void delete_flawed(struct model *model)
{
	for (int i = 0; i < ORDINALS; i++) {
		struct server_truth *server = &model->servers[i];

		if (server->pod.phase == PHASE_NONE || server->pod.revision != model->set.flawed_revision)
			continue;
		trace(model, "somebody deletes pod %d, which cannot run", i);
		server->hurt = true;
		kubernetes_delete_pod(model, i);
	}
}

/* With nothing but the template gone wrong, one server has tried it. */
static void check_flawed(struct story *story)
{
	const struct model *model = &story->model;
	int flawed = 0;

	for (int i = 0; i < ORDINALS; i++)
		flawed += model->servers[i].pod.phase != PHASE_NONE &&
		          model->servers[i].pod.revision == model->set.flawed_revision;
	if (model->traits.disturbance > 0)
		return;
	if (flawed > 1)
		rules_violation(&story->rules, "rollout", "%d servers are of the revision that does not come", flawed);
	if (raft_voters(&model->committed) > 1 && raft_leader(model) < 0)
		rules_violation(&story->rules, "rollout", "there is no leader after a revision that does not come");
}

static void count_elections(struct story *story)
{
	const struct rules *rules = &story->rules;
	const struct model *model = &story->model;

	if (model->traits.disturbance > 0 || rules->restarts == 0)
		return;
	totals_add_leaderless(story->totals, rules->leaderless_ms);
	if (model->traits.leaves && rules->elections > ELECTIONS_MAX)
		rules_violation(&story->rules, "rollout", "%d elections, %lld ms without a leader", rules->elections,
		                (long long)rules->leaderless_ms);
}

/* It is tried, until the person who wants it gives up. */
static void pursue_flawed(struct story *story, const struct goal *goal, int good)
{
	struct model *model = &story->model;

	story->rules.wish.flawed = true;
	story_pursue(story, goal, &story_act);
	if (story->rules.violations)
		return;
	check_flawed(story);
	apply(story, good);
	trace(model, "GOAL rollout, back to revision %d", good);
	if (has_lost_servers(model))
		delete_flawed(model);
	story_pursue(story, goal, &story_act);
}

void story_rollout(struct story *story)
{
	struct model *model = &story->model;
	struct goal goal = { .kind = GOAL_ROLLOUT };
	int good = model->set.template;
	enum flaw flaw = choose_flaw(model);

	apply(story, kubernetes_new_revision(model, flaw));
	rules_count_anew(&story->rules);
	trace(model, "GOAL rollout of revision %d", model->set.template);
	if (flaw == FLAW_NONE)
		story_pursue(story, &goal, &story_act);
	else
		pursue_flawed(story, &goal, good);
	if (story->rules.violations)
		return;
	if (flaw == FLAW_NONE)
		count_elections(story);
	/* As deploy does when it has come to the end. */
	if (!rules_missing(&story->rules))
		kubernetes_set_template(model, model->set.template, false);
}
