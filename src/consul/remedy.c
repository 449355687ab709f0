/* See include/consul/remedy.h. */
#include "consul/remedy.h"

#include <inttypes.h>

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

/* The pod in which to type commands of Consul's: the leader's, else any that answers; NULL: there is none. */
static const struct place *place_to_type(const struct diagnosis *diagnosis)
{
	const struct place *any = NULL;

	FOR_EACH_PLACE (place, diagnosis) {
		if (place->server == diagnosis->assessment->leader && place->running)
			return place;
		if (!any && place->answered && place->running)
			any = place;
	}
	return any;
}

/* "kubectl exec POD -n NS -c CONTAINER -- consul"; NULL when there is no pod for it. */
static char *consul_in_pod(const struct diagnosis *diagnosis)
{
	const struct place *place = place_to_type(diagnosis);
	_cleanup_free_ char *name = NULL;

	if (!place)
		return NULL;
	name = place->server->container ? shell_word(place->server->container->name) : NULL;
	return xasprintf("kubectl exec %s -n %s%s%s -- consul", place->word, diagnosis->namespace_word,
	                 name ? " -c " : "", name ? name : "");
}

void remedy_force_leave(const struct diagnosis *diagnosis, const struct strv *nodes, struct finding *finding)
{
	_cleanup_free_ char *consul = consul_in_pod(diagnosis);
	_cleanup_strv_ struct strv words = STRV_INIT;
	_cleanup_free_ char *list = NULL;

	if (!consul || nodes->count == 0)
		return;
	for (size_t i = 0; i < nodes->count; i++) {
		_cleanup_free_ char *word = shell_word(nodes->items[i]);

		strv_add(&words, word);
	}
	list = strv_join(&words, " ", " ");
	if (nodes->count == 1)
		finding_set_command(finding, "%s force-leave %s", consul, list);
	else
		finding_set_command(finding, "for node in %s; do %s force-leave \"$node\"; done", list, consul);
}

void remedy_remove_peer(const struct diagnosis *diagnosis, const struct peer *peer, struct finding *finding)
{
	_cleanup_free_ char *consul = consul_in_pod(diagnosis);
	/* With raft protocol 2 the address is the id, and there is no removing by id. */
	bool has_id = !str_is_empty(peer->id) && !str_equal(peer->id, peer->address);
	_cleanup_free_ char *word = shell_word(has_id ? peer->id : peer->address);

	if (consul)
		finding_set_command(finding, "%s operator raft remove-peer -%s=%s", consul, has_id ? "id" : "address",
		                    word);
}

void remedy_scale(const struct diagnosis *diagnosis, int64_t replicas, struct finding *finding)
{
	finding_set_command(finding, "kubectl scale statefulset %s -n %s --replicas=%" PRId64, diagnosis->set_word,
	                    diagnosis->namespace_word, replicas);
}

void remedy_acl(const struct diagnosis *diagnosis, enum ask_way refused, struct finding *finding)
{
	if (refused == ASK_TUNNEL)
		remedy_health(diagnosis, "--via exec", finding);
	else
		finding_set_command(finding, "kubectl consul explain acl-denied");
}
