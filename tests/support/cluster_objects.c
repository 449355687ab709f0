/* See cluster_parts.h: the cluster's Kubernetes objects. */
#include "cluster_parts.h"

#include <inttypes.h>
#include <string.h>

#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#define DAY_S  ((int64_t)24 * 3600 + 60) /* and a minute, so that it is not 23 hours for who looked a second ago */
#define HOUR_S ((int64_t)3600)
#define IMAGE  "docker.io/hashicorp/consul:%s"

static cJSON *ago(int64_t seconds)
{
	_cleanup_free_ char *text = clock_format_rfc3339(clock_wall_s() - seconds);

	return json_string(text);
}

static cJSON *empty_object(void)
{
	return cJSON_CreateObject();
}

cJSON *cluster_list(const char *api_version, const char *kind)
{
	return json_object("kind", json_string(kind), "apiVersion", json_string(api_version), "metadata",
	                   json_object("resourceVersion", json_string("1000"), NULL), "items", cJSON_CreateArray(),
	                   NULL);
}

static cJSON *labels(const struct cluster_state *state)
{
	if (state->options->unlabelled || state->options->not_consul)
		return json_object("role", json_string("store"), NULL);
	return json_object("app", json_string("consul"), "component", json_string("server"), NULL);
}

static cJSON *set_uid(const char *set)
{
	return json_stringf("uid-of-%s", set);
}

/* ------------------------------------------------------------------------------------------ containers */

static cJSON *container(const struct cluster_state *state, const struct cluster_server *server)
{
	bool https = state->options->https;
	cJSON *ports;

	if (state->options->not_consul)
		return json_object("name", json_string(state->container), "image", json_string("postgres:15"), NULL);
	ports = json_array(json_object("name", json_string(https ? "https" : "http"), "containerPort",
	                               json_int(https ? 8501 : 8500), NULL),
	                   json_object("name", json_string("server"), "containerPort", json_int(8300), NULL));
	if (state->options->https_too)
		cJSON_AddItemToArray(ports,
		                     json_object("name", json_string("https"), "containerPort", json_int(8501), NULL));

	return json_object("name", json_string(state->container), "image", json_stringf(IMAGE, cluster_version(server)),
	                   "args", json_array(json_string("agent"), json_string("-server")), "ports", ports, NULL);
}

static cJSON *extra_container(const struct cluster_server *server)
{
	if (!server->extra_container)
		return NULL;
	return json_object("name", json_string(server->extra_container), "image", json_string("example/sidecar:1"),
	                   NULL);
}

static cJSON *container_state(const struct cluster_server *server, int64_t started_s)
{
	if (server->waiting)
		return json_object("waiting",
		                   json_object("reason", json_string(server->waiting), "message",
		                               json_string("back-off 40s restarting failed container"), NULL),
		                   NULL);
	return json_object("running", json_object("startedAt", ago(started_s), NULL), NULL);
}

static cJSON *container_status(const struct cluster_state *state, size_t index)
{
	const struct cluster_server *server = &state->servers[index];
	int64_t age_s = server->age_s ? server->age_s : DAY_S;
	int64_t restarted_s = server->restarted_s ? server->restarted_s : HOUR_S;
	cJSON *last = empty_object();

	if (server->restarts)
		json_set(last, "terminated",
		         json_object("exitCode", json_int(137), "reason", json_string("Error"), "finishedAt",
		                     ago(restarted_s + 1), NULL));
	return json_object("name", json_string(state->container), "ready",
	                   json_bool(cluster_runs(state, index) && !server->not_ready), "started",
	                   json_bool(!server->waiting), "restartCount", json_int(server->restarts), "image",
	                   json_stringf(IMAGE, cluster_version(server)), "state",
	                   container_state(server, server->restarts ? restarted_s : age_s), "lastState", last, NULL);
}

/* ------------------------------------------------------------------------------------------------ pods */

