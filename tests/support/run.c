/* See run.h. */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#define OUTPUT_MAX ((size_t)256 * 1024 * 1024)
#define FTW_FILES  8

struct running {
	pid_t pid;
	int pidfd;
	char *home;
	int output_fd; /* -1: at its end */
	int error_fd;
	int terminal_fd; /* our side; -1: none */
	struct buf output;
	struct buf errors;
	bool ended;
	bool timed_out;
	int64_t started_ms;
	int64_t deadline_ms;
};

static void require(bool fine, const char *what)
{
	if (fine)
		return;
	fprintf(stderr, "run: %s: %s\n", what, strerror(errno));
	abort();
}

/* ------------------------------------------------------------------------------- the child's surroundings */

static char *make_home(void)
{
	const char *parent = getenv("TMPDIR");
	char *home = xasprintf("%s/home-XXXXXX", parent ? parent : "/tmp");

	require(mkdtemp(home) != NULL, "mkdtemp");
	return home;
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)type;
	(void)ftw;
	return remove(path);
}

static char *write_kubeconfig(const char *home, const char *text)
{
	char *path = xasprintf("%s/kubeconfig", home);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	require(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
	close(fd);
	return path;
}

/* Puts NAME=value in, in place of an earlier one of that name. */
static void set_variable(struct strv *environment, const char *variable)
{
	size_t length = strcspn(variable, "=") + 1;

	for (size_t i = 0; i < environment->count; i++) {
		if (strncmp(environment->items[i], variable, length) == 0) {
			replace_string(&environment->items[i], xstrdup(variable));
			return;
		}
	}
	strv_add(environment, variable);
}

static void make_environment(const struct run_options *options, const char *home, struct strv *environment)
{
	static const char *const kept[] = { "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TMPDIR" };

	strv_add(environment, "PATH=/usr/local/bin:/usr/bin:/bin");
	strv_addf(environment, "HOME=%s", home);
	strv_add(environment, "LC_ALL=C.UTF-8");
	strv_addf(environment, "TERM=%s", options->terminal ? "xterm-256color" : "dumb");
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (getenv(kept[i]))
			strv_addf(environment, "%s=%s", kept[i], getenv(kept[i]));
	if (options->kubeconfig) {
		_cleanup_free_ char *path = write_kubeconfig(home, options->kubeconfig);

		strv_addf(environment, "KUBECONFIG=%s", path);
	}
	for (const char *const *variable = options->environment; variable && *variable; variable++)
		set_variable(environment, *variable);
}

static void make_argv(const struct run_options *options, const char *program, struct strv *argv)
{
	strv_add(argv, options->name ? options->name : program);
	for (const char *const *word = options->argv; word && *word; word++)
		strv_add(argv, *word);
}

/* A file without a name that holds the input, at its beginning. */
static int open_input(const char *home, const char *text)
{
	_cleanup_free_ char *path = NULL;
	int fd;

	if (!text)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	path = xasprintf("%s/stdin", home);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	require(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && lseek(fd, 0, SEEK_SET) == 0, path);
	unlink(path);
	return fd;
}

/* ------------------------------------------------------------------------------------------- starting */

struct child_files {
	int input, output, errors; /* the child's */
	bool terminal;
};

static void open_terminal(const struct run_options *options, struct running *running, struct child_files *files)
{
	struct winsize size = { .ws_col = options->columns ? options->columns : 100,
		                .ws_row = options->rows ? options->rows : 40 };
	int ours, theirs;

	require(openpty(&ours, &theirs, NULL, NULL, &size) == 0, "openpty");
	fcntl(ours, F_SETFD, FD_CLOEXEC);
	fcntl(theirs, F_SETFD, FD_CLOEXEC);
	files->output = files->errors = theirs;
	files->terminal = true;
	running->output_fd = running->terminal_fd = ours;
	running->error_fd = -1;
}

static void open_pipes(struct running *running, struct child_files *files)
{
	int output[2], errors[2];

	require(pipe2(output, O_CLOEXEC) == 0 && pipe2(errors, O_CLOEXEC) == 0, "pipe");
	files->output = output[1];
	files->errors = errors[1];
	running->output_fd = output[0];
	running->error_fd = errors[0];
	running->terminal_fd = -1;
}

/* After fork: only what is safe there. */
static void become(const struct child_files *files, const char *program, char *const *argv, char *const *environment)
{
	setsid();
	dup2(files->input, 0);
	dup2(files->output, 1);
	dup2(files->errors, 2);
	if (files->terminal)
		ioctl(1, TIOCSCTTY, 0);
	execve(program, argv, environment);
	_exit(127);
}

struct running *run_start(const struct run_options *options)
{
	struct running *running = xcalloc(1, sizeof(*running));
	const char *program = options->program ? options->program : getenv("KUBECTL_CONSUL");
	struct child_files files = { 0 };
	_cleanup_strv_ struct strv argv = STRV_INIT, environment = STRV_INIT;

	if (!program) {
		fprintf(stderr, "run: KUBECTL_CONSUL is not set: start these tests by make\n");
		abort();
	}
	running->output = (struct buf)BUF_INIT(OUTPUT_MAX);
	running->errors = (struct buf)BUF_INIT(OUTPUT_MAX);
	running->home = make_home();
	make_environment(options, running->home, &environment);
	make_argv(options, program, &argv);
	if (options->terminal)
		open_terminal(options, running, &files);
	else
		open_pipes(running, &files);
	files.input = options->terminal && !options->input ? files.output : open_input(running->home, options->input);
	running->started_ms = clock_monotonic_ms();
	running->deadline_ms = running->started_ms + (options->timeout_ms ? options->timeout_ms : RUN_TIMEOUT_MS);
	running->pid = fork();
	require(running->pid >= 0, "fork");
	if (running->pid == 0)
		become(&files, program, argv.items, environment.items);
	running->pidfd = (int)syscall(SYS_pidfd_open, running->pid, 0);
	require(running->pidfd >= 0, "pidfd_open");
	if (files.input != files.output)
		close(files.input);
	if (files.errors != files.output)
		close(files.errors);
	close(files.output);
	return running;
}

/* -------------------------------------------------------------------------------------------- waiting */

static void take_output(int *fd, struct buf *out)
{
	char piece[65536];
	ssize_t count = read(*fd, piece, sizeof(piece));

	if (count > 0 && buf_add(out, piece, (size_t)count) == 0)
		return;
	if (count < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	close(*fd); /* the end, or EIO: nobody has the terminal open any more */
	*fd = -1;
}

/* Waits for something to happen, at most until_ms; false when nothing is left that could. */
static bool wait_once(struct running *running, int64_t until_ms)
{
	struct pollfd polled[3] = {
		{ .fd = running->output_fd, .events = POLLIN },
		{ .fd = running->error_fd, .events = POLLIN },
		{ .fd = running->ended ? -1 : running->pidfd, .events = POLLIN },
	};

	if (running->output_fd < 0 && running->error_fd < 0 && running->ended)
		return false;
	if (poll(polled, 3, clock_left_ms(until_ms, clock_monotonic_ms())) <= 0)
		return true;
	if (polled[0].revents)
		take_output(&running->output_fd, &running->output);
	if (polled[1].revents)
		take_output(&running->error_fd, &running->errors);
	if (polled[2].revents)
		running->ended = true;
	return true;
}

static size_t count_text(const char *text, const char *wanted)
{
	size_t count = 0;

	while ((text = strstr(text, wanted))) {
		count++;
		text += strlen(wanted);
	}
	return count;
}

bool run_wait_output(struct running *running, const char *text, size_t count, int timeout_ms)
{
	int64_t until_ms = clock_monotonic_ms() + timeout_ms;

	while (count_text(buf_text(&running->output), text) < count)
		if (clock_monotonic_ms() >= until_ms || !wait_once(running, until_ms))
			return false;
	return true;
}

void run_signal(struct running *running, int signal)
{
	if (!running->ended)
		kill(running->pid, signal);
}

void run_resize(struct running *running, unsigned short columns, unsigned short rows)
{
	struct winsize size = { .ws_col = columns, .ws_row = rows };

	require(ioctl(running->terminal_fd, TIOCSWINSZ, &size) == 0, "TIOCSWINSZ");
}

size_t run_output_length(const struct running *running)
{
	return running->output.len;
}

void run_type(struct running *running, const char *text)
{
	require(running->terminal_fd >= 0 && running->output_fd >= 0, "no terminal");
	require(write(running->terminal_fd, text, strlen(text)) == (ssize_t)strlen(text), "write");
}

const char *run_home(const struct running *running)
{
	return running->home;
}

/* Until it has ended and all it wrote is here; after the deadline it is killed, with what it may have started. */
static void wait_for_end(struct running *running)
{
	while (wait_once(running, running->deadline_ms)) {
		if (clock_monotonic_ms() < running->deadline_ms)
			continue;
		if (running->timed_out)
			break;
		running->timed_out = true;
		kill(-running->pid, SIGKILL);
		running->deadline_ms = clock_monotonic_ms() + 1000;
	}
}

static int64_t timeval_ms(struct timeval time)
{
	return (int64_t)time.tv_sec * 1000 + time.tv_usec / 1000;
}

void run_finish(struct running *running, struct run_result *ret_result)
{
	struct rusage usage = { 0 };
	int status = 0;

	wait_for_end(running);
	require(wait4(running->pid, &status, 0, &usage) == running->pid, "wait4");
	*ret_result = (struct run_result){
		.output_length = running->output.len,
		.error_length = running->errors.len,
		.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
		.timed_out = running->timed_out,
		.wall_ms = clock_monotonic_ms() - running->started_ms,
		.cpu_ms = timeval_ms(usage.ru_utime) + timeval_ms(usage.ru_stime),
		.max_rss_kib = usage.ru_maxrss,
	};
	ret_result->output = buf_detach(&running->output);
	ret_result->error_output = buf_detach(&running->errors);
	if (running->output_fd >= 0)
		close(running->output_fd);
	if (running->error_fd >= 0)
		close(running->error_fd);
	close(running->pidfd);
	nftw(running->home, remove_entry, FTW_FILES, FTW_DEPTH | FTW_PHYS);
	free(running->home);
	free(running);
}

void run_program(const struct run_options *options, struct run_result *ret_result)
{
	run_finish(run_start(options), ret_result);
}

void run_result_release(struct run_result *result)
{
	free(result->output);
	free(result->error_output);
	*result = (struct run_result){ 0 };
}
