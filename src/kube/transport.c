/* See include/kube/transport.h. */
#include "transport_parts.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "util/base64.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/mem.h"
#include "util/str.h"

/* As kubectl's dialer. */
#define CONNECT_TIMEOUT_MS 30000L
#define KEEPALIVE_S        30L
#define TOKEN_MAX          ((size_t)64 * 1024)
#define TOKEN_FILE_AGE_MS  60000
#define SPACE              " \t\v\f\r\n"

#if defined(__APPLE__)
#define OS_NAME "darwin"
#elif defined(__linux__)
#define OS_NAME "linux"
#elif defined(__FreeBSD__)
#define OS_NAME "freebsd"
#else
#define OS_NAME "unknown"
#endif

#if defined(__x86_64__)
#define ARCH_NAME "amd64"
#elif defined(__aarch64__)
#define ARCH_NAME "arm64"
#elif defined(__arm__)
#define ARCH_NAME "arm"
#elif defined(__i386__)
#define ARCH_NAME "386"
#elif defined(__powerpc64__)
#define ARCH_NAME "ppc64le"
#elif defined(__s390x__)
#define ARCH_NAME "s390x"
#elif defined(__riscv)
#define ARCH_NAME "riscv64"
#else
#define ARCH_NAME "unknown"
#endif

/* --------------------------------------------------------------------------------------- new, free */

static int check_credentials(const struct kube_transport *transport, struct err *err)
{
	const struct kube_config *config = transport->config;

	if (transport->address.https || (!config->token && !config->token_file && !config->username && !config->exec))
		return 0;
	err_set(err, ERR_CONFIG, "refusing to send credentials over plain http to %s", transport->address.authority);
	return err_hint(err, "use an https:// server, or a user without credentials (kubectl proxy adds its own)");
}

/*
 * libcurl checks the certificate against the host in the URL. So when another name is wanted, the URL gets that
 * name, and CURLOPT_CONNECT_TO the host that is really connected to.
 */
static void set_url(struct kube_transport *transport)
{
	const struct server_address *address = &transport->address;
	const char *name = transport->config->tls_server_name;
	const bool is_v6 = name && strchr(name, ':');
	const bool is_host_v6 = strchr(address->host, ':') != NULL;
	_cleanup_free_ char *connect_to = NULL;

	if (!address->https || str_is_empty(name) || str_equal_nocase(name, address->host)) {
		transport->url =
		    xasprintf("%s://%s%s", address->https ? "https" : "http", address->authority, address->path);
		return;
	}
	transport->url = xasprintf("https://%s%s%s:%u%s", is_v6 ? "[" : "", name, is_v6 ? "]" : "",
	                           (unsigned)address->port, address->path);
	connect_to = xasprintf("::%s%s%s:%u", is_host_v6 ? "[" : "", address->host, is_host_v6 ? "]" : "",
	                       (unsigned)address->port);
	libcurl_append(&transport->connect_to, connect_to);
}

static bool is_server_name(const char *name)
{
	return !name ||
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:")] == '\0';
}

/* A random UUID, version 4 (RFC 9562). */
static int make_session(char *ret_text, size_t size, struct err *err)
{
	unsigned char b[16];

	if (RAND_bytes(b, sizeof(b)) != 1)
		return err_set(err, ERR_FAILED, "no random numbers from libcrypto");
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(ret_text, size, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
	         b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
	return 0;
}

static int prepare(struct kube_transport *transport, struct err *err)
{
	const struct kube_config *config = transport->config;

	if (server_address_parse(config->server, &transport->address, err) < 0 ||
	    check_credentials(transport, err) < 0 ||
	    make_session(transport->session, sizeof(transport->session), err) < 0)
		return -1;
	if (!is_server_name(config->tls_server_name))
		return err_set(err, ERR_CONFIG, "tls-server-name is not a host name");
	if (transport->address.https && transport_tls_init(&transport->tls, config, err) < 0)
		return -1;
	set_url(transport);
	return 0;
}

int kube_transport_new(const struct kube_config *config, const char *command, struct kube_transport **ret_transport,
                       struct err *err)
{
	struct kube_transport *transport;

	if (libcurl_load(err) < 0)
		return -1;
	transport = xcalloc(1, sizeof(*transport));
	transport->config = config;
	transport->user_agent =
	    xstrdup("User-Agent: kubectl-consul/" KUBECTL_CONSUL_VERSION " (" OS_NAME "/" ARCH_NAME ")");
	transport->command = command ? xasprintf("Kubectl-Command: %s", command) : NULL;
	if (prepare(transport, err) < 0) {
		kube_transport_free(transport);
		return -1;
	}
	*ret_transport = transport;
	return 0;
}

void kube_transport_free(struct kube_transport *transport)
{
	if (!transport)
		return;
	server_address_release(&transport->address);
	transport_tls_release(&transport->tls);
	curl->slist_free_all(transport->connect_to);
	free(transport->url);
	free(transport->user_agent);
	free(transport->command);
	free_secret(transport->file_token);
	transport_plugin_release(&transport->plugin);
	free(transport);
}

const char *kube_transport_url(const struct kube_transport *transport)
{
	return transport->url;
}

const char *kube_transport_authority(const struct kube_transport *transport)
{
	return transport->address.authority;
}

const char *kube_transport_proxy(const struct kube_transport *transport)
{
	return transport->config->proxy.shown;
}

/* ------------------------------------------------------------------------------------- connections */

static int close_on_exec(void *context, curl_socket_t fd, curlsocktype purpose)
{
	(void)context;
	(void)purpose;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return CURL_SOCKOPT_OK;
}

CURL *kube_transport_easy(struct kube_transport *transport)
{
	CURL *easy = curl->easy_init();

	if (!easy)
		abort();
	curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Else giving up waits for the thread that looks up the name: with a silent name server, far past a deadline.
	 */
	curl->easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl->easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* an object named ".." must not lead to another */
	curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl->easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl->easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl->easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S);
	curl->easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S);
	curl->easy_setopt(easy, CURLOPT_BUFFERSIZE, 1024L);
	if (transport->address.https)
		transport_tls_apply(&transport->tls, transport->config, easy);
	if (transport->connect_to)
		curl->easy_setopt(easy, CURLOPT_CONNECT_TO, transport->connect_to);
	transport_proxy_apply(transport, easy);
	/* A plugin is no child to inherit connections. */
	curl->easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, close_on_exec);
	kube_transport_identify(transport, easy);
	return easy;
}

