/* Saving a snapshot: both ways, against the scripted API server, into a directory of the test's own. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../support/run.h"
#include "../kube/connected.h"
#include "consul/backup.h"
#include "fixture.h"
#include "util/file.h"
#include "util/str.h"

#define CHUNKED "Transfer-Encoding: chunked\r\n"

static struct connected world;
static char *archive;
static size_t archive_length;
static char directory[64];
static char *path; /* of the backup, in directory */
static struct backup_info info;
static struct kube_container container = { .name = (char[]){ "consul" } };

/*
 * The system's own calls, but for disks that cannot do them: here they are found before those of libc. 0: as ever; else
 * the errno they fail with.
 */
static int linkat_fails, fsync_fails;

int linkat(int from_directory, const char *from, int to_directory, const char *to, int flags)
{
	if (!linkat_fails)
		return (int)syscall(SYS_linkat, from_directory, from, to_directory, to, flags);
	errno = linkat_fails;
	return -1;
}

int fsync(int fd)
{
	if (!fsync_fails)
		return (int)syscall(SYS_fsync, fd);
	errno = fsync_fails;
	return -1;
}

/* ----------------------------------------------------------------------------------------- answers */

enum content { WHOLE, HALF, MORE };

static void make_answer(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	const enum content *content = context;

	(void)request;
	answer->body = archive;
	answer->length = *content == HALF ? archive_length / 2 : archive_length;
	answer->content_type = "application/x-gzip";
	if (*content != MORE)
		return;
	answer->scratch.max = 2 * archive_length;
	if (buf_add(&answer->scratch, archive, archive_length) < 0 || buf_add(&answer->scratch, "No leader", 9) < 0)
		abort();
	answer->body = answer->scratch.data;
	answer->length = answer->scratch.len;
}

static void make_output(void *context, const struct exec_request *request, struct exec_answer *answer)
{
	const enum content *content = context;

	(void)request;
	answer->output = archive;
	answer->output_length = *content == HALF ? archive_length / 2 : archive_length;
}

/* Somebody else makes a file of that name meanwhile. */
static void make_rival(void *context, const struct exec_request *request, struct exec_answer *answer)
{
	FILE *file = fopen(path, "wx");

	make_output(context, request, answer);
	if (!file || fputs("rival", file) < 0 || fclose(file) != 0)
		abort();
}

static enum content whole = WHOLE, half = HALF, more = MORE;

static const struct apiserver_port no_tunnel[] = { { .pod = "*", .kind = PORT_ERROR, .text = "connection refused" },
	                                           { 0 } };

static const struct apiserver_route tunnel_whole[] = {
	{ .pod = "consul-0",
	  .port = 8500,
	  .method = "GET",
	  .path = "/v1/snapshot",
	  .answer = { .fault = FAULT_CHUNKED, .fault_bytes = 333 },
	  .make = make_answer,
	  .context = &whole },
	{ 0 },
};
static const struct apiserver_exec exec_whole[] = {
	{ .pod = "consul-0",
	  .container = "consul",
	  .command = "sh -c *consul snapshot save*",
	  .make = make_output,
	  .context = &whole },
	{ 0 },
};

static void set_up(void)
{
	archive = fixture_read("1.8.7/snapshot.tgz", &archive_length);
	snprintf(directory, sizeof(directory), "/tmp/unit-backup-XXXXXX");
	cr_assert(mkdtemp(directory));
	path = file_join(directory, "backup.tgz");
	connected_start(&world, &(struct apiserver_options){ 0 });
}

static size_t count_files(void)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	struct run_result result;

	run_program(&(struct run_options){ .program = "/bin/ls", .argv = RUN_ARGV("-A", directory) }, &result);
	strv_split(&names, result.output, '\n');
	run_result_release(&result);
	return names.count - 1;
}

static void tear_down(void)
{
	struct run_result result;

	connected_stop(&world);
	run_program(&(struct run_options){ .program = "/bin/rm", .argv = RUN_ARGV("-rf", directory) }, &result);
	run_result_release(&result);
	free(path);
	free(archive);
}

