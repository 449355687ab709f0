/* See include/consul/preflight.h: what is asked, all at once, and the checks that look at the answers. */
#include "consul/preflight.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "consul/observe.h"
#include "preflight_parts.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

/* In the order in which they are shown. */
static const struct {
	const char *name;
	check_look *look;
} checks[] = {
	{ "namespace", check_namespace },
	{ "rights", check_rights },
	{ "storage class", check_storage_class },
	{ "leftover claims", check_leftover_claims },
	{ "owner", check_owner },
	{ "pod security", check_pod_security },
	{ "nodes", check_nodes },
	{ "image", check_image },
};

/* --------------------------------------------------------------------------------------- what is asked
 * Lists are cut where more would not change what is said; nodes are large objects.
 */
static const struct {
	const char *path; /* %s: the namespace */
	bool in_namespace;
	const char *body; /* NULL: GET */
} fact_rows[FACTS] = {
	[FACT_VERSION] = { "/version", false, NULL },
	[FACT_USER] = { "/apis/authentication.k8s.io/v1/selfsubjectreviews", false,
	                "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"SelfSubjectReview\"}" },
	[FACT_NAMESPACE] = { "", true, NULL },
	[FACT_CLASSES] = { "/apis/storage.k8s.io/v1/storageclasses?limit=500", false, NULL },
	[FACT_VOLUMES] = { "/api/v1/persistentvolumes?limit=500", false, NULL },
	[FACT_CLAIMS] = { "/persistentvolumeclaims?limit=5000", true, NULL },
	[FACT_PODS] = { "/pods?limit=5000", true, NULL },
	[FACT_NODES] = { "/api/v1/nodes?limit=500", false, NULL },
};

static char *fact_path(enum fact fact, const char *namespace_name)
{
	struct buf path = BUF_TEXT;

	if (fact_rows[fact].in_namespace) {
		buf_adds(&path, "/api/v1/namespaces/");
		buf_add_url(&path, namespace_name);
	}
	buf_adds(&path, fact_rows[fact].path);
	return buf_detach(&path);
}

static bool is_answered(const struct kube_call *call)
{
	return call->http_status > 0 && call->err.kind != ERR_UNAUTHORIZED;
}

static void take_review(struct scene *scene, struct right *right, struct kube_call *call)
{
	const cJSON *allowed = json_at(call->json, "status.allowed");

	if (cJSON_IsBool(allowed))
		right->answer = cJSON_IsTrue(allowed) ? RIGHT_GIVEN : RIGHT_MISSING;
	else if (!err_is_set(&scene->review_err) && !err_is_set(&call->err))
		err_set(&scene->review_err, ERR_PROTOCOL, "the review has no answer");
	else if (!err_is_set(&scene->review_err))
		err_move(&scene->review_err, &call->err);
}

static int take_answers(struct scene *scene, struct kube_call *calls, struct err *err)
{
	bool answered = false;

	for (size_t i = 0; i < FACTS + scene->rights.count; i++)
		answered |= is_answered(&calls[i]);
	if (!answered) {
		err_move(err, &calls[0].err);
		return err_wrap(err, "preflight");
	}
	for (size_t i = 0; i < scene->rights.count; i++)
		take_review(scene, &scene->rights.items[i], &calls[FACTS + i]);
	for (size_t i = 0; i < FACTS; i++) {
		scene->facts[i] = calls[i];
		calls[i] = (struct kube_call)KUBE_CALL_INIT;
	}
	return 0;
}

