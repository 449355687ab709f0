/*
 * The client whose writes no change of the servers may lose, and who measures for how long nobody could write:
 *
 *     kubectl get endpoints NAME -w -o jsonpath=ADDRESSES | writer [-c FILE] [-t FILE] [-e]
 *
 * Standard input has lines, each the whole list of the servers' addresses by now. Every 50 ms it writes e2e/N = N
 * through the next server that answers (one try of half a second for each N), and every 100 ms it asks all servers who
 * leads. One cluster is written to by one writer. "writing" is printed at the first acknowledged write, and each longer
 * gap when it ends. Options:
 *
 *     -c FILE   by HTTPS (port 8501), the certificate verified against FILE and as server.dc1.consul's
 *     -t FILE   with the ACL token in FILE, read for each request; without one while there is no such file
 *     -e        either way, for a cluster whose TLS or ACLs are turned on meanwhile: what fails (not by a timeout) is
 *               tried again, as the same write: by plain HTTP where no HTTPS is, without the token where it is refused
 *
 * Signals:
 *
 *     SIGUSR1   prints the numbers since the last one ("phase …"), and counts anew
 *     SIGTERM   stops, reads every acknowledged key back (consistent), prints the sums and ends: 0 when none is lost
 *
 * The sums, one "NAME VALUE" a line: tried, acknowledged, failed, lost, longest-gap-ms (without an acknowledged write),
 * longest-leaderless-ms (without a server that says that it leads; at least the time between two of its answers),
 * leaderless-windows (those of more than 300 ms). It must reach the pods' addresses directly, as the lab's machine
 * does.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "kube/multi.h"
#include "util/base64.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

enum {
	WRITE_MS = 50,
	ASK_MS = 100,
	TRY_MS = 500,
	REST_MS = 1000,      /* for which a server that did not answer is asked only if no other one is there */
	WINDOW_MS = 300,     /* without a leader, from which on it is one: three asks */
	TOLD_MS = 1000,      /* gaps of that length get a line */
	READ_MS = 60000,     /* for all of the reading back */
	READ_TRY_MS = 10000, /* for one try of it */
	SERVERS_MAX = 16,
	WRITES_MAX = 1000000,
};

/* Every server's certificate has it, whatever address the pod has by now. */
#define TLS_NAME "server.dc1.consul"

#define TOKEN_MAX  ((size_t)1024)
#define ANSWER_MAX ((size_t)256 * 1024 * 1024)
#define INPUT_MAX  ((size_t)64 * 1024)

struct server {
	char address[64];
	int64_t rests_until;
};

struct numbers {
	int64_t tried, acknowledged, failed, windows, gap_ms, leaderless_ms;
};

struct writer {
	const char *ca_file, *token_file; /* NULL: plain HTTP; no token */
	bool either;
	struct loop *loop;
	struct kube_multi *multi;
	struct loop_timer *write_timer, *ask_timer;
	int64_t write_at, ask_at;
	int signals;
	struct buf input;
	struct server servers[SERVERS_MAX];
	size_t server_count, turn;
	int64_t started_at, acknowledged_at, led_at; /* the last two: the latest of them */
	struct numbers phase, total;
	int64_t *at; /* when number N was acknowledged; 0: it was not */
	int64_t last;
	int in_flight;
	bool ends;
	char *read_back; /* the answer that held all keys */
};

enum purpose { PURPOSE_WRITE, PURPOSE_ASK, PURPOSE_READ };

struct request {
	struct writer *writer;
	enum purpose purpose;
	int64_t number;
	char address[64];
	bool secure, with_token;
	struct buf answer;
	struct curl_slist *headers, *connect_to;
};

/* ------------------------------------------------------------------------------------------- numbers */

static double seconds(const struct writer *writer, int64_t at_ms)
{
	return (double)(at_ms - writer->started_at) / 1e3;
}

static void note_gap(const struct writer *writer, const char *what, int64_t from, int64_t to, int64_t *longest)
{
	if (to - from > *longest)
		*longest = to - from;
	if (to - from >= TOLD_MS)
		printf("%9.3f %s for %" PRId64 " ms\n", seconds(writer, to), what, to - from);
}

