/* What a person reads of a plan and of its execution. include/cmd/change_screen.h. */
#include <criterion/criterion.h>

#include "../consul/sample.h"
#include "cmd/change_screen.h"
#include "util/mem.h"
#include "util/str.h"

static const struct term pipe_term = { .utf8 = true };
static const struct term screen = { .is_tty = true, .utf8 = true, .width = 80 };

static struct quorum quorum_of(int64_t voters, int64_t live)
{
	struct quorum quorum = { .known = true, .voters = voters, .live_voters = live, .quorum = voters / 2 + 1 };

	quorum.tolerance = live > quorum.quorum ? live - quorum.quorum : 0;
	return quorum;
}

static struct step step_of(const char *text, int64_t before, int64_t after)
{
	return (struct step){ .kind = STEP_REPLICAS,
		              .text = xstrdup(text),
		              .before = quorum_of(before, before),
		              .after = quorum_of(after, after) };
}

static char *plan_text(struct step *items, size_t count, const struct plan *last, const char *note,
                       const struct term *term)
{
	struct steps steps = { .items = items, .count = count };
	_cleanup_strv_ struct strv notes = STRV_INIT;
	struct buf out = BUF_TEXT;

	if (note)
		strv_add(&notes, note);
	change_screen_plan(&steps, last, &notes, term, &out);
	for (size_t i = 0; i < count; i++)
		step_release(&items[i]);
	return buf_detach(&out);
}

static void assert_fits(const char *text, size_t width)
{
	_cleanup_strv_ struct strv lines = STRV_INIT;

	strv_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.count; i++) {
		cr_assert_leq(term_text_width(lines.items[i]), width, "%s", lines.items[i]);
		cr_assert_not(str_ends_with(lines.items[i], " "), "blanks at the end: \"%s\"", lines.items[i]);
	}
}

/* ------------------------------------------------------------------------------------------ the plan */

Test(change_screen, the_table_has_the_arithmetic_before_and_after_each_step)
{
	struct step steps[] = { step_of("replicas 3 -> 4: consul-3 joins", 3, 4),
		                step_of("replicas 4 -> 5: consul-4 joins", 4, 5) };
	struct plan done = PLAN_INIT;
	_cleanup_free_ char *text = plan_text(steps, 2, &done, "5 servers tolerate 2 failures", &screen);

	cr_assert_str_eq(text, "STEP   ACTION                            VOTERS   QUORUM   TOLERATES\n"
	                       "1      replicas 3 -> 4: consul-3 joins   3 -> 4   2 -> 3   1 -> 1\n"
	                       "2      replicas 4 -> 5: consul-4 joins   4 -> 5   3 -> 3   1 -> 2\n"
	                       "note: 5 servers tolerate 2 failures\n");
}

Test(change_screen, a_step_that_changes_no_voter_has_one_number)
{
	struct step steps[] = { step_of("consul-2 hands leadership over", 3, 3) };
	struct plan done = PLAN_INIT;
	_cleanup_free_ char *text = plan_text(steps, 1, &done, NULL, &screen);

	cr_assert(strstr(text, "consul-2 hands leadership over   3        2        1\n"), "%s", text);
}

Test(change_screen, what_is_not_known_is_a_question_mark)
{
	struct step steps[] = { step_of("replicas 0 -> 1", 0, 0) };
	struct plan done = PLAN_INIT;
	_cleanup_free_ char *text = NULL;

	steps[0].before.known = false;
	text = plan_text(steps, 1, &done, NULL, &screen);
	cr_assert(strstr(text, "replicas 0 -> 1   ?        ?        ?\n"), "%s", text);
}

