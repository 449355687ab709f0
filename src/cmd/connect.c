/* See include/cmd/connect.h. */
#include "cmd/connect.h"

#include "consul/observe.h"
#include "util/file.h"
#include "util/mem.h"
#include "util/str.h"

/* A file of more is none that holds a token. */
#define TOKEN_FILE_MAX ((size_t)64 * 1024)

static int read_token(const char *path, char **ret_token, struct err *err)
{
	_cleanup_buf_ struct buf text = { .max = TOKEN_FILE_MAX, .secret = true };

	if (str_equal(path, "-"))
		return err_set(err, ERR_USAGE, "an ACL token is not read from stdin: name a file");
	if (file_read(path, &text, err) < 0)
		return -1;
	if (access_parse_token(buf_text(&text), text.len, ret_token, err) < 0) {
		_cleanup_free_ char *shown = str_visible(path, 0);

		return err_wrap(err, "%s", shown);
	}
	return 0;
}

/* The user's token, if he gives one: what is on the command line counts more than what is in the environment. */
static int take_token(const struct cmd_context *context, struct connection *connection, struct err *err)
{
	const char *option = context->global->token_file, *text = context->environment->consul_token;
	const char *file = context->environment->consul_token_file;
	int status = 0;

	if (option)
		status = read_token(option, &connection->token, err) < 0 ? err_wrap(err, "--token-file") : 0;
	else if (!str_is_empty(text))
		status = access_parse_token(text, strlen(text), &connection->token, err) < 0
		             ? err_wrap(err, "CONSUL_HTTP_TOKEN")
		             : 0;
	else if (!str_is_empty(file))
		status = read_token(file, &connection->token, err) < 0 ? err_wrap(err, "CONSUL_HTTP_TOKEN_FILE") : 0;
	connection->access.given = connection->token;
	return status;
}

int connect_open(const struct cmd_context *context, struct connection *ret_connection, struct err *err)
{
	struct kube_config_inputs inputs;

	ret_connection->context = context;
	global_config_inputs(context->global, context->environment, &inputs);
	inputs.stdin_is_terminal = cmd_environment_term(context->environment, context->input_fd).is_tty;
	ret_connection->access.via = context->global->via;
	if (take_token(context, ret_connection, err) < 0 || kube_config_load(&inputs, &ret_connection->config, err) < 0)
		return -1;
	ret_connection->client_options = (struct kube_client_options){
		.command = context->title,
		.request_timeout_ms = context->global->request_timeout_ms,
		.disable_compression = context->global->disable_compression,
		.verbosity = (int)context->global->verbosity,
	};
	ret_connection->loop = loop_new();
	loop_set_interrupt(ret_connection->loop, context->interrupt_fd);
	return kube_client_new(ret_connection->loop, &ret_connection->config, &ret_connection->client_options,
	                       &ret_connection->client, err);
}

int connect_sleep(struct connection *connection, int64_t milliseconds, struct err *err)
{
	return loop_sleep(connection->loop, milliseconds, err);
}

void connect_tell_set(const struct cmd_context *context, const char *namespace_name, const char *set_name)
{
	_cleanup_free_ char *name = str_visible(set_name, 0);

	if (!str_equal(name, OBSERVE_DEFAULT_NAME) && !option_was_given(context->words, "name"))
		fprintf(context->messages,
		        "Using StatefulSet \"%s\", the only one in namespace \"%s\" that runs Consul servers.\n", name,
		        namespace_name);
}

/* At the end, when no block is on the screen that they would break. */
static void tell_warnings(const struct connection *connection)
{
	const struct strv *warnings = kube_client_warnings(connection->client);
	const struct cmd_context *context = connection->context;

	for (size_t i = 0; i < warnings->count; i++) {
		_cleanup_free_ char *text = term_text(&context->messages_term, warnings->items[i]);

		fprintf(context->messages, "Warning: %s\n", text);
	}
}

void connection_release(struct connection *connection)
{
	if (connection->client)
		tell_warnings(connection);
	kube_client_free(connection->client);
	loop_free(connection->loop);
	kube_config_release(&connection->config);
	access_release(&connection->access);
	free_secret(connection->token);
	*connection = (struct connection)CONNECTION_INIT;
}
