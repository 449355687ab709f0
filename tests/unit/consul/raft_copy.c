/* consul/raft_copy: the real tar of a directory that is as still as Consul's, and of one that is not. */
#include "consul/raft_copy.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "../../support/run.h"
#include "shell_scene.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/mem.h"
#include "util/str.h"

static struct shell_scene scene;
static char *target; /* directory of the copy */
static char *path;
static uint64_t bytes;

static void set_up(void)
{
	shell_scene_start(&scene);
	target = file_join(scene.directory, "copy");
	path = NULL;
	shell_scene_mkdir(&scene, "data/raft");
	shell_scene_write(&scene, "data/raft/raft.db", "the log");
	shell_scene_write(&scene, "data/node-id", "an id");
	shell_scene_mkdir(&scene, "data/serf");
}

static void tear_down(void)
{
	free(target);
	free(path);
	shell_scene_stop(&scene);
}

TestSuite(raft_copy, .init = set_up, .fini = tear_down, .timeout = 60);

static int save_within(int64_t milliseconds)
{
	struct reality *reality = &scene.reality;

	err_release(&reality->err);
	return raft_copy_save(reality->client, &reality->seen.servers[0], scene.data_dir, target,
	                      clock_monotonic_ms() + milliseconds, &path, &bytes, &reality->err);
}

static void expect_saved(void)
{
	struct stat info;

	cr_assert_eq(save_within(SCENE_LONG_MS), 0, "%s", scene.reality.err.message);
	cr_expect(str_ends_with(path, "/copy/consul-0.tar"), "%s", path);
	cr_assert_eq(stat(path, &info), 0);
	cr_expect_eq((uint64_t)info.st_size, bytes);
	cr_expect_eq(info.st_mode & 0777, 0600);
}

static void expect_failure(int status, enum err_kind kind, const char *words)
{
	const struct err *err = &scene.reality.err;

	cr_assert_eq(status, -1);
	cr_expect_eq(err->kind, kind, "%d: %s", (int)err->kind, err->message);
	cr_expect(strstr(err->message, words), "\"%s\" is not in: %s", words, err->message);
	cr_expect_null(path);
	cr_expect_not(shell_scene_has(&scene, "copy"), "something is left behind");
}

static void expect_listed(const char *expected)
{
	struct run_result result;

	run_program(&(struct run_options){ .program = "/bin/tar", .argv = RUN_ARGV("-tf", path) }, &result);
	cr_expect_str_eq(result.output, expected);
	run_result_release(&result);
}

/* This script is the container's tar. */
static void put_tar(const char *script)
{
	_cleanup_free_ char *text = xasprintf("#!/bin/sh\n%s", script), *tar = file_join(scene.directory, "bin/tar");

	shell_scene_mkdir(&scene, "bin");
	shell_scene_write(&scene, "bin/tar", text);
	cr_assert_eq(chmod(tar, 0755), 0);
	replace_string(&scene.prologue, xasprintf("%sPATH=$D/bin:$PATH\n", scene.prologue));
}

Test(raft_copy, has_the_raft_directory_and_the_id)
{
	struct stat info;

	shell_scene_run_scripts(&scene);
	expect_saved();
	expect_listed("node-id\nraft/\nraft/raft.db\n");
	cr_assert_eq(stat(target, &info), 0);
	cr_expect_eq(info.st_mode & 0777, 0700);
	cr_expect_eq(scene.scripts, 1);
}

Test(raft_copy, goes_without_an_id)
{
	_cleanup_free_ char *id = file_join(scene.data_dir, "node-id");

	shell_scene_run_scripts(&scene);
	cr_assert_eq(unlink(id), 0);
	expect_saved();
	expect_listed("raft/\nraft/raft.db\n");
}

Test(raft_copy, begins_again_when_the_server_wrote_meanwhile)
{
	shell_scene_run_scripts(&scene);
	/* The second of two runs comes upon another file, the first time. */
	put_tar("/bin/tar \"$@\"\n"
	        "[ -e \"${0%/*}/wrote\" ] || { echo >\"${0%/*}/wrote\"\n"
	        "echo 'the longer log' >raft/raft.db; }\n");
	expect_saved();
	cr_expect_eq(scene.scripts, 2);
}

