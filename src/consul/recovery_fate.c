/* Whose data is best, and what became of the server of each place: see include/consul/recovery_parts.h. */
#include <inttypes.h>

#include "consul/claim_age.h"
#include "consul/recovery_parts.h"
#include "consul/value.h"
#include "consul/waiting.h"
#include "util/clock.h"
#include "util/mem.h"

const struct peer *recovery_peer(const struct view *view, const char *id)
{
	for (size_t i = 0; view && !str_is_empty(id) && i < view->peer_count; i++)
		if (str_equal(view->peers[i].id, id))
			return &view->peers[i];
	return NULL;
}

bool recovery_has_ids(const struct view *view, const struct view *other)
{
	for (size_t i = 0; i < other->peer_count; i++)
		if (!recovery_peer(view, other->peers[i].id))
			return false;
	return true;
}

bool recovery_has_data(const struct view *view)
{
	return (view->peers_known && view->peer_count > 0) || (view->self_known && view->self.last_log_index > 0);
}

bool recovery_is_running(const struct server *server)
{
	return server->has_pod && server->container && server->container->running && !server->pod.deleting;
}

static bool tells_of_itself(const struct server *server)
{
	return recovery_is_running(server) && (server->view.self_known || server->view.peers_known);
}

static const struct remains *remains_of(const struct recovering *recovering, const struct server *server)
{
	return &recovering->remains[server - recovering->snapshot->servers];
}

/* Raft's id: the agent's word, else (the CLI does not tell) what its data directory has. */
const char *recovery_id(const struct recovering *recovering, const struct server *server)
{
	const struct remains *remains = remains_of(recovering, server);

	if (server->view.self_known && server->view.self.id)
		return server->view.self.id;
	return remains->known ? remains->node_id : NULL;
}

/* What the process has is what is on its disk: a directory that was emptied or exchanged below it would start as
 * another. */
static bool is_on_disk(const struct recovering *recovering, const struct server *server)
{
	const struct remains *remains = remains_of(recovering, server);

	return !remains->known || (remains->has_raft && str_equal(remains->node_id, recovery_id(recovering, server)));
}

/* --------------------------------------------------------------------------------------------- the best */

/* Raft's own order of logs. */
static bool is_further(const struct self *a, const struct self *b)
{
	return a->last_log_term != b->last_log_term ? a->last_log_term > b->last_log_term
	                                            : a->last_log_index > b->last_log_index;
}

bool recovery_is_ahead(const struct recovery_server *a, const struct recovery_server *b)
{
	const struct self left = { .last_log_term = a->last_term, .last_log_index = a->last_index };
	const struct self right = { .last_log_term = b->last_term, .last_log_index = b->last_index };

	return is_further(&left, &right);
}

/* For others, too: from raft 1.3.10 on (Consul 1.14) who has no vote is elected by nobody. */
static bool votes(const struct recovering *recovering, const struct server *server)
{
	const struct peer *peer = recovery_peer(&server->view, recovery_id(recovering, server));

	return peer && peer->voter;
}

void recovery_choose_best(struct recovering *recovering)
{
	const struct snapshot *snapshot = recovering->snapshot;

	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *server = &snapshot->servers[i];
		const struct view *view = &server->view;

		if (!tells_of_itself(server) || !view->self_known || !view->peers_known ||
		    !recovery_peer(view, recovery_id(recovering, server)) || !is_on_disk(recovering, server))
			continue;
		if (!recovering->best || is_further(&view->self, &recovering->best->view.self) ||
		    (votes(recovering, server) && !votes(recovering, recovering->best) &&
		     !is_further(&recovering->best->view.self, &view->self)))
			recovering->best = server;
	}
	if (recovering->best)
		recovering->peers = &recovering->best->view;
	recovering->heard_at = claim_age_heard_at(snapshot);
}

/* ---------------------------------------------------------------------------------------------- claims */

static bool claim_may_have_data(const struct recovering *recovering, const struct kube_claim *claim,
                                const struct server *server, struct buf *why)
{
	_cleanup_free_ char *age = clock_format_age(claim->created_at - recovering->heard_at);

	if (claim->deleting && !(server && server->has_pod))
		buf_addf(why, "its claim %s is being deleted", claim->name);
	else if (str_equal(claim->phase, "Lost"))
		buf_addf(why, "its claim %s is Lost: its volume is gone", claim->name);
	else if (claim->phase && !str_equal(claim->phase, "Bound"))
		buf_addf(why, "its claim %s is %s: it has no volume yet", claim->name, claim->phase);
	else if (claim_age_is_newer(claim->created_at, recovering->heard_at))
		buf_addf(why, "its claim %s was made %s after a leader was last heard: it has no data", claim->name,
		         age);
	else {
		buf_addf(why, "its claim %s is there", claim->name);
		return true;
	}
	return false;
}

