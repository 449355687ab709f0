/* One HTTP request inside a tunnel: libcurl's side. See tunnel_parts.h. */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "tunnel_parts.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/* Most bytes of libcurl's own words that are shown. */
#define DETAIL_MAX 300
/* libcurl's buffer for one answer; the smallest is 1 KiB. */
#define BUFFER_SIZE        4096L
#define SINK_BUFFER_SIZE   65536L
#define UPLOAD_BUFFER_SIZE 16384L
/*
 * The text of an error (Go's "Client sent an HTTP request to an HTTPS server." in an HTTP/1.0 answer without a length)
 * ends with the connection. The tunnel does not tell that end, so silence does.
 */
#define QUIET_MS 300

/* --------------------------------------------------------------------------------- libcurl's calls */

static bool is_header(const char *line, size_t length, const char *name)
{
	size_t name_length = strlen(name);

	return length > name_length && line[name_length] == ':' && strncasecmp(line, name, name_length) == 0;
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
	struct tunnel_request *request = context;
	size_t length = size * count;

	request->header_bytes += length;
	if (request->header_bytes > TUNNEL_HEADER_MAX) {
		request->is_too_large = true;
		return 0;
	}
	if (length > 5 && strncmp(line, "HTTP/", 5) == 0)
		request->has_length = false;
	else if (is_header(line, length, "Content-Length") || is_header(line, length, "Transfer-Encoding"))
		request->has_length = true;
	return length;
}

/* No turn is needed: nothing of it is kept. */
static size_t pour(struct tunnel_request *request, const char *bytes, size_t length)
{
	struct kube_tunnel_call *call = request->call;

	return call->sink(call->sink_context, bytes, length, &request->sink_err) < 0 ? 0 : length;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
	struct tunnel_request *request = context;
	size_t length = size * count;
	long status = 0;
	int64_t quiet_ms;

	curl->easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	if (request->call->sink && status == 200)
		return pour(request, bytes, length);
	if (request->call->body_out.len + length > TUNNEL_LARGE && !tunnel_take_turn(request)) {
		request->is_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (buf_add(&request->call->body_out, bytes, length) < 0) {
		request->is_too_large = true;
		return 0;
	}
	if (!request->has_length && status >= 400) {
		quiet_ms = clock_monotonic_ms() + QUIET_MS;
		request->is_whole_when_quiet = true;
		loop_timer_set(request->timer, quiet_ms < request->deadline_ms ? quiet_ms : request->deadline_ms);
	}
	return length;
}

/* ------------------------------------------------------------------------------------------ ending */

static int curl_error(struct tunnel_request *request, CURLcode code, struct err *err)
{
	const char *detail = *request->detail ? request->detail : curl->easy_strerror(code);
	_cleanup_free_ char *shown = str_visible(detail, DETAIL_MAX);

	if (request->is_too_large)
		return err_set(err, ERR_TOO_LARGE,
		               "the answer to %s has more than %zu bytes, or its headers more than %zu",
		               request->call->path, request->call->body_out.max, TUNNEL_HEADER_MAX);
	if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR ||
	    code == CURLE_SSL_CACERT_BADFILE)
		return err_set(err, ERR_UNREACHABLE, "TLS: %s", shown);
	if (code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_UNSUPPORTED_PROTOCOL)
		return err_set(err, ERR_PROTOCOL, "the answer is not HTTP: %s", shown);
	if (code == CURLE_GOT_NOTHING || code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR ||
	    code == CURLE_SEND_ERROR || code == CURLE_COULDNT_CONNECT)
		return err_set(err, ERR_UNREACHABLE, "the connection ended before the whole answer to %s came: %s",
		               request->call->path, shown);
	return err_set(err, ERR_FAILED, "%s", shown);
}

/* libcurl wanted to connect a second time, which a lane cannot, or found its socket closed: nothing was sent. */
static bool was_not_sent(const struct tunnel_request *request, CURLcode code)
{
	return (code == CURLE_COULDNT_CONNECT || code == CURLE_SEND_ERROR) && request->lane->taken == 0 &&
	       !request->was_put_back && !request->lane->ends;
}

/* The leaf comes first, and is one of the entries "NAME:VALUE" of its list. */
static char *presented_certificate(CURL *easy)
{
	static const char name[] = "Cert:";
	struct curl_certinfo *chain = NULL;

	if (curl->easy_getinfo(easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || !chain || chain->num_of_certs < 1)
		return NULL;
	for (const struct curl_slist *entry = chain->certinfo[0]; entry; entry = entry->next)
		if (str_starts_with(entry->data, name))
			return xstrdup(entry->data + strlen(name));
	return NULL;
}

static void on_done(void *context, CURL *easy, CURLcode code)
{
	struct tunnel_request *request = context;
	struct err err = ERR_INIT;

	if (code == CURLE_OK) {
		curl->easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &request->call->http_status);
		if (request->call->wants_certificate)
			request->call->certificate = presented_certificate(easy);
	} else if (was_not_sent(request, code)) {
		lane_spend(request->lane);
		tunnel_put_back(request);
		return;
	} else {
		lane_spend(request->lane);
		curl_error(request, code, &err);
	}
	tunnel_end_request(request, &err);
}

