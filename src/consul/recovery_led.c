/* Where there is a leader: what a recovery that was stopped has left to be done. See include/consul/recovery_parts.h.
 */
#include "consul/diagnosis.h"
#include "consul/recovery_parts.h"
#include "util/json.h"
#include "util/mem.h"

/* A leader that says so itself, or was heard a moment ago, wherever it runs. */
static const struct server *find_led(const struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct self *self = &snapshot->servers[i].view.self;

		if (!recovery_is_running(&snapshot->servers[i]) || !snapshot->servers[i].view.self_known)
			continue;
		if (self->role == RAFT_LEADER || (self->leader_address && self->last_contact_ms >= 0 &&
		                                  self->last_contact_ms <= LAST_CONTACT_MAX_MS))
			return &snapshot->servers[i];
	}
	return NULL;
}

/* A file that waits would make the cluster forget everybody else whenever that server starts again. */
static bool has_waiting_peers(const struct recovering *recovering)
{
	bool waiting = false;

	for (size_t i = 0; i < recovering->snapshot->server_count; i++)
		waiting |= recovering->remains[i].known && recovering->remains[i].peers_waiting;
	return waiting;
}

/*
 * What a peers.json says is in no entry of a log: whoever missed it, and nothing else, hears of it from no leader. Its
 * log must be a part of the leader's, or its end would be taken for committed.
 */
static bool differs(const struct recovering *recovering, const struct server *leader, const struct server *server)
{
	const struct view *view = &server->view;
	const struct remains *remains = &recovering->remains[server - recovering->snapshot->servers];

	return leader && remains->known && remains->writable && leader->view.peers_known && server != leader &&
	       recovery_is_running(server) && view->self_known && view->peers_known &&
	       view->self.last_log_term == leader->view.self.last_log_term &&
	       recovery_peer(&leader->view, recovery_id(recovering, server)) &&
	       !(recovery_has_ids(view, &leader->view) && recovery_has_ids(&leader->view, view));
}

/* New string; NULL: nobody. */
static char *names_that_differ(const struct recovering *recovering, const struct server *leader)
{
	const struct snapshot *snapshot = recovering->snapshot;
	_cleanup_strv_ struct strv names = STRV_INIT;

	for (size_t i = 0; i < snapshot->server_count; i++)
		if (differs(recovering, leader, &snapshot->servers[i]))
			strv_add(&names, snapshot->servers[i].name);
	return names.count > 0 ? list_names(&names) : NULL;
}

/* While those that differ are started again the others are a quorum. */
static bool stands_without(const struct recovering *recovering, const struct server *leader)
{
	const struct snapshot *snapshot = recovering->snapshot;
	const struct view *view = &leader->view;
	size_t voters = 0, stay = 0;

	for (size_t i = 0; i < view->peer_count; i++)
		voters += view->peers[i].voter;
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *server = &snapshot->servers[i];
		const struct peer *peer = recovery_peer(view, recovery_id(recovering, server));

		stay += peer && peer->voter && recovery_is_running(server) && server->view.self_known &&
		        !differs(recovering, leader, server);
	}
	return stay >= voters / 2 + 1;
}

static char *peers_of(const struct view *view)
{
	cJSON *peers = cJSON_CreateArray();
	char *text;

	for (size_t i = 0; i < view->peer_count; i++)
		cJSON_AddItemToArray(
		    peers, recovery_peer_json(view->peers[i].id, view->peers[i].address, view->peers[i].voter));
	text = json_text(peers);
	cJSON_Delete(peers);
	return text;
}

static void tidy(struct recovering *recovering, const struct server *leader, const char *differing)
{
	struct recovery *recovery = recovering->recovery;

	recovery->kind = RECOVERY_TIDY;
	recovery_choose_best(recovering);
	if (leader && leader->view.peers_known) {
		recovering->best = leader;
		recovering->peers = &leader->view;
	}
	recovery_judge_places(recovering);
	recovery_finish_rows(recovering);
	for (size_t i = 0; i < recovery->count; i++)
		recovery->servers[i].differs = differs(recovering, leader, recovery->servers[i].server);
	if (!differing)
		return;
	/* The leader may just be about to tell them. */
	recovery->may_pass = true;
	recovery->peers_json = peers_of(&leader->view);
	strv_addf(&recovery->notes, "the raft peers of the leader %s were missed by %s", leader->name, differing);
	if (!stands_without(recovering, leader))
		strv_addf(&recovery->notes, "without %s there is no leader for some seconds", differing);
}

static void end_led(struct recovering *recovering, const struct assessment *assessment, bool force)
{
	struct recovery *recovery = recovering->recovery;
	_cleanup_free_ char *differing = names_that_differ(recovering, assessment->leader);

	if (differing && !force && !stands_without(recovering, assessment->leader)) {
		recovery->hint =
		    xasprintf("--force starts %s again all the same: there is no leader for some seconds", differing);
		recovery_refuse(
		    recovering, true, ERR_REFUSED,
		    "the raft peers of the leader %s were missed by %s, which only a restart with them mends; "
		    "meanwhile there would be no quorum",
		    assessment->leader_name, differing);
		recovery->forceable = true;
	} else if (differing || has_waiting_peers(recovering)) {
		tidy(recovering, assessment->leader, differing);
	} else {
		recovery_hint_led(recovering, assessment->quorum.live_voters);
		recovery_refuse(recovering, false, ERR_REFUSED, "there is a leader: %s; nothing is to be recovered",
		                assessment->leader_name);
	}
}

bool recovery_ends_with_leader(struct recovering *recovering, bool force)
{
	const struct recovery *recovery = recovering->recovery;
	const struct server *led = find_led(recovering->snapshot);
	struct assessment assessment = ASSESSMENT_INIT;

	assess(recovering->snapshot, &assessment);
	if (assessment.leader_name)
		end_led(recovering, &assessment, force);
	else if (led && led->view.self.role == RAFT_LEADER)
		recovery_refuse(recovering, true, ERR_REFUSED, "%s leads, but not everybody follows it", led->name);
	else if (led)
		recovery_refuse(recovering, true, ERR_REFUSED, "%s still hears a leader: %s", led->name,
		                led->view.self.leader_address);
	assessment_release(&assessment);
	return recovery->kind == RECOVERY_TIDY || recovery->text;
}
