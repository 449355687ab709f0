/* See include/cmd/change_act.h. */
#include "cmd/change_act.h"

#include <stdlib.h>

#include "cmd/change_screen.h"
#include "cmd/health_screen.h"
#include "consul/assess.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/* Shows block on a terminal until the next one; elsewhere summary, once, with the time of day. */
static void show(struct change_run *run, const char *block, const char *summary)
{
	_cleanup_free_ char *now = clock_time_of_day();

	term_live_show(&run->live, now, block, summary);
}

/* Whether there is a block that is redrawn. */
static bool is_live(const struct change_run *run)
{
	return run->live.term.is_tty && !run->live.term.dumb;
}

/* A line that stays. */
static void keep_line(struct change_run *run, const char *line)
{
	_cleanup_free_ char *now = clock_time_of_day();

	term_live_log(&run->live, now, line);
}

/* ---------------------------------------------------------------------------------------- telling */

void change_telling_release(struct change_telling *telling)
{
	free(telling->step);
	free(telling->waiting);
}

/* On a terminal the block; elsewhere line, if there is one. */
static void redraw(struct change_telling *telling)
{
	struct change_run *run = telling->run;
	struct change_now now = {
		.title = run->title,
		.step = telling->step,
		.waiting = telling->waiting,
		.passed_ms = clock_monotonic_ms() - run->started_ms,
		.allowed_ms = run->change->timeout_ms,
	};
	_cleanup_buf_ struct buf block = BUF_TEXT;

	if (!is_live(run))
		return;
	term_live_refresh(&run->live);
	change_screen_now(&now, &run->live.term, &block);
	show(run, buf_text(&block), "");
}

void change_tell(void *context, const struct act_event *event)
{
	struct change_telling *telling = context;
	struct change_run *run = telling->run;
	_cleanup_free_ char *line = change_screen_event(event);
	bool live = is_live(run);

	switch (event->kind) {
	case ACT_STEP:
		replace_string(&telling->step, xstrdup(line));
		replace_string(&telling->waiting, NULL);
		break;
	case ACT_DONE:
		replace_string(&telling->step, NULL);
		replace_string(&telling->waiting, NULL);
		if (live)
			replace_string(&line, change_screen_done(event));
		break;
	case ACT_WAITING:
		replace_string(&telling->waiting, xstrdup(line));
		break;
	case ACT_NOTE:
		break;
	}
	if (live ? event->kind == ACT_DONE || event->kind == ACT_NOTE : !event->again)
		keep_line(run, line);
	redraw(telling);
}

void change_tell_looking(struct change_telling *telling)
{
	replace_string(&telling->waiting, xstrdup("looking at every server"));
	redraw(telling);
}

static struct act_options options_of(struct change_telling *telling)
{
	return (struct act_options){
		.goal = &telling->run->change->goal,
		.deadline_ms = telling->run->deadline_ms,
		.tell = change_tell,
		.tell_context = telling,
	};
}

/* ------------------------------------------------------------------------------------------- the end */

/* The verdict, and with_findings what it comes from where it is not HEALTHY. */
static void print_verdict(const struct cmd_context *context, const struct snapshot *snapshot, FILE *file,
                          const struct term *term, bool with_findings)
{
	struct health_screen_options options = { .program = context->program->name };
	struct assessment assessment = ASSESSMENT_INIT;
	_cleanup_buf_ struct buf out = BUF_TEXT;

	assess(snapshot, &assessment);
	health_screen_verdict(snapshot, &assessment, term, &out);
	if (with_findings && assessment.verdict != VERDICT_HEALTHY)
		health_screen_findings(&assessment, &options, term, &out);
	fputs(buf_text(&out), file);
	assessment_release(&assessment);
}

void change_print_outcome(const struct cmd_context *context, const struct snapshot *snapshot)
{
	print_verdict(context, snapshot, context->output, &context->output_term, true);
}

void change_tell_left(const struct change_run *run, const struct act_result *result, const struct err *err)
{
	static const struct act_result nothing = ACT_RESULT_INIT;
	const struct cmd_context *context = run->context;
	_cleanup_buf_ struct buf out = BUF_TEXT;

	if (err->kind == ERR_INTERRUPTED && context->messages_term.is_tty)
		fputc('\n', context->messages); /* after the ^C that the terminal shows */
	change_screen_left(result ? result : &nothing, &context->messages_term, &out);
	fputs(buf_text(&out), context->messages);
	if (result && result->seen)
		print_verdict(context, &result->last, context->messages, &context->messages_term, false);
}

int change_look(struct change_run *run, struct snapshot *ret_snapshot, struct err *err)
{
	struct change_telling telling = { .run = run };
	struct act_options options = options_of(&telling);
	int status;

	change_tell_looking(&telling);
	status = act_look(&run->world, &options, ret_snapshot, err);
	if (status == 0)
		term_live_clear(&run->live);
	change_telling_release(&telling);
	return status;
}

int change_act(struct change_run *run, struct err *err)
{
	struct change_telling telling = { .run = run };
	struct act_options options = options_of(&telling);
	struct act_result result = ACT_RESULT_INIT;
	int status = act(&run->world, &options, &result, err);

	if (status < 0)
		change_tell_left(run, &result, err);
	else
		term_live_clear(&run->live);
	act_result_release(&result);
	change_telling_release(&telling);
	return status;
}

int change_report(struct change_run *run, struct err *err)
{
	const struct cmd_context *context = run->context;
	struct snapshot snapshot = SNAPSHOT_INIT;
	_cleanup_buf_ struct buf out = BUF_TEXT;
	int status;

	/* What came of it is told although the time is just up. */
	run->kube.deadline_ms = 0;
	status = run->world.observe(run->world.context, &snapshot, err);
	if (status == 0) {
		change_screen_goal(&snapshot, &run->change->goal, false, &context->output_term, &out);
		if (run->change->goal.kind == GOAL_SCALE)
			change_screen_claims(&snapshot, &context->output_term, &out);
		fputs(buf_text(&out), context->output);
		if (!run->change->brief)
			change_print_outcome(context, &snapshot);
	} else {
		err_wrap(err, "%s is done, but the last look failed", run->change->label);
	}
	snapshot_release(&snapshot);
	return status;
}
