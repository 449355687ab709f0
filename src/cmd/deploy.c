/* `kubectl consul deploy`: what is wanted and what exists become objects, which are applied, and waited for. */
#include <inttypes.h>

#include "cmd/again.h"
#include "cmd/claim.h"
#include "cmd/cmd.h"
#include "cmd/connect.h"
#include "cmd/deploy_parts.h"
#include "cmd/deploy_wait.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* Waiting, when --timeout does not say. */
#define WAIT_TIMEOUT_MS ((int64_t)300 * 1000)

/* Of problems that a preflight finds after the plan has failed for one, which says less than rights that lack. */
enum { ONE = 1, MORE_THAN_ONE = 2 };

static int make_plan(struct deploying *deploying, struct deploy_plan *plan, struct err *err)
{
	const struct deploy_options *options = deploying->options;
	struct kube_client *client = deploying->connection.client;
	const char *namespace_name = deploying->connection.config.namespace_name;
	int64_t deadline_ms = clock_monotonic_ms() + DEPLOY_APPLY_TIMEOUT_MS;

	if (options->files.count > 0) {
		if (deploy_files_read(&options->files, namespace_name, &plan->objects, err) < 0)
			return -1;
		return deploy_plan_files(client, namespace_name, deadline_ms, plan, err);
	}
	if (deploy_check(&deploying->request, err) < 0)
		return -1;
	if (options->rollback)
		return deploy_plan_rollback(client, &deploying->request, deadline_ms, plan, err);
	return deploy_plan(client, &deploying->request, deadline_ms, plan, err);
}

static void warn(struct deploying *deploying, const struct deploy_plan *plan)
{
	for (size_t i = 0; !deploying->warned && i < plan->warnings.count; i++) {
		_cleanup_free_ char *shown = str_visible(plan->warnings.items[i], 0);

		fprintf(deploying->context->messages, "Warning: %s\n", shown);
	}
	deploying->warned = true;
}

static int wait_for_plan(struct deploying *deploying, const struct deploy_plan *plan, int *ret_exit_code,
                         struct err *err)
{
	const struct cmd_context *context = deploying->context;
	int64_t deadline_ms = clock_monotonic_ms() + global_timeout_ms(context->global, WAIT_TIMEOUT_MS);

	for (size_t i = 0; i < plan->sets.count; i++) {
		struct deploy_wait_options options = {
			.name = plan->sets.items[i],
			.deadline_ms = deadline_ms,
			.acls = plan->sets_up_acls,
			.reset_acls = deploying->options->reset_acls,
			.exists = plan->exists,
		};
		int exit_code = 0;

		if (deploy_wait(context, &deploying->connection, &options, &exit_code, err) < 0)
			return -1;
		if (*ret_exit_code == 0 || exit_code == CMD_EXIT_CRITICAL)
			*ret_exit_code = exit_code;
	}
	return 0;
}

static void tell_next(const struct deploying *deploying, const struct deploy_plan *plan)
{
	const struct cmd_context *context = deploying->context;

	for (size_t i = 0; i < plan->sets.count; i++) {
		_cleanup_free_ char *name = str_visible(plan->sets.items[i], 0);

		fprintf(context->messages, "To wait for it: %s health --wait -n %s --name %s\n", context->program->name,
		        deploying->connection.config.namespace_name, name);
	}
}

/* What only shows something. *ret_over: that was all. */
static int show(struct deploying *deploying, struct deploy_plan *plan, bool restarts, bool *ret_over, struct err *err)
{
	const struct deploy_options *options = deploying->options;

	*ret_over = true;
	if (option_was_given(deploying->context->words, "output")) {
		if (options->dry_run == CMD_DRY_RUN_SERVER && deploy_apply(deploying, plan, true, err) < 0)
			return -1;
		deploy_print(deploying, plan);
		return 0;
	}
	if (options->diff)
		return deploy_show_difference(deploying, plan, err);
	if (!options->skip_preflight && deploy_preflight(deploying, plan, restarts, 1, err) < 0)
		return -1;
	*ret_over = options->preflight;
	if (options->preflight || options->dry_run == CMD_DRY_RUN_NONE)
		return 0;
	*ret_over = true;
	if (deploy_apply(deploying, plan, false, err) < 0)
		return -1;
	if (restarts && deploy_show_steps(deploying, err) < 0)
		return -1;
	return deploy_scale(deploying, plan, err);
}

