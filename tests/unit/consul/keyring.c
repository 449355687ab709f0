/* consul/keyring: from every state in which a run can have been killed to a ring with one key; and who hinders it. */
#include <criterion/criterion.h>

#include "../../../src/consul/keyring_parts.h"
#include "../../support/cluster_secrets.h"
#include "consul/keyring.h"
#include "sample.h"
#include "tell_scene.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#define OLD "b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2w="
#define NEW "bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmU="

struct fixture {
	struct scene scene;
	struct cluster_secrets secrets;
	struct access access;
	struct buf told;
	int keeps, lost_at; /* that time the Lease is somebody else's; 0: never */
	int writes_then;    /* how many had been done */
};

static void start(struct fixture *fixture, const struct cluster_secrets *how, const struct cluster_options *options)
{
	*fixture = (struct fixture){ .secrets = *how, .told = BUF_TEXT };
	scene_start_with(&fixture->scene, options ? options : &(struct cluster_options){ .count = 3 });
	fixture->secrets.cluster = fixture->scene.cluster;
	cluster_secrets_begin(&fixture->secrets);
	cluster_secrets_put(&fixture->secrets, "consul-gossip", "gossip.json", "{\"encrypt\":\"" OLD "\"}");
}

static void stop(struct fixture *fixture)
{
	scene_stop(&fixture->scene);
	cluster_secrets_end(&fixture->secrets);
	access_release(&fixture->access);
	buf_release(&fixture->told);
}

static void take_line(void *context, const char *line)
{
	struct fixture *fixture = context;

	buf_addf(&fixture->told, "%s\n", line);
}

static int keep(void *context, struct err *err)
{
	struct fixture *fixture = context;

	if (++fixture->keeps != fixture->lost_at)
		return 0;
	fixture->writes_then = fixture->secrets.writes;
	return err_set(err, ERR_CONFLICT, "the lease is somebody else's");
}

static int run(struct fixture *fixture)
{
	struct progress progress = { .tell = take_line, .keep = keep, .context = fixture };

	buf_clear(&fixture->told);
	err_release(&fixture->scene.err);
	return keyring_rotate(fixture->scene.client, &fixture->scene.snapshot, &fixture->access, &progress,
	                      clock_monotonic_ms() + TELL_LONG_MS, &fixture->scene.err);
}

/* The Secret has one key, another than the old one, and the ring that one alone. */
static void expect_rotated(struct fixture *fixture, const char *key)
{
	_cleanup_free_ char *file = cluster_secrets_get(&fixture->secrets, "consul-gossip", "gossip.json");
	_cleanup_free_ char *next = cluster_secrets_get(&fixture->secrets, "consul-gossip", "next");
	_cleanup_free_ char *ring = cluster_secrets_ring(&fixture->secrets), *current = NULL, *expected = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(keyring_decode_gossip(file, &current, &err), 0, "%s", err.message);
	expected = xasprintf("%s 3/3", current);
	cr_expect_str_eq(ring, expected);
	cr_expect_str_neq(current, OLD);
	cr_expect_null(next);
	if (key)
		cr_expect_str_eq(current, key);
}

static void expect_success(struct fixture *fixture, const char *key)
{
	cr_assert_eq(run(fixture), 0, "%s", fixture->scene.err.message);
	expect_rotated(fixture, key);
}

static void expect_failure(struct fixture *fixture, enum err_kind kind, const char *words)
{
	cr_assert_eq(run(fixture), -1);
	cr_expect_eq(fixture->scene.err.kind, kind, "%d: %s", (int)fixture->scene.err.kind, fixture->scene.err.message);
	cr_expect(strstr(fixture->scene.err.message, words), "\"%s\" is not in \"%s\"", words,
	          fixture->scene.err.message);
	cr_expect_null(strstr(fixture->scene.err.message, OLD));
}

/* ---------------------------------------------------------------------------------------- all of it */

