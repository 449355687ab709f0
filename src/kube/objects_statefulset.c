/* See include/kube/objects.h. StatefulSets. */
#include "objects_parts.h"

#include <stdlib.h>

#include "util/json.h"
#include "util/mem.h"

static const struct json_field fields[] = {
	JSON_FIELD(struct kube_statefulset, name, JSON_STRING, "metadata.name", true),
	JSON_FIELD(struct kube_statefulset, namespace_name, JSON_STRING, "metadata.namespace", false),
	JSON_FIELD(struct kube_statefulset, uid, JSON_STRING, "metadata.uid", false),
	JSON_FIELD(struct kube_statefulset, resource_version, JSON_STRING, "metadata.resourceVersion", false),
	JSON_FIELD(struct kube_statefulset, generation, JSON_INT, "metadata.generation", false),
	JSON_FIELD(struct kube_statefulset, service_name, JSON_STRING, "spec.serviceName", false),
	JSON_FIELD(struct kube_statefulset, pod_management, JSON_STRING, "spec.podManagementPolicy", false),
	JSON_FIELD(struct kube_statefulset, update_strategy, JSON_STRING, "spec.updateStrategy.type", false),
	JSON_FIELD(struct kube_statefulset, partition, JSON_INT, "spec.updateStrategy.rollingUpdate.partition", false),
	JSON_FIELD(struct kube_statefulset, replicas, JSON_INT, "spec.replicas", false),
	JSON_FIELD(struct kube_statefulset, ordinal_start, JSON_INT, "spec.ordinals.start", false),
	JSON_FIELD(struct kube_statefulset, grace_seconds, JSON_INT, "spec.template.spec.terminationGracePeriodSeconds",
	           false),
	JSON_FIELD(struct kube_statefulset, observed_generation, JSON_INT, "status.observedGeneration", false),
	JSON_FIELD(struct kube_statefulset, status_replicas, JSON_INT, "status.replicas", false),
	JSON_FIELD(struct kube_statefulset, ready_replicas, JSON_INT, "status.readyReplicas", false),
	JSON_FIELD(struct kube_statefulset, updated_replicas, JSON_INT, "status.updatedReplicas", false),
	JSON_FIELD(struct kube_statefulset, current_revision, JSON_STRING, "status.currentRevision", false),
	JSON_FIELD(struct kube_statefulset, update_revision, JSON_STRING, "status.updateRevision", false),
	{ 0 },
};

static void decode_labels(const cJSON *json, struct kube_statefulset *set)
{
	replace_string(&set->managed_by, objects_label(json, "app.kubernetes.io/managed-by"));
	replace_string(&set->label_app, objects_label(json, "app"));
	replace_string(&set->label_name, objects_label(json, "app.kubernetes.io/name"));
	replace_string(&set->label_component, objects_label(json, "component"));
	replace_string(&set->label_chart, objects_label(json, "helm.sh/chart"));
	if (!set->label_chart)
		set->label_chart = objects_label(json, "chart");
}

/* matchLabels as "a=b,c=d", sorted, so that the same selector is always the same text. */
static int decode_selector(const cJSON *json, struct kube_statefulset *set, struct err *err)
{
	const cJSON *labels = json_at(json, "spec.selector.matchLabels"), *expressions, *label;
	_cleanup_strv_ struct strv parts = STRV_INIT;

	if (objects_list(json, "spec.selector.matchExpressions", &expressions, err) < 0)
		return -1;
	if (labels && !cJSON_IsNull(labels) && !cJSON_IsObject(labels))
		return err_set(err, ERR_INVALID, "spec.selector.matchLabels is not an object");
	cJSON_ArrayForEach (label, labels) {
		if (!cJSON_IsString(label))
			return err_set(err, ERR_INVALID, "spec.selector.matchLabels holds something that is no string");
		strv_addf(&parts, "%s=%s", label->string, label->valuestring);
	}
	strv_sort(&parts);
	replace_string(&set->selector, strv_join(&parts, ",", ","));
	set->selector_exact = !expressions || !expressions->child;
	return 0;
}

/* Nobody can mean these, and all arithmetic above relies on it. */
static int check_numbers(const struct kube_statefulset *set, struct err *err)
{
	if (set->replicas < 0 || set->replicas > INT32_MAX)
		return err_set(err, ERR_INVALID, "spec.replicas is out of range");
	if (set->ordinal_start < 0 || set->ordinal_start > INT32_MAX)
		return err_set(err, ERR_INVALID, "spec.ordinals.start is out of range");
	return 0;
}

/* A projected volume has several sources. */
static int decode_secrets(const cJSON *json, struct kube_statefulset *set, struct err *err)
{
	const cJSON *volumes, *volume;

	if (objects_strings(json, "spec.template.spec.volumes", "secret.secretName", &set->secrets, err) < 0 ||
	    objects_list(json, "spec.template.spec.volumes", &volumes, err) < 0)
		return -1;
	cJSON_ArrayForEach (volume, volumes)
		if (objects_strings(volume, "projected.sources", "secret.name", &set->secrets, err) < 0)
			return -1;
	return 0;
}

static int decode(const cJSON *json, struct kube_statefulset *set, struct err *err)
{
	if (json_decode(json, fields, set, err) < 0 || check_numbers(set, err) < 0 ||
	    objects_time(json, "metadata.creationTimestamp", &set->created_at, err) < 0 ||
	    decode_selector(json, set, err) < 0 ||
	    objects_containers(json, "spec.template.spec.containers", NULL, &set->containers, &set->container_count,
	                       err) < 0 ||
	    decode_secrets(json, set, err) < 0)
		return -1;
	if (!set->pod_management)
		set->pod_management = xstrdup("OrderedReady");
	if (!set->update_strategy)
		set->update_strategy = xstrdup("RollingUpdate");
	decode_labels(json, set);
	set->claims_go =
	    str_equal(json_string_at(json, "spec.persistentVolumeClaimRetentionPolicy.whenScaled"), "Delete");
	return objects_strings(json, "spec.volumeClaimTemplates", "metadata.name", &set->claim_templates, err);
}

int kube_statefulset_decode(const cJSON *json, struct kube_statefulset *ret, struct err *err)
{
	if (objects_check(json, "StatefulSet", err) < 0 || decode(json, ret, err) < 0)
		return objects_wrap(json, "statefulset", err);
	return 0;
}

void kube_statefulset_release(struct kube_statefulset *set)
{
	free(set->name);
	free(set->namespace_name);
	free(set->uid);
	free(set->resource_version);
	free(set->service_name);
	free(set->pod_management);
	free(set->update_strategy);
	free(set->current_revision);
	free(set->update_revision);
	free(set->managed_by);
	free(set->label_app);
	free(set->label_name);
	free(set->label_chart);
	free(set->label_component);
	free(set->selector);
	objects_release_containers(set->containers, set->container_count);
	strv_release(&set->claim_templates);
	strv_release(&set->secrets);
	*set = (struct kube_statefulset)KUBE_STATEFULSET_INIT;
}
