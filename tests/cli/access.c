/* ACL tokens and HTTPS, as a user meets them: whose token is shown to Consul, and what is said when there is none. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define TOKEN "b1gs33cr-e7d4-4c1e-9f2b-0123456789ab"

#define WELL                                                                                                           \
	{                                                                                                              \
		.leaves_on_term = true                                                                                 \
	}

static const struct cluster_server servers[] = { WELL, WELL, WELL };

/* A file with text in it, to be removed by the caller; new string. */
static char *make_file(const char *text)
{
	char *path = xstrdup("/tmp/cli-access-XXXXXX");
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return path;
}

/* environment: up to two "NAME=value", NULL: none. */
static void run(struct cluster *cluster, const char *const *words, const char *first, const char *second,
                struct run_result *ret_result)
{
	_cleanup_free_ char *kubeconfig = cluster_kubeconfig(cluster);
	const char *const environment[] = { first, second, NULL };

	run_program(
	    &(struct run_options){ .argv = words, .kubeconfig = kubeconfig, .environment = first ? environment : NULL },
	    ret_result);
	cr_assert_not(ret_result->timed_out);
	cr_assert_null(strstr(ret_result->output, "b1gs33cr"), "%s", ret_result->output);
	cr_assert_null(strstr(ret_result->error_output, "b1gs33cr"), "%s", ret_result->error_output);
}

static struct cluster *start(bool https)
{
	return cluster_start(
	    &(struct cluster_options){ .servers = servers, .count = 3, .acl_token = TOKEN, .https = https });
}

static void expect_verdict(struct cluster *cluster, const char *const *words, const char *first, const char *second,
                           const char *verdict, int exit_code)
{
	struct run_result result;

	run(cluster, words, first, second, &result);
	cli_assert_verdict(&result, verdict, exit_code);
	run_result_release(&result);
}

Test(access, the_users_token_by_each_way, .timeout = 120)
{
	static const char *const ways[] = { "tunnel", "exec" };

	for (int i = 0; i < 4; i++) {
		struct cluster *cluster = start(i >= 2);
		_cleanup_free_ char *path = make_file("  " TOKEN "\r\nnot this\n");
		_cleanup_free_ char *variable = xasprintf("CONSUL_HTTP_TOKEN_FILE=%s", path);
		const char *const *words = RUN_ARGV("health", "--via", ways[i % 2]);
		const char *const *with_file = RUN_ARGV("health", "--via", ways[i % 2], "--token-file", path);

		expect_verdict(cluster, with_file, NULL, NULL, "HEALTHY", 0);
		expect_verdict(cluster, with_file, "CONSUL_HTTP_TOKEN=another", NULL, "HEALTHY", 0);
		expect_verdict(cluster, words, "CONSUL_HTTP_TOKEN=" TOKEN, NULL, "HEALTHY", 0);
		expect_verdict(cluster, words, variable, NULL, "HEALTHY", 0);
		expect_verdict(cluster, words, variable, "CONSUL_HTTP_TOKEN=" TOKEN, "HEALTHY", 0);
		expect_verdict(cluster, words, variable, "CONSUL_HTTP_TOKEN=", "HEALTHY", 0);
		cr_assert_eq(apiserver_count(cluster_api(cluster), NULL, "*/secrets/*"), 0);
		unlink(path);
		cluster_stop(cluster);
	}
}

Test(access, without_a_token_consul_refuses)
{
	struct cluster *cluster = start(false);
	struct run_result result;

	run(cluster, RUN_ARGV("health", "--via", "tunnel"), NULL, NULL, &result);
	cr_assert_neq(result.exit_code, 0);
	cli_assert_says(&result, "Permission denied");
	cli_assert_says(&result, "no token was given; --token-file FILE");
	run_result_release(&result);
	run(cluster, RUN_ARGV("health"), "CONSUL_HTTP_TOKEN=b1gs33cr-wrong", NULL, &result);
	cr_assert_neq(result.exit_code, 0);
	cli_assert_says(&result, "ACL not found");
	cli_assert_says(&result, "Consul does not know the token that was given");
	run_result_release(&result);
	cluster_stop(cluster);
}

