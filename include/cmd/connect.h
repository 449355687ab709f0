/*
 * cmd/connect.h - from parsed options to a connection: kubeconfig, loop, client. Every command that talks to a cluster
 * begins with it.
 */
#ifndef CMD_CONNECT_H
#define CMD_CONNECT_H

#include "cmd/cmd.h"
#include "consul/access.h"
#include "kube/client.h"
#include "kube/config.h"
#include "util/err.h"
#include "util/loop.h"

struct connection {
	const struct cmd_context *context; /* borrowed; NULL: connect_open has not got far */
	struct kube_config config;
	struct kube_client_options client_options;
	struct loop *loop;
	struct kube_client *client;
	struct access access; /* to the Consul servers: one for the whole run, so that a token is looked for once */
	char *token;          /* access.given; secret */
};

#define CONNECTION_INIT { .config = KUBE_CONFIG_INIT, .access = ACCESS_INIT }

/*
 * Reads the configuration, and the user's ACL token, and makes a client; nothing is sent yet. ret_connection is
 * released in either case.
 */
int connect_open(const struct cmd_context *context, struct connection *ret_connection, struct err *err)
	__attribute__((warn_unused_result));

/* Waits milliseconds; -1 when Ctrl-C came meanwhile (ERR_INTERRUPTED). */
int connect_sleep(struct connection *connection, int64_t milliseconds, struct err *err)
	__attribute__((warn_unused_result));

/* Which StatefulSet it is, on context->messages, if it is not the usual one and the user did not name it. */
void connect_tell_set(const struct cmd_context *context, const char *namespace_name, const char *set_name);

/* Tells the API server's warnings on context->messages, and releases it. */
void connection_release(struct connection *connection);

#endif
