/*
 * See include/consul/observe.h.
 *
 * What the servers are asked waits for the StatefulSet and its pods only; claims and budget come meanwhile.
 */
#include "consul/observe.h"

#include <inttypes.h>
#include <string.h>

#include "consul/ask.h"
#include "consul/discover.h"
#include "consul/expect.h"
#include "consul/tell.h"
#include "kube/websocket.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* Connections opened before it is known how many servers there are: most clusters have three. */
#define WARM_CONNECTIONS 3

/* All pods of the namespace are listed at once with the StatefulSet, unless there are more than this: kubectl's page.
 */
#define PODS_AT_ONCE 500

/* More claims than this are not looked through. */
#define CLAIMS_AT_ONCE "5000"

enum { CALL_SET, CALL_PODS, CALL_CLAIMS, CALL_BUDGETS, CALL_BUDGETS_BETA, CALL_CONFIG, CALLS };

struct observing {
	struct kube_client *client;
	const struct observe_options *options;
	const char *name;
	char *paths[CALLS];
	struct kube_call calls[CALLS];
	bool done[CALLS];
};

static char *make_path(const char *group, const char *namespace_name, const char *rest)
{
	struct buf path = BUF_TEXT;

	buf_addf(&path, "%s/namespaces/", group);
	buf_add_url(&path, namespace_name);
	buf_addf(&path, "/%s", rest);
	return buf_detach(&path);
}

static void on_call_done(void *context, struct kube_call *call)
{
	struct observing *observing = context;

	observing->done[call - observing->calls] = true;
}

static void start_call(struct observing *observing, int which, char *path)
{
	observing->done[which] = false;
	observing->paths[which] = path;
	observing->calls[which] = (struct kube_call){ .method = KUBE_GET, .path = path };
	kube_client_start(observing->client, &observing->calls[which], observing->options->deadline_ms, on_call_done,
	                  observing);
}

static void release_call(struct observing *observing, int which)
{
	kube_client_cancel(observing->client, &observing->calls[which]);
	kube_call_release(&observing->calls[which]);
	replace_string(&observing->paths[which], NULL);
}

static bool set_and_pods_done(void *context)
{
	const struct observing *observing = context;

	return observing->done[CALL_SET] && observing->done[CALL_PODS];
}

static bool all_done(void *context)
{
	const struct observing *observing = context;

	for (int i = 0; i < CALLS; i++)
		if (!observing->done[i])
			return false;
	return true;
}

static int wait_for(struct observing *observing, bool (*is_done)(void *context), struct err *err)
{
	/* Each call ends at the deadline by itself, with an error that names it. */
	return loop_run(kube_client_loop(observing->client), is_done, observing, CLOCK_NEVER, err);
}

static void start_set(struct observing *observing)
{
	_cleanup_buf_ struct buf set = BUF_TEXT;

	buf_adds(&set, "statefulsets/");
	buf_add_url(&set, observing->name);
	start_call(observing, CALL_SET, make_path("/apis/apps/v1", observing->options->namespace_name, buf_text(&set)));
}

/* That of a cluster which deploy made: whether this is one shows only when the StatefulSet is there. */
static void start_config(struct observing *observing)
{
	_cleanup_buf_ struct buf config = BUF_TEXT;

	buf_adds(&config, "configmaps/");
	buf_add_url(&config, observing->name);
	buf_adds(&config, "-server");
	start_call(observing, CALL_CONFIG, make_path("/api/v1", observing->options->namespace_name, buf_text(&config)));
}

static void start_all(struct observing *observing)
{
	const char *namespace_name = observing->options->namespace_name;
	_cleanup_free_ char *pods = xasprintf("pods?limit=%d", PODS_AT_ONCE);

	start_set(observing);
	start_call(observing, CALL_PODS, make_path("/api/v1", namespace_name, pods));
	start_call(observing, CALL_CLAIMS,
	           make_path("/api/v1", namespace_name, "persistentvolumeclaims?limit=" CLAIMS_AT_ONCE));
	/* v1 from Kubernetes 1.21, v1beta1 before; asking both costs less than asking one after the other. */
	start_call(observing, CALL_BUDGETS, make_path("/apis/policy/v1", namespace_name, "poddisruptionbudgets"));
	start_call(observing, CALL_BUDGETS_BETA,
	           make_path("/apis/policy/v1beta1", namespace_name, "poddisruptionbudgets"));
	if (observing->options->autopilot)
		start_config(observing);
	else
		observing->done[CALL_CONFIG] = true;
}

