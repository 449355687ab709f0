/* consul/crash: which process its script finds and signals, what becomes of peers.json, and how an exec's end is read.
 */
#include "consul/crash.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "shell_scene.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#define PEERS "[{\"id\":\"5d3e4a62-66fb-3971-84a9-13695985d245\",\"address\":\"10.0.0.7:8300\",\"non_voter\":false}]"

static struct shell_scene scene;
static struct crash_order order;

static void set_up(void)
{
	shell_scene_start(&scene);
	order = (struct crash_order){ .pod = "consul-0" };
}

static void tear_down(void)
{
	err_release(&order.err);
	shell_scene_stop(&scene);
}

TestSuite(crash, .init = set_up, .fini = tear_down, .timeout = 60);

static int crash_within(int64_t milliseconds)
{
	err_release(&scene.reality.err);
	err_release(&order.err);
	return crash(scene.reality.client, &scene.reality.seen, &order, 1, clock_monotonic_ms() + milliseconds,
	             &scene.reality.err);
}

static void expect_crash(void)
{
	cr_assert_eq(crash_within(SCENE_LONG_MS), 0, "%s", scene.reality.err.message);
	cr_assert_not(err_is_set(&order.err));
}

static void expect_failure(int status, enum err_kind kind, const char *words, const char *hint)
{
	const struct err *err = &scene.reality.err;

	cr_assert_eq(status, -1);
	cr_expect_eq(err->kind, kind, "%d: %s", (int)err->kind, err->message);
	cr_expect(strstr(err->message, words), "\"%s\" is not in: %s", words, err->message);
	cr_expect(strstr(err->message, "consul-0"), "%s", err->message);
	cr_expect(!hint || (err->hint && strstr(err->hint, hint)), "\"%s\" is not in: %s", hint,
	          err->hint ? err->hint : "no hint");
	cr_expect_eq(order.err.kind, err->kind);
}

static void expect_killed(const char *expected)
{
	_cleanup_free_ char *killed = shell_scene_read(&scene, "killed");

	cr_expect_str_eq(killed, expected);
}

/* ---------------------------------------------------------------------------------------- processes */

Test(crash, process_1_gets_a_signal_that_it_cannot_ignore)
{
	shell_scene_run_scripts(&scene);
	for (size_t i = 0; shell_scene_shells[i]; i++) {
		if (access(shell_scene_shells[i], X_OK) < 0)
			continue;
		scene.shell = shell_scene_shells[i];
		shell_scene_write(&scene, "killed", "");
		shell_scene_process(&scene, "1", "consul", "/usr/bin/consul|agent|-server|", NULL);
		expect_crash();
		expect_killed("-QUIT 1\n");
	}
}

Test(crash, below_an_init_only_the_server_is_killed)
{
	shell_scene_run_scripts(&scene);
	for (size_t i = 0; shell_scene_shells[i]; i++) {
		if (access(shell_scene_shells[i], X_OK) < 0)
			continue;
		scene.shell = shell_scene_shells[i];
		shell_scene_write(&scene, "killed", "");
		if (!shell_scene_has(&scene, "proc/1")) {
			shell_scene_process(&scene, "1", "dumb-init", "/usr/bin/dumb-init|consul|agent|", NULL);
			shell_scene_process(&scene, "6", "sh", "sh|-c|consul agent -server & wait|", NULL);
			shell_scene_process(&scene, "8", "consul", "consul|operator|raft|list-peers|", NULL);
			shell_scene_process(&scene, "9", "consul", "", NULL);
		}
		shell_scene_process(&scene, "7", "consul", "consul|agent|-server|-data-dir=/consul/data|", NULL);
		expect_crash();
		expect_killed("-KILL 7\n");
	}
}

Test(crash, where_processes_are_shared_the_group_tells_whose_they_are)
{
	shell_scene_run_scripts(&scene);
	shell_scene_process(&scene, "1", "pause", "/pause|", "pause");
	shell_scene_process(&scene, "6", "consul", "consul|agent|-server|", "own");
	shell_scene_process(&scene, "19", "consul", "consul|agent|", "side");
	shell_scene_process(&scene, "23", "consul", "consul|agent|-server|", "other-pod");
	expect_crash();
	expect_killed("-KILL 6\n");
}

Test(crash, a_child_that_is_about_to_become_another_program_ends_too)
{
	shell_scene_run_scripts(&scene);
	shell_scene_process(&scene, "7", "consul", "consul|agent|", NULL);
	shell_scene_process(&scene, "70", "consul", "consul|agent|", NULL);
	expect_crash();
	expect_killed("-KILL 7\n-KILL 70\n");
}

