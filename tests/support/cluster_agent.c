/* See cluster_parts.h: what a server says by HTTP, as Consul 1.8.7 says it. */
#include "cluster_parts.h"

#include <inttypes.h>
#include <string.h>

#include "util/mem.h"

#define LAST_INDEX   ((uint64_t)1000)
#define DEFAULT_TERM ((uint64_t)3)
#define ESCAPES      "\\u001b[31m\\u001b]0;owned\\u0007\\u202e\\u009b2J\\n\377"

int cluster_find(const struct cluster_state *state, const char *pod)
{
	const char *dash = strrchr(pod, '-');
	int64_t ordinal;

	if (dash && str_to_int64(dash + 1, &ordinal) == 0) {
		ordinal -= state->ordinal_start;
		if (ordinal >= 0 && (size_t)ordinal < state->count && str_equal(state->names[ordinal], pod))
			return (int)ordinal;
	}
	for (size_t i = 0; i < state->count; i++)
		if (str_equal(state->names[i], pod))
			return (int)i;
	return -1;
}

bool cluster_runs(const struct cluster_state *state, size_t index)
{
	const struct cluster_server *server = &state->servers[index];

	return !server->no_pod && !server->waiting && (!server->phase || str_equal(server->phase, "Running"));
}

char cluster_member_letter(const struct cluster_state *state, size_t viewer, size_t index)
{
	const struct cluster_server *server = &state->servers[index];

	if (state->servers[viewer].sees)
		return state->servers[viewer].sees[index];
	if (server->member)
		return server->member;
	return cluster_runs(state, index) && server->agent != AGENT_DOWN ? 'a' : 'f';
}

char cluster_peer_letter(const struct cluster_state *state, size_t viewer, size_t index)
{
	if (state->servers[viewer].peers)
		return state->servers[viewer].peers[index];
	return state->servers[index].peer ? state->servers[index].peer : 'V';
}

int cluster_leader_of(const struct cluster_state *state, size_t viewer)
{
	int leader = state->servers[viewer].leader;

	if (leader == NO_LEADER)
		return -1;
	return leader ? leader - 1 : state->leader;
}

const char *cluster_version(const struct cluster_server *server)
{
	return server->version ? server->version : "1.8.7";
}

void cluster_ip(size_t index, struct buf *out)
{
	buf_addf(out, "10.244.%zu.%zu", index / 250, index % 250 + 2);
}

void cluster_node_id(size_t index, struct buf *out)
{
	buf_addf(out, "5d3e4a62-66fb-3971-84a9-%012zu", index);
}

/* --------------------------------------------------------------------------------------------- members */

static int status_number(char letter)
{
	switch (letter) {
	case 'v':
		return 2;
	case 'l':
		return 3;
	case 'f':
		return 4;
	default:
		return 1;
	}
}

static void add_member(const struct cluster_state *state, size_t viewer, size_t index, struct buf *out)
{
	bool escapes = state->servers[viewer].agent == AGENT_ESCAPES;

	buf_addf(out, "{\"Name\":\"%s%s\",\"Addr\":\"", escapes ? ESCAPES : "", state->names[index]);
	cluster_ip(index, out);
	buf_addf(out,
	         "\",\"Port\":8301,\"Tags\":{\"acls\":\"0\",\"build\":\"%s:\",\"dc\":\"dc1\",\"expect\":\"3\",\"ft_"
	         "fs\":\"1\",\"id\":\"",
	         cluster_version(&state->servers[index]));
	cluster_node_id(index, out);
	buf_addf(out,
	         "\",\"port\":\"8300\",\"raft_vsn\":\"3\",\"role\":\"consul\",\"segment\":\"\",\"vsn\":\"2\",\"vsn_"
	         "max\":\"3\","
	         "\"vsn_min\":\"2\",\"wan_join_port\":\"8302\"},\"Status\":%d,\"ProtocolMin\":1,\"ProtocolMax\":5,"
	         "\"ProtocolCur\":2,\"DelegateMin\":2,\"DelegateMax\":5,\"DelegateCur\":4}",
	         status_number(cluster_member_letter(state, viewer, index)));
}

static void add_members(const struct cluster_state *state, size_t viewer, struct buf *out)
{
	const char *separator = "";

	buf_addc(out, '[');
	for (size_t i = 0; i < state->count; i++) {
		if (cluster_member_letter(state, viewer, i) == '-')
			continue;
		buf_adds(out, separator);
		add_member(state, viewer, i, out);
		separator = ",";
	}
	buf_addc(out, ']');
}

/* ------------------------------------------------------------------------------------------------ raft */

