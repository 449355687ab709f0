/* See include/cmd/failover_screen.h. */
#include "cmd/failover_screen.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/change_screen.h"
#include "util/mem.h"
#include "util/str.h"
#include "util/table.h"

/* In a table, for any server. */
static const char *const events[DRILL_MARKS] = {
	[DRILL_DOWN] = "down",
	[DRILL_LEADER_LOST] = "leader lost",
	[DRILL_NEW_LEADER] = "new leader",
	[DRILL_RESTARTED] = "runs again",
	[DRILL_ALIVE] = "alive on every view",
	[DRILL_VOTER] = "voter on every view",
	[DRILL_VERDICT] = "ready, verdict as before",
};

static char *seconds(int64_t milliseconds)
{
	return xasprintf("%.1f s", (double)milliseconds / 1000);
}

/* -------------------------------------------------------------------------------------------------- before */

static void add_rounds(struct buf *text, const char *pod, bool named, int64_t rounds)
{
	if (rounds > 1 && named)
		buf_addf(text, " %" PRId64 " rounds, each when the cluster is well again: %s is crashed in each.",
		         rounds, pod);
	else if (rounds > 1)
		buf_addf(text,
		         " %" PRId64 " rounds, each when the cluster is well again: whoever leads then is crashed.",
		         rounds);
}

void failover_screen_plan(const struct snapshot *snapshot, const char *pod, bool named, int64_t rounds,
                          const struct term *term, struct buf *out)
{
	struct assessment assessment = ASSESSMENT_INIT;
	const struct quorum *quorum = &assessment.quorum;
	_cleanup_buf_ struct buf text = BUF_TEXT;
	bool leads;

	assess(snapshot, &assessment);
	leads = assessment.leader && str_equal(assessment.leader->name, pod);
	change_screen_head(snapshot, &assessment, term, out);
	buf_addf(&text,
	         "%s %s, and will be crashed: its process ends without a word, and Kubernetes starts it again. Without "
	         "it %" PRId64 " of %" PRId64 " voters are left, quorum %" PRId64,
	         pod, leads ? "leads" : "follows", quorum->live_voters - 1, quorum->voters, quorum->quorum);
	if (leads)
		buf_adds(&text, "; until they have elected a leader nothing is written.");
	else
		buf_addf(&text, "; %s goes on leading.",
		         assessment.leader_name ? assessment.leader_name : "the leader");
	add_rounds(&text, pod, named, rounds);
	change_screen_line(out, term, buf_text(&text), "    ");
	assessment_release(&assessment);
}

/* --------------------------------------------------------------------------------------------------- during */

char *failover_screen_crashed(const struct drill *drill, int64_t number)
{
	_cleanup_free_ char *round = number > 0 ? xasprintf("round %" PRId64 ": ", number) : xstrdup("");
	_cleanup_free_ char *line =
	    xasprintf("%s%s, who %s, %s", round, drill->victim, drill->led ? "led" : "followed",
	              drill->in_doubt ? "may have been crashed: the answer was lost" : "was crashed");

	return str_visible(line, 0);
}

char *failover_screen_mark(const struct drill *drill, enum drill_mark_kind kind)
{
	_cleanup_free_ char *text = drill_mark_text(drill, kind);
	_cleanup_free_ char *visible = str_visible(text, 0);

	return xasprintf("+%5.1f s  %s", (double)drill->marks[kind].at_ms / 1000, visible);
}

static char *missing_list(const struct drill *drill)
{
	_cleanup_strv_ struct strv missing = STRV_INIT;

	drill_list_missing(drill, &missing);
	return strv_join(&missing, "; ", "; ");
}

void failover_screen_now(const struct drill *drill, const struct term *term, struct buf *out)
{
	_cleanup_free_ char *passed = seconds(drill->since_ms), *list = NULL, *line = NULL;
	_cleanup_strv_ struct strv missing = STRV_INIT;

	for (size_t i = 0; i < DRILL_MARKS; i++)
		if (drill->marks[i].expected && !drill->marks[i].happened)
			strv_add(&missing, events[i]);
	list = strv_join(&missing, "; ", "; ");
	line = xasprintf("%s since the crash; still to come: %s", passed, list);
	change_screen_line(out, term, line, "    ");
}

/* ---------------------------------------------------------------------------------------------------- after */

/* What several rounds have in common: the times of one thing that happened in them. */
struct spread {
	int64_t *times;
	size_t count;
};

