/* See include/consul/deploy.h: from a request and what exists to a plan. */
#include "consul/deploy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "consul/expect.h"
#include "consul/observe.h"
#include "util/base64.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/yaml.h"

enum { GOSSIP_KEY_BYTES = 32 };

void deploy_plan_release(struct deploy_plan *plan)
{
	apply_list_release(&plan->objects);
	strv_release(&plan->sets);
	strv_release(&plan->warnings);
	plan->new_gossip_key = false;
}

static const char *or_else(const char *value, const char *otherwise)
{
	return value ? value : otherwise;
}

int deploy_check(const struct deploy_request *request, struct err *err)
{
	struct manifest_settings settings = {
		.namespace_name = request->namespace_name,
		.name = request->name,
		.image = or_else(request->image, MANIFEST_IMAGE),
		.datacenter = or_else(request->datacenter, MANIFEST_DATACENTER),
		.storage_size = or_else(request->storage_size, MANIFEST_STORAGE_SIZE),
		.storage_class = request->storage_class,
		.replicas = request->replicas ? request->replicas : MANIFEST_REPLICAS,
	};

	return manifest_check(&settings, err);
}

int deploy_gossip_key(char **ret_key, struct err *err)
{
	unsigned char key[GOSSIP_KEY_BYTES];
	ssize_t got = getrandom(key, sizeof(key), 0);

	if (got != (ssize_t)sizeof(key))
		return err_set(err, ERR_FAILED, "no random bytes for a gossip key: %s",
		               got < 0 ? strerror(errno) : "too few");
	*ret_key = base64_encode(key, sizeof(key));
	mem_wipe(key, sizeof(key));
	return 0;
}

/* ------------------------------------------------------------------------------------- what exists
 * Asked first, since the objects depend on it: the namespace, the StatefulSet, its ConfigMap, and whether there is a
 * Secret.
 */
enum { READ_NAMESPACE, READ_SET, READ_CONFIG, READ_SECRET, READS };

struct existing {
	cJSON *set;    /* NULL: there is none; likewise below */
	cJSON *config; /* the content of server.json */
	bool secret;
	bool secret_known; /* it may be read */
};

static void existing_release(struct existing *existing)
{
	cJSON_Delete(existing->set);
	cJSON_Delete(existing->config);
	*existing = (struct existing){ 0 };
}

static void set_read_path(struct kube_call *call, const char *api, const char *namespace_name, const char *resource,
                          const char *name, const char *suffix)
{
	struct buf path = BUF_TEXT;

	buf_adds(&path, api);
	buf_adds(&path, "/namespaces/");
	buf_add_url(&path, namespace_name);
	if (resource) {
		buf_addf(&path, "/%s/", resource);
		buf_add_url(&path, name);
		buf_adds(&path, suffix);
	}
	*call = (struct kube_call){ .method = KUBE_GET, .path = buf_detach(&path) };
}

/* True: it is there. False: it is not, or err is set. */
static bool was_found(struct kube_call *call, struct err *err)
{
	if (call->err.kind == ERR_NOT_FOUND)
		return false;
	return err_move(err, &call->err) == 0;
}

static int no_namespace(const char *namespace_name, struct err *err)
{
	err_set(err, ERR_NOT_FOUND, "namespaces \"%s\" not found", namespace_name);
	err_label(err, "Error from server (NotFound)");
	return err_hint(err, "kubectl create namespace %s", namespace_name);
}

static int take_config(struct kube_call *call, struct existing *existing, struct err *err)
{
	if (!was_found(call, err))
		return err_is_set(err) ? -1 : 0;
	return expect_config(call->json, &existing->config, err);
}

static int take_secret(struct kube_call *call, const char *name, struct existing *existing, struct err *err)
{
	cJSON *data, *entry;

	/* It may be made without being read. */
	if (call->err.kind == ERR_FORBIDDEN)
		return 0;
	existing->secret_known = true;
	if (!was_found(call, err))
		return err_is_set(err) ? -1 : 0;
	existing->secret = true;
	data = cJSON_GetObjectItemCaseSensitive(call->json, "data");
	cJSON_ArrayForEach (entry, data)
		if (entry->valuestring)
			mem_wipe(entry->valuestring, strlen(entry->valuestring));
	if (json_get(data, MANIFEST_GOSSIP_FILE))
		return 0;
	err_set(err, ERR_REFUSED, "secret/%s-gossip exists and has no key \"%s\"", name, MANIFEST_GOSSIP_FILE);
	return err_hint(
	    err, "it must hold {\"encrypt\": \"KEY\"} under that key; or choose another cluster name with --name");
}

