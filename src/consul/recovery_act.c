/* See include/consul/recovery_act.h. */
#include "consul/recovery_act.h"

#include <stdlib.h>

#include "consul/assess.h"
#include "consul/diagnosis.h"
#include "consul/recovery_parts.h"
#include "consul/waiting.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#define LOOK_INTERVAL_MS ((int64_t)1000)
/* What a last look may take: cut short by the end of all it would say less than the one before. */
#define LOOK_MS ((int64_t)5000)
/* Most that servers may take to have a leader: kubelet starts a container that has often ended only every five minutes.
 */
#define LEADER_MS ((int64_t)7 * 60 * 1000)

/* One run. */
struct acting {
	const struct world *world;
	const struct recovery_act_options *options;
	char *waiting_for;
};

static int64_t now_ms(const struct acting *acting)
{
	return acting->world->now_ms(acting->world->context);
}

static void tell(const struct acting *acting, const struct act_event *event)
{
	if (acting->options->tell)
		acting->options->tell(acting->options->tell_context, event);
}

static void tell_waiting(struct acting *acting, const char *text)
{
	tell(acting,
	     &(struct act_event){ .kind = ACT_WAITING, .text = text, .again = str_equal(text, acting->waiting_for) });
	replace_string(&acting->waiting_for, xstrdup(text));
}

static void tell_done(const struct acting *acting, int64_t begun_ms, const char *text)
{
	tell(acting,
	     &(struct act_event){ .kind = ACT_DONE, .number = 1, .took_ms = now_ms(acting) - begun_ms, .text = text });
}

/* --------------------------------------------------------------------------------------------- looking */

void recovery_look_release(struct recovery_look *look)
{
	recovery_release(&look->recovery);
	for (size_t i = 0; look->remains && i < look->snapshot.server_count; i++)
		remains_release(&look->remains[i]);
	free(look->remains);
	snapshot_release(&look->snapshot);
	*look = (struct recovery_look)RECOVERY_LOOK_INIT;
}

static int look_once(const struct acting *acting, bool force, struct recovery_look *ret_look, struct err *err)
{
	const struct world *world = acting->world;
	struct snapshot *snapshot = &ret_look->snapshot;

	if (world->keep(world->context, err) < 0 || world->observe(world->context, snapshot, err) < 0)
		return -1;
	ret_look->remains = xcalloc(snapshot->server_count + 1, sizeof(*ret_look->remains));
	if (world->inspect(world->context, snapshot, ret_look->remains, err) < 0)
		return -1;
	recovery_plan(snapshot, ret_look->remains,
	              &(struct recovery_options){ .force = force || acting->options->recovery.force },
	              &ret_look->recovery);
	return 0;
}

static int wait_a_moment(const struct acting *acting, int64_t until_ms, struct err *err)
{
	int64_t left_ms = until_ms - now_ms(acting);

	return acting->world->sleep(acting->world->context, left_ms < LOOK_INTERVAL_MS ? left_ms : LOOK_INTERVAL_MS,
	                            err);
}

/* What is waited for: of one that goes on, the first thing it would pass over. */
static const char *waited_for(const struct recovery *recovery)
{
	if (recovery->text)
		return recovery->text;
	return recovery->notes.count > 0 ? recovery->notes.items[0] : "the cluster to settle";
}

/* agreed: who looks again is done when it still holds; NULL: a first look. */
static int look(struct acting *acting, const struct recovery *agreed, struct recovery_look *ret_look, struct err *err)
{
	int64_t until_ms = now_ms(acting) + RECOVERY_PATIENCE_MS;

	if (acting->options->deadline_ms - LOOK_MS < until_ms)
		until_ms = acting->options->deadline_ms - LOOK_MS;
	for (;;) {
		_cleanup_err_ struct err failure = ERR_INIT;

		recovery_look_release(ret_look);
		if (look_once(acting, false, ret_look, &failure) == 0 &&
		    (!ret_look->recovery.may_pass || (agreed && recovery_equal(agreed, &ret_look->recovery))))
			return 0;
		if (now_ms(acting) >= until_ms || (err_is_set(&failure) && !err_leaves_open(&failure)))
			return err_move(err, &failure);
		tell_waiting(acting, err_is_set(&failure) ? failure.message : waited_for(&ret_look->recovery));
		if (wait_a_moment(acting, until_ms, err) < 0)
			return -1;
	}
}

