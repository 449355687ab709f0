/* What deploy prints, writes and exits with: new clusters, dry runs, files, waiting, refusals, bad input. */
#include "cli.h"

#include <signal.h>
#include <string.h>

#include <criterion/criterion.h>

#include "util/mem.h"
#include "util/str.h"

/* ----------------------------------------------------------------------------------- what takes writes */

/* The object comes back as it was sent. */
static void echo(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	(void)context;
	answer->status = 201;
	answer->scratch.max = BUF_TEXT_MAX;
	buf_clear(&answer->scratch);
	buf_adds(&answer->scratch, request->body);
	answer->body = buf_text(&answer->scratch);
}

#define NAMESPACE_ROUTE                                                                                                \
	{                                                                                                              \
		.method = "GET", .path = "/api/v1/namespaces/consul", .answer = {.body = "{\"kind\":\"Namespace\"}" }  \
	}

static const struct apiserver_route writable[] = {
	NAMESPACE_ROUTE,
	{ .method = "PATCH", .path = "*", .make = echo },
	{ .method = "POST", .path = "*/secrets", .make = echo },
	{ 0 },
};

/* An empty namespace "consul" that takes everything. */
static void run_on_nothing(struct apiserver **ret_server, const struct apiserver_route *routes,
                           const char *const *words, struct run_result *ret_result)
{
	struct apiserver *server = apiserver_start(&(struct apiserver_options){ .routes = routes });
	struct kubeconfig config = { .server = apiserver_url(server), .namespace_name = "consul" };
	_cleanup_free_ char *kubeconfig = kubeconfig_text(&config);

	cli_run(kubeconfig, words, ret_result);
	*ret_server = server;
}

static size_t writes(struct apiserver *server)
{
	/* That somebody asks what he may do changes nothing. */
	return apiserver_request_total(server) - apiserver_count(server, "GET", "*") -
	       apiserver_count(server, "POST", "*selfsubject*");
}

/* ---------------------------------------------------------------------------------------- new clusters */

Test(deploy, says_what_was_created_and_what_to_run_next)
{
	struct run_result result;
	struct apiserver *server;

	run_on_nothing(&server, writable, RUN_ARGV("deploy", "--wait=false"), &result);
	cr_assert_eq(result.exit_code, 0, "%s", result.error_output);
	cr_assert_str_eq(result.output, "serviceaccount/consul created\n"
	                                "secret/consul-gossip created\n"
	                                "secret/consul-ca created\n"
	                                "secret/consul-tls created\n"
	                                "configmap/consul-server created\n"
	                                "service/consul created\n"
	                                "service/consul-client created\n"
	                                "poddisruptionbudget.policy/consul created\n"
	                                "statefulset.apps/consul created\n");
	cli_assert_says(&result, "health --wait -n consul --name consul");
	cr_assert_eq(writes(server), 9);
	run_result_release(&result);
	apiserver_stop(server);
}

Test(deploy, the_key_is_printed_nowhere_and_sent_once)
{
	struct run_result result;
	struct apiserver *server;
	const struct apiserver_request *post;
	const char *mark = "{\\\"encrypt\\\":\\\"";
	_cleanup_free_ char *key = NULL;

	run_on_nothing(&server, writable, RUN_ARGV("deploy", "--wait=false", "-v", "8"), &result);
	post = apiserver_find(server, "POST", "*/secrets", 0);
	cr_assert_not_null(strstr(post->body, mark));
	key = xstrndup(strstr(post->body, mark) + strlen(mark), 44);
	cr_assert_not(strstr(result.output, key));
	cr_assert_not(strstr(result.error_output, key));
	for (size_t i = 0; i < apiserver_request_total(server); i++) {
		const struct apiserver_request *request = apiserver_request_at(server, i);

		cr_assert(request == post || !strstr(request->body, key));
		cr_assert_not(strstr(request->query, key));
	}
	run_result_release(&result);
	apiserver_stop(server);
}

Test(deploy, dry_runs_say_so)
{
	struct run_result result;
	struct apiserver *server;

	run_on_nothing(&server, writable, RUN_ARGV("deploy", "--dry-run=client", "--name", "other"), &result);
	cr_assert_eq(result.exit_code, 0);
	cli_assert_says(&result, "statefulset.apps/other created (dry run)");
	cr_assert_eq(writes(server), 0);
	run_result_release(&result);
	apiserver_stop(server);

	run_on_nothing(&server, writable, RUN_ARGV("deploy", "--dry-run=server"), &result);
	cr_assert_eq(result.exit_code, 0);
	cli_assert_says(&result, "statefulset.apps/consul created (server dry run)");
	for (size_t i = 0; i < apiserver_request_total(server); i++) {
		const struct apiserver_request *request = apiserver_request_at(server, i);

		cr_assert(str_equal(request->method, "GET") || strstr(request->path, "selfsubject") ||
		          strstr(request->query, "dryRun=All"));
	}
	run_result_release(&result);
	apiserver_stop(server);
}

