/* See include/consul/probe.h. */
#include "consul/probe.h"

#include <inttypes.h>
#include <string.h>

#include <openssl/rand.h>

#include "consul/ask_way.h"
#include "consul/tell_way.h"
#include "kube/tunnel.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define KV_PATH "/v1/kv/"
/* For which a lane rests whose tunnel does not reach its server. */
#define REST_MS ((int64_t)1000)
/* Between two tries to read the keys back, or to remove them; and for one of them, longer than Consul waits for a
 * leader. */
#define RETRY_MS ((int64_t)100)
#define ORDER_MS ((int64_t)10000)

enum purpose { PROBE_WRITE, PROBE_READ, PROBE_ORDER };

struct target {
	char *namespace_name, *pod;
	struct ask_endpoint endpoint;
};

/* One tunnel, and the one request that may be under way in it. */
struct lane {
	struct probe *probe;
	struct target *target;
	struct kube_tunnel *tunnel;
	struct kube_tunnel_call call;
	enum purpose purpose;
	uint64_t number; /* of a write */
	char *path, *body;
	bool is_busy;
	int64_t rests_until_ms;
};

/* The lanes of one kind of request, and what became of these. Neighbours lead to different servers. */
struct stream {
	struct lane *lanes;
	size_t turn;
	struct probe_count count;
};

struct probe {
	struct loop *loop;
	struct loop_timer *timer; /* NULL: no further requests begin */
	int64_t next_ms;
	struct target *targets;
	size_t target_count, lane_count; /* lanes: of each stream */
	struct stream writes, reads;
	char *prefix; /* of the keys */
	uint64_t last_number, first_acknowledged;
	bool *acknowledged; /* by number */
	size_t acknowledged_capacity;
	size_t busy_count;
	struct err start_err; /* what went wrong last before it had begun; of no right: first, as that does not pass */
};

/* ---------------------------------------------------------------------------------------- outcomes */

static int refused(const struct lane *lane, struct err *err)
{
	const struct kube_tunnel_call *call = &lane->call;
	_cleanup_free_ char *words = tell_words(buf_text(&call->body_out), call->body_out.len);
	_cleanup_free_ char *shown = str_visible(words, TELL_SHOWN_BYTES);
	enum err_kind kind = call->http_status == 403 ? ERR_FORBIDDEN : ERR_UNAVAILABLE;

	err_set(err, kind, "Consul on %s answers %s %.*s with %ld: %s", lane->target->pod,
	        kube_method_name(call->method), (int)strcspn(call->path, "?"), call->path, call->http_status,
	        *shown ? shown : "no words");
	if (kind != ERR_FORBIDDEN)
		return -1;
	if (access_is_unknown_token(words))
		return err_hint(
		    err, "Consul does not know the ACL token; --token-file FILE or CONSUL_HTTP_TOKEN gives another");
	return err_hint(
	    err,
	    "an ACL policy of the token must have the rule: key_prefix \"kubectl-consul/\" { policy = \"write\" }");
}

static int explain(const struct lane *lane, struct err *err)
{
	if (err->kind != ERR_FORBIDDEN)
		return -1;
	return err_hint(err,
	                "the probe goes through tunnels only: a Role must allow \"create\" and \"get\" on "
	                "\"pods/portforward\"; check: kubectl auth can-i create pods --subresource=portforward -n %s",
	                lane->target->namespace_name);
}

/* A write that Consul did is answered with "true". */
static int take_outcome(struct lane *lane, struct err *err)
{
	struct kube_tunnel_call *call = &lane->call;

	if (err_move(err, &call->err) < 0) {
		lane->rests_until_ms = clock_monotonic_ms() + REST_MS;
		return explain(lane, err);
	}
	if (call->http_status != 200)
		return refused(lane, err);
	if (call->method != KUBE_GET && !str_starts_with(buf_text(&call->body_out), "true"))
		return refused(lane, err);
	return 0;
}

static void note_acknowledged(struct probe *probe, uint64_t number)
{
	if (!probe->first_acknowledged)
		probe->first_acknowledged = number;
	probe->acknowledged[number] = true;
}

static bool has_served(const struct probe *probe)
{
	return probe->writes.count.served > 0 && probe->reads.count.served > 0;
}

