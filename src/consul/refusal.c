/* See include/consul/refusal.h. */
#include "consul/refusal.h"

#include <string.h>

#include "consul/access.h"
#include "util/mem.h"
#include "util/str.h"

bool refusal_is_acl(const struct err *err)
{
	static const char *const words[] = { "Consul refuses", "Permission denied", "ACL not found",
		                             "no member is listed" };

	if (err->kind != ERR_FORBIDDEN || !err->message)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasestr(err->message, words[i]))
			return true;
	return false;
}

const struct err *refusal_first(const struct view *view)
{
	const struct err *const planes[] = { &view->self_err, &view->members_err, &view->peers_err };

	for (size_t i = 0; i < ARRAY_SIZE(planes); i++)
		if (refusal_is_acl(planes[i]))
			return planes[i];
	return NULL;
}

char *refusal_words(const struct err *err)
{
	const char *end = strstr(err->message, "; by exec: ");
	const char *start;

	if (!end || !str_starts_with(err->message, "by tunnel: Consul refuses"))
		return xstrdup(err->message);
	start = err->message + strlen("by tunnel: ");
	return xstrndup(start, (size_t)(end - start));
}

/* One that was made a moment ago is known to some servers only: then it is known. */
bool refusal_is_unknown_token(const struct diagnosis *diagnosis)
{
	bool any = false;

	FOR_EACH_PLACE (place, diagnosis) {
		const struct err *err = refusal_first(&place->server->view);

		if (err && !access_is_unknown_token(err->message))
			return false;
		any |= err != NULL;
	}
	return any;
}

bool refusal_was_got_round(const struct view *view)
{
	return view->self_known && view->peers_source == PEERS_SELF && refusal_is_acl(&view->peers_err) &&
	       access_is_unknown_token(view->peers_err.message);
}

bool refusal_lacks_leader(const struct diagnosis *diagnosis)
{
	return diagnosis->answered > 0 && !diagnosis->leader_address && !diagnosis->leaders_disagree &&
	       !refusal_hides_leader(diagnosis) && refusal_is_unknown_token(diagnosis);
}

bool refusal_hides_leader(const struct diagnosis *diagnosis)
{
	bool is_refused = false;

	FOR_EACH_PLACE (place, diagnosis) {
		const struct view *view = &place->server->view;

		if (view->self_known || view->peers_known)
			return false;
		is_refused |= place->answered && refusal_first(view);
	}
	return is_refused;
}

/* The rules that what was refused on any server needs. */
static char *list_rules(const struct diagnosis *diagnosis)
{
	_cleanup_strv_ struct strv rules = STRV_INIT;
	bool members = false, self = false, peers = false;

	FOR_EACH_PLACE (place, diagnosis) {
		members |= refusal_is_acl(&place->server->view.members_err);
		self |= refusal_is_acl(&place->server->view.self_err);
		peers |= refusal_is_acl(&place->server->view.peers_err);
	}
	if (members)
		strv_add(&rules, "node_prefix \"\" { policy = \"read\" }");
	if (self)
		strv_add(&rules, "agent_prefix \"\" { policy = \"read\" }");
	if (peers)
		strv_add(&rules, "operator = \"read\"");
	return list_names(&rules);
}

/* Whose token was shown; a subject of a sentence. */
static char *name_token(const struct diagnosis *diagnosis)
{
	switch (diagnosis->snapshot->token.source) {
	case TOKEN_GIVEN:
		return xstrdup("the token that was given");
	case TOKEN_FOUND:
		return xasprintf("the token of secret/%s-acl-bootstrap", diagnosis->snapshot->set.name);
	case TOKEN_NONE:
		break;
	}
	return xstrdup("the container's own token");
}

/* Why there is none although deploy has put one into a Secret. */
static char *missing_token(const struct diagnosis *diagnosis)
{
	const struct err *err = &diagnosis->snapshot->token.err;

	if (!err_is_set(err))
		return xstrdup("");
	if (err->kind == ERR_FORBIDDEN)
		return xasprintf(", and you may not get secret/%s-acl-bootstrap, which has one",
		                 diagnosis->snapshot->set.name);
	return xasprintf(", and there is none in Kubernetes: %s", err->message);
}

/* The Secret's is a management token, which may everything: where it does not help, Consul was asked without (ask.c).
 */
char *refusal_cause(const struct diagnosis *diagnosis)
{
	_cleanup_free_ char *rules = list_rules(diagnosis), *token = name_token(diagnosis), *missing = NULL;

	if (refusal_lacks_leader(diagnosis))
		return xasprintf("no leader: a server that has had none since it started knows no token, %s neither",
		                 token);
	if (diagnosis->snapshot->token.source == TOKEN_FOUND)
		return xasprintf(
		    "Consul does not know %s: ACLs are not set up to the end, or were reset%s; without it %s "
		    "is refused",
		    token, !diagnosis->leader_address ? "; or there has been no leader since it started" : "", rules);
	if (refusal_is_unknown_token(diagnosis))
		return xasprintf("Consul does not know %s: it was deleted, or is another cluster's", token);
	if (diagnosis->snapshot->token.source == TOKEN_GIVEN)
		return xasprintf("%s lacks %s", token, rules);
	missing = missing_token(diagnosis);
	return xasprintf("no token was given%s; --token-file FILE or CONSUL_HTTP_TOKEN gives one, which needs %s",
	                 missing, rules);
}

char *refusal_user(const struct err *err)
{
	const char *name = err->message ? strstr(err->message, "User \"") : NULL;
	size_t length = name ? strcspn(name + 6, "\"") : 0;

	return length > 0 ? xstrndup(name + 6, length) : NULL;
}
