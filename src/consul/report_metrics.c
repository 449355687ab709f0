/* See include/consul/report_metrics.h. */
#include "consul/report_metrics.h"

#include <inttypes.h>

#include "consul/encryption.h"
#include "util/mem.h"
#include "util/str.h"

/* What a family is about, and where its samples go. */
struct metrics {
	const struct snapshot *snapshot;
	const struct assessment *assessment;
	struct buf labels; /* namespace="…",statefulset="…" */
	struct buf *out;
};

/* Exactly one of the three functions is set. Values: false where it is not known. */
struct family {
	const char *name;
	const char *type;
	const char *unit; /* NULL: none; else the end of the name */
	const char *help;
	bool (*cluster_value)(const struct metrics *metrics, double *ret_value);
	bool (*server_value)(const struct metrics *metrics, const struct server_status *status, double *ret_value);
	void (*samples)(const struct metrics *metrics, const struct family *family); /* with labels of their own */
};

/* ------------------------------------------------------------------------------------------- samples */

/* Without control characters: who looks at metrics does so on a terminal, too. */
static void add_label(struct buf *out, const char *name, const char *value)
{
	_cleanup_free_ char *visible = str_visible(value, 0);

	if (out->len > 0 && out->data[out->len - 1] != '{')
		buf_addc(out, ',');
	buf_addf(out, "%s=\"", name);
	for (const char *at = visible; *at; at++) {
		if (*at == '"' || *at == '\\')
			buf_addf(out, "\\%c", *at);
		else
			buf_addc(out, *at);
	}
	buf_addc(out, '"');
}

/* labels: further ones, ready. */
static void add_sample(const struct metrics *metrics, const char *name, const char *suffix, const struct buf *labels,
                       double value)
{
	buf_addf(metrics->out, "%s%s{%s", name, suffix, buf_text(&metrics->labels));
	if (labels && labels->len > 0)
		buf_addf(metrics->out, ",%s", buf_text(labels));
	buf_addf(metrics->out, "} %.15g\n", value);
}

static void add_family(const struct metrics *metrics, const struct family *family)
{
	size_t begin = metrics->out->len, samples;
	const char *suffix = str_equal(family->type, "counter") ? "_total" : "";
	double value;

	buf_addf(metrics->out, "# TYPE %s %s\n", family->name, family->type);
	if (family->unit)
		buf_addf(metrics->out, "# UNIT %s %s\n", family->name, family->unit);
	buf_addf(metrics->out, "# HELP %s %s\n", family->name, family->help);
	samples = metrics->out->len;
	if (family->samples)
		family->samples(metrics, family);
	if (family->cluster_value && family->cluster_value(metrics, &value))
		add_sample(metrics, family->name, suffix, NULL, value);
	for (size_t i = 0; family->server_value && i < metrics->assessment->server_count; i++) {
		const struct server_status *status = &metrics->assessment->servers[i];
		_cleanup_buf_ struct buf labels = BUF_TEXT;

		if (!family->server_value(metrics, status, &value))
			continue;
		add_label(&labels, "server", status->server->name);
		add_sample(metrics, family->name, suffix, &labels, value);
	}
	if (metrics->out->len == samples)
		metrics->out->len = begin;
}

/* ------------------------------------------------------------------------------------- of the cluster */

static void verdict_samples(const struct metrics *metrics, const struct family *family)
{
	static const enum verdict verdicts[] = { VERDICT_HEALTHY, VERDICT_DEGRADED, VERDICT_CRITICAL, VERDICT_UNKNOWN };

	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		_cleanup_buf_ struct buf labels = BUF_TEXT;

		add_label(&labels, family->name, verdict_name(verdicts[i]));
		add_sample(metrics, family->name, "", &labels, metrics->assessment->verdict == verdicts[i]);
	}
}

/* One kind may be found more than once about the cluster: it is one sample. */
static void finding_samples(const struct metrics *metrics, const struct family *family)
{
	const struct findings *findings = &metrics->assessment->findings;

	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->items[i], *before = i > 0 ? finding - 1 : NULL;
		_cleanup_buf_ struct buf labels = BUF_TEXT;

		if (before && before->kind == finding->kind && str_equal(before->server, finding->server))
			continue;
		add_label(&labels, "code", finding->kind->code);
		add_label(&labels, "name", finding->kind->name);
		add_label(&labels, "severity", severity_name(finding->kind->severity));
		add_label(&labels, "server", finding->server ? finding->server : "");
		add_sample(metrics, family->name, "", &labels, 1);
	}
}

