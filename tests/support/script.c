/* See script.h: which row of the script answers a request. */
#include "script.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "util/mem.h"
#include "util/str.h"

#define DEFAULT_PROTOCOLS "v4.channel.k8s.io"

/* One borrowed table and how often each row of it was used. */
struct table {
	const void *rows;
	unsigned *used;
	struct table *next;
};

struct script {
	struct apiserver_options options;
	pthread_mutex_t lock;
	struct record *record;
	struct table *routes; /* newest first */
	struct table *execs;
	struct table *ports;
};

struct script *script_new(const struct apiserver_options *options)
{
	struct script *script = xcalloc(1, sizeof(*script));

	script->options = *options;
	pthread_mutex_init(&script->lock, NULL);
	script->record = record_new(&script->lock);
	script_add_routes(script, options->routes);
	script_add_execs(script, options->execs);
	script_add_ports(script, options->ports);
	return script;
}

static void free_tables(struct table *table)
{
	while (table) {
		struct table *next = table->next;

		free(table->used);
		free(table);
		table = next;
	}
}

void script_free(struct script *script)
{
	free_tables(script->routes);
	free_tables(script->execs);
	free_tables(script->ports);
	record_free(script->record);
	pthread_mutex_destroy(&script->lock);
	free(script);
}

void script_lock(struct script *script)
{
	pthread_mutex_lock(&script->lock);
}

void script_unlock(struct script *script)
{
	pthread_mutex_unlock(&script->lock);
}

const struct apiserver_options *script_options(const struct script *script)
{
	return &script->options;
}

struct record *script_record(struct script *script)
{
	return script->record;
}

/* -------------------------------------------------------------------------------------------- tables */

static void add_table(struct script *script, struct table **list, const void *rows, size_t count)
{
	struct table *table = xcalloc(1, sizeof(*table));

	table->rows = rows;
	table->used = xcalloc(count + 1, sizeof(*table->used));
	script_lock(script);
	table->next = *list;
	*list = table;
	script_unlock(script);
}

void script_add_routes(struct script *script, const struct apiserver_route *routes)
{
	size_t count = 0;

	if (!routes)
		return;
	for (; routes[count].path || routes[count].pod; count++)
		assert(routes[count].answer.delay_ms <= APISERVER_DELAY_MAX_MS);
	add_table(script, &script->routes, routes, count);
}

void script_add_execs(struct script *script, const struct apiserver_exec *execs)
{
	size_t count = 0;

	if (!execs)
		return;
	for (; execs[count].pod; count++)
		assert(execs[count].answer.delay_ms <= APISERVER_DELAY_MAX_MS);
	add_table(script, &script->execs, execs, count);
}

void script_add_ports(struct script *script, const struct apiserver_port *ports)
{
	size_t count = 0;

	if (!ports)
		return;
	while (ports[count].pod)
		count++;
	add_table(script, &script->ports, ports, count);
}

/* Counts a use of a row; false when it is used up. */
static bool use_row(unsigned *used, unsigned times)
{
	if (times && *used >= times)
		return false;
	(*used)++;
	return true;
}

static bool route_is_for(const struct apiserver_route *route, const char *pod, uint16_t port)
{
	if (!pod || !route->pod)
		return !pod && !route->pod;
	return (!route->port || route->port == port) && match_pattern(route->pod, pod);
}

static bool route_matches(const struct apiserver_route *route, const struct apiserver_request *request)
{
	return route_is_for(route, request->pod, request->port) &&
	       (!route->method || str_equal(route->method, request->method)) &&
	       match_pattern(route->path, request->path) && (!route->query || strstr(request->query, route->query));
}

/* The answer of one row; false when its function passes. */
static bool answer_by(const struct apiserver_route *route, const struct apiserver_request *request,
                      struct http_answer *answer)
{
	*answer = route->answer;
	if (!answer->status)
		answer->status = 200;
	if (route->make)
		route->make(route->context, request, answer);
	if (answer->status != HTTP_PASS)
		return true;
	buf_release(&answer->scratch);
	*answer = (struct http_answer){ 0 };
	return false;
}

static bool answer_by_routes(struct script *script, const struct apiserver_request *request, struct http_answer *answer)
{
	for (struct table *table = script->routes; table; table = table->next) {
		const struct apiserver_route *rows = table->rows;

		for (size_t i = 0; rows[i].path || rows[i].pod; i++)
			if (route_matches(&rows[i], request) && use_row(&table->used[i], rows[i].times) &&
			    answer_by(&rows[i], request, answer))
				return true;
	}
	return false;
}

static const struct apiserver_exec *find_exec(struct script *script, const char *pod, const char *container,
                                              const char *command)
{
	for (struct table *table = script->execs; table; table = table->next) {
		const struct apiserver_exec *rows = table->rows;

		for (size_t i = 0; rows[i].pod; i++)
			if (match_pattern(rows[i].pod, pod) && match_pattern(rows[i].container, container) &&
			    match_pattern(rows[i].command, command) && use_row(&table->used[i], rows[i].times))
				return &rows[i];
	}
	return NULL;
}

