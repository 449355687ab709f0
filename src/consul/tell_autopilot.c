/* See include/consul/tell.h and tell_way.h: autopilot's settings, read and changed; and answers to orders. */
#include <string.h>

#include "consul/tell_way.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define NO_SETTINGS "the answer is no autopilot configuration: it has no CleanupDeadServers"

/* -------------------------------------------------------------------------------------------- reading */

static int read_json(const cJSON *json, struct autopilot_state *ret, struct err *err)
{
	const cJSON *cleans_up = json_get(json, "CleanupDeadServers"), *min_quorum = json_get(json, "MinQuorum");
	int64_t number = json_int_at(json, "MinQuorum", -1);

	if (!cJSON_IsBool(cleans_up))
		return err_set(err, ERR_INVALID, NO_SETTINGS);
	if (min_quorum && number < 0)
		return err_set(err, ERR_INVALID, "MinQuorum is no number");
	ret->cleans_up = cJSON_IsTrue(cleans_up);
	ret->has_min_quorum = min_quorum != NULL;
	ret->min_quorum = min_quorum ? number : 0;
	ret->known = true;
	return 0;
}

int tell_decode_autopilot_json(const char *text, size_t length, struct autopilot_state *ret, struct err *err)
{
	_cleanup_json_ cJSON *json = NULL;

	if (json_parse(text, length, &json, err) < 0)
		return -1;
	return read_json(json, ret, err);
}

/* What the lines of get-config told so far. */
struct settings {
	bool has_cleans_up, cleans_up;
	bool has_min_quorum;
	int64_t min_quorum;
};

/* "CleanupDeadServers = true"; everything else is noise. */
static int read_line(char *line, struct settings *settings, struct err *err)
{
	char *equals = strstr(line, " = ");
	const char *value;

	if (!equals)
		return 0;
	*equals = '\0';
	value = equals + strlen(" = ");
	if (str_equal(line, "CleanupDeadServers")) {
		if (!str_equal(value, "true") && !str_equal(value, "false"))
			return err_set(err, ERR_INVALID, "CleanupDeadServers is neither true nor false");
		settings->has_cleans_up = true;
		settings->cleans_up = str_equal(value, "true");
	} else if (str_equal(line, "MinQuorum")) {
		if (str_to_int64(value, &settings->min_quorum) < 0 || settings->min_quorum < 0)
			return err_set(err, ERR_INVALID, "MinQuorum is no number");
		settings->has_min_quorum = true;
	}
	return 0;
}

int tell_decode_autopilot_text(const char *text, size_t length, struct autopilot_state *ret, struct err *err)
{
	_cleanup_free_ char *copy = xstrndup(text, length);
	struct settings settings = { 0 };
	char *line, *state = NULL;

	for (line = strtok_r(copy, "\r\n", &state); line; line = strtok_r(NULL, "\r\n", &state))
		if (read_line(line, &settings, err) < 0)
			return -1;
	if (!settings.has_cleans_up)
		return err_set(err, ERR_INVALID, NO_SETTINGS);
	ret->cleans_up = settings.cleans_up;
	ret->has_min_quorum = settings.has_min_quorum;
	ret->min_quorum = settings.has_min_quorum ? settings.min_quorum : 0;
	ret->known = true;
	return 0;
}

/* ------------------------------------------------------------------------------------------- changing */

int tell_edit_min_quorum(const char *text, size_t length, const char *argument, char **ret_body, int64_t *ret_index,
                         struct err *err)
{
	_cleanup_json_ cJSON *json = NULL;
	struct autopilot_state now = { 0 };
	int64_t index, wanted;

	if (str_to_int64(argument, &wanted) < 0)
		return err_set(err, ERR_INVALID, "\"%s\" is no number", argument);
	if (json_parse(text, length, &json, err) < 0 || read_json(json, &now, err) < 0)
		return -1;
	if (!now.has_min_quorum)
		return err_set(err, ERR_NOT_FOUND, "there is no MinQuorum in the autopilot configuration");
	index = json_int_at(json, "ModifyIndex", -1);
	if (index < 0)
		return err_set(err, ERR_INVALID, "the autopilot configuration has no ModifyIndex");
	while (json_get(json, "MinQuorum")) /* a second one would count as much */
		json_set(json, "MinQuorum", NULL);
	json_set(json, "MinQuorum", json_int(wanted));
	*ret_index = index;
	*ret_body = wanted == now.min_quorum ? NULL : json_text(json);
	return 0;
}

/* -------------------------------------------------------------------------------------------- answers */

/* The order went through; an answer that is no JSON leaves open what came of it. */
static int parse_answer(const char *text, size_t length, cJSON **ret_json, struct err *err)
{
	if (json_parse(text, length, ret_json, err) == 0)
		return 0;
	err->kind = ERR_PROTOCOL;
	return -1;
}

int tell_check_changed(const char *text, size_t length, struct err *err)
{
	_cleanup_json_ cJSON *json = NULL;

	if (parse_answer(text, length, &json, err) < 0)
		return -1;
	if (cJSON_IsTrue(json))
		return 0;
	if (cJSON_IsFalse(json))
		return err_set(err, ERR_CONFLICT, "somebody else changed the settings at the same time");
	return err_set(err, ERR_PROTOCOL, "the answer to a change is neither true nor false");
}

int tell_check_transferred(const char *text, size_t length, struct err *err)
{
	_cleanup_json_ cJSON *json = NULL;

	if (parse_answer(text, length, &json, err) < 0)
		return -1;
	if (!json_bool_at(json, "Success", false))
		return err_set(err, ERR_FAILED, "the leader does not say that it succeeded");
	return 0;
}