static void encryption_samples(const struct metrics *metrics, const struct family *family)
{
	struct encryption encryption;
	const struct {
		const char *plane;
		const enum encrypted *state;
	} planes[] = { { "gossip", &encryption.gossip }, { "rpc", &encryption.rpc }, { "https", &encryption.https } };

	encryption_of(metrics->snapshot, &encryption);
	for (size_t i = 0; i < ARRAY_SIZE(planes); i++) {
		enum encrypted state = *planes[i].state;
		_cleanup_buf_ struct buf labels = BUF_TEXT;

		if (state == ENCRYPTED_UNKNOWN)
			continue;
		add_label(&labels, "plane", planes[i].plane);
		add_sample(metrics, family->name, "", &labels,
		           state == ENCRYPTED_FULLY    ? 1
		           : state == ENCRYPTED_PARTLY ? 0.5
		                                       : 0);
	}
}

static bool taken_at(const struct metrics *metrics, double *ret_value)
{
	*ret_value = (double)metrics->snapshot->taken_at;
	return metrics->snapshot->taken_at > 0;
}

static bool replicas(const struct metrics *metrics, double *ret_value)
{
	*ret_value = (double)metrics->snapshot->set.replicas;
	return true;
}

static bool has_leader(const struct metrics *metrics, double *ret_value)
{
	*ret_value = metrics->assessment->leader_name != NULL;
	return true;
}

static bool views_agree(const struct metrics *metrics, double *ret_value)
{
	*ret_value = metrics->assessment->views_agree;
	return true;
}

static bool voters(const struct metrics *metrics, double *ret_value)
{
	*ret_value = (double)metrics->assessment->quorum.voters;
	return metrics->assessment->quorum.known;
}

static bool live_voters(const struct metrics *metrics, double *ret_value)
{
	*ret_value = (double)metrics->assessment->quorum.live_voters;
	return metrics->assessment->quorum.known;
}

static bool quorum(const struct metrics *metrics, double *ret_value)
{
	*ret_value = (double)metrics->assessment->quorum.quorum;
	return metrics->assessment->quorum.known;
}

static bool tolerance(const struct metrics *metrics, double *ret_value)
{
	*ret_value = (double)metrics->assessment->quorum.tolerance;
	return metrics->assessment->quorum.known;
}

/* ----------------------------------------------------------------------------------------- of servers */

static void add_label_if(struct buf *labels, const char *name, const char *value)
{
	if (value)
		add_label(labels, name, value);
}

static void server_samples(const struct metrics *metrics, const struct family *family)
{
	for (size_t i = 0; i < metrics->assessment->server_count; i++) {
		const struct server_status *status = &metrics->assessment->servers[i];
		_cleanup_buf_ struct buf labels = BUF_TEXT;

		add_label(&labels, "server", status->server->name);
		add_label_if(&labels, "version", status->version);
		add_label_if(&labels, "node", status->server->pod.node);
		add_label_if(&labels, "pod_ip", status->server->pod.ip);
		add_sample(metrics, family->name, "", &labels, 1);
	}
}

static bool is_up(const struct metrics *metrics, const struct server_status *status, double *ret_value)
{
	(void)metrics;
	*ret_value = view_answered(&status->server->view);
	return true;
}

static bool is_ready(const struct metrics *metrics, const struct server_status *status, double *ret_value)
{
	(void)metrics;
	*ret_value = status->server->has_pod && status->server->pod.ready;
	return true;
}

static bool is_alive(const struct metrics *metrics, const struct server_status *status, double *ret_value)
{
	(void)metrics;
	*ret_value = status->member == MEMBER_ALIVE;
	return status->asked > 0;
}

static bool seen_alive_by(const struct metrics *metrics, const struct server_status *status, double *ret_value)
{
	(void)metrics;
	*ret_value = (double)status->seen_alive_by;
	return status->asked > 0;
}

static bool is_voter(const struct metrics *metrics, const struct server_status *status, double *ret_value)
{
	*ret_value = status->voter;
	return metrics->assessment->quorum.known;
}

static bool is_leader(const struct metrics *metrics, const struct server_status *status, double *ret_value)
{
	(void)metrics;
	*ret_value = status->leader;
	return true;
}

static bool lag(const struct metrics *metrics, const struct server_status *status, double *ret_value)
{
	(void)metrics;
	*ret_value = (double)status->lag;
	return status->lag_known;
}

static bool term(const struct metrics *metrics, const struct server_status *status, double *ret_value)
{
	(void)metrics;
	*ret_value = (double)status->server->view.self.term;
	return status->server->view.self_known;
}

static bool applied_index(const struct metrics *metrics, const struct server_status *status, double *ret_value)
{
	(void)metrics;
	*ret_value = (double)status->server->view.self.applied_index;
	return status->server->view.self_known;
}

