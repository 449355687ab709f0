/* The first process of every pod: sleeps, reaps what is left to it, ends when told to. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int signal_number)
{
	_exit(signal_number == SIGTERM || signal_number == SIGINT ? 0 : 1);
}

int main(void)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	signal(SIGTERM, end);
	signal(SIGINT, end);
	for (;;) {
		int received;

		sigwait(&child, &received);
		while (waitpid(-1, NULL, WNOHANG) > 0) {
		}
	}
}
