/*
 * A snapshot of a healthy cluster, and ways to break it: what the tests of assess, report, plan and act start from.
 *
 * Server N is pod consul-N with address 10.0.0.(10+N) on node-N, id id-N; consul-0 leads. Gossip is encrypted, servers
 * leave on termination, a PodDisruptionBudget allows one, autopilot has no min_quorum: no finding at all.
 */
#ifndef TEST_SAMPLE_H
#define TEST_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "consul/assess.h"
#include "consul/snapshot.h"

#define SAMPLE_NOW ((int64_t)1700000000)

void sample_init(struct snapshot *snapshot, size_t servers);

/* The same with spec.ordinals.start: server N is pod consul-(first+N) with address 10.0.0.(10+first+N), and so on. */
void sample_init_from(struct snapshot *snapshot, size_t first, size_t servers);

/* The pod is not there any more, and everybody else has noticed: its member failed. */
void sample_lose_pod(struct snapshot *snapshot, size_t server);

/* The pod runs, but could not be asked. */
void sample_silence(struct snapshot *snapshot, size_t server, enum err_kind kind, const char *message);

/* The container does not run. reason NULL: terminated. */
void sample_stop(struct snapshot *snapshot, size_t server, const char *waiting_reason);

/* How viewer (or, -1, everybody) sees the member of this name. */
void sample_see(struct snapshot *snapshot, int viewer, const char *name, enum member_status status);
void sample_add_member(struct snapshot *snapshot, const char *name, const char *ip, enum member_status status,
                       bool is_server);
void sample_forget_member(struct snapshot *snapshot, int viewer, const char *name);

/* The same of raft peers. */
void sample_add_peer(struct snapshot *snapshot, const char *name, const char *ip, bool voter);
void sample_forget_peer(struct snapshot *snapshot, int viewer, const char *name);
void sample_set_voter(struct snapshot *snapshot, int viewer, const char *name, bool voter);

/* Nobody leads; the servers are candidates. */
void sample_no_leader(struct snapshot *snapshot);

void sample_set_leader(struct snapshot *snapshot, int viewer, const char *address);

/* A pod of the servers beyond the first ones: an ordinal that is not wanted. */
void sample_set_replicas(struct snapshot *snapshot, int64_t replicas);

/* A bare `kubectl scale`: the servers beyond have no pod any more, and their members are this; their peers are left. */
void sample_scale(struct snapshot *snapshot, size_t replicas, enum member_status status);

/* The server has left Consul: a member that left, in nobody's raft. Its pod and what it says are left alone. */
void sample_leave(struct snapshot *snapshot, size_t server);

/* This server leads, and everybody knows. */
void sample_lead(struct snapshot *snapshot, size_t server);

/* All servers tell the same of themselves. leave_on_terminate: 1, 0, -1 for not told. */
void sample_set_version(struct snapshot *snapshot, const char *version);
void sample_set_leave_on_terminate(struct snapshot *snapshot, int64_t leave_on_terminate);

/* Autopilot has one. */
void sample_set_min_quorum(struct snapshot *snapshot, int64_t min_quorum);

/* What servers that start now have as bootstrap_expect, and whether that can be changed. */
void sample_set_expect(struct snapshot *snapshot, int64_t expect, bool can_change);

/* A claim made so long ago; 0: nobody tells when. Valid until the next one is added. */
struct kube_claim *sample_add_claim(struct snapshot *snapshot, const char *name, int64_t age_s);

/* The pods are of the newest revision, this one is not. */
void sample_roll(struct snapshot *snapshot, size_t old_server);

/* deploy has applied a new template with updateStrategy OnDelete: every pod is of an older one. */
void sample_new_template(struct snapshot *snapshot);

/* The pod is one that was made anew, by that template. */
void sample_renew(struct snapshot *snapshot, size_t server);

/* The node of the server is called otherwise than its pod, for everybody. */
void sample_call_node(struct snapshot *snapshot, size_t server, const char *name);

/* Its container waits for reason and has never done anything else; reason NULL: it has no node. */
void sample_never_ran(struct snapshot *snapshot, size_t server, const char *reason);

/* "DEGRADED pod-missing(consul-1) few-replicas": the verdict and all findings, in order. New string. */
char *sample_judge(const struct snapshot *snapshot);

/* Asserts what sample_judge gives, and releases the snapshot. */
void sample_expect(struct snapshot *snapshot, const char *judgement);

/* The first finding of this kind's name; the test fails when there is none. */
const struct finding *sample_finding(const struct assessment *assessment, const char *name);

#endif
