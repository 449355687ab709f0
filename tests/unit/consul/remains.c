/* consul/remains: what its script says of real directories, strict decoding, reading logs, and which are asked for. */
#include "consul/remains.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "fixture.h"
#include "shell_scene.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#define ID       "5d3e4a62-66fb-3971-84a9-13695985d245"
#define LOG_PATH "/api/v1/namespaces/ns/pods/consul-1/log"
#define WHOLE    "node-id " ID "\nraft yes\nkib 68\nwritable yes\npeers no\nend\n"

/* ----------------------------------------------------------------------------------------- decoding */

Test(remains, what_the_script_prints_is_decoded)
{
	struct remains remains = REMAINS_INIT;
	_cleanup_err_ struct err err = ERR_INIT;
	const char *other = "node-id \nraft no\nkib 0\nwritable no\npeers yes\nend\n";
	const char *upper =
	    "node-id 5D3E4A62-66FB-3971-84A9-13695985D245\nraft no\nkib 0\nwritable no\npeers no\nend\n";

	cr_assert_eq(remains_decode(WHOLE, strlen(WHOLE), &remains, &err), 0, "%s", err.message);
	cr_expect(remains.known && remains.has_raft && remains.writable && !remains.peers_waiting);
	cr_expect_str_eq(remains.node_id, ID);
	cr_expect_eq(remains.raft_bytes, 68 * 1024);
	cr_assert_eq(remains_decode(other, strlen(other), &remains, &err), 0, "%s", err.message);
	cr_expect(remains.known && !remains.has_raft && !remains.writable && remains.peers_waiting);
	cr_expect_null(remains.node_id);
	cr_assert_eq(remains_decode(upper, strlen(upper), &remains, &err), 0, "%s", err.message);
	cr_expect_str_eq(remains.node_id, ID);
	remains_release(&remains);
}

Test(remains, an_id_that_consul_would_not_take_is_none)
{
	static const char *const ids[] = { "hello",
		                           "5d3e4a62-66fb-3971-84a9-13695985d24",
		                           ID "0",
		                           "5d3e4a62066fb-3971-84a9-13695985d245",
		                           "5d3e4a62-66fb-3971-84a9-13695985d24g",
		                           "\033[31m4a62-66fb-3971-84a9-13695985d245" };

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		_cleanup_free_ char *text =
		    xasprintf("node-id %s\nraft no\nkib 0\nwritable no\npeers no\nend\n", ids[i]);
		_cleanup_(remains_release) struct remains remains = REMAINS_INIT;
		_cleanup_err_ struct err err = ERR_INIT;

		cr_expect_eq(remains_decode(text, strlen(text), &remains, &err), 0, "%s", ids[i]);
		cr_expect_null(remains.node_id, "%s", ids[i]);
	}
}

Test(remains, what_the_script_did_not_print_is_an_error)
{
	static const char *const texts[] = {
		"",
		"node-id " ID,
		"node-id " ID "\nraft yes\nkib 68\nwritable yes\npeers no\n",
		"node-id " ID "\nraft yes\nkib 68\nwritable yes\npeers no\nend",
		WHOLE "\n",
		"\n" WHOLE,
		WHOLE WHOLE,
		"node-id " ID "\nraft maybe\nkib 68\nwritable yes\npeers no\nend\n",
		"node-id " ID "\nraft yes\nkib -1\nwritable yes\npeers no\nend\n",
		"node-id " ID "\nraft yes\nkib 18446744073709551615\nwritable yes\npeers no\nend\n",
		"node-id " ID "\nraft yes\nkib 68\npeers no\nwritable yes\nend\n",
		"node-id " ID "\nraft yes\nkib 68\nwritable yes\npeers no\nend of it\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct remains remains = REMAINS_INIT;
		_cleanup_err_ struct err err = ERR_INIT;

		cr_expect_eq(remains_decode(texts[i], strlen(texts[i]), &remains, &err), -1, "%zu", i);
		cr_expect_eq(err.kind, ERR_PROTOCOL, "%zu", i);
		cr_expect(!remains.known && !remains.node_id, "%zu", i);
		remains_release(&remains);
	}
}

/* --------------------------------------------------------------------------------- the data directory */

