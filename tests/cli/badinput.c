/*
 * Everything that can be wrong before a server is asked: kubeconfig, connection, certificates, credentials, and an API
 * server that answers nonsense. Each is one line, exit code 1 (124 for a time-out), within the deadline.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "util/mem.h"
#include "util/str.h"

/* Runs with the server's URL and these credentials. */
static void run_as(struct apiserver *server, const struct kubeconfig *credentials, const char *const *words,
                   struct run_result *ret_result)
{
	struct kubeconfig config = *credentials;
	_cleanup_free_ char *text = NULL;

	config.server = apiserver_url(server);
	config.namespace_name = "consul";
	text = kubeconfig_text(&config);
	cli_run(text, words, ret_result);
}

/* --------------------------------------------------------------------------------------- kubeconfig */

struct config_case {
	const char *name;
	const char *kubeconfig;
	const char *words[6];
	const char *error;
};

#define CONTEXT(cluster, user)                                                                                         \
	"apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context: {cluster: " cluster        \
	", user: " user "}\n"
#define CLUSTER "clusters:\n- name: here\n  cluster: {server: 'https://127.0.0.1:1'}\n"
#define USER    "users:\n- name: me\n  user: "

Test(badinput, kubeconfig)
{
	static const struct config_case cases[] = {
		{ "no kubeconfig",
		  NULL,
		  { "health" },
		  "error: invalid configuration: no configuration has been provided" },
		{ "a missing file",
		  NULL,
		  { "health", "--kubeconfig", "/nope" },
		  "error: stat /nope: no such file or directory" },
		{ "a directory", NULL, { "health", "--kubeconfig", "/" }, "error: " },
		{ "an empty file",
		  "",
		  { "health" },
		  "error: invalid configuration: no configuration has been provided" },
		{ "broken YAML", "a: [\n", { "health" }, "error: error loading config file \"" },
		{ "a tab", "apiVersion: v1\n\tkind: Config\n", { "health" }, "error: error loading config file \"" },
		{ "no mapping", "- 1\n- 2\n", { "health" }, "error: " },
		{ "clusters is text", "apiVersion: v1\nkind: Config\nclusters: here\n", { "health" }, "error: " },
		{ "an alias that grows",
		  "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nclusters: *c\n",
		  { "health" },
		  "error: " },
		{ "an unknown context",
		  CONTEXT("here", "me") CLUSTER USER "{}\n",
		  { "health", "--context", "zz" },
		  "Error in configuration: context was not found for specified context: zz" },
		{ "a current context that is not there",
		  "apiVersion: v1\nkind: Config\ncurrent-context: gone\n",
		  { "health" },
		  "Error in configuration: context was not found for specified context: gone" },
		{ "a missing cluster",
		  CONTEXT("gone", "me") USER "{}\n",
		  { "health" },
		  "error: cluster \"gone\" was not found for context \"c\"" },
		{ "a missing user",
		  CONTEXT("here", "gone") CLUSTER,
		  { "health" },
		  "error: user \"gone\" was not found for context \"c\"" },
		{ "a CA that is not base64",
		  CONTEXT("here", "me") "clusters:\n- name: here\n  cluster: {server: 'https://127.0.0.1:1', "
		                        "certificate-authority-data: '!!'}\n" USER "{}\n",
		  { "health" },
		  "" },
		{ "a certificate without a key",
		  CONTEXT("here", "me") CLUSTER USER "{client-certificate-data: YQ==}\n",
		  { "health" },
		  "" },
		{ "a CA together with insecure",
		  CONTEXT("here", "me") CLUSTER USER "{}\n",
		  { "health", "--insecure-skip-tls-verify", "--certificate-authority", "/etc/hostname" },
		  "error: specifying a root certificates file with the insecure flag is not allowed" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run_result result;

		cli_run(cases[i].kubeconfig, cases[i].words, &result);
		cr_assert(str_starts_with(result.error_output, cases[i].error), "%s: %s", cases[i].name,
		          result.error_output);
		cli_assert_error(&result, 1, cases[i].error);
		run_result_release(&result);
	}
}

/* ------------------------------------------------------------------------- connections and certificates */

Test(badinput, a_refused_connection)
{
	struct apiserver *server = apiserver_start(&(struct apiserver_options){ 0 });
	_cleanup_free_ char *url = xstrdup(apiserver_url(server));
	_cleanup_free_ char *text = kubeconfig_text(&(struct kubeconfig){ .server = url });
	_cleanup_free_ char *wanted =
	    xasprintf("The connection to the server 127.0.0.1:%u was refused - did you specify "
	              "the right host or port?",
	              apiserver_port(server));
	struct run_result result;

	apiserver_stop(server);
	cli_run(text, RUN_ARGV("health"), &result);
	cli_assert_error(&result, 1, wanted);
	run_result_release(&result);
}

struct tls_case {
	const char *name;
	enum pki_server certificate;
	enum client_certificate policy;
	enum pki_client client; /* PKI_CLIENT_COUNT: none */
	bool other_ca, no_ca;
	const char *error;
	const char *says;
};

static void run_tls_case(const struct tls_case *c)
{
	struct apiserver_options options = { .tls = true,
		                             .certificate = c->certificate,
		                             .client_certificate = c->policy };
	struct apiserver *server = apiserver_start(&options);
	const struct pki *pki = apiserver_pki(server);
	struct kubeconfig config = { .ca = c->no_ca ? NULL : c->other_ca ? pki_other_ca(pki) : pki_ca(pki) };
	struct run_result result;

	if (c->client != PKI_CLIENT_COUNT) {
		config.certificate = pki_client(pki, c->client)->certificate;
		config.key = pki_client(pki, c->client)->key;
	}
	run_as(server, &config, RUN_ARGV("health", "--timeout", "10s"), &result);
	cr_assert(str_starts_with(result.error_output, c->error), "%s: %s", c->name, result.error_output);
	cli_assert_error(&result, 1, c->error);
	cr_assert(cli_says(&result, c->says), "%s: %s", c->name, result.error_output);
	run_result_release(&result);
	apiserver_stop(server);
}

Test(badinput, certificates)
{
	static const char unable[] = "Unable to connect to the server: ";
	static const char login[] = "error: You must be logged in to the server (Unauthorized)";
	static const struct tls_case cases[] = {
		{ .name = "wrong CA", .client = PKI_CLIENT_COUNT, .other_ca = true, .error = unable, .says = "hint: " },
		{ .name = "system's CAs",
		  .client = PKI_CLIENT_COUNT,
		  .no_ca = true,
		  .error = unable,
		  .says = "hint: " },
		{ .name = "server's has expired",
		  .certificate = PKI_SERVER_EXPIRED,
		  .client = PKI_CLIENT_COUNT,
		  .error = unable,
		  .says = "expired" },
		{ .name = "server's is for another name",
		  .certificate = PKI_SERVER_OTHER_NAME,
		  .client = PKI_CLIENT_COUNT,
		  .error = unable,
		  .says = "127.0.0.1" },
		{ .name = "client's has expired, 401",
		  .policy = CLIENT_CERT_KUBERNETES,
		  .client = PKI_CLIENT_EXPIRED,
		  .error = login,
		  .says = "expired" },
		{ .name = "client's is of another CA, 401",
		  .policy = CLIENT_CERT_KUBERNETES,
		  .client = PKI_CLIENT_OTHER_CA,
		  .error = login,
		  .says = "" },
		{ .name = "client's is missing, 401",
		  .policy = CLIENT_CERT_KUBERNETES,
		  .client = PKI_CLIENT_COUNT,
		  .error = login,
		  .says = "" },
		{ .name = "client's has expired, alert",
		  .policy = CLIENT_CERT_REQUIRED,
		  .client = PKI_CLIENT_EXPIRED,
		  .error = unable,
		  .says = "expired" },
		{ .name = "client's is missing, alert",
		  .policy = CLIENT_CERT_REQUIRED,
		  .client = PKI_CLIENT_COUNT,
		  .error = unable,
		  .says = "certificate" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_tls_case(&cases[i]);
}

Test(badinput, a_good_certificate_is_all_it_takes)
{
	static const enum client_certificate policies[] = { CLIENT_CERT_KUBERNETES, CLIENT_CERT_REQUIRED };

	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		struct cluster_options options = { .count = 3,
			                           .api = { .tls = true, .client_certificate = policies[i] } };
		struct run_result result;

		cli_run_with(&options, RUN_ARGV("health"), &result);
		cli_assert_verdict(&result, "HEALTHY", 0);
		run_result_release(&result);
	}
}

Test(badinput, a_wrong_token_over_https)
{
	struct apiserver *server = apiserver_start(&(struct apiserver_options){ .tls = true, .token = "right" });
	struct kubeconfig config = { .ca = pki_ca(apiserver_pki(server)), .token = "wrong-secret" };
	struct run_result result;

	run_as(server, &config, RUN_ARGV("health"), &result);
	cli_assert_error(&result, 1, "error: You must be logged in to the server (Unauthorized)");
	cr_assert_not(cli_says(&result, "wrong-secret"));
	run_result_release(&result);
	apiserver_stop(server);
}

Test(badinput, credentials_do_not_travel_over_plain_http)
{
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .count = 1 });
	struct kubeconfig config = { .token = "secret-token" };
	struct run_result result;

	run_as(cluster_api(cluster), &config, RUN_ARGV("health"), &result);
	for (size_t i = 0; i < apiserver_request_total(cluster_api(cluster)); i++) {
		_cleanup_free_ char *sent =
		    apiserver_request_header(apiserver_request_at(cluster_api(cluster), i), "Authorization");

		cr_assert_null(sent);
	}
	cr_assert_not(cli_says(&result, "secret-token"));
	run_result_release(&result);
	cluster_stop(cluster);
}

