/*
 * run.h - runs the real program as a user would: its own process, environment, files, perhaps a terminal.
 *
 *     struct run_result result;
 *     run_program(&(struct run_options){ .argv = RUN_ARGV("health", "-o", "json"), .kubeconfig = text }, &result);
 *     cr_assert_eq(result.exit_code, 0);
 *     run_result_release(&result);
 *
 * The program is $KUBECTL_CONSUL (the Makefile sets it). Its environment is PATH, HOME (an empty directory of its own,
 * removed afterwards), KUBECONFIG, LC_ALL and TERM, and what sanitizers want: nothing of the user's gets in.
 * Nothing waits for a fixed time: only for output, for the end, or for the deadline.
 */
#ifndef SUPPORT_RUN_H
#define SUPPORT_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Patience with a program that should end by itself. */
#define RUN_TIMEOUT_MS 30000

/* The words after the program's name. */
#define RUN_ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

struct run_options {
	const char *program;            /* path; NULL: $KUBECTL_CONSUL */
	const char *name;               /* argv[0]; NULL: program */
	const char *const *argv;        /* words, NULL-terminated; NULL: none */
	const char *kubeconfig;         /* text of the file that $KUBECONFIG names; NULL: not set */
	const char *const *environment; /* further "NAME=value"; may replace the above; NULL: none */
	const char *input;              /* standard input; NULL: /dev/null */
	bool terminal;                  /* standard output and error are one terminal (and input, when input is NULL) */
	unsigned short columns, rows;   /* of the terminal; 0: 100 and 40 */
	int timeout_ms;                 /* 0: RUN_TIMEOUT_MS; then it is killed */
};

struct run_result {
	char *output; /* standard output, or all that came to the terminal; NUL-terminated */
	size_t output_length;
	char *error_output; /* standard error; "" with a terminal */
	size_t error_length;
	int exit_code; /* 128 + signal when a signal ended it */
	bool timed_out;
	int64_t wall_ms;
	int64_t cpu_ms;      /* user and system */
	int64_t max_rss_kib; /* Linux counts the caller's own memory at the fork as well: an upper bound */
};

void run_program(const struct run_options *options, struct run_result *ret_result);
void run_result_release(struct run_result *result);

/* The same, with something in between. */
struct running;

struct running *run_start(const struct run_options *options);

/* Waits until standard output (or the terminal) has text count times; false when it ended or timeout_ms passed first.
 */
bool run_wait_output(struct running *running, const char *text, size_t count, int timeout_ms);

void run_signal(struct running *running, int signal);

/* Types into the terminal. */
void run_type(struct running *running, const char *text);

/* Gives the terminal another size; the program gets SIGWINCH. */
void run_resize(struct running *running, unsigned short columns, unsigned short rows);

/* Bytes of standard output (or the terminal) so far. */
size_t run_output_length(const struct running *running);

/* Waits for the end; frees running. */
void run_finish(struct running *running, struct run_result *ret_result);

/* The HOME of the program; valid until run_finish. */
const char *run_home(const struct running *running);

#endif
