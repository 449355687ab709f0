/*
 * consul/view.h - what ONE server says of its cluster: gossip members, raft peers, itself. Plain data.
 *
 * Filled by consul/decode.h from the agent's HTTP answers or the CLI's output; above this nobody knows which.
 * A plane that is not known has an err that says why: unknown is not fine.
 */
#ifndef CONSUL_VIEW_H
#define CONSUL_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consul/certificate.h"
#include "util/err.h"

enum member_status { MEMBER_UNKNOWN, MEMBER_ALIVE, MEMBER_LEAVING, MEMBER_LEFT, MEMBER_FAILED };

struct member {
	char *name;
	char *address;      /* "10.244.0.7", without the port */
	int64_t port;       /* serf's; 0 when unknown */
	enum member_status status;
	bool is_server;
	char *id;           /* node id; NULL when the output does not tell */
	char *version;      /* "1.8.7" */
	char *datacenter;
	int64_t protocol;   /* 0 when unknown */
	int64_t expect;     /* bootstrap_expect; 0 when unknown */
};

struct peer {
	char *name;         /* node name; NULL for "(unknown)" */
	char *id;
	char *address;      /* "10.244.0.7:8300" */
	bool leader;
	bool voter;
	int64_t protocol;   /* raft protocol; 0 when unknown */
};

enum raft_role { RAFT_UNKNOWN, RAFT_LEADER, RAFT_FOLLOWER, RAFT_CANDIDATE, RAFT_SHUTDOWN };

/* The agent on itself: /v1/agent/self, or `consul info`. */
struct self {
	char *name;            /* node name; NULL when not told (info) */
	char *id;              /* NULL when not told */
	char *datacenter;      /* NULL when not told */
	char *version;         /* "1.8.7"; NULL when not told */
	bool is_server;
	enum raft_role role;
	char *leader_address;  /* "10.244.0.7:8300"; NULL: knows no leader */
	uint64_t term;         /* the current one; a server that is cut off raises it with every election in vain */
	uint64_t last_log_index; /* of its last entry, be that in its log or, with nothing behind it, in its snapshot */
	uint64_t last_log_term;  /* of that entry: with the index, how far its log is; 0: not told, or it has none */
	uint64_t commit_index;
	uint64_t applied_index;
	int64_t last_contact_ms; /* since it heard the leader; 0 on the leader; -1: never or unknown */
	bool gossip_encrypted;
	bool gossip_known;     /* gossip_encrypted was told */
	int64_t leave_on_terminate; /* 1, 0, or -1 when not told; those below too */
	int64_t verifies_outgoing;  /* it speaks TLS to other servers, and verifies them */
	int64_t verifies_incoming;  /* it accepts RPC by TLS with a certificate of the authority only */
	int64_t verifies_hostname;  /* and that only of servers */
	int64_t acls_enabled;
	char *data_dir;        /* "/consul/data"; NULL when not told (info) */
};

#define SELF_INIT                                                                                                      \
	{ .last_contact_ms = -1, .leave_on_terminate = -1, .verifies_outgoing = -1, .verifies_incoming = -1,           \
	  .verifies_hostname = -1, .acls_enabled = -1 }

/* How the server was asked. */
enum ask_way { ASK_NONE, ASK_TUNNEL, ASK_EXEC };

/* Where the peers come from: the raft endpoint, or latest_configuration in `info`/`self` (no leader needed). */
enum peers_source { PEERS_NONE, PEERS_RAFT, PEERS_SELF };

struct view {
	enum ask_way way;

	bool members_known;
	struct member *members;
	size_t member_count;
	size_t *members_shared; /* how many views have this list (view_share); NULL: this one alone */
	struct err members_err;

	bool peers_known;
	enum peers_source peers_source;
	struct peer *peers;
	size_t peer_count;
	size_t *peers_shared;   /* the same */
	struct err peers_err; /* of the raft endpoint; may be set although peers_known (by way of self) */

	bool self_known;
	struct self self;
	struct err self_err;

	struct certificate certificate; /* what its HTTPS port presented when it was asked there; else not known */
};

#define VIEW_INIT { .self = SELF_INIT, .certificate = CERTIFICATE_INIT }

void member_release(struct member *member);
void peer_release(struct peer *peer);
void self_release(struct self *self);

/*
 * A server has its last entry in its log or, once that was compacted (as recovery by peers.json does, and a snapshot that
 * the leader sent), in its snapshot: Consul tells both, and 0 for the one it has not. Keeps the later of what is there
 * and this.
 */
void self_take_last(struct self *self, uint64_t index, uint64_t term);
void view_release(struct view *view);

/* Empties one plane, which is unknown afterwards; its err is left alone. */
void view_clear_members(struct view *view);
void view_clear_peers(struct view *view);

/*
 * Sorts the members of view and with by name and address; where view's members or peers say the same as those of with, both
 * views have one list from then on. In a large cluster that agrees all servers' lists take the memory of one.
 */
void view_share(struct view *view, struct view *with);

/* Moves from's peers to view, where they replace what was there and are known from source. */
void view_move_peers(struct view *view, struct view *from, enum peers_source source);

/* True when at least one plane is known: the server answered something. */
bool view_answered(const struct view *view);

/* The first err of self, members, peers, in this order; NULL when there is none. */
const struct err *view_first_err(const struct view *view);

/* Words as Consul prints them: "alive", "leader", … */
const char *member_status_name(enum member_status status);
const char *raft_role_name(enum raft_role role);
const char *ask_way_name(enum ask_way way);           /* "tunnel", "exec", "none" */
const char *peers_source_name(enum peers_source source); /* "raft", "self", "none" */

/* The member / peer with this address ("ip" / "ip:port") or NULL. */
const struct member *view_member_by_address(const struct view *view, const char *ip);
const struct member *view_member_by_name(const struct view *view, const char *name);
const struct peer *view_peer_by_ip(const struct view *view, const char *ip);

#endif
