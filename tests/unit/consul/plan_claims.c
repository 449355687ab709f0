/* scale: the claims of servers that come and went; and what people are told before they say yes. */
#include <criterion/criterion.h>

#include "plan_check.h"
#include "util/mem.h"
#include "util/str.h"

#define DAY ((int64_t)86400)

/* -------------------------------------------------------------------------------------------------------- going up */

Test(plan_claims, data_that_is_left_is_used_again_if_it_is_young)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_claim(&snapshot, "data-consul-3", 7 * DAY);
	sample_add_claim(&snapshot, "data-consul-4", DAY);
	plan_check_notes(
	    &snapshot, SCALE(5),
	    "claim data-consul-3 is 7d old and is used again, with the data in it; --delete-claims starts "
	    "consul-3 without\n"
	    "claim data-consul-4 is 24h old and is used again, with the data in it; --delete-claims starts "
	    "consul-4 without");
	plan_expect(&snapshot, SCALE(5), "step replicas 4: *");
}

/* It is told before anything is begun, although consul-3's claim comes first. */
Test(plan_claims, data_that_is_too_old_is_refused)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_claim(&snapshot, "data-consul-0", 400 * DAY);
	sample_add_claim(&snapshot, "data-consul-3", DAY);
	sample_add_claim(&snapshot, "data-consul-4", 7 * DAY + 1);
	plan_check(
	    &snapshot, SCALE(5),
	    "refuse -: claim data-consul-4 is 7d old, and Consul does not remember consul-4: with the data of a server "
	    "that was away for more than 168 hours it may not start (data of a server that was away for long is not "
	    "used again); --delete-claims starts it without that data; --force uses it again");
	plan_check(&snapshot, SCALE(4, .force = true), "step replicas 4: *");
	plan_check(&snapshot, SCALE(5, .force = true), "step replicas 4: *");
	plan_check(&snapshot, SCALE(5, .delete_claims = true),
	           "step delete-claim data-consul-3: delete claim data-consul-3 (24h old); 3/3 -> 3/3");
	snapshot.claims[2].created_at++;
	plan_expect(&snapshot, SCALE(5), "step replicas 4: *");
}

/* Whom gossip still lists has been away for 72 hours at most, however old the claim is. */
Test(plan_claims, data_of_a_server_that_consul_remembers_is_not_too_old)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_claim(&snapshot, "data-consul-3", 400 * DAY);
	sample_add_member(&snapshot, "consul-3", "10.0.0.13", MEMBER_LEFT, true);
	plan_expect(&snapshot, SCALE(5), "step replicas 4: *");
}

Test(plan_claims, data_that_somebody_looks_into_is_not_deleted)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_claim(&snapshot, "data-consul-3", DAY);
	snapshot.claims[0].mounted_by = xstrdup("rescue");
	plan_check(&snapshot, SCALE(5), "step replicas 4: *");
	plan_expect(&snapshot, SCALE(3, .delete_claims = true),
	            "refuse -: claim data-consul-3 is mounted by pod rescue *");
}

/* Too many pods to list them all. */
Test(plan_claims, nor_data_that_somebody_may_look_into)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_claim(&snapshot, "data-consul-3", DAY);
	snapshot.mounts_unknown = true;
	plan_check(&snapshot, SCALE(5), "step replicas 4: *");
	plan_expect(&snapshot, SCALE(3, .delete_claims = true),
	            "refuse -: whether a pod mounts claim data-consul-3 is not known: *; "
	            "kubectl describe persistentvolumeclaim data-consul-3 -n *");
}

/* The set says so itself, from Kubernetes 1.23 on: only for those that it takes away from then on. */
Test(plan_claims, claims_that_kubernetes_deletes_are_told)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_add_claim(&snapshot, "data-consul-3", DAY);
	sample_add_claim(&snapshot, "data-consul-4", DAY);
	sample_add_claim(&snapshot, "data-consul-6", DAY);
	snapshot.set.claims_go = true;
	plan_check_notes(&snapshot, SCALE(3),
	                 "*Kubernetes deletes claims data-consul-3 and data-consul-4, with the data: "
	                 "persistentVolumeClaimRetentionPolicy has whenScaled: Delete\n"
	                 "claim kept: data-consul-6; --delete-claims deletes it");
	snapshot_release(&snapshot);
}

Test(plan_claims, a_claim_of_unknown_age_or_on_its_way_out_is_not_too_old)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_claim(&snapshot, "data-consul-3", 0);
	plan_check(&snapshot, SCALE(5, .delete_claims = true),
	           "step delete-claim data-consul-3: delete claim data-consul-3 (? old); *");
	plan_expect(&snapshot, SCALE(5), "step replicas 4: *");
	sample_init(&snapshot, 3);
	sample_add_claim(&snapshot, "data-consul-3", 9 * DAY)->deleting = true;
	plan_check(&snapshot, SCALE(5, .delete_claims = true), "wait -: claim data-consul-3: being deleted");
	plan_expect(&snapshot, SCALE(5), "wait -: claim data-consul-3: being deleted");
}

Test(plan_claims, all_claims_of_a_server_that_comes_are_deleted_and_no_other)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	strv_add(&snapshot.set.claim_templates, "audit");
	sample_add_claim(&snapshot, "data-consul-1", DAY);
	sample_add_claim(&snapshot, "data-consul-4", DAY);
	sample_add_claim(&snapshot, "audit-consul-3", DAY);
	sample_add_claim(&snapshot, "other-consul-3", DAY);
	plan_check(&snapshot, SCALE(5, .delete_claims = true), "step delete-claim audit-consul-3: *");
	snapshot.claims[2].deleting = true;
	plan_check(&snapshot, SCALE(5, .delete_claims = true), "wait -: claim audit-consul-3: being deleted");
	snapshot.claim_count = 2;
	plan_check(&snapshot, SCALE(5, .delete_claims = true), "step replicas 4: *");
	snapshot.claim_count = 4;
	snapshot_release(&snapshot);
}

