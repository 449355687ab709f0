/* `failover`: what is refused, the question, and drills that a scripted cluster plays. */
#include "cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "../support/cluster_changes.h"
#include "../support/cluster_parts.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define PATIENCE_MS 20000
#define KEYS_MAX    2000

/* -------------------------------------------------------------------------------------------------- the play */

/* What a look finds, changed from what the look before found. */
typedef void stage(struct cluster_state *state, int crashes);

/* A key-value store for the probe. */
struct store {
	char prefix[64];
	bool keys[KEYS_MAX];
	int64_t loses; /* this key; 0: none */
	bool hides;    /* which keys it has */
};

/* A cluster whose servers can be crashed: each look after it finds the next stage, and at last the last one. */
struct play {
	struct cluster_options options;
	stage *const *stages;
	size_t stage_count;
	bool refuses_exec;
	struct store store;

	struct cluster *cluster;
	struct cluster_changes changes;
	struct apiserver_route routes[3];
	struct apiserver_exec execs[2];
	int crashes;
	size_t at;
	char victim[64];
	struct run_result result;
};

/* Never run: it would look for processes of this machine. */
static void on_crash(void *context, const struct exec_request *request, struct exec_answer *answer)
{
	struct play *play = context;

	play->crashes++;
	play->at = 0;
	snprintf(play->victim, sizeof(play->victim), "%s", request->pod);
	answer->output = "signal\n";
	answer->end = EXEC_DROP;
}

static void on_look(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct play *play = context;

	(void)request;
	answer->status = HTTP_PASS;
	if (play->crashes == 0 || play->at >= play->stage_count)
		return;
	play->stages[play->at++](&play->cluster->state, play->crashes);
	cluster_forget_shared(play->cluster);
}

static void list_keys(struct store *store, struct http_answer *answer)
{
	answer->scratch.max = BUF_TEXT_MAX;
	buf_addc(&answer->scratch, '[');
	for (int i = 0; i < KEYS_MAX; i++)
		if (store->keys[i] && i != store->loses)
			buf_addf(&answer->scratch, "%s\"%s%d\"", answer->scratch.len > 1 ? "," : "", store->prefix, i);
	buf_addc(&answer->scratch, ']');
	answer->body = answer->scratch.data;
}

/* /v1/kv/kubectl-consul/probe/RANDOM/N */
static void on_key(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct store *store = context;
	const char *key = request->path + strlen("/v1/kv/"), *last = strrchr(key, '/') + 1;
	int64_t number = 0;

	answer->body = "true";
	if (str_equal(request->method, "DELETE")) {
		memset(store->keys, 0, sizeof(store->keys));
	} else if (!*last && store->hides) {
		answer->status = 500;
		answer->body = "rpc error";
	} else if (!*last) {
		snprintf(store->prefix, sizeof(store->prefix), "%s", key);
		list_keys(store, answer);
	} else if (str_to_int64(last, &number) < 0 || number < 0 || number >= KEYS_MAX) {
		answer->status = 400;
	} else if (str_equal(request->method, "PUT")) {
		store->keys[number] = true;
	}
}

static void play_begin(struct play *play)
{
	play->execs[0] =
	    (struct apiserver_exec){ .pod = "*", .command = "sh -c umask 022*", .make = on_crash, .context = play };
	play->routes[0] = (struct apiserver_route){
		.method = "GET", .path = "/api/v1/namespaces/*/pods", .make = on_look, .context = play
	};
	play->routes[1] =
	    (struct apiserver_route){ .pod = "*", .path = "/v1/kv/*", .make = on_key, .context = &play->store };
	play->options.api.routes = play->routes;
	play->options.api.execs = play->execs;
	if (play->options.count == 0)
		play->options.count = 3;
	play->cluster = cluster_start(&play->options);
	play->changes.cluster = play->cluster;
	cluster_changes_begin(&play->changes);
}

static void play_end(struct play *play)
{
	run_result_release(&play->result);
	cluster_stop(play->cluster);
	cluster_changes_end(&play->changes);
}

/* The leader, consul-0, crashes and consul-1 leads. */
static void first_is_down(struct cluster_state *state, int crashes)
{
	(void)crashes;
	state->servers[0].agent = AGENT_DOWN;
}

static void nobody_leads(struct cluster_state *state, int crashes)
{
	(void)crashes;
	state->leader = -1;
}

static void second_leads(struct cluster_state *state, int crashes)
{
	(void)crashes;
	state->leader = 1;
	state->servers[1].term = state->servers[2].term = 4;
}

