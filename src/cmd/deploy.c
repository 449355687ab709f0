/* `kubectl consul deploy`: what is wanted and what exists become objects, which are applied, and waited for. */
#include "cmd/cmd.h"
#include "cmd/connect.h"
#include "cmd/deploy_wait.h"
#include "consul/deploy.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/* Reading and applying all objects. */
#define APPLY_TIMEOUT_MS ((int64_t)60 * 1000)
/* Waiting, when --timeout does not say. */
#define WAIT_TIMEOUT_MS ((int64_t)300 * 1000)

enum deploy_output { DEPLOY_OUTPUT_YAML, DEPLOY_OUTPUT_JSON };

static const char *const deploy_output_choices[] = { "yaml", "json", NULL };

struct deploy_options {
	int64_t replicas;
	const char *image;
	const char *storage_size;
	const char *storage_class;
	const char *datacenter;
	struct strv files;
	bool wait;
	bool force_conflicts;
	enum cmd_dry_run dry_run;
	enum deploy_output output;
};

static const struct option deploy_option_table[] = {
	{ .name = "replicas",
	  .kind = OPTION_INT,
	  OPTION_AT(struct deploy_options, replicas),
	  .min = 1,
	  .max = MANIFEST_REPLICAS_MAX,
	  .value_name = "N",
	  .help = "Number of servers of a new cluster: 3 (the default) or 5. Of one that exists `kubectl consul "
	          "scale` changes it." },
	{ .name = "image",
	  .kind = OPTION_STRING,
	  OPTION_AT(struct deploy_options, image),
	  .value_name = "IMAGE",
	  .help =
	      "Image of the servers; " MANIFEST_IMAGE " for a new cluster, and what they run for one that exists." },
	{ .name = "storage-size",
	  .kind = OPTION_STRING,
	  OPTION_AT(struct deploy_options, storage_size),
	  .value_name = "SIZE",
	  .help =
	      "Size of each server's volume; " MANIFEST_STORAGE_SIZE " for a new cluster. Cannot be changed later." },
	{ .name = "storage-class",
	  .kind = OPTION_STRING,
	  OPTION_AT(struct deploy_options, storage_class),
	  .value_name = "NAME",
	  .help = "StorageClass of the volumes; the cluster's default one if not given. Cannot be changed later." },
	{ .name = "datacenter",
	  .kind = OPTION_STRING,
	  OPTION_AT(struct deploy_options, datacenter),
	  .value_name = "NAME",
	  .help =
	      "Consul's name of the datacenter; " MANIFEST_DATACENTER " for a new cluster. Cannot be changed later." },
	{ .name = "filename",
	  .letter = 'f',
	  .kind = OPTION_LIST,
	  OPTION_AT(struct deploy_options, files),
	  .value_name = "FILE",
	  .help = "Apply the objects in this file or directory instead of the built-in ones, and wait for their Consul "
	          "servers "
	          "the same way. YAML or JSON, several documents, - for standard input. May be given several times." },
	{ .name = "wait",
	  .kind = OPTION_FLAG,
	  OPTION_AT(struct deploy_options, wait),
	  .default_text = "true",
	  .help = "Wait until every server is a voter, at most --timeout (5m unless given), then show the health." },
	{ .name = "force-conflicts",
	  .kind = OPTION_FLAG,
	  OPTION_AT(struct deploy_options, force_conflicts),
	  .help = "Take over fields that somebody else set to something else. The number of servers stays as it is." },
	CMD_OPTION_DRY_RUN(struct deploy_options, dry_run),
	{ .name = "output",
	  .letter = 'o',
	  .kind = OPTION_CHOICE,
	  OPTION_AT(struct deploy_options, output),
	  .choices = deploy_output_choices,
	  .wrong_choice = CMD_WRONG_OUTPUT("json, yaml"),
	  .help = "Print exactly what would be applied, as yaml or json, and apply nothing. For a new cluster this "
	          "holds its gossip "
	          "key; of one that exists the Secret is not touched, and left out." },
	{ 0 },
};