#define TOLD_NEXT   "a new gossip key is in secret/consul-gossip, as the next one\n"
#define TOLD_INST   "the new key is installed on all 3 agents\n"
#define TOLD_USED   "the new key is used by all 3 agents\n"
#define TOLD_KEPT   "secret/consul-gossip has the new key: servers without data begin with it\n"
#define TOLD_REMOVE "an old key is removed from all 3 agents\n"
#define TOLD_LATER                                                                                                     \
	"this brought an earlier change to its end, and made no key of its own: run it again for another key\n"

Test(keyring, the_whole_way)
{
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ 0 }, NULL);
	cluster_secrets_add_key(&fixture.secrets, OLD, 3, 3);
	expect_success(&fixture, NULL);
	cr_expect_str_eq(buf_text(&fixture.told), TOLD_NEXT TOLD_INST TOLD_USED TOLD_KEPT TOLD_REMOVE);
	stop(&fixture);
}

Test(keyring, a_consul_that_does_not_tell_which_key_is_used)
{
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ .hides_users = true }, NULL);
	cluster_secrets_add_key(&fixture.secrets, OLD, 3, 3);
	expect_success(&fixture, NULL);
	cr_expect_str_eq(buf_text(&fixture.told), TOLD_NEXT TOLD_INST TOLD_USED TOLD_KEPT TOLD_REMOVE);
	stop(&fixture);
}

Test(keyring, a_key_that_one_did_not_take_is_installed_again)
{
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ .slow_install = 1 }, NULL);
	cluster_secrets_add_key(&fixture.secrets, OLD, 3, 3);
	expect_success(&fixture, NULL);
	cr_expect_str_eq(buf_text(&fixture.told), TOLD_NEXT TOLD_INST TOLD_INST TOLD_USED TOLD_KEPT TOLD_REMOVE);
	stop(&fixture);
}

/* --------------------------------------------------------------------------------- killed anywhere */

static const struct {
	const char *current, *next;
	int old[2], new[2]; /* holders and users; 0 0: not in the ring */
	const char *told;
} states[] = {
	{ OLD, NEW, { 3, 3 }, { 0, 0 }, TOLD_INST TOLD_USED TOLD_KEPT TOLD_REMOVE TOLD_LATER },
	{ OLD, NEW, { 3, 3 }, { 2, 0 }, TOLD_INST TOLD_USED TOLD_KEPT TOLD_REMOVE TOLD_LATER },
	{ OLD, NEW, { 3, 3 }, { 3, 0 }, TOLD_USED TOLD_KEPT TOLD_REMOVE TOLD_LATER },
	{ OLD, NEW, { 3, 1 }, { 3, 2 }, TOLD_USED TOLD_KEPT TOLD_REMOVE TOLD_LATER },
	{ OLD, NEW, { 3, 0 }, { 3, 3 }, TOLD_KEPT TOLD_REMOVE TOLD_LATER },
	{ NEW, NULL, { 3, 0 }, { 3, 3 }, TOLD_REMOVE TOLD_LATER },
	{ NEW, NULL, { 1, 0 }, { 3, 3 }, TOLD_REMOVE TOLD_LATER },
};

Test(keyring, every_state_is_continued)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		_cleanup_free_ char *file = keyring_gossip_file(states[i].current);
		struct fixture fixture;

		start(&fixture, &(struct cluster_secrets){ 0 }, NULL);
		cluster_secrets_put(&fixture.secrets, "consul-gossip", "gossip.json", file);
		cluster_secrets_put(&fixture.secrets, "consul-gossip", "next", states[i].next);
		cluster_secrets_add_key(&fixture.secrets, OLD, states[i].old[0], states[i].old[1]);
		if (states[i].new[0])
			cluster_secrets_add_key(&fixture.secrets, NEW, states[i].new[0], states[i].new[1]);
		expect_success(&fixture, NEW);
		cr_expect_str_eq(buf_text(&fixture.told), states[i].told, "state %zu: %s", i, buf_text(&fixture.told));
		stop(&fixture);
	}
}

