/* The loop of include/consul/drill.h. */
#include "consul/drill.h"

#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/* Nobody is crashed by a look that is older. */
#define STALE_MS ((int64_t)3 * 1000)

struct drilling {
	const struct world *world;
	const struct drill_options *options;
	int64_t blind_since_ms; /* no look has succeeded since; CLOCK_NEVER: the last one did */
};

static int64_t now(const struct drilling *drilling)
{
	return drilling->world->now_ms(drilling->world->context);
}

static int pause_for(const struct drilling *drilling, int64_t milliseconds, struct err *err)
{
	return drilling->world->sleep(drilling->world->context, milliseconds, err);
}

static void say_wait(const struct drilling *drilling, const char *text)
{
	if (drilling->options->wait)
		drilling->options->wait(drilling->options->context, text);
}

/* One look; *ret_looked is false when it failed in passing, and *ret_snapshot empty then. */
static int look(struct drilling *drilling, struct snapshot *ret_snapshot, bool *ret_looked, struct err *err)
{
	const struct world *world = drilling->world;
	_cleanup_err_ struct err failure = ERR_INIT;
	_cleanup_free_ char *text = NULL;

	*ret_looked = world->observe(world->context, ret_snapshot, &failure) == 0;
	if (*ret_looked) {
		drilling->blind_since_ms = CLOCK_NEVER;
		return 0;
	}
	snapshot_release(ret_snapshot);
	*ret_snapshot = (struct snapshot)SNAPSHOT_INIT;
	if (drilling->blind_since_ms == CLOCK_NEVER)
		drilling->blind_since_ms = now(drilling);
	if (!err_leaves_open(&failure) || now(drilling) - drilling->blind_since_ms >= ACT_PATIENCE_MS)
		return err_move(err, &failure);
	text = xasprintf("cannot look at the cluster: %s", failure.message);
	say_wait(drilling, text);
	return 0;
}

/* ----------------------------------------------------------------------------------------- before the crash */

/* One look at whether it may be crashed. *ret_pod NULL: it is looked again. */
static int look_whether(struct drilling *drilling, int64_t begun_ms, struct snapshot *ret_snapshot,
                        const char **ret_pod, struct err *err)
{
	struct plan plan = PLAN_INIT;
	bool looked;
	int status = look(drilling, ret_snapshot, &looked, err);

	*ret_pod = NULL;
	if (status < 0 || !looked)
		return status;
	drill_check(ret_snapshot, drilling->options->pod, ret_pod, &plan);
	if (plan.kind == PLAN_REFUSE && plan.may_pass && now(drilling) - begun_ms < ACT_PATIENCE_MS &&
	    now(drilling) < drilling->options->deadline_ms)
		say_wait(drilling, plan.text);
	else if (plan.kind == PLAN_REFUSE)
		status = plan_refusal(&plan, err);
	plan_release(&plan);
	return status;
}

static int look_until(struct drilling *drilling, struct snapshot *ret_snapshot, const char **ret_pod, struct err *err)
{
	const struct world *world = drilling->world;
	int64_t begun_ms = now(drilling);

	for (;;) {
		if (world->keep(world->context, err) < 0 ||
		    look_whether(drilling, begun_ms, ret_snapshot, ret_pod, err) < 0)
			return -1;
		if (*ret_pod)
			return 0;
		if (now(drilling) >= drilling->options->deadline_ms)
			return err_set(err, ERR_TIMEOUT, "timed out before anything was crashed");
		snapshot_release(ret_snapshot);
		*ret_snapshot = (struct snapshot)SNAPSHOT_INIT;
		if (pause_for(drilling, ACT_INTERVAL_MS, err) < 0)
			return -1;
	}
}

int drill_look(const struct world *world, const struct drill_options *options, struct snapshot *ret_snapshot,
               const char **ret_pod, struct err *err)
{
	struct drilling drilling = { .world = world, .options = options, .blind_since_ms = CLOCK_NEVER };

	return look_until(&drilling, ret_snapshot, ret_pod, err);
}

/* The probe has begun, and the Lease was kept, which may have taken long: pod is crashed by a look that is fresh. */
static int look_again(struct drilling *drilling, struct snapshot *snapshot, const char **pod, struct err *err)
{
	_cleanup_free_ char *chosen = xstrdup_null(*pod);

	snapshot_release(snapshot);
	*snapshot = (struct snapshot)SNAPSHOT_INIT;
	if (look_until(drilling, snapshot, pod, err) < 0)
		return -1;
	if (str_equal(*pod, chosen))
		return 0;
	err_set(err, ERR_CONFLICT, "nothing was crashed: %s was chosen, and now %s leads", chosen, *pod);
	return err_hint(err, "start it again, or name a server by --pod");
}

