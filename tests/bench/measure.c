/*
 * Times whole commands in turn (A B C A B C …), so that a machine that slows down slows all of them:
 *
 *     measure ROUNDS COMMAND [ARG…] [-- COMMAND [ARG…]]…
 *
 * One line for each command: median, minimum and maximum wall milliseconds, median CPU milliseconds (user and system,
 * of the process and the children it waited for), largest peak memory in KiB, exit code. Output is thrown away. One
 * round before the counted ones warms caches.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMANDS_MAX = 16, ROUNDS_MAX = 1000 };

extern char **environ;

struct series {
	char **argv;
	double wall_ms[ROUNDS_MAX];
	double cpu_ms[ROUNDS_MAX];
	long peak_kib;
	int exit_code;
};

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static double timeval_ms(struct timeval time)
{
	return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
}

static int run_once(struct series *series, int round)
{
	posix_spawn_file_actions_t actions;
	struct rusage usage;
	double start = now_ms();
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, series->argv[0], &actions, NULL, series->argv, environ) != 0) {
		fprintf(stderr, "measure: cannot run %s\n", series->argv[0]);
		return -1;
	}
	posix_spawn_file_actions_destroy(&actions);
	if (wait4(pid, &status, 0, &usage) != pid)
		return -1;
	if (round >= 0) {
		series->wall_ms[round] = now_ms() - start;
		series->cpu_ms[round] = timeval_ms(usage.ru_utime) + timeval_ms(usage.ru_stime);
	}
	if (usage.ru_maxrss > series->peak_kib)
		series->peak_kib = usage.ru_maxrss;
	series->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}

static int compare_doubles(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof(*values), compare_doubles);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Cuts argv at each "--". Returns the number of commands. */
static int split_commands(char **argv, struct series *series)
{
	int count = 0;

	series[count++].argv = argv;
	for (; *argv; argv++) {
		if (strcmp(*argv, "--") != 0)
			continue;
		*argv = NULL;
		if (count == COMMANDS_MAX)
			return -1;
		series[count++].argv = argv + 1;
	}
	return count;
}

int main(int argc, char **argv)
{
	static struct series series[COMMANDS_MAX];
	int rounds = argc > 2 ? (int)strtol(argv[1], NULL, 10) : 0;
	int count;

	if (rounds < 1 || rounds > ROUNDS_MAX || (count = split_commands(argv + 2, series)) < 1) {
		fprintf(stderr, "usage: %s ROUNDS COMMAND [ARG...] [-- COMMAND [ARG...]]...\n", argv[0]);
		return 2;
	}
	for (int round = -1; round < rounds; round++)
		for (int i = 0; i < count; i++)
			if (run_once(&series[i], round) < 0)
				return 1;
	for (int i = 0; i < count; i++) {
		double wall = median(series[i].wall_ms, rounds);

		printf("%.2f %.2f %.2f %.2f %ld %d\n", wall, series[i].wall_ms[0], series[i].wall_ms[rounds - 1],
		       median(series[i].cpu_ms, rounds), series[i].peak_kib, series[i].exit_code);
	}
	return 0;
}
