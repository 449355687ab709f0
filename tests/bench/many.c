/*
 * health of a large cluster: COUNT servers on the scripted API server, each answer (inside the tunnels too) DELAY_MS
 * late, over TLS:
 *
 *     KUBECTL_CONSUL=… many COUNT DELAY_MS [ROUNDS]
 *
 * Prints the medians: wall milliseconds, the program's own CPU milliseconds, and its peak memory in KiB.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/cluster.h"
#include "../support/run.h"
#include "util/mem.h"

enum { ROUNDS = 5, ROUNDS_MAX = 100, DEADLINE_MS = 600000 };

struct sample {
	double wall_ms, cpu_ms, peak_kib;
};

static int compare_doubles(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median(const struct sample *samples, size_t count, size_t offset)
{
	double values[ROUNDS_MAX];

	for (size_t i = 0; i < count; i++)
		memcpy(&values[i], (const char *)&samples[i] + offset, sizeof(values[i]));
	qsort(values, count, sizeof(*values), compare_doubles);
	return values[count / 2];
}

/* The server runs in a process of its own: a parent's memory counts for its children's peak (Linux, at exec). */
static pid_t serve(size_t count, int delay_ms, int *ret_pipe)
{
	int pipes[2];
	pid_t pid;

	if (pipe(pipes) < 0 || (pid = fork()) < 0)
		abort();
	if (pid == 0) {
		struct cluster_options options = { .count = count, .api = { .tls = true, .delay_ms = delay_ms } };
		struct cluster *cluster = cluster_start(&options);
		_cleanup_free_ char *text = cluster_kubeconfig(cluster);

		close(pipes[0]);
		if (write(pipes[1], text, strlen(text)) < 0)
			abort();
		close(pipes[1]);
		for (;;)
			pause();
	}
	close(pipes[1]);
	*ret_pipe = pipes[0];
	return pid;
}

static char *read_all(int fd)
{
	struct buf text = BUF_TEXT;
	char chunk[4096];
	ssize_t count;

	while ((count = read(fd, chunk, sizeof(chunk))) > 0)
		if (buf_add(&text, chunk, (size_t)count) < 0)
			abort();
	close(fd);
	return buf_detach(&text);
}

/* False when the program did not find the whole cluster healthy. */
static bool take_sample(const char *kubeconfig, struct sample *ret_sample)
{
	struct run_options options = { .argv = RUN_ARGV("health", "--via", "tunnel", "--timeout", "30s"),
		                       .kubeconfig = kubeconfig,
		                       .timeout_ms = DEADLINE_MS };
	struct run_result result;
	bool good;

	run_program(&options, &result);
	good = result.exit_code == 0;
	if (!good)
		fprintf(stderr, "many: exit code %d\n%.2000s\n%.2000s\n", result.exit_code, result.output,
		        result.error_output);
	*ret_sample = (struct sample){ .wall_ms = (double)result.wall_ms,
		                       .cpu_ms = (double)result.cpu_ms,
		                       .peak_kib = (double)result.max_rss_kib };
	run_result_release(&result);
	return good;
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : ROUNDS;
	struct sample samples[ROUNDS_MAX];
	_cleanup_free_ char *kubeconfig = NULL;
	bool good = true;
	int pipe_fd;
	pid_t pid;

	if (argc < 3 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: %s COUNT DELAY_MS [ROUNDS]\n", argv[0]);
		return 2;
	}
	pid = serve(strtoul(argv[1], NULL, 10), (int)strtol(argv[2], NULL, 10), &pipe_fd);
	kubeconfig = read_all(pipe_fd);
	for (size_t i = 0; i < rounds && good; i++)
		good = take_sample(kubeconfig, &samples[i]);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	if (!good)
		return 1;
	printf("%.0f %.0f %.0f\n", median(samples, rounds, offsetof(struct sample, wall_ms)),
	       median(samples, rounds, offsetof(struct sample, cpu_ms)),
	       median(samples, rounds, offsetof(struct sample, peak_kib)));
	return 0;
}
