/* See keyring_parts.h: what the ring says, what is to be done then, and who is missing. */
#include "keyring_parts.h"

#include <stdlib.h>

#include "consul/progress.h"
#include "consul/secret.h"
#include "util/json.h"
#include "util/mem.h"

/* ------------------------------------------------------------------------------------------- ring */

void keyring_release(struct keyring *ring)
{
	for (size_t i = 0; i < ring->entry_count; i++)
		free_secret(ring->entries[i].key);
	free(ring->entries);
	free(ring->pools);
	*ring = (struct keyring)KEYRING_INIT;
}

static void add_entry(struct keyring *ring, const cJSON *holders, const cJSON *primary)
{
	struct keyring_entry *entry;

	ring->entries = xreallocarray(ring->entries, ring->entry_count + 1, sizeof(*ring->entries));
	entry = &ring->entries[ring->entry_count++];
	*entry = (struct keyring_entry){
		.pool = ring->pool_count - 1,
		.key = xstrdup(holders->string),
		.users = -1,
	};
	if (cJSON_IsNumber(holders))
		entry->holders = (int64_t)holders->valuedouble;
	if (cJSON_IsObject(primary)) {
		const cJSON *users = json_get(primary, holders->string);

		entry->users = cJSON_IsNumber(users) ? (int64_t)users->valuedouble : 0;
	}
}

static void add_pool(struct keyring *ring, const cJSON *json)
{
	const cJSON *key;

	ring->pools = xreallocarray(ring->pools, ring->pool_count + 1, sizeof(*ring->pools));
	ring->pools[ring->pool_count++] = (struct keyring_pool){
		.is_wan = json_bool_at(json, "WAN", false),
		.nodes = json_int_at(json, "NumNodes", 0),
	};
	cJSON_ArrayForEach (key, json_get(json, "Keys"))
		add_entry(ring, key, json_get(json, "PrimaryKeys"));
}

/* The names of its members are keys. */
static void wipe_names(cJSON *json)
{
	for (; json; json = json->next) {
		if (json->string)
			mem_wipe(json->string, strlen(json->string));
		wipe_names(json->child);
	}
}

int keyring_decode(const char *text, size_t length, struct keyring *ret_ring, struct err *err)
{
	struct keyring ring = KEYRING_INIT;
	_cleanup_err_ struct err cause = ERR_INIT;
	cJSON *json = NULL;
	const cJSON *pool;

	if (json_parse(text, length, &json, &cause) < 0 || !cJSON_IsArray(json)) {
		cJSON_Delete(json);
		return err_set(err, ERR_PROTOCOL, "the list of gossip keys cannot be read");
	}
	cJSON_ArrayForEach (pool, json)
		add_pool(&ring, pool);
	wipe_names(json);
	cJSON_Delete(json);
	if (ring.entry_count == 0) {
		keyring_release(&ring);
		return err_set(err, ERR_PROTOCOL, "the list of gossip keys has no key");
	}
	*ret_ring = ring;
	return 0;
}

static char *object_text(const char *name, const char *key)
{
	cJSON *json = json_object(name, json_string(key), NULL);
	char *text = json_text(json);

	secret_free(json);
	return text;
}

char *keyring_body(const char *key)
{
	return object_text("Key", key);
}

char *keyring_gossip_file(const char *key)
{
	return object_text("encrypt", key);
}

int keyring_decode_gossip(const char *text, char **ret_key, struct err *err)
{
	_cleanup_secret_ cJSON *json = NULL;
	_cleanup_err_ struct err cause = ERR_INIT;
	const char *key = NULL;

	if (json_parse(text, strlen(text), &json, &cause) == 0)
		key = json_string_at(json, "encrypt");
	if (str_is_empty(key))
		return err_set(err, ERR_INVALID, "its key \"gossip.json\" has no gossip key");
	*ret_key = xstrdup(key);
	return 0;
}

/* ------------------------------------------------------------------------------------ what is next */

static const struct keyring_entry *entry_of(const struct keyring *ring, size_t pool, const char *key)
{
	for (size_t i = 0; i < ring->entry_count; i++)
		if (ring->entries[i].pool == pool && str_equal(ring->entries[i].key, key))
			return &ring->entries[i];
	return NULL;
}

static bool held_by_all(const struct keyring *ring, const char *key)
{
	for (size_t pool = 0; pool < ring->pool_count; pool++) {
		const struct keyring_entry *entry = entry_of(ring, pool, key);

		if (!entry || entry->holders < ring->pools[pool].nodes)
			return false;
	}
	return true;
}

static bool used_by_all(const struct keyring *ring, const char *key, bool told)
{
	for (size_t pool = 0; pool < ring->pool_count; pool++) {
		const struct keyring_entry *entry = entry_of(ring, pool, key);

		if (!entry || (entry->users < 0 ? !told : entry->users < ring->pools[pool].nodes))
			return false;
	}
	return true;
}

static const char *other_key(const struct keyring *ring, const char *key)
{
	for (size_t i = 0; i < ring->entry_count; i++)
		if (!str_equal(ring->entries[i].key, key))
			return ring->entries[i].key;
	return NULL;
}

