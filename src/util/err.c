/* See include/util/err.h. */
#include "util/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

#include "util/mem.h"

#undef err_set
#undef err_wrap
#undef err_hint
#undef err_label

int err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
	va_list arguments;

	assert(kind != ERR_NONE);
	assert(err->kind == ERR_NONE);
	err->kind = kind;
	va_start(arguments, format);
	err->message = xvasprintf(format, arguments);
	va_end(arguments);
	return -1;
}

int err_wrap(struct err *err, const char *format, ...)
{
	_cleanup_free_ char *context = NULL;
	va_list arguments;

	assert(err->kind != ERR_NONE);
	va_start(arguments, format);
	context = xvasprintf(format, arguments);
	va_end(arguments);
	replace_string(&err->message, xasprintf("%s: %s", context, err->message));
	return -1;
}

int err_hint(struct err *err, const char *format, ...)
{
	va_list arguments;

	assert(err->kind != ERR_NONE);
	if (err->hint)
		return -1;
	va_start(arguments, format);
	err->hint = xvasprintf(format, arguments);
	va_end(arguments);
	return -1;
}

int err_label(struct err *err, const char *format, ...)
{
	va_list arguments;

	assert(err->kind != ERR_NONE);
	va_start(arguments, format);
	replace_string(&err->label, xvasprintf(format, arguments));
	va_end(arguments);
	return -1;
}

int err_move(struct err *to, struct err *from)
{
	assert(to->kind == ERR_NONE);
	*to = *from;
	*from = (struct err)ERR_INIT;
	return to->kind == ERR_NONE ? 0 : -1;
}

void err_copy(struct err *to, const struct err *from)
{
	assert(to->kind == ERR_NONE);
	to->kind = from->kind;
	to->label = xstrdup_null(from->label);
	to->message = xstrdup_null(from->message);
	to->hint = xstrdup_null(from->hint);
}

bool err_leaves_open(const struct err *err)
{
	return err->kind == ERR_UNREACHABLE || err->kind == ERR_UNAVAILABLE || err->kind == ERR_PROTOCOL ||
	       err->kind == ERR_TIMEOUT;
}

int err_exit_code(const struct err *err)
{
	if (err->kind == ERR_NONE)
		return 0;
	if (err->kind == ERR_REFUSED)
		return 4;
	if (err->kind == ERR_TIMEOUT)
		return 124;
	if (err->kind == ERR_INTERRUPTED)
		return 130;
	return 1;
}

char *err_text(const struct err *err)
{
	const char *label = err->label ? err->label : "error";

	return xasprintf("%s%s%s", label, *label ? ": " : "", err->message ? err->message : "");
}

void err_release(struct err *err)
{
	free(err->label);
	free(err->message);
	free(err->hint);
	*err = (struct err)ERR_INIT;
}
