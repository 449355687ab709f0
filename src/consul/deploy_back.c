/* Going back to the template before the newest one: see include/consul/deploy.h. */
#include "consul/deploy.h"

#include <stdlib.h>

#include "consul/deploy_parts.h"
#include "consul/difference.h"
#include "kube/revisions.h"
#include "util/json.h"
#include "util/mem.h"

static int no_set(const char *name, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "statefulset.apps/%s does not exist: there is nothing to go back to", name);
}

/* Servers of both templates have to understand each other while they are replaced. */
static int check_modes(const struct deploy_existing *existing, const struct manifest_settings *settings,
                       struct err *err)
{
	enum manifest_tls live = manifest_tls_of(existing->config);

	if (manifest_next_tls(live, settings->tls) != settings->tls) {
		err_set(err, ERR_REFUSED,
		        "the earlier template has TLS %s, and the servers have it %s: they would not "
		        "understand each other",
		        manifest_tls_name(settings->tls), manifest_tls_name(live));
		return err_hint(err, "kubectl consul deploy --tls, or --no-tls, goes there step by step");
	}
	if (settings->tls != MANIFEST_TLS_OFF && existing->tls.known && !existing->tls.there)
		return err_set(err, ERR_REFUSED, "the earlier template needs secret/%s-tls, which is not there",
		               settings->name);
	return 0;
}

/* Objects of the earlier configuration, and the StatefulSet with the earlier template itself. */
static int plan_back(struct kube_client *client, const struct deploy_request *request,
                     const struct deploy_existing *existing, cJSON *earlier, int64_t deadline_ms,
                     struct deploy_plan *plan, struct err *err)
{
	struct manifest_settings settings = deploy_resolve(request, existing);
	_cleanup_json_ cJSON *server = NULL, *extra = NULL;
	struct apply_object *set;

	if (manifest_configuration(earlier, &server, &extra, err) < 0)
		return -1;
	/* Templates of earlier versions have none, and read the ConfigMap: then it is as it was all along. */
	settings.server_config = server ? server : existing->config;
	settings.extra = extra;
	settings.shared_config = server ? settings.shared_config : existing->config;
	settings.tls = settings.tls_wanted = plan->tls = manifest_tls_of(settings.server_config);
	settings.acls = plan->acls = manifest_acls_of(settings.server_config);
	settings.going_back_to = plan->going_back_to;
	if (check_modes(existing, &settings, err) < 0)
		return -1;
	plan->exists = true;
	deploy_add_objects(&settings, existing, &plan->objects);
	set = deploy_plan_set(plan);
	json_set(cJSON_GetObjectItemCaseSensitive(set->json, "spec"), "template", cJSON_Duplicate(earlier, true));
	return deploy_locate(client, &settings, deadline_ms, plan, err);
}

/* A way back that was stopped: the same command is to go on with it, and not to turn round. */
static bool goes_on(const struct deploy_existing *existing, cJSON **ret_template, char **ret_name)
{
	const cJSON *annotations = json_at(existing->set, "metadata.annotations");
	const cJSON *name = json_get(annotations, MANIFEST_ANNOTATION_BACK);

	if (!cJSON_IsString(name))
		return false;
	*ret_template = cJSON_Duplicate(json_at(existing->set, "spec.template"), true);
	*ret_name = xstrdup(name->valuestring);
	return true;
}

int deploy_plan_rollback(struct kube_client *client, const struct deploy_request *request, int64_t deadline_ms,
                         struct deploy_plan *ret_plan, struct err *err)
{
	struct deploy_existing existing = DEPLOY_EXISTING_INIT;
	_cleanup_json_ cJSON *earlier = NULL;
	int status = deploy_read_existing(client, request, deadline_ms, &existing, err);

	if (status == 0 && !existing.set)
		status = no_set(request->name, err);
	if (status == 0)
		status = deploy_check_existing(request, &existing, err);
	if (status == 0 && !goes_on(&existing, &earlier, &ret_plan->going_back_to))
		status =
		    kube_revision_previous(client, existing.set, deadline_ms, &earlier, &ret_plan->going_back_to, err);
	if (status == 0)
		status = plan_back(client, request, &existing, earlier, deadline_ms, ret_plan, err);
	deploy_existing_release(&existing);
	return status;
}

/*
 * Applying takes away only what deploy itself had set: what others added since (kubectl rollout restart, kubectl set
 * env) would make a third template of it. This replaces the template as `kubectl rollout undo` does; since everything
 * that was set otherwise has been taken over before, it only takes things away, and leaves no second owner of ours
 * behind.
 */
int deploy_restore_template(struct kube_client *client, const struct apply_object *set, int64_t deadline_ms,
                            struct err *err)
{
	cJSON *template = cJSON_Duplicate(json_at(set->json, "spec.template"), true);
	_cleanup_json_ cJSON *patch = json_object(
	    "metadata",
	    json_object("resourceVersion", json_string(json_string_at(set->result, "metadata.resourceVersion")), NULL),
	    "spec", json_object("template", template, NULL), NULL);
	_cleanup_free_ char *path = xasprintf("%s?fieldManager=" MANIFEST_MANAGED_BY, set->path);
	_cleanup_free_ char *body = NULL;
	struct kube_call call = { .method = KUBE_PATCH,
		                  .path = path,
		                  .content_type = "application/strategic-merge-patch+json" };
	int status;

	if (!difference_restarts(set->result, set->json))
		return 0;
	json_set(template, "$patch", json_string("replace"));
	body = json_text(patch);
	call.body = body;
	status = kube_client_perform(client, &call, 1, deadline_ms, err);
	if (status == 0 && err_move(err, &call.err) < 0)
		status = err_wrap(err, "cannot bring the earlier template of %s back", set->resource);
	kube_call_release(&call);
	return status;
}
