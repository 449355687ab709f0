/* See include/cmd/again.h. */
#include "cmd/again.h"

#include "consul/diagnosis.h"
#include "consul/observe.h"
#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

static void add_connection_options(const struct cmd_context *context, struct buf *out)
{
	static const char *const names[] = {
		"kubeconfig",         "context",    "cluster",         "user",      "server", "certificate-authority",
		"client-certificate", "client-key", "tls-server-name", "token-file"
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct option *option = option_find(global_option_table, names[i], 0);
		const char *value;
		_cleanup_free_ char *word = NULL;

		if (!option || !option_was_given(context->words, names[i]))
			continue;
		value = *(const char *const *)(const void *)((const char *)context->global + option->offset);
		word = shell_word(value);
		buf_addf(out, " --%s %s", names[i], word);
	}
	if (context->global->insecure_skip_tls_verify)
		buf_adds(out, " --insecure-skip-tls-verify");
	if (context->global->via != ASK_NONE)
		buf_addf(out, " --via %s", ask_way_name(context->global->via));
}

char *again_command(const struct cmd_context *context, const struct connection *connection, const char *set_name,
                    const char *command)
{
	_cleanup_free_ char *namespace_word = shell_word(connection->config.namespace_name);
	_cleanup_free_ char *set_word = shell_word(set_name);
	struct buf out = BUF_TEXT;

	buf_addf(&out, "%s %s -n %s", context->program->name, command, namespace_word);
	if (!str_equal(set_name, OBSERVE_DEFAULT_NAME))
		buf_addf(&out, " --name %s", set_word);
	add_connection_options(context, &out);
	return buf_detach(&out);
}
