/* `recover`: what is refused, what is shown, and a recovery that a scripted cluster plays. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "../support/cluster_changes.h"
#include "../support/cluster_parts.h"
#include "util/mem.h"
#include "util/str.h"

/* The log of a scripted server that lags nobody. */
#define WHOLE_LOG 1000

/* Made anew: no peers, no log, no data. */
#define EMPTY(...)                                                                                                     \
	{                                                                                                              \
		.peers = "-----", .lag = WHOLE_LOG, .not_ready = true, __VA_ARGS__                                     \
	}
#define ALONE(...)                                                                                                     \
	{                                                                                                              \
		.leader = NO_LEADER, .not_ready = true, __VA_ARGS__                                                    \
	}

/* A cluster whose servers have data directories, and can be crashed. */
struct play {
	struct cluster_options options;
	bool waits; /* a raft/peers.json does, on consul-2 */
	bool refuses_crash;

	struct cluster *cluster;
	struct cluster_changes changes;
	struct apiserver_route routes[2];
	struct apiserver_exec execs[4];
	int crashes, removals, looks_since;
	char order[4096]; /* pod, data directory and peers.json of the crash */
	struct run_result result;
};

static bool is_empty(const struct cluster_state *state, size_t index)
{
	return state->servers[index].lag == WHOLE_LOG;
}

static void on_inspect(void *context, const struct exec_request *request, struct exec_answer *answer)
{
	struct play *play = context;
	const struct cluster_state *state = &play->cluster->state;
	int index = cluster_find(state, request->pod);

	cr_assert_geq(index, 0);
	answer->scratch.max = BUF_TEXT_MAX;
	buf_adds(&answer->scratch, "node-id ");
	cluster_node_id((size_t)index, &answer->scratch);
	buf_addf(&answer->scratch, "\nraft %s\nkib 68\nwritable yes\npeers %s\nend\n",
	         is_empty(state, (size_t)index) ? "no" : "yes", play->waits && index == 2 ? "yes" : "no");
	answer->output = buf_text(&answer->scratch);
}

/* Never run: it would look for processes of this machine. */
static void on_crash(void *context, const struct exec_request *request, struct exec_answer *answer)
{
	struct play *play = context;

	if (play->refuses_crash) {
		answer->exit_code = 77;
		return;
	}
	play->crashes++;
	snprintf(play->order, sizeof(play->order), "%s %s", request->pod, request->command);
	answer->output = "signal\n";
	answer->end = EXEC_DROP;
}

static void on_remove(void *context, const struct exec_request *request, struct exec_answer *answer)
{
	struct play *play = context;

	(void)answer;
	cr_expect_str_eq(request->pod, "consul-2");
	play->removals++;
	play->waits = false;
}

/* After the crash: one look without anybody, then consul-0 leads alone, then all vote. */
static void on_look(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct play *play = context;
	struct cluster_state *state = &play->cluster->state;

	(void)request;
	answer->status = HTTP_PASS;
	if (play->crashes == 0)
		return;
	play->looks_since++;
	state->servers[0] = (struct cluster_server){ .leader = 1, .peers = "V--", .restarts = 1 };
	if (play->looks_since == 1)
		state->servers[0].agent = AGENT_DOWN;
	if (play->looks_since > 2) {
		state->leader = 0;
		for (size_t i = 0; i < state->count; i++)
			state->servers[i] = (struct cluster_server){ 0 };
	}
	cluster_forget_shared(play->cluster);
}