static struct keyring_step step(enum keyring_step_kind kind, const char *key)
{
	return (struct keyring_step){ kind, key };
}

/* There is a next key: it goes all the way. */
static struct keyring_step next_of_rotation(const struct keyring *ring, const char *next, bool used)
{
	if (!held_by_all(ring, next))
		return step(KEYRING_STEP_INSTALL, next);
	if (!used_by_all(ring, next, used))
		return step(KEYRING_STEP_USE, next);
	return step(KEYRING_STEP_KEEP, next);
}

struct keyring_step keyring_next(const struct keyring *ring, const char *current, const char *next, bool begun,
                                 bool used)
{
	const char *other = other_key(ring, current);

	if (next)
		return next_of_rotation(ring, next, used);
	/* Whoever changed the ring did not change the Secret: a key that is removed now might be the one in use. */
	if (!held_by_all(ring, current) || !used_by_all(ring, current, true))
		return step(KEYRING_STEP_STRANGE, NULL);
	if (other)
		return step(KEYRING_STEP_REMOVE, other);
	return step(begun ? KEYRING_STEP_DONE : KEYRING_STEP_PREPARE, NULL);
}

/* --------------------------------------------------------------------------------- who is missing */

static int check_encrypted(const struct snapshot *snapshot, struct err *err)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *server = &snapshot->servers[i];

		if (server->view.self_known && server->view.self.gossip_known && !server->view.self.gossip_encrypted)
			return err_set(err, ERR_REFUSED, "gossip is not encrypted on %s: there is no key to change",
			               server->name);
	}
	return 0;
}

/* Everybody that viewer knows of, servers and clients: alive, or gone for good. */
static int check_members(const struct server *viewer, struct err *err)
{
	for (size_t i = 0; i < viewer->view.member_count; i++) {
		const struct member *member = &viewer->view.members[i];

		if (member->status != MEMBER_ALIVE && member->status != MEMBER_LEFT)
			return err_set(err, ERR_REFUSED,
			               "%s is %s in the gossip of %s: it would come back with the "
			               "old key alone, and find nobody",
			               member->name, member_status_name(member->status), viewer->name);
	}
	return 0;
}

static bool sees_alive(const struct server *viewer, const struct server *server)
{
	const struct member *member = server->pod.ip ? view_member_by_address(&viewer->view, server->pod.ip) : NULL;

	return member && member->status == MEMBER_ALIVE;
}

/* It tells nobody's, or not to this token. */
static int check_silent(const struct server *server, struct err *err)
{
	const struct err *cause = &server->view.members_err;

	if (!err_is_set(cause))
		return err_set(err, ERR_REFUSED, "%s does not tell whom it knows in gossip", server->name);
	return err_set(err, cause->kind == ERR_FORBIDDEN ? ERR_FORBIDDEN : ERR_REFUSED,
	               "%s does not tell whom it knows in gossip: %s", server->name, cause->message);
}

static int check_server(const struct snapshot *snapshot, const struct server *server, struct err *err)
{
	if (!server->has_pod)
		return err_set(err, ERR_REFUSED, "%s has no pod", server->name);
	if (server->pod.deleting)
		return err_set(err, ERR_REFUSED, "pod %s is being deleted", server->name);
	if (!server->view.members_known)
		return check_silent(server, err);
	if (check_members(server, err) < 0)
		return -1;
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *other = &snapshot->servers[i];

		if (snapshot_wants_ordinal(snapshot, other->ordinal) && !sees_alive(server, other))
			return err_set(err, ERR_REFUSED, "%s is not alive in the gossip of %s", other->name,
			               server->name);
	}
	return 0;
}

int keyring_check(const struct snapshot *snapshot, struct err *err)
{
	if (check_encrypted(snapshot, err) < 0)
		return -1;
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *server = &snapshot->servers[i];

		if ((server->has_pod || snapshot_wants_ordinal(snapshot, server->ordinal)) &&
		    check_server(snapshot, server, err) < 0) {
			_cleanup_free_ char *health = progress_command(snapshot, "health");

			return err_hint(
			    err, "every server must be there while the key changes; `%s` shows what is wrong", health);
		}
	}
	return 0;
}

int64_t keyring_alive(const struct snapshot *snapshot)
{
	int64_t most = 0;

	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct view *view = &snapshot->servers[i].view;
		int64_t alive = 0;

		for (size_t m = 0; m < view->member_count; m++)
			alive += view->members[m].status == MEMBER_ALIVE;
		if (alive > most)
			most = alive;
	}
	return most;
}

void keyring_leftovers(const struct snapshot *snapshot, struct strv *ret_claims)
{
	for (size_t i = 0; snapshot->claims_known && i < snapshot->claim_count; i++) {
		const char *name = snapshot->claims[i].name;
		int64_t ordinal = snapshot_claim_ordinal(snapshot, name);

		if (ordinal >= 0 && !snapshot_wants_ordinal(snapshot, ordinal))
			strv_add(ret_claims, name);
	}
}
