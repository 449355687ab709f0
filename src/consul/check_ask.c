/* Findings 2xx: how asking the servers went, each failure with its own fix. See include/consul/diagnosis.h. */
#include "consul/refusal.h"
#include "consul/remedy.h"

#include "util/mem.h"

/* What an err of a plane comes down to. Kubernetes, Consul, Go, curl and OpenSSL each have their own words for it. */
enum failure { FAILURE_NONE, FAILURE_ACL, FAILURE_EXEC_DENIED, FAILURE_FORWARD_DENIED, FAILURE_TLS, FAILURE_SILENT };

static bool has_any(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcasestr(text, *words))
			return true;
	return false;
}

static enum failure failure_of(const struct err *err)
{
	static const char *const tls_words[] = { "HTTP request to an HTTPS server",
		                                 "HTTP response to HTTPS client",
		                                 "wrong version number",
		                                 "SSL",
		                                 "x509",
		                                 "certificate",
		                                 "tls: ",
		                                 NULL };
	const char *message = err->message ? err->message : "";

	if (!err_is_set(err))
		return FAILURE_NONE;
	if (err->kind == ERR_FORBIDDEN && strstr(message, "pods/portforward"))
		return FAILURE_FORWARD_DENIED;
	if (refusal_is_acl(err)) /* by tunnel; that exec was tried then, and may not be, is no news */
		return FAILURE_ACL;
	if (err->kind == ERR_FORBIDDEN)
		return FAILURE_EXEC_DENIED;
	return has_any(message, tls_words) ? FAILURE_TLS : FAILURE_SILENT;
}

/* Runs and is wanted, but gave no answer at all: the failure, or FAILURE_NONE. */
static enum failure total_failure(const struct place *place)
{
	const struct err *err = view_first_err(&place->server->view);

	if (place->explained || !place->running || place->answered)
		return FAILURE_NONE;
	return err ? failure_of(err) : FAILURE_SILENT;
}

/*
 * One finding for all servers that failed in this way, since they have the same cause; with_error quotes the first
 * one's. *ret_err is that, or NULL with the result NULL when there is none.
 */
static struct finding *add_together(struct diagnosis *diagnosis, enum failure failure, const char *kind,
                                    const char *what, bool with_error, const struct err **ret_err)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL, *words = NULL;
	const struct err *err = NULL;
	struct finding *finding;
	struct place *one = NULL;

	FOR_EACH_PLACE (place, diagnosis) {
		if (total_failure(place) != failure)
			continue;
		one = one ? one : place;
		err = err ? err : view_first_err(&place->server->view);
		strv_add(&names, place_name(place));
	}
	*ret_err = one ? err : NULL;
	if (!one || !err)
		return NULL;
	list = list_names(&names);
	words = refusal_words(err);
	finding = diagnosis_add(diagnosis, kind, names.count == 1 ? one : NULL, "%s %s%s%s", what, list,
	                        with_error ? ": " : "", with_error ? words : "");
	FOR_EACH_PLACE (place, diagnosis) {
		if (total_failure(place) != failure)
			continue;
		diagnosis_mark(place, finding);
		place->explained = true;
	}
	return finding;
}

/* Whom Kubernetes refuses: user "jane", as its own words name them. New string. */
static char *refused_user(const struct err *err)
{
	_cleanup_free_ char *name = refusal_user(err);

	return name ? xasprintf("user \"%s\"", name) : xstrdup("your Kubernetes user");
}

static void check_exec_denied(struct diagnosis *diagnosis)
{
	_cleanup_free_ char *user = NULL;
	const struct err *err;
	struct finding *finding =
	    add_together(diagnosis, FAILURE_EXEC_DENIED, "exec-denied", "you may not exec into", false, &err);

	if (!finding)
		return;
	user = refused_user(err);
	finding_set_cause(finding, "%s lacks pods/exec in namespace %s", user, diagnosis->namespace_word);
	remedy_explain(finding);
}

/* By tunnel alone, or by both ways; or exec was let in, and failed for another reason. */
static void check_portforward_denied(struct diagnosis *diagnosis)
{
	_cleanup_free_ char *user = NULL;
	const struct err *err;
	struct finding *finding = add_together(diagnosis, FAILURE_FORWARD_DENIED, "portforward-denied",
	                                       "you may not forward ports to", false, &err);
	const char *by_exec;

	if (!finding)
		return;
	user = refused_user(err);
	by_exec = strstr(err->message, "; by exec: ");
	if (strstr(err->message, "pods/exec"))
		finding_set_cause(finding, "%s has neither pods/portforward nor pods/exec in namespace %s", user,
		                  diagnosis->namespace_word);
	else
		finding_set_cause(finding, "%s has no pods/portforward in namespace %s%s", user,
		                  diagnosis->namespace_word, by_exec ? by_exec : "");
	remedy_explain(finding);
}

