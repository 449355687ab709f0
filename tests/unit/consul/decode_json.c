/* consul/decode.h: the agent's JSON. */
#include <criterion/criterion.h>

#include "consul/decode.h"
#include "fixture.h"
#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

typedef int decode_fn(const char *text, size_t length, struct view *view, struct err *err);

static void decode_file(decode_fn *decode, const char *name, struct view *view)
{
	size_t length;
	_cleanup_free_ char *text = fixture_read(name, &length);
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(decode(text, length, view, &err), 0, "%s: %s", name, err.message);
	cr_assert_not(err_is_set(&err));
}

/* Decodes text, which must fail with this kind and with words in the message. */
static void expect_error(decode_fn *decode, const char *text, enum err_kind kind, const char *words)
{
	struct view view = VIEW_INIT;
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(decode(text, strlen(text), &view, &err), -1, "%.80s", text);
	cr_expect_eq(err.kind, kind, "%.80s: %s", text, err.message);
	cr_expect_not_null(strstr(err.message, words), "\"%s\" lacks \"%s\"", err.message, words);
	cr_expect_not(view_answered(&view));
	view_release(&view);
}

Test(decode_json, members_of_a_healthy_cluster)
{
	struct view view = VIEW_INIT;
	const struct member *member;

	decode_file(decode_members_json, "1.8.7/healthy-0-members.json", &view);
	cr_assert(view.members_known);
	cr_assert_eq(view.member_count, 3);
	member = view_member_by_name(&view, "consul-1");
	cr_assert_not_null(member);
	cr_expect_str_eq(member->address, "127.87.0.3");
	cr_expect_eq(member->port, 8301);
	cr_expect_eq(member->status, MEMBER_ALIVE);
	cr_expect(member->is_server);
	cr_expect_str_eq(member->id, "914746ee-d569-5545-2d4b-602d1130743f");
	cr_expect_str_eq(member->version, "1.8.7");
	cr_expect_str_eq(member->datacenter, "dc1");
	cr_expect_eq(member->protocol, 2);
	cr_expect_eq(member->expect, 3);
	view_release(&view);
}

Test(decode_json, a_server_that_bootstraps_alone_expects_one)
{
	struct view view = VIEW_INIT;

	decode_file(decode_members_json, "1.8.7/encrypted-0-members.json", &view);
	cr_assert_eq(view.member_count, 1);
	cr_expect_eq(view.members[0].expect, 1);
	view_release(&view);
}

Test(decode_json, failed_left_and_clients_are_told_apart)
{
	struct view view = VIEW_INIT;

	decode_file(decode_members_json, "1.8.7/failed-2-members.json", &view);
	cr_expect_eq(view_member_by_name(&view, "consul-1")->status, MEMBER_FAILED);
	decode_file(decode_members_json, "1.8.7/noleader-0-members.json", &view);
	cr_expect_eq(view_member_by_name(&view, "consul-1")->status, MEMBER_LEFT);
	cr_expect_eq(view.member_count, 4);
	decode_file(decode_members_json, "1.8.7/client-0-members.json", &view);
	cr_expect_not(view_member_by_name(&view, "web-0")->is_server);
	cr_expect(view_member_by_name(&view, "consul-0")->is_server);
	view_release(&view);
}

Test(decode_json, ipv6_and_unknown_numbers)
{
	struct view view = VIEW_INIT;

	decode_file(decode_members_json, "1.18.0/members.json", &view);
	cr_expect_str_eq(view.members[0].address, "fd00::10");
	cr_expect_str_eq(view.members[1].version, "1.18.0+ent");
	cr_expect_eq(view.members[1].status, MEMBER_UNKNOWN);
	cr_expect_null(view.members[1].id);
	decode_file(decode_raft_json, "1.18.0/raft.json", &view);
	cr_expect_null(view.peers[1].name);
	cr_expect_eq(view.peers[1].protocol, 0);
	view_release(&view);
}

