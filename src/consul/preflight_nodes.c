/* Nodes enough for the servers, as the scheduler counts them: see include/consul/preflight.h. */
#include <inttypes.h>

#include "preflight_parts.h"
#include "util/json.h"
#include "util/mem.h"

#define HOSTNAME_KEY "kubernetes.io/hostname"

/* ---------------------------------------------------------------------------------------- selectors
 * NULL selects everything in each of them: what is not asked for is no obstacle.
 */

static bool has_value(const cJSON *values, const char *value)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, values)
		if (str_equal(cJSON_GetStringValue(item), value))
			return true;
	return false;
}

/* One of matchExpressions, of a label selector or of a node selector. An operator that is not known is taken as met. */
static bool meets_expression(const cJSON *labels, const cJSON *expression)
{
	const char *key = json_string_at(expression, "key"), *relation = json_string_at(expression, "operator");
	const char *value = key ? cJSON_GetStringValue(json_get(labels, key)) : NULL;
	const cJSON *values = json_get(expression, "values");
	int64_t left, right;

	if (str_equal(relation, "In"))
		return value && has_value(values, value);
	if (str_equal(relation, "NotIn"))
		return !value || !has_value(values, value);
	if (str_equal(relation, "Exists"))
		return value;
	if (str_equal(relation, "DoesNotExist"))
		return !value;
	if (!str_equal(relation, "Gt") && !str_equal(relation, "Lt"))
		return true;
	if (str_to_int64(value, &left) < 0 ||
	    str_to_int64(cJSON_GetStringValue(cJSON_GetArrayItem(values, 0)), &right) < 0)
		return false;
	return str_equal(relation, "Gt") ? left > right : left < right;
}

static bool meets_expressions(const cJSON *labels, const cJSON *expressions)
{
	const cJSON *expression;

	cJSON_ArrayForEach (expression, expressions)
		if (!meets_expression(labels, expression))
			return false;
	return true;
}

static bool has_labels(const cJSON *labels, const cJSON *wanted)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, wanted)
		if (!str_equal(cJSON_GetStringValue(json_get(labels, item->string)), cJSON_GetStringValue(item)))
			return false;
	return true;
}

/* A label selector. One that is missing selects nothing. */
static bool selects(const cJSON *selector, const cJSON *labels)
{
	return selector && has_labels(labels, json_get(selector, "matchLabels")) &&
	       meets_expressions(labels, json_get(selector, "matchExpressions"));
}

/* ---------------------------------------------------------------------------------------- one node */

static bool tolerates(const cJSON *toleration, const cJSON *taint)
{
	const char *key = json_string_at(toleration, "key"), *effect = json_string_at(toleration, "effect");
	const char *relation = json_string_at(toleration, "operator");
	const char *wanted = json_string_at(toleration, "value"), *value = json_string_at(taint, "value");

	if (!str_is_empty(effect) && !str_equal(effect, json_string_at(taint, "effect")))
		return false;
	if (!str_is_empty(key) && !str_equal(key, json_string_at(taint, "key")))
		return false;
	if (str_equal(relation, "Exists"))
		return true;
	return !str_is_empty(key) && str_equal(wanted ? wanted : "", value ? value : "");
}

/* A node that is not ready has a taint, too. */
static bool keeps_away(const cJSON *taint, const cJSON *tolerations)
{
	const char *effect = json_string_at(taint, "effect");
	const cJSON *toleration;

	if (!str_equal(effect, "NoSchedule") && !str_equal(effect, "NoExecute"))
		return false;
	cJSON_ArrayForEach (toleration, tolerations)
		if (tolerates(toleration, taint))
			return false;
	return true;
}

/* The only field that a node is selected by is metadata.name. */
static bool meets_fields(const cJSON *node, const cJSON *expressions)
{
	cJSON *fields = json_object("metadata.name", json_string(json_string_at(node, "metadata.name")), NULL);
	bool met = meets_expressions(fields, expressions);

	cJSON_Delete(fields);
	return met;
}

