/*
 * cmd/again.h - commands for people to type next: the same cluster, reached in the same way.
 */
#ifndef CMD_AGAIN_H
#define CMD_AGAIN_H

#include "cmd/cmd.h"
#include "cmd/connect.h"

/*
 * "kubectl consul COMMAND -n NAMESPACE --name SET …": --name where it is not the default, and the options of this run that
 * say which API server and who, ready for a shell. Never a token. New string.
 */
char *again_command(const struct cmd_context *context, const struct connection *connection, const char *set_name,
                    const char *command) __attribute__((warn_unused_result));

#endif
