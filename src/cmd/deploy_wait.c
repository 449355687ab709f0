/* See include/cmd/deploy_wait.h. */
#include "cmd/deploy_wait.h"

#include <stdlib.h>

#include "cmd/health_screen.h"
#include "cmd/live.h"
#include "consul/acl.h"
#include "consul/assess.h"
#include "consul/deploy.h"
#include "consul/deploy_lone.h"
#include "consul/observe.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#define INTERVAL_MS 1000
/* One look at the cluster. */
#define LOOK_TIMEOUT_MS 15000
/* Bootstrapping ACLs, and making the servers' tokens. */
#define ACL_TIMEOUT_MS 30000
/* How long something may look hopeless (an image that cannot be pulled) before it counts as that. */
#define STUCK_MS 60000
/* After the last server became a voter: how long its traces (a member that just left) may take to go. */
#define SETTLE_MS 10000

struct waiting {
	const struct cmd_context *context;
	struct connection *connection;
	const char *name;
	bool acls; /* they are still to be set up */
	bool reset_acls;
	bool existed;
	int64_t started_ms;
	int64_t deadline_ms;
	int64_t stuck_since_ms; /* CLOCK_NEVER: not stuck */
	int64_t done_since_ms;  /* CLOCK_NEVER: not done */
	struct term_live live;
	char *summary;       /* of the last look; NULL: none yet */
	char *by_hand;       /* the command that deletes the old pods that hold it up; NULL: there are none */
	bool may_not_delete; /* it was tried */
	char *lone;          /* the lone servers of the last look (deploy_lone_key); NULL: there were none */
};

struct look {
	struct snapshot snapshot;
	struct assessment assessment;
	struct deploy_progress progress;
};

#define LOOK_INIT                                                                                                      \
	{                                                                                                              \
		.snapshot = SNAPSHOT_INIT, .assessment = ASSESSMENT_INIT, .progress = DEPLOY_PROGRESS_INIT             \
	}

static void look_release(struct look *look)
{
	deploy_progress_release(&look->progress);
	assessment_release(&look->assessment);
	snapshot_release(&look->snapshot);
}

static int look_at(struct waiting *waiting, struct look *ret_look, struct err *err)
{
	int64_t look_deadline_ms = clock_monotonic_ms() + LOOK_TIMEOUT_MS;
	struct observe_options options = {
		.namespace_name = waiting->connection->config.namespace_name,
		.name = waiting->name,
		.access = &waiting->connection->access,
		.deadline_ms = look_deadline_ms < waiting->deadline_ms ? look_deadline_ms : waiting->deadline_ms,
	};

	if (observe(waiting->connection->client, &options, &ret_look->snapshot, err) < 0)
		return -1;
	assess(&ret_look->snapshot, &ret_look->assessment);
	deploy_progress(&ret_look->snapshot, &ret_look->assessment, &ret_look->progress);
	return deploy_explain(waiting->connection->client, &ret_look->snapshot, &ret_look->progress,
	                      options.deadline_ms, err);
}

/* ------------------------------------------------------------------------------------------ showing */

static void show(struct waiting *waiting, const char *block, const char *summary)
{
	_cleanup_free_ char *now = clock_time_of_day();

	term_live_show(&waiting->live, now, block, summary);
	replace_string(&waiting->summary, xstrdup(summary));
}

static void show_progress(struct waiting *waiting, const struct deploy_progress *progress)
{
	_cleanup_free_ char *passed = clock_format_age((clock_monotonic_ms() - waiting->started_ms) / 1000);
	_cleanup_free_ char *allowed = clock_format_age((waiting->deadline_ms - waiting->started_ms) / 1000);
	_cleanup_buf_ struct buf block = BUF_TEXT;

	buf_addf(&block, "Waiting for statefulset.apps/%s: %lld/%lld servers are voters", waiting->name,
	         (long long)progress->voters, (long long)progress->wanted);
	if (progress->updates)
		buf_addf(&block, ", %lld/%lld are updated", (long long)progress->updated, (long long)progress->wanted);
	buf_addf(&block, " (%s of %s)\n", passed, allowed);
	for (size_t i = 0; i < progress->waiting_count; i++)
		buf_addf(&block, "  %s: %s\n", progress->waiting[i].server, progress->waiting[i].reason);
	show(waiting, buf_text(&block), progress->summary);
}

/* A line that stays. */
static void tell(struct waiting *waiting, const char *line)
{
	_cleanup_free_ char *now = clock_time_of_day();

	term_live_log(&waiting->live, now, line);
}

