/* See kubectl.h: the servers, the files, and the names that stand for them. */
#include "kubectl.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <ftw.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/apiserver.h"
#include "util/base64.h"
#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

#define NAMES_MAX 60
#define FTW_FILES 8

enum server { SERVER_A, SERVER_B, SERVER_EXPIRED, SERVER_OTHER, SERVER_STRANGER, SERVER_PLAIN, SERVER_COUNT };

static const char *const server_names[] = { "A", "B", "EXPIRED", "OTHER", "STRANGER", "PLAIN" };

struct name {
	char *name;
	char *text;
	bool is_found; /* in what programs print */
};

struct world {
	struct pki *pki;
	struct apiserver *servers[SERVER_COUNT];
	size_t marks[SERVER_COUNT]; /* requests before the current run */
	struct ways *ways;          /* the proxies */
	int closed;                 /* a socket that has a port and does not listen */
	char *directory;            /* with $PKI, $CASE, the account */
	char *case_directory;
	char *account;
	struct name names[NAMES_MAX];
	size_t name_count;
};

static void require(bool fine, const char *what)
{
	if (fine)
		return;
	fprintf(stderr, "kubectl: %s: %s\n", what, strerror(errno));
	abort();
}

/* ------------------------------------------------------------------------------------------- servers */

#define JSON_LIST(kind, version, rest) "{\"kind\":\"" kind "\",\"apiVersion\":\"" version "\"" rest "}"

/* Enough of discovery for `kubectl get statefulsets.apps`; the words in front choose how the list itself ends. */
static const struct apiserver_route routes[] = {
	{ .path = "/unauthorized/*",
	  .answer = { .status = 401, .body = STATUS_FAILURE(401, "Unauthorized", "Unauthorized") } },
	{ .path = "/forbidden/*/statefulsets",
	  .answer = { .status = 403,
	              .body = STATUS_FAILURE(
	                  403, "Forbidden",
	                  "statefulsets.apps is forbidden: User \\\"u\\\" cannot list resource "
	                  "\\\"statefulsets\\\" in API group \\\"apps\\\" in the namespace \\\"default\\\"") } },
	{ .path = "/broken/*/statefulsets",
	  .answer = { .status = 500, .body = STATUS_FAILURE(500, "InternalError", "etcd is away") } },
	{ .path = "/page/*",
	  .answer = { .status = 502, .content_type = "text/html", .body = "<html>Bad Gateway</html>" } },
	{ .path = "/slow/*", .answer = { .fault = FAULT_SILENCE } },
	{ .path = "*/api", .answer = { .body = JSON_LIST("APIVersions", "v1", ",\"versions\":[\"v1\"]") } },
	{ .path = "*/apis",
	  .answer = { .body = JSON_LIST("APIGroupList", "v1",
	                                ",\"groups\":[{\"name\":\"apps\",\"versions\":[{\"groupVersion\":\"apps/v1\","
	                                "\"version\":\"v1\"}],\"preferredVersion\":{\"groupVersion\":\"apps/v1\","
	                                "\"version\":\"v1\"}}]") } },
	{ .path = "*/api/v1",
	  .answer = { .body = JSON_LIST("APIResourceList", "v1", ",\"groupVersion\":\"v1\",\"resources\":[]") } },
	{ .path = "*/apis/apps/v1",
	  .answer = { .body = JSON_LIST("APIResourceList", "v1",
	                                ",\"groupVersion\":\"apps/v1\",\"resources\":[{\"name\":\"statefulsets\","
	                                "\"singularName\":\"statefulset\",\"namespaced\":true,\"kind\":\"StatefulSet\","
	                                "\"verbs\":[\"get\",\"list\"]}]") } },
	{ .path = "*/version", .answer = { .body = "{\"major\":\"1\",\"minor\":\"32\",\"gitVersion\":\"v1.32.0\"}" } },
	{ .path = "*/statefulsets",
	  .answer = { .body = JSON_LIST("StatefulSetList", "apps/v1", ",\"metadata\":{},\"items\":[]") } },
	{ .path = "*/pods", .answer = { .body = JSON_LIST("PodList", "v1", ",\"metadata\":{},\"items\":[]") } },
	{ 0 },
};

