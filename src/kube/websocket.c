/* See include/kube/websocket.h. */
#include "kube/websocket.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "kube/frames.h"
#include "kube/status.h"
#include "kube/upgrade.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"
#include "websocket_parts.h"

/* Most bytes read in a row from one connection before the others get their turn. */
#define TURN_MAX ((size_t)1024 * 1024)

enum state {
	IS_CONNECTING,
	IS_UPGRADING, /* the request is on its way, or its answer */
	IS_OPEN,
	IS_ENDED,
};

struct kube_websocket {
	struct kube_websocket_pool *pool;
	struct kube_websocket_events events;
	void *context;
	char *path;
	const char *const *protocol; /* the one that is offered now; the next follow */
	enum state state;
	struct connection *connection;
	struct loop_timer *soon; /* for what must happen from loop_run, and now */
	int watched;             /* LOOP_… */
	unsigned generation;     /* of the credentials in the request */
	bool was_renewed;        /* asked again with new ones, once */
	bool was_replaced;       /* the connection broke before anything was sent, once */
	bool has_sent;
	bool paused;
	int depth;   /* of our functions on the stack that call back */
	bool doomed; /* freed inside a callback: the last of them frees the memory */
	struct upgrade_key key;
	struct upgrade_answer answer;
	struct frames *frames; /* its output waits until the upgrade is accepted */
	struct buf sending;    /* offered to TLS: stays where it is until it is sent */
	size_t sent;           /* of sending */
};

/* ------------------------------------------------------------------------------- memory, call-backs */

static void let_go(struct kube_websocket *websocket)
{
	if (websocket->watched)
		loop_unwatch(websocket->pool->loop, connection_fd(websocket->connection));
	websocket->watched = 0;
	connection_free(TAKE(websocket->connection));
	upgrade_answer_release(&websocket->answer);
	buf_release(&websocket->sending);
	websocket->sent = 0;
}

static void destroy(struct kube_websocket *websocket)
{
	frames_free(websocket->frames);
	loop_timer_free(websocket->soon);
	free(websocket->path);
	free(websocket);
}

static void enter(struct kube_websocket *websocket)
{
	websocket->depth++;
}

static void leave(struct kube_websocket *websocket)
{
	if (--websocket->depth == 0 && websocket->doomed)
		destroy(websocket);
}

void kube_websocket_free(struct kube_websocket *websocket)
{
	if (!websocket)
		return;
	let_go(websocket);
	websocket->state = IS_ENDED;
	websocket->doomed = true;
	if (websocket->depth == 0)
		destroy(websocket);
	else
		loop_timer_set(websocket->soon, CLOCK_NEVER);
}

/* Ends it; err is NULL when the peer closed it as it should. */
static void end(struct kube_websocket *websocket, struct err *err)
{
	if (websocket->state != IS_ENDED) {
		let_go(websocket);
		websocket->state = IS_ENDED;
		websocket->events.on_end(websocket->context, err);
	}
	if (err)
		err_release(err);
}

static void end_with_connection_error(struct kube_websocket *websocket)
{
	struct err err = ERR_INIT;

	err_copy(&err, connection_error(websocket->connection));
	end(websocket, &err);
}

/* ----------------------------------------------------------------------------------------- writing */

static bool has_output(const struct kube_websocket *websocket)
{
	return websocket->sending.len > 0 ||
	       (websocket->state == IS_OPEN && frames_output_length(websocket->frames) > 0);
}

static void on_io(void *context, int fd, int events);

static void watch(struct kube_websocket *websocket)
{
	int events = 0;

	if (websocket->state != IS_UPGRADING && websocket->state != IS_OPEN)
		return;
	if (!websocket->paused)
		events |= LOOP_READ;
	if (has_output(websocket))
		events |= LOOP_WRITE;
	if (events == websocket->watched)
		return;
	if (events)
		loop_watch(websocket->pool->loop, connection_fd(websocket->connection), events, on_io, websocket);
	else
		loop_unwatch(websocket->pool->loop, connection_fd(websocket->connection));
	websocket->watched = events;
}

static void connect_anew(struct kube_websocket *websocket);

