/*
 * See cluster_parts.h: a container's shell. The script is run by the real sh, whose PATH holds a `consul` and perhaps a
 * `wget` that print what this server says, and nothing else.
 */
#include "cluster_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/mem.h"

#define SHELL "/bin/sh"

static const char *const commands[] = {
	"consul members", "consul members -detailed", "consul operator raft list-peers",
	"consul info",    "consul version",
};

static const char *const paths[] = { "/v1/agent/members", "/v1/agent/self", "/v1/operator/raft/configuration" };

static void write_file(const char *directory, const char *name, const char *text, mode_t mode)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", directory, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
}

/* Spaces and slashes become underscores, as in the scripts below. */
static char *file_name(const char *text, const char *suffix)
{
	char *name = xasprintf("%s%s", text, suffix);

	for (char *c = name; *c; c++)
		if (*c == ' ' || *c == '/')
			*c = '_';
	return name;
}

/* What a token, the right one, another, none and the recovery token, is shown with. */
static const char *const shown[] = { "", ".unknown", ".anonymous", ".recovery" };

static void write_answer(const char *directory, const char *key, const struct buf *out, const struct buf *errors,
                         int status)
{
	_cleanup_free_ char *output = file_name(key, ".out"), *error = file_name(key, ".err");
	_cleanup_free_ char *code = file_name(key, ".code"), *number = xasprintf("%d\n", status);

	write_file(directory, output, buf_text(out), 0600);
	write_file(directory, error, buf_text(errors), 0600);
	write_file(directory, code, number, 0600);
}

/* Sets x to what belongs to token t. To a command line with the token in it nothing does. */
#define SHOWN                                                                                                          \
	"x=; [ ! -f \"$d/token\" ] || { read -r a <\"$d/token\"; read -r r <\"$d/recovery\"\n"                         \
	"case $t in \"$a\") ;; '') x=.anonymous ;; \"$r\") x=.recovery ;; *) x=.unknown ;; esac\n"                     \
	"case $* in *\"$a\"*|*\"$r\"*) x=.told ;; esac; }\n"

/* `consul members -detailed -token=…` prints the files of "consul members -detailed"; flags it does not know go unseen.
 */
static const char consul_script[] =
    "#!/bin/sh\n"
    "d=${0%/*}\n"
    "k=consul\n"
    "for w in \"$@\"; do case $w in -detailed) k=\"${k}_$w\" ;; -*) ;; *) k=\"${k}_$w\" ;; esac; done\n"
    "t=$CONSUL_HTTP_TOKEN; [ -z \"$CONSUL_HTTP_TOKEN_FILE\" ] || t=file\n" SHOWN "k=$k$x\n"
    "[ -f \"$d/$k.out\" ] || { echo \"Usage: consul [--version] [--help] <command> [<args>]\" >&2; exit 127; }\n"
    "/bin/cat \"$d/$k.out\"; /bin/cat \"$d/$k.err\" >&2; read -r c <\"$d/$k.code\"; exit \"$c\"\n";

/* busybox wget: the body on stdout; an HTTP error is a line on stderr and exit 1. The URL comes last. */
#define FETCH                                                                                                          \
	"u=${u#*://*/}; u=_${u%%\\?*}\n"                                                                               \
	"k=; while [ -n \"$u\" ]; do case $u in */*) k=\"$k${u%%/*}_\"; u=${u#*/} ;; *) k=$k$u; u= ;; esac; done\n"    \
	"read -r c <\"$d/$k$x.code\" || exit 1\n"                                                                      \
	"[ \"$c\" = 200 ] || { echo \"server returned error: HTTP/1.1 $c\" >&2; exit 1; }\n"                           \
	"/bin/cat \"$d/$k$x.out\"\n"

static const char wget_script[] =
    "#!/bin/sh\n"
    "d=${0%/*}\n"
    "t=; for u in \"$@\"; do case $u in 'X-Consul-Token: '*) t=${u#*: } ;; esac; done\n" SHOWN FETCH;

