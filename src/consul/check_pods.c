/* Findings 1xx: what Kubernetes says of the servers' pods. See include/consul/diagnosis.h. */
#include "consul/remedy.h"

#include <inttypes.h>

#include "util/clock.h"
#include "util/mem.h"

static const char *waiting_reason(const struct place *place)
{
	const struct kube_container *container = place->server->container;

	return container ? container->waiting_reason : NULL;
}

/* ": TEXT" of a message from Kubernetes, or nothing. */
static char *after_colon(const char *text)
{
	return str_is_empty(text) ? xstrdup("") : xasprintf(": %s", text);
}

/*
 * One finding for all pods that have the same trouble: what_of tells a pod's (new string; NULL: not this trouble), and
 * the message is "pod NAME WHAT", "pods NAMES WHAT". The next one after *place, which moves on; NULL: there is none.
 */
static struct finding *add_alike(struct diagnosis *diagnosis, const char *kind,
                                 char *(*what_of)(const struct place *place), struct place **place)
{
	for (struct place *end = diagnosis->places + diagnosis->snapshot->server_count; *place < end; ++*place) {
		_cleanup_free_ char *what = (*place)->wanted && !(*place)->explained ? what_of(*place) : NULL;
		_cleanup_strv_ struct strv names = STRV_INIT;
		_cleanup_free_ char *list = NULL;
		struct finding *finding;

		if (!what)
			continue;
		for (struct place *other = *place; other < end; other++) {
			_cleanup_free_ char *same = other->wanted && !other->explained ? what_of(other) : NULL;

			if (!same || !str_equal(same, what))
				continue;
			strv_add(&names, place_name(other));
			other->explained = true;
		}
		list = list_names(&names);
		finding = diagnosis_add(diagnosis, kind, names.count == 1 ? *place : NULL, "pod%s %s %s",
		                        names.count == 1 ? "" : "s", list, what);
		for (size_t i = 0; i < names.count; i++)
			for (struct place *other = *place; other < end; other++)
				if (str_equal(place_name(other), names.items[i]))
					diagnosis_mark(other, finding);
		return finding;
	}
	return NULL;
}

/* ------------------------------------------------------------------------------- pods that are not */

/* With OrderedReady a pod is made only when all before it are ready: the place that keeps this one waiting, or NULL. */
static struct place *waits_for(struct diagnosis *diagnosis, const struct place *place)
{
	if (str_equal(diagnosis->snapshot->set.pod_management, "Parallel"))
		return NULL;
	FOR_EACH_PLACE (before, diagnosis) {
		if (before == place)
			break;
		if (before->wanted && before->server->ordinal >= 0 &&
		    (!before->server->has_pod || !before->server->pod.ready))
			return before;
	}
	return NULL;
}

static bool is_missing(const struct place *place)
{
	return place->wanted && !place->server->has_pod;
}

static void check_missing(struct diagnosis *diagnosis)
{
	const struct kube_statefulset *set = &diagnosis->snapshot->set;
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	struct finding *finding;
	struct place *one = NULL;

	FOR_EACH_PLACE (place, diagnosis) {
		if (!is_missing(place) || waits_for(diagnosis, place))
			continue;
		strv_add(&names, place_name(place));
		place->explained = true;
		one = place;
	}
	if (names.count == 0)
		return;
	list = list_names(&names);
	finding = diagnosis_add(diagnosis, "pod-missing", names.count == 1 ? one : NULL, "pod%s %s do%s not exist",
	                        names.count == 1 ? "" : "s", list, names.count == 1 ? "es" : "");
	FOR_EACH_PLACE (place, diagnosis)
		if (is_missing(place) && place->explained)
			diagnosis_mark(place, finding);
	if (set->observed_generation < set->generation)
		finding_set_cause(finding,
		                  "the StatefulSet was changed a moment ago and its controller has not seen it yet");
	else
		finding_set_cause(
		    finding, "deleted a moment ago, or Kubernetes refuses to make it (quota, admission, Pod Security): "
		             "the StatefulSet's events say which");
	remedy_describe_set(diagnosis, finding);
}

