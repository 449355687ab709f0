/*
 * See include/consul/remains.h: why Consul ended, from the last lines of its log.
 *
 * Tried with 1.8.7 (each ends with code 1 within a second and begins again, unless something else is said):
 *
 *     Failed to start Raft: invalid database                    raft.db is garbage, or all zeros
 *     Failed to start Raft: file size too small                 raft.db has a single page
 *     panic: invalid page type: 0: 0                            pages of raft.db are zeros (code 2, a trace of boltdb)
 *     panic: runtime error: index out of range […]              pages of raft.db are garbage (the same)
 *     fatal error: fault, [signal SIGBUS: …                     raft.db was cut to a quarter (the same)
 *     Failed to start Raft: failed to load any existing snapshots
 *                                                               state.bin of the only snapshot is cut, empty, garbage
 *     Failed to start Raft: recovery failed: failed to restore any of the available snapshots
 *                                                               the same, with a raft/peers.json
 *     Failed to start Raft: recovery failed to parse peers.json: …
 *                                                               it is no JSON, empty, an empty list, without a voter,
 * id or address, has an id twice, or the form of raft protocol 2 Failed to start Raft: recovery failed: refused to
 * recover cluster with no initial state, … a good peers.json beside no raft data
 *
 * After a bad peers.json the file stays, so that every start fails. Consul does start, and says nothing of it or only
 * warns, when raft.db is empty (it has the last snapshot then, or nothing), when raft.db was cut behind its used pages,
 * when a snapshot's meta.json is gone or broken ("failed to read metadata"; that snapshot is left out), and with
 * peers.json but no peers.info (peers.json is deleted).
 *
 * Not tried, from users' logs of 1.15 and later, where it is repeated for a minute before the process ends:
 *
 *     startup error: error="refusing to rejoin cluster because server has been offline for more than the configured
 *     server_rejoin_age_max (168h0m0s) - consider wiping your data dir"
 *
 * From the sources of raft (api.go) and bolt (errors.go), not tried: "failed to get last log at index", "failed to get
 * log at index", "failed to find last log", "failed to load current term", "checksum error", "version mismatch".
 */
#include "consul/remains.h"

#include <stdlib.h>
#include <string.h>

#include "util/mem.h"
#include "util/str.h"

#define WORDS_BYTES 300 /* how much of a line is shown */

/* What tells a trouble for sure. An entry's words are all in the line. */
static const struct {
	enum remains_trouble trouble;
	const char *words[2];
} signs[] = {
	{ REMAINS_TOO_OLD, { "refusing to rejoin cluster", "server_rejoin_age_max" } },
	{ REMAINS_BAD_PEERS, { "recovery failed to parse peers.json", "" } },
	{ REMAINS_BAD_PEERS, { "recovery failed: refused to recover cluster with no initial state", "" } },
	{ REMAINS_BAD_PEERS, { "failed to delete peers.json", "" } },
	{ REMAINS_CORRUPT, { "Failed to start Raft: ", "invalid database" } },
	{ REMAINS_CORRUPT, { "Failed to start Raft: ", "file size too small" } },
	{ REMAINS_CORRUPT, { "Failed to start Raft: ", "version mismatch" } },
	{ REMAINS_CORRUPT, { "Failed to start Raft: ", "checksum error" } },
	{ REMAINS_CORRUPT, { "Failed to start Raft: ", "failed to load any existing snapshots" } },
	{ REMAINS_CORRUPT, { "Failed to start Raft: ", "failed to restore any of the available snapshots" } },
	{ REMAINS_CORRUPT, { "Failed to start Raft: ", "failed to load current term" } },
	{ REMAINS_CORRUPT, { "Failed to start Raft: ", "failed to find last log" } },
	{ REMAINS_CORRUPT, { "Failed to start Raft: ", "failed to get last log at index" } },
	{ REMAINS_CORRUPT, { "Failed to start Raft: ", "failed to get log at index" } },
};

/* What Consul says when it cannot start; once it runs it complains of much that ends nothing. */
static const char *const complaints[] = {
	"[ERROR]",   "[ERR]",      "\"@level\":\"error\"", "==> CRITICAL", "==> Error",
	"==> error", "==> failed", "==> data_dir",         NULL,
};

/* Somebody else ended it so (consul/crash.h); all goroutines follow. */
#define QUIT "SIGQUIT: quit"

