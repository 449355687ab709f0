/* The data that lies where servers will start: see include/consul/preflight.h. */
#include <inttypes.h>
#include <stdlib.h>

#include "consul/diagnosis.h"
#include "consul/image_reference.h"
#include "consul/manifest.h"
#include "preflight_parts.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

/* server_rejoin_age_max came with Consul 1.15. */
enum { REJOIN_AGE_SINCE_MINOR = 15 };

/* Most claims that are named. */
enum { CLAIMS_SHOWN = 5 };

/* The claims of one set's ordinals that will start and have no pod now. */
struct leftovers {
	const struct apply_object *set;
	struct strv names; /* of the claims */
	struct strv shown; /* "data-consul-0 (3d)" */
	int64_t servers;   /* how many of the servers have some */
	int64_t oldest_s;
	struct strv going; /* names of those that are being deleted */
};

static void leftovers_release(struct leftovers *leftovers)
{
	strv_release(&leftovers->names);
	strv_release(&leftovers->shown);
	strv_release(&leftovers->going);
}

static bool take_claim(const struct scene *scene, const cJSON *claim, struct leftovers *leftovers)
{
	const char *name = json_string_at(claim, "metadata.name");
	const char *made = json_string_at(claim, "metadata.creationTimestamp");
	_cleanup_free_ char *age = NULL;
	int64_t made_at;

	if (json_at(claim, "metadata.deletionTimestamp")) {
		strv_add(&leftovers->going, name);
		return false;
	}
	/* One that never had a volume has no data. */
	if (str_equal(json_string_at(claim, "status.phase"), "Pending"))
		return false;
	strv_add(&leftovers->names, name);
	if (!made || clock_parse_rfc3339(made, &made_at) < 0) {
		strv_add(&leftovers->shown, name);
		return true;
	}
	age = clock_format_age(scene->now_s - made_at);
	strv_addf(&leftovers->shown, "%s (%s)", name, age);
	if (scene->now_s - made_at > leftovers->oldest_s)
		leftovers->oldest_s = scene->now_s - made_at;
	return true;
}

static void collect_leftovers(const struct scene *scene, const cJSON *claims, struct leftovers *leftovers)
{
	const struct err *err;
	const cJSON *pods = scene_list(scene, FACT_PODS, &err), *template;
	struct ordinals ordinals = scene_ordinals(leftovers->set);

	for (int64_t i = ordinals.start; i < ordinals.start + ordinals.count; i++) {
		_cleanup_free_ char *pod = xasprintf("%s-%" PRId64, scene_name(leftovers->set), i);
		bool has_some = false;

		if (scene_find(pods, pod))
			continue;
		cJSON_ArrayForEach (template, json_at(leftovers->set->json, "spec.volumeClaimTemplates")) {
			_cleanup_free_ char *name = scene_claim_name(leftovers->set, template, i);
			const cJSON *claim = scene_find(claims, name);

			if (claim && take_claim(scene, claim, leftovers))
				has_some = true;
		}
		leftovers->servers += has_some;
	}
}

/* "data-consul-0 (3d), data-consul-1 (3d) and 9 more" */
static char *shown_leftovers(const struct leftovers *leftovers)
{
	const struct strv *all = &leftovers->shown;
	_cleanup_strv_ struct strv some = STRV_INIT;

	for (size_t i = 0; i < all->count && i < CLAIMS_SHOWN; i++)
		strv_add(&some, all->items[i]);
	if (all->count > CLAIMS_SHOWN)
		strv_addf(&some, "%zu more", all->count - CLAIMS_SHOWN);
	return strv_join(&some, ", ", " and ");
}

static void hint_delete(const struct scene *scene, const struct leftovers *leftovers, const char *otherwise,
                        struct preflight_check *check)
{
	_cleanup_free_ char *names = strv_join(&leftovers->names, " ", " ");
	_cleanup_free_ char *command =
	    xasprintf("kubectl delete persistentvolumeclaim -n %s %s", scene->request->namespace_name, names);

	check_hint(check, PREFLIGHT_PROBLEM, "%s; or, if nobody wants that data any more, delete it:", otherwise);
	check_paste(check, PREFLIGHT_PROBLEM, command);
}

/* A Secret of this set that deploy makes once, and that is not there: what is in it will be new. */
static bool makes_new(const struct scene *scene, const struct apply_object *set, const char *suffix)
{
	_cleanup_free_ char *name = xasprintf("%s%s", scene_name(set), suffix);
	const struct apply_list *objects = scene->request->objects;

	for (size_t i = 0; i < objects->count; i++) {
		const struct apply_object *object = &objects->items[i];

		if (scene_is_kind(object, "Secret") && object->create_only && !object->live &&
		    str_equal(json_string_at(object->json, "metadata.name"), name))
			return rights_may_get(scene, "secrets", name);
	}
	return false;
}

/* Whether this Consul refuses data of a server that was away for too long; one of unknown version does. */
static bool refuses_old_data(const struct apply_object *set)
{
	const char *image = json_string_at(manifest_consul_container(set->json), "image");
	_cleanup_free_ char *tag = image ? image_reference_tag(image) : NULL;
	char *dot = tag && str_starts_with(tag, "1.") ? tag + 1 : NULL;

	return !dot || strtol(dot + 1, NULL, 10) >= REJOIN_AGE_SINCE_MINOR;
}

