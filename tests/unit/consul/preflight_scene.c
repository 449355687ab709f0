/* See preflight_scene.h. */
#include "preflight_scene.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "consul/manifest.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#define LONG_MS 20000

static const char usual_namespace[] = "{'kind':'Namespace','metadata':{'name':'ns'},'status':{'phase':'Active'}}";
static const char usual_classes[] =
    "{'metadata':{'name':'standard','annotations':{'storageclass.kubernetes.io/is-default-class':'true'}},"
    "'provisioner':'csi.example.com','volumeBindingMode':'WaitForFirstConsumer'}";
static const char usual_nodes[] =
    "{'metadata':{'name':'a','labels':{'kubernetes.io/hostname':'a','zone':'1'}},'spec':{}},"
    "{'metadata':{'name':'b','labels':{'kubernetes.io/hostname':'b','zone':'1'}},'spec':{}},"
    "{'metadata':{'name':'c','labels':{'kubernetes.io/hostname':'c','zone':'2'}},'spec':{}}";

static const char *or_else(const char *text, const char *otherwise)
{
	return text ? text : otherwise;
}

static void requote(char *text)
{
	for (; *text; text++)
		*text = *text == '\'' ? '"' : *text;
}

static void answer_text(struct http_answer *answer, const char *text)
{
	answer->scratch.max = BUF_TEXT_MAX;
	buf_clear(&answer->scratch);
	buf_adds(&answer->scratch, text);
	requote(answer->scratch.data);
	answer->body = buf_text(&answer->scratch);
}

/* "404", "403": true, and answered. */
static bool refuse(struct http_answer *answer, const char *text)
{
	if (!str_equal(text, "403") && !str_equal(text, "404"))
		return false;
	answer->status = str_equal(text, "403") ? 403 : 404;
	answer->body =
	    answer->status == 403
	        ? STATUS_FAILURE(403, "Forbidden",
	                         "things is forbidden: User \\\"jane\\\" cannot list resource \\\"things\\\"")
	        : STATUS_FAILURE(404, "NotFound", "not found");
	return true;
}

static void answer_list(const struct preflight_case *how, struct http_answer *answer, const char *items)
{
	_cleanup_free_ char *text = NULL;

	if (refuse(answer, items))
		return;
	text = xasprintf("{'kind':'List','metadata':{'continue':'%s'},'items':[%s]}", how->cut ? "more" : "", items);
	answer_text(answer, text);
}

static void answer_review(const struct preflight_case *how, const struct apiserver_request *request,
                          struct http_answer *answer)
{
	_cleanup_json_ cJSON *body = cJSON_Parse(request->body);
	const cJSON *asked = json_at(body, "spec.resourceAttributes");
	const char *sub = json_string_at(asked, "subresource");
	_cleanup_free_ char *right = xasprintf("%s %s%s%s", json_string_at(asked, "verb"),
	                                       json_string_at(asked, "resource"), sub ? "/" : "", sub ? sub : "");
	_cleanup_strv_ struct strv denied = STRV_INIT;
	_cleanup_free_ char *flat = NULL, *text = NULL;

	if (refuse(answer, how->reviews))
		return;
	flat = xstrdup(or_else(how->denied, ""));
	for (char *at; (at = strstr(flat, ", "));)
		memmove(at + 1, at + 2, strlen(at + 2) + 1);
	strv_split(&denied, flat, ',');
	text = xasprintf("{'kind':'SelfSubjectAccessReview','status':{'allowed':%s}}",
	                 strv_contains(&denied, right) ? "false" : "true");
	answer->status = 201;
	answer_text(answer, text);
}

static void answer_user(const struct preflight_case *how, struct http_answer *answer)
{
	_cleanup_free_ char *text = NULL;

	if (!how->user) {
		refuse(answer, "404");
		return;
	}
	text = xasprintf("{'status':{'userInfo':{'username':'%s'}}}", how->user);
	answer->status = 201;
	answer_text(answer, text);
}