/* Go's words before a trace of the goroutine that caused it, which comes first. */
static const char *const panics[] = { "panic: ", "fatal error: ", "unexpected fault address", NULL };

/* Packages of the store, in such a trace. */
static const char *const stores[] = { "boltdb/bolt.", "/bbolt.", "raft-boltdb", "raft-wal", NULL };

/* Where in the log the reading is. */
struct reading {
	struct remains *remains;
	bool has_run;
	bool in_panic;     /* traces follow up to the end */
	size_t goroutines; /* of which this is the number; the first one's caused it */
};

static bool has_any(const char *line, const char *const *words)
{
	for (; *words; words++)
		if (strstr(line, *words))
			return true;
	return false;
}

static bool begins_with_any(const char *line, const char *const *words)
{
	for (; *words; words++)
		if (str_starts_with(line, *words))
			return true;
	return false;
}

/*
 * Of "2026-11-22T21:02:06.313Z [ERROR] agent: Error starting agent: error="Failed to start Raft: …"" what is behind the
 * level, and of that the error, which says it all. A new string.
 */
static char *words_of(const char *line)
{
	const char *level = strstr(line, "[ERR"), *words = level && strchr(level, ']') ? strchr(level, ']') + 1 : line;
	const char *error = strstr(words, " error=\""), *close;
	_cleanup_free_ char *copy = NULL;

	if (error) {
		error += strlen(" error=\"");
		close = strrchr(error, '"');
		copy = close && close > error ? xstrndup(error, (size_t)(close - error)) : NULL;
	}
	if (!copy)
		copy = xstrdup(str_starts_with(words, "==> ") ? words + strlen("==> ") : words);
	return str_visible(copy + strspn(copy, " \t"), WORDS_BYTES);
}

static void take_words(struct remains *remains, enum remains_trouble trouble, const char *line)
{
	remains->trouble = trouble;
	replace_string(&remains->last_words, words_of(line));
}

static bool take_sign(struct remains *remains, const char *line)
{
	for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
		if (!strstr(line, signs[i].words[0]) || !strstr(line, signs[i].words[1]))
			continue;
		take_words(remains, signs[i].trouble, line);
		return true;
	}
	return false;
}

static void read_trace(struct reading *reading, const char *line)
{
	reading->goroutines += str_starts_with(line, "goroutine ");
	if (reading->goroutines == 1 && reading->remains->trouble == REMAINS_OTHER && has_any(line, stores))
		reading->remains->trouble = REMAINS_CORRUPT;
}

static void begin_panic(struct reading *reading, const char *line)
{
	take_words(reading->remains, REMAINS_OTHER, line);
	reading->in_panic = true;
}

/* What was wrong before it ran was no reason to end. */
static void begin_running(struct reading *reading)
{
	reading->has_run = true;
	reading->remains->trouble = REMAINS_FINE;
	replace_string(&reading->remains->last_words, NULL);
}

static void read_line(struct reading *reading, const char *line)
{
	struct remains *remains = reading->remains;

	if (reading->in_panic) {
		read_trace(reading, line);
	} else if (begins_with_any(line, panics)) {
		begin_panic(reading, line);
	} else if (str_starts_with(line, QUIT)) {
		begin_panic(reading, line);
		reading->goroutines = 2; /* the first one of them did not do it */
	} else if (strstr(line, "Consul agent running!")) {
		begin_running(reading);
	} else if (!take_sign(remains, line) && !reading->has_run && has_any(line, complaints) &&
	           (remains->trouble == REMAINS_FINE || remains->trouble == REMAINS_OTHER)) {
		take_words(remains, REMAINS_OTHER, line);
	}
}

void remains_read_log(const char *text, size_t length, struct remains *ret_remains)
{
	struct reading reading = { .remains = ret_remains };
	const char *end = text + length;

	ret_remains->trouble = REMAINS_FINE;
	replace_string(&ret_remains->last_words, NULL);
	while (text < end) {
		const char *line_end = memchr(text, '\n', (size_t)(end - text));
		size_t line_length = (size_t)((line_end ? line_end : end) - text);
		_cleanup_free_ char *line = xstrndup(text, line_length);

		line[strcspn(line, "\r")] = '\0';
		read_line(&reading, line);
		text += line_length + (line_end ? 1 : 0);
	}
}