static void note_led(struct writer *writer, int64_t now)
{
	if (writer->led_at) {
		note_gap(writer, "no leader", writer->led_at, now, &writer->phase.leaderless_ms);
		writer->phase.windows += now - writer->led_at > WINDOW_MS;
	}
	writer->led_at = now;
}

static void note_acknowledged(struct writer *writer, int64_t number, int64_t now)
{
	if (writer->acknowledged_at)
		note_gap(writer, "no acknowledged write", writer->acknowledged_at, now, &writer->phase.gap_ms);
	else
		puts("writing");
	writer->acknowledged_at = now;
	writer->at[number] = now;
	writer->phase.acknowledged++;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* A gap that goes on counts for both phases. */
static void end_phase(struct writer *writer, int64_t now)
{
	struct numbers *phase = &writer->phase, *total = &writer->total;

	if (writer->acknowledged_at)
		phase->gap_ms = larger(phase->gap_ms, now - writer->acknowledged_at);
	if (writer->led_at)
		phase->leaderless_ms = larger(phase->leaderless_ms, now - writer->led_at);
	total->tried += phase->tried;
	total->acknowledged += phase->acknowledged;
	total->failed += phase->failed;
	total->windows += phase->windows;
	total->gap_ms = larger(total->gap_ms, phase->gap_ms);
	total->leaderless_ms = larger(total->leaderless_ms, phase->leaderless_ms);
	printf("phase until %.3f s: tried %" PRId64 ", failed %" PRId64 ", longest-gap-ms %" PRId64
	       ", longest-leaderless-ms %" PRId64 ", leaderless-windows %" PRId64 "\n",
	       seconds(writer, now), phase->tried, phase->failed, phase->gap_ms, phase->leaderless_ms, phase->windows);
	*phase = (struct numbers){ 0 };
}

/* ------------------------------------------------------------------------------------------- servers */

static struct server *find_server(struct writer *writer, const char *address)
{
	for (size_t i = 0; i < writer->server_count; i++)
		if (str_equal(writer->servers[i].address, address))
			return &writer->servers[i];
	return NULL;
}

/* The next one in turn that does not rest; if all do, the next one. NULL: nobody is there. */
static struct server *next_server(struct writer *writer)
{
	int64_t now = clock_monotonic_ms();

	for (size_t i = 0; i < writer->server_count; i++) {
		struct server *server = &writer->servers[++writer->turn % writer->server_count];

		if (server->rests_until <= now)
			return server;
	}
	return writer->server_count ? &writer->servers[++writer->turn % writer->server_count] : NULL;
}

static void take_list(struct writer *writer, const char *line)
{
	_cleanup_strv_ struct strv words = STRV_INIT;
	struct server list[SERVERS_MAX] = { 0 };
	size_t count = 0;

	strv_split(&words, line, ' ');
	for (size_t i = 0; i < words.count && count < SERVERS_MAX; i++) {
		const struct server *known = find_server(writer, words.items[i]);

		if (str_is_empty(words.items[i]))
			continue;
		if (known)
			list[count++] = *known;
		else
			snprintf(list[count++].address, sizeof(list->address), "%s", words.items[i]);
	}
	memcpy(writer->servers, list, sizeof(list));
	writer->server_count = count;
}

static void on_input(void *context, int fd, int events)
{
	struct writer *writer = context;
	char bytes[4096];
	ssize_t count = read(fd, bytes, sizeof(bytes));
	char *end;

	(void)events;
	if (count <= 0 || buf_add(&writer->input, bytes, (size_t)count) < 0) {
		loop_unwatch(writer->loop, fd);
		puts("the list of servers ended");
		writer->ends = true;
		return;
	}
	while ((end = memchr(writer->input.data, '\n', writer->input.len))) {
		*end = '\0';
		take_list(writer, writer->input.data);
		buf_consume(&writer->input, (size_t)(end - writer->input.data) + 1);
	}
}

/* ------------------------------------------------------------------------------------------ requests */

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
	struct request *request = context;

	return buf_add(&request->answer, bytes, size * count) < 0 ? 0 : size * count;
}

