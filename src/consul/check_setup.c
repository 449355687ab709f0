/* Findings 5xx: how the cluster is set up; and readiness, which comes last. See include/consul/diagnosis.h. */
#include "consul/diagnosis.h"

#include <inttypes.h>

#include "consul/manifest.h"
#include "consul/remedy.h"
#include "consul/value.h"
#include "util/clock.h"
#include "util/mem.h"

#define REJOIN_AGE_SINCE_MINOR 15 /* server_rejoin_age_max came with Consul 1.15 */

/* Names in lists, each once. */
static void add_once(struct strv *list, const char *text)
{
	if (!strv_contains(list, text))
		strv_add(list, text);
}

/* --------------------------------------------------------------------------------------- readiness */

static char *unready_containers(const struct kube_pod *pod, const struct kube_container *own)
{
	_cleanup_strv_ struct strv names = STRV_INIT;

	for (size_t i = 0; i < pod->container_count; i++)
		if (!pod->containers[i].ready && &pod->containers[i] != own)
			strv_add(&names, pod->containers[i].name);
	return names.count > 0 ? list_names(&names) : NULL;
}

static void check_not_ready(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE (place, diagnosis) {
		const struct server *server = place->server;
		_cleanup_free_ char *others = NULL;
		struct finding *finding;

		if (!place->wanted || place->explained || !place->running || server->pod.ready ||
		    diagnosis_has(diagnosis, SEVERITY_CRITICAL))
			continue;
		others = unready_containers(&server->pod, server->container);
		finding = diagnosis_add(diagnosis, "pod-not-ready", place,
		                        "pod %s is not ready, though Consul in it answers", place_name(place));
		if (server->container && server->container->ready && others)
			finding_set_cause(finding, "another of its containers is not ready: %s", others);
		else
			finding_set_cause(
			    finding,
			    "its readiness probe fails, or has not passed yet; the pod's events have its words");
		remedy_describe_pod(diagnosis, place, finding);
		place->explained = true;
	}
}

/* ------------------------------------------------------------------------------- number, version, node */

static void check_few_replicas(struct diagnosis *diagnosis)
{
	int64_t replicas = diagnosis->snapshot->set.replicas;
	struct finding *finding;

	if (replicas >= 3)
		return;
	if (replicas < 1)
		finding = diagnosis_add(diagnosis, "few-replicas", NULL,
		                        "the StatefulSet is scaled to %" PRId64 " servers", replicas);
	else if (replicas == 1)
		finding = diagnosis_add(diagnosis, "few-replicas", NULL, "a single server: any restart is an outage");
	else
		finding = diagnosis_add(diagnosis, "few-replicas", NULL,
		                        "two servers need each other: any failure is an outage");
	remedy_scale(diagnosis, 3, finding);
}

static void check_version_skew(struct diagnosis *diagnosis)
{
	_cleanup_strv_ struct strv versions = STRV_INIT, groups = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	struct finding *finding;

	for (size_t i = 0; i < diagnosis->assessment->server_count; i++)
		if (diagnosis->assessment->servers[i].version)
			add_once(&versions, diagnosis->assessment->servers[i].version);
	if (versions.count < 2)
		return;
	strv_sort(&versions);
	for (size_t v = 0; v < versions.count; v++) {
		_cleanup_strv_ struct strv names = STRV_INIT;
		_cleanup_free_ char *joined = NULL;

		for (size_t i = 0; i < diagnosis->assessment->server_count; i++)
			if (str_equal(diagnosis->assessment->servers[i].version, versions.items[v]))
				strv_add(&names, diagnosis->assessment->servers[i].server->name);
		joined = list_names(&names);
		strv_addf(&groups, "%s on %s", versions.items[v], joined);
	}
	list = strv_join(&groups, "; ", "; ");
	finding = diagnosis_add(diagnosis, "version-skew", NULL, "%s", list);
	finding_set_cause(finding, str_equal(diagnosis->snapshot->set.update_strategy, "OnDelete")
	                               ? "updateStrategy OnDelete: pods keep their version until they are deleted"
	                               : "an upgrade that is under way, or stopped half-way");
	finding_set_command(finding, "kubectl rollout status statefulset %s -n %s", diagnosis->set_word,
	                    diagnosis->namespace_word);
}