static void expect_data_dir(const char *const *args, const char *variable, const char *expected)
{
	struct kube_env environment = { .name = (char[]){ "CONSUL_DATA_DIR" }, .value = xstrdup_null(variable) };
	struct kube_container container = { .env = &environment, .env_count = variable ? 1 : 0 };
	struct server server = { .container = &container, .view = VIEW_INIT };
	_cleanup_free_ char *got = NULL;

	for (; *args; args++)
		strv_add(&container.args, *args);
	got = remains_data_dir(&server);
	cr_expect_str_eq(got, expected);
	strv_release(&container.args);
	free(environment.value);
}

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

Test(remains, the_data_directory_is_on_the_command_line)
{
	expect_data_dir(ARGS("agent", "-data-dir=/data", "-server"), NULL, "/data");
	expect_data_dir(ARGS("agent", "--data-dir=/data"), "/other", "/data");
	expect_data_dir(ARGS("agent", "-data-dir", "/data"), NULL, "/data");
	expect_data_dir(ARGS("agent", "-data-dir"), NULL, "/consul/data");
	expect_data_dir(ARGS("exec consul agent \\\n  -data-dir=/data \\\n  -server"), NULL, "/data");
	expect_data_dir(ARGS("consul agent -data-dir \"/my/data\""), NULL, "/my/data");
	expect_data_dir(ARGS("consul agent -data-dir=/data; true"), NULL, "/data");
	expect_data_dir(ARGS("agent", "-data-dirs=/data"), NULL, "/consul/data");
	expect_data_dir(ARGS("agent", "-data-dir=$(DATA)"), NULL, "/consul/data");
	expect_data_dir(ARGS("agent", "-server"), "/other", "/other");
	expect_data_dir(ARGS("agent", "-server"), "", "/consul/data");
	expect_data_dir(ARGS("agent"), NULL, "/consul/data");
}

Test(remains, the_agent_knows_its_data_directory_best)
{
	struct kube_container container = { 0 };
	struct server server = { .container = &container, .view = VIEW_INIT };
	_cleanup_free_ char *said = NULL, *default_one = NULL;

	strv_add(&container.command, "-data-dir=/data");
	server.view.self_known = true;
	server.view.self.data_dir = (char[]){ "/said" };
	said = remains_data_dir(&server);
	cr_expect_str_eq(said, "/said");
	server = (struct server){ .view = VIEW_INIT };
	default_one = remains_data_dir(&server);
	cr_expect_str_eq(default_one, "/consul/data", "without a container, too");
	strv_release(&container.command);
}

/* --------------------------------------------------------------------------------------------- logs */

static void expect_log(const char *fixture, enum remains_trouble trouble, const char *words)
{
	_cleanup_(remains_release) struct remains remains = REMAINS_INIT;
	size_t length;
	_cleanup_free_ char *text = fixture_read(fixture, &length);

	remains_read_log(text, length, &remains);
	cr_expect_eq(remains.trouble, trouble, "%s: %d", fixture, remains.trouble);
	cr_expect(str_equal(remains.last_words, words), "%s: %s", fixture, remains.last_words);
}

#define START "Failed to start Consul server: Failed to start Raft: "

Test(remains, a_broken_store_is_told)
{
	expect_log("1.8.7/log-garbage.txt", REMAINS_CORRUPT, START "invalid database");
	expect_log("1.8.7/log-one-page.txt", REMAINS_CORRUPT, START "file size too small");
	expect_log("1.8.7/log-zero-pages.txt", REMAINS_CORRUPT, "panic: invalid page type: 0: 0");
	expect_log("1.8.7/log-quarter.txt", REMAINS_CORRUPT, "unexpected fault address 0x7f202a81b00a");
	expect_log("1.8.7/log-snapshot.txt", REMAINS_CORRUPT, START "failed to load any existing snapshots");
	expect_log("1.8.7/log-snapshot-peers.txt", REMAINS_CORRUPT,
	           START "recovery failed: failed to restore any of the available snapshots");
}

Test(remains, bad_peers_are_told)
{
	expect_log("1.8.7/log-peers-no-json.txt", REMAINS_BAD_PEERS,
	           START "recovery failed to parse peers.json: invalid character 'h' looking for beginning of value");
	expect_log("1.8.7/log-peers-empty.txt", REMAINS_BAD_PEERS,
	           START "recovery failed to parse peers.json: Need at least one voter in configuration: {[]}");
	expect_log("1.8.7/log-no-state.txt", REMAINS_BAD_PEERS,
	           START "recovery failed: refused to recover cluster with no initial state, this is probably an "
	                 "operator error");
}