/* A token that is good for discovery, and not for what is asked then. */
static void refuse_stale(void *context, const struct apiserver_request *request, struct http_answer *answer)
{
	_cleanup_free_ char *given = apiserver_request_header(request, "Authorization");

	(void)context;
	if (!given || !str_equal(given, "Bearer stale"))
		answer->status = HTTP_PASS;
}

static const struct apiserver_route stale_routes[] = {
	{ .path = "/replay/*/statefulsets",
	  .make = refuse_stale,
	  .answer = { .status = 401, .body = STATUS_FAILURE(401, "Unauthorized", "Unauthorized") } },
	{ 0 },
};

static void start_servers(struct world *world)
{
	static const enum pki_server certificates[SERVER_COUNT] = {
		[SERVER_EXPIRED] = PKI_SERVER_EXPIRED,
		[SERVER_OTHER] = PKI_SERVER_OTHER_NAME,
		[SERVER_STRANGER] = PKI_SERVER_OTHER_CA,
	};

	for (enum server i = SERVER_A; i < SERVER_COUNT; i++) {
		world->servers[i] = apiserver_start(&(struct apiserver_options){
		    .routes = routes,
		    .tls = i != SERVER_PLAIN,
		    .certificate = certificates[i],
		    .client_certificate = CLIENT_CERT_NOTED,
		    .pki = world->pki,
		});
		apiserver_add(world->servers[i], stale_routes, NULL, NULL);
	}
}

/* --------------------------------------------------------------------------------------------- names */

static void add_name(struct world *world, char *name, char *text, bool is_found)
{
	require(world->name_count < NAMES_MAX, "names");
	world->names[world->name_count++] = (struct name){ .name = name, .text = text, .is_found = is_found };
}

static void add_port(struct world *world, const char *name, unsigned port)
{
	add_name(world, xstrdup(name), xasprintf("127.0.0.1:%u", port), true);
	add_name(world, xasprintf("%sPORT", name), xasprintf("%u", port), true);
}

static unsigned take_port(struct world *world)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);

	world->closed = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	require(world->closed >= 0 && bind(world->closed, (struct sockaddr *)&address, length) == 0 &&
	            getsockname(world->closed, (struct sockaddr *)&address, &length) == 0,
	        "port");
	return ntohs(address.sin_port);
}

static const struct name *find_name(const struct world *world, const char *name, size_t length)
{
	for (size_t i = 0; i < world->name_count; i++)
		if (strlen(world->names[i].name) == length && memcmp(world->names[i].name, name, length) == 0)
			return &world->names[i];
	return NULL;
}

