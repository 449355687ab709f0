/* See acl_parts.h: what is said to Consul, and the management token until it is known and kept. */
#include "acl_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "consul/secret.h"
#include "kube/exec.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* How often bootstrapping is reset in one run: the leader may change between the file and the request. */
enum { RESETS_MAX = 3 };
/* How often the new token is written when somebody changes its Secret meanwhile: it must not be lost. */
enum { KEEP_TRIES = 5 };

/* Also again, when somebody has changed it. */
int acl_read_management(struct acl_setup *setup, struct err *err)
{
	secret_free(TAKE(setup->secret));
	return secret_read(setup->client, setup->snapshot->namespace_name, setup->name, setup->deadline_ms,
	                   &setup->secret, err);
}

/* ----------------------------------------------------------------------------------------- Consul */

enum acl_word acl_word_of(struct acl_setup *setup, const struct agent_call *call)
{
	return acl_read(call->http_status, buf_text(&call->answer), &setup->reset_index);
}

/* Of an answer that is none of those that a step can go on with. */
int acl_refused(const struct acl_setup *setup, const struct agent_call *call, enum acl_word word, const char *what,
                struct err *err)
{
	const char *name = setup->leader->name;
	_cleanup_free_ char *words = agent_words(call);

	switch (word) {
	case ACL_WORD_OFF:
		return err_set(err, ERR_UNAVAILABLE, "ACLs are not enabled on %s: it still runs without them", name);
	case ACL_WORD_NOT_YET:
		return err_set(err, ERR_UNAVAILABLE, "Consul on %s cannot %s yet: %s", name, what, words);
	case ACL_WORD_UNKNOWN_TOKEN:
	case ACL_WORD_DENIED:
		err_set(err, ERR_FORBIDDEN, "Consul on %s refuses to %s: %s", name, what, words);
		return err_hint(err, "the ACL token needs acl:write, as the management token has it");
	case ACL_WORD_TOO_OLD:
		return err_set(err, ERR_FAILED, "Consul on %s cannot %s: tokens and policies are from Consul 1.4", name,
		               what);
	case ACL_WORD_FINE:
	case ACL_WORD_TAKEN:
	case ACL_WORD_BOOTSTRAPPED:
	case ACL_WORD_OTHER:
		break;
	}
	return err_set(err, ERR_FAILED, "Consul on %s, told to %s, answers %ld: %s", name, what, call->http_status,
	               words);
}

/* One request with the management token to the leader. Released by the caller. */
int acl_ask(const struct acl_setup *setup, struct agent_call *call, struct err *err)
{
	if (!call->token)
		call->token = setup->management;
	return agent_call(setup->client, setup->leader, setup->access, call, setup->deadline_ms, err);
}

/* "10.244.0.7:8300", as JSON, quotes included. */
static const struct server *server_at(const struct snapshot *snapshot, const char *quoted)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *server = &snapshot->servers[i];
		_cleanup_free_ char *plain = NULL, *bracketed = NULL;

		if (!server->has_pod || !server->pod.ip)
			continue;
		plain = xasprintf("\"%s:", server->pod.ip);
		bracketed = xasprintf("\"[%s]:", server->pod.ip);
		if (str_starts_with(quoted, plain) || str_starts_with(quoted, bracketed))
			return server;
	}
	return NULL;
}

/* Whom server takes for the leader; NULL: nobody that has a pod here. The question needs no token. */
static int ask_leader(struct acl_setup *setup, const struct server *server, const struct server **ret_leader,
                      struct err *err)
{
	struct agent_call call = AGENT_CALL_INIT;
	int status;

	call.method = KUBE_GET;
	call.path = "/v1/status/leader";
	call.token = "";
	status = agent_call(setup->client, server, setup->access, &call, setup->deadline_ms, err);
	if (status == 0)
		*ret_leader = call.http_status == 200 ? server_at(setup->snapshot, buf_text(&call.answer)) : NULL;
	agent_call_release(&call);
	return status;
}

/* Everything is said to the leader itself: bootstrapping is reset by a file there. */
int acl_find_leader(struct acl_setup *setup, struct err *err)
{
	const struct snapshot *snapshot = setup->snapshot;
	_cleanup_err_ struct err cause = ERR_INIT;

	setup->leader = NULL;
	for (size_t i = 0; i < snapshot->server_count && !setup->leader; i++) {
		if (!snapshot->servers[i].has_pod || !snapshot->servers[i].container)
			continue;
		err_release(&cause);
		if (ask_leader(setup, &snapshot->servers[i], &setup->leader, &cause) == 0)
			continue;
		if (cause.kind == ERR_INTERRUPTED || cause.kind == ERR_FORBIDDEN || cause.kind == ERR_TIMEOUT)
			return err_move(err, &cause);
	}
	if (setup->leader)
		return 0;
	err_set(err, ERR_UNAVAILABLE, "ACLs cannot be set up: %s",
	        err_is_set(&cause) ? cause.message : "the servers have no leader yet");
	return -1;
}

/* ------------------------------------------------------------------------------------------- steps */

int acl_ask_management(struct acl_setup *setup, struct err *err)
{
	struct agent_call call = AGENT_CALL_INIT;
	enum acl_word word;
	int status;

	call.method = KUBE_GET;
	call.path = "/v1/acl/token/self";
	status = acl_ask(setup, &call, err);
	if (status == 0) {
		word = acl_word_of(setup, &call);
		if (word == ACL_WORD_FINE || word == ACL_WORD_UNKNOWN_TOKEN)
			setup->state.management = word == ACL_WORD_FINE ? ACL_YES : ACL_NO;
		else
			status = acl_refused(setup, &call, word, "read the management token", err);
	}
	agent_call_release(&call);
	return status;
}

