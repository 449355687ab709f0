/* See include/consul/decode.h. The agent's HTTP API: JSON. */
#include "consul/decode.h"

#include <stdlib.h>

#include "consul/value.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define NO_MEMBERS "no member is listed, not even the server itself: its ACL token has no node:read"

/* What stands in the JSON before it is brought into our form. */
struct member_json {
	char *name;
	char *address;
	char *role;
	char *id;
	char *build;
	char *datacenter;
	char *protocol;
	char *expect;
	char *bootstrap;
	int64_t port;
	int64_t status;
};

static const struct json_field member_fields[] = {
	JSON_FIELD(struct member_json, name, JSON_STRING, "Name", true),
	JSON_FIELD(struct member_json, address, JSON_STRING, "Addr", true),
	JSON_FIELD(struct member_json, port, JSON_INT, "Port", false),
	JSON_FIELD(struct member_json, status, JSON_INT, "Status", true),
	JSON_FIELD(struct member_json, role, JSON_STRING, "Tags.role", false),
	JSON_FIELD(struct member_json, id, JSON_STRING, "Tags.id", false),
	JSON_FIELD(struct member_json, build, JSON_STRING, "Tags.build", false),
	JSON_FIELD(struct member_json, datacenter, JSON_STRING, "Tags.dc", false),
	JSON_FIELD(struct member_json, protocol, JSON_STRING, "Tags.vsn", false),
	JSON_FIELD(struct member_json, expect, JSON_STRING, "Tags.expect", false),
	JSON_FIELD(struct member_json, bootstrap, JSON_STRING, "Tags.bootstrap", false),
	{ 0 },
};

static void member_json_release(struct member_json *json)
{
	free(json->name);
	free(json->address);
	free(json->role);
	free(json->id);
	free(json->build);
	free(json->datacenter);
	free(json->protocol);
	free(json->expect);
	free(json->bootstrap);
}

static int64_t number_or_zero(const char *text)
{
	int64_t number;

	return str_to_int64(text, &number) == 0 && number > 0 ? number : 0;
}

static int decode_member(const cJSON *item, struct member *ret, struct err *err)
{
	_cleanup_(member_json_release) struct member_json json = { 0 };
	int64_t unused_port;

	if (json_decode(item, member_fields, &json, err) < 0)
		return -1;
	if (!*json.name)
		return err_set(err, ERR_INVALID, "Name is empty");
	ret->name = value_text(json.name);
	ret->address = value_split_address(json.address, &unused_port);
	ret->port = json.port;
	ret->status = value_member_status_number(json.status);
	ret->is_server = str_equal(json.role, "consul");
	ret->id = value_or_null(json.id);
	ret->version = value_version(json.build);
	ret->datacenter = value_or_null(json.datacenter);
	ret->protocol = number_or_zero(json.protocol);
	/* bootstrap_expect 1 is told as `bootstrap`, and not as a number. */
	ret->expect = str_equal(json.bootstrap, "1") ? 1 : number_or_zero(json.expect);
	return 0;
}

/* The items of list, an array of at most max. */
static int count_items(const cJSON *list, size_t max, const char *what, size_t *ret_count, struct err *err)
{
	size_t count = 0;

	if (!cJSON_IsArray(list))
		return err_set(err, ERR_INVALID, "the answer is no list of %s", what);
	for (const cJSON *item = list->child; item; item = item->next)
		count++;
	if (count > max)
		return err_set(err, ERR_TOO_LARGE, "more than %zu %s", max, what);
	*ret_count = count;
	return 0;
}

