/*
 * Where the process begins and ends, and the only place that prints errors.
 *
 * Called kubectl_complete-consul (a link), it is the completion that kubectl asks: cmd/complete.h.
 *
 * Exit codes: 0 fine, 1 error, 2 critical, 3 degraded, 4 refused by a safety rule, 124 timeout, 130 interrupted.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/complete.h"
#include "cmd/interrupt.h"
#include "util/mem.h"
#include "util/str.h"

/* A file opened later must not become standard output: closed standard descriptors lead nowhere. */
static void open_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static void print_error(const struct cmd_context *context, const struct err *err)
{
	_cleanup_buf_ struct buf text = BUF_TEXT;

	fflush(context->output); /* results stand above the error on one screen */
	cmd_error_text(err, &context->messages_term, &text);
	fputs(buf_text(&text), context->messages);
}

/* Whether the reader of a pipe has gone. */
static bool reader_is_gone(int fd)
{
	struct pollfd pipe_end = { .fd = fd, .events = POLLOUT };

	return poll(&pipe_end, 1, 0) == 1 && (pipe_end.revents & POLLERR);
}

/*
 * Standard output is checked once, here. A reader that has seen enough (`health | head -1`) is no error:
 * the command's own exit code stands.
 */
static int finish_output(FILE *output, struct err *err)
{
	bool failed = ferror(output) != 0;

	errno = 0;
	if (fflush(output) == 0 && !failed)
		return 0;
	if (errno == EPIPE || reader_is_gone(fileno(output)))
		return 0;
	if (errno == 0) /* an earlier write failed, and its reason is lost */
		return err_set(err, ERR_FAILED, "cannot write to standard output");
	return err_set(err, ERR_FAILED, "cannot write to standard output: %s", strerror(errno));
}

/* A tunnel takes up to five descriptors, and a shell's usual soft limit of 1024 is for programs that use select. */
static void allow_many_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	_cleanup_free_ char *name = cmd_program_name(argc > 0 ? argv[0] : NULL);
	const struct program program = { .name = name,
		                         .path = argc > 0 ? argv[0] : NULL,
		                         .description = cmd_description,
		                         .commands = cmd_commands };
	_cleanup_err_ struct err err = ERR_INIT, output_err = ERR_INIT;
	struct cmd_environment environment;
	struct cmd_context context = {
		.program = &program,
		.environment = &environment,
		.output = stdout,
		.input_fd = STDIN_FILENO,
		.messages = stderr,
	};
	char *no_words[] = { NULL };
	int exit_code = CMD_EXIT_FINE;

	open_standard_descriptors();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* whoever started us may ignore it: then no child can be waited for */
	allow_many_descriptors();
	cmd_environment_read(&environment);
	context.output_term = cmd_environment_term(&environment, STDOUT_FILENO);
	context.messages_term = cmd_environment_term(&environment, STDERR_FILENO);
	if (str_equal(name, COMPLETE_FILE_NAME))
		return complete_main(&context, argv + 1);
	if (interrupt_install(&context.interrupt_fd, &err) < 0 ||
	    cmd_dispatch(&context, argc > 0 ? argv + 1 : no_words, &exit_code, &err) < 0) {
		print_error(&context, &err);
		exit_code = err_exit_code(&err);
	}
	if (finish_output(stdout, &output_err) < 0) {
		print_error(&context, &output_err);
		exit_code = err_exit_code(&output_err);
	}
	return exit_code;
}
