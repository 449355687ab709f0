/* See cluster_parts.h: what the API server answers about the cluster's objects. */
#include "cluster_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"
#include "util/base64.h"
#include "util/json.h"
#include "util/mem.h"

/* --------------------------------------------------------------------------------------------- answers */

static void answer_json(struct http_answer *answer, cJSON *json)
{
	char *text = json_text(json);

	answer->scratch.max = BUF_TEXT_MAX;
	buf_adds(&answer->scratch, text);
	answer->body = answer->scratch.data;
	free(text);
	cJSON_Delete(json);
}

static void answer_not_found(struct http_answer *answer, const char *resource, const char *name)
{
	cJSON *status = json_object("kind", json_string("Status"), "apiVersion", json_string("v1"), "metadata",
	                            cJSON_CreateObject(), "status", json_string("Failure"), "message",
	                            json_stringf("%s \"%s\" not found", resource, name), "reason",
	                            json_string("NotFound"), "code", json_int(404), NULL);

	answer->status = 404;
	answer_json(answer, status);
}

static void answer_forbidden(struct http_answer *answer, const struct cluster *cluster, const char *pod,
                             const char *subresource)
{
	cJSON *message =
	    json_stringf("pods \"%s\" is forbidden: User \"tester\" cannot get resource \"pods/%s\" in API "
	                 "group \"\" in the namespace \"%s\"",
	                 pod, subresource, cluster->state.namespace_name);
	cJSON *status = json_object("kind", json_string("Status"), "apiVersion", json_string("v1"), "metadata",
	                            cJSON_CreateObject(), "status", json_string("Failure"), "message", message,
	                            "reason", json_string("Forbidden"), "code", json_int(403), NULL);

	answer->status = 403;
	answer_json(answer, status);
}

/* True when a label selector "a=b,c=d" takes an object with these labels. */
static bool selector_takes(const char *selector, const cJSON *object)
{
	_cleanup_strv_ struct strv terms = STRV_INIT;
	const cJSON *labels = json_at(object, "metadata.labels");

	strv_split(&terms, selector, ',');
	for (size_t i = 0; i < terms.count; i++) {
		char *equal = strchr(terms.items[i], '=');

		if (!equal)
			continue;
		*equal = '\0';
		if (!str_equal(cJSON_GetStringValue(json_get(labels, terms.items[i])), equal + 1))
			return false;
	}
	return true;
}

/* Keeps the page of items that limit and continue of the query ask for. */
static void cut_page(cJSON *list, const char *query)
{
	_cleanup_free_ char *limit_text = match_query(query, "limit", 0);
	_cleanup_free_ char *continue_text = match_query(query, "continue", 0);
	cJSON *items = cJSON_GetObjectItem(list, "items");
	int64_t limit = 0, start = 0, total = cJSON_GetArraySize(items);

	if (str_to_int64(continue_text, &start) < 0)
		start = 0;
	if (str_to_int64(limit_text, &limit) < 0 || limit <= 0)
		limit = total;
	for (int64_t i = 0; i < start && i < total; i++)
		cJSON_DeleteItemFromArray(items, 0);
	if (start + limit >= total)
		return;
	while (cJSON_GetArraySize(items) > limit)
		cJSON_DeleteItemFromArray(items, cJSON_GetArraySize(items) - 1);
	json_set(cJSON_GetObjectItem(list, "metadata"), "continue", json_stringf("%" PRId64, start + limit));
	json_set(cJSON_GetObjectItem(list, "metadata"), "remainingItemCount", json_int(total - start - limit));
}

static void answer_list(const struct apiserver_request *request, cJSON *list, struct http_answer *answer)
{
	_cleanup_free_ char *selector = match_query(request->query, "labelSelector", 0);
	cJSON *items = cJSON_GetObjectItem(list, "items"), *item = items->child, *next;

	for (; selector && item; item = next) {
		next = item->next;
		if (!selector_takes(selector, item))
			cJSON_Delete(cJSON_DetachItemViaPointer(items, item));
	}
	cut_page(list, request->query);
	answer_json(answer, list);
}

static void add_item(cJSON *list, cJSON *item)
{
	cJSON_AddItemToArray(cJSON_GetObjectItem(list, "items"), item);
}