/*
 * A new StatefulSet, and data of an earlier one of its name: its servers go on with the raft peers, the keyring and the
 * ACLs that they find there.
 */
static void say_of_new(const struct scene *scene, const struct leftovers *leftovers, struct preflight_check *check)
{
	_cleanup_free_ char *shown = shown_leftovers(leftovers);
	int64_t servers = scene_ordinals(leftovers->set).count;

	if (makes_new(scene, leftovers->set, "-gossip")) {
		check_say(
		    check, PREFLIGHT_PROBLEM,
		    "an earlier cluster has left %s: its servers keep its gossip key, and the new one that is made now "
		    "would keep them apart from the others",
		    shown);
		hint_delete(scene, leftovers, "to have that cluster back, first restore its Secrets", check);
	} else if (leftovers->oldest_s > REJOIN_AGE_MAX_S && refuses_old_data(leftovers->set)) {
		check_say(
		    check, PREFLIGHT_PROBLEM,
		    "an earlier cluster has left %s: Consul does not start with the data of a server that was away for "
		    "more than 168 hours, and nobody knows how long these were",
		    shown);
		hint_delete(scene, leftovers,
		            "if they ran until lately, or server_rejoin_age_max is set higher, it can go on", check);
	} else if (leftovers->servers <= servers / 2) {
		check_say(check, PREFLIGHT_NOTE,
		          "an earlier cluster has left %s, which is no majority of %" PRId64
		          " servers: these wait for their old peers, and the others for them",
		          shown, servers);
		check_hint(check, PREFLIGHT_NOTE, "delete them if that cluster is not to come back");
	} else if (scene->request->acls && makes_new(scene, leftovers->set, "-acl-bootstrap")) {
		check_say(check, PREFLIGHT_NOTE,
		          "an earlier cluster has left %s; if it had ACLs, its tokens are gone with their Secret",
		          shown);
		check_hint(check, PREFLIGHT_NOTE, "delete them if that cluster is not to come back");
	} else {
		check_say(check, PREFLIGHT_NOTE, "the servers go on with the data of an earlier cluster: %s", shown);
		check_hint(check, PREFLIGHT_NOTE, "delete them if that cluster is not to come back");
	}
}

/* Its own servers' data may be what it has in use: nothing is said to delete. */
static void say_of_unknown(const struct leftovers *leftovers, struct preflight_check *check)
{
	_cleanup_free_ char *shown = shown_leftovers(leftovers);

	check_say(
	    check, PREFLIGHT_UNKNOWN,
	    "%s are there, and whether statefulset.apps/%s exists could not be read: they are its own, or left by an "
	    "earlier cluster",
	    shown, scene_name(leftovers->set));
	check_hint(check, PREFLIGHT_UNKNOWN, "delete nothing before that is known");
}

/* One that exists: the data of its own servers, which are away now. */
static void say_of_existing(const struct leftovers *leftovers, struct preflight_check *check)
{
	_cleanup_free_ char *shown = shown_leftovers(leftovers);

	if (leftovers->oldest_s > REJOIN_AGE_MAX_S && refuses_old_data(leftovers->set)) {
		check_say(
		    check, PREFLIGHT_NOTE,
		    "servers without a pod go on with their own data: %s; Consul does not start with it if they were "
		    "away for more than 168 hours",
		    shown);
		check_hint(check, PREFLIGHT_NOTE, "`kubectl consul health` tells since when a server is gone");
	} else {
		check_say(check, PREFLIGHT_FINE, "servers without a pod go on with their own data: %s", shown);
	}
}

static void look_at_leftovers(const struct scene *scene, const struct apply_object *set, const cJSON *claims,
                              struct preflight_check *check)
{
	struct leftovers leftovers = { .set = set };

	collect_leftovers(scene, claims, &leftovers);
	if (leftovers.servers > 0 && set->live)
		say_of_existing(&leftovers, check);
	else if (leftovers.servers > 0 && scene->request->blind)
		say_of_unknown(&leftovers, check);
	else if (leftovers.servers > 0)
		say_of_new(scene, &leftovers, check);
	if (leftovers.going.count > 0) {
		_cleanup_free_ char *names = strv_join(&leftovers.going, ", ", " and ");

		check_say(check, PREFLIGHT_NOTE, "being deleted still: %s", names);
		check_hint(check, PREFLIGHT_NOTE, "their servers start when that is done");
	}
	leftovers_release(&leftovers);
}

void check_leftover_claims(const struct scene *scene, struct preflight_check *check)
{
	const struct apply_list *objects = scene->request->objects;
	const struct err *err, *pods_err;
	const cJSON *claims = scene_list(scene, FACT_CLAIMS, &err);

	scene_list(scene, FACT_PODS, &pods_err);
	if (err || pods_err) {
		check_unknown(check, err ? "claims" : "pods", err ? err : pods_err);
		return;
	}
	for (size_t i = 0; i < objects->count; i++)
		if (scene_is_kind(&objects->items[i], "StatefulSet"))
			look_at_leftovers(scene, &objects->items[i], claims, check);
	if (scene_list_is_cut(scene, FACT_CLAIMS) || scene_list_is_cut(scene, FACT_PODS))
		check_say(check, PREFLIGHT_UNKNOWN, "the namespace has too many claims or pods to look through");
	if (!check->text)
		check_say(check, PREFLIGHT_FINE, "none");
}
