/* See cluster_parts.h: a server that is told to do something, by HTTP and by the CLI, as Consul 1.8.7 takes it. */
#include "cluster_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"
#include "util/json.h"
#include "util/mem.h"

#define JOIN           "/v1/agent/join/"
#define LEAVE          "/v1/agent/leave"
#define FORCE_LEAVE    "/v1/agent/force-leave/"
#define PEER           "/v1/operator/raft/peer"
#define TRANSFER       "/v1/operator/raft/transfer-leader"
#define AUTOPILOT      "/v1/operator/autopilot/configuration"
#define TRANSFER_MINOR 15

/* An order on its way: whom it was given to, and where the answer goes. */
struct order {
	struct cluster_state *state;
	size_t index;
	const char *method, *path, *query, *body;
	struct buf *out;
};

/* ---------------------------------------------------------------------------------------- what changes */

static bool may_lead(const struct cluster_state *state, size_t index)
{
	const struct cluster_server *server = &state->servers[index];

	return cluster_runs(state, index) && server->agent != AGENT_DOWN && (!server->peer || server->peer == 'V');
}

/* Somebody else leads when who did cannot any more. */
static void elect(struct cluster_state *state)
{
	if (state->leader < 0 || may_lead(state, (size_t)state->leader))
		return;
	state->leader = -1;
	for (size_t i = 0; i < state->count && state->leader < 0; i++)
		if (may_lead(state, i))
			state->leader = (int)i;
}

static int refuse(const struct order *order, const char *words)
{
	buf_adds(order->out, words);
	return 500;
}

static int join(const struct order *order, const char *address)
{
	struct cluster_state *state = order->state;

	for (size_t i = 0; i < state->count; i++) {
		_cleanup_buf_ struct buf ip = BUF_TEXT;

		cluster_ip(i, &ip);
		if (!str_equal(buf_text(&ip), address) || !cluster_runs(state, i))
			continue;
		state->servers[i].sees = state->servers[order->index].sees = NULL;
		return 200;
	}
	buf_addf(order->out,
	         "1 error occurred:\n\t* Failed to join %s: dial tcp %s:8301: connect: connection refused\n\n", address,
	         address);
	return 500;
}

static int leave(const struct order *order)
{
	struct cluster_server *server = &order->state->servers[order->index];

	server->member = 'l';
	server->peer = '-';
	server->agent = AGENT_DOWN;
	server->not_ready = true;
	elect(order->state);
	return 200;
}

/* An alive node says that it is, and stays. */
static int force_leave(const struct order *order, const char *name)
{
	struct cluster_state *state = order->state;
	int found = cluster_find(state, name);
	char letter = found < 0 ? '-' : cluster_member_letter(state, order->index, (size_t)found);

	if (letter == '-') {
		buf_addf(order->out, "agent: No node found with name '%s'", name);
		return 500;
	}
	if (letter == 'a')
		return 200;
	state->servers[found].member = strstr(order->query, "prune") ? '-' : 'l';
	state->servers[found].peer = '-';
	return 200;
}

/* The peer with this id or address; -1: none. */
static int find_peer(const struct cluster_state *state, const char *id, const char *address)
{
	for (size_t i = 0; i < state->count; i++) {
		_cleanup_buf_ struct buf own_id = BUF_TEXT, own_address = BUF_TEXT;

		cluster_node_id(i, &own_id);
		cluster_ip(i, &own_address);
		buf_adds(&own_address, ":8300");
		if (state->servers[i].peer != '-' &&
		    (str_equal(buf_text(&own_id), id) || str_equal(buf_text(&own_address), address)))
			return (int)i;
	}
	return -1;
}

static int remove_peer(const struct order *order)
{
	_cleanup_free_ char *id = match_query(order->query, "id", 0),
	                    *address = match_query(order->query, "address", 0);
	int found = find_peer(order->state, id, address);

	if (found < 0) {
		buf_addf(order->out, "rpc error making call: %s \"%s\" was not found in the Raft configuration",
		         id ? "id" : "address", id ? id : address);
		return 500;
	}
	order->state->servers[found].peer = '-';
	elect(order->state);
	return 200;
}

