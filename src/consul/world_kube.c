/* See include/consul/world_kube.h. */
#include "consul/world_kube.h"

#include <inttypes.h>
#include <stdlib.h>

#include "consul/deploy.h"
#include "consul/expect.h"
#include "consul/manifest.h"
#include "consul/observe.h"
#include "consul/tell.h"
#include "consul/waiting.h"
#include "kube/delete.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define OBSERVE_MS ((int64_t)8000)
#define CHANGE_MS  ((int64_t)10000)
/* An agent that leaves answers when it has left, some ten seconds later: that it heard of it is all we wait for. */
#define LEAVE_MS ((int64_t)3000)
/*
 * kubelets keep what their pods mount, and hear of a change by the same watches as of new pods: a pod that is made this
 * long after the change finds it.
 */
#define CONFIG_SPREADS_MS ((int64_t)3000)

static int64_t in_ms(const struct world_kube *world, int64_t milliseconds)
{
	int64_t deadline_ms = clock_monotonic_ms() + milliseconds;

	return world->deadline_ms > 0 && world->deadline_ms < deadline_ms ? world->deadline_ms : deadline_ms;
}

static int world_observe(void *context, struct snapshot *ret_snapshot, struct err *err)
{
	const struct world_kube *world = context;
	struct observe_options options = {
		.namespace_name = world->namespace_name,
		.name = world->name,
		.access = world->access,
		.autopilot = true,
		.deadline_ms = in_ms(world, OBSERVE_MS),
	};

	return observe(world->client, &options, ret_snapshot, err);
}

static int world_keep(void *context, struct err *err)
{
	const struct world_kube *world = context;

	return world->lease ? kube_lease_keep(world->lease, in_ms(world, CHANGE_MS), err) : 0;
}

/* ---------------------------------------------------------------------------------------- Kubernetes */

/* The path of an object of the snapshot's namespace; rest may be "". */
static char *object_path(const char *group, const struct snapshot *seen, const char *resource, const char *name,
                         const char *rest)
{
	struct buf path = BUF_TEXT;

	buf_addf(&path, "%s/namespaces/", group);
	buf_add_url(&path, seen->namespace_name);
	buf_addf(&path, "/%s/", resource);
	buf_add_url(&path, name);
	buf_adds(&path, rest);
	return buf_detach(&path);
}

static char *scale_patch(const struct kube_statefulset *set, int64_t replicas)
{
	cJSON *json = json_object("metadata", json_object("resourceVersion", json_string(set->resource_version), NULL),
	                          "spec", json_object("replicas", json_int(replicas), NULL), NULL);
	char *text = json_text(json);

	cJSON_Delete(json);
	return text;
}

static int explain_scale(const struct snapshot *seen, int64_t replicas, struct err *err)
{
	if (err->kind == ERR_FORBIDDEN)
		err_hint(err,
		         "a Role must allow \"patch\" on \"statefulsets/scale\" of API group \"apps\"; check: "
		         "kubectl auth can-i patch statefulsets.apps --subresource=scale -n %s",
		         seen->namespace_name);
	if (err->kind == ERR_NOT_FOUND)
		err_hint(err,
		         "it was there a moment ago; kubectl get statefulset %s -n %s shows whether it is, and "
		         "scaling it takes \"patch\" on \"statefulsets/scale\"",
		         seen->set.name, seen->namespace_name);
	return err_wrap(err, "cannot scale statefulset.apps/%s to %" PRId64, seen->set.name, replicas);
}

static int world_set_replicas(void *context, const struct snapshot *seen, int64_t replicas, struct err *err)
{
	const struct world_kube *world = context;
	_cleanup_free_ char *path = object_path("/apis/apps/v1", seen, "statefulsets", seen->set.name, "/scale");
	_cleanup_free_ char *body = scale_patch(&seen->set, replicas);
	struct kube_call call = {
		.method = KUBE_PATCH,
		.path = path,
		.content_type = "application/merge-patch+json",
		.body = body,
	};
	int status;

	/* Without a version anybody's change meanwhile would be undone. */
	if (!seen->set.resource_version)
		return err_set(err, ERR_PROTOCOL, "statefulset.apps/%s has no resourceVersion: it is not scaled",
		               seen->set.name);
	status = kube_client_perform(world->client, &call, 1, in_ms(world, CHANGE_MS), err);
	if (status == 0 && err_move(err, &call.err) < 0)
		status = explain_scale(seen, replicas, err);
	kube_call_release(&call);
	return status;
}

