/* consul/recovery.h: whose data may still be on a claim, or in a pod. */
#include <string.h>

#include <criterion/criterion.h>

#include "recovery_scene.h"
#include "util/mem.h"

/* `kubectl scale` from 3 to 1: it is undone by scaling back, even when nobody knows the names any more. */
Test(recovery_claims, scaled_away)
{
	for (int forgotten = 0; forgotten < 2; forgotten++) {
		struct recovery_scene scene;

		recovery_scene_begin(&scene, 3);
		if (forgotten)
			for (size_t i = 1; i < 3; i++)
				sample_forget_member(&scene.snapshot, -1, scene.snapshot.servers[i].name);
		sample_scale(&scene.snapshot, 1, MEMBER_FAILED);
		recovery_scene_expect(&scene, "FORCE consul-0:remains consul-1:may return consul-2:may return");
		cr_expect(strstr(scene.recovery.hint, "kubectl scale statefulset/consul -n ns --replicas=3 brings"));
		recovery_scene_end(&scene);
	}
}

/* What is left of five replicas of long ago: the three voters may have been elsewhere, all of them. */
Test(recovery_claims, old_claims_do_not_count)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	recovery_scene_empty(&scene, 1);
	recovery_scene_empty(&scene, 2);
	recovery_scene_forget(&scene);
	sample_add_claim(&scene.snapshot, "data-consul-3", 8640000);
	sample_add_claim(&scene.snapshot, "data-consul-4", 8640000);
	free(recovery_scene_judge(&scene));
	cr_expect_eq(scene.recovery.kind, RECOVERY_GO, "%s", scene.recovery.text);
	cr_expect(recovery_scene_is_noted(&scene, "consul-4 was scaled away, and its claim data-consul-4 is there"));
	recovery_scene_end(&scene);
}

/* A claim that was made without a leader has nothing that was ever voted on; one that may be older has. */
Test(recovery_claims, the_age_of_a_claim)
{
	static const struct {
		int64_t age_s, contact_ms;
		bool goes;
	} cases[] = {
		{ 10, 60000, true },    { 40, 60000, false }, { 100, 60000, false },
		{ 100, 3600000, true }, { 100, -1, true },    { 90000, -1, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct recovery_scene scene;

		recovery_scene_begin(&scene, 3);
		recovery_scene_empty(&scene, 1);
		recovery_scene_lose(&scene, 2, cases[i].age_s);
		scene.snapshot.servers[0].view.self.last_contact_ms = cases[i].contact_ms;
		free(recovery_scene_judge(&scene));
		cr_expect_eq(scene.recovery.kind == RECOVERY_GO, cases[i].goes, "%zu: %s", i,
		             scene.recovery.text ? scene.recovery.text : "");
		recovery_scene_end(&scene);
	}
}

/* Our clock is an hour behind theirs: what was made lately is no newer for that. */
Test(recovery_claims, a_clock_that_is_behind)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	recovery_scene_empty(&scene, 1);
	recovery_scene_lose(&scene, 2, 40);
	scene.snapshot.taken_at -= 3600;
	free(recovery_scene_judge(&scene));
	cr_expect(scene.recovery.forceable);
	recovery_scene_end(&scene);
}

Test(recovery_claims, claims_that_have_nothing)
{
	static const struct {
		const char *phase, *why;
	} cases[] = { { "Pending", "is Pending: it has no volume yet" }, { "Lost", "is Lost: its volume is gone" } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct recovery_scene scene;

		recovery_scene_begin(&scene, 3);
		recovery_scene_empty(&scene, 1);
		recovery_scene_lose(&scene, 2, 86400);
		replace_string(&scene.snapshot.claims[scene.snapshot.claim_count - 1].phase, xstrdup(cases[i].phase));
		recovery_scene_expect(&scene, "GO consul-0:remains consul-1:empty consul-2:gone consul-1:gone");
		cr_expect(strstr(scene.recovery.servers[2].why, cases[i].why), "%s", scene.recovery.servers[2].why);
		recovery_scene_end(&scene);
	}
}

Test(recovery_claims, claims_that_cannot_be_listed)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	recovery_scene_empty(&scene, 1);
	recovery_scene_lose(&scene, 2, 0);
	scene.snapshot.claims_known = false;
	free(recovery_scene_judge(&scene));
	recovery_scene_text(&scene, "consul-2 may come back*whether it has a claim is not known*");
	recovery_scene_end(&scene);
}

