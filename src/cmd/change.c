/* See include/cmd/change.h: from the first look to the lease. */
#include "cmd/change.h"

#include <stdlib.h>

#include "cmd/again.h"
#include "cmd/change_act.h"
#include "cmd/change_screen.h"
#include "cmd/claim.h"
#include "cmd/confirm.h"
#include "cmd/live.h"
#include "consul/assess.h"
#include "consul/backup.h"
#include "consul/diagnosis.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/* A look at who has it now, which is only told. */
#define PEEK_TIMEOUT_MS ((int64_t)3 * 1000)

const char *const change_dry_run_choices[] = { "none", "client", NULL };

/* What was seen, and the plan from there. */
struct outlook {
	struct snapshot snapshot;     /* as it is; once there is a plan: as it will be */
	struct assessment assessment; /* of what is: good until there is a plan */
	struct strv notes;
	struct steps steps;
	struct plan last;
};

#define OUTLOOK_INIT                                                                                                   \
	{                                                                                                              \
		.snapshot = SNAPSHOT_INIT, .assessment = ASSESSMENT_INIT, .steps = STEPS_INIT, .last = PLAN_INIT       \
	}

static void outlook_release(struct outlook *outlook)
{
	plan_release(&outlook->last);
	steps_release(&outlook->steps);
	strv_release(&outlook->notes);
	assessment_release(&outlook->assessment);
	snapshot_release(&outlook->snapshot);
	*outlook = (struct outlook)OUTLOOK_INIT;
}

static bool has_work(const struct outlook *outlook)
{
	return outlook->steps.count > 0 || outlook->steps.waits_for || outlook->last.kind == PLAN_WAIT;
}

/* What was seen, and what it means. */
static void take_in(struct change_run *run, struct outlook *outlook)
{
	assess(&outlook->snapshot, &outlook->assessment);
	if (run->set_name)
		return;
	/* From now on it is this one, whatever else appears. */
	run->kube.name = run->set_name = xstrdup(outlook->snapshot.set.name);
}

static int look(struct change_run *run, struct outlook *ret_outlook, struct err *err)
{
	if (run->world.observe(run->world.context, &ret_outlook->snapshot, err) < 0)
		return -1;
	take_in(run, ret_outlook);
	return 0;
}

static void make_plan(const struct change_run *run, struct outlook *outlook)
{
	/* Its template has not been applied: it will have been. */
	if (run->change->dry_run && run->change->goal.kind == GOAL_ROLLOUT)
		plan_predict_template(&outlook->snapshot);
	plan_notes(&outlook->snapshot, &run->change->goal, &outlook->notes);
	plan_forward(&outlook->snapshot, &run->change->goal, &outlook->steps, &outlook->last);
}

/* ------------------------------------------------------------------------------------------- showing */

static void print(const struct change_run *run, FILE *file, const struct term *term, const struct outlook *outlook,
                  const char *head)
{
	_cleanup_buf_ struct buf out = BUF_TEXT;
	_cleanup_free_ char *fit = term_text(term, head);

	if (has_work(outlook))
		buf_adds(&out, fit);
	else if (outlook->last.kind == PLAN_DONE)
		change_screen_goal(&outlook->snapshot, &run->change->goal, true, term, &out);
	change_screen_plan(&outlook->steps, &outlook->last, &outlook->notes, term, &out);
	fputs(buf_text(&out), file);
	fflush(file);
}

/* Who is asked has to see what about, wherever standard output goes. */
static void print_plan(const struct change_run *run, const struct outlook *outlook, const char *head)
{
	const struct cmd_context *context = run->context;
	bool asks = !run->change->yes && !run->change->dry_run && has_work(outlook) && confirm_is_possible(context);

	if (asks && !context->output_term.is_tty)
		print(run, context->messages, &context->messages_term, outlook, head);
	else
		print(run, context->output, &context->output_term, outlook, head);
}

/* ------------------------------------------------------------------------------------------ before it */

