/*
 * A snapshot of a healthy cluster, and ways to break it: what the tests of assess and report start from.
 *
 * Server N is pod consul-N with address 10.0.0.(10+N) on node-N, id id-N; consul-0 leads. Gossip is encrypted, servers
 * leave on termination, a PodDisruptionBudget allows one: no finding at all.
 */
#ifndef TEST_SAMPLE_H
#define TEST_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "consul/assess.h"
#include "consul/snapshot.h"

#define SAMPLE_NOW ((int64_t)1700000000)

void sample_init(struct snapshot *snapshot, size_t servers);

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

/* "DEGRADED pod-missing(consul-1) few-replicas": the verdict and all findings, in order. New string. */
char *sample_judge(const struct snapshot *snapshot);

/* Asserts what sample_judge gives, and releases the snapshot. */
void sample_expect(struct snapshot *snapshot, const char *judgement);

/* The first finding of this kind's name; the test fails when there is none. */
const struct finding *sample_finding(const struct assessment *assessment, const char *name);

#endif