static void first_is_back(struct cluster_state *state, int crashes)
{
	state->servers[0] = (struct cluster_server){ .restarts = crashes, .term = 4, .not_ready = true };
}

static void first_is_ready(struct cluster_state *state, int crashes)
{
	(void)crashes;
	state->servers[0].not_ready = false;
}

static stage *const leader_crashes[] = { first_is_down, nobody_leads, second_leads, first_is_back, first_is_ready };

/* A follower, consul-2: the others go on. */
static void third_is_down(struct cluster_state *state, int crashes)
{
	(void)crashes;
	state->servers[2].agent = AGENT_DOWN;
}

static void third_is_back(struct cluster_state *state, int crashes)
{
	state->servers[2] = (struct cluster_server){ .restarts = crashes };
}

static stage *const follower_crashes[] = { third_is_down, third_is_back };

#define STAGES(stages_) .stages = (stages_), .stage_count = ARRAY_SIZE(stages_)

/* ------------------------------------------------------------------------------------------- nothing is done */

struct quiet_case {
	const char *name;
	const char *words[6];
	struct cluster_server servers[3];
	size_t count;
	int exit_code;
	const char *says[4];
};

static const struct quiet_case quiet[] = {
	{ .name = "one server",
	  .words = { "failover", "--yes" },
	  .count = 1,
	  .exit_code = 4,
	  .says = { "refused: consul-0 is the only voter (rule: the quorum must survive every step)\n",
	            "hint: a cluster that tolerates a failure has at least 3 servers: kubectl consul scale 3 -n "
	            "consul" } },
	{ .name = "two servers",
	  .words = { "failover", "--yes", "--pod", "consul-1" },
	  .count = 2,
	  .exit_code = 4,
	  .says = { "refused: consul-1 votes, and without it 1 of 2 voters would be left, fewer than the quorum of 2 "
	            "(" } },
	{ .name = "a pod that is none",
	  .words = { "failover", "--yes", "--pod", "consul-9" },
	  .count = 3,
	  .exit_code = 4,
	  .says = { "refused: there is no server consul-9\n",
	            "hint: choose one with --pod: consul-0, consul-1 and consul-2" } },
	{ .name = "a rolling update",
	  .words = { "failover", "--yes" },
	  .servers = { { 0 }, { 0 }, { .old = true } },
	  .count = 3,
	  .exit_code = 4,
	  .says = { "refused: a rolling update is under way: consul-2 is still to be replaced (" } },
	{ .name = "nobody to ask",
	  .words = { "failover" },
	  .count = 3,
	  .exit_code = 1,
	  .says = { "consul-0 leads, and will be crashed", "error: there is no terminal to ask on",
	            "hint: add --yes" } },
	{ .name = "only looking",
	  .words = { "failover", "--dry-run", "--rounds", "3" },
	  .count = 3,
	  .says = { "consul/consul  3/3 voters · leader consul-0 · tolerates 1 failure\nconsul-0 leads, and will be "
	            "crashed",
	            "Without it 2 of 3 voters are left, quorum 2; until they have elected a leader nothing is written.",
	            "3 rounds, each when the cluster is well again: whoever leads then is crashed.\n",
	            "\ndry run: nothing was crashed\n" } },
	{ .name = "only looking at a follower",
	  .words = { "failover", "--dry-run", "--pod=consul-2" },
	  .count = 3,
	  .says = { "consul-2 follows, and will be crashed", "quorum 2; consul-0 goes on leading.\n" } },
	{ .name = "help",
	  .words = { "failover", "--help" },
	  .count = 3,
	  .says = { "kubectl consul failover [options]", "--rounds=1", "124 not over in time" } },
};

Test(failover, what_is_refused_or_only_shown_crashes_nobody)
{
	for (size_t i = 0; i < ARRAY_SIZE(quiet); i++) {
		const struct quiet_case *c = &quiet[i];
		struct play play = { .options = { .servers = c->servers, .count = c->count } };

		play_begin(&play);
		cli_run_on(play.cluster, c->words, &play.result);
		cr_assert_eq(play.result.exit_code, c->exit_code, "%s: %d\n%s%s", c->name, play.result.exit_code,
		             play.result.output, play.result.error_output);
		for (size_t k = 0; k < ARRAY_SIZE(c->says) && c->says[k]; k++)
			cr_assert(strstr(play.result.output, c->says[k]) ||
			              strstr(play.result.error_output, c->says[k]),
			          "%s: no \"%s\" in\n%s%s", c->name, c->says[k], play.result.output,
			          play.result.error_output);
		cr_assert_eq(play.crashes, 0, "%s", c->name);
		cr_assert_eq(cluster_changes_writes(&play.changes), 0, "%s: something was written", c->name);
		play_end(&play);
	}
}

