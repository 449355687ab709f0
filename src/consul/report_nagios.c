/* See include/consul/report_nagios.h. */
#include "consul/report_nagios.h"

#include <inttypes.h>

#include "consul/encryption.h"
#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

/* Below these the guidelines' ranges alert. */
#define CERTIFICATE_CRITICAL_DAYS 7

enum nagios_status nagios_status_of(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_HEALTHY:
		return NAGIOS_OK;
	case VERDICT_DEGRADED:
		return NAGIOS_WARNING;
	case VERDICT_CRITICAL:
	case VERDICT_UNKNOWN:
		break;
	}
	return NAGIOS_CRITICAL;
}

/* One line, without the sign that begins the performance data. */
static void add_text(struct buf *out, const char *text)
{
	_cleanup_free_ char *visible = str_visible(text, 0);

	for (const char *at = visible; *at; at++)
		buf_addc(out, *at == '|' ? '/' : *at);
}

static void begin(struct buf *out, enum nagios_status status)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

	buf_addf(out, "CONSUL %s - ", words[status]);
}

/* The worst finding, where the verdict is its doing. */
static void add_reason(struct buf *out, const struct assessment *assessment)
{
	const struct findings *findings = &assessment->findings;

	if (assessment->verdict == VERDICT_HEALTHY || findings->count == 0)
		return;
	buf_addf(out, "; %s ", findings->items[0].kind->code);
	add_text(out, findings->items[0].message);
}

/* -------------------------------------------------------------------------------- performance data */

static void add_raft(struct buf *out, const struct assessment *assessment)
{
	const struct quorum *quorum = &assessment->quorum;

	if (quorum->known) {
		buf_addf(out, " voters=%" PRId64 ";;;0", quorum->voters);
		buf_addf(out, " live_voters=%" PRId64 ";%" PRId64 ":;%" PRId64 ":;0;%" PRId64, quorum->live_voters,
		         quorum->voters, quorum->quorum, quorum->voters);
		buf_addf(out, " tolerance=%" PRId64 ";;;0", quorum->tolerance);
	}
	buf_addf(out, " leader=%d;;1:;0;1", assessment->leader_name != NULL);
}

static void add_servers(struct buf *out, const struct snapshot *snapshot, const struct assessment *assessment)
{
	int64_t replicas = snapshot->set.replicas, answered = 0;
	bool lag_known = false;
	uint64_t lag = 0;

	for (size_t i = 0; i < assessment->server_count; i++) {
		const struct server_status *status = &assessment->servers[i];

		answered += view_answered(&status->server->view);
		lag_known |= status->lag_known;
		if (status->lag_known && status->lag > lag)
			lag = status->lag;
	}
	buf_addf(out, " replicas=%" PRId64 ";;;0 answered=%" PRId64 ";%" PRId64 ":;;0", replicas, answered, replicas);
	if (lag_known)
		buf_addf(out, " lag=%" PRIu64 ";;;0", lag);
}

static void add_findings(struct buf *out, const struct findings *findings)
{
	size_t count = 0;

	for (size_t i = 0; i < findings->count; i++)
		count += findings->items[i].kind->severity >= SEVERITY_WARNING;
	buf_addf(out, " findings=%zu;;;0", count);
}

static void add_certificate(struct buf *out, const struct snapshot *snapshot)
{
	struct encryption encryption;

	encryption_of(snapshot, &encryption);
	if (encryption.has_certificates)
		buf_addf(out, " certificate_days=%" PRId64 ";%d:;%d:", encryption.days_left, CERTIFICATE_WARN_DAYS,
		         CERTIFICATE_CRITICAL_DAYS);
}

char *report_nagios(const struct snapshot *snapshot, const struct assessment *assessment)
{
	struct buf out = BUF_TEXT;

	begin(&out, nagios_status_of(assessment->verdict));
	add_text(&out, snapshot->namespace_name);
	buf_addc(&out, '/');
	add_text(&out, snapshot->set.name);
	buf_adds(&out, ": ");
	add_text(&out, assessment->summary);
	add_reason(&out, assessment);
	buf_adds(&out, " |");
	add_servers(&out, snapshot, assessment);
	add_raft(&out, assessment);
	add_findings(&out, &assessment->findings);
	add_certificate(&out, snapshot);
	return buf_detach(&out);
}

char *report_nagios_unknown(const char *message)
{
	struct buf out = BUF_TEXT;

	begin(&out, NAGIOS_UNKNOWN);
	add_text(&out, message);
	return buf_detach(&out);
}
