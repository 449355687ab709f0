/* Global options, and what they become. include/cmd/global.h, interrupt.h. */
#include <criterion/criterion.h>

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "cmd/global.h"
#include "cmd/interrupt.h"
#include "util/str.h"

static void parse(const char *line, struct strv *words, struct global_options *global)
{
	struct option_words parsed = OPTION_WORDS_INIT;
	const struct option_set set = { global_option_table, global };
	_cleanup_err_ struct err err = ERR_INIT;

	strv_split(words, line, ' ');
	cr_assert_eq(option_parse(&set, 1, words->items, &parsed, &err), 0, "%s", err.message);
	option_words_release(&parsed);
}

Test(global, all_of_kubectls_options_reach_the_configuration)
{
	_cleanup_strv_ struct strv words = STRV_INIT;
	struct global_options global = GLOBAL_OPTIONS_INIT;
	const struct cmd_environment environment = {
		.home = "/home/u", .kubeconfig = "a:b", .service_host = "10.0.0.1", .service_port = "443"
	};
	struct kube_config_inputs inputs;

	parse("--kubeconfig k --context c --cluster l --user u -n n -s s --token t --certificate-authority ca "
	      "--client-certificate cc --client-key ck --tls-server-name tn --insecure-skip-tls-verify --username un "
	      "--password pw --as a --as-uid au --as-group g1 --as-group=g2 --as-user-extra k=v --cache-dir /nope",
	      &words, &global);
	global_config_inputs(&global, &environment, &inputs);
	cr_expect_str_eq(inputs.kubeconfig, "k");
	cr_expect_str_eq(inputs.context, "c");
	cr_expect_str_eq(inputs.cluster, "l");
	cr_expect_str_eq(inputs.user, "u");
	cr_expect_str_eq(inputs.namespace_name, "n");
	cr_expect_str_eq(inputs.server, "s");
	cr_expect_str_eq(inputs.token, "t");
	cr_expect_str_eq(inputs.certificate_authority, "ca");
	cr_expect_str_eq(inputs.client_certificate, "cc");
	cr_expect_str_eq(inputs.client_key, "ck");
	cr_expect_str_eq(inputs.tls_server_name, "tn");
	cr_expect(inputs.insecure_skip_tls_verify);
	cr_expect_str_eq(inputs.username, "un");
	cr_expect_str_eq(inputs.password, "pw");
	cr_expect_str_eq(inputs.as, "a");
	cr_expect_str_eq(inputs.as_uid, "au");
	cr_assert_eq(inputs.as_groups->count, 2);
	cr_expect_str_eq(inputs.as_groups->items[1], "g2");
	cr_assert_eq(inputs.as_user_extra->count, 1);
	cr_expect_str_eq(inputs.as_user_extra->items[0], "k=v");
	cr_expect_str_eq(inputs.env_kubeconfig, "a:b");
	cr_expect_str_eq(inputs.home, "/home/u");
	cr_expect_str_eq(inputs.env_service_host, "10.0.0.1");
	cr_expect_str_eq(inputs.env_service_port, "443");
	cr_expect_not_null(inputs.service_account_dir);
	strv_release(&global.as_groups);
	strv_release(&global.as_user_extra);
}

Test(global, what_is_not_given_is_null)
{
	_cleanup_strv_ struct strv words = STRV_INIT;
	struct global_options global = GLOBAL_OPTIONS_INIT;
	const struct cmd_environment environment = { 0 };
	struct kube_config_inputs inputs;

	parse("x", &words, &global);
	global_config_inputs(&global, &environment, &inputs);
	cr_expect_null(inputs.kubeconfig);
	cr_expect_null(inputs.namespace_name);
	cr_expect_null(inputs.home);
	cr_expect(!inputs.insecure_skip_tls_verify);
	cr_expect_str_eq(global.name, "consul");
	cr_expect_eq(global.via, ASK_NONE);
}

Test(global, our_own_options)
{
	_cleanup_strv_ struct strv words = STRV_INIT;
	struct global_options global = GLOBAL_OPTIONS_INIT;

	cr_expect_eq(global_timeout_ms(&global, 10000), 10000);
	parse("--via tunnel --via=exec --name server --timeout 1m30s --request-timeout=5 -v=6", &words, &global);
	cr_expect_eq(global.via, ASK_EXEC);
	cr_expect_str_eq(global.name, "server");
	cr_expect_eq(global.request_timeout_ms, 5000);
	cr_expect_eq(global.verbosity, 6);
	cr_expect_eq(global_timeout_ms(&global, 10000), 90000);
}

Test(global, via_has_the_order_of_the_ways_to_ask)
{
	const struct option *via = option_find(global_option_table, "via", 0);

	cr_assert_not_null(via);
	cr_expect_str_eq(via->choices[ASK_NONE], "auto");
	cr_expect_str_eq(via->choices[ASK_TUNNEL], "tunnel");
	cr_expect_str_eq(via->choices[ASK_EXEC], "exec");
}

static bool is_readable(int fd)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };

	return poll(&readable, 1, 0) == 1;
}

Test(interrupt, the_first_signal_makes_it_readable_and_the_second_is_deadly)
{
	_cleanup_err_ struct err err = ERR_INIT;
	struct sigaction after;
	int fd = -1;

	cr_assert_eq(interrupt_install(&fd, &err), 0);
	cr_expect(!is_readable(fd));
	raise(SIGINT);
	cr_expect(is_readable(fd));
	cr_expect(is_readable(fd));
	sigaction(SIGINT, NULL, &after);
	cr_expect_eq(after.sa_handler, SIG_DFL);
	sigaction(SIGTERM, NULL, &after);
	cr_expect_eq(after.sa_handler, SIG_DFL);
}

Test(interrupt, sigterm_is_the_same)
{
	_cleanup_err_ struct err err = ERR_INIT;
	int fd = -1;

	cr_assert_eq(interrupt_install(&fd, &err), 0);
	raise(SIGTERM);
	cr_expect(is_readable(fd));
}

Test(interrupt, what_was_ignored_stays_ignored)
{
	_cleanup_err_ struct err err = ERR_INIT;
	int fd = -1;

	signal(SIGINT, SIG_IGN);
	cr_assert_eq(interrupt_install(&fd, &err), 0);
	raise(SIGINT);
	cr_expect(!is_readable(fd));
}
