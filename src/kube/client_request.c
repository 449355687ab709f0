/* One call on its way. See client_parts.h. */
#include "client_parts.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "kube/status.h"
#include "kube/warning.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define READ_BUFFER_BYTES  65536L
#define RETRIES_MAX        10
#define BREAK_DELAY_MS     100
#define BREAK_DELAY_MAX_MS 2000
#define EXCERPT_MAX        120
#define LOG_VERBOSITY      6
/* CURLE_TOO_LARGE, which libcurl has from 8.6. */
#define LIBCURL_TOO_LARGE 100

/* ---------------------------------------------------------------------------------------- outcomes */

/* Ends it from the loop, so that done is never called from inside kube_client_start. */
static void end_soon(struct kube_request *request)
{
	request->state = REQUEST_ENDED;
	loop_timer_set(request->timer, clock_monotonic_ms());
}

static bool is_blank(const struct buf *body)
{
	return strspn(buf_text(body), " \t\r\n") == body->len;
}

/* The beginning of a text on one line. */
static char *excerpt_of(const char *text)
{
	char line[EXCERPT_MAX + 8], last = ' ';
	size_t length = 0;

	for (; *text && length < EXCERPT_MAX + 1; text++) {
		const char next = strchr("\t\r\n", *text) ? ' ' : *text;

		if (next != ' ' || last != ' ')
			line[length++] = next;
		last = next;
	}
	line[length] = '\0';
	return str_visible(line, EXCERPT_MAX);
}

static int decode(struct kube_request *request, struct err *err)
{
	struct kube_call *call = request->call;
	_cleanup_err_ struct err problem = ERR_INIT;
	_cleanup_free_ char *excerpt = NULL;

	if (call->wants_text) {
		call->json = cJSON_CreateString(buf_text(&request->body));
		return 0;
	}
	if (is_blank(&request->body))
		return 0;
	if (json_parse(buf_text(&request->body), request->body.len, &call->json, &problem) == 0)
		return 0;
	excerpt = excerpt_of(buf_text(&request->body));
	err_set(err, ERR_PROTOCOL, "%s %s: the answer is not JSON: %s", kube_method_name(call->method), call->path,
	        excerpt);
	return err_hint(err, "is %s a Kubernetes API server? A proxy or a login page may stand in between",
	                kube_transport_authority(request->client->transport));
}

static int refusal(struct kube_request *request, struct err *err)
{
	struct kube_transport *transport = request->client->transport;

	kube_status_error(request->call->http_status, buf_text(&request->body), request->body.len, err);
	if (request->call->http_status == 401)
		kube_transport_hint(transport, err);
	if (strstr(buf_text(&request->body), "HTTP request to an HTTPS server"))
		err_hint(err, "%s speaks https: write https:// in the server's address",
		         kube_transport_authority(transport));
	return -1;
}

static int too_large(struct kube_request *request, struct err *err)
{
	return err_set(err, ERR_TOO_LARGE, "%s %s: the answer is larger than %zu MiB, or its headers than %zu KiB",
	               kube_method_name(request->call->method), request->call->path, KUBE_BODY_MAX / 1024 / 1024,
	               KUBE_HEADER_MAX / 1024);
}

static int outcome(struct kube_request *request, CURLcode code, struct err *err)
{
	const long status = request->call->http_status;

	/* A header line beyond libcurl's own limit is out of memory to it. */
	if (request->is_too_large || code == CURLE_OUT_OF_MEMORY || (int)code == LIBCURL_TOO_LARGE)
		return too_large(request, err);
	if (code != CURLE_OK)
		return kube_transport_easy_error(request->client->transport, request->easy, code, request->detail, err);
	return status >= 200 && status < 300 ? decode(request, err) : refusal(request, err);
}

/* ----------------------------------------------------------------------------------------- retries */

