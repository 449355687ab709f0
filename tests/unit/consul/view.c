/* consul/value.h and consul/view.h: single values, and looking things up in a view. */
#include <criterion/criterion.h>

#include "consul/value.h"
#include "consul/view.h"
#include "util/mem.h"
#include "util/str.h"

Test(value, durations_are_gos)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "0", 0 },
		{ "0s", 0 },
		{ "34.5ms", 34 },
		{ "63.729209ms", 63 },
		{ "1.2s", 1200 },
		{ "1m3s", 63000 },
		{ "1m15.441618838s", 75441 },
		{ "2h45m0.5s", 9900500 },
		{ "25.1\xc2\xb5s", 0 },
		{ "900ns", 0 },
		{ "never", -1 },
		{ "", -1 },
		{ "12", -1 },
		{ "-5s", -1 },
		{ "5 s", -1 },
		{ "s", -1 },
		{ "1e9s", -1 },
		{ "nan", -1 },
		{ "inf", -1 },
		{ "1.s", 1000 },
		{ "99999999999999999999h", INT64_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(value_duration_ms(cases[i].text), cases[i].ms, "%s: %lld", cases[i].text,
		             (long long)value_duration_ms(cases[i].text));
	cr_expect_eq(value_duration_ms(NULL), -1);
}