static bool last_contact(const struct metrics *metrics, const struct server_status *status, double *ret_value)
{
	const struct view *view = &status->server->view;

	(void)metrics;
	*ret_value = (double)view->self.last_contact_ms / 1000;
	return view->self_known && view->self.last_contact_ms >= 0;
}

static bool restarts(const struct metrics *metrics, const struct server_status *status, double *ret_value)
{
	const struct kube_container *container = status->server->container;

	(void)metrics;
	*ret_value = container ? (double)container->restarts : 0;
	return container != NULL;
}

static bool certificate_end(const struct metrics *metrics, const struct server_status *status, double *ret_value)
{
	(void)metrics;
	*ret_value = (double)status->server->view.certificate.not_after;
	return status->server->view.certificate.known;
}

/* ------------------------------------------------------------------------------------------- families */

/* clang-format off */
static const struct family families[] = {
	{ "kubectl_consul_verdict", "gauge", NULL, "What health says of the cluster: 1 for that, 0 for the others.",
	  .samples = verdict_samples },
	{ "kubectl_consul_finding", "gauge", NULL, "What health found, by code; kubectl consul explain tells more.",
	  .samples = finding_samples },
	{ "kubectl_consul_taken_timestamp_seconds", "gauge", "seconds", "When the cluster was looked at.",
	  .cluster_value = taken_at },
	{ "consul_replicas", "gauge", NULL, "Servers that the StatefulSet wants.", .cluster_value = replicas },
	{ "consul_has_leader", "gauge", NULL, "Whether there is a leader that all servers agree on.",
	  .cluster_value = has_leader },
	{ "consul_views_agree", "gauge", NULL, "Whether all servers have the same member list.",
	  .cluster_value = views_agree },
	{ "consul_raft_voters", "gauge", NULL, "Voters in the peer set.", .cluster_value = voters },
	{ "consul_raft_live_voters", "gauge", NULL, "Voters that run and answer.", .cluster_value = live_voters },
	{ "consul_raft_quorum", "gauge", NULL, "Voters that are needed.", .cluster_value = quorum },
	{ "consul_raft_failure_tolerance", "gauge", NULL, "Further failures that can be survived.",
	  .cluster_value = tolerance },
	{ "consul_encrypted", "gauge", NULL, "1: fully encrypted; 0.5: on some servers, or in one direction; 0: not.",
	  .samples = encryption_samples },
	{ "consul_server_info", "gauge", NULL, "The servers.", .samples = server_samples },
	{ "consul_server_up", "gauge", NULL, "Whether the server answered.", .server_value = is_up },
	{ "consul_server_ready", "gauge", NULL, "Whether the server's pod is ready.", .server_value = is_ready },
	{ "consul_server_alive", "gauge", NULL, "Whether gossip has the server as alive.", .server_value = is_alive },
	{ "consul_server_seen_alive_by", "gauge", NULL, "Servers that have this one as alive.",
	  .server_value = seen_alive_by },
	{ "consul_server_voter", "gauge", NULL, "Whether the server is a voter.", .server_value = is_voter },
	{ "consul_server_leader", "gauge", NULL, "Whether the server is the leader.", .server_value = is_leader },
	{ "consul_server_raft_lag_entries", "gauge", "entries", "Log entries that the server is behind the leader.",
	  .server_value = lag },
	{ "consul_server_raft_term", "gauge", NULL, "The raft term the server is in.", .server_value = term },
	{ "consul_server_raft_applied_index", "gauge", NULL, "The last log entry that the server applied.",
	  .server_value = applied_index },
	{ "consul_server_raft_last_contact_seconds", "gauge", "seconds", "Time since the server heard of the leader.",
	  .server_value = last_contact },
	{ "consul_server_restarts", "counter", NULL, "Restarts of the server's container.", .server_value = restarts },
	{ "consul_server_certificate_expiry_timestamp_seconds", "gauge", "seconds",
	  "When the certificate expires that the server's HTTPS port presented.", .server_value = certificate_end },
};
/* clang-format on */

void report_metrics(const struct snapshot *snapshot, const struct assessment *assessment, struct buf *out)
{
	struct metrics metrics = { .snapshot = snapshot, .assessment = assessment, .labels = BUF_TEXT, .out = out };

	add_label(&metrics.labels, "namespace", snapshot->namespace_name);
	add_label(&metrics.labels, "statefulset", snapshot->set.name);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		add_family(&metrics, &families[i]);
	buf_adds(out, "# EOF\n");
	buf_release(&metrics.labels);
}