static void show_failure(struct waiting *waiting, const struct err *failure)
{
	_cleanup_free_ char *text = err_text(failure);
	_cleanup_free_ char *line = str_visible(text, 0);
	_cleanup_free_ char *block = xasprintf("%s\n", line);

	show(waiting, block, line);
}

static int exit_code_of(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_HEALTHY:
		return CMD_EXIT_FINE;
	case VERDICT_DEGRADED:
		return CMD_EXIT_DEGRADED;
	case VERDICT_CRITICAL:
	case VERDICT_UNKNOWN:
		break;
	}
	return CMD_EXIT_CRITICAL;
}

static void print_health(struct waiting *waiting, const struct look *look)
{
	const struct cmd_context *context = waiting->context;
	struct health_screen_options options = { .program = context->program->name };
	_cleanup_buf_ struct buf out = BUF_TEXT;

	term_live_clear(&waiting->live);
	health_screen(&look->snapshot, &look->assessment, &options, &context->output_term, &out);
	fprintf(context->output, "\n%s", buf_text(&out));
}

/* ------------------------------------------------------------------------------------------ judging */

/* "-n NS" and "--name NAME" where they are needed: the tail of commands to paste. */
static char *where(const struct waiting *waiting)
{
	bool is_default = str_equal(waiting->name, OBSERVE_DEFAULT_NAME);

	return xasprintf(" -n %s%s%s", waiting->connection->config.namespace_name, is_default ? "" : " --name ",
	                 is_default ? "" : waiting->name);
}

static int hint_by_hand(const struct waiting *waiting, struct err *err)
{
	return err_hint(err, "Kubernetes waits before it replaces pods of the old template; %s lets it make them anew",
	                waiting->by_hand);
}

static int give_up(struct waiting *waiting, const struct deploy_progress *progress, struct err *err)
{
	const char *server = waiting->name;

	for (size_t i = 0; i < progress->waiting_count; i++)
		if (progress->waiting[i].stuck)
			server = progress->waiting[i].server;
	err_set(err, ERR_FAILED, "statefulset.apps/%s does not come up: %s", waiting->name, progress->summary);
	if (waiting->by_hand && !progress->moving)
		return hint_by_hand(waiting, err);
	return err_hint(err, "kubectl describe %s %s -n %s tells more; deploy again when it is mended",
	                server == waiting->name ? "statefulset" : "pod", server,
	                waiting->connection->config.namespace_name);
}

/* ------------------------------------------------------------------------------------------ mending */

static char *delete_command(const struct waiting *waiting, const struct strv *pods)
{
	_cleanup_free_ char *names = strv_join(pods, " ", " ");

	return xasprintf("kubectl delete pod %s -n %s", names, waiting->connection->config.namespace_name);
}

/* What is left to the user: old pods that will not run again, and those that may not be deleted. */
static void note_by_hand(struct waiting *waiting, const struct look *look, const struct deploy_never_ran *never_ran)
{
	_cleanup_strv_ struct strv pods = STRV_INIT;

	for (size_t i = 0; i < never_ran->count; i++)
		strv_add(&pods, never_ran->servers[i]->name);
	for (size_t i = 0; i < look->progress.waiting_count; i++) {
		const struct deploy_waiting *server = &look->progress.waiting[i];

		if (server->old && server->broken && !strv_contains(&pods, server->server))
			strv_add(&pods, server->server);
	}
	replace_string(&waiting->by_hand, pods.count > 0 ? delete_command(waiting, &pods) : NULL);
}

static void tell_refusal(struct waiting *waiting, const struct deploy_never_ran *never_ran, const struct err *refusal)
{
	_cleanup_strv_ struct strv pods = STRV_INIT;
	_cleanup_free_ char *text = err_text(refusal), *shown = str_visible(text, 0), *command = NULL, *line = NULL;

	for (size_t i = 0; i < never_ran->count; i++)
		strv_add(&pods, never_ran->servers[i]->name);
	command = delete_command(waiting, &pods);
	line = xasprintf("pod/%s never ran and is in the way, but: %s. This makes it anew: %s",
	                 never_ran->servers[0]->name, shown, command);
	tell(waiting, line);
}

/* One pod at a time: the next look shows what came of it. */
static int delete_first(struct waiting *waiting, const struct look *look, const struct deploy_never_ran *never_ran,
                        struct err *err)
{
	const struct server *server = never_ran->servers[0];
	struct err failure = ERR_INIT;
	bool deleted = false;

