/* See cluster_secrets.h. */
#include "cluster_secrets.h"

#include <stdlib.h>
#include <string.h>

#include "util/base64.h"
#include "util/json.h"
#include "util/mem.h"

/* What bootstrapping gives out when it chooses. */
#define CHOSEN "c405e000-0000-4000-8000-%012d"

static void say(struct http_answer *answer, int status, char *text)
{
	answer->status = status;
	answer->scratch.max = BUF_TEXT_MAX;
	buf_adds(&answer->scratch, text);
	answer->body = answer->scratch.data;
	free(text);
}

static void say_json(struct http_answer *answer, cJSON *json)
{
	say(answer, 200, json_text(json));
	cJSON_Delete(json);
}

/* True: it fails now, and is not done. */
static bool fails_before(struct cluster_secrets *secrets)
{
	secrets->writes++;
	return secrets->writes == secrets->fail_at && !secrets->fail_after;
}

static bool fails_after(const struct cluster_secrets *secrets)
{
	return secrets->writes == secrets->fail_at && secrets->fail_after;
}

static void fail(struct http_answer *answer)
{
	buf_clear(&answer->scratch);
	say(answer, 500, xstrdup("rpc error: the connection broke"));
}

/* ----------------------------------------------------------------------------------------- Secrets */

static cJSON *secret_of(struct cluster_secrets *secrets, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(secrets->secrets, name);
}

static void set_version(struct cluster_secrets *secrets, cJSON *secret)
{
	json_set(cJSON_GetObjectItem(secret, "metadata"), "resourceVersion", json_stringf("%d", ++secrets->version));
}

void cluster_secrets_put(struct cluster_secrets *secrets, const char *name, const char *key, const char *text)
{
	cJSON *secret = secret_of(secrets, name);
	char *encoded = text ? base64_encode(text, strlen(text)) : NULL;

	if (!secret) {
		secret = json_object(
		    "kind", json_string("Secret"), "metadata",
		    json_object("name", json_string(name), "namespace", json_string("consul"), "labels",
		                json_object("app.kubernetes.io/managed-by", json_string("kubectl-consul"), NULL), NULL),
		    "data", cJSON_CreateObject(), NULL);
		json_set(secrets->secrets, name, secret);
	}
	json_set(cJSON_GetObjectItem(secret, "data"), key, json_string(encoded));
	set_version(secrets, secret);
	free(encoded);
}

char *cluster_secrets_get(struct cluster_secrets *secrets, const char *name, const char *key)
{
	const char *encoded = cJSON_GetStringValue(json_get(json_get(secret_of(secrets, name), "data"), key));
	struct buf text = BUF_TEXT;
	struct err err = ERR_INIT;

	if (!encoded)
		return NULL;
	if (base64_decode(encoded, &text, &err) < 0)
		abort();
	return buf_detach(&text);
}

static void merge(cJSON *secret, const cJSON *patch)
{
	cJSON *data = cJSON_GetObjectItem(secret, "data");
	const cJSON *item;

	cJSON_ArrayForEach (item, json_get(patch, "data"))
		json_set(data, item->string, cJSON_IsNull(item) ? NULL : cJSON_Duplicate(item, true));
}

static void change_secret(struct cluster_secrets *secrets, cJSON *secret, const struct apiserver_request *request,
                          struct http_answer *answer)
{
	cJSON *patch = cJSON_Parse(request->body), *copy;

	if (!str_equal(json_string_at(patch, "metadata.resourceVersion"),
	               json_string_at(secret, "metadata.resourceVersion"))) {
		say(answer, 409, xstrdup(STATUS_FAILURE(409, "Conflict", "the object has been modified")));
	} else if (strstr(request->query, "dryRun=All")) {
		copy = cJSON_Duplicate(secret, true);
		merge(copy, patch);
		say_json(answer, copy);
	} else if (fails_before(secrets)) {
		fail(answer);
	} else {
		merge(secret, patch);
		set_version(secrets, secret);
		say_json(answer, cJSON_Duplicate(secret, true));
		if (fails_after(secrets))
			fail(answer);
	}
	cJSON_Delete(patch);
}

static void answer_secret(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct cluster_secrets *secrets = context;
	cJSON *secret = secret_of(secrets, strrchr(request->path, '/') + 1);

	if (!secret)
		say(answer, 404, xstrdup(STATUS_FAILURE(404, "NotFound", "secrets not found")));
	else if (str_equal(request->method, "PATCH"))
		change_secret(secrets, secret, request, answer);
	else
		say_json(answer, cJSON_Duplicate(secret, true));
}