static cJSON *conditions(bool ready)
{
	return json_array(
	    json_object("type", json_string("PodScheduled"), "status", json_string("True"), NULL),
	    json_object("type", json_string("Ready"), "status", json_string(ready ? "True" : "False"), NULL));
}

static cJSON *owner(const struct cluster_state *state)
{
	return json_array(json_object("apiVersion", json_string("apps/v1"), "kind", json_string("StatefulSet"), "name",
	                              json_string(state->set), "uid", set_uid(state->set), "controller",
	                              json_bool(true), "blockOwnerDeletion", json_bool(true), NULL));
}

static cJSON *pod_metadata(const struct cluster_state *state, size_t index)
{
	const struct cluster_server *server = &state->servers[index];
	cJSON *pod_labels = labels(state);
	cJSON *metadata;

	json_set(pod_labels, "controller-revision-hash", json_stringf("%s-%d", state->set, server->old ? 0 : 1));
	json_set(pod_labels, "statefulset.kubernetes.io/pod-name", json_string(state->names[index]));
	metadata = json_object(
	    "name", json_string(state->names[index]), "namespace", json_string(state->namespace_name), "uid",
	    json_stringf("uid-of-%s", state->names[index]), "resourceVersion", json_string("900"), "creationTimestamp",
	    ago(server->age_s ? server->age_s : DAY_S), "labels", pod_labels, "ownerReferences", owner(state), NULL);
	if (server->deleting) {
		json_set(metadata, "deletionTimestamp", ago(-30));
		json_set(metadata, "deletionGracePeriodSeconds", json_int(60));
	}
	return metadata;
}

static cJSON *pod_spec(const struct cluster_state *state, size_t index)
{
	const struct cluster_server *server = &state->servers[index];
	cJSON *node = server->node ? json_string(server->node) : json_stringf("node-%zu", index);
	cJSON *claim = json_object("claimName", json_stringf("data-%s", state->names[index]), NULL);
	cJSON *volume = json_object("name", json_string("data"), "persistentVolumeClaim", claim, NULL);

	return json_object("nodeName", node, "containers",
	                   json_array(extra_container(server), container(state, server)), "volumes", json_array(volume),
	                   "terminationGracePeriodSeconds", json_int(60), NULL);
}

cJSON *cluster_pod(const struct cluster_state *state, size_t index)
{
	const struct cluster_server *server = &state->servers[index];
	bool ready = cluster_runs(state, index) && !server->not_ready;
	_cleanup_buf_ struct buf ip = BUF_TEXT;
	cJSON *status;

	cluster_ip(index, &ip);
	status = json_object("phase", json_string(server->phase ? server->phase : "Running"), "conditions",
	                     conditions(ready), "podIP", json_string(buf_text(&ip)), "hostIP", json_string("10.0.0.9"),
	                     "containerStatuses", json_array(container_status(state, index)), NULL);
	return json_object("kind", json_string("Pod"), "apiVersion", json_string("v1"), "metadata",
	                   pod_metadata(state, index), "spec", pod_spec(state, index), "status", status, NULL);
}

cJSON *cluster_other_pod(const struct cluster_state *state, int number)
{
	cJSON *metadata =
	    json_object("name", json_stringf("web-%d", number), "namespace", json_string(state->namespace_name), "uid",
	                json_stringf("uid-of-web-%d", number), "creationTimestamp", ago(DAY_S), "labels",
	                json_object("app", json_string("web"), NULL), NULL);
	cJSON *web = json_object("name", json_string("web"), "image", json_string("nginx:1"), NULL);

	return json_object("kind", json_string("Pod"), "apiVersion", json_string("v1"), "metadata", metadata, "spec",
	                   json_object("nodeName", json_string("node-0"), "containers", json_array(web), NULL),
	                   "status",
	                   json_object("phase", json_string("Running"), "podIP", json_string("10.244.9.9"),
	                               "conditions", conditions(true), NULL),
	                   NULL);
}

/* --------------------------------------------------------------------------------------- StatefulSet … */

