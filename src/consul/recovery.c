/* See include/consul/recovery.h: the decision. Who is what is in recovery_fate.c and recovery_peers.c. */
#include "consul/recovery.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "consul/diagnosis.h"
#include "consul/recovery_parts.h"
#include "util/json.h"
#include "util/mem.h"

const char *fate_name(enum fate fate)
{
	static const char *const names[] = {
		[FATE_REMAINS] = "remains", [FATE_EMPTY] = "empty", [FATE_RETURNS] = "may return",
		[FATE_BROKEN] = "broken",   [FATE_GONE] = "gone",   [FATE_STRANGER] = "stranger",
	};

	return names[fate];
}

/* ------------------------------------------------------------------------------------------ refusing */

bool recovery_refuse(struct recovering *recovering, bool may_pass, enum err_kind kind, const char *format, ...)
{
	struct recovery *recovery = recovering->recovery;
	va_list arguments;

	va_start(arguments, format);
	recovery->text = xvasprintf(format, arguments);
	va_end(arguments);
	recovery->kind = RECOVERY_REFUSED;
	recovery->may_pass = may_pass;
	recovery->exit_is = kind;
	if (!recovery->hint)
		recovery->hint = recovery_command(recovering, "health");
	return true;
}

__attribute__((format(printf, 2, 3))) static void object(struct recovering *recovering, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	strv_take(&recovering->objections, xvasprintf(format, arguments));
	va_end(arguments);
}

/* ------------------------------------------------------------------------------------------------ rows */

static int compare_rows(const void *left, const void *right)
{
	const struct recovery_server *a = left, *b = right;

	if (a->fate != b->fate)
		return a->fate < b->fate ? -1 : 1;
	if (a->fate == FATE_REMAINS && a->log_known != b->log_known)
		return a->log_known ? -1 : 1;
	if (a->fate == FATE_REMAINS && (recovery_is_ahead(a, b) || recovery_is_ahead(b, a)))
		return recovery_is_ahead(a, b) ? -1 : 1;
	if (a->server && b->server)
		return a->server < b->server ? -1 : 1;
	if (!a->server != !b->server)
		return a->server ? -1 : 1;
	return str_compare_natural(a->name, b->name);
}

void recovery_finish_rows(struct recovering *recovering)
{
	struct recovery *recovery = recovering->recovery;
	const struct recovery_server *best = NULL;

	if (recovery->count > 0)
		qsort(recovery->servers, recovery->count, sizeof(*recovery->servers), compare_rows);
	for (size_t i = 0; i < recovery->count; i++)
		if (recovering->best && recovery->servers[i].server == recovering->best)
			best = &recovery->servers[i];
	recovery->best = best;
	for (size_t i = 0; best && i < recovery->count; i++) {
		struct recovery_server *row = &recovery->servers[i];

		if (row->log_known && best->log_known && row->last_term == best->last_term &&
		    row->last_index < best->last_index)
			row->behind = best->last_index - row->last_index;
	}
}

/* ------------------------------------------------------------------------------- leaders and clusters */

static bool share_an_id(const struct view *a, const struct view *b)
{
	for (size_t i = 0; i < a->peer_count; i++)
		if (recovery_peer(b, a->peers[i].id))
			return true;
	return false;
}

static bool has_peers(const struct server *server)
{
	return recovery_is_running(server) && server->view.peers_known && server->view.peer_count > 0;
}

/* "consul-0 (and who has raft peers in common with it)". */
static char *side_of(const struct snapshot *snapshot, const struct server *server)
{
	_cleanup_strv_ struct strv names = STRV_INIT;

	for (size_t i = 0; i < snapshot->server_count; i++)
		if (has_peers(&snapshot->servers[i]) && share_an_id(&snapshot->servers[i].view, &server->view))
			strv_add(&names, snapshot->servers[i].name);
	return list_names(&names);
}

/* Servers that have no raft peer in common: neither cluster's data may be thrown away for the other's. */
static bool refuse_two_clusters(struct recovering *recovering)
{
	const struct snapshot *snapshot = recovering->snapshot;

	for (size_t i = 0; i < snapshot->server_count; i++) {
		for (size_t k = i + 1; k < snapshot->server_count; k++) {
			const struct server *a = &snapshot->servers[i], *b = &snapshot->servers[k];
			_cleanup_free_ char *one = NULL, *other = NULL;

			if (!has_peers(a) || !has_peers(b) || share_an_id(&a->view, &b->view))
				continue;
			one = side_of(snapshot, a);
			other = side_of(snapshot, b);
			recovering->recovery->hint = xstrdup("kubectl consul explain CON403 tells how to choose");
			return recovery_refuse(recovering, false, ERR_REFUSED,
			                       "there are two clusters: the raft peers of %s are none of those of %s",
			                       one, other);
		}
	}
	return false;
}

