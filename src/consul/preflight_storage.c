/* The class of the volumes that servers will get: see include/consul/preflight.h. */
#include <inttypes.h>
#include <stdlib.h>

#include "preflight_parts.h"
#include "util/json.h"
#include "util/mem.h"

/* With several default classes older servers make no claim, newer ones take the newest class. */
enum { MINOR_NEWEST_DEFAULT = 26 };

/* One claim template of one set. */
struct wanted {
	const struct apply_object *set;
	const cJSON *template;
	const char *name;
	const char *class; /* NULL: none named; "": by hand */
	int64_t count;     /* of its claims that are not bound yet */
};

static int64_t count_unbound(const struct scene *scene, const struct wanted *wanted)
{
	const struct err *err;
	const cJSON *claims = scene_list(scene, FACT_CLAIMS, &err);
	struct ordinals ordinals = scene_ordinals(wanted->set);
	int64_t unbound = 0;

	for (int64_t i = ordinals.start; i < ordinals.start + ordinals.count; i++) {
		_cleanup_free_ char *name = scene_claim_name(wanted->set, wanted->template, i);

		unbound += !str_equal(json_string_at(scene_find(claims, name), "status.phase"), "Bound");
	}
	return unbound;
}

/* Volumes that nobody has claimed, of this class. -1: they may not be read. */
static int64_t count_free_volumes(const struct scene *scene, const char *class)
{
	const struct err *err;
	const cJSON *volumes = scene_list(scene, FACT_VOLUMES, &err), *volume;
	int64_t count = 0;

	if (err)
		return -1;
	cJSON_ArrayForEach (volume, volumes) {
		const char *own = json_string_at(volume, "spec.storageClassName");

		count +=
		    str_equal(json_string_at(volume, "status.phase"), "Available") && str_equal(own ? own : "", class);
	}
	return count;
}

static bool is_default(const cJSON *class)
{
	static const char *const keys[] = { "storageclass.kubernetes.io/is-default-class",
		                            "storageclass.beta.kubernetes.io/is-default-class" };
	const cJSON *annotations = json_at(class, "metadata.annotations");

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_equal(cJSON_GetStringValue(json_get(annotations, keys[i])), "true"))
			return true;
	return false;
}

/* "fast, slow", or "none". */
static char *class_names(const cJSON *classes, bool defaults_only)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	const cJSON *class;

	cJSON_ArrayForEach (class, classes) {
		const char *name = json_string_at(class, "metadata.name");

		if (name && (!defaults_only || is_default(class)))
			strv_add(&names, name);
	}
	return names.count > 0 ? strv_join(&names, ", ", ", ") : xstrdup("none");
}

/* The one that Kubernetes takes where none is named; *ret_count tells how many claim to be it. */
static const cJSON *default_class(const cJSON *classes, size_t *ret_count)
{
	const cJSON *class, *newest = NULL;
	const char *made = "";

	*ret_count = 0;
	cJSON_ArrayForEach (class, classes) {
		const char *at = json_string_at(class, "metadata.creationTimestamp");

		if (!is_default(class))
			continue;
		(*ret_count)++;
		/* RFC 3339 in UTC: text sorts as time does. */
		if (!newest || (at && strcmp(at, made) > 0)) {
			newest = class;
			made = at ? at : "";
		}
	}
	return newest;
}

static bool has_several_nodes(const struct scene *scene)
{
	const struct err *err;

	return cJSON_GetArraySize(scene_list(scene, FACT_NODES, &err)) > 1;
}

static void say_class(const struct scene *scene, const struct wanted *wanted, const cJSON *class,
                      struct preflight_check *check)
{
	const char *name = json_string_at(class, "metadata.name"), *kind = json_string_at(class, "provisioner");
	const char *mode = json_string_at(class, "volumeBindingMode");
	const char *which = wanted->class ? "" : ", the default one";
	int64_t unclaimed = count_free_volumes(scene, name ? name : "");

	if (str_equal(kind, "kubernetes.io/no-provisioner") && unclaimed >= 0 && unclaimed < wanted->count) {
		check_say(check, PREFLIGHT_NOTE,
		          "%s: \"%s\"%s makes no volumes, and %" PRId64 " of the %" PRId64 " it takes are free",
		          wanted->name, name, which, unclaimed, wanted->count);
		check_hint(check, PREFLIGHT_NOTE, "servers without a volume wait until somebody makes one");
	} else if (!str_equal(mode, "WaitForFirstConsumer") && has_several_nodes(scene)) {
		check_say(check, PREFLIGHT_NOTE,
		          "%s: \"%s\"%s makes volumes before it is known which node a server goes to "
		          "(volumeBindingMode Immediate)",
		          wanted->name, name, which);
		check_hint(check, PREFLIGHT_NOTE,
		           "where volumes belong to a zone, all of them may end up in one, or out of reach of a "
		           "server's node; a class with WaitForFirstConsumer avoids that");
	} else {
		check_say(check, PREFLIGHT_FINE, "%s: \"%s\"%s", wanted->name, name, which);
	}
}

