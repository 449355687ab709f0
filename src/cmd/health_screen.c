/* See include/cmd/health_screen.h. */
#include "cmd/health_screen.h"

#include <inttypes.h>
#include <string.h>

#include "consul/encryption.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"
#include "util/table.h"

static enum term_style verdict_style(enum verdict verdict)
{
	if (verdict == VERDICT_HEALTHY)
		return TERM_GREEN;
	return verdict == VERDICT_DEGRADED ? TERM_YELLOW : TERM_RED;
}

static enum term_style severity_style(enum severity severity)
{
	switch (severity) {
	case SEVERITY_CRITICAL:
		return TERM_RED;
	case SEVERITY_DEGRADED:
	case SEVERITY_WARNING:
		return TERM_YELLOW;
	case SEVERITY_INFO:
		break;
	}
	return TERM_DIM;
}

/* text from the cluster or with signs of ours, fit for this terminal. New string. */
static char *shown(const struct term *term, const char *text)
{
	_cleanup_free_ char *visible = str_visible(text, 0);

	return term_text(term, visible);
}

void health_screen_verdict(const struct snapshot *snapshot, const struct assessment *assessment,
                           const struct term *term, struct buf *out)
{
	_cleanup_free_ char *name = xasprintf("%s/%s", snapshot->namespace_name, snapshot->set.name);
	_cleanup_free_ char *shown_name = shown(term, name);
	_cleanup_free_ char *summary = shown(term, assessment->summary);
	const char *word = verdict_name(assessment->verdict);
	_cleanup_buf_ struct buf line = BUF_TEXT;

	term_add_styled(&line, term, verdict_style(assessment->verdict), word);
	buf_addf(&line, "  %s  %s", shown_name, summary);
	if (term->width > 0 && term_text_width(buf_text(&line)) > term->width)
		term_add_wrapped(out, buf_text(&line), term->width, "    ");
	else
		buf_adds(out, buf_text(&line));
	buf_addc(out, '\n');
}

/* ------------------------------------------------------------------------------------- server table */

static const struct table_column server_columns[] = {
	{ .title = "SERVER" },
	{ .title = "POD" },
	{ .title = "MEMBER", .priority = 1 },
	{ .title = "RAFT" },
	{ .title = "VOTER" },
	{ .title = "LAG", .priority = 3 },
	{ .title = "SEEN", .priority = 2 },
	{ .title = "VERSION", .priority = 5 },
	{ .title = "RESTARTS", .priority = 6 },
	{ .title = "AGE", .priority = 4 },
	{ .title = "NODE", .priority = 7, .shortest = 6 },
	{ .title = "IP", .wide_only = true, .priority = 8 },
	{ .title = "ASKED BY", .wide_only = true, .priority = 9 },
};

/* The pod in one word: what is wrong with it before what is right. */
static const char *pod_word(const struct server *server)
{
	if (!server->has_pod)
		return "Missing";
	if (server->pod.deleting)
		return "Terminating";
	if (server->container && server->container->waiting_reason)
		return server->container->waiting_reason;
	if (server->container && !server->container->running && server->container->terminated_reason)
		return server->container->terminated_reason;
	if (server->pod.status_reason)
		return server->pod.status_reason;
	if (server->pod.unscheduled_message)
		return "Unschedulable";
	if (str_equal(server->pod.phase, "Running") && !server->pod.ready)
		return "NotReady";
	return server->pod.phase ? server->pod.phase : "Unknown";
}

static bool has_answered(const struct server *server)
{
	return server->view.self_known || server->view.members_known || server->view.peers_known;
}

static void add_raft_cells(struct table *table, const struct server_status *status)
{
	const struct server *server = status->server;

	if (status->leader)
		table_add(table, "leader");
	else if (server->view.self_known && server->view.self.role != RAFT_UNKNOWN)
		table_add(table, raft_role_name(server->view.self.role));
	else
		table_add_styled(table, TERM_RED, server->has_pod && !has_answered(server) ? "no answer" : "-");
	if (!status->peer)
		table_add(table, "-");
	else if (status->voter)
		table_add(table, "yes");
	else
		table_add_styled(table, TERM_YELLOW, "no");
	if (status->lag_known && !status->leader)
		table_addf(table, "%" PRIu64, status->lag);
	else
		table_add(table, "-");
}

static void add_pod_cells(struct table *table, const struct snapshot *snapshot, const struct server *server)
{
	_cleanup_free_ char *age = clock_format_age(snapshot->taken_at - server->pod.created_at);
	const struct kube_container *container = server->container;

	if (container)
		table_addf(table, "%" PRId64, container->restarts);
	else
		table_add(table, "-");
	table_add(table, server->has_pod && server->pod.created_at ? age : "-");
	table_add(table, server->pod.node ? server->pod.node : "-");
	table_add(table, server->pod.ip ? server->pod.ip : "-");
	table_add(table, has_answered(server) ? ask_way_name(server->view.way) : "-");
}

