/*
 * The simulated cluster: the truth about one StatefulSet of Consul servers, and what makes it move.
 *
 * Everything is plain data of fixed size, and time is a number: the same seed gives the same story. An ordinal is the
 * place of one server: its pod, its claim (which keeps the data that the process works on) and its process. Ids of nodes,
 * addresses and UIDs are small numbers, 0 for none; view.c makes strings of them.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "random.h"

#define TICK_MS    ((int64_t)200)
#define ORDINALS   10   /* 0 … 9: the most that any seed has */
#define PEERS_MAX  24
#define TERMS_MAX  16
#define IDS_MAX    128  /* node ids of one seed */
#define NEVER      INT64_MAX

#define SECONDS(n) ((int64_t)(n) * 1000)
#define MINUTES(n) ((int64_t)(n) * 60 * 1000)
#define HOURS(n)   ((int64_t)(n) * 3600 * 1000)

/* ------------------------------------------------------------------------------------- one seed's world */

/* What does not change during a seed. */
struct traits {
	int start;               /* spec.ordinals.start */
	bool ordered;            /* OrderedReady */
	bool leaves;             /* leave_on_terminate */
	bool cleans_up;          /* autopilot's cleanup_dead_servers */
	int64_t grace_ms;
	int64_t election_ms;     /* shortest time without a leader before somebody asks for votes */
	int minor;               /* Consul 1.MINOR */
	bool by_exec;            /* servers are asked by exec, without shell and curl: text only */
	bool ready_is_voter;     /* what the readiness probe asks; else: knows a leader */
	int clients;             /* members that are no servers */
	bool leave_forbidden;    /* nobody may tell a server to leave */
	bool own_names;          /* nodes are not named like their pods */
	bool deployed;           /* by this program: bootstrap_expect can be changed */
	bool prompt;             /* news take moments, as where nothing is wrong */
	int disturbance;         /* how many faults: 0 none … 3 many */
	bool has_operator;       /* somebody else patches the replicas now and then */
	bool no_shell;           /* in the image: nothing can be done by exec */
	bool claims_hidden;      /* whoever recovers may not list them */
};

/* ------------------------------------------------------------------------------------------------ raft */

struct raft_peer {
	int id;
	int ip;
	bool voter;
};

/* A configuration is an entry of the log, at index. */
struct raft_config {
	uint64_t index;
	int count;
	struct raft_peer peers[PEERS_MAX];
};

/* The log as the terms it is made of: which entry of which term comes at an index is all one needs to know. */
struct raft_log {
	uint64_t last; /* index; 0: empty */
	int terms;
	struct {
		uint64_t first;
		uint64_t term;
	} term[TERMS_MAX];
};

/* What is on the disk of a claim. */
struct raft_data {
	int id; /* 0: nothing is there yet */
	int cluster; /* 0; of a server that has bootstrapped a cluster of its own another one */
	uint64_t term;
	int voted_for;
	struct raft_log log;
	struct raft_config config;
};

enum role { ROLE_FOLLOWER, ROLE_CANDIDATE, ROLE_LEADER };

/* ---------------------------------------------------------------------------------------------- gossip */

enum status { STATUS_NONE, STATUS_ALIVE, STATUS_LEAVING, STATUS_LEFT, STATUS_FAILED };

/* What somebody knows of a node (of the ordinal's name). The higher number is the later news. */
struct news {
	uint64_t number;
	enum status status;
	int ip;
	int id;
};

struct member_entry {
	struct news known;
	struct news coming;
	int64_t due;
};

/* --------------------------------------------------------------------------------------------- servers */

/* The Consul process of an ordinal. */
struct agent {
	bool up;
	int ip;
	int64_t started_at;
	bool joined;             /* has found the others, or that there are none */
	int64_t join_at;
	struct member_entry members[ORDINALS];

	bool leaving;
	int64_t left_at;         /* says "left" then; NEVER: has said so */
	int64_t exit_at;         /* NEVER: does not end by itself */
	bool lingers;            /* exit_at has been put off once */
	int64_t crash_at;        /* as the template is one whose servers do not live; NEVER */

	enum role role;
	int leader_ip;           /* 0: knows none */
	int64_t heard_at;        /* of the leader */
	int64_t election_at;     /* asks for votes then */
	uint64_t commit;

	/* of the leader */
	int64_t majority_at;     /* last had contact with a majority */
	uint64_t term_start;     /* first entry of its term: nothing is committed before this is */
	int64_t change_at;       /* compares members and peers then */
	int64_t reconcile_at;    /* the same, every minute, of what is as it was, too */
	int64_t autopilot_at;
	int64_t stable_since[IDS_MAX];
};

enum phase { PHASE_NONE, PHASE_PENDING, PHASE_RUNNING };

struct pod {
	enum phase phase;        /* PHASE_NONE: there is no pod */
	int uid;
	int ip;
	int64_t created_at;
	int64_t scheduled_at;    /* NEVER is "unschedulable" until blocked_until */
	int64_t run_at;          /* the container starts then */
	int64_t unschedulable_until;
	int64_t no_image_until;
	bool running;            /* the container */
	bool ready;
	int64_t probe_at;
	int64_t started_at;      /* the container */
	int revision;            /* of the template that it was made from */
	int restarts;
	int last_exit;
	int64_t last_exit_at;

