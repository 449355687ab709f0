/* The second half of `failover`: see include/cmd/failover_parts.h. */
#include "cmd/failover_parts.h"
#include "cmd/failover_screen.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/* Until the probe's first write and read are served. */
#define PROBE_START_MS ((int64_t)15 * 1000)
/* Until its keys are looked for and removed; within this the lease need not be renewed. */
#define PROBE_STOP_MS ((int64_t)8 * 1000)
/* The same after Ctrl-C, when a person waits. */
#define PROBE_STOP_AT_ONCE_MS ((int64_t)3 * 1000)

void failover_begin_clock(struct failover *failover)
{
	failover->drill.deadline_ms = failover->kube.deadline_ms = clock_monotonic_ms() + failover->timeout_ms;
}

/* --------------------------------------------------------------------------------------------------- telling */

/* Whether there is a block that is redrawn. */
static bool is_live(const struct failover *failover)
{
	return failover->live.term.is_tty && !failover->live.term.dumb;
}

static void keep_line(struct failover *failover, const char *line)
{
	_cleanup_free_ char *now = clock_time_of_day();

	term_live_log(&failover->live, now, line);
}

void failover_show_wait(void *context, const char *text)
{
	struct failover *failover = context;
	_cleanup_free_ char *now = clock_time_of_day();
	_cleanup_free_ char *visible = str_visible(text, 0);
	_cleanup_free_ char *line = xasprintf("waiting: %s", visible);
	_cleanup_free_ char *block = xasprintf("%s\n", line);

	term_live_show(&failover->live, now, block, line);
}

/* A terminal shows in a block what is still to come, and keeps a line of what happened; elsewhere there are only lines.
 */
static void tell(void *context, const struct drill *drill, unsigned marks)
{
	struct failover *failover = context;
	_cleanup_buf_ struct buf block = BUF_TEXT;

	if (drill->looks == 0) {
		int64_t number = failover->wanted > 1 ? (int64_t)failover->count + 1 : 0;
		_cleanup_free_ char *line = failover_screen_crashed(drill, number);

		keep_line(failover, line);
	}
	for (size_t i = 0; i < DRILL_MARKS; i++) {
		_cleanup_free_ char *line = NULL;

		if (!(marks & (1U << i)))
			continue;
		line = failover_screen_mark(drill, (enum drill_mark_kind)i);
		keep_line(failover, line);
	}
	if (!is_live(failover) || drill_is_over(drill))
		return;
	term_live_refresh(&failover->live);
	failover_screen_now(drill, &failover->live.term, &block);
	term_live_show(&failover->live, "", buf_text(&block), "");
}

/* ------------------------------------------------------------------------------------------------- the probe */

/* The leadership may have moved while the answer was thought over: the yes was to the pod that was named. */
static int check_agreed(const struct failover *failover, const char *pod, struct err *err)
{
	if (failover->count > 0 || !failover->agreed || str_equal(pod, failover->agreed))
		return 0;
	err_set(err, ERR_CONFLICT, "nothing was crashed: you were asked about %s, and now %s leads", failover->agreed,
	        pod);
	return err_hint(err, "start it again, or name a server by --pod");
}

static int prepare(void *context, const struct snapshot *snapshot, const char *pod, struct err *err)
{
	struct failover *failover = context;
	int64_t until_ms = clock_monotonic_ms() + PROBE_START_MS;

	if (check_agreed(failover, pod, err) < 0)
		return -1;
	if (!failover->probes)
		return 0;
	if (until_ms > failover->drill.deadline_ms)
		until_ms = failover->drill.deadline_ms;
	if (probe_start(failover->connection->client, snapshot, &failover->connection->access, pod, until_ms,
	                &failover->probe, err) == 0)
		return 0;
	return err_wrap(err, "nothing was crashed: the probe cannot begin");
}

/* After Ctrl-C, too: its keys shall not stay. */
static int stop_probe(struct failover *failover, bool interrupted, struct drill_round *round, struct err *err)
{
	struct loop *loop = failover->connection->loop;
	_cleanup_err_ struct err failure = ERR_INIT;
	int64_t patience_ms = interrupted ? PROBE_STOP_AT_ONCE_MS : PROBE_STOP_MS;

	if (!failover->probe)
		return 0;
	if (interrupted)
		loop_set_interrupt(loop, -1);
	round->probed = true;
	if (probe_stop(failover->probe, clock_monotonic_ms() + patience_ms, &round->probe, &failure) < 0 &&
	    !interrupted)
		err_move(err, &failure);
	if (interrupted)
		loop_set_interrupt(loop, failover->context->interrupt_fd);
	probe_free(TAKE(failover->probe));
	return err_is_set(err) ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------------ the rounds */

void failover_begin(struct failover *failover, const char *pod)
{
	failover->drill = (struct drill_options){
		.pod = pod, .tell = tell, .wait = failover_show_wait, .prepare = prepare, .context = failover
	};
	failover_begin_clock(failover);
}

static int run_round(struct failover *failover, struct err *err)
{
	struct drill_round *round = &failover->rounds[failover->count];
	_cleanup_err_ struct err second = ERR_INIT;
	int status;

	failover_begin_clock(failover);
	status = drill_run(&failover->world, &failover->drill, &round->drill, err);
	term_live_clear(&failover->live);
	if (stop_probe(failover, status < 0 && err->kind == ERR_INTERRUPTED, round, &second) < 0 && status == 0)
		status = err_move(err, &second);
	failover->count += round->drill.victim != NULL;
	return status;
}

int failover_run(struct failover *failover, struct err *err)
{
	while ((int64_t)failover->count < failover->wanted)
		if (run_round(failover, err) < 0)
			return -1;
	return 0;
}