/* The connection broke, as it does when a server restarts; and not because it refused us. */
static bool is_broken(CURLcode code, const char *detail)
{
	const bool is_transfer = code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_GOT_NOTHING ||
	                         code == CURLE_PARTIAL_FILE || code == CURLE_HTTP2 || code == CURLE_HTTP2_STREAM;
	const bool is_handshake =
	    code == CURLE_SSL_CONNECT_ERROR && (strstr(detail, "SSL_ERROR_SYSCALL") || strstr(detail, "reset by peer"));

	/* A proxy that does not let us through will not do so the next time. */
	if (strstr(detail, "CONNECT"))
		return false;
	return (is_transfer || is_handshake) && !strstr(detail, "alert") && !strstr(detail, "certificate required");
}

/* How long to wait before it is sent again; -1: it is not. */
static int64_t retry_delay_ms(const struct kube_request *request, CURLcode code)
{
	const struct kube_call *call = request->call;
	int64_t delay_ms;

	if (call->retries >= RETRIES_MAX || request->is_too_large)
		return -1;
	if (code == CURLE_OK) {
		if ((call->http_status != 429 && call->http_status < 500) || request->retry_after_s < 0)
			return -1;
		return request->retry_after_s * 1000;
	}
	if (call->method != KUBE_GET || !is_broken(code, request->detail))
		return -1;
	if (call->retries == 0)
		return 0;
	delay_ms = (int64_t)BREAK_DELAY_MS << (call->retries - 1);
	return delay_ms < BREAK_DELAY_MAX_MS ? delay_ms : BREAK_DELAY_MAX_MS;
}

/* ----------------------------------------------------------------------------------------- the log */

static const char *status_text(long http_status)
{
	static const struct {
		long status;
		const char *text;
	} texts[] = {
		{ 200, " OK" },
		{ 201, " Created" },
		{ 202, " Accepted" },
		{ 204, " No Content" },
		{ 400, " Bad Request" },
		{ 401, " Unauthorized" },
		{ 403, " Forbidden" },
		{ 404, " Not Found" },
		{ 405, " Method Not Allowed" },
		{ 409, " Conflict" },
		{ 410, " Gone" },
		{ 415, " Unsupported Media Type" },
		{ 422, " Unprocessable Entity" },
		{ 429, " Too Many Requests" },
		{ 500, " Internal Server Error" },
		{ 502, " Bad Gateway" },
		{ 503, " Service Unavailable" },
		{ 504, " Gateway Timeout" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].status == http_status)
			return texts[i].text;
	return "";
}

/* As kubectl -v 6: what was asked and how it went, never headers or bodies. */
static void log_attempt(const struct kube_request *request)
{
	const struct kube_call *call = request->call;
	const long long took_ms = (long long)(clock_monotonic_ms() - request->sent_ms);
	_cleanup_free_ char *path = NULL;

	if (request->client->options->verbosity < LOG_VERBOSITY)
		return;
	path = str_visible(call->path, 0);
	if (call->http_status == 0)
		fprintf(stderr, "%s %s%s  in %lld milliseconds\n", kube_method_name(call->method),
		        request->client->config->server, path, took_ms);
	else
		fprintf(stderr, "%s %s%s %ld%s in %lld milliseconds\n", kube_method_name(call->method),
		        request->client->config->server, path, call->http_status, status_text(call->http_status),
		        took_ms);
}

/* ------------------------------------------------------------------------------ the answer arrives */

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
	struct kube_request *request = context;

	if (buf_add(&request->body, bytes, size * count) == 0)
		return size * count;
	request->is_too_large = true;
	return 0;
}

/* The value of a header line of this name ("date:"); a new string; NULL: it is another one. */
static char *header_value(const char *line, size_t length, const char *name)
{
	const size_t name_length = strlen(name);

	if (length <= name_length || strncasecmp(line, name, name_length) != 0)
		return NULL;
	line += name_length;
	length -= name_length;
	while (length > 0 && strchr(" \t\r\n", line[length - 1]))
		length--;
	while (length > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		length--;
	}
	return xstrndup(line, length);
}