Test(value, addresses_are_split_at_the_port)
{
	static const struct {
		const char *address, *host;
		int64_t port;
	} cases[] = {
		{ "10.0.0.7:8300", "10.0.0.7", 8300 },
		{ "10.0.0.7", "10.0.0.7", 0 },
		{ "[fd00::7]:8300", "fd00::7", 8300 },
		{ "fd00::7", "fd00::7", 0 },
		{ "[fd00::7]", "fd00::7", 0 },
		{ "a:b", "a", 0 },
		{ "a:99999", "a", 0 },
		{ "", "", 0 },
		{ ":8300", "", 8300 },
		{ "[", "[", 0 },
		{ "[]", "", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t port;
		_cleanup_free_ char *host = value_split_address(cases[i].address, &port);

		cr_expect_str_eq(host, cases[i].host);
		cr_expect_eq(port, cases[i].port, "%s", cases[i].address);
	}
	cr_expect(value_address_is("10.0.0.7:8300", "10.0.0.7"));
	cr_expect(value_address_is("[fd00::7]:8300", "fd00::7"));
	cr_expect_not(value_address_is("10.0.0.70:8300", "10.0.0.7"));
	cr_expect_not(value_address_is("", ""));
	cr_expect_not(value_address_is(NULL, NULL));
}

Test(value, versions_lose_their_revision)
{
	static const struct {
		const char *text, *version;
		int64_t minor;
	} cases[] = {
		{ "1.8.7", "1.8.7", 8 },
		{ "v1.8.7", "1.8.7", 8 },
		{ "1.8.7:", "1.8.7", 8 },
		{ "1.18.0:79a4", "1.18.0", 18 },
		{ "1.15.0+ent:79a4", "1.15.0+ent", 15 },
		{ "0.6.4", "0.6.4", 0 },
		{ "2.0.0", "2.0.0", INT64_MAX },
		{ "next", "next", -1 },
		{ "1", "1", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *version = value_version(cases[i].text);

		cr_assert_str_eq(version, cases[i].version);
		cr_expect_eq(value_version_minor(version), cases[i].minor, "%s", version);
	}
	cr_expect_null(value_version(""));
	cr_expect_null(value_version(":abc"));
	cr_expect_null(value_version(NULL));
}

Test(value, texts_are_cut)
{
	_cleanup_free_ char *longer = xasprintf("%0*d", 2 * (int)VALUE_MAX, 0);
	_cleanup_free_ char *text = value_text(longer), *value = value_or_null(longer),
	                    *version = value_version(longer);
	int64_t port;
	_cleanup_free_ char *address = value_split_address(longer, &port);

	cr_expect_eq(strlen(text), VALUE_MAX);
	cr_expect_eq(strlen(value), VALUE_MAX);
	cr_expect_eq(strlen(version), VALUE_MAX);
	cr_expect_eq(strlen(address), VALUE_MAX);
}

Test(value, words_are_serfs_and_rafts)
{
	cr_expect_eq(value_member_status("failed"), MEMBER_FAILED);
	cr_expect_eq(value_member_status("none"), MEMBER_UNKNOWN);
	cr_expect_eq(value_member_status(NULL), MEMBER_UNKNOWN);
	cr_expect_eq(value_member_status_number(3), MEMBER_LEFT);
	cr_expect_eq(value_member_status_number(0), MEMBER_UNKNOWN);
	cr_expect_eq(value_member_status_number(5), MEMBER_UNKNOWN);
	cr_expect_eq(value_raft_role("Candidate"), RAFT_CANDIDATE);
	cr_expect_eq(value_raft_role("unknown"), RAFT_UNKNOWN);
	cr_expect_null(value_or_null("(unknown)"));
	cr_expect_str_eq(member_status_name(MEMBER_LEAVING), "leaving");
	cr_expect_str_eq(raft_role_name(RAFT_SHUTDOWN), "shutdown");
	cr_expect_str_eq(ask_way_name(ASK_TUNNEL), "tunnel");
	cr_expect_str_eq(peers_source_name(PEERS_SELF), "self");
}

Test(view, finds_by_address_and_name_and_forgets_everything)
{
	struct view view = VIEW_INIT;

	cr_expect_eq(view.self.last_contact_ms, -1);
	cr_expect_eq(view.self.leave_on_terminate, -1);
	cr_expect_not(view_answered(&view));
	cr_expect_null(view_first_err(&view));
	view.members = xcalloc(1, sizeof(*view.members));
	view.member_count = 1;
	view.members_known = true;
	view.members[0].name = xstrdup("consul-0");
	view.members[0].address = xstrdup("10.0.0.7");
	view.peers = xcalloc(1, sizeof(*view.peers));
	view.peer_count = 1;
	view.peers[0].address = xstrdup("10.0.0.7:8300");
	err_set(&view.peers_err, ERR_TIMEOUT, "late");
	cr_expect(view_answered(&view));
	cr_expect_eq(view_member_by_address(&view, "10.0.0.7"), view.members);
	cr_expect_eq(view_member_by_name(&view, "consul-0"), view.members);
	cr_expect_null(view_member_by_name(&view, NULL));
	cr_expect_null(view_member_by_address(&view, "10.0.0.70"));
	cr_expect_eq(view_peer_by_ip(&view, "10.0.0.7"), view.peers);
	cr_expect_null(view_peer_by_ip(&view, "10.0.0"));
	cr_expect_eq(view_first_err(&view), &view.peers_err);
	view_release(&view);
	cr_expect_not(view_answered(&view));
	cr_expect_null(view.members);
	cr_expect_null(view_first_err(&view));
}

static struct view view_of_two(const char *first, const char *second, enum member_status status)
{
	struct view view = VIEW_INIT;

	view.members_known = view.peers_known = true;
	view.member_count = view.peer_count = 2;
	view.members = xcalloc(2, sizeof(*view.members));
	view.peers = xcalloc(2, sizeof(*view.peers));
	view.members[0] = (struct member){ .name = xstrdup(first), .address = xstrdup("10.0.0.1"), .status = status };
	view.members[1] =
	    (struct member){ .name = xstrdup(second), .address = xstrdup("10.0.0.2"), .status = MEMBER_ALIVE };
	view.peers[0].id = xstrdup("a");
	view.peers[1].id = xstrdup("b");
	return view;
}

Test(view, equal_lists_are_shared_whatever_their_order)
{
	struct view with = view_of_two("a", "b", MEMBER_ALIVE), view = view_of_two("b", "a", MEMBER_ALIVE);
	struct view third = view_of_two("a", "b", MEMBER_ALIVE);

	replace_string(&view.members[0].address, xstrdup("10.0.0.2"));
	replace_string(&view.members[1].address, xstrdup("10.0.0.1"));
	view_share(&view, &with);
	view_share(&third, &with);
	cr_assert_eq(view.members, with.members);
	cr_assert_eq(third.peers, with.peers);
	cr_assert_eq(*with.members_shared, 3);
	view_release(&with);
	cr_assert_str_eq(view.members[1].name, "b");
	cr_assert(view.members_known && view.peers_known);
	view_release(&view);
	cr_assert_str_eq(third.members[0].name, "a");
	view_release(&third);
}

Test(view, lists_that_differ_stay_apart)
{
	struct view with = view_of_two("a", "b", MEMBER_ALIVE), view = view_of_two("a", "b", MEMBER_FAILED);

	view.peers[1].voter = true;
	view_share(&view, &with);
	cr_assert_neq(view.members, with.members);
	cr_assert_neq(view.peers, with.peers);
	cr_assert_eq(view.members[0].status, MEMBER_FAILED);
	view_release(&view);
	view_release(&with);
}
