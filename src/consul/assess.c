/* See include/consul/assess.h. How it is done: include/consul/diagnosis.h. */
#include "consul/assess.h"

#include <inttypes.h>
#include <stdlib.h>

#include "consul/diagnosis.h"
#include "consul/refusal.h"
#include "util/mem.h"

#define SEPARATOR " \xc2\xb7 " /* " · " */

const char *verdict_name(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_HEALTHY:
		return "HEALTHY";
	case VERDICT_DEGRADED:
		return "DEGRADED";
	case VERDICT_CRITICAL:
		return "CRITICAL";
	case VERDICT_UNKNOWN:
		break;
	}
	return "UNKNOWN";
}

/* How many servers' member lists have each server alive. */
static int compare_places(const void *a, const void *b)
{
	return strcmp((*(const struct place *const *)a)->member->name, (*(const struct place *const *)b)->member->name);
}

static int compare_to_name(const void *name, const void *place)
{
	return strcmp(name, (*(const struct place *const *)place)->member->name);
}

static void count_alive(const struct diagnosis *diagnosis)
{
	struct assessment *assessment = diagnosis->assessment;
	const struct place **by_name = xcalloc(assessment->server_count + 1, sizeof(*by_name));
	size_t named = 0;
	int64_t asked = 0;

	FOR_EACH_PLACE (place, diagnosis)
		if (place->member)
			by_name[named++] = place;
	qsort(by_name, named, sizeof(*by_name), compare_places);
	FOR_EACH_PLACE (viewer, diagnosis) {
		const struct view *view = &viewer->server->view;

		asked += view->members_known;
		for (size_t i = 0; i < view->member_count; i++) {
			const struct place *const *found =
			    bsearch(view->members[i].name, by_name, named, sizeof(*by_name), compare_to_name);

			if (found && view->members[i].is_server && view->members[i].status == MEMBER_ALIVE)
				assessment->servers[*found - diagnosis->places].seen_alive_by++;
		}
	}
	for (size_t i = 0; i < assessment->server_count; i++)
		assessment->servers[i].asked = asked;
	free(by_name);
}

/* ------------------------------------------------------------------------------------------- summary */

static void add_tolerance(const struct assessment *assessment, struct strv *parts)
{
	int64_t tolerance = assessment->quorum.tolerance;

	if (tolerance == 0)
		strv_add(parts, "tolerates no failure");
	else
		strv_addf(parts, "tolerates %" PRId64 " failure%s", tolerance, tolerance == 1 ? "" : "s");
}

/* Of the voters there should be: the servers wanted, or the peer set where it holds more. */
static void add_voters(const struct diagnosis *diagnosis, struct strv *parts)
{
	const struct quorum *quorum = &diagnosis->assessment->quorum;
	int64_t replicas = diagnosis->snapshot->set.replicas;

	if (quorum->known)
		strv_addf(parts, "%" PRId64 "/%" PRId64 " voters", quorum->live_voters,
		          quorum->voters > replicas ? quorum->voters : replicas);
	else
		strv_addf(parts, "%zu/%" PRId64 " servers answer", diagnosis->answered, replicas);
}

static char *make_summary(const struct diagnosis *diagnosis)
{
	const struct assessment *assessment = diagnosis->assessment;
	const struct quorum *quorum = &assessment->quorum;
	_cleanup_strv_ struct strv parts = STRV_INIT;

	if (diagnosis->snapshot->set.replicas == 0 && diagnosis->snapshot->server_count == 0)
		return xstrdup("scaled to 0 servers");
	if (diagnosis->answered == 0)
		return xasprintf("none of %" PRId64 " servers answers", diagnosis->snapshot->set.replicas);
	add_voters(diagnosis, &parts);
	if (diagnosis->leaders_disagree)
		strv_add(&parts, "leaders disagree");
	else if (assessment->leader_name)
		strv_addf(&parts, "leader %s", assessment->leader_name);
	else
		strv_add(&parts, refusal_hides_leader(diagnosis) ? "leader unknown" : "no leader");
	if (quorum->known && quorum->live_voters < quorum->quorum)
		strv_addf(&parts, "quorum of %" PRId64 " lost", quorum->quorum);
	else if (quorum->known && assessment->leader_name)
		add_tolerance(assessment, &parts);
	return strv_join(&parts, SEPARATOR, SEPARATOR);
}

/* ------------------------------------------------------------------------------------------- findings */

/* The cluster first, then consul-2 before consul-10. */
static int compare_names(const char *a, const char *b)
{
	if (!a || !b)
		return (a != NULL) - (b != NULL);
	if (strlen(a) != strlen(b))
		return strlen(a) < strlen(b) ? -1 : 1;
	return strcmp(a, b);
}

static int compare_findings(const void *a, const void *b)
{
	const struct finding *left = a, *right = b;
	int order;

	if (left->kind->severity != right->kind->severity)
		return left->kind->severity > right->kind->severity ? -1 : 1;
	order = strcmp(left->kind->code, right->kind->code);
	if (order == 0)
		order = compare_names(left->server, right->server);
	return order ? order : strcmp(left->message, right->message);
}

static enum verdict judge(const struct diagnosis *diagnosis)
{
	if (diagnosis->answered == 0)
		return VERDICT_UNKNOWN;
	if (diagnosis_has(diagnosis, SEVERITY_CRITICAL))
		return VERDICT_CRITICAL;
	return diagnosis_has(diagnosis, SEVERITY_DEGRADED) ? VERDICT_DEGRADED : VERDICT_HEALTHY;
}

static void run_checks(struct diagnosis *diagnosis)
{
	diagnosis_check *const *const tables[] = {
		pod_checks, ask_checks, member_checks, leader_checks, raft_checks, setup_checks, encryption_checks,
	};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (diagnosis_check *const *check = tables[i]; *check; check++)
			(*check)(diagnosis);
}

void assess(const struct snapshot *snapshot, struct assessment *ret_assessment)
{
	struct diagnosis diagnosis;

	*ret_assessment = (struct assessment)ASSESSMENT_INIT;
	diagnosis_begin(&diagnosis, snapshot, ret_assessment);
	count_alive(&diagnosis);
	run_checks(&diagnosis);
	ret_assessment->verdict = judge(&diagnosis);
	ret_assessment->summary = make_summary(&diagnosis);
	for (size_t i = 0; i < ret_assessment->server_count; i++)
		ret_assessment->servers[i].worst = diagnosis.places[i].worst;
	if (ret_assessment->findings.count > 1)
		qsort(ret_assessment->findings.items, ret_assessment->findings.count, sizeof(struct finding),
		      compare_findings);
	diagnosis_release(&diagnosis);
}

void assessment_release(struct assessment *assessment)
{
	free(assessment->leader_name);
	free(assessment->servers);
	findings_release(&assessment->findings);
	free(assessment->summary);
	*assessment = (struct assessment)ASSESSMENT_INIT;
}
