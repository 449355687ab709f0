#include "plan_check.h"

#include <fnmatch.h>
#include <inttypes.h>

#include <criterion/criterion.h>

#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

char *step_line(const struct step *step)
{
	struct buf out = BUF_TEXT;

	buf_addf(&out, "step %s", step_kind_name(step->kind));
	if (step->object && step->kind != STEP_LEAVE)
		buf_addf(&out, " %s", *step->object ? step->object : "\"\"");
	else if (step->kind != STEP_LEAVE)
		buf_addf(&out, " %" PRId64, step->number);
	if (step->through)
		buf_addf(&out, " via %s", step->through);
	buf_addf(&out, ": %s; %" PRId64 "/%" PRId64 " -> %" PRId64 "/%" PRId64, step->text, step->before.live_voters,
	         step->before.voters, step->after.live_voters, step->after.voters);
	return buf_detach(&out);
}

char *plan_line(const struct plan *plan)
{
	const char *subject = plan->subject ? plan->subject : "-";

	switch (plan->kind) {
	case PLAN_DONE:
		return xstrdup("done");
	case PLAN_STEP:
		return step_line(&plan->step);
	case PLAN_WAIT:
		return xasprintf("wait %s: %s%s", subject, plan->text, plan->look_at_events ? " (events)" : "");
	case PLAN_REFUSE:
		break;
	}
	return xasprintf("refuse %s: %s (%s)%s%s%s%s%s", subject, plan->text, rule_name(plan->rule),
	                 plan->may_pass ? " (may pass)" : "", plan->look_at_events ? " (events)" : "",
	                 plan->broken ? " (broken)" : "", plan->hint ? "; " : "", plan->hint ? plan->hint : "");
}

static void expect_line(const char *got, const char *expected)
{
	cr_expect_eq(fnmatch(expected, got, FNM_NOESCAPE), 0, "got      %s\n  expected %s", got, expected);
}

static void check_quorum(const struct quorum *quorum)
{
	int64_t spare = quorum->live_voters - quorum->quorum;

	cr_expect(quorum->known);
	cr_expect_eq(quorum->quorum, quorum->voters / 2 + 1);
	cr_expect_eq(quorum->tolerance, spare > 0 ? spare : 0);
}

/* Restarts of what does not live, or of the only server there is: whatever the quorum is. */
static bool harms_nobody(const struct step *step)
{
	return step->kind == STEP_RESTART &&
	       (step->before.voters <= 1 || step->after.live_voters == step->before.live_voters);
}

/* What holds of every step, whatever it is. Rule 1: neither by what it leads to, nor on the way there. */
static void check_step(const struct step *step)
{
	if (!harms_nobody(step)) {
		check_quorum(&step->before);
		check_quorum(&step->after);
		cr_expect_geq(step->after.live_voters, step->after.quorum, "%s", step->text);
	}
	cr_expect(!strchr(step->text, '\n'));
	cr_expect_eq(step->through != NULL, step->kind != STEP_REPLICAS && step->kind != STEP_DELETE_CLAIM &&
	                                        step->kind != STEP_EXPECT && step->kind != STEP_RESTART);
	cr_expect_eq(step->uid != NULL, step->kind == STEP_RESTART, "%s", step->text);
	cr_expect_eq(step->subject == NULL, step->kind == STEP_MIN_QUORUM || step->kind == STEP_EXPECT, "%s",
	             step->text);
	if (step->kind == STEP_LEAVE)
		cr_expect(!str_is_empty(step->object), "%s", step->text);
	cr_expect(step_equal(step, step));
}

static void check_plan(const struct plan *plan)
{
	if (plan->kind == PLAN_STEP)
		check_step(&plan->step);
	cr_expect_eq(plan->rule != RULE_NONE, plan->kind == PLAN_REFUSE);
	cr_expect_eq(plan->text != NULL, plan->kind == PLAN_WAIT || plan->kind == PLAN_REFUSE);
	cr_expect(plan->kind == PLAN_REFUSE || (!plan->hint && !plan->may_pass));
	cr_expect(plan->kind == PLAN_WAIT || plan->kind == PLAN_REFUSE || (!plan->look_at_events && !plan->broken));
	cr_expect(!plan->broken || plan->kind == PLAN_REFUSE, "%s", plan->text);
	cr_expect(!plan->look_at_events || plan->subject, "%s", plan->text);
}

void plan_check(const struct snapshot *snapshot, const struct goal *goal, const char *expected)
{
	struct plan plan;
	_cleanup_free_ char *line = NULL;

	plan_next(snapshot, goal, &plan);
	check_plan(&plan);
	line = plan_line(&plan);
	expect_line(line, expected);
	plan_release(&plan);
}

void plan_expect(struct snapshot *snapshot, const struct goal *goal, const char *expected)
{
	plan_check(snapshot, goal, expected);
	snapshot_release(snapshot);
}

void plan_expect_reap(struct snapshot *snapshot, const char *names, const char *expected)
{
	_cleanup_strv_ struct strv list = STRV_INIT;

	strv_split(&list, names, ' ');
	plan_expect(snapshot, &(const struct goal){ .kind = GOAL_REAP, .servers = &list }, expected);
}

void plan_check_forward(struct snapshot *snapshot, const struct goal *goal, const char *const *lines)
{
	struct steps steps = STEPS_INIT;
	struct plan last;
	_cleanup_free_ char *end = NULL;
	size_t i;

	plan_forward(snapshot, goal, &steps, &last);
	check_plan(&last);
	if (steps.waits_for) {
		_cleanup_free_ char *line = xasprintf("waits for %s", steps.waits_for);

		cr_assert_not_null(*lines, "it waits: %s", line);
		expect_line(line, *lines++);
	}
	for (i = 0; i < steps.count; i++) {
		_cleanup_free_ char *line = step_line(&steps.items[i]);

		check_step(&steps.items[i]);
		cr_assert_not_null(lines[i], "one step too many: %s", line);
		expect_line(line, lines[i]);
	}
	end = plan_line(&last);
	cr_assert_not_null(lines[i], "nothing is expected to end it: %s", end);
	expect_line(end, lines[i]);
	cr_expect_null(lines[i + 1], "%s", lines[i + 1]);
	steps_release(&steps);
	plan_release(&last);
}

void plan_check_notes(const struct snapshot *snapshot, const struct goal *goal, const char *expected)
{
	_cleanup_strv_ struct strv notes = STRV_INIT;
	_cleanup_free_ char *got = NULL;

	plan_notes(snapshot, goal, &notes);
	got = strv_join(&notes, "\n", "\n");
	expect_line(got, expected);
}