/* ------------------------------------------------------------------------------------------------ the crash */

/* An answer that was lost (doubt) leaves it open: that is seen. */
static int crash_it(struct drilling *drilling, const struct snapshot *seen, const char *pod, int64_t *ret_at_ms,
                    struct err *doubt, struct err *err)
{
	const struct world *world = drilling->world;
	_cleanup_free_ char *data_dir = remains_data_dir(snapshot_server_by_name(seen, pod));
	struct crash_order order = { .pod = pod, .data_dir = data_dir };
	int64_t sent_ms = now(drilling);
	int status = world->crash(world->context, seen, &order, 1, doubt);

	*ret_at_ms = sent_ms + (now(drilling) - sent_ms) / 2;
	err_release(&order.err);
	return status == 0 || err_leaves_open(doubt) ? 0 : err_move(err, doubt);
}

/* ------------------------------------------------------------------------------------------------ after it */

static void tell(const struct drilling *drilling, const struct drill *drill, unsigned marks)
{
	if (drilling->options->tell)
		drilling->options->tell(drilling->options->context, drill, marks);
}

static int time_is_up(const struct drill *drill, struct err *doubt, struct err *err)
{
	_cleanup_strv_ struct strv missing = STRV_INIT;
	_cleanup_free_ char *list = NULL;

	if (drill->in_doubt) {
		err_move(err, doubt);
		return err_wrap(err, "%s was to be crashed, and nothing shows of it", drill->victim);
	}
	drill_list_missing(drill, &missing);
	list = strv_join(&missing, "; ", "; ");
	return err_set(err, ERR_TIMEOUT, "timed out after the crash of %s; not seen by then: %s", drill->victim, list);
}

static int watch(struct drilling *drilling, struct drill *drill, int64_t crashed_ms, struct err *doubt, struct err *err)
{
	const struct world *world = drilling->world;

	tell(drilling, drill, 0);
	for (;;) {
		struct snapshot snapshot = SNAPSHOT_INIT;
		bool looked = false;
		int status = world->keep(world->context, err);

		if (status == 0)
			status = look(drilling, &snapshot, &looked, err);
		if (status == 0 && looked)
			tell(drilling, drill, drill_take(drill, &snapshot, now(drilling) - crashed_ms));
		snapshot_release(&snapshot);
		if (status < 0 || drill_is_over(drill))
			return status;
		if (now(drilling) >= drilling->options->deadline_ms ||
		    (drill->in_doubt && now(drilling) - crashed_ms >= DRILL_DOUBT_MS))
			return time_is_up(drill, doubt, err);
		if (pause_for(drilling, DRILL_INTERVAL_MS, err) < 0)
			return -1;
	}
}

int drill_run(const struct world *world, const struct drill_options *options, struct drill *ret_drill, struct err *err)
{
	struct drilling drilling = { .world = world, .options = options, .blind_since_ms = CLOCK_NEVER };
	struct snapshot snapshot = SNAPSHOT_INIT;
	_cleanup_err_ struct err doubt = ERR_INIT;
	const char *pod = NULL;
	int64_t crashed_ms = 0, seen_ms;
	int status = look_until(&drilling, &snapshot, &pod, err);

	seen_ms = now(&drilling);
	if (status == 0 && options->prepare)
		status = options->prepare(options->context, &snapshot, pod, err);
	if (status == 0)
		status = world->keep(world->context, err);
	if (status == 0 && now(&drilling) - seen_ms > STALE_MS)
		status = look_again(&drilling, &snapshot, &pod, err);
	if (status == 0) {
		drill_begin(&snapshot, pod, ret_drill);
		status = crash_it(&drilling, &snapshot, pod, &crashed_ms, &doubt, err);
		if (status < 0 && err->kind != ERR_INTERRUPTED)
			drill_release(ret_drill);
		ret_drill->in_doubt = err_is_set(&doubt);
	}
	snapshot_release(&snapshot);
	if (status == 0)
		status = watch(&drilling, ret_drill, crashed_ms, &doubt, err);
	return status;
}
