/* See include/consul/keyring.h: doing it. What is next is told in keyring_next.c. */
#include "consul/keyring.h"

#include <inttypes.h>
#include <stdlib.h>

#include "consul/agent.h"
#include "consul/deploy.h"
#include "consul/manifest.h"
#include "consul/secret.h"
#include "keyring_parts.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#define RING_PATH "/v1/operator/keyring"
#define KEY_NEXT  "next"

/* How long between two looks at the ring, while it does not have yet what it was told. */
enum { LOOK_MS = 1000 };
/*
 * The ring asks everybody, and waits for who does not answer: 3 s in the LAN, 8 s in the WAN (serf's query timeout).
 * Less than a Lease lasts.
 */
enum { REQUEST_MS = 15000 };
/* How often a server is told the same before it is given up. */
enum { SAME_MAX = 5 };

struct rotation {
	struct kube_client *client;
	const struct snapshot *snapshot;
	const struct access *access;
	const struct progress *progress;
	int64_t deadline_ms;

	const struct server *server; /* that is asked; it tells the others */
	int64_t alive;               /* how many are in gossip: as many must answer before each step */
	char *name;                  /* of the Secret */
	cJSON *secret;               /* that */
	char *current, *next;        /* secret */
	struct keyring ring;
	bool begun, used;
	bool resumed; /* the first step was not this run's own: so is the key that comes of it */
};

static void rotation_release(struct rotation *rotation)
{
	keyring_release(&rotation->ring);
	free_secret(rotation->current);
	free_secret(rotation->next);
	secret_free(rotation->secret);
	free(rotation->name);
}

static int64_t request_end_ms(const struct rotation *rotation)
{
	int64_t end_ms = clock_monotonic_ms() + REQUEST_MS;

	return end_ms < rotation->deadline_ms ? end_ms : rotation->deadline_ms;
}

/* ----------------------------------------------------------------------------------------- Secret */

static int take_secret(struct rotation *rotation, struct err *err)
{
	char *file = NULL, *current = NULL, *next = NULL;
	int status = secret_text(rotation->secret, MANIFEST_GOSSIP_FILE, &file, err);

	if (status == 0 && keyring_decode_gossip(file ? file : "", &current, err) < 0)
		status = err_wrap(err, "secret/%s", rotation->name);
	if (status == 0)
		status = secret_text(rotation->secret, KEY_NEXT, &next, err);
	free_secret(file);
	if (status < 0) {
		free_secret(current);
		return -1;
	}
	free_secret(rotation->current);
	free_secret(rotation->next);
	rotation->current = current;
	rotation->next = next;
	return 0;
}

static int read_secret(struct rotation *rotation, struct err *err)
{
	if (secret_read(rotation->client, rotation->snapshot->namespace_name, rotation->name, request_end_ms(rotation),
	                &rotation->secret, err) < 0) {
		if (err->kind == ERR_NOT_FOUND)
			err->kind = ERR_REFUSED;
		return err_hint(err, "only the key of a cluster that deploy made is changed");
	}
	if (!manifest_is_ours(rotation->secret))
		return err_set(err, ERR_REFUSED, "secret/%s was not made by deploy: who made it must change the key",
		               rotation->name);
	return take_secret(rotation, err);
}

static int change_secret(struct rotation *rotation, const struct secret_change *changes, size_t count, struct err *err)
{
	if (progress_keep(rotation->progress, err) < 0)
		return -1;
	if (secret_change(rotation->client, &rotation->secret, changes, count, false, request_end_ms(rotation), err) <
	    0) {
		if (err->kind == ERR_CONFLICT)
			err_hint(err, "somebody changes it at the same time; run it again when they are done");
		return -1;
	}
	return take_secret(rotation, err);
}

/* ------------------------------------------------------------------------------------------- ring */

static int refused(const struct rotation *rotation, const struct agent_call *call, const char *what, struct err *err)
{
	const char *name = rotation->server->name;
	_cleanup_free_ char *words = agent_words(call);

	if (call->http_status == 403 || strstr(words, "denied by ACLs") || strstr(words, "Permission denied") ||
	    strstr(words, "ACL not found")) {
		err_set(err, ERR_FORBIDDEN, "Consul on %s refuses to %s: %s", name, what, words);
		return err_hint(err, "the ACL token needs keyring:write; --token-file gives another one");
	}
	return err_set(err, ERR_FAILED, "Consul on %s, told to %s, answers %ld: %s", name, what, call->http_status,
	               words);
}

