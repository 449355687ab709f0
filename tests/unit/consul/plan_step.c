/* One step: when it is the same, and when a snapshot shows its effect. */
#include <criterion/criterion.h>

#include "plan_check.h"
#include "util/mem.h"
#include "util/str.h"

Test(plan_step, a_step_is_repeated_when_it_is_the_same_order)
{
	struct step replicas = { .kind = STEP_REPLICAS, .number = 3 }, four = { .kind = STEP_REPLICAS, .number = 4 };
	struct step leave = STEP_INIT, other = STEP_INIT;

	leave.kind = other.kind = STEP_LEAVE;
	leave.through = xstrdup("consul-4");
	other.through = xstrdup("consul-3");
	cr_expect(step_equal(&replicas, &replicas));
	cr_expect(!step_equal(&replicas, &four));
	cr_expect(step_equal(&leave, &leave));
	cr_expect(!step_equal(&leave, &other));
	cr_expect(!step_equal(&leave, &replicas));
	leave.kind = other.kind = STEP_FORCE_LEAVE;
	leave.object = xstrdup("consul-7");
	other.object = xstrdup("consul-7");
	cr_expect(step_equal(&leave, &other), "through whom does not matter");
	other.kind = STEP_PRUNE;
	cr_expect(!step_equal(&leave, &other));
	leave.kind = other.kind = STEP_RESTART;
	leave.uid = xstrdup("uid-7");
	other.uid = xstrdup("uid-7");
	cr_expect(step_equal(&leave, &other));
	replace_string(&other.uid, xstrdup("uid-8"));
	cr_expect(!step_equal(&leave, &other), "another pod of that name");
	step_release(&leave);
	step_release(&other);
}

Test(plan_step, a_server_is_replaced_when_its_successor_is_there)
{
	struct step step = { .kind = STEP_RESTART };
	struct snapshot snapshot;

	step.object = xstrdup("consul-4");
	step.uid = xstrdup("uid-4");
	sample_init(&snapshot, 5);
	cr_expect(!step_shows(&snapshot, &step));
	snapshot.servers[4].pod.deleting = true;
	cr_expect(!step_shows(&snapshot, &step), "it only stops");
	replace_string(&snapshot.servers[4].pod.uid, xstrdup("uid-new"));
	cr_expect(step_shows(&snapshot, &step));
	sample_lose_pod(&snapshot, 4);
	cr_expect(!step_shows(&snapshot, &step), "it is gone, and there is none yet");
	sample_scale(&snapshot, 4, MEMBER_LEFT);
	cr_expect(!step_shows(&snapshot, &step));
	snapshot_release(&snapshot);
	step_release(&step);
}

Test(plan_step, every_rule_and_step_has_a_name)
{
	for (int rule = RULE_NONE; rule <= RULE_OLD_DATA; rule++)
		cr_expect(!str_is_empty(rule_name((enum rule)rule)));
	for (int kind = STEP_REPLICAS; kind <= STEP_RESTART; kind++)
		cr_expect(!str_is_empty(step_kind_name((enum step_kind)kind)));
}

/* ------------------------------------------------------------------------------------------ effects */

/* What sample_init gives of so many servers, changed, or not (NULL). */
typedef void change(struct snapshot *snapshot);

static void lose_last_replica(struct snapshot *snapshot)
{
	sample_scale(snapshot, 4, MEMBER_LEFT);
}

static void lead_elsewhere(struct snapshot *snapshot)
{
	sample_lead(snapshot, 1);
}

static void last_leaves(struct snapshot *snapshot)
{
	sample_leave(snapshot, 4);
}

static void last_is_gone(struct snapshot *snapshot)
{
	sample_scale(snapshot, 4, MEMBER_FAILED);
}

static void last_is_forgotten(struct snapshot *snapshot)
{
	sample_leave(snapshot, 4);
	sample_forget_member(snapshot, -1, "consul-4");
}

static void last_fails(struct snapshot *snapshot)
{
	sample_see(snapshot, -1, "consul-4", MEMBER_FAILED);
}

static void last_is_thought_gone(struct snapshot *snapshot)
{
	sample_see(snapshot, 2, "consul-4", MEMBER_LEAVING);
}

static void minimum_of_two(struct snapshot *snapshot)
{
	sample_set_min_quorum(snapshot, 2);
}

static void expect_one(struct snapshot *snapshot)
{
	sample_set_expect(snapshot, 1, true);
}

static void expect_three(struct snapshot *snapshot)
{
	sample_set_expect(snapshot, 3, true);
}

static void claim(struct snapshot *snapshot)
{
	sample_add_claim(snapshot, "data-consul-5", 60);
}

