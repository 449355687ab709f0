/* What a person reads of a drill. include/cmd/failover_screen.h. */
#include <criterion/criterion.h>

#include "../consul/sample.h"
#include "cmd/failover_screen.h"
#include "util/mem.h"
#include "util/str.h"

static const struct term pipe_term = { .utf8 = true };
static const struct term screen = { .is_tty = true, .utf8 = true, .width = 60 };

/* A leader's crash in which the n-th mark is at (n + 1) * step_ms, as far as last. */
static struct drill_round round_of(int64_t step_ms, enum drill_mark_kind last)
{
	struct drill_round round = DRILL_ROUND_INIT;
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	drill_begin(&snapshot, "consul-0", &round.drill);
	snapshot_release(&snapshot);
	round.drill.looks = 7;
	round.drill.longest_look_ms = 300;
	round.drill.since_ms = 9900;
	for (size_t i = 0; i <= (size_t)last; i++) {
		round.drill.marks[i].happened = true;
		round.drill.marks[i].at_ms = ((int64_t)i + 1) * step_ms;
	}
	round.drill.marks[DRILL_NEW_LEADER].who = xstrdup("consul-1");
	return round;
}

/* Takes the rounds. */
static void check_times(struct drill_round *rounds, size_t count, const char *expected)
{
	_cleanup_buf_ struct buf out = BUF_TEXT;

	failover_screen_times(rounds, count, &pipe_term, &out);
	cr_expect_str_eq(buf_text(&out), expected, "got\n%sexpected\n%s", buf_text(&out), expected);
	for (size_t i = 0; i < count; i++)
		drill_round_release(&rounds[i]);
}

Test(failover_screen, the_plan_says_who_and_what_is_left)
{
	struct snapshot snapshot;
	_cleanup_buf_ struct buf out = BUF_TEXT;

	sample_init(&snapshot, 5);
	failover_screen_plan(&snapshot, "consul-3", true, 2, &pipe_term, &out);
	cr_expect_str_eq(
	    buf_text(&out),
	    "ns/consul  5/5 voters · leader consul-0 · tolerates 2 failures\n"
	    "consul-3 follows, and will be crashed: its process ends without a word, and Kubernetes starts it "
	    "again. Without it 4 of 5 voters are left, quorum 3; consul-0 goes on leading. 2 rounds, each "
	    "when the cluster is well again: consul-3 is crashed in each.\n");
	snapshot_release(&snapshot);
}

Test(failover_screen, of_one_round_each_mark)
{
	struct drill_round round = round_of(1250, DRILL_RESTARTED);

	round.drill.marks[DRILL_LEADER_LOST].unseen = true;
	check_times(&round, 1,
	            "EVENT                      AFTER\n"
	            "down                       1.2 s\n"
	            "leader lost                <2.5 s\n"
	            "new leader consul-1        3.8 s\n"
	            "runs again                 5.0 s\n"
	            "alive on every view        -\n"
	            "voter on every view        -\n"
	            "ready, verdict as before   -\n"
	            "7 looks, at most 0.3 s apart: each event was up to that much earlier\n");
}

Test(failover_screen, of_several_rounds_the_distribution)
{
	struct drill_round rounds[] = { round_of(4000, DRILL_VERDICT), round_of(1000, DRILL_VERDICT),
		                        round_of(2000, DRILL_VERDICT), round_of(1500, DRILL_NEW_LEADER) };

	check_times(rounds, 4,
	            "EVENT                      ROUNDS   MIN     MEDIAN   MAX\n"
	            "down                       4        1.0 s   1.8 s    4.0 s\n"
	            "leader lost                4        2.0 s   3.5 s    8.0 s\n"
	            "new leader                 4        3.0 s   5.2 s    12.0 s\n"
	            "runs again                 3        4.0 s   8.0 s    16.0 s\n"
	            "alive on every view        3        5.0 s   10.0 s   20.0 s\n"
	            "voter on every view        3        6.0 s   12.0 s   24.0 s\n"
	            "ready, verdict as before   3        7.0 s   14.0 s   28.0 s\n"
	            "28 looks, at most 0.3 s apart: each event was up to that much earlier\n");
}

Test(failover_screen, nothing_of_no_round)
{
	check_times(NULL, 0, "");
}

