/* What others may write into names and states must not reach the terminal as anything but text. */
#include "cli.h"

#include <string.h>

#include <criterion/criterion.h>

#include "util/mem.h"
#include "util/buf.h"
#include "util/str.h"

/* cli_run asserts that no control character is printed; here it is asserted that the text is, so that it had a chance.
 */
#define EVIL "\033[2J\rX\n\xe2\x80\xae\xc2\233\377\x7f"
/* The same in JSON. */
#define EVIL_JSON "\\u001b[2J\\rX\\n\\u202e\\u009b\377\\u007f"

Test(hostile, states_of_pods)
{
	static const struct cluster_server servers[] = {
		{ .waiting = EVIL, .not_ready = true, .version = "1.8.7" EVIL },
		{ .node = EVIL, .phase = EVIL },
		{ .restarts = 1 }
	};
	static const char *const outputs[] = { "table", "wide", "json", "yaml", "openmetrics" };
	const struct cluster_options options = { .servers = servers, .count = ARRAY_SIZE(servers) };

	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++) {
		struct run_result result;

		cli_run_with(&options, RUN_ARGV("health", "-o", outputs[i]), &result);
		cr_expect(cli_says(&result, "[2J"), "%s: %s%s", outputs[i], result.output, result.error_output);
		run_result_release(&result);
	}
}

/* A terminal makes "\r\n" of each line end. */
static void undo_terminal(struct run_result *result)
{
	char *to = result->output;

	for (const char *from = result->output; *from; from++)
		if (from[0] != '\r' || from[1] != '\n')
			*to++ = *from;
	*to = '\0';
	result->output_length = (size_t)(to - result->output);
}

Test(hostile, templates_on_a_terminal)
{
	static const struct cluster_server servers[] = { { .waiting = EVIL, .not_ready = true }, { .node = EVIL } };
	static const char *const outputs[] = { "jsonpath={.servers[*].kubernetes.node}",
		                               "jsonpath={.servers}",
		                               "jsonpath={range .servers[*]}{.kubernetes.reason}{end}",
		                               "json",
		                               "yaml",
		                               "wide" };
	struct cluster *cluster = cluster_start(&(struct cluster_options){ .servers = servers, .count = 2 });
	_cleanup_free_ char *kubeconfig = cluster_kubeconfig(cluster);

	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++) {
		struct run_result result;

		run_program(&(struct run_options){ .argv = RUN_ARGV("health", "-o", outputs[i]),
		                                   .kubeconfig = kubeconfig,
		                                   .environment = RUN_ARGV("TERM=dumb", "NO_COLOR=1"),
		                                   .terminal = true },
		            &result);
		undo_terminal(&result);
		cli_assert_harmless(&result);
		cr_expect(cli_says(&result, "[2J"), "%s: %s", outputs[i], result.output);
		run_result_release(&result);
	}
	cluster_stop(cluster);
}

Test(hostile, names_in_the_kubeconfig)
{
	static const char *const texts[] = {
		"current-context: \"g\\e[2Jone\"\n",
		"current-context: c\ncontexts: [{name: c, context: {cluster: \"\\e[2J\\r\", user: me}}]\n",
		"current-context: c\ncontexts: [{name: c, context: {cluster: here, user: \"\\e[2J\\r\"}}]\n"
		"clusters: [{name: here, cluster: {server: 'https://127.0.0.1:1'}}]\n",
		"current-context: c\ncontexts: [{name: c, context: {cluster: here, user: me}}]\nusers: [{name: me, "
		"user: {}}]\n"
		"clusters: [{name: here, cluster: {server: \"https://\\e[2J\"}}]\n",
		"current-context: c\ncontexts: [{name: c, context: {cluster: here, user: me}}]\nusers: [{name: me, "
		"user: {}}]\n"
		"clusters: [{name: here, cluster: {server: 'https://127.0.0.1:1', proxy-url: \"http://\\e[2J\"}}]\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct run_result result;

		cli_run(texts[i], RUN_ARGV("health"), &result);
		cr_expect_eq(result.exit_code, 1);
		cli_assert_says(&result, "^[[2J");
		run_result_release(&result);
	}
}

/* Every command meets it somewhere else. */
static const char *const commands[][6] = {
	{ "health" },
	{ "health", "-v=8" },
	{ "health", "--members" },
	{ "health", "-o", "json" },
	{ "health", "-o", "yaml" },
	{ "health", "-o", "name" },
	{ "health", "-o", "nagios" },
	{ "health", "-o", "openmetrics" },
	{ "scale", "5", "--dry-run", "--timeout=1s" },
	{ "reap", "--dry-run", "--timeout=1s" },
	{ "failover", "--dry-run", "--timeout=1s" },
	{ "recover", "--timeout=1s" },
	{ "deploy", "--dry-run=client", "--skip-preflight", "--timeout=1s" },
	{ "deploy", "--diff", "--timeout=1s" },
	{ "deploy", "--preflight", "--timeout=1s" },
};

static void run_all_on(const struct cluster_options *options, const char *said, size_t least)
{
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		struct run_result result;

		cli_run_with(options, commands[i], &result);
		count += cli_says(&result, said);
		run_result_release(&result);
	}
	cr_assert_geq(count, least, "\"%s\" is said by %zu commands only", said, count);
}

Test(hostile, what_the_api_server_says)
{
	static const struct apiserver_route routes[] = {
		{ .path = "*",
		  .answer = { .status = 403,
		              .headers = "Warning: 299 - \"W"
		                         "\033[2J\xe2\x80\xae\377"
		                         "\"\r\n",
		              .body =
		                  "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"reason\":"
		                  "\"Forbidden\",\"code\":403,\"message\":\"no" EVIL_JSON "\",\"details\":"
		                  "{\"name\":\"" EVIL_JSON "\",\"kind\":\"" EVIL_JSON
		                  "\",\"causes\":[{\"message\":\"" EVIL_JSON "\",\"field\":\"" EVIL_JSON "\"}]}}" } },
		{ 0 }
	};

	run_all_on(&(struct cluster_options){ .count = 3, .api = { .routes = routes } }, "no^[[2J", 10);
}