Test(remains, a_server_that_was_away_too_long_is_told)
{
	expect_log("1.18.0/log-rejoin.txt", REMAINS_TOO_OLD,
	           "refusing to rejoin cluster because server has been offline for more than the configured "
	           "server_rejoin_age_max (168h0m0s) - consider wiping your data dir");
}

Test(remains, other_ends_are_told_in_their_words)
{
	expect_log("1.8.7/log-not-a-file.txt", REMAINS_OTHER, START "open /consul/data/t/raft/raft.db: is a directory");
	expect_log("1.8.7/log-denied.txt", REMAINS_OTHER,
	           "CRITICAL: Permission denied for data folder at \"/consul/data/t/mdb\"!");
	expect_log("1.8.7/log-node-id.txt", REMAINS_OTHER,
	           "failed to setup node ID: NodeID in /consul/data/t/node-id is invalid: uuid string is wrong length");
	expect_log("1.8.7/log-quit.txt", REMAINS_OTHER, "SIGQUIT: quit");
}

/* It had been told to end, after it had complained of this and that. */
Test(remains, a_log_without_a_reason_is_fine)
{
	expect_log("1.8.7/log-term.txt", REMAINS_FINE, NULL);
}

static void expect_text(const char *text, enum remains_trouble trouble, const char *words)
{
	_cleanup_(remains_release) struct remains remains = { .trouble = REMAINS_CORRUPT,
		                                              .last_words = xstrdup("of another log") };

	remains_read_log(text, strlen(text), &remains);
	cr_expect_eq(remains.trouble, trouble, "%s: %d", text, remains.trouble);
	cr_expect(str_equal(remains.last_words, words), "%s: %s", text, remains.last_words);
}

Test(remains, logs_of_any_form_are_read)
{
	static const char too_old[] = "refusing to rejoin cluster because … server_rejoin_age_max (168h0m0s)";
	_cleanup_free_ char *long_line = xcalloc(5000, 1);
	_cleanup_free_ char *after = xasprintf(
	    "2024 [ERROR] agent: startup error: error=\"%s\"\n[INFO] agent: Consul agent running!\n", too_old);
	_cleanup_(remains_release) struct remains remains = REMAINS_INIT;

	expect_text("", REMAINS_FINE, NULL);
	expect_text("\n\r\n\n", REMAINS_FINE, NULL);
	expect_text("==> Error starting agent: Failed to start Raft: invalid database", REMAINS_CORRUPT,
	            "Error starting agent: Failed to start Raft: invalid database");
	expect_text("2019/01/01 00:00:00 [ERR] agent: no\r\n", REMAINS_OTHER, "agent: no");
	expect_text("{\"@level\":\"error\",\"@message\":\"no\"}\n", REMAINS_OTHER,
	            "{\"@level\":\"error\",\"@message\":\"no\"}");
	expect_text("[ERROR] a: error=\"\"\n", REMAINS_OTHER, "a: error=\"\"");
	expect_text("[ERROR] \033[31mred\n", REMAINS_OTHER, "^[[31mred");
	expect_text("[ERROR] one\n[ERROR] two\n", REMAINS_OTHER, "two");
	expect_text("Failed to start Raft: invalid database\n[ERROR] two\n", REMAINS_CORRUPT,
	            "Failed to start Raft: invalid database");
	expect_text(after, REMAINS_FINE, NULL);
	expect_text("==> Consul agent running!\npanic: oh\n\ngoroutine 7 [running]:\nmain.main()\n", REMAINS_OTHER,
	            "panic: oh");
	expect_text("panic: oh\n\ngoroutine 7 [running]:\nmain.main()\n\ngoroutine 8 [running]:\n"
	            "go.etcd.io/bbolt.(*DB).sync()\n",
	            REMAINS_OTHER, "panic: oh");
	expect_text("panic: oh\n\ngoroutine 7 [running]:\ngo.etcd.io/bbolt.(*DB).sync()\n", REMAINS_CORRUPT,
	            "panic: oh");
	memset(long_line, 'x', 4999);
	memcpy(long_line, "[ERROR] ", 8);
	remains_read_log(long_line, 4999, &remains);
	cr_expect_eq(remains.trouble, REMAINS_OTHER);
	cr_expect_lt(strlen(remains.last_words), 320);
}

/* -------------------------------------------------------------------------------------- directories */

static struct shell_scene scene;
static struct remains seen[3];

