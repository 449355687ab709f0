/* See include/cmd/live.h. */
#include "cmd/live.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "util/system.h"

static int resize_pipe[2] = { -1, -1 }; /* made by the first block, and open until the process ends */

static void on_signal(int signal_number)
{
	int saved_errno = errno;
	ssize_t written = write(resize_pipe[1], "", 1); /* a full pipe says it already */

	(void)signal_number;
	(void)written;
	errno = saved_errno;
}

static bool listen_for_resizes(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	if (resize_pipe[0] >= 0)
		return true;
	if (system_pipe(resize_pipe) < 0) {
		resize_pipe[0] = -1;
		return false;
	}
	sigemptyset(&action.sa_mask);
	return sigaction(SIGWINCH, &action, NULL) == 0;
}

static void on_resize(void *context, int fd, int events)
{
	char bytes[64];

	(void)events;
	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
	term_live_redraw(context);
}

void live_begin(struct term_live *live, struct connection *connection, FILE *file, const struct term *term)
{
	term_live_init(live, fileno(file), term);
	if (term->is_tty && !term->dumb && listen_for_resizes())
		loop_watch(connection->loop, resize_pipe[0], LOOP_READ, on_resize, live);
}

void live_end(struct term_live *live, struct connection *connection)
{
	if (resize_pipe[0] >= 0)
		loop_unwatch(connection->loop, resize_pipe[0]);
	term_live_release(live);
}
