/* New certificates and another gossip key, nobody restarted: see include/cmd/deploy_parts.h. */
#include <stdlib.h>

#include "cmd/again.h"
#include "cmd/claim.h"
#include "cmd/deploy_parts.h"
#include "cmd/deploy_wait.h"
#include "cmd/live.h"
#include "consul/diagnosis.h"
#include "consul/keyring.h"
#include "consul/renew.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

struct rotating {
	struct deploying *deploying;
	struct term_live live;
	int64_t deadline_ms;
};

static void tell(void *context, const char *line)
{
	struct rotating *rotating = context;
	_cleanup_free_ char *now = clock_time_of_day();

	term_live_log(&rotating->live, now, line);
}

/* Nobody else changes the cluster while servers take what is new, however long that lasts. */
static int keep(void *context, struct err *err)
{
	const struct rotating *rotating = context;

	return deploy_keep_lease(rotating->deploying, err);
}

static struct progress progress_of(struct rotating *rotating)
{
	return (struct progress){ .tell = tell, .keep = keep, .context = rotating };
}

static const char *datacenter_of(const struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->server_count; i++)
		if (snapshot->servers[i].view.self.datacenter)
			return snapshot->servers[i].view.self.datacenter;
	return MANIFEST_DATACENTER;
}

static int rotate_certificates(struct rotating *rotating, struct err *err)
{
	struct deploying *deploying = rotating->deploying;
	struct progress progress = progress_of(rotating);
	struct snapshot snapshot = SNAPSHOT_INIT;
	int status = deploy_look(deploying, deploying->request.name, &snapshot, err);

	if (status == 0) {
		struct renew_request request = {
			.datacenter = datacenter_of(&snapshot),
			.cluster_domain = deploying->request.cluster_domain,
			.authority = deploying->request.authority,
			.key_in_use = deploying->inputs.key_in_use,
			.new_authority = deploying->options->rotate_authority || deploying->request.authority,
		};

		status = renew_certificates(deploying->connection.client, &snapshot, &deploying->connection.access,
		                            &request, &progress, rotating->deadline_ms, err);
	}
	snapshot_release(&snapshot);
	return status;
}

static int rotate_gossip_key(struct rotating *rotating, struct err *err)
{
	struct deploying *deploying = rotating->deploying;
	struct progress progress = progress_of(rotating);
	struct snapshot snapshot = SNAPSHOT_INIT;
	int status = deploy_look(deploying, deploying->request.name, &snapshot, err);

	if (status == 0)
		status = keyring_rotate(deploying->connection.client, &snapshot, &deploying->connection.access,
		                        &progress, rotating->deadline_ms, err);
	snapshot_release(&snapshot);
	return status;
}

static int rotate(struct rotating *rotating, struct err *err)
{
	const struct deploy_options *options = rotating->deploying->options;

	if ((options->rotate_certs || options->rotate_authority) && rotate_certificates(rotating, err) < 0)
		return -1;
	return options->rotate_gossip_key ? rotate_gossip_key(rotating, err) : 0;
}

/* The command that goes on: the same, files of one's own included. New string. */
static char *words_to_go_on(const struct deploy_options *options)
{
	const struct {
		const char *option;
		const char *path;
	} files[] = {
		{ "tls-ca-cert", options->authority_path },
		{ "tls-ca-key", options->authority_key_path },
		{ "tls-ca-key-in-use", options->key_in_use_path },
	};
	struct buf words = BUF_TEXT;

	buf_addf(&words, "deploy%s%s%s", options->rotate_certs ? " --rotate-certs" : "",
	         options->rotate_authority ? " --rotate-ca" : "",
	         options->rotate_gossip_key ? " --rotate-gossip-key" : "");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *word = files[i].path ? shell_word(files[i].path) : NULL;

		if (word)
			buf_addf(&words, " --%s %s", files[i].option, word);
	}
	return buf_detach(&words);
}

static int hint_to_go_on(const struct deploying *deploying, struct err *err)
{
	_cleanup_free_ char *words = words_to_go_on(deploying->options);
	_cleanup_free_ char *command =
	    again_command(deploying->context, &deploying->connection, deploying->request.name, words);

	if (err->hint)
		return -1;
	return err_hint(err, "nobody was restarted, and the cluster goes on with what it has; to go on from here: %s",
	                command);
}

int deploy_rotate(struct deploying *deploying, int *ret_exit_code, struct err *err)
{
	const struct cmd_context *context = deploying->context;
	struct rotating rotating = {
		.deploying = deploying,
		.deadline_ms = clock_monotonic_ms() + global_timeout_ms(context->global, DEPLOY_ROLL_TIMEOUT_MS),
	};
	struct deploy_wait_options wait = { .name = deploying->request.name, .deadline_ms = rotating.deadline_ms };
	int status;

	deploying->lease = claim_new(context, &deploying->connection, deploying->request.name, "deploy");
	live_begin(&rotating.live, &deploying->connection, context->messages, &context->messages_term);
	status = claim_take(deploying->lease, &rotating.live, rotating.deadline_ms, err);
	if (status == 0 && rotate(&rotating, err) < 0)
		status = hint_to_go_on(deploying, err);
	claim_give_back(context, &deploying->connection, TAKE(deploying->lease));
	live_end(&rotating.live, &deploying->connection);
	return status < 0 ? -1 : deploy_wait(context, &deploying->connection, &wait, ret_exit_code, err);
}