/* Servers that run, and a template that they are not of: the engine replaces them, if it can. */
static int carry_out(struct deploying *deploying, struct deploy_plan *plan, bool restarts, bool *ret_rolled,
                     struct err *err)
{
	*ret_rolled = false;
	if (restarts && deploy_can_roll(deploying, plan->sets.items[0], ret_rolled, err) < 0)
		return -1;
	return *ret_rolled ? deploy_roll(deploying, plan, err) : deploy_apply(deploying, plan, false, err);
}

/* What takes waiting is not begun by who does not wait. */
static int check_wait(const struct deploying *deploying, const struct deploy_plan *plan, bool restarts, struct err *err)
{
	const struct deploy_options *options = deploying->options;
	const char *what = NULL;

	if (options->wait)
		return 0;
	if (restarts)
		what = "this replaces servers, one at a time";
	else if (plan->exists && options->replicas)
		what = "--replicas of a cluster that exists is reached one server at a time";
	else if (plan->sets_up_acls && (!plan->exists || plan->new_secrets || options->reset_acls))
		what = "ACLs are bootstrapped as soon as there is a leader";
	if (!what)
		return 0;
	err_set(err, ERR_REFUSED, "%s, which takes waiting", what);
	return err_hint(err, "leave --wait=false out");
}

/* As scale has it, before anything else is changed. */
static int check_size(const struct deploying *deploying, const struct deploy_plan *plan, struct err *err)
{
	int64_t wanted = deploying->options->replicas;
	const struct apply_object *set = deploy_plan_set(plan);
	_cleanup_free_ char *words = NULL, *command = NULL;

	if (!plan->exists || !wanted || json_int_at(set->live, "spec.replicas", 1) == wanted ||
	    (wanted >= 3 && wanted % 2 == 1))
		return 0;
	words = xasprintf("scale %" PRId64 " --force", wanted);
	command = again_command(deploying->context, &deploying->connection, plan->sets.items[0], words);
	err_set(err, ERR_REFUSED, "statefulset.apps/%s: %" PRId64 " servers are no odd number of at least 3",
	        plan->sets.items[0], wanted);
	return err_hint(err, "if it has to be: %s", command);
}

/*
 * There is no plan, since something may not be read or is somebody else's: whatever else is wrong is told as well.
 * Always -1.
 */
static int tell_all_that_is_wrong(struct deploying *deploying, struct err *failure, struct err *err)
{
	const struct deploy_options *options = deploying->options;
	struct deploy_plan plan = DEPLOY_PLAN_INIT;
	struct err problems = ERR_INIT;
	size_t at_least = failure->kind == ERR_FORBIDDEN ? ONE : MORE_THAN_ONE;
	bool may_be_more =
	    failure->kind == ERR_FORBIDDEN || failure->kind == ERR_NOT_FOUND || failure->kind == ERR_REFUSED;

	if (may_be_more && options->files.count == 0 && !options->rollback && !options->skip_preflight &&
	    deploy_plan_blindly(deploying->connection.client, &deploying->request,
	                        clock_monotonic_ms() + DEPLOY_APPLY_TIMEOUT_MS, &plan, &problems) == 0 &&
	    deploy_preflight(deploying, &plan, false, at_least, &problems) < 0 && problems.kind == ERR_REFUSED &&
	    failure->kind != ERR_REFUSED) {
		err_release(failure);
		err_move(failure, &problems);
	}
	err_release(&problems);
	deploy_plan_release(&plan);
	return err_move(err, failure);
}

