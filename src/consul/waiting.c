/* Why a server is not there yet: see include/consul/waiting.h. */
#include "consul/waiting.h"

#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

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

/* ----------------------------------------------------------------------------------- from the snapshot */

static bool is_image_reason(const char *reason)
{
	return str_equal(reason, "ImagePullBackOff") || str_equal(reason, "ErrImagePull");
}

/*
 * A container that does not run. An image that cannot be pulled goes back and forth between two reasons, and only
 * sometimes has a message: it gets one text, and the cause from the events.
 */
static void explain_container(const struct kube_container *container, struct waiting *waiting)
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

static void explain_pod(const struct kube_pod *pod, const struct kube_container *container, struct waiting *waiting)
{
	if (pod->deleting) {
		waiting->reason = xstrdup(
		    container && !container->running ? "stopped; Kubernetes has still to remove its pod" : "stopping");
	} else if (pod->unscheduled_message) {
		waiting->reason = with_message("not scheduled", pod->unscheduled_message);
		waiting->look_at_events = true;
	} else if (pod->status_reason) {
		waiting->reason = with_message("its pod has ended", pod->status_reason);
	} else if (container) {
		explain_container(container, waiting);
	} else {
		waiting->reason = xstrdup("starting");
		waiting->look_at_events = true;
	}
}

static const char *consul_reason(const struct view *view, bool peer, bool voter)
{
	if (voter)
		return "a voter, about to be ready";
	if (peer)
		return "joined, not a voter yet";
	if (!view->members_known && !view->peers_known && !view->self_known)
		return "running, does not answer yet";
	return "running, not in raft yet";
}

void waiting_explain(const struct server *server, bool peer, bool voter, struct waiting *ret_waiting)
{
	if (!server->has_pod) {
		ret_waiting->reason = xstrdup("its pod does not exist yet");
		ret_waiting->look_at_events = true;
	} else if (server->container && server->container->running && !server->pod.deleting) {
		ret_waiting->reason = xstrdup(consul_reason(&server->view, peer, voter));
	} else {
		explain_pod(&server->pod, server->container, ret_waiting);
	}
}

void waiting_release(struct waiting *waiting)
{
	free(waiting->reason);
	*waiting = (struct waiting)WAITING_INIT;
}

/* --------------------------------------------------------------------------------------- from events */

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

void waiting_add_event(const cJSON *events, const struct snapshot *snapshot, const struct server *server,
                       struct waiting *waiting)
{
	const cJSON *event =
	    newest_event(json_get(events, "items"), server->has_pod ? server->pod.uid : snapshot->set.uid,
	                 waiting->broken, snapshot->taken_at);
	const char *reason = json_string_at(event, "reason"), *message = json_string_at(event, "message");
	_cleanup_free_ char *shown = NULL;

	if (!waiting->look_at_events || !reason || !message)
		return;
	shown = waiting->broken ? one_line(end_of(message)) : with_message(reason, message);
	replace_string(&waiting->reason, xasprintf("%s: %s", waiting->reason, shown));
	waiting->broken |= !server->has_pod && str_equal(reason, "FailedCreate");
}

int waiting_read_events(struct kube_client *client, const struct snapshot *snapshot, int64_t deadline_ms,
                        cJSON **ret_events, struct err *err)
{
	_cleanup_buf_ struct buf path = BUF_TEXT;
	struct kube_call call = { .method = KUBE_GET };
	int status;

	buf_adds(&path, "/api/v1/namespaces/");
	buf_add_url(&path, snapshot->namespace_name);
	buf_adds(&path, "/events?fieldSelector=type%3DWarning&limit=" EVENTS_READ);
	call.path = buf_text(&path);
	status = kube_client_perform(client, &call, 1, deadline_ms, err);
	if (status == 0)
		*ret_events = TAKE(call.json);
	kube_call_release(&call);
	return status;
}

int waiting_explain_by_events(struct kube_client *client, const struct snapshot *snapshot, const struct server *server,
                              int64_t deadline_ms, struct waiting *waiting, struct err *err)
{
	cJSON *events = NULL;

	if (!waiting->look_at_events)
		return 0;
	if (waiting_read_events(client, snapshot, deadline_ms, &events, err) < 0)
		return -1;
	waiting_add_event(events, snapshot, server, waiting);
	cJSON_Delete(events);
	return 0;
}
