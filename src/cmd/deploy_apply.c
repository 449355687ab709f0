/* Sending a plan's objects, or showing what that would do: see include/cmd/deploy_parts.h. */
#include <stdlib.h>

#include "cmd/deploy_parts.h"
#include "cmd/difference_screen.h"
#include "cmd/preflight_screen.h"
#include "consul/difference.h"
#include "consul/preflight.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

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

static struct apply_options apply_options_of(const struct deploying *deploying, enum apply_mode mode)
{
	return (struct apply_options){
		.mode = mode,
		/* Going back means the template as it was, whoever changed it since. */
		.force_conflicts = deploying->options->force_conflicts || deploying->options->rollback,
		.deadline_ms = clock_monotonic_ms() + DEPLOY_APPLY_TIMEOUT_MS,
	};
}

int deploy_apply(struct deploying *deploying, struct deploy_plan *plan, bool quiet, struct err *err)
{
	static const enum apply_mode modes[] = { [CMD_DRY_RUN_NONE] = APPLY_FOR_REAL,
		                                 [CMD_DRY_RUN_CLIENT] = APPLY_ON_CLIENT,
		                                 [CMD_DRY_RUN_SERVER] = APPLY_ON_SERVER };
	const struct cmd_context *context = deploying->context;
	enum cmd_dry_run dry_run = deploying->options->dry_run;
	struct apply_options options = apply_options_of(deploying, modes[dry_run]);

	for (size_t i = 0; i < plan->objects.count; i++) {
		struct apply_object *object = &plan->objects.items[i];

		if (deploy_keep_lease(deploying, err) < 0 ||
		    apply_send(deploying->connection.client, object, &options, err) < 0)
			return -1;
		if (!quiet && !(deploying->applied && object->change == APPLY_UNCHANGED)) {
			_cleanup_free_ char *shown = str_visible(object->resource, 0);

			fprintf(context->output, "%s %s%s\n", shown, apply_change_name(object->change),
			        dry_run_words(dry_run));
		}
	}
	fflush(context->output);
	deploying->applied = dry_run == CMD_DRY_RUN_NONE;
	return 0;
}

void deploy_print(const struct deploying *deploying, const struct deploy_plan *plan)
{
	const struct cmd_context *context = deploying->context;
	bool json = deploying->options->output == DEPLOY_OUTPUT_JSON;
	char *text;

	if (deploying->options->output == DEPLOY_OUTPUT_NAME) {
		for (size_t i = 0; i < plan->objects.count; i++)
			fprintf(context->output, "%s\n", plan->objects.items[i].resource);
		return;
	}
	text = json ? deploy_plan_json(plan) : deploy_plan_yaml(plan);
	if (plan->new_secrets)
		fputs("Warning: the output holds new keys: keep it like a password\n", context->messages);
	if (plan->sets_up_acls && !plan->exists)
		fputs("Warning: whoever applies this has to run deploy once more: it bootstraps the ACLs\n",
		      context->messages);
	fputs(text, context->output);
	free_secret(text);
}

/* ------------------------------------------------------------------------------------------- --diff */

/*
 * Which pods are not of the template that the set has now, or (changes) would have. next: the revision it would be
 * then; NULL: a new one, that no pod is of.
 */
static int list_old(struct deploying *deploying, const char *set_name, bool changes, const char *next,
                    struct strv *names, struct err *err)
{
	struct snapshot snapshot = SNAPSHOT_INIT;
	int status = deploy_look(deploying, set_name, &snapshot, err);

	for (size_t i = 0; status == 0 && i < snapshot.server_count; i++) {
		const struct server *server = &snapshot.servers[i];
		const char *newest = changes ? next : snapshot.set.update_revision;

		if (server->has_pod && (!newest || !str_equal(server->pod.revision, newest)))
			strv_take(names, str_visible(server->name, 0));
	}
	snapshot_release(&snapshot);
	return status;
}

static int tell_restarts(struct deploying *deploying, const struct deploy_plan *plan, const struct apply_object *set,
                         struct err *err)
{
	const char *name = json_string_at(set->json, "metadata.name");
	FILE *output = deploying->context->output;
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;

	if (!set->live || !strv_contains(&plan->sets, name))
		return 0;
	if (list_old(deploying, name, difference_restarts(set->live, set->result), plan->going_back_to, &names, err) <
	    0)
		return -1;
	list = strv_join(&names, ", ", " and ");
	if (names.count == 0)
		fputs("no server is restarted\n", output);
	else
		fprintf(output, "to be replaced, one at a time, the leader last: %s\n", list);
	if (plan->unfinished)
		fputs("and again after that, until TLS is as it is wanted\n", output);
	return 0;
}