static void finish_write(struct writer *writer, const struct request *request, bool good, int64_t now)
{
	struct server *server = find_server(writer, request->address);

	good = good && str_starts_with(buf_text(&request->answer), "true");
	if (server)
		server->rests_until = good ? 0 : now + REST_MS;
	if (good)
		note_acknowledged(writer, request->number, now);
	else
		writer->phase.failed++;
}

/* The leader itself says so: those that follow go on naming one that has died until they miss it. */
static bool says_it_leads(const struct request *request)
{
	_cleanup_free_ char *own = xasprintf("\"%s:", request->address);

	return str_starts_with(buf_text(&request->answer), own);
}

static void dispatch(struct request *request);

/* What is left to try otherwise: nobody spoke TLS there, or the token is not known (yet). */
static bool try_otherwise(struct request *request, CURLcode code, long status)
{
	bool plain = request->secure && code != CURLE_OK && status == 0;
	bool unknown = request->with_token && status == 403;

	if (!request->writer->either || code == CURLE_OPERATION_TIMEDOUT || !(plain || unknown))
		return false;
	request->secure = request->secure && !plain;
	request->with_token = request->with_token && !unknown;
	return true;
}

static void finish_request(struct request *request, bool good)
{
	struct writer *writer = request->writer;
	int64_t now = clock_monotonic_ms();

	if (request->purpose == PURPOSE_WRITE)
		finish_write(writer, request, good, now);
	else if (request->purpose == PURPOSE_ASK && good && says_it_leads(request))
		note_led(writer, now);
	else if (request->purpose == PURPOSE_READ && good)
		replace_string(&writer->read_back, buf_detach(&request->answer));
	buf_release(&request->answer);
	free(request);
}

static void on_done(void *context, CURL *easy, CURLcode code)
{
	struct request *request = context;
	struct writer *writer = request->writer;
	long status = 0;

	curl->easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	kube_multi_remove(writer->multi, easy);
	curl->easy_cleanup(easy);
	curl->slist_free_all(request->headers);
	curl->slist_free_all(request->connect_to);
	writer->in_flight--;
	if (try_otherwise(request, code, status)) {
		buf_release(&request->answer);
		dispatch(request);
	} else {
		finish_request(request, code == CURLE_OK && status == 200);
	}
}

static void set_target(const struct request *request, CURL *easy, const char *path)
{
	_cleanup_free_ char *plain = xasprintf("http://%s:8500/v1/%s", request->address, path);
	_cleanup_free_ char *secure = xasprintf("https://" TLS_NAME ":8501/v1/%s", path);

	curl->easy_setopt(easy, CURLOPT_URL, request->secure ? secure : plain);
	if (!request->secure)
		return;
	curl->easy_setopt(easy, CURLOPT_CONNECT_TO, request->connect_to);
	curl->easy_setopt(easy, CURLOPT_CAINFO, request->writer->ca_file);
#if LIBCURL_VERSION_NUM >= 0x075700
	curl->easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L); /* the file may change */
#endif
}

static void set_token(struct request *request, CURL *easy)
{
	_cleanup_buf_ struct buf token = BUF_INIT(TOKEN_MAX);
	_cleanup_free_ char *header = NULL;
	struct err err = ERR_INIT;

	if (!request->with_token)
		return;
	if (file_read(request->writer->token_file, &token, &err) < 0)
		err_release(&err);
	if (!(request->with_token = token.len > 0))
		return;
	header = xasprintf("X-Consul-Token: %.*s", (int)strcspn(token.data, "\r\n"), token.data);
	libcurl_append(&request->headers, header);
	curl->easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
}