/* deploy has Kubernetes replace no pod by itself while it does so one by one, and gives the strategy back then. */
static void check_rollout(struct diagnosis *diagnosis)
{
	const struct kube_statefulset *set = &diagnosis->snapshot->set;
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	struct finding *finding;

	if (!str_equal(set->update_strategy, "OnDelete") || !str_equal(set->managed_by, MANIFEST_MANAGED_BY))
		return;
	FOR_EACH_PLACE (place, diagnosis)
		if (place->wanted && snapshot_has_old_pod(diagnosis->snapshot, place->server))
			strv_add(&names, place_name(place));
	list = list_names(&names);
	if (names.count > 0)
		finding = diagnosis_add(diagnosis, "rollout-unfinished", NULL, "%s %s of an older revision still", list,
		                        names.count == 1 ? "is" : "are");
	else
		finding =
		    diagnosis_add(diagnosis, "rollout-unfinished", NULL,
		                  "no change of the StatefulSet reaches its pods: its updateStrategy is OnDelete");
	finding_set_cause(finding, "a deploy is under way, or was stopped before it was finished; deploy goes on, and "
	                           "deploy --rollback goes back");
	remedy_deploy(diagnosis, NULL, finding);
}

/* The node with most servers, and how many. */
static const char *fullest_node(struct diagnosis *diagnosis, size_t *ret_most)
{
	const char *fullest = NULL;

	*ret_most = 0;
	FOR_EACH_PLACE (place, diagnosis) {
		const char *node = place->server->pod.node;
		size_t count = 0;

		if (!place->wanted || !node)
			continue;
		FOR_EACH_PLACE (other, diagnosis)
			count += other->wanted && str_equal(other->server->pod.node, node);
		if (count > *ret_most) {
			*ret_most = count;
			fullest = node;
		}
	}
	return fullest;
}

static void check_node_spread(struct diagnosis *diagnosis)
{
	int64_t replicas = diagnosis->snapshot->set.replicas;
	size_t most;
	const char *node = fullest_node(diagnosis, &most);
	struct finding *finding;

	if (replicas < 3 || replicas - (int64_t)most >= replicas / 2 + 1)
		return;
	if ((int64_t)most == replicas)
		finding = diagnosis_add(diagnosis, "node-spread", NULL, "all %zu servers run on node %s", most, node);
	else
		finding = diagnosis_add(diagnosis, "node-spread", NULL,
		                        "%zu of %" PRId64 " servers run on node %s: without it there is no quorum",
		                        most, replicas, node);
	finding_set_cause(finding, "no anti-affinity or topology spread that is required, or too few nodes");
	remedy_list_pods(diagnosis, finding);
}

/* ---------------------------------------------------------------------------------- disruption budget */

/* A number or a percentage of total, rounded up as Kubernetes does. -1: neither. */
static int64_t scaled_value(const char *text, int64_t total)
{
	size_t length = text ? strlen(text) : 0;
	_cleanup_free_ char *digits = NULL;
	int64_t number;

	if (length == 0)
		return -1;
	digits = xstrndup(text, length - (text[length - 1] == '%'));
	if (str_to_int64(digits, &number) < 0 || number < 0 || number > 1000000)
		return -1;
	return text[length - 1] == '%' ? (number * total + 99) / 100 : number;
}

/* How many of total servers the budget lets go at once when all are ready; -1: cannot be told. */
static int64_t budget_allows(const struct kube_budget *budget, int64_t total)
{
	int64_t number;

	if (budget->max_unavailable)
		return scaled_value(budget->max_unavailable, total);
	number = scaled_value(budget->min_available, total);
	if (number < 0)
		return -1;
	return number < total ? total - number : 0;
}