/* Options that say what the built-in objects look like. */
static int check_combination(const struct cmd_context *context, struct err *err)
{
	static const char *const built_in[] = { "replicas",      "image",      "storage-size",
		                                "storage-class", "datacenter", "name" };
	const struct deploy_options *options = context->options;

	for (size_t i = 0; options->files.count > 0 && i < ARRAY_SIZE(built_in); i++)
		if (option_was_given(context->words, built_in[i]))
			return err_set(err, ERR_USAGE, "--%s cannot be used with -f: the files say it", built_in[i]);
	return 0;
}

static int make_plan(const struct cmd_context *context, struct connection *connection, struct deploy_plan *plan,
                     struct err *err)
{
	const struct deploy_options *options = context->options;
	const char *namespace_name = connection->config.namespace_name;
	int64_t deadline_ms = clock_monotonic_ms() + APPLY_TIMEOUT_MS;
	struct deploy_request request = {
		.namespace_name = namespace_name,
		.name = context->global->name,
		.image = options->image,
		.datacenter = options->datacenter,
		.storage_size = options->storage_size,
		.storage_class = options->storage_class,
		.replicas = options->replicas,
	};

	if (options->files.count > 0) {
		if (deploy_files_read(&options->files, namespace_name, &plan->objects, err) < 0)
			return -1;
		return deploy_plan_files(connection->client, namespace_name, deadline_ms, plan, err);
	}
	if (deploy_check(&request, err) < 0)
		return -1;
	return deploy_plan(connection->client, &request, deadline_ms, plan, err);
}

static void print_plan(const struct cmd_context *context, const struct deploy_plan *plan)
{
	const struct deploy_options *options = context->options;
	char *text = options->output == DEPLOY_OUTPUT_JSON ? deploy_plan_json(plan) : deploy_plan_yaml(plan);

	if (plan->new_gossip_key)
		fputs("Warning: the output holds a new gossip key: keep it like a password\n", context->messages);
	fputs(text, context->output);
	free_secret(text);
}

static const char *dry_run_words(enum cmd_dry_run dry_run)
{
	switch (dry_run) {
	case CMD_DRY_RUN_CLIENT:
		return " (dry run)";
	case CMD_DRY_RUN_SERVER:
		return " (server dry run)";
	case CMD_DRY_RUN_NONE:
		break;
	}
	return "";
}

static int apply_plan(const struct cmd_context *context, struct connection *connection, struct deploy_plan *plan,
                      bool quiet, struct err *err)
{
	static const enum apply_mode modes[] = { [CMD_DRY_RUN_NONE] = APPLY_FOR_REAL,
		                                 [CMD_DRY_RUN_CLIENT] = APPLY_ON_CLIENT,
		                                 [CMD_DRY_RUN_SERVER] = APPLY_ON_SERVER };
	const struct deploy_options *options = context->options;
	struct apply_options apply = {
		.mode = modes[options->dry_run],
		.force_conflicts = options->force_conflicts,
		.deadline_ms = clock_monotonic_ms() + APPLY_TIMEOUT_MS,
	};

	for (size_t i = 0; i < plan->objects.count; i++) {
		struct apply_object *object = &plan->objects.items[i];

		if (apply_send(connection->client, object, &apply, err) < 0)
			return -1;
		if (!quiet)
			fprintf(context->output, "%s %s%s\n", object->resource, apply_change_name(object->change),
			        dry_run_words(options->dry_run));
	}
	fflush(context->output);
	return 0;
}

static int wait_for_plan(const struct cmd_context *context, struct connection *connection,
                         const struct deploy_plan *plan, int *ret_exit_code, struct err *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + global_timeout_ms(context->global, WAIT_TIMEOUT_MS);

	for (size_t i = 0; i < plan->sets.count; i++) {
		int exit_code = 0;

		if (deploy_wait(context, connection, plan->sets.items[i], deadline_ms, &exit_code, err) < 0)
			return -1;
		if (*ret_exit_code == 0 || exit_code == CMD_EXIT_CRITICAL)
			*ret_exit_code = exit_code;
	}
	return 0;
}