static void dispatch(struct request *request)
{
	_cleanup_free_ char *key = xasprintf("kv/e2e/%" PRId64, request->number);
	_cleanup_free_ char *connect_to = xasprintf(":8501:%s:8501", request->address);
	bool reads = request->purpose == PURPOSE_READ;
	CURL *easy = curl->easy_init();

	request->answer = (struct buf){ .max = ANSWER_MAX };
	request->headers = request->connect_to = NULL;
	libcurl_append(&request->connect_to, connect_to);
	if (request->purpose == PURPOSE_WRITE) {
		set_target(request, easy, key);
		curl->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PUT");
		curl->easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, key + strlen("kv/e2e/"));
	} else {
		set_target(request, easy, reads ? "kv/e2e/?recurse&consistent" : "status/leader");
	}
	set_token(request, easy);
	curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl->easy_setopt(easy, CURLOPT_PROXY, "");
	curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl->easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(reads ? READ_TRY_MS : TRY_MS));
	curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl->easy_setopt(easy, CURLOPT_WRITEDATA, request);
	request->writer->in_flight++;
	kube_multi_add(request->writer->multi, easy, on_done, request);
}

static void send_request(struct writer *writer, const char *address, enum purpose purpose, int64_t number)
{
	struct request *request = xcalloc(1, sizeof(*request));

	*request = (struct request){ .writer = writer,
		                     .purpose = purpose,
		                     .number = number,
		                     .secure = writer->ca_file != NULL,
		                     .with_token = writer->token_file != NULL };
	snprintf(request->address, sizeof(request->address), "%s", address);
	dispatch(request);
}

/* Keeps the pace, but does not catch up on what a busy machine missed. */
static void again(struct loop_timer *timer, int64_t *at, int64_t every_ms)
{
	*at = larger(*at + every_ms, clock_monotonic_ms());
	loop_timer_set(timer, *at);
}

static void on_write_timer(void *context)
{
	struct writer *writer = context;
	struct server *server;

	again(writer->write_timer, &writer->write_at, WRITE_MS);
	server = next_server(writer);
	if (writer->ends || writer->last + 1 >= WRITES_MAX || (!server && !writer->acknowledged_at))
		return;
	writer->phase.tried++;
	if (server)
		send_request(writer, server->address, PURPOSE_WRITE, ++writer->last);
	else
		writer->phase.failed++;
}

static void on_ask_timer(void *context)
{
	struct writer *writer = context;

	again(writer->ask_timer, &writer->ask_at, ASK_MS);
	for (size_t i = 0; i < writer->server_count && !writer->ends; i++)
		send_request(writer, writer->servers[i].address, PURPOSE_ASK, 0);
}

/* --------------------------------------------------------------------------------------- reading back */

static bool never(void *context)
{
	(void)context;
	return false;
}

static bool is_idle(void *context)
{
	return ((const struct writer *)context)->in_flight == 0;
}

static bool ends(void *context)
{
	return ((const struct writer *)context)->ends;
}

static void run_for(struct writer *writer, bool (*is_done)(void *context), int64_t milliseconds)
{
	struct err err = ERR_INIT;

	if (loop_run(writer->loop, is_done, writer, clock_monotonic_ms() + milliseconds, &err) < 0)
		err_release(&err); /* the deadline */
}

static void read_keys(struct writer *writer)
{
	int64_t deadline = clock_monotonic_ms() + READ_MS;

	while (!writer->read_back && clock_monotonic_ms() < deadline) {
		const struct server *server = next_server(writer);

		if (server) {
			send_request(writer, server->address, PURPOSE_READ, 0);
			run_for(writer, is_idle, (int64_t)2 * READ_TRY_MS);
		}
		if (!writer->read_back)
			run_for(writer, never, ASK_MS);
	}
}

/* The key's number if its value is that number as well; 0 otherwise. */
static int64_t number_of(const cJSON *item)
{
	const char *key = json_string_at(item, "Key"), *value = json_string_at(item, "Value");
	_cleanup_buf_ struct buf text = BUF_INIT(INPUT_MAX);
	struct err err = ERR_INIT;
	int64_t number;

	if (!key || !value || !str_starts_with(key, "e2e/") || str_to_int64(key + strlen("e2e/"), &number) < 0)
		return 0;
	if (base64_decode(value, &text, &err) < 0)
		err_release(&err);
	return number > 0 && number < WRITES_MAX && str_equal(buf_text(&text), key + strlen("e2e/")) ? number : 0;
}

