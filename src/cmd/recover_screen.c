/* See include/cmd/recover_screen.h. */
#include "cmd/recover_screen.h"

#include <inttypes.h>

#include "cmd/change_screen.h"
#include "consul/assess.h"
#include "consul/diagnosis.h"
#include "util/mem.h"
#include "util/str.h"
#include "util/table.h"

/* Characters of a node id that are shown, as Consul's own UI has it. */
#define ID_SHOWN 8

static const struct table_column server_columns[] = {
	{ .title = "SERVER" },
	{ .title = "POD", .priority = 2 },
	{ .title = "FATE" },
	{ .title = "VOTER", .priority = 4 },
	{ .title = "RAFT ID", .priority = 3 },
	{ .title = "TERM", .priority = 1 },
	{ .title = "LAST INDEX" },
	{ .title = "BEHIND" },
	{ .title = "DATA", .priority = 5 },
};

static const char *pod_word(const struct recovery_server *row)
{
	const struct server *server = row->server;

	if (!server || !server->has_pod)
		return NULL;
	if (server->pod.deleting)
		return "Terminating";
	if (server->container && server->container->waiting_reason)
		return server->container->waiting_reason;
	return server->pod.phase;
}

static enum term_style fate_style(enum fate fate)
{
	switch (fate) {
	case FATE_REMAINS:
		return TERM_GREEN;
	case FATE_EMPTY:
		return TERM_PLAIN;
	case FATE_RETURNS:
	case FATE_STRANGER:
		return TERM_YELLOW;
	case FATE_BROKEN:
	case FATE_GONE:
		break;
	}
	return TERM_RED;
}

/* "3.4 MiB" */
static char *size_text(uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double size = (double)bytes;
	size_t unit = 0;

	while (size >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		size /= 1024;
		unit++;
	}
	return unit == 0 ? xasprintf("%" PRIu64 " B", bytes) : xasprintf("%.1f %s", size, units[unit]);
}

static void add_data(struct table *table, const struct remains *remains)
{
	_cleanup_free_ char *size = NULL;

	if (remains && remains->known && remains->has_raft)
		size = size_text(remains->raft_bytes);
	table_add(table, size ? size : remains && remains->known ? "none" : "?");
}

static void add_log(struct table *table, const struct recovery *recovery, const struct recovery_server *row)
{
	const struct recovery_server *best = recovery->best;

	if (!row->log_known) {
		table_add(table, "?");
		table_add(table, "?");
		table_add(table, "?");
		return;
	}
	table_addf(table, "%" PRIu64, row->last_term);
	table_addf(table, "%" PRIu64, row->last_index);
	if (best && best->log_known && row->last_term == best->last_term)
		table_addf(table, "%" PRIu64, row->behind);
	else
		table_add(table, best && recovery_is_ahead(row, best) ? "ahead" : "earlier term");
}

static void add_row(struct table *table, const struct recovery *recovery, const struct recovery_server *row)
{
	_cleanup_free_ char *id = row->id ? xstrndup(row->id, ID_SHOWN) : NULL;

	table_add(table, row->name);
	table_add(table, pod_word(row));
	table_add_styled(table, fate_style(row->fate), fate_name(row->fate));
	table_add(table, row->voter ? "yes" : "no");
	table_add(table, id);
	if (row->fate == FATE_EMPTY && !row->log_known) {
		table_add(table, "-");
		table_add(table, "-");
		table_add(table, "-");
	} else {
		add_log(table, recovery, row);
	}
	add_data(table, row->remains);
}

static void add_head(const struct recovery_look *look, const struct term *term, struct buf *out)
{
	struct assessment assessment = ASSESSMENT_INIT;

	assess(&look->snapshot, &assessment);
	change_screen_head(&look->snapshot, &assessment, term, out);
	assessment_release(&assessment);
}

void recover_screen_servers(const struct recovery_look *look, const struct term *term, struct buf *out)
{
	const struct recovery *recovery = &look->recovery;
	_cleanup_table_ struct table *table = table_new(server_columns, ARRAY_SIZE(server_columns));

	if (recovery->count == 0)
		return;
	add_head(look, term, out);
	for (size_t i = 0; i < recovery->count; i++)
		add_row(table, recovery, &recovery->servers[i]);
	table_render(table, term, true, out);
	buf_addc(out, '\n');
	for (size_t i = 0; i < recovery->count; i++) {
		_cleanup_free_ char *line = xasprintf("%s: %s", recovery->servers[i].name, recovery->servers[i].why);

		change_screen_line(out, term, line, "    ");
	}
}

