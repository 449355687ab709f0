/* The server's URL. See transport_parts.h. */
#include "transport_parts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "util/mem.h"
#include "util/str.h"

#define URL_MAX 2048

static bool is_loopback(const char *host)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (str_equal_nocase(host, "localhost"))
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, host, &v6) != 1)
		return false;
	return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

/* Length of the host at the start of an authority, brackets included; 0 when there is none. */
static size_t host_length(const char *authority)
{
	static const char name_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	size_t length;

	if (*authority != '[')
		return strspn(authority, name_characters);
	length = 1 + strspn(authority + 1, "0123456789abcdefABCDEF:.");
	return length > 1 && authority[length] == ']' ? length + 1 : 0;
}

static int parse_authority(struct server_address *address)
{
	const char *authority = address->authority;
	const size_t length = host_length(authority);
	int64_t port = address->https ? 443 : 80;

	if (length == 0)
		return -1;
	if (authority[length] && (authority[length] != ':' || str_to_int64(authority + length + 1, &port) < 0))
		return -1;
	if (port < 1 || port > UINT16_MAX)
		return -1;
	address->port = (uint16_t)port;
	address->host = *authority == '[' ? xstrndup(authority + 1, length - 2) : xstrndup(authority, length);
	address->is_loopback = is_loopback(address->host);
	return 0;
}

/* Nothing that would end a request line or begin a query. */
static bool is_path(const char *path)
{
	for (; *path; path++)
		if (*path <= ' ' || *path >= 0x7f || strchr("?#\"<>\\^`{|}", *path))
			return false;
	return true;
}

static int parse(const char *server, struct server_address *address)
{
	const char *rest;
	size_t length;

	if (strlen(server) > URL_MAX)
		return -1;
	address->https = str_starts_with(server, "https://");
	if (!address->https && !str_starts_with(server, "http://"))
		return -1;
	rest = server + (address->https ? strlen("https://") : strlen("http://"));
	length = strcspn(rest, "/");
	address->authority = xstrndup(rest, length);
	rest += length;
	length = strlen(rest);
	while (length > 0 && rest[length - 1] == '/')
		length--;
	address->path = xstrndup(rest, length);
	return is_path(address->path) ? parse_authority(address) : -1;
}

int server_address_parse(const char *server, struct server_address *ret_address, struct err *err)
{
	struct server_address address = { 0 };
	_cleanup_free_ char *shown = NULL;

	if (parse(server, &address) == 0) {
		*ret_address = address;
		return 0;
	}
	server_address_release(&address);
	shown = str_visible(server, 200);
	err_set(err, ERR_CONFIG, "the server's address \"%s\" is not a URL of a Kubernetes API server", shown);
	return err_hint(err, "it has the form https://HOST:PORT, without user, query or fragment");
}

void server_address_release(struct server_address *address)
{
	free(address->host);
	free(address->authority);
	free(address->path);
	*address = (struct server_address){ 0 };
}
