/* consul/access: which token is sent, where it comes from, and what may be one. */
#include "consul/access.h"

#include <string.h>

#include <criterion/criterion.h>

#include "../../support/cluster.h"
#include "consul/observe.h"
#include "util/clock.h"
#include "util/mem.h"

#define LONG_MS 20000
#define TOKEN   "b1gs33cr-e7d4-4c1e-9f2b-0123456789ab"
#define SECRETS "/api/v1/namespaces/consul/secrets/*"

/* ------------------------------------------------------------------------------------------ pure */

Test(access, the_users_token_counts_more_than_the_secrets)
{
	struct access access = ACCESS_INIT;

	cr_assert_null(access_token(NULL));
	cr_assert_eq(access_via(NULL), ASK_NONE);
	cr_assert_null(access_token(&access));
	err_set(&access.err, ERR_FORBIDDEN, "not yet");
	access_take(&access, xstrdup("found"));
	cr_assert_str_eq(access_token(&access), "found");
	cr_assert(access.looked);
	cr_assert_not(err_is_set(&access.err));
	access_take(&access, xstrdup("another"));
	cr_assert_str_eq(access_token(&access), "another");
	access.given = "given";
	cr_assert_str_eq(access_token(&access), "given");
	access_release(&access);
	cr_assert_null(access_token(&access));
}