/* curl reads headers from stdin with -H @-. */
static const char curl_script[] =
    "#!/bin/sh\n"
    "d=${0%/*}\n"
    "t=; for u in \"$@\"; do case $u in @-) IFS= read -r t; t=${t#*: } ;; esac; done\n" SHOWN FETCH;

/* Where there is none, nobody shows this. */
static const char *recovery_of(const struct cluster_state *state)
{
	return state->options->recovery ? state->options->recovery : "no-recovery-token";
}

static void furnish_cli(const struct cluster_state *state, size_t index, const char *directory, const char *command)
{
	const char *const tokens[] = { state->options->acl_token, "unknown", NULL, recovery_of(state) };

	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		_cleanup_buf_ struct buf out = BUF_TEXT, errors = BUF_TEXT;
		_cleanup_free_ char *key = xasprintf("%s%s", command, shown[i]);
		int status = cluster_cli(state, index, command, tokens[i], &out, &errors);

		write_answer(directory, key, &out, &errors, status);
	}
}

static void furnish_http(const struct cluster_state *state, size_t index, const char *directory, const char *path)
{
	const char *const tokens[] = { state->options->acl_token, "unknown", NULL, recovery_of(state) };

	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		_cleanup_buf_ struct buf out = BUF_TEXT, errors = BUF_TEXT;
		_cleanup_free_ char *key = xasprintf("%s%s", path, shown[i]);
		int status = cluster_acl(state, index, path, tokens[i], &out);

		if (!status)
			status = cluster_agent_answer(state, index, path, &out);
		if (state->servers[index].agent == AGENT_DOWN)
			status = 0;
		write_answer(directory, key, &out, &errors, status);
	}
}

static void furnish(const struct cluster_state *state, size_t index, const char *directory)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		furnish_cli(state, index, directory, commands[i]);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		furnish_http(state, index, directory, paths[i]);
	if (state->options->acl_token) {
		_cleanup_free_ char *line = xasprintf("%s\n", state->options->acl_token);
		_cleanup_free_ char *recovery = xasprintf("%s\n", recovery_of(state));

		write_file(directory, "token", line, 0600);
		write_file(directory, "recovery", recovery, 0600);
	}
	write_file(directory, "consul", consul_script, 0700);
	if (state->servers[index].has_wget)
		write_file(directory, "wget", wget_script, 0700);
	if (state->servers[index].has_curl)
		write_file(directory, "curl", curl_script, 0700);
}

static int open_output(const char *directory, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", directory, name);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		abort();
	return fd;
}

static void read_all(int fd, struct buf *out)
{
	char piece[16384];
	off_t at = 0;
	ssize_t count;

	while ((count = pread(fd, piece, sizeof(piece), at)) > 0) {
		if (buf_add(out, piece, (size_t)count) < 0)
			abort();
		at += count;
	}
}

static int spawn(const char *directory, const char *const *argv, int out, int errors)
{
	_cleanup_free_ char *input = xasprintf("%s/stdin", directory);
	_cleanup_free_ char *path = xasprintf("PATH=%s", directory);
	_cleanup_strv_ struct strv words = STRV_INIT, environment = STRV_INIT;
	posix_spawn_file_actions_t actions;
	int status = -1;
	pid_t child;

	for (; *argv; argv++)
		strv_add(&words, *argv);
	strv_add(&environment, path);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	posix_spawn_file_actions_adddup2(&actions, errors, 2);
	if (posix_spawn(&child, SHELL, &actions, NULL, words.items, environment.items) != 0)
		abort();
	posix_spawn_file_actions_destroy(&actions);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int cluster_shell(const struct cluster_state *state, size_t index, const char *directory, const char *const *argv,
                  const char *input, struct buf *out, struct buf *errors)
{
	int out_fd, errors_fd, status;

	furnish(state, index, directory);
	write_file(directory, "stdin", input, 0600);
	out_fd = open_output(directory, "stdout");
	errors_fd = open_output(directory, "stderr");
	status = spawn(directory, argv, out_fd, errors_fd);
	read_all(out_fd, out);
	read_all(errors_fd, errors);
	close(out_fd);
	close(errors_fd);
	return status;
}
