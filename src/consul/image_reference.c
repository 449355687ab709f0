/* See include/consul/image_reference.h. */
#include "consul/image_reference.h"

#include <ctype.h>
#include <string.h>

#include "util/mem.h"
#include "util/str.h"

enum { REPOSITORY_MAX = 255, TAG_MAX = 128, DIGEST_HEX_MIN = 32, SHA256_HEX = 64, PORT_DIGITS_MAX = 5 };

/* A reference, split at its signs; nothing is copied. */
struct parts {
	const char *registry; /* NULL: none */
	size_t registry_length;
	const char *path;
	size_t path_length;
	const char *tag; /* behind the colon; NULL: none, likewise below */
	size_t tag_length;
	const char *digest;
};

/* The first part is a registry when it could not be a user's name: it has a dot or a port, or is this machine. */
static bool is_registry(const char *text, size_t length)
{
	return memchr(text, '.', length) || memchr(text, ':', length) ||
	       (length == strlen("localhost") && strncmp(text, "localhost", length) == 0);
}

static struct parts split(const char *image)
{
	size_t length = strcspn(image, "@");
	const char *slash = str_last(image, length, '/'), *first = memchr(image, '/', length), *colon;
	struct parts parts = { .path = image, .path_length = length };

	if (image[length])
		parts.digest = image + length + 1;
	colon = memchr(slash ? slash : image, ':', length - (size_t)((slash ? slash : image) - image));
	if (colon) {
		parts.tag = colon + 1;
		parts.tag_length = (size_t)(image + length - parts.tag);
		parts.path_length = (size_t)(colon - image);
	}
	if (first && is_registry(image, (size_t)(first - image))) {
		parts.registry = image;
		parts.registry_length = (size_t)(first - image);
		parts.path = first + 1;
		parts.path_length -= parts.registry_length + 1;
	}
	return parts;
}

static bool is_word(char character)
{
	return isalnum((unsigned char)character) || character == '_';
}

/* Labels of letters, digits and inner '-' joined by dots, or an IPv6 address in brackets. */
static bool is_host(const char *text, size_t length)
{
	bool at_edge = true;

	if (length > 2 && text[0] == '[')
		return text[length - 1] == ']' && strspn(text + 1, "0123456789abcdefABCDEF:") == length - 2;
	for (size_t i = 0; i < length; i++) {
		bool ends = i + 1 == length || text[i + 1] == '.';

		if (text[i] == '.' ? at_edge : !isalnum((unsigned char)text[i]) && (text[i] != '-' || at_edge || ends))
			return false;
		at_edge = text[i] == '.';
	}
	return length > 0 && !at_edge;
}

static int check_registry(const struct parts *parts, struct err *err)
{
	const char *text = parts->registry, *bracket = str_last(text, parts->registry_length, ']');
	const char *from = bracket ? bracket : text;
	const char *colon = memchr(from, ':', parts->registry_length - (size_t)(from - text));
	size_t host = colon ? (size_t)(colon - text) : parts->registry_length;
	size_t digits = colon ? parts->registry_length - host - 1 : 0;

	if (colon && (digits == 0 || digits > PORT_DIGITS_MAX || strspn(colon + 1, "0123456789") < digits))
		return err_set(err, ERR_INVALID, "what follows the colon of the registry is no port");
	if (!is_host(text, host))
		return err_set(err, ERR_INVALID, "the registry is no name of a host");
	return 0;
}

/* Lower case letters and digits, with ".", "_", "__" or any number of "-" between them. */
static bool is_component(const char *text, size_t length)
{
	size_t i = 0;

	for (;;) {
		size_t begin = i;

		while (i < length && (islower((unsigned char)text[i]) || isdigit((unsigned char)text[i])))
			i++;
		if (i == begin)
			return false;
		if (i == length)
			return true;
		if (text[i] == '-')
			i += strspn(text + i, "-");
		else if (text[i] == '_')
			i += text[i + 1] == '_' ? 2 : 1;
		else if (text[i] == '.')
			i++;
		else
			return false;
	}
}

