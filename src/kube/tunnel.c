/* See include/kube/tunnel.h, and tunnel_parts.h for how it is made. */
#include "kube/tunnel.h"

#include <assert.h>
#include <string.h>

#include "tunnel_parts.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/* Most bytes of the kubelet's text that an error shows. */
#define SHOWN_MAX 500
/*
 * With more tunnels than these, the requests of each go one after another, and begin when it is open: lanes cost
 * descriptors and memory, most of all while TLS shakes hands in them.
 */
#define MANY_TUNNELS 64

int tunnel_wrap(const struct kube_tunnel *tunnel, struct err *err)
{
	if (strstr(err->message, tunnel->options.pod))
		return -1;
	return err_wrap(err, "pod %s port %u", tunnel->options.pod, tunnel->options.port);
}

/* -------------------------------------------------------------------------------- ends of requests */

static void append(struct tunnel_request **list, struct tunnel_request *request)
{
	while (*list)
		list = &(*list)->next;
	request->next = NULL;
	*list = request;
}

static void detach(struct tunnel_request **list, const struct tunnel_request *request)
{
	while (*list && *list != request)
		list = &(*list)->next;
	if (*list)
		*list = request->next;
}

static void act_soon(struct kube_tunnel *tunnel)
{
	loop_timer_set(tunnel->soon, clock_monotonic_ms());
}

/* It is told from on_soon, where it does not matter if the tunnel is freed then. */
void tunnel_end_request(struct tunnel_request *request, struct err *err)
{
	struct kube_tunnel *tunnel = request->tunnel;

	tunnel_request_stop(request);
	detach(&tunnel->waiting, request);
	loop_timer_set(request->timer, CLOCK_NEVER);
	if (err_is_set(&request->sink_err)) {
		/* As it is: it is none of the tunnel's. */
		err_release(err);
		err_move(&request->call->err, &request->sink_err);
	} else if (err_is_set(err)) {
		tunnel_wrap(tunnel, err);
		err_move(&request->call->err, err);
	}
	append(&tunnel->ended, request);
	act_soon(tunnel);
}

void tunnel_put_back(struct tunnel_request *request)
{
	struct kube_tunnel *tunnel = request->tunnel;

	tunnel_request_stop(request);
	request->was_put_back = true;
	request->next = tunnel->waiting;
	tunnel->waiting = request;
	act_soon(tunnel);
}

static void end_with_copy(struct tunnel_request *request, const struct err *err)
{
	struct err copy = ERR_INIT;

	err_copy(&copy, err);
	tunnel_end_request(request, &copy);
}

static void on_timer(void *context)
{
	struct tunnel_request *request = context;
	const struct kube_tunnel *tunnel = request->tunnel;
	struct err err = ERR_INIT;

	if (request->lane)
		lane_spend(request->lane);
	if (request->is_whole_when_quiet)
		curl->easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &request->call->http_status);
	else if (tunnel->is_open)
		err_set(&err, ERR_TIMEOUT, "timed out waiting for the answer to %s", request->call->path);
	else
		err_set(&err, ERR_TIMEOUT, "timed out waiting for the API server to open the tunnel");
	tunnel_end_request(request, &err);
}

/* ------------------------------------------------------------------------------------- WebSocket */

static void free_lanes(struct kube_tunnel *tunnel)
{
	while (tunnel->lane_count > 0)
		lane_free(tunnel->lanes[--tunnel->lane_count]);
}

static void close_websocket(struct kube_tunnel *tunnel)
{
	kube_websocket_free(TAKE(tunnel->websocket));
	tunnel->is_open = false;
}

static void fail_waiting(struct kube_tunnel *tunnel, const struct err *err)
{
	while (tunnel->waiting)
		end_with_copy(tunnel->waiting, err);
}

void tunnel_fail(struct kube_tunnel *tunnel, const struct err *err)
{
	close_websocket(tunnel);
	for (size_t i = 0; i < tunnel->lane_count; i++) {
		struct lane *lane = tunnel->lanes[i];

		lane_spend(lane);
		if (lane->request)
			end_with_copy(lane->request, err);
	}
	fail_waiting(tunnel, err);
}