static int explain_expect(const struct snapshot *seen, int64_t expect, struct err *err)
{
	if (err->kind == ERR_FORBIDDEN)
		err_hint(err,
		         "a Role must allow \"get\" and \"patch\" on \"configmaps\"; check: "
		         "kubectl auth can-i patch configmaps -n %s",
		         seen->namespace_name);
	if (err->kind == ERR_CONFLICT && strstr(err->message, "Apply failed with ")) {
		/* Whoever set it would set it back. */
		err->kind = ERR_REFUSED;
		err_hint(err,
		         "somebody else set it: make bootstrap_expect %" PRId64
		         " where it comes from; kubectl edit configmap %s-server -n %s if that is nowhere else",
		         expect, seen->set.name, seen->namespace_name);
	}
	return err_wrap(err, "cannot change bootstrap_expect in configmap/%s-server", seen->set.name);
}

/* Applied by the field manager that deploy is, so that a later deploy finds it as its own. */
static int world_set_expect(void *context, const struct snapshot *seen, int64_t expect, struct err *err)
{
	const struct world_kube *world = context;
	_cleanup_free_ char *name = xasprintf("%s-server", seen->set.name);
	_cleanup_free_ char *path =
	    object_path("/api/v1", seen, "configmaps", name, "?fieldManager=" MANIFEST_MANAGED_BY);
	_cleanup_free_ char *body = NULL;
	struct kube_call call = { .method = KUBE_PATCH, .path = path, .content_type = "application/apply-patch+yaml" };
	int status;

	if (!seen->expect.can_change)
		return err_set(err, ERR_FAILED, "bootstrap_expect is not changed: it was not seen in configmap/%s",
		               name);
	body = expect_apply(seen, expect);
	call.body = body;
	status = kube_client_perform(world->client, &call, 1, in_ms(world, CHANGE_MS), err);
	if (status == 0 && err_move(err, &call.err) < 0)
		status = explain_expect(seen, expect, err);
	kube_call_release(&call);
	return status < 0 ? -1 : loop_sleep(kube_client_loop(world->client), CONFIG_SPREADS_MS, err);
}

static const struct kube_claim *find_claim(const struct snapshot *seen, const char *name)
{
	for (size_t i = 0; i < seen->claim_count; i++)
		if (str_equal(seen->claims[i].name, name))
			return &seen->claims[i];
	return NULL;
}

static int world_delete_claim(void *context, const struct snapshot *seen, const char *name, struct err *err)
{
	const struct world_kube *world = context;
	const struct kube_claim *claim = find_claim(seen, name);
	_cleanup_free_ char *path = object_path("/api/v1", seen, "persistentvolumeclaims", name, "");
	bool deleted;

	if (!claim || !claim->uid || !claim->resource_version)
		return err_set(err, ERR_FAILED,
		               "persistentvolumeclaim/%s is not deleted: it was not seen, or without uid and version",
		               name);
	if (kube_delete_as_seen(world->client, path, claim->uid, claim->resource_version, in_ms(world, CHANGE_MS),
	                        &deleted, err) < 0)
		return err_wrap(err, "cannot delete persistentvolumeclaim/%s", name);
	return 0;
}

static int explain_delete_pod(const struct snapshot *seen, const char *name, struct err *err)
{
	if (err->kind == ERR_FORBIDDEN)
		err_hint(err, "a Role must allow \"delete\" on \"pods\"; check: kubectl auth can-i delete pods -n %s",
		         seen->namespace_name);
	return err_wrap(err, "cannot delete pod/%s", name);
}

static int world_delete_pod(void *context, const struct snapshot *seen, const char *name, struct err *err)
{
	const struct world_kube *world = context;
	const struct server *server = snapshot_server_by_name(seen, name);
	bool deleted;

	if (!server || !server->pod.uid || !server->pod.resource_version)
		return err_set(err, ERR_FAILED, "pod/%s is not deleted: it was not seen, or without uid and version",
		               name);
	if (deploy_delete_pod(world->client, seen, server, in_ms(world, CHANGE_MS), &deleted, err) < 0)
		return explain_delete_pod(seen, name, err);
	return 0;
}

