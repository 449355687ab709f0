/* consul/acl: from every state in which a run can have been killed to the same end; and what Consul may say instead. */
#include <criterion/criterion.h>

#include "../../../src/consul/acl_parts.h"
#include "../../support/cluster_secrets.h"
#include "tell_scene.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#define AGENT    "11111111-1111-4111-8111-111111111111"
#define PROBE    "22222222-2222-4222-8222-222222222222"
#define MANAGER  "33333333-3333-4333-8333-333333333333"
#define USERS    "44444444-4444-4444-8444-444444444444"
#define RECOVERY "55555555-5555-4555-8555-555555555555"
#define CHOSEN   "c405e000-0000-4000-8000-000000000000"

struct fixture {
	struct scene scene;
	struct cluster_secrets secrets;
	struct access access;
	struct buf told;
};

static void start(struct fixture *fixture, const struct cluster_secrets *how)
{
	*fixture = (struct fixture){ .secrets = *how, .told = BUF_TEXT };
	scene_start(&fixture->scene, NULL);
	fixture->secrets.cluster = fixture->scene.cluster;
	cluster_secrets_begin(&fixture->secrets);
	cluster_secrets_put(&fixture->secrets, "consul-acl", "agent.json",
	                    "{\"acl\":{\"tokens\":{\"agent\":\"" AGENT "\",\"agent_master\":\"" RECOVERY "\"}}}");
	cluster_secrets_put(&fixture->secrets, "consul-acl", "probe", "X-Consul-Token: " PROBE "\n");
	cluster_secrets_put(&fixture->secrets, "consul-acl-bootstrap", "token", MANAGER);
	cluster_secrets_put(&fixture->secrets, "consul-acl-bootstrap", "recovery", RECOVERY);
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

static int run(struct fixture *fixture, bool reset)
{
	buf_clear(&fixture->told);
	err_release(&fixture->scene.err);
	return acl_setup(fixture->scene.client, &fixture->scene.snapshot, &fixture->access, reset, take_line, fixture,
	                 clock_monotonic_ms() + TELL_LONG_MS, &fixture->scene.err);
}

/* Everything is there, once, and access has the token that Consul knows and the Secret has. */
static void expect_complete(struct fixture *fixture)
{
	_cleanup_free_ char *kept = cluster_secrets_get(&fixture->secrets, "consul-acl-bootstrap", "token");

	cr_expect(strv_contains(&fixture->secrets.managers, kept), "\"%s\" is no management token", kept);
	cr_expect_str_eq(access_token(&fixture->access), kept);
	cr_expect_eq(fixture->secrets.policies.count, 2);
	cr_expect_eq(fixture->secrets.tokens.count, 2);
	cr_expect(strv_contains(&fixture->secrets.tokens, AGENT));
	cr_expect(strv_contains(&fixture->secrets.tokens, PROBE));
}

static void expect_success(struct fixture *fixture, bool reset)
{
	cr_assert_eq(run(fixture, reset), 0, "%s", fixture->scene.err.message);
	expect_complete(fixture);
}

static void expect_hint(const struct fixture *fixture, const char *words)
{
	const char *hint = fixture->scene.err.hint;

	cr_expect(hint && strstr(hint, words), "\"%s\" is not in \"%s\"", words, hint ? hint : "");
}

static void expect_failure(struct fixture *fixture, enum err_kind kind, const char *words)
{
	cr_assert_eq(run(fixture, false), -1);
	cr_expect_eq(fixture->scene.err.kind, kind, "%d: %s", (int)fixture->scene.err.kind, fixture->scene.err.message);
	cr_expect(strstr(fixture->scene.err.message, words), "\"%s\" is not in \"%s\"", words,
	          fixture->scene.err.message);
}

/* ------------------------------------------------------------------------------------ all of it */

#define TOLD_ALL                                                                                                       \
	"ACLs bootstrapped; the management token is in secret/consul-acl-bootstrap\n"                                  \
	"ACL policy kubectl-consul-probe made\n"                                                                       \
	"ACL policy kubectl-consul-agent made\n"                                                                       \
	"ACL token made, with policy kubectl-consul-probe\n"                                                           \
	"ACL token made, with policy kubectl-consul-agent\n"

Test(acl, a_new_consul_takes_the_token_that_the_secret_has)
{
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ 0 });
	expect_success(&fixture, false);
	cr_expect_str_eq(fixture.access.found, MANAGER);
	cr_expect_str_eq(buf_text(&fixture.told), TOLD_ALL);
	cr_expect_eq(apiserver_count(fixture.scene.api, "PATCH", "*"), 1, "but the dry run");
	stop(&fixture);
}

