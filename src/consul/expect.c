/* See include/consul/expect.h. */
#include "consul/expect.h"

#include <stdlib.h>

#include "consul/discover.h"
#include "consul/manifest.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define FLAG_EXPECT "bootstrap-expect"
#define FLAG_ALONE  "bootstrap"
#define KEY_EXPECT  "bootstrap_expect"
#define KEY_ALONE   "bootstrap"

/* What stands between the words of a script. Not the parentheses: Kubernetes' own $(NAME) has them. */
#define BETWEEN_WORDS " \t\r\n\\;&|"
#define QUOTES        "\"'"

void expect_release(struct expect_state *state)
{
	free(state->resource_version);
	cJSON_Delete(state->config);
	err_release(&state->err);
	*state = (struct expect_state){ 0 };
}

/* ----------------------------------------------------------------------------------- configuration */

/* 0: it does not tell. */
static int64_t number_in(const cJSON *config)
{
	int64_t number = json_int_at(config, KEY_EXPECT, 0);

	if (number > 0)
		return number;
	return json_bool_at(config, KEY_ALONE, false) ? 1 : 0;
}

int expect_config(const cJSON *config_map, cJSON **ret_config, struct err *err)
{
	const cJSON *text = json_get(json_get(config_map, "data"), MANIFEST_SERVER_FILE);

	if (!cJSON_IsString(text))
		return 0;
	return json_parse(text->valuestring, strlen(text->valuestring), ret_config, err);
}

/* False: it does not tell. err is set if it cannot be read. */
static bool read_config_map(const cJSON *config_map, struct expect_state *state)
{
	_cleanup_json_ cJSON *config = NULL;

	if (expect_config(config_map, &config, &state->err) < 0)
		return false;
	state->expect = number_in(config);
	if (state->expect == 0)
		return false;
	state->resource_version = xstrdup_null(json_string_at(config_map, "metadata.resourceVersion"));
	state->can_change = state->resource_version && manifest_is_ours(config_map);
	state->config = TAKE(config);
	return true;
}

char *expect_apply(const struct snapshot *seen, int64_t expect)
{
	const struct expect_state *state = &seen->expect;
	struct manifest_settings settings = { .namespace_name = seen->namespace_name, .name = seen->set.name };
	cJSON *metadata = manifest_metadata(&settings, "-server");
	_cleanup_json_ cJSON *config = cJSON_Duplicate(state->config, true), *object = NULL;
	_cleanup_free_ char *text = NULL;

	/* In its place, so that the text is the one that deploy renders. */
	if (json_get(config, KEY_EXPECT))
		cJSON_ReplaceItemInObjectCaseSensitive(config, KEY_EXPECT, json_int(expect));
	else
		json_set(config, KEY_EXPECT, json_int(expect));
	json_set(config, KEY_ALONE, NULL);
	json_set(metadata, "resourceVersion", json_string(state->resource_version));
	text = json_text_pretty(config);
	object = json_object("apiVersion", json_string("v1"), "kind", json_string("ConfigMap"), "metadata", metadata,
	                     "data", json_object(MANIFEST_SERVER_FILE, json_string(text), NULL), NULL);
	return json_text(object);
}

/* -------------------------------------------------------------------------------------- container */

/* A word without its quotes. */
static char *bare_word(const char *text, size_t length)
{
	char *word = xstrndup(text, length);
	size_t kept = 0;

	for (const char *at = word; *at; at++)
		if (!strchr(QUOTES, *at))
			word[kept++] = *at;
	word[kept] = '\0';
	return word;
}

static void split_words(const char *text, struct strv *words)
{
	for (;;) {
		size_t length;

		text += strspn(text, BETWEEN_WORDS);
		if (!*text)
			return;
		if (*text == '#') {
			text += strcspn(text, "\n");
			continue;
		}
		length = strcspn(text, BETWEEN_WORDS);
		strv_take(words, bare_word(text, length));
		text += length;
	}
}

