/* See proxy.h. Blocking sockets, one thread each: a proxy has nothing to decide once it is through. */
#include "proxy.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls.h"
#include "util/base64.h"
#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

#define HEAD_MAX        ((size_t)64 * 1024)
#define CONNECTIONS_MAX 1024

struct client {
	struct proxy *proxy;
	int fd;
	int server; /* -1: not connected */
	SSL *ssl;   /* NULL: plain */
};

struct proxy {
	struct proxy_options options;
	SSL_CTX *tls;
	int listener;
	uint16_t port;
	pthread_t acceptor;
	pthread_mutex_t lock; /* of what follows */
	pthread_t threads[CONNECTIONS_MAX];
	struct client clients[CONNECTIONS_MAX];
	unsigned count, tunnels, certificates;
	char *target;
	struct buf heads;
};

static void require(bool fine, const char *what)
{
	if (fine)
		return;
	fprintf(stderr, "proxy: %s: %s\n", what, strerror(errno));
	abort();
}

/* ---------------------------------------------------------------------------------------- the client */

static ssize_t receive(struct client *client, void *bytes, size_t size)
{
	return client->ssl ? SSL_read(client->ssl, bytes, (int)size) : recv(client->fd, bytes, size, 0);
}

static bool send_to(int fd, SSL *ssl, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length > 0) {
		ssize_t count = ssl ? SSL_write(ssl, at, (int)length) : send(fd, at, length, MSG_NOSIGNAL);

		if (count <= 0)
			return false;
		at += count;
		length -= (size_t)count;
	}
	return true;
}

static bool receive_all(struct client *client, void *bytes, size_t size)
{
	char *at = bytes;

	while (size > 0) {
		ssize_t count = receive(client, at, size);

		if (count <= 0)
			return false;
		at += count;
		size -= (size_t)count;
	}
	return true;
}

static bool answer(struct client *client, const void *bytes, size_t length)
{
	return send_to(client->fd, client->ssl, bytes, length);
}

/* ---------------------------------------------------------------------------------------- the server */

static bool connect_server(struct client *client, char *target)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		                       .sin_port = htons(client->proxy->options.to) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	require(fd >= 0, "socket");
	pthread_mutex_lock(&client->proxy->lock);
	replace_string(&client->proxy->target, target);
	client->server = fd;
	pthread_mutex_unlock(&client->proxy->lock);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return false;
	pthread_mutex_lock(&client->proxy->lock);
	client->proxy->tunnels++;
	pthread_mutex_unlock(&client->proxy->lock);
	return true;
}

/* "GET http://HOST/path" becomes "GET /path", which is what servers know. A request comes in one piece here. */
static size_t to_origin_form(char *bytes, size_t length)
{
	char *url = memmem(bytes, length, " http://", 8), *line = memchr(bytes, '\n', length), *path;

	if (!url || !line || url > line)
		return length;
	path = memchr(url + 8, '/', (size_t)(line - url - 8));
	if (!path)
		return length;
	memmove(url + 1, path, (size_t)(bytes + length - path));
	return length - (size_t)(path - url - 1);
}

/* Both ways, until one of them ends. */
static void pass_on(struct client *client, bool tunnels)
{
	struct pollfd fds[2] = { { .fd = client->fd, .events = POLLIN }, { .fd = client->server, .events = POLLIN } };
	char piece[16 * 1024];

	for (;;) {
		ssize_t count;

		if ((!client->ssl || SSL_pending(client->ssl) == 0) && poll(fds, 2, -1) < 0)
			return;
		if (fds[0].revents || (client->ssl && SSL_pending(client->ssl) > 0)) {
			count = receive(client, piece, sizeof(piece));
			if (count > 0 && !tunnels)
				count = (ssize_t)to_origin_form(piece, (size_t)count);
			if (count <= 0 || !send_to(client->server, NULL, piece, (size_t)count))
				return;
		}
		if (fds[1].revents) {
			count = recv(client->server, piece, sizeof(piece), 0);
			if (count <= 0 || !answer(client, piece, (size_t)count))
				return;
		}
		fds[0].revents = fds[1].revents = 0;
	}
}

/* ----------------------------------------------------------------------------------------------- HTTP */

static bool read_head(struct client *client, struct buf *head)
{
	char byte;

	while (!str_ends_with(buf_text(head), "\r\n\r\n"))
		if (receive(client, &byte, 1) != 1 || buf_add(head, &byte, 1) < 0)
			return false;
		else if (byte == 0x16 && head->len == 1)
			return true; /* TLS: an answer to that is due at once */
	return true;
}

