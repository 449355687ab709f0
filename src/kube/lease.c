/*
 * See include/kube/lease.h.
 *
 * Whether a Lease is ours is told by holder and acquireTime together: a holder's text may come twice (the same process
 * id in two containers), and of a write whose answer was lost we know what it would have written.
 */
#include "kube/lease.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* One request. */
#define CALL_MS ((int64_t)5000)
/* Between two looks at somebody else's lease, and after a write that met another one. */
#define LOOK_MS     ((int64_t)1000)
#define CONFLICT_MS ((int64_t)50)
/* How often one renewal or release is decided anew because the object has changed. */
#define ROUNDS_MAX 3
/* How far the clocks of two machines may be apart, to whom a look at the time helps at all. */
#define CLOCKS_APART_S ((int64_t)60)
#define HOLDER_SHOWN   ((size_t)200)

struct kube_lease {
	struct kube_client *client;
	char *namespace_name;
	char *name;
	char *holder;
	int64_t duration_s;
	char *list_path;
	char *path;
	char *acquired; /* the acquireTime we write; NULL: never tried to take it */
	cJSON *object;  /* as the server had it last; NULL: there is none, or nobody has looked */
	bool held;
	int64_t renewed_ms; /* when the last renewal was sent; monotonic */
};

struct kube_lease *kube_lease_new(struct kube_client *client, const struct kube_lease_options *options)
{
	struct kube_lease *lease = xcalloc(1, sizeof(*lease));
	struct buf path = BUF_TEXT;

	lease->client = client;
	lease->namespace_name = xstrdup(options->namespace_name);
	lease->name = xstrdup(options->name);
	lease->holder = str_utf8(options->holder);
	lease->duration_s = options->duration_s > 0 ? options->duration_s : KUBE_LEASE_DURATION_S;
	buf_adds(&path, "/apis/coordination.k8s.io/v1/namespaces/");
	buf_add_url(&path, options->namespace_name);
	buf_adds(&path, "/leases");
	lease->list_path = xstrdup(buf_text(&path));
	buf_addc(&path, '/');
	buf_add_url(&path, options->name);
	lease->path = buf_detach(&path);
	return lease;
}

void kube_lease_free(struct kube_lease *lease)
{
	if (!lease)
		return;
	free(lease->namespace_name);
	free(lease->name);
	free(lease->holder);
	free(lease->list_path);
	free(lease->path);
	free(lease->acquired);
	cJSON_Delete(lease->object);
	free(lease);
}

/* ------------------------------------------------------------------------------------ what it says */

static const char *holder_of(const struct kube_lease *lease)
{
	const char *holder = json_string_at(lease->object, "spec.holderIdentity");

	return holder ? holder : "";
}

static const char *acquired_at(const struct kube_lease *lease)
{
	const char *acquired = json_string_at(lease->object, "spec.acquireTime");

	return acquired ? acquired : "";
}

static bool is_ours(const struct kube_lease *lease)
{
	return str_equal(holder_of(lease), lease->holder) && str_equal(acquired_at(lease), lease->acquired);
}

static bool is_others(const struct kube_lease *lease)
{
	return *holder_of(lease) && !is_ours(lease);
}

/* "alice@workstation (pid 1234, scale 5), since 2024-05-01T10:00:00Z", fit for a terminal. */
static char *name_holder(const struct kube_lease *lease)
{
	_cleanup_free_ char *holder = str_visible(holder_of(lease), HOLDER_SHOWN);
	_cleanup_free_ char *since = NULL;
	int64_t since_s;

	if (clock_parse_rfc3339(acquired_at(lease), &since_s) < 0)
		return TAKE(holder);
	since = clock_format_rfc3339(since_s);
	return xasprintf("%s, since %s", holder, since);
}

static int64_t duration_ms_of(const struct kube_lease *lease)
{
	int64_t seconds = json_int_at(lease->object, "spec.leaseDurationSeconds", 0);

	/* Who writes none cannot count on any: he gets what we give ourselves. */
	return (seconds > 0 && seconds <= INT32_MAX ? seconds : KUBE_LEASE_DURATION_S) * 1000;
}

/* ---------------------------------------------------------------------------------------- requests */

static void replace_object(struct kube_lease *lease, cJSON *object)
{
	cJSON_Delete(lease->object);
	lease->object = object;
}

/* One request, whose answer becomes lease->object. */
static int exchange(struct kube_lease *lease, enum kube_method method, const cJSON *body, int64_t deadline_ms,
                    struct err *err)
{
	_cleanup_free_ char *text = body ? json_text(body) : NULL;
	struct kube_call call = { .method = method, .body = text };
	int64_t until_ms = clock_monotonic_ms() + CALL_MS;
	int status;

