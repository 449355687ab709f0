/* See include/consul/remedy.h. */
#include "consul/remedy.h"

#include <inttypes.h>

#include "consul/refusal.h"
#include "util/mem.h"
#include "util/str.h"

void remedy_logs(const struct diagnosis *diagnosis, const struct place *place, bool previous, struct finding *finding)
{
	const struct kube_container *container = place->server->container;
	_cleanup_free_ char *name = container ? shell_word(container->name) : NULL;

	finding_set_command(finding, "kubectl logs %s -n %s%s%s%s", place->word, diagnosis->namespace_word,
	                    name ? " -c " : "", name ? name : "", previous ? " --previous" : "");
}

void remedy_describe_pod(const struct diagnosis *diagnosis, const struct place *place, struct finding *finding)
{
	finding_set_command(finding, "kubectl describe pod %s -n %s", place->word, diagnosis->namespace_word);
}

void remedy_describe_set(const struct diagnosis *diagnosis, struct finding *finding)
{
	finding_set_command(finding, "kubectl describe statefulset %s -n %s", diagnosis->set_word,
	                    diagnosis->namespace_word);
}

void remedy_list_pods(const struct diagnosis *diagnosis, struct finding *finding)
{
	finding_set_command(finding, "kubectl get pods -n %s -o wide", diagnosis->namespace_word);
}

void remedy_find_address(const char *address, struct finding *finding)
{
	_cleanup_free_ char *word = shell_word(address);

	finding_set_command(finding, "kubectl get pods -A -o wide --field-selector=status.podIP=%s", word);
}

void remedy_health(const struct diagnosis *diagnosis, const char *option, struct finding *finding)
{
	finding_set_command(finding, "kubectl consul health %s -n %s%s", option, diagnosis->namespace_word,
	                    diagnosis->name_option);
}

void remedy_explain(struct finding *finding)
{
	finding_set_command(finding, "kubectl consul explain %s", finding->kind->name);
}

/* A server of this StatefulSet that no replica stands for any more: reap finds it without its name. */
static bool is_of_this_set(const struct diagnosis *diagnosis, const char *name)
{
	int64_t ordinal = kube_ordinal(diagnosis->snapshot->set.name, name);

	return ordinal >= 0 && !snapshot_wants_ordinal(diagnosis->snapshot, ordinal);
}

void remedy_reap(const struct diagnosis *diagnosis, const struct strv *names, struct finding *finding)
{
	_cleanup_strv_ struct strv words = STRV_INIT;
	_cleanup_free_ char *list = NULL;
	bool all_ours = true;

	for (size_t i = 0; i < names->count; i++) {
		_cleanup_free_ char *word = shell_word(names->items[i]);

		strv_add(&words, word);
		all_ours &= is_of_this_set(diagnosis, names->items[i]);
	}
	list = strv_join(&words, " ", " ");
	finding_set_command(finding, "kubectl consul reap%s%s -n %s%s", all_ours ? "" : " ", all_ours ? "" : list,
	                    diagnosis->namespace_word, diagnosis->name_option);
}

void remedy_scale(const struct diagnosis *diagnosis, int64_t replicas, struct finding *finding)
{
	finding_set_command(finding, "kubectl consul scale %" PRId64 " -n %s%s", replicas, diagnosis->namespace_word,
	                    diagnosis->name_option);
}

void remedy_scale_set(const struct diagnosis *diagnosis, int64_t replicas, struct finding *finding)
{
	finding_set_command(finding, "kubectl scale statefulset/%s --replicas=%" PRId64 " -n %s", diagnosis->set_word,
	                    replicas, diagnosis->namespace_word);
}

void remedy_recover(const struct diagnosis *diagnosis, struct finding *finding)
{
	finding_set_command(finding, "kubectl consul recover -n %s%s", diagnosis->namespace_word,
	                    diagnosis->name_option);
}

void remedy_join(const struct diagnosis *diagnosis, const struct place *place, const char *address,
                 struct finding *finding)
{
	const struct kube_container *container = place->server->container;
	_cleanup_free_ char *name = container ? shell_word(container->name) : NULL;
	bool has_acls = place->server->view.self.acls_enabled == 1 || diagnosis->snapshot->token.source != TOKEN_NONE;

	if (has_acls || !name)
		finding_set_command(finding, "kubectl delete pod %s -n %s", place->word, diagnosis->namespace_word);
	else
		finding_set_command(finding, "kubectl exec %s -n %s -c %s -- consul join %s", place->word,
		                    diagnosis->namespace_word, name, address);
}

void remedy_deploy(const struct diagnosis *diagnosis, const char *option, struct finding *finding)
{
	finding_set_command(finding, "kubectl consul deploy%s%s -n %s%s", option ? " " : "", option ? option : "",
	                    diagnosis->namespace_word, diagnosis->name_option);
}

/* Whoever may gives the user the right to read the Secret with the token. False: it is not known who the user is. */
static bool grant_secret(const struct diagnosis *diagnosis, struct finding *finding)
{
	_cleanup_free_ char *user = refusal_user(&diagnosis->snapshot->token.err);
	_cleanup_free_ char *user_word = user ? shell_word(user) : NULL;
	const char *set = diagnosis->set_word, *namespace_word = diagnosis->namespace_word;

	if (!user)
		return false;
	finding_set_command(
	    finding,
	    "kubectl create role %s-token -n %s --verb=get --resource=secrets "
	    "--resource-name=%s-acl-bootstrap && kubectl create rolebinding %s-token -n %s --role=%s-token "
	    "--user=%s",
	    set, namespace_word, set, set, namespace_word, set, user_word);
	return true;
}

void remedy_acl(const struct diagnosis *diagnosis, enum ask_way refused, struct finding *finding)
{
	const struct token_state *token = &diagnosis->snapshot->token;

	if (token->err.kind == ERR_FORBIDDEN && grant_secret(diagnosis, finding))
		return;
	if (refusal_lacks_leader(diagnosis))
		remedy_health(diagnosis, "--watch", finding);
	else if (token->err.kind == ERR_NOT_FOUND || token->source == TOKEN_FOUND)
		remedy_deploy(diagnosis, NULL, finding);
	else if (refused == ASK_TUNNEL && token->source == TOKEN_NONE && !err_is_set(&token->err))
		remedy_health(diagnosis, "--via exec", finding);
	else
		finding_set_command(finding, "kubectl consul explain acl-denied");
}