void tunnel_update_pause(struct kube_tunnel *tunnel)
{
	bool is_full = false;

	for (size_t i = 0; i < tunnel->lane_count; i++)
		is_full = is_full || tunnel->lanes[i]->pending.len > 0;
	if (tunnel->websocket)
		kube_websocket_pause(tunnel->websocket, is_full);
}

/* ------------------------------------------------------------------------------- turns of long answers */

static void give_turn(struct kube_tunnel *tunnel)
{
	tunnel->pool->tunnel_turns++;
	tunnel->has_turn = true;
	tunnel->is_counted = true;
	loop_timer_set(tunnel->turn, clock_monotonic_ms() + TUNNEL_TURN_MS);
	for (size_t i = 0; i < tunnel->lane_count; i++)
		if (tunnel->lanes[i]->request)
			tunnel_request_resume(tunnel->lanes[i]->request);
}

static void leave_line(struct kube_tunnel *tunnel)
{
	struct kube_tunnel **place = &tunnel->pool->tunnel_line;

	while (*place && *place != tunnel)
		place = &(*place)->next_in_line;
	if (*place)
		*place = tunnel->next_in_line;
	tunnel->wants_turn = false;
}

/* While connections are being made, which takes round trips, reading what has come already can wait. */
static bool has_turns(const struct kube_websocket_pool *pool)
{
	bool is_connecting = pool->queue || pool->connecting_count > 0;

	return pool->tunnel_turns < (is_connecting ? TUNNEL_TURNS_CONNECTING : TUNNEL_TURNS);
}

static void call_next(struct kube_websocket_pool *pool)
{
	while (pool->tunnel_line && has_turns(pool)) {
		struct kube_tunnel *next = pool->tunnel_line;

		leave_line(next);
		give_turn(next);
	}
}

/* Its turn counts no more, whether it has finished or not. */
static void end_turn(void *context)
{
	struct kube_tunnel *tunnel = context;

	loop_timer_set(tunnel->turn, CLOCK_NEVER);
	if (!tunnel->is_counted)
		return;
	tunnel->is_counted = false;
	tunnel->pool->tunnel_turns--;
	call_next(tunnel->pool);
}

bool tunnel_take_turn(struct tunnel_request *request)
{
	struct kube_tunnel *tunnel = request->tunnel;
	struct kube_tunnel **place = &tunnel->pool->tunnel_line;

	request->is_large = true;
	if (!tunnel->has_turn && has_turns(tunnel->pool))
		give_turn(tunnel);
	if (tunnel->has_turn || tunnel->wants_turn)
		return tunnel->has_turn;
	while (*place)
		place = &(*place)->next_in_line;
	tunnel->next_in_line = NULL;
	*place = tunnel;
	tunnel->wants_turn = true;
	return false;
}

static void leave_turn(struct kube_tunnel *tunnel)
{
	leave_line(tunnel);
	tunnel->has_turn = false;
	end_turn(tunnel);
}

/* A large answer was told. Not before: until then it takes memory. */
static void leave_turn_unless_needed(struct kube_tunnel *tunnel)
{
	for (size_t i = 0; i < tunnel->lane_count; i++)
		if (tunnel->lanes[i]->request && tunnel->lanes[i]->request->is_large)
			return;
	for (const struct tunnel_request *request = tunnel->ended; request; request = request->next)
		if (request->is_large)
			return;
	leave_turn(tunnel);
}

/* ------------------------------------------------------------------------------------- its events */

static void on_open(void *context)
{
	struct kube_tunnel *tunnel = context;

	tunnel->is_open = true;
	act_soon(tunnel);
}

static void watch_lanes(struct kube_tunnel *tunnel)
{
	for (size_t i = 0; i < tunnel->lane_count; i++)
		lane_watch(tunnel->lanes[i]);
}

static void on_drained(void *context)
{
	watch_lanes(context);
}

/*
 * "error forwarding port 8500 to pod …, uid : failed to … "/var/run/netns/…": failed to connect to localhost:8500 …:
 * dial tcp4 127.0.0.1:8500: connect: connection refused …": what matters comes last, and is said first.
 */