static void set_up(void)
{
	shell_scene_start(&scene);
	for (size_t i = 0; i < 3; i++) {
		struct self *self = &scene.reality.seen.servers[i].view.self;

		replace_string(&self->data_dir, xstrdup(scene.data_dir));
		seen[i] = (struct remains)REMAINS_INIT;
	}
}

static void tear_down(void)
{
	for (size_t i = 0; i < 3; i++)
		remains_release(&seen[i]);
	shell_scene_stop(&scene);
}

TestSuite(remains_look, .init = set_up, .fini = tear_down, .timeout = 60);

static void look(void)
{
	struct reality *reality = &scene.reality;

	for (size_t i = 0; i < 3; i++)
		remains_release(&seen[i]);
	cr_assert_eq(reality->world.inspect(reality->world.context, &reality->seen, seen, &reality->err), 0, "%s",
	             reality->err.message);
}

static void expect_known(bool has_raft, bool writable, bool peers_waiting, const char *node_id)
{
	for (size_t i = 0; i < 3; i++) {
		cr_assert(seen[i].known, "%s: %s", scene.shell, seen[i].err.message);
		cr_expect_eq(seen[i].has_raft, has_raft, "%s", scene.shell);
		cr_expect_eq(seen[i].writable, writable, "%s", scene.shell);
		cr_expect_eq(seen[i].peers_waiting, peers_waiting, "%s", scene.shell);
		cr_expect(str_equal(seen[i].node_id, node_id), "%s", scene.shell);
		cr_expect_str_eq(seen[i].data_dir, scene.data_dir);
		cr_expect_eq(seen[i].trouble, REMAINS_FINE);
	}
}

Test(remains_look, directories_are_looked_into_by_every_shell)
{
	shell_scene_run_scripts(&scene);
	for (size_t i = 0; shell_scene_shells[i]; i++) {
		_cleanup_free_ char *raft = xasprintf("%s/raft", scene.data_dir);
		_cleanup_free_ char *away = xasprintf("%s/away-%zu", scene.directory, i);

		if (access(shell_scene_shells[i], X_OK) < 0)
			continue;
		scene.shell = shell_scene_shells[i];
		shell_scene_write(&scene, "data/node-id", "");
		look();
		expect_known(false, false, false, NULL);

		shell_scene_mkdir(&scene, "data/raft");
		shell_scene_write(&scene, "data/raft/raft.db", "");
		shell_scene_mkdir(&scene, "data/raft/snapshots");
		shell_scene_mkdir(&scene, "data/raft/snapshots/2-17-1.tmp");
		shell_scene_write(&scene, "data/raft/snapshots/2-17-1.tmp/state.bin", "half");
		shell_scene_write(&scene, "data/node-id", ID); /* Consul writes no newline */
		look();
		expect_known(false, true, false, ID);
		cr_expect_gt(seen[0].raft_bytes, 0);

		shell_scene_write(&scene, "data/raft/peers.json", "[]");
		shell_scene_mkdir(&scene, "data/raft/snapshots/2-17-1");
		shell_scene_write(&scene, "data/raft/snapshots/2-17-1/state.bin", "whole");
		look();
		expect_known(true, true, true, ID);

		shell_scene_write(&scene, "data/raft/snapshots/2-17-1/state.bin", "");
		shell_scene_write(&scene, "data/raft/raft.db", "something");
		look();
		expect_known(true, true, true, ID);
		cr_assert_eq(rename(raft, away), 0);
	}
}

/* To a shell it has no files then: not to be taken for one without data. */
Test(remains_look, what_may_not_be_looked_into_is_unknown)
{
	shell_scene_run_scripts(&scene);
	shell_scene_write(&scene, "data/raft", "nobody may go into a file");
	look();
	cr_expect_not(seen[0].known);
	cr_expect_eq(seen[0].err.kind, ERR_FORBIDDEN);
	cr_expect(strstr(seen[0].err.message, "/data/raft cannot be looked into"), "%s", seen[0].err.message);
	replace_string(&scene.reality.seen.servers[1].view.self.data_dir, xstrdup("/nowhere"));
	look();
	cr_expect_not(seen[1].known);
	cr_expect_eq(seen[1].err.kind, ERR_NOT_FOUND);
	cr_expect(strstr(seen[1].err.message, "pod consul-1: the data directory /nowhere cannot be looked into: "),
	          "%s", seen[1].err.message);
}

