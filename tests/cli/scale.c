/* `scale`: the plan and its arithmetic, what is refused, the question, the lease, and a change from end to end. */
#include "cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "../support/cluster_changes.h"
#include "util/mem.h"
#include "util/str.h"

#define PATIENCE_MS 20000

#define WELL                                                                                                           \
	{                                                                                                              \
		.leaves_on_term = true                                                                                 \
	}
/* A place that a server may come to. */
#define FREE                                                                                                           \
	{                                                                                                              \
		.no_pod = true, .member = '-', .peer = '-'                                                             \
	}

static const struct cluster_server three_of_five[] = { WELL, WELL, WELL, FREE, FREE };
static const struct cluster_server five[] = { WELL, WELL, WELL, WELL, WELL };

/* ------------------------------------------------------------------------------------------ the plan */

struct plan_case {
	const char *name;
	const char *words[6];
	struct cluster_server servers[5];
	size_t count;
	int replicas;
	int leader;
	int64_t min_quorum;
	int exit_code;
	const char *says[6];
	const char *lacks;
};

static const struct plan_case cases[] = {
	{ .name = "3 to 5",
	  .words = { "scale", "5", "--dry-run" },
	  .servers = { WELL, WELL, WELL },
	  .count = 3,
	  .says = { "consul/consul  3/3 voters · leader consul-0 · tolerates 1 failure\nSTEP",
	            "\n1      replicas 3 -> 4: consul-3 joins   3 -> 4   2 -> 3   1 -> 1\n",
	            "\n2      replicas 4 -> 5: consul-4 joins   4 -> 5   3 -> 3   1 -> 2\n",
	            "\n3      autopilot's min_quorum 0 -> 3     5        3        2\n",
	            "\ndry run: nothing was changed\n" } },
	{ .name = "5 to 3",
	  .words = { "scale", "--dry-run=client", "--replicas=3" },
	  .servers = { WELL, WELL, WELL, WELL, WELL },
	  .count = 5,
	  .says = { "5/5 voters", "5 -> 4: consul-4 leaves and stops   5 -> 4   3 -> 3   2 -> 1\n",
	            "4 -> 3: consul-3 leaves and stops   4 -> 3   3 -> 2   1 -> 1\n", "note: ", "data-consul-3",
	            "dry run" },
	  .lacks = "hands leadership over" },
	{ .name = "the leader is among those that go",
	  .words = { "scale", "3", "--replicas", "3", "--dry-run" },
	  .servers = { { .version = "1.15.2", .leaves_on_term = true },
	               { .version = "1.15.2", .leaves_on_term = true },
	               { .version = "1.15.2", .leaves_on_term = true },
	               { .version = "1.15.2", .leaves_on_term = true },
	               { .version = "1.15.2", .leaves_on_term = true } },
	  .count = 5,
	  .leader = 5,
	  .says = { "leader consul-4", "1      consul-4 hands leadership over", "5        3        2\n",
	            "\n3      replicas 4 -> 3" } },
	{ .name = "two of a foreign cluster",
	  .words = { "scale", "1", "--dry-run", "--force" },
	  .servers = { { 0 }, { 0 }, { 0 } },
	  .count = 3,
	  .says = { "3 -> 2   2 -> 2   1 -> 0\n", "2 -> 1   2 -> 1   0 -> 0\n",
	            "note: 1 server tolerates no failure" } },
	{ .name = "an even number",
	  .words = { "scale", "4", "--dry-run" },
	  .servers = { WELL, WELL, WELL },
	  .count = 3,
	  .exit_code = 4,
	  .says = { "refused: 4 servers tolerate no more failures than 3 do (rule: ", "hint: ", "--force" },
	  .lacks = "STEP" },
	{ .name = "an even number by force",
	  .words = { "scale", "4", "--dry-run", "--force" },
	  .servers = { WELL, WELL, WELL },
	  .count = 3,
	  .says = { "replicas 3 -> 4: consul-3 joins   3 -> 4   2 -> 3   1 -> 1\n" } },
	{ .name = "nothing to do",
	  .words = { "scale", "3" },
	  .servers = { WELL, WELL, WELL },
	  .count = 3,
	  .min_quorum = 2,
	  .says = { "consul/consul has 3 servers, all of them voters: nothing to do\n" },
	  .lacks = "STEP" },
	{ .name = "a rolling update is under way",
	  .words = { "scale", "5", "--yes" },
	  .servers = { WELL, WELL, { .old = true, .leaves_on_term = true } },
	  .count = 3,
	  .exit_code = 4,
	  .says = { "refused: a rolling update is under way", "hint: kubectl rollout status" },
	  .lacks = "STEP" },
	{ .name = "a server is still on its way",
	  .words = { "scale", "3", "--dry-run" },
	  .servers = { WELL, WELL, { .peer = 'n', .leaves_on_term = true } },
	  .count = 3,
	  .says = { "now waiting: consul-2: ", "1      autopilot's min_quorum 0 -> 2 ",
	            "dry run: nothing was changed\n" } },
};