static int take_existing(struct kube_call *calls, const struct deploy_request *request, struct existing *existing,
                         struct err *err)
{
	if (calls[READ_NAMESPACE].err.kind == ERR_NOT_FOUND)
		return no_namespace(request->namespace_name, err);
	/* Many may not read namespaces: then it shows later whether it exists. */
	if (calls[READ_NAMESPACE].err.kind != ERR_FORBIDDEN && err_move(err, &calls[READ_NAMESPACE].err) < 0)
		return -1;
	if (was_found(&calls[READ_SET], err))
		existing->set = TAKE(calls[READ_SET].json);
	else if (err_is_set(err))
		return err_wrap(err, "statefulset.apps/%s", request->name);
	if (take_config(&calls[READ_CONFIG], existing, err) < 0)
		return err_wrap(err, "configmap/%s-server", request->name);
	if (take_secret(&calls[READ_SECRET], request->name, existing, err) < 0)
		return -1;
	return 0;
}

static int read_existing(struct kube_client *client, const struct deploy_request *request, int64_t deadline_ms,
                         struct existing *existing, struct err *err)
{
	struct kube_call calls[READS];
	const char *space = request->namespace_name, *name = request->name;
	int status;

	set_read_path(&calls[READ_NAMESPACE], "/api/v1", space, NULL, NULL, NULL);
	set_read_path(&calls[READ_SET], "/apis/apps/v1", space, "statefulsets", name, "");
	set_read_path(&calls[READ_CONFIG], "/api/v1", space, "configmaps", name, "-server");
	set_read_path(&calls[READ_SECRET], "/api/v1", space, "secrets", name, "-gossip");
	status = kube_client_perform(client, calls, READS, deadline_ms, err);
	if (status == 0)
		status = take_existing(calls, request, existing, err);
	for (size_t i = 0; i < READS; i++) {
		char *path = (char *)(uintptr_t)calls[i].path;

		kube_call_release(&calls[i]);
		free(path);
	}
	return status;
}

/* --------------------------------------------------------------------- what a deploy refuses to change */

static int refuse_scaling(const char *name, int64_t wanted, int64_t live, const char *namespace_name, struct err *err)
{
	err_set(err, ERR_REFUSED,
	        "statefulset.apps/%s has %" PRId64 " replicas, not %" PRId64
	        "; deploy does not change the number of servers",
	        name, live, wanted);
	return err_hint(err, "kubectl consul scale %" PRId64 " -n %s%s%s does it, one server at a time", wanted,
	                namespace_name, str_equal(name, OBSERVE_DEFAULT_NAME) ? "" : " --name ",
	                str_equal(name, OBSERVE_DEFAULT_NAME) ? "" : name);
}

static int refuse_fixed(const struct deploy_request *request, const char *option, const char *live, const char *why,
                        struct err *err)
{
	_cleanup_free_ char *shown = str_visible(live, 64);

	err_set(err, ERR_REFUSED, "statefulset.apps/%s has --%s \"%s\"; %s", request->name, option, shown, why);
	return err_hint(err, "leave --%s out to keep it", option);
}

static int refuse_foreign(const char *resource, const cJSON *live, struct err *err)
{
	const cJSON *manager = json_get(json_at(live, "metadata.labels"), "app.kubernetes.io/managed-by");
	_cleanup_free_ char *shown = cJSON_IsString(manager) ? str_visible(manager->valuestring, 64) : NULL;

	err_set(err, ERR_REFUSED, "%s exists and was not made by kubectl consul%s%s%s", resource,
	        shown ? " (managed by \"" : "", shown ? shown : "", shown ? "\")" : "");
	return err_hint(err, "choose another name with --name, or apply your own files with -f");
}

static const cJSON *live_claim(const cJSON *set)
{
	return cJSON_GetArrayItem(json_at(set, "spec.volumeClaimTemplates"), 0);
}