static void play_begin(struct play *play)
{
	play->execs[0] =
	    (struct apiserver_exec){ .pod = "*", .command = "sh -c umask 022*", .make = on_crash, .context = play };
	play->execs[1] =
	    (struct apiserver_exec){ .pod = "*", .command = "sh -c cd *node-id*", .make = on_inspect, .context = play };
	play->execs[2] =
	    (struct apiserver_exec){ .pod = "*", .command = "sh -c rm -f *", .make = on_remove, .context = play };
	play->routes[0] = (struct apiserver_route){
		.method = "GET", .path = "/api/v1/namespaces/*/pods", .make = on_look, .context = play
	};
	play->options.count = play->options.count ? play->options.count : 3;
	play->options.api.routes = play->routes;
	play->options.api.execs = play->execs;
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

static void run(struct play *play, const char *const *words, int exit_code)
{
	play_begin(play);
	cli_run_on(play->cluster, words, &play->result);
	cr_assert_eq(play->result.exit_code, exit_code, "%d\n%s%s", play->result.exit_code, play->result.output,
	             play->result.error_output);
}

/* ------------------------------------------------------------------------------------------- nothing is done */

struct recover_case {
	const char *name;
	struct cluster_server servers[3];
	int leader;
	const char *words[6];
	int exit_code;
	const char *says[5];
};

static const struct recover_case cases[] = {
	{ .name = "healthy",
	  .words = { "recover", "--yes", "--force" },
	  .exit_code = 4,
	  .says = { "refused: there is a leader: consul-0; nothing is to be recovered",
	            "hint: kubectl consul health -n consul" } },
	{ .name = "led by less than there should be",
	  .servers = { { 0 }, { 0 }, { .no_pod = true, .member = 'l', .peer = '-' } },
	  .words = { "recover" },
	  .exit_code = 4,
	  .says = { "there is a leader", "hint: kubectl consul scale 3 -n consul goes on until it has 3" } },
	{ .name = "merely restarting",
	  .servers = { ALONE(), { .waiting = "ContainerCreating" }, { .no_pod = true } },
	  .leader = NO_LEADER,
	  .words = { "recover", "--timeout", "5s" },
	  .exit_code = 4,
	  .says = { "consul-1 may come back with its data (starting; its claim data-consul-1 is there); consul-2 may "
	            "come back with its data (no pod; its claim data-consul-2 is there)",
	            "\nconsul-1   ContainerCreating   may return", "consul-0   Running             remains",
	            "--force goes on all the same" } },
	{ .name = "two peer sets",
	  .servers = { { .peers = "V--", .leader = NO_LEADER },
	               { .peers = "-VV", .leader = NO_LEADER },
	               { .peers = "-VV", .leader = NO_LEADER } },
	  .leader = NO_LEADER,
	  .words = { "recover", "--yes", "--force" },
	  .exit_code = 4,
	  .says = { "refused: there are two clusters: the raft peers of consul-0 are none of those of consul-1 and "
	            "consul-2" } },
	{ .name = "enough of them",
	  .servers = { ALONE(), ALONE(), ALONE() },
	  .leader = NO_LEADER,
	  .words = { "recover", "--yes", "--timeout", "5s" },
	  .exit_code = 4,
	  .says = { "refused: 3 of 3 voters live: they need some seconds to find each other" } },
	{ .name = "one that remains",
	  .servers = { ALONE(), EMPTY(), EMPTY() },
	  .leader = NO_LEADER,
	  .words = { "recover" },
	  .says = { "consul-0   Running   remains   yes", "the data of consul-0 becomes the truth",
	            "consul-0 gets this raft/peers.json: [{\"id\":\"",
	            "joining by themselves afterwards: consul-1 and consul-2",
	            "\ndry run: nothing was changed; to carry it out: kubectl consul recover --yes -n consul\n" } },
	{ .name = "forced, with a copy",
	  .servers = { ALONE(), EMPTY(), { .no_pod = true } },
	  .leader = NO_LEADER,
	  .words = { "recover", "--force", "--save", "it's here" },
	  .says = { "note: forced although consul-2 may come back with its data",
	            "1 the raft directory of consul-0 is saved in it's here",
	            ": kubectl consul recover --force --save 'it'\\''s here' --yes -n consul\n" } },
	{ .name = "help", .words = { "recover", "--help" }, .says = { "--save", "4 refused by a safety rule" } },
	{ .name = "an operand", .words = { "recover", "consul-0" }, .exit_code = 1, .says = { "error: " } },
};

Test(recover, nothing_is_done_without_yes_or_in_spite_of_it)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct recover_case *c = &cases[i];
		struct play play = { .options = { .servers = c->servers, .leader = c->leader } };

		play_begin(&play);
		cli_run_on(play.cluster, c->words, &play.result);
		cr_assert_eq(play.result.exit_code, c->exit_code, "%s: %d\n%s%s", c->name, play.result.exit_code,
		             play.result.output, play.result.error_output);
		for (size_t k = 0; k < ARRAY_SIZE(c->says) && c->says[k]; k++)
			cr_assert(strstr(play.result.output, c->says[k]) || cli_says(&play.result, c->says[k]),
			          "%s: no \"%s\" in\n%s%s", c->name, c->says[k], play.result.output,
			          play.result.error_output);
		cr_assert_eq(play.crashes, 0, "%s", c->name);
		cr_assert_eq(cluster_changes_writes(&play.changes), 0, "%s: something was written", c->name);
		play_end(&play);
	}
}