static void run_plan_case(const struct plan_case *c)
{
	struct cluster_options options = { .servers = c->servers,
		                           .count = c->count,
		                           .replicas = c->replicas,
		                           .leader = c->leader,
		                           .min_quorum = c->min_quorum };
	struct cluster *cluster = cluster_start(&options);
	struct cluster_changes changes = { .cluster = cluster };
	struct run_result result;

	cluster_changes_begin(&changes);
	cli_run_on(cluster, c->words, &result);
	cr_assert_eq(result.exit_code, c->exit_code, "%s: %d\n%s%s", c->name, result.exit_code, result.output,
	             result.error_output);
	for (size_t i = 0; i < ARRAY_SIZE(c->says) && c->says[i]; i++)
		cr_assert(strstr(result.output, c->says[i]) || strstr(result.error_output, c->says[i]),
		          "%s: no \"%s\" in\n%s%s", c->name, c->says[i], result.output, result.error_output);
	cr_assert(!c->lacks || !strstr(result.output, c->lacks), "%s: \"%s\" in\n%s", c->name, c->lacks, result.output);
	cr_assert(c->exit_code == 0 || !*result.output, "%s: %s", c->name, result.output);
	cr_assert_eq(cluster_changes_writes(&changes), 0, "%s: something was written", c->name);
	run_result_release(&result);
	cluster_stop(cluster);
	cluster_changes_end(&changes);
}

Test(scale, plans_are_shown_and_nothing_is_written)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_plan_case(&cases[i]);
}

/* An election may be all: it is looked at again for a moment, then refused. */
Test(scale, without_a_leader_nothing_is_begun)
{
	static const struct cluster_server servers[] = { WELL, WELL, WELL };
	struct cluster *cluster =
	    cluster_start(&(struct cluster_options){ .servers = servers, .count = 3, .leader = NO_LEADER });
	struct cluster_changes changes = { .cluster = cluster };
	struct run_result result;

	cluster_changes_begin(&changes);
	cli_run_on(cluster, RUN_ARGV("scale", "5", "--yes", "--via", "tunnel"), &result);
	cr_assert_eq(result.exit_code, 4, "%d %s", result.exit_code, result.error_output);
	cr_assert(strstr(result.error_output, "refused: there is no leader"), "%s", result.error_output);
	cr_assert(strstr(result.error_output, "kubectl consul health -n consul"), "%s", result.error_output);
	cr_assert_str_empty(result.output);
	cr_assert_eq(cluster_changes_writes(&changes), 0);
	run_result_release(&result);
	cluster_stop(cluster);
	cluster_changes_end(&changes);
}

Test(scale, another_name_that_is_used_is_named)
{
	struct cluster_options options = { .count = 3, .set = "store" };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("scale", "5", "--dry-run"), &result);
	cr_assert_eq(result.exit_code, 0, "%s", result.error_output);
	cr_assert(str_starts_with(result.error_output, "Using StatefulSet \"store\""), "%s", result.error_output);
	cr_assert(str_starts_with(result.output, "consul/store  3/3 voters"), "%s", result.output);
	run_result_release(&result);
}

Test(scale, a_plan_fits_a_terminal_of_80_columns)
{
	static const char *const no_color[] = { "NO_COLOR=1", NULL };
	struct cluster *cluster =
	    cluster_start(&(struct cluster_options){ .count = 5, .set = "a-rather-long-name-of-a-cluster" });
	_cleanup_free_ char *kubeconfig = cluster_kubeconfig(cluster);
	struct run_options options = { .argv = RUN_ARGV("scale", "1", "--force", "--dry-run", "--name",
		                                        "a-rather-long-name-of-a-cluster"),
		                       .kubeconfig = kubeconfig,
		                       .environment = no_color,
		                       .terminal = true,
		                       .columns = 80,
		                       .rows = 40 };
	_cleanup_strv_ struct strv lines = STRV_INIT;
	struct run_result result;

	run_program(&options, &result);
	cr_assert_eq(result.exit_code, 0, "%s", result.output);
	cr_assert(strstr(result.output, "STEP") && strstr(result.output, "TOLERATES"), "%s", result.output);
	cr_assert_not(strstr(result.output, "\x1b[3"), "%s", result.output);
	strv_split(&lines, result.output, '\n');
	for (size_t i = 0; i < lines.count; i++)
		cr_assert_leq(strlen(lines.items[i]), 80 + 8, "%s", lines.items[i]); /* bytes, and a sign is some */
	run_result_release(&result);
	cluster_stop(cluster);
}

