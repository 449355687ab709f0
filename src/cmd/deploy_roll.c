/* Servers that run are replaced, or get more or fewer: see include/cmd/deploy_parts.h. */
#include <inttypes.h>
#include <stdlib.h>

#include "cmd/again.h"
#include "cmd/change.h"
#include "cmd/claim.h"
#include "cmd/deploy_parts.h"
#include "cmd/live.h"
#include "consul/assess.h"
#include "consul/observe.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* One look at the cluster. */
#define LOOK_TIMEOUT_MS ((int64_t)15 * 1000)
/* How long a look that shows no leader is repeated. */
#define LOOK_PATIENCE_MS ((int64_t)10 * 1000)
#define LOOK_INTERVAL_MS ((int64_t)1000)
/* Renewing the Lease. */
#define KEEP_TIMEOUT_MS ((int64_t)10 * 1000)
/* The controller takes up a change within a moment. */
#define OBSERVED_TIMEOUT_MS  ((int64_t)10 * 1000)
#define OBSERVED_INTERVAL_MS ((int64_t)200)

int deploy_look(struct deploying *deploying, const char *set_name, struct snapshot *ret_snapshot, struct err *err)
{
	struct observe_options options = {
		.namespace_name = deploying->connection.config.namespace_name,
		.name = set_name,
		.access = &deploying->connection.access,
		.deadline_ms = clock_monotonic_ms() + LOOK_TIMEOUT_MS,
	};

	return observe(deploying->connection.client, &options, ret_snapshot, err);
}

/* What one look tells of whether the engine can be trusted with these servers. */
enum look_outcome {
	LOOK_LEADER,    /* they have one, or had: what their logs hold tells */
	LOOK_NEVER_RAN, /* no server runs, or those that do have nothing yet */
	LOOK_SILENT,    /* servers run, and cannot be asked */
};

static enum look_outcome judge_look(const struct snapshot *snapshot, struct err *reason)
{
	struct assessment assessment = ASSESSMENT_INIT;
	bool has_leader, silent = false, committed = false;

	assess(snapshot, &assessment);
	has_leader = assessment.leader_name != NULL;
	assessment_release(&assessment);
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *server = &snapshot->servers[i];

		/* After a restart nothing counts as committed before there is a leader: the log tells. */
		committed |= server->view.self_known &&
		             (server->view.self.commit_index > 0 || server->view.self.last_log_index > 0);
		if (!server->container || !server->container->running || server->view.self_known)
			continue;
		if (!silent)
			err_copy(reason, &server->view.self_err);
		silent = true;
	}
	if (has_leader || committed)
		return LOOK_LEADER;
	return silent ? LOOK_SILENT : LOOK_NEVER_RAN;
}

static int refuse_silence(const struct deploying *deploying, const char *set_name, const struct err *reason,
                          struct err *err)
{
	_cleanup_free_ char *health = again_command(deploying->context, &deploying->connection, set_name, "health");

	err_set(
	    err, ERR_REFUSED,
	    "servers of statefulset.apps/%s run and cannot be asked, so that they cannot be replaced one by one: %s",
	    set_name, reason->message ? reason->message : "no answer");
	return err_hint(err, "%s%s%s tells more", reason->hint ? reason->hint : "", reason->hint ? "\n" : "", health);
}

int deploy_can_roll(struct deploying *deploying, const char *set_name, bool *ret_can, struct err *err)
{
	int64_t patience_ms = clock_monotonic_ms() + LOOK_PATIENCE_MS;

	for (;;) {
		struct snapshot snapshot = SNAPSHOT_INIT;
		_cleanup_err_ struct err reason = ERR_INIT;
		enum look_outcome outcome = LOOK_SILENT;
		int status = deploy_look(deploying, set_name, &snapshot, err);

		if (status == 0)
			status = deploy_keep_lease(deploying, err);
		if (status == 0)
			outcome = judge_look(&snapshot, &reason);
		snapshot_release(&snapshot);
		*ret_can = outcome == LOOK_LEADER;
		if (status < 0 || outcome == LOOK_LEADER)
			return status;
		/* A look in a bad moment must not hand running servers over to Kubernetes. */
		if (clock_monotonic_ms() >= patience_ms)
			return outcome == LOOK_SILENT ? refuse_silence(deploying, set_name, &reason, err) : 0;
		if (connect_sleep(&deploying->connection, LOOK_INTERVAL_MS, err) < 0)
			return -1;
	}
}

/* ---------------------------------------------------------------------------------------- the engine */

static int change(struct deploying *deploying, const struct goal *goal, const char *again, struct kube_lease *lease,
                  struct err *err)
{
	bool dry_run = deploying->options->dry_run != CMD_DRY_RUN_NONE;
	struct change change = {
		.goal = *goal,
		.label = "deploy",
		.again = again,
		.yes = true,
		.brief = true,
		.dry_run = dry_run,
		.timeout_ms = global_timeout_ms(deploying->context->global, DEPLOY_ROLL_TIMEOUT_MS),
		.connection = &deploying->connection,
		.lease = lease,
	};

	return change_run(deploying->context, &change, err);
}

