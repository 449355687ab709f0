/*
 * cluster.h - a scripted Consul cluster on the scripted API server: said in a few words, answered everywhere.
 *
 *     static const struct cluster_server servers[] = { { 0 }, { .agent = AGENT_DOWN }, { 0 } };
 *     struct cluster *cluster = cluster_start(&(struct cluster_options){ .servers = servers, .count = 3 });
 *     … run the program with cluster_kubeconfig(cluster) …
 *     cluster_stop(cluster);
 *
 * Zeros are a healthy server: a Running and ready pod, alive for everybody, a voter, following server 0. From that
 * come the StatefulSet, pods, claims and budget (single, listed, by label selector, in pages), the agent's HTTP
 * API in tunnels, and the CLI's output: `sh -c SCRIPT` is really run, by a real sh that finds a `consul` (and, if
 * has_wget, a `wget`) of this server and nothing else.
 *
 * Servers take orders (join, leave, force-leave, raft peers, autopilot) by either way, and everybody sees at once what
 * came of them, but for those that have words of their own (sees, peers).
 *
 * The JSON and the texts have the shapes of Consul 1.8.7, as recorded from real servers in tests/unit/consul/fixtures.
 */
#ifndef SUPPORT_CLUSTER_H
#define SUPPORT_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apiserver.h"

/* How a server's agent answers, by either way. */
enum cluster_agent {
	AGENT_UP,
	AGENT_DOWN,        /* connection refused: nothing listens */
	AGENT_ACL_DENIED,  /* anonymous may nothing: [] as members, 403 for the rest */
	AGENT_NO_OPERATOR, /* the ACL token has no operator:read: members and self only */
	AGENT_HANGS,       /* takes questions, never answers */
	AGENT_HALF,        /* half an answer, then silence */
	AGENT_GARBAGE,     /* no HTTP, no table */
	AGENT_ESCAPES,     /* control characters of terminals in every name */
	AGENT_LONG_LINE,   /* 10 MB without a line end */
};

/* Which ways lead to the container. */
enum cluster_way {
	WAY_BOTH,
	WAY_EXEC,       /* portforward is forbidden */
	WAY_TUNNEL,     /* exec is forbidden */
	WAY_NONE,       /* both are */
	WAY_NO_SHELL,   /* exec works, the image has no sh; portforward is forbidden */
	WAY_EXEC_HANGS, /* portforward is forbidden, a command never ends */
	WAY_EXEC_DROPS, /* portforward is forbidden, the connection ends without a channel 3 */
	WAY_HALF_FRAME, /* both end in half a frame and silence */
	WAY_NOT_JSON,   /* portforward is forbidden, channel 3 says something that is no JSON */
};

#define NO_LEADER (-1)

struct cluster_server {
	/* Kubernetes */
	const char *name; /* of the pod and the node in Consul; NULL: SET-ORDINAL */
	bool no_pod;
	const char *phase; /* NULL: Running */
	bool not_ready;
	const char *waiting; /* the container waits, e.g. "CrashLoopBackOff"; NULL: it runs */
	int restarts;
	int64_t restarted_s; /* seconds ago; with restarts; 0: an hour */
	const char *node;    /* NULL: node-0, node-1, … one for each */
	bool deleting;
	bool old;                    /* of an older revision than the set's newest */
	int64_t age_s;               /* 0: a day */
	const char *extra_container; /* a second container of that name comes first */

	/* Consul */
	enum cluster_agent agent;
	enum cluster_way way;
	bool has_wget;       /* in the image */
	bool has_curl;
	const char *version; /* NULL: 1.8.7 */
	char
	    member; /* what the others see it as: a alive, l left, f failed, v leaving, - not at all; 0: a if it runs */
	char peer;  /* V voter, n non-voter, - in no peer set; 0: V */
	const char *sees;  /* its own member list: one such letter for each server; NULL: as all */
	const char *peers; /* its own peer set: one such letter for each server; NULL: as all */
	int leader;        /* whom it takes for the leader: server number + 1; NO_LEADER; 0: as all */
	uint64_t lag;      /* log entries behind */
	uint64_t term;     /* 0: 3 */
	bool knows_no_token; /* but the recovery token: it has had no leader since it started */
	bool unencrypted;
	bool leaves_on_term;
};

struct cluster_options {
	const char *namespace_name;           /* NULL: "consul" */
	const char *set;                      /* NULL: "consul" */
	const struct cluster_server *servers; /* copied; NULL: count healthy ones */
	size_t count;
	int replicas; /* -1: none at all; 0: count */
	int ordinal_start;
	int leader;            /* server number + 1; NO_LEADER; 0: server 0 */
	const char *container; /* NULL: "consul" */
	bool unlabelled;       /* no labels that tell of Consul */
	bool not_consul;       /* and neither image nor command */
	bool no_budget;
	bool old_policy;        /* policy/v1beta1 only, as in 1.20 */
	bool no_min_quorum;     /* autopilot does not have that setting */
	int64_t min_quorum;
	int leftover_claims;    /* claims of ordinals behind the last */
	int64_t leftover_age_s; /* 0: a day */
	int other_pods;         /* others in the namespace */
	int other_sets;         /* further StatefulSets, copies of the first, named SET-b, SET-c … */
	const char *acl_token;  /* ACLs are on: only who shows this one is let through, but see acl_allows; NULL: off */
	bool acl_allows;        /* the default policy: without a token everything; with one that Consul does not know nothing */
	const char *secret;     /* .data.token of Secret SET-acl-bootstrap; SET-acl is mounted then. NULL: neither */
	const char *recovery;   /* every server's own token, and .data.recovery of that Secret; NULL: there is none */
	bool secret_is_missing; /* though SET-acl is mounted */
	bool secret_is_barred;  /* get on it is forbidden */
	bool https;             /* the container declares 8501 only, and speaks TLS there */
	bool https_too;         /* it declares both, and speaks both */
	size_t frame_bytes;     /* of execs and tunnels, as in their rows; 0: as they are */
	size_t write_bytes;
	struct apiserver_options api; /* its rows are looked at before the cluster's */
};

struct cluster;

struct cluster *cluster_start(const struct cluster_options *options);
void cluster_stop(struct cluster *cluster); /* NULL is fine */

struct apiserver *cluster_api(struct cluster *cluster);

/* A kubeconfig that leads to it: context "test", its namespace, CA and token; new string. */
char *cluster_kubeconfig(const struct cluster *cluster);

/* Changes one server, or who leads, while it runs. What server points to is borrowed. */
void cluster_set_server(struct cluster *cluster, size_t index, const struct cluster_server *server);
void cluster_set_leader(struct cluster *cluster, int leader);

/* One user entry for kubeconfig_text; NULL leaves a part out. */
struct kubeconfig {
	const char *server; /* URL */
	const char *namespace_name;
	const char *ca; /* PEM */
	const char *token;
	const char *certificate; /* PEM */
	const char *key;
	bool insecure;
	const char *proxy_url;
	const char *tls_server_name;
};

/* As YAML, everything inline; new string. */
char *kubeconfig_text(const struct kubeconfig *config);

#endif