/* ------------------------------------------------------------------------------- answers of the API server */

#define SETS "/apis/apps/v1/namespaces/*"
#define HTML "<html><head><title>502 Bad Gateway</title></head><body>\x1b[31mnginx</body></html>"

struct answer_case {
	const char *name;
	struct http_answer answer;
	const char *error; /* how the line begins */
	const char *says;
	int exit_code; /* 0: 1 */
};

static const struct answer_case answers[] = {
	{ .name = "403",
	  .answer = { .status = 403,
	              .body = STATUS_FAILURE(403, "Forbidden",
	                                     "pods is forbidden: User \\\"me\\\" "
	                                     "cannot list resource \\\"pods\\\"") },
	  .error = "Error from server (Forbidden): pods is forbidden: User \"me\" cannot list resource \"pods\"" },
	{ .name = "404",
	  .answer = { .status = 404, .body = STATUS_FAILURE(404, "NotFound", "namespaces \\\"consul\\\" not found") },
	  .error = "Error from server (NotFound): ",
	  .says = "not found" },
	{ .name = "500 without reason",
	  .answer = { .status = 500,
	              .body = "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"etcd is "
	                      "gone\",\"code\":500}" },
	  .error = "Error from server: etcd is gone" },
	{ .name = "escapes in a Status",
	  .answer = { .status = 403, .body = STATUS_FAILURE(403, "Forbidden", "\\u001b[2J\\u0007\\nno") },
	  .error = "Error from server (Forbidden): ",
	  .says = "^[" },
	{ .name = "404 in plain text",
	  .answer = { .status = 404, .content_type = "text/plain", .body = "404 page not found\n" },
	  .error = "Error from server (NotFound): the server could not find the requested resource" },
	{ .name = "503 in plain text",
	  .answer = { .status = 503, .content_type = "text/plain", .body = "no" },
	  .error = "Error from server (ServiceUnavailable): the server is currently unable to handle the request" },
	{ .name = "HTML of a proxy, 502",
	  .answer = { .status = 502, .content_type = "text/html", .body = HTML },
	  .error = "Error from server (",
	  .says = "has prevented the request from succeeding" },
	{ .name = "HTML of a proxy, 200", .answer = { .content_type = "text/html", .body = HTML }, .error = "" },
	{ .name = "a Status that is no JSON",
	  .answer = { .status = 500, .body = "{\"kind\":\"Status\"," },
	  .error = "Error from server (InternalError): ",
	  .says = "an error on the server (" },
	{ .name = "200 and half a JSON",
	  .answer = { .body = "{\"kind\":\"StatefulSet\",\"metadata\":{" },
	  .error = "" },
	{ .name = "200 and a number", .answer = { .body = "7" }, .error = "" },
	{ .name = "200 and null", .answer = { .body = "null" }, .error = "" },
	{ .name = "200 and nothing", .answer = { .body = "" }, .error = "" },
	{ .name = "another object", .answer = { .body = "{\"kind\":\"Secret\",\"apiVersion\":\"v1\"}" }, .error = "" },
	{ .name = "a redirect",
	  .answer = { .status = 302, .headers = "Location: http://127.0.0.1:1/\r\n" },
	  .error = "" },
	{ .name = "closed at once", .answer = { .fault = FAULT_CLOSE }, .error = "" },
	{ .name = "reset", .answer = { .fault = FAULT_RESET }, .error = "" },
	{ .name = "cut off in the body",
	  .answer = { .body = "{\"kind\":\"StatefulSet\"}", .fault = FAULT_CLOSE, .fault_bytes = 90 },
	  .error = "" },
	{ .name = "no HTTP", .answer = { .fault = FAULT_GARBAGE }, .error = "" },
	{ .name = "a header line of 10 MB",
	  .answer = { .fault = FAULT_HUGE_LINE, .fault_bytes = 10 * 1024 * 1024 },
	  .error = "" },
	{ .name = "silence", .answer = { .fault = FAULT_SILENCE }, .error = "", .exit_code = 124 },
	{ .name = "half an answer, then silence",
	  .answer = { .body = "{\"kind\":\"StatefulSet\"}", .fault = FAULT_SILENCE, .fault_bytes = 90 },
	  .error = "",
	  .exit_code = 124 },
	{ .name = "429 for ever",
	  .answer = { .status = 429,
	              .content_type = "text/plain",
	              .headers = "Retry-After: 1\r\n",
	              .body = "slow down" },
	  .error = "" },
};