static void add_server_row(struct table *table, const struct snapshot *snapshot, const struct server_status *status)
{
	const struct server *server = status->server;
	bool pod_is_fine = server->has_pod && !server->pod.deleting && server->pod.ready;
	bool is_alive = status->member == MEMBER_ALIVE;

	table_add(table, server->name);
	table_add_styled(table, pod_is_fine ? TERM_PLAIN : TERM_YELLOW, pod_word(server));
	if (status->member == MEMBER_UNKNOWN)
		table_add(table, "-");
	else
		table_add_styled(table, is_alive ? TERM_PLAIN : TERM_RED, member_status_name(status->member));
	add_raft_cells(table, status);
	if (status->asked > 0)
		table_addf(table, "%" PRId64 "/%" PRId64, status->seen_alive_by, status->asked);
	else
		table_add(table, "-");
	table_add(table, status->version ? status->version : "-");
	add_pod_cells(table, snapshot, server);
}

static void add_server_table(const struct snapshot *snapshot, const struct assessment *assessment,
                             const struct health_screen_options *options, const struct term *term, struct buf *out)
{
	_cleanup_table_ struct table *table = table_new(server_columns, ARRAY_SIZE(server_columns));

	table_set_wide(table, options->wide);
	for (size_t i = 0; i < assessment->server_count; i++)
		add_server_row(table, snapshot, &assessment->servers[i]);
	if (table_row_count(table) > 0)
		table_render(table, term, !options->no_headers, out);
}

/* ---------------------------------------------------------------------------------------- findings */

/* Where the text of "cause" and "next" begins. */
#define LABEL_WIDTH 11
static const char label_indent[LABEL_WIDTH + 1] = "           ";

static void add_labelled(struct buf *out, const struct term *term, const char *label, const char *text)
{
	_cleanup_free_ char *fit = shown(term, text);
	_cleanup_buf_ struct buf line = BUF_TEXT;

	buf_addf(&line, "    %-6s %s", label, fit);
	term_add_wrapped(out, buf_text(&line), term_prose_width(term), label_indent);
	buf_addc(out, '\n');
}

/* Not wrapped where it can be helped: it is there to be pasted. */
static void add_command(const char *text, const struct health_screen_options *options, const struct term *term,
                        struct buf *out)
{
	_cleanup_free_ char *command = shown(term, text);
	_cleanup_buf_ struct buf wrapped = BUF_TEXT;

	buf_addf(out, "    %-6s ", "next");
	if (!options->wrap_commands || term->width < LABEL_WIDTH + 20) {
		buf_addf(out, "%s\n", command);
		return;
	}
	term_add_wrapped(&wrapped, command, term->width - LABEL_WIDTH - strlen(" \\"), "");
	for (const char *at = buf_text(&wrapped); *at; at++) {
		if (*at == '\n')
			buf_addf(out, " \\\n%s", label_indent);
		else
			buf_addc(out, *at);
	}
	buf_addc(out, '\n');
}

static void add_finding(const struct finding *finding, const struct health_screen_options *options,
                        const struct term *term, struct buf *out)
{
	_cleanup_free_ char *message = shown(term, finding->message);
	_cleanup_buf_ struct buf line = BUF_TEXT;

	term_add_styled(&line, term, severity_style(finding->kind->severity), severity_name(finding->kind->severity));
	buf_addf(&line, " %s  %s", finding->kind->code, message);
	term_add_wrapped(out, buf_text(&line), term_prose_width(term), "    ");
	buf_addc(out, '\n');
	if (finding->cause)
		add_labelled(out, term, "cause", finding->cause);
	if (finding->command)
		add_command(finding->command, options, term, out);
}

static void add_pointer(const char *code, const struct health_screen_options *options, const struct term *term,
                        struct buf *out)
{
	_cleanup_free_ char *line = xasprintf("More on a finding: %s explain %s", options->program, code);

	buf_addc(out, '\n');
	term_add_wrapped(out, line, term_prose_width(term), "    ");
	buf_addc(out, '\n');
}

void health_screen_findings(const struct assessment *assessment, const struct health_screen_options *options,
                            const struct term *term, struct buf *out)
{
	const struct findings *findings = &assessment->findings;

	for (size_t i = 0; i < findings->count; i++) {
		buf_addc(out, '\n');
		add_finding(&findings->items[i], options, term, out);
	}
	if (findings->count > 0)
		add_pointer(findings->items[0].kind->code, options, term, out);
}

/* One line, where anything is known of it. */
static void add_encryption(const struct snapshot *snapshot, const struct term *term, struct buf *out)
{
	_cleanup_free_ char *line = NULL, *fit = NULL;
	struct encryption encryption;

	encryption_of(snapshot, &encryption);
	line = encryption_line(&encryption);
	if (!line)
		return;
	fit = shown(term, line);
	buf_addc(out, '\n');
	if (term->width > 0 && term_text_width(fit) > term->width)
		term_add_wrapped(out, fit, term->width, "    ");
	else
		buf_adds(out, fit);
	buf_addc(out, '\n');
}