static void note_start_err(struct probe *probe, const struct err *err)
{
	if (has_served(probe) || probe->start_err.kind == ERR_FORBIDDEN)
		return;
	err_release(&probe->start_err);
	err_copy(&probe->start_err, err);
}

static void on_done(void *context, struct kube_tunnel_call *call)
{
	struct lane *lane = context;
	struct probe *probe = lane->probe;
	struct stream *stream = lane->purpose == PROBE_WRITE ? &probe->writes : &probe->reads;
	struct err err = ERR_INIT;

	lane->is_busy = false;
	probe->busy_count--;
	if (lane->purpose == PROBE_ORDER)
		return;
	if (take_outcome(lane, &err) < 0) {
		note_start_err(probe, &err);
		probe_count_failed(&stream->count, &err);
	} else {
		probe_count_served(&stream->count, clock_monotonic_ms());
		if (lane->purpose == PROBE_WRITE)
			note_acknowledged(probe, lane->number);
	}
	kube_tunnel_call_release(call);
}

/* ---------------------------------------------------------------------------------------- requests */

/* The next in turn that is free; NULL: none is. */
static struct lane *next_lane(const struct probe *probe, struct stream *stream)
{
	int64_t now = clock_monotonic_ms();

	for (size_t i = 0; i < probe->lane_count; i++) {
		struct lane *lane = &stream->lanes[stream->turn++ % probe->lane_count];

		if (!lane->is_busy && lane->rests_until_ms <= now)
			return lane;
	}
	return NULL;
}

/* path and body (NULL: none) are taken over. */
static void send_request(struct lane *lane, enum purpose purpose, enum kube_method method, char *path, char *body,
                         int64_t deadline_ms)
{
	kube_tunnel_call_release(&lane->call);
	replace_string(&lane->path, path);
	replace_string(&lane->body, body);
	lane->purpose = purpose;
	lane->call = (struct kube_tunnel_call)KUBE_TUNNEL_CALL_INIT;
	lane->call.method = method;
	lane->call.path = lane->path;
	lane->call.body = lane->body;
	lane->is_busy = true;
	lane->probe->busy_count++;
	kube_tunnel_start(lane->tunnel, &lane->call, deadline_ms, on_done, lane);
}

static char *key_path(const struct probe *probe, uint64_t number)
{
	return xasprintf(KV_PATH "%s%" PRIu64, probe->prefix, number);
}

static void begin_write(struct probe *probe, int64_t now)
{
	struct lane *lane = next_lane(probe, &probe->writes);

	if (!lane)
		return;
	lane->number = ++probe->last_number;
	if (lane->number >= probe->acknowledged_capacity) {
		size_t capacity = probe->acknowledged_capacity * 2 + 1024;

		probe->acknowledged = xreallocarray(probe->acknowledged, capacity, sizeof(*probe->acknowledged));
		memset(probe->acknowledged + probe->acknowledged_capacity, 0,
		       (capacity - probe->acknowledged_capacity) * sizeof(*probe->acknowledged));
		probe->acknowledged_capacity = capacity;
	}
	send_request(lane, PROBE_WRITE, KUBE_PUT, key_path(probe, lane->number), xasprintf("%" PRIu64, lane->number),
	             now + PROBE_TIMEOUT_MS);
}

static void begin_read(struct probe *probe, int64_t now)
{
	struct lane *lane = probe->first_acknowledged ? next_lane(probe, &probe->reads) : NULL;

	if (lane)
		send_request(lane, PROBE_READ, KUBE_GET, key_path(probe, probe->first_acknowledged), NULL,
		             now + PROBE_TIMEOUT_MS);
}

/* Keeps the pace, but does not catch up on what a busy machine missed. */
static void on_timer(void *context)
{
	struct probe *probe = context;
	int64_t now = clock_monotonic_ms();

	probe->next_ms += PROBE_INTERVAL_MS;
	if (probe->next_ms < now)
		probe->next_ms = now;
	loop_timer_set(probe->timer, probe->next_ms);
	begin_write(probe, now);
	begin_read(probe, now);
}

/* ------------------------------------------------------------------------------------- start, free */