struct words_case {
	const char *words[6];
	const char *text;
};

Test(failover, what_is_wrong_is_said_before_anything_is_asked)
{
	static const struct words_case wrong[] = {
		{ { "failover", "--pod", "consul-1", "--leader" }, "error: --pod and --leader exclude each other" },
		{ { "failover", "--pod=" }, "error: --pod: the name of a pod must not be empty" },
		{ { "failover", "--rounds", "0" }, "Error: invalid argument \"0\" for \"--rounds\" flag" },
		{ { "failover", "-o", "wide" },
		  "error: unable to match a printer suitable for the output format \"wide\"" },
		{ { "failover", "--dry-run=server" }, "error: Invalid dry-run value (server)." },
		{ { "failover", "consul-1" }, "error: " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct run_result result;

		cli_run(NULL, wrong[i].words, &result);
		cli_assert_error(&result, 1, wrong[i].text);
		run_result_release(&result);
	}
}

/* ---------------------------------------------------------------------------------------------------- drills */

static void run_play(struct play *play, const char *const *words, int exit_code)
{
	play_begin(play);
	cli_run_on(play->cluster, words, &play->result);
	cr_assert_eq(play->result.exit_code, exit_code, "%d\n%s%s", play->result.exit_code, play->result.output,
	             play->result.error_output);
	cr_assert(play->crashes == 0 || str_equal(cluster_changes_holder(&play->changes), ""), "the Lease stays");
}

static void assert_in_order(const char *text, const char *const *parts)
{
	for (size_t i = 0; parts[i]; i++) {
		const char *found = strstr(text, parts[i]);

		cr_assert_not_null(found, "no \"%s\" (or not there) in\n%s", parts[i], text);
		text = found + strlen(parts[i]);
	}
}
#define ASSERT_IN_ORDER(text_, ...) assert_in_order((text_), (const char *const[]){ __VA_ARGS__, NULL })

Test(failover, the_leader_crashes_and_each_event_is_told)
{
	struct play play = { STAGES(leader_crashes) };

	run_play(&play, RUN_ARGV("failover", "--yes"), 0);
	cr_assert_str_eq(play.victim, "consul-0");
	ASSERT_IN_ORDER(play.result.error_output, " consul-0, who led, was crashed\n", " s  consul-0 is down\n",
	                " s  nobody follows consul-0 any more\n", " s  new leader consul-1\n",
	                " s  consul-0 runs again\n", " s  consul-0 is alive again on every view\n",
	                " s  consul-0 is a voter again on every view\n", " s  verdict HEALTHY, consul-0 is ready\n");
	ASSERT_IN_ORDER(play.result.output, "consul-0 leads, and will be crashed", "\nEVENT ", "\ndown ",
	                "\nleader lost ", "\nnew leader consul-1 ", "\nruns again ", "\nalive on every view ",
	                "\nvoter on every view ", "\nready, verdict as before ", "\n5 looks, at most ",
	                "\nHEALTHY  consul/consul  3/3 voters");
	cr_assert_eq(play.crashes, 1);
	play_end(&play);
}

Test(failover, json_has_every_mark_and_nothing_else_is_on_standard_output)
{
	struct play play = { STAGES(leader_crashes) };
	_cleanup_json_ cJSON *json = NULL;
	struct err err = ERR_INIT;
	const cJSON *round, *mark;

	run_play(&play, RUN_ARGV("failover", "--leader", "-y", "-o", "json"), 0);
	cli_assert_valid(&play.result, "json", "src/consul/failover.schema.json");
	cr_assert_eq(json_parse(play.result.output, play.result.output_length, &json, &err), 0, "%s",
	             play.result.output);
	cr_assert_str_eq(json_string_at(json, "apiVersion"), "kubectl-consul/v1");
	cr_assert_str_eq(json_string_at(json, "kind"), "Failover");
	cr_assert_str_eq(json_string_at(json, "metadata.namespace"), "consul");
	cr_assert_str_eq(json_string_at(json, "verdict"), "HEALTHY");
	cr_assert_eq(cJSON_GetArraySize(json_get(json, "rounds")), 1);
	round = json_get(json, "rounds")->child;
	cr_assert_str_eq(json_string_at(round, "victim"), "consul-0");
	cr_assert(json_bool_at(round, "led", false) && json_bool_at(round, "over", false));
	cr_assert_eq(json_int_at(round, "looks", 0), 5);
	cr_assert_eq(cJSON_GetArraySize(json_get(round, "marks")), 7);
	mark = json_at(round, "marks.new-leader");
	cr_assert_str_eq(json_string_at(mark, "who"), "consul-1");
	cr_assert(cJSON_IsNumber(json_get(mark, "seconds")) && !json_bool_at(mark, "unseen", true));
	cr_assert(strstr(play.result.error_output, "new leader consul-1"), "%s", play.result.error_output);
	play_end(&play);
}

Test(failover, what_has_not_happened_in_time_is_named)
{
	static stage *const never_back[] = { first_is_down, nobody_leads, second_leads };
	struct play play = { STAGES(never_back) };
	_cleanup_json_ cJSON *json = NULL;
	struct err err = ERR_INIT;

	run_play(&play, RUN_ARGV("failover", "--yes", "--timeout", "3s", "-o", "json"), 124);
	cli_assert_valid(&play.result, "json", "src/consul/failover.schema.json");
	ASSERT_IN_ORDER(
	    play.result.error_output,
	    "error: timed out after the crash of consul-0; not seen by then: consul-0 runs again; every server "
	    "answers and has consul-0 as alive; consul-0 is a voter again; consul-0 is ready and the verdict "
	    "HEALTHY again\n",
	    "hint: ", "kubectl consul health --wait -n consul\n");
	cr_assert_eq(json_parse(play.result.output, play.result.output_length, &json, &err), 0, "%s",
	             play.result.output);
	cr_assert(cJSON_IsNull(json_at(json_get(json, "rounds")->child, "marks.restarted.seconds")), "%s",
	          play.result.output);
	play_end(&play);
}

Test(failover, rounds_end_in_a_distribution)
{
	struct play play = { STAGES(follower_crashes) };

	run_play(&play, RUN_ARGV("failover", "--pod", "consul-2", "--rounds", "3", "--yes"), 0);
	cr_assert_eq(play.crashes, 3);
	ASSERT_IN_ORDER(play.result.error_output, "round 1: consul-2, who followed, was crashed", "verdict HEALTHY",
	                "round 2: consul-2", "verdict HEALTHY", "round 3: consul-2", "verdict HEALTHY");
	ASSERT_IN_ORDER(
	    play.result.output, "consul-2 is crashed in each.\n",
	    "EVENT                      ROUNDS   MIN     MEDIAN   MAX\ndown                       3        ",
	    "\nruns again                 3 ", "\nHEALTHY");
	cr_assert_not(strstr(play.result.output, "leader lost"), "%s", play.result.output);
	play_end(&play);
}

Test(failover, who_may_not_exec_crashes_nobody)
{
	static const struct cluster_server servers[] = { { .way = WAY_TUNNEL }, { 0 }, { 0 } };
	struct play play = { .options = { .servers = servers, .count = 3 }, STAGES(leader_crashes) };

	run_play(&play, RUN_ARGV("failover", "--yes"), 1);
	cr_assert(strstr(play.result.error_output, "pods/exec"), "%s", play.result.error_output);
	cr_assert_not(strstr(play.result.error_output, "was crashed"), "%s", play.result.error_output);
	cr_assert_eq(play.crashes, 0);
	cr_assert_str_eq(cluster_changes_holder(&play.changes), "");
	play_end(&play);
}

/* ------------------------------------------------------------------------------------------------- the probe */

Test(failover, the_probe_says_what_clients_noticed)
{
	struct play play = { STAGES(leader_crashes) };

	run_play(&play, RUN_ARGV("failover", "--yes", "--probe"), 0);
	ASSERT_IN_ORDER(play.result.output, "\nno write was served for ", " failed), no read for ", "; all ",
	                " acknowledged writes are there\nHEALTHY");
	for (size_t i = 0; i < KEYS_MAX; i++)
		cr_assert_not(play.store.keys[i], "key %zu stays", i);
	play_end(&play);
}

Test(failover, a_write_that_was_lost_is_an_error)
{
	struct play play = { STAGES(leader_crashes), .store = { .loses = 1 } };

	run_play(&play, RUN_ARGV("failover", "--yes", "--probe"), 1);
	cr_assert(strstr(play.result.output, "; LOST: 1 of "), "%s", play.result.output);
	cr_assert(strstr(play.result.error_output, "error: DATA WAS LOST: 1 of "), "%s", play.result.error_output);
	play_end(&play);
}

Test(failover, writes_that_cannot_be_looked_for_are_an_error)
{
	struct play play = { STAGES(leader_crashes), .store = { .hides = true } };

	run_play(&play, RUN_ARGV("failover", "--yes", "--probe"), 1);
	cr_assert(strstr(play.result.output, " acknowledged writes are there could not be checked"), "%s",
	          play.result.output);
	cr_assert(strstr(play.result.error_output, "error: whether the writes that Consul had acknowledged are there "
	                                           "could not be read in 1 of 1 rounds"),
	          "%s", play.result.error_output);
	play_end(&play);
}

Test(failover, a_probe_that_cannot_begin_crashes_nobody)
{
	static const struct apiserver_route denied[] = {
		{ .pod = "*", .path = "/v1/kv/*", .answer = { .status = 403, .body = "Permission denied" } }, { 0 }
	};
	struct play play = { STAGES(leader_crashes) };

	play_begin(&play);
	apiserver_add(cluster_api(play.cluster), denied, NULL, NULL);
	cli_run_on(play.cluster, RUN_ARGV("failover", "--yes", "--probe"), &play.result);
	cr_assert_eq(play.result.exit_code, 1, "%s", play.result.error_output);
	cr_assert(strstr(play.result.error_output, "error: nothing was crashed: the probe cannot begin: "), "%s",
	          play.result.error_output);
	cr_assert_eq(play.crashes, 0);
	cr_assert_str_eq(cluster_changes_holder(&play.changes), "");
	play_end(&play);
}

/* ---------------------------------------------------------------------------------------- a person in between */

static struct running *start_on_terminal(struct play *play, const char *const *words)
{
	_cleanup_free_ char *kubeconfig = NULL;

	play_begin(play);
	kubeconfig = cluster_kubeconfig(play->cluster);
	return run_start(&(struct run_options){ .argv = words, .kubeconfig = kubeconfig, .terminal = true });
}

Test(failover, any_answer_but_yes_crashes_nobody)
{
	static const char *const answers[] = { "n\r", "\r", "\x03" };

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct play play = { STAGES(leader_crashes) };
		struct running *running = start_on_terminal(&play, RUN_ARGV("failover"));

		cr_assert(run_wait_output(running, "Do you want to continue? (y/N): ", 1, PATIENCE_MS));
		run_type(running, answers[i]);
		run_finish(running, &play.result);
		cr_assert_eq(play.result.exit_code, i == 2 ? 130 : 1, "%s", play.result.output);
		cr_assert(strstr(play.result.output, "nothing was changed"), "%s", play.result.output);
		cr_assert_eq(play.crashes, 0);
		play_end(&play);
	}
}