	bool deleting;
	int64_t term_at;         /* SIGTERM comes then; 0: has come */
	int64_t kill_at;         /* SIGKILL */
	int64_t gone_at;         /* the object goes, if the process has ended; NEVER: not known yet */
	int64_t stuck_until;     /* but not before */
};

struct claim {
	bool exists;
	int uid;
	int64_t created_at;      /* negative: before the story begins */
	int64_t used_at;         /* last, by a process that has ended; Kubernetes does not know */
	bool deleting;
	struct raft_data data;
	bool peers_waiting;      /* raft/peers.json is there: the next start takes it */
	struct raft_config peers; /* what is in it */
};

/* Why a process ends at each start. */
enum trouble {
	TROUBLE_NONE,
	TROUBLE_TOO_OLD, /* has been away for too long; its data is whole */
	TROUBLE_CORRUPT, /* its data cannot be read */
	TROUBLE_OTHER,   /* its configuration, say; its data is whole */
};

struct server_truth {
	struct pod pod;
	struct claim claim;
	struct agent agent;
	enum trouble trouble;
	int64_t blocked_until;   /* its pods cannot be scheduled; NEVER: at all */

	/* faults */
	int64_t silent_until;    /* cannot be asked from outside */
	int64_t isolated_until;  /* the others do not reach it */
	int64_t slow_until;      /* gets no new log entries */
	bool hurt;               /* it is down, or was made anew, because of a fault, or of somebody else */
};

/* What is wrong with a pod template. */
enum flaw {
	FLAW_NONE,
	FLAW_IMAGE, /* it cannot be pulled */
	FLAW_CRASH, /* the server starts, and ends after a moment */
};

struct set_truth {
	int replicas;
	int64_t generation, observed;
	int64_t version;         /* resourceVersion */
	int64_t sync_at;
	int status_replicas, ready_replicas, updated_replicas;
	int template;            /* the revision of the pod template, from 1 */
	int revision;            /* the same, once the controller has seen it: updateRevision */
	int current_revision;    /* the one before, until Kubernetes has replaced all pods itself */
	int revisions;           /* numbers that were given */
	bool on_delete;          /* updateStrategy: pods are replaced by whoever deletes them */
	int flawed_revision;     /* 0: none */
	enum flaw flaw;
	int expect;              /* bootstrap_expect, as processes that start have it */
};

/* A change that was sent, and whose caller has given up waiting: it is made later. */
struct late_change {
	int64_t at; /* NEVER: there is none */
	enum { LATE_REPLICAS, LATE_LEAVE, LATE_DELETE, LATE_CRASH } what;
	int ordinal, uid; /* leave, delete, crash: the pod, if it is this one still; replicas: if nothing has changed since */
	int replicas;
	int64_t version;
	bool has_peers;   /* crash: with a peers.json */
	struct raft_config peers;
};

/* ---------------------------------------------------------------------------------------------- model */

struct model {
	uint64_t seed;
	struct random random;
	struct traits traits;
	int64_t now;
	bool verbose;

	struct set_truth set;
	struct server_truth servers[ORDINALS];

	int ids, ips, uids;
	uint64_t news;
	int min_quorum;
	struct late_change late;
	int64_t transfer_at;     /* leadership is handed over then, to transfer_to; NEVER: not */
	int transfer_to;

	/* raft, as it is known to be safe */
	struct raft_config committed; /* the last configuration that was */
	uint64_t committed_term;
	struct raft_log acknowledged; /* all that a client got an answer for; after a recovery, what of that was left */

	/* faults */
	bool faults_on;
	int64_t faults_until;
	int64_t api_bad_until;
	int api_bad_permille;
	int64_t quiet_at;             /* nothing that was disturbed lasts longer than this */
	int64_t shaken_at;            /* a fault hit a server, or what is between them */
	int patches_left;             /* of the other operator */
	bool servers_spared;          /* faults are only between them and the tool */
	bool wiped;                   /* one server's data was lost: no second one */
	int64_t struck_at;            /* a disaster did, at last */

	struct rules *rules;          /* told of what happens; may be NULL */
};

/* Everything up to the time now + milliseconds, tick by tick. */
void model_advance(struct model *model, int64_t milliseconds);

/* A cluster of so many servers that has long been well. */
void model_init(struct model *model, uint64_t seed, int servers, bool verbose);

/* Where everybody stands, into the trace. */
void model_tell(const struct model *model);