Test(raft_copy, gives_up_on_a_server_that_keeps_writing)
{
	shell_scene_run_scripts(&scene);
	replace_string(&scene.prologue, xstrdup("sha256sum() { echo \"0123  -\"; }\n"));
	expect_failure(save_within(SCENE_LONG_MS), ERR_CONFLICT, "/data/raft changed during each of 8 copies");
	cr_expect_eq(scene.scripts, 8);
	cr_expect(strstr(scene.reality.err.hint, "at every election"), "%s", scene.reality.err.hint);
	/* GNU tar says it itself. */
	replace_string(&scene.prologue, xstrdup(""));
	put_tar("echo 'tar: raft/raft.db: file changed as we read it' >&2\nexit 1\n");
	expect_failure(save_within(SCENE_LONG_MS), ERR_CONFLICT, "changed during each");
}

Test(raft_copy, says_what_is_missing)
{
	shell_scene_run_scripts(&scene);
	replace_string(&scene.prologue, xstrdup("command() { [ \"$2\" != sha256sum ]; }\n"));
	expect_failure(save_within(SCENE_LONG_MS), ERR_FAILED, "needs tar and sha256sum");
	replace_string(&scene.prologue, xstrdup(""));
	put_tar("echo 'tar: raft/raft.db: Permission denied' >&2\nexit 2\n");
	expect_failure(save_within(SCENE_LONG_MS), ERR_FAILED, "exits with 2: tar: raft/raft.db: Permission denied");
	replace_string(&scene.data_dir, xstrdup("/nowhere"));
	expect_failure(save_within(SCENE_LONG_MS), ERR_FAILED, "there is no directory /nowhere/raft");
}

Test(raft_copy, never_replaces_a_file)
{
	_cleanup_free_ char *text = NULL;

	shell_scene_run_scripts(&scene);
	shell_scene_mkdir(&scene, "copy");
	shell_scene_write(&scene, "copy/consul-0.tar", "of another day");
	cr_assert_eq(save_within(SCENE_LONG_MS), -1);
	cr_expect_eq(scene.reality.err.kind, ERR_CONFIG);
	cr_expect(strstr(scene.reality.err.message, "consul-0.tar exists already"), "%s", scene.reality.err.message);
	text = shell_scene_read(&scene, "copy/consul-0.tar");
	cr_expect_str_eq(text, "of another day");
	cr_expect_eq(scene.scripts, 0);
}

Test(raft_copy, wants_the_parent_of_its_directory)
{
	shell_scene_run_scripts(&scene);
	replace_string(&target, file_join(scene.directory, "no/copy"));
	expect_failure(save_within(SCENE_LONG_MS), ERR_CONFIG, "cannot make directory ");
}

Test(raft_copy, a_name_cannot_lead_elsewhere)
{
	replace_string(&scene.reality.seen.servers[0].name, xstrdup("../consul-0"));
	expect_failure(save_within(SCENE_LONG_MS), ERR_INVALID, "none of a file");
	replace_string(&scene.reality.seen.servers[0].name, xstrdup("consul-0"));
	scene.reality.seen.servers[0].has_pod = false;
	expect_failure(save_within(SCENE_LONG_MS), ERR_NOT_FOUND, "no container of Consul");
}

Test(raft_copy, what_does_not_come_whole_is_not_kept)
{
	static const struct apiserver_exec rows[] = {
		{ .pod = "*", .answer = { .output = "half", .end = EXEC_CLOSE }, .times = 1 },
		{ .pod = "*", .answer = { .output = "half", .end = EXEC_HANG }, .times = 1 },
		{ .pod = "*",
		  .answer = { .end = EXEC_FAILURE, .text = "exec: \\\"sh\\\": executable file not found in $PATH" } },
		{ 0 },
	};

	apiserver_add(scene.reality.server, NULL, rows, NULL);
	expect_failure(save_within(SCENE_LONG_MS), ERR_PROTOCOL, "without telling");
	expect_failure(save_within(300), ERR_TIMEOUT, "timed out");
	cr_expect_str_eq(scene.reality.err.hint, "4 bytes had come: give it more time (--timeout)");
	expect_failure(save_within(SCENE_LONG_MS), ERR_FAILED, "there is no shell");
}