/* -------------------------------------------------------------------------------------- wrong words */

struct words_case {
	const char *words[6];
	const char *text;
};

Test(scale, what_is_wrong_is_said_before_anything_is_asked)
{
	static const struct words_case wrong[] = {
		{ { "scale" }, "error: the number of servers is required: kubectl consul scale N" },
		{ { "scale", "abc" }, "error: invalid number of servers \"abc\": must be a whole number from 1 to " },
		{ { "scale", "0" }, "error: invalid number of servers \"0\"" },
		{ { "scale", "-3" }, "Error: unknown shorthand flag: '3' in -3" },
		{ { "scale", "3.5" }, "error: invalid number of servers \"3.5\"" },
		{ { "scale", "101" }, "error: invalid number of servers \"101\"" },
		{ { "scale", "5", "3" }, "error: extra arguments: [3]" },
		{ { "scale", "5", "--replicas", "3" }, "error: 5 servers or --replicas=3: one of them is wrong" },
		{ { "scale", "--replicas=0" }, "Error: invalid argument \"0\" for \"--replicas\" flag" },
		{ { "scale", "5", "--dry-run=server" }, "error: Invalid dry-run value (server). Must be \"none\" or" },
		{ { "scale", "5", "--dry-run=x" }, "error: Invalid dry-run value (x). " },
		{ { "scale", "5", "--bogus" }, "Error: unknown flag: --bogus" },
		{ { "scale", "5", "--timeout", "x" }, "error: Invalid timeout value." },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct run_result result;

		cli_run(NULL, wrong[i].words, &result);
		cli_assert_error(&result, 1, wrong[i].text);
		cr_assert(strstr(result.error_output, "See 'kubectl consul scale --help' for usage."), "%s",
		          result.error_output);
		run_result_release(&result);
	}
}

Test(scale, a_file_that_exists_is_not_overwritten)
{
	struct run_result result;

	cli_run(NULL, RUN_ARGV("scale", "5", "--snapshot", "/dev/null"), &result);
	cli_assert_error(&result, 1, "error: --snapshot /dev/null: the file exists already");
	run_result_release(&result);
}

Test(scale, help_tells_of_the_exit_codes)
{
	struct run_result result;

	cli_run(NULL, RUN_ARGV("scale", "-h"), &result);
	cr_assert_eq(result.exit_code, 0);
	cli_assert_says(&result, "4 refused by a safety rule; 124 not done in time; 130 interrupted");
	cli_assert_says(&result, "kubectl consul scale N [options]");
	cli_assert_says(&result, "-y, --yes");
	run_result_release(&result);
}

/* -------------------------------------------------------------------------------------- the question */

/* A cluster of three with two free places, and a program that runs on it. */
struct scene {
	struct cluster *cluster;
	struct cluster_changes changes;
	struct running *running;
	struct run_result result;
};

static void scene_begin(struct scene *scene, const struct cluster_server *servers, int replicas)
{
	scene->cluster =
	    cluster_start(&(struct cluster_options){ .servers = servers, .count = 5, .replicas = replicas });
	scene->changes.cluster = scene->cluster;
	if (!scene->changes.comes_as.peer)
		scene->changes.comes_as = (struct cluster_server)WELL;
	cluster_changes_begin(&scene->changes);
}

static void scene_start(struct scene *scene, const char *const *words, bool terminal)
{
	static const char *const environment[] = { "USER=alice", NULL };
	_cleanup_free_ char *kubeconfig = cluster_kubeconfig(scene->cluster);

	scene->running = run_start(&(struct run_options){ .argv = words,
	                                                  .kubeconfig = kubeconfig,
	                                                  .environment = environment,
	                                                  .terminal = terminal,
	                                                  .timeout_ms = 2 * RUN_TIMEOUT_MS });
}

