/* See include/cmd/interrupt.h. */
#include "cmd/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "util/mem.h"
#include "util/system.h"

static const int signals[] = { SIGINT, SIGTERM };
static bool is_handled[ARRAY_SIZE(signals)]; /* false: it was ignored, and stays so */
static int write_end = -1;

/* After this one signal those that are handled have their default effect again: the second ends the process. */
static void on_signal(int signal_number)
{
	int saved_errno = errno;
	ssize_t written;

	(void)signal_number;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (is_handled[i])
			signal(signals[i], SIG_DFL);
	written = write(write_end, "", 1);
	(void)written;
	errno = saved_errno;
}

int interrupt_install(int *ret_fd, struct err *err)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	int ends[2];

	if (system_pipe(ends) < 0)
		return err_set(err, ERR_FAILED, "cannot make a pipe: %s", strerror(errno));
	write_end = ends[1];
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&action.sa_mask, signals[i]);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction before;

		is_handled[i] = sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN;
	}
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (is_handled[i])
			(void)sigaction(signals[i], &action, NULL);
	*ret_fd = ends[0];
	return 0;
}