static int tell_all_restarts(struct deploying *deploying, const struct deploy_plan *plan, struct err *err)
{
	for (size_t i = 0; i < plan->objects.count; i++) {
		const struct apply_object *object = &plan->objects.items[i];

		if (str_equal(json_string_at(object->json, "kind"), "StatefulSet") &&
		    tell_restarts(deploying, plan, object, err) < 0)
			return -1;
	}
	return 0;
}

int deploy_show_difference(struct deploying *deploying, struct deploy_plan *plan, struct err *err)
{
	const struct cmd_context *context = deploying->context;
	struct apply_options options = apply_options_of(deploying, APPLY_ON_SERVER);
	_cleanup_buf_ struct buf text = { .max = BUF_TEXT_MAX };
	_cleanup_buf_ struct buf screen = { .max = BUF_TEXT_MAX };
	bool differs = false;

	for (size_t i = 0; i < plan->objects.count; i++) {
		struct apply_object *object = &plan->objects.items[i];

		if (object->create_only && object->live)
			continue;
		if (apply_send(deploying->connection.client, object, &options, err) < 0)
			return -1;
		if (object->create_only && !object->result) {
			fprintf(context->messages, "%s is there, and may not be read: it stays\n", object->resource);
			continue;
		}
		differs |= difference_add(object->resource, object->live, object->result, &text);
	}
	difference_screen_add(buf_text(&text), &context->output_term, &screen);
	fputs(buf_text(&screen), context->output);
	if (!differs)
		fputs("no object would change\n", context->output);
	return tell_all_restarts(deploying, plan, err);
}

/* -------------------------------------------------------------------------------------- --preflight */

/* What is told of a deploy that goes on. */
static void keep_problems(struct preflight *preflight)
{
	size_t kept = 0;

	for (size_t i = 0; i < preflight->count; i++) {
		struct preflight_check item = preflight->items[i];

		if (item.outcome != PREFLIGHT_PROBLEM) {
			free(item.text);
			free(item.hint);
			free(item.paste);
			continue;
		}
		preflight->items[kept++] = item;
	}
	preflight->count = kept;
}

static size_t count_problems(const struct preflight *preflight)
{
	size_t problems = 0;

	for (size_t i = 0; i < preflight->count; i++)
		problems += preflight->items[i].outcome == PREFLIGHT_PROBLEM;
	return problems;
}

#define NO_PROBLEM "no problem was found, and nothing was written; without --preflight it is deployed"

static int refuse(size_t problems, struct err *err)
{
	return err_set(err, ERR_REFUSED, "%zu problem%s found before the first change; nothing was written", problems,
	               problems == 1 ? " was" : "s were");
}

int deploy_preflight(struct deploying *deploying, const struct deploy_plan *plan, bool restarts, size_t at_least,
                     struct err *err)
{
	const struct cmd_context *context = deploying->context;
	const struct deploy_options *options = deploying->options;
	bool all = options->preflight;
	struct preflight found = PREFLIGHT_INIT;
	struct preflight_request request = {
		.namespace_name = deploying->connection.config.namespace_name,
		.name = plan->sets.count > 0 ? plan->sets.items[0] : context->global->name,
		.objects = &plan->objects,
		.acls = plan->acls,
		.exists = plan->exists,
		.restarts = restarts,
		.blind = plan->blind,
		.scales = plan->exists && options->replicas > 0,
	};
	_cleanup_buf_ struct buf screen = BUF_TEXT;
	size_t problems;
	int status = preflight(deploying->connection.client, &request, clock_monotonic_ms() + DEPLOY_APPLY_TIMEOUT_MS,
	                       &found, err);

	if (status == 0) {
		problems = count_problems(&found);
		if (!all)
			keep_problems(&found);
		preflight_screen(&found, all ? &context->output_term : &context->messages_term, &screen);
		if (all && problems == 0) {
			buf_addc(&screen, '\n');
			term_add_wrapped(&screen, NO_PROBLEM, term_prose_width(&context->output_term), "");
			buf_addc(&screen, '\n');
		}
		if (all || problems >= at_least)
			fputs(buf_text(&screen), all ? context->output : context->messages);
		status = problems >= at_least ? refuse(problems, err) : 0;
	}
	preflight_release(&found);
	return status;
}
