/* consul/report.h: the documented JSON. */
#include <criterion/criterion.h>

#include "consul/report.h"
#include "sample.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

static cJSON *report(const struct snapshot *snapshot)
{
	struct assessment assessment;
	cJSON *json;

	assess(snapshot, &assessment);
	json = report_json(snapshot, &assessment);
	assessment_release(&assessment);
	return json;
}

static const cJSON *server(const cJSON *json, int index)
{
	return cJSON_GetArrayItem(json_get(json, "servers"), index);
}

Test(report, a_healthy_cluster)
{
	_cleanup_json_ cJSON *json = NULL;
	struct snapshot snapshot;
	const cJSON *first;

	sample_init(&snapshot, 3);
	json = report(&snapshot);
	cr_expect_str_eq(json_string_at(json, "apiVersion"), "kubectl-consul/v1");
	cr_expect_str_eq(json_string_at(json, "kind"), "Health");
	cr_expect_str_eq(json_string_at(json, "metadata.namespace"), "ns");
	cr_expect_str_eq(json_string_at(json, "metadata.name"), "consul");
	cr_expect_str_eq(json_string_at(json, "metadata.takenAt"), "2023-11-14T22:13:20Z");
	cr_expect_str_eq(json_string_at(json, "verdict"), "HEALTHY");
	cr_expect_str_eq(json_string_at(json, "leader"), "consul-0");
	cr_expect_eq(json_int_at(json, "quorum.tolerance", -1), 1);
	cr_expect_eq(json_int_at(json, "quorum.liveVoters", -1), 3);
	cr_expect(json_bool_at(json, "viewsAgree", false));
	cr_expect_eq(cJSON_GetArraySize(json_get(json, "servers")), 3);
	cr_expect_eq(cJSON_GetArraySize(json_get(json, "members")), 3);
	cr_expect_eq(cJSON_GetArraySize(json_get(json, "peers")), 3);
	cr_expect_eq(cJSON_GetArraySize(json_get(json, "findings")), 0);
	cr_expect_str_eq(json_string_at(json, "membersFrom"), "consul-0");
	first = server(json, 0);
	cr_expect_str_eq(json_string_at(first, "name"), "consul-0");
	cr_expect_eq(json_int_at(first, "ordinal", -1), 0);
	cr_expect_str_eq(json_string_at(first, "via"), "tunnel");
	cr_expect_str_eq(json_string_at(first, "kubernetes.phase"), "Running");
	cr_expect_str_eq(json_string_at(first, "gossip.status"), "alive");
	cr_expect_eq(json_int_at(first, "gossip.seenAliveBy", -1), 3);
	cr_expect(json_bool_at(first, "raft.leader", false));
	cr_expect_str_eq(json_string_at(first, "raft.source"), "raft");
	cr_expect_str_eq(json_string_at(first, "self.role"), "leader");
	cr_expect_eq(json_int_at(first, "self.lastLogIndex", -1), 1000);
	cr_expect(json_bool_at(first, "self.leaveOnTerminate", false));
	cr_expect_null(json_at(first, "gossip.error"));
	cr_expect_str_eq(json_string_at(cJSON_GetArrayItem(json_get(json, "peers"), 2), "pod"), "consul-2");
	snapshot_release(&snapshot);
}