TestSuite(backup, .init = set_up, .fini = tear_down, .timeout = 60);

/* ----------------------------------------------------------------------------------------- helpers */

static int save_within(enum ask_way via, enum ask_way asked_by, int64_t ms)
{
	struct server server = {
		.name = (char[]){ "consul-0" }, .has_pod = true, .container = &container, .view = VIEW_INIT
	};

	server.pod.name = server.name;
	server.pod.namespace_name = (char[]){ "ns" };
	server.view.way = asked_by;
	err_release(&world.err);
	return backup_save(world.client, &server, &(struct access){ .via = via }, path, soon_ms(ms), &info, &world.err);
}

static int save(enum ask_way via)
{
	return save_within(via, ASK_TUNNEL, LONG_MS);
}

static void expect_saved(int status)
{
	_cleanup_buf_ struct buf file = BUF_INIT(1000000);
	_cleanup_err_ struct err err = ERR_INIT;
	struct stat stat_info;

	cr_assert_eq(status, 0, "%s", world.err.message);
	cr_assert_eq(info.index, 23);
	cr_assert_eq(info.term, 2);
	cr_assert_eq(info.bytes, archive_length);
	cr_assert_eq(file_read(path, &file, &err), 0, "%s", err.message);
	cr_assert(file.len == archive_length && memcmp(file.data, archive, archive_length) == 0);
	cr_assert_eq(stat(path, &stat_info), 0);
	cr_assert_eq(stat_info.st_mode & 07777, 0600);
	cr_assert_eq(count_files(), 1);
}

static void expect_failure(int status, enum err_kind kind, const char *part)
{
	cr_assert_eq(status, -1);
	cr_assert_eq(world.err.kind, kind, "%d: %s", (int)world.err.kind, world.err.message);
	cr_assert(strstr(world.err.message, part), "\"%s\" is not in: %s", part, world.err.message);
	cr_assert_eq(count_files(), 0, "something is left behind");
}

static void expect_hint(const char *part)
{
	cr_assert(world.err.hint && strstr(world.err.hint, part), "\"%s\" is not in: %s", part, world.err.hint);
}

/* -------------------------------------------------------------------------------------------- whole */

Test(backup, comes_through_a_tunnel)
{
	apiserver_add(world.server, tunnel_whole, exec_whole, NULL);
	expect_saved(save(ASK_NONE));
	cr_assert_eq(apiserver_count(world.server, NULL, "*/exec"), 0);
	unlink(path);
	expect_saved(save(ASK_TUNNEL));
}

Test(backup, comes_by_exec)
{
	apiserver_add(world.server, NULL, exec_whole, NULL);
	expect_saved(save(ASK_EXEC));
	cr_assert_eq(apiserver_count(world.server, NULL, "*/portforward"), 0);
}

Test(backup, comes_by_exec_where_that_was_the_way_to_ask)
{
	apiserver_add(world.server, tunnel_whole, exec_whole, NULL);
	expect_saved(save_within(ASK_NONE, ASK_EXEC, LONG_MS));
	cr_assert_eq(apiserver_count(world.server, NULL, "*/portforward"), 0);
}

Test(backup, comes_by_exec_where_there_is_no_tunnel)
{
	apiserver_add(world.server, NULL, exec_whole, no_tunnel);
	expect_saved(save(ASK_NONE));
	unlink(path);
	expect_failure(save(ASK_TUNNEL), ERR_UNREACHABLE, "connection refused");
}

/* The container may have a token. */
Test(backup, comes_by_exec_where_the_tunnel_is_denied)
{
	static const struct apiserver_route denied[] = {
		{ .pod = "*", .path = "/v1/snapshot", .answer = { .status = 403, .body = "Permission denied" } }, { 0 }
	};

	apiserver_add(world.server, denied, exec_whole, NULL);
	expect_saved(save(ASK_NONE));
}

/* ------------------------------------------------------------------------------------------ refused */