Test(badinput, answers_of_the_api_server)
{
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		const struct answer_case *c = &answers[i];
		const struct apiserver_route routes[] = { { .path = SETS, .answer = c->answer }, { 0 } };
		struct cluster_options options = { .count = 3, .api = { .routes = routes } };
		int exit_code = c->exit_code ? c->exit_code : 1;
		struct run_result result;

		cli_run_with(&options, RUN_ARGV("health", "--timeout", "2s"), &result);
		cr_assert(result.exit_code == exit_code || result.exit_code == 124, "%s: exit code %d: %s", c->name,
		          result.exit_code, result.error_output);
		cr_assert(str_starts_with(result.error_output, c->error), "%s: %s", c->name, result.error_output);
		cli_assert_error(&result, result.exit_code, c->error);
		cr_assert(!c->says || cli_says(&result, c->says), "%s: %s", c->name, result.error_output);
		cr_assert_lt(result.wall_ms, 8000, "%s took %ld ms", c->name, (long)result.wall_ms);
		cr_assert_lt(result.error_length, 2000, "%s: %zu bytes", c->name, result.error_length);
		run_result_release(&result);
	}
}

Test(badinput, what_is_only_for_a_moment_is_tried_again)
{
	static const struct apiserver_route routes[] = {
		{ .path = SETS,
		  .times = 1,
		  .answer = { .status = 429,
		              .content_type = "text/plain",
		              .headers = "Retry-After: 0\r\n",
		              .body = "later" } },
		{ .path = "/api/v1/namespaces/consul/pods", .times = 1, .answer = { .fault = FAULT_RESET } },
		{ 0 },
	};
	struct cluster_options options = { .count = 3, .api = { .routes = routes } };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health"), &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	run_result_release(&result);
}