/* --------------------------------------------------------------------------------------- beginning */

static void set_headers(struct tunnel_request *request)
{
	const char *token = request->tunnel->options.token;

	/* Not "100-continue", which costs a round trip. */
	libcurl_append(&request->headers, "Expect:");
	if (request->call->body)
		libcurl_append(&request->headers, "Content-Type: application/json");
	if (token) {
		_cleanup_buf_ struct buf line = { .max = BUF_TEXT_MAX, .secret = true };

		buf_adds(&line, "X-Consul-Token: ");
		buf_adds(&line, token);
		libcurl_append(&request->headers, buf_text(&line));
	}
	curl->easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers);
}

static void set_method(struct tunnel_request *request)
{
	const struct kube_tunnel_call *call = request->call;

	if (call->method == KUBE_GET && !call->body)
		return;
	/* With an empty body too, so that a PUT says that its length is 0. */
	if (call->method != KUBE_DELETE || call->body)
		curl->easy_setopt(request->easy, CURLOPT_POSTFIELDS, call->body ? call->body : "");
	curl->easy_setopt(request->easy, CURLOPT_CUSTOMREQUEST, kube_method_name(call->method));
}

static void set_tls(const struct tunnel_request *request)
{
	const struct kube_tunnel_options *options = &request->tunnel->options;
	CURL *easy = request->easy;
	struct curl_blob blob = { .flags = CURL_BLOB_COPY };

	curl->easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, options->verify ? 1L : 0L);
	curl->easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, options->verify ? 2L : 0L);
	curl->easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	curl->easy_setopt(easy, CURLOPT_CERTINFO, request->call->wants_certificate ? 1L : 0L);
	if (!options->verify || !options->ca_pem)
		return;
	_cleanup_free_ char *pem = xstrdup(options->ca_pem);

	blob.data = pem;
	blob.len = strlen(pem);
	/* This authority only: libcurl would trust the system's directory of them beside the blob. */
	curl->easy_setopt(easy, CURLOPT_CAINFO, NULL);
	curl->easy_setopt(easy, CURLOPT_CAPATH, NULL);
	curl->easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
}

static void set_url(struct tunnel_request *request)
{
	const struct kube_tunnel_options *options = &request->tunnel->options;
	const char *host = options->https && options->server_name ? options->server_name : "127.0.0.1";
	_cleanup_free_ char *url =
	    xasprintf("%s://%s:%u%s", options->https ? "https" : "http", host, options->port, request->call->path);

	curl->easy_setopt(request->easy, CURLOPT_URL, url);
	curl->easy_setopt(request->easy, CURLOPT_PATH_AS_IS, 1L);
	curl->easy_setopt(request->easy, CURLOPT_CONNECT_TO, request->lane->connect_to);
	curl->easy_setopt(request->easy, CURLOPT_OPENSOCKETFUNCTION, lane_open_socket);
	curl->easy_setopt(request->easy, CURLOPT_OPENSOCKETDATA, request->lane);
	curl->easy_setopt(request->easy, CURLOPT_PROXY, "");
	curl->easy_setopt(request->easy, CURLOPT_NOPROXY, "*");
}

static void set_callbacks(struct tunnel_request *request)
{
	CURL *easy = request->easy;

	curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl->easy_setopt(easy, CURLOPT_HEADERDATA, request);
	curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl->easy_setopt(easy, CURLOPT_WRITEDATA, request);
	curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, request->detail);
}

void tunnel_request_begin(struct tunnel_request *request, struct lane *lane)
{
	CURL *easy = curl->easy_init();

	if (!easy)
		abort();
	request->lane = lane;
	request->easy = easy;
	request->header_bytes = 0;
	lane->request = request;
	lane->taken = 0;
	curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl->easy_setopt(easy, CURLOPT_BUFFERSIZE, request->call->sink ? SINK_BUFFER_SIZE : BUFFER_SIZE);
	curl->easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER_SIZE);
	set_url(request);
	set_callbacks(request);
	set_headers(request);
	set_method(request);
	if (request->tunnel->options.https)
		set_tls(request);
	kube_multi_add(websocket_pool_tunnel_multi(request->tunnel->pool), easy, on_done, request);
}

void tunnel_request_stop(struct tunnel_request *request)
{
	if (!request->lane)
		return;
	kube_multi_remove(websocket_pool_tunnel_multi(request->tunnel->pool), request->easy);
	curl->easy_cleanup(TAKE(request->easy));
	kube_transport_headers_free(TAKE(request->headers));
	request->lane->request = NULL;
	request->lane = NULL;
}

void tunnel_request_resume(struct tunnel_request *request)
{
	if (!request->is_paused)
		return;
	request->is_paused = false;
	curl->easy_pause(request->easy, CURLPAUSE_CONT);
}

void tunnel_request_free(struct tunnel_request *request)
{
	tunnel_request_stop(request);
	loop_timer_free(request->timer);
	err_release(&request->sink_err);
	free(request);
}