Test(crash, without_such_a_process_nothing_is_done)
{
	shell_scene_run_scripts(&scene);
	shell_scene_mkdir(&scene, "data/raft");
	shell_scene_process(&scene, "1", "sleep", "sleep|1000|", NULL);
	shell_scene_process(&scene, "19", "consul", "consul|agent|", "side");
	order.data_dir = scene.data_dir;
	order.peers_json = PEERS;
	expect_failure(crash_within(SCENE_LONG_MS), ERR_NOT_FOUND, "no process of its container consul runs",
	               "kubectl logs -n ns consul-0 -c consul");
	expect_killed("");
	cr_expect_not(shell_scene_has(&scene, "data/raft/peers.json"));
}

Test(crash, somebody_elses_process_is_left_alone)
{
	shell_scene_run_scripts(&scene);
	shell_scene_mkdir(&scene, "data/raft");
	shell_scene_process(&scene, "1", "consul", "consul|agent|", NULL);
	replace_string(&scene.prologue,
	               xstrdup("kill() { echo \"kill: (1): Operation not permitted\" >&2; return 1; }\n"));
	order.data_dir = scene.data_dir;
	order.peers_json = PEERS;
	expect_failure(crash_within(SCENE_LONG_MS), ERR_FORBIDDEN, "Operation not permitted", "runAsUser");
	cr_expect_not(shell_scene_has(&scene, "data/raft/peers.json"));
}

Test(crash, a_process_that_lives_on_does_not_keep_its_peers)
{
	shell_scene_run_scripts(&scene);
	shell_scene_mkdir(&scene, "data/raft");
	shell_scene_process(&scene, "1", "consul", "consul|agent|", NULL);
	replace_string(&scene.prologue, xstrdup("kill() { ls \"$D/data/raft\" >\"$D/killed\"; }\n"));
	order.data_dir = scene.data_dir;
	order.peers_json = PEERS;
	expect_failure(crash_within(SCENE_LONG_MS), ERR_FAILED, "lives on", NULL);
	expect_killed("peers.json\n");
	cr_expect_not(shell_scene_has(&scene, "data/raft/peers.json"));
}

/* Whose parent does not wait for it. */
Test(crash, a_zombie_has_ended)
{
	shell_scene_run_scripts(&scene);
	shell_scene_process(&scene, "7", "consul", "consul|agent|", NULL);
	replace_string(&scene.prologue, xstrdup("kill() { echo '7 (consul) Z 1' >\"$D/proc/7/stat\"; }\n"));
	expect_crash();
}

/* ---------------------------------------------------------------------------------------- the file */

Test(crash, peers_are_there_before_the_signal)
{
	_cleanup_free_ char *peers = NULL, *path = xasprintf("%s/data/raft/peers.json", scene.directory);
	struct stat info;

	shell_scene_run_scripts(&scene);
	shell_scene_mkdir(&scene, "data/raft");
	replace_string(&scene.prologue, xstrdup("kill() { ls \"$D/data/raft\" >\"$D/killed\"; rm -rf \"$D/proc/1\"; }\n"
	                                        "umask 077\n"));
	order.data_dir = scene.data_dir;
	order.peers_json = PEERS;
	for (size_t i = 0; shell_scene_shells[i]; i++) {
		if (access(shell_scene_shells[i], X_OK) < 0)
			continue;
		scene.shell = shell_scene_shells[i];
		unlink(path);
		shell_scene_process(&scene, "1", "consul", "consul|agent|", NULL);
		expect_crash();
		expect_killed("peers.json\n");
		replace_string(&peers, shell_scene_read(&scene, "data/raft/peers.json"));
		cr_expect_str_eq(peers, PEERS "\n");
		cr_assert_eq(stat(path, &info), 0);
		cr_expect_eq(info.st_mode & 0777, 0644, "Consul may be another user than the exec");
	}
}

Test(crash, peers_that_cannot_be_written_stop_it)
{
	shell_scene_run_scripts(&scene);
	shell_scene_process(&scene, "1", "consul", "consul|agent|", NULL);
	order.data_dir = scene.data_dir;
	order.peers_json = PEERS;
	expect_failure(crash_within(SCENE_LONG_MS), ERR_FAILED,
	               "/data/raft/peers.json cannot be written: ", "its data directory");
	shell_scene_mkdir(&scene, "data/raft");
	replace_string(&scene.prologue, xstrdup("mv() { echo 'mv: Read-only file system' >&2; return 1; }\n"));
	expect_failure(crash_within(SCENE_LONG_MS), ERR_FAILED, "cannot be written: mv: Read-only file system", NULL);
	expect_killed("");
	cr_expect_not(shell_scene_has(&scene, "data/raft/peers.json.tmp"));
}

