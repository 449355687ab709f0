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

/*
 * Which template is led back to. A way back that was stopped is gone on with, where the same command would turn round
 * otherwise: to the revision that it was for, since the live template may still have what others had added.
 */
static int find_earlier(struct kube_client *client, const struct deploy_existing *existing, int64_t deadline_ms,
                        cJSON **ret_template, char **ret_name, struct err *err)
{
	const cJSON *name = json_get(json_at(existing->set, "metadata.annotations"), MANIFEST_ANNOTATION_BACK);

	if (!cJSON_IsString(name))
		return kube_revision_previous(client, existing->set, deadline_ms, ret_template, ret_name, err);
	if (kube_revision_named(client, existing->set, name->valuestring, deadline_ms, ret_template, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		/* Kubernetes keeps few of them: what was applied of it is what is left. */
		err_release(err);
		*ret_template = cJSON_Duplicate(json_at(existing->set, "spec.template"), true);
	}
	*ret_name = xstrdup(name->valuestring);
	return 0;
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
	if (status == 0)
		status = find_earlier(client, &existing, deadline_ms, &earlier, &ret_plan->going_back_to, err);
	if (status == 0)
		status = plan_back(client, request, &existing, earlier, deadline_ms, ret_plan, err);
	deploy_existing_release(&existing);
	return status;
}

/* How often the template is sent when only the status changes between. */
enum { REPLACE_TRIES = 5 };

static int replace_template(struct kube_client *client, const char *set_path, const cJSON *template,
                            const char *version, int64_t deadline_ms, struct err *err)
{
	_cleanup_json_ cJSON *patch =
	    json_object("metadata", json_object("resourceVersion", json_string(version), NULL), "spec",
	                json_object("template", cJSON_Duplicate(template, true), NULL), NULL);
	_cleanup_free_ char *path = xasprintf("%s?fieldManager=" MANIFEST_MANAGED_BY, set_path);
	_cleanup_free_ char *body = json_text(patch);
	struct kube_call call = { .method = KUBE_PATCH,
		                  .path = path,
		                  .content_type = "application/strategic-merge-patch+json",
		                  .body = body };
	int status = kube_client_perform(client, &call, 1, deadline_ms, err);

	if (status == 0)
		status = err_move(err, &call.err);
	kube_call_release(&call);
	return status;
}

static int read_version(struct kube_client *client, const char *set_path, int64_t deadline_ms, char **version,
                        int64_t *ret_generation, struct err *err)
{
	struct kube_call call = { .method = KUBE_GET, .path = set_path };
	int status = kube_client_perform(client, &call, 1, deadline_ms, err);

	if (status == 0)
		status = err_move(err, &call.err);
	if (status == 0) {
		replace_string(version, xstrdup_null(json_string_at(call.json, "metadata.resourceVersion")));
		*ret_generation = json_int_at(call.json, "metadata.generation", 0);
	}
	kube_call_release(&call);
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
	_cleanup_json_ cJSON *template = cJSON_Duplicate(json_at(set->json, "spec.template"), true);
	_cleanup_free_ char *version = xstrdup_null(json_string_at(set->result, "metadata.resourceVersion"));
	int64_t generation = json_int_at(set->result, "metadata.generation", 0);

	if (!difference_restarts(set->result, set->json))
		return 0;
	json_set(template, "$patch", json_string("replace"));
	for (int tries = 1;; tries++) {
		int64_t now_generation = 0;

		if (replace_template(client, set->path, template, version, deadline_ms, err) == 0)
			return 0;
		/* Its controller writes the status at any time: only another specification is a conflict. */
		if (err->kind == ERR_CONFLICT && tries < REPLACE_TRIES) {
			_cleanup_err_ struct err failure = ERR_INIT;

			err_move(&failure, err);
			if (read_version(client, set->path, deadline_ms, &version, &now_generation, err) < 0)
				return -1;
			if (now_generation == generation)
				continue;
			err_move(err, &failure);
		}
		return err_wrap(err, "cannot bring the earlier template of %s back", set->resource);
	}
}