static void stream_init(struct probe *probe, struct stream *stream, struct kube_client *client, const char *token)
{
	stream->count = (struct probe_count)PROBE_COUNT_INIT;
	stream->lanes = xcalloc(probe->lane_count, sizeof(*stream->lanes));
	for (size_t i = 0; i < probe->lane_count; i++) {
		struct target *target = &probe->targets[i % probe->target_count];
		struct kube_tunnel_options options = {
			.namespace_name = target->namespace_name,
			.pod = target->pod,
			.port = target->endpoint.port,
			.https = target->endpoint.https,
			.token = token,
		};

		stream->lanes[i] = (struct lane){ .probe = probe, .target = target, .call = KUBE_TUNNEL_CALL_INIT };
		stream->lanes[i].tunnel = kube_tunnel_open(client, &options);
	}
}

static void stream_release(const struct probe *probe, struct stream *stream)
{
	for (size_t i = 0; stream->lanes && i < probe->lane_count; i++) {
		struct lane *lane = &stream->lanes[i];

		kube_tunnel_free(lane->tunnel);
		kube_tunnel_call_release(&lane->call);
		free(lane->path);
		free(lane->body);
	}
	free(stream->lanes);
	probe_count_release(&stream->count);
}

void probe_free(struct probe *probe)
{
	if (!probe)
		return;
	loop_timer_free(probe->timer);
	stream_release(probe, &probe->writes);
	stream_release(probe, &probe->reads);
	for (size_t i = 0; i < probe->target_count; i++) {
		free(probe->targets[i].namespace_name);
		free(probe->targets[i].pod);
	}
	free(probe->targets);
	free(probe->prefix);
	free(probe->acknowledged);
	err_release(&probe->start_err);
	free(probe);
}

static void take_targets(struct probe *probe, const struct snapshot *snapshot, const char *victim)
{
	probe->targets = xcalloc(snapshot->server_count, sizeof(*probe->targets));
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *server = &snapshot->servers[i];
		struct target *target = &probe->targets[probe->target_count];

		if (!server->has_pod || !server->container || (victim && str_equal(server->name, victim)))
			continue;
		target->namespace_name = xstrdup(server->pod.namespace_name);
		target->pod = xstrdup(server->pod.name);
		target->endpoint = ask_endpoint_of(server->container);
		probe->target_count++;
	}
	probe->lane_count = probe->target_count * PROBE_LANES;
}

static char *new_prefix(void)
{
	uint64_t number;

	if (RAND_bytes((unsigned char *)&number, sizeof(number)) != 1)
		number = (uint64_t)clock_monotonic_ms();
	return xasprintf(PROBE_PREFIX "%016" PRIx64 "/", number);
}

/* One of each was served, or it is clear that none will be. */
static bool is_decided(void *context)
{
	const struct probe *probe = context;

	return has_served(probe) || probe->start_err.kind == ERR_FORBIDDEN;
}

static int wait_until_served(struct probe *probe, int64_t deadline_ms, struct err *err)
{
	int status = loop_run(probe->loop, is_decided, probe, deadline_ms, err);

	if (status == 0 && has_served(probe))
		return 0;
	if (status < 0 && err->kind != ERR_TIMEOUT)
		return -1;
	err_release(err);
	if (err_move(err, &probe->start_err) < 0)
		return -1;
	return err_set(err, ERR_TIMEOUT, "the first write and read were not answered in time");
}

int probe_start(struct kube_client *client, const struct snapshot *snapshot, const struct access *access,
                const char *victim, int64_t deadline_ms, struct probe **ret_probe, struct err *err)
{
	struct probe *probe = xcalloc(1, sizeof(*probe));

	probe->loop = kube_client_loop(client);
	probe->prefix = new_prefix();
	take_targets(probe, snapshot, victim);
	if (probe->target_count == 0) {
		err_set(err, ERR_UNREACHABLE, "no server%s%s can be asked", victim ? " but " : "",
		        victim ? victim : "");
		probe_free(probe);
		return -1;
	}
	stream_init(probe, &probe->writes, client, access_token(access));
	stream_init(probe, &probe->reads, client, access_token(access));
	probe->timer = loop_timer_new(probe->loop, on_timer, probe);
	probe->next_ms = clock_monotonic_ms();
	loop_timer_set(probe->timer, probe->next_ms);
	if (wait_until_served(probe, deadline_ms, err) < 0) {
		probe_free(probe);
		return -1;
	}
	*ret_probe = probe;
	return 0;
}

/* -------------------------------------------------------------------------------------------- stop */

