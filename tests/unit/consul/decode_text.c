/* consul/decode.h and consul/columns.h: the CLI's tables and `consul info`. */
#include <criterion/criterion.h>

#include "consul/decode.h"
#include "fixture.h"
#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

typedef int decode_fn(const char *text, size_t length, struct view *view, struct err *err);

static void decode_text(decode_fn *decode, const char *text, struct view *view)
{
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(decode(text, strlen(text), view, &err), 0, "%s", err.message);
}

static void decode_file(decode_fn *decode, const char *name, struct view *view)
{
	size_t length;
	_cleanup_free_ char *text = fixture_read(name, &length);

	decode_text(decode, text, view);
}

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

Test(decode_text, members_short_and_detailed_tell_the_same)
{
	struct view brief = VIEW_INIT, detailed = VIEW_INIT;

	decode_file(decode_members_text, "1.8.7/client-0-members.txt", &brief);
	decode_file(decode_members_text, "1.8.7/client-0-members-detailed.txt", &detailed);
	cr_assert_eq(brief.member_count, 4);
	cr_assert_eq(detailed.member_count, 4);
	for (size_t i = 0; i < 4; i++) {
		cr_expect_str_eq(brief.members[i].name, detailed.members[i].name);
		cr_expect_str_eq(brief.members[i].address, detailed.members[i].address);
		cr_expect_eq(brief.members[i].port, 8301);
		cr_expect_eq(brief.members[i].status, detailed.members[i].status);
		cr_expect_eq(brief.members[i].is_server, detailed.members[i].is_server);
		cr_expect_str_eq(brief.members[i].version, detailed.members[i].version);
		cr_expect_str_eq(brief.members[i].datacenter, detailed.members[i].datacenter);
		cr_expect_eq(brief.members[i].protocol, detailed.members[i].protocol);
		cr_expect_null(brief.members[i].id);
		cr_expect_not_null(detailed.members[i].id);
	}
	cr_expect_eq(detailed.members[0].expect, 3);
	view_release(&brief);
	view_release(&detailed);
}

Test(decode_text, a_server_that_bootstraps_alone_expects_one)
{
	struct view view = VIEW_INIT;

	decode_file(decode_members_text, "1.8.7/encrypted-0-members-detailed.txt", &view);
	cr_assert_eq(view.member_count, 1);
	cr_expect_eq(view.members[0].expect, 1);
	view_release(&view);
}

Test(decode_text, members_of_other_versions)
{
	struct view view = VIEW_INIT;

	decode_file(decode_members_text, "0.6.4/members.txt", &view);
	cr_assert_eq(view.member_count, 3);
	cr_expect_eq(view.members[1].status, MEMBER_FAILED);
	cr_expect_str_eq(view.members[2].address, "10.244.2.200");
	cr_expect_not(view.members[2].is_server);
	decode_file(decode_members_text, "0.8.1/members.txt", &view);
	cr_assert_eq(view.member_count, 2);
	cr_expect_eq(view.members[1].status, MEMBER_LEAVING);
	decode_file(decode_members_text, "1.18.0/members.txt", &view);
	cr_assert_eq(view.member_count, 3);
	cr_expect_str_eq(view.members[0].version, "1.18.0");
	cr_expect_str_eq(view.members[2].datacenter, "dc1");
	view_release(&view);
}

Test(decode_text, raft_peers_of_three_versions)
{
	struct view view = VIEW_INIT;

	decode_file(decode_raft_text, "1.8.7/nonvoter-3-raft.txt", &view);
	cr_assert_eq(view.peer_count, 4);
	cr_expect(view.peers[0].leader);
	cr_expect_not(view.peers[3].voter);
	cr_expect_eq(view.peers[3].protocol, 3);
	cr_expect_eq(view.peers_source, PEERS_RAFT);
	decode_file(decode_raft_text, "0.8.1/raft.txt", &view);
	cr_assert_eq(view.peer_count, 2);
	cr_expect_null(view.peers[1].name);
	cr_expect_eq(view.peers[1].protocol, 0);
	decode_file(decode_raft_text, "1.18.0/raft.txt", &view);
	cr_assert_eq(view.peer_count, 3);
	cr_expect(view.peers[0].leader);
	cr_expect(view.peers[1].voter);
	cr_expect_not(view.peers[2].voter);
	cr_expect_str_eq(view.peers[2].address, "10.244.3.12:8300");
	view_release(&view);
}