/* "3", or a variable that is 3: $(NAME), ${NAME}, $NAME. 0: neither. */
static int64_t value_of(const struct kube_container *container, const char *text)
{
	int64_t number = 0;

	if (text && *text == '$') {
		const char *name = text + 1 + strspn(text + 1, "({");
		_cleanup_free_ char *bare = xstrndup(name, strcspn(name, ")}"));

		text = kube_container_env(container, bare);
	}
	return str_to_int64(text, &number) == 0 && number > 0 ? number : 0;
}

/* What one word says, with the one after it (NULL: the last). 0: it is about something else; -1: nobody knows. */
static int64_t number_of_word(const struct kube_container *container, const char *word, const char *next)
{
	const char *name = word + strspn(word, "-"), *equals = strchr(name, '=');
	_cleanup_free_ char *bare = xstrndup(name, equals ? (size_t)(equals - name) : strlen(name));
	int64_t number = 0;

	if (*word != '-')
		return 0;
	if (str_equal(bare, FLAG_EXPECT))
		number = value_of(container, equals ? equals + 1 : next);
	else if (str_equal(bare, FLAG_ALONE))
		return !equals || str_equal_nocase(equals + 1, "true") || str_equal(equals + 1, "1");
	else
		return 0;
	return number > 0 ? number : -1;
}

/* 0: it does not tell; -1: it does, but what is not to be seen from here. */
static int64_t number_in_command(const struct kube_container *container)
{
	_cleanup_strv_ struct strv words = STRV_INIT;
	int64_t found = 0;

	for (size_t i = 0; i < container->command.count; i++)
		split_words(container->command.items[i], &words);
	for (size_t i = 0; i < container->args.count; i++)
		split_words(container->args.items[i], &words);
	for (size_t i = 0; i < words.count; i++) {
		int64_t number = number_of_word(container, words.items[i], words.items[i + 1]);

		if (number == 0)
			continue;
		if (number < 0 || (found > 0 && number != found))
			return -1;
		found = number;
	}
	return found;
}

static int64_t number_in_environment(const struct kube_container *container)
{
	const char *text = kube_container_env(container, "CONSUL_LOCAL_CONFIG");
	_cleanup_json_ cJSON *config = NULL;
	_cleanup_err_ struct err unreadable = ERR_INIT;

	/* It may be HCL. */
	if (!text || json_parse(text, strlen(text), &config, &unreadable) < 0)
		return 0;
	return number_in(config);
}

static bool read_container(const struct kube_statefulset *set, struct expect_state *state)
{
	const struct kube_pod template = { .containers = set->containers, .container_count = set->container_count };
	const struct kube_container *container = set->container_count ? discover_container(&template) : NULL;
	int64_t number;

	if (!container)
		return false;
	number = number_in_command(container);
	if (number == 0)
		number = number_in_environment(container);
	if (number > 0)
		state->expect = number;
	return number > 0;
}

/* ------------------------------------------------------------------------------------ what is there */

static bool read_tags(const struct server *leader, struct expect_state *state)
{
	for (size_t i = 0; leader && i < leader->view.member_count; i++) {
		const struct member *member = &leader->view.members[i];

		if (member->is_server && member->status == MEMBER_ALIVE && member->expect == 1) {
			state->expect = 1;
			return true;
		}
	}
	return false;
}

/* A cluster that deploy made: true when the search ends here, whatever came of it. */
static bool read_ours(const struct kube_call *config_map, struct expect_state *state)
{
	if (err_is_set(&config_map->err)) {
		if (config_map->err.kind == ERR_NOT_FOUND)
			return false;
		err_copy(&state->err, &config_map->err);
		return config_map->err.kind != ERR_FORBIDDEN;
	}
	state->known = read_config_map(config_map->json, state);
	return state->known || err_is_set(&state->err);
}

void expect_read(const struct snapshot *snapshot, const struct kube_call *config_map, const struct server *leader,
                 struct expect_state *ret_state)
{
	if (str_equal(snapshot->set.managed_by, MANIFEST_MANAGED_BY) && read_ours(config_map, ret_state))
		return;
	ret_state->known = read_container(&snapshot->set, ret_state) || read_tags(leader, ret_state);
}