static int ask(struct kube_client *client, struct scene *scene, int64_t deadline_ms, struct err *err)
{
	const char *namespace_name = scene->request->namespace_name;
	size_t count = FACTS + scene->rights.count;
	struct kube_call *calls = xcalloc(count, sizeof(*calls));
	char *paths[FACTS];
	int status;

	for (size_t i = 0; i < FACTS; i++) {
		paths[i] = fact_path((enum fact)i, namespace_name);
		calls[i] = (struct kube_call){ .method = fact_rows[i].body ? KUBE_POST : KUBE_GET,
			                       .path = paths[i],
			                       .body = fact_rows[i].body };
	}
	for (size_t i = 0; i < scene->rights.count; i++) {
		struct right *right = &scene->rights.items[i];

		right->body = right_review(right, namespace_name);
		calls[FACTS + i] = (struct kube_call){ .method = KUBE_POST,
			                               .path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
			                               .body = right->body };
	}
	status = kube_client_perform(client, calls, count, deadline_ms, err);
	if (status == 0)
		status = take_answers(scene, calls, err);
	for (size_t i = 0; i < count; i++)
		kube_call_release(&calls[i]);
	for (size_t i = 0; i < FACTS; i++)
		free(paths[i]);
	free(calls);
	return status;
}

/* "20", "20+" */
static int64_t minor_version(const cJSON *version)
{
	const char *minor = json_string_at(version, "minor");

	return str_equal(json_string_at(version, "major"), "1") && minor ? (int64_t)strtol(minor, NULL, 10) : 0;
}

static void scene_release(struct scene *scene)
{
	for (size_t i = 0; i < FACTS; i++)
		kube_call_release(&scene->facts[i]);
	rights_release(&scene->rights);
	err_release(&scene->review_err);
}

int preflight(struct kube_client *client, const struct preflight_request *request, int64_t deadline_ms,
              struct preflight *ret, struct err *err)
{
	struct scene scene = { .request = request, .now_s = clock_wall_s() };
	int status;

	rights_collect(request, &scene.rights);
	status = ask(client, &scene, deadline_ms, err);
	scene.minor = minor_version(scene.facts[FACT_VERSION].json);
	if (status == 0) {
		ret->items = xcalloc(ARRAY_SIZE(checks), sizeof(*ret->items));
		ret->count = ARRAY_SIZE(checks);
	}
	for (size_t i = 0; i < ret->count; i++) {
		ret->items[i].name = checks[i].name;
		checks[i].look(&scene, &ret->items[i]);
	}
	scene_release(&scene);
	return status;
}

bool preflight_has_problem(const struct preflight *preflight)
{
	for (size_t i = 0; i < preflight->count; i++)
		if (preflight->items[i].outcome == PREFLIGHT_PROBLEM)
			return true;
	return false;
}

void preflight_release(struct preflight *preflight)
{
	for (size_t i = 0; i < preflight->count; i++) {
		free(preflight->items[i].text);
		free(preflight->items[i].hint);
		free(preflight->items[i].paste);
	}
	free(preflight->items);
	*preflight = (struct preflight)PREFLIGHT_INIT;
}

const char *preflight_outcome_name(enum preflight_outcome outcome)
{
	static const char *const names[] = { [PREFLIGHT_FINE] = "ok",
		                             [PREFLIGHT_NOTE] = "note",
		                             [PREFLIGHT_UNKNOWN] = "unknown",
		                             [PREFLIGHT_PROBLEM] = "PROBLEM" };

	return names[outcome];
}

/* -------------------------------------------------------------------------------------------- saying */

static void join(char **target, const char *separator, char *text)
{
	char *joined = *target ? xasprintf("%s%s%s", *target, separator, text) : xstrdup(text);

	free(text);
	replace_string(target, joined);
}

void check_say(struct preflight_check *check, enum preflight_outcome outcome, const char *format, ...)
{
	va_list arguments;

	if (outcome < check->outcome)
		return;
	if (outcome > check->outcome) {
		replace_string(&check->text, NULL);
		replace_string(&check->hint, NULL);
		replace_string(&check->paste, NULL);
		check->outcome = outcome;
	}
	va_start(arguments, format);
	join(&check->text, "; ", xvasprintf(format, arguments));
	va_end(arguments);
}

void check_hint(struct preflight_check *check, enum preflight_outcome outcome, const char *format, ...)
{
	_cleanup_free_ char *hint = NULL;
	va_list arguments;

	va_start(arguments, format);
	hint = xvasprintf(format, arguments);
	va_end(arguments);
	if (outcome == check->outcome && !(check->hint && strstr(check->hint, hint)))
		join(&check->hint, "\n", TAKE(hint));
}