Test(backup, is_denied_by_both_ways)
{
	static const struct apiserver_route denied[] = {
		{ .pod = "*", .path = "/v1/snapshot", .answer = { .status = 403, .body = "Permission denied\n" } },
		{ 0 }
	};
	static const struct apiserver_exec exec_denied[] = {
		{ .pod = "*",
		  .answer = { .error_output =
		                  "Error saving snapshot: Unexpected response code: 403 (Permission denied)\n",
		              .exit_code = 1 } },
		{ 0 },
	};

	apiserver_add(world.server, denied, exec_denied, NULL);
	expect_failure(save(ASK_TUNNEL), ERR_FORBIDDEN,
	               "pod consul-0: Consul refuses the snapshot (Permission denied): it needs management rights (a "
	               "token of acl = write)");
	expect_failure(save(ASK_EXEC), ERR_FORBIDDEN, "it needs management rights (a token of acl = write)");
	expect_hint("CONSUL_HTTP_TOKEN");
	expect_failure(save(ASK_NONE), ERR_FORBIDDEN, "it needs management rights (a token of acl = write)");
	cr_assert_eq(strncmp(world.err.message, "pod consul-0: Consul refuses", 28), 0, "%s", world.err.message);
	expect_hint("CONSUL_HTTP_TOKEN");
}

Test(backup, is_not_tried_again_when_consul_cannot)
{
	static const struct apiserver_route error[] = {
		{ .pod = "*",
		  .path = "/v1/snapshot",
		  .answer = { .status = 500, .body = "No cluster \x1b[2Jleader\n" } },
		{ 0 },
	};

	apiserver_add(world.server, error, exec_whole, NULL);
	expect_failure(save(ASK_NONE), ERR_UNAVAILABLE,
	               "pod consul-0: Consul answers /v1/snapshot with 500: No cluster ^[[2Jleader");
	cr_assert_eq(apiserver_count(world.server, NULL, "*/exec"), 0);
}

