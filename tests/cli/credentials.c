/*
 * As whom: credential plugins, name and password, impersonation, and what is refused. The API server lets nobody in
 * who does not show the token "good" (or the certificate), so HEALTHY says that whoever was asked had it.
 */
#include "plugin.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define TOKEN_LINE PLUGIN_TOKEN_LINE

TestSuite(credentials, .timeout = 120);

/* ------------------------------------------------------------------------------------- plugins that work */

Test(credentials, a_plugin_is_asked_once_for_many_requests)
{
	static const struct plugin plugins[] = {
		{ 0 },
		{ .version = "v1beta1", .mode = "" },
		{ .mode = "IfAvailable" },
		{ .status = "{\"token\":\"good\",\"expirationTimestamp\":\"2999-01-01T00:00:00Z\"}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(plugins); i++) {
		struct cluster *cluster = plugin_cluster(NULL);
		struct run_result result;

		plugin_run(cluster, &plugins[i], &result);
		cli_assert_verdict(&result, "HEALTHY", 0);
		cr_assert_eq(plugin_count(result.error_output, "ran"), 1, "%s", result.error_output);
		cr_assert_gt(apiserver_request_total(cluster_api(cluster)), 3);
		cr_assert_eq(plugin_count_status(cluster, 401), 0);
		run_result_release(&result);
		cluster_stop(cluster);
	}
}

/* What the plugin gives is good for two seconds at most, and the server wants to be asked again after three. */
Test(credentials, what_has_expired_is_not_used_again)
{
	static const char script[] =
	    "echo ran >&2; echo \"$ANSWER\" | sed s/TIME/$(date -u +%Y-%m-%dT%H:%M:%SZ -d '+2 sec')/";
	const struct plugin plugin = { .script = script,
		                       .status = "{\"token\":\"good\",\"expirationTimestamp\":\"TIME\"}" };
	static const struct apiserver_route routes[] = {
		{ .path = "*/statefulsets*", .times = 1, .answer = { .status = 429, .headers = "Retry-After: 3\r\n" } },
		{ 0 },
	};
	struct cluster *cluster = plugin_cluster(routes);
	struct run_result result;

	plugin_run(cluster, &plugin, &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	cr_assert_eq(plugin_count(result.error_output, "ran"), 2, "%s", result.error_output);
	cr_assert_eq(plugin_count_status(cluster, 401), 0);
	run_result_release(&result);
	cluster_stop(cluster);
}

Test(credentials, the_plugin_is_told_what_it_wants_to_know)
{
	static const char script[] = "echo \"$KUBERNETES_EXEC_INFO\" >&2; echo \"$ANSWER\"";
	struct plugin plugin = { .script = script };
	struct cluster *cluster = plugin_cluster(NULL);
	struct run_result result;

	plugin_run(cluster, &plugin, &result);
	cr_assert(str_starts_with(result.error_output, "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" PLUGIN_GROUP
	                                               "v1\",\"spec\":{\"interactive\":false}}\n"),
	          "%s", result.error_output);
	run_result_release(&result);
	plugin.wants_cluster = true;
	plugin_run(cluster, &plugin, &result);
	cli_assert_says(&result, "\"spec\":{\"cluster\":{\"server\":\"https://127.0.0.1:");
	cli_assert_says(&result, "\"certificate-authority-data\":\"LS0t");
	cli_assert_says(&result, "\"config\":null},\"interactive\":false}}");
	run_result_release(&result);
	cluster_stop(cluster);
}

/* Its first token is one that has been revoked. */
#define OLD_THEN_ANSWER                                                                                                \
	"echo ran >&2; if [ -e \"$HOME/old\" ]; then echo \"$ANSWER\"; else : >\"$HOME/old\"; "                        \
	"echo \"$ANSWER\" | sed s/good/old/; fi"

Test(credentials, after_401_the_plugin_runs_again_and_the_request_is_sent_once_more)
{
	const struct plugin plugin = { .script = OLD_THEN_ANSWER };
	struct cluster *cluster = plugin_cluster(NULL);
	struct run_result result;

	plugin_run(cluster, &plugin, &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	cr_assert_eq(plugin_count(result.error_output, "ran"), 2, "%s", result.error_output);
	cr_assert_gt(plugin_count_status(cluster, 401), 0);
	run_result_release(&result);
	cluster_stop(cluster);
}

Test(credentials, the_same_for_the_handshake_of_a_websocket)
{
	static const struct apiserver_route routes[] = {
		{ .path = "*/pods/*/portforward",
		  .times = 3,
		  .answer = { .status = 401, .body = STATUS_FAILURE(401, "Unauthorized", "Unauthorized") } },
		{ 0 },
	};
	struct cluster *cluster = plugin_cluster(routes);
	struct run_result result;

	plugin_run(cluster, &(struct plugin){ 0 }, &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	cr_assert_eq(plugin_count_status(cluster, 401), 3);
	cr_assert_eq(plugin_count(result.error_output, "ran"), 2, "%s", result.error_output);
	run_result_release(&result);
	cluster_stop(cluster);
}

Test(credentials, a_request_is_not_sent_a_third_time)
{
	const struct plugin plugin = { .status = "{\"token\":\"bad\"}" };
	struct cluster *cluster = plugin_cluster(NULL);
	struct run_result result;

	plugin_run(cluster, &plugin, &result);
	cr_assert_eq(result.exit_code, 1);
	cli_assert_says(&result, "error: You must be logged in to the server (Unauthorized)");
	cr_assert_eq(plugin_count(result.error_output, "ran"), 2, "%s", result.error_output);
	cr_assert_leq(apiserver_count(cluster_api(cluster), "GET", "*/statefulsets*"), 2);
	run_result_release(&result);
	cluster_stop(cluster);
}

/* --------------------------------------------------------------------------- certificates from a plugin */

static char *certificate_status(const struct pki_pair *pair)
{
	_cleanup_json_ cJSON *json = json_object("clientCertificateData", json_string(pair->certificate),
	                                         "clientKeyData", json_string(pair->key), NULL);

	return json_text(json);
}

static struct cluster *start_with_certificates(void)
{
	return cluster_start(&(struct cluster_options){
	    .count = 3, .api = { .tls = true, .token = "good", .client_certificate = CLIENT_CERT_KUBERNETES } });
}

Test(credentials, a_plugin_may_give_a_certificate)
{
	struct cluster *cluster = start_with_certificates();
	const struct pki *pki = apiserver_pki(cluster_api(cluster));
	_cleanup_free_ char *status = certificate_status(pki_client(pki, PKI_CLIENT_GOOD));
	struct run_result result;

	plugin_run(cluster, &(struct plugin){ .status = status }, &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	cr_assert_eq(plugin_count(result.error_output, "ran"), 1, "%s", result.error_output);
	cr_assert_eq(plugin_count_status(cluster, 401), 0);
	run_result_release(&result);
	cluster_stop(cluster);
}

Test(credentials, a_new_certificate_goes_over_new_connections)
{
	static const char script[] =
	    "echo ran >&2; if [ -e \"$HOME/old\" ]; then echo \"$ANSWER\"; else : >\"$HOME/old\"; "
	    "echo '{\"apiVersion\":\"" PLUGIN_GROUP
	    "v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"bad\"}}'; fi";
	struct cluster *cluster = start_with_certificates();
	const struct pki *pki = apiserver_pki(cluster_api(cluster));
	_cleanup_free_ char *status = certificate_status(pki_client(pki, PKI_CLIENT_GOOD));
	struct run_result result;

	plugin_run(cluster, &(struct plugin){ .status = status, .script = script }, &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	cr_assert_eq(plugin_count(result.error_output, "ran"), 2, "%s", result.error_output);
	cr_assert_gt(plugin_count_status(cluster, 401), 0);
	run_result_release(&result);
	cluster_stop(cluster);
}

/* ----------------------------------------------------------------------------------- plugins that fail */

static const struct {
	struct plugin plugin;
	const char *error;
	const char *says; /* NULL: nothing more */
} failures[] = {
	{ { .command = "no-such-plugin", .hint = "get it\nthere" },
	  PLUGIN_PREFIX "exec: executable no-such-plugin not found\n",
	  "hint: get it there" },
	{ { .command = "no-such-plugin" },
	  PLUGIN_PREFIX "exec: executable no-such-plugin not found\n",
	  "client-go-credential-plugins" },
	{ { .command = "/no/such/plugin" },
	  PLUGIN_PREFIX "exec: fork/exec /no/such/plugin: no such file or directory\n",
	  NULL },
	{ { .script = "exit 1" }, PLUGIN_PREFIX "exec: executable sh failed with exit code 1\n", NULL },
	{ { .script = "kill -9 $$" }, PLUGIN_PREFIX "exec: executable sh was ended by signal 9\n", NULL },
	{ { .script = "exec yes secret" }, PLUGIN_PREFIX "exec: executable sh wrote more than 1048576 bytes\n", NULL },
	{ { .script = ":" }, PLUGIN_PREFIX "decoding stdout: couldn't get version/kind; json parse error", NULL },
	{ { .script = "echo secret" },
	  PLUGIN_PREFIX "decoding stdout: couldn't get version/kind; json parse error",
	  NULL },
	{ { .script = "echo '\"secret\"'" }, PLUGIN_PREFIX "decoding stdout: couldn't get version/kind", NULL },
	{ { .version = "v1",
	    .answer = "{\"apiVersion\":\"" PLUGIN_GROUP "v1beta1\",\"kind\":\"ExecCredential\",\"status\":{}}",
	    .script = "echo \"$ANSWER\"" },
	  PLUGIN_PREFIX "exec plugin is configured to use API version " PLUGIN_GROUP
	                "v1, plugin returned version " PLUGIN_GROUP "v1beta1\n",
	  NULL },
	{ { .script = "echo \"$ANSWER\"", .status = "{\"token\":\"\"}" },
	  PLUGIN_PREFIX "exec plugin didn't return a token or cert/key pair\n",
	  NULL },
	{ { .script = "echo \"$ANSWER\"", .status = "{\"clientKeyData\":\"secret\"}" },
	  PLUGIN_PREFIX "exec plugin returned only certificate or key, not both\n",
	  NULL },
	{ { .script = "echo \"$ANSWER\"", .status = "{\"clientCertificateData\":\"x\",\"clientKeyData\":\"secret\"}" },
	  PLUGIN_PREFIX
	  "failed parsing client key/certificate: tls: failed to find any PEM data in certificate input\n",
	  NULL },
	{ { .mode = "Always" },
	  PLUGIN_PREFIX "exec plugin cannot support interactive mode: standard input is not a terminal\n",
	  NULL },
	{ { .mode = "" },
	  "error: interactiveMode must be specified for tester to use exec authentication plugin\n",
	  NULL },
	{ { .mode = "Sometimes" }, "error: invalid interactiveMode for tester: \"Sometimes\"\n", NULL },
	{ { .version = "v1alpha1" },
	  "error: exec plugin: invalid apiVersion \"" PLUGIN_GROUP "v1alpha1\"\n",
	  "v1beta1" },
};

Test(credentials, what_is_wrong_with_a_plugin_is_said_as_by_kubectl)
{
	struct cluster *cluster = plugin_cluster(NULL);

	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		struct run_result result;

		plugin_run(cluster, &failures[i].plugin, &result);
		cr_assert(strstr(result.error_output, failures[i].error), "case %zu: %s", i, result.error_output);
		cr_assert_eq(result.exit_code, 1);
		cr_assert_not(strstr(result.error_output, "secret"), "case %zu: %s", i, result.error_output);
		if (failures[i].says)
			cli_assert_says(&result, failures[i].says);
		run_result_release(&result);
	}
	cr_assert_eq(apiserver_request_total(cluster_api(cluster)), 0);
	cluster_stop(cluster);
}

Test(credentials, a_plugin_that_hangs_is_ended_at_the_deadline)
{
	_cleanup_free_ char *line = plugin_user(&(struct plugin){ .script = "exec sleep 100" });
	struct cluster *cluster = plugin_cluster(NULL);
	struct run_result result;

	plugin_run_as(cluster, line, RUN_ARGV("health", "--timeout", "1s"), &result);
	cr_assert_eq(result.exit_code, 124, "%s", result.error_output);
	cli_assert_says(&result, PLUGIN_PREFIX "exec: executable sh has not ended within");
	cr_assert_lt(result.wall_ms, 10000);
	run_result_release(&result);
	cluster_stop(cluster);
}

/* ---------------------------------------------------------------------------------------- terminals */

static void run_on_terminal(struct cluster *cluster, const struct plugin *plugin, struct running **ret_running)
{
	_cleanup_free_ char *line = plugin_user(plugin);
	_cleanup_free_ char *kubeconfig = plugin_kubeconfig(cluster, line);

	*ret_running =
	    run_start(&(struct run_options){ .argv = PLUGIN_HEALTH, .kubeconfig = kubeconfig, .terminal = true });
}

Test(credentials, on_a_terminal_the_user_may_be_asked)
{
	static const char script[] =
	    "echo \"$KUBERNETES_EXEC_INFO\" >&2; echo 'Who?' >&2; read -r who; echo \"$ANSWER\" | "
	    "sed s/nobody/$who/";
	const struct plugin plugin = { .script = script, .mode = "Always", .status = "{\"token\":\"nobody\"}" };
	struct cluster *cluster = plugin_cluster(NULL);
	struct run_result result;
	struct running *running;

	run_on_terminal(cluster, &plugin, &running);
	cr_assert(run_wait_output(running, "Who?", 1, RUN_TIMEOUT_MS));
	run_type(running, "good\n");
	run_finish(running, &result);
	cr_assert_eq(result.exit_code, 0, "%s", result.output);
	cr_assert(strstr(result.output, "\"interactive\":true"), "%s", result.output);
	run_result_release(&result);
	cluster_stop(cluster);
}

Test(credentials, ctrl_c_ends_the_wait_for_a_plugin)
{
	const struct plugin plugin = { .script = "echo ran >&2; exec sleep 100" };
	struct cluster *cluster = plugin_cluster(NULL);
	struct run_result result;
	struct running *running;

	run_on_terminal(cluster, &plugin, &running);
	cr_assert(run_wait_output(running, "ran", 1, RUN_TIMEOUT_MS));
	run_type(running, "\003");
	run_finish(running, &result);
	cr_assert_eq(result.exit_code, 130, "%s", result.output);
	cr_assert_lt(result.wall_ms, 10000);
	run_result_release(&result);
	cluster_stop(cluster);
}

/* ------------------------------------------------------------------------------------- other ways to log in */

Test(credentials, name_and_password)
{
	struct cluster *cluster =
	    cluster_start(&(struct cluster_options){ .count = 1, .api = { .tls = true, .token = "good" } });
	struct run_result result;
	_cleanup_free_ char *sent = NULL;

	plugin_run_as(cluster, "    username: joe\n    password: pw\n", PLUGIN_HEALTH, &result);
	cr_assert_eq(result.exit_code, 1);
	sent = apiserver_request_header(apiserver_request_at(cluster_api(cluster), 0), "Authorization");
	cr_assert_str_eq(sent, "Basic am9lOnB3");
	run_result_release(&result);
	cluster_stop(cluster);
}

Test(credentials, the_token_flag_wins_over_everything)
{
	static const char *const users[] = { "    exec: {command: /no/such}\n", "    auth-provider: {name: gcp}\n",
		                             "    token: bad\n    username: joe\n    password: pw\n" };
	struct cluster *cluster = plugin_cluster(NULL);

	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		struct run_result result;

		plugin_run_as(cluster, users[i], RUN_ARGV("health", "--token", "good"), &result);
		cli_assert_verdict(&result, "HEALTHY", 0);
		run_result_release(&result);
	}
	cluster_stop(cluster);
}

static void assert_header(const struct apiserver_request *request, const char *name, const char *value)
{
	_cleanup_free_ char *sent = apiserver_request_header(request, name);

	cr_assert(str_equal(sent, value), "%s %s: %s is %s", request->method, request->path, name, sent);
}

Test(credentials, impersonation_is_in_every_request)
{
	struct cluster *cluster = plugin_cluster(NULL);
	struct apiserver *server = cluster_api(cluster);
	struct run_result result;
	size_t upgrades = 0;

	plugin_run_as(cluster, TOKEN_LINE "    as: bob\n    as-uid: '7'\n",
	              RUN_ARGV("health", "--as", "eve", "--as-group", "a", "--as-group=b", "--as-user-extra", "x/Y=1"),
	              &result);
	cli_assert_verdict(&result, "HEALTHY", 0);
	for (size_t i = 0; i < apiserver_request_total(server); i++) {
		const struct apiserver_request *request = apiserver_request_at(server, i);

		if (request->pod) /* for Consul: none of its business */
			continue;
		upgrades += strstr(request->path, "/portforward") != NULL;
		assert_header(request, "Impersonate-User", "eve");
		assert_header(request, "Impersonate-Uid", "7");
		assert_header(request, "Impersonate-Extra-x%2fY", "1");
		cr_assert_eq(plugin_count(request->headers, "Impersonate-Group: "), 2, "%s", request->headers);
	}
	cr_assert_gt(upgrades, 0);
	run_result_release(&result);
	cluster_stop(cluster);
}

/* ---------------------------------------------------------------------------------------- refused */

Test(credentials, what_is_refused_before_anything_is_asked)
{
	static const struct {
		const char *user;
		const char *error;
	} rows[] = {
		{ "    auth-provider: {name: gcp}\n", "error: The gcp auth plugin has been removed.\n" },
		{ "    auth-provider: {name: azure}\n", "error: The azure auth plugin has been removed.\n" },
		{ TOKEN_LINE "    username: joe\n    password: pw\n",
		  "error: more than one authentication method found for tester; found [token basicAuth], only one is "
		  "allowed\n" },
		{ TOKEN_LINE "    as-uid: '1'\n",
		  "error: requesting uid, groups or user-extra for tester without impersonating a user\n" },
	};
	struct cluster *cluster = plugin_cluster(NULL);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct run_result result;

		plugin_run_as(cluster, rows[i].user, PLUGIN_HEALTH, &result);
		cli_assert_error(&result, 1, rows[i].error);
		run_result_release(&result);
	}
	cr_assert_eq(apiserver_request_total(cluster_api(cluster)), 0);
	cluster_stop(cluster);
}

Test(credentials, an_encrypted_key_is_an_error_and_no_prompt)
{
	struct cluster *cluster = start_with_certificates();
	const struct pki *pki = apiserver_pki(cluster_api(cluster));
	const struct pki_pair pair = { .certificate = pki_client(pki, PKI_CLIENT_GOOD)->certificate,
		                       .key = xstrdup(pki_encrypted_key(pki)) };
	_cleanup_free_ char *status = certificate_status(&pair);
	_cleanup_free_ char *kubeconfig = kubeconfig_text(&(struct kubeconfig){
	    .server = apiserver_url(cluster_api(cluster)),
	    .ca = pki_ca(pki),
	    .certificate = pair.certificate,
	    .key = pair.key,
	});
	struct run_result result;

	cli_run(kubeconfig, PLUGIN_HEALTH, &result);
	cli_assert_error(&result, 1, "error: user \"tester\": the client key is encrypted\n");
	run_result_release(&result);
	plugin_run(cluster, &(struct plugin){ .status = status, .script = "echo \"$ANSWER\"" }, &result);
	cli_assert_error(&result, 1,
	                 PLUGIN_PREFIX "failed parsing client key/certificate: the client key is encrypted\n");
	run_result_release(&result);
	free(pair.key);
	cluster_stop(cluster);
}

/* To kubectl proxy, say, which has credentials of its own. As whom to act is no secret. */
Test(credentials, over_plain_http_nobody_logs_in)
{
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .count = 3 });
	struct apiserver *server = cluster_api(cluster);
	_cleanup_free_ char *line = plugin_user(&(struct plugin){ 0 });
	const char *const users[] = { line, "    username: joe\n    password: pw\n", TOKEN_LINE };

	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		_cleanup_free_ char *kubeconfig = kubeconfig_text(&(struct kubeconfig){
		    .server = apiserver_url(server), .namespace_name = "consul", .token = "good" });
		struct run_result result;

		cr_assert_not_null(strstr(kubeconfig, TOKEN_LINE));
		*strstr(kubeconfig, TOKEN_LINE) = '\0';
		replace_string(&kubeconfig, xasprintf("%s%s    as: bob\n", kubeconfig, users[i]));
		cli_run(kubeconfig, PLUGIN_HEALTH, &result);
		cli_assert_verdict(&result, "HEALTHY", 0);
		cr_assert_eq(plugin_count(result.error_output, "ran"), 0, "%s", result.error_output);
		run_result_release(&result);
	}
	for (size_t i = 0; i < apiserver_request_total(server); i++) {
		const struct apiserver_request *request = apiserver_request_at(server, i);

		if (request->pod)
			continue;
		assert_header(request, "Authorization", NULL);
		assert_header(request, "Impersonate-User", "bob");
	}
	cluster_stop(cluster);
}
