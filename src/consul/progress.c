/* See include/consul/progress.h. */
#include "consul/progress.h"

#include <stdarg.h>

#include "consul/diagnosis.h"
#include "consul/observe.h"
#include "util/mem.h"
#include "util/str.h"

void progress_tell(const struct progress *progress, const char *format, ...)
{
	_cleanup_free_ char *line = NULL;
	va_list arguments;

	if (!progress->tell)
		return;
	va_start(arguments, format);
	line = xvasprintf(format, arguments);
	va_end(arguments);
	progress->tell(progress->context, line);
}

int progress_keep(const struct progress *progress, struct err *err)
{
	return progress->keep ? progress->keep(progress->context, err) : 0;
}

char *progress_command(const struct snapshot *snapshot, const char *command)
{
	_cleanup_free_ char *namespace_word = shell_word(snapshot->namespace_name);
	_cleanup_free_ char *set_word = shell_word(snapshot->set.name);
	bool is_default = str_equal(snapshot->set.name, OBSERVE_DEFAULT_NAME);

	return xasprintf("kubectl consul %s -n %s%s%s", command, namespace_word, is_default ? "" : " --name ",
	                 is_default ? "" : set_word);
}
