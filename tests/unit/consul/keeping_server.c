/* See keeping_server.h. */
#include "keeping_server.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#define LONG_MS 20000

/* ------------------------------------------------------------------------------------ a keeping server
 * Objects by path. What it adds is what makes an object that was read differ from one that was sent: a uid, versions,
 * managed fields, and a default.
 */
static const char *const absent = STATUS_FAILURE(404, "NotFound", "not found");
static const char *const exists = STATUS_FAILURE(409, "AlreadyExists", "already exists");
static const char *const stale =
    STATUS_FAILURE(409, "Conflict", "Operation cannot be fulfilled: the object has been modified");

static void answer_json(struct http_answer *answer, int status, const cJSON *json)
{
	char *text = json_text(json);

	answer->status = status;
	answer->scratch.max = BUF_TEXT_MAX;
	buf_clear(&answer->scratch);
	buf_adds(&answer->scratch, text);
	answer->body = buf_text(&answer->scratch);
	free(text);
}

static void answer_failure(struct http_answer *answer, int status, const char *body)
{
	answer->status = status;
	answer->body = body;
}

static cJSON *as_kept(struct store *store, cJSON *object, const cJSON *before)
{
	cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
	cJSON *spec = cJSON_GetObjectItemCaseSensitive(object, "spec");

	json_set(metadata, "uid", json_string("some-uid"));
	json_set(metadata, "resourceVersion",
	         before ? json_string(json_string_at(before, "metadata.resourceVersion")) : NULL);
	if (spec)
		json_set(spec, "defaulted", json_bool(true));
	if (before && cJSON_Compare(object, before, true))
		return object;
	json_set(metadata, "resourceVersion", json_stringf("%lld", (long long)++store->version));
	return object;
}

void store_scale_up(struct store *store, const char *path)
{
	cJSON *set = cJSON_GetObjectItemCaseSensitive(store->objects, path);
	cJSON *spec = cJSON_GetObjectItemCaseSensitive(set, "spec");

	json_set(spec, "replicas", json_int(json_int_at(spec, "replicas", 1) + 1));
	json_set(cJSON_GetObjectItemCaseSensitive(set, "metadata"), "resourceVersion",
	         json_stringf("%lld", (long long)++store->version));
}

static void keep(struct store *store, const struct apiserver_request *request, const char *path, cJSON *object,
                 struct http_answer *answer)
{
	const cJSON *before = json_get(store->objects, path);
	bool is_new = !before;

	as_kept(store, object, before);
	answer_json(answer, is_new ? 201 : 200, object);
	if (strstr(request->query, "dryRun=All"))
		cJSON_Delete(object);
	else
		json_set(store->objects, path, object);
}

static cJSON *body_of(const struct apiserver_request *request)
{
	cJSON *json = cJSON_Parse(request->body);
	cJSON *strings = json ? cJSON_GetObjectItemCaseSensitive(json, "stringData") : NULL;

	/* As Secrets are read back. */
	if (strings) {
		json_set(json, "data", cJSON_Duplicate(strings, true));
		json_set(json, "stringData", NULL);
	}
	return json;
}

static void answer_patch(struct store *store, const struct apiserver_request *request, struct http_answer *answer)
{
	cJSON *object = body_of(request);
	const char *version = json_string_at(object, "metadata.resourceVersion");

	if (strstr(request->path, "/statefulsets/") && store->race_replicas > 0) {
		store->race_replicas--;
		store_scale_up(store, request->path);
	}
	if (version &&
	    !str_equal(version, json_string_at(json_get(store->objects, request->path), "metadata.resourceVersion"))) {
		cJSON_Delete(object);
		answer_failure(answer, 409, stale);
		return;
	}
	keep(store, request, request->path, object, answer);
}

static void answer_post(struct store *store, const struct apiserver_request *request, struct http_answer *answer)
{
	cJSON *object = body_of(request);
	_cleanup_free_ char *path = xasprintf("%s/%s", request->path, json_string_at(object, "metadata.name"));

	if (json_get(store->objects, path)) {
		cJSON_Delete(object);
		answer_failure(answer, 409, exists);
		return;
	}
	keep(store, request, path, object, answer);
}