/* --------------------------------------------------------------------------------------------- carried out */

static const struct cluster_server lost[] = { ALONE(), EMPTY(), EMPTY() };

Test(recover, yes_carries_it_out)
{
	struct play play = { .options = { .servers = lost, .leader = NO_LEADER, .min_quorum = 2 } };

	run(&play, RUN_ARGV("recover", "--yes"), 0);
	cr_expect_eq(play.crashes, 1);
	cr_expect(str_starts_with(play.order, "consul-0 "), "%s", play.order);
	cr_expect(str_ends_with(play.order, " [{\"id\":\"5d3e4a62-66fb-3971-84a9-000000000000\","
	                                    "\"address\":\"10.244.0.2:8300\",\"non_voter\":false}]"),
	          "%s", play.order);
	cli_assert_says(&play.result, "step 1: raft/peers.json for consul-0, and its process is ended at once");
	cli_assert_says(&play.result, "step 1 done in ");
	cli_assert_says(&play.result, "HEALTHY consul/consul 3/3 voters");
	cr_expect_str_eq(cluster_changes_holder(&play.changes), "");
	play_end(&play);
}

Test(recover, a_crash_that_is_refused)
{
	struct play play = { .options = { .servers = lost, .leader = NO_LEADER }, .refuses_crash = true };

	run(&play, RUN_ARGV("recover", "--yes"), 1);
	cli_assert_says(&play.result, "to go on from here: kubectl consul recover --yes -n consul");
	cr_expect_str_eq(cluster_changes_holder(&play.changes), "");
	play_end(&play);
}

Test(recover, somebody_else_is_at_it)
{
	struct play play = { .options = { .servers = lost, .leader = NO_LEADER } };

	play.changes.holder = "jane@elsewhere (pid 1, scale 5)";
	play.changes.renews = true;
	run(&play, RUN_ARGV("recover", "--yes", "--timeout", "30s"), 4);
	cli_assert_says(&play.result, "jane@elsewhere");
	cli_assert_says(&play.result, "nothing was changed");
	cr_expect_eq(play.crashes, 0);
	play_end(&play);
}

/* Where exec is not allowed nothing can be put in, and that is said. */
Test(recover, without_exec)
{
	static const struct cluster_server servers[] = { ALONE(.way = WAY_TUNNEL), EMPTY(.way = WAY_TUNNEL),
		                                         EMPTY(.way = WAY_TUNNEL) };
	struct play play = { .options = { .servers = servers, .leader = NO_LEADER } };

	run(&play, RUN_ARGV("recover", "--yes", "--force"), 1);
	cli_assert_says(&play.result, "cannot look into the data directory of consul-0");
	cr_expect_eq(play.crashes, 0);
	play_end(&play);
}

/* Left by a run that was killed: a later start would throw everybody else out. */
Test(recover, a_file_that_waits_is_removed)
{
	for (int yes = 0; yes < 2; yes++) {
		struct play play = { .waits = true };

		run(&play, yes ? RUN_ARGV("recover", "--yes") : RUN_ARGV("recover"), 0);
		cli_assert_says(&play.result, "a raft/peers.json waits");
		cr_expect_eq(play.removals, yes);
		cr_expect_eq(play.crashes, 0);
		if (yes)
			cli_assert_says(&play.result, "HEALTHY consul/consul 3/3 voters");
		play_end(&play);
	}
}
