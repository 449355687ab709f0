/* consul/recovery_act.h: in a world of three servers that follows a script. */
#include <string.h>

#include <criterion/criterion.h>

#include "consul/recovery_act.h"
#include "recovery_scene.h"
#include "util/buf.h"
#include "util/mem.h"

/* What a look shows. */
enum shown {
	LOST,      /* consul-0 remains, the others are empty */
	RETURNING, /* consul-1 may come back: its pod is being made */
	LED,       /* consul-0 leads, and has itself as its only peer */
	LED_BY_1,  /* consul-1 does, without consul-0 among its peers */
	WAITING,   /* there is a leader all agree on, and a peers.json waits at consul-2 */
	LEFT_OPEN, /* the same as LED, and consul-0's peers.json waits */
	MISSED,    /* consul-0 leads the three of them, and consul-2 still has another peer set */
	HEALED,    /* consul-2 has it, too */
	BLIND,     /* the look fails for now */
	END,       /* the look fails for good */
};

/* Everything the world did is a line of log. */
struct fake {
	const enum shown *looks; /* the last one stays */
	size_t look_count, looked;
	enum err_kind crash; /* how consul-0's crash ends; ERR_NONE: well */
	enum err_kind keep;
	int64_t now_ms;
	struct buf log;
};

static void shape(enum shown shown, struct recovery_scene *scene)
{
	recovery_scene_begin(scene, 3);
	if (shown == MISSED || shown == HEALED) {
		recovery_scene_peers(scene, 2, shown == MISSED ? "01234" : "012");
		sample_lead(&scene->snapshot, 0);
		return;
	}
	scene->remains[0].peers_waiting = shown == LEFT_OPEN;
	if (shown == WAITING) {
		sample_lead(&scene->snapshot, 0);
		scene->remains[2].peers_waiting = true;
		return;
	}
	if (shown == RETURNING)
		recovery_scene_lose(scene, 1, 86400);
	else
		recovery_scene_empty(scene, 1);
	recovery_scene_empty(scene, 2);
	if (shown == LED || shown == LED_BY_1 || shown == LEFT_OPEN) {
		recovery_scene_peers(scene, 0, shown == LED_BY_1 ? "1" : "0");
		sample_lead(&scene->snapshot, 0);
	}
}

static enum shown shown_now(const struct fake *fake)
{
	return fake->looks[fake->looked < fake->look_count ? fake->looked : fake->look_count - 1];
}

static int fake_observe(void *context, struct snapshot *ret_snapshot, struct err *err)
{
	struct fake *fake = context;
	enum shown shown = shown_now(fake);
	struct recovery_scene scene;

	fake->looked++;
	if (shown == BLIND || shown == END)
		return err_set(err, shown == BLIND ? ERR_UNREACHABLE : ERR_FORBIDDEN, "the API server is away");
	shape(shown, &scene);
	*ret_snapshot = scene.snapshot;
	scene.snapshot = (struct snapshot)SNAPSHOT_INIT;
	recovery_scene_end(&scene);
	return 0;
}

static int fake_inspect(void *context, const struct snapshot *seen, struct remains *ret_remains, struct err *err)
{
	struct fake *fake = context;
	struct recovery_scene scene;

	(void)err;
	fake->looked--;
	shape(shown_now(fake), &scene);
	fake->looked++;
	for (size_t i = 0; i < seen->server_count; i++) {
		ret_remains[i] = scene.remains[i];
		scene.remains[i] = (struct remains)REMAINS_INIT;
	}
	recovery_scene_end(&scene);
	return 0;
}

static int fake_keep(void *context, struct err *err)
{
	struct fake *fake = context;

	return fake->keep == ERR_NONE ? 0 : err_set(err, fake->keep, "somebody else has it");
}

static int fake_crash(void *context, const struct snapshot *seen, struct crash_order *orders, size_t count,
                      struct err *err)
{
	struct fake *fake = context;

	cr_expect_eq(seen->server_count, 3);
	for (size_t i = 0; i < count; i++)
		buf_addf(&fake->log, "%lld crash %s %s %s\n", (long long)fake->now_ms, orders[i].pod,
		         orders[i].data_dir, orders[i].peers_json);
	if (fake->crash == ERR_NONE)
		return 0;
	err_set(&orders[0].err, fake->crash, "no luck");
	return err_set(err, fake->crash, "no luck");
}