	if (deploy_delete_pod(waiting->connection->client, &look->snapshot, server,
	                      clock_monotonic_ms() + LOOK_TIMEOUT_MS, &deleted, &failure) < 0) {
		if (failure.kind != ERR_FORBIDDEN)
			return err_move(err, &failure);
		waiting->may_not_delete = true;
		tell_refusal(waiting, never_ran, &failure);
		err_release(&failure);
	}
	if (deleted) {
		_cleanup_free_ char *line =
		    xasprintf("pod/%s deleted (it never ran; it is made again from the new template)", server->name);

		tell(waiting, line);
	}
	return 0;
}

static int join(struct waiting *waiting, const struct deploy_lone *lone, size_t index, struct err *err)
{
	const char *server = lone->servers[index]->name, *target = lone->target->name;
	_cleanup_err_ struct err failure = ERR_INIT;
	_cleanup_free_ char *line = NULL, *shown = NULL;

	if (deploy_join(waiting->connection->client, lone->servers[index], lone->target, &waiting->connection->access,
	                clock_monotonic_ms() + LOOK_TIMEOUT_MS, &failure) == 0) {
		line = xasprintf("%s joined to %s (each had found only itself)", server, target);
	} else if (failure.kind == ERR_INTERRUPTED) {
		return err_move(err, &failure);
	} else {
		shown = str_visible(failure.message, 0);
		line = xasprintf("%s cannot be joined to %s: %s", server, target, shown);
	}
	tell(waiting, line);
	return 0;
}

/* Whoever is lone in two looks in a row is joined; after that, two looks again. */
static int join_lone(struct waiting *waiting, const struct look *look, struct err *err)
{
	struct deploy_lone lone = DEPLOY_LONE_INIT;
	char *key;
	bool again;
	int status = 0;

	deploy_lone(&look->snapshot, &lone);
	key = deploy_lone_key(&lone);
	again = key && str_equal(key, waiting->lone);
	for (size_t i = 0; again && status == 0 && i < lone.count; i++)
		status = join(waiting, &lone, i, err);
	if (again)
		replace_string(&key, NULL);
	replace_string(&waiting->lone, key);
	deploy_lone_release(&lone);
	return status;
}

static void tell_line(void *context, const char *line)
{
	tell(context, line);
}

static void tell_acl_failure(struct waiting *waiting, const struct err *failure)
{
	_cleanup_free_ char *text = err_text(failure), *shown = str_visible(text, 0);
	_cleanup_free_ char *line = xasprintf("ACLs are left as they are: %s%s%s", shown, failure->hint ? "; " : "",
	                                      failure->hint ? failure->hint : "");

	tell(waiting, line);
}

/* As soon as there is a leader: no other server is ready before its probe has a token. */
static int set_up_acls(struct waiting *waiting, const struct look *look, struct err *err)
{
	struct err failure = ERR_INIT;

	if (!waiting->acls)
		return 0;
	if (acl_setup(waiting->connection->client, &look->snapshot, &waiting->connection->access, waiting->reset_acls,
	              tell_line, waiting, clock_monotonic_ms() + ACL_TIMEOUT_MS, &failure) == 0) {
		waiting->acls = false;
		return 0;
	}
	if (failure.kind == ERR_INTERRUPTED)
		return err_move(err, &failure);
	if (failure.kind != ERR_UNAVAILABLE && failure.kind != ERR_UNREACHABLE && failure.kind != ERR_TIMEOUT) {
		/* Servers that are ready have their tokens: nothing that they need is missing. */
		if (!waiting->existed || !look->progress.done || waiting->reset_acls)
			return err_move(err, &failure);
		tell_acl_failure(waiting, &failure);
		waiting->acls = false;
	}
	err_release(&failure);
	return 0;
}

static int mend(struct waiting *waiting, const struct look *look, struct err *err)
{
	struct deploy_never_ran never_ran = DEPLOY_NEVER_RAN_INIT;
	int status = 0;

	deploy_never_ran(&look->snapshot, &never_ran);
	note_by_hand(waiting, look, &never_ran);
	if (never_ran.count > 0 && !waiting->may_not_delete)
		status = delete_first(waiting, look, &never_ran, err);
	deploy_never_ran_release(&never_ran);
	return status < 0 ? -1 : join_lone(waiting, look, err);
}

/* ---------------------------------------------------------------------------------- what a look means */

static int64_t since(int64_t since_ms, bool holds)
{
	if (!holds)
		return CLOCK_NEVER;
	return since_ms == CLOCK_NEVER ? clock_monotonic_ms() : since_ms;
}