static int transfer(const struct order *order)
{
	struct cluster_state *state = order->state;
	const char *version = cluster_version(&state->servers[order->index]);
	_cleanup_free_ char *id = match_query(order->query, "id", 0);
	int found = id ? find_peer(state, id, NULL) : -1;

	if (atoi(strchr(version, '.') + 1) < TRANSFER_MINOR)
		return 404;
	if (id && found < 0)
		return refuse(order, "id was not found in the Raft configuration");
	for (size_t i = 0; found < 0 && i < state->count; i++)
		if (may_lead(state, i) && state->leader != (int)i)
			found = (int)i;
	if (found < 0)
		return refuse(order, "cannot find peer");
	state->leader = found;
	buf_adds(order->out, "{\"Success\":true}");
	return 200;
}

static void show_autopilot(const struct cluster_state *state, struct buf *out)
{
	buf_adds(out, "{\"CleanupDeadServers\":true,\"LastContactThreshold\":\"200ms\",\"MaxTrailingLogs\":250,");
	if (!state->options->no_min_quorum)
		buf_addf(out, "\"MinQuorum\":%" PRId64 ",", state->min_quorum);
	buf_addf(out,
	         "\"ServerStabilizationTime\":\"10s\",\"RedundancyZoneTag\":\"\",\"DisableUpgradeMigration\":false,"
	         "\"UpgradeVersionTag\":\"\",\"CreateIndex\":4,\"ModifyIndex\":%" PRId64 "}",
	         state->autopilot_index);
}

static int configure_autopilot(const struct order *order)
{
	struct cluster_state *state = order->state;
	_cleanup_free_ char *cas = match_query(order->query, "cas", 0);
	_cleanup_json_ cJSON *json = NULL;
	int64_t index;

	if (str_equal(order->method, "GET")) {
		show_autopilot(state, order->out);
		return 200;
	}
	json = cJSON_Parse(order->body);
	if (!json)
		return 400;
	if (cas && (str_to_int64(cas, &index) < 0 || index != state->autopilot_index)) {
		buf_adds(order->out, "false");
		return 200;
	}
	state->min_quorum = json_int_at(json, "MinQuorum", 0);
	state->autopilot_index++;
	buf_adds(order->out, "true");
	return 200;
}

/* ----------------------------------------------------------------------------------------------- HTTP */

static int take(const struct order *order)
{
	const struct cluster_state *state = order->state;
	enum cluster_agent agent = state->servers[order->index].agent;
	_cleanup_free_ char *path = match_decode(order->path, strlen(order->path));

	if (agent == AGENT_ACL_DENIED || agent == AGENT_NO_OPERATOR) {
		buf_adds(order->out, "Permission denied");
		return 403;
	}
	if (str_starts_with(path, JOIN))
		return join(order, path + strlen(JOIN));
	if (str_equal(path, LEAVE))
		return leave(order);
	if (str_starts_with(path, FORCE_LEAVE))
		return force_leave(order, path + strlen(FORCE_LEAVE));
	if (cluster_leader_of(state, order->index) < 0)
		return refuse(order, "No cluster leader");
	if (str_equal(path, PEER))
		return remove_peer(order);
	return str_equal(path, TRANSFER) ? transfer(order) : configure_autopilot(order);
}

static const struct {
	const char *method, *path;
} paths[] = {
	{ "PUT", JOIN "*" },  { "PUT", LEAVE },     { "PUT", FORCE_LEAVE "*" }, { "DELETE", PEER },
	{ "POST", TRANSFER }, { "GET", AUTOPILOT }, { "PUT", AUTOPILOT },
};

bool cluster_order(struct cluster_state *state, size_t index, const struct apiserver_request *request, struct buf *out,
                   int *ret_status)
{
	struct order order = { state, index, request->method, request->path, request->query, request->body, out };

	if (state->servers[index].agent == AGENT_GARBAGE)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (!str_equal(paths[i].method, request->method) || !match_pattern(paths[i].path, request->path))
			continue;
		*ret_status = take(&order);
		return true;
	}
	return false;
}

/* ------------------------------------------------------------------------------------------------ CLI */

