/* What people read of a recovery: see include/consul/recovery_parts.h. The commands to be pasted are in
 * recovery_hands.c. */
#include <inttypes.h>

#include "consul/diagnosis.h"
#include "consul/observe.h"
#include "consul/recovery_parts.h"
#include "consul/refusal.h"
#include "util/mem.h"

char *recovery_command(const struct recovering *recovering, const char *command)
{
	const struct snapshot *snapshot = recovering->snapshot;
	_cleanup_free_ char *space = shell_word(snapshot->namespace_name), *set = shell_word(snapshot->set.name);
	bool usual = str_equal(snapshot->set.name, OBSERVE_DEFAULT_NAME);

	return xasprintf("kubectl consul %s -n %s%s%s", command, space, usual ? "" : " --name ", usual ? "" : set);
}

static void add_hint(struct recovering *recovering, char *hint)
{
	if (strv_contains(&recovering->hints, hint))
		free(hint);
	else
		strv_take(&recovering->hints, hint);
}

void recovery_hint_led(struct recovering *recovering, int64_t live_voters)
{
	int64_t replicas = recovering->snapshot->set.replicas;
	bool usual = replicas >= 3 && replicas % 2 == 1;
	_cleanup_free_ char *scale = xasprintf("scale %" PRId64 "%s", replicas, usual ? "" : " --force");
	_cleanup_free_ char *command = recovery_command(recovering, scale);

	if (live_voters < replicas)
		recovering->recovery->hint = xasprintf("%s goes on until it has %" PRId64 " voters", command, replicas);
}

void recovery_hint_none(struct recovering *recovering)
{
	const struct snapshot *snapshot = recovering->snapshot;
	_cleanup_free_ char *space = shell_word(snapshot->namespace_name), *set = shell_word(snapshot->set.name);

	recovering->recovery->hint = xasprintf(
	    "kubectl scale statefulset/%s -n %s --replicas=N, with the N it had, brings all of them back", set, space);
}

/* As many replicas as it takes for all that were scaled away to come back. */
static int64_t replicas_with_all(const struct recovering *recovering)
{
	const struct kube_statefulset *set = &recovering->snapshot->set;
	int64_t replicas = set->replicas;

	for (size_t i = 0; i < recovering->recovery->count; i++) {
		const struct recovery_server *row = &recovering->recovery->servers[i];
		int64_t needed = kube_ordinal(set->name, row->name) - set->ordinal_start + 1;

		if (row->fate == FATE_RETURNS && (row->peer || row->server) && needed > replicas)
			replicas = needed;
	}
	return replicas;
}

/* Which right is missing to see what there is. */
static void hint_claims(struct recovering *recovering)
{
	const struct snapshot *snapshot = recovering->snapshot;

	if (!snapshot->claims_known && snapshot->claims_err.hint)
		add_hint(recovering, xstrdup(snapshot->claims_err.hint));
}

void recovery_hint_wait(struct recovering *recovering)
{
	_cleanup_free_ char *command = recovery_command(recovering, "health --wait");

	add_hint(recovering, xasprintf("%s waits for it", command));
}

void recovery_hint_broken(struct recovering *recovering, const struct recovery_server *row)
{
	_cleanup_free_ char *again = recovery_command(recovering, "recover");

	if (row->remains->trouble != REMAINS_CORRUPT)
		add_hint(recovering,
		         xasprintf("the data of %s is whole: with the commands above it starts again", row->name));
	else
		add_hint(recovering, xasprintf("the commands above keep a copy, and start it empty; then: %s", again));
}

/* Kubernetes does not start it, and will not as things are. */
static bool is_stuck(const struct server *server)
{
	static const char *const passing[] = { "ContainerCreating", "PodInitializing", "CrashLoopBackOff" };
	const char *reason = server->container ? server->container->waiting_reason : NULL;

	if (server->pod.unscheduled_message)
		return true;
	for (size_t i = 0; reason && i < ARRAY_SIZE(passing); i++)
		if (str_equal(reason, passing[i]))
			return false;
	return reason != NULL;
}