static int compare_times(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

static int64_t median(const struct spread *spread)
{
	size_t middle = spread->count / 2;

	if (spread->count % 2 == 1)
		return spread->times[middle];
	return (spread->times[middle - 1] + spread->times[middle]) / 2;
}

static const struct table_column time_columns[] = { { .title = "EVENT" }, { .title = "AFTER" } };
static const struct table_column spread_columns[] = {
	{ .title = "EVENT" }, { .title = "ROUNDS" }, { .title = "MIN" }, { .title = "MEDIAN" }, { .title = "MAX" },
};

static void add_spread(struct table *table, const char *event, struct spread *spread)
{
	if (spread->count == 0)
		return;
	qsort(spread->times, spread->count, sizeof(*spread->times), compare_times);
	table_add(table, event);
	table_addf(table, "%zu", spread->count);
	table_addf(table, "%.1f s", (double)spread->times[0] / 1000);
	table_addf(table, "%.1f s", (double)median(spread) / 1000);
	table_addf(table, "%.1f s", (double)spread->times[spread->count - 1] / 1000);
}

static void add_spreads(struct table *table, const struct drill_round *rounds, size_t count)
{
	struct spread spread = { .times = xcalloc(count, sizeof(*spread.times)) };

	for (size_t kind = 0; kind < DRILL_MARKS; kind++) {
		spread.count = 0;
		for (size_t i = 0; i < count; i++)
			if (rounds[i].drill.marks[kind].happened)
				spread.times[spread.count++] = rounds[i].drill.marks[kind].at_ms;
		add_spread(table, events[kind], &spread);
	}
	for (int reads = 0; reads < 2; reads++) {
		spread.count = 0;
		for (size_t i = 0; i < count; i++)
			if (rounds[i].probed)
				spread.times[spread.count++] = reads ? rounds[i].probe.reads.longest_gap_ms
				                                     : rounds[i].probe.writes.longest_gap_ms;
		add_spread(table, reads ? "no read served for" : "no write served for", &spread);
	}
	free(spread.times);
}

/* The same of one round; what happened between two looks was at that time at the latest. */
static void add_times(struct table *table, const struct drill *drill)
{
	for (size_t i = 0; i < DRILL_MARKS; i++) {
		const struct drill_mark *mark = &drill->marks[i];

		if (!mark->expected)
			continue;
		if (i == DRILL_NEW_LEADER && mark->who)
			table_addf(table, "%s %s", events[i], mark->who);
		else
			table_add(table, events[i]);
		if (mark->happened)
			table_addf(table, "%s%.1f s", mark->unseen ? "<" : "", (double)mark->at_ms / 1000);
		else
			table_add(table, "-");
	}
}

/* How exact all that is. */
static void add_resolution(const struct drill_round *rounds, size_t count, const struct term *term, struct buf *out)
{
	int64_t looks = 0, longest_ms = 0;
	_cleanup_free_ char *longest = NULL, *line = NULL;

	for (size_t i = 0; i < count; i++) {
		looks += rounds[i].drill.looks;
		if (rounds[i].drill.longest_look_ms > longest_ms)
			longest_ms = rounds[i].drill.longest_look_ms;
	}
	longest = seconds(longest_ms);
	line = xasprintf("%" PRId64 " looks, at most %s apart: each event was up to that much earlier", looks, longest);
	change_screen_line(out, term, line, "    ");
}

char *failover_screen_probe(const struct probe_result *probe)
{
	const struct probe_count *writes = &probe->writes, *reads = &probe->reads;
	_cleanup_free_ char *no_write = seconds(writes->longest_gap_ms), *no_read = seconds(reads->longest_gap_ms);
	struct buf out = BUF_TEXT;

	buf_addf(&out,
	         "no write was served for %s (%" PRId64 " of %" PRId64 " failed), no read for %s (%" PRId64
	         " of %" PRId64 " failed); ",
	         no_write, writes->failed, writes->tried, no_read, reads->failed, reads->tried);
	if (!probe->checked)
		buf_addf(&out, "whether the %" PRId64 " acknowledged writes are there could not be checked%s%s",
		         writes->served, err_is_set(&probe->check_err) ? ": " : "",
		         err_is_set(&probe->check_err) ? probe->check_err.message : "");
	else if (probe->lost > 0)
		buf_addf(&out, "LOST: %" PRId64 " of %" PRId64 " acknowledged writes", probe->lost, writes->served);
	else
		buf_addf(&out, "all %" PRId64 " acknowledged writes are there", writes->served);
	if (probe->left)
		buf_addf(&out, "; keys below %s remain", probe->left);
	return buf_detach(&out);
}

void failover_screen_times(const struct drill_round *rounds, size_t count, const struct term *term, struct buf *out)
{
	bool many = count > 1;
	_cleanup_table_ struct table *table = many ? table_new(spread_columns, ARRAY_SIZE(spread_columns))
	                                           : table_new(time_columns, ARRAY_SIZE(time_columns));

	if (count == 0)
		return;
	if (many)
		add_spreads(table, rounds, count);
	else
		add_times(table, &rounds[0].drill);
	table_render(table, term, true, out);
	add_resolution(rounds, count, term, out);
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *text = rounds[i].probed ? failover_screen_probe(&rounds[i].probe) : NULL;
		_cleanup_free_ char *line = !text  ? NULL
		                            : many ? xasprintf("round %zu: %s", i + 1, text)
		                                   : xstrdup(text);

		if (line)
			change_screen_line(out, term, line, "    ");
	}
}

void failover_screen_left(const struct drill *drill, const struct term *term, struct buf *out)
{
	_cleanup_free_ char *missing = missing_list(drill), *ago = seconds(drill->since_ms), *line = NULL;

	if (!drill->victim)
		return;
	if (drill->looks == 0)
		line = xasprintf("%s was crashed, or may have been; nothing was looked at since", drill->victim);
	else if (drill->in_doubt)
		line =
		    xasprintf("%s may have been crashed: the answer was lost, and nothing shows of it", drill->victim);
	else if (drill_is_over(drill))
		return;
	else
		line =
		    xasprintf("%s was crashed %s before the last look; not seen yet: %s", drill->victim, ago, missing);
	change_screen_line(out, term, line, "    ");
}
