/* See acl_parts.h: the token that servers know without a leader. */
#include "acl_parts.h"

#include <string.h>

#include "consul/deploy.h"
#include "consul/manifest.h"
#include "consul/secret.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* The older name, which all versions know; the newer ones warn of it in their log. */
#define KEY_MASTER "agent_master"

static char *usable(const char *token)
{
	_cleanup_err_ struct err cause = ERR_INIT;

	return token && access_check_token(token, &cause) == 0 ? xstrdup(token) : NULL;
}

char *acl_decode_recovery(const char *text)
{
	_cleanup_secret_ cJSON *json = NULL;
	_cleanup_err_ struct err cause = ERR_INIT;
	char *token;

	if (json_parse(text, strlen(text), &json, &cause) < 0)
		return NULL;
	/* Consul's own order, where a person has put in the newer one. */
	token = usable(json_string_at(json, "acl.tokens.agent_recovery"));
	return token ? token : usable(json_string_at(json, "acl.tokens." KEY_MASTER));
}

char *acl_agent_text(const char *text, const char *recovery)
{
	cJSON *json = cJSON_Parse(text);
	char *changed;

	json_set(cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(json, "acl"), "tokens"), KEY_MASTER,
	         json_string(recovery));
	changed = json_text(json);
	secret_free(json);
	return changed;
}

static int change(struct acl_setup *setup, cJSON **secret, const char *key, const char *text, struct err *err)
{
	const struct secret_change change = { key, text };

	return secret_change(setup->client, secret, &change, 1, false, setup->deadline_ms, err);
}

/*
 * The one that servers start with counts, else the one that is kept, else a new one is made. It is kept before servers
 * get it: a run that is killed between goes on with the same.
 */
static int keep(struct acl_setup *setup, const char *agent, char **kept, struct err *err)
{
	char *served = acl_decode_recovery(agent), *changed = NULL;
	bool is_new = !served;
	int status = 0;

	if (!served)
		served = usable(*kept);
	if (!served)
		status = deploy_token(&served, err);
	if (status == 0 && !str_equal(*kept, served))
		status = change(setup, &setup->secret, MANIFEST_KEY_RECOVERY, served, err);
	if (status == 0 && is_new) {
		changed = acl_agent_text(agent, served);
		status = change(setup, &setup->servers, MANIFEST_AGENT_FILE, changed, err);
	}
	if (status == 0 && is_new)
		progress_tell(&setup->progress,
		              "recovery token made, in secret/%s; each server has it from its next start on",
		              setup->name);
	free_secret(changed);
	free_secret(*kept);
	*kept = served;
	return status;
}

static int read_and_keep(struct acl_setup *setup, struct err *err)
{
	char *agent = NULL, *kept = NULL;
	int status = secret_text(setup->servers, MANIFEST_AGENT_FILE, &agent, err);

	if (status == 0)
		status = secret_text(setup->secret, MANIFEST_KEY_RECOVERY, &kept, err);
	if (status == 0)
		status = keep(setup, agent, &kept, err);
	if (status == 0)
		access_take_recovery(setup->access, TAKE(kept));
	free_secret(agent);
	free_secret(kept);
	return status;
}

int acl_keep_recovery(struct acl_setup *setup, struct err *err)
{
	_cleanup_err_ struct err cause = ERR_INIT;

	if (!setup->secret && acl_read_management(setup, &cause) < 0)
		return cause.kind == ERR_INTERRUPTED ? err_move(err, &cause) : 0;
	if (read_and_keep(setup, &cause) == 0)
		return 0;
	if (cause.kind == ERR_INTERRUPTED)
		return err_move(err, &cause);
	progress_tell(&setup->progress, "the servers get no recovery token: %s", cause.message);
	return 0;
}