Test(report, what_is_encrypted_and_until_when)
{
	_cleanup_json_ cJSON *json = NULL;
	struct snapshot snapshot;
	struct certificate *certificate;

	sample_init(&snapshot, 3);
	certificate = &snapshot.servers[1].view.certificate;
	certificate->known = true;
	certificate->not_after = SAMPLE_NOW + 12 * 86400;
	certificate->fingerprint = xstrdup("c0ffee");
	certificate->subject = xstrdup("CN=server.dc1.consul");
	snapshot.servers[2].view.self.verifies_incoming = 0;
	json = report(&snapshot);
	cr_expect_str_eq(json_string_at(json, "encryption.gossip"), "fully");
	cr_expect_str_eq(json_string_at(json, "encryption.rpc"), "partly");
	cr_expect_str_eq(json_string_at(json, "encryption.https"), "partly");
	cr_expect_eq(json_int_at(json, "encryption.certificateDaysLeft", -1), 12);
	cr_expect_null(json_at(server(json, 0), "certificate"));
	cr_expect_str_eq(json_string_at(server(json, 1), "certificate.subject"), "CN=server.dc1.consul");
	cr_expect_str_eq(json_string_at(server(json, 1), "certificate.fingerprint"), "c0ffee");
	cr_expect_str_eq(json_string_at(server(json, 1), "certificate.notAfter"), "2023-11-26T22:13:20Z");
	cr_expect_eq(json_int_at(server(json, 1), "certificate.daysLeft", -1), 12);
	cr_expect(json_bool_at(server(json, 1), "self.verifiesIncoming", false));
	cr_expect_not(json_bool_at(server(json, 2), "self.verifiesIncoming", true));
	cr_expect_null(json_at(server(json, 2), "self.aclsEnabled"));
	snapshot_release(&snapshot);
}

Test(report, what_is_not_known_is_absent_and_why)
{
	_cleanup_json_ cJSON *json = NULL;
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_lose_pod(&snapshot, 1);
	sample_silence(&snapshot, 2, ERR_TIMEOUT, "no answer in 5 s");
	sample_no_leader(&snapshot);
	json = report(&snapshot);
	cr_expect_str_eq(json_string_at(json, "verdict"), "CRITICAL");
	cr_expect(cJSON_IsNull(json_get(json, "leader")));
	cr_expect_not(json_bool_at(server(json, 1), "kubernetes.exists", true));
	cr_expect_null(json_at(server(json, 1), "kubernetes.phase"));
	cr_expect_str_eq(json_string_at(server(json, 2), "self.error"), "no answer in 5 s");
	cr_expect_not(json_bool_at(server(json, 2), "self.known", true));
	cr_expect_null(json_at(server(json, 2), "self.term"));
	snapshot_release(&snapshot);
}

Test(report, findings_are_whole)
{
	_cleanup_json_ cJSON *json = NULL;
	const cJSON *finding;
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_lose_pod(&snapshot, 1);
	json = report(&snapshot);
	finding = cJSON_GetArrayItem(json_get(json, "findings"), 0);
	cr_expect_str_eq(json_string_at(finding, "code"), "CON101");
	cr_expect_str_eq(json_string_at(finding, "name"), "pod-missing");
	cr_expect_str_eq(json_string_at(finding, "severity"), "degraded");
	cr_expect_str_eq(json_string_at(finding, "server"), "consul-1");
	cr_expect_str_eq(json_string_at(finding, "message"), "pod consul-1 does not exist");
	cr_expect_not_null(json_string_at(finding, "cause"));
	cr_expect_not_null(json_string_at(finding, "command"));
	cr_expect_str_eq(json_string_at(server(json, 1), "worst"), "degraded");
	snapshot_release(&snapshot);
}

/* Whoever reads it may not stumble over a cluster of which nothing at all is known. */
Test(report, an_empty_cluster_has_the_same_shape)
{
	_cleanup_json_ cJSON *json = NULL;
	_cleanup_free_ char *text = NULL;
	struct snapshot snapshot;

	sample_init(&snapshot, 0);
	json = report(&snapshot);
	text = json_text(json);
	cr_expect_not(json_bool_at(json, "quorum.known", true));
	cr_expect(cJSON_IsArray(json_get(json, "servers")));
	cr_expect(cJSON_IsArray(json_get(json, "members")));
	cr_expect(cJSON_IsArray(json_get(json, "peers")));
	cr_expect_not_null(strstr(text, "\"verdict\":\"UNKNOWN\""));
	snapshot_release(&snapshot);
}
