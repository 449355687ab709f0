/* See include/consul/renew.h: the world in which it is done, Secrets in Kubernetes and agents of Consul. */
#include "renew_parts.h"

#include <stdlib.h>
#include <string.h>

#include "consul/agent.h"
#include "consul/manifest.h"
#include "consul/secret.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/str.h"

#define REQUEST_MS ((int64_t)10000)
/* A reload reads files and may wait for a lock, no more. One that takes longer is told again; a Lease lasts 20 s. */
#define RELOAD_MS ((int64_t)10000)

/* The annotation that is changed so that kubelet looks at the pod, and at what it mounts, at once. */
#define HURRY_ANNOTATION "kubectl-consul/certificate"

struct kube_world {
	struct kube_client *client;
	const struct snapshot *snapshot;
	const struct access *access;
	const struct server **servers; /* the wanted ones */
	size_t count;
	char *tls_name, *ca_name;
	cJSON *tls, *ca; /* the Secrets as they were read last */
	bool slow;       /* pods may not be patched */
};

static int64_t in_ms(int64_t milliseconds)
{
	return clock_monotonic_ms() + milliseconds;
}

static const char *world_server_name(void *context, size_t server)
{
	const struct kube_world *world = context;

	return world->servers[server]->name;
}

/* ---------------------------------------------------------------------------------------- Secrets */

static int read_one(const struct kube_world *world, const char *name, cJSON **secret, struct err *err)
{
	secret_free(TAKE(*secret));
	if (secret_read(world->client, world->snapshot->namespace_name, name, in_ms(REQUEST_MS), secret, err) < 0) {
		if (err->kind == ERR_NOT_FOUND)
			err->kind = ERR_REFUSED;
		return err_hint(err, "only certificates of a cluster that deploy made with TLS are renewed");
	}
	if (!manifest_is_ours(*secret))
		return err_set(err, ERR_REFUSED,
		               "secret/%s was not made by deploy: who made it must renew what is in it", name);
	return 0;
}

/* One that must be there. */
static int take_text(const cJSON *secret, const char *name, const char *key, char **ret, struct err *err)
{
	if (secret_text(secret, key, ret, err) < 0)
		return -1;
	if (!*ret)
		return err_set(err, ERR_REFUSED, "secret/%s has no key \"%s\"", name, key);
	return 0;
}

static int world_read(void *context, struct renew_state *ret_state, struct err *err)
{
	struct kube_world *world = context;

	if (read_one(world, world->tls_name, &world->tls, err) < 0 ||
	    read_one(world, world->ca_name, &world->ca, err) < 0)
		return -1;
	if (take_text(world->tls, world->tls_name, "ca.crt", &ret_state->bundle, err) < 0 ||
	    take_text(world->tls, world->tls_name, "tls.crt", &ret_state->certificate, err) < 0 ||
	    take_text(world->ca, world->ca_name, "tls.crt", &ret_state->authority.certificate, err) < 0)
		return -1;
	if (secret_text(world->ca, "tls.key", &ret_state->authority.key, err) < 0 ||
	    secret_text(world->ca, "next.crt", &ret_state->next.certificate, err) < 0)
		return -1;
	return secret_text(world->ca, "next.key", &ret_state->next.key, err);
}

static int change(const struct kube_world *world, cJSON **secret, const struct secret_change *changes, size_t count,
                  struct err *err)
{
	if (secret_change(world->client, secret, changes, count, false, in_ms(REQUEST_MS), err) == 0)
		return 0;
	if (err->kind == ERR_CONFLICT)
		err_hint(err, "somebody changes it at the same time; run it again when they are done: it goes on");
	return -1;
}

static int world_write(void *context, const struct renew_step *step, struct err *err)
{
	struct kube_world *world = context;
	const struct secret_change tls[] = { { "ca.crt", step->bundle },
		                             { "tls.crt", step->server.certificate },
		                             { "tls.key", step->server.key } };
	const struct secret_change prepared[] = { { "next.crt", step->next.certificate },
		                                  { "next.key", step->next.key } };
	const struct secret_change adopted[] = { { "tls.crt", step->authority.certificate },
		                                 { "tls.key", step->authority.key },
		                                 { "next.crt", NULL },
		                                 { "next.key", NULL } };

	if (step->kind == RENEW_PREPARE)
		return change(world, &world->ca, prepared, ARRAY_SIZE(prepared), err);
	if (step->kind == RENEW_ADOPT)
		return change(world, &world->ca, adopted, ARRAY_SIZE(adopted), err);
	return change(world, &world->tls, tls, ARRAY_SIZE(tls), err);
}

/* ----------------------------------------------------------------------------------------- servers */

static int world_present(void *context, size_t server, char **ret_pem, struct err *err)
{
	const struct kube_world *world = context;

	return agent_certificate(world->client, world->servers[server], in_ms(REQUEST_MS), ret_pem, err);
}