/* A disk that is full may take the first bytes of it. */
Test(crash, peers_that_are_not_whole_stop_it)
{
	shell_scene_run_scripts(&scene);
	shell_scene_mkdir(&scene, "data/raft");
	shell_scene_process(&scene, "1", "consul", "consul|agent|", NULL);
	replace_string(&scene.prologue, xstrdup("printf() { echo '[{'; }\n"));
	order.data_dir = scene.data_dir;
	order.peers_json = PEERS;
	expect_failure(crash_within(SCENE_LONG_MS), ERR_FAILED, "cannot be written", NULL);
	expect_killed("");
	cr_expect_not(shell_scene_has(&scene, "data/raft/peers.json"));
	cr_expect_not(shell_scene_has(&scene, "data/raft/peers.json.tmp"));
}

Test(crash, a_file_that_waits_is_not_set_off)
{
	shell_scene_run_scripts(&scene);
	shell_scene_mkdir(&scene, "data/raft");
	shell_scene_process(&scene, "1", "consul", "consul|agent|", NULL);
	shell_scene_write(&scene, "data/raft/peers.json", "[]");
	order.data_dir = scene.data_dir;
	expect_failure(crash_within(SCENE_LONG_MS), ERR_FAILED, "a raft/peers.json waits",
	               "kubectl consul recover -n ");
	expect_killed("");
	cr_assert_eq(crash_remove_peers(scene.reality.client, &scene.reality.seen, &order,
	                                clock_monotonic_ms() + SCENE_LONG_MS, &scene.reality.err),
	             0, "%s", scene.reality.err.message);
	cr_expect_not(shell_scene_has(&scene, "data/raft/peers.json"));
	expect_crash();
	expect_killed("-QUIT 1\n");
}

static int remove_peers(void)
{
	err_release(&scene.reality.err);
	return crash_remove_peers(scene.reality.client, &scene.reality.seen, &order,
	                          clock_monotonic_ms() + SCENE_LONG_MS, &scene.reality.err);
}

Test(crash, removing_what_is_not_there_is_fine)
{
	shell_scene_run_scripts(&scene);
	order.data_dir = scene.data_dir;
	cr_expect_eq(remove_peers(), 0, "%s", scene.reality.err.message);
	shell_scene_mkdir(&scene, "data/raft");
	shell_scene_write(&scene, "data/raft/peers.json.tmp", "[");
	cr_expect_eq(remove_peers(), 0);
	cr_expect_not(shell_scene_has(&scene, "data/raft/peers.json.tmp"));
	shell_scene_mkdir(&scene, "data/raft/peers.json");
	cr_expect_eq(remove_peers(), -1);
	cr_expect(strstr(scene.reality.err.message, "/data/raft/peers.json cannot be removed: "), "%s",
	          scene.reality.err.message);
	order.pod = "consul-9";
	cr_expect_eq(remove_peers(), -1);
	cr_expect_eq(scene.reality.err.kind, ERR_NOT_FOUND);
}

/* ---------------------------------------------------------------------------------- how it ends */

struct ending {
	struct exec_answer answer;
	enum err_kind kind; /* ERR_NONE: it crashed */
	const char *words;
	const char *hint;
};

static void try_endings(const struct ending *endings, size_t count, int64_t milliseconds)
{
	for (size_t i = 0; i < count; i++) {
		const struct apiserver_exec rows[] = { { .pod = "*", .answer = endings[i].answer }, { 0 } };

		apiserver_add(scene.reality.server, NULL, rows, NULL);
		if (endings[i].kind == ERR_NONE)
			cr_expect_eq(crash_within(milliseconds), 0, "%zu: %s", i, scene.reality.err.message);
		else
			expect_failure(crash_within(milliseconds), endings[i].kind, endings[i].words, endings[i].hint);
	}
}

Test(crash, the_end_of_the_container_is_the_success)
{
	static const struct ending endings[] = {
		{ .answer = { .output = "signal\n" } },
		{ .answer = { .output = "signal\n", .exit_code = 137 } },
		{ .answer = { .output = "signal\n", .end = EXEC_CLOSE } },
		{ .answer = { .output = "signal\n", .end = EXEC_DROP } },
		{ .answer = { .output = "signal\n", .end = EXEC_FAILURE, .text = "task 8 not found" } },
	};

	try_endings(endings, ARRAY_SIZE(endings), SCENE_LONG_MS);
}

