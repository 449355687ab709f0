/* See include/consul/report.h. */
#include "consul/report.h"

#include "consul/encryption.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* 0 is "absent" in the objects of Kubernetes. */
static cJSON *time_json(int64_t wall_s)
{
	_cleanup_free_ char *text = wall_s > 0 ? clock_format_rfc3339(wall_s) : NULL;

	return json_string(text);
}

/* Counters of raft; beyond 2^53 the last digits are lost, as everywhere in JSON. */
static cJSON *counter_json(uint64_t value)
{
	return cJSON_CreateNumber((double)value);
}

static cJSON *error_json(const struct err *err)
{
	return err_is_set(err) ? json_string(err->message) : NULL;
}

static cJSON *unless_negative(int64_t value)
{
	return value >= 0 ? json_int(value) : NULL;
}

/* -1: not told. */
static cJSON *flag_json(int64_t flag)
{
	return flag >= 0 ? json_bool(flag == 1) : NULL;
}

/* Builders are laid out like the JSON they become. */
/* clang-format off */
static cJSON *quorum_json(const struct quorum *quorum)
{
	if (!quorum->known)
		return json_object("known", json_bool(false), NULL);
	return json_object("known", json_bool(true),
			   "voters", json_int(quorum->voters),
			   "liveVoters", json_int(quorum->live_voters),
			   "quorum", json_int(quorum->quorum),
			   "tolerance", json_int(quorum->tolerance),
			   NULL);
}

/* ------------------------------------------------------------------------------------------ servers */

static const char *pod_reason(const struct server *server)
{
	if (server->pod.status_reason)
		return server->pod.status_reason;
	if (!server->container)
		return NULL;
	return server->container->waiting_reason ? server->container->waiting_reason : server->container->terminated_reason;
}

static cJSON *kubernetes_json(const struct server *server)
{
	const struct kube_pod *pod = &server->pod;

	if (!server->has_pod)
		return json_object("exists", json_bool(false), NULL);
	return json_object("exists", json_bool(true),
			   "uid", json_string(pod->uid),
			   "phase", json_string(pod->phase),
			   "ready", json_bool(pod->ready),
			   "deleting", json_bool(pod->deleting),
			   "node", json_string(pod->node),
			   "ip", json_string(pod->ip),
			   "createdAt", time_json(pod->created_at),
			   "restarts", server->container ? json_int(server->container->restarts) : NULL,
			   "startedAt", server->container ? time_json(server->container->started_at) : NULL,
			   "reason", json_string(pod_reason(server)),
			   NULL);
}

static cJSON *gossip_json(const struct server_status *status)
{
	const struct view *view = &status->server->view;

	return json_object("known", json_bool(view->members_known),
			   "error", error_json(&view->members_err),
			   "status", json_string(member_status_name(status->member)),
			   "seenAliveBy", json_int(status->seen_alive_by),
			   "asked", json_int(status->asked),
			   NULL);
}

static cJSON *raft_json(const struct server_status *status)
{
	const struct view *view = &status->server->view;

	return json_object("known", json_bool(view->peers_known),
			   "source", view->peers_known ? json_string(peers_source_name(view->peers_source)) : NULL,
			   "error", error_json(&view->peers_err),
			   "peer", json_bool(status->peer),
			   "voter", json_bool(status->voter),
			   "leader", json_bool(status->leader),
			   NULL);
}

static cJSON *self_json(const struct server_status *status)
{
	const struct view *view = &status->server->view;
	const struct self *self = &view->self;

	if (!view->self_known)
		return json_object("known", json_bool(false), "error", error_json(&view->self_err), NULL);
	return json_object("known", json_bool(true),
			   "error", error_json(&view->self_err),
			   "role", json_string(raft_role_name(self->role)),
			   "leaderAddress", json_string(self->leader_address),
			   "term", counter_json(self->term),
			   "lastLogIndex", counter_json(self->last_log_index),
			   "commitIndex", counter_json(self->commit_index),
			   "appliedIndex", counter_json(self->applied_index),
			   "lastContactMs", unless_negative(self->last_contact_ms),
			   "lag", status->lag_known ? counter_json(status->lag) : NULL,
			   "gossipEncrypted", self->gossip_known ? json_bool(self->gossip_encrypted) : NULL,
			   "leaveOnTerminate", flag_json(self->leave_on_terminate),
			   "verifiesOutgoing", flag_json(self->verifies_outgoing),
			   "verifiesIncoming", flag_json(self->verifies_incoming),
			   "verifiesHostname", flag_json(self->verifies_hostname),
			   "aclsEnabled", flag_json(self->acls_enabled),
			   NULL);
}

static cJSON *certificate_json(const struct snapshot *snapshot, const struct certificate *certificate)
{
	if (!certificate->known)
		return NULL;
	return json_object("subject", json_string(certificate->subject),
			   "fingerprint", json_string(certificate->fingerprint),
			   "notAfter", time_json(certificate->not_after),
			   "daysLeft", json_int(certificate_days_left(certificate, snapshot->taken_at)),
			   NULL);
}