static int fake_remove_peers(void *context, const struct snapshot *seen, const struct crash_order *order,
                             struct err *err)
{
	struct fake *fake = context;

	(void)seen;
	(void)err;
	buf_addf(&fake->log, "%lld remove %s %s\n", (long long)fake->now_ms, order->pod, order->data_dir);
	return 0;
}

static int64_t fake_now_ms(void *context)
{
	return ((struct fake *)context)->now_ms;
}

static int fake_sleep(void *context, int64_t milliseconds, struct err *err)
{
	struct fake *fake = context;

	(void)err;
	fake->now_ms += milliseconds;
	cr_assert_lt(fake->now_ms, 3600000, "it does not end");
	return 0;
}

static void fake_tell(void *context, const struct act_event *event)
{
	static const char *const words[] = { "step", "done", "wait", "note" };
	struct fake *fake = context;

	cr_expect_not_null(event->text);
	if (!event->again)
		buf_addf(&fake->log, "%lld %s: %.60s\n", (long long)fake->now_ms, words[event->kind], event->text);
}

#define FAKE(...)                                                                                                      \
	{                                                                                                              \
		.looks = (const enum shown[]){ __VA_ARGS__ },                                                          \
		.look_count = sizeof((const enum shown[]){ __VA_ARGS__ }) / sizeof(enum shown), .log = BUF_TEXT        \
	}

static const struct recovery_act_options *options_of(struct fake *fake)
{
	static struct recovery_act_options options;

	options = (struct recovery_act_options){ .deadline_ms = 900000, .tell = fake_tell, .tell_context = fake };
	return &options;
}

static struct world world_of(struct fake *fake)
{
	return (struct world){
		.context = fake,
		.observe = fake_observe,
		.inspect = fake_inspect,
		.keep = fake_keep,
		.crash = fake_crash,
		.remove_peers = fake_remove_peers,
		.now_ms = fake_now_ms,
		.sleep = fake_sleep,
	};
}

/* Agrees to what shown would come to, and acts. */
static int run(struct fake *fake, enum shown agreed, bool *ret_begun, struct err *err)
{
	struct world world = world_of(fake);
	struct recovery_scene scene;
	int status;

	shape(agreed, &scene);
	free(recovery_scene_judge(&scene));
	status = recovery_act(&world, options_of(fake), &scene.recovery, ret_begun, err);
	recovery_scene_end(&scene);
	return status;
}

static void expect(struct fake *fake, const char *log)
{
	cr_expect_str_eq(buf_text(&fake->log), log, "got\n%s\nexpected\n%s", buf_text(&fake->log), log);
	buf_release(&fake->log);
}

#define CRASH "crash consul-0 /consul/data [{\"id\":\"id-0\",\"address\":\"10.0.0.10:8300\",\"non_voter\":false}]\n"
#define STEP  "step: raft/peers.json for consul-0, and its process is ended at on\n"

Test(recovery_act, one_server_gets_its_peers_and_leads)
{
	struct fake fake = FAKE(LOST, LOST, BLIND, LED);
	_cleanup_err_ struct err err = ERR_INIT;
	bool begun = false;

	cr_assert_eq(run(&fake, LOST, &begun, &err), 0, "%s", err.message);
	cr_expect(begun);
	expect(&fake, "0 " STEP "0 " CRASH "0 wait: no leader yet: 1/3 voters · no leader · quorum of 2 lost\n"
	              "1000 wait: cannot look at the cluster: the API server is away\n"
	              "2000 done: there is a leader\n");
}

/* A leader that has not heard of it is waited for until it has. */
Test(recovery_act, who_remains_must_be_a_peer)
{
	struct fake fake = FAKE(LOST, LED_BY_1);
	_cleanup_err_ struct err err = ERR_INIT;
	bool begun = false;

	cr_assert_eq(run(&fake, LOST, &begun, &err), -1);
	cr_expect_eq(err.kind, ERR_TIMEOUT);
	cr_expect_str_eq(err.message, "timed out; seen last: consul-0 is no raft peer of consul-0 yet");
	cr_expect(begun);
	cr_expect_eq(fake.now_ms, 420000);
	buf_release(&fake.log);
}