/* How many acknowledged writes are not there; -1: nobody could say. */
static int64_t count_lost(struct writer *writer)
{
	_cleanup_free_ bool *there = xcalloc(WRITES_MAX, sizeof(*there));
	_cleanup_json_ cJSON *keys = NULL;
	struct err err = ERR_INIT;
	const cJSON *item;
	int64_t lost = 0;

	if (!writer->read_back)
		return -1;
	if (json_parse(writer->read_back, strlen(writer->read_back), &keys, &err) < 0) {
		printf("reading back: %s\n", err.message);
		err_release(&err);
		return -1;
	}
	cJSON_ArrayForEach (item, keys)
		there[number_of(item)] = true;
	for (int64_t i = 1; i <= writer->last; i++) {
		if (!writer->at[i] || there[i])
			continue;
		lost++;
		printf("lost: e2e/%" PRId64 ", acknowledged at %.3f\n", i, seconds(writer, writer->at[i]));
	}
	return lost;
}

/* ---------------------------------------------------------------------------------------------- main */

static void on_signal(void *context, int fd, int events)
{
	struct writer *writer = context;
	struct signalfd_siginfo info;

	(void)events;
	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1)
		end_phase(writer, clock_monotonic_ms());
	else
		writer->ends = true;
}

static int finish(struct writer *writer)
{
	const struct numbers *total = &writer->total;
	int64_t lost, ended_at = clock_monotonic_ms();

	run_for(writer, is_idle, (int64_t)2 * TRY_MS);
	end_phase(writer, ended_at);
	read_keys(writer);
	lost = count_lost(writer);
	printf("tried %" PRId64 "\nacknowledged %" PRId64 "\nfailed %" PRId64 "\nlost %" PRId64 "\n", total->tried,
	       total->acknowledged, total->failed, lost);
	printf("longest-gap-ms %" PRId64 "\nlongest-leaderless-ms %" PRId64 "\nleaderless-windows %" PRId64 "\n",
	       total->gap_ms, total->leaderless_ms, total->windows);
	return lost == 0 && total->acknowledged > 0 ? 0 : 1;
}

static void start(struct writer *writer)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	writer->signals = signalfd(-1, &signals, SFD_CLOEXEC);
	writer->loop = loop_new();
	writer->multi = kube_multi_new(writer->loop);
	writer->write_timer = loop_timer_new(writer->loop, on_write_timer, writer);
	writer->ask_timer = loop_timer_new(writer->loop, on_ask_timer, writer);
	writer->started_at = writer->write_at = writer->ask_at = clock_monotonic_ms();
	writer->at = xcalloc(WRITES_MAX, sizeof(*writer->at));
	loop_watch(writer->loop, writer->signals, LOOP_READ, on_signal, writer);
	loop_watch(writer->loop, STDIN_FILENO, LOOP_READ, on_input, writer);
	loop_timer_set(writer->write_timer, writer->write_at);
	loop_timer_set(writer->ask_timer, writer->ask_at);
}

static int read_options(struct writer *writer, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "c:t:e")) != -1) {
		if (option == 'c')
			writer->ca_file = optarg;
		else if (option == 't')
			writer->token_file = optarg;
		else if (option == 'e')
			writer->either = true;
		else
			return -1;
	}
	return optind == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct writer writer = { .input = BUF_INIT(INPUT_MAX) };
	struct err err = ERR_INIT;
	int status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (read_options(&writer, argc, argv) < 0) {
		fputs("usage: writer [-c FILE] [-t FILE] [-e] < ADDRESSES\n", stderr);
		return 1;
	}
	if (libcurl_load(&err) < 0) {
		fprintf(stderr, "writer: %s\n", err.message);
		err_release(&err);
		return 1;
	}
	start(&writer);
	run_for(&writer, ends, INT32_MAX);
	status = finish(&writer);
	loop_unwatch(writer.loop, STDIN_FILENO);
	loop_unwatch(writer.loop, writer.signals);
	close(writer.signals);
	loop_timer_free(writer.write_timer);
	loop_timer_free(writer.ask_timer);
	kube_multi_free(writer.multi);
	loop_free(writer.loop);
	buf_release(&writer.input);
	free(writer.read_back);
	free(writer.at);
	return status;
}
