/*
 * consul/diagnosis.h - what assess works with while it judges a snapshot. Used by consul/assess.c and its checks only.
 *
 * First the three planes are joined (join.c): every server gets its member and its raft peer, by IP address first, node
 * id second, name last, since foreign clusters name nodes as they like and pods come back with other addresses.
 * Then the checks run, one function per kind of finding, in the order of the tables in check_*.c. A new finding is a
 * row in finding_kinds.c, a function, and a row in its table. What a finding says to type comes from consul/remedy.h.
 *
 * One root cause is told once. The rule:
 *  1. Checks run from causes to effects: pods, asking, gossip, raft, set-up.
 *  2. A check that finds out why a server is not what it should be sets place->explained. Checks of effects leave
 *     such a server out: that it failed, left, does not answer, is not ready, does not vote, is in no raft.
 *  3. "No quorum", "no leader" and "leaders disagree" are always told. They explain that servers are not ready, know no
 *     leader, are no voters, or took the raft plane from themselves, but not why servers do not run.
 *  4. What merely follows from the number of living voters (no redundancy, an even number) is told only when
 *     no finding of degraded or worse says why.
 *  5. Everything else is a problem of its own and always told, whatever else is broken.
 */
#ifndef CONSUL_DIAGNOSIS_H
#define CONSUL_DIAGNOSIS_H

#include <stdbool.h>
#include <stddef.h>

#include "consul/assess.h"
#include "consul/snapshot.h"
#include "util/str.h"

/* ------------------------------------------------------------------------- what is counted as what */

#define RECENT_RESTART_S    ((int64_t)15 * 60)    /* "restarted lately" */
#define STABILIZATION_S     ((int64_t)60)         /* a younger non-voter is only new: autopilot's 10 s, and slack */
#define JOIN_S              ((int64_t)45)         /* a server started later may still be about to join: seen to take 30 s */
#define LAG_MAX_ENTRIES     ((uint64_t)250)       /* autopilot's max_trailing_logs by default */
#define LAST_CONTACT_MAX_MS ((int64_t)10 * 1000)  /* the longest election time-out of a Consul with defaults */
#define REJOIN_AGE_MAX_S    ((int64_t)168 * 3600) /* server_rejoin_age_max by default */

/* One server with its planes joined. */
struct place {
	const struct server *server;
	const struct member *member; /* in the member list that counts; NULL: not in it */
	const struct peer *peer;     /* in the peer set that counts; NULL: not in it */
	char *word;                  /* its name, fit for a shell */
	bool wanted;                 /* an ordinal within the replicas, or none at all */
	bool running;                /* the pod and the container Consul runs in */
	bool answered;
	bool live;      /* counts as alive for the quorum, if it votes */
	bool explained; /* a finding says why it is not what it should be */
	enum severity worst;
};

struct diagnosis {
	const struct snapshot *snapshot;
	struct assessment *assessment;
	struct place *places;            /* as many as servers, same order */
	const struct server *members_of; /* whose member list counts; NULL: nobody has one */
	const struct server *peers_of;   /* whose peer set counts */
	bool *member_taken;              /* members of that list: is one of our servers */
	bool *peer_taken;
	const char *leader_address; /* of the leader all agree on; NULL: none */
	bool leaders_disagree;
	size_t answered;      /* how many did */
	char *namespace_word; /* fit for a shell */
	char *set_word;
	char *name_option; /* " --name NAME", or "" */
};

#define FOR_EACH_PLACE(place_, diagnosis_)                                                                             \
	for (struct place *place_ = (diagnosis_)->places;                                                              \
	     place_ < (diagnosis_)->places + (diagnosis_)->snapshot->server_count; place_++)

typedef void diagnosis_check(struct diagnosis *diagnosis);

/* Each ended by NULL. */
extern diagnosis_check *const pod_checks[];
extern diagnosis_check *const ask_checks[];
extern diagnosis_check *const member_checks[];
extern diagnosis_check *const leader_checks[];
extern diagnosis_check *const raft_checks[];
extern diagnosis_check *const setup_checks[];
extern diagnosis_check *const encryption_checks[];

/* Joins the planes and fills everything in assessment but findings, verdict and summary. */
void diagnosis_begin(struct diagnosis *diagnosis, const struct snapshot *snapshot, struct assessment *assessment);
void diagnosis_release(struct diagnosis *diagnosis);

/*
 * Adds a finding of the kind of this name (which must exist: asserted) about a place, or about the cluster when it is
 * NULL. The result may be given a cause and a command, and is valid until the next one is added.
 */
struct finding *diagnosis_add(struct diagnosis *diagnosis, const char *kind, struct place *place, const char *format,
                              ...) __attribute__((format(printf, 4, 5)));
void finding_set_cause(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
void finding_set_command(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A place that a finding about the cluster is also about: marks its row. */
void diagnosis_mark(struct place *place, const struct finding *finding);

/* True when a finding of at least this severity was added. */
bool diagnosis_has(const struct diagnosis *diagnosis, enum severity severity);

/* What the reader calls the server: the pod's name. */
const char *place_name(const struct place *place);

/* Runs and answers, and raft has nothing in it: a server that lost its data, or never had any. */
bool place_is_empty(const struct place *place);

/* The member entry of this server is that of a pod before its present one: it has another address. */
bool place_has_former_entry(const struct place *place);

/*
 * Whose member list has a goodbye (leaving, left) under this server's address that it has not said: autopilot made its
 * predecessor leave by force, or told that it left, and the later goodbye counts for more than the earlier join. Nobody
 * corrects that until the server joins once more; where it is the leader who believes it, the server never becomes a
 * voter. NULL: nobody's. Observed with Consul 1.8.7; source: serf's handling of join and leave intents by their Lamport
 * times.
 */
const struct server *place_goodbye_at(const struct diagnosis *diagnosis, const struct place *place);

/* It was started some time ago: what it has not told the others by now, it never will by itself. */
bool place_has_settled(const struct diagnosis *diagnosis, const struct place *place);

/* The raft peer, in the set that counts, of a member: by id, else by address; NULL when it has none. */
const struct peer *diagnosis_peer_of_member(const struct diagnosis *diagnosis, const struct member *member);

/* False when fewer voters live than are needed; true when nobody knows the voters. */
bool diagnosis_has_quorum(const struct diagnosis *diagnosis);

/* Quorum and one leader: without them, what single servers lack is only a consequence. */
bool diagnosis_works(const struct diagnosis *diagnosis);

/* Its peers have nothing in common with those that count: another cluster. */
bool diagnosis_is_stranger(const struct diagnosis *diagnosis, const struct place *place);

/* The first such server. NULL: there is none. */
const struct place *diagnosis_find_stranger(const struct diagnosis *diagnosis);

/* "a, b and c"; long lists end in "and N more". New string. */
char *list_names(const struct strv *names);

/* text quoted for a POSIX shell where it needs it. New string. */
char *shell_word(const char *text);

#endif
