/* See include/consul/acl.h: doing what is missing. What that is, is in acl_next.c. */
#include "acl_parts.h"

#include <stdlib.h>
#include <string.h>

#include "consul/manifest.h"
#include "consul/secret.h"
#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

static void setup_release(struct acl_setup *setup)
{
	for (int i = 0; i < ACL_TOKENS; i++)
		free_secret(setup->tokens[i]);
	free_secret(setup->management);
	secret_free(setup->servers);
	secret_free(setup->secret);
	err_release(&setup->missing);
	free(setup->name);
}

/* ---------------------------------------------------------------------------------------- Secrets */

static int take_server_tokens(struct acl_setup *setup, const cJSON *secret, struct err *err)
{
	char *agent = NULL, *probe = NULL;
	int status = secret_text(secret, MANIFEST_AGENT_FILE, &agent, err);

	if (status == 0)
		status = secret_text(secret, MANIFEST_KEY_PROBE, &probe, err);
	if (status == 0)
		status = acl_decode_agent(agent ? agent : "", &setup->tokens[ACL_AGENT], err);
	if (status == 0)
		status = acl_decode_probe(probe ? probe : "", &setup->tokens[ACL_PROBE], err);
	free_secret(agent);
	free_secret(probe);
	return status;
}

static int read_server_tokens(struct acl_setup *setup, struct err *err)
{
	_cleanup_free_ char *name = xasprintf("%s-acl", setup->snapshot->set.name);

	if (secret_read(setup->client, setup->snapshot->namespace_name, name, setup->deadline_ms, &setup->servers,
	                err) < 0) {
		_cleanup_free_ char *command = progress_command(setup->snapshot, "deploy");

		return err->kind == ERR_NOT_FOUND ? err_hint(err, "`%s` makes it again", command) : -1;
	}
	if (take_server_tokens(setup, setup->servers, err) < 0)
		return err_wrap(err, "secret/%s", name);
	return 0;
}

/* Whether that is an obstacle is seen when it is needed. */
static int note_missing(struct acl_setup *setup, struct err *err)
{
	if (err->kind != ERR_NOT_FOUND && err->kind != ERR_FORBIDDEN)
		return -1;
	err_move(&setup->missing, err);
	setup->state.missing = true;
	return 0;
}

static int read_management(struct acl_setup *setup, struct err *err)
{
	if (setup->access->given) {
		setup->state.given = true;
		setup->management = xstrdup(setup->access->given);
		return 0;
	}
	if (acl_read_management(setup, err) < 0)
		return note_missing(setup, err);
	if (secret_text(setup->secret, ACL_KEY_TOKEN, &setup->management, err) < 0)
		return -1;
	if (setup->management && access_check_token(setup->management, err) < 0)
		return err_wrap(err, "secret/%s", setup->name);
	if (!setup->management)
		setup->state.management = ACL_NO;
	return 0;
}

/* ------------------------------------------------------------------------------------------- steps */

static int ask_policies(struct acl_setup *setup, struct err *err)
{
	struct agent_call call = AGENT_CALL_INIT;
	enum acl_word word;
	int status;

	call.method = KUBE_GET;
	call.path = "/v1/acl/policies";
	status = acl_ask(setup, &call, err);
	if (status == 0) {
		word = acl_word_of(setup, &call);
		if (word != ACL_WORD_FINE)
			status = acl_refused(setup, &call, word, "list ACL policies", err);
		else
			status = acl_decode_policies(buf_text(&call.answer), call.answer.len, setup->state.policy, err);
		setup->state.policies_asked = status == 0;
	}
	agent_call_release(&call);
	return status;
}

/* TAKEN: somebody else was faster. */
static int put(struct acl_setup *setup, const char *path, const char *body, const char *what, struct err *err)
{
	struct agent_call call = AGENT_CALL_INIT;
	enum acl_word word;
	int status;

	call.method = KUBE_PUT;
	call.path = path;
	call.body = body;
	status = acl_ask(setup, &call, err);
	if (status == 0) {
		word = acl_word_of(setup, &call);
		if (word != ACL_WORD_FINE && word != ACL_WORD_TAKEN)
			status = acl_refused(setup, &call, word, what, err);
	}
	agent_call_release(&call);
	return status;
}

static int add_policy(struct acl_setup *setup, int which, struct err *err)
{
	_cleanup_free_ char *body = acl_policy_body(which);

	if (put(setup, "/v1/acl/policy", body, "make an ACL policy", err) < 0)
		return -1;
	setup->state.policy[which] = true;
	progress_tell(&setup->progress, "ACL policy %s made", acl_policy_name(which));
	return 0;
}

