/* See include/cmd/change.h: from the first look to the lease. */
#include "cmd/change.h"

#include <stdlib.h>
#include <unistd.h>

#include "cmd/change_act.h"
#include "cmd/change_screen.h"
#include "cmd/confirm.h"
#include "consul/assess.h"
#include "consul/backup.h"
#include "consul/diagnosis.h"
#include "consul/observe.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/* Giving the lease back, which people wait for. */
#define RELEASE_TIMEOUT_MS ((int64_t)3 * 1000)
/* A look at who has it now, which is only told. */
#define PEEK_TIMEOUT_MS ((int64_t)3 * 1000)
/* Longest name of a machine. */
#define HOST_NAME_BYTES 256

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
	plan_notes(&outlook->snapshot, &run->change->goal, &outlook->notes);
	plan_forward(&outlook->snapshot, &run->change->goal, &outlook->steps, &outlook->last);
}

/* ------------------------------------------------------------------------------------------- showing */

static void tell_which_set(const struct change_run *run)
{
	_cleanup_free_ char *name = str_visible(run->set_name, 0);

	if (!str_equal(name, OBSERVE_DEFAULT_NAME) && !option_was_given(run->context->words, "name"))
		fprintf(run->context->messages,
		        "Using StatefulSet \"%s\", the only one in namespace \"%s\" that runs Consul servers.\n", name,
		        run->connection.config.namespace_name);
}

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
		status = backup_save(run->connection.client, outlook.assessment.leader, &run->connection.access,
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

static char *holder(const struct change_run *run)
{
	const struct cmd_environment *environment = run->context->environment;
	_cleanup_free_ char *user =
	    environment->user ? xstrdup(environment->user) : xasprintf("uid %ld", (long)getuid());
	char host[HOST_NAME_BYTES] = "";

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	return xasprintf("%s%s%s (pid %ld, %s)", user, *host ? "@" : "", host, (long)getpid(), run->change->label);
}

static void show_holder(void *context, const char *who, int64_t quiet_ms, int64_t left_ms)
{
	struct change_run *run = context;
	_cleanup_free_ char *name = str_visible(who, 0);
	_cleanup_free_ char *quiet = clock_format_age(quiet_ms / 1000);
	_cleanup_free_ char *left = clock_format_age((left_ms + 999) / 1000);
	_cleanup_free_ char *line = xasprintf("waiting: the cluster is being changed by %s", name);
	_cleanup_free_ char *block =
	    xasprintf("%s\n  not heard of for %s; taken over in %s if that goes on\n", line, quiet, left);

	change_show(run, block, line);
}

static struct kube_lease *new_lease(const struct change_run *run)
{
	_cleanup_free_ char *name = xasprintf("%s-kubectl-consul", run->set_name);
	_cleanup_free_ char *who = holder(run);
	struct kube_lease_options options = {
		.namespace_name = run->connection.config.namespace_name,
		.name = name,
		.holder = who,
	};

	return kube_lease_new(run->connection.client, &options);
}

/* Before anybody is asked: that somebody else is at it will be the answer anyway. A look that fails says nothing. */
static int note_other(const struct change_run *run, struct strv *notes, struct err *err)
{
	struct kube_lease *lease = new_lease(run);
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
	int status;

	run->kube.lease = new_lease(run);
	status = kube_lease_take(run->kube.lease, run->deadline_ms, show_holder, run, err);
	if (status == 0)
		term_live_clear(&run->live);
	return status;
}

/* After Ctrl-C and after a failed take, too: whoever comes next need not wait. A second Ctrl-C ends the process. */
static void give_lease_back(struct change_run *run)
{
	if (!run->kube.lease)
		return;
	loop_set_interrupt(run->connection.loop, -1);
	kube_lease_release(run->kube.lease, clock_monotonic_ms() + RELEASE_TIMEOUT_MS);
	kube_lease_free(TAKE(run->kube.lease));
	loop_set_interrupt(run->connection.loop, run->context->interrupt_fd);
}

/* ------------------------------------------------------------------------------------- going on later */

/* The options that say which API server and who: the same as now. Never the token. */
static void add_connection_options(const struct cmd_context *context, struct buf *out)
{
	static const char *const names[] = {
		"kubeconfig",         "context",    "cluster",         "user",      "server", "certificate-authority",
		"client-certificate", "client-key", "tls-server-name", "token-file"
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct option *option = option_find(global_option_table, names[i], 0);
		const char *value =
		    *(const char *const *)(const void *)((const char *)context->global + option->offset);
		_cleanup_free_ char *word = value ? shell_word(value) : NULL;

		if (word && option_was_given(context->words, names[i]))
			buf_addf(out, " --%s %s", names[i], word);
	}
	if (context->global->insecure_skip_tls_verify)
		buf_adds(out, " --insecure-skip-tls-verify");
	if (context->global->via != ASK_NONE)
		buf_addf(out, " --via %s", ask_way_name(context->global->via));
}

/* The command that goes on from where this one stopped. New string. */
static char *command_again(const struct change_run *run)
{
	const struct cmd_context *context = run->context;
	_cleanup_free_ char *namespace_word = shell_word(run->connection.config.namespace_name);
	_cleanup_free_ char *set_word = shell_word(run->set_name);
	struct buf out = BUF_TEXT;

	buf_addf(&out, "%s %s -n %s", context->program->name, run->change->again, namespace_word);
	if (!str_equal(run->set_name, OBSERVE_DEFAULT_NAME))
		buf_addf(&out, " --name %s", set_word);
	add_connection_options(context, &out);
	if (run->change->backup_path && !run->saved) {
		_cleanup_free_ char *word = shell_word(run->change->backup_path);

		buf_addf(&out, " --snapshot %s", word);
	}
	if (run->change->yes)
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
	if (!change->yes && confirm(run->context, "Go on?", clock_monotonic_ms() + change->timeout_ms, err) < 0)
		return -1;
	return carry_out(run, outlook, err);
}

static int look_and_decide(struct change_run *run, struct err *err)
{
	struct outlook outlook = OUTLOOK_INIT;
	_cleanup_buf_ struct buf head = BUF_TEXT;
	int status;

	begin_clock(run);
	status = change_look(run, &outlook.snapshot, err);
	if (status == 0) {
		take_in(run, &outlook);
		tell_which_set(run);
		change_screen_head(&outlook.snapshot, &outlook.assessment, &run->context->output_term, &head);
		make_plan(run, &outlook);
		if (has_work(&outlook) && (!run->change->yes || run->change->dry_run))
			status = note_other(run, &outlook.notes, err);
	}
	if (status == 0)
		status = decide(run, &outlook, buf_text(&head), err);
	outlook_release(&outlook);
	return status;
}

int change_run(const struct cmd_context *context, const struct change *change, struct err *err)
{
	struct change_run run = { .context = context, .change = change, .connection = CONNECTION_INIT };
	int status = connect_open(context, &run.connection, err);

	if (status == 0) {
		run.kube = (struct world_kube){
			.client = run.connection.client,
			.namespace_name = run.connection.config.namespace_name,
			.name = option_was_given(context->words, "name") ? context->global->name : NULL,
			.access = &run.connection.access,
		};
		world_kube(&run.kube, &run.world);
		run.title = xasprintf("%s in namespace %s", change->label, run.connection.config.namespace_name);
		term_live_init(&run.live, fileno(context->messages), &context->messages_term);
		status = look_and_decide(&run, err);
		term_live_release(&run.live);
	}
	free(run.set_name);
	free(run.title);
	connection_release(&run.connection);
	return status;
}