static void check_probe(struct probe_result *probe, const char *expected)
{
	_cleanup_free_ char *got = failover_screen_probe(probe);

	cr_expect_str_eq(got, expected, "%s", got);
	probe_result_release(probe);
}

#define COUNTS "no write was served for 2.7 s (41 of 220 failed), no read for 2.6 s (39 of 219 failed); "

static struct probe_result probe_of(void)
{
	struct probe_result probe = PROBE_RESULT_INIT;

	probe.writes.tried = 220;
	probe.writes.failed = 41;
	probe.writes.served = 179;
	probe.writes.longest_gap_ms = 2700;
	probe.reads.tried = 219;
	probe.reads.failed = 39;
	probe.reads.longest_gap_ms = 2600;
	return probe;
}

Test(failover_screen, the_probe_tells_of_gaps_and_of_what_was_lost)
{
	struct probe_result fine = probe_of(), lost = probe_of(), open = probe_of();

	fine.checked = lost.checked = true;
	check_probe(&fine, COUNTS "all 179 acknowledged writes are there");
	lost.lost = 2;
	lost.left = xstrdup("kubectl-consul/probe/ab/");
	check_probe(&lost, COUNTS "LOST: 2 of 179 acknowledged writes; keys below kubectl-consul/probe/ab/ remain");
	err_set(&open.check_err, ERR_TIMEOUT, "no leader");
	check_probe(&open, COUNTS "whether the 179 acknowledged writes are there could not be checked: no leader");
}

Test(failover_screen, what_is_left_is_said_of_a_crash_only)
{
	struct drill nothing = DRILL_INIT;
	struct drill_round round = round_of(1000, DRILL_VOTER), over = round_of(1000, DRILL_VERDICT);
	_cleanup_buf_ struct buf out = BUF_TEXT;

	failover_screen_left(&nothing, &pipe_term, &out);
	failover_screen_left(&over.drill, &pipe_term, &out);
	cr_expect_str_eq(buf_text(&out), "");
	failover_screen_left(&round.drill, &pipe_term, &out);
	cr_expect_str_eq(buf_text(&out),
	                 "consul-0 was crashed 9.9 s before the last look; not seen yet: consul-0 is ready "
	                 "and the verdict HEALTHY again\n");
	buf_clear(&out);
	round.drill.looks = 0;
	failover_screen_left(&round.drill, &pipe_term, &out);
	cr_expect_str_eq(buf_text(&out), "consul-0 was crashed, or may have been; nothing was looked at since\n");
	buf_clear(&out);
	round.drill.looks = 9;
	round.drill.in_doubt = true;
	failover_screen_left(&round.drill, &pipe_term, &out);
	cr_expect_str_eq(buf_text(&out),
	                 "consul-0 may have been crashed: the answer was lost, and nothing shows of it\n");
	drill_round_release(&round);
	drill_round_release(&over);
}

Test(failover_screen, what_goes_on_fits_the_terminal)
{
	struct drill_round round = round_of(500, DRILL_DOWN);
	_cleanup_buf_ struct buf out = BUF_TEXT;
	_cleanup_strv_ struct strv lines = STRV_INIT;
	_cleanup_free_ char *mark = failover_screen_mark(&round.drill, DRILL_DOWN);
	_cleanup_free_ char *crashed = failover_screen_crashed(&round.drill, 2);

	failover_screen_now(&round.drill, &screen, &out);
	strv_split(&lines, buf_text(&out), '\n');
	for (size_t i = 0; i < lines.count; i++)
		cr_expect_leq(term_text_width(lines.items[i]), 60, "%s", lines.items[i]);
	cr_expect(str_starts_with(buf_text(&out), "9.9 s since the crash; still to come: leader lost; new\n"), "%s",
	          buf_text(&out));
	cr_expect_str_eq(mark, "+  0.5 s  consul-0 is down");
	cr_expect_str_eq(crashed, "round 2: consul-0, who led, was crashed");
	round.drill.in_doubt = true;
	replace_string(&crashed, failover_screen_crashed(&round.drill, 0));
	cr_expect_str_eq(crashed, "consul-0, who led, may have been crashed: the answer was lost");
	drill_round_release(&round);
}