static void answer_any(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	const struct preflight_case *how = context;
	const char *path = request->path;
	_cleanup_free_ char *version = xasprintf("{'major':'1','minor':'%s'}", or_else(how->minor, "30"));

	if (str_equal(path, "/version"))
		answer_text(answer, version);
	else if (str_ends_with(path, "/selfsubjectaccessreviews"))
		answer_review(how, request, answer);
	else if (str_ends_with(path, "/selfsubjectreviews"))
		answer_user(how, answer);
	else if (str_equal(path, "/api/v1/namespaces/ns")) {
		if (!refuse(answer, how->namespace_json))
			answer_text(answer, or_else(how->namespace_json, usual_namespace));
	} else if (str_ends_with(path, "/storageclasses"))
		answer_list(how, answer, or_else(how->classes, usual_classes));
	else if (str_ends_with(path, "/persistentvolumes"))
		answer_list(how, answer, or_else(how->volumes, ""));
	else if (str_ends_with(path, "/persistentvolumeclaims"))
		answer_list(how, answer, or_else(how->claims, ""));
	else if (str_ends_with(path, "/pods"))
		answer_list(how, answer, or_else(how->pods, ""));
	else if (str_ends_with(path, "/nodes"))
		answer_list(how, answer, or_else(how->nodes, usual_nodes));
	else if (str_equal(path, "/apis/policy/v1"))
		answer_text(answer, "{'kind':'APIResourceList','resources':[]}");
	else
		refuse(answer, "404");
}

/* ----------------------------------------------------------------------------------------- objects */

/* Objects are merged, everything else is replaced; null removes. */
static void merge(cJSON *into, const cJSON *from)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, from) {
		cJSON *there = cJSON_GetObjectItemCaseSensitive(into, item->string);

		if (cJSON_IsObject(there) && cJSON_IsObject(item))
			merge(there, item);
		else
			json_set(into, item->string, cJSON_IsNull(item) ? NULL : cJSON_Duplicate(item, true));
	}
}

static void merge_text(cJSON *into, const char *text)
{
	_cleanup_free_ char *json = text ? xstrdup(text) : NULL;
	cJSON *from;

	if (!text)
		return;
	requote(json);
	from = cJSON_Parse(json);
	cr_assert_not_null(from, "%s", text);
	merge(into, from);
	cJSON_Delete(from);
}

static void change_object(const struct preflight_case *how, struct apply_object *object)
{
	const char *kind = json_string_at(object->json, "kind"), *name = json_string_at(object->json, "metadata.name");
	cJSON *spec = cJSON_GetObjectItemCaseSensitive(object->json, "spec");
	bool is_set = str_equal(kind, "StatefulSet"), is_secret = str_equal(kind, "Secret");

	object->create_only = is_secret;
	if (how->from_file)
		object->source = xstrdup("consul.yaml, document 1");
	if (is_set) {
		merge_text(cJSON_GetObjectItemCaseSensitive(spec, "template"), how->template);
		merge_text(object->json, how->set);
	}
	if (how->all_exists || (is_set && how->live_set) || (is_secret && how->gossip_exists) ||
	    (how->live_service && str_equal(kind, "Service") && str_equal(name, "consul")))
		object->live = cJSON_Duplicate(object->json, true);
	if (is_set && object->live)
		merge_text(object->live, how->live_set);
	if (str_equal(kind, "Service") && object->live)
		merge_text(object->live, how->live_service);
}

