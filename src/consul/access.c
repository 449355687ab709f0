/* See include/consul/access.h. */
#include "consul/access.h"

#include <string.h>

#include "util/base64.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* Consul's own tokens are UUIDs, of 36 characters. */
#define TOKEN_MAX 512
/* Most bytes of a Secret's value that are looked at. */
#define VALUE_MAX ((size_t)64 * 1024)

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

void access_take_recovery(struct access *access, char *token)
{
	free_secret(access->recovery);
	access->recovery = token;
}

const char *access_recovery(const struct access *access)
{
	return access && !access->given ? access->recovery : NULL;
}

void access_release(struct access *access)
{
	free_secret(access->found);
	free_secret(access->recovery);
	err_release(&access->err);
	*access = (struct access)ACCESS_INIT;
}

bool access_is_unknown_token(const char *words)
{
	return strstr(words, "ACL not found") != NULL;
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

int access_parse_token(const char *text, size_t length, char **ret_token, struct err *err)
{
	static const char blank[] = " \t\r\n";
	const char *end = memchr(text, '\n', length);
	char *token;

	if (end)
		length = (size_t)(end - text);
	for (; length > 0 && memchr(blank, *text, sizeof(blank) - 1); length--)
		text++;
	while (length > 0 && memchr(blank, text[length - 1], sizeof(blank) - 1))
		length--;
	if (memchr(text, '\0', length))
		return err_set(err, ERR_INVALID, "the ACL token has a zero byte in it");
	token = xstrndup(text, length);
	if (access_check_token(token, err) < 0) {
		free_secret(token);
		return -1;
	}
	*ret_token = token;
	return 0;
}

/* ---------------------------------------------------------------------------------------- the Secret */

static bool is_secured(const struct kube_statefulset *set)
{
	_cleanup_free_ char *name = xasprintf("%s-acl", set->name);

	return strv_contains(&set->secrets, name);
}

/* Nothing of a Secret stays in memory that is given back. */
static void wipe(cJSON *secret)
{
	cJSON *value;

	cJSON_ArrayForEach (value, cJSON_GetObjectItemCaseSensitive(secret, "data"))
		if (cJSON_IsString(value))
			mem_wipe(value->valuestring, strlen(value->valuestring));
}

static int decode(const char *value, char **ret_token, struct err *err)
{
	_cleanup_buf_ struct buf text = { .max = VALUE_MAX, .secret = true };

	if (base64_decode(value, &text, err) < 0)
		return -1;
	return access_parse_token(buf_text(&text), text.len, ret_token, err);
}

/* A Secret without a token is one that the bootstrapping has not filled in yet; of an earlier deploy it has no other.
 */
static void take_secret(struct access *access, const char *name, const cJSON *secret)
{
	const char *value = json_string_at(secret, "data.token");
	const char *recovery = json_string_at(secret, "data.recovery");
	_cleanup_err_ struct err unusable = ERR_INIT;
	char *token = NULL;

	if (!str_is_empty(recovery) && decode(recovery, &token, &unusable) == 0)
		access_take_recovery(access, TAKE(token));
	if (str_is_empty(value)) {
		err_set(&access->err, ERR_NOT_FOUND, "secret/%s has no token yet", name);
		return;
	}
	access->looked = true;
	if (decode(value, &token, &access->err) < 0)
		err_wrap(&access->err, "secret/%s", name);
	else
		access_take(access, token);
}

static void take_failure(struct access *access, struct err *failure)
{
	static const char other_way[] = "--token-file FILE or CONSUL_HTTP_TOKEN gives a token, too";
	struct err *err = &access->err;

	/* Anything else may be otherwise the next time. */
	access->looked = failure->kind == ERR_FORBIDDEN || failure->kind == ERR_NOT_FOUND;
	err_move(err, failure);
	if (access->looked)
		replace_string(&err->hint, err->hint ? xasprintf("%s\n%s", err->hint, other_way) : xstrdup(other_way));
}

int access_look(struct access *access, struct kube_client *client, const char *namespace_name,
                const struct kube_statefulset *set, int64_t deadline_ms, struct err *err)
{
	_cleanup_free_ char *name = NULL;
	_cleanup_buf_ struct buf path = BUF_TEXT;
	struct kube_call call = { .method = KUBE_GET };
	int status;

	if (access->given || access->looked || !is_secured(set))
		return 0;
	name = xasprintf("%s-acl-bootstrap", set->name);
	buf_adds(&path, "/api/v1/namespaces/");
	buf_add_url(&path, namespace_name);
	buf_adds(&path, "/secrets/");
	buf_add_url(&path, name);
	call.path = buf_text(&path);
	err_release(&access->err);
	status = kube_client_perform(client, &call, 1, deadline_ms, err);
	if (status == 0 && err_is_set(&call.err))
		take_failure(access, &call.err);
	else if (status == 0)
		take_secret(access, name, call.json);
	wipe(call.json);
	kube_call_release(&call);
	return status;
}