/* Nothing at all is there: perhaps because the namespace is not. Who may not see namespaces is not told so. */
static int check_namespace(const cJSON *list, struct kube_call *call, struct err *err)
{
	const cJSON *items = json_get(list, "items");

	/* What else is not found may be the path, to a server that is none of Kubernetes' own. */
	if ((items && items->child) || call->err.kind != ERR_NOT_FOUND ||
	    !str_starts_with(call->err.message, "namespaces "))
		return 0;
	err_move(err, &call->err);
	return err_hint(err, "kubectl get namespaces shows those there are; -n chooses one");
}

/* No StatefulSet of the wanted name: another one may be meant (consul/discover.h). */
static int find_other(struct observing *observing, char **ret_name, struct err *err)
{
	const char *namespace_name = observing->options->namespace_name;
	_cleanup_free_ char *sets_path = make_path("/apis/apps/v1", namespace_name, "statefulsets");
	_cleanup_free_ char *namespace_path = make_path("/api/v1", namespace_name, "");
	struct kube_call calls[2] = { { .method = KUBE_GET, .path = sets_path },
		                      { .method = KUBE_GET, .path = namespace_path } };
	int status;

	namespace_path[strlen(namespace_path) - 1] = '\0'; /* the namespace itself */
	status = kube_client_perform(observing->client, calls, 2, observing->options->deadline_ms, err);
	if (status == 0 && err_is_set(&calls[0].err))
		status = err_move(err, &calls[0].err);
	if (status == 0)
		status = check_namespace(calls[0].json, &calls[1], err);
	if (status == 0)
		status = discover_other(calls[0].json, namespace_name, observing->name,
		                        observing->options->name != NULL, ret_name, err);
	kube_call_release(&calls[0]);
	kube_call_release(&calls[1]);
	return status;
}

/* ----------------------------------------------------------------------------------- from JSON to snapshot */

static int take_set(struct observing *observing, struct snapshot *snapshot, struct err *err)
{
	struct kube_call *call = &observing->calls[CALL_SET];

	if (err_is_set(&call->err))
		return err_move(err, &call->err);
	return kube_statefulset_decode(call->json, &snapshot->set, err);
}

static bool belongs_to(const struct kube_pod *pod, const struct kube_statefulset *set)
{
	return str_equal(pod->owner_kind, "StatefulSet") && str_equal(pod->owner_name, set->name) &&
	       (!pod->owner_uid || !set->uid || str_equal(pod->owner_uid, set->uid));
}

static struct server *add_server(struct snapshot *snapshot)
{
	struct server *server;

	snapshot->servers = xreallocarray(snapshot->servers, snapshot->server_count + 1, sizeof(*snapshot->servers));
	server = &snapshot->servers[snapshot->server_count++];
	*server = (struct server){ .ordinal = -1, .pod = KUBE_POD_INIT, .view = VIEW_INIT };
	return server;
}

static int take_pods(const cJSON *list, struct snapshot *snapshot, struct err *err)
{
	const cJSON *items, *item;

	if (kube_list_items(list, &items, err) < 0)
		return -1;
	cJSON_ArrayForEach (item, items) {
		struct kube_pod pod = KUBE_POD_INIT;
		struct server *server;

		if (kube_pod_decode(item, &pod, err) < 0) {
			kube_pod_release(&pod);
			return -1;
		}
		if (!belongs_to(&pod, &snapshot->set)) {
			kube_pod_release(&pod);
			continue;
		}
		server = add_server(snapshot);
		server->name = xstrdup(pod.name);
		server->ordinal = kube_ordinal(snapshot->set.name, pod.name);
		server->has_pod = true;
		server->pod = pod;
		server->container = discover_container(&server->pod);
	}
	return 0;
}