Test(decode_text, info_and_self_tell_the_same)
{
	static const char *const states[] = { "healthy-0",    "healthy-2",   "nonvoter-3",      "failed-2",
		                              "noleader-0",   "restarted-0", "bootstrapping-0", "encrypted-0",
		                              "client-agent", "recovered-0" };

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		_cleanup_free_ char *info = xasprintf("1.8.7/%s-info.txt", states[i]);
		_cleanup_free_ char *self = xasprintf("1.8.7/%s-self.json", states[i]);
		struct view a = VIEW_INIT, b = VIEW_INIT;

		decode_file(decode_info_text, info, &a);
		decode_file(decode_self_json, self, &b);
		cr_expect_eq(a.self.role, b.self.role);
		cr_expect_eq(a.self.is_server, b.self.is_server);
		cr_expect(str_equal(a.self.leader_address, b.self.leader_address));
		cr_expect_str_eq(a.self.version, b.self.version);
		/* Of a server without a leader the term rises between two questions. */
		cr_expect(!a.self.leader_address || a.self.term == b.self.term);
		cr_expect_eq(a.self.last_log_index, b.self.last_log_index);
		cr_expect_eq(a.self.last_log_term, b.self.last_log_term);
		cr_expect_eq(a.self.gossip_known, b.self.gossip_known);
		cr_expect_eq(a.self.gossip_encrypted, b.self.gossip_encrypted);
		cr_expect_eq(a.peers_known, b.peers_known);
		cr_assert_eq(a.peer_count, b.peer_count);
		for (size_t k = 0; k < a.peer_count; k++) {
			cr_expect_str_eq(a.peers[k].address, b.peers[k].address);
			cr_expect_str_eq(a.peers[k].id, b.peers[k].id);
			cr_expect_eq(a.peers[k].voter, b.peers[k].voter);
			cr_expect_eq(a.peers[k].leader, b.peers[k].leader);
		}
		view_release(&a);
		view_release(&b);
	}
}

Test(decode_text, info_of_a_server_without_latest_configuration)
{
	struct view view = VIEW_INIT;

	decode_file(decode_info_text, "0.6.4/info.txt", &view);
	cr_expect(view.self_known);
	cr_expect_eq(view.self.role, RAFT_LEADER);
	cr_expect_eq(view.self.last_contact_ms, -1);
	cr_expect(view.self.gossip_encrypted);
	cr_expect_not(view.peers_known);
	view_release(&view);
}

Test(decode_text, noise_line_ends_and_empty_cells_do_no_harm)
{
	struct view view = VIEW_INIT;

	decode_text(decode_members_text,
	            "WARNING: Node   is  odd\r\n\r\n"
	            "Node         Address           Status  Type    Build  Protocol  DC   Segment\r\n"
	            "my server 1  10.0.0.1:8301     alive   server  1.8.7  2         dc1  <all>\r\n"
	            "\r\n"
	            "b            [fd00::2]:8301    left    server         2         dc1\r\n",
	            &view);
	cr_assert_eq(view.member_count, 2);
	cr_expect_str_eq(view.members[0].name, "my server 1");
	cr_expect_str_eq(view.members[0].version, "1.8.7");
	cr_expect_str_eq(view.members[1].address, "fd00::2");
	cr_expect_null(view.members[1].version);
	cr_expect_eq(view.members[1].protocol, 2);
	view_release(&view);
	decode_text(decode_info_text,
	            "Cannot create /tmp/x: no\r\nconsul:\r\n\tserver = true\r\n\tleader_addr = \r\nraft:\r\n\tstate = "
	            "Follower\r\n",
	            &view);
	cr_expect(view.self.is_server);
	cr_expect_null(view.self.leader_address);
	cr_expect_eq(view.self.role, RAFT_FOLLOWER);
	view_release(&view);
}

