/* The table of commands: help, completion and the man page read it too. See include/cmd/cmd.h. */
#include "cmd/cmd.h"

const struct command *const cmd_commands[] = {
	&cmd_deploy,  &cmd_health,  &cmd_scale,      &cmd_reap,    &cmd_failover, &cmd_recover,
	&cmd_explain, &cmd_version, &cmd_completion, &cmd_options, &cmd_help,     NULL,
};

const char cmd_description[] =
    "Run Consul servers on Kubernetes, and trust them with their quorum: deploy them, see their health as "
    "Kubernetes, gossip and raft have it, add and take away servers, and learn what to do about what is wrong.";