static int add_missing(struct snapshot *snapshot, struct err *err)
{
	const struct kube_statefulset *set = &snapshot->set;

	if (set->replicas > OBSERVE_SERVERS_MAX)
		return err_set(err, ERR_TOO_LARGE,
		               "StatefulSet \"%s\" is scaled to %" PRId64 " servers; more than %d are not looked at",
		               set->name, set->replicas, OBSERVE_SERVERS_MAX);
	for (int64_t ordinal = set->ordinal_start; ordinal < set->ordinal_start + set->replicas; ordinal++) {
		_cleanup_free_ char *name = xasprintf("%s-%" PRId64, set->name, ordinal);

		if (!snapshot_server_by_name(snapshot, name)) {
			struct server *server = add_server(snapshot);

			server->name = TAKE(name);
			server->ordinal = ordinal;
		}
	}
	return 0;
}

static int compare_servers(const void *a, const void *b)
{
	const struct server *left = a, *right = b;

	if ((left->ordinal < 0) != (right->ordinal < 0))
		return left->ordinal < 0 ? 1 : -1;
	if (left->ordinal != right->ordinal)
		return left->ordinal < right->ordinal ? -1 : 1;
	return strcmp(left->name, right->name);
}

static bool mounts(const cJSON *pod, const char *claim_name)
{
	const cJSON *volumes = json_at(pod, "spec.volumes"), *volume;

	cJSON_ArrayForEach (volume, volumes)
		if (str_equal(json_string_at(volume, "persistentVolumeClaim.claimName"), claim_name))
			return true;
	return false;
}

/* A pod that is none of the servers and mounts the claim: somebody looks into the data, or saves it. NULL: there is
 * none. */
static const char *find_user(struct observing *observing, const struct snapshot *snapshot, const char *claim_name)
{
	const cJSON *items = json_get(observing->calls[CALL_PODS].json, "items"), *item;

	cJSON_ArrayForEach (item, items) {
		const char *name = json_string_at(item, "metadata.name");
		const struct server *server = name ? snapshot_server_by_name(snapshot, name) : NULL;

		if (name && !(server && server->has_pod) && mounts(item, claim_name))
			return name;
	}
	return NULL;
}

static void take_claims(struct observing *observing, struct snapshot *snapshot)
{
	struct kube_call *call = &observing->calls[CALL_CLAIMS];
	const cJSON *items, *item;

	if (err_is_set(&call->err)) {
		err_move(&snapshot->claims_err, &call->err);
		return;
	}
	if (kube_list_items(call->json, &items, &snapshot->claims_err) < 0)
		return;
	if (!str_is_empty(json_string_at(call->json, "metadata.continue"))) {
		err_set(&snapshot->claims_err, ERR_TOO_LARGE, "the namespace has more than " CLAIMS_AT_ONCE " claims");
		return;
	}
	cJSON_ArrayForEach (item, items) {
		struct kube_claim claim = KUBE_CLAIM_INIT;

		if (kube_claim_decode(item, &claim, &snapshot->claims_err) < 0) {
			kube_claim_release(&claim);
			return;
		}
		if (snapshot_claim_ordinal(snapshot, claim.name) < 0) {
			kube_claim_release(&claim);
			continue;
		}
		claim.mounted_by = xstrdup_null(find_user(observing, snapshot, claim.name));
		snapshot->claims =
		    xreallocarray(snapshot->claims, snapshot->claim_count + 1, sizeof(*snapshot->claims));
		snapshot->claims[snapshot->claim_count++] = claim;
	}
	snapshot->claims_known = true;
}

/* The labels of one of the set's pods as the API server sent them: what a budget's selector is matched with. */
static const cJSON *some_pod_labels(struct observing *observing, const struct snapshot *snapshot)
{
	const cJSON *items = json_get(observing->calls[CALL_PODS].json, "items"), *item;

	cJSON_ArrayForEach (item, items) {
		const char *name = json_string_at(item, "metadata.name");

		if (name && snapshot_server_by_name(snapshot, name))
			return json_at(item, "metadata.labels");
	}
	return json_at(observing->calls[CALL_SET].json, "spec.template.metadata.labels");
}

