/* How far the servers of a deploy are, and why not further: see include/consul/deploy.h. */
#include <inttypes.h>
#include <stdlib.h>

#include "consul/deploy.h"
#include "consul/waiting.h"
#include "util/buf.h"
#include "util/mem.h"

/* Whether Kubernetes by itself brings every pod to the newest template. */
static bool updates_all(const struct kube_statefulset *set)
{
	return !str_equal(set->update_strategy, "OnDelete") && set->partition == 0;
}

bool deploy_is_newest(const struct kube_statefulset *set, const struct kube_pod *pod)
{
	return !updates_all(set) || !pod->revision || !set->update_revision ||
	       str_equal(pod->revision, set->update_revision);
}

/* Where nobody may ask the servers, a pod of ours that is ready says it: that is what its probe looks at. */
static bool votes(const struct snapshot *snapshot, const struct assessment *assessment,
                  const struct server_status *status)
{
	if (assessment->quorum.known)
		return status->voter;
	return str_equal(snapshot->set.managed_by, MANIFEST_MANAGED_BY) && status->server->pod.ready;
}

/* Gives why away. */
static void take_reason(struct deploy_waiting *waiting, struct waiting *why)
{
	waiting->reason = TAKE(why->reason);
	waiting->broken = why->broken;
	waiting->look_at_events = why->look_at_events;
}

static void add_waiting(const struct server_status *status, bool voter, bool old, struct deploy_progress *progress)
{
	struct deploy_waiting *waiting;
	struct waiting why = WAITING_INIT;

	progress->waiting = xreallocarray(progress->waiting, progress->waiting_count + 1, sizeof(*progress->waiting));
	waiting = &progress->waiting[progress->waiting_count++];
	*waiting = (struct deploy_waiting){ .server = xstrdup(status->server->name), .old = old };
	waiting_explain(status->server, status->peer, voter, &why);
	take_reason(waiting, &why);
}

/* ------------------------------------------------------------------------------------------ judging */

static bool is_rolled_out(const struct kube_statefulset *set)
{
	if (set->observed_generation < set->generation || set->status_replicas != set->replicas ||
	    set->ready_replicas != set->replicas)
		return false;
	return !updates_all(set) || set->updated_replicas == set->replicas;
}

static void judge_stuck(struct deploy_progress *progress)
{
	for (size_t i = 0; i < progress->waiting_count; i++) {
		struct deploy_waiting *waiting = &progress->waiting[i];

		waiting->stuck = waiting->broken && !(waiting->old && progress->moving);
		progress->stuck |= waiting->stuck;
	}
}

static bool told_before(const struct deploy_progress *progress, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (str_equal(progress->waiting[i].reason, progress->waiting[index].reason))
			return true;
	return false;
}

/* "; consul-1 and consul-2: starting": all that wait for the same reason as the one at index. */
static void add_reason(struct buf *out, const struct deploy_progress *progress, size_t index)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;

	for (size_t i = index; i < progress->waiting_count; i++)
		if (str_equal(progress->waiting[i].reason, progress->waiting[index].reason))
			strv_add(&names, progress->waiting[i].server);
	list = strv_join(&names, ", ", " and ");
	buf_addf(out, "; %s: %s", list, progress->waiting[index].reason);
}

static char *make_summary(const struct deploy_progress *progress)
{
	struct buf out = BUF_TEXT;

	buf_addf(&out, "%" PRId64 "/%" PRId64 " servers are voters", progress->voters, progress->wanted);
	if (progress->updated < progress->wanted && progress->updates)
		buf_addf(&out, ", %" PRId64 "/%" PRId64 " are updated", progress->updated, progress->wanted);
	for (size_t i = 0; i < progress->waiting_count; i++)
		if (!told_before(progress, i))
			add_reason(&out, progress, i);
	return buf_detach(&out);
}

void deploy_progress(const struct snapshot *snapshot, const struct assessment *assessment,
                     struct deploy_progress *ret_progress)
{
	bool has_leader = assessment->leader_name || !assessment->quorum.known, replacing = false;

	ret_progress->wanted = snapshot->set.replicas;
	for (size_t i = 0; i < assessment->server_count; i++) {
		const struct server_status *status = &assessment->servers[i];
		const struct kube_pod *pod = &status->server->pod;
		bool voter = status->server->has_pod && !pod->deleting && votes(snapshot, assessment, status);
		bool newest = status->server->has_pod && deploy_is_newest(&snapshot->set, pod);

		if (!snapshot_wants_ordinal(snapshot, status->server->ordinal))
			continue;
		ret_progress->updates |= status->server->has_pod && !newest;
		replacing |= newest || !status->server->has_pod || pod->deleting;
		if (voter && pod->ready) {
			ret_progress->voters++;
			ret_progress->updated += newest;
		} else {
			add_waiting(status, voter, status->server->has_pod && !newest, ret_progress);
		}
	}
	ret_progress->moving = ret_progress->updates && replacing;
	judge_stuck(ret_progress);
	ret_progress->done = ret_progress->voters == ret_progress->wanted &&
	                     ret_progress->updated == ret_progress->wanted && has_leader &&
	                     is_rolled_out(&snapshot->set);
	ret_progress->summary = make_summary(ret_progress);
}

void deploy_progress_release(struct deploy_progress *progress)
{
	for (size_t i = 0; i < progress->waiting_count; i++) {
		free(progress->waiting[i].server);
		free(progress->waiting[i].reason);
	}
	free(progress->waiting);
	free(progress->summary);
	*progress = (struct deploy_progress)DEPLOY_PROGRESS_INIT;
}

/* ------------------------------------------------------------------------------------------- events */

static bool is_worth_a_look(const struct deploy_progress *progress)
{
	for (size_t i = 0; i < progress->waiting_count; i++)
		if (progress->waiting[i].look_at_events)
			return true;
	return false;
}

int deploy_explain(struct kube_client *client, const struct snapshot *snapshot, struct deploy_progress *progress,
                   int64_t deadline_ms, struct err *err)
{
	cJSON *events = NULL;

	if (!is_worth_a_look(progress))
		return 0;
	if (waiting_read_events(client, snapshot, deadline_ms, &events, err) < 0)
		return -1;
	for (size_t i = 0; i < progress->waiting_count; i++) {
		struct deploy_waiting *waiting = &progress->waiting[i];
		const struct server *server = snapshot_server_by_name(snapshot, waiting->server);
		struct waiting why = { waiting->reason, waiting->broken, waiting->look_at_events };

		if (server)
			waiting_add_event(events, snapshot, server, &why);
		take_reason(waiting, &why);
	}
	cJSON_Delete(events);
	judge_stuck(progress);
	replace_string(&progress->summary, make_summary(progress));
	return 0;
}