static int explain_reload(const struct agent_call *call, const char *name, struct err *err)
{
	_cleanup_free_ char *words = agent_words(call);

	if (call->http_status != 403)
		return err_set(err, ERR_FAILED, "Consul on %s, told to reload, answers %ld: %s", name,
		               call->http_status, words);
	err_set(err, ERR_FORBIDDEN, "Consul on %s refuses to reload: %s", name, words);
	return err_hint(err, "the ACL token needs agent:write (agent_prefix \"\"); --token-file gives another one");
}

static int world_reload(void *context, size_t server, struct err *err)
{
	const struct kube_world *world = context;
	struct agent_call call = AGENT_CALL_INIT;
	int status;

	call.method = KUBE_PUT;
	call.path = "/v1/agent/reload";
	status = agent_call(world->client, world->servers[server], world->access, &call, in_ms(RELOAD_MS), err);
	if (status == 0 && call.http_status != 200)
		status = explain_reload(&call, world->servers[server]->name, err);
	agent_call_release(&call);
	return status;
}

static char *annotation_patch(const char *fingerprint)
{
	cJSON *patch = json_object(
	    "metadata", json_object("annotations", json_object(HURRY_ANNOTATION, json_string(fingerprint), NULL), NULL),
	    NULL);
	char *text = json_text(patch);

	cJSON_Delete(patch);
	return text;
}

/*
 * kubelet looks at a changed Secret when it next looks at the pod, which is up to a minute and a half later, or when
 * the pod changes. Who may not patch pods waits for that minute and a half; no Role has to allow it.
 */
static int world_hurry(void *context, size_t server, const char *fingerprint, struct err *err)
{
	struct kube_world *world = context;
	_cleanup_free_ char *body = annotation_patch(fingerprint);
	_cleanup_buf_ struct buf path = BUF_TEXT;
	struct kube_call call = { .method = KUBE_PATCH, .content_type = "application/merge-patch+json", .body = body };
	int status;

	if (world->slow)
		return 0;
	buf_adds(&path, "/api/v1/namespaces/");
	buf_add_url(&path, world->snapshot->namespace_name);
	buf_adds(&path, "/pods/");
	buf_add_url(&path, world->servers[server]->name);
	buf_adds(&path, "?fieldManager=" MANIFEST_MANAGED_BY);
	call.path = buf_text(&path);
	status = kube_client_perform(world->client, &call, 1, in_ms(REQUEST_MS), err);
	world->slow = call.err.kind == ERR_FORBIDDEN;
	kube_call_release(&call);
	return status;
}

static int64_t world_now_ms(void *context)
{
	(void)context;
	return clock_monotonic_ms();
}

static int64_t world_now_s(void *context)
{
	(void)context;
	return clock_wall_s();
}

static int world_sleep(void *context, int64_t milliseconds, struct err *err)
{
	const struct kube_world *world = context;

	return loop_sleep(kube_client_loop(world->client), milliseconds, err);
}

/* --------------------------------------------------------------------------------------------- all */

/* Who is away now comes back with the certificate of then, or trusts nobody any more. */
static int take_servers(struct kube_world *world, struct err *err)
{
	const struct snapshot *snapshot = world->snapshot;
	int64_t wanted = 0;

	world->servers = xcalloc(snapshot->server_count + 1, sizeof(*world->servers));
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *server = &snapshot->servers[i];

		if (!snapshot_wants_ordinal(snapshot, server->ordinal))
			continue;
		if (!server->has_pod || !server->container || !view_answered(&server->view)) {
			_cleanup_free_ char *health = progress_command(snapshot, "health");

			err_set(err, ERR_REFUSED, "%s does not answer: nothing is renewed while somebody is away",
			        server->name);
			return err_hint(err, "wait until `%s` is HEALTHY, and run it again", health);
		}
		world->servers[world->count++] = server;
		wanted++;
	}
	if (wanted == 0 || wanted < snapshot->set.replicas)
		return err_set(err, ERR_REFUSED, "not every server of statefulset.apps/%s is there",
		               snapshot->set.name);
	return 0;
}

int renew_certificates(struct kube_client *client, const struct snapshot *snapshot, const struct access *access,
                       const struct renew_request *request, const struct progress *progress, int64_t deadline_ms,
                       struct err *err)
{
	struct kube_world context = { .client = client,
		                      .snapshot = snapshot,
		                      .access = access,
		                      .tls_name = xasprintf("%s-tls", snapshot->set.name),
		                      .ca_name = xasprintf("%s-ca", snapshot->set.name) };
	struct renew_order order = { .request = request,
		                     .name = snapshot->set.name,
		                     .namespace_name = snapshot->namespace_name };
	struct renew_world world = { .context = &context,
		                     .server_name = world_server_name,
		                     .read = world_read,
		                     .write = world_write,
		                     .present = world_present,
		                     .reload = world_reload,
		                     .hurry = world_hurry,
		                     .now_ms = world_now_ms,
		                     .now_s = world_now_s,
		                     .sleep = world_sleep };
	int status = take_servers(&context, err);

	world.count = context.count;
	if (status == 0)
		status = renew_run(&world, &order, progress, deadline_ms, err);
	secret_free(context.tls);
	secret_free(context.ca);
	free(context.servers);
	free(context.tls_name);
	free(context.ca_name);
	return status;
}
