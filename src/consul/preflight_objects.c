/* What is told by the objects themselves: owner, pod security, image. See include/consul/preflight.h. */
#include "consul/image_reference.h"
#include "consul/manifest.h"
#include "consul/pod_security.h"
#include "preflight_parts.h"
#include "util/json.h"
#include "util/mem.h"

/* ------------------------------------------------------------------------------------------- owner */

/* Marks that tools leave on what they manage: a label or an annotation, and what its value is the name of. */
static const struct {
	const char *where;
	const char *key;
	const char *words; /* %s: the value */
} marks[] = {
	{ "metadata.annotations", "meta.helm.sh/release-name", "Helm release \"%s\"" },
	{ "metadata.labels", "helm.sh/chart", "Helm chart \"%s\"" },
	{ "metadata.labels", "helm.toolkit.fluxcd.io/name", "Flux's HelmRelease \"%s\"" },
	{ "metadata.labels", "kustomize.toolkit.fluxcd.io/name", "Flux's Kustomization \"%s\"" },
	{ "metadata.annotations", "argocd.argoproj.io/tracking-id", "Argo CD (\"%s\")" },
	{ "metadata.labels", "argocd.argoproj.io/instance", "Argo CD application \"%s\"" },
	{ "metadata.labels", "app.kubernetes.io/managed-by", "managed-by \"%s\"" },
};

