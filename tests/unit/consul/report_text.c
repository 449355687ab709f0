/* consul/report_nagios.h and consul/report_metrics.h: lines for other programs. */
#include <criterion/criterion.h>

#include "consul/report_metrics.h"
#include "consul/report_nagios.h"
#include "sample.h"
#include "util/mem.h"
#include "util/str.h"

static char *nagios(const struct snapshot *snapshot)
{
	struct assessment assessment;
	char *line;

	assess(snapshot, &assessment);
	line = report_nagios(snapshot, &assessment);
	assessment_release(&assessment);
	return line;
}

static char *metrics(const struct snapshot *snapshot)
{
	struct assessment assessment;
	struct buf out = BUF_TEXT;

	assess(snapshot, &assessment);
	report_metrics(snapshot, &assessment, &out);
	assessment_release(&assessment);
	return buf_detach(&out);
}

static void give_certificate(struct snapshot *snapshot, size_t server, int64_t days)
{
	struct certificate *certificate = &snapshot->servers[server].view.certificate;

	certificate->known = true;
	certificate->not_after = SAMPLE_NOW + days * 86400;
}

Test(report_nagios, a_verdict_is_a_status)
{
	cr_expect_eq(nagios_status_of(VERDICT_HEALTHY), 0);
	cr_expect_eq(nagios_status_of(VERDICT_DEGRADED), 1);
	cr_expect_eq(nagios_status_of(VERDICT_CRITICAL), 2);
	cr_expect_eq(nagios_status_of(VERDICT_UNKNOWN), 2);
}

Test(report_nagios, days_of_the_certificate_that_ends_first)
{
	_cleanup_free_ char *line = NULL;
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	give_certificate(&snapshot, 0, 90);
	give_certificate(&snapshot, 2, 40);
	line = nagios(&snapshot);
	cr_expect(str_ends_with(line, " certificate_days=40;30:;7:"), "%s", line);
	snapshot_release(&snapshot);
}

Test(report_nagios, what_is_not_known_is_left_out)
{
	_cleanup_free_ char *line = NULL;
	struct snapshot snapshot;

	sample_init(&snapshot, 0);
	line = nagios(&snapshot);
	cr_expect(str_starts_with(line, "CONSUL CRITICAL - ns/consul: "), "%s", line);
	cr_expect(str_ends_with(line, "| replicas=0;;;0 answered=0;0:;;0 leader=0;;1:;0;1 findings=0;;;0") ||
	              strstr(line, "leader=0;;1:;0;1 findings="),
	          "%s", line);
	cr_expect_null(strstr(line, "voters="), "%s", line);
	cr_expect_null(strstr(line, "certificate"), "%s", line);
	snapshot_release(&snapshot);
}

Test(report_nagios, nothing_of_the_clusters_begins_the_performance_data)
{
	_cleanup_free_ char *line = NULL, *unknown = report_nagios_unknown("a | b\nc\033[31m");
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_silence(&snapshot, 1, ERR_TIMEOUT, "no | answer\nin 5 s");
	line = nagios(&snapshot);
	cr_expect(str_starts_with(line, "CONSUL WARNING - "), "%s", line);
	cr_expect_eq(strchr(line, '|'), strrchr(line, '|'), "%s", line);
	cr_expect_null(strchr(line, '\n'));
	cr_expect_str_eq(unknown, "CONSUL UNKNOWN - a / b\\nc^[[31m");
	snapshot_release(&snapshot);
}

Test(report_metrics, samples_have_their_labels)
{
	static const char *const expected[] = {
		"# TYPE kubectl_consul_verdict gauge\n",
		"kubectl_consul_verdict{namespace=\"ns\",statefulset=\"consul\",kubectl_consul_verdict=\"HEALTHY\"} "
		"1\n",
		"kubectl_consul_verdict{namespace=\"ns\",statefulset=\"consul\",kubectl_consul_verdict=\"CRITICAL\"} "
		"0\n",
		"# UNIT kubectl_consul_taken_timestamp_seconds seconds\n",
		"kubectl_consul_taken_timestamp_seconds{namespace=\"ns\",statefulset=\"consul\"} 1700000000\n",
		"consul_raft_failure_tolerance{namespace=\"ns\",statefulset=\"consul\"} 1\n",
		"consul_server_leader{namespace=\"ns\",statefulset=\"consul\",server=\"consul-0\"} 1\n",
		"consul_server_leader{namespace=\"ns\",statefulset=\"consul\",server=\"consul-1\"} 0\n",
		"# TYPE consul_server_restarts counter\n",
		"consul_server_restarts_total{namespace=\"ns\",statefulset=\"consul\",server=\"consul-2\"} 0\n",
		"consul_server_certificate_expiry_timestamp_seconds{namespace=\"ns\",statefulset=\"consul\","
		"server=\"consul-1\"} 1703456000\n",
	};
	_cleanup_free_ char *text = NULL;
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	give_certificate(&snapshot, 1, 40);
	text = metrics(&snapshot);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		cr_expect(strstr(text, expected[i]), "no %s in\n%s", expected[i], text);
	cr_expect_null(strstr(text, "kubectl_consul_finding"), "%s", text);
	cr_expect(str_ends_with(text, "\n# EOF\n"));
	snapshot_release(&snapshot);
}

Test(report_metrics, labels_are_escaped_and_families_without_a_value_left_out)
{
	_cleanup_free_ char *text = NULL;
	struct snapshot snapshot;

	sample_init(&snapshot, 1);
	free(snapshot.servers[0].pod.node);
	snapshot.servers[0].pod.node = xstrdup("a\"b\\c\nd\xff");
	text = metrics(&snapshot);
	cr_expect(strstr(text, "node=\"a\\\"b\\\\c\\\\nd\\\\xff\""), "%s", text);
	cr_expect_null(strstr(text, "certificate"), "%s", text);
	snapshot_release(&snapshot);
}

Test(report_metrics, findings_are_samples_once)
{
	_cleanup_free_ char *text = NULL;
	const char *first;
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_lose_pod(&snapshot, 1);
	text = metrics(&snapshot);
	first = strstr(text, "code=\"CON101\",name=\"pod-missing\",severity=\"degraded\",server=\"consul-1\"} 1\n");
	cr_assert(first, "%s", text);
	cr_expect_null(strstr(first + 1, "code=\"CON101\""));
	cr_expect(strstr(text, "kubectl_consul_verdict=\"DEGRADED\"} 1\n"));
	snapshot_release(&snapshot);
}