/* ------------------------------------------------------------------------------------------------- plan */

static char *names_that_remain(const struct recovery *recovery)
{
	_cleanup_strv_ struct strv names = STRV_INIT;

	for (size_t i = 0; i < recovery->remaining; i++)
		strv_add(&names, recovery->servers[i].name);
	return list_names(&names);
}

static void add_step(struct buf *out, const struct term *term, int64_t *number, char *text)
{
	_cleanup_free_ char *line = xasprintf("%" PRId64 " %s", ++*number, text);

	change_screen_line(out, term, line, "  ");
	free(text);
}

/* The others have less log, and so no vote yet. */
static bool leads_alone(const struct recovery *recovery)
{
	const struct recovery_server *next = recovery->remaining > 1 ? &recovery->servers[1] : NULL;

	return next && next->log_known && recovery_is_ahead(recovery->best, next);
}

static void add_steps(const struct recovery_look *look, const char *directory, const struct term *term, struct buf *out)
{
	const struct recovery *recovery = &look->recovery;
	const char *best = recovery->best->name;
	_cleanup_free_ char *names = names_that_remain(recovery);
	bool one = recovery->remaining == 1;
	int64_t number = 0;

	if (directory)
		add_step(out, term, &number, xasprintf("the raft directory of %s is saved in %s", best, directory));
	add_step(out, term, &number,
	         xasprintf("%s get%s this raft/peers.json: %s", names, one ? "s" : "", recovery->peers_json));
	add_step(out, term, &number,
	         xasprintf("the process%s of %s %s ended at once; Kubernetes starts the container%s again",
	                   one ? "" : "es", names, one ? "is" : "are", one ? "" : "s"));
	add_step(out, term, &number,
	         xasprintf("%s becomes the leader", one || leads_alone(recovery) ? best : "one of them"));
	add_step(out, term, &number,
	         xasprintf("the others join, until all %" PRId64 " servers are voters", look->snapshot.set.replicas));
}

static void add_tidying(const struct recovery *recovery, const struct term *term, struct buf *out)
{
	int64_t number = 0;

	for (size_t i = 0; i < recovery->count; i++) {
		const struct recovery_server *row = &recovery->servers[i];

		if (recovery_loses_file(recovery, row))
			add_step(
			    out, term, &number,
			    xasprintf("there is a leader, and a raft/peers.json waits on %s that would undo it when "
			              "that server is started again: it is removed",
			              row->name));
		if (recovery_gets_peers(recovery, row))
			add_step(out, term, &number,
			         xasprintf("%s gets the leader's peers as raft/peers.json, and its process is ended at "
			                   "once; Kubernetes starts the container again: %s",
			                   row->name, recovery->peers_json));
	}
}

void recover_screen_plan(const struct recovery_look *look, const char *directory, const struct term *term,
                         struct buf *out)
{
	const struct recovery *recovery = &look->recovery;

	if (recovery->count > 0)
		buf_addc(out, '\n');
	if (recovery->kind == RECOVERY_TIDY)
		add_tidying(recovery, term, out);
	else
		add_steps(look, directory, term, out);
	for (size_t i = 0; i < recovery->notes.count; i++) {
		_cleanup_free_ char *line = xasprintf("note: %s", recovery->notes.items[i]);

		change_screen_line(out, term, line, "      ");
	}
}

void recover_screen_commands(const struct recovery *recovery, const struct term *term, struct buf *out)
{
	if (recovery->commands.count == 0)
		return;
	buf_addc(out, '\n');
	change_screen_line(out, term, "to be done by hand, since nothing can be executed where no container runs:", "");
	for (size_t i = 0; i < recovery->commands.count; i++) {
		_cleanup_strv_ struct strv lines = STRV_INIT;

		strv_split(&lines, recovery->commands.items[i], '\n');
		for (size_t k = 0; k < lines.count; k++) {
			_cleanup_free_ char *line = str_visible(lines.items[k], 0);

			buf_addf(out, "%s\n", line);
		}
	}
}