/* -------------------------------------------------------------------------------------------- ACLs */

static void bootstrap(struct cluster_secrets *secrets, const cJSON *body, struct http_answer *answer)
{
	const char *given = json_string_at(body, "BootstrapSecret");
	_cleanup_free_ char *chosen = xasprintf(CHOSEN, (int)secrets->managers.count);
	const char *token = given && !secrets->chooses ? given : chosen;

	if (secrets->bootstrapped && !secrets->reset) {
		say(answer, 403, xstrdup("Permission denied: ACL bootstrap no longer allowed (reset index: 11)"));
		return;
	}
	secrets->bootstrapped = true;
	secrets->reset = false;
	strv_add(&secrets->managers, token);
	say_json(answer, json_object("ID", json_string(token), "SecretID", json_string(token), NULL));
}

static void add_policy(struct cluster_secrets *secrets, const cJSON *body, struct http_answer *answer)
{
	const char *name = json_string_at(body, "Name");

	if (strv_contains(&secrets->policies, name)) {
		say(answer, 500, xasprintf("Invalid Policy: A Policy with Name \"%s\" already exists", name));
		return;
	}
	strv_add(&secrets->policies, name);
	say_json(answer, json_object("Name", json_string(name), NULL));
}

static void add_token(struct cluster_secrets *secrets, const cJSON *body, struct http_answer *answer)
{
	const char *token = json_string_at(body, "SecretID");
	const char *policy = cJSON_GetStringValue(json_get(json_get(body, "Policies")->child, "Name"));

	if (strv_contains(&secrets->tokens, token))
		say(answer, 500, xstrdup("Invalid Token: SecretID is already in use"));
	else if (!strv_contains(&secrets->policies, policy))
		say(answer, 500, xstrdup("No such policy"));
	else {
		strv_add(&secrets->tokens, token);
		say_json(answer, json_object("SecretID", json_string(token), NULL));
	}
}

static void list_policies(const struct cluster_secrets *secrets, struct http_answer *answer)
{
	cJSON *list = json_array(json_object("Name", json_string("global-management"), NULL));

	for (size_t i = 0; i < secrets->policies.count; i++)
		cJSON_AddItemToArray(list, json_object("Name", json_string(secrets->policies.items[i]), NULL));
	say_json(answer, list);
}

static void write_acl(struct cluster_secrets *secrets, const struct apiserver_request *request,
                      struct http_answer *answer)
{
	cJSON *body = cJSON_Parse(request->body);

	if (fails_before(secrets)) {
		fail(answer);
	} else {
		if (str_ends_with(request->path, "/bootstrap"))
			bootstrap(secrets, body, answer);
		else if (str_ends_with(request->path, "/policy"))
			add_policy(secrets, body, answer);
		else
			add_token(secrets, body, answer);
		if (fails_after(secrets))
			fail(answer);
	}
	cJSON_Delete(body);
}

static void answer_acl(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct cluster_secrets *secrets = context;
	_cleanup_free_ char *token = apiserver_request_header(request, "X-Consul-Token");
	bool manages = token && strv_contains(&secrets->managers, token);

	if (secrets->acl_refusal)
		say(answer, secrets->acl_status, xstrdup(secrets->acl_refusal));
	else if (token && !manages && !strv_contains(&secrets->tokens, token))
		say(answer, 403, xstrdup("ACL not found"));
	else if (str_ends_with(request->path, "/token/self"))
		say_json(answer, json_object("SecretID", json_string(token), NULL));
	else if (!manages && !str_ends_with(request->path, "/bootstrap"))
		say(answer, 403, xstrdup("Permission denied"));
	else if (str_equal(request->method, "PUT"))
		write_acl(secrets, request, answer);
	else
		list_policies(secrets, answer);
}

static void write_reset_file(void *context, const struct exec_request *request, struct exec_answer *answer)
{
	struct cluster_secrets *secrets = context;

	(void)answer;
	/* It counts on the leader only. */
	secrets->reset = str_equal(request->pod, "consul-0") && str_ends_with(request->command, " sh 11");
}

/* ----------------------------------------------------------------------------------------- keyring */

static int nodes_of(const struct cluster_secrets *secrets)
{
	return secrets->nodes ? secrets->nodes : 3;
}

static struct cluster_key *find_key(struct cluster_secrets *secrets, const char *key)
{
	for (int i = 0; i < CLUSTER_KEYS_MAX; i++)
		if (secrets->keys[i].key && str_equal(secrets->keys[i].key, key))
			return &secrets->keys[i];
	return NULL;
}

