/* See include/util/option.h. */
#include "util/option.h"

#include <assert.h>

#include "util/clock.h"

/* Where parsing is. */
struct parser {
	const struct option_set *sets;
	size_t set_count;
	char *const *next; /* the words that are left */
	struct option_words *words;
};

const struct option *option_find(const struct option *options, const char *name, char letter)
{
	for (const struct option *option = options; option && option->name; option++)
		if (name ? str_equal(option->name, name) : letter && option->letter == letter)
			return option;
	return NULL;
}

bool option_is_bare(const struct option *option)
{
	return option->kind == OPTION_FLAG || option->bare_text;
}

bool option_was_given(const struct option_words *words, const char *name)
{
	return strv_contains(&words->given, name);
}

static const struct option *find_in_sets(const struct option_set *sets, size_t set_count, const char *name, char letter,
                                         void **ret_target)
{
	for (size_t i = 0; i < set_count; i++) {
		const struct option *option = option_find(sets[i].options, name, letter);

		if (!option)
			continue;
		*ret_target = sets[i].target;
		return option;
	}
	return NULL;
}

/* -------------------------------------------------------------------------------- storing values */

static size_t kind_size(enum option_kind kind)
{
	switch (kind) {
	case OPTION_FLAG:
		return sizeof(bool);
	case OPTION_STRING:
		return sizeof(const char *);
	case OPTION_INT:
	case OPTION_DURATION:
		return sizeof(int64_t);
	case OPTION_CHOICE:
		return sizeof(int);
	case OPTION_LIST:
		return sizeof(struct strv);
	}
	return 0;
}

/* "invalid argument "abc" for "-r, --replicas" flag: WHY" */
static int invalid(const struct option *option, const char *value, const char *why, struct err *err)
{
	_cleanup_free_ char *shown = str_visible(value, 0);

	if (option->letter)
		return err_set(err, ERR_USAGE, "invalid argument \"%s\" for \"-%c, --%s\" flag: %s", shown,
		               option->letter, option->name, why);
	return err_set(err, ERR_USAGE, "invalid argument \"%s\" for \"--%s\" flag: %s", shown, option->name, why);
}

/* The words that Go, and so kubectl, takes for a truth value. */
static int store_flag(const struct option *option, const char *value, bool *member, struct err *err)
{
	static const char *const yes[] = { "true", "True", "TRUE", "t", "T", "1" };
	static const char *const no[] = { "false", "False", "FALSE", "f", "F", "0" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (str_equal(value, yes[i])) {
			*member = true;
			return 0;
		}
		if (str_equal(value, no[i])) {
			*member = false;
			return 0;
		}
	}
	return invalid(option, value, "must be true or false", err);
}

static int store_int(const struct option *option, const char *value, int64_t *member, struct err *err)
{
	bool limited = option->min != 0 || option->max != 0;
	int64_t number;

	if (str_to_int64(value, &number) < 0)
		return invalid(option, value, "must be a whole number", err);
	if (limited && (number < option->min || number > option->max)) {
		_cleanup_free_ char *why =
		    xasprintf("must be from %lld to %lld", (long long)option->min, (long long)option->max);

		return invalid(option, value, why, err);
	}
	*member = number;
	return 0;
}

static int store_duration(const char *value, int64_t *member, struct err *err)
{
	if (clock_parse_timeout(value, member, err) < 0)
		return err_label(err, "error");
	return 0;
}

/* A choice's own error: text with the value in place of '$'. */
static int wrong_choice(const char *text, const char *value, struct err *err)
{
	_cleanup_free_ char *shown = str_visible(value, 0);
	const char *mark = strchr(text, '$');

	assert(mark);
	err_set(err, ERR_USAGE, "%.*s%s%s", (int)(mark - text), text, shown, mark + 1);
	return err_label(err, "error");
}

static int store_choice(const struct option *option, const char *value, int *member, struct err *err)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL, *why = NULL;

	for (int i = 0; option->choices[i]; i++) {
		if (str_equal(option->choices[i], value)) {
			*member = i;
			return 0;
		}
		strv_add(&names, option->choices[i]);
	}
	if (option->wrong_choice)
		return wrong_choice(option->wrong_choice, value, err);
	list = strv_join(&names, ", ", " or ");
	why = xasprintf("must be %s", list);
	return invalid(option, value, why, err);
}

static int store(const struct option *option, void *target, const char *value, struct err *err)
{
	void *member = (char *)target + option->offset;

	assert(option->size == kind_size(option->kind));
	switch (option->kind) {
	case OPTION_FLAG:
		return store_flag(option, value, member, err);
	case OPTION_STRING:
		*(const char **)member = value;
		return 0;
	case OPTION_INT:
		return store_int(option, value, member, err);
	case OPTION_DURATION:
		return store_duration(value, member, err);
	case OPTION_CHOICE:
		return store_choice(option, value, member, err);
	case OPTION_LIST:
		strv_add(member, value);
		return 0;
	}
	return 0;
}

static void store_defaults(const struct option_set *set)
{
	for (const struct option *option = set->options; option && option->name; option++) {
		_cleanup_err_ struct err bad_default = ERR_INIT;

		if (option->default_text)
			(void)store(option, set->target, option->default_text, &bad_default);
		assert(!err_is_set(&bad_default));
	}
}