static int hint_to_go_back(const struct deploying *deploying, const char *set_name, struct err *err)
{
	_cleanup_free_ char *command =
	    again_command(deploying->context, &deploying->connection, set_name, "deploy --rollback");

	if (err->kind == ERR_INTERRUPTED || deploying->options->rollback)
		return -1;
	if (!err->hint)
		return err_hint(err, "to go back: %s", command);
	replace_string(&err->hint, xasprintf("%s\nto go back: %s", err->hint, command));
	return -1;
}

/* Until the controller has seen the template: which pods are old can be told only then. */
static int wait_until_observed(struct deploying *deploying, const struct apply_object *set, struct err *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + OBSERVED_TIMEOUT_MS;

	for (;;) {
		struct kube_call call = { .method = KUBE_GET, .path = set->path };
		int status = kube_client_perform(deploying->connection.client, &call, 1, deadline_ms, err);
		bool seen;

		if (status == 0)
			status = err_move(err, &call.err);
		seen = json_int_at(call.json, "status.observedGeneration", 0) >=
		       json_int_at(call.json, "metadata.generation", 0);
		kube_call_release(&call);
		/* What it has not seen by then the engine waits for. */
		if (status < 0 || seen || clock_monotonic_ms() + OBSERVED_INTERVAL_MS >= deadline_ms)
			return status;
		if (deploy_keep_lease(deploying, err) < 0 ||
		    connect_sleep(&deploying->connection, OBSERVED_INTERVAL_MS, err) < 0)
			return -1;
	}
}

/* Kubernetes replaces pods by itself again. */
static int give_back(struct deploying *deploying, struct apply_object *set, struct err *err)
{
	struct apply_options options = {
		.mode = APPLY_FOR_REAL,
		.force_conflicts = deploying->options->force_conflicts || deploying->options->rollback,
		.deadline_ms = clock_monotonic_ms() + DEPLOY_APPLY_TIMEOUT_MS,
	};

	manifest_set_rolling(set->json, true);
	if (deploy_keep_lease(deploying, err) < 0)
		return -1;
	return apply_send(deploying->connection.client, set, &options, err);
}

int deploy_take_lease(struct deploying *deploying, const char *set_name, struct err *err)
{
	const struct cmd_context *context = deploying->context;
	struct term_live live;
	int status;

	deploying->lease = claim_new(context, &deploying->connection, set_name, "deploy");
	live_begin(&live, &deploying->connection, context->messages, &context->messages_term);
	status = claim_take(deploying->lease, &live, clock_monotonic_ms() + DEPLOY_APPLY_TIMEOUT_MS, err);
	live_end(&live, &deploying->connection);
	return status;
}

int deploy_keep_lease(struct deploying *deploying, struct err *err)
{
	if (!deploying->lease)
		return 0;
	return kube_lease_keep(deploying->lease, clock_monotonic_ms() + KEEP_TIMEOUT_MS, err);
}

/* What of the options a run that goes on needs: the rest is in the cluster by then. New string. */
static char *words_to_go_on(const struct deploying *deploying)
{
	int64_t replicas = deploying->options->replicas;

	if (deploying->options->rollback)
		return xstrdup("deploy --rollback");
	return replicas ? xasprintf("deploy --replicas %" PRId64, replicas) : xstrdup("deploy");
}

int deploy_roll(struct deploying *deploying, struct deploy_plan *plan, struct err *err)
{
	struct goal goal = { .kind = GOAL_ROLLOUT };
	struct apply_object *set = deploy_plan_set(plan);
	_cleanup_free_ char *again = words_to_go_on(deploying);
	int64_t deadline_ms = clock_monotonic_ms() + DEPLOY_APPLY_TIMEOUT_MS;

	manifest_set_rolling(set->json, false);
	if (deploy_apply(deploying, plan, false, err) < 0)
		return -1;
	if (plan->going_back_to && deploy_restore_template(deploying->connection.client, set, deadline_ms, err) < 0)
		return -1;
	if (wait_until_observed(deploying, set, err) < 0)
		return -1;
	if (change(deploying, &goal, again, deploying->lease, err) < 0)
		return hint_to_go_back(deploying, plan->sets.items[0], err);
	if (give_back(deploying, set, err) < 0)
		return err->hint
		           ? -1
		           : err_hint(err, "every server is replaced; deploy again gives the replacing of pods back "
		                           "to Kubernetes");
	return 0;
}

int deploy_show_steps(struct deploying *deploying, struct err *err)
{
	struct goal goal = { .kind = GOAL_ROLLOUT };

	return change(deploying, &goal, "deploy", NULL, err);
}

int deploy_scale(struct deploying *deploying, const struct deploy_plan *plan, struct err *err)
{
	const struct apply_object *set = deploy_plan_set(plan);
	int64_t wanted = deploying->options->replicas;
	struct goal goal = { .kind = GOAL_SCALE, .replicas = wanted };
	_cleanup_free_ char *again = xasprintf("scale %" PRId64, wanted);

	if (!plan->exists || wanted == 0 || json_int_at(set->live, "spec.replicas", 1) == wanted)
		return 0;
	return change(deploying, &goal, again, deploying->lease, err);
}