void check_paste(struct preflight_check *check, enum preflight_outcome outcome, const char *text)
{
	if (outcome == check->outcome)
		join(&check->paste, "\n", xstrdup(text));
}

void check_unknown(struct preflight_check *check, const char *what, const struct err *err)
{
	if (err->kind == ERR_FORBIDDEN)
		check_say(check, PREFLIGHT_UNKNOWN, "you may not read %s", what);
	else
		check_say(check, PREFLIGHT_UNKNOWN, "%s could not be read: %s", what,
		          err->message ? err->message : "it is not told why");
}

/* --------------------------------------------------------------------------------------------- scene */

const cJSON *scene_list(const struct scene *scene, enum fact fact, const struct err **ret_err)
{
	static char words[] = "the answer is no list";
	static const struct err no_list = { .kind = ERR_PROTOCOL, .message = words };
	const struct kube_call *call = &scene->facts[fact];
	const cJSON *items = json_get(call->json, "items");

	*ret_err = err_is_set(&call->err) ? &call->err : cJSON_IsArray(items) ? NULL : &no_list;
	return *ret_err ? NULL : items;
}

bool scene_list_is_cut(const struct scene *scene, enum fact fact)
{
	return !str_is_empty(json_string_at(scene->facts[fact].json, "metadata.continue"));
}

bool scene_is_kind(const struct apply_object *object, const char *kind)
{
	return str_equal(json_string_at(object->json, "kind"), kind);
}

const cJSON *scene_template(const struct apply_object *object)
{
	const cJSON *of_cron_job = json_at(object->json, "spec.jobTemplate.spec.template");

	if (scene_is_kind(object, "Pod"))
		return object->json;
	return of_cron_job ? of_cron_job : json_at(object->json, "spec.template");
}

const cJSON *scene_find(const cJSON *items, const char *name)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, items)
		if (str_equal(json_string_at(item, "metadata.name"), name))
			return item;
	return NULL;
}

const char *scene_name(const struct apply_object *set)
{
	const char *name = json_string_at(set->json, "metadata.name");

	return name ? name : "";
}

char *scene_claim_name(const struct apply_object *set, const cJSON *template, int64_t ordinal)
{
	const char *name = json_string_at(template, "metadata.name");

	return xasprintf("%s-%s-%" PRId64, name ? name : "", scene_name(set), ordinal);
}

struct ordinals scene_ordinals(const struct apply_object *set)
{
	int64_t count = json_int_at(set->json, "spec.replicas", json_int_at(set->live, "spec.replicas", 1));

	return (struct ordinals){ .start = json_int_at(set->json, "spec.ordinals.start", 0),
		                  .count = count < OBSERVE_SERVERS_MAX ? count : OBSERVE_SERVERS_MAX };
}

/* ----------------------------------------------------------------------------------------- namespace */

void check_namespace(const struct scene *scene, struct preflight_check *check)
{
	const struct kube_call *call = &scene->facts[FACT_NAMESPACE];
	const char *name = scene->request->namespace_name;
	_cleanup_free_ char *command = NULL;

	if (call->err.kind == ERR_NOT_FOUND) {
		check_say(check, PREFLIGHT_PROBLEM, "there is no namespace \"%s\"", name);
		check_hint(check, PREFLIGHT_PROBLEM, "make it, or choose another with -n:");
		command = xasprintf("kubectl create namespace %s", name);
		check_paste(check, PREFLIGHT_PROBLEM, command);
	} else if (err_is_set(&call->err)) {
		check_unknown(check, "the namespace", &call->err);
	} else if (str_equal(json_string_at(call->json, "status.phase"), "Terminating")) {
		check_say(check, PREFLIGHT_PROBLEM, "namespace \"%s\" is being deleted", name);
		check_hint(check, PREFLIGHT_PROBLEM,
		           "wait until it is gone and make it again, or choose another with -n");
	} else {
		check_say(check, PREFLIGHT_FINE, "\"%s\" is there", name);
	}
}
