/* See include/consul/deploy.h: from a request and what exists to a plan. */
#include "consul/deploy.h"

#include <stdlib.h>
#include <string.h>

#include "consul/deploy_parts.h"
#include "consul/difference.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/yaml.h"

void deploy_plan_release(struct deploy_plan *plan)
{
	apply_list_release(&plan->objects);
	strv_release(&plan->sets);
	strv_release(&plan->warnings);
	free(plan->going_back_to);
	*plan = (struct deploy_plan)DEPLOY_PLAN_INIT;
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

	return request->extra && manifest_check_extra(request->extra, err) < 0 ? -1 : manifest_check(&settings, err);
}

/* ------------------------------------------------------------------------------------ TLS and ACLs */

/* As it is: what an earlier deploy was asked for, though it may have been stopped on the way there. */
static enum manifest_tls wanted_tls(const struct deploy_request *request, const struct deploy_existing *existing,
                                    enum manifest_tls live)
{
	const cJSON *annotations = json_at(existing->set, "metadata.annotations");
	const cJSON *kept = json_get(annotations, MANIFEST_ANNOTATION_TLS);
	enum manifest_tls otherwise = live == MANIFEST_TLS_OFF ? MANIFEST_TLS_OFF : MANIFEST_TLS_ON, wanted;

	switch (request->tls) {
	case DEPLOY_YES:
		return MANIFEST_TLS_ON;
	case DEPLOY_NO:
		return MANIFEST_TLS_OFF;
	case DEPLOY_AS_IS:
		break;
	}
	if (!existing->set)
		return MANIFEST_TLS_ON;
	wanted = manifest_tls_named(cJSON_IsString(kept) ? kept->valuestring : NULL, otherwise);
	/* Only --rollback leaves servers half way, and that is no place to stay. */
	return wanted == MANIFEST_TLS_OFF ? MANIFEST_TLS_OFF : MANIFEST_TLS_ON;
}

/* Who keeps servers on an earlier template keeps TLS from going on: it would be tried for ever. */
static int check_partition(const struct deploy_request *request, const struct deploy_existing *existing,
                           const struct deploy_plan *plan, struct err *err)
{
	int64_t partition = json_int_at(existing->set, "spec.updateStrategy.rollingUpdate.partition", 0);

	if (!plan->unfinished || partition <= 0 || !manifest_is_rolling(existing->set))
		return 0;
	return deploy_refuse_partition(request, partition, err);
}

/* Servers that run go one mode at a time, and all of them to one before any goes to the next. */
static void set_tls(const struct deploy_request *request, const struct deploy_existing *existing,
                    struct manifest_settings *settings, struct deploy_plan *plan)
{
	enum manifest_tls live = manifest_tls_of(existing->config), wanted = wanted_tls(request, existing, live);
	bool exists = existing->set != NULL;

	settings->tls_wanted = settings->tls = wanted;
	if (exists)
		settings->tls = manifest_is_rolling(existing->set) ? live : manifest_next_tls(live, wanted);
	plan->tls = settings->tls;
	plan->unfinished = settings->tls != wanted;
	if (exists && wanted == MANIFEST_TLS_OFF && live == wanted && request->tls == DEPLOY_AS_IS)
		strv_add(
		    &plan->warnings,
		    "RPC and the HTTP API of this cluster are not encrypted; --tls turns TLS on, one server at a time");
	if (exists && wanted == MANIFEST_TLS_ON && live < MANIFEST_TLS_SPOKEN)
		strv_add(
		    &plan->warnings,
		    "at the end plain HTTP is refused: clients need https, port 8501, and the authority's certificate");
}

/* A server that enforces them and one that does not do not understand each other: they are there from the start. */
static void set_acls(const struct deploy_request *request, const struct deploy_existing *existing,
                     struct manifest_settings *settings, struct deploy_plan *plan)
{
	bool live = manifest_acls_of(existing->config);

	settings->acls = plan->acls = existing->set ? live : request->acls;
	/* A management token that is not there was put away by its owner: nothing is left to be set up. */
	plan->sets_up_acls = settings->acls && (!existing->set || existing->bootstrap.there || request->reset_acls);
}

/* ------------------------------------------------------------------------------------------ planning */

struct manifest_settings deploy_resolve(const struct deploy_request *request, const struct deploy_existing *existing)
{
	const cJSON *container = manifest_consul_container(existing->set), *claim = deploy_live_claim(existing->set);
	const char *image = or_else(json_string_at(container, "image"), MANIFEST_IMAGE);
	const char *size = or_else(json_string_at(claim, "spec.resources.requests.storage"), MANIFEST_STORAGE_SIZE);
	const char *datacenter = or_else(json_string_at(existing->config, "datacenter"), MANIFEST_DATACENTER);
	int64_t wanted = request->replicas ? request->replicas : MANIFEST_REPLICAS;
	int64_t replicas = existing->set ? json_int_at(existing->set, "spec.replicas", 1) : wanted;
	int64_t expect = json_int_at(existing->shared, "bootstrap_expect", replicas);