Test(change_screen, a_long_text_goes_on_below_and_no_number_is_lost)
{
	static const char words[] =
	    "replicas 11 -> 10: a-long-name-of-a-statefulset-10 leaves and stops, and a word more";
	struct step steps[] = { step_of(words, 11, 10) };
	struct plan waiting = { .kind = PLAN_WAIT, .text = xstrdup(words) };
	_cleanup_free_ char *text = plan_text(steps, 1, &waiting, words, &screen);

	assert_fits(text, 80);
	cr_assert(strstr(text, "11 -> 10   6 -> 6   5 -> 4\n"), "%s", text);
	cr_assert(strstr(text, "and a word more\n"), "%s", text);
	plan_release(&waiting);
}

Test(change_screen, in_a_pipe_a_step_is_one_line)
{
	static const char words[] =
	    "replicas 11 -> 10: a-long-name-of-a-statefulset-10 leaves and stops, and a word more";
	struct step steps[] = { step_of(words, 11, 10) };
	struct plan done = PLAN_INIT;
	_cleanup_free_ char *text = plan_text(steps, 1, &done, NULL, &pipe_term);

	cr_assert(strstr(text, words), "%s", text);
}

Test(change_screen, what_comes_first_or_after_the_steps_is_told)
{
	struct step steps[] = { step_of("replicas 3 -> 4: consul-3 joins", 3, 4) };
	struct plan last = { .kind = PLAN_WAIT, .text = xstrdup("consul-3: joined, not a voter yet") };
	_cleanup_free_ char *now = plan_text(NULL, 0, &last, NULL, &pipe_term), *then = NULL, *refused = NULL;

	cr_assert(str_starts_with(now, "now waiting: consul-3: joined, not a voter yet"), "%s", now);
	then = plan_text(steps, 1, &last, NULL, &pipe_term);
	cr_assert(strstr(then, "\nthen waiting: consul-3: joined, not a voter yet\n"), "%s", then);
	steps[0] = step_of("replicas 3 -> 4: consul-3 joins", 3, 4);
	last.kind = PLAN_REFUSE;
	refused = plan_text(steps, 1, &last, NULL, &pipe_term);
	cr_assert(strstr(refused, "\nthen refused: consul-3"), "%s", refused);
	plan_release(&last);
}

/* What comes by itself stands above the steps, and what stops them below. */
Test(change_screen, what_has_to_come_first_is_told_above_the_steps)
{
	struct step step = step_of("replicas 4 -> 5: consul-4 joins", 4, 5);
	struct steps steps = { .waits_for = xstrdup("consul-3: joined, \033[2Jnot a voter yet") };
	struct plan done = PLAN_INIT, refused = { .kind = PLAN_REFUSE, .text = xstrdup("consul-0 is old") };
	_cleanup_strv_ struct strv notes = STRV_INIT;
	_cleanup_buf_ struct buf all = BUF_TEXT, alone = BUF_TEXT;

	change_screen_plan(&steps, &refused, &notes, &pipe_term, &alone);
	cr_expect_str_eq(buf_text(&alone), "now waiting: consul-3: joined, ^[[2Jnot a voter yet\n"
	                                   "then refused: consul-0 is old\n");
	steps.items = &step;
	steps.count = 1;
	change_screen_plan(&steps, &done, &notes, &screen, &all);
	cr_expect(str_starts_with(buf_text(&all), "now waiting: consul-3: joined, ^[[2Jnot a voter yet\nSTEP "), "%s",
	          buf_text(&all));
	cr_expect(strstr(buf_text(&all), "\n1      replicas 4 -> 5: consul-4 joins "), "%s", buf_text(&all));
	assert_fits(buf_text(&all), 80);
	step_release(&step);
	plan_release(&refused);
	free(steps.waits_for);
}

Test(change_screen, colour_only_warns_where_no_failure_is_tolerated)
{
	struct term color = { .is_tty = true, .utf8 = true, .color = true, .width = 80 };
	struct step steps[] = { step_of("replicas 3 -> 2: consul-2 leaves and stops", 3, 2) };
	struct plan done = PLAN_INIT;
	_cleanup_free_ char *text = plan_text(steps, 1, &done, NULL, &color), *plain = NULL;

	cr_assert(strchr(text, '\033'), "%s", text);
	steps[0] = step_of("replicas 3 -> 4: consul-3 joins", 3, 4);
	plain = plan_text(steps, 1, &done, NULL, &color);
	cr_assert_not(strchr(plain, '\033'), "%s", plain);
}