static void add_raft_server(const struct cluster_state *state, size_t viewer, size_t index, struct buf *out)
{
	char member = cluster_member_letter(state, viewer, index);
	bool leads = cluster_leader_of(state, viewer) == (int)index;

	buf_adds(out, "{\"ID\":\"");
	cluster_node_id(index, out);
	buf_addf(out, "\",\"Node\":\"%s\",\"Address\":\"", member == '-' ? "(unknown)" : state->names[index]);
	cluster_ip(index, out);
	buf_addf(out, ":8300\",\"Leader\":%s,\"ProtocolVersion\":\"3\",\"Voter\":%s}", leads ? "true" : "false",
	         cluster_peer_letter(state, viewer, index) == 'V' ? "true" : "false");
}

static int add_raft(const struct cluster_state *state, size_t viewer, struct buf *out)
{
	const char *separator = "";

	if (cluster_leader_of(state, viewer) < 0) {
		buf_adds(out, "No cluster leader");
		return 500;
	}
	buf_adds(out, "{\"Servers\":[");
	for (size_t i = 0; i < state->count; i++) {
		if (cluster_peer_letter(state, viewer, i) == '-')
			continue;
		buf_adds(out, separator);
		add_raft_server(state, viewer, i, out);
		separator = ",";
	}
	buf_adds(out, "],\"Index\":0}");
	return 200;
}

void cluster_latest_configuration(const struct cluster_state *state, size_t viewer, struct buf *out)
{
	const char *separator = "";

	buf_addc(out, '[');
	for (size_t i = 0; i < state->count; i++) {
		char letter = cluster_peer_letter(state, viewer, i);

		if (letter == '-')
			continue;
		buf_addf(out, "%s{Suffrage:%s ID:", separator, letter == 'V' ? "Voter" : "Nonvoter");
		cluster_node_id(i, out);
		buf_adds(out, " Address:");
		cluster_ip(i, out);
		buf_adds(out, ":8300}");
		separator = " ";
	}
	buf_addc(out, ']');
}

/* ------------------------------------------------------------------------------------------------ self */

static size_t count_letters(const struct cluster_state *state, size_t viewer, char letter)
{
	size_t count = 0;

	for (size_t i = 0; i < state->count; i++) {
		char found = cluster_member_letter(state, viewer, i);

		count += letter ? found == letter : found != '-';
	}
	return count;
}

static size_t count_voters(const struct cluster_state *state, size_t viewer)
{
	size_t count = 0;

	for (size_t i = 0; i < state->count; i++)
		count += cluster_peer_letter(state, viewer, i) == 'V';
	return count;
}

static void add_raft_statistics(const struct cluster_state *state, size_t index, struct buf *out)
{
	const struct cluster_server *server = &state->servers[index];
	int leader = cluster_leader_of(state, index);
	uint64_t last = LAST_INDEX - server->lag;
	size_t voters = count_voters(state, index);

	buf_addf(out,
	         "\"raft\":{\"applied_index\":\"%" PRIu64 "\",\"commit_index\":\"%" PRIu64 "\",\"fsm_pending\":\"0\",",
	         last, last);
	buf_addf(out, "\"last_contact\":\"%s\",\"last_log_index\":\"%" PRIu64 "\",\"last_log_term\":\"2\",",
	         leader < 0             ? "1m15.441618838s"
	         : leader == (int)index ? "0"
	                                : "63.729209ms",
	         last);
	buf_adds(out, "\"last_snapshot_index\":\"0\",\"last_snapshot_term\":\"0\",\"latest_configuration\":\"");
	cluster_latest_configuration(state, index, out);
	buf_addf(out,
	         "\",\"latest_configuration_index\":\"0\",\"num_peers\":\"%zu\",\"protocol_version\":\"3\","
	         "\"protocol_version_max\":\"3\",\"protocol_version_min\":\"0\",\"snapshot_version_max\":\"1\","
	         "\"snapshot_version_min\":\"0\",\"state\":\"%s\",\"term\":\"%" PRIu64 "\"}",
	         voters ? voters - 1 : 0,
	         leader < 0             ? "Candidate"
	         : leader == (int)index ? "Leader"
	                                : "Follower",
	         server->term ? server->term : DEFAULT_TERM);
}