	return (struct manifest_settings){
		.namespace_name = request->namespace_name,
		.name = request->name,
		.image = or_else(request->image, image),
		.datacenter = or_else(request->datacenter, datacenter),
		.storage_size = or_else(request->storage_size, size),
		.storage_class = or_else(request->storage_class, json_string_at(claim, "spec.storageClassName")),
		.extra = request->extra ? request->extra : existing->extra,
		.shared_config = existing->set && !existing->annotated ? existing->shared : NULL,
		.replicas = replicas,
		/* Without servers nothing was ever frozen: a ConfigMap alone is left over. */
		.bootstrap_expect = existing->set ? expect : replicas,
	};
}

static bool is_kind(const struct apply_object *object, const char *kind)
{
	return str_equal(json_string_at(object->json, "kind"), kind);
}

/* Secrets that are there and stay as they are: told of, as everything else. */
static void add_kept_secrets(const struct manifest_settings *settings, const struct deploy_existing *existing,
                             struct apply_list *list)
{
	bool tls = settings->tls != MANIFEST_TLS_OFF;
	const struct {
		bool kept;
		const char *suffix;
	} secrets[] = {
		{ tls && existing->authority.there && !settings->secrets.authority, "-ca" },
		{ tls && existing->tls.there && !settings->secrets.server, "-tls" },
		{ settings->acls && existing->acl.there && !settings->secrets.tokens, "-acl" },
		{ settings->acls && existing->bootstrap.there && !settings->secrets.tokens, "-acl-bootstrap" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
		if (secrets[i].kept)
			apply_list_add(list, manifest_secret(settings, secrets[i].suffix, NULL))->create_only = true;
}

void deploy_add_objects(const struct manifest_settings *settings, const struct deploy_existing *existing,
                        struct apply_list *list)
{
	cJSON *rendered = manifest_render(settings), *item;

	while ((item = cJSON_DetachItemFromArray(rendered, 0))) {
		struct apply_object *object;

		/* One that may not be read, and is in use: nothing that is made up takes its place. */
		if (existing->set && !existing->gossip.known && !settings->secrets.gossip_key &&
		    str_equal(json_string_at(item, "kind"), "Secret") && !json_get(item, "stringData")) {
			cJSON_Delete(item);
			continue;
		}
		object = apply_list_add(list, item);
		object->create_only = is_kind(object, "Secret");
		/* A certificate goes with its authority, tokens with each other. */
		object->must_be_new = json_get(item, "stringData") && existing->gossip.known;
		if (existing->set && is_kind(object, "StatefulSet"))
			manifest_keep_immutable(item, existing->set);
	}
	cJSON_Delete(rendered);
	add_kept_secrets(settings, existing, list);
}

/* The name of the cluster that an object of ours belongs to; NULL: it does not tell. */
static const char *instance_of(const cJSON *object)
{
	const cJSON *instance = json_get(json_at(object, "metadata.labels"), "app.kubernetes.io/instance");

	return cJSON_IsString(instance) ? instance->valuestring : NULL;
}

/* A ServiceAccount may have been prepared by somebody else. (The Secrets were looked at before.) */
static int check_owners(const struct apply_list *list, struct err *err)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct apply_object *object = &list->items[i];
		const char *instance = instance_of(object->live);

		if (!object->live || is_kind(object, "ServiceAccount") || is_kind(object, "Secret"))
			continue;
		if (!manifest_is_ours(object->live))
			return deploy_refuse_foreign(object->resource, object->live, err);
		/* "x" and "x-client" both have a Service of the second name. */
		if (instance && !str_equal(instance, instance_of(object->json)))
			return deploy_refuse_other_cluster(object->resource, instance, err);
	}
	return 0;
}

struct apply_object *deploy_plan_set(const struct deploy_plan *plan)
{
	for (size_t i = 0; i < plan->objects.count; i++)
		if (is_kind(&plan->objects.items[i], "StatefulSet"))
			return &plan->objects.items[i];
	return NULL;
}

int deploy_locate(struct kube_client *client, const struct manifest_settings *settings, int64_t deadline_ms,
                  struct deploy_plan *plan, struct err *err)
{
	strv_add(&plan->sets, settings->name);
	if (apply_locate(client, &plan->objects, settings->namespace_name, deadline_ms, err) < 0 ||
	    apply_read(client, &plan->objects, deadline_ms, err) < 0)
		return -1;
	return check_owners(&plan->objects, err);
}