/* A connection on which nothing was sent yet can be replaced without doing anything twice. */
static void on_broken_write(struct kube_websocket *websocket)
{
	if (websocket->has_sent || websocket->was_replaced) {
		end_with_connection_error(websocket);
		return;
	}
	websocket->was_replaced = true;
	connect_anew(websocket);
}

static bool next_output(struct kube_websocket *websocket)
{
	if (websocket->sending.len == 0 && websocket->state == IS_OPEN)
		frames_output_take(websocket->frames, &websocket->sending);
	return websocket->sending.len > 0;
}

/* Sends what can be sent now. True when there was something and all of it is sent. */
static bool flush(struct kube_websocket *websocket)
{
	bool has_finished = false;

	while (websocket->state != IS_ENDED && next_output(websocket)) {
		struct buf *sending = &websocket->sending;
		size_t count = 0;
		enum connection_io io = connection_send(websocket->connection, sending->data + websocket->sent,
		                                        sending->len - websocket->sent, &count);

		if (io == IO_AGAIN)
			return false;
		if (io != IO_DONE) {
			on_broken_write(websocket);
			return false;
		}
		websocket->has_sent = true;
		websocket->sent += count;
		if (websocket->sent < sending->len)
			continue;
		buf_release(sending);
		websocket->sent = 0;
		has_finished = true;
	}
	return has_finished && websocket->state == IS_OPEN;
}

static void flush_and_watch(struct kube_websocket *websocket)
{
	if (flush(websocket) && websocket->events.on_drained)
		websocket->events.on_drained(websocket->context);
	/* on_drained may have queued more: the descriptor says when it can be sent. */
	watch(websocket);
}

/* ----------------------------------------------------------------------------------------- upgrade */

static int render_request(struct kube_websocket *websocket, struct err *err)
{
	struct kube_websocket_pool *pool = websocket->pool;
	_cleanup_free_ char *path = xasprintf("%s%s", websocket_pool_prefix(pool), websocket->path);
	const char *lines[KUBE_TRANSPORT_HEADERS_MAX];
	struct upgrade_request request = {
		.path = path,
		.authority = kube_transport_authority(pool->transport),
		.protocol = *websocket->protocol,
		.headers = lines,
		.key = &websocket->key,
	};
	struct curl_slist *headers = NULL;
	int status = kube_transport_headers(pool->transport, &headers, err);

	websocket->generation = connection_generation(websocket->connection);
	for (const struct curl_slist *line = headers; line; line = line->next) {
		assert(request.header_count < KUBE_TRANSPORT_HEADERS_MAX);
		lines[request.header_count++] = line->data;
	}
	if (status == 0)
		status = upgrade_key_make(&websocket->key, err);
	if (status == 0)
		status = upgrade_request_render(&request, &websocket->sending, err);
	kube_transport_headers_free(headers);
	return status;
}

static void start_upgrade(struct kube_websocket *websocket)
{
	struct err err = ERR_INIT;

	websocket->state = IS_UPGRADING;
	websocket->sending = (struct buf){ .max = BUF_TEXT_MAX, .secret = true };
	if (render_request(websocket, &err) < 0) {
		end(websocket, &err);
		return;
	}
	upgrade_answer_init(&websocket->answer, &websocket->key, *websocket->protocol);
	flush_and_watch(websocket);
}

static void on_connected(void *context, struct connection *connection)
{
	struct kube_websocket *websocket = context;

	enter(websocket);
	if (connection_is_ready(connection))
		start_upgrade(websocket);
	else
		end_with_connection_error(websocket);
	leave(websocket);
}

static void connect_anew(struct kube_websocket *websocket)
{
	let_go(websocket);
	websocket->state = IS_CONNECTING;
	websocket->has_sent = false;
	websocket->connection = connection_new(websocket->pool, on_connected, websocket);
}

static bool is_status(const struct buf *body)
{
	_cleanup_json_ cJSON *json = NULL;
	_cleanup_err_ struct err ignored = ERR_INIT;

	return body->len > 0 && json_parse(body->data, body->len, &json, &ignored) == 0 &&
	       str_equal(json_string_at(json, "kind"), "Status");
}