static void check_waiting(struct diagnosis *diagnosis)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	struct place *first = NULL;
	struct finding *finding;

	FOR_EACH_PLACE (place, diagnosis) {
		if (!is_missing(place) || place->explained)
			continue;
		first = first ? first : waits_for(diagnosis, place);
		strv_add(&names, place_name(place));
		place->explained = true;
	}
	if (!first)
		return;
	list = list_names(&names);
	finding = diagnosis_add(diagnosis, "pods-waiting", NULL, "%s %s no pod: %s until %s is ready", list,
	                        names.count == 1 ? "has" : "have", names.count == 1 ? "it waits" : "they wait",
	                        place_name(first));
	FOR_EACH_PLACE (place, diagnosis)
		if (is_missing(place) && place->worst < SEVERITY_DEGRADED)
			diagnosis_mark(place, finding);
	if (first->running && !diagnosis->leader_address)
		finding_set_cause(
		    finding,
		    "OrderedReady; if %s becomes ready only with a leader, which needs the others, this is a deadlock",
		    place_name(first));
	else
		finding_set_cause(finding, "podManagementPolicy OrderedReady makes one pod after the other");
	if (first->server->has_pod)
		remedy_describe_pod(diagnosis, first, finding);
	else
		remedy_describe_set(diagnosis, finding);
}

/* --------------------------------------------------------------------------- pods that do not run */

static void check_terminating(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE (place, diagnosis) {
		struct finding *finding;

		if (!place->wanted || !place->server->has_pod || !place->server->pod.deleting)
			continue;
		finding =
		    diagnosis_add(diagnosis, "pod-terminating", place, "pod %s is being deleted", place_name(place));
		finding_set_cause(
		    finding, "a rollout, a drain of node %s, or kubectl delete; up to %" PRId64 " s of grace are its",
		    place->server->pod.node ? place->server->pod.node : "(none)",
		    diagnosis->snapshot->set.grace_seconds);
		finding_set_command(finding, "kubectl get pod %s -n %s -o wide --watch", place->word,
		                    diagnosis->namespace_word);
		place->explained = true;
	}
}

static void check_ended(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE (place, diagnosis) {
		const struct kube_pod *pod = &place->server->pod;
		_cleanup_free_ char *reason = after_colon(pod->status_reason);
		struct finding *finding;

		if (!place->wanted || place->explained || !place->server->has_pod ||
		    (!str_equal(pod->phase, "Failed") && !str_equal(pod->phase, "Succeeded")))
			continue;
		finding = diagnosis_add(diagnosis, "pod-ended", place, "pod %s has ended (%s)%s", place_name(place),
		                        pod->phase, reason);
		finding_set_cause(finding, str_equal(pod->status_reason, "Evicted")
		                               ? "its node ran out of memory or disk, and evicted it"
		                               : "its node rejected it or shut down; the controller should replace it");
		remedy_describe_pod(diagnosis, place, finding);
		place->explained = true;
	}
}

static const char *unscheduled_cause(const char *message)
{
	if (strstr(message, "anti-affinity") || strstr(message, "topology spread"))
		return "fewer fitting nodes than servers: anti-affinity or spreading allows no second one on a node";
	if (strstr(message, "volume node affinity"))
		return "its volume exists on another node or zone only, which is gone, full or cordoned";
	if (strstr(message, "unbound") || strstr(message, "persistentvolumeclaim"))
		return "its claim has no volume: no such StorageClass, or its provisioner does not deliver";
	if (strstr(message, "Insufficient"))
		return "no node has as much free CPU or memory as the pod asks for";
	if (strstr(message, "node affinity") || strstr(message, "node selector"))
		return "no node has the labels that the pod's nodeSelector or node affinity asks for";
	if (strstr(message, "unschedulable") || strstr(message, "taint"))
		return "the nodes left are cordoned or have taints that the pod does not tolerate";
	return "no node fulfils what the pod asks for";
}

static char *unscheduled(const struct place *place)
{
	const struct kube_pod *pod = &place->server->pod;

	return pod->unscheduled_message && !pod->node ? xasprintf("cannot be scheduled: %s", pod->unscheduled_message)
	                                              : NULL;
}