static int plan_existing(struct kube_client *client, const struct deploy_request *request,
                         const struct deploy_existing *existing, int64_t deadline_ms, struct deploy_plan *plan,
                         struct err *err)
{
	struct manifest_settings settings = deploy_resolve(request, existing);
	struct deploy_secrets secrets = DEPLOY_SECRETS_INIT;
	int status;

	set_tls(request, existing, &settings, plan);
	set_acls(request, existing, &settings, plan);
	status = check_partition(request, existing, plan, err);
	if (status == 0)
		status = deploy_make_secrets(request, existing, &settings, &secrets, err);
	if (status == 0) {
		/* Tokens that were just made up are nothing to Consul before it is told of them. */
		plan->sets_up_acls |= settings.secrets.tokens != NULL;
		plan->new_secrets = secrets.any;
		plan->exists = existing->set != NULL;
		if (!existing->set)
			manifest_warn_replicas(settings.replicas, &plan->warnings);
		deploy_add_objects(&settings, existing, &plan->objects);
		status = deploy_locate(client, &settings, deadline_ms, plan, err);
	}
	deploy_secrets_release(&secrets);
	return status;
}

int deploy_plan(struct kube_client *client, const struct deploy_request *request, int64_t deadline_ms,
                struct deploy_plan *ret_plan, struct err *err)
{
	struct deploy_existing existing = DEPLOY_EXISTING_INIT;
	int status = deploy_read_existing(client, request, deadline_ms, &existing, err);

	if (status == 0)
		status = deploy_check_existing(request, &existing, err);
	if (status == 0)
		status = plan_existing(client, request, &existing, deadline_ms, ret_plan, err);
	deploy_existing_release(&existing);
	return status;
}

int deploy_plan_blindly(struct kube_client *client, const struct deploy_request *request, int64_t deadline_ms,
                        struct deploy_plan *ret_plan, struct err *err)
{
	/* Nothing was looked for, so that nothing is there; Secrets are made up, and go nowhere. */
	struct deploy_existing existing = {
		.gossip.known = true,
		.authority.known = true,
		.tls.known = true,
		.acl.known = true,
		.bootstrap.known = true,
		.authority_pair = KEY_PAIR_INIT,
	};
	struct manifest_settings settings = deploy_resolve(request, &existing);
	struct deploy_secrets secrets = DEPLOY_SECRETS_INIT;
	int status;

	ret_plan->blind = true;
	set_tls(request, &existing, &settings, ret_plan);
	set_acls(request, &existing, &settings, ret_plan);
	status = deploy_make_secrets(request, &existing, &settings, &secrets, err);
	if (status == 0) {
		deploy_add_objects(&settings, &existing, &ret_plan->objects);
		strv_add(&ret_plan->sets, settings.name);
		status = apply_locate(client, &ret_plan->objects, settings.namespace_name, deadline_ms, err);
	}
	if (status == 0)
		status = apply_read_what_may_be(client, &ret_plan->objects, deadline_ms, err);
	deploy_secrets_release(&secrets);
	return status;
}

/* ------------------------------------------------------------------------------- what it comes to */

bool deploy_would_restart(const struct deploy_plan *plan)
{
	const struct apply_object *set = deploy_plan_set(plan);

	if (!set || !set->live)
		return false;
	return !apply_is_part(json_at(set->json, "spec.template"), json_at(set->live, "spec.template")) ||
	       str_equal(json_string_at(set->live, "spec.updateStrategy.type"), "OnDelete");
}

int deploy_try(struct kube_client *client, struct deploy_plan *plan, bool force_conflicts, int64_t deadline_ms,
               bool *ret_restarts, struct err *err)
{
	struct apply_options options = {
		.mode = APPLY_ON_SERVER,
		.force_conflicts = force_conflicts,
		.deadline_ms = deadline_ms,
	};
	struct apply_object *set = deploy_plan_set(plan);

	*ret_restarts = false;
	if (!set || !set->live)
		return 0;
	for (size_t i = 0; i < plan->objects.count; i++) {
		struct apply_object *object = &plan->objects.items[i];

		if (object->live && !object->create_only && apply_send(client, object, &options, err) < 0)
			return -1;
	}
	*ret_restarts = difference_restarts(set->live, set->result) ||
	                str_equal(json_string_at(set->live, "spec.updateStrategy.type"), "OnDelete");
	return 0;
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
		return deploy_refuse_scaling(name, wanted, live, namespace_name, err);
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