static void set_port_error(const struct portforward_event *event, struct err *err)
{
	_cleanup_free_ char *text = xstrndup((const char *)event->data, event->length);
	const char *cause = strstr(text, "dial ");
	_cleanup_free_ char *shown = NULL;
	size_t length = strlen(text);

	while (length > 0 && text[length - 1] == '\n')
		text[--length] = '\0';
	shown = str_visible(cause ? cause : text, SHOWN_MAX);
	if (strstr(text, "onnection refused"))
		err_set(err, ERR_UNREACHABLE, "nothing listens there (connection refused)");
	else
		err_set(err, ERR_UNREACHABLE, "%s", shown);
}

/* The connection in the pod has failed: those that still wait would meet the same. */
static void on_port_error(struct kube_tunnel *tunnel, struct lane *lane, const struct portforward_event *event)
{
	_cleanup_err_ struct err err = ERR_INIT;

	if (lane->is_spent)
		return;
	set_port_error(event, &err);
	lane_spend(lane);
	if (!lane->request)
		return;
	end_with_copy(lane->request, &err);
	fail_waiting(tunnel, &err);
}

static void on_message(void *context, const unsigned char *data, size_t length)
{
	struct kube_tunnel *tunnel = context;
	struct portforward_event event;
	_cleanup_err_ struct err err = ERR_INIT;
	int status = portforward_decode(&tunnel->forward, data, length, &event, &err);

	if (status == 0 && event.kind == PORTFORWARD_DATA)
		status = lane_write(tunnel->lanes[event.lane], event.data, event.length, &err);
	else if (status == 0 && event.kind == PORTFORWARD_ERROR)
		on_port_error(tunnel, tunnel->lanes[event.lane], &event);
	if (status < 0)
		tunnel_fail(tunnel, &err);
}

/* After a clean end libcurl decides whether the answers are whole. */
static void on_end(void *context, const struct err *err)
{
	struct kube_tunnel *tunnel = context;

	if (err) {
		tunnel_fail(tunnel, err);
		return;
	}
	close_websocket(tunnel);
	for (size_t i = 0; i < tunnel->lane_count; i++)
		lane_end(tunnel->lanes[i]);
	act_soon(tunnel);
}

static char *render_path(const struct kube_tunnel *tunnel)
{
	struct buf path = BUF_TEXT;

	buf_adds(&path, "/api/v1/namespaces/");
	buf_add_url(&path, tunnel->options.namespace_name);
	buf_adds(&path, "/pods/");
	buf_add_url(&path, tunnel->options.pod);
	buf_adds(&path, "/portforward");
	for (size_t i = 0; i < tunnel->lane_count; i++)
		buf_addf(&path, "%cports=%u", i ? '&' : '?', tunnel->options.port);
	return buf_detach(&path);
}

static size_t lanes_wanted(const struct kube_tunnel *tunnel)
{
	size_t count = 0;

	for (const struct tunnel_request *request = tunnel->waiting; request; request = request->next)
		count++;
	if (tunnel->pool->tunnel_count > MANY_TUNNELS)
		return 1;
	return count < TUNNEL_LANES_MAX ? count : TUNNEL_LANES_MAX;
}

static void open_websocket(struct kube_tunnel *tunnel)
{
	static const char *const protocols[] = { "v4.channel.k8s.io", NULL };
	static const struct kube_websocket_events events = {
		.on_open = on_open, .on_message = on_message, .on_drained = on_drained, .on_end = on_end
	};
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_free_ char *path = NULL;
	size_t count = lanes_wanted(tunnel);

	close_websocket(tunnel);
	free_lanes(tunnel);
	for (; tunnel->lane_count < count; tunnel->lane_count++) {
		if (lane_new(tunnel, tunnel->lane_count, &tunnel->lanes[tunnel->lane_count], &err) < 0) {
			fail_waiting(tunnel, &err);
			return;
		}
	}
	portforward_init(&tunnel->forward, tunnel->options.port, count);
	path = render_path(tunnel);
	tunnel->websocket = kube_websocket_open(tunnel->client, path, protocols, &events, tunnel);
	watch_lanes(tunnel);
}

/* ------------------------------------------------------------------------------------------- turns */