/* What the CLI sends for a command, and what it says when that went well or not. The argument follows path or query. */
static const struct {
	const char *command, *method, *path, *query, *done, *failed;
} commands[] = {
	{ "consul join *", "PUT", JOIN, NULL, "Successfully joined cluster by contacting 1 nodes.\n",
	  "Error joining address" },
	{ "consul leave", "PUT", LEAVE, NULL, "Graceful leave complete\n", "Error leaving" },
	{ "consul force-leave -prune *", "PUT", FORCE_LEAVE, "prune", "", "Error force leaving" },
	{ "consul force-leave *", "PUT", FORCE_LEAVE, NULL, "", "Error force leaving" },
	{ "consul operator raft remove-peer -id=*", "DELETE", PEER, "id=", "Removed peer\n", "Error removing peer" },
	{ "consul operator raft remove-peer -address=*", "DELETE", PEER, "address=", "Removed peer\n",
	  "Error removing peer" },
	{ "consul operator raft transfer-leader -id=*", "POST", TRANSFER, "id=", "Success\n",
	  "Error transfering leadership" },
	{ "consul operator raft transfer-leader", "POST", TRANSFER, NULL, "Success\n", "Error transfering leadership" },
	{ "consul operator autopilot get-config", "GET", AUTOPILOT, NULL, "",
	  "Error querying Autopilot configuration" },
	{ "consul operator autopilot set-config -min-quorum=*", "PUT", AUTOPILOT, NULL, "Configuration updated!\n",
	  "Error setting Autopilot configuration" },
};

/* The settings as get-config prints them: a line for each. */
static void print_settings(const char *text, struct buf *out)
{
	_cleanup_json_ cJSON *json = cJSON_Parse(text);
	const cJSON *item;

	cJSON_ArrayForEach (item, json) {
		if (cJSON_IsBool(item))
			buf_addf(out, "%s = %s\n", item->string, cJSON_IsTrue(item) ? "true" : "false");
		else if (cJSON_IsNumber(item))
			buf_addf(out, "%s = %d\n", item->string, item->valueint);
		else
			buf_addf(out, "%s = %s\n", item->string, item->valuestring);
	}
}

/* Where the argument begins: behind the pattern's last character before the star. */
static const char *argument_of(const char *pattern, const char *command)
{
	const char *star = strchr(pattern, '*');

	return star ? command + (star - pattern) : "";
}

static int run(struct cluster_state *state, size_t index, size_t row, const char *argument, struct buf *out,
               struct buf *errors)
{
	_cleanup_buf_ struct buf path = BUF_TEXT, query = BUF_TEXT, body = BUF_TEXT, answer = BUF_TEXT;
	struct order order = { state, index, commands[row].method, NULL, NULL, NULL, &answer };
	const char *name = commands[row].query;
	int status;

	buf_adds(&path, commands[row].path);
	buf_adds(&query, name ? name : "");
	if (str_ends_with(commands[row].path, "/"))
		buf_add_url(&path, argument);
	else if (name)
		buf_add_url(&query, argument);
	else
		buf_addf(&body, "{\"MinQuorum\":%s}", argument);
	order.path = buf_text(&path);
	order.query = buf_text(&query);
	order.body = buf_text(&body);
	status = take(&order);
	if (status == 404) {
		buf_adds(errors, "Usage: consul operator raft <subcommand> [options]\n\n  The Raft operator command\n");
		return 1;
	}
	if (status != 200) {
		buf_addf(errors, "%s: Unexpected response code: %d (%s)\n", commands[row].failed, status,
		         buf_text(&answer));
		return 1;
	}
	buf_adds(out, commands[row].done);
	if (str_equal(commands[row].method, "GET"))
		print_settings(buf_text(&answer), out);
	return 0;
}

bool cluster_cli_order(struct cluster_state *state, size_t index, const char *command, struct buf *out,
                       struct buf *errors, int *ret_exit_code)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!match_pattern(commands[i].command, command) || state->servers[index].agent == AGENT_GARBAGE)
			continue;
		if (state->servers[index].agent == AGENT_DOWN) {
			buf_addf(errors,
			         "%s: %s \"http://127.0.0.1:8500%s\": dial tcp 127.0.0.1:8500: connect: connection "
			         "refused\n",
			         commands[i].failed, commands[i].method, commands[i].path);
			*ret_exit_code = 1;
		} else {
			*ret_exit_code = run(state, index, i, argument_of(commands[i].command, command), out, errors);
		}
		return true;
	}
	return false;
}