Test(crash, an_end_before_the_signal_is_a_failure)
{
	static const struct ending endings[] = {
		{ .answer = { .end = EXEC_CLOSE }, .kind = ERR_PROTOCOL, .words = "without telling" },
		{ .answer = { .exit_code = 137 }, .kind = ERR_FAILED, .words = "exits with 137: it said nothing" },
		{ .answer = { .exit_code = 2, .error_output = "sh: syntax error\n" },
		  .kind = ERR_FAILED,
		  .words = "exits with 2: sh: syntax error" },
		{ .answer = { .end = EXEC_FAILURE, .text = "exec: \\\"sh\\\": executable file not found in $PATH" },
		  .kind = ERR_FAILED,
		  .words = "there is no shell in the container",
		  .hint = "kubectl debug -n ns consul-0 -it --image=busybox --target=consul -- sh" },
	};

	try_endings(endings, ARRAY_SIZE(endings), SCENE_LONG_MS);
}

Test(crash, no_end_is_none)
{
	static const struct ending endings[] = {
		{ .answer = { .end = EXEC_HANG }, .kind = ERR_TIMEOUT, .words = "timed out" },
		{ .answer = { .output = "signal\n", .end = EXEC_HANG }, .kind = ERR_TIMEOUT, .words = "timed out" },
	};

	try_endings(endings, ARRAY_SIZE(endings), 300);
}

Test(crash, refusals_say_what_to_do)
{
	static const struct {
		const char *name;
		enum err_kind kind;
		const char *hint;
	} cases[] = {
		{ "forbidden", ERR_FORBIDDEN, "\"pods/exec\"" },
		{ "pod absent", ERR_NOT_FOUND, NULL },
		{ "container not created", ERR_NOT_FOUND, "kubectl describe pod consul-0 -n ns" },
		{ "container stopped", ERR_NOT_FOUND, "kubectl describe pod consul-0 -n ns" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct upgrade_refusal *refusal = upgrade_refusals;
		struct apiserver_route routes[] = { { .path = "*/exec" }, { 0 } };

		while (refusal->name && !str_equal(refusal->name, cases[i].name))
			refusal++;
		cr_assert_not_null(refusal->name);
		routes[0].answer = refusal->answer;
		apiserver_add(scene.reality.server, routes, NULL, NULL);
		expect_failure(crash_within(SCENE_LONG_MS), cases[i].kind, "", cases[i].hint);
	}
}

Test(crash, several_are_crashed_and_each_has_its_outcome)
{
	static const struct apiserver_exec rows[] = {
		{ .pod = "consul-1", .answer = { .exit_code = 70 } },
		{ .pod = "*", .answer = { .output = "signal\n", .end = EXEC_DROP } },
		{ 0 },
	};
	struct crash_order orders[] = { { .pod = "consul-0" }, { .pod = "consul-1" }, { .pod = "nobody" } };
	struct reality *reality = &scene.reality;

	apiserver_add(reality->server, NULL, rows, NULL);
	cr_expect_eq(
	    crash(reality->client, &reality->seen, orders, 3, clock_monotonic_ms() + SCENE_LONG_MS, &reality->err), -1);
	cr_expect_not(err_is_set(&orders[0].err));
	cr_expect_eq(orders[1].err.kind, ERR_NOT_FOUND);
	cr_expect_eq(orders[2].err.kind, ERR_NOT_FOUND);
	cr_expect_str_eq(reality->err.message, orders[1].err.message);
	cr_expect_eq(apiserver_count(reality->server, NULL, "*/exec"), 2);
	for (size_t i = 0; i < 3; i++)
		err_release(&orders[i].err);
}

Test(crash, the_real_world_crashes_and_removes)
{
	struct reality *reality = &scene.reality;

	shell_scene_run_scripts(&scene);
	shell_scene_mkdir(&scene, "data/raft");
	shell_scene_process(&scene, "1", "consul", "consul|agent|", NULL);
	shell_scene_write(&scene, "data/raft/peers.json", "[]");
	order.data_dir = scene.data_dir;
	cr_expect_eq(reality->world.remove_peers(reality->world.context, &reality->seen, &order, &reality->err), 0);
	cr_expect_not(shell_scene_has(&scene, "data/raft/peers.json"));
	cr_expect_eq(reality->world.crash(reality->world.context, &reality->seen, &order, 1, &reality->err), 0, "%s",
	             reality->err.message);
	expect_killed("-QUIT 1\n");
}