Test(decode_json, raft_peers_of_the_endpoint)
{
	struct view view = VIEW_INIT;

	decode_file(decode_raft_json, "1.8.7/nonvoter-0-raft.json", &view);
	cr_assert(view.peers_known);
	cr_expect_eq(view.peers_source, PEERS_RAFT);
	cr_assert_eq(view.peer_count, 4);
	cr_expect(view.peers[0].leader);
	cr_expect_str_eq(view.peers[0].name, "consul-2");
	cr_expect_str_eq(view.peers[0].address, "127.87.0.4:8300");
	cr_expect_eq(view.peers[0].protocol, 3);
	cr_expect(view.peers[2].voter);
	cr_expect_not(view.peers[3].voter);
	view_release(&view);
}

Test(decode_json, self_of_a_follower)
{
	struct view view = VIEW_INIT;

	decode_file(decode_self_json, "1.8.7/healthy-0-self.json", &view);
	cr_assert(view.self_known);
	cr_expect_str_eq(view.self.name, "consul-0");
	cr_expect_str_eq(view.self.id, "5d3e4a62-66fb-3971-84a9-13695985d245");
	cr_expect_str_eq(view.self.version, "1.8.7");
	cr_expect(view.self.is_server);
	cr_expect_eq(view.self.role, RAFT_FOLLOWER);
	cr_expect_str_eq(view.self.leader_address, "127.87.0.4:8300");
	cr_expect_eq(view.self.term, 2);
	cr_expect_eq(view.self.last_log_index, 11);
	cr_expect_eq(view.self.last_log_term, 2);
	cr_expect_null(view.self.data_dir, "not recorded");
	cr_expect_eq(view.self.commit_index, 11);
	cr_expect_eq(view.self.applied_index, 11);
	cr_expect_eq(view.self.last_contact_ms, 65);
	cr_expect(view.self.gossip_known);
	cr_expect_not(view.self.gossip_encrypted);
	cr_expect_eq(view.self.leave_on_terminate, 0);
	cr_expect_eq(view.self.verifies_outgoing, 0);
	cr_expect_eq(view.self.verifies_incoming, 0);
	cr_expect_eq(view.self.verifies_hostname, 0);
	cr_expect_eq(view.peers_source, PEERS_SELF);
	cr_assert_eq(view.peer_count, 3);
	cr_expect(view.peers[2].leader);
	cr_expect_null(view.peers[2].name);
	view_release(&view);
}