static void add_statistics(const struct cluster_state *state, size_t index, struct buf *out)
{
	const struct cluster_server *server = &state->servers[index];
	int leader = cluster_leader_of(state, index);

	buf_adds(out,
	         "{\"agent\":{\"check_monitors\":\"0\",\"check_ttls\":\"0\",\"checks\":\"0\",\"services\":\"0\"},");
	buf_addf(out, "\"build\":{\"prerelease\":\"\",\"revision\":\"\",\"version\":\"%s\"},", cluster_version(server));
	buf_addf(
	    out,
	    "\"consul\":{\"acl\":\"disabled\",\"bootstrap\":\"false\",\"known_datacenters\":\"1\",\"leader\":\"%s\",",
	    leader == (int)index ? "true" : "false");
	buf_adds(out, "\"leader_addr\":\"");
	if (leader >= 0) {
		cluster_ip((size_t)leader, out);
		buf_adds(out, ":8300");
	}
	buf_adds(out, "\",\"server\":\"true\"},");
	add_raft_statistics(state, index, out);
	buf_adds(out, ",\"runtime\":{\"arch\":\"amd64\",\"cpu_count\":\"2\",\"goroutines\":\"90\",\"max_procs\":\"2\","
	              "\"os\":\"linux\","
	              "\"version\":\"go1.15.9\"},");
	buf_addf(out,
	         "\"serf_lan\":{\"coordinate_resets\":\"0\",\"encrypted\":\"%s\",\"event_queue\":\"0\",\"event_time\":"
	         "\"2\",",
	         server->unencrypted ? "false" : "true");
	buf_addf(
	    out,
	    "\"failed\":\"%zu\",\"health_score\":\"0\",\"intent_queue\":\"0\",\"left\":\"%zu\",\"member_time\":\"4\",",
	    count_letters(state, index, 'f'), count_letters(state, index, 'l'));
	buf_addf(out, "\"members\":\"%zu\",\"query_queue\":\"0\",\"query_time\":\"1\"}}",
	         count_letters(state, index, 0));
}

static void add_self(const struct cluster_state *state, size_t index, struct buf *out)
{
	const struct cluster_server *server = &state->servers[index];
	bool escapes = server->agent == AGENT_ESCAPES;

	buf_addf(out, "{\"Config\":{\"Datacenter\":\"dc1\",\"NodeName\":\"%s%s\",\"NodeID\":\"", escapes ? ESCAPES : "",
	         state->names[index]);
	cluster_node_id(index, out);
	buf_addf(out, "\",\"Revision\":\"\",\"Server\":true,\"Version\":\"%s%s\"},", cluster_version(server),
	         escapes ? ESCAPES : "");
	buf_addf(
	    out,
	    "\"DebugConfig\":{\"AutopilotCleanupDeadServers\":true,\"AutopilotMaxTrailingLogs\":250,"
	    "\"AutopilotMinQuorum\":0,"
	    "\"BootstrapExpect\":3,\"Datacenter\":\"dc1\",\"EncryptKey\":\"hidden\",\"HTTPPort\":8500,\"HTTPSPort\":-1,"
	    "\"LeaveOnTerm\":%s,\"SkipLeaveOnInt\":true,\"NonVotingServer\":false},\"Member\":",
	    server->leaves_on_term ? "true" : "false");
	add_member(state, index, index, out);
	buf_adds(out, ",\"Stats\":");
	add_statistics(state, index, out);
	buf_adds(out, ",\"Meta\":{\"consul-network-segment\":\"\"}}");
}

/* Whatever the token. */
static void add_leader(const struct cluster_state *state, size_t index, struct buf *out)
{
	int leader = cluster_leader_of(state, index);

	buf_addc(out, '"');
	if (leader >= 0) {
		cluster_ip((size_t)leader, out);
		buf_adds(out, ":8300");
	}
	buf_addc(out, '"');
}

int cluster_acl(const struct cluster_state *state, size_t index, const char *path, const char *token, struct buf *out)
{
	const char *right = state->options->acl_token, *recovery = state->options->recovery;
	bool is_recovery = recovery && str_equal(token, recovery);

	if (!right || str_equal(path, "/v1/status/leader") || (is_recovery && !strstr(path, "/operator/")) ||
	    (str_equal(token, right) && !state->servers[index].knows_no_token))
		return 0;
	if (!str_is_empty(token) && !is_recovery) {
		buf_adds(out, "ACL not found");
		return 403;
	}
	if (state->options->acl_allows && !is_recovery)
		return 0;
	if (str_equal(path, "/v1/agent/members")) {
		buf_adds(out, "[]");
		return 200;
	}
	buf_adds(out, "Permission denied");
	return 403;
}

int cluster_agent_answer(const struct cluster_state *state, size_t index, const char *path, struct buf *out)
{
	enum cluster_agent agent = state->servers[index].agent;
	bool is_members = str_equal(path, "/v1/agent/members");

	if (agent == AGENT_GARBAGE) {
		buf_adds(out, "<html><body><h1>It works!</h1></body></html>");
		return 200;
	}
	if (str_equal(path, "/v1/status/leader")) {
		add_leader(state, index, out);
		return 200;
	}
	if (agent == AGENT_ACL_DENIED && is_members) {
		buf_adds(out, "[]");
		return 200;
	}
	if (agent == AGENT_ACL_DENIED || (agent == AGENT_NO_OPERATOR && str_starts_with(path, "/v1/operator/"))) {
		buf_adds(out, "Permission denied");
		return 403;
	}
	if (is_members)
		add_members(state, index, out);
	else if (str_equal(path, "/v1/agent/self"))
		add_self(state, index, out);
	else if (str_equal(path, "/v1/operator/raft/configuration"))
		return add_raft(state, index, out);
	else
		return 404;
	return 200;
}
