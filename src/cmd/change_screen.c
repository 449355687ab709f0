/* See include/cmd/change_screen.h. */
#include "cmd/change_screen.h"

#include <inttypes.h>
#include <string.h>

#include "consul/diagnosis.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"
#include "util/table.h"

/* text from the cluster or with signs of ours, fit for this terminal. New string. */
static char *shown(const struct term *term, const char *text)
{
	_cleanup_free_ char *visible = str_visible(text, 0);

	return term_text(term, visible);
}

void change_screen_line(struct buf *out, const struct term *term, const char *text, const char *indent)
{
	_cleanup_free_ char *fit = shown(term, text);

	if (term->width > 0 && term_text_width(fit) > term->width)
		term_add_wrapped(out, fit, term->width, indent);
	else
		buf_adds(out, fit);
	buf_addc(out, '\n');
}

void change_screen_head(const struct snapshot *snapshot, const struct assessment *assessment, const struct term *term,
                        struct buf *out)
{
	_cleanup_free_ char *line =
	    xasprintf("%s/%s  %s", snapshot->namespace_name, snapshot->set.name, assessment->summary);

	change_screen_line(out, term, line, "    ");
}

/* ------------------------------------------------------------------------------------- arithmetic */

static bool same_arithmetic(const struct quorum *a, const struct quorum *b)
{
	return a->known == b->known && a->voters == b->voters && a->quorum == b->quorum && a->tolerance == b->tolerance;
}

/* "3 -> 4"; "3" when nothing of the arithmetic changes; "?" for what is not known. New string. */
static char *change_of(const struct step *step, int64_t before, int64_t after)
{
	if (!step->before.known || !step->after.known)
		return xstrdup("?");
	if (same_arithmetic(&step->before, &step->after))
		return xasprintf("%" PRId64, before);
	return xasprintf("%" PRId64 " -> %" PRId64, before, after);
}

/* In a sentence, where what stays as it is is told once. */
static void add_change(struct buf *out, const char *word, int64_t before, int64_t after)
{
	buf_addf(out, "%s %" PRId64, word, before);
	if (before != after)
		buf_addf(out, " -> %" PRId64, after);
}

/* ------------------------------------------------------------------------------------------ plan */

static const struct table_column step_columns[] = {
	{ .title = "STEP" },   { .title = "ACTION" },    { .title = "VOTERS" },
	{ .title = "QUORUM" }, { .title = "TOLERATES" },
};

/* The least width that makes sense for a text, and the gaps between five columns. */
#define ACTION_MIN 20
#define GAPS       12

/* How much of this terminal's width is left for the texts; 0: as much as they want. */
static size_t action_width(const struct steps *steps, const struct term *term)
{
	size_t widths[] = { strlen("STEP"), strlen("VOTERS"), strlen("QUORUM"), strlen("TOLERATES") };
	size_t taken = GAPS;

	for (size_t i = 0; i < steps->count; i++) {
		const struct step *step = &steps->items[i];
		_cleanup_free_ char *number = xasprintf("%zu", i + 1);
		_cleanup_free_ char *voters = change_of(step, step->before.voters, step->after.voters);
		_cleanup_free_ char *quorum = change_of(step, step->before.quorum, step->after.quorum);
		_cleanup_free_ char *tolerates = change_of(step, step->before.tolerance, step->after.tolerance);
		const char *const cells[] = { number, voters, quorum, tolerates };

		for (size_t k = 0; k < ARRAY_SIZE(widths); k++)
			widths[k] = strlen(cells[k]) > widths[k] ? strlen(cells[k]) : widths[k];
	}
	for (size_t k = 0; k < ARRAY_SIZE(widths); k++)
		taken += widths[k];
	if (term->width == 0)
		return 0;
	return term->width > taken + ACTION_MIN ? term->width - taken : ACTION_MIN;
}

