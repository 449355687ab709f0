/* One step of the loop: done through the world, and what its outcome means. See include/consul/act_parts.h. */
#include <stdlib.h>

#include "consul/act_parts.h"
#include "util/clock.h"
#include "util/mem.h"

/*
 * Nothing is changed by what was seen longer ago. (A server that was told to leave, and whose container starts again,
 * may vote again some 12 s after it was out of raft.)
 */
#define STALE_MS ((int64_t)10 * 1000)

/* When a step that shows no effect is done again, and when one that can be done without is given up. */
struct pace {
	int64_t again_ms;
	int64_t without_ms; /* 0: nothing goes on without it */
};

static struct pace pace_of(enum step_kind kind)
{
	switch (kind) {
	case STEP_LEAVE:
		return (struct pace){ .again_ms = 20000, .without_ms = 60000 };
	case STEP_TRANSFER_LEADER:
		return (struct pace){ .again_ms = 5000, .without_ms = 15000 };
	case STEP_MIN_QUORUM:
	case STEP_JOIN:
		return (struct pace){ .again_ms = 4000, .without_ms = 15000 };
	case STEP_REPLICAS:
	case STEP_FORCE_LEAVE:
	case STEP_PRUNE:
	case STEP_REMOVE_PEER:
	case STEP_DELETE_CLAIM:
	case STEP_EXPECT:
	case STEP_RESTART:
		break;
	}
	return (struct pace){ .again_ms = 4000 };
}

/* ---------------------------------------------------------------------------------------- outcomes */

/* The run goes on without what this step wanted. False: it cannot. */
static bool go_without(struct run *run, const struct step *step)
{
	switch (step->kind) {
	case STEP_LEAVE:
		replace_string(&run->cannot_leave, xstrdup(step->through));
		run->goal.cannot_leave = run->cannot_leave;
		return true;
	case STEP_TRANSFER_LEADER:
		run->goal.cannot_transfer = true;
		return true;
	case STEP_MIN_QUORUM:
		run->goal.cannot_set_minimum = true;
		return true;
	case STEP_JOIN:
		run->goal.cannot_join = true;
		return true;
	case STEP_REPLICAS:
	case STEP_FORCE_LEAVE:
	case STEP_PRUNE:
	case STEP_REMOVE_PEER:
	case STEP_DELETE_CLAIM:
	case STEP_EXPECT:
	case STEP_RESTART:
		break;
	}
	return false;
}

static void drop_pending(struct run *run)
{
	step_release(run->result->pending);
	free(TAKE(run->result->pending));
}

static bool is_gone_anyway(const struct step *step, const struct err *err)
{
	return err->kind == ERR_NOT_FOUND && (step->kind == STEP_FORCE_LEAVE || step->kind == STEP_PRUNE ||
	                                      step->kind == STEP_REMOVE_PEER || step->kind == STEP_DELETE_CLAIM);
}

/* The same at each attempt would only be noise. */
static void note_once(struct run *run, const char *text)
{
	if (strv_contains(&run->noted, text))
		return;
	strv_add(&run->noted, text);
	act_event(run, ACT_NOTE, text);
}

/* The step failed. 0: the loop looks at the cluster and goes on from what it sees. */
static int judge_failure(struct run *run, struct err *failure, struct err *err)
{
	struct step *step = run->result->pending;
	_cleanup_free_ char *text = NULL;

	if (failure->kind == ERR_INTERRUPTED)
		return err_move(err, failure);
	if (is_gone_anyway(step, failure))
		return 0;
	text = xasprintf("%s: %s", step->text, failure->message);
	/* After a conflict, nothing was changed: the next look decides, and what it still wants is done at once. */
	if (failure->kind == ERR_CONFLICT || err_leaves_open(failure)) {
		note_once(run, text);
		return 0;
	}
	if (go_without(run, step)) {
		act_event(run, ACT_NOTE, text);
		drop_pending(run);
		return 0;
	}
	err_move(err, failure);
	err_wrap(err, "%s", step->text);
	drop_pending(run); /* it was refused, so that nothing is under way */
	return -1;
}

/* ------------------------------------------------------------------------------------------- doing */

static int do_it(struct run *run, struct err *err)
{
	const struct world *world = run->world;
	const struct snapshot *seen = &run->result->last;
	const struct step *step = run->result->pending;

	switch (step->kind) {
	case STEP_REPLICAS:
		run->ordered_replicas = step->number;
		return world->set_replicas(world->context, seen, step->number, err);
	case STEP_DELETE_CLAIM:
		return world->delete_claim(world->context, seen, step->object, err);
	case STEP_EXPECT:
		return world->set_expect(world->context, seen, step->number, err);
	case STEP_RESTART:
		return world->delete_pod(world->context, seen, step->object, err);
	case STEP_TRANSFER_LEADER:
	case STEP_LEAVE:
	case STEP_FORCE_LEAVE:
	case STEP_PRUNE:
	case STEP_REMOVE_PEER:
	case STEP_MIN_QUORUM:
	case STEP_JOIN:
		break;
	}
	return world->tell(world->context, seen, step, err);
}