Test(backup, exits_are_told_apart)
{
	static const struct {
		struct exec_answer answer;
		enum err_kind kind;
		const char *part, *hint;
	} rows[] = {
		{ { .exit_code = 73, .error_output = "mktemp: (null): Read-only file system\n" },
		  ERR_FAILED,
		  "pod consul-0: no temporary directory can be made in the container: mktemp: (null): Read-only",
		  "--via tunnel" },
		{ { .exit_code = 1,
		    .error_output = "Error writing snapshot file: write /tmp/x: no space left on device\n\n" },
		  ERR_FAILED,
		  "the disk of the container's temporary directory is full",
		  "make room there" },
		{ { .exit_code = 127, .error_output = "sh: consul: not found\n" },
		  ERR_FAILED,
		  "there is no consul command in the container: sh: consul: not found",
		  NULL },
		{ { .exit_code = 127, .error_output = "Usage: consul [--version] [--help] <command> [<args>]\n" },
		  ERR_UNAVAILABLE,
		  "this Consul has no snapshots",
		  NULL },
		{ { .exit_code = 1, .error_output = "Error saving snapshot: 500 (No cluster leader)\n" },
		  ERR_UNAVAILABLE,
		  "consul snapshot save exits with 1: Error saving snapshot: 500 (No cluster leader)",
		  NULL },
		{ { .end = EXEC_FAILURE, .text = "exec: \\\"sh\\\": executable file not found in $PATH" },
		  ERR_FAILED,
		  "pod consul-0: there is no shell in the container",
		  "a tunnel (--via tunnel) needs none" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct apiserver_exec execs[2] = { { .pod = "*", .answer = rows[i].answer }, { 0 } };

		apiserver_add(world.server, NULL, execs, NULL);
		expect_failure(save(ASK_EXEC), rows[i].kind, rows[i].part);
		if (rows[i].hint)
			expect_hint(rows[i].hint);
	}
}

Test(backup, tells_why_neither_way_goes)
{
	static const struct apiserver_exec no_shell[] = {
		{ .pod = "*",
		  .answer = { .end = EXEC_FAILURE, .text = "exec: \\\"sh\\\": executable file not found" } },
		{ 0 },
	};

	apiserver_add(world.server, NULL, no_shell, no_tunnel);
	expect_failure(save(ASK_NONE), ERR_UNREACHABLE,
	               "by tunnel: pod consul-0 port 8500: nothing listens there (connection refused); "
	               "by exec: pod consul-0: there is no shell in the container");
	expect_hint("a tunnel (--via tunnel) needs none, but the right to create pods/portforward");
}

/* ---------------------------------------------------------------------------------------- not whole */

Test(backup, half_an_archive_through_a_tunnel)
{
	static const struct apiserver_route cut[] = {
		{ .pod = "*", .path = "/v1/snapshot", .make = make_answer, .context = &half }, { 0 }
	};
	static const struct apiserver_route further[] = {
		{ .pod = "*", .path = "/v1/snapshot", .make = make_answer, .context = &more }, { 0 }
	};
	static const struct apiserver_route text[] = {
		{ .pod = "*", .path = "/v1/snapshot", .answer = { .body = "rpc error" } }, { 0 }
	};

	apiserver_add(world.server, cut, exec_whole, NULL);
	expect_failure(save(ASK_NONE), ERR_INVALID,
	               "the snapshot of pod consul-0 is not whole: the archive is cut off after");
	apiserver_add(world.server, further, NULL, NULL);
	expect_failure(save(ASK_NONE), ERR_INVALID, "is not whole: more follows the end of the archive");
	apiserver_add(world.server, text, NULL, NULL);
	expect_failure(save(ASK_NONE), ERR_INVALID, "is not whole: it is no gzip archive");
	cr_assert_eq(apiserver_count(world.server, NULL, "*/exec"), 0, "another way gives no better archive");
}

Test(backup, an_answer_that_does_not_end)
{
	static const struct apiserver_route cut[] = {
		{ .pod = "*",
		  .path = "/v1/snapshot",
		  .answer = { .headers = CHUNKED, .body = "3\r\n\x1f\x8b\x08\r\n", .fault = FAULT_NO_LENGTH } },
		{ 0 },
	};

	apiserver_add(world.server, cut, NULL, NULL);
	expect_failure(save_within(ASK_NONE, ASK_TUNNEL, SHORT_MS), ERR_TIMEOUT, "/v1/snapshot");
	expect_hint("3 bytes had come: give it more time");
}

Test(backup, half_an_archive_by_exec)
{
	static const struct apiserver_exec cut[] = { { .pod = "*", .make = make_output, .context = &half }, { 0 } };
	static const struct apiserver_exec dropped[] = {
		{ .pod = "*", .make = make_output, .context = &half, .answer = { .end = EXEC_CLOSE } }, { 0 }
	};
	static const struct apiserver_exec failed[] = {
		{ .pod = "*",
		  .make = make_output,
		  .context = &whole,
		  .answer = { .exit_code = 1, .error_output = "cat: I/O error" } },
		{ 0 },
	};

	apiserver_add(world.server, NULL, cut, NULL);
	expect_failure(save(ASK_EXEC), ERR_INVALID,
	               "the snapshot of pod consul-0 is not whole: the archive is cut off after");
	apiserver_add(world.server, NULL, dropped, NULL);
	expect_failure(save(ASK_EXEC), ERR_PROTOCOL, "without telling how the command did");
	apiserver_add(world.server, NULL, failed, NULL);
	expect_failure(save(ASK_EXEC), ERR_UNAVAILABLE, "exits with 1: cat: I/O error");
}

/* What came of the tunnel's answer must not be in front of what comes by exec. */
Test(backup, begins_again_by_exec)
{
	static const struct apiserver_route dies[] = {
		{ .pod = "*",
		  .path = "/v1/snapshot",
		  .answer = { .headers = CHUNKED,
		              .body = "3\r\n\x1f\x8b\x08\r\nno chunk\r\n",
		              .fault = FAULT_NO_LENGTH } },
		{ 0 },
	};

	apiserver_add(world.server, dies, exec_whole, NULL);
	expect_saved(save(ASK_NONE));
	cr_assert_eq(apiserver_count(world.server, NULL, "*/exec"), 1);
}

/* ------------------------------------------------------------------------------------------ the file */

static void replace_path(char *other)
{
	free(path);
	path = other;
}

Test(backup, nothing_is_overwritten)
{
	_cleanup_buf_ struct buf file = BUF_INIT(100);
	static const struct apiserver_exec rival[] = { { .pod = "*", .make = make_rival, .context = &whole }, { 0 } };

	apiserver_add(world.server, tunnel_whole, rival, NULL);
	cr_assert_eq(save(ASK_EXEC), -1);
	for (size_t i = 0; i < 2; i++) {
		cr_assert_eq(world.err.kind, ERR_CONFIG);
		cr_assert(str_ends_with(world.err.message, "/backup.tgz exists already"), "%s", world.err.message);
		expect_hint("name another file");
		cr_assert_eq(count_files(), 1);
		cr_assert_eq(save(ASK_TUNNEL), -1);
	}
	cr_assert_eq(apiserver_count(world.server, NULL, "*/portforward"), 0, "that was known before");
	err_release(&world.err);
	cr_assert_eq(file_read(path, &file, &world.err), 0);
	cr_assert_str_eq(buf_text(&file), "rival");
}

Test(backup, a_link_that_leads_nowhere_is_not_followed)
{
	apiserver_add(world.server, tunnel_whole, NULL, NULL);
	cr_assert_eq(symlink("nowhere", path), 0);
	cr_assert_eq(save(ASK_NONE), -1);
	cr_assert_eq(world.err.kind, ERR_CONFIG);
	cr_assert_eq(count_files(), 1);
}

Test(backup, names_that_cannot_be)
{
	apiserver_add(world.server, tunnel_whole, NULL, NULL);
	replace_path(file_join(directory, "no/backup.tgz"));
	expect_failure(save(ASK_NONE), ERR_CONFIG, "/no/: No such file or directory");
	replace_path(file_join(directory, ""));
	expect_failure(save(ASK_NONE), ERR_CONFIG, "is no name of a file");
	replace_path(file_join(directory, ".."));
	expect_failure(save(ASK_NONE), ERR_CONFIG, "is no name of a file");
	replace_path(xstrdup(""));
	expect_failure(save(ASK_NONE), ERR_CONFIG, "\"\" is no name of a file");
	replace_path(xstrdup("/dev/null/backup.tgz"));
	expect_failure(save(ASK_NONE), ERR_CONFIG, "cannot write /dev/null/backup.tgz: ");
	replace_path(xstrdup("/proc/backup.tgz"));
	expect_failure(save(ASK_NONE), ERR_CONFIG, "cannot write /proc/backup.tgz: ");
	cr_assert_eq(apiserver_request_total(world.server), 0, "Consul was asked for nothing");
}

/* A disk of memory cards and some network file systems. */
Test(backup, a_disk_without_hard_links)
{
	static const struct apiserver_exec rival[] = { { .pod = "*", .make = make_rival, .context = &whole }, { 0 } };

	apiserver_add(world.server, tunnel_whole, rival, NULL);
	linkat_fails = EPERM;
	expect_saved(save(ASK_NONE));
	unlink(path);
	cr_assert_eq(save(ASK_EXEC), -1);
	cr_assert(str_ends_with(world.err.message, "/backup.tgz exists already"), "%s", world.err.message);
	cr_assert_eq(count_files(), 1);
}

Test(backup, a_full_disk)
{
	apiserver_add(world.server, tunnel_whole, NULL, NULL);
	fsync_fails = ENOSPC;
	expect_failure(save(ASK_NONE), ERR_CONFIG, "/backup.tgz: No space left on device");
	expect_hint("make room there, or name a file on another disk");
}

/* As a quota, or a disk that is full already. */
Test(backup, a_disk_that_takes_no_more)
{
	const struct rlimit limit = { .rlim_cur = 1000, .rlim_max = 1000 };

	apiserver_add(world.server, tunnel_whole, exec_whole, NULL);
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	expect_failure(save(ASK_NONE), ERR_CONFIG, "/backup.tgz: File too large");
	cr_assert_eq(strncmp(world.err.message, "cannot write /tmp/", 18), 0, "%s", world.err.message);
	cr_assert_eq(apiserver_count(world.server, NULL, "*/exec"), 0);
	expect_failure(save(ASK_EXEC), ERR_CONFIG, "/backup.tgz: File too large");
}

Test(backup, an_interrupt_leaves_nothing)
{
	static const struct apiserver_exec hangs[] = { { .pod = "*", .answer = { .end = EXEC_HANG } }, { 0 } };
	int ends[2];

	apiserver_add(world.server, NULL, hangs, NULL);
	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(write(ends[1], "", 1), 1);
	loop_set_interrupt(world.loop, ends[0]);
	expect_failure(save(ASK_EXEC), ERR_INTERRUPTED, "");
	expect_failure(save(ASK_TUNNEL), ERR_INTERRUPTED, "");
	expect_failure(save(ASK_NONE), ERR_INTERRUPTED, "");
	close(ends[0]);
	close(ends[1]);
}

/* --------------------------------------------------------------------------------------- the script */

static void write_consul(const char *text)
{
	_cleanup_free_ char *name = file_join(directory, "bin/consul");
	FILE *file = fopen(name, "w");

	cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
	cr_assert_eq(chmod(name, 0755), 0);
}

/* Runs the script that exec was given with this shell, a consul of ours, and a temporary directory, NAME in ours. */
static void run_script(const char *temporary, struct run_result *result)
{
	const struct apiserver_request *request = apiserver_find(world.server, NULL, "*/exec", 0);
	_cleanup_free_ char *text = apiserver_request_query(request, "command", 2);
	_cleanup_free_ char *search = xasprintf("PATH=%s/bin:/usr/bin:/bin", directory);
	_cleanup_free_ char *place = xasprintf("TMPDIR=%s/%s", directory, temporary);
	const char *environment[] = { search, place, NULL };

	run_program(
	    &(struct run_options){ .program = "/bin/sh", .argv = RUN_ARGV("-c", text), .environment = environment },
	    result);
}

static bool is_empty(const char *name)
{
	_cleanup_free_ char *full = file_join(directory, name);

	return rmdir(full) == 0 && mkdir(full, 0755) == 0;
}

Test(backup, the_script_gives_the_archive_alone_and_leaves_nothing)
{
	_cleanup_free_ char *bin = file_join(directory, "bin"), *temporary = file_join(directory, "a b");
	struct run_result result;

	apiserver_add(world.server, NULL, exec_whole, NULL);
	expect_saved(save(ASK_EXEC));
	cr_assert(mkdir(bin, 0755) == 0 && mkdir(temporary, 0755) == 0);

	write_consul(
	    "#!/bin/sh\necho noise\n[ \"$1 $2\" = 'snapshot save' ] && cat \"${0%/*}/../backup.tgz\" >\"$3\"\n");
	run_script("a b", &result);
	cr_assert_eq(result.exit_code, 0, "%s", result.error_output);
	cr_assert_eq(result.output_length, archive_length);
	cr_assert(memcmp(result.output, archive, archive_length) == 0);
	cr_assert_str_eq(result.error_output, "noise\n");
	cr_assert(is_empty("a b"));
	run_result_release(&result);

	write_consul("#!/bin/sh\necho half >\"$3\"; echo words >&2; exit 5\n");
	run_script("a b", &result);
	cr_assert_eq(result.exit_code, 5);
	cr_assert_str_eq(result.output, "");
	cr_assert_str_eq(result.error_output, "words\n");
	cr_assert(is_empty("a b"));
	run_result_release(&result);

	write_consul("#!/bin/sh\nkill -TERM $PPID; echo half >\"$3\"\n");
	run_script("a b", &result);
	cr_assert_eq(result.exit_code, 143);
	cr_assert(is_empty("a b"));
	run_result_release(&result);

	run_script("nowhere", &result);
	cr_assert_eq(result.exit_code, 73);
	run_result_release(&result);
}