static bool is_authorized(const struct client *client, const char *head)
{
	const char *credentials = client->proxy->options.credentials;
	_cleanup_free_ char *encoded = NULL, *line = NULL;

	if (!credentials)
		return true;
	encoded = base64_encode(credentials, strlen(credentials));
	line = xasprintf("\r\nProxy-Authorization: Basic %s\r\n", encoded);
	return strstr(head, line) != NULL;
}

static void say(struct client *client, int status, const char *reason)
{
	_cleanup_free_ char *text =
	    xasprintf("HTTP/1.1 %d %s\r\nDate: Mon, 01 Jan 1990 00:00:00 GMT\r\n%sContent-Length: "
	              "0\r\n\r\n",
	              status, reason, status == 407 ? "Proxy-Authenticate: Basic realm=\"x\"\r\n" : "");

	answer(client, text, strlen(text));
}

static void serve_http(struct client *client)
{
	static const char established[] = "HTTP/1.1 200 Connection established\r\nRetry-After: 0\r\n\r\n";
	_cleanup_buf_ struct buf head = BUF_INIT(HEAD_MAX);
	struct proxy *proxy = client->proxy;
	const char *text, *target;
	bool tunnels;

	if (!read_head(client, &head))
		return;
	text = buf_text(&head);
	pthread_mutex_lock(&proxy->lock);
	buf_adds(&proxy->heads, text);
	pthread_mutex_unlock(&proxy->lock);
	tunnels = str_starts_with(text, "CONNECT ");
	target = tunnels ? text + strlen("CONNECT ") : strstr(text, "://") ? strstr(text, "://") + 3 : "?";
	if (*text == 0x16)
		say(client, 400, "Bad Request");
	else if (proxy->options.status)
		say(client, proxy->options.status, "\033[31mNo");
	else if (!is_authorized(client, text))
		say(client, 407, "Proxy Authentication Required");
	else if (!connect_server(client, xstrndup(target, strcspn(target, " /"))))
		say(client, 502, "Bad Gateway");
	else if (tunnels ? answer(client, established, sizeof(established) - 1)
	                 : send_to(client->server, NULL, head.data, to_origin_form(head.data, head.len)))
		pass_on(client, tunnels);
}

/* --------------------------------------------------------------------------------------------- SOCKS5 */

/* RFC 1929: version, name, password, each with its length. */
static bool socks_log_in(struct client *client)
{
	char name[256] = "", password[256] = "";
	unsigned char head[2], length;
	_cleanup_free_ char *given = NULL;
	bool fine;

	if (!answer(client, "\x05\x02", 2) || !receive_all(client, head, 2) || !receive_all(client, name, head[1]) ||
	    !receive_all(client, &length, 1) || !receive_all(client, password, length))
		return false;
	given = xasprintf("%s:%s", name, password);
	fine = str_equal(given, client->proxy->options.credentials);
	return answer(client, fine ? "\x01\x00" : "\x01\x01", 2) && fine;
}

/* RFC 1928, and only names are taken: an address would mean that the client had looked it up. */
static void serve_socks(struct client *client)
{
	unsigned char head[4], methods[256], length, port[2];
	char name[256] = "", reply[10] = { 5, 0, 0, 1 };

	if (!receive_all(client, head, 2) || !receive_all(client, methods, head[1]))
		return;
	if (client->proxy->options.credentials && !memchr(methods, 2, head[1])) {
		answer(client, "\x05\xff", 2);
		return;
	}
	if (client->proxy->options.credentials ? !socks_log_in(client) : !answer(client, "\x05\x00", 2))
		return;
	if (!receive_all(client, head, 4) || head[3] != 3 || !receive_all(client, &length, 1) ||
	    !receive_all(client, name, length) || !receive_all(client, port, 2))
		return;
	reply[1] = (char)client->proxy->options.status;
	if (!reply[1] && !connect_server(client, xasprintf("%s:%u", name, (unsigned)(port[0] << 8 | port[1]))))
		reply[1] = 5;
	if (answer(client, reply, sizeof(reply)) && !reply[1])
		pass_on(client, true);
}

/* -------------------------------------------------------------------------------------------- threads */

static bool start_tls(struct client *client)
{
	if (!client->proxy->tls)
		return true;
	client->ssl = SSL_new(client->proxy->tls);
	require(client->ssl && SSL_set_fd(client->ssl, client->fd) == 1, "SSL_new");
	if (SSL_accept(client->ssl) != 1)
		return false;
	pthread_mutex_lock(&client->proxy->lock);
	client->proxy->certificates += SSL_get0_peer_certificate(client->ssl) != NULL;
	pthread_mutex_unlock(&client->proxy->lock);
	return true;
}

static void wait_for_end(struct client *client)
{
	char bytes[1024];

	while (recv(client->fd, bytes, sizeof(bytes), 0) > 0)
		;
}

