/* kube/multi: transfers on our loop, against the scripted API server. */
#include "kube/multi.h"

#include <poll.h>
#include <string.h>

#include <criterion/criterion.h>

#include "../../support/apiserver.h"
#include "util/clock.h"
#include "util/mem.h"

static const struct apiserver_route routes[] = {
	{ .path = "/slow", .answer = { .fault = FAULT_SILENCE } },
	{ .path = "/gone", .answer = { .fault = FAULT_CLOSE } },
	{ .path = "/*", .answer = { .body = "{}" } },
	{ 0 },
};

static struct apiserver *server;
static struct loop *loop;
static struct kube_multi *multi;

static void set_up(void)
{
	struct err err = ERR_INIT;

	cr_assert_eq(libcurl_load(&err), 0, "%s", err.message);
	server = apiserver_start(&(struct apiserver_options){ .routes = routes });
	loop = loop_new();
	multi = kube_multi_new(loop);
}

static void tear_down(void)
{
	kube_multi_free(multi);
	loop_free(loop);
	apiserver_stop(server);
}

TestSuite(multi, .init = set_up, .fini = tear_down);

/* A transfer and what became of it. */
struct transfer {
	CURL *easy;
	int calls;
	CURLcode code;
	long status;
	struct transfer *victim; /* removed by this one's callback */
	struct transfer *next;   /* added by this one's callback */
	bool frees_multi;
};

static size_t drop(char *bytes, size_t size, size_t count, void *context)
{
	(void)bytes;
	(void)context;
	return size * count;
}

static void stop(struct transfer *transfer)
{
	kube_multi_remove(multi, transfer->easy);
	curl->easy_cleanup(transfer->easy);
	transfer->easy = NULL;
}

static void on_done(void *context, CURL *easy, CURLcode code);

static void start(struct transfer *transfer, const char *path)
{
	_cleanup_free_ char *url = xasprintf("%s%s", apiserver_url(server), path);

	transfer->easy = curl->easy_init();
	curl->easy_setopt(transfer->easy, CURLOPT_URL, url);
	curl->easy_setopt(transfer->easy, CURLOPT_PROXY, "");
	curl->easy_setopt(transfer->easy, CURLOPT_WRITEFUNCTION, drop);
	kube_multi_add(multi, transfer->easy, on_done, transfer);
}

static void on_done(void *context, CURL *easy, CURLcode code)
{
	struct transfer *transfer = context;

	cr_assert_eq(easy, transfer->easy);
	transfer->calls++;
	transfer->code = code;
	curl->easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &transfer->status);
	stop(transfer);
	if (transfer->victim)
		stop(transfer->victim);
	if (transfer->next)
		start(transfer->next, "/next");
	if (transfer->frees_multi) {
		kube_multi_free(multi);
		multi = NULL;
	}
}

static bool is_called(void *context)
{
	const struct transfer *transfer = context;

	return transfer->calls > 0;
}

static void run_until(bool (*is_done)(void *), void *context)
{
	struct err err = ERR_INIT;

	cr_assert_eq(loop_run(loop, is_done, context, clock_monotonic_ms() + 10000, &err), 0, "%s", err.message);
}

Test(multi, done_is_called_once_and_from_the_loop)
{
	struct transfer transfer = { 0 }, other = { 0 };

	start(&transfer, "/a");
	cr_assert_eq(transfer.calls, 0);
	run_until(is_called, &transfer);
	cr_assert_eq(transfer.code, CURLE_OK);
	cr_assert_eq(transfer.status, 200);
	start(&other, "/b");
	run_until(is_called, &other);
	cr_assert_eq(transfer.calls, 1);
	cr_assert_eq(apiserver_connections(server), 1, "the connection is kept");
}

Test(multi, a_failure_is_told)
{
	struct transfer transfer = { 0 };

	start(&transfer, "/gone");
	run_until(is_called, &transfer);
	cr_assert_eq(transfer.code, CURLE_GOT_NOTHING);
}