Test(keyring, a_run_that_was_killed_at_any_write_is_continued)
{
	for (int i = 0; i < 5 * 2; i++) {
		struct cluster_secrets how = { .fail_at = i / 2 + 1, .fail_after = i % 2 };
		struct fixture fixture;

		start(&fixture, &how, NULL);
		cluster_secrets_add_key(&fixture.secrets, OLD, 3, 3);
		cr_expect_eq(run(&fixture), -1, "write %d", how.fail_at);
		expect_success(&fixture, NULL);
		stop(&fixture);
	}
}

Test(keyring, nothing_more_is_changed_once_the_lease_is_lost)
{
	int points = 0;

	for (bool over = false; !over; points++) {
		struct fixture fixture;

		start(&fixture, &(struct cluster_secrets){ 0 }, NULL);
		cluster_secrets_add_key(&fixture.secrets, OLD, 3, 3);
		fixture.lost_at = points + 1;
		over = run(&fixture) == 0;
		if (!over) {
			cr_expect_eq(fixture.scene.err.kind, ERR_CONFLICT, "%s", fixture.scene.err.message);
			cr_expect_eq(fixture.secrets.writes, fixture.writes_then, "lost at the %dth time", points + 1);
			expect_success(&fixture, NULL);
		}
		stop(&fixture);
	}
	cr_expect_gt(points, 10, "kept %d times only", points);
}

/* ------------------------------------------------------------------------------------- what hinders */

Test(keyring, a_ring_that_does_not_use_the_secrets_key_is_left_alone)
{
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ 0 }, NULL);
	cluster_secrets_add_key(&fixture.secrets, OLD, 3, 0);
	cluster_secrets_add_key(&fixture.secrets, NEW, 3, 3);
	expect_failure(&fixture, ERR_REFUSED, "not every server uses the gossip key that is in secret/consul-gossip");
	cr_expect_eq(fixture.secrets.writes, 0);
	stop(&fixture);
}

Test(keyring, who_does_not_answer_stops_it_before_the_next_step)
{
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ .nodes = 2 }, NULL);
	cluster_secrets_add_key(&fixture.secrets, OLD, 2, 2);
	expect_failure(&fixture, ERR_REFUSED, "only 2 of 3 in the WAN gossip answer consul-0");
	cr_expect_eq(fixture.secrets.writes, 0);
	stop(&fixture);
}

static void expect_check(const struct cluster_server *servers, const char *words)
{
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ 0 }, &(struct cluster_options){ .servers = servers, .count = 3 });
	cluster_secrets_add_key(&fixture.secrets, OLD, 3, 3);
	expect_failure(&fixture, ERR_REFUSED, words);
	cr_expect_eq(apiserver_count(fixture.scene.api, NULL, "/v1/operator/keyring"), 0, "nothing was asked yet");
	stop(&fixture);
}

Test(keyring, everybody_must_be_there)
{
	static const struct cluster_server without_pod[] = { { 0 }, { 0 }, { .no_pod = true, .member = 'l' } };
	static const struct cluster_server failed[] = { { 0 }, { 0 }, { .member = 'f' } };
	static const struct cluster_server silent[] = { { 0 }, { .agent = AGENT_DOWN, .member = 'a' }, { 0 } };
	static const struct cluster_server apart[] = { { 0 }, { .sees = "-a-" }, { 0 } };
	static const struct cluster_server plain[] = { { .unencrypted = true }, { 0 }, { 0 } };

	expect_check(without_pod, "consul-2 is not alive in the gossip of consul-0");
	expect_check(failed, "consul-2 is failed in the gossip of consul-0: it would come back with the old key alone");
	expect_check(silent, "consul-1 does not tell whom it knows in gossip");
	expect_check(apart, "consul-0 is not alive in the gossip of consul-1");
	expect_check(plain, "gossip is not encrypted on consul-0");
}

