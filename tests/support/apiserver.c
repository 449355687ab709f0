/* See apiserver.h: the thread, the listening socket, and the sessions on its connections. */
#include "apiserver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exec_session.h"
#include "http.h"
#include "port_session.h"
#include "reactor.h"
#include "record.h"
#include "script.h"
#include "tls.h"
#include "util/mem.h"
#include "wire.h"

#define BACKLOG 4096

/* One connection: HTTP first, then perhaps a command or a tunnel. */
struct session {
	struct apiserver *server;
	struct session *next, *previous;
	struct wire *wire;
	struct http_stream *http;
	struct exec_session *exec;
	struct port_session *ports;
};

struct apiserver {
	struct script *script;
	struct reactor *reactor;
	struct pki *own_pki;
	const struct pki *pki;
	SSL_CTX *tls;        /* NULL: plain */
	SSL_CTX *tunnel_tls; /* NULL: no certificates */
	struct reactor_source listener;
	struct reactor_source wake; /* an eventfd */
	pthread_t thread;
	char *url;
	uint16_t port;
	struct session *sessions;
	atomic_uint accepted;
	atomic_uint open;
	atomic_bool stopping;
	atomic_bool refusing;
};

static void require(bool fine, const char *what)
{
	if (fine)
		return;
	fprintf(stderr, "apiserver: %s: %s\n", what, strerror(errno));
	abort();
}

/* ------------------------------------------------------------------------------------------- sessions */

static struct websocket *session_websocket(const struct session *session)
{
	if (session->exec)
		return exec_session_websocket(session->exec);
	return session->ports ? port_session_websocket(session->ports) : NULL;
}

static void free_session(void *object)
{
	struct session *session = object;

	http_stream_free(session->http);
	exec_session_free(session->exec);
	port_session_free(session->ports);
	free(session);
}

static void unlink_session(struct session *session)
{
	if (session->previous)
		session->previous->next = session->next;
	else
		session->server->sessions = session->next;
	if (session->next)
		session->next->previous = session->previous;
	atomic_fetch_sub(&session->server->open, 1);
}

static void on_wire_end(void *context)
{
	struct session *session = context;

	unlink_session(session);
	reactor_release_later(session->server->reactor, free_session, session);
}

static void on_wire_bytes(void *context)
{
	struct session *session = context;
	struct websocket *ws = session_websocket(session);
	struct buf *input = wire_input(session->wire);
	struct buf taken = *input;

	if (ws) {
		ws_receive(ws);
		return;
	}
	*input = (struct buf)BUF_INIT(WIRE_BUFFER_MAX);
	http_stream_feed(session->http, taken.data, taken.len);
	buf_release(&taken);
}

static void on_wire_room(void *context)
{
	struct session *session = context;
	struct websocket *ws = session_websocket(session);

	if (ws)
		ws_room(ws);
	else
		http_stream_room(session->http);
}

static const struct wire_events wire_events = { .on_bytes = on_wire_bytes,
	                                        .on_room = on_wire_room,
	                                        .on_end = on_wire_end };

static void http_send(void *context, const void *bytes, size_t length)
{
	struct session *session = context;

	wire_send(session->wire, bytes, length);
}

static bool http_has_room(void *context)
{
	struct session *session = context;

	return wire_has_room(session->wire);
}

static void http_finish(void *context, bool reset)
{
	struct session *session = context;

	if (reset)
		wire_reset(session->wire);
	else
		wire_finish(session->wire);
}

static bool http_verified(void *context)
{
	struct session *session = context;

	return wire_client_verified(session->wire);
}

static const char *http_subject(void *context)
{
	struct session *session = context;

	return wire_client_subject(session->wire);
}

static void http_upgrade(void *context, enum script_verdict verdict, const struct apiserver_request *request,
                         struct script_upgrade *upgrade, const void *rest, size_t length)
{
	struct session *session = context;
	struct apiserver *server = session->server;

	if (length && buf_add(wire_input(session->wire), rest, length) < 0)
		abort();
	if (verdict == SCRIPT_EXEC)
		session->exec = exec_session_new(server->reactor, server->script, session->wire, request, upgrade);
	else
		session->ports = port_session_new(server->reactor, server->script, session->wire, server->tunnel_tls,
		                                  request, upgrade);
	if (length)
		ws_receive(session_websocket(session));
}

static const struct http_sink http_sink = {
	.send = http_send,
	.has_room = http_has_room,
	.finish = http_finish,
	.upgrade = http_upgrade,
	.verified = http_verified,
	.subject = http_subject,
};

static void add_session(struct apiserver *server, int fd)
{
	struct session *session = xcalloc(1, sizeof(*session));
	struct script_client client = { .connection = atomic_fetch_add(&server->accepted, 1) + 1 };

	session->server = server;
	session->next = server->sessions;
	if (session->next)
		session->next->previous = session;
	server->sessions = session;
	atomic_fetch_add(&server->open, 1);
	session->wire = wire_new(server->reactor, fd, server->tls);
	session->http = http_stream_new(server->reactor, server->script, &client, &http_sink, session);
	wire_set_events(session->wire, &wire_events, session);
}

/* --------------------------------------------------------------------------------------------- thread */

