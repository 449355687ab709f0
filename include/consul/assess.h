/*
 * consul/assess.h - snapshot -> verdict, findings, quorum arithmetic. Pure: no socket, clock or environment.
 */
#ifndef CONSUL_ASSESS_H
#define CONSUL_ASSESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consul/finding.h"
#include "consul/snapshot.h"

/*
 * The leader all agree on: every server that names one names the same address, that server says so itself (or, if it
 * cannot be asked, was heard of in the last ten seconds), and the voters that know no leader leave the others a quorum.
 *
 * The verdict is the worst finding's: degraded or critical; below that HEALTHY. Which finding explains which others is
 * in consul/diagnosis.h.
 *
 * HEALTHY: every replica is a live voter with a leader all agree on (warnings may be there).
 * DEGRADED: there is a leader and a quorum, but something is broken or missing.
 * CRITICAL: no quorum or no leader. UNKNOWN: no server answered, so nothing can be said: exits as critical.
 */
enum verdict { VERDICT_HEALTHY, VERDICT_DEGRADED, VERDICT_CRITICAL, VERDICT_UNKNOWN };

const char *verdict_name(enum verdict verdict); /* "HEALTHY" … */

/*
 * The peer set that counts: that of the leader all agree on, else of the server with the longest log (then the highest
 * term: not first, since a server that is cut off raises its term with every election it asks for in vain).
 */
struct quorum {
	bool known;
	int64_t voters;      /* in the peer set */
	int64_t live_voters; /* that answered, and whose pod is running: unknown and servers elsewhere count as dead */
	int64_t quorum;      /* voters / 2 + 1 */
	int64_t tolerance;   /* failures that can still happen: live_voters - quorum, not below 0 */
};

/* One server, the planes joined: what a row of the table shows. Strings borrowed from the snapshot. */
struct server_status {
	const struct server *server;
	enum member_status member;   /* as the leader's view has it, else the best view */
	bool peer;                   /* in the peer set that counts */
	bool voter;
	bool leader;
	bool lag_known;
	uint64_t lag;                /* log entries behind the leader */
	int64_t seen_alive_by;       /* how many servers' member lists have it alive */
	int64_t asked;               /* how many member lists there are */
	const char *version;         /* NULL: unknown */
	enum severity worst;         /* of its findings; SEVERITY_INFO when none */
	const struct member *member_entry; /* in the list of assessment->members_of; NULL: not there */
	const struct peer *peer_entry;     /* in the list of assessment->peers_of; NULL: not there */
};

struct assessment {
	enum verdict verdict;
	struct quorum quorum;
	const struct server *leader;   /* NULL: none, or not one of our pods */
	char *leader_name;             /* pod, else node name, else address; NULL: no leader all agree on */
	const struct server *members_of; /* whose member list counts: the leader's, else the longest log's; NULL: none */
	const struct server *peers_of;   /* whose peer set counts; NULL: none */
	struct server_status *servers; /* same order as snapshot->servers */
	size_t server_count;
	struct findings findings;
	bool views_agree;              /* every answered member list has the same members and statuses */
	char *summary;                 /* "3/3 voters · leader consul-0 · tolerates 1 failure" with " · " as separator */
};

#define ASSESSMENT_INIT { 0 }

/* snapshot must outlive the assessment. Never fails. */
void assess(const struct snapshot *snapshot, struct assessment *ret_assessment);
void assessment_release(struct assessment *assessment);

#endif