Test(acl, the_token_that_an_old_consul_chooses_is_written_before_anything_else)
{
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ .chooses = true });
	expect_success(&fixture, false);
	cr_expect_str_eq(fixture.access.found, CHOSEN);
	cr_expect_str_eq(buf_text(&fixture.told), TOLD_ALL);
	stop(&fixture);
}

Test(acl, what_is_there_is_not_done_again)
{
	struct fixture fixture;
	int writes;

	start(&fixture, &(struct cluster_secrets){ .chooses = true });
	expect_success(&fixture, false);
	writes = fixture.secrets.writes;
	expect_success(&fixture, true);
	cr_expect_str_eq(buf_text(&fixture.told), "");
	cr_expect_eq(fixture.secrets.writes, writes);
	stop(&fixture);
}

/* ------------------------------------------------------------------------------------ killed anywhere */

Test(acl, a_run_that_was_killed_at_any_write_is_continued)
{
	/* Before 1.11: bootstrap, Secret, two policies, two tokens; else all but the Secret. */
	for (int i = 1; i <= 6 * 4; i++) {
		struct fixture fixture;
		struct cluster_secrets how = { .chooses = i & 1, .fail_after = i & 2, .fail_at = (i - 1) / 4 + 1 };
		bool fails = how.fail_at <= (how.chooses ? 6 : 5), lost;

		start(&fixture, &how);
		cr_expect_eq(run(&fixture, false), fails ? -1 : 0, "write %d", how.fail_at);
		lost = how.chooses && ((how.fail_at == 1 && how.fail_after) || (how.fail_at == 2 && !how.fail_after));
		if (lost) {
			expect_failure(&fixture, ERR_REFUSED, "Consul does not know the token in secret/consul-acl-b");
			expect_success(&fixture, true);
		}
		expect_success(&fixture, false);
		stop(&fixture);
	}
}

Test(acl, a_lost_token_is_said_to_be_lost_when_it_could_not_be_written)
{
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ .chooses = true, .fail_at = 2 });
	expect_failure(&fixture, ERR_UNAVAILABLE, "secret/consul-acl-bootstrap: ");
	expect_hint(&fixture, "kubectl consul deploy --reset-acls -n consul");
	stop(&fixture);
}

Test(acl, a_reset_is_for_a_lost_token_only_and_done_on_the_leader)
{
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ .bootstrapped = true });
	strv_add(&fixture.secrets.managers, USERS);
	expect_failure(&fixture, ERR_REFUSED, "ACLs are bootstrapped already");
	expect_hint(&fixture, "if it is lost: kubectl consul deploy --reset-acls -n consul resets bootstrapping");
	cr_expect_eq(apiserver_count(fixture.scene.api, NULL, "*/exec"), 0);
	expect_success(&fixture, true);
	cr_expect(str_starts_with(buf_text(&fixture.told),
	                          "bootstrapping of ACLs reset on the leader consul-0: its token was lost\n"));
	stop(&fixture);
}

Test(acl, a_reset_is_for_a_lost_token_though_the_servers_own_are_known)
{
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ 0 });
	expect_success(&fixture, false);
	strv_release(&fixture.secrets.managers);
	cr_assert_eq(run(&fixture, false), 0, "%s", fixture.scene.err.message);
	cr_expect_eq(apiserver_count(fixture.scene.api, NULL, "*/exec"), 0);
	expect_success(&fixture, true);
	cr_expect(strstr(buf_text(&fixture.told), "reset on the leader consul-0"));
	stop(&fixture);
}

/* ----------------------------------------------------------------- the management token was put away */

Test(acl, a_management_token_that_was_put_away_is_not_needed)
{
	struct fixture fixture;
	int writes;

	start(&fixture, &(struct cluster_secrets){ 0 });
	expect_success(&fixture, false);
	json_set(fixture.secrets.secrets, "consul-acl-bootstrap", NULL);
	access_release(&fixture.access);
	writes = fixture.secrets.writes;
	cr_assert_eq(run(&fixture, false), 0, "%s", fixture.scene.err.message);
	cr_expect_str_eq(buf_text(&fixture.told), "");
	cr_expect_eq(fixture.secrets.writes, writes);
	cr_expect_null(fixture.access.found);
	stop(&fixture);
}