static void on_connection(void *context, unsigned events)
{
	struct apiserver *server = context;
	int fd;

	(void)events;
	while ((fd = accept4(server->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		add_session(server, fd);
	require(errno == EAGAIN || errno == EINTR || errno == ECONNABORTED, "accept");
}

static void close_listener(struct apiserver *server)
{
	int fd = server->listener.fd;

	if (fd < 0)
		return;
	reactor_unwatch(server->reactor, &server->listener);
	close(fd);
}

static void on_wake(void *context, unsigned events)
{
	struct apiserver *server = context;
	uint64_t count;

	(void)events;
	if (read(server->wake.fd, &count, sizeof(count)) < 0)
		return;
	if (atomic_load(&server->refusing))
		close_listener(server);
}

static void wake(struct apiserver *server)
{
	const uint64_t one = 1;

	require(write(server->wake.fd, &one, sizeof(one)) == sizeof(one), "wake");
}

static void *run(void *context)
{
	struct apiserver *server = context;

	while (!atomic_load(&server->stopping))
		reactor_round(server->reactor);
	return NULL;
}

/* -------------------------------------------------------------------------------------- start and stop */

static void listen_on_loopback(struct apiserver *server)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	require(fd >= 0, "socket");
	require(bind(fd, (struct sockaddr *)&address, length) == 0, "bind");
	require(listen(fd, BACKLOG) == 0, "listen");
	require(getsockname(fd, (struct sockaddr *)&address, &length) == 0, "getsockname");
	server->port = ntohs(address.sin_port);
	server->url = xasprintf("%s://127.0.0.1:%u", server->tls ? "https" : "http", server->port);
	server->listener = (struct reactor_source){ .fd = fd, .on_events = on_connection, .context = server };
	reactor_watch(server->reactor, &server->listener, EPOLLIN);
}

static void watch_wake(struct apiserver *server)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	require(fd >= 0, "eventfd");
	server->wake = (struct reactor_source){ .fd = fd, .on_events = on_wake, .context = server };
	reactor_watch(server->reactor, &server->wake, EPOLLIN);
}

static void make_certificates(struct apiserver *server, const struct apiserver_options *options)
{
	static const enum tls_client clients[] = {
		[CLIENT_CERT_IGNORED] = TLS_CLIENT_IGNORED,
		[CLIENT_CERT_KUBERNETES] = TLS_CLIENT_ASKED,
		[CLIENT_CERT_REQUIRED] = TLS_CLIENT_REQUIRED,
		[CLIENT_CERT_NOTED] = TLS_CLIENT_ASKED,
	};

	server->pki = options->pki;
	if (!server->pki && (options->tls || options->tunnel_names))
		server->pki = server->own_pki = pki_new(options->tunnel_names);
	if (!server->pki)
		return;
	if (options->tls)
		server->tls = tls_context_new(server->pki, pki_server(server->pki, options->certificate),
		                              clients[options->client_certificate]);
	server->tunnel_tls =
	    tls_context_new(server->pki, pki_server(server->pki, options->tunnel_certificate), TLS_CLIENT_IGNORED);
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

struct apiserver *apiserver_start(const struct apiserver_options *options)
{
	struct apiserver *server = xcalloc(1, sizeof(*server));

	raise_descriptor_limit();
	server->script = script_new(options);
	server->reactor = reactor_new();
	make_certificates(server, options);
	listen_on_loopback(server);
	watch_wake(server);
	errno = pthread_create(&server->thread, NULL, run, server);
	require(errno == 0, "pthread_create");
	return server;
}

static void free_sessions(struct apiserver *server)
{
	struct session *session = server->sessions;

	while (session) {
		struct session *next = session->next;

		wire_destroy(session->wire);
		free_session(session);
		session = next;
	}
}

void apiserver_stop(struct apiserver *server)
{
	if (!server)
		return;
	atomic_store(&server->stopping, true);
	wake(server);
	pthread_join(server->thread, NULL);
	close_listener(server);
	free_sessions(server);
	close(server->wake.fd);
	reactor_free(server->reactor);
	SSL_CTX_free(server->tls);
	SSL_CTX_free(server->tunnel_tls);
	pki_free(server->own_pki);
	script_free(server->script);
	free(server->url);
	free(server);
}

const char *apiserver_url(const struct apiserver *server)
{
	return server->url;
}

uint16_t apiserver_port(const struct apiserver *server)
{
	return server->port;
}

const struct pki *apiserver_pki(const struct apiserver *server)
{
	return server->pki;
}

void apiserver_add(struct apiserver *server, const struct apiserver_route *routes, const struct apiserver_exec *execs,
                   const struct apiserver_port *ports)
{
	script_add_routes(server->script, routes);
	script_add_execs(server->script, execs);
	script_add_ports(server->script, ports);
}

void apiserver_refuse_connections(struct apiserver *server)
{
	atomic_store(&server->refusing, true);
	wake(server);
}

void apiserver_lock(struct apiserver *server)
{
	script_lock(server->script);
}

void apiserver_unlock(struct apiserver *server)
{
	script_unlock(server->script);
}

unsigned apiserver_connections(struct apiserver *server)
{
	return atomic_load(&server->accepted);
}

unsigned apiserver_connections_open(struct apiserver *server)
{
	return atomic_load(&server->open);
}

/* --------------------------------------------------------------------------------------------- records */

size_t apiserver_request_total(struct apiserver *server)
{
	return record_total(script_record(server->script));
}

const struct apiserver_request *apiserver_request_at(struct apiserver *server, size_t index)
{
	return record_at(script_record(server->script), index);
}

size_t apiserver_count(struct apiserver *server, const char *method, const char *path)
{
	return record_count(script_record(server->script), method, path);
}

const struct apiserver_request *apiserver_find(struct apiserver *server, const char *method, const char *path, size_t n)
{
	return record_find(script_record(server->script), method, path, n);
}

bool apiserver_wait(struct apiserver *server, const char *method, const char *path, size_t count, int timeout_ms)
{
	return record_wait(script_record(server->script), method, path, count, timeout_ms);
}

char *apiserver_complaints(struct apiserver *server)
{
	return record_complaints(script_record(server->script));
}