/* The cluster does not heal by itself where too few come back, nor where the token is refused. */
static void hint_come_back(struct recovering *recovering, const struct recovery_server *row)
{
	_cleanup_free_ char *health = recovery_command(recovering, "health");
	_cleanup_free_ char *watch = recovery_command(recovering, "health --watch");
	_cleanup_free_ char *recover = recovery_command(recovering, "recover");

	if (row->server && recovery_is_running(row->server) && refusal_first(&row->server->view))
		add_hint(recovering, xasprintf("%s says what the token lacks", health));
	else
		add_hint(recovering, xasprintf("%s shows whether it comes back; then look again: %s", watch, recover));
}

void recovery_hint_return(struct recovering *recovering, const struct recovery_server *row)
{
	const struct snapshot *snapshot = recovering->snapshot;
	_cleanup_free_ char *space = shell_word(snapshot->namespace_name), *set = shell_word(snapshot->set.name);
	_cleanup_free_ char *name = shell_word(row->name);
	int64_t ordinal = kube_ordinal(snapshot->set.name, row->name);

	hint_claims(recovering);
	if (ordinal >= 0 && !snapshot_wants_ordinal(snapshot, ordinal))
		add_hint(recovering, xasprintf("kubectl scale statefulset/%s -n %s --replicas=%" PRId64
		                               " brings back who was scaled away",
		                               set, space, replicas_with_all(recovering)));
	else if (row->server && is_stuck(row->server))
		add_hint(recovering, xasprintf("kubectl describe pod %s -n %s tells more", name, space));
	else
		hint_come_back(recovering, row);
}

/* ----------------------------------------------------------------------------------------------- notes */

static char *names_of(const struct recovery *recovery, enum fate fate)
{
	_cleanup_strv_ struct strv names = STRV_INIT;

	for (size_t i = 0; i < recovery->count; i++)
		if (recovery->servers[i].fate == fate)
			strv_add(&names, recovery->servers[i].name);
	return names.count > 0 ? list_names(&names) : NULL;
}

static void note_behind(struct recovery *recovery, const struct recovery_server *row)
{
	const struct recovery_server *best = recovery->best;

	if (row->fate != FATE_REMAINS || row == best || !row->log_known || !recovery_is_ahead(best, row))
		return;
	if (row->last_term == best->last_term)
		strv_addf(&recovery->notes,
		          "%s is %" PRIu64 " log entries behind %s, gets them from it, and has no vote before",
		          row->name, row->behind, best->name);
	else
		strv_addf(&recovery->notes,
		          "the log of %s ends in an earlier term than that of %s: it takes over the latter, what only "
		          "it has is dropped, and it has no vote before",
		          row->name, best->name);
}

/* Its log would be cut to what the others have; what it has applied of the rest would be answered until it is
 * restarted. */
static void note_left_out(struct recovering *recovering, const struct recovery_server *row)
{
	if (row->fate == FATE_RETURNS || row->fate == FATE_BROKEN)
		strv_addf(&recovering->recovery->notes,
		          "%s must not come back with its data: it has to be deleted before (its claim, if it has one)",
		          row->name);
}

void recovery_note(struct recovering *recovering)
{
	struct recovery *recovery = recovering->recovery;
	const struct quorum *quorum = &recovery->quorum;
	_cleanup_free_ char *empty = names_of(recovery, FATE_EMPTY), *losses = NULL;
	int64_t lost = quorum->voters - quorum->live_voters;

	for (size_t i = 0; i < recovering->objections.count; i++)
		strv_addf(&recovery->notes, "forced although %s", recovering->objections.items[i]);
	for (size_t i = 0; i < recovering->doubts.count; i++)
		strv_add(&recovery->notes, recovering->doubts.items[i]);
	if (lost > 0)
		losses = xasprintf("; what only the lost voters had (%" PRId64 " of %" PRId64 ") is gone", lost,
		                   quorum->voters);
	strv_addf(&recovery->notes, "the data of %s becomes the truth, also what was never committed%s",
	          recovery->best->name, losses ? losses : "");
	for (size_t i = 0; i < recovery->count; i++)
		note_behind(recovery, &recovery->servers[i]);
	for (size_t i = 0; i < recovery->count; i++)
		note_left_out(recovering, &recovery->servers[i]);
	if (empty)
		strv_addf(&recovery->notes, "without data, and joining by themselves afterwards: %s", empty);
}