/* Who manages an object, as far as it tells; NULL: it does not. New string. */
static char *manager_of(const cJSON *live)
{
	const cJSON *owner;

	cJSON_ArrayForEach (owner, json_at(live, "metadata.ownerReferences")) {
		const char *kind = json_string_at(owner, "kind"), *name = json_string_at(owner, "name");

		if (json_bool_at(owner, "controller", false) && kind && name)
			return xasprintf("%s \"%s\"", kind, name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		const char *value = cJSON_GetStringValue(json_get(json_at(live, marks[i].where), marks[i].key));
		const char *rest = strstr(marks[i].words, "%s") + strlen("%s");

		if (!str_is_empty(value) && !str_equal(value, MANIFEST_MANAGED_BY))
			return xasprintf("%.*s%s%s", (int)(rest - strlen("%s") - marks[i].words), marks[i].words, value,
			                 rest);
	}
	return NULL;
}

/* Others who set something in the pod template. (`kubectl rollout restart` leaves an annotation, which nobody minds.)
 */
static void add_managers(const cJSON *live, struct strv *managers)
{
	static const char *const expected[] = { MANIFEST_MANAGED_BY, "kubectl-rollout", "kube-controller-manager" };
	const cJSON *entry;

	cJSON_ArrayForEach (entry, json_at(live, "metadata.managedFields")) {
		const char *manager = json_string_at(entry, "manager");
		bool is_expected = !manager || strv_contains(managers, manager);

		for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
			is_expected = is_expected || str_equal(manager, expected[i]);
		if (!is_expected && json_at(entry, "fieldsV1.f:spec.f:template"))
			strv_add(managers, manager);
	}
}

/* ServiceAccounts may be prepared by others, and what is in Secrets is looked at by whoever makes them. */
static bool must_be_ours(const struct apply_object *object)
{
	return !object->source && !scene_is_kind(object, "ServiceAccount") && !scene_is_kind(object, "Secret");
}

static void look_at_owner(const struct apply_object *object, struct preflight_check *check)
{
	_cleanup_free_ char *manager = manager_of(object->live);
	_cleanup_strv_ struct strv managers = STRV_INIT;
	_cleanup_free_ char *joined = NULL;

	if (must_be_ours(object) && !manifest_is_ours(object->live)) {
		check_say(check, PREFLIGHT_PROBLEM, "%s exists and was not made by kubectl consul%s%s%s",
		          object->resource, manager ? " (" : "", manager ? manager : "", manager ? ")" : "");
		check_hint(check, PREFLIGHT_PROBLEM,
		           "choose another name with --name, or apply your own files with -f");
		return;
	}
	if (manager) {
		check_say(check, PREFLIGHT_NOTE, "%s is managed by %s", object->resource, manager);
		check_hint(check, PREFLIGHT_NOTE,
		           "what is changed here may be undone from there: change it there, too");
	}
	if (scene_template(object))
		add_managers(object->live, &managers);
	if (managers.count == 0)
		return;
	joined = strv_join(&managers, ", ", " and ");
	check_say(check, PREFLIGHT_NOTE, "%s: parts of the pod template were set by %s", object->resource, joined);
	check_hint(
	    check, PREFLIGHT_NOTE,
	    "what they set stays as it is; where a deploy sets the same otherwise it stops, and --force-conflicts "
	    "takes it over");
}

/* Whether it exists cannot be told; for one that is made once that need not be known. */
static bool is_hidden(const struct scene *scene, const struct apply_object *object)
{
	const char *plural = strrchr(object->collection, '/');

	return !object->live && !object->create_only && plural &&
	       rights_get_is_missing(scene, plural + 1, scene_name(object));
}

void check_owner(const struct scene *scene, struct preflight_check *check)
{
	const struct apply_list *objects = scene->request->objects;
	_cleanup_strv_ struct strv hidden = STRV_INIT;
	_cleanup_free_ char *joined = NULL;
	size_t live = 0;

	for (size_t i = 0; i < objects->count; i++) {
		if (is_hidden(scene, &objects->items[i]))
			strv_add(&hidden, objects->items[i].resource);
		live += objects->items[i].live != NULL;
		if (objects->items[i].live)
			look_at_owner(&objects->items[i], check);
	}
	if (hidden.count > 0) {
		joined = strv_join(&hidden, ", ", " and ");
		check_say(check, PREFLIGHT_UNKNOWN, "you may not read %s", joined);
	}
	if (!check->text && live == 0)
		check_say(check, PREFLIGHT_FINE, "nothing of these names exists yet");
	else if (!check->text)
		check_say(check, PREFLIGHT_FINE, "what exists is nobody else's");
}

/* ------------------------------------------------------------------------------------ pod security */

/* Admission by labels is on from 1.23; 1.22 has it as an option. */
enum { MINOR_ADMISSION = 23, VIOLATIONS_SHOWN = 4 };

/* "container "consul": …; … and 3 more", of all pods that the objects make; NULL: they fit. New string. */
static char *violations_of(const struct scene *scene, enum pod_security_level level)
{
	const struct apply_list *objects = scene->request->objects;
	_cleanup_strv_ struct strv all = STRV_INIT;
	_cleanup_strv_ struct strv some = STRV_INIT;

	for (size_t i = 0; i < objects->count; i++)
		if (scene_template(&objects->items[i]))
			pod_security_check(scene_template(&objects->items[i]), level, &all);
	for (size_t i = 0; i < all.count && i < VIOLATIONS_SHOWN; i++)
		strv_add(&some, all.items[i]);
	if (all.count > VIOLATIONS_SHOWN)
		strv_addf(&some, "and %zu more", all.count - VIOLATIONS_SHOWN);
	return all.count > 0 ? strv_join(&some, "; ", "; ") : NULL;
}

/* The highest level that all pods fit. */
static enum pod_security_level fitted_level(const struct scene *scene)
{
	enum pod_security_level level = POD_SECURITY_RESTRICTED;

	for (; level > POD_SECURITY_PRIVILEGED; level--) {
		_cleanup_free_ char *violations = violations_of(scene, level);

		if (!violations)
			break;
	}
	return level;
}

static void look_at_mode(const struct scene *scene, const char *mode, enum preflight_outcome outcome,
                         struct preflight_check *check)
{
	_cleanup_free_ char *key = xasprintf("pod-security.kubernetes.io/%s", mode);
	const cJSON *labels = json_at(scene->facts[FACT_NAMESPACE].json, "metadata.labels");
	const char *text = cJSON_GetStringValue(json_get(labels, key));
	bool old = scene->minor > 0 && scene->minor < MINOR_ADMISSION;
	_cleanup_free_ char *violations = NULL;
	enum pod_security_level level;

	if (pod_security_level_find(text, &level) < 0) {
		check_say(check, PREFLIGHT_NOTE, "label %s has \"%s\", which is no level: Kubernetes takes restricted",
		          key, text);
		level = POD_SECURITY_RESTRICTED;
	}
	violations = violations_of(scene, level);
	if (!violations)
		return;
	check_say(check, outcome, "the namespace's label %s=%s does not allow: %s", mode, text, violations);
	if (old)
		check_hint(check, outcome,
		           "Kubernetes 1.%d and older (this is 1.%d) looks at that label only where somebody added the "
		           "admission; it is taken at its word here",
		           MINOR_ADMISSION - 1, (int)scene->minor);
	if (outcome == PREFLIGHT_PROBLEM)
		check_hint(check, outcome,
		           "no pod would start; change the template, or use a namespace with another level");
	else
		check_hint(check, outcome, "pods start all the same: this mode only tells");
}

void check_pod_security(const struct scene *scene, struct preflight_check *check)
{
	const struct kube_call *call = &scene->facts[FACT_NAMESPACE];
	enum pod_security_level fitted = fitted_level(scene);

	/* One that does not exist yet has no labels either, and is told of elsewhere. */
	if (err_is_set(&call->err) && call->err.kind != ERR_NOT_FOUND && fitted != POD_SECURITY_RESTRICTED) {
		check_unknown(check, "the namespace's labels", &call->err);
		return;
	}
	look_at_mode(scene, "enforce", PREFLIGHT_PROBLEM, check);
	look_at_mode(scene, "warn", PREFLIGHT_NOTE, check);
	look_at_mode(scene, "audit", PREFLIGHT_NOTE, check);
	if (!check->text)
		check_say(check, PREFLIGHT_FINE, "the pods fit level %s%s", pod_security_level_name(fitted),
		          fitted == POD_SECURITY_RESTRICTED ? "" : ", and the namespace asks for no more");
}

/* -------------------------------------------------------------------------------------------- image */

static void look_at_image(const char *container, const char *image, struct preflight_check *check)
{
	struct err problem = ERR_INIT;

	if (image_reference_check(image, &problem) < 0) {
		check_say(check, PREFLIGHT_PROBLEM, "container \"%s\": \"%s\" is no image: %s", container,
		          image ? image : "", problem.message);
		check_hint(check, PREFLIGHT_PROBLEM,
		           "an image is [REGISTRY/]NAME[:TAG][@DIGEST], such as " MANIFEST_IMAGE);
		err_release(&problem);
		return;
	}
	if (image_reference_floats(image)) {
		check_say(check, PREFLIGHT_NOTE, "\"%s\" does not say which version runs", image);
		check_hint(check, PREFLIGHT_NOTE,
		           "servers that are restarted at different times may run different ones: give a tag with the "
		           "whole version");
		return;
	}
	check_say(check, PREFLIGHT_FINE, "%s", image);
}

void check_image(const struct scene *scene, struct preflight_check *check)
{
	static const char *const lists[] = { "initContainers", "containers" };
	const struct apply_list *objects = scene->request->objects;
	const cJSON *container;

	for (size_t i = 0; i < objects->count; i++)
		for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
			cJSON_ArrayForEach (container,
			                    json_get(json_get(scene_template(&objects->items[i]), "spec"), lists[k])) {
				const char *name = json_string_at(container, "name");

				look_at_image(name ? name : "", json_string_at(container, "image"), check);
			}
	if (!check->text)
		check_say(check, PREFLIGHT_FINE, "no pods are made");
}