/* What is left when everything is applied, and servers were replaced. */
static int finish(struct deploying *deploying, struct deploy_plan *plan, bool rolled, bool *ret_again,
                  int *ret_exit_code, struct err *err)
{
	if (!deploying->options->wait) {
		tell_next(deploying, plan);
		return 0;
	}
	*ret_again = plan->unfinished;
	/* No go begins before all servers are where the last one led. */
	if (plan->unfinished)
		return rolled ? 0 : wait_for_plan(deploying, plan, ret_exit_code, err);
	if (deploy_scale(deploying, plan, err) < 0)
		return -1;
	claim_give_back(deploying->context, &deploying->connection, TAKE(deploying->lease));
	return wait_for_plan(deploying, plan, ret_exit_code, err);
}

/* Whether servers would be replaced; what the API server refuses shows here, unless nothing is to be sent to it. */
static int try_plan(struct deploying *deploying, struct deploy_plan *plan, bool *ret_restarts, struct err *err)
{
	const struct deploy_options *options = deploying->options;

	if (options->files.count > 0 || option_was_given(deploying->context->words, "output"))
		return 0;
	if (options->dry_run == CMD_DRY_RUN_CLIENT) {
		*ret_restarts = deploy_would_restart(plan);
		return 0;
	}
	return deploy_try(deploying->connection.client, plan, options->force_conflicts || options->rollback,
	                  clock_monotonic_ms() + DEPLOY_APPLY_TIMEOUT_MS, ret_restarts, err);
}

/* One plan; *ret_again: the same request has to be planned once more. */
static int deploy_once(struct deploying *deploying, struct deploy_plan *plan, bool *ret_again, int *ret_exit_code,
                       struct err *err)
{
	bool restarts = false, over = false, rolled = false;
	struct err failure = ERR_INIT;

	if (make_plan(deploying, plan, &failure) < 0)
		return tell_all_that_is_wrong(deploying, &failure, err);
	warn(deploying, plan);
	if (try_plan(deploying, plan, &restarts, err) < 0)
		return -1;
	if (show(deploying, plan, restarts, &over, err) < 0)
		return -1;
	if (over)
		return 0;
	if (check_wait(deploying, plan, restarts, err) < 0 || check_size(deploying, plan, err) < 0)
		return -1;
	/*
	 * Planned again with the Lease held: whoever had it may have changed what this plan was made from. That goes
	 * for what restarts nobody, too: it would undo another's upgrade, or the bootstrap_expect of a scale, half way.
	 */
	if (plan->exists && !deploying->lease) {
		*ret_again = true;
		return deploy_take_lease(deploying, plan->sets.items[0], err);
	}
	if (carry_out(deploying, plan, restarts, &rolled, err) < 0)
		return -1;
	return finish(deploying, plan, rolled, ret_again, ret_exit_code, err);
}

static int deploy(struct deploying *deploying, int *ret_exit_code, struct err *err)
{
	const struct deploy_options *options = deploying->options;
	bool again;

	if (options->rotate_certs || options->rotate_authority || options->rotate_gossip_key)
		return deploy_rotate(deploying, ret_exit_code, err);
	do {
		struct deploy_plan plan = DEPLOY_PLAN_INIT;
		int status;

		again = false;
		status = deploy_once(deploying, &plan, &again, ret_exit_code, err);
		deploy_plan_release(&plan);
		if (status < 0)
			return -1;
	} while (again);
	return 0;
}

static int run_deploy(const struct cmd_context *context, int *ret_exit_code, struct err *err)
{
	struct deploying deploying = {
		.context = context,
		.options = context->options,
		.connection = CONNECTION_INIT,
		.inputs = DEPLOY_INPUTS_INIT,
	};
	int64_t now_s = clock_wall_s();
	int status = deploy_options_check(context, err);

	if (status == 0)
		status = deploy_inputs_read(context, now_s, &deploying.inputs, err);
	if (status == 0)
		status = connect_open(context, &deploying.connection, err);
	if (status == 0) {
		deploy_options_request(context, deploying.connection.config.namespace_name, &deploying.inputs, now_s,
		                       &deploying.request);
		status = deploy(&deploying, ret_exit_code, err);
	}
	claim_give_back(context, &deploying.connection, deploying.lease);
	deploy_inputs_release(&deploying.inputs);
	connection_release(&deploying.connection);
	return status;
}

