/* See include/consul/snapshot.h. */
#include "consul/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "consul/expect.h"
#include "util/mem.h"
#include "util/str.h"

const struct server *snapshot_server_by_name(const struct snapshot *snapshot, const char *pod_name)
{
	for (size_t i = 0; pod_name && i < snapshot->server_count; i++)
		if (str_equal(snapshot->servers[i].name, pod_name))
			return &snapshot->servers[i];
	return NULL;
}

int64_t snapshot_claim_ordinal(const struct snapshot *snapshot, const char *claim_name)
{
	const struct strv *templates = &snapshot->set.claim_templates;

	for (size_t i = 0; i < templates->count; i++) {
		size_t length = strlen(templates->items[i]);
		int64_t ordinal;

		if (!str_starts_with(claim_name, templates->items[i]) || claim_name[length] != '-')
			continue;
		ordinal = kube_ordinal(snapshot->set.name, claim_name + length + 1);
		if (ordinal >= 0)
			return ordinal;
	}
	return -1;
}

bool snapshot_would_want(const struct snapshot *snapshot, int64_t ordinal, int64_t replicas)
{
	int64_t first = snapshot->set.ordinal_start;

	return ordinal >= first && ordinal - first < replicas;
}

bool snapshot_wants_ordinal(const struct snapshot *snapshot, int64_t ordinal)
{
	return snapshot_would_want(snapshot, ordinal, snapshot->set.replicas);
}

static void server_release(struct server *server)
{
	free(server->name);
	kube_pod_release(&server->pod);
	view_release(&server->view);
}

bool snapshot_has_old_pod(const struct snapshot *snapshot, const struct server *server)
{
	const char *newest = snapshot->set.update_revision;

	return server->has_pod && newest && server->pod.revision && !str_equal(server->pod.revision, newest);
}

void snapshot_release(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->server_count; i++)
		server_release(&snapshot->servers[i]);
	for (size_t i = 0; i < snapshot->claim_count; i++)
		kube_claim_release(&snapshot->claims[i]);
	free(snapshot->servers);
	free(snapshot->claims);
	free(snapshot->namespace_name);
	kube_statefulset_release(&snapshot->set);
	kube_budget_release(&snapshot->budget.budget);
	err_release(&snapshot->budget.err);
	err_release(&snapshot->claims_err);
	err_release(&snapshot->autopilot.err);
	expect_release(&snapshot->expect);
	err_release(&snapshot->expect.err);
	err_release(&snapshot->token.err);
	*snapshot = (struct snapshot)SNAPSHOT_INIT;
}