static void check_unschedulable(struct diagnosis *diagnosis)
{
	struct place *place = diagnosis->places;
	struct finding *finding;

	while ((finding = add_alike(diagnosis, "pod-unschedulable", unscheduled, &place))) {
		finding_set_cause(finding, "%s", unscheduled_cause(place->server->pod.unscheduled_message));
		remedy_describe_pod(diagnosis, place, finding);
	}
}

static bool is_image_reason(const char *reason)
{
	static const char *const reasons[] = { "ErrImagePull",      "ImagePullBackOff",  "InvalidImageName",
		                               "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable" };

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (str_equal(reason, reasons[i]))
			return true;
	return false;
}

static const char *image_cause(const char *message)
{
	if (message && (strstr(message, "not found") || strstr(message, "manifest unknown")))
		return "there is no such image or tag in the registry";
	if (message &&
	    (strstr(message, "unauthorized") || strstr(message, "denied") || strstr(message, "authentication")))
		return "the registry wants credentials that the pod has not (imagePullSecrets)";
	return "a wrong name or tag, missing credentials, or a registry out of reach";
}

/* Without Kubernetes' own words: pods that lack the same image are at different steps of trying. */
static char *without_image(const struct place *place)
{
	return is_image_reason(waiting_reason(place))
	           ? xasprintf("cannot get image %s", place->server->container->image)
	           : NULL;
}

/* Kubernetes' words on the first pod that has this trouble for this image and more to tell than that it waits. */
static const char *image_words(const struct diagnosis *diagnosis, const char *image)
{
	const char *words = NULL;

	FOR_EACH_PLACE (place, diagnosis) {
		const struct kube_container *container = place->server->container;

		if (!place->wanted || !is_image_reason(waiting_reason(place)) || !str_equal(container->image, image))
			continue;
		if (!words || str_starts_with(words, "Back-off"))
			words = container->waiting_message;
	}
	return words;
}

/* Of `… failed to resolve "REF": failed to do request: Head "URL": dial tcp: …` what is behind the last quoted thing.
 */
static const char *last_words(const char *text)
{
	const char *last = text;

	for (const char *at = text; (at = strstr(at, "\": ")); at += 3)
		last = at[3] ? at + 3 : last;
	return last;
}

static void check_image(struct diagnosis *diagnosis)
{
	struct place *place = diagnosis->places;
	struct finding *finding;

	while ((finding = add_alike(diagnosis, "pod-image", without_image, &place))) {
		const struct kube_container *container = place->server->container;
		const char *words = image_words(diagnosis, container->image);
		bool is_news = words && !str_starts_with(words, "Back-off");

		replace_string(&finding->message, xasprintf("%s: %s", finding->message,
		                                            is_news ? last_words(words) : container->waiting_reason));
		finding_set_cause(finding, "%s", image_cause(words));
		remedy_describe_pod(diagnosis, place, finding);
	}
}

/* "exit code 137, OOMKilled, 40s ago" of the container's last end. */
static char *last_end(const struct diagnosis *diagnosis, const struct kube_container *container)
{
	_cleanup_strv_ struct strv parts = STRV_INIT;

	if (container->was_terminated) {
		strv_addf(&parts, "exit code %" PRId64, container->last_exit_code);
		if (!str_is_empty(container->last_reason) && !str_equal(container->last_reason, "Error"))
			strv_add(&parts, container->last_reason);
		if (container->last_finished_at > 0) {
			_cleanup_free_ char *age =
			    clock_format_age(diagnosis->snapshot->taken_at - container->last_finished_at);

			strv_addf(&parts, "%s ago", age);
		}
	} else if (!str_is_empty(container->terminated_reason)) {
		strv_add(&parts, container->terminated_reason);
	}
	if (parts.count == 0)
		strv_add(&parts, "Kubernetes does not tell how it ended");
	return strv_join(&parts, ", ", ", ");
}