/* ------------------------------------------------------------------------------- what cannot be done */

static bool refuse_without_data(struct recovering *recovering)
{
	struct recovery *recovery = recovering->recovery;
	_cleanup_strv_ struct strv places = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	bool nobody_told = true, all_empty = true;

	if (recovering->best)
		return false;
	if (recovery->count == 0) {
		recovery_hint_none(recovering);
		return recovery_refuse(recovering, false, ERR_REFUSED,
		                       "the StatefulSet is scaled to 0: nobody can be asked");
	}
	for (size_t i = 0; i < recovery->count; i++) {
		const struct recovery_server *row = &recovery->servers[i];

		strv_addf(&places, "%s: %s", row->name, row->why);
		nobody_told = nobody_told && row->fate == FATE_RETURNS && recovery_is_running(row->server);
		all_empty = all_empty && row->fate == FATE_EMPTY;
		if (row->fate == FATE_RETURNS)
			recovery_hint_return(recovering, row);
	}
	if (all_empty) {
		recovery->hint = xstrdup("what is left are backups: once the servers have a leader, `consul snapshot "
		                         "restore`");
		return recovery_refuse(recovering, false, ERR_REFUSED,
		                       "no server has data: there is nothing to go on with");
	}
	if (recovering->hints.count > 0)
		recovery->hint = strv_join(&recovering->hints, "\n", "\n");
	list = list_names(&places);
	return recovery_refuse(recovering, recovering->may_pass, nobody_told ? ERR_FAILED : ERR_REFUSED,
	                       "no server tells of data that could become the truth: %s", list);
}

/* Raft protocols before 3 want another form of peers.json; the default before Consul 1.0. */
static bool speaks_old_raft(const struct recovering *recovering)
{
	const struct view *view = recovering->peers;

	for (size_t i = 0; i < view->peer_count; i++)
		if (view->peers[i].protocol > 0 && view->peers[i].protocol < 3)
			return true;
	return view->self.version && str_starts_with(view->self.version, "0.");
}

static bool refuse_unwritable(struct recovering *recovering)
{
	struct recovery *recovery = recovering->recovery;

	if (speaks_old_raft(recovering))
		return recovery_refuse(recovering, false, ERR_REFUSED,
		                       "%s speaks a raft protocol before 3, whose peers.json has another form",
		                       recovering->best->name);
	for (size_t i = 0; i < recovery->count; i++) {
		const struct recovery_server *row = &recovery->servers[i];

		if (row->fate != FATE_REMAINS)
			continue;
		recovery->hint = xstrdup_null(row->remains->err.hint);
		if (!row->remains->known)
			return recovery_refuse(recovering, err_leaves_open(&row->remains->err), ERR_FAILED,
			                       "cannot look into the data directory of %s: %s", row->name,
			                       row->remains->err.message ? row->remains->err.message
			                                                 : "it was not asked");
		if (!row->remains->writable) {
			replace_string(&recovery->hint,
			               xstrdup("let the container run as the user of Consul's process"));
			return recovery_refuse(recovering, false, ERR_FAILED,
			                       "raft/peers.json cannot be written by exec on %s", row->name);
		}
		replace_string(&recovery->hint, NULL);
	}
	return false;
}

/* ------------------------------------------------------------------------------ what speaks against it */

static void count_quorum(struct recovering *recovering)
{
	struct recovery *recovery = recovering->recovery;
	struct quorum *quorum = &recovery->quorum;

	quorum->known = true;
	for (size_t i = 0; i < recovering->peers->peer_count; i++)
		quorum->voters += recovering->peers->peers[i].voter;
	for (size_t i = 0; i < recovery->count; i++) {
		bool remains = recovery->servers[i].fate == FATE_REMAINS;

		quorum->live_voters += remains && recovery->servers[i].voter;
		recovery->remaining += remains;
	}
	quorum->quorum = quorum->voters / 2 + 1;
}

/*
 * A peer; or a place of ours, be it in that peer set or not: the best has it as it was when it was cut off, and may
 * have removed somebody whom the others never did.
 */
static bool may_count(const struct recovery_server *row)
{
	return row->peer || row->server;
}