Test(acl, nor_one_that_may_not_be_read)
{
	static const struct apiserver_route routes[] = {
		{ .path = "*/secrets/consul-acl-bootstrap",
		  .answer = { .status = 403, .body = STATUS_FAILURE(403, "Forbidden", "no") } },
		{ 0 }
	};
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ 0 });
	scene_script(&fixture.scene, routes, NULL);
	expect_failure(&fixture, ERR_FORBIDDEN,
	               "Consul does not know the servers' own tokens, and making them takes a management token");
	strv_add(&fixture.secrets.tokens, AGENT);
	strv_add(&fixture.secrets.tokens, PROBE);
	cr_assert_eq(run(&fixture, false), 0, "%s", fixture.scene.err.message);
	stop(&fixture);
}

Test(acl, it_is_needed_where_a_servers_token_is_unknown)
{
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ .bootstrapped = true });
	strv_add(&fixture.secrets.tokens, PROBE);
	json_set(fixture.secrets.secrets, "consul-acl-bootstrap", NULL);
	expect_failure(&fixture, ERR_NOT_FOUND, "secret/consul-acl-bootstrap: ");
	expect_hint(&fixture, "if it is lost: kubectl consul deploy --reset-acls -n consul makes a new one");
	cr_expect_eq(fixture.secrets.writes, 0);
	stop(&fixture);
}

/* -------------------------------------------------------------------------------- the user's own token */

Test(acl, the_users_own_token_does_what_is_missing_and_is_not_kept)
{
	struct fixture fixture;
	_cleanup_free_ char *kept = NULL;

	start(&fixture, &(struct cluster_secrets){ .bootstrapped = true });
	strv_add(&fixture.secrets.managers, USERS);
	fixture.access.given = USERS;
	cr_assert_eq(run(&fixture, true), 0, "%s", fixture.scene.err.message);
	kept = cluster_secrets_get(&fixture.secrets, "consul-acl-bootstrap", "token");
	cr_expect_str_eq(kept, MANAGER);
	cr_expect_null(fixture.access.found);
	cr_expect_eq(fixture.secrets.tokens.count, 2);
	stop(&fixture);
}

Test(acl, the_users_own_token_may_be_wrong_or_too_weak)
{
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ .bootstrapped = true });
	fixture.access.given = USERS;
	expect_failure(&fixture, ERR_FORBIDDEN, "Consul on consul-0 does not know the ACL token that was given");
	strv_add(&fixture.secrets.tokens, USERS);
	expect_failure(&fixture, ERR_FORBIDDEN, "Consul on consul-0 refuses to list ACL policies: Permission denied");
	strv_add(&fixture.secrets.tokens, AGENT);
	strv_add(&fixture.secrets.tokens, PROBE);
	cr_assert_eq(run(&fixture, false), 0, "nothing is missing: %s", fixture.scene.err.message);
	cr_expect_eq(fixture.secrets.writes, 0);
	stop(&fixture);
}

/* --------------------------------------------------------------------------------------- what hinders */

static const struct {
	int status;
	const char *words;
	enum err_kind kind;
	const char *message;
} hindrances[] = {
	{ 401, "ACL support disabled", ERR_UNAVAILABLE, "ACLs are not enabled on consul-0" },
	{ 500, "The ACL system is currently in legacy mode.", ERR_UNAVAILABLE, "legacy mode" },
	{ 500, "No cluster leader", ERR_UNAVAILABLE, "No cluster leader" },
	{ 404, "", ERR_FAILED, "from Consul 1.4" },
	{ 500, "disk on fire", ERR_FAILED, "answers 500: disk on fire" },
};

Test(acl, what_consul_says_instead)
{
	for (size_t i = 0; i < ARRAY_SIZE(hindrances); i++) {
		struct fixture fixture;

		start(&fixture, &(struct cluster_secrets){ .acl_refusal = hindrances[i].words,
		                                           .acl_status = hindrances[i].status });
		expect_failure(&fixture, hindrances[i].kind, hindrances[i].message);
		cr_expect_eq(fixture.secrets.writes, 0);
		stop(&fixture);
	}
}

