/*
 * cmd/deploy_options.h - the options of `deploy`: their table, which go together, and the files they name.
 */
#ifndef CMD_DEPLOY_OPTIONS_H
#define CMD_DEPLOY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/cmd.h"
#include "consul/deploy.h"
#include "util/err.h"

enum deploy_output { DEPLOY_OUTPUT_YAML, DEPLOY_OUTPUT_JSON, DEPLOY_OUTPUT_NAME };

struct deploy_options {
	int64_t replicas;
	const char *image;
	const char *storage_size;
	const char *storage_class;
	const char *datacenter;
	const char *cluster_domain;
	const char *config_path;
	bool tls;
	bool no_tls;
	const char *authority_path;
	const char *authority_key_path;
	const char *key_in_use_path;
	bool acls;
	bool reset_acls;
	bool preflight;
	bool skip_preflight;
	bool diff;
	bool rollback;
	bool rotate_certs;
	bool rotate_authority;
	bool rotate_gossip_key;
	struct strv files;
	bool wait;
	bool force_conflicts;
	enum cmd_dry_run dry_run;
	enum deploy_output output;
};

extern const struct option deploy_option_table[];

/* Options that do not go together (ERR_USAGE). */
int deploy_options_check(const struct cmd_context *context, struct err *err) __attribute__((warn_unused_result));

/* What was in the files that options name. Owned; wiped on release. */
struct deploy_inputs {
	struct key_pair authority;
	char *key_in_use; /* secret */
	cJSON *extra;
};

#define DEPLOY_INPUTS_INIT { .authority = KEY_PAIR_INIT }

/* Reads and checks them; errors name option and file. Blocks on files only. */
int deploy_inputs_read(const struct cmd_context *context, int64_t now_s, struct deploy_inputs *ret, struct err *err)
    __attribute__((warn_unused_result));
void deploy_inputs_release(struct deploy_inputs *inputs);

/* What the options ask for; borrows from all of them. */
void deploy_options_request(const struct cmd_context *context, const char *namespace_name,
                            const struct deploy_inputs *inputs, int64_t now_s, struct deploy_request *ret_request);

#endif