/* The first line of a step's text gets the numbers; the others stand below it. */
static void add_step(struct table *table, const struct step *step, size_t number, const struct term *term, size_t width)
{
	_cleanup_free_ char *text = shown(term, step->text);
	_cleanup_free_ char *voters = change_of(step, step->before.voters, step->after.voters);
	_cleanup_free_ char *quorum = change_of(step, step->before.quorum, step->after.quorum);
	_cleanup_free_ char *tolerates = change_of(step, step->before.tolerance, step->after.tolerance);
	bool none_left = step->after.known && step->after.tolerance == 0;
	_cleanup_buf_ struct buf wrapped = BUF_TEXT;
	_cleanup_strv_ struct strv lines = STRV_INIT;

	term_add_wrapped(&wrapped, text, width, "");
	strv_split(&lines, buf_text(&wrapped), '\n');
	for (size_t i = 0; i < lines.count; i++) {
		if (i == 0)
			table_addf(table, "%zu", number);
		else
			table_add(table, " ");
		table_add(table, lines.items[i]);
		table_add(table, i == 0 ? voters : " ");
		table_add(table, i == 0 ? quorum : " ");
		table_add_styled(table, none_left && i == 0 ? TERM_YELLOW : TERM_PLAIN, i == 0 ? tolerates : " ");
	}
}

/* The table without the blanks that empty cells leave at the ends of lines. */
static void add_trimmed(struct buf *out, const char *text)
{
	_cleanup_strv_ struct strv lines = STRV_INIT;

	strv_split(&lines, text, '\n');
	for (size_t i = 0; i + 1 < lines.count; i++) {
		size_t length = strlen(lines.items[i]);

		while (length > 0 && lines.items[i][length - 1] == ' ')
			length--;
		buf_addf(out, "%.*s\n", (int)length, lines.items[i]);
	}
}

static void add_table(const struct steps *steps, const struct term *term, struct buf *out)
{
	_cleanup_table_ struct table *table = table_new(step_columns, ARRAY_SIZE(step_columns));
	_cleanup_buf_ struct buf text = BUF_TEXT;
	size_t width = action_width(steps, term);

	for (size_t i = 0; i < steps->count; i++)
		add_step(table, &steps->items[i], i + 1, term, width);
	table_render(table, term, true, &text);
	add_trimmed(out, buf_text(&text));
}

/* What cannot be told beforehand, or must not be. */
static void add_last(const struct steps *steps, const struct plan *last, const struct term *term, struct buf *out)
{
	_cleanup_free_ char *line = NULL;
	const char *when = steps->count > 0 || steps->waits_for ? "then" : "now";

	if (last->kind == PLAN_WAIT)
		line = xasprintf("%s waiting: %s", when, last->text);
	else if (last->kind == PLAN_REFUSE)
		line = xasprintf("%s refused: %s", when, last->text);
	if (line)
		change_screen_line(out, term, line, "    ");
}

void change_screen_plan(const struct steps *steps, const struct plan *last, const struct strv *notes,
                        const struct term *term, struct buf *out)
{
	if (steps->waits_for) {
		_cleanup_free_ char *line = xasprintf("now waiting: %s", steps->waits_for);

		change_screen_line(out, term, line, "    ");
	}
	if (steps->count > 0)
		add_table(steps, term, out);
	add_last(steps, last, term, out);
	for (size_t i = 0; i < notes->count; i++) {
		_cleanup_free_ char *line = xasprintf("note: %s", notes->items[i]);

		change_screen_line(out, term, line, "      ");
	}
}

/* ------------------------------------------------------------------------------------------- goal */