Test(acl, without_a_leader_it_is_tried_again_later)
{
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ 0 });
	cluster_set_leader(fixture.scene.cluster, -1);
	expect_failure(&fixture, ERR_UNAVAILABLE, "the servers have no leader yet");
	stop(&fixture);
}

Test(acl, a_secret_that_cannot_be_written_is_noticed_before_bootstrapping)
{
	static const struct apiserver_route routes[] = {
		{ .method = "PATCH",
		  .path = "*/secrets/*",
		  .answer = { .status = 403, .body = STATUS_FAILURE(403, "Forbidden", "no") } },
		{ 0 }
	};
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ .chooses = true });
	scene_script(&fixture.scene, routes, NULL);
	expect_failure(&fixture, ERR_FORBIDDEN, "secret/consul-acl-bootstrap: no");
	cr_expect_str_eq(fixture.scene.err.hint,
	                 "a Role must allow \"patch\" on \"secrets\"; check: kubectl auth can-i patch "
	                 "secret/consul-acl-bootstrap -n consul");
	cr_expect_not(fixture.secrets.bootstrapped);
	stop(&fixture);
}

Test(acl, secrets_that_are_not_what_they_should_be)
{
	struct fixture fixture;

	start(&fixture, &(struct cluster_secrets){ 0 });
	cluster_secrets_put(&fixture.secrets, "consul-acl", "probe", "Cookie: " PROBE);
	expect_failure(&fixture, ERR_INVALID, "secret/consul-acl: its key \"probe\" has no token");
	cluster_secrets_put(&fixture.secrets, "consul-acl", "agent.json", "{\"acl\":" AGENT);
	expect_failure(&fixture, ERR_INVALID, "secret/consul-acl: its key \"agent.json\" is no JSON");
	cr_expect_null(strstr(fixture.scene.err.message, AGENT));
	json_set(fixture.secrets.secrets, "consul-acl", NULL);
	expect_failure(&fixture, ERR_NOT_FOUND, "secret/consul-acl: ");
	stop(&fixture);
}

/* ------------------------------------------------------------------------------------ the recovery token */

#define WITHOUT "{\"acl\":{\"tokens\":{\"agent\":\"" AGENT "\"}},\"x\":1}"

/* As an earlier deploy left it: everything is set up, and there is no recovery token. */
static void start_earlier(struct fixture *fixture, const struct cluster_secrets *how)
{
	start(fixture, how);
	fixture->secrets.bootstrapped = true;
	strv_add(&fixture->secrets.managers, MANAGER);
	strv_add(&fixture->secrets.tokens, AGENT);
	strv_add(&fixture->secrets.tokens, PROBE);
	cluster_secrets_put(&fixture->secrets, "consul-acl", "agent.json", WITHOUT);
	cluster_secrets_put(&fixture->secrets, "consul-acl-bootstrap", "recovery", NULL);
}

/* Both Secrets have the same one, and access has it; the rest of agent.json is as it was. A new string. */
static char *expect_recovery(struct fixture *fixture)
{
	char *kept = cluster_secrets_get(&fixture->secrets, "consul-acl-bootstrap", "recovery");
	_cleanup_free_ char *agent = cluster_secrets_get(&fixture->secrets, "consul-acl", "agent.json");
	_cleanup_free_ char *expected = NULL;

	cr_assert_not_null(kept);
	expected = xasprintf("{\"acl\":{\"tokens\":{\"agent\":\"" AGENT "\",\"agent_master\":\"%s\"}},\"x\":1}", kept);
	cr_expect_str_eq(agent, expected);
	cr_expect_str_eq(access_recovery(&fixture->access), kept);
	return kept;
}

Test(acl, an_earlier_cluster_gets_a_recovery_token_once)
{
	_cleanup_free_ char *first = NULL, *second = NULL;
	struct fixture fixture;

	start_earlier(&fixture, &(struct cluster_secrets){ 0 });
	cr_assert_eq(run(&fixture, false), 0, "%s", fixture.scene.err.message);
	cr_expect_str_eq(buf_text(&fixture.told), "recovery token made, in secret/consul-acl-bootstrap; each server "
	                                          "has it from its next start on\n");
	first = expect_recovery(&fixture);
	cr_expect_eq(strlen(first), strlen(RECOVERY));
	access_release(&fixture.access);
	cr_assert_eq(run(&fixture, false), 0, "%s", fixture.scene.err.message);
	cr_expect_str_eq(buf_text(&fixture.told), "");
	cr_expect_eq(fixture.secrets.writes, 2);
	second = expect_recovery(&fixture);
	cr_expect_str_eq(first, second);
	stop(&fixture);
}