/* How the first server was asked whose ACLs refused something. */
static enum ask_way refused_way(const struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE (place, diagnosis) {
		if (refusal_first(&place->server->view))
			return place->server->view.way;
	}
	return ASK_NONE;
}

static void check_acl_denied(struct diagnosis *diagnosis)
{
	enum ask_way way = refused_way(diagnosis);
	_cleanup_free_ char *cause = NULL;
	const struct err *err;
	struct finding *finding =
	    add_together(diagnosis, FAILURE_ACL, "acl-denied", "Consul's ACLs refuse to answer on", true, &err);

	if (!finding)
		return;
	cause = refusal_cause(diagnosis);
	finding_set_cause(finding, "%s", cause);
	remedy_acl(diagnosis, way, finding);
}

static void check_tls_mismatch(struct diagnosis *diagnosis)
{
	const struct err *err;
	struct finding *finding =
	    add_together(diagnosis, FAILURE_TLS, "tls-mismatch", "no common language (TLS) with", true, &err);

	if (!finding)
		return;
	finding_set_cause(finding, "the agent's port speaks HTTPS where HTTP was tried, or the other way round, or its "
	                           "certificate is not trusted");
	remedy_health(diagnosis, "--via exec", finding);
}

/* The process ended a moment ago: Kubernetes finds no container, and its pod does not tell yet. */
static bool has_just_ended(const struct err *err)
{
	return err && strcasestr(err->message, "container not found");
}

/* What a person wants to read of why it is silent: by two ways it may be told twice, in the words of two programs. */
static char *silence_of(const struct err *err)
{
	const char *port = err ? strstr(err->message, "port ") : NULL;
	size_t digits = port ? strspn(port + 5, "0123456789") : 0;

	if (!err)
		return xstrdup("does not answer: no answer");
	if (has_just_ended(err))
		return xstrdup("does not answer: its container has just ended");
	if (!strcasestr(err->message, "connection refused"))
		return xasprintf("does not answer: %s", err->message);
	return digits > 0 ? xasprintf("does not answer: nothing listens on port %.*s (connection refused)", (int)digits,
	                              port + 5)
	                  : xstrdup("does not answer: nothing listens on its port (connection refused)");
}

static const char *silent_cause(const struct err *err)
{
	if (!err)
		return "it was not asked";
	if (err->kind == ERR_TIMEOUT)
		return "the process hangs, its disk is stuck, or its node is lost";
	if (has_just_ended(err))
		return "its process died this moment; Kubernetes starts it again";
	if (strcasestr(err->message, "refused"))
		return "the agent is still starting, or listens on another port or address than expected";
	if (strcasestr(err->message, "executable file not found") || strcasestr(err->message, "no consul command"))
		return "the image has neither the consul command nor a shell where it is looked for";
	if (strcasestr(err->message, "containers"))
		return "it cannot be told which container is Consul's";
	return "see the error";
}

static void check_agent_silent(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE (place, diagnosis) {
		const struct view *view = &place->server->view;
		const struct err *err = view_first_err(view);
		_cleanup_free_ char *silence = silence_of(err);
		struct finding *finding;

		if (total_failure(place) != FAILURE_SILENT)
			continue;
		finding = diagnosis_add(diagnosis, "agent-silent", place, "%s %s%s", place_name(place),
		                        has_just_ended(err) ? "" : "runs but ", silence);
		finding_set_cause(finding, "%s", silent_cause(err));
		if (has_just_ended(err))
			remedy_health(diagnosis, "--watch", finding);
		else if (err && err->kind == ERR_TIMEOUT && view->way == ASK_TUNNEL)
			remedy_health(diagnosis, "--via exec", finding);
		else
			remedy_logs(diagnosis, place, false, finding);
		place->explained = true;
	}
}

/* ---------------------------------------------------------------------------- answered in part only */

/* The err of a plane that is not known; NULL when it is known, or when there is no err. */
static const struct err *missing_plane(const struct view *view, size_t plane, const char **ret_name)
{
	const struct {
		const char *name;
		bool known;
		const struct err *err;
	} planes[] = {
		{ "itself", view->self_known, &view->self_err },
		{ "its members", view->members_known, &view->members_err },
		{ "its raft peers", view->peers_known, &view->peers_err },
	};

	*ret_name = planes[plane].name;
	return !planes[plane].known && err_is_set(planes[plane].err) ? planes[plane].err : NULL;
}

