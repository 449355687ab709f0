/* How far the servers of a deploy are, and why not further: see include/consul/deploy.h. */
#include <inttypes.h>
#include <stdlib.h>

#include "consul/deploy.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

/* What is shown of a reason that Kubernetes gives. */
#define REASON_SHOWN ((size_t)300)
/* Most events that are read at once. */
#define EVENTS_READ "500"
/* Older events are about something else. */
#define EVENT_AGE_MAX_S 600

static const char *const broken_reasons[] = {
	"InvalidImageName",           "ErrImageNeverPull",    "CrashLoopBackOff",
	"CreateContainerConfigError", "CreateContainerError", "RunContainerError",
};

static bool is_broken(const char *reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(broken_reasons); i++)
		if (str_equal(reason, broken_reasons[i]))
			return true;
	return false;
}

/* On one line, fit for a terminal. */
static char *one_line(const char *text)
{
	_cleanup_free_ char *copy = xstrdup(text);

	for (char *at = copy; *at; at++)
		if (*at == '\n' || *at == '\r' || *at == '\t')
			*at = ' ';
	return str_visible(copy, REASON_SHOWN);
}

static char *with_message(const char *reason, const char *message)
{
	_cleanup_free_ char *text = str_is_empty(message) ? xstrdup(reason) : xasprintf("%s: %s", reason, message);

	return one_line(text);
}

static bool is_wanted(const struct kube_statefulset *set, const struct server *server)
{
	return server->ordinal >= set->ordinal_start && server->ordinal < set->ordinal_start + set->replicas;
}

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

/* ------------------------------------------------------------------------------------ why it waits */

static bool is_image_reason(const char *reason)
{
	return str_equal(reason, "ImagePullBackOff") || str_equal(reason, "ErrImagePull");
}

/*
 * A container that does not run. An image that cannot be pulled goes back and forth between two reasons, and only
 * sometimes has a message: it gets one text, and the cause from the events.
 */
static void explain_container(const struct kube_container *container, struct deploy_waiting *waiting)
{
	const char *reason = container->waiting_reason;

	if (!reason && container->terminated_reason) {
		waiting->reason = with_message("its container ended", container->terminated_reason);
	} else if (!reason || str_equal(reason, "ContainerCreating") || str_equal(reason, "PodInitializing")) {
		waiting->reason = xstrdup("starting");
		waiting->look_at_events = true;
	} else if (is_image_reason(reason)) {
		waiting->reason = with_message("cannot pull image", container->image);
		waiting->look_at_events = true;
		waiting->broken = true;
	} else {
		waiting->reason = with_message(reason, container->waiting_message);
		waiting->broken = is_broken(reason);
	}
}

static void explain_pod(const struct kube_pod *pod, const struct kube_container *container,
                        struct deploy_waiting *waiting)
{
	if (pod->deleting) {
		waiting->reason = xstrdup("stopping");
	} else if (pod->unscheduled_message) {
		waiting->reason = with_message("not scheduled", pod->unscheduled_message);
	} else if (pod->status_reason) {
		waiting->reason = with_message("its pod has ended", pod->status_reason);
	} else if (container) {
		explain_container(container, waiting);
	} else {
		waiting->reason = xstrdup("starting");
		waiting->look_at_events = true;
	}
}

static const char *consul_reason(const struct server_status *status, bool voter)
{
	const struct view *view = &status->server->view;

	if (voter)
		return "a voter, about to be ready";
	if (status->peer)
		return "joined, not a voter yet";
	if (!view->members_known && !view->peers_known && !view->self_known)
		return "running, does not answer yet";
	return "running, not in raft yet";
}

static struct deploy_waiting *add_waiting(const struct server *server, struct deploy_progress *progress)
{
	struct deploy_waiting *waiting;

	progress->waiting = xreallocarray(progress->waiting, progress->waiting_count + 1, sizeof(*progress->waiting));
	waiting = &progress->waiting[progress->waiting_count++];
	*waiting = (struct deploy_waiting){ .server = xstrdup(server->name) };
	return waiting;
}

