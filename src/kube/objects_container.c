/* See objects_parts.h. Containers: what the spec asks for, and what the status says. */
#include "objects_parts.h"

#include <stdlib.h>

#include "util/json.h"
#include "util/mem.h"

static const struct json_field spec_fields[] = {
	JSON_FIELD(struct kube_container, name, JSON_STRING, "name", true),
	JSON_FIELD(struct kube_container, image, JSON_STRING, "image", false),
	{ 0 },
};

static const struct json_field status_fields[] = {
	JSON_FIELD(struct kube_container, ready, JSON_BOOL, "ready", false),
	JSON_FIELD(struct kube_container, restarts, JSON_INT, "restartCount", false),
	JSON_FIELD(struct kube_container, waiting_reason, JSON_STRING, "state.waiting.reason", false),
	JSON_FIELD(struct kube_container, waiting_message, JSON_STRING, "state.waiting.message", false),
	JSON_FIELD(struct kube_container, terminated_reason, JSON_STRING, "state.terminated.reason", false),
	JSON_FIELD(struct kube_container, last_exit_code, JSON_INT, "lastState.terminated.exitCode", false),
	JSON_FIELD(struct kube_container, last_reason, JSON_STRING, "lastState.terminated.reason", false),
	{ 0 },
};

static const struct json_field env_fields[] = {
	JSON_FIELD(struct kube_env, name, JSON_STRING, "name", true),
	JSON_FIELD(struct kube_env, value, JSON_STRING, "value", false),
	{ 0 },
};

static const struct json_field port_fields[] = {
	JSON_FIELD(struct kube_port, name, JSON_STRING, "name", false),
	JSON_FIELD(struct kube_port, number, JSON_INT, "containerPort", true),
	{ 0 },
};

/* The API leaves an empty value out: then it is "" unless it comes from somewhere else. */
static int decode_env(const cJSON *json, struct kube_container *container, struct err *err)
{
	const cJSON *list, *item;

	if (objects_list(json, "env", &list, err) < 0)
		return -1;
	container->env = xcalloc((size_t)cJSON_GetArraySize(list), sizeof(*container->env));
	cJSON_ArrayForEach (item, list) {
		struct kube_env *env = &container->env[container->env_count++];

		if (json_decode(item, env_fields, env, err) < 0)
			return err_wrap(err, "env");
		if (!env->value && !json_get(item, "valueFrom"))
			env->value = xstrdup("");
	}
	return 0;
}

static int decode_ports(const cJSON *json, struct kube_container *container, struct err *err)
{
	const cJSON *list, *item;

	if (objects_list(json, "ports", &list, err) < 0)
		return -1;
	container->ports = xcalloc((size_t)cJSON_GetArraySize(list), sizeof(*container->ports));
	cJSON_ArrayForEach (item, list) {
		if (json_decode(item, port_fields, &container->ports[container->port_count++], err) < 0)
			return err_wrap(err, "ports");
	}
	return 0;
}

static int decode_spec(const cJSON *json, struct kube_container *container, struct err *err)
{
	if (json_decode(json, spec_fields, container, err) < 0 ||
	    objects_strings(json, "command", NULL, &container->command, err) < 0 ||
	    objects_strings(json, "args", NULL, &container->args, err) < 0 || decode_env(json, container, err) < 0)
		return -1;
	return decode_ports(json, container, err);
}

/* A waiting or terminated container always has a reason for us, even where the kubelet gave none. */
static void fill_reasons(const cJSON *json, struct kube_container *container)
{
	container->running = json_at(json, "state.running") != NULL;
	container->was_terminated = cJSON_IsObject(json_at(json, "lastState.terminated"));
	if (cJSON_IsObject(json_at(json, "state.waiting")) && !container->waiting_reason)
		container->waiting_reason = xstrdup("Waiting");
	if (cJSON_IsObject(json_at(json, "state.terminated")) && !container->terminated_reason)
		container->terminated_reason = xstrdup("Terminated");
}

static int decode_status(const cJSON *json, struct kube_container *container, struct err *err)
{
	if (json_decode(json, status_fields, container, err) < 0 ||
	    objects_time(json, "state.running.startedAt", &container->started_at, err) < 0 ||
	    objects_time(json, "lastState.terminated.finishedAt", &container->last_finished_at, err) < 0)
		return -1;
	fill_reasons(json, container);
	return 0;
}

/* The container's status in the list, found by name: the order of the two lists is not the same. */
static int find_status(const cJSON *statuses, struct kube_container *container, struct err *err)
{
	const cJSON *status;

	cJSON_ArrayForEach (status, statuses) {
		if (str_equal(json_string_at(status, "name"), container->name))
			return decode_status(status, container, err);
	}
	return 0;
}

int objects_containers(const cJSON *json, const char *path, const char *status_path,
                       struct kube_container **ret_containers, size_t *ret_count, struct err *err)
{
	const cJSON *list, *statuses = NULL, *item;
	struct kube_container *containers;
	size_t position = 0;

	if (objects_list(json, path, &list, err) < 0 ||
	    (status_path && objects_list(json, status_path, &statuses, err) < 0))
		return -1;
	containers = xcalloc((size_t)cJSON_GetArraySize(list), sizeof(*containers));
	*ret_containers = containers;
	cJSON_ArrayForEach (item, list) {
		struct kube_container *container = &containers[position];

		*ret_count = position + 1;
		if (decode_spec(item, container, err) < 0)
			return err_wrap(err, "%s[%zu]", path, position);
		if (find_status(statuses, container, err) < 0)
			return err_wrap(err, "%s of %s", status_path, container->name);
		position++;
	}
	return 0;
}

static void release_container(struct kube_container *container)
{
	for (size_t i = 0; i < container->env_count; i++) {
		free(container->env[i].name);
		free(container->env[i].value);
	}
	for (size_t i = 0; i < container->port_count; i++)
		free(container->ports[i].name);
	free(container->env);
	free(container->ports);
	strv_release(&container->command);
	strv_release(&container->args);
	free(container->name);
	free(container->image);
	free(container->waiting_reason);
	free(container->waiting_message);
	free(container->terminated_reason);
	free(container->last_reason);
}

void objects_release_containers(struct kube_container *containers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		release_container(&containers[i]);
	free(containers);
}

const struct kube_container *kube_container_find(const struct kube_container *containers, size_t count,
                                                 const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(containers[i].name, name))
			return &containers[i];
	return NULL;
}

const char *kube_container_env(const struct kube_container *container, const char *name)
{
	for (size_t i = 0; i < container->env_count; i++)
		if (str_equal(container->env[i].name, name))
			return container->env[i].value;
	return NULL;
}
