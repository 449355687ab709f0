/* See cluster_parts.h: what the CLI prints in a server's container, as Consul 1.8.7 prints it. */
#include "cluster_parts.h"

#include <string.h>

#include "util/json.h"
#include "util/mem.h"

#define REFUSED   "Get \"http://127.0.0.1:8500/v1/agent/self\": dial tcp 127.0.0.1:8500: connect: connection refused\n"
#define LONG_LINE ((size_t)10 * 1024 * 1024)

static const char *status_word(char letter)
{
	switch (letter) {
	case 'v':
		return "leaving";
	case 'l':
		return "left";
	case 'f':
		return "failed";
	default:
		return "alive";
	}
}

static char *address_of(size_t index, int port)
{
	struct buf text = BUF_TEXT;

	cluster_ip(index, &text);
	buf_addf(&text, ":%d", port);
	return buf_detach(&text);
}

static int name_width(const struct cluster_state *state)
{
	size_t width = strlen("Node");

	for (size_t i = 0; i < state->count; i++)
		if (strlen(state->names[i]) > width)
			width = strlen(state->names[i]);
	return (int)width;
}

static void print_members(const struct cluster_state *state, size_t index, bool detailed, struct buf *out)
{
	const char *escapes =
	    state->servers[index].agent == AGENT_ESCAPES ? "\x1b[31m\x1b]0;owned\x07\xe2\x80\xae\xc2\233[2J\377" : "";
	int width = name_width(state);

	if (detailed)
		buf_addf(out, "%-*s  %-21s  %-7s  Tags\n", width, "Node", "Address", "Status");
	else
		buf_addf(out, "%-*s  %-21s  %-7s  Type    Build  Protocol  DC   Segment\n", width, "Node", "Address",
		         "Status");
	for (size_t i = 0; i < state->count; i++) {
		_cleanup_free_ char *address = address_of(i, 8301);
		char letter = cluster_member_letter(state, index, i);
		const char *version = cluster_version(&state->servers[i]);

		if (letter == '-')
			continue;
		buf_addf(out, "%s%-*s  %-21s  %-7s  ", escapes, width, state->names[i], address, status_word(letter));
		if (!detailed) {
			buf_addf(out, "server  %-5s  2         dc1  <all>\n", version);
			continue;
		}
		buf_addf(out, "acls=0,build=%s:,dc=dc1,expect=3,ft_fs=1,id=", version);
		cluster_node_id(i, out);
		buf_adds(
		    out,
		    ",port=8300,raft_vsn=3,role=consul,segment=<all>,vsn=2,vsn_max=3,vsn_min=2,wan_join_port=8302\n");
	}
}

static int print_peers(const struct cluster_state *state, size_t index, struct buf *out, struct buf *errors)
{
	int leader = cluster_leader_of(state, index), width = name_width(state);

	if (leader < 0) {
		buf_adds(errors,
		         "Error getting peers: Failed to retrieve raft configuration: Unexpected response code: 500 "
		         "(No cluster leader)\n");
		return 1;
	}
	buf_addf(out, "%-*s  %-36s  %-21s  State     Voter  RaftProtocol\n", width, "Node", "ID", "Address");
	for (size_t i = 0; i < state->count; i++) {
		_cleanup_free_ char *address = address_of(i, 8300);
		_cleanup_buf_ struct buf id = BUF_TEXT;
		char letter = cluster_peer_letter(state, index, i);
		char member = cluster_member_letter(state, index, i);

		if (letter == '-')
			continue;
		cluster_node_id(i, &id);
		buf_addf(out, "%-*s  %-36s  %-21s  %-8s  %-5s  3\n", width,
		         member == '-' ? "(unknown)" : state->names[i], buf_text(&id), address,
		         leader == (int)i ? "leader" : "follower", letter == 'V' ? "true" : "false");
	}
	return 0;
}

/* The statistics of /v1/agent/self, a section and a line for each: that is what `consul info` is. */
static void print_info(const struct cluster_state *state, size_t index, struct buf *out)
{
	_cleanup_buf_ struct buf text = BUF_TEXT;
	_cleanup_json_ cJSON *self = NULL;
	const cJSON *section, *value;

	cluster_agent_answer(state, index, "/v1/agent/self", &text);
	self = cJSON_Parse(buf_text(&text));
	cJSON_ArrayForEach (section, json_get(self, "Stats")) {
		buf_addf(out, "%s:\n", section->string);
		cJSON_ArrayForEach (value, section)
			buf_addf(out, "\t%s = %s\n", value->string, value->valuestring);
	}
}

static void add_long_line(struct buf *out)
{
	char *line = xmalloc(LONG_LINE + 1);

	memset(line, 'x', LONG_LINE);
	line[LONG_LINE] = '\0';
	buf_adds(out, line);
	free(line);
}

static int refuse(const struct cluster_state *state, size_t index, const char *command, struct buf *errors)
{
	enum cluster_agent agent = state->servers[index].agent;

	if (agent == AGENT_DOWN) {
		buf_addf(errors, "Error retrieving: %s", REFUSED);
		return 1;
	}
	if (agent == AGENT_ACL_DENIED && str_starts_with(command, "consul members"))
		return 2;
	if (agent == AGENT_ACL_DENIED || (agent == AGENT_NO_OPERATOR && strstr(command, " raft "))) {
		buf_adds(errors, "Error: Unexpected response code: 403 (Permission denied)\n");
		return 1;
	}
	return 0;
}

int cluster_cli_acl(const struct cluster_state *state, size_t index, const char *command, const char *token,
                    struct buf *errors)
{
	const char *path = str_starts_with(command, "consul members") ? "/v1/agent/members"
	                   : strstr(command, " operator ")            ? "/v1/operator/"
	                                                              : "";
	_cleanup_buf_ struct buf text = BUF_TEXT;
	int status = cluster_acl(state, index, path, token, &text);

	if (status == 200)
		return 2;
	if (status)
		buf_addf(errors, "Error: Unexpected response code: %d (%s)\n", status, buf_text(&text));
	return status ? 1 : 0;
}

int cluster_cli(const struct cluster_state *state, size_t index, const char *command, const char *token,
                struct buf *out, struct buf *errors)
{
	enum cluster_agent agent = state->servers[index].agent;
	int status = refuse(state, index, command, errors);

	if (!status)
		status = cluster_cli_acl(state, index, command, token, errors);

	if (status)
		return status;
	if (agent == AGENT_GARBAGE)
		buf_adds(out, "\x01\x02 no table \xff\xfe\n");
	else if (agent == AGENT_LONG_LINE)
		add_long_line(out);
	else if (str_starts_with(command, "consul members"))
		print_members(state, index, strstr(command, "-detailed") != NULL, out);
	else if (str_starts_with(command, "consul operator raft list-peers"))
		return print_peers(state, index, out, errors);
	else if (str_starts_with(command, "consul info"))
		print_info(state, index, out);
	else if (str_starts_with(command, "consul version"))
		buf_addf(out, "Consul v%s\n", cluster_version(&state->servers[index]));
	else {
		buf_adds(errors, "Usage: consul [--version] [--help] <command> [<args>]\n");
		return 127;
	}
	return 0;
}