Test(recovery_act, what_was_agreed_to_must_still_hold)
{
	struct fake fake = FAKE(RETURNING);
	_cleanup_err_ struct err err = ERR_INIT;
	bool begun = true;

	cr_assert_eq(run(&fake, LOST, &begun, &err), -1);
	cr_expect_eq(err.kind, ERR_CONFLICT);
	cr_expect_not(begun);
	cr_expect(strstr(err.message, "consul-1 may come back"), "%s", err.message);
	cr_expect_null(strstr(buf_text(&fake.log), "crash"));
	cr_expect_eq(fake.now_ms, RECOVERY_PATIENCE_MS);
	buf_release(&fake.log);
}

Test(recovery_act, a_crash_that_was_not_done)
{
	struct fake fake = FAKE(LOST);
	_cleanup_err_ struct err err = ERR_INIT;
	bool begun = false;

	fake.crash = ERR_FORBIDDEN;
	cr_assert_eq(run(&fake, LOST, &begun, &err), -1);
	cr_expect_eq(err.kind, ERR_FORBIDDEN);
	expect(&fake, "0 " STEP "0 " CRASH "0 note: consul-0: no luck\n");
}

/* The connection ended, as it does when its container ends: the next look tells. */
Test(recovery_act, a_crash_that_may_have_been_done)
{
	struct fake fake = FAKE(LOST, LED);
	_cleanup_err_ struct err err = ERR_INIT;
	bool begun = false;

	fake.crash = ERR_UNREACHABLE;
	cr_assert_eq(run(&fake, LOST, &begun, &err), 0, "%s", err.message);
	expect(&fake, "0 " STEP "0 " CRASH "0 note: consul-0: no luck\n0 done: there is a leader\n");
}

Test(recovery_act, without_the_claim_nothing_is_done)
{
	struct fake fake = FAKE(LOST);
	_cleanup_err_ struct err err = ERR_INIT;
	bool begun = true;

	fake.keep = ERR_CONFLICT;
	cr_assert_eq(run(&fake, LOST, &begun, &err), -1);
	cr_expect_eq(err.kind, ERR_CONFLICT);
	cr_expect_not(begun);
	expect(&fake, "");
}

Test(recovery_act, a_file_that_waits_is_removed)
{
	struct fake fake = FAKE(WAITING);
	_cleanup_err_ struct err err = ERR_INIT;
	bool begun = false;

	cr_assert_eq(run(&fake, WAITING, &begun, &err), 0, "%s", err.message);
	cr_expect(begun);
	expect(&fake, "0 step: the raft/peers.json that waits on consul-2 is removed\n0 remove consul-2 /consul/data\n"
	              "0 done: the raft/peers.json that waits on consul-2 is removed\n");
}

/* A look, then nothing else for 20 s, then the end. */
static void script(struct fake *fake, enum shown *looks, enum shown first, enum shown then, enum shown end)
{
	*fake = (struct fake){ .looks = looks, .look_count = 23, .log = BUF_TEXT };
	for (size_t i = 0; i < 22; i++)
		looks[i] = i == 0 ? first : then;
	looks[22] = end;
}

/* The exec was lost after the file was put in: its next start would throw away the peer set. */
Test(recovery_act, a_file_that_a_lost_exec_has_left_is_removed)
{
	struct fake fake;
	enum shown looks[23];
	_cleanup_err_ struct err err = ERR_INIT;
	bool begun = false;

	script(&fake, looks, LOST, LEFT_OPEN, LED);
	cr_assert_eq(run(&fake, LOST, &begun, &err), 0, "%s", err.message);
	expect(&fake, "0 " STEP "0 " CRASH "0 wait: a raft/peers.json waits on consul-0\n"
	              "20000 step: the raft/peers.json that waits on consul-0 is removed\n"
	              "20000 remove consul-0 /consul/data\n"
	              "20000 done: the raft/peers.json that waits on consul-0 is removed\n"
	              "21000 done: there is a leader\n");
}

#define CRASH_2                                                                                                        \
	"crash consul-2 /consul/data [{\"id\":\"id-0\",\"address\":\"10.0.0.10:8300\",\"non_voter\":false},"           \
	"{\"id\":\"id-1\",\"address\":\"10.0.0.11:8300\",\"non_voter\":false},"                                        \
	"{\"id\":\"id-2\",\"address\":\"10.0.0.12:8300\",\"non_voter\":false}]\n"
