/*
 * cmd/global.h - the options every command has: kubectl's own, and where the servers are.
 */
#ifndef CMD_GLOBAL_H
#define CMD_GLOBAL_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/environment.h"
#include "consul/view.h"
#include "kube/config.h"
#include "util/option.h"

/* Strings are borrowed from argv; NULL: not given. */
struct global_options {
	/* kubectl's */
	const char *kubeconfig;
	const char *context;
	const char *cluster;
	const char *user;
	const char *namespace_name;
	const char *server;
	const char *token;
	const char *certificate_authority;
	const char *client_certificate;
	const char *client_key;
	const char *tls_server_name;
	bool insecure_skip_tls_verify;
	const char *username;
	const char *password;
	const char *as;
	const char *as_uid;
	struct strv as_groups;
	struct strv as_user_extra;
	const char *cache_dir;      /* taken for kubectl's sake: nothing is cached on disk */
	bool disable_compression;
	int64_t request_timeout_ms; /* 0: none */
	int64_t verbosity;

	/* ours */
	const char *name;   /* of the StatefulSet; "consul" unless given */
	const char *token_file; /* with an ACL token of Consul's; "token" is the API server's */
	enum ask_way via;   /* ASK_NONE: auto, tunnel first */
	int64_t timeout_ms; /* 0: not given, the command's own default (global_timeout_ms) */
};

#define GLOBAL_OPTIONS_INIT { 0 }

extern const struct option global_option_table[];

/* --timeout, or otherwise when it was not given (or 0). */
int64_t global_timeout_ms(const struct global_options *global, int64_t otherwise_ms);

/* What decides about the API server and the user, for kube_config_load. Borrows from both. */
void global_config_inputs(const struct global_options *global, const struct cmd_environment *environment,
			  struct kube_config_inputs *ret_inputs);

#endif