Test(failover, a_yes_to_one_server_is_none_to_another)
{
	struct play play = { STAGES(leader_crashes) };
	struct running *running = start_on_terminal(&play, RUN_ARGV("failover"));

	cr_assert(run_wait_output(running, "Do you want to continue? (y/N): ", 1, PATIENCE_MS));
	cluster_set_leader(play.cluster, 2); /* consul-1 */
	run_type(running, "y\r");
	run_finish(running, &play.result);
	cr_assert_eq(play.result.exit_code, 1, "%s", play.result.output);
	cr_assert(
	    strstr(play.result.output, "nothing was crashed: you were asked about consul-0, and now consul-1 leads"),
	    "%s", play.result.output);
	cr_assert_eq(play.crashes, 0);
	cr_assert_str_eq(cluster_changes_holder(&play.changes), "");
	play_end(&play);
}

Test(failover, an_interrupt_says_what_was_crashed_and_gives_the_lease_back)
{
	static stage *const stays_down[] = { first_is_down };
	struct play play = { STAGES(stays_down) };
	struct running *running = start_on_terminal(&play, RUN_ARGV("failover"));

	cr_assert(run_wait_output(running, "Do you want to continue? (y/N): ", 1, PATIENCE_MS));
	run_type(running, "y\r");
	cr_assert(run_wait_output(running, "consul-0 is down", 1, PATIENCE_MS));
	run_signal(running, SIGINT);
	run_finish(running, &play.result);
	cr_assert_eq(play.result.exit_code, 130, "%s", play.result.output);
	ASSERT_IN_ORDER(
	    play.result.output, "consul-0, who led, was crashed", "still to come: ", "consul-0 was crashed ",
	    " s before the last look; not seen yet: ", "interrupted", "kubectl consul health --wait -n consul");
	cr_assert_str_eq(cluster_changes_holder(&play.changes), "");
	play_end(&play);
}
