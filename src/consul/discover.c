/* See include/consul/discover.h. */
#include "consul/discover.h"

#include <string.h>

#include "util/mem.h"
#include "util/str.h"

static bool container_runs_server(const struct kube_container *container)
{
	if (!container->image || !strstr(container->image, "consul"))
		return false;
	for (size_t i = 0; i < container->command.count + container->args.count; i++) {
		const char *word = i < container->command.count ? container->command.items[i]
		                                                : container->args.items[i - container->command.count];

		if (strstr(word, "-server"))
			return true;
	}
	return false;
}

bool discover_runs_servers(const struct kube_statefulset *set)
{
	if (str_equal(set->label_name, "consul") && str_equal(set->managed_by, "kubectl-consul"))
		return true;
	if (str_equal(set->label_app, "consul") && (!set->label_component || str_equal(set->label_component, "server")))
		return true;
	for (size_t i = 0; i < set->container_count; i++)
		if (container_runs_server(&set->containers[i]))
			return true;
	return false;
}

const struct kube_container *discover_container(const struct kube_pod *pod)
{
	const struct kube_container *found = kube_container_find(pod->containers, pod->container_count, "consul");

	if (found || pod->container_count == 1)
		return found ? found : &pod->containers[0];
	for (size_t i = 0; i < pod->container_count; i++) {
		if (!container_runs_server(&pod->containers[i]))
			continue;
		if (found)
			return NULL;
		found = &pod->containers[i];
	}
	return found;
}

static int list_candidates(const cJSON *list, struct strv *ret_names, struct strv *ret_all, struct err *err)
{
	const cJSON *items, *item;

	if (kube_list_items(list, &items, err) < 0)
		return -1;
	cJSON_ArrayForEach (item, items) {
		struct kube_statefulset set = KUBE_STATEFULSET_INIT;
		int status = kube_statefulset_decode(item, &set, err);

		if (status == 0)
			strv_add(ret_all, set.name);
		if (status == 0 && discover_runs_servers(&set))
			strv_add(ret_names, set.name);
		kube_statefulset_release(&set);
		if (status < 0)
			return -1;
	}
	return 0;
}

static int none_found(const struct strv *all, const char *namespace_name, const char *wanted, bool is_explicit,
                      struct err *err)
{
	_cleanup_free_ char *names = strv_join(all, ", ", " and ");

	err_set(err, ERR_NOT_FOUND, "no Consul servers in namespace \"%s\": there is no StatefulSet \"%s\"",
	        namespace_name, wanted);
	if (is_explicit && all->count > 0)
		return err_hint(err, "--name takes one of the StatefulSets there: %s", names);
	if (all->count > 0)
		return err_hint(
		    err, "no other StatefulSet there looks like Consul servers (%s); if one is, name it with --name",
		    names);
	return err_hint(err,
	                "in another namespace? kubectl get statefulsets -A shows all; -n NAMESPACE chooses one\n"
	                "to make a cluster here: kubectl consul deploy -n %s",
	                namespace_name);
}

int discover_other(const cJSON *list, const char *namespace_name, const char *wanted, bool is_explicit, char **ret_name,
                   struct err *err)
{
	_cleanup_strv_ struct strv names = STRV_INIT, all = STRV_INIT;
	_cleanup_free_ char *text = NULL;

	if (list_candidates(list, &names, &all, err) < 0)
		return err_wrap(err, "looking for Consul servers");
	if (names.count == 0 || is_explicit)
		return none_found(&all, namespace_name, wanted, is_explicit, err);
	if (names.count == 1) {
		*ret_name = xstrdup(names.items[0]);
		return 0;
	}
	text = strv_join(&names, ", ", " and ");
	err_set(err, ERR_NOT_FOUND, "several StatefulSets in namespace \"%s\" run Consul servers: %s", namespace_name,
	        text);
	return err_hint(err, "name one of them with --name");
}