static void answer_get(struct store *store, const struct apiserver_request *request, struct http_answer *answer)
{
	const cJSON *object = json_get(store->objects, request->path);

	if (object)
		answer_json(answer, 200, object);
	else if (str_equal(request->path, "/api/v1/namespaces/ns"))
		answer_failure(answer, 200, "{\"kind\":\"Namespace\"}");
	else if (str_equal(request->path, "/apis/policy/v1") && !store->old_policy)
		answer_failure(answer, 200, "{\"kind\":\"APIResourceList\",\"resources\":[]}");
	else if (str_equal(request->path, "/apis/example.com/v1"))
		answer_failure(answer, 200,
		               "{\"resources\":[{\"name\":\"things/status\",\"kind\":\"Thing\",\"namespaced\":true},"
		               "{\"name\":\"things\",\"kind\":\"Thing\",\"namespaced\":false}]}");
	else
		answer_failure(answer, 404, absent);
}

static void answer_any(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct store *store = context;

	if (store->refuse_path && strstr(request->path, store->refuse_path) &&
	    (!store->refuse_method || str_equal(request->method, store->refuse_method))) {
		answer_failure(answer, store->refusal.status, store->refusal.body);
		return;
	}
	if (str_equal(request->method, "PATCH"))
		answer_patch(store, request, answer);
	else if (str_equal(request->method, "POST"))
		answer_post(store, request, answer);
	else
		answer_get(store, request, answer);
}

/* ----------------------------------------------------------------------------------------- one deploy */

void fixture_start(struct fixture *fixture)
{
	struct apiserver_options how = { .routes = fixture->routes };

	*fixture = (struct fixture){ .store = { .objects = cJSON_CreateObject() }, .plan = DEPLOY_PLAN_INIT };
	fixture->routes[0] = (struct apiserver_route){ .path = "*", .make = answer_any, .context = &fixture->store };
	fixture->server = apiserver_start(&how);
	fixture->loop = loop_new();
	fixture->config.server = xstrdup(apiserver_url(fixture->server));
	fixture->config.namespace_name = xstrdup("ns");
	cr_assert_eq(
	    kube_client_new(fixture->loop, &fixture->config, &fixture->options, &fixture->client, &fixture->err), 0);
}

void fixture_stop(struct fixture *fixture)
{
	deploy_plan_release(&fixture->plan);
	kube_client_free(fixture->client);
	loop_free(fixture->loop);
	apiserver_stop(fixture->server);
	kube_config_release(&fixture->config);
	err_release(&fixture->err);
	cJSON_Delete(fixture->store.objects);
}

int fixture_plan(struct fixture *fixture, const struct deploy_request *request)
{
	deploy_plan_release(&fixture->plan);
	err_release(&fixture->err);
	return deploy_plan(fixture->client, request, clock_monotonic_ms() + LONG_MS, &fixture->plan, &fixture->err);
}

int fixture_apply(struct fixture *fixture, enum apply_mode mode, bool force)
{
	struct apply_options options = { .mode = mode,
		                         .force_conflicts = force,
		                         .deadline_ms = clock_monotonic_ms() + LONG_MS };

	for (size_t i = 0; i < fixture->plan.objects.count; i++)
		if (apply_send(fixture->client, &fixture->plan.objects.items[i], &options, &fixture->err) < 0)
			return -1;
	return 0;
}

void fixture_deploy(struct fixture *fixture, const struct deploy_request *request)
{
	cr_assert_eq(fixture_plan(fixture, request), 0, "%s", fixture->err.message);
	cr_assert_eq(fixture_apply(fixture, APPLY_FOR_REAL, false), 0, "%s", fixture->err.message);
}

const char *fixture_outcome(const struct fixture *fixture, const char *resource)
{
	for (size_t i = 0; i < fixture->plan.objects.count; i++)
		if (str_equal(fixture->plan.objects.items[i].resource, resource))
			return apply_change_name(fixture->plan.objects.items[i].change);
	return "not planned";
}

void fixture_expect_all(const struct fixture *fixture, const char *what)
{
	for (size_t i = 0; i < fixture->plan.objects.count; i++)
		cr_expect_str_eq(apply_change_name(fixture->plan.objects.items[i].change), what, "%s",
		                 fixture->plan.objects.items[i].resource);
}

cJSON *fixture_kept(struct fixture *fixture, const char *path)
{
	cJSON *object = cJSON_GetObjectItemCaseSensitive(fixture->store.objects, path);

	cr_assert_not_null(object, "%s", path);
	return object;
}
