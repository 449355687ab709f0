/* See include/cmd/connect.h. */
#include "cmd/connect.h"

int connect_open(const struct cmd_context *context, struct connection *ret_connection, struct err *err)
{
	struct kube_config_inputs inputs;

	global_config_inputs(context->global, context->environment, &inputs);
	if (kube_config_load(&inputs, &ret_connection->config, err) < 0)
		return -1;
	ret_connection->client_options = (struct kube_client_options){
		.command = context->title,
		.request_timeout_ms = context->global->request_timeout_ms,
		.verbosity = (int)context->global->verbosity,
	};
	ret_connection->access.via = context->global->via;
	ret_connection->loop = loop_new();
	loop_set_interrupt(ret_connection->loop, context->interrupt_fd);
	return kube_client_new(ret_connection->loop, &ret_connection->config, &ret_connection->client_options,
	                       &ret_connection->client, err);
}

int connect_sleep(struct connection *connection, int64_t milliseconds, struct err *err)
{
	return loop_sleep(connection->loop, milliseconds, err);
}

void connection_release(struct connection *connection)
{
	kube_client_free(connection->client);
	loop_free(connection->loop);
	kube_config_release(&connection->config);
	access_release(&connection->access);
	*connection = (struct connection)CONNECTION_INIT;
}