	call.path = method == KUBE_POST ? lease->list_path : lease->path;
	status = kube_client_perform(lease->client, &call, 1, until_ms < deadline_ms ? until_ms : deadline_ms, err);
	if (status == 0 && err_is_set(&call.err))
		status = err_move(err, &call.err);
	/* Without a version nothing would tell us that somebody else was faster. */
	else if (status == 0 && str_is_empty(json_string_at(call.json, "metadata.resourceVersion")))
		status = err_set(err, ERR_PROTOCOL, "%s %s: the answer is no Lease with a resourceVersion",
		                 kube_method_name(method), call.path);
	if (status == 0)
		replace_object(lease, TAKE(call.json));
	kube_call_release(&call);
	return status;
}

/* What is there now; that there is none is an answer, too. */
static int look(struct kube_lease *lease, int64_t deadline_ms, struct err *err)
{
	struct err problem = ERR_INIT;

	if (exchange(lease, KUBE_GET, NULL, deadline_ms, &problem) == 0)
		return 0;
	if (problem.kind != ERR_NOT_FOUND)
		return err_move(err, &problem);
	err_release(&problem);
	replace_object(lease, NULL);
	return 0;
}

/* A MicroTime of now. */
static char *micro_time(void)
{
	struct timespec now;
	_cleanup_free_ char *seconds = NULL;

	clock_gettime(CLOCK_REALTIME, &now);
	seconds = clock_format_rfc3339(now.tv_sec);
	seconds[strcspn(seconds, "Z")] = '\0';
	return xasprintf("%s.%06ldZ", seconds, now.tv_nsec / 1000);
}

/* The object as we want it: what others put into it stays. */
static cJSON *claimed(const struct kube_lease *lease)
{
	cJSON *body = cJSON_Duplicate(lease->object, true), *spec;
	int64_t transitions = json_int_at(body, "spec.leaseTransitions", 0);
	_cleanup_free_ char *now = micro_time();

	if (!body)
		body = json_object("apiVersion", json_string("coordination.k8s.io/v1"), "kind", json_string("Lease"),
		                   "metadata",
		                   json_object("name", json_string(lease->name), "namespace",
		                               json_string(lease->namespace_name), NULL),
		                   NULL);
	else if (!is_ours(lease))
		transitions++;
	if (!cJSON_IsObject(json_get(body, "spec")))
		json_set(body, "spec", cJSON_CreateObject());
	spec = cJSON_GetObjectItemCaseSensitive(body, "spec");
	json_set(spec, "holderIdentity", json_string(lease->holder));
	json_set(spec, "leaseDurationSeconds", json_int(lease->duration_s));
	json_set(spec, "acquireTime", json_string(lease->acquired));
	json_set(spec, "renewTime", json_string(now));
	json_set(spec, "leaseTransitions", json_int(transitions));
	return body;
}

/* Takes it or renews it, if it is still as lease->object has it: else ERR_CONFLICT. */
static int claim(struct kube_lease *lease, int64_t deadline_ms, struct err *err)
{
	_cleanup_json_ cJSON *body = claimed(lease);
	int64_t begun_ms = clock_monotonic_ms();

	if (exchange(lease, lease->object ? KUBE_PUT : KUBE_POST, body, deadline_ms, err) < 0)
		return -1;
	lease->held = true;
	lease->renewed_ms = begun_ms;
	return 0;
}

/* A write that met another one, which may have been an earlier one of ours, or anybody's label. */
static bool has_changed(const struct err *problem)
{
	return problem->kind == ERR_CONFLICT || problem->kind == ERR_NOT_FOUND;
}

/* By the clocks of two machines: good enough to be told, not to take the lease for it. */
static bool is_long_over(const struct kube_lease *lease)
{
	const char *renewed = json_string_at(lease->object, "spec.renewTime");
	int64_t renewed_s;

	return renewed && clock_parse_rfc3339(renewed, &renewed_s) == 0 &&
	       time(NULL) - renewed_s > duration_ms_of(lease) / 1000 + CLOCKS_APART_S;
}

int kube_lease_peek(struct kube_lease *lease, int64_t deadline_ms, char **ret_holder, struct err *err)
{
	assert(!lease->acquired);
	if (look(lease, deadline_ms, err) < 0)
		return -1;
	*ret_holder = is_others(lease) && !is_long_over(lease) ? name_holder(lease) : NULL;
	return 0;
}

/* ------------------------------------------------------------------------------------------ taking */

/* Somebody else's lease, watched. */
struct watch {
	char *seen; /* what told it from any other renewal; "": nobody's; NULL: nobody has looked */
	int64_t since_ms;
	int64_t quiet_ms;
	int64_t left_ms;
};