static void take_budget(struct observing *observing, struct snapshot *snapshot)
{
	struct budget_state *state = &snapshot->budget;
	struct kube_call *call = &observing->calls[CALL_BUDGETS];
	const cJSON *labels = some_pod_labels(observing, snapshot), *items, *item;

	if (call->err.kind == ERR_NOT_FOUND)
		call = &observing->calls[CALL_BUDGETS_BETA];
	if (err_is_set(&call->err)) {
		err_move(&state->err, &call->err);
		return;
	}
	if (kube_list_items(call->json, &items, &state->err) < 0)
		return;
	cJSON_ArrayForEach (item, items) {
		struct kube_budget budget = KUBE_BUDGET_INIT;

		if (kube_budget_decode(item, &budget, &state->err) < 0) {
			kube_budget_release(&budget);
			return;
		}
		if (!state->exists && kube_budget_matches(&budget, labels)) {
			state->exists = true;
			state->budget = budget;
		} else {
			kube_budget_release(&budget);
		}
	}
	state->known = true;
}

/* ------------------------------------------------------------------------------------------ asking */

/* Why a server cannot be asked now, as the err of all its planes; 0 when it can. */
static int cannot_ask(const struct server *server, struct err *err)
{
	if (!server->has_pod)
		return err_set(err, ERR_NOT_FOUND, "there is no pod %s", server->name);
	if (!server->container)
		return err_set(err, ERR_FAILED, "pod %s has several containers and none is named consul", server->name);
	if (!str_equal(server->pod.phase, "Running"))
		return err_set(err, ERR_UNAVAILABLE, "pod %s is %s", server->name,
		               server->pod.phase ? server->pod.phase : "in no phase");
	if (!server->container->running)
		return err_set(err, ERR_UNAVAILABLE, "container %s of pod %s is not running%s%s",
		               server->container->name, server->name, server->container->waiting_reason ? ": " : "",
		               server->container->waiting_reason ? server->container->waiting_reason : "");
	return 0;
}

static int ask_servers(struct observing *observing, struct snapshot *snapshot, struct err *err)
{
	struct ask_target *targets = xcalloc(snapshot->server_count, sizeof(*targets));
	size_t count = 0;
	int status;

	for (size_t i = 0; i < snapshot->server_count; i++) {
		struct server *server = &snapshot->servers[i];

		if (cannot_ask(server, &server->view.members_err) < 0) {
			err_copy(&server->view.peers_err, &server->view.members_err);
			err_copy(&server->view.self_err, &server->view.members_err);
			continue;
		}
		targets[count++] =
		    (struct ask_target){ .pod = &server->pod, .container = server->container, .view = &server->view };
	}
	status = ask_views(observing->client, targets, count, observing->options->access,
	                   observing->options->deadline_ms, err);
	free(targets);
	return status;
}

/* Whoever says so himself is asked; whether the others agree is not for us to judge. */
static const struct server *find_leader(const struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct view *view = &snapshot->servers[i].view;

		if (view->self_known && view->self.role == RAFT_LEADER)
			return &snapshot->servers[i];
	}
	return NULL;
}

static int ask_autopilot(struct observing *observing, struct snapshot *snapshot, struct err *err)
{
	const struct server *leader = find_leader(snapshot);

	if (leader)
		return tell_autopilot(observing->client, leader, observing->options->access,
		                      observing->options->deadline_ms, &snapshot->autopilot, err);
	err_set(&snapshot->autopilot.err, ERR_UNAVAILABLE,
	        "no server says that it leads, and autopilot's settings are the leader's to tell");
	return 0;
}

/* More pods in the namespace than are listed at once: the set's own, by its selector. */
static int list_pods_again(struct observing *observing, const struct kube_statefulset *set, struct err *err)
{
	_cleanup_buf_ struct buf query = BUF_TEXT;

	buf_adds(&query, "pods?labelSelector=");
	buf_add_url(&query, set->selector ? set->selector : "");
	release_call(observing, CALL_PODS);
	start_call(observing, CALL_PODS, make_path("/api/v1", observing->options->namespace_name, buf_text(&query)));
	return wait_for(observing, set_and_pods_done, err);
}

