/* See include/consul/value.h. */
#include "consul/value.h"

#include <string.h>

#include "util/mem.h"
#include "util/str.h"

#define NS_PER_MS 1000000.0

/* Go's units, in nanoseconds; the longer names first where one begins like another. */
static const struct {
	const char *name;
	double ns;
} units[] = {
	{ "ns", 1 },   { "us", 1e3 }, { "\xc2\xb5s", 1e3 }, { "\xce\xbcs", 1e3 },
	{ "ms", 1e6 }, { "s", 1e9 },  { "m", 6e10 },        { "h", 3.6e12 },
};

/* "34.5" and moves on; false when there is no digit. Not strtod: it knows hex, inf and the locale. */
static bool read_number(const char **text, double *ret_number)
{
	double number = 0, scale = 1;
	const char *at = *text;

	if (*at < '0' || *at > '9')
		return false;
	for (; *at >= '0' && *at <= '9'; at++)
		number = number * 10 + (*at - '0');
	if (*at == '.')
		for (at++; *at >= '0' && *at <= '9'; at++)
			number += (*at - '0') * (scale /= 10);
	*text = at;
	*ret_number = number;
	return true;
}

static bool read_unit(const char **text, double *ret_ns)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (!str_starts_with(*text, units[i].name))
			continue;
		*text += strlen(units[i].name);
		*ret_ns = units[i].ns;
		return true;
	}
	return false;
}

int64_t value_duration_ms(const char *text)
{
	double total_ns = 0, number, unit_ns;

	if (str_is_empty(text))
		return -1;
	if (str_equal(text, "0"))
		return 0;
	while (*text) {
		if (!read_number(&text, &number) || !read_unit(&text, &unit_ns))
			return -1;
		total_ns += number * unit_ns;
	}
	return total_ns / NS_PER_MS >= 9e18 ? INT64_MAX : (int64_t)(total_ns / NS_PER_MS);
}

/* Where the host of an address ends; *host is moved behind a bracket. *port is what follows the colon, or "". */
static size_t host_length(const char **host, const char **port)
{
	const char *address = *host, *colon = strchr(address, ':');
	const char *close = *address == '[' ? strchr(address, ']') : NULL;

	*port = "";
	if (close) {
		*host = address + 1;
		if (close[1] == ':')
			*port = close + 2;
		return (size_t)(close - address - 1);
	}
	if (!colon || strchr(colon + 1, ':')) /* no port, or IPv6 without brackets */
		return strlen(address);
	*port = colon + 1;
	return (size_t)(colon - address);
}

char *value_split_address(const char *address, int64_t *ret_port)
{
	const char *port;
	size_t length = host_length(&address, &port);

	if (str_to_int64(port, ret_port) < 0 || *ret_port < 0 || *ret_port > 65535)
		*ret_port = 0;
	return xstrndup(address, length < VALUE_MAX ? length : VALUE_MAX);
}

bool value_address_is(const char *address, const char *host)
{
	const char *port;
	size_t length;

	if (str_is_empty(address) || str_is_empty(host))
		return false;
	length = host_length(&address, &port);
	return strlen(host) == length && memcmp(address, host, length) == 0;
}

char *value_version(const char *text)
{
	size_t length;

	if (text && *text == 'v')
		text++;
	if (str_is_empty(text) || *text == ':')
		return NULL;
	length = strcspn(text, ":");
	return xstrndup(text, length < VALUE_MAX ? length : VALUE_MAX);
}

int64_t value_version_minor(const char *version)
{
	_cleanup_free_ char *major_text = xstrndup(version, strcspn(version, "."));
	const char *rest = version + strlen(major_text);
	_cleanup_free_ char *minor_text = xstrndup(rest + (*rest == '.'), strspn(rest + (*rest == '.'), "0123456789"));
	int64_t major, minor;

	if (str_to_int64(major_text, &major) < 0 || str_to_int64(minor_text, &minor) < 0)
		return -1;
	if (major != 1)
		return major > 1 ? INT64_MAX : 0;
	return minor;
}

enum member_status value_member_status(const char *text)
{
	for (int status = MEMBER_ALIVE; status <= MEMBER_FAILED; status++)
		if (str_equal(text, member_status_name((enum member_status)status)))
			return (enum member_status)status;
	return MEMBER_UNKNOWN;
}

enum member_status value_member_status_number(int64_t number)
{
	return number >= 1 && number <= 4 ? (enum member_status)number : MEMBER_UNKNOWN;
}

enum raft_role value_raft_role(const char *text)
{
	for (int role = RAFT_LEADER; role <= RAFT_SHUTDOWN; role++)
		if (str_equal_nocase(text, raft_role_name((enum raft_role)role)))
			return (enum raft_role)role;
	return RAFT_UNKNOWN;
}

char *value_text(const char *text)
{
	return xstrndup(text, VALUE_MAX);
}

char *value_or_null(const char *text)
{
	if (str_is_empty(text) || str_equal(text, "(unknown)"))
		return NULL;
	return value_text(text);
}
