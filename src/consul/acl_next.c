/* See acl_parts.h: what Secrets and Consul say, and what is to be done then. */
#include "acl_parts.h"

#include <stdlib.h>
#include <string.h>

#include "consul/access.h"
#include "consul/secret.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define RESET_INDEX  "reset index: "
#define PROBE_HEADER "X-Consul-Token:"

static const struct {
	const char *name;
	const char *description;
	const char *rules;
} rows[ACL_TOKENS] = {
	[ACL_PROBE] = {
	    .name = "kubectl-consul-probe",
	    .description = "readiness probe of the servers, made by kubectl-consul",
	    .rules = "operator = \"read\"",
	},
	[ACL_AGENT] = {
	    .name = "kubectl-consul-agent",
	    .description = "the servers themselves, made by kubectl-consul",
	    .rules = "node_prefix \"\" { policy = \"write\" }\nservice_prefix \"\" { policy = \"read\" }",
	},
};

/* -------------------------------------------------------------------------------- what Consul says */

/* "…(specified 5, reset index: 11)" -> 11; -1: there is none. */
static int64_t reset_index_in(const char *text)
{
	const char *at = strstr(text, RESET_INDEX);
	_cleanup_free_ char *digits = NULL;
	int64_t index;

	if (!at)
		return -1;
	at += strlen(RESET_INDEX);
	digits = xstrndup(at, strspn(at, "0123456789"));
	return str_to_int64(digits, &index) == 0 ? index : -1;
}

static enum acl_word read_refusal(long http_status, const char *text)
{
	if (strstr(text, "ACL support disabled"))
		return ACL_WORD_OFF;
	if (strstr(text, "legacy mode") || strstr(text, "No cluster leader") || http_status == 429 ||
	    http_status == 503)
		return ACL_WORD_NOT_YET;
	if (strstr(text, "already in use") || strstr(text, "already exists"))
		return ACL_WORD_TAKEN;
	if (strstr(text, "ACL not found"))
		return ACL_WORD_UNKNOWN_TOKEN;
	if (http_status == 403)
		return ACL_WORD_DENIED;
	return http_status == 404 ? ACL_WORD_TOO_OLD : ACL_WORD_OTHER;
}

/* By the words where the status says too little: 500 is anything. As 1.8.7 to 1.21 have them. */
enum acl_word acl_read(long http_status, const char *text, int64_t *ret_reset_index)
{
	int64_t index;

	if (http_status == 200)
		return ACL_WORD_FINE;
	index = reset_index_in(text);
	if (index >= 0) {
		*ret_reset_index = index;
		return ACL_WORD_BOOTSTRAPPED;
	}
	return read_refusal(http_status, text);
}

int acl_decode_bootstrap(const char *text, size_t length, char **ret_token, struct err *err)
{
	_cleanup_secret_ cJSON *json = NULL;
	_cleanup_err_ struct err cause = ERR_INIT;
	const char *token;

	/* What is wrong with it is not told in detail: no part of it is shown. */
	if (json_parse(text, length, &json, &cause) < 0)
		return err_set(err, ERR_PROTOCOL, "the answer to bootstrapping is no JSON");
	token = json_string_at(json, "SecretID");
	if (!token || access_check_token(token, &cause) < 0)
		return err_set(err, ERR_PROTOCOL, "the answer to bootstrapping has no token");
	*ret_token = xstrdup(token);
	return 0;
}

/* --------------------------------------------------------------------- the tokens that servers need */

const char *acl_policy_name(int which)
{
	return rows[which].name;
}

int acl_decode_policies(const char *text, size_t length, bool has[ACL_TOKENS], struct err *err)
{
	_cleanup_json_ cJSON *list = NULL;
	const cJSON *item;

	if (json_parse(text, length, &list, err) < 0)
		return err_wrap(err, "the list of ACL policies");
	if (!cJSON_IsArray(list))
		return err_set(err, ERR_PROTOCOL, "the list of ACL policies is no list");
	cJSON_ArrayForEach (item, list)
		for (int i = 0; i < ACL_TOKENS; i++)
			if (str_equal(json_string_at(item, "Name"), rows[i].name))
				has[i] = true;
	return 0;
}