/* OpenSSL writes without MSG_NOSIGNAL. */
static void block_sigpipe(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* Sockets are shut here, and closed by proxy_stop: until then it may shut them, too. */
static void *serve(void *context)
{
	struct client *client = context;

	block_sigpipe();
	if (client->proxy->options.hangs)
		wait_for_end(client);
	else if (start_tls(client) && client->proxy->options.kind == PROXY_HTTP)
		serve_http(client);
	else if (client->proxy->options.kind == PROXY_SOCKS5)
		serve_socks(client);
	if (client->ssl)
		SSL_shutdown(client->ssl);
	shutdown(client->fd, SHUT_RDWR);
	if (client->server >= 0)
		shutdown(client->server, SHUT_RDWR);
	return NULL;
}

static void *take_connections(void *context)
{
	struct proxy *proxy = context;
	int fd;

	while ((fd = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		pthread_mutex_lock(&proxy->lock);
		require(proxy->count < CONNECTIONS_MAX, "too many connections");
		proxy->clients[proxy->count] = (struct client){ .proxy = proxy, .fd = fd, .server = -1 };
		errno = pthread_create(&proxy->threads[proxy->count], NULL, serve, &proxy->clients[proxy->count]);
		require(errno == 0, "pthread_create");
		proxy->count++;
		pthread_mutex_unlock(&proxy->lock);
	}
	return NULL;
}

/* ----------------------------------------------------------------------------------------- exported */

struct proxy *proxy_start(const struct proxy_options *options)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct proxy *proxy = xcalloc(1, sizeof(*proxy));
	socklen_t length = sizeof(address);

	proxy->options = *options;
	proxy->heads = (struct buf)BUF_INIT(BUF_TEXT_MAX);
	proxy->target = xstrdup("");
	if (options->tls)
		proxy->tls = tls_context_new(options->pki, options->tls, TLS_CLIENT_ASKED);
	pthread_mutex_init(&proxy->lock, NULL);
	proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	require(proxy->listener >= 0, "socket");
	require(bind(proxy->listener, (struct sockaddr *)&address, length) == 0, "bind");
	require(listen(proxy->listener, CONNECTIONS_MAX) == 0, "listen");
	require(getsockname(proxy->listener, (struct sockaddr *)&address, &length) == 0, "getsockname");
	proxy->port = ntohs(address.sin_port);
	errno = pthread_create(&proxy->acceptor, NULL, take_connections, proxy);
	require(errno == 0, "pthread_create");
	return proxy;
}

void proxy_stop(struct proxy *proxy)
{
	if (!proxy)
		return;
	shutdown(proxy->listener, SHUT_RDWR);
	pthread_join(proxy->acceptor, NULL);
	close(proxy->listener);
	for (unsigned i = 0; i < proxy->count; i++) {
		struct client *client = &proxy->clients[i];

		shutdown(client->fd, SHUT_RDWR);
		pthread_mutex_lock(&proxy->lock);
		if (client->server >= 0)
			shutdown(client->server, SHUT_RDWR);
		pthread_mutex_unlock(&proxy->lock);
		pthread_join(proxy->threads[i], NULL);
		SSL_free(client->ssl);
		close(client->fd);
		if (client->server >= 0)
			close(client->server);
	}
	SSL_CTX_free(proxy->tls);
	pthread_mutex_destroy(&proxy->lock);
	buf_release(&proxy->heads);
	free(proxy->target);
	free(proxy);
}

uint16_t proxy_port(const struct proxy *proxy)
{
	return proxy->port;
}

static unsigned locked(struct proxy *proxy, const unsigned *number)
{
	unsigned value;

	pthread_mutex_lock(&proxy->lock);
	value = *number;
	pthread_mutex_unlock(&proxy->lock);
	return value;
}

unsigned proxy_connections(struct proxy *proxy)
{
	return locked(proxy, &proxy->count);
}

unsigned proxy_tunnels(struct proxy *proxy)
{
	return locked(proxy, &proxy->tunnels);
}

unsigned proxy_certificates(struct proxy *proxy)
{
	return locked(proxy, &proxy->certificates);
}

char *proxy_target(struct proxy *proxy)
{
	char *copy;

	pthread_mutex_lock(&proxy->lock);
	copy = xstrdup(proxy->target);
	pthread_mutex_unlock(&proxy->lock);
	return copy;
}

char *proxy_heads(struct proxy *proxy)
{
	char *copy;

	pthread_mutex_lock(&proxy->lock);
	copy = xstrdup(buf_text(&proxy->heads));
	pthread_mutex_unlock(&proxy->lock);
	return copy;
}