Test(change_screen, foreign_names_are_shown_not_obeyed)
{
	struct step steps[] = { step_of("force-leave \033[2Jevil\r", 3, 3) };
	struct plan last = { .kind = PLAN_WAIT, .text = xstrdup("\033]0;title\007") };
	_cleanup_free_ char *text = plan_text(steps, 1, &last, "\033[31mred\n", &screen);
	struct step step = step_of("prune \033[2Jevil", 3, 3);
	struct act_event event = { .kind = ACT_STEP, .step = &step, .number = 1 };
	_cleanup_free_ char *line = change_screen_event(&event);

	cr_assert_not(strpbrk(text, "\033\007\r"), "%s", text);
	cr_assert_not(strchr(line, '\033'));
	plan_release(&last);
	step_release(&step);
}

/* ------------------------------------------------------------------------------------------ events */

Test(change_screen, events_are_a_line_each)
{
	struct step step = step_of("replicas 3 -> 4: consul-3 joins", 3, 4), same = step_of("forget consul-9", 3, 3);
	struct act_event begun = { .kind = ACT_STEP, .step = &step, .number = 1 };
	struct act_event done = { .kind = ACT_DONE, .step = &step, .number = 1, .took_ms = 22600 };
	struct act_event quick = { .kind = ACT_DONE, .step = &same, .number = 2, .took_ms = 3 };
	struct act_event waiting = { .kind = ACT_WAITING, .text = "consul-3: joined, not a voter yet" };
	struct act_event other = { .kind = ACT_STEP, .step = &same, .number = 2 };
	char *lines[] = { change_screen_event(&begun), change_screen_event(&done),  change_screen_event(&waiting),
		          change_screen_event(&other), change_screen_event(&quick), change_screen_done(&done) };

	cr_expect_str_eq(lines[0],
	                 "step 1: replicas 3 -> 4: consul-3 joins (voters 3 -> 4, quorum 2 -> 3, tolerates 1)");
	cr_expect_str_eq(lines[1], "step 1 done in 22s");
	cr_expect_str_eq(lines[2], "waiting: consul-3: joined, not a voter yet");
	cr_expect_str_eq(lines[3], "step 2: forget consul-9");
	cr_expect_str_eq(lines[4], "step 2 done in 0.0s");
	cr_expect_str_eq(lines[5], "step 1 done in 22s: replicas 3 -> 4: consul-3 joins");
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		free(lines[i]);
	step_release(&step);
	step_release(&same);
}

Test(change_screen, what_goes_on_now_is_a_block)
{
	struct change_now now = { .title = "scale 5 of consul/consul",
		                  .step = "step 1: replicas 3 -> 4",
		                  .waiting = "waiting: consul-3: not there yet",
		                  .passed_ms = 31000,
		                  .allowed_ms = 900000 };
	_cleanup_buf_ struct buf out = BUF_TEXT;

	change_screen_now(&now, &screen, &out);
	cr_assert_str_eq(buf_text(&out), "scale 5 of consul/consul: 31s of 15m\n"
	                                 "  step 1: replicas 3 -> 4\n"
	                                 "  waiting: consul-3: not there yet\n");
	now.step = "step 1: replicas 3 -> 4: consul-3 joins (voters 3 -> 4, quorum 2 -> 3, tolerates 1)";
	buf_clear(&out);
	change_screen_now(&now, &screen, &out);
	assert_fits(buf_text(&out), 80);
	cr_assert(strstr(buf_text(&out), "\n    tolerates 1)\n"), "%s", buf_text(&out));
}

/* ---------------------------------------------------------------------------------------- the end */

