/* See include/consul/plan.h: the order in which the parts are asked, and what they all need. */
#include "consul/plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "consul/plan_parts.h"
#include "consul/waiting.h"
#include "util/clock.h"
#include "util/mem.h"

/* Each step brings the goal nearer; a plan that does not end is a programming mistake. */
#define STEPS_MAX 100000

/* ------------------------------------------------------------------------------------------ names */

const char *rule_name(enum rule rule)
{
	static const char *const names[] = {
		[RULE_NONE] = "none",
		[RULE_QUORUM] = "the quorum must survive every step",
		[RULE_ONE_CHANGE] = "one change at a time",
		[RULE_COULD_RETURN] = "a server that could come back is not removed",
		[RULE_AGREEMENT] = "nothing is changed without a leader all agree on",
		[RULE_UNKNOWN] = "unknown counts as dead",
		[RULE_SIZE] = "an odd size of at least 3",
		[RULE_OLD_DATA] = "data of a server that was away for long is not used again",
	};

	return names[rule];
}

void plan_release(struct plan *plan)
{
	step_release(&plan->step);
	free(plan->subject);
	free(plan->text);
	free(plan->hint);
	*plan = (struct plan)PLAN_INIT;
}

int plan_refusal(const struct plan *plan, struct err *err)
{
	if (plan->rule == RULE_NONE)
		err_set(err, ERR_REFUSED, "%s", plan->text);
	else
		err_set(err, ERR_REFUSED, "%s (rule: %s)", plan->text, rule_name(plan->rule));
	if (plan->hint)
		err_hint(err, "%s", plan->hint);
	return err_label(err, "refused");
}

/* --------------------------------------------------------------------------------------- deciding */

static __attribute__((format(printf, 4, 0))) void set_text(struct planning *planning, enum plan_kind kind,
                                                           const struct place *place, const char *format,
                                                           va_list arguments)
{
	struct plan *plan = planning->plan;

	plan->kind = kind;
	plan->text = xvasprintf(format, arguments);
	plan->subject = place ? xstrdup(place->server->name) : NULL;
}

bool plan_wait(struct planning *planning, const struct place *place, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set_text(planning, PLAN_WAIT, place, format, arguments);
	va_end(arguments);
	return true;
}

bool plan_refuse(struct planning *planning, enum rule rule, bool may_pass, const struct place *place,
                 const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set_text(planning, PLAN_REFUSE, place, format, arguments);
	va_end(arguments);
	planning->plan->rule = rule;
	planning->plan->may_pass = may_pass;
	return true;
}

bool plan_wait_for(struct planning *planning, const struct place *place)
{
	struct waiting waiting = WAITING_INIT;

	waiting_explain(place->server, place->peer != NULL, place->peer && place->peer->voter, &waiting);
	if (waiting.broken && place->wanted) {
		plan_refuse(planning, RULE_ONE_CHANGE, true, place, "%s is not well: %s", place->server->name,
		            waiting.reason);
		plan_hint_health(planning, "every server must be well before the next comes or goes");
	} else {
		plan_wait(planning, place, "%s: %s", place->server->name, waiting.reason);
	}
	planning->plan->look_at_events = waiting.look_at_events || place->server->pod.deleting;
	planning->plan->broken = waiting.broken;
	waiting_release(&waiting);
	return true;
}

void plan_hint_health(struct planning *planning, const char *what)
{
	replace_string(&planning->plan->hint,
	               xasprintf("%s; kubectl consul health -n %s%s tells more", what,
	                         planning->diagnosis.namespace_word, planning->diagnosis.name_option));
}

struct step *plan_step(struct planning *planning, enum step_kind kind, const char *subject, const char *format, ...)
{
	struct step *step = &planning->plan->step;
	va_list arguments;

	planning->plan->kind = PLAN_STEP;
	*step = (struct step){ .kind = kind, .subject = xstrdup_null(subject) };
	step->before = step->after = planning->assessment.quorum;
	va_start(arguments, format);
	step->text = xvasprintf(format, arguments);
	va_end(arguments);
	return step;
}

void plan_arithmetic(struct quorum *quorum, int64_t voters, int64_t live_voters)
{
	quorum->voters += voters;
	quorum->live_voters += live_voters;
	quorum->quorum = quorum->voters / 2 + 1;
	quorum->tolerance = quorum->live_voters > quorum->quorum ? quorum->live_voters - quorum->quorum : 0;
}

/* ------------------------------------------------------------------------------------------ facts */

const struct place *plan_place(const struct diagnosis *diagnosis, const char *name)
{
	FOR_EACH_PLACE (place, diagnosis)
		if (str_equal(place->server->name, name))
			return place;
	return NULL;
}

const char *plan_through(const struct planning *planning, const struct place *except)
{
	const struct diagnosis *diagnosis = &planning->diagnosis;

	FOR_EACH_PLACE (place, diagnosis)
		if (place != except && place->live && place->server == planning->assessment.leader)
			return place->server->name;
	FOR_EACH_PLACE (place, diagnosis)
		if (place != except && place->live && place->peer && place->peer->voter)
			return place->server->name;
	return NULL;
}