void health_screen(const struct snapshot *snapshot, const struct assessment *assessment,
                   const struct health_screen_options *options, const struct term *term, struct buf *out)
{
	health_screen_verdict(snapshot, assessment, term, out);
	buf_addc(out, '\n');
	add_server_table(snapshot, assessment, options, term, out);
	add_encryption(snapshot, term, out);
	health_screen_findings(assessment, options, term, out);
}

/* ----------------------------------------------------------------------------------------- members */

static const struct table_column member_columns[] = {
	{ .title = "Node" },
	{ .title = "Address" },
	{ .title = "Status" },
	{ .title = "Type", .priority = 1 },
	{ .title = "Build", .priority = 2 },
	{ .title = "Protocol", .priority = 4 },
	{ .title = "DC", .priority = 3 },
};

/* The list that is shown: the leader's, else the first one there is. */
static const struct server *members_source(const struct snapshot *snapshot, const struct assessment *assessment)
{
	if (assessment->leader && assessment->leader->view.members_known)
		return assessment->leader;
	for (size_t i = 0; i < snapshot->server_count; i++)
		if (snapshot->servers[i].view.members_known)
			return &snapshot->servers[i];
	return NULL;
}

static void add_member_table(const struct view *view, const struct health_screen_options *options,
                             const struct term *term, struct buf *out)
{
	_cleanup_table_ struct table *table = table_new(member_columns, ARRAY_SIZE(member_columns));

	for (size_t i = 0; i < view->member_count; i++) {
		const struct member *member = &view->members[i];
		bool alive = member->status == MEMBER_ALIVE;

		table_add(table, member->name);
		if (member->port)
			table_addf(table, "%s:%" PRId64, member->address, member->port);
		else
			table_add(table, member->address);
		table_add_styled(table, alive ? TERM_PLAIN : TERM_RED, member_status_name(member->status));
		table_add(table, member->is_server ? "server" : "client");
		table_add(table, member->version ? member->version : "-");
		table_addf(table, "%" PRId64, member->protocol);
		table_add(table, member->datacenter ? member->datacenter : "-");
	}
	if (table_row_count(table) > 0)
		table_render(table, term, !options->no_headers, out);
}

static void add_disagreement(struct buf *out, const struct term *term, const char *line)
{
	_cleanup_free_ char *fit = shown(term, line);

	term_add_wrapped(out, fit, term->width, "    ");
	buf_addc(out, '\n');
}

/* One line for each member that view has otherwise than the list that is shown. */
static void add_differences(const struct server *server, const struct view *list, const struct term *term,
                            struct buf *out)
{
	const struct view *view = &server->view;

	for (size_t i = 0; i < list->member_count; i++) {
		const struct member *member = &list->members[i];
		const struct member *other = view_member_by_name(view, member->name);
		_cleanup_free_ char *line = NULL;

		if (other ? other->status == member->status : member->status == MEMBER_LEFT)
			continue; /* who came later need not know of one that has left */
		if (other)
			line = xasprintf("%s disagrees: it has %s as %s", server->name, member->name,
			                 member_status_name(other->status));
		else
			line = xasprintf("%s disagrees: it does not list %s", server->name, member->name);
		add_disagreement(out, term, line);
	}
	for (size_t i = 0; i < view->member_count; i++) {
		_cleanup_free_ char *line = NULL;

		if (view_member_by_name(list, view->members[i].name) || view->members[i].status == MEMBER_LEFT)
			continue;
		line = xasprintf("%s disagrees: it also lists %s (%s)", server->name, view->members[i].name,
		                 member_status_name(view->members[i].status));
		add_disagreement(out, term, line);
	}
}

static void add_disagreements(const struct snapshot *snapshot, const struct server *source, const struct term *term,
                              struct buf *out)
{
	_cleanup_buf_ struct buf lines = BUF_TEXT;
	size_t answered = 0;

	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *server = &snapshot->servers[i];

		if (server->view.members_known) {
			answered++;
			add_differences(server, &source->view, term, &lines);
		} else if (server->has_pod && err_is_set(&server->view.members_err)) {
			_cleanup_free_ char *line =
			    xasprintf("%s did not answer: %s", server->name, server->view.members_err.message);

			add_disagreement(&lines, term, line);
		}
	}
	if (lines.len > 0)
		buf_addf(out, "\n%s", buf_text(&lines));
	else
		buf_addf(out, "\nall %zu servers have this list\n", answered);
}

void health_screen_members(const struct snapshot *snapshot, const struct assessment *assessment,
                           const struct health_screen_options *options, const struct term *term, struct buf *out)
{
	const struct server *source = members_source(snapshot, assessment);

	health_screen_verdict(snapshot, assessment, term, out);
	buf_addc(out, '\n');
	if (source) {
		add_member_table(&source->view, options, term, out);
		add_disagreements(snapshot, source, term, out);
	} else {
		buf_adds(out, "no server gave its member list\n");
	}
	if (assessment->verdict == VERDICT_HEALTHY)
		buf_adds(out, "cluster is healthy\n");
}
