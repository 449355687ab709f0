/* See include/consul/access.h. */
#include "consul/access.h"

#include "util/mem.h"
#include "util/str.h"

/* A token of Consul's is a UUID of 36; those of a JWT-minded plugin are longer. A header line of libcurl's has room for
 * this. */
#define TOKEN_MAX 512

enum ask_way access_via(const struct access *access)
{
	return access ? access->via : ASK_NONE;
}

const char *access_token(const struct access *access)
{
	if (!access)
		return NULL;
	return access->given ? access->given : access->found;
}

void access_take(struct access *access, char *token)
{
	free_secret(access->found);
	access->found = token;
	access->looked = true;
	err_release(&access->err);
}

void access_release(struct access *access)
{
	free_secret(access->found);
	err_release(&access->err);
	*access = (struct access)ACCESS_INIT;
}

int access_check_token(const char *text, struct err *err)
{
	size_t length = 0;

	if (!*text)
		return err_set(err, ERR_INVALID, "the ACL token is empty");
	for (; text[length]; length++) {
		if (length == TOKEN_MAX)
			return err_set(err, ERR_INVALID, "the ACL token has more than %d characters", TOKEN_MAX);
		if (text[length] <= ' ' || text[length] >= 0x7f)
			return err_set(err, ERR_INVALID,
			               "character %zu of the ACL token is none that a token can have: a space, a "
			               "control character, or no ASCII",
			               length + 1);
	}
	return 0;
}
