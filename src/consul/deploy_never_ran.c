/* Pods of an older template that never ran, and keep Kubernetes waiting for ever: see include/consul/deploy.h. */
#include <stdlib.h>

#include "consul/deploy.h"
#include "kube/delete.h"
#include "util/buf.h"

/* Source: kubelet, pkg/kubelet/images/types.go and pkg/kubelet/kuberuntime/kuberuntime_container.go. */
static const char *const never_started_reasons[] = {
	"ErrImagePull",      "ImagePullBackOff",           "InvalidImageName",
	"ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError",
};

static bool cannot_start(const char *reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(never_started_reasons); i++)
		if (str_equal(reason, never_started_reasons[i]))
			return true;
	return false;
}

/* In this pod. What ran in an earlier one is told by its peers. */
static bool container_never_ran(const struct kube_container *container)
{
	return !container->running && !container->ready && container->restarts == 0 && container->started_at == 0 &&
	       !container->terminated_reason && !container->was_terminated;
}

static bool pod_never_ran(const struct server *server)
{
	const struct kube_pod *pod = &server->pod;
	const struct kube_container *container = server->container;

	if (!container || !container_never_ran(container) || pod->ready || !str_equal(pod->phase, "Pending"))
		return false;
	if (pod->unscheduled_message && !pod->node)
		return !container->waiting_reason;
	return cannot_start(container->waiting_reason);
}

/* --------------------------------------------------------------------------------------- what others say */

static bool is_peer(const struct view *view, const struct server *server)
{
	if (server->pod.ip && view_peer_by_ip(view, server->pod.ip))
		return true;
	for (size_t i = 0; i < view->peer_count; i++)
		if (str_equal(view->peers[i].name, server->name))
			return true;
	return false;
}

static bool is_live(const struct member *member)
{
	return member && (member->status == MEMBER_ALIVE || member->status == MEMBER_LEAVING);
}

static bool is_live_member(const struct view *view, const struct server *server)
{
	return is_live(view_member_by_name(view, server->name)) ||
	       (server->pod.ip && is_live(view_member_by_address(view, server->pod.ip)));
}

static bool is_known_to_anybody(const struct snapshot *snapshot, const struct server *server)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct view *view = &snapshot->servers[i].view;

		if (is_peer(view, server) || is_live_member(view, server))
			return true;
	}
	return false;
}

/* A server that runs and does not tell its peers may have anybody as one. */
static bool all_that_run_have_told(const struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *server = &snapshot->servers[i];

		if (server->has_pod && (!server->container || server->container->running) && !server->view.peers_known)
			return false;
	}
	return true;
}

/* ------------------------------------------------------------------------------------------ the decision */

/* One that never ran may take its whole grace period to go: others like it need not wait for that. */
static bool a_server_is_stopping(const struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *server = &snapshot->servers[i];

		if (snapshot_wants_ordinal(snapshot, server->ordinal) && server->pod.deleting && !pod_never_ran(server))
			return true;
	}
	return false;
}

static bool is_in_the_way(const struct snapshot *snapshot, const struct server *server)
{
	const struct kube_statefulset *set = &snapshot->set;

	return server->has_pod && snapshot_wants_ordinal(snapshot, server->ordinal) && !server->pod.deleting &&
	       set->uid && server->pod.uid && str_equal(server->pod.owner_uid, set->uid) &&
	       !deploy_is_newest(set, &server->pod) && pod_never_ran(server) && !is_known_to_anybody(snapshot, server);
}

void deploy_never_ran(const struct snapshot *snapshot, struct deploy_never_ran *ret_pods)
{
	if (snapshot->set.observed_generation < snapshot->set.generation || a_server_is_stopping(snapshot) ||
	    !all_that_run_have_told(snapshot))
		return;
	ret_pods->servers = xcalloc(snapshot->server_count + 1, sizeof(const struct server *));
	for (size_t i = snapshot->server_count; i-- > 0;)
		if (is_in_the_way(snapshot, &snapshot->servers[i]))
			ret_pods->servers[ret_pods->count++] = &snapshot->servers[i];
}

void deploy_never_ran_release(struct deploy_never_ran *pods)
{
	free(pods->servers);
	*pods = (struct deploy_never_ran)DEPLOY_NEVER_RAN_INIT;
}

/* --------------------------------------------------------------------------------------------- the edge */

int deploy_delete_pod(struct kube_client *client, const struct snapshot *snapshot, const struct server *server,
                      int64_t deadline_ms, bool *ret_deleted, struct err *err)
{
	_cleanup_buf_ struct buf path = BUF_TEXT;

	buf_adds(&path, "/api/v1/namespaces/");
	buf_add_url(&path, snapshot->namespace_name);
	buf_adds(&path, "/pods/");
	buf_add_url(&path, server->name);
	/* Not changed since it was seen, so that a container that has just started is not met. */
	return kube_delete_as_seen(client, buf_text(&path), server->pod.uid, server->pod.resource_version, deadline_ms,
	                           ret_deleted, err);
}