static void check_budget_missing(struct diagnosis *diagnosis)
{
	const struct snapshot *snapshot = diagnosis->snapshot;
	_cleanup_free_ char *selector = NULL;
	struct finding *finding;

	if (!snapshot->budget.known || snapshot->budget.exists || snapshot->set.replicas < 3)
		return;
	finding = diagnosis_add(diagnosis, "budget-missing", NULL, "no PodDisruptionBudget protects the servers' pods");
	finding_set_cause(finding, "drains and node upgrades may take several servers at once");
	if (str_is_empty(snapshot->set.selector) || !snapshot->set.selector_exact)
		return;
	selector = shell_word(snapshot->set.selector);
	finding_set_command(finding, "kubectl create poddisruptionbudget %s -n %s --selector=%s --max-unavailable=1",
	                    diagnosis->set_word, diagnosis->namespace_word, selector);
}

static void set_budget_command(const struct diagnosis *diagnosis, struct finding *finding)
{
	_cleanup_free_ char *name = shell_word(diagnosis->snapshot->budget.budget.name);

	finding_set_command(finding,
	                    "kubectl patch poddisruptionbudget %s -n %s --type=merge -p "
	                    "'{\"spec\":{\"minAvailable\":null,\"maxUnavailable\":1}}'",
	                    name, diagnosis->namespace_word);
}

static void check_budget_size(struct diagnosis *diagnosis)
{
	const struct snapshot *snapshot = diagnosis->snapshot;
	const struct kube_budget *budget = &snapshot->budget.budget;
	int64_t replicas = snapshot->set.replicas, allows;
	const char *field, *value;
	struct finding *finding;

	if (!snapshot->budget.known || !snapshot->budget.exists || replicas < 3)
		return;
	allows = budget_allows(budget, replicas);
	field = budget->max_unavailable ? "maxUnavailable" : "minAvailable";
	value = budget->max_unavailable ? budget->max_unavailable : budget->min_available;
	if (allows == 0) {
		finding = diagnosis_add(diagnosis, "budget-blocking", NULL,
		                        "PodDisruptionBudget %s (%s %s) never lets a server be evicted", budget->name,
		                        field, value);
		finding_set_cause(finding, "its %s leaves none of %" PRId64 " servers to spare", field, replicas);
	} else if (allows > (replicas - 1) / 2) {
		finding = diagnosis_add(diagnosis, "budget-permissive", NULL,
		                        "PodDisruptionBudget %s (%s %s) lets %" PRId64 " of %" PRId64
		                        " servers be evicted at once",
		                        budget->name, field, value, allows, replicas);
		finding_set_cause(finding, "the cluster can lose %" PRId64, (replicas - 1) / 2);
	} else {
		return;
	}
	set_budget_command(diagnosis, finding);
}

/* ------------------------------------------------------------------------------ Consul's own settings */

static void check_gossip(struct diagnosis *diagnosis)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	struct finding *finding;

	FOR_EACH_PLACE (place, diagnosis) {
		const struct view *view = &place->server->view;

		if (view->self_known && view->self.gossip_known && !view->self.gossip_encrypted)
			strv_add(&names, place_name(place));
	}
	if (names.count == 0)
		return;
	list = list_names(&names);
	finding = diagnosis_add(diagnosis, "gossip-unencrypted", NULL, "gossip is not encrypted on %s", list);
	finding_set_cause(finding, "no `encrypt` key in the servers' configuration");
	remedy_explain(finding);
}

static void check_leave_on_terminate(struct diagnosis *diagnosis)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	struct finding *finding;

	FOR_EACH_PLACE (place, diagnosis)
		if (place->server->view.self_known && place->server->view.self.leave_on_terminate == 0)
			strv_add(&names, place_name(place));
	if (names.count == 0)
		return;
	list = list_names(&names);
	finding = diagnosis_add(diagnosis, "leave-on-terminate-off", NULL, "leave_on_terminate is off on %s", list);
	finding_set_cause(finding, "Consul's default for servers: each planned restart costs an election or two");
	remedy_explain(finding);
}