/* Without claim templates the data is in the pod. */
Test(recovery_claims, pods_that_hold_their_data)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	strv_release(&scene.snapshot.set.claim_templates);
	recovery_scene_empty(&scene, 1);
	recovery_scene_stop(&scene, 2, REMAINS_OTHER);
	free(recovery_scene_judge(&scene));
	recovery_scene_text(&scene, "consul-2 may come back*its data may be in its pod*");
	scene.snapshot.servers[2].pod.created_at = SAMPLE_NOW - 5;
	recovery_scene_expect(&scene, "GO consul-0:remains consul-1:empty consul-2:gone consul-1:gone");
	recovery_scene_lose(&scene, 2, 0);
	recovery_scene_expect(&scene, "FORCE consul-0:remains consul-1:empty consul-2:may return consul-1:gone");
	recovery_scene_text(&scene, "consul-2 may come back*where its data would be cannot be seen*");
	recovery_scene_end(&scene);
}

/* The best was cut off as it removed it, to add it with another address: the others went on with it. */
Test(recovery_claims, who_is_no_peer_of_the_best_may_be_one_of_the_others)
{
	for (int broken = 0; broken < 2; broken++) {
		struct recovery_scene scene;

		recovery_scene_begin(&scene, 3);
		recovery_scene_peers(&scene, 0, "01");
		recovery_scene_empty(&scene, 1);
		if (broken)
			recovery_scene_stop(&scene, 2, REMAINS_CORRUPT);
		else
			recovery_scene_lose(&scene, 2, 86400);
		free(recovery_scene_judge(&scene));
		cr_expect(scene.recovery.forceable);
		recovery_scene_text(&scene, broken ? "consul-2 may have more in its log than consul-0*"
		                                   : "consul-2 may come back with its data (no pod; its claim*");
		recovery_scene_end(&scene);
	}
}

/* Nobody knows names any more: who was scaled away cannot be told from who runs without data. */
Test(recovery_claims, nameless_voters_while_claims_cannot_be_listed)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	recovery_scene_empty(&scene, 1);
	recovery_scene_empty(&scene, 2);
	recovery_scene_forget(&scene);
	scene.snapshot.claims_known = false;
	err_set(&scene.snapshot.claims_err, ERR_FORBIDDEN, "may not be listed");
	err_hint(&scene.snapshot.claims_err, "a Role with list on claims");
	free(recovery_scene_judge(&scene));
	cr_expect(scene.recovery.forceable);
	recovery_scene_text(&scene,
	                    "a server that was scaled away may come back with its data (claims cannot be listed*");
	cr_expect(strstr(scene.recovery.hint, "a Role with list on claims\n"), "%s", scene.recovery.hint);
	recovery_scene_end(&scene);
}

/* The CLI tells no id, and its directory could not be looked into: that makes it no stranger. */
Test(recovery_claims, a_server_whose_id_is_not_known)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	replace_string(&scene.snapshot.servers[1].view.self.id, NULL);
	scene.remains[1].known = false;
	recovery_scene_empty(&scene, 2);
	recovery_scene_expect(&scene, "FORCE consul-0:remains consul-2:empty consul-1:may return consul-2:gone");
	recovery_scene_text(&scene,
	                    "consul-1 may come back with its data (runs with data; whose it is cannot be told)");
	cr_expect(scene.recovery.may_pass);
	scene.options.force = true;
	free(recovery_scene_judge(&scene));
	cr_expect_eq(scene.recovery.kind, RECOVERY_GO);
	cr_expect(scene.recovery.may_pass, "force waits for it, too");
	recovery_scene_end(&scene);
}

/* A server whose node has another name than any pod, and has left: it may only be rebooted. */
Test(recovery_claims, who_has_left_is_not_gone)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	recovery_scene_empty(&scene, 1);
	sample_call_node(&scene.snapshot, 2, "vm-7");
	recovery_scene_lose(&scene, 2, 0);
	sample_see(&scene.snapshot, -1, "vm-7", MEMBER_LEFT);
	free(recovery_scene_judge(&scene));
	cr_expect(scene.recovery.forceable);
	recovery_scene_text(&scene, "vm-7 may come back with its data (no pod has its name, and it has left: *");
	recovery_scene_end(&scene);
}

/* What raft knows is what the server advertises, which need not be its pod's address. */
Test(recovery_claims, an_advertised_address)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	recovery_scene_empty(&scene, 1);
	recovery_scene_empty(&scene, 2);
	replace_string(&scene.snapshot.servers[0].pod.ip, xstrdup("10.244.0.1"));
	free(recovery_scene_judge(&scene));
	cr_assert_eq(scene.recovery.kind, RECOVERY_GO, "%s", scene.recovery.text);
	cr_expect(strstr(scene.recovery.peers_json, "\"address\":\"10.0.0.10:8300\""), "%s", scene.recovery.peers_json);
	recovery_scene_end(&scene);
}