static char *left_text(int64_t steps, struct step *pending, const char *waiting_for)
{
	struct act_result result = { .steps = steps, .pending = pending, .last = SNAPSHOT_INIT };
	struct buf out = BUF_TEXT;
	_cleanup_free_ char *waiting = xstrdup_null(waiting_for);

	result.waiting_for = waiting;
	change_screen_left(&result, &pipe_term, &out);
	return buf_detach(&out);
}

Test(change_screen, after_a_failure_it_says_what_was_done_and_what_goes_on)
{
	struct step begun = step_of("replicas 4 -> 5: consul-4 joins", 4, 5),
	            told = step_of("consul-4 leaves Consul", 5, 4);
	char *texts[] = { left_text(0, NULL, NULL), left_text(2, NULL, "consul-4: starting"),
		          left_text(1, &begun, "consul-4: joined, not a voter yet"), left_text(0, &begun, NULL), NULL };

	told.kind = STEP_LEAVE;
	texts[4] = left_text(0, &told, NULL);
	cr_expect_str_eq(texts[0], "nothing was changed\n");
	cr_expect_str_eq(texts[1], "2 steps done\nnothing else will be begun; last seen: consul-4: starting\n");
	cr_expect_str_eq(texts[2], "1 step done; begun: replicas 4 -> 5: consul-4 joins\n"
	                           "Kubernetes goes on with it; nothing else will be begun; last seen: "
	                           "consul-4: joined, not a voter yet\n");
	cr_expect_str_eq(texts[3], "begun: replicas 4 -> 5: consul-4 joins\n"
	                           "Kubernetes goes on with it; nothing else will be begun\n");
	cr_expect(strstr(texts[4], "Consul goes on with it"), "%s", texts[4]);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(texts[i]);
	step_release(&begun);
	step_release(&told);
}

/* The last look tells whether it came about, although nobody has said that it is done. */
static char *seen_text(struct snapshot *seen, struct step *pending, int64_t steps)
{
	struct act_result result = { .steps = steps, .pending = pending, .last = *seen, .seen = true };
	struct buf out = BUF_TEXT;

	change_screen_left(&result, &pipe_term, &out);
	return buf_detach(&out);
}

Test(change_screen, a_step_that_shows_is_not_told_as_begun)
{
	struct snapshot seen = SNAPSHOT_INIT, blind = SNAPSHOT_INIT;
	struct step scaled = step_of("replicas 2 -> 3: consul-2 joins", 2, 3),
	            left = step_of("consul-3 leaves Consul", 4, 3);
	char *texts[6];

	scaled.number = 3;
	left.kind = STEP_LEAVE;
	left.object = xstrdup("id-3");
	sample_init(&seen, 3);
	texts[0] = seen_text(&seen, &left, 0);
	texts[1] = seen_text(&seen, &left, 2);
	texts[2] = seen_text(&blind, &left, 2);
	texts[3] = seen_text(&seen, &scaled, 0);
	sample_lose_pod(&seen, 2);
	texts[4] = seen_text(&seen, &scaled, 0);
	scaled.number = 4;
	texts[5] = seen_text(&seen, &scaled, 0);
	cr_expect_str_eq(texts[0], "1 step done: consul-3 leaves Consul\nnothing else will be begun\n");
	cr_expect_str_eq(texts[1], "3 steps done, the last: consul-3 leaves Consul\nnothing else will be begun\n");
	cr_expect(str_starts_with(texts[2], "2 steps done; begun: consul-3 leaves Consul\nConsul goes on "), "%s",
	          texts[2]);
	cr_expect_str_eq(texts[3], "begun: replicas 2 -> 3: consul-2 joins\n"
	                           "Kubernetes has done its part; nothing else will be begun\n");
	cr_expect(strstr(texts[4], "\nKubernetes goes on with it; "), "%s", texts[4]);
	cr_expect(strstr(texts[5], "\nKubernetes goes on with it; "), "%s", texts[5]);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(texts[i]);
	step_release(&scaled);
	step_release(&left);
	snapshot_release(&seen);
}

