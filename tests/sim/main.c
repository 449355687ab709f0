/*
 * The simulated cluster: plan, act, recoveries and drills against thousands of random faults.
 *
 *     sim [--seeds COUNT] [--from SEED] [-j WORKERS] [--stop]   so many seeds; --stop: until the first violation
 *     sim --seed SEED [-v]                                      one, exactly as before; -v tells all that happens
 *
 * Exit code 0: no rule was violated.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "story.h"
#include "util/mem.h"
#include "util/str.h"

#define WORKERS_MAX 64
#define SEED_WALL_S 20 /* a seed that takes longer hangs: it is killed by a signal */
#define TOLD_MAX    10 /* violations in full, of each worker */

struct options {
	uint64_t from, seeds, workers;
	bool one, verbose, stop;
};

/* What a worker tells the others, and who comes after it if it dies. */
struct shared {
	volatile uint64_t seed[WORKERS_MAX];
	volatile bool stop;
	struct totals totals[WORKERS_MAX];
};

static int usage(void)
{
	fprintf(stderr, "usage: sim [--seeds COUNT] [--from SEED] [-j WORKERS] [--stop] | --seed SEED [-v]\n");
	return 2;
}

static int parse(int argc, char **argv, struct options *options)
{
	*options = (struct options){ .from = 1, .seeds = 3000, .workers = 1 };
	for (int i = 1; i < argc; i++) {
		uint64_t *number = NULL;

		if (str_equal(argv[i], "-v"))
			options->verbose = true;
		else if (str_equal(argv[i], "--stop"))
			options->stop = true;
		else if (str_equal(argv[i], "--seeds"))
			number = &options->seeds;
		else if (str_equal(argv[i], "--from") || str_equal(argv[i], "--seed"))
			number = &options->from;
		else if (str_equal(argv[i], "-j"))
			number = &options->workers;
		else
			return -1;
		if (str_equal(argv[i], "--seed"))
			options->one = true;
		if (number && (++i == argc || str_to_uint64(argv[i], number) < 0))
			return -1;
	}
	if (options->workers < 1 || options->workers > WORKERS_MAX)
		return -1;
	return 0;
}

static void work(const struct options *options, uint64_t worker, struct shared *shared)
{
	struct totals *totals = &shared->totals[worker];

	for (uint64_t i = worker; i < options->seeds && !shared->stop; i += options->workers) {
		shared->seed[worker] = options->from + i;
		alarm(SEED_WALL_S);
		if (!story_run(options->from + i, false, totals) && (options->stop || totals->violations >= TOLD_MAX))
			shared->stop = true;
	}
}

static bool wait_for_workers(const struct options *options, const pid_t *pids, const struct shared *shared)
{
	bool fine = true;

	for (uint64_t i = 0; i < options->workers; i++) {
		int status;

		if (waitpid(pids[i], &status, 0) == pids[i] && WIFEXITED(status) && WEXITSTATUS(status) == 0)
			continue;
		fine = false;
		printf("seed %" PRIu64 ": the worker died%s\n", shared->seed[i],
		       WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? ", since the seed took too long" : "");
	}
	return fine;
}

static int run_many(const struct options *options)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct totals totals = { 0 };
	pid_t pids[WORKERS_MAX];
	bool fine;

	if (shared == MAP_FAILED) {
		perror("sim");
		return 2;
	}
	for (uint64_t i = 0; i < options->workers; i++) {
		fflush(stdout);
		pids[i] = fork();
		if (pids[i] < 0) {
			perror("sim");
			return 2;
		}
		if (pids[i] == 0) {
			work(options, i, shared);
			fflush(stdout);
			_exit(0);
		}
	}
	fine = wait_for_workers(options, pids, shared);
	for (uint64_t i = 0; i < options->workers; i++)
		totals_add(&totals, &shared->totals[i]);
	printf("sim: %" PRId64 " seeds, %" PRId64 " violated a rule; %" PRId64 " goals reached, %" PRId64
	       " rightly refused, %" PRId64 " with the quorum lost; %" PRId64 " runs, %" PRId64 " killed, %" PRId64
	       " orders in %" PRId64 " simulated hours\n",
	       totals.seeds, totals.violations, totals.reached, totals.refused, totals.lost, totals.runs, totals.killed,
	       totals.orders, totals.minutes / 60);
	printf("sim: %" PRId64 " recoveries, %" PRId64 " of them forced; %" PRId64 " drills\n", totals.recovered,
	       totals.forced, totals.drills);
	printf("sim: rollouts without faults had no leader for %" PRId64 " ms in the median, %" PRId64 " ms at most\n",
	       totals_leaderless_ms(&totals, 500), totals_leaderless_ms(&totals, 1000));
	return fine && totals.violations == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct options options;
	struct totals totals = { 0 };

	if (parse(argc, argv, &options) < 0)
		return usage();
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!options.one)
		return run_many(&options);
	return story_run(options.from, options.verbose, &totals) ? 0 : 1;
}