static void tell_next(const struct cmd_context *context, const struct connection *connection,
                      const struct deploy_plan *plan)
{
	for (size_t i = 0; i < plan->sets.count; i++)
		fprintf(context->messages, "To wait for it: %s health --wait -n %s --name %s\n", context->program->name,
		        connection->config.namespace_name, plan->sets.items[i]);
}

static int deploy(const struct cmd_context *context, struct connection *connection, struct deploy_plan *plan,
                  int *ret_exit_code, struct err *err)
{
	const struct deploy_options *options = context->options;
	bool print_only = option_was_given(context->words, "output");

	if (make_plan(context, connection, plan, err) < 0)
		return -1;
	for (size_t i = 0; i < plan->warnings.count; i++)
		fprintf(context->messages, "Warning: %s\n", plan->warnings.items[i]);
	if (print_only) {
		if (options->dry_run == CMD_DRY_RUN_SERVER && apply_plan(context, connection, plan, true, err) < 0)
			return -1;
		print_plan(context, plan);
		return 0;
	}
	if (apply_plan(context, connection, plan, false, err) < 0)
		return -1;
	if (options->dry_run != CMD_DRY_RUN_NONE)
		return 0;
	if (options->wait)
		return wait_for_plan(context, connection, plan, ret_exit_code, err);
	tell_next(context, connection, plan);
	return 0;
}

static int run_deploy(const struct cmd_context *context, int *ret_exit_code, struct err *err)
{
	struct connection connection = CONNECTION_INIT;
	struct deploy_plan plan = DEPLOY_PLAN_INIT;
	int status = check_combination(context, err);

	if (status == 0)
		status = connect_open(context, &connection, err);
	if (status == 0)
		status = deploy(context, &connection, &plan, ret_exit_code, err);
	deploy_plan_release(&plan);
	connection_release(&connection);
	return status;
}

const struct command cmd_deploy = {
	.name = "deploy",
	.group = "Cluster",
	.summary = "Make a cluster of Consul servers, or bring one up to date",
	.description =
	    "Makes everything that a cluster of Consul servers needs, in this order: ServiceAccount, Secret "
	    "with the gossip key, "
	    "ConfigMap, headless Service, client Service, PodDisruptionBudget, StatefulSet. Then waits "
	    "until every server is a "
	    "voter, and shows the health.\n\n"
	    "Run again it changes what differs, and says unchanged of everything else. Options that are not "
	    "given mean: as it is. "
	    "The gossip key is made once. The number of servers of an existing cluster is changed by `kubectl "
	    "consul scale`, not here.\n\n"
	    "While it waits it deletes pods that an earlier template made and that never ran (an image that "
	    "cannot be pulled, no "
	    "node), one at a time: Kubernetes would wait for them for ever. A pod whose Consul has run, or that "
	    "any server knows as a "
	    "raft peer, is never deleted. This needs `delete` on pods, and only then. New servers "
	    "that each found only themselves, and so would wait for each other for ever, are joined.\n\n"
	    "Clients use the Service NAME-client: HTTP API on port 8500, DNS on port 8600.\n\n"
	    "Exit codes: 0 deployed and HEALTHY, 2 or 3 deployed but CRITICAL or DEGRADED, 1 it failed, 4 "
	    "refused, 124 not all "
	    "servers were voters in time (what was applied stays), 130 interrupted.",
	.examples = "# Three servers in namespace consul\n"
	            "kubectl create namespace consul\n"
	            "kubectl consul deploy -n consul\n"
	            "\n"
	            "# What would be made? And would the API server take it?\n"
	            "kubectl consul deploy -n consul -o yaml\n"
	            "kubectl consul deploy -n consul --dry-run=server\n"
	            "\n"
	            "# Another version, one server at a time\n"
	            "kubectl consul deploy -n consul --image hashicorp/consul:1.21.1\n"
	            "\n"
	            "# Your own files\n"
	            "kubectl consul deploy -n consul -f manifests/",
	.options = deploy_option_table,
	.options_size = sizeof(struct deploy_options),
	.run = run_deploy,
};