/* body: NULL for none. On success call has the answer. */
static int request(struct rotation *rotation, enum kube_method method, const char *key, const char *what,
                   struct agent_call *call, struct err *err)
{
	char *body;
	int status;

	if (progress_keep(rotation->progress, err) < 0)
		return -1;
	body = key ? keyring_body(key) : NULL;
	call->method = method;
	call->path = RING_PATH;
	call->body = body;
	status = agent_call(rotation->client, rotation->server, rotation->access, call, request_end_ms(rotation), err);
	if (status == 0 && call->http_status != 200)
		status = refused(rotation, call, what, err);
	call->body = NULL;
	free_secret(body);
	return status;
}

static int look(struct rotation *rotation, struct err *err)
{
	struct agent_call call = AGENT_CALL_INIT;
	struct keyring ring = KEYRING_INIT;
	int status = request(rotation, KUBE_GET, NULL, "list the gossip keys", &call, err);

	if (status == 0 && keyring_decode(buf_text(&call.answer), call.answer.len, &ring, err) < 0)
		status = err_wrap(err, "Consul on %s", rotation->server->name);
	agent_call_release(&call);
	if (status < 0)
		return -1;
	keyring_release(&rotation->ring);
	rotation->ring = ring;
	return 0;
}

/* Who does not answer now would keep the old key alone. */
static int check_complete(const struct rotation *rotation, struct err *err)
{
	for (size_t i = 0; i < rotation->ring.pool_count; i++) {
		const struct keyring_pool *pool = &rotation->ring.pools[i];
		int64_t wanted = pool->is_wan ? rotation->snapshot->set.replicas : rotation->alive;
		_cleanup_free_ char *health = NULL;

		if (pool->nodes >= wanted)
			continue;
		health = progress_command(rotation->snapshot, "health");
		err_set(err, ERR_REFUSED,
		        "only %" PRId64 " of %" PRId64 " in the %s gossip answer %s: nothing more is changed while "
		        "somebody is away",
		        pool->nodes, wanted, pool->is_wan ? "WAN" : "LAN", rotation->server->name);
		return err_hint(err, "wait until `%s` is HEALTHY, and run it again: it goes on where it is", health);
	}
	return 0;
}

/* ------------------------------------------------------------------------------------------- steps */

static int prepare(struct rotation *rotation, struct err *err)
{
	struct secret_change change = { .key = KEY_NEXT };
	char *key = NULL;
	int status;

	if (deploy_gossip_key(&key, err) < 0)
		return -1;
	change.text = key;
	status = change_secret(rotation, &change, 1, err);
	free_secret(key);
	if (status == 0)
		progress_tell(rotation->progress, "a new gossip key is in secret/%s, as the next one", rotation->name);
	return status;
}

static int order(struct rotation *rotation, enum kube_method method, const char *key, const char *what,
                 const char *done, struct err *err)
{
	struct agent_call call = AGENT_CALL_INIT;
	int status = request(rotation, method, key, what, &call, err);

	agent_call_release(&call);
	if (status == 0)
		progress_tell(rotation->progress, "%s all %" PRId64 " agents", done, rotation->alive);
	return status;
}

static int keep(struct rotation *rotation, const char *key, struct err *err)
{
	char *file = keyring_gossip_file(key);
	const struct secret_change changes[] = { { MANIFEST_GOSSIP_FILE, file }, { KEY_NEXT, NULL } };
	int status = change_secret(rotation, changes, ARRAY_SIZE(changes), err);

	free_secret(file);
	if (status == 0)
		progress_tell(rotation->progress, "secret/%s has the new key: servers without data begin with it",
		              rotation->name);
	return status;
}

static int strange(const struct rotation *rotation, struct err *err)
{
	err_set(err, ERR_REFUSED, "not every server uses the gossip key that is in secret/%s: somebody else changed it",
	        rotation->name);
	return err_hint(err, "`consul keyring -list` on a server shows which one is used; put that one into the Secret "
	                     "(key \"" MANIFEST_GOSSIP_FILE "\"), or make all use the one that is there");
}