static int ask_token(struct acl_setup *setup, int which, struct err *err)
{
	struct agent_call call = AGENT_CALL_INIT;
	enum acl_word word;
	int status;

	call.method = KUBE_GET;
	call.path = "/v1/acl/token/self";
	call.token = setup->tokens[which];
	status = acl_ask(setup, &call, err);
	if (status == 0) {
		word = acl_word_of(setup, &call);
		if (word == ACL_WORD_FINE || word == ACL_WORD_UNKNOWN_TOKEN)
			setup->state.token[which] = word == ACL_WORD_FINE ? ACL_YES : ACL_NO;
		else
			status = acl_refused(setup, &call, word, "read an ACL token", err);
	}
	agent_call_release(&call);
	return status;
}

static int add_token(struct acl_setup *setup, int which, struct err *err)
{
	char *body = acl_token_body(which, setup->tokens[which]);
	int status = put(setup, "/v1/acl/token", body, "make an ACL token", err);

	free_secret(body);
	if (status < 0)
		return -1;
	setup->state.token[which] = ACL_YES;
	progress_tell(&setup->progress, "ACL token made, with policy %s", acl_policy_name(which));
	return 0;
}

/* --------------------------------------------------------------------------------------------- all */

static int lost(const struct acl_setup *setup, struct err *err)
{
	_cleanup_free_ char *command = progress_command(setup->snapshot, "deploy --reset-acls");

	err_set(err, ERR_REFUSED, "ACLs are bootstrapped already, and Consul does not know the token in secret/%s",
	        setup->name);
	return err_hint(err,
	                "if you have a management token, give it by --token-file, or put it into that Secret under "
	                "the key \"" ACL_KEY_TOKEN
	                "\"; if it is lost: %s resets bootstrapping by a file on the leader, and "
	                "makes a new management token (the other tokens and policies stay)",
	                command);
}

/* The Secret was put away, or never made; and the servers' tokens are still to be made. */
static int missing(struct acl_setup *setup, struct err *err)
{
	_cleanup_free_ char *command = progress_command(setup->snapshot, "deploy --reset-acls");
	bool is_gone = setup->missing.kind == ERR_NOT_FOUND;

	err_move(err, &setup->missing);
	err_wrap(err, "Consul does not know the servers' own tokens, and making them takes a management token");
	if (!is_gone)
		return -1;
	return err_hint(err, "give yours by --token-file; if it is lost: %s makes a new one", command);
}

static int do_step(struct acl_setup *setup, struct acl_step step, struct err *err)
{
	switch (step.kind) {
	case ACL_STEP_ASK_MANAGEMENT:
		return acl_ask_management(setup, err);
	case ACL_STEP_BOOTSTRAP:
		if (acl_bootstrap(setup, err) < 0)
			return -1;
		if (setup->state.management == ACL_YES && !setup->state.unkept)
			progress_tell(&setup->progress, "ACLs bootstrapped; the management token is in secret/%s",
			              setup->name);
		return 0;
	case ACL_STEP_RESET:
		return acl_reset(setup, err);
	case ACL_STEP_KEEP:
		if (acl_keep(setup, err) < 0)
			return -1;
		progress_tell(&setup->progress, "ACLs bootstrapped; the management token is in secret/%s", setup->name);
		return 0;
	case ACL_STEP_ASK_POLICIES:
		return ask_policies(setup, err);
	case ACL_STEP_ADD_POLICY:
		return add_policy(setup, step.which, err);
	case ACL_STEP_ASK_TOKEN:
		return ask_token(setup, step.which, err);
	case ACL_STEP_ADD_TOKEN:
		return add_token(setup, step.which, err);
	case ACL_STEP_MISSING:
		return missing(setup, err);
	case ACL_STEP_LOST:
		return lost(setup, err);
	case ACL_STEP_NOT_GIVEN:
		return err_set(err, ERR_FORBIDDEN, "Consul on %s does not know the ACL token that was given",
		               setup->leader->name);
	case ACL_STEP_DONE:
		break;
	}
	return 0;
}

int acl_setup(struct kube_client *client, const struct snapshot *snapshot, struct access *access, bool reset,
              acl_tell *tell, void *tell_context, int64_t deadline_ms, struct err *err)
{
	struct acl_setup setup = { .client = client,
		                   .snapshot = snapshot,
		                   .access = access,
		                   .progress = { .tell = tell, .context = tell_context },
		                   .deadline_ms = deadline_ms,
		                   .state = { .may_reset = reset } };
	struct acl_step step;
	int status;

	setup.name = xasprintf("%s-acl-bootstrap", snapshot->set.name);
	status = read_server_tokens(&setup, err);
	if (status == 0)
		status = read_management(&setup, err);
	if (status == 0)
		status = acl_find_leader(&setup, err);
	while (status == 0 && (step = acl_next(&setup.state)).kind != ACL_STEP_DONE)
		status = do_step(&setup, step, err);
	if (status == 0)
		status = acl_keep_recovery(&setup, err);
	if (status == 0 && !access->given && setup.management)
		access_take(access, TAKE(setup.management));
	setup_release(&setup);
	return status;
}
