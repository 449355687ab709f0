/* See include/consul/decode.h. The CLI's output, by way of exec: tables and `consul info`. */
#include "consul/decode.h"

#include <string.h>

#include "consul/columns.h"
#include "consul/value.h"
#include "util/mem.h"
#include "util/str.h"

#define NO_MEMBERS "no member is listed, not even the server itself: its ACL token probably has no node:read"

static bool is_blank(const char *text, size_t length)
{
	while (length > 0 && text[length - 1] && strchr(" \t\r\n", text[length - 1]))
		length--;
	return length == 0;
}

static int64_t number_or_zero(const char *text)
{
	int64_t number;

	return str_to_int64(text, &number) == 0 && number > 0 ? number : 0;
}

/* ------------------------------------------------------------------------------------ members */

/* One "key=value" of -detailed. */
static void apply_tag(struct member *member, const char *tag)
{
	const char *equals = strchr(tag, '=');
	_cleanup_free_ char *key = NULL;

	if (!equals)
		return;
	key = xstrndup(tag, (size_t)(equals - tag));
	if (str_equal(key, "role"))
		member->is_server = str_equal(equals + 1, "consul");
	else if (str_equal(key, "id"))
		replace_string(&member->id, value_or_null(equals + 1));
	else if (str_equal(key, "build"))
		replace_string(&member->version, value_version(equals + 1));
	else if (str_equal(key, "dc"))
		replace_string(&member->datacenter, value_or_null(equals + 1));
	else if (str_equal(key, "vsn"))
		member->protocol = number_or_zero(equals + 1);
	else if (str_equal(key, "expect"))
		member->expect = number_or_zero(equals + 1);
	else if (str_equal(key, "bootstrap") && str_equal(equals + 1, "1"))
		member->expect = 1; /* bootstrap_expect 1 is told so, and not as a number */
}

static int read_member(const struct columns *table, struct member *ret, struct err *err)
{
	const char *name = columns_cell(table, "Node"), *address = columns_cell(table, "Address");
	const char *tags = columns_cell(table, "Tags");

	if (str_is_empty(name) || str_is_empty(address))
		return err_set(err, ERR_INVALID, "a member without %s", str_is_empty(name) ? "a name" : "an address");
	ret->name = value_text(name);
	ret->address = value_split_address(address, &ret->port);
	ret->status = value_member_status(columns_cell(table, "Status"));
	ret->is_server = str_equal(columns_cell(table, "Type"), "server");
	ret->version = value_version(columns_cell(table, "Build"));
	ret->datacenter = value_or_null(columns_cell(table, "DC"));
	ret->protocol = number_or_zero(columns_cell(table, "Protocol"));
	if (tags) {
		_cleanup_strv_ struct strv list = STRV_INIT;

		strv_split(&list, tags, ',');
		for (size_t i = 0; i < list.count; i++)
			apply_tag(ret, list.items[i]);
	}
	return 0;
}

/* Room for one more element in an array that grows by doubling. */
static void *grow(void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array; /* doubled at powers of two only */
	return xreallocarray(array, count ? count * 2 : 1, size);
}

static int read_members(struct columns *table, struct view *view, struct err *err)
{
	int more;

	while ((more = columns_next(table, err)) > 0) {
		struct member member = { 0 };

		if (view->member_count == DECODE_MEMBERS_MAX)
			return err_set(err, ERR_TOO_LARGE, "more than %zu members", DECODE_MEMBERS_MAX);
		if (read_member(table, &member, err) < 0)
			return -1;
		view->members = grow(view->members, view->member_count, sizeof(*view->members));
		view->members[view->member_count++] = member;
	}
	return more;
}

int decode_members_text(const char *text, size_t length, struct view *view, struct err *err)
{
	static const char *const names[] = { "Node", "Address", "Status", NULL };
	_cleanup_(columns_release) struct columns table = COLUMNS_INIT;

	view_clear_members(view);
	if (is_blank(text, length))
		return err_set(err, ERR_FORBIDDEN, NO_MEMBERS);
	if (columns_begin(&table, text, length, names, "members", err) < 0)
		return -1;
	if (read_members(&table, view, err) < 0) {
		view_clear_members(view);
		return -1;
	}
	if (view->member_count == 0)
		return err_set(err, ERR_FORBIDDEN, NO_MEMBERS);
	view->members_known = true;
	return 0;
}

/* --------------------------------------------------------------------------------- raft peers */

