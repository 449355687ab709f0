/* What others may write into names and states must not reach the terminal as anything but text. */
#include "cli.h"

#include <string.h>

#include <criterion/criterion.h>

#include "util/mem.h"
#include "util/str.h"

/* cli_run asserts that no control character is printed; here it is asserted that the text is, so that it had a chance.
 */
#define EVIL "\033[2J\rX"

Test(hostile, states_of_pods)
{
	static const struct cluster_server servers[] = {
		{ .waiting = EVIL, .not_ready = true, .version = "1.8.7" EVIL },
		{ .node = EVIL, .phase = EVIL },
		{ .restarts = 1 }
	};
	static const char *const outputs[] = { "table", "wide", "json", "yaml" };
	const struct cluster_options options = { .servers = servers, .count = ARRAY_SIZE(servers) };

	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++) {
		struct run_result result;

		cli_run_with(&options, RUN_ARGV("health", "-o", outputs[i]), &result);
		cr_expect(cli_says(&result, "[2J"), "%s: %s%s", outputs[i], result.output, result.error_output);
		run_result_release(&result);
	}
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
