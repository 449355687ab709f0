/* deploy of a cluster that exists: what changes nothing, and the Lease that keeps two of them apart. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <criterion/criterion.h>

#include "util/base64.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define LEASE_PATH "/apis/coordination.k8s.io/v1/namespaces/consul/leases/consul-kubectl-consul"
/* After a third of its 20 s the Lease is due to be renewed. */
#define SLOW_MS 7000

/* An API server that keeps what it is given: the answer to each write, and to each GET of it from then on. */
struct kept {
	cJSON *objects; /* path -> object */
	int version;
	bool is_slow; /* the next PATCH of a ServiceAccount takes SLOW_MS, */
	bool is_lost; /* and somebody else takes the Lease over meanwhile */
	struct apiserver_route routes[2];
	struct apiserver *server;
	char *kubeconfig;
};

static void answer_json(struct http_answer *answer, int status, const cJSON *json)
{
	_cleanup_free_ char *text = json_text(json);

	answer->status = status;
	answer->scratch.max = BUF_TEXT_MAX;
	buf_clear(&answer->scratch);
	buf_adds(&answer->scratch, text);
	answer->body = buf_text(&answer->scratch);
}

/* As Secrets are read back. */
static void encode_secret(cJSON *object)
{
	const cJSON *strings = json_get(object, "stringData"), *item;
	cJSON *data = strings ? cJSON_CreateObject() : NULL;

	cJSON_ArrayForEach (item, strings) {
		_cleanup_free_ char *encoded = base64_encode(item->valuestring, strlen(item->valuestring));

		json_set(data, item->string, json_string(encoded));
	}
	if (!data)
		return;
	json_set(object, "data", data);
	json_set(object, "stringData", NULL);
}

static void new_version(struct kept *kept, cJSON *object)
{
	json_set(cJSON_GetObjectItemCaseSensitive(object, "metadata"), "resourceVersion",
	         json_stringf("%d", ++kept->version));
}

static void take_lease_over(struct kept *kept)
{
	cJSON *lease = cJSON_GetObjectItemCaseSensitive(kept->objects, LEASE_PATH);

	if (!lease)
		return;
	json_set(cJSON_GetObjectItemCaseSensitive(lease, "spec"), "holderIdentity",
	         json_string("bob@desk (pid 7, scale 5)"));
	new_version(kept, lease);
}

static void answer_write(struct kept *kept, const struct apiserver_request *request, struct http_answer *answer)
{
	cJSON *object = cJSON_Parse(request->body);
	_cleanup_free_ char *path = str_equal(request->method, "POST")
	                                ? xasprintf("%s/%s", request->path, json_string_at(object, "metadata.name"))
	                                : xstrdup(request->path);
	const cJSON *before = json_get(kept->objects, path);
	const char *version = json_string_at(object, "metadata.resourceVersion");

	if (version && !str_equal(version, json_string_at(before, "metadata.resourceVersion"))) {
		answer->status = 409;
		answer->body = STATUS_FAILURE(409, "Conflict", "the object has been modified");
		cJSON_Delete(object);
		return;
	}
	encode_secret(object);
	new_version(kept, object);
	answer_json(answer, before ? 200 : 201, object);
	if (strstr(request->query, "dryRun=All"))
		cJSON_Delete(object);
	else
		json_set(kept->objects, path, object);
}

static void answer_any(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct kept *kept = context;
	const cJSON *object = json_get(kept->objects, request->path);

	if (str_equal(request->method, "GET") && object) {
		answer_json(answer, 200, object);
		return;
	}
	/* Rights are not asked of it: what it does not know is not there. */
	if (str_equal(request->method, "GET") || strstr(request->path, "selfsubject")) {
		answer->status = HTTP_PASS;
		return;
	}
	answer_write(kept, request, answer);
	if (!kept->is_slow || !strstr(request->path, "/serviceaccounts/") || strstr(request->query, "dryRun=All"))
		return;
	answer->delay_ms = SLOW_MS;
	kept->is_slow = false;
	if (kept->is_lost)
		take_lease_over(kept);
}