static int do_step(struct rotation *rotation, const struct keyring_step *step, struct err *err)
{
	switch (step->kind) {
	case KEYRING_STEP_PREPARE:
		return prepare(rotation, err);
	case KEYRING_STEP_INSTALL:
		return order(rotation, KUBE_POST, step->key, "install a gossip key", "the new key is installed on",
		             err);
	case KEYRING_STEP_USE:
		if (order(rotation, KUBE_PUT, step->key, "use another gossip key", "the new key is used by", err) < 0)
			return -1;
		rotation->used = true;
		return 0;
	case KEYRING_STEP_KEEP:
		return keep(rotation, step->key, err);
	case KEYRING_STEP_REMOVE:
		return order(rotation, KUBE_DELETE, step->key, "remove a gossip key", "an old key is removed from",
		             err);
	case KEYRING_STEP_STRANGE:
		return strange(rotation, err);
	case KEYRING_STEP_DONE:
		break;
	}
	return 0;
}

/* ---------------------------------------------------------------------------------------------- all */

/* The same step twice: what was ordered is not seen in the ring yet. */
static int wait_for_ring(struct rotation *rotation, int same, struct err *err)
{
	if (same == SAME_MAX)
		return err_set(err, ERR_UNAVAILABLE,
		               "the servers were told %d times, and the ring of %s does not show it", same,
		               rotation->server->name);
	if (same == 0)
		return 0;
	if (clock_left_ms(rotation->deadline_ms, clock_monotonic_ms()) < LOOK_MS)
		return err_set(err, ERR_TIMEOUT, "the ring of %s does not show yet what was told",
		               rotation->server->name);
	return loop_sleep(kube_client_loop(rotation->client), LOOK_MS, err);
}

static int rotate(struct rotation *rotation, struct err *err)
{
	enum keyring_step_kind last = KEYRING_STEP_DONE;
	struct keyring_step step;

	for (int same = 0;;) {
		if (look(rotation, err) < 0)
			return -1;
		if (rotation->next)
			rotation->begun = true;
		step =
		    keyring_next(&rotation->ring, rotation->current, rotation->next, rotation->begun, rotation->used);
		if (step.kind == KEYRING_STEP_DONE)
			return 0;
		if (last == KEYRING_STEP_DONE)
			rotation->resumed = step.kind != KEYRING_STEP_PREPARE;
		same = step.kind == last ? same + 1 : 0;
		last = step.kind;
		if (step.kind == KEYRING_STEP_REMOVE) /* there may be several, and they continue a rotation */
			rotation->begun = true;
		if (check_complete(rotation, err) < 0 || wait_for_ring(rotation, same, err) < 0 ||
		    do_step(rotation, &step, err) < 0)
			return -1;
	}
}

static void tell_leftovers(const struct rotation *rotation)
{
	const struct snapshot *snapshot = rotation->snapshot;
	_cleanup_strv_ struct strv claims = STRV_INIT;
	_cleanup_free_ char *names = NULL, *words = NULL, *command = NULL;

	keyring_leftovers(snapshot, &claims);
	if (claims.count == 0)
		return;
	names = strv_join(&claims, ", ", " and ");
	words = xasprintf("scale %" PRId64 " --delete-claims", snapshot->set.replicas);
	command = progress_command(snapshot, words);
	progress_tell(rotation->progress,
	              "the data in %s has the old key: a server that gets it back finds nobody; `%s` deletes it", names,
	              command);
}

static const struct server *first_that_answers(const struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->server_count; i++)
		if (snapshot->servers[i].has_pod && snapshot->servers[i].container &&
		    snapshot->servers[i].view.members_known)
			return &snapshot->servers[i];
	return NULL;
}

int keyring_rotate(struct kube_client *client, const struct snapshot *snapshot, const struct access *access,
                   const struct progress *progress, int64_t deadline_ms, struct err *err)
{
	struct rotation rotation = { .client = client,
		                     .snapshot = snapshot,
		                     .access = access,
		                     .progress = progress,
		                     .deadline_ms = deadline_ms,
		                     .server = first_that_answers(snapshot),
		                     .alive = keyring_alive(snapshot) };
	int status = keyring_check(snapshot, err);

	if (status == 0 && !rotation.server)
		status = err_set(err, ERR_REFUSED, "no server answers");
	if (status < 0)
		return err_wrap(err, "the gossip key is not changed");
	rotation.name = xasprintf("%s-gossip", snapshot->set.name);
	status = read_secret(&rotation, err);
	if (status == 0)
		status = rotate(&rotation, err);
	if (status == 0 && rotation.resumed)
		progress_tell(progress, "this brought an earlier change to its end, and made no key of its own: run it "
		                        "again for another key");
	if (status == 0)
		tell_leftovers(&rotation);
	rotation_release(&rotation);
	return status;
}
