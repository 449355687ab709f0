/* See include/cmd/claim.h. */
#include "cmd/claim.h"

#include <stdlib.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/* Giving the lease back, which people wait for. */
#define RELEASE_TIMEOUT_MS ((int64_t)3 * 1000)
/* Longest name of a machine. */
#define HOST_NAME_BYTES 256

static char *holder(const struct cmd_context *context, const char *label)
{
	const struct cmd_environment *environment = context->environment;
	_cleanup_free_ char *user =
	    environment->user ? xstrdup(environment->user) : xasprintf("uid %ld", (long)getuid());
	char host[HOST_NAME_BYTES] = "";

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	return xasprintf("%s%s%s (pid %ld, %s)", user, *host ? "@" : "", host, (long)getpid(), label);
}

struct kube_lease *claim_new(const struct cmd_context *context, const struct connection *connection,
                             const char *set_name, const char *label)
{
	_cleanup_free_ char *name = xasprintf("%s-kubectl-consul", set_name);
	_cleanup_free_ char *who = holder(context, label);
	struct kube_lease_options options = {
		.namespace_name = connection->config.namespace_name,
		.name = name,
		.holder = who,
	};

	return kube_lease_new(connection->client, &options);
}

static void show_holder(void *context, const char *who, int64_t quiet_ms, int64_t left_ms)
{
	struct term_live *live = context;
	_cleanup_free_ char *now = clock_time_of_day();
	_cleanup_free_ char *name = str_visible(who, 0);
	_cleanup_free_ char *quiet = clock_format_age(quiet_ms / 1000);
	_cleanup_free_ char *left = clock_format_age((left_ms + 999) / 1000);
	_cleanup_free_ char *line = xasprintf("waiting: the cluster is being changed by %s", name);
	_cleanup_free_ char *block =
	    xasprintf("%s\n  not heard of for %s; taken over in %s if that goes on\n", line, quiet, left);

	term_live_show(live, now, block, line);
}

int claim_take(struct kube_lease *lease, struct term_live *live, int64_t deadline_ms, struct err *err)
{
	int status = kube_lease_take(lease, deadline_ms, show_holder, live, err);

	if (status == 0)
		term_live_clear(live);
	return status;
}

void claim_give_back(const struct cmd_context *context, const struct connection *connection, struct kube_lease *lease)
{
	if (!lease)
		return;
	loop_set_interrupt(connection->loop, -1);
	kube_lease_release(lease, clock_monotonic_ms() + RELEASE_TIMEOUT_MS);
	kube_lease_free(lease);
	loop_set_interrupt(connection->loop, context->interrupt_fd);
}