const struct command cmd_deploy = {
	.name = "deploy",
	.group = "Cluster",
	.summary = "Make a cluster of Consul servers, or bring one up to date",
	.also = "install create apply upgrade update rollback rotate init",
	.description =
	    "Makes everything that a cluster of Consul servers needs: ServiceAccount, Secrets, ConfigMap, headless "
	    "Service, client Service, PodDisruptionBudget, StatefulSet. Then waits until every server is a voter, and "
	    "shows the health. Before the first change it looks at all that could go wrong (rights, storage, old data, "
	    "owners, Pod Security, nodes, image), and says all of it at once; --preflight does only that.\n\n"
	    "Gossip, RPC and the HTTP API are encrypted. Clients use the Service NAME-client: HTTPS on port 8501 with "
	    "the "
	    "certificate of the authority (ca.crt in the Secret NAME-tls), DNS on port 8600. With --acls nobody sees "
	    "anything without a token; the management token is in the Secret NAME-acl-bootstrap, where the other "
	    "commands find it. Keys, certificates and tokens are made once, here, and kept in Secrets only.\n\n"
	    "Run again it changes what differs, and says unchanged of everything else. Options that are not given "
	    "mean: "
	    "as it is. Where a change needs it, servers are replaced: one at a time, the leader last, each a stable "
	    "voter "
	    "in the eyes of all others before the next, under the rules of `kubectl consul scale`. Everything else "
	    "restarts nobody; --diff tells beforehand. A server that does not come back stops it, with the reason. A "
	    "run "
	    "that was stopped anywhere is started again and goes on; --rollback, or the same command with the old "
	    "image, "
	    "goes back.\n\n"
	    "TLS is turned on (--tls) or off (--no-tls) for servers that run in three goes, since servers with and "
	    "without do not understand each other. ACLs are there from the start or not at all. --rotate-certs, "
	    "--rotate-ca and --rotate-gossip-key restart nobody; clients outside of this StatefulSet "
	    "need a new authority's certificate before its second turn: stop it after the first, and run it again.\n\n"
	    "While it waits for a new cluster it deletes pods that an earlier template made and that never ran (an "
	    "image "
	    "that cannot be pulled, no node), one at a time: Kubernetes would wait for them for ever. New servers that "
	    "each found only themselves are joined.\n\n"
	    "Exit codes: 0 deployed and HEALTHY, 2 or 3 deployed but CRITICAL or DEGRADED, 1 it failed, 4 refused by a "
	    "rule or by the preflight, 124 not all servers were voters in time (what was applied stays), 130 "
	    "interrupted.",
	.examples = "# Three servers in namespace consul, with ACLs\n"
	            "kubectl create namespace consul\n"
	            "kubectl consul deploy -n consul --acls\n"
	            "\n"
	            "# What would be made? Could anything go wrong?\n"
	            "kubectl consul deploy -n consul -o yaml\n"
	            "kubectl consul deploy -n consul --preflight\n"
	            "\n"
	            "# Another version, one server at a time; what would change; and back\n"
	            "kubectl consul deploy -n consul --image hashicorp/consul:1.21.1 --diff\n"
	            "kubectl consul deploy -n consul --image hashicorp/consul:1.21.1\n"
	            "kubectl consul deploy -n consul --rollback\n"
	            "\n"
	            "# TLS for a cluster that runs without; a new certificate; another authority\n"
	            "kubectl consul deploy -n consul --tls\n"
	            "kubectl consul deploy -n consul --rotate-certs\n"
	            "kubectl consul deploy -n consul --rotate-certs --tls-ca-cert ca.pem --tls-ca-key ca-key.pem\n"
	            "\n"
	            "# Your own files, waited for in the same way\n"
	            "kubectl consul deploy -n consul -f petset/",
	.options = deploy_option_table,
	.options_size = sizeof(struct deploy_options),
	.run = run_deploy,
};
