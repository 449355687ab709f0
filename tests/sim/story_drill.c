/* See story_parts.h: drills. */
#include "story_parts.h"

#include "consul/drill.h"
#include "util/mem.h"
#include "view.h"

#define DEADLINE_MS MINUTES(5)

/* Some cluster is not well when it comes to a drill. */
static void hurt_one(struct model *model)
{
	int ordinal = model->traits.start + random_int(&model->random, 0, model->set.replicas - 1);
	struct server_truth *server = &model->servers[ordinal];

	trace(model, "server %d is down for a while", ordinal);
	server->hurt = true;
	server->blocked_until = model->now + SECONDS(random_between(&model->random, 20, 100));
	faults_last_until(model, server->blocked_until);
	kubernetes_lose_pod(model, ordinal);
	model->shaken_at = model->now;
	model_advance(model, SECONDS(random_between(&model->random, 1, 20)));
}

static void tell(void *context, const struct drill *drill, unsigned marks)
{
	struct story *story = context;

	for (unsigned kind = 0; kind < DRILL_MARKS; kind++) {
		const struct drill_mark *mark = &drill->marks[kind];
		_cleanup_free_ char *text = NULL;

		if (!(marks & 1U << kind))
			continue;
		text = drill_mark_text(drill, (enum drill_mark_kind)kind);
		trace(&story->model, "tool after %lld ms: %s%s", (long long)mark->at_ms, text,
		      mark->unseen ? " (unseen)" : "");
		rules_drill_told(&story->rules, (enum told)kind,
		                 kind == DRILL_NEW_LEADER ? view_ordinal(mark->who) : -1, mark->unseen, mark->at_ms);
	}
}

static int run(struct story *story, const struct goal *goal, struct err *err)
{
	_cleanup_free_ char *pod = story->victim < 0 ? NULL : view_pod_name(story->victim);
	struct drill_options options = { .pod = pod, .tell = tell, .context = story };
	struct drill drill = DRILL_INIT;
	int status;

	(void)goal;
	story->rules.drill = (struct drill_truth){ 0 };
	story->deadline_ms = options.deadline_ms = story->model.now + DEADLINE_MS;
	status = drill_run(&story->world, &options, &drill, err);
	if (status == 0 && (!story->rules.drill.on || !drill_is_over(&drill)))
		rules_violation(&story->rules, "drill", "it says it is over, and it is not");
	story->totals->drills += status == 0;
	drill_release(&drill);
	story->rules.drill.on = false;
	return status;
}

static bool is_right(const struct story *story, const struct err *err)
{
	const char *against = rules_against_drill(&story->rules, story->victim);

	if (err->kind == ERR_FAILED && story->model.traits.no_shell)
		return true;
	if (err->kind != ERR_REFUSED || !against)
		return false;
	trace(&story->model, "it is right to refuse, since %s", against);
	return true;
}

static const struct pursuit drilling = { run, is_right };

void story_drill(struct story *story)
{
	struct model *model = &story->model;

	story->victim = random_chance(&model->random, 500)
	                    ? -1
	                    : model->traits.start + random_int(&model->random, 0, model->set.replicas - 1);
	trace(model, "GOAL failover of server %d", story->victim);
	if (random_chance(&model->random, 300))
		hurt_one(model);
	story->rules.wish = (struct wish){ .scale = true, .replicas = model->set.replicas, .drill = true };
	story_pursue(story, NULL, &drilling);
}