Test(acl, a_recovery_token_that_is_killed_at_any_write_is_completed)
{
	for (int i = 0; i < 4; i++) {
		struct fixture fixture;

		start_earlier(&fixture, &(struct cluster_secrets){ .fail_at = i / 2 + 1, .fail_after = i & 1 });
		cr_assert_eq(run(&fixture, false), 0, "it hinders nothing: %s", fixture.scene.err.message);
		cr_expect_not_null(strstr(buf_text(&fixture.told), "the servers get no recovery token: secret/consul"));
		cr_assert_eq(run(&fixture, false), 0, "%s", fixture.scene.err.message);
		free(expect_recovery(&fixture));
		stop(&fixture);
	}
}

Test(acl, the_recovery_token_that_servers_start_with_counts)
{
	_cleanup_free_ char *kept = NULL;
	struct fixture fixture;

	start_earlier(&fixture, &(struct cluster_secrets){ 0 });
	cluster_secrets_put(&fixture.secrets, "consul-acl", "agent.json",
	                    "{\"acl\":{\"tokens\":{\"agent\":\"" AGENT "\",\"agent_recovery\":\"" USERS "\"}}}");
	cluster_secrets_put(&fixture.secrets, "consul-acl-bootstrap", "recovery", RECOVERY);
	cr_assert_eq(run(&fixture, false), 0, "%s", fixture.scene.err.message);
	kept = cluster_secrets_get(&fixture.secrets, "consul-acl-bootstrap", "recovery");
	cr_expect_str_eq(kept, USERS);
	cr_expect_eq(fixture.secrets.writes, 1);
	cr_expect_str_eq(buf_text(&fixture.told), "");
	stop(&fixture);
}

Test(acl, without_the_management_tokens_secret_there_is_no_recovery_token)
{
	_cleanup_free_ char *agent = NULL;
	struct fixture fixture;

	start_earlier(&fixture, &(struct cluster_secrets){ 0 });
	json_set(fixture.secrets.secrets, "consul-acl-bootstrap", NULL);
	cr_assert_eq(run(&fixture, false), 0, "%s", fixture.scene.err.message);
	agent = cluster_secrets_get(&fixture.secrets, "consul-acl", "agent.json");
	cr_expect_str_eq(agent, WITHOUT);
	cr_expect_str_eq(buf_text(&fixture.told), "");
	stop(&fixture);
}

/* ---------------------------------------------------------------------------------------------- pure */

Test(acl, consuls_words)
{
	static const struct {
		long status;
		const char *words;
		enum acl_word word;
	} rows[] = {
		{ 200, "{}", ACL_WORD_FINE },
		{ 403, "ACL not found", ACL_WORD_UNKNOWN_TOKEN },
		{ 403, "token does not exist: ACL not found", ACL_WORD_UNKNOWN_TOKEN },
		{ 403, "Permission denied", ACL_WORD_DENIED },
		{ 401, "ACL support disabled", ACL_WORD_OFF },
		{ 500, "Invalid Token: SecretID is already in use", ACL_WORD_TAKEN },
		{ 500, "Invalid Policy: A Policy with Name \"a\" already exists", ACL_WORD_TAKEN },
		{ 503, "", ACL_WORD_NOT_YET },
		{ 404, "404 page not found", ACL_WORD_TOO_OLD },
		{ 500, "", ACL_WORD_OTHER },
	};
	int64_t index = -1;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(acl_read(rows[i].status, rows[i].words, &index), rows[i].word, "%s", rows[i].words);
	cr_expect_eq(index, -1);
	cr_expect_eq(acl_read(403, "Permission denied: ACL bootstrap no longer allowed (reset index: 11)", &index),
	             ACL_WORD_BOOTSTRAPPED);
	cr_expect_eq(index, 11);
	cr_expect_eq(acl_read(500, "Invalid bootstrap reset index (specified 5, reset index: 12)", &index),
	             ACL_WORD_BOOTSTRAPPED);
	cr_expect_eq(index, 12);
}