static const char *last_part(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* --------------------------------------------------------------------------------------------- objects */

static char *other_set_name(const struct cluster *cluster, int number)
{
	return xasprintf("%s-%c", cluster->state.set, 'b' + number);
}

static bool has_set(const struct cluster *cluster, const char *name)
{
	if (cluster->options.replicas >= 0 && str_equal(name, cluster->state.set))
		return true;
	for (int i = 0; i < cluster->options.other_sets; i++) {
		_cleanup_free_ char *other = other_set_name(cluster, i);

		if (str_equal(name, other))
			return true;
	}
	return false;
}

void cluster_get_set(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct cluster *cluster = context;
	const char *name = last_part(request->path);

	if (has_set(cluster, name))
		answer_json(answer, cluster_statefulset(&cluster->state, name));
	else
		answer_not_found(answer, "statefulsets.apps", name);
}

void cluster_list_sets(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct cluster *cluster = context;
	cJSON *list = cluster_list("apps/v1", "StatefulSetList");

	if (cluster->options.replicas >= 0)
		add_item(list, cluster_statefulset(&cluster->state, cluster->state.set));
	for (int i = 0; i < cluster->options.other_sets; i++) {
		_cleanup_free_ char *name = other_set_name(cluster, i);

		add_item(list, cluster_statefulset(&cluster->state, name));
	}
	answer_list(request, list, answer);
}

/* …/pods/NAME/exec and the like: the patterns of objects match them too. */
static bool is_subresource(const char *path)
{
	const char *pods = strstr(path, "/pods/");

	return pods && strchr(pods + strlen("/pods/"), '/');
}

void cluster_get_pod(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct cluster *cluster = context;
	const char *name = last_part(request->path);
	int index = cluster_find(&cluster->state, name);

	if (is_subresource(request->path))
		answer->status = HTTP_PASS;
	else if (index < 0 || cluster->state.servers[index].no_pod)
		answer_not_found(answer, "pods", name);
	else
		answer_json(answer, cluster_pod(&cluster->state, (size_t)index));
}

void cluster_list_pods(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct cluster *cluster = context;
	cJSON *list = cluster_list("v1", "PodList");

	for (size_t i = 0; i < cluster->state.count; i++)
		if (!cluster->state.servers[i].no_pod)
			add_item(list, cluster_pod(&cluster->state, i));
	for (int i = 0; i < cluster->options.other_pods; i++)
		add_item(list, cluster_other_pod(&cluster->state, i));
	answer_list(request, list, answer);
}

void cluster_list_claims(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct cluster *cluster = context;
	cJSON *list = cluster_list("v1", "PersistentVolumeClaimList");
	int64_t count = (int64_t)cluster->state.count;

	for (int64_t i = 0; i < count; i++)
		add_item(list, cluster_claim(&cluster->state, cluster->state.ordinal_start + i, 0));
	for (int64_t i = 0; i < cluster->options.leftover_claims; i++)
		add_item(list, cluster_claim(&cluster->state, cluster->state.ordinal_start + count + i,
		                             cluster->options.leftover_age_s));
	answer_list(request, list, answer);
}

void cluster_list_budgets(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct cluster *cluster = context;
	bool beta = strstr(request->path, "/v1beta1/") != NULL;
	cJSON *list;

	if (beta != cluster->options.old_policy) {
		answer->status = 404;
		answer->content_type = "text/plain; charset=utf-8";
		answer->body = "404 page not found\n";
		return;
	}
	list = cluster_list(beta ? "policy/v1beta1" : "policy/v1", "PodDisruptionBudgetList");
	if (!cluster->options.no_budget)
		add_item(list, cluster_budget(&cluster->state));
	answer_list(request, list, answer);
}

static void answer_secret_forbidden(struct http_answer *answer, const struct cluster *cluster, const char *name)
{
	cJSON *message = json_stringf("secrets \"%s\" is forbidden: User \"tester\" cannot get resource \"secrets\" in "
	                              "API group \"\" in the namespace \"%s\"",
	                              name, cluster->state.namespace_name);
	cJSON *status = json_object("kind", json_string("Status"), "apiVersion", json_string("v1"), "metadata",
	                            cJSON_CreateObject(), "status", json_string("Failure"), "message", message,
	                            "reason", json_string("Forbidden"), "code", json_int(403), NULL);

	answer->status = 403;
	answer_json(answer, status);
}

void cluster_get_secret(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct cluster *cluster = context;
	const char *name = last_part(request->path), *token = cluster->options.secret;
	const char *recovery = cluster->options.recovery;
	char *data, *recovery_data;

	if (cluster->options.secret_is_barred) {
		answer_secret_forbidden(answer, cluster, name);
		return;
	}
	if (!token || cluster->options.secret_is_missing) {
		answer_not_found(answer, "secrets", name);
		return;
	}
	data = base64_encode(token, strlen(token));
	recovery_data = recovery ? base64_encode(recovery, strlen(recovery)) : NULL;
	answer_json(answer, json_object("kind", json_string("Secret"), "apiVersion", json_string("v1"), "metadata",
	                                json_object("name", json_string(name), NULL), "data",
	                                json_object("token", json_string(data), "recovery",
	                                            recovery ? json_string(recovery_data) : NULL, NULL),
	                                NULL));
	free(data);
	free(recovery_data);
}

void cluster_list_nothing(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	(void)context;
	answer_list(request, cluster_list("v1", "List"), answer);
}

void cluster_get_nothing(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	(void)context;
	if (is_subresource(request->path)) {
		answer->status = HTTP_PASS;
		return;
	}
	answer_not_found(answer, strstr(request->path, "/apps/") ? "statefulsets.apps" : "objects",
	                 last_part(request->path));
}

/* Refuses exec or portforward to a pod where the way is barred, or the pod is not there. */
void cluster_refuse_upgrade(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct cluster *cluster = context;
	bool is_exec = str_ends_with(request->path, "/exec");
	_cleanup_free_ char *pod = match_pod_path(request->path, is_exec ? "exec" : "portforward");
	int index = pod ? cluster_find(&cluster->state, pod) : -1;
	enum cluster_way way;

	if (index < 0 || cluster->state.servers[index].no_pod) {
		answer_not_found(answer, "pods", pod ? pod : "");
		return;
	}
	way = cluster->state.servers[index].way;
	if (is_exec ? way == WAY_TUNNEL || way == WAY_NONE
	            : way != WAY_BOTH && way != WAY_TUNNEL && way != WAY_HALF_FRAME)
		answer_forbidden(answer, cluster, pod, is_exec ? "exec" : "portforward");
	else
		answer->status = HTTP_PASS;
}