static bool lasted(int64_t since_ms, int64_t milliseconds)
{
	return since_ms != CLOCK_NEVER && clock_monotonic_ms() - since_ms >= milliseconds;
}

/* What one look means for the waiting: *ret_over when it is over. */
static int judge(struct waiting *waiting, const struct look *look, bool *ret_over, int *ret_exit_code, struct err *err)
{
	const struct deploy_progress *progress = &look->progress;

	waiting->stuck_since_ms = since(waiting->stuck_since_ms, progress->stuck);
	waiting->done_since_ms = since(waiting->done_since_ms, progress->done);
	if (set_up_acls(waiting, look, err) < 0)
		return -1;
	if (progress->done && !waiting->acls &&
	    (look->assessment.verdict == VERDICT_HEALTHY || lasted(waiting->done_since_ms, SETTLE_MS))) {
		print_health(waiting, look);
		*ret_exit_code = exit_code_of(look->assessment.verdict);
		*ret_over = true;
		return 0;
	}
	show_progress(waiting, progress);
	if (mend(waiting, look, err) < 0)
		return -1;
	return lasted(waiting->stuck_since_ms, STUCK_MS) ? give_up(waiting, progress, err) : 0;
}

/* A look that failed for now is shown, and tried again. */
static int look_once(struct waiting *waiting, bool *ret_over, int *ret_exit_code, struct err *err)
{
	struct look look = LOOK_INIT;
	struct err failure = ERR_INIT;

	if (look_at(waiting, &look, &failure) == 0 && judge(waiting, &look, ret_over, ret_exit_code, &failure) < 0) {
		look_release(&look);
		return err_move(err, &failure);
	}
	look_release(&look);
	if (failure.kind == ERR_UNAVAILABLE || failure.kind == ERR_UNREACHABLE || failure.kind == ERR_TIMEOUT) {
		show_failure(waiting, &failure);
		err_release(&failure);
	}
	return err_move(err, &failure);
}

static int time_is_up(struct waiting *waiting, struct err *err)
{
	_cleanup_free_ char *tail = where(waiting);

	err_set(err, ERR_TIMEOUT, "timed out waiting for statefulset.apps/%s%s%s", waiting->name,
	        waiting->summary ? ": " : "", waiting->summary ? waiting->summary : "");
	if (waiting->by_hand)
		return hint_by_hand(waiting, err);
	return err_hint(err, "what was applied stays, and Kubernetes goes on; %s health%s tells what is wrong",
	                waiting->context->program->name, tail);
}

static int wait_for_set(struct waiting *waiting, int *ret_exit_code, struct err *err)
{
	bool over = false;

	for (;;) {
		if (look_once(waiting, &over, ret_exit_code, err) < 0)
			return -1;
		if (over)
			return 0;
		if (clock_monotonic_ms() + INTERVAL_MS >= waiting->deadline_ms)
			return time_is_up(waiting, err);
		if (connect_sleep(waiting->connection, INTERVAL_MS, err) < 0)
			return -1;
	}
}

/* Without ACLs nobody becomes ready, and only deploy sets them up. */
static void hint_to_go_on(const struct waiting *waiting, struct err *err)
{
	const struct cmd_context *context = waiting->context;
	const char *command = waiting->reset_acls ? "deploy --reset-acls" : "deploy";
	_cleanup_free_ char *tail = where(waiting);

	if (context->messages_term.is_tty)
		fputc('\n', context->messages); /* after the ^C that the terminal shows */
	err_hint(err, "what was applied stays, and Kubernetes goes on; to go on from here: %s %s%s",
	         context->program->name, waiting->acls ? command : "health --wait", tail);
}

int deploy_wait(const struct cmd_context *context, struct connection *connection,
                const struct deploy_wait_options *options, int *ret_exit_code, struct err *err)
{
	struct waiting waiting = {
		.context = context,
		.connection = connection,
		.name = options->name,
		.acls = options->acls,
		.reset_acls = options->reset_acls,
		.existed = options->exists,
		.started_ms = clock_monotonic_ms(),
		.deadline_ms = options->deadline_ms,
		.stuck_since_ms = CLOCK_NEVER,
		.done_since_ms = CLOCK_NEVER,
	};
	int status;

	live_begin(&waiting.live, connection, context->messages, &context->messages_term);
	status = wait_for_set(&waiting, ret_exit_code, err);
	if (status < 0 && err->kind == ERR_INTERRUPTED)
		hint_to_go_on(&waiting, err);
	live_end(&waiting.live, connection);
	free(waiting.summary);
	free(waiting.by_hand);
	free(waiting.lone);
	return status;
}
