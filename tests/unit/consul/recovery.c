/* consul/recovery.h: who is what, whose data becomes the truth, and when that is refused. */
#include <string.h>

#include <criterion/criterion.h>

#include "recovery_scene.h"
#include "util/buf.h"
#include "util/mem.h"

/* ------------------------------------------------------------------------------------------- it goes on */

Test(recovery, one_of_three_remains)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	recovery_scene_empty(&scene, 1);
	recovery_scene_empty(&scene, 2);
	sample_forget_member(&scene.snapshot, -1, "consul-1");
	sample_forget_member(&scene.snapshot, -1, "consul-2");
	recovery_scene_expect(&scene, "GO consul-0:remains consul-1:empty consul-2:empty 10.0.0.11:8300:gone "
	                              "10.0.0.12:8300:gone");
	cr_expect_str_eq(scene.recovery.peers_json,
	                 "[{\"id\":\"id-0\",\"address\":\"10.0.0.10:8300\",\"non_voter\":false}]");
	cr_expect_str_eq(scene.recovery.best->name, "consul-0");
	cr_expect_eq(scene.recovery.quorum.voters, 3);
	cr_expect_eq(scene.recovery.quorum.live_voters, 1);
	cr_expect_eq(scene.recovery.quorum.quorum, 2);
	cr_expect_eq(scene.recovery.remaining, 1);
	cr_expect(recovery_scene_is_noted(&scene, "what only the lost voters had (2 of 3) is gone"));
	cr_expect(recovery_scene_is_noted(&scene, "joining by themselves afterwards: consul-1 and consul-2"));
	recovery_scene_end(&scene);
}

/* Gossip still knows by which name they went: their places are taken by others now. */
Test(recovery, the_lost_have_names)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	recovery_scene_empty(&scene, 1);
	recovery_scene_lose(&scene, 2, 0);
	recovery_scene_expect(&scene, "GO consul-0:remains consul-1:empty consul-2:gone consul-1:gone");
	cr_expect_str_eq(scene.recovery.servers[2].id, "id-2");
	cr_expect_str_eq(scene.recovery.servers[2].why, "no pod; it has no claim");
	cr_expect_str_eq(scene.recovery.servers[3].id, "id-1");
	recovery_scene_end(&scene);
}

/* The term of the last entry comes first, the current term says nothing; who lags has no vote at first. */
Test(recovery, the_furthest_log_is_best)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 7);
	for (size_t i = 4; i < 7; i++)
		recovery_scene_empty(&scene, i);
	recovery_scene_empty(&scene, 3);
	scene.snapshot.servers[0].view.self.term = 99;
	recovery_scene_log(&scene, 0, 3, 990);
	recovery_scene_log(&scene, 1, 4, 980);
	recovery_scene_log(&scene, 2, 4, 985);
	free(recovery_scene_judge(&scene));
	cr_assert_eq(scene.recovery.kind, RECOVERY_GO, "%s", scene.recovery.text);
	cr_expect_str_eq(scene.recovery.best->name, "consul-2");
	cr_expect_eq(scene.recovery.best, &scene.recovery.servers[0]);
	cr_expect_str_eq(scene.recovery.servers[1].name, "consul-1");
	cr_expect_eq(scene.recovery.servers[1].behind, 5);
	cr_expect_eq(scene.recovery.servers[2].behind, 0);
	cr_expect_str_eq(scene.recovery.peers_json,
	                 "[{\"id\":\"id-2\",\"address\":\"10.0.0.12:8300\",\"non_voter\":false},"
	                 "{\"id\":\"id-1\",\"address\":\"10.0.0.11:8300\",\"non_voter\":true},"
	                 "{\"id\":\"id-0\",\"address\":\"10.0.0.10:8300\",\"non_voter\":true}]");
	cr_expect(recovery_scene_is_noted(&scene, "consul-1 is 5 log entries behind consul-2"));
	cr_expect(recovery_scene_is_noted(&scene, "the log of consul-0 ends in an earlier term than that of consul-2"));
	recovery_scene_end(&scene);
}