static const struct apiserver_port *find_port(struct script *script, const char *pod, uint16_t port)
{
	for (struct table *table = script->ports; table; table = table->next) {
		const struct apiserver_port *rows = table->rows;

		for (size_t i = 0; rows[i].pod; i++)
			if (match_pattern(rows[i].pod, pod) && (!rows[i].port || rows[i].port == port) &&
			    use_row(&table->used[i], rows[i].times))
				return &rows[i];
	}
	return NULL;
}

static bool has_pod(struct script *script, const char *pod, uint16_t port)
{
	for (struct table *table = script->routes; table; table = table->next) {
		const struct apiserver_route *rows = table->rows;

		for (size_t i = 0; rows[i].path || rows[i].pod; i++)
			if (route_is_for(&rows[i], pod, port))
				return true;
	}
	return false;
}

const struct apiserver_port *script_find_port(struct script *script, const char *pod, uint16_t port,
                                              enum port_kind *ret_kind)
{
	const struct apiserver_port *row;

	script_lock(script);
	row = find_port(script, pod, port);
	if (row)
		*ret_kind = row->choose ? row->choose(row->context, pod, port) : row->kind;
	else
		*ret_kind = has_pod(script, pod, port) ? PORT_HTTP : PORT_ERROR;
	script_unlock(script);
	return row;
}

/* ------------------------------------------------------------------------------------------ upgrades */

void script_upgrade_release(struct script_upgrade *upgrade)
{
	free(upgrade->pod);
	*upgrade = (struct script_upgrade){ 0 };
}