static int read_peer(const struct columns *table, struct peer *ret, struct err *err)
{
	const char *address = columns_cell(table, "Address"), *voter = columns_cell(table, "Voter");

	if (str_is_empty(address))
		return err_set(err, ERR_INVALID, "a raft peer without an address");
	if (!str_equal(voter, "true") && !str_equal(voter, "false")) {
		_cleanup_free_ char *shown = str_visible(voter, 20);

		return err_set(err, ERR_INVALID, "a raft peer whose Voter is \"%s\"", shown);
	}
	ret->name = value_or_null(columns_cell(table, "Node"));
	ret->id = value_or_null(columns_cell(table, "ID"));
	ret->address = value_text(address);
	ret->leader = str_equal(columns_cell(table, "State"), "leader");
	ret->voter = str_equal(voter, "true");
	ret->protocol = number_or_zero(columns_cell(table, "RaftProtocol"));
	return 0;
}

static int add_peer(struct view *view, struct peer *peer, struct err *err)
{
	if (view->peer_count == DECODE_PEERS_MAX) {
		peer_release(peer);
		return err_set(err, ERR_TOO_LARGE, "more than %zu raft peers", DECODE_PEERS_MAX);
	}
	view->peers = grow(view->peers, view->peer_count, sizeof(*view->peers));
	view->peers[view->peer_count++] = *peer;
	return 0;
}

static int read_peers(struct columns *table, struct view *view, struct err *err)
{
	int more;

	while ((more = columns_next(table, err)) > 0) {
		struct peer peer = { 0 };

		if (read_peer(table, &peer, err) < 0 || add_peer(view, &peer, err) < 0)
			return -1;
	}
	return more;
}

int decode_raft_text(const char *text, size_t length, struct view *view, struct err *err)
{
	static const char *const names[] = { "Address", "State", "Voter", NULL };
	_cleanup_(columns_release) struct columns table = COLUMNS_INIT;
	_cleanup_(view_release) struct view read = VIEW_INIT;

	if (view->peers_source != PEERS_SELF)
		view_clear_peers(view);
	if (columns_begin(&table, text, length, names, "raft peers", err) < 0 || read_peers(&table, &read, err) < 0)
		return -1;
	if (read.peer_count == 0)
		return err_set(err, ERR_INVALID, "the table of raft peers has no row");
	view_move_peers(view, &read, PEERS_RAFT);
	return 0;
}

/* ----------------------------------------------------------------------- latest_configuration */

/* The text between label and the next until, moving on behind it; NULL when it is not so. */
static char *take_between(const char **at, const char *label, const char *until)
{
	const char *start, *end;

	if (!str_starts_with(*at, label))
		return NULL;
	start = *at + strlen(label);
	end = strstr(start, until);
	if (!end)
		return NULL;
	*at = end + strlen(until);
	return xstrndup(start, (size_t)(end - start));
}

/* "{Suffrage:Voter ID:… Address:10.0.0.1:8300}" */
static int read_configured_peer(const char **at, const struct self *self, struct peer *ret)
{
	_cleanup_free_ char *suffrage = take_between(at, "{Suffrage:", " ");
	_cleanup_free_ char *id = suffrage ? take_between(at, "ID:", " ") : NULL;
	char *address = id ? take_between(at, "Address:", "}") : NULL;

	if (str_is_empty(address)) {
		free(address);
		return -1;
	}
	ret->id = value_or_null(id);
	ret->address = address;
	ret->voter = str_equal(suffrage, "Voter");
	ret->leader = str_equal(address, self->leader_address);
	return 0;
}

static int read_configuration(const char *at, struct view *view, struct err *err)
{
	if (*at++ != '[')
		return err_set(err, ERR_INVALID, "latest_configuration does not begin with [");
	while (*at && *at != ']') {
		struct peer peer = { 0 };

		if (read_configured_peer(&at, &view->self, &peer) < 0)
			return err_set(err, ERR_INVALID, "latest_configuration: server %zu is unreadable",
			               view->peer_count + 1);
		if (add_peer(view, &peer, err) < 0)
			return -1;
		at += strspn(at, " ");
	}
	if (*at != ']')
		return err_set(err, ERR_INVALID, "latest_configuration does not end with ]");
	return 0;
}

int decode_latest_configuration(const char *text, struct view *view, struct err *err)
{
	if (view->peers_known)
		return 0;
	view_clear_peers(view);
	if (read_configuration(text, view, err) < 0) {
		view_clear_peers(view);
		return -1;
	}
	view->peers_known = true;
	view->peers_source = PEERS_SELF;
	return 0;
}