Test(recovery, equal_logs_vote_and_non_voters_do_not)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 7);
	for (size_t i = 3; i < 7; i++)
		recovery_scene_empty(&scene, i);
	for (size_t i = 0; i < 3; i++)
		scene.snapshot.servers[i].view.peers[2].voter = false;
	sample_forget_member(&scene.snapshot, 1, "consul-1");
	replace_string(&scene.snapshot.servers[1].pod.ip, xstrdup("fd00::7"));
	free(recovery_scene_judge(&scene));
	cr_assert_eq(scene.recovery.kind, RECOVERY_GO, "%s", scene.recovery.text);
	cr_expect_str_eq(scene.recovery.peers_json,
	                 "[{\"id\":\"id-0\",\"address\":\"10.0.0.10:8300\",\"non_voter\":false},"
	                 "{\"id\":\"id-1\",\"address\":\"[fd00::7]:8300\",\"non_voter\":false},"
	                 "{\"id\":\"id-2\",\"address\":\"10.0.0.12:8300\",\"non_voter\":true}]");
	cr_expect_eq(scene.recovery.quorum.voters, 6);
	recovery_scene_end(&scene);
}

/* Its agent refuses us, its data directory does not. */
Test(recovery, a_directory_tells_what_an_agent_does_not)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 5);
	for (size_t i = 2; i < 5; i++) {
		recovery_scene_empty(&scene, i);
		recovery_scene_silence(&scene, i);
	}
	recovery_scene_silence(&scene, 1);
	free(recovery_scene_judge(&scene));
	cr_expect(scene.recovery.forceable);
	recovery_scene_text(&scene, "how far the log of consul-1 is cannot be told: consul-0 may have less");
	cr_expect_eq(scene.recovery.servers[1].fate, FATE_REMAINS);
	cr_expect_eq(scene.recovery.servers[2].fate, FATE_EMPTY);
	scene.options.force = true;
	free(recovery_scene_judge(&scene));
	cr_expect_eq(scene.recovery.kind, RECOVERY_GO);
	cr_expect_eq(scene.recovery.remaining, 2);
	cr_expect(recovery_scene_is_noted(&scene, "forced although how far the log of consul-1"));
	cr_expect(strstr(scene.recovery.peers_json, "\"id-1\",\"address\":\"10.0.0.11:8300\",\"non_voter\":false"));
	recovery_scene_end(&scene);
}

/* ------------------------------------------------------------------------------------- never, whatever */

Test(recovery, a_leader_is_there)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	sample_lead(&scene.snapshot, 1);
	scene.options.force = true;
	recovery_scene_expect(&scene, "NO");
	recovery_scene_text(&scene, "there is a leader: consul-1; nothing is to be recovered");
	cr_expect_eq(scene.recovery.exit_is, ERR_REFUSED);
	cr_expect_not(scene.recovery.may_pass);
	cr_expect_str_eq(scene.recovery.hint, "kubectl consul health -n ns");
	recovery_scene_end(&scene);
}

/* It is outside of what can be seen from here, and lives. */
Test(recovery, a_leader_is_heard)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	recovery_scene_empty(&scene, 0);
	recovery_scene_empty(&scene, 1);
	sample_set_leader(&scene.snapshot, 2, "10.9.9.9:8300");
	scene.snapshot.servers[2].view.self.last_contact_ms = 100;
	scene.options.force = true;
	recovery_scene_expect(&scene, "NO");
	recovery_scene_text(&scene, "*leader*10.9.9.9*");
	scene.snapshot.servers[2].view.self.last_contact_ms = 60000;
	free(recovery_scene_judge(&scene));
	cr_expect_eq(scene.recovery.kind, RECOVERY_GO, "%s", scene.recovery.text);
	recovery_scene_end(&scene);
}

Test(recovery, two_clusters)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	recovery_scene_peers(&scene, 0, "x");
	recovery_scene_peers(&scene, 1, "12");
	recovery_scene_peers(&scene, 2, "12");
	scene.options.force = true;
	recovery_scene_expect(&scene, "NO");
	recovery_scene_text(&scene,
	                    "there are two clusters: the raft peers of consul-0 are none of those of consul-1 and "
	                    "consul-2");
	cr_expect_str_eq(scene.recovery.hint, "kubectl consul explain CON403 tells how to choose");
	recovery_scene_end(&scene);
}

Test(recovery, all_are_empty)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	for (size_t i = 0; i < 3; i++)
		recovery_scene_empty(&scene, i);
	scene.options.force = true;
	recovery_scene_expect(&scene, "NO consul-0:empty consul-1:empty consul-2:empty");
	recovery_scene_text(&scene, "no server has data: there is nothing to go on with");
	recovery_scene_end(&scene);
}