/* Only whole numbers of seconds count, as with kubectl; a date is no reason to try again. */
static int64_t parse_retry_after(const char *text)
{
	int64_t seconds;

	return str_to_int64(text, &seconds) == 0 && seconds >= 0 && seconds <= INT32_MAX ? seconds : -1;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
	_cleanup_free_ char *retry_after = NULL, *date = NULL, *warning = NULL;
	struct kube_request *request = context;
	const size_t length = size * count;

	request->header_bytes += length;
	if (request->header_bytes > KUBE_HEADER_MAX) {
		request->is_too_large = true;
		return 0;
	}
	retry_after = header_value(bytes, length, "retry-after:");
	if (retry_after)
		request->retry_after_s = parse_retry_after(retry_after);
	warning = header_value(bytes, length, "warning:");
	if (warning)
		kube_warning_parse(warning, &request->client->warnings);
	date = header_value(bytes, length, "date:");
	if (date && clock_parse_http_date(date, &request->call->answered_at) < 0)
		request->call->answered_at = 0;
	return length;
}

/* The server knows the user no more: a credential plugin may have something newer. */
static bool is_worth_new_credentials(const struct kube_request *request, CURLcode code)
{
	return code == CURLE_OK && request->call->http_status == 401 && !request->was_renewed &&
	       kube_transport_renew(request->client->transport, request->generation);
}

static void on_transfer_done(void *context, CURL *easy, CURLcode code)
{
	struct kube_request *request = context;
	struct kube_call *call = request->call;
	int64_t delay_ms, now_ms = clock_monotonic_ms();

	curl->easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &call->http_status);
	log_attempt(request);
	if (is_worth_new_credentials(request, code)) {
		request->was_renewed = true;
		request_abandon(request);
		request_send(request);
		return;
	}
	delay_ms = retry_delay_ms(request, code);
	if (delay_ms >= 0 && delay_ms < request->deadline_ms - now_ms) {
		request_abandon(request);
		call->retries++;
		request->state = REQUEST_WAITING;
		loop_timer_set(request->timer, now_ms + delay_ms);
		return;
	}
	outcome(request, code, &call->err);
	request_abandon(request);
	request_end(request);
}

/* --------------------------------------------------------------------------------- the request goes */

static int make_headers(struct kube_request *request, struct err *err)
{
	const struct kube_call *call = request->call;
	struct kube_transport *transport = request->client->transport;
	_cleanup_free_ char *host = xasprintf("Host: %s", kube_transport_authority(transport));

	libcurl_append(&request->headers, host);
	libcurl_append(&request->headers, "Accept: application/json");
	if (call->body) {
		_cleanup_free_ char *type =
		    xasprintf("Content-Type: %s", call->content_type ? call->content_type : "application/json");

		libcurl_append(&request->headers, type);
		libcurl_append(&request->headers, "Expect:");
	}
	return kube_transport_headers(transport, &request->headers, err);
}

static void set_method(CURL *easy, const struct kube_call *call)
{
	if (call->body || call->method == KUBE_POST || call->method == KUBE_PUT || call->method == KUBE_PATCH) {
		const char *body = call->body ? call->body : "";

		curl->easy_setopt(easy, CURLOPT_POST, 1L);
		curl->easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
		curl->easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	} else {
		curl->easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	}
	curl->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, kube_method_name(call->method));
}

static void transmit(struct kube_request *request)
{
	struct kube_call *call = request->call;
	_cleanup_free_ char *url = xasprintf("%s%s", kube_transport_url(request->client->transport), call->path);

	request->sent_ms = clock_monotonic_ms();
	request->generation = kube_transport_generation(request->client->transport);
	if (make_headers(request, &call->err) < 0) {
		request_abandon(request);
		end_soon(request);
		return;
	}
	curl->easy_setopt(request->easy, CURLOPT_URL, url);
	curl->easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers);
	set_method(request->easy, call);
	kube_transport_identify(request->client->transport, request->easy);
	request->state = REQUEST_RUNNING;
	loop_timer_set(request->timer, request->deadline_ms);
	kube_multi_add(request->client->multi, request->easy, on_transfer_done, request);
}

static void on_credentials(void *context, const struct err *err)
{
	struct kube_request *request = context;

	if (!err) {
		transmit(request);
		return;
	}
	err_copy(&request->call->err, err);
	request_end(request);
}