/* From the leader, to whom every committed entry has come. */
static int save_backup(struct change_run *run, struct err *err)
{
	const struct change *change = run->change;
	struct outlook outlook = OUTLOOK_INIT;
	struct backup_info info = { 0 };
	int status = look(run, &outlook, err);

	if (status == 0 && !outlook.assessment.leader)
		status = err_set(err, ERR_UNAVAILABLE, "no pod is the leader, who is asked for it");
	if (status == 0)
		status = backup_save(run->connection->client, outlook.assessment.leader, &run->connection->access,
		                     change->backup_path, run->deadline_ms, &info, err);
	outlook_release(&outlook);
	if (status < 0)
		return err_wrap(err, "cannot save a snapshot");
	run->saved = true;
	fprintf(run->context->output, "snapshot saved: %s (index %llu, %llu bytes)\n", change->backup_path,
	        (unsigned long long)info.index, (unsigned long long)info.bytes);
	fflush(run->context->output);
	return 0;
}

static bool was_agreed(const struct outlook *agreed, const struct step *step)
{
	if (step->kind == STEP_TRANSFER_LEADER) /* who leads may change at any time */
		return true;
	for (size_t i = 0; i < agreed->steps.count; i++)
		if (step_equal(&agreed->steps.items[i], step))
			return true;
	return false;
}

/* The person said yes to a plan: if other steps are due now, that was no yes to them. */
static int check_agreed(struct change_run *run, const struct outlook *agreed, struct err *err)
{
	struct outlook now = OUTLOOK_INIT;
	const struct step *other = NULL;
	int status = look(run, &now, err);

	if (status == 0)
		make_plan(run, &now);
	for (size_t i = 0; status == 0 && !other && i < now.steps.count; i++)
		if (!was_agreed(agreed, &now.steps.items[i]))
			other = &now.steps.items[i];
	if (other && agreed->last.kind != PLAN_WAIT) {
		status = err_set(err, ERR_CONFLICT, "the cluster has changed since the plan was shown; due now: %s",
		                 other->text);
		err_hint(err, "look at the new plan with --dry-run");
	}
	outlook_release(&now);
	return status;
}

/* ------------------------------------------------------------------------------------------ the lease */

/* Before anybody is asked: that somebody else is at it will be the answer anyway. A look that fails says nothing. */
static int note_other(const struct change_run *run, struct strv *notes, struct err *err)
{
	struct kube_lease *lease = claim_new(run->context, run->connection, run->set_name, run->change->label);
	_cleanup_free_ char *who = NULL;
	_cleanup_err_ struct err problem = ERR_INIT;
	int64_t until_ms = clock_monotonic_ms() + PEEK_TIMEOUT_MS;
	int status = kube_lease_peek(lease, until_ms < run->deadline_ms ? until_ms : run->deadline_ms, &who, &problem);

	kube_lease_free(lease);
	if (status == 0 && who)
		strv_addf(notes, "this cluster is being changed right now by %s", who);
	return problem.kind == ERR_INTERRUPTED ? err_move(err, &problem) : 0;
}

static int take_lease(struct change_run *run, struct err *err)
{
	run->kube.lease = run->change->lease;
	if (run->kube.lease)
		return 0;
	run->kube.lease = claim_new(run->context, run->connection, run->set_name, run->change->label);
	return claim_take(run->kube.lease, &run->live, run->deadline_ms, err);
}

/* What was taken here. */
static void give_lease_back(struct change_run *run)
{
	if (!run->change->lease)
		claim_give_back(run->context, run->connection, run->kube.lease);
	run->kube.lease = NULL;
}

/* ------------------------------------------------------------------------------------- going on later */

/* The command that goes on from where this one stopped. New string. */
static char *command_again(const struct change_run *run)
{
	_cleanup_free_ char *command = again_command(run->context, run->connection, run->set_name, run->change->again);
	struct buf out = BUF_TEXT;

	buf_adds(&out, command);
	if (run->change->backup_path && !run->saved) {
		_cleanup_free_ char *word = shell_word(run->change->backup_path);

		buf_addf(&out, " --snapshot %s", word);
	}
	if (option_was_given(run->context->words, "yes"))
		buf_adds(&out, " --yes");
	return buf_detach(&out);
}

static int hint_to_go_on(const struct change_run *run, struct err *err)
{
	_cleanup_free_ char *command = command_again(run);

	if (!err->hint)
		return err_hint(err, "to go on from here: %s", command);
	replace_string(&err->hint, xasprintf("%s\nto go on from here: %s", err->hint, command));
	return -1;
}