void change_screen_goal(const struct snapshot *snapshot, const struct goal *goal, bool nothing_to_do,
                        const struct term *term, struct buf *out)
{
	_cleanup_free_ char *name = xasprintf("%s/%s", snapshot->namespace_name, snapshot->set.name);
	_cleanup_free_ char *line = NULL;
	const char *end = nothing_to_do ? ": nothing to do" : "";

	switch (goal->kind) {
	case GOAL_SCALE:
		if (goal->replicas == 1)
			line = xasprintf("%s has 1 server, a voter%s", name, end);
		else
			line = xasprintf("%s has %" PRId64 " servers, all of them voters%s", name, goal->replicas, end);
		break;
	case GOAL_REAP:
		if (nothing_to_do)
			line = xasprintf("%s: nothing to reap", name);
		else
			line = xasprintf("%s: nothing is left to reap", name);
		break;
	case GOAL_ROLLOUT:
		line = xasprintf("%s: every server is of the newest revision, and a voter%s", name, end);
		break;
	}
	change_screen_line(out, term, line, "    ");
}

void change_screen_claims(const struct snapshot *snapshot, const struct term *term, struct buf *out)
{
	_cleanup_strv_ struct strv names = STRV_INIT, words = STRV_INIT;
	_cleanup_free_ char *list = NULL, *arguments = NULL, *line = NULL, *command = NULL;
	_cleanup_free_ char *namespace_word = shell_word(snapshot->namespace_name);

	for (size_t i = 0; i < snapshot->claim_count; i++) {
		const struct kube_claim *claim = &snapshot->claims[i];
		int64_t ordinal = snapshot_claim_ordinal(snapshot, claim->name);

		if (claim->deleting || ordinal < 0 || snapshot_wants_ordinal(snapshot, ordinal))
			continue;
		strv_add(&names, claim->name);
		strv_take(&words, shell_word(claim->name));
	}
	if (names.count == 0)
		return;
	list = list_names(&names);
	arguments = strv_join(&words, " ", " ");
	line = xasprintf("note: kept, with the data of servers that are gone: %s; to delete %s:", list,
	                 names.count == 1 ? "it" : "them");
	change_screen_line(out, term, line, "      ");
	command = xasprintf("      kubectl delete pvc %s -n %s\n", arguments, namespace_word);
	buf_adds(out, command);
}

/* ----------------------------------------------------------------------------------------- events */

/* " (voters 3 -> 4, quorum 2 -> 3, tolerates 1)", or nothing for a step that changes none of it. */
static void add_arithmetic(struct buf *out, const struct step *step)
{
	const struct quorum *before = &step->before, *after = &step->after;

	if (!before->known || !after->known || same_arithmetic(before, after))
		return;
	add_change(out, " (voters", before->voters, after->voters);
	add_change(out, ", quorum", before->quorum, after->quorum);
	add_change(out, ", tolerates", before->tolerance, after->tolerance);
	buf_addc(out, ')');
}

/* "0.4s", "23s", "3m12s". */
static char *duration(int64_t milliseconds)
{
	if (milliseconds < 10000)
		return xasprintf("%" PRId64 ".%" PRId64 "s", milliseconds / 1000, milliseconds % 1000 / 100);
	return clock_format_age(milliseconds / 1000);
}

static char *visible(struct buf *line)
{
	return str_visible(buf_text(line), 0);
}

static const char *step_text(const struct act_event *event)
{
	return event->step ? event->step->text : event->text;
}

char *change_screen_event(const struct act_event *event)
{
	_cleanup_free_ char *took = duration(event->took_ms);
	_cleanup_buf_ struct buf line = BUF_TEXT;

	switch (event->kind) {
	case ACT_STEP:
		buf_addf(&line, "step %" PRId64 ": %s", event->number, step_text(event));
		if (event->step)
			add_arithmetic(&line, event->step);
		break;
	case ACT_DONE:
		buf_addf(&line, "step %" PRId64 " done in %s", event->number, took);
		break;
	case ACT_WAITING:
		buf_addf(&line, "waiting: %s", event->text);
		break;
	case ACT_NOTE:
		buf_adds(&line, event->text);
		break;
	}
	return visible(&line);
}