Test(access, a_token_is_the_first_line_without_white_space)
{
	static const struct {
		const char *text, *token; /* token NULL: none that may be sent */
	} cases[] = {
		{ TOKEN, TOKEN },
		{ TOKEN "\n", TOKEN },
		{ " \t" TOKEN " \r\nmore\n", TOKEN },
		{ "!~", "!~" },
		{ "", NULL },
		{ "\n" TOKEN, NULL },
		{ "two words", NULL },
		{ "a\rb", NULL },
		{ "a\x7f", NULL },
		{ "\033[31m", NULL },
		{ "\xc3\xa9t\xc3\xa9", NULL },
		{ "\xef\xbb\xbf" TOKEN, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_err_ struct err err = ERR_INIT;
		char *token = NULL;
		int status = access_parse_token(cases[i].text, strlen(cases[i].text), &token, &err);

		cr_expect_eq(status, cases[i].token ? 0 : -1, "%zu: %s", i, err.message);
		cr_expect(!cases[i].token || (token && strcmp(token, cases[i].token) == 0), "%zu: %s", i, token);
		cr_expect(cases[i].token || err.kind == ERR_INVALID, "%zu", i);
		free_secret(token);
	}
}

Test(access, an_error_about_a_token_does_not_quote_it)
{
	static const char zero[] = "hunter2\0hunter2";
	_cleanup_err_ struct err err = ERR_INIT;
	char *token = NULL;

	cr_assert_eq(access_check_token("hunter2 \n", &err), -1);
	cr_assert_null(strstr(err.message, "hunter2"), "%s", err.message);
	cr_assert_not_null(strstr(err.message, "character 8 "), "%s", err.message);
	err_release(&err);
	cr_assert_eq(access_parse_token(zero, sizeof(zero) - 1, &token, &err), -1);
	cr_assert_null(strstr(err.message, "hunter2"), "%s", err.message);
	cr_assert_null(token);
}

Test(access, a_token_has_up_to_512_characters)
{
	_cleanup_err_ struct err err = ERR_INIT;
	char text[514];

	memset(text, 'x', 513);
	text[513] = '\0';
	cr_assert_eq(access_check_token(text, &err), -1);
	cr_assert_eq(err.kind, ERR_INVALID);
	text[512] = '\0';
	err_release(&err);
	cr_assert_eq(access_check_token(text, &err), 0);
}

/* ---------------------------------------------------------------------------------------- the Secret */

static struct {
	struct cluster *cluster;
	struct apiserver *api;
	struct loop *loop;
	struct kube_config config;
	struct kube_client_options client_options;
	struct kube_client *client;
	struct access access;
	struct snapshot snapshot;
	struct err err;
} world;

static void start(const struct cluster_options *options)
{
	world.cluster = cluster_start(options);
	world.api = cluster_api(world.cluster);
	world.loop = loop_new();
	world.config.server = xstrdup(apiserver_url(world.api));
	cr_assert_eq(kube_client_new(world.loop, &world.config, &world.client_options, &world.client, &world.err), 0);
}

/* What was seen the last time is forgotten. */
static void look(void)
{
	struct observe_options options = { .namespace_name = "consul",
		                           .access = &world.access,
		                           .deadline_ms = clock_monotonic_ms() + LONG_MS };

	snapshot_release(&world.snapshot);
	world.snapshot = (struct snapshot)SNAPSHOT_INIT;
	cr_assert_eq(observe(world.client, &options, &world.snapshot, &world.err), 0, "%s", world.err.message);
}

static void stop(void)
{
	snapshot_release(&world.snapshot);
	access_release(&world.access);
	kube_client_free(world.client);
	loop_free(world.loop);
	cluster_stop(world.cluster);
	kube_config_release(&world.config);
	err_release(&world.err);
}

TestSuite(access_look, .fini = stop, .timeout = 60);

static void expect_answers(bool expected)
{
	for (size_t i = 0; i < world.snapshot.server_count; i++)
		cr_assert_eq(world.snapshot.servers[i].view.self_known, expected, "%zu: %s", i,
		             world.snapshot.servers[i].view.self_err.message);
}

Test(access_look, a_cluster_without_acls_pays_nothing)
{
	start(&(struct cluster_options){ .count = 3 });
	look();
	expect_answers(true);
	cr_assert_eq(apiserver_count(world.api, NULL, SECRETS), 0);
	cr_assert_not(world.access.looked);
}

Test(access_look, the_secrets_token_is_looked_for_once)
{
	start(&(struct cluster_options){ .count = 3, .acl_token = TOKEN, .secret = TOKEN "\n" });
	look();
	expect_answers(true);
	look();
	expect_answers(true);
	cr_assert_str_eq(access_token(&world.access), TOKEN);
	cr_assert(world.access.looked);
	cr_assert_eq(apiserver_count(world.api, NULL, SECRETS), 1);
}

Test(access_look, the_recovery_token_comes_with_it)
{
	start(&(struct cluster_options){
	    .count = 1, .acl_token = TOKEN, .secret = TOKEN, .recovery = "11111111-2222-4333-8444-555555555555\n" });
	cr_assert_null(access_recovery(&world.access));
	look();
	cr_assert_str_eq(access_token(&world.access), TOKEN);
	cr_assert_str_eq(access_recovery(&world.access), "11111111-2222-4333-8444-555555555555");
	cr_assert_eq(apiserver_count(world.api, NULL, SECRETS), 1);
	world.access.given = "another";
	cr_assert_null(access_recovery(&world.access));
	cr_assert_null(access_recovery(NULL));
}

Test(access_look, a_recovery_token_that_is_none_is_left_out)
{
	start(&(struct cluster_options){ .count = 1, .acl_token = TOKEN, .secret = TOKEN, .recovery = "two words" });
	look();
	expect_answers(true);
	cr_assert_null(access_recovery(&world.access));
	cr_assert_not(err_is_set(&world.access.err));
}

Test(access_look, who_has_a_token_needs_no_secret)
{
	start(
	    &(struct cluster_options){ .count = 3, .acl_token = TOKEN, .secret = "another", .secret_is_barred = true });
	world.access.given = TOKEN;
	look();
	expect_answers(true);
	cr_assert_eq(apiserver_count(world.api, NULL, SECRETS), 0);
}

Test(access_look, without_access_nothing_is_looked_for)
{
	struct observe_options options = { .namespace_name = "consul", .deadline_ms = clock_monotonic_ms() + LONG_MS };

	start(&(struct cluster_options){ .count = 1, .acl_token = TOKEN, .secret = TOKEN });
	world.snapshot = (struct snapshot)SNAPSHOT_INIT;
	cr_assert_eq(observe(world.client, &options, &world.snapshot, &world.err), 0);
	expect_answers(false);
	cr_assert_eq(apiserver_count(world.api, NULL, SECRETS), 0);
}

Test(access_look, a_secret_that_is_barred_or_not_there_is_no_failure)
{
	static const struct {
		bool barred, missing;
		enum err_kind kind;
	} cases[] = { { true, false, ERR_FORBIDDEN }, { false, true, ERR_NOT_FOUND } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start(&(struct cluster_options){ .count = 1,
		                                 .acl_token = TOKEN,
		                                 .secret = TOKEN,
		                                 .secret_is_barred = cases[i].barred,
		                                 .secret_is_missing = cases[i].missing });
		look();
		look();
		expect_answers(false);
		cr_assert(world.access.looked);
		cr_assert_eq(world.access.err.kind, cases[i].kind, "%s", world.access.err.message);
		cr_assert_not_null(strstr(world.access.err.message, "consul-acl-bootstrap"));
		cr_assert_not_null(strstr(world.access.err.hint, "--token-file"));
		cr_assert_eq(apiserver_count(world.api, NULL, SECRETS), 1);
		stop();
		memset(&world, 0, sizeof(world));
	}
}

Test(access_look, a_secret_without_a_token_is_looked_at_again)
{
	start(&(struct cluster_options){ .count = 1, .secret = "" });
	look();
	expect_answers(true);
	cr_assert_not(world.access.looked);
	cr_assert_eq(world.access.err.kind, ERR_NOT_FOUND);
	look();
	cr_assert_eq(apiserver_count(world.api, NULL, SECRETS), 2);
}

Test(access_look, a_secret_that_holds_no_token_is_not_sent)
{
	start(&(struct cluster_options){ .count = 1, .secret = "two words" });
	look();
	cr_assert_null(access_token(&world.access));
	cr_assert_eq(world.access.err.kind, ERR_INVALID);
	cr_assert_null(strstr(world.access.err.message, "words"), "%s", world.access.err.message);
	cr_assert_not_null(strstr(world.access.err.message, "secret/consul-acl-bootstrap: "));
}