Test(recovery, nobody_has_data)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	recovery_scene_empty(&scene, 0);
	recovery_scene_empty(&scene, 1);
	recovery_scene_stop(&scene, 2, REMAINS_CORRUPT);
	scene.options.force = true;
	recovery_scene_expect(&scene, "NO consul-0:empty consul-1:empty consul-2:broken");
	recovery_scene_text(&scene, "no server tells of data*consul-2: Consul does not start: its raft data*");
	cr_expect_eq(scene.recovery.exit_is, ERR_REFUSED);
	cr_expect_gt(scene.recovery.commands.count, 0);
	recovery_scene_end(&scene);
}

Test(recovery, nobody_answers)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	for (size_t i = 0; i < 3; i++) {
		recovery_scene_silence(&scene, i);
		scene.remains[i].known = false;
	}
	recovery_scene_expect(&scene, "NO consul-0:may return consul-1:may return consul-2:may return");
	cr_expect_eq(scene.recovery.exit_is, ERR_FAILED);
	cr_expect(scene.recovery.may_pass);
	recovery_scene_end(&scene);
}

Test(recovery, scaled_to_nothing)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	sample_scale(&scene.snapshot, 0, MEMBER_FAILED);
	recovery_scene_expect(&scene, "NO");
	recovery_scene_text(&scene, "the StatefulSet is scaled to 0: nobody can be asked");
	cr_expect(str_starts_with(scene.recovery.hint, "kubectl scale statefulset/consul -n ns --replicas=N"));
	recovery_scene_end(&scene);
}

Test(recovery, what_cannot_be_written)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	recovery_scene_empty(&scene, 1);
	recovery_scene_empty(&scene, 2);
	scene.options.force = true;
	scene.remains[0].writable = false;
	free(recovery_scene_judge(&scene));
	cr_expect_str_eq(scene.recovery.hint, "let the container run as the user of Consul's process");
	recovery_scene_text(&scene, "raft/peers.json cannot be written by exec on consul-0");
	cr_expect_not(scene.recovery.forceable);
	scene.remains[0].known = false;
	err_set(&scene.remains[0].err, ERR_FAILED, "no shell");
	err_hint(&scene.remains[0].err, "kubectl debug");
	free(recovery_scene_judge(&scene));
	recovery_scene_text(&scene, "cannot look into the data directory of consul-0: no shell");
	cr_expect_str_eq(scene.recovery.hint, "kubectl debug");
	cr_expect_eq(scene.recovery.exit_is, ERR_FAILED);
	recovery_scene_end(&scene);
}

Test(recovery, old_raft_protocols_have_another_file)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	recovery_scene_empty(&scene, 1);
	recovery_scene_empty(&scene, 2);
	scene.snapshot.servers[0].view.peers[0].protocol = 2;
	free(recovery_scene_judge(&scene));
	recovery_scene_text(&scene, "*raft protocol before 3*");
	cr_expect_not(scene.recovery.forceable);
	recovery_scene_end(&scene);
}

/* All pods are about to start: that is no failure to ask, it is to be waited for. */
Test(recovery, all_of_them_start)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	for (size_t i = 0; i < 3; i++) {
		recovery_scene_stop(&scene, i, REMAINS_FINE);
		sample_stop(&scene.snapshot, i, "ContainerCreating");
	}
	recovery_scene_expect(&scene, "NO consul-0:may return consul-1:may return consul-2:may return");
	cr_expect_eq(scene.recovery.exit_is, ERR_REFUSED);
	cr_expect(scene.recovery.may_pass);
	cr_expect_str_eq(scene.recovery.hint,
	                 "kubectl consul health --watch -n ns shows whether it comes back; then look "
	                 "again: kubectl consul recover -n ns");
	recovery_scene_end(&scene);
}

/* -------------------------------------------------------------------------------------- unless forced */

Test(recovery, enough_voters_live)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	recovery_scene_expect(&scene, "FORCE consul-0:remains consul-1:remains consul-2:remains");
	recovery_scene_text(&scene, "3 of 3 voters live: they need some seconds to find each other");
	cr_expect(scene.recovery.may_pass);
	cr_expect_str_eq(scene.recovery.hint,
	                 "kubectl consul health --wait -n ns waits for it\n--force goes on all the "
	                 "same: what only they have is lost then");
	recovery_scene_end(&scene);
}

