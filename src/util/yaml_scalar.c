/* See include/util/yaml.h. What plain scalars mean. */
#include "util/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (str_equal(text, *words))
			return true;
	return false;
}

static const char *const null_words[] = { "", "~", "null", "Null", "NULL", NULL };
static const char *const true_words[] = {
	"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", NULL
};
static const char *const false_words[] = { "n",     "N",     "no",  "No",  "NO",  "false",
	                                   "False", "FALSE", "off", "Off", "OFF", NULL };
static const char *const unsayable_words[] = { ".inf",  ".Inf",  ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
	                                       "-.Inf", "-.INF", ".nan", ".NaN",  ".NAN",  NULL };

/* A copy without the underscores that may group digits. */
static char *without_underscores(const char *text)
{
	char *copy = xstrdup(text), *to = copy;

	for (const char *from = copy; *from; from++)
		if (*from != '_')
			*to++ = *from;
	*to = '\0';
	return copy;
}

/* 0x1f, 0b11, 0o17 and 017, after the sign; 0 when it is decimal. */
static int base_of(const char **digits)
{
	static const struct {
		const char *prefix;
		int base;
	} bases[] = { { "0x", 16 }, { "0X", 16 }, { "0b", 2 }, { "0B", 2 }, { "0o", 8 }, { "0O", 8 } };

	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		if (!str_starts_with(*digits, bases[i].prefix))
			continue;
		*digits += 2;
		return bases[i].base;
	}
	if (**digits == '0' && (*digits)[1])
		return 8;
	return 10;
}

static bool is_integer(const char *text, double *ret_value)
{
	bool negative = *text == '-';
	unsigned long long value;
	char *end;
	int base;

	if (*text == '-' || *text == '+')
		text++;
	base = base_of(&text);
	if (!*text || text[strspn(text, "0123456789abcdefABCDEF")])
		return false;
	errno = 0;
	value = strtoull(text, &end, base);
	if (errno || *end)
		return false;
	*ret_value = negative ? -(double)value : (double)value;
	return true;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool looks_like_float(const char *text)
{
	static const char decimal[] = "0123456789";
	size_t whole, fraction = 0;

	if (*text == '-' || *text == '+')
		text++;
	whole = strspn(text, decimal);
	text += whole;
	if (*text == '.') {
		fraction = strspn(text + 1, decimal);
		text += 1 + fraction;
	}
	if (whole + fraction == 0)
		return false;
	if (*text == 'e' || *text == 'E') {
		text++;
		if (*text == '-' || *text == '+')
			text++;
		if (!strspn(text, decimal))
			return false;
		text += strspn(text, decimal);
	}
	return !*text;
}

static bool is_number(const char *text, double *ret_value)
{
	_cleanup_free_ char *plain = NULL;

	if (!strchr("+-.0123456789", *text))
		return false;
	plain = without_underscores(text);
	if (is_integer(plain, ret_value))
		return true;
	if (!looks_like_float(plain))
		return false;
	*ret_value = strtod(plain, NULL);
	return isfinite(*ret_value);
}

cJSON *yaml_plain(const char *text)
{
	double number;

	if (is_one_of(text, null_words))
		return cJSON_CreateNull();
	if (is_one_of(text, true_words))
		return json_bool(true);
	if (is_one_of(text, false_words))
		return json_bool(false);
	if (is_one_of(text, unsayable_words))
		return NULL;
	if (is_number(text, &number))
		return cJSON_CreateNumber(number == 0 ? 0 : number);
	return json_string(text);
}
