/* consul/claim_age */
#include "consul/claim_age.h"

#include <criterion/criterion.h>

#include "sample.h"
#include "util/mem.h"

/* What the servers say: when they last heard a leader (-1: not since they were started), and when that was. */
Test(claim_age, the_last_who_heard_a_leader_counts)
{
	static const struct {
		int64_t contact_ms[2], started_ago[2], heard_ago; /* heard_ago -1: not known */
	} cases[] = {
		{ { 60000, 90000 }, { 500, 500 }, 60 }, { { 90000, 60000 }, { 500, 500 }, 60 },
		{ { -1, 90000 }, { 500, 500 }, 90 },    { { -1, 90000 }, { 70, 500 }, 70 },
		{ { -1, -1 }, { 70, 80 }, 70 },         { { -1, 90000 }, { SAMPLE_NOW, 500 }, -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct snapshot snapshot = SNAPSHOT_INIT;

		sample_init(&snapshot, 2);
		for (size_t k = 0; k < 2; k++) {
			snapshot.servers[k].view.self.last_contact_ms = cases[i].contact_ms[k];
			snapshot.servers[k].pod.containers[0].started_at = SAMPLE_NOW - cases[i].started_ago[k];
		}
		cr_expect_eq(claim_age_heard_at(&snapshot),
		             cases[i].heard_ago < 0 ? CLAIM_AGE_UNKNOWN : SAMPLE_NOW - cases[i].heard_ago, "%zu", i);
		snapshot_release(&snapshot);
	}
}

Test(claim_age, who_has_no_data_or_is_stopping_has_no_say)
{
	struct snapshot snapshot = SNAPSHOT_INIT;

	sample_init(&snapshot, 3);
	snapshot.servers[0].view.self.last_contact_ms = 90000;
	snapshot.servers[1].view.self.last_contact_ms = 10000;
	snapshot.servers[1].pod.deleting = true;
	snapshot.servers[2].view.self.last_contact_ms = 20000;
	snapshot.servers[2].view.self.last_log_index = 0;
	view_clear_peers(&snapshot.servers[2].view);
	cr_expect_eq(claim_age_heard_at(&snapshot), SAMPLE_NOW - 90);
	snapshot.servers[0].pod.deleting = true;
	cr_expect_eq(claim_age_heard_at(&snapshot), CLAIM_AGE_UNKNOWN);
	snapshot_release(&snapshot);
}

Test(claim_age, a_clock_that_is_behind_proves_nothing)
{
	static const struct {
		int64_t ahead_s;
		bool known;
	} cases[] = { { 0, true }, { 30, true }, { 31, false } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct snapshot snapshot = SNAPSHOT_INIT;

		sample_init(&snapshot, 1);
		snapshot.servers[0].pod.created_at = SAMPLE_NOW + cases[i].ahead_s;
		cr_expect_eq(claim_age_heard_at(&snapshot) != CLAIM_AGE_UNKNOWN, cases[i].known, "%zu", i);
		snapshot_release(&snapshot);
	}
}

Test(claim_age, newer_by_more_than_clocks_differ)
{
	cr_expect_not(claim_age_is_newer(1000, 1000));
	cr_expect_not(claim_age_is_newer(1030, 1000));
	cr_expect(claim_age_is_newer(1031, 1000));
	cr_expect_not(claim_age_is_newer(1031, CLAIM_AGE_UNKNOWN));
}