char *world_expand(const struct world *world, const char *text)
{
	struct buf out = BUF_TEXT;

	while (*text) {
		size_t length = *text == '$' ? strspn(text + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") : 0;
		const struct name *name = length ? find_name(world, text + 1, length) : NULL;

		if (name) {
			buf_adds(&out, name->text);
			text += length + 1;
		} else {
			buf_addc(&out, *text++);
		}
	}
	return buf_detach(&out);
}

static char *replace_all(char *text, const char *from, const char *to)
{
	struct buf out = BUF_TEXT;
	const char *rest = text, *found;

	while ((found = strstr(rest, from))) {
		require(buf_add(&out, rest, (size_t)(found - rest)) == 0, "text");
		buf_adds(&out, to);
		rest = found + strlen(from);
	}
	buf_adds(&out, rest);
	free(text);
	return buf_detach(&out);
}

static char *replace_matches(char *text, const char *expression, const char *to)
{
	struct buf out = BUF_TEXT;
	const char *rest = text;
	regmatch_t match;
	regex_t regex;

	require(regcomp(&regex, expression, REG_EXTENDED) == 0, expression);
	while (regexec(&regex, rest, 1, &match, 0) == 0) {
		require(buf_add(&out, rest, (size_t)match.rm_so) == 0, "text");
		buf_adds(&out, to);
		rest += match.rm_eo;
	}
	buf_adds(&out, rest);
	regfree(&regex);
	free(text);
	return buf_detach(&out);
}

char *world_normalize(const struct world *world, const char *text)
{
	char *out = xstrdup(text);

	for (size_t i = 0; i < world->name_count; i++) {
		_cleanup_free_ char *name = xasprintf("$%s", world->names[i].name);

		if (world->names[i].is_found)
			out = replace_all(out, world->names[i].text, name);
	}
	out = replace_matches(out, "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "TIME");
	out = replace_matches(out, "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID");
	out = replace_matches(out, "/v?[0-9]+\\.[0-9]+\\.[0-9]+[^ ]*", "/VERSION");
	return replace_matches(out, " on [^ ]+:53:", ":");
}

/* --------------------------------------------------------------------------------------------- files */

static void make_directory(const char *path)
{
	require(mkdir(path, 0700) == 0 || errno == EEXIST, path);
}

static void write_file(const char *directory, const char *name, const char *text, bool executable)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", directory, name);
	char *slash = strrchr(path, '/');
	FILE *file;

	*slash = '\0';
	make_directory(path);
	*slash = '/';
	file = fopen(path, "we");
	require(file && fputs(text, file) >= 0 && fclose(file) == 0 && chmod(path, executable ? 0700 : 0600) == 0,
	        path);
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void add_base64(struct world *world, const char *name, const char *text)
{
	add_name(world, xstrdup(name), base64_encode(text, strlen(text)), true);
}

static void write_shared_files(struct world *world)
{
	const struct pki_pair *client = pki_client(world->pki, PKI_CLIENT_GOOD);
	char *pki = xasprintf("%s/pki", world->directory);

	write_file(pki, "ca.crt", pki_ca(world->pki), false);
	write_file(pki, "other.crt", pki_other_ca(world->pki), false);
	write_file(pki, "client.crt", client->certificate, false);
	write_file(pki, "client.key", client->key, false);
	write_file(pki, "encrypted.key", pki_encrypted_key(world->pki), false);
	add_base64(world, "CA64", pki_ca(world->pki));
	add_base64(world, "CRT64", client->certificate);
	add_base64(world, "KEY64", client->key);
	add_name(world, xstrdup("PKI"), pki, true);

	world->account = xasprintf("%s/account", world->directory);
	write_file(world->account, "token", "pod", false);
	write_file(world->account, "namespace", "podns", false);
	write_file(world->account, "ca.crt", pki_ca(world->pki), false);
}

const char *world_directory(const struct world *world)
{
	return world->case_directory;
}

const char *world_account(const struct world *world)
{
	return world->account;
}

void world_prepare(struct world *world, const struct kubectl_case *given)
{
	const struct kubectl_file *file = given->files;

	nftw(world->case_directory, remove_entry, FTW_FILES, FTW_DEPTH | FTW_PHYS);
	make_directory(world->case_directory);
	if (given->config) {
		_cleanup_free_ char *text = world_expand(world, given->config);

		write_file(world->case_directory, "config", text, false);
	}
	for (; file->path; file++) {
		_cleanup_free_ char *text = world_expand(world, file->text);

		write_file(world->case_directory, file->path, text, file->executable);
	}
	for (enum server i = SERVER_A; i < SERVER_COUNT; i++)
		world->marks[i] = apiserver_request_total(world->servers[i]);
	ways_mark(world->ways);
}

/* --------------------------------------------------------------------------------------- what they saw */

static bool is_list(const struct apiserver_request *request)
{
	return str_ends_with(request->path, "/statefulsets") && request->status == 200;
}

/* The last answered request for StatefulSets of this run; ret_server: who got it. */
static const struct apiserver_request *last_list(const struct world *world, enum server *ret_server)
{
	for (enum server i = SERVER_A; i < SERVER_COUNT; i++) {
		for (size_t n = apiserver_request_total(world->servers[i]); n > world->marks[i]; n--) {
			const struct apiserver_request *request = apiserver_request_at(world->servers[i], n - 1);

			*ret_server = i;
			if (is_list(request))
				return request;
		}
	}
	return NULL;
}

static char *namespace_of(const struct apiserver_request *request)
{
	const char *found = strstr(request->path, "/namespaces/");

	return found ? xstrndup(found + 12, strcspn(found + 12, "/")) : xstrdup("(all)");
}

/* The lines that begin so, names in lower case, in byte order: which comes first means nothing. */
static void add_headers(struct buf *out, const struct apiserver_request *request, const char *prefix)
{
	_cleanup_strv_ struct strv lines = STRV_INIT, wanted = STRV_INIT;
	_cleanup_free_ char *text = replace_all(xstrdup(request->headers), "\r", "");

	strv_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.count; i++) {
		for (char *c = lines.items[i]; *c && *c != ':'; c++)
			*c = (char)tolower((unsigned char)*c);
		if (str_starts_with(lines.items[i], prefix))
			strv_add(&wanted, lines.items[i]);
	}
	strv_sort(&wanted);
	for (size_t i = 0; i < wanted.count; i++)
		buf_addf(out, ", %s", wanted.items[i]);
}

char *world_seen(const struct world *world, bool headers)
{
	struct buf out = BUF_TEXT;
	enum server server;
	const struct apiserver_request *request = last_list(world, &server);
	_cleanup_free_ char *namespace_name = NULL;
	_cleanup_free_ char *authorization = NULL, *way = NULL;

	if (!request)
		return NULL;
	namespace_name = namespace_of(request);
	authorization = apiserver_request_header(request, "Authorization");
	buf_addf(&out, "%s %s", server_names[server], namespace_name);
	if (request->certificate)
		buf_addf(&out, " CN=%s", request->certificate);
	if (authorization)
		buf_addf(&out, " %s", authorization);
	if (!request->certificate && !authorization)
		buf_adds(&out, " anonymous");
	add_headers(&out, request, "impersonate-");
	if (headers) {
		add_headers(&out, request, "user-agent:");
		add_headers(&out, request, "kubectl-");
	}
	way = ways_taken(world->ways);
	buf_adds(&out, way ? way : "");
	return buf_detach(&out);
}

/* ---------------------------------------------------------------------------------------- life and death */

struct world *world_new(void)
{
	const char *parent = getenv("TMPDIR");
	struct world *world = xcalloc(1, sizeof(*world));
	const char *name;
	uint16_t port;

	world->pki = pki_new("api.test");
	world->directory = xasprintf("%s/kubectl-XXXXXX", parent ? parent : "/tmp");
	require(mkdtemp(world->directory) != NULL, "mkdtemp");
	start_servers(world);
	for (enum server i = SERVER_A; i < SERVER_COUNT; i++)
		add_port(world, server_names[i], apiserver_port(world->servers[i]));
	world->ways = ways_new(world->pki, apiserver_port(world->servers[SERVER_A]),
	                       apiserver_port(world->servers[SERVER_PLAIN]));
	for (size_t i = 0; (name = ways_name(world->ways, i, &port)); i++)
		add_port(world, name, port);
	add_port(world, "CLOSED", take_port(world));
	world->case_directory = xasprintf("%s/case", world->directory);
	add_name(world, xstrdup("CASE"), xstrdup(world->case_directory), true);
	write_shared_files(world);
	return world;
}

void world_free(struct world *world)
{
	ways_free(world->ways);
	for (enum server i = SERVER_A; i < SERVER_COUNT; i++)
		apiserver_stop(world->servers[i]);
	for (size_t i = 0; i < world->name_count; i++) {
		free(world->names[i].name);
		free(world->names[i].text);
	}
	nftw(world->directory, remove_entry, FTW_FILES, FTW_DEPTH | FTW_PHYS);
	pki_free(world->pki);
	close(world->closed);
	free(world->directory);
	free(world->case_directory);
	free(world->account);
	free(world);
}