static void scene_end(struct scene *scene)
{
	run_result_release(&scene->result);
	cluster_stop(scene->cluster);
	cluster_changes_end(&scene->changes);
}

static size_t patches(const struct scene *scene)
{
	return apiserver_count(cluster_api(scene->cluster), "PATCH", "*/scale");
}

Test(scale, nobody_to_ask_and_no_yes_changes_nothing)
{
	struct scene scene = { 0 };

	scene_begin(&scene, three_of_five, 3);
	cli_run_on(scene.cluster, RUN_ARGV("scale", "5"), &scene.result);
	cr_assert_eq(scene.result.exit_code, 1);
	cr_assert(strstr(scene.result.output, "STEP"), "%s", scene.result.output);
	cr_assert(strstr(scene.result.error_output, "error: there is no terminal to ask on, so nothing was changed"));
	cr_assert(strstr(scene.result.error_output, "--yes"), "%s", scene.result.error_output);
	cr_assert_eq(cluster_changes_writes(&scene.changes), 0);
	scene_end(&scene);
}

static void answer_question(const char *typed, int exit_code, const char *says)
{
	struct scene scene = { 0 };

	scene_begin(&scene, three_of_five, 3);
	scene_start(&scene, RUN_ARGV("scale", "5"), true);
	cr_assert(run_wait_output(scene.running, "Do you want to continue? (y/N): ", 1, PATIENCE_MS));
	run_type(scene.running, typed);
	run_finish(scene.running, &scene.result);
	cr_assert_eq(scene.result.exit_code, exit_code, "%d: %s", scene.result.exit_code, scene.result.output);
	cr_assert(strstr(scene.result.output, says), "%s", scene.result.output);
	cr_assert_eq(patches(&scene), 0);
	cr_assert_eq(cluster_changes_writes(&scene.changes), 0);
	scene_end(&scene);
}

Test(scale, any_answer_but_yes_changes_nothing)
{
	answer_question("n\r", 1, "nothing was changed");
	answer_question("\r", 1, "nothing was changed");
	answer_question("yesterday\r", 1, "nothing was changed");
	answer_question("y                  no\r", 1, "nothing was changed");
	answer_question("\x04", 1, "nothing was changed");
	answer_question("\x03", 130, "interrupted: nothing was changed");
}

Test(scale, yes_carries_it_out)
{
	struct scene scene = { 0 };

	scene_begin(&scene, three_of_five, 3);
	scene_start(&scene, RUN_ARGV("scale", "5"), true);
	cr_assert(run_wait_output(scene.running, "Do you want to continue? (y/N): ", 1, PATIENCE_MS));
	run_type(scene.running, "Yes\r");
	run_finish(scene.running, &scene.result);
	cr_assert_eq(scene.result.exit_code, 0, "%d: %s", scene.result.exit_code, scene.result.output);
	cr_assert(strstr(scene.result.output, "step 2 done in "), "%s", scene.result.output);
	cr_assert(strstr(scene.result.output, "consul/consul has 5 servers, all of them voters\r\n"), "%s",
	          scene.result.output);
	cr_assert_eq(patches(&scene), 2);
	cr_assert_str_eq(cluster_changes_holder(&scene.changes), "");
	scene_end(&scene);
}

Test(scale, a_yes_is_no_yes_to_another_plan)
{
	static const struct cluster_server gone = { .no_pod = true, .member = 'f' };
	struct scene scene = { 0 };

	scene_begin(&scene, three_of_five, 3);
	scene_start(&scene, RUN_ARGV("scale", "5"), true);
	cr_assert(run_wait_output(scene.running, "Do you want to continue? (y/N): ", 1, PATIENCE_MS));
	cluster_set_server(scene.cluster, 4, &gone);
	run_type(scene.running, "y\r");
	run_finish(scene.running, &scene.result);
	cr_assert_eq(scene.result.exit_code, 1, "%d: %s", scene.result.exit_code, scene.result.output);
	cr_assert(strstr(scene.result.output, "the cluster has changed since the plan was shown"), "%s",
	          scene.result.output);
	cr_assert_eq(patches(&scene), 0);
	cr_assert_str_eq(cluster_changes_holder(&scene.changes), "");
	scene_end(&scene);
}

/* ------------------------------------------------------------------------------------- end to end */