Test(decode_json, self_tells_what_is_verified)
{
	static const struct {
		const char *text;
		int64_t outgoing, incoming, hostname, acls;
	} cases[] = {
		{ "{}", -1, -1, -1, -1 },
		{ "{\"VerifyOutgoing\":true,\"VerifyIncoming\":true,\"VerifyIncomingRPC\":false,\"ACLsEnabled\":false}",
		  1, 1, -1, 0 },
		{ "{\"VerifyIncoming\":false,\"VerifyIncomingRPC\":true,\"VerifyServerHostname\":false}", -1, 1, 0,
		  -1 },
		{ "{\"VerifyIncoming\":false}", -1, 0, -1, -1 },
		{ "{\"TLS\":{\"InternalRPC\":{\"VerifyIncoming\":false,\"VerifyOutgoing\":true}}}", 1, 0, -1, -1 },
		{ "{\"VerifyOutgoing\":\"yes\",\"TLS\":7}", -1, -1, -1, -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = xasprintf("{\"Config\":{},\"Stats\":{},\"DebugConfig\":%s}", cases[i].text);
		_cleanup_err_ struct err err = ERR_INIT;
		struct view view = VIEW_INIT;

		cr_assert_eq(decode_self_json(text, strlen(text), &view, &err), 0, "%s", err.message);
		cr_expect_eq(view.self.verifies_outgoing, cases[i].outgoing, "%zu", i);
		cr_expect_eq(view.self.verifies_incoming, cases[i].incoming, "%zu", i);
		cr_expect_eq(view.self.verifies_hostname, cases[i].hostname, "%zu", i);
		cr_expect_eq(view.self.acls_enabled, cases[i].acls, "%zu", i);
		view_release(&view);
	}
}

Test(decode_json, self_of_a_secured_server)
{
	static const char *const files[] = { "1.8.7/secured-0-self.json", "1.18.0/secured-self.json" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct view view = VIEW_INIT;

		decode_file(decode_self_json, files[i], &view);
		cr_expect_eq(view.self.verifies_outgoing, 1, "%s", files[i]);
		cr_expect_eq(view.self.verifies_incoming, 1, "%s", files[i]);
		cr_expect_eq(view.self.verifies_hostname, 1, "%s", files[i]);
		cr_expect_eq(view.self.acls_enabled, 1, "%s", files[i]);
		cr_expect(view.self.gossip_encrypted, "%s", files[i]);
		view_release(&view);
	}
}

Test(decode_json, self_in_other_states)
{
	struct view view = VIEW_INIT;

	decode_file(decode_self_json, "1.8.7/encrypted-0-self.json", &view);
	cr_expect(view.self.gossip_encrypted);
	cr_expect_eq(view.self.leave_on_terminate, 1);
	cr_expect_eq(view.self.role, RAFT_LEADER);
	cr_expect_eq(view.self.last_contact_ms, 0);
	view_release(&view);
	decode_file(decode_self_json, "1.8.7/noleader-0-self.json", &view);
	cr_expect_eq(view.self.role, RAFT_CANDIDATE);
	cr_expect_null(view.self.leader_address);
	cr_expect_geq(view.self.last_contact_ms, 60000);
	view_release(&view);
	decode_file(decode_self_json, "1.8.7/bootstrapping-0-self.json", &view);
	cr_expect(view.peers_known);
	cr_expect_eq(view.peer_count, 0);
	cr_expect_eq(view.self.last_contact_ms, -1);
	view_release(&view);
	decode_file(decode_self_json, "1.8.7/client-agent-self.json", &view);
	cr_expect_not(view.self.is_server);
	cr_expect_eq(view.self.role, RAFT_UNKNOWN);
	cr_expect_not(view.peers_known);
	view_release(&view);
}

/* Recovery by peers.json leaves a snapshot and an empty log, until there is a leader. */
Test(decode_json, self_has_its_last_entry_in_its_snapshot)
{
	struct view view = VIEW_INIT;

	decode_file(decode_self_json, "1.8.7/recovered-0-self.json", &view);
	cr_expect_eq(view.self.last_log_index, 17);
	cr_expect_eq(view.self.last_log_term, 2);
	cr_expect_str_eq(view.self.data_dir, "t");
	cr_expect_eq(view.peer_count, 2);
	view_release(&view);
}

Test(decode_json, self_tells_its_data_directory_in_one_of_two_places)
{
	static const char *const texts[] = {
		"{\"Config\":{},\"DebugConfig\":{\"DataDir\":\"/consul/data\"},\"Stats\":{}}",
		"{\"Config\":{\"DataDir\":\"/consul/data\"},\"Stats\":{}}",
		"{\"Config\":{\"DataDir\":\"/other\"},\"DebugConfig\":{\"DataDir\":\"/consul/data\"},\"Stats\":{}}",
	};
	struct view view = VIEW_INIT;
	_cleanup_err_ struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cr_assert_eq(decode_self_json(texts[i], strlen(texts[i]), &view, &err), 0, "%s", err.message);
		cr_expect_str_eq(view.self.data_dir, "/consul/data");
		cr_expect_eq(view.self.last_log_index, 0);
		cr_expect_eq(view.self.last_log_term, 0);
	}
	view_release(&view);
}

Test(decode_json, the_endpoint_wins_over_self_in_either_order)
{
	struct view view = VIEW_INIT;

	decode_file(decode_raft_json, "1.8.7/healthy-0-raft.json", &view);
	decode_file(decode_self_json, "1.8.7/healthy-0-self.json", &view);
	cr_expect_eq(view.peers_source, PEERS_RAFT);
	view_release(&view);
	decode_file(decode_self_json, "1.8.7/healthy-0-self.json", &view);
	decode_file(decode_raft_json, "1.8.7/healthy-0-raft.json", &view);
	cr_expect_eq(view.peers_source, PEERS_RAFT);
	cr_expect_not_null(view.peers[0].name);
	view_release(&view);
}