static void explain(const struct server_status *status, bool voter, bool old, struct deploy_progress *progress)
{
	const struct server *server = status->server;
	struct deploy_waiting *waiting = add_waiting(server, progress);

	waiting->old = old;
	if (!server->has_pod) {
		waiting->reason = xstrdup("its pod does not exist yet");
		waiting->look_at_events = true;
	} else if (server->container && server->container->running && !server->pod.deleting) {
		waiting->reason = xstrdup(consul_reason(status, voter));
	} else {
		explain_pod(&server->pod, server->container, waiting);
	}
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

		if (!is_wanted(&snapshot->set, status->server))
			continue;
		ret_progress->updates |= status->server->has_pod && !newest;
		replacing |= newest || !status->server->has_pod || pod->deleting;
		if (voter && pod->ready) {
			ret_progress->voters++;
			ret_progress->updated += newest;
		} else {
			explain(status, voter, status->server->has_pod && !newest, ret_progress);
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

/* RFC 3339 times sort as text. */
static const char *event_time(const cJSON *event)
{
	const char *last = json_string_at(event, "lastTimestamp");

	if (!last)
		last = json_string_at(event, "eventTime");
	return last ? last : "";
}

static bool is_recent(const cJSON *event, int64_t now_s)
{
	int64_t when_s;

	return clock_parse_rfc3339(event_time(event), &when_s) == 0 && now_s - when_s <= EVENT_AGE_MAX_S;
}

/* Reasons that the pod's own status tells as well, and tells of now. */
static bool is_told_by_status(const char *reason)
{
	static const char *const told[] = { "Unhealthy", "Failed", "BackOff", "FailedScheduling" };

	for (size_t i = 0; i < ARRAY_SIZE(told); i++)
		if (str_equal(reason, told[i]))
			return true;
	return false;
}

/*
 * The newest event about the object of this uid: the failed pull of an image, or anything that its status does not
 * tell.
 */
static const cJSON *newest_event(const cJSON *items, const char *uid, bool is_pull, int64_t now_s)
{
	const cJSON *event, *newest = NULL;

	cJSON_ArrayForEach (event, items) {
		const char *reason = json_string_at(event, "reason"), *message = json_string_at(event, "message");
		bool fits;

		if (!uid || !reason || !message || !str_equal(json_string_at(event, "involvedObject.uid"), uid))
			continue;
		fits = is_pull ? str_starts_with(message, "Failed to pull image") : !is_told_by_status(reason);
		if (fits && is_recent(event, now_s) && (!newest || strcmp(event_time(event), event_time(newest)) > 0))
			newest = event;
	}
	return newest;
}

/* What went wrong stands at the end of long messages: what is after the last colon but one. */
static const char *end_of(const char *message)
{
	const char *last = message, *before = message;

	for (const char *at = message; (at = strstr(at, ": ")); at += 2) {
		before = last;
		last = at + 2;
	}
	return before;
}

static void explain_by_event(const struct snapshot *snapshot, const cJSON *items, struct deploy_waiting *waiting)
{
	const struct server *server = snapshot_server_by_name(snapshot, waiting->server);
	bool has_pod = server && server->has_pod;
	const cJSON *event =
	    newest_event(items, has_pod ? server->pod.uid : snapshot->set.uid, waiting->broken, snapshot->taken_at);
	const char *reason = json_string_at(event, "reason"), *message = json_string_at(event, "message");
	_cleanup_free_ char *shown = NULL;

	if (!reason || !message)
		return;
	shown = waiting->broken ? one_line(end_of(message)) : with_message(reason, message);
	replace_string(&waiting->reason, xasprintf("%s: %s", waiting->reason, shown));
	waiting->broken |= !has_pod && str_equal(reason, "FailedCreate");
}

int deploy_explain(struct kube_client *client, const struct snapshot *snapshot, struct deploy_progress *progress,
                   int64_t deadline_ms, struct err *err)
{
	struct buf path = BUF_TEXT;
	struct kube_call call = { .method = KUBE_GET };
	bool wanted = false;
	int status;

	for (size_t i = 0; i < progress->waiting_count; i++)
		wanted |= progress->waiting[i].look_at_events;
	if (!wanted)
		return 0;
	buf_adds(&path, "/api/v1/namespaces/");
	buf_add_url(&path, snapshot->namespace_name);
	buf_adds(&path, "/events?fieldSelector=type%3DWarning&limit=" EVENTS_READ);
	call.path = buf_text(&path);
	status = kube_client_perform(client, &call, 1, deadline_ms, err);
	for (size_t i = 0; status == 0 && i < progress->waiting_count; i++)
		if (progress->waiting[i].look_at_events)
			explain_by_event(snapshot, json_get(call.json, "items"), &progress->waiting[i]);
	kube_call_release(&call);
	buf_release(&path);
	if (status == 0) {
		judge_stuck(progress);
		replace_string(&progress->summary, make_summary(progress));
	}
	return status;
}
