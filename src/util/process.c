/* See include/util/process.h. */
#include "util/process.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/* Between the end of standard output and the end of the process: how often it is looked at. */
#define REAP_DELAY_MS     2
#define REAP_DELAY_MAX_MS 100
#define GRACE_STEP_MS     10
#define READ_SIZE         4096
/* How much of a program's path a message shows. */
#define SHOWN_MAX ((size_t)200)

#ifdef __APPLE__
extern char **environ;
#endif

struct process {
	struct loop *loop;
	process_done *done;
	void *context;
	pid_t pid; /* -1: it has ended and was waited for */
	int fd;    /* its standard output; -1: closed */
	struct buf output;
	bool is_too_large;
	struct loop_timer *timer;
	int reap_delay_ms;
};

/* ---------------------------------------------------------------------------------------- starting */

/* "Permission denied" as Go writes it. */
static int fail_by_errno(int number, struct err *err)
{
	_cleanup_free_ char *reason = xstrdup(strerror(number));

	*reason = (char)tolower((unsigned char)*reason);
	return err_set(err, number == ENOENT ? ERR_NOT_FOUND : ERR_FAILED, "%s", reason);
}

static bool is_replaced(const char *variable, const char *const *replacements)
{
	size_t length = strcspn(variable, "=");

	for (; replacements && *replacements; replacements++)
		if (strncmp(variable, *replacements, length) == 0 && (*replacements)[length] == '=')
			return true;
	return false;
}

/* Of two of the same name the last one counts, as in Go. */
static void make_environment(const char *const *ours, struct strv *environment)
{
	for (char **variable = environ; *variable; variable++)
		if (!is_replaced(*variable, ours))
			strv_add(environment, *variable);
	for (; ours && *ours; ours++)
		if (!is_replaced(*ours, ours + 1))
			strv_add(environment, *ours);
}

static int make_pipe(int ends[2], struct err *err)
{
	if (pipe(ends) < 0)
		return fail_by_errno(errno, err);
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	fcntl(ends[1], F_SETFD, FD_CLOEXEC);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static bool is_program(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && !S_ISDIR(status.st_mode) && access(path, X_OK) == 0;
}

/*
 * Where PATH has it, as Go looks for it: without PATH it is nowhere, and one that is found by a directory that is not
 * absolute ("." or "", mostly) is not run: whoever can write to the current directory would choose what we run.
 */
static int find(const char *name, char **ret_path, struct err *err)
{
	_cleanup_strv_ struct strv directories = STRV_INIT;
	const char *path = getenv("PATH");

	strv_split(&directories, path ? path : "", ':');
	for (size_t i = 0; !str_is_empty(path) && i < directories.count; i++) {
		const char *directory = *directories.items[i] ? directories.items[i] : ".";
		_cleanup_free_ char *file = xasprintf("%s/%s", directory, name), *shown = NULL;

		if (!is_program(file))
			continue;
		if (*directory == '/') {
			*ret_path = TAKE(file);
			return 0;
		}
		shown = str_visible(file, SHOWN_MAX);
		err_set(err, ERR_NOT_FOUND, "cannot run executable found relative to current directory");
		return err_hint(err,
		                "%s is there, but what a relative directory of PATH holds is not run: write absolute "
		                "ones into PATH",
		                shown);
	}
	return fail_by_errno(ENOENT, err);
}

/* An error number, or 0. */
static int spawn(const char *program, const struct process_options *options, int output_fd, pid_t *ret_pid)
{
	_cleanup_(strv_release_secret) struct strv environment = STRV_INIT;
	_cleanup_strv_ struct strv argv = STRV_INIT;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t defaults, mask;
	int number;

	make_environment(options->environment, &environment);
	for (const char *const *word = options->argv; *word; word++)
		strv_add(&argv, *word);
	assert(argv.items);
	sigemptyset(&mask);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setsigmask(&attributes, &mask);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_init(&files);
	if (!options->takes_input)
		posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, output_fd, STDOUT_FILENO);
	number = posix_spawn(ret_pid, program, &files, &attributes, argv.items, environment.items);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	return number;
}

/* ------------------------------------------------------------------------------------------ ending */

static void close_output(struct process *process)
{
	if (process->fd < 0)
		return;
	loop_unwatch(process->loop, process->fd);
	close(process->fd);
	process->fd = -1;
}

static void finish(struct process *process, int status)
{
	const struct process_end end = {
		.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		.is_too_large = process->is_too_large,
		.output = buf_text(&process->output),
		.output_length = process->output.len,
	};

	process->pid = -1;
	process->done(process->context, &end);
}

/* Standard output is closed: it ends now, or soon. */
static void reap(void *context)
{
	struct process *process = context;
	int status = 0;
	pid_t ended = waitpid(process->pid, &status, WNOHANG);

	if (ended != 0) {
		finish(process, ended > 0 ? status : SIGKILL);
		return;
	}
	loop_timer_set(process->timer, clock_monotonic_ms() + process->reap_delay_ms);
	if (process->reap_delay_ms < REAP_DELAY_MAX_MS)
		process->reap_delay_ms *= 2;
}

static void on_output(void *context, int fd, int events)
{
	struct process *process = context;
	char bytes[READ_SIZE];
	ssize_t count = read(fd, bytes, sizeof(bytes));

	(void)events;
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count > 0 && buf_add(&process->output, bytes, (size_t)count) < 0) {
		process->is_too_large = true;
		kill(process->pid, SIGKILL);
		count = 0;
	}
	mem_wipe(bytes, sizeof(bytes));
	if (count > 0)
		return;
	close_output(process);
	reap(process);
}

static void end_now(pid_t pid)
{
	kill(pid, SIGTERM);
	for (int waited_ms = 0; waited_ms < PROCESS_GRACE_MS; waited_ms += GRACE_STEP_MS) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return;
		poll(NULL, 0, GRACE_STEP_MS);
	}
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* ---------------------------------------------------------------------------------------- exported */

int process_start(struct loop *loop, const struct process_options *options, process_done *done, void *context,
                  struct process **ret_process, struct err *err)
{
	_cleanup_free_ char *found = NULL;
	struct process *process;
	int ends[2], number;
	pid_t pid = -1;

	if (!strchr(options->argv[0], '/') && find(options->argv[0], &found, err) < 0)
		return -1;
	if (make_pipe(ends, err) < 0)
		return -1;
	number = spawn(found ? found : options->argv[0], options, ends[1], &pid);
	close(ends[1]);
	if (number != 0) {
		close(ends[0]);
		return fail_by_errno(number, err);
	}
	process = xcalloc(1, sizeof(*process));
	process->loop = loop;
	process->done = done;
	process->context = context;
	process->pid = pid;
	process->fd = ends[0];
	process->output = (struct buf){ .max = options->output_max, .secret = true };
	process->timer = loop_timer_new(loop, reap, process);
	process->reap_delay_ms = REAP_DELAY_MS;
	loop_watch(loop, process->fd, LOOP_READ, on_output, process);
	*ret_process = process;
	return 0;
}

void process_free(struct process *process)
{
	if (!process)
		return;
	close_output(process);
	if (process->pid > 0)
		end_now(process->pid);
	loop_timer_free(process->timer);
	buf_release(&process->output);
	free(process);
}