static int find_set(struct observing *observing, char **ret_other, struct err *err)
{
	if (wait_for(observing, set_and_pods_done, err) < 0)
		return -1;
	if (observing->calls[CALL_SET].err.kind != ERR_NOT_FOUND)
		return 0;
	if (find_other(observing, ret_other, err) < 0)
		return -1;
	observing->name = *ret_other;
	release_call(observing, CALL_SET);
	start_set(observing);
	if (observing->options->autopilot) {
		release_call(observing, CALL_CONFIG);
		start_config(observing);
	}
	return wait_for(observing, set_and_pods_done, err);
}

static int observe_pods(struct observing *observing, struct snapshot *snapshot, struct err *err)
{
	struct kube_call *call = &observing->calls[CALL_PODS];

	if (take_set(observing, snapshot, err) < 0)
		return -1;
	snapshot->mounts_unknown =
	    !err_is_set(&call->err) && !str_is_empty(json_string_at(call->json, "metadata.continue"));
	if (snapshot->mounts_unknown && list_pods_again(observing, &snapshot->set, err) < 0)
		return -1;
	if (err_is_set(&call->err))
		return err_move(err, &call->err);
	if (take_pods(call->json, snapshot, err) < 0 || add_missing(snapshot, err) < 0)
		return -1;
	if (snapshot->server_count > 0)
		qsort(snapshot->servers, snapshot->server_count, sizeof(*snapshot->servers), compare_servers);
	/* Sorting moved the pods that the containers are borrowed from. */
	for (size_t i = 0; i < snapshot->server_count; i++)
		if (snapshot->servers[i].has_pod)
			snapshot->servers[i].container = discover_container(&snapshot->servers[i].pod);
	return 0;
}

static void take_token(const struct access *access, struct token_state *ret)
{
	if (access->given)
		ret->source = TOKEN_GIVEN;
	else if (access->found)
		ret->source = TOKEN_FOUND;
	else
		err_copy(&ret->err, &access->err);
}

int observe(struct kube_client *client, const struct observe_options *options, struct snapshot *ret_snapshot,
            struct err *err)
{
	struct observing observing = { .client = client, .options = options };
	_cleanup_free_ char *other = NULL;
	int status;

	observing.name = options->name ? options->name : OBSERVE_DEFAULT_NAME;
	ret_snapshot->namespace_name = xstrdup(options->namespace_name);
	ret_snapshot->taken_at = clock_wall_s();
	start_all(&observing);
	kube_websocket_warm(client, WARM_CONNECTIONS);
	status = find_set(&observing, &other, err);
	/* Ages are told from what the API server wrote down: by its clock, not by one that may be hours wrong. */
	if (observing.calls[CALL_SET].answered_at > 0)
		ret_snapshot->taken_at = observing.calls[CALL_SET].answered_at;
	if (status == 0)
		status = observe_pods(&observing, ret_snapshot, err);
	if (status == 0 && options->access)
		status = access_look(options->access, client, options->namespace_name, &ret_snapshot->set,
		                     options->deadline_ms, err);
	if (status == 0 && options->access)
		take_token(options->access, &ret_snapshot->token);
	if (status == 0)
		status = ask_servers(&observing, ret_snapshot, err);
	if (status == 0 && options->autopilot)
		status = ask_autopilot(&observing, ret_snapshot, err);
	if (status == 0)
		status = wait_for(&observing, all_done, err);
	if (status == 0) {
		take_claims(&observing, ret_snapshot);
		take_budget(&observing, ret_snapshot);
		if (options->autopilot)
			expect_read(ret_snapshot, &observing.calls[CALL_CONFIG], find_leader(ret_snapshot),
			            &ret_snapshot->expect);
	}
	kube_websocket_cool(client);
	for (int i = 0; i < CALLS; i++)
		release_call(&observing, i);
	return status;
}