/* They could not be listed. */
static void claims_are_unknown(struct snapshot *snapshot)
{
	snapshot->claims_known = false;
}

static void claim_goes(struct snapshot *snapshot)
{
	sample_add_claim(snapshot, "data-consul-5", 60)->deleting = true;
}

Test(plan_step, its_effect_shows_or_does_not)
{
	static const struct {
		enum step_kind kind;
		int64_t number;
		const char *object, *through;
		change *change;
		bool shows;
	} cases[] = {
		{ STEP_REPLICAS, 4, NULL, NULL, NULL, false },
		{ STEP_REPLICAS, 4, NULL, NULL, lose_last_replica, true },
		{ STEP_REPLICAS, 3, NULL, NULL, lose_last_replica, false },
		{ STEP_TRANSFER_LEADER, 0, "id-1", "consul-0", NULL, false },
		{ STEP_TRANSFER_LEADER, 0, "id-1", "consul-0", lead_elsewhere, true },
		{ STEP_TRANSFER_LEADER, 0, "id-2", "consul-0", lead_elsewhere, true },
		{ STEP_LEAVE, 0, "id-4", "consul-4", NULL, false },
		{ STEP_LEAVE, 0, "10.0.0.14:8300", "consul-4", NULL, false },
		{ STEP_LEAVE, 0, "id-4", "consul-4", last_fails, false },
		{ STEP_LEAVE, 0, "id-4", "consul-4", last_leaves, true },
		{ STEP_LEAVE, 0, "10.0.0.14:8300", "consul-4", last_leaves, true },
		/* Its pod went before it had left: that is no leave. */
		{ STEP_LEAVE, 0, "id-4", "consul-4", last_is_gone, false },
		{ STEP_LEAVE, 0, "id-4", "consul-4", lose_last_replica, false },
		{ STEP_FORCE_LEAVE, 0, "consul-4", "consul-0", last_fails, false },
		{ STEP_FORCE_LEAVE, 0, "consul-4", "consul-0", last_leaves, true },
		{ STEP_FORCE_LEAVE, 0, "consul-4", "consul-0", last_is_forgotten, true },
		{ STEP_PRUNE, 0, "consul-4", "consul-0", last_leaves, false },
		{ STEP_PRUNE, 0, "consul-4", "consul-0", last_is_forgotten, true },
		{ STEP_REMOVE_PEER, 0, "id-4", "consul-0", NULL, false },
		{ STEP_REMOVE_PEER, 0, "10.0.0.14:8300", "consul-0", NULL, false },
		{ STEP_REMOVE_PEER, 0, "id-4", "consul-0", last_leaves, true },
		{ STEP_REMOVE_PEER, 0, "10.0.0.14:8300", "consul-0", last_leaves, true },
		{ STEP_MIN_QUORUM, 2, NULL, "consul-0", NULL, false },
		{ STEP_MIN_QUORUM, 2, NULL, "consul-0", minimum_of_two, true },
		{ STEP_MIN_QUORUM, 3, NULL, "consul-0", minimum_of_two, false },
		{ STEP_EXPECT, 3, NULL, NULL, NULL, false },
		{ STEP_EXPECT, 3, NULL, NULL, expect_one, false },
		{ STEP_EXPECT, 3, NULL, NULL, expect_three, true },
		{ STEP_JOIN, 0, "10.0.0.10", "consul-4", NULL, true },
		{ STEP_JOIN, 0, "10.0.0.10", "consul-4", last_is_thought_gone, false },
		{ STEP_JOIN, 0, "10.0.0.10", "consul-3", last_is_thought_gone, true },
		{ STEP_DELETE_CLAIM, 0, "data-consul-5", NULL, claim, false },
		{ STEP_DELETE_CLAIM, 0, "data-consul-5", NULL, claim_goes, true },
		{ STEP_DELETE_CLAIM, 0, "data-consul-5", NULL, NULL, true },
		{ STEP_DELETE_CLAIM, 0, "data-consul-5", NULL, claims_are_unknown, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct snapshot snapshot;
		struct step step = { .kind = cases[i].kind, .number = cases[i].number };

		step.object = xstrdup_null(cases[i].object);
		step.through = xstrdup_null(cases[i].through);
		sample_init(&snapshot, 5);
		if (cases[i].change)
			cases[i].change(&snapshot);
		cr_expect_eq(step_shows(&snapshot, &step), cases[i].shows, "case %zu: %s", i,
		             step_kind_name(step.kind));
		step_release(&step);
		snapshot_release(&snapshot);
	}
}
