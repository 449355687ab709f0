/* consul/recovery.h: what a recovery that was stopped has left to be done under a leader. */
#include <string.h>

#include <criterion/criterion.h>

#include "recovery_scene.h"
#include "util/mem.h"

Test(recovery_led, a_file_that_waits)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	sample_lead(&scene.snapshot, 0);
	scene.remains[2].peers_waiting = true;
	free(recovery_scene_judge(&scene));
	cr_expect_eq(scene.recovery.kind, RECOVERY_TIDY);
	cr_expect_null(scene.recovery.peers_json);
	cr_expect_not(scene.recovery.may_pass);
	recovery_scene_end(&scene);
}

/* consul-0 leads by a peers.json of 0, 1 and 2, which consul-2 has missed. */
static void begin(struct recovery_scene *scene)
{
	recovery_scene_begin(scene, 3);
	for (size_t i = 0; i < 3; i++)
		recovery_scene_peers(scene, i, i == 2 ? "01234" : "012");
	sample_lead(&scene->snapshot, 0);
}

Test(recovery_led, who_has_missed_the_peers_gets_them)
{
	for (int waiting = 0; waiting < 2; waiting++) {
		struct recovery_scene scene;

		begin(&scene);
		scene.remains[2].peers_waiting = waiting;
		scene.remains[1].peers_waiting = waiting;
		free(recovery_scene_judge(&scene));
		cr_assert_eq(scene.recovery.kind, RECOVERY_TIDY, "%s", scene.recovery.text);
		cr_expect(scene.recovery.may_pass, "the leader may just be about to tell it");
		cr_expect_str_eq(scene.recovery.peers_json,
		                 "[{\"id\":\"id-0\",\"address\":\"10.0.0.10:8300\",\"non_voter\":false},"
		                 "{\"id\":\"id-1\",\"address\":\"10.0.0.11:8300\",\"non_voter\":false},"
		                 "{\"id\":\"id-2\",\"address\":\"10.0.0.12:8300\",\"non_voter\":false}]");
		cr_expect(
		    recovery_scene_is_noted(&scene, "the raft peers of the leader consul-0 were missed by consul-2"));
		for (size_t i = 0; i < 3; i++) {
			const struct recovery_server *row = &scene.recovery.servers[i];

			cr_expect_eq(recovery_gets_peers(&scene.recovery, row), str_equal(row->name, "consul-2"));
			cr_expect_eq(recovery_loses_file(&scene.recovery, row),
			             waiting && str_equal(row->name, "consul-1"), "%s", row->name);
		}
		recovery_scene_end(&scene);
	}
}

/* What its log ends with may be nobody else's; a new leader's first entry brings it in line. */
Test(recovery_led, a_log_of_another_term_is_no_part_of_the_leaders)
{
	struct recovery_scene scene;

	begin(&scene);
	recovery_scene_log(&scene, 2, 2, 1000);
	recovery_scene_expect(&scene, "NO");
	recovery_scene_text(&scene, "there is a leader: consul-0; nothing is to be recovered");
	recovery_scene_end(&scene);
}

Test(recovery_led, the_others_must_be_a_quorum_meanwhile)
{
	struct recovery_scene scene;

	begin(&scene);
	recovery_scene_silence(&scene, 1);
	recovery_scene_expect(&scene, "FORCE");
	recovery_scene_text(&scene,
	                    "the raft peers of the leader consul-0 were missed by consul-2, which only a restart*");
	cr_expect(scene.recovery.may_pass);
	cr_expect_str_eq(scene.recovery.hint,
	                 "--force starts consul-2 again all the same: there is no leader for some seconds");
	scene.options.force = true;
	free(recovery_scene_judge(&scene));
	cr_expect_eq(scene.recovery.kind, RECOVERY_TIDY);
	cr_expect(recovery_scene_is_noted(&scene, "without consul-2 there is no leader for some seconds"));
	recovery_scene_end(&scene);
}