/* The data is in the pod, or on a volume that is not made from a template of the StatefulSet: a node's directory, say.
 */
static bool pod_may_have_data(const struct recovering *recovering, const struct server *server, struct buf *why)
{
	if (!server || !server->has_pod) {
		buf_adds(why, "where its data would be cannot be seen: the StatefulSet has no claim templates");
		return true;
	}
	if (server->pod.claims.count > 0) {
		buf_addf(why, "its claim %s is there", server->pod.claims.items[0]);
		return true;
	}
	if (claim_age_is_newer(server->pod.created_at, recovering->heard_at)) {
		buf_adds(why, "its pod is newer than the last leader, and it has no claim");
		return false;
	}
	buf_adds(why, "its data may be in its pod: it has no claim");
	return true;
}

bool recovery_may_have_data(const struct recovering *recovering, int64_t ordinal, const struct server *server,
                            struct buf *why)
{
	const struct snapshot *snapshot = recovering->snapshot;
	_cleanup_buf_ struct buf reason = BUF_TEXT;

	if (ordinal < 0 || snapshot->set.claim_templates.count == 0)
		return pod_may_have_data(recovering, server, why);
	if (!snapshot->claims_known) {
		buf_addf(why, "whether it has a claim is not known: %s",
		         snapshot->claims_err.message ? snapshot->claims_err.message : "claims cannot be listed");
		return true;
	}
	for (size_t i = 0; i < snapshot->claim_count; i++) {
		if (snapshot_claim_ordinal(snapshot, snapshot->claims[i].name) != ordinal)
			continue;
		buf_clear(&reason);
		if (claim_may_have_data(recovering, &snapshot->claims[i], server, &reason)) {
			buf_adds(why, buf_text(&reason));
			return true;
		}
	}
	buf_adds(why, reason.len > 0 ? buf_text(&reason) : "it has no claim");
	return false;
}

/* ---------------------------------------------------------------------------------------------- places */

struct recovery_server *recovery_add(struct recovering *recovering, enum fate fate, const char *name)
{
	struct recovery *recovery = recovering->recovery;
	struct recovery_server *row;

	recovery->servers = xreallocarray(recovery->servers, recovery->count + 1, sizeof(*recovery->servers));
	row = &recovery->servers[recovery->count++];
	*row = (struct recovery_server){ .fate = fate };
	row->name = xstrdup(name);
	return row;
}

static enum fate judge_speaker(struct recovering *recovering, const struct server *server, struct buf *why)
{
	if (!recovery_has_data(&server->view)) {
		buf_adds(why, "runs without data; joins by itself");
		return FATE_EMPTY;
	}
	if (!recovery_id(recovering, server)) {
		recovering->may_pass = true;
		buf_adds(why, "runs with data; whose it is cannot be told");
		return FATE_RETURNS;
	}
	if (!is_on_disk(recovering, server)) {
		buf_adds(why, remains_of(recovering, server)->has_raft
		                  ? "its file node-id is missing, or has another one's id"
		                  : "its data directory was emptied below it: started again it has no data");
		return FATE_EMPTY;
	}
	if (!recovering->peers) {
		buf_adds(why, "runs with data; its agent does not tell of which cluster");
		return FATE_RETURNS;
	}
	if (recovery_peer(recovering->peers, recovery_id(recovering, server))) {
		buf_adds(why, server == recovering->best ? "runs with data, the furthest" : "runs with data");
		return FATE_REMAINS;
	}
	buf_addf(why, "has data, but is no raft peer of %s", recovering->best->name);
	return FATE_STRANGER;
}

static void add_silence(const struct server *server, struct buf *why)
{
	const struct err *err = view_first_err(&server->view);

	if (err && err->message)
		buf_addf(why, ": %s", err->message);
}

static const char *trouble_text(enum remains_trouble trouble)
{
	switch (trouble) {
	case REMAINS_TOO_OLD:
		return "Consul does not start: it was away for longer than server_rejoin_age_max; its data is whole";
	case REMAINS_CORRUPT:
		return "Consul does not start: its raft data cannot be opened";
	case REMAINS_BAD_PEERS:
		return "Consul does not start: its raft/peers.json cannot be used";
	case REMAINS_FINE:
	case REMAINS_OTHER:
		break;
	}
	return NULL;
}

/* Consul ends as it starts, and says that it cannot use what it has. */
static bool is_broken(const struct remains *remains, struct buf *why)
{
	const char *text = trouble_text(remains->trouble);

	if (!text)
		return false;
	buf_addf(why, "%s%s%s", text, remains->last_words ? ": " : "", remains->last_words ? remains->last_words : "");
	return true;
}