Test(scale, down_without_a_terminal_each_change_is_a_line)
{
	struct scene scene = { 0 };

	scene_begin(&scene, five, 5);
	scene_start(&scene, RUN_ARGV("scale", "3", "-y"), false);
	run_finish(scene.running, &scene.result);
	cr_assert_eq(scene.result.exit_code, 0, "%d: %s%s", scene.result.exit_code, scene.result.output,
	             scene.result.error_output);
	cr_assert(
	    strstr(scene.result.error_output,
	           " step 1: replicas 5 -> 4: consul-4 leaves and stops (voters 5 -> 4, quorum 3, tolerates 2 -> 1)\n"),
	    "%s", scene.result.error_output);
	cr_assert(strstr(scene.result.error_output, " step 2 done in "), "%s", scene.result.error_output);
	cr_assert(strstr(scene.result.output, "\nconsul/consul has 3 servers, all of them voters\n"), "%s",
	          scene.result.output);
	cr_assert(strstr(scene.result.output, "kubectl delete pvc "), "%s", scene.result.output);
	cr_assert(strstr(scene.result.output, "\nHEALTHY  consul/consul  3/3 voters"), "%s", scene.result.output);
	cr_assert_eq(patches(&scene), 2);
	scene_end(&scene);
}

static void assert_says_how_to_go_on(const struct run_result *result, const char *command)
{
	cr_assert(strstr(result->error_output, command), "no \"%s\" in\n%s", command, result->error_output);
}

Test(scale, a_time_out_says_what_is_under_way_and_how_to_go_on)
{
	struct scene scene = { .changes = { .comes_as = { .peer = 'n', .leaves_on_term = true } } };

	scene_begin(&scene, three_of_five, 3);
	scene_start(&scene, RUN_ARGV("scale", "5", "--yes", "--timeout", "3s"), false);
	run_finish(scene.running, &scene.result);
	cr_assert_eq(scene.result.exit_code, 124, "%d: %s", scene.result.exit_code, scene.result.error_output);
	cr_assert(
	    strstr(scene.result.error_output, "\nbegun: replicas 3 -> 4: consul-3 joins\nKubernetes has done its part"),
	    "%s", scene.result.error_output);
	assert_says_how_to_go_on(&scene.result, "to go on from here: kubectl consul scale 5 -n consul --yes\n");
	cr_assert_str_eq(cluster_changes_holder(&scene.changes), "");
	scene_end(&scene);
}

Test(scale, ctrl_c_ends_in_order_and_gives_the_lease_back)
{
	struct scene scene = { .changes = { .comes_as = { .peer = 'n', .leaves_on_term = true } } };

	scene_begin(&scene, three_of_five, 3);
	scene_start(&scene, RUN_ARGV("scale", "5", "--yes", "--force"), true);
	cr_assert(run_wait_output(scene.running, "waiting: consul-3", 1, PATIENCE_MS));
	run_type(scene.running, "\x03");
	run_finish(scene.running, &scene.result);
	cr_assert_eq(scene.result.exit_code, 130, "%d: %s", scene.result.exit_code, scene.result.output);
	cr_assert(strstr(scene.result.output, "begun: replicas 3 -> 4"), "%s", scene.result.output);
	cr_assert(strstr(scene.result.output, "kubectl consul scale 5 --force -n consul --yes"), "%s",
	          scene.result.output);
	cr_assert_str_eq(cluster_changes_holder(&scene.changes), "");
	scene_end(&scene);
}

Test(scale, what_may_not_be_written_is_named)
{
	struct scene scene = { .changes = { .refuse = "*/scale" } };

	scene_begin(&scene, three_of_five, 3);
	scene_start(&scene, RUN_ARGV("scale", "5", "--yes", "--context", "test"), false);
	run_finish(scene.running, &scene.result);
	cr_assert_eq(scene.result.exit_code, 1, "%d: %s", scene.result.exit_code, scene.result.error_output);
	cr_assert(strstr(scene.result.error_output, "nothing was changed"), "%s", scene.result.error_output);
	cr_assert(strstr(scene.result.error_output, "\"patch\" on \"statefulsets/scale\""), "%s",
	          scene.result.error_output);
	assert_says_how_to_go_on(&scene.result, "kubectl consul scale 5 -n consul --context test --yes\n");
	scene_end(&scene);
}