Test(deploy, output_prints_the_objects_and_writes_nothing)
{
	struct run_result result;
	struct apiserver *server;

	run_on_nothing(&server, writable,
	               RUN_ARGV("deploy", "-o", "yaml", "--image", "mine/consul:1", "--replicas", "5"), &result);
	cr_assert_eq(result.exit_code, 0, "%s", result.error_output);
	cr_assert(str_starts_with(result.output, "---\napiVersion: v1\nkind: ServiceAccount\n"));
	cli_assert_says(&result, "image: mine/consul:1");
	cli_assert_says(&result, "replicas: 5");
	cli_assert_says(&result, "Warning: the output holds new keys");
	cr_assert_eq(writes(server), 0);
	run_result_release(&result);
	apiserver_stop(server);

	run_on_nothing(&server, writable, RUN_ARGV("deploy", "-o", "json"), &result);
	cr_assert(str_starts_with(result.output, "{\n    \"apiVersion\": \"v1\",\n    \"kind\": \"List\""));
	run_result_release(&result);
	apiserver_stop(server);

	run_on_nothing(&server, writable, RUN_ARGV("deploy", "-o", "name"), &result);
	cr_assert(str_starts_with(result.output, "serviceaccount/consul\n"), "%s", result.output);
	cr_assert(strstr(result.output, "\nstatefulset.apps/consul\n") && !strchr(result.output, ' '), "%s",
	          result.output);
	cr_assert_str_empty(result.error_output);
	cr_assert_eq(writes(server), 0);
	run_result_release(&result);
	apiserver_stop(server);
}

Test(deploy, unwise_numbers_are_warned_of)
{
	struct run_result result;
	struct apiserver *server;

	run_on_nothing(&server, writable, RUN_ARGV("deploy", "--replicas", "4", "--dry-run"), &result);
	cr_assert_eq(result.exit_code, 0);
	cr_assert(str_starts_with(result.error_output, "Warning: 4 servers tolerate 1 failure"));
	run_result_release(&result);
	apiserver_stop(server);
}

/* ------------------------------------------------------------------------------------ looking before */

Test(deploy, a_preflight_tells_and_writes_nothing)
{
	struct run_result result;
	struct apiserver *server;

	run_on_nothing(&server, writable, RUN_ARGV("deploy", "--preflight"), &result);
	cr_assert_eq(result.exit_code, 0, "%s%s", result.output, result.error_output);
	cli_assert_says(&result, "namespace \"consul\" is there");
	cli_assert_says(&result, "the pods fit level restricted");
	cli_assert_says(&result, "no problem was found, and nothing was written");
	cr_assert_eq(writes(server), 0);
	run_result_release(&result);
	apiserver_stop(server);
}

/* All that is wrong, not only the first of it. */
Test(deploy, a_plan_that_fails_tells_of_everything_else_too)
{
	static const struct apiserver_route routes[] = {
		NAMESPACE_ROUTE,
		{ .method = "GET",
		  .path = "/apis/apps/v1/namespaces/consul/statefulsets/consul",
		  .answer = { .status = 403, .body = STATUS_FAILURE(403, "Forbidden", "statefulsets is forbidden") } },
		{ 0 },
	};
	struct run_result result;
	struct apiserver *server;

	run_on_nothing(&server, routes, RUN_ARGV("deploy", "--storage-class", "fast"), &result);
	cr_assert_neq(result.exit_code, 0);
	cr_assert_str_empty(result.output);
	cli_assert_says(&result, "statefulsets is forbidden");
	cr_assert_eq(writes(server), 0);
	run_result_release(&result);
	apiserver_stop(server);
}