/* requiredDuringSchedulingIgnoredDuringExecution of the node affinity: one of its terms must be met. */
static bool meets_affinity(const cJSON *node, const cJSON *spec)
{
	const cJSON *terms =
	    json_at(spec, "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
	const cJSON *labels = json_at(node, "metadata.labels"), *term;

	cJSON_ArrayForEach (term, terms)
		if (meets_expressions(labels, json_get(term, "matchExpressions")) &&
		    meets_fields(node, json_get(term, "matchFields")))
			return true;
	return !terms;
}

static bool takes_pods(const cJSON *node, const cJSON *spec)
{
	const cJSON *taint;

	if (json_bool_at(node, "spec.unschedulable", false))
		return false;
	cJSON_ArrayForEach (taint, json_at(node, "spec.taints"))
		if (keeps_away(taint, json_get(spec, "tolerations")))
			return false;
	return has_labels(json_at(node, "metadata.labels"), json_get(spec, "nodeSelector")) &&
	       meets_affinity(node, spec);
}

/* ------------------------------------------------------------------------------------------- places
 * Nodes that have the same value of a topology key are one place: a node, a zone.
 */

static int64_t count_places(const cJSON *nodes, const cJSON *spec, const char *key)
{
	_cleanup_strv_ struct strv places = STRV_INIT;
	const cJSON *node;

	cJSON_ArrayForEach (node, nodes) {
		const char *name = json_string_at(node, "metadata.name");
		const char *place = cJSON_GetStringValue(json_get(json_at(node, "metadata.labels"), key));

		if (!place && str_equal(key, HOSTNAME_KEY))
			place = name;
		if (place && takes_pods(node, spec) && !strv_contains(&places, place))
			strv_add(&places, place);
	}
	return (int64_t)places.count;
}

/* Where all pods of one template go. */
struct spread {
	const cJSON *nodes;
	const cJSON *template;
	const cJSON *spec;
	int64_t pods;
	struct preflight_check *check;
};

static void say_too_few(const struct spread *spread, const char *key, int64_t places, const char *rule)
{
	const char *unit = str_equal(key, HOSTNAME_KEY) ? places == 1 ? "node" : "nodes" : key;

	check_say(spread->check, PREFLIGHT_PROBLEM,
	          "%s: %" PRId64 " servers take as many places, and %" PRId64 " %s can have them", rule, spread->pods,
	          places, unit);
	check_hint(
	    spread->check, PREFLIGHT_PROBLEM,
	    "fewer servers, more nodes (an autoscaler may add them), or a preference instead of the requirement; "
	    "cordoned nodes and those with taints that the pods do not tolerate do not count");
}

/* One pod per place, if the term is about the servers themselves. */
static bool look_at_required(const struct spread *spread)
{
	const cJSON *terms =
	    json_at(spread->spec, "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution");
	const cJSON *labels = json_at(spread->template, "metadata.labels"), *term;
	bool apart = false;

	cJSON_ArrayForEach (term, terms) {
		const char *key = json_string_at(term, "topologyKey");
		int64_t places;

		if (!key || !selects(json_get(term, "labelSelector"), labels))
			continue;
		apart = true;
		places = count_places(spread->nodes, spread->spec, key);
		if (places < spread->pods)
			say_too_few(spread, key, places, "required podAntiAffinity");
	}
	return apart;
}

/*
 * A constraint that must be met keeps the places even; that many pods share few of them is no obstacle to it, unless
 * there must be minDomains of them: while there are not, each has at most maxSkew.
 */
static void look_at_constraints(const struct spread *spread)
{
	const cJSON *labels = json_at(spread->template, "metadata.labels"), *constraint;

	cJSON_ArrayForEach (constraint, json_get(spread->spec, "topologySpreadConstraints")) {
		const char *key = json_string_at(constraint, "topologyKey");
		int64_t skew = json_int_at(constraint, "maxSkew", 1), least = json_int_at(constraint, "minDomains", 1);
		int64_t places;

		if (!key || str_equal(json_string_at(constraint, "whenUnsatisfiable"), "ScheduleAnyway") ||
		    !selects(json_get(constraint, "labelSelector"), labels))
			continue;
		places = count_places(spread->nodes, spread->spec, key);
		if (places < least && places * skew < spread->pods)
			say_too_few(spread, key, places, "topologySpreadConstraint with minDomains");
	}
}

/* Nothing keeps them apart: how many go with one node? */
static void say_shared(const struct spread *spread, int64_t nodes)
{
	int64_t together = (spread->pods + nodes - 1) / nodes;

	if (spread->pods <= nodes) {
		check_say(spread->check, PREFLIGHT_FINE, "%" PRId64 " take the servers", nodes);
		return;
	}
	if (nodes == 1)
		check_say(spread->check, PREFLIGHT_NOTE, "all %" PRId64 " servers go to the same node", spread->pods);
	else
		check_say(spread->check, PREFLIGHT_NOTE,
		          "%" PRId64 " servers go to %" PRId64 " nodes: at least %" PRId64 " of them share one",
		          spread->pods, nodes, together);
	check_hint(spread->check, PREFLIGHT_NOTE,
	           together > (spread->pods - 1) / 2 ? "losing that node is losing the quorum: add nodes"
	                                             : "losing that node is losing several servers: add nodes");
}

static void look_at_set(const struct scene *scene, const struct apply_object *set, const cJSON *nodes,
                        struct preflight_check *check)
{
	const cJSON *template = scene_template(set);
	struct spread spread = { .nodes = nodes,
		                 .template = template,
		                 .spec = json_get(template, "spec"),
		                 .pods = scene_ordinals(set).count,
		                 .check = check };
	int64_t places = count_places(nodes, spread.spec, HOSTNAME_KEY);
	bool is_cut = scene_list_is_cut(scene, FACT_NODES);

	if (is_cut && places < spread.pods) {
		check_say(check, PREFLIGHT_UNKNOWN, "there are too many to look at");
	} else if (spread.pods == 0) {
		check_say(check, PREFLIGHT_FINE, "no servers are asked for");
	} else if (places == 0) {
		check_say(check, PREFLIGHT_PROBLEM, "none of the %d can have a server of %s", cJSON_GetArraySize(nodes),
		          scene_name(set));
		check_hint(
		    check, PREFLIGHT_PROBLEM,
		    "they are cordoned, have taints that the pods do not tolerate, or other labels than nodeSelector "
		    "and nodeAffinity want: `kubectl describe nodes` tells (an autoscaler may add some)");
	} else {
		bool apart = look_at_required(&spread);

		look_at_constraints(&spread);
		if (!apart)
			say_shared(&spread, places);
		else
			check_say(check, PREFLIGHT_FINE, "%" PRId64 " take the servers, one each", places);
	}
}

void check_nodes(const struct scene *scene, struct preflight_check *check)
{
	const struct apply_list *objects = scene->request->objects;
	const struct err *err;
	const cJSON *nodes = scene_list(scene, FACT_NODES, &err);

	if (err) {
		check_unknown(check, "nodes", err);
		return;
	}
	for (size_t i = 0; i < objects->count; i++)
		if (scene_is_kind(&objects->items[i], "StatefulSet"))
			look_at_set(scene, &objects->items[i], nodes, check);
	if (!check->text)
		check_say(check, PREFLIGHT_FINE, "no servers are made");
}