int recovery_look(const struct world *world, const struct recovery_act_options *options, struct recovery_look *ret_look,
                  struct err *err)
{
	struct acting acting = { .world = world, .options = options };
	int status = look(&acting, NULL, ret_look, err);

	free(acting.waiting_for);
	return status;
}

/* ---------------------------------------------------------------------------------------------- doing */

static char *list_of(const struct crash_order *orders, size_t count)
{
	_cleanup_strv_ struct strv names = STRV_INIT;

	for (size_t i = 0; i < count; i++)
		strv_add(&names, orders[i].pod);
	return list_names(&names);
}

/* The orders for the servers that get peers.json, or whose file is to be removed: best first. Returns how many. */
static size_t make_orders(const struct recovery *recovery, bool removing, struct crash_order *orders)
{
	size_t count = 0;

	for (size_t i = 0; i < recovery->count; i++) {
		const struct recovery_server *row = &recovery->servers[i];

		if (removing ? recovery_loses_file(recovery, row) : recovery_gets_peers(recovery, row))
			orders[count++] = (struct crash_order){ .pod = row->server->name,
				                                .data_dir = row->remains->data_dir,
				                                .peers_json = removing ? NULL : recovery->peers_json };
	}
	return count;
}

/* Whoever was not reached is told of: the others may do without. The best one they cannot do without. */
static int check_orders(const struct acting *acting, const struct recovery *recovery, struct crash_order *orders,
                        size_t count, struct err *err)
{
	int status = 0;

	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *text = NULL;

		if (!err_is_set(&orders[i].err))
			continue;
		text = xasprintf("%s: %s", orders[i].pod, orders[i].err.message);
		tell(acting, &(struct act_event){ .kind = ACT_NOTE, .text = text });
		if (recovery->best && orders[i].pod == recovery->best->server->name && !err_leaves_open(&orders[i].err))
			status = err_move(err, &orders[i].err);
	}
	return status;
}

static int crash_all(const struct acting *acting, const struct recovery_look *seen, bool *ret_begun, struct err *err)
{
	const struct world *world = acting->world;
	struct crash_order *orders = xcalloc(seen->recovery.count + 1, sizeof(*orders));
	size_t count = make_orders(&seen->recovery, false, orders);
	_cleanup_free_ char *names = list_of(orders, count);
	_cleanup_free_ char *text = xasprintf("raft/peers.json for %s, and %s process%s ended at once", names,
	                                      count == 1 ? "its" : "their", count == 1 ? " is" : "es are");
	_cleanup_err_ struct err failure = ERR_INIT;
	int status = world->keep(world->context, err);

	if (status == 0) {
		tell(acting, &(struct act_event){ .kind = ACT_STEP, .number = 1, .text = text });
		*ret_begun = true;
		status = world->crash(world->context, &seen->snapshot, orders, count, &failure);
		if (status < 0 && failure.kind == ERR_INTERRUPTED)
			err_move(err, &failure);
		else
			status = check_orders(acting, &seen->recovery, orders, count, err);
	}
	for (size_t i = 0; i < count; i++)
		err_release(&orders[i].err);
	free(orders);
	return status;
}