/* The case: restarting, all addresses are new, and some have not answered yet. */
Test(recovery, merely_restarting)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	recovery_scene_stop(&scene, 1, REMAINS_FINE);
	sample_stop(&scene.snapshot, 1, "ContainerCreating");
	recovery_scene_lose(&scene, 2, 86400);
	recovery_scene_expect(&scene, "FORCE consul-0:remains consul-1:may return consul-2:may return");
	recovery_scene_text(&scene,
	                    "consul-1 may come back with its data (*claim data-consul-1 is there); consul-2 may "
	                    "come back with its data (no pod; its claim data-consul-2 is there)");
	cr_expect(scene.recovery.may_pass);
	recovery_scene_end(&scene);
}

Test(recovery, a_pod_that_cannot_be_scheduled)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	recovery_scene_empty(&scene, 2);
	sample_stop(&scene.snapshot, 1, NULL);
	scene.remains[1].known = false;
	replace_string(&scene.snapshot.servers[1].pod.unscheduled_message, xstrdup("no node has its volume"));
	free(recovery_scene_judge(&scene));
	recovery_scene_text(&scene, "consul-1 may come back with its data (not scheduled: no node has its volume; *");
	cr_expect(strstr(scene.recovery.hint, "kubectl describe pod consul-1 -n ns tells more\n"));
	cr_expect_not(scene.recovery.may_pass);
	scene.options.force = true;
	free(recovery_scene_judge(&scene));
	cr_expect_eq(scene.recovery.kind, RECOVERY_GO);
	cr_expect_not(scene.recovery.may_pass);
	cr_expect(recovery_scene_is_noted(&scene, "forced although consul-1 may come back with its data"));
	cr_expect(recovery_scene_is_noted(&scene, "consul-1 must not come back with its data"));
	recovery_scene_end(&scene);
}

Test(recovery, an_unreachable_node)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 3);
	recovery_scene_empty(&scene, 2);
	recovery_scene_silence(&scene, 1);
	scene.remains[1].known = false;
	free(recovery_scene_judge(&scene));
	recovery_scene_text(&scene, "consul-1 may come back with its data (runs, and does not answer: ACL not found)");
	recovery_scene_end(&scene);
}

Test(recovery, a_log_that_cannot_be_read_may_be_ahead)
{
	static const struct {
		enum remains_trouble trouble;
		const char *command;
	} cases[] = {
		{ REMAINS_TOO_OLD, "rm -f /consul/data/server_metadata.json" },
		{ REMAINS_BAD_PEERS, "rm -f /consul/data/raft/peers.json" },
		{ REMAINS_CORRUPT, "kubectl delete pvc data-consul-1 -n ns --wait=false" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct recovery_scene scene;
		_cleanup_free_ char *commands = NULL;

		recovery_scene_begin(&scene, 3);
		recovery_scene_stop(&scene, 1, cases[i].trouble);
		recovery_scene_empty(&scene, 2);
		recovery_scene_expect(&scene, "FORCE consul-0:remains consul-2:empty consul-1:broken consul-2:gone");
		recovery_scene_text(&scene,
		                    "consul-1 may have more in its log than consul-0, and Consul does not start there");
		commands = strv_join(&scene.recovery.commands, "\n", "\n");
		cr_expect(strstr(commands, cases[i].command), "%s", commands);
		cr_expect(strstr(commands, "nodeName: node-1\n"), "%s", commands);
		cr_expect(strstr(commands, "claimName: data-consul-1\n"), "%s", commands);
		recovery_scene_end(&scene);
	}
}

/* It explains itself where one log is behind, and one set is a part of the other: but for whom only that one knows. */
Test(recovery, peer_sets_that_differ)
{
	static const struct {
		const char *peers;
		uint64_t index;
		bool goes;
	} cases[] = {
		{ "0123", 1000, false }, { "0123", 999, true },    { "0123", 1001, false },
		{ "012x", 999, false },  { "01234x", 999, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct recovery_scene scene;

		recovery_scene_begin(&scene, 5);
		for (size_t k = 2; k < 5; k++)
			recovery_scene_empty(&scene, k);
		recovery_scene_peers(&scene, 1, cases[i].peers);
		recovery_scene_log(&scene, 1, 3, cases[i].index);
		free(recovery_scene_judge(&scene));
		cr_expect_eq(scene.recovery.kind == RECOVERY_GO, cases[i].goes, "%zu: %s", i, scene.recovery.text);
		if (cases[i].goes)
			cr_expect(recovery_scene_is_noted(&scene, "does not have the last change of the raft peers"));
		else
			recovery_scene_text(&scene, "consul-? and consul-? do not have the same raft peers");
		recovery_scene_end(&scene);
	}
}

/* It left, was told so by a leader, and so knew of later things than who remains. */
Test(recovery, a_stranger_that_is_ahead)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 4);
	recovery_scene_peers(&scene, 0, "012");
	recovery_scene_peers(&scene, 3, "012");
	recovery_scene_empty(&scene, 1);
	recovery_scene_empty(&scene, 2);
	recovery_scene_log(&scene, 3, 3, 1001);
	free(recovery_scene_judge(&scene));
	cr_expect(scene.recovery.forceable);
	recovery_scene_text(&scene, "consul-3 has more in its log than consul-0 (*");
	recovery_scene_log(&scene, 3, 3, 999);
	free(recovery_scene_judge(&scene));
	cr_expect_eq(scene.recovery.kind, RECOVERY_GO, "%s", scene.recovery.text);
	recovery_scene_end(&scene);
}