static bool is_quiet(void *context)
{
	return ((const struct probe *)context)->busy_count == 0;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/*
 * Through one server after the other until one does it, at the latest at deadline_ms; *ret_lane has its answer. That
 * there is no such key is an answer, too.
 */
static int order(struct probe *probe, enum kube_method method, const char *query, int64_t deadline_ms,
                 struct lane **ret_lane, struct err *err)
{
	_cleanup_err_ struct err last = ERR_INIT;

	err_set(&last, ERR_TIMEOUT, "no server could be asked in time");
	do {
		struct lane *lane = next_lane(probe, &probe->writes);

		if (lane) {
			send_request(lane, PROBE_ORDER, method, xasprintf(KV_PATH "%s%s", probe->prefix, query), NULL,
			             earlier(deadline_ms, clock_monotonic_ms() + ORDER_MS));
			/* It ends by itself at the deadline. */
			if (loop_run(probe->loop, is_quiet, probe, CLOCK_NEVER, err) < 0)
				return -1;
			*ret_lane = lane;
			err_release(&last);
			if (lane->call.http_status == 404 || take_outcome(lane, &last) == 0)
				return 0;
		}
		if (loop_sleep(probe->loop, RETRY_MS, err) < 0)
			return -1;
	} while (clock_monotonic_ms() < deadline_ms);
	err_move(err, &last);
	return -1;
}

/* text: the keys that are there, a JSON array; ret_lost: how many of those that were acknowledged are not. */
static int count_lost(const struct probe *probe, const char *text, size_t length, int64_t *ret_lost, struct err *err)
{
	_cleanup_json_ cJSON *keys = NULL;
	size_t prefix_length = strlen(probe->prefix);
	int64_t found = 0;
	const cJSON *key;
	uint64_t number;

	if (json_parse(text, length, &keys, err) < 0)
		return err_wrap(err, "the keys that are there");
	cJSON_ArrayForEach (key, keys)
		if (cJSON_IsString(key) && str_starts_with(key->valuestring, probe->prefix) &&
		    str_to_uint64(key->valuestring + prefix_length, &number) == 0 && number <= probe->last_number)
			found += probe->acknowledged[number];
	*ret_lost = probe->writes.count.served - found;
	return 0;
}

/* Both: what goes wrong is in result; fail only when interrupted. */
static int check(struct probe *probe, int64_t deadline_ms, struct probe_result *result, struct err *err)
{
	struct err *why = &result->check_err;
	struct lane *lane;

	if (order(probe, KUBE_GET, "?keys&consistent", deadline_ms, &lane, why) < 0)
		return why->kind == ERR_INTERRUPTED ? err_move(err, why) : 0;
	if (lane->call.http_status == 404)
		result->lost = probe->writes.count.served;
	else if (count_lost(probe, buf_text(&lane->call.body_out), lane->call.body_out.len, &result->lost, why) < 0)
		return 0;
	result->checked = true;
	return 0;
}

static int clean_up(struct probe *probe, int64_t deadline_ms, struct probe_result *result, struct err *err)
{
	_cleanup_err_ struct err why = ERR_INIT;
	struct lane *lane;

	if (order(probe, KUBE_DELETE, "?recurse", deadline_ms, &lane, &why) < 0)
		return why.kind == ERR_INTERRUPTED ? err_move(err, &why) : 0;
	replace_string(&result->left, NULL);
	return 0;
}

static void take_count(struct probe_count *to, struct probe_count *from)
{
	*to = *from;
	*from = (struct probe_count)PROBE_COUNT_INIT;
}

int probe_stop(struct probe *probe, int64_t deadline_ms, struct probe_result *ret_result, struct err *err)
{
	int64_t now = clock_monotonic_ms();
	int status;

	loop_timer_free(TAKE(probe->timer));
	probe_count_end(&probe->writes.count, now);
	probe_count_end(&probe->reads.count, now);
	replace_string(&ret_result->left, xstrdup(probe->prefix));
	status = loop_run(probe->loop, is_quiet, probe, deadline_ms, err);
	if (status < 0 && err->kind == ERR_TIMEOUT) {
		err_release(err);
		status = 0;
	}
	if (status == 0)
		status = check(probe, deadline_ms, ret_result, err);
	if (status == 0)
		status = clean_up(probe, deadline_ms, ret_result, err);
	take_count(&ret_result->writes, &probe->writes.count);
	take_count(&ret_result->reads, &probe->reads.count);
	return status;
}