Test(multi, a_removed_transfer_is_never_done)
{
	struct transfer removed = { 0 }, transfer = { 0 };

	start(&removed, "/a");
	start(&transfer, "/b");
	stop(&removed);
	run_until(is_called, &transfer);
	cr_assert_eq(removed.calls, 0);
}

Test(multi, done_may_remove_another_and_add_a_third)
{
	struct transfer third = { 0 }, waiting = { 0 }, transfer = { .victim = &waiting, .next = &third };

	start(&waiting, "/slow");
	start(&transfer, "/a");
	run_until(is_called, &third);
	cr_assert_eq(third.status, 200);
	cr_assert_eq(waiting.calls, 0);
}

Test(multi, done_may_free_the_multi)
{
	struct transfer transfer = { .frees_multi = true };

	start(&transfer, "/a");
	run_until(is_called, &transfer);
	cr_assert_null(multi);
}

Test(multi, remove_of_what_was_never_added_is_nothing)
{
	CURL *easy = curl->easy_init();

	kube_multi_remove(multi, easy);
	curl->easy_cleanup(easy);
}

/* -------------------------------------------------------------------------- connections of our own */

/* A CONNECT_ONLY handle whose socket its owner watches, as a WebSocket does. */
struct connection {
	CURL *easy;
	bool is_ended;
	char answer[4096];
	size_t length;
};

static bool is_ended(void *context)
{
	const struct connection *connection = context;

	return connection->is_ended;
}

static void on_readable(void *context, int fd, int events)
{
	struct connection *connection = context;
	size_t count = 0;
	CURLcode code;

	(void)events;
	code = curl->easy_recv(connection->easy, connection->answer + connection->length,
	                       sizeof(connection->answer) - 1 - connection->length, &count);
	cr_assert(code == CURLE_OK || code == CURLE_AGAIN);
	connection->length += count;
	connection->answer[connection->length] = '\0';
	if (strstr(connection->answer, "\r\n\r\n{}")) {
		loop_unwatch(loop, fd);
		connection->is_ended = true;
	}
}

static void on_connected(void *context, CURL *easy, CURLcode code)
{
	static const char request[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
	struct connection *connection = context;
	curl_socket_t fd;
	size_t sent;

	cr_assert_eq(code, CURLE_OK);
	cr_assert_eq(curl->easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd), CURLE_OK);
	cr_assert_eq(curl->easy_send(easy, request, strlen(request), &sent), CURLE_OK);
	cr_assert_eq(sent, strlen(request));
	loop_watch(loop, fd, LOOP_READ, on_readable, connection);
}

static void connect_only(struct connection *connection)
{
	connection->easy = curl->easy_init();
	curl->easy_setopt(connection->easy, CURLOPT_URL, apiserver_url(server));
	curl->easy_setopt(connection->easy, CURLOPT_PROXY, "");
	curl->easy_setopt(connection->easy, CURLOPT_CONNECT_ONLY, 1L);
	kube_multi_add(multi, connection->easy, on_connected, connection);
}

Test(multi, a_connection_belongs_to_its_owner_once_it_is_made)
{
	struct connection connection = { 0 };

	connect_only(&connection);
	run_until(is_ended, &connection);
	kube_multi_remove(multi, connection.easy);
	curl->easy_cleanup(connection.easy);
}

static bool are_all_ended(void *context)
{
	const struct connection *connections = context;

	for (size_t i = 0; i < 100; i++)
		if (!connections[i].is_ended)
			return false;
	return true;
}

Test(multi, a_hundred_connections_at_once)
{
	struct connection *connections = xcalloc(100, sizeof(*connections));
	struct transfer transfer = { 0 };

	for (size_t i = 0; i < 100; i++)
		connect_only(&connections[i]);
	start(&transfer, "/b");
	run_until(are_all_ended, connections);
	run_until(is_called, &transfer);
	cr_assert_eq(apiserver_connections(server), 101, "no connection is shared");
	for (size_t i = 0; i < 100; i++) {
		kube_multi_remove(multi, connections[i].easy);
		curl->easy_cleanup(connections[i].easy);
	}
	free(connections);
}