const struct kube_claim *plan_claim(const struct snapshot *snapshot, int64_t ordinal, size_t index)
{
	for (size_t i = 0; i < snapshot->claim_count; i++)
		if (snapshot_claim_ordinal(snapshot, snapshot->claims[i].name) == ordinal && index-- == 0)
			return &snapshot->claims[i];
	return NULL;
}

char *plan_claim_age(const struct snapshot *snapshot, const struct kube_claim *claim)
{
	if (claim->created_at <= 0)
		return xstrdup("?");
	return clock_format_age(snapshot->taken_at - claim->created_at);
}

/* --------------------------------------------------------------------------------------- the plan */

static bool is_wrong_size(struct planning *planning)
{
	const struct goal *goal = planning->goal;
	int64_t replicas = planning->snapshot->set.replicas;

	if (goal->replicas == replicas || goal->force || (goal->replicas >= 3 && goal->replicas % 2 == 1))
		return false;
	if (goal->replicas < 3)
		plan_refuse(planning, RULE_SIZE, false, NULL,
		            "%" PRId64 " server%s tolerate%s no failure: the first one that fails stops the cluster",
		            goal->replicas, goal->replicas == 1 ? "" : "s", goal->replicas == 1 ? "s" : "");
	else
		plan_refuse(planning, RULE_SIZE, false, NULL,
		            "%" PRId64 " servers tolerate no more failures than %" PRId64 " do", goal->replicas,
		            goal->replicas - 1);
	planning->plan->hint = xasprintf("choose %s, or add --force", goal->replicas < 3 ? "3" : "an odd number");
	return true;
}

/* No step that could cost a voter; or the only server there is, whose end nothing can be done about. */
static bool costs_nothing(const struct step *step)
{
	return step->kind == STEP_RESTART &&
	       (step->before.voters <= 1 ||
	        (step->after.voters == step->before.voters && step->after.live_voters == step->before.live_voters));
}

/* Rule 1, whatever the step: also where voters that are none of this StatefulSet's are dead. */
static void check_arithmetic(struct planning *planning)
{
	struct plan *plan = planning->plan;
	struct step step = plan->step;

	if (plan->kind != PLAN_STEP || costs_nothing(&step) ||
	    (step.after.live_voters >= step.after.quorum && step.after.live_voters <= step.after.voters))
		return;
	plan->step = (struct step)STEP_INIT;
	plan_refuse(planning, RULE_QUORUM, true, NULL,
	            "after this step %" PRId64 " of %" PRId64 " voters would live, and %" PRId64 " would be needed: %s",
	            step.after.live_voters, step.after.voters, step.after.quorum, step.text);
	plan_hint_health(planning, "dead voters must be removed first");
	step_release(&step);
}

/*
 * What is dead is reaped although other pods are still on their way out, perhaps stuck there with their node: those are
 * waited for at the end. For scale the cluster has to be at rest first.
 */
static bool decides(struct planning *planning)
{
	const struct goal *goal = planning->goal;

	if (goal->kind == GOAL_REAP)
		return plan_distrusts(planning) || plan_cleans(planning) ||
		       (!(goal->servers && goal->servers->count > 0) && plan_is_moving(planning));
	if (goal->kind == GOAL_ROLLOUT)
		return plan_rolls(planning);
	return is_wrong_size(planning) || plan_distrusts(planning) || plan_is_moving(planning) ||
	       plan_cleans(planning) || plan_scales(planning);
}

void plan_next(const struct snapshot *snapshot, const struct goal *goal, struct plan *ret_plan)
{
	struct planning planning = { .snapshot = snapshot, .goal = goal, .plan = ret_plan };

	*ret_plan = (struct plan)PLAN_INIT;
	diagnosis_begin(&planning.diagnosis, snapshot, &planning.assessment);
	if (!decides(&planning))
		ret_plan->kind = PLAN_DONE;
	check_arithmetic(&planning);
	diagnosis_release(&planning.diagnosis);
	assessment_release(&planning.assessment);
}

void plan_forward(struct snapshot *snapshot, const struct goal *goal, struct steps *ret_steps, struct plan *ret_last)
{
	_cleanup_strv_ struct strv gone = STRV_INIT;
	struct goal learning = *goal;

	learning.gone = &gone;
	for (;;) {
		plan_next(snapshot, &learning, ret_last);
		if (ret_last->kind == PLAN_WAIT && ret_steps->count == 0 && !ret_steps->waits_for) {
			ret_steps->waits_for = TAKE(ret_last->text);
			plan_release(ret_last);
			plan_predict_settled(snapshot);
			continue;
		}
		if (ret_last->kind != PLAN_STEP || ret_steps->count == STEPS_MAX)
			return;
		if (ret_last->step.node)
			strv_add(&gone, ret_last->step.node);
		plan_predict(snapshot, &ret_last->step);
		ret_steps->items = xreallocarray(ret_steps->items, ret_steps->count + 1, sizeof(*ret_steps->items));
		ret_steps->items[ret_steps->count++] = ret_last->step;
		ret_last->step = (struct step)STEP_INIT;
		plan_release(ret_last);
	}
}