/* As deploy mounts them. NULL: none. */
static cJSON *secrets(const struct cluster_state *state)
{
	cJSON *name, *source;

	if (!state->options->secret)
		return NULL;
	name = json_stringf("%s-acl", state->set);
	source = json_object("secret", json_object("name", name, "optional", json_bool(true), NULL), NULL);
	return json_array(json_object("name", json_string("config"), "projected",
	                              json_object("sources", json_array(source), NULL), NULL));
}

static cJSON *set_spec(const struct cluster_state *state)
{
	static const struct cluster_server plain = { 0 };
	cJSON *template = json_object("metadata", json_object("labels", labels(state), NULL), "spec",
	                              json_object("containers", json_array(container(state, &plain)), "volumes",
	                                          secrets(state), "terminationGracePeriodSeconds", json_int(60), NULL),
	                              NULL);
	cJSON *claim = json_object("metadata", json_object("name", json_string("data"), NULL), NULL);
	cJSON *spec =
	    json_object("replicas", json_int(state->replicas), "serviceName", json_string(state->set), "selector",
	                json_object("matchLabels", labels(state), NULL), "template", template, "volumeClaimTemplates",
	                json_array(claim), "podManagementPolicy", json_string("Parallel"), "updateStrategy",
	                json_object("type", json_string("RollingUpdate"), NULL), NULL);

	if (state->ordinal_start)
		json_set(spec, "ordinals", json_object("start", json_int(state->ordinal_start), NULL));
	return spec;
}

static cJSON *set_status(const struct cluster_state *state)
{
	int64_t pods = 0, ready = 0;

	for (size_t i = 0; i < state->count; i++) {
		pods += !state->servers[i].no_pod;
		ready += cluster_runs(state, i) && !state->servers[i].not_ready;
	}
	return json_object("observedGeneration", json_int(1), "replicas", json_int(pods), "readyReplicas",
	                   json_int(ready), "currentReplicas", json_int(pods), "updatedReplicas", json_int(pods),
	                   "currentRevision", json_stringf("%s-1", state->set), "updateRevision",
	                   json_stringf("%s-1", state->set), NULL);
}

cJSON *cluster_statefulset(const struct cluster_state *state, const char *name)
{
	cJSON *metadata = json_object("name", json_string(name), "namespace", json_string(state->namespace_name), "uid",
	                              set_uid(name), "resourceVersion", json_string("950"), "generation", json_int(1),
	                              "creationTimestamp", ago(DAY_S), "labels", labels(state), NULL);

	return json_object("kind", json_string("StatefulSet"), "apiVersion", json_string("apps/v1"), "metadata",
	                   metadata, "spec", set_spec(state), "status", set_status(state), NULL);
}

cJSON *cluster_claim(const struct cluster_state *state, int64_t ordinal, int64_t age_s)
{
	cJSON *metadata =
	    json_object("name", json_stringf("data-%s-%" PRId64, state->set, ordinal), "namespace",
	                json_string(state->namespace_name), "creationTimestamp", ago(age_s ? age_s : DAY_S), NULL);
	cJSON *requests = json_object("requests", json_object("storage", json_string("1Gi"), NULL), NULL);

	return json_object("kind", json_string("PersistentVolumeClaim"), "apiVersion", json_string("v1"), "metadata",
	                   metadata, "spec",
	                   json_object("resources", requests, "storageClassName", json_string("standard"), "volumeName",
	                               json_stringf("pv-%" PRId64, ordinal), NULL),
	                   "status", json_object("phase", json_string("Bound"), NULL), NULL);
}

cJSON *cluster_budget(const struct cluster_state *state)
{
	return json_object(
	    "metadata",
	    json_object("name", json_string(state->set), "namespace", json_string(state->namespace_name), NULL), "spec",
	    json_object("maxUnavailable", json_int(1), "selector", json_object("matchLabels", labels(state), NULL),
	                NULL),
	    "status",
	    json_object("disruptionsAllowed", json_int(1), "expectedPods", json_int((int64_t)state->count), NULL),
	    NULL);
}