static int remove_files(const struct acting *acting, const struct recovery_look *seen, bool *ret_begun, struct err *err)
{
	const struct world *world = acting->world;
	struct crash_order *orders = xcalloc(seen->recovery.count + 1, sizeof(*orders));
	size_t count = make_orders(&seen->recovery, true, orders);
	_cleanup_free_ char *names = list_of(orders, count);
	_cleanup_free_ char *text = xasprintf("the raft/peers.json that waits on %s is removed", names);
	int64_t begun_ms = now_ms(acting);
	int status = 0;

	if (count > 0)
		tell(acting, &(struct act_event){ .kind = ACT_STEP, .number = 1, .text = text });
	for (size_t i = 0; status == 0 && i < count; i++) {
		status = world->keep(world->context, err);
		if (status < 0)
			break;
		*ret_begun = true;
		status = world->remove_peers(world->context, &seen->snapshot, &orders[i], err);
		if (status < 0)
			err_wrap(err, "%s", orders[i].pod);
	}
	for (size_t i = 0; i < count; i++)
		err_release(&orders[i].err);
	free(orders);
	if (status == 0 && count > 0)
		tell_done(acting, begun_ms, text);
	return status;
}

/* Some exec was lost, or did the half of it: whoever has missed the leader's peers gets them, other files go. */
static int mend(const struct acting *acting, const struct recovery_look *seen, struct err *err)
{
	_cleanup_err_ struct err failure = ERR_INIT;
	bool begun;

	if (remove_files(acting, seen, &begun, &failure) < 0 && !err_leaves_open(&failure))
		return err_move(err, &failure);
	return seen->recovery.peers_json ? crash_all(acting, seen, &begun, err) : 0;
}

/* ------------------------------------------------------------------------------------------- the leader */

/* What this one still lacks. New string; NULL: nothing. */
static char *missing_of(const struct recovery_server *row, const struct snapshot *now, const struct remains *remains,
                        const struct assessment *assessment)
{
	const struct server *server = snapshot_server_by_name(now, row->name);
	const struct view *view = server ? &server->view : NULL;
	const struct view *peers = assessment->peers_of ? &assessment->peers_of->view : NULL;
	const char *leader = assessment->leader_name;

	if (!recovery_peer(peers, row->id))
		return xasprintf("%s is no raft peer of %s yet", row->name, leader);
	if (!view || (!view->peers_known && row->server->view.peers_known))
		return xasprintf("%s does not tell its raft peers yet", row->name);
	if (view->peers_known && !(recovery_has_ids(view, peers) && recovery_has_ids(peers, view)))
		return xasprintf("%s does not have the raft peers of %s yet", row->name, leader);
	remains += server - now->servers;
	if (!remains->known)
		return xasprintf("cannot see whether a raft/peers.json waits on %s: %s", row->name,
		                 remains->err.message ? remains->err.message : "it was not asked");
	return remains->peers_waiting ? xasprintf("a raft/peers.json waits on %s", row->name) : NULL;
}

/* "no leader yet", with why one of those that remain does not run. New string. */
static char *no_leader(const struct recovery *recovery, const struct snapshot *now, const char *summary)
{
	for (size_t i = 0; i < recovery->count; i++) {
		const struct server *server = snapshot_server_by_name(now, recovery->servers[i].name);
		struct waiting waiting = WAITING_INIT;
		char *text;

		if (!recovery_gets_peers(recovery, &recovery->servers[i]) || !server ||
		    (server->container && server->container->running))
			continue;
		waiting_explain(server, true, true, &waiting);
		text = xasprintf("no leader yet; %s: %s", server->name, waiting.reason);
		waiting_release(&waiting);
		return text;
	}
	return xasprintf("no leader yet: %s", summary);
}

/* What is missing; NULL: nothing. New string. */
static char *missing(const struct recovery *recovery, const struct recovery_look *now, bool *ret_led)
{
	struct assessment assessment = ASSESSMENT_INIT;
	char *text = NULL;

	assess(&now->snapshot, &assessment);
	*ret_led = assessment.leader_name != NULL;
	if (!assessment.leader)
		text = no_leader(recovery, &now->snapshot, assessment.summary);
	for (size_t i = 0; !text && i < recovery->count; i++)
		if (recovery_gets_peers(recovery, &recovery->servers[i]))
			text = missing_of(&recovery->servers[i], &now->snapshot, now->remains, &assessment);
	assessment_release(&assessment);
	return text;
}

