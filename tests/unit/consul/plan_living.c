/* reap and scale: what lives is in no way taken for what is left of another, by its address or by its id. */
#include <criterion/criterion.h>

#include "plan_check.h"
#include "util/mem.h"
#include "util/str.h"

static void set_member_id(struct snapshot *snapshot, const char *name, const char *id)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		struct view *view = &snapshot->servers[i].view;

		for (size_t k = 0; k < view->member_count; k++)
			if (str_equal(view->members[k].name, name))
				replace_string(&view->members[k].id, xstrdup_null(id));
	}
}

static void set_peer_id(struct snapshot *snapshot, const char *name, const char *id)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		struct view *view = &snapshot->servers[i].view;

		for (size_t k = 0; k < view->peer_count; k++)
			if (str_equal(view->peers[k].name, name))
				replace_string(&view->peers[k].id, xstrdup_null(id));
	}
}

/* consul-4 went, and a voter of another StatefulSet has its address by now. */
static void reuse_address(struct snapshot *snapshot, enum member_status status)
{
	sample_init(snapshot, 3);
	sample_add_member(snapshot, "consul-4", "10.0.0.50", status, true);
	sample_add_member(snapshot, "other-0", "10.0.0.50", MEMBER_ALIVE, true);
	sample_add_peer(snapshot, "other-0", "10.0.0.50", true);
	set_member_id(snapshot, "consul-4", "id-a");
	set_member_id(snapshot, "other-0", "id-b");
	set_peer_id(snapshot, "other-0", "id-b");
}

Test(plan_living, a_server_that_was_given_the_address_of_one_that_left)
{
	struct snapshot snapshot;

	reuse_address(&snapshot, MEMBER_LEFT);
	plan_check(&snapshot, REAP, "done");
	plan_check(&snapshot, SCALE(3), "done");
	plan_check(&snapshot, SCALE(5), "step replicas 4: replicas 3 -> 4: consul-3 joins; 3/4 -> 4/5");
	plan_check(&snapshot, PRUNE, "step prune consul-4 via consul-0: *; 3/4 -> 3/4");
	plan_expect_reap(&snapshot, "consul-4", "done");
	/* It fails: what makes it leave takes no vote with it. */
	reuse_address(&snapshot, MEMBER_FAILED);
	plan_expect(&snapshot, REAP, "step force-leave consul-4 via consul-0: *; 3/4 -> 3/4");
}

/* Nobody tells the id of the one that left: still the peer is that of a server that lives. */
Test(plan_living, an_address_alone_removes_nobody_who_lives)
{
	struct snapshot snapshot;

	reuse_address(&snapshot, MEMBER_LEFT);
	set_member_id(&snapshot, "consul-4", NULL);
	plan_check(&snapshot, REAP,
	           "refuse -: raft peer 10.0.0.50:8300 is that of other-0, which is alive (a server that could come "
	           "back is not removed) (may pass)");
	plan_expect_reap(&snapshot, "consul-4", "refuse -: raft peer 10.0.0.50:8300 is that of other-0, *");
	/* With raft protocol 2 the address is the id. */
	reuse_address(&snapshot, MEMBER_LEFT);
	set_peer_id(&snapshot, "other-0", "10.0.0.50:8300");
	plan_expect(&snapshot, REAP, "refuse -: raft peer 10.0.0.50:8300 is that of other-0, *");
}

/* The node has another name by now, and the id that is on its disk. */
Test(plan_living, a_former_name_of_a_server_that_lives_may_be_named)
{
	static const enum member_status gone[] = { MEMBER_LEFT, MEMBER_FAILED };
	struct snapshot snapshot;

	for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
		sample_init(&snapshot, 3);
		sample_add_member(&snapshot, "old-name", "10.0.0.77", gone[i], true);
		set_member_id(&snapshot, "old-name", "id-1");
		plan_check(&snapshot, REAP, "done");
		plan_expect_reap(&snapshot, "old-name",
		                 "refuse consul-1: old-name, which is gone, has the node id of consul-1, which lives: "
		                 "removing it would remove both (a server that could come back is not removed)");
	}
}
