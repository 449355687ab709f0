/* See include/kube/impersonation.h. */
#include "kube/impersonation.h"

#include <stdlib.h>

#include "util/buf.h"
#include "util/mem.h"

void impersonation_release(struct impersonation *as)
{
	free(as->user);
	free(as->uid);
	strv_release(&as->groups);
	strv_release(&as->extra_keys);
	strv_release(&as->extra_values);
	*as = (struct impersonation)IMPERSONATION_INIT;
}

static int add_header(struct strv *lines, const char *name, const char *value, struct err *err)
{
	_cleanup_free_ char *shown = NULL;

	/* libcurl would leave the line out, and the request be made with fewer rights or more. */
	if (value[strspn(value, " ")] == '\0')
		return err_set(err, ERR_CONFIG, "nothing to impersonate: the value of %s is blank", name);
	for (const char *at = value; *at; at++) {
		if ((unsigned char)*at >= ' ' && *at != 0x7f)
			continue;
		shown = str_visible(value, 100);
		return err_set(err, ERR_CONFIG, "\"%s\" cannot be impersonated: it has control characters in it",
		               shown);
	}
	strv_addf(lines, "%s: %s", name, value);
	return 0;
}

/* What may not stand in the name of a header, and '%', as %xx. */
static char *escape_key(const char *key)
{
	static const char kept[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&'*+-.^_`|~";
	struct buf name = BUF_TEXT;

	buf_adds(&name, "Impersonate-Extra-");
	for (; *key; key++) {
		if (strchr(kept, *key))
			buf_addc(&name, *key);
		else
			buf_addf(&name, "%%%02x", (unsigned)(unsigned char)*key);
	}
	return buf_detach(&name);
}

int impersonation_headers(const struct impersonation *as, struct strv *lines, struct err *err)
{
	if (!as->user)
		return 0;
	if (as->groups.count + as->extra_values.count > IMPERSONATION_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %zu groups and extra values to impersonate",
		               IMPERSONATION_MAX);
	if (add_header(lines, "Impersonate-User", as->user, err) < 0 ||
	    (as->uid && add_header(lines, "Impersonate-Uid", as->uid, err) < 0))
		return -1;
	for (size_t i = 0; i < as->groups.count; i++)
		if (add_header(lines, "Impersonate-Group", as->groups.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < as->extra_values.count; i++) {
		_cleanup_free_ char *name = escape_key(as->extra_keys.items[i]);

		if (add_header(lines, name, as->extra_values.items[i], err) < 0)
			return -1;
	}
	return 0;
}