/* ------------------------------------------------------------------------------------ nothing to be found */

Test(badinput, a_namespace_without_a_cluster)
{
	struct cluster_options options = { .count = 3 };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health", "-n", "elsewhere"), &result);
	cr_assert_eq(result.exit_code, 1);
	cli_assert_error(&result, 1, "");
	cli_assert_says(&result, "elsewhere");
	run_result_release(&result);
}

Test(badinput, a_name_that_is_not_there)
{
	struct cluster_options options = { .count = 3 };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health", "--name", "nope"), &result);
	cli_assert_error(&result, 1, "");
	cli_assert_says(&result, "nope");
	run_result_release(&result);
}

Test(badinput, several_sets_that_could_be_meant)
{
	struct cluster_options options = { .count = 3, .set = "store", .other_sets = 1 };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health"), &result);
	cli_assert_error(&result, 1, "");
	cli_assert_says(&result, "store");
	cli_assert_says(&result, "store-b");
	cli_assert_says(&result, "--name");
	run_result_release(&result);
}

Test(badinput, a_set_that_is_no_consul)
{
	struct cluster_options options = { .count = 3, .set = "store", .not_consul = true };
	struct run_result result;

	cli_run_with(&options, RUN_ARGV("health"), &result);
	cli_assert_error(&result, 1, "");
	run_result_release(&result);
}