void request_send(struct kube_request *request)
{
	struct kube_transport *transport = request->client->transport;

	request->call->http_status = 0;
	request->call->answered_at = 0;
	if (kube_transport_is_ready(transport)) {
		transmit(request);
		return;
	}
	request->state = REQUEST_UNIDENTIFIED;
	loop_timer_set(request->timer, request->deadline_ms);
	kube_transport_wait(transport, &request->credentials);
}

void request_abandon(struct kube_request *request)
{
	kube_transport_unwait(request->client->transport, &request->credentials);
	kube_multi_remove(request->client->multi, request->easy);
	curl->easy_setopt(request->easy, CURLOPT_HTTPHEADER, NULL);
	kube_transport_headers_free(request->headers);
	request->headers = NULL;
	buf_release(&request->body);
	request->header_bytes = 0;
	request->retry_after_s = -1;
	request->is_too_large = false;
	request->detail[0] = '\0';
}

/* Says whether there was a connection at all: that is what a person looks at next. */
static int timed_out(struct kube_request *request, struct err *err)
{
	const struct kube_call *call = request->call;
	const long long tenths = (long long)(clock_monotonic_ms() - request->begun_ms + 50) / 100;
	curl_off_t ready_us = 0;

	if (tenths == 0)
		return err_set(err, ERR_TIMEOUT, "%s %s: no time was left to wait for an answer",
		               kube_method_name(call->method), call->path);
	curl->easy_getinfo(request->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
	err_set(err, ERR_TIMEOUT, "%s %s: no answer within %lld.%lld s", kube_method_name(call->method), call->path,
	        tenths / 10, tenths % 10);
	if (ready_us == 0 && kube_transport_proxy(request->client->transport))
		err_hint(err, "there was no connection to %s through the proxy %s yet: is that the right one?",
		         kube_transport_authority(request->client->transport),
		         kube_transport_proxy(request->client->transport));
	else if (ready_us == 0)
		err_hint(
		    err,
		    "there was no connection to %s yet: is the address right, or is a VPN or a firewall in the way?",
		    kube_transport_authority(request->client->transport));
	return -1;
}

static void on_timer(void *context)
{
	struct kube_request *request = context;

	switch (request->state) {
	case REQUEST_WAITING:
		request_send(request);
		return;
	case REQUEST_UNIDENTIFIED:
		kube_transport_wait_error(request->client->transport, &request->call->err);
		request_abandon(request);
		break;
	case REQUEST_RUNNING:
		timed_out(request, &request->call->err);
		log_attempt(request);
		request_abandon(request);
		break;
	case REQUEST_ENDED:
		break;
	}
	request_end(request);
}

/* -------------------------------------------------------------------------------------- new, free */

struct kube_request *request_new(struct kube_client *client)
{
	struct kube_request *request = xcalloc(1, sizeof(*request));
	CURL *easy = kube_transport_easy(client->transport);

	request->client = client;
	request->easy = easy;
	request->timer = loop_timer_new(client->loop, on_timer, request);
	request->body = (struct buf){ .max = KUBE_BODY_MAX, .secret = true };
	request->retry_after_s = -1;
	request->credentials = (struct kube_transport_wait){ .ready = on_credentials, .context = request };
	curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	/* Over plain http all would wait for the first answer, to learn that it is not HTTP/2. */
	curl->easy_setopt(easy, CURLOPT_PIPEWAIT, str_starts_with(client->config->server, "https://") ? 1L : 0L);
	/* What is counted towards KUBE_BODY_MAX is what comes out of it. Fails, and asks for nothing, without zlib. */
	if (!client->options->disable_compression)
		curl->easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl->easy_setopt(easy, CURLOPT_BUFFERSIZE, READ_BUFFER_BYTES);
	curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, request->detail);
	curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl->easy_setopt(easy, CURLOPT_WRITEDATA, request);
	curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl->easy_setopt(easy, CURLOPT_HEADERDATA, request);
	return request;
}

void request_free(struct kube_request *request)
{
	loop_timer_free(request->timer);
	curl->easy_cleanup(request->easy);
	free(request);
}