static bool is_about_protocol(const struct upgrade_answer *answer)
{
	if (answer->phase != UPGRADE_REFUSED)
		return answer->other_protocol;
	return answer->status != 401 && answer->status != 429 && !is_status(&answer->body);
}

/* False when it is not the subprotocol that the server does not like, or there is no other. */
static bool try_next_protocol(struct kube_websocket *websocket)
{
	if (!websocket->protocol[1] || !is_about_protocol(&websocket->answer))
		return false;
	websocket->protocol++;
	connect_anew(websocket);
	return true;
}

/* The server knows the user no more: a credential plugin may have something newer. */
static bool try_new_credentials(struct kube_websocket *websocket)
{
	if (websocket->answer.status != 401 || websocket->was_renewed ||
	    !kube_transport_renew(websocket->pool->transport, websocket->generation))
		return false;
	websocket->was_renewed = true;
	connect_anew(websocket);
	return true;
}

static void on_refused(struct kube_websocket *websocket)
{
	const struct upgrade_answer *answer = &websocket->answer;
	struct err err = ERR_INIT;

	if (try_next_protocol(websocket) || try_new_credentials(websocket))
		return;
	kube_status_error(answer->status, buf_text(&answer->body), answer->body.len, &err);
	if (answer->status == 401)
		kube_transport_hint(websocket->pool->transport, &err);
	end(websocket, &err);
}

static void on_upgrade_error(struct kube_websocket *websocket, struct err *err)
{
	if (try_next_protocol(websocket))
		err_release(err);
	else
		end(websocket, err);
}

/* ----------------------------------------------------------------------------------------- reading */

static void on_frames_message(void *context, const unsigned char *data, size_t length)
{
	struct kube_websocket *websocket = context;

	if (websocket->state == IS_OPEN && length > 0)
		websocket->events.on_message(websocket->context, data, length);
}

static void end_as_frames_tell(struct kube_websocket *websocket)
{
	struct err err = ERR_INIT;

	if (frames_end(websocket->frames, &err) < 0)
		end(websocket, &err);
	else
		end(websocket, NULL);
}

/* The peer has closed: its Close is answered if that can be done at once. Kubernetes is gone already, mostly. */
static void on_closed(struct kube_websocket *websocket)
{
	const struct buf *sending = &websocket->sending;
	size_t count;

	if (next_output(websocket) && connection_send(websocket->connection, sending->data + websocket->sent,
	                                              sending->len - websocket->sent, &count) == IO_DONE)
		websocket->sent += count;
	end_as_frames_tell(websocket);
}

static void take_frames(struct kube_websocket *websocket, const char *bytes, size_t count)
{
	struct err err = ERR_INIT;

	if (frames_feed(websocket->frames, bytes, count, &err) < 0)
		end(websocket, &err);
	else if (websocket->state == IS_OPEN && frames_closed(websocket->frames))
		on_closed(websocket);
}

static void take_answer(struct kube_websocket *websocket, const char *bytes, size_t count)
{
	struct upgrade_answer *answer = &websocket->answer;
	struct err err = ERR_INIT;
	size_t used = 0;

	if (upgrade_answer_feed(answer, bytes, count, &used, &err) < 0) {
		on_upgrade_error(websocket, &err);
	} else if (answer->phase == UPGRADE_REFUSED) {
		on_refused(websocket);
	} else if (answer->phase == UPGRADE_ACCEPTED) {
		websocket->state = IS_OPEN;
		websocket->events.on_open(websocket->context);
		if (websocket->state == IS_OPEN && used < count)
			take_frames(websocket, bytes + used, count - used);
	}
}

static void on_end_of_stream(struct kube_websocket *websocket)
{
	struct err err = ERR_INIT;

	if (websocket->state == IS_OPEN) {
		end_as_frames_tell(websocket);
	} else if (upgrade_answer_end(&websocket->answer, &err) < 0) {
		on_upgrade_error(websocket, &err);
	} else {
		on_refused(websocket);
	}
}