static int store_given(struct parser *parser, const struct option *option, void *target, const char *value,
                       struct err *err)
{
	if (!strv_contains(&parser->words->given, option->name))
		strv_add(&parser->words->given, option->name);
	return store(option, target, value, err);
}

/* --------------------------------------------------------------------------------------- parsing */

static const char *bare_text(const struct option *option)
{
	return option->kind == OPTION_FLAG ? "true" : option->bare_text;
}

/* word: what stands behind "--" */
static int parse_long(struct parser *parser, const char *word, struct err *err)
{
	size_t length = strcspn(word, "=");
	_cleanup_free_ char *name = xstrndup(word, length);
	_cleanup_free_ char *shown = str_visible(word, 0);
	const struct option *option;
	const char *value;
	void *target;

	if (length == 0 || *word == '-')
		return err_set(err, ERR_USAGE, "bad flag syntax: --%s", shown);
	option = find_in_sets(parser->sets, parser->set_count, name, 0, &target);
	if (!option) {
		replace_string(&shown, str_visible(name, 0));
		return err_set(err, ERR_USAGE, "unknown flag: --%s", shown);
	}
	if (word[length] == '=')
		value = word + length + 1;
	else if (option_is_bare(option))
		value = bare_text(option);
	else if (*parser->next)
		value = *parser->next++;
	else
		return err_set(err, ERR_USAGE, "flag needs an argument: --%s", name);
	return store_given(parser, option, target, value, err);
}

/* One letter of letters, or the last one and its value. *ret_rest: the letters after it. */
static int parse_letter(struct parser *parser, const char *letters, const char **ret_rest, struct err *err)
{
	_cleanup_free_ char *shown = str_visible(letters, 0);
	const struct option *option;
	const char *value, *rest = "";
	void *target;

	option = find_in_sets(parser->sets, parser->set_count, NULL, *letters, &target);
	if (!option) {
		_cleanup_free_ char *letter = xstrndup(shown, (unsigned char)*letters < 0x80 ? 1 : strlen(shown));

		return err_set(err, ERR_USAGE, "unknown shorthand flag: '%s' in -%s", letter, shown);
	}
	if (letters[1] == '=')
		value = letters + 2;
	else if (option_is_bare(option)) {
		value = bare_text(option);
		rest = letters + 1;
	} else if (letters[1])
		value = letters + 1;
	else if (*parser->next)
		value = *parser->next++;
	else
		return err_set(err, ERR_USAGE, "flag needs an argument: '%c' in -%s", *letters, shown);
	*ret_rest = rest;
	return store_given(parser, option, target, value, err);
}

static int parse_letters(struct parser *parser, const char *letters, struct err *err)
{
	while (*letters)
		if (parse_letter(parser, letters, &letters, err) < 0)
			return -1;
	return 0;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1];
}

static int parse_option(struct parser *parser, const char *word, struct err *err)
{
	if (word[1] == '-')
		return parse_long(parser, word + 2, err);
	return parse_letters(parser, word + 1, err);
}

/* What pflag says of an option begins with "Error", what kubectl says of a value with "error". */
static int parse_word(struct parser *parser, const char *word, struct err *err)
{
	if (!is_option(word)) {
		strv_add(&parser->words->operands, word);
		return 0;
	}
	if (parse_option(parser, word, err) == 0)
		return 0;
	return err->label ? -1 : err_label(err, "Error");
}

int option_parse(const struct option_set *sets, size_t set_count, char *const *words, struct option_words *ret_words,
                 struct err *err)
{
	struct parser parser = { .sets = sets, .set_count = set_count, .next = words, .words = ret_words };

	for (size_t i = 0; i < set_count; i++)
		store_defaults(&sets[i]);
	while (*parser.next) {
		const char *word = *parser.next++;

		if (str_equal(word, "--"))
			break;
		if (parse_word(&parser, word, err) < 0)
			return -1;
	}
	while (*parser.next)
		strv_add(&ret_words->operands, *parser.next++);
	return 0;
}

const struct option *option_wants_next(const struct option_set *sets, size_t set_count, const char *word)
{
	const struct option *option;
	void *target;

	if (word[1] == '-') {
		option = find_in_sets(sets, set_count, word + 2, 0, &target);
		return option && !option_is_bare(option) ? option : NULL;
	}
	for (word++; *word; word++) {
		option = find_in_sets(sets, set_count, NULL, *word, &target);
		if (!option || word[1] == '=')
			return NULL;
		if (!option_is_bare(option))
			return word[1] ? NULL : option;
	}
	return NULL;
}

int option_first_operand(const struct option_set *sets, size_t set_count, char *const *words)
{
	for (int i = 0; words[i]; i++) {
		if (str_equal(words[i], "--"))
			return words[i + 1] ? i + 1 : -1;
		if (!is_option(words[i]))
			return i;
		if (option_wants_next(sets, set_count, words[i]) && words[i + 1])
			i++;
	}
	return -1;
}

void option_words_release(struct option_words *words)
{
	strv_release(&words->operands);
	strv_release(&words->given);
}

void option_sets_release(const struct option_set *sets, size_t set_count)
{
	for (size_t i = 0; i < set_count; i++)
		for (const struct option *option = sets[i].options; option && option->name; option++)
			if (option->kind == OPTION_LIST)
				strv_release((struct strv *)(void *)((char *)sets[i].target + option->offset));
}