static void answer_status(struct http_answer *answer, int status, const char *reason, const char *format,
                          const char *argument)
{
	answer->status = status;
	answer->scratch.max = BUF_TEXT_MAX;
	buf_addf(&answer->scratch,
	         "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",");
	buf_adds(&answer->scratch, "\"message\":\"");
	for (; *format; format++) {
		if (*format == '@')
			buf_adds(&answer->scratch, argument);
		else
			buf_addc(&answer->scratch, *format);
	}
	buf_addf(&answer->scratch, "\",\"reason\":\"%s\",\"code\":%d}", reason, status);
	answer->body = answer->scratch.data;
}

/* The first subprotocol of the client's list that the server's list has; NULL: none. Borrowed from the server's. */
static const char *negotiate(const struct script *script, const char *offered)
{
	static const char *const known[] = { "v5.channel.k8s.io", "v4.channel.k8s.io" };
	const char *list = script->options.protocols ? script->options.protocols : DEFAULT_PROTOCOLS;
	_cleanup_strv_ struct strv offers = STRV_INIT;

	strv_split(&offers, offered ? offered : "", ',');
	for (size_t i = 0; i < offers.count; i++) {
		const char *offer = offers.items[i] + strspn(offers.items[i], " ");

		for (size_t k = 0; k < ARRAY_SIZE(known); k++)
			if (str_equal(offer, known[k]) && strstr(list, known[k]))
				return known[k];
	}
	return NULL;
}

/* True when the request may be upgraded; else answer says why not. */
static bool check_upgrade(struct script *script, const struct apiserver_request *request, const char **ret_protocol,
                          struct http_answer *answer)
{
	_cleanup_free_ char *upgrade = match_header(request->headers, "Upgrade");
	_cleanup_free_ char *version = match_header(request->headers, "Sec-WebSocket-Version");
	_cleanup_free_ char *offered = match_header(request->headers, "Sec-WebSocket-Protocol");
	_cleanup_free_ char *key = match_header(request->headers, "Sec-WebSocket-Key");

	if (!str_equal_nocase(upgrade, "websocket")) {
		answer_status(answer, 400, "BadRequest", "Upgrade request required", "");
		return false;
	}
	if (!str_equal(version, "13") || !key || strlen(key) != 24)
		record_complain(script->record, request->connection, "upgrade without version 13 or a key of 16 bytes");
	*ret_protocol = negotiate(script, offered);
	if (!*ret_protocol) {
		answer->status = 403;
		answer->fault = FAULT_NO_LENGTH;
		return false;
	}
	return true;
}

static char *joined_command(const char *query)
{
	_cleanup_strv_ struct strv argv = STRV_INIT;
	char *word;

	for (size_t i = 0; (word = match_query(query, "command", i)); i++)
		strv_take(&argv, word);
	return strv_join(&argv, " ", " ");
}

static enum script_verdict dispatch_exec(struct script *script, const struct apiserver_request *request, char *pod,
                                         struct http_answer *answer, struct script_upgrade *upgrade)
{
	_cleanup_free_ char *container = match_query(request->query, "container", 0);
	_cleanup_free_ char *command = joined_command(request->query);

	upgrade->pod = pod;
	if (!check_upgrade(script, request, &upgrade->protocol, answer))
		return SCRIPT_ANSWER;
	upgrade->exec = find_exec(script, pod, container ? container : "", command);
	if (!upgrade->exec) {
		answer_status(answer, 404, "NotFound", "pods \\\"@\\\" not found", pod);
		return SCRIPT_ANSWER;
	}
	upgrade->version = upgrade->protocol[1] - '0';
	if (upgrade->exec->protocol)
		upgrade->protocol = upgrade->exec->protocol;
	answer->status = 101;
	return SCRIPT_EXEC;
}

static enum script_verdict dispatch_tunnel(struct script *script, const struct apiserver_request *request, char *pod,
                                           struct http_answer *answer, struct script_upgrade *upgrade)
{
	_cleanup_free_ char *ports = match_query(request->query, "ports", 0);

	upgrade->pod = pod;
	if (!check_upgrade(script, request, &upgrade->protocol, answer))
		return SCRIPT_ANSWER;
	if (!ports) {
		answer_status(answer, 400, "BadRequest", "query parameter \\\"ports\\\" is required", "");
		return SCRIPT_ANSWER;
	}
	upgrade->version = 4;
	answer->status = 101;
	return SCRIPT_TUNNEL;
}

/* ---------------------------------------------------------------------------------------- dispatching */

static bool is_authenticated(const struct script *script, const struct apiserver_request *request, bool verified)
{
	_cleanup_free_ char *given = NULL;
	_cleanup_free_ char *wanted = NULL;

	if (request->pod)
		return true;
	if (!script->options.token && script->options.client_certificate != CLIENT_CERT_KUBERNETES)
		return true;
	if (verified && script->options.client_certificate != CLIENT_CERT_IGNORED)
		return true;
	if (!script->options.token)
		return false;
	given = match_header(request->headers, "Authorization");
	wanted = xasprintf("Bearer %s", script->options.token);
	return str_equal(given, wanted);
}

static enum script_verdict choose(struct script *script, const struct apiserver_request *request, bool verified,
                                  struct http_answer *answer, struct script_upgrade *upgrade)
{
	char *pod;

	if (!is_authenticated(script, request, verified)) {
		answer_status(answer, 401, "Unauthorized", "Unauthorized", "");
		return SCRIPT_ANSWER;
	}
	if (answer_by_routes(script, request, answer))
		return SCRIPT_ANSWER;
	if (!request->pod && (pod = match_pod_path(request->path, "exec")))
		return dispatch_exec(script, request, pod, answer, upgrade);
	if (!request->pod && (pod = match_pod_path(request->path, "portforward")))
		return dispatch_tunnel(script, request, pod, answer, upgrade);
	answer_status(answer, 404, "NotFound", "the server could not find the requested resource", "");
	return SCRIPT_ANSWER;
}

enum script_verdict script_dispatch(struct script *script, struct apiserver_request *request,
                                    const struct script_client *client, struct http_answer *ret_answer,
                                    struct script_upgrade *ret_upgrade)
{
	enum script_verdict verdict;

	*ret_answer = (struct http_answer){ 0 };
	*ret_upgrade = (struct script_upgrade){ 0 };
	request->connection = client->connection;
	request->pod = xstrdup_null(client->pod);
	request->port = client->port;
	request->certificate = xstrdup_null(client->subject);
	script_lock(script);
	verdict = choose(script, request, client->verified, ret_answer, ret_upgrade);
	if (!ret_answer->delay_ms)
		ret_answer->delay_ms = script->options.delay_ms;
	request->status = ret_answer->status;
	record_add(script->record, request);
	script_unlock(script);
	return verdict;
}

static void record_input(struct script *script, const struct exec_request *request, unsigned connection)
{
	struct apiserver_request *input = xcalloc(1, sizeof(*input));

	input->method = xstrdup("STDIN");
	input->path = xstrdup("");
	input->query = xstrdup("");
	input->headers = xstrdup("");
	input->body = xmalloc(request->input_length + 1);
	memcpy(input->body, request->input, request->input_length + 1);
	input->body_length = request->input_length;
	input->pod = xstrdup(request->pod);
	input->connection = connection;
	record_add(script->record, input);
}

void script_answer_exec(struct script *script, const struct apiserver_exec *row, const struct exec_request *request,
                        unsigned connection, struct exec_answer *ret_answer)
{
	script_lock(script);
	*ret_answer = row->answer;
	if (request->input_length)
		record_input(script, request, connection);
	if (row->make)
		row->make(row->context, request, ret_answer);
	script_unlock(script);
}

void script_complain(struct script *script, unsigned connection, const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		abort();
	va_end(arguments);
	script_lock(script);
	record_complain(script->record, connection, text);
	script_unlock(script);
	free(text);
}