Test(decode_text, what_is_none_of_it_is_an_error)
{
	expect_error(decode_members_text, "", ERR_FORBIDDEN, "node:read");
	expect_error(decode_members_text, " \n\r\n", ERR_FORBIDDEN, "node:read");
	expect_error(decode_members_text, "Node  Address  Status  Type\n", ERR_FORBIDDEN, "node:read");
	expect_error(decode_members_text, "sh: consul: not found\n", ERR_INVALID,
	             "begins with \"sh: consul: not found\"");
	expect_error(decode_members_text, "\033[31mred\n", ERR_INVALID, "^[[31mred");
	expect_error(decode_members_text, "Node  Address   Status\nxxxxxxxxxxxxxxxxxxxxxxx  y\n", ERR_INVALID,
	             "not a row");
	expect_error(decode_members_text, "Node  Address   Status\n      a:1       alive\n", ERR_INVALID,
	             "without a name");
	expect_error(decode_raft_text, "", ERR_INVALID, "no table of raft peers: the output is empty");
	expect_error(decode_raft_text, "Node  ID  Address  State  Voter\n", ERR_INVALID, "no row");
	expect_error(decode_raft_text, "Node  ID  Address  State   Voter\na     b   c:1      leader  maybe\n",
	             ERR_INVALID, "Voter is \"maybe\"");
	expect_error(decode_info_text, "", ERR_INVALID, "printed nothing");
	expect_error(decode_info_text, "Error querying agent: connection refused\n", ERR_INVALID, "not the output");
}

Test(decode_text, latest_configuration_is_read_whole_or_not_at_all)
{
	static const char *const broken[] = {
		"",
		"[",
		"[{",
		"[{Suffrage:Voter}]",
		"[{Suffrage:Voter ID:a Address:}]",
		"[{Suffrage:Voter ID:a Address:b:1}",
		"[{Suffrage:Voter ID:a Address:b:1} {Suffrage",
		"{Suffrage:Voter ID:a Address:b:1}",
		"[x]",
	};
	struct view view = VIEW_INIT;
	_cleanup_err_ struct err err = ERR_INIT;

	view.self.leader_address = xstrdup("[fd00::1]:8300");
	cr_assert_eq(
	    decode_latest_configuration(
	        "[{Suffrage:Voter ID:a Address:[fd00::1]:8300} {Suffrage:Staging ID:b Address:c:1}]", &view, &err),
	    0);
	cr_assert_eq(view.peer_count, 2);
	cr_expect(view.peers[0].leader);
	cr_expect(view.peers[0].voter);
	cr_expect_not(view.peers[1].voter);
	view_clear_peers(&view);
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		cr_expect_eq(decode_latest_configuration(broken[i], &view, &err), -1, "%s", broken[i]);
		cr_expect_not(view.peers_known);
		cr_expect_eq(view.peer_count, 0);
		err_release(&err);
	}
	view_release(&view);
}

Test(decode_text, lists_have_a_limit)
{
	_cleanup_buf_ struct buf text = BUF_TEXT;

	buf_adds(&text, "Node  Address  Status\n");
	for (size_t i = 0; i <= DECODE_MEMBERS_MAX; i++)
		buf_adds(&text, "a     b:1      alive\n");
	expect_error(decode_members_text, buf_text(&text), ERR_TOO_LARGE, "more than 16384 members");
	buf_clear(&text);
	buf_adds(&text, "Address  State   Voter\n");
	for (size_t i = 0; i <= DECODE_PEERS_MAX; i++)
		buf_adds(&text, "b:1      leader  true\n");
	expect_error(decode_raft_text, buf_text(&text), ERR_TOO_LARGE, "more than 1024 raft peers");
}