static const char *end_cause(const struct kube_container *container)
{
	if (str_equal(container->last_reason, "OOMKilled") || str_equal(container->terminated_reason, "OOMKilled"))
		return "its memory limit is too low for the data it has to hold";
	if (container->was_terminated && container->last_exit_code == 137)
		return "killed from outside (SIGKILL): out of memory, a liveness probe, or by hand";
	if (container->was_terminated && (container->last_exit_code == 126 || container->last_exit_code == 127))
		return "the command is not in the image or not executable";
	if (container->was_terminated && container->last_exit_code == 0)
		return "it ended by itself and in good order: `consul leave`, or a signal";
	return "Consul ended with an error: the last lines of its log say which (configuration, data directory, gossip "
	       "key, "
	       "server_rejoin_age_max)";
}

static void check_crashing(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE (place, diagnosis) {
		const struct kube_container *container = place->server->container;
		_cleanup_free_ char *end = NULL;
		struct finding *finding;

		if (!place->wanted || place->explained || !container || container->running ||
		    (!str_equal(container->waiting_reason, "CrashLoopBackOff") && !container->terminated_reason))
			continue;
		end = last_end(diagnosis, container);
		finding = diagnosis_add(diagnosis, "pod-crashing", place,
		                        "container %s of pod %s is not running after %" PRId64 " restart%s: %s",
		                        container->name, place_name(place), container->restarts,
		                        container->restarts == 1 ? "" : "s", end);
		finding_set_cause(finding, "%s", end_cause(container));
		remedy_logs(diagnosis, place, container->was_terminated, finding);
		place->explained = true;
	}
}

/* Everything else that keeps a pod from running: ContainerCreating, CreateContainerConfigError, no node named yet. */
static const char *not_starting_reason(const struct place *place)
{
	return waiting_reason(place) ? waiting_reason(place) : "it is not started yet";
}

static char *not_starting(const struct place *place)
{
	const struct kube_container *container = place->server->container;
	_cleanup_free_ char *message = after_colon(container ? container->waiting_message : NULL);

	if (place->running || !place->server->has_pod)
		return NULL;
	return xasprintf("cannot run yet: %s%s", not_starting_reason(place), message);
}

static void check_not_starting(struct diagnosis *diagnosis)
{
	struct place *place = diagnosis->places;
	struct finding *finding;

	while ((finding = add_alike(diagnosis, "pod-not-starting", not_starting, &place))) {
		if (strstr(not_starting_reason(place), "Config"))
			finding_set_cause(finding,
			                  "a Secret, ConfigMap or key that the container needs does not exist");
		else
			finding_set_cause(
			    finding,
			    "just made; or a volume cannot be attached, or the network plugin gives no address");
		remedy_describe_pod(diagnosis, place, finding);
	}
}

/* --------------------------------------------------------------------------------- pods that run */

static void check_restarted(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE (place, diagnosis) {
		const struct kube_container *container = place->server->container;
		_cleanup_free_ char *end = NULL;
		struct finding *finding;
		int64_t since;

		if (!place->wanted || !container || !container->running || container->restarts == 0)
			continue;
		since = diagnosis->snapshot->taken_at - container->started_at;
		if (container->started_at == 0 || since > RECENT_RESTART_S)
			continue;
		end = last_end(diagnosis, container);
		finding = diagnosis_add(
		    diagnosis, "pod-restarted", place,
		    "container %s of pod %s was restarted lately (%" PRId64 " restart%s in all): %s", container->name,
		    place_name(place), container->restarts, container->restarts == 1 ? "" : "s", end);
		finding_set_cause(finding, "%s", end_cause(container));
		remedy_logs(diagnosis, place, true, finding);
	}
}

static void check_going(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE (place, diagnosis) {
		if (place->wanted || !place->server->has_pod)
			continue;
		diagnosis_add(diagnosis, "pod-going", place, "pod %s is %s: the StatefulSet wants %" PRId64 " server%s",
		              place_name(place),
		              place->server->pod.deleting ? "on its way out" : "still there, and about to go",
		              diagnosis->snapshot->set.replicas, diagnosis->snapshot->set.replicas == 1 ? "" : "s");
		place->explained = true;
	}
}

diagnosis_check *const pod_checks[] = {
	check_going, check_missing,  check_waiting,      check_terminating, check_ended, check_unschedulable,
	check_image, check_crashing, check_not_starting, check_restarted,   NULL,
};