Test(access, the_secrets_token_serves_every_command, .timeout = 60)
{
	static const struct cluster_server four[] = { WELL, WELL, WELL, { .no_pod = true, .member = 'f' } };
	struct cluster *cluster = cluster_start(&(struct cluster_options){
	    .servers = four, .count = 4, .replicas = 3, .acl_token = TOKEN, .secret = TOKEN, .https = true });
	struct run_result result;

	expect_verdict(cluster, RUN_ARGV("health", "--fail-on", "critical"), NULL, NULL, "DEGRADED", 0);
	run(cluster, RUN_ARGV("reap", "--dry-run"), NULL, NULL, &result);
	cr_assert_eq(result.exit_code, 0, "%s%s", result.output, result.error_output);
	cli_assert_says(&result, "force-leave consul-3");
	run_result_release(&result);
	cluster_stop(cluster);
}

Test(access, a_secret_that_may_not_be_read_is_no_failure)
{
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .servers = servers,
	                                                                   .count = 3,
	                                                                   .acl_token = TOKEN,
	                                                                   .acl_allows = true,
	                                                                   .secret = TOKEN,
	                                                                   .secret_is_barred = true });

	expect_verdict(cluster, RUN_ARGV("health"), NULL, NULL, "HEALTHY", 0);
	cluster_stop(cluster);
}

Test(access, a_secret_that_may_not_be_read_is_named_where_consul_refuses)
{
	struct cluster *cluster = cluster_start(&(struct cluster_options){
	    .servers = servers, .count = 3, .acl_token = TOKEN, .secret = TOKEN, .secret_is_barred = true });
	struct run_result result;

	run(cluster, RUN_ARGV("health"), NULL, NULL, &result);
	cr_assert_neq(result.exit_code, 0);
	cli_assert_says(&result, "CON204");
	cli_assert_says(&result, "you may not get secret/consul-acl-bootstrap");
	cli_assert_says(&result, "--resource-name=consul-acl-bootstrap");
	run_result_release(&result);
	cluster_stop(cluster);
}

/* The scripted server's certificate is the one that is told. */
Test(access, health_tells_the_certificate_that_a_server_presents)
{
	struct cluster *cluster = start(true);
	struct run_result result;
	const char *report;
	_cleanup_json_ cJSON *json = NULL;

	run(cluster, RUN_ARGV("health", "-o", "json", "--fail-on", "critical"), "CONSUL_HTTP_TOKEN=" TOKEN, NULL,
	    &result);
	report = result.output;
	json = cJSON_Parse(report);
	cr_assert_not_null(json, "%s%s", result.output, result.error_output);
	cr_expect_str_eq(json_string_at(json, "encryption.https"), "fully");
	cr_expect_geq(json_int_at(json, "encryption.certificateDaysLeft", -1), 0);
	cr_expect_eq(
	    strlen(json_string_at(cJSON_GetArrayItem(json_get(json, "servers"), 0), "certificate.fingerprint")), 64);
	run_result_release(&result);
	cluster_stop(cluster);
}

Test(access, what_is_no_token_is_said_and_not_shown)
{
	_cleanup_free_ char *control = make_file("b1gs33cr\033[31m\n"), *empty = make_file("\n" TOKEN "\n");
	_cleanup_free_ char *control_variable = xasprintf("CONSUL_HTTP_TOKEN_FILE=%s", control);
	struct {
		const char *file, *environment, *text;
	} cases[] = {
		{ control, NULL, "error: --token-file: " },
		{ empty, NULL, "error: --token-file: " },
		{ "/nope/token", NULL, "error: --token-file: open /nope/token: no such file or directory\n" },
		{ "/tmp", NULL, "error: --token-file: read /tmp: is a directory\n" },
		{ "-", NULL, "error: --token-file: an ACL token is not read from stdin" },
		{ NULL, "CONSUL_HTTP_TOKEN=b1gs33cr two", "error: CONSUL_HTTP_TOKEN: character 9 of the ACL token" },
		{ NULL, control_variable, "error: CONSUL_HTTP_TOKEN_FILE: " },
	};
	struct cluster *cluster = start(false);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run_result result;

		run(cluster, RUN_ARGV("health", cases[i].file ? "--token-file" : NULL, cases[i].file),
		    cases[i].environment, NULL, &result);
		cli_assert_error(&result, 1, cases[i].text);
		run_result_release(&result);
	}
	cr_assert_eq(apiserver_request_total(cluster_api(cluster)), 0, "nobody is asked with a wrong token, or none");
	unlink(control);
	unlink(empty);
	cluster_stop(cluster);
}