static void object_to_haste(struct recovering *recovering)
{
	const struct recovery *recovery = recovering->recovery;

	if (recovery->quorum.live_voters >= recovery->quorum.quorum) {
		object(recovering, "%" PRId64 " of %" PRId64 " voters live: they need some seconds to find each other",
		       recovery->quorum.live_voters, recovery->quorum.voters);
		recovery_hint_wait(recovering);
		recovering->may_pass = true;
	}
	for (size_t i = 0; i < recovery->count; i++) {
		const struct recovery_server *row = &recovery->servers[i];

		if (row->fate != FATE_RETURNS || !may_count(row))
			continue;
		object(recovering, "%s may come back with its data (%s)", row->name, row->why);
		recovery_hint_return(recovering, row);
	}
}

/* The same ids with the same votes. */
static bool same_peers(const struct view *a, const struct view *b)
{
	if (a->peer_count != b->peer_count)
		return false;
	for (size_t i = 0; i < a->peer_count; i++) {
		const struct peer *other = recovery_peer(b, a->peers[i].id);

		if (!other || other->voter != a->peers[i].voter)
			return false;
	}
	return true;
}

/*
 * Its log is behind, and lacks a change of the set that the best has, and all whom it knows besides answer: nobody
 * absent can have gone on with the set that it still has.
 */
static bool is_earlier_set(const struct recovering *recovering, const struct recovery_server *row)
{
	const struct recovery *recovery = recovering->recovery;
	const struct view *view = &row->server->view;

	if (!row->log_known || !recovery->best->log_known || !recovery_is_ahead(recovery->best, row))
		return false;
	for (size_t i = 0; i < view->peer_count; i++) {
		bool answers = recovery_peer(recovering->peers, view->peers[i].id) != NULL;

		for (size_t k = 0; !answers && k < recovery->count; k++)
			answers =
			    recovery->servers[k].log_known && str_equal(recovery->servers[k].id, view->peers[i].id);
		if (!answers)
			return false;
	}
	return recovery_has_ids(view, recovering->peers) || recovery_has_ids(recovering->peers, view);
}

static void object_to_peers(struct recovering *recovering, const struct recovery_server *row)
{
	const char *best = recovering->recovery->best->name;

	if (row->fate != FATE_REMAINS || !row->server->view.peers_known ||
	    same_peers(&row->server->view, recovering->peers))
		return;
	if (is_earlier_set(recovering, row))
		strv_addf(&recovering->doubts, "%s does not have the last change of the raft peers of %s", row->name,
		          best);
	else
		object(recovering, "%s and %s do not have the same raft peers", row->name, best);
}

static void object_to_row(struct recovering *recovering, const struct recovery_server *row)
{
	const struct recovery *recovery = recovering->recovery;
	const struct recovery_server *best = recovery->best;

	if (row->fate == FATE_BROKEN) {
		object(recovering, "%s may have more in its log than %s, and Consul does not start there", row->name,
		       best->name);
		recovery_hint_broken(recovering, row);
	}
	object_to_peers(recovering, row);
	if (row->log_known && recovery_is_ahead(row, best))
		object(recovering, "%s has more in its log than %s (%s)", row->name, best->name, row->why);
	if (row->fate == FATE_STRANGER && !row->log_known)
		object(recovering, "%s may have more in its log than %s (%s)", row->name, best->name, row->why);
	if (row->fate == FATE_REMAINS && row != best && !row->log_known)
		object(recovering, "how far the log of %s is cannot be told: %s may have less", row->name, best->name);
}

/* ---------------------------------------------------------------------------------------- peers.json */

/* Who has less log than the best waits for its vote. */
static bool votes_at_once(const struct recovery *recovery, const struct recovery_server *row)
{
	return row == recovery->best || (row->voter && (!row->log_known || !recovery->best->log_known ||
	                                                !recovery_is_ahead(recovery->best, row)));
}

cJSON *recovery_peer_json(const char *id, const char *address, bool votes)
{
	return json_object("id", json_string(id), "address", json_string(address), "non_voter", json_bool(!votes),
	                   NULL);
}

static char *peers_json(const struct recovery *recovery)
{
	cJSON *peers = cJSON_CreateArray();
	char *text;

	for (size_t i = 0; i < recovery->count; i++) {
		const struct recovery_server *row = &recovery->servers[i];

		if (row->fate == FATE_REMAINS)
			cJSON_AddItemToArray(peers,
			                     recovery_peer_json(row->id, row->address, votes_at_once(recovery, row)));
	}
	text = json_text(peers);
	cJSON_Delete(peers);
	return text;
}

/* --------------------------------------------------------------------------------------- all together */