static int do_pending(struct run *run, struct err *err)
{
	_cleanup_err_ struct err failure = ERR_INIT;
	bool done;

	if (run->world->keep(run->world->context, err) < 0)
		return -1;
	/* A slow look, or an API server that was slow since: it may not be true any more. */
	if (act_now(run) - run->looked_ms > STALE_MS) {
		run->told_ms = INT64_MIN / 2;
		run->at_once = true;
		return 0;
	}
	done = do_it(run, &failure) == 0;
	run->told_ms = act_now(run);
	run->conflicted = failure.kind == ERR_CONFLICT;
	if (done && run->result->pending->kind == STEP_REPLICAS) {
		/* From now on any other number is somebody else's. */
		run->expected_replicas = run->result->pending->number;
		run->ordered_replicas = -1;
	}
	/* Kubernetes takes a moment to take notice of a new number. */
	run->at_once = done && run->result->pending->kind != STEP_REPLICAS;
	return done ? 0 : judge_failure(run, &failure, err);
}

void act_note_gone(struct run *run)
{
	const struct step *pending = run->result->pending;

	if (pending && pending->node && step_shows(&run->result->last, pending) &&
	    !strv_contains(&run->gone, pending->node))
		strv_add(&run->gone, pending->node);
}

void act_finish_step(struct run *run)
{
	if (!run->result->pending)
		return;
	if (!step_shows(&run->result->last, run->result->pending)) {
		_cleanup_free_ char *text =
		    xasprintf("%s: no effect was seen, and something else is needed now", run->result->pending->text);

		act_event(run, ACT_NOTE, text);
		drop_pending(run);
		return;
	}
	act_event(run, ACT_DONE, run->result->pending->text);
	run->result->steps++;
	drop_pending(run);
}

void act_finish_if_shown(struct run *run)
{
	const struct step *pending = run->result->pending;
	/* What is to come or to go, a server or its data, is waited for as part of the step. */
	bool alone = pending && (pending->kind == STEP_FORCE_LEAVE || pending->kind == STEP_PRUNE ||
	                         pending->kind == STEP_REMOVE_PEER || pending->kind == STEP_MIN_QUORUM ||
	                         pending->kind == STEP_JOIN);

	if (alone && step_shows(&run->result->last, pending))
		act_finish_step(run);
}

static void begin_step(struct run *run, struct step *step)
{
	struct step *pending = xmalloc(sizeof(*pending));

	act_finish_step(run);
	*pending = *step;
	*step = (struct step)STEP_INIT;
	run->result->pending = pending;
	run->conflicted = false;
	strv_release(&run->noted);
	run->begun_ms = run->since_ms = act_now(run);
	replace_string(&run->subject, NULL);
	replace_string(&run->result->waiting_for, NULL);
	act_event(run, ACT_STEP, pending->text);
}

/* It was told, and the plan still wants it. */
static int wait_for_effect(struct run *run, int64_t limit_ms, struct err *err)
{
	const struct step *pending = run->result->pending;
	struct pace pace = pace_of(pending->kind);
	int64_t now_ms = act_now(run);
	_cleanup_free_ char *text = NULL;

	if (pace.without_ms > 0 && now_ms - run->begun_ms >= pace.without_ms) {
		text = xasprintf("%s: shows no effect, going on without", pending->text);
		act_event(run, ACT_NOTE, text);
		go_without(run, pending);
		drop_pending(run);
		return 0;
	}
	if (now_ms - run->begun_ms >= limit_ms) {
		_cleanup_free_ char *waited = clock_format_age((now_ms - run->begun_ms) / 1000);

		if (run->conflicted)
			return err_set(err, ERR_CONFLICT,
			               "%s: somebody else changes the object all the time, for %s now", pending->text,
			               waited);
		return err_set(err, ERR_TIMEOUT, "%s: shows no effect after %s", pending->text, waited);
	}
	if (run->conflicted || now_ms - run->told_ms >= pace.again_ms)
		return do_pending(run, err);
	text = xasprintf("the effect of: %s", pending->text);
	act_wait(run, text);
	return 0;
}

/*
 * A server that was told to leave cannot be told to stay, and for some seconds nothing shows of it. If the plan has
 * changed its mind meanwhile (somebody did not answer), nobody else goes before that shows, or must have been in vain.
 */
static bool must_show_first(const struct run *run, const struct step *step)
{
	const struct step *pending = run->result->pending;

	return pending && pending->kind == STEP_LEAVE && (step->kind == STEP_LEAVE || step->kind == STEP_RESTART) &&
	       !str_equal(pending->subject, step->subject) && !step_shows(&run->result->last, pending) &&
	       act_now(run) - run->told_ms < pace_of(STEP_LEAVE).again_ms;
}

int act_step(struct run *run, struct step *step, int64_t limit_ms, struct err *err)
{
	if (run->result->pending && step_equal(run->result->pending, step))
		return wait_for_effect(run, limit_ms, err);
	if (must_show_first(run, step)) {
		_cleanup_free_ char *text = xasprintf("the effect of: %s", run->result->pending->text);

		act_wait(run, text);
		return 0;
	}
	begin_step(run, step);
	return do_pending(run, err);
}