Test(deploy, a_difference_hides_what_secrets_hold)
{
	struct run_result result;
	struct apiserver *server;

	run_on_nothing(&server, writable, RUN_ARGV("deploy", "--diff", "--acls"), &result);
	cr_assert_eq(result.exit_code, 0, "%s%s", result.output, result.error_output);
	cli_assert_says(&result, "+++ statefulset.apps/consul after");
	cli_assert_says(&result, "***");
	cr_assert_null(strstr(result.output, "BEGIN PRIVATE KEY"));
	cr_assert_null(strstr(result.output, "X-Consul-Token"));
	for (size_t i = 0; i < apiserver_request_total(server); i++) {
		const struct apiserver_request *request = apiserver_request_at(server, i);

		cr_assert(str_equal(request->method, "GET") || strstr(request->path, "selfsubject") ||
		          strstr(request->query, "dryRun=All"));
	}
	run_result_release(&result);
	apiserver_stop(server);
}

Test(deploy, acls_take_waiting)
{
	struct run_result result;
	struct apiserver *server;

	run_on_nothing(&server, writable, RUN_ARGV("deploy", "--acls", "--wait=false"), &result);
	cr_assert_eq(result.exit_code, 4);
	cli_assert_says(&result, "ACLs are bootstrapped as soon as there is a leader, which takes waiting");
	cr_assert_eq(writes(server), 0);
	run_result_release(&result);

	apiserver_stop(server);
	run_on_nothing(&server, writable, RUN_ARGV("deploy", "--acls", "-o", "yaml"), &result);
	cli_assert_says(&result, "has to run deploy once more");
	run_result_release(&result);
	apiserver_stop(server);
}

/* -------------------------------------------------------------------------------------------- bad input */

struct bad_case {
	const char *words[6];
	const char *error;
};