int decode_members_json(const char *text, size_t length, struct view *view, struct err *err)
{
	_cleanup_json_ cJSON *json = NULL;
	const cJSON *item;
	size_t count;

	view_clear_members(view);
	if (json_parse(text, length, &json, err) < 0 ||
	    count_items(json, DECODE_MEMBERS_MAX, "members", &count, err) < 0)
		return -1;
	if (count == 0)
		return err_set(err, ERR_FORBIDDEN, NO_MEMBERS);
	view->members = xcalloc(count, sizeof(*view->members));
	cJSON_ArrayForEach (item, json) {
		size_t index = view->member_count++;

		if (decode_member(item, &view->members[index], err) < 0) {
			view_clear_members(view);
			return err_wrap(err, "member %zu", index + 1);
		}
	}
	view->members_known = true;
	return 0;
}

struct peer_json {
	char *name;
	char *id;
	char *address;
	bool leader;
	bool voter;
};

static const struct json_field peer_fields[] = {
	JSON_FIELD(struct peer_json, name, JSON_STRING, "Node", false),
	JSON_FIELD(struct peer_json, id, JSON_STRING, "ID", false),
	JSON_FIELD(struct peer_json, address, JSON_STRING, "Address", true),
	JSON_FIELD(struct peer_json, leader, JSON_BOOL, "Leader", false),
	JSON_FIELD(struct peer_json, voter, JSON_BOOL, "Voter", true),
	{ 0 },
};

static void peer_json_release(struct peer_json *json)
{
	free(json->name);
	free(json->id);
	free(json->address);
}

static int decode_peer(const cJSON *item, struct peer *ret, struct err *err)
{
	_cleanup_(peer_json_release) struct peer_json json = { 0 };

	if (json_decode(item, peer_fields, &json, err) < 0)
		return -1;
	if (!*json.address)
		return err_set(err, ERR_INVALID, "Address is empty");
	ret->name = value_or_null(json.name);
	ret->id = value_or_null(json.id);
	ret->address = value_text(json.address);
	ret->leader = json.leader;
	ret->voter = json.voter;
	ret->protocol = number_or_zero(json_string_at(item, "ProtocolVersion"));
	return 0;
}

static int read_peers(const cJSON *json, struct view *view, struct err *err)
{
	const cJSON *list = json_get(json, "Servers"), *item;
	size_t count = 0;

	if (count_items(list, DECODE_PEERS_MAX, "raft peers", &count, err) < 0)
		return -1;
	if (count == 0)
		return err_set(err, ERR_INVALID, "the raft configuration lists no server");
	view->peers = xcalloc(count, sizeof(*view->peers));
	cJSON_ArrayForEach (item, list) {
		size_t index = view->peer_count++;

		if (decode_peer(item, &view->peers[index], err) < 0)
			return err_wrap(err, "raft peer %zu", index + 1);
	}
	return 0;
}

int decode_raft_json(const char *text, size_t length, struct view *view, struct err *err)
{
	_cleanup_(view_release) struct view read = VIEW_INIT;
	_cleanup_json_ cJSON *json = NULL;

	if (view->peers_source != PEERS_SELF)
		view_clear_peers(view);
	if (json_parse(text, length, &json, err) < 0 || read_peers(json, &read, err) < 0)
		return -1;
	view_move_peers(view, &read, PEERS_RAFT);
	return 0;
}

static uint64_t counter_at(const cJSON *json, const char *path)
{
	uint64_t number;

	return str_to_uint64(json_string_at(json, path), &number) == 0 ? number : 0;
}

/* The first of three paths that has a flag: 1, 0, or -1 where none has. */
static int64_t flag_at(const cJSON *json, const char *path, const char *other, const char *third)
{
	const char *const paths[] = { path, other, third };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const cJSON *flag = paths[i] ? json_at(json, paths[i]) : NULL;

		if (cJSON_IsBool(flag))
			return cJSON_IsTrue(flag);
	}
	return -1;
}

/* Up to Consul 0.9 the configuration stood in Config, since then most of it is in DebugConfig. */
static int64_t leave_on_terminate(const cJSON *json)
{
	return flag_at(json, "DebugConfig.LeaveOnTerm", "Config.LeaveOnTerm", "Config.LeaveOnTerminate");
}