/* ---------------------------------------------------------------------------------------- info */

/* What was found while the lines are read. */
struct info {
	struct view *view;
	char *section;
	char *configuration;
	uint64_t log_index, log_term;
	uint64_t snapshot_index, snapshot_term;
	bool has_consul;
};

static void info_release(struct info *info)
{
	free(info->section);
	free(info->configuration);
}

static void apply_counter(const char *value, uint64_t *ret)
{
	if (str_to_uint64(value, ret) < 0)
		*ret = 0;
}

static void apply_raft(struct info *info, const char *key, const char *value)
{
	struct self *self = &info->view->self;

	if (str_equal(key, "state"))
		self->role = value_raft_role(value);
	else if (str_equal(key, "term"))
		apply_counter(value, &self->term);
	else if (str_equal(key, "last_log_index"))
		apply_counter(value, &info->log_index);
	else if (str_equal(key, "last_log_term"))
		apply_counter(value, &info->log_term);
	else if (str_equal(key, "last_snapshot_index"))
		apply_counter(value, &info->snapshot_index);
	else if (str_equal(key, "last_snapshot_term"))
		apply_counter(value, &info->snapshot_term);
	else if (str_equal(key, "commit_index"))
		apply_counter(value, &self->commit_index);
	else if (str_equal(key, "applied_index"))
		apply_counter(value, &self->applied_index);
	else if (str_equal(key, "last_contact"))
		self->last_contact_ms = value_duration_ms(value);
	else if (str_equal(key, "latest_configuration"))
		replace_string(&info->configuration, xstrdup(value));
}

static void apply_info(struct info *info, const char *key, const char *value)
{
	struct self *self = &info->view->self;

	if (str_equal(info->section, "raft")) {
		apply_raft(info, key, value);
	} else if (str_equal(info->section, "consul") && str_equal(key, "server")) {
		self->is_server = str_equal(value, "true");
		info->has_consul = true;
	} else if (str_equal(info->section, "consul") && str_equal(key, "leader_addr")) {
		replace_string(&self->leader_address, value_or_null(value));
	} else if (str_equal(info->section, "build") && str_equal(key, "version")) {
		replace_string(&self->version, value_version(value));
	} else if (str_equal(info->section, "serf_lan") && str_equal(key, "encrypted")) {
		self->gossip_known = true;
		self->gossip_encrypted = str_equal(value, "true");
	}
}

/* "raft:" begins a section, "\tterm = 2" is one of its values ("revision = " without one). Everything else is noise. */
static void apply_line(struct info *info, char *line)
{
	size_t length = strlen(line);
	char *equals = strstr(line, " =");

	if (length > 1 && line[length - 1] == ':' && *line != '\t' && *line != ' ') {
		replace_string(&info->section, xstrndup(line, length - 1));
		return;
	}
	if ((*line != '\t' && *line != ' ') || !equals)
		return;
	*equals = '\0';
	equals += 2;
	apply_info(info, line + strspn(line, " \t"), equals + strspn(equals, " "));
}

static void apply_lines(struct info *info, const char *text, size_t length)
{
	while (length > 0) {
		const char *end = memchr(text, '\n', length);
		size_t line_length = end ? (size_t)(end - text) : length;
		_cleanup_free_ char *line = xstrndup(text, line_length);
		size_t kept = strlen(line);

		while (kept > 0 && (line[kept - 1] == '\r' || line[kept - 1] == ' '))
			line[--kept] = '\0';
		apply_line(info, line);
		text += line_length + (end ? 1 : 0);
		length -= line_length + (end ? 1 : 0);
	}
}

int decode_info_text(const char *text, size_t length, struct view *view, struct err *err)
{
	_cleanup_(info_release) struct info info = { .view = view };
	_cleanup_err_ struct err unreadable = ERR_INIT;

	self_release(&view->self);
	view->self_known = false;
	if (is_blank(text, length))
		return err_set(err, ERR_INVALID, "`consul info` printed nothing");
	apply_lines(&info, text, length);
	if (!info.has_consul) {
		self_release(&view->self);
		return err_set(err, ERR_INVALID,
		               "not the output of `consul info`: no \"server\" in a section \"consul\"");
	}
	self_take_last(&view->self, info.log_index, info.log_term);
	self_take_last(&view->self, info.snapshot_index, info.snapshot_term);
	view->self_known = true;
	if (info.configuration && decode_latest_configuration(info.configuration, view, &unreadable) < 0)
		return 0; /* documented: the peers stay unknown */
	return 0;
}