/* -------------------------------------------------------------------------------------------- claims */

static bool is_mounted(const struct snapshot *snapshot, const char *claim_name)
{
	for (size_t i = 0; i < snapshot->server_count; i++)
		if (strv_contains(&snapshot->servers[i].pod.claims, claim_name))
			return true;
	return false;
}

static bool is_leftover(const struct snapshot *snapshot, const struct kube_claim *claim)
{
	int64_t ordinal = snapshot_claim_ordinal(snapshot, claim->name), first = snapshot->set.ordinal_start;

	return ordinal >= 0 && !claim->deleting && (ordinal < first || ordinal - first >= snapshot->set.replicas) &&
	       !is_mounted(snapshot, claim->name);
}

/* False only when every server is known to be older than 1.15. */
static bool may_refuse_rejoin(const struct diagnosis *diagnosis)
{
	bool any_known = false;

	for (size_t i = 0; i < diagnosis->assessment->server_count; i++) {
		const char *version = diagnosis->assessment->servers[i].version;
		int64_t minor;

		if (!version)
			continue;
		any_known = true;
		minor = value_version_minor(version);
		if (minor < 0 || minor >= REJOIN_AGE_SINCE_MINOR)
			return true;
	}
	return !any_known;
}

static void add_claims(struct diagnosis *diagnosis, const char *kind, const struct strv *names, const char *age)
{
	_cleanup_free_ char *list = NULL;
	_cleanup_free_ char *words = NULL;
	struct finding *finding;

	if (names->count == 0)
		return;
	list = list_names(names);
	words = strv_join(names, " ", " ");
	finding = diagnosis_add(diagnosis, kind, NULL, "%s gone: %s (%smade %s ago)",
	                        names->count == 1 ? "claim of a server that is" : "claims of servers that are", list,
	                        names->count == 1 ? "" : "the oldest was ", age);
	finding_set_cause(finding, "a scale-down keeps them; a scale-up would use them again, with what is on them");
	if (names->count == 1 && strchr(words, '\'') == NULL) {
		_cleanup_free_ char *word = shell_word(words);

		finding_set_command(finding, "kubectl get persistentvolumeclaim %s -n %s", word,
		                    diagnosis->namespace_word);
	} else {
		finding_set_command(finding, "kubectl get persistentvolumeclaims -n %s", diagnosis->namespace_word);
	}
}

static void check_claims(struct diagnosis *diagnosis)
{
	const struct snapshot *snapshot = diagnosis->snapshot;
	_cleanup_strv_ struct strv young = STRV_INIT, old = STRV_INIT;
	_cleanup_free_ char *young_age = NULL, *old_age = NULL;
	int64_t oldest_young = 0, oldest_old = 0;
	bool may_refuse = may_refuse_rejoin(diagnosis);

	for (size_t i = 0; i < snapshot->claim_count; i++) {
		const struct kube_claim *claim = &snapshot->claims[i];
		int64_t age = snapshot->taken_at - claim->created_at;
		bool is_old = may_refuse && claim->created_at > 0 && age > REJOIN_AGE_MAX_S;
		int64_t *oldest = is_old ? &oldest_old : &oldest_young;

		if (!is_leftover(snapshot, claim))
			continue;
		strv_add(is_old ? &old : &young, claim->name);
		if (age > *oldest)
			*oldest = age;
	}
	young_age = clock_format_age(oldest_young);
	old_age = clock_format_age(oldest_old);
	add_claims(diagnosis, "leftover-claims", &young, young_age);
	add_claims(diagnosis, "stale-claims", &old, old_age);
}

diagnosis_check *const setup_checks[] = {
	check_not_ready,
	check_few_replicas,
	check_version_skew,
	check_rollout,
	check_node_spread,
	check_budget_missing,
	check_budget_size,
	check_gossip,
	check_leave_on_terminate,
	check_claims,
	NULL,
};
