/* kube/config.h in a pod: the service account counts if there is no configuration and all three signs of it are there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "kube/config.h"
#include "util/mem.h"
#include "util/str.h"

static char directory[] = "/tmp/unit-pod-XXXXXX";
static struct err err;

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void set_up(void)
{
	cr_assert_not_null(mkdtemp(directory));
	cr_assert_eq(chdir(directory), 0);
	write_file("token", "t");
	write_file("namespace", "of-the-pod\n");
}

static void tear_down(void)
{
	err_release(&err);
	unlink("token");
	unlink("namespace");
	unlink("config");
	rmdir(directory);
}

TestSuite(config_pod, .init = set_up, .fini = tear_down);

static const struct kube_config_inputs in_pod = { .env_service_host = "10.0.0.1",
	                                          .env_service_port = "443",
	                                          .service_account_dir = "." };

static void expect_failure(const struct kube_config_inputs *inputs, const char *message)
{
	struct kube_config config;

	cr_assert_eq(kube_config_load(inputs, &config, &err), -1);
	cr_expect_str_eq(err.message, message);
	err_release(&err);
}

Test(config_pod, all_three_must_be_there)
{
	static const char none[] = "invalid configuration: no configuration has been provided";
	struct kube_config_inputs inputs = in_pod;

	inputs.env_service_host = "";
	expect_failure(&inputs, none);
	inputs = in_pod;
	inputs.env_service_port = NULL;
	expect_failure(&inputs, none);
	unlink("token");
	expect_failure(&in_pod, none);
}

Test(config_pod, a_configuration_that_leads_nowhere_is_not_replaced_by_it)
{
	struct kube_config_inputs inputs = in_pod;

	write_file("config", "current-context: gone\n");
	inputs.env_kubeconfig = "config";
	expect_failure(&inputs, "context was not found for specified context: gone");
}

Test(config_pod, the_namespace_is_in_a_file_and_the_environment_has_the_proxy)
{
	struct kube_config_inputs inputs = in_pod;
	struct kube_config config;

	inputs.env_proxy.https_proxy = "http://proxy.example:3128";
	cr_assert_eq(kube_config_load(&inputs, &config, &err), 0, "%s", err.message);
	cr_expect_str_eq(config.server, "https://10.0.0.1:443");
	cr_expect_str_eq(config.namespace_name, "of-the-pod");
	cr_expect_str_eq(config.token_file, "./token");
	cr_expect_str_eq(config.proxy.shown, "http://proxy.example:3128 (HTTPS_PROXY)");
	kube_config_release(&config);
}
