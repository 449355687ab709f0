/* consul/recovery.h: the commands that a person pastes. */
#include <string.h>

#include <criterion/criterion.h>

#include "recovery_scene.h"
#include "util/mem.h"

/* What is pasted goes on after a line that failed: nothing is deleted but after a copy that did not. */
Test(recovery, data_is_deleted_by_hand_only_after_its_copy)
{
	struct recovery_scene scene;
	_cleanup_free_ char *commands = NULL;

	recovery_scene_begin(&scene, 3);
	recovery_scene_stop(&scene, 1, REMAINS_CORRUPT);
	recovery_scene_empty(&scene, 2);
	free(recovery_scene_judge(&scene));
	commands = strv_join(&scene.recovery.commands, "\n", "\n");
	cr_expect(strstr(commands, "\ntest ! -e consul-1-data.tar &&\nkubectl wait "), "%s", commands);
	cr_expect(strstr(commands, " &&\nkubectl exec consul-1-repair -n ns -- tar cf - -C /consul/data . > "
	                           "consul-1-data.tar &&\nkubectl delete pod consul-1-repair -n ns --now &&\n"
	                           "kubectl delete pvc data-consul-1 -n ns --wait=false &&\n"
	                           "kubectl delete pod consul-1 -n ns"),
	          "%s", commands);
	recovery_scene_end(&scene);
}

Test(recovery, of_two_claims_nobody_can_tell_which_has_the_data)
{
	struct recovery_scene scene;
	_cleanup_free_ char *commands = NULL;

	recovery_scene_begin(&scene, 3);
	strv_add(&scene.snapshot.set.claim_templates, "audit");
	recovery_scene_stop(&scene, 1, REMAINS_CORRUPT);
	recovery_scene_empty(&scene, 2);
	free(recovery_scene_judge(&scene));
	commands = strv_join(&scene.recovery.commands, "\n", "\n");
	cr_expect_str_eq(commands, "# consul-1: which volume its data is on cannot be told from here: kubectl "
	                           "describe pod consul-1 -n ns");
	recovery_scene_end(&scene);
}