Test(remains_look, what_an_exec_says_is_foreign)
{
	static const struct apiserver_exec rows[] = {
		{ .pod = "consul-0", .answer = { .output = WHOLE "more\n" } },
		{ .pod = "consul-1", .answer = { .end = EXEC_CLOSE, .output = WHOLE } },
		{ .pod = "consul-2",
		  .answer = { .end = EXEC_FAILURE, .text = "exec: \\\"sh\\\": executable file not found in $PATH" } },
		{ 0 },
	};

	apiserver_add(scene.reality.server, NULL, rows, NULL);
	look();
	for (size_t i = 0; i < 3; i++)
		cr_expect_not(seen[i].known);
	cr_expect_eq(seen[0].err.kind, ERR_PROTOCOL);
	cr_expect(str_starts_with(seen[0].err.message, "pod consul-0: "), "%s", seen[0].err.message);
	cr_expect_eq(seen[1].err.kind, ERR_PROTOCOL, "a connection that was cut tells nothing");
	cr_expect(strstr(seen[2].err.message, "no shell"), "%s", seen[2].err.message);
	cr_expect(strstr(seen[2].err.hint, "kubectl debug"), "%s", seen[2].err.hint);
}

/* ----------------------------------------------------------------------------- those that do not run */

static const struct apiserver_exec answers[] = { { .pod = "*", .answer = { .output = WHOLE } }, { 0 } };

/* consul-1's container has ended, and waits or has not been started again yet. */
static void end_container(bool waits)
{
	struct server *server = &scene.reality.seen.servers[1];
	struct kube_container *container = &server->pod.containers[0];

	container->running = false;
	container->was_terminated = true;
	replace_string(waits ? &container->waiting_reason : &container->terminated_reason,
	               xstrdup(waits ? "CrashLoopBackOff" : "Error"));
	view_release(&server->view);
	server->view = (struct view)VIEW_INIT;
	apiserver_add(scene.reality.server, NULL, answers, NULL);
}

#define TEXT(body_)                                                                                                    \
	{                                                                                                              \
		.content_type = "text/plain", .body = (body_)                                                          \
	}

Test(remains_look, one_that_waits_is_told_by_its_previous_log)
{
	static const struct apiserver_route routes[] = {
		{ .path = LOG_PATH,
		  .query = "previous=true",
		  .answer = TEXT("[ERROR] agent: error=\"Failed to start Raft: invalid database\"\n") },
		{ 0 },
	};
	const struct apiserver_request *request;

	end_container(true);
	apiserver_add(scene.reality.server, routes, NULL, NULL);
	look();
	cr_expect(seen[0].known && !seen[1].known && seen[2].known);
	cr_expect_eq(seen[1].trouble, REMAINS_CORRUPT);
	cr_expect_str_eq(seen[1].last_words, "Failed to start Raft: invalid database");
	cr_expect_str_eq(seen[1].data_dir, "/consul/data");
	cr_expect(strstr(seen[1].err.message, "its container consul does not run (CrashLoopBackOff)"), "%s",
	          seen[1].err.message);
	cr_expect_null(seen[1].err.hint);
	cr_expect_eq(apiserver_count(scene.reality.server, NULL, "*/log"), 1);
	request = apiserver_find(scene.reality.server, "GET", "*/log", 0);
	cr_expect_str_eq(request->query, "container=consul&tailLines=400&previous=true");
}

/* The log before it would be of the run before. */
Test(remains_look, one_that_has_just_ended_is_told_by_its_own_log)
{
	static const struct apiserver_route routes[] = {
		{ .path = LOG_PATH, .query = "previous=true", .answer = TEXT("SIGQUIT: quit\n") },
		{ .path = LOG_PATH, .answer = TEXT("[ERROR] recovery failed to parse peers.json: EOF\n") },
		{ 0 },
	};

	end_container(false);
	apiserver_add(scene.reality.server, routes, NULL, NULL);
	look();
	cr_expect_eq(seen[1].trouble, REMAINS_BAD_PEERS);
	cr_expect_eq(apiserver_count(scene.reality.server, NULL, "*/log"), 1);
}

Test(remains_look, the_other_log_is_read_where_one_is_gone)
{
	static const struct apiserver_route routes[] = {
		{ .path = LOG_PATH,
		  .query = "previous=true",
		  .answer = { .status = 400,
		              .body = STATUS_FAILURE(400, "BadRequest",
		                                     "previous terminated container \\\"consul\\\" not found") } },
		{ .path = LOG_PATH, .answer = TEXT("[ERROR] agent: no\n") },
		{ 0 },
	};

	end_container(true);
	apiserver_add(scene.reality.server, routes, NULL, NULL);
	look();
	cr_expect_eq(seen[1].trouble, REMAINS_OTHER);
	cr_expect_str_eq(seen[1].last_words, "agent: no");
}