Test(deploy, bad_input_writes_nothing)
{
	static const struct bad_case cases[] = {
		{ { "--replicas", "0" }, "Error: invalid argument \"0\" for \"--replicas\" flag" },
		{ { "--replicas", "three" }, "Error: invalid argument \"three\"" },
		{ { "--image", "a b" }, "error: invalid value \"a b\" for --image" },
		{ { "--storage-size", "lots" }, "error: invalid value \"lots\" for --storage-size" },
		{ { "--storage-class", "A" }, "error: invalid value \"A\" for --storage-class" },
		{ { "--datacenter", "\x1b[31m" }, "error: invalid value \"^[[31m\" for --datacenter" },
		{ { "--name", "9" }, "error: invalid value \"9\" for --name" },
		{ { "--dry-run=maybe" }, "error: Invalid dry-run value (maybe)" },
		{ { "-o", "table" }, "error: unable to match a printer suitable for the output format \"table\"" },
		{ { "extra" }, "error: " },
		{ { "-f", "/nope.yaml" }, "error: stat /nope.yaml: no such file or directory" },
		{ { "-f", "/dev/null" }, "error: no objects passed to apply" },
		{ { "-f", "/dev/null", "--image", "x" }, "error: --image cannot be used with -f" },
		{ { "-f", "https://example.com/x" }, "error: -f takes files" },
		{ { "-f", "/dev/null", "--rollback" }, "error: --rollback cannot be used with -f" },
		{ { "--tls", "--no-tls" }, "error: --tls or --no-tls: one of them is wrong" },
		{ { "--tls-ca-cert", "/dev/null" }, "error: --tls-ca-cert and --tls-ca-key are needed together" },
		{ { "--tls-ca-cert", "/dev/null", "--tls-ca-key", "/dev/null" }, "error: --tls-ca-cert /dev/null" },
		{ { "--tls-ca-cert", "/nope", "--tls-ca-key", "/nope" }, "error: --tls-ca-cert: " },
		{ { "--tls-ca-key-in-use", "/dev/null" }, "error: --tls-ca-key-in-use goes with --rotate-certs" },
		{ { "--set-config", "/nope" }, "error: --set-config: " },
		{ { "--set-config", "/dev/null" }, "error: --set-config /dev/null" },
		{ { "--rotate-ca", "--preflight" }, "error: --rotate-ca changes keys only, and at once" },
		{ { "--rotate-certs", "--image", "x" }, "error: --image cannot be used with --rotate-certs" },
		{ { "--rollback", "--rotate-gossip-key" }, "error: --rollback and the rotation of keys" },
		{ { "--preflight", "--skip-preflight" }, "error: --preflight or --skip-preflight" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *words[8] = { "deploy" };
		struct run_result result;
		struct apiserver *server;

		memcpy(words + 1, cases[i].words, sizeof(cases[i].words));
		run_on_nothing(&server, writable, words, &result);
		cli_assert_error(&result, 1, cases[i].error);
		cr_assert_eq(writes(server), 0);
		run_result_release(&result);
		apiserver_stop(server);
	}
}

Test(deploy, a_missing_namespace_has_a_command_to_paste)
{
	static const struct apiserver_route routes[] = { { 0 } };
	struct run_result result;
	struct apiserver *server;

	run_on_nothing(&server, routes, RUN_ARGV("deploy"), &result);
	cli_assert_error(&result, 1, "Error from server (NotFound): namespaces \"consul\" not found");
	cli_assert_says(&result, "hint: kubectl create namespace consul");
	run_result_release(&result);
	apiserver_stop(server);
}

Test(deploy, rights_that_lack_are_told_at_once_with_the_role_to_paste)
{
	static const struct apiserver_route routes[] = {
		{ .method = "GET",
		  .path = "*/configmaps/*",
		  .answer = { .status = 403, .body = STATUS_FAILURE(403, "Forbidden", "configmaps is forbidden") } },
		{ .method = "POST",
		  .path = "*/selfsubjectaccessreviews",
		  .answer = { .status = 201, .body = "{\"status\":{\"allowed\":false}}" } },
		NAMESPACE_ROUTE,
		{ 0 },
	};
	struct run_result result;
	struct apiserver *server;

	run_on_nothing(&server, routes, RUN_ARGV("deploy"), &result);
	cr_assert_eq(result.exit_code, 4);
	cli_assert_says(&result, "kind: Role");
	cli_assert_says(&result, "1 problem was found before the first change; nothing was written");
	cr_assert_eq(writes(server), 0);
	run_result_release(&result);
	apiserver_stop(server);
}

Test(deploy, what_was_done_before_a_failure_is_printed)
{
	static const struct apiserver_route routes[] = {
		{ .method = "PATCH",
		  .path = "*/services/*",
		  .answer = { .status = 403, .body = STATUS_FAILURE(403, "Forbidden", "services is forbidden") } },
		NAMESPACE_ROUTE,
		{ .method = "PATCH", .path = "*", .make = echo },
		{ .method = "POST", .path = "*/secrets", .make = echo },
		{ 0 },
	};
	struct run_result result;
	struct apiserver *server;

	run_on_nothing(&server, routes, RUN_ARGV("deploy"), &result);
	cr_assert_eq(result.exit_code, 1);
	cr_assert_str_eq(result.output,
	                 "serviceaccount/consul created\nsecret/consul-gossip created\nsecret/consul-ca created\n"
	                 "secret/consul-tls created\nconfigmap/consul-server created\n");
	cr_assert(str_starts_with(result.error_output,
	                          "Error from server (Forbidden): service/consul: services is forbidden"));
	cr_assert_eq(apiserver_count(server, "PATCH", "*statefulsets*"), 0);
	run_result_release(&result);
	apiserver_stop(server);
}

/* ------------------------------------------------------------------------------- clusters that are there */

Test(deploy, somebody_elses_cluster_is_refused)
{
	struct cluster_options options = { .count = 3, .api = { .routes = writable } };
	struct cluster *cluster = cluster_start(&options);
	struct run_result result;

	cli_run_on(cluster, RUN_ARGV("deploy"), &result);
	cli_assert_error(&result, 4, "error: statefulset.apps/consul exists and was not made by kubectl consul");
	cr_assert_eq(apiserver_count(cluster_api(cluster), "PATCH", "*"), 0);
	run_result_release(&result);
	cluster_stop(cluster);
}

#define FILE_WITH_SET                                                                                                  \
	"{\"kind\":\"StatefulSet\",\"apiVersion\":\"apps/"                                                             \
	"v1\",\"metadata\":{\"name\":\"consul\"},\"spec\":{\"template\":{"                                             \
	"\"spec\":{\"containers\":[{\"name\":\"consul\",\"image\":\"consul\"}]}}}}"

/* deploy -f - with FILE_WITH_SET, against these servers and rows. */
static void deploy_file_by(const struct apiserver_route *routes, const struct cluster_server *servers, int leader,
                           const char *timeout, struct run_result *ret_result)
{
	struct cluster_options options = {
		.count = 3, .servers = servers, .leader = leader, .api = { .routes = routes }
	};
	struct cluster *cluster = cluster_start(&options);
	_cleanup_free_ char *kubeconfig = cluster_kubeconfig(cluster);

	run_program(&(struct run_options){ .argv = RUN_ARGV("deploy", "-f", "-", "--timeout", timeout),
	                                   .kubeconfig = kubeconfig,
	                                   .input = FILE_WITH_SET },
	            ret_result);
	cluster_stop(cluster);
}

static void deploy_file(const struct cluster_server *servers, int leader, const char *timeout,
                        struct run_result *ret_result)
{
	deploy_file_by(writable, servers, leader, timeout, ret_result);
}

Test(deploy, waits_for_the_servers_of_files_and_shows_their_health)
{
	struct run_result result;

	deploy_file(NULL, 0, "20s", &result);
	cr_assert_eq(result.exit_code, 0, "%s%s", result.output, result.error_output);
	cr_assert(str_starts_with(result.output, "statefulset.apps/consul configured\n\nHEALTHY "), "%s",
	          result.output);
	run_result_release(&result);
}

Test(deploy, a_timeout_says_what_is_missing_and_what_to_type)
{
	static const struct cluster_server servers[] = { { 0 }, { .peer = 'n' }, { 0 } };
	struct run_result result;

	deploy_file(servers, 0, "2s", &result);
	cr_assert_eq(result.exit_code, 124, "%s%s", result.output, result.error_output);
	cli_assert_says(&result, "2/3 servers are voters; consul-1: joined, not a voter yet");
	cli_assert_says(&result, "error: timed out waiting for statefulset.apps/consul");
	cli_assert_says(&result, "health -n consul tells what is wrong");
	run_result_release(&result);
}

/* After a deploy whose image could not be pulled: server 2 is new and alone, the others are as they were. */
#define NEVER_RAN                                                                                                      \
	{                                                                                                              \
		.waiting = "ImagePullBackOff", .phase = "Pending", .old = true, .member = '-', .peer = '-'             \
	}
static const struct cluster_server forced_rollback[] = { NEVER_RAN, NEVER_RAN, { .not_ready = true, .peer = '-' } };

Test(deploy, old_pods_that_never_ran_are_deleted)
{
	static const struct apiserver_route routes[] = {
		{ .method = "DELETE", .path = "*/pods/consul-1", .answer = { .body = "{\"kind\":\"Pod\"}" } },
		{ .method = "PATCH", .path = "*", .make = echo },
		{ 0 },
	};
	struct run_result result;

	deploy_file_by(routes, forced_rollback, NO_LEADER, "2s", &result);
	cr_assert_eq(result.exit_code, 124, "%s%s", result.output, result.error_output);
	cli_assert_says(&result, "pod/consul-1 deleted (it never ran; it is made again from the new template)");
	run_result_release(&result);
}

Test(deploy, who_may_not_delete_them_gets_a_command_to_paste_once)
{
	static const struct apiserver_route routes[] = {
		{ .method = "DELETE",
		  .path = "*/pods/consul-1",
		  .answer = { .status = 403, .body = STATUS_FAILURE(403, "Forbidden", "pods is forbidden") },
		  .times = 1 },
		{ .method = "PATCH", .path = "*", .make = echo },
		{ 0 },
	};
	struct run_result result;

	deploy_file_by(routes, forced_rollback, NO_LEADER, "3s", &result);
	cr_assert_eq(result.exit_code, 124, "%s%s", result.output, result.error_output);
	cli_assert_says(&result, "pod/consul-1 never ran and is in the way, but: Error from server (Forbidden): pods "
	                         "is forbidden. This makes it anew: kubectl delete pod consul-1 consul-0 -n consul");
	cli_assert_says(&result, "hint: Kubernetes waits before it replaces pods of the old template; kubectl delete "
	                         "pod consul-1 consul-0 -n consul lets it make them anew");
	run_result_release(&result);
}

Test(deploy, an_interrupt_leaves_what_was_applied)
{
	static const struct cluster_server servers[] = { { 0 }, { .waiting = "ErrImagePull" }, { 0 } };
	struct cluster_options options = { .count = 3, .servers = servers, .api = { .routes = writable } };
	struct cluster *cluster = cluster_start(&options);
	_cleanup_free_ char *kubeconfig = cluster_kubeconfig(cluster);
	struct running *running = run_start(&(struct run_options){ .argv = RUN_ARGV("deploy", "-f", "-"),
	                                                           .kubeconfig = kubeconfig,
	                                                           .input = FILE_WITH_SET,
	                                                           .terminal = true });
	struct run_result result;

	cr_assert(run_wait_output(running, "cannot pull image", 1, RUN_TIMEOUT_MS));
	run_signal(running, SIGINT);
	run_finish(running, &result);
	cr_assert_eq(result.exit_code, 130, "%s", result.output);
	cli_assert_says(&result, "what was applied stays");
	cr_assert_eq(apiserver_count(cluster_api(cluster), "DELETE", "*"), 0);
	run_result_release(&result);
	cluster_stop(cluster);
}
