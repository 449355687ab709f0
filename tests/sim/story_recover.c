/* See story_parts.h: recoveries. */
#include "story_parts.h"

#include <string.h>

#include "consul/recovery_act.h"
#include "util/mem.h"
#include "view.h"

#define DELAYS_MAX 4 /* for a rolling update that ends */

/* What people were told before they said yes. */
static void note_told(struct story *story, const struct recovery *recovery)
{
	struct wish *wish = &story->rules.wish;

	for (int i = 0; i < ORDINALS; i++) {
		_cleanup_free_ char *pod = view_pod_name(i), *node = view_node_name(&story->model, i);

		for (size_t k = 0; k < recovery->notes.count; k++)
			wish->told[i] |=
			    strstr(recovery->notes.items[k], pod) || strstr(recovery->notes.items[k], node);
	}
	wish->told_some = recovery->notes.count > 1;
	for (size_t k = 0; k < recovery->notes.count; k++)
		trace(&story->model, "tool note: %s", recovery->notes.items[k]);
}

/* As a person goes on who is told that there is a leader. */
static int scale(struct story *story, struct err *err)
{
	struct goal goal = { .kind = GOAL_SCALE, .replicas = story->model.set.replicas, .force = true };

	return story_run_act(story, &goal, err);
}

static int carry_out(struct story *story, const struct recovery_act_options *options, const struct recovery *recovery,
                     struct err *err)
{
	bool begun;

	for (size_t i = 0; i < recovery->count; i++)
		trace(&story->model, "tool: %s %s: %s", recovery->servers[i].name, fate_name(recovery->servers[i].fate),
		      recovery->servers[i].why);
	trace(&story->model, "the tool would %s",
	      recovery->kind == RECOVERY_GO     ? "recover"
	      : recovery->kind == RECOVERY_TIDY ? "tidy"
	                                        : "refuse");
	if (recovery->kind == RECOVERY_REFUSED) {
		if (str_is_empty(recovery->text))
			rules_violation(&story->rules, "recovery", "it refuses, and does not say why");
		return raft_leader(&story->model) >= 0 ? 0 : recovery_refusal(recovery, err);
	}
	note_told(story, recovery);
	if (recovery_act(&story->world, options, recovery, &begun, err) < 0)
		return -1;
	rules_recovery_done(&story->rules);
	story->totals->recovered += recovery->kind == RECOVERY_GO;
	story->totals->forced += recovery->kind == RECOVERY_GO && options->recovery.force;
	return 0;
}

/* There is a leader: what cannot come back is given up by somebody, and a rolling update that it held up goes on. */
static void go_on(struct story *story)
{
	struct model *model = &story->model;
	bool rolling = false;

	disaster_give_up(model);
	for (int i = 0; i < ORDINALS; i++)
		rolling |= wanted(model, i) && !model->set.on_delete && !kubernetes_is_newest(model, i);
	if (rolling && story->delays++ < DELAYS_MAX)
		faults_last_until(model, model->now + MINUTES(1) * model->set.replicas);
}

static int run(struct story *story, const struct goal *goal, struct err *err)
{
	struct recovery_act_options options = { .recovery = { .force = story->rules.wish.forced },
		                                .deadline_ms = story->deadline_ms,
		                                .tell = sim_tell,
		                                .tell_context = &story->sim };
	struct recovery_look look = RECOVERY_LOOK_INIT;
	int status;

	(void)goal;
	story->sim.hides_claims = story->model.traits.claims_hidden;
	status = recovery_look(&story->world, &options, &look, err);
	if (status == 0)
		status = carry_out(story, &options, &look.recovery, err);
	story->sim.hides_claims = false;
	recovery_look_release(&look);
	if (status == 0 && story_is_calm(story))
		go_on(story);
	if (status == 0)
		status = scale(story, err);
	if (status == 0)
		rules_recovery_done(&story->rules);
	return status;
}

static bool is_right(const struct story *story, const struct err *err)
{
	const char *against = rules_against_recovery(&story->rules, story->rules.wish.forced);

	if (err->kind != ERR_REFUSED && err->kind != ERR_FAILED)
		return false;
	if (raft_leader(&story->model) >= 0)
		return story_act.is_right(story, err);
	if (against)
		trace(&story->model, "it is right to refuse, since %s", against);
	return against != NULL;
}

static const struct pursuit recovering = { run, is_right };

void story_recover(struct story *story)
{
	struct model *model = &story->model;
	bool insists = random_chance(&model->random, 600);

	trace(model, "GOAL recover");
	model->traits.has_operator = false;
	disaster_strike(model);
	story->delays = 0;
	story->rules.wish =
	    (struct wish){ .scale = true, .replicas = model->set.replicas, .force = true, .recover = true };
	story_pursue(story, NULL, &recovering);
	if (story->rules.violations || raft_leader(model) >= 0 || !insists)
		return;
	trace(model, "GOAL recover --force");
	disaster_keep_away(model);
	story->rules.wish.forced = model->servers_spared = true;
	story_pursue(story, NULL, &recovering);
	model->servers_spared = false;
}