static char *renewal(const struct kube_lease *lease)
{
	const char *renewed = json_string_at(lease->object, "spec.renewTime");

	return xasprintf("%s\n%s\n%s", holder_of(lease), acquired_at(lease), renewed ? renewed : "");
}

static int refuse(const struct kube_lease *lease, struct err *err)
{
	_cleanup_free_ char *holder = name_holder(lease);

	err_set(err, ERR_REFUSED, "somebody else is changing this: lease \"%s\" is held by %s", lease->name, holder);
	return err_hint(err, "wait until that is done; kubectl get lease %s -n %s -o yaml shows it", lease->name,
	                lease->namespace_name);
}

/* It was at asked_ms, or later, that lease->object was so. */
static int watch_holder(const struct kube_lease *lease, struct watch *watch, int64_t asked_ms, struct err *err)
{
	_cleanup_free_ char *now = renewal(lease);

	if (watch->seen && !str_equal(watch->seen, now))
		return refuse(lease, err);
	if (!watch->seen) {
		watch->seen = TAKE(now);
		watch->since_ms = clock_monotonic_ms();
	}
	watch->quiet_ms = asked_ms > watch->since_ms ? asked_ms - watch->since_ms : 0;
	watch->left_ms = duration_ms_of(lease) - watch->quiet_ms;
	return 0;
}

/* One look, and the attempt if it is free or has expired. True in *ret_taken: ours; false: somebody's. */
static int try_to_take(struct kube_lease *lease, struct watch *watch, int64_t deadline_ms, bool *ret_taken,
                       struct err *err)
{
	int64_t asked_ms = clock_monotonic_ms();

	bool is_new;

	*ret_taken = false;
	if (look(lease, deadline_ms, err) < 0)
		return -1;
	is_new = !lease->object;
	if (is_others(lease)) {
		if (watch_holder(lease, watch, asked_ms, err) < 0)
			return -1;
		if (watch->left_ms > 0)
			return 0;
	} else if (!watch->seen) {
		watch->seen = xstrdup("");
	}
	if (claim(lease, deadline_ms, err) < 0)
		return -1;
	/* Who may create it may still not renew it, and had better hear so before anything is changed. */
	if (is_new && claim(lease, deadline_ms, err) < 0)
		return -1;
	*ret_taken = true;
	return 0;
}

static bool may_pass(const struct kube_lease *lease, const struct err *problem, const struct watch *watch)
{
	/* Not found although it was just looked at: deleted in between. */
	return problem->kind == ERR_CONFLICT || (problem->kind == ERR_NOT_FOUND && lease->object) ||
	       (watch->seen && err_leaves_open(problem));
}

/* Gives problem away. */
static int explain_failure(const struct kube_lease *lease, const char *what, struct err *problem, struct err *err)
{
	if (problem->kind == ERR_REFUSED || problem->kind == ERR_INTERRUPTED)
		return err_move(err, problem);
	err_wrap(problem, "cannot %s lease \"%s\"", what, lease->name);
	/* All of them at once, not one after the other. */
	if (problem->kind == ERR_FORBIDDEN)
		replace_string(&problem->hint,
		               xasprintf("a Role must allow \"get\", \"create\" and \"update\" on \"leases\" of API "
		                         "group \"coordination.k8s.io\"; check: kubectl auth can-i update "
		                         "leases.coordination.k8s.io -n %s",
		                         lease->namespace_name));
	return err_move(err, problem);
}

static int time_is_up(const struct kube_lease *lease, const struct err *problem, struct err *err)
{
	_cleanup_free_ char *holder = name_holder(lease);

	if (err_is_set(problem))
		return err_set(err, ERR_TIMEOUT, "cannot take lease \"%s\": no time is left: %s", lease->name,
		               problem->message);
	return err_set(err, ERR_TIMEOUT, "cannot take lease \"%s\": no time is left, and it may still be held by %s",
	               lease->name, holder);
}

/* What is between two attempts. problem is empty while somebody else's lease is waited for. */
static int wait_for_turn(struct kube_lease *lease, const struct watch *watch, const struct err *problem,
                         int64_t deadline_ms, struct err *err)
{
	int64_t pause_ms = has_changed(problem) ? CONFLICT_MS : LOOK_MS;

	if (!err_is_set(problem) && watch->left_ms < pause_ms)
		pause_ms = watch->left_ms;
	/* Of a look that has no time left nothing would be learnt. */
	if (deadline_ms - clock_monotonic_ms() <= pause_ms)
		return time_is_up(lease, problem, err);
	return loop_sleep(kube_client_loop(lease->client), pause_ms, err);
}