char *change_screen_done(const struct act_event *event)
{
	_cleanup_free_ char *took = duration(event->took_ms);
	_cleanup_buf_ struct buf line = BUF_TEXT;

	buf_addf(&line, "step %" PRId64 " done in %s: %s", event->number, took, step_text(event));
	return visible(&line);
}

/* Indented, and wrapped where the screen would cut it. */
static void add_now(struct buf *out, const struct term *term, const char *text)
{
	_cleanup_free_ char *line = xasprintf("  %s", text);

	change_screen_line(out, term, line, "    ");
}

void change_screen_now(const struct change_now *now, const struct term *term, struct buf *out)
{
	_cleanup_free_ char *passed = clock_format_age(now->passed_ms / 1000);
	_cleanup_free_ char *allowed = clock_format_age(now->allowed_ms / 1000);
	_cleanup_free_ char *title = str_visible(now->title, 0);

	buf_addf(out, "%s: %s of %s\n", title, passed, allowed);
	if (now->step)
		add_now(out, term, now->step);
	if (now->waiting)
		add_now(out, term, now->waiting);
}

/* ------------------------------------------------------------------------------------------- end */

/* All pods that are wanted run, and no others are there. */
static bool kubernetes_is_done(const struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *server = &snapshot->servers[i];
		bool wanted = server->ordinal < 0 || snapshot_wants_ordinal(snapshot, server->ordinal);
		bool runs = server->container && server->container->running && !server->pod.deleting;

		if (wanted ? !runs : server->has_pod)
			return false;
	}
	return true;
}

/* Who carries on with the step that was begun. */
static const char *goes_on(const struct act_result *result)
{
	switch (result->pending->kind) {
	case STEP_REPLICAS:
	case STEP_RESTART:
		if (result->seen && step_shows(&result->last, result->pending) && kubernetes_is_done(&result->last))
			return "Kubernetes has done its part";
		return "Kubernetes goes on with it";
	case STEP_DELETE_CLAIM:
		return "Kubernetes goes on with it";
	case STEP_TRANSFER_LEADER:
	case STEP_LEAVE:
	case STEP_FORCE_LEAVE:
	case STEP_PRUNE:
	case STEP_REMOVE_PEER:
	case STEP_MIN_QUORUM:
	case STEP_EXPECT:
	case STEP_JOIN:
		break;
	}
	return "Consul goes on with it, if it has heard of it";
}

/* Whether nothing is left to be done of the last step. Replicas and pods show before there is a server. */
static bool last_is_done(const struct act_result *result)
{
	return result->pending && result->seen && result->pending->kind != STEP_REPLICAS &&
	       result->pending->kind != STEP_RESTART && step_shows(&result->last, result->pending);
}

void change_screen_left(const struct act_result *result, const struct term *term, struct buf *out)
{
	bool done = last_is_done(result), begun = result->pending && !done;
	int64_t steps = result->steps + done;
	_cleanup_buf_ struct buf line = BUF_TEXT;

	if (steps == 0 && !begun)
		buf_adds(&line, "nothing was changed");
	else if (steps > 0)
		buf_addf(&line, "%" PRId64 " step%s done", steps, steps == 1 ? "" : "s");
	if (done)
		buf_addf(&line, "%s%s", steps == 1 ? ": " : ", the last: ", result->pending->text);
	else if (begun)
		buf_addf(&line, "%sbegun: %s", steps > 0 ? "; " : "", result->pending->text);
	change_screen_line(out, term, buf_text(&line), "    ");
	buf_clear(&line);
	if (begun)
		buf_addf(&line, "%s; nothing else will be begun", goes_on(result));
	else if (done || result->waiting_for)
		buf_adds(&line, "nothing else will be begun");
	if (result->waiting_for)
		buf_addf(&line, "; last seen: %s", result->waiting_for);
	if (line.len > 0)
		change_screen_line(out, term, buf_text(&line), "    ");
}