Test(plan_claims, claims_that_cannot_be_listed_cannot_be_deleted)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	snapshot.claims_known = false;
	err_set(&snapshot.claims_err, ERR_FORBIDDEN, "you may not");
	plan_check(&snapshot, SCALE(5, .delete_claims = true),
	           "refuse -: the claims cannot be listed: you may not (unknown counts as dead) (may pass)");
	plan_check(&snapshot, SCALE(3, .delete_claims = true), "refuse -: the claims cannot be listed: you may not*");
	err_release(&snapshot.claims_err);
	plan_expect(&snapshot, SCALE(3, .delete_claims = true),
	            "refuse -: the claims cannot be listed: it is not told why*");
}

/* ------------------------------------------------------------------------------------------------------ at the end */

Test(plan_claims, claims_of_servers_that_went_are_kept_or_deleted)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_add_claim(&snapshot, "data-consul-0", 90 * DAY);
	sample_add_claim(&snapshot, "data-consul-4", 90 * DAY);
	sample_add_claim(&snapshot, "data-consul-3", 3600);
	sample_add_claim(&snapshot, "data-consul-extra-3", 3600);
	plan_check(&snapshot, SCALE(3), "done");
	plan_check_notes(&snapshot, SCALE(3),
	                 "claims kept: data-consul-4 and data-consul-3; --delete-claims deletes them");
	plan_check_notes(&snapshot, SCALE(3, .delete_claims = true), "");
	plan_check(&snapshot, SCALE(3, .delete_claims = true),
	           "step delete-claim data-consul-4: delete claim data-consul-4 (90d old); 3/3 -> 3/3");
	snapshot.claims[1].deleting = true;
	plan_check(&snapshot, SCALE(3, .delete_claims = true), "wait -: claim data-consul-4: being deleted");
	plan_check_notes(&snapshot, SCALE(3), "claim kept: data-consul-3; --delete-claims deletes it");
	snapshot_release(&snapshot);
}

/* ----------------------------------------------------------------------------------------------------------- notes */

Test(plan_claims, notes_on_what_is_not_known)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	snapshot.claims_known = snapshot.autopilot.known = false;
	plan_check_notes(&snapshot, SCALE(5),
	                 "claims cannot be listed, so that old data would not be seen: it is not told why\n"
	                 "autopilot's settings cannot be read, min_quorum stays as it is: it is not told why");
	plan_check_notes(&snapshot, REAP, "");
	err_set(&snapshot.claims_err, ERR_FORBIDDEN, "you may not list them");
	err_set(&snapshot.autopilot.err, ERR_FORBIDDEN, "you may not read them");
	plan_check_notes(&snapshot, SCALE(5),
	                 "claims cannot be listed, so that old data would not be seen: you may not list them\n"
	                 "autopilot's settings cannot be read, min_quorum stays as it is: you may not read them");
	plan_expect(&snapshot, SCALE(3), "done");
}

Test(plan_claims, notes_on_claims_that_are_neither_used_nor_kept)
{
	struct snapshot snapshot;

	sample_init_from(&snapshot, 2, 3);
	sample_add_claim(&snapshot, "data-consul-5", 3600)->deleting = true;
	sample_add_claim(&snapshot, "data-consul-6", 3600)->deleting = true;
	sample_add_claim(&snapshot, "data-consul-1", 3600);
	sample_add_claim(&snapshot, "data-consul-2", 3600);
	plan_check_notes(&snapshot, SCALE(4, .force = true),
	                 "4 servers tolerate no more failures than 3 do\n"
	                 "claim kept: data-consul-1; --delete-claims deletes it");
	plan_expect(&snapshot, SCALE(3, .delete_claims = true), "wait -: claim data-consul-5: being deleted");
}

Test(plan_claims, notes_on_a_leader_that_goes)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 5);
	sample_lead(&snapshot, 3);
	plan_check_notes(&snapshot, SCALE(3), "");
	sample_set_version(&snapshot, "1.8.7");
	plan_check_notes(&snapshot, SCALE(3),
	                 "consul-3 leads and goes; this Consul 1.8.7 cannot hand leadership over (1.15 and newer can): "
	                 "expect an election, some seconds without a leader");
	plan_check_notes(&snapshot, SCALE(5), "");
	sample_lead(&snapshot, 2);
	plan_check_notes(&snapshot, SCALE(3), "");
	snapshot_release(&snapshot);
	sample_init_from(&snapshot, 1, 5);
	sample_set_version(&snapshot, NULL);
	sample_lead(&snapshot, 2);
	plan_check_notes(&snapshot, SCALE(3), "");
	sample_lead(&snapshot, 3);
	plan_check_notes(&snapshot, SCALE(3), "consul-4 leads and goes; this Consul cannot hand *");
	snapshot_release(&snapshot);
}

Test(plan_claims, notes_on_the_size)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	plan_check_notes(&snapshot, SCALE(1, .force = true), "1 server tolerates no failure");
	plan_check_notes(&snapshot, SCALE(2, .force = true), "2 servers tolerate no failure");
	plan_check_notes(&snapshot, SCALE(4, .force = true), "4 servers tolerate no more failures than 3 do");
	plan_check_notes(&snapshot, SCALE(5), "");
	snapshot_release(&snapshot);
}