/* ------------------------------------------------------------------------------------------- the run */

static void begin_clock(struct change_run *run)
{
	run->started_ms = clock_monotonic_ms();
	run->deadline_ms = run->kube.deadline_ms = run->started_ms + run->change->timeout_ms;
}

/* What has to be in place before the first change. */
static int prepare(struct change_run *run, const struct outlook *agreed, struct err *err)
{
	if (run->change->backup_path && save_backup(run, err) < 0)
		return -1;
	if (take_lease(run, err) < 0)
		return -1;
	return run->change->yes ? 0 : check_agreed(run, agreed, err);
}

/* Everything after the question. */
static int carry_out(struct change_run *run, const struct outlook *agreed, struct err *err)
{
	int status;

	begin_clock(run);
	status = prepare(run, agreed, err);
	if (status < 0)
		change_tell_left(run, NULL, err);
	else
		status = change_act(run, err);
	give_lease_back(run);
	return status < 0 ? hint_to_go_on(run, err) : change_report(run, err);
}

static int decide(struct change_run *run, const struct outlook *outlook, const char *head, struct err *err)
{
	const struct change *change = run->change;

	if (outlook->last.kind == PLAN_REFUSE && outlook->steps.count == 0)
		return plan_refusal(&outlook->last, err);
	print_plan(run, outlook, head);
	if (outlook->last.kind == PLAN_REFUSE)
		return plan_refusal(&outlook->last, err);
	if (change->dry_run)
		fputs("dry run: nothing was changed\n", run->context->output);
	if (!has_work(outlook) || change->dry_run)
		return 0;
	if (!change->yes && confirm(run->context, clock_monotonic_ms() + change->timeout_ms, err) < 0)
		return -1;
	return carry_out(run, outlook, err);
}

/* Nothing was begun: the time was up while the cluster was not fit for any of it. */
static int hint_to_look(const struct change_run *run, struct err *err)
{
	_cleanup_free_ char *command =
	    again_command(run->context, run->connection, run->context->global->name, "health");

	return err->kind == ERR_TIMEOUT && !err->hint ? err_hint(err, "%s tells what is wrong", command) : -1;
}

static int look_and_decide(struct change_run *run, struct err *err)
{
	struct outlook outlook = OUTLOOK_INIT;
	_cleanup_buf_ struct buf head = BUF_TEXT;
	int status;

	begin_clock(run);
	status = change_look(run, &outlook.snapshot, err);
	if (status < 0) {
		outlook_release(&outlook);
		return hint_to_look(run, err);
	}
	take_in(run, &outlook);
	connect_tell_set(run->context, run->connection->config.namespace_name, run->set_name);
	change_screen_head(&outlook.snapshot, &outlook.assessment, &run->context->output_term, &head);
	make_plan(run, &outlook);
	if (has_work(&outlook) && (!run->change->yes || run->change->dry_run))
		status = note_other(run, &outlook.notes, err);
	if (status == 0)
		status = decide(run, &outlook, buf_text(&head), err);
	outlook_release(&outlook);
	return status;
}

static int run_on(const struct cmd_context *context, const struct change *change, struct connection *connection,
                  struct err *err)
{
	struct change_run run = { .context = context, .change = change, .connection = connection };
	int status;

	run.kube = (struct world_kube){
		.client = connection->client,
		.namespace_name = connection->config.namespace_name,
		.name = option_was_given(context->words, "name") ? context->global->name : NULL,
		.access = &connection->access,
	};
	world_kube(&run.kube, &run.world);
	run.title = xasprintf("%s in namespace %s", change->label, connection->config.namespace_name);
	live_begin(&run.live, connection, context->messages, &context->messages_term);
	status = look_and_decide(&run, err);
	live_end(&run.live, connection);
	free(run.set_name);
	free(run.title);
	return status;
}

int change_run(const struct cmd_context *context, const struct change *change, struct err *err)
{
	struct connection connection = CONNECTION_INIT;
	int status;

	if (change->connection)
		return run_on(context, change, change->connection, err);
	status = connect_open(context, &connection, err);
	if (status == 0)
		status = run_on(context, change, &connection, err);
	connection_release(&connection);
	return status;
}