static void make_objects(struct preflight_scene *scene)
{
	const struct preflight_case *how = scene->how;
	struct manifest_settings settings = {
		.namespace_name = "ns",
		.name = "consul",
		.image = or_else(how->image, "hashicorp/consul:1.21.0"),
		.datacenter = MANIFEST_DATACENTER,
		.storage_size = MANIFEST_STORAGE_SIZE,
		.storage_class = how->storage_class,
		.secrets.gossip_key = "a2V5",
		.replicas = 3,
		.bootstrap_expect = 3,
	};
	cJSON *rendered = manifest_render(&settings), *item;

	while ((item = cJSON_DetachItemFromArray(rendered, 0)))
		change_object(how, apply_list_add(&scene->objects, item));
	cJSON_Delete(rendered);
	cr_assert_eq(apply_locate(scene->client, &scene->objects, "ns", clock_monotonic_ms() + LONG_MS, &scene->err), 0,
	             "%s", scene->err.message);
}

/* ----------------------------------------------------------------------------------------- running */

static void scene_start(struct preflight_scene *scene, const struct preflight_case *how)
{
	struct apiserver_options options = { .routes = scene->routes };

	*scene = (struct preflight_scene){ .how = how };
	scene->routes[0] = (struct apiserver_route){ .path = "*", .make = answer_any };
	memcpy(&scene->routes[0].context, &how, sizeof(how));
	scene->server = apiserver_start(&options);
	scene->loop = loop_new();
	scene->config.server = xstrdup(apiserver_url(scene->server));
	scene->config.namespace_name = xstrdup("ns");
	cr_assert_eq(kube_client_new(scene->loop, &scene->config, &scene->options, &scene->client, &scene->err), 0);
}

void scene_run(struct preflight_scene *scene, const struct preflight_case *how)
{
	struct preflight_request request = { .namespace_name = "ns",
		                             .name = "consul",
		                             .objects = &scene->objects,
		                             .acls = how->acls,
		                             .exists = how->exists,
		                             .restarts = how->restarts,
		                             .scales = how->scales,
		                             .blind = how->blind };

	scene_start(scene, how);
	make_objects(scene);
	cr_assert_eq(preflight(scene->client, &request, clock_monotonic_ms() + LONG_MS, &scene->found, &scene->err), 0,
	             "%s", scene->err.message);
}

void scene_end(struct preflight_scene *scene)
{
	preflight_release(&scene->found);
	apply_list_release(&scene->objects);
	kube_client_free(scene->client);
	loop_free(scene->loop);
	apiserver_stop(scene->server);
	kube_config_release(&scene->config);
	err_release(&scene->err);
}

const struct preflight_check *scene_check(const struct preflight_scene *scene, const char *name)
{
	for (size_t i = 0; i < scene->found.count; i++)
		if (str_equal(scene->found.items[i].name, name))
			return &scene->found.items[i];
	cr_assert_fail("no check is named %s", name);
	return NULL;
}

static void expect_words(const char *label, const char *what, const char *text, const char *words)
{
	if (!words)
		cr_expect_null(text, "%s: %s: %s", label, what, text);
	else
		cr_expect(text ? strstr(text, words) != NULL : *words == '\0', "%s: %s lacks \"%s\": %s", label, what,
		          words, text ? text : "(nothing)");
}

void scene_expect(const char *label, const struct preflight_case *how, const struct preflight_expected *expected)
{
	struct preflight_scene scene;
	const struct preflight_check *check;

	scene_run(&scene, how);
	check = scene_check(&scene, expected->name);
	cr_expect_eq(check->outcome, expected->outcome, "%s: %s: %s", label, preflight_outcome_name(check->outcome),
	             check->text);
	expect_words(label, "text", check->text, expected->text);
	expect_words(label, "hint", check->hint, expected->hint);
	expect_words(label, "paste", check->paste, expected->paste);
	scene_end(&scene);
}

const char *hours_ago(int hours)
{
	static char *buffers[8];
	static size_t next;
	char **buffer = &buffers[next++ % ARRAY_SIZE(buffers)];

	/* A minute more, so that the age is not just short of a whole number. */
	replace_string(buffer, clock_format_rfc3339(clock_wall_s() - (int64_t)hours * 3600 - 60));
	return *buffer;
}