static int world_explain(void *context, const struct snapshot *seen, struct plan *plan, struct err *err)
{
	const struct world_kube *world = context;
	const struct server *server = plan->subject ? snapshot_server_by_name(seen, plan->subject) : NULL;
	struct waiting waiting = WAITING_INIT;
	int status;

	if (!server || !plan->text)
		return 0;
	waiting.reason = TAKE(plan->text);
	waiting.broken = plan->broken;
	waiting.look_at_events = plan->look_at_events;
	status = waiting_explain_by_events(world->client, seen, server, in_ms(world, CHANGE_MS), &waiting, err);
	plan->text = TAKE(waiting.reason);
	plan->broken = waiting.broken;
	waiting_release(&waiting);
	return status;
}

/* -------------------------------------------------------------------------------------------- Consul */

static enum tell_kind order_of(const struct step *step)
{
	switch (step->kind) {
	case STEP_TRANSFER_LEADER:
		return TELL_TRANSFER_LEADER;
	case STEP_LEAVE:
		return TELL_LEAVE;
	case STEP_FORCE_LEAVE:
		return TELL_FORCE_LEAVE;
	case STEP_PRUNE:
		return TELL_PRUNE;
	case STEP_REMOVE_PEER:
		return step->by_address ? TELL_REMOVE_PEER_ADDRESS : TELL_REMOVE_PEER_ID;
	case STEP_MIN_QUORUM:
		return TELL_MIN_QUORUM;
	case STEP_JOIN:
		return TELL_JOIN;
	case STEP_REPLICAS:
	case STEP_DELETE_CLAIM:
	case STEP_EXPECT:
	case STEP_RESTART:
		break;
	}
	abort(); /* a programming mistake: no agent is told these */
}

static int world_tell(void *context, const struct snapshot *seen, const struct step *step, struct err *err)
{
	const struct world_kube *world = context;
	const struct server *server = step->through ? snapshot_server_by_name(seen, step->through) : NULL;
	_cleanup_free_ char *number = xasprintf("%" PRId64, step->number);
	bool leaves = step->kind == STEP_LEAVE;
	struct tell order = { .kind = order_of(step) };
	struct err problem = ERR_INIT;

	if (!server || !server->has_pod)
		return err_set(err, ERR_UNREACHABLE, "there is no pod %s to tell it to",
		               step->through ? step->through : "at all");
	if (step->kind == STEP_MIN_QUORUM)
		order.argument = number;
	else
		order.argument = step->object && !leaves ? step->object : "";
	if (tell(world->client, server, &order, world->access, in_ms(world, leaves ? LEAVE_MS : CHANGE_MS), &problem) ==
	    0)
		return 0;
	if (!leaves || problem.kind != ERR_TIMEOUT)
		return err_move(err, &problem);
	err_release(&problem);
	return 0;
}

/* ----------------------------------------------------------------------------------- its containers */

static int world_crash(void *context, const struct snapshot *seen, struct crash_order *orders, size_t count,
                       struct err *err)
{
	const struct world_kube *world = context;

	return crash(world->client, seen, orders, count, in_ms(world, CHANGE_MS), err);
}

static int world_remove_peers(void *context, const struct snapshot *seen, const struct crash_order *order,
                              struct err *err)
{
	const struct world_kube *world = context;

	return crash_remove_peers(world->client, seen, order, in_ms(world, CHANGE_MS), err);
}

static int world_inspect(void *context, const struct snapshot *seen, struct remains *ret_remains, struct err *err)
{
	const struct world_kube *world = context;

	return remains_look(world->client, seen, ret_remains, in_ms(world, OBSERVE_MS), err);
}

/* --------------------------------------------------------------------------------------------- time */

static int64_t world_now_ms(void *context)
{
	(void)context;
	return clock_monotonic_ms();
}

static int world_sleep(void *context, int64_t milliseconds, struct err *err)
{
	const struct world_kube *world = context;

	return loop_sleep(kube_client_loop(world->client), milliseconds, err);
}

void world_kube(struct world_kube *context, struct world *ret_world)
{
	*ret_world = (struct world){
		.context = context,
		.observe = world_observe,
		.keep = world_keep,
		.set_replicas = world_set_replicas,
		.tell = world_tell,
		.set_expect = world_set_expect,
		.delete_claim = world_delete_claim,
		.delete_pod = world_delete_pod,
		.crash = world_crash,
		.remove_peers = world_remove_peers,
		.inspect = world_inspect,
		.explain = world_explain,
		.now_ms = world_now_ms,
		.sleep = world_sleep,
	};
}