static char *bootstrap_body(const struct acl_setup *setup)
{
	cJSON *json;
	char *text;

	if (!setup->management)
		return NULL;
	json = json_object("BootstrapSecret", json_string(setup->management), NULL);
	text = json_text(json);
	secret_free(json);
	return text;
}

static int take_bootstrap(struct acl_setup *setup, const struct agent_call *call, struct err *err)
{
	char *token = NULL;

	if (acl_decode_bootstrap(buf_text(&call->answer), call->answer.len, &token, err) < 0)
		return err_wrap(err, "Consul on %s", setup->leader->name);
	setup->state.unkept = !str_equal(token, setup->management);
	setup->state.management = ACL_YES;
	free_secret(setup->management);
	setup->management = token;
	return 0;
}

/* A Consul before 1.11 does not look at the body, and chooses the token itself: that must be written then. */
int acl_bootstrap(struct acl_setup *setup, struct err *err)
{
	const struct secret_change same = { ACL_KEY_TOKEN, setup->management ? setup->management : "" };
	struct agent_call call = AGENT_CALL_INIT;
	char *body;
	enum acl_word word;
	int status;

	/* What cannot be written would be lost. */
	if (secret_change(setup->client, &setup->secret, &same, 1, true, setup->deadline_ms, err) < 0)
		return -1;
	body = bootstrap_body(setup);
	call.method = KUBE_PUT;
	call.path = "/v1/acl/bootstrap";
	call.body = body;
	call.token = "";
	status = acl_ask(setup, &call, err);
	if (status == 0) {
		word = acl_word_of(setup, &call);
		setup->state.bootstrapped = word == ACL_WORD_BOOTSTRAPPED;
		if (word == ACL_WORD_FINE)
			status = take_bootstrap(setup, &call, err);
		else if (word != ACL_WORD_BOOTSTRAPPED)
			status = acl_refused(setup, &call, word, "bootstrap ACLs", err);
	}
	agent_call_release(&call);
	free_secret(body);
	return status;
}

static int write_reset_file(const struct acl_setup *setup, struct err *err)
{
	_cleanup_free_ char *index = xasprintf("%" PRId64, setup->reset_index);
	const char *const argv[] = { "/bin/sh", "-c",  "printf %s \"$1\" >/consul/data/acl-bootstrap-reset",
		                     "sh",      index, NULL };
	struct kube_exec exec = KUBE_EXEC_INIT;
	int status;

	assert(setup->leader);
	exec.namespace_name = setup->leader->pod.namespace_name;
	exec.pod = setup->leader->pod.name;
	exec.container = setup->leader->container->name;
	exec.argv = argv;
	status = kube_exec_perform(setup->client, &exec, 1, setup->deadline_ms, err);
	if (status == 0)
		status = err_move(err, &exec.err);
	if (status == 0 && exec.exit_code != 0) {
		_cleanup_free_ char *words = str_visible(buf_text(&exec.error_output), 300);

		status = err_set(err, ERR_FAILED, "exit code %d: %s", exec.exit_code, words);
	}
	kube_exec_release(&exec);
	return status;
}

int acl_reset(struct acl_setup *setup, struct err *err)
{
	if (setup->resets == RESETS_MAX)
		return err_set(err, ERR_UNAVAILABLE,
		               "bootstrapping of ACLs was reset %d times, in vain: the leader changes", RESETS_MAX);
	if (setup->resets++ > 0 && acl_find_leader(setup, err) < 0)
		return -1;
	if (write_reset_file(setup, err) < 0) {
		if (err->kind == ERR_FORBIDDEN)
			err_hint(err,
			         "a Role must allow \"create\" and \"get\" on \"pods/exec\"; check: kubectl auth can-i "
			         "create pods --subresource=exec -n %s",
			         setup->snapshot->namespace_name);
		return err_wrap(err, "cannot reset the bootstrapping of ACLs in pod %s", setup->leader->name);
	}
	progress_tell(&setup->progress, "bootstrapping of ACLs reset on the leader %s: its token was lost",
	              setup->leader->name);
	setup->state.bootstrapped = false;
	return 0;
}

int acl_keep(struct acl_setup *setup, struct err *err)
{
	const struct secret_change change = { ACL_KEY_TOKEN, setup->management };
	_cleanup_free_ char *command = progress_command(setup->snapshot, "deploy --reset-acls");
	struct err cause = ERR_INIT;
	int status = -1;

	for (int tries = 0; status < 0 && tries < KEEP_TRIES; tries++) {
		err_release(&cause);
		status = secret_change(setup->client, &setup->secret, &change, 1, false, setup->deadline_ms, &cause);
		if (status < 0 && (cause.kind != ERR_CONFLICT || acl_read_management(setup, err) < 0))
			break;
	}
	if (err_is_set(err))
		err_release(&cause);
	if (status < 0) {
		err_move(err, &cause);
		err_hint(
		    err,
		    "Consul has given out its management token, and it could not be kept; this makes another one: %s",
		    command);
		return -1;
	}
	setup->state.unkept = false;
	return 0;
}