static char *text_of(cJSON *json)
{
	char *text = json_text(json);

	secret_free(json);
	return text;
}

char *acl_policy_body(int which)
{
	return text_of(json_object("Name", json_string(rows[which].name), "Description",
	                           json_string(rows[which].description), "Rules", json_string(rows[which].rules),
	                           NULL));
}

char *acl_token_body(int which, const char *secret)
{
	return text_of(json_object("SecretID", json_string(secret), "Description", json_string(rows[which].description),
	                           "Policies", json_array(json_object("Name", json_string(rows[which].name), NULL)),
	                           NULL));
}

static int take_token(const char *token, const char *key, char **ret_token, struct err *err)
{
	_cleanup_err_ struct err cause = ERR_INIT;

	if (!token || access_check_token(token, &cause) < 0)
		return err_set(err, ERR_INVALID, "its key \"%s\" has no token", key);
	*ret_token = xstrdup(token);
	return 0;
}

int acl_decode_agent(const char *text, char **ret_token, struct err *err)
{
	_cleanup_secret_ cJSON *json = NULL;
	_cleanup_err_ struct err cause = ERR_INIT;

	if (json_parse(text, strlen(text), &json, &cause) < 0)
		return err_set(err, ERR_INVALID, "its key \"agent.json\" is no JSON");
	return take_token(json_string_at(json, "acl.tokens.agent"), "agent.json", ret_token, err);
}

int acl_decode_probe(const char *text, char **ret_token, struct err *err)
{
	char *token;
	int status;

	if (!str_starts_with(text, PROBE_HEADER))
		return take_token(NULL, "probe", ret_token, err);
	text += strlen(PROBE_HEADER);
	text += strspn(text, " ");
	token = xstrndup(text, strcspn(text, "\r\n"));
	status = take_token(token, "probe", ret_token, err);
	free_secret(token);
	return status;
}

/* -------------------------------------------------------------------------------------- what is next */

static struct acl_step step(enum acl_step_kind kind, int which)
{
	return (struct acl_step){ kind, which };
}

/* Until there is a management token that Consul knows. */
static struct acl_step next_management(const struct acl_state *state)
{
	if (state->missing)
		return step(ACL_STEP_MISSING, 0);
	if (state->management == ACL_NOT_ASKED)
		return step(ACL_STEP_ASK_MANAGEMENT, 0);
	if (state->given)
		return step(ACL_STEP_NOT_GIVEN, 0);
	if (!state->bootstrapped)
		return step(ACL_STEP_BOOTSTRAP, 0);
	return step(state->may_reset ? ACL_STEP_RESET : ACL_STEP_LOST, 0);
}

/*
 * The first that was not asked for, ACL_TOKENS when all are known, -1 when one is not. A token is made after everything
 * else: servers whose tokens are known lack nothing, and whoever deploys need not have a management token at all.
 */
static int next_to_ask(const struct acl_state *state)
{
	for (int i = 0; i < ACL_TOKENS; i++)
		if (state->token[i] != ACL_YES)
			return state->token[i] == ACL_NO ? -1 : i;
	return ACL_TOKENS;
}

struct acl_step acl_next(const struct acl_state *state)
{
	int ask = state->may_reset ? -1 : next_to_ask(state);

	if (ask >= 0)
		return ask == ACL_TOKENS ? step(ACL_STEP_DONE, 0) : step(ACL_STEP_ASK_TOKEN, ask);
	if (state->management != ACL_YES)
		return next_management(state);
	if (state->unkept)
		return step(ACL_STEP_KEEP, 0);
	if (!state->policies_asked)
		return step(ACL_STEP_ASK_POLICIES, 0);
	for (int i = 0; i < ACL_TOKENS; i++)
		if (!state->policy[i])
			return step(ACL_STEP_ADD_POLICY, i);
	for (int i = 0; i < ACL_TOKENS; i++)
		if (state->token[i] != ACL_YES)
			return step(state->token[i] == ACL_NO ? ACL_STEP_ADD_TOKEN : ACL_STEP_ASK_TOKEN, i);
	return step(ACL_STEP_DONE, 0);
}
