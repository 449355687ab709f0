/* Credential plugins and those who wait for them: include/kube/transport.h. */
#include "kube/transport.h"

#include <criterion/criterion.h>

#include "kube/exec_credential.h"
#include "util/clock.h"
#include "util/str.h"

#define ANSWER                                                                                                         \
	"echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":"            \
	"{\"token\":\"t\"}}'"

struct waiter {
	struct kube_transport_wait wait;
	bool is_told;
};

static char server[] = "https://h", api_version[] = "client.authentication.k8s.io/v1", command[] = "sh";
static struct exec_plugin plugin = { .api_version = api_version, .command = command, .interactive = EXEC_NEVER };
static struct kube_config config = { .server = server, .exec = &plugin };
static struct kube_transport *transport;
static struct loop *loop;
static struct err err;

static void set_up(void)
{
	strv_add(&plugin.arguments, "-c");
	strv_add(&plugin.arguments, ANSWER);
	loop = loop_new();
	cr_assert_eq(kube_transport_new(&config, NULL, &transport, &err), 0, "%s", err.message);
	kube_transport_set_loop(transport, loop);
}

static void tear_down(void)
{
	kube_transport_free(transport);
	loop_free(loop);
	strv_release(&plugin.arguments);
}

TestSuite(transport_plugin, .init = set_up, .fini = tear_down, .timeout = 60);

static void on_ready(void *context, const struct err *reason)
{
	struct waiter *waiter = context;

	cr_assert_not(waiter->is_told);
	cr_assert_null(reason, "%s", reason->message);
	waiter->is_told = true;
}

static bool is_told(void *context)
{
	return ((const struct waiter *)context)->is_told;
}

static void start_waiting(struct waiter *waiter)
{
	*waiter = (struct waiter){ .wait = { .ready = on_ready, .context = waiter } };
	kube_transport_wait(transport, &waiter->wait);
}

Test(transport_plugin, one_run_is_for_all_who_wait)
{
	struct waiter first, second;

	start_waiting(&first);
	start_waiting(&second);
	cr_assert_eq(loop_run(loop, is_told, &first, clock_monotonic_ms() + 20000, &err), 0, "%s", err.message);
	cr_expect(second.is_told);
	cr_expect(kube_transport_is_ready(transport));
	cr_expect_eq(kube_transport_generation(transport), 1);
}

/* The deadline may be over before the plugin has begun. */
Test(transport_plugin, the_wait_counts_from_its_beginning)
{
	struct waiter waiter;

	start_waiting(&waiter);
	cr_expect_eq(kube_transport_wait_error(transport, &err), -1);
	cr_expect(str_starts_with(err.message, "getting credentials: exec: executable sh has not ended within 0."),
	          "%s", err.message);
	err_release(&err);
	kube_transport_unwait(transport, &waiter.wait);
}