Test(decode_json, an_unreadable_endpoint_leaves_the_peers_of_self)
{
	struct view view = VIEW_INIT;
	_cleanup_err_ struct err err = ERR_INIT;

	decode_file(decode_self_json, "1.8.7/restarted-0-self.json", &view);
	cr_assert_eq(decode_raft_json("No cluster leader", 17, &view, &err), -1);
	cr_expect(view.peers_known);
	cr_expect_eq(view.peers_source, PEERS_SELF);
	cr_expect_eq(view.peer_count, 3);
	view_release(&view);
}

Test(decode_json, what_is_none_of_it_is_an_error)
{
	expect_error(decode_members_json, "", ERR_INVALID, "empty");
	expect_error(decode_members_json, "[]", ERR_FORBIDDEN, "node:read");
	expect_error(decode_members_json, "{}", ERR_INVALID, "no list of members");
	expect_error(decode_members_json, "null", ERR_INVALID, "no list of members");
	expect_error(decode_members_json, "[1]", ERR_INVALID, "member 1: Name is missing");
	expect_error(decode_members_json, "[{\"Name\":\"\",\"Addr\":\"a\",\"Status\":1}]", ERR_INVALID,
	             "Name is empty");
	expect_error(decode_members_json, "[{\"Name\":\"a\",\"Addr\":7,\"Status\":1}]", ERR_INVALID, "Addr is not");
	expect_error(decode_members_json, "[{\"Name\":\"a\",\"Addr\":\"b\",\"Status\":1e400}]", ERR_INVALID,
	             "Status is not");
	expect_error(decode_members_json, "<html><body>Bad gateway", ERR_INVALID, "not JSON");
	expect_error(decode_members_json, "No cluster leader", ERR_INVALID, "not JSON");
	expect_error(decode_raft_json, "{\"Servers\":[]}", ERR_INVALID, "lists no server");
	expect_error(decode_raft_json, "{\"Servers\":{}}", ERR_INVALID, "no list of raft peers");
	expect_error(decode_raft_json, "{\"Servers\":[{\"Address\":\"\",\"Voter\":true}]}", ERR_INVALID,
	             "Address is empty");
	expect_error(decode_raft_json, "{\"Servers\":[{\"Address\":\"a\"}]}", ERR_INVALID, "Voter is missing");
	expect_error(decode_self_json, "{}", ERR_INVALID, "no Consul agent");
	expect_error(decode_self_json, "[]", ERR_INVALID, "no Consul agent");
}

/* A failure after a success leaves nothing half-way. */
Test(decode_json, a_plane_is_whole_or_unknown)
{
	struct view view = VIEW_INIT;
	_cleanup_err_ struct err err = ERR_INIT;
	const char *text = "[{\"Name\":\"a\",\"Addr\":\"b\",\"Status\":1},{\"Name\":\"c\"}]";

	decode_file(decode_members_json, "1.8.7/healthy-0-members.json", &view);
	cr_assert_eq(decode_members_json(text, strlen(text), &view, &err), -1);
	cr_expect_not(view.members_known);
	cr_expect_eq(view.member_count, 0);
	cr_expect_null(view.members);
	view_release(&view);
}

Test(decode_json, lists_have_a_limit)
{
	_cleanup_buf_ struct buf text = BUF_TEXT;

	buf_adds(&text, "{\"Servers\":[");
	for (size_t i = 0; i <= DECODE_PEERS_MAX; i++)
		buf_addf(&text, "%s{\"Address\":\"a:%zu\",\"Voter\":true}", i ? "," : "", i);
	buf_adds(&text, "]}");
	expect_error(decode_raft_json, buf_text(&text), ERR_TOO_LARGE, "more than 1024 raft peers");
	buf_clear(&text);
	buf_adds(&text, "[");
	for (size_t i = 0; i <= DECODE_MEMBERS_MAX; i++)
		buf_addf(&text, "%s{}", i ? "," : "");
	buf_adds(&text, "]");
	expect_error(decode_members_json, buf_text(&text), ERR_TOO_LARGE, "more than 16384 members");
}