/* A line of the trace, if one is wanted. */
void trace_line(const struct model *model, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define trace(model_, ...)                             \
	do {                                           \
		if ((model_)->verbose)                 \
			trace_line(model_, __VA_ARGS__); \
	} while (0)

static inline bool wanted(const struct model *model, int ordinal)
{
	return ordinal >= model->traits.start && ordinal < model->traits.start + model->set.replicas;
}

/* ------------------------------------------------------------------------------------------ kubernetes.c */

void kubernetes_tick(struct model *model);
void kubernetes_set_replicas(struct model *model, int replicas);

/* Another pod template, or one that there was before, and whether Kubernetes shall replace the pods. */
void kubernetes_set_template(struct model *model, int revision, bool on_delete);
int kubernetes_new_revision(struct model *model, enum flaw flaw);
bool kubernetes_is_newest(const struct model *model, int ordinal); /* its pod is of the template; there is one */
void kubernetes_delete_pod(struct model *model, int ordinal);
void kubernetes_restart_pod(struct model *model, int ordinal); /* the same, on the tool's order */
void kubernetes_lose_pod(struct model *model, int ordinal);    /* as if its node was gone: no process, no pod */
void kubernetes_lose_disk(struct model *model, int ordinal);   /* the same, and the claim with all that was on it */
void kubernetes_delete_claim(struct model *model, int ordinal);
void kubernetes_exited(struct model *model, int ordinal, int code);
void kubernetes_create_claim(struct model *model, int ordinal);

/* ---------------------------------------------------------------------------------------------- agent.c */

void agent_start(struct model *model, int ordinal);
void agent_die(struct model *model, int ordinal, int exit_code);
void agent_leave(struct model *model, int ordinal);

/* On the tool's order: the process ends at once; peers, unless NULL, is taken as it starts again. */
void agent_crash(struct model *model, int ordinal, const struct raft_config *peers);
void agent_tick(struct model *model);

/* The running process with this id, or address; -1: there is none. */
int agent_of_id(const struct model *model, int id);

/* They reach each other. */
bool agent_reaches(const struct model *model, int from, int to);

/* --------------------------------------------------------------------------------------------- gossip.c */

void gossip_tick(struct model *model);
void gossip_tell(struct model *model, int node, enum status status);

/* Of the agent of viewer. False: it knows no such node. */
bool gossip_force_leave(struct model *model, int viewer, int node, bool prune);

/* ----------------------------------------------------------------------------------------------- raft.c */

void raft_tick(struct model *model);
void raft_reset(struct model *model, int ordinal); /* the process starts */

/* It waits for nobody, and has a cluster of its own. */
void raft_bootstrap(struct model *model, int ordinal);

/*
 * The process starts, and takes the peers.json that waits: all of its log counts as committed, and it has those peers only.
 * False: there is no raft data, on which it refuses to start; the file stays.
 */
bool raft_recover(struct model *model, int ordinal);

/* The server that leads with a majority behind it; -1: none. */
int raft_leader(const struct model *model);

/* The leader that this server knows and reaches; -1: none. */
int raft_leader_of(const struct model *model, int ordinal);

/* True if the leader can change the configuration now. */
bool raft_can_change(const struct model *model, int leader);
void raft_remove(struct model *model, int leader, int id);
bool raft_transfer(struct model *model, int leader, int id); /* id 0: whoever is best */

/* The peer has not heard for long enough of a leader that it would vote. */
void raft_campaign(struct model *model, int ordinal, bool is_transfer);
void raft_step_down(struct model *model, int ordinal);

/* It asks for votes although it is in no peer set that it knows. */
bool raft_may_ask_without(const struct model *model, int ordinal);

/* a is ahead of b: who has it does not vote for b. */
bool raft_is_longer(const struct raft_log *a, const struct raft_log *b);
uint64_t raft_last_term(const struct raft_log *log);
uint64_t raft_term_at(const struct raft_log *log, uint64_t index);
const struct raft_peer *raft_find(const struct raft_config *config, int id);
int raft_voters(const struct raft_config *config);

/* The last index up to which both are the same. */
uint64_t raft_common(const struct raft_log *a, const struct raft_log *b);
void raft_cut(struct raft_log *log, uint64_t last);

/* --------------------------------------------------------------------------------------- raft_leader.c */

void raft_lead(struct model *model, int leader);
void raft_append(struct model *model, int leader);
void raft_members_changed(struct model *model, int ordinal);

/* --------------------------------------------------------------------------------------------- faults.c */

void faults_tick(struct model *model);
void faults_begin(struct model *model, int64_t milliseconds);

/* The next call to the API server fails in so many cases of a thousand. */
int faults_api_permille(const struct model *model);
void faults_pod_created(struct model *model, int ordinal); /* may never be scheduled, find no image, be slow */
void faults_pod_deleted(struct model *model, int ordinal); /* may be stuck */
void faults_last_until(struct model *model, int64_t time);

/* ------------------------------------------------------------------------------------------- disaster.c */

/* Servers are lost, mostly more than the quorum can stand: for good, for a while, or so that nobody can tell. */
void disaster_strike(struct model *model);

/* Whatever does not run is seen to that it does not come back by itself: a person is about to go on without it. */
void disaster_keep_away(struct model *model);

/* Whatever has not come back never will: a person deletes its claim and its pod, and it comes with nothing. */
void disaster_give_up(struct model *model);

#endif
