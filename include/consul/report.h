/*
 * consul/report.h - a snapshot and its assessment as JSON: what `health -o json` and `-o yaml` print. Pure.
 *
 * The schema is versioned by apiVersion. Within v1 fields are added, never renamed, removed or given another meaning.
 * A field whose value is not known is absent, if not said otherwise. Times are RFC 3339 in UTC.
 *
 * apiVersion        "kubectl-consul/v1"
 * kind              "Health"
 * metadata          .namespace, .name (of the StatefulSet), .takenAt
 * verdict           "HEALTHY", "DEGRADED", "CRITICAL" or "UNKNOWN" (no server answered)
 * summary           one line for people, UTF-8
 * replicas          servers that the StatefulSet wants
 * quorum            .known; if so .voters (in the peer set that counts), .liveVoters (a server that did not answer is
 *                   dead), .quorum (voters needed), .tolerance (further failures that can be survived)
 * leader            name of the leader all agree on; null when there is none
 * viewsAgree        every member list that was got has the same servers, addresses and statuses
 * encryption        .gossip, .rpc, .https: "fully", "partly" (on some servers, or in one direction) or "none"; rpc is fully
 *                   encrypted where every server verifies both ends; https is of the port that servers are asked at.
 *                   .certificateDaysLeft: of the certificate that expires first; negative when it has
 * servers[]         one for each pod, and for each ordinal below the replicas that has none
 *   .name .ordinal  (no ordinal: absent)
 *   .version        of Consul
 *   .worst          severity of the worst finding about it: "info" (also when there is none), "warning", "degraded",
 *                   "critical"
 *   .via            how it was asked: "tunnel", "exec" or "none"
 *   .kubernetes     .exists; if so .uid .phase .ready .deleting .node .ip .createdAt; of the container .restarts,
 *                   .startedAt; .reason (why the container waits or the pod ended)
 *   .gossip         .known: its member list was got; .error; .status of this server in the list that counts ("alive",
 *                   "leaving", "left", "failed", "unknown"); .seenAliveBy and .asked: in how many of how many lists
 *                   it is alive
 *   .raft           .known: its peer set was got; .source "raft" (the endpoint) or "self" (its own log); .error;
 *                   .peer and .voter: in the peer set that counts; .leader
 *   .self           .known; .error; .role ("leader", "follower", "candidate", "shutdown", "unknown"), .leaderAddress
 *                   (of the leader it follows), .term .lastLogIndex .commitIndex .appliedIndex .lastContactMs,
 *                   .lag (entries behind the leader), .gossipEncrypted .leaveOnTerminate .verifiesOutgoing
 *                   .verifiesIncoming .verifiesHostname (of RPC) .aclsEnabled
 *   .certificate    what its HTTPS port presented: .subject, .fingerprint (SHA-256, hexadecimal), .notAfter, .daysLeft
 *                   (whole days; negative when it has expired); absent when none was seen
 * members[]         the member list that counts, clients included: .name .address .port .status, .server (false for
 *                   a client), .id .version .datacenter, .pod (the server it is)
 * membersFrom       name of the server whose list that is
 * peers[]           the peer set that counts: .name .id .address .voter .leader .protocol .pod
 * peersFrom         name of the server whose set that is
 * findings[]        worst first: .code .name .severity .title .message; .server (absent: the whole cluster), .cause,
 *                   .command
 */
#ifndef CONSUL_REPORT_H
#define CONSUL_REPORT_H

#include <cjson/cJSON.h>

#include "consul/assess.h"
#include "consul/snapshot.h"

#define REPORT_API_VERSION "kubectl-consul/v1"

/* assessment is of this snapshot. The result is owned by the caller. */
cJSON *report_json(const struct snapshot *snapshot, const struct assessment *assessment)
	__attribute__((warn_unused_result));

#endif