static void run_deploy(struct kept *kept, struct run_result *ret_result)
{
	cli_run(kept->kubeconfig, RUN_ARGV("deploy", "--wait=false"), ret_result);
}

static void start(struct kept *kept)
{
	struct kubeconfig config = { .namespace_name = "consul" };

	kept->objects = cJSON_CreateObject();
	json_set(kept->objects, "/api/v1/namespaces/consul", json_object("kind", json_string("Namespace"), NULL));
	kept->routes[0] = (struct apiserver_route){ .path = "*", .make = answer_any, .context = kept };
	kept->server = apiserver_start(&(struct apiserver_options){ .routes = kept->routes });
	config.server = apiserver_url(kept->server);
	kept->kubeconfig = kubeconfig_text(&config);
}

/* Three servers were deployed to the namespace "consul". */
static void begin(struct kept *kept)
{
	struct run_result result;

	start(kept);
	run_deploy(kept, &result);
	cr_assert_eq(result.exit_code, 0, "%s%s", result.output, result.error_output);
	run_result_release(&result);
}

static void end(struct kept *kept)
{
	apiserver_stop(kept->server);
	cJSON_Delete(kept->objects);
	free(kept->kubeconfig);
}

static const char *holder(const struct kept *kept)
{
	return json_string_at(json_get(kept->objects, LEASE_PATH), "spec.holderIdentity");
}

/* Those that were no dry run. */
static size_t kept_patches(const struct kept *kept)
{
	size_t count = 0;

	for (size_t i = 0; i < apiserver_request_total(kept->server); i++) {
		const struct apiserver_request *request = apiserver_request_at(kept->server, i);

		count += str_equal(request->method, "PATCH") && !strstr(request->query, "dryRun=All");
	}
	return count;
}

Test(deploy_again, what_changes_nothing_is_done_with_the_lease_all_the_same)
{
	struct kept kept = { 0 };
	struct run_result result;

	begin(&kept);
	cr_assert_eq(apiserver_count(kept.server, NULL, "*/leases*"), 0);
	run_deploy(&kept, &result);
	cr_assert_eq(result.exit_code, 0, "%s%s", result.output, result.error_output);
	cli_assert_says(&result, "statefulset.apps/consul unchanged");
	cr_assert_eq(apiserver_count(kept.server, "POST", "*/leases"), 1);
	cr_assert(str_equal(holder(&kept) ? holder(&kept) : "", ""), "%s", holder(&kept));
	run_result_release(&result);
	end(&kept);
}

Test(deploy_again, the_lease_is_renewed_while_a_slow_api_server_takes_the_objects)
{
	struct kept kept = { 0 };
	struct run_result result;

	begin(&kept);
	kept.is_slow = true;
	run_deploy(&kept, &result);
	cr_assert_eq(result.exit_code, 0, "%s%s", result.output, result.error_output);
	/* That it may be renewed is tried at once; renewed; given back. */
	cr_assert_eq(apiserver_count(kept.server, "PUT", LEASE_PATH), 3);
	run_result_release(&result);
	end(&kept);
}

Test(deploy_again, who_lost_the_lease_sends_nothing_more)
{
	struct kept kept = { 0 };
	struct run_result result;
	size_t before;

	begin(&kept);
	before = kept_patches(&kept);
	kept.is_slow = kept.is_lost = true;
	run_deploy(&kept, &result);
	cr_assert_eq(result.exit_code, 1, "%d: %s%s", result.exit_code, result.output, result.error_output);
	cli_assert_says(&result, "bob@desk (pid 7, scale 5)");
	cr_assert_eq(kept_patches(&kept), before + 1, "%zu more", kept_patches(&kept) - before);
	cr_assert_str_eq(holder(&kept), "bob@desk (pid 7, scale 5)");
	run_result_release(&result);
	end(&kept);
}