Test(hostile, what_a_command_in_a_pod_says)
{
	static const struct apiserver_exec execs[] = {
		{ .pod = "consul-0", .answer = { .output = EVIL, .error_output = "stderr " EVIL, .exit_code = 1 } },
		{ .pod = "consul-1", .answer = { .end = EXEC_FAILURE, .text = "failed " EVIL } },
		{ .pod = "consul-2", .answer = { .end = EXEC_STATUS, .text = EVIL_JSON } },
		{ 0 }
	};
	static const struct cluster_server servers[] = { { .way = WAY_EXEC },
		                                         { .way = WAY_EXEC },
		                                         { .way = WAY_EXEC } };

	run_all_on(&(struct cluster_options){ .servers = servers, .count = 3, .api = { .execs = execs } }, "[2J", 3);
}

Test(hostile, what_the_agents_say)
{
	static const struct cluster_server servers[] = { { .agent = AGENT_ESCAPES },
		                                         { .agent = AGENT_ESCAPES, .way = WAY_EXEC },
		                                         { .leaves_on_term = true } };
	static const struct apiserver_port ports[] = { { .pod = "consul-2", .kind = PORT_ERROR, .text = "port " EVIL },
		                                       { 0 } };

	run_all_on(&(struct cluster_options){ .servers = servers, .count = 3 }, "[31m", 5);
	run_all_on(&(struct cluster_options){ .servers = servers, .count = 3, .api = { .ports = ports } }, "[2J", 1);
}

/* It is given to whoever asks for "consul". */
#define EVIL_SET                                                                                                       \
	"{\"kind\":\"StatefulSet\",\"apiVersion\":\"apps/v1\",\"metadata\":{\"name\":\"" EVIL_JSON "\",\"namespace\":" \
	"\"" EVIL_JSON "\",\"uid\":\"" EVIL_JSON "\"},\"spec\":{\"replicas\":3,\"serviceName\":\"" EVIL_JSON           \
	"\",\"selector\":"                                                                                             \
	"{\"matchLabels\":{\"app\":\"" EVIL_JSON "\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"consul\"}},"  \
	"\"spec\":{\"containers\":[{\"name\":\"" EVIL_JSON "\",\"image\":\"consul:" EVIL_JSON "\"}]}}},"               \
	"\"status\":{\"replicas\":3,\"currentRevision\":\"" EVIL_JSON "\",\"updateRevision\":\"" EVIL_JSON "2\"}}"

Test(hostile, names_of_objects)
{
	static const struct cluster_server servers[] = { { .name = "consul-0" EVIL },
		                                         { .extra_container = EVIL },
		                                         { 0 } };
	static const struct apiserver_route routes[] = { { .method = "GET",
		                                           .path = "/apis/apps/v1/namespaces/consul/statefulsets/*",
		                                           .answer = { .body = EVIL_SET } },
		                                         { 0 } };

	run_all_on(&(struct cluster_options){ .servers = servers, .count = 3, .container = EVIL }, "[2J", 1);
	run_all_on(&(struct cluster_options){ .servers = servers, .count = 3, .api = { .routes = routes } }, "[2J", 3);
}

static const char manifest[] =
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: \"x\\e[2J\\u202e\"}, data: {\"\\e[2J\": \"\\u202e\\x9b\"}}\n"
    "---\n"
    "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: \"y\\e[2J\\u202e\"}, spec: {replicas: 3, serviceName: y,"
    " selector: {matchLabels: {app: y}}, template: {metadata: {labels: {app: y}}, spec: {containers: [{name: consul,"
    " image: 'consul:1.8.7'}]}}}}\n";

/* Objects as they were sent. */
static void echo(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	(void)context;
	answer->status = 201;
	answer->scratch.max = BUF_TEXT_MAX;
	buf_clear(&answer->scratch);
	buf_adds(&answer->scratch, request->body);
	answer->body = buf_text(&answer->scratch);
}

Test(hostile, names_in_files)
{
	static const char *const ways[][3] = { { "-o=name" },
		                               { "-o=json" },
		                               { "-o=yaml" },
		                               { "--dry-run=client", "--skip-preflight" },
		                               { "--dry-run=server", "--skip-preflight" },
		                               { "--diff" },
		                               { "--wait=false", "--skip-preflight" },
		                               { "--skip-preflight", "--timeout=1s" } };
	static const struct apiserver_route routes[] = { { .method = "GET",
		                                           .path = "/api/v1/namespaces/consul",
		                                           .answer = { .body = "{\"kind\":\"Namespace\"}" } },
		                                         { .method = "PATCH", .path = "*", .make = echo },
		                                         { 0 } };
	struct apiserver *server = apiserver_start(&(struct apiserver_options){ .routes = routes });
	struct kubeconfig config = { .server = apiserver_url(server), .namespace_name = "consul" };
	_cleanup_free_ char *kubeconfig = kubeconfig_text(&config);

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct run_result result;

		run_program(&(struct run_options){ .argv = RUN_ARGV("deploy", "-f", "-", ways[i][0], ways[i][1]),
		                                   .kubeconfig = kubeconfig,
		                                   .input = manifest },
		            &result);
		cli_assert_harmless(&result);
		cr_expect(cli_says(&result, "[2J"), "%s: %s%s", ways[i][0], result.output, result.error_output);
		run_result_release(&result);
	}
	apiserver_stop(server);
}