/* No class, but volumes that somebody made. */
static void say_by_hand(const struct wanted *wanted, int64_t unclaimed, struct preflight_check *check)
{
	if (unclaimed < 0) {
		check_say(check, PREFLIGHT_UNKNOWN, "%s: volumes are made by hand, and may not be read by you",
		          wanted->name);
	} else if (unclaimed < wanted->count) {
		check_say(check, PREFLIGHT_NOTE,
		          "%s: volumes are made by hand, and %" PRId64 " of the %" PRId64 " it takes are free",
		          wanted->name, unclaimed, wanted->count);
		check_hint(check, PREFLIGHT_NOTE, "servers without a volume wait until somebody makes one");
	} else {
		check_say(check, PREFLIGHT_FINE, "%s: %" PRId64 " volumes made by hand are free", wanted->name,
		          unclaimed);
	}
}

static void say_no_class(const struct wanted *wanted, const cJSON *classes, struct preflight_check *check)
{
	_cleanup_free_ char *names = class_names(classes, false);

	if (wanted->class)
		check_say(check, PREFLIGHT_PROBLEM, "%s: there is no StorageClass \"%s\" (there are: %s)", wanted->name,
		          wanted->class, names);
	else
		check_say(check, PREFLIGHT_PROBLEM,
		          "%s: no StorageClass is named, and none is the default one (there are: %s)", wanted->name,
		          names);
	if (wanted->set->source)
		check_hint(check, PREFLIGHT_PROBLEM,
		           "spec.volumeClaimTemplates in %s says which; `kubectl get storageclass` lists them",
		           wanted->set->source);
	else
		check_hint(check, PREFLIGHT_PROBLEM,
		           "--storage-class names another; `kubectl get storageclass` lists them");
}

static void look_at_class(const struct scene *scene, const struct wanted *wanted, struct preflight_check *check)
{
	const struct err *err;
	const cJSON *classes = scene_list(scene, FACT_CLASSES, &err), *class;
	int64_t unclaimed = count_free_volumes(scene, wanted->class ? wanted->class : "");
	size_t defaults = 0;

	if (str_equal(wanted->class, "")) {
		say_by_hand(wanted, unclaimed, check);
		return;
	}
	if (err) {
		check_unknown(check, "StorageClasses", err);
		return;
	}
	class = wanted->class ? scene_find(classes, wanted->class) : default_class(classes, &defaults);
	if (!class && wanted->count > 0 && unclaimed >= wanted->count)
		say_by_hand(wanted, unclaimed, check); /* a class need not exist for volumes to be of it */
	else if (!class)
		say_no_class(wanted, classes, check);
	else
		say_class(scene, wanted, class, check);
	if (defaults > 1) {
		bool newest = scene->minor == 0 || scene->minor >= MINOR_NEWEST_DEFAULT;
		enum preflight_outcome outcome = newest ? PREFLIGHT_NOTE : PREFLIGHT_PROBLEM;
		_cleanup_free_ char *names = class_names(classes, true);

		check_say(check, outcome, "%s: several StorageClasses are the default one: %s%s", wanted->name, names,
		          newest ? "; the newest is taken" : "; this Kubernetes takes none then");
		check_hint(check, outcome, "--storage-class names one");
	}
}

void check_storage_class(const struct scene *scene, struct preflight_check *check)
{
	const struct apply_list *objects = scene->request->objects;
	const cJSON *template;

	for (size_t i = 0; i < objects->count; i++) {
		if (!scene_is_kind(&objects->items[i], "StatefulSet"))
			continue;
		cJSON_ArrayForEach (template, json_at(objects->items[i].json, "spec.volumeClaimTemplates")) {
			const char *name = json_string_at(template, "metadata.name");
			struct wanted wanted = { .set = &objects->items[i],
				                 .template = template,
				                 .name = name ? name : "",
				                 .class = json_string_at(template, "spec.storageClassName") };

			wanted.count = count_unbound(scene, &wanted);
			if (wanted.count == 0)
				check_say(check, PREFLIGHT_FINE, "%s: every server has its volume already",
				          wanted.name);
			else
				look_at_class(scene, &wanted, check);
		}
	}
	if (!check->text)
		check_say(check, PREFLIGHT_FINE, "nothing is stored in claims");
}