static int check_path(const struct parts *parts, struct err *err)
{
	const char *text = parts->path, *end = text + parts->path_length;

	if (parts->path_length == 0)
		return err_set(err, ERR_INVALID, "the name of the image is missing");
	if (parts->path_length + parts->registry_length > REPOSITORY_MAX)
		return err_set(err, ERR_INVALID, "it is longer than %d characters", REPOSITORY_MAX);
	for (const char *at = text; at < end; at++)
		if (isupper((unsigned char)*at))
			return err_set(err, ERR_INVALID, "the name of an image is in lower case");
	for (;;) {
		const char *slash = memchr(text, '/', (size_t)(end - text));
		size_t length = (size_t)((slash ? slash : end) - text);

		if (length == 0)
			return err_set(err, ERR_INVALID, "there is nothing before or after a slash");
		if (!is_component(text, length))
			return err_set(err, ERR_INVALID,
			               "\"%.*s\" is no part of a name: it takes lower case letters and digits, with "
			               "'.', '_' or '-' between them",
			               (int)length, text);
		if (!slash)
			break;
		text = slash + 1;
	}
	if (!parts->registry && parts->path_length == SHA256_HEX &&
	    strspn(parts->path, "0123456789abcdef") >= SHA256_HEX)
		return err_set(err, ERR_INVALID, "it is the id of an image, and not its name");
	return 0;
}

static int check_tag(const struct parts *parts, struct err *err)
{
	if (parts->tag_length == 0)
		return err_set(err, ERR_INVALID, "there is nothing after the colon: the tag is missing");
	if (parts->tag_length > TAG_MAX)
		return err_set(err, ERR_INVALID, "the tag is longer than %d characters", TAG_MAX);
	for (size_t i = 0; i < parts->tag_length; i++)
		if (!is_word(parts->tag[i]) && (i == 0 || (parts->tag[i] != '.' && parts->tag[i] != '-')))
			return err_set(
			    err, ERR_INVALID,
			    "a tag takes letters, digits, '_', '.' and '-', and begins with none of the last two");
	return 0;
}

/* "sha256:HEX"; other algorithms are letters and digits, in parts joined by one of "-_+.". */
static int check_digest(const char *text, struct err *err)
{
	size_t algorithm = strcspn(text, ":"), hex;
	bool at_edge = true;

	for (size_t i = 0; i < algorithm; i++) {
		bool joins = strchr("-_+.", text[i]) != NULL;

		if (at_edge ? !isalpha((unsigned char)text[i]) : !joins && !isalnum((unsigned char)text[i]))
			return err_set(err, ERR_INVALID, "what follows the @ is no digest, such as sha256:…");
		at_edge = joins;
	}
	if (at_edge || !text[algorithm])
		return err_set(err, ERR_INVALID, "what follows the @ is no digest, such as sha256:…");
	hex = strspn(text + algorithm + 1, "0123456789abcdefABCDEF");
	if (text[algorithm + 1 + hex] || hex < DIGEST_HEX_MIN ||
	    (str_starts_with(text, "sha256:") && hex != SHA256_HEX))
		return err_set(err, ERR_INVALID, "the digest is incomplete: sha256: has %d hexadecimal digits",
		               SHA256_HEX);
	return 0;
}

int image_reference_check(const char *image, struct err *err)
{
	struct parts parts;

	if (str_is_empty(image))
		return err_set(err, ERR_INVALID, "there is none");
	for (const char *at = image; *at; at++)
		if (isspace((unsigned char)*at))
			return err_set(err, ERR_INVALID, "there is a space in it");
	parts = split(image);
	if (parts.registry && check_registry(&parts, err) < 0)
		return -1;
	if (check_path(&parts, err) < 0 || (parts.tag && check_tag(&parts, err) < 0))
		return -1;
	return parts.digest ? check_digest(parts.digest, err) : 0;
}

bool image_reference_floats(const char *image)
{
	struct parts parts = split(image);

	return !parts.digest && (!parts.tag || (parts.tag_length == strlen("latest") &&
	                                        strncmp(parts.tag, "latest", parts.tag_length) == 0));
}

char *image_reference_tag(const char *image)
{
	struct parts parts = split(image);

	return parts.tag ? xstrndup(parts.tag, parts.tag_length) : NULL;
}