static int check_against_set(const struct deploy_request *request, const cJSON *set, struct err *err)
{
	const char *size = json_string_at(live_claim(set), "spec.resources.requests.storage");
	const char *class = or_else(json_string_at(live_claim(set), "spec.storageClassName"), "");
	_cleanup_free_ char *resource = xasprintf("statefulset.apps/%s", request->name);
	int64_t replicas = json_int_at(set, "spec.replicas", 1);

	if (!manifest_is_ours(set))
		return refuse_foreign(resource, set, err);
	if (request->replicas && request->replicas != replicas)
		return refuse_scaling(request->name, request->replicas, replicas, request->namespace_name, err);
	if (request->storage_size && size && !manifest_same_quantity(request->storage_size, size))
		return refuse_fixed(request, "storage-size", size,
		                    "the size in a StatefulSet's claim template cannot be changed", err);
	if (request->storage_class && !str_equal(request->storage_class, class))
		return refuse_fixed(request, "storage-class", class,
		                    "the class of a StatefulSet's claim template cannot be changed", err);
	return 0;
}

/* Servers keep the key they began with in their data: others would never be let in with a new one. */
static int refuse_new_key(const struct deploy_request *request, struct err *err)
{
	const char *name = request->name;

	err_set(err, ERR_REFUSED,
	        "statefulset.apps/%s exists, but its secret/%s-gossip does not; a new key would keep new servers out",
	        name, name);
	return err_hint(
	    err,
	    "the key in use is the first one in: kubectl exec -n %s %s-0 -- cat /consul/data/serf/local.keyring; "
	    "make the Secret again with %s = {\"encrypt\": \"KEY\"}",
	    request->namespace_name, name, MANIFEST_GOSSIP_FILE);
}

static int check_against_existing(const struct deploy_request *request, const struct existing *existing,
                                  struct err *err)
{
	const char *datacenter = json_string_at(existing->config, "datacenter");

	if (!existing->set)
		return 0;
	if (check_against_set(request, existing->set, err) < 0)
		return -1;
	if (existing->secret_known && !existing->secret)
		return refuse_new_key(request, err);
	if (request->datacenter && datacenter && !str_equal(request->datacenter, datacenter))
		return refuse_fixed(request, "datacenter", datacenter, "a Consul datacenter cannot be renamed", err);
	return 0;
}

/* ------------------------------------------------------------------------------------------ planning */

/* What is given, else what exists, else the default. Borrows from all of them. */
static struct manifest_settings resolve(const struct deploy_request *request, const struct existing *existing)
{
	const cJSON *container = manifest_consul_container(existing->set), *claim = live_claim(existing->set);
	const char *image = or_else(json_string_at(container, "image"), MANIFEST_IMAGE);
	const char *size = or_else(json_string_at(claim, "spec.resources.requests.storage"), MANIFEST_STORAGE_SIZE);
	const char *datacenter = or_else(json_string_at(existing->config, "datacenter"), MANIFEST_DATACENTER);
	int64_t wanted = request->replicas ? request->replicas : MANIFEST_REPLICAS;
	int64_t replicas = existing->set ? json_int_at(existing->set, "spec.replicas", 1) : wanted;
	int64_t expect = json_int_at(existing->config, "bootstrap_expect", replicas);

	return (struct manifest_settings){
		.namespace_name = request->namespace_name,
		.name = request->name,
		.image = or_else(request->image, image),
		.datacenter = or_else(request->datacenter, datacenter),
		.storage_size = or_else(request->storage_size, size),
		.storage_class = or_else(request->storage_class, json_string_at(claim, "spec.storageClassName")),
		.replicas = replicas,
		/* Without servers nothing was ever frozen: a ConfigMap alone is left over. */
		.bootstrap_expect = existing->set ? expect : replicas,
	};
}

static bool is_kind(const struct apply_object *object, const char *kind)
{
	return str_equal(json_string_at(object->json, "kind"), kind);
}

static void add_objects(const struct manifest_settings *settings, const struct existing *existing,
                        struct apply_list *list)
{
	cJSON *rendered = manifest_render(settings), *item;

	while ((item = cJSON_DetachItemFromArray(rendered, 0))) {
		struct apply_object *object = apply_list_add(list, item);

		object->create_only = is_kind(object, "Secret");
		if (existing->set && is_kind(object, "StatefulSet"))
			manifest_keep_immutable(item, existing->set);
	}
	cJSON_Delete(rendered);
}

/* A ServiceAccount may have been prepared by somebody else. (The Secret was looked at before.) */
static int check_owners(const struct apply_list *list, struct err *err)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct apply_object *object = &list->items[i];

		if (object->live && !manifest_is_ours(object->live) && !is_kind(object, "ServiceAccount") &&
		    !is_kind(object, "Secret"))
			return refuse_foreign(object->resource, object->live, err);
	}
	return 0;
}