void cluster_secrets_add_key(struct cluster_secrets *secrets, const char *key, int holders, int users)
{
	for (int i = 0; i < CLUSTER_KEYS_MAX; i++) {
		if (secrets->keys[i].key)
			continue;
		secrets->keys[i] = (struct cluster_key){ xstrdup(key), holders, users };
		return;
	}
	abort();
}

char *cluster_secrets_ring(const struct cluster_secrets *secrets)
{
	struct buf text = BUF_TEXT;

	for (int i = 0; i < CLUSTER_KEYS_MAX; i++)
		if (secrets->keys[i].key)
			buf_addf(&text, "%s%s %d/%d", text.len ? ", " : "", secrets->keys[i].key,
			         secrets->keys[i].holders, secrets->keys[i].users);
	return buf_detach(&text);
}

static cJSON *pool_json(const struct cluster_secrets *secrets, bool is_wan)
{
	cJSON *keys = cJSON_CreateObject(), *primary = cJSON_CreateObject();

	for (int i = 0; i < CLUSTER_KEYS_MAX; i++) {
		const struct cluster_key *key = &secrets->keys[i];

		if (key->key)
			json_set(keys, key->key, json_int(key->holders));
		if (key->key && key->users)
			json_set(primary, key->key, json_int(key->users));
	}
	if (secrets->hides_users) {
		cJSON_Delete(primary);
		primary = NULL;
	}
	return json_object("WAN", json_bool(is_wan), "Datacenter", json_string("dc1"), "Keys", keys, "PrimaryKeys",
	                   primary, "NumNodes", json_int(nodes_of(secrets)), NULL);
}

static void install(struct cluster_secrets *secrets, const char *text)
{
	struct cluster_key *key = find_key(secrets, text);

	if (key)
		key->holders = nodes_of(secrets);
	else
		cluster_secrets_add_key(secrets, text, nodes_of(secrets) - secrets->slow_install, 0);
}

/* NULL: done; else what is wrong. */
static const char *change_ring(struct cluster_secrets *secrets, const char *method, const char *text)
{
	struct cluster_key *key = find_key(secrets, text);

	if (str_equal(method, "POST")) {
		install(secrets, text);
		return NULL;
	}
	if (!key)
		return "WAN error: 3/3 nodes reported failure\n* consul-0: Requested key is not in the keyring";
	if (str_equal(method, "PUT")) {
		for (int i = 0; i < CLUSTER_KEYS_MAX; i++)
			secrets->keys[i].users = 0;
		key->users = nodes_of(secrets);
		return NULL;
	}
	if (key->users)
		return "consul-0: Removing the primary key is not allowed";
	free(key->key);
	key->key = NULL;
	return NULL;
}

static void answer_keyring(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	struct cluster_secrets *secrets = context;
	const char *wrong;
	cJSON *body;

	if (str_equal(request->method, "GET")) {
		say_json(answer, json_array(pool_json(secrets, true), pool_json(secrets, false)));
		return;
	}
	if (fails_before(secrets)) {
		fail(answer);
		return;
	}
	body = cJSON_Parse(request->body);
	wrong = change_ring(secrets, request->method, json_string_at(body, "Key"));
	cJSON_Delete(body);
	if (wrong)
		say(answer, 500, xstrdup(wrong));
	if (fails_after(secrets))
		fail(answer);
}

/* --------------------------------------------------------------------------------------------- all */

void cluster_secrets_begin(struct cluster_secrets *secrets)
{
	secrets->secrets = cJSON_CreateObject();
	secrets->routes[0] = (struct apiserver_route){ .path = "/api/v1/namespaces/consul/secrets/*",
		                                       .make = answer_secret,
		                                       .context = secrets };
	secrets->routes[1] =
	    (struct apiserver_route){ .pod = "*", .path = "/v1/acl/*", .make = answer_acl, .context = secrets };
	secrets->routes[2] = (struct apiserver_route){
		.pod = "*", .path = "/v1/operator/keyring", .make = answer_keyring, .context = secrets
	};
	secrets->execs[0] = (struct apiserver_exec){
		.pod = "*", .command = "*acl-bootstrap-reset*", .make = write_reset_file, .context = secrets
	};
	apiserver_add(cluster_api(secrets->cluster), secrets->routes, secrets->execs, NULL);
}

void cluster_secrets_end(struct cluster_secrets *secrets)
{
	for (int i = 0; i < CLUSTER_KEYS_MAX; i++)
		free(secrets->keys[i].key);
	strv_release(&secrets->managers);
	strv_release(&secrets->tokens);
	strv_release(&secrets->policies);
	cJSON_Delete(secrets->secrets);
}