/* Tells the ends. False when the tunnel was freed meanwhile. */
static bool tell(struct kube_tunnel *tunnel)
{
	tunnel->is_telling = true;
	while (!tunnel->doomed && tunnel->ended) {
		struct tunnel_request *request = tunnel->ended;
		struct kube_tunnel_call *call = request->call;
		kube_tunnel_done *done = request->done;
		void *context = request->context;
		bool was_large = request->is_large;

		tunnel->ended = request->next;
		tunnel_request_free(request);
		done(context, call);
		if (was_large && !tunnel->doomed)
			leave_turn_unless_needed(tunnel);
	}
	tunnel->is_telling = false;
	if (!tunnel->doomed)
		return true;
	free(tunnel);
	return false;
}

static bool is_idle(const struct lane *lane)
{
	return !lane->is_spent && !lane->ends && !lane->request;
}

/* True when no lane can take a request, now or later. Without a WebSocket those that have one still are at its end. */
static bool is_used_up(const struct kube_tunnel *tunnel)
{
	for (size_t i = 0; i < tunnel->lane_count; i++) {
		const struct lane *lane = tunnel->lanes[i];

		if (lane->request || (tunnel->websocket && !lane->is_spent))
			return false;
	}
	return true;
}

static void dispatch(struct kube_tunnel *tunnel)
{
	if (tunnel->waiting && is_used_up(tunnel))
		open_websocket(tunnel);
	if (tunnel->pool->tunnel_count > MANY_TUNNELS && !tunnel->is_open)
		return;
	for (size_t i = 0; i < tunnel->lane_count && tunnel->waiting; i++) {
		struct tunnel_request *request = tunnel->waiting;

		if (!is_idle(tunnel->lanes[i]))
			continue;
		tunnel->waiting = request->next;
		request->next = NULL;
		tunnel_request_begin(request, tunnel->lanes[i]);
	}
}

static void on_soon(void *context)
{
	struct kube_tunnel *tunnel = context;

	/* First the next requests, so that they are on their way while the ends are told. */
	dispatch(tunnel);
	if (tell(tunnel))
		dispatch(tunnel);
}

/* ---------------------------------------------------------------------------------------- exported */

struct kube_tunnel *kube_tunnel_open(struct kube_client *client, const struct kube_tunnel_options *options)
{
	struct kube_tunnel *tunnel = xcalloc(1, sizeof(*tunnel));

	tunnel->client = client;
	tunnel->pool = websocket_pool(client);
	tunnel->options = *options;
	tunnel->soon = loop_timer_new(tunnel->pool->loop, on_soon, tunnel);
	tunnel->turn = loop_timer_new(tunnel->pool->loop, end_turn, tunnel);
	tunnel->pool->tunnel_count++;
	return tunnel;
}

static void free_requests(struct tunnel_request **list)
{
	while (*list) {
		struct tunnel_request *request = *list;

		*list = request->next;
		tunnel_request_free(request);
	}
}

void kube_tunnel_free(struct kube_tunnel *tunnel)
{
	if (!tunnel)
		return;
	for (size_t i = 0; i < tunnel->lane_count; i++)
		if (tunnel->lanes[i]->request)
			tunnel_request_free(tunnel->lanes[i]->request);
	free_requests(&tunnel->waiting);
	free_requests(&tunnel->ended);
	leave_turn(tunnel);
	close_websocket(tunnel);
	free_lanes(tunnel);
	loop_timer_free(tunnel->soon);
	loop_timer_free(tunnel->turn);
	tunnel->pool->tunnel_count--;
	tunnel->doomed = true;
	if (!tunnel->is_telling)
		free(tunnel);
}

void kube_tunnel_start(struct kube_tunnel *tunnel, struct kube_tunnel_call *call, int64_t deadline_ms,
                       kube_tunnel_done *done, void *context)
{
	struct tunnel_request *request = xcalloc(1, sizeof(*request));

	assert(!err_is_set(&call->err) && call->path && *call->path == '/');
	request->tunnel = tunnel;
	request->call = call;
	request->done = done;
	request->context = context;
	request->deadline_ms = deadline_ms;
	request->timer = loop_timer_new(tunnel->pool->loop, on_timer, request);
	loop_timer_set(request->timer, deadline_ms);
	append(&tunnel->waiting, request);
	act_soon(tunnel);
}

void kube_tunnel_call_release(struct kube_tunnel_call *call)
{
	buf_release(&call->body_out);
	err_release(&call->err);
	replace_string(&call->certificate, NULL);
	call->http_status = 0;
}