static int take(struct kube_lease *lease, struct watch *watch, int64_t deadline_ms, kube_lease_waiting *waiting,
                void *context, struct err *err)
{
	for (;;) {
		_cleanup_err_ struct err problem = ERR_INIT;
		bool taken;

		if (try_to_take(lease, watch, deadline_ms, &taken, &problem) < 0) {
			if (!may_pass(lease, &problem, watch))
				return explain_failure(lease, "take", &problem, err);
		} else if (taken) {
			return 0;
		} else if (waiting) {
			_cleanup_free_ char *holder = str_visible(holder_of(lease), HOLDER_SHOWN);

			waiting(context, holder, watch->quiet_ms, watch->left_ms);
		}
		if (wait_for_turn(lease, watch, &problem, deadline_ms, err) < 0)
			return -1;
	}
}

int kube_lease_take(struct kube_lease *lease, int64_t deadline_ms, kube_lease_waiting *waiting, void *context,
                    struct err *err)
{
	struct watch watch = { 0 };
	int status;

	assert(!lease->held);
	/* The same for all attempts: one whose answer was lost may still have come true later. */
	replace_string(&lease->acquired, micro_time());
	status = take(lease, &watch, deadline_ms, waiting, context, err);
	lease->held = status == 0;
	free(watch.seen);
	return status;
}

/* ------------------------------------------------------------------------------- keeping, giving back */

static int tell_lost(const struct kube_lease *lease, struct err *err)
{
	_cleanup_free_ char *holder = name_holder(lease);

	err_set(err, ERR_CONFLICT, "lease \"%s\" was taken over by %s", lease->name, holder);
	return err_hint(err, "kubectl get lease %s -n %s -o yaml shows it", lease->name, lease->namespace_name);
}

/* One that nobody holds any more, or that was deleted, is taken again. */
static int renew(struct kube_lease *lease, int64_t deadline_ms, struct err *err)
{
	for (int round = 1;; round++) {
		struct err problem = ERR_INIT;

		if (claim(lease, deadline_ms, &problem) == 0)
			return 0;
		if (!has_changed(&problem) || round == ROUNDS_MAX)
			return err_move(err, &problem);
		err_release(&problem);
		if (look(lease, deadline_ms, err) < 0)
			return -1;
		lease->held = !is_others(lease);
		if (!lease->held)
			return tell_lost(lease, err);
	}
}

int kube_lease_keep(struct kube_lease *lease, int64_t deadline_ms, struct err *err)
{
	int64_t duration_ms = lease->duration_s * 1000, passed_ms;
	_cleanup_err_ struct err problem = ERR_INIT;

	assert(lease->acquired);
	if (!lease->held)
		return tell_lost(lease, err);
	if (clock_monotonic_ms() - lease->renewed_ms < duration_ms / 3 || renew(lease, deadline_ms, &problem) == 0)
		return 0;
	if (!lease->held || problem.kind == ERR_INTERRUPTED)
		return err_move(err, &problem);
	/* Waiting gives nobody a right. */
	if (problem.kind == ERR_FORBIDDEN)
		return explain_failure(lease, "renew", &problem, err);
	passed_ms = clock_monotonic_ms() - lease->renewed_ms;
	if (passed_ms < duration_ms - duration_ms / 2)
		return 0;
	return err_set(err, ERR_UNAVAILABLE,
	               "lease \"%s\" could not be renewed for %lld s, and somebody else may have it now: %s",
	               lease->name, (long long)passed_ms / 1000, problem.message);
}

static cJSON *without_holder(const struct kube_lease *lease)
{
	cJSON *body = cJSON_Duplicate(lease->object, true);

	json_set(cJSON_GetObjectItemCaseSensitive(body, "spec"), "holderIdentity", NULL);
	return body;
}

/* 0 when there is nothing left to give back. */
static int give_back(struct kube_lease *lease, int64_t deadline_ms, struct err *err)
{
	_cleanup_json_ cJSON *body = NULL;

	if (!lease->held && look(lease, deadline_ms, err) < 0)
		return -1;
	lease->held = false;
	if (!is_ours(lease))
		return 0;
	body = without_holder(lease);
	return exchange(lease, KUBE_PUT, body, deadline_ms, err);
}

void kube_lease_release(struct kube_lease *lease, int64_t deadline_ms)
{
	for (int round = 0; lease->acquired && round < ROUNDS_MAX; round++) {
		_cleanup_err_ struct err problem = ERR_INIT;

		if (give_back(lease, deadline_ms, &problem) == 0 || !has_changed(&problem))
			break;
	}
	lease->held = false;
	replace_string(&lease->acquired, NULL);
}