static void decide(struct recovering *recovering, bool force)
{
	struct recovery *recovery = recovering->recovery;

	if (recovering->objections.count > 0 && !force) {
		if (recovering->hints.count == 0)
			strv_take(&recovering->hints, recovery_command(recovering, "health"));
		strv_add(&recovering->hints, "--force goes on all the same: what only they have is lost then");
		recovery->kind = RECOVERY_REFUSED;
		recovery->forceable = true;
		recovery->may_pass = recovering->may_pass;
		recovery->exit_is = ERR_REFUSED;
		recovery->text = strv_join(&recovering->objections, "; ", "; ");
		recovery->hint = strv_join(&recovering->hints, "\n", "\n");
		return;
	}
	recovery->kind = RECOVERY_GO;
	recovery->may_pass = recovering->objections.count > 0 && recovering->may_pass;
	recovery->peers_json = peers_json(recovery);
	recovery_note(recovering);
}

static void plan(struct recovering *recovering, bool force)
{
	struct recovery *recovery = recovering->recovery;

	if (refuse_two_clusters(recovering) || recovery_ends_with_leader(recovering, force))
		return;
	recovery_choose_best(recovering);
	recovery_judge_places(recovering);
	recovery_match_peers(recovering);
	recovery_finish_rows(recovering);
	recovery_add_commands(recovering);
	if (refuse_without_data(recovering))
		return;
	count_quorum(recovering);
	if (refuse_unwritable(recovering))
		return;
	object_to_haste(recovering);
	for (size_t i = 0; i < recovery->count; i++)
		object_to_row(recovering, &recovery->servers[i]);
	decide(recovering, force);
}

void recovery_plan(const struct snapshot *snapshot, const struct remains *remains,
                   const struct recovery_options *options, struct recovery *ret_recovery)
{
	struct recovering recovering = { .snapshot = snapshot, .remains = remains, .recovery = ret_recovery };

	plan(&recovering, options->force);
	strv_release(&recovering.objections);
	strv_release(&recovering.doubts);
	strv_release(&recovering.hints);
}

/* --------------------------------------------------------------------------------------------- the rest */

int recovery_refusal(const struct recovery *recovery, struct err *err)
{
	err_set(err, recovery->exit_is, "%s", recovery->text);
	if (recovery->hint)
		err_hint(err, "%s", recovery->hint);
	return recovery->exit_is == ERR_REFUSED ? err_label(err, "refused") : -1;
}

static bool is_discarded(const struct recovery_server *row)
{
	return row->fate != FATE_REMAINS && row->fate != FATE_EMPTY && row->fate != FATE_GONE;
}

/* b has everybody whom a discards. */
static bool discards_no_more(const struct recovery *a, const struct recovery *b)
{
	for (size_t i = 0; i < a->count; i++) {
		bool found = !is_discarded(&a->servers[i]);

		for (size_t k = 0; !found && k < b->count; k++)
			found = is_discarded(&b->servers[k]) && str_equal(a->servers[i].name, b->servers[k].name);
		if (!found)
			return false;
	}
	return true;
}

bool recovery_gets_peers(const struct recovery *recovery, const struct recovery_server *row)
{
	return recovery->kind == RECOVERY_TIDY ? row->differs : row->fate == FATE_REMAINS;
}

bool recovery_loses_file(const struct recovery *recovery, const struct recovery_server *row)
{
	return recovery->kind == RECOVERY_TIDY && !row->differs && row->remains && row->remains->known &&
	       row->remains->peers_waiting;
}

/* The pods that get a file, or whose file is removed, in order. */
static char *pods_of(const struct recovery *recovery)
{
	struct buf names = BUF_TEXT;

	for (size_t i = 0; i < recovery->count; i++) {
		const struct recovery_server *row = &recovery->servers[i];

		if (recovery_gets_peers(recovery, row) || recovery_loses_file(recovery, row))
			buf_addf(&names, "%s %s\n", row->name, row->server->pod.uid ? row->server->pod.uid : "");
	}
	return buf_detach(&names);
}

bool recovery_equal(const struct recovery *a, const struct recovery *b)
{
	_cleanup_free_ char *pods_a = pods_of(a), *pods_b = pods_of(b);

	return a->kind == b->kind && str_equal(a->peers_json, b->peers_json) && str_equal(pods_a, pods_b) &&
	       discards_no_more(a, b) && discards_no_more(b, a);
}

void recovery_release(struct recovery *recovery)
{
	for (size_t i = 0; i < recovery->count; i++) {
		free(recovery->servers[i].name);
		free(recovery->servers[i].id);
		free(recovery->servers[i].address);
		free(recovery->servers[i].why);
	}
	free(recovery->servers);
	free(recovery->text);
	free(recovery->hint);
	free(recovery->peers_json);
	strv_release(&recovery->notes);
	strv_release(&recovery->commands);
	*recovery = (struct recovery)RECOVERY_INIT;
}