Test(remains_look, a_log_that_cannot_be_read_is_said)
{
	static const struct apiserver_route absent[] = {
		{ .path = LOG_PATH, .answer = { .status = 400, .body = STATUS_FAILURE(400, "BadRequest", "gone") } },
		{ 0 },
	};
	static const struct apiserver_route forbidden[] = {
		{ .path = LOG_PATH, .answer = { .status = 403, .body = STATUS_FAILURE(403, "Forbidden", "no") } },
		{ 0 },
	};

	end_container(true);
	apiserver_add(scene.reality.server, absent, NULL, NULL);
	look();
	cr_expect_eq(seen[1].trouble, REMAINS_FINE);
	cr_expect(strstr(seen[1].err.hint, "nor can its log be read: "), "%s", seen[1].err.hint);
	cr_expect_eq(apiserver_count(scene.reality.server, NULL, "*/log"), 2);
	apiserver_add(scene.reality.server, forbidden, NULL, NULL);
	look();
	cr_expect(strstr(seen[1].err.hint, "\"pods/log\""), "%s", seen[1].err.hint);
	cr_expect_eq(apiserver_count(scene.reality.server, NULL, "*/log"), 3, "the right is missing for both");
}

Test(remains_look, one_that_never_ran_has_no_log)
{
	struct kube_container *container = &scene.reality.seen.servers[1].pod.containers[0];

	end_container(true);
	container->was_terminated = false;
	replace_string(&container->waiting_reason, xstrdup("ContainerCreating"));
	look();
	cr_expect(strstr(seen[1].err.message, "does not run (ContainerCreating)"), "%s", seen[1].err.message);
	cr_expect_eq(apiserver_count(scene.reality.server, NULL, "*/log"), 0);
}

/* Refusing to rejoin takes it a minute; whatever else it complains of may be nothing. */
Test(remains_look, one_that_runs_and_is_silent_is_read_too)
{
	static const struct apiserver_route too_old[] = {
		{ .path = LOG_PATH,
		  .answer = TEXT("[ERROR] agent: startup error: error=\"refusing to rejoin cluster because it is more "
		                 "than server_rejoin_age_max (168h0m0s)\"\n") },
		{ 0 },
	};
	static const struct apiserver_route other[] = { { .path = LOG_PATH, .answer = TEXT("[ERROR] oh\n") }, { 0 } };
	static const struct apiserver_route forbidden[] = {
		{ .path = LOG_PATH, .answer = { .status = 403, .body = STATUS_FAILURE(403, "Forbidden", "no") } },
		{ 0 },
	};
	struct server *server = &scene.reality.seen.servers[1];

	view_release(&server->view);
	server->view = (struct view)VIEW_INIT;
	apiserver_add(scene.reality.server, too_old, answers, NULL);
	look();
	cr_expect(seen[1].known);
	cr_expect_eq(seen[1].trouble, REMAINS_TOO_OLD);
	apiserver_add(scene.reality.server, other, NULL, NULL);
	look();
	cr_expect(seen[1].known);
	cr_expect_eq(seen[1].trouble, REMAINS_FINE);
	cr_expect_null(seen[1].last_words);
	apiserver_add(scene.reality.server, forbidden, NULL, NULL);
	look();
	cr_expect(seen[1].known);
	cr_expect_not(err_is_set(&seen[1].err));
	cr_expect_eq(apiserver_count(scene.reality.server, NULL, "*consul-0/log"), 0, "those that answer are not");
}

Test(remains_look, places_without_a_pod_or_container_are_unknown)
{
	struct server *servers = scene.reality.seen.servers;

	apiserver_add(scene.reality.server, NULL, answers, NULL);
	servers[0].has_pod = false;
	servers[1].container = NULL;
	look();
	cr_expect_eq(seen[0].err.kind, ERR_NOT_FOUND);
	cr_expect_str_eq(seen[0].err.message, "there is no pod consul-0");
	cr_expect_eq(seen[1].err.kind, ERR_NOT_FOUND);
	cr_expect(seen[2].known);
	cr_expect_eq(apiserver_request_total(scene.reality.server), 1);
}