Test(keyring, a_token_that_may_not_is_named)
{
	static const struct apiserver_route routes[] = { { .pod = "*",
		                                           .path = "/v1/operator/keyring",
		                                           .answer = { .status = 500,
		                                                       .body = "Reading keyring denied by ACLs" } },
		                                         { 0 } };
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ 0 }, NULL);
	scene_script(&fixture.scene, routes, NULL);
	expect_failure(&fixture, ERR_FORBIDDEN, "Consul on consul-0 refuses to list the gossip keys: Reading keyring");
	cr_expect(strstr(fixture.scene.err.hint, "keyring:write"), "%s", fixture.scene.err.hint);
	stop(&fixture);
}

Test(keyring, a_secret_of_somebody_else_is_left_alone)
{
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ 0 }, NULL);
	cluster_secrets_add_key(&fixture.secrets, OLD, 3, 3);
	json_set(cJSON_GetObjectItem(cJSON_GetObjectItem(fixture.secrets.secrets, "consul-gossip"), "metadata"),
	         "labels", NULL);
	expect_failure(&fixture, ERR_REFUSED, "secret/consul-gossip was not made by deploy");
	json_set(fixture.secrets.secrets, "consul-gossip", NULL);
	expect_failure(&fixture, ERR_REFUSED, "secret/consul-gossip: ");
	stop(&fixture);
}

Test(keyring, leftover_data_with_the_old_key_is_named)
{
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ 0 }, &(struct cluster_options){ .count = 3, .leftover_claims = 2 });
	cluster_secrets_add_key(&fixture.secrets, OLD, 3, 3);
	expect_success(&fixture, NULL);
	cr_expect(strstr(buf_text(&fixture.told), "the data in data-consul-3 and data-consul-4 has the old key"), "%s",
	          buf_text(&fixture.told));
	cr_expect(strstr(buf_text(&fixture.told), "`kubectl consul scale 3 --delete-claims -n consul`"), "%s",
	          buf_text(&fixture.told));
	stop(&fixture);
}

/* ---------------------------------------------------------------------------------------------- pure */

Test(keyring, a_client_that_is_away_hinders_too)
{
	struct snapshot snapshot;
	struct err err = ERR_INIT;

	sample_init(&snapshot, 3);
	cr_expect_eq(keyring_check(&snapshot, &err), 0, "%s", err.message);
	sample_add_member(&snapshot, "web-7", "10.0.9.9", MEMBER_ALIVE, false);
	cr_expect_eq(keyring_check(&snapshot, &err), 0, "%s", err.message);
	cr_expect_eq(keyring_alive(&snapshot), 4);
	sample_see(&snapshot, -1, "web-7", MEMBER_FAILED);
	cr_expect_eq(keyring_check(&snapshot, &err), -1);
	cr_expect(str_starts_with(err.message, "web-7 is failed in the gossip of consul-0"), "%s", err.message);
	err_release(&err);
	sample_see(&snapshot, -1, "web-7", MEMBER_LEFT);
	cr_expect_eq(keyring_check(&snapshot, &err), 0, "%s", err.message);
	snapshot_release(&snapshot);
}

Test(keyring, answers_that_are_none_are_not_quoted)
{
	static const char *const texts[] = { "", "{}", "[]", "[{\"Keys\":3}]", "[{\"Keys\":{\"" OLD "\":3}", "7" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct keyring ring = KEYRING_INIT;
		struct err err = ERR_INIT;

		cr_expect_eq(keyring_decode(texts[i], strlen(texts[i]), &ring, &err), -1, "%s", texts[i]);
		cr_expect_eq(err.kind, ERR_PROTOCOL);
		cr_expect_null(strstr(err.message, OLD));
		err_release(&err);
	}
}