/* One look. *ret_missing is NULL when all is there. */
static int look_for_leader(struct acting *acting, const struct recovery *recovery, struct recovery_look *ret_now,
                           bool *ret_led, char **ret_missing, struct err *err)
{
	_cleanup_err_ struct err failure = ERR_INIT;

	if (look_once(acting, recovery->kind == RECOVERY_GO, ret_now, &failure) == 0)
		*ret_missing = missing(recovery, ret_now, ret_led);
	else if (err_leaves_open(&failure))
		*ret_missing = xasprintf("cannot look at the cluster: %s", failure.message);
	else
		return err_move(err, &failure);
	return 0;
}

static int wait_for_leader(struct acting *acting, const struct recovery *recovery, int64_t begun_ms, struct err *err)
{
	int64_t until_ms = begun_ms + LEADER_MS, mend_ms = 0;

	if (acting->options->deadline_ms < until_ms)
		until_ms = acting->options->deadline_ms;
	for (;;) {
		struct recovery_look now = RECOVERY_LOOK_INIT;
		_cleanup_free_ char *text = NULL;
		bool led = false;
		int status = look_for_leader(acting, recovery, &now, &led, &text, err);

		if (!led || mend_ms == 0)
			mend_ms = now_ms(acting) + RECOVERY_PATIENCE_MS;
		if (status == 0 && text && now_ms(acting) >= mend_ms && now.recovery.kind == RECOVERY_TIDY) {
			mend_ms = 0;
			status = mend(acting, &now, err);
		}
		recovery_look_release(&now);
		if (status < 0 || !text)
			return status;
		if (now_ms(acting) >= until_ms)
			return err_set(err, ERR_TIMEOUT, "timed out; seen last: %s", text);
		tell_waiting(acting, text);
		if (wait_a_moment(acting, until_ms, err) < 0)
			return -1;
	}
}

/* -------------------------------------------------------------------------------------------------- all */

static int recover(struct acting *acting, const struct recovery_look *seen, bool *ret_begun, struct err *err)
{
	const struct recovery *recovery = &seen->recovery;
	int64_t begun_ms = now_ms(acting);

	if (crash_all(acting, seen, ret_begun, err) < 0 || wait_for_leader(acting, recovery, begun_ms, err) < 0)
		return -1;
	tell_done(acting, begun_ms, "there is a leader");
	return 0;
}

static int tidy(struct acting *acting, const struct recovery_look *seen, bool *ret_begun, struct err *err)
{
	if (remove_files(acting, seen, ret_begun, err) < 0)
		return -1;
	return seen->recovery.peers_json ? recover(acting, seen, ret_begun, err) : 0;
}

/* The yes was to what was shown. */
static int check_agreed(const struct recovery *agreed, const struct recovery *now, struct err *err)
{
	if (recovery_equal(agreed, now))
		return 0;
	err_set(err, ERR_CONFLICT, "the cluster has changed since it was looked at%s%s", now->text ? "; now: " : "",
	        now->text ? now->text : "");
	return err_hint(err, "look at the new plan first: the same command without --yes");
}

int recovery_act(const struct world *world, const struct recovery_act_options *options, const struct recovery *agreed,
                 bool *ret_begun, struct err *err)
{
	struct acting acting = { .world = world, .options = options };
	struct recovery_look now = RECOVERY_LOOK_INIT;
	int status;

	*ret_begun = false;
	status = look(&acting, agreed, &now, err);
	if (status == 0)
		status = check_agreed(agreed, &now.recovery, err);
	if (status == 0 && now.recovery.kind == RECOVERY_TIDY)
		status = tidy(&acting, &now, ret_begun, err);
	else if (status == 0)
		status = recover(&acting, &now, ret_begun, err);
	recovery_look_release(&now);
	free(acting.waiting_for);
	return status;
}