/* Not only between the steps: a look ends in time, too. */
Test(scale, an_api_server_that_says_nothing_does_not_outlast_the_time)
{
	static const struct apiserver_route silent[] = {
		{ .path = "/apis/apps/v1/*", .answer = { .fault = FAULT_SILENCE } },
		{ 0 },
	};
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .count = 3, .api = { .routes = silent } });
	struct run_result result;

	cli_run_on(cluster, RUN_ARGV("scale", "5", "--yes", "--timeout", "1s"), &result);
	cr_assert_lt(result.wall_ms, 8000, "%ld ms", (long)result.wall_ms);
	cr_assert_eq(result.exit_code, 124, "%d: %s", result.exit_code, result.error_output);
	cr_assert(strstr(result.error_output, "timed out"), "%s", result.error_output);
	cr_assert(strstr(result.error_output, "hint: kubectl consul health -n consul tells what is wrong"), "%s",
	          result.error_output);
	run_result_release(&result);
	cluster_stop(cluster);
}

/* ---------------------------------------------------------------------------------------- the lease */

Test(scale, somebody_else_who_is_at_it_is_told_of_before_the_question)
{
	struct scene scene = { .changes = { .holder = "bob@desk (pid 7, reap)", .renews = true } };

	scene_begin(&scene, three_of_five, 3);
	scene_start(&scene, RUN_ARGV("scale", "5"), true);
	cr_assert(run_wait_output(scene.running, "Do you want to continue? (y/N): ", 1, PATIENCE_MS));
	run_type(scene.running, "n\r");
	run_finish(scene.running, &scene.result);
	cr_assert(strstr(scene.result.output, "\nnote: this cluster is being changed right now by bob@desk (pid 7,"),
	          "%s", scene.result.output);
	cr_assert_eq(cluster_changes_writes(&scene.changes), 0);
	scene_end(&scene);
}

Test(scale, somebody_else_who_is_at_it_is_named)
{
	struct scene scene = { .changes = { .holder = "bob@desk (pid 7, reap)", .renews = true } };

	scene_begin(&scene, three_of_five, 3);
	scene_start(&scene, RUN_ARGV("scale", "5", "--yes"), false);
	run_finish(scene.running, &scene.result);
	cr_assert_eq(scene.result.exit_code, 4, "%d: %s", scene.result.exit_code, scene.result.error_output);
	cr_assert(strstr(scene.result.error_output, "held by bob@desk (pid 7, reap)"), "%s", scene.result.error_output);
	cr_assert(strstr(scene.result.error_output, "nothing was changed"), "%s", scene.result.error_output);
	cr_assert_eq(patches(&scene), 0);
	cr_assert_str_eq(cluster_changes_holder(&scene.changes), "bob@desk (pid 7, reap)");
	scene_end(&scene);
}

Test(scale, the_lease_of_somebody_who_is_gone_is_waited_for_and_taken)
{
	struct scene scene = { .changes = { .holder = "bob@desk (pid 7, reap)" } };
	const struct apiserver_request *taken;

	scene_begin(&scene, three_of_five, 3);
	scene_start(&scene, RUN_ARGV("scale", "5", "--yes"), false);
	run_finish(scene.running, &scene.result);
	cr_assert_eq(scene.result.exit_code, 0, "%d: %s", scene.result.exit_code, scene.result.error_output);
	cr_assert(
	    strstr(scene.result.error_output, " waiting: the cluster is being changed by bob@desk (pid 7, reap)\n"),
	    "%s", scene.result.error_output);
	taken = apiserver_find(cluster_api(scene.cluster), "PUT", "*/leases/consul-kubectl-consul", 0);
	cr_assert(taken && strstr(taken->body, "alice@") && strstr(taken->body, ", scale 5)"), "%s",
	          taken ? taken->body : "");
	scene_end(&scene);
}

/* ------------------------------------------------------------------------------------- the snapshot */

Test(scale, a_snapshot_that_cannot_be_saved_stops_everything)
{
	struct scene scene = { 0 };

	scene_begin(&scene, three_of_five, 3);
	scene_start(&scene, RUN_ARGV("scale", "5", "--yes", "--snapshot", "/nonexistent/x.snap"), false);
	run_finish(scene.running, &scene.result);
	cr_assert_eq(scene.result.exit_code, 1, "%d: %s", scene.result.exit_code, scene.result.error_output);
	cr_assert(strstr(scene.result.error_output, "error: cannot save a snapshot: "), "%s",
	          scene.result.error_output);
	cr_assert(strstr(scene.result.error_output, "nothing was changed"), "%s", scene.result.error_output);
	assert_says_how_to_go_on(&scene.result, "-n consul --snapshot /nonexistent/x.snap --yes\n");
	cr_assert_eq(patches(&scene), 0);
	scene_end(&scene);
}