/* Its files were removed below the process: a restart would end with less than is in memory now. */
Test(recovery, a_directory_that_was_emptied_below_its_server)
{
	struct recovery_scene scene;

	recovery_scene_begin(&scene, 5);
	for (size_t i = 2; i < 5; i++)
		recovery_scene_empty(&scene, i);
	recovery_scene_log(&scene, 1, 3, 1001);
	scene.remains[1].has_raft = false;
	free(recovery_scene_judge(&scene));
	cr_expect_str_eq(scene.recovery.best->name, "consul-0");
	recovery_scene_text(&scene, "consul-1 has more in its log than consul-0 (its data directory was emptied*");
	scene.remains[1].has_raft = true;
	replace_string(&scene.remains[1].node_id, NULL);
	free(recovery_scene_judge(&scene));
	recovery_scene_text(&scene, "*(its file node-id is missing, or has another one's id)");
	recovery_scene_end(&scene);
}

/* ---------------------------------------------------------------------------------------------- equality */

Test(recovery, the_same_again)
{
	struct recovery_scene one, other;

	recovery_scene_begin(&one, 3);
	recovery_scene_begin(&other, 3);
	for (size_t i = 1; i < 3; i++) {
		recovery_scene_empty(&one, i);
		recovery_scene_empty(&other, i);
	}
	free(recovery_scene_judge(&one));
	free(recovery_scene_judge(&other));
	cr_expect(recovery_equal(&one.recovery, &other.recovery));
	replace_string(&other.snapshot.servers[0].pod.uid, xstrdup("another"));
	free(recovery_scene_judge(&other));
	cr_expect_not(recovery_equal(&one.recovery, &other.recovery), "another pod");
	replace_string(&other.snapshot.servers[0].pod.uid, xstrdup("uid-0"));
	recovery_scene_lose(&other, 2, 86400);
	other.options.force = true;
	free(recovery_scene_judge(&other));
	cr_assert_eq(other.recovery.kind, RECOVERY_GO);
	cr_expect_not(recovery_equal(&one.recovery, &other.recovery), "somebody is discarded");
	recovery_scene_end(&one);
	recovery_scene_end(&other);
}

Test(recovery, a_refusal_as_an_error)
{
	struct recovery_scene scene;
	_cleanup_err_ struct err err = ERR_INIT;

	recovery_scene_begin(&scene, 3);
	sample_lead(&scene.snapshot, 1);
	free(recovery_scene_judge(&scene));
	cr_expect_eq(recovery_refusal(&scene.recovery, &err), -1);
	cr_expect_eq(err.kind, ERR_REFUSED);
	cr_expect_str_eq(err.message, "there is a leader: consul-1; nothing is to be recovered");
	cr_expect_str_eq(err.label, "refused");
	cr_expect_not_null(err.hint);
	recovery_scene_end(&scene);
}