static char *goal_text(struct goal goal, bool nothing_to_do)
{
	struct snapshot snapshot = SNAPSHOT_INIT;
	struct buf out = BUF_TEXT;

	sample_init(&snapshot, 3);
	change_screen_goal(&snapshot, &goal, nothing_to_do, &pipe_term, &out);
	snapshot_release(&snapshot);
	return buf_detach(&out);
}

Test(change_screen, the_goal_in_words)
{
	char *texts[] = { goal_text((struct goal){ .kind = GOAL_SCALE, .replicas = 3 }, true),
		          goal_text((struct goal){ .kind = GOAL_SCALE, .replicas = 1 }, false),
		          goal_text((struct goal){ .kind = GOAL_REAP }, true),
		          goal_text((struct goal){ .kind = GOAL_REAP }, false),
		          goal_text((struct goal){ .kind = GOAL_ROLLOUT }, true) };

	cr_expect(str_ends_with(texts[0], "/consul has 3 servers, all of them voters: nothing to do\n"), "%s",
	          texts[0]);
	cr_expect(str_ends_with(texts[1], "/consul has 1 server, a voter\n"), "%s", texts[1]);
	cr_expect(str_ends_with(texts[2], "/consul: nothing to reap\n"), "%s", texts[2]);
	cr_expect(str_ends_with(texts[3], "/consul: nothing is left to reap\n"), "%s", texts[3]);
	cr_expect(str_ends_with(texts[4], "of the newest revision, and a voter: nothing to do\n"), "%s", texts[4]);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(texts[i]);
}

/* Claims of data-consul-0 … count - 1. */
static char *claims_text(size_t count)
{
	struct snapshot snapshot = SNAPSHOT_INIT;
	struct buf out = BUF_TEXT;

	sample_init(&snapshot, 3);
	for (size_t i = 0; i < snapshot.claim_count; i++)
		kube_claim_release(&snapshot.claims[i]);
	snapshot.claims = xreallocarray(snapshot.claims, count + 1, sizeof(*snapshot.claims));
	strv_release(&snapshot.set.claim_templates);
	strv_add(&snapshot.set.claim_templates, "data");
	for (size_t i = 0; i < count; i++)
		snapshot.claims[i] = (struct kube_claim){ .name = xasprintf("data-consul-%zu", i) };
	snapshot.claim_count = count;
	change_screen_claims(&snapshot, &pipe_term, &out);
	snapshot_release(&snapshot);
	return buf_detach(&out);
}

Test(change_screen, kept_claims_come_with_the_command_that_deletes_them)
{
	_cleanup_free_ char *none = claims_text(3), *two = claims_text(5);

	cr_assert_str_eq(none, "");
	cr_assert(strstr(two, "data-consul-3 and data-consul-4"), "%s", two);
	cr_assert(strstr(two, "\n      kubectl delete pvc data-consul-3 data-consul-4 -n "), "%s", two);
}

Test(change_screen, the_head_says_what_it_starts_from_in_any_terminal)
{
	struct snapshot snapshot = SNAPSHOT_INIT;
	struct assessment assessment = ASSESSMENT_INIT;
	struct term ascii = { .is_tty = true, .width = 40 };
	_cleanup_buf_ struct buf wide = BUF_TEXT, narrow = BUF_TEXT;

	sample_init(&snapshot, 3);
	assess(&snapshot, &assessment);
	change_screen_head(&snapshot, &assessment, &pipe_term, &wide);
	change_screen_head(&snapshot, &assessment, &ascii, &narrow);
	cr_expect(strstr(buf_text(&wide), "/consul  3/3 voters · leader consul-0 · tolerates 1 failure\n"), "%s",
	          buf_text(&wide));
	assert_fits(buf_text(&narrow), 40);
	for (const char *at = buf_text(&narrow); *at; at++)
		cr_assert_gt(*at, 0);
	assessment_release(&assessment);
	snapshot_release(&snapshot);
}