/* Runs, and its agent does not tell: its data directory does. */
static enum fate judge_silent(struct recovering *recovering, const struct server *server, struct buf *why)
{
	const struct remains *remains = remains_of(recovering, server);
	enum fate fate;

	if (is_broken(remains, why))
		return FATE_BROKEN;
	if (!remains->known || (remains->has_raft && !recovering->peers)) {
		recovering->may_pass = true;
		buf_adds(why, remains->known ? "runs with data, and does not answer" : "runs, and does not answer");
		fate = FATE_RETURNS;
	} else if (!remains->has_raft) {
		buf_adds(why, "runs without data; joins by itself");
		return FATE_EMPTY;
	} else if (recovery_peer(recovering->peers, remains->node_id)) {
		buf_adds(why, "runs with data; how far its log is cannot be told");
		fate = FATE_REMAINS;
	} else if (!recovery_may_have_data(recovering, server->ordinal, server, why)) {
		return FATE_EMPTY;
	} else {
		buf_clear(why);
		buf_addf(why, "has data, but is no raft peer of %s", recovering->best->name);
		fate = FATE_STRANGER;
	}
	add_silence(server, why);
	return fate;
}

static bool is_about_to_change(const struct server *server)
{
	const struct kube_container *container = server->container;
	const char *reason = container ? container->waiting_reason : NULL;

	if (server->pod.unscheduled_message)
		return false;
	return !server->has_pod || server->pod.deleting || !container || !reason ||
	       str_equal(reason, "ContainerCreating") || str_equal(reason, "PodInitializing");
}

static enum fate judge_absent(struct recovering *recovering, const struct server *server, struct buf *why)
{
	const struct remains *remains = remains_of(recovering, server);
	struct waiting waiting = WAITING_INIT;
	enum fate fate;

	if (server->has_pod && is_broken(remains, why))
		return FATE_BROKEN;
	if (server->has_pod) {
		waiting_explain(server, false, false, &waiting);
		buf_addf(why, "%s%s%s; ", waiting.reason, remains->last_words ? ": " : "",
		         remains->last_words ? remains->last_words : "");
		waiting_release(&waiting);
	} else {
		buf_adds(why, "no pod; ");
	}
	fate = recovery_may_have_data(recovering, server->ordinal, server, why) ? FATE_RETURNS : FATE_GONE;
	recovering->may_pass |= fate == FATE_RETURNS && is_about_to_change(server) &&
	                        (server->has_pod || snapshot_wants_ordinal(recovering->snapshot, server->ordinal));
	return fate;
}

/* As the server advertises itself (raft's next leader would exchange another one), else its pod's. */
static const char *ip_of(const struct server *server)
{
	const char *node = server->view.self.name ? server->view.self.name : server->name;
	const struct member *own = view_member_by_name(&server->view, node);

	return own && own->address ? own->address : server->pod.ip;
}

/* "10.0.0.7:8300", "[fd00::7]:8300": its address with the port that raft has. New string; NULL: it has none. */
static char *address_of(const struct server *server, const struct peer *peer)
{
	const char *ip = ip_of(server);
	int64_t port = 0;

	if (!ip)
		return peer ? xstrdup_null(peer->address) : NULL;
	if (peer && peer->address)
		free(value_split_address(peer->address, &port));
	return xasprintf(strchr(ip, ':') ? "[%s]:%" PRId64 : "%s:%" PRId64, ip, port > 0 ? port : 8300);
}

static void judge_place(struct recovering *recovering, const struct server *server)
{
	_cleanup_buf_ struct buf why = BUF_TEXT;
	struct recovery_server *row;
	const char *id =
	    tells_of_itself(server) || recovery_is_running(server) ? recovery_id(recovering, server) : NULL;
	const struct peer *peer = recovery_peer(recovering->peers, id);
	enum fate fate = tells_of_itself(server)       ? judge_speaker(recovering, server, &why)
	                 : recovery_is_running(server) ? judge_silent(recovering, server, &why)
	                                               : judge_absent(recovering, server, &why);

	row = recovery_add(recovering, fate, server->name);
	row->server = server;
	row->remains = remains_of(recovering, server);
	row->id = xstrdup_null(id);
	row->why = buf_detach(&why);
	row->peer = peer != NULL;
	row->voter = peer && peer->voter;
	row->address = address_of(server, peer);
	if (!tells_of_itself(server) || !server->view.self_known)
		return;
	row->last_index = server->view.self.last_log_index;
	row->last_term = server->view.self.last_log_term;
	row->log_known = row->last_index > 0 && row->last_term > 0;
}

void recovery_judge_places(struct recovering *recovering)
{
	for (size_t i = 0; i < recovering->snapshot->server_count; i++)
		judge_place(recovering, &recovering->snapshot->servers[i]);
}