enum { PLANES = 3, RAFT_PLANE = 2 };

/* Who does not know the token for the lack of a leader, or of time since there is one, and has told all, is fine. */
static bool is_limited(const struct diagnosis *diagnosis, const struct view *view)
{
	const struct server *leader = diagnosis->assessment->leader;

	if (refusal_was_got_round(view))
		return leader && refusal_was_got_round(&leader->view);
	return refusal_first(view) != NULL;
}

static void check_acl_limited(struct diagnosis *diagnosis)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL, *cause = NULL;
	const struct view *first = NULL;
	struct finding *finding;

	FOR_EACH_PLACE (place, diagnosis) {
		if (!place->answered || !is_limited(diagnosis, &place->server->view))
			continue;
		first = first ? first : &place->server->view;
		strv_add(&names, place_name(place));
	}
	if (!first)
		return;
	list = list_names(&names);
	finding =
	    diagnosis_add(diagnosis, "acl-limited", NULL, "Consul's ACLs refuse a part of the questions on %s: %s",
	                  list, refusal_first(first)->message);
	FOR_EACH_PLACE (place, diagnosis)
		if (place->answered && is_limited(diagnosis, &place->server->view))
			diagnosis_mark(place, finding);
	cause = refusal_cause(diagnosis);
	finding_set_cause(finding, "%s", cause);
	remedy_acl(diagnosis, refused_way(diagnosis), finding);
}

/* Missing raft peers are told here only when others have them; nobody having them is raft-unknown, and without a leader
 * they cannot be had. */
static void check_incomplete(struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE (place, diagnosis) {
		const struct view *view = &place->server->view;

		if (!place->answered || place->explained)
			continue;
		for (size_t plane = 0; plane < PLANES; plane++) {
			const char *name;
			const struct err *err = missing_plane(view, plane, &name);
			struct finding *finding;

			if (!err || failure_of(err) == FAILURE_ACL ||
			    (plane == RAFT_PLANE && (!diagnosis->peers_of || !diagnosis->leader_address)))
				continue;
			finding = diagnosis_add(diagnosis, "answer-incomplete", place, "%s did not tell %s: %s",
			                        place_name(place), name, err->message);
			remedy_health(diagnosis, view->way == ASK_EXEC ? "--via tunnel" : "--via exec", finding);
		}
	}
}

static void check_raft_from_self(struct diagnosis *diagnosis)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	const struct err *err = NULL;
	struct finding *finding;

	FOR_EACH_PLACE (place, diagnosis) {
		const struct view *view = &place->server->view;

		if (!view->peers_known || view->peers_source != PEERS_SELF ||
		    failure_of(&view->peers_err) == FAILURE_ACL)
			continue;
		if (!err && err_is_set(&view->peers_err))
			err = &view->peers_err;
		strv_add(&names, place_name(place));
	}
	if (names.count == 0 || !diagnosis->leader_address)
		return;
	list = list_names(&names);
	finding =
	    diagnosis_add(diagnosis, "raft-from-self", NULL, "the raft peers of %s come from the servers' own logs%s%s",
	                  list, err ? ": " : "", err ? err->message : "");
	finding_set_cause(finding,
	                  "they have not heard a leader since they started, or this Consul has no such command");
}

/* What was not looked at and why, when that is news: most often it just may not be listed. */
static void add_unchecked(struct strv *list, const char *what, bool known, const struct err *err)
{
	if (known || !err_is_set(err))
		return;
	if (err->kind == ERR_FORBIDDEN)
		strv_addf(list, "%s (you may not list them)", what);
	else
		strv_addf(list, "%s (%s)", what, err->message);
}

/* Before the pods' budgets and claims are judged: what Kubernetes did not let us see. */
static void check_not_checked(struct diagnosis *diagnosis)
{
	const struct snapshot *snapshot = diagnosis->snapshot;
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL;

	add_unchecked(&names, "PodDisruptionBudgets", snapshot->budget.known, &snapshot->budget.err);
	add_unchecked(&names, "PersistentVolumeClaims", snapshot->claims_known, &snapshot->claims_err);
	if (names.count == 0)
		return;
	list = list_names(&names);
	remedy_explain(diagnosis_add(diagnosis, "not-checked", NULL, "not checked: %s", list));
}

diagnosis_check *const ask_checks[] = {
	check_exec_denied, check_portforward_denied, check_acl_denied,     check_tls_mismatch, check_agent_silent,
	check_acl_limited, check_incomplete,         check_raft_from_self, check_not_checked,  NULL,
};