static cJSON *servers_json(const struct snapshot *snapshot, const struct assessment *assessment)
{
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < assessment->server_count; i++) {
		const struct server_status *status = &assessment->servers[i];

		cJSON_AddItemToArray(list, json_object("name", json_string(status->server->name),
						       "ordinal", unless_negative(status->server->ordinal),
						       "version", json_string(status->version),
						       "worst", json_string(severity_name(status->worst)),
						       "via", json_string(ask_way_name(status->server->view.way)),
						       "kubernetes", kubernetes_json(status->server),
						       "gossip", gossip_json(status),
						       "raft", raft_json(status),
						       "self", self_json(status),
						       "certificate", certificate_json(snapshot, &status->server->view.certificate),
						       NULL));
	}
	return list;
}

/* ------------------------------------------------------------------------------- members and peers */

static cJSON *pod_of_member(const struct assessment *assessment, const struct member *member)
{
	for (size_t i = 0; i < assessment->server_count; i++)
		if (assessment->servers[i].member_entry == member)
			return json_string(assessment->servers[i].server->name);
	return NULL;
}

static cJSON *members_json(const struct assessment *assessment)
{
	const struct view *view = assessment->members_of ? &assessment->members_of->view : NULL;
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; view && i < view->member_count; i++) {
		const struct member *member = &view->members[i];

		cJSON_AddItemToArray(list, json_object("name", json_string(member->name),
						       "address", json_string(member->address),
						       "port", member->port > 0 ? json_int(member->port) : NULL,
						       "status", json_string(member_status_name(member->status)),
						       "server", json_bool(member->is_server),
						       "id", json_string(member->id),
						       "version", json_string(member->version),
						       "datacenter", json_string(member->datacenter),
						       "pod", pod_of_member(assessment, member),
						       NULL));
	}
	return list;
}

static cJSON *pod_of_peer(const struct assessment *assessment, const struct peer *peer)
{
	for (size_t i = 0; i < assessment->server_count; i++)
		if (assessment->servers[i].peer_entry == peer)
			return json_string(assessment->servers[i].server->name);
	return NULL;
}

static cJSON *peers_json(const struct assessment *assessment)
{
	const struct view *view = assessment->peers_of ? &assessment->peers_of->view : NULL;
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; view && i < view->peer_count; i++) {
		const struct peer *peer = &view->peers[i];

		cJSON_AddItemToArray(list, json_object("name", json_string(peer->name),
						       "id", json_string(peer->id),
						       "address", json_string(peer->address),
						       "voter", json_bool(peer->voter),
						       "leader", json_bool(peer->leader),
						       "protocol", peer->protocol > 0 ? json_int(peer->protocol) : NULL,
						       "pod", pod_of_peer(assessment, peer),
						       NULL));
	}
	return list;
}

/* --------------------------------------------------------------------------------------- encryption */

static cJSON *encrypted_json(enum encrypted encrypted)
{
	return encrypted != ENCRYPTED_UNKNOWN ? json_string(encrypted_name(encrypted)) : NULL;
}

static cJSON *encryption_json(const struct snapshot *snapshot)
{
	struct encryption encryption;

	encryption_of(snapshot, &encryption);
	return json_object("gossip", encrypted_json(encryption.gossip),
			   "rpc", encrypted_json(encryption.rpc),
			   "https", encrypted_json(encryption.https),
			   "certificateDaysLeft", encryption.has_certificates ? json_int(encryption.days_left) : NULL,
			   NULL);
}

/* ----------------------------------------------------------------------------------------- findings */

static cJSON *findings_json(const struct findings *findings)
{
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->items[i];

		cJSON_AddItemToArray(list, json_object("code", json_string(finding->kind->code),
						       "name", json_string(finding->kind->name),
						       "severity", json_string(severity_name(finding->kind->severity)),
						       "title", json_string(finding->kind->title),
						       "server", json_string(finding->server),
						       "message", json_string(finding->message),
						       "cause", json_string(finding->cause),
						       "command", json_string(finding->command),
						       NULL));
	}
	return list;
}

cJSON *report_json(const struct snapshot *snapshot, const struct assessment *assessment)
{
	const struct server *members_of = assessment->members_of, *peers_of = assessment->peers_of;
	cJSON *metadata = json_object("namespace", json_string(snapshot->namespace_name),
				      "name", json_string(snapshot->set.name),
				      "takenAt", time_json(snapshot->taken_at),
				      NULL);

	return json_object("apiVersion", json_string(REPORT_API_VERSION),
			   "kind", json_string("Health"),
			   "metadata", metadata,
			   "verdict", json_string(verdict_name(assessment->verdict)),
			   "summary", json_string(assessment->summary),
			   "replicas", json_int(snapshot->set.replicas),
			   "quorum", quorum_json(&assessment->quorum),
			   "leader", assessment->leader_name ? json_string(assessment->leader_name) : cJSON_CreateNull(),
			   "viewsAgree", json_bool(assessment->views_agree),
			   "encryption", encryption_json(snapshot),
			   "servers", servers_json(snapshot, assessment),
			   "members", members_json(assessment),
			   "membersFrom", members_of ? json_string(members_of->name) : NULL,
			   "peers", peers_json(assessment),
			   "peersFrom", peers_of ? json_string(peers_of->name) : NULL,
			   "findings", findings_json(&assessment->findings),
			   NULL);
}