#define STEP_2 "step: raft/peers.json for consul-2, and its process is ended at on\n"

/* It gets the leader's; where that was lost, too, again. */
Test(recovery_act, who_has_missed_the_peers_gets_them)
{
	struct fake fake;
	enum shown looks[23];
	_cleanup_err_ struct err err = ERR_INIT;
	bool begun = false;

	script(&fake, looks, MISSED, MISSED, HEALED);
	cr_assert_eq(run(&fake, MISSED, &begun, &err), 0, "%s", err.message);
	cr_expect(begun);
	expect(&fake, "0 " STEP_2 "0 " CRASH_2 "0 wait: consul-2 does not have the raft peers of consul-0 yet\n"
	              "20000 " STEP_2 "20000 " CRASH_2 "21000 done: there is a leader\n");
}

/* --------------------------------------------------------------------------------------------- looking */

static int look(struct fake *fake, int64_t deadline_ms, struct recovery_look *ret_look, struct err *err)
{
	struct world world = world_of(fake);
	struct recovery_act_options options = *options_of(fake);

	options.deadline_ms = deadline_ms;
	return recovery_look(&world, &options, ret_look, err);
}

Test(recovery_act, what_may_pass_is_looked_at_again)
{
	struct fake fake = FAKE(BLIND, RETURNING, RETURNING, LOST);
	struct recovery_look seen = RECOVERY_LOOK_INIT;
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(look(&fake, 900000, &seen, &err), 0, "%s", err.message);
	cr_expect_eq(seen.recovery.kind, RECOVERY_GO);
	cr_expect_eq(fake.now_ms, 3000);
	cr_expect_eq(fake.looked, 4);
	recovery_look_release(&seen);
	buf_release(&fake.log);
}

Test(recovery_act, what_does_not_pass_is_told_in_time)
{
	static const int64_t deadlines[] = { 900000, 12000, 1000 }, ends[] = { RECOVERY_PATIENCE_MS, 7000, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(deadlines); i++) {
		struct fake fake = FAKE(RETURNING);
		struct recovery_look seen = RECOVERY_LOOK_INIT;
		_cleanup_err_ struct err err = ERR_INIT;

		cr_assert_eq(look(&fake, deadlines[i], &seen, &err), 0, "%s", err.message);
		cr_expect_eq(seen.recovery.kind, RECOVERY_REFUSED);
		cr_expect_eq(fake.now_ms, ends[i], "%zu: %d", i, (int)fake.now_ms);
		recovery_look_release(&seen);
		buf_release(&fake.log);
	}
}

/* --force passes over nothing that passes by itself; who has agreed to it has waited for that already. */
Test(recovery_act, what_may_pass_is_waited_for_before_it_is_forced)
{
	struct fake fake = FAKE(RETURNING);
	struct world world = world_of(&fake);
	struct recovery_act_options options = *options_of(&fake);
	struct recovery_look seen = RECOVERY_LOOK_INIT;
	_cleanup_err_ struct err err = ERR_INIT;
	bool begun = false;

	options.recovery.force = true;
	cr_assert_eq(recovery_look(&world, &options, &seen, &err), 0, "%s", err.message);
	cr_expect_eq(seen.recovery.kind, RECOVERY_GO);
	cr_expect_eq(fake.now_ms, RECOVERY_PATIENCE_MS);
	cr_expect_eq(recovery_act(&world, &options, &seen.recovery, &begun, &err), -1);
	cr_expect_not_null(strstr(buf_text(&fake.log), "20000 crash consul-0"));
	recovery_look_release(&seen);
	buf_release(&fake.log);
}

Test(recovery_act, a_look_that_fails_for_good)
{
	struct fake fake = FAKE(END);
	struct recovery_look seen = RECOVERY_LOOK_INIT;
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(look(&fake, 900000, &seen, &err), -1);
	cr_expect_eq(err.kind, ERR_FORBIDDEN);
	cr_expect_eq(fake.looked, 1);
	recovery_look_release(&seen);
	buf_release(&fake.log);
}