/* ----------------------------------------------------------------------------------------- headers */

static int read_token_file(const char *path, char **ret_token, struct err *err)
{
	_cleanup_buf_ struct buf content = { .max = TOKEN_MAX, .secret = true };
	const char *start;
	size_t length;

	if (file_read(path, &content, err) < 0)
		return err_wrap(err, "failed to read token file");
	if (strlen(buf_text(&content)) != content.len)
		return err_set(err, ERR_CONFIG, "the token in file \"%s\" cannot be sent: it has a NUL in it", path);
	start = buf_text(&content);
	start += strspn(start, SPACE);
	length = strlen(start);
	while (length > 0 && strchr(SPACE, start[length - 1]))
		length--;
	if (length == 0)
		return err_set(err, ERR_CONFIG, "read empty token from file \"%s\"", path);
	*ret_token = xstrndup(start, length);
	return 0;
}

/* A file that cannot be read now keeps the token it had: whoever rotates it may be at it. */
static int refresh_token(struct kube_transport *transport, struct err *err)
{
	const int64_t now_ms = clock_monotonic_ms();
	_cleanup_err_ struct err problem = ERR_INIT;
	char *token = NULL;

	if (transport->file_token && now_ms - transport->file_token_at_ms < TOKEN_FILE_AGE_MS)
		return 0;
	transport->file_token_at_ms = now_ms;
	if (read_token_file(transport->config->token_file, &token, &problem) < 0) {
		if (transport->file_token)
			return 0;
		err_move(err, &problem);
		return -1;
	}
	free_secret(transport->file_token);
	transport->file_token = token;
	return 0;
}

static bool is_header_value(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static int append_authorization(struct curl_slist **list, const char *scheme, const char *secret, struct err *err)
{
	_cleanup_buf_ struct buf line = { .max = TOKEN_MAX + 64, .secret = true };

	if (strlen(secret) > TOKEN_MAX || !is_header_value(secret))
		return err_set(err, ERR_CONFIG,
		               "the token cannot be sent: it is too long or has control characters in it");
	buf_adds(&line, "Authorization: ");
	buf_adds(&line, scheme);
	buf_adds(&line, secret);
	libcurl_append(list, buf_text(&line));
	return 0;
}

static int append_basic(struct curl_slist **list, const struct kube_config *config, struct err *err)
{
	_cleanup_buf_ struct buf pair = { .max = TOKEN_MAX, .secret = true };
	char *encoded;
	int status;

	if (strlen(config->username) + strlen(config->password) >= TOKEN_MAX / 2)
		return err_set(err, ERR_CONFIG, "the username and password cannot be sent: they are too long");
	buf_adds(&pair, config->username);
	buf_addc(&pair, ':');
	buf_adds(&pair, config->password);
	encoded = base64_encode(buf_text(&pair), pair.len);
	status = append_authorization(list, "Basic ", encoded, err);
	free_secret(encoded);
	return status;
}

static int append_credentials(struct kube_transport *transport, struct curl_slist **list, struct err *err)
{
	const struct kube_config *config = transport->config;
	const char *token = config->exec ? transport->plugin.credential.token : config->token;

	if (config->token_file && refresh_token(transport, err) < 0)
		return -1;
	if (config->token_file)
		token = transport->file_token;
	if (!token && !config->username)
		return 0;
	assert(transport->address.https);
	return token ? append_authorization(list, "Bearer ", token, err) : append_basic(list, config, err);
}

static int append_impersonation(const struct kube_transport *transport, struct curl_slist **list, struct err *err)
{
	_cleanup_strv_ struct strv lines = STRV_INIT;

	if (impersonation_headers(&transport->config->as, &lines, err) < 0)
		return -1;
	for (size_t i = 0; i < lines.count; i++)
		libcurl_append(list, lines.items[i]);
	return 0;
}

int kube_transport_headers(struct kube_transport *transport, struct curl_slist **list, struct err *err)
{
	char line[64];

	if (append_credentials(transport, list, err) < 0 || append_impersonation(transport, list, err) < 0)
		return -1;
	libcurl_append(list, transport->user_agent);
	if (transport->command)
		libcurl_append(list, transport->command);
	snprintf(line, sizeof(line), "Kubectl-Session: %s", transport->session);
	libcurl_append(list, line);
	return 0;
}

void kube_transport_headers_free(struct curl_slist *list)
{
	for (struct curl_slist *line = list; line; line = line->next)
		mem_wipe(line->data, strlen(line->data));
	curl->slist_free_all(list);
}