/* verify_incoming is for RPC and HTTPS, verify_incoming_rpc for RPC alone. */
static int64_t verifies_incoming(const cJSON *json)
{
	int64_t rpc =
	    flag_at(json, "DebugConfig.TLS.InternalRPC.VerifyIncoming", "DebugConfig.VerifyIncomingRPC", NULL);
	int64_t both = flag_at(json, "DebugConfig.VerifyIncoming", NULL, NULL);

	return rpc > both ? rpc : both;
}

/* Flat up to Consul 1.11, in TLS.InternalRPC from 1.12 on. */
static void fill_security(const cJSON *json, struct self *self)
{
	self->verifies_outgoing =
	    flag_at(json, "DebugConfig.TLS.InternalRPC.VerifyOutgoing", "DebugConfig.VerifyOutgoing", NULL);
	self->verifies_incoming = verifies_incoming(json);
	self->verifies_hostname =
	    flag_at(json, "DebugConfig.TLS.InternalRPC.VerifyServerHostname", "DebugConfig.VerifyServerHostname", NULL);
	self->acls_enabled = flag_at(json, "DebugConfig.ACLsEnabled", NULL, NULL);
}

static void fill_self(const cJSON *json, struct self *self)
{
	const char *version = json_string_at(json, "Config.Version");
	const char *data_dir = json_string_at(json, "DebugConfig.DataDir");

	self->name = value_or_null(json_string_at(json, "Config.NodeName"));
	self->id = value_or_null(json_string_at(json, "Config.NodeID"));
	self->datacenter = value_or_null(json_string_at(json, "Config.Datacenter"));
	self->version = value_version(version ? version : json_string_at(json, "Stats.build.version"));
	self->is_server = json_bool_at(json, "Config.Server", false);
	self->role = value_raft_role(json_string_at(json, "Stats.raft.state"));
	self->leader_address = value_or_null(json_string_at(json, "Stats.consul.leader_addr"));
	self->term = counter_at(json, "Stats.raft.term");
	self_take_last(self, counter_at(json, "Stats.raft.last_log_index"),
	               counter_at(json, "Stats.raft.last_log_term"));
	self_take_last(self, counter_at(json, "Stats.raft.last_snapshot_index"),
	               counter_at(json, "Stats.raft.last_snapshot_term"));
	self->commit_index = counter_at(json, "Stats.raft.commit_index");
	self->applied_index = counter_at(json, "Stats.raft.applied_index");
	self->last_contact_ms = value_duration_ms(json_string_at(json, "Stats.raft.last_contact"));
	self->gossip_known = json_string_at(json, "Stats.serf_lan.encrypted") != NULL;
	self->gossip_encrypted = str_equal(json_string_at(json, "Stats.serf_lan.encrypted"), "true");
	self->leave_on_terminate = leave_on_terminate(json);
	self->data_dir = value_or_null(data_dir ? data_dir : json_string_at(json, "Config.DataDir"));
	fill_security(json, self);
}

int decode_self_json(const char *text, size_t length, struct view *view, struct err *err)
{
	_cleanup_json_ cJSON *json = NULL;
	_cleanup_err_ struct err unreadable = ERR_INIT;
	const char *configuration;

	self_release(&view->self);
	view->self_known = false;
	if (json_parse(text, length, &json, err) < 0)
		return -1;
	if (!cJSON_IsObject(json_get(json, "Config")) || !cJSON_IsObject(json_get(json, "Stats")))
		return err_set(err, ERR_INVALID, "the answer has no Config and Stats: it is no Consul agent's");
	fill_self(json, &view->self);
	view->self_known = true;
	configuration = json_string_at(json, "Stats.raft.latest_configuration");
	if (configuration && decode_latest_configuration(configuration, view, &unreadable) < 0)
		return 0; /* documented: the peers stay unknown */
	return 0;
}