static int plan_with_key(struct kube_client *client, const struct deploy_request *request,
                         const struct existing *existing, char **key, int64_t deadline_ms, struct deploy_plan *plan,
                         struct err *err)
{
	struct manifest_settings settings = resolve(request, existing);

	/* One that may exist without being readable is offered a key, too: it is made only if there is none. */
	plan->new_gossip_key = !existing->secret;
	if (plan->new_gossip_key && deploy_gossip_key(key, err) < 0)
		return -1;
	settings.gossip_key = *key;
	if (!existing->set)
		manifest_warn_replicas(settings.replicas, &plan->warnings);
	add_objects(&settings, existing, &plan->objects);
	strv_add(&plan->sets, settings.name);
	if (apply_locate(client, &plan->objects, settings.namespace_name, deadline_ms, err) < 0 ||
	    apply_read(client, &plan->objects, deadline_ms, err) < 0)
		return -1;
	return check_owners(&plan->objects, err);
}

int deploy_plan(struct kube_client *client, const struct deploy_request *request, int64_t deadline_ms,
                struct deploy_plan *ret_plan, struct err *err)
{
	struct existing existing = { 0 };
	char *key = NULL;
	int status = read_existing(client, request, deadline_ms, &existing, err);

	if (status == 0)
		status = check_against_existing(request, &existing, err);
	if (status == 0)
		status = plan_with_key(client, request, &existing, &key, deadline_ms, ret_plan, err);
	free_secret(key);
	existing_release(&existing);
	return status;
}

/* -------------------------------------------------------------------------------------- files' plan */

static int plan_file_set(struct apply_object *object, const char *namespace_name, struct deploy_plan *plan,
                         struct err *err)
{
	cJSON *spec = cJSON_GetObjectItemCaseSensitive(object->json, "spec");
	const char *name = json_string_at(object->json, "metadata.name");
	int64_t wanted = json_int_at(spec, "replicas", 0), live = json_int_at(object->live, "spec.replicas", 1);

	if (manifest_runs_consul(object->json))
		strv_add(&plan->sets, name);
	if (!object->live || !cJSON_IsObject(spec))
		return 0;
	if (!json_get(spec, "replicas"))
		json_set(spec, "replicas", json_int(live));
	else if (wanted != live)
		return refuse_scaling(name, wanted, live, namespace_name, err);
	return 0;
}

int deploy_plan_files(struct kube_client *client, const char *namespace_name, int64_t deadline_ms,
                      struct deploy_plan *plan, struct err *err)
{
	if (apply_locate(client, &plan->objects, namespace_name, deadline_ms, err) < 0 ||
	    apply_read(client, &plan->objects, deadline_ms, err) < 0)
		return -1;
	for (size_t i = 0; i < plan->objects.count; i++) {
		struct apply_object *object = &plan->objects.items[i];

		if (is_kind(object, "StatefulSet") && plan_file_set(object, namespace_name, plan, err) < 0)
			return err_wrap(err, "%s", object->source);
	}
	return 0;
}

/* ---------------------------------------------------------------------------------------- as text */

/* What is made once and exists is not applied, so it is not shown either: a key that is in use stays where it is. */
static bool is_shown(const struct apply_object *object)
{
	return !(object->create_only && object->live);
}

char *deploy_plan_yaml(const struct deploy_plan *plan)
{
	struct buf out = { .max = BUF_TEXT_MAX, .secret = true };

	for (size_t i = 0; i < plan->objects.count; i++) {
		char *text = yaml_text(plan->objects.items[i].json);

		if (is_shown(&plan->objects.items[i]))
			buf_addf(&out, "---\n%s", text);
		free_secret(text);
	}
	return buf_detach(&out);
}

char *deploy_plan_json(const struct deploy_plan *plan)
{
	cJSON *items = cJSON_CreateArray();
	_cleanup_json_ cJSON *list = NULL;

	/* References: the list borrows the objects. */
	for (size_t i = 0; i < plan->objects.count; i++)
		if (is_shown(&plan->objects.items[i]))
			cJSON_AddItemReferenceToArray(items, plan->objects.items[i].json);
	list = json_object("apiVersion", json_string("v1"), "kind", json_string("List"), "items", items, NULL);
	return json_text_pretty(list);
}