static bool is_reading(const struct kube_websocket *websocket)
{
	return (websocket->state == IS_UPGRADING || websocket->state == IS_OPEN) && !websocket->paused;
}

static void read_all(struct kube_websocket *websocket)
{
	char *scratch = websocket->pool->scratch;
	size_t total = 0;

	while (is_reading(websocket)) {
		size_t count = 0;
		enum connection_io io;

		if (total >= TURN_MAX) {
			loop_timer_set(websocket->soon, clock_monotonic_ms());
			return;
		}
		io = connection_receive(websocket->connection, scratch, sizeof(websocket->pool->scratch), &count);
		if (io == IO_AGAIN)
			return;
		if (io == IO_END)
			on_end_of_stream(websocket);
		else if (io == IO_FAILED)
			end_with_connection_error(websocket);
		else if (websocket->state == IS_OPEN)
			take_frames(websocket, scratch, count);
		else
			take_answer(websocket, scratch, count);
		total += count;
	}
}

static void turn(struct kube_websocket *websocket)
{
	enter(websocket);
	read_all(websocket);
	if (websocket->state == IS_UPGRADING || websocket->state == IS_OPEN)
		flush_and_watch(websocket);
	leave(websocket);
}

static void on_io(void *context, int fd, int events)
{
	(void)fd;
	(void)events;
	turn(context);
}

/* A connection that was ready when it was taken, or more to read than what the descriptor tells. */
static void on_soon(void *context)
{
	struct kube_websocket *websocket = context;

	if (websocket->state == IS_CONNECTING && connection_is_ready(websocket->connection))
		on_connected(websocket, websocket->connection);
	else
		turn(websocket);
}

/* ---------------------------------------------------------------------------------------- exported */

struct kube_websocket *kube_websocket_open(struct kube_client *client, const char *path, const char *const *protocols,
                                           const struct kube_websocket_events *events, void *context)
{
	struct kube_websocket_pool *pool = websocket_pool(client);
	struct kube_websocket *websocket = xcalloc(1, sizeof(*websocket));

	assert(protocols[0] && events->on_open && events->on_message && events->on_end);
	websocket->pool = pool;
	websocket->events = *events;
	websocket->context = context;
	websocket->path = xstrdup(path);
	websocket->protocol = protocols;
	websocket->soon = loop_timer_new(pool->loop, on_soon, websocket);
	websocket->frames =
	    frames_new(KUBE_WEBSOCKET_MESSAGE_MAX, KUBE_WEBSOCKET_QUEUE_MAX, on_frames_message, websocket);
	if (kube_transport_is_ready(pool->transport))
		websocket->connection = connection_take_warm(pool, on_connected, websocket);
	if (!websocket->connection)
		websocket->connection = connection_new(pool, on_connected, websocket);
	else if (connection_is_ready(websocket->connection))
		loop_timer_set(websocket->soon, clock_monotonic_ms());
	return websocket;
}

size_t kube_websocket_queued(const struct kube_websocket *websocket)
{
	size_t sending = websocket->state == IS_OPEN ? websocket->sending.len - websocket->sent : 0;

	return frames_output_length(websocket->frames) + sending;
}

int kube_websocket_send(struct kube_websocket *websocket, unsigned char channel, const void *bytes, size_t length,
                        struct err *err)
{
	if (kube_websocket_queued(websocket) + length > KUBE_WEBSOCKET_QUEUE_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %zu bytes wait to be sent", KUBE_WEBSOCKET_QUEUE_MAX);
	if (frames_send(websocket->frames, channel, bytes, length, err) < 0)
		return -1;
	/* Inside a callback the turn that called it sends, all at once. */
	if (websocket->depth == 0)
		watch(websocket);
	return 0;
}

void kube_websocket_pause(struct kube_websocket *websocket, int paused)
{
	if (websocket->paused == (paused != 0))
		return;
	websocket->paused = paused != 0;
	if (!websocket->paused && websocket->state != IS_CONNECTING && websocket->state != IS_ENDED)
		loop_timer_set(websocket->soon, clock_monotonic_ms());
	if (websocket->depth == 0)
		watch(websocket);
}
