/* util/process: programs on the loop. */
#include "util/process.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#define PATIENCE_MS 20000

struct outcome {
	bool ended;
	struct process_end end; /* without output */
	char *output;
};

static struct loop *loop;
static struct process *process;
static struct outcome outcome;

static void set_up(void)
{
	loop = loop_new();
}

static void tear_down(void)
{
	process_free(process);
	loop_free(loop);
	free(outcome.output);
}

TestSuite(process, .init = set_up, .fini = tear_down, .timeout = 60);

static void on_done(void *context, const struct process_end *end)
{
	struct outcome *out = context;

	cr_assert_not(out->ended);
	cr_assert_eq(strlen(end->output), end->output_length);
	*out = (struct outcome){ .ended = true, .end = *end, .output = xstrdup(end->output) };
	process_free(TAKE(process));
}

static bool has_ended(void *context)
{
	return ((const struct outcome *)context)->ended;
}

static void start(const struct process_options *options)
{
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(process_start(loop, options, on_done, &outcome, &process, &err), 0, "%s", err.message);
	cr_assert_not(outcome.ended, "before the loop runs");
}

/* Runs a script of sh to its end. */
static void run(const char *script, const char *const *environment)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	_cleanup_err_ struct err err = ERR_INIT;

	start(&(struct process_options){ .argv = argv, .environment = environment, .output_max = 100000 });
	cr_assert_eq(loop_run(loop, has_ended, &outcome, clock_monotonic_ms() + PATIENCE_MS, &err), 0, "%s",
	             err.message);
}

Test(process, gives_output_and_exit_code)
{
	run("echo one; echo two; exit 7", NULL);
	cr_expect_str_eq(outcome.output, "one\ntwo\n");
	cr_expect_eq(outcome.end.exit_code, 7);
	cr_expect_eq(outcome.end.signal, 0);
}

Test(process, tells_the_signal_that_ended_it)
{
	run("kill -TERM $$", NULL);
	cr_expect_eq(outcome.end.exit_code, -1);
	cr_expect_eq(outcome.end.signal, SIGTERM);
}

Test(process, waits_for_the_end_behind_the_output)
{
	run("echo x; exec >&-; read -r nothing; exit 3", NULL);
	cr_expect_str_eq(outcome.output, "x\n");
	cr_expect_eq(outcome.end.exit_code, 3);
}

Test(process, has_our_environment_and_what_is_put_on_top)
{
	static const char *const environment[] = { "B=two", "C=first", "C=three", NULL };

	setenv("A", "one", 1);
	setenv("B", "ours", 1);
	setenv("BB", "kept", 1);
	run("echo $A $B $BB $C; env | grep -c ^C=", environment);
	cr_expect_str_eq(outcome.output, "one two kept three\n1\n");
}

Test(process, takes_no_input_and_has_the_usual_signals)
{
	signal(SIGPIPE, SIG_IGN);
	run("cat; trap 'echo pipe' PIPE; kill -PIPE $$; echo end", NULL);
	cr_expect_str_eq(outcome.output, "pipe\nend\n"); /* a signal that is ignored from the start cannot be caught */
}

Test(process, one_that_writes_too_much_is_ended)
{
	static const char *const argv[] = { "yes", NULL };
	_cleanup_err_ struct err err = ERR_INIT;

	start(&(struct process_options){ .argv = argv, .output_max = 1000 });
	cr_assert_eq(loop_run(loop, has_ended, &outcome, clock_monotonic_ms() + PATIENCE_MS, &err), 0, "%s",
	             err.message);
	cr_expect(outcome.end.is_too_large);
}

Test(process, what_cannot_be_started_is_told_at_once)
{
	static const struct {
		const char *name;
		enum err_kind kind;
		const char *message;
	} rows[] = {
		{ "no-such-program", ERR_NOT_FOUND, "no such file or directory" },
		{ "/no/such/program", ERR_NOT_FOUND, "no such file or directory" },
		{ "/etc/passwd", ERR_FAILED, "permission denied" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *const argv[] = { rows[i].name, NULL };
		_cleanup_err_ struct err err = ERR_INIT;

		cr_assert_eq(process_start(loop, &(struct process_options){ .argv = argv, .output_max = 10 }, on_done,
		                           &outcome, &process, &err),
		             -1);
		cr_expect_eq(err.kind, rows[i].kind, "%s", rows[i].name);
		cr_expect_str_eq(err.message, rows[i].message);
	}
}

Test(process, is_looked_for_in_absolute_directories_only)
{
	const char *const argv[] = { "sh", "-c", "exit 4", NULL };
	static const char *const paths[] = { NULL, "", "/no/such/directory", ".:/bin", ":/bin", "../bin:/bin" };
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(chdir("/bin"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (paths[i])
			setenv("PATH", paths[i], 1);
		else
			unsetenv("PATH");
		cr_assert_eq(process_start(loop, &(struct process_options){ .argv = argv, .output_max = 10 }, on_done,
		                           &outcome, &process, &err),
		             -1, "%s", paths[i]);
		cr_expect_eq(err.kind, ERR_NOT_FOUND);
		cr_expect_eq(err.hint != NULL, i > 2, "%s", paths[i]);
		err_release(&err);
	}
	setenv("PATH", "/no/such/directory:/bin:.", 1);
	run("exit 4", NULL);
	cr_expect_eq(outcome.end.exit_code, 4);
}

Test(process, is_ended_when_it_is_given_up)
{
	/* It says so when SIGTERM comes, and nobody hears it; the second takes no notice. */
	static const char *const scripts[] = { "trap 'exit 0' TERM; while :; do sleep 0.01; done",
		                               "trap '' TERM; while :; do sleep 0.01; done" };

	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		const char *const argv[] = { "sh", "-c", scripts[i], NULL };
		int64_t begun_ms = clock_monotonic_ms();

		start(&(struct process_options){ .argv = argv, .output_max = 10 });
		process_free(TAKE(process));
		cr_expect_lt(clock_monotonic_ms() - begun_ms, PATIENCE_MS);
		cr_expect_not(outcome.ended);
	}
}
